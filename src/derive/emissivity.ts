/**
 * Spectral emissivities of materials as published. A constant emissivity has no effect on a temperature, its slope with wavelength has; a table
 * holds for the surface that was measured, at no pressure. What is not here is given as a file of the user's own.
 */
import type { Table } from './calibration.ts';

export interface Material {
  readonly name: string;
  /** Where the numbers were published, and what surface they are of. */
  readonly source: string;
  /** Metre, both ends included: outside of it there is no emissivity. */
  readonly wavelength: readonly [number, number];
  /** Kelvin, both ends included. */
  readonly temperature: readonly [number, number];
}

interface Law extends Material {
  /** At a wavelength in micrometres and a temperature in kelvin, both within their ranges. */
  readonly of: (um: number, kelvin: number) => number;
}

/** Pon and Hessler: up to this wavelength (um), centre (um), then a0, a1, b0, b1, b2, c0, c1. */
const PON_HESSLER: readonly (readonly [number, number, number, number, number, number, number, number, number])[] = [
  [0.42, 0.38, 0.47245, -0.0155, -0.0086, -0.0229, 0, -2.86, 0],
  [0.48, 0.45, 0.46361, -0.0172, -0.1304, 0, 0, 0.52, 0],
  [0.58, 0.53, 0.45549, -0.0173, -0.115, 0, 0, -0.5, 0],
  [0.64, 0.61, 0.44297, -0.0177, -0.1482, 0, 0, 0.723, 0],
  [0.76, 0.7, 0.43151, -0.0207, -0.1441, -0.0551, 0, -0.278, -0.19],
  [0.94, 0.85, 0.4061, -0.0259, -0.1889, 0.0087, 0.029, -0.126, 0.246],
  [1.6, 1.27, 0.32835, 0, -0.1686, 0.0737, 0, 0.046, 0.016],
  [2.6, 2.1, 0.22631, 0.0431, -0.0829, 0.0241, 0, 0.04, -0.026],
];

function ponHessler(um: number, kelvin: number): number {
  const row = PON_HESSLER.find(([end]) => um < end) ?? PON_HESSLER[PON_HESSLER.length - 1];
  if (!row) return Number.NaN;
  const [, centre, a0, a1, b0, b1, b2, c0, c1] = row;
  const [t, l] = [(kelvin - 2200) / 1000, um - centre];
  return a0 + a1 * t + (b0 + b1 * t + b2 * t * t) * l + (c0 + c1 * t) * l * l;
}

/** Equation 6 of the paper, whose wavelengths are in micrometres. */
function larrabee(um: number, kelvin: number): number {
  if (um < 0.45) return 0.6075 - 0.3 * um - 0.3265e-4 * kelvin + 0.59e-4 * um * kelvin;
  if (um < 0.68) return 0.4655 + 0.01558 * um + 0.2675e-4 * kelvin - 0.7305e-4 * um * kelvin;
  return 0.6552 - 0.2633 * um - 0.7333e-4 * kelvin + 0.7417e-4 * um * kelvin;
}

const LAWS: readonly Law[] = [
  {
    name: 'tungsten',
    source:
      'normal emissivity of a polished ribbon: de Vos, Physica 20 (1954) 690, as expressed by Pon and Hessler, Appl. Opt. 23 (1984) 975',
    wavelength: [340e-9, 2600e-9],
    temperature: [1600, 2800],
    of: ponHessler,
  },
  {
    name: 'tungsten-larrabee',
    source: 'normal emissivity of a ribbon, freed of scattered light: Larrabee, J. Opt. Soc. Am. 49 (1959) 619, equation 6',
    wavelength: [390e-9, 800e-9],
    temperature: [1600, 2400],
    of: larrabee,
  },
];

/** The materials by name, with source and ranges. */
export const MATERIALS: readonly Material[] = LAWS;

const SPACING = 2e-9; // m; straight lines between are within 1e-5 of the laws

/**
 * The emissivity of a material at a temperature (K; otherwise 2200 K, the middle of the published ones) as a table over its whole range of
 * wavelengths. Undefined for a material that is not in MATERIALS and for a temperature outside of its range.
 */
export function emissivityOf(material: string, temperature = 2200): Table | undefined {
  const law = LAWS.find(({ name }) => name === material);
  if (!law || !(temperature >= law.temperature[0] && temperature <= law.temperature[1])) return undefined;
  const [low, high] = law.wavelength;
  const steps = Math.round((high - low) / SPACING);
  const wavelength = Float64Array.from({ length: steps + 1 }, (_, i) => (i === steps ? high : low + i * SPACING));
  return { wavelength, value: wavelength.map((l) => law.of(l * 1e6, temperature)) };
}
