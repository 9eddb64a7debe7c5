import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Pairs } from '../../src/derive/coincidence.ts';
import { eventSpectra } from '../../src/derive/event-spectra.ts';
import { fill, histogram } from '../../src/derive/histogram.ts';
import { fitSeparation, type NoSeparation, type Separation } from '../../src/derive/pulse-shape.ts';
import { normal, uniform } from './hit-rows.ts';

const GOLDEN = resolve(import.meta.dirname, '../../../shared/golden/detector.json');
const AXIS = { low: 0, high: 0.5, bins: 250 };
const separated = (s: Separation | NoSeparation): Separation => {
  if ('refused' in s) throw new Error(s.refused);
  return s;
};

test.skipIf(!existsSync(GOLDEN))('golden pulses, mixed: the same figure of merit within its bar (skipped without ../shared)', () => {
  const { psd_fom: golden } = JSON.parse(readFileSync(GOLDEN, 'utf8'));
  const h = histogram(AXIS);
  for (const v of [...golden.gamma, ...golden.neutron]) fill(h, v);
  const got = separated(fitSeparation(h));
  expect(Math.abs(got.merit - golden.fom)).toBeLessThan(2 * got.meritSigma);
  expect(got.meritSigma).toBeLessThan(0.05);
  expect(Math.round(got.low.n + got.high.n)).toBe(800);
});

describe('two kinds of pulses', () => {
  const mixed = (gammas: number, neutrons: number, seed: number, apart = 0.1) => {
    const random = uniform(seed);
    const h = histogram(AXIS);
    for (let i = 0; i < gammas; i++) fill(h, 0.15 + 0.018 * normal(random));
    for (let i = 0; i < neutrons; i++) fill(h, 0.15 + apart + 0.024 * normal(random));
    return h;
  };

  test('are found without being told apart, with an honest bar, also where one of them is rare', () => {
    const truth = 0.1 / (2.354820045 * 0.042);
    for (const [gammas, neutrons] of [
      [3000, 3000],
      [5000, 400],
      [400, 5000],
    ] as const) {
      let pulls = 0;
      for (let seed = 0; seed < 40; seed++) {
        const got = separated(fitSeparation(mixed(gammas, neutrons, seed)));
        pulls += ((got.merit - truth) / got.meritSigma) ** 2 / 40;
        expect(Math.abs(got.low.mean - 0.15)).toBeLessThan(0.01);
        expect(Math.abs(got.low.n - gammas)).toBeLessThan(0.2 * gammas);
        expect(got.cut).toBeCloseTo(0.15 + (0.1 * 0.018) / 0.042, 1);
      }
      expect(pulls).toBeGreaterThan(0.5);
      expect(pulls).toBeLessThan(1.8);
    }
  });

  test('one kind alone, or too few, is no separation', () => {
    expect(fitSeparation(mixed(5000, 0, 1))).toEqual({ refused: 'one kind of pulse describes them as well as two' });
    expect(fitSeparation(mixed(50, 50, 1))).toEqual({ refused: '100 events: at least 200 are needed' });
  });
});

describe('spectra of events', () => {
  const events = (rows: readonly (readonly [energy: number, psd: number])[]) => ({
    count: rows.length,
    t: Float64Array.from(rows, (_, i) => i),
    energy: Float64Array.from(rows, ([e]) => e),
    psd: Float64Array.from(rows, ([, p]) => p),
  });

  test('separation of the last events, energy and plane of all', () => {
    const random = uniform(5);
    const s = eventSpectra({ energy: { low: 0, high: 10, bins: 10 }, psd: AXIS, separate: [0.3, 0.8], every: 1000 });
    const some = (sd: number) =>
      events(Array.from({ length: 1500 }, (_, i) => [i % 3 === 0 ? 5 : 0.5, (i % 2 === 0 ? 0.15 : 0.25) + sd * normal(random)] as const));
    expect(s.look(0, 1).separation).toBeUndefined();
    s.take(some(0.015));
    const before = separated(s.look(0, 1).separation ?? { refused: 'none' });
    s.take(some(0.03));
    const after = separated(s.look(0, 2).separation ?? { refused: 'none' });
    expect(before.merit).toBeGreaterThan(1.8 * after.merit);
    const look = s.look(0, 3);
    expect([...(look.energy.columns.counts?.data ?? [])]).toEqual([2000, 0, 0, 0, 0, 1000, 0, 0, 0, 0]);
    expect(look.plane.shape).toEqual([10, 250]);
  });

  test('prompt and delayed, off time taken off with its error', () => {
    const s = eventSpectra({ energy: { low: 0, high: 4, bins: 4 }, psd: AXIS, separate: [0, 1], windows: 4 });
    const rows = [
      [-1, 1.5, 0.5],
      [-1, 1.5, 0.5],
      [0, 1.5, 2.5],
      [3, 1.5, 0.5],
    ] as const;
    const zero = new Float64Array(4);
    const pairs: Pairs = {
      count: 4,
      window: Int16Array.from(rows, ([w]) => w),
      energyPrompt: Float64Array.from(rows, ([, e]) => e),
      energyDelayed: Float64Array.from(rows, ([, , e]) => e),
      tPrompt: zero,
      tDelayed: zero,
      psdPrompt: zero,
      psdDelayed: zero,
      x: zero,
      y: zero,
      z: zero,
      dx: zero,
      dy: zero,
      dz: zero,
      isolated: new Uint8Array(4),
      multiplicity: new Uint16Array(4),
    };
    s.takePairs(pairs);
    const { prompt, delayed } = s.look(0, 1);
    expect([...(prompt.columns.difference?.data ?? [])]).toEqual([0, 1.5, 0, 0]);
    expect(prompt.columns.sigma?.data[1]).toBeCloseTo(Math.sqrt(2 + 2 / 16), 12);
    expect([...(delayed.columns.difference?.data ?? [])]).toEqual([1.75, 0, -0.25, 0]);
    expect([...(delayed.columns.on?.data ?? [])]).toEqual([2, 0, 0, 0]);
  });
});
