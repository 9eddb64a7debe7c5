/** The one place that knows what time it is. Everything else takes a Clock. */
import os from 'node:os';

export interface Clock {
  /** Microseconds since 1970; does not step when somebody sets the wall clock. */
  now(): number;
  /** Seconds on a monotonic clock. */
  mono(): number;
  /** Seconds since boot, suspend included. */
  boot(): number;
  /** Calls `work` once after the given seconds; gives a function that cancels. */
  after(seconds: number, work: () => void): () => void;
  /** What the computer's clock shows, in microseconds since 1970: it steps when somebody sets it. */
  date?(): number;
  /** Cheap: the machine may have slept since boot() was last asked. */
  maybeSlept?(): boolean;
}

const SLEPT = 20; // ms by which wall clock and monotonic clock must have drifted apart
const MAX_TIMER = 2_000_000; // seconds; setTimeout holds 2^31 ms

export function realClock(): Clock {
  const origin = performance.timeOrigin * 1000;
  let drift = Date.now() - performance.now();
  return {
    date: () => Date.now() * 1000,
    maybeSlept: () => Math.abs(Date.now() - performance.now() - drift) > SLEPT,
    now: () => Math.round(origin + performance.now() * 1000),
    mono: () => performance.now() / 1000,
    boot() {
      drift = Date.now() - performance.now();
      return os.uptime();
    },
    after(seconds, work) {
      let left = seconds;
      let timer: NodeJS.Timeout;
      const wait = (): void => {
        const part = Math.min(Math.max(left, 0), MAX_TIMER);
        left -= part;
        timer = setTimeout(left > 0 ? wait : work, part * 1000);
      };
      wait();
      return () => clearTimeout(timer);
    },
  };
}

export interface VirtualClock extends Clock {
  /** Runs all that is due in the next seconds, in order, and stops at the end of them. */
  advance(seconds: number): void;
  /** The program stands still: time passes, and what becomes due is called late, by the next `advance`. */
  stall(seconds: number): void;
}

/** Time that passes only when told to: ten minutes in milliseconds, the same to the last digit each time. Starts at 2026-01-01. */
export function virtualClock(start = 1_767_225_600_000_000): VirtualClock {
  let elapsed = 0; // microseconds, so that sums of decimal steps stay exact
  let seq = 0;
  const heap: { at: number; seq: number; work: (() => void) | undefined }[] = [];
  const before = (a: number, b: number): boolean => heap[a].at < heap[b].at || (heap[a].at === heap[b].at && heap[a].seq < heap[b].seq);
  const swap = (a: number, b: number): void => {
    [heap[a], heap[b]] = [heap[b], heap[a]];
  };
  const push = (entry: (typeof heap)[number]): void => {
    heap.push(entry);
    let i = heap.length - 1;
    while (i > 0 && before(i, (i - 1) >> 1)) {
      swap(i, (i - 1) >> 1);
      i = (i - 1) >> 1;
    }
  };
  const pop = (): (typeof heap)[number] | undefined => {
    const top = heap[0];
    const last = heap.pop();
    if (last && heap.length > 0) {
      heap[0] = last;
      for (let i = 0; ; ) {
        let least = i;
        for (const child of [2 * i + 1, 2 * i + 2]) if (child < heap.length && before(child, least)) least = child;
        if (least === i) break;
        swap(i, least);
        i = least;
      }
    }
    return top;
  };
  return {
    now: () => start + elapsed,
    mono: () => elapsed / 1e6,
    boot: () => elapsed / 1e6,
    after(seconds, work) {
      const entry = { at: elapsed + Math.max(0, Math.round(seconds * 1e6)), seq: seq++, work: work as (() => void) | undefined };
      push(entry);
      return () => {
        entry.work = undefined;
      };
    },
    stall(seconds) {
      elapsed += Math.round(seconds * 1e6);
    },
    advance(seconds) {
      const until = elapsed + Math.round(seconds * 1e6);
      while (heap.length > 0 && heap[0].at <= until) {
        const due = pop();
        if (!due?.work) continue;
        elapsed = Math.max(elapsed, due.at);
        due.work();
      }
      elapsed = until;
    },
  };
}

/**
 * Calls `work` on an absolute grid, with the number of ticks that passed uncalled since the last call because the loop stood still.
 * An error of ours on a timer must end the process that made it, not vanish.
 */
export const every = (clock: Clock, seconds: number, work: (missed: number) => void): (() => void) => {
  const start = clock.mono();
  let n = 0;
  let cancel = (): void => {};
  const next = (): void => {
    n = Math.max(n + 1, Math.floor((clock.mono() - start) / seconds + 1e-9) + 1);
    cancel = clock.after(start + n * seconds - clock.mono(), () => {
      const now = n;
      next();
      work(n - now - 1);
    });
  };
  next();
  return () => cancel();
};
