/** List-mode files of the ABCD acquisition (ec-jrc/abcd, include/events.h): 16 bytes an event, little-endian, no header, no checksum. */
import type { Protocol } from './protocol.ts';

export const ABCD_EVENT = 16;

export interface AbcdEvent {
  /** In the board's ticks, 64 bits: exact below 2^53. */
  readonly timestamp: number;
  readonly short: number;
  readonly long: number;
  readonly baseline: number;
  readonly channel: number;
  /** Counts the events of one group, modulo 256. */
  readonly group: number;
}

/** Events in columns, because files have hundreds of millions. The time stamp is high * 2^32 + low. */
export interface AbcdEvents {
  readonly capacity: number;
  count: number;
  readonly high: Uint32Array;
  readonly low: Uint32Array;
  readonly short: Uint16Array;
  readonly long: Uint16Array;
  readonly baseline: Uint16Array;
  readonly channel: Uint8Array;
  readonly group: Uint8Array;
}

export function abcdEvents(capacity: number): AbcdEvents {
  return {
    capacity,
    count: 0,
    high: new Uint32Array(capacity),
    low: new Uint32Array(capacity),
    short: new Uint16Array(capacity),
    long: new Uint16Array(capacity),
    baseline: new Uint16Array(capacity),
    channel: new Uint8Array(capacity),
    group: new Uint8Array(capacity),
  };
}

/** Fills `into` with the whole events from `offset` on, as many as there is room for. Gives the offset of the first byte that was not read. */
export function readAbcd(bytes: Uint8Array, offset: number, into: AbcdEvents): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const n = Math.max(0, Math.min(into.capacity, Math.floor((bytes.length - offset) / ABCD_EVENT)));
  let at = offset;
  for (let i = 0; i < n; i++, at += ABCD_EVENT) {
    into.low[i] = view.getUint32(at, true);
    into.high[i] = view.getUint32(at + 4, true);
    into.short[i] = view.getUint16(at + 8, true);
    into.long[i] = view.getUint16(at + 10, true);
    into.baseline[i] = view.getUint16(at + 12, true);
    into.channel[i] = view.getUint8(at + 14);
    into.group[i] = view.getUint8(at + 15);
  }
  into.count = n;
  return at;
}

/** Throws RangeError for a number that its field cannot hold. */
export function encodeAbcd(events: readonly AbcdEvent[]): Uint8Array {
  const bytes = new Uint8Array(events.length * ABCD_EVENT);
  const view = new DataView(bytes.buffer);
  for (const [i, e] of events.entries()) {
    const at = i * ABCD_EVENT;
    within(e.timestamp, Number.MAX_SAFE_INTEGER, i, 'time stamp');
    for (const name of ['short', 'long', 'baseline'] as const) within(e[name], 0xffff, i, name);
    for (const name of ['channel', 'group'] as const) within(e[name], 0xff, i, name);
    view.setUint32(at, e.timestamp >>> 0, true);
    view.setUint32(at + 4, Math.floor(e.timestamp / 2 ** 32), true);
    view.setUint16(at + 8, e.short, true);
    view.setUint16(at + 10, e.long, true);
    view.setUint16(at + 12, e.baseline, true);
    view.setUint8(at + 14, e.channel);
    view.setUint8(at + 15, e.group);
  }
  return bytes;
}

function within(value: number, most: number, event: number, what: string): void {
  if (!(Number.isInteger(value) && value >= 0 && value <= most))
    throw new RangeError(`event ${event}: the ${what} is a whole number from 0 to ${most}, not ${value}`);
}

/** A step between neighbours beyond this is none of a clock: 2^50 ticks are half an hour at 2 ns / 1024. */
const STEP = 2 ** 50 / 2 ** 32;
const EVEN = 64; // ADC counts by which the samples of a quiet baseline differ at most

/**
 * Can this be the beginning of an ABCD file? There is no mark in it, so this is a likelihood: neighbours must have neighbouring times, and
 * the eight words of a record must not all be alike, as samples of a waveform are. An answer that is not true says why not.
 */
export function likeAbcd(head: Uint8Array): true | 'short' | 'zeros' | 'samples' | 'no' {
  const n = Math.floor(head.length / ABCD_EVENT);
  if (n === 0) return 'short';
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  let [said, even, steps, small] = [0, 0, 0, 0];
  let last: number | undefined;
  for (let i = 0; i < n; i++) {
    const at = i * ABCD_EVENT;
    let [lo, hi, any] = [0xffff, 0, 0];
    for (let k = 0; k < ABCD_EVENT; k += 2) {
      const w = view.getUint16(at + k, true);
      lo = Math.min(lo, w);
      hi = Math.max(hi, w);
      any |= w;
    }
    if (any === 0) continue; // a page that was never written says nothing
    said++;
    if (hi - lo <= EVEN) even++;
    const high = view.getUint32(at + 4, true);
    if (last !== undefined) {
      steps++;
      if (Math.abs(high - last) <= STEP) small++;
    }
    last = high;
  }
  if (said === 0) return 'zeros';
  if (even > said / 2) return 'samples';
  // A clock that has run for years is none, and text is just such a number.
  if (steps === 0) return view.getUint32(4, true) < 2 ** 24 ? true : 'no';
  return small >= 0.9 * steps ? true : 'no';
}

export interface AbcdFile {
  /** The file's name, where the message knows it. */
  readonly name?: string;
  readonly bytes: Uint8Array;
}

/** One packet is one file; nothing is ever asked of a folder. An empty file is a message, too. */
export function abcdFile(): Protocol<undefined, AbcdFile> {
  return {
    framing: 'packets',
    asks: { encode: () => new Uint8Array(0), decoder: () => () => [] },
    tells: { encode: (m) => m.bytes, decoder: () => (bytes) => [{ bytes }] },
    fits: () => 'unasked',
    apart: 'question',
  };
}
