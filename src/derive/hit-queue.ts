/** Hits of one board on their way into a merge: those that wait, in the order of their times, and what is remembered of those that went. */
import { firstFrom } from './coincidence-order.ts';
import { copyHit, type Hits, hits } from './hits.ts';

/** Hits of one board in the order of their times; equal ones as they came. */
export interface HitQueue {
  size(): number;
  /** Time of the first; there is one. */
  first(): number;
  /** False where it holds the same hit already. */
  push(from: Hits, i: number, t: number, channel: number): boolean;
  /** Moves the first one to the end of a block that has room. */
  shift(to: Hits): void;
}

export function hitQueue(): HitQueue {
  let store = hits(1024);
  /** Rows of the store in the order of their times: those from `head` to `tail` are held. Freed rows are used again. */
  let order = new Int32Array(1024);
  let free = Int32Array.from({ length: 1024 }, (_, i) => i);
  let [head, tail, spare] = [0, 0, 1024];
  const grow = (): void => {
    const bigger = hits(2 * store.capacity);
    for (let k = head; k < tail; k++) copyHit(store, order[k] as number, bigger, k - head); // head <= k < tail
    [tail, head] = [tail - head, 0];
    order = Int32Array.from({ length: bigger.capacity }, (_, i) => i);
    free = Int32Array.from({ length: bigger.capacity }, (_, i) => bigger.capacity - 1 - i);
    spare = bigger.capacity - tail;
    store = bigger;
  };
  return {
    size: () => tail - head,
    first: () => store.t[order[head] as number] as number, // size() is above 0
    push(from, i, t, channel) {
      for (let k = tail - 1; k >= head && (store.t[order[k] as number] as number) >= t; k--)
        if (same(store, order[k] as number, t, channel, from, i)) return false; // head <= k < tail
      if (spare === 0) grow();
      if (tail === order.length) {
        order.copyWithin(0, head, tail);
        [tail, head] = [tail - head, 0];
      }
      const row = free[--spare] as number; // spare was above 0
      copyHit(from, i, store, row);
      store.t[row] = t;
      store.channel[row] = channel;
      let k = tail++;
      for (; k > head && (store.t[order[k - 1] as number] as number) > t; k--) order[k] = order[k - 1] as number; // head < k <= tail
      order[k] = row;
      return true;
    },
    shift(to) {
      const row = order[head++] as number; // size() is above 0
      copyHit(store, row, to, to.count++);
      free[spare++] = row;
    },
  };
}

/** The last hits that went. */
export interface HitMemory {
  put(block: Hits, i: number): void;
  /** Whether hit i of the block, with this time and channel, has been put. */
  has(t: number, channel: number, block: Hits, i: number): boolean;
}

/** Hits that are remembered: 65,536 at least, and so many of those that went out of order. */
const REMEMBERED = 2 ** 16;
const LATE = 1024;

type Row = Pick<Hits, 't' | 'channel' | 'frame' | 'charge'>;
const rowsOf = (count: number): Row => ({
  t: new Float64Array(count).fill(Number.NaN),
  channel: new Uint16Array(count),
  frame: new Uint32Array(count),
  charge: new Float64Array(count),
});
function put(rows: Row, k: number, block: Hits, i: number): void {
  rows.t[k] = block.t[i] as number; // both rows are there, here and below
  rows.channel[k] = block.channel[i] as number;
  rows.frame[k] = block.frame[i] as number;
  rows.charge[k] = block.charge[i] as number;
}

export function hitMemory(): HitMemory {
  const [rows, late] = [rowsOf(2 * REMEMBERED), rowsOf(LATE)];
  let [count, lates] = [0, 0];
  let latest = Number.NEGATIVE_INFINITY;
  return {
    put(block, i) {
      const t = block.t[i] as number; // a row of the block
      if (t < latest) {
        put(late, lates++ % LATE, block, i);
        return;
      }
      latest = t;
      if (count === 2 * REMEMBERED) {
        for (const column of Object.values(rows)) column.copyWithin(0, REMEMBERED);
        count = REMEMBERED;
      }
      put(rows, count++, block, i);
    },
    has(t, channel, block, i) {
      if (t > latest) return false;
      for (let k = firstFrom(rows.t, t, 0, count); k < count && rows.t[k] === t; k++) if (same(rows, k, t, channel, block, i)) return true;
      for (let k = Math.min(lates, LATE) - 1; k >= 0; k--) if (same(late, k, t, channel, block, i)) return true;
      return false;
    },
  };
}

const same = (a: Row, row: number, t: number, channel: number, b: Hits, i: number): boolean =>
  a.t[row] === t && a.channel[row] === channel && a.frame[row] === b.frame[i] && a.charge[row] === b.charge[i];
