/** What the ledger has for one spectrum: the lamp or response with its dark, the dark of the spectrum, and the wavelengths of its pixels. */
import { Refused } from '../instrument.ts';
import type { Reading, Trace } from '../reading.ts';
import { type Calibration, interpolate, type Lamp, noiseOfDarkRows, type Rows, type SpectralFrame } from './calibration.ts';
import type { OpticalPath } from './calibration-record.ts';
import { placeOf } from './held.ts';
import {
  axisOf,
  contradiction,
  EMPTY,
  fingerprint,
  type Ledger,
  type LedgerRecord,
  learnt,
  type NoCalibration,
  select,
  type Wanted,
} from './ledger.ts';
import { FLAT, pathMismatch } from './terms.ts';

/** The ledger of one derivation, with what has been prepared of it. The prepared follows from the ledger: it is no state of its own. */
export interface LedgerState {
  readonly ledger: Ledger;
  /** Counts rms of each record's frame, by id. */
  readonly noise: ReadonlyMap<string, number>;
  readonly ready: Map<string, Calibration>;
}
export const noRecords = (): LedgerState => ({ ledger: EMPTY, noise: new Map(), ready: new Map() });

/** With one record more; the noise of its frame is looked up here, once. */
export function withRecord(state: LedgerState, one: LedgerRecord, rows: Rows | undefined): LedgerState {
  const { frame } = one;
  const noise = frame && (frame.readNoise ?? noiseOfDarkRows(frame, rows ?? [0, frame.rows - 1]) ?? 0);
  return {
    ledger: learnt(state.ledger, one),
    noise: noise === undefined ? state.noise : new Map([...state.noise, [one.record.id, noise]]),
    ready: new Map(),
  };
}

/** Constants of the parameter `path`. */
export function pathConstants(value: unknown): OpticalPath | Refused {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    return new Refused('is written as { filter: optics.filter, magnification: 20 }');
  for (const [name, entry] of Object.entries(value)) {
    if (!(typeof entry === 'string' || (typeof entry === 'number' && Number.isFinite(entry))))
      return new Refused(`${name} must be a channel, a word or a number, not ${JSON.stringify(entry)}`);
  }
  return value as OpticalPath; // looked at one by one
}

type Spectrum = Extract<Reading<'trace'>, { readonly quality: 'good' | 'suspect' }>;
type Inputs = Readonly<Record<string, Reading | undefined>>;

/** What is asked of the ledger for a spectrum; a sentence where rig and spectrum contradict each other. */
export function wantedFor(spectrum: Spectrum, inputs: Inputs, constants: OpticalPath, rows: Rows | undefined): Wanted | string {
  const { begin, settings, shape } = spectrum.value;
  const path: Record<string, number | string> = { ...constants };
  for (const [name, reading] of Object.entries(inputs)) {
    if (!name.startsWith('path.') || !reading) continue;
    const place = placeOf(reading);
    if (typeof place === 'string') return place;
    path[name.slice('path.'.length)] = place.value;
  }
  // A calibration that a simulator has given names its origin: it never holds for a measured spectrum.
  const told = { ...fingerprint(settings), origin: spectrum.origin };
  const wrong = contradiction(path, told);
  if (wrong !== undefined) return wrong;
  const whole: Rows = [0, (shape.length > 1 ? (shape[0] ?? 1) : 1) - 1];
  return { of: spectrum.from, t: begin, path, told, rows: rows ?? whole, columns: shape[shape.length - 1] ?? 0 };
}

export interface Axis {
  readonly axis: Float64Array;
  readonly id: string;
}
const axes = new WeakMap<LedgerRecord, Float64Array>();

/** The wavelengths that a record of the ledger gives the pixels of a spectrum. */
export function axisFor({ ledger }: LedgerState, wanted: Wanted): Axis | NoCalibration {
  const one = select(ledger, 'wavelength', wanted);
  if ('refused' in one) return one;
  const known = axes.get(one);
  const axis = known?.length === wanted.columns ? known : axisOf(one.record, wanted.columns);
  const short = one.record.id.slice(0, 8);
  if (!axis) return { refused: `the wavelength calibration ${short} gives no axis over ${wanted.columns} columns`, none: false };
  axes.set(one, axis);
  return { axis, id: one.record.id };
}

/** What a temperature is made with. */
export interface Chosen {
  readonly frame: SpectralFrame;
  readonly calibration: Calibration;
  readonly dark?: SpectralFrame;
  /** One sigma of the lamp's temperature (K), where its record has one. */
  readonly lampSigma?: number;
  /** Ids of the records: first the lamp's. */
  readonly used: readonly string[];
  readonly doubts: readonly string[];
}

export interface DarkWanted {
  /** The rig's own, for the spectrum. */
  readonly file?: SpectralFrame;
  /** The rig says that there is nothing to subtract. */
  readonly none?: boolean;
  /** The fit has a background of its own. */
  readonly fitted?: boolean;
}

/** Everything for the temperature of one spectrum, or a sentence that says why there is none. */
export function chosenFor(
  state: LedgerState,
  spectrum: Spectrum,
  wanted: Wanted,
  frameOf: (trace: Trace, axis?: Float64Array) => SpectralFrame | string,
  darkWanted: DarkWanted,
): Chosen | string {
  const wavelength = axisFor(state, wanted);
  const axis = 'refused' in wavelength ? undefined : wavelength;
  const frame = frameOf(spectrum.value, axis?.axis);
  if (typeof frame === 'string') return 'refused' in wavelength && !wavelength.none ? `${frame}; ${wavelength.refused}` : frame;
  const lamp = select(state.ledger, 'lamp', wanted);
  if ('refused' in lamp) return lamp.refused;
  const doubts: string[] = [];
  if ('refused' in wavelength && !wavelength.none) doubts.push(`the wavelengths are the spectrum's own: ${wavelength.refused}`);
  const corrected = darkWanted.none === true || spectrum.value.settings.background_corrected === 'yes';
  const lampDark = corrected ? undefined : darkOfLamp(state.ledger, lamp, wanted, doubts);
  const dark = darkWanted.file ?? (corrected ? undefined : darkOf(state.ledger, wanted, frame, darkWanted.fitted === true, doubts));
  const calibration = ready(state, { lamp, frame, axis, trace: spectrum.value, ...(lampDark ? { dark: lampDark } : {}) });
  if (typeof calibration === 'string') return calibration;
  const { lamp: light } = lamp.record;
  const used = [lamp, dark && 'record' in dark ? dark : undefined, lampDark].flatMap((one) => (one ? [one.record.id] : []));
  const subtracted = dark && ('record' in dark ? dark.frame : dark);
  return {
    frame,
    calibration,
    ...(subtracted ? { dark: subtracted } : {}),
    ...(light && 'temperature' in light && light.sigma !== undefined ? { lampSigma: light.sigma } : {}),
    used: [...new Set([...used, ...(axis ? [axis.id] : [])])],
    doubts,
  };
}

function darkOf(ledger: Ledger, wanted: Wanted, { exposure }: SpectralFrame, fitted: boolean, doubts: string[]): LedgerRecord | undefined {
  const one = select(ledger, 'dark', { ...wanted, ...(exposure === undefined ? {} : { exposure }) });
  if (!('refused' in one)) return one;
  if (!fitted) doubts.push(`no dark is subtracted: ${one.refused}`);
  return undefined;
}

/** The lamp's own dark, or one of the ledger that held when the lamp was taken, or holds now. */
function darkOfLamp(ledger: Ledger, lamp: LedgerRecord, wanted: Wanted, doubts: string[]): LedgerRecord | undefined {
  const { record, frame, dark } = lamp;
  if (record.calibration === 'response' || dark) return undefined;
  const exposure = record.exposure ?? frame?.exposure;
  const told = { ...wanted.told, ...frame?.path, ...record.path };
  const like: Wanted = { ...wanted, t: record.taken, path: {}, told, ...(exposure === undefined ? {} : { exposure }) };
  const then = select(ledger, 'dark', like);
  if (!('refused' in then)) return then;
  const now = select(ledger, 'dark', { ...like, t: wanted.t });
  if (!('refused' in now)) return now;
  doubts.push(`no dark is subtracted from the lamp: ${now.refused}`);
  return undefined;
}

interface Parts {
  readonly lamp: LedgerRecord;
  readonly dark?: LedgerRecord;
  readonly frame: SpectralFrame;
  readonly axis: Axis | undefined;
  readonly trace: Trace;
}

const MOST_READY = 64;

/** The calibration as the fit takes it: the same object for the same records, so that what is worked out of it is worked out once. */
function ready(state: LedgerState, parts: Parts): Calibration | string {
  const { lamp, dark, frame, axis, trace } = parts;
  const nominal = trace.columns.wavelength?.data;
  const given = lamp.frame;
  if (!given) return `the calibration ${lamp.record.id} has no data`;
  const table = lamp.record.calibration === 'response' && given.counted === false;
  if (!table && nominal && nominal.length >= frame.columns && given.columns === frame.columns) {
    const apart = pathMismatch({ ...frame, wavelength: nominal, path: {} }, { ...given, path: {} });
    if (apart !== undefined) return `the calibration ${lamp.record.id.slice(0, 8)} is of another optical path: ${apart}`;
  }
  const linearity = given.nonlinearity ?? frame.nonlinearity;
  // Of one channel, so of one detector: what its file cannot hold the spectrum tells.
  const readNoise = given.readNoise ?? frame.readNoise ?? state.noise.get(lamp.record.id) ?? 0;
  const saturation = given.saturation ?? frame.saturation;
  const alike = [linearity?.join(' '), readNoise, saturation, table ? axisKey(frame) : ''];
  const key = [lamp.record.id, dark?.record.id, axis?.id, ...alike].join(' ');
  const known = state.ready.get(key);
  if (known) return known;
  const { path: _, ...own } = table ? onAxis(given, frame) : given;
  const calibration: Calibration = {
    frame: {
      ...own,
      readNoise,
      ...(saturation === undefined || table ? {} : { saturation }),
      ...(axis ? { wavelength: axis.axis } : {}),
      ...(linearity && !table ? { nonlinearity: linearity } : {}),
    },
    lamp: lightOf(lamp),
    ...((dark?.frame ?? lamp.dark) ? { dark: dark?.frame ?? lamp.dark } : {}),
    id: lamp.record.id,
  };
  if (state.ready.size >= MOST_READY) state.ready.clear();
  state.ready.set(key, calibration);
  return calibration;
}

function lightOf({ record, radiance }: LedgerRecord): Lamp {
  if (radiance) return { radiance };
  return record.lamp && 'temperature' in record.lamp ? { temperature: record.lamp.temperature } : { radiance: FLAT };
}

const axisKey = ({ wavelength, rows, columns }: SpectralFrame): string => `${rows} ${columns} ${wavelength[0]} ${wavelength[columns - 1]}`;

/** A response that was given as a table, in the shape of the spectrum: of its columns, the same in every row. */
function onAxis(table: SpectralFrame, { wavelength, rows, columns }: SpectralFrame): SpectralFrame {
  const values = Float64Array.from({ length: columns }, (_, i) =>
    interpolate({ wavelength: table.wavelength, value: table.counts }, wavelength[i] ?? Number.NaN),
  );
  const counts = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) counts.set(values, row * columns);
  return { ...table, wavelength, counts, rows, columns };
}
