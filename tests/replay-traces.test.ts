/** Sessions whose traces have lost their numbers: all else is replayed, and what is lost is named. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { nodesOf } from '../src/methods.ts';
import { type Replayed, replay } from '../src/replay/replay.ts';
import { recorded, rigNamed } from './replay-session.ts';

const known = await catalogue();
const rig = await rigNamed('demo', known);
const recording = await recorded(rig, known, { seconds: 15 });
afterAll(() => recording.remove());

async function without(change: (part: string) => Promise<void>, gone = 'none'): Promise<Replayed> {
  const folder = await mkdtemp(join(tmpdir(), 'bridgman-traces-'));
  try {
    await cp(recording.folder, folder, { recursive: true });
    for (const name of await readdir(folder)) if (name.startsWith(gone)) await rm(join(folder, name));
    for (const name of await readdir(folder)) if (name.startsWith('raw-traces')) await change(join(folder, name));
    return await replay({ folder, rig, nodes: nodesOf(rig), catalogue: known });
  } finally {
    await rm(folder, { recursive: true });
  }
}

test.each([
  ['the part is not there', (part: string) => rm(part)],
  [
    'it is cut in its middle',
    async (part: string) => writeFile(part, (await readFile(part)).subarray(0, (await readFile(part)).length >> 1)),
  ],
])('%s', async (_, change) => {
  const { verdict, readings, changes, taken, lost } = await without(change);
  expect(changes).toEqual([]);
  expect(verdict).toBe('identical');
  const count = lost['numbers of traces'];
  expect(count).toBeGreaterThan(3);
  // The traces are made again of the files that came, and so is all that is derived of them.
  expect(taken).toEqual([{ channel: 'camera.spectrum', why: 'the numbers of the trace are not in the session', count }]);
  expect(readings.same).toBe(readings.recorded - readings.host - (count ?? 0));
});

test('where the files are lost as well, what is derived of them is not compared', async () => {
  const { verdict, changes, taken } = await without((part) => rm(part), 'raw-folder');
  expect(changes).toEqual([]);
  expect(verdict).toBe('identical');
  expect(taken.map(({ channel }) => channel)).toEqual(expect.arrayContaining(['camera.spectrum', 'up.temperature', 'down.wien']));
});
