/** Breaks along a power ramp: what is found, how soon, where, and what is none. */
import { describe, expect, test } from 'vitest';
import { anomaly, anomalySetPoint } from '../../src/derive/anomaly.ts';
import { onward, type Point } from '../../src/derive/anomaly-ramp.ts';
import { bestBreak, leastSquares } from '../../src/derive/piecewise.ts';
import { graph } from '../../src/graph.ts';
import { Refused } from '../../src/instrument.ts';
import type { Measured, Reading } from '../../src/reading.ts';

/** Normal numbers of a fixed sequence. */
function normals(seed: number): () => number {
  let state = seed;
  const uniform = (): number => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
type Params = Parameters<typeof anomaly.start>[0];
function parsed(yaml: object): Params {
  const got = anomaly.params.parse(yaml);
  if (got instanceof Refused) throw new Error(got.why);
  return got;
}
const params = parsed({});

type Shot = { readonly power: number; readonly value: number; readonly random?: number; readonly factor?: number };
type Seen = { readonly [N in keyof typeof anomaly.outputs]?: unknown } & { readonly anomaly: unknown };
const number = <K extends 'K' | 'W' | '1'>(from: string, kind: K, t: number, m: Measured<'K'>): Reading<K> =>
  ({ ...m, from, kind, t, seq: 0, origin: 'hardware' }) as unknown as Reading<K>; // a number of the unit K
function run(shots: readonly Shot[], given = params): readonly Seen[] {
  let state = anomaly.start(given);
  return shots.map(({ power, value, random = 3, factor }, i) => {
    const inputs = {
      temperature: number('up.temperature', 'K', i * 1e6, {
        quality: 'good',
        value,
        ...(random > 0 ? { sigma: { random, shared: { lamp: value / 200 } } } : {}),
      }),
      power: number('laser.output_power', 'W', i * 1e6, { quality: 'good', value: power }),
      ...(factor === undefined ? {} : { factor: number('up.factor', '1', i * 1e6, { quality: 'good', value: factor }) }),
    };
    const [next, values] = anomaly.step(state, inputs as Parameters<typeof anomaly.step>[1], given); // factor may be left out
    state = next;
    return values as unknown as Seen; // the outputs named above
  });
}
const range = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => i);
const first = (seen: readonly Seen[]): number => seen.findIndex((s) => s.anomaly !== 'none');
const shots = (n: number, of: (power: number, i: number) => number, noise = 3, seed = 5): readonly Shot[] => {
  const normal = normals(seed);
  return range(n).map((i) => ({ power: 10 + i, value: of(10 + i, i) + noise * normal(), random: noise }));
};

describe('nothing is found', () => {
  test.each([
    ['on a straight line', shots(60, (p) => 1000 + 25 * p)],
    ['on a bent one, as radiation losses bend it', shots(60, (p) => 300 - 2000 + 2000 * Math.sqrt(1 + 0.05 * p))],
    ['at one power with a drift', range(60).map((i) => ({ power: 50, value: 2000 - 0.5 * i + 3 * normals(i + 1)() }))],
    [
      'where a ramp ends and the power is held',
      shots(60, (p) => 1000 + 25 * Math.min(p, 40)).map((s) => ({ ...s, power: Math.min(s.power, 40) })),
    ],
    ['for one outlier', shots(60, (p, i) => 1000 + 25 * p + (i === 30 ? 150 : 0))],
    ['for errors that are quoted five times too small', shots(60, (p) => 1000 + 25 * p, 10, 8).map((s) => ({ ...s, random: 2 }))],
    ['of noiseless points', range(60).map((i) => ({ power: 10 + i, value: 1000 + 25 * i }))],
  ] as [string, readonly Shot[]][])('%s', (_, ramp) => {
    const seen = run(ramp);
    expect(seen.map((s) => s.anomaly)).toEqual(ramp.map(() => 'none'));
    expect(Object.keys(seen[0] ?? {})).toEqual(['anomaly']);
    expect(typeof seen[59]?.delta_bic).toBe('number');
  });
});

describe('what is found', () => {
  test('half of the slope, within six points, where it was', () => {
    const seen = run(shots(60, (p) => 1000 + 25 * p - (p > 40 ? 12.5 * (p - 40) : 0)));
    const at = first(seen);
    expect(at).toBeGreaterThan(30);
    expect(at).toBeLessThanOrEqual(36);
    expect(seen[at]).toMatchObject({ anomaly: 'slope change', power: { quality: 'good' }, at: { quality: 'good' } });
    const { power, at: where } = seen[at] as { power: { value: number; sigma: { random: number } }; at: { value: number; sigma: object } };
    expect(Math.abs(power.value - 40)).toBeLessThan(1.5);
    expect(power.sigma.random).toBeGreaterThan(0.1);
    expect(Math.abs(where.value - 2000)).toBeLessThan(30);
    expect(where.sigma).toMatchObject({ random: expect.any(Number), shared: { lamp: expect.any(Number) } });
    expect(seen.at(-1)?.anomaly).toBe('slope change'); // it stays until the ramp turns
  });
  test('a plateau is a change of slope to nothing', () => {
    const seen = run(shots(60, (p) => 1000 + 25 * Math.min(p, 40)));
    const found = seen[first(seen)];
    expect(found?.anomaly).toBe('slope change');
    expect(Math.abs(Number(found?.slope_ratio))).toBeLessThan(0.2);
  });
  test.each([0.2, 0.35, 0.5])('the coupling falls by %d: a discontinuity, within four points', (fall) => {
    const seen = run(shots(60, (p) => 300 + 30 * p * (p > 50 ? 1 - fall : 1), 8));
    const at = first(seen);
    expect(at).toBeGreaterThan(40);
    expect(at).toBeLessThanOrEqual(44);
    expect(seen[at]).toMatchObject({ anomaly: 'discontinuity', power: { value: 50.5 } });
    const where = (seen[at] as { at: { value: number } }).at.value;
    expect(Math.abs(where - (300 + 30 * 50.5))).toBeLessThan(10);
  });
  test('the same on the way down', () => {
    const down = shots(60, (p) => 300 + 30 * p * (p > 50 ? 1 : 0.7), 8).toReversed();
    const seen = run(down);
    expect(seen[first(seen)]).toMatchObject({ anomaly: 'discontinuity', power: { value: 50.5 } });
  });
  test('a jump of the emissivity factor at constant temperature', () => {
    const normal = normals(3);
    const ramp = shots(60, (p) => 300 + 30 * p).map((s, i) => ({ ...s, factor: (i < 30 ? 0.4 : 0.32) * (1 + 0.01 * normal()) }));
    const seen = run(ramp);
    const at = first(seen);
    expect(at).toBeGreaterThanOrEqual(30);
    expect(at).toBeLessThanOrEqual(35);
    expect(seen[at]).toMatchObject({ anomaly: 'factor jump', power: { value: 39.5 } });
    const small = run(ramp.map((s, i) => ({ ...s, factor: i < 30 ? 0.4 : 0.37 })));
    expect(first(small)).toBe(-1); // 7.5 %, below the 10 % asked for
  });
  test('is seen through the noise of a faint spectrum, which temperature and factor share', () => {
    const [normal, other] = [normals(17), normals(23)];
    const ramp = range(60).map((i) => {
      const error = 20 * normal();
      return {
        power: 50,
        value: 1500 + error,
        random: 20,
        factor: (i < 30 ? 0.4 : 0.32) * Math.exp(-0.0128 * error) * (1 + 0.005 * other()),
      };
    });
    const seen = run(ramp);
    expect(first(seen)).toBeGreaterThanOrEqual(30);
    expect(first(seen)).toBeLessThanOrEqual(35);
    expect(seen[first(seen)]?.anomaly).toBe('factor jump');
  });
  test('what the noise of the temperature does to the factor is no jump', () => {
    const normal = normals(11);
    const ramp = range(60).map((i) => {
      const [t, error] = [1800, 60 * (i < 30 ? 0 : 1) + 3 * normal()];
      return { power: 50, value: t + error, factor: 0.4 * Math.exp((-error * 0.019) / (t / 1000)) };
    });
    const seen = run(ramp);
    expect(seen[first(seen)]?.anomaly).toBe('discontinuity'); // of T, which the factor follows
  });
  test('the ramp turns: none, and the next ramp is looked at anew', () => {
    const up = shots(50, (p) => 300 + 30 * p * (p > 40 ? 0.7 : 1), 8);
    const down = range(20).map((i) => ({ ...(up[49 - i] as Shot), power: 59 - i }));
    const words = run([...up, ...down]).map((s) => s.anomaly);
    expect(words[49]).toBe('discontinuity');
    expect(words.slice(53)).not.toContain('discontinuity');
  });
});

describe('the ramp', () => {
  const point = (t: number, power: number): Point => ({ t, power, temperature: 1000, sigma: 1 });
  const rising = range(20).map((t) => point(t, 10 + t));
  test('keeps so many points, in order of time', () => {
    expect(onward(rising, point(20, 30), 15, 0.02).ramp.map((p) => p.t)).toEqual(range(21).slice(6));
    expect(onward(rising, point(19, 30), 15, 0.02).ramp).toBe(rising);
  });
  test('noise of the power is no turn, a step back is', () => {
    expect(onward(rising, point(20, 28.6), 40, 0.02)).toMatchObject({ turned: false });
    const back = onward(rising, point(20, 28), 40, 0.02);
    expect(back.turned).toBe(true);
    expect(back.ramp.map((p) => p.power)).toEqual([29, 28]);
    const falling = range(20).map((t) => point(t, 50 - t));
    expect(onward(falling, point(20, 33), 40, 0.02).ramp.map((p) => p.power)).toEqual([31, 33]);
  });
  test('a held power never turns', () => {
    const held = range(20).map((t) => point(t, 50 + 0.2 * (t % 3)));
    expect(onward(held, point(20, 49.8), 40, 0.02).turned).toBe(false);
  });
});

describe('least squares', () => {
  const x = Float64Array.from([0, 1, 2, 3, 4, 5]);
  const one = x.map(() => 1);
  test('a line with its covariance; a superfluous column is left out', () => {
    const fit = leastSquares([one, x, x.map((v) => 3 * v - 1)], x.map((v) => 2 + 0.5 * v), one.map(() => 2)); // biome-ignore format: one call
    expect([...fit.coefficients].map((c) => Math.round(c * 1e9) / 1e9)).toEqual([2, 0.5, 0]);
    expect(fit.rank).toBe(2);
    expect(fit.chi2).toBeLessThan(1e-18);
    expect(fit.covariance[4]).toBeCloseTo(4 / 17.5, 12); // sigma^2 / sum (x - mean)^2
  });
  test('the gain is that of the F test with the price of the parameters', () => {
    const y = Float64Array.from([0, 0.1, -0.1, 0.05, 10, 10.1, 9.9, 10]);
    const n = y.length;
    const sigma = y.map(() => 0.01); // quoted ten times too small
    const best = bestBreak({
      y,
      sigma,
      base: [y.map(() => 1)],
      bent: [],
      broken: (index) => (index === 4 ? [['shift', [y.map((_, i) => (i < 4 ? 0 : 1))]]] : []),
    });
    const within = [0, 0.1, -0.1, 0.05].reduce((s, v) => s + (v - 0.0125) ** 2, 0) + [0, 0.1, -0.1, 0].reduce((s, v) => s + v * v, 0);
    const mean = y.reduce((s, v) => s + v, 0) / n;
    const all = y.reduce((s, v) => s + (v - mean) ** 2, 0);
    const worst = Math.max(...y.map((v) => (v - mean) ** 2 / (1 - 1 / n)));
    const dof = n - 3;
    const cost = Math.min(dof * Math.log(all / within) + Math.log(n), dof * Math.log((all - worst) / within) + 3 * Math.log(n));
    // Both chi2 are widened to their own scatter; chi2/scale is then dof on both sides.
    expect(best?.gain).toBeCloseTo(cost - 3 * Math.log(n), 9);
    expect(best?.widened).toBeCloseTo(Math.sqrt(within / 1e-4 / dof), 9);
    expect(best?.fit.coefficients[1]).toBeCloseTo(10 - 0.0125, 12);
  });
});

test('without an error bar nothing is said', () => {
  expect(run([{ power: 10, value: 1000, random: 0 }])[0]?.anomaly).toEqual({
    quality: 'bad',
    why: 'up.temperature has no error bar: without one no break can be told from noise',
  });
});

test('is pure, and knows power as watts or as a part of the full one', () => {
  const ramp = shots(45, (p) => 300 + 30 * p * (p > 40 ? 0.7 : 1), 8);
  expect(run(ramp)).toEqual(run(ramp));
  expect(anomaly.inputs).toEqual({ temperature: 'K', power: 'W', factor: '1' });
  expect(anomalySetPoint.inputs.power).toBe('1');
  expect(anomalySetPoint.outputs.power).toBe('1');
});

test('in a graph, without a factor', () => {
  const inputs = {
    temperature: { from: 'up.temperature', pair: 'last' as const, within: 0 },
    power: { from: 'laser.output_power', pair: 'last' as const, within: 1 },
  };
  const take = graph([{ name: 'watch', derivation: anomaly, inputs, params, parametersId: '' }]);
  const out = shots(50, (p) => 300 + 30 * p * (p > 40 ? 0.7 : 1), 8).flatMap(({ power, value }, i) => {
    take(number('laser.output_power', 'W', i * 1e6, { quality: 'good', value: power }) as Reading);
    return take(number('up.temperature', 'K', i * 1e6, { quality: 'good', value, sigma: { random: 8 } }) as Reading);
  });
  const word = out.find((r) => r.from === 'watch.anomaly' && r.quality === 'good' && r.value !== 'none');
  expect(word).toMatchObject({ value: 'discontinuity', kind: 'state' });
  expect(out.find((r) => r.from === 'watch.power')).toMatchObject({ kind: 'W', value: 40.5 });
});

test.each([
  [{ window: 5 }, 'window: '],
  [{ jump: '10 K' }, 'jump: "10 K" is in K'],
  [{ margin: 0 }, 'margin: must be above zero'],
  [{ sensitivity: 3 }, 'no option "sensitivity"'],
])('%j is refused with a sentence', (yaml, sentence) => {
  const got = anomaly.params.parse(yaml);
  expect(got instanceof Refused ? got.why : 'taken').toContain(sentence);
});
