/** The SrB4O7:Sm2+ gauge: its 0-0 line hardly moves with temperature. Line and reference in metre, pressure in Pa, temperature in K. */
import { total } from '../reading.ts';
import { carried, constant, type GaugePressure, type Known, nanometres, outside, type Proven } from './gauge.ts';

export interface SamariumScale {
  readonly name: string;
  readonly source: string;
  /** The 0-0 line at ambient conditions (m) that the scale was made with. */
  readonly reference: number;
  /** GPa and GPa/nm for a shift in nm. */
  readonly pressure: (d: number) => number;
  readonly slope: (d: number) => number;
  /** GPa; from memory, as the constants' sources state none. */
  readonly range: readonly [number, number];
  readonly proven: Proven;
}

/** k d (1 + a d)/(1 + b d). */
const rational = (k: number, a: number, b: number): Pick<SamariumScale, 'pressure' | 'slope'> => ({
  pressure: (d) => (k * d * (1 + a * d)) / (1 + b * d),
  slope: (d) => (k * (1 + 2 * a * d + a * b * d * d)) / (1 + b * d) ** 2,
});

const R_LINE = 685.51;
const R_POWER = -14.3;

export const SAMARIUM_SCALES: readonly SamariumScale[] = [
  {
    name: 'rashchenko2015',
    source: 'Rashchenko et al., J. Appl. Phys. 117 (2015) 145902',
    reference: 685.51e-9,
    pressure: (d) => (2836 / R_POWER) * Math.expm1(R_POWER * Math.log1p(d / R_LINE)),
    slope: (d) => (2836 / R_LINE) * Math.exp((R_POWER - 1) * Math.log1p(d / R_LINE)),
    range: [0, 60],
    proven: 'seen',
  },
  {
    name: 'datchi2007',
    source: 'Datchi et al., High Pressure Research 27 (2007) 447',
    reference: 685.44e-9,
    ...rational(3.989, 0.006915, 0.0166),
    range: [0, 130],
    proven: 'seen',
  },
  {
    name: 'datchi1997',
    source: 'Datchi, LeToullec and Loubeyre, J. Appl. Phys. 81 (1997) 3333',
    reference: 685.41e-9,
    ...rational(4.032, 9.29e-3, 2.32e-2),
    range: [0, 124],
    proven: 'seen',
  },
];

export const samariumScale = (name: string): SamariumScale | undefined =>
  SAMARIUM_SCALES.find((s) => s.name === name.toLowerCase().replace(/[-_ ]/g, ''));

/** Datchi et al. 2007 count from here; their curve is tabulated up to 900 K. */
const FROM = 296;
const SHIFT_RANGE = [296, 900] as const;

/** Shift of the line (m) from 296 K to a temperature (K). */
export function samariumShift(temperature: number): number {
  const d = temperature - FROM;
  return ((-8.7e-5 + (4.62e-6 - 2.38e-9 * d) * d) * d) / 1e9;
}

const shiftSlope = (temperature: number): number => {
  const d = temperature - FROM;
  return (-8.7e-5 + (9.24e-6 - 7.14e-9 * d) * d) / 1e9;
};

/** A degree around room temperature moves the line by 0.1 pm: no doubt. */
const ROOM_SPREAD = 10;

/** The pressure of a line (m), with the uncertainties of line, reference and temperature; the scales state none of their own. */
export function samariumGauge(line: Known, scale: SamariumScale, reference: Known, temperature?: Known): GaugePressure {
  const shift = temperature ? samariumShift(temperature.value) : 0;
  const d = nanometres(line.value) - shift * 1e9 - nanometres(reference.value);
  const slope = scale.slope(d) * 1e18;
  const sigma = carried([
    [slope, line.sigma],
    [-slope, reference.sigma],
    [temperature ? -slope * shiftSlope(temperature.value) : 0, temperature?.sigma],
  ]);
  const pressure = scale.pressure(d) * 1e9;
  const t = temperature?.value ?? FROM;
  const [low, high] = SHIFT_RANGE;
  const hot = t >= low - ROOM_SPREAD && t <= high;
  return {
    pressure,
    sigma,
    scale: scale.name,
    slope,
    ...(temperature ? { shift } : {}),
    doubts: [
      ...outside(scale.name, pressure, total(sigma), scale.range),
      ...(hot ? [] : [`${Math.round(t)} K is outside of the temperature correction datchi2007, which holds from ${low} to ${high} K`]),
    ],
    notes: [
      ...(temperature
        ? temperature.sigma
          ? []
          : ['the uncertainty of the temperature is not given: no temperature term']
        : [`the temperature is not given: taken as ${FROM} K`]),
      ...(reference.sigma ? [] : ["the reference's uncertainty is not given: no reference term"]),
      `the uncertainty of the scale ${scale.name} is not known: no scale term; its range is unverified`,
    ],
  };
}

/** Where the line (m) is at a pressure (Pa) and a temperature (K); NaN above all that the scale can give. */
export function samariumLineAt(pressure: number, scale: SamariumScale, reference = scale.reference, temperature = FROM): number {
  const p = pressure / 1e9;
  let [low, high] = [-10, 10];
  // All three rise with the shift as far as they mean anything.
  while (high < 300 && scale.pressure(high) < p) high *= 1.5;
  if (!(scale.pressure(low) <= p && scale.pressure(high) >= p)) return Number.NaN;
  for (let i = 0; i < 200 && high - low > 1e-15 * Math.max(1, Math.abs(high)); i++) {
    const middle = (low + high) / 2;
    if (scale.pressure(middle) < p) low = middle;
    else high = middle;
  }
  return (nanometres(reference) + (low + high) / 2) / 1e9 + samariumShift(temperature);
}

/** The reference with one sigma of its own, as a cause of its own. */
export const samariumReference = (value: number, sigma?: number): Known => ({
  value,
  ...(sigma === undefined ? {} : { sigma: constant('samarium_reference', sigma) ?? { random: 0 } }),
});
