/**
 * Delta mode: the current is reversed from reading to reading, so that what does not change sign with it (thermoelectric EMF and its drift)
 * drops out. Volt, ampere, ohm throughout.
 */

/** The polarity of the first reading; it alternates from there. */
export type First = 1 | -1;

const sign = (first: First, i: number): number => (i % 2 === 0 ? first : -first);

/** (V+ - V-) / 2 of each pair; pairs do not overlap. Takes out a constant offset; leaves half of its drift from reading to reading. */
export function delta2(volts: ArrayLike<number>, first: First = 1): Float64Array {
  return Float64Array.from({ length: Math.floor(volts.length / 2) }, (_, n) => {
    const [a, b] = [volts[2 * n] ?? Number.NaN, volts[2 * n + 1] ?? Number.NaN];
    return (first * (a - b)) / 2;
  });
}

/** (A - 2B + C) / 4, overlapping: what the Keithley 622x with 2182A gives (its reference manual). Takes out offset and linear drift. */
export function delta3(volts: ArrayLike<number>, first: First = 1): Float64Array {
  return Float64Array.from({ length: Math.max(0, volts.length - 2) }, (_, i) => {
    const [a, b, c] = [volts[i] ?? Number.NaN, volts[i + 1] ?? Number.NaN, volts[i + 2] ?? Number.NaN];
    return (sign(first, i) * (a - 2 * b + c)) / 4;
  });
}

/** (A - 3B + 3C - D) / 8, overlapping. Takes out offset, linear and quadratic drift. */
export function delta4(volts: ArrayLike<number>, first: First = 1): Float64Array {
  return Float64Array.from({ length: Math.max(0, volts.length - 3) }, (_, i) => {
    const [a, b, c, d] = [volts[i] ?? Number.NaN, volts[i + 1] ?? Number.NaN, volts[i + 2] ?? Number.NaN, volts[i + 3] ?? Number.NaN];
    return (sign(first, i) * (a - 3 * b + 3 * c - d)) / 8;
  });
}

/** Pulse delta: low, pulse, low readings A, B, C: (2B - A - C) / 2. */
export const pulseDelta3 = (a: number, b: number, c: number): number => (2 * b - a - c) / 2;
/** Pulse delta with the first low reading alone: B - A. */
export const pulseDelta2 = (a: number, b: number): number => b - a;

export interface DeltaFit {
  /** Ohm, with one sigma. */
  readonly resistance: number;
  readonly sigma: number;
  /** Volt at the middle of the readings, with one sigma: thermoelectric EMF and the meter's zero. */
  readonly offset: number;
  readonly offsetSigma: number;
  /** Volt per second (per reading, where no times are given), with one sigma. */
  readonly drift: number;
  readonly driftSigma: number;
  /** Volt rms of one reading, as the residuals show it. */
  readonly noise: number;
  readonly dof: number;
}

export interface DeltaOptions {
  /** Volt rms of one reading, where it is known; otherwise the residuals say. */
  readonly noise?: number;
  /** Seconds of each reading; otherwise they are evenly spaced. */
  readonly times?: ArrayLike<number>;
  /** Ampere at each reading with its sign; otherwise `current` with alternating sign. */
  readonly currents?: ArrayLike<number>;
}

/**
 * Least squares of V = R I + offset + drift (t - middle) over all readings: for white noise the smallest error that a linear estimator can
 * have. Where the noise is not known the bar is widened by Student's factor, so that it covers 68.3 % for few readings too.
 * Undefined for fewer than 4 readings, no current, or currents that do not change sign.
 */
export function fitDelta(volts: ArrayLike<number>, current: number, first: First = 1, options: DeltaOptions = {}): DeltaFit | undefined {
  const n = volts.length;
  if (n < 4) return undefined;
  const at = Float64Array.from({ length: n }, (_, i) => options.times?.[i] ?? i);
  const middle = at.reduce((s, t) => s + t, 0) / n;
  const t = at.map((one) => one - middle);
  const amps = Float64Array.from({ length: n }, (_, i) => options.currents?.[i] ?? sign(first, i) * current);
  if (!(Math.max(...amps) > 0 && Math.min(...amps) < 0)) return undefined;
  // Scaled to about 1, so that the normal equations are as good as their numbers.
  const [ia, ta] = [Math.max(...amps.map(Math.abs)), Math.max(...t.map(Math.abs)) || 1];
  const columns = [amps.map((a) => a / ia), new Float64Array(n).fill(1), t.map((one) => one / ta)] as const;
  const normal = columns.map((a) => columns.map((b) => dot(a, b)));
  const inverse = inverted(normal);
  if (!inverse) return undefined;
  const y = Float64Array.from(volts);
  let solution = solved(inverse, columns, y);
  const residual = (): Float64Array => y.map((v, i) => v - columns.reduce((s, c, k) => s + (solution[k] ?? 0) * (c[i] ?? 0), 0));
  solution = solved(inverse, columns, residual()).map((d, k) => d + (solution[k] ?? 0)); // one step of refinement
  const rest = residual();
  const dof = n - 3;
  const noise = Math.sqrt(dot(rest, rest) / dof);
  const width = options.noise ?? noise * student(dof);
  const [sr, so, sd] = inverse.map((row, k) => width * Math.sqrt(row[k] ?? Number.NaN));
  const [r = Number.NaN, o = Number.NaN, d = Number.NaN] = solution;
  return {
    resistance: r / ia,
    sigma: (sr ?? Number.NaN) / ia,
    offset: o,
    offsetSigma: so ?? Number.NaN,
    drift: d / ta,
    driftSigma: (sd ?? Number.NaN) / ta,
    noise,
    dof,
  };
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

const solved = (inverse: readonly (readonly number[])[], columns: readonly Float64Array[], y: Float64Array): number[] => {
  const right = columns.map((c) => dot(c, y));
  return inverse.map((row) => dot(row, right));
};

/** Of a small symmetric matrix, by Gauss and Jordan with pivots; undefined where it is singular. */
export function inverted(matrix: readonly (readonly number[])[]): number[][] | undefined {
  const n = matrix.length;
  const rows = matrix.map((row, i) => [...row, ...Array.from({ length: n }, (_, j) => (i === j ? 1 : 0))]);
  for (let c = 0; c < n; c++) {
    let best = c;
    for (let r = c + 1; r < n; r++) if (Math.abs(rows[r]?.[c] ?? 0) > Math.abs(rows[best]?.[c] ?? 0)) best = r;
    const pivot = rows[best];
    const here = rows[c];
    if (!pivot || !here || !(Math.abs(pivot[c] ?? 0) > 1e-12)) return undefined;
    rows[best] = here;
    const by = pivot[c] ?? 1;
    const scaled = pivot.map((v) => v / by);
    rows[c] = scaled;
    for (let r = 0; r < n; r++) {
      const row = rows[r];
      if (r === c || !row) continue;
      const factor = row[c] ?? 0;
      rows[r] = row.map((v, j) => v - factor * (scaled[j] ?? 0));
    }
  }
  return rows.map((row) => row.slice(n));
}

/** Half-width, in standard errors, that holds 68.27 % of Student's t with so many degrees of freedom. */
export function student(dof: number): number {
  const wanted = 0.6826894921370859;
  let [low, high] = [0.9, 2];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (within(middle, dof) < wanted) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** P(|t| < x) for whole degrees of freedom: the finite series (Abramowitz and Stegun 26.7.3 and 26.7.4). */
function within(x: number, dof: number): number {
  const theta = Math.atan(x / Math.sqrt(dof));
  const c2 = Math.cos(theta) ** 2;
  let term = 1;
  let sum = 0;
  if (dof % 2 === 0) {
    for (let k = 0; k < dof / 2; k++) {
      sum += term;
      term *= ((2 * k + 1) / (2 * k + 2)) * c2;
    }
    return Math.sin(theta) * sum;
  }
  for (let k = 0; k < (dof - 1) / 2; k++) {
    sum += term;
    term *= ((2 * k + 2) / (2 * k + 3)) * c2;
  }
  return (2 / Math.PI) * (theta + Math.sin(theta) * Math.cos(theta) * sum);
}
