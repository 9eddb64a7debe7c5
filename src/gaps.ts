/** The gap ledger: every time in which a channel had no good reading, with its cause. */
import type { Gap } from './entry.ts';
import type { Reading } from './reading.ts';

/** A reason that differs in its numbers only ("signal-to-noise 3.1") is the same cause. */
const sameCause = (a: string, b: string): boolean => a === b || a.replace(NUMBERS, '#') === b.replace(NUMBERS, '#');
const NONE: readonly Gap[] = [];
const NUMBERS = /-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/gi;

/** Gives what changed: a gap that opens (no `to`), or one that closes. A change of cause within a gap closes it and opens another. */
export interface GapLedger {
  see(r: Reading): readonly Gap[];
  /** An instrument whose channels nobody knows yet is missing as a whole, under its own name; without a cause it is there. */
  absent(instrument: string, t: number, cause: string | undefined): readonly Gap[];
  /** The program stood still: what should have been read meanwhile was not, in each channel that was good. */
  stood(from: number, to: number, cause: string): readonly Gap[];
  end(t: number): readonly Gap[];
}

interface Running {
  t: number;
  /** Microseconds between the last two readings. */
  interval: number;
  /** The longest time without a reading that ended within the last RECENT, and the interval before it. */
  hole: Hole | undefined;
}

interface Hole {
  readonly from: number;
  readonly to: number;
  readonly interval: number;
}

const HOLE = 0.2e6; // microseconds; a standstill is longer
const RECENT = 1e6; // microseconds, much more than a standstill takes to be noticed once it is over

export function gapLedger(): GapLedger {
  const open = new Map<string, { from: number; cause: string; missed: number }>();
  const good = new Map<string, Running>();
  const missing = (channel: string, t: number, cause: string): readonly Gap[] => {
    const now = open.get(channel);
    if (now && sameCause(now.cause, cause)) {
      now.missed++;
      return [];
    }
    open.set(channel, { from: t, cause, missed: 1 });
    const opened: Gap = { channel, from: t, cause, missed: 1 };
    return now ? [{ channel, from: now.from, to: t, cause: now.cause, missed: now.missed }, opened] : [opened];
  };
  const there = (channel: string, t: number): readonly Gap[] => {
    const now = open.get(channel);
    if (!now) return [];
    open.delete(channel);
    return [{ channel, from: now.from, to: t, cause: now.cause, missed: now.missed }];
  };
  return {
    see(r) {
      const channel = r.index === undefined ? r.from : `${r.from}[${r.index}]`;
      if (r.quality === 'bad') return missing(channel, r.t, r.why);
      const before = good.get(channel);
      if (before) {
        const { t: from, interval, hole } = before;
        before.interval = r.t - from;
        before.t = r.t;
        if (before.interval > HOLE && (!hole || hole.to < from - RECENT || before.interval > hole.to - hole.from))
          before.hole = { from, to: r.t, interval };
      } else good.set(channel, { t: r.t, interval: 0, hole: undefined });
      return open.size === 0 ? NONE : there(channel, r.t);
    },
    absent: (instrument, t, cause) => (cause === undefined ? there(instrument, t) : missing(instrument, t, cause)),
    stood: (from, to, cause) =>
      [...good].flatMap(([channel, { t, interval: last, hole }]): readonly Gap[] => {
        // A reply that had waited in the socket may have been read a moment before the standstill was noticed: the time without is before it.
        const within = hole && hole.to > from && t > from ? hole : undefined;
        const interval = within?.interval ?? last;
        // What was being asked meanwhile may have been found missing then.
        const end = Math.min(to, within?.to ?? open.get(channel)?.from ?? to);
        const begin = Math.max(within?.from ?? t, from);
        // One that is asked more rarely than that has lost nothing.
        const missed = interval > 0 ? Math.floor((end - begin) / interval) : 0;
        return missed < 1 ? [] : [{ channel, from: begin, to: end, cause, missed }];
      }),
    end(t) {
      const left = [...open].map(([channel, g]) => ({ channel, from: g.from, to: t, cause: g.cause, missed: g.missed }));
      open.clear();
      return left;
    },
  };
}
