/** What spectra, images and blocks have in common in a NeXus file: names, types and settings. */
import type { Reading, Trace } from '../reading.ts';
import type { Hdf5 } from './hdf5.ts';
import { type NumberKind, Table, Words } from './table.ts';

export type GoodTrace = Reading<'trace'> & { readonly quality: 'good' | 'suspect' };

export const KIND_OF: Readonly<Record<string, NumberKind>> = {
  Float64Array: 'f8',
  Float32Array: 'f4',
  Int32Array: 'i4',
  Uint32Array: 'u4',
  Uint16Array: 'u2',
  Int16Array: 'i2',
};

const SIGNALS = ['counts', 'intensity', 'rate', 'voltage', 'difference'];
export const signalOf = (columns: readonly string[]): string => SIGNALS.find((one) => columns.includes(one)) ?? columns[0] ?? '';

const OURS = new Set(['time', 'quality', 'seq', 'why', 'why_text', 'exposure_begin', 'exposure_end', 'settings', 'blocks']);
/** What a column is called in the file. */
export const given = (column: string): string => (OURS.has(column) ? `trace_${column}` : column.replaceAll(/\W/g, '_'));

/** The settings of each frame: a column for each number, and for each text the row of its NAME_text. */
export class Settings {
  readonly #file: Hdf5;
  readonly #path: string;
  readonly #table: Table;
  readonly #words = new Map<string, Words>();

  constructor(file: Hdf5, path: string) {
    this.#file = file;
    this.#path = file.group(path, 'NXcollection');
    this.#table = new Table(file, path);
  }

  get cut(): number {
    return [...this.#words.values()].reduce((n, { cut }) => n + cut, 0);
  }

  add(settings: Trace['settings']): void {
    const row: Record<string, number> = {};
    for (const [key, value] of Object.entries(settings)) {
      const name = key.replaceAll(/\W/g, '_');
      if (typeof value === 'number') {
        this.#table.column(name, { type: 'f8', fill: Number.NaN });
        row[name] = value;
      } else {
        this.#table.column(`${name}_row`, { type: 'i4', fill: -1, attributes: { text: `${name}_text` } });
        row[`${name}_row`] = this.#word(name).code(String(value));
      }
    }
    this.#table.add(row);
  }

  #word(name: string): Words {
    const known = this.#words.get(name);
    if (known) return known;
    const made = new Words(this.#file, `${this.#path}/${name}_text`);
    this.#words.set(name, made);
    return made;
  }
}
