import { crc32 } from 'node:zlib';
import { McapWriter } from '@mcap/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mcapWriter } from '../../src/recorder/mcap-file.ts';
import { microseconds } from '../../src/recorder/mcap-read.ts';
import { Channels, ChunkBuilder, McapError, nanoseconds } from '../../src/recorder/mcap-write.ts';
import { bare, found, indexed, messagesIn, START, streamed, type Wanted, wanted, written } from './mcap-session.ts';

const byTime = (messages: readonly Wanted[]) => messages.toSorted((a, b) => a.t - b.t).map(bare);

async function foreign(messages: readonly Wanted[], options: { useChunks?: boolean; chunkSize?: number } = {}): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let at = 0;
  const writable = {
    async write(bytes: Uint8Array) {
      pieces.push(bytes.slice());
      at += bytes.length;
    },
    position: () => BigInt(at),
  };
  const writer = new McapWriter({ writable, chunkSize: 200, ...options });
  await writer.start();
  const schemaId = await writer.registerSchema({ name: 'foreign', encoding: 'jsonschema', data: new TextEncoder().encode('{}') });
  const ids = new Map<string, number>();
  for (const { topic, sequence, t, bytes } of messages) {
    let channelId = ids.get(topic);
    if (channelId === undefined) {
      channelId = await writer.registerChannel({ topic, schemaId, messageEncoding: 'json', metadata: new Map([['k', 'v']]) });
      ids.set(topic, channelId);
    }
    const logTime = BigInt(t) * 1000n;
    await writer.addMessage({ channelId, sequence, logTime, publishTime: logTime, data: bytes });
  }
  await writer.end();
  return new Uint8Array(Buffer.concat(pieces));
}

describe('our files, read by @mcap/core', () => {
  const messages = wanted(40);
  const file = written(messages, 7);

  test('the streaming reader finds every message, in order, checksums right', () => {
    const records = streamed(file);
    const topics = new Map(records.flatMap((r) => (r.type === 'Channel' ? [[r.id, r.topic] as const] : [])));
    const got = records.flatMap((r) => (r.type === 'Message' ? [{ ...r, topic: topics.get(r.channelId) ?? '' }] : []));
    expect(got.map(({ topic, sequence, logTime, data }) => bare({ topic, sequence, t: Number(logTime / 1000n), bytes: data }))).toEqual(
      messages.map(bare),
    );
    expect(got.every(({ logTime, publishTime }) => logTime === publishTime)).toBe(true);
    const schemas = records.flatMap((r) => (r.type === 'Schema' ? [r.name] : []));
    expect([...new Set(schemas)]).toEqual(['test.readings', 'test.orders']);
  });

  test('the indexed reader finds every message by time, and the summary is right', async () => {
    const { reader, messages: got } = await indexed(file);
    expect(got.map(bare)).toEqual(byTime(messages));
    expect(reader.statistics).toMatchObject({
      messageCount: 40n,
      schemaCount: 2,
      channelCount: 3,
      chunkCount: 6,
      attachmentCount: 0,
      metadataCount: 0,
    });
    expect(reader.statistics?.messageStartTime).toBe(BigInt(Math.min(...messages.map(({ t }) => t))) * 1000n);
    expect(reader.statistics?.messageEndTime).toBe(BigInt(Math.max(...messages.map(({ t }) => t))) * 1000n);
    expect([...(reader.statistics?.channelMessageCounts ?? [])]).toEqual([
      [0, 14n],
      [1, 13n],
      [2, 13n],
    ]);
    expect([...reader.summaryOffsetsByOpcode.keys()]).toEqual([3, 4, 11, 8]);
    for (const { groupOpcode, groupStart } of reader.summaryOffsetsByOpcode.values()) expect(file[Number(groupStart)]).toBe(groupOpcode);
    expect(reader.dataSectionCrc).toBe(crc32(file.subarray(0, Number(reader.dataEndOffset))));
    const some: number[] = [];
    for await (const { sequence } of reader.readMessages({ topics: ['orders'], startTime: BigInt(START + 9000) * 1000n }))
      some.push(sequence);
    expect(some).toEqual(byTime(messages.filter((m) => m.topic === 'orders' && m.t >= START + 9000)).map(({ sequence }) => sequence));
  });

  test('an empty file is a whole file', async () => {
    const empty = written([], 1);
    expect(streamed(empty).map(({ type }) => type)).toContain('Footer');
    expect(await found(empty)).toEqual([{ kind: 'end', at: expect.any(Number), size: empty.length, whole: true, why: '' }]);
  });

  test('any messages in any chunks come back alike from all three readers', async () => {
    const message = fc.record({
      topic: fc.constantFrom('readings', 'orders', 'bytes', 'μ – π'),
      sequence: fc.nat(0xffff_ffff),
      t: fc.oneof(fc.maxSafeNat(), fc.nat(5)),
      bytes: fc.uint8Array({ maxLength: 400 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 40 }), fc.integer({ min: 1, max: 12 }), async (messages, perChunk) => {
        const file = written(messages, perChunk);
        expect(messagesIn(await found(file)).map(bare)).toEqual(messages.map(bare));
        expect(streamed(file).filter(({ type }) => type === 'Message')).toHaveLength(messages.length);
        expect((await indexed(file)).messages.map(bare)).toEqual(byTime(messages));
      }),
      { numRuns: 60 },
    );
  });

  test('a full chunk closes by itself', () => {
    const given: number[] = [];
    const writer = mcapWriter({ take: (bytes) => given.push(bytes.length), chunkBytes: 1000 });
    const id = writer.channel({ topic: 'a', encoding: '' });
    for (let i = 0; i < 30; i++) writer.write(id, i, START + i, new Uint8Array(100));
    expect(given).toHaveLength(4); // the head, then three chunks of eight messages
    writer.write(id, 30, START + 30, new Uint8Array(1_000_000)); // larger than any chunk so far
    expect(given).toHaveLength(5);
    expect(given[4]).toBeGreaterThan(1_000_000);
  });
});

describe('files of @mcap/core, read by us', () => {
  const messages = wanted(40);

  test.each([{ name: 'in small chunks' }, { name: 'in one chunk', chunkSize: 1 << 20 }, { name: 'without chunks', useChunks: false }])(
    '$name',
    async (options) => {
      const file = await foreign(messages, options);
      const all = await found(file);
      expect(messagesIn(all).map(bare)).toEqual(messages.map(bare));
      expect(messagesIn(all)[0]).toMatchObject({ schema: 'foreign', encoding: 'json' });
      expect(all.at(-1)).toMatchObject({ kind: 'end', whole: true });
      expect(all.filter(({ kind }) => kind === 'damage')).toEqual([]);
    },
  );

  test('the channels of a damaged first chunk are taken from the summary', async () => {
    const file = await foreign(messages);
    const chunks = (await found(file)).filter((one) => one.kind === 'chunk');
    const first = chunks[0];
    file[(first?.at ?? 0) + 60] = (file[(first?.at ?? 0) + 60] ?? 0) ^ 1;
    const all = await found(file);
    expect(messagesIn(all).map(bare)).toEqual(messages.slice(first?.messages.length).map(bare));
    expect(all.filter(({ kind }) => kind === 'damage')).toHaveLength(1);
  });

  test('a compressed chunk is named, not guessed', async () => {
    const pieces: Uint8Array[] = [];
    const writable = {
      write: async (bytes: Uint8Array) => void pieces.push(bytes.slice()),
      position: () => BigInt(pieces.reduce((n, p) => n + p.length, 0)),
    };
    const writer = new McapWriter({
      writable,
      chunkSize: 100,
      compressChunk: (data) => ({ compression: 'zstd', compressedData: data.slice(0, 50) }),
    });
    await writer.start();
    const channelId = await writer.registerChannel({ topic: 'a', schemaId: 0, messageEncoding: '', metadata: new Map() });
    for (let i = 0; i < 9; i++) await writer.addMessage({ channelId, sequence: i, logTime: 1n, publishTime: 1n, data: new Uint8Array(30) });
    await writer.end();
    const all = await found(new Uint8Array(Buffer.concat(pieces)));
    expect(messagesIn(all)).toEqual([]);
    expect(all.filter(({ kind }) => kind === 'damage').length).toBeGreaterThan(3);
    expect(all.find(({ kind }) => kind === 'damage')).toMatchObject({ why: expect.stringContaining('compressed') });
  });
});

describe('times', () => {
  test('microseconds become nanoseconds and come back, exactly', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (t) => {
        const { high, low } = nanoseconds(t);
        expect((BigInt(high) << 32n) | BigInt(low)).toBe(BigInt(t) * 1000n);
        expect(microseconds(high, low)).toBe(t);
      }),
    );
  });

  test('nanoseconds that are no whole microseconds keep their fraction as far as a number can', () => {
    const ns = 1_234_567_890_123n;
    expect(microseconds(Number(ns >> 32n), Number(ns & 0xffff_ffffn))).toBeCloseTo(1_234_567_890.123, 6);
  });

  test.each([Number.NaN, -1, Number.POSITIVE_INFINITY, 2 ** 53])('%s is no time', (t) => {
    const channels = new Channels();
    const builder = new ChunkBuilder(channels);
    const id = channels.add({ topic: 'a', encoding: '' });
    expect(() => builder.add(id, 0, t, new Uint8Array())).toThrow(McapError);
    expect(builder.seal()).toBeUndefined();
  });

  test('a channel that was never added is a mistake of the program', () => {
    expect(() => new ChunkBuilder(new Channels()).add(3, 0, 1, new Uint8Array())).toThrow(
      expect.objectContaining({ code: 'MCAP_UNKNOWN_CHANNEL' }),
    );
  });
});
