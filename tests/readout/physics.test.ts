/** The physics of a detector as the readout process says it: from the bytes of a simulated digitizer to a direction. */
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import driver from '../../drivers/sitcp-digitizer.ts';
import digitizer from '../../simulators/sitcp-digitizer.ts';
import { catalogue } from '../../src/catalogue.ts';
import { virtualClock } from '../../src/clock.ts';
import { CUTS } from '../../src/derive/coincidence-cuts.ts';
import { PHYSICS_GIVES, SOURCE_GIVES } from '../../src/derive/detector-values.ts';
import { WATCH_GIVES } from '../../src/derive/detector-watch.ts';
import type { Values } from '../../src/reading.ts';
import { type Reader, type ReaderPlan, reader } from '../../src/readout/reader.ts';
import { universe } from '../../src/simulate.ts';
import { Refused } from '../../src/talk.ts';
import { laboratory, rigOf } from '../laboratory.ts';

const known = await catalogue();
type Yaml = Readonly<Record<string, unknown>>;
const CUBE = { box: ['32 cm', '32 cm', '32 cm'], attenuation: '150 cm', scattered: 0.3, radius: '3.2 cm' };
/** 800 photoelectrons per MeVee, of 16 counts each. */
const PHYSICS = { scale: 1 / (800 * 16), physics: { map: CUBE, photoelectron: 16 } };
const flying = (theta: number, phi: number): Yaml => ({
  kind: 'pairs',
  rate: 60,
  direction: { theta: `${theta} deg`, phi: `${phi} deg` },
  displacement: '6 cm',
  spread: '2 cm',
});

function planOf(options: Yaml): ReaderPlan {
  const read = driver.options.parse(options);
  if (read instanceof Refused) throw new Error(read.why);
  const links = typeof driver.links === 'function' ? driver.links(read) : driver.links;
  return links.data.readout as unknown as ReaderPlan; // what the driver has made for it
}

/** A board with its reader, on virtual time: `run` gives what each second says. */
function bench(options: Yaml, simulate: Yaml, seed = 4) {
  const clock = virtualClock();
  const read = digitizer.options.parse(simulate);
  if (read instanceof Refused) throw new Error(read.why);
  const device = universe(seed, clock).device('board', digitizer, read);
  const made = reader({ plan: planOf(options), begin: clock.now(), crc32 });
  if (typeof made === 'string') throw new Error(made);
  device.ports.data.says.subscribe(({ bytes }) => made.take(bytes, clock.now()));
  return { made, run: (seconds: number): Values[] => Array.from({ length: seconds }, () => next(clock, made)) };
}
function next(clock: ReturnType<typeof virtualClock>, made: Reader): Values {
  clock.advance(1);
  return made.look(clock.now());
}
/** The last that was said of each channel. */
const last = (said: readonly Values[]): Values => Object.assign({}, ...said);

describe('a board with a surrogate source', () => {
  const source = { theta: '70 deg', phi: '50 deg' };
  const b = bench(
    { ...PHYSICS, physics: { ...PHYSICS.physics, source } },
    { sources: [flying(70, 50), { kind: 'gammas', rate: 10 }, { kind: 'muons', rate: 1 }] },
  );
  const said = b.run(11);

  test('pairs are counted each second, and fits come every ten', () => {
    const counts = said.map((v) => Object(v.pairs).value);
    expect(counts.every((n, i) => i === 0 || n >= counts[i - 1])).toBe(true);
    expect(said.flatMap((v, i) => ('direction' in v ? [i] : []))).toEqual([0, 10]);
    for (const name of Object.keys({ ...PHYSICS_GIVES, ...SOURCE_GIVES })) expect(last(said), name).toHaveProperty(name);
  });

  test('the source is found, within two cones, and every number has its bar', () => {
    const all = last(said);
    expect(all).toMatchObject({
      direction: 'stated',
      singles: 'agree',
      theta: { quality: 'good', sigma: { random: expect.any(Number) } },
      capture_time: { quality: 'good' },
      signal: { quality: 'good' },
      accidental_rate: { quality: 'good', sigma: { random: expect.any(Number) } },
      displacement: { quality: 'good' },
      muon_rate: { quality: 'good' },
    });
    expect(Object(all.source_angle).value).toBeLessThan(2 * Number(all.cone));
    expect(Object(all.displacement).value).toBeGreaterThan(0.045);
    expect(Object(all.displacement).value).toBeLessThan(0.075);
    const { value, sigma } = Object(all.capture_time);
    expect(Math.abs(value - 41.1e-6)).toBeLessThan(4 * sigma.random);
    expect(Number(all.physics_live)).toBeGreaterThan(10);
    expect(Object(all.displacement_vector).shape).toEqual([3]);
  });

  test('what the channels do is said', () => {
    const all = last(said);
    expect(all).toMatchObject({ channels: 'learning', channel: expect.arrayContaining(['learning']), levels: { shape: [64] } });
    expect(all.channel).toHaveLength(64);
  });
});

test('a board without a source has no direction, and says why', () => {
  const all = last(bench(PHYSICS, { sources: [{ kind: 'gammas', rate: 60 }] }).run(4));
  expect(all).toMatchObject({
    direction: 'none',
    theta: { quality: 'bad', why: expect.stringMatching(/no direction/) },
    phi: { quality: 'bad' },
    cone: { quality: 'bad' },
    capture_time: { quality: 'bad', why: expect.stringMatching(/pairs: at least 20/) },
  });
  expect(all).not.toHaveProperty('source');
});

test('a source that is moved is followed once all begins anew', () => {
  const b = bench(PHYSICS, {
    sources: [
      { ...flying(70, 50), until: '5 s' },
      { ...flying(110, -120), from: '5 s' },
    ],
  });
  const first = last(b.run(5));
  const [before] = b.run(1); // its neutrons that are still on their way
  expect(before).not.toHaveProperty('theta');
  b.made.clear(6e6);
  expect(b.made.look(1767225606100000)).toMatchObject({ pairs: { value: 0 }, direction: 'none' });
  const second = last(b.run(11));
  expect(Object(first.phi).value).toBeGreaterThan(0.3);
  expect(Object(second.phi).value).toBeLessThan(-1.5);
  expect(Object(second.phi).value).toBeGreaterThan(-2.7);
});

test('without a scale there are no energies: each reading says so, once in ten seconds', () => {
  const { scale: _, ...rest } = PHYSICS;
  const said = bench(rest, { sources: [flying(70, 50)] }).run(3);
  for (const name of Object.keys(PHYSICS_GIVES))
    expect(said[0]?.[name], name).toMatchObject({ quality: 'bad', why: expect.stringMatching(/scale/) });
  expect(said[1]).not.toHaveProperty('theta');
});

test('in a rig every channel has readings of its kind', () => {
  const options = { ...PHYSICS, record: 'nothing', physics: { ...PHYSICS.physics, source: { theta: '70 deg', phi: '50 deg' } } };
  const rig = rigOf('sitcp-digitizer', known, { options, simulate: { sources: [flying(70, 50)] } });
  const lab = laboratory(rig, known);
  lab.clock.advance(12.5);
  expect(lab.readings('sitcp-digitizer.light').at(-1)).toMatchObject({ quality: 'good', value: 'learning' });
  for (const [name, kind] of Object.entries({ ...PHYSICS_GIVES, ...SOURCE_GIVES, ...WATCH_GIVES })) {
    const all = lab.readings(`sitcp-digitizer.${name}`);
    expect(all.length, name).toBeGreaterThan(0);
    for (const r of all) expect(r.kind, name).toBe(kind);
    const end = all.at(-1);
    if (name !== 'figure_of_merit') expect(end?.quality, `${name}: ${end?.quality === 'bad' ? end.why : ''}`).toBe('good');
  }
  const [theta] = lab.readings('sitcp-digitizer.theta').slice(-1);
  expect(theta?.quality === 'good' && Math.abs(Number(theta.value) - (70 * Math.PI) / 180)).toBeLessThan(0.3);
});

describe('what a rig says of the physics', () => {
  const wrong = (physics: unknown): string => {
    const read = driver.options.parse({ physics });
    return read instanceof Refused ? read.why : 'read';
  };
  test('has a default for everything', () => {
    expect(planOf({}).physics).toBeUndefined();
    expect(planOf({}).watch).toEqual({ channels: 64, firstChannel: 0 });
    expect(planOf({ physics: {} }).physics?.cuts).toEqual(CUTS);
  });
  test('is taken in the units that it is written in', () => {
    const cuts = { window: ['2 us', '150 us'], veto: '1 ms', off: { count: 5 }, apart: '30 cm', prompt: [1.5, 9] };
    expect(planOf({ physics: { cuts, map: CUBE, source: { at: ['20 cm', 0, 0] } } }).physics).toMatchObject({
      cuts: { ...CUTS, window: [2000, 150_000], veto: 1e6, off: { ...CUTS.off, count: 5 }, apart: 30, prompt: [1.5, 9] },
      map: { box: [32, 32, 32], channels: 'walls', attenuation: 150, radius: 3.2 },
      source: { at: [20, 0, 0] },
    });
  });
  test('takes a measured map', () => {
    const channels = Array.from({ length: 64 }, (_, i) => [i, 0, 0]);
    const values = new Array(2 * 64).fill(1);
    expect(planOf({ physics: { map: { channels, x: [0, 1], y: [0], z: [0], values } } }).physics?.map).toMatchObject({ x: [0, 1], values });
  });
  test.each([
    [{ cut: {} }, /no "cut" here; did you mean "cuts"/],
    [{ cuts: { window: ['150 us', '1 us'] } }, /window.*rise/],
    [{ cuts: { off: { first: '10 us' } } }, /off.first/],
    [{ map: { box: [1, 2] } }, /box.*three lengths/],
    [{ map: { ...CUBE, channels: [[1, 2, 3]] } }, /1 places for 64 channels/],
    [{ map: { ...CUBE, channels: 'floor' } }, /none of walls, plane/],
    [{ map: { ...CUBE, scattered: 2 } }, /scattered/],
    [{ photoelectron: 0 }, /above 0/],
    [{ photoelectron: [1, 2] }, /2 charges for 64 channels/],
    [{ source: { at: [0, 0, 0] } }, /middle of the detector/],
    [{ excess: 0.5 }, /1 or more/],
    [{ light: { line: 0.5, edge: '137Cs' } }, /light.*line.*or.*edge/],
    [{ conditions: ['purge'] }, /INSTRUMENT.CHANNEL/],
    [{ light: { edge: '99Tc' } }, /none of/],
    [{ light: { line: 0.5, every: 3 } }, /250 events/],
  ])('%j is told what would be right', (physics, why) => {
    expect(wrong(physics)).toMatch(why);
  });
});
