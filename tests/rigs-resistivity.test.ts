/** The rigs for resistivity: without a complaint, without a bad reading, and what they measure is true. */
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Dac, dac } from '../simulators/worlds/dac.ts';
import { catalogue } from '../src/catalogue.ts';
import { methods } from '../src/methods.ts';
import { type Reading, total } from '../src/reading.ts';
import { loadRig, printed } from '../src/rig.ts';
import { laboratory } from './laboratory.ts';

const known = await catalogue();
const LORENZ = 2.44e-8;

interface True {
  readonly t: number;
  readonly ohm: number;
  readonly rho: number;
  readonly kelvin: number;
}

/** A minute of the rig; the truth every 10 ms. */
async function minute(name: string, seed: number) {
  const loaded = await loadRig(resolve(import.meta.dirname, '../rigs', name), known, methods);
  if (!loaded.ok) throw new Error(loaded.messages.map(printed).join('\n'));
  expect(loaded.warnings).toEqual([]);
  const lab = laboratory(loaded.rig, known, { seed });
  const world = lab.simulated.universe.of(dac);
  const truth: True[] = [];
  for (let i = 0; i < 6000; i++) {
    lab.clock.advance(0.01);
    lab.simulated.universe.settle();
    truth.push({ t: lab.clock.now(), ohm: world.sampleResistance, rho: world.sampleResistivity, kelvin: world.sampleTemperature });
  }
  const orders = lab.entries.flatMap((e) => (e.kind === 'order' && e.order.outcome && e.order.by === 'rig' ? [e.order.outcome] : []));
  expect(orders).toEqual(loaded.rig.start.map(() => 'done'));
  /** The truth of half a second around a moment, as a block of deltas averages it. */
  const around = (t: number): True => {
    const near = truth.filter((x) => Math.abs(x.t - t) <= 0.25e6);
    const mean = (of: (x: True) => number): number => near.reduce((s, x) => s + of(x), 0) / near.length;
    return { t, ohm: mean((x) => x.ohm), rho: mean((x) => x.rho), kelvin: mean((x) => x.kelvin) };
  };
  return { lab, around };
}
const value = (r: Reading | undefined): number => (r === undefined || r.quality === 'bad' ? Number.NaN : Number(r.value));
const bar = (r: Reading | undefined): number => (r === undefined || r.quality === 'bad' ? Number.NaN : total(r.sigma));
const random = (r: Reading): number => (r.quality === 'bad' ? Number.NaN : (r.sigma?.random ?? Number.NaN));

describe('rigs/resistivity', () => {
  test.each([1, 2])('seed %i: a minute of deltas, lock-in and a heated cell', async (seed) => {
    const { lab, around } = await minute('resistivity', seed);
    // A lock-in that has been set says that it has not settled; nothing else is bad.
    const settling = /reference unlocked$|not settled after a change of [\w ]+: that takes [\d.]+ m?s$/;
    const bad = lab.readings().flatMap((r) => (r.quality === 'bad' ? [r] : []));
    expect(bad.filter((r) => !(/^(lockin|ac)\./.test(r.from) && settling.test(r.why)))).toEqual([]);

    const r = lab.readings('r.resistance');
    expect(r.length).toBeGreaterThan(90);
    // No delta of the 24 a second is lost.
    expect(value(lab.readings('source.delta_lost').at(-1))).toBe(0);
    const used = lab.readings('r.readings').reduce((s, one) => s + value(one), 0);
    const [first, last] = [r[0]?.t ?? 0, r.at(-1)?.t ?? 0];
    expect(used / ((last - first) / 1e6 + 0.5)).toBeCloseTo(24, 0);
    // While the temperature stands still, before the heater is on, the random bar of each covers the truth as it should.
    const still = r.filter((one) => Math.abs(around(one.t).kelvin - 295.15) < 0.01);
    expect(still.length).toBeGreaterThan(10);
    const pulls = still.map((one) => (value(one) - around(one.t).ohm) / random(one));
    expect(Math.max(...pulls.map(Math.abs))).toBeLessThan(4.5);
    for (const one of lab.readings('rho.resistivity')) expect(Math.abs(value(one) - around(one.t).rho)).toBeLessThan(bar(one));
    const k = lab.readings('k.conductivity');
    expect(k.length).toBeGreaterThan(90);
    for (const one of k) {
      const { kelvin, rho } = around(one.t);
      expect(Math.abs(value(one) - (LORENZ * kelvin) / rho)).toBeLessThan(bar(one));
    }
    // The heater of the stage is the cell's: the sample's resistance rises with it.
    expect(value(r.at(-1)) / value(r[0])).toBeGreaterThan(1.05);
    expect(value(lab.readings('stage.temperature').at(-2))).toBeCloseTo(320, -1);
    const ac = lab.readings('ac.resistance').at(-1);
    expect(Math.abs(value(ac) / around(ac?.t ?? 0).ohm - 1)).toBeLessThan(0.005);
  });

  /** What the rig says after something has gone wrong with the contacts at 20 s. */
  async function spoilt(wrong: (w: Dac) => void) {
    const loaded = await loadRig(resolve(import.meta.dirname, '../rigs/resistivity'), known, methods);
    if (!loaded.ok) throw new Error('see above');
    const lab = laboratory(loaded.rig, known, { seed: 3 });
    lab.clock.advance(20);
    expect(lab.readings('r.resistance').at(-1)?.quality).toBe('good');
    wrong(lab.simulated.universe.of(dac));
    lab.clock.advance(5);
    const of = (name: string) => lab.readings(name).at(-1);
    return { lab, of, orders: lab.entries.flatMap((e) => (e.kind === 'order' && e.order.outcome ? [e.order] : [])) };
  }

  test('an open voltage contact gives no number, and says what it is', async () => {
    const { of } = await spoilt((w) => {
      w.probe.faults.open = 'voltage';
    });
    for (const name of ['r.resistance', 'rho.resistivity', 'k.conductivity'])
      expect(of(name)).toMatchObject({ quality: 'bad', why: expect.stringMatching(/overflow: .*open input/) });
  });

  test('an open current contact drives the source into compliance: no number, and the current is switched off and latched', async () => {
    const { of, orders } = await spoilt((w) => {
      w.probe.faults.open = 'current';
    });
    const ended = /no delta measurement runs: the source is in compliance: .*a current contact or lead is open/;
    for (const name of ['source.block', 'r.resistance', 'rho.resistivity', 'k.conductivity'])
      expect(of(name)).toMatchObject({ quality: 'bad', why: expect.stringMatching(ended) });
    expect(of('source.delta')).toMatchObject({ quality: 'good', value: false });
    expect(of('source.output')).toMatchObject({ quality: 'good', value: false });
    expect(orders.at(-1)).toMatchObject({ instrument: 'source', command: 'delta', value: false, outcome: 'done' });
    expect(orders.at(-1)?.by).toMatch(/contacts/);
  });

  test.each([
    ['open current', 'source.block', /no delta measurement runs: .*a current contact or lead is open/],
    ['open voltage', 'source.block', /overflow: .*open input/],
    ['swapped leads', 'r.resistance', /below zero by/],
  ])('the simulated source makes "%s" for a person to see, after some time', async (contact, where, why) => {
    const loaded = await loadRig(resolve(import.meta.dirname, '../rigs/resistivity'), known, methods);
    if (!loaded.ok) throw new Error('see above');
    const instruments = loaded.rig.instruments.map((i) => (i.name === 'source' ? { ...i, simulate: { contact, contact_after: 15 } } : i));
    const lab = laboratory({ ...loaded.rig, instruments }, known, { seed: 4 });
    lab.clock.advance(14);
    expect(lab.readings('r.resistance').at(-1)?.quality).toBe('good');
    lab.clock.advance(6);
    expect(lab.readings(where).at(-1)).toMatchObject({ quality: 'bad', why: expect.stringMatching(why) });
  });

  test('an open current contact is no resistance of the lock-in either, at any time, and it says so', async () => {
    const { lab } = await spoilt((w) => {
      w.probe.faults.open = 'current';
    });
    const since = lab.clock.now();
    lab.clock.advance(30);
    const ac = lab.readings('ac.resistance').filter((r) => r.t > since);
    expect(ac.length).toBeGreaterThan(50);
    const why = /out of phase than in phase.*an open contact|sigma of its noise: no current flows \(an open contact or lead\)/;
    expect(ac.filter((r) => r.quality !== 'bad' || !why.test(r.why))).toEqual([]);
  });

  test('swapped leads give no number on either way, with that reason down to the conductivity', async () => {
    const { of } = await spoilt((w) => {
      w.probe.faults.swapped = true;
    });
    const why = /below zero by [\w ]+ sigma: the leads of voltage or of current are swapped/;
    for (const name of ['r.resistance', 'rho.resistivity', 'k.conductivity', 'ac.resistance'])
      expect(of(name)).toMatchObject({ quality: 'bad', why: expect.stringMatching(why) });
  });
});

describe('rigs/heated-resistivity', () => {
  test.each([1, 2])('seed %i: resistivity falls as the sample cools, in one session with its temperature', async (seed) => {
    const { lab, around } = await minute('heated-resistivity', seed);
    expect(lab.readings().filter((r) => r.quality === 'bad')).toEqual([]);
    const rho = lab.readings('rho.resistivity');
    expect(rho.length).toBeGreaterThan(80);
    for (const one of rho) expect(Math.abs(value(one) - around(one.t).rho)).toBeLessThan(bar(one));

    const [hot, cold] = [rho.reduce((a, b) => (value(a) > value(b) ? a : b)), rho.at(-1)];
    expect(around(hot.t).kelvin).toBeGreaterThan(2050);
    expect(around(cold?.t ?? 0).kelvin).toBeLessThan(1600);
    expect(value(cold) / value(hot)).toBeLessThan(0.82);
    // Second by second on the way down.
    const down = rho.filter((one) => one.t > hot.t + 3e6 && around(one.t).kelvin > 1600);
    const seconds = down.filter((_, i) => i % 4 === 0).map(value);
    expect(seconds.length).toBeGreaterThan(4);
    expect([...seconds].sort((a, b) => b - a)).toEqual(seconds);

    const k = lab.readings('k.conductivity');
    expect(k.length).toBeGreaterThan(80);
    const off = k.map((one) => {
      const { kelvin, rho: true_ } = around(one.t);
      const wanted = (LORENZ * kelvin) / true_;
      expect(Math.abs(value(one) - wanted)).toBeLessThan(bar(one));
      return value(one) / wanted - 1;
    });
    // Lorenz number and shape are as the rig says: what is left is noise and the pairing, which is far better than their bars.
    expect(Math.sqrt(off.reduce((s, x) => s + x * x, 0) / off.length)).toBeLessThan(0.006);
  });
});
