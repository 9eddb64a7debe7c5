/** A recorded link played again, on any clock. */
import { BehaviorSubject, Subject } from 'rxjs';
import type { Clock } from '../clock.ts';
import type { Arrival, Link } from '../link.ts';
import type { Origin } from '../reading.ts';
import type { Recorded } from './recording.ts';

export interface ReplayedOptions {
  readonly framing: Link['framing'];
  /** Where the bytes were born: a replay keeps it. */
  readonly origin: Origin;
  /** The moment of the recording that the link's making stands for (microseconds since 1970); else the clock's present. */
  readonly from?: number;
  /** Each recorded write is awaited in its order, and no later arrival comes before it. Else writes are taken and forgotten. */
  readonly strict?: boolean;
}

/** A write that was not the recorded one. */
export interface Difference {
  readonly t: number;
  /** Absent: nothing was written any more. */
  readonly recorded?: Uint8Array;
  readonly written: Uint8Array;
}

export interface ReplayedLink extends Link {
  /** What was written otherwise than recorded; empty after a faithful replay. */
  readonly differences: readonly Difference[];
  /** Recorded bytes that have not been played yet. */
  readonly left: number;
}

/**
 * Plays arrivals at their recorded times and stamps; a write that differs from the recorded one is not taken and is listed. With the
 * clock of the recording a driver sees what it saw then, to the microsecond.
 */
export function replayedLink(recorded: readonly Recorded[], clock: Clock, options: ReplayedOptions): ReplayedLink {
  const arrivals = new Subject<Arrival>();
  const up = new BehaviorSubject(false);
  const differences: Difference[] = [];
  const strict = options.strict ?? true;
  const list = strict ? recorded : recorded.filter((r) => r.direction === 'in');
  const shift = clock.now() - (options.from ?? clock.now());
  let at = 0;
  let cancel: (() => void) | undefined;
  let closed = false;

  const play = (): void => {
    cancel = undefined;
    const due = list[at];
    if (closed || due === undefined || due.direction === 'out') return;
    const wait = (due.t + shift - clock.now()) / 1e6;
    cancel = clock.after(Math.max(0, wait), () => {
      at++;
      const { bytes, t, name } = due;
      arrivals.next({ bytes, t, mono: clock.mono(), name });
      if (cancel) play();
    });
  };
  clock.after(0, () => {
    if (closed) return;
    up.next(true);
    if (!cancel) play();
  });

  return {
    framing: options.framing,
    origin: options.origin,
    arrivals,
    up,
    differences,
    get left() {
      return list.length - at;
    },
    write(bytes) {
      if (!up.value) return false;
      if (!strict) return true;
      const due = list[at]?.direction === 'out' ? list[at] : undefined;
      if (!due || !same(due.bytes, bytes)) {
        differences.push({ t: clock.now(), recorded: due?.bytes, written: bytes });
        return false;
      }
      at++;
      play();
      return true;
    },
    reopen() {},
    close() {
      closed = true;
      cancel?.();
      if (up.value) up.next(false);
      arrivals.complete();
      up.complete();
    },
  };
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);
