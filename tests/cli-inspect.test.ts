import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { EXIT } from '../src/cli/command.ts';
import { inspect } from '../src/cli/inspect.ts';
import type { Entry } from '../src/entry.ts';
import type { Measured, Reading } from '../src/reading.ts';
import { type Recorder, recorder } from '../src/recorder/recorder.ts';

const scratch = mkdtempSync(join(tmpdir(), 'bridgman-inspect-'));
afterAll(() => rmSync(scratch, { recursive: true }));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await inspect.run(args, { out: (t) => void (out += t), err: (t) => void (err += t) });
  expect(out + err).not.toMatch(/\bat .*\(?.*:\d+:\d+\)|node:internal|undefined|[^"]NaN/);
  return { code, out, err };
}

const START = Date.UTC(2026, 10, 22, 12, 0, 0) * 1000;
const s = (seconds: number): number => START + seconds * 1e6;
const reading = (from: string, seconds: number, m: Measured<'Pa'>, index?: number): Entry => {
  const made = { ...m, from, kind: 'Pa', t: s(seconds), seq: 0, origin: 'simulator', ...(index === undefined ? {} : { index }) };
  return { kind: 'reading', reading: made as Reading }; // a Measured with all that makes it a Reading
};
const good = (value: number) => ({ quality: 'good', value, sigma: { random: 10 } }) as const;
const bytes = (link: string, direction: 'in' | 'out', n: number, name?: string): Entry => ({
  kind: 'bytes',
  wire: { link, direction, t: s(1), bytes: new Uint8Array(n), name },
});
const exchanged = (id: number, by: string, fault?: string): Entry => ({
  kind: 'exchange',
  exchanged: { id, instrument: 'gas', role: 'main', by, asked: s(id), sent: Uint8Array.of(1), ...(fault === undefined ? {} : { fault }) },
});
const order = { id: 4, t: s(2), by: 'eva', instrument: 'gas', command: 'pressure', value: 2e6, unit: 'Pa' };

/** A minute with one of everything. */
const ENTRIES: readonly Entry[] = [
  ...Array.from({ length: 21 }, (_, i) => reading('gas.pressure', 0.5 * i, good(1e6 + i))),
  reading('gas.pressure', 20, { quality: 'bad', why: 'no answer within 1 s' }),
  reading('gas.pressure', 21, { quality: 'bad', why: 'no answer within 1 s' }),
  reading('gas.pressure', 22, { quality: 'suspect', why: 'over range', value: 2e6 }),
  reading('hv.bias', 1, good(5), 0),
  reading('hv.bias', 1, good(6), 1),
  { kind: 'gap', gap: { channel: 'gas.pressure', from: s(20), cause: 'no answer within 1 s', missed: 1 } },
  { kind: 'gap', gap: { channel: 'gas.pressure', from: s(20), to: s(22), cause: 'no answer within 1 s', missed: 2 } },
  { kind: 'gap', gap: { channel: 'hv.bias[1]', from: s(30), cause: 'link down', missed: 1 } },
  { kind: 'order', order },
  { kind: 'order', order: { ...order, outcome: 'done', ended: s(3) } },
  {
    kind: 'order',
    order: { id: 0, t: s(5), by: 'eva', instrument: 'gas', command: 'vent', outcome: 'refused', why: 'above 5 bar', ended: s(5) },
  },
  {
    kind: 'order',
    order: { id: 0, t: s(5), by: 'eva', instrument: 'gas', command: 'slew', outcome: 'refused', why: 'no unit', ended: s(6) },
  },
  { kind: 'order', order: { ...order, id: 7, t: s(50), command: 'control', value: true, unit: 'flag' } },
  exchanged(1, 'poll:pressure'),
  exchanged(20, 'poll:pressure', 'no answer'),
  exchanged(21, 'poll:pressure', 'no answer'),
  exchanged(22, 'proof', 'link down'),
  { kind: 'alarm', alarm: { t: s(20), from: 'gas', text: 'no answer' } },
  {
    kind: 'note',
    note: {
      t: s(40),
      by: 'eva',
      text: 'moved the cell by 20 um, new spot; the gasket looks asymmetric and a bit thinner than the one before it was',
    },
  },
  { kind: 'mark', mark: { t: s(41), by: 'eva', what: 'start', run: 1 } },
  bytes('tcp:10.0.0.1:5025', 'out', 7),
  bytes('tcp:10.0.0.1:5025', 'in', 20),
  bytes('tcp:10.0.0.1:5025', 'in', 22),
  bytes('folder:/data in out/x', 'in', 900, 'a in b.spe'),
];

async function session(name: string, clock = { now: s(0) }): Promise<{ readonly folder: string; readonly keeper: Recorder }> {
  const folder = join(scratch, name);
  const keeper = await recorder({
    folder,
    rig: { name: 'demo', text: 'rig: demo\n', files: {} },
    limits: { rawFree: 0, reserve: 0 },
    now: () => clock.now,
    mono: () => clock.now / 1000,
    told: () => {},
    full: () => {},
  });
  keeper.take(ENTRIES);
  clock.now = s(60);
  return { folder, keeper };
}

async function ended(name: string): Promise<string> {
  const { folder, keeper } = await session(name);
  await keeper.close(0);
  return folder;
}

/** Only what was looked at is written down: the JSON is plain data. */
interface Told {
  readonly channels: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly trouble: readonly { readonly kind: string; readonly part: string; readonly bytes: number }[];
  readonly orders: readonly { readonly id: number; readonly outcome?: string }[];
  readonly lost: Readonly<Record<string, number>>;
  readonly messages: number;
  readonly complete: boolean;
}
const json = async (...args: string[]): Promise<Told> => JSON.parse((await run(...args, '--json')).out) as Told;

describe('a session', () => {
  test('as JSON holds counts, causes, gaps, orders, faults, notes, bytes and parts', async () => {
    const folder = await ended('whole');
    const told = await json(folder);
    expect(told).toMatchObject({
      session: folder,
      rig: 'demo',
      writtenBy: { program: 'bridgman' },
      began: s(0),
      ended: s(60),
      duration: 60,
      complete: true,
      exchanges: {
        total: 4,
        faults: [
          { instrument: 'gas', by: 'poll:pressure', fault: 'no answer', count: 2, first: s(20), last: s(21) },
          { instrument: 'gas', by: 'proof', fault: 'link down', count: 1 },
        ],
      },
      gaps: [
        { channel: 'gas.pressure', from: s(20), to: s(22), missed: 2 },
        { channel: 'hv.bias[1]', from: s(30), cause: 'link down' },
      ],
      alarms: [{ from: 'gas', text: 'no answer' }],
      notes: [{ by: 'eva', text: expect.stringContaining('new spot') }],
      marks: [{ run: 1, what: 'start' }],
      wire: { 'tcp:10.0.0.1:5025': { in: 42, out: 7 }, 'folder:/data in out/x': { in: 900, out: 0 } },
      trouble: [],
      lost: {},
      strange: 0,
    });
    expect(told.channels['gas.pressure']).toEqual({
      kind: 'Pa',
      good: 21,
      suspect: 1,
      bad: 2,
      rate: 23 / 22,
      first: s(0),
      last: s(22),
      latest: expect.objectContaining({ value: 2e6, quality: 'suspect', t: s(22) }),
      why: { 'no answer within 1 s': 2 },
    });
    expect(Object.keys(told.channels)).toEqual(['gas.pressure', 'hv.bias[0]', 'hv.bias[1]']);
    expect(told.channels['hv.bias[1]']).toMatchObject({ rate: null, latest: { value: 6 } });
    expect(told.orders.map(({ id, outcome }) => [id, outcome])).toEqual([
      [4, 'done'],
      [0, 'refused'],
      [0, 'refused'],
      [7, undefined],
    ]);
    expect(JSON.parse(JSON.stringify(told)).gaps[1]).not.toHaveProperty('to');
  });

  test('as text says the same in a hundred columns, in UTC', async () => {
    const folder = await ended('text');
    const { code, out, err } = await run(folder);
    expect([code, err]).toEqual([EXIT.ok, '']);
    for (const line of out.split('\n')) if (!line.includes(scratch)) expect(line.length).toBeLessThanOrEqual(100);
    for (const said of [
      /^rig +demo$/m,
      /2026-11-22 12:00:00\.000 to 12:01:00\.000 UTC \(60\.0 s\)/,
      /ended in order/,
      /gas\.pressure +Pa +21 +1 +2 +1\.05 +12:00:00 +12:00:22 +2 MPa \(suspect\)/,
      /hv\.bias\[1\] +Pa +1 +0 +0 .* 6\.0 ± 10\.0 Pa|hv\.bias\[1\] +Pa +1 +0 +0 .* 6 ± 10 Pa/,
      /BAD READINGS\n +gas\.pressure +2 +no answer within 1 s/,
      /gas\.pressure +12:00:20\.000 +12:00:22\.000 +2 missed +no answer/,
      /hv\.bias\[1\] +12:00:30\.000 +no end +1 missed +link down/,
      /12:00:02\.000 +gas\.pressure 2000000 Pa +eva +done/,
      /gas\.vent +eva +refused: above 5 bar/,
      /gas\.control true +eva +no outcome/,
      /4 exchanges, 3 with faults/,
      /gas +poll:pressure +2 +12:00:20 to 12:00:21 +no answer/,
      /NOTES\n +12:00:40\.000 +eva +moved the cell/,
      /run 1 start/,
      /tcp:10\.0\.0\.1:5025 +42 bytes in +7 bytes out/,
      /PARTS\n +slow +1 part/,
      /^no damage$/m,
    ])
      expect(out).toMatch(said);
    expect(out.replaceAll(/\s+/g, ' ')).toContain('a bit thinner than the one before it was'); // long text goes on in the next line
  });

  test('one channel of it, and one that it has not', async () => {
    const folder = await ended('channel');
    const one = await json(folder, '--channel', 'hv.bias');
    expect(Object.keys(one.channels)).toEqual(['hv.bias[0]', 'hv.bias[1]']);
    expect(one.orders).toEqual([]);
    expect((await run(folder, '--channel', 'gas.pressure')).out).not.toContain('hv.bias');
    const none = await run(folder, '--channel', 'gas.presure');
    expect(none).toMatchObject({ code: EXIT.usage, out: '' });
    expect(none.err).toContain('did you mean "gas.pressure"?');
  });
});

describe('a session that is not whole', () => {
  test('is read while it is being written', async () => {
    const clock = { now: s(0) };
    const { folder, keeper } = await session('running', clock);
    const summary = keeper.summary();
    expect(summary.channels['gas.pressure']?.good).toBe(21);
    // Each tick closes what is old enough and gives it to the disk.
    while (!readdirSync(folder).some((f) => f.startsWith('slow') && statSync(join(folder, f)).size > 2000)) {
      keeper.tick();
      await new Promise((later) => setImmediate(later));
    }
    const told = await json(folder);
    expect(told.complete).toBe(false);
    expect(told.channels['gas.pressure']).toMatchObject({ good: 21, bad: 2 });
    expect((await run(folder)).out).toContain('still being written, or was cut short');
    await keeper.close(0);
    expect((await json(folder)).complete).toBe(true);
  });

  test('cut in half: what is readable is there, and the cut is named', async () => {
    const folder = await ended('cut');
    const part = join(folder, 'slow-0001.mcap');
    const length = statSync(part).size;
    const whole = await json(folder);
    let least = whole.messages;
    for (const share of [0.9, 0.5, 0.1, 0]) {
      truncateSync(part, Math.floor(length * share));
      const told = await json(folder);
      expect(told.trouble).toEqual([expect.objectContaining({ part: 'slow-0001', kind: expect.stringMatching(/cut|damage/) })]);
      expect(told.messages).toBeLessThanOrEqual(least);
      least = told.messages;
      const { code, out } = await run(folder);
      expect(code).toBe(EXIT.ok);
      expect(out).toMatch(/DAMAGE \(1\)\n +slow-0001 +(cut|damage) /);
    }
    expect(least).toBeLessThan(whole.messages);
  });

  test('a damaged byte, a part that is gone, and what was lost with them are counted', async () => {
    const folder = await ended('damaged');
    const raw = readdirSync(folder).find((f) => f.startsWith('raw-tcp')) ?? '';
    const content = readFileSync(join(folder, raw));
    content.writeUInt8(content.readUInt8(content.length >> 2) ^ 0xff, content.length >> 2);
    writeFileSync(join(folder, raw), content);
    const told = await json(folder);
    expect(told.trouble.length).toBeGreaterThan(0);
    expect(told.trouble.every((t) => `${t.part}.mcap` === raw)).toBe(true);
    expect(told.channels['gas.pressure']).toMatchObject({ good: 21 });

    copyFileSync(join(folder, 'slow-0001.mcap'), join(folder, 'slow-0003.mcap'));
    expect((await json(folder)).trouble).toContainEqual(expect.objectContaining({ kind: 'missing', part: 'slow-0002' }));
    unlinkSync(join(folder, 'slow-0003.mcap'));
  });

  test('messages that are missing between others are counted by their numbers', async () => {
    const folder = join(scratch, 'lost');
    const keeper = await recorder({
      folder,
      rig: { name: 'demo', text: '', files: {} },
      limits: { rawFree: 0, reserve: 0, rawChunk: 1000, partBytes: 4000 },
      now: () => s(0),
      mono: () => s(0) / 1000,
      told: () => {},
      full: () => {},
    });
    keeper.take(Array.from({ length: 30 }, () => bytes('tcp:a:1', 'in', 400)));
    await keeper.close(0);
    const whole = await json(folder);
    expect(whole).toMatchObject({ lost: {}, trouble: [] });
    unlinkSync(join(folder, 'raw-tcp-a-1-0002.mcap'));
    const told = await json(folder);
    expect(told.trouble).toEqual([expect.objectContaining({ kind: 'missing', part: 'raw-tcp-a-1-0002' })]);
    expect(whole.messages - told.messages).toBeGreaterThan(0);
    expect(told.lost).toEqual({ 'raw-tcp-a-1 tcp:a:1 in': whole.messages - told.messages });
    expect((await run(folder)).out).toMatch(/LOST MESSAGES\n +raw-tcp-a-1 tcp:a:1 in +\d+ messages/);
  });

  test('a part that is nothing of ours', async () => {
    const folder = join(scratch, 'foreign');
    mkdirSync(folder);
    writeFileSync(join(folder, 'slow-0001.mcap'), 'this is no recording at all');
    const { code, out } = await run(folder);
    expect(code).toBe(EXIT.ok);
    expect(out).toContain('no readings');
    expect(out).toMatch(/DAMAGE \(\d\)\n +slow-0001/);
  });
});

test('a session without any slow part says that it is missing', async () => {
  const folder = await ended('no-slow');
  unlinkSync(join(folder, 'slow-0001.mcap'));
  expect((await json(folder)).trouble).toMatchObject([{ kind: 'missing', part: 'slow-0001' }]);
  expect((await run(folder)).out).toContain('slow-0001 is not in the folder');
});

describe('a folder', () => {
  test('of sessions is listed: date, duration, size', async () => {
    const parent = 'all';
    mkdirSync(join(scratch, parent));
    await ended(`${parent}/2026-11-22T12-00-00Z`);
    const { keeper, folder } = await session(`${parent}/2026-11-23T12-00-00Z`);
    await keeper.close(0);
    truncateSync(join(folder, 'slow-0001.mcap'), 1000);
    mkdirSync(join(scratch, parent, 'nothing'));
    const { code, out } = await run(join(scratch, parent));
    expect(code).toBe(EXIT.ok);
    expect(out).toMatch(/^2026-11-22T12-00-00Z +demo +2026-11-22 12:00:00 +60\.0 s +\d+\.\d kB$/m);
    expect(out).toMatch(/^2026-11-23T12-00-00Z .* no end$/m);
    expect(out).not.toContain('nothing\n');
    const rows = JSON.parse((await run(join(scratch, parent), '--json')).out);
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatchObject({ rig: 'demo', began: s(0), duration: 60, complete: true });
    expect((await run(join(scratch, parent), '--channel', 'a.b')).code).toBe(EXIT.usage);
  });

  test('that is none, in words', async () => {
    const empty = join(scratch, 'empty');
    mkdirSync(empty);
    expect(await run(empty)).toMatchObject({ code: EXIT.failed, out: '', err: expect.stringContaining('is no session') });
    expect(await run(join(scratch, 'not-there'))).toMatchObject({ code: EXIT.failed, err: expect.stringContaining('there is no folder') });
    const file = join(await ended('file'), 'slow-0001.mcap');
    expect(await run(file)).toMatchObject({ code: EXIT.failed, err: expect.stringContaining('is a file') });
    mkdirSync(join(scratch, 'rig/sessions'), { recursive: true });
    await ended('rig/sessions/one');
    expect((await run(join(scratch, 'rig'))).err).toContain(`did you mean ${join(scratch, 'rig/sessions')}?`);
    expect((await run()).code).toBe(EXIT.usage);
    expect((await run('a', 'b')).code).toBe(EXIT.usage);
  });
});
