/** The rig of docs/high-voltage.md: what ramps, what keeps, and what a trip and a door do to it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { highVoltage } from '../../simulators/worlds/high-voltage.ts';
import { catalogue } from '../../src/catalogue.ts';
import { virtualClock } from '../../src/clock.ts';
import { safeMaker } from '../../src/guardian/make-safe.ts';
import { simulatedLink } from '../../src/links/simulated.ts';
import { methods } from '../../src/methods.ts';
import { loadRig, printed } from '../../src/rig.ts';
import { universe } from '../../src/simulate.ts';
import { tripTest } from '../../src/trip-test.ts';
import { keeperHere, laboratory } from '../laboratory.ts';
import { prepared } from '../prepared.ts';

const page = readFileSync(resolve(import.meta.dirname, '../../docs/high-voltage.md'), 'utf8');
const [, yaml = ''] = /`my-rig\/rig\.yaml`\s+```yaml\n(.*?)^```$/ms.exec(page) ?? [];
const folder = mkdtempSync(join(tmpdir(), 'bridgman-high-voltage-'));
afterAll(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'rig.yaml'), yaml);
const known = await catalogue();
const loaded = await loadRig(folder, known, methods);

function bench() {
  if (!loaded.ok) throw new Error(loaded.messages.map(printed).join('\n'));
  const keeper = keeperHere();
  const lab = laboratory(loaded.rig, known, { keeper });
  lab.clock.advance(12);
  const world = lab.simulated.universe.of(highVoltage);
  const door = lab.simulated.device('guard')?.state as { contact: Record<string, boolean> }; // of the board's simulator
  const value = (channel: string, index: number) => lab.readings(channel).findLast((r) => r.index === index);
  const shows = (channel: string, index: number) => {
    const r = value(channel, index);
    return r === undefined || r.quality === 'bad' ? r?.why : r.value;
  };
  const order = (instrument: string, command: string, written: string | number | boolean, index: number) => {
    let end: string | undefined;
    lab.host.order({ by: 'test', instrument, command, written, index }, (o) => {
      end = `${o.outcome}${o.why === undefined ? '' : `: ${o.why}`}`;
    });
    lab.clock.advance(4);
    return end;
  };
  const up = (): void => {
    expect(order('hv', 'voltage', '1200 V', 3)).toBe('done');
    expect(order('hv', 'on', true, 3)).toBe('done');
    expect(order('veto', 'voltage', '1 kV', 1)).toBe('done');
    lab.clock.advance(30);
    expect(shows('hv.voltage', 3)).toBeCloseTo(1200, 0);
    expect(shows('veto.voltage', 1)).toBeCloseTo(1000, 0);
  };
  const lease = (name: string) => lab.host.status().leases.find((one) => one.name === name);
  return { ...lab, keeper, world, door, shows, order, up, lease };
}

describe('the rig of the page', () => {
  test('is without a complaint', () => {
    expect(loaded.ok ? loaded.warnings : loaded.messages.map(printed)).toEqual([]);
  });

  test('goes up under its leases, one for each channel, and stays up', () => {
    const b = bench();
    b.up();
    expect(b.lease('hv.voltage[3]')).toMatchObject({ active: true });
    expect(b.lease('hv.on[3]')).toMatchObject({ active: true });
    expect(b.lease('veto.voltage[1]')).toMatchObject({ active: true });
    expect(b.lease('hv.on[2]')?.active).not.toBe(true);
    expect(b.order('hv', 'voltage', '1501 V', 3)).toContain('refused: 1.501 kV is outside of the limits');
    b.clock.advance(120);
    expect(b.shows('hv.on', 3)).toBe(true);
    expect(b.lease('hv.on[3]')).toMatchObject({ active: true });
  });

  test('a door takes all of it down, at the ramps', () => {
    const b = bench();
    b.up();
    b.door.contact.door = false;
    b.clock.advance(4);
    expect([b.shows('hv.set_voltage', 3), b.shows('hv.on', 3), b.shows('veto.set_voltage', 1)]).toEqual([0, false, 0]);
    expect(b.shows('hv.ramping_down', 3)).toBe(true);
    expect(b.shows('hv.voltage', 3)).toBeGreaterThan(900);
    expect(b.shows('veto.status', 1)).toBe('ramping down');
    b.clock.advance(30);
    expect([b.shows('hv.voltage', 3), b.shows('veto.voltage', 1)]).toEqual([0, 0]);
    expect(b.order('hv', 'on', true, 3)).toContain('refused');
  });

  test('without a guardian the host ramps by itself', () => {
    const b = bench();
    b.up();
    b.keeper.dead = true;
    b.clock.advance(5);
    expect([b.shows('hv.set_voltage', 3), b.shows('hv.on', 3)]).toEqual([0, false]);
    expect(b.shows('hv.voltage', 3)).toBeGreaterThan(700);
  });

  test('a trip ends the lease, and the alarm says so', () => {
    const b = bench();
    expect(b.order('hv', 'current_limit', '400 uA', 3)).toBe('done');
    b.up();
    b.world.output('hv[3]').spark = { ohms: 1e5, seconds: 30 };
    b.clock.advance(15);
    expect([b.shows('hv.tripped', 3), b.shows('hv.on', 3), b.shows('hv.status', 3)]).toEqual([true, false, 'tripped']);
    expect(b.lease('hv.on[3]')?.active).not.toBe(true);
    expect(b.entries.some((e) => e.kind === 'alarm' && e.alarm.from === 'hv.on[3]' && e.alarm.text === 'is off by itself')).toBe(true);
  });

  test('the trip test finds nothing that does not act', () => {
    if (!loaded.ok) throw new Error('see above');
    const results = [...tripTest(loaded.rig, known, { faults: ['value', 'stale', 'garbled'] })];
    expect(results.flatMap((r) => r.failures)).toEqual([]);
    expect(results.filter((r) => r.outcome === 'tripped').length).toBeGreaterThan(4);
  }, 60_000);
});

describe.each(['DT8033', 'NDT1470', 'DT5533E'])('the guardian and a %s', (model) => {
  test('goes to zero at the ramp, over a link of its own', () => {
    const clock = virtualClock();
    const all = universe(1, clock);
    const simulator = known.simulators.get('caen-hv');
    if (!simulator) throw new Error('it is there');
    const device = all.device('hv', simulator, simulator.options.parse({ model }));
    const state = device.state as { channels: { vset: number; on: boolean; powerDown: string }[] };
    Object.assign(state.channels[1], { vset: 1000, on: true, powerDown: 'KILL' });
    const output = all.of(highVoltage).output('hv[1]');
    clock.advance(30);
    all.settle();
    expect(output.volts).toBeCloseTo(1000, 0);
    const id = {
      ...{ family: model === 'DT8033' ? '803x' : model === 'NDT1470' ? 'N14xx' : 'DT55xx', name: model, serial: '', firmware: '' },
      count: state.channels.length,
      ...{ all: state.channels.length, ...(model === 'NDT1470' ? { board: 0 } : {}) },
      spelled: { VSET: 'VSET', ISET: 'ISET', VMON: 'VMON', IMON: 'IMON', PDWN: 'PDWN', STAT: model === 'DT8033' ? 'STATUS' : 'STAT' },
      limits: { VSET: { most: 4000, decimals: 1 } },
    };
    const maker = safeMaker({ catalogue: known, clock, open: () => simulatedLink([device.ports.main], clock) });
    const more = { model: 'caen-hv', id, index: 1, links: { main: 'wire' }, options: {} };
    const round = maker.begin([prepared('hv.on[1]', { ...more, command: 'on' })], () => {});
    clock.advance(4);
    expect(round.left).toEqual([]);
    round.end();
    all.settle();
    expect(state.channels[1]).toMatchObject({ on: false, powerDown: 'RAMP' });
    expect(output.volts).toBeGreaterThan(700);
    expect(output.volts).toBeLessThan(1000);
  });
});

test('a supply of more volts than the simulated one is chosen by "simulate", and the check says so', async () => {
  const wide = yaml.replace('limits: { voltage: [0 V, 1500 V] }', 'limits: { voltage: [0 V, 6000 V] }');
  const at = async (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return loadRig(join(folder, name), known, methods);
  };
  const refused = await at('wide.yaml', wide);
  expect(refused.ok ? [] : refused.messages.map(printed)).toEqual([
    expect.stringMatching(/"6000 V" is wider than what caen-hv allows \(0 V to 4 kV\).*of which unit, "simulate" says: model, /),
  ]);
  expect(await at('own.yaml', wide.replace('model: caen-hv', 'model: caen-hv\n    simulate: { model: NDT1470 }'))).toMatchObject({
    ok: true,
  });
});
