/** Locks that the kernel keeps: one of many takes them, and a process that is killed leaves none behind. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { folderKey, type Holder, takeLocks } from '../src/guardian/lock.ts';

const me = (): Holder => ({ rig: 'cell7', pid: process.pid, user: 'ann', since: 'noon', session: '/s/1' });
const key = (name: string): string => `test ${process.pid} ${name}`;

test.skipIf(process.platform !== 'linux')('twenty at the same moment: one has it, the others are told who', async () => {
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => takeLocks([key('a'), key('b')], me)));
  const had = results.flatMap((r) => (r.status === 'fulfilled' ? [r.value] : []));
  const not = results.flatMap((r) => (r.status === 'rejected' ? [String(r.reason)] : []));
  expect([had.length, not.length]).toEqual([1, 19]);
  expect(new Set(not)).toEqual(
    new Set([`LocalError: this rig is already running: process ${process.pid} of ann runs cell7 since noon, session /s/1`]),
  );
  had[0]?.release();
  (await takeLocks([key('a'), key('b')], me)).release();
});

test.skipIf(process.platform !== 'linux')('who cannot have the second one gives the first one back', async () => {
  const other = await takeLocks([key('second')], me);
  await expect(takeLocks([key('first'), key('second')], me)).rejects.toMatchObject({ code: 'LOCAL_RUNNING' });
  (await takeLocks([key('first')], me)).release();
  other.release();
});

test('a folder is the same one under any of its names', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bridgman-lock-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  symlinkSync(folder, join(folder, 'alias'));
  expect(await folderKey(join(folder, 'alias'))).toBe(await folderKey(`${folder}/.`));
  expect(await folderKey(tmpdir())).not.toBe(await folderKey(folder));
});

test.skipIf(process.platform !== 'linux')('a name that says nothing, or nonsense, is held all the same', async () => {
  const { createHash } = await import('node:crypto');
  const name = `\0bridgman ${createHash('sha256').update(key('odd')).digest('hex').slice(0, 40)}`;
  const server = createServer((socket) => socket.end('what?\n'));
  await new Promise<void>((done) => server.listen(name, done));
  onTestFinished(() => void server.close());
  await expect(takeLocks([key('odd')], me)).rejects.toThrow('its guardian does not say who it is');
});

test.skipIf(process.platform !== 'linux')('a process that is killed leaves nothing behind', async () => {
  const { createHash } = await import('node:crypto');
  const name = `bridgman ${createHash('sha256').update(key('killed')).digest('hex').slice(0, 40)}`;
  const child = spawn(
    process.execPath,
    ['-e', `require('net').createServer(s => s.end()).listen('\\0${name}', () => console.log('there'))`],
    {
      cwd: resolve(import.meta.dirname),
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  await new Promise((there) => child.stdout.once('data', there));
  await expect(takeLocks([key('killed')], me)).rejects.toMatchObject({ code: 'LOCAL_RUNNING' });
  const ended = new Promise((done) => child.once('exit', done));
  child.kill('SIGKILL');
  await ended;
  (await takeLocks([key('killed')], me)).release();
});
