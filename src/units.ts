/** Units: SI without prefix inside the program; everything a person writes is converted once, here. */

export const UNITS = [
  'K',
  'Pa',
  'Pa/s',
  'V',
  'V/s',
  'A',
  'W',
  'Ω',
  'Ω m',
  'W/m/K',
  'W Ω/K²',
  'm',
  's',
  '1/s',
  'rad',
  'K/s',
  'kg',
  '1',
] as const;
export type Unit = (typeof UNITS)[number];

/** The name of the quantity that a unit measures; it names the measurement in InfluxDB. */
export const QUANTITY: Readonly<Record<Unit, string>> = {
  K: 'temperature',
  Pa: 'pressure',
  'Pa/s': 'pressure_rate',
  V: 'voltage',
  'V/s': 'voltage_rate',
  A: 'current',
  W: 'power',
  Ω: 'resistance',
  'Ω m': 'resistivity',
  'W/m/K': 'thermal_conductivity',
  'W Ω/K²': 'lorenz_number',
  m: 'length',
  s: 'time',
  '1/s': 'rate',
  rad: 'angle',
  'K/s': 'temperature_rate',
  kg: 'mass',
  '1': 'number',
};

/** Written unit -> [SI unit, factor, offset]: SI = value * factor + offset. Factors are exact by definition of the unit. */
const WRITTEN: Readonly<Record<string, readonly [Unit, number, number?]>> = {
  K: ['K', 1],
  mK: ['K', 1e-3],
  '°C': ['K', 1, 273.15],
  degC: ['K', 1, 273.15],
  Pa: ['Pa', 1],
  hPa: ['Pa', 100],
  kPa: ['Pa', 1e3],
  MPa: ['Pa', 1e6],
  GPa: ['Pa', 1e9],
  bar: ['Pa', 1e5],
  mbar: ['Pa', 100],
  'Pa/s': ['Pa/s', 1],
  'bar/s': ['Pa/s', 1e5],
  'mbar/s': ['Pa/s', 100],
  'bar/min': ['Pa/s', 1e5 / 60],
  V: ['V', 1],
  mV: ['V', 1e-3],
  µV: ['V', 1e-6],
  uV: ['V', 1e-6],
  nV: ['V', 1e-9],
  kV: ['V', 1e3],
  'V/s': ['V/s', 1],
  'mV/s': ['V/s', 1e-3],
  'nV/s': ['V/s', 1e-9],
  'V/min': ['V/s', 1 / 60],
  A: ['A', 1],
  mA: ['A', 1e-3],
  µA: ['A', 1e-6],
  uA: ['A', 1e-6],
  nA: ['A', 1e-9],
  W: ['W', 1],
  mW: ['W', 1e-3],
  kW: ['W', 1e3],
  Ω: ['Ω', 1],
  Ohm: ['Ω', 1],
  ohm: ['Ω', 1],
  mΩ: ['Ω', 1e-3],
  mOhm: ['Ω', 1e-3],
  µΩ: ['Ω', 1e-6],
  uOhm: ['Ω', 1e-6],
  kOhm: ['Ω', 1e3],
  kΩ: ['Ω', 1e3],
  'Ω m': ['Ω m', 1],
  'Ohm m': ['Ω m', 1],
  'uOhm cm': ['Ω m', 1e-8],
  'µΩ cm': ['Ω m', 1e-8],
  'W/m/K': ['W/m/K', 1],
  'W Ohm/K2': ['W Ω/K²', 1],
  'W Ω/K²': ['W Ω/K²', 1],
  m: ['m', 1],
  cm: ['m', 1e-2],
  mm: ['m', 1e-3],
  µm: ['m', 1e-6],
  um: ['m', 1e-6],
  nm: ['m', 1e-9],
  pm: ['m', 1e-12],
  s: ['s', 1],
  ms: ['s', 1e-3],
  µs: ['s', 1e-6],
  us: ['s', 1e-6],
  ns: ['s', 1e-9],
  min: ['s', 60],
  h: ['s', 3600],
  d: ['s', 86400],
  '1/s': ['1/s', 1],
  Hz: ['1/s', 1],
  kHz: ['1/s', 1e3],
  MHz: ['1/s', 1e6],
  '1/min': ['1/s', 1 / 60],
  rad: ['rad', 1],
  mrad: ['rad', 1e-3],
  deg: ['rad', Math.PI / 180],
  '°': ['rad', Math.PI / 180],
  'K/s': ['K/s', 1],
  'K/min': ['K/s', 1 / 60],
  '°C/min': ['K/s', 1 / 60],
  kg: ['kg', 1],
  g: ['kg', 1e-3],
  '1': ['1', 1],
  '%': ['1', 0.01],
  ppm: ['1', 1e-6],
};

export interface Quantity {
  readonly value: number;
  readonly sigma?: number;
  readonly unit: Unit;
}

const NUMBER = '[+-]?(?:\\d+\\.?\\d*|\\.\\d+)(?:[eE][+-]?\\d+)?';
const TWICE = new RegExp(`^\\s*(${NUMBER})\\s*((?:1\\/)?[^\\s\\d.].*?)\\s*(?:\\+-|±)\\s*(${NUMBER})\\s*\\2\\s*$`);
const OTHER = new RegExp(`^\\s*(${NUMBER})\\s*((?:1\\/)?[^\\s\\d+±-].*?)\\s*(?:\\+-|±)\\s*(${NUMBER})\\s*((?:1\\/)?[^\\s\\d].*?)\\s*$`);
const QUANTITY_TEXT = new RegExp(`^\\s*(${NUMBER})\\s*(?:(?:\\+-|±)\\s*(${NUMBER})\\s*)?(.*?)\\s*$`);

/**
 * Reads "600 nm", "2.44e-8 +- 0.2e-8 W Ohm/K2", "1 mA +- 2 uA" or a bare number (unit '1') into SI.
 * Gives a sentence that says what is wrong and what would be right when the text is no such quantity.
 */
export function quantity(text: string | number): Quantity | string {
  if (typeof text === 'string') {
    const [, value, unit = '', spread, other = ''] = OTHER.exec(text) ?? [];
    // "1 mA +- 2 uA": of one quantity, in two units
    if (value !== undefined && unit !== other && WRITTEN[unit]?.[0] !== undefined && WRITTEN[unit][0] === WRITTEN[other]?.[0]) {
      const of = quantity(`${value} ${unit}`);
      return typeof of === 'string' ? of : { ...of, sigma: Math.abs(scale(Number(spread), WRITTEN[other][1])) };
    }
  }
  if (typeof text === 'number') return Number.isFinite(text) ? { value: text, unit: '1' } : 'not a finite number';
  const match = QUANTITY_TEXT.exec(bothInOneUnit(text));
  if (!match) return `"${text}" is not a number with a unit, such as "600 nm"`;
  const [, number = '', spread, written = ''] = match;
  const name = written === '' ? '1' : written.replace(/\s+/g, ' ');
  if (!Object.hasOwn(WRITTEN, name)) return `the unit "${written}" is not known; known are ${Object.keys(WRITTEN).join(', ')}`;
  const [si, factor, offset = 0] = WRITTEN[name];
  const value = scale(Number(number), factor) + offset;
  if (!Number.isFinite(value)) return `"${text}" is not a finite number`;
  return spread === undefined ? { value, unit: si } : { value, sigma: Math.abs(scale(Number(spread), factor)), unit: si };
}

/** "12 um +- 1 um" as "12 +- 1 um", where both have the same unit. */
const bothInOneUnit = (text: string): string => text.replace(TWICE, '$1 +- $3 $2');

/** A decimal prefix divides by its exact inverse, so that "600 nm" is the same number as 600e-9. */
function scale(value: number, factor: number): number {
  const inverse = Math.round(1 / factor);
  return factor < 1 && Math.abs(inverse * factor - 1) < 1e-12 ? value / inverse : value * factor;
}

/** A value of a known unit as a person reads it: four to six digits and the prefix that suits. */
export function show(value: number, unit: Unit | '', sigma?: number): string {
  // Angles are read in degrees.
  const angle = unit === 'rad';
  const [shown, prefix] = angle ? ([(value * 180) / Math.PI, ''] as const) : prefixed(value, unit);
  const factor = angle ? 180 / Math.PI : value === 0 || shown === 0 ? 1 : shown / value;
  const digits = sigma && sigma > 0 ? Math.max(0, Math.min(9, 1 - Math.floor(Math.log10(sigma * factor)))) : undefined;
  const text = digits === undefined ? String(Number(shown.toPrecision(6))) : shown.toFixed(digits);
  const bar = digits === undefined ? '' : ` ± ${((sigma ?? 0) * factor).toFixed(digits)}`;
  const name = unit === '1' ? '' : angle ? 'deg' : `${prefix}${unit}`;
  return `${text}${bar}${name && ` ${name}`}`;
}

const PREFIXES: readonly (readonly [number, string])[] = [
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
  [1, ''],
  [1e-3, 'm'],
  [1e-6, 'µ'],
  [1e-9, 'n'],
  [1e-12, 'p'],
];

function prefixed(value: number, unit: Unit | ''): readonly [number, string] {
  if (unit.startsWith('1') || unit === 'K' || unit === '' || unit === 'kg' || value === 0) return [value, ''];
  if (unit === 's' && Math.abs(value) >= 1) return [value, ''];
  for (const [size, prefix] of PREFIXES) if (Math.abs(value) >= size) return [value / size, prefix];
  return [value, ''];
}

export const celsius = (degrees: number): number => degrees + 273.15;
export const bar = (value: number): number => value * 1e5;
export const nanometre = (value: number): number => value / 1e9;
export const percent = (value: number): number => value / 100;
