/** Walks one MCAP file from any offset, over cuts and damage, with bounded memory: one window and one chunk at a time. */
import { chunkMessages, chunkShape, Dictionary, Fields, type McapMessage, readable } from './mcap-read.ts';
import { CHUNK_HEAD, MAGIC, OP, RECORD_HEAD } from './mcap-write.ts';

export interface ByteSource {
  size(): Promise<number>;
  /** Gives `length` bytes, fewer only at the end; bytes once given are not changed later. */
  read(at: number, length: number): Promise<Uint8Array>;
}

export type Found =
  /** `end` is the chunk's own end, `next` that of its message indexes, as far as they are there. */
  | { readonly kind: 'chunk'; readonly at: number; readonly end: number; readonly next: number; readonly messages: readonly McapMessage[] }
  /** What could not be read: `next` is where reading goes on. */
  | { readonly kind: 'damage'; readonly at: number; readonly next: number; readonly why: string }
  /** Always last. `at` is the end of the data that could be read; `whole` where DataEnd and footer stand there. */
  | { readonly kind: 'end'; readonly at: number; readonly size: number; readonly whole: boolean; readonly why: string };

const AHEAD = 256 * 1024;
const LONGEST = 512 * 1024 * 1024;
const FOOTER = RECORD_HEAD + 20;

/** Reads on in blocks; what it gave stays valid. */
class Window {
  readonly #source: ByteSource;
  readonly size: number;
  #bytes: Uint8Array = new Uint8Array();
  #start = 0;
  constructor(source: ByteSource, size: number) {
    this.#source = source;
    this.size = size;
  }
  /** Up to n bytes, fewer only at the end. */
  async get(at: number, n: number): Promise<Uint8Array> {
    const wanted = Math.max(0, Math.min(n, this.size - at));
    if (at < this.#start || at + wanted > this.#start + this.#bytes.length) {
      this.#bytes = await this.#source.read(at, Math.min(Math.max(wanted, AHEAD), Math.max(0, this.size - at)));
      this.#start = at;
    }
    return this.#bytes.subarray(at - this.#start, at - this.#start + wanted);
  }
}

type Step =
  | { readonly kind: 'skip'; readonly next: number }
  | { readonly kind: 'chunk'; readonly next: number; readonly messages: readonly McapMessage[] }
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
  const size = Math.min(await source.size(), options.until ?? Number.POSITIVE_INFINITY);
  const walk = new Walk(source, size);
  const wrong = await walk.begin();
  let at = Math.max(options.from ?? 0, MAGIC.length);
  if (wrong !== undefined) {
    const next = size < MAGIC.length ? size : await walk.scan(0);
    if (next >= size) return yield { kind: 'end', at: 0, size, whole: false, why: wrong };
    if (at < next) {
      yield { kind: 'damage', at: 0, next, why: wrong };
      at = next;
    }
  }
  for (;;) {
    const step = await walk.step(at);
    if (step.kind === 'last') {
      const whole = await walk.footer();
      return yield { kind: 'end', at, size, whole, why: whole ? '' : 'the summary is cut or damaged' };
    }
    if (step.kind === 'cut') return yield { kind: 'end', at, size, whole: false, why: step.why };
    const { next } = step;
    if (step.kind === 'damage') yield { ...step, at };
    if (step.kind === 'skip' || step.kind === 'damage') at = next;
    else {
      const start = at;
      at = await walk.indexes(next);
      yield { ...step, at: start, end: next, next: at };
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

  constructor(source: ByteSource, size: number) {
    this.#window = new Window(source, size);
    this.#size = size;
  }

  /** Magic and header; gives what is wrong with them. */
  async begin(): Promise<string | undefined> {
    const bytes = await this.#window.get(0, 4096);
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

  async step(at: number): Promise<Step> {
    const head = await this.#window.get(at, CHUNK_HEAD);
    if (head.length === 0) return { kind: 'cut', why: 'no summary: the file was not ended, or is still being written' };
    if (head.length < RECORD_HEAD) return { kind: 'cut', why: 'cut within the head of a record' };
    const opcode = head[0] ?? 0;
    const length = new Fields(head, 1).u64();
    const next = at + RECORD_HEAD + length;
    if (opcode === OP.chunk)
      return head.length < CHUNK_HEAD ? { kind: 'cut', why: 'cut within the head of a chunk' } : this.#chunk(at, head, next);
    const shape = head.length < CHUNK_HEAD ? undefined : chunkShape(head);
    if (shape?.sound) {
      const why = `a chunk whose record type is ${opcode}`;
      const end = at + (shape.length ?? 0);
      return end > this.#size ? { kind: 'cut', why } : { kind: 'damage', next: end, why };
    }
    const wrong = wrongHead(opcode, head, length);
    if (wrong !== undefined) return this.#damage(at, wrong, [next]);
    if (next > this.#size) {
      if (opcode === OP.messageIndex) return { kind: 'cut', why: 'cut within a message index' };
      const found = await this.scan(at + 1);
      const why = `a record of type ${opcode} reaches beyond the end of the file`;
      return found < this.#size ? { kind: 'damage', next: found, why } : { kind: 'cut', why };
    }
    if (opcode === OP.dataEnd || opcode === OP.footer) return { kind: 'last' };
    if (opcode === OP.schema || opcode === OP.channel || opcode === OP.message) return this.#loose(at, opcode, length);
    return this.#skip(at, next);
  }

  /** A record whose content does not matter here. Where its damaged length would leap over a chunk, reading goes on at that chunk. */
  async #skip(at: number, next: number): Promise<Step> {
    if (await this.#plausible(next)) return { kind: 'skip', next };
    const found = await this.scan(at + 1, next);
    return found < next ? { kind: 'damage', next: found, why: 'a record whose length is damaged' } : { kind: 'skip', next };
  }

  /** The end of the message indexes that lie at this place. */
  async indexes(from: number): Promise<number> {
    for (let at = from; ; ) {
      const head = await this.#window.get(at, CHUNK_HEAD);
      if (head.length < RECORD_HEAD || head[0] !== OP.messageIndex) return at;
      const length = new Fields(head, 1).u64();
      const next = at + RECORD_HEAD + length;
      if (wrongHead(OP.messageIndex, head, length) !== undefined || !(await this.#plausible(next))) return at;
      at = next;
    }
  }

  /** Schemas, channels and messages outside of chunks: never ours (there it is a damaged record), but good MCAP where no chunks are. */
  async #loose(at: number, opcode: number, length: number): Promise<Step> {
    const next = at + RECORD_HEAD + length;
    if (this.#strict || (opcode === OP.message && this.#chunks))
      return this.#damage(at, `a record of type ${opcode} outside of chunks`, [next]);
    if (length > LONGEST) return { kind: 'damage', next, why: `a record of ${length} bytes is too long to be read` };
    const record = await this.#window.get(at, RECORD_HEAD + length);
    if (opcode !== OP.message) {
      const wrong = readable(() => this.#dictionary.take(opcode, new Fields(record, RECORD_HEAD), false));
      return typeof wrong === 'string' ? this.#damage(at, wrong, [next]) : { kind: 'skip', next };
    }
    const chunk = new Uint8Array(CHUNK_HEAD + record.length); // read as a chunk of one
    chunk.set(record, CHUNK_HEAD);
    chunk.set(record.subarray(15, 23), 9);
    chunk.set(record.subarray(15, 23), 17);
    const messages = chunkMessages(chunk, this.#dictionary, false);
    return typeof messages === 'string' ? this.#damage(at, messages, [next]) : { kind: 'chunk', next, messages };
  }

  async #chunk(at: number, head: Uint8Array, outer: number): Promise<Step> {
    const shape = chunkShape(head);
    const next = shape.length === undefined ? undefined : at + shape.length;
    if (!shape.sound || next === undefined) return this.#damage(at, shape.why, next === undefined ? [outer] : [next, outer]);
    if (next > this.#size) return { kind: 'cut', why: 'cut within a chunk' };
    if (next - at > LONGEST) return { kind: 'damage', next, why: `a chunk of ${next - at} bytes is too long to be read` };
    this.#chunks = true;
    const record = await this.#window.get(at, next - at);
    let messages = chunkMessages(record, this.#dictionary, this.#strict);
    if (typeof messages === 'string' && (await this.#summary())) messages = chunkMessages(record, this.#dictionary, this.#strict);
    return typeof messages === 'string' ? { kind: 'damage', next, why: messages } : { kind: 'chunk', next, messages };
  }

  /** Goes on behind damage: at the first of `nexts` where records go on, else at the next chunk that is whole. */
  async #damage(at: number, why: string, nexts: readonly number[]): Promise<Step> {
    for (const next of nexts) if (await this.#plausible(next)) return { kind: 'damage', next, why };
    return { kind: 'damage', next: await this.scan(at + 1), why };
  }

  async #plausible(at: number): Promise<boolean> {
    if (at >= this.#size) return at === this.#size;
    const head = await this.#window.get(at, CHUNK_HEAD);
    if (head.length < RECORD_HEAD) return false;
    const opcode = head[0] ?? 0;
    const length = new Fields(head, 1).u64();
    if (opcode === OP.chunk) return head.length === CHUNK_HEAD && chunkShape(head).sound;
    return wrongHead(opcode, head, length) === undefined && at + RECORD_HEAD + length <= this.#size;
  }

  /** The offset of the first whole, checked chunk from `from` on and before `to`; the file's end where there is none. */
  async scan(from: number, to = this.#size): Promise<number> {
    const block = 64 * 1024;
    for (let start = from; start < to; start += block) {
      const bytes = await this.#window.get(start, block + CHUNK_HEAD);
      const last = Math.min(block, to - start, bytes.length - CHUNK_HEAD + 1);
      for (let i = bytes.indexOf(OP.chunk); i >= 0 && i < last; i = bytes.indexOf(OP.chunk, i + 1)) {
        const { sound, length = 0 } = chunkShape(bytes, i);
        if (!sound || start + i + length > this.#size || length > LONGEST) continue;
        const record = await this.#window.get(start + i, length);
        if (typeof chunkMessages(record, this.#dictionary.copy(), this.#strict) !== 'string') return start + i;
      }
    }
    return this.#size;
  }

  /** Whether the file ends as it should: DataEnd, summary, footer, magic. */
  async footer(): Promise<boolean> {
    return (await this.#footer()) !== undefined;
  }

  async #footer(): Promise<Fields | undefined> {
    const length = FOOTER + MAGIC.length;
    if (this.#size < length) return undefined;
    const bytes = await this.#window.get(this.#size - length, length);
    const fields = new Fields(bytes);
    const right = fields.u8() === OP.footer && fields.u64() === 20 && MAGIC.every((byte, i) => bytes[FOOTER + i] === byte);
    return right ? fields : undefined;
  }

  /** Learns the channels of the summary, once: a file of another program names each only in the first chunk that has it. */
  async #summary(): Promise<boolean> {
    if (this.#summaryRead) return false;
    this.#summaryRead = true;
    const start = (await this.#footer())?.u64();
    if (!start || this.#size - start > LONGEST) return false;
    const summary = new Fields(await this.#window.get(start, this.#size - FOOTER - MAGIC.length - start));
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
    const entries = readable(() => ({ length: new Fields(head, 11).u32() }));
    const right = typeof entries === 'string' || (entries.length % 16 === 0 && entries.length + 6 === length);
    if (!right) return 'a message index whose lengths disagree';
  }
  return undefined;
}
