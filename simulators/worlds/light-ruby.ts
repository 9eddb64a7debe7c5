/**
 * What a ruby in the cell emits, written without regard to how anybody evaluates it. Wavelengths in metre, pressure in pascal, temperature
 * in kelvin.
 */

/** R1 at no pressure and 296 K; scale Ruby2020, Shen et al., High Pressure Research 40 (2020) 299: P = A d (1 + C d), d = l/l0 - 1. */
const R1 = 694.25e-9;
const A = 1870e9;
const C = 5.63;
/** Datchi et al., High Pressure Research 27 (2007) 447: shift in nm by powers of T - 296 K, above and below. */
const HOT = [0.00746, -3.01e-6, 8.76e-9] as const;
const COLD = [0.00664, 6.76e-6, -2.33e-8] as const;
const FROM = 296;

/** R1 - R2; 29.7 1/cm at ambient conditions. */
const SPLIT = 1.44e-9;
/** K: the same as an energy, by which the upper level is less occupied. */
const SPLIT_KELVIN = 42.7;
/** R2 over R1 when both levels are occupied alike: 0.56 at room temperature, 0.38 at 80 K. */
const RATIO = 0.65;
/** Full widths: of the line itself at 300 K, growing with the square of T (phonons), and of crystal and spectrometer together. */
const WIDTH = 0.5e-9;
const SLIT = 0.2e-9;
/** K at which half of the light is lost to the lattice, and how sharply. */
const QUENCH = [700, 60] as const;

export interface RubyLight {
  readonly lines: readonly { readonly centre: number; readonly hwhm: number; readonly lorentz: number; readonly share: number }[];
  /** Light of both lines over that at room temperature. */
  readonly strength: number;
}

/** Where R1 is: d solves C d^2 + d = P/A. */
export function rubyR1(pressure: number, temperature: number): number {
  const d = (Math.sqrt(1 + (4 * C * pressure) / A) - 1) / (2 * C);
  const [a, b, c] = temperature >= FROM ? HOT : COLD;
  const dt = temperature - FROM;
  return R1 * (1 + d) + (a * dt + b * dt ** 2 + c * dt ** 3) * 1e-9;
}

/** Both lines; `share` of their light adds up to 1. Width and Lorentz part of a Voigt line after Thompson, Cox and Hastings (1987). */
export function rubyLight(pressure: number, temperature: number): RubyLight {
  const centre = rubyR1(pressure, temperature);
  const own = WIDTH * (temperature / 300) ** 2;
  const powers = [1, 2.69269, 2.42843, 4.47163, 0.07842, 1]; // of Gauss^(5-n) Lorentz^n
  const fwhm = powers.reduce((sum, k, n) => sum + k * SLIT ** (5 - n) * own ** n, 0) ** 0.2;
  const part = own / fwhm;
  const lorentz = 1.36603 * part - 0.47719 * part ** 2 + 0.11116 * part ** 3;
  const ratio = RATIO * Math.exp(-SPLIT_KELVIN / temperature);
  const [half, sharp] = QUENCH;
  return {
    lines: [
      { centre, hwhm: fwhm / 2, lorentz, share: 1 / (1 + ratio) },
      { centre: centre - SPLIT, hwhm: 0.55 * fwhm, lorentz, share: ratio / (1 + ratio) },
    ],
    strength: 1 / (1 + Math.exp((temperature - half) / sharp)),
  };
}

/** Density (1/m) of a line of area 1: the mean of Gauss and Lorentz profiles of one half width. */
export function profile(hwhm: number, lorentz: number, from: number): number {
  const u2 = (from / hwhm) ** 2;
  const gauss = Math.sqrt(Math.LN2 / Math.PI) * 2 ** -u2;
  return (gauss + lorentz * (1 / (Math.PI * (1 + u2)) - gauss)) / hwhm;
}
