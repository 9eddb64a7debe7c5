/** A hash over lines, fed in large pieces: a call for each line would cost more than the hash. */
import { createHash, type Hash } from 'node:crypto';
import { type Pattern, put, viewOf } from './pattern.ts';

const PIECE = 65_536; // bytes hashed at once
const END = 10; // of a line
const encoder = new TextEncoder();

/** SHA-256 over lines, each with its end. */
export class LineHash {
  readonly #hash: Hash;
  readonly #bytes = new Uint8Array(PIECE);
  readonly #view = viewOf(this.#bytes);
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

  /** Makes room for so many bytes, for `put`, `always` and `byte`; false where there is never so much. */
  room(length: number): boolean {
    if (this.#at + length > PIECE) this.#flush();
    return length <= PIECE;
  }

  put(bytes: DataView, from: number, to: number): void {
    put(bytes, from, this.#view, this.#at, to - from);
    this.#at += to - from;
  }

  always(pattern: Pattern): void {
    pattern.put(this.#view, this.#at);
    this.#at += pattern.length;
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
