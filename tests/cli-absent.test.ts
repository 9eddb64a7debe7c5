/** A run whose instruments are not there: what is said of them, at a stop, for start orders, and at the end. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { entry, start } from './bench-top.ts';

let folder = '';
let rig = '';
let env: NodeJS.ProcessEnv = {};
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bridgman-absent-'));
  rig = join(folder, 'a rig');
  env = { XDG_RUNTIME_DIR: folder };
  // A port that was free a moment ago: nobody listens there.
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  await new Promise((done) => server.close(done));
  mkdirSync(rig);
  writeFileSync(
    join(rig, 'rig.yaml'),
    `rig: absent
instruments:
  laser:
    model: ipg-ylr
    link: tcp:127.0.0.1:${address.port}
    leases:
      emission: { longest: 1 h, deadline: 0.5 s, then: safe, interlock: none }
      current: { longest: 1 h, deadline: 0.5 s, then: safe, interlock: none }
start:
  - { order: laser.current, value: 20 % }
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('an output that was never met is not called safe; waiting start orders are named; Ctrl-C ends it well', async () => {
  const running = start(['run', rig], env);
  try {
    await running.said('nobody listens there');
    const { status, stdout, stderr } = spawnSync(process.execPath, [entry, 'stop'], { env: { ...process.env, ...env }, encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 5, stdout: '' });
    expect(stderr).toContain('NO ANSWER from laser.emission (it has not been there since the run began): use the wall button');
    expect(stderr).toContain('NO ANSWER from laser.current');
    await running.said('laser is not there: 1 of the start orders wait for it');
  } finally {
    running.child.kill('SIGINT');
  }
  expect(await running.exit).toBe(0);
  expect(running.out()).toContain('no reading of: laser');
}, 60_000);

test('a summary that cannot be written is refused before the run', () => {
  for (const file of [join(folder, 'nowhere', 'x.json'), folder]) {
    const { status, stderr } = spawnSync(process.execPath, [entry, 'run', rig, '--summary', file], {
      env: { ...process.env, ...env },
      encoding: 'utf8',
    });
    expect(status).toBe(2);
    expect(stderr).toContain(`--summary: ${file}`);
  }
});
