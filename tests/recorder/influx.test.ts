import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Reading } from '../../src/reading.ts';
import { influxSink, type Rejected, type Sink, type SinkOptions } from '../../src/recorder/influx.ts';
import { type Lines, lineWriter } from '../../src/recorder/line.ts';
import { type Influxd, startInfluxd, withoutInfluxd } from '../influxd.ts';

const T = 1_700_000_000_000_000;
const encoder = new TextEncoder();

function linesOf(readings: readonly Reading[], resolution?: number): Lines {
  const writer = lineWriter({ rig: 'de,mo', resolution: () => resolution });
  for (const reading of readings) writer.write(reading);
  return writer.take();
}
const volts = (n: number, more: object = {}): Reading => ({
  from: `sm${n % 5}.voltage`,
  kind: 'V',
  t: T + n,
  seq: n,
  origin: 'simulator',
  quality: 'good',
  value: n,
  ...more,
});

/** Lines of other programs, as they are. */
function raw(...texts: readonly string[]): Lines {
  const starts = [0];
  for (const text of texts) starts.push((starts.at(-1) ?? 0) + encoder.encode(`${text}\n`).length);
  return { bytes: encoder.encode(texts.map((text) => `${text}\n`).join('')), starts };
}

describe.skipIf(withoutInfluxd)('a real influxd (skipped where influxd is not on PATH)', () => {
  let influxd: Influxd;
  let sink: Sink;
  let aside: Rejected[];
  let database: string;
  let count = 0;
  beforeAll(async () => {
    influxd = await startInfluxd({ maxBody: 300_000 });
  });
  afterAll(() => influxd?.remove());
  beforeEach(() => {
    database = `lab ${++count} "Ω"`;
    aside = [];
    sink = made();
  });
  afterEach(() => sink.close());
  const made = (more: Partial<SinkOptions> = {}) =>
    influxSink({ url: `${influxd.url}/${encodeURIComponent(database)}`, aside: (points) => void aside.push(...points), ...more });
  const query = (q: string) => influxd.query(database, q);

  const awkward = [
    '',
    'plain',
    'a "quoted" word',
    'back\\slash',
    'at the end\\',
    '\\\\',
    '\\"',
    '"',
    'two\nlines\n',
    '\\\n',
    'a,b=c d',
    'tab\tand\rreturn',
    '温度 Ω µ °C 𝕂 é',
    ' blanks ',
    "{}[]();:'`|#",
    'null\u0000char',
    '=',
    ',',
    'n\\n',
    '\\,',
    '\\ x',
    'x\\=',
  ];

  test('awkward strings come back from fields and tags, also after a new start', async () => {
    const readings: Reading[] = awkward.map((text, i) => ({
      from: `${text}.mode`,
      kind: 'state',
      t: T + i,
      seq: i,
      origin: 'hardware',
      quality: 'suspect',
      why: text,
      value: text,
    }));
    const causes: Reading[] = awkward.map((cause, i) =>
      volts(i, { from: `${i}.${cause.replaceAll('.', '')}`, sigma: { random: 0.5, shared: { [cause]: -0.25 } } }),
    );
    expect(await sink.write(linesOf([...readings, ...causes]))).toEqual({ kind: 'ok', stored: 2 * awkward.length, rejected: 0 });
    const before = [volts(0, { from: '\\="x.\\', kind: 'W' }), volts(1, { from: '=" \\ .\\ "', kind: 'W' }), volts(2, { kind: 'W' })];
    expect(await sink.write(linesOf(before))).toEqual({ kind: 'ok', stored: 3, rejected: 0 });
    const check = async () => {
      const states = await query('SELECT value, why, quality, instrument, channel, rig, revision FROM state');
      expect(states.map((row) => row.value)).toEqual(awkward);
      expect(states.map((row) => row.why)).toEqual(awkward);
      const tags = awkward.map((text) => (text === '' ? null : text.replaceAll('\n', '\\n').replace(/\\( |$)/g, '\\_')));
      expect(states.map((row) => row.instrument)).toEqual(tags);
      expect(states[0]).toMatchObject({ quality: 1, channel: 'mode', rig: 'de,mo', revision: '0', time: '2023-11-14T22:13:20Z' });
      expect(states[1]?.time).toBe('2023-11-14T22:13:20.000001001Z');
      const bars = await query('SELECT * FROM voltage');
      expect(bars.map((row) => [row.value, row.sigma, row.quality])).toEqual(awkward.map((_, i) => [i, 0.5, 0]));
      for (const [i, cause] of awkward.entries())
        expect(bars[i]?.[`shared_${cause.replaceAll('\\', '/').replaceAll('\n', ' ')}`]).toBe(-0.25);
      expect(bars.map((row) => row.channel)).toEqual(tags);
    };
    await check();
    await influxd.signal('SIGKILL');
    await influxd.start();
    await check();
  });

  test('numbers come back as the same doubles, flags as flags, and what is no number not at all', async () => {
    const values = [0, -0, 1, -1.5, 0.1, 1 / 3, 1e-7, 5e-324, Number.MAX_VALUE, 1e21, 123456789.123, 2 ** 53, -2.44e-8];
    const many = [...values, ...Array.from({ length: 200 }, (_, i) => Math.sin(i) * 10 ** ((i % 40) - 20))];
    await sink.write(linesOf(many.map((value, i) => volts(i, { from: 'a.v', value }))));
    const rows = await query('SELECT value FROM voltage');
    expect(rows.map((row) => row.value)).toEqual(many);
    await sink.write(
      linesOf(
        many.map((value, i) => volts(i, { from: 'fixed.v', value })),
        1e-3,
      ),
    );
    const fixed = await query("SELECT value FROM voltage WHERE instrument = 'fixed'");
    for (const [i, row] of fixed.entries()) expect(Math.abs(Number(row.value) - (many[i] ?? 0))).toBeLessThanOrEqual(0.5001e-3);
    const others: Reading[] = [
      { from: 'a.on', kind: 'flag', t: T, seq: 0, origin: 'hardware', quality: 'good', value: true },
      { from: 'a.on', kind: 'flag', t: T, seq: 1, origin: 'hardware', quality: 'good', value: false },
      { from: 'a.on', kind: 'flag', t: T, seq: 2, origin: 'hardware', quality: 'bad', why: 'no reply' },
      {
        from: 'a.i',
        kind: 'A',
        index: 63,
        t: T,
        seq: 0,
        origin: 'hardware',
        quality: 'good',
        value: Number.NaN,
        sigma: { random: Number.POSITIVE_INFINITY },
      },
      {
        from: 'a.s',
        kind: 'trace',
        t: T,
        seq: 0,
        origin: 'hardware',
        quality: 'good',
        value: { columns: {}, shape: [], begin: 0, end: 0, settings: {} },
      },
    ];
    expect(await sink.write(linesOf(others))).toMatchObject({ stored: 5, rejected: 0 });
    expect((await query('SELECT * FROM flag')).map(({ value, quality, why }) => [value, quality, why])).toEqual([
      [true, 0, null],
      [false, 0, null],
      [null, 2, 'no reply'],
    ]);
    const [current = {}] = await query('SELECT * FROM current');
    expect(current).toMatchObject({ index: '63', quality: 2, why: 'the value is not a finite number' });
    expect(current).not.toHaveProperty('value');
    expect(await query('SELECT * FROM trace')).toMatchObject([{ quality: 0, channel: 's' }]);
  });

  test('a string of 64 KiB is kept, a longer one is cut and says so', async () => {
    const texts = ['"'.repeat(65_536), 'Ω'.repeat(40_000)];
    await sink.write(linesOf(texts.map((value, i) => ({ ...volts(i), kind: 'state', value }) as Reading))); // a state in place of the voltage
    const [whole, cut] = (await query('SELECT value FROM state')).map((row) => String(row.value));
    expect(whole).toBe(texts[0]);
    expect(cut).toMatch(/^Ω{32700,} … \[cut\]$/);
  });

  test('a type conflict sets aside only the guilty points', async () => {
    await sink.write(raw(`voltage,instrument=sm3 other=1i ${T}000`, `voltage,instrument=x value=1 ${T}000`));
    const good = linesOf(Array.from({ length: 1000 }, (_, n) => volts(n)));
    const bad = [10, 500, 990].map((n) => `voltage,instrument=bad value="text" ${T + n}000`);
    const texts = Buffer.from(good.bytes).toString().trimEnd().split('\n');
    for (const [i, line] of bad.entries()) texts.splice(300 * i, 0, line);
    const outcome = await sink.write(raw(...texts, 'no line', `voltage value=1,value2=2 ${T}000`));
    expect(outcome).toMatchObject({ kind: 'ok', stored: 1001, rejected: 4 });
    expect(aside.map(({ line }) => line).sort()).toEqual(['no line', ...bad].sort());
    expect(aside.find(({ line }) => line === bad[0])?.why).toMatch(
      /^partial write: field type conflict: input field "value" on measurement "voltage" is type string, already exists as type float dropped=\d$/,
    );
    expect(aside.find(({ line }) => line === 'no line')?.why).toMatch(/^unable to parse 'no line'/);
    expect(await query('SELECT count(value) FROM voltage')).toMatchObject([{ count: 1002 }]);
  });

  test('a measurement that another program has made with another type refuses all of ours, in few requests', async () => {
    await sink.write(raw(`voltage,instrument=x value="text" ${T}000`));
    const currents = Array.from({ length: 1000 }, (_, n) => volts(n, { kind: 'A' }));
    const mixed = currents.flatMap((current, n) => [current, volts(n)]);
    expect(await sink.write(linesOf(mixed))).toMatchObject({ kind: 'ok', stored: 1000, rejected: 1000 });
    expect(sink.requests).toBeLessThan(40);
    expect(aside.every(({ line }) => line.startsWith('voltage,'))).toBe(true);
  });

  test('points beyond the retention are set aside, the others stored', async () => {
    await sink.write(linesOf([volts(0)]));
    const name = `"${database.replaceAll('"', '\\"')}"`;
    await query(`CREATE RETENTION POLICY short ON ${name} DURATION 1h REPLICATION 1`);
    const now = Date.now() * 1000;
    const short = made({ retentionPolicy: 'short' });
    const some = Array.from({ length: 100 }, (_, n) => volts(n, n < 40 ? {} : { t: now + n }));
    expect(await short.write(linesOf(some))).toMatchObject({ kind: 'ok', stored: 60, rejected: 40 });
    short.close();
    expect(aside).toHaveLength(40);
    expect(aside[0]?.why).toMatch(/points beyond retention policy/);
    expect(await query('SELECT count(value) FROM short.voltage')).toMatchObject([{ count: 60 }]);
  });

  test('a body larger than the server takes is halved; a dropped database is made again; compression', async () => {
    const zipped = made({ gzip: true });
    const readings = Array.from({ length: 5000 }, (_, n) => volts(n));
    expect(await sink.write(linesOf(readings))).toMatchObject({ kind: 'ok', stored: 5000 });
    expect(await query('SELECT count(value) FROM voltage')).toMatchObject([{ count: 5000 }]);
    await query(`DROP DATABASE "${database.replaceAll('"', '\\"')}"`);
    expect(await sink.write(linesOf(readings.slice(0, 100)))).toMatchObject({ kind: 'ok', stored: 100 });
    expect(await zipped.write(linesOf(readings.slice(100, 300)))).toMatchObject({ kind: 'ok', stored: 200 });
    zipped.close();
    expect(await query('SELECT count(value) FROM voltage')).toMatchObject([{ count: 300 }]);
  });
});

describe.skipIf(withoutInfluxd)('a real influxd with users (skipped where influxd is not on PATH)', () => {
  let influxd: Influxd;
  beforeAll(async () => {
    influxd = await startInfluxd({ auth: true });
    await influxd.query('', `CREATE USER admin WITH PASSWORD 'ad:min' WITH ALL PRIVILEGES`);
    await influxd.query('', `CREATE USER worker WITH PASSWORD 'w'`, 'admin:ad:min');
  });
  afterAll(() => influxd?.remove());

  test('who may not write is told so; who may, writes', async () => {
    const write = async (login: string) => {
      const sink = influxSink({ url: `${influxd.url.replace('//', `//${login}`)}/lab`, aside: () => {} });
      const outcome = await sink.write(linesOf([volts(1)]));
      sink.close();
      return outcome;
    };
    expect(await write('')).toMatchObject({ kind: 'denied' });
    expect(await write('admin:wrong@')).toEqual({ kind: 'denied', why: 'authorization failed' });
    expect(await write('worker:w@')).toMatchObject({ kind: 'denied', why: expect.stringContaining('lab') });
    expect(await write('admin:ad%3Amin@')).toMatchObject({ kind: 'ok', stored: 1 });
    expect(await write('worker:w@')).toMatchObject({ kind: 'denied' });
    await influxd.query('', 'GRANT WRITE ON lab TO worker', 'admin:ad:min');
    expect(await write('worker:w@')).toMatchObject({ kind: 'ok', stored: 1 });
  });
});
