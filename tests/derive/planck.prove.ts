/** Monte-Carlo proof of the count-domain fit: bias, scatter against the Cramer-Rao bound, and coverage of its error bar. */
import { describe, expect, test } from 'vitest';
import { cramerRao, fitPlanck } from '../../src/derive/planck.ts';
import { spectralRadiance } from '../../src/derive/radiance.ts';

const TRIALS = 10_000;

/** mulberry32: 32-bit, seeded, good enough for 10,000 spectra. */
function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
const normal = (random: () => number): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
/** Exact Poisson numbers: products of uniforms, in steps of 30 (sums of Poisson numbers are Poisson). */
function poisson(mean: number, random: () => number): number {
  let count = 0;
  for (let left = mean; left > 0; left -= 30) {
    const limit = Math.exp(-Math.min(left, 30));
    for (let product = random(); product > limit; product *= random()) count++;
  }
  return count;
}

const cases = [
  { lo: 600, hi: 900, n: 256, t: 1500, electrons: 1e4, read: 0, lamp: 0 },
  { lo: 600, hi: 900, n: 256, t: 2000, electrons: 1e3, read: 0, lamp: 0 },
  { lo: 600, hi: 900, n: 256, t: 3000, electrons: 1e5, read: 0, lamp: 0 },
  { lo: 666, hi: 836, n: 318, t: 1414, electrons: 5e4, read: 0, lamp: 0 },
  { lo: 500, hi: 700, n: 128, t: 4500, electrons: 1e5, read: 0, lamp: 0 },
  { lo: 600, hi: 900, n: 256, t: 1500, electrons: 3e4, read: 8, lamp: 0 },
  { lo: 600, hi: 900, n: 128, t: 2500, electrons: 1e5, read: 5, lamp: 0.02 },
] as const;

describe.each(cases)(
  '$t K, $lo to $hi nm, $n px, $electrons electrons, read noise $read, lamp noise $lamp',
  ({ lo, hi, n, t, electrons, read, lamp }) => {
    test(`bias, scatter and coverage over ${TRIALS} trials`, () => {
      const random = uniform(20_260_101 + t + n);
      const wavelength = Float64Array.from({ length: n }, (_, i) => (lo + ((hi - lo) * i) / (n - 1)) / 1e9);
      const response = wavelength.map((l) => Math.exp(-(((l * 1e9 - 720) / 140) ** 2)));
      const shape = wavelength.map((l, i) => (response[i] ?? 0) * spectralRadiance(l, t));
      const scale = electrons / shape.reduce((s, v) => s + v, 0);
      const mu = shape.map((v) => v * scale);
      const noise = {
        ...(read > 0 ? { readVariance: new Float64Array(n).fill(read ** 2) } : {}),
        ...(lamp > 0 ? { lampVariance: new Float64Array(n).fill(lamp ** 2) } : {}),
      };
      let [sum, squares, inside] = [0, 0, 0];
      for (let trial = 0; trial < TRIALS; trial++) {
        const counts = mu.map(
          (m) => poisson(lamp > 0 ? m * (1 + lamp * normal(random)) : m, random) + (read > 0 ? read * normal(random) : 0),
        );
        const fit = fitPlanck({ wavelength, response, counts, ...noise });
        if ('refused' in fit) throw new Error(`trial ${trial}: ${fit.refused}`);
        sum += fit.temperature - t;
        squares += (fit.temperature - t) ** 2;
        if (Math.abs(fit.temperature - t) <= fit.sigma) inside++;
      }
      const bias = sum / TRIALS;
      const scatter = Math.sqrt(squares / TRIALS - bias ** 2);
      const ideal = fitPlanck({ wavelength, response, counts: mu, ...noise });
      if ('refused' in ideal) throw new Error(ideal.refused);
      // The bound with lamp noise is the fit's own Fisher information at the truth; without, it is computed apart.
      const bound = lamp > 0 ? ideal.sigma : cramerRao(wavelength, mu, t, { readNoise: read });
      expect(Math.abs(bias) / bound).toBeLessThan(0.1);
      expect(scatter / bound).toBeLessThanOrEqual(1.05);
      expect(scatter / bound).toBeGreaterThan(0.95);
      expect(Math.abs(inside / TRIALS - 0.683)).toBeLessThan(0.02);
    });
  },
);
