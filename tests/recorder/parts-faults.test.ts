import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chunksFrom, listParts } from '../../src/recorder/session-read.ts';
import { bench, number, upTo } from './parts-bench.ts';
import type { Call } from './parts-disk.ts';

describe('on a bad disk', () => {
  /** Lets the nth call of a kind fail. */
  const nth = (b: ReturnType<typeof bench>, call: Call, n: number, fate: string | number) => {
    let seen = 0;
    b.disk.fate = (one, name) => (one === call && name.endsWith('.mcap') && ++seen === n ? fate : undefined);
  };

  test('a short write is written on', async () => {
    const b = bench();
    b.disk.fate = (call, _name, bytes) => (call === 'write' ? Math.ceil(bytes / 3) : undefined);
    for (let i = 0; i < 10; i++) b.say();
    await b.writer.close();
    expect(await b.read()).toMatchObject({ slow: upTo(10), troubles: [] });
    expect(b.states).toEqual([]);
  });

  test('a disk that takes nothing, without an error, counts as full', async () => {
    const b = bench();
    nth(b, 'write', 2, 0);
    b.say();
    await b.pass(200);
    expect(b.told('failing')).toMatchObject([{ klass: 'slow', code: 'ENOSPC' }]);
    await b.pass(1000);
    expect((await b.read()).slow).toEqual([0]);
  });

  test.each([false, true])(
    'a failed fdatasync ends the part; what was not confirmed is in the next, once (truncation fails: %s)',
    async (stuck) => {
      const b = bench();
      for (let i = 0; i < 5; i++) {
        b.say();
        await b.pass(200);
      }
      let failed = false;
      b.disk.fate = (call, name) => {
        if (call === 'datasync' && !failed) {
          failed = true;
          return 'EIO';
        }
        return stuck && call === 'truncate' && name === 'slow-0001.mcap' ? 'EIO' : undefined;
      };
      const sure = b.confirmed.at(-1);
      b.say();
      await b.pass(200);
      b.say();
      await b.pass(200);
      expect(b.confirmed.at(-2)).toMatchObject({ part: 'slow-0002' });
      expect(b.states.map(({ kind }) => kind)).toEqual(['failing', 'recovered']);
      await b.writer.close();
      const got = await b.read();
      expect(got.slow).toEqual(upTo(7));
      const parts = await b.disk.laid((folder) => listParts(folder));
      expect(parts).toMatchObject([{ name: 'slow-0001', until: sure?.offset }, { name: 'slow-0002' }]);
      expect((parts[0]?.bytes ?? 0) > (sure?.offset ?? 0)).toBe(stuck); // what the reader must not take a second time
    },
  );

  test('any faults whatever: nothing confirmed is lost, nothing is doubled, and all is there once the disk is well', async () => {
    const fault = fc.record({ after: fc.nat(40), code: fc.constantFrom('ENOSPC', 'EIO', 'short'), times: fc.integer({ min: 1, max: 4 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(fault, { maxLength: 5 }), fc.integer({ min: 2000, max: 20_000 }), async (faults, partBytes) => {
        const b = bench({ slowChunk: 200, rawChunk: 400, partBytes });
        let calls = 0;
        b.disk.fate = (call, _name, bytes) => {
          calls++;
          const hit = faults.find(({ after, times }, k) => calls > after + 30 * k && calls <= after + 30 * k + times);
          if (!hit) return undefined;
          if (hit.code !== 'short') return hit.code;
          return call === 'write' ? Math.ceil(bytes / 2) : undefined;
        };
        for (let i = 0; i < 60; i++) {
          b.say(i % 4 === 0 ? 'raw-a' : 'slow');
          if (i % 3 === 0) await b.pass(200);
          if (i % 20 === 0) {
            const place = b.confirmed.at(-1);
            const { slow } = await b.read();
            expect(new Set(slow).size).toBe(slow.length);
            const sure = await b.disk.laid(async (folder) => {
              const got: number[] = [];
              if (place)
                for await (const { messages } of chunksFrom(folder, undefined, { until: place })) got.push(...messages.map(number));
              return got;
            }, true);
            const all = upTo(i + 1).filter((n) => n % 4 !== 0);
            expect(sure).toEqual(all.slice(0, sure.length));
            expect(slow.slice(0, sure.length)).toEqual(sure);
          }
        }
        for (let i = 0; i < 30; i++) await b.pass(10_000);
        await b.writer.close();
        const got = await b.read();
        expect(got.slow).toEqual(upTo(60).filter((n) => n % 4 !== 0));
        expect(got.raw).toEqual(upTo(60).filter((n) => n % 4 === 0 && !b.refused.has(n)));
        expect(b.writer.stats().dropped.reduce((n, { messages }) => n + messages, 0)).toBe(b.refused.size);
        // a last part whose summary met the fault stays cut, behind its data
        expect(got.troubles.filter(({ kind }) => kind !== 'cut')).toEqual([]);
      }),
      { numRuns: 25 },
    );
  });

  test('a full disk leaves no trail of empty parts', async () => {
    const b = bench();
    b.say();
    await b.pass(200);
    b.disk.capacity = b.disk.used + 300; // room for a head, not for a chunk
    b.say('slow', 1000);
    for (let i = 0; i < 20; i++) await b.pass(10_000);
    expect(b.disk.files.size).toBe(1);
    b.disk.capacity = Number.POSITIVE_INFINITY;
    await b.pass(10_000);
    expect([...b.disk.files.keys()]).toEqual(['slow-0001.mcap', 'slow-0002.mcap']);
    expect((await b.read()).slow).toEqual([0, 1]);
    expect(b.states.map(({ kind }) => kind)).toEqual(['failing', 'reserve', 'recovered', 'reserved']);
  });

  test('full once more before the reserve could be made again: it is said again, for who has been allowed to go on', async () => {
    const b = bench({ reserve: 0, rawFree: 1e9 }); // there is never room enough for the reserve
    b.say();
    await b.pass(200);
    for (let times = 1; times <= 3; times++) {
      b.disk.capacity = b.disk.used + 300;
      b.say('slow', 1000);
      for (let i = 0; i < 20; i++) await b.pass(1000);
      expect(b.told('reserve').length, `full for the ${times}. time`).toBe(times);
      b.disk.capacity = b.disk.used + 20_000;
      for (let i = 0; i < 20; i++) await b.pass(1000);
      expect(b.told('recovered').length).toBe(times);
    }
    expect(b.told('reserved')).toEqual([]);
  });

  test('retries grow to ten seconds', async () => {
    const b = bench();
    b.disk.fate = (call) => (call === 'create' ? 'EROFS' : undefined);
    b.say();
    const tries = () => b.disk.calls.filter((call) => call.startsWith('create')).length;
    for (let i = 0; i < 600; i++) await b.pass(100);
    expect(tries()).toBe(11); // at 0.2, 0.2, 0.7, 1.7, 3.7, 7.7, 15.7, 25.7, 35.7, 45.7, 55.7
    expect(b.told('failing')).toHaveLength(1);
  });

  test('a hung disk: the queue is bounded, raw data goes first in the order given, slow data last, and all is told and counted', async () => {
    const b = bench({ slowQueue: 20_000, rawQueue: 40_000, rawChunk: 4000, slowChunk: 2000 }, ['raw-camera', 'raw-detector']);
    let answer = () => {};
    const hang = new Promise<void>((resolve) => {
      answer = resolve;
    });
    b.disk.fate = (call) => (call === 'datasync' ? hang : undefined);
    let most = 0;
    const links = ['raw-detector', 'raw-serial', 'raw-camera'] as const;
    for (let i = 0; i < 300; i++) {
      for (const link of links) b.say(link, 300);
      b.say('slow', 100);
      await b.tickOnly(50);
      const { held } = b.writer.stats();
      most = Math.max(most, held.raw);
      expect(held.slow).toBeLessThanOrEqual(20_000);
    }
    expect(most).toBeLessThanOrEqual(40_000);
    expect(b.told('hung')).toHaveLength(1);
    expect(b.told('stopped').map((state) => 'klass' in state && state.klass)).toEqual(['raw-camera', 'raw-detector', 'slow', 'raw-serial']);
    answer();
    b.disk.fate = () => undefined;
    await b.pass(200);
    await b.pass(200);
    expect(b.told('back')).toHaveLength(1);
    expect(b.told('resumed')).toHaveLength(4);
    const gaps = b.told('resumed').flatMap((state) => ('gap' in state ? [state.gap] : []));
    expect(gaps.every(({ messages, bytes, from, to, cause }) => messages > 0 && bytes > 0 && from < to && cause === 'queue')).toBe(true);
    for (const link of links) b.say(link, 300);
    b.say('slow', 100);
    await b.writer.close();
    const { all } = await b.read();
    const { dropped, written } = b.writer.stats();
    expect(dropped.reduce((n, { messages }) => n + messages, 0) + written.messages).toBe(301 * 4);
    expect(all).toHaveLength(written.messages);
    for (const { klass, messages } of dropped) {
      const gap = gaps.find((one) => one.klass === klass);
      expect(gap).toMatchObject({ messages });
      const own = all.filter(({ series }) => series === klass);
      // what is lost is one piece: it shows in the numbers of the messages, and lies where the gap says
      const jump = own.findIndex(({ sequence }, i) => sequence !== i);
      expect(own[jump]?.sequence).toBe(jump + messages);
      expect(own.slice(jump).map(({ sequence }) => sequence)).toEqual(own.slice(jump).map((_, i) => jump + messages + i));
      expect(own[jump - 1]?.t ?? 0).toBeLessThan(gap?.from ?? 0);
      expect(own[jump]?.t).toBeGreaterThan(gap?.to ?? 0);
    }
  });

  test.each([
    { others: 11, least: 5, most: 7 },
    { others: 31, least: 8, most: 8 },
  ])('what must make room for $others messages loses its newest data, never what is being written', async ({ others, least, most }) => {
    const b = bench({ rawQueue: 20_000, rawChunk: 1000 }, ['raw-camera', 'raw-detector']);
    let answer = () => {};
    const hang = new Promise<void>((resolve) => {
      answer = resolve;
    });
    b.say('raw-camera', 1000);
    await b.pass(200); // the part is open
    for (let i = 1; i < 5; i++) b.say('raw-camera', 1000);
    b.disk.fate = (call) => (call === 'datasync' ? hang : undefined);
    await b.tickOnly(200); // these four are being written
    for (let i = 5; i < 13; i++) b.say('raw-camera', 1000);
    for (let i = 0; i < others; i++) b.say('raw-detector', 1000);
    expect(b.told('stopped')[0]).toMatchObject({ klass: 'raw-camera', cause: 'queue' });
    answer();
    await b.pass(200);
    await b.writer.close();
    const { all } = await b.read();
    const camera = all.filter(({ series }) => series === 'raw-camera').map(number);
    const lost = b.writer.stats().dropped.find(({ klass }) => klass === 'raw-camera')?.messages ?? 0;
    expect(camera).toEqual(upTo(13 - lost));
    expect(lost).toBeGreaterThanOrEqual(least);
    expect(lost).toBeLessThanOrEqual(most);
    expect(b.writer.stats().held).toEqual({ slow: 0, raw: 0 });
  });

  test('a close on a disk that stays full ends, and counts what it could not keep', async () => {
    const b = bench();
    b.say();
    await b.pass(200);
    b.disk.capacity = b.disk.used;
    b.say();
    await b.writer.close();
    expect(b.writer.stats().dropped).toEqual([{ klass: 'slow', cause: 'closed', messages: 1, bytes: 20 }]);
    expect(b.states.at(-1)).toMatchObject({ kind: 'resumed', gap: { cause: 'closed', messages: 1 } });
    expect((await b.read()).slow).toEqual([0]);
  });

  test('a folder that was moved away is made again, and the numbers go on', async () => {
    const b = bench();
    b.say();
    await b.pass(200);
    b.disk.fate = (call) =>
      call === 'write' || (call === 'create' && !b.disk.calls.includes('makeFolder session', 3)) ? 'ENOENT' : undefined;
    b.say();
    await b.pass(200);
    b.disk.fate = () => undefined;
    await b.pass(1000);
    expect(b.disk.calls.filter((call) => call === 'makeFolder session').length).toBeGreaterThan(1);
    expect(b.confirmed.at(-1)).toMatchObject({ part: 'slow-0002' });
    expect((await b.read()).slow).toEqual([0, 1]);
  });
});
