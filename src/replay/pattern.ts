/** Bytes compared and written four at a time: one at a time costs three times as much; and numbers in them. */

const encoder = new TextEncoder();
const [ZERO, NINE] = [0x30, 0x39];
const MOST_DIGITS = 16; // of 2^53

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Whether so many bytes of one are those of the other; both have them. */
export function isSame(a: DataView, from: number, b: DataView, at: number, length: number): boolean {
  const last = length - 4;
  if (last < 0) {
    for (let i = 0; i < length; i++) if (a.getUint8(from + i) !== b.getUint8(at + i)) return false;
    return true;
  }
  for (let i = 0; i < last; i += 4) if (a.getInt32(from + i, true) !== b.getInt32(at + i, true)) return false;
  // The last four begin over those before them, where the length is no multiple of four.
  return a.getInt32(from + last, true) === b.getInt32(at + last, true);
}

/** Writes so many bytes of one into the other; both have room for them. */
export function put(a: DataView, from: number, b: DataView, at: number, length: number): void {
  let i = 0;
  for (; i < length - 3; i += 4) b.setInt32(at + i, a.getInt32(from + i, true), true);
  for (; i < length; i++) b.setUint8(at + i, a.getUint8(from + i));
}

/** Bytes that are always the same. */
export class Pattern {
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes.slice();
    this.length = bytes.length;
    this.#view = viewOf(this.bytes);
  }

  /** Whether they stand there. */
  isAt(view: DataView, at: number): boolean {
    return at + this.length <= view.byteLength && isSame(this.#view, 0, view, at, this.length);
  }

  /** Writes them where there is room for them. */
  put(view: DataView, at: number): void {
    put(this.#view, 0, view, at, this.length);
  }
}

export const patternOf = (text: string): Pattern => new Pattern(encoder.encode(text));

export const isDigit = (byte: number): boolean => byte >= ZERO && byte <= NINE;

/** Where the digits end that stand there. */
export function endOfDigits(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && isDigit(bytes[at])) at++;
  return at;
}

/** A whole number as JSON writes it; -1 where it is none. */
export function digits(bytes: Uint8Array, from: number, to: number): number {
  const count = to - from;
  if (count === 0 || count > MOST_DIGITS || (bytes[from] === ZERO && count > 1)) return -1;
  let value = 0;
  for (let at = from; at < to; at++) value = value * 10 + (bytes[at] - ZERO);
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}
