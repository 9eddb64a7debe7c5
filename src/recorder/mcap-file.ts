/** A whole MCAP v0 file around chunks: magic, header, metadata, index and footer. Bytes only, no I/O (mcap.dev/spec). */
import { crc32 } from 'node:zlib';
import { Bytes, type Channel, Channels, ChunkBuilder, MAGIC, OP, type Sealed } from './mcap-write.ts';

export const LIBRARY = 'bridgman';

interface Placed {
  readonly start: number;
  readonly chunk: Omit<Sealed, 'bytes'>;
  readonly record: number;
  readonly length: number;
}

/** The frame of one file. `position` is the length of what was given so far: `head()` first, each `append`ed chunk, then `end()`. */
export class McapFile {
  readonly #channels: Channels;
  readonly #placed: Placed[] = [];
  readonly #counts = new Map<number, number>();
  readonly #schemas = new Set<number>();
  #metadata: { readonly name: string; readonly start: number; readonly length: number } | undefined;
  #crc = 0;
  #tail = 1024;
  #messages = 0;
  #first = Number.POSITIVE_INFINITY;
  #last = Number.NEGATIVE_INFINITY;
  position = 0;

  constructor(channels: Channels) {
    this.#channels = channels;
  }

  /** About how many bytes `end()` will give (never fewer than it does). */
  get tail(): number {
    return this.#tail;
  }

  get empty(): boolean {
    return this.#placed.length === 0;
  }

  /** Magic and header; then one metadata record, where there is something to say. */
  head(name?: string, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
    const bytes = new Bytes().raw(MAGIC).record(OP.header, (r) => r.text('').text(LIBRARY));
    if (name !== undefined) {
      const start = bytes.at;
      bytes.record(OP.metadata, (r) => r.text(name).map(metadata));
      this.#metadata = { name, start, length: bytes.at - start };
    }
    return this.#given(bytes.done());
  }

  /** Says that this chunk's bytes come next in the file. */
  append(sealed: Sealed): void {
    const { bytes, ...chunk } = sealed;
    const record = 49 + chunk.records;
    this.#placed.push({ start: this.position, chunk, record, length: bytes.length - record });
    for (const { id, count } of chunk.indexes) {
      const before = this.#counts.get(id);
      this.#counts.set(id, (before ?? 0) + count);
      if (before !== undefined) continue;
      const { schemaId, schemaRecord, channelRecord } = this.#channels.get(id);
      this.#tail += channelRecord.length + 10;
      if (schemaId !== 0 && !this.#schemas.has(schemaId)) {
        this.#schemas.add(schemaId);
        this.#tail += schemaRecord.length;
      }
    }
    this.#messages += chunk.messages;
    this.#first = Math.min(this.#first, chunk.first);
    this.#last = Math.max(this.#last, chunk.last);
    this.#tail += 73 + 10 * chunk.indexes.length;
    this.#given(bytes);
  }

  #given(bytes: Uint8Array): Uint8Array {
    this.#crc = crc32(bytes, this.#crc);
    this.position += bytes.length;
    return bytes;
  }

  /** The end of the data, the summary, its offsets and the footer. Nothing may follow. */
  end(): Uint8Array {
    const dataEnd = new Bytes().record(OP.dataEnd, (r) => r.u32(this.#crc)).done();
    const summaryStart = this.position + dataEnd.length;
    const summary = new Bytes(this.#tail);
    const groups: { readonly opcode: number; readonly start: number; readonly length: number }[] = [];
    const group = (opcode: number, write: () => void) => {
      const start = summary.at;
      write();
      if (summary.at > start) groups.push({ opcode, start: summaryStart + start, length: summary.at - start });
    };
    const channels = [...this.#counts.keys()].map((id) => this.#channels.get(id));
    group(OP.schema, () => {
      const seen = new Set<number>();
      for (const { schemaId, schemaRecord } of channels) {
        if (!seen.has(schemaId)) summary.raw(schemaRecord);
        seen.add(schemaId);
      }
    });
    group(OP.channel, () => {
      for (const { channelRecord } of channels) summary.raw(channelRecord);
    });
    group(OP.statistics, () => this.#statistics(summary));
    group(OP.metadataIndex, () => {
      const kept = this.#metadata;
      if (kept) summary.record(OP.metadataIndex, (r) => r.u64(kept.start).u64(kept.length).text(kept.name));
    });
    group(OP.chunkIndex, () => {
      for (const placed of this.#placed) chunkIndex(summary, placed);
    });
    const offsetStart = summaryStart + summary.at;
    for (const { opcode, start, length } of groups) {
      summary.record(OP.summaryOffset, (r) => r.u8(opcode).u64(start).u64(length));
    }
    // The checksum runs up to itself: the footer's record head and both offsets are in it.
    summary.u8(OP.footer).u64(20).u64(summaryStart).u64(offsetStart);
    summary.u32(crc32(summary.done())).raw(MAGIC);
    const bytes = new Bytes(dataEnd.length + summary.at).raw(dataEnd).raw(summary.done()).done();
    this.position += bytes.length;
    return bytes;
  }

  #statistics(summary: Bytes): void {
    const some = this.#messages > 0;
    summary.record(OP.statistics, (r) => {
      r.u64(this.#messages).u16(this.#schemas.size).u32(this.#counts.size).u32(0);
      r.u32(this.#metadata ? 1 : 0).u32(this.#placed.length);
      r.time(some ? this.#first : 0).time(some ? this.#last : 0);
      r.u32(10 * this.#counts.size);
      for (const [id, count] of this.#counts) r.u16(id).u64(count);
    });
  }
}

function chunkIndex(summary: Bytes, { start, chunk, record, length }: Placed): void {
  summary.record(OP.chunkIndex, (r) => {
    r.time(chunk.first).time(chunk.last).u64(start).u64(record);
    r.u32(10 * chunk.indexes.length);
    for (const { id, at } of chunk.indexes) r.u16(id).u64(start + at);
    r.u64(length).text('').u64(chunk.records).u64(chunk.records);
  });
}

/** Takes the bytes of a file in order; they are valid only during the call. */
export type Take = (bytes: Uint8Array) => void;

export interface McapWriter {
  /** Gives a channel its id. */
  channel(channel: Channel): number;
  /** One message; `t` in microseconds since 1970. Where the chunk has become full it is closed and given out. */
  write(id: number, sequence: number, t: number, data: Uint8Array): void;
  /** Closes the open chunk, however small. */
  flush(): void;
  /** The last chunk and the summary: the file is whole. */
  end(): void;
}

/** One MCAP file from first to last byte, uncompressed, chunks of about `chunkBytes`, every checksum set. */
export function mcapWriter(options: { readonly take: Take; readonly chunkBytes?: number }): McapWriter {
  const { take, chunkBytes = 1 << 20 } = options;
  const channels = new Channels();
  const builder = new ChunkBuilder(channels, chunkBytes);
  const file = new McapFile(channels);
  take(file.head());
  const flush = () => {
    const sealed = builder.seal();
    if (!sealed) return;
    file.append(sealed);
    take(sealed.bytes);
    builder.recycle(sealed);
  };
  return {
    channel: (channel) => channels.add(channel),
    write(id, sequence, t, data) {
      builder.add(id, sequence, t, data);
      if (builder.held >= chunkBytes) flush();
    },
    flush,
    end() {
      flush();
      take(file.end());
    },
  };
}
