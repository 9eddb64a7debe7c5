/** The main job: the demo rig heats, measures and records, and what it measures is true. */
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Dac } from '../simulators/worlds/dac.ts';
import { dac } from '../simulators/worlds/dac.ts';
import { catalogue } from '../src/catalogue.ts';
import { methods } from '../src/methods.ts';
import { type Reading, total } from '../src/reading.ts';
import { loadRig, printed } from '../src/rig.ts';
import { laboratory } from './laboratory.ts';

const known = await catalogue();
const loaded = await loadRig(resolve(import.meta.dirname, '../rigs/demo'), known, methods);

describe('rigs/demo', () => {
  test('has nothing to complain about', () => {
    expect(loaded.ok ? [] : loaded.messages.map(printed)).toEqual([]);
    expect(loaded.ok && loaded.warnings).toEqual([]);
  });

  test.each([1, 2, 3])('seed %i: temperatures within 3 sigma of the truth, no bad reading, every start order done', (seed) => {
    if (!loaded.ok) throw new Error('see above');
    const lab = laboratory(loaded.rig, known, { seed });
    const world: Dac = lab.simulated.universe.of(dac);
    // What is true is kept every 10 ms, as an exposure averages it.
    const truth: { readonly t: number; readonly up: number; readonly down: number }[] = [];
    for (let i = 0; i < 4000; i++) {
      lab.clock.advance(0.01);
      lab.simulated.universe.settle();
      truth.push({ t: lab.clock.now(), up: world.upTemperature, down: world.downTemperature });
    }
    expect(lab.readings().filter((r) => r.quality === 'bad')).toEqual([]);
    // A temperature is that of the middle of its exposure.
    const middle = (r: Reading<'trace'>): number => (r.quality === 'bad' ? r.t : Math.round((r.value.begin + r.value.end) / 2));
    const exposures = new Map(
      lab.readings('camera.spectrum').map((r) => [middle(r as Reading<'trace'>), r as Reading<'trace'>]), // its kind says so
    );
    const pulls: number[] = [];
    for (const side of ['up', 'down'] as const) {
      const all = lab.readings(`${side}.temperature`);
      expect(all.length).toBeGreaterThan(20);
      for (const r of all) {
        const frame = exposures.get(r.t);
        if (r.quality === 'bad' || frame?.quality !== 'good') throw new Error('no frame');
        const { begin, end } = frame.value;
        const during = truth.filter((x) => x.t > begin && x.t <= end);
        const mean = during.reduce((sum, x) => sum + x[side], 0) / during.length;
        pulls.push((Number(r.value) - mean) / total(r.sigma));
      }
    }
    // The last of each side as the run prints them, and the bars as a whole: few beyond 3, none far off.
    expect(Math.abs(pulls.at(-1) ?? Number.NaN)).toBeLessThan(3);
    expect(pulls.filter((p) => Math.abs(p) > 3).length).toBeLessThanOrEqual(Math.ceil(0.01 * pulls.length) + 1);
    expect(Math.max(...pulls.map(Math.abs))).toBeLessThan(4.5);
    const orders = lab.entries.flatMap((e) => (e.kind === 'order' && e.order.outcome ? [e.order] : []));
    expect(orders.flatMap((o) => (o.by === 'rig' ? [o.outcome] : []))).toEqual(loaded.rig.start.map(() => 'done'));
  });
});
