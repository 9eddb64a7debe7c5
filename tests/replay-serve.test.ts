/** A recorded session on real sockets, terminals and in a folder: our own host, and anybody's software, runs against it. */
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Catalogue, catalogue } from '../src/catalogue.ts';
import { EXIT } from '../src/cli/command.ts';
import { ready } from '../src/cli/replay-ready.ts';
import { type RecordingServing, serveRecording } from '../src/cli/replay-serve.ts';
import { realClock } from '../src/clock.ts';
import { host } from '../src/host.ts';
import { methods, nodesOf } from '../src/methods.ts';
import type { Reading } from '../src/reading.ts';
import { loadRig, printed } from '../src/rig.ts';
import { openWire } from '../src/rig-open.ts';
import { keeperHere } from './laboratory.ts';
import { program } from './links/require.ts';
import { type Recording, recorded } from './replay-session.ts';
import { scratchFolder } from './session-made.ts';

const socat = program('socat', '-V');
const scratch = scratchFolder('served');
const NIGHT = `rig: night
instruments:
  laser: { model: ipg-ylr, link: 'serial:/dev/ttyUSB0?baud=57600', leases: { emission: unused, current: unused } }
  gas: { model: druck-pace, link: 'tcp:192.168.1.21:5025', leases: { control: unused } }
  plant:
    model: modbus-io
    link: tcp:192.168.1.91:502
    options:
      unit: 1
      framing: tcp
      channels: { level: { input: 1, type: s16, scale: 0.001, unit: m, example: { words: [2100], is: 2.1 m } } }
    simulate: { values: { level: 2.1 m } }
  board: { model: sitcp-board, links: { control: 'udp:192.168.10.16:4660', data: 'tcp:192.168.10.16:24' } }
  camera: { model: princeton-spe, link: 'folder:spectra?pattern=*.spe' }
derive:
  t: { method: planck-ml, spectrum: camera.spectrum, window: [600 nm, 800 nm], calibration: { lamp: lamp.txt, temperature: 2255 K } }
`;

let known: Catalogue;
let night: Recording;
beforeAll(async () => {
  known = await catalogue();
  const place = join(scratch, 'night');
  mkdirSync(place);
  writeFileSync(join(place, 'rig.yaml'), NIGHT);
  writeFileSync(join(place, 'lamp.txt'), Array.from({ length: 200 }, (_, i) => `${600 + 1.5 * i} ${1000 + i}`).join('\n'));
  const loaded = await loadRig(place, known, methods);
  if (!loaded.ok) throw new Error(loaded.messages.map(printed).join('\n'));
  night = await recorded(loaded.rig, known, { seconds: 6 });
});
afterAll(async () => {
  await night.remove();
  rmSync(scratch, { recursive: true });
});

const PLAIN: RecordingServing = { strict: false, speed: 1, repeat: false, asWritten: false, json: false };
interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}
/** Serves a session, does the work once it is served, and ends. */
async function served(
  session: string,
  wanted: Partial<RecordingServing>,
  work: (lines: readonly string[]) => Promise<unknown>,
): Promise<Run> {
  let [out, err] = ['', ''];
  const io = { out: (t: string) => void (out += t), err: (t: string) => void (err += t) };
  const set = await ready(session, {}, known);
  if ('code' in set) throw new Error(set.words);
  const code = await serveRecording(session, set, { ...PLAIN, ...wanted }, io, () => work(out.trimEnd().split('\n')));
  expect(out + err).not.toMatch(/\bat .*\(?.*:\d+:\d+\)|node:internal|undefined|NaN/);
  return { code, out, err };
}

const lineOf = (lines: readonly string[], name: string): string => lines.find((line) => line.startsWith(`${name} on `)) ?? '';
const portOf = (line: string): number => Number(/127\.0\.0\.1:(\d+)/.exec(line)?.[1]);
async function open(line: string): Promise<Socket> {
  const socket = connect(portOf(line), '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}
async function ask(socket: Socket, question: string): Promise<string> {
  const answer = once(socket, 'data');
  socket.write(question, 'latin1');
  return Buffer.from((await answer)[0]).toString('latin1');
}

/** Runs our host with a rig, until there are good readings of each channel. */
async function runs(file: string, channels: readonly string[], seconds: number): Promise<readonly Reading[]> {
  const loaded = await loadRig(file, known, methods);
  if (!loaded.ok) throw new Error(loaded.messages.map(printed).join('\n'));
  const { rig } = loaded;
  const clock = realClock();
  const readings: Reading[] = [];
  const missing = new Set(channels);
  let done = (): void => {};
  const complete = new Promise<void>((resolve) => {
    done = resolve;
  });
  const lab = host({
    rig,
    catalogue: known,
    nodes: nodesOf(rig),
    clock,
    open: (wire, told, _) => openWire(wire, clock, { base: rig.folder, inProcess: true, told }),
    emit(entry) {
      if (entry.kind !== 'reading') return;
      readings.push(entry.reading);
      if (entry.reading.quality !== 'bad') missing.delete(entry.reading.from);
      if (missing.size === 0) done();
    },
    keeper: keeperHere(),
  });
  const late = clock.after(seconds, done);
  await complete;
  late();
  await new Promise<void>((closed) => lab.close(0, () => closed()));
  expect([...missing], 'channels without a reading').toEqual([]);
  return readings;
}

const valuesOf = (channel: string): ReadonlySet<unknown> =>
  new Set(night.lab.readings(channel).flatMap((r) => (r.quality === 'bad' ? [] : [JSON.stringify(r.value)])));

describe('our own host', () => {
  test('reads what was recorded over TCP, UDP and from a folder; a copy of the rig leads there', async () => {
    const copy = join(scratch, 'copy', 'served.yaml');
    mkdirSync(join(scratch, 'copy'));
    const channels = ['gas.pressure', 'plant.level', 'camera.spectrum', 'board.ip'].filter((name) => night.lab.readings(name).length > 0);
    expect(channels.length).toBeGreaterThan(2);
    const links = ['gas', 'plant', 'board', 'camera'];
    const { code, err, out } = await served(night.folder, { write: copy, links, speed: 10 }, async (lines) => {
      expect(lines.at(-1)).toBe(`rig ${copy}   bridgman run ${copy}`);
      const rig = readFileSync(copy, 'utf8').replace(/^ {2}laser:.*\n/m, '');
      expect(rig).toMatch(/^# night with a served recording in the place of its instruments/);
      expect(rig.match(/origin=simulator/g)).toHaveLength(5);
      expect(readFileSync(join(scratch, 'copy', 'served-files', 'lamp.txt'))).toEqual(readFileSync(join(scratch, 'night', 'lamp.txt')));
      writeFileSync(join(scratch, 'copy', 'rig.yaml'), rig);
      const readings = await runs(join(scratch, 'copy', 'rig.yaml'), channels, 20);
      for (const r of readings) {
        if (!channels.includes(r.from) || r.quality === 'bad' || r.kind === 'trace') continue;
        expect(valuesOf(r.from), r.from).toContain(JSON.stringify(r.value));
        expect(r.origin).toBe('simulator');
      }
    });
    expect({ code, err }).toEqual({ code: EXIT.ok, err: '' });
    expect(out).toMatch(/^gas: [1-9]\d* answered, 0 silent as then, 0 without/m);
  });

  test.skipIf(!socat)('reads what was recorded over a pseudo-terminal (needs socat)', async () => {
    const folder = join(scratch, 'terminal');
    mkdirSync(folder);
    const copy = join(folder, 'served.yaml');
    await served(night.folder, { write: copy, links: ['laser'], pty: folder }, async () => {
      const only = readFileSync(copy, 'utf8')
        .replace(/^ {2}(gas|board|camera):.*\n/gm, '')
        .replace(/^ {2}plant:\n( {4}.*\n)*/m, '')
        .replace(/^derive:\n( {2}.*\n)*/m, '');
      writeFileSync(join(folder, 'rig.yaml'), only);
      const readings = await runs(join(folder, 'rig.yaml'), ['laser.set_point', 'laser.temperature'], 20);
      for (const r of readings) if (r.quality !== 'bad') expect(valuesOf(r.from), r.from).toContain(JSON.stringify(r.value));
    });
  });
});

test('a folder gets the recorded files, byte by byte', async () => {
  const folder = join(scratch, 'files');
  await served(night.folder, { links: ['camera'], folder, speed: 10 }, async () => {
    const clock = realClock();
    const there = (): string[] =>
      existsSync(join(folder, 'camera')) ? readdirSync(join(folder, 'camera')).filter((n) => n.endsWith('.spe')) : [];
    for (let n = 0; n < 200 && there().length < 2; n++) await new Promise<void>((done) => clock.after(0.05, done));
    expect(there().length).toBeGreaterThan(1);
  });
  const files = night.lab.entries.flatMap((e) => (e.kind === 'bytes' && e.wire.name !== undefined ? [e.wire] : []));
  for (const name of readdirSync(join(folder, 'camera'))) {
    const then = files.find((one) => one.name === name);
    expect(Buffer.from(then?.bytes ?? []).equals(readFileSync(join(folder, 'camera', name))), name).toBe(true);
  }
});

test('strict refuses another order, in words; the account says it again', async () => {
  const { out } = await served(night.folder, { strict: true, links: ['gas'] }, async (lines) => {
    const socket = await open(lineOf(lines, 'gas'));
    socket.write(':SENS:PRES?\n');
    expect(await ask(socket, '*IDN?\n')).toContain('Druck');
    socket.destroy();
  });
  expect(out).toMatch(/gas: ":SENS:PRES\?\\n" was asked, and the recording has "\*IDN\?\\n": no answer/);
  expect(out).toMatch(/1 answered, 0 silent as then, 1 without an answer in the recording\n {2}1 x ":SENS:PRES\?\\n" instead of/);
});

describe('mistakes are said in words', () => {
  test('a link that there is not', async () => {
    await expect(served(night.folder, { links: ['gass'] }, async () => {})).rejects.toThrow(
      'the session\'s rig has no link or instrument "gass"; it has laser, gas, plant, board, camera',
    );
  });

  test('a port that is taken', async () => {
    const place = join(scratch, 'taken');
    cpSync(night.folder, place, { recursive: true });
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('it listens on TCP');
    const set = await ready(place, {}, known);
    if ('code' in set) throw new Error(set.words);
    const own = `tcp:127.0.0.1:${address.port}`;
    const rig = {
      ...set.rig,
      instruments: set.rig.instruments
        .filter(({ name }) => name === 'gas')
        .map((i) => ({ ...i, links: { main: { wire: own, address: own } } })),
    };
    let err = '';
    const io = { out: () => {}, err: (t: string) => void (err += t) };
    const code = await serveRecording(place, { ...set, rig }, { ...PLAIN, asWritten: true }, io, async () => {});
    server.close();
    expect(code).toBe(EXIT.failed);
    expect(err).toContain(`cannot listen on ${own}`);
  });

  test('a copy that would overwrite what is there', async () => {
    const file = join(scratch, 'mine.yaml');
    writeFileSync(file, 'rig: mine\n');
    await expect(served(night.folder, { write: file }, async () => {})).rejects.toThrow('would overwrite what is there');
  });

  test('a session cut in half is served as far as it is whole, and what is lost is named once', async () => {
    const place = join(scratch, 'half');
    cpSync(night.folder, place, { recursive: true });
    for (const name of readdirSync(place).filter((one) => one.endsWith('.mcap') && !one.startsWith('raw-calibrations'))) {
      const size = readFileSync(join(place, name)).length;
      truncateSync(join(place, name), Math.floor(size / 2));
    }
    const { err, code } = await served(place, { links: ['gas'] }, async (lines) => {
      const socket = await open(lineOf(lines, 'gas'));
      expect(await ask(socket, '*IDN?\n')).toContain('Druck');
      socket.destroy();
    });
    expect(code).toBe(EXIT.ok);
    expect(err.match(/lost: slow-0001:/g)).toHaveLength(1);
    expect(err.match(/lost: raw-tcp-192-168-1-21-5025-0001:/g)).toHaveLength(1);
  });
});
