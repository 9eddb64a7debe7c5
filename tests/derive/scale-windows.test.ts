import { describe, expect, test } from 'vitest';
import { channelScale } from '../../src/derive/channel-scale.ts';
import { fill, type Histogram, moments } from '../../src/derive/histogram.ts';
import { hits } from '../../src/derive/hits.ts';
import { type ScaleWindows, scaleWindows, type WindowOptions } from '../../src/derive/scale-windows.ts';
import { bad, type Measured } from '../../src/reading.ts';
import { normal, poisson, type Random, uniform } from './hit-rows.ts';

const T = 1_767_225_600e6; // 0:00 UTC, in microseconds since 1970
const AXIS = { low: 0, high: 200, bins: 400 };
/** Of a normal spectrum: its middle. As dear as a fit is in what it needs, and cheap. */
const middle = (h: Histogram): Measured<'1'> => {
  const { n, mean, sd } = moments(h);
  return n < 200 ? bad(`${n} hits`) : { quality: 'good', value: mean, sigma: { random: sd / Math.sqrt(n) } };
};
const made = (channels: number, options: WindowOptions = {}): ScaleWindows => scaleWindows(channels, { ...AXIS, ...options }, middle);
/** None at a place that is no number. */
function pulses(of: ScaleWindows, c: number, n: number, at: number, random: Random): void {
  const h = of.spectra[c];
  if (!h || Number.isNaN(at)) return;
  for (let i = 0; i < n; i++) fill(h, at + 0.1 * at * normal(random));
  of.hits[c] = (of.hits[c] ?? 0) + n;
}
const list = (values: unknown, name: string): readonly { readonly quality: string; readonly value: number; readonly t?: number }[] =>
  Object(values)[name];

describe('windows of one number', () => {
  test('a window closes at the sigma that is wanted, and the next one holds none of its pulses', () => {
    const of = made(1); // 0.5 % of a spread of 10 %: 400 pulses, but 500 are the least
    const random = uniform(1);
    pulses(of, 0, 499, 100, random);
    expect(of.turn(0, T)).toBe(false);
    pulses(of, 0, 1, 100, random);
    expect(of.turn(0, T + 1e6)).toBe(true);
    const first = list(of.look('gain', T), 'gain')[0];
    expect(first).toMatchObject({
      quality: 'good',
      t: T + 1e6,
      value: expect.closeTo(100, -0.5),
      sigma: { random: expect.closeTo(0.45, 1) },
    });
    expect(of.hits[0]).toBe(0);
    pulses(of, 0, 500, 110, random);
    expect(of.look('gain', T)).not.toHaveProperty('gain');
    of.turn(0, T + 5e6);
    expect(Math.abs((list(of.look('gain', T), 'gain')[0]?.value ?? 0) - 110)).toBeLessThan(2.5);
  });
  test('where the sigma is not reached it closes after its time; without a pulse it says so', () => {
    const of = made(2, { within: 0.001, longest: 60 });
    const random = uniform(2);
    of.turn(1, T);
    for (let s = 0; s <= 60; s += 10) {
      pulses(of, 0, 100, 100, random);
      of.turn(0, T + s * 1e6);
    }
    expect(of.turn(1, T + 59e6)).toBe(false);
    expect(of.turn(1, T + 60e6)).toBe(false); // needs no fit
    expect(list(of.look('gain', T), 'gain')).toMatchObject([
      { quality: 'good', t: T + 60e6, sigma: { random: expect.closeTo(10 / Math.sqrt(700), 1) } },
      { quality: 'bad', why: 'no pulse', t: T + 60e6 },
    ]);
    pulses(of, 0, 300, 100, random);
    expect(of.turn(0, T + 119e6)).toBe(false);
    expect(of.turn(0, T + 120e6)).toBe(true);
  });
  test('before the first window closes there is what it gives so far', () => {
    const of = made(1, { within: 0.002 });
    pulses(of, 0, 600, 100, uniform(3));
    of.turn(0, T);
    expect(list(of.look('gain', T), 'gain')[0]).toMatchObject({ quality: 'good', t: T });
    expect(of.hits[0]).toBe(600);
  });

  test('values are given once all are new, or after ten seconds; a window waits until the one before is given', () => {
    const of = made(2);
    const random = uniform(16);
    const second = (s: number, channels: readonly number[]): unknown => {
      for (const c of channels) {
        pulses(of, c, 600, 100 + s, random);
        of.turn(c, T + s * 1e6);
      }
      const given = list(of.look('gain', T + s * 1e6), 'gain');
      return given?.map((one) => (Number(one.t) - T) / 1e6);
    };
    expect(second(0, [0, 1])).toEqual([0, 0]);
    expect(second(1, [0, 1])).toEqual([1, 1]);
    for (const s of [2, 3, 4, 10]) expect(second(s, [0])).toBe(undefined);
    expect(of.hits[0]).toBe(1800);
    expect(second(11, [0])).toEqual([2, 1]);
    expect(second(12, [0, 1])).toEqual([12, 12]);
  });

  /** Windows of ten seconds of 1000 pulses. */
  function go(of: ScaleWindows, channels: number, seconds: readonly [number, number], at: (c: number, s: number) => number, seed: number) {
    const random = uniform(seed);
    const words: string[] = [];
    for (let s = seconds[0]; s < seconds[1]; s += 10) {
      for (let c = 0; c < channels; c++) {
        pulses(of, c, poisson(1000, random), at(c, s), random);
        of.turn(c, T + s * 1e6);
      }
      words.push(String(of.look('gain', T + s * 1e6).gains));
    }
    return words;
  }
  test('a loss of 5 % in one channel is named with its numbers, and taken back with the loss; nothing else is', () => {
    const of = made(4);
    const words = go(of, 4, [0, 200], (c) => 100 + c, 4);
    expect(words[4]).toBe('learning');
    expect(new Set(words.slice(6))).toEqual(new Set(['steady']));
    expect(of.look('gain', T).gain_channels).toBe('all steady');
    go(of, 4, [200, 300], (c) => (c === 2 ? 0.95 * 102 : 100 + c), 5);
    const said = of.look('gain', T);
    expect(said.gains).toBe('drifted');
    expect(said.gain_channels).toMatch(/^2 low since 00:03:20 UTC \(9[67]\.\d+ instead of 10[12]\.\d+\)$/);
    go(of, 4, [300, 320], (c) => (c === 1 ? 110 : 100 + c), 6);
    expect(of.look('gain', T).gain_channels).toMatch(/^1 high since 00:05:00 UTC \(1(08|09|10|11)\.\d+ instead of 10[01]\.\d+\)$/);
  });
  test('the change is that from the first windows, however slowly it comes', () => {
    const of = made(1);
    const words = go(of, 1, [0, 2000], (_, s) => 100 * (1 - 2.5e-5 * s), 7); // 1 % in 400 s
    const at = 10 * words.indexOf('drifted');
    expect(at).toBeGreaterThan(1000); // 2.5 %
    expect(at).toBeLessThan(1700); // 4.2 %
    expect(words.slice(words.lastIndexOf('steady') + 1)).toContain('drifted');
    of.turn(0, T + 3000e6);
    of.look('gain', T + 3000e6);
    pulses(of, 0, 1000, 95, uniform(8));
    of.turn(0, T + 3001e6);
    expect(list(of.look('gain', T), 'gain_change')[0]).toMatchObject({
      value: expect.closeTo(-0.05, 1.6),
      sigma: { random: expect.closeTo(0.0035, 3) },
    });
    of.clear();
    expect(of.look('gain', T)).toMatchObject({ gains: 'learning', gain_channels: 'learning', gain_change: [{ quality: 'bad' }] });
    expect(new Set(go(of, 1, [4000, 4200], () => 95, 9).slice(6))).toEqual(new Set(['steady']));
  });
  test('no false name in 6,400 windows, though the floor is far below the bar', () => {
    const words = go(made(64, { change: 1e-6 }), 64, [0, 1000], () => 100, 10);
    expect(new Set(words)).toEqual(new Set(['learning', 'steady']));
  });
  test('pulses without a value: lost after two windows; a channel without pulses is none of those', () => {
    let found = true;
    const of = scaleWindows(2, { ...AXIS, longest: 10 }, (h) => (found ? middle(h) : bad('there are no peaks')));
    go(of, 2, [0, 100], () => 100, 11);
    found = false;
    const first = (c: number): number => (c === 0 ? 100 : Number.NaN);
    go(of, 2, [100, 110], first, 12);
    expect(of.look('gain', T).gains).toBe('steady');
    go(of, 2, [110, 140], first, 13);
    expect(of.look('gain', T).gain_channels).toMatch(/^0 lost since 00:01:50 UTC \(was (99|100)\.\d+\)$/);
    expect(of.look('gain', T).gains).toBe('lost');
    found = true;
    go(of, 2, [150, 170], first, 14);
    expect(of.look('gain', T)).toMatchObject({ gains: 'steady', gain_channels: 'all steady' });
  });
});

test('a gain that falls by 5 % is named from the pulses of photoelectrons', () => {
  const scale = channelScale({ channels: 1, photoelectrons: { low: -50, high: 300, bins: 140, within: 0.01 } });
  const random = uniform(15);
  const block = hits(8000);
  block.count = 8000;
  const second = (gain: number, t: number): string => {
    for (let i = 0; i < block.count; i++) {
      const k = poisson(1, random);
      block.charge[i] = gain * (k + Math.sqrt(0.01 + 0.04 * k) * normal(random));
    }
    scale.take(block);
    return String(scale.look(T + t * 1e6).gains);
  };
  for (let t = 0; t < 12; t++) expect(second(40, t)).toBe(t < 5 ? 'learning' : 'steady');
  expect(second(38, 12)).toBe('drifted');
  expect(scale.look(T + 13e6).gain_channels).toMatch(/^0 low since 00:00:12 UTC \(3[78]\.\d+ instead of \d+\.\d+\)$/);
});
