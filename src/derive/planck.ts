/**
 * Planck temperature by maximum likelihood in the count domain. The model is n = A R B(T) (+ b), with R the response, B Planck's law,
 * A profiled out. The score is that of Poisson counts; read noise and lamp noise enter through weights that come from the model.
 */
import { decay } from './decay.ts';
import { EXACT } from './radiance.ts';

export interface PlanckProblem {
  /** Metre. */
  readonly wavelength: Float64Array;
  /** Expected electrons per unit of spectral radiance (W m^-3 sr^-1), any scale; emissivity belongs in here. */
  readonly response: Float64Array;
  /** Electrons; negative ones are welcome. */
  readonly counts: Float64Array;
  /** Variance beside that of counting (electrons^2), per pixel: read noise, dark. */
  readonly readVariance?: Float64Array;
  /** Relative variance of the response, per pixel. */
  readonly lampVariance?: Float64Array;
  /** Fits a constant background too (electrons per pixel). */
  readonly background?: 'constant';
  /** Kelvin; any from 150 to 60,000. */
  readonly start?: number;
}

export interface PlanckFit {
  readonly temperature: number;
  /** One sigma from the Fisher information at the solution (K). */
  readonly sigma: number;
  readonly factor: number;
  readonly background: number;
  /** Model counts. */
  readonly expected: Float64Array;
  /** Variance per pixel that the model gives (electrons^2). */
  readonly variance: Float64Array;
  /** Pearson's chi squared, not yet per degree of freedom. */
  readonly chi2: number;
  readonly dof: number;
  readonly iterations: number;
}

export interface NoFit {
  readonly refused: string;
}

const LOWEST = 150;
const HIGHEST = 60_000;
const START = 2000;
const MAX_ITERATIONS = 100;
/** Relative step at which the answer no longer changes within 1e-6 K. */
const SETTLED = 1e-11;

/** The fit, or why there is none. Works from any start; never NaN. Wavelengths, response and counts must be finite and of one length. */
export function fitPlanck(problem: PlanckProblem): PlanckFit | NoFit {
  const n = problem.counts.length;
  const parameters = problem.background ? 3 : 2;
  if (n <= parameters) return { refused: `${n} pixels cannot fix ${parameters} parameters` };
  const table = prepare(problem);
  const plain = poisson(table, problem.counts, problem.start ?? START);
  if ('refused' in plain) return plain;
  const weighted = problem.readVariance || problem.lampVariance || problem.background ? reweighted(table, problem, plain) : plain;
  if ('refused' in weighted) return weighted;
  return finish(table, problem, weighted);
}

interface Table {
  /** c2/wavelength, and its mean, from which all slopes are taken so that sums do not cancel. */
  readonly k: Float64Array;
  readonly middle: number;
  /** response c1 / wavelength^5 */
  readonly q: Float64Array;
  /** q z/(1-z) and (k/(1-z) - middle) with z = exp(-k/T): model shape and -dln(model)/d(1/T). */
  readonly shape: Float64Array;
  readonly slope: Float64Array;
}

interface Solution {
  readonly temperature: number;
  readonly factor: number;
  readonly background: number;
  readonly iterations: number;
}

function prepare({ wavelength, response }: PlanckProblem): Table {
  const n = wavelength.length;
  const k = new Float64Array(n);
  const q = new Float64Array(n);
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const l = wavelength[i] ?? 0;
    const l2 = l * l;
    k[i] = EXACT.c2 / l;
    q[i] = ((response[i] ?? 0) * EXACT.c1) / (l2 * l2 * l);
    sum += EXACT.c2 / l;
  }
  return { k, middle: sum / n, q, shape: new Float64Array(n), slope: new Float64Array(n) };
}

function evaluate({ k, middle, q, shape, slope }: Table, inverse: number): void {
  for (let i = 0; i < k.length; i++) {
    const ki = k[i] as number; // i < length
    const z = decay(ki * inverse);
    const one = 1 / (1 - z);
    shape[i] = (q[i] as number) * z * one; // same length as k
    slope[i] = ki * one - middle;
  }
}

/**
 * Poisson counts only: the score is a function of 1/T alone, U = A sum f s - sum n s, and falls through zero once.
 * Fisher scoring, kept inside a bracket that each score shrinks.
 */
function poisson(table: Table, counts: Float64Array, start: number): Solution | NoFit {
  const { k, middle, q } = table;
  const n = counts.length;
  let total = 0;
  for (let i = 0; i < n; i++) total += counts[i] as number; // i < length
  if (!(total > 0)) return { refused: 'the counts in the window add up to nothing' };
  let low = 1 / HIGHEST;
  let high = 1 / LOWEST;
  let inverse = Math.min(Math.max(1 / start, low), high);
  if (Number.isNaN(inverse)) inverse = 1 / START;
  for (let iteration = 1; iteration <= MAX_ITERATIONS; iteration++) {
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let ns = 0;
    for (let i = 0; i < n; i++) {
      const ki = k[i] as number; // arrays of one length
      const z = decay(ki * inverse);
      const one = 1 / (1 - z);
      const f = (q[i] as number) * z * one;
      const s = ki * one - middle;
      const fs = f * s;
      s0 += f;
      s1 += fs;
      s2 += fs * s;
      ns += (counts[i] as number) * s;
    }
    const factor = total / s0;
    const score = factor * s1 - ns;
    const information = factor * (s2 - (s1 * s1) / s0);
    const step = score / information;
    if (!Number.isFinite(step)) {
      high = inverse; // so cold that nothing is left of the model
      inverse = Math.sqrt(low * high);
      continue;
    }
    if (step > 0) low = inverse;
    else high = inverse;
    let next = inverse + step;
    if (!(next > low && next < high) && step !== 0) next = Math.sqrt(low * high);
    if (high - low <= SETTLED * high || Math.abs(next - inverse) <= SETTLED * inverse) {
      const temperature = 1 / next;
      const atEdge = temperature < LOWEST * 1.001 || temperature > HIGHEST * 0.999;
      return atEdge ? unsettled(temperature) : { temperature, factor, background: 0, iterations: iteration };
    }
    inverse = next;
  }
  return unsettled(1 / inverse);
}

function unsettled(at: number): NoFit {
  if (at < LOWEST * 1.01) return { refused: `does not converge: the temperature runs below ${LOWEST} K` };
  if (at > HIGHEST * 0.99) return { refused: `does not converge: the temperature runs above ${HIGHEST} K` };
  return { refused: `does not converge: still moving near ${Math.round(at)} K` };
}

/** With other noise than that of counting, or a background: least squares in (A, A d(1/T), b) with weights from the model, iterated. */
function reweighted(table: Table, problem: PlanckProblem, start: Solution): Solution | NoFit {
  let { factor, background, temperature } = start;
  let inverse = 1 / temperature;
  for (let iteration = 1; iteration <= MAX_ITERATIONS; iteration++) {
    evaluate(table, inverse);
    const solved = solve(normal(table, problem, factor, background));
    if (!solved || !(solved[0] > 0)) break;
    const [a, p, b] = solved;
    const step = Math.max(-0.3, Math.min(0.3, -p / a / inverse)) * inverse;
    inverse += step;
    // p is the slope's share, taken about the middle: the factor follows the step of 1/T so that the model there stays.
    const next = a * Math.exp(table.middle * step);
    const rounding = iteration > 20 ? 1000 : 1; // sums over noisy pixels may keep the last digits moving
    const settled =
      Math.abs(step) <= rounding * SETTLED * inverse &&
      Math.abs(next - factor) <= rounding * 1e-9 * next &&
      Math.abs(b - background) <= rounding * (1e-9 * Math.abs(b) + 1e-12);
    factor = next;
    background = b;
    temperature = 1 / inverse;
    if (settled) return { temperature, factor, background, iterations: start.iterations + iteration };
    if (!(temperature > LOWEST && temperature < HIGHEST)) break;
  }
  return unsettled(temperature);
}

type Normal = readonly [ff: number, fs: number, ss: number, f1: number, s1: number, one: number, nf: number, nsl: number, n1: number];

/** Sums of the weighted normal equations for n = a f + p (f s) + b. */
function normal({ shape, slope }: Table, problem: PlanckProblem, factor: number, background: number): Normal {
  const { counts } = problem;
  let [ff, fs, ss, f1, s1, one, nf, nsl, n1] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  const flat = problem.background ? 1 : 0;
  for (let i = 0; i < counts.length; i++) {
    const f = shape[i] as number; // arrays of one length
    const w = 1 / varianceOf(problem, i, factor * f, background);
    const g = f * (slope[i] as number);
    const count = counts[i] as number;
    ff += w * f * f;
    fs += w * f * g;
    ss += w * g * g;
    nf += w * count * f;
    nsl += w * count * g;
    if (flat === 0) continue;
    f1 += w * f;
    s1 += w * g;
    one += w;
    n1 += w * count;
  }
  return [ff, fs, ss, f1, s1, one, nf, nsl, n1];
}

/** A pixel where the model has next to no electrons must not outweigh all others when a background is fitted. */
const LEAST_WITH_BACKGROUND = 0.25;

function varianceOf(problem: PlanckProblem, i: number, mu: number, background: number): number {
  const read = problem.readVariance?.[i] ?? 0;
  const lamp = problem.lampVariance?.[i] ?? 0;
  const variance = mu + read + lamp * mu * mu + Math.max(0, background);
  return problem.background ? Math.max(variance, LEAST_WITH_BACKGROUND) : variance || Number.MIN_VALUE;
}

/** Solves the 2 or 3 equations (3 when `one` is not zero) by elimination. */
function solve([ff, fs, ss, f1, s1, one, nf, nsl, n1]: Normal): readonly [number, number, number] | undefined {
  if (one === 0) {
    const det = ff * ss - fs * fs;
    return det > 0 ? [(nf * ss - nsl * fs) / det, (nsl * ff - nf * fs) / det, 0] : undefined;
  }
  const [a, b, c] = [ff - (f1 * f1) / one, fs - (f1 * s1) / one, ss - (s1 * s1) / one];
  const [u, v] = [nf - (f1 * n1) / one, nsl - (s1 * n1) / one];
  const det = a * c - b * b;
  if (!(det > 0)) return undefined;
  const [x, y] = [(u * c - v * b) / det, (v * a - u * b) / det];
  return [x, y, (n1 - f1 * x - s1 * y) / one];
}

function finish(table: Table, problem: PlanckProblem, { temperature, factor, background, iterations }: Solution): PlanckFit {
  const { counts } = problem;
  const n = counts.length;
  evaluate(table, 1 / temperature);
  const { shape, slope } = table;
  const onlyCounting = !problem.readVariance && !problem.lampVariance && !problem.background;
  const expected = new Float64Array(n);
  const variance = onlyCounting ? expected : new Float64Array(n);
  let [chi2, ff, fg, gg, f1, g1, one] = [0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    const f = shape[i] as number; // arrays of one length
    const signal = factor * f;
    const mu = signal + background;
    const count = counts[i] as number;
    const v = onlyCounting ? signal : varianceOf(problem, i, signal, background);
    const w = 1 / v;
    const g = f * (slope[i] as number);
    expected[i] = mu;
    variance[i] = v;
    chi2 += w * (count - mu) * (count - mu);
    ff += w * f * f;
    fg += w * f * g;
    gg += w * g * g;
    f1 += w * f;
    g1 += w * g;
    one += w;
  }
  const [a, b, c] = problem.background ? [ff - (f1 * f1) / one, fg - (f1 * g1) / one, gg - (g1 * g1) / one] : [ff, fg, gg];
  return {
    temperature,
    sigma: temperature ** 2 / (factor * Math.sqrt(c - (b * b) / a)),
    factor,
    background,
    expected,
    variance,
    chi2,
    dof: n - (problem.background ? 3 : 2),
    iterations,
  };
}

/** Twice the logarithm of the likelihood ratio to a perfect description; for counts of nothing but Poisson noise. NaN for a negative count. */
export function poissonDeviance(counts: ArrayLike<number>, expected: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < counts.length; i++) {
    const [n = 0, mu = 0] = [counts[i], expected[i]];
    sum += n > 0 ? n * Math.log(n / mu) - (n - mu) : n < 0 ? Number.NaN : mu;
  }
  return 2 * sum;
}

/**
 * The Cramer-Rao bound of T (K) for expected signal counts `mu` (electrons) at temperature T: what no unbiased estimator can beat.
 * Read noise in electrons rms per pixel; an unknown constant background (true value 0) may be free too.
 */
export function cramerRao(
  wavelength: ArrayLike<number>,
  mu: ArrayLike<number>,
  temperature: number,
  { readNoise = 0, background = false }: { readonly readNoise?: number; readonly background?: boolean } = {},
): number {
  const slopes = Array.from(wavelength, (l) => {
    const x = EXACT.c2 / (l * temperature);
    return x / temperature / -Math.expm1(-x);
  });
  const centred = (weights: readonly number[]): number => {
    const sum = weights.reduce((s, w) => s + w, 0);
    return weights.reduce((s, w, i) => s + w * (slopes[i] ?? 0), 0) / sum;
  };
  const weights = Array.from(mu, (m) => m / (m + readNoise ** 2));
  const strength = weights.map((w, i) => w * (mu[i] ?? 0));
  const middle = centred(strength);
  let [ff, fs, ss, f1, s1, one] = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < weights.length; i++) {
    const [m = 0, w = 0, s = 0] = [mu[i], weights[i], (slopes[i] ?? 0) - middle];
    ff += w * m;
    fs += w * m * s;
    ss += w * m * s * s;
    f1 += w;
    s1 += w * s;
    one += m > 0 || readNoise > 0 ? 1 / (m + readNoise ** 2) : 0;
  }
  const [a, b, c] = background ? [ff - (f1 * f1) / one, fs - (f1 * s1) / one, ss - (s1 * s1) / one] : [ff, fs, ss];
  return 1 / Math.sqrt(c - (b * b) / a);
}
