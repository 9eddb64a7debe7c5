/** HDF5 files through h5wasm: groups, attributes and tables that grow, with bounded memory. */
import { File, type Group, Module, ready } from 'h5wasm/node';

/** What the HDF5 library said. */
export class Hdf5Error extends Error {}

export type Attributes = Readonly<Record<string, string | number | readonly string[]>>;
export type Numbers =
  | Float64Array
  | Float32Array
  | Int32Array
  | Uint32Array
  | Uint16Array
  | Int16Array
  | Int8Array
  | Uint8Array
  | BigInt64Array;

const HELD = 48 << 20; // bytes of all tables that wait; more are written at once

export class Hdf5 {
  readonly #file: File;
  readonly #flush = new Set<() => void>();
  #held = 0;
  #last = false;

  private constructor(file: File) {
    this.#file = file;
  }

  /** A new file. The library's errors are thrown as Hdf5Error from here on. */
  static async create(path: string): Promise<Hdf5> {
    await ready;
    Module.activate_throwing_error_handler();
    return attempt(path, () => new Hdf5(new File(path, 'x')));
  }

  /** A group of a NeXus class; its parent must be there. */
  group(path: string, nxClass: string, attributes: Attributes = {}): string {
    const [parent, name] = split(path);
    attempt(path, () => (this.#at(parent) as Group).create_group(name));
    this.attributes(path, { NX_class: nxClass, ...attributes });
    return path;
  }

  has(path: string): boolean {
    const [parent, name] = split(path);
    return attempt(path, () => (this.#at(parent) as Group).keys().includes(name));
  }

  /** Text is UTF-8, a whole number an int32 and any other a double. */
  attributes(path: string, all: Attributes): void {
    attempt(path, () => {
      const at = path === '/' ? this.#file : this.#at(path);
      const there = Object.keys(at.attrs);
      for (const [name, value] of Object.entries(all)) {
        if (there.includes(name)) at.delete_attribute(name);
        at.create_attribute(name, typeof value === 'number' || typeof value === 'string' ? value : [...value]);
      }
    });
  }

  /** Text of any length, one number, or a whole array. */
  put(path: string, data: string | number | Numbers, attributes: Attributes = {}, shape?: readonly number[]): void {
    const [parent, name] = split(path);
    const value = typeof data === 'number' ? Float64Array.of(data) : data;
    const size = typeof data === 'number' ? [] : shape ? [...shape] : undefined;
    attempt(path, () =>
      (this.#at(parent) as Group).create_dataset({ name, data: value as Float64Array, ...(size === undefined ? {} : { shape: size }) }),
    );
    this.attributes(path, attributes);
  }

  /** The same object under a second name, with the attribute `target` that NeXus wants of it. */
  link(target: string, path: string): void {
    const [parent, name] = split(path);
    attempt(path, () => (this.#at(parent) as Group).create_hard_link(target, name));
    this.attributes(target, { target });
  }

  /** Adds rows to a dataset that grows, which is made with the first ones. `rows` counts those that are there. */
  append(path: string, rows: number, data: Numbers | readonly string[], row: readonly number[], chunk: number): void {
    const count = data.length / row.reduce((n, size) => n * size, 1);
    const [parent, name] = split(path);
    attempt(path, () => {
      if (rows === 0) {
        const dtype = Array.isArray(data) ? { dtype: `S${TEXT}` } : {};
        const shape = [count, ...row];
        // What has all its rows needs no room for more.
        const sizes = { shape, maxshape: [null, ...row], chunks: [this.#last ? Math.min(chunk, count) : chunk, ...row] };
        (this.#at(parent) as Group).create_dataset({ name, data: data as Float64Array, ...sizes, ...dtype });
      } else {
        const dataset = this.#at(path) as ReturnType<Group['create_dataset']>; // made above
        dataset.resize([rows + count, ...row]);
        dataset.write_slice([[rows, rows + count], ...row.map((size): [number, number] => [0, size])], data);
      }
    });
  }

  /** Called for more bytes of memory of a table (or fewer): all tables are written, and give theirs back, when it is too much. */
  hold(bytes: number): void {
    this.#held += bytes;
    if (bytes > 0 && this.#held > HELD) this.flush();
  }

  onFlush(flush: () => void): void {
    this.#flush.add(flush);
  }

  /** Writes what waits; `last` where no rows come behind it. */
  flush(last = false): void {
    this.#last = last;
    for (const flush of this.#flush) flush();
  }

  close(): void {
    this.flush();
    attempt('the file', () => {
      this.#file.flush();
      if (this.#file.close() < 0) throw new Error('it cannot be closed');
    });
  }

  #at(path: string): NonNullable<ReturnType<Group['get']>> & Group {
    const found = path === '/' ? this.#file : this.#file.get(path);
    if (!found) throw new Error('it is not there');
    return found as Group; // callers know what they have made
  }
}

/** Bytes of a text in a table of texts; longer ones are cut. */
export const TEXT = 512;

function split(path: string): readonly [string, string] {
  const at = path.lastIndexOf('/');
  return [path.slice(0, at) || '/', path.slice(at + 1)];
}

function attempt<T>(what: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new Hdf5Error(`HDF5 cannot write ${what}: ${reason(said)}`, { cause });
  }
}

/** The innermost line of the library's stack of errors, or what was said by something else. */
function reason(said: string): string {
  const [, innermost] = [...said.matchAll(/^\s*#\d+: .*\): (.*)$/gm)].at(-1) ?? [];
  return innermost ?? said.trim().split('\n')[0] ?? '';
}
