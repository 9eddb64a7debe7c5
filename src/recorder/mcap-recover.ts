/** Walks one MCAP file from any offset, over cuts and damage, with bounded memory: one window and one chunk at a time. */
import { type ChunkMessage, chunkMessages, chunkShape, Dictionary, Fields, long, readable, word } from './mcap-read.ts';
import { CHUNK_HEAD, MAGIC, OP, RECORD_HEAD } from './mcap-write.ts';

export interface ByteSource {
  size(): Promise<number>;
  /** Gives `length` bytes, fewer only at the end; bytes once given are not changed later. */
  read(at: number, length: number): Promise<Uint8Array>;
}

export type Found =
  /** `end` is the chunk's own end, `next` that of its message indexes, as far as they are there. */
  | { readonly kind: 'chunk'; readonly at: number; readonly end: number; readonly next: number; readonly messages: readonly ChunkMessage[] }
  /** What could not be read: `next` is where reading goes on. */
  | { readonly kind: 'damage'; readonly at: number; readonly next: number; readonly why: string }
  /** Always last. `at` is the end of the data that could be read; `whole` where DataEnd and footer stand there. */
  | { readonly kind: 'end'; readonly at: number; readonly size: number; readonly whole: boolean; readonly why: string };

const AHEAD = 512 * 1024;
const BEHIND = 64 * 1024; // read together with a large chunk: its message indexes, and the head of the next
const LONGEST = 512 * 1024 * 1024;
const FOOTER = RECORD_HEAD + 20;

/** Bytes that must be read before a walk can go on: give them to it. */
export interface Wanted {
  readonly kind: 'read';
  readonly at: number;
  readonly length: number;
}
/** What is given to a walk that has asked for nothing. */
export const NOTHING = new Uint8Array(0);
type Reading<T> = Generator<Wanted, T, Uint8Array>;

/** What is in memory of a file that is read in blocks; what it gave stays valid. */
class Window {
  readonly size: number;
  #bytes: Uint8Array = new Uint8Array();
  #start = 0;
  constructor(size: number) {
    this.size = size;
  }
  /** Up to n bytes, fewer only at the end; undefined where they are not in memory. */
  peek(at: number, n: number): Uint8Array | undefined {
    const from = at - this.#start;
    const to = from + Math.max(0, Math.min(n, this.size - at));
    return from < 0 || to > this.#bytes.length ? undefined : this.#bytes.subarray(from, to);
  }
  *get(at: number, n: number): Reading<Uint8Array> {
    const here = this.peek(at, n);
    if (here) return here;
    const wanted = Math.max(0, Math.min(n, this.size - at));
    if (wanted === 0) return NOTHING;
    const length = Math.min(Math.max(wanted + BEHIND, AHEAD), Math.max(0, this.size - at));
    this.#bytes = yield { kind: 'read', at, length };
    this.#start = at;
    return this.#bytes.subarray(0, wanted);
  }
}

type Step =
  | { readonly kind: 'skip'; readonly next: number }
  | { readonly kind: 'chunk'; readonly next: number; readonly messages: readonly ChunkMessage[] }
  | { readonly kind: 'damage'; readonly next: number; readonly why: string }
  | { readonly kind: 'cut'; readonly why: string }
  | { readonly kind: 'last' };

/**
 * Gives all chunks from `from` (0, or an offset this function gave before) to `until` in the order of the file. Never throws for
 * what is in the file; each damaged chunk is skipped by its length and named.
 */
export async function* readMcap(
  source: ByteSource,
  options: { readonly from?: number; readonly until?: number } = {},
): AsyncGenerator<Found, void, undefined> {
  const walk = walkMcap(await source.size(), options);
  for (let step = walk.next(NOTHING); !step.done; ) {
    const { value } = step;
    if (value.kind === 'read') step = walk.next(await source.read(value.at, value.length));
    else {
      yield value;
      step = walk.next(NOTHING);
    }
  }
}

/** The same without a file: what is to be read is asked for, and given by the next call. */
export function* walkMcap(
  bytes: number,
  options: { readonly from?: number; readonly until?: number } = {},
): Generator<Found | Wanted, void, Uint8Array> {
  const size = Math.min(bytes, options.until ?? Number.POSITIVE_INFINITY);
  const walk = new Walk(size);
  const wrong = yield* walk.begin();
  let at = Math.max(options.from ?? 0, MAGIC.length);
  if (wrong !== undefined) {
    const next = size < MAGIC.length ? size : yield* walk.scan(0);
    if (next >= size) {
      yield { kind: 'end', at: 0, size, whole: false, why: wrong };
      return;
    }
    if (at < next) {
      yield { kind: 'damage', at: 0, next, why: wrong };
      at = next;
    }
  }
  for (;;) {
    const step = yield* walk.step(at);
    if (step.kind === 'last') {
      const whole = yield* walk.footer();
      yield { kind: 'end', at, size, whole, why: whole ? '' : 'the summary is cut or damaged' };
      return;
    }
    if (step.kind === 'cut') {
      yield { kind: 'end', at, size, whole: false, why: step.why };
      return;
    }
    const { next } = step;
    if (step.kind === 'damage') yield { ...step, at };
    if (step.kind === 'skip' || step.kind === 'damage') at = next;
    else {
      const start = at;
      at = yield* walk.indexes(next);
      yield { kind: 'chunk', at: start, end: next, next: at, messages: step.messages };
    }
  }
}

class Walk {
  readonly #window: Window;
  readonly #dictionary = new Dictionary();
  readonly #size: number;
  #strict = true;
  #summaryRead = false;
  #chunks = false;

  constructor(size: number) {
    this.#window = new Window(size);
    this.#size = size;
  }

  /** Magic and header; gives what is wrong with them. */
  *begin(): Reading<string | undefined> {
    const bytes = yield* this.#window.get(0, 4096);
    if (bytes.length < MAGIC.length) return `only ${bytes.length} bytes: not even the magic is there`;
    if (MAGIC.some((byte, i) => bytes[i] !== byte)) return 'it does not begin as an MCAP file';
    const library = readable(() => {
      const head = new Fields(bytes, MAGIC.length + RECORD_HEAD);
      head.text();
      return { name: head.text() };
    });
    // Our own chunks always have a checksum: there, zero is damage.
    this.#strict = typeof library === 'string' || library.name.startsWith('bridgman');
    return undefined;
  }

  *step(at: number): Reading<Step> {
    const head = this.#window.peek(at, CHUNK_HEAD) ?? (yield* this.#window.get(at, CHUNK_HEAD));
    if (head.length === 0) return { kind: 'cut', why: 'no summary: the file was not ended, or is still being written' };
    if (head.length < RECORD_HEAD) return { kind: 'cut', why: 'cut within the head of a record' };
    const opcode = head[0] ?? 0;
    const length = long(head, 1);
    const next = at + RECORD_HEAD + length;
    if (opcode === OP.chunk)
      return head.length < CHUNK_HEAD ? { kind: 'cut', why: 'cut within the head of a chunk' } : yield* this.#chunk(at, head, next);
    const shape = head.length < CHUNK_HEAD ? undefined : chunkShape(head);
    if (shape?.sound) {
      const why = `a chunk whose record type is ${opcode}`;
      const end = at + (shape.length ?? 0);
      return end > this.#size ? { kind: 'cut', why } : { kind: 'damage', next: end, why };
    }
    const wrong = wrongHead(opcode, head, length);
    if (wrong !== undefined) return yield* this.#damage(at, wrong, [next]);
    if (next > this.#size) {
      if (opcode === OP.messageIndex) return { kind: 'cut', why: 'cut within a message index' };
      const found = yield* this.scan(at + 1);
      const why = `a record of type ${opcode} reaches beyond the end of the file`;
      return found < this.#size ? { kind: 'damage', next: found, why } : { kind: 'cut', why };
    }
    if (opcode === OP.dataEnd || opcode === OP.footer) return { kind: 'last' };
    if (opcode === OP.schema || opcode === OP.channel || opcode === OP.message) return yield* this.#loose(at, opcode, length);
    return yield* this.#skip(at, next);
  }

  /** A record whose content does not matter here. Where its damaged length would leap over a chunk, reading goes on at that chunk. */
  *#skip(at: number, next: number): Reading<Step> {
    if (yield* this.#plausible(next)) return { kind: 'skip', next };
    const found = yield* this.scan(at + 1, next);
    return found < next ? { kind: 'damage', next: found, why: 'a record whose length is damaged' } : { kind: 'skip', next };
  }

  /** The end of the message indexes that lie at this place. */
  *indexes(from: number): Reading<number> {
    let head = this.#window.peek(from, CHUNK_HEAD) ?? (yield* this.#window.get(from, CHUNK_HEAD));
    for (let at = from; ; ) {
      if (head.length < RECORD_HEAD || head[0] !== OP.messageIndex) return at;
      const length = long(head, 1);
      const next = at + RECORD_HEAD + length;
      if (wrongHead(OP.messageIndex, head, length) !== undefined) return at;
      const behind = this.#window.peek(next, CHUNK_HEAD) ?? (yield* this.#window.get(next, CHUNK_HEAD));
      if (!this.#isPlausible(next, behind)) return at;
      at = next;
      head = behind;
    }
  }

  /** Schemas, channels and messages outside of chunks: never ours (there it is a damaged record), but good MCAP where no chunks are. */
  *#loose(at: number, opcode: number, length: number): Reading<Step> {
    const next = at + RECORD_HEAD + length;
    if (this.#strict || (opcode === OP.message && this.#chunks))
      return yield* this.#damage(at, `a record of type ${opcode} outside of chunks`, [next]);
    if (length > LONGEST) return { kind: 'damage', next, why: `a record of ${length} bytes is too long to be read` };
    const record = yield* this.#window.get(at, RECORD_HEAD + length);
    if (opcode !== OP.message) {
      const wrong = readable(() => this.#dictionary.take(opcode, new Fields(record, RECORD_HEAD), false));
      return typeof wrong === 'string' ? yield* this.#damage(at, wrong, [next]) : { kind: 'skip', next };
    }
    const chunk = new Uint8Array(CHUNK_HEAD + record.length); // read as a chunk of one
    chunk.set(record, CHUNK_HEAD);
    chunk.set(record.subarray(15, 23), 9);
    chunk.set(record.subarray(15, 23), 17);
    const messages = chunkMessages(chunk, this.#dictionary, false);
    return typeof messages === 'string' ? yield* this.#damage(at, messages, [next]) : { kind: 'chunk', next, messages };
  }

  *#chunk(at: number, head: Uint8Array, outer: number): Reading<Step> {
    const shape = chunkShape(head);
    const next = shape.length === undefined ? undefined : at + shape.length;
    if (!shape.sound || next === undefined) return yield* this.#damage(at, shape.why, next === undefined ? [outer] : [next, outer]);
    if (next > this.#size) return { kind: 'cut', why: 'cut within a chunk' };
    if (next - at > LONGEST) return { kind: 'damage', next, why: `a chunk of ${next - at} bytes is too long to be read` };
    this.#chunks = true;
    const record = this.#window.peek(at, next - at) ?? (yield* this.#window.get(at, next - at));
    let messages = chunkMessages(record, this.#dictionary, this.#strict);
    if (typeof messages === 'string' && (yield* this.#summary())) messages = chunkMessages(record, this.#dictionary, this.#strict);
    return typeof messages === 'string' ? { kind: 'damage', next, why: messages } : { kind: 'chunk', next, messages };
  }

  /** Goes on behind damage: at the first of `nexts` where records go on, else at the next chunk that is whole. */
  *#damage(at: number, why: string, nexts: readonly number[]): Reading<Step> {
    for (const next of nexts) if (yield* this.#plausible(next)) return { kind: 'damage', next, why };
    return { kind: 'damage', next: yield* this.scan(at + 1), why };
  }

  *#plausible(at: number): Reading<boolean> {
    return this.#isPlausible(at, yield* this.#window.get(at, CHUNK_HEAD));
  }

  #isPlausible(at: number, head: Uint8Array): boolean {
    if (at >= this.#size) return at === this.#size;
    if (head.length < RECORD_HEAD) return false;
    const opcode = head[0] ?? 0;
    const length = long(head, 1);
    if (opcode === OP.chunk) return head.length === CHUNK_HEAD && chunkShape(head).sound;
    return wrongHead(opcode, head, length) === undefined && at + RECORD_HEAD + length <= this.#size;
  }

  /** The offset of the first whole, checked chunk from `from` on and before `to`; the file's end where there is none. */
  *scan(from: number, to = this.#size): Reading<number> {
    const block = 64 * 1024;
    for (let start = from; start < to; start += block) {
      const bytes = yield* this.#window.get(start, block + CHUNK_HEAD);
      const last = Math.min(block, to - start, bytes.length - CHUNK_HEAD + 1);
      for (let i = bytes.indexOf(OP.chunk); i >= 0 && i < last; i = bytes.indexOf(OP.chunk, i + 1)) {
        const { sound, length = 0 } = chunkShape(bytes, i);
        if (!sound || start + i + length > this.#size || length > LONGEST) continue;
        const record = yield* this.#window.get(start + i, length);
        if (typeof chunkMessages(record, this.#dictionary.copy(), this.#strict) !== 'string') return start + i;
      }
    }
    return this.#size;
  }

  /** Whether the file ends as it should: DataEnd, summary, footer, magic. */
  *footer(): Reading<boolean> {
    return (yield* this.#footer()) !== undefined;
  }

  *#footer(): Reading<Fields | undefined> {
    const length = FOOTER + MAGIC.length;
    if (this.#size < length) return undefined;
    const bytes = yield* this.#window.get(this.#size - length, length);
    const fields = new Fields(bytes);
    const right = fields.u8() === OP.footer && fields.u64() === 20 && MAGIC.every((byte, i) => bytes[FOOTER + i] === byte);
    return right ? fields : undefined;
  }

  /** Learns the channels of the summary, once: a file of another program names each only in the first chunk that has it. */
  *#summary(): Reading<boolean> {
    if (this.#summaryRead) return false;
    this.#summaryRead = true;
    const start = (yield* this.#footer())?.u64();
    if (!start || this.#size - start > LONGEST) return false;
    const summary = new Fields(yield* this.#window.get(start, this.#size - FOOTER - MAGIC.length - start));
    const known = new Dictionary();
    const wrong = readable(() => {
      while (summary.left > 0) {
        const opcode = summary.u8();
        const record = new Fields(summary.raw(summary.u64()));
        if (opcode === OP.schema || opcode === OP.channel) known.take(opcode, record, false);
      }
    });
    if (typeof wrong === 'string') return false;
    this.#dictionary.adopt(known);
    return true;
  }
}

/** What is wrong with a record that is no chunk, as far as its first bytes say. Reserved types are not known to this program. */
function wrongHead(opcode: number, head: Uint8Array, length: number): string | undefined {
  if (opcode === 0 || (opcode > OP.dataEnd && opcode < 0x80)) return `no record is of type ${opcode}`;
  if (opcode === OP.footer && length !== 20) return `a footer has 20 bytes, not ${length}`;
  if (opcode === OP.dataEnd && length !== 4) return `an end of data has 4 bytes, not ${length}`;
  if (opcode === OP.message && length < 22) return `a message has at least 22 bytes, not ${length}`;
  if (opcode === OP.messageIndex) {
    const entries = head.length < 15 ? length - 6 : word(head, 11);
    if (entries % 16 !== 0 || entries + 6 !== length) return 'a message index whose lengths disagree';
  }
  return undefined;
}
