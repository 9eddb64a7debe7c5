import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Hits } from '../../src/derive/hits.ts';
import { unroller } from '../../src/derive/roll-over.ts';
import { type TimeMerge, timeMerge } from '../../src/derive/time-merge.ts';
import { blockOf } from './hit-rows.ts';

interface Got {
  readonly t: number[];
  readonly channel: number[];
  readonly charge: number[];
}
function taker(): { readonly got: Got; readonly give: (block: Hits) => void } {
  const got: Got = { t: [], channel: [], charge: [] };
  return {
    got,
    give(block) {
      for (let i = 0; i < block.count; i++) {
        got.t.push(block.t[i] ?? Number.NaN);
        got.channel.push(block.channel[i] ?? -1);
        got.charge.push(block.charge[i] ?? Number.NaN);
      }
    },
  };
}
const times = (...t: number[]) => blockOf(t.map((one) => ({ t: one, charge: one })));

describe('hits of several boards', () => {
  test('in any split, and in any order of the boards, they come out sorted and whole', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(2), fc.nat(5000)), { maxLength: 3000 }),
        fc.integer({ min: 1, max: 400 }),
        fc.boolean(),
        (rows, size, flip) => {
          const merge = timeMerge({ boards: [{}, { offset: 7, firstChannel: 64 }, { firstChannel: 128 }], hold: 1e6 });
          const { got, give } = taker();
          const own = [0, 1, 2].map((b) => rows.filter(([board]) => board === b).map(([, t]) => t));
          const expected = own.flatMap((list, b) => list.map((t) => t + (b === 1 ? 7 : 0))).sort((a, b) => a - b);
          for (const list of own) list.sort((a, b) => a - b);
          for (let at = 0; own.some((list) => at < list.length); at += size) {
            for (const b of flip ? [2, 1, 0] : [0, 1, 2]) {
              const part = own[b]?.slice(at, at + size) ?? [];
              if (part.length > 0) merge.take(b, blockOf(part.map((t) => ({ t, channel: 1 }))), 0, give);
            }
          }
          merge.end(give);
          expect(got.t).toEqual(expected);
          expect(merge.counts).toMatchObject({ given: rows.length, late: 0, early: 0 });
          got.channel.forEach((c) => {
            expect([1, 65, 129]).toContain(c);
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  test('it waits for the board that is behind, but not for one that is silent', () => {
    const merge = timeMerge({ boards: [{}, {}], hold: 1000 });
    const { got, give } = taker();
    merge.take(0, times(10, 20, 500), 0, give);
    expect(got.t).toEqual([]); // the other has said nothing, and is not yet 1000 behind
    merge.take(1, times(15), 0, give);
    expect(got.t).toEqual([10, 15]);
    merge.take(0, times(2000), 0, give);
    expect(got.t).toEqual([10, 15, 20, 500]);
    merge.take(1, times(600, 1500, 2100), 0, give);
    expect(got.t).toEqual([10, 15, 20, 500, 600, 1500, 2000]);
    merge.end(give);
    expect(got.t.at(-1)).toBe(2100);
    expect(merge.counts).toMatchObject({ given: 8, late: 0 });
  });

  test('what comes too late is given on and counted; a little disorder in one board is none', () => {
    const merge = timeMerge({ boards: [{}, {}], hold: 1000 });
    const { got, give } = taker();
    merge.take(0, times(30, 10, 20, 5000), 0, give);
    expect(got.t).toEqual([10, 20, 30]); // the other is more than 1000 behind
    merge.take(1, times(25, 6000), 0, give);
    expect(got.t).toEqual([10, 20, 30, 25, 5000]);
    expect(merge.counts.late).toBe(1);
    merge.end(give);
    expect(merge.counts).toMatchObject({ given: 6 });
  });

  test('a board whose blocks overlap by a known time is sorted too', () => {
    for (const [disorder, late] of [
      [0, 1],
      [50, 0],
    ] as const) {
      const merge = timeMerge({ boards: [{ disorder }] });
      const { got, give } = taker();
      merge.take(0, times(100, 140), 0, give);
      merge.take(0, times(120, 200), 0, give);
      merge.end(give);
      expect([merge.counts.late, got.t.length]).toEqual([late, 4]);
      if (late === 0) expect(got.t).toEqual([100, 120, 140, 200]);
    }
  });

  test('it holds no more than it may', () => {
    const merge = timeMerge({ boards: [{}, {}], hold: 1e12, most: 100 });
    const { got, give } = taker();
    for (let i = 0; i < 50; i++) merge.take(0, times(...Array.from({ length: 50 }, (_, k) => 50 * i + k)), 0, give);
    expect(got.t.length).toBe(2400);
    expect(merge.counts.early).toBe(2400);
    merge.take(1, times(2490), 0, give);
    merge.end(give);
    expect(got.t.length).toBe(2501);
    expect(got.t).toEqual([...got.t].sort((a, b) => a - b));
  });

  test('a silence longer than the counter: the coarse clock says how many roll-overs nobody saw', () => {
    const period = 34.36e9;
    const merge = timeMerge({ boards: [{ rollOver: { period, coarse: 5e9 } }, {}], hold: 1e9 });
    const { got, give } = taker();
    const run = (m: TimeMerge, b: number, t: number, seconds: number): void => m.take(b, times(t), seconds * 1e6, give);
    run(merge, 0, 1e9, 1001);
    run(merge, 1, 1e9, 1001);
    // 100 s later: the board's stream shows 100 s modulo the period.
    run(merge, 0, 101e9 - 2 * period, 1101.3);
    run(merge, 1, 101.5e9, 1101.6);
    run(merge, 0, 102e9 - 2 * period, 1102);
    merge.end(give);
    expect(got.t).toEqual([1e9, 1e9, 101e9, 101.5e9, 102e9].map((t) => expect.closeTo(t, 0)));
    expect(merge.counts).toMatchObject({ skipped: 2, doubtful: 0, late: 0 });
  });

  test('boards that do not exist are counted; options that make no sense are thrown', () => {
    const merge = timeMerge({ boards: [{}] });
    merge.take(3, times(1), 0, () => expect.unreachable());
    expect(merge.counts.strangers).toBe(1);
    expect(() => timeMerge({ boards: [] })).toThrow('no boards');
    expect(() => timeMerge({ boards: [{}], hold: -1 })).toThrow('hold');
    expect(() => timeMerge({ boards: [{}], most: 0 })).toThrow('most');
    expect(() => timeMerge({ boards: [{ rollOver: { period: 1e9, coarse: 1e9 } }] })).toThrow('cannot count periods');
  });
});

describe('a counter that rolls over', () => {
  test('late arrivals of up to the coarse error, and crystals that drift, skip nothing', () => {
    const at = unroller({ period: 10e9, coarse: 3e9 });
    for (let s = 0; s < 3600; s++) {
      // The board is 50 ppm fast; bytes come up to 2 s late.
      const got = at(s * 1e9 * 1.00005, s * 1e9 + (s % 7) * 0.3e9);
      expect([got.skipped, got.doubtful]).toEqual([0, false]);
    }
  });

  test('far from where the coarse clock wants it is a guess, and said to be one', () => {
    const at = unroller({ period: 10e9, coarse: 2e9 });
    at(0, 0);
    expect(at(1e9, 5e9)).toEqual({ t: 1e9, skipped: 0, doubtful: true });
    expect(at(2e9, 22e9)).toEqual({ t: 22e9, skipped: 2, doubtful: false });
  });
});
