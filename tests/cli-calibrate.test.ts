/** The command "calibrate": frames of simulated runs become calibrations, and temperatures are right by them afterwards. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import operator from '../drivers/operator.ts';
import spe from '../drivers/princeton-spe.ts';
import { readSpe, SpeFault } from '../protocols/spe.ts';
import operatorSimulator from '../simulators/princeton-spe.ts';
import { axisOf } from '../simulators/worlds/camera.ts';
import { type Dac, dac } from '../simulators/worlds/dac.ts';
import { heardCalibration } from '../src/calibrate-live.ts';
import type { Catalogue } from '../src/catalogue.ts';
import { calibrateBy } from '../src/cli/calibrate.ts';
import { alike, lightInDark, speOf } from '../src/cli/calibrate-frames.ts';
import { writeNew } from '../src/cli/calibrate-write.ts';
import { virtualClock } from '../src/clock.ts';
import { printRecord } from '../src/derive/calibration-record.ts';
import type { Entry } from '../src/entry.ts';
import { type Host, host } from '../src/host.ts';
import type { Instrument } from '../src/instrument.ts';
import { type LocalReply, serveLocal, socketOf } from '../src/local.ts';
import { methods, nodesOf } from '../src/methods.ts';
import { type Trace, total } from '../src/reading.ts';
import { sessionWriter } from '../src/recorder/parts.ts';
import { write } from '../src/recorder/session-json.ts';
import { loadRig, printed, type Rig } from '../src/rig.ts';
import { readCalibrations, sealed, sha256 } from '../src/rig-calibrations.ts';
import { simulatedRig } from '../src/rig-open.ts';
import type { Simulator } from '../src/simulator.ts';
import { keeperHere } from './laboratory.ts';

const scratch = mkdtempSync(join(tmpdir(), 'bridgman-calibrate-'));
const before = process.env.XDG_RUNTIME_DIR;
beforeAll(() => {
  process.env.XDG_RUNTIME_DIR = scratch;
});
afterAll(() => {
  if (before === undefined) delete process.env.XDG_RUNTIME_DIR;
  else process.env.XDG_RUNTIME_DIR = before;
  rmSync(scratch, { recursive: true });
});

const known: Catalogue = {
  instruments: new Map<string, Instrument>([
    ['operator', operator],
    ['princeton-spe', spe],
  ]),
  simulators: new Map<string, Simulator>([['princeton-spe', operatorSimulator]]),
};

const RIG = `rig: oven
instruments:
  camera:
    model: princeton-spe
    link: folder:incoming?pattern=*.spe
    simulate: { exposure: 0.5 s, every: 0.6 s, cosmic: 0 }
  operator:
    model: operator
    options: { values: { magnification: { unit: 1, value: 20 } } }
derive:
  up:
    method: planck-ml
    spectrum: camera.spectrum
    calibration: auto
    path: { magnification: { from: operator.magnification, within: 10 min }, side: up }
    rows: [8, 19]
    window: [620 nm, 880 nm]
`;

let count = 0;
function rigFolder(text = RIG): string {
  const place = join(scratch, `rig${count++}`);
  mkdirSync(join(place, 'sessions'), { recursive: true });
  writeFileSync(join(place, 'rig.yaml'), text);
  return place;
}
async function load(place: string): Promise<Rig> {
  const loaded = await loadRig(place, known, methods);
  if (!loaded.ok) throw new Error(loaded.messages.map(printed).join('\n'));
  return loaded.rig;
}

interface Lab {
  readonly host: Host;
  readonly world: Dac;
  readonly entries: Entry[];
  advance(seconds: number): void;
  /** Writes what has come by now into a session of the rig, and gives its folder. */
  keep(): Promise<string>;
}
/** A laboratory on virtual time. */
async function lab(place: string, start?: number): Promise<Lab> {
  const rig = await load(place);
  const clock = virtualClock(start);
  const entries: Entry[] = [];
  const simulated = simulatedRig(rig, known, clock, 1);
  const running = host({
    rig,
    catalogue: known,
    nodes: nodesOf(rig),
    clock,
    open(wire) {
      const link = simulated.open(wire);
      if (!link) throw new Error(`${wire.key} has no simulator`);
      return link;
    },
    emit: (entry) => void entries.push(entry),
    keeper: keeperHere(),
    origin: 'simulator',
  });
  return {
    host: running,
    world: simulated.universe.of(dac),
    entries,
    advance: (seconds) => clock.advance(seconds),
    async keep() {
      const folder = join(place, 'sessions', `s${count++}`);
      mkdirSync(folder);
      const session = sessionWriter({ folder, now: () => 0, limits: { reserve: 0, rawFree: 0 } });
      for (const entry of entries) write(entry, (topic, klass, t, bytes) => void session.write(topic, klass, t, bytes));
      await session.close();
      return folder;
    },
  };
}
const mirror = ({ optics }: Dac, shows: 'lamp' | 'dark' | 'neon'): void => {
  optics.part(shows, { kind: 'mirror', beams: ['up', 'down'], shows }).in = 1;
};
const away = ({ optics }: Dac): void => {
  for (const part of optics.parts.values()) part.in = 0;
};

/** Nobody waits: what is not there at once does not come. */
const calibrate = calibrateBy(async () => {});

async function run(...args: string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  let [out, err] = ['', ''];
  const code = await calibrate.run(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}
const inFolder = (place: string): string[] =>
  existsSync(join(place, 'calibrations')) ? readdirSync(join(place, 'calibrations')).sort() : [];
const LAMP = ['lamp', 'camera.spectrum', '--temperature', '2255 K +- 10 K'];

describe('of a session', () => {
  test('dark and lamp, and then the temperature of the sample is right within its bar', async () => {
    const place = rigFolder();
    const first = await lab(place);
    mirror(first.world, 'dark');
    first.advance(8);
    const dark = await run('dark', 'camera.spectrum', '--session', await first.keep());
    expect(dark).toMatchObject({ code: 0, err: '' });
    expect(dark.out).toMatch(
      /^dark calibration [0-9a-f]{16} of camera.spectrum\n {2}10 frames of 500 ms, camera Simulated 512 x 40, origin simulator\n {2}level 600\.\d counts/,
    );

    const second = await lab(place);
    mirror(second.world, 'lamp');
    second.advance(16);
    const lamp = await run(...LAMP, '--note', 'new bulb', '--valid', '7d', '--session', await second.keep());
    expect(lamp).toMatchObject({ code: 0, err: '' });
    expect(lamp.out).toMatch(/500 ms, side up, magnification 20, camera/);
    expect(lamp.out).toMatch(
      /dark [0-9a-f]{16}\n.*calibrations\/lamp-camera-20260101-0000\d\d\.yaml\nused from the next start of the rig\n$/,
    );
    expect(inFolder(place).map((name) => name.replace(/\d{8}-\d{6}/, 'T'))).toEqual([
      'dark-camera-T.spe',
      'dark-camera-T.yaml',
      'lamp-camera-T.spe',
      'lamp-camera-T.yaml',
    ]);
    const { calibrations, messages } = await readCalibrations(place);
    expect(messages).toEqual([]);
    expect(calibrations[1]?.record).toMatchObject({
      calibration: 'lamp',
      of: 'camera.spectrum',
      path: { magnification: 20, side: 'up', origin: 'simulator' },
      region: { rows: [8, 19], columns: 512 },
      exposure: 0.5,
      lamp: { temperature: 2255, sigma: 10 },
      dark: { file: calibrations[0]?.record.data?.file },
      note: 'new bulb',
    });
    const { record } = calibrations[1] ?? {};
    expect((record?.valid.until ?? 0) - (record?.valid.from ?? 0)).toBe(7 * 86_400e6);

    const third = await lab(place, 1_767_225_600_000_000 + 3600e6);
    third.world.laser('heat').power = 40;
    third.advance(20);
    const got = third.entries.flatMap((e) => (e.kind === 'reading' && e.reading.from === 'up.temperature' ? [e.reading] : [])).at(-1);
    if (got?.quality !== 'good') throw new Error(JSON.stringify(got));
    expect(got.made?.calibration).toBe(record?.id);
    const off = Number(got.value) - third.world.upTemperatureMean;
    expect(third.world.upTemperatureMean).toBeGreaterThan(1500);
    expect(Math.abs(off)).toBeLessThan(3 * total(got.sigma));
    expect(Math.abs(off)).toBeLessThan(30);
  });

  test('the frames in the file are those of the session, saturation and noise with them', async () => {
    const place = rigFolder();
    const one = await lab(place);
    mirror(one.world, 'lamp');
    one.advance(5);
    const { code, out, err } = await run(...LAMP, '--frames', '4', '--json', '--session', await one.keep());
    expect([code, err]).toEqual([0, '']);
    const told = JSON.parse(out) as { readonly id: string; readonly inUse: boolean; readonly doubts: string[] }; // as --json writes it
    expect(told.inUse).toBe(false);
    expect(told.doubts).toEqual([expect.stringMatching(/^no dark is subtracted: no dark calibration of camera.spectrum; take one/)]);
    const file = inFolder(place).find((name) => name.endsWith('.spe')) ?? '';
    const read = readSpe(new Uint8Array(readFileSync(join(place, 'calibrations', file))));
    if (read instanceof SpeFault) throw new Error(read.why);
    const traces = one.entries.flatMap((e) =>
      e.kind === 'reading' && e.reading.from === 'camera.spectrum' && e.reading.quality !== 'bad' ? [e.reading.value] : [],
    );
    expect(read.frames).toHaveLength(4);
    const counts = traces.slice(-4).map((t) => (typeof t === 'object' ? Array.from(t.columns.counts?.data ?? []) : []));
    expect(read.frames.map((f) => Array.from(f.data[0] ?? []))).toEqual(counts);
    expect(read).toMatchObject({ exposure: 0.5, saturation: 65535, pixel: 'u16' });
  });

  test('wavelengths from a neon lamp, of a camera whose axis has drifted by 2 nm', async () => {
    const place = rigFolder(RIG.replace('cosmic: 0', 'cosmic: 0, drift: 2 nm'));
    const one = await lab(place);
    mirror(one.world, 'neon');
    one.advance(16);
    const { code, out, err } = await run(
      'wavelength',
      'camera.spectrum',
      '--lines',
      'neon',
      '--order',
      '2',
      '--frames',
      '20',
      '--session',
      await one.keep(),
    );
    expect([code, err.includes('refused')], err).toEqual([0, false]);
    expect(out).toMatch(/Ne +640\.2248 nm {2}pixel +\d+\.\d\d \+- 0\.\d\d {2}off +-?\d+ pm/);
    expect(out).toMatch(/before, it was off by (19|20)\d\d pm to 20\d\d pm/);
    const { calibrations } = await readCalibrations(place);
    expect(calibrations[0]?.record).toMatchObject({
      calibration: 'wavelength',
      path: { camera: 'Simulated 512 x 40' },
      region: { columns: 512 },
    });
    expect(calibrations[0]?.record.lines?.length).toBeGreaterThan(8);
    const truth = axisOf(600e-9, 900e-9).map((l) => l * 1e9 - 2);
    const { coefficients = [] } = calibrations[0]?.record ?? {};
    for (const i of [20, 100, 200, 250]) expect(coefficients.reduceRight((sum, c) => sum * i + c, 0)).toBeCloseTo(truth[i] ?? 0, 0);
  });

  test('the path changed meanwhile: refused, with what changed, and nothing is kept', async () => {
    const place = rigFolder();
    const one = await lab(place);
    mirror(one.world, 'lamp');
    one.advance(5);
    one.host.order({ by: 'ann', instrument: 'operator', command: 'magnification', written: 10 }, () => {});
    one.advance(3);
    const session = await one.keep();
    expect(await run(...LAMP, '--session', session)).toMatchObject({
      code: 3,
      err: expect.stringMatching(/refused: operator.magnification changed while the frames were taken \(20 -> 10\)/),
    });
    expect(inFolder(place)).toEqual([]);
    // The last three are of one path.
    expect(await run(...LAMP, '--frames', '3', '--session', session)).toMatchObject({
      code: 0,
      out: expect.stringContaining('magnification 10'),
    });
  });

  test('weak, saturated, drifting lamps; light in a dark', async () => {
    const place = rigFolder();
    const cold = await lab(place);
    mirror(cold.world, 'dark');
    cold.advance(8);
    const nothing = await cold.keep();
    expect(await run(...LAMP, '--session', nothing)).toMatchObject({
      code: 3,
      err: expect.stringMatching(/the lamp is weak: .*expose longer.*does the mirror show the lamp/),
    });
    expect((await run('dark', 'camera.spectrum', '--session', nothing)).code).toBe(0);

    const bright = await lab(rigFolder(RIG.replace('exposure: 0.5 s, every: 0.6 s', 'exposure: 8 s, every: 8.1 s')));
    mirror(bright.world, 'lamp');
    bright.advance(30);
    expect(await run(...LAMP, '--frames', '3', '--into', place, '--session', await bright.keep())).toMatchObject({
      code: 3,
      err: expect.stringMatching(/% of the columns in the window are saturated: expose shorter \(try \d/),
    });

    const drifting = await lab(place);
    mirror(drifting.world, 'lamp');
    const filter = drifting.world.optics.part('nd', { kind: 'filter', beams: ['up', 'down'], transmission: 0.5 });
    for (let i = 0; i < 16; i++) {
      filter.in = 0.004 * i;
      drifting.advance(0.5);
    }
    const session = await drifting.keep();
    expect(await run(...LAMP, '--session', session)).toMatchObject({
      code: 3,
      err: expect.stringMatching(/the lamp drifted by -2\.\d+ % .*--drift/),
    });
    expect(await run(...LAMP, '--drift', '--session', session)).toMatchObject({ code: 0, out: expect.stringMatching(/drift -2\./) });

    const leak = await lab(place);
    mirror(leak.world, 'lamp');
    leak.world.optics.part('nd', { kind: 'filter', beams: ['up', 'down'], transmission: 0.003 }).in = 1;
    leak.advance(8);
    expect(await run('dark', 'camera.spectrum', '--session', await leak.keep())).toMatchObject({
      code: 0,
      err: expect.stringMatching(/^doubt: the level .*is there light/),
    });
  });

  test('never overwrites; a folder that cannot be written keeps nothing', async () => {
    const place = rigFolder();
    const one = await lab(place);
    mirror(one.world, 'lamp');
    one.advance(8);
    const session = await one.keep();
    expect((await run(...LAMP, '--session', session)).code).toBe(0);
    const there = inFolder(place);
    const again = await run(...LAMP, '--session', session);
    expect(again).toMatchObject({ code: 3, err: expect.stringMatching(/this calibration is there already: calibrations\/lamp-camera/) });
    expect(inFolder(place)).toEqual(there);
    // Another one of the same second.
    expect((await run(...LAMP, '--frames', '9', '--session', session)).code).toBe(0);
    expect(inFolder(place)).toHaveLength(4);
    expect(inFolder(place)).toEqual(expect.arrayContaining(there));
    expect(
      await writeNew(join(place, 'calibrations'), [
        { name: 'new.spe', bytes: new Uint8Array(3) },
        { name: there[0] ?? '', bytes: new Uint8Array(3) },
      ]),
    ).toMatch(/there is a file of that name already/);
    expect(inFolder(place)).toHaveLength(4);
    const other = rigFolder();
    writeFileSync(join(other, 'calibrations'), 'a file in its place');
    expect(await run(...LAMP, '--into', other, '--session', session)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/cannot be written to .*nothing was kept/),
    });
    if (process.getuid?.() !== 0) {
      const closed = rigFolder();
      mkdirSync(join(closed, 'calibrations'), { mode: 0o500 });
      expect((await run(...LAMP, '--into', closed, '--session', session)).code).toBe(1);
      chmodSync(join(closed, 'calibrations'), 0o700);
    }
  });

  test('the lamp by its radiance, a dark by its id, one of two views by its name', async () => {
    const two = `${RIG}  down:
    method: planck-ml
    spectrum: camera.spectrum
    calibration: auto
    path: { magnification: { from: operator.magnification, within: 10 min }, side: down }
    rows: [24, 35]
`;
    const place = rigFolder(two);
    const cold = await lab(place);
    mirror(cold.world, 'dark');
    cold.advance(8);
    const dark = /dark calibration ([0-9a-f]{16})/.exec((await run('dark', 'camera.spectrum', '--session', await cold.keep())).out)?.[1];
    const one = await lab(place);
    mirror(one.world, 'lamp');
    one.advance(8);
    const session = await one.keep();
    const table = join(place, 'lamp.txt');
    writeFileSync(table, '590 1\n750 2\n910 2.5\n');
    const lamp = ['lamp', 'camera.spectrum', '--radiance', table, '--session', session];
    expect(await run(...lamp)).toMatchObject({ code: 2, err: expect.stringContaining('(up | down): say which with --for NAME') });
    expect(await run(...lamp, '--for', 'down', '--dark', '0123')).toMatchObject({
      code: 3,
      err: expect.stringContaining('there is no dark 0123'),
    });
    expect(await run(...lamp, '--for', 'down', '--dark', dark?.slice(0, 8) ?? '')).toMatchObject({ code: 0, err: '' });
    const { calibrations, messages } = await readCalibrations(place);
    expect(messages).toEqual([]);
    const found = calibrations.find(({ record }) => record.calibration === 'lamp');
    expect(found?.record).toMatchObject({
      path: { side: 'down' },
      region: { rows: [24, 35] },
      lamp: { radiance: { file: expect.stringMatching(/\.radiance\.txt$/) } },
    });
    expect(found?.files.radiance?.bytes).toEqual(new Uint8Array(readFileSync(table)));
    expect(found?.record.dark?.sha256).toBe(calibrations.find(({ record }) => record.id === dark)?.record.data?.sha256);
  });

  test('wrong words', async () => {
    const place = rigFolder();
    const one = await lab(place);
    one.advance(2);
    const session = await one.keep();
    for (const [args, why] of [
      [[], 'what is to be taken? lamp, dark or wavelength'],
      [['lampp', 'camera.spectrum'], 'there is no calibration "lampp" (did you mean lamp?)'],
      [['response', 'camera.spectrum'], 'a response is no measurement'],
      [['dark'], 'of which channel?'],
      [['lamp', 'camera.spectrum'], 'a lamp is known by its temperature or by its radiance'],
      [['lamp', 'camera.spectrum', '--temperature', '5 bar'], '--temperature is such as'],
      [['dark', 'camera.spectrum', '--temperature', '2000 K'], '--temperature is for a lamp calibration, not for dark'],
      [['wavelength', 'camera.spectrum'], 'the lines of which lamp?'],
      [['wavelength', 'camera.spectrum', '--lines', 'xenon'], 'there is no list "xenon" and no such file; there are neon, argon, mercury'],
      [['dark', 'camera.spectrum', '--path', 'filter'], '--path is NAME=VALUE'],
      [[...LAMP, '--path', 'side=down', '--session', session], '--path: the rig itself tells "side" of the path'],
      [['dark', 'camara.spectrum', '--session', session], 'the rig has no instrument "camara"; did you mean camera?'],
      [[...LAMP, '--for', 'down', '--session', session], '--for: no derivation "down" takes'],
    ] as const) {
      const got = await run(...args);
      expect([got.code, got.err], args.join(' ')).toEqual([2, expect.stringContaining(why)]);
    }
    expect(await run('dark', 'camera.spectrum', '--session', join(scratch, 'nowhere', 'else'))).toMatchObject({
      code: 1,
      err: expect.stringContaining('--into'),
    });
    expect(await run('dark', 'camera.spectrum')).toMatchObject({ code: 5, err: expect.stringContaining('no rig is running') });
  });
});

describe('light in a dark', () => {
  const level = (c: number, k: number): number => 1500 + 3 * Math.sin(12.9 * c + 78.2 * k);
  const seen = (shape: (c: number, k: number) => number, earlier?: (c: number, k: number) => number): string | undefined => {
    const frame = (of: (c: number, k: number) => number, k: number) => ({
      wavelength: Float64Array.from({ length: 256 }, (_, c) => (600 + c) * 1e-9),
      counts: Float64Array.from({ length: 256 }, (_, c) => level(c, k) + of(c, k)),
      rows: 1,
      columns: 256,
    });
    const frames = [1, 2, 3, 4].map((k) => frame(shape, k));
    return lightInDark(frames, { rows: [0, 0], columns: [0, 255] }, earlier && frame(earlier, 5));
  };
  const line = (c: number): number => 200 * Math.exp(-(((c - 80) / 2) ** 2));
  test('a line is told, against an earlier dark too', () => {
    expect(seen(line)).toMatch(/^columns 77 to 79 stand 73\.1 counts above the level, as a line does: is there light\?$/);
    expect(seen(line, () => 0)).toMatch(/^columns 78 to 80 stand/);
  });
  test('hot pixels, a hit in one frame, and what the earlier dark has as well are none', () => {
    expect(seen(() => 0)).toBe(undefined);
    expect(seen((c) => (c % 60 === 7 || c % 60 === 8 ? 900 : 0))).toBe(undefined);
    expect(seen((c, k) => (k === 2 ? line(c) : 0))).toBe(undefined);
    expect(seen(line, line)).toBe(undefined);
  });
});

describe('the file of the frames', () => {
  const trace = (counts: readonly number[], saturation: number): Trace => ({
    columns: {
      wavelength: { unit: 'm', data: Float64Array.from(counts, (_, i) => 600e-9 + i * 1e-9) },
      counts: { unit: '1', data: Float64Array.from(counts) },
    },
    shape: [counts.length],
    begin: 0,
    end: 1e5,
    settings: { serial: 'QEP01', exposure: 0.1, saturation },
  });
  const back = (counts: readonly number[], saturation: number) => {
    const one = trace(counts, saturation);
    const frames = alike([one, one]);
    if (typeof frames === 'string') throw new Error(frames);
    const read = readSpe(speOf(frames, [one, one]));
    if (read instanceof SpeFault) throw new Error(read.why);
    return {
      pixel: read.pixel,
      saturation: read.saturation,
      exposure: read.exposure,
      data: read.frames.map((f) => Array.from(f.data[0] ?? [])),
    };
  };
  test.each([
    ['16 bits', [0, 100, 65_535], 65_535, 'u16', 65_535, [0, 100, 65_535]],
    ['14 bits', [5, 100, 16_383], 16_383, 'u16', 16_383, [5, 100, 16_383]],
    ['18 bits', [5, 100, 200_000], 262_143, 'u32', 262_143, [5, 100, 200_000]],
    ['18 bits, weak', [5, 100, 200], 262_143, 'u32', 262_143, [5, 100, 200]],
    ['an end within the bits', [5, 59_999, 60_000], 60_000, 'u16', 65_535, [5, 59_999, 65_535]],
    ['averaged', [-0.5, 100.25, 65_535], 65_535, 'f32', 65_535, [-0.5, 100.25, 65_535]],
  ] as const)('%s', (_, counts, saturation, pixel, end, data) => {
    expect(back(counts, saturation)).toEqual({ pixel, saturation: end, exposure: 0.1, data: [data, data] });
  });
  test('settings that changed are named', () => {
    const [a, b] = [trace([1, 2], 100), trace([1, 2], 100)];
    expect(alike([a, { ...b, settings: { ...b.settings, exposure: 0.2 } }])).toBe(
      'the settings changed while the frames were taken: exposure was 100 ms in the first frame and 200 ms in frame 2',
    );
    expect(alike([a, trace([1, 2, 3], 100)])).toBe('frame 2 has 1 x 3 pixels, the first 1 x 2');
  });
});

describe('of a running rig', () => {
  test('it takes only what is as it was taken', () => {
    const bytes = new Uint8Array(readFileSync(join(import.meta.dirname, '../rigs/demo/calibrations/dark.spe')));
    const record = sealed({
      calibration: 'dark',
      of: 'camera.spectrum',
      taken: 0,
      valid: { from: 0 },
      path: {},
      region: {},
      exposure: 0.5,
      data: { file: 'd.spe', sha256: sha256(bytes) },
    });
    const sent = { by: 'ann', name: 'd.yaml', text: printRecord(record), files: { 'd.spe': Buffer.from(bytes).toString('base64') } };
    expect(heardCalibration(sent)).toMatchObject({ ready: { record: { id: record.id } } });
    expect(heardCalibration({ ...sent, files: {} })).toBe('the file d.spe of d.yaml was not sent');
    expect(heardCalibration({ ...sent, files: { 'd.spe': 'AAAA' } })).toContain('is not the one that d.yaml names');
    expect(heardCalibration({ ...sent, text: sent.text.replace('0.5 s', '1 s') })).toMatch(
      /^d.yaml: what it says has the id [0-9a-f]{16}, not/,
    );
    expect(heardCalibration({ ...sent, text: 'calibration: lmap' })).toMatch(/^d.yaml:1: /);
    expect(heardCalibration({ ...sent, text: '' })).toMatch(/^d.yaml/);
  });

  test('its frames from now on; it is told, and uses the calibration from the next spectrum on', async () => {
    const place = rigFolder();
    // Its clock is ahead: all of its frames begin after the command.
    const one = await lab(place, 4_000_000_000_000_000);
    mirror(one.world, 'lamp');
    one.advance(8);
    const session = await one.keep();
    let refuse: string | undefined;
    const server: Server = await serveLocal(socketOf('oven'), (request, reply) => {
      const answer = (): LocalReply => {
        if (request.do === 'status') return { ok: true, status: {}, where: { session, folder: place } };
        if (request.do !== 'calibrate') return { ok: false, why: 'not here' };
        const why = refuse ?? one.host.learn(request);
        return why === undefined ? { ok: true } : { ok: false, why };
      };
      reply(answer());
    });
    try {
      const { code, out, err } = await run(...LAMP, '--frames', '5', '--dark', 'none');
      expect([code, err], err).toEqual([0, expect.stringContaining('5 frames of camera.spectrum are awaited')]);
      expect(out).toMatch(/in use from now on\n$/);
      const id = /lamp calibration ([0-9a-f]{16})/.exec(out)?.[1];
      const last = one.entries.length;
      away(one.world);
      one.world.laser('heat').power = 40;
      one.advance(4);
      const made = one.entries.slice(last).flatMap((e) => (e.kind === 'reading' && e.reading.from === 'up.temperature' ? [e.reading] : []));
      expect(made.at(-1)).toMatchObject({ made: { calibration: id } });
      expect(made.at(-1)?.quality).not.toBe('bad');
      const kept = one.entries.find((e) => e.kind === 'calibration');
      expect(kept?.kind === 'calibration' && [kept.calibration.id, Object.keys(kept.calibration.files).length]).toEqual([id, 2]);
      refuse = 'no room';
      expect(await run('dark', 'camera.spectrum', '--frames', '3')).toMatchObject({
        code: 0,
        err: expect.stringContaining('the running rig does not take it (no room): it will be used from the next start'),
      });
      expect(await run(...LAMP, '--frames', '50', '--within', '1s')).toMatchObject({
        code: 1,
        err: expect.stringMatching(/only 1\d of 50 frames of camera.spectrum came: none in the last 1 s/),
      });
    } finally {
      server.close();
    }
  });
});
