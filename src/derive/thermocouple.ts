/**
 * Thermocouples K, S, R, B (NIST Monograph 175, ITS-90) and C (W5Re/W26Re). Temperatures in K, voltages in V; inside degrees Celsius and mV,
 * as the tables are. The inverse is that of the table itself, not one of the approximate polynomials.
 */

import type { Sigma } from '../reading.ts';
import { carried, constant, type Known } from './gauge.ts';

export const THERMOCOUPLES = ['K', 'S', 'R', 'B', 'C'] as const;
export type Thermocouple = (typeof THERMOCOUPLES)[number];

interface Piece {
  /** Degrees Celsius at which this piece begins. */
  readonly from: number;
  /** mV/K^n, lowest power first. */
  readonly c: readonly number[];
}

interface Table {
  readonly pieces: readonly Piece[];
  readonly to: number;
  /** a0 exp(a1 (t - a2)^2), in the pieces from 0 degC. */
  readonly bump?: readonly [number, number, number];
  /** Degrees Fahrenheit are the table's variable. */
  readonly fahrenheit?: true;
  /** Degrees Celsius under which the inverse is not one-to-one, or next to flat. */
  readonly least?: number;
  readonly composition: string;
  readonly source: string;
}

const NIST = 'NIST Monograph 175 (ITS-90)';

const TABLES: Readonly<Record<Thermocouple, Table>> = {
  K: {
    composition: 'chromel / alumel',
    source: NIST,
    pieces: [
      {
        from: -270,
        c: [
          0, 0.39450128025e-1, 0.23622373598e-4, -0.32858906784e-6, -0.49904828777e-8, -0.67509059173e-10, -0.57410327428e-12,
          -0.31088872894e-14, -0.10451609365e-16, -0.19889266878e-19, -0.16322697486e-22,
        ],
      },
      {
        from: 0,
        c: [
          -0.17600413686e-1, 0.38921204975e-1, 0.18558770032e-4, -0.99457592874e-7, 0.31840945719e-9, -0.56072844889e-12, 0.56075059059e-15,
          -0.32020720003e-18, 0.97151147152e-22, -0.12104721275e-25,
        ],
      },
    ],
    bump: [0.1185976, -0.1183432e-3, 126.9686],
    to: 1372,
  },
  S: {
    composition: 'Pt-10%Rh / Pt',
    source: NIST,
    pieces: [
      {
        from: -50,
        c: [
          0, 0.540313308631e-2, 0.12593428974e-4, -0.232477968689e-7, 0.322028823036e-10, -0.331465196389e-13, 0.255744251786e-16,
          -0.125068871393e-19, 0.271443176145e-23,
        ],
      },
      { from: 1064.18, c: [0.132900444085e1, 0.334509311344e-2, 0.654805192818e-5, -0.164856259209e-8, 0.129989605174e-13] },
      { from: 1664.5, c: [0.146628232636e3, -0.258430516752, 0.163693574641e-3, -0.330439046987e-7, -0.943223690612e-14] },
    ],
    to: 1768.1,
  },
  R: {
    composition: 'Pt-13%Rh / Pt',
    source: NIST,
    pieces: [
      {
        from: -50,
        c: [
          0, 0.528961729765e-2, 0.139166589782e-4, -0.238855693017e-7, 0.356916001063e-10, -0.462347666298e-13, 0.500777441034e-16,
          -0.373105886191e-19, 0.157716482367e-22, -0.281038625251e-26,
        ],
      },
      {
        from: 1064.18,
        c: [0.295157925316e1, -0.252061251332e-2, 0.159564501865e-4, -0.764085947576e-8, 0.205305291024e-11, -0.293359668173e-15],
      },
      { from: 1664.5, c: [0.152232118209e3, -0.268819888545, 0.171280280471e-3, -0.345895706453e-7, -0.934633971046e-14] },
    ],
    to: 1768.1,
  },
  B: {
    composition: 'Pt-30%Rh / Pt-6%Rh',
    source: NIST,
    pieces: [
      {
        from: 0,
        c: [0, -0.24650818346e-3, 0.59040421171e-5, -0.13257931636e-8, 0.15668291901e-11, -0.1694452924e-14, 0.62990347094e-18],
      },
      {
        from: 630.615,
        c: [
          -0.38938168621e1, 0.2857174747e-1, -0.84885104785e-4, 0.15785280164e-6, -0.16835344864e-9, 0.11109794013e-12, -0.44515431033e-16,
          0.98975640821e-20, -0.93791330289e-24,
        ],
      },
    ],
    to: 1820,
    least: 50,
  },
  C: {
    composition: 'W-5%Re / W-26%Re',
    source: 'Omega z202, "Tungsten-Rhenium Thermocouples Calibration Equivalents" (perhaps IPTS-68: within 1 K)',
    // Its constant term is set so that the voltage is nothing at 0 degC.
    pieces: [{ from: 0, c: [-0.234471, 0.7190027e-2, 0.3956443e-5, -0.1842722e-8, 0.3471851e-12, -0.2616792e-16] }],
    fahrenheit: true,
    to: 2320,
  },
};

const ZERO = 273.15;

/** The range of the table in K. */
export const thermocoupleRange = (type: Thermocouple): readonly [number, number] => [
  (TABLES[type].pieces[0]?.from ?? 0) + ZERO,
  TABLES[type].to + ZERO,
];
export const thermocoupleSource = (type: Thermocouple): string => `${TABLES[type].source}, ${TABLES[type].composition}`;

/** Value and derivative of a polynomial, lowest power first. */
function polynomial(c: readonly number[], x: number): readonly [number, number] {
  let [value, slope] = [0, 0];
  for (let i = c.length - 1; i >= 0; i--) {
    slope = slope * x + value;
    value = value * x + (c[i] ?? 0);
  }
  return [value, slope];
}

/** mV and mV/K at degrees Celsius; the end pieces go on beyond their ends, as the caller has to know. */
function voltage(type: Thermocouple, t: number): readonly [number, number] {
  const { pieces, bump, fahrenheit } = TABLES[type];
  // Pieces meet within a few nV; where they do, the lower one counts.
  const piece = pieces.findLast((p) => t > p.from + 1e-9) ?? pieces[0];
  if (!piece) return [Number.NaN, Number.NaN];
  if (fahrenheit) {
    const [value, slope] = polynomial(piece.c, t * 1.8 + 32);
    return [value - polynomial(piece.c, 32)[0], slope * 1.8];
  }
  const [value, slope] = polynomial(piece.c, t);
  if (!bump || piece.from < 0) return [value, slope];
  const [a, b, at] = bump;
  const hill = a * Math.exp(b * (t - at) ** 2);
  return [value + hill, slope + 2 * b * (t - at) * hill];
}

/** Volts of a thermocouple with its reference junction at 0 degC. NaN outside of its table. */
export function thermocoupleVoltage(type: Thermocouple, temperature: number): number {
  const [low, high] = thermocoupleRange(type);
  return temperature >= low - 1e-9 && temperature <= high + 1e-9 ? voltage(type, temperature - ZERO)[0] / 1e3 : Number.NaN;
}

/** V/K at a temperature (K). */
export const seebeck = (type: Thermocouple, temperature: number): number => voltage(type, temperature - ZERO)[1] / 1e3;

/** Below this (degC) type B falls before it rises: its inverse begins at the bottom. */
const B_BOTTOM = 21.020262;

/** The temperature (K) at which the table gives these volts, reference junction at 0 degC; NaN where it gives them nowhere. */
export function thermocoupleTemperature(type: Thermocouple, volts: number): number {
  const mv = volts * 1e3;
  let low = type === 'B' ? B_BOTTOM : (TABLES[type].pieces[0]?.from ?? 0);
  let high = TABLES[type].to;
  if (!(mv >= voltage(type, low)[0] && mv <= voltage(type, high)[0])) return Number.NaN;
  let t = (low + high) / 2;
  for (let i = 0; i < 200; i++) {
    const [value, slope] = voltage(type, t);
    if (value < mv) low = t;
    else high = t;
    const newton = t - (value - mv) / slope;
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    if (next === t || high - low < 1e-12 * Math.abs(high)) return next + ZERO;
    t = next;
  }
  return t + ZERO;
}

export interface ThermocoupleReading {
  readonly temperature: number;
  readonly sigma?: Sigma;
  readonly suspect?: string;
}

/**
 * The temperature of the hot junction from the measured voltage (V) and the temperature of the cold junction (K). `tolerance`: one sigma of
 * the wire's class (K). Gives a sentence where the table has no such temperature.
 */
export function thermocouple(type: Thermocouple, measured: Known, junction: Known, tolerance?: number): ThermocoupleReading | string {
  const [low, high] = thermocoupleRange(type);
  const cold = thermocoupleVoltage(type, junction.value);
  if (Number.isNaN(cold)) {
    return `the cold junction at ${junction.value.toFixed(1)} K is outside of the table of type ${type}, ${low.toFixed(2)} to ${high.toFixed(2)} K`;
  }
  const temperature = thermocoupleTemperature(type, measured.value + cold);
  if (Number.isNaN(temperature)) {
    const ends = [low, high].map((t) => ((thermocoupleVoltage(type, t) - cold) * 1e3).toFixed(3));
    const text = `${(measured.value * 1e3).toFixed(3)} mV`;
    return `${text} is outside of what type ${type} gives from ${low.toFixed(2)} to ${high.toFixed(2)} K (${ends[0]} to ${ends[1]} mV): open, reversed or of another type`;
  }
  const slope = seebeck(type, temperature);
  const uncertain = measured.sigma !== undefined || junction.sigma !== undefined || tolerance !== undefined;
  const sigma = carried([
    [1 / slope, measured.sigma],
    [seebeck(type, junction.value) / slope, junction.sigma],
    [1, constant('thermocouple', tolerance)],
  ]);
  const least = TABLES[type].least;
  const flat = least !== undefined && temperature < least + ZERO;
  return {
    temperature,
    ...(uncertain ? { sigma } : {}),
    ...(flat ? { suspect: `type ${type} gives next to no voltage below ${least} degC` } : {}),
  };
}
