/** What an order waits for after its bytes: that the instrument itself shows it. */
import type { Acquired } from './acquire.ts';
import type { Clock } from './clock.ts';
import type { OrderOutcome, OrderValue } from './entry.ts';
import type { Command } from './instrument.ts';
import type { Reading } from './reading.ts';

export interface Awaited {
  readonly acquired: Acquired;
  readonly command: Command;
  readonly request: { readonly instrument: string; readonly index?: number; readonly value?: OrderValue };
  /** Microseconds since 1970: what was read before says nothing. */
  readonly since: number;
  /** Called when good readings show something else. */
  readonly contrary: () => void;
  readonly end: (outcome: OrderOutcome, why?: string) => void;
}

export interface Waiting {
  /** Ends it without a word. */
  leave(): void;
  /** Its time begins anew, and is so many seconds at least; not where readings have come that show something else. */
  renew(seconds: number): void;
}

export interface Readbacks {
  /** Ends `done`, or otherwise when the command's time is over. */
  await(one: Awaited): Waiting;
  see(reading: Reading): void;
}

interface Watch {
  readonly channel: string;
  readonly since: number;
  readonly matches: (r: Reading) => boolean;
  readonly matched: () => void;
  shown?: string;
}

const CONTRARY = 2; // good readings that show something else, before it is believed

export function readbacks(clock: Clock): Readbacks {
  const watches = new Set<Watch>();
  return {
    await({ acquired, command, request, since, contrary, end }) {
      const { readback } = command;
      if (!readback) return { leave() {}, renew() {} };
      const want = readback.shows ? readback.shows(request.value) : request.value;
      let others = 0;
      let cancel = (): void => {};
      const leave = (): void => {
        cancel();
        watches.delete(watch);
      };
      const watch: Watch = {
        channel: `${request.instrument}.${readback.channel}`,
        since,
        matches: (r) => {
          if (r.quality === 'bad' || (request.index !== undefined && r.index !== undefined && r.index !== request.index)) {
            if (r.quality === 'bad') watch.shown = r.why;
            return false;
          }
          watch.shown = String(r.value);
          const is = typeof want === 'number' && typeof r.value === 'number' ? Math.abs(r.value - want) <= readback.by : r.value === want;
          if (!is && ++others % CONTRARY === 0) contrary();
          return is;
        },
        matched: () => {
          leave();
          end('done');
        },
      };
      watches.add(watch);
      const renew = (seconds: number): void => {
        if (!watches.has(watch) || others > 0) return;
        const within = Math.max(readback.within, seconds);
        cancel();
        cancel = clock.after(within, () => {
          leave();
          const seen = watch.shown;
          end(
            seen === undefined ? 'unknown' : 'failed',
            seen === undefined
              ? `${readback.channel} was not read back within ${within} s`
              : `${readback.channel} shows ${seen} instead of ${want}`,
          );
        });
      };
      renew(0);
      acquired.refresh(readback.channel);
      return { leave, renew };
    },
    see(reading) {
      for (const watch of [...watches]) {
        if (reading.from === watch.channel && reading.t > watch.since && watch.matches(reading)) watch.matched();
      }
    },
  };
}
