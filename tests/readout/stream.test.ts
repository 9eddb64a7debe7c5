import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { Subject } from 'rxjs';
import { expect, onTestFinished, test } from 'vitest';
import { adcWord, eventBytes } from '../../protocols/easiroc-words.ts';
import { Fault } from '../../protocols/protocol.ts';
import { type ReadoutTell, readout } from '../../protocols/readout.ts';
import { realClock, virtualClock } from '../../src/clock.ts';
import { FLAG } from '../../src/derive/hits.ts';
import { type Arrival, wrapped } from '../../src/link.ts';
import { simulatedLink } from '../../src/links/simulated.ts';
import { hitBytes, hitsOf } from '../../src/readout/hit-bytes.ts';
import { localStream } from '../../src/readout/local-stream.ts';
import { type ReaderPlan, reader } from '../../src/readout/reader.ts';
import { streamLink, streamsEnded } from '../../src/readout/stream-link.ts';
import { readSession } from '../../src/recorder/session-read.ts';
import { until } from '../bench-top.ts';

const plan: ReaderPlan = {
  source: { format: 'easiroc', form: 'packed' },
  channels: 64,
  spectra: { charge: { low: 0, high: 4096, bins: 64 }, shape: { low: 0, high: 1, bins: 10 } },
  record: { raw: true, hits: true },
};
const event = (charge: number): Uint8Array =>
  eventBytes(
    Array.from({ length: 64 }, (_, c) => adcWord('high', c, charge + c)),
    'packed',
  );
const { tells, asks } = readout({});
const valuesOf = (bytes: Uint8Array): Readonly<Record<string, unknown>> => {
  const [m] = tells.decoder()(bytes) as readonly (ReadoutTell | Fault)[];
  if (m instanceof Fault || m?.say !== 'values') throw new Error('no values');
  return m.values;
};

test('bytes become counts, rates and spectra, in any split', () => {
  const whole = Uint8Array.from([...event(100), ...event(200), ...event(300)]);
  const looks = [1, 7, whole.length].map((step) => {
    const made = reader({ plan, begin: 0, crc32 });
    if (typeof made === 'string') throw new Error(made);
    for (let at = 0; at < whole.length; at += step) made.take(whole.subarray(at, at + step), 1000);
    return made.look(2e6);
  });
  expect(looks[0]).toMatchObject({ frames: 3, hits: 192, frame_rate: 1.5, missing: 0, junk: 0 });
  expect(looks[0]?.mean_charge).toHaveLength(64);
  // numpy: std([105, 205, 305], ddof=1) / sqrt(3)
  expect(Object(looks[0]?.mean_charge)[5]).toEqual({
    quality: 'good',
    value: 205,
    sigma: { random: expect.closeTo(57.735026918962575, 12) },
  });
  expect(looks[0]?.charge).toMatchObject({ shape: [64, 64] });
  expect(looks[1]).toEqual(looks[0]);
  expect(looks[2]).toEqual(looks[0]);
});

test('a plan that is none is a sentence', () => {
  const of = (change: object): Reader => reader({ plan: { ...plan, ...change }, begin: 0, crc32 });
  type Reader = ReturnType<typeof reader>;
  expect(of({ source: { format: 'morse' } })).toMatch(/no format "morse".*easiroc/);
  expect(of({ channels: 0 })).toMatch(/channels/);
});

test('a block of hits comes back from its bytes bit by bit, and what is none is said', () => {
  const blocks: Uint8Array[] = [];
  const made = reader({ plan, begin: 0, crc32, hits: (block) => blocks.push(hitBytes(block)) });
  if (typeof made === 'string') throw new Error(made);
  made.take(event(4000), 5);
  made.look(1);
  const [bytes = new Uint8Array()] = blocks;
  const back = hitsOf(bytes);
  if (typeof back === 'string') throw new Error(back);
  expect(back.count).toBe(64);
  expect([back.charge[3], back.channel[3], (back.flags[3] ?? 0) & FLAG.untimed]).toEqual([4003, 3, FLAG.untimed]);
  expect(hitBytes(back)).toEqual(bytes);
  expect(hitsOf(bytes.slice(0, -1))).toMatch(/64 hits has \d+ bytes/);
  expect(hitsOf(new Uint8Array(3))).toMatch(/no block/);
});

test('in one process, on virtual time: once a second values, and spectra begin anew when asked', () => {
  const clock = virtualClock();
  const link = localStream(simulatedLink([], clock, { framing: 'stream' }), plan, clock);
  const said: Uint8Array[] = [];
  link.arrivals.subscribe(({ bytes }) => said.push(bytes));
  clock.advance(3.5);
  expect(said.length).toBe(3);
  expect(valuesOf(said[0] ?? new Uint8Array())).toMatchObject({ frames: 0, hits: 0 });
  expect(link.write(asks.encode({ do: 'clear', n: 4 }))).toBe(true);
  clock.advance(0.1);
  expect(tells.decoder()(said[3] ?? new Uint8Array())).toEqual([{ say: 'cleared', n: 4 }]);
  link.close();
});

test('in one process: bytes and hits of the plan are handed on for the session, each with its part', () => {
  const clock = virtualClock();
  const arrivals = new Subject<Arrival>();
  const inner = wrapped(simulatedLink([], clock, { framing: 'stream' }), { arrivals });
  const put = (record: ReaderPlan['record']) => {
    const kept: { part: string; t: number; bytes: Uint8Array }[] = [];
    const link = localStream(inner, { ...plan, record }, clock, (part, t, bytes) => kept.push({ part, t, bytes }));
    const said: Uint8Array[] = [];
    link.arrivals.subscribe(({ bytes }) => said.push(bytes));
    const bytes = event(100);
    arrivals.next({ bytes, t: 5, mono: 0 });
    bytes.fill(0); // whoever made them fills them again
    clock.advance(1.5);
    return { kept, recorded: valuesOf(said[0] ?? new Uint8Array()).recorded };
  };
  const { kept, recorded } = put({ raw: true, hits: true });
  expect(kept.map(({ part, t }) => [part, t])).toEqual([
    ['stream', 5],
    ['hits', 5],
  ]);
  expect(kept[0]?.bytes).toEqual(event(100));
  const block = hitsOf(kept[1]?.bytes ?? new Uint8Array());
  expect(typeof block === 'string' ? block : [block.count, block.charge[7]]).toEqual([64, 107]);
  expect(recorded).toBe(kept.reduce((n, { bytes }) => n + bytes.length, 0));
  expect(put({ raw: false, hits: true }).kept.map(({ part }) => part)).toEqual(['hits']);
  expect(put({ raw: false, hits: false })).toEqual({ kept: [], recorded: 0 });
});

test('in a process of its own: socket, values, parts of the session; a lost connection is told and made again', async () => {
  const clock = realClock();
  const folder = mkdtempSync(join(tmpdir(), 'bridgman-stream-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const clients: Socket[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    clients.push(socket);
    socket.write(Uint8Array.of(1, 2, 3)); // junk from before the run
    for (let i = 0; i < 100; i++) socket.write(event(i));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it listens on TCP');
  const told: string[] = [];
  const link = streamLink(
    {
      name: 'tcp:127.0.0.1:24',
      host: '127.0.0.1',
      port: address.port,
      plan,
      session: { folder, rawOrder: [] },
      told: (text) => told.push(text),
    },
    clock,
  );
  onTestFinished(() => link.close());
  const said: Readonly<Record<string, unknown>>[] = [];
  link.arrivals.subscribe(({ bytes }) => said.push(valuesOf(bytes)));
  const frames = (n: number) => (): boolean => said.some((v) => v.frames === n);
  expect(await until(clock, 20, frames(100)), told.join('\n')).toBe(true);
  expect(said.at(-1)).toMatchObject({ hits: 6400, junk: 3, unrecorded: 0 });
  clients[0]?.destroy();
  expect(await until(clock, 20, frames(200)), told.join('\n')).toBe(true);
  expect(told.some((text) => text.includes('connected'))).toBe(true);
  link.close();
  await streamsEnded(clock, 20);

  expect(readdirSync(folder).sort()).toEqual(['raw-tcp-127-0-0-1-24-hits-0001.mcap', 'raw-tcp-127-0-0-1-24-stream-0001.mcap']);
  let bytes = 0;
  let count = 0;
  for await (const { topic, bytes: m } of readSession(folder, {
    raw: ['raw-tcp-127-0-0-1-24-hits', 'raw-tcp-127-0-0-1-24-stream'],
  })) {
    if (topic === 'tcp:127.0.0.1:24 stream') bytes += m.length;
    else {
      const block = hitsOf(m);
      if (typeof block === 'string') throw new Error(block);
      count += block.count;
    }
  }
  expect(bytes).toBe(2 * (3 + 100 * event(0).length));
  expect(count).toBe(12_800);
});
