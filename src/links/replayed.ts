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
  const due = new Set<number>();
  let at = 0;
  let closed = false;

  /** Plays what is due and whose turn it is: an arrival that was recorded after a write waits for it. */
  const play = (): void => {
    while (!closed && up.value && due.delete(at)) {
      const { bytes, t, name } = list[at++];
      arrivals.next({ bytes, t, mono: clock.mono(), ...(name === undefined ? {} : { name }) });
    }
  };
  const cancels = [
    clock.after(0, () => {
      if (closed) return;
      up.next(true);
      play();
    }),
  ];
  // All at once, so that of an arrival and a driver's timer of the same moment the arrival comes first, unless recorded otherwise.
  list.forEach((recorded, i) => {
    if (recorded.direction === 'out') return;
    const wait = (recorded.t + shift - clock.now()) / 1e6;
    cancels.push(
      clock.after(Math.max(0, wait), () => {
        due.add(i);
        play();
      }),
    );
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
      const awaited = list[at]?.direction === 'out' ? list[at] : undefined;
      if (!awaited || !same(awaited.bytes, bytes)) {
        differences.push({ t: clock.now(), recorded: awaited?.bytes, written: bytes });
        return false;
      }
      at++;
      if (due.has(at)) clock.after(0, play);
      return true;
    },
    reopen() {},
    close() {
      closed = true;
      for (const cancel of cancels) cancel();
      if (up.value) up.next(false);
      arrivals.complete();
      up.complete();
    },
  };
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);
