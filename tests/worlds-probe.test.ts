import { describe, expect, test } from 'vitest';
import { type Dac, dac } from '../simulators/worlds/dac.ts';
import { compression, ironResistivity, SHAPE } from '../simulators/worlds/probe.ts';
import { blochGrueneisen } from '../src/derive/metal.ts';
import { vanDerPauw } from '../src/derive/van-der-pauw.ts';

const pass = (w: Dac, seconds: number): Dac => {
  for (let i = 0; i < Math.round(seconds / dac.tick); i++) w.step(dac.tick);
  return w;
};

describe('the material', () => {
  test('agrees with the other implementation of the formula from 4 to 4000 K and to 100 GPa', () => {
    for (const p of [1e9, 20e9, 100e9])
      for (const t of [4, 20, 77, 300, 1000, 2500, 4000]) {
        const v = compression(p);
        const metal = { residual: 1e-8, c: 5.8e-7 * v ** 1.7, theta: 420 * v ** -1.7, saturation: 168e-8 * Math.cbrt(v) };
        expect(ironResistivity(p, t) / blochGrueneisen(metal, t)).toBeCloseTo(1, 7);
      }
  });

  test('is near iron at room temperature, conducts better under pressure, saturates when hot', () => {
    expect(ironResistivity(1e5, 295)).toBeGreaterThan(0.9e-7);
    expect(ironResistivity(1e5, 295)).toBeLessThan(1.1e-7);
    expect(ironResistivity(50e9, 295)).toBeLessThan(0.8 * ironResistivity(1e5, 295));
    const slope = (t: number) => ironResistivity(1e9, t + 100) - ironResistivity(1e9, t);
    expect(slope(2500)).toBeLessThan(0.6 * slope(400));
    expect(ironResistivity(1e9, 1e5)).toBeLessThan(168e-8);
    expect(compression(1e5)).toBeCloseTo(1, 5);
    // Vinet's equation with the same two numbers says nearly the same pressure for the compression at 50 GPa.
    const x = Math.cbrt(compression(50e9));
    const vinet = (3 * 163.4e9 * (1 - x) * Math.exp(1.5 * 4.38 * (1 - x))) / (x * x);
    expect(vinet / 50e9).toBeCloseTo(1, 1);
  });
});

describe('four contacts', () => {
  test('resistance is that of the compressed bar at the temperature of the sample', () => {
    const w = pass(dac.make(1), 1);
    const rho = ironResistivity(w.samplePressure, w.sampleTemperature);
    expect(w.probe.resistivity()).toBe(rho);
    expect(w.sampleResistivity).toBe(rho);
    expect(w.sampleResistance).toBe(w.probe.resistance());
    const shrunk = Math.cbrt(compression(w.samplePressure));
    expect(w.probe.resistance()).toBeCloseTo((rho * SHAPE.length) / (SHAPE.width * SHAPE.thickness * shrunk), 12);
    expect(w.probe.path()).toBeGreaterThan(w.probe.resistance() + 10);
  });

  test('heating by the laser raises it in the same run, and it falls as the sample cools', () => {
    const w = pass(dac.make(1), 1);
    const cold = w.probe.resistance();
    w.laser('main').power = 60;
    pass(w, 1);
    expect(w.sampleTemperature).toBeGreaterThan(1500);
    expect(w.probe.resistance()).toBeGreaterThan(3 * cold);
    w.laser('main').power = 0;
    const cooling = [0.01, 0.01, 0.01].map((dt) => pass(w, dt).probe.resistance());
    expect([...cooling].sort((a, b) => b - a)).toEqual(cooling);
    expect(pass(w, 1).probe.resistance()).toBeLessThan(1.2 * cold);
  });

  test('pressure lowers it', () => {
    const w = pass(dac.make(1), 1);
    const before = w.probe.resistivity();
    w.membranePressure = 50e5;
    expect(pass(w, 1).probe.resistivity()).toBeLessThan(0.9 * before);
  });

  test('a transition is a step where it is asked for', () => {
    const w = pass(dac.make(1), 1);
    const plain = w.probe.resistivity();
    w.probe.transition = { temperature: 290, factor: 1.25 };
    expect(w.probe.resistivity() / plain).toBeCloseTo(1.25, 12);
    w.probe.transition = { temperature: 1000, factor: 1.25 };
    expect(w.probe.resistivity()).toBe(plain);
  });

  test('a voltage is R I and an EMF that neither the polling rate nor the order of questions changes', () => {
    const w = pass(dac.make(3), 1);
    const r = w.probe.resistance();
    const emf = w.probe.emf(7);
    expect(w.probe.volts(1e-3, 7)).toBe(r * 1e-3 + emf);
    expect(w.probe.volts(-1e-3, 7)).toBe(-r * 1e-3 + emf);
    for (const t of [500, 20, 61, 59.9]) w.probe.emf(t);
    expect(w.probe.emf(7)).toBe(emf);
    expect(dac.make(4).probe.emf(7)).not.toBe(emf);
    const span = w.probe.emf(3600) - w.probe.emf(0);
    expect(span).toBeGreaterThan(1e-6); // drift
    expect(Math.abs(w.probe.emf(60) - w.probe.emf(59.999))).toBeLessThan(1e-10); // no jump from minute to minute
  });
});

describe('the measuring current', () => {
  test('heats with its square from the next tick on, and no more when it is off', () => {
    const w = pass(dac.make(1), 1);
    const cold = w.probe.resistance();
    w.probe.drive('source', { dc: 10e-3 });
    expect(w.probe.rise()).toBe(0);
    pass(w, 0.1);
    const rise = w.probe.rise();
    expect(rise).toBeCloseTo(2e4 * 1e-4 * w.probe.resistance(), 4);
    expect(w.probe.resistance()).toBeGreaterThan(cold);
    w.probe.drive('source', { dc: -20e-3 });
    expect(pass(w, 0.1).probe.rise() / rise).toBeCloseTo(4, 1);
    w.probe.drive('source', undefined);
    w.probe.drive('lock-in', { ac: { rms: 10e-3, frequency: 17 } });
    expect(pass(w, 0.1).probe.rise() / rise).toBeCloseTo(1, 3);
    w.probe.drive('lock-in', undefined);
    expect(pass(w, 0.1).probe.rise()).toBeLessThan(1e-12);
  });

  test('its phasors are those of the voltage in time', () => {
    const w = pass(dac.make(1), 1);
    const frequency = 80;
    const rms = 50e-3;
    w.probe.drive('lock-in', { ac: { rms, frequency } });
    pass(w, 0.2);
    // The heat equation of the bar, integrated step by step: tau dT/dt = P Rth - T; around the steady mean that the world has.
    const n = 4096;
    const cycles = 8;
    const slope = (ironResistivity(w.samplePressure, 296) - ironResistivity(w.samplePressure, 295)) / w.probe.resistivity();
    const r = w.probe.resistance();
    const dt = cycles / frequency / n;
    let hot = 0; // above the mean
    const sums = { x1: 0, y1: 0, x3: 0, y3: 0 };
    for (let pass = 0; pass < 2; pass++) {
      for (let i = 0; i < n; i++) {
        const angle = (2 * Math.PI * cycles * i) / n;
        const current = Math.SQRT2 * rms * Math.sin(angle);
        const next = 2e4 * r * (current * current - rms * rms);
        if (pass === 1) {
          const v = current * r * (1 + slope * hot);
          sums.x1 += v * Math.sin(angle);
          sums.y1 += v * Math.cos(angle);
          sums.x3 += v * Math.sin(3 * angle);
          sums.y3 += v * Math.cos(3 * angle);
        }
        hot += ((next - hot) * dt) / 1e-3;
      }
    }
    const scale = Math.SQRT2 / n;
    const third = w.probe.phasor(rms, frequency, 3);
    expect(third.x / (scale * sums.x3)).toBeCloseTo(1, 1);
    expect(third.y / (scale * sums.y3)).toBeCloseTo(1, 1);
    const first = w.probe.phasor(rms, frequency, 1);
    expect(first.x / (scale * sums.x1)).toBeCloseTo(1, 4);
    expect(w.probe.phasor(rms, frequency, 2)).toEqual({ x: 0, y: 0 });
  });

  test('the third harmonic grows with the cube of a small current', () => {
    const w = pass(dac.make(1), 1);
    const third = (rms: number) => Math.hypot(...Object.values(w.probe.phasor(rms, 17, 3)));
    expect(third(2e-3) / third(1e-3)).toBeCloseTo(8, 6);
    expect(third(1e-3)).toBeGreaterThan(0);
  });

  test('the capacitance of the leads turns the phase with the frequency', () => {
    const w = pass(dac.make(1), 1);
    const angle = (frequency: number): number => {
      const { x, y } = w.probe.phasor(1e-6, frequency, 1);
      return Math.atan2(y, x);
    };
    expect(angle(17)).toBeLessThan(0);
    expect(angle(1700) / angle(17)).toBeCloseTo(100, 0);
    expect(w.probe.phasor(1e-3, 17, 1).x).toBeCloseTo(1e-3 * w.probe.resistance(), 8);
  });

  test('Johnson noise of contacts and leads at room temperature is below a nanovolt', () => {
    const w = pass(dac.make(1), 1);
    expect(w.probe.noise()).toBeGreaterThan(0.4e-9);
    expect(w.probe.noise()).toBeLessThan(0.7e-9);
  });
});

describe('van der Pauw', () => {
  test('the two arrangements give the sheet of the compressed sample', () => {
    const w = pass(dac.make(1), 1);
    w.probe.arrangement = 'a';
    const a = w.probe.resistance();
    w.probe.arrangement = 'b';
    const b = w.probe.resistance();
    expect(a / b).toBeGreaterThan(2);
    const sheet = vanDerPauw(a, b)?.resistance ?? Number.NaN;
    expect(sheet * SHAPE.thickness * Math.cbrt(compression(w.samplePressure))).toBeCloseTo(w.probe.resistivity(), 15);
  });

  test('a scanner with nothing closed connects nothing', () => {
    const w = pass(dac.make(1), 1);
    w.probe.drive('source', { dc: 10e-3 });
    w.probe.arrangement = 'open';
    expect(w.probe.volts(1e-3, 1)).toBeUndefined();
    expect(w.probe.path()).toBe(Number.POSITIVE_INFINITY);
    expect(w.probe.phasor(1e-3, 17, 1)).toEqual({ x: 0, y: 0 });
    expect(w.probe.noise()).toBeGreaterThan(0);
    expect(pass(w, 0.1).probe.rise()).toBe(0);
  });
});

describe('faults', () => {
  test('without a current contact no current flows, and the EMF is left', () => {
    const w = pass(dac.make(1), 1);
    w.probe.faults.open = 'current';
    expect(w.probe.path()).toBe(Number.POSITIVE_INFINITY);
    expect(w.probe.volts(1e-3, 1)).toBe(w.probe.emf(1));
    expect(w.probe.phasor(1e-3, 17, 1)).toEqual({ x: 0, y: 0 });
  });

  test('without a voltage contact there is no voltage, and a lock-in sees what comes through the air, out of phase', () => {
    const w = pass(dac.make(1), 1);
    w.probe.faults.open = 'voltage';
    expect(w.probe.volts(1e-3, 1)).toBeUndefined();
    expect(w.probe.path()).toBeLessThan(20);
    const { x, y } = w.probe.phasor(1e-3, 17, 1);
    expect(Math.abs(y)).toBeGreaterThan(10 * Math.abs(x));
  });

  test('swapped leads turn the sign of R I, not of the EMF', () => {
    const w = pass(dac.make(1), 1);
    const right = w.probe.phasor(1e-3, 17, 1);
    w.probe.faults.swapped = true;
    expect(w.probe.volts(1e-3, 1)).toBe(-w.probe.resistance() * 1e-3 + w.probe.emf(1));
    expect(w.probe.phasor(1e-3, 17, 1).x).toBe(-right.x);
  });
});
