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
const MOST_ROUNDS = 30;
/** Where a line that is hardly there has no place of its own, it creeps: after so many steps or rounds a hundredth of a sigma will do. */
const PATIENCE = 25;
const NEARLY = 0.01;
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
    const steps = minimise(model, MOST_STEPS - iterations);
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
  /** Sum of weighted squares at some parameters; fills the normal equations. */
  sums(p: Float64Array, normal?: Normal): number;
  /** How far the parameters are from others, in sigma. */
  distance(from: Float64Array): number;
  bound(i: number): readonly [number, number];
  finished(iterations: number): LineFit;
}

interface Normal {
  readonly matrix: readonly Float64Array[];
  readonly gradient: Float64Array;
}

const blank = (size: number): Normal => ({
  matrix: Array.from({ length: size }, () => new Float64Array(size)),
  gradient: new Float64Array(size),
});

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
  const profile = (p: Float64Array, k: number): Profile => {
    const at = 2 + 4 * k;
    return { area: p[at] ?? 0, centre: p[at + 1] ?? 0, hwhm: p[at + 2] ?? 1, lorentz: p[at + 3] ?? 0 };
  };
  /** Model at pixel i; its derivatives into `row`. */
  const evaluate = (p: Float64Array, profiles: readonly Profile[], i: number): number => {
    const at = x[i] as number; // i < n
    row[0] = 1;
    row[1] = at - middle;
    let value = (p[0] as number) + (p[1] as number) * (at - middle); // two at least
    for (let k = 0; k < profiles.length; k++) value += pseudoVoigtSlopes(profiles[k] as Profile, at, row, 2 + 4 * k); // k < length
    return value;
  };
  const sums = (p: Float64Array, normal?: Normal): number => {
    const profiles = start.map((_, k) => profile(p, k));
    if (normal) {
      normal.gradient.fill(0);
      for (const line of normal.matrix) line.fill(0);
    }
    let chi2 = 0;
    for (let i = 0; i < n; i++) {
      const rest = (counts[i] as number) - evaluate(p, profiles, i); // i < n, of one length
      const w = weights[i] as number;
      chi2 += w * rest * rest;
      if (!normal) continue;
      for (let a = 0; a < size; a++) {
        const slope = w * (row[a] as number); // a < size
        normal.gradient[a] = (normal.gradient[a] as number) + slope * rest;
        const line = normal.matrix[a] as Float64Array;
        for (let b = 0; b <= a; b++) line[b] = (line[b] as number) + slope * (row[b] as number);
      }
    }
    if (normal) mirror(normal.matrix);
    return chi2;
  };
  const variances = (): Float64Array => {
    const profiles = start.map((_, k) => profile(parameters, k));
    const least = Math.max(leastVariance, Number.MIN_VALUE);
    return Float64Array.from({ length: n }, (_, i) => Math.max(Math.max(evaluate(parameters, profiles, i), 0) + readVariance, least));
  };
  linearStart(problem, parameters, start, middle);
  const normal = blank(size);
  return {
    parameters,
    sums,
    floor: () => ROUNDING * counts.reduce((sum, c, i) => sum + (weights[i] ?? 0) * c * c, 0),
    bound: (i) => bounds[i] ?? [0, 0],
    weigh(flat) {
      if (!flat) weights.set(variances().map((v) => 1 / v));
    },
    distance(from) {
      const chi2 = Math.max(sums(parameters, normal), this.floor());
      let square = 0;
      for (let a = 0; a < size; a++)
        for (let b = 0; b < size; b++)
          square += ((parameters[a] ?? 0) - (from[a] ?? 0)) * ((parameters[b] ?? 0) - (from[b] ?? 0)) * (normal.matrix[a]?.[b] ?? 0);
      return Math.sqrt(square / Math.max(chi2 / n, Number.MIN_VALUE));
    },
    finished(iterations) {
      const chi2 = sums(parameters, normal);
      // A line without area says nothing of its place.
      const free = held(this, normal).map((h, i) => !h && (normal.matrix[i]?.[i] ?? 0) > 0);
      const profiles = start.map((_, k) => profile(parameters, k));
      const expected = Float64Array.from({ length: n }, (_, i) => evaluate(parameters, profiles, i));
      return {
        lines: profiles,
        level: parameters[0] ?? 0,
        slope: parameters[1] ?? 0,
        middle,
        covariance: inverse(normal.matrix, free),
        expected,
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
  const normal = blank(size);
  const slopes = new Float64Array(4);
  for (let i = 0; i < x.length; i++) {
    const at = x[i] ?? 0;
    const row = [1, at - middle, ...start.map((l) => pseudoVoigtSlopes({ ...l, area: 1 }, at, slopes, 0))];
    for (let a = 0; a < size; a++) {
      normal.gradient[a] = (normal.gradient[a] ?? 0) + (row[a] ?? 0) * (counts[i] ?? 0);
      for (let b = 0; b < size; b++) (normal.matrix[a] as Float64Array)[b] = (normal.matrix[a]?.[b] ?? 0) + (row[a] ?? 0) * (row[b] ?? 0); // a < size
    }
  }
  const solved = solve(normal.matrix, normal.gradient, 1e-9);
  if (!solved) return;
  p[0] = solved[0] ?? 0;
  p[1] = solved[1] ?? 0;
  const top = Math.max(...solved.slice(2));
  start.forEach((_, k) => {
    p[2 + 4 * k] = Math.max(solved[2 + k] ?? 0, 0.02 * Math.max(top, 0));
  });
}

function mirror(matrix: readonly Float64Array[]): void {
  for (let a = 0; a < matrix.length; a++) for (let b = 0; b < a; b++) (matrix[b] as Float64Array)[a] = matrix[a]?.[b] ?? 0; // b < a < length
}

/** Parameters at a bound that want to go beyond it. */
function held(model: Model, { gradient }: Normal): boolean[] {
  return Array.from(model.parameters, (value, i) => {
    const [low, high] = model.bound(i);
    return (value <= low && (gradient[i] ?? 0) <= 0) || (value >= high && (gradient[i] ?? 0) >= 0);
  });
}

/** Levenberg and Marquardt until the next step is nothing; gives the number of steps. */
function minimise(model: Model, most: number): number {
  const { parameters } = model;
  const size = parameters.length;
  const normal = blank(size);
  let chi2 = model.sums(parameters, normal);
  const floor = model.floor();
  let lambda = 1e-3;
  for (let step = 1; step <= most; step++) {
    const hold = held(model, normal);
    const free = [...parameters.keys()].filter((i) => !hold[i]);
    const matrix = free.map((a) => Float64Array.from(free, (b) => normal.matrix[a]?.[b] ?? 0));
    const delta = solve(
      matrix,
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
    const better = model.sums(next);
    // `move` is what the squares fall by, as far as the model is straight.
    const enough = step > PATIENCE ? NEARLY : SETTLED;
    const small = move <= (enough * enough * Math.max(chi2, floor)) / size / 100;
    if (better <= chi2) {
      parameters.set(next);
      chi2 = model.sums(parameters, normal);
      lambda = Math.max(lambda / 8, 1e-12);
      if (small) return step;
    } else {
      if (small || lambda > 1e12) return step;
      lambda *= 6;
    }
  }
  return most;
}

/** Solves (M + lambda diag M) x = g by Cholesky; undefined where M is singular. Scaled to a unit diagonal first. */
function solve(matrix: readonly Float64Array[], gradient: Float64Array, lambda: number): Float64Array | undefined {
  const size = gradient.length;
  const scale = Float64Array.from(matrix, (line, i) => 1 / Math.sqrt(Math.max(line[i] ?? 0, Number.MIN_VALUE)));
  const lower = cholesky(
    matrix.map((line, a) => Float64Array.from(line, (v, b) => v * (scale[a] ?? 0) * (scale[b] ?? 0) + (a === b ? lambda : 0))),
  );
  if (!lower) return undefined;
  const x = new Float64Array(size);
  for (let a = 0; a < size; a++) {
    let sum = (gradient[a] ?? 0) * (scale[a] ?? 0);
    for (let b = 0; b < a; b++) sum -= (lower[a]?.[b] ?? 0) * (x[b] ?? 0);
    x[a] = sum / (lower[a]?.[a] ?? 1);
  }
  for (let a = size - 1; a >= 0; a--) {
    let sum = x[a] ?? 0;
    for (let b = a + 1; b < size; b++) sum -= (lower[b]?.[a] ?? 0) * (x[b] ?? 0);
    x[a] = sum / (lower[a]?.[a] ?? 1);
  }
  return x.map((v, a) => v * (scale[a] ?? 0));
}

function cholesky(matrix: readonly Float64Array[]): readonly Float64Array[] | undefined {
  const lower = matrix.map((line) => new Float64Array(line.length));
  for (let a = 0; a < matrix.length; a++) {
    for (let b = 0; b <= a; b++) {
      let sum = matrix[a]?.[b] ?? 0;
      for (let c = 0; c < b; c++) sum -= (lower[a]?.[c] ?? 0) * (lower[b]?.[c] ?? 0);
      if (a === b && !(sum > 1e-14)) return undefined;
      (lower[a] as Float64Array)[b] = a === b ? Math.sqrt(sum) : sum / (lower[b]?.[b] ?? 1); // a < length
    }
  }
  return lower;
}

/** The inverse over the free parameters, zero elsewhere; infinite on the diagonal where the counts do not fix a parameter. */
function inverse(matrix: readonly Float64Array[], free: readonly boolean[]): readonly Float64Array[] {
  const out = matrix.map((line) => new Float64Array(line.length));
  const index = [...free.keys()].filter((i) => free[i]);
  const small = index.map((a) => Float64Array.from(index, (b) => matrix[a]?.[b] ?? 0));
  for (const [i, a] of index.entries()) {
    const unit = new Float64Array(index.length);
    unit[i] = 1;
    const column = solve(small, unit, 0);
    for (const [j, b] of index.entries()) (out[b] as Float64Array)[a] = column?.[j] ?? (a === b ? Number.POSITIVE_INFINITY : 0); // b < length
  }
  return out;
}
