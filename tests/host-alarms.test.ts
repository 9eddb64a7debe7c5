/** Alarms of a whole laboratory on virtual time: what the rig declares, what is latched, and who acknowledges what. */
import { expect, test } from 'vitest';
import type { Leaf } from '../src/condition.ts';
import type { AlarmState, OrderEntry } from '../src/entry.ts';
import type { Rig } from '../src/rig.ts';
import { laboratory } from './laboratory.ts';
import { type ToyState, toyRig, toys } from './toys.ts';

const level = (limit: number, is: 'above' | 'below'): Leaf => ({
  of: 'sensor.level',
  kind: 'V',
  test: { is, limit },
  hysteresis: 0,
  hold: 0,
  stale: 0.5,
  suspect: false,
});

function bench(rest: Partial<Rig>) {
  const lab = laboratory(toyRig(['toy', 'sensor'], {}, rest), toys);
  lab.clock.advance(1);
  const state = (name: string): ToyState => lab.simulated.device(name)?.state as ToyState; // toys all
  const ends: OrderEntry[] = [];
  return {
    ...lab,
    toy: state('toy'),
    sensor: state('sensor'),
    order(command: string, written: boolean): OrderEntry | undefined {
      lab.host.order({ by: 'test', instrument: 'toy', command, written }, (order) => ends.push(order));
      lab.clock.advance(1);
      return ends.at(-1);
    },
    alarm: (name: string): AlarmState | undefined => lab.host.status().alarms?.find((one) => one.name === name),
    names: () => lab.host.status().alarms?.map((one) => one.name) ?? [],
  };
}

const hot: Rig['alarms'] = [
  {
    name: 'hot',
    levels: [
      { severity: 'warning', when: level(5, 'above') },
      { severity: 'critical', when: level(8, 'above') },
    ],
    delay: 0,
    latch: true,
    guidance: 'lower it',
  },
];

test('a limit raises its alarm, keeps the highest severity, and waits for a person after it has gone', () => {
  const b = bench({ alarms: hot });
  expect(b.names()).toEqual([]);
  b.sensor.level = 9;
  b.clock.advance(1);
  expect(b.alarm('hot')).toMatchObject({ now: 'critical', severity: 'critical', unacknowledged: true, guidance: 'lower it' });
  b.sensor.level = 6;
  b.clock.advance(1);
  expect(b.alarm('hot')).toMatchObject({ now: 'warning', severity: 'critical' });
  b.sensor.level = 1;
  b.clock.advance(1);
  expect(b.alarm('hot')).toMatchObject({ severity: 'critical', unacknowledged: true });
  expect(b.alarm('hot')?.now).toBe(undefined);
  expect(b.host.acknowledge('anna', 'hot')).toBe(undefined);
  expect(b.names()).toEqual([]);
  expect(b.entries.some((e) => e.kind === 'alarm-state' && e.state.name === 'hot' && e.state.acknowledged?.by === 'anna')).toBe(true);
});

test('silence of the sensor is an alarm of its own: acknowledging it leaves the other', () => {
  const b = bench({ alarms: hot });
  b.sensor.level = 6;
  b.clock.advance(2);
  b.sensor.dead = true;
  b.clock.advance(30);
  expect(b.alarm('hot')).toMatchObject({ unacknowledged: true });
  const silent = b.names().filter((name) => name !== 'hot');
  expect(silent.length).toBeGreaterThan(0);
  for (const name of silent) b.host.acknowledge('anna', name);
  expect(b.alarm('hot')).toMatchObject({ unacknowledged: true });
});

test('a trip is a critical alarm, named after what is latched; one acknowledgement settles both', () => {
  const b = bench({
    interlocks: [{ name: 'cold', when: level(5, 'below'), forbids: ['toy.output'], trips: ['toy.output'], latch: true }],
  });
  expect(b.order('output', true)?.outcome).toBe('done');
  b.sensor.level = 7;
  b.clock.advance(1);
  expect(b.toy.output).toBe(false);
  expect(b.alarm('trip cold')).toMatchObject({ now: 'critical', unacknowledged: true });
  expect(b.host.acknowledge('anna', 'cold')).toMatch(/still does not hold/);
  expect(b.alarm('trip cold')).toMatchObject({ unacknowledged: true });
  b.sensor.level = 1;
  b.clock.advance(1);
  expect(b.host.acknowledge('anna', 'cold')).toBe(undefined);
  b.clock.advance(1);
  expect(b.names()).toEqual([]);
  expect(b.order('output', true)?.outcome).toBe('done');
});

test('the alarm of a trip can be acknowledged before; the latch stays', () => {
  const b = bench({});
  expect(b.order('output', true)?.outcome).toBe('done');
  b.host.stop('stop by anna');
  b.clock.advance(1);
  expect(b.host.acknowledge('anna', 'trip stop')).toBe(undefined);
  expect(b.order('output', true)?.why).toBe('latched after a safe action (stop: stop by anna); acknowledge first');
  expect(b.host.acknowledge('anna')).toBe(undefined); // the only one
  expect(b.order('output', true)?.outcome).toBe('done');
});

test('several latches and no name: they are listed, and nothing is let go', () => {
  const b = bench({
    interlocks: [{ name: 'cold', when: level(5, 'below'), forbids: ['toy.output'], trips: ['toy.output'], latch: true }],
  });
  expect(b.order('output', true)?.outcome).toBe('done');
  b.sensor.level = 7;
  b.clock.advance(1);
  b.host.stop('stop by anna');
  b.sensor.level = 1;
  b.clock.advance(1);
  expect(b.host.acknowledge('anna')).toBe('several things wait: name one of stop, cold, or all');
  expect(b.host.acknowledge('anna', undefined, true)).toBe(undefined);
  expect(b.order('output', true)?.outcome).toBe('done');
  expect(b.host.acknowledge('anna', 'nonsense')).toMatch(/"nonsense"/);
});

test('what stood unacknowledged when the last run ended stands again', () => {
  const before = bench({ alarms: hot });
  before.sensor.level = 9;
  before.clock.advance(1);
  before.sensor.level = 1;
  before.clock.advance(1);
  const restored = before.host.status().alarms ?? [];
  expect(restored.map((one) => one.name)).toEqual(['hot']);
  const after = laboratory(toyRig(['toy', 'sensor'], {}, { alarms: hot }), toys, { restored });
  after.clock.advance(5);
  expect(after.host.status().alarms).toMatchObject([{ name: 'hot', severity: 'critical', unacknowledged: true }]);
});

test('shelved: quiet for its time, with its reason', () => {
  const b = bench({ alarms: hot });
  b.sensor.level = 6;
  b.clock.advance(1);
  expect(b.host.shelve('anna', 'hot', 60, 'the sensor is being exchanged')).toBe(undefined);
  expect(b.alarm('hot')?.shelved).toMatchObject({ by: 'anna', why: 'the sensor is being exchanged' });
  b.clock.advance(61);
  expect(b.alarm('hot')?.shelved).toBe(undefined);
  expect(b.alarm('hot')).toMatchObject({ now: 'warning', unacknowledged: true });
  expect(b.host.shelve('anna', 'hott', 60, 'x')).toMatch(/hot/);
});
