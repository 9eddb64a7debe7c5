/** The light yield against time: by the line of captures, by an edge, in the simulated detector; and that nothing is found where nothing is. */
import { expect, test } from 'vitest';
import { SOURCE } from '../../simulators/worlds/detector-setup.ts';
import { comptonSpectrum } from '../../src/derive/compton.ts';
import { detectorChain } from '../../src/derive/detector-chain.ts';
import { checkLightYield, type LightYield, type LightYieldOptions, lightYield } from '../../src/derive/light-yield.ts';
import type { Values } from '../../src/reading.ts';
import { CHANNELS, chainOptions, gammas, pairs, run, worldOf } from './detector-run.ts';
import { normal, uniform } from './hit-rows.ts';

const OPTIONS: LightYieldOptions = { channels: 4, mark: { line: 0.53 }, shape: 0.215 };
const SHARES = [1, 1, 1, 1];

/** Captures in a line of 9 % on a background, `yieldOf` times as bright, shared out among four channels; gives all that was said. */
function feed(to: LightYield, count: number, yieldOf: (i: number) => number, seed: number, shares: readonly number[] = SHARES): Values[] {
  const random = uniform(seed);
  const whole = shares.reduce((a, b) => a + b, 0);
  const said: Values[] = [];
  for (let i = 0; i < count; i++) {
    const energy = random() < 0.8 ? yieldOf(i) * (0.53 + 0.05 * normal(random)) : 0.25 + 0.7 * random();
    const charge = Float64Array.from(shares, (share) => (share / whole) * energy * 1e4 * Math.max(0, 1 + 0.8 * normal(random)));
    to.take({ t: i, energy, shape: 0.3, flags: 0, hits: 4, charge });
    if (i % 100 === 0) said.push(to.look());
  }
  said.push(to.look());
  return said;
}
const words = (said: readonly Values[], name = 'light'): unknown[] => [...new Set(said.map((v) => v[name]))];
const numbers = (
  said: readonly Values[],
  name: string,
): readonly { readonly value: number; readonly sigma: { readonly random: number } }[] =>
  said.map((v) => Object(v[name])).filter(({ quality }) => quality === 'good');

test('a yield that stays is given with a bar that is true, and no drift is named in 90 fits and more', () => {
  const said = feed(lightYield(OPTIONS), 50_000, () => 0.97, 1);
  const got = numbers(said, 'light_yield');
  expect(got.length).toBeGreaterThan(90);
  const pulls = got.map(({ value, sigma }) => (value - 0.97) / sigma.random);
  const rms = Math.sqrt(pulls.reduce((sum, z) => sum + z * z, 0) / pulls.length);
  expect(rms).toBeGreaterThan(0.8);
  expect(rms).toBeLessThan(1.2);
  expect(words(said)).toEqual(['learning', 'steady']);
  expect(words(said, 'light_channels')).toEqual(['learning', 'all even']);
});

test.each([-0.06, 0.06])('a change by %d of the light is named within 1,500 events, with its size', (change) => {
  const light = lightYield(OPTIONS);
  expect(feed(light, 5000, () => 1, 2).at(-1)).toMatchObject({ light: 'steady' });
  const said = feed(light, 1500, () => 1 + change, 3);
  expect(said.at(-1)).toMatchObject({ light: 'drifted' });
  const { value, sigma } = numbers(said, 'light_change').at(-1) ?? { value: Number.NaN, sigma: { random: 0 } };
  expect(Math.abs(value - change)).toBeLessThan(4 * sigma.random);
  light.clear();
  // What was said before holds no more.
  expect(light.look()).toMatchObject({ light: 'learning', light_yield: { quality: 'bad' }, light_change: { quality: 'bad' } });
  expect(feed(light, 4000, () => 1 + change, 4).at(-1)).toMatchObject({ light: 'steady' });
});

test('a slow drift is named by the time it has made 5 %', () => {
  const light = lightYield(OPTIONS);
  feed(light, 2500, () => 1, 5);
  expect(feed(light, 20_000, (i) => 1 - (0.05 * i) / 20_000, 6).at(-1)).toMatchObject({ light: 'drifted' });
});

test('a channel that has lost part of its light is named by its number, and the light as a whole is not', () => {
  const light = lightYield({ ...OPTIONS, channels: 16, firstChannel: 64 });
  const even = new Array<number>(16).fill(1);
  feed(light, 10_000, () => 1, 7, even);
  const said = feed(light, 5000, () => 1, 8, even.with(2, 0.6));
  expect(said.at(-1)).toMatchObject({ light: 'uneven', light_channels: expect.stringMatching(/^66 has 0\.6\d of the part it had$/) });
});

test('light that has all but gone is said to be lost', () => {
  const light = lightYield(OPTIONS);
  feed(light, 5000, () => 1, 9);
  const random = uniform(10);
  for (let i = 0; i < 25_000; i++)
    light.take({ t: i, energy: 0.1 + 0.02 * normal(random), shape: 0.3, flags: 0, hits: 1, charge: new Float64Array(4).fill(1) });
  expect(light.look()).toMatchObject({ light: 'lost', light_yield: { quality: 'bad', why: expect.stringMatching(/counts in the range/) } });
});

test('the edge of a source serves as well as a line', () => {
  // Electrons of 137Cs as Klein and Nishina have them, smeared by 8 % at the edge.
  const light = lightYield({ ...OPTIONS, mark: { edge: '137Cs' }, every: 4000 });
  const random = uniform(11);
  const some = (yieldOf: number): Values => {
    for (let i = 0; i < 70_000; i++) {
      let energy = 0.4777 * random();
      while (comptonSpectrum(0.661657, energy) < 6 * random()) energy = 0.4777 * random();
      light.take({
        ...{ t: i, energy: yieldOf * (energy + 0.08 * 0.4777 * Math.sqrt(energy / 0.4777) * normal(random)) },
        ...{ shape: 0.1, flags: 0, hits: 1, charge: new Float64Array(4).fill(1) },
      });
    }
    return light.look();
  };
  expect(some(1)).toMatchObject({ light: 'steady' });
  expect(some(0.9)).toMatchObject({ light: 'drifted' });
});

test('in the simulated detector a light yield that falls by a tenth in six minutes is named within them, and a steady one is not', () => {
  const sources = [pairs(30, 70, 50), gammas(5), { ...SOURCE, kind: 'neutrons' as const, rate: 2 }];
  const ran = (drift: number, seconds: number): Values[] => {
    const world = worldOf(12, sources, { drift });
    const { vertex: _, ...options } = chainOptions(world);
    const chain = detectorChain({ ...options, light: { mark: { line: 0.53 }, every: 250 } });
    let [seen, t] = [[] as Values[], 0];
    run(world, seconds, (block) => {
      chain.take(block);
      if ((block.t[0] ?? 0) < t) return;
      seen = [...seen, chain.look(0, t / 1000)];
      t += 10e9;
    });
    return seen;
  };
  const falling = ran(-1, 360);
  expect(words(falling)).toEqual([undefined, 'learning', 'steady', 'drifted'].filter((w) => words(falling).includes(w)));
  expect(falling.at(-1)).toMatchObject({ light: 'drifted' });
  expect(numbers(falling, 'light_change').at(-1)?.value).toBeLessThan(-0.03);
  const steady = ran(0, 240);
  expect(words(steady)).toContain('steady');
  expect(words(steady)).not.toContain('drifted');
  expect(words(steady, 'light_channels')).not.toContainEqual(expect.stringMatching(/has/));
  expect(steady.flatMap((v) => (Array.isArray(v.light_share) ? [v.light_share.length] : []))).toContain(CHANNELS);
});

test.each([
  [{ mark: { line: 0 } }, /line/],
  [{ mark: { line: 0.5 }, every: 10 }, /250 events/],
  [{ mark: { line: 0.5 }, change: 2 }, /change/],
] as const)('%j is told what would be right', (options, why) => {
  expect(checkLightYield(options)).toMatch(why);
});
