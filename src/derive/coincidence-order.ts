/** Puts events that come a little out of order, or twice, into their order of time, in bounded memory. */

/** A block of events in columns, the first `count` rows of it. Nanoseconds, MeVee, tail over total, cm. */
export interface Events {
  readonly count: number;
  readonly t: Float64Array;
  readonly energy: Float64Array;
  readonly psd: Float64Array;
  /** The vertex, where there is one. */
  readonly x?: Float64Array;
  readonly y?: Float64Array;
  readonly z?: Float64Array;
}

export interface EventOrder {
  /** Gives on what no later block can come before any more: rows `from` to `to` of the columns, in order, no row twice. */
  take(block: Events): void;
  /** Gives on the rest. */
  end(): void;
  /** Events before this time have been given on. */
  readonly settled: number;
  /** The latest time seen. */
  readonly newest: number;
  /** Events that were there already, those that came after `disorder` was over (new or not: they are left out), and those without a time. */
  readonly doubled: number;
  readonly late: number;
  readonly untimed: number;
}

const COLUMNS = 6;
type Columns = readonly [t: Float64Array, energy: Float64Array, psd: Float64Array, x: Float64Array, y: Float64Array, z: Float64Array];
const columns = (capacity: number): Columns => {
  const one = (): Float64Array => new Float64Array(capacity);
  return [one(), one(), one(), one(), one(), one()];
};

/**
 * Events may come up to `disorder` nanoseconds after a later one, in blocks of any size. Rows alike in every column are one event. `give`
 * must not keep the columns. Equal times stand with the largest energy first, so that nothing depends on how they came.
 */
export function eventOrder(disorder: number, give: (events: Events, from: number, to: number) => void): EventOrder {
  let held = columns(1024);
  let spare = columns(1024);
  let [head, tail] = [0, 0]; // what is held, in order and without doubles
  let settled = Number.NEGATIVE_INFINITY;
  let newest = Number.NEGATIVE_INFINITY;
  let [doubled, late, untimed] = [0, 0, 0];

  const events = (): Events => ({ count: tail, t: held[0], energy: held[1], psd: held[2], x: held[3], y: held[4], z: held[5] });

  function room(rows: number): void {
    if (tail + rows <= held[0].length) return;
    const many = tail - head;
    if (many + rows <= held[0].length / 2) for (const column of held) column.copyWithin(0, head, tail);
    else {
      const larger = columns(2 ** Math.ceil(Math.log2(2 * (many + rows))));
      for (let c = 0; c < COLUMNS; c++) larger[c].set(held[c].subarray(head, tail));
      held = larger;
      spare = columns(larger[0].length);
    }
    [head, tail] = [0, many];
  }

  function append(block: Events, from: number, to: number): void {
    room(to - from);
    const all = [block.t, block.energy, block.psd, block.x, block.y, block.z];
    for (let c = 0; c < COLUMNS; c++) {
      const column = all[c];
      if (column) held[c].set(column.subarray(from, to), tail);
      else held[c].fill(Number.NaN, tail, tail + to - from);
    }
    tail += to - from;
  }

  function appendRow(block: Events, row: number): void {
    room(1);
    held[0][tail] = block.t[row];
    held[1][tail] = block.energy[row];
    held[2][tail] = block.psd[row];
    held[3][tail] = block.x ? block.x[row] : Number.NaN;
    held[4][tail] = block.y ? block.y[row] : Number.NaN;
    held[5][tail] = block.z ? block.z[row] : Number.NaN;
    tail++;
  }

  /** Below zero where row a comes first; zero where they are one event. */
  function compare(a: number, b: number): number {
    const apart = held[0][a] - held[0][b];
    if (apart !== 0) return apart;
    for (let c = 1; c < COLUMNS; c++) {
      const [p, q] = [held[c][a], held[c][b]];
      if (p > q) return -1;
      if (p < q) return 1;
      if (Number.isNaN(p) !== Number.isNaN(q)) return Number.isNaN(p) ? 1 : -1;
    }
    return 0;
  }

  function sort(): void {
    const order = inOrder();
    let kept = 0;
    for (let i = 0; i < order.length; i++) {
      if (i > 0 && compare(order[i - 1], order[i]) === 0) doubled++;
      else order[kept++] = order[i];
    }
    for (let c = 0; c < COLUMNS; c++) for (let i = 0; i < kept; i++) spare[c][i] = held[c][order[i]];
    [held, spare] = [spare, held];
    [head, tail] = [0, kept];
  }

  /** The held rows as they should stand: by insertion as long as few are out of place. */
  function inOrder(): Uint32Array {
    const many = tail - head;
    const order = new Uint32Array(many);
    let moves = 8 * many;
    for (let i = 0; i < many; i++) {
      let at = i;
      for (; at > 0 && compare(order[at - 1], head + i) > 0; at--) order[at] = order[at - 1];
      order[at] = head + i;
      moves -= i - at;
      if (moves < 0) return order.map((_, row) => head + row).sort(compare);
    }
    return order;
  }

  /** Gives the held rows before `settled` on. */
  function release(): void {
    const to = firstFrom(held[0], settled, head, tail);
    if (to > head) give(events(), head, to);
    head = to;
    if (head === tail) head = tail = 0;
  }

  /** A block that is in order, each time once, and after all that is held: only what must wait is copied. */
  function straight(block: Events): boolean {
    const { t, count } = block;
    let before = tail > head ? held[0][tail - 1] : Math.max(newest, settled);
    if (before >= t[0]) return false;
    for (let i = 0; i < count; i++) {
      if (!(t[i] > before)) return false;
      before = t[i];
    }
    return before < Number.POSITIVE_INFINITY;
  }

  return {
    take(block) {
      const { t, count } = block;
      if (count === 0) return;
      if (straight(block)) {
        newest = t[count - 1];
        settled = Math.max(settled, newest - disorder);
        release();
        const to = head === tail ? firstFrom(t, settled, 0, count) : 0;
        if (to > 0) give(block, 0, to);
        if (to < count) append(block, to, count);
        return;
      }
      for (let i = 0; i < count; i++) {
        if (!Number.isFinite(t[i])) untimed++;
        else if (t[i] < settled) late++;
        else {
          appendRow(block, i);
          newest = Math.max(newest, t[i]);
        }
      }
      sort();
      settled = Math.max(settled, newest - disorder);
      release();
    },
    end() {
      settled = Number.POSITIVE_INFINITY;
      release();
    },
    get settled() {
      return settled;
    },
    get newest() {
      return newest;
    },
    get doubled() {
      return doubled;
    },
    get late() {
      return late;
    },
    get untimed() {
      return untimed;
    },
  };
}

/** The first row whose time is not below this one; rows `from` to `to` are in order. */
export function firstFrom(t: Float64Array, time: number, from: number, to: number): number {
  let [low, high] = [from, to];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (t[middle] < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The first row whose time is above this one. */
export function firstAfter(t: Float64Array, time: number, from: number, to: number): number {
  let [low, high] = [from, to];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (t[middle] <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}
