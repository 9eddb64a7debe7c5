/** The gap ledger: every time in which a channel had no good reading, with its cause. */
import type { Gap } from './entry.ts';
import type { Reading } from './reading.ts';

/** A reason that differs in its numbers only ("signal-to-noise 3.1") is the same cause. */
const sameCause = (a: string, b: string): boolean => a === b || a.replace(NUMBERS, '#') === b.replace(NUMBERS, '#');
const NUMBERS = /-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/gi;

/** Gives what changed: a gap that opens (no `to`), or one that closes. A change of cause within a gap closes it and opens another. */
export function gapLedger(): { see(r: Reading): readonly Gap[]; end(t: number): readonly Gap[] } {
  const open = new Map<string, { from: number; cause: string; missed: number }>();
  return {
    see(r) {
      const channel = r.index === undefined ? r.from : `${r.from}[${r.index}]`;
      const now = open.get(channel);
      if (r.quality !== 'bad') {
        if (!now) return [];
        open.delete(channel);
        return [{ channel, from: now.from, to: r.t, cause: now.cause, missed: now.missed }];
      }
      if (now && sameCause(now.cause, r.why)) {
        now.missed++;
        return [];
      }
      open.set(channel, { from: r.t, cause: r.why, missed: 1 });
      const opened: Gap = { channel, from: r.t, cause: r.why, missed: 1 };
      return now ? [{ channel, from: now.from, to: r.t, cause: now.cause, missed: now.missed }, opened] : [opened];
    },
    end(t) {
      const left = [...open].map(([channel, g]) => ({ channel, from: g.from, to: t, cause: g.cause, missed: g.missed }));
      open.clear();
      return left;
    },
  };
}
