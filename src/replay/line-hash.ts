/** A hash over lines, fed in large pieces: a call for each line would cost more than the hash. */
import { createHash, type Hash } from 'node:crypto';

const PIECE = 65_536; // bytes hashed at once
const END = 10; // of a line
const encoder = new TextEncoder();

/** SHA-256 over lines, each with its end. */
export class LineHash {
  readonly #hash: Hash;
  readonly #bytes = new Uint8Array(PIECE);
  #at = 0;

  constructor(hash: Hash = createHash('sha256')) {
    this.#hash = hash;
  }

  add(line: string): void {
    if (this.room(3 * line.length + 1)) this.#at += encoder.encodeInto(line, this.#bytes.subarray(this.#at)).written;
    else {
      this.#flush();
      this.#hash.update(line);
    }
    this.byte(END);
  }

  /** Makes room for so many bytes, for `put` and `byte`; false where there is never so much. */
  room(length: number): boolean {
    if (this.#at + length > PIECE) this.#flush();
    return length <= PIECE;
  }

  put(bytes: Uint8Array, from: number, to: number): void {
    const mine = this.#bytes;
    let at = this.#at;
    for (let i = from; i < to; i++) mine[at++] = bytes[i]; // of a few bytes: not worth a call
    this.#at = at;
  }

  byte(one: number): void {
    this.#bytes[this.#at++] = one;
  }

  copy(): LineHash {
    this.#flush();
    return new LineHash(this.#hash.copy());
  }

  /** Of all lines so far; more may follow. */
  digest(): string {
    this.#flush();
    return this.#hash.copy().digest('hex');
  }

  #flush(): void {
    this.#hash.update(this.#bytes.subarray(0, this.#at));
    this.#at = 0;
  }
}
