/** Counts of everything that came by: what `--summary` writes and `inspect` shows. */
import type { Entry } from '../entry.ts';

export interface ChannelCount {
  good: number;
  suspect: number;
  bad: number;
  first: number;
  last: number;
  unit: string;
  /** Cause -> number of bad readings; beyond ten causes, 'other reasons'. */
  readonly why: Record<string, number>;
}

export interface Tally {
  readonly channels: Record<string, ChannelCount>;
  readonly orders: Record<string, number>;
  readonly exchanges: { total: number; faults: Record<string, number> };
  gaps: { channel: string; from: number; to?: number; cause: string; missed: number }[];
  alarms: number;
  notes: number;
  wire: Record<string, { in: number; out: number }>;
}

const MAX_GAPS = 10_000;
const MAX_REASONS = 10; // of one channel: reasons with a number in them are a new one each time
const OTHER = 'other reasons';

export function tally(): Tally & { see(entry: Entry): void } {
  const t: Tally = { channels: {}, orders: {}, exchanges: { total: 0, faults: {} }, gaps: [], alarms: 0, notes: 0, wire: {} };
  // The counts themselves, not a copy: alarms and notes are numbers.
  return Object.assign(t, {
    see(entry: Entry) {
      switch (entry.kind) {
        case 'reading': {
          const r = entry.reading;
          const name = r.index === undefined ? r.from : `${r.from}[${r.index}]`;
          t.channels[name] ??= { good: 0, suspect: 0, bad: 0, first: r.t, last: r.t, unit: r.kind, why: {} };
          const c = t.channels[name];
          c[r.quality]++;
          c.last = Math.max(c.last, r.t);
          c.first = Math.min(c.first, r.t);
          if (r.quality === 'bad') {
            const why = r.why in c.why || Object.keys(c.why).length < MAX_REASONS ? r.why : OTHER;
            c.why[why] = (c.why[why] ?? 0) + 1;
          }
          return;
        }
        case 'order': {
          const outcome = entry.order.outcome;
          if (outcome) t.orders[outcome] = (t.orders[outcome] ?? 0) + 1;
          return;
        }
        case 'exchange': {
          t.exchanges.total++;
          const fault = entry.exchanged.fault;
          if (fault) t.exchanges.faults[fault] = (t.exchanges.faults[fault] ?? 0) + 1;
          return;
        }
        case 'gap':
          // A gap is written when it opens and again when it closes; it counts once it has ended.
          if (entry.gap.to !== undefined && t.gaps.length < MAX_GAPS) t.gaps.push(entry.gap);
          return;
        case 'alarm':
          t.alarms++;
          return;
        case 'note':
        case 'mark':
          t.notes++;
          return;
        case 'bytes': {
          const { link, direction, bytes, part } = entry.wire;
          if (part !== undefined) return; // no bytes of a wire of the host's
          t.wire[link] ??= { in: 0, out: 0 };
          t.wire[link][direction] += bytes.length;
          return;
        }
      }
    },
  });
}
