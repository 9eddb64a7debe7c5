import { describe, expect, test } from 'vitest';
import type { Derivation } from '../../src/derive/derivation.ts';
import { ramanLine } from '../../src/derive/diamond-scales.ts';
import { diamondEdge, pressureScale, ruby, samarium, thermalMethod } from '../../src/derive/pressure-methods.ts';
import { thermocoupleMethod } from '../../src/derive/thermocouple-method.ts';
import { graph, type Input, type NodeSpec } from '../../src/graph.ts';
import { Refused } from '../../src/instrument.ts';
import { methods } from '../../src/methods.ts';
import { bad, type Kind, type Measured, type Reading, type Trace } from '../../src/reading.ts';
import { quantity } from '../../src/units.ts';
import { edgeOf, even, lines, poisson, R1, R2, uniform } from './pressure-spectra.ts';

const axis = even(686, 704, 400);
const trace = (nm: Float64Array, counts: Float64Array, settings: Trace['settings'] = { gain: 1 }): Trace => ({
  columns: { wavelength: { unit: 'm', data: nm.map((l) => l / 1e9) }, counts: { unit: '1', data: counts } },
  shape: [counts.length],
  begin: 0,
  end: 1e6,
  settings,
});
let seq = 0;
const reading = (from: string, kind: Kind, m: Measured<Kind>, t = 1): Reading =>
  ({ ...m, from, kind, t, seq: seq++, origin: 'simulator' }) as Reading; // of its kind
const good = (value: number | Trace, random?: number): Measured<Kind> => ({
  quality: 'good',
  value,
  ...(random === undefined ? {} : { sigma: { random } }),
});

// biome-ignore lint/suspicious/noExplicitAny: methods of different inputs and parameters are run in one way
type AnyMethod = Derivation<any, any, any, any>;
function made(
  method: AnyMethod,
  yaml: unknown,
  inputs: Readonly<Record<string, string>>,
  readings: readonly Reading[],
): Readonly<Record<string, Reading>> {
  const params: unknown = method.params.parse(yaml);
  if (params instanceof Refused) throw new Error(params.why);
  const node: NodeSpec = {
    name: 'p',
    derivation: method,
    inputs: Object.fromEntries(Object.entries(inputs).map(([name, from]): [string, Input] => [name, { from, pair: 'last', within: 10 }])),
    params,
    parametersId: 'x',
  };
  const run = graph([node]);
  return Object.fromEntries(readings.flatMap(run).map((r) => [r.from.slice(2), r]));
}
const value = (r: Reading | undefined): number => (r && r.quality !== 'bad' && typeof r.value === 'number' ? r.value : Number.NaN);
const shown = (r: Reading | undefined): string => (r?.quality === 'good' ? 'good' : `${r?.quality}: ${r?.why}`);

const random = uniform(11);
const counts = lines(axis, [R1, R2]).map((m) => poisson(m, random));
const spectrum = reading('spec.spectrum', 'trace', good(trace(axis, counts)), 5);

describe('ruby', () => {
  test('without a temperature: the pressure and, for itself, the line with its bar', () => {
    const got = made(ruby, { reference: '694.25 nm +- 0.01 nm' }, { spectrum: 'spec.spectrum' }, [spectrum]);
    expect(Object.keys(got).sort()).toEqual(['chi2', 'line', 'pressure', 'ratio', 'second_line', 'split', 'width']);
    expect(value(got.line) * 1e9).toBeCloseTo(695.1234, 2);
    expect(got.line).toMatchObject({ quality: 'good', kind: 'm', t: 5, sigma: { random: expect.any(Number) } });
    expect(value(got.pressure) / 1e9).toBeCloseTo(2.36, 1);
    const sigma = got.pressure?.quality === 'good' ? got.pressure.sigma : undefined;
    expect(Object.keys(sigma?.shared ?? {}).sort()).toEqual(['ruby2020_a', 'ruby2020_c', 'ruby_reference']);
    expect(sigma?.random).toBeGreaterThan(0);
    expect(value(got.split) * 1e9).toBeCloseTo(1.44, 1);
  });

  test('with a paired temperature the pressure falls and its bar grows; the line stays as it was', () => {
    const plain = made(ruby, {}, { spectrum: 'spec.spectrum' }, [spectrum]);
    const hot = made(ruby, {}, { spectrum: 'spec.spectrum', temperature: 'oven.t' }, [reading('oven.t', 'K', good(346, 2), 4), spectrum]);
    expect(hot.line).toMatchObject({ value: value(plain.line) });
    expect(value(hot.shift) * 1e9).toBeCloseTo(0.00746 * 50 - 3.01e-6 * 2500 + 8.76e-9 * 125_000, 9);
    expect(value(plain.pressure) - value(hot.pressure)).toBeGreaterThan(0.9e9);
    const bar = (r: Reading | undefined): number => (r && r.quality !== 'bad' ? (r.sigma?.random ?? 0) : 0);
    expect(bar(hot.pressure)).toBeCloseTo(Math.hypot(bar(plain.pressure), 2 * 0.0072 * 2.71e9), -7);
    const fixed = made(ruby, { assumed_temperature: '346 K +- 2 K' }, { spectrum: 'spec.spectrum' }, [spectrum]);
    expect(value(fixed.pressure)).toBe(value(hot.pressure));
  });

  test('any scale can be applied to the line afterwards, and gives the same', () => {
    const first = made(ruby, { scale: 'mao1986', reference: '694.3 nm' }, { spectrum: 'spec.spectrum' }, [spectrum]);
    const line = first.line;
    if (!line) throw new Error('no line');
    const again = made(pressureScale, { gauge: 'ruby', scale: 'mao1986', reference: '694.3 nm' }, { line: 'p.line' }, [line]);
    expect(again.pressure).toMatchObject({ value: value(first.pressure) });
    const other = made(pressureScale, { gauge: 'ruby', scale: 'dewaele2008', reference: '694.3 nm' }, { line: 'p.line' }, [line]);
    expect(value(other.pressure)).not.toBe(value(first.pressure));
  });

  test('outside of the scale the pressure is suspect and says the range; the line is good', () => {
    const far = lines(even(715, 745, 600), [
      { ...R1, centre: 738 },
      { ...R2, centre: 736.5 },
    ]);
    const got = made(ruby, {}, { spectrum: 's.s' }, [reading('s.s', 'trace', good(trace(even(715, 745, 600), far)))]);
    expect(shown(got.pressure)).toMatch(/^suspect: 159\.\d GPa is outside of the scale ruby2020, which holds from 0 to 150 GPa$/);
    expect(shown(got.line)).toBe('good');
  });

  test('a refusal is the reason of every output', () => {
    const got = made(ruby, {}, { spectrum: 's.s' }, [reading('s.s', 'trace', good(trace(axis, lines(axis, [R1]))))]);
    for (const name of Object.keys(ruby.outputs)) expect(shown(got[name])).toMatch(/^bad: only one line stands out/);
    const lost = made(ruby, {}, { spectrum: 's.s' }, [reading('s.s', 'trace', bad('no answer'))]);
    expect(shown(lost.line)).toBe('bad: s.s: no answer');
    const odd = { ...trace(axis, counts), columns: { counts: { unit: '1', data: counts } } } as Trace;
    expect(shown(made(ruby, {}, { spectrum: 's.s' }, [reading('s.s', 'trace', good(odd))]).line)).toMatch(/needs the columns/);
  });

  test('a suspect fit makes line and pressure suspect', () => {
    const hit = counts.slice();
    hit[100] = 90_000;
    const got = made(ruby, {}, { spectrum: 's.s' }, [reading('s.s', 'trace', good(trace(axis, hit)))]);
    expect(shown(got.line)).toBe('suspect: 1 px hot pixel');
    expect(shown(got.pressure)).toBe('suspect: 1 px hot pixel');
  });
});

test('samarium hardly minds the temperature', () => {
  const nm = even(680, 700, 500);
  const s = reading('s.s', 'trace', good(trace(nm, lines(nm, [{ area: 4000, centre: 690.51, hwhm: 0.12, lorentz: 0.7 }]))), 5);
  const cold = made(samarium, {}, { spectrum: 's.s' }, [s]);
  const hot = made(samarium, {}, { spectrum: 's.s', temperature: 'oven.t' }, [reading('oven.t', 'K', good(500, 5), 4), s]);
  expect(value(cold.line) * 1e9).toBeCloseTo(690.51, 6);
  expect(value(cold.pressure) / 1e9).toBeCloseTo(19.575, 2);
  expect(value(cold.pressure) - value(hot.pressure)).toBeLessThan(0.7e9);
  expect(value(hot.shift) * 1e9).toBeCloseTo(0.1543, 3);
});

test('diamond edge: windows in shifts or in lengths', () => {
  const laser = 532e-9;
  const nm = even(ramanLine(laser, 120_000) * 1e9, ramanLine(laser, 190_000) * 1e9, 1000);
  const s = reading(
    's.s',
    'trace',
    good(
      trace(
        nm,
        edgeOf(nm, laser, 1550, 12, 20_000, 4000).map((m) => poisson(m, random)),
      ),
    ),
  );
  const got = made(
    diamondEdge,
    { laser: '532 nm', window: ['1350 1/cm', '1880 1/cm'], reference: '1334 +- 0.5 1/cm' },
    { spectrum: 's.s' },
    [s],
  );
  expect(value(got.pressure) / 1e9).toBeGreaterThan(106);
  expect(value(got.pressure) / 1e9).toBeLessThan(111);
  const sigma = got.pressure?.quality === 'good' ? got.pressure.sigma : undefined;
  expect(Object.keys(sigma?.shared ?? {}).sort()).toEqual(['akahama2006_k0', 'akahama2006_k0_prime', 'diamond_reference', 'smoothing']);
  const same = made(
    diamondEdge,
    { laser: '532 nm', window: [`${ramanLine(laser, 135_000) * 1e9} nm`, `${ramanLine(laser, 188_000) * 1e9} nm`] },
    { spectrum: 's.s' },
    [s],
  );
  expect(value(same.pressure)).toBeCloseTo(value(got.pressure), -3);
  const line = got.line;
  if (!line) throw new Error('no line');
  const again = made(pressureScale, { gauge: 'diamond-edge', laser: '532 nm' }, { line: 'p.line' }, [line]);
  expect(value(again.pressure) / value(got.pressure)).toBeCloseTo(1, 9);
});

test('thermal pressure: cold, correction and both, three outputs', () => {
  const got = made(thermalMethod, { f: 0.5, alpha_k: '2 MPa/K', weight: 1 }, { pressure: 'p.p', temperature: 't.t' }, [
    reading('t.t', 'K', good(2300, 20)),
    reading('p.p', 'Pa', good(40e9, 1e8)),
  ]);
  expect(value(got.cold)).toBe(40e9);
  expect(value(got.thermal)).toBe(2e9);
  expect(value(got.pressure)).toBe(42e9);
  expect(got.pressure).toMatchObject({ sigma: { shared: { thermal_pressure: 1e9 } } });
});

test('a thermocouple with a measured, a fixed and no cold junction', () => {
  const volts = reading('m.v', 'V', good(0.0343776453714994, 1e-6));
  const measured = made(thermocoupleMethod, { type: 'K' }, { voltage: 'm.v', cold_junction: 'b.t' }, [
    reading('b.t', 'K', good(23.4 + 273.15, 0.1)),
    volts,
  ]);
  expect(value(measured.temperature)).toBeCloseTo(850 + 273.15, 5);
  const fixed = made(thermocoupleMethod, { type: 'K', junction: '23.4 degC +- 0.5 degC' }, { voltage: 'm.v' }, [volts]);
  expect(value(fixed.temperature)).toBeCloseTo(850 + 273.15, 5);
  expect(fixed.temperature).toMatchObject({ sigma: { shared: { cold_junction: expect.closeTo(0.47, 1) } } });
  expect(shown(made(thermocoupleMethod, { type: 'K' }, { voltage: 'm.v' }, [volts]).temperature)).toMatch(
    /^bad: the cold junction is not known/,
  );
  const open = made(thermocoupleMethod, { type: 'S', junction: '23 degC' }, { voltage: 'm.v' }, [volts]);
  expect(shown(open.temperature)).toMatch(/^bad: 34.378 mV is outside of what type S gives/);
});

describe('parameters are refused in words', () => {
  const why = (method: AnyMethod, yaml: unknown): string => {
    const got: unknown = method.params.parse(yaml);
    return got instanceof Refused ? got.why : 'taken';
  };
  test.each([
    [ruby, { scale: 'mao2020' }, 'scale: there is no scale "mao2020"; there are ruby2020, dewaele2008'],
    [ruby, { scale: 'Mao-1986', correction: 'ragan1992' }, 'taken'],
    [ruby, { reference: '694 K' }, 'reference: "694 K" is in K, not in m; write it like 694.25 nm +- 0.01 nm'],
    [ruby, { reference: 694.25 }, 'reference: 694.25 has no unit; write it like 694.25 nm +- 0.01 nm'],
    [ruby, { gain: 2 }, 'taken'],
    [ruby, { reference: '-694 nm' }, 'reference: must be above zero'],
    [ruby, { window: ['700 nm', '690 nm'] }, 'window: must rise'],
    [ruby, { window: '700 nm' }, 'window: must be a pair such as'],
    [ruby, { rows: [3.5, 7] }, 'rows: rows are whole numbers from 0'],
    [ruby, { rows: [7, 7] }, 'taken'],
    [ruby, { temprature: 3 }, 'there is no option "temprature"; known are window, rows'],
    [ruby, { weights: 'data' }, 'weights: must be one of poisson, none'],
    [ruby, { dark: 'dark.spe' }, 'dark: is no spectrum'],
    [ruby, { gain: '2 +- 1' }, 'gain: takes no uncertainty'],
    [samarium, { assumed_temperature: '300 m' }, 'assumed_temperature: "300 m" is in m, not in K'],
    [diamondEdge, {}, 'laser: is needed: such as 532 nm'],
    [diamondEdge, { laser: '532 nm', window: ['1340', '1800'] }, 'window: must be a Raman shift such as 1334 1/cm'],
    [diamondEdge, { laser: '532 nm', reference: '1334 nm' }, 'reference: must be a Raman shift such as 1334 +- 0.5 1/cm'],
    [pressureScale, {}, 'gauge: must be one of ruby, samarium, diamond-edge'],
    [pressureScale, { gauge: 'ruby', laser: '532 nm' }, 'there is no option "laser"'],
    [thermalMethod, { f: 1.2 }, 'f: must be a number from 0 to 1, not 1.2'],
    [thermalMethod, { alpha_k: '2.2 GPa' }, 'taken'],
    [thermocoupleMethod, {}, 'type: must be one of K, S, R, B, C'],
    [thermocoupleMethod, { type: 'K', tolerance: '1 V' }, 'tolerance: "1 V" is in V, not in K'],
  ] as const)('%#', (method, yaml, wanted) => {
    expect(why(method, yaml)).toContain(wanted);
  });
});

test('an uncertainty in the unit of its number, written once, twice or bare', () => {
  expect(quantity('711 +- 11')).toEqual({ value: 711, sigma: 11, unit: '1' });
  expect(quantity('735 +- 0.005')).toEqual({ value: 735, sigma: 0.005, unit: '1' });
  expect(quantity('3 1/s +- 1 1/s')).toEqual({ value: 3, sigma: 1, unit: '1/s' });
  expect(quantity('694.25 nm ± 0.01 nm')).toMatchObject({ sigma: 0.01 / 1e9, unit: 'm' });
  expect(quantity('12 +- 1 um')).toMatchObject({ value: 12e-6, sigma: 1e-6 });
});

test('all are methods that a rig can name', () => {
  for (const method of [ruby, samarium, diamondEdge, pressureScale, thermalMethod, thermocoupleMethod]) {
    expect(methods.get(method.method)).toBe(method);
    for (const text of Object.values(method.params.fields)) expect(text.length).toBeGreaterThan(5);
  }
});
