/**
 * What a temperature promises, over many trials: found from any start, an error bar that covers, terms that are what they are called, pixels that
 * are masked and no others, two sides that are combined rightly, and breaks along a ramp that are found where there are any.
 */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { anomaly } from '../../src/derive/anomaly.ts';
import type { SpectralFrame } from '../../src/derive/calibration.ts';
import { spectraOf } from '../../src/derive/files.ts';
import { measureTemperature, type Temperature, type TemperatureParams } from '../../src/derive/measure.ts';
import { fitPlanck } from '../../src/derive/planck.ts';
import { spectralRadiance } from '../../src/derive/radiance.ts';
import { twoSides } from '../../src/derive/two-sides.ts';
import { Refused } from '../../src/instrument.ts';
import { type Measured, type Reading, total } from '../../src/reading.ts';

/** mulberry32: 32-bit, seeded. */
function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
const normals =
  (random: () => number): (() => number) =>
  () =>
    Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

function measured(frame: SpectralFrame, params: TemperatureParams): Temperature {
  const got = measureTemperature(frame, params);
  if ('refused' in got) throw new Error(got.refused);
  return got;
}

test('noiseless: 1e-6 K from 700 to 6000 K, whatever the window, the pixels, the start and the size', () => {
  const random = uniform(1);
  const between = (lo: number, hi: number): number => lo + (hi - lo) * random();
  let worst = 0;
  for (let trial = 0; trial < 3000; trial++) {
    const kelvin = between(700, 6000);
    const [low, n] = [between(400, 700), Math.round(between(32, 1024))];
    const high = low + between(120, 400);
    const wavelength = Float64Array.from({ length: n }, (_, i) => (low + ((high - low) * i) / (n - 1)) / 1e9);
    const scale = 10 ** between(-9, 9);
    const response = wavelength.map((l) => scale * Math.exp(-(((l * 1e9 - 700) / 150) ** 2)));
    const counts = wavelength.map((l, i) => (response[i] ?? 0) * spectralRadiance(l, kelvin, 0.4));
    const start = 10 ** between(2.2, 4.7);
    const fit = fitPlanck({ wavelength, response, counts, start });
    if ('refused' in fit) throw new Error(`${kelvin} K from ${start} K, ${n} px from ${low} to ${high} nm: ${fit.refused}`);
    worst = Math.max(worst, Math.abs(fit.temperature - kelvin));
    expect(Math.abs(fit.factor / 0.4 - 1)).toBeLessThan(1e-8);
  }
  expect(worst).toBeLessThan(1e-6);
});

describe('the bar of a frame, all the way from raw pixels', () => {
  const [COLUMNS, ROWS, LAMP, TRIALS] = [128, 4, 2255, 3000] as const;
  const axis = Float64Array.from({ length: COLUMNS }, (_, i) => (600 + (300 * i) / (COLUMNS - 1)) / 1e9);
  const throughput = axis.map((l) => 3e-8 * Math.exp(-(((l * 1e9 - 720) / 140) ** 2)));
  const bright = (kelvin: number, exposure: number): Float64Array => {
    const one = axis.map((l, i) => exposure * (throughput[i] ?? 0) * spectralRadiance(l, kelvin));
    return Float64Array.from({ length: ROWS * COLUMNS }, (_, i) => one[i % COLUMNS] ?? 0);
  };
  const frame = (counts: Float64Array, exposure: number): SpectralFrame => ({
    wavelength: axis,
    counts,
    rows: ROWS,
    columns: COLUMNS,
    exposure,
    readNoise: 5,
    gain: 1,
    saturation: 1e12,
  });
  /** Counts above some tens are Poisson numbers to better than any of these tests. */
  const noisy = (mean: Float64Array, normal: () => number): Float64Array => mean.map((m) => m + Math.sqrt(m + 25) * normal());

  test.each([
    [1600, 3],
    [2400, 0.05],
    [3500, 0.003],
  ])('%d K: the statistical term covers 68.3 +- 2 %%', (kelvin, exposure) => {
    const normal = normals(uniform(kelvin));
    const calibration = { frame: frame(bright(LAMP, 1e4), 1e4), lamp: { temperature: LAMP } }; // long enough to have no noise of its own
    const light = bright(kelvin, exposure);
    let [inside, shift, squares] = [0, 0, 0];
    for (let trial = 0; trial < TRIALS; trial++) {
      const got = measured(frame(noisy(light, normal), exposure), { calibration });
      const off = (got.temperature - kelvin) / (got.fisher ?? Number.NaN);
      if (Math.abs(off) <= 1) inside++;
      shift += off;
      squares += off ** 2;
    }
    expect(Math.abs(inside / TRIALS - 0.683)).toBeLessThan(0.02);
    expect(Math.abs(shift / TRIALS)).toBeLessThan(0.1);
    expect(Math.sqrt(squares / TRIALS)).toBeLessThan(1.05);
  });

  test('the lamp term is what a wrong lamp does', () => {
    const normal = normals(uniform(99));
    const [kelvin, exposure, lampSigma] = [3000, 0.02, 10];
    const light = bright(kelvin, exposure);
    let inside = 0;
    for (let trial = 0; trial < TRIALS / 2; trial++) {
      // The lamp is not at the temperature that its certificate says.
      const calibration = { frame: frame(bright(LAMP + lampSigma * normal(), 1e4), 1e4), lamp: { temperature: LAMP } };
      const { temperature, terms } = measured(frame(noisy(light, normal), exposure), { calibration, lampSigma });
      if (Math.abs(temperature - kelvin) <= Math.hypot(terms.statistical, terms.lamp)) inside++;
    }
    expect(Math.abs(inside / (TRIALS / 2) - 0.683)).toBeLessThan(0.03); // 2.5 sigma of so many trials
  });

  test('eight saturated pixels in eight columns mask these columns and no other, at each of many places', () => {
    const random = uniform(5);
    const normal = normals(random);
    for (let trial = 0; trial < 200; trial++) {
      const columns = new Set<number>();
      while (columns.size < 8) columns.add(Math.floor(random() * COLUMNS));
      const counts = noisy(bright(2400, 0.05), normal);
      const full = Math.max(...counts) + 1;
      for (const column of columns) counts[Math.floor(random() * ROWS) * COLUMNS + column] = full;
      const calibration = { frame: frame(bright(LAMP, 1e4), 1e4), lamp: { temperature: LAMP } };
      const { masked } = measured({ ...frame(counts, 0.05), saturation: full }, { calibration });
      expect(masked.filter((m) => m.why === 'saturated').map((m) => m.column)).toEqual([...columns].toSorted((a, b) => a - b));
    }
  });
});

const data = resolve(import.meta.dirname, '../../../shared/data/spectra');
const glued = resolve(data, 'spectroscopy_glue.spe');
test.skipIf(!existsSync(glued))('the real saturated file masks exactly its 8 pixels (skipped without spectroscopy_glue.spe)', () => {
  const frames = spectraOf(new Uint8Array(readFileSync(glued)));
  if (typeof frames === 'string') throw new Error(frames);
  const got = measureTemperature(frames[0] ?? ({} as never), {}); // a frame: the file has one
  const full = (got.masked ?? []).filter((m) => m.why === 'saturated');
  expect(full).toHaveLength(8);
  expect(full[0]?.wavelength).toBeCloseTo(659.22e-9, 11);
  expect(full[7]?.wavelength).toBeCloseTo(659.71e-9, 11);
});
const real = resolve(data, 'test_measurement.spe');
test.skipIf(!existsSync(real))('a real frame: 8 raw pixels at the limit mask 8 columns (skipped without ../shared/data)', () => {
  const frames = spectraOf(new Uint8Array(readFileSync(real)));
  if (typeof frames === 'string') throw new Error(frames);
  const [frame] = frames;
  if (!frame) throw new Error('no frame');
  const params = { rows: [99, 110], window: [666e-9, 836e-9] } as const;
  const before = measureTemperature(frame, params);
  const counts = Float64Array.from(frame.counts);
  const columns = [250, 251, 252, 253, 400, 500, 501, 600];
  for (const [i, column] of columns.entries()) counts[(99 + i) * frame.columns + column] = 65_535;
  const hit = measureTemperature({ ...frame, counts, saturation: 65_535 }, params);
  expect((before.masked ?? []).filter((m) => m.why === 'saturated')).toEqual([]);
  expect((hit.masked ?? []).filter((m) => m.why === 'saturated').map((m) => m.column)).toEqual(columns);
});

describe('two sides', () => {
  const side = (from: string, value: number, random: number, lamp: number): Reading<'K'> => ({
    quality: 'good',
    value,
    sigma: { random, shared: { lamp } },
    from,
    kind: 'K',
    t: 0,
    seq: 0,
    origin: 'hardware',
  });
  const params = twoSides.params.parse({});
  if (params instanceof Refused) throw new Error(params.why);
  const joined = (a: Reading<'K'>, b: Reading<'K'>) => {
    const [, values] = twoSides.step(undefined, { a, b }, params);
    const temperature = values.temperature as Measured<'K'>; // as the method gives it
    if (temperature.quality === 'bad') throw new Error(temperature.why);
    return { ...temperature, rule: values.rule };
  };
  test('of one temperature under one lamp: the bar covers 68.3 +- 1 %, and the lamp stays in it whole', () => {
    const normal = normals(uniform(17));
    const TRIALS = 20_000;
    let [inside, weighted, squares] = [0, 0, 0];
    for (let trial = 0; trial < TRIALS; trial++) {
      const lamp = normal();
      const a = side('up.temperature', 2500 + 4 * normal() + 12 * lamp, 4, 12);
      const b = side('down.temperature', 2500 + 9 * normal() + 12 * lamp, 9, 12);
      const got = joined(a, b);
      if (got.rule === 'weighted') weighted++;
      if (Math.abs(got.value - 2500) <= total(got.sigma)) inside++;
      squares += (got.value - 2500) ** 2;
    }
    expect(weighted / TRIALS).toBeGreaterThan(0.995); // 3 sigma: 0.27 % are beyond
    expect(Math.abs(inside / TRIALS - 0.683)).toBeLessThan(0.01);
    const best = Math.hypot(12, 1 / Math.sqrt(1 / 16 + 1 / 81));
    expect(Math.sqrt(squares / TRIALS) / best).toBeLessThan(1.03);
  });
  test('of two temperatures: the bar reaches both sides', () => {
    const normal = normals(uniform(18));
    for (let trial = 0; trial < 1000; trial++) {
      const [a, b] = [side('up', 2500 + 5 * normal(), 5, 12), side('down', 2600 + 5 * normal(), 5, 12)];
      const got = joined(a, b);
      expect(got.rule).toBe('half-difference');
      for (const one of [a, b])
        expect(total(got.sigma)).toBeGreaterThan(Math.abs(Number(got.value) - (one.quality === 'bad' ? 0 : one.value)));
    }
  });
});

describe('breaks along a ramp', () => {
  const params = anomaly.params.parse({});
  if (params instanceof Refused) throw new Error(params.why);
  const given = params;
  const number = (from: string, kind: 'K' | 'W' | '1', t: number, value: number, random?: number): never =>
    ({ from, kind, t, seq: 0, origin: 'hardware', quality: 'good', value, ...(random ? { sigma: { random } } : {}) }) as never; // a reading of its kind
  interface Ramp {
    readonly points: number;
    readonly temperature: (power: number) => number;
    readonly noise: (kelvin: number) => number;
    readonly quoted: number;
    readonly factor?: (power: number, kelvin: number, error: number) => number;
  }
  /** The first anomaly: behind how many points, and which. */
  function first({ points, temperature, noise, quoted, factor }: Ramp, normal: () => number): readonly [number, unknown] | undefined {
    let state = anomaly.start(given);
    for (let i = 0; i < points; i++) {
      const power = 10 + i;
      const kelvin = temperature(power);
      const error = noise(kelvin) * normal();
      const inputs = {
        temperature: number('up.temperature', 'K', i * 1e6, kelvin + error, quoted),
        power: number('laser.output_power', 'W', i * 1e6, power),
        ...(factor ? { factor: number('up.factor', '1', i * 1e6, factor(power, kelvin, error)) } : {}),
      } as unknown as Parameters<typeof anomaly.step>[1]; // a rig may leave the factor out
      const [next, values] = anomaly.step(state, inputs, given);
      state = next;
      if (values.anomaly !== 'none') return [i, values.anomaly];
    }
    return undefined;
  }
  const times = (n: number, ramp: Ramp, seed: number): readonly (readonly [number, unknown] | undefined)[] => {
    const normal = normals(uniform(seed));
    return Array.from({ length: n }, () => first(ramp, normal));
  };
  const line = (power: number): number => 300 + 30 * power;
  /** A rise of 3000 K at 100 W that losses bend. */
  const bent = (power: number): number => 295 + (-1 + Math.sqrt(1 + 0.0536 * power)) / 5e-4;
  /** The factor of a fit follows the error of its temperature: d ln A / dT = - c2 / (lambda T^2), at 750 nm. */
  const mirrored = (kelvin: number, error: number): number => 0.4 * Math.exp((-0.01918e6 * error) / kelvin ** 2);

  test.each([
    ['a line', { temperature: line, noise: () => 5, quoted: 5 }],
    ['a line with errors quoted five times too small', { temperature: line, noise: () => 10, quoted: 2 }],
    ['a bent curve', { temperature: bent, noise: () => 3, quoted: 3 }],
    [
      'a line with a factor that mirrors its noise',
      {
        temperature: line,
        noise: () => 5,
        quoted: 5,
        factor: (_: number, kelvin: number, error: number) => mirrored(kelvin, error),
      },
    ],
  ] as [string, Omit<Ramp, 'points'>][])('fewer than 1 in 100 ramps of 40 points are called anomalous: %s', (_, ramp) => {
    const TRIALS = 300;
    const found = times(TRIALS, { ...ramp, points: 40 }, 4).filter((f) => f !== undefined);
    expect(found.length / TRIALS).toBeLessThan(0.01);
  });

  const BREAK = 24; // points before it
  const behind = (power: number): boolean => power >= 10 + BREAK;
  test.each([
    ['half of the slope', 'slope change', 6, (p: number) => line(p) - (behind(p) ? 15 * (p - 10 - BREAK) : 0)],
    ['no slope any more', 'slope change', 5, (p: number) => line(Math.min(p, 10 + BREAK))],
    ['a coupling 20 % lower', 'discontinuity', 5, (p: number) => bent(p * (behind(p) ? 0.8 : 1))],
    ['a coupling 35 % lower', 'discontinuity', 5, (p: number) => bent(p * (behind(p) ? 0.65 : 1))],
    ['a coupling 50 % lower', 'discontinuity', 5, (p: number) => bent(p * (behind(p) ? 0.5 : 1))],
  ] as const)('%s: found as %s within %d points, in 97 of 100 ramps', (_, word, within, temperature) => {
    const TRIALS = 200;
    const found = times(TRIALS, { points: 40, temperature, noise: () => 4, quoted: 4 }, 6);
    const soon = found.filter((f) => f && f[0] >= BREAK && f[0] <= BREAK + within);
    expect(soon.length / TRIALS).toBeGreaterThan(0.97);
    expect(soon.filter((f) => f?.[1] === word).length / TRIALS).toBeGreaterThan(0.85);
  });

  test('a factor 20 % lower at the same temperature', () => {
    const factor = (power: number, kelvin: number, error: number): number => (behind(power) ? 0.8 : 1) * mirrored(kelvin, error);
    const found = times(200, { points: 40, temperature: line, noise: () => 4, quoted: 4, factor }, 7);
    expect(found.filter((f) => f && f[0] >= BREAK && f[0] <= BREAK + 6 && f[1] === 'factor jump').length / 200).toBeGreaterThan(0.97);
  });
});
