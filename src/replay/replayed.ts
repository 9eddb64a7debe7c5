/** What a replay says at its end. */
import type { Trouble } from '../recorder/session-read.ts';
import type { Changed } from './compare.ts';
import type { TakenOver } from './match.ts';

/** Exchanges that are not as they were: asked otherwise, not to be read, or not what the raw bytes say. */
export interface Difference {
  readonly instrument: string;
  readonly by: string;
  readonly what: string;
  readonly channels: readonly string[];
  count: number;
  readonly first: number;
  last: number;
}

export interface Replayed {
  readonly verdict: 'identical' | 'differs';
  readonly readings: {
    /** All of the recording. */
    readonly recorded: number;
    readonly same: number;
    readonly changed: number;
    readonly missing: number;
    readonly more: number;
    /** Bad readings in the host's own words, where nothing was asked: taken as they are. */
    readonly host: number;
    readonly taken: number;
  };
  /** SHA-256 of all readings, of the recording and of today. */
  readonly hash: { readonly recorded: string; readonly today: string };
  readonly changes: readonly Changed[];
  readonly exchanges: {
    readonly total: number;
    /** Against the raw bytes. */
    readonly checked: number;
    /** Not judged, because their talk began in what is lost. */
    readonly unjudged: number;
    readonly differences: readonly Difference[];
  };
  readonly taken: readonly TakenOver[];
  /** Messages whose numbers are missing, by topic. */
  readonly lost: Readonly<Record<string, number>>;
  readonly trouble: readonly Trouble[];
  /** False: the session has no end. */
  readonly complete: boolean;
  /** Seconds of the session. */
  readonly duration: number;
}
