/**
 * Maximum likelihood of a model for Poisson counts in bins, with bounds: Fisher scoring damped as by Levenberg and Marquardt. No bin is
 * weighted by its own count, so empty bins are as good as others.
 */
import { inverted } from './delta.ts';

export interface BinnedProblem {
  readonly counts: ArrayLike<number>;
  /** Writes the expected counts of all bins for these parameters. Bins of 0 or less count as nearly nothing. */
  readonly model: (p: Float64Array, expected: Float64Array) => void;
  readonly start: readonly number[];
  readonly low: readonly number[];
  readonly high: readonly number[];
  /** About the size of what matters in each parameter: derivatives are taken over a ten-thousandth of it. */
  readonly scale: readonly number[];
  /** A fit that has not ended then is refused; 200 unless given. */
  readonly steps?: number;
}

export interface BinnedFit {
  readonly parameters: Float64Array;
  /** Inverse of the Fisher information; zero for parameters at a bound, and for those that change nothing there (the tilt of no background). */
  readonly covariance: readonly (readonly number[])[];
  /** Infinite for those that change nothing. */
  readonly sigma: Float64Array;
  /** Which parameters stand at a bound, by index. */
  readonly bound: readonly number[];
  /** Which change nothing there. */
  readonly idle: readonly number[];
  /** Baker and Cousins's (NIM 221, 437, 1984): as chi squared, where bins hold more than a few counts. */
  readonly deviance: number;
  readonly dof: number;
  readonly expected: Float64Array;
  readonly steps: number;
}

export interface NoBinnedFit {
  readonly refused: string;
}

/**
 * How far a fit misses its counts, beside what chance does: the root mean square of the relative difference, weighted by the counts. Zero
 * where chance alone could do it (five standard deviations of the deviance).
 */
export function misfit({ deviance, dof }: Pick<BinnedFit, 'deviance' | 'dof'>, counts: number): number {
  const more = deviance - dof;
  return more > 5 * Math.sqrt(2 * Math.max(1, dof)) && counts > 0 ? Math.sqrt(more / counts) : 0;
}

const MOST_STEPS = 200;
const LEAST = 1e-9;
/** The likelihood's gain that is left, in units of one sigma squared. */
const SETTLED = 1e-9;

export function fitBinned(problem: BinnedProblem): BinnedFit | NoBinnedFit {
  const { counts, model, low, high, steps: most = MOST_STEPS } = problem;
  const [n, size] = [counts.length, problem.start.length];
  if (n <= size) return { refused: `${n} bins cannot fix ${size} parameters` };
  let p = Float64Array.from(problem.start, (v, a) => within(v, low[a], high[a]));
  const [expected, trial] = [new Float64Array(n), new Float64Array(n)];
  const slopes = p.map(() => 0);
  const columns = Array.from(slopes, () => new Float64Array(n));
  model(p, expected);
  let deviance = devianceOf(counts, expected);
  if (!Number.isFinite(deviance)) return { refused: 'the start of the fit is no number' };
  let lambda = 1e-3;
  let steps = 0;
  for (; steps < most; steps++) {
    derivatives(problem, p, columns);
    const { gradient, matrix } = normal(counts, expected, columns);
    const free = [...p.keys()].filter(
      (a) => matrix[a]?.[a] !== 0 && !((p[a] === low[a] && (gradient[a] ?? 0) <= 0) || (p[a] === high[a] && (gradient[a] ?? 0) >= 0)),
    );
    let [moved, gain] = [false, Number.POSITIVE_INFINITY];
    for (let tries = 0; tries < 40 && !moved; tries++) {
      const step = solved(matrix, gradient, free, lambda);
      if (!step) {
        lambda = Math.max(10 * lambda, 1e-9);
        continue;
      }
      gain = step.reduce((sum, s, a) => sum + s * (gradient[a] ?? 0), 0);
      const next = p.map((v, a) => within(v + (step[a] ?? 0), low[a], high[a]));
      model(next, trial);
      const then = devianceOf(counts, trial);
      if (then <= deviance) {
        moved = true;
        p = next;
        deviance = then;
        expected.set(trial);
        lambda = Math.max(lambda / 10, 1e-12);
      } else {
        // As good as it gets: what is left is rounding.
        if (gain < SETTLED) break;
        lambda = Math.max(10 * lambda, 1e-9);
      }
    }
    if (!moved || gain < SETTLED) return finished(problem, p, expected, columns, deviance, steps + 1);
  }
  return { refused: 'does not converge: the parameters keep moving' };
}

const within = (v: number, low = Number.NEGATIVE_INFINITY, high = Number.POSITIVE_INFINITY): number => Math.min(high, Math.max(low, v));

/** Twice the difference of the log likelihoods of the counts themselves and of what is expected. */
export function devianceOf(counts: ArrayLike<number>, expected: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < counts.length; i++) {
    const [n, m] = [counts[i] as number, Math.max(expected[i] as number, LEAST)]; // arrays of one length
    sum += m - n + (n > 0 ? n * Math.log(n / m) : 0);
  }
  return 2 * sum;
}

function derivatives({ model, scale, low, high }: BinnedProblem, p: Float64Array, columns: readonly Float64Array[]): void {
  const upper = new Float64Array(columns[0]?.length ?? 0);
  const at = p.slice();
  for (const [a, column] of columns.entries()) {
    const [here, step] = [p[a] ?? 0, 1e-4 * (scale[a] ?? 1)];
    const [down, up] = [within(here - step, low[a], high[a]), within(here + step, low[a], high[a])];
    at[a] = up;
    model(at, upper);
    at[a] = down;
    model(at, column);
    at[a] = here;
    for (let i = 0; i < column.length; i++) column[i] = ((upper[i] as number) - (column[i] as number)) / (up - down); // of one length
  }
}

function normal(
  counts: ArrayLike<number>,
  expected: Float64Array,
  columns: readonly Float64Array[],
): { readonly gradient: number[]; readonly matrix: number[][] } {
  const gradient = columns.map(() => 0);
  const matrix = columns.map(() => columns.map(() => 0));
  for (const [a, x] of columns.entries()) {
    let sum = 0;
    for (let i = 0; i < x.length; i++) {
      const m = Math.max(expected[i] as number, LEAST); // arrays of one length, here and below
      sum += ((counts[i] as number) / m - 1) * (x[i] as number);
    }
    gradient[a] = sum;
    for (const [b, y] of columns.slice(0, a + 1).entries()) {
      let cross = 0;
      for (let i = 0; i < x.length; i++) cross += ((x[i] as number) * (y[i] as number)) / Math.max(expected[i] as number, LEAST);
      for (const [row, column] of [[a, b] as const, [b, a] as const]) (matrix[row] ?? [])[column] = cross;
    }
  }
  return { gradient, matrix };
}

/** Scaled to a unit diagonal; undefined where it is singular. Zero for what is not free. */
function solved(
  matrix: readonly (readonly number[])[],
  gradient: readonly number[],
  free: readonly number[],
  lambda: number,
): Float64Array | undefined {
  const inverse = inverseOf(matrix, free, lambda);
  if (!inverse) return undefined;
  return Float64Array.from(gradient, (_, a) => (inverse[a] ?? []).reduce((sum, v, b) => sum + v * (gradient[b] ?? 0), 0));
}

function inverseOf(matrix: readonly (readonly number[])[], free: readonly number[], lambda: number): number[][] | undefined {
  const scale = free.map((a) => 1 / Math.sqrt(matrix[a]?.[a] ?? 0));
  if (!scale.every(Number.isFinite)) return undefined;
  const small = free.map((a, i) => free.map((b, j) => (matrix[a]?.[b] ?? 0) * (scale[i] ?? 0) * (scale[j] ?? 0) + (i === j ? lambda : 0)));
  const inverse = inverted(small);
  if (!inverse) return undefined;
  const out = matrix.map(() => matrix.map(() => 0));
  for (const [i, a] of free.entries()) {
    for (const [j, b] of free.entries()) (out[a] ?? [])[b] = (inverse[i]?.[j] ?? 0) * (scale[i] ?? 0) * (scale[j] ?? 0);
  }
  return out;
}

function finished(
  problem: BinnedProblem,
  p: Float64Array,
  expected: Float64Array,
  columns: readonly Float64Array[],
  deviance: number,
  steps: number,
): BinnedFit | NoBinnedFit {
  derivatives(problem, p, columns);
  const { matrix } = normal(problem.counts, expected, columns);
  const bound = [...p.keys()].filter((a) => p[a] === problem.low[a] || p[a] === problem.high[a]);
  const idle = [...p.keys()].filter((a) => matrix[a]?.[a] === 0 && !bound.includes(a));
  const free = [...p.keys()].filter((a) => !bound.includes(a) && !idle.includes(a));
  const covariance = inverseOf(matrix, free, 0);
  if (!covariance) return { refused: 'the counts do not fix all parameters' };
  return {
    parameters: p,
    covariance,
    sigma: Float64Array.from(covariance, (row, a) => (idle.includes(a) ? Number.POSITIVE_INFINITY : Math.sqrt(Math.max(0, row[a] ?? 0)))),
    bound,
    idle,
    deviance,
    dof: expected.length - free.length,
    expected,
    steps,
  };
}
