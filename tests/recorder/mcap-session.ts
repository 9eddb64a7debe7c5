/** What the tests of sessions share: a small MCAP file, bytes as a source, and @mcap/core as the reference reader. */
import { type IReadable, McapIndexedReader, McapStreamReader, type McapTypes } from '@mcap/core';
import { mcapWriter } from '../../src/recorder/mcap-file.ts';
import type { McapMessage } from '../../src/recorder/mcap-read.ts';
import { type ByteSource, type Found, readMcap } from '../../src/recorder/mcap-recover.ts';

export interface Wanted {
  readonly topic: string;
  readonly sequence: number;
  readonly t: number;
  readonly bytes: Uint8Array;
}

export const START = 1_770_000_000_000_000;

export function memory(bytes: Uint8Array): ByteSource & IReadable {
  function size(): Promise<number> & Promise<bigint>;
  function size(): Promise<unknown> {
    return Promise.resolve(bytes.length);
  }
  return { size, read: async (at: number | bigint, length: number | bigint) => bytes.subarray(Number(at), Number(at) + Number(length)) };
}

/** Three topics, chunks of a few messages each; the payloads hold what damages a careless reader: opcodes, magic, zeros. */
export function wanted(count: number): readonly Wanted[] {
  return Array.from({ length: count }, (_, i) => ({
    topic: ['readings', 'orders', 'bytes'][i % 3] ?? '',
    sequence: Math.floor(i / 3),
    t: START + i * 1000 - (i % 2) * 1500,
    bytes: Uint8Array.from({ length: (i * 7) % 23 }, (_unused, k) => [6, 5, 0, 0x89, 0x4d, 7, i & 0xff][k % 7] ?? 0),
  }));
}

export function written(messages: readonly Wanted[], perChunk: number): Uint8Array {
  const pieces: Uint8Array[] = [];
  const writer = mcapWriter({ take: (bytes) => pieces.push(bytes.slice()) });
  const ids = new Map<string, number>();
  for (const [i, { topic, sequence, t, bytes }] of messages.entries()) {
    let id = ids.get(topic);
    if (id === undefined) {
      const schema =
        topic === 'bytes' ? {} : { schema: { name: `test.${topic}`, encoding: 'jsonschema', data: new TextEncoder().encode('{}') } };
      id = writer.channel({ topic, encoding: topic === 'bytes' ? 'application/octet-stream' : 'json', ...schema });
      ids.set(topic, id);
    }
    writer.write(id, sequence, t, bytes);
    if ((i + 1) % perChunk === 0) writer.flush();
  }
  writer.end();
  return new Uint8Array(Buffer.concat(pieces));
}

export async function found(bytes: Uint8Array, options: { from?: number; until?: number } = {}): Promise<readonly Found[]> {
  const all: Found[] = [];
  const source = memory(bytes);
  for await (const one of readMcap({ size: async () => bytes.length, read: source.read }, options)) all.push(one);
  return all;
}

export const messagesIn = (all: readonly Found[]): readonly McapMessage[] =>
  all.flatMap((one) => (one.kind === 'chunk' ? one.messages : []));

export const bare = ({ topic, sequence, t, bytes }: Wanted) => ({ topic, sequence, t, bytes: Buffer.from(bytes).toString('hex') });

type Record = McapTypes.TypedMcapRecord;

/** All records, by @mcap/core's streaming reader with its checks on. */
export function streamed(bytes: Uint8Array): readonly Record[] {
  const reader = new McapStreamReader({ validateCrcs: true });
  reader.append(bytes);
  const all: Record[] = [];
  for (let record = reader.nextRecord(); record; record = reader.nextRecord()) all.push(structuredClone(record));
  if (!reader.done()) throw new Error('the file is not whole');
  return all;
}

/** All messages, by @mcap/core's indexed reader, with their topics. */
export async function indexed(bytes: Uint8Array): Promise<{ readonly reader: McapIndexedReader; readonly messages: readonly Wanted[] }> {
  const reader = await McapIndexedReader.Initialize({ readable: { size: async () => BigInt(bytes.length), read: memory(bytes).read } });
  const messages: Wanted[] = [];
  for await (const { channelId, sequence, logTime, data } of reader.readMessages({ validateCrcs: true })) {
    messages.push({ topic: reader.channelsById.get(channelId)?.topic ?? '', sequence, t: Number(logTime / 1000n), bytes: data.slice() });
  }
  return { reader, messages };
}
