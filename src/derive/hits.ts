/** Hits of a detector in columns, one row a pulse: what framing, features and physics hand to one another. No object per hit. */

import type { Values } from '../reading.ts';

/**
 * A block of hits. It belongs to whoever made it and is filled again after the call that gave it: what is to be kept is copied. Only the
 * first `count` rows mean something. Charges are in ADC counts times samples, heights in ADC counts; a digitizer that gives charges of its
 * own gives them in its own counts.
 */
export interface Hits {
  readonly capacity: number;
  count: number;
  /** Nanoseconds since the stream began, after roll-overs of the board's counter: exact below 2^53. */
  readonly t: Float64Array;
  /** From 0, counted through all boards. */
  readonly channel: Uint16Array;
  /** The whole gate, and its late part. */
  readonly charge: Float64Array;
  readonly tail: Float64Array;
  readonly peak: Float64Array;
  readonly baseline: Float64Array;
  /** Standard deviation of the samples that the baseline was made of. */
  readonly noise: Float64Array;
  /** One or more of FLAG. */
  readonly flags: Uint16Array;
  /** The frame or event that it stood in, modulo 2^32. */
  readonly frame: Uint32Array;
}

export const FLAG = {
  /** Samples stood at the end of the converter's range: height and charge are too small. */
  saturated: 1,
  /** No pulse: nothing above the threshold. */
  empty: 2,
  /** The gate goes beyond the record: part of the charge is not there. */
  cut: 4,
  /** The tail is larger than the whole, or less than nothing: no pulse shape. */
  shapeless: 8,
  /** No time could be found on the rising edge: t is the peak's. */
  untimed: 16,
  /** The board said that it had lost something before this hit. */
  lostBefore: 32,
  /** More than one pulse in the gate. */
  pileUp: 64,
  /** It came after later ones had been given on, or stands alone far off in time: it is out of order, and belongs into no search that needs the order. */
  late: 128,
} as const;

export function hits(capacity: number): Hits {
  const column = (): Float64Array => new Float64Array(capacity);
  return {
    capacity,
    count: 0,
    t: column(),
    channel: new Uint16Array(capacity),
    charge: column(),
    tail: column(),
    peak: column(),
    baseline: column(),
    noise: column(),
    flags: new Uint16Array(capacity),
    frame: new Uint32Array(capacity),
  };
}

/** Row i of one block becomes row k of another, or of the same. */
export function copyHit(from: Hits, i: number, to: Hits, k: number): void {
  to.t[k] = from.t[i] as number; // both rows are there, here and below
  to.channel[k] = from.channel[i] as number;
  to.charge[k] = from.charge[i] as number;
  to.tail[k] = from.tail[i] as number;
  to.peak[k] = from.peak[i] as number;
  to.baseline[k] = from.baseline[i] as number;
  to.noise[k] = from.noise[i] as number;
  to.flags[k] = from.flags[i] as number;
  to.frame[k] = from.frame[i] as number;
}

/** What has happened to a stream of bytes, by cause: nothing is lost without standing here. */
export interface SourceCounts {
  bytes: number;
  /** Frames or events that were whole. */
  frames: number;
  /** Hits given on. */
  hits: number;
  /** Frames that never came, by the numbers of those around them. */
  missing: number;
  /** Frames that came twice, and those that came after a later one: neither is given on. */
  doubled: number;
  late: number;
  /** Frames whose checksum or length was wrong. */
  damaged: number;
  /** Bytes between frames that belonged to none, and how often the next frame had to be looked for. */
  junk: number;
  resynced: number;
  /** Bytes of an event that the end of the input cut off. */
  cutOff: number;
}

export const sourceCounts = (): SourceCounts => ({
  bytes: 0,
  frames: 0,
  hits: 0,
  missing: 0,
  doubled: 0,
  late: 0,
  damaged: 0,
  junk: 0,
  resynced: 0,
  cutOff: 0,
});

/** Makes hits of bytes in any split. */
export interface HitSource {
  /** `now` in microseconds since 1970: when they came (the only time there is where the board sends none). */
  take(bytes: Uint8Array, now: number, give: (block: Hits) => void): void;
  /** No more will come: gives what is still held, and counts what was cut off. */
  end(give: (block: Hits) => void): void;
  /** What only this format has beside hits, for the time since the last look: values by channel. */
  look?(): Values;
  /** Nanoseconds that the times of the block given last have more than the board's counter, because that began anew; absent where there is none. */
  readonly zero?: number;
  readonly counts: SourceCounts;
}
