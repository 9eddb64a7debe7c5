import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mcapWriter } from '../../src/recorder/mcap-file.ts';
import { type Found, readMcap } from '../../src/recorder/mcap-recover.ts';
import { bare, found, messagesIn, START, wanted, written } from './mcap-session.ts';

const text = (of: string): Uint8Array => new TextEncoder().encode(of);

const PER_CHUNK = 4;
const messages = wanted(18);
const file = written(messages, PER_CHUNK);
const sound = await found(file);
const chunks = sound.filter((one) => one.kind === 'chunk');
const all = messages.map(bare);

test('the sound file is read whole', () => {
  expect(messagesIn(sound).map(bare)).toEqual(all);
  expect(chunks).toHaveLength(5);
  expect(sound.at(-1)).toMatchObject({ kind: 'end', whole: true, why: '' });
});

test('cut at every byte, it gives its whole chunks and nothing else', async () => {
  for (let cut = 0; cut <= file.length; cut++) {
    const got = await found(file.subarray(0, cut));
    const whole = chunks.filter(({ end }) => end <= cut).length;
    expect(messagesIn(got).map(bare), `cut at ${cut}`).toEqual(all.slice(0, PER_CHUNK * whole));
    expect(
      got.filter(({ kind }) => kind === 'damage'),
      `cut at ${cut}`,
    ).toEqual([]);
    expect(got.at(-1), `cut at ${cut}`).toMatchObject({ kind: 'end', whole: cut === file.length });
  }
});

test('a file that grows is read on from any place that was given before', async () => {
  for (let cut = 0; cut < file.length; cut += 13) {
    const first = await found(file.subarray(0, cut));
    const place = first.flatMap((one) => (one.kind === 'chunk' ? [one.next] : [])).at(-1) ?? 0;
    const then = await found(file, { from: place });
    expect([...messagesIn(first), ...messagesIn(then)].map(bare), `cut at ${cut}`).toEqual(all);
  }
});

test('up to a place and no further', async () => {
  for (const { next } of chunks) {
    const got = await found(file, { until: next });
    expect(got.filter(({ kind }) => kind === 'chunk')).toEqual(chunks.filter((chunk) => chunk.next <= next));
    expect(got.at(-1)).toMatchObject({ kind: 'end', at: next });
  }
});

describe('damage', () => {
  /** All of the messages, without those of one chunk. */
  const without = (chunk: number) => all.filter((_, i) => Math.floor(i / PER_CHUNK) !== chunk);

  test.each([0x01, 0x80, 0xff])('each byte of a chunk, changed by %i, is noticed and costs this chunk alone', async (mask) => {
    for (const [k, chunk] of chunks.entries()) {
      for (let at = chunk.at; at < chunk.end; at++) {
        const damaged = file.slice();
        damaged[at] = (damaged[at] ?? 0) ^ mask;
        const got = await found(damaged);
        expect(messagesIn(got).map(bare), `byte ${at}`).toEqual(without(k));
        expect(
          got.filter(({ kind }) => kind === 'damage'),
          `byte ${at}`,
        ).toMatchObject([{ at: chunk.at, why: expect.any(String) }]);
      }
    }
  });

  test('any byte outside of chunks, changed to a type of record, never gives a wrong message and costs one chunk at most', async () => {
    for (let at = 0; at < file.length; at++) {
      if (chunks.some((chunk) => at >= chunk.at && at < chunk.end)) continue;
      for (const value of [0x03, 0x04, 0x05, 0x06, 0x0f, 0x86]) {
        const damaged = file.slice();
        damaged[at] = value;
        const got = messagesIn(await found(damaged)).map(bare);
        const right = [all, ...chunks.map((_, k) => without(k))].some((one) => JSON.stringify(one) === JSON.stringify(got));
        if (!right) expect.fail(`byte ${at} = ${value} gives ${JSON.stringify(got)}`);
      }
    }
  });

  test.each([0x03, 0x04, 0x05])('reading on from behind a chunk, an index is not taken for a record of type %i', async (type) => {
    const early = messages.map((message, i) => ({ ...message, t: i < PER_CHUNK ? 0 : message.t })); // such indexes are mostly zeros
    const damaged = written(early, PER_CHUNK);
    const [first] = (await found(damaged)).filter((one) => one.kind === 'chunk');
    const from = first?.end ?? 0;
    damaged[from] = type;
    const got = await found(damaged, { from });
    expect(messagesIn(got).map(bare)).toEqual(all.slice(PER_CHUNK));
    expect(got.filter(({ kind }) => kind === 'damage')).toMatchObject([{ at: from }]);
  });

  test('pieces of zeros and noise never throw and never give a wrong message', async () => {
    const right = new Set(all.map((one) => JSON.stringify(one)));
    const piece = fc.record({
      at: fc.nat(file.length),
      bytes: fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        fc.nat(300).map((n) => new Uint8Array(n)),
      ),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 3 }), fc.nat(file.length), async (pieces, cut) => {
        const damaged = file.slice();
        for (const { at, bytes } of pieces) damaged.set(bytes.subarray(0, damaged.length - at), at);
        const got = await found(damaged.subarray(0, cut));
        for (const message of messagesIn(got)) expect(right).toContain(JSON.stringify(bare(message)));
        expect(got.filter(({ kind }) => kind === 'end')).toHaveLength(1);
      }),
      { numRuns: 400 },
    );
  });

  test('bytes missing from or put into the middle cost what they hit', async () => {
    const [, second, third] = chunks;
    const at = (second?.at ?? 0) + 70;
    const missing = new Uint8Array(Buffer.concat([file.subarray(0, at), file.subarray(at + 11)]));
    expect(messagesIn(await found(missing)).map(bare)).toEqual(without(1));
    const between = third?.at ?? 0;
    const more = new Uint8Array(Buffer.concat([file.subarray(0, between), new Uint8Array(5000).fill(0xee), file.subarray(between)]));
    const got = await found(more);
    expect(messagesIn(got).map(bare)).toEqual(all);
    expect(got.filter(({ kind }) => kind === 'damage')).toHaveLength(1);
  });

  test('a chunk that describes its channels anew is read by its own words, though the next says the old ones again', async () => {
    const named = (topic: string, schema: string): Uint8Array => {
      const pieces: Uint8Array[] = [];
      const writer = mcapWriter({ take: (bytes) => pieces.push(bytes.slice()) });
      writer.write(
        writer.channel({ topic, encoding: 'json', schema: { name: schema, encoding: '', data: new Uint8Array() } }),
        0,
        START,
        text('1'),
      );
      writer.end();
      return new Uint8Array(Buffer.concat(pieces));
    };
    const [one, other, renamed] = [named('a', 'first'), named('b', 'second'), named('a', 'third')];
    const data = async (bytes: Uint8Array): Promise<Uint8Array> => {
      const [chunk] = (await found(bytes)).filter(({ kind }) => kind === 'chunk');
      return chunk?.kind === 'chunk' ? bytes.subarray(chunk.at, chunk.next) : new Uint8Array();
    };
    const pieces = [await data(other), await data(one), await data(renamed), await data(one)];
    const [head] = (await found(one)).filter(({ kind }) => kind === 'chunk');
    const whole = new Uint8Array(Buffer.concat([one.subarray(0, head?.at ?? 0), await data(one), ...pieces]));
    expect(messagesIn(await found(whole)).map(({ topic, schema }) => `${topic} ${schema}`)).toEqual([
      'a first',
      'b second',
      'a first',
      'a third',
      'a first',
    ]);
  });

  test('whatever lies across the blocks that are read is whole, and hardly a byte is read twice', async () => {
    const many = Array.from({ length: 400 }, (_, i) => ({
      topic: 'bytes',
      sequence: i,
      t: START + i,
      bytes: new Uint8Array(2000 + ((i * 7919) % 30_000)).fill(i & 0xff),
    }));
    const large = written(many, 9);
    let read = 0;
    const got: Found[] = [];
    const source = {
      size: async () => large.length,
      read: async (at: number, length: number) => {
        read += length;
        return large.slice(at, at + length);
      },
    };
    for await (const one of readMcap(source)) got.push(one);
    expect(messagesIn(got).map(bare)).toEqual(many.map(bare));
    expect(got.at(-1)).toMatchObject({ kind: 'end', whole: true });
    expect(read / large.length).toBeLessThan(1.5);
  });

  test('a file inside a message is never read as messages, not even where its chunk is damaged', async () => {
    const carrier = [{ topic: 'bytes', sequence: 0, t: 5, bytes: file }, ...wanted(1)];
    const outer = written(carrier, 1);
    const [first] = (await found(outer)).filter((one) => one.kind === 'chunk');
    for (const offset of [0, 3, 20, 27, 35, 40, 43, 60, 300]) {
      const damaged = outer.slice();
      const at = (first?.at ?? 0) + offset;
      damaged[at] = (damaged[at] ?? 0) ^ 4;
      expect(messagesIn(await found(damaged)).map(bare), `byte ${offset}`).toEqual(wanted(1).map(bare));
    }
  });

  test('noise is not a file', async () => {
    const noise = Uint8Array.from({ length: 3000 }, (_, i) => (i * 7919) >> 3);
    expect(await found(noise)).toEqual([{ kind: 'end', at: 0, size: 3000, whole: false, why: 'it does not begin as an MCAP file' }]);
    expect(await found(new Uint8Array())).toMatchObject([{ kind: 'end', whole: false }]);
  });
});
