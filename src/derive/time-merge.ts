/** Hits of several boards as one stream in the order of their times. */
import { type Hits, hits } from './hits.ts';
import { type RollOver, unroller } from './roll-over.ts';

export interface Board {
  /** Nanoseconds to be added to its times, so that those of all boards have one zero; 0 where left out. */
  readonly offset?: number;
  /** Added to its channel numbers; 0 where left out. */
  readonly firstChannel?: number;
  /** Nanoseconds by which a block may begin before the end of the block before; 0 where left out. Within a block any order will do. */
  readonly disorder?: number;
  /** Where its counter can roll over unseen; without it its times are taken as they are. */
  readonly rollOver?: RollOver;
}

export interface MergeOptions {
  readonly boards: readonly Board[];
  /** Nanoseconds: a board that is so far behind the others is not waited for. 1 s where left out. */
  readonly hold?: number;
  /** Hits kept at most while one board is waited for; 2^20 where left out. */
  readonly most?: number;
}

export interface MergeCounts {
  /** Hits given on. */
  given: number;
  /** Given on out of order: they came after later ones had been given. */
  late: number;
  /** Hits that were let go because `most` was reached, before all boards had come that far. */
  early: number;
  /** Roll-overs of counters that only the coarse clock has shown, and blocks in which their number is a guess. */
  skipped: number;
  doubtful: number;
  /** Blocks of boards that do not exist. */
  strangers: number;
}

export interface TimeMerge {
  /** `clock` is the coarse clock in microseconds (when the block came). Blocks that are given are filled again after the call. */
  take(board: number, block: Hits, clock: number, give: (block: Hits) => void): void;
  /** No more will come: gives all that is held. */
  end(give: (block: Hits) => void): void;
  readonly counts: MergeCounts;
}

const GIVEN = 4096;

/**
 * A hit is given on as soon as every board has given one as late, or is `hold` behind. Nothing is lost: what comes later than that is given
 * on at once and counted. Equal times keep the order of the boards. Throws a RangeError for options that make no sense.
 */
export function timeMerge({ boards, hold = 1e9, most = 2 ** 20 }: MergeOptions): TimeMerge {
  if (boards.length === 0) throw new RangeError('no boards');
  if (!(hold >= 0)) throw new RangeError(`hold: nanoseconds, 0 or more, not ${hold}`);
  if (!(Number.isInteger(most) && most >= 1)) throw new RangeError(`most: 1 or more, not ${most}`);
  const counts: MergeCounts = { given: 0, late: 0, early: 0, skipped: 0, doubtful: 0, strangers: 0 };
  const queues = boards.map(() => queue());
  const clocks = boards.map((b) => b.rollOver && unroller(b.rollOver));
  const latest = boards.map(() => Number.NEGATIVE_INFINITY);
  const out = hits(GIVEN);
  let given = Number.NEGATIVE_INFINITY;

  const next = (): Queue | undefined => {
    let first: Queue | undefined;
    for (const q of queues) if (q.size() > 0 && (!first || q.first() < first.first())) first = q;
    return first;
  };
  const flush = (give: (block: Hits) => void): void => {
    if (out.count > 0) give(out);
    out.count = 0;
  };
  const release = (until: number, room: number, give: (block: Hits) => void): void => {
    let held = queues.reduce((sum, q) => sum + q.size(), 0);
    for (let q = next(); q && (q.first() <= until || held > room); q = next(), held--) {
      const t = q.first();
      if (t > until) counts.early++;
      if (t < given) counts.late++;
      else given = t;
      q.shift(out);
      counts.given++;
      if (out.count === out.capacity) flush(give);
    }
    flush(give);
  };

  return {
    counts,
    take(index, block, clock, give) {
      const [board, q] = [boards[index], queues[index]];
      if (!board || !q) {
        counts.strangers++;
        return;
      }
      let end = Number.NEGATIVE_INFINITY;
      for (let i = 0; i < block.count; i++) end = Math.max(end, block.t[i] as number); // i < count
      const told = block.count > 0 ? clocks[index]?.(end, clock * 1e3) : undefined;
      counts.skipped += told?.skipped ?? 0;
      if (told?.doubtful) counts.doubtful++;
      const shift = (board.offset ?? 0) + (told ? told.t - end : 0);
      for (let i = 0; i < block.count; i++) q.push(block, i, shift, board.firstChannel ?? 0);
      latest[index] = Math.max(latest[index] ?? 0, end + shift - (board.disorder ?? 0));
      release(Math.max(Math.min(...latest), Math.max(...latest) - hold), most, give);
    },
    end: (give) => release(Number.POSITIVE_INFINITY, 0, give),
  };
}

/** Hits of one board in the order of their times; equal ones as they came. */
interface Queue {
  size(): number;
  /** Time of the first; there is one. */
  first(): number;
  push(from: Hits, i: number, shift: number, firstChannel: number): void;
  /** Moves the first one to the end of a block that has room. */
  shift(to: Hits): void;
}

function queue(): Queue {
  let store = hits(1024);
  /** Rows of the store in the order of their times: those from `head` to `tail` are held. Freed rows are used again. */
  let order = new Int32Array(1024);
  let free = Int32Array.from({ length: 1024 }, (_, i) => i);
  let [head, tail, spare] = [0, 0, 1024];
  const grow = (): void => {
    const bigger = hits(2 * store.capacity);
    for (let k = head; k < tail; k++) copy(store, order[k] as number, bigger, k - head); // head <= k < tail
    [tail, head] = [tail - head, 0];
    order = Int32Array.from({ length: bigger.capacity }, (_, i) => i);
    free = Int32Array.from({ length: bigger.capacity }, (_, i) => bigger.capacity - 1 - i);
    spare = bigger.capacity - tail;
    store = bigger;
  };
  return {
    size: () => tail - head,
    first: () => store.t[order[head] as number] as number, // size() is above 0
    push(from, i, shift, firstChannel) {
      if (spare === 0) grow();
      if (tail === order.length) {
        order.copyWithin(0, head, tail);
        [tail, head] = [tail - head, 0];
      }
      const row = free[--spare] as number; // spare was above 0
      copy(from, i, store, row);
      const t = (from.t[i] as number) + shift; // i < count
      store.t[row] = t;
      store.channel[row] = (from.channel[i] as number) + firstChannel;
      let k = tail++;
      for (; k > head && (store.t[order[k - 1] as number] as number) > t; k--) order[k] = order[k - 1] as number; // head < k <= tail
      order[k] = row;
    },
    shift(to) {
      const row = order[head++] as number; // size() is above 0
      copy(store, row, to, to.count++);
      free[spare++] = row;
    },
  };
}

function copy(from: Hits, i: number, to: Hits, k: number): void {
  to.t[k] = from.t[i] as number; // both rows are there, here and below
  to.channel[k] = from.channel[i] as number;
  to.charge[k] = from.charge[i] as number;
  to.tail[k] = from.tail[i] as number;
  to.peak[k] = from.peak[i] as number;
  to.baseline[k] = from.baseline[i] as number;
  to.noise[k] = from.noise[i] as number;
  to.flags[k] = from.flags[i] as number;
  to.frame[k] = from.frame[i] as number;
}
