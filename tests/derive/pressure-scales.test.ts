import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  DIAMOND_SCALES,
  diamondEdgeAt,
  diamondGauge,
  diamondReference,
  diamondScale,
  ramanLine,
  ramanShift,
} from '../../src/derive/diamond-scales.ts';
import { carried, type Known, nanometres } from '../../src/derive/gauge.ts';
import { CORRECTIONS, type RubyGauge, rubyGauge, rubyLineAt, rubyReference, rubyShift } from '../../src/derive/ruby.ts';
import { RUBY_SCALES, type RubyScale, rubyLine, rubyPressure, rubyScale, rubySlopes } from '../../src/derive/ruby-scales.ts';
import {
  SAMARIUM_SCALES,
  samariumGauge,
  samariumLineAt,
  samariumReference,
  samariumScale,
  samariumShift,
} from '../../src/derive/samarium.ts';
import { thermalPressure } from '../../src/derive/thermal-pressure.ts';
import { total } from '../../src/reading.ts';

const path = resolve(import.meta.dirname, '../../../shared/golden/pressure.json');
const golden = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
const GOLDEN = `golden${golden ? '' : ' (skipped: ../shared/golden is not there)'}`;

const nm = (value: number): number => value / 1e9;
const relative = (got: number, wanted: number): number => (wanted === 0 ? Math.abs(got) : Math.abs(got / wanted - 1));
function need<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('not there');
  return value;
}
const ruby2020 = need(rubyScale('ruby2020'));
const gauge = (more: Partial<RubyGauge> = {}): RubyGauge => ({
  scale: ruby2020,
  reference: rubyReference(nm(694.25)),
  correction: 'datchi2007',
  ...more,
});
const exactly = (value: number, random?: number): Known => ({ value, ...(random === undefined ? {} : { sigma: { random } }) });

describe.skipIf(!golden)(`ruby, ${GOLDEN}`, () => {
  test('every scale at every wavelength', () => {
    const { columns, rows, lambda0 } = golden.ruby_P_of_lambda;
    expect(columns.length).toBe(RUBY_SCALES.length + 1);
    for (const row of rows) {
      columns.slice(1).forEach((name: string, i: number) => {
        const got = rubyPressure(need(rubyScale(name)), nm(Number(row[0])), nm(lambda0)) / 1e9;
        expect(relative(got, row[i + 1]), `${name} at ${row[0]}`).toBeLessThan(1e-12);
      });
    }
  });

  test('constants and ranges', () => {
    for (const [name, wanted] of Object.entries<Record<string, string | number[]>>(golden.scales)) {
      const scale = need(rubyScale(name));
      expect(scale.range).toEqual(wanted.range_GPa);
      const got: Record<string, unknown> = { ...scale };
      for (const [theirs, ours] of [
        ['A', 'a'],
        ['B', 'b'],
        ['C', 'c'],
        ['K', 'k'],
        ['sA', 'sa'],
        ['sB', 'sb'],
        ['sC', 'sc'],
        ['sK', 'sk'],
      ] as const) {
        expect(got[ours], `${name} ${theirs}`).toBe(wanted[theirs] === undefined ? undefined : Number(wanted[theirs]));
      }
      expect(scale.proven === 'unverified').toBe(String(wanted.status).includes('unverified'));
    }
  });

  test('the way back', () => {
    const { columns, rows, lambda0 } = golden.ruby_lambda_of_P;
    for (const row of rows) {
      columns.slice(1).forEach((column: string, i: number) => {
        const scale = need(rubyScale(column.replace('lambda_', '')));
        expect(relative(rubyLine(scale, row[0] * 1e9, nm(lambda0)) * 1e9, row[i + 1])).toBeLessThan(1e-12);
      });
    }
  });

  test('shifts with temperature', () => {
    for (const [t, hot, cold, ragan, vos] of golden.ruby_T_shift.rows) {
      expect(rubyShift('datchi2007', t) * 1e9).toBeCloseTo(t >= 296 ? hot : cold, 12);
      expect(rubyShift('ragan1992', t) * 1e9).toBeCloseTo(ragan, 10);
      expect(CORRECTIONS.vos1991.at(t)).toBeCloseTo(vos, 12);
    }
  });

  test('pressures of hot rubies', () => {
    const { rows, lambda0 } = golden.ruby_P_with_T;
    for (const [line, t, shen, dewaele] of rows) {
      const at = (scale: RubyScale): number =>
        rubyGauge({ value: nm(line) }, gauge({ scale, reference: rubyReference(nm(lambda0)) }), { value: t }).pressure / 1e9;
      expect(relative(at(ruby2020), shen)).toBeLessThan(1e-12);
      expect(relative(at(need(rubyScale('dewaele2008'))), dewaele)).toBeLessThan(1e-12);
    }
  });

  test('as T-Rax says it', () => {
    const { rows, lambda0, T0, scale } = golden.trax_ruby_P;
    for (const [line, t, wanted] of rows) {
      const trax = gauge({
        scale: need(rubyScale(scale)),
        reference: rubyReference(nm(lambda0)),
        correction: 'trax',
        referenceTemperature: T0,
      });
      const got = rubyGauge({ value: nm(line) }, trax, { value: t });
      expect(relative(got.pressure / 1e9, wanted)).toBeLessThan(1e-12);
      expect(relative(rubyLineAt(got.pressure, trax, t), nm(line))).toBeLessThan(1e-12);
    }
  });

  test('the error budget, term by term', () => {
    const { rows, lambda0 } = golden.ruby_error_budget_shen2020;
    for (const [line, sl, sl0, t, st, p, dLine, dReference, dA, dC, dT, all] of rows) {
      const got = rubyGauge(exactly(nm(line), nm(sl)), gauge({ reference: rubyReference(nm(lambda0), nm(sl0)) }), {
        value: t,
        sigma: { random: 0, shared: { temperature: st } },
      });
      const shared = got.sigma.shared ?? {};
      expect(relative(got.pressure / 1e9, p)).toBeLessThan(1e-12);
      for (const [term, wanted] of [
        [got.sigma.random, dLine],
        [shared.ruby_reference, dReference],
        [shared.ruby2020_a, dA],
        [shared.ruby2020_c, dC],
        [shared.temperature, dT],
        [total(got.sigma), all],
      ]) {
        expect(relative(Math.abs(need(term)) / 1e9, wanted)).toBeLessThan(1e-6);
      }
    }
  });
});

describe('ruby', () => {
  test('numbers in print: 700, 710, 725 nm', () => {
    for (const [line, shen, dewaele] of [
      [700, 16.21, 16.481],
      [710, 47.84, 48.07],
      [725, 103.48, 103.22],
    ] as const) {
      expect(rubyPressure(ruby2020, nm(line), nm(694.25)) / 1e9).toBeCloseTo(shen, 2);
      expect(rubyPressure(need(rubyScale('dewaele2008')), nm(line), nm(694.25)) / 1e9).toBeCloseTo(dewaele, 2);
    }
  });

  test.each(RUBY_SCALES)('$name: back and forth, and the slopes are derivatives', (scale) => {
    fc.assert(
      fc.property(fc.double({ min: 690, max: 745, noNaN: true }), fc.double({ min: 693.5, max: 695, noNaN: true }), (line, reference) => {
        const p = rubyPressure(scale, nm(line), nm(reference));
        expect(rubyLine(scale, p, nm(reference)) * 1e9).toBeCloseTo(line, 10);
        const slopes = rubySlopes(scale, nm(line), nm(reference));
        const h = 1e-13;
        const numeric = (rubyPressure(scale, nm(line) + h, nm(reference)) - rubyPressure(scale, nm(line) - h, nm(reference))) / (2 * h);
        expect(relative(slopes.line, numeric)).toBeLessThan(1e-5);
        const other = (rubyPressure(scale, nm(line), nm(reference) + h) - rubyPressure(scale, nm(line), nm(reference) - h)) / (2 * h);
        expect(relative(slopes.reference, other)).toBeLessThan(1e-5);
      }),
      { numRuns: 30 },
    );
    // Each constant, moved by one sigma of its own.
    for (const [letter, size] of Object.entries(scale).filter(([key, v]) => key.startsWith('s') && typeof v === 'number')) {
      const key = letter.slice(1);
      const moved = (by: number): number =>
        rubyPressure(
          { ...scale, [key]: Number(Object.entries(scale).find(([k]) => k === key)?.[1]) + by * Number(size) },
          nm(720),
          nm(694.25),
        );
      const got = carried(rubySlopes(scale, nm(720), nm(694.25)).constants).shared?.[`${scale.name}_${key}`];
      expect(relative(need(got), (moved(0.01) - moved(-0.01)) / 0.02)).toBeLessThan(1e-5);
    }
  });

  test('the cold branch is taken below 296 K', () => {
    const cold = rubyGauge({ value: nm(694.25 - 0.8840351232) }, gauge(), { value: 80 });
    expect(cold.pressure / 1e9).toBeCloseTo(0, 9);
    expect(cold.notes.join()).toContain('below 296 K are unverified');
    expect(rubyShift('datchi2007', 295.999) * 1e9).toBeCloseTo(rubyShift('datchi2007', 296.001) * 1e9, 4);
  });

  test.each(['datchi2007', 'ragan1992', 'vos1991', 'trax'] as const)(
    '%s: the temperature term is the derivative, back and forth',
    (correction) => {
      for (const t of [120, 296.5, 480]) {
        const one = gauge({ correction });
        const at = (kelvin: number): number => rubyGauge({ value: nm(705) }, one, { value: kelvin }).pressure;
        const term = rubyGauge({ value: nm(705) }, one, { value: t, sigma: { random: 0, shared: { oven: 1 } } }).sigma.shared?.oven;
        expect(relative(need(term), (at(t + 0.01) - at(t - 0.01)) / 0.02)).toBeLessThan(1e-4);
        expect(rubyLineAt(at(t), one, t) * 1e9).toBeCloseTo(705, 9);
      }
    },
  );

  test('outside of ranges there are doubts with the range in words', () => {
    const doubts = (line: number, name: string, t?: number): string =>
      rubyGauge({ value: nm(line) }, gauge({ scale: need(rubyScale(name)) }), t === undefined ? undefined : { value: t }).doubts.join('; ');
    expect(doubts(730, 'ruby2020')).toBe('');
    expect(doubts(737, 'ruby2020')).toMatch(/^155\.1 GPa is outside of the scale ruby2020, which holds from 0 to 150 GPa$/);
    expect(doubts(737, 'dewaele2008')).toBe('');
    expect(doubts(702, 'piermarini1975')).toContain('0 to 19.5 GPa');
    // The scatter of rubies around ambient is no doubt, half a GPa of tension is one.
    expect(doubts(694.22, 'ruby2020')).toBe('');
    expect(doubts(694.0, 'ruby2020')).toContain('outside');
    expect(doubts(720, 'ruby2020', 1000)).toBe('1000 K is outside of the temperature correction datchi2007, which holds from 50 to 900 K');
  });

  test('what the bar lacks is said', () => {
    const bare = rubyGauge({ value: nm(700) }, gauge({ scale: need(rubyScale('zha2000')) }));
    expect(bare.notes.join(' ')).toMatch(/temperature is not given.*reference term.*no scale term.*unverified/);
    const full = rubyGauge(exactly(nm(700), 1e-12), gauge({ reference: rubyReference(nm(694.25), 1e-11) }), exactly(300, 1));
    expect(full.notes).toEqual([]);
    expect(full.sigma.random).toBeCloseTo(Math.hypot(full.slope * 1e-12, full.slope * 0.00746e-9 * 0.997), -5);
  });
});

test('one cause adds with its sign, and cancels; random parts add in square', () => {
  const oven = (size: number): { random: number; shared: { oven: number } } => ({ random: 3, shared: { oven: size } });
  expect(
    carried([
      [2, oven(5)],
      [-1, oven(4)],
      [7, undefined],
    ]),
  ).toEqual({ random: Math.hypot(6, 3), shared: { oven: 6 } });
  expect(
    carried([
      [1, oven(4)],
      [-1, oven(4)],
    ]).shared,
  ).toEqual({});
});

test('the shortest decimal of a length', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 999_999_999 }), (n) => nanometres(n / 1e6 / 1e9) === n / 1e6));
});

describe.skipIf(!golden)(`samarium and diamond, ${GOLDEN}`, () => {
  test('SrB4O7:Sm', () => {
    const { columns, rows, T_rows } = golden.srb4o7;
    for (const row of rows) {
      columns.slice(1).forEach((name: string, i: number) => {
        const scale = need(samariumScale(name));
        expect(relative(scale.pressure(row[0]), row[i + 1])).toBeLessThan(1e-12);
        const got = samariumGauge({ value: scale.reference + nm(row[0]) }, scale, { value: scale.reference }).pressure / 1e9;
        expect(relative(got, row[i + 1])).toBeLessThan(3e-12);
      });
    }
    for (const [t, shift] of T_rows) expect(samariumShift(t) * 1e9).toBeCloseTo(shift, 13);
  });

  test('diamond edge', () => {
    for (const [edge, p1334, p1333, p2004, p2010] of golden.diamond_edge.rows) {
      const at = (name: string, v0: number): number =>
        diamondGauge({ value: edge * 100 }, need(diamondScale(name)), { value: v0 * 100 }).pressure / 1e9;
      expect(relative(at('akahama2006', 1334), p1334)).toBeLessThan(1e-12);
      expect(relative(at('akahama2006', 1333), p1333)).toBeLessThan(1e-12);
      expect(relative(at('akahama2004', 1334), p2004)).toBeLessThan(1e-10);
      expect(relative(at('akahama2010', 1334), p2010)).toBeLessThan(1e-10);
    }
    for (const [edge, sigma] of golden.diamond_edge.sigma_2006_from_K0_K0p) {
      const got = diamondGauge({ value: edge * 100 }, need(diamondScale('akahama2006')), diamondReference());
      expect(relative(total(got.sigma) / 1e9, sigma)).toBeLessThan(1e-9);
    }
  });

  test('Raman shifts', () => {
    for (const [laser, line, shift] of golden.raman_shift.rows)
      expect(relative(ramanShift(nm(laser), nm(line)) / 100, shift)).toBeLessThan(1e-12);
    for (const [laser, shift, line] of golden.raman_shift.inverse)
      expect(relative(ramanLine(nm(laser), shift * 100) * 1e9, line)).toBeLessThan(1e-12);
  });
});

describe('samarium and diamond', () => {
  test.each(SAMARIUM_SCALES)('samarium $name: back and forth, slopes, terms', (scale) => {
    for (const d of [-0.05, 0.2, 3, 12]) {
      const line = scale.reference + nm(d);
      const { pressure, slope } = samariumGauge({ value: line }, scale, { value: scale.reference });
      expect(samariumLineAt(pressure, scale) * 1e9).toBeCloseTo(line * 1e9, 8);
      const h = 1e-13;
      const at = (l: number): number => samariumGauge({ value: l }, scale, { value: scale.reference }).pressure;
      expect(relative(slope, (at(line + h) - at(line - h)) / (2 * h))).toBeLessThan(1e-5);
    }
    const hot = samariumGauge(exactly(nm(695), 1e-12), scale, samariumReference(scale.reference, 5e-12), {
      value: 600,
      sigma: { random: 0, shared: { oven: 10 } },
    });
    expect(hot.sigma.random).toBeCloseTo(hot.slope * 1e-12, 0);
    expect(hot.sigma.shared?.samarium_reference).toBeCloseTo(-hot.slope * 5e-12, 0);
    const at = (t: number): number => samariumGauge({ value: nm(695) }, scale, { value: scale.reference }, { value: t }).pressure;
    expect(relative(need(hot.sigma.shared?.oven), ((at(600.01) - at(599.99)) / 0.02) * 10)).toBeLessThan(1e-5);
    expect(hot.doubts).toEqual([]);
    expect(samariumLineAt(hot.pressure, scale, scale.reference, 600) * 1e9).toBeCloseTo(695, 8);
  });

  test('samarium outside of its ranges', () => {
    const scale = need(samariumScale('rashchenko2015'));
    expect(samariumGauge({ value: nm(715) }, scale, { value: scale.reference }).doubts.join()).toMatch(
      /outside of the scale rashchenko2015/,
    );
    expect(samariumGauge({ value: nm(690) }, scale, { value: scale.reference }, { value: 150 }).doubts.join()).toMatch(/150 K is outside/);
    expect(samariumLineAt(1e15, scale)).toBeNaN();
  });

  test.each(DIAMOND_SCALES)('diamond $name: back and forth, slopes', (scale) => {
    for (const v of [150_000, 170_000, 190_000]) {
      const at = (edge: number, v0 = 133_400): number => diamondGauge({ value: edge }, scale, { value: v0 }).pressure;
      const got = diamondGauge(exactly(v, 50), scale, diamondReference(133_400, 30));
      expect(got.sigma.random).toBeCloseTo(((at(v + 1) - at(v - 1)) / 2) * 50, -4);
      expect(got.sigma.shared?.diamond_reference ?? 0).toBeCloseTo(((at(v, 133_401) - at(v, 133_399)) / 2) * 30, -4);
      if (got.slope > 0) expect(diamondEdgeAt(got.pressure, scale)).toBeCloseTo(v, 4);
    }
    expect(diamondEdgeAt(1e15, scale)).toBeNaN();
  });

  test('the edge scale for the highest pressures is doubtful at low ones', () => {
    const got = diamondGauge({ value: 150_000 }, need(diamondScale('akahama2010')), diamondReference());
    expect(got.doubts.join()).toContain('200 to 410 GPa');
    expect(got.notes.join()).toContain('unverified');
  });
});

test('thermal pressure stands beside the cold one, with half of it as a term', () => {
  const got = thermalPressure(exactly(30e9, 2e8), { value: 2000, sigma: { random: 10, shared: { lamp: 20 } } }, 0.8);
  // Formula of the KCl medium: aK (T_med - 300), T_med = (3 T + 300)/4.
  expect(got.medium).toBe(1575);
  expect(got.thermal).toBeCloseTo(0.8 * 0.00224e9 * (1575 - 300), 3);
  expect(got.cold).toBe(30e9);
  expect(got.pressure).toBe(got.cold + got.thermal);
  expect(got.thermalSigma.shared?.thermal_pressure).toBeCloseTo(got.thermal / 2, 6);
  expect(got.sigma.random).toBeCloseTo(Math.hypot(2e8, 0.8 * 0.00224e9 * 0.75 * 10), 0);
  expect(got.sigma.shared?.lamp).toBeCloseTo(0.8 * 0.00224e9 * 0.75 * 20, 0);
});
