/** `bridgman trend`: a channel over time, from the counts of every second and minute. */
import { readFileSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXIT } from '../src/cli/command.ts';
import { plot } from '../src/cli/session-plot.ts';
import { trend } from '../src/cli/session-trend.ts';
import type { Entry } from '../src/entry.ts';
import { called, copied, made, partsIn, reading, s, scratchFolder, second } from './session-made.ts';

const scratch = scratchFolder('trend');
afterAll(() => rmSync(scratch, { recursive: true }));
const short = join(scratch, 'night', 'b-short');
const long = join(scratch, 'long');

const sweep = (k: number): readonly Entry[] => [
  reading('gas.pressure', 2 * k, k + 0.1, { quality: 'good', value: 100 + k }),
  reading('gas.pressure', 2 * k + 1, k + 0.6, k % 10 === 3 ? { quality: 'bad', why: 'no answer' } : { quality: 'good', value: 100 - k }),
];
beforeAll(async () => {
  await made(short);
  await made(long, { seconds: 400, second: sweep, limits: { partBytes: 20_000 } });
});

interface Told {
  readonly channel: string;
  readonly unit: string | null;
  readonly seconds: number;
  readonly stretches: readonly { t: number; n: number; bad: number; min: number | null; mean: number | null; max: number | null }[];
}
const json = async (...args: string[]): Promise<Told> => JSON.parse((await called(trend, ...args, '--json')).out) as Told;
const minute = (m: number) => {
  const ks = Array.from({ length: 60 }, (_, i) => 60 * m + i).filter((k) => k < 400);
  const values = ks.flatMap((k) => (k % 10 === 3 ? [100 + k] : [100 + k, 100 - k]));
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return {
    t: s(60 * m),
    n: values.length,
    bad: 2 * ks.length - values.length,
    min: Math.min(...values),
    mean: expect.closeTo(mean, 9),
    max: Math.max(...values),
  };
};

describe('numbers', () => {
  test('every second', async () => {
    const told = await json(short, 'gas.pressure');
    expect(told).toMatchObject({ channel: 'gas.pressure', unit: 'Pa', seconds: 1 });
    expect(told.stretches).toEqual(
      [0, 1, 2, 3].map((k) => ({ t: s(k), n: 2, bad: 0, min: 1e6 + 2 * k, mean: 1e6 + 2 * k + 0.5, max: 1e6 + 2 * k + 1 })),
    );
    expect((await json(short, 'hv.bias[1]')).stretches[0]).toEqual({ t: s(0), n: 0, bad: 1, min: null, mean: null, max: null });
    const { out } = await called(trend, short, 'gas.pressure');
    expect(out.split('\n')[2]).toBe('2026-11-22 12:00:00         2       0         1000000       1000000.5         1000001');
  });

  test('every minute of many parts, and stretches of other lengths', async () => {
    expect((await json(long, 'gas.pressure', '--every', '1min')).stretches).toEqual([0, 1, 2, 3, 4, 5, 6].map(minute));
    const ten = await json(long, 'gas.pressure', '--every', '10s', '--from', '+20s', '--until', '12:00:40');
    expect(ten.stretches).toMatchObject([
      { t: s(20), n: 19, bad: 1, max: 129 },
      { t: s(30), n: 19, bad: 1, max: 139 },
    ]);
  });

  test('a session without its end has its last minutes from the seconds', async () => {
    const cut = copied(long, join(scratch, 'cut'));
    const slow = partsIn(cut).filter((name) => name.startsWith('slow'));
    expect(slow.length).toBeGreaterThan(5);
    const last = join(cut, slow.at(-1) ?? '');
    truncateSync(last, 0);
    const told = await json(cut, 'gas.pressure', '--every', '1min');
    const seconds = await json(cut, 'gas.pressure', '--every', '1s');
    expect(told.stretches.reduce((n, one) => n + one.n, 0)).toBe(seconds.stretches.reduce((n, one) => n + one.n, 0));
    expect(told.stretches.slice(0, 4)).toEqual([0, 1, 2, 3].map(minute));
    expect((await called(trend, cut, 'gas.pressure')).err).toContain(': cut');
  });

  test('sessions come in the order of time, whatever their names', async () => {
    const later = join(scratch, 'night', 'a-later');
    await made(later, { seconds: 8, second: (k) => (k < 5 ? [] : second(k)) });
    const both = await json(join(scratch, 'night'), 'gas.pressure');
    expect(both.stretches.map((one) => one.t).sort()).toEqual([0, 1, 2, 3, 5, 6, 7].map((k) => s(k)));
    expect((await json(short, later, 'gas.pressure')).stretches.map((one) => one.t)).toEqual([0, 1, 2, 3, 5, 6, 7].map((k) => s(k)));
  });

  test('a part that is missing is named, and the rest is shown', async () => {
    const gone = copied(long, join(scratch, 'gone'));
    unlinkSync(join(gone, 'slow-0002.mcap'));
    unlinkSync(join(gone, 'slow-0001.mcap'));
    const { out, err, code } = await called(trend, gone, 'gas.pressure', '--every', '10s');
    expect(code).toBe(EXIT.ok);
    expect(out.split('\n').length).toBeGreaterThan(20);
    expect(err).toContain('slow-0001: missing: slow-0001 to slow-0002 is not in the folder');
  });

  test('a damaged chunk of counts is named by the index', async () => {
    const hurt = copied(short, join(scratch, 'hurt'));
    const part = join(hurt, 'slow-0001.mcap');
    const bytes = readFileSync(part);
    bytes[bytes.indexOf('"seconds":1')] = 0x40;
    writeFileSync(part, bytes);
    expect((await called(trend, hurt, 'gas.pressure')).err).toContain('slow-0001: damage');
  });
});

describe('curves', () => {
  test('fit into 80 columns, and into any other', async () => {
    for (const width of [40, 80, 133]) {
      const { out } = await called(trend, long, 'gas.pressure', '--plot', '--width', String(width));
      const lines = out.split('\n');
      for (const line of lines) expect([...line].length, line).toBeLessThanOrEqual(width);
      expect(out).toContain('499 Pa');
      expect(out).toContain('-299 Pa');
      expect(out).not.toContain('\x1b');
    }
    const { out } = await called(trend, short, 'gas.pressure', '--plot');
    expect(Math.max(...out.split('\n').map((line) => [...line].length))).toBeLessThanOrEqual(80);
  });

  test('the picture of a rise', () => {
    const column = (v: number) => ({ n: 2, bad: 0, min: v, max: v + 1, sum: 2 * v });
    const options = { width: 40, height: 8, unit: 'Pa', from: s(0), to: s(4), colour: false } as const;
    const picture = plot([column(0), column(1), { n: 0, bad: 3, min: 1, max: 0, sum: 0 }, column(3)], options);
    expect(picture.split('\n')).toEqual([
      '          4 Pa ┤   │',
      '               │   ●',
      '               │ │',
      '               ││●',
      '          0 Pa ┤●',
      '           bad │  x',
      '               └────',
      '  12:00:00  12:00:04',
      '',
    ]);
    const same = plot([{ n: 1, bad: 0, min: 5, max: 5, sum: 5 }], options);
    expect(same.match(/●/g)).toHaveLength(1);
    const widest = plot([{ n: 2, bad: 0, min: -1.7e308, max: 1.7e308, sum: 0 }], options);
    expect(widest).not.toMatch(/NaN|Infinity/);
  });
});

test('what cannot be shown is said', async () => {
  expect(await called(trend, short, 'gas.presure')).toMatchObject({
    code: EXIT.usage,
    err: expect.stringContaining('did you mean "gas.pressure"?'),
  });
  expect(await called(trend, short, 'camera.spectrum')).toMatchObject({ code: EXIT.failed, err: expect.stringContaining('is a trace') });
  expect(await called(trend, short, 'gas.pressure', '--from', '13:00')).toMatchObject({ code: EXIT.failed });
  expect(await called(trend, short, 'gas.pressure', '--from', '+5s', '--until', '+5s')).toMatchObject({
    code: EXIT.usage,
    err: expect.stringContaining('--from is not before --until'),
  });
  expect(await called(trend, join(scratch, 'nowhere'), 'gas.pressure')).toMatchObject({
    code: EXIT.failed,
    err: expect.stringContaining('no folder'),
  });
  for (const args of [
    [],
    [short],
    ['gas.pressure'],
    [short, 'a', 'b'],
    [short, 'a', '--every', '0.5s'],
    [short, 'a', '--plot', '--json'],
    [short, 'a', '--width', '3'],
  ])
    expect((await called(trend, ...args)).code, args.join(' ')).not.toBe(EXIT.ok);
});
