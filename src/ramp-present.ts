/** Where an output is now: asked, and asked again. */
import type { Clock } from './clock.ts';

/** What a readback showed: in the unit of the command, and when (microseconds since 1970). */
export interface Shown {
  readonly value: number;
  readonly t: number;
}

export interface Present {
  /** Seconds; it is given up after three of them. */
  readonly every: number;
  /** By how much two readings may differ and still be of one output. */
  readonly band: number;
  /** The last good, fresh reading, or why there is none. */
  latest(): Shown | string;
  /** Has it asked now. */
  refresh(): void;
  /** Something that has been ordered of it has not ended. */
  busy(): boolean;
  /** Nobody wants to know any more. */
  over(): boolean;
}

const INTERVALS = 3;
const LOOKS = 30;

/**
 * Looks until two readings in a row, both made after all that was ordered of the output had ended, agree: what is wrong in perfect form is
 * rarely so twice. Patience is counted in looks, so that a loop that stood still does not use it up; while the output is busy it is not.
 */
export function present(of: Present, clock: Clock, found: (shown: Shown) => void, lost: (why: string) => void): void {
  let since: number | undefined;
  let first: Shown | undefined;
  let looks = 0;
  const ask = (from: number, one?: Shown): void => {
    since = from;
    first = one;
    of.refresh();
  };
  const look = (): void => {
    if (of.over()) return;
    if (of.busy()) since = undefined;
    else if (since === undefined) ask(clock.now());
    else {
      const shown = of.latest();
      if (typeof shown !== 'string' && shown.t > since && Number.isFinite(shown.value)) {
        if (first && Math.abs(shown.value - first.value) <= of.band) {
          found(shown);
          return;
        }
        ask(shown.t, shown);
      }
      if (++looks > LOOKS) {
        lost(typeof shown === 'string' ? shown : first ? 'its readings do not agree' : 'its readback is not read');
        return;
      }
    }
    clock.after((INTERVALS * of.every) / LOOKS, look);
  };
  look();
}
