import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseLine } from '../../bench/line-parse.ts';
import type { Reading } from '../../src/reading.ts';
import { InfluxError, influxSink, type Rejected, type Sink, type SinkOptions } from '../../src/recorder/influx.ts';
import { type After, influxTarget } from '../../src/recorder/influx-http.ts';
import { type Lines, lineWriter } from '../../src/recorder/line.ts';
import { type Fake, fakeInflux, key } from './influx-fake.ts';

let fake: Fake;
let sink: Sink;
let aside: Rejected[];
beforeEach(async () => {
  fake = await fakeInflux();
  aside = [];
  sink = made();
});
afterEach(async () => {
  sink.close();
  await fake.down();
});

const made = (more: Partial<SinkOptions> = {}) =>
  influxSink({ url: `${fake.url}/lab`, aside: (points) => void aside.push(...points), ...more });

function lines(count: number, first = 0): Lines {
  const writer = lineWriter({ rig: 'demo' });
  for (let i = first; i < first + count; i++) {
    const reading: Reading = {
      from: `sm${i % 7}.voltage`,
      kind: 'V',
      t: 1_700_000_000_000_000 + i,
      seq: i,
      origin: 'simulator',
      quality: 'good',
      value: i,
    };
    writer.write(reading);
  }
  return writer.take();
}
const values = (): number[] => [...fake.points.values()].map((p) => Number(p.fields.value)).sort((a, b) => a - b);
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

test('the database is made, and the points are stored', async () => {
  expect(await sink.write(lines(1000))).toEqual({ kind: 'ok', stored: 1000, rejected: 0 });
  expect([...fake.databases]).toEqual(['lab']);
  expect(values()).toEqual(upTo(1000));
  expect(fake.sizes).toEqual([1000]);
  expect(await sink.write(lines(0))).toEqual({ kind: 'ok', stored: 0, rejected: 0 });
  expect(sink.requests).toBe(1);
});

test('a database that has gone is made again', async () => {
  await sink.write(lines(1));
  fake.databases.clear();
  expect(await sink.write(lines(10))).toMatchObject({ kind: 'ok', stored: 10 });
  expect([...fake.databases]).toEqual(['lab']);
});

test.each([
  [500, { kind: 'retry', cause: 'server', why: 'status 500' }],
  [503, { kind: 'retry', cause: 'server', why: 'status 503' }],
  [429, { kind: 'retry', cause: 'busy', why: 'status 429' }],
  [401, { kind: 'denied', why: 'status 401' }],
  [403, { kind: 'denied', why: 'status 403' }],
  [302, { kind: 'retry', cause: 'odd' }],
  [200, { kind: 'retry', cause: 'odd' }],
  ['cut', { kind: 'retry', cause: 'cut' }],
  ['store and cut', { kind: 'retry', cause: 'cut' }],
  ['reset', { kind: 'retry', cause: 'reset' }],
] as const)('%s is told as what it is, and sending again stores each point once', async (turn, outcome) => {
  fake.turns.push(turn);
  expect(await sink.write(lines(50))).toMatchObject(outcome);
  expect(await sink.write(lines(50))).toMatchObject({ kind: 'ok', stored: 50 });
  expect(values()).toEqual(upTo(50));
});

test('a server that is not there, and one that is there again on its port', async () => {
  await fake.down();
  expect(await sink.write(lines(5))).toMatchObject({ kind: 'retry', cause: 'refused' });
  await fake.up();
  expect(await sink.write(lines(5))).toMatchObject({ kind: 'ok' });
  await fake.down();
  await fake.up(); // the connection kept alive is dead now: tried once more on a new one
  expect(await sink.write(lines(5, 5))).toMatchObject({ kind: 'ok' });
  await fake.down();
  expect(await sink.write(lines(5))).toMatchObject({ kind: 'retry', cause: 'refused' });
  await fake.up();
  expect(values()).toEqual(upTo(10));
});

test.each(['hang', 'store and hang'] as const)('%s: given up when the time is over', async (turn) => {
  const timers = new Set<() => void>();
  const after: After = (seconds, fn) => {
    expect(seconds).toBe(3);
    timers.add(fn);
    return () => timers.delete(fn);
  };
  const patient = made({ after, timeout: 3 });
  await patient.write(lines(1));
  expect(timers.size).toBe(0);
  fake.turns.push(turn);
  const hanging = fake.hanging();
  const outcome = patient.write(lines(10));
  await hanging;
  for (const fire of timers) fire();
  expect(await outcome).toEqual({ kind: 'retry', cause: 'timeout', why: 'no answer within 3 s' });
  expect(await patient.write(lines(10))).toMatchObject({ kind: 'ok' });
  expect(values()).toEqual(upTo(10));
  patient.close();
});

test('close ends what is under way', async () => {
  await sink.write(lines(1));
  fake.turns.push('hang');
  const hanging = fake.hanging();
  const outcome = sink.write(lines(10));
  await hanging;
  sink.close();
  expect(await outcome).toMatchObject({ kind: 'retry' });
  expect(await sink.write(lines(10))).toMatchObject({ kind: 'retry', cause: 'cut' });
});

describe('what the server refuses', () => {
  test('only the guilty points are set aside, with the reason, wherever they are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat({ max: 199 }), { maxLength: 12 }), async (guilty) => {
        fake.points.clear();
        aside.length = 0;
        fake.refuses = (p) =>
          guilty.includes(Number(p.fields.value)) ? 'field type conflict: input field "value" is type float' : undefined;
        expect(await sink.write(lines(200))).toMatchObject({ kind: 'ok', stored: 200 - guilty.length, rejected: guilty.length });
        expect(values()).toEqual(upTo(200).filter((n) => !guilty.includes(n)));
        expect(aside.map(({ line }) => Number(parseLine(line).fields.value)).sort((a, b) => a - b)).toEqual(
          [...guilty].sort((a, b) => a - b),
        );
        for (const { why } of aside)
          expect(why).toMatch(/^partial write: field type conflict: input field "value" is type float dropped=\d+$/);
      }),
      { numRuns: 30 },
    );
  });

  test('one bad series among seven takes few requests, and so do old points at the beginning', async () => {
    fake.refuses = (p) => (p.tags.instrument === 'sm3' ? 'field type conflict' : undefined);
    expect(await sink.write(lines(4900))).toMatchObject({ stored: 4200, rejected: 700 });
    expect(sink.requests).toBeLessThan(60);
    fake.refuses = (p) => (p.time < 1_700_000_000_001_234_000n ? 'points beyond retention policy' : undefined);
    const before = sink.requests;
    expect(await sink.write(lines(4900))).toMatchObject({ stored: 3666, rejected: 1234 });
    expect(sink.requests - before).toBeLessThan(60);
  });

  test('a line that cannot be parsed', async () => {
    const good = lines(20);
    const bytes = Buffer.concat([good.bytes, Buffer.from('no line\n')]);
    const outcome = await sink.write({ bytes, starts: [...good.starts, bytes.length] });
    expect(outcome).toEqual({ kind: 'ok', stored: 20, rejected: 1, why: "unable to parse 'no line': bad" });
    expect(aside).toEqual([{ line: 'no line', why: "unable to parse 'no line': bad" }]);
    expect(values()).toEqual(upTo(20));
  });

  test('nothing is set aside before all is known, and all again when that fails', async () => {
    fake.refuses = (p) => (p.fields.value === 3 ? 'field type conflict' : undefined);
    fake.turns.push('store', 'store', 500);
    expect(await sink.write(lines(20))).toMatchObject({ kind: 'retry', cause: 'server' });
    expect(aside).toEqual([]);
    const full = made({ aside: () => Promise.reject(new Error('disk full')) });
    expect(await full.write(lines(20))).toEqual({ kind: 'retry', cause: 'aside', why: 'refused points cannot be kept: disk full' });
    full.close();
    expect(await sink.write(lines(20))).toMatchObject({ kind: 'ok', rejected: 1 });
    expect(aside).toHaveLength(1);
  });

  test('too large: halved, remembered, and a single point that is too large is set aside', async () => {
    fake.maxBody = 4000;
    expect(await sink.write(lines(300))).toMatchObject({ kind: 'ok', stored: 300 });
    expect(values()).toEqual(upTo(300));
    const before = sink.requests;
    await sink.write(lines(300));
    expect(sink.requests - before).toBeLessThan(before);
    fake.maxBody = 10;
    expect(await sink.write(lines(2))).toEqual({ kind: 'ok', stored: 0, rejected: 2, why: 'Request Entity Too Large' });
  });
});

test('a large body that resets the connection is sent in halves', async () => {
  await sink.write(lines(1));
  fake.turns.push('reset', 'reset');
  expect(await sink.write(lines(5000))).toMatchObject({ kind: 'ok', stored: 5000 });
  expect(values()).toEqual(upTo(5000));
});

test('user, password, retention policy and compression go with the request', async () => {
  const login = made({ url: `${fake.url.replace('//', '//us%65r:p%40ss%3A@')}/l%C3%A4b`, gzip: true, retentionPolicy: 'short' });
  expect(login.shown).toBe(`${fake.url}/l%C3%A4b`);
  expect(await login.write(lines(100))).toMatchObject({ kind: 'ok', stored: 100 });
  login.close();
  expect([...fake.databases]).toEqual(['läb']);
  expect(fake.heads[0]).toMatchObject({
    authorization: `Basic ${Buffer.from('user:p@ss:').toString('base64')}`,
    'content-encoding': 'gzip',
  });
});

test('addresses', () => {
  expect(influxTarget('http://localhost/lab')).toMatchObject({ host: 'localhost', port: 8086, database: 'lab', secure: false });
  expect(influxTarget('http://localhost:80/lab')).toMatchObject({ port: 80 });
  expect(influxTarget('https://[::1]:8087/lab')).toMatchObject({ host: '[::1]', port: 8087, secure: true });
  expect(influxTarget('http://a:b@h:1/lab')).toMatchObject({ user: 'a', password: 'b', shown: 'http://h:1/lab' });
  for (const wrong of ['', 'localhost', 'ftp://h/lab', 'http://h:1', 'http://h:1/', 'http://h:1/a/b', 'http://h:x/lab', 'http://h/%ff']) {
    expect(influxTarget(wrong)).toMatch(/such as http:\/\/localhost:8086\/lab$/);
    expect(() => influxSink({ url: wrong, aside: () => {} })).toThrow(InfluxError);
  }
  expect(influxTarget('http://user:secret@h:1')).not.toContain('secret');
});

test('the model replaces a point of the same series and time', () => {
  const [a, b, c] = ['v,x=1 a=1 5', 'v,x=1 a=2 5', 'v,x=2 a=1 5'].map((line) => key(parseLine(line)));
  expect(a).toBe(b);
  expect(a).not.toBe(c);
});
