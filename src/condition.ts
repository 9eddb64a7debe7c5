/**
 * Conditions over readings, as interlocks and alarms have them. A leaf looks at one channel; leaves are joined by all-of and any-of.
 * What is missing, bad, stale, stuck, of another kind or (unless allowed) suspect makes a leaf `unknown`, which is never `holds`.
 */
import type { Kind } from './reading.ts';

export { type Watched, type WatchOptions, watched } from './condition-level.ts';

export type Test =
  | { readonly is: 'above'; readonly limit: number }
  | { readonly is: 'below'; readonly limit: number }
  | { readonly is: 'between'; readonly lo: number; readonly hi: number }
  | { readonly is: 'one-of'; readonly words: readonly (string | boolean)[] };

/** Limits in SI; times in seconds. */
export interface Leaf {
  /** instrument.channel or derivation.output */
  readonly of: string;
  /** One of a list; absent on a list: every index must pass. */
  readonly index?: number;
  /** The kind that the channel was declared with when the rig was checked; a reading of another kind is unknown. */
  readonly kind: Kind;
  readonly test: Test;
  /** The test is on the slope over so many seconds (unit of the channel per second) instead of on the value; unknown until the readings
   *  cover half of them. */
  readonly slope?: number;
  /** Once broken, the value must be past the limit by so much to hold again. */
  readonly hysteresis: number;
  /** Once broken, the test must have passed for so long to hold again. */
  readonly hold: number;
  /** A reading older than this is none. */
  readonly stale: number;
  /** A value that has been the same to the last digit for so long is taken for a stuck sensor. */
  readonly stuck?: number;
  /** A suspect reading counts like a good one. */
  readonly suspect: boolean;
}

export type Condition = Leaf | { readonly all: readonly Condition[] } | { readonly any: readonly Condition[] };

export const leavesOf = (c: Condition): readonly Leaf[] => ('of' in c ? [c] : ('all' in c ? c.all : c.any).flatMap(leavesOf));

export interface Level {
  readonly is: 'holds' | 'broken' | 'unknown';
  /** What broke it, with the value ("laser.temperature is 41.2 °C, not below 40 °C"), or why it is unknown; absent while it holds. */
  readonly why?: string;
  /** Channels of the leaves that broke it or are unknown. */
  readonly of?: readonly string[];
}
