/** From the host's entries to a session on a real disk and back: nothing is lost, doubled or changed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { catalogue } from '../../src/catalogue.ts';
import type { Entry } from '../../src/entry.ts';
import type { Reading, Trace } from '../../src/reading.ts';
import { catchUp, type Recorder, readingSource, recorder } from '../../src/recorder/recorder.ts';
import { readingOf, traceBytes, traceOf, write } from '../../src/recorder/session-json.ts';
import { chunksFrom, listParts, type Position, readSession, type SessionMessage } from '../../src/recorder/session-read.ts';
import type { TrendRow } from '../../src/recorder/trend.ts';
import { laboratory, rigOf } from '../laboratory.ts';
import { toyRig, toys } from '../toys.ts';
import { type Fake, fakeInflux } from './influx-fake.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bridgman-recorder-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const known = await catalogue();
const rig = { name: 'toys', text: 'rig: toys\n', files: { 'lamp.spe': Uint8Array.from([1, 2, 3]) } };
const isReading = (e: Entry): Reading[] => (e.kind === 'reading' ? [e.reading] : []);
/** The messages of an entry, kept. */
const written = (entry: Entry): readonly { bytes: Uint8Array }[] => {
  const all: { bytes: Uint8Array }[] = [];
  write(entry, (_topic, _klass, _t, bytes) => all.push({ bytes: bytes.slice() }));
  return all;
};
/** As JSON gives it back. */
const plain = (r: Reading): unknown => JSON.parse(JSON.stringify(r));

test('an exchange is written as JSON writes it', () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  const time = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constantFrom(0, 99_999_999, 1e8, 1e8 + 1, 1_767_225_600_000_000, 2 ** 53 - 1));
  const maybe = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined });
  const word = fc.string({ unit: 'binary' });
  const ends = { asked: time, sent: bytes, came: maybe(time), reply: maybe(bytes), fault: maybe(word) };
  fc.assert(
    fc.property(fc.record({ id: time, instrument: word, role: word, by: word, ...ends }), (exchanged) => {
      const hex = (some: Uint8Array | undefined) => some && Buffer.from(some).toString('hex');
      const [{ bytes: said }] = written({ kind: 'exchange', exchanged });
      const wanted = { ...exchanged, sent: hex(exchanged.sent), came: exchanged.came, reply: hex(exchanged.reply), fault: exchanged.fault };
      const order = ['id', 'instrument', 'role', 'by', 'asked', 'sent', 'came', 'reply', 'fault'];
      expect(new TextDecoder('utf-8', { ignoreBOM: true }).decode(said)).toBe(JSON.stringify(wanted, order));
    }),
    { numRuns: 500 },
  );
});

test('a reading is written as JSON writes it', () => {
  const word = fc.string({ unit: 'binary' });
  const good = fc.record({
    quality: fc.constant('good' as const),
    value: fc.oneof(fc.double(), fc.boolean(), word),
    from: word,
    kind: fc.constantFrom('V', 'flag', 'state'),
    t: fc.integer({ min: 0, max: 2 ** 52 }),
    seq: fc.nat(),
    origin: fc.constantFrom('hardware', 'simulator'),
  });
  const beside = fc.constantFrom(
    {},
    { index: 1 },
    { why: 'warm' },
    { sigma: { random: 0.1 } },
    { made: { method: 'm', parameters: '', inputs: [] } },
  );
  fc.assert(
    fc.property(good, beside, (one, more) => {
      const reading = { ...one, ...more } as Reading; // of whatever kind
      const [{ bytes }] = written({ kind: 'reading', reading });
      expect(new TextDecoder().decode(bytes)).toBe(JSON.stringify(reading));
    }),
    { numRuns: 1000 },
  );
});

/** Twenty seconds of a toy with an order and a gap. */
function entries(): Entry[] {
  const lab = laboratory(toyRig(), toys);
  lab.clock.advance(5);
  lab.host.order({ by: 'test', instrument: 'toy', command: 'level', written: '2.5 V' }, () => {});
  lab.host.order({ by: 'test', instrument: 'toy', command: 'level', written: '25 V' }, () => {});
  lab.host.note('test', 'a note: 3 µm, "quoted"\nsecond line');
  lab.host.mark('test', 'start');
  lab.clock.advance(5);
  const toy = lab.simulated.device('toy')?.state as { dead: boolean }; // the toy's own state
  toy.dead = true;
  lab.clock.advance(3);
  toy.dead = false;
  lab.clock.advance(7);
  lab.host.close(1, () => {});
  lab.clock.advance(1);
  return lab.entries;
}

async function record(all: readonly Entry[], to = folder, influx?: string): Promise<Awaited<ReturnType<Recorder['close']>>> {
  let mono = 0;
  const keeper = await recorder({
    folder: to,
    rig,
    now: () => 1_767_225_600_000_000 + mono * 1000,
    mono: () => mono,
    told: () => {},
    full: () => {},
    limits: { reserve: 0 },
    ...(influx === undefined ? {} : { influx }),
  });
  for (let i = 0; i < all.length; i += 200) {
    keeper.take(all.slice(i, i + 200));
    mono += 250; // a chunk closes
    keeper.tick();
    await turn();
  }
  return keeper.close(1);
}

async function read(from = folder): Promise<SessionMessage[]> {
  const all: SessionMessage[] = [];
  const troubles: unknown[] = [];
  for await (const m of readSession(from, { raw: true, onTrouble: (t) => troubles.push(t) })) all.push(m);
  expect(troubles).toEqual([]);
  return all;
}
const json = (all: readonly SessionMessage[], topic: string): unknown[] =>
  all.flatMap((m) => (m.topic === topic ? [JSON.parse(new TextDecoder().decode(m.bytes))] : []));

describe('a session', () => {
  test('holds every entry, in its order', async () => {
    const given = entries();
    await record(given);
    const back = await read();
    expect(json(back, 'readings')).toEqual(given.flatMap(isReading).map(plain));
    const kinds = { orders: 'order', gaps: 'gap', alarms: 'alarm', notes: 'note', marks: 'mark' } as const;
    for (const [topic, kind] of Object.entries(kinds)) {
      const wanted = given.flatMap((e) => (e.kind === kind ? [Object.values(e)[1] as unknown] : [])); // { kind, order } and so on
      expect(wanted.length, topic).toBeGreaterThan(0);
      expect(json(back, topic), topic).toEqual(JSON.parse(JSON.stringify(wanted)));
    }
    const exchanges = given.flatMap((e) => (e.kind === 'exchange' ? [e.exchanged] : []));
    expect((json(back, 'exchanges') as { id: number; sent: string }[]).map((e) => [e.id, e.sent])).toEqual(
      exchanges.map((e) => [e.id, Buffer.from(e.sent).toString('hex')]),
    );
    for (const direction of ['in', 'out']) {
      const bytes = given.flatMap((e) => (e.kind === 'bytes' && e.wire.direction === direction ? [...e.wire.bytes] : []));
      expect(back.filter((m) => m.topic === `toy ${direction}`).flatMap((m) => [...m.bytes])).toEqual(bytes);
    }
    expect(json(back, 'rig')).toMatchObject([{ name: 'toys', yaml: rig.text }]);
    expect([...(back.find((m) => m.topic === 'file lamp.spe')?.bytes ?? [])]).toEqual([1, 2, 3]);
  });

  test('the summary counts what is in it', async () => {
    const given = entries();
    const summary = await record(given);
    const readings = given.flatMap(isReading);
    for (const [name, c] of Object.entries(summary.channels)) {
      const mine = readings.filter((r) => (r.index === undefined ? r.from : `${r.from}[${r.index}]`) === name);
      expect([c.good, c.suspect, c.bad]).toEqual(['good', 'suspect', 'bad'].map((q) => mine.filter((r) => r.quality === q).length));
      expect([c.first, c.last]).toEqual([mine[0]?.t, mine.at(-1)?.t]);
      expect(Object.values(c.why).reduce((n, w) => n + w, 0)).toBe(c.bad);
      expect(summary.last[name]).toEqual(mine.at(-1));
    }
    expect(Object.values(summary.channels).reduce((n, c) => n + c.good + c.suspect + c.bad, 0)).toBe(readings.length);
    expect(summary.orders).toEqual({ done: 1, refused: 1 });
    expect(summary.alarms).toBe(given.filter((e) => e.kind === 'alarm').length);
    expect(summary.alarms).toBeGreaterThan(0);
    expect(summary.exchanges.total).toBe(given.filter((e) => e.kind === 'exchange').length);
    expect(summary.gaps.length).toBe(given.filter((e) => e.kind === 'gap' && e.gap.to !== undefined).length);
    expect(summary.lost).toEqual([]);
    const out = given.reduce((n, e) => n + (e.kind === 'bytes' && e.wire.direction === 'out' ? e.wire.bytes.length : 0), 0);
    expect(summary.bytes.wire.toy?.out).toBe(out);
  });

  test('trends: the bins of a channel hold each of its readings once', async () => {
    const given = entries();
    await record(given);
    const back = await read();
    const level = given.flatMap(isReading).filter((r) => r.from === 'toy.level');
    for (const [topic, seconds] of [
      ['trend-1s', 1],
      ['trend-60s', 60],
    ] as const) {
      const rows = json(back, topic) as TrendRow[];
      const bins = rows.flatMap((row) => (row.channels['toy.level'] ? [{ row, bin: row.channels['toy.level'] }] : []));
      expect(rows.every((row) => row.seconds === seconds && row.t % (seconds * 1e6) === 0)).toBe(true);
      expect(bins.reduce((n, { bin }) => n + bin.n + bin.bad, 0)).toBe(level.length);
      for (const { row, bin } of bins) {
        const mine = level.filter((r) => r.t >= row.t && r.t < row.t + seconds * 1e6);
        const good = mine.flatMap((r) => (r.quality === 'bad' ? [] : [Number(r.value)]));
        expect([bin.n, bin.bad]).toEqual([good.length, mine.length - good.length]);
        if (good.length > 0) expect([bin.min, bin.max]).toEqual([Math.min(...good), Math.max(...good)]);
      }
    }
  });

  test('traces come back to the last bit', async () => {
    const lab = laboratory(rigOf('princeton-spe', known), known);
    lab.clock.advance(10);
    const traces = lab.entries.flatMap(isReading).filter((r): r is Reading<'trace'> => r.kind === 'trace' && r.quality !== 'bad');
    expect(traces.length).toBeGreaterThan(0);
    await record(lab.entries);
    const back = await read();
    const got = back.filter((m) => m.series === 'raw-traces').map((m) => traceOf(m.bytes));
    expect(got).toEqual(traces);
    const slow = json(back, 'readings') as Reading[];
    expect(slow.filter((r) => r.kind === 'trace' && r.quality !== 'bad').length).toBe(traces.length);
  });

  test('numbers of every type, and those that JSON does not know', () => {
    const value: Trace = {
      columns: {
        a: { unit: 'V', data: Float64Array.from([0.1, Number.NaN, -0, Number.POSITIVE_INFINITY]) },
        b: { unit: '1', data: Uint16Array.from([0, 65535, 1]) },
        c: { unit: 'm', data: Float32Array.from([0.1]) },
        d: { unit: 's', data: new Int32Array(0) },
      },
      shape: [4],
      begin: 1,
      end: 2,
      settings: { mode: 'two\nlines', gain: 3 },
    };
    const r: Reading<'trace'> = { from: 'x.y', kind: 'trace', quality: 'suspect', why: 'µ', t: 5, seq: 0, origin: 'simulator', value };
    expect(traceOf(traceBytes(r))).toEqual(r);
    const [slow] = written({ kind: 'reading', reading: r as Reading });
    expect(slow && readingOf(slow.bytes)).toMatchObject({ quality: 'suspect', value: { columns: { a: 'V', b: '1', c: 'm', d: 's' } } });
  });

  test('a second recorder goes on in the same folder', async () => {
    const given = entries();
    const half = Math.floor(given.length / 2);
    await record(given.slice(0, half));
    await record(given.slice(half));
    const back = await read();
    expect(json(back, 'readings')).toEqual(given.flatMap(isReading).map(plain));
    expect((await listParts(folder)).filter((p) => p.series === 'slow').map((p) => p.name)).toEqual(['slow-0001', 'slow-0002']);
  });
});

describe('what InfluxDB is fed from', () => {
  const all = async (maxBytes: number, ends: readonly Position[]): Promise<Reading[]> => {
    const got: Reading[] = [];
    let at: Position = { part: '', offset: 0 };
    for (const end of ends) {
      const source = readingSource(folder, () => end);
      for (;;) {
        const more = await source.read(at, maxBytes);
        if (!more || (more.next.part === at.part && more.next.offset === at.offset)) break;
        got.push(...more.readings);
        at = more.next;
      }
    }
    return got;
  };

  test('each reading once, whatever the size of the bites and however far the writer is', async () => {
    const given = entries();
    await record(given);
    const wanted = given.flatMap(isReading).map(plain);
    const places: Position[] = [];
    for await (const chunk of chunksFrom(folder, undefined)) places.push(chunk.next);
    expect(places.length).toBeGreaterThan(5);
    const [last] = places.slice(-1);
    expect(await all(1, [last])).toEqual(wanted);
    expect(await all(1 << 30, [last])).toEqual(wanted);
    expect(await all(5000, places)).toEqual(wanted);
  });

  test('nothing before the writer has confirmed anything', async () => {
    const source = readingSource(folder, () => undefined);
    expect(await source.read({ part: '', offset: 0 }, 1e6)).toBe(undefined);
    expect(source.end()).toEqual({ part: '', offset: 0 });
  });
});

describe('the point of the session itself', () => {
  const sessionsIn = (server: Fake) => [...server.points.values()].filter((p) => p.measurement === 'sessions');
  const ended = async (session: string): Promise<number | undefined> => (await read(session)).find((m) => m.topic === 'end')?.t;
  const none: readonly Entry[] = [];

  test.each([
    ['a run', () => entries()],
    ['a run of which nothing is heard before its end', () => none],
  ])('%s: it is there, with its end', async (_, given) => {
    const server = await fakeInflux();
    try {
      const session = join(folder, 'one');
      const { points } = await record(given(), session, `${server.url}/lab`);
      expect(sessionsIn(server)).toMatchObject([{ tags: { rig: 'toys' }, fields: { session: 'one' } }]);
      expect(Number(sessionsIn(server)[0]?.fields.ended)).toBe(await ended(session));
      expect(points.spooled).toBe(0);
    } finally {
      await server.down();
    }
  });

  test('a run whose server was away to its end: the next one brings it', async () => {
    const server = await fakeInflux();
    const url = `${server.url}/lab`;
    await server.down();
    const session = join(folder, 'one');
    await record(none, session, url);
    await server.up();
    try {
      expect(sessionsIn(server)).toEqual([]);
      let over = (): void => {};
      const told = new Promise<void>((done) => (over = done));
      const running = catchUp(rig, url, join(folder, 'two'), () => over());
      await told;
      await running.stop();
      expect(Number(sessionsIn(server)[0]?.fields.ended)).toBe(await ended(session));
    } finally {
      await server.down();
    }
  });
});
