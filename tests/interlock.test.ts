/** Interlocks in a whole laboratory on virtual time: what breaks one makes its outputs safe, and nothing hazardous goes while it is broken. */
import { describe, expect, test } from 'vitest';
import type { Condition, Leaf } from '../src/condition.ts';
import type { Entry, OrderEntry } from '../src/entry.ts';
import type { SimulatedLink } from '../src/links/simulated.ts';
import type { Rig, RigInterlock } from '../src/rig.ts';
import { laboratory } from './laboratory.ts';
import { type ToyState, toyRig, toys } from './toys.ts';

const leaf = (more: Partial<Leaf> & Pick<Leaf, 'of' | 'test'>): Leaf => ({
  kind: 'V',
  hysteresis: 0,
  hold: 0,
  stale: 0.3,
  suspect: false,
  ...more,
});
const cold: Leaf = leaf({ of: 'sensor.level', test: { is: 'below', limit: 5 } });
const interlock = (when: Condition, more: Partial<RigInterlock> = {}): RigInterlock => ({
  name: 'cold',
  when,
  forbids: ['toy.output'],
  trips: ['toy.output'],
  latch: true,
  ...more,
});

function bench(list: readonly RigInterlock[], rest: Partial<Rig> = {}, before?: (state: (name: string) => ToyState) => void) {
  const links = new Map<string, SimulatedLink>();
  const rig = toyRig(['toy', 'sensor'], {}, { interlocks: list, ...rest });
  const lab = laboratory(rig, toys, {
    wrap(l, wire) {
      links.set(wire.key, l as SimulatedLink); // the laboratory's links are simulated ones
      return l;
    },
  });
  const state = (name: string): ToyState => lab.simulated.device(name)?.state as ToyState; // toys all
  before?.(state);
  lab.clock.advance(1);
  const ends: OrderEntry[] = [];
  const give = (instrument: string, command: string, written?: string | number | boolean): OrderEntry | undefined => {
    lab.host.order({ by: 'test', instrument, command, written }, (order) => ends.push(order));
    lab.clock.advance(0.5);
    return ends.at(-1);
  };
  const of = <K extends Entry['kind']>(kind: K) => lab.entries.filter((e): e is Extract<Entry, { kind: K }> => e.kind === kind);
  return {
    ...lab,
    ends,
    give,
    of,
    toy: state('toy'),
    sensor: state('sensor'),
    on(): void {
      expect(give('toy', 'output', true)?.outcome).toBe('done');
      expect(state('toy').output).toBe(true);
    },
    plug: (name: string, inserted: boolean) => links.get(name)?.plug(inserted),
    level: (name = 'cold') => lab.host.status().interlocks?.find((one) => one.name === name),
    words: () => of('alarm').map((e) => `${e.alarm.from}: ${e.alarm.text}`),
  };
}

describe('while it does not hold', () => {
  test('what it forbids is refused with the reason and the value; its safe value is not', () => {
    const b = bench([interlock(cold, { forbids: ['toy.output', 'toy.mode'] })]);
    b.sensor.level = 7;
    b.clock.advance(0.3);
    const refused = b.give('toy', 'output', true);
    expect(refused?.outcome).toBe('refused');
    expect(refused?.why).toMatch(/^the interlock "cold" does not hold: sensor\.level is 7.* V, not below 5/);
    expect(b.give('toy', 'mode', 'ac')?.outcome).toBe('refused'); // not hazardous, and forbidden all the same
    expect(b.give('toy', 'output', false)?.outcome).toBe('done');
    expect(b.toy.heard.map((h) => h.text)).toEqual(['OUT 0']);
    expect(b.level()).toMatchObject({ is: 'broken' });
    expect(b.level()?.latched).toBe(undefined); // nothing was on: nothing had to be made safe
    b.sensor.level = 3;
    b.clock.advance(0.5);
    b.on();
  });

  test('an output that is on is made safe at once, and stays forbidden until acknowledged by name', () => {
    const b = bench([interlock(cold, { guidance: 'wait until it is cold' })]);
    b.on();
    b.sensor.level = 6;
    b.clock.advance(0.15); // one poll
    expect(b.toy.output).toBe(false);
    expect(b.toy.heard.at(-1)?.text).toBe('OUT 0');
    expect(b.level()).toMatchObject({ is: 'broken', guidance: 'wait until it is cold' });
    expect(b.level()?.latched).toMatch(/^sensor\.level is 6/);
    expect(b.host.acknowledge('test', 'cold')).toMatch(/still does not hold: sensor\.level is 6/);
    b.sensor.level = 2;
    b.clock.advance(0.5);
    expect(b.give('toy', 'output', true)?.why).toMatch(/"cold" has tripped \(sensor\.level is 6.*\) and is latched; acknowledge it/);
    expect(b.host.acknowledge('test', 'warm')).toMatch(/^nothing waits under "warm"; known are cold/);
    expect(b.host.acknowledge('test', 'cold')).toBe(undefined);
    b.on();
  });

  test('without a latch it is allowed again when it holds again', () => {
    const b = bench([interlock(cold, { latch: false })]);
    b.on();
    b.sensor.level = 6;
    b.clock.advance(0.5);
    expect(b.toy.output).toBe(false);
    b.sensor.level = 2;
    b.clock.advance(0.5);
    b.on();
  });

  test('level-triggered: what is switched on at the instrument itself is switched off again, each time', () => {
    const b = bench([interlock(cold)]);
    b.sensor.level = 9;
    b.clock.advance(0.5);
    for (let i = 0; i < 3; i++) {
      b.toy.output = true;
      b.clock.advance(0.5);
      expect(b.toy.output).toBe(false);
    }
    expect(b.level()?.latched).toBeDefined();
  });

  test('a safe order that fails is given again, and nothing can be acknowledged before', () => {
    const b = bench([interlock(cold)]);
    b.on();
    b.toy.welded = true;
    b.sensor.level = 6;
    b.clock.advance(5);
    expect(b.toy.heard.filter((h) => h.text === 'OUT 0').length).toBeGreaterThan(3);
    b.sensor.level = 2;
    b.clock.advance(1);
    expect(b.host.acknowledge('test', 'cold')).toBe('a safe order has not been read back yet');
    b.toy.welded = false;
    b.clock.advance(2);
    expect(b.host.acknowledge('test', 'cold')).toBe(undefined);
  });
});

describe('every absence of its reading trips', () => {
  const cases: readonly (readonly [string, (b: ReturnType<typeof bench>) => void])[] = [
    ['silent', (b) => (b.sensor.dead = true)],
    ['unplugged', (b) => b.plug('sensor', false)],
    ['not a number', (b) => (b.sensor.level = Number.NaN)],
    ['beyond what is possible', (b) => (b.sensor.level = 1e6)],
    ['infinite', (b) => (b.sensor.level = Number.NEGATIVE_INFINITY)],
  ];
  for (const [name, fault] of cases) {
    test(name, () => {
      const b = bench([interlock(cold)]);
      b.on();
      fault(b);
      b.clock.advance(0.8);
      expect(b.toy.output).toBe(false);
      expect(b.level()?.is).not.toBe('holds');
      expect(b.level()?.latched).toBeDefined();
    });
  }

  test('stale: when the readings just end', () => {
    const b = bench([interlock({ ...cold, stale: 0.3 })], { instruments: toyRig(['toy', 'sensor'], {}).instruments });
    b.on();
    b.sensor.dead = true;
    b.clock.advance(0.6);
    expect(b.toy.output).toBe(false);
  });

  test('stuck, where the rig asks for a change', () => {
    const b = bench([interlock({ ...cold, stuck: 3 })]);
    b.sensor.level = 1;
    b.clock.advance(0.5);
    b.on();
    b.clock.advance(4);
    expect(b.toy.output).toBe(false);
    expect(b.level()?.why).toMatch(/has not changed for \d/);
  });

  test('an instrument that was never there: refused, with what is missing', () => {
    const b = bench([interlock(cold)], {}, (state) => {
      state('sensor').dead = true;
    });
    expect(b.give('toy', 'output', true)?.why).toMatch(/"cold" does not hold: sensor\.level/);
    expect(b.toy.heard).toEqual([]);
  });
});

test('safe orders go in the order of the rig, the next one when the one before is read back', () => {
  const b = bench([interlock(cold, { forbids: ['toy.output', 'sensor.output'], trips: ['sensor.output', 'toy.output'] })]);
  b.on();
  expect(b.give('sensor', 'output', true)?.outcome).toBe('done');
  b.sensor.level = 8;
  b.clock.advance(2);
  const first = b.sensor.heard.find((h) => h.text === 'OUT 0')?.t ?? Number.NaN;
  const second = b.toy.heard.find((h) => h.text === 'OUT 0')?.t ?? Number.NaN;
  expect(second).toBeGreaterThan(first);
  expect(second - first).toBeLessThan(0.25);
});

test('... and does not wait for one that does not answer', () => {
  const b = bench([interlock(cold, { forbids: ['toy.output', 'sensor.output'], trips: ['sensor.output', 'toy.output'] })]);
  b.on();
  expect(b.give('sensor', 'output', true)?.outcome).toBe('done');
  const t = b.clock.mono();
  b.sensor.dead = true; // its level goes with it
  b.clock.advance(1.5);
  expect(b.toy.output).toBe(false);
  const offs = b.toy.heard.filter((h) => h.text === 'OUT 0');
  expect(offs.length).toBe(1); // it was read back: only the other one is given again and again
  expect(offs[0].t - t).toBeLessThan(1);
});

test('an output found on at the start is taken over: nothing is written while its interlock is in order', () => {
  const b = bench([interlock(cold)], {}, (state) => {
    state('toy').output = true;
    state('sensor').level = 1;
  });
  b.clock.advance(20);
  expect(b.toy.heard).toEqual([]);
  expect(b.toy.output).toBe(true);
  expect(b.host.status().leases.find((l) => l.name === 'toy.output')?.active).toBe(true);
  expect(b.words()).toContain('toy.output: is on without an order of this run: watched under its lease from now on');
  b.sensor.level = 8;
  b.clock.advance(0.5);
  expect(b.toy.output).toBe(false);
});

test('one reading that passes does not make a broken one whole', () => {
  const b = bench([interlock(cold, { latch: false })]);
  b.sensor.level = 9;
  b.clock.advance(0.5);
  let wrong = 0;
  Object.defineProperty(b.sensor, 'level', { get: () => (wrong-- > 0 ? 1 : 9) });
  const levels = new Set<string | undefined>();
  for (let i = 0; i < 20; i++) {
    wrong = i % 5 === 4 ? 1 : 0; // one reply in a row, as a flipped bit would show it
    b.clock.advance(0.1);
    levels.add(b.level()?.is);
  }
  expect([...levels]).toEqual(['broken']);
  wrong = 3;
  b.clock.advance(0.3);
  expect(b.of('interlock').some((e) => e.interlock.is === 'holds' && e.t > b.clock.now() - 4e5)).toBe(true);
});

test('its changes are in the session, with their reasons', () => {
  const b = bench([interlock(cold)]);
  b.on();
  b.sensor.level = 6;
  b.clock.advance(0.5);
  const changes = b.of('interlock').map((e) => `${e.interlock.is}${e.interlock.latched === undefined ? '' : ' latched'}`);
  expect(changes).toEqual(['holds', 'broken', 'broken latched']);
  expect(b.words().filter((w) => w.startsWith('toy.output:'))).toEqual([
    expect.stringMatching(/^toy\.output: interlock cold: sensor\.level is 6/),
  ]);
});

describe('what is no fault of an input', () => {
  test('one reply with several readings is looked at when all of them are there', () => {
    // Both channels of one instrument: stale would be the one that is taken last.
    const both: Condition = {
      all: [
        leaf({ of: 'sensor.level', test: { is: 'below', limit: 5 }, stale: 0.3 }),
        leaf({ of: 'sensor.bias', test: { is: 'below', limit: 5 }, stale: 0.3 }),
      ],
    };
    const b = bench([interlock(both)]);
    b.on();
    b.clock.advance(10);
    expect(b.level()?.is).toBe('holds');
  });

  test('a loop that stood still for a moment reads what has come before it calls anything absent', () => {
    const b = bench([interlock({ ...cold, stale: 0.3 })]);
    b.on();
    b.clock.stall(0.4);
    b.clock.advance(1);
    expect(b.of('interlock').map((e) => e.interlock.is)).toEqual(['holds']);
    expect(b.toy.output).toBe(true);
  });

  test('... once: with nothing to read it trips all the same', () => {
    const b = bench([interlock({ ...cold, stale: 0.3 })]);
    b.on();
    b.sensor.dead = true;
    for (let i = 0; i < 8; i++) {
      b.clock.stall(0.1);
      b.clock.advance(0.03);
    }
    expect(b.toy.output).toBe(false);
  });

  test('a safe order on the link of an input breaks nothing by itself', () => {
    const b = bench([interlock(cold)]);
    b.on();
    for (let i = 0; i < 30; i++) {
      b.give('sensor', 'output', false);
      b.clock.advance(0.037);
    }
    expect(b.of('interlock').map((e) => e.interlock.is)).toEqual(['holds']);
    expect(b.toy.output).toBe(true);
    const bad = b.readings('sensor.level').filter((r) => r.quality === 'bad');
    expect(bad).toEqual([]);
  });
});
