/** Blocks of points that follow one another in time, of any length each, as one NXdata: all points in a row, and where each block begins. */
import type { Trace } from '../reading.ts';
import type { Hdf5 } from './hdf5.ts';
import { type GoodTrace, given, KIND_OF, Settings, signalOf } from './nexus-frame.ts';
import { QUALITY, Said, secondsSince, timeAttributes, unitsOf } from './nexus-log.ts';
import { Table } from './table.ts';

const TIMES = ['time', 'number']; // names of columns that count on from block to block

/** The column along which the points of a block follow one another; undefined where it is a spectrum or an image. */
export function orderOf({ columns, shape }: Trace): string | undefined {
  if (shape.length !== 1 || Object.values(columns).some(({ data }) => data.length !== shape[0])) return undefined;
  return TIMES.find((name) => Object.hasOwn(columns, name));
}

export class Series {
  readonly path: string;
  readonly form: string;
  readonly signal: string;
  readonly #began: number;
  readonly #points: Table;
  readonly #blocks: Table;
  readonly #said: Said;
  readonly #settings: Settings;

  constructor(file: Hdf5, path: string, r: GoodTrace, name: string, order: string, began: number) {
    const { columns } = r.value;
    this.#began = began;
    this.form = formOf(r.value);
    this.signal = given(signalOf(Object.keys(columns).filter((one) => one !== order)));
    const axes = [given(order)];
    this.path = file.group(path, 'NXdata', { local_name: name, title: name, origin: r.origin, signal: this.signal, axes });
    this.#points = new Table(file, path);
    for (const [one, { unit, data }] of Object.entries(columns)) {
      const type = KIND_OF[data.constructor.name] ?? 'f8';
      this.#points.column(given(one), { type, fill: 0, attributes: { units: unitsOf(unit), long_name: one } });
    }
    this.#blocks = new Table(file, file.group(`${path}/blocks`, 'NXcollection'));
    this.#said = new Said(file, `${path}/blocks`, this.#blocks, began);
    this.#blocks.column('index', { type: 'u4', fill: 0, attributes: { long_name: 'the first point of each block' } });
    for (const one of ['begin', 'end'])
      this.#blocks.column(`exposure_${one}`, { type: 'f8', fill: Number.NaN, attributes: timeAttributes(began) });
    this.#settings = new Settings(file, `${path}/blocks/settings`);
  }

  get frames(): number {
    return this.#points.rows;
  }
  get cut(): number {
    return this.#said.cut + this.#settings.cut;
  }

  fits(trace: Trace): boolean {
    return formOf(trace) === this.form;
  }

  add(r: GoodTrace): void {
    const { columns, shape, begin, end, settings } = r.value;
    this.#blocks.add({
      time: secondsSince(this.#began, r.t),
      quality: QUALITY[r.quality],
      seq: r.seq,
      why: this.#said.text('why', r.why),
      index: this.#points.rows,
      exposure_begin: secondsSince(this.#began, begin),
      exposure_end: secondsSince(this.#began, end),
    });
    this.#settings.add(settings);
    const list = Object.entries(columns).map(([name, { data }]) => [given(name), data] as const);
    for (let i = 0; i < (shape[0] ?? 0); i++) this.#points.add(Object.fromEntries(list.map(([name, data]) => [name, data[i]])));
  }

  end(): void {}
}

const formOf = ({ columns }: Trace): string =>
  JSON.stringify(Object.entries(columns).map(([name, { unit, data }]) => [name, unit, data.constructor.name]));
