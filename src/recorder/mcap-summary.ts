/** The summary at the end of a whole MCAP file: what is in it and where, without reading the rest; and the checksums over all of it. */
import { crc32 } from 'node:zlib';
import { Dictionary, Fields, microseconds, readable } from './mcap-read.ts';
import type { ByteSource } from './mcap-recover.ts';
import { MAGIC, OP, RECORD_HEAD } from './mcap-write.ts';

export interface Indexed {
  /** Offset and length of the chunk's record. */
  readonly at: number;
  readonly length: number;
  /** Log times of its first and last message, microseconds since 1970. */
  readonly first: number;
  readonly last: number;
  /** Ids of the channels that have messages in it. */
  readonly channels: ReadonlySet<number>;
}

export interface McapSummary {
  /** Where the data ends: the offset of the DataEnd record. */
  readonly dataEnd: number;
  /** The checksum over all before that; 0 where the writer made none. */
  readonly dataCrc: number;
  readonly dictionary: Dictionary;
  readonly chunks: readonly Indexed[];
  /** Messages by channel id; absent where the file has no statistics. */
  readonly counts?: ReadonlyMap<number, number>;
}

const FOOTER = RECORD_HEAD + 20;
const DATA_END = RECORD_HEAD + 4;
const LONGEST = 256 * 1024 * 1024;
const BLOCK = 1 << 20;

/** Reads and checks the summary; a sentence where there is none, or where it is damaged. */
export async function mcapSummary(source: ByteSource): Promise<McapSummary | string> {
  const size = await source.size();
  const tail = FOOTER + MAGIC.length;
  const none = 'it has no summary at its end';
  if (size < MAGIC.length + DATA_END + tail) return none;
  const end = await source.read(size - tail, tail);
  if (end.length < tail || MAGIC.some((byte, i) => end[FOOTER + i] !== byte)) return none;
  const footer = new Fields(end);
  if (footer.u8() !== OP.footer || footer.u64() !== 20) return none;
  const start = footer.u64();
  footer.skip(8);
  const sum = footer.u32();
  const length = size - tail - start;
  if (start < MAGIC.length + DATA_END || length < 0) return 'its footer leads nowhere';
  if (length > LONGEST) return `its summary of ${length} bytes is too long to be read`;
  const bytes = await source.read(start - DATA_END, DATA_END + length);
  if (bytes.length < DATA_END + length) return none;
  // The footer's record head and both of its offsets are in the checksum.
  const summed = crc32(end.subarray(0, FOOTER - 4), crc32(bytes.subarray(DATA_END)));
  if (sum !== 0 && summed !== sum) return 'the checksum of its summary does not fit';
  return readable(() => inside(bytes, start - DATA_END));
}

function inside(bytes: Uint8Array, dataEnd: number): McapSummary | string {
  const fields = new Fields(bytes);
  if (fields.u8() !== OP.dataEnd || fields.u64() !== 4) return 'its data has no end';
  const dataCrc = fields.u32();
  const dictionary = new Dictionary();
  const chunks: Indexed[] = [];
  let counts: Map<number, number> | undefined;
  while (fields.left > 0) {
    const opcode = fields.u8();
    const record = new Fields(fields.raw(fields.u64()));
    if (opcode === OP.schema || opcode === OP.channel) dictionary.take(opcode, record, true);
    else if (opcode === OP.chunkIndex) chunks.push(chunkIndex(record));
    else if (opcode === OP.statistics) {
      record.skip(8 + 2 + 4 + 4 + 4 + 4 + 16);
      const list = new Fields(record.raw(record.u32()));
      counts = new Map();
      while (list.left > 0) counts.set(list.u16(), list.u64());
    }
  }
  return { dataEnd, dataCrc, dictionary, chunks, ...(counts ? { counts } : {}) };
}

function chunkIndex(record: Fields): Indexed {
  const times = [record.u32(), record.u32(), record.u32(), record.u32()];
  const [low = 0, high = 0, lastLow = 0, lastHigh = 0] = times;
  const at = record.u64();
  const length = record.u64();
  const list = new Fields(record.raw(record.u32()));
  const channels = new Set<number>();
  while (list.left > 0) {
    channels.add(list.u16());
    list.skip(8);
  }
  return { at, length, first: microseconds(high, low), last: microseconds(lastHigh, lastLow), channels };
}

/** Whether the bytes before the end of the data are those that were written: true too where the writer made no checksum. */
export async function dataHolds(source: ByteSource, { dataEnd, dataCrc }: McapSummary): Promise<boolean> {
  if (dataCrc === 0) return true;
  let sum = 0;
  for (let at = 0; at < dataEnd; at += BLOCK) sum = crc32(await source.read(at, Math.min(BLOCK, dataEnd - at)), sum);
  return sum === dataCrc;
}
