/** From the half-cycles of the simulated sample to its thermal conductivity, on one clock with the temperature, and what faults make of it. */
import { describe, expect, test } from 'vitest';
import { type Dac, dac } from '../../simulators/worlds/dac.ts';
import { compression, SHAPE } from '../../simulators/worlds/probe.ts';
import { graph, type NodeSpec } from '../../src/graph.ts';
import { methods } from '../../src/methods.ts';
import { type Reading, total } from '../../src/reading.ts';
import { gauss } from '../../src/simulator.ts';
import { Refused } from '../../src/talk.ts';

const BEGAN = 1.7e15;
const RATE = 20; // readings a second: five ticks of the world each
const BLOCK = 24;
const NOISE = 5e-9;
const CURRENT = 2e-3;

function node(name: string, method: string, inputs: NodeSpec['inputs'], given: Readonly<Record<string, unknown>>): NodeSpec {
  const derivation = methods.get(method);
  if (!derivation) throw new Error(`no method ${method}`);
  const params: unknown = derivation.params.parse(given);
  if (params instanceof Refused) throw new Error(params.why);
  return { name, derivation, inputs, params, parametersId: 'p' };
}
const now = (from: string) => ({ from, pair: 'last', within: 1 }) as const;

interface Seen {
  readonly made: readonly Reading[];
  /** Truth in the middle of each block: seconds, Ohm, Ohm metre, kelvin, volt. */
  readonly truth: readonly {
    readonly t: number;
    readonly r: number;
    readonly rho: number;
    readonly kelvin: number;
    readonly emf: number;
  }[];
}

/** Host-stepped half-cycles with the noise of a nanovoltmeter, and a thermometer ten times a second; the current is on throughout. */
function measured(w: Dac, seconds: number, each: (t: number) => void = () => {}): Seen {
  const um = 1e-6;
  const run = graph([
    node('r', 'delta', { readings: now('meter.block') }, { current: '2 mA +- 1 uA' }),
    node(
      'rho',
      'four-terminal',
      { resistance: now('r.resistance') },
      {
        between: `${SHAPE.length / um} um +- 0.2 um`,
        across: `${SHAPE.width / um} um +- 0.1 um`,
        depth: `${SHAPE.thickness / um} um +- 0.05 um`,
        volume: `${compression(w.samplePressure)} +- 0.003`,
      },
    ),
    node(
      'k',
      'wiedemann-franz',
      { resistivity: now('rho.resistivity'), temperature: { from: 'stage.temperature', pair: 'interpolate', within: 0.3 } },
      { lorenz: '2.44e-8 +- 0.1e-8 W Ohm/K2' },
    ),
  ]);
  const about = { quality: 'good', seq: 0, origin: 'simulator' } as const;
  const made: Reading[] = [];
  const truth: { t: number; r: number; rho: number; kelvin: number; emf: number }[] = [];
  w.probe.drive('source', { dc: CURRENT });
  let volts: number[] = [];
  let amps: number[] = [];
  let times: number[] = [];
  for (let tick = 0; tick < Math.round(seconds / dac.tick); tick++) {
    w.step(dac.tick);
    const t = (tick + 1) * dac.tick;
    each(t);
    if (tick % 10 === 9) {
      const kelvin = w.cellTemperature + 0.02 * w.noise('thermometer');
      made.push(...run({ ...about, from: 'stage.temperature', kind: 'K', value: kelvin, sigma: { random: 0.02 }, t: BEGAN + t * 1e6 }));
    }
    if (tick % (1 / RATE / dac.tick) !== 0) continue;
    const amp = volts.length % 2 === 0 ? CURRENT : -CURRENT;
    const v = w.probe.volts(amp, t);
    volts.push(v === undefined ? Number.NaN : v + NOISE * gauss(w.seed, 'meter', tick));
    amps.push(amp);
    times.push(t);
    if (volts.length === BLOCK / 2)
      truth.push({ t, r: w.sampleResistance, rho: w.sampleResistivity, kelvin: w.sampleTemperature, emf: w.probe.emf(t) });
    if (volts.length < BLOCK) continue;
    const middle = BEGAN + (((times[0] ?? 0) + t) / 2) * 1e6;
    const columns = {
      voltage: { unit: 'V', data: Float64Array.from(volts) },
      current: { unit: 'A', data: Float64Array.from(amps) },
      time: { unit: 's', data: Float64Array.from(times) },
    } as const;
    const value = { columns, shape: [BLOCK], begin: BEGAN + (times[0] ?? 0) * 1e6, end: BEGAN + t * 1e6, settings: {} };
    made.push(...run({ ...about, from: 'meter.block', kind: 'trace', value, t: middle }));
    [volts, amps, times] = [[], [], []];
  }
  return { made, truth };
}

const of = ({ made }: Seen, from: string): readonly Reading[] => made.filter((r) => r.from === from);
const value = (r: Reading | undefined): number => (r === undefined || r.quality === 'bad' ? Number.NaN : Number(r.value));
const bar = (r: Reading | undefined): number => (r === undefined || r.quality === 'bad' ? Number.NaN : total(r.sigma));
const settled = (seed: number): Dac => {
  const w = dac.make(seed);
  for (let i = 0; i < 100; i++) w.step(dac.tick);
  return w;
};

describe('the simulated sample, measured', () => {
  test('resistance within its random bar, whatever the EMF and its drift; rho and k within theirs', () => {
    const pulls: number[] = [];
    for (const seed of [1, 2, 3]) {
      const seen = measured(settled(seed), 60);
      expect(seen.made.filter((r) => r.quality === 'bad')).toEqual([]);
      const r = of(seen, 'r.resistance');
      expect(r.length).toBeGreaterThan(45);
      r.forEach((one, i) => {
        const sigma = one.quality === 'bad' ? Number.NaN : (one.sigma?.random ?? Number.NaN);
        pulls.push((value(one) - (seen.truth[i]?.r ?? Number.NaN)) / sigma);
      });
      const { rho = Number.NaN, kelvin = Number.NaN, emf = Number.NaN } = seen.truth.at(-1) ?? {};
      const last = of(seen, 'rho.resistivity').at(-1);
      expect(Math.abs(value(last) - rho)).toBeLessThan(bar(last));
      expect(bar(last) / rho).toBeLessThan(0.05);
      const k = of(seen, 'k.conductivity').at(-1);
      expect(Math.abs(value(k) - (2.44e-8 * kelvin) / rho)).toBeLessThan(bar(k));
      // The thermoelectric EMF is published: microvolts that hide a tenth of a millivolt.
      const offset = of(seen, 'r.offset').at(-1);
      expect(emf).toBeGreaterThan(2e-6);
      expect(Math.abs(value(offset) - emf)).toBeLessThan(4 * bar(offset));
    }
    const inside = pulls.filter((p) => Math.abs(p) < 1).length / pulls.length;
    expect(inside).toBeGreaterThan(0.56);
    expect(inside).toBeLessThan(0.8);
    expect(Math.max(...pulls.map(Math.abs))).toBeLessThan(4.5);
  });

  test('heating in the same run: rho rises with the cell, and k keeps to the temperature of the same instant', () => {
    const w = settled(5);
    const seen = measured(w, 40, (t) => {
      w.heater('cell').output = t > 5 ? 1 : 0;
    });
    const rho = of(seen, 'rho.resistivity');
    expect(value(rho.at(-1)) / value(rho[0])).toBeGreaterThan(2);
    const k = of(seen, 'k.conductivity');
    expect(k.length).toBe(rho.length);
    k.forEach((one, i) => {
      const { rho: true_, kelvin } = seen.truth[i] ?? { rho: Number.NaN, kelvin: Number.NaN };
      // The heater goes up by 15 K a second; a temperature of the wrong second would be 4 % off.
      expect(Math.abs(value(one) / ((2.44e-8 * kelvin) / true_) - 1)).toBeLessThan(0.006);
    });
  });

  test('a contact that opens gives no number, with the reason, and swapped leads neither', () => {
    const w = settled(1);
    w.probe.faults.open = 'voltage';
    const open = measured(w, 3);
    for (const name of ['r.resistance', 'rho.resistivity']) {
      expect(of(open, name).length).toBeGreaterThan(1);
      expect(of(open, name).every((r) => r.quality === 'bad' && /reading 1 is no number/.test(r.why))).toBe(true);
    }
    w.probe.faults.open = undefined;
    w.probe.faults.swapped = true;
    const swapped = of(measured(w, 3), 'r.resistance').at(-1);
    expect(swapped).toMatchObject({ quality: 'bad', why: expect.stringMatching(/swapped/) });
    w.probe.faults.swapped = false;
    w.probe.faults.open = 'current';
    // Without a current there is no resistance: only noise is left. The source tells of it by its compliance.
    const none = of(measured(w, 3), 'r.resistance').at(-1);
    expect(Math.abs(value(none))).toBeLessThan(5 * bar(none));
    expect(w.probe.path()).toBe(Number.POSITIVE_INFINITY);
  });
});
