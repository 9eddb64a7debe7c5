import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { coldPressure, type Dac, dac, heated } from '../simulators/worlds/dac.ts';

const pass = (w: Dac, seconds: number): Dac => {
  for (let i = 0; i < Math.round(seconds / dac.tick); i++) w.step(dac.tick);
  return w;
};
const mean = (w: Dac, seconds: number, of: (w: Dac) => number): { mean: number; spread: number } => {
  const all: number[] = [];
  for (let i = 0; i < Math.round(seconds / dac.tick); i++) {
    w.step(dac.tick);
    all.push(of(w));
  }
  const m = all.reduce((a, b) => a + b) / all.length;
  return { mean: m, spread: Math.sqrt(all.reduce((a, b) => a + (b - m) ** 2, 0) / all.length) };
};

describe('the sample', () => {
  test('one long step is many short ones', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 4000, noNaN: true }), fc.double({ min: 0, max: 60, noNaN: true }), (x, power) => {
        let short = x;
        for (let i = 0; i < 50; i++) short = heated(short, power, 0.001);
        expect(heated(x, power, 0.05)).toBeCloseTo(short, 6);
      }),
    );
  });

  test('follows its equation, and small rises have 5 ms', () => {
    const h = 1e-9;
    for (const [x, power] of [
      [0, 10],
      [500, 0],
      [1500, 20],
    ]) {
      const slope = (heated(x, power, h) - x) / h;
      expect(slope).toBeCloseTo((power - 5.6e-3 * (1 + 2.5e-4 * x) * x) / (5.6e-3 * 0.005), -1);
    }
    expect(heated(1, 0, 0.005)).toBeCloseTo(Math.exp(-1), 3);
  });

  test('is at room temperature in the dark, and at about 3000 K or less with 100 W', () => {
    const w = dac.make(1);
    expect(pass(w, 1).sampleTemperature).toBe(w.roomTemperature);
    w.laser('up').power = 20;
    pass(w, 1);
    expect(w.sampleTemperature).toBeGreaterThan(1000);
    expect(w.sampleTemperature).toBeLessThan(1300);
    expect(w.transformed).toBe(false);
    w.laser('up').power = 100;
    pass(w, 1);
    expect(w.sampleTemperature).toBeGreaterThan(2000);
    expect(w.sampleTemperature).toBeLessThan(3300);
  });

  test('couples less once it has passed the transition, until it is cold', () => {
    for (let seed = 0; seed < 20; seed++) {
      const w = dac.make(seed);
      w.laser('main').power = 30;
      const cold = mean(w, 0.5, (d) => d.absorbedFraction).mean;
      w.laser('main').power = 100;
      pass(w, 0.05);
      const hot = mean(w, 0.5, (d) => d.absorbedFraction).mean;
      expect(hot / cold).toBeGreaterThan(0.49);
      expect(hot / cold).toBeLessThan(0.81);
      expect(w.emissivityFactor).toBeLessThan(0.9 * cold);
      w.laser('main').power = 0;
      pass(w, 0.2);
      expect(w.transformed).toBe(false);
    }
  });

  test('flickers by half a per cent and drifts by about one per cent a minute', () => {
    const w = dac.make(3);
    w.laser('main').power = 10;
    const short = mean(w, 2, (d) => d.absorbedFraction);
    expect(short.spread / short.mean).toBeGreaterThan(0.004);
    expect(short.spread / short.mean).toBeLessThan(0.006);
    const slow: number[] = [];
    for (let i = 0; i < 40; i++) slow.push(pass(w, 60).emissivityFactor);
    const steps = slow.slice(1).map((e, i) => Math.abs(e / slow[i] - 1));
    const typical = Math.sqrt(steps.reduce((a, b) => a + b * b, 0) / steps.length);
    expect(typical).toBeGreaterThan(0.005);
    expect(typical).toBeLessThan(0.025);
  });

  test('is hotter on the side that is heated', () => {
    const w = dac.make(1);
    w.laser('left', 'up').power = 30;
    pass(w, 0.5);
    expect(w.upTemperature).toBeGreaterThan(w.sampleTemperature);
    expect(w.downTemperature).toBeLessThan(w.sampleTemperature);
    w.laser('right', 'down').power = 30;
    pass(w, 0.5);
    expect(w.upTemperature).toBe(w.downTemperature);
  });
});

test('the membrane presses the sample: monotonic, and hot it is a little more', () => {
  let before = coldPressure(-1e5);
  for (let p = 0; p < 300e5; p += 1e5) {
    expect(coldPressure(p)).toBeGreaterThan(before);
    before = coldPressure(p);
  }
  const w = dac.make(1);
  w.membranePressure = 50e5;
  const cold = pass(w, 0.1).samplePressure;
  w.laser('main').power = 60;
  const hot = pass(w, 0.5).samplePressure;
  expect(hot).toBeGreaterThan(cold + 0.3e9);
  expect(hot).toBeLessThan(cold + 2e9);
});

describe('heaters', () => {
  test('settle in tens of seconds, whatever the tick', () => {
    const [fine, coarse] = [dac.make(1), dac.make(1)];
    for (const w of [fine, coarse]) w.heater('oven').output = 0.5;
    for (let i = 0; i < 2000; i++) fine.step(0.01);
    for (let i = 0; i < 20; i++) coarse.step(1);
    expect(fine.heater('oven').temperature).toBeCloseTo(coarse.heater('oven').temperature, 6);
    expect(fine.heater('oven').temperature).toBeGreaterThan(400);
    pass(fine, 300);
    expect(fine.heater('oven').temperature).toBeCloseTo(295.15 + 350, 0);
    expect(fine.heater('line').temperature).toBeCloseTo(295.15, 9);
  });

  test('the cell warms with the laser and with its own heater, and the sample with the cell', () => {
    const w = dac.make(1);
    w.laser('main').power = 40;
    pass(w, 200);
    expect(w.cellTemperature).toBeGreaterThan(298);
    expect(w.cellTemperature).toBeLessThan(310);
    w.laser('main').power = 0;
    w.heater('cell').output = 0.5;
    pass(w, 300);
    expect(w.cellTemperature).toBeCloseTo(645.15, 0);
    expect(w.sampleTemperature).toBeCloseTo(w.cellTemperature, 0);
  });
});

test('two worlds of one seed are equal to the last digit, of another seed not', () => {
  const [a, b, c] = [dac.make(7), dac.make(7), dac.make(8)];
  for (const w of [a, b, c]) {
    w.laser('main').power = 50;
    pass(w, 3);
  }
  expect(a.sampleTemperature).toBe(b.sampleTemperature);
  expect(a.noise('x')).toBe(b.noise('x'));
  expect(a.sampleTemperature).not.toBe(c.sampleTemperature);
});
