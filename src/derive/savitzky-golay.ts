/**
 * Savitzky-Golay filters (Analytical Chemistry 36, 1964, 1627): a polynomial through 2 half + 1 neighbours, its value or slope in the middle.
 * The axis need not be even: each place has its own coefficients.
 */

export interface Kernel {
  readonly half: number;
  /** For each place 2 half + 1 coefficients; none where the axis ends too early. */
  readonly coefficients: readonly (Float64Array | undefined)[];
}

/** For an axis that rises or falls throughout; `derivative` 0 smooths, 1 gives the slope per unit of x. */
export function kernel(x: ArrayLike<number>, half: number, order: number, derivative: 0 | 1): Kernel {
  const width = 2 * half + 1;
  if (!(Number.isInteger(half) && half >= 1 && order < width && order >= derivative)) {
    throw new RangeError(`a polynomial of order ${order} over ${width} points has no slope of order ${derivative}`);
  }
  const coefficients = Array.from({ length: x.length }, (_, i) => {
    if (i < half || i + half >= x.length) return undefined;
    const centre = x[i] ?? 0;
    const scale = Math.abs((x[i + half] ?? 0) - (x[i - half] ?? 0)) / 2;
    const t = Float64Array.from({ length: width }, (__, k) => ((x[i - half + k] ?? 0) - centre) / scale);
    return local(t, order, derivative).map((c) => c / scale ** derivative);
  });
  return { half, coefficients };
}

/** Coefficients of the values at t that give the polynomial's value or slope at 0. */
function local(t: Float64Array, order: number, derivative: number): Float64Array {
  const size = order + 1;
  // Normal equations of the powers of t, with the unit vector of the wanted power on the right.
  const rows = Array.from({ length: size }, (_, a) => [
    ...Array.from({ length: size }, (__, b) => t.reduce((s, v) => s + v ** (a + b), 0)),
    a === derivative ? 1 : 0,
  ]);
  for (let a = 0; a < size; a++) {
    let pivot = a;
    for (let b = a + 1; b < size; b++) if (Math.abs(rows[b]?.[a] ?? 0) > Math.abs(rows[pivot]?.[a] ?? 0)) pivot = b;
    const [top, low] = [rows[pivot] ?? [], rows[a] ?? []];
    [rows[a], rows[pivot]] = [top, low];
    for (let b = 0; b < size; b++) {
      if (b === a) continue;
      const f = (rows[b]?.[a] ?? 0) / (top[a] ?? 1);
      rows[b] = (rows[b] ?? []).map((v, c) => v - f * (top[c] ?? 0));
    }
  }
  const solved = rows.map((row, a) => (row[size] ?? 0) / (row[a] ?? 1));
  return t.map((v) => solved.reduce((s, c, power) => s + c * v ** power, 0));
}

/** The filtered values; NaN where the axis ends too early. */
export function filtered({ half, coefficients }: Kernel, y: ArrayLike<number>): Float64Array {
  return Float64Array.from(coefficients, (c, i) => {
    if (!c) return Number.NaN;
    let sum = 0;
    for (let k = 0; k < c.length; k++) sum += (c[k] as number) * (y[i - half + k] as number); // inside, as c is there
    return sum;
  });
}
