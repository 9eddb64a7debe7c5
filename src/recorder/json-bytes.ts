/** JSON as bytes, piece by piece, without a string of the whole: there are several messages for every question. */

const encoder = new TextEncoder();
const MOST_NAMES = 10_000;
const LARGE = 65_536; // bytes; what a larger message needed is not kept
const HALF = 1e8; // digits are written in halves of eight, of which each is a small integer

const HEX = [...'0123456789abcdef'].map((digit) => digit.charCodeAt(0));

export class JsonBytes {
  #bytes = new Uint8Array(1024);
  #at = 0;
  readonly #names = new Map<string, Uint8Array>();

  /** What was written since the last call. The bytes are overwritten by what comes next: copy what is to stay. */
  done(): Uint8Array {
    const whole = this.#bytes.subarray(0, this.#at);
    if (this.#bytes.length > LARGE) this.#bytes = new Uint8Array(1024);
    this.#at = 0;
    return whole;
  }

  /** Characters below 0x80, as they are. */
  ascii(text: string): this {
    const bytes = this.#room(text.length);
    const at = this.#at;
    for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
    this.#at = at + text.length;
    return this;
  }

  /** A string of any kind. */
  text(text: string): this {
    return this.#copy(encoder.encode(JSON.stringify(text)));
  }

  /** A string that comes again and again, as the names of instruments, channels and polls do: it is kept. */
  name(text: string): this {
    const known = this.#names.get(text);
    if (known) return this.#copy(known);
    const bytes = encoder.encode(JSON.stringify(text));
    if (this.#names.size < MOST_NAMES) this.#names.set(text, bytes);
    return this.#copy(bytes);
  }

  /** A finite number. */
  number(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) return this.ascii(String(value));
    const high = Math.floor(value / HALF);
    if (high > 0) this.#digits(high, 1);
    this.#digits(value - high * HALF, high > 0 ? 8 : 1);
    return this;
  }

  /** Two characters a byte, in quotes. */
  hex(bytes: Uint8Array): this {
    const out = this.#room(2 * bytes.length + 2);
    let at = this.#at;
    out[at++] = 0x22;
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i];
      out[at++] = HEX[byte >> 4];
      out[at++] = HEX[byte & 15];
    }
    out[at++] = 0x22;
    this.#at = at;
    return this;
  }

  /** At least so many digits of a number below 1e8. */
  #digits(value: number, least: number): void {
    let count = 1;
    for (let power = 10; power <= value; power *= 10) count++;
    if (count < least) count = least;
    const bytes = this.#room(count);
    let left = value | 0;
    for (let i = this.#at + count - 1; i >= this.#at; i--) {
      const rest = (left / 10) | 0;
      bytes[i] = 0x30 + left - 10 * rest;
      left = rest;
    }
    this.#at += count;
  }

  #copy(from: Uint8Array): this {
    const bytes = this.#room(from.length);
    const at = this.#at;
    if (from.length > 64) bytes.set(from, at);
    else for (let i = 0; i < from.length; i++) bytes[at + i] = from[i]; // of a few bytes: not worth a call
    this.#at = at + from.length;
    return this;
  }

  /** The bytes, with room for so many more. */
  #room(more: number): Uint8Array {
    if (this.#at + more <= this.#bytes.length) return this.#bytes;
    const larger = new Uint8Array(2 * (this.#at + more));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
    return larger;
  }
}
