/** Recorded sessions of fast streams: recorded in this process on virtual time, then analysed as files on the disk. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adcWord, eventBytes } from '../protocols/easiroc-words.ts';
import { catalogue } from '../src/catalogue.ts';
import { analyse } from '../src/cli/analyse.ts';
import { compared } from '../src/cli/analyse-compare.ts';
import type { Measure } from '../src/cli/analyse-measures.ts';
import { EXIT } from '../src/cli/command.ts';
import { arranged } from '../src/derive/detector-map.ts';
import { easirocSource } from '../src/derive/easiroc-source.ts';
import { methods } from '../src/methods.ts';
import { hitBytes } from '../src/readout/hit-bytes.ts';
import { sessionWriter } from '../src/recorder/parts.ts';
import { HITS, write } from '../src/recorder/session-json.ts';
import { loadRig } from '../src/rig.ts';
import { laboratory } from './laboratory.ts';

const known = await catalogue();
const folder = mkdtempSync(join(tmpdir(), 'bridgman-analyse-session-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await analyse.run(args, { out: (t) => (out += t), err: (t) => (err += t) });
  expect(out + err).not.toMatch(/\bat .*\(?.*:\d+:\d+|node:internal|undefined|[^"]NaN/);
  return { code, out, err };
}
async function json(...args: string[]) {
  const { code, out, err } = await run(...args, '--json');
  expect([code, err]).toEqual([EXIT.ok, '']);
  return JSON.parse(out);
}

const RIG = `rig: box
instruments:
  board:
    model: sitcp-digitizer
    links: { control: udp:192.168.10.16:4660, data: tcp:192.168.10.16:24 }
    options: { OPTIONS }
    simulate:
      sources:
        - { kind: pairs, rate: 25, direction: { theta: 70 deg, phi: 50 deg } }
        - { kind: gammas, rate: 4 }
        - { kind: muons, rate: 0.5 }
`;
const LINK = 'tcp:192.168.10.16:24';
const HITS_PART = 'raw-tcp-192-168-10-16-24-hits-0001.mcap';

/** A run of so many seconds, as the recorder puts it on the disk. */
async function recorded(name: string, options: string, seconds: number, whole = RIG): Promise<string> {
  const place = join(folder, name);
  mkdirSync(place);
  const yaml = whole.replace('OPTIONS', options);
  writeFileSync(join(place, 'rig.yaml'), yaml);
  const loaded = await loadRig(place, known, methods);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.messages));
  const lab = laboratory(loaded.rig, known);
  lab.clock.advance(seconds);
  const session = join(place, 'sessions', 'one');
  mkdirSync(session, { recursive: true });
  const writer = sessionWriter({ folder: session, now: () => lab.clock.mono() * 1000, limits: { rawChunk: 65_536 } });
  writer.write('rig', 'slow', 1, new TextEncoder().encode(JSON.stringify({ name: 'box', yaml })));
  for (const entry of lab.entries) {
    write(entry, (topic, klass, t, bytes, encoding) => {
      writer.write(topic, klass, t, bytes, encoding);
    });
  }
  await writer.close();
  return session;
}

let session = '';
beforeAll(async () => {
  session = await recorded('both', 'scale: 1.0e-4', 12);
}, 60_000);

/** The same session in a folder of its own, one of its files changed. */
function copied(name: string, change: (file: string, bytes: Uint8Array) => Uint8Array | undefined): string {
  const to = join(folder, name);
  mkdirSync(to);
  for (const file of readdirSync(session)) {
    const bytes = change(file, readFileSync(join(session, file)));
    if (bytes) writeFileSync(join(to, file), bytes);
  }
  return to;
}

describe('a digitizer', () => {
  test('a run with --simulate holds the hits and the bytes of its stream', () => {
    const files = readdirSync(session);
    expect(files).toContain(HITS_PART);
    expect(files).toContain(HITS_PART.replace('hits', 'stream'));
  });

  test('hits as they were found, and the bytes once more: the same counts, charges, shapes and pairs', async () => {
    const [hits, stream] = [await json(session, '--coincidence', '0,1'), await json(session, '--coincidence', '0,1', '--from', 'stream')];
    expect(hits).toMatchObject({
      format: 'session',
      rig: 'box',
      cut_off_bytes: 0,
      backward_steps: 0,
      warnings: [expect.stringContaining('saturated'), expect.stringContaining('a gate that leaves the record')],
      settings: { from: ['hits'] },
    });
    expect(hits.files).toMatchObject([{ file: LINK, missing: 0, damaged: 0 }]);
    expect(hits.events).toBeGreaterThan(300);
    expect(Object.keys(hits.channels)).toHaveLength(64);
    expect(hits.coincidences[0].count).toBeGreaterThan(100);
    for (const name of ['events', 'hits', 'duration', 'channels', 'charge_sum', 'coincidences', 'physics'])
      expect([name, stream[name]]).toEqual([name, hits[name]]);
    // The last readings of the run are a second old at most.
    expect(hits.files[0].counted.frames).toBeGreaterThan(0.8 * hits.events);
    expect(hits.files[0].counted.frames).toBeLessThanOrEqual(hits.events);
  });

  test('gains against time, where the rig asks for them', async () => {
    const short = await recorded('gains', 'edge: { source: 137Cs, low: 200, high: 900, bins: 100 }', 3);
    const got = await json(short, '--gains');
    expect(got.gains).toEqual([{ stream: LINK, energy_scale: { state: 'learning', drift: 'learning', channels: {} } }]);
    expect((await run(short, '--gains')).out).toMatch(/^energy scale +of no channel: learning$/m);
    expect(await json(short)).not.toHaveProperty('gains');
  });

  test('pairs with the cuts of the options, and the direction of the source within its cone', async () => {
    const map = ['--map', 'walls:32,32,32', '--photoelectron', '62'];
    const { physics } = await json(session, ...map);
    const [p] = physics;
    expect(p.on_time_pairs).toBeGreaterThan(60);
    expect(p.accidentals_agree.word).not.toBe('disagree');
    expect(p.capture_time_fit.tau_us).toBeGreaterThan(20);
    expect(p.capture_time_fit.tau_us).toBeLessThan(80);
    const { unit, cone_68_deg: cone } = p.direction;
    const [t, f] = [(70 * Math.PI) / 180, (50 * Math.PI) / 180];
    const off = Math.acos(unit[0] * Math.sin(t) * Math.cos(f) + unit[1] * Math.sin(t) * Math.sin(f) + unit[2] * Math.cos(t));
    expect((off * 180) / Math.PI).toBeLessThan(2.5 * cone);
    const narrow = await json(session, '--dt', '1us:30us');
    expect(narrow.physics[0].on_time_pairs).toBeLessThan(p.on_time_pairs);
    expect(narrow.physics[0].cuts.dt_us).toEqual([1, 30]);
    expect(narrow.physics[0].direction.none).toMatch(/no map/);
    expect((await json(session, '--scale', '1e-6')).physics[0].on_time_pairs).toBe(0);
    const near = await json(session, ...map, '--max-distance', '4');
    expect(near.physics[0].on_time_pairs).toBeLessThan(p.on_time_pairs);
    const { out } = await run(session, ...map);
    expect(out).toMatch(/recorded session/);
    expect(out).toMatch(/pairs +\d+ on time/);
    expect(out).toMatch(/isolated pairs/);
  });

  test('the physics of the rig holds where no option is given, and a source is tested', async () => {
    const options = 'scale: 1.0e-4, physics: { photoelectron: 62, map: { box: [32 cm, 32 cm, 32 cm] }, cuts: { window: [1 us, 60 us] } }';
    const place = await recorded('physics', options, 6);
    const got = await json(place);
    const plain = await recorded('plain', 'scale: 1.0e-4', 6);
    const asked = await json(plain, '--map', 'walls:32,32,32', '--photoelectron', '62', '--dt', '1us:60us');
    expect(got.physics).toEqual(asked.physics);
    expect(got.physics[0].cuts.dt_us).toEqual([1, 60]);
    expect((await json(place, '--dt', '1us:150us')).physics[0].cuts.dt_us).toEqual([1, 150]);
    const [sin, cos] = [Math.sin((70 * Math.PI) / 180), Math.cos((70 * Math.PI) / 180)];
    const f = (50 * Math.PI) / 180;
    const behind = [-100 * sin * Math.cos(f), -100 * sin * Math.sin(f), -100 * cos].map((x) => x.toFixed(3)).join(',');
    const there = (await json(session, '--map', 'walls:32,32,32', '--photoelectron', '62', '--source', behind)).physics[0];
    expect(there.source.p_value).toBeGreaterThan(1e-3);
    expect(there.source.within_cone).toBe(there.source.angle_deg <= there.direction.cone_68_deg);
    const opposite = behind
      .split(',')
      .map((x) => -Number(x))
      .join(',');
    const wrong = (await json(session, '--map', 'walls:32,32,32', '--photoelectron', '62', '--source', opposite)).physics[0];
    expect(wrong.source).toMatchObject({ within_cone: false, dof: 3 });
    expect(wrong.source.p_value).toBeLessThan(1e-3);
  }, 30_000);

  test('a flipped byte, a cut and a missing part are named, and the rest is there', async () => {
    const whole = await json(session);
    for (const [name, change] of [
      ['flipped', (b: Uint8Array) => b.with(Math.floor(b.length / 2), b[Math.floor(b.length / 2)] ^ 1)],
      ['cut', (b: Uint8Array) => b.subarray(0, Math.floor(b.length / 2))],
    ] as const) {
      const path = copied(name, (file, bytes) => (file === HITS_PART ? change(bytes) : bytes));
      const got = await json(path);
      expect(got.hits).toBeLessThan(whole.hits);
      expect(got.hits).toBeGreaterThan(0);
      expect(got.warnings.join('\n')).toContain(HITS_PART.slice(0, -5));
    }
    const torn = await run(copied('torn', (file, bytes) => (file === HITS_PART ? bytes.subarray(0, 300) : bytes)));
    expect([torn.code, torn.err]).toEqual([EXIT.failed, expect.stringMatching(/no hit in its stream.*hits-0001 is cut/)]);
    const without = copied('no-slow', (file, bytes) => (file.startsWith('slow-') ? undefined : bytes));
    const got = await json(without);
    expect(got).toMatchObject({ hits: whole.hits, charge_sum: whole.charge_sum, rig: null });
    expect(got.physics).toBeUndefined();
    expect(got.warnings.join('\n')).toMatch(/its beginning is missing/);
    expect((await run(without, '--from', 'stream')).err).toMatch(/no instrument on it that says how its bytes are read/);
    expect((await json(without, '--scale', '1e-4')).physics[0].on_time_pairs).toBe(whole.physics[0].on_time_pairs);
  });

  test('what cannot be is one sentence', async () => {
    const wrong = async (code: number, ...args: string[]): Promise<string> => {
      const got = await run(...args);
      expect([got.code, got.out]).toEqual([code, '']);
      expect(got.err.trim().split('\n')).toHaveLength(code === EXIT.usage ? 2 : 1); // with where there is help
      return got.err;
    };
    mkdirSync(join(folder, 'empty'));
    expect(await wrong(EXIT.failed, join(folder, 'empty'))).toMatch(/is a folder/);
    const slow = copied('slow-only', (file, bytes) => (file.startsWith('slow-') ? bytes : undefined));
    expect(await wrong(EXIT.failed, slow)).toMatch(/holds no stream of a detector.*inspect/);
    expect(await wrong(EXIT.usage, session, '--tick', '2ns')).toMatch(/--tick is not for recorded sessions/);
    expect(await wrong(EXIT.usage, session, '--coincidence', '0,99')).toMatch(/there is no channel 99/);
    expect(await wrong(EXIT.usage, session, '--from', 'memory')).toMatch(/--from is hits or stream/);
    expect(await wrong(EXIT.usage, session, '--gains')).toMatch(/neither photoelectrons nor an edge/);
    expect(await wrong(EXIT.usage, session, '--max-distance', '4')).toMatch(/--map/);
    expect(await wrong(EXIT.usage, session, '--map', join(folder, 'none.json'))).toMatch(/cannot be read/);
    writeFileSync(join(folder, 'map.json'), '{"box":[1,2]}');
    expect(await wrong(EXIT.usage, session, '--map', join(folder, 'map.json'))).toMatch(/is written as/);
    expect(await wrong(EXIT.usage, session, '--source', '0,0,0')).toMatch(/X,Y,Z/);
    expect(await wrong(EXIT.usage, session, '--prompt', '8:1')).toMatch(/prompt ends/);
    const file = join(folder, 'some.csv');
    writeFileSync(file, 't_ns,E_MeVee,psd\n1,1,0.1\n');
    expect(await wrong(EXIT.usage, session, file)).toMatch(/not analysed together/);
  });
});

test('without a scale there are no pairs, and a cut says so; what the plan does not record is not there', async () => {
  const hits = await recorded('hits', 'record: hits', 2);
  expect(readdirSync(hits).some((file) => file.includes('-stream-'))).toBe(false);
  expect((await json(hits)).physics).toBeUndefined();
  expect((await run(hits, '--prompt', '1:8')).err).toMatch(/--prompt needs energies: board had no scale/);
  expect((await run(hits, '--from', 'stream')).err).toMatch(/has no bytes in the session; --from hits/);
}, 30_000);

test('a reading process that began anew: its times go on by the clock of the session', async () => {
  const path = join(folder, 'anew');
  mkdirSync(path);
  const event = eventBytes([adcWord('high', 3, 100)], 'packed');
  for (const start of [10e6, 20e6]) {
    const writer = sessionWriter({ folder: path, now: () => 0 });
    const source = easirocSource({ form: 'packed' });
    for (let i = 0; i < 4; i++) {
      const t = start + i * 1e6;
      source.take(event, t, (block) => void writer.write('tcp:b:24 hits', 'raw-tcp-b-24-hits', t, hitBytes(block), HITS));
    }
    await writer.close();
  }
  const got = await json(path);
  expect(got).toMatchObject({ hits: 8, events: 8, duration: 13, late: 0, backward_steps: 0 });
  expect(got.warnings.join('\n')).toMatch(/began anew 1 time/);
});

describe('two boards that look at one detector', () => {
  const second = `  second:
    model: sitcp-digitizer
    links: { control: udp:192.168.10.17:4660, data: tcp:192.168.10.17:24 }
    options: { OPTIONS, first_channel: 64 }
`;
  const two = (options: string): string => RIG.replace('OPTIONS', options) + second.replace('OPTIONS', options);
  let both = '';
  beforeAll(async () => {
    both = await recorded('two', 'record: hits, scale: 1.0e-4', 5, two('record: hits, scale: 1.0e-4'));
  }, 60_000);

  test('as one run each has its own pairs; joined they are one detector, whose events have the light of both', async () => {
    const apart = await json(both);
    expect(apart.physics).toHaveLength(2);
    const [one] = apart.physics;
    expect(one.on_time_pairs).toBeGreaterThan(25);
    // Each sees all of the light: half the scale makes the energies those of one.
    const { physics, channels } = await json(both, '--join', '500ns', '--scale', '0.5e-4');
    expect(Object.keys(channels)).toHaveLength(128);
    expect(physics).toHaveLength(1);
    expect(Math.abs(physics[0].on_time_pairs - one.on_time_pairs)).toBeLessThan(0.1 * one.on_time_pairs);
    // With the rig's own the captures have twice the energy that is looked for.
    expect((await json(both, '--join', '500ns')).physics[0].on_time_pairs).toBeLessThan(0.3 * one.on_time_pairs);
    // Boards whose counters are apart see half of each event, twice.
    const off = (await json(both, '--join', '500ns', '--scale', '0.5e-4', '--offset', '0ns,1ms')).physics[0];
    expect(off.delayed_candidates).toBeLessThan(0.5 * physics[0].delayed_candidates);
    const back = await json(both, '--join', '500ns', '--scale', '0.5e-4', '--offset', '-1ms,-1ms');
    expect(back.physics[0].on_time_pairs).toBe(physics[0].on_time_pairs);
    const { out } = await run(both, '--join', '500ns', '--scale', '0.5e-4');
    expect(out).toMatch(/pairs +\d+ on time/);
  }, 30_000);

  test('the maps of the rig make one where each lists its places', async () => {
    const places = (from: number): string =>
      `[${Array.from({ length: 64 }, (_, c) => {
        const [x = 0, y = 0, z = 0] = arranged([32, 32, 32], 'walls').positions[c] ?? [];
        return `[${x + from} cm, ${y} cm, ${z} cm]`;
      }).join(', ')}]`;
    const physics = (from: number): string =>
      `record: hits, scale: 0.5e-4, physics: { photoelectron: 62, map: { box: [32 cm, 32 cm, 32 cm], channels: ${places(from)} } }`;
    const yaml = RIG.replace('OPTIONS', physics(0)) + second.replace('OPTIONS', physics(0.01));
    const got = await json(await recorded('two-maps', '', 5, yaml), '--join', '500ns');
    expect(got.physics[0].direction.n).toBeGreaterThan(20);
    expect(got.warnings.join()).not.toMatch(/maps of the boards/);
  }, 30_000);

  test('what cannot be joined is told', async () => {
    expect((await run(session, '--join', '200ns')).err).toMatch(/several streams, and there is one/);
    expect((await run(both, '--join', '200ns', '--separate')).err).toMatch(/do not go together/);
    expect((await run(both, '--join', '200')).err).toMatch(/--join is a time/);
    expect((await run(both, '--offset', '1ms')).err).toMatch(/each of the 2 streams/);
    const same = await recorded('two-alike', '', 1, two('record: hits, scale: 1.0e-4').replace('first_channel: 64', 'first_channel: 10'));
    expect((await run(same, '--join', '200ns')).err).toMatch(/board and second have the same channel numbers \(10 to 63\).*first_channel/);
    const none = await recorded('two-plain', '', 1, two('record: hits'));
    expect((await run(none, '--join', '200ns')).err).toMatch(/--join needs energies/);
    const walls = two('record: hits, scale: 1.0e-4, physics: { map: { box: [32 cm, 32 cm, 32 cm] } }');
    expect((await json(await recorded('two-walls', '', 1, walls), '--join', '200ns')).warnings.join()).toMatch(/maps of the boards/);
  }, 30_000);
});

describe('runs and their conditions', () => {
  const rig = (light: number, purge: number, options = ''): string =>
    `${RIG.replace(
      'OPTIONS',
      `record: hits, scale: 7.8125e-5, physics: { photoelectron: 16, map: { box: [32 cm, 32 cm, 32 cm] }, conditions: [plant.purge, plant.leak, plant.nothing] }${options}`,
    )
      .replace('rate: 25', 'rate: 45')
      .replace('simulate:', `simulate:\n      light: ${light}`)}  plant:
    model: modbus-io
    link: tcp:192.168.1.91:502
    options:
      unit: 1
      framing: tcp
      channels:
        purge: { input: 0, type: s16, scale: 0.00361689814814815, unit: '%', span: [-1 %, 120 %], example: { words: [13824], is: 50 % } }
        leak: { discrete: 0, invert: true }
    simulate: { values: { purge: ${purge} %, leak: off } }
`;
  let [one, other, same] = ['', '', ''];
  beforeAll(async () => {
    one = await recorded('run-1', '', 9, rig(800, 50));
    other = await recorded('run-2', '', 10, rig(640, 40));
    same = join(folder, 'run-3');
    cpSync(one, same, { recursive: true });
  }, 60_000);

  test('a run has the mean, spread and range of its conditions; one without a reading is told', async () => {
    const got = await json(one);
    expect(got.conditions['plant.purge']).toMatchObject({ unit: '1', readings: expect.any(Number), bad: 0 });
    expect(got.conditions['plant.purge'].mean).toBeCloseTo(0.5, 3);
    expect(got.conditions['plant.leak'].words).toEqual({ off: got.conditions['plant.leak'].readings });
    expect(got.conditions['plant.nothing']).toMatchObject({ readings: 0, mean: null });
    expect(got.warnings.join()).toMatch(/plant.nothing is a condition of the run, and has no reading/);
    const asked = await json(one, '--conditions', 'plant.leak,board.light[0]');
    expect(Object.keys(asked.conditions)).toEqual(['plant.leak', 'board.light[0]']);
    expect((await run(one)).out).toMatch(/plant.purge +0.5/);
    expect((await run(one, '--conditions', 'purge')).err).toMatch(/"purge" is no channel/);
    expect(got.physics[0].light_yield.value).toBeGreaterThan(0.8);
  });

  test('--compare holds runs against the first: a light yield that is a fifth lower and another purge stand out, the rest does not', async () => {
    const { comparison, runs, sessions } = await json(one, other, same, '--compare');
    expect(runs).toEqual([one, other, same]);
    expect(sessions).toHaveLength(3);
    const of = (quantity: string) => comparison.find((c: { quantity: string }) => c.quantity === quantity);
    const [far, near] = of('light yield').differences;
    expect(far.sigmas).toBeGreaterThan(5);
    expect(of('light yield').values[1].value / of('light yield').values[0].value).toBeCloseTo(0.8, 1);
    expect(near).toMatchObject({ difference: 0, sigmas: 0 }); // the same run
    expect(of('plant.purge')).toMatchObject({ of: 'spread', differences: [{ difference: expect.closeTo(-0.1, 3) }, { sigmas: 0 }] });
    for (const quantity of ['prompts', 'pairs', 'signal', 'muons', 'capture time', 'displacement x', 'hits', 'charge 12'])
      expect([quantity, of(quantity)?.differences.length]).toEqual([quantity, 2]);
    const { out } = await run(one, other, '--compare');
    expect(out).toMatch(/light yield +0\.\d+ ± .* sigma !/);
    expect(out).toMatch(/Mean charges of 64 channels, 2 less 1: (none|\d+) beyond/);
    expect((await run(one, '--compare')).err).toMatch(/two or more sessions/);
  });
});

test('angles that go round are compared the shorter way, and what one run has not is left open', () => {
  const phi = (value: number): Measure => ({ quantity: 'phi', unit: 'deg', value, sigma: 3, of: 'error', turn: 360 });
  const [angle, more] = compared([[phi(-175)], [phi(175), { quantity: 'x', unit: '', value: 1, sigma: 0, of: 'error' }]]);
  expect(angle?.differences[0]?.difference).toBeCloseTo(-10, 9);
  expect(angle?.differences[0]?.sigmas).toBeCloseTo(10 / Math.hypot(3, 3), 9);
  expect(more).toMatchObject({ values: [null, { value: 1 }], differences: [null] });
});
