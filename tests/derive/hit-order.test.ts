import fc from 'fast-check';
import { expect, test } from 'vitest';
import { accidentals, coincidences } from '../../src/derive/hit-coincidence.ts';
import { hitOrder } from '../../src/derive/hit-order.ts';
import { hitStatistics } from '../../src/derive/hit-statistics.ts';
import { FLAG, type Hits, hits } from '../../src/derive/hits.ts';

interface Row {
  readonly t: number;
  readonly channel?: number;
  readonly charge?: number;
  readonly tail?: number;
  readonly flags?: number;
  readonly frame?: number;
}
function block(rows: readonly Row[]): Hits {
  const made = hits(rows.length);
  for (const [i, r] of rows.entries()) {
    made.t[i] = r.t;
    made.channel[i] = r.channel ?? 0;
    made.charge[i] = r.charge ?? 100;
    made.tail[i] = r.tail ?? 20;
    made.flags[i] = r.flags ?? 0;
    made.frame[i] = r.frame ?? i;
  }
  made.count = rows.length;
  return made;
}
function ordered(times: readonly number[], settings: Parameters<typeof hitOrder>[0], split = times.length) {
  const order = hitOrder(settings);
  const got: { t: number; frame: number; late: boolean }[] = [];
  const give = (b: Hits): void => {
    for (let i = 0; i < b.count; i++) got.push({ t: b.t[i] ?? 0, frame: b.frame[i] ?? 0, late: ((b.flags[i] ?? 0) & FLAG.late) !== 0 });
  };
  const rows = times.map((t, frame) => ({ t, frame }));
  for (let at = 0; at < rows.length; at += Math.max(1, split)) order.take(block(rows.slice(at, at + Math.max(1, split))), give);
  order.end(give);
  return { got, counts: order.counts };
}

test('hits within the window come out in order, equal times as they came', () => {
  const { got, counts } = ordered([50, 10, 40, 10, 100, 60], { window: 1000 });
  expect(got.map((h) => [h.t, h.frame])).toEqual([
    [10, 1],
    [10, 3],
    [40, 2],
    [50, 0],
    [60, 5],
    [100, 4],
  ]);
  expect(counts).toMatchObject({ hits: 6, backwardSteps: 3, largestBackwardStep: 40, late: 0 });
});

test('one that is later than the window is given on, flagged and counted', () => {
  const { got, counts } = ordered([1000, 2000, 900, 1500, 2100], { window: 500 });
  expect(got.filter((h) => h.late).map((h) => h.t)).toEqual([900]);
  expect(got.filter((h) => !h.late).map((h) => h.t)).toEqual([1000, 1500, 2000, 2100]);
  expect(counts).toMatchObject({ late: 1, backwardSteps: 1, largestBackwardStep: 1100 });
});

test('a single number far ahead does not drag the window with it; two in a row are a clock that went on', () => {
  const near = ordered([1, 2, 1e18, 3, 4], { window: 10, leap: 1e6 });
  expect(near.got.map((h) => [h.t, h.late])).toEqual([
    [1e18, true],
    [1, false],
    [2, false],
    [3, false],
    [4, false],
  ]);
  expect(near.counts).toMatchObject({ stray: 1, late: 1 });
  const on = ordered([1, 2, 5e6, 5e6 + 1, 5e6 + 2], { window: 10, leap: 1e6 });
  expect(on.got.filter((h) => !h.late).map((h) => h.t)).toEqual([1, 2, 5e6 + 1, 5e6 + 2]);
});

test('a clock that is set back is followed after a row of hits that agree', () => {
  const { got, counts } = ordered(
    [...Array(40).keys()].map((i) => (i < 20 ? 1e6 + i : i)),
    { window: 100 },
  );
  expect(counts).toMatchObject({ restarts: 1, late: 15 });
  expect(got).toHaveLength(40);
  expect(
    got
      .filter((h) => !h.late)
      .map((h) => h.t)
      .slice(20),
  ).toEqual([35, 36, 37, 38, 39]);
});

test('any hits: none is lost, the others are in order, and blocks do not matter', () => {
  const times = fc.array(fc.nat(3000), { maxLength: 200 });
  fc.assert(
    fc.property(times, fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 4000 }), (all, split, window) => {
      const one = ordered(all, { window });
      expect(ordered(all, { window }, split)).toEqual(one);
      expect(one.got.map((h) => h.frame).sort((a, b) => a - b)).toEqual(all.map((_, i) => i));
      const calm = one.got.filter((h) => !h.late).map((h) => h.t);
      if (one.counts.restarts === 0) expect(calm).toEqual([...calm].sort((a, b) => a - b));
      // By its definition: late is what comes more than a window after the latest before it.
      if (one.counts.restarts === 0) {
        let latest = Number.NEGATIVE_INFINITY;
        const late = all.filter((t) => {
          const is = t < latest - window;
          if (!is) latest = Math.max(latest, t);
          return is;
        });
        expect(one.counts.late).toBe(late.length);
      }
    }),
    { numRuns: 200 },
  );
});

test('more hits than are held at once, and a crowded window', () => {
  const times = Array.from({ length: 30_000 }, (_, i) => (i % 2 === 0 ? i : i - 9));
  const wide = ordered(times, { window: 100 }, 1000);
  expect(wide.got.map((h) => h.t)).toEqual([...times].sort((a, b) => a - b));
  expect(wide.counts).toMatchObject({ late: 0, crowded: 0, hits: 30_000 });
  const tight = ordered(times, { window: 1e9, capacity: 1000 }, 1000);
  expect(tight.got.map((h) => h.frame).sort((a, b) => a - b)).toEqual(times.map((_, i) => i));
  expect(tight.counts.crowded).toBeGreaterThan(20_000);
  const calm = tight.got.filter((h) => !h.late).map((h) => h.t);
  expect(calm).toEqual([...calm].sort((a, b) => a - b));
});

test('the window is held to its last nanosecond while hits are given on', () => {
  const times = Array.from({ length: 10_000 }, (_, i) => [i + 100, i]).flat();
  for (const shift of [0, 1]) {
    const { got, counts } = ordered(times.slice(shift), { window: 100 });
    expect(counts.late).toBe(0);
    expect(got.map((h) => h.t)).toEqual(times.slice(shift).sort((a, b) => a - b));
  }
});

/** Every combination, by looking at all of them. */
function combinations(rows: readonly { readonly t: number; readonly channel: number }[], set: readonly number[], within: number): number {
  let n = 0;
  const choose = (k: number, lo: number, hi: number): void => {
    if (k === set.length) {
      n++;
      return;
    }
    for (const { t, channel } of rows) {
      if (channel !== set[k] || Math.max(hi, t) - Math.min(lo, t) > within) continue;
      choose(k + 1, Math.min(lo, t), Math.max(hi, t));
    }
  };
  choose(0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);
  return n;
}

test('coincidences are every combination of one hit of each channel, the window closed', () => {
  const row = fc.record({ t: fc.nat(200), channel: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(row, { maxLength: 40 }), fc.nat(30), (unsorted, within) => {
      const rows = [...unsorted].sort((a, b) => a.t - b.t);
      const sets = [
        [0, 1],
        [1, 0, 2],
        [3, 2],
      ];
      const search = coincidences(sets, within);
      search.take(block(rows));
      expect(search.counts.map((c) => c.count)).toEqual(sets.map((set) => combinations(rows, set, within)));
    }),
    { numRuns: 200 },
  );
});

test('late and empty hits are skipped and counted; a clock that goes back begins anew', () => {
  const search = coincidences([[0, 1]], 10, FLAG.late);
  search.take(
    block([
      { t: 100, channel: 0 },
      { t: 101, channel: 1, flags: FLAG.empty },
      { t: 102, channel: 1, flags: FLAG.late },
      { t: 5, channel: 1 },
      { t: 6, channel: 0 },
    ]),
  );
  expect(search.counts).toEqual([{ channels: [0, 1], within: 10, count: 1 }]);
  expect(search.skipped).toBe(2);
  expect(() => coincidences([[1]], 10)).toThrow(RangeError);
  expect(() => coincidences([[1, 1]], 10)).toThrow(RangeError);
  expect(() => coincidences([[0, 1]], Number.NaN)).toThrow(RangeError);
});

test('accidentals of independent channels are what is counted, on average', () => {
  let seed = 12345;
  const random = (): number => (seed = (seed * 16807) % 2147483647) / 2147483647;
  const rows = Array.from({ length: 6000 }, () => ({ t: random() * 1e6, channel: Math.floor(random() * 3) })).sort((a, b) => a.t - b.t);
  const events = [0, 1, 2].map((channel) => rows.filter((r) => r.channel === channel).length);
  const search = coincidences(
    [
      [0, 1],
      [0, 1, 2],
    ],
    300,
  );
  search.take(block(rows));
  const [two, three] = search.counts.map((c) => c.count);
  const wanted = [accidentals(events.slice(0, 2), 300, 1e6), accidentals(events, 300, 1e6)];
  // 2 * 2000 * 2000 * 300 / 1e6 = 2400, and 3 * 2000^3 * 300^2 / 1e12 = 2160
  expect(Math.abs((two ?? 0) - (wanted[0] ?? 0))).toBeLessThan(5 * Math.sqrt(wanted[0] ?? 0));
  expect(Math.abs((three ?? 0) - (wanted[1] ?? 0))).toBeLessThan(0.15 * (wanted[1] ?? 0));
});

test('per channel: counts, sums, shapes; what has no shape stands apart', () => {
  const s = hitStatistics({ split: 0.25 });
  const shape = (psd: number): Row => ({ t: 10, channel: 4, charge: 1000, tail: 1000 * psd });
  s.take(
    block([
      ...[0.1, 0.12, 0.14, 0.3, 0.32, 0.34].map(shape),
      { t: 99, channel: 4, charge: 50, tail: -5, flags: FLAG.shapeless },
      { t: 3, channel: 4, charge: 70_000, tail: 7, flags: FLAG.saturated },
      { t: 7, channel: 1, charge: 0, tail: 0, flags: FLAG.empty },
    ]),
  );
  expect([...s.channels.keys()]).toEqual([1, 4]);
  expect(s.channels.get(1)).toMatchObject({ events: 1, empty: 1, chargeSum: 0, charge: { count: 0 } });
  const four = s.channels.get(4);
  expect(four).toMatchObject({ events: 8, first: 3, last: 99, chargeSum: 76_050, shapeless: 1, shortAboveLong: 1, saturated: 1 });
  expect(four?.charge).toMatchObject({ count: 8, least: 50, most: 70_000 });
  expect(four?.psd.count).toBe(6);
  expect(four?.psd.mean).toBeCloseTo(0.22, 12);
  expect(four?.psd.sd).toBeCloseTo(Math.sqrt((0.12 ** 2 + 0.1 ** 2 + 0.08 ** 2) * (2 / 5)), 12);
  expect(four?.psd.quantiles.p50).toBeCloseTo(0.14, 2);
  expect(four?.psd.below).toMatchObject({ count: 3, mean: expect.closeTo(0.12, 12), sd: expect.closeTo(0.02, 12) });
  // |0.32 - 0.12| / (2.3548 (0.02 + 0.02))
  expect(four?.psd.figureOfMerit).toBeCloseTo(0.2 / (2.354820045 * 0.04), 8);
  const spectrum = s.histogram(4);
  expect(spectrum?.width).toBe(128);
  expect(spectrum?.counts.reduce((n, c) => n + c, 0)).toBe(8);
  expect([spectrum?.counts[0], spectrum?.counts[7], spectrum?.counts[546]]).toEqual([1, 6, 1]);
});
