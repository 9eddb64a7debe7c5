/** Whether a curve has a break: weighted least squares of smooth curves against curves with one break, compared by their BIC. */

/** One regressor, a number for each point. */
export type Column = Float64Array;

export interface Fit {
  readonly chi2: number;
  /** One for each column; 0 for a column that the ones before it make superfluous. */
  readonly coefficients: Float64Array;
  /** Inverse of the normal matrix, row by row; zero for superfluous columns. */
  readonly covariance: Float64Array;
  /** Columns that count. */
  readonly rank: number;
}

/** Of a column's square what is left beside the others, as a part of it: with less, it says nothing new. */
const SUPERFLUOUS = 1e-9;

function times(column: Column, by: Float64Array): Column {
  const out = new Float64Array(column.length);
  for (let i = 0; i < out.length; i++) out[i] = (column[i] ?? 0) * (by[i] ?? 0);
  return out;
}

function dot(a: Column, b: Column): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

/** a - by b, in place. */
function subtract(a: Column, by: number, b: Column): void {
  for (let i = 0; i < a.length; i++) a[i] = (a[i] ?? 0) - by * (b[i] ?? 0);
}

/** Makes `column` (changed in place) orthogonal to the basis and of length 1; gives its parts along the basis, or undefined when nothing is left. */
function orthogonal(column: Column, basis: readonly Column[]): { readonly along: readonly number[]; readonly norm: number } | undefined {
  const size = dot(column, column);
  const along: number[] = [];
  for (const b of basis) {
    const part = dot(b, column);
    along.push(part);
    subtract(column, part, b);
  }
  const square = dot(column, column);
  if (!(square > SUPERFLUOUS * size)) return undefined;
  const norm = Math.sqrt(square);
  for (let i = 0; i < column.length; i++) column[i] = (column[i] ?? 0) / norm;
  return { along, norm };
}

/** Weighted linear least squares of y on the columns, one sigma for each point. Superfluous columns are left out, never a failure. */
export function leastSquares(columns: readonly Column[], y: Float64Array, sigma: Float64Array): Fit {
  const k = columns.length;
  const root = sigma.map((s) => 1 / s);
  const rest = times(y, root);
  const basis: Column[] = [];
  const made: Float64Array[] = []; // of which columns each of the basis is made
  const coefficients = new Float64Array(k);
  const covariance = new Float64Array(k * k);
  for (const [j, column] of columns.entries()) {
    const left = times(column, root);
    const found = orthogonal(left, basis);
    if (!found) continue;
    const parts = new Float64Array(k);
    parts[j] = 1;
    for (const [m, along] of found.along.entries()) subtract(parts, along, made[m] ?? parts);
    for (let c = 0; c < k; c++) parts[c] = (parts[c] ?? 0) / found.norm;
    const along = dot(left, rest);
    subtract(rest, along, left);
    for (let c = 0; c < k; c++) {
      coefficients[c] = (coefficients[c] ?? 0) + along * (parts[c] ?? 0);
      for (let d = 0; d < k; d++) covariance[c * k + d] = (covariance[c * k + d] ?? 0) + (parts[c] ?? 0) * (parts[d] ?? 0);
    }
    basis.push(left);
    made.push(parts);
  }
  return { chi2: dot(rest, rest), coefficients, covariance, rank: basis.length };
}

export interface Break<K extends string> {
  readonly kind: K;
  /** The first point behind the break. */
  readonly index: number;
  /** Of the columns of the base and of the break, in this order. */
  readonly fit: Fit;
  readonly columns: readonly Column[];
  /** What errors were multiplied with, 1 or more: the points scatter more than their sigma says. */
  readonly widened: number;
  /** BIC of the best smooth curve less that of this one: above zero, the break is worth its parameters. */
  readonly gain: number;
}

export interface Curves<K extends string> {
  readonly y: Float64Array;
  readonly sigma: Float64Array;
  /** What every curve has. */
  readonly base: readonly Column[];
  /** What one of the smooth curves has beside the base; the base alone is one more of them. */
  readonly bent: readonly Column[];
  /** What a break before the point `index` adds to the base, for each kind that can break there. */
  readonly broken: (index: number) => readonly (readonly [K, readonly Column[]])[];
}

/** What is known of a set of columns once: an orthonormal basis of them, y beside them, and how much of y they leave. */
interface Ground {
  readonly basis: readonly Column[];
  readonly rest: Column;
  readonly chi2: number;
}

function ground(columns: readonly Column[], y: Column): Ground {
  const basis: Column[] = [];
  for (const column of columns) {
    const left = column.slice();
    if (orthogonal(left, basis)) basis.push(left);
  }
  const rest = y.slice();
  for (const b of basis) subtract(rest, dot(b, rest), b);
  return { basis, rest, chi2: dot(rest, rest) };
}

/** chi2 and number of columns when these come beside the ground: Cholesky's way through their scalar products alone. */
function beside({ basis, rest, chi2: all }: Ground, columns: readonly Column[]): readonly [chi2: number, rank: number] {
  let chi2 = all;
  const rows: { readonly parts: readonly number[]; readonly column: Column; readonly against: readonly number[]; readonly v: number }[] =
    [];
  for (const column of columns) {
    const size = dot(column, column);
    const parts = basis.map((b) => dot(b, column));
    let square = parts.reduce((sum, p) => sum - p * p, size);
    let v = dot(column, rest);
    const against: number[] = [];
    for (const row of rows) {
      let cross = dot(row.column, column);
      for (const [b, p] of parts.entries()) cross -= p * (row.parts[b] ?? 0);
      for (const [m, a] of against.entries()) cross -= a * (row.against[m] ?? 0);
      const norm = row.against[row.against.length - 1] ?? 1;
      cross /= norm;
      against.push(cross);
      square -= cross * cross;
      v -= cross * row.v;
    }
    if (!(square > SUPERFLUOUS * size)) continue;
    const norm = Math.sqrt(square);
    chi2 -= (v / norm) ** 2;
    rows.push({ parts, column, against: [...against, norm], v: v / norm });
  }
  return [Math.max(0, chi2), basis.length + rows.length];
}

/** chi2 when the one point that fits worst is left out. */
function withoutWorst({ basis, rest, chi2 }: Ground): number {
  let most = 0;
  for (let i = 0; i < rest.length; i++) {
    const leverage = basis.reduce((sum, b) => sum + (b[i] ?? 0) ** 2, 0);
    if (leverage < 1 - SUPERFLUOUS) most = Math.max(most, (rest[i] ?? 0) ** 2 / (1 - leverage));
  }
  return Math.max(0, chi2 - most);
}

/**
 * -2 ln of the likelihood at the best common widening of the errors, which is never below 1. With `dof` in the place of the number of points
 * the difference of two of these is what an F test would say, so that few points make no break either.
 */
function surprise(chi2: number, dof: number): number {
  const scale = Math.max(1, chi2 / dof);
  return dof * Math.log(scale) + chi2 / scale;
}

/**
 * The curve with one break that is best against every smooth one; undefined where no break is possible. A break costs a parameter for its place
 * beside those of its columns, and a smooth curve may leave out one point, at the same cost: an outlier is no break. Errors that are quoted too
 * small are widened, for all curves, to what the points show.
 */
export function bestBreak<K extends string>({ y, sigma, base, bent, broken }: Curves<K>): Break<K> | undefined {
  const n = y.length;
  const root = sigma.map((s) => 1 / s);
  const target = times(y, root);
  const flat = base.map((column) => times(column, root));
  const common = ground(flat, target);
  const smooth = [common, ...bent.map((column) => ground([...flat, times(column, root)], target))];
  const plain = smooth.flatMap((g) => [[g.chi2, g.basis.length] as const, [withoutWorst(g), g.basis.length + 2] as const]);
  let best: { kind: K; index: number; columns: readonly Column[]; widened: number; gain: number } | undefined;
  for (let index = 1; index < n; index++) {
    for (const [kind, columns] of broken(index)) {
      const [chi2, rank] = beside(
        common,
        columns.map((column) => times(column, root)),
      );
      const dof = n - rank - 1;
      if (dof < 1) continue;
      const cost = Math.min(...plain.map(([c, k]) => surprise(c, dof) + k * Math.log(n)));
      const gain = cost - surprise(chi2, dof) - (rank + 1) * Math.log(n);
      if (!best || gain > best.gain) best = { kind, index, columns, widened: Math.sqrt(Math.max(1, chi2 / dof)), gain };
    }
  }
  if (!best) return undefined;
  const columns = [...base, ...best.columns];
  return { ...best, columns, fit: leastSquares(columns, y, sigma) };
}
