/** Columns of one length in a group of an HDF5 file, row by row; a column that comes late is filled for the rows before it. */
import { type Attributes, type Hdf5, type Numbers, TEXT } from './hdf5.ts';

const KINDS = {
  f8: Float64Array,
  f4: Float32Array,
  i4: Int32Array,
  u4: Uint32Array,
  u2: Uint16Array,
  i2: Int16Array,
  i1: Int8Array,
} as const;
export type NumberKind = keyof typeof KINDS;

export interface ColumnShape {
  readonly type: NumberKind;
  /** Of one row; none for a number. */
  readonly row?: readonly number[];
  /** Where a row has nothing for this column. */
  readonly fill: number;
  readonly attributes?: Attributes;
}

export type Row = Readonly<Record<string, number | ArrayLike<number> | undefined>>;

const CHUNK = 8192; // bytes of a chunk of numbers: 1024 doubles
const CHUNK_ROWS = 65_536; // bytes of a chunk of rows with many numbers, of which one may be larger
const FIRST = 16;

export class Table {
  readonly #file: Hdf5;
  readonly #group: string;
  readonly #columns = new Map<string, Column>();
  #rows = 0;

  constructor(file: Hdf5, group: string) {
    this.#file = file;
    this.#group = group;
    file.onFlush(() => {
      for (const column of this.#columns.values()) column.rest();
    });
  }

  get rows(): number {
    return this.#rows;
  }

  has(name: string): boolean {
    return this.#columns.has(name);
  }

  column(name: string, shape: ColumnShape): void {
    if (this.#columns.has(name)) return;
    const column = new Column(this.#file, `${this.#group}/${name}`, shape);
    this.#columns.set(name, column);
    for (let i = 0; i < this.#rows; i++) column.push(undefined);
  }

  add(row: Row): void {
    this.#rows++;
    for (const [name, column] of this.#columns) column.push(row[name]);
  }
}

class Column {
  readonly #file: Hdf5;
  readonly #path: string;
  readonly #shape: ColumnShape;
  readonly #width: number;
  readonly #chunk: number;
  #buffer: Numbers;
  #held = 0;
  #written = 0;

  constructor(file: Hdf5, path: string, shape: ColumnShape) {
    this.#file = file;
    this.#path = path;
    this.#shape = shape;
    this.#width = (shape.row ?? []).reduce((n, size) => n * size, 1);
    const bytes = this.#width * KINDS[shape.type].BYTES_PER_ELEMENT;
    this.#chunk = Math.max(1, Math.floor((shape.row ? CHUNK_ROWS : CHUNK) / bytes));
    this.#buffer = this.#make(Math.min(this.#chunk, FIRST));
  }

  #make(rows: number): Numbers {
    return new KINDS[this.#shape.type](rows * this.#width);
  }

  push(value: number | ArrayLike<number> | undefined): void {
    if (this.#held * this.#width === this.#buffer.length) {
      const larger = this.#make(Math.min(this.#chunk, this.#held * 2));
      larger.set(this.#buffer as Float64Array & Int32Array); // both are of this column's type
      const more = larger.byteLength - this.#buffer.byteLength;
      this.#buffer = larger;
      this.#file.hold(more);
    }
    const at = this.#held * this.#width;
    if (value === undefined) this.#buffer.fill(this.#shape.fill as never, at, at + this.#width);
    else if (typeof value === 'number') this.#buffer[at] = value;
    else this.#buffer.set(value as never, at);
    this.#held++;
    if (this.#held >= this.#chunk) this.flush();
  }

  /** Writes what waits, and gives its memory back. */
  rest(): void {
    this.flush();
    const smaller = this.#make(Math.min(this.#chunk, FIRST));
    const less = this.#buffer.byteLength - smaller.byteLength;
    if (less <= 0) return;
    this.#buffer = smaller;
    this.#file.hold(-less);
  }

  flush(): void {
    if (this.#held === 0) return;
    const { row = [], attributes } = this.#shape;
    this.#file.append(this.#path, this.#written, this.#buffer.subarray(0, this.#held * this.#width), row, this.#chunk);
    if (this.#written === 0 && attributes) this.#file.attributes(this.#path, attributes);
    this.#written += this.#held;
    this.#held = 0;
  }
}

const MOST_WORDS = 4096;
const WORDS_CHUNK = 32;
const CUT = '…';

/** Texts that come again and again, as rows of a table of UTF-8 strings: a column has their numbers. */
export class Words {
  readonly #file: Hdf5;
  readonly #path: string;
  readonly #codes = new Map<string, number>();
  #held: string[] = [];
  #written = 0;
  /** Texts that were longer than a row. */
  cut = 0;

  constructor(file: Hdf5, path: string) {
    this.#file = file;
    this.#path = path;
    file.onFlush(() => this.flush());
  }

  /** From 0. A text may be there twice when there are very many. */
  code(text: string): number {
    const known = this.#codes.get(text);
    if (known !== undefined) return known;
    if (this.#codes.size >= MOST_WORDS) this.#codes.clear();
    const code = this.#written + this.#held.length;
    this.#codes.set(text, code);
    const fits = Buffer.byteLength(text) <= TEXT;
    if (!fits) this.cut++;
    this.#held.push(fits ? text : shortened(text));
    if (this.#held.length >= WORDS_CHUNK) this.flush();
    return code;
  }

  flush(): void {
    if (this.#held.length === 0) return;
    this.#file.append(this.#path, this.#written, this.#held, [], WORDS_CHUNK);
    this.#written += this.#held.length;
    this.#held = [];
  }
}

const encoder = new TextEncoder();

/** At the end of a character. */
function shortened(text: string): string {
  const room = new Uint8Array(TEXT - encoder.encode(CUT).length);
  return text.slice(0, encoder.encodeInto(text, room).read) + CUT;
}

/** Bytes one after the other, as long as they come: lines of JSON. */
export class Bytes {
  readonly #file: Hdf5;
  readonly #path: string;
  #held: Uint8Array[] = [];
  #size = 0;
  #written = 0;

  constructor(file: Hdf5, path: string) {
    this.#file = file;
    this.#path = path;
    file.onFlush(() => this.flush());
  }

  add(text: string): void {
    const bytes = encoder.encode(text);
    this.#held.push(bytes);
    this.#size += bytes.length;
    if (this.#size >= CHUNK_ROWS) this.flush();
  }

  flush(): void {
    if (this.#size === 0) return;
    this.#file.append(this.#path, this.#written, Uint8Array.from(Buffer.concat(this.#held)), [], CHUNK);
    this.#written += this.#size;
    this.#held = [];
    this.#size = 0;
  }
}
