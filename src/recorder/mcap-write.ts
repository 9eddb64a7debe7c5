/**
 * MCAP v0 chunks as bytes, no I/O (mcap.dev/spec). Each chunk repeats the schema and channel records it needs, so it can be
 * read alone, and holds no file offset, so the same bytes can be written again to another file.
 */
import { crc32 } from 'node:zlib';

export const MAGIC = Uint8Array.of(0x89, 0x4d, 0x43, 0x41, 0x50, 0x30, 0x0d, 0x0a);
export const OP = {
  header: 1,
  footer: 2,
  schema: 3,
  channel: 4,
  message: 5,
  chunk: 6,
  messageIndex: 7,
  chunkIndex: 8,
  statistics: 11,
  metadata: 12,
  metadataIndex: 13,
  summaryOffset: 14,
  dataEnd: 15,
} as const;
/** Opcode and length, then what a chunk says before its records (no compression): 8 + 8 + 8 + 4 + 4 + 8. */
export const RECORD_HEAD = 9;
export const CHUNK_HEAD = RECORD_HEAD + 40;
const MESSAGE_HEAD = RECORD_HEAD + 22;
const WORD = 0x1_0000_0000;

/** A mistake of the program, never of the disk: the set of codes is closed. */
export class McapError extends Error {
  readonly code: 'MCAP_BAD_TIME' | 'MCAP_TOO_MANY_CHANNELS' | 'MCAP_UNKNOWN_CHANNEL';
  constructor(code: McapError['code'], message: string) {
    super(message);
    this.name = 'McapError';
    this.code = code;
  }
}

export interface Schema {
  readonly name: string;
  readonly encoding: string;
  readonly data: Uint8Array;
}

export interface Channel {
  readonly topic: string;
  readonly encoding: string;
  readonly schema?: Schema;
}

/** Nanoseconds since 1970 as two words: faster than a bigint, and exact where a number is not. */
export interface Nanoseconds {
  readonly high: number;
  readonly low: number;
}

/** Microseconds since 1970 (a fraction is cut off) as nanoseconds. */
export function nanoseconds(t: number): Nanoseconds {
  const whole = Math.floor(t);
  const upper = Math.floor(whole / WORD);
  const lower = (whole - upper * WORD) * 1000;
  return { high: upper * 1000 + Math.floor(lower / WORD), low: lower >>> 0 };
}

/** What a file must know of a chunk to index it: message indexes lie at `at`, counted from the chunk's first byte. */
export interface Indexed {
  readonly id: number;
  readonly at: number;
  readonly count: number;
}

/** A closed chunk with its message indexes: whole bytes, ready for any file of the same channels. Times are microseconds. */
export interface Sealed {
  readonly bytes: Uint8Array;
  readonly records: number;
  readonly messages: number;
  readonly payload: number;
  readonly first: number;
  readonly last: number;
  readonly indexes: readonly Indexed[];
}

/** Little-endian bytes of unknown length. */
export class Bytes {
  #bytes: Uint8Array;
  #view: DataView;
  at = 0;
  constructor(size = 256) {
    this.#bytes = new Uint8Array(size);
    this.#view = new DataView(this.#bytes.buffer);
  }
  #room(n: number): number {
    if (this.at + n > this.#bytes.length) {
      const more = new Uint8Array(Math.max(2 * this.#bytes.length, this.at + n));
      more.set(this.#bytes);
      this.#bytes = more;
      this.#view = new DataView(more.buffer);
    }
    this.at += n;
    return this.at - n;
  }
  u8(value: number): this {
    const at = this.#room(1); // first: it may make another view
    this.#view.setUint8(at, value);
    return this;
  }
  u16(value: number): this {
    const at = this.#room(2); // first: it may make another view
    this.#view.setUint16(at, value, true);
    return this;
  }
  u32(value: number): this {
    const at = this.#room(4); // first: it may make another view
    this.#view.setUint32(at, value, true);
    return this;
  }
  u64(value: number): this {
    return this.u32(value % WORD).u32(Math.floor(value / WORD));
  }
  time(t: number): this {
    const { high, low } = nanoseconds(t);
    return this.u32(low).u32(high);
  }
  raw(bytes: Uint8Array): this {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }
  text(text: string): this {
    const bytes = new TextEncoder().encode(text);
    return this.u32(bytes.length).raw(bytes);
  }
  map(map: Readonly<Record<string, string>>): this {
    const inner = new Bytes();
    for (const [key, value] of Object.entries(map)) inner.text(key).text(value);
    return this.u32(inner.at).raw(inner.done());
  }
  record(opcode: number, content: (record: Bytes) => void): this {
    const inner = new Bytes();
    content(inner);
    return this.u8(opcode).u64(inner.at).raw(inner.done());
  }
  done(): Uint8Array {
    return this.#bytes.subarray(0, this.at);
  }
}

export interface Registered {
  readonly id: number;
  readonly schemaId: number;
  readonly schemaRecord: Uint8Array;
  readonly channelRecord: Uint8Array;
}

/** The ids of channels and schemas, one to one for as long as chunks may be written again. */
export class Channels {
  readonly #channels: Registered[] = [];
  readonly #schemas = new Map<string, { readonly id: number; readonly record: Uint8Array }>();

  /** Gives a channel its id, 0 and up; 65,536 at most. Schemas of one name are taken for the same. */
  add({ topic, encoding, schema }: Channel): number {
    const id = this.#channels.length;
    if (id > 0xffff) throw new McapError('MCAP_TOO_MANY_CHANNELS', `an MCAP file has at most 65536 channels; "${topic}" is one more`);
    const known = schema && this.#schema(schema);
    const channelRecord = new Bytes().record(OP.channel, (r) =>
      r
        .u16(id)
        .u16(known?.id ?? 0)
        .text(topic)
        .text(encoding)
        .map({}),
    );
    const schemaRecord = known?.record ?? new Uint8Array();
    this.#channels.push({ id, schemaId: known?.id ?? 0, schemaRecord, channelRecord: channelRecord.done() });
    return id;
  }

  #schema(schema: Schema): { readonly id: number; readonly record: Uint8Array } {
    const known = this.#schemas.get(schema.name);
    if (known) return known;
    const id = this.#schemas.size + 1; // zero means "no schema"
    const record = new Bytes().record(OP.schema, (r) =>
      r.u16(id).text(schema.name).text(schema.encoding).u32(schema.data.length).raw(schema.data),
    );
    const made = { id, record: record.done() };
    this.#schemas.set(schema.name, made);
    return made;
  }

  get(id: number): Registered {
    const channel = this.#channels[id];
    if (!channel) throw new McapError('MCAP_UNKNOWN_CHANNEL', `channel ${id} was never added`);
    return channel;
  }
}

/** The message index of one channel within the open chunk, written as it grows. */
class Index {
  readonly channel: Registered;
  bytes = new Uint8Array(16 * 16);
  view = new DataView(this.bytes.buffer);
  length = 0;
  chunk = -1;
  constructor(channel: Registered) {
    this.channel = channel;
  }
  grow(): void {
    const more = new Uint8Array(2 * this.bytes.length);
    more.set(this.bytes);
    this.bytes = more;
    this.view = new DataView(more.buffer);
  }
}

/** Gathers messages into one chunk at a time. `held` is the size of its records so far. */
export class ChunkBuilder {
  readonly #channels: Channels;
  readonly #indexes: Index[] = [];
  #used: Index[] = [];
  #chunk = 0;
  readonly #size: number;
  #spare: Uint8Array | undefined;
  #bytes: Uint8Array;
  #view: DataView;
  #at = CHUNK_HEAD;
  #schemas = new Set<number>();
  #messages = 0;
  #payload = 0;
  #first = Number.POSITIVE_INFINITY;
  #last = Number.NEGATIVE_INFINITY;

  constructor(channels: Channels, size = 65_536) {
    this.#channels = channels;
    this.#size = size + 4096;
    this.#bytes = new Uint8Array(this.#size);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get held(): number {
    return this.#at - CHUNK_HEAD;
  }
  get messages(): number {
    return this.#messages;
  }
  get payload(): number {
    return this.#payload;
  }
  /** The earliest and latest time in the open chunk, microseconds; Infinity and -Infinity while it is empty. */
  get first(): number {
    return this.#first;
  }
  get last(): number {
    return this.#last;
  }

  /** Copies one message in. `t` is microseconds since 1970, at least 0 and at most 2^53 - 1; log and publish time are the same. */
  add(id: number, sequence: number, t: number, data: Uint8Array): void {
    if (!(t >= 0 && t <= Number.MAX_SAFE_INTEGER)) {
      throw new McapError('MCAP_BAD_TIME', `a message's time is microseconds since 1970, 0 to 2^53 - 1, not ${t}`);
    }
    let index = this.#indexes[id];
    if (index === undefined || index.chunk !== this.#chunk) index = this.#enter(id);
    const n = data.length;
    let at = this.#at;
    if (at + MESSAGE_HEAD + n > this.#bytes.length) this.#room(MESSAGE_HEAD + n);
    if (index.length === index.bytes.length) index.grow();
    // The same as nanoseconds(t), in place: an object for each message would cost more than the rest.
    const whole = Math.floor(t);
    const upper = Math.floor(whole / WORD);
    const lower = (whole - upper * WORD) * 1000;
    const high = upper * 1000 + Math.floor(lower / WORD);
    const low = lower >>> 0;
    const offset = at - CHUNK_HEAD;
    const entries = index.view;
    const entry = index.length;
    entries.setUint32(entry, low, true);
    entries.setUint32(entry + 4, high, true);
    entries.setUint32(entry + 8, offset, true);
    entries.setUint32(entry + 12, 0, true);
    index.length = entry + 16;
    const view = this.#view;
    view.setUint8(at, OP.message);
    view.setUint32(at + 1, 22 + n, true);
    view.setUint32(at + 5, 0, true);
    view.setUint16(at + 9, id, true);
    view.setUint32(at + 11, sequence, true);
    view.setUint32(at + 15, low, true);
    view.setUint32(at + 19, high, true);
    view.setUint32(at + 23, low, true);
    view.setUint32(at + 27, high, true);
    at += MESSAGE_HEAD;
    const bytes = this.#bytes;
    if (n > 96) bytes.set(data, at);
    else for (let i = 0; i < n; i++) bytes[at + i] = data[i] ?? 0; // for a few bytes the call of set() costs more than the copy
    this.#at = at + n;
    this.#messages++;
    this.#payload += n;
    if (t < this.#first) this.#first = t;
    if (t > this.#last) this.#last = t;
  }

  #enter(id: number): Index {
    const channel = this.#channels.get(id);
    const index = (this.#indexes[id] ??= new Index(channel));
    if (channel.schemaId !== 0 && !this.#schemas.has(channel.schemaId)) {
      this.#schemas.add(channel.schemaId);
      this.#copy(channel.schemaRecord);
    }
    this.#copy(channel.channelRecord);
    index.chunk = this.#chunk;
    index.length = 0;
    this.#used.push(index);
    return index;
  }

  #copy(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #room(n: number): void {
    if (this.#at + n <= this.#bytes.length) return;
    const more = new Uint8Array(Math.max(2 * this.#bytes.length, this.#at + n));
    more.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = more;
    this.#view = new DataView(more.buffer);
  }

  /** Closes the chunk and gives it away, bytes and all; undefined where no message is in it. */
  seal(): Sealed | undefined {
    if (this.#messages === 0) return undefined;
    const records = this.#at - CHUNK_HEAD;
    const indexes: Indexed[] = [];
    for (const { channel, bytes, length } of this.#used) {
      this.#room(15 + length);
      const at = this.#at;
      this.#view.setUint8(at, OP.messageIndex);
      this.#long(at + 1, 6 + length);
      this.#view.setUint16(at + 9, channel.id, true);
      this.#view.setUint32(at + 11, length, true);
      this.#bytes.set(bytes.subarray(0, length), at + 15);
      this.#at = at + 15 + length;
      indexes.push({ id: channel.id, at, count: length / 16 });
    }
    this.#view.setUint8(0, OP.chunk);
    this.#long(1, 40 + records);
    this.#time(9, this.#first);
    this.#time(17, this.#last);
    this.#long(25, records);
    this.#view.setUint32(33, crc32(this.#bytes.subarray(CHUNK_HEAD, CHUNK_HEAD + records)), true);
    this.#view.setUint32(37, 0, true);
    this.#long(41, records);
    const sealed = {
      bytes: this.#bytes.subarray(0, this.#at),
      records,
      messages: this.#messages,
      payload: this.#payload,
      first: this.#first,
      last: this.#last,
      indexes,
    };
    this.#bytes = this.#spare ?? new Uint8Array(Math.min(this.#bytes.length, 2 * this.#size)); // one huge message is no habit
    this.#spare = undefined;
    this.#view = new DataView(this.#bytes.buffer);
    this.discard();
    return sealed;
  }

  /** Takes back the memory of a chunk that nobody reads any more. */
  recycle({ bytes }: Sealed): void {
    if (bytes.buffer.byteLength >= this.#size && bytes.buffer.byteLength <= 4 * this.#size) this.#spare = new Uint8Array(bytes.buffer);
  }

  /** Forgets the open chunk. */
  discard(): void {
    this.#at = CHUNK_HEAD;
    this.#chunk++;
    this.#used = [];
    this.#schemas.clear();
    this.#messages = 0;
    this.#payload = 0;
    this.#first = Number.POSITIVE_INFINITY;
    this.#last = Number.NEGATIVE_INFINITY;
  }

  #long(at: number, value: number): void {
    this.#view.setUint32(at, value % WORD, true);
    this.#view.setUint32(at + 4, Math.floor(value / WORD), true);
  }
  #time(at: number, t: number): void {
    const { high, low } = nanoseconds(t);
    this.#view.setUint32(at, low, true);
    this.#view.setUint32(at + 4, high, true);
  }
}
