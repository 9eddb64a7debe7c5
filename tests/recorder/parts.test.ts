import { describe, expect, test } from 'vitest';
import { chunksFrom } from '../../src/recorder/session-read.ts';
import { indexed, streamed } from './mcap-session.ts';
import { bench, number, upTo } from './parts-bench.ts';

describe('on a good disk', () => {
  test('a session is closed as whole MCAP files that @mcap/core reads', async () => {
    const b = bench();
    for (let i = 0; i < 30; i++) b.say(i % 3 === 0 ? 'raw-det' : 'slow');
    await b.writer.close();
    expect([...b.disk.files.keys()].sort()).toEqual(['raw-det-0001.mcap', 'slow-0001.mcap']);
    const slow = b.disk.files.get('slow-0001.mcap')?.bytes ?? new Uint8Array();
    expect(streamed(slow).filter(({ type }) => type === 'Message')).toHaveLength(20);
    const { reader, messages } = await indexed(slow);
    expect(messages.map(number)).toEqual(upTo(30).filter((i) => i % 3 !== 0));
    expect([...reader.channelsById.values()]).toMatchObject([{ topic: 'readings', messageEncoding: 'json' }]);
    expect([...reader.schemasById.values()]).toMatchObject([{ name: 'bridgman.readings', encoding: 'jsonschema' }]);
    expect(reader.metadataIndexes).toMatchObject([{ name: 'bridgman.part' }]);
    const got = await b.read();
    expect(got.all.map(number)).toEqual(upTo(30));
    expect(got.troubles).toEqual([]);
    expect(b.writer.stats()).toMatchObject({ held: { slow: 0, raw: 0 }, written: { messages: 30 }, dropped: [] });
    expect(b.states).toEqual([]);
    expect(() => b.say()).toThrow(expect.objectContaining({ code: 'SESSION_CLOSED' }));
  });

  test('a chunk closes after 200 ms, is synced, and only then confirmed; the folder is synced when a part is made', async () => {
    const b = bench();
    b.say();
    await b.pass(199);
    expect(b.disk.files.size).toBe(0);
    await b.pass(1);
    expect(b.confirmed).toEqual([{ part: 'slow-0001', offset: b.disk.files.get('slow-0001.mcap')?.durable.length }]);
    const calls = b.disk.calls.filter((call) => !/^(free|makeFolder|list)/.test(call));
    expect(calls).toEqual([
      'create slow-0001.mcap',
      'write slow-0001.mcap',
      'datasync slow-0001.mcap',
      'syncFolder session',
      'write slow-0001.mcap',
      'datasync slow-0001.mcap',
    ]);
    expect((await b.read(true)).slow).toEqual([0]);
  });

  test('what is confirmed is on the disk at every moment, and a loss of power costs no more than is not', async () => {
    const b = bench({ slowChunk: 300 });
    for (let i = 0; i < 40; i++) {
      b.say();
      if (i % 5 === 0) await b.pass(50);
      await b.writer.settled();
      const place = b.confirmed.at(-1);
      const { slow } = await b.read(true);
      expect(slow).toEqual(upTo(slow.length));
      const sure = await b.disk.laid(async (folder) => {
        const got: number[] = [];
        if (place) for await (const { messages } of chunksFrom(folder, undefined, { until: place })) got.push(...messages.map(number));
        return got;
      }, true);
      expect(sure).toEqual(slow);
    }
    expect((await b.read(true)).slow.length).toBeGreaterThan(20);
  });

  test('a part ends before it is too large, and at its age', async () => {
    const b = bench({ partBytes: 5000, partMs: 1000, slowChunk: 400 });
    for (let i = 0; i < 200; i++) {
      b.say();
      if (i % 10 === 9) await b.pass(1);
    }
    const large = [...b.disk.files.values()].map(({ bytes }) => bytes.length);
    expect(large.length).toBeGreaterThan(3);
    expect(Math.max(...large)).toBeLessThanOrEqual(5000);
    await b.pass(200);
    const last = [...b.disk.files.keys()].at(-1) ?? '';
    expect(() => streamed(b.disk.files.get(last)?.bytes ?? new Uint8Array())).toThrow('not whole');
    await b.pass(1000);
    expect(() => streamed(b.disk.files.get(last)?.bytes ?? new Uint8Array())).not.toThrow();
    const before = b.disk.files.size;
    b.say();
    await b.pass(200);
    expect(b.disk.files.size).toBe(before + 1);
    await b.writer.close();
    for (const { bytes } of b.disk.files.values()) streamed(bytes);
    expect(await b.read()).toMatchObject({ slow: upTo(201), troubles: [] });
  });

  test('one call to the disk at a time, the slow series first', async () => {
    const b = bench();
    for (let i = 0; i < 20; i++) {
      for (const link of ['raw-a', 'raw-b'] as const) b.say(link, 100_000);
      b.say();
      await b.pass(200);
    }
    expect(b.disk.most).toBe(1);
    const opened = b.disk.calls.filter((call) => call.startsWith('create'));
    expect(opened[0]).toBe('create slow-0001.mcap');
  });

  test('a second process goes on in the same folder, with parts of its own', async () => {
    const b = bench();
    b.say();
    await b.pass(200);
    b.again(); // the first one was killed
    b.say();
    await b.writer.close();
    expect([...b.disk.files.keys()]).toEqual(['slow-0001.mcap', 'slow-0002.mcap']);
    expect(await b.read()).toMatchObject({ slow: [0, 1], troubles: [{ kind: 'cut', part: 'slow-0001', bytes: 0 }] });
  });

  test('the name of a link is made safe', async () => {
    const b = bench();
    b.say('raw-us/α spectrometer');
    await b.writer.close();
    expect([...b.disk.files.keys()]).toEqual(['raw-us%2F%CE%B1%20spectrometer-0001.mcap']);
    expect((await b.read()).raw).toEqual([0]);
  });
});

describe('room', () => {
  const kB = 1000;

  test('raw streams stop in the order of the rig, and go on with room', async () => {
    const b = bench({ rawFree: 900 * kB }, ['raw-camera', 'raw-detector']);
    b.disk.capacity = 2000 * kB;
    const recorded = async () => {
      const before = b.writer.stats().dropped.reduce((n, { messages }) => n + messages, 0);
      for (const link of ['raw-serial', 'raw-detector', 'raw-camera', 'slow'] as const) b.say(link);
      await b.pass(1000);
      const stopped = b.writer.stats().stopped.map(({ klass }) => klass);
      expect(b.writer.stats().dropped.reduce((n, { messages }) => n + messages, 0) - before).toBeLessThanOrEqual(3);
      return stopped;
    };
    const foreign = new Uint8Array(2000 * kB);
    const fill = (free: number) =>
      b.disk.files.set('other', {
        bytes: foreign.subarray(0, 2000 * kB - free - (b.disk.used - (b.disk.files.get('other')?.bytes.length ?? 0))),
        durable: foreign,
      });
    await recorded();
    expect(await recorded()).toEqual([]);
    fill(880 * kB);
    await recorded();
    expect(await recorded()).toEqual(['raw-camera']);
    fill(580 * kB);
    await recorded();
    expect(new Set(await recorded())).toEqual(new Set(['raw-camera', 'raw-detector']));
    fill(280 * kB);
    await recorded();
    expect(await recorded()).toHaveLength(3);
    fill(620 * kB); // a tenth more than the limit is needed to go on
    await recorded();
    expect(new Set(await recorded())).toEqual(new Set(['raw-camera', 'raw-detector']));
    fill(1500 * kB);
    await recorded();
    expect(await recorded()).toEqual([]);
    expect(b.told('stopped').every((state) => 'cause' in state && state.cause === 'space')).toBe(true);
    b.disk.files.delete('other');
    await b.writer.close();
    const { slow } = await b.read();
    expect(slow).toHaveLength(12);
  });

  test('a full disk: the slow parts live on their reserve, hazardous outputs are to go safe, and it heals by itself', async () => {
    const b = bench({ reserve: 50 * kB, rawFree: 10 * kB, slowChunk: 1000 });
    b.disk.capacity = 4_000_000;
    b.say();
    b.say('raw-a');
    await b.pass(1000);
    await b.pass(1000);
    expect(b.writer.stats().reserve).toBe(50 * kB);
    expect(b.disk.files.get('reserve')?.durable).toHaveLength(50 * kB);
    b.disk.capacity = b.disk.used + 100;
    b.say('raw-a');
    for (let i = 0; i < 20; i++) {
      b.say('slow', 500);
      b.say('raw-a', 500);
      await b.pass(1000);
    }
    expect(b.told('reserve')).toHaveLength(1);
    expect(b.disk.files.has('reserve')).toBe(false);
    expect(b.told('stopped')).toMatchObject([{ klass: 'raw-a', cause: 'space' }]);
    expect((await b.read(true)).slow).toHaveLength(21); // no slow message waits
    for (let i = 0; i < 200; i++) {
      b.say('slow', 500);
      await b.pass(1000);
    }
    expect(b.writer.stats().failing).toEqual(['slow']); // the reserve is used up as well
    b.disk.capacity = 8_000_000;
    for (let i = 0; i < 20; i++) await b.pass(1000);
    b.say('raw-a');
    await b.pass(1000);
    expect(b.told('reserved')).toHaveLength(1);
    expect(b.told('resumed')).toMatchObject([{ klass: 'raw-a', gap: { cause: 'space' } }]);
    expect(b.disk.files.get('reserve')?.durable).toHaveLength(50 * kB);
    await b.writer.close();
    expect(b.disk.files.has('reserve')).toBe(false);
    const { slow, troubles } = await b.read();
    expect(slow).toHaveLength(221);
    expect(troubles).toEqual([]);
    expect(b.writer.stats().dropped.map(({ klass }) => klass)).toEqual(['raw-a']);
  });
});
