/** Thermal radiation: Planck's law and its inverse. Wavelengths in metre, temperatures in kelvin, radiance in W m^-3 sr^-1. */

export interface RadiationConstants {
  readonly name: string;
  /** First radiation constant for radiance, 2hc^2, W m^2 sr^-1. */
  readonly c1: number;
  /** Second radiation constant, hc/k, m K. */
  readonly c2: number;
}

/** From the exact h, c and k of the SI (2019). */
export const EXACT: RadiationConstants = { name: 'SI 2019', c1: 1.191042972397188e-16, c2: 0.01438776877503934 };

/** As rounded in the program T-Rax (c1 there is 2 pi h c^2): for comparison with it, 16 ppm high in temperature. */
export const TRAX: RadiationConstants = { name: 'T-Rax', c1: 3.7418e-16, c2: 0.014388 };

/** Spectral radiance of a grey body (per metre of wavelength). NaN for anything but positive finite numbers. */
export function spectralRadiance(wavelength: number, temperature: number, emissivity = 1, { c1, c2 } = EXACT): number {
  if (!physical(wavelength) || !physical(temperature) || !physical(emissivity)) return Number.NaN;
  return (emissivity * c1) / (wavelength ** 5 * Math.expm1(c2 / (wavelength * temperature)));
}

/** The temperature of a grey body with this spectral radiance; with emissivity 1 its radiance temperature. NaN as above. */
export function radianceTemperature(wavelength: number, radiance: number, emissivity = 1, { c1, c2 } = EXACT): number {
  if (!physical(wavelength) || !physical(radiance) || !physical(emissivity)) return Number.NaN;
  return c2 / (wavelength * Math.log1p((emissivity * c1) / (wavelength ** 5 * radiance)));
}

const physical = (n: number): boolean => n > 0 && n < Number.POSITIVE_INFINITY;
