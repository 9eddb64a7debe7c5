/** Gains of a recorded stream against time, from hits that are made here. */
import { expect, test } from 'vitest';
import { compared, comparisonText } from '../src/cli/analyse-compare.ts';
import { gainsOf } from '../src/cli/analyse-gains.ts';
import { hits } from '../src/derive/hits.ts';
import { normal, uniform } from './derive/hit-rows.ts';

const BEGAN = 1_767_225_600e6; // 0:00 UTC, in microseconds since 1970
const stream = (scale: object) => ({
  link: 'tcp:192.168.10.16:24',
  series: {},
  counted: new Map<string, number>(),
  dead: 0,
  plan: {
    source: { format: 'waveforms' },
    channels: 3,
    spectra: { charge: { low: 0, high: 1, bins: 1 } },
    scale,
    record: { raw: true, hits: true },
  },
});
const LINE = { energy: { low: 600, high: 1400, bins: 80, line: 0.5, within: 0.004 } };

/** Channels 0 and 1 in turn, 100 hits of each a second; the second one loses a part of its charge after 200 s. */
function fed(loss: number, piece: number) {
  const gains = gainsOf(stream(LINE), BEGAN);
  if (!gains) throw new Error('there is a scale');
  const random = uniform(3);
  const block = hits(piece);
  for (let i = 0; i < 80_000; i++) {
    const [at, c] = [block.count++, i % 2];
    block.t[at] = 7e12 + i * 5e6; // the counter did not begin with the session
    block.channel[at] = c;
    const mean = c === 1 && i >= 40_000 ? 1000 * (1 - loss) : 1000;
    block.charge[at] = mean * (1 + 0.1 * normal(random));
    if (block.count < piece) continue;
    gains.take(block);
    block.count = 0;
  }
  gains.take(block);
  return gains.end();
}

test('the scale of each channel with its windows, and the one that drifts with its time', () => {
  const { json, text, measures } = fed(0.05, 777);
  const { state, drift, channels } = Object(json.energy_scale);
  expect(state).toBe('drifted');
  // Both have windows of some six seconds.
  expect(drift).toMatch(/^1 high since 00:03:[23]\d UTC \(0\.00052\d+ instead of 0\.000(49|50)\d+\)$/);
  expect(text).toContain(`energy scale  0.0005`);
  expect(text).toContain(drift);
  expect(Object.keys(channels)).toEqual(['0', '1']);
  expect(channels[0].windows).toBeGreaterThan(40);
  expect(Math.abs(channels[0].mean - 5e-4)).toBeLessThan(4 * channels[0].sigma);
  expect(channels[0].sigma / 5e-4).toBeLessThan(0.001);
  expect(channels[1].last / channels[1].first).toBeCloseTo(1 / 0.95, 1.5);
  // Half of its windows are off by 5 %: that is in the bar of its mean.
  expect(channels[1].sigma).toBeGreaterThan(3 * channels[0].sigma);
  expect(measures).toMatchObject([{ quantity: 'energy scale 0', unit: 'MeVee', value: channels[0].mean, of: 'error' }, {}]);
});

test('in blocks of any size the same', () => {
  const [a, b] = [fed(0, 64), fed(0, 9999)];
  expect(Object(a.json.energy_scale)).toMatchObject({ state: 'steady', drift: '1 learning, the others steady' });
  expect(b).toEqual(a);
});

test('runs side by side: how many gains have changed, and the worst', () => {
  const gain = (value: number, name: string) => ({ quantity: name, unit: '', value, sigma: 0.5, of: 'error' as const });
  const runs = [
    [gain(100, 'gain 0'), gain(100, 'gain 17'), gain(100, 'left gain 3'), gain(7, 'charge 2')],
    [gain(100.5, 'gain 0'), gain(92, 'gain 17'), gain(100, 'left gain 3'), gain(7, 'charge 2')],
  ];
  const text = comparisonText(['a', 'b'], compared(runs));
  expect(text).toContain('Mean charges of 1 channels, 2 less 1: none beyond 3.0 sigma.');
  expect(text).toContain('Gains of 3 channels, 2 less 1: 1 beyond 3.0 sigma, most in channel 17: -8.0 %.');
  expect(text).not.toMatch(/^gain/m);
});

test('without options for it there is none', () => {
  expect(gainsOf(stream({}))).toBe(undefined);
  expect(gainsOf({ link: 'x', series: {}, counted: new Map(), dead: 0 })).toBe(undefined);
});
