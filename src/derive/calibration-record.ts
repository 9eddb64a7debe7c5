/**
 * The record of one calibration: what was taken, of which channel, through which path, and for how long it holds. A record is a YAML text
 * beside the data file that it names. No input or output here: reading files and hashing is `src/rig-calibrations.ts`.
 */
import { iso } from '../../protocols/spe-write.ts';
import type { Rows } from './calibration.ts';

export const CALIBRATIONS = ['lamp', 'response', 'wavelength', 'dark'] as const;
export type CalibrationKind = (typeof CALIBRATIONS)[number];

/** Name -> number in SI, or word: filter, iris, magnification, side, grating, ... A flag is the word on or off. */
export type OpticalPath = Readonly<Record<string, number | string>>;

/** A file beside the record; hexadecimal sha256 of its bytes. */
export interface NamedFile {
  readonly file: string;
  readonly sha256: string;
}

/** A black body (K, one sigma), or a table of its spectral radiance (nm and a value of any scale). */
export type RecordedLamp = { readonly temperature: number; readonly sigma?: number } | { readonly radiance: NamedFile };

/** A line that a wavelength calibration was made from: metre, pixel from 0, and what is left over (m). */
export interface ReferenceLine {
  readonly wavelength: number;
  readonly pixel: number;
  readonly residual?: number;
}

/** SI; times in microseconds since 1970. */
export interface CalibrationRecord {
  readonly calibration: CalibrationKind;
  /** The first 16 hexadecimal digits of the sha256 of `shapeOf`. */
  readonly id: string;
  /** instrument.channel that it was taken from and holds for. */
  readonly of: string;
  readonly taken: number;
  /** Both ends included; without `until` for good. */
  readonly valid: { readonly from: number; readonly until?: number };
  readonly path: OpticalPath;
  /** Detector rows (from 0, both included) and columns; what is absent is not compared. */
  readonly region: { readonly rows?: Rows; readonly columns?: number };
  readonly exposure?: number;
  /** Of kind lamp. */
  readonly lamp?: RecordedLamp;
  /** Of kind wavelength: nm by power of the pixel's index, which counts from 0. */
  readonly coefficients?: readonly number[];
  readonly lines?: readonly ReferenceLine[];
  /** The frames (SPE) or the table (two columns of text); a wavelength calibration needs none. */
  readonly data?: NamedFile;
  /** Of kind lamp: frames of the same exposure without its light. */
  readonly dark?: NamedFile;
  readonly by?: string;
  readonly note?: string;
}
/** A record before its id is known. */
export type CalibrationTaken = Omit<CalibrationRecord, 'id'>;

/** Everything in a record that shapes a number, always in the same form: validity, names of files, who took it and notes are not in it. */
export function shapeOf(record: CalibrationTaken): string {
  const { lamp, region } = record;
  const light = lamp === undefined ? null : 'radiance' in lamp ? [lamp.radiance.sha256] : [lamp.temperature, lamp.sigma ?? null];
  return JSON.stringify([
    record.calibration,
    record.of,
    Object.entries(record.path).sort(([a], [b]) => (a < b ? -1 : 1)),
    region.rows ?? null,
    region.columns ?? null,
    record.exposure ?? null,
    light,
    record.coefficients ?? null,
    record.data?.sha256 ?? null,
    record.dark?.sha256 ?? null,
  ]);
}

/** The record as YAML text: what `readRecord` reads back is the same record. */
export function printRecord(record: CalibrationRecord): string {
  const { valid, region, exposure, lamp, coefficients, lines, data, dark, by, note } = record;
  const until = valid.until === undefined ? '' : `, until: ${moment(valid.until)}`;
  const rows = region.rows === undefined ? [] : [`rows: [${region.rows.join(', ')}]`];
  const columns = region.columns === undefined ? [] : [`columns: ${region.columns}`];
  const path = Object.entries(record.path).map(([name, value]) => `${word(name)}: ${typeof value === 'number' ? value : word(value)}`);
  const all: readonly (readonly [string, string | undefined])[] = [
    ['calibration', record.calibration],
    ['id', word(record.id)],
    ['of', word(record.of)],
    ['taken', moment(record.taken)],
    ['valid', `{ from: ${moment(valid.from)}${until} }`],
    ['path', group(path)],
    ['region', group([...rows, ...columns])],
    ['exposure', exposure === undefined ? undefined : `${exposure} s`],
    ['lamp', lamp && group(lampText(lamp))],
    ['coefficients', coefficients && `[${coefficients.join(', ')}]`],
    ['lines', lines && `\n${lines.map((l) => `  - ${group(lineText(l))}`).join('\n')}`],
    ['data', data && word(data.file)],
    ['sha256', data && word(data.sha256)],
    ['dark', dark && group(fileText(dark, 'data'))],
    ['by', by === undefined ? undefined : word(by)],
    ['note', note === undefined ? undefined : word(note)],
  ];
  return all.flatMap(([key, value]) => (value === undefined ? [] : [`${key}:${value.startsWith('\n') ? '' : ' '}${value}\n`])).join('');
}

/** "2026-11-22T10:11:12Z", with as many decimals as there are. */
export const moment = (microseconds: number): string => iso(microseconds).replace(/\.?0+Z$/, 'Z');

const group = (parts: readonly string[]): string => (parts.length === 0 ? '{}' : `{ ${parts.join(', ')} }`);
const fileText = ({ file, sha256 }: NamedFile, name: string): readonly string[] => [`${name}: ${word(file)}`, `sha256: ${word(sha256)}`];
const nm = (metre: number): string => `${Number((metre * 1e9).toPrecision(12))} nm`;
const lineText = ({ wavelength, pixel, residual }: ReferenceLine): readonly string[] => [
  `wavelength: ${nm(wavelength)}`,
  `pixel: ${pixel}`,
  ...(residual === undefined ? [] : [`residual: ${nm(residual)}`]),
];
function lampText(lamp: RecordedLamp): readonly string[] {
  if ('radiance' in lamp) return fileText(lamp.radiance, 'radiance');
  return [`temperature: ${lamp.temperature} K${lamp.sigma === undefined ? '' : ` +- ${lamp.sigma} K`}`];
}

const PLAIN = /^[A-Za-z][A-Za-z0-9_.-]*$/;
const YAML_WORDS = /^(true|false|null|nan|inf)$/i;
/** Bare where YAML cannot take it for anything but this text, else in double quotes. */
const word = (text: string): string => (PLAIN.test(text) && !YAML_WORDS.test(text) ? text : JSON.stringify(text));
