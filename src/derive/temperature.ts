/** The method `planck-ml` of a rig's derivations: spectrum in, temperature with its error terms out. */
import { Refused, type Schema } from '../instrument.ts';
import { bad, type Measured, type Trace, type Values } from '../reading.ts';
import { quantity, type Unit } from '../units.ts';
import { type Calibration, type Lamp, noiseOfDarkRows, type Rows, type SpectralFrame, type Table } from './calibration.ts';
import type { Derivation } from './derivation.ts';
import { PATH, spectrumOf, tableOf } from './files.ts';
import { METHODS, measureTemperature, type Temperature, type TemperatureParams } from './measure.ts';

const INPUTS = { spectrum: 'trace' } as const;
const OUTPUTS = { temperature: 'K', factor: '1', wien: 'K', two_colour: 'K', chi2: '1' } as const;
type Outputs = typeof OUTPUTS;

/** Parameters that are files in the rig; a Trace does as well. */
const FILES = ['calibration.lamp', 'calibration.radiance', 'calibration.dark', 'dark', 'emissivity'] as const;

const FIELDS: Readonly<Record<string, string>> = {
  window: 'wavelengths to fit, such as [600 nm, 900 nm]; otherwise all',
  rows: 'detector rows, from 0, both ends included, such as [99, 110]; otherwise all',
  mode: `${METHODS.join(' | ')}; otherwise ml`,
  calibration: 'lamp (file), and radiance (file) or temperature (such as 2255 K); dark (file), id',
  dark: 'file to subtract from each spectrum',
  emissivity: 'file of wavelength (nm) and emissivity, or a number',
  gain: 'electrons per count; otherwise the camera says, or 1',
  read_noise: 'counts rms per pixel; otherwise the camera or the dark rows say',
  background: 'constant: fits a background too',
  s_lamp: 'one sigma of the lamp temperature, such as 10 K',
  s_slope: 'one sigma of the emissivity slope: relative change per 150 nm, such as 2 %',
  reproducibility: 'one sigma from run to run, such as 5 K',
  any_path: 'true: uses a calibration of another optical path, as suspect',
};

const params: Schema<TemperatureParams> = {
  fields: FIELDS,
  parse(yaml) {
    if (!isObject(yaml ?? {})) return new Refused('parameters are written as "name: value"');
    const given = Object.entries((yaml ?? {}) as Record<string, unknown>); // an object, checked above
    const out: Record<string, unknown> = {};
    for (const [name, value] of given) {
      const read = READERS[name];
      if (!read) return new Refused(`there is no parameter "${name}"; known are ${Object.keys(FIELDS).join(', ')}`);
      const [key, result] = read(value);
      if (result instanceof Refused) return new Refused(`${name}: ${result.why}`);
      if (result !== undefined) out[key] = result;
    }
    return out as TemperatureParams; // every entry was made by the reader of its name
  },
};

type Reader = (value: unknown) => readonly [keyof TemperatureParams, unknown];
const READERS: Readonly<Record<string, Reader>> = {
  window: (v) => ['window', pair(v, (x) => amount(x, 'm'), '[600 nm, 900 nm]')],
  rows: (v) => [
    'rows',
    pair(
      v,
      (x) => (typeof x === 'number' && Number.isInteger(x) && x >= 0 ? x : new Refused('rows are whole numbers from 0')),
      '[99, 110]',
    ),
  ],
  mode: (v) => ['method', METHODS.find((m) => m === v) ?? new Refused(`must be one of ${METHODS.join(', ')}`)],
  calibration: (v) => ['calibration', calibrationOf(v)],
  dark: (v) => ['dark', frameFrom(v)],
  emissivity: (v) => ['emissivity', emissivityFrom(v)],
  gain: (v) => ['gain', positive(v, '1')],
  read_noise: (v) => ['readNoise', positive(v, '1', true)],
  background: (v) => [
    'background',
    v === 'constant' ? v : v === 'none' || v === false ? undefined : new Refused('must be constant or none'),
  ],
  s_lamp: (v) => ['lampSigma', positive(v, 'K', true)],
  s_slope: (v) => ['emissivitySlope', positive(v, '1', true)],
  reproducibility: (v) => ['reproducibility', positive(v, 'K', true)],
  any_path: (v) => ['anyPath', typeof v === 'boolean' ? v : new Refused('must be true or false')],
};

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v);

function amount(value: unknown, unit: Unit): number | Refused {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (typeof value !== 'string') return new Refused(`${JSON.stringify(value)} is not a quantity in ${unit}`);
  const read = quantity(value);
  if (typeof read === 'string') return new Refused(read);
  return read.unit === unit ? read.value : new Refused(`"${value}" is in ${read.unit}, not in ${unit}`);
}

function positive(value: unknown, unit: Unit, zero = false): number | Refused {
  const n = amount(value, unit);
  if (n instanceof Refused || n > 0 || (zero && n === 0)) return n;
  return new Refused(`must be above zero, not ${String(value)}`);
}

function pair(value: unknown, read: (v: unknown) => number | Refused, example: string): Rows | Refused {
  if (!Array.isArray(value) || value.length !== 2) return new Refused(`must be a pair such as ${example}`);
  const [a, b] = value.map(read);
  if (a instanceof Refused) return a;
  if (b instanceof Refused) return b;
  if (a === undefined || b === undefined || a > b) return new Refused(`must rise, such as ${example}`);
  return [a, b];
}

function calibrationOf(value: unknown): Calibration | Refused {
  if (!isObject(value)) return new Refused('must name a lamp frame and its radiance or temperature');
  const unknown = Object.keys(value).find((k) => !['lamp', 'radiance', 'temperature', 'dark', 'id'].includes(k));
  if (unknown !== undefined) return new Refused(`there is no "${unknown}"; known are lamp, radiance, temperature, dark, id`);
  const frame = frameFrom(value.lamp, 'mean');
  if (frame instanceof Refused) return new Refused(`lamp: ${frame.why}`);
  const dark = value.dark === undefined ? undefined : frameFrom(value.dark, 'mean');
  if (dark instanceof Refused) return new Refused(`dark: ${dark.why}`);
  if ((value.radiance === undefined) === (value.temperature === undefined))
    return new Refused('needs either radiance or temperature of the lamp');
  const known = value.radiance === undefined ? positive(value.temperature, 'K') : tableFrom(value.radiance, 'radiance');
  if (known instanceof Refused) return known;
  const lamp: Lamp = typeof known === 'number' ? { temperature: known } : { radiance: known };
  return { frame, lamp, ...(dark ? { dark } : {}), ...(typeof value.id === 'string' ? { id: value.id } : {}) };
}

function bytesOf(value: unknown): Uint8Array | undefined {
  const bytes = isObject(value) && 'bytes' in value ? value.bytes : value;
  return bytes instanceof Uint8Array ? bytes : undefined;
}

/** From a file's bytes or a Trace. */
function frameFrom(value: unknown, which: number | 'mean' = 'mean'): SpectralFrame | Refused {
  const bytes = bytesOf(value);
  if (bytes) {
    const read = spectrumOf(bytes, which);
    return typeof read === 'string' ? new Refused(read) : read;
  }
  if (!isTrace(value)) return new Refused('is no spectrum: a file (SPE or two columns of text) is needed');
  const read = frameOfTrace(value);
  return typeof read === 'string' ? new Refused(read) : read;
}

function tableFrom(value: unknown, column: string): Table | Refused {
  const bytes = bytesOf(value);
  if (bytes) {
    const read = tableOf(bytes);
    return typeof read === 'string' ? new Refused(read) : read;
  }
  const [x, y] = isTrace(value) ? [value.columns.wavelength?.data, value.columns[column]?.data] : [];
  return x && y ? { wavelength: x, value: y } : new Refused(`is no table of wavelength and ${column}`);
}

/** A constant changes the factor, never the temperature. */
function emissivityFrom(value: unknown): Table | Refused {
  if (typeof value !== 'number') return tableFrom(value, 'emissivity');
  if (!(value > 0 && value <= 1)) return new Refused(`an emissivity lies above 0 and up to 1, not ${value}`);
  return { wavelength: [0, 1], value: [value, value] };
}

const isTrace = (v: unknown): v is Trace => isObject(v) && isObject(v.columns) && Array.isArray(v.shape);

/** A Trace with columns wavelength (m) and counts, shape [rows, columns] or [columns]; settings: exposure, saturation, gain, read_noise, path. */
export function frameOfTrace({ columns, shape, begin, end, settings }: Trace): SpectralFrame | string {
  const [counts, wavelength] = [columns.counts, columns.wavelength];
  if (!counts || !wavelength) return 'the spectrum needs the columns "wavelength" and "counts"';
  if (wavelength.unit !== 'm') return `the wavelengths are in ${wavelength.unit}, not in m`;
  const across = shape[shape.length - 1] ?? 0;
  const rows = shape.length > 1 ? (shape[0] ?? 0) : 1;
  if (shape.length > 2 || wavelength.data.length < across || counts.data.length !== rows * across || across === 0) {
    return `shape [${shape.join(', ')}] does not fit ${wavelength.data.length} wavelengths and ${counts.data.length} counts`;
  }
  const known = (name: string): number | undefined => {
    const value = settings[name];
    return typeof value === 'number' && value > 0 ? value : undefined;
  };
  const optional = {
    exposure: known('exposure') ?? (end > begin ? (end - begin) / 1e6 : undefined),
    saturation: known('saturation'),
    gain: known('gain'),
    readNoise: known('read_noise'),
    averaged: known('averaged'),
  };
  const path = Object.fromEntries(PATH.flatMap((name) => (settings[name] === undefined ? [] : [[name, settings[name]] as const])));
  const present = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined));
  return { wavelength: wavelength.data, counts: counts.data, rows, columns: across, ...present, path };
}

/** What does not change from spectrum to spectrum: the calibration with its noise already looked up. */
interface Prepared {
  readonly calibration?: Calibration;
}

export const planckMl: Derivation<TemperatureParams, typeof INPUTS, Outputs, Prepared> = {
  method: 'planck-ml',
  inputs: INPUTS,
  outputs: OUTPUTS,
  files: FILES,
  params,
  start({ calibration, rows }) {
    if (!calibration) return {};
    const { frame } = calibration;
    const readNoise = frame.readNoise ?? noiseOfDarkRows(frame, rows ?? [0, frame.rows - 1]) ?? 0;
    return { calibration: { ...calibration, frame: { ...frame, readNoise } } };
  },
  step(prepared, { spectrum }, given) {
    if (spectrum.quality === 'bad') return [prepared, nothing(spectrum.why)];
    const frame = frameOfTrace(spectrum.value);
    if (typeof frame === 'string') return [prepared, nothing(frame)];
    const result = measureTemperature(frame, { ...given, ...prepared });
    return [prepared, 'refused' in result ? nothing(result.refused) : valuesOf(result, given)];
  },
};

function nothing(why: string): Values<Outputs> {
  return { temperature: bad(why), factor: bad(why), wien: bad(why), two_colour: bad(why), chi2: bad(why) };
}

function valuesOf(result: Temperature, { emissivitySlope = 0 }: TemperatureParams): Values<Outputs> {
  const { terms, suspect, wien, twoColour, chi2 } = result;
  const quality = suspect === undefined ? { quality: 'good' as const } : { quality: 'suspect' as const, why: suspect };
  const measured = (value: number | undefined, why: string, random?: number): Measured<'K'> & Measured<'1'> =>
    value === undefined || !Number.isFinite(value)
      ? bad(why)
      : { ...quality, value, ...(random === undefined ? {} : { sigma: { random } }) };
  const shared = {
    lamp: terms.lamp,
    window: terms.window,
    emissivity: (result.sensitivity * emissivitySlope) / 0.01,
    reproducibility: terms.reproducibility,
  };
  return {
    temperature: { ...quality, value: result.temperature, sigma: { random: terms.statistical, shared } },
    factor: measured(result.factor, 'no factor'),
    wien: measured(wien?.temperature, 'too few pixels with a positive signal', wien?.sigma),
    two_colour: measured(twoColour.median, 'no pair of pixels above five sigma', twoColour.mad),
    chi2: measured(chi2, `the method ${result.method} has no noise model`),
  };
}
