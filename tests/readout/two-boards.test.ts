/** A rig of two boards whose hits make one event: while data come, and of its session afterwards. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { catalogue } from '../../src/catalogue.ts';
import { analyse } from '../../src/cli/analyse.ts';
import { EXIT } from '../../src/cli/command.ts';
import { methods } from '../../src/methods.ts';
import { sessionWriter } from '../../src/recorder/parts.ts';
import { write } from '../../src/recorder/session-json.ts';
import { loadRig, printed } from '../../src/rig.ts';
import { laboratory } from '../laboratory.ts';

const known = await catalogue();
const folder = mkdtempSync(join(tmpdir(), 'bridgman-two-boards-'));
afterAll(() => rmSync(folder, { recursive: true }));

const board = (n: number, first: number, more: string): string => `
    model: sitcp-digitizer
    links: { control: udp:192.168.10.${n}:4660, data: tcp:192.168.10.${n}:24 }
    options: { record: hits, first_channel: ${first} }
    simulate: { ${more} }`;
const RIG = `rig: pair
instruments:
  left: ${board(16, 0, 'tubes: 128, sees: 0, sources: [{ kind: pairs, rate: 20 }, { kind: gammas, rate: 4 }]')}
  right: ${board(17, 64, 'sees: 64')}
  detector:
    model: event-builder
    link: hits:left,right
    options: { channels: 128, scale: 7.8125e-5, physics: { photoelectron: 16 } }
`;

async function load(name: string, yaml: string) {
  const place = join(folder, name);
  mkdirSync(place);
  writeFileSync(join(place, 'rig.yaml'), yaml);
  return loadRig(place, known, methods);
}

test('what is found while data come is what its session gives afterwards', async () => {
  const loaded = await load('run', RIG);
  if (!loaded.ok) throw new Error(loaded.messages.map(printed).join('\n'));
  const lab = laboratory(loaded.rig, known);
  lab.clock.advance(14);
  const last = (channel: string): unknown => {
    const r = lab.readings(`detector.${channel}`).at(-1);
    return r && r.quality !== 'bad' ? r.value : r?.why;
  };
  expect(
    lab
      .readings('detector.boards')
      .slice(-2)
      .map((r) => r.quality !== 'bad' && r.value),
  ).toEqual(['there', 'there']);
  expect([last('late'), last('untaken'), last('doubled')]).toEqual([0, 0, 0]);
  expect(Number(last('together'))).toBeGreaterThan(0.7);
  expect(lab.readings('detector.pairs').every((r) => r.origin === 'simulator')).toBe(true);

  const session = join(folder, 'run', 'sessions', 'one');
  mkdirSync(session, { recursive: true });
  const writer = sessionWriter({ folder: session, now: () => lab.clock.mono() * 1000 });
  writer.write('rig', 'slow', 1, new TextEncoder().encode(JSON.stringify({ name: 'pair', yaml: RIG })));
  for (const entry of lab.entries) write(entry, (topic, klass, t, bytes, encoding) => void writer.write(topic, klass, t, bytes, encoding));
  await writer.close();
  let [out, err] = ['', ''];
  expect(await analyse.run([session, '--json'], { out: (t) => (out += t), err: (t) => (err += t) })).toBe(EXIT.ok);
  expect(err).toBe('');
  const [one, ...others] = JSON.parse(out).physics;
  expect(others).toEqual([]);
  expect(one.stream).toBe('tcp:192.168.10.16:24 + tcp:192.168.10.17:24');
  // The last events wait for what may still come, and the first came before both boards were there.
  expect(Number(last('pairs'))).toBeGreaterThan(50);
  expect(Math.abs(one.on_time_pairs - Number(last('pairs')))).toBeLessThanOrEqual(3);
}, 60_000);

test.each([
  ['link: hits:left,right', 'link: hits:left', /hits:left".*two boards or more are joined.*hits:LEFT,RIGHT/],
  ['link: hits:left,right', 'link: hits:left,left', /left is there twice/],
  ['link: hits:left,right', 'link: hits:left,rigth', /rigth is no board with a fast stream; those of this rig are left, right/],
  ['link: hits:left,right', 'link: tcp:10.0.0.1:24', /event-builder takes the hits of boards of this rig: "hits:LEFT,RIGHT"/],
  ['data: tcp:192.168.10.16:24', 'data: "hits:left,right"', /sitcp-digitizer joins no hits.*event-builder/],
  ['first_channel: 64', 'first_channel: 32', /left and right have the same channel numbers \(32 to 63\)/],
  ['channels: 128', 'channels: 64', /right has the channels 64 to 127, the detector 0 to 63/],
  ['channels: 128', 'channels: 128, offsets: { up: 3 ns }', /up is none of its boards/],
  ['channels: 128', 'channels: 128, offsets: { right: 3 mm }', /offsets.*right.*3 mm/],
  ['channels: 128', 'channels: 128, within: 0 s', /within.*above 0 s/],
  ['scale: 7.8125e-5', 'scale: [1, 2]', /scale: 2 numbers for 128 channels/],
  ['data: tcp:192.168.10.16:24', 'data: simulated', /some of its boards are simulated and some are not/],
])('%s -> %s is refused', async (from, to, why) => {
  const loaded = await load(`wrong ${from} ${to}`.replace(/\W/g, '_'), RIG.replace(from, to));
  expect(loaded.ok ? '' : loaded.messages.map(printed).join('\n')).toMatch(why);
});
