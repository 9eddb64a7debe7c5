/**
 * The pseudo-Voigt profile: area ((1 - f) Gauss + f Lorentz), both with the same half width at half maximum, both of area 1. The shape that
 * the field's programs fit to fluorescence lines.
 */

export interface Profile {
  /** Counts times the unit of x. */
  readonly area: number;
  readonly centre: number;
  readonly hwhm: number;
  /** From 0 (Gauss) to 1 (Lorentz). */
  readonly lorentz: number;
}

const LN2 = Math.LN2;
const GAUSS = Math.sqrt(LN2 / Math.PI);

/** Value at x. */
export function pseudoVoigt({ area, centre, hwhm, lorentz }: Profile, x: number): number {
  const u = (x - centre) / hwhm;
  const gauss = GAUSS * Math.exp(-LN2 * u * u);
  return (area / hwhm) * ((1 - lorentz) * gauss + lorentz / (Math.PI * (1 + u * u)));
}

/** Writes the derivatives by area, centre, half width and Lorentz fraction into `out` from `at` on; gives the value. Plain numbers: it is called a million times. */
export function pseudoVoigtSlopes(
  area: number,
  centre: number,
  hwhm: number,
  lorentz: number,
  x: number,
  out: Float64Array,
  at: number,
): number {
  const u = (x - centre) / hwhm;
  const u2 = u * u;
  const gauss = (GAUSS / hwhm) * Math.exp(-LN2 * u2);
  const one = 1 / (1 + u2);
  const lorentzian = one / (Math.PI * hwhm);
  const ofGauss = (1 - lorentz) * gauss;
  const ofLorentz = lorentz * lorentzian;
  const shape = ofGauss + ofLorentz;
  const perU = (ofGauss * LN2 + ofLorentz * one) * u;
  const scale = area / hwhm;
  out[at] = shape;
  out[at + 1] = 2 * scale * perU;
  out[at + 2] = scale * (2 * u * perU - shape);
  out[at + 3] = area * (lorentzian - gauss);
  return area * shape;
}

/** The height over the background. */
export const peakOf = ({ area, hwhm, lorentz }: Profile): number => (area / hwhm) * ((1 - lorentz) * GAUSS + lorentz / Math.PI);
