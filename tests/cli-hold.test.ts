/** The command "hold" against a socket that answers as a rig does, and the live screen's line. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { hold } from '../src/cli/hold.ts';
import type { FeedbackStatus, OrderEntry, Status } from '../src/entry.ts';
import { type LocalReply, socketOf, user } from '../src/local.ts';
import { feedbackLines } from '../src/recorder/view-head.ts';

const before = process.env.XDG_RUNTIME_DIR;
let folder = '';
let server: Server | undefined;
let answer: LocalReply = { ok: true };
const asked: unknown[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bridgman-hold-'));
  process.env.XDG_RUNTIME_DIR = folder;
  server = createServer((socket) => {
    socket.setEncoding('utf8');
    socket.on('error', () => socket.destroy());
    socket.on('data', (line: string) => {
      asked.push(JSON.parse(line));
      socket.write(`${JSON.stringify(answer)}\n`);
    });
  });
  const path = socketOf('cell7');
  await new Promise<void>((done) => server?.listen(path, done));
});
beforeEach(() => {
  asked.length = 0;
  answer = { ok: true };
});
afterAll(async () => {
  await new Promise((done) => server?.close(done));
  if (before === undefined) delete process.env.XDG_RUNTIME_DIR;
  else process.env.XDG_RUNTIME_DIR = before;
  rmSync(folder, { recursive: true });
});

async function run(...args: string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  let out = '';
  let err = '';
  const code = await hold.run(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}

const about = { name: 'heating', holds: ['up.temperature'], unit: 'K', output: 'laser.current', outputUnit: '1' } as const;
const going: FeedbackStatus = {
  ...about,
  state: 'holding',
  setpoint: 2900,
  target: 3000,
  at: 0.421,
  measured: 2893.4,
  sigma: 4.1,
  limited: 'rate',
};
const over: FeedbackStatus = { ...about, name: 'gas', state: 'released', why: 'up.temperature: dark; off: laser.current 0' };
const idle: FeedbackStatus = { ...about, name: 'heater', state: 'idle' };
const order = (outcome: OrderEntry['outcome'], why?: string): OrderEntry => ({
  id: 7,
  t: 0,
  by: 'ada',
  instrument: 'laser',
  command: 'current',
  outcome,
  ...(why === undefined ? {} : { why }),
});

test('shows what is held', async () => {
  answer = { ok: true, status: { feedback: [going, over, idle] } };
  expect(await run()).toEqual({
    code: 0,
    out: [
      'heating  holding   3000 K (now 2900 K)  measured 2893.4 ± 4.1 K  laser.current at 0.421  limit: rate\n',
      'gas      released                       not measured             laser.current           up.temperature: dark; off: laser.current 0\n',
      'heater   idle                           not measured             laser.current\n',
    ].join(''),
    err: '',
  });
  expect(asked).toEqual([{ do: 'status' }]);
  expect(JSON.parse((await run('--json')).out)).toEqual([going, over, idle]);
  answer = { ok: true, status: {} };
  expect((await run('--rig', 'cell7')).out).toBe('this rig has no feedback\n');
});

test('a set point is an order of the loop', async () => {
  answer = { ok: true, order: order('done') };
  expect(await run('heating', '3000 K')).toEqual({ code: 0, out: 'heating: holds 3000 K\n', err: '' });
  expect(await run('heating', '3000', 'K')).toMatchObject({ code: 0 });
  const wanted = { do: 'order', order: { by: user(), instrument: 'feedback', command: 'heating', written: '3000 K' } };
  expect(asked).toEqual([wanted, wanted]);
  answer = { ok: true, order: order('refused', 'up.temperature: dark') };
  expect(await run('heating', '3000 K')).toEqual({ code: 3, out: '', err: 'bridgman: heating: refused: up.temperature: dark\n' });
  expect(JSON.parse((await run('heating', '3000 K', '--json')).out)).toMatchObject({ outcome: 'refused' });
});

test('release and off', async () => {
  expect(await run('heating', 'release')).toEqual({ code: 0, out: 'heating: released; the output stays where it is\n', err: '' });
  expect(asked).toEqual([{ do: 'hold', by: user(), loop: 'heating', what: 'release' }]);
  answer = { ok: true, order: order('done') };
  expect(await run('heating', 'off')).toEqual({ code: 0, out: 'heating: released, laser.current is off\n', err: '' });
  answer = { ok: true, order: order('unknown', 'link down') };
  expect(await run('heating', 'off')).toEqual({ code: 1, out: '', err: 'bridgman: heating: unknown: link down\n' });
  answer = { ok: false, why: 'heating does not hold anything' };
  expect(await run('heating', 'release')).toEqual({ code: 3, out: '', err: 'bridgman: heating does not hold anything\n' });
});

test('wrong words, and no such rig', async () => {
  expect(await run('heating')).toMatchObject({
    code: 2,
    err: expect.stringContaining('what is to be done with heating? A set point such as'),
  });
  expect(await run('--all')).toMatchObject({ code: 2 });
  expect(asked).toEqual([]);
  expect(await run('--rig', 'cell8')).toEqual({ code: 5, out: '', err: 'bridgman: no rig "cell8" is running; running: cell7\n' });
});

test('the line of the live screen', () => {
  const status = { feedback: [going, over, idle] } as unknown as Status; // nothing else is looked at
  expect(feedbackLines(status, (code, text) => `<${code}>${text}`)).toEqual([
    'feedback heating: holding at 2900 K on the way to 3000 K, measured 2893.4 ± 4.1 K, laser.current at 0.421 (limit: rate)',
    '<1;31>feedback gas: released: up.temperature: dark; off: laser.current 0',
  ]);
  expect(feedbackLines(undefined, (_, text) => text)).toEqual([]);
});
