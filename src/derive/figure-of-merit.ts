/** How well two kinds of pulses are apart: |mu1 - mu2| / (FWHM1 + FWHM2). */

/** Of the values of one kind of pulse; one may be filled from many blocks, and two joined. */
export interface Shape {
  n: number;
  mean: number;
  /** Sum of squares about the mean. */
  squares: number;
}
export const shape = (): Shape => ({ n: 0, mean: 0, squares: 0 });

/** One more value; what is not a number is left out. */
export function addShape(to: Shape, value: number): void {
  if (!Number.isFinite(value)) return;
  to.n++;
  const off = value - to.mean;
  to.mean += off / to.n;
  to.squares += off * (value - to.mean);
}

/** Both as one (Chan, Golub and LeVeque 1979). */
export function joined(a: Shape, b: Shape): Shape {
  const n = a.n + b.n;
  if (n === 0) return shape();
  const off = b.mean - a.mean;
  return { n, mean: a.mean + (off * b.n) / n, squares: a.squares + b.squares + (off * off * a.n * b.n) / n };
}

/** Full width at half maximum of a normal peak, in standard deviations: 2 sqrt(2 ln 2). */
const FWHM = 2 * Math.sqrt(2 * Math.LN2);

export interface Merit {
  readonly value: number;
  /** Of normal peaks: the errors of both means and both widths. */
  readonly sigma: number;
}

/** Standard deviations are those with n - 1. Undefined for fewer than two values of a kind, or no width at all. */
export function figureOfMerit(a: Shape, b: Shape): Merit | undefined {
  if (a.n < 2 || b.n < 2) return undefined;
  const [va, vb] = [a.squares / (a.n - 1), b.squares / (b.n - 1)];
  const width = Math.sqrt(va) + Math.sqrt(vb);
  if (!(width > 0)) return undefined;
  const apart = Math.abs(a.mean - b.mean);
  const value = apart / (FWHM * width);
  const means = va / a.n + vb / b.n;
  const widths = va / (2 * (a.n - 1)) + vb / (2 * (b.n - 1));
  return { value, sigma: Math.sqrt(means / (FWHM * width) ** 2 + (value * value * widths) / (width * width)) };
}
