/**
 * Pseudo-Voigt lines on a straight background, fitted to counts. Poisson weights come from the model and are iterated, which makes the answer
 * that of maximum likelihood; each set of weights is solved by Levenberg and Marquardt with bounds.
 */
import { type Profile, pseudoVoigtSlopes } from './pseudo-voigt.ts';

export interface LineProblem {
  /** Any unit in which a line is neither 1e-6 nor 1e6 wide: nm, 1/cm. Rising. */
  readonly x: Float64Array;
  /** Electrons; negative ones are welcome. */
  readonly counts: Float64Array;
  /** poisson: variance = model + the two below; none: all pixels alike. */
  readonly weights: 'poisson' | 'none';
  /** Variance beside that of counting, per pixel. */
  readonly readVariance?: number;
  /** No pixel's variance is taken for smaller. */
  readonly leastVariance?: number;
}

export interface LineFit {
  readonly lines: readonly Profile[];
  /** Background: level + slope (x - middle). */
  readonly level: number;
  readonly slope: number;
  readonly middle: number;
  /** Of level, slope, then area, centre, hwhm, lorentz of each line, by the noise model alone; rows of parameters at a bound are zero. */
  readonly covariance: readonly Float64Array[];
  readonly expected: Float64Array;
  readonly variance: Float64Array;
  /** Pearson's chi squared, not per degree of freedom; with weights 'none' the sum of squares. */
  readonly chi2: number;
  readonly dof: number;
  readonly iterations: number;
}

export interface NoLineFit {
  readonly refused: string;
}

const MOST_STEPS = 200;
const MOST_ROUNDS = 50;
/** Enough for one set of weights, as others follow. */
const NEARLY = 0.01;
/** Where a line that is hardly there has no place of its own, it creeps: after so many steps NEARLY will do for good. */
const PATIENCE = 25;
/** In units of one sigma: a move smaller than this changes nothing that anybody reads. */
const SETTLED = 1e-6;
/** Of the sum of weighted squares of the counts: what is left of a spectrum without noise, where sigma is nothing. */
const ROUNDING = 1e-14;

/** The fit from these starting lines, or why there is none. Never NaN for finite counts. */
export function fitLines(problem: LineProblem, start: readonly Profile[]): LineFit | NoLineFit {
  const size = 2 + 4 * start.length;
  const n = problem.x.length;
  if (n <= size) return { refused: `${n} pixels cannot fix ${size} parameters` };
  const model = modelOf(problem, start);
  const flat = problem.weights === 'none';
  let iterations = 0;
  let before = model.parameters.slice();
  for (let round = 0; round < MOST_ROUNDS; round++) {
    model.weigh(flat);
    const steps = minimise(model, MOST_STEPS - iterations, flat ? SETTLED : NEARLY);
    iterations += steps;
    if (iterations >= MOST_STEPS) return { refused: 'does not converge: the lines keep moving' };
    const moved = model.distance(before);
    if (flat || moved <= (iterations > PATIENCE ? NEARLY : SETTLED)) return model.finished(iterations);
    before = model.parameters.slice();
  }
  return { refused: 'does not converge: the weights keep moving' };
}

interface Model {
  readonly parameters: Float64Array;
  /** Weights from the model as it stands. */
  weigh(flat: boolean): void;
  /** Sum of weighted squares of the counts, times ROUNDING: a smaller rest than this is none. */
  floor(): number;
  /** Sum of weighted squares at some parameters. */
  rest(p: Float64Array): number;
  /** The same, with the normal equations. */
  normal(p: Float64Array, into: Normal): number;
  /** How far the parameters are from others, in sigma. */
  distance(from: Float64Array): number;
  bound(i: number): readonly [number, number];
  finished(iterations: number): LineFit;
}

/** Row by row; only the lower half of the matrix is kept. */
interface Normal {
  readonly matrix: Float64Array;
  readonly gradient: Float64Array;
}

const blank = (size: number): Normal => ({ matrix: new Float64Array(size * size), gradient: new Float64Array(size) });

/** Model at x; its derivatives into `row`. */
function evaluate(p: Float64Array, at: number, middle: number, row: Float64Array): number {
  row[0] = 1;
  row[1] = at - middle;
  let value = (p[0] as number) + (p[1] as number) * (at - middle); // two at least, then four for each line
  for (let k = 2; k < p.length; k += 4) {
    value += pseudoVoigtSlopes(p[k] as number, p[k + 1] as number, p[k + 2] as number, p[k + 3] as number, at, row, k);
  }
  return value;
}

/** Sum of weighted squares, gradient and matrix of the normal equations: the loop in which all the time goes. */
function accumulate(
  x: Float64Array,
  counts: Float64Array,
  weights: Float64Array,
  p: Float64Array,
  middle: number,
  row: Float64Array,
  { matrix, gradient }: Normal,
): number {
  const size = p.length;
  matrix.fill(0);
  gradient.fill(0);
  let chi2 = 0;
  for (let i = 0; i < x.length; i++) {
    const rest = (counts[i] as number) - evaluate(p, x[i] as number, middle, row); // arrays of one length
    const w = weights[i] as number;
    chi2 += w * rest * rest;
    for (let a = 0; a < size; a++) {
      const slope = w * (row[a] as number); // a, b < size
      gradient[a] = (gradient[a] as number) + slope * rest;
      const from = a * size;
      for (let b = 0; b <= a; b++) matrix[from + b] = (matrix[from + b] as number) + slope * (row[b] as number);
    }
  }
  return chi2;
}

function modelOf(problem: LineProblem, start: readonly Profile[]): Model {
  const { x, counts, readVariance = 0, leastVariance = 0 } = problem;
  const n = x.length;
  const size = 2 + 4 * start.length;
  const [first = 0, last = 0] = [x[0], x[n - 1]];
  const middle = (first + last) / 2;
  const span = last - first;
  const parameters = new Float64Array(size);
  const weights = new Float64Array(n).fill(1);
  start.forEach((l, i) => {
    parameters.set([l.area, l.centre, l.hwhm, l.lorentz], 2 + 4 * i);
  });
  const bounds: readonly (readonly [number, number])[] = [
    [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
    [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
    ...start.flatMap(() => [
      [0, Number.POSITIVE_INFINITY] as const,
      [first, last] as const,
      [span / n / 4, span] as const,
      [0, 1] as const,
    ]),
  ];
  const row = new Float64Array(size);
  const values = (): Float64Array => x.map((at) => evaluate(parameters, at, middle, row));
  const normal = (p: Float64Array, into: Normal): number => accumulate(x, counts, weights, p, middle, row, into);
  const rest = (p: Float64Array): number => {
    let chi2 = 0;
    for (let i = 0; i < n; i++) {
      const off = (counts[i] as number) - evaluate(p, x[i] as number, middle, row); // i < n
      chi2 += (weights[i] as number) * off * off;
    }
    return chi2;
  };
  linearStart(problem, parameters, start, middle);
  const own = blank(size);
  return {
    parameters,
    rest,
    normal,
    floor: () => ROUNDING * counts.reduce((sum, c, i) => sum + (weights[i] ?? 0) * c * c, 0),
    bound: (i) => bounds[i] ?? [0, 0],
    weigh(flat) {
      const least = Math.max(leastVariance, Number.MIN_VALUE);
      if (!flat) weights.set(values().map((v) => 1 / Math.max(Math.max(v, 0) + readVariance, least)));
    },
    distance(from) {
      const chi2 = Math.max(normal(parameters, own), this.floor());
      let square = 0;
      for (let a = 0; a < size; a++) {
        for (let b = 0; b <= a; b++) {
          const term = ((parameters[a] ?? 0) - (from[a] ?? 0)) * ((parameters[b] ?? 0) - (from[b] ?? 0)) * (own.matrix[a * size + b] ?? 0);
          square += a === b ? term : 2 * term;
        }
      }
      return Math.sqrt(Math.max(0, square) / Math.max(chi2 / n, Number.MIN_VALUE));
    },
    finished(iterations) {
      const chi2 = normal(parameters, own);
      // A line without area says nothing of its place.
      const free = held(this, own).map((h, i) => !h && (own.matrix[i * size + i] ?? 0) > 0);
      return {
        lines: start.map((_, k) => {
          const [area = 0, centre = 0, hwhm = 1, lorentz = 0] = parameters.subarray(2 + 4 * k);
          return { area, centre, hwhm, lorentz };
        }),
        level: parameters[0] ?? 0,
        slope: parameters[1] ?? 0,
        middle,
        covariance: inverse(own.matrix, free),
        expected: values(),
        variance: weights.map((w) => 1 / w),
        chi2,
        dof: n - free.filter(Boolean).length,
        iterations,
      };
    },
  };
}

/** Background and areas by plain least squares, with centres and widths as given: the only good start for numbers of any size. */
function linearStart({ x, counts }: LineProblem, p: Float64Array, start: readonly Profile[], middle: number): void {
  const size = 2 + start.length;
  const { matrix, gradient } = blank(size);
  const slopes = new Float64Array(4);
  for (let i = 0; i < x.length; i++) {
    const at = x[i] ?? 0;
    const row = [1, at - middle, ...start.map((l) => pseudoVoigtSlopes(1, l.centre, l.hwhm, l.lorentz, at, slopes, 0))];
    for (let a = 0; a < size; a++) {
      gradient[a] = (gradient[a] ?? 0) + (row[a] ?? 0) * (counts[i] ?? 0);
      for (let b = 0; b <= a; b++) matrix[a * size + b] = (matrix[a * size + b] ?? 0) + (row[a] ?? 0) * (row[b] ?? 0);
    }
  }
  const solved = solve(matrix, gradient, 1e-9);
  if (!solved) return;
  p[0] = solved[0] ?? 0;
  p[1] = solved[1] ?? 0;
  const top = Math.max(...solved.slice(2));
  start.forEach((_, k) => {
    p[2 + 4 * k] = Math.max(solved[2 + k] ?? 0, 0.02 * Math.max(top, 0));
  });
}

/** The rows and columns of a matrix that are wanted; lower half in, lower half out. */
function part(matrix: Float64Array, size: number, index: readonly number[]): Float64Array {
  const n = index.length;
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) out[i * n + j] = matrix[(index[i] ?? 0) * size + (index[j] ?? 0)] ?? 0;
  return out;
}

/** Parameters at a bound that want to go beyond it. */
function held(model: Model, { gradient }: Normal): boolean[] {
  return Array.from(model.parameters, (value, i) => {
    const [low, high] = model.bound(i);
    return (value <= low && (gradient[i] ?? 0) <= 0) || (value >= high && (gradient[i] ?? 0) >= 0);
  });
}

/** Levenberg and Marquardt until the last step was nothing: less than `wanted` sigma. Gives the number of steps. */
function minimise(model: Model, most: number, wanted: number): number {
  const { parameters } = model;
  const size = parameters.length;
  const normal = blank(size);
  let chi2 = model.normal(parameters, normal);
  const floor = model.floor();
  let lambda = 1e-3;
  for (let step = 1; step <= most; step++) {
    const hold = held(model, normal);
    const free = [...parameters.keys()].filter((i) => !hold[i]);
    const delta = solve(
      part(normal.matrix, size, free),
      Float64Array.from(free, (a) => normal.gradient[a] ?? 0),
      lambda,
    );
    if (!delta) {
      lambda = Math.max(lambda * 10, 1e-9);
      if (lambda > 1e12) return step;
      continue;
    }
    const next = parameters.slice();
    let move = 0;
    free.forEach((a, i) => {
      const [low, high] = model.bound(a);
      next[a] = Math.min(high, Math.max(low, (parameters[a] ?? 0) + (delta[i] ?? 0)));
      move += (delta[i] ?? 0) * (normal.gradient[a] ?? 0);
    });
    const better = model.rest(next);
    // `move` is what the squares fall by, as far as the model is straight.
    const enough = step > PATIENCE ? NEARLY : wanted;
    const small = move <= (enough * enough * Math.max(chi2, floor)) / size / 100;
    if (better <= chi2) {
      parameters.set(next);
      chi2 = model.normal(parameters, normal);
      lambda = Math.max(lambda / 8, 1e-12);
      if (small) return step;
    } else {
      if (small || lambda > 1e12) return step;
      lambda *= 6;
    }
  }
  return most;
}

/** Solves (M + lambda diag M) x = g by Cholesky, of the lower half of M; undefined where M is singular. Scaled to a unit diagonal first. */
function solve(matrix: Float64Array, gradient: Float64Array, lambda: number): Float64Array | undefined {
  const size = gradient.length;
  const scale = gradient.map((_, a) => 1 / Math.sqrt(Math.max(matrix[a * size + a] ?? 0, Number.MIN_VALUE)));
  const lower = new Float64Array(size * size);
  for (let a = 0; a < size; a++) {
    for (let b = 0; b <= a; b++) {
      let sum = (matrix[a * size + b] ?? 0) * (scale[a] ?? 0) * (scale[b] ?? 0) + (a === b ? lambda : 0);
      for (let c = 0; c < b; c++) sum -= (lower[a * size + c] ?? 0) * (lower[b * size + c] ?? 0);
      if (a === b && !(sum > 1e-14)) return undefined;
      lower[a * size + b] = a === b ? Math.sqrt(sum) : sum / (lower[b * size + b] ?? 1);
    }
  }
  const x = new Float64Array(size);
  for (let a = 0; a < size; a++) {
    let sum = (gradient[a] ?? 0) * (scale[a] ?? 0);
    for (let b = 0; b < a; b++) sum -= (lower[a * size + b] ?? 0) * (x[b] ?? 0);
    x[a] = sum / (lower[a * size + a] ?? 1);
  }
  for (let a = size - 1; a >= 0; a--) {
    let sum = x[a] ?? 0;
    for (let b = a + 1; b < size; b++) sum -= (lower[b * size + a] ?? 0) * (x[b] ?? 0);
    x[a] = sum / (lower[a * size + a] ?? 1);
  }
  return x.map((v, a) => v * (scale[a] ?? 0));
}

/** The inverse over the free parameters, zero elsewhere; infinite on the diagonal where the counts do not fix a parameter. */
function inverse(matrix: Float64Array, free: readonly boolean[]): readonly Float64Array[] {
  const size = free.length;
  const out = free.map(() => new Float64Array(size));
  const index = [...free.keys()].filter((i) => free[i]);
  const small = part(matrix, size, index);
  for (const [i, a] of index.entries()) {
    const unit = new Float64Array(index.length);
    unit[i] = 1;
    const column = solve(small, unit, 0);
    for (const [j, b] of index.entries()) (out[b] as Float64Array)[a] = column?.[j] ?? (a === b ? Number.POSITIVE_INFINITY : 0); // b < size
  }
  return out;
}
