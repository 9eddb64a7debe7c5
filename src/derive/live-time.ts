/** Live time and rates: what has elapsed, less what is known to have been lost, by cause. */
import type { Trace } from '../reading.ts';
import { FLAG, type Hits, type SourceCounts } from './hits.ts';

export interface LiveTimeOptions {
  readonly channels: number;
  /** Microseconds since 1970: when counting began. */
  readonly begin: number;
  /** Seconds after each frame in which the board takes no other (dead time that a new pulse does not extend); 0 where it is left out. */
  readonly perFrame?: number;
}

/** Seconds. */
export interface Dead {
  /** Told by closed(): the link was down, nobody listened. */
  readonly closed: number;
  /** Frames that never came, or that were damaged: their part of all frames, of the time in which they were missed. */
  readonly missing: number;
  /** Where the board says itself that it has lost something: from the hit before to the hit that says so. */
  readonly board: number;
  /** perFrame for each frame that came. */
  readonly busy: number;
}

export interface Rates {
  /** Seconds. */
  readonly elapsed: number;
  readonly live: number;
  readonly dead: Dead;
  readonly frames: number;
  /** One number per channel: hits that are pulses, their rate (1/s of live time), and one sigma of it; NaN without live time. */
  readonly counts: Float64Array;
  readonly rate: Float64Array;
  readonly sigma: Float64Array;
}

export interface LiveLook {
  /** Since counting began. */
  readonly whole: Rates;
  /** Since the look before; since the last look that had a frame, where none has come (a loss is seen only by the frame after it). */
  readonly recent: Rates;
  /** `recent` as rate and sigma (1/s) and counts, shape [channels]. */
  readonly trace: Trace;
}

export interface LiveTime {
  take(block: Hits): void;
  /** A time (microseconds since 1970) in which nothing could come. In any order; what overlaps counts once. */
  closed(from: number, to: number): void;
  /** `now` in microseconds since 1970, never before the look before; `counts` of the source, as they stand. */
  look(now: number, counts: SourceCounts): LiveLook;
}

/** Sums that only grow, from which the whole and the recent are made. */
interface Sums {
  at: number;
  closed: number;
  missing: number;
  board: number;
  frames: number;
  lostFrames: number;
  hits: Float64Array;
}

/**
 * Where the board's word and the frames' numbers tell of losses in the same interval, the longer of the two counts: as a rule both tell of
 * the same. Hits with FLAG.empty are frames without a pulse: not counted. Throws a RangeError for options that make no sense.
 */
export function liveTime(options: LiveTimeOptions): LiveTime {
  const { channels, begin, perFrame = 0 } = options;
  if (!(Number.isInteger(channels) && channels >= 1)) throw new RangeError(`channels: at least 1, not ${channels}`);
  if (!(perFrame >= 0 && Number.isFinite(perFrame))) throw new RangeError(`perFrame: seconds, 0 or more, not ${perFrame}`);
  const hits = new Float64Array(channels);
  const gaps = intervals();
  const board = boardLosses();
  /** As of the last look that had a frame. */
  let mark: Sums = { at: begin, closed: 0, missing: 0, board: 0, frames: 0, lostFrames: 0, hits: hits.slice() };
  let boardAt = 0;
  return {
    take(block) {
      for (let i = 0; i < block.count; i++) {
        const [c, flags] = [block.channel[i] as number, block.flags[i] as number]; // i < count
        board.take(block.frame[i] as number, block.t[i] as number, (flags & FLAG.lostBefore) !== 0);
        if (c < channels && (flags & FLAG.empty) === 0) hits[c] = (hits[c] as number) + 1;
      }
    },
    closed: (from, to) => gaps.add(from, to),
    look(now, counts) {
      const closed = gaps.within(begin, now) / 1e6;
      const lostFrames = Math.max(counts.missing, counts.damaged);
      const [came, missed] = [counts.frames - mark.frames, lostFrames - mark.lostFrames];
      const open = Math.max(0, (now - mark.at) / 1e6 - (closed - mark.closed));
      const byNumber = came + missed > 0 ? (open * missed) / (came + missed) : 0;
      const byBoard = Math.min(open, board.seconds() - boardAt);
      const next: Sums = {
        at: now,
        closed,
        missing: mark.missing + (byNumber >= byBoard ? byNumber : 0),
        board: mark.board + (byNumber >= byBoard ? 0 : byBoard),
        frames: counts.frames,
        lostFrames,
        hits: hits.slice(),
      };
      const whole = rates({ ...next, at: (now - begin) / 1e6 }, perFrame);
      const recent = rates(
        {
          at: (now - mark.at) / 1e6,
          closed: closed - mark.closed,
          missing: next.missing - mark.missing,
          board: next.board - mark.board,
          frames: came,
          lostFrames: missed,
          hits: hits.map((n, c) => n - (mark.hits[c] ?? 0)),
        },
        perFrame,
      );
      const trace = rateTrace(recent, mark.at, now);
      if (came + missed > 0) {
        mark = next;
        boardAt = board.seconds();
      }
      return { whole, recent, trace };
    },
  };
}

/** `at` is what has elapsed, in seconds. */
function rates({ at, closed, missing, board, frames, hits }: Sums, perFrame: number): Rates {
  const open = Math.max(0, at - closed - missing - board);
  const busy = Math.min(open, frames * perFrame);
  const live = open - busy;
  return {
    elapsed: at,
    live,
    dead: { closed, missing, board, busy },
    frames,
    counts: hits,
    rate: hits.map((n) => (live > 0 ? n / live : Number.NaN)),
    // Of no counts at all the bar is that of one.
    sigma: hits.map((n) => (live > 0 ? Math.sqrt(Math.max(1, n)) / live : Number.NaN)),
  };
}

function rateTrace({ rate, sigma, counts }: Rates, begin: number, end: number): Trace {
  return {
    columns: {
      rate: { unit: '1/s', data: rate },
      sigma: { unit: '1/s', data: sigma },
      counts: { unit: '1', data: counts },
    },
    shape: [rate.length],
    begin,
    end,
    settings: {},
  };
}

/** Time between frames of which the later says that something was lost before it. */
function boardLosses(): { take(frame: number, t: number, lost: boolean): void; seconds(): number } {
  let frame = -1;
  /** Latest time of this frame, and of those before it. */
  let [here, before] = [Number.NaN, Number.NaN];
  let [total, told] = [0, false];
  return {
    take(number, t, lost) {
      if (number !== frame) {
        before = here > before || Number.isNaN(before) ? here : before;
        [frame, here, told] = [number, t, false];
      } else if (t > here) here = t;
      if (!lost || told) return;
      told = true;
      if (t > before) total += (t - before) / 1e9;
    },
    seconds: () => total,
  };
}

/** A union of intervals, kept in order and apart. */
function intervals(): { add(from: number, to: number): void; within(from: number, to: number): number } {
  let all: (readonly [number, number])[] = [];
  return {
    add(from, to) {
      if (!(from < to)) return;
      const apart = all.filter(([a, b]) => b < from || a > to);
      const touching = all.filter(([a, b]) => b >= from && a <= to);
      const joined = [Math.min(from, ...touching.map(([a]) => a)), Math.max(to, ...touching.map(([, b]) => b))] as const;
      all = [...apart, joined].sort(([a], [b]) => a - b);
    },
    within: (from, to) => all.reduce((sum, [a, b]) => sum + Math.max(0, Math.min(b, to) - Math.max(a, from)), 0),
  };
}
