/** The laser-heating table: held on 2000 K, filters flipped in, on to 3000 K, each temperature with the calibration of its path. */
import { resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Dac, dac } from '../simulators/worlds/dac.ts';
import { catalogue } from '../src/catalogue.ts';
import { methods } from '../src/methods.ts';
import { type Reading, total } from '../src/reading.ts';
import { loadRig, printed } from '../src/rig.ts';
import { type Laboratory, laboratory } from './laboratory.ts';

const known = await catalogue();
const loaded = await loadRig(resolve(import.meta.dirname, '../rigs/laser-heating'), known, methods);

interface True {
  readonly t: number;
  readonly up: number;
  readonly down: number;
  readonly cold: number;
}

describe('rigs/laser-heating', () => {
  const truth: True[] = [];
  let lab: Laboratory;
  const during = (begin: number, end: number, what: 'up' | 'down' | 'cold'): number => {
    const some = truth.filter((x) => x.t > begin && x.t <= end);
    return some.reduce((sum, x) => sum + x[what], 0) / some.length;
  };
  type Good = Extract<Reading, { readonly quality: 'good' | 'suspect' }>;
  const good = (from: string): Good[] => lab.readings(from).filter((r): r is Good => r.quality === 'good');

  beforeAll(() => {
    if (!loaded.ok) return;
    lab = laboratory(loaded.rig, known, { seed: 1 });
    const world: Dac = lab.simulated.universe.of(dac);
    for (let i = 0; i < 7500; i++) {
      lab.clock.advance(0.01);
      lab.simulated.universe.settle();
      truth.push({
        t: lab.clock.now(),
        up: world.upTemperature,
        down: world.downTemperature,
        cold: world.samplePressure - world.thermalPressure,
      });
    }
  }, 60_000);

  test('has nothing to complain about', () => {
    expect(loaded.ok ? [] : loaded.messages.map(printed)).toEqual([]);
    expect(loaded.ok && loaded.warnings).toEqual([]);
  });

  test('every order of its start is done', () => {
    const ended = lab.entries.flatMap((e) => (e.kind === 'order' && e.order.outcome && e.order.by === 'rig' ? [e.order] : []));
    expect(ended.map((o) => `${o.instrument}.${o.command} ${o.outcome}`)).toEqual(
      loaded.ok ? loaded.rig.start.map((o) => `${o.instrument}.${o.command} done`) : [],
    );
  });

  test('each temperature is true within its bar, and carries the calibration of its path', () => {
    const exposures = new Map<string, Reading<'trace'>>(
      ['us', 'ds'].flatMap((one) =>
        lab.readings(`${one}.spectrum`).map((given) => {
          const r = given as Reading<'trace'>; // its kind says so
          const middle = r.quality === 'bad' ? r.t : Math.round((r.value.begin + r.value.end) / 2);
          return [`${one} ${middle}`, r] as const;
        }),
      ),
    );
    for (const [side, from] of [
      ['up', 'us'],
      ['down', 'ds'],
    ] as const) {
      const used = new Map<string, number>();
      const pulls: number[] = [];
      for (const r of good(`${side}.temperature`)) {
        const frame = exposures.get(`${from} ${r.t}`);
        if (frame?.quality !== 'good') throw new Error('no frame');
        const { begin, end } = frame.value;
        pulls.push((Number(r.value) - during(begin, end, side)) / total(r.sigma));
        const id = r.made?.calibration ?? 'none';
        used.set(id, (used.get(id) ?? 0) + 1);
      }
      expect(pulls.length).toBeGreaterThan(60);
      // The lamp's uncertainty is in the bar, and the simulated lamp has none: pulls are small.
      expect(Math.max(...pulls.map(Math.abs))).toBeLessThan(3);
      expect(used.size).toBe(2);
      expect(Math.min(...used.values())).toBeGreaterThan(20);
    }
  });

  test('while a filter is on its way there is no temperature, and it says why', () => {
    const whys = lab.readings('up.temperature').flatMap((r) => (r.quality === 'bad' ? [r.why] : []));
    expect(whys.some((why) => /optics\.up_filter (is moving|changed during the exposure)/.test(why))).toBe(true);
  });

  test('the loop holds 3000 K', () => {
    const last = good('sample.temperature').slice(-10);
    expect(last).toHaveLength(10);
    for (const r of last) expect(Math.abs(Number(r.value) - 3000)).toBeLessThan(45);
    expect(Math.max(...truth.map((x) => x.up))).toBeLessThan(3000 * 1.03);
    expect(lab.host.status().feedback?.map((f) => f.state)).toEqual(['holding']);
  });

  test('the change of the coupling on the way is named an anomaly', () => {
    const named = new Set(lab.readings('break.anomaly').flatMap((r) => (r.quality === 'bad' ? [] : [r.value])));
    expect([...named].some((word) => word === 'factor jump' || word === 'discontinuity')).toBe(true);
  });

  test('the ruby gives the pressure of the cold cell, and the thermal pressure is a field of its own', () => {
    const r = good('ruby.pressure').at(-1);
    if (!r) throw new Error('no pressure');
    expect(Math.abs(Number(r.value) - (truth.at(-1)?.cold ?? 0)) / total(r.sigma)).toBeLessThan(3);
    expect(Number(good('cell_pressure.thermal').at(-1)?.value)).toBeGreaterThan(5e8);
    expect(Number(good('cell_pressure.cold').at(-1)?.value)).toBeCloseTo(Number(good('ruby.pressure').at(-1)?.value), -8);
  });

  test('a mirror that shows the lamp leaves no temperature', () => {
    lab.host.order({ by: 'test', instrument: 'optics', command: 'up_mirror', written: 'in' }, () => {});
    lab.clock.advance(2);
    const r = lab.readings('up.temperature').at(-1);
    expect(r?.quality === 'bad' && r.why).toBe('optics.up_mirror is in, not out');
  });
});
