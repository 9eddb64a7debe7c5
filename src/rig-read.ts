/** Small readers for the values of a rig: each gives the value, or says at its place what is wrong and what would be right. */
import { nearest } from './catalogue.ts';
import type { Path, Sheet } from './rig-yaml.ts';
import { QUANTITY, type Quantity, quantity, type Unit } from './units.ts';

export type Table = Readonly<Record<string, unknown>>;

/** "; did you mean ...?" or the list of what there is. */
export function hint(name: string, known: Iterable<string>): string {
  const all = [...new Set(known)];
  const near = name.length > 2 ? nearest(name, all) : undefined; // one or two letters are near to anything
  if (near !== undefined) return `; did you mean "${near}"?`;
  if (all.length === 0) return '';
  return `; known are ${all.slice(0, 16).join(', ')}${all.length > 16 ? ', ...' : ''}`;
}

/** What a value is, for people. */
export function described(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (typeof value === 'string') {
    const line = value.replace(/\s+/g, ' ');
    return `the text "${line.length > 60 ? `${line.slice(0, 60)}...` : line}"`;
  }
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a group of "name: value"';
  return `${String(value)}`;
}

export const isTable = (value: unknown): value is Table => value !== null && typeof value === 'object' && !Array.isArray(value);

/** A group of "name: value"; undefined after a message. `known` is what it may hold, `needed` what it must. */
export function table(
  sheet: Sheet,
  path: Path,
  like: string,
  known?: readonly string[],
  needed: Readonly<Record<string, string>> = {},
): Table | undefined {
  const value = sheet.at(path);
  const name = path.length === 0 ? 'the rig' : `"${path.at(-1)}"`;
  if (!isTable(value)) {
    sheet.say(path, `${name} is a group of "name: value", such as ${like}, not ${described(value)}`);
    return undefined;
  }
  if (known) {
    for (const key of Object.keys(value)) {
      if (!known.includes(key)) sheet.say([...path, key], `there is no "${key}" in ${name}${hint(key, known)}`, 'key');
    }
  }
  for (const [key, example] of Object.entries(needed)) {
    if (!Object.hasOwn(value, key)) sheet.say(path, `"${key}" is missing in ${name}; write ${example}`, 'key');
  }
  return value;
}

export function text(sheet: Sheet, path: Path, example: string): string | undefined {
  const value = sheet.at(path);
  if (typeof value === 'string' && value !== '') return value;
  sheet.say(path, `"${path.at(-1)}" is a text such as ${example}, not ${described(value)}`);
  return undefined;
}

/** Names of rigs, links, instruments and derivations: they become file names, tags and halves of "instrument.channel". */
export const isName = (name: string): boolean => /^[A-Za-z0-9_-]{1,64}$/.test(name);

export function checkName(sheet: Sheet, path: Path, name: string, part: 'key' | 'value'): boolean {
  if (isName(name)) return true;
  sheet.say(path, `"${name}" is no name: names have letters, digits, - and _ (64 at most)`, part);
  return false;
}

export function word<W extends string>(sheet: Sheet, path: Path, words: readonly W[]): W | undefined {
  const value = sheet.at(path);
  const found = words.find((w) => w === value);
  if (found === undefined) sheet.say(path, `"${path.at(-1)}" is one of ${words.join(', ')}, not ${described(value)}`);
  return found;
}

const EXAMPLE: Partial<Readonly<Record<Unit, string>>> = {
  s: '100 ms',
  '1': '30 %',
  K: '300 K',
  Pa: '20 bar',
  V: '10 mV',
  W: '5 W',
  m: '600 nm',
};
export const example = (unit: Unit): string => `"${EXAMPLE[unit] ?? `1 ${unit}`}"`;
const wanted = (unit: Unit): string =>
  unit === '1' ? 'a number without unit or in %' : `a ${QUANTITY[unit].replaceAll('_', ' ')} in ${unit}`;

/** The quantity in SI, or a sentence that names what is there and what is wanted. */
export function inUnit(value: unknown, unit: Unit): Quantity | string {
  if (typeof value !== 'string' && typeof value !== 'number')
    return `${wanted(unit)} is wanted here, such as ${example(unit)}, not ${described(value)}`;
  const read = quantity(value);
  if (typeof read === 'string') {
    const unknown = /^the unit "(.*)" is not known; known are (.*)$/s.exec(read);
    if (!unknown) return `${read}; ${wanted(unit)} is wanted here, such as ${example(unit)}`;
    const [, said = '', list = ''] = unknown;
    const fitting = list.split(', ').filter((u) => {
      const one = quantity(`1 ${u}`);
      return typeof one !== 'string' && one.unit === unit;
    });
    return `the unit "${said}" in "${value}" is not known; ${wanted(unit)} is wanted here: ${fitting.join(', ')}`;
  }
  if (read.unit === unit) return read;
  if (typeof value === 'number' || read.unit === '1')
    return `"${value}" has no unit; ${wanted(unit)} is wanted here, such as ${example(unit)}`;
  return `"${value}" is a ${QUANTITY[read.unit].replaceAll('_', ' ')} in ${read.unit}; ${wanted(unit)} is wanted here, such as ${example(unit)}`;
}

/** Seconds, more than nothing (or from nothing on, where `zero` is given). */
export function seconds(sheet: Sheet, path: Path, zero = false): number | undefined {
  const read = inUnit(sheet.at(path), 's');
  if (typeof read === 'string') {
    sheet.say(path, read);
    return undefined;
  }
  if (read.value > 0 || (zero && read.value === 0)) return read.value;
  sheet.say(path, `"${sheet.at(path)}" must be ${zero ? 'zero or more' : 'more than zero'}`);
  return undefined;
}

const SIZES: Readonly<Record<string, number>> = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** Bytes, from "64 MiB". */
export function bytesOf(sheet: Sheet, path: Path): number | undefined {
  const value = sheet.at(path);
  const [, number, unit] = (typeof value === 'string' && /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*$/.exec(value)) || [];
  const size = unit === undefined ? undefined : SIZES[unit];
  if (size !== undefined) return Math.round(Number(number) * size);
  sheet.say(path, `"${path.at(-1)}" is a size such as "64 MiB" (${Object.keys(SIZES).join(', ')}), not ${described(value)}`);
  return undefined;
}
