/** Spectra of pressure gauges as the tests need them. */
import type { SpectralFrame } from '../../src/derive/calibration.ts';
import { ramanShift } from '../../src/derive/diamond-scales.ts';
import { type Profile, pseudoVoigt } from '../../src/derive/pseudo-voigt.ts';

export const even = (low: number, high: number, n: number): Float64Array =>
  Float64Array.from({ length: n }, (_, i) => low + ((high - low) * i) / (n - 1));

/** One row of counts over an axis in nm; gain 1, so that the noise is that of the counts. */
export const rowOf = (nm: Float64Array, counts: ArrayLike<number>, more: Partial<SpectralFrame> = {}): SpectralFrame => ({
  wavelength: nm.map((l) => l / 1e9),
  counts,
  rows: 1,
  columns: nm.length,
  gain: 1,
  ...more,
});

export const lines = (nm: Float64Array, profiles: readonly Profile[], level = 200, slope = 0): Float64Array =>
  nm.map((l) => level + slope * (l - 694) + profiles.reduce((sum, p) => sum + pseudoVoigt(p, l), 0));

export const R1: Profile = { area: 9000, centre: 695.1234, hwhm: 0.31, lorentz: 0.8 };
export const R2: Profile = { area: 5000, centre: 693.6789, hwhm: 0.36, lorentz: 0.6 };

/** A smooth edge at `edge` (1/cm), its slope Gaussian with this sigma, on a sloping background, over an axis in nm. */
export function edgeOf(nm: Float64Array, laser: number, edge: number, sigma: number, height: number, background: number): Float64Array {
  return nm.map((l) => {
    const v = ramanShift(laser, l / 1e9) / 100;
    const inside = v > 1325 ? 1 : Math.exp(-(((v - 1325) / 8) ** 2));
    return background * (1 - (v - 1300) / 4000) + height * inside * (1 - 0.3 * ((v - 1325) / 300)) * (1 - gaussianSum((v - edge) / sigma));
  });
}

/** The normal distribution function: the integral by Simpson's rule, exact to 1e-9 where it matters. */
function gaussianSum(z: number): number {
  if (z < -8) return 0;
  if (z > 8) return 1;
  const n = 200;
  const h = (z + 8) / n;
  let sum = 0;
  for (let i = 0; i <= n; i++) {
    const x = -8 + i * h;
    sum += (i === 0 || i === n ? 1 : i % 2 === 1 ? 4 : 2) * Math.exp(-(x * x) / 2);
  }
  return (sum * h) / 3 / Math.sqrt(2 * Math.PI);
}

/** mulberry32. */
export function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
export const normal = (random: () => number): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** Poisson numbers: exact below 60 (products of uniforms), the rounded normal with its skewness mended above. */
export function poisson(mean: number, random: () => number): number {
  if (mean > 60) {
    const z = normal(random);
    return Math.max(0, Math.round(mean + Math.sqrt(mean) * z + (z * z - 1) / 6));
  }
  let count = 0;
  for (let left = mean; left > 0; left -= 30) {
    const limit = Math.exp(-Math.min(left, 30));
    for (let product = random(); product > limit; product *= random()) count++;
  }
  return count;
}
