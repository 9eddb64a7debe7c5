/** A channel of numbers, flags or states as NXlog. */
import { type Kind, type Reading, total } from '../reading.ts';
import type { Unit } from '../units.ts';
import type { Attributes, Hdf5 } from './hdf5.ts';
import { iso } from './iso.ts';
import { Table, Words } from './table.ts';

/** Units as UDUNITS spells them, which NeXus asks for. */
const UDUNITS: Partial<Record<Unit, string>> = {
  Ω: 'ohm',
  'Ω m': 'ohm m',
  'W/m/K': 'W m-1 K-1',
  'W Ω/K²': 'W ohm K-2',
  '1/s': 's-1',
  'Pa/s': 'Pa s-1',
  'V/s': 'V s-1',
  'K/s': 'K s-1',
};
export const unitsOf = (unit: Unit): string => UDUNITS[unit] ?? unit;

const unitOf = (kind: Kind): Attributes => (kind === 'trace' || kind === 'flag' || kind === 'state' ? {} : { units: unitsOf(kind) });

export const QUALITY = { good: 0, suspect: 1, bad: 2 } as const;
const QUALITY_MEANS = '0 good, 1 suspect (a value with a reason), 2 bad (no value)';

/** Seconds since `start`, which stands beside them; a time in microseconds comes back exactly. */
export const timeAttributes = (began: number): Attributes => ({ units: 's', start: iso(began), long_name: 'time' });
export const secondsSince = (began: number, t: number): number => (t - began) / 1e6;

/** The columns that all readings have; `text` columns come when there is the first text. */
export class Said {
  readonly #file: Hdf5;
  readonly #group: string;
  readonly #table: Table;
  readonly #words = new Map<string, Words>();

  constructor(file: Hdf5, group: string, table: Table, began: number) {
    this.#file = file;
    this.#group = group;
    this.#table = table;
    table.column('time', { type: 'f8', fill: Number.NaN, attributes: timeAttributes(began) });
    table.column('quality', { type: 'i1', fill: QUALITY.bad, attributes: { meaning: QUALITY_MEANS } });
    table.column('seq', { type: 'u4', fill: 0, attributes: { meaning: 'counts the readings of this channel, from 0' } });
  }

  /** The number of a text in the dataset NAME_text; -1 where there is none. */
  text(name: string, text: string | undefined): number {
    let words = this.#words.get(name);
    if (text === undefined && words === undefined) return -1;
    if (words === undefined) {
      words = new Words(this.#file, `${this.#group}/${name}_text`);
      this.#words.set(name, words);
      this.#table.column(name, { type: 'i4', fill: -1, attributes: { meaning: `row of ${name}_text, -1: none`, text: `${name}_text` } });
    }
    return text === undefined ? -1 : words.code(text);
  }

  get cut(): number {
    return [...this.#words.values()].reduce((n, { cut }) => n + cut, 0);
  }
}

export class Log {
  readonly path: string;
  readonly reading: Reading;
  readonly #file: Hdf5;
  readonly #began: number;
  readonly #table: Table;
  readonly #said: Said;
  readonly #origins = new Set<string>();
  #inputs: readonly string[] = [];
  #n = 0;
  #sum = 0;
  #low = Number.POSITIVE_INFINITY;
  #high = Number.NEGATIVE_INFINITY;
  #last = 0;

  /** `kind` of the first reading is that of all. Traces that are bad are logged like numbers without a unit. */
  constructor(file: Hdf5, path: string, first: Reading, name: string, began: number) {
    this.path = file.group(path, 'NXlog', { local_name: name });
    this.reading = first;
    this.#file = file;
    this.#began = began;
    this.#table = new Table(file, path);
    this.#said = new Said(file, path, this.#table, began);
    const { kind } = first;
    if (kind === 'flag') {
      this.#table.column('value', { type: 'i1', fill: -1, attributes: { long_name: name, meaning: '0 no, 1 yes, -1 not known' } });
    } else if (kind !== 'state') {
      const units = unitOf(kind);
      this.#table.column('value', { type: 'f8', fill: Number.NaN, attributes: { ...units, long_name: name } });
    }
  }

  /** Readings that have a value. */
  get finite(): number {
    return this.#n;
  }
  get cut(): number {
    return this.#said.cut;
  }
  get errors(): boolean {
    return this.#table.has('value_errors');
  }

  add(r: Reading): void {
    const said = this.#said;
    const value = r.quality === 'bad' ? undefined : r.value;
    const row: Record<string, number | undefined> = {
      time: secondsSince(this.#began, r.t),
      quality: QUALITY[r.quality],
      seq: r.seq,
      why: said.text('why', r.why),
      calibration: said.text('calibration', r.made?.calibration),
      parameters: said.text('parameters', r.made?.parameters),
    };
    if (r.kind === 'state') row.value = said.text('value', typeof value === 'string' ? value : undefined);
    else if (typeof value === 'boolean') row.value = value ? 1 : 0;
    else if (typeof value === 'number') {
      row.value = value;
      this.#count(value);
    }
    if (r.quality !== 'bad' && r.sigma) {
      const { sigma } = r;
      const units = unitOf(r.kind);
      this.#bar(row, 'value_errors', total(sigma), { ...units, long_name: 'one sigma, of all causes' });
      this.#bar(row, 'value_errors_random', sigma.random, { ...units, long_name: 'one sigma, independent from reading to reading' });
      for (const [cause, size] of Object.entries(sigma.shared ?? {}))
        this.#bar(row, `value_errors_shared_${cause.replaceAll(/\W/g, '_')}`, size, {
          ...units,
          long_name: `of the common cause ${cause}, signed`,
        });
    }
    if (r.quality !== 'bad' && r.kind !== 'trace' && (r.kind === 'flag' || r.kind === 'state')) this.#n++;
    if (!this.#origins.has(r.origin)) {
      this.#origins.add(r.origin);
      this.#file.attributes(this.path, { origin: [...this.#origins].join(', ') });
    }
    if (r.made && this.#inputs.length === 0) {
      this.#inputs = r.made.inputs.map((input) => input.replace(/#\d+$/, ''));
      this.#file.attributes(this.path, { method: r.made.method, inputs: this.#inputs.join(', ') });
    }
    this.#last = Math.max(this.#last, secondsSince(this.#began, r.t));
    this.#table.add(row);
  }

  #bar(row: Record<string, number | undefined>, name: string, size: number, attributes: Attributes): void {
    this.#table.column(name, { type: 'f8', fill: Number.NaN, attributes });
    row[name] = size;
  }

  #count(value: number): void {
    this.#n++;
    this.#sum += value;
    this.#low = Math.min(this.#low, value);
    this.#high = Math.max(this.#high, value);
  }

  end(): void {
    const { kind } = this.reading;
    if (kind === 'flag' || kind === 'state' || kind === 'trace' || this.#n === 0) return;
    const units = unitOf(kind);
    this.#file.put(`${this.path}/minimum_value`, this.#low, units);
    this.#file.put(`${this.path}/maximum_value`, this.#high, units);
    this.#file.put(`${this.path}/average_value`, this.#sum / this.#n, units);
    this.#file.put(`${this.path}/duration`, this.#last, { units: 's' });
  }
}
