import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dac } from '../../simulators/worlds/dac.ts';
import {
  type Detection,
  detect,
  detector,
  driveSine,
  enbw,
  external,
  lowPass,
  type Stages,
  sampled,
} from '../../simulators/worlds/lock-in.ts';
import { noiseBandwidth, settling } from '../../src/derive/lock-in.ts';

const TICK = 0.01;
const STAGES: readonly Stages[] = [1, 2, 3, 4];

describe('the low-pass stages', () => {
  test('are carried on alike in one step or in many', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 4, maxLength: 4 }),
        fc.double({ min: -5, max: 5, noNaN: true }),
        fc.double({ min: 1e-3, max: 8, noNaN: true }),
        fc.integer({ min: 2, max: 9 }),
        (start, input, part, n) => {
          const [once, often] = [[...start], [...start]];
          lowPass(once, input, part);
          for (let i = 0; i < n; i++) lowPass(often, input, part / n);
          for (const [k, v] of once.entries()) expect(often[k]).toBeCloseTo(v, 9);
        },
      ),
    );
  });

  test('a step has come to 99 % after the published time, and not much before', () => {
    for (const stages of STAGES) {
      const held = [0, 0, 0, 0];
      lowPass(held, 1, settling(1, stages));
      expect(held[stages - 1]).toBeGreaterThan(0.985);
      const early = [0, 0, 0, 0];
      lowPass(early, 1, settling(1, stages) - 1.5);
      expect(early[stages - 1]).toBeLessThan(0.99);
    }
  });

  test('very long steps arrive', () => {
    const held = [3, -2, 1, 9];
    lowPass(held, 0.5, 1e6);
    expect(held).toEqual([0.5, 0.5, 0.5, 0.5]);
  });
});

const detection = (over: Partial<Detection>): Detection => ({
  name: 'l',
  frequency: 1000,
  harmonic: 1,
  phase: 0,
  tau: 0.1,
  stages: 2,
  noise: 1e-8,
  connected: true,
  direct: false,
  ...over,
});

test.each([
  [1e-5, 1],
  [0.01, 4],
  [0.03, 1],
  [0.03, 4],
  [0.1, 2],
  [0.3, 3],
] as const)('noise has the variance of its bandwidth: %d s, %d stages', (tau, stages) => {
  const w = dac.make(3);
  const held = detector();
  const d = detection({ tau, stages, noise: 1e-6, connected: false });
  let [squares, n] = [0, 0];
  const ticks = 3000 + (tau / TICK) * 3000;
  for (let i = 0; i < ticks; i++) {
    w.ticks++;
    detect(held, w, d, i * TICK, TICK);
    if (i * TICK < 20 * tau) continue;
    squares += held.x[stages - 1] ** 2 + held.y[stages - 1] ** 2;
    n += 2;
  }
  const independent = Math.min(n, (ticks * TICK) / tau); // roughly
  expect(enbw(tau, stages)).toBe(noiseBandwidth(tau, stages));
  expect(squares / n / (1e-12 * enbw(tau, stages))).toBeGreaterThan(1 - 5 / Math.sqrt(independent));
  expect(squares / n / (1e-12 * enbw(tau, stages))).toBeLessThan(1 + 5 / Math.sqrt(independent));
});

describe('demodulation', () => {
  const settled = (over: Partial<Detection>, seconds = 5, [volts, f, resistor] = [2, 1000, 1000]) => {
    const w = dac.make(1);
    driveSine(w, 'own', volts, f, resistor);
    const held = detector();
    const d = detection({ noise: 0, ...over });
    for (let i = 0; i < seconds / TICK; i++) {
      w.step(TICK);
      detect(held, w, d, i * TICK, TICK);
    }
    const rms = volts / (resistor + 50 + w.probe.path());
    return { w, held, rms, x: held.x[d.stages - 1], y: held.y[d.stages - 1] };
  };

  test('gives the phasor, turned by the phase of the reference', () => {
    const plain = settled({});
    const p = plain.w.probe.phasor(plain.rms, 1000, 1);
    expect(plain.x).toBeCloseTo(p.x, 8);
    expect(plain.y).toBeCloseTo(p.y, 8);
    const turned = settled({ phase: Math.PI / 2 });
    expect(turned.x).toBeCloseTo(p.y, 8);
    expect(turned.y).toBeCloseTo(-p.x, 8);
  });

  test('the third harmonic is found as such, and another frequency is not heard', () => {
    const third = settled({ harmonic: 3, frequency: 17, tau: 1, stages: 4 }, 30, [5, 17, 100]);
    const p = third.w.probe.phasor(third.rms, 17, 3);
    expect(Math.hypot(p.x, p.y)).toBeGreaterThan(1e-7);
    expect(Math.hypot(third.x - p.x, third.y - p.y)).toBeLessThan(2e-9);
    const beside = settled({ frequency: 1037, tau: 1, stages: 4 }, 15);
    expect(Math.hypot(beside.x, beside.y)).toBeLessThan(3e-9);
  });

  test('a source close to the reference turns with the difference', () => {
    const { x, y, w, rms } = settled({ frequency: 999.5, tau: 1e-3, stages: 1 }, 2.5);
    const p = w.probe.phasor(rms, 1000, 1);
    // 0.5 Hz after 2.5 s: 1.25 turns, less half a tick.
    const angle = 2 * Math.PI * 0.5 * (2.5 - TICK / 2);
    expect(x).toBeCloseTo(p.x * Math.cos(angle) - p.y * Math.sin(angle), 6);
    expect(y).toBeCloseTo(p.x * Math.sin(angle) + p.y * Math.cos(angle), 6);
  });

  test('an open current path carries nothing, and its driver is not a reference for itself', () => {
    const w = dac.make(1);
    driveSine(w, 'own', 1, 100, 1000);
    expect(external(w, 'own')).toBeUndefined();
    expect(external(w, 'other')).toBe(100);
    w.probe.faults.open = 'current';
    driveSine(w, 'own', 1, 100, 1000);
    expect(w.probe.driven.has('own')).toBe(false);
  });
});

test('a store takes each value that is due in a tick, once', () => {
  let taken = 0;
  for (let i = 0; i < 100; i++) taken += sampled(taken / 64, i * TICK, TICK, 64).length;
  expect(taken).toBe(64);
  expect(sampled(0.105, 0.1, TICK, 1)).toEqual([expect.closeTo(0.5, 9)]);
  expect(sampled(0, 0, TICK, 512)).toHaveLength(6);
});
