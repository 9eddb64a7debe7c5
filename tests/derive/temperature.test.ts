import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { averageFrames, interpolate, nearestColumn, noiseOfDarkRows, rowMean, type SpectralFrame } from '../../src/derive/calibration.ts';
import { measureTemperature, type Temperature, type TemperatureParams } from '../../src/derive/measure.ts';
import { spectralRadiance } from '../../src/derive/radiance.ts';
import { planckMl } from '../../src/derive/temperature.ts';
import { Refused } from '../../src/instrument.ts';
import { bad, type Measured, type Reading, type Trace } from '../../src/reading.ts';

const golden = resolve(import.meta.dirname, '../../../shared/golden/thermal.json');
const here = existsSync(golden);

const COLUMNS = 160;
const axis = Float64Array.from({ length: COLUMNS }, (_, i) => (610 + 1.75 * i) / 1e9);
const throughput = (l: number): number => 2e-7 * Math.exp(-(((l * 1e9 - 740) / 120) ** 2));
/** rows x COLUMNS counts of a grey body through the test optics, in all rows. */
function frame(t: number, emissivity: number | ((l: number) => number), rows: number, more: Partial<SpectralFrame> = {}): SpectralFrame {
  const exposure = more.exposure ?? 1;
  const counts = Float64Array.from({ length: rows * COLUMNS }, (_, i) => {
    const l = axis[i % COLUMNS] ?? 0;
    return exposure * throughput(l) * spectralRadiance(l, t, typeof emissivity === 'number' ? emissivity : emissivity(l));
  });
  return { wavelength: axis, counts, rows, columns: COLUMNS, exposure, readNoise: 3, gain: 1, ...more };
}
const lamp = { frame: frame(2255, 1, 4, { exposure: 0.2 }), lamp: { temperature: 2255 } };
function measured(spectrum: SpectralFrame, params: TemperatureParams): Temperature {
  const result = measureTemperature(spectrum, params);
  if ('refused' in result) throw new Error(result.refused);
  return result;
}
function changed(spectrum: SpectralFrame, at: (row: number, column: number) => number | undefined): SpectralFrame {
  return { ...spectrum, counts: Float64Array.from(spectrum.counts, (v, i) => at(Math.floor(i / COLUMNS), i % COLUMNS) ?? v) };
}

describe('calibrated temperature', () => {
  test('temperature, factor and error terms of a noiseless spectrum', () => {
    const got = measured(frame(1873.25, 0.45, 4, { exposure: 0.5 }), {
      rows: [1, 2],
      window: [620e-9, 880e-9],
      calibration: lamp,
      lampSigma: 10,
      emissivitySlope: 0.02,
      reproducibility: 4,
    });
    expect(got.temperature).toBeCloseTo(1873.25, 6);
    expect(got.factor).toBeCloseTo(0.45, 8);
    expect(got.terms.lamp).toBeCloseTo((1873.25 / 2255) ** 2 * 10, 6);
    expect(got.terms.window).toBeLessThan(1e-5);
    expect(got.terms.emissivity).toBeCloseTo(2 * Math.abs(got.sensitivity), 9);
    expect(got.sigma).toBeCloseTo(Math.hypot(got.terms.statistical, got.terms.lamp, got.terms.window, got.terms.emissivity, 4), 9);
    expect(got.terms.statistical).toBe(got.fisher);
    expect(got.masked).toEqual([]);
    expect(got.suspect).toBeUndefined();
    expect(Math.abs((got.wien?.temperature ?? 0) - 1873.25)).toBeLessThan(0.5);
    expect(Math.abs(got.twoColour.median - 1873.25)).toBeLessThan(0.5);
  });
  test.skipIf(!here)('the golden calibration chain (skipped without ../shared)', () => {
    const c = JSON.parse(readFileSync(golden, 'utf8')).calibration_chain_noiseless;
    const wavelength = c.wavelength_nm.map((nm: number) => nm / 1e9);
    const row = (counts: number[], exposure: number): SpectralFrame => ({
      wavelength,
      counts,
      rows: 1,
      columns: wavelength.length,
      exposure,
    });
    const calibration = { frame: row(c.lamp_counts, c.lamp_exposure_s), lamp: { temperature: c.lamp_temperature_K } };
    for (const method of ['ml', 'unweighted'] as const) {
      const got = measured(row(c.data_counts, c.data_exposure_s), { calibration, method });
      expect(Math.abs(got.temperature - c.expect_T)).toBeLessThan(1e-6);
      expect(Math.abs(got.factor - c.expect_A_if_lamp_emissivity_1)).toBeLessThan(1e-9);
    }
  });
  test('the lamp identity: 1/T shifts with 1/T_lamp (Wien limit)', () => {
    const at = (temperature: number): number =>
      measured(frame(1400, 1, 4), { calibration: { ...lamp, lamp: { temperature } } }).temperature;
    expect((1 / at(2255) - 1 / at(2265)) / (1 / 2255 - 1 / 2265)).toBeCloseTo(1, 1);
  });
  test('an emissivity slope shifts T as the sensitivity says, and an emissivity table takes the shift away', () => {
    const slope = (l: number): number => 0.4 * (1 + (0.01 * (l - 750e-9)) / 150e-9);
    const got = measured(frame(2000, slope, 4), { calibration: lamp });
    expect(got.temperature - 2000).toBeCloseTo(got.sensitivity, 0);
    expect(got.sensitivity).toBeLessThan(-5);
    const emissivity = { wavelength: axis, value: axis.map(slope) };
    const cured = measured(frame(2000, slope, 4), { calibration: lamp, emissivity });
    expect(cured.temperature).toBeCloseTo(2000, 6);
    expect(cured.factor).toBeCloseTo(1, 8);
  });
  test('dark frames are subtracted from spectrum and lamp', () => {
    const lift = (f: SpectralFrame): SpectralFrame => ({ ...f, counts: Float64Array.from(f.counts, (v) => v + 600) });
    const dark = lift(frame(1, 1, 4));
    const got = measured(lift(frame(1700, 1, 4)), { dark, calibration: { ...lamp, frame: lift(lamp.frame), dark } });
    expect(got.temperature).toBeCloseTo(1700, 6);
  });
  test('a saturated raw pixel masks its column, before averaging and before the dark', () => {
    const dark = frame(1, 1, 4);
    const limit = { saturation: 5e6 };
    const hit = changed(frame(1800, 1, 4, limit), (row, column) => (row === 2 && (column === 40 || column === 41) ? 5e6 : undefined));
    const got = measured(hit, { calibration: lamp, dark, rows: [1, 3] });
    expect(got.masked.map((m) => [m.column, m.why])).toEqual([
      [40, 'saturated'],
      [41, 'saturated'],
    ]);
    expect(got.temperature).toBeCloseTo(1800, 5);
    expect(got.suspect).toContain('2 px saturated');
    expect(measured(hit, { calibration: lamp, rows: [0, 1] }).masked).toEqual([]);
    const lit = {
      ...lamp,
      frame: changed({ ...lamp.frame, saturation: 5e6 }, (row, column) => (row === 0 && column === 7 ? 6e6 : undefined)),
    };
    expect(measured(frame(1800, 1, 4), { calibration: lit }).masked).toMatchObject([{ column: 7, why: 'lamp saturated' }]);
  });
  test('a weak lamp, a lamp table that ends, and a hot pixel leave out columns; negative counts stay in', () => {
    const dim = changed(lamp.frame, (_, column) => (column < 5 ? 3 : undefined));
    expect(measured(frame(1800, 1, 4), { calibration: { ...lamp, frame: dim } }).masked.map((m) => m.why)).toEqual(
      Array(5).fill('weak lamp'),
    );
    const table = { wavelength: axis.slice(10), value: axis.slice(10).map((l) => spectralRadiance(l, 2255)) };
    const ended = measured(frame(1800, 1, 4), { calibration: { ...lamp, lamp: { radiance: table } } });
    expect(ended.masked.map((m) => m.why)).toEqual(Array(10).fill('outside lamp table'));
    expect(ended.lampTemperature).toBeCloseTo(2255, 6);
    const spike = changed(frame(1800, 1, 4), (row, column) => (row === 0 && column === 80 ? 1e7 : undefined));
    const cured = measured(spike, { calibration: lamp });
    expect(cured.masked).toMatchObject([{ column: 80, why: 'hot pixel' }]);
    expect(cured.temperature).toBeCloseTo(1800, 5);
    const negative = measured(
      changed(frame(1400, 1, 4), (_, column) => (column < 20 ? -2 : undefined)),
      { calibration: lamp },
    );
    expect(negative.pixels).toBe(COLUMNS);
  });
  test('chi2 above 1 widens the statistical term, chi2 below does not narrow it', () => {
    const wavy = changed(
      frame(1800, 1, 4),
      (row, column) => (frame(1800, 1, 1).counts[column] ?? 0) * (row === 9 ? 0 : 1 + 0.02 * (column % 2 ? 1 : -1)),
    );
    const got = measured(wavy, { calibration: lamp });
    expect(got.chi2).toBeGreaterThan(1.5);
    expect(got.terms.statistical / (got.fisher ?? 0)).toBeCloseTo(Math.sqrt(got.chi2 ?? 0), 9);
    const smooth = measured(frame(1800, 1, 4), { calibration: lamp });
    expect(smooth.chi2).toBeLessThan(0.1);
    expect(smooth.terms.statistical).toBe(smooth.fisher);
  });
  test('the window term is half the spread of the fits over all, the lower and the upper two thirds', () => {
    const bent = frame(2000, (l) => 0.4 + 3 * ((l - 700e-9) / 300e-9) ** 2, 4);
    const over = (lo: number, hi: number): Temperature => measured(bent, { calibration: lamp, window: [axis[lo] ?? 0, axis[hi] ?? 0] });
    const whole = over(0, 159);
    const fits = [whole, over(0, 106), over(53, 159)].map((f) => f.temperature);
    expect(whole.terms.window).toBeCloseTo((Math.max(...fits) - Math.min(...fits)) / 2, 6);
    expect(whole.terms.window).toBeGreaterThan(5);
  });
  test('a dark adds its own noise: twice the variance of the camera, half of that when 4 frames were averaged', () => {
    const noisy = { readNoise: 3000 };
    const dark = { ...frame(1, 1, 4), averaged: 1 };
    const bar = (more: TemperatureParams): number => measured(frame(1900, 1, 4, noisy), { calibration: lamp, ...more }).fisher ?? 0;
    expect(bar({ dark }) / bar({})).toBeCloseTo(Math.SQRT2, 2);
    expect(bar({ dark: { ...dark, averaged: 4 } }) / bar({})).toBeCloseTo(Math.sqrt(1.25), 2);
  });
  test('read noise is looked up in the dark rows of an image when nobody gives it', () => {
    let seed = 1;
    const noise = (): number => {
      let sum = -6;
      for (let i = 0; i < 12; i++) {
        seed = (seed * 48271) % 2147483647;
        sum += seed / 2147483647;
      }
      return sum;
    };
    const image = { ...frame(1, 1, 60), counts: Float64Array.from({ length: 60 * COLUMNS }, () => 100 + 7 * noise()) };
    const lit = changed(image, (row, column) => (row === 30 ? 5e4 : row === 3 && column === 9 ? 9e9 : undefined));
    expect(noiseOfDarkRows(lit, [29, 31])).toBeGreaterThan(6.5);
    expect(noiseOfDarkRows(lit, [29, 31])).toBeLessThan(7.5);
    expect(noiseOfDarkRows(frame(1, 1, 4), [0, 1])).toBeUndefined();
  });
});

describe('refusals', () => {
  const refused = (spectrum: SpectralFrame, params: TemperatureParams): string => {
    const result = measureTemperature(spectrum, params);
    return 'refused' in result ? `${result.code}: ${result.refused}` : `T ${result.temperature}`;
  };
  test.each([
    ['rows outside', frame(1800, 1, 4), { rows: [2, 4] }, /^input: rows 2 to 4 .* rows 0 to 3/],
    ['window beside the spectrum', frame(1800, 1, 4), { window: [400e-9, 500e-9] }, /^no-overlap: .*610\.0 nm to 888\.3 nm/],
    [
      'lamp without radiance there',
      frame(1800, 1, 4),
      { calibration: { ...lamp, lamp: { radiance: { wavelength: [1e-6, 2e-6], value: [1, 1] } } } },
      /^no-overlap: the lamp/,
    ],
    ['few pixels', frame(1800, 1, 4), { window: [700e-9, 705e-9], calibration: lamp }, /^too-few-pixels: only 4 of 4/],
    ['all saturated', frame(1800, 1, 4, { saturation: 1 }), { window: [700e-9, 800e-9], calibration: lamp }, /^saturated: all 59 pixels/],
    [
      'another readout',
      frame(1800, 1, 5),
      { calibration: lamp },
      /^path-mismatch: the calibration has 4 x 160 pixels, the spectrum 5 x 160/,
    ],
    [
      'another filter',
      frame(1800, 1, 4, { path: { filter: 'ND 1' } }),
      { calibration: { ...lamp, frame: { ...lamp.frame, path: { filter: 'none' } } } },
      /^path-mismatch: .*filter none instead of ND 1/,
    ],
    [
      'another grating position',
      { ...frame(1800, 1, 4), wavelength: axis.map((l) => l + 5e-9) },
      { calibration: lamp },
      /^path-mismatch: .*axes 5\.00 nm apart/,
    ],
    [
      'a spectrum that is no Planck curve',
      changed(frame(1800, 1, 4), (_, c) => (c === 0 ? 1e9 : 0)),
      { calibration: lamp },
      /^no-convergence: does not converge/,
    ],
  ] as [string, SpectralFrame, TemperatureParams, RegExp][])('%s', (_, spectrum, params, sentence) => {
    expect(refused(spectrum, params)).toMatch(sentence);
  });
  test('another path can be allowed, and is then suspect', () => {
    const other = { ...lamp, frame: { ...lamp.frame, path: { filter: 'none' } } };
    const got = measured(frame(1800, 1, 4, { path: { filter: 'ND 1' } }), { calibration: other, anyPath: true });
    expect(got.suspect).toContain('filter none instead of ND 1');
  });
  test('no signal: an upper limit that a hotter sample would pass', () => {
    const dark = measureTemperature(frame(650, 0.3, 4), { calibration: lamp });
    if (!('refused' in dark)) throw new Error('a temperature from nothing');
    expect(dark.code).toBe('low-signal');
    expect(dark.refused).toMatch(/below 10; upper limit \d+ K/);
    expect(dark.upperLimit).toBeGreaterThan(650);
    const shining = measureTemperature(frame((dark.upperLimit ?? 0) * 1.3, 0.3, 4), { calibration: lamp });
    expect('temperature' in shining).toBe(true);
    const relative = { ...lamp, lamp: { radiance: { wavelength: axis, value: axis.map((l) => 1e-20 * spectralRadiance(l, 2255)) } } };
    const same = measureTemperature(frame(650, 0.3, 4), { calibration: relative });
    expect('upperLimit' in same ? same.upperLimit : 0).toBeCloseTo(dark.upperLimit ?? 0, 3);
  });
});

test('interpolation, nearest columns, row means and averages', () => {
  const table = { wavelength: [1, 2, 4], value: [10, 20, 0] };
  expect([1, 1.5, 3, 4, 0.9, 4.1].map((x) => interpolate(table, x))).toEqual([10, 15, 10, 0, Number.NaN, Number.NaN]);
  expect([0, 5].map((x) => interpolate(table, x, true))).toEqual([10, 0]);
  const rising = [600, 601, 602, 603];
  expect([0, 600.4, 600.5, 601.5, 601.6, 700].map((x) => nearestColumn(rising, x))).toEqual([0, 0, 0, 2, 2, 3]);
  expect([0, 600.4, 601.6, 700].map((x) => nearestColumn(rising.toReversed(), x))).toEqual([3, 3, 1, 0]);
  const small = { wavelength: [1, 2, 3], counts: [1, 2, 3, 3, 4, 5, 100, 100, 100], rows: 3, columns: 3, saturation: 100 };
  expect([...rowMean(small, [0, 1], [1, 2])]).toEqual([3, 4]);
  const mean = averageFrames([small, { ...small, counts: [3, 100, 3, 3, 4, 5, 0, 0, 0] }]);
  expect([...(mean ? Float64Array.from(mean.counts) : [])]).toEqual([2, 100, 3, 3, 4, 5, 100, 100, 100]);
  expect(mean?.averaged).toBe(2);
});

describe('the method planck-ml', () => {
  const trace = (f: SpectralFrame, settings: Trace['settings'] = {}): Trace => ({
    columns: { wavelength: { unit: 'm', data: Float64Array.from(f.wavelength) }, counts: { unit: '1', data: Float64Array.from(f.counts) } },
    shape: [f.rows, f.columns],
    begin: 0,
    end: (f.exposure ?? 1) * 1e6,
    settings,
  });
  const reading = (m: Measured<'trace'>): Reading<'trace'> => ({
    ...m,
    from: 'us.spectrum',
    kind: 'trace',
    t: 5,
    seq: 0,
    origin: 'simulator',
  });
  const params = planckMl.params.parse({
    window: ['620 nm', '880 nm'],
    rows: [1, 2],
    calibration: { lamp: trace(lamp.frame), temperature: '2255 K' },
    gain: 1,
    read_noise: 3,
    s_lamp: '10 K',
    s_slope: '2 %',
  });
  if (params instanceof Refused) throw new Error(params.why);
  const step = (m: Measured<'trace'>): Readonly<Record<string, unknown>> =>
    planckMl.step(planckMl.start(params), { spectrum: reading(m) }, params)[1];

  test('gives a temperature with random and shared parts', () => {
    const got = step({ quality: 'good', value: trace(frame(1873.25, 0.45, 4, { exposure: 0.5 })) });
    expect(got.temperature).toMatchObject({ quality: 'good', value: expect.closeTo(1873.25, 5) });
    const { sigma } = got.temperature as { sigma: { random: number; shared: Record<string, number> } };
    expect(Object.keys(sigma.shared)).toEqual(['lamp', 'window', 'emissivity', 'reproducibility']);
    expect(sigma.shared.lamp).toBeCloseTo((1873.25 / 2255) ** 2 * 10, 5);
    expect(sigma.shared.emissivity).toBeLessThan(0);
    expect(got.factor).toMatchObject({ value: expect.closeTo(0.45, 8) });
    expect(got.chi2).toMatchObject({ quality: 'good' });
    expect(Object.keys(got)).toEqual(Object.keys(planckMl.outputs));
  });
  test('is pure: the same spectrum gives the same values to the last bit', () => {
    const spectrum = { quality: 'good' as const, value: trace(frame(2100, 0.3, 4)) };
    expect(step(spectrum)).toEqual(step(spectrum));
  });
  test('a bad, empty or faint spectrum gives bad outputs with the reason', () => {
    expect(step(bad('camera is off')).temperature).toEqual({ quality: 'bad', why: 'camera is off' });
    expect(step({ quality: 'good', value: { ...trace(frame(1800, 1, 4)), columns: {} } }).wien).toMatchObject({
      quality: 'bad',
      why: expect.stringContaining('columns'),
    });
    expect(step({ quality: 'good', value: trace(frame(500, 0.1, 4)) }).factor).toMatchObject({
      quality: 'bad',
      why: expect.stringContaining('no temperature'),
    });
  });
  test.each([
    [{ windw: [1, 2] }, 'no parameter "windw"'],
    [{ window: ['900 nm', '600 nm'] }, 'window: must rise'],
    [{ window: ['600 K', '900 K'] }, 'not in m'],
    [{ rows: [1.5, 2] }, 'whole numbers'],
    [{ mode: 'best' }, 'mode: must be one of ml, trax'],
    [{ calibration: 'automatic' }, 'calibration: must name'],
    [{ calibration: { lamp: 3, temperature: '2255 K' } }, 'calibration: lamp: is no spectrum'],
    [{ calibration: { lamp: trace(lamp.frame) } }, 'either radiance or temperature'],
    [{ calibration: { lamp: { path: 'x', sha256: '', bytes: new Uint8Array(3) }, temperature: '2255 K' } }, 'PROTO_SPE_INCOMPLETE'],
    [{ gain: 0 }, 'above zero'],
    [{ s_lamp: '10 nm' }, 'is in m, not in K'],
    [{ window: [620, 880] }, 'window: 620 has no unit'],
    [{ s_slope: 0.02 }, 'taken'],
    [
      { calibration: { lamp: trace(lamp.frame), temperature: '2255 K +- 10 K' } },
      'has an uncertainty, and none is taken here; of a lamp it is s_lamp',
    ],
    [7, 'name: value'],
  ])('%j is refused with a sentence', (yaml, sentence) => {
    const got = planckMl.params.parse(yaml);
    expect(got instanceof Refused ? got.why : 'taken').toContain(sentence);
  });
  test('files come as their bytes', () => {
    const bytes = new TextEncoder().encode(`# lamp\n${[...axis].map((l) => `${l * 1e9} ${spectralRadiance(l, 2255)}`).join('\n')}`);
    const counts = new TextEncoder().encode([...axis].map((l, i) => `${l * 1e9},${lamp.frame.counts[i]}`).join('\n'));
    const got = planckMl.params.parse({
      calibration: { lamp: { path: 'a', sha256: '0', bytes: counts }, radiance: { path: 'b', sha256: '1', bytes } },
      emissivity: 0.35,
    });
    if (got instanceof Refused) throw new Error(got.why);
    const one = { ...frame(1900, 1, 1), path: {} };
    const [, values] = planckMl.step(planckMl.start(got), { spectrum: reading({ quality: 'good', value: trace(one) }) }, got);
    expect(values.temperature).toMatchObject({ value: expect.closeTo(1900, 4) });
  });
});

test('a hit in a dark spectrum is no temperature', () => {
  const dark = frame(300, 1, 4);
  const counts = Float64Array.from(dark.counts, (n, i) => n + (i % COLUMNS >= 60 && i % COLUMNS < 64 ? 3000 : 2 * Math.sin(7 * i)));
  const got = measureTemperature({ ...dark, counts }, { calibration: lamp });
  expect('refused' in got ? [got.code, got.refused] : got.temperature).toEqual([
    'low-signal',
    expect.stringMatching(/^no temperature: \d+ K with an error of \d+ K says nothing$/),
  ]);
});
