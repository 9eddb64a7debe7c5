/** The method `planck-ml` of a rig's derivations: spectrum in, temperature with its error terms out. */
import { Refused, type Schema } from '../instrument.ts';
import { bad, type Measured, type Trace, type Values } from '../reading.ts';
import { quantity, type Unit } from '../units.ts';
import { type Calibration, type Lamp, noiseOfDarkRows, type Rows, type SpectralFrame, type Table } from './calibration.ts';
import type { OpticalPath } from './calibration-record.ts';
import type { Derivation, Stepped } from './derivation.ts';
import { emissivityOf, MATERIALS } from './emissivity.ts';
import { spectrumOf, tableOf } from './files.ts';
import { fingerprint } from './ledger.ts';
import { chosenFor, type LedgerState, noRecords, pathConstants, wantedFor, withRecord } from './ledger-spectrum.ts';
import { coefficientsOf } from './linearity.ts';
import { METHODS, measureTemperature, type Temperature, type TemperatureParams } from './measure.ts';

const INPUTS = { spectrum: 'trace' } as const;
/** sensitivity: shift of the temperature by an emissivity that rises 1 % per 150 nm. */
const OUTPUTS = { temperature: 'K', factor: '1', wien: 'K', two_colour: 'K', chi2: '1', sensitivity: 'K' } as const;
type Outputs = typeof OUTPUTS;

interface Params extends TemperatureParams {
  /** The calibration comes from the rig's ledger. */
  readonly auto?: true;
  /** What the rig tells of the optical path and no channel does. */
  readonly path?: OpticalPath;
  /** There is nothing to subtract. */
  readonly noDark?: true;
}

/** Parameters that are files in the rig; a Trace does as well. */
const FILES = ['calibration.lamp', 'calibration.radiance', 'calibration.dark', 'dark', 'emissivity'] as const;

const FIELDS: Readonly<Record<string, string>> = {
  window: 'wavelengths to fit, such as [600 nm, 900 nm]; otherwise all',
  rows: 'detector rows, from 0, both ends included, such as [99, 110]; otherwise all',
  mode: `${METHODS.join(' | ')}; otherwise ml`,
  calibration:
    'auto: the one of the rig that fits the optical path; or lamp (file), and radiance (file) or temperature (such as 2255 K); dark (file), id',
  path: 'with calibration auto: what shapes the response, such as { filter: optics.filter, side: up }: channels, words or numbers',
  dark: 'file to subtract from each spectrum; with calibration auto otherwise the dark that fits, or none',
  emissivity: 'file of wavelength (nm) and emissivity, a number, or { material: tungsten }',
  gain: 'electrons per count; otherwise the camera says, or 1',
  read_noise: 'counts rms per pixel; otherwise the camera or the dark rows say',
  background: 'constant: fits a background too',
  s_lamp: 'one sigma of the lamp temperature, such as 10 K',
  s_slope: 'one sigma of the emissivity slope: relative change per 150 nm, such as 2 %',
  reproducibility: 'one sigma from run to run, such as 5 K',
  any_path: 'true: uses a calibration of another optical path, as suspect',
};

const params: Schema<Params> = {
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
    return together(out as Params); // every entry was made by the reader of its name
  },
};

/** What means nothing without the other. */
function together(p: Params): Params | Refused {
  if (p.path && !p.auto)
    return new Refused('path: is compared where the calibration is "auto"; leave it out, or write "calibration: auto"');
  if (p.noDark && !p.auto) return new Refused('dark: "none" is for the calibration "auto"; leave it out');
  if (p.anyPath && p.auto) return new Refused('any_path: a calibration that is chosen by its path cannot be one of any path; leave it out');
  return p;
}

type Reader = (value: unknown) => readonly [keyof Params, unknown];
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
  calibration: (v) => (v === 'auto' ? ['auto', true] : ['calibration', calibrationOf(v)]),
  path: (v) => ['path', pathConstants(v)],
  dark: (v) => (v === 'none' ? ['noDark', true] : v === 'auto' ? ['dark', undefined] : ['dark', frameFrom(v)]),
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
  if (typeof value === 'number' && Number.isFinite(value))
    return unit === '1' ? value : new Refused(`${value} has no unit; a quantity in ${unit} is wanted`);
  if (typeof value !== 'string') return new Refused(`${JSON.stringify(value)} is not a quantity in ${unit}`);
  const read = quantity(value);
  if (typeof read === 'string') return new Refused(read);
  if (read.sigma !== undefined) return new Refused(`"${value}" has an uncertainty, and none is taken here; of a lamp it is s_lamp`);
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
  if (isObject(value) && 'material' in value) return ofMaterial(value);
  if (typeof value !== 'number') return tableFrom(value, 'emissivity');
  if (!(value > 0 && value <= 1)) return new Refused(`an emissivity lies above 0 and up to 1, not ${value}`);
  return { wavelength: [0, 1], value: [value, value] };
}

function ofMaterial(given: Record<string, unknown>): Table | Refused {
  const strange = Object.keys(given).find((k) => k !== 'material' && k !== 'temperature');
  if (strange !== undefined) return new Refused(`there is no "${strange}"; known are material, temperature`);
  const known = MATERIALS.find(({ name }) => name === given.material);
  if (!known) {
    const names = MATERIALS.map(({ name }) => name).join(', ');
    return new Refused(`there is no material ${JSON.stringify(given.material)}; there are ${names}; of others give a file`);
  }
  const kelvin = given.temperature === undefined ? undefined : positive(given.temperature, 'K');
  if (kelvin instanceof Refused) return kelvin;
  const [low, high] = known.temperature;
  return emissivityOf(known.name, kelvin) ?? new Refused(`the emissivity of ${known.name} is known from ${low} to ${high} K`);
}

const isTrace = (v: unknown): v is Trace => isObject(v) && isObject(v.columns) && Array.isArray(v.shape);

/**
 * A Trace with columns wavelength (m) and counts, shape [rows, columns] or [columns]; settings: exposure, saturation, gain, read_noise,
 * nonlinearity, path. `axis` (m) takes the place of its wavelengths.
 */
export function frameOfTrace({ columns, shape, begin, end, settings }: Trace, axis?: Float64Array): SpectralFrame | string {
  const counts = columns.counts;
  const wavelength = axis ? { unit: 'm', data: axis } : columns.wavelength;
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
  const nonlinearity = coefficientsOf(settings.nonlinearity);
  const present = Object.fromEntries(Object.entries({ ...optional, nonlinearity }).filter(([, value]) => value !== undefined));
  return { wavelength: wavelength.data, counts: counts.data, rows, columns: across, ...present, path: fingerprint(settings) };
}

/** What does not change from spectrum to spectrum: the calibration with its noise already looked up, or the ledger. */
interface Prepared {
  readonly calibration?: Calibration;
  readonly records?: LedgerState;
}

export const planckMl: Derivation<Params, typeof INPUTS, Outputs, Prepared> = {
  method: 'planck-ml',
  inputs: INPUTS,
  outputs: OUTPUTS,
  files: FILES,
  takes: ['lamp', 'response', 'wavelength', 'dark'],
  params,
  start({ calibration, rows, auto }) {
    if (auto) return { records: noRecords() };
    if (!calibration) return {};
    const { frame } = calibration;
    const readNoise = frame.readNoise ?? noiseOfDarkRows(frame, rows ?? [0, frame.rows - 1]) ?? 0;
    return { calibration: { ...calibration, frame: { ...frame, readNoise } } };
  },
  learn: (prepared, record, { rows }) => (prepared.records ? { records: withRecord(prepared.records, record, rows) } : prepared),
  step(prepared, inputs, given) {
    const { spectrum } = inputs;
    if (spectrum.quality === 'bad') return [prepared, nothing(spectrum.why)];
    const [next, values, ids] = prepared.records
      ? fromLedger(prepared, prepared.records, spectrum, inputs, given)
      : fromFiles(prepared, spectrum.value, given);
    return ids ? [next, during(spectrum, values), ids] : [next, during(spectrum, values)];
  },
};

/** A temperature is that of the middle of its exposure: what is paired with it by time is of the same instant. */
function during({ t, value: { begin, end } }: Parameters<typeof wantedFor>[0], values: Values<Outputs>): Values<Outputs> {
  const middle = end > begin ? Math.round((begin + end) / 2) : t;
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, { ...(value as Measured<'K'>), t: middle }]),
  ) as Values<Outputs>; // none is bare
}

function fromFiles(prepared: Prepared, spectrum: Trace, given: Params): Stepped<Prepared, Outputs> {
  const frame = frameOfTrace(spectrum);
  if (typeof frame === 'string') return [prepared, nothing(frame)];
  const result = measureTemperature(frame, { ...given, ...prepared });
  return [prepared, 'refused' in result ? nothing(result.refused) : valuesOf(result, given)];
}

/** With the calibrations that fit this spectrum; its values carry their ids. */
function fromLedger(
  prepared: Prepared,
  records: LedgerState,
  spectrum: Parameters<typeof wantedFor>[0],
  inputs: Parameters<typeof wantedFor>[1],
  given: Params,
): Stepped<Prepared, Outputs> {
  const wanted = wantedFor(spectrum, inputs, given.path ?? {}, given.rows);
  if (typeof wanted === 'string') return [prepared, nothing(wanted)];
  const dark = {
    ...(given.dark ? { file: given.dark } : {}),
    ...(given.noDark ? { none: true } : {}),
    ...(given.background ? { fitted: true } : {}),
  };
  const chosen = chosenFor(records, spectrum, wanted, frameOfTrace, dark);
  if (typeof chosen === 'string') return [prepared, nothing(chosen)];
  const { frame, calibration, used, doubts } = chosen;
  const lampSigma = given.lampSigma ?? chosen.lampSigma;
  const result = measureTemperature(frame, {
    ...given,
    calibration,
    ...(chosen.dark ? { dark: chosen.dark } : {}),
    ...(lampSigma === undefined ? {} : { lampSigma }),
  });
  return [prepared, 'refused' in result ? nothing(result.refused) : valuesOf(result, given, doubts), used];
}

function nothing(why: string): Values<Outputs> {
  const none = bad(why);
  return { temperature: none, factor: none, wien: none, two_colour: none, chi2: none, sensitivity: none };
}

function valuesOf(result: Temperature, { emissivitySlope = 0 }: TemperatureParams, more: readonly string[] = []): Values<Outputs> {
  const { terms, wien, twoColour, chi2 } = result;
  const suspect = [...(result.suspect === undefined ? [] : [result.suspect]), ...more].join('; ');
  const quality = suspect === '' ? { quality: 'good' as const } : { quality: 'suspect' as const, why: suspect };
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
    sensitivity: measured(result.sensitivity, 'the spectrum carries no information on temperature'),
  };
}
