/** What a reader hands on to those who build events of several boards, as bytes: hits as they are found, and how the board is. */
import type { Hits } from '../derive/hits.ts';
import { hitBytes, hitsOf } from './hit-bytes.ts';

/** How a board is, once a second and when it changes. */
export interface FeedState {
  /** Its stream is there. */
  readonly up: boolean;
  /** Seconds, a sum that only grows: frames missing, and the board recording. */
  readonly dead: number;
  /** Hits that were not handed on, because they were not taken in time. */
  readonly lost: number;
}

export interface FeedEvents {
  /** `zero`: nanoseconds that its times have more than the board's counter, because that began anew. `t`: microseconds since 1970, when they came. */
  hits(block: Hits, zero: number, t: number): void;
  state(state: FeedState, t: number): void;
}

const HEAD = 16; // u32 bytes that follow the head, u32 kind, f64 t; little-endian
const [HITS, STATE] = [1, 2];
const LARGEST = 64 << 20; // bytes of one message

function message(kind: number, t: number, body: Uint8Array, numbers: readonly number[]): Uint8Array {
  const out = new Uint8Array(HEAD + 8 * numbers.length + body.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, out.length - HEAD, true);
  view.setUint32(4, kind, true);
  view.setFloat64(8, t, true);
  for (const [i, n] of numbers.entries()) view.setFloat64(HEAD + 8 * i, n, true);
  out.set(body, HEAD + 8 * numbers.length);
  return out;
}

export const feedHits = (block: Hits, zero: number, t: number): Uint8Array => message(HITS, t, hitBytes(block), [zero]);
export const feedState = ({ up, dead, lost }: FeedState, t: number): Uint8Array =>
  message(STATE, t, new Uint8Array(0), [Number(up), dead, lost]);

/** Takes bytes in any split; false where they are no feed: nothing behind them can be read. */
export function feedDecoder(on: FeedEvents): (bytes: Uint8Array) => boolean {
  let held = new Uint8Array(0);
  const one = (bytes: Uint8Array): boolean => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const [kind, t] = [view.getUint32(4, true), view.getFloat64(8, true)];
    if (kind === HITS && bytes.length >= HEAD + 8) {
      const block = hitsOf(bytes.subarray(HEAD + 8));
      if (typeof block === 'string') return false;
      on.hits(block, view.getFloat64(HEAD, true), t);
      return true;
    }
    if (kind !== STATE || bytes.length !== HEAD + 24) return false;
    on.state({ up: view.getFloat64(HEAD, true) === 1, dead: view.getFloat64(HEAD + 8, true), lost: view.getFloat64(HEAD + 16, true) }, t);
    return true;
  };
  return (bytes) => {
    let all = bytes;
    if (held.length > 0) {
      all = new Uint8Array(held.length + bytes.length);
      all.set(held);
      all.set(bytes, held.length);
    }
    let at = 0;
    while (all.length - at >= HEAD) {
      const size = HEAD + new DataView(all.buffer, all.byteOffset + at, 4).getUint32(0, true);
      if (size > LARGEST) return false;
      if (all.length - at < size) break;
      if (!one(all.subarray(at, at + size))) return false;
      at += size;
    }
    held = all.slice(at);
    return true;
  };
}
