/** The points of the present power ramp, and the breaks in them. Pure; power in any one unit, temperatures in K, times in microseconds. */
import { bestBreak, type Column, leastSquares } from './piecewise.ts';

export interface Point {
  readonly t: number;
  readonly power: number;
  readonly temperature: number;
  /** One sigma of this temperature alone, above zero. */
  readonly sigma: number;
  /** Emissivity factor, above zero. */
  readonly factor?: number;
}

/**
 * The ramp with one point more, of at most `window` points. When the power has come back from its extreme by more than `band` (a part of the
 * largest power), a new ramp begins at the extreme, and `turned` says so. A point that is not later than the last one changes nothing.
 */
export function onward(
  ramp: readonly Point[],
  next: Point,
  window: number,
  band: number,
): { readonly ramp: readonly Point[]; readonly turned: boolean } {
  const last = ramp[ramp.length - 1];
  if (last && next.t <= last.t) return { ramp, turned: false };
  let [low, high] = [0, 0]; // the last of several alike
  for (const [i, { power }] of ramp.entries()) {
    if (power <= (ramp[low]?.power ?? power)) low = i;
    if (power >= (ramp[high]?.power ?? power)) high = i;
  }
  const [least, most] = [ramp[low]?.power ?? next.power, ramp[high]?.power ?? next.power];
  const reach = band * Math.max(Math.abs(least), Math.abs(most), Math.abs(next.power));
  const moved = most - least > reach;
  const back = moved && (high > low ? next.power < most - reach : next.power > least + reach);
  const kept = back ? ramp.slice(Math.max(low, high)) : ramp;
  return { ramp: [...kept, next].slice(-window), turned: back };
}

export type Anomaly = 'slope change' | 'discontinuity' | 'factor jump';
export interface Found {
  readonly kind: Anomaly;
  /** The first point behind it. */
  readonly index: number;
  /** K, with one sigma: where the line before the break ends. */
  readonly at: number;
  readonly atSigma: number;
  readonly power: number;
  readonly powerSigma: number;
  /** Slope of T against power behind the break over that before it; undefined for a jump of the factor, and of points of one power. */
  readonly slopes?: number;
}

/** Beside a break at least so many points: fewer are an outlier. */
const BEFORE = 4;
const AFTER_SHIFT = 2;
const AFTER_SLOPE = 3;

/** x of a range of numbers from -1 to 1; all 0 where they are alike. */
function scaled(values: readonly number[]): Column {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const [middle, half] = [(low + high) / 2, (high - low) / 2];
  return Float64Array.from(values, (v) => (half > 0 ? (v - middle) / half : 0));
}
const ones = (n: number): Column => new Float64Array(n).fill(1);
/** Nothing before the point `index`. */
function from(n: number, index: number, of: (i: number) => number): Column {
  const column = new Float64Array(n);
  for (let i = index; i < n; i++) column[i] = of(i);
  return column;
}
const squares = (x: Column): Column => x.map((v) => v * v);

interface Searched {
  /** By how much the best break is better than every smooth curve (BIC). */
  readonly gain: number;
  readonly found: Found;
}

/**
 * The best break of T against power: smooth is a line, a parabola, or a line with a drift in time; a break changes the slope, the level or both.
 * A plateau is a change of slope to nothing. None of them is proof of what happens to the sample: a reflectivity that changes by tens of per
 * cent or a ten-fold conductivity make plateaus too, latent heat hardly does (Geballe and Jeanloz, J. Appl. Phys. 111, 2012, 123518).
 */
export function temperatureBreak(ramp: readonly Point[]): Searched | undefined {
  const n = ramp.length;
  const power = ramp.map((p) => p.power);
  const x = scaled(power);
  const best = bestBreak<'slope' | 'level' | 'both'>({
    y: Float64Array.from(ramp, (p) => p.temperature),
    sigma: Float64Array.from(ramp, (p) => p.sigma),
    base: [ones(n), x],
    bent: [squares(x), scaled(ramp.map((p) => p.t))],
    broken(index) {
      if (index < BEFORE || n - index < AFTER_SHIFT) return [];
      const level = from(n, index, () => 1);
      const shift = ['level', [level]] as const;
      if (n - index < AFTER_SLOPE) return [shift];
      const middle = ((x[index - 1] ?? 0) + (x[index] ?? 0)) / 2;
      const bend = (c: number): Column => from(n, index, (i) => (x[i] ?? 0) - c);
      return [shift, ['slope', [bend(middle)]], ['slope', [bend(x[index - 1] ?? 0)]], ['both', [level, bend(middle)]]];
    },
  });
  if (!best) return undefined;
  const { kind, index, fit, columns, widened, gain } = best;
  // Where the break is: the place at which the column of the slope is 0, or the middle between two points.
  const bend = kind === 'slope' ? columns[2] : columns[3];
  const middle = ((x[index - 1] ?? 0) + (x[index] ?? 0)) / 2;
  const place = kind === 'slope' && bend ? (x[index] ?? 0) - (bend[index] ?? 0) : middle;
  const half = (Math.max(...power) - Math.min(...power)) / 2;
  const row = [1, place];
  const k = columns.length;
  const at = row.reduce((sum, v, c) => sum + v * (fit.coefficients[c] ?? 0), 0);
  let variance = 0;
  for (const [c, v] of row.entries()) for (const [d, w] of row.entries()) variance += v * w * (fit.covariance[c * k + d] ?? 0);
  const atSigma = widened * Math.sqrt(variance);
  const before = fit.coefficients[1] ?? 0;
  const change = kind === 'level' ? 0 : (fit.coefficients[k - 1] ?? 0);
  const step = Math.abs((x[index] ?? 0) - (x[index - 1] ?? 0));
  const blur = kind === 'slope' && change !== 0 ? atSigma / Math.abs(change) : 0;
  const found: Found = {
    kind: kind === 'slope' ? 'slope change' : 'discontinuity',
    index,
    at,
    atSigma,
    power: half * place + (Math.max(...power) + Math.min(...power)) / 2,
    powerSigma: half * Math.hypot(step / Math.sqrt(12), blur),
    ...(before === 0 ? {} : { slopes: (before + change) / before }),
  };
  return { gain, found };
}

/** What a factor is known to at best: its real scatter is taken from its points. */
const FACTOR_SIGMA = 1e-3;

/** The temperature at each point as a parabola against power has it (K). */
function smoothed(ramp: readonly Point[], x: Column): Column {
  const columns = [ones(x.length), x, squares(x)];
  const y = Float64Array.from(ramp, (p) => p.temperature);
  const { coefficients } = leastSquares(
    columns,
    y,
    Float64Array.from(ramp, (p) => p.sigma),
  );
  return y.map((_, i) => columns.reduce((sum, column, c) => sum + (coefficients[c] ?? 0) * (column[i] ?? 0), 0));
}

/**
 * The best jump of the emissivity factor, of `jump` (a part of it) or more. The factor of a fit mirrors the noise of its temperature: what the
 * light leaves free is ln A - c2 / (lambda T). So the factor's logarithm is fitted with 1/T as measured and as the ramp has it, and neither that
 * noise nor a real change of T makes a jump.
 */
export function factorJump(ramp: readonly Point[], jump: number): Searched | undefined {
  const n = ramp.length;
  if (ramp.some((p) => p.factor === undefined || !(p.factor > 0))) return undefined;
  const x = scaled(ramp.map((p) => p.power));
  const hot = scaled(ramp.map((p) => 1 / p.temperature));
  const ramped = scaled(Array.from(smoothed(ramp, x), (t) => (t > 0 ? 1 / t : 0)));
  const best = bestBreak({
    y: Float64Array.from(ramp, (p) => Math.log(p.factor ?? Number.NaN)),
    sigma: new Float64Array(n).fill(FACTOR_SIGMA),
    base: [ones(n), x, hot, ramped],
    bent: [squares(x), scaled(ramp.map((p) => p.t))],
    broken: (index) => (index < BEFORE || n - index < AFTER_SHIFT ? [] : [['factor jump', [from(n, index, () => 1)]] as const]),
  });
  if (!best || Math.abs(best.fit.coefficients[4] ?? 0) < Math.log1p(jump)) return undefined;
  const [a, b] = [ramp[best.index - 1], ramp[best.index]];
  if (!a || !b) return undefined;
  const found: Found = {
    kind: 'factor jump',
    index: best.index,
    at: (a.temperature + b.temperature) / 2,
    atSigma: Math.hypot(a.sigma, b.sigma) / 2,
    power: (a.power + b.power) / 2,
    powerSigma: Math.abs(a.power - b.power) / Math.sqrt(12),
  };
  return { gain: best.gain, found };
}
