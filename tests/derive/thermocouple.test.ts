import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  seebeck,
  THERMOCOUPLES,
  thermocouple,
  thermocoupleRange,
  thermocoupleTemperature,
  thermocoupleVoltage,
} from '../../src/derive/thermocouple.ts';

const path = resolve(import.meta.dirname, '../../../shared/golden/thermocouple.json');
const golden = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
const kelvin = (celsius: number): number => celsius + 273.15;

describe.skipIf(!golden)(`golden thermocouples${golden ? '' : ' (skipped: ../shared/golden is not there)'}`, () => {
  test.each(THERMOCOUPLES)('type %s both ways', (type) => {
    expect(golden.forward[type].length).toBeGreaterThan(5);
    for (const [t, mv] of golden.forward[type]) {
      expect(Math.abs(thermocoupleVoltage(type, kelvin(t)) * 1e3 - mv)).toBeLessThan(1e-9);
    }
    expect(golden.inverse[type].length).toBeGreaterThan(2);
    for (const [mv, t] of golden.inverse[type]) {
      expect(Math.abs(thermocoupleTemperature(type, mv / 1e3) - kelvin(t))).toBeLessThan(1e-6);
    }
  });

  test('cold junction', () => {
    for (const [type, cold, hot, mv] of golden.cold_junction) {
      const got = thermocouple(type, { value: mv / 1e3 }, { value: kelvin(cold) });
      expect(typeof got === 'string' ? got : got.temperature).toBeCloseTo(kelvin(hot), 6);
    }
  });
});

test('published table values (NIST Monograph 175)', () => {
  // Printed to 1 uV.
  for (const [type, t, mv] of [
    ['K', -200, -5.891],
    ['K', 1000, 41.276],
    ['S', 1000, 9.587],
    ['R', 1500, 17.451],
    ['B', 1800, 13.591],
  ] as const) {
    expect(thermocoupleVoltage(type, kelvin(t)) * 1e3).toBeCloseTo(mv, 3);
  }
});

test.each(THERMOCOUPLES)('type %s: the inverse undoes the table, and the slope is its derivative', (type) => {
  const [low, high] = thermocoupleRange(type);
  fc.assert(
    fc.property(fc.double({ min: type === 'B' ? 330 : low + 5, max: high - 1, noNaN: true }), (t) => {
      expect(Math.abs(thermocoupleTemperature(type, thermocoupleVoltage(type, t)) - t)).toBeLessThan(1e-5);
    }),
  );
  for (const t of [400.3, 900.1, 1200.7]) {
    const numeric = (thermocoupleVoltage(type, t + 0.01) - thermocoupleVoltage(type, t - 0.01)) / 0.02;
    expect(seebeck(type, t) / numeric).toBeCloseTo(1, 6);
  }
});

test('the bar holds voltage, cold junction and class, each with its own slope', () => {
  const hot = 1100;
  const volts = thermocoupleVoltage('S', hot) - thermocoupleVoltage('S', 296);
  const got = thermocouple(
    'S',
    { value: volts, sigma: { random: 1e-6 } },
    { value: 296, sigma: { random: 0.1, shared: { board: 0.5 } } },
    0.8,
  );
  if (typeof got === 'string') throw new Error(got);
  expect(got.temperature).toBeCloseTo(hot, 6);
  const ratio = seebeck('S', 296) / seebeck('S', hot);
  expect(got.sigma?.random).toBeCloseTo(Math.hypot(1e-6 / seebeck('S', hot), 0.1 * ratio), 9);
  expect(got.sigma?.shared?.board).toBeCloseTo(0.5 * ratio, 9);
  expect(got.sigma?.shared?.thermocouple).toBe(0.8);
});

test('what no thermocouple of the type can give is told, not extrapolated', () => {
  expect(thermocouple('K', { value: 0.06 }, { value: 296 })).toMatch(
    /60.000 mV is outside of what type K gives from 3.15 to 1645.15 K.*open, reversed/,
  );
  expect(thermocouple('K', { value: -0.009 }, { value: 296 })).toMatch(/outside of what type K/);
  expect(thermocouple('K', { value: Number.NaN }, { value: 296 })).toMatch(/outside/);
  expect(thermocouple('B', { value: 0.001 }, { value: 200 })).toMatch(/cold junction at 200.0 K is outside of the table of type B/);
  expect(thermocoupleVoltage('C', 3000)).toBeNaN();
  expect(thermocouple('B', { value: 0 }, { value: 303.15 })).toMatchObject({ suspect: expect.stringContaining('below 50 degC') });
});
