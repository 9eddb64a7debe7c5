import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { detectorChain } from '../../src/derive/detector-chain.ts';
import { FLAG, type Hits } from '../../src/derive/hits.ts';
import { unroller } from '../../src/derive/roll-over.ts';
import { type TimeMerge, timeMerge } from '../../src/derive/time-merge.ts';
import { blockOf, uniform } from './hit-rows.ts';

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
              if (part.length > 0) merge.take(b, blockOf(part.map((t, i) => ({ t, channel: 1, frame: at + i }))), 0, give);
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
    expect(at(1e9, 5e9)).toEqual({ t: 1e9, turns: 0, skipped: 0, doubtful: true });
    expect(at(2e9, 22e9)).toEqual({ t: 22e9, turns: 2, skipped: 2, doubtful: false });
  });
});

describe('boards whose counters roll over, blocks out of order and twice', () => {
  const PERIOD = 2 ** 24 * 8; // ns: 134 ms
  const COARSE = 30e6;
  interface Hit {
    readonly t: number;
    readonly board: number;
    readonly frame: number;
  }
  /** Blocks as they come: raw counters, neighbours swapped, some twice, arrival up to 20 ms late. */
  function blocks(all: readonly Hit[], size: number, random: () => number) {
    const made = [0, 1, 2].flatMap((board) => {
      const parts: { readonly board: number; readonly part: Hit[] }[] = [];
      for (const hit of all.filter((h) => h.board === board)) {
        const part = parts.at(-1)?.part;
        // No block is longer than half a period.
        if (part && part.length < size && hit.t - (part[0]?.t ?? 0) < 60e6) part.push(hit);
        else parts.push({ board, part: [hit] });
      }
      return parts;
    });
    made.sort((a, b) => (a.part.at(-1)?.t ?? 0) - (b.part.at(-1)?.t ?? 0));
    const came = made.flatMap((one) => (random() < 0.2 ? [one, one] : [one]));
    for (let i = 1; i < came.length; i++) {
      const [a, b] = [came[i - 1], came[i]];
      const near = a && b && Math.abs((a.part.at(-1)?.t ?? 0) - (b.part.at(-1)?.t ?? 0)) < 5e6;
      if (near && random() < 0.3) [came[i - 1], came[i]] = [b, a];
    }
    return came.map(({ board, part }) => ({
      board,
      clock: 1e9 + ((part.at(-1)?.t ?? 0) + 20e6 * random()) / 1e3,
      block: blockOf(part.map(({ t, frame }) => ({ t: t % PERIOD, channel: 3, frame }))),
    }));
  }
  const boards = [0, 1, 2].map((b) => ({ firstChannel: 64 * b, disorder: 70e6, raw: true, rollOver: { period: PERIOD, coarse: COARSE } }));

  test('every hit comes once, at its time, in order', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 60 }), fc.boolean(), (seed, size, silent) => {
        const random = uniform(seed);
        const all: Hit[] = [];
        for (let t = 1e6, frame = 0; t < 2e9; frame++) {
          t += Math.round(2e6 * random());
          // A board that says nothing for several turns.
          const board = Math.floor(3 * random());
          if (!(silent && board === 1 && t > 3e8 && t < 15e8)) all.push({ t, board, frame });
        }
        const merge = timeMerge({ boards, hold: 5e8 });
        const { got, give } = taker();
        for (const { board, clock, block } of blocks(all, size, random)) merge.take(board, block, clock, give);
        merge.end(give);
        const [first] = all;
        expect(got.t.map((t) => t - (got.t[0] ?? 0))).toEqual(all.map(({ t }) => t - (first?.t ?? 0)));
        expect(got.channel).toEqual(all.map(({ board }) => 64 * board + 3));
        expect(merge.counts).toMatchObject({ late: 0, early: 0, doubtful: 0 });
      }),
      { numRuns: 40 },
    );
  });

  test('a block that comes again after its hits were given on is left out; a new late hit is given on and marked', () => {
    const merge = timeMerge({ boards: [{}, {}], hold: 1000 });
    const flags: number[] = [];
    const give = (block: Hits): void => {
      flags.push(...block.flags.slice(0, block.count));
    };
    for (let i = 0; i < 3; i++) merge.take(0, times(10, 20, 5000), 0, give);
    merge.take(1, times(6000), 0, give);
    merge.take(1, times(15), 0, give);
    merge.take(1, times(15, 15), 0, give);
    merge.end(give);
    expect(merge.counts).toMatchObject({ given: 6, doubled: 7, late: 2 });
    expect(flags.filter((f) => f === FLAG.late)).toHaveLength(2);
  });
});

const golden = resolve(import.meta.dirname, '../../../shared/golden');
describe.skipIf(!existsSync(golden))('the stream of ../shared/golden beside the project, on three boards', () => {
  test.each([
    [1, 20],
    [7, 20],
    [15, 40],
  ])('counts, live time and capture time are as they should be, in blocks of %d, boards %d ns apart', (size, skew) => {
    const rows = readFileSync(resolve(golden, 'coincidence_stream.csv'), 'utf8').trim().split('\n').slice(1);
    const random = uniform(size);
    const period = 2 ** 29;
    // Each event is seen by all three, which share its energy; its time is that of the first, which has most.
    const offsets = [0, 345_678, 99_999_999];
    const boards = [0, 1, 2].map((b) => ({
      firstChannel: b,
      offset: -(offsets[b] ?? 0),
      disorder: 10e6,
      raw: true,
      rollOver: { period, coarse: 4e7 },
    }));
    const events = rows.map((line) => line.split(',').map(Number));
    const whole = [[0, 0.3, 0.1], ...events, [20e9, 0.3, 0.1], [20e9 + 2e6, 0.3, 0.1], [20e9 + 4e6, 0.3, 0.1]];
    const hitsOf = (b: number) =>
      whole.map(([t = 0, energy = 0, psd = 0], frame) => ({
        t: t + 10e6 + (b === 0 ? 0 : Math.floor(skew * (random() - 0.5))) + (offsets[b] ?? 0),
        charge: energy / (b === 0 ? 2 : 4),
        tail: (psd * energy) / (b === 0 ? 2 : 4),
        frame: 1000 * b + frame,
      }));
    const all = [0, 1, 2].flatMap((b) => {
      const own = hitsOf(b);
      return Array.from({ length: Math.ceil(own.length / size) }, (_, k) => ({ b, part: own.slice(k * size, (k + 1) * size) }));
    });
    all.sort((x, y) => (x.part.at(-1)?.t ?? 0) - (x.b === 2 ? 1e8 : 0) - (y.part.at(-1)?.t ?? 0) + (y.b === 2 ? 1e8 : 0));
    const came = all.flatMap((one) => (random() < 0.1 ? [one, one] : [one]));
    const chain = detectorChain({ channels: 3, scale: { slope: [1, 1, 1] }, within: 40 });
    const merge = timeMerge({ boards, hold: 2e9 });
    for (const { b, part } of came) {
      const block = blockOf(part.map((h) => ({ ...h, t: h.t % period })));
      merge.take(b, block, ((part.at(-1)?.t ?? 0) + 1e6 * random()) / 1e3, (joined) => chain.take(joined));
    }
    merge.end((joined) => chain.take(joined));
    const got = chain.now(0, 1);
    expect([got.pairs, got.isolated, got.of.muons, got.of.prompts, got.of.delayeds]).toEqual([147, 129, 611, 1463, 1399]);
    expect([...got.off]).toEqual([17, 16, 15, 17, 16, 7, 16, 20, 11, 23, 13, 15, 16, 16, 19, 11, 12, 9, 10, 12]);
    expect(merge.counts).toMatchObject({ late: 0, early: 0, doubtful: 0 });
    expect(merge.counts.doubled).toBeGreaterThan(0);
  });
});
