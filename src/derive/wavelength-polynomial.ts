/** A polynomial through lines of known wavelength, by weighted least squares with its errors. */
import type { ListedLine } from './line-lists.ts';
import type { FoundLine } from './wavelength-peaks.ts';

/** A line of the spectrum, and the listed line that it is taken for. */
export interface Pair {
  readonly line: FoundLine;
  readonly listed: ListedLine;
}

export interface Polynomial {
  at(pixel: number): number;
  /** nm per pixel. */
  slope(pixel: number): number;
  /** One sigma of a line's wavelength, nm. */
  sigmaOf(line: FoundLine): number;
  /** One sigma of the axis, nm, by the noise model alone. */
  error(pixel: number): number;
  /** By power of u = (pixel - half) / half. */
  readonly c: readonly number[];
  readonly chi2: number;
}

/** In u = (pixel - half) / half, from -1 to 1; undefined where the lines do not fix it. */
export function fitted(pairs: readonly Pair[], degree: number, half: number): Polynomial | undefined {
  const size = degree + 1;
  if (pairs.length < size) return undefined;
  const us = pairs.map((p) => (p.line.pixel - half) / half);
  const rows = pairs.map((_, i) => powers(us[i] ?? 0, size));
  // Sigmas are in pixels; the dispersion of the present fit turns them into nm.
  const [first, last] = [pairs[0], pairs[pairs.length - 1]];
  const mean = first && last && first !== last ? Math.abs((last.listed.nm - first.listed.nm) / (last.line.pixel - first.line.pixel)) : 1;
  const weights = pairs.map((p) => 1 / (p.line.sigma * mean) ** 2);
  const normal = Array.from({ length: size }, (_, a) =>
    Array.from({ length: size }, (_, b) => rows.reduce((sum, r, i) => sum + (weights[i] ?? 0) * (r[a] ?? 0) * (r[b] ?? 0), 0)),
  );
  const inverse = inverseOf(normal);
  if (!inverse) return undefined;
  const right = Array.from({ length: size }, (_, a) =>
    rows.reduce((sum, r, i) => sum + (weights[i] ?? 0) * (r[a] ?? 0) * (pairs[i]?.listed.nm ?? 0), 0),
  );
  const c = inverse.map((row) => row.reduce((sum, x, a) => sum + x * (right[a] ?? 0), 0));
  const at = (pixel: number): number => c.reduceRight((sum, x) => sum * ((pixel - half) / half) + x, 0);
  const chi2 = pairs.reduce((sum, p, i) => sum + (weights[i] ?? 0) * (p.listed.nm - at(p.line.pixel)) ** 2, 0);
  return {
    c,
    chi2,
    at,
    slope: (pixel) => c.reduceRight((sum, x, k) => (k === 0 ? sum : sum * ((pixel - half) / half) + k * x), 0) / half,
    sigmaOf: (line) => line.sigma * mean,
    error(pixel) {
      const row = powers((pixel - half) / half, size);
      return Math.sqrt(row.reduce((sum, x, a) => sum + row.reduce((s, y, b) => s + x * y * (inverse[a]?.[b] ?? 0), 0), 0));
    },
  };
}

const powers = (u: number, size: number): readonly number[] => Array.from({ length: size }, (_, k) => u ** k);

/** Gauss and Jordan with pivots; undefined where it is singular. */
function inverseOf(matrix: readonly (readonly number[])[]): readonly (readonly number[])[] | undefined {
  const n = matrix.length;
  const rows = matrix.map((row, i) => [...row, ...Array.from({ length: n }, (_, j) => (i === j ? 1 : 0))]);
  const scale = Math.max(...matrix.map((row, i) => Math.abs(row[i] ?? 0)));
  for (let k = 0; k < n; k++) {
    const rest = rows.slice(k).map((row) => Math.abs(row[k] ?? 0));
    const pivot = k + rest.indexOf(Math.max(...rest));
    const [from, to] = [rows[pivot], rows[k]];
    if (!from || !to || !(Math.abs(from[k] ?? 0) > 1e-13 * scale)) return undefined;
    rows[k] = from;
    if (pivot !== k) rows[pivot] = to;
    const by = from[k] ?? 1;
    for (let j = 0; j < 2 * n; j++) from[j] = (from[j] ?? 0) / by;
    for (const row of rows) {
      if (row === from) continue;
      const factor = row[k] ?? 0;
      for (let j = 0; j < 2 * n; j++) row[j] = (row[j] ?? 0) - factor * (from[j] ?? 0);
    }
  }
  return rows.map((row) => row.slice(n));
}

/** From powers of u to powers of the pixel's index. */
export function byPixel(c: readonly number[], half: number): readonly number[] {
  const out = c.map(() => 0);
  let power: readonly number[] = [1]; // of (pixel / half - 1), by power of the pixel
  for (const x of c) {
    power.forEach((p, k) => {
      out[k] = (out[k] ?? 0) + x * p;
    });
    power = Array.from({ length: power.length + 1 }, (_, k) => (power[k - 1] ?? 0) / half - (power[k] ?? 0));
  }
  return out;
}
