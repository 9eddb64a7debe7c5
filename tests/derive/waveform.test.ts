import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FLAG } from '../../src/derive/hits.ts';
import { checkPulse, features, PULSE, type PulseSettings, pairwise } from '../../src/derive/waveform.ts';

const GOLDEN = resolve(import.meta.dirname, '../../../shared/golden/detector.json');

interface GoldenPulse {
  readonly samples: readonly number[];
  readonly saturated: boolean;
  readonly baseline: number;
  readonly baseline_sd: number;
  readonly peak_index?: number;
  readonly peak: number;
  readonly gate: readonly [number, number];
  readonly charge_adc_samples: number;
  readonly tail: number;
  readonly psd_tail_over_total: number;
  readonly t_leading_fraction_0p3_ns: number;
  readonly t_cfd_zero_cross_ns: number;
}

describe.skipIf(!existsSync(GOLDEN))('the golden pulses (skipped where ../shared is absent)', () => {
  const list: readonly GoldenPulse[] = existsSync(GOLDEN) ? JSON.parse(readFileSync(GOLDEN, 'utf8')).waveforms.list : [];
  test.each(list.map((pulse, i) => ({ pulse, i })))('pulse $i', ({ pulse }) => {
    const got = features(pulse.samples);
    expect(got.baseline).toBe(pulse.baseline);
    expect(got.noise).toBe(pulse.baseline_sd);
    expect((got.flags & FLAG.saturated) !== 0).toBe(pulse.saturated);
    expect((got.flags & FLAG.empty) !== 0).toBe(pulse.peak_index === undefined);
    if (pulse.peak_index === undefined) {
      expect([got.charge, got.tail, got.timeNs]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
      return;
    }
    expect(got.peakAt).toBe(pulse.peak_index);
    expect(got.peak).toBe(pulse.peak);
    expect(got.gate).toEqual(pulse.gate);
    expect(got.charge).toBe(pulse.charge_adc_samples);
    expect(got.tail).toBe(pulse.tail);
    expect(got.tail / got.charge).toBe(pulse.psd_tail_over_total);
    expect(Math.abs(got.leadingNs - pulse.t_leading_fraction_0p3_ns)).toBeLessThan(1e-9);
    expect(Math.abs(got.cfdNs - pulse.t_cfd_zero_cross_ns)).toBeLessThan(1e-9);
    expect(got.timeNs).toBe(got.cfdNs);
  });
});

/** A record of `n` samples at 1000, less what stands at the places. */
const record = (n: number, heights: Readonly<Record<number, number>>): number[] =>
  Array.from({ length: n }, (_, i) => 1000 - (heights[i] ?? 0));
const edge = { 40: 40, 41: 100, 42: 60, 43: 20 };

describe('features', () => {
  test('a pulse of four samples, by hand', () => {
    const got = features(record(200, edge));
    expect(got).toMatchObject({ baseline: 1000, noise: 0, peak: 100, peakAt: 41, gate: [37, 121], charge: 220, tail: 0, flags: 0 });
    expect(got.leadingNs).toBeCloseTo(4 * (39 + 30 / 40), 12); // x reaches 30 between samples 39 and 40
    // c is 12, 30, 18 - 40 from sample 40 on: zero between 41 and 42
    expect(got.cfdNs).toBeCloseTo(4 * (41 + 30 / 52), 12);
  });

  test('positive pulses are the same upside down', () => {
    const down = record(200, edge);
    const up = down.map((s) => 2000 - s);
    expect(features(up, { ...PULSE, polarity: 'positive' })).toEqual(features(down));
  });

  test('every number is a setting', () => {
    const pulse = record(200, edge);
    const of = (settings: Partial<PulseSettings>) => features(pulse, { ...PULSE, ...settings });
    expect(of({ gate: [0, 2] })).toMatchObject({ gate: [41, 43], charge: 160 });
    expect(of({ tail: 1 })).toMatchObject({ tail: 80 });
    expect(of({ leading: 0.6 }).leadingNs).toBeCloseTo(4 * (40 + 20 / 60), 12);
    expect(of({ cfd: { fraction: 0.5, delay: 1 } }).cfdNs).toBeCloseTo(4 * (41 + 10 / 80), 12);
    expect(of({ time: 'leading' }).timeNs).toBe(of({}).leadingNs);
    expect(of({ threshold: 101 }).flags).toBe(FLAG.empty);
    expect(of({ threshold: 100 }).flags).toBe(0);
    expect(of({ baseline: 42 })).toMatchObject({ baseline: (42 * 1000 - 140) / 42 });
    expect(of({ intervalNs: 2 }).leadingNs).toBeCloseTo(2 * (39 + 30 / 40), 12);
    expect(features(record(200, { 40: 1000, 41: 1000 })).flags).toBe(FLAG.saturated);
    expect(of({ bits: 10 }).flags).toBe(0);
    expect(
      features(
        pulse.map((s, i) => (i === 3 ? 1023 : s)),
        { ...PULSE, bits: 10 },
      ).flags,
    ).toBe(FLAG.saturated);
  });

  test('what is no right number is flagged', () => {
    expect(features(record(100, edge)).flags).toBe(FLAG.cut); // the gate ends at 121
    expect(features(record(200, { 21: 100 })).flags & FLAG.cut).toBe(FLAG.cut); // it begins within the baseline's samples
    expect(features(record(200, { 41: 100, 60: -300 })).flags).toBe(FLAG.shapeless);
    expect(features(record(200, { 41: 100, 39: -300 })).flags).toBe(FLAG.shapeless);
    const rising = features(record(60, { 59: 100 })); // no zero crossing before the record's end
    expect(rising.flags).toBe(FLAG.untimed | FLAG.cut);
    expect(rising.timeNs).toBe(59 * 4);
    const falling = [0, ...Array.from({ length: 60 }, () => 500)];
    const early = features(falling, { ...PULSE, baseline: 5, time: 'leading' });
    expect(early.flags & FLAG.untimed).toBe(FLAG.untimed);
    expect(early.leadingNs).toBeNaN();
  });

  test.each([0, 1, 2, 19, 21])('a record of %i samples', (n) => {
    const got = features(record(n, {}));
    expect(got.flags).toBe(FLAG.empty);
    expect(got.baseline).toBe(n === 0 ? Number.NaN : 1000);
    expect(got.gate[0]).toBeLessThanOrEqual(got.gate[1]);
  });

  test.each<readonly [Partial<PulseSettings>, string]>([
    [{ bits: 0 }, 'bits'],
    [{ intervalNs: 0 }, 'interval'],
    [{ baseline: 0 }, 'baseline'],
    [{ gate: [-1, 80] }, 'gate'],
    [{ gate: [4, Number.NaN] }, 'gate'],
    [{ tail: 81 }, 'tail'],
    [{ leading: 1 }, 'leading'],
    [{ cfd: { fraction: 0, delay: 2 } }, 'fraction'],
    [{ cfd: { fraction: 0.3, delay: 0 } }, 'delay'],
    [{ threshold: Number.NaN }, 'threshold'],
  ])('%j is no setting', (wrong, word) => {
    expect(checkPulse(PULSE)).toBeUndefined();
    expect(checkPulse({ ...PULSE, ...wrong })).toContain(word);
  });
});

// numpy 2.4: v = numpy.array([((i * 7919) % 1009 - 504) / 7 for i in range(1000)]); v[:n].sum()
test.each([
  [7, -98.14285714285715],
  [8, -34.85714285714286],
  [20, -115.42857142857142],
  [84, 63.57142857142862],
  [128, 82.42857142857147],
  [129, 95.57142857142858],
  [300, 44.14285714285715],
  [777, 70.1428571428572],
  [1000, 96.85714285714286],
])('the sum of %i values is numpy’s, to the last digit', (n, sum) => {
  const values = Float64Array.from({ length: 1000 }, (_, i) => (((i * 7919) % 1009) - 504) / 7);
  expect(pairwise(values, 0, n)).toBe(sum);
  expect(pairwise(Float64Array.of(1, 2, 3, ...values), 3, 3 + n)).toBe(sum);
});
