/** Columns of the pair search: pairs that are given, and rows that wait. */

/** Pairs in columns, the first `count` rows of them; it is filled again after the call that gave it. Nanoseconds, MeVee, cm. */
export interface Pairs {
  count: number;
  /** -1 on time, else the number of the off-time window. */
  readonly window: Int16Array;
  readonly tPrompt: Float64Array;
  readonly tDelayed: Float64Array;
  readonly energyPrompt: Float64Array;
  readonly energyDelayed: Float64Array;
  readonly psdPrompt: Float64Array;
  readonly psdDelayed: Float64Array;
  /** The prompt's place, and delayed less prompt; NaN where an event had no place. */
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly z: Float64Array;
  readonly dx: Float64Array;
  readonly dy: Float64Array;
  readonly dz: Float64Array;
  /** 1 or 0. */
  readonly isolated: Uint8Array;
  /** Delayed candidates that this prompt has on time. */
  readonly multiplicity: Uint16Array;
}

export const CHUNK = 1024;
export const pairColumns = (): Pairs => {
  const column = (): Float64Array => new Float64Array(CHUNK);
  return {
    count: 0,
    window: new Int16Array(CHUNK),
    tPrompt: column(),
    tDelayed: column(),
    energyPrompt: column(),
    energyDelayed: column(),
    psdPrompt: column(),
    psdDelayed: column(),
    x: column(),
    y: column(),
    z: column(),
    dx: column(),
    dy: column(),
    dz: column(),
    isolated: new Uint8Array(CHUNK),
    multiplicity: new Uint16Array(CHUNK),
  };
};

/** A queue of rows in columns: grows at the end, is dropped from the front. What has not been written is no number. */
export interface Queue {
  columns: Float64Array[];
  from: number;
  to: number;
}
const empty = (rows: number): Float64Array => new Float64Array(rows).fill(Number.NaN);
export const queue = (columns: number): Queue => ({ columns: Array.from({ length: columns }, () => empty(1024)), from: 0, to: 0 });

/** Makes room for one more row: moves what is there to the front, or doubles. Gives how far rows have moved. */
export function room(q: Queue): number {
  const capacity = q.columns[0].length;
  if (q.to < capacity) return 0;
  const { from, to } = q;
  if (from > capacity / 2) for (const column of q.columns) column.copyWithin(0, from, to);
  else
    q.columns = q.columns.map((column) => {
      const larger = empty(2 * capacity);
      larger.set(column.subarray(from, to));
      return larger;
    });
  q.from = 0;
  q.to = to - from;
  return from;
}
