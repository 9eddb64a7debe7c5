import { expect, test } from 'vitest';
import { channelScale, checkChannelScale } from '../../src/derive/channel-scale.ts';
import { comptonEdge } from '../../src/derive/compton.ts';
import { FLAG, hits } from '../../src/derive/hits.ts';
import { comptonHistogram } from './gamma-spectra.ts';
import { normal, poisson, uniform } from './hit-rows.ts';

const T = 1_767_225_600e6; // microseconds since 1970

const one = (values: unknown, name: string, channel: number): { quality: string; value: number; sigma: { random: number }; why?: string } =>
  Object(Object(values)[name])[channel];

test('gains of channels that differ, one fit a look; what is not fitted yet says so', () => {
  const watch = channelScale({ channels: 3, photoelectrons: { low: -50, high: 400, bins: 450 } });
  const random = uniform(5);
  const gains = [30, 45];
  const block = hits(20_000);
  for (let i = 0; i < block.capacity; i++) {
    const c = i % 2;
    const k = poisson(1.2, random);
    block.channel[i] = c;
    block.charge[i] = k * (gains[c] ?? 0) + Math.sqrt(16 + k * 36) * normal(random);
    block.count++;
  }
  watch.take(block);
  expect(one(watch.look(T), 'gain', 1)).toMatchObject({ quality: 'bad', why: 'too few pulses yet' });
  const all = watch.look(T + 10e6);
  for (const c of [0, 1]) {
    const { value, sigma } = one(all, 'gain', c);
    expect(Math.abs(value - (gains[c] ?? 0))).toBeLessThan(4 * sigma.random);
    expect(sigma.random).toBeLessThan(1);
  }
  expect(one(all, 'gain', 2)).toMatchObject({ quality: 'bad', why: 'too few pulses yet' });
  expect(watch.look(T + 11e6)).toEqual({ gains: 'learning', gain_channels: 'learning' });
  watch.clear();
  expect(one(watch.look(T + 12e6), 'gain', 0).quality).toBe('bad');
});

test('the energy scale by an edge; hits whose charge is wrong are left out', () => {
  const gammas = [{ energy: 0.661657, intensity: 1 }];
  const truth = { gammas, perMeV: 1000, zero: 0, resolution: 0.08, counts: 20_000, background: 0, seed: 3 };
  const h = comptonHistogram(truth);
  const range = { low: 250, high: 700, bins: 225 };
  const watch = channelScale({ channels: 1, energy: { ...range, source: '137Cs' } });
  const random = uniform(1);
  const block = hits(40_000);
  for (let b = 0; b < h.bins; b++)
    for (let n = 0; n < (h.counts[b] ?? 0); n++) block.charge[block.count++] = h.low + ((b + random()) * (h.high - h.low)) / h.bins;
  const bad = block.count;
  for (let n = 0; n < 5000; n++) {
    block.charge[block.count] = 600;
    block.flags[block.count++] = FLAG.saturated;
  }
  expect(block.count).toBe(bad + 5000);
  watch.take(block);
  const { value, sigma } = one(watch.look(T), 'energy_scale', 0);
  expect(Math.abs(value - 1e-3)).toBeLessThan(4 * sigma.random);
  expect(comptonEdge(0.661657)).toBeCloseTo(0.477, 3);
});

test('a fit that misses its spectrum is suspect', () => {
  const watch = channelScale({ channels: 1, photoelectrons: { low: -50, high: 400, bins: 225 } });
  const random = uniform(9);
  const some = (n: number): void => {
    const block = hits(n);
    for (let i = 0; i < n; i++) {
      const k = poisson(1.2, random);
      block.charge[i] = i % 8 === 0 ? 400 * random() : 50 * k + Math.sqrt(16 + k * 100) * normal(random);
      block.count++;
    }
    watch.take(block);
  };
  some(50_000);
  expect(one(watch.look(T), 'gain', 0)).toMatchObject({
    quality: 'suspect',
    why: expect.stringMatching(/^the fit misses the spectrum by [\d.]+ %: its bar is too small$/),
  });
});

test('options that make no sense are told', () => {
  const axis = { low: 0, high: 1, bins: 10 };
  expect(checkChannelScale({ channels: 1, energy: axis })).toMatch(/either a source or a line/);
  expect(checkChannelScale({ channels: 1, energy: { ...axis, line: -1 } })).toMatch(/above 0/);
  expect(checkChannelScale({ channels: 1, photoelectrons: { ...axis, high: -1 } })).toMatch(/photoelectrons/);
  expect(checkChannelScale({ channels: 1, energy: { ...axis, source: '60Co' } })).toBe(undefined);
  const energy = { ...axis, source: '60Co' } as const;
  expect(checkChannelScale({ channels: 1, energy: { ...energy, within: 0 } })).toBe('within: a part above 0 and below 1, not 0');
  expect(checkChannelScale({ channels: 1, energy: { ...energy, longest: Number.NaN } })).toMatch(/longest/);
  expect(checkChannelScale({ channels: 1, photoelectrons: { ...axis, change: 1 } })).toMatch(/change/);
  expect(() => channelScale({ channels: 1, energy: axis })).toThrow(RangeError);
});
