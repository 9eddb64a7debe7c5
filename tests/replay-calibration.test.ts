/** Calibrations in a replay: one that came while the rig ran comes at its place; another one in its place changes what it is of. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { EXIT } from '../src/cli/command.ts';
import { replayCommand } from '../src/cli/replay.ts';
import { printRecord } from '../src/derive/calibration-record.ts';
import { nodesOf } from '../src/methods.ts';
import { type Replayed, replay } from '../src/replay/replay.ts';
import { readCalibration, sealed } from '../src/rig-calibrations.ts';
import { type Recording, recorded, rigNamed } from './replay-session.ts';

const known = await catalogue();
const heating = resolve(import.meta.dirname, '../rigs/laser-heating');
const LEARNT = 8; // seconds
const EXPOSURE = 0.5e6; // microseconds: a spectrum bears the time at which it was exposed, and is used when it has come

let recording: Recording;
let scratch: string;
let text: string;
let id: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'bridgman-calibrated-'));
  const { calibration } = await readCalibration(join(heating, 'calibrations/lamp-us.yaml'));
  if (!calibration?.record.lamp || !('temperature' in calibration.record.lamp)) throw new Error('a lamp with a temperature is wanted');
  const { record } = calibration;
  const hotter = sealed({ ...record, taken: record.taken + 1e6, lamp: { temperature: calibration.record.lamp.temperature + 25 } });
  text = printRecord(hotter);
  id = hotter.id;
  const files: Record<string, string> = {};
  for (const name of ['lamp-us.spe', 'dark-us-20ms.spe'])
    files[name] = (await readFile(join(heating, 'calibrations', name))).toString('base64');
  recording = await recorded(await rigNamed('laser-heating', known), known, {
    seconds: 14,
    meanwhile(lab, second) {
      if (second === LEARNT) expect(lab.host.learn({ by: 'anna', name: 'lamp-us-2.yaml', text, files })).toBe(undefined);
    },
  });
}, 120_000);
afterAll(async () => {
  await recording.remove();
  await rm(scratch, { recursive: true, force: true });
});

const again = (learns?: () => boolean): Promise<Replayed> => {
  const { folder, rig } = recording;
  return replay({ folder, rig, nodes: nodesOf(rig), catalogue: known, ...(learns ? { learns } : {}) });
};

async function run(...args: readonly string[]): Promise<{ readonly code: number; readonly data: Replayed & { readonly failed?: string } }> {
  let out = '';
  const io = {
    out(said: string): void {
      out += said;
    },
    err() {},
  };
  const code = await replayCommand.run([...args, '--json'], io);
  return { code, data: JSON.parse(out) as Replayed };
}

test('one that came while the rig ran is used from its place on, and only from there', async () => {
  expect(await again()).toMatchObject({ verdict: 'identical', changes: [] });
  const { verdict, changes } = await again(() => false);
  expect(verdict).toBe('differs');
  const up = changes.find((c) => c.channel === 'up.temperature');
  const begin = recording.lab.entries.find((e) => e.kind === 'calibration');
  expect(begin?.kind === 'calibration' && up && up.first > begin.calibration.t - EXPOSURE).toBe(true);
  expect(changes.every((c) => !/^(us|ds|down|laser)\./.test(c.channel))).toBe(true);
  // By the command, from the session alone.
  expect((await run(recording.folder)).data.verdict).toBe('identical');
});

test('another one in the place of all of its kind: what it is of changes, from the beginning on', async () => {
  const rig = join(scratch, 'rig');
  await cp(heating, rig, { recursive: true, filter: (path) => !path.includes('sessions') });
  await writeFile(join(rig, 'calibrations/lamp-us-2.yaml'), text);
  const { code, data } = await run(recording.folder, '--rig', rig, '--calibration', id);
  expect([code, data.verdict]).toEqual([EXIT.failed, 'differs']);
  const up = data.changes.find((c) => c.channel === 'up.temperature');
  const begin = recording.lab.entries.find((e) => e.kind === 'calibration');
  expect(begin?.kind === 'calibration' && up && up.first < begin.calibration.t).toBe(true);
  expect(data.changes.some((c) => c.channel.startsWith('down.'))).toBe(false);

  const none = await run(recording.folder, '--rig', rig, '--calibration', '0123456789abcdef');
  expect(none.code).toBe(EXIT.failed);
  expect(none.data.failed).toMatch(/there is no calibration 0123456789abcdef; there are .*lamp of us\.spectrum/);
});
