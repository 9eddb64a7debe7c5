import { describe, expect, test } from 'vitest';
import type { SpectralFrame } from '../../src/derive/calibration.ts';
import { coefficientsOf, linearized } from '../../src/derive/linearity.ts';
import { measureTemperature } from '../../src/derive/measure.ts';
import { spectralRadiance } from '../../src/derive/radiance.ts';

const COEFFICIENTS = [0.93, 4e-6, -5e-11];
const share = (x: number): number => COEFFICIENTS.reduceRight((sum, c) => sum * x + c, 0);
/** What a detector shows for so many true counts: x with x / share(x) = true. */
function shown(truth: number): number {
  let x = truth;
  for (let i = 0; i < 200; i++) x = truth * share(x);
  return x;
}

const wavelength = Float64Array.from({ length: 300 }, (_, i) => 620e-9 + i * 1e-9);
const BIAS = 1500;
const flat = (value: (l: number) => number, more: Partial<SpectralFrame> = {}): SpectralFrame => ({
  wavelength,
  counts: wavelength.map((l) => BIAS + value(l)),
  rows: 1,
  columns: wavelength.length,
  exposure: 0.1,
  gain: 1,
  readNoise: 5,
  ...more,
});
const light = (t: number, scale: number) => (l: number) => (scale * spectralRadiance(l, t)) / spectralRadiance(900e-9, t);

describe('non-linearity', () => {
  const dark = flat(() => 0);
  const lamp = flat((l) => shown(light(2255, 60000)(l)), { nonlinearity: COEFFICIENTS });
  const sample = flat((l) => shown(light(3000, 12000)(l)), { nonlinearity: COEFFICIENTS });
  const calibration = { frame: lamp, lamp: { temperature: 2255 }, dark };

  test('counts above dark are divided by the polynomial of themselves', () => {
    const got = linearized(sample, dark);
    if (typeof got === 'string') throw new Error(got);
    for (const [i, l] of wavelength.entries()) expect((got.counts[i] ?? 0) - BIAS).toBeCloseTo(light(3000, 12000)(l), 4);
  });

  test('a temperature is right with it, and far off without', () => {
    const right = measureTemperature(sample, { dark, calibration });
    const wrong = measureTemperature(
      { ...sample, nonlinearity: [] },
      { dark, calibration: { ...calibration, frame: { ...lamp, nonlinearity: [] } } },
    );
    if ('refused' in right || 'refused' in wrong) throw new Error('no temperature');
    expect(right.temperature).toBeCloseTo(3000, 1);
    expect(right.suspect).toBeUndefined();
    expect(Math.abs(wrong.temperature - 3000)).toBeGreaterThan(10);
  });

  test('without a dark the result says that it is not corrected', () => {
    const got = measureTemperature(sample, { calibration });
    expect('refused' in got ? got.refused : got.suspect).toContain('that needs a dark');
  });

  test('saturated pixels stay as they are, and a polynomial that says nothing changes nothing', () => {
    const got = linearized({ ...sample, saturation: BIAS + 100 }, dark);
    if (typeof got === 'string') throw new Error(got);
    expect(got.counts[299]).toBe(sample.counts[299]);
    const plain = { ...sample, nonlinearity: [1, 0, 0] };
    expect(linearized(plain, undefined)).toBe(plain);
  });

  test('coefficients as a trace carries them', () => {
    expect(coefficientsOf('0.93 4e-6  -5e-11')).toEqual(COEFFICIENTS);
    for (const text of ['', '0.93 x', 7, undefined]) expect(coefficientsOf(text)).toBeUndefined();
  });
});
