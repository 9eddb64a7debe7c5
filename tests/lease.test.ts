/** A hazardous output is on only while a keeper lives, the evidence is fresh, and its time is not over; afterwards a person acknowledges. */
import { describe, expect, test } from 'vitest';
import { virtualClock } from '../src/clock.ts';
import type { OrderEntry } from '../src/entry.ts';
import { type LeaseSpec, leases } from '../src/lease.ts';
import type { SimulatedLink } from '../src/links/simulated.ts';
import { keeperHere, laboratory } from './laboratory.ts';
import { type ToyState, toyRig, toys } from './toys.ts';

function bench(more: Parameters<typeof toyRig>[1] = {}) {
  let link: SimulatedLink | undefined;
  const keeper = keeperHere();
  const lab = laboratory(toyRig(['toy'], more), toys, {
    keeper,
    wrap(l) {
      link = l as SimulatedLink; // the laboratory's links are simulated ones
      return l;
    },
  });
  lab.clock.advance(1);
  const toy = lab.simulated.device('toy')?.state as ToyState; // the toy's own state
  const ends: OrderEntry[] = [];
  const give = (command: string, written?: string | number | boolean, index?: number): void =>
    lab.host.order({ by: 'test', instrument: 'toy', command, written, index }, (order) => ends.push(order));
  return {
    ...lab,
    keeper,
    toy,
    ends,
    give,
    on(): void {
      give('output', true);
      lab.clock.advance(1);
      expect(ends.at(-1)?.outcome).toBe('done');
      expect(toy.output).toBe(true);
    },
    last: () => ends.at(-1),
    plug: (inserted: boolean) => link?.plug(inserted),
    lease: (name = 'toy.output') => lab.host.status().leases.find((l) => l.name === name),
  };
}

describe('no hazardous output', () => {
  test('without a lease', () => {
    const b = bench({ leases: {} });
    b.give('output', true);
    expect(b.last()).toMatchObject({ outcome: 'refused' });
    expect(b.last()?.why).toContain('toy.output is hazardous and the rig gives it no lease');
    b.give('output', false);
    b.clock.advance(1);
    expect(b.last()?.outcome).toBe('done'); // safe needs none
    expect(b.toy.heard.map((h) => h.text)).toEqual(['OUT 0']);
  });

  test('with a dead keeper; a safe order goes all the same', () => {
    const b = bench();
    b.keeper.dead = true;
    b.give('output', true);
    expect(b.last()).toMatchObject({ outcome: 'refused', why: 'the guardian does not answer: no hazardous output without it' });
    b.give('output', false);
    b.clock.advance(1);
    expect(b.last()?.outcome).toBe('done');
  });

  test('before the keeper has confirmed, or when it says no', () => {
    const b = bench();
    let confirm: ((why?: string) => void) | undefined;
    b.keeper.arm = (_, armed) => {
      confirm = armed;
    };
    b.give('output', true);
    b.clock.advance(1);
    expect(b.toy.heard).toEqual([]);
    confirm?.('it has no port');
    b.clock.advance(1);
    expect(b.last()).toMatchObject({ outcome: 'refused', why: 'it has no port' });
    b.give('output', true);
    b.clock.advance(1);
    confirm?.();
    b.clock.advance(1);
    expect(b.last()?.outcome).toBe('done');
  });

  test('when the keeper dies while it confirms: nothing is sent and no lease stays behind', () => {
    const b = bench();
    let confirm: ((why?: string) => void) | undefined;
    b.keeper.arm = (_, armed) => {
      confirm = armed;
    };
    b.give('output', true);
    b.keeper.dead = true;
    confirm?.();
    b.clock.advance(0.01);
    expect(b.last()).toMatchObject({ outcome: 'refused', why: 'the guardian does not answer: no hazardous output without it' });
    expect(b.lease()?.active).toBe(false);
    b.clock.advance(5);
    expect(b.toy.heard.filter((h) => h.text === 'OUT 1')).toEqual([]);
  });

  test('that waited while everything was stopped', () => {
    const b = bench();
    b.give('ramp', 4);
    b.give('output', true);
    b.clock.advance(0.5);
    b.host.stop('stop by a person');
    b.clock.advance(1);
    expect(b.host.acknowledge('test')).toBe(undefined);
    b.clock.advance(10);
    expect(b.toy.heard.filter((h) => h.text === 'OUT 1')).toEqual([]);
    expect(b.ends.find((o) => o.command === 'output')).toMatchObject({ outcome: 'expired', why: 'stop by a person' });
  });

  test('from an order in doubt: no answer to it makes it safe', () => {
    const b = bench();
    b.give('output', true);
    b.toy.dead = true;
    b.clock.advance(1.2);
    b.toy.dead = false;
    b.clock.advance(10);
    expect(b.ends[0].outcome).toBe('unknown');
    expect(b.host.status().latched).toMatch(/^toy.output: order in doubt: no answer/);
    expect(b.toy.output).toBe(false);
    expect(b.toy.heard.at(-1)?.text).toBe('OUT 0');
  });
});

describe('evidence', () => {
  test('good fresh readings renew; the lease runs as long as they come', () => {
    const b = bench();
    b.on();
    b.clock.advance(30);
    expect(b.toy.output).toBe(true);
    expect(b.lease()).toMatchObject({ active: true, holder: 'test' });
    expect(b.lease()?.evidence).toBeLessThan(0.2);
    expect(b.lease()?.left).toBeCloseTo(29, 0);
    expect(b.keeper.beats.at(-1)).toEqual(['toy.output']);
  });

  test('bad readings are none: safe after the deadline, and the reason is said', () => {
    const b = bench();
    b.on();
    b.toy.unsure = true;
    const t = b.clock.mono();
    b.clock.advance(0.9);
    expect(b.toy.output).toBe(true);
    b.clock.advance(0.4);
    expect(b.toy.output).toBe(false);
    const off = b.toy.heard.at(-1);
    expect(off?.text).toBe('OUT 0');
    expect((off?.t ?? 0) - t).toBeLessThan(1.2);
    expect(b.host.status().latched).toBe('toy.output: no good reading of toy.output for 1 s');
  });

  test('another channel of the instrument is none', () => {
    const b = bench({ every: { output: 5 } });
    b.on();
    b.clock.advance(1.5);
    expect(b.toy.output).toBe(false);
  });

  test('a reading that was old when it came is none; one of another index neither', () => {
    const clock = virtualClock();
    const spec: LeaseSpec = {
      instrument: 'hv',
      command: 'bias',
      count: 3,
      longest: 100,
      deadline: 1,
      then: 'safe',
      evidence: 'hv.bias',
    };
    const tripped: string[] = [];
    const all = leases(
      [spec],
      clock,
      keeperHere(),
      (one, why) => tripped.push(`${one.index} ${why}`),
      () => {},
    );
    all.arm('hv', 'bias', 1, () => {});
    const reading = { from: 'hv.bias', kind: 'V', quality: 'good', value: 1, seq: 0, origin: 'simulator' } as const;
    for (let i = 0; i < 20; i++) {
      clock.advance(0.1);
      all.see({ ...reading, index: 1, t: clock.now() });
    }
    expect(tripped).toEqual([]);
    for (let i = 0; i < 12; i++) {
      clock.advance(0.1);
      all.see({ ...reading, index: 2, t: clock.now() });
      all.see({ ...reading, index: 1, t: clock.now() - 5e6 });
    }
    expect(tripped).toEqual(['1 no good reading of hv.bias for 1 s']);
  });

  test('a standstill: nothing else goes on a link before its own safe order, which may wait for its turn', () => {
    const clock = virtualClock();
    const spec = (instrument: string, order: number): LeaseSpec => ({
      instrument,
      command: 'output',
      order,
      longest: 100,
      deadline: 1,
      then: 'safe',
      evidence: `${instrument}.output`,
    });
    const safe = new Map<string, () => void>();
    const all = leases(
      [spec('laser', 0), spec('shutter', 1), spec('gas', 2)],
      clock,
      keeperHere(),
      (one, _why, done) => {
        expect(all.stalled([one.instrument])).toBe(false); // its bytes go now, and its readback after them
        safe.set(one.instrument, done);
      },
      () => {},
    );
    for (const name of ['laser', 'shutter', 'gas']) all.arm(name, 'output', undefined, () => {});
    clock.advance(0.5);
    clock.stall(6);
    expect(all.stalled(['nobody'])).toBe(true); // not noticed yet: nothing goes anywhere
    clock.advance(0.01);
    const shut = (): readonly string[] => ['laser', 'shutter', 'gas', 'nobody'].filter((name) => all.stalled([name]));
    expect([...safe.keys()]).toEqual(['laser']);
    expect(shut()).toEqual(['shutter', 'gas']);
    expect(all.stalled(['laser', 'gas'])).toBe(false); // they share a link, and its first byte was safe
    safe.get('laser')?.();
    expect(shut()).toEqual(['gas']);
    clock.advance(0.26); // the shutter has not answered
    expect([...safe.keys()]).toEqual(['laser', 'shutter', 'gas']);
    expect(shut()).toEqual([]);
  });

  test('the keeper dies while it is on', () => {
    const b = bench();
    b.on();
    b.keeper.dead = true;
    b.clock.advance(0.2);
    expect(b.toy.output).toBe(false);
    expect(b.host.status().latched).toBe('toy.output: the guardian does not answer');
  });

  test('the longest on-time is over, however good the evidence', () => {
    const b = bench({ leases: { output: { longest: 5, deadline: 1, then: 'safe' } } });
    b.on();
    b.clock.advance(3.8);
    expect(b.toy.output).toBe(true);
    b.clock.advance(0.4);
    expect(b.toy.output).toBe(false);
    expect(b.host.status().latched).toBe('toy.output: its longest on-time of 5 s is over');
  });

  test('a second order does not begin the time anew', () => {
    const b = bench({ leases: { output: { longest: 5, deadline: 1, then: 'safe' } } });
    b.on();
    b.clock.advance(3);
    b.give('output', true);
    b.clock.advance(1.5);
    expect(b.toy.output).toBe(false);
  });

  test('a safe order that has been read back ends the lease without an alarm', () => {
    const b = bench();
    b.on();
    b.give('output', false);
    b.clock.advance(1);
    expect(b.lease()?.active).toBe(false);
    b.clock.advance(100);
    expect(b.host.status().latched).toBe(undefined);
  });
});

describe('trip, latch, acknowledge', () => {
  test('safe orders repeat until read back; nothing can be acknowledged before', () => {
    const b = bench();
    b.on();
    b.toy.welded = true;
    b.host.stop('stop by a person');
    b.clock.advance(5);
    const tries = b.toy.heard.filter((h) => h.text === 'OUT 0').length;
    expect(tries).toBeGreaterThanOrEqual(4);
    expect(b.host.acknowledge('test')).toBe('a safe order has not been read back yet');
    b.toy.welded = false;
    b.clock.advance(3);
    expect(b.toy.output).toBe(false);
    const after = b.toy.heard.length;
    b.clock.advance(20);
    expect(b.toy.heard.length).toBe(after);
    b.give('output', true);
    expect(b.last()).toMatchObject({
      outcome: 'refused',
      why: 'latched after a safe action (stop: stop by a person); acknowledge first',
    });
    expect(b.host.acknowledge('test')).toBe(undefined);
    b.on();
  });

  test('an instrument that is unplugged is made safe when it comes back', () => {
    const b = bench();
    b.on();
    b.plug(false);
    b.clock.advance(8);
    expect(b.host.status().latched).toBeDefined();
    expect(b.toy.output).toBe(true); // nobody can reach it
    b.toy.heard.length = 0;
    const t = b.clock.mono();
    b.plug(true);
    b.clock.advance(5);
    expect(b.toy.output).toBe(false);
    expect(b.toy.heard[0]?.text).toBe('OUT 0');
    expect((b.toy.heard[0]?.t ?? 99) - t).toBeLessThan(1);
    b.clock.advance(10);
    expect(b.lease()?.active).toBe(false);
  });

  test('stop reaches every output, each index of a list, on or not', () => {
    const b = bench();
    b.on();
    b.give('bias', 5, 1);
    b.clock.advance(1);
    expect(b.toy.bias).toEqual([0, 5, 0]);
    expect(b.lease('toy.bias[1]')?.active).toBe(true);
    b.toy.heard.length = 0;
    b.host.stop('stop by a person');
    b.clock.advance(2);
    expect(b.toy.output).toBe(false);
    expect(b.toy.bias).toEqual([0, 0, 0]);
    expect(b.toy.heard.map((h) => h.text).sort()).toEqual(['BIAS 0 0', 'BIAS 1 0', 'BIAS 2 0', 'OUT 0']);
    expect(b.host.status().leases.filter((l) => l.active)).toEqual([]);
    b.clock.advance(20);
    expect(b.toy.heard.length).toBe(4);
  });

  test('at the end of the program everything is safe and read back before the links close', () => {
    const b = bench();
    b.on();
    b.give('bias', 5, 2);
    b.clock.advance(1);
    let unsafe: readonly string[] | undefined;
    b.host.close(3, (left) => {
      unsafe = left;
    });
    b.give('output', true);
    expect(b.last()).toMatchObject({ outcome: 'refused', why: 'the program ends: nothing hazardous any more' });
    b.clock.advance(3);
    expect(unsafe).toEqual([]);
    expect([b.toy.output, b.toy.bias]).toEqual([false, [0, 0, 0]]);
  });

  test('what is not read back at the end is named', () => {
    const b = bench();
    b.on();
    b.toy.welded = true;
    let unsafe: readonly string[] | undefined;
    b.host.close(3, (left) => {
      unsafe = left;
    });
    b.clock.advance(4);
    expect(unsafe).toEqual(['toy.output']);
  });

  test('"keep" stays on at the end, and a stop switches it off', () => {
    const more = { leases: { output: { longest: 60, deadline: 1, then: 'keep' as const } } };
    const b = bench(more);
    b.on();
    let ended = false;
    b.host.close(3, () => {
      ended = true;
    });
    b.clock.advance(1);
    expect([ended, b.toy.output]).toEqual([true, true]);
    const c = bench(more);
    c.on();
    c.host.stop('stop');
    c.clock.advance(1);
    expect(c.toy.output).toBe(false);
  });
});

describe('the program stands still', () => {
  test('longer than a lease: what is on is made safe, and nothing that was ordered before goes out', () => {
    const b = bench();
    b.on();
    b.give('ramp', 4);
    b.give('level', 1);
    b.give('bias', 5, 0);
    b.clock.advance(0.5);
    b.toy.heard.length = 0;
    b.clock.stall(3);
    b.clock.advance(10);
    expect(b.toy.heard.map((h) => h.text)).toEqual(['OUT 0']);
    expect(b.toy.output).toBe(false);
    expect(b.ends.slice(1).map((o) => [o.command, o.outcome])).toEqual([
      ['ramp', 'unknown'], // its first half had gone
      ['level', 'expired'],
      ['bias', 'expired'],
    ]);
    expect(b.ends[2].why).toMatch(/^the program stood still for 3\.\d+ s$/);
    expect(b.host.status().latched).toMatch(/^standstill: the program stood still/);
  });

  test('with nothing on: what was ordered before does not go out either', () => {
    const b = bench();
    let confirm: ((why?: string) => void) | undefined;
    b.keeper.arm = (_, armed) => {
      confirm = armed;
    };
    b.give('output', true);
    b.clock.stall(2);
    confirm?.(); // the keeper's word was in the pipe when the program woke up
    b.clock.advance(10);
    expect(b.toy.heard.filter((h) => h.text === 'OUT 1')).toEqual([]);
    expect(b.ends[0].outcome).toBe('expired');
    expect(b.lease()?.active).toBe(false);
  });

  test('with nothing on and nothing hazardous: what waits for its turn does not go out late', () => {
    const b = bench();
    b.give('ramp', 4);
    b.give('level', 1);
    b.clock.advance(0.5);
    b.clock.stall(3);
    b.clock.advance(10);
    expect(b.toy.heard.map((h) => h.text)).toEqual(['LEV 2']);
    expect(b.ends.map((o) => o.outcome)).toEqual(['unknown', 'expired']);
    b.give('level', 1);
    b.clock.advance(2);
    expect(b.last()?.outcome).toBe('done');
  });

  test('for less than a lease: nothing happens', () => {
    const b = bench();
    b.on();
    b.clock.stall(0.6);
    b.clock.advance(10);
    expect(b.toy.output).toBe(true);
    expect(b.host.status().latched).toBe(undefined);
  });
});
