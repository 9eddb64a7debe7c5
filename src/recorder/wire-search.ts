/** Bytes among a link's bytes, also where they came in pieces. */

/** Where the bytes are, and what is around them. */
export interface Match {
  /** Times of the messages that hold its first and its last byte, microseconds since 1970. */
  readonly t: number;
  readonly until: number;
  /** Of its first byte, among all bytes of this link and direction; of a packet, within it. */
  readonly at: number;
  readonly before: Uint8Array;
  readonly found: Uint8Array;
  readonly after: Uint8Array;
}

const AROUND = 16; // bytes shown before and behind

const NAMES: Readonly<Record<string, number>> = { r: 13, n: 10, t: 9, 0: 0, a: 7, b: 8, e: 27, f: 12, v: 11, '\\': 92 };

/**
 * "0x06 0d0a" or "0x060d0a" are bytes; anything else is text in UTF-8, with \r \n \t \0 \e \\ and \x06 (any byte). With `text` all is text.
 * A sentence where it is neither.
 */
export function patternOf(written: string, text = false): Uint8Array | string {
  if (!text && /^0x/i.test(written)) {
    const digits = written.replace(/0x/gi, '').replace(/[\s,:]+/g, '');
    if (digits.length === 0 || digits.length % 2 === 1 || /[^0-9a-f]/i.test(digits))
      return `"${written}" is no bytes: two hexadecimal digits each, such as 0x060d0a or "0x06 0d 0a"; --text takes it as text`;
    return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  }
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  for (const [, hex, name, wrong, plain = ''] of written.matchAll(/\\x([0-9a-fA-F]{2})|\\([rnt0abefv\\])|(\\.?)|([^\\]+)/gs)) {
    if (wrong !== undefined) return `"${wrong}" is no escape: \\r \\n \\t \\0 \\e \\\\ or \\x and two hexadecimal digits`;
    if (hex !== undefined) bytes.push(Number.parseInt(hex, 16));
    else if (name !== undefined) bytes.push(NAMES[name] ?? 0);
    else for (const byte of encoder.encode(plain)) bytes.push(byte);
  }
  return bytes.length === 0 ? 'there is nothing to look for' : Uint8Array.from(bytes);
}

/** Looks through one direction of one link, piece by piece; holds no more than the pattern and what is shown around it. */
export class Search {
  readonly #needle: Uint8Array;
  #held = Buffer.alloc(0);
  /** Of the first held byte. */
  #at = 0;
  /** Nothing before this place belongs to another match. */
  #free = 0;
  /** Beginnings of the pieces that are held. */
  #pieces: { readonly at: number; readonly t: number }[] = [];

  constructor(needle: Uint8Array) {
    this.#needle = needle;
  }

  /** Matches that end in this piece; they do not overlap. */
  take(bytes: Uint8Array, t: number): readonly Match[] {
    const begin = this.#at + this.#held.length;
    const all = this.#held.length === 0 ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) : Buffer.concat([this.#held, bytes]);
    if (bytes.length > 0) this.#pieces.push({ at: begin, t });
    const { length } = this.#needle;
    const matches: Match[] = [];
    let from = Math.max(0, this.#free - this.#at, begin - this.#at - length + 1);
    for (let k = all.indexOf(this.#needle, from); k >= 0; k = all.indexOf(this.#needle, from)) {
      const end = k + length;
      matches.push({
        t: this.#timeOf(this.#at + k),
        until: this.#timeOf(this.#at + end - 1),
        at: this.#at + k,
        before: all.subarray(Math.max(0, k - AROUND), k),
        found: all.subarray(k, end),
        after: all.subarray(end, end + AROUND),
      });
      from = end;
      this.#free = this.#at + end;
    }
    const keep = Math.min(all.length, length - 1 + AROUND);
    this.#at += all.length - keep;
    this.#held = Buffer.from(all.subarray(all.length - keep)); // a copy: the piece is not ours
    let first = 0;
    while (this.#pieces.length > first + 1 && (this.#pieces[first + 1]?.at ?? 0) <= this.#at) first++;
    this.#pieces = this.#pieces.slice(first);
    return matches;
  }

  #timeOf(at: number): number {
    return (this.#pieces.findLast((piece) => piece.at <= at) ?? this.#pieces[0])?.t ?? 0;
  }

  /** What comes next does not follow what came before: bytes between are missing, or it is another packet. */
  apart(): void {
    this.#at += this.#held.length;
    this.#held = Buffer.alloc(0);
    this.#pieces = [];
    this.#free = this.#at;
  }
}

/** Printable ASCII as it is, the rest as it is written in a pattern. */
export const shownText = (bytes: Uint8Array): string =>
  [...bytes]
    .map((byte) => {
      if (byte === 92) return '\\\\';
      if (byte >= 32 && byte < 127) return String.fromCharCode(byte);
      return byte === 13 ? '\\r' : byte === 10 ? '\\n' : byte === 9 ? '\\t' : `\\x${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');

export const shownHex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
