/** Puts hits into the order of their times, as far as a bounded window reaches; none is lost. */
import { FLAG, type Hits, hits } from './hits.ts';

export interface HitOrderSettings {
  /** Nanoseconds that a hit may come after a later one. */
  readonly window?: number;
  /** Hits that are held at most: with more of them in a window, the oldest are given on earlier. */
  readonly capacity?: number;
  /** Nanoseconds: a single hit that lies further ahead than this is no clock but a damaged number. */
  readonly leap?: number;
}

export interface HitOrderCounts {
  hits: number;
  /** Hits with an earlier time than the one before them, and by how many nanoseconds at most. */
  backwardSteps: number;
  largestBackwardStep: number;
  /** Given on where they came, out of order, with FLAG.late. */
  late: number;
  /** Of these, single hits far ahead of the others. */
  stray: number;
  /** Hits given on before the window was over, because `capacity` of them were held. */
  crowded: number;
  /** Times that the clock began anew: a row of hits far behind the others, which agree among themselves. */
  restarts: number;
}

export interface HitOrder {
  take(block: Hits, give: (block: Hits) => void): void;
  /** Gives on what is still held. */
  end(give: (block: Hits) => void): void;
  readonly counts: HitOrderCounts;
}

const SECOND = 1e9;
const OUT = 4096;
/** So many late hits in a row that agree with one another are a clock that was set back. */
const AGREED = 16;
/** ... and so many windows behind. */
const FAR = 10;

/**
 * Hits of equal time keep their order. What is given depends on the hits alone, not on how they were split into blocks. Blocks given on
 * are filled again after the call.
 */
export function hitOrder(settings: HitOrderSettings = {}): HitOrder {
  const { window = SECOND, capacity = 2 ** 19, leap = 3600 * SECOND } = settings;
  const counts: HitOrderCounts = { hits: 0, backwardSteps: 0, largestBackwardStep: 0, late: 0, stray: 0, crowded: 0, restarts: 0 };
  const out = hits(OUT);
  // Rows are held in `rows`; `order` lists those in order, then from `sorted` on those that have come since.
  let rows = hits(OUT);
  let order = new Uint32Array(OUT);
  let [begin, sorted, end] = [0, 0, 0];
  const free: number[] = [];
  let used = 0;
  /** The latest time, the time before which all has been given on, and the time of the hit before. */
  let [latest, given, before] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN];
  let ahead = Number.NaN;
  let [behind, apart] = [Number.NaN, 0];
  let inOrder = true;

  const flush = (give: (block: Hits) => void): void => {
    if (out.count > 0) give(out);
    out.count = 0;
  };
  const emit = (from: Hits, i: number, flags: number, give: (block: Hits) => void): void => {
    copy(from, i, out, out.count++);
    if (flags !== 0) out.flags[out.count - 1] = (from.flags[i] ?? 0) | flags;
    if (out.count === OUT) flush(give);
  };

  const keep = (block: Hits, i: number): void => {
    if (end === order.length) {
      const next = new Uint32Array(end - begin + Math.max(OUT, end - begin));
      next.set(order.subarray(begin, end));
      [order, sorted, end, begin] = [next, sorted - begin, end - begin, 0];
    }
    let row = free.pop();
    if (row === undefined) {
      if (used === rows.capacity) rows = grown(rows);
      row = used++;
    }
    copy(block, i, rows, row);
    if (end > sorted && (rows.t[order[end - 1] ?? 0] ?? 0) > (rows.t[row] ?? 0)) inOrder = false;
    order[end++] = row;
  };

  /** Merges what has come since, and gives on what is older than `until` or too much. */
  const settle = (until: number, give: (block: Hits) => void): void => {
    const { t } = rows;
    const fresh = order.subarray(sorted, end);
    // Stable, so that hits of one time stay as they came.
    if (!inOrder) fresh.sort((a, b) => (t[a] ?? 0) - (t[b] ?? 0));
    inOrder = true;
    if (sorted > begin && end > sorted && (t[order[sorted - 1] ?? 0] ?? 0) > (t[fresh[0] ?? 0] ?? 0)) {
      const added = fresh.slice();
      let [a, b, w] = [sorted - 1, added.length - 1, end - 1];
      while (b >= 0) {
        const [left, right] = [a >= begin ? (t[order[a] ?? 0] ?? 0) : Number.NEGATIVE_INFINITY, t[added[b] ?? 0] ?? 0];
        order[w--] = (left > right ? order[a--] : added[b--]) ?? 0;
      }
    }
    sorted = end;
    while (begin < end) {
      const row = order[begin] ?? 0;
      const at = t[row] ?? 0;
      const old = at < until;
      if (!old && end - begin <= capacity) break;
      if (!old) counts.crowded++;
      given = Math.max(given, at);
      begin++;
      emit(rows, row, 0, give);
      free.push(row);
    }
  };

  const late = (block: Hits, i: number, give: (block: Hits) => void): void => {
    counts.late++;
    emit(block, i, FLAG.late, give);
  };

  const one = (block: Hits, i: number, give: (block: Hits) => void): void => {
    const t = block.t[i] ?? 0;
    counts.hits++;
    if (t < before) {
      counts.backwardSteps++;
      counts.largestBackwardStep = Math.max(counts.largestBackwardStep, before - t);
    }
    before = t;
    if (!(t <= latest + leap) && latest > Number.NEGATIVE_INFINITY) {
      const agreed = Math.abs(t - ahead) <= leap;
      ahead = t;
      if (!agreed) {
        counts.stray++;
        late(block, i, give);
        return;
      }
    }
    ahead = Number.NaN;
    if (t < Math.max(latest - window, given)) {
      const agrees = Math.abs(t - behind) <= leap && t !== behind;
      apart = agrees ? apart + 1 : 1;
      behind = t;
      if (apart < AGREED || latest - t < FAR * window) {
        late(block, i, give);
        return;
      }
      counts.restarts++;
      settle(Number.POSITIVE_INFINITY, give);
      [latest, given] = [t, Number.NEGATIVE_INFINITY];
    }
    apart = 0;
    latest = Math.max(latest, t);
    keep(block, i);
    // Work that grows with what is held, so that each hit costs the same.
    if (end - sorted >= Math.max(OUT, (sorted - begin) / 2)) settle(latest - window, give);
  };

  return {
    counts,
    take(block, give) {
      for (let i = 0; i < block.count; i++) one(block, i, give);
    },
    end(give) {
      settle(Number.POSITIVE_INFINITY, give);
      flush(give);
    },
  };
}

function copy(from: Hits, i: number, to: Hits, k: number): void {
  to.t[k] = from.t[i] ?? 0;
  to.channel[k] = from.channel[i] ?? 0;
  to.charge[k] = from.charge[i] ?? 0;
  to.tail[k] = from.tail[i] ?? 0;
  to.peak[k] = from.peak[i] ?? 0;
  to.baseline[k] = from.baseline[i] ?? 0;
  to.noise[k] = from.noise[i] ?? 0;
  to.flags[k] = from.flags[i] ?? 0;
  to.frame[k] = from.frame[i] ?? 0;
}

function grown(rows: Hits): Hits {
  const next = hits(rows.capacity * 2);
  for (const name of ['t', 'channel', 'charge', 'tail', 'peak', 'baseline', 'noise', 'flags', 'frame'] as const) next[name].set(rows[name]);
  return next;
}
