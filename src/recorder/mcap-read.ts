/**
 * Reads MCAP v0 records as they are found on a real disk: cut anywhere, damaged anywhere. A chunk is given whole and checked or
 * not at all, so no message is ever wrong.
 */
import { crc32 } from 'node:zlib';
import { CHUNK_HEAD, OP, RECORD_HEAD } from './mcap-write.ts';

export interface McapMessage {
  readonly topic: string;
  readonly encoding: string;
  /** The schema's name, empty where there is none. */
  readonly schema: string;
  readonly sequence: number;
  /** Log time, microseconds since 1970 (exact where the nanoseconds are whole microseconds). */
  readonly t: number;
  readonly bytes: Uint8Array;
}

const WORD = 0x1_0000_0000;
const MESSAGE = 22; // bytes of a message before its data
const utf8 = new TextDecoder();

/** A message where it stands in its chunk: of what nobody asks for nothing is made. */
export class ChunkMessage implements McapMessage {
  readonly channel: Known;
  /** The chunk's records, and where in them its bytes stand, behind its head. */
  readonly records: Uint8Array;
  readonly from: number;
  readonly to: number;
  constructor(channel: Known, records: Uint8Array, from: number, to: number) {
    this.channel = channel;
    this.records = records;
    this.from = from;
    this.to = to;
  }
  get sequence(): number {
    return word(this.records, this.from - MESSAGE + 2);
  }
  get t(): number {
    return microseconds(word(this.records, this.from - MESSAGE + 10), word(this.records, this.from - MESSAGE + 6));
  }
  get topic(): string {
    return this.channel.topic;
  }
  get encoding(): string {
    return this.channel.encoding;
  }
  get schema(): string {
    return this.channel.schema;
  }
  get bytes(): Uint8Array {
    return this.records.subarray(this.from, this.to);
  }
}

/** Little-endian words, where they are known to be there. */
export const word = (bytes: Uint8Array, at: number): number =>
  (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
/** Beyond 2^53 it is not exact, but then it is damaged anyway. */
export const long = (bytes: Uint8Array, at: number): number => word(bytes, at) + word(bytes, at + 4) * WORD;

/** A record's content ended before its fields did. */
class Short extends Error {}

/** Little-endian fields out of one record. */
export class Fields {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  at: number;
  readonly end: number;
  constructor(bytes: Uint8Array, from = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = from;
    this.end = end;
  }
  #take(n: number): number {
    if (n > this.end - this.at) throw new Short(`a field of ${n} bytes does not fit into the ${this.end - this.at} that are left`);
    this.at += n;
    return this.at - n;
  }
  get left(): number {
    return this.end - this.at;
  }
  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }
  /** Beyond 2^53 it is not exact, but then it is damaged anyway. */
  u64(): number {
    return this.u32() + this.u32() * WORD;
  }
  skip(n: number): void {
    this.#take(n);
  }
  raw(n: number): Uint8Array {
    const at = this.#take(n);
    return this.#bytes.subarray(at, at + n);
  }
  text(): string {
    return utf8.decode(this.raw(this.u32()));
  }
  map(): Record<string, string> {
    const map: Record<string, string> = {};
    const inner = this.u32();
    const bytes = new Fields(this.raw(inner));
    while (bytes.left > 0) {
      const key = bytes.text();
      map[key] = bytes.text();
    }
    return map;
  }
}

export interface Known {
  readonly topic: string;
  readonly encoding: string;
  readonly schema: string;
}

/** Schemas and channels met so far in one file. */
export class Dictionary {
  readonly schemas = new Map<number, string>();
  readonly channels = new Map<number, Known>();
  /** The records by which they are known: our chunks say them again and again. */
  readonly #said = new Map<number, Uint8Array>();

  /** Whether a schema or channel record's content is the one by which its id is known already. */
  knows(opcode: number, bytes: Uint8Array, from: number, end: number): boolean {
    const said = this.#said.get(key(opcode, bytes[from] | (bytes[from + 1] << 8)));
    if (said?.length !== end - from) return false;
    for (let i = 0; i < said.length; i++) if (said[i] !== bytes[from + i]) return false;
    return true;
  }

  /** What was taken was this. */
  note(opcode: number, content: Uint8Array): void {
    this.#said.set(key(opcode, content[0] | (content[1] << 8)), content.slice());
  }

  /**
   * Takes a schema or channel record's content. What a checksum guards (`sure`) replaces what was known of the id, other records
   * do not. Throws where it is damaged: see `readable`.
   */
  take(opcode: number, fields: Fields, sure: boolean): void {
    const id = fields.u16();
    if (opcode === OP.schema) {
      const name = fields.text();
      fields.text();
      fields.raw(fields.u32());
      if (sure || !this.schemas.has(id)) this.#name(id, name);
      return;
    }
    const schemaId = fields.u16();
    const topic = fields.text();
    const encoding = fields.text();
    fields.map();
    if (sure || !this.channels.has(id)) this.channels.set(id, { topic, encoding, schema: this.schemas.get(schemaId) ?? '' });
    this.#said.delete(key(OP.channel, id));
  }

  /** A channel's record means something else when the schema that it names does. */
  #name(id: number, name: string): void {
    if (this.schemas.get(id) === name) return;
    this.schemas.set(id, name);
    this.#said.clear();
  }

  copy(): Dictionary {
    const copy = new Dictionary();
    for (const [id, schema] of this.schemas) copy.schemas.set(id, schema);
    for (const [id, channel] of this.channels) copy.channels.set(id, channel);
    for (const [id, said] of this.#said) copy.#said.set(id, said);
    return copy;
  }

  /** Takes over what was learnt in a chunk that proved whole. */
  adopt(other: Dictionary): void {
    for (const [id, schema] of other.schemas) this.schemas.set(id, schema);
    for (const [id, channel] of other.channels) this.channels.set(id, channel);
    this.#said.clear();
    for (const [id, said] of other.#said) this.#said.set(id, said);
  }
}

const key = (opcode: number, id: number): number => (opcode << 16) | id;

/** The result of reading fields, or why they cannot be read. A mistake of the program stays one. */
export function readable<T>(read: () => T): T | string {
  try {
    return read();
  } catch (error) {
    if (error instanceof Short) return error.message;
    throw error;
  }
}

/** The length of a chunk as it says three times over, or what can still be made of it. */
export interface Shape {
  /** Length of the whole record where at least two of the three agree. */
  readonly length?: number;
  /** All agree, and there is no compression. */
  readonly sound: boolean;
  readonly why: string;
}

/** Looks at the CHUNK_HEAD bytes of a record that stand there, whatever its opcode says. */
export function chunkShape(head: Uint8Array, at = 0): Shape {
  const outer = long(head, at + 1) - 40;
  const size = long(head, at + 25);
  const compressed = word(head, at + 37);
  const records = long(head, at + 41);
  const agreed = outer === size || outer === records ? outer : size === records ? size : undefined;
  if (agreed === undefined || agreed <= 0 || agreed > Number.MAX_SAFE_INTEGER) {
    return {
      sound: false,
      why: compressed === 0 ? 'its lengths disagree' : 'it is compressed, which is not read here, or its head is damaged',
    };
  }
  const length = CHUNK_HEAD + agreed;
  if (compressed !== 0) return { sound: false, length, why: 'its compression is damaged' };
  if (outer !== size || size !== records) return { sound: false, length, why: 'its lengths disagree' };
  return { sound: true, length, why: '' };
}

const CRC = 33; // where it stands in a chunk's head

/**
 * The messages of one chunk record (head and records, shape already sound), or why none of them can be taken.
 * A checksum of zero means that there is none; `strict` is for files whose writer always sets it.
 */
export function chunkMessages(record: Uint8Array, dictionary: Dictionary, strict: boolean): readonly ChunkMessage[] | string {
  const crc = word(record, CRC);
  const records = record.subarray(CHUNK_HEAD);
  if ((crc !== 0 || strict) && crc32(records) !== crc) return 'its checksum does not fit its bytes';
  return readable(() => inside(record, records, dictionary));
}

function inside(record: Uint8Array, records: Uint8Array, dictionary: Dictionary): readonly ChunkMessage[] | string {
  const messages: ChunkMessage[] = [];
  let known = dictionary; // a copy, once the chunk says something new: it counts only where all of the chunk is right
  let id = -1;
  let channel: Known | undefined;
  // Words of the times: before any message, what a chunk without messages says of them.
  let firstHigh = 0;
  let firstLow = 0;
  let lastHigh = 0;
  let lastLow = 0;
  const size = records.length;
  for (let at = 0; at < size; ) {
    if (size - at < RECORD_HEAD) return `the head of a record does not fit into the ${size - at} bytes that are left`;
    const opcode = records[at];
    const length = long(records, at + 1);
    at += RECORD_HEAD;
    if (length > size - at) return `a record of ${length} bytes does not fit into the chunk`;
    const end = at + length;
    if (opcode === OP.message) {
      if (length < MESSAGE) return 'a message is shorter than its head';
      const of = records[at] | (records[at + 1] << 8);
      if (of !== id) {
        id = of;
        channel = known.channels.get(id);
      }
      if (!channel) return `no record describes channel ${id}`;
      const low = word(records, at + 6);
      const high = word(records, at + 10);
      const first = messages.length === 0;
      if (first || high < firstHigh || (high === firstHigh && low < firstLow)) {
        firstHigh = high;
        firstLow = low;
      }
      if (first || high > lastHigh || (high === lastHigh && low > lastLow)) {
        lastHigh = high;
        lastLow = low;
      }
      messages.push(new ChunkMessage(channel, records, at + MESSAGE, end));
    } else if (opcode === OP.schema || opcode === OP.channel) {
      if (!known.knows(opcode, records, at, end)) {
        if (known === dictionary) known = dictionary.copy();
        known.take(opcode, new Fields(records, at, end), true);
        known.note(opcode, records.subarray(at, end));
        id = -1;
      }
    } else if (opcode < 0x80) return `a record of type ${opcode} has no place in a chunk`;
    at = end;
  }
  const right =
    word(record, 9) === firstLow && word(record, 13) === firstHigh && word(record, 17) === lastLow && word(record, 21) === lastHigh;
  if (!right) return 'its first and last time are not those of its messages';
  if (known !== dictionary) dictionary.adopt(known);
  return messages;
}

/** Nanoseconds in two words as microseconds: exact below 2^53 where no fraction is left. */
export function microseconds(high: number, low: number): number {
  const upper = Math.floor(high / 1000);
  return upper * WORD + ((high - upper * 1000) * WORD + low) / 1000;
}
