/** The calibrations that there are, and which of them fits a spectrum. Pure: what is learnt makes a new ledger. */
import { quantity, show } from '../units.ts';
import type { Rows, SpectralFrame, Table } from './calibration.ts';
import { type CalibrationKind, type CalibrationRecord, moment, type OpticalPath } from './calibration-record.ts';
import { PATH, spectrumOf, tableOf } from './files.ts';

/** The bytes of the files that a record names. */
export interface CalibrationFiles {
  readonly data?: Uint8Array;
  readonly dark?: Uint8Array;
  readonly radiance?: Uint8Array;
}

/** A record whose files have been read, ready to be used. */
export interface LedgerRecord {
  readonly record: CalibrationRecord;
  readonly frame?: SpectralFrame;
  /** The lamp's own dark. */
  readonly dark?: SpectralFrame;
  readonly radiance?: Table;
}

export interface NotPrepared {
  readonly wrong: string;
  /** The file that it is wrong with. */
  readonly of: keyof CalibrationFiles | 'record';
}

/** Reads the files of a record, all frames of one averaged. Never throws for what they hold. */
export function prepared(record: CalibrationRecord, files: CalibrationFiles): LedgerRecord | NotPrepared {
  const frame = files.data && spectrumOf(files.data, 'mean');
  if (typeof frame === 'string') return { wrong: frame, of: 'data' };
  const dark = files.dark && spectrumOf(files.dark, 'mean');
  if (typeof dark === 'string') return { wrong: dark, of: 'dark' };
  const radiance = files.radiance && tableOf(files.radiance);
  if (typeof radiance === 'string') return { wrong: radiance, of: 'radiance' };
  if (record.calibration !== 'wavelength' && !frame) return { wrong: `a ${record.calibration} calibration needs its data`, of: 'data' };
  const columns = record.region.columns;
  if (frame && frame.counted !== false && columns !== undefined && frame.columns !== columns)
    return { wrong: `the record speaks of ${columns} columns, and its data has ${frame.columns}`, of: 'data' };
  if (frame && record.region.rows && record.region.rows[1] >= frame.rows && frame.counted !== false)
    return { wrong: `the record speaks of rows up to ${record.region.rows[1]}, and its data has ${frame.rows}`, of: 'data' };
  if (frame && dark && (dark.rows !== frame.rows || dark.columns !== frame.columns))
    return { wrong: `the dark has ${dark.rows} x ${dark.columns} pixels, the lamp ${frame.rows} x ${frame.columns}`, of: 'dark' };
  if (record.calibration === 'wavelength' && !axisOf(record, columns ?? 2))
    return { wrong: 'the coefficients give no axis: its wavelengths must all be above zero, and rise or fall', of: 'record' };
  return { record, ...(frame ? { frame } : {}), ...(dark ? { dark } : {}), ...(radiance ? { radiance } : {}) };
}

/** Newest first. */
export interface Ledger {
  readonly records: readonly LedgerRecord[];
}
export const EMPTY: Ledger = { records: [] };

/** The ledger with one record more; one of the same id takes the place of the old one. */
export function learnt(ledger: Ledger, record: LedgerRecord): Ledger {
  const others = ledger.records.filter((r) => r.record.id !== record.record.id);
  // Of two of one time the one learnt later comes first.
  const at = others.findIndex((r) => r.record.taken <= record.record.taken);
  return { records: others.toSpliced(at < 0 ? others.length : at, 0, record) };
}

/** Settings of a spectrum that shape its response: compared wherever both spectrum and calibration tell them. */
export const FINGERPRINT = [...PATH, 'serial', 'binning'] as const;

/** What of a trace's settings belongs to the optical path. A new record's `path` is this and what the rig tells. */
export function fingerprint(settings: Readonly<Record<string, number | string>>): OpticalPath {
  return Object.fromEntries(FINGERPRINT.flatMap((name) => (settings[name] === undefined ? [] : [[name, settings[name]] as const])));
}

/** The spectrum for which a calibration is wanted. */
export interface Wanted {
  /** instrument.channel */
  readonly of: string;
  /** Microseconds: when the exposure began. */
  readonly t: number;
  /** What the rig tells of the path; a calibration must tell the same of all of it. */
  readonly path: OpticalPath;
  /** What the spectrum itself tells. */
  readonly told: OpticalPath;
  readonly rows?: Rows;
  readonly columns: number;
  /** Seconds. */
  readonly exposure?: number;
}

/** Why no record of the ledger fits, and what to do. `none`: there is none of this kind and channel at all. */
export interface NoCalibration {
  readonly refused: string;
  readonly none: boolean;
}

interface Difference {
  readonly name: string;
  readonly mine: string | undefined;
  readonly theirs: string | undefined;
}

const KINDS = { lamp: ['lamp', 'response'], dark: ['dark'], wavelength: ['wavelength'] } as const;
export type Need = keyof typeof KINDS;

/**
 * The newest record that holds for the spectrum: of its channel, valid when the exposure began, and of the same path and region (numbers to
 * one part in a thousand). A lamp or a response must tell all that the rig tells of the path, and nothing that is not known of the
 * spectrum. Of a dark and of wavelengths only what the record itself names is compared; a dark must have the same exposure.
 */
export function select(ledger: Ledger, need: Need, wanted: Wanted): LedgerRecord | NoCalibration {
  const kinds: readonly CalibrationKind[] = KINDS[need];
  let nearest: { readonly one: LedgerRecord; readonly off: readonly Difference[]; readonly valid: boolean } | undefined;
  for (const one of ledger.records) {
    if (one.record.of !== wanted.of || !kinds.includes(one.record.calibration)) continue;
    const valid = holdsAt(one.record, wanted.t);
    const off = differences(need, one, wanted);
    if (valid && off.length === 0) return one;
    const nearer = !nearest || off.length < nearest.off.length || (off.length === nearest.off.length && valid && !nearest.valid);
    if (nearer) nearest = { one, off, valid };
  }
  const advice = `take one: bridgman calibrate ${need} ${wanted.of}`;
  if (!nearest) return { refused: `no ${need} calibration of ${wanted.of}; ${advice}`, none: true };
  const { one, off, valid } = nearest;
  const short = one.record.id.slice(0, 8);
  const time = valid ? undefined : `${untimely(one.record, wanted.t)}`;
  if (off.length === 0) return { refused: `the ${need} calibration ${short} of ${wanted.of} ${time}; ${advice}`, none: false };
  const mine = off.map(({ name, mine }) => `${name} ${mine ?? 'not known'}`).join(', ');
  const theirs = off.map(({ name, theirs }) => `${name} ${theirs ?? 'not recorded'}`).join(', ');
  return {
    refused: `no ${need} calibration for ${mine} (nearest ${short}: ${theirs}${time === undefined ? '' : `, ${time}`}); ${advice}`,
    none: false,
  };
}

const holdsAt = ({ valid: { from, until } }: CalibrationRecord, t: number): boolean => t >= from && (until === undefined || t <= until);
function untimely({ valid: { from, until } }: CalibrationRecord, t: number): string {
  return until !== undefined && t > until ? `expired at ${moment(until)}` : `holds from ${moment(from)} on`;
}

const entry = (path: OpticalPath, name: string): number | string | undefined => (Object.hasOwn(path, name) ? path[name] : undefined);

function differences(need: Need, one: LedgerRecord, wanted: Wanted): readonly Difference[] {
  const { record, frame } = one;
  const told: OpticalPath = { ...frame?.path, ...record.path };
  const found: Difference[] = [];
  const names =
    need === 'lamp'
      ? new Set([...Object.keys(wanted.path), ...Object.keys(record.path), ...Object.keys(told)])
      : new Set([...Object.keys(record.path), ...SAME_DETECTOR]);
  for (const name of names) {
    const mine = entry(wanted.path, name) ?? entry(wanted.told, name);
    const theirs = entry(told, name);
    const optional = entry(record.path, name) === undefined && (need !== 'lamp' || entry(wanted.path, name) === undefined);
    if (optional && (mine === undefined || theirs === undefined)) continue;
    if (mine === undefined || theirs === undefined || !samePlace(mine, theirs))
      found.push({ name: name.replaceAll('_', ' '), mine: shown(name, mine), theirs: shown(name, theirs) });
  }
  const { rows, columns } = record.region;
  if (rows && wanted.rows && (rows[0] !== wanted.rows[0] || rows[1] !== wanted.rows[1]))
    found.push({ name: 'rows', mine: wanted.rows.join(' to '), theirs: rows.join(' to ') });
  const width = columns ?? (frame?.counted === false ? undefined : frame?.columns);
  if (width !== undefined && width !== wanted.columns) found.push({ name: 'columns', mine: String(wanted.columns), theirs: String(width) });
  if (need === 'dark') {
    const theirs = record.exposure ?? frame?.exposure;
    if (wanted.exposure === undefined || theirs === undefined || !near(wanted.exposure, theirs))
      found.push({ name: 'exposure', mine: seconds(wanted.exposure), theirs: seconds(theirs) });
  }
  return found;
}

/** What shapes even a dark and an axis, whether a record names it or its data does. */
const SAME_DETECTOR = ['camera', 'serial', 'binning'] as const;

const SAME = 1e-3;
const near = (a: number, b: number): boolean => Math.abs(a - b) <= SAME * Math.max(Math.abs(a), Math.abs(b));
const seconds = (s: number | undefined): string | undefined => (s === undefined ? undefined : show(s, 's'));

/** Two entries of a path; a number and a text that means a number ("10 %") are compared as numbers. */
export function samePlace(a: number | string, b: number | string): boolean {
  if (typeof a === typeof b) return typeof a === 'number' && typeof b === 'number' ? near(a, b) : a === b;
  const [x, y] = [a, b].map((v) => quantity(v));
  return x !== undefined && y !== undefined && typeof x !== 'string' && typeof y !== 'string' && near(x.value, y.value);
}

/** Words that say that a part of the path is nowhere: they match no calibration. */
export const NOWHERE: readonly string[] = ['moving', 'unknown', 'stuck'];

function shown(name: string, value: number | string | undefined): string | undefined {
  if (typeof value !== 'number') return value;
  return /wavelength|slit/.test(name) ? show(value, 'm') : String(Number(value.toPrecision(6)));
}

/** The rig's path and what the spectrum tells may not contradict each other; a sentence when they do. */
export function contradiction(path: OpticalPath, told: OpticalPath): string | undefined {
  for (const [name, mine] of Object.entries(path)) {
    const theirs = entry(told, name);
    if (theirs !== undefined && !samePlace(mine, theirs))
      return `${name.replaceAll('_', ' ')} is ${shown(name, mine)} in the rig and ${shown(name, theirs)} in the spectrum`;
  }
  return undefined;
}

/** The axis of a wavelength calibration (m) over so many columns, the first of which is pixel 0; undefined where it does not run one way. */
export function axisOf({ coefficients = [] }: CalibrationRecord, columns: number): Float64Array | undefined {
  const axis = Float64Array.from({ length: columns }, (_, i) => coefficients.reduceRight((sum, c) => sum * i + c, 0) / 1e9);
  const rises = (axis[columns - 1] ?? 0) > (axis[0] ?? 0);
  const sound = axis.every((l, i) => l > 0 && (i === 0 || (rises ? l > (axis[i - 1] ?? 0) : l < (axis[i - 1] ?? 0))));
  return sound ? axis : undefined;
}
