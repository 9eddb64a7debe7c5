/** Runs of the simulated detector as blocks of hits, without waveforms: photoelectrons become charges with their spread. */
import { DETECTOR_TICK, type DetectorWorld, detector } from '../../simulators/worlds/detector.ts';
import { pointing, SETUP, type Setup, SOURCE, type Source } from '../../simulators/worlds/detector-setup.ts';
import type { ChainOptions } from '../../src/derive/detector-chain.ts';
import { type GridPlan, mapOf } from '../../src/derive/detector-map.ts';
import { type Hits, hits } from '../../src/derive/hits.ts';
import type { Point, ResponseMap } from '../../src/derive/response-map.ts';
import { normal, type Random, uniform } from './hit-rows.ts';

export const CHANNELS = 64;
/** ADC counts times samples of a photoelectron. */
export const GAIN = 16;
/** Part of the slow light that comes in the tail of the gate. */
const LATE = 0.72;

/** What a measurement with a source at many places would give, on a grid of `n` points along each axis. */
export function measured(world: DetectorWorld, n = 9): GridPlan {
  const [a, b, c] = world.setup.box;
  const axis = (side: number): number[] => Array.from({ length: n }, (_, i) => (side * 0.99 * i) / (n - 1) - (side * 0.99) / 2);
  const [x, y, z] = [axis(a), axis(b), axis(c)];
  const values: number[] = [];
  for (const px of x) for (const py of y) for (const pz of z) values.push(...world.response([px, py, pz]));
  return { channels: world.sensors.map(({ place }) => [...place] as const), x, y, z, values };
}

export function sound(map: ResponseMap | string): ResponseMap {
  if (typeof map === 'string') throw new Error(map);
  return map;
}

/** MeVee of all channels together for one unit of charge. */
export const SCALE = { slope: new Float64Array(CHANNELS).fill(1 / (SETUP.light * GAIN)) };

export const chainOptions = (world: DetectorWorld, change: Partial<ChainOptions> = {}): ChainOptions => ({
  channels: CHANNELS,
  scale: SCALE,
  vertex: { map: sound(mapOf(measured(world))), photoelectron: GAIN, excess: 1.09 },
  ...change,
});

/** Pairs of a positron and a neutron that flies this way (degrees), anywhere in the box. */
export const pairs = (rate: number, theta: number, phi: number, displacement = 4, spread = 2): Source => ({
  ...SOURCE,
  kind: 'pairs',
  rate,
  direction: pointing(theta, phi),
  displacement,
  spread,
});
export const gammas = (rate: number): Source => ({ ...SOURCE, kind: 'gammas', rate });

export function worldOf(seed: number, sources: readonly Source[], change: Partial<Setup> = {}): DetectorWorld {
  const world = detector.make(seed);
  world.configure({ ...change, sources });
  return world;
}

/** Steps the world for so many seconds, and gives each flash as a block of hits of one frame. */
export function run(world: DetectorWorld, seconds: number, take: (block: Hits) => void, random: Random = uniform(world.seed + 1)): void {
  const block = hits(CHANNELS);
  for (let left = Math.round(seconds / DETECTOR_TICK); left > 0; left--) {
    const since = world.flashes;
    world.step(DETECTOR_TICK);
    for (const { n, t, pe, slow } of world.events(since)) {
      block.count = 0;
      for (let c = 0; c < CHANNELS; c++) {
        const many = pe[c] ?? 0;
        if (many === 0) continue;
        const charge = GAIN * Math.max(0.1, many + 0.3 * Math.sqrt(many) * normal(random));
        const i = block.count++;
        block.t[i] = t * 1e9;
        block.channel[i] = c;
        block.charge[i] = charge;
        block.tail[i] = charge * (slow[c] ?? 0) * LATE;
        block.baseline[i] = 2000;
        block.noise[i] = 1.3;
        block.flags[i] = 0;
        block.frame[i] = n;
      }
      if (block.count > 0) take(block);
    }
  }
}

/** Unit vector at these angles in degrees. */
export const along = (theta: number, phi: number): Point => pointing(theta, phi);
