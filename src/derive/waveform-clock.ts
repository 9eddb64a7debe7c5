/** The order and the time of a board's frames, by counters that both begin again. */

export interface FrameStep {
  /** restarted: the counters do not go on from those before; the frame is taken. late, doubled: it is not. */
  readonly fate: 'next' | 'restarted' | 'late' | 'doubled';
  /** Frames that should stand between the last one and this; -1 for a late one that had been missing. */
  readonly missing: number;
  /** Frames since the counter's zero. */
  readonly number: number;
  /** Nanoseconds since the counter's zero. */
  readonly t: number;
  /** Nanoseconds of t that the counter does not have, because it began anew: 0 before the first restart. */
  readonly zero: number;
}

export interface FrameCounters {
  readonly numberBits: number;
  readonly timeBits: number;
  /** Seconds of a tick of the time. */
  readonly tick: number;
}

/** So many frames back one may come late, or twice. */
const REMEMBERED = 1024;
/** So many before the first one of all. */
const FIRST = 8;
/** A number that is ahead by more is no gap: the counter was set anew. */
const FARTHEST = 2 ** 20;
/** Longer counters (13 days at 4 ns) do not go half round between two frames: then they were set anew. */
const LONG = 48;
/** Part of a turn by which the clock may be wrong before a turn is believed that no frame has shown. */
const EARLY = 0.1;
/** By so much a board's clock may run slower than the host's: 200 parts in a million. */
const DRIFT = 2e-4;

/** Seconds as nanoseconds, in whole femtoseconds where they are meant: 4.1e-9 s are 4.1 ns, and not 4.1000000000000005. */
export function nanoseconds(seconds: number): number {
  const [plain, whole] = [seconds * 1e9, Math.round(seconds * 1e15) / 1e6];
  return Math.abs(plain - whole) <= 1e-15 * plain ? whole : plain;
}

/**
 * A step for each whole frame: its number and time as the board sends them, and when it came (microseconds since 1970). The time is unrolled
 * by the least that it can have passed, and by the clock where whole turns have passed between two frames: those of which the frame comes
 * too late by nine tenths of a turn or more, against the least delay of the frames before. So a host that stood still for less adds none.
 * After a restart the time goes on by the clock.
 */
export function frameClock({ numberBits, timeBits, tick }: FrameCounters): (number: number, time: number, now: number) => FrameStep {
  const numbers = 2 ** numberBits;
  const turn = 2 ** timeBits;
  const tickNs = nanoseconds(tick);
  const [seen, times] = [new Float64Array(REMEMBERED).fill(Number.NaN), new Float64Array(REMEMBERED)];
  let count = -1;
  let first = 0;
  let raw = 0;
  let ticks = 0;
  let came = 0;
  let zero = 0;
  let delay = Number.POSITIVE_INFINITY;

  function taken(fate: 'next' | 'restarted', missing: number, number: number, time: number, now: number): FrameStep {
    count = number;
    raw = time;
    delay = Math.min(now / 1e6 - ticks * tick, delay + DRIFT * Math.max(0, (now - came) / 1e6));
    came = now;
    seen[number % REMEMBERED] = number;
    times[number % REMEMBERED] = time;
    return { fate, missing, number, t: ticks * tickNs, zero };
  }

  return (number, time, now) => {
    if (count < 0) {
      ticks = time;
      first = number;
      return taken('next', 0, number, time, now);
    }
    const ahead = (((number - count) % numbers) + numbers) % numbers;
    const back = (numbers - ahead) % numbers;
    const passed = (time - raw + turn) % turn;
    if (back < Math.min(REMEMBERED, numbers / 2)) {
      const earlier = count - back;
      const at = ((earlier % REMEMBERED) + REMEMBERED) % REMEMBERED;
      const known = seen[at] === earlier;
      const before = { number: earlier, t: (ticks - ((raw - time + turn) % turn)) * tickNs, zero };
      if (known && times[at] === time) return { fate: 'doubled', missing: 0, ...before };
      if (!known && earlier >= first - FIRST) {
        seen[at] = earlier;
        times[at] = time;
        return { fate: 'late', missing: earlier > first ? -1 : 0, ...before };
      }
    } else if (ahead <= Math.min(FARTHEST, numbers / 2) && (timeBits < LONG || passed < turn / 2)) {
      ticks += passed;
      const late = now / 1e6 - ticks * tick - delay;
      const turns = Math.floor(late / (turn * tick) + EARLY);
      if (turns > 0) ticks += turns * turn;
      return taken('next', ahead - 1, count + ahead, time, now);
    }
    ticks += Math.max(0, Math.round((now - came) / 1e6 / tick));
    zero = (ticks - time) * tickNs;
    seen.fill(Number.NaN);
    first = number;
    return taken('restarted', 0, number, time, now);
  };
}
