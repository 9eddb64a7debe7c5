/** A rig is run once: of twenty starts at the same moment, from two logins, one lives, and no byte of another reaches an instrument. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { childrenOf, needs, type Running, start, until } from './bench-top.ts';
import { harmLab } from './harm-lab.ts';
import { sessionsOf } from './proof.ts';

const known = await catalogue();
const STARTS = 20;
const LOGINS = 2;

describe.skipIf(!needs('Linux with abstract sockets', process.platform === 'linux'))('twenty starts of one rig', () => {
  test('one lives, the others say why and end; every byte comes from the one', async () => {
    const lab = await harmLab(known, { laser: 'tcp' });
    onTestFinished(() => lab.close());
    const { clock, heard } = lab.bench;
    const logins = Array.from({ length: LOGINS }, (_, i) => {
      const folder = join(lab.folder, `login-${i}`);
      mkdirSync(folder, { mode: 0o700 });
      return folder;
    });
    const runs = Array.from({ length: STARTS }, (_, i) => start(['run', lab.rig], { XDG_RUNTIME_DIR: logins[i % LOGINS] }));
    onTestFinished(async () => {
      for (const { child } of runs) {
        for (const pid of child.pid === undefined ? [] : childrenOf(child.pid)) {
          try {
            process.kill(pid, 'SIGKILL');
          } catch {
            // it has ended
          }
        }
        child.kill('SIGKILL');
      }
      await Promise.all(runs.map((run) => run.exit));
    });
    const codes = new Map<Running, number | null>();
    for (const run of runs) void run.exit.then((code) => codes.set(run, code));
    expect(await until(clock, 180, () => codes.size >= STARTS - 1), runs.map((r) => r.out()).join('\n---\n')).toBe(true);
    const [one, ...more] = runs.filter((run) => !codes.has(run));
    if (!one) throw new Error(`none lives:\n${runs.map((r) => r.out()).join('\n---\n')}`);
    expect(more.length).toBe(0);
    for (const instrument of ['laser', 'gas', 'oven', 'guard']) await one.said(`${instrument}: is there`);
    await until(clock, 2, () => false);
    expect(codes.size, 'the last one has ended, too').toBe(STARTS - 1);
    for (const [run, code] of codes) {
      expect(code, run.out()).toBe(1);
      expect(run.out()).toMatch(/this rig is already running/);
      expect(run.out()).not.toMatch(/\n\s+at /); // no stack trace
    }
    // Each connection is a client of its own: all that was heard came over the first.
    for (const device of Object.keys(lab.devices)) {
      const clients = new Set(heard.filter((h) => h.from === device).map((h) => h.client));
      expect([...clients], `clients of ${device}`).toEqual([1]);
    }
    expect(lab.effects(0)).toEqual([]);
    expect(sessionsOf(join(lab.disk, 'sessions')).length).toBe(1);
    one.child.kill('SIGINT');
    expect(await one.exit, one.out()).toBe(0);
  });
});
