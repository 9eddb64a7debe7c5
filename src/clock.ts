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
const SLEEP = 0.05; // seconds: the clock that counts sleep shows hundredths
const MAX_TIMER = 2_000_000; // seconds; setTimeout holds 2^31 ms

/** The variable that hands the time line of a run to its other processes. */
export const TIME_LINE = 'BRIDGMAN_TIME_LINE';

/** Microseconds on the system's monotonic clock, which all processes share. */
const monotonic = (): number => Number(process.hrtime.bigint()) / 1000;

/** For the environment of a child: its `now()` goes on where ours is, though somebody has set the computer's clock since we began. */
export const timeLine = (clock: Clock): Readonly<Record<string, string>> => ({ [TIME_LINE]: String(clock.now() - monotonic()) });

/** `now()` begins at the computer's clock, or at what `timeLine` has handed over, and counts the sleep of the machine. */
export function realClock(): Clock {
  const start = monotonic() - performance.now() * 1000;
  const handed = Number(process.env[TIME_LINE] || Number.NaN);
  const origin = Number.isFinite(handed) ? handed + start : performance.timeOrigin * 1000;
  const awake = (): number => os.uptime() - performance.now() / 1000;
  const before = awake();
  let slept = 0; // seconds
  let drift = Date.now() - performance.now();
  /** Seen by `now`, and not asked for by `boot` yet. */
  let noticed = false;
  const maybeSlept = (): boolean => noticed || Math.abs(Date.now() - performance.now() - drift) > SLEPT;
  const look = (): number => {
    drift = Date.now() - performance.now();
    const up = os.uptime();
    const more = up - performance.now() / 1000 - before - slept;
    if (more > SLEEP) slept += more;
    return up;
  };
  const boot = (): number => {
    noticed = false;
    return look();
  };
  return {
    date: () => Date.now() * 1000,
    maybeSlept,
    now() {
      const mono = performance.now();
      // As maybeSlept: each look at a clock costs.
      if (Math.abs(Date.now() - mono - drift) > SLEPT) {
        noticed = true;
        look();
      }
      return Math.round(origin + mono * 1000 + slept * 1e6);
    },
    mono: () => performance.now() / 1000,
    boot,
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
