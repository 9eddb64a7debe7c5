/** The systemd units as systemd itself reads them, and a run that tells a made-up systemd how it is. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { realClock } from '../src/clock.ts';
import { needs, root, start, until } from './bench-top.ts';
import { place } from './proof.ts';

const has = (program: string): boolean => spawnSync(program, ['--version']).status === 0;
const hasAnalyze = needs('systemd-analyze', has('systemd-analyze'));
const canNotify = needs('systemd-notify', has('systemd-notify')) && needs('perl', has('perl'));
/** Prints each datagram of a socket, as systemd would take it. */
const LISTEN =
  'use Socket; $| = 1; socket(S, AF_UNIX, SOCK_DGRAM, 0); bind(S, pack_sockaddr_un($ARGV[0])) or die; while (defined recv(S, $m, 4096, 0)) { print "$m\\n" }';

const UNITS = ['systemd/bridgman@.service', 'systemd/user/bridgman@.service'] as const;

describe.skipIf(!hasAnalyze)('the units (needs systemd-analyze)', () => {
  const verify = (unit: string, user: boolean): { readonly status: number | null; readonly said: string } => {
    const at = place();
    const { status, stdout, stderr } = spawnSync('systemd-analyze', [...(user ? ['--user'] : []), 'verify', unit], {
      encoding: 'utf8',
      env: { ...process.env, ...at.env },
    });
    return { status, said: `${stdout}${stderr}` };
  };

  test.each(UNITS)('%s: not a word against it', (unit) => {
    expect(verify(resolve(root, unit), unit.includes('user'))).toEqual({ status: 0, said: '' });
  });

  test.each(UNITS)('%s: what is wrong in it would be said', (unit) => {
    const folder = join(place().folder, 'units');
    mkdirSync(folder);
    const wrong = join(folder, 'bridgman@.service');
    for (const line of ['Type=notify', 'WatchdogSec=30', 'KillMode=control-group', 'Restart=on-failure']) {
      const text = readFileSync(resolve(root, unit), 'utf8');
      expect(text).toContain(`\n${line}\n`);
      writeFileSync(wrong, text.replace(`\n${line}\n`, `\n${line}x\n`));
      expect(verify(wrong, unit.includes('user')).said, line).toContain('bridgman@.service');
    }
  });
});

describe.skipIf(!canNotify)('a run under systemd (needs systemd-notify and perl)', () => {
  test('READY when the host is up, WATCHDOG while it is well, nothing while it is stopped, STOPPING at the end', async () => {
    const clock = realClock();
    const at = place();
    const socket = join(at.folder, 'notify');
    const heard: string[] = [];
    const listener = spawn('perl', ['-e', LISTEN, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void listener.kill('SIGKILL'));
    listener.stdout.on('data', (data: Buffer) =>
      heard.push(
        ...data
          .toString('utf8')
          .split('\n')
          .filter((word) => word !== ''),
      ),
    );
    expect(await until(clock, 10, () => spawnSync('test', ['-S', socket]).status === 0)).toBe(true);
    const count = (word: string): number => heard.filter((h) => h === word).length;
    const rig = join(at.folder, 'rig.yaml');
    writeFileSync(
      rig,
      `rig: notify-${process.pid}\ninstruments:\n  gas: { model: druck-pace, link: simulated, leases: { control: unused } }\n`,
    );
    const run = start(['run', rig, '--simulate'], { ...at.env, NOTIFY_SOCKET: socket, WATCHDOG_USEC: '3000000' });
    onTestFinished(() => void run.child.kill('SIGKILL'));
    const hears = async (what: string, is: () => boolean, seconds = 60): Promise<void> => {
      expect(await until(clock, seconds, is), `${what}: ${heard.join(' ')}\n${run.out()}`).toBe(true);
    };
    await hears('READY', () => count('READY=1') === 1);
    await hears('WATCHDOG', () => count('WATCHDOG=1') >= 3);
    expect(heard[0]).toBe('READY=1');
    const host = run.pid('host-process');
    process.kill(host, 'SIGSTOP');
    // It may be fed for as long as the host was heard a moment ago, and no longer.
    await until(clock, 5, () => false);
    const n = count('WATCHDOG=1');
    await until(clock, 5, () => false);
    expect(count('WATCHDOG=1'), heard.join(' ')).toBe(n);
    process.kill(host, 'SIGCONT');
    await hears('WATCHDOG again', () => count('WATCHDOG=1') > n);
    run.child.kill('SIGTERM');
    expect(await run.exit, run.out()).toBe(0);
    await hears('STOPPING', () => count('STOPPING=1') === 1, 10);
    expect(count('READY=1')).toBe(1);
    expect(run.out()).not.toContain('systemd may not');
  });

  test('a systemd that hears nothing is no reason to end: it is said once', async () => {
    const at = place();
    const rig = join(at.folder, 'rig.yaml');
    writeFileSync(
      rig,
      `rig: deaf-${process.pid}\ninstruments:\n  gas: { model: druck-pace, link: simulated, leases: { control: unused } }\n`,
    );
    const run = start(['run', rig, '--simulate', '--for', '4s'], {
      ...at.env,
      NOTIFY_SOCKET: join(at.folder, 'nobody'),
      WATCHDOG_USEC: '1000000',
    });
    expect(await run.exit, run.out()).toBe(0);
    expect(run.out().match(/systemd may not hear how this run is/g)?.length, run.out()).toBe(1);
  });
});
