/** The options of the three ways to replay a session: what belongs together is taken, and everything else is told. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Catalogue, catalogue } from '../src/catalogue.ts';
import { EXIT, parse } from '../src/cli/command.ts';
import { replayCommand } from '../src/cli/replay.ts';
import { AS, served } from '../src/cli/replay-served.ts';
import { methods } from '../src/methods.ts';
import { loadRig, printed } from '../src/rig.ts';
import { type Recording, recorded } from './replay-session.ts';
import { scratchFolder } from './session-made.ts';

const scratch = scratchFolder('ways');
const RIG = `rig: ways
instruments:
  gas: { model: druck-pace, link: 'tcp:192.168.1.21:5025', leases: { control: unused } }
`;

let known: Catalogue;
let recording: Recording;
beforeAll(async () => {
  known = await catalogue();
  const place = join(scratch, 'ways');
  mkdirSync(place);
  writeFileSync(join(place, 'rig.yaml'), RIG);
  const loaded = await loadRig(place, known, methods);
  if (!loaded.ok) throw new Error(loaded.messages.map(printed).join('\n'));
  recording = await recorded(loaded.rig, known, { seconds: 5 });
});
afterAll(async () => {
  await recording.remove();
  rmSync(scratch, { recursive: true });
});

async function ran(...args: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  let [out, err] = ['', ''];
  const code = await replayCommand.run(args, { out: (text) => void (out += text), err: (text) => void (err += text) });
  return { code, out, err };
}

describe('against simulators', () => {
  test('the verdict is a line of its own, and the exit code says the same', async () => {
    const words = await ran(recording.folder, '--against', 'simulators');
    expect([words.code, words.err]).toEqual([EXIT.ok, '']);
    expect(words.out.split('\n')).toContain('as the instruments');
    const data = await ran(recording.folder, '--against=simulators', '--tolerance', '1 %', '--seed', '2', '--json');
    expect(JSON.parse(data.out)).toMatchObject({ rig: 'ways', tolerance: 0.01, seed: 2, findings: expect.any(Array) });
  });

  test('every session of a folder', async () => {
    const all = await ran('--all', join(recording.folder, '..'), '--against', 'simulators');
    expect(all.code, all.err).toBe(EXIT.ok);
    expect(all.out).toMatch(/sessions: 1; not as they were: 0\nas the instruments\n$/);
  });
});

test('as instruments: it is served until it is ended, and says where', async () => {
  let [out, err] = ['', ''];
  const io = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  let began = (): void => {};
  const serving = new Promise<void>((done) => {
    began = done;
  });
  let end = (): void => {};
  const parsed = parse([recording.folder, '--as', 'instruments', '--link', 'gas', '--json'], { ...AS, json: 'boolean' });
  const code = served(parsed, io, () => {
    began();
    return new Promise<void>((done) => {
      end = done;
    });
  });
  await serving;
  expect(JSON.parse(out.split('\n')[0] ?? '')).toMatchObject({
    name: 'gas',
    kind: 'tcp',
    address: expect.stringMatching(/^tcp:127\.0\.0\.1:\d+/),
  });
  end();
  expect([await code, err]).toEqual([EXIT.ok, '']);
});

describe('what does not go together', () => {
  test.each([
    [['--against', 'instruments'], /followed by "simulators", not "instruments"/],
    [['--as', 'simulators'], /followed by "instruments", not "simulators"/],
    [['--seed', '3'], /--seed belongs to --against simulators/],
    [['--strict'], /--strict belongs to --as instruments/],
    [['--write', 'x.yaml'], /--write belongs to --as instruments/],
    [['--against', 'simulators', '--tolerance', '5'], /--tolerance is a part from 0 to below 1, such as 0\.05 or "5 %", not "5"/],
    [['--against', 'simulators', '--seed', 'x'], /--seed is a whole number/],
    [['--against', 'simulators', '--speed', '10'], /leave out --speed/],
    [['--against', 'simulators', '--as', 'instruments'], /leave out --as/],
    [['--as', 'instruments', '--speed', 'max'], /1 or 10, not "max"/],
    [['--as', 'instruments', '--calibration', 'abc'], /leave out --calibration/],
    [['--as', 'instruments', '--link', 'gsa'], /no link or instrument "gsa"; it has gas/],
    [['--as', 'instruments', '--all', 'x'], /leave out --all/],
  ])('%j', async (args, words) => {
    const { code, out, err } = await ran(recording.folder, ...args);
    expect([code, out]).toEqual([EXIT.usage, '']);
    expect(err).toMatch(words);
  });

  test('a session that is not there', async () => {
    const { code, err } = await ran(join(scratch, 'nowhere'), '--as', 'instruments');
    expect(code).toBe(EXIT.usage);
    expect(err).toMatch(/there is no folder .*nowhere; a session is a folder/);
    expect((await ran('--as', 'instruments')).err).toMatch(/a session is wanted/);
  });
});

test('a folder that the rig names from where it lies is found among what was recorded', async () => {
  const place = join(scratch, 'folders');
  mkdirSync(place);
  writeFileSync(
    join(place, 'rig.yaml'),
    "rig: folders\ninstruments:\n  camera: { model: princeton-spe, link: 'folder:incoming?pattern=*.spe' }\n",
  );
  const loaded = await loadRig(place, known, methods);
  if (!loaded.ok) throw new Error(loaded.messages.map(printed).join('\n'));
  const one = await recorded(loaded.rig, known, { seconds: 5 });
  try {
    const { code, out } = await ran(one.folder, '--json');
    const { verdict, readings } = JSON.parse(out) as { verdict: string; readings: { recorded: number; same: number } }; // as replay prints it
    expect(readings.same).toBeGreaterThan(0);
    expect([code, verdict, readings.same]).toEqual([EXIT.ok, 'identical', readings.recorded]);
  } finally {
    await one.remove();
  }
});
