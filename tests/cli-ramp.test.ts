/** The command "ramp" against a socket that answers as a rig does. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { ramp, sayRamp } from '../src/cli/ramp.ts';
import { type LocalReply, socketOf, user } from '../src/local.ts';
import type { RampShown } from '../src/ramp.ts';

const before = process.env.XDG_RUNTIME_DIR;
let folder = '';
let server: Server | undefined;
let answer: LocalReply = { ok: true };
const asked: unknown[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bridgman-ramp-'));
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
  const code = await ramp.run(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}

const going: RampShown = { output: 'cell.setpoint', state: 'ramping', from: 300, at: 350, to: 500, unit: 'K', left: 1800 };
const stopped: RampShown = { output: 'gas.pressure', state: 'stopped', from: 1e5, at: 2e5, to: 1e6, unit: 'Pa', why: 'stopped by ada' };

test('shows what is ramped', async () => {
  answer = { ok: true, status: { ramps: [going, stopped] } };
  expect(await run()).toEqual({
    code: 0,
    out: [
      'cell.setpoint  ramping  at 350 K    from 300 K to 500 K    30 min left\n',
      'gas.pressure   stopped  at 200 kPa  from 100 kPa to 1 MPa  stopped by ada\n',
    ].join(''),
    err: '',
  });
  expect(asked).toEqual([{ do: 'status' }]);
  expect(JSON.parse((await run('--json')).out)).toEqual([going, stopped]);
  answer = { ok: true, status: {} };
  expect((await run('--rig', 'cell7')).out).toBe('nothing has been ramped in this run\n');
});

test.each([
  ['hold', 'cell.setpoint: held\n'],
  ['resume', 'cell.setpoint: goes on\n'],
  ['stop', 'cell.setpoint: stopped; the output stays where it is\n'],
])('%s', async (what, out) => {
  expect(await run('cell.setpoint', what)).toEqual({ code: 0, out, err: '' });
  expect(asked).toEqual([{ do: 'ramp', by: user(), output: 'cell.setpoint', what }]);
});

test('refused: with the reason', async () => {
  answer = { ok: false, why: 'cell.setpoint is not held' };
  expect(await run('cell.setpoint', 'resume')).toEqual({ code: 3, out: '', err: 'bridgman: cell.setpoint is not held\n' });
});

test('wrong words are told and nothing is asked', async () => {
  for (const [args, said] of [
    [['cell.setpoint'], 'what is to be done with the ramp of cell.setpoint? hold, resume or stop'],
    [['cell.setpoint', 'resum'], 'a ramp is told hold, resume or stop, not "resum" (did you mean resume?)'],
    [['cell.setpoint', 'hold', 'gas.pressure'], 'one ramp at a time'],
    [['--all'], 'there is no option --all'],
  ] as const) {
    const { code, err } = await run(...args);
    expect(code).toBe(2);
    expect(err).toContain(said);
  }
  expect(asked).toEqual([]);
});

test('no such rig', async () => {
  expect(await run('--rig', 'cell8')).toEqual({ code: 5, out: '', err: 'bridgman: no rig "cell8" is running; running: cell7\n' });
});

test('while an order waits, it is said once that its output is ramped, and that it goes on without it', async () => {
  const answers: (LocalReply | undefined)[] = [
    undefined,
    { ok: true, status: { ramps: [stopped] } },
    { ok: true, status: { ramps: [stopped, going] } },
  ];
  const said = await new Promise<string>((done) => {
    sayRamp('cell.setpoint', { out: () => {}, err: done }, () => Promise.resolve(answers.shift()), 0);
  });
  expect(said).toBe(
    'cell.setpoint is ramped from 300 K to 500 K, about 30 min left; Ctrl-C leaves the ramp running (bridgman ramp cell.setpoint hold, or stop)\n',
  );
  expect(answers).toEqual([]);
  let looked = 0;
  const silent = { out: () => {}, err: () => {} };
  sayRamp('cell.setpoint', silent, () => Promise.resolve(void looked++), 0)();
  // Its timer would have come before this one's.
  await new Promise<void>((done) => {
    const end = sayRamp(
      'cell.setpoint',
      silent,
      () => {
        end();
        done();
        return Promise.resolve(undefined);
      },
      0,
    );
  });
  expect(looked).toBe(0);
});
