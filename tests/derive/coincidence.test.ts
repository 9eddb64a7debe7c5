/** Prompt-delayed pairs: the same counts in any split, order within the bound, and with doubles; against a table and against plain loops. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Coincidences, type PairOptions, pairFinder } from '../../src/derive/coincidence.ts';
import { CUTS, type Cuts, wrongCuts } from '../../src/derive/coincidence-cuts.ts';
import { addTime, captureTimes, fitCapture } from '../../src/derive/coincidence-fit.ts';
import type { Events } from '../../src/derive/coincidence-order.ts';
import { uniform } from './pressure-spectra.ts';

const golden = resolve(import.meta.dirname, '../../../shared/golden');
type Row = readonly [t: number, energy: number, psd: number, place?: number];

function block(rows: readonly Row[]): Events {
  const column = (c: 0 | 1 | 2): Float64Array => Float64Array.from(rows, (row) => row[c]);
  const place = Float64Array.from(rows, (row) => row[3] ?? Number.NaN);
  return { count: rows.length, t: column(0), energy: column(1), psd: column(2), x: place, y: place.map(() => 0), z: place.map(() => 0) };
}

interface Found {
  readonly result: Coincidences;
  /** Window, prompt and delayed time, isolated, multiplicity, sorted. */
  readonly pairs: readonly (readonly number[])[];
}
function find(blocks: readonly (readonly Row[])[], end: number, cuts: Cuts = CUTS, options: PairOptions = {}): Found {
  const finder = pairFinder(cuts, options);
  const pairs: number[][] = [];
  const keep = (p: Parameters<NonNullable<Parameters<typeof finder.take>[1]>>[0]): void => {
    for (let i = 0; i < p.count; i++)
      pairs.push([p.window[i] ?? 0, p.tPrompt[i] ?? 0, p.tDelayed[i] ?? 0, p.isolated[i] ?? 0, p.multiplicity[i] ?? 0, p.dx[i] ?? 0]);
  };
  for (const rows of blocks) finder.take(block(rows), keep);
  const result = finder.end(end, keep);
  return { result, pairs: pairs.sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0) || (a[1] ?? 0) - (b[1] ?? 0) || (a[2] ?? 0) - (b[2] ?? 0)) };
}

/** What the rule says, with plain loops over all. */
function plain(all: readonly Row[], cuts: Cuts): { pairs: number[][]; off: number[]; isolated: number; offIsolated: number[] } {
  const rows = all.toSorted((a, b) => a[0] - b[0]);
  const muons = rows.filter((r) => r[1] >= cuts.muon);
  const vetoed = (t: number): boolean => muons.some((m) => t >= m[0] && t <= m[0] + cuts.veto);
  const free = rows.filter((r) => r[1] < cuts.muon && !vetoed(r[0]));
  const prompts = free.filter((r) => r[1] >= cuts.prompt[0] && r[1] <= cuts.prompt[1] && r[2] < cuts.promptShape);
  const delayeds = free.filter((r) => r[1] >= cuts.delayed[0] && r[1] <= cuts.delayed[1] && r[2] >= cuts.delayedShape);
  const quiet = rows.filter((r) => r[1] >= cuts.isolation.low && r[1] < cuts.isolation.high);
  const between = (a: number, b: number, p: Row, d: Row): number =>
    quiet.filter((r) => r[0] >= a && r[0] <= b && r !== p && r !== d).length;
  const off = Array.from({ length: cuts.off.count }, () => 0);
  const offIsolated = [...off];
  const pairs: number[][] = [];
  let isolated = 0;
  for (const p of prompts) {
    const close = (d: Row): boolean => cuts.apart === undefined || Math.abs((d[3] ?? Number.NaN) - (p[3] ?? Number.NaN)) < cuts.apart;
    const here = (by: number): Row[] =>
      delayeds.filter((d) => d !== p && d[0] - p[0] >= cuts.window[0] + by && d[0] - p[0] <= cuts.window[1] + by && close(d));
    const T = cuts.isolation.time;
    const mine = here(0);
    for (const d of mine) {
      const alone = between(p[0] - T, d[0] + T, p, d) === 0;
      if (alone) isolated++;
      pairs.push([-1, p[0], d[0], alone ? 1 : 0, mine.length, (d[3] ?? Number.NaN) - (p[3] ?? Number.NaN)]);
    }
    for (let k = 0; k < off.length; k++) {
      const by = cuts.off.first + k * cuts.off.step;
      for (const d of here(by)) {
        off[k] = (off[k] ?? 0) + 1;
        const alone = between(p[0] - T, d[0] - by, p, d) + between(d[0], d[0] + T, p, d) === 0;
        if (alone) offIsolated[k] = (offIsolated[k] ?? 0) + 1;
        pairs.push([k, p[0], d[0], alone ? 1 : 0, mine.length, (d[3] ?? Number.NaN) - (p[3] ?? Number.NaN)]);
      }
    }
  }
  return {
    pairs: pairs.sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0) || (a[1] ?? 0) - (b[1] ?? 0) || (a[2] ?? 0) - (b[2] ?? 0)),
    off,
    isolated,
    offIsolated,
  };
}

describe.skipIf(!existsSync(golden))('the stream of ../shared/golden beside the project', () => {
  const rows: Row[] = existsSync(golden)
    ? readFileSync(resolve(golden, 'coincidence_stream.csv'), 'utf8')
        .trim()
        .split('\n')
        .slice(1)
        .map((line) => line.split(',').map(Number) as unknown as Row) // three numbers a line
    : [];
  const wanted = existsSync(golden)
    ? (JSON.parse(readFileSync(resolve(golden, 'detector.json'), 'utf8')) as { coincidence: Record<string, never> }).coincidence // as the tests ask
    : {};

  function right({ result, pairs }: Found): void {
    expect({
      muons: result.muons,
      prompt_candidates: result.prompts,
      delayed_candidates: result.delayeds,
      on_time_pairs: result.pairs,
      off_window_counts: result.off,
      pairs_after_isolation_300us_Egt0p38: result.isolated,
      veto_time_s: result.vetoed / 1e9,
      live_time_s: result.live / 1e9,
    }).toEqual(
      Object.fromEntries(
        [
          'muons',
          'prompt_candidates',
          'delayed_candidates',
          'on_time_pairs',
          'off_window_counts',
          'pairs_after_isolation_300us_Egt0p38',
          'veto_time_s',
          'live_time_s',
        ].map((name) => [name, wanted[name]]),
      ),
    );
    expect(result.meanTime / 1e3).toBeCloseTo(Number(wanted.mean_dt_us), 9);
    expect(result.accidentals.value).toBeCloseTo(Number(wanted.accidental_estimate), 12);
    expect(result.singles.value).toBeCloseTo(Number(wanted.accidental_from_singles_product), 9);
    const on = pairs.filter(([window]) => window === -1).map(([, p, d]) => [p, d]);
    expect(on.slice(0, 10)).toEqual(wanted.pairs_ns);
    const fit = wanted.capture_time_fit as { tau_us: number; sigma_us: number };
    if ('none' in result.capture) throw new Error(result.capture.none);
    // The table's optimum is good to 1e-7; this one to the last digits.
    expect(result.capture.tau / 1e3 / fit.tau_us).toBeCloseTo(1, 6);
    expect(result.capture.sigma / 1e3 / fit.sigma_us).toBeCloseTo(1, 4);
  }

  test('in one block, one by one, and in uneven ones', () => {
    const whole = find([rows], 20e9);
    right(whole);
    expect(whole.result.agreement.word).toBe('agree');
    for (const size of [1, 7, 997]) {
      const blocks = Array.from({ length: Math.ceil(rows.length / size) }, (_, i) => rows.slice(size * i, size * (i + 1)));
      const got = find(blocks, 20e9);
      right(got);
      expect(got).toEqual(whole);
    }
  });
  test('out of order and doubled: nothing changes', () => {
    const random = uniform(20261122);
    const whole = find([rows], 20e9, CUTS, { giveOff: true });
    for (const disorder of [1e6, 50e6]) {
      // Each event comes as if up to `disorder` late, a fifth of them twice.
      const late = rows
        .flatMap((row) => (random() < 0.2 ? [row, row] : [row]))
        .map((row) => [row[0] + 0.999 * disorder * random(), row] as const)
        .sort(([a], [b]) => a - b)
        .map(([, row]) => row);
      const got = find([late.slice(0, 1234), late.slice(1234, 1300), late.slice(1300)], 20e9, CUTS, { disorder, giveOff: true });
      right(got);
      expect(got.result.doubled).toBe(late.length - rows.length);
      expect(got.result.late).toBe(0);
      expect(got.pairs).toEqual(whole.pairs);
    }
    const again = find([rows, rows.slice(0, 3000), rows.slice(-40)], 20e9);
    right(again);
    expect(again.result.late + again.result.doubled).toBe(3040);
  });
});

const QUICK: Cuts = {
  muon: 20,
  veto: 300,
  prompt: [1, 8],
  promptShape: 0.5,
  delayed: [0.3, 3],
  delayedShape: 0.5,
  window: [0, 100],
  off: { first: 150, step: 120, count: 4 },
  isolation: { time: 60, low: 0.38, high: 25 },
};

describe('against plain loops', () => {
  const row = fc.tuple(
    fc.integer({ min: 0, max: 20_000 }),
    fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom(0.3, 0.37, 0.38, 0.68, 1, 2.5, 3, 8) },
      { weight: 1, arbitrary: fc.constantFrom(20, 24.5, 25, 30) },
    ),
    fc.constantFrom(0.1, 0.49, 0.5, 0.9, Number.NaN),
    fc.double({ min: 0, max: 10, noNaN: true }),
  );
  const rows = fc.array(row, { minLength: 0, maxLength: 400 });
  test('any events, any cut of the window, any split', () => {
    fc.assert(
      fc.property(
        rows,
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 5 }),
        fc.constantFrom(0, 1, 30),
        fc.constantFrom(undefined, 3),
        fc.constantFrom(0, 60, 500),
        (all, sizes, from, apart, time) => {
          // Rows alike in all are one event.
          const events = [...new Map(all.map((r) => [r.map(String).join(), r] as const)).values()];
          const cuts: Cuts = {
            ...QUICK,
            window: [from, 100],
            isolation: { ...QUICK.isolation, time },
            ...(apart === undefined ? {} : { apart }),
          };
          const blocks: Row[][] = [];
          for (let at = 0, i = 0; at < events.length; i++) {
            const size = sizes[i % sizes.length] ?? 1;
            blocks.push(events.slice(at, at + size));
            at += size;
          }
          const got = find(blocks, 20_000, cuts, { disorder: 20_001, giveOff: true });
          const wanted = plain(events, cuts);
          expect(got.pairs).toEqual(wanted.pairs);
          expect(got.result.off).toEqual(wanted.off);
          expect(got.result.isolated).toBe(wanted.isolated);
          expect(got.result.offIsolated).toEqual(wanted.offIsolated);
          expect(got.result.multiplicity.reduce((s, n, i) => s + n * i, 0)).toBe(got.result.pairs);
          expect(got.result.multiplicity.reduce((s, n) => s + n, 0)).toBe(got.result.prompts);
          // In order of time, with little held and off-time pairs only counted, all the same.
          const sorted = events.toSorted((a, b) => a[0] - b[0]);
          const ordered = find(
            blocks.map((_, i) => sorted.slice(i * 41, (i + 1) * 41)).concat([sorted.slice(blocks.length * 41)]),
            20_000,
            cuts,
            { disorder: 5 },
          );
          expect(ordered.result.off).toEqual(wanted.off);
          expect(ordered.result.isolated).toBe(wanted.isolated);
          expect(ordered.pairs).toEqual(wanted.pairs.filter(([window]) => window === -1));
        },
      ),
    );
  });
});

test('off-time windows count the same whether prompts are few or many, whether windows touch, and whether pairs are given one by one', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.constantFrom(200, 2_000, 50_000),
      fc.constantFrom(100, 105, 300),
      fc.integer({ min: 0, max: 6 }),
      fc.boolean(),
      (seed, apart, step, count, whole) => {
        const random = uniform(seed);
        const cuts: Cuts = { ...CUTS, window: [20, 120], off: { first: 400, step, count } };
        const rows: Row[] = [];
        // Times on a grid of tens, so that many stand at the very ends of windows; or anywhere, far from zero.
        for (let i = 0, t = whole ? 0 : 1e12 + 1 / 3; i < 3000; i++) {
          t += whole ? 10 * Math.ceil((apart / 10) * random()) : apart * random();
          rows.push(random() < 0.7 ? [t, 2, 0.1] : [t, 0.5, 0.3]);
        }
        const counted = find([rows], 2e12, cuts, { start: 0 }).result;
        const given = find([rows], 2e12, cuts, { start: 0, giveOff: true }).result;
        expect(counted.off).toEqual(given.off);
        expect([counted.pairs, counted.isolated]).toEqual([given.pairs, given.isolated]);
        if (count > 0 && apart < 50_000) expect(counted.off.reduce((a, b) => a + b, 0)).toBeGreaterThan(0);
      },
    ),
    { numRuns: 60 },
  );
});

test('long after the first rows have been dropped, against plain loops', () => {
  const random = uniform(99);
  const kinds = [
    [0.5, 0.9],
    [2, 0.1],
    [1.5, 0.7],
    [0.35, 0.1],
    [7, 0.2],
  ] as const;
  let t = 0;
  const rows: Row[] = Array.from({ length: 4500 }, () => {
    t += Math.ceil(-40 * Math.log(1 - random()));
    return [t, ...(kinds[Math.floor(kinds.length * random())] ?? [25, 0.1]), 10 * random()];
  });
  const cuts = {
    ...QUICK,
    window: [1, 300],
    off: { first: 400, step: 300, count: 4 },
    isolation: { ...QUICK.isolation, time: 40 },
  } as const;
  const wanted = plain(rows, cuts);
  for (const giveOff of [false, true]) {
    const blocks = Array.from({ length: 45 }, (_, i) => rows.slice(100 * i, 100 * (i + 1)));
    const got = find(blocks, t, cuts, { disorder: 50, giveOff });
    expect(got.pairs).toEqual(giveOff ? wanted.pairs : wanted.pairs.filter(([window]) => window === -1));
    expect(got.result.off).toEqual(wanted.off);
    expect(got.result.isolated).toBe(wanted.isolated);
  }
});

describe('what can be wrong', () => {
  test('late, without a time, after the end', () => {
    const got = find([[[5000, 2, 0.1]], [[1000, 2, 0.1]], [[Number.NaN, 1, 1]], [[4999, 2, 0.1]]], 1e4, QUICK, { disorder: 100 });
    expect(got.result).toMatchObject({ late: 1, untimed: 1, prompts: 2, events: 2 });
    const finder = pairFinder();
    finder.end(1e9);
    expect(() => finder.take(block([[1, 1, 1]]))).toThrow(RangeError);
  });
  test('nothing at all is no pairs, and says so', () => {
    const { result } = find([], 1e9);
    expect(result).toMatchObject({ pairs: 0, live: 1e9, accidentals: { value: 0, sigma: 0 }, agreement: { word: 'unknown' } });
    expect(result.capture).toEqual({ none: '0 pairs are too few for a capture time' });
  });
  test('cuts that cannot be are named', () => {
    expect(wrongCuts(CUTS)).toBeUndefined();
    expect(wrongCuts({ ...CUTS, window: [150e3, 1e3] })).toContain('window');
    expect(wrongCuts({ ...CUTS, off: { first: 100e3, step: 200e3, count: 2 } })).toContain('on-time');
    expect(wrongCuts({ ...CUTS, off: { first: 1e6, step: 1e3, count: 2 } })).toContain('twice');
    expect(wrongCuts({ ...CUTS, veto: Number.NaN })).toContain('veto');
    expect(() => pairFinder({ ...CUTS, prompt: [8, 1] })).toThrow(/prompt/);
  });
  test('memory holds what the longest window needs', () => {
    // A prompt each 10 us: 400,000 in all, of which some 530 can still find a delayed.
    const finder = pairFinder(CUTS, { disorder: 1e5 });
    const t = new Float64Array(50_000);
    const [energy, psd] = [new Float64Array(50_000).fill(2), new Float64Array(50_000).fill(0.1)];
    for (let b = 0; b < 8; b++) {
      for (let i = 0; i < t.length; i++) t[i] = (b * t.length + i) * 1e4;
      finder.take({ count: t.length, t, energy, psd });
    }
    expect(finder.room).toBeLessThanOrEqual(4 * 1024);
    const got = finder.end(4e9);
    expect(got.prompts).toBe(400_000);
    expect(got.multiplicity).toEqual([400_000]);
  });
});

test('the capture time of many pairs, with accidentals, within its bar', () => {
  const random = uniform(7);
  const times = captureTimes(1e3, 150e3);
  const tau = 42.8e3;
  for (let i = 0; i < 40_000; i++) {
    const span = -Math.expm1(-149e3 / tau);
    addTime(times, Math.round(1e3 + (random() < 0.25 ? 149e3 * random() : -tau * Math.log1p(-span * random()))));
  }
  const got = fitCapture(times, 0.25);
  if ('none' in got) throw new Error(got.none);
  expect(Math.abs(got.tau - tau) / got.sigma).toBeLessThan(3);
  expect(got.sigma / tau).toBeLessThan(0.02);
  const flat = captureTimes(0, 1000);
  for (let i = 0; i <= 1000; i++) addTime(flat, i);
  expect(fitCapture(flat, 0)).toEqual({ none: 'the times between the events do not fall off' });
  expect(fitCapture(times, 1)).toHaveProperty('none');
});
