/** `bridgman export`: what it says of its arguments, and what it brings out of a session that is cut or damaged. */
import {
  copyFileSync,
  existsSync,
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
import { exportCommand } from '../src/cli/export.ts';
import { choice } from '../src/export/choice.ts';
import { type Report, written } from '../src/export/export.ts';
import { at, READINGS, record } from './export-session.ts';

const scratch = mkdtempSync(join(tmpdir(), 'bridgman-export-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const session = await record(join(scratch, 'session'));
let targets = 0;
const target = (): string => join(scratch, `target-${++targets}`);

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await exportCommand.run(args, { out: (t) => void (out += t), err: (t) => void (err += t) });
  expect(out + err).not.toMatch(/\bat .*\(?.*:\d+:\d+\)|node:internal|undefined|[^"]NaN/);
  return { code, out, err };
}

describe('arguments', () => {
  test.each([
    [['--to', 'csv'], 'a session and a target are wanted'],
    [[session, 'x', 'y', '--to', 'csv'], 'one session and one target, not also y'],
    [[session, 'x'], '--to is wanted: nexus, csv, line'],
    [[session, 'x', '--to', 'nexsus'], '--to takes nexus, csv, line, not "nexsus" (did you mean nexus?)'],
    [[session, 'x', '--to', 'csv', '--channels', 'a'], 'there is no option --channels (did you mean --channel?)'],
    [[session, 'x', '--to', 'csv', '--channel'], '--channel needs a value'],
    [[session, 'x', '--to', 'csv', '--from', 'noon'], '--from takes a time such as'],
    [[session, 'x', '--to', 'csv', '--from', '+5m'], '--from takes a time such as'],
    [[session, 'x', '--to', 'csv', '--from', '2026-13-01'], '--from takes a time such as'],
    [[session, 'x', '--to', 'csv', '--from', '+5s', '--until', '+4s'], '--from is not before --until'],
    [[session, '/nowhere/x', '--to', 'csv'], 'there is no folder /nowhere to write to'],
    [[session, scratch, '--to', 'line'], 'is a folder; --to line writes one file'],
    [[session, join(session, 'slow-0001.mcap'), '--to', 'line', '--force'], 'is in the session itself'],
    [[session, session, '--to', 'csv', '--force'], 'is in the session itself'],
    [[session, target(), '--to', 'csv', '--channel', 'up.temprature'], 'no channel "up.temprature"; did you mean "up.temperature"?'],
    [[session, target(), '--to', 'csv', '--channel', 'temperature'], 'no channel "temperature"; did you mean'],
    [[session, target(), '--to', 'csv', '--channel', 'laser.*,q.*'], 'no channel "q.*"'],
  ])('%j', async (args, says) => {
    const { code, err } = await run(...args);
    expect({ code, err }).toEqual({ code: EXIT.usage, err: expect.stringContaining(says) });
  });
  test('nothing is left of what was refused', () => expect(readdirSync(scratch)).toEqual(['session']));

  test.each([
    ['no folder', () => join(scratch, 'nowhere'), 'there is no folder'],
    ['a file', () => join(session, 'slow-0001.mcap'), 'is a file; a session is the folder'],
    ['no session', () => scratch, 'is no session: it has no parts'],
  ])('%s', async (_, path, says) => {
    const { code, err } = await run(path(), target(), '--to', 'csv');
    expect({ code, err }).toEqual({ code: EXIT.failed, err: expect.stringContaining(says) });
  });
});

describe('times', async () => {
  const seqs = async (...args: string[]): Promise<string[]> => {
    const to = target();
    expect(await run(session, to, '--to', 'csv', '--channel', 'up.temperature', ...args)).toMatchObject({ code: EXIT.ok });
    return [...readFileSync(join(to, 'up.temperature.csv'), 'utf8').matchAll(/,simulator,(\d+),/g)].map(([, seq = '']) => seq);
  };
  // The session begins at 2026-11-22T23:59:59.123457Z, with one reading a second.
  test.each([
    [
      ['--from', '+1s', '--until', '+3s'],
      ['1', '2'],
    ],
    [
      ['--from', '2026-11-23T00:00:02.123457Z', '--until', '2026-11-23 01:00:04+01:00'],
      ['3', '4'],
    ],
    [['--until', '2026-11-23'], ['0']],
    [['--until', '23:59:59.2'], ['0']],
  ])('%j', async (args, wanted) => expect(await seqs(...args)).toEqual(wanted));
  test('with none of a channel in them it says so', async () => {
    const { code, err } = await run(session, target(), '--to', 'csv', '--channel', 'up.temperature', '--from', '+1h');
    expect({ code, err }).toEqual({ code: EXIT.ok, err: expect.stringContaining('no readings') });
  });
});

test('--json says what was written', async () => {
  const to = target();
  const { out } = await run(session, to, '--to', 'csv', '--json', '--channel', 'laser.*', '--channel=up.*');
  const report: Report = JSON.parse(out);
  expect(report).toMatchObject({
    form: 'csv',
    target: to,
    channels: { 'laser.output_power': 1, 'laser.emission': 3, 'laser.state': 3, 'up.temperature': 12 },
    trouble: [],
    lost: {},
    strange: 0,
  });
  expect(report.bytes).toBe(Object.values(report.files).reduce((n, file) => n + statSync(join(to, file)).size, 0));
});

describe('patterns', () => {
  test.each([
    ['laser', ['laser.power', 'laser.power[2]'], ['lasers.power', 'a.laser']],
    ['laser.*', ['laser.power'], ['laser', 'xlaser.power']],
    ['*.power', ['laser.power', 'laser.power[0]'], ['laser.powers']],
    ['hv.bias[1]', ['hv.bias[1]'], ['hv.bias[11]', 'hv.bias', 'hv.bias1']],
    ['hv.bias', ['hv.bias', 'hv.bias[1]'], ['hv.biases']],
    ['hv.b?as', ['hv.bias'], ['hv.bas']],
    ['h.v', ['h.v'], ['hxv']],
  ])('%s', (pattern, yes, no) => {
    const { wants } = choice({ channels: [pattern] });
    expect([yes.map((name) => wants(name)), no.map((name) => wants(name))]).toEqual([yes.map(() => true), no.map(() => false)]);
  });
});

describe('a session that is not whole', () => {
  const copied = (): string => {
    const folder = join(scratch, `damaged-${++targets}`);
    mkdirSync(folder);
    for (const file of readdirSync(session)) copyFileSync(join(session, file), join(folder, file));
    return folder;
  };
  const all = async (folder: string): Promise<Report[]> =>
    Promise.all((['nexus', 'csv', 'line'] as const).map((form) => written({ session: folder, form, target: '' }, target())));

  test('cut in half: what is there, and what is lost', async () => {
    const folder = copied();
    const slow = join(folder, 'slow-0001.mcap');
    truncateSync(slow, Math.floor(statSync(slow).size / 2));
    for (const report of await all(folder)) {
      const { trouble, channels } = report;
      expect(trouble).toMatchObject([{ kind: 'cut', part: 'slow-0001' }]);
      const n = Object.values(channels).reduce((sum, one) => sum + one, 0);
      expect(n).toBeGreaterThan(5);
      expect(n).toBeLessThan(READINGS.length);
    }
    const { code, err } = await run(folder, target(), '--to', 'line');
    expect({ code, err }).toEqual({ code: EXIT.ok, err: expect.stringContaining('lost: slow-0001: ') });
  });

  test('without its traces: their readings are bad, and say why', async () => {
    const folder = copied();
    unlinkSync(join(folder, 'raw-traces-0001.mcap'));
    const to = target();
    const { err } = await run(folder, to, '--to', 'csv');
    expect(err).toContain('lost: the numbers of 9 traces');
    expect(readFileSync(join(to, 'source.block.bad.csv'), 'utf8')).toContain('bad,its numbers are lost,');
    expect(existsSync(join(to, 'source.block.csv'))).toBe(false);
  });

  test('without its slow part: what the raw parts have', async () => {
    const folder = copied();
    unlinkSync(join(folder, 'slow-0001.mcap'));
    const [nexus, csv, line] = await all(folder);
    expect(nexus).toMatchObject({ hits: 20, channels: { 'camera.spectrum': 4 }, trouble: [{ kind: 'missing', part: 'slow-0001' }] });
    expect(csv?.channels).toEqual(nexus?.channels);
    expect(line?.channels).toEqual({});
  });

  test('any byte of any part wrong: never an exception, and never silence', async () => {
    const before = await all(session);
    for (const file of readdirSync(session)) {
      const bytes = readFileSync(join(session, file));
      for (let i = 0; i < 4; i++) {
        const folder = copied();
        const flipped = Uint8Array.from(bytes);
        const place = Math.floor((bytes.length * (i + 0.5)) / 4);
        flipped[place] = (flipped[place] ?? 0) ^ 0x55;
        writeFileSync(join(folder, file), flipped);
        for (const [k, { trouble, lost, strange, channels, hits }] of (await all(folder)).entries()) {
          const same = JSON.stringify([channels, hits]) === JSON.stringify([before[k]?.channels, before[k]?.hits]);
          const told = trouble.length + Object.keys(lost).length + strange > 0;
          expect({ file, place, silent: !same && !told }).toEqual({ file, place, silent: false });
        }
      }
    }
  });

  test('messages that are something else are counted', async () => {
    const folder = await record(join(scratch, 'odd'), [
      ...READINGS,
      { from: 'a.b', kind: 'K', t: at(1), seq: 0, quality: 'fine', value: 1 } as never,
      { from: 'a.b', kind: 'K', t: null, seq: 0, quality: 'good', value: 1 } as never,
      { from: 'a.b', kind: 'K', t: at(1), seq: 0, quality: 'good', value: 'text' } as never,
      { from: 'a.b', kind: 'K', t: at(1), seq: 1, quality: 'good', value: Number.NaN, origin: 'simulator' },
    ]);
    for (const { strange, channels } of await all(folder)) expect([strange, channels['a.b']]).toEqual([3, 1]);
  });
});
