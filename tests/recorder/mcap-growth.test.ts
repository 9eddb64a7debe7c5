/** Bytes that outgrow the room they began with are right, and a file of many channels ends whole. */
import { describe, expect, test } from 'vitest';
import { mcapWriter } from '../../src/recorder/mcap-file.ts';
import { readMcap } from '../../src/recorder/mcap-recover.ts';
import { Bytes } from '../../src/recorder/mcap-write.ts';

describe('bytes of unknown length', () => {
  test.each([1, 2, 3, 4, 5, 7])('begun with room for %i', (size) => {
    const bytes = new Bytes(size).u8(1).u16(0x0203).u32(0x04050607).u8(8).u64(0x0a0b0c0d).raw(Uint8Array.of(9)).u16(0x0e0f);
    expect([...bytes.done()]).toEqual([1, 3, 2, 7, 6, 5, 4, 8, 0x0d, 0x0c, 0x0b, 0x0a, 0, 0, 0, 0, 9, 0x0f, 0x0e]);
  });
});

test.each([1, 22, 23, 24, 100, 1000])('a file of %i channels is whole', async (count) => {
  const parts: Uint8Array[] = [];
  const writer = mcapWriter({ take: (bytes) => parts.push(bytes.slice()), chunkBytes: 500 });
  for (let i = 0; i < count; i++) {
    const id = writer.channel({ topic: `folder:/data in spectrum-${i}.spe`, encoding: 'application/octet-stream' });
    writer.write(id, i, 1.7e15 + i, Uint8Array.of(i & 0xff));
  }
  writer.end();
  const file = Buffer.concat(parts);
  let messages = 0;
  const source = { size: async () => file.length, read: async (at: number, length: number) => file.subarray(at, at + length) };
  for await (const found of readMcap(source)) {
    if (found.kind === 'chunk') messages += found.messages.length;
    else expect(found).toMatchObject({ kind: 'end', whole: true });
  }
  expect(messages).toBe(count);
});
