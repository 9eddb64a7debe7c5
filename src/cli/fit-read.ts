/** What the fits share: files read and options turned into numbers. What is wrong is a Usage (arguments) or a BadFile (files). */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { SpectralFrame, Table } from '../derive/calibration.ts';
import { spectrumOf, tableOf } from '../derive/files.ts';
import { quantity, type Unit } from '../units.ts';
import { type Parsed, Usage } from './command.ts';
import type { Source } from './fit-report.ts';

/** A file that cannot be read, or is none of the kind that is wanted. */
export class BadFile extends Error {
  readonly code = 'BAD_FILE';
}

/** One exposure of a spectrum file; what was read is added to the sources. */
export async function spectrumFile(role: string, path: string, frame: number | 'mean', sources: Source[]): Promise<SpectralFrame> {
  const read = spectrumOf(await bytesOf(role, path, sources), frame);
  if (typeof read !== 'string') return read;
  if (read.startsWith('there is no frame')) throw new Usage(`${path}: ${read}`);
  throw new BadFile(`${path}: ${read}`);
}

/** A table of wavelengths and values. */
export async function tableFile(role: string, path: string, sources: Source[]): Promise<Table> {
  const read = tableOf(await bytesOf(role, path, sources));
  if (typeof read === 'string') throw new BadFile(`${path}: ${read}`);
  return read;
}

const CAUSES: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'this is a folder',
  EACCES: 'no permission to read it',
};

async function bytesOf(role: string, path: string, sources: Source[]): Promise<Uint8Array> {
  try {
    const bytes = new Uint8Array(await readFile(path));
    sources.push({ role, file: basename(path), sha256: createHash('sha256').update(bytes).digest('hex') });
    return bytes;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new BadFile(`${path}: ${CAUSES[code] ?? `it cannot be read (${code})`}`);
  }
}

/** Refuses options that belong to another of the command's words. */
export function only({ options, flags }: Parsed, what: string, allowed: readonly string[]): void {
  const stray = [...Object.keys(options), ...flags].find((name) => !allowed.includes(name));
  if (stray !== undefined) throw new Usage(`--${stray} is not for ${what}; it takes ${allowed.map((name) => `--${name}`).join(', ')}`);
}

/** A number in that unit; the unit may be left out. */
export function amount(name: string, text: string, unit: Unit, zero = false): number {
  const { value, sigma } = measured(name, text, unit, zero);
  if (sigma !== undefined) throw new Usage(`--${name} takes no uncertainty, and "${text}" has one`);
  return value;
}

/** The same with its uncertainty, where it has one. */
export function measured(name: string, text: string, unit: Unit, zero = false): { readonly value: number; readonly sigma?: number } {
  const read = quantity(text);
  if (typeof read === 'string') throw new Usage(`--${name}: ${read}`);
  if (read.unit !== unit && read.unit !== '1') throw new Usage(`--${name}: "${text}" is in ${read.unit}, not in ${unit}`);
  if (!(read.value > 0 || (zero && read.value === 0))) throw new Usage(`--${name}: must be above zero, not "${text}"`);
  return read;
}

/** A whole number from 0. */
export function whole(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text.trim())) throw new Usage(`--${name}: "${text}" is not a whole number from 0`);
  return Number(text);
}

/** FIRST:LAST, or one row. */
export function rowsOf(text: string): readonly [number, number] {
  const [first, last, ...more] = text.split(':');
  const rows = [whole('rows', first ?? ''), whole('rows', last ?? first ?? '')] as const;
  if (more.length > 0 || rows[0] > rows[1]) throw new Usage(`--rows: "${text}" is not FIRST:LAST, such as 99:110`);
  return rows;
}

/** LOW:HIGH in nm, or with units of length. */
export function windowOf(text: string): readonly [number, number] {
  const [lo, hi, ...more] = text.split(':').map((part) => {
    const read = quantity(part.trim());
    if (typeof read === 'string') throw new Usage(`--window: ${read}`);
    return read.unit === 'm' ? read.value : read.unit === '1' ? read.value / 1e9 : Number.NaN;
  });
  if (lo === undefined || hi === undefined || more.length > 0 || !(lo > 0 && lo < hi)) {
    throw new Usage(`--window: "${text}" is not LOW:HIGH in nm, such as 600:900`);
  }
  return [lo, hi];
}
