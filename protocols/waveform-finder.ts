/** Finds the frames of a waveform digitizer in a stream of bytes, without copying those that arrive whole. */
import { frameBytes, readWord, type WaveformLayout } from './waveform-layout.ts';

/** CRC-32 (IEEE) of the bytes, going on from that of the bytes before them: zlib's own signature. */
export type Crc32 = (bytes: Uint8Array, before?: number) => number;

/** What a finder says, in the order of the bytes; each byte is in exactly one of them. The bytes belong to it: what is to be kept is copied. */
export interface FrameFinds {
  /** A whole frame begins at `at`. */
  frame(bytes: Uint8Array, at: number): void;
  /** Bytes from..to are in no good frame: part of what the next `damaged` or `junk` ends. `headed`: that began like a frame. */
  skipped(bytes: Uint8Array, from: number, to: number, headed: boolean): void;
  /** What was skipped was one frame, whole in length: its check is wrong. */
  damaged(): void;
  /** What was skipped ends here, and was no frame: noise or, where `headed`, a frame that had lost or won bytes. */
  junk(headed: boolean): void;
  /** The line fell silent in the middle of these. */
  unfinished(bytes: Uint8Array, from: number, to: number): void;
}

export interface FrameFinder {
  /** Any split; no bytes at all mean that the line is silent. */
  take(bytes: Uint8Array): void;
}

/** So many frames in a row whose numbers do not go on are taken for samples that look like frames. */
const ODD = 4;
/** A number goes on when it is larger than the last by no more than this. */
const GAP = 1024;

/**
 * A frame is good when the sync word stands before it and its check (CRC, trailer) is right; without either, when the next one's sync word
 * follows it, so that each is given when the next has begun, or the line is silent. After a bad one the next good frame is looked for from
 * its second byte on, so that sync words within samples cost nothing but time: the work is linear in the bytes, whatever they are. Holds at
 * most two frames. Where frames have no CRC their numbers help to tell them from samples.
 */
export function frameFinder(layout: WaveformLayout, crc32: Crc32, finds: FrameFinds): FrameFinder {
  const { order, sync, header, check, trailer, number } = layout;
  const length = frameBytes(layout);
  const covered = length - (trailer === undefined ? 0 : 4) - (check === 'crc32' ? 4 : 0);
  const alone = check === 'crc32' || trailer !== undefined;
  const needed = alone ? length : length + header;
  const word = wordBytes(sync.bits, order, sync.value);
  const first = word[0];
  const window = check === 'crc32' ? slidingCrc(crc32, covered) : undefined;
  const syncBytes = sync.bits / 8;
  const numbers = 2 ** number.bits;

  const held = new Uint8Array(2 * needed);
  let count = 0;
  /** Whether a frame must begin at the next byte; otherwise one is looked for, and so many bytes have been skipped since. */
  let locked = true;
  let skipped = 0;
  let headed = false;
  let odd = 0;
  let before = -1;

  const syncAt = (bytes: Uint8Array, at: number): boolean => word.every((byte, i) => bytes[at + i] === byte);

  const numberAt = (bytes: Uint8Array, at: number): number => readWord(bytes, at + number.at, number.bits, order);
  const goesOn = (last: number, now: number): boolean => last !== now && (now - last + numbers) % numbers <= GAP;

  function goodAt(bytes: Uint8Array, at: number, sliding: boolean): boolean {
    if (trailer !== undefined && readWord(bytes, at + length - 4, 32, order) !== trailer) return false;
    if (!window) return alone || (syncAt(bytes, at + length) && (!sliding || goesOn(numberAt(bytes, at), numberAt(bytes, at + length))));
    const wanted = readWord(bytes, at + covered, 32, order);
    return wanted === (sliding ? window.at(bytes, at) : crc32(bytes.subarray(at, at + covered)));
  }

  /** Without a CRC, whether samples are taken for frames, by the frame's number. */
  function strange(bytes: Uint8Array, at: number): boolean {
    if (window) return false;
    const now = numberAt(bytes, at);
    odd = before < 0 || goesOn(before, now) ? 0 : odd + 1;
    before = now;
    if (odd < ODD) return false;
    odd = 0;
    before = -1;
    return true;
  }

  function skip(bytes: Uint8Array, from: number, to: number): void {
    if (to <= from) return;
    finds.skipped(bytes, from, to, headed);
    skipped += to - from;
  }

  function found(): void {
    if (headed && skipped === length) finds.damaged();
    else finds.junk(headed);
    locked = true;
  }

  function lose(at: boolean): void {
    locked = false;
    headed = at;
    skipped = 0;
  }

  /** Goes as far as it can, and says where: what is left is too short to be judged. */
  function scan(bytes: Uint8Array, from: number, to: number): number {
    let at = from;
    window?.reset();
    for (;;) {
      if (locked) {
        if (to - at < needed) return at;
        const begins = syncAt(bytes, at);
        if (begins && goodAt(bytes, at, false) && !strange(bytes, at)) {
          finds.frame(bytes, at);
          at += length;
          continue;
        }
        lose(begins);
        skip(bytes, at, at + 1);
        at++;
      }
      let next = bytes.indexOf(first, at);
      if (next < 0 || next > to) next = to;
      skip(bytes, at, next);
      at = next;
      const begins = syncAt(bytes, at);
      if (to - at < (begins ? needed : syncBytes)) return at;
      if (begins && goodAt(bytes, at, true)) {
        found();
        continue;
      }
      if (begins && headed && skipped === length) {
        finds.damaged();
        lose(true);
      }
      skip(bytes, at, at + 1);
      at++;
    }
  }

  function silence(): void {
    const begins = count > 0 && word.every((byte, i) => i >= count || held[i] === byte);
    let at = 0;
    if (locked && !begins && count > 0) lose(false);
    if (locked && begins && !alone && count >= length) {
      finds.frame(held, 0);
      at = length;
    }
    if (!locked) {
      const whole = headed && skipped + count === length;
      if (whole || !begins) {
        skip(held, 0, count);
        at = count;
      }
      if (whole) finds.damaged();
      else finds.junk(headed);
    }
    if (count > at) finds.unfinished(held, at, count);
    count = 0;
    locked = true;
    before = -1;
    odd = 0;
  }

  return {
    take(bytes) {
      if (bytes.length === 0) {
        silence();
        return;
      }
      let at = 0;
      while (count > 0 && at < bytes.length) {
        const more = Math.min((locked ? needed : held.length) - count, bytes.length - at);
        held.set(bytes.subarray(at, at + more), count);
        count += more;
        at += more;
        if (count < needed) return;
        const done = scan(held, 0, count);
        const left = count - done;
        if (left <= more) {
          at -= left;
          count = 0;
        } else {
          held.copyWithin(0, done, count);
          count = left;
        }
      }
      if (at === bytes.length) return;
      const done = scan(bytes, at, bytes.length);
      held.set(bytes.subarray(done), 0);
      count = bytes.length - done;
    },
  };
}

function wordBytes(bits: number, order: 'little' | 'big', value: number): readonly number[] {
  const big = Array.from({ length: bits / 8 }, (_, i) => Math.floor(value / 2 ** (bits - 8 - 8 * i)) % 256);
  return order === 'big' ? big : big.reverse();
}

/**
 * The CRC of so many bytes at rising places of one buffer, for the cost of the bytes passed over: the CRC of everything up to the end of the
 * window, less that of everything before it, moved on by the window's length (the identity behind zlib's crc32_combine).
 */
function slidingCrc(crc32: Crc32, length: number): { reset(): void; at(bytes: Uint8Array, place: number): number } {
  let moved: Int32Array | undefined;
  let from = -1;
  let outside = 0;
  let whole = 0;
  function move(crc: number): number {
    if (!moved) {
      const zeros = new Uint8Array(length);
      const none = crc32(zeros, 0);
      moved = Int32Array.from({ length: 32 }, (_, bit) => crc32(zeros, (1 << bit) >>> 0) ^ none);
    }
    let sum = 0;
    for (let bit = 0; bit < 32; bit++) if ((crc >>> bit) & 1) sum ^= moved[bit];
    return sum;
  }
  return {
    reset() {
      from = -1;
    },
    at(bytes, place) {
      if (from < 0 || place - from > length) {
        outside = 0;
        whole = crc32(bytes.subarray(place, place + length));
      } else {
        outside = crc32(bytes.subarray(from, place), outside);
        whole = crc32(bytes.subarray(from + length, place + length), whole);
      }
      from = place;
      return (whole ^ move(outside)) >>> 0;
    },
  };
}
