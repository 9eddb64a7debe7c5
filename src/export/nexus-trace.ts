/** A channel of spectra or images as NXdata: frames above one another, with a time for each. */
import type { Column, Trace } from '../reading.ts';
import type { Hdf5 } from './hdf5.ts';
import { type GoodTrace, given, KIND_OF, Settings, signalOf } from './nexus-frame.ts';
import { QUALITY, Said, secondsSince, timeAttributes, unitsOf } from './nexus-log.ts';
import { orderOf, Series } from './nexus-series.ts';
import { Table } from './table.ts';

const AXES = ['wavelength', 'energy', 'edge', 'frequency', 'time', 'number']; // names of columns along which the others stand
const MOST_AXES = 16; // stacks that differ in their axis alone; more have it with each frame
const MOST_STACKS = 64;

const sizeOf = (shape: readonly number[]): number => shape.reduce((n, size) => n * size, 1);

/** The column along the last dimension, if one is: by its name, or because it rises from point to point and is not alone. */
function axisOf({ columns, shape }: Trace): string | undefined {
  const along = Object.entries(columns).filter(([, { data }]) => data.length === (shape.at(-1) ?? 0));
  if (Object.keys(columns).length < 2) return undefined;
  const named = AXES.find((name) => along.some(([one]) => one === name));
  const [first] = along;
  if (named !== undefined || !first || first[1].data.length < 2) return named;
  return first[1].data.every((x, i, all) => i === 0 || x > (all[i - 1] ?? x)) ? first[0] : undefined;
}

/** What frames of one stack have in common. */
const formOf = ({ columns, shape }: Trace): string =>
  JSON.stringify([shape, Object.entries(columns).map(([name, { unit, data }]) => [name, unit, data.constructor.name, data.length])]);

function same(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return a.length === b.length;
}

/** One stack for each form of frame and each axis; after many changes of the axis it stands with each frame. */
export class Traces {
  readonly #file: Hdf5;
  readonly #path: (n: number) => string;
  readonly #name: string;
  readonly #began: number;
  readonly #stacks: (Stack | Series)[] = [];

  /** `path` gives the group of the first stack, the second ... */
  constructor(file: Hdf5, path: (n: number) => string, name: string, began: number) {
    this.#file = file;
    this.#path = path;
    this.#name = name;
    this.#began = began;
  }

  get stacks(): readonly (Stack | Series)[] {
    return this.#stacks;
  }

  /** False, and nothing is written, where there are too many forms of frames already. */
  add(r: GoodTrace): boolean {
    const order = orderOf(r.value);
    const axis = axisOf(r.value);
    const data = axis === undefined ? undefined : r.value.columns[axis]?.data;
    let stack = this.#stacks.find((one) => one.fits(r.value, data));
    if (!stack) {
      if (this.#stacks.length >= MOST_STACKS) return false;
      const path = this.#path(this.#stacks.length + 1);
      const fixed = this.#stacks.length < MOST_AXES ? axis : undefined;
      stack =
        order === undefined
          ? new Stack(this.#file, path, r, this.#name, fixed, this.#began)
          : new Series(this.#file, path, r, this.#name, order, this.#began);
      this.#stacks.push(stack);
    }
    stack.add(r);
    return true;
  }
}

export class Stack {
  readonly path: string;
  readonly signal: string;
  readonly #form: string;
  readonly #file: Hdf5;
  readonly #began: number;
  readonly #table: Table;
  readonly #said: Said;
  readonly #settings: Settings;
  readonly #columns: readonly string[];
  /** The axis that all frames share, and a copy of its numbers. */
  readonly #axis: string | undefined;
  readonly #along: ArrayLike<number> | undefined;
  readonly #size: number;
  readonly #depth: number;

  constructor(file: Hdf5, path: string, r: GoodTrace, name: string, axis: string | undefined, began: number) {
    const { columns, shape } = r.value;
    this.#file = file;
    this.#began = began;
    this.#axis = axis;
    this.#size = sizeOf(shape);
    this.#depth = shape.length;
    this.#form = formOf(r.value);
    this.#columns = Object.keys(columns).filter((one) => one !== axis);
    this.signal = given(signalOf(this.#columns));
    const axes = ['time', ...shape.map((_, i) => (i === shape.length - 1 && axis !== undefined ? given(axis) : '.'))];
    this.path = file.group(path, 'NXdata', { local_name: name, title: name, origin: r.origin, signal: this.signal, axes, time_indices: 0 });
    this.#table = new Table(file, path);
    this.#said = new Said(file, path, this.#table, began);
    const along = axis === undefined ? undefined : columns[axis];
    if (axis !== undefined && along) {
      this.#along = along.data.slice();
      file.put(`${path}/${given(axis)}`, along.data.slice(), { units: unitsOf(along.unit), long_name: axis }, [along.data.length]);
      file.attributes(path, { [`${given(axis)}_indices`]: shape.length });
    }
    for (const one of this.#columns) this.#column(one, columns[one], shape);
    for (const one of ['begin', 'end'])
      this.#table.column(`exposure_${one}`, { type: 'f8', fill: Number.NaN, attributes: timeAttributes(began) });
    this.#settings = new Settings(file, `${path}/settings`);
  }

  get frames(): number {
    return this.#table.rows;
  }
  get cut(): number {
    return this.#said.cut + this.#settings.cut;
  }

  fits(trace: Trace, axis: ArrayLike<number> | undefined): boolean {
    return formOf(trace) === this.#form && (this.#along === undefined || (axis !== undefined && same(this.#along, axis)));
  }

  #column(name: string, column: Column | undefined, shape: readonly number[]): void {
    if (!column) return;
    const { data, unit } = column;
    const row = data.length === sizeOf(shape) ? shape : [data.length];
    const type = KIND_OF[data.constructor.name] ?? 'f8';
    this.#table.column(given(name), { type, row, fill: 0, attributes: { units: unitsOf(unit), long_name: name } });
  }

  add(r: GoodTrace): void {
    const { columns, begin, end, settings } = r.value;
    this.#table.add({
      ...Object.fromEntries(this.#columns.map((name) => [given(name), columns[name]?.data])),
      time: secondsSince(this.#began, r.t),
      quality: QUALITY[r.quality],
      seq: r.seq,
      why: this.#said.text('why', r.why),
      exposure_begin: secondsSince(this.#began, begin),
      exposure_end: secondsSince(this.#began, end),
    });
    this.#settings.add(settings);
  }

  /** What is known with the last frame only. */
  end(): void {
    if (this.#columns.includes('sigma') && this.signal !== 'sigma')
      this.#file.link(`${this.path}/sigma`, `${this.path}/${this.signal}_errors`);
    // One spectrum alone: with a time axis of one point beside an axis as long as the signal, silx takes it for a scatter and refuses it.
    if (this.#axis !== undefined && this.frames * this.#size === (this.#along?.length ?? 0))
      this.#file.attributes(this.path, { axes: [...Array<string>(this.#depth).fill('.'), given(this.#axis)] });
  }
}
