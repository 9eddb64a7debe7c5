/** Does the measuring current heat the sample? Resistance against the square of the current. */
import { student } from './delta.ts';

export interface Joule {
  /** Ohm at no current, with one sigma. */
  readonly resistance: number;
  readonly sigma: number;
  /** Ohm per square ampere, with one sigma. */
  readonly slope: number;
  readonly slopeSigma: number;
  /** The slope in its own sigmas: above 3 the current heats. */
  readonly significance: number;
  readonly dof: number;
}

export interface Swept {
  /** A. */
  readonly current: number;
  /** Ohm. */
  readonly resistance: number;
  /** One sigma. */
  readonly sigma: number;
}

/** Weighted straight line of R against I^2; undefined for fewer than three different currents or an error that is not above zero. */
export function jouleHeating(points: readonly Swept[]): Joule | undefined {
  const currents = new Set(points.map(({ current }) => Math.abs(current)));
  if (currents.size < 3 || points.some(({ sigma }) => !(sigma > 0))) return undefined;
  const most = Math.max(...currents) ** 2;
  let [w, wx, wy, wxx, wxy] = [0, 0, 0, 0, 0];
  for (const { current, resistance, sigma } of points) {
    const [x, weight] = [current ** 2 / most, sigma ** -2];
    w += weight;
    wx += weight * x;
    wy += weight * resistance;
    wxx += weight * x * x;
    wxy += weight * x * resistance;
  }
  const determinant = w * wxx - wx * wx;
  const slope = (w * wxy - wx * wy) / determinant;
  const zero = (wxx * wy - wx * wxy) / determinant;
  const dof = points.length - 2;
  let chi2 = 0;
  for (const { current, resistance, sigma } of points) chi2 += ((resistance - zero - (slope * current ** 2) / most) / sigma) ** 2;
  // Errors that are plainly too small are widened, never narrowed.
  const wide = Math.max(1, dof > 0 ? Math.sqrt(chi2 / dof) * student(dof) : 1);
  const slopeSigma = wide * Math.sqrt(w / determinant);
  return {
    resistance: zero,
    sigma: wide * Math.sqrt(wxx / determinant),
    slope: slope / most,
    slopeSigma: slopeSigma / most,
    significance: slope / slopeSigma,
    dof,
  };
}
