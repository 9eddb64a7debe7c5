/** `bridgman run` and its neighbours as people use them: real processes, a rig of simulators, the local socket. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OrderEntry } from '../src/entry.ts';
import type { Summary } from '../src/recorder/recorder.ts';
import { entry, root, start } from './bench-top.ts';

let folder = '';
let env: NodeJS.ProcessEnv = {};
let rig = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bridgman-run-'));
  env = { XDG_RUNTIME_DIR: folder };
  rig = join(folder, 'demo');
  cpSync(resolve(root, 'rigs/demo'), rig, { recursive: true, filter: (path) => !path.endsWith('sessions') });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (...args: string[]) =>
  spawnSync(process.execPath, [entry, ...args], { cwd: root, env: { ...process.env, ...env }, encoding: 'utf8', maxBuffer: 64 << 20 });
const sessions = (): string[] =>
  readdirSync(join(rig, 'sessions'), { withFileTypes: true }).flatMap((f) => (f.isDirectory() ? [f.name] : []));
const summaryOf = (file: string): Summary => JSON.parse(readFileSync(file, 'utf8')) as Summary; // written by --summary

const FIELDS = ['channel', 'index', 'instrument', 'origin', 'quality', 'sigma', 't', 'unit', 'value', 'why'];

describe('a run by itself', () => {
  test('--print jsonl: one reading a line, and the summary counts the same', () => {
    const file = join(folder, 'summary.json');
    const { status, stdout, stderr } = run('run', rig, '--simulate', '--for', '3s', '--print', 'jsonl', '--summary', file);
    expect(status, stderr).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(stdout.endsWith('\n')).toBe(true);
    const counted: Record<string, number> = {};
    let latest = 0;
    for (const line of lines) {
      const r = JSON.parse(line) as Record<string, unknown>; // a line of readings
      expect(Object.keys(r).sort(), line).toEqual(FIELDS);
      expect(Number.isInteger(r.t)).toBe(true);
      expect(['good', 'suspect', 'bad']).toContain(r.quality);
      expect(r.origin).toBe('simulator');
      if (r.quality === 'bad') expect(r.value).toBe(null);
      else expect(['number', 'string', 'boolean', 'object']).toContain(typeof r.value);
      if (r.quality === 'bad') expect(typeof r.why).toBe('string');
      if (r.unit !== null && r.quality !== 'bad') expect(Number.isFinite(r.value)).toBe(true);
      if (r.sigma !== null) expect(r.sigma).toBeGreaterThanOrEqual(0);
      const name = `${r.instrument}.${r.channel}${r.index === null ? '' : `[${r.index}]`}`;
      counted[name] = (counted[name] ?? 0) + 1;
      latest = Math.max(latest, Number(r.t));
    }
    expect(Math.abs(latest / 1000 - Date.now())).toBeLessThan(60_000);
    const summary = summaryOf(file);
    expect(Object.fromEntries(Object.entries(summary.channels).map(([n, c]) => [n, c.good + c.suspect + c.bad]))).toEqual(counted);
    expect(counted['laser.set_point']).toBeGreaterThan(5);
    expect(summary.lost).toEqual([]);
    expect(stderr).toContain('Simulated run of demo');
    expect(sessions().length).toBe(1);
  });

  test('wrong arguments end with 2 and a sentence; a rig that is wrong with 4', () => {
    for (const args of [[], [rig, '--for', '5 bar'], [rig, '--for', 'soon'], [rig, '--seed', 'x'], [rig, '--print', 'xml'], [rig, rig]]) {
      const { status, stderr } = run('run', ...args);
      expect(status, args.join(' ')).toBe(2);
      expect(stderr).not.toContain('    at ');
    }
    const { status, stderr } = run('run', join(folder, 'nothing'));
    expect(status).toBe(4);
    expect(stderr).toContain('there is no such file');
  });

  test('without a run, order, note, mark and stop say so', () => {
    expect(run('stop')).toMatchObject({ status: 5, stderr: expect.stringContaining('NO ANSWER: use the wall button') });
    for (const args of [
      ['order', 'laser', 'current', '5%'],
      ['note', 'hello'],
      ['mark', 'run', 'start'],
    ]) {
      const { status, stderr } = run(...args);
      expect(status).toBe(5);
      expect(stderr).toContain('no rig is running');
    }
  });
});

describe('a run among people', () => {
  test('orders, notes, marks, stop; a second run is refused; Ctrl-C ends it in order, everything safe', async () => {
    const file = join(folder, 'people.json');
    const first = start(['run', rig, '--simulate', '--summary', file], env);
    try {
      await first.said(/order laser\.emission on \(rig\): done/);
      const before = sessions().length;

      const second = run('run', rig, '--simulate', '--for', '5s');
      expect(second.status).toBe(1);
      expect(second.stderr).toContain('this rig is already running');
      expect(sessions().length).toBe(before);

      const order = run('order', 'gas', 'pressure', '12 bar', '--json');
      expect(order.status, order.stderr).toBe(0);
      expect(JSON.parse(order.stdout) as OrderEntry).toMatchObject({
        instrument: 'gas',
        command: 'pressure',
        value: 12e5,
        outcome: 'done',
      });
      expect(run('order', 'gas', 'pressure', '900 bar')).toMatchObject({ status: 3, stdout: expect.stringMatching(/^refused: .*limits/) });
      expect(run('order', 'gas', 'presure', '1 bar')).toMatchObject({ status: 3, stdout: expect.stringContaining('it has') });
      expect(run('note', 'moved by 20 µm')).toMatchObject({ status: 0, stdout: 'noted\n' });
      expect(run('mark', 'run', 'start')).toMatchObject({ status: 0, stdout: 'run 1 start\n' });
      expect(run('mark', 'run', 'start')).toMatchObject({ status: 3, stderr: 'bridgman: run 1 has not been stopped yet\n' });
      await first.said('moved by 20 µm');

      expect(run('stop')).toMatchObject({ status: 0, stdout: expect.stringContaining('every hazardous output is safe and read back') });
      expect(run('order', 'laser', 'emission', 'on')).toMatchObject({ status: 3, stdout: expect.stringContaining('acknowledge first') });
      expect(run('order', 'rig', 'acknowledge')).toMatchObject({ status: 0, stdout: 'acknowledged\n' });
      expect(run('order', 'laser', 'emission', 'on')).toMatchObject({
        status: 3,
        stdout: 'refused: the interlock "relay" does not hold: guard.relay is off, not on\n',
      });
      expect(run('order', 'guard', 'relay', 'on')).toMatchObject({ status: 0, stdout: 'done\n' });
      expect(run('order', 'laser', 'emission', 'on')).toMatchObject({ status: 0, stdout: 'done\n' });

      first.child.kill('SIGINT');
      expect(await first.exit, first.out()).toBe(0);
      expect(first.out()).toContain('ending: outputs are made safe');
      const summary = summaryOf(file);
      expect(summary.last['laser.emission']).toMatchObject({ quality: 'good', value: false });
      expect(summary.last['laser.set_point']).toMatchObject({ quality: 'good', value: 0 });
      expect(readdirSync(join(folder, 'bridgman'))).toEqual([]); // no socket is left behind
    } finally {
      first.child.kill('SIGKILL');
      await first.exit;
    }
  }, 60_000);

  test('whatever comes over the local socket is answered in words, and the run goes on', async () => {
    const first = start(['run', rig, '--simulate'], env);
    try {
      await first.said('gas: is there');
      const said = await new Promise<string>((done, failed) => {
        const socket = connect(join(folder, 'bridgman', 'demo.sock'));
        let text = '';
        const lines = [
          'nonsense',
          'null',
          '[]',
          '{"do":"order"}',
          '{"do":"order","order":{"by":"x","instrument":1}}',
          '{"do":"order","order":{"by":"x","instrument":"laser","command":"constructor","written":{"a":1}}}',
          '{"do":"order","order":{"by":"x","instrument":"laser","command":"constructor","written":"1"}}',
          '{"do":"order","order":{"by":"x","instrument":"laser","command":"current","written":"5 toString"}}',
          '{"do":"mark","what":"sideways","by":"x"}',
          '{"do":"note","by":"x"}',
          '{"do":"dance"}',
          '{"do":"status"}',
        ];
        socket.on('connect', () => socket.write(`${lines.join('\n')}\n`));
        socket.on('error', failed);
        socket.setEncoding('utf8');
        socket.on('data', (more: string) => {
          text += more;
          if (text.split('\n').length > lines.length) {
            socket.destroy();
            done(text);
          }
        });
      });
      const answers = said
        .trimEnd()
        .split('\n')
        .map((l) => JSON.parse(l) as { ok: boolean; why?: string; status?: object });
      expect(answers.filter((a) => a.status).length).toBe(1);
      expect(answers.filter((a) => !a.ok).length).toBe(9);
      for (const a of answers) expect(a.why ?? '').not.toMatch(/TypeError|undefined| {4}at /);
      expect(run('order', 'gas', 'slew', '2 bar/s')).toMatchObject({ status: 0 });
    } finally {
      first.child.kill('SIGINT');
      expect(await first.exit, first.out()).toBe(0);
    }
  }, 60_000);

  test('a second Ctrl-C ends at once, with the session whole', async () => {
    const file = join(folder, 'twice.json');
    const first = start(['run', rig, '--simulate', '--summary', file], env);
    await first.said('laser: is there');
    first.child.kill('SIGINT');
    first.child.kill('SIGTERM');
    expect(await first.exit, first.out()).toBe(130);
    expect(first.out()).not.toContain('ended by itself');
    expect(Object.keys(summaryOf(file).channels).length).toBeGreaterThan(0);
  }, 60_000);
});
