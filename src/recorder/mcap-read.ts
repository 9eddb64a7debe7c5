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
const utf8 = new TextDecoder();

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

interface Known {
  readonly topic: string;
  readonly encoding: string;
  readonly schema: string;
}

/** Schemas and channels met so far in one file. */
export class Dictionary {
  readonly schemas = new Map<number, string>();
  readonly channels = new Map<number, Known>();

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
      if (sure || !this.schemas.has(id)) this.schemas.set(id, name);
      return;
    }
    const schemaId = fields.u16();
    const topic = fields.text();
    const encoding = fields.text();
    fields.map();
    if (sure || !this.channels.has(id)) this.channels.set(id, { topic, encoding, schema: this.schemas.get(schemaId) ?? '' });
  }

  copy(): Dictionary {
    const copy = new Dictionary();
    for (const [id, schema] of this.schemas) copy.schemas.set(id, schema);
    for (const [id, channel] of this.channels) copy.channels.set(id, channel);
    return copy;
  }

  /** Takes over what was learnt in a chunk that proved whole. */
  adopt({ schemas, channels }: Dictionary): void {
    for (const [id, schema] of schemas) this.schemas.set(id, schema);
    for (const [id, channel] of channels) this.channels.set(id, channel);
  }
}

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

/** Looks at the first CHUNK_HEAD bytes of a record, whatever its opcode says. */
export function chunkShape(head: Uint8Array, at = 0): Shape {
  const fields = new Fields(head, at + 1);
  const outer = fields.u64() - 40;
  fields.at = at + 25;
  const size = fields.u64();
  fields.at = at + 37;
  const compressed = fields.u32();
  const records = fields.u64();
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

/** What a chunk without messages says of its times. */
const NO_TIME = { high: 0, low: 0 };

/**
 * The messages of one chunk record (head and records, shape already sound), or why none of them can be taken.
 * A checksum of zero means that there is none; `strict` is for files whose writer always sets it.
 */
export function chunkMessages(record: Uint8Array, dictionary: Dictionary, strict: boolean): readonly McapMessage[] | string {
  const head = new Fields(record, RECORD_HEAD);
  const times = [head.u32(), head.u32(), head.u32(), head.u32()];
  head.at = 33;
  const crc = head.u32();
  const records = record.subarray(CHUNK_HEAD);
  if ((crc !== 0 || strict) && crc32(records) !== crc) return 'its checksum does not fit its bytes';
  const known = dictionary.copy();
  const read = readable(() => inside(records, known));
  if (typeof read === 'string') return read;
  const { first, last, messages } = read;
  if (times[0] !== first.low || times[1] !== first.high || times[2] !== last.low || times[3] !== last.high) {
    return 'its first and last time are not those of its messages';
  }
  dictionary.adopt(known);
  return messages;
}

interface Inside {
  readonly messages: McapMessage[];
  readonly first: { readonly high: number; readonly low: number };
  readonly last: { readonly high: number; readonly low: number };
}

function inside(records: Uint8Array, known: Dictionary): Inside | string {
  const fields = new Fields(records);
  const messages: McapMessage[] = [];
  let first = { high: Number.POSITIVE_INFINITY, low: 0 };
  let last = { high: -1, low: 0 };
  while (fields.left > 0) {
    const opcode = fields.u8();
    const length = fields.u64();
    if (length > fields.left) return `a record of ${length} bytes does not fit into the chunk`;
    const end = fields.at + length;
    if (opcode === OP.schema || opcode === OP.channel) known.take(opcode, new Fields(records, fields.at, end), true);
    else if (opcode === OP.message) {
      const id = fields.u16();
      const sequence = fields.u32();
      const low = fields.u32();
      const high = fields.u32();
      fields.skip(8); // publish time: for us the same
      const channel = known.channels.get(id);
      if (!channel) return `no record describes channel ${id}`;
      if (fields.at > end) return 'a message is shorter than its head';
      const { topic, encoding, schema } = channel;
      messages.push({ topic, encoding, schema, sequence, t: microseconds(high, low), bytes: records.subarray(fields.at, end) });
      if (high < first.high || (high === first.high && low < first.low)) first = { high, low };
      if (high > last.high || (high === last.high && low > last.low)) last = { high, low };
    } else if (opcode < 0x80) return `a record of type ${opcode} has no place in a chunk`;
    fields.at = end;
  }
  return messages.length === 0 ? { messages, first: NO_TIME, last: NO_TIME } : { messages, first, last };
}

/** Nanoseconds in two words as microseconds: exact below 2^53 where no fraction is left. */
export function microseconds(high: number, low: number): number {
  const upper = Math.floor(high / 1000);
  return upper * WORD + ((high - upper * 1000) * WORD + low) / 1000;
}
