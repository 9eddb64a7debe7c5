/** What the writer of a session promises, takes and tells. It is made by `sessionWriter` in parts.ts. */
import type { Disk } from './part-disk.ts';
import type { Cause, Gap, Klass, Raw } from './part-series.ts';
import type { Position } from './session-read.ts';

export interface Limits {
  /** A part ends before it grows beyond this, and at this age. */
  readonly partBytes: number;
  readonly partMs: number;
  /** A chunk closes at this size (one large message makes a larger chunk), and at this age. */
  readonly slowChunk: number;
  readonly rawChunk: number;
  readonly chunkMs: number;
  /** Bytes that may wait for the disk: of the slow series, and of all raw series together. */
  readonly slowQueue: number;
  readonly rawQueue: number;
  /** Free bytes below which raw streams stop, one after the other; 0 for never. */
  readonly rawFree: number;
  /** Bytes kept back for the slow parts; 0 where another process of the session keeps them. */
  readonly reserve: number;
}

const MiB = 1 << 20;

/** The limits where none are given. */
export const LIMITS: Limits = {
  partBytes: 256 * MiB,
  partMs: 600_000,
  slowChunk: 64 * 1024,
  rawChunk: MiB,
  chunkMs: 200,
  slowQueue: 64 * MiB,
  rawQueue: 128 * MiB,
  rawFree: 1024 * MiB,
  reserve: 64 * MiB,
};

/** One change of state, each told once, with words for people in `text`. */
export type SessionState =
  /** The disk refuses; data waits and is tried again. `code` is the system's, such as ENOSPC or EIO. */
  | { readonly kind: 'failing'; readonly klass: Klass; readonly code: string; readonly text: string }
  | { readonly kind: 'recovered'; readonly klass: Klass; readonly text: string }
  /** One call to the disk has taken longer than two seconds, and then: it has come back. */
  | { readonly kind: 'hung' | 'back'; readonly text: string }
  /** Data of this class is being lost. */
  | { readonly kind: 'stopped'; readonly klass: Klass; readonly cause: Cause; readonly text: string }
  | { readonly kind: 'resumed'; readonly klass: Klass; readonly gap: Gap; readonly text: string }
  /** The disk is full, the slow parts live on their reserve: hazardous outputs go safe. Then: there is room again. */
  | { readonly kind: 'reserve' | 'reserved'; readonly text: string };

export interface SessionOptions {
  readonly folder: string;
  /** Milliseconds of any clock that only goes forward. */
  readonly now: () => number;
  readonly onState?: (state: SessionState) => void;
  /** All before this place is on the disk. */
  readonly onConfirmed?: (place: Position, klass: Klass) => void;
  /** Which raw streams stop first; those not named stop last. */
  readonly rawOrder?: readonly Raw[];
  readonly limits?: Partial<Limits>;
  /** JSON Schemas of topics, where there are any. */
  readonly schemas?: Readonly<Record<string, string>>;
  readonly disk?: Disk;
}

export interface SessionStats {
  readonly held: { readonly slow: number; readonly raw: number };
  readonly written: { readonly messages: number; readonly bytes: number };
  readonly dropped: readonly { readonly klass: Klass; readonly cause: Cause; readonly messages: number; readonly bytes: number }[];
  readonly stopped: readonly { readonly klass: Klass; readonly cause: Cause }[];
  readonly failing: readonly Klass[];
  /** How long the present call to the disk has taken, ms. */
  readonly callMs: number;
  readonly free: number | undefined;
  readonly reserve: number;
}

export interface SessionWriter {
  /** Copies one message; t is microseconds since 1970. Slow topics are JSON, raw ones opaque bytes. False where it was lost, which is counted. */
  write(topic: string, klass: Klass, t: number, bytes: Uint8Array, encoding?: string): boolean;
  /** Call it every 50 ms or so: closes chunks by age, tries again what failed. */
  tick(now?: number): void;
  /** Resolves when nothing is left that can be done now. */
  settled(): Promise<void>;
  /** Writes what waits, or counts it as lost where three attempts fail, and ends all parts whole. Waits for a hung disk. */
  close(): Promise<void>;
  stats(): SessionStats;
}
