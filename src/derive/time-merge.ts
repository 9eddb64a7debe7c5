/** Hits of several boards as one stream in the order of their times. */
import { type HitQueue, hitMemory, hitQueue } from './hit-queue.ts';
import { FLAG, type Hits, hits } from './hits.ts';
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
  /**
   * Its times are what the counter showed, from 0 to the period, and turns may lie within a block; no block is longer than half a period.
   * Otherwise the turns that its own stream shows have been counted.
   */
  readonly raw?: boolean;
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
  /** Given on out of order, with FLAG.late: they came after later ones had been given. */
  late: number;
  /** Hits that were there already, with the same time, channel, frame and charge: left out. */
  doubled: number;
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
 * on at once and counted. What comes twice is left out, in whatever order and split the blocks come. Equal times keep the order of the
 * boards. Throws a RangeError for options that make no sense.
 */
export function timeMerge({ boards, hold = 1e9, most = 2 ** 20 }: MergeOptions): TimeMerge {
  if (boards.length === 0) throw new RangeError('no boards');
  if (!(hold >= 0)) throw new RangeError(`hold: nanoseconds, 0 or more, not ${hold}`);
  if (!(Number.isInteger(most) && most >= 1)) throw new RangeError(`most: 1 or more, not ${most}`);
  const counts: MergeCounts = { given: 0, late: 0, doubled: 0, early: 0, skipped: 0, doubtful: 0, strangers: 0 };
  const queues = boards.map(() => hitQueue());
  const remembered = boards.map(() => hitMemory());
  const clocks = boards.map((b) => b.rollOver && unroller(b.rollOver));
  const latest = boards.map(() => Number.NEGATIVE_INFINITY);
  const out = hits(GIVEN);
  let given = Number.NEGATIVE_INFINITY;

  const next = (): HitQueue | undefined => {
    let first: HitQueue | undefined;
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
      q.shift(out);
      remembered[queues.indexOf(q)]?.put(out, out.count - 1);
      if (t < given) {
        counts.late++;
        out.flags[out.count - 1] = (out.flags[out.count - 1] as number) | FLAG.late; // it was put there just now
      } else given = t;
      counts.given++;
      if (out.count === out.capacity) flush(give);
    }
    flush(give);
  };

  return {
    counts,
    take(index, block, clock, give) {
      const [board, q, past] = [boards[index], queues[index], remembered[index]];
      if (!board || !q || !past) {
        counts.strangers++;
        return;
      }
      if (block.count === 0) return;
      const { offset = 0, firstChannel = 0, disorder = 0, rollOver, raw } = board;
      const period = rollOver?.period ?? 0;
      // The turn in which a hit lies nearest to the last of its block.
      const last = block.t[block.count - 1] as number; // i < count, here and below
      const turned = (i: number): number => (raw && period > 0 ? Math.round((last - (block.t[i] as number)) / period) : 0);
      let end = Number.NEGATIVE_INFINITY;
      for (let i = 0; i < block.count; i++) end = Math.max(end, (block.t[i] as number) + turned(i) * period);
      const told = clocks[index]?.(end, clock * 1e3);
      counts.skipped += told?.skipped ?? 0;
      if (told?.doubtful) counts.doubtful++;
      const turns = told?.turns ?? 0;
      for (let i = 0; i < block.count; i++) {
        // Added up in one order, so that the same hit in another block has the same time to the last bit.
        const t = (block.t[i] as number) + (turned(i) + turns) * period + offset;
        const channel = (block.channel[i] as number) + firstChannel;
        if (past.has(t, channel, block, i) || !q.push(block, i, t, channel)) counts.doubled++;
      }
      latest[index] = Math.max(latest[index] ?? 0, end + turns * period + offset - disorder);
      release(Math.max(Math.min(...latest), Math.max(...latest) - hold), most, give);
    },
    end: (give) => release(Number.POSITIVE_INFINITY, 0, give),
  };
}
