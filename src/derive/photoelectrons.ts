/** Gain of a light sensor: from the width of its answer to light of a known spread, from how often it sees nothing, and in electrons. */

/** Coulomb, exact (SI 2019). */
export const ELEMENTARY_CHARGE = 1.602176634e-19;

/** A number and one sigma, where it can be known. */
export interface Known {
  readonly value: number;
  readonly sigma?: number;
}

/**
 * Mean number of photoelectrons of equal flashes: N = F mu^2 / sigma^2, mu and sigma of the charge above the pedestal, F the excess noise
 * factor 1 + (spread of one photoelectron / its mean)^2. With `flashes` also one sigma of N (normal charges).
 */
export function photoelectronsByWidth(mean: number, sigma: number, excess = 1, flashes?: number): Known {
  const value = (excess * mean ** 2) / sigma ** 2;
  if (flashes === undefined) return { value };
  // Of the mean sigma / sqrt n, of the width sigma / sqrt(2 n): both enter squared.
  const relative = Math.sqrt((4 * (sigma / mean) ** 2 + 2) / flashes);
  return { value, sigma: value * relative };
}

/** Mean number of photoelectrons from the part of flashes that give none: mu = -ln P0. */
export const photoelectronsByZeros = (p0: number): number => -Math.log(p0);

/**
 * The same from counts, with its bar: `none` of `flashes` gave nothing. With the zeros of as many gates without light in `dark`, what the
 * dark counts add is taken off. Undefined where nothing or all of it is zero: then there is only a limit.
 */
export function meanFromZeros(none: number, flashes: number, dark?: { readonly none: number; readonly gates: number }): Known | undefined {
  if (!(none > 0 && none < flashes)) return undefined;
  const light = { value: photoelectronsByZeros(none / flashes), variance: (flashes - none) / (none * flashes) };
  if (!dark) return { value: light.value, sigma: Math.sqrt(light.variance) };
  if (!(dark.none > 0 && dark.none <= dark.gates)) return undefined;
  const off = { value: photoelectronsByZeros(dark.none / dark.gates), variance: (dark.gates - dark.none) / (dark.none * dark.gates) };
  return { value: light.value - off.value, sigma: Math.sqrt(light.variance + off.variance) };
}

/** How a digitizer's sum of samples becomes charge. */
export interface Digitizer {
  readonly voltsPerCount: number;
  /** Seconds between samples. */
  readonly interval: number;
  /** Ohm of its input. */
  readonly resistance: number;
}

/** Coulomb of a sum of samples above the baseline: Q = sum (V per count) dt / R. */
export const chargeOf = (sum: number, { voltsPerCount, interval, resistance }: Digitizer): number =>
  (sum * voltsPerCount * interval) / resistance;

/** Electrons per photoelectron, of the sum of samples that one photoelectron gives: G = q / e. */
export const gainOf = (sum: number, digitizer: Digitizer): number => chargeOf(sum, digitizer) / ELEMENTARY_CHARGE;
