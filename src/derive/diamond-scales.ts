/** Pressure from the high-frequency edge of the diamond anvil's Raman band. Shifts in 1/m, wavelengths in metre, pressures in Pa. */
import { total } from '../reading.ts';
import { carried, constant, type GaugePressure, type Known, outside, type Part, type Proven } from './gauge.ts';

/** Raman shift (1/m) of light at `line` excited at `laser` (m). */
export const ramanShift = (laser: number, line: number): number => 1 / laser - 1 / line;
/** The wavelength (m) of a Raman shift (1/m); NaN for a shift that leaves no energy. */
export function ramanLine(laser: number, shift: number): number {
  const left = 1 / laser - shift;
  return left > 0 ? 1 / left : Number.NaN;
}

/** The edge of an anvil without load (1/m): 1333 to 1334 1/cm; 1 1/cm is 0.4 to 1.2 GPa, so it is better measured. */
export const DIAMOND_REFERENCE = 133_400;

export interface DiamondScale {
  readonly name: string;
  readonly source: string;
  /** GPa of an edge and an unloaded edge in 1/cm; dP/dv, dP/dv0, and the terms of the scale's constants. */
  readonly at: (
    v: number,
    v0: number,
  ) => { readonly p: number; readonly v: number; readonly v0: number; readonly constants: readonly Part[] };
  readonly range: readonly [number, number];
  readonly proven: Proven;
}

const [K0, SK0, K1, SK1] = [547, 11, 3.75, 0.2];

const parabola =
  (a: number, b: number, c: number): DiamondScale['at'] =>
  (v) => ({
    p: a + (b + c * v) * v,
    v: b + 2 * c * v,
    v0: 0,
    constants: [],
  });

export const DIAMOND_SCALES: readonly DiamondScale[] = [
  {
    name: 'akahama2006',
    source: 'Akahama and Kawamura, J. Appl. Phys. 100 (2006) 043516',
    at(v, v0) {
      const x = (v - v0) / v0;
      const half = (K1 - 1) / 2;
      const slope = K0 * (1 + 2 * half * x);
      return {
        p: K0 * x * (1 + half * x),
        v: slope / v0,
        v0: (-slope * v) / v0 ** 2,
        constants: [
          [x * (1 + half * x) * 1e9, constant('akahama2006_k0', SK0)],
          [((K0 * x * x) / 2) * 1e9, constant('akahama2006_k0_prime', SK1)],
        ],
      };
    },
    range: [0, 310],
    proven: 'seen',
  },
  {
    name: 'akahama2004',
    source: 'Akahama and Kawamura, J. Appl. Phys. 96 (2004) 3748',
    at: parabola(66.9, -0.5281, 3.585e-4),
    range: [0, 250],
    proven: 'unverified',
  },
  {
    name: 'akahama2010',
    source: 'Akahama and Kawamura, J. Phys. Conf. Ser. 215 (2010) 012195',
    at: parabola(3141, -4.157, 1.429e-3),
    range: [200, 410],
    proven: 'unverified',
  },
];

export const diamondScale = (name: string): DiamondScale | undefined =>
  DIAMOND_SCALES.find((s) => s.name === name.toLowerCase().replace(/[-_ ]/g, ''));

/** The pressure of an edge (1/m) over that of the unloaded anvil (1/m). */
export function diamondGauge(edge: Known, scale: DiamondScale, reference: Known): GaugePressure {
  const { p, v, v0, constants } = scale.at(edge.value / 100, reference.value / 100);
  const slope = v * 1e7; // GPa per 1/cm to Pa per 1/m
  const sigma = carried([[slope, edge.sigma], [v0 * 1e7, reference.sigma], ...constants]);
  const pressure = p * 1e9;
  return {
    pressure,
    sigma,
    scale: scale.name,
    slope,
    doubts: outside(scale.name, pressure, total(sigma), scale.range),
    notes: [
      ...(reference.sigma || v0 === 0 ? [] : ["the reference's uncertainty is not given: no reference term"]),
      ...(constants.length > 0 ? [] : [`the uncertainty of the scale ${scale.name} is not known: no scale term`]),
      ...(scale.proven === 'seen' ? [] : [`the constants of the scale ${scale.name} are unverified: compare them with ${scale.source}`]),
      'stress and orientation of the anvil move the edge: a gauge of the culet, not of the sample',
    ],
  };
}

/** The edge (1/m) at a pressure (Pa); of a parabola the rising side. NaN where there is none. */
export function diamondEdgeAt(pressure: number, scale: DiamondScale, reference = DIAMOND_REFERENCE): number {
  const p = pressure / 1e9;
  let [low, high] = [1300, 2600];
  // Up to the bottom of a parabola the pressure falls.
  while (low < high && scale.at(low, reference / 100).v <= 0) low += 1;
  if (!(scale.at(low, reference / 100).p <= p && scale.at(high, reference / 100).p >= p)) return Number.NaN;
  for (let i = 0; i < 200 && high - low > 1e-13 * high; i++) {
    const middle = (low + high) / 2;
    if (scale.at(middle, reference / 100).p < p) low = middle;
    else high = middle;
  }
  return ((low + high) / 2) * 100;
}

/** The unloaded edge with one sigma of its own, as a cause of its own. */
export const diamondReference = (value = DIAMOND_REFERENCE, sigma?: number): Known => ({
  value,
  ...(sigma === undefined ? {} : { sigma: constant('diamond_reference', sigma) ?? { random: 0 } }),
});
