/** What is not as it was is named: a flipped byte its channel, another parameter its values, a damaged session what is lost. */
import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { EXIT } from '../src/cli/command.ts';
import { replayCommand } from '../src/cli/replay.ts';
import { nodesOf } from '../src/methods.ts';
import { type Replayed, replay } from '../src/replay/replay.ts';
import { uniform } from '../src/simulator.ts';
import { type Recording, recorded, rigNamed } from './replay-session.ts';
import { tamper } from './tamper.ts';

const known = await catalogue();
const demo = resolve(import.meta.dirname, '../rigs/demo');
let recording: Recording;
let scratch: string;
let copies = 0;

beforeAll(async () => {
  recording = await recorded(await rigNamed('demo', known), known, { seconds: 12 });
  scratch = await mkdtemp(join(tmpdir(), 'bridgman-changed-'));
}, 120_000);
afterAll(async () => {
  await recording.remove();
  await rm(scratch, { recursive: true, force: true });
});

/** The session again, to be changed. */
async function copy(): Promise<string> {
  const folder = join(scratch, `session-${++copies}`);
  await cp(recording.folder, folder, { recursive: true });
  return folder;
}

async function run(...args: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  let [out, err] = ['', ''];
  const code = await replayCommand.run(args, { out: (text) => void (out += text), err: (text) => void (err += text) });
  return { code, out, err };
}
const again = (folder: string): Promise<Replayed> =>
  replay({ folder, rig: recording.rig, nodes: nodesOf(recording.rig), catalogue: known });
const lineOf = (text: string, word: string): boolean => text.split('\n').includes(word);

describe('the command', () => {
  test('says identical on a line of its own, and exits with 0', async () => {
    const { code, out, err } = await run(recording.folder);
    expect(err).toBe('');
    expect(lineOf(out, 'identical')).toBe(true);
    expect(out).not.toMatch(/\bdiffers\b/);
    expect(code).toBe(EXIT.ok);
  });

  test('says the same as JSON', async () => {
    const { code, out } = await run(recording.folder, '--json');
    const all = JSON.parse(out) as Replayed;
    expect(all).toMatchObject({ verdict: 'identical', rig: 'demo', changes: [], readings: { recorded: recording.lab.readings().length } });
    expect(all.hash.recorded).toMatch(/^[0-9a-f]{64}$/);
    expect(code).toBe(EXIT.ok);
  });

  test('a folder of sessions: one of them is not as it was', async () => {
    const parent = await mkdtemp(join(scratch, 'all-'));
    for (const name of ['a', 'b']) await cp(recording.folder, join(parent, name), { recursive: true });
    expect(await run('--all', parent)).toMatchObject({
      code: EXIT.ok,
      out: expect.stringMatching(/^a: identical\nb: identical\n[\s\S]*\nidentical\n$/),
    });
    await flip(join(parent, 'b'), 'laser.temperature', 0);
    const { code, out } = await run('--all', parent);
    expect(out).toMatch(/^a: identical$/m);
    expect(out).toMatch(/laser\.temperature/);
    expect(lineOf(out, 'differs')).toBe(true);
    expect(code).toBe(EXIT.failed);
  });

  test.each([
    [['no-such-folder'], EXIT.failed, /there is no folder/],
    [[demo], EXIT.failed, /is no session/],
    [[join(demo, 'rig.yaml')], EXIT.failed, /is a file/],
    [[], EXIT.usage, /a session is wanted/],
    [['x', '--rebuild'], EXIT.usage, /--rebuild needs --influx/],
    [['x', '--speed', 'slow'], EXIT.usage, /--speed/],
    [['x', '--influx', 'nowhere'], EXIT.usage, /address of a database/],
  ])('%j', async (args, code, words) => {
    const said = await run(...args);
    expect(said.err).toMatch(words);
    expect(said.code).toBe(code);
  });
});

/** Another bit in the digits of the reply of one exchange that gave this channel, in the exchange itself. */
async function flip(folder: string, channel: string, n: number): Promise<string> {
  const [instrument, name] = channel.split('.');
  let seen = 0;
  let by = '';
  const chunks = await tamper(folder, 'slow', (topic, bytes) => {
    if (topic !== 'exchanges') return false;
    const text = new TextDecoder().decode(bytes);
    const x = JSON.parse(text) as { instrument: string; by: string; reply?: string };
    const digits = [...Buffer.from(x.reply ?? '', 'hex')];
    const digit = digits.findLastIndex((byte) => byte >= 0x30 && byte <= 0x39);
    if (x.instrument !== instrument || digit < 0 || !new RegExp(`^poll:(.*\\+)?${name}(\\+|$)`).test(x.by) || seen++ !== n) return false;
    by = x.by;
    // The last digit of the reply's text.
    const at = text.indexOf('"reply":"') + 9;
    bytes[at + 2 * digit + 1] ^= 1; // 0x30 and 0x31, 0x32 and 0x33 ...: still a digit
    return true;
  });
  expect(chunks).toBe(1);
  return by;
}

describe('one flipped byte', () => {
  test.each(['laser.temperature', 'gas.pressure', 'laser.output_power'])('of a reply of %s names it', async (channel) => {
    const folder = await copy();
    const n = Math.floor(uniform(1, channel, 0) * 2);
    const by = await flip(folder, channel, n);
    const { verdict, changes, hash, exchanges } = await again(folder);
    expect(verdict).toBe('differs');
    expect(changes.map((c) => c.channel)).toContain(channel);
    expect(changes.every((c) => by.split(/[:+]/).includes(c.channel.split('.')[1].replace(/\[\d+\]/, '')))).toBe(true);
    expect(changes.find((c) => c.channel === channel)).toMatchObject({ changed: 1, missing: 0, more: 0 });
    expect(hash.today).not.toBe(hash.recorded);
    // The raw bytes are as they were, and say so.
    expect(exchanges.differences).toMatchObject([{ count: 1, what: expect.stringMatching(/raw bytes/) }]);
    const { code, out } = await run(folder);
    expect(code).toBe(EXIT.failed);
    expect(lineOf(out, 'differs')).toBe(true);
    expect(out).not.toMatch(/\bidentical\b/);
    expect(out).toContain(`  ${channel}: 1 of `);
  });

  test.each([1, 2, 3, 4])('anywhere in the raw bytes of a wire that was heard (%i) names a channel of its instrument', async (seed) => {
    const folder = await copy();
    let heard = 0;
    await tamper(folder, 'raw-', (topic) => {
      if (/ in( named)?$/.test(topic)) heard++;
      return false;
    });
    const wanted = Math.floor(uniform(seed, 'message', 0) * heard);
    let at = 0;
    let link = '';
    let moment = 0;
    await tamper(folder, 'raw-', (topic, bytes, t) => {
      if (!/ in( named)?$/.test(topic) || at++ !== wanted) return false;
      [link, moment] = [topic, t];
      bytes[Math.floor(bytes.length * (0.4 + 0.6 * uniform(seed, 'byte', 0)))] ^= 0x11;
      return true;
    });
    const { verdict, changes, exchanges } = await again(folder);
    expect(`${link} at ${moment}: ${verdict}`).toBe(`${link} at ${moment}: differs`);
    const users = recording.rig.instruments
      .filter((i) => Object.values(i.links).some(({ wire }) => link.startsWith(`${wire} in`)))
      .map((i) => i.name);
    const named = [...changes.map((c) => c.channel), ...exchanges.differences.flatMap((d) => d.channels)];
    expect(named.some((channel) => users.some((user) => channel.startsWith(user)))).toBe(true);
  });
});

test('another parameter in the rig: every value that it changes is listed, and no other', async () => {
  const folder = join(scratch, 'rig');
  await cp(demo, folder, { recursive: true, filter: (path) => !path.includes('sessions') });
  const text = await readFile(join(folder, 'rig.yaml'), 'utf8');
  await writeFile(join(folder, 'rig.yaml'), text.replace('window: [620 nm, 880 nm]', 'window: [640 nm, 860 nm]'));
  const { code, out } = await run(recording.folder, '--rig', folder, '--json');
  const { verdict, changes, readings } = JSON.parse(out) as Replayed;
  expect([code, verdict]).toEqual([EXIT.failed, 'differs']);
  const changed = changes.map((c) => c.channel);
  expect(changed).toContain('up.temperature');
  expect(changed).toContain('sides.difference');
  expect(changed.filter((channel) => !/^(up|sides)\./.test(channel))).toEqual([]);
  const good = recording.lab.readings('up.temperature').filter((r) => r.quality !== 'bad');
  const up = changes.find((c) => c.channel === 'up.temperature');
  expect(up).toMatchObject({ changed: good.length, missing: 0, more: 0, first: good[0]?.t, last: good.at(-1)?.t });
  expect(up?.largest).toBeGreaterThanOrEqual(up?.median ?? Number.NaN);
  expect(up?.median).toBeGreaterThan(0);
  expect(up?.example.recorded).toMatchObject({ value: good[0]?.value });
  expect(readings.same + readings.changed).toBe(readings.recorded);
});

describe('a session that is not whole', () => {
  const slow = async (folder: string): Promise<string> =>
    join(folder, (await readdir(folder)).find((name) => name.startsWith('slow')) ?? '');

  test('cut in half: what is there comes out, and the end is named', async () => {
    const folder = await copy();
    const part = await slow(folder);
    await truncate(part, Math.floor((await readFile(part)).length / 2));
    const { verdict, complete, readings, trouble, changes } = await again(folder);
    expect(changes).toEqual([]);
    expect([verdict, complete]).toEqual(['identical', false]);
    expect(readings.same).toBeGreaterThan(1000);
    expect(readings.recorded).toBeLessThan(recording.lab.readings().length);
    expect(trouble).toMatchObject([{ kind: 'cut' }]);
    expect((await run(folder)).out).toMatch(/\nlost\n[\s\S]*cut/);
  });

  test('a damaged chunk: what was in it is lost and named, the rest comes out', async () => {
    const folder = await copy();
    const part = await slow(folder);
    const bytes = await readFile(part);
    bytes[Math.floor(bytes.length / 2)] ^= 1;
    await writeFile(part, bytes);
    const { verdict, lost, readings, trouble, changes, exchanges, complete } = await again(folder);
    expect(changes).toEqual([]);
    expect(exchanges.differences).toEqual([]);
    expect([verdict, complete]).toEqual(['identical', true]);
    expect(trouble).toMatchObject([{ kind: 'damage' }]);
    expect(lost.readings).toBe(recording.lab.readings().length - readings.recorded);
    expect(readings.taken).toBeLessThan(0.5 * readings.recorded);
  });

  test('raw parts that are gone: the exchanges are still there', async () => {
    const folder = await copy();
    for (const name of await readdir(folder)) if (/^raw-serial/.test(name)) await rm(join(folder, name));
    const { verdict, readings, exchanges, lost } = await again(folder);
    expect(exchanges.checked).toBeLessThan(exchanges.total / 2);
    expect([readings.changed, readings.missing, readings.more]).toEqual([0, 0, 0]);
    expect(verdict).toBe('identical');
    expect(readings.same).toBeGreaterThan(0.5 * readings.recorded);
    expect(Object.keys(lost).some((what) => /raw bytes of serial:.*laser\.output_power/.test(what))).toBe(true);
  });

  test('a message that is none of ours under a checksum that holds', async () => {
    const folder = await copy();
    let n = 0;
    await tamper(folder, 'slow', (topic, bytes) => {
      if (topic !== 'exchanges' || n++ !== 200) return false;
      bytes[0] = 0x21;
      return true;
    });
    const { verdict, lost, changes } = await again(folder);
    expect(verdict).toBe('differs');
    expect(lost).toEqual({ 'exchanges that cannot be read': 1 });
    expect(changes).toEqual([]);
  });

  test.each([1, 2, 3, 4, 5, 6])('any damage (%i): never an exception, and what is whole comes out', async (seed) => {
    const folder = await copy();
    const names = (await readdir(folder)).filter((name) => name.endsWith('.mcap'));
    const part = join(folder, names[Math.floor(uniform(seed, 'part', 0) * names.length)] ?? '');
    const bytes = await readFile(part);
    const at = Math.floor(uniform(seed, 'at', 0) * bytes.length);
    if (seed % 3 === 0) await truncate(part, at);
    else {
      bytes.fill(seed % 3 === 1 ? 0 : 0xff, at, at + (seed % 3 === 1 ? 4096 : 3));
      await writeFile(part, bytes);
    }
    const { changes } = await again(folder);
    expect(changes.filter((c) => !/^(up|down|sides)\./.test(c.channel))).toEqual([]);
    // Of the calibrations of its beginning: the rig of the session is refused, with the file that is missing.
    expect([EXIT.ok, EXIT.failed, EXIT.rig]).toContain((await run(folder)).code);
  });

  test('an empty file, and a file that is no part', async () => {
    const folder = await mkdtemp(join(scratch, 'none-'));
    await writeFile(join(folder, 'slow-0001.mcap'), '');
    expect(await run(folder)).toMatchObject({ code: EXIT.failed, err: expect.stringMatching(/beginning is missing/) });
    await writeFile(join(folder, 'slow-0001.mcap'), 'this is no session at all');
    expect(await run(folder, '--rig', demo)).toMatchObject({ code: EXIT.failed, err: expect.stringMatching(/no readings/) });
  });
});
