/** A watchdog holds outputs beside the guardian: set and read back before the first hazardous byte, fed by evidence alone. */
import { expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import type { OrderEntry } from '../src/entry.ts';
import type { Rig } from '../src/rig.ts';
import { laboratory } from './laboratory.ts';
import { type ToyState, toyRig, toySimulator, toys } from './toys.ts';

interface Board {
  relay: boolean;
  timeout: number;
  trip: string;
  contact: Record<string, boolean>;
}

const all = await catalogue();

/** A toy whose output a dead-man board holds. */
function bench(more: Partial<Rig['instruments'][number]> = {}) {
  const lease = { longest: 3600, deadline: 0.8, then: 'safe' } as const;
  const base = toyRig(['toy'], { leases: { output: { ...lease, heldBy: 'guard' } } });
  const guard: Rig['instruments'][number] = {
    name: 'guard',
    model: 'bridgman-deadman',
    links: { main: { wire: 'guard', address: 'simulated' } },
    options: {},
    every: {},
    limits: {},
    leases: { relay: lease },
    simulate: {},
    ...more,
  };
  const known = {
    instruments: new Map([...toys.instruments, ...all.instruments]),
    simulators: new Map([...toys.simulators, ['toy', toySimulator] as const, ...all.simulators]),
  };
  const lab = laboratory({ ...base, instruments: [...base.instruments, guard] }, known);
  lab.clock.advance(2);
  const ends: OrderEntry[] = [];
  const give = (instrument: string, command: string, written: boolean): OrderEntry | undefined => {
    lab.host.order({ by: 'test', instrument, command, written }, (order) => ends.push(order));
    lab.clock.advance(1);
    return ends.at(-1);
  };
  return {
    ...lab,
    give,
    toy: lab.simulated.device('toy')?.state as ToyState,
    board: lab.simulated.device('guard')?.state as Board,
    lease: (name: string) => lab.host.status().leases.find((l) => l.name === name),
    words: () => lab.entries.flatMap((e) => (e.kind === 'alarm' ? [`${e.alarm.from}: ${e.alarm.text}`] : [])),
  };
}

test('it is set to the lease and read back before the output is switched on, and the display says who holds it', () => {
  const b = bench();
  expect(b.board.timeout).toBe(0);
  expect(b.give('toy', 'output', true)?.outcome).toBe('done');
  expect(b.board.timeout).toBe(800);
  expect(b.lease('toy.output')).toMatchObject({ active: true, holder: 'guard (watchdog 0.8 s) and the test' });
  expect(b.give('guard', 'relay', true)?.outcome).toBe('done');
  b.clock.advance(60);
  expect(b.board.relay).toBe(true); // fed all the time
  expect(b.give('guard', 'relay', false)?.outcome).toBe('done');
  expect(b.board.timeout).toBe(800); // the toy is still on
  expect(b.give('toy', 'output', false)?.outcome).toBe('done');
  b.clock.advance(1);
  expect(b.board.timeout).toBe(0);
});

test('without evidence of one output that it holds it is not fed, and opens by itself', () => {
  const b = bench();
  expect(b.give('guard', 'relay', true)?.outcome).toBe('done');
  expect(b.give('toy', 'output', true)?.outcome).toBe('done');
  b.toy.dead = true;
  b.toy.welded = true;
  b.clock.advance(2);
  expect(b.board.relay).toBe(false);
  expect(b.board.trip).toBe('heartbeat');
});

test('a host that stands still does not feed it', () => {
  const b = bench();
  expect(b.give('guard', 'relay', true)?.outcome).toBe('done');
  b.clock.stall(1.5);
  b.clock.advance(0.001);
  expect(b.board.relay).toBe(false);
  expect(b.board.trip).toBe('heartbeat');
});

test('where it cannot be set the output is not switched on', () => {
  const b = bench({ simulate: { door: 'open' } });
  const refused = b.give('toy', 'output', true);
  expect(refused?.outcome).toBe('refused');
  expect(refused?.why).toMatch(/^the watchdog of guard could not be set: .*open \(door\)/);
  expect(b.toy.heard).toEqual([]);
});

test('what its board has switched off is seen, said, and can be ordered again', () => {
  const b = bench();
  expect(b.give('guard', 'relay', true)?.outcome).toBe('done');
  b.board.contact.door = false;
  b.clock.advance(1);
  expect(b.board.relay).toBe(false);
  expect(b.words()).toContain('guard.relay: is off by itself');
  expect(b.lease('guard.relay')?.active).toBe(false);
  b.board.contact.door = true;
  b.clock.advance(1);
  expect(b.give('guard', 'relay', true)?.outcome).toBe('done');
});

test('after its board has tripped it is set anew with the next order, also while it holds another output', () => {
  const b = bench();
  expect(b.give('guard', 'relay', true)?.outcome).toBe('done');
  expect(b.give('toy', 'output', true)?.outcome).toBe('done');
  b.board.contact.door = false;
  b.clock.advance(1);
  expect(b.board.relay).toBe(false);
  expect(b.words()).toContain('guard: its watchdog is not set any more: it has tripped, or was reset');
  b.board.contact.door = true;
  b.clock.advance(1);
  expect(b.give('guard', 'relay', true)).toMatchObject({ outcome: 'done' });
  expect(b.board.timeout).toBe(800);
});
