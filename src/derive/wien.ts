/** Wien's approximation: a straight line through J = ln(I l^5 / c1) against c2/l, with slope -1/T. Start value and diagnostic, not a result. */
import { EXACT } from './radiance.ts';

export interface WienFit {
  readonly temperature: number;
  /** One sigma of the regression (K), from its residuals; with weights, as if only their ratios were known. */
  readonly sigma: number;
  readonly emissivity: number;
  /** Pixels that had to be left out because they have no logarithm. */
  readonly lost: number;
}

/** Wavelength in metre, radiance in W m^-3 sr^-1 or relative. Weights of ln I (1/variance) are optional. Undefined below 3 usable pixels. */
export function wienFit(wavelength: ArrayLike<number>, radiance: ArrayLike<number>, weights?: ArrayLike<number>): WienFit | undefined {
  const lines: (readonly [number, number, number])[] = [];
  for (let i = 0; i < wavelength.length; i++) {
    const [l = 0, value = 0, weight = 1] = [wavelength[i], radiance[i], weights?.[i]];
    if (value > 0 && weight > 0) lines.push([EXACT.c2 / l, Math.log((value * l ** 5) / EXACT.c1), weight]);
  }
  if (lines.length < 3) return undefined;
  const sum = lines.reduce((s, [, , w]) => s + w, 0);
  const x0 = lines.reduce((s, [x, , w]) => s + w * x, 0) / sum;
  const y0 = lines.reduce((s, [, y, w]) => s + w * y, 0) / sum;
  let [sxx, sxy] = [0, 0];
  for (const [x, y, w] of lines) {
    sxx += w * (x - x0) ** 2;
    sxy += w * (x - x0) * (y - y0);
  }
  const slope = sxy / sxx;
  const residual = lines.reduce((s, [x, y, w]) => s + w * (y - y0 - slope * (x - x0)) ** 2, 0);
  const temperature = -1 / slope;
  if (!(temperature > 0) || !Number.isFinite(temperature)) return undefined;
  const sigma = temperature ** 2 * Math.sqrt(residual / (lines.length - 2) / sxx);
  return { temperature, sigma, emissivity: Math.exp(y0 - slope * x0), lost: wavelength.length - lines.length };
}

export interface TwoColour {
  /** One temperature per pixel pair i, i + apart; NaN where one of the pair has too little signal. */
  readonly temperatures: Float64Array;
  readonly median: number;
  /** Median absolute deviation from the median, times 1.4826: a sigma for normal noise. */
  readonly mad: number;
  /** Slope of T against wavelength (K per metre): emissivity trend, gradients or chromatic aberration. */
  readonly slope: number;
  readonly pairs: number;
}

/** Below this many sigma the ratio of two pixels says nothing. */
const LEAST_SIGNAL = 5;

/**
 * Sliding two-colour temperatures (Benedetti and Loubeyre, High Pressure Research 24, 2004, 423):
 * T_i = (1/l_i - 1/l_j)/(W_i - W_j), W = (k/hc) ln(2 pi h c^2/(I l^5)), j = i + apart. `noise` is the sigma of each pixel's radiance.
 */
export function slidingTwoColour(
  wavelength: ArrayLike<number>,
  radiance: ArrayLike<number>,
  apart: number,
  noise?: ArrayLike<number>,
): TwoColour {
  const n = Math.max(0, wavelength.length - apart);
  const temperatures = new Float64Array(n).fill(Number.NaN);
  const usable = (i: number): boolean => {
    const value = radiance[i] ?? 0;
    return value > 0 && value > LEAST_SIGNAL * (noise?.[i] ?? 0);
  };
  const good: (readonly [number, number])[] = [];
  for (let i = 0; i < n; i++) {
    const j = i + apart;
    if (!usable(i) || !usable(j)) continue;
    const [a = 0, b = 0] = [wavelength[i], wavelength[j]];
    // W_i - W_j in one logarithm: the constants fall out.
    const difference = Math.log(((radiance[j] ?? 0) * b ** 5) / ((radiance[i] ?? 0) * a ** 5)) / EXACT.c2;
    const t = (1 / a - 1 / b) / difference;
    temperatures[i] = t;
    if (Number.isFinite(t)) good.push([(a + b) / 2, t]);
  }
  const values = good.map(([, t]) => t);
  const middle = median(values);
  const mad = 1.4826 * median(values.map((t) => Math.abs(t - middle)));
  return { temperatures, median: middle, mad, slope: slopeOf(good), pairs: good.length };
}

/** The median; NaN of nothing. */
export function median(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[half] ?? Number.NaN) : ((sorted[half - 1] ?? Number.NaN) + (sorted[half] ?? Number.NaN)) / 2;
}

function slopeOf(points: readonly (readonly [number, number])[]): number {
  const x0 = points.reduce((s, [x]) => s + x, 0) / points.length;
  const y0 = points.reduce((s, [, y]) => s + y, 0) / points.length;
  const sxx = points.reduce((s, [x]) => s + (x - x0) ** 2, 0);
  return points.reduce((s, [x, y]) => s + (x - x0) * (y - y0), 0) / sxx;
}
