/** The physics chain from hits on: the golden stream, and runs of the simulated detector with a known source. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CUTS } from '../../src/derive/coincidence-cuts.ts';
import { checkChain, type DetectorChain, detectorChain } from '../../src/derive/detector-chain.ts';
import { angleBetween } from '../../src/derive/direction-cone.ts';
import { hits } from '../../src/derive/hits.ts';
import { along, CHANNELS, chainOptions, gammas, pairs, run, SCALE, worldOf } from './detector-run.ts';
import { blockOf, type Row } from './hit-rows.ts';

const golden = resolve(import.meta.dirname, '../../../shared/golden');

/** A detector of one channel whose charge is the energy. */
const single = { channels: 1, scale: { slope: [1] } };
const SECOND = 1e6; // microseconds

/** A direction as the chain has it now. */
function found(chain: DetectorChain) {
  const { direction } = chain.now(0, SECOND);
  if ('none' in direction) throw new Error(direction.none);
  return direction;
}

describe.skipIf(!existsSync(golden))('the stream of ../shared/golden beside the project, as hits', () => {
  const rows = existsSync(golden)
    ? readFileSync(resolve(golden, 'coincidence_stream.csv'), 'utf8')
        .trim()
        .split('\n')
        .slice(1)
        .map((line, frame): Row => {
          const [t = 0, charge = 0, psd = 0] = line.split(',').map(Number);
          return { t, charge, tail: psd * charge, frame };
        })
    : [];
  /** Two events without energy: the first begins the run, and the last lets all others settle. */
  const whole: readonly Row[] = [
    { t: 0, charge: 0.1, frame: 90_000 },
    ...rows,
    { t: 20e9, charge: 0.1, frame: 90_001 },
    { t: 20e9 + 1e6, charge: 0.1, frame: 90_002 },
  ];

  test.each([1, 37, 1000])('counts, live time and capture time are as they should be, in blocks of %d', (size) => {
    const chain = detectorChain(single);
    for (let i = 0; i < whole.length; i += size) chain.take(blockOf(whole.slice(i, i + size)));
    chain.take(blockOf([{ t: 20e9 + 1e6 + 1, charge: 0.1, frame: 1 }]));
    const got = chain.now(0, SECOND);
    expect([got.pairs, got.isolated, got.of.muons, got.of.prompts, got.of.delayeds]).toEqual([147, 129, 611, 1463, 1399]);
    expect([...got.off]).toEqual([17, 16, 15, 17, 16, 7, 16, 20, 11, 23, 13, 15, 16, 16, 19, 11, 12, 9, 10, 12]);
    expect(got.accidentals.sigma).toBeCloseTo(0.8529361054615989, 12);
    expect(got.signal.value).toBeCloseTo(132.45, 12);
    expect(got.live / 1e9).toBeCloseTo(19.39967042, 8);
    expect('tau' in got.capture && [got.capture.tau / 1e3, got.capture.sigma / 1e3]).toEqual([
      expect.closeTo(39.2, 1),
      expect.closeTo(4.7, 1),
    ]);
    expect(got.agreement.word).toBe('agree');
  });

  test('the readings say the same in SI, and what is not there has a reason', () => {
    const chain = detectorChain(single);
    chain.take(blockOf(whole));
    chain.take(blockOf([{ t: 21e9, charge: 0.1, frame: 1 }]));
    const got = chain.look(0, 20 * SECOND);
    expect(got).toMatchObject({
      pairs: { value: 147, sigma: { random: Math.sqrt(147) } },
      pairs_off: { value: 291 },
      signal: { value: 132.45, sigma: { random: expect.closeTo(12.154, 3) } },
      capture_time: { value: expect.closeTo(39.2e-6, 7), sigma: { random: expect.closeTo(4.7e-6, 7) } },
      singles: 'agree',
      direction: 'none',
      theta: { quality: 'bad', why: expect.stringContaining('no map') },
      cone: { quality: 'bad', why: expect.stringContaining('no map') },
    });
    // Of the energies of prompts on time less those off time, all are in the spectrum.
    const trace = Object(got.prompt_energy);
    expect(trace.columns.difference.data.reduce((a: number, b: number) => a + b, 0)).toBeCloseTo(132.45, 9);
    expect(Object.keys(chain.look(20 * SECOND, 21 * SECOND)).sort()).toEqual(['events', 'pairs', 'pairs_off', 'unlocated']);
  });

  test('time in which nothing could come makes the live time shorter and the singles more', () => {
    const [plain, dead] = [detectorChain(single), detectorChain(single)];
    for (const chain of [plain, dead]) chain.take(blockOf(whole));
    const [all, less] = [plain.now(0, SECOND), dead.now(0, SECOND, 10)];
    expect(less.live).toBeCloseTo(all.live - 10e9, -3);
    expect(less.accidentals).toEqual(all.accidentals);
    expect(less.agreement.sigmas).toBeLessThan(all.agreement.sigmas);
  });
});

describe('a simulated detector', () => {
  const source = worldOf(5, [pairs(60, 70, 50), gammas(20)]);
  const chain = detectorChain(chainOptions(source, { flight: along(70, 50) }));
  run(source, 4, chain.take);

  test('finds the flight of its pairs within three cones, and says so', () => {
    const got = found(chain);
    expect('unit' in got.stated && angleBetween(got.stated.unit, along(70, 50))).toBeLessThan(2 * (got.arrow?.cone ?? 0));
    expect(got.length).toBeGreaterThan(3);
    expect(got.length).toBeLessThan(5);
    // Every isolated pair, on time and off time, has a say or is counted as unlocated; those off time are taken away.
    const { isolated, offIsolated } = chain.now(0, SECOND);
    expect(got.background?.windows).toBe(20);
    expect(got.background?.pairs).toBeGreaterThan(0);
    expect(got.pairs + (got.background?.pairs ?? 0) + chain.counts.unlocated).toBe(isolated + offIsolated);
    expect(got.n).toBeCloseTo(got.pairs - (got.background?.pairs ?? 0) / 20, 9);
    const said = chain.look(0, 30 * SECOND);
    expect(said).toMatchObject({
      direction: 'stated',
      source: 'within',
      theta: { quality: 'good' },
      phi: { quality: 'good' },
      displacement: { quality: 'good', value: got.length / 100 },
      unlocated: chain.counts.unlocated,
    });
    const { columns } = Object(said.displacement_vector);
    expect([...columns.mean.data]).toEqual(got.mean.map((v) => expect.closeTo(v / 100, 12)));
    for (const [i, row] of [columns.covariance_x, columns.covariance_y, columns.covariance_z].entries())
      expect(Math.sqrt(row.data[i])).toBeCloseTo(columns.sigma.data[i], 12);
    const { value = 0, sigma = { random: 0 } } = Object(said.theta);
    expect(Math.abs(value - (70 * Math.PI) / 180)).toBeLessThan(3 * sigma.random);
  });

  test('the capture time is that of the liquid', () => {
    const { capture } = chain.now(0, SECOND);
    if ('none' in capture) throw new Error(capture.none);
    expect(Math.abs(capture.tau - 1e9 * source.captureTime)).toBeLessThan(3 * capture.sigma);
  });

  test('a source that has been moved is followed once all begins anew', () => {
    source.configure({ sources: [pairs(60, 120, -90), gammas(20)] });
    chain.clear();
    expect(chain.counts).toEqual({ events: 0, pairs: 0, off: 0, unlocated: 0 });
    run(source, 4, chain.take);
    const got = found(chain);
    expect('unit' in got.stated && angleBetween(got.stated.unit, along(120, -90))).toBeLessThan(2 * (got.arrow?.cone ?? 0));
    expect(chain.look(0, 60 * SECOND)).toMatchObject({ direction: 'stated', source: 'outside' });
  });

  test('without a source there are no pairs to speak of, and no direction', () => {
    const empty = worldOf(8, [gammas(60)]);
    const alone = detectorChain(chainOptions(empty));
    run(empty, 3, alone.take);
    expect(alone.counts.events).toBeGreaterThan(80);
    expect(alone.look(0, SECOND)).toMatchObject({
      direction: 'none',
      theta: { quality: 'bad', why: expect.stringMatching(/no direction/) },
      capture_time: { quality: 'bad', why: expect.stringMatching(/at least 20/) },
    });
  });

  test('pairs that fly in no direction have places and no direction', () => {
    const round = worldOf(9, [pairs(60, 0, 0, 0)]);
    const alone = detectorChain(chainOptions(round));
    run(round, 2, alone.take);
    const got = found(alone);
    expect(got.pairs).toBeGreaterThan(30);
    expect(got.stated).toMatchObject({ none: expect.stringMatching(/no direction: chance alone/) });
    expect(alone.look(0, SECOND)).toMatchObject({ direction: 'none', direction_p: expect.any(Number), cone: { quality: 'bad' } });
  });

  test('a split of the hits into other blocks changes nothing', () => {
    const world = worldOf(10, [pairs(60, 70, 50)]);
    const whole = hits(100_000);
    run(world, 0.5, (block) => {
      for (let i = 0; i < block.count; i++) {
        for (const name of ['t', 'channel', 'charge', 'tail', 'flags', 'frame'] as const) whole[name][whole.count] = block[name][i] ?? 0;
        whole.count++;
      }
    });
    const states = [1, 7, 64, 5000].map((size) => {
      const made = detectorChain(chainOptions(world));
      const part = hits(size);
      for (let from = 0; from < whole.count; from += size) {
        part.count = Math.min(size, whole.count - from);
        for (const name of ['t', 'channel', 'charge', 'tail', 'flags', 'frame'] as const)
          part[name].set(whole[name].subarray(from, from + part.count));
        made.take(part);
      }
      return made.now(0, SECOND);
    });
    expect(states[0]?.pairs).toBeGreaterThan(5);
    for (const state of states) expect(state).toEqual(states[0]);
  });

  test('with no more fits than are allowed the other pairs are counted as unlocated', () => {
    const world = worldOf(11, [pairs(60, 70, 50)]);
    const few = detectorChain(chainOptions(world, { fits: 10 }));
    run(world, 2, few.take);
    const { isolated, direction } = few.now(0, SECOND);
    expect('none' in direction ? 0 : direction.pairs).toBeLessThanOrEqual(11);
    expect(few.counts.unlocated).toBeGreaterThan(20);
    expect(few.counts.unlocated).toBeLessThanOrEqual(isolated + few.counts.off);
  });

  test('without the charge of a photoelectron there are centroids, and their length is not believed', () => {
    const world = worldOf(12, [pairs(60, 70, 50, 6)]);
    const { vertex } = chainOptions(world);
    if (!vertex) throw new Error('a map');
    const made = detectorChain(chainOptions(world, { vertex: { map: vertex.map } }));
    run(world, 2, made.take);
    expect(made.look(0, SECOND).displacement).toMatchObject({ quality: 'suspect', why: expect.stringMatching(/centroids/) });
    expect(found(made).length).toBeLessThan(4);
  });

  test('pairs that are too far apart are none', () => {
    const world = worldOf(13, [pairs(60, 70, 50)]);
    const made = detectorChain(chainOptions(world, { cuts: { ...CUTS, apart: 5 } }));
    const all = detectorChain(chainOptions(world));
    run(world, 1, (block) => {
      made.take(block);
      all.take(block);
    });
    expect(made.counts.pairs).toBeGreaterThan(0);
    expect(made.counts.pairs).toBeLessThan(all.counts.pairs);
    expect(found(made).length).toBeLessThan(5);
    expect(found(made).pairs).toBe(made.now(0, SECOND).isolated);
    expect(made.look(0, SECOND)).toMatchObject({ singles: 'unknown' });
  });
});

test('before anything has come every number has its reason', () => {
  const got = detectorChain({ ...single, flight: [0, 0, 1] }).look(0, SECOND);
  for (const name of ['accidental_rate', 'capture_time', 'theta', 'phi', 'cone', 'figure_of_merit', 'source_angle', 'displacement'])
    expect(got[name], name).toMatchObject({ quality: 'bad', why: expect.stringMatching(/.{8,}/) });
  expect(got).toMatchObject({ direction: 'none', source: 'unknown', singles: 'unknown', events: 0 });
});

test('options that make no sense are told in a sentence', () => {
  const wrong = (change: object): string | undefined => checkChain({ channels: CHANNELS, scale: SCALE, ...change });
  expect(wrong({})).toBeUndefined();
  expect(wrong({ firstChannel: 1 })).toMatch(/scale: 64 numbers are too few/);
  expect(wrong({ cuts: { ...CUTS, window: [5, 1] } })).toMatch(/cuts: window/);
  expect(wrong({ cuts: { ...CUTS, apart: 10 } })).toMatch(/apart needs/);
  expect(wrong({ fits: -1 })).toMatch(/fits/);
  expect(() => detectorChain({ ...single, refresh: 0 })).toThrow(RangeError);
});
