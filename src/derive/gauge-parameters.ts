/** Parameters of the gauges' methods as a rig writes them: quantities with a unit and, where wanted, with "+-". */
import { type Field, Refused } from '../instrument.ts';
import { quantity, type Unit } from '../units.ts';
import type { Rows, SpectralFrame } from './calibration.ts';
import { spectrumOf } from './files.ts';
import type { Known } from './gauge.ts';

/** Text with that unit, or a number where a plain one is meant; with its uncertainty, where it has one. */
export function known(value: unknown, unit: Unit, example: string): { readonly value: number; readonly sigma?: number } | Refused {
  if (typeof value !== 'number' && typeof value !== 'string')
    return new Refused(`must be written like ${example}, not ${JSON.stringify(value)}`);
  if (typeof value === 'number' && unit !== '1') return new Refused(`${value} has no unit; write it like ${example}`);
  const read = quantity(value);
  if (typeof read === 'string') return new Refused(`${read}; write it like ${example}`);
  if (typeof value === 'string' && read.unit !== unit)
    return new Refused(`"${value}" is in ${named(read.unit)}, not in ${named(unit)}; write it like ${example}`);
  return { value: read.value, ...(read.sigma === undefined ? {} : { sigma: read.sigma }) };
}

const named = (unit: Unit): string => (unit === '1' ? 'plain numbers' : unit);

/** A field that may be left out. */
export const perhaps = <T>(about: string, of: (value: unknown) => T | Refused): Field<T | undefined> => ({
  about,
  of: (value) => (value === undefined ? undefined : of(value)),
});

/** Above zero (or, where asked for, zero), without an uncertainty. */
export function amount(value: unknown, unit: Unit, example: string, zero = false): number | Refused {
  const read = known(value, unit, example);
  if (read instanceof Refused) return read;
  if (read.sigma !== undefined) return new Refused(`takes no uncertainty; write it like ${example}`);
  return read.value > 0 || (zero && read.value === 0) ? read.value : new Refused(`must be above zero, not ${String(value)}`);
}

/** Above zero, with one sigma under the name of its cause. */
export function measuredAmount(value: unknown, unit: Unit, example: string, cause: string): Known | Refused {
  const read = known(value, unit, example);
  if (read instanceof Refused) return read;
  if (!(read.value > 0)) return new Refused(`must be above zero, not ${String(value)}`);
  return { value: read.value, ...(read.sigma === undefined ? {} : { sigma: { random: 0, shared: { [cause]: read.sigma } } }) };
}

const WAVENUMBER = /^\s*([^/]*?)\s*(?:1\/cm|cm-1|cm\^-1|\/cm)\s*$/;

/** A Raman shift, written "1334 1/cm" or "1334 +- 0.5 1/cm", in 1/m. */
export function wavenumber(value: unknown, example = '1334 1/cm'): { readonly value: number; readonly sigma?: number } | Refused {
  const [, number] = typeof value === 'string' ? (WAVENUMBER.exec(value) ?? []) : [];
  const read = number === undefined ? 'no' : quantity(number);
  if (typeof read === 'string' || read.unit !== '1' || !(read.value > 0))
    return new Refused(`must be a Raman shift such as ${example}, not ${JSON.stringify(value)}`);
  return { value: read.value * 100, ...(read.sigma === undefined ? {} : { sigma: read.sigma * 100 }) };
}

/** Two that rise. */
export function pair(value: unknown, read: (v: unknown) => number | Refused, example: string): readonly [number, number] | Refused {
  if (!Array.isArray(value) || value.length !== 2) return new Refused(`must be a pair such as ${example}`);
  const [a, b] = value.map(read);
  if (a instanceof Refused) return a;
  if (b instanceof Refused) return b;
  return a === undefined || b === undefined || a >= b ? new Refused(`must rise, such as ${example}`) : [a, b];
}

/** Detector rows; both may be the same. */
export function rows(value: unknown): Rows | Refused {
  const example = '[11, 24]';
  if (!Array.isArray(value) || value.length !== 2) return new Refused(`must be a pair such as ${example}`);
  const [first, last]: readonly unknown[] = value;
  const sound = (v: unknown): v is number => typeof v === 'number' && Number.isInteger(v) && v >= 0;
  if (!sound(first) || !sound(last)) return new Refused('rows are whole numbers from 0');
  return first <= last ? [first, last] : new Refused(`must rise, such as ${example}`);
}

/** A spectrum from a file of the rig, all its frames averaged. */
export function frameOfFile(value: unknown): SpectralFrame | Refused {
  const bytes = value !== null && typeof value === 'object' && 'bytes' in value ? value.bytes : value;
  if (!(bytes instanceof Uint8Array)) return new Refused('is no spectrum: a file (SPE or two columns of text) is needed');
  const read = spectrumOf(bytes, 'mean');
  return typeof read === 'string' ? new Refused(read) : read;
}

/** One of a list of scales, by a name that may be written in any way. */
export function scaleNamed<T extends { readonly name: string }>(
  all: readonly T[],
  find: (name: string) => T | undefined,
): (value: unknown) => T | Refused {
  return (value) =>
    (typeof value === 'string' ? find(value) : undefined) ??
    new Refused(`there is no scale ${JSON.stringify(value)}; there are ${all.map((s) => s.name).join(', ')}`);
}
