/** What the world of pulses does is what the physics says: times, places, energies, light; and it depends on nobody who asks. */
import { describe, expect, test } from 'vitest';
import { DETECTOR_TICK, type DetectorWorld, detector, type LightEvent } from '../simulators/worlds/detector.ts';
import { CHANNELS } from '../simulators/worlds/detector-light.ts';
import { comptonCrossSection, Deposits, type Liquid, photon, protonLight } from '../simulators/worlds/detector-particles.ts';
import { CONVERTER, heightOf, Pulses } from '../simulators/worlds/detector-pulses.ts';
import { Random, turned, type Vector } from '../simulators/worlds/detector-random.ts';
import { pointing, SETUP, type Setup, SOURCE, type Source } from '../simulators/worlds/detector-setup.ts';
import { directions, type Truth } from '../simulators/worlds/detector-sources.ts';
import { comptonEdge, comptonSpectrum } from '../src/derive/compton.ts';
import { addShape, figureOfMerit, shape } from '../src/derive/figure-of-merit.ts';
import { FLAG } from '../src/derive/hits.ts';
import { capture } from '../src/derive/lithium.ts';
import { features } from '../src/derive/waveform.ts';

interface Seen {
  readonly event: LightEvent;
  readonly truth: Truth;
}
/** What a world has shown in so many seconds. */
function run(given: Partial<Setup>, seconds: number, seed = 1): { readonly world: DetectorWorld; readonly seen: readonly Seen[] } {
  const world = detector.make(seed);
  world.configure(given);
  const seen: Seen[] = [];
  for (let tick = 0; tick < Math.round(seconds / DETECTOR_TICK); tick++) {
    const since = world.flashes;
    world.step(DETECTOR_TICK);
    for (const event of world.events(since)) {
      const truth = world.truthOf(event.n);
      if (truth) seen.push({ event, truth });
    }
  }
  return { world, seen };
}
const only = (source: Partial<Source> & Pick<Source, 'kind'>, given: Partial<Setup> = {}): Partial<Setup> => ({
  ...given,
  sources: [{ ...SOURCE, ...source }],
});
const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;
const sd = (values: readonly number[]): number => Math.sqrt(mean(values.map((v) => (v - mean(values)) ** 2)));
/** Within four standard errors of the mean. */
const agrees = (values: readonly number[], wanted: number): void =>
  expect(Math.abs(mean(values) - wanted)).toBeLessThan((4 * sd(values)) / Math.sqrt(values.length));
const total = ({ pe }: LightEvent): number => pe.reduce((sum, n) => sum + n, 0);
const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const less = (a: Vector, b: Vector): Vector => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];

/** Prompt and delayed of the same emission. */
function pairsOf(seen: readonly Seen[]): readonly { readonly prompt: Seen; readonly delayed: Seen }[] {
  const prompts = new Map(seen.filter(({ truth }) => truth.part === 'prompt').map((one) => [one.truth.emission, one]));
  return seen.flatMap((delayed) => {
    const prompt = delayed.truth.part === 'delayed' ? prompts.get(delayed.truth.emission) : undefined;
    return prompt ? [{ prompt, delayed }] : [];
  });
}
/** So large that hardly anything leaves it. */
const LARGE = { box: [400, 400, 400] as const, light: 50 };

describe('who asks and when', () => {
  const flat = (events: readonly LightEvent[]): unknown => events.map(({ n, t, pe, slow }) => [n, t, ...pe, ...slow]);
  test('the same seed gives the same pulses, however often they are looked at; another seed others', () => {
    const often: LightEvent[] = [];
    const [a, b, c] = [detector.make(5), detector.make(5), detector.make(6)];
    for (let tick = 0; tick < 3000; tick++) {
      a.step(DETECTOR_TICK);
      often.push(...a.events(often.length));
      a.events(0);
      a.response([1, 2, 3]);
      b.step(DETECTOR_TICK);
      c.step(DETECTOR_TICK);
    }
    expect(often.length).toBeGreaterThan(50);
    expect(flat(often)).toEqual(flat(b.events(0)));
    expect(flat(c.events(0))).not.toEqual(flat(b.events(0)));
  });
  test('a source more changes nothing in what the others do', () => {
    const led = { ...SOURCE, kind: 'led', rate: 20 } as const;
    const of = (sources: readonly Source[]) => run({ sources }, 20).seen.filter(({ truth }) => truth.kind === 'gammas');
    const [few, more] = [of(SETUP.sources), of([...SETUP.sources, led])];
    expect(few.length).toBeGreaterThan(20);
    expect(more.map(({ event }) => [event.t, ...event.pe])).toEqual(few.map(({ event }) => [event.t, ...event.pe]));
  });
  test('numbers without gaps, times that rise and are whole nanoseconds; what is old is let go', () => {
    const { world } = run(only({ kind: 'led', rate: 3000 }), 4);
    const events = world.events(0);
    expect(world.flashes).toBeGreaterThan(10_000);
    expect(events.length).toBeLessThanOrEqual(8192);
    expect(events.at(-1)?.n).toBe(world.flashes);
    for (const [i, { n, t }] of events.entries()) {
      if (i === 0) continue;
      expect(n).toBe(events[i - 1].n + 1);
      expect(t).toBeGreaterThanOrEqual(events[i - 1].t);
      expect(Math.abs(t * 1e9 - Math.round(t * 1e9))).toBeLessThan(1e-4);
    }
    expect(world.truthOf(1)).toBeUndefined();
    expect(world.truthOf(events[0].n)).toBeDefined();
    expect(world.events(world.flashes)).toEqual([]);
    expect(world.events(world.flashes - 3).map(({ n }) => n)).toEqual([2, 1, 0].map((back) => world.flashes - back));
  });
  test('two devices say together what the detector is', () => {
    const world = detector.make(1);
    world.configure({ light: 500, box: undefined });
    world.configure({ map: 'plane', light: undefined });
    expect(world.setup).toEqual({ ...SETUP, light: 500, map: 'plane' });
  });
});

describe('rates', () => {
  test('are those of the rig', () => {
    const { seen } = run(only({ kind: 'led', rate: 30 }), 100);
    expect(Math.abs(seen.length - 3000)).toBeLessThan(4 * Math.sqrt(3000));
    // Poisson: the spread of what a second has is the root of its mean.
    const seconds = new Array<number>(100).fill(0);
    for (const { event } of seen) seconds[Math.min(99, Math.floor(event.t))]++;
    expect(sd(seconds) ** 2 / mean(seconds)).toBeGreaterThan(0.55);
    expect(sd(seconds) ** 2 / mean(seconds)).toBeLessThan(1.6);
  });
  test('a source is there from and until the times of the rig', () => {
    const { seen } = run(only({ kind: 'led', rate: 50, from: 2, until: 4 }), 6);
    expect(seen.length).toBeGreaterThan(60);
    expect(Math.min(...seen.map(({ event }) => event.t))).toBeGreaterThanOrEqual(2);
    expect(Math.max(...seen.map(({ event }) => event.t))).toBeLessThan(4);
  });
  test('the detector is left to itself: a handful of events a second', () => {
    const { seen } = run({}, 60);
    expect(seen.length / 60).toBeGreaterThan(2);
    expect(seen.length / 60).toBeLessThan(10);
  });
});

describe('inverse beta decay', () => {
  const flight = pointing(70, 50);
  const { seen, world } = run(only({ kind: 'ibd', rate: 300, spread: 2, at: [0, 0, 0] }, LARGE), 10);
  const pairs = pairsOf(seen);

  test('capture times are exponential, with the mean life of the loading', () => {
    expect(world.captureTime).toBeCloseTo(41.13e-6, 8);
    const times = pairs.map(({ prompt, delayed }) => delayed.event.t - prompt.event.t);
    expect(times.length).toBeGreaterThan(2000);
    agrees(times, world.captureTime);
    const late = times.filter((t) => t > world.captureTime).length / times.length;
    expect(Math.abs(late - Math.exp(-1))).toBeLessThan(4 * Math.sqrt(0.25 / times.length));
    const heavy = run(
      only({ kind: 'ibd', rate: 200, at: [0, 0, 0] }, { ...LARGE, loading: { density: 0.98, fraction: 0.004, hydrogen: 5.5e22 } }),
      5,
    );
    agrees(
      pairsOf(heavy.seen).map(({ prompt, delayed }) => delayed.event.t - prompt.event.t),
      capture(heavy.world.setup.loading)?.tau ?? 0,
    );
  });
  test('lithium takes its share, and shines as the rig says', () => {
    const lithium = pairs.filter(({ delayed }) => delayed.truth.on === 'lithium');
    expect(Math.abs(lithium.length / pairs.length - 0.8345)).toBeLessThan(4 * Math.sqrt(0.14 / pairs.length));
    for (const { delayed } of lithium) expect(delayed.truth.light).toBe(0.53);
    const hydrogen = pairs.filter(({ delayed }) => delayed.truth.on === 'hydrogen').map(({ delayed }) => delayed.truth.light);
    expect(Math.max(...hydrogen)).toBeCloseTo(2.2246, 6);
    expect(mean(hydrogen)).toBeGreaterThan(2);
  });
  test('neutrons go on in the flight of the antineutrinos, by the displacement times their mean cosine', () => {
    const lithium = pairs.filter(({ delayed }) => delayed.truth.on === 'lithium');
    const ways = lithium.map(({ prompt, delayed }) => less(delayed.truth.place, prompt.truth.place));
    const along = ways.map((way) => dot(way, flight));
    // The mean cosine of 2 to 9 MeV is some 0.8 to 0.95: neutrons go off at less than 57 degrees.
    expect(mean(along)).toBeGreaterThan(1.8 * 0.75);
    expect(mean(along)).toBeLessThan(1.8);
    agrees(
      ways.map((way) => dot(way, turned(flight, 0, 0))),
      0,
    );
    agrees(
      ways.map((way) => dot(way, turned(flight, 0, Math.PI / 2))),
      0,
    );
    expect(Math.hypot(sd(along), 0)).toBeCloseTo(2, 0);
  });
  test('positron and neutron together have the momentum of the antineutrino', () => {
    const random = new Random(1, 'momentum', 1);
    for (const energy of [1.9, 3, 5, 8]) {
      for (let i = 0; i < 200; i++) {
        const [{ along, kinetic }, neutron] = directions(energy, flight, random);
        const momentum = Math.sqrt(kinetic * (kinetic + 2 * 0.51099895));
        const left: Vector = [
          energy * flight[0] - momentum * along[0],
          energy * flight[1] - momentum * along[1],
          energy * flight[2] - momentum * along[2],
        ];
        expect(dot(left, neutron) / Math.hypot(...left)).toBeCloseTo(1, 9);
        // p^2 / 2 m, and what the energy of the reaction leaves for it.
        expect(Math.hypot(...left) ** 2 / (2 * 939.565)).toBeCloseTo(energy - 1.29333236 - kinetic - 0.51099895, 4);
      }
    }
  });
  test('the prompt light is the energy of the antineutrino less 0.78 MeV, and a little that the neutron has', () => {
    const off = pairs.map(({ prompt }) => prompt.truth.energy - prompt.truth.light);
    expect(Math.min(...off)).toBeGreaterThan(0.7823);
    const inside = off.filter((x) => x < 0.95); // no quantum has left
    expect(inside.length / off.length).toBeGreaterThan(0.9);
    expect(mean(pairs.map(({ prompt }) => prompt.truth.energy))).toBeGreaterThan(3.8);
    expect(mean(pairs.map(({ prompt }) => prompt.truth.energy))).toBeLessThan(4.6);
    expect(Math.min(...pairs.map(({ prompt }) => prompt.truth.energy))).toBeGreaterThan(1.806);
  });
  test('in the box of the rig some neutrons leave, and nothing of them is seen', () => {
    const small = run(only({ kind: 'ibd', rate: 100 }), 10);
    const parts = small.seen.map(({ truth }) => truth.part);
    expect(parts.filter((part) => part === 'single').length).toBeGreaterThan(20);
    for (const { truth } of small.seen) for (const x of truth.place) expect(Math.abs(x)).toBeLessThanOrEqual(16);
    expect(small.world.prompts).toBe(parts.filter((part) => part === 'prompt').length);
    expect(small.world.captures).toBe(parts.filter((part) => part === 'delayed').length);
  });
});

describe('surrogates', () => {
  test('pairs have the place, direction, displacement and energies of the rig', () => {
    const direction = pointing(30, 200);
    const source = { kind: 'pairs', rate: 300, at: [10, 0, -5], direction, displacement: 3, spread: 1, energy: [1, 2] } as const;
    const pairs = pairsOf(run(only(source, LARGE), 10).seen);
    for (const { prompt } of pairs) expect(prompt.truth.place).toEqual([10, 0, -5]);
    const ways = pairs
      .filter(({ delayed }) => delayed.truth.on === 'lithium')
      .map((p) => less(p.delayed.truth.place, p.prompt.truth.place));
    agrees(
      ways.map((way) => dot(way, direction)),
      3,
    );
    agrees(
      ways.map((way) => way[0]),
      3 * direction[0],
    );
    const energies = pairs.map(({ prompt }) => prompt.truth.energy);
    expect(Math.min(...energies)).toBeGreaterThanOrEqual(1);
    expect(Math.max(...energies)).toBeLessThanOrEqual(2);
    agrees(energies, 1.5);
  });
  test('252Cf: 3.757 neutrons a fission, which all are captured in a large box, after photons and recoils', () => {
    const { seen } = run(only({ kind: 'cf252', rate: 50 }, LARGE), 8);
    const counts = new Map<number, number>();
    for (const { truth } of seen) counts.set(truth.emission, (counts.get(truth.emission) ?? 0) + Number(truth.part === 'delayed'));
    const captures = [...counts.values()];
    agrees(captures, 3.757);
    expect(sd(captures)).toBeGreaterThan(1);
    expect(Math.max(...captures)).toBeGreaterThan(5);
    const prompt = seen.filter(({ truth }) => truth.part === 'prompt').map(({ truth }) => truth.light);
    expect(mean(prompt)).toBeGreaterThan(5); // 6.8 MeV of photons, and what protons shine
  });
  test('AmBe: a neutron each, 4.4 MeV beside it in more than half', () => {
    const { seen } = run(only({ kind: 'ambe', rate: 100 }, LARGE), 8);
    const prompts = seen.filter(({ truth }) => truth.part === 'prompt');
    expect(prompts.length).toBeGreaterThan(600);
    const share = prompts.filter(({ truth }) => truth.light > 4.3).length / prompts.length;
    expect(share).toBeGreaterThan(0.5);
    expect(share).toBeLessThan(0.75);
  });
  test.each([
    ['cs137', [0.661657]],
    ['co60', [1.173228, 1.332492]],
    ['na22', [0.51099895, 1.274537]],
  ] as const)('%s: the light of a thin box has the Compton edges', (kind, lines) => {
    // 3 cm of liquid, and the source far off: hardly a photon scatters twice, and only one of a decay comes this way.
    const { seen } = run(only({ kind, rate: 20_000, at: [0, 0, 60] }, { box: [60, 60, 2] }), 4);
    const light = seen.map(({ truth }) => truth.light);
    expect(light.length).toBeGreaterThan(500);
    for (const energy of lines) {
      const edge = comptonEdge(energy);
      const near = (from: number, to: number): number => light.filter((x) => x >= from && x < to).length;
      const [below, above] = [near(0.94 * edge, edge), near(edge, 1.06 * edge)];
      expect(below).toBeGreaterThan(1.5 * above + 5);
    }
    const highest = Math.max(...lines);
    expect(light.filter((x) => x > highest * 1.02).length / light.length).toBeLessThan(0.06);
  });
  test('in a large box every photon of 60Co leaves all it has', () => {
    const { seen } = run(only({ kind: 'co60', rate: 100 }, LARGE), 5);
    const whole = seen.filter(({ truth }) => Math.abs(truth.light - 2.50572) < 1e-6);
    expect(whole.length / seen.length).toBeGreaterThan(0.99);
  });
});

describe('photons', () => {
  const liquid: Liquid = { box: [1e6, 1e6, 1e6], density: 0.98, hydrogen: 5.5e22, slow_light: 0.2, slow_heavy: 0.38 };
  test.each([0.2, 0.511, 1.25, 4.438])('of %f MeV: cross-section and first scattering are those of Klein and Nishina', (energy) => {
    // Numbers of an independent kind: the spectrum of the recoils, integrated.
    const edge = comptonEdge(energy);
    const steps = 20_000;
    let [sum, first] = [0, 0];
    for (let i = 0; i < steps; i++) {
      const electron = ((i + 0.5) / steps) * edge;
      const density = comptonSpectrum(energy, electron);
      sum += density;
      first += density * electron;
    }
    const random = new Random(1, 'first', Math.round(1000 * energy));
    const recoils = Array.from({ length: 2000 }, () => {
      const to = new Deposits();
      photon([0, 0, 0], [0, 0, 1], energy, liquid, random, to);
      if (Math.abs(to.total - energy) > 1e-9) throw new Error(`${to.total} MeV of ${energy}`);
      return to.light[0];
    });
    // What is below 20 keV counts as absorbed at once.
    const scattered = recoils.filter((recoil) => recoil <= edge + 1e-12);
    agrees(scattered, first / sum);
    expect(Math.max(...scattered)).toBeGreaterThan(0.97 * edge);
  });
  test('cross-section: 8/3 pi r^2 for small energies, and 0.2866 barn at 511 keV', () => {
    expect(comptonCrossSection(1e-3) / 6.6524587e-25).toBeCloseTo(1 - 2 * (1e-3 / 0.511), 3);
    expect(comptonCrossSection(0.51099895) * 1e24).toBeCloseTo(0.2866, 3);
  });
  test('protons shine less than electrons, the slow ones by far', () => {
    expect(protonLight(1)).toBeGreaterThan(0.1);
    expect(protonLight(1)).toBeLessThan(0.25);
    expect(protonLight(5) / 5).toBeGreaterThan(2 * protonLight(1));
  });
});

describe('light', () => {
  test('in the middle of the box it is what the rig says, and it is Poisson', () => {
    const { seen, world } = run(
      only({ kind: 'pairs', rate: 200, at: [0, 0, 0], displacement: 0, spread: 0, energy: [1, 1] }, { unlike: 0 }),
      10,
    );
    expect(world.response([0, 0, 0]).reduce((a, b) => a + b)).toBeCloseTo(800, 9);
    const captures = seen.filter(({ truth }) => truth.on === 'lithium').map(({ event }) => total(event));
    expect(captures.length).toBeGreaterThan(1000);
    agrees(captures, 0.53 * 800);
    expect(sd(captures) / Math.sqrt(0.53 * 800)).toBeGreaterThan(0.9);
    expect(sd(captures) / Math.sqrt(0.53 * 800)).toBeLessThan(1.1);
  });
  test('a channel nearby sees more than one far off, and one behind nothing but what the walls have scattered', () => {
    const world = detector.make(1);
    world.configure({ unlike: 0 });
    const near = world.response([-12, 0, 0]);
    const by = (channels: readonly number[]): number => channels.reduce((sum, c) => sum + near[c], 0);
    const wall = (n: number): number[] => Array.from({ length: 16 }, (_, i) => 16 * n + i);
    expect(by(wall(0))).toBeGreaterThan(2 * by(wall(1)));
    expect(Math.min(...near)).toBeGreaterThanOrEqual((0.3 * 800) / 64 - 1e-9);
    expect(world.sensors).toHaveLength(CHANNELS);
  });
  test('the centroid is drawn to the middle, as that of the golden events is', () => {
    const { world } = run({ map: 'plane', unlike: 0, box: [32, 32, 30] }, 0.01);
    const centroid = (place: Vector): number => {
      const seen = world.response(place);
      let [sum, x] = [0, 0];
      for (const [c, n] of seen.entries()) {
        sum += n;
        x += n * world.sensors[c].place[0];
      }
      return x / sum;
    };
    // Half-way up, at z = 15 cm over the plane.
    for (const x of [2, 4, 8]) {
      expect(centroid([x, 0, 0])).toBeGreaterThan(0.2 * x);
      expect(centroid([x, 0, 0])).toBeLessThan(0.6 * x);
    }
    expect(centroid([0, 0, 0])).toBeCloseTo(0, 9);
    // Nearer to the plane it is drawn less.
    expect(centroid([8, 0, -10])).toBeGreaterThan(centroid([8, 0, 0]));
  });
  test('it drifts, and channels are unlike, as far as the rig says', () => {
    const { world, seen } = run(
      only({ kind: 'pairs', rate: 100, at: [0, 0, 0], displacement: 0, spread: 0 }, { drift: -36, unlike: 0 }),
      20,
    );
    const early = seen.filter(({ event, truth }) => truth.on === 'lithium' && event.t < 5).map(({ event }) => total(event));
    const late = seen.filter(({ event, truth }) => truth.on === 'lithium' && event.t > 15).map(({ event }) => total(event));
    expect(mean(late) / mean(early)).toBeCloseTo(0.825 / 0.975, 1);
    world.configure({ unlike: 0.1 });
    const gains = Array.from({ length: CHANNELS }, (_, c) => world.gain(c, 0));
    expect(sd(gains)).toBeGreaterThan(0.06);
    expect(sd(gains)).toBeLessThan(0.15);
  });
  test('a channel dies, doubles or gets hot when the rig says', () => {
    const faults = [
      { channel: 3, does: 'dead', from: 1 },
      { channel: 4, does: 'doubled', from: 1 },
      { channel: 5, does: 'hot', from: 1 },
    ] as const;
    const { world, seen } = run({ sources: [], faults, unlike: 0 }, 3);
    expect([3, 4, 5].map((c) => world.gain(c, 0.5))).toEqual([1, 1, 1]);
    expect([3, 4, 5].map((c) => world.gain(c, 1))).toEqual([0, 2, 1]);
    expect(seen.length).toBeGreaterThan(300);
    for (const { event } of seen) {
      expect(event.t).toBeGreaterThanOrEqual(1);
      expect(event.pe.findIndex((n) => n > 0)).toBe(5);
      expect(total(event)).toBe(event.pe[5]);
    }
  });
});

describe('pulses', () => {
  const record = (event: LightEvent, pulses: Pulses) =>
    pulses.record({ interval: 4, samples: 256, flashes: [{ after: 102, event }], t: event.t }, event.n);

  test('neutrons have more slow light than photons, and the figure of merit is that of such a liquid', () => {
    const given = only({ kind: 'pairs', rate: 100, at: [0, 0, 0], displacement: 0, spread: 0 });
    const { world, seen } = run({ ...given, sources: [...(given.sources ?? []), { ...SOURCE, kind: 'cs137', rate: 100 }] }, 8);
    const pulses = new Pulses(world, CONVERTER, 'test');
    const [photons, neutrons] = [shape(), shape()];
    for (const { event, truth } of seen) {
      const into =
        truth.kind === 'cs137' && truth.light > 0.4 && truth.light < 0.7 ? photons : truth.on === 'lithium' ? neutrons : undefined;
      if (!into || into.n === 150) continue;
      const samples = record(event, pulses);
      let [charge, tail] = [0, 0];
      for (let c = 0; c < CHANNELS; c++) {
        const of = features(samples.subarray(256 * c, 256 * (c + 1)));
        if ((of.flags & FLAG.empty) !== 0) continue;
        charge += of.charge;
        tail += of.tail;
      }
      addShape(into, tail / charge);
    }
    expect(Math.min(photons.n, neutrons.n)).toBeGreaterThan(90);
    expect(neutrons.mean - photons.mean).toBeGreaterThan(0.08);
    const merit = figureOfMerit(photons, neutrons)?.value ?? 0;
    expect(merit).toBeGreaterThan(0.7);
    expect(merit).toBeLessThan(1.8);
  });
  test('charge is gain times photoelectrons; large ones end at the last code', () => {
    const world = detector.make(1);
    world.configure({ unlike: 0, sources: [] });
    const quiet = { ...CONVERTER, noise: 0.3, wander: 0, dark: 0, afterglow: 0, spread: 0 };
    const pulses = new Pulses(world, quiet, 'test');
    const flash = (n: number): LightEvent => ({ n: 1, t: 1, pe: new Float64Array(CHANNELS).fill(n), slow: new Float64Array(CHANNELS) });
    const of = features(record(flash(100), pulses).subarray(0, 256));
    expect(of.charge / 1600).toBeCloseTo(1, 2);
    expect(of.peak / heightOf(flash(100), 0, world, quiet)).toBeGreaterThan(0.85);
    expect(of.peak / heightOf(flash(100), 0, world, quiet)).toBeLessThan(1.05);
    expect(of.flags & FLAG.saturated).toBe(0);
    const large = features(record(flash(1000), pulses).subarray(0, 256));
    expect(large.flags & FLAG.saturated).toBe(FLAG.saturated);
    expect(large.peak).toBeLessThan(2010);
    const up = new Pulses(world, { ...quiet, polarity: 'positive' }, 'test');
    expect(Math.max(...record(flash(1000), up).subarray(0, 256))).toBe(4095);
  });
  test('noise, baseline and dark counts are those of the converter', () => {
    const world = detector.make(1);
    world.configure({ unlike: 0, sources: [] });
    const of = (dark: number, number: number) =>
      new Pulses(world, { ...CONVERTER, dark, wander: 0 }, 'test').record({ interval: 4, samples: 256, flashes: [], t: 0 }, number);
    const samples = Array.from(of(0, 1).subarray(0, 256));
    expect(sd(samples)).toBeGreaterThan(1.1);
    expect(sd(samples)).toBeLessThan(1.6);
    expect(Math.abs(mean(samples) - 2000)).toBeLessThan(8);
    expect(of(0, 1)).toEqual(of(0, 1));
    expect(of(0, 2)).not.toEqual(of(0, 1));
    // 64 channels, 1.024 us: a photoelectron of 16 counts x samples each.
    const missing = (dark: number): number => {
      let sum = 0;
      for (let n = 0; n < 20; n++) for (const sample of of(dark, n)) sum += 2000 - sample;
      return sum;
    };
    const photoelectrons = (missing(1e6) - missing(0)) / 16;
    expect(photoelectrons / (20 * 64 * 1.024)).toBeGreaterThan(0.9);
    expect(photoelectrons / (20 * 64 * 1.024)).toBeLessThan(1.1);
  });
  test('the light of before a record is still there in it', () => {
    const world = detector.make(1);
    world.configure({ unlike: 0, sources: [] });
    const pulses = new Pulses(world, { ...CONVERTER, dark: 0 }, 'test');
    const event = { n: 1, t: 1, pe: new Float64Array(CHANNELS).fill(500), slow: new Float64Array(CHANNELS).fill(0.4) };
    const samples = pulses.record({ interval: 4, samples: 256, flashes: [{ after: -50, event }], t: 1 }, 1).subarray(0, 256);
    expect(2000 - samples[2]).toBeGreaterThan(50);
    expect(Math.abs(2000 - samples[250])).toBeLessThan(10);
  });
});
