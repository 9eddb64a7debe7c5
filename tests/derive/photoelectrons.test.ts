import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fill, type Histogram, histogram } from '../../src/derive/histogram.ts';
import { fitPhotoelectrons, type PeakOptions, type PhotoelectronPeaks } from '../../src/derive/photoelectron-peaks.ts';
import { chargeOf, gainOf, meanFromZeros, photoelectronsByWidth, photoelectronsByZeros } from '../../src/derive/photoelectrons.ts';
import { normal, poisson, type Random, uniform } from './hit-rows.ts';

const GOLDEN = resolve(import.meta.dirname, '../../../shared/golden/detector.json');

describe.skipIf(!existsSync(GOLDEN))('golden photoelectron calibration (skipped without ../shared)', () => {
  const golden = existsSync(GOLDEN) ? JSON.parse(readFileSync(GOLDEN, 'utf8')).photoelectron_calibration : {}; // a block that is skipped is read all the same

  test('zeros, width and gain to 12 digits', () => {
    for (const row of golden.rows) {
      if ('P0' in row) expect(photoelectronsByZeros(row.P0) / row.mu).toBeCloseTo(1, 12);
      else expect(photoelectronsByWidth(row.mean, row.sigma).value / row.npe).toBeCloseTo(1, 12);
    }
    const { adc_sum, mV_per_adc, dt_ns, R_ohm, charge_pC, gain } = golden.gain_example;
    const digitizer = { voltsPerCount: mV_per_adc / 1e3, interval: dt_ns / 1e9, resistance: R_ohm };
    expect((chargeOf(adc_sum, digitizer) * 1e12) / charge_pC).toBeCloseTo(1, 12);
    expect(gainOf(adc_sum, digitizer) / gain).toBeCloseTo(1, 12);
  });
});

/** Charges of so many flashes. */
function flashes(
  n: number,
  {
    mean,
    gain,
    spread,
    pedestal,
    width,
    crosstalk = 0,
    least = 0,
  }: Record<'mean' | 'gain' | 'spread' | 'pedestal' | 'width', number> & {
    readonly crosstalk?: number;
    readonly least?: number;
  },
  random: Random,
  h: Histogram = histogram({ low: -100, high: 900, bins: 500 }),
): Histogram {
  for (let i = 0; i < n; i++) {
    let k = poisson(mean, random);
    // Each brings others, and those too.
    for (let young = k; young > 0; k += young) young = poisson(crosstalk * young, random);
    if (k < least) continue;
    fill(h, pedestal + k * gain + Math.sqrt(width ** 2 + k * spread ** 2) * normal(random));
  }
  return h;
}
const fitted = (h: Histogram, options?: PeakOptions): PhotoelectronPeaks => {
  const got = fitPhotoelectrons(h, options);
  if ('refused' in got) throw new Error(got.refused);
  return got;
};

describe('photoelectrons by width and by zeros', () => {
  test('the bars are those of repeated runs', () => {
    const random = uniform(5);
    const [byWidth, byZeros]: [number[], number[]] = [[], []];
    for (let trial = 0; trial < 300; trial++) {
      let [sum, squares, none] = [0, 0, 0];
      for (let i = 0; i < 500; i++) {
        const charge = 50 + 5 * normal(random);
        sum += charge;
        squares += charge ** 2;
        if (random() < 0.7) none++;
      }
      const sigma = Math.sqrt((squares - sum ** 2 / 500) / 499);
      const w = photoelectronsByWidth(sum / 500, sigma, 1, 500);
      const z = meanFromZeros(none, 500);
      byWidth.push((w.value - 100) / (w.sigma ?? 0));
      byZeros.push(((z?.value ?? 0) + Math.log(0.7)) / (z?.sigma ?? 0));
    }
    for (const pulls of [byWidth, byZeros]) {
      const rms = Math.sqrt(pulls.reduce((s, p) => s + p ** 2, 0) / pulls.length);
      expect(rms).toBeGreaterThan(0.88);
      expect(rms).toBeLessThan(1.14);
    }
  });

  test('dark counts are taken off; nothing or all is no answer', () => {
    const got = meanFromZeros(5000, 10_000, { none: 9000, gates: 10_000 });
    expect(got?.value).toBeCloseTo(Math.LN2 + Math.log(0.9), 12);
    expect(got?.sigma).toBeCloseTo(Math.sqrt(1e-4 + 1000 / 9000 / 10_000), 12);
    expect([meanFromZeros(0, 10), meanFromZeros(10, 10), meanFromZeros(5, 10, { none: 0, gates: 10 })]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(photoelectronsByWidth(10, 2, 1.2)).toEqual({ value: 30 });
  });
});

describe('peaks of photoelectrons', () => {
  const pull = (value: number, sigma: number, truth: number): number => Math.abs(value - truth) / sigma;

  test.each([
    ['silicon photomultiplier, peaks apart', { mean: 2, gain: 80, spread: 8, pedestal: 10, width: 9 }],
    ['photomultiplier, a shoulder', { mean: 0.8, gain: 70, spread: 25, pedestal: 0, width: 8 }],
    ['weak light', { mean: 0.1, gain: 100, spread: 30, pedestal: 20, width: 10 }],
  ] as const)('%s', (_, truth) => {
    const got = fitted(flashes(40_000, truth, uniform(77)));
    expect(pull(got.gain, got.gainSigma, truth.gain)).toBeLessThan(3.5);
    expect(pull(got.spread, got.spreadSigma, truth.spread)).toBeLessThan(3.5);
    expect(pull(got.mean, got.meanSigma, truth.mean)).toBeLessThan(3.5);
    expect(pull(got.pedestal, got.pedestalSigma, truth.pedestal)).toBeLessThan(3.5);
    expect(got.gainSigma / got.gain).toBeLessThan(0.02);
    expect(got.deviance / got.dof).toBeLessThan(1.3);
    expect(got.excess).toBeCloseTo(1 + (truth.spread / truth.gain) ** 2, 1);
  });

  test('crosstalk, where it is asked for', () => {
    const truth = { mean: 1.5, gain: 80, spread: 6, pedestal: 0, width: 8, crosstalk: 0.2 };
    const h = flashes(60_000, truth, uniform(78));
    const got = fitted(h, { crosstalk: true });
    expect(pull(got.crosstalk, got.crosstalkSigma, 0.2)).toBeLessThan(3.5);
    expect(pull(got.mean, got.meanSigma, 1.5)).toBeLessThan(3.5);
    expect(pull(got.gain, got.gainSigma, 80)).toBeLessThan(3.5);
    const without = fitted(h);
    expect(without.deviance / without.dof).toBeGreaterThan(3); // it does not describe them
  });

  test('hits above a threshold: no peak of nothing, part of the first one cut off', () => {
    const truth = { mean: 0.3, gain: 100, spread: 12, pedestal: 0, width: 5, least: 1 };
    const h = flashes(100_000, truth, uniform(79));
    const got = fitted(h, { pedestal: { centre: 0, sigma: 5 }, range: [85, 800] });
    expect(pull(got.gain, got.gainSigma, 100)).toBeLessThan(3.5);
    expect(pull(got.mean, got.meanSigma, 0.3)).toBeLessThan(3.5);
    expect(got.pedestalSigma).toBe(0);
  });

  test('no peaks is no gain, in words', () => {
    const flat = histogram({ low: 0, high: 100, bins: 50 });
    expect(fitPhotoelectrons(flat)).toEqual({ refused: '0 hits in the range: at least 200 are needed' });
    const random = uniform(3);
    const only = histogram({ low: -100, high: 900, bins: 500 });
    for (let i = 0; i < 5000; i++) fill(only, 10 * normal(random));
    expect(fitPhotoelectrons(only)).toHaveProperty('refused');
  });

  test.each([
    ['exponential', (random: Random) => -100 * Math.log(random())],
    ['flat', (random: Random) => 500 * random()],
    ['one broad peak', (random: Random) => 250 + 60 * normal(random)],
  ] as const)('%s: a smooth spectrum has no gain, with few counts and with many', (_, charge) => {
    for (const n of [500, 20_000, 300_000]) {
      const random = uniform(n);
      const h = histogram({ low: -50, high: 500, bins: 275 });
      for (let i = 0; i < n; i++) fill(h, charge(random));
      expect(fitPhotoelectrons(h), `${n}`).toEqual({ refused: expect.stringContaining('there are no peaks') });
    }
  });

  test('a fit that misses its spectrum says by how much; one of another spectrum is refused', () => {
    const random = uniform(8);
    const h = flashes(200_000, { mean: 1, gain: 70, spread: 25, pedestal: 0, width: 8 }, random);
    expect(fitted(h).misfit).toBe(0);
    for (let i = 0; i < 20_000; i++) fill(h, 100 + 500 * random());
    expect(fitted(h).misfit).toBeGreaterThan(0.05);
    const comb = histogram({ low: 0, high: 500, bins: 250 });
    for (let i = 0; i < 100_000; i++) fill(comb, [40, 90, 300][i % 3] ?? 0);
    expect(fitPhotoelectrons(comb)).toHaveProperty('refused');
  });
});
