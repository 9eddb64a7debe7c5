import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decay } from '../../src/derive/decay.ts';
import { cramerRao, fitPlanck, type PlanckFit, type PlanckProblem, poissonDeviance } from '../../src/derive/planck.ts';
import { EXACT, radianceTemperature, spectralRadiance, TRAX } from '../../src/derive/radiance.ts';
import { fitUnweighted } from '../../src/derive/unweighted.ts';
import { slidingTwoColour, wienFit } from '../../src/derive/wien.ts';

const golden = resolve(import.meta.dirname, '../../../shared/golden/thermal.json');
const here = existsSync(golden);
// Shape known from its README; absent where the tests below skip.
const table = here ? JSON.parse(readFileSync(golden, 'utf8')) : {};

const axis = (lo: number, hi: number, n: number): Float64Array =>
  Float64Array.from({ length: n }, (_, i) => (lo + ((hi - lo) * i) / (n - 1)) / 1e9);
const testResponse = (l: number): number => Math.exp(-(((l * 1e9 - 720) / 140) ** 2));
const flat = (n: number): Float64Array => new Float64Array(n).fill(1);

function fitted(problem: PlanckProblem): PlanckFit {
  const fit = fitPlanck(problem);
  if ('refused' in fit) throw new Error(fit.refused);
  return fit;
}

describe('radiance', () => {
  test('Wien displacement: the maximum at 1000 K lies at 2.897771955 um', () => {
    const around = [2.8977, 2.897771955, 2.8979].map((um) => spectralRadiance(um / 1e6, 1000));
    expect(around[1]).toBeGreaterThan(around[0] as number);
    expect(around[1]).toBeGreaterThan(around[2] as number);
  });
  test('nonsense gives NaN, never a number', () => {
    for (const wrong of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(spectralRadiance(wrong, 2000)).toBeNaN();
      expect(spectralRadiance(650e-9, wrong)).toBeNaN();
      expect(radianceTemperature(650e-9, wrong)).toBeNaN();
    }
  });
  test('the constants of T-Rax are 16 ppm high in temperature', () => {
    const radiance = spectralRadiance(650e-9, 2000, 1, TRAX);
    expect(radianceTemperature(650e-9, radiance, 1, { ...TRAX, c2: EXACT.c2 }) / 2000).toBeCloseTo(1 / 1.00001607, 7);
  });
  describe.skipIf(!here)('against the golden table (skipped without ../shared)', () => {
    test('spectral radiance to 1e-12', () => {
      for (const [nm, t, radiance] of table.spectral_radiance.rows) {
        expect(Math.abs(spectralRadiance(nm / 1e9, t) / radiance - 1)).toBeLessThan(1e-12);
        expect(Math.abs(radianceTemperature(nm / 1e9, radiance) / t - 1)).toBeLessThan(1e-12);
      }
    });
    test('apparent temperature when emissivity is ignored', () => {
      for (const [nm, t, emissivity, apparent] of table.radiance_temperature_inverse.rows) {
        const radiance = spectralRadiance(nm / 1e9, t, Number(emissivity));
        expect(Math.abs(radianceTemperature(nm / 1e9, radiance) / apparent - 1)).toBeLessThan(1e-12);
        expect(Math.abs(radianceTemperature(nm / 1e9, radiance, Number(emissivity)) / t - 1)).toBeLessThan(1e-12);
      }
    });
  });
});

test('decay is exp(-y) to 2e-15', () => {
  let worst = 0;
  for (let y = 0; y < 700; y += 0.0137) worst = Math.max(worst, Math.abs(decay(y) / Math.exp(-y) - 1));
  expect(worst).toBeLessThan(2e-15);
  expect([decay(0), decay(700), decay(1e9), decay(Number.POSITIVE_INFINITY), decay(Number.NaN)]).toEqual([1, 0, 0, 0, Number.NaN]);
});

describe('Planck fit', () => {
  test('noiseless spectra from 700 to 6000 K come back to 1e-6 K from any start and at any scale', () => {
    const wavelength = axis(600, 900, 64);
    for (let t = 700; t <= 6000; t += 265) {
      for (const start of [150, 700, 2000, 6000, 60_000]) {
        for (const scale of [1e-9, 1, 1e12]) {
          const counts = wavelength.map((l) => scale * spectralRadiance(l, t, 0.35));
          const fit = fitted({ wavelength, response: flat(64), counts, start });
          expect(Math.abs(fit.temperature - t)).toBeLessThan(1e-6);
          expect(Math.abs(fit.factor / scale / 0.35 - 1)).toBeLessThan(1e-9);
        }
      }
    }
  });
  test('read noise, lamp noise and a background leave a noiseless spectrum at its temperature', () => {
    const wavelength = axis(600, 900, 128);
    const signal = wavelength.map((l) => 2e-7 * spectralRadiance(l, 2400));
    const noise = { readVariance: new Float64Array(128).fill(30), lampVariance: new Float64Array(128).fill(1e-4) };
    const weighted = fitted({ wavelength, response: flat(128), counts: signal, ...noise });
    expect(weighted.temperature).toBeCloseTo(2400, 6);
    for (const [i, mu] of signal.entries()) expect((weighted.variance[i] ?? 0) / (mu + 30 + 1e-4 * mu * mu)).toBeCloseTo(1, 6);
    const lifted = fitted({ wavelength, response: flat(128), counts: signal.map((n) => n + 25), background: 'constant', ...noise });
    expect(lifted.temperature).toBeCloseTo(2400, 5);
    expect(lifted.background).toBeCloseTo(25, 6);
    expect(lifted.sigma).toBeGreaterThan(weighted.sigma);
  });
  test('a negative pixel is data', () => {
    const wavelength = axis(600, 900, 64);
    const counts = wavelength.map((l) => 1e-8 * spectralRadiance(l, 1500));
    counts[0] = -3;
    const fit = fitted({ wavelength, response: flat(64), counts });
    expect(fit.temperature).toBeLessThan(1500);
    expect(poissonDeviance(counts, fit.expected)).toBeNaN();
  });
  test('no signal and no information are refused with a reason', () => {
    const wavelength = axis(600, 900, 16);
    const dark = fitPlanck({ wavelength, response: flat(16), counts: new Float64Array(16) });
    expect(dark).toEqual({ refused: 'the counts in the window add up to nothing' });
    const blue = fitPlanck({ wavelength, response: flat(16), counts: wavelength.map((l) => 1e40 * l ** -6) });
    expect(blue).toEqual({ refused: expect.stringContaining('above 60000 K') });
    const red = fitPlanck({ wavelength, response: flat(16), counts: Float64Array.from({ length: 16 }, (_, i) => (i === 15 ? 100 : 0)) });
    expect(red).toEqual({ refused: expect.stringContaining('below 150 K') });
    const few = fitPlanck({ wavelength: axis(600, 900, 2), response: flat(2), counts: flat(2) });
    expect(few).toEqual({ refused: '2 pixels cannot fix 2 parameters' });
  });
  describe.skipIf(!here)('against the golden table (skipped without ../shared)', () => {
    test('maximum likelihood of the fixed noisy spectra', () => {
      for (const s of table.fixed_noisy_spectra.spectra) {
        const wavelength = axis(s.lo_nm, s.hi_nm, s.n);
        const fit = fitted({ wavelength, response: wavelength.map(testResponse), counts: Float64Array.from(s.counts) });
        expect(Math.abs(fit.temperature - s.T_mle)).toBeLessThan(1e-4);
        expect(Math.abs(fit.sigma / s.sigma_mle - 1)).toBeLessThan(1e-6);
        expect(Math.abs(poissonDeviance(s.counts, fit.expected) / s.deviance - 1)).toBeLessThan(1e-6);
        expect(fit.dof).toBe(s.dof);
      }
    });
    test('unweighted and count-weighted Wien fits of the same spectra', () => {
      for (const s of table.fixed_noisy_spectra.spectra) {
        const wavelength = axis(s.lo_nm, s.hi_nm, s.n);
        const corrected = wavelength.map((l, i) => s.counts[i] / testResponse(l));
        const fit = fitUnweighted(wavelength, corrected, EXACT);
        if ('refused' in fit) throw new Error(fit.refused);
        expect(Math.abs(fit.temperature - s.T_unweighted)).toBeLessThan(1e-3);
        expect(Math.abs(fit.sigma / s.err_unweighted - 1)).toBeLessThan(1e-4);
        expect(wienFit(wavelength, corrected, s.counts)?.temperature).toBeCloseTo(s.T_wien_weighted_n, 5);
      }
    });
    test('Wien and two-colour temperatures of noiseless Planck spectra; the Planck fit has no such bias', () => {
      for (const [lo, hi, n, t, wien, emissivity, , twoColour] of table.wien_on_noiseless_planck.rows) {
        const wavelength = axis(lo, hi, n);
        const radiance = wavelength.map((l) => spectralRadiance(l, t, 0.35));
        const line = wienFit(wavelength, radiance);
        expect(Math.abs((line?.temperature ?? 0) - wien)).toBeLessThan(1e-6);
        expect(Math.abs((line?.emissivity ?? 0) - emissivity)).toBeLessThan(1e-9);
        expect(Math.abs((slidingTwoColour(wavelength, radiance, n - 1).temperatures[0] ?? 0) - twoColour)).toBeLessThan(1e-6);
        const planck = fitted({ wavelength, response: flat(n), counts: radiance });
        expect(Math.abs(planck.temperature - t)).toBeLessThan(1e-6);
        expect(Math.abs(planck.factor / 0.35 - 1)).toBeLessThan(1e-9);
        const plain = fitUnweighted(wavelength, radiance, EXACT);
        expect('temperature' in plain && Math.abs(plain.temperature - t)).toBeLessThan(1e-6);
      }
    });
    test('sliding two-colour', () => {
      const { lo, hi, n, delta_px, T_true, emissivity, T } = table.sliding_two_colour;
      const wavelength = axis(lo, hi, n);
      const got = slidingTwoColour(wavelength, wavelength.map((l) => spectralRadiance(l, T_true, emissivity)), delta_px); // biome-ignore format: one call
      expect(got.temperatures.length).toBe(T.length);
      T.forEach((t: number, i: number) => {
        expect(Math.abs((got.temperatures[i] ?? 0) - t)).toBeLessThan(1e-6);
      });
      expect(got.pairs).toBe(T.length);
    });
    test('an emissivity slope shifts the grey Wien fit', () => {
      const wavelength = axis(600, 900, 256);
      for (const [t, b, wien] of table.emissivity_slope_bias.rows) {
        const radiance = wavelength.map((l) => spectralRadiance(l, t, 0.35 * (1 + (b * (l * 1e9 - 750)) / 150)));
        expect(wienFit(wavelength, radiance)?.temperature).toBeCloseTo(wien, 5);
      }
    });
    test('Cramer-Rao bound to 1e-9, and the fit quotes it', () => {
      for (const [lo, hi, n, t, total, plain, read8, background] of table.crlb.rows) {
        const wavelength = axis(lo, hi, n);
        const response = wavelength.map(testResponse);
        const shape = wavelength.map((l, i) => (response[i] ?? 0) * spectralRadiance(l, t));
        const scale = total / shape.reduce((s, v) => s + v, 0);
        const mu = shape.map((v) => v * scale);
        expect(Math.abs(cramerRao(wavelength, mu, t) / plain - 1)).toBeLessThan(1e-9);
        expect(Math.abs(cramerRao(wavelength, mu, t, { readNoise: 8 }) / read8 - 1)).toBeLessThan(1e-9);
        expect(Math.abs(cramerRao(wavelength, mu, t, { background: true }) / background - 1)).toBeLessThan(1e-9);
        expect(Math.abs(fitted({ wavelength, response, counts: mu }).sigma / plain - 1)).toBeLessThan(1e-9);
        const readVariance = new Float64Array(n).fill(64);
        expect(Math.abs(fitted({ wavelength, response, counts: mu, readVariance }).sigma / read8 - 1)).toBeLessThan(1e-9);
      }
    });
  });
});

test('two-colour temperatures leave out pixels under five sigma and report median and MAD', () => {
  const wavelength = axis(600, 900, 32);
  const radiance = wavelength.map((l) => spectralRadiance(l, 2000));
  radiance[3] = -1;
  const noise = radiance.map((v, i) => (i < 8 ? v / 4 : v / 100));
  const got = slidingTwoColour(wavelength, radiance, 8, noise);
  expect([...got.temperatures.slice(0, 8)].every(Number.isNaN)).toBe(true);
  expect(got.pairs).toBe(16);
  expect(Math.abs(got.median - 2000)).toBeLessThan(1);
  expect(got.mad).toBeLessThan(1);
});
