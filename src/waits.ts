/** The waits between two starts of a child that ends again and again. */
import type { Clock } from './clock.ts';

export interface Waits {
  /** The child has been started. */
  started(): void;
  /** It has ended: seconds to wait before the next start. */
  ended(): number;
}

const FIRST = 0.1; // s
const LONGEST = 30; // s
const WELL = 600; // s

/** 0.1 s, 0.2 s, 0.4 s ... 30 s; a child that has been well for ten minutes begins again with 0.1 s. */
export function waits(clock: Clock): Waits {
  let since = clock.mono();
  let count = 0;
  return {
    started() {
      since = clock.mono();
    },
    ended() {
      if (clock.mono() - since >= WELL) count = 0;
      return Math.min(FIRST * 2 ** Math.min(count++, 20), LONGEST);
    },
  };
}
