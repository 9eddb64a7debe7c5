/** What a detector adds of its own, by its statistics; and that nothing of it depends on who looks. */
import { describe, expect, test } from 'vitest';
import camera from '../../simulators/princeton-spe.ts';
import { CAMERA, COLUMNS, exposed, ROWS } from '../../simulators/worlds/camera.ts';
import { Gathered, type Moment } from '../../simulators/worlds/light.ts';
import { cosmicHits, hotPixels } from '../../simulators/worlds/light-detector.ts';
import { optics } from '../../simulators/worlds/optics.ts';
import { countsOf, type Exposed } from '../../simulators/worlds/spectrometer.ts';
import { Refused } from '../../src/talk.ts';
import { cameraBench, meanOf } from './bench.ts';

const PIXELS = ROWS * COLUMNS;
const MOMENT: Moment = {
  up: 2255,
  down: 2255,
  emissivity: 0.5,
  gaugePressure: 0,
  gaugeTemperature: 300,
  optics: optics().still(),
  blind: false,
};
const exposure = (moment: Partial<Moment> = {}): Gathered => {
  const light = new Gathered();
  light.add({ ...MOMENT, ...moment }, 0.5);
  return light;
};
const variance = (values: readonly number[]): number => meanOf(values.map((v) => (v - meanOf(values)) ** 2));

describe('a pixel', () => {
  test('has the noise of its electrons and of its readout', () => {
    const plain = { ...CAMERA, dark: 0, cosmic: 0 };
    const frames = Array.from({ length: 200 }, (_, n) => exposed(exposure(), plain, 1, 'a', n));
    const at = 13 * COLUMNS + 250;
    const values = frames.map((f) => f[at]);
    const light = meanOf(values) - plain.bias;
    expect(light).toBeGreaterThan(1000);
    // The variance of 200 has a spread of 10 %.
    expect(variance(values) / (light + plain.readNoise ** 2)).toBeGreaterThan(0.7);
    expect(variance(values) / (light + plain.readNoise ** 2)).toBeLessThan(1.3);
    const other = exposed(exposure(), { ...plain, gain: 2 }, 1, 'a', 0);
    expect((other[at] - plain.bias) / (frames[0][at] - plain.bias)).toBeCloseTo(0.5, 1);
  });

  test('has a dark signal in proportion to the exposure, with light or without', () => {
    const level = (dark: number, seconds: number, blind: boolean): number => {
      const settings = { ...CAMERA, dark, exposure: seconds, cosmic: 0 };
      return meanOf(exposed(exposure({ blind }), settings, 1, 'a', 1)) - CAMERA.bias;
    };
    expect(level(40, 2, true)).toBeCloseTo(80, 0);
    expect(level(40, 0.5, true)).toBeCloseTo(20, 0);
    expect(level(40, 2, false) - level(0, 2, false)).toBeCloseTo(80, 0);
  });
});

describe('hot pixels', () => {
  test('are where they are, as many as asked for, each with its own current', () => {
    const hot = hotPixels(60, PIXELS, 1, 'camera');
    expect(hot.size).toBe(60);
    expect(hotPixels(60, PIXELS, 1, 'camera')).toEqual(hot);
    expect([...hotPixels(60, PIXELS, 2, 'camera').keys()]).not.toEqual([...hot.keys()]);
    expect([...hotPixels(60, PIXELS, 1, 'other').keys()]).not.toEqual([...hot.keys()]);
    const places = [...hot.keys()];
    expect(places.every((p) => Number.isInteger(p) && p >= 0 && p < PIXELS)).toBe(true);
    expect(meanOf(places) / PIXELS).toBeGreaterThan(0.35);
    expect(meanOf(places) / PIXELS).toBeLessThan(0.65);
    expect(Math.min(...hot.values())).toBeGreaterThanOrEqual(20);
    expect(Math.max(...hot.values())).toBeLessThanOrEqual(2000);
    expect(hotPixels(5, 3, 1, 'small').size).toBe(3);
  });
  test('show in every exposure, dark ones too, by their current', () => {
    const settings = { ...CAMERA, hot: 30, exposure: 4, cosmic: 0 };
    const hot = hotPixels(30, PIXELS, 1, 'a');
    const frames = [1, 2].map((n) => exposed(exposure({ blind: true }), settings, 1, 'a', n));
    for (const [at, current] of hot) {
      for (const f of frames) expect(Math.abs(f[at] - 600 - 4 * current)).toBeLessThan(5 * Math.sqrt(4 * current + 25));
    }
    const others = [...frames[0]].filter((_, i) => !hot.has(i));
    expect(Math.max(...others)).toBeLessThan(640);
  });
});

describe('cosmic hits', () => {
  const flaws = { dark: 0, hot: 0, cosmic: 2 };
  const all = Array.from({ length: 2000 }, (_, n) => cosmicHits(flaws, 0.5, PIXELS, 1, 'camera', n));
  const counts = all.map((h) => h.size);
  test('come by chance, at the rate given', () => {
    expect(meanOf(counts)).toBeCloseTo(1, 1);
    expect(variance(counts) / meanOf(counts)).toBeGreaterThan(0.9);
    expect(variance(counts) / meanOf(counts)).toBeLessThan(1.1);
    const before = counts.slice(1).map((c, i) => (c - 1) * (counts[i] - 1));
    expect(Math.abs(meanOf(before))).toBeLessThan(0.1);
  });
  test('anywhere on the detector, with some thousand electrons', () => {
    const places = all.flatMap((h) => [...h.keys()]);
    const rows = places.map((p) => Math.floor(p / COLUMNS));
    const quarters = [0, 1, 2, 3].map((q) => rows.filter((r) => Math.floor(r / 10) === q).length / rows.length);
    for (const q of quarters) expect(q).toBeCloseTo(0.25, 1);
    const sizes = all.flatMap((h) => [...h.values()]);
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(500);
    expect(meanOf(sizes)).toBeGreaterThan(2700);
    expect(meanOf(sizes)).toBeLessThan(3300);
  });
  test('stand in the one exposure that they hit', () => {
    const settings = { ...CAMERA, cosmic: 4 };
    const frames = [1, 2, 3, 4].map((n) => exposed(exposure({ blind: true }), settings, 1, 'a', n));
    for (const [i, f] of frames.entries()) {
      const hits = cosmicHits(settings, 0.5, PIXELS, 1, 'a', i + 1);
      const found = [...f.keys()].filter((at) => f[at] > 900);
      expect(found).toEqual([...hits.keys()].sort((a, b) => a - b));
    }
  });
});

describe('a line of pixels', () => {
  const bench = {
    pixels: 200,
    active: [0, 199] as const,
    wavelength: [600, 1, 0, 0],
    saturation: 5000,
    nonlinearity: [1],
    bias: 100,
    readNoise: 3,
    readout: 0.01,
  };
  const shot = (more: Partial<Exposed> = {}): Exposed => ({
    exposure: 500_000,
    trigger: 0,
    scans: 1,
    binning: 0,
    lamp: false,
    number: 7,
    begin: 0,
    end: 0.5,
    light: exposure({ up: 400 }),
    ...more,
  });
  const detector = { look: { view: 'up' as const }, dark: 0, hot: 0, cosmic: 0 };
  test('with dark signal, hot pixels and hits; scans are averaged', () => {
    const plain = countsOf(bench, shot(), detector, 1, 's');
    expect(meanOf(plain)).toBeCloseTo(100, 0);
    expect(meanOf(countsOf(bench, shot(), { ...detector, dark: 200 }, 1, 's'))).toBeGreaterThan(195);
    const hot = hotPixels(3, 200, 1, 's');
    const warm = countsOf(bench, shot(), { ...detector, hot: 3 }, 1, 's');
    for (const [at, current] of hot) expect(Math.abs(warm[at] - 100 - 0.5 * current)).toBeLessThan(5 * Math.sqrt(0.5 * current + 9));
    const many = shot({ scans: 10 });
    const hits = cosmicHits({ dark: 0, hot: 0, cosmic: 1 }, 5, 200, 1, 's', 7);
    expect(hits.size).toBeGreaterThan(0);
    const struck = countsOf(bench, many, { ...detector, cosmic: 1 }, 1, 's');
    for (const [at, electrons] of hits) expect(Math.abs(struck[at] - 100 - electrons / 10)).toBeLessThan(10);
  });
  test('that are full are full', () => {
    expect(Math.max(...countsOf(bench, shot(), { ...detector, dark: 20_000 }, 1, 's'))).toBe(5000);
  });
});

describe('nothing depends on who looks', () => {
  const run = (looks: number, seed = 3): Uint16Array[] => {
    const b = cameraBench({ hot: 5, cosmic: 3, dark: 10 }, seed, looks);
    b.world.laser('main').power = 45;
    const filter = b.world.optics.part('filter', { kind: 'filter', beams: ['up'], transmission: 0.5, slope: 0.3 });
    filter.in = 0.25;
    return b.take(6).map((f) => Uint16Array.from(f.counts));
  };
  test('two runs are equal to the last digit, however often the world is looked at', () => {
    const [a, again, seldom, often] = [run(0.1), run(0.1), run(0.73), run(0.01)];
    expect(again).toEqual(a);
    expect(seldom).toEqual(a);
    expect(often).toEqual(a);
    expect(run(0.1, 4)).not.toEqual(a);
  });
});

test('options say what is wrong with them', () => {
  const why = (yaml: unknown): string => {
    const read = camera.options.parse(yaml);
    return read instanceof Refused ? read.why : 'taken';
  };
  expect(why({ beam: 'gauge', range: ['685 nm', '715 nm'], laser: '660 nm', excited: true, hot: 3, cosmic: 0.1, dark: 0 })).toBe('taken');
  expect(why({ side: 'left' })).toMatch(/^side: must be one of both, up, down/);
  expect(why({ range: ['715 nm', '685 nm'] })).toMatch(/^range: must rise/);
  expect(why({ range: ['685 nm'] })).toMatch(/^range: must be a pair such as \[685 nm, 715 nm\]/);
  expect(why({ range: [685, 715] })).toMatch(/^range: must be written with its unit/);
  expect(why({ range: ['1 nm', '5 m'] })).toMatch(/^range: must lie between 300 nm and 1100 nm/);
  expect(why({ blind: ['1 s', '2 K'] })).toMatch(/^blind: must be such as/);
  expect(why({ laser: '3 s' })).toMatch(/^laser: must be such as "532 nm"/);
  expect(why({ laser: '2 m' })).toMatch(/^laser: must lie between/);
  expect(why({ drift: '-0.2 nm' })).toBe('taken');
  expect(why({ drift: 0.2 })).toMatch(/^drift: must be written with its unit/);
  expect(why({ excited: 'yes' })).toBe('excited: must be true or false');
  expect(why({ cosmic: -1 })).toMatch(/^cosmic: must be a number, 0 or more/);
  expect(why({ hot: 1.5 })).toMatch(/^hot: must be a whole number/);
});
