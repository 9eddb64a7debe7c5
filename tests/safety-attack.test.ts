/** Attacks on the safety core: moments at which a laser could stay on, an order go out that should not, or the rig be locked for ever. */
import { describe, expect, test } from 'vitest';
import { type Clock, virtualClock } from '../src/clock.ts';
import type { Condition, Leaf } from '../src/condition.ts';
import type { Entry, OrderEntry } from '../src/entry.ts';
import { interlocks } from '../src/interlock.ts';
import { type LeaseSpec, leases } from '../src/lease.ts';
import type { SimulatedLink } from '../src/links/simulated.ts';
import type { Rig, RigInterlock } from '../src/rig.ts';
import { keeperHere, type LaboratoryOptions, laboratory } from './laboratory.ts';
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

interface Benched {
  readonly rest?: Partial<Rig>;
  readonly more?: Parameters<typeof toyRig>[1];
  readonly names?: readonly string[];
  readonly before?: (state: (name: string) => ToyState) => void;
  readonly options?: LaboratoryOptions;
  readonly warm?: number;
}

function bench(list: readonly RigInterlock[], { rest, more, names = ['toy', 'sensor'], before, options, warm = 1 }: Benched = {}) {
  const links = new Map<string, SimulatedLink>();
  const keeper = keeperHere();
  const lab = laboratory(toyRig(names, more ?? {}, { interlocks: list, ...rest }), toys, {
    keeper,
    ...options,
    wrap(l, wire, clock) {
      links.set(wire.key, l as SimulatedLink); // the laboratory's links are simulated ones
      return options?.wrap?.(l, wire, clock) ?? l;
    },
  });
  const state = (name: string): ToyState => lab.simulated.device(name)?.state as ToyState; // toys all
  before?.(state);
  lab.clock.advance(warm);
  const ends: OrderEntry[] = [];
  const place = (instrument: string, command: string, written?: string | number | boolean, index?: number): void =>
    lab.host.order({ by: 'test', instrument, command, written, index }, (order) => ends.push(order));
  const give = (instrument: string, command: string, written?: string | number | boolean, index?: number): OrderEntry | undefined => {
    place(instrument, command, written, index);
    lab.clock.advance(0.5);
    return ends.at(-1);
  };
  const of = <K extends Entry['kind']>(kind: K) => lab.entries.filter((e): e is Extract<Entry, { kind: K }> => e.kind === kind);
  return {
    ...lab,
    keeper,
    ends,
    place,
    give,
    of,
    state,
    toy: state('toy'),
    sensor: state(names[1] ?? 'toy'),
    on(): void {
      expect(give('toy', 'output', true)).toMatchObject({ outcome: 'done' });
      expect(state('toy').output).toBe(true);
    },
    plug: (name: string, inserted: boolean) => links.get(name)?.plug(inserted),
    level: (name = 'cold') => lab.host.status().interlocks?.find((one) => one.name === name),
    lease: (name = 'toy.output') => lab.host.status().leases.find((one) => one.name === name),
    words: () => of('alarm').map((e) => `${e.alarm.from}: ${e.alarm.text}`),
  };
}

describe('the output stays on', () => {
  test('the time that a start is given is over when the condition has been known once', () => {
    // Stale after 8 s: that is how long a start waits for a first reading, not how long a sensor may be dead.
    const b = bench([interlock({ ...cold, stale: 8 })]);
    b.on();
    b.sensor.level = Number.NaN;
    b.clock.advance(0.4);
    expect(b.level()?.is).toBe('unknown');
    expect(b.toy.output).toBe(false);
  });

  test('... also when what it was known as was broken', () => {
    const b = bench([interlock({ ...cold, stale: 8 }, { latch: false })], {
      before: (state) => Object.assign(state('sensor'), { level: 9 }),
    });
    expect(b.level()?.is).toBe('broken');
    b.sensor.level = Number.NaN;
    b.clock.advance(0.3);
    b.toy.output = true; // at its own panel
    b.clock.advance(0.4);
    expect(b.toy.output).toBe(false);
  });

  test('an output found on is taken over as soon as its keeper can, however often it could not', () => {
    const b = bench([]);
    let refused = 0;
    b.keeper.arm = (_, armed) => {
      refused++;
      armed('the guardian has not confirmed');
    };
    b.toy.output = true;
    b.clock.advance(10);
    expect(refused).toBeGreaterThan(1);
    expect(refused).toBeLessThan(20);
    expect(b.words().filter((w) => w.includes('cannot be watched')).length).toBe(1);
    b.keeper.arm = (_, armed) => armed();
    b.clock.advance(3);
    expect(b.lease()?.active).toBe(true);
    b.keeper.dead = true;
    b.clock.advance(1);
    expect(b.toy.output).toBe(false);
  });

  test('a stop that one wrong reading has confirmed is given again: latched is off', () => {
    const b = bench([]);
    b.on();
    b.toy.welded = true;
    let lies = 0;
    let on = true;
    Object.defineProperty(b.toy, 'output', { get: () => on && lies-- <= 0, set: (v: boolean) => void (on = v) });
    lies = 1;
    b.host.stop('stop by a person');
    b.clock.advance(1);
    expect(b.host.status().latched).toBeDefined();
    b.toy.welded = false;
    b.clock.advance(1);
    expect(on).toBe(false);
  });

  test('after a stop, what comes on at its own panel is switched off again, until somebody acknowledges', () => {
    const b = bench([]);
    b.host.stop('stop by a person');
    b.clock.advance(1);
    b.toy.output = true;
    b.clock.advance(1);
    expect(b.toy.output).toBe(false);
    expect(b.host.acknowledge('test')).toBe(undefined);
    b.toy.output = true;
    b.clock.advance(1);
    expect(b.toy.output).toBe(true); // a person at the panel who has acknowledged
    expect(b.lease()?.active).toBe(true);
  });

  test("a person's own safe order is repeated until it has been read back", () => {
    const b = bench([]);
    b.on();
    b.toy.welded = true;
    b.place('toy', 'output', false);
    b.clock.advance(4);
    expect(b.ends.at(-1)?.outcome).toBe('failed');
    b.toy.welded = false;
    b.clock.advance(2);
    expect(b.toy.output).toBe(false);
    expect(b.host.status().latched).toMatch(/^toy\.output: order in doubt/);
  });

  test('evidence that is old when it comes renews the lease by what is left of it', () => {
    const clock = virtualClock();
    const spec: LeaseSpec = { instrument: 'toy', command: 'output', longest: 60, deadline: 1, then: 'safe', evidence: 'toy.output' };
    const safe: string[] = [];
    const held = leases(
      [spec],
      clock,
      keeperHere(),
      (one, _, done) => {
        safe.push(one.command);
        done();
      },
      () => {},
    );
    held.arm('toy', 'output', undefined, () => {});
    clock.advance(0.9);
    const t = clock.now() - 800_000; // 0.8 s on its way
    held.see({ from: 'toy.output', kind: 'flag', quality: 'good', value: true, t, seq: 0, origin: 'hardware' });
    clock.advance(0.4);
    expect(safe).toEqual(['output']); // 1.2 s after the output was last seen
    held.close();
  });

  test('what an interlock is making safe at the end of the run is waited for, also where it would be kept', () => {
    const keep = { output: { longest: 60, deadline: 1, then: 'keep' as const } };
    const b = bench([interlock(cold)], { more: { leases: keep } });
    b.on();
    b.toy.welded = true;
    b.sensor.level = 9;
    b.clock.advance(0.5);
    let unsafe: readonly string[] | undefined;
    b.host.close(3, (left) => {
      unsafe = left;
    });
    b.clock.advance(1);
    b.toy.welded = false;
    b.clock.advance(2.5);
    expect(b.toy.output).toBe(false);
    expect(unsafe).toEqual([]);
  });
});

describe('an order goes out that should not', () => {
  test('while the output is being made safe, also where the interlock holds again and does not latch', () => {
    const b = bench([interlock(cold, { latch: false })]);
    b.on();
    b.toy.welded = true;
    b.sensor.level = 9;
    b.clock.advance(0.5);
    b.sensor.level = 1;
    b.clock.advance(0.5);
    expect(b.level()?.is).toBe('holds');
    b.toy.heard.length = 0;
    expect(b.give('toy', 'output', true)).toMatchObject({ outcome: 'refused' });
    expect(b.toy.heard.filter((h) => h.text === 'OUT 1')).toEqual([]);
    b.toy.welded = false;
    b.clock.advance(2);
    b.on();
  });

  test('an order that waits for its turn goes with the reading that breaks its interlock', () => {
    // Of one instrument: the reading that ends the order before it is the one that breaks the interlock.
    const over: Leaf = leaf({ of: 'toy.level', test: { is: 'below', limit: 5 } });
    const b = bench([interlock(over)]);
    b.place('toy', 'level', 7);
    b.place('toy', 'output', true);
    b.clock.advance(1);
    expect(b.ends.map((o) => o.outcome)).toEqual(['done', 'refused']);
    expect(b.toy.heard.map((h) => h.text)).toEqual(['LEV 7.00']);
  });

  test('an order that comes first after a standstill, before anything has been read again', () => {
    const b = bench([interlock(cold)]);
    b.clock.stall(0.8); // less than the lease, more than the interlock's stale
    b.place('toy', 'output', true);
    expect(b.toy.heard).toEqual([]);
    b.clock.advance(0.005);
    expect(b.toy.heard).toEqual([]);
  });

  test('a trip while the keeper confirms: the output is not switched on', () => {
    const b = bench([interlock(cold, { latch: false })]);
    let confirm: ((why?: string) => void) | undefined;
    b.keeper.arm = (_, armed) => {
      confirm = armed;
    };
    b.place('toy', 'output', true);
    b.clock.advance(0.2);
    b.sensor.level = 9;
    b.clock.advance(0.3);
    confirm?.();
    b.clock.advance(1);
    expect(b.ends).toMatchObject([{ outcome: 'refused' }]);
    expect(b.toy.heard).toEqual([]);
    expect(b.lease()?.active).toBe(false);
  });

  test('a stop while an adoption waits for its keeper: nothing is held afterwards', () => {
    const b = bench([]);
    let confirm: ((why?: string) => void) | undefined;
    b.keeper.arm = (_, armed) => {
      confirm = armed;
    };
    b.toy.output = true;
    b.clock.advance(0.5);
    b.host.stop('stop');
    b.clock.advance(1);
    expect(b.toy.output).toBe(false);
    confirm?.();
    b.clock.advance(3);
    expect(b.lease()?.active).toBe(false);
    expect(b.host.acknowledge('test')).toBe(undefined);
    b.clock.advance(100);
    expect(b.host.status().latched).toBe(undefined); // no longest on-time of what is off
  });
});

test('two who wait for the same word of the keeper: what one gives back is not taken from the other', () => {
  const clock = virtualClock();
  const spec: LeaseSpec = { instrument: 'toy', command: 'output', longest: 60, deadline: 1, then: 'safe', evidence: 'toy.output' };
  const words: (() => void)[] = [];
  let released = 0;
  const keeper = { ...keeperHere(), arm: (_: LeaseSpec, armed: () => void) => void words.push(armed), release: () => void released++ };
  const held = leases(
    [spec],
    clock,
    keeper,
    () => {},
    () => {},
  );
  const output = { instrument: 'toy', command: 'output' };
  held.adopt(output, () => true);
  // An order that is refused at the last moment gives its lease back.
  held.arm('toy', 'output', undefined, () => held.released('toy', 'output'));
  for (const word of words.reverse()) word();
  expect([held.active(output), released]).toEqual([true, 0]);
  held.released('toy', 'output');
  expect([held.active(output), released]).toEqual([false, 1]);
  held.close();
});

describe('beam time is lost', () => {
  test('an instrument that was silent while it was to be made safe is read back when it answers again', () => {
    for (const silence of [0.7, 1.3, 2, 3.1, 10, 60]) {
      const b = bench([]);
      b.on();
      b.toy.dead = true;
      b.clock.advance(0.5);
      b.host.stop('stop');
      b.clock.advance(silence);
      b.toy.dead = false;
      b.clock.advance(0.6);
      expect(b.toy.output).toBe(false);
      b.clock.advance(5);
      expect([silence, b.lease()?.active]).toEqual([silence, false]);
      expect(b.host.acknowledge('test')).toBe(undefined);
      b.on();
    }
  });

  test('off shortly after on: the order that was overtaken by a safe one is no doubt', () => {
    const b = bench([]);
    b.toy.unsure = true; // its state is not read yet
    b.place('toy', 'output', true);
    b.clock.advance(0.1);
    b.place('toy', 'output', false);
    b.clock.advance(0.05);
    b.toy.unsure = false;
    b.clock.advance(3);
    expect(b.ends.map((o) => o.outcome).sort()).toEqual(['done', 'failed']);
    expect(b.toy.output).toBe(false);
    expect(b.host.status().latched).toBe(undefined);
    b.on();
  });

  test('an output that went off by itself while another one was tripping is let go of afterwards', () => {
    const b = bench([], { rest: {} });
    b.on();
    expect(b.give('sensor', 'output', true)?.outcome).toBe('done');
    b.sensor.dead = true;
    b.clock.advance(2); // tripping, and not to be reached
    b.toy.output = false;
    b.clock.advance(1);
    b.sensor.dead = false;
    b.clock.advance(6);
    expect(b.lease('sensor.output')?.active).toBe(false);
    expect(b.lease()?.active).toBe(false);
  });

  test('5000 orders that a stop has made void end one after another, each once', () => {
    const b = bench([]);
    b.place('toy', 'ramp', 4);
    b.clock.advance(0.1);
    for (let i = 0; i < 5000; i++) b.place('toy', 'level', 1);
    b.host.stop('stop');
    b.clock.advance(5);
    expect(b.ends.length).toBe(5001);
    expect(new Set(b.ends.map((o) => o.id)).size).toBe(5001);
  });
});

describe('the design holds', () => {
  test('two interlocks on one output, one latched: to let go of the one does not let go of the other', () => {
    const other = leaf({ of: 'toy.level', test: { is: 'below', limit: 8 } });
    const b = bench([interlock(cold), interlock(other, { name: 'other', latch: false })]);
    b.on();
    b.sensor.level = 9;
    b.toy.level = 9;
    b.clock.advance(0.5);
    b.sensor.level = 1;
    b.clock.advance(0.5);
    expect(b.host.acknowledge('test', 'cold')).toBe(undefined);
    expect(b.give('toy', 'output', true)?.why).toMatch(/^the interlock "other" does not hold/);
    b.toy.level = 1;
    b.clock.advance(0.5);
    b.on();
  });

  test('one index is tripped, and the others are left alone', () => {
    const b = bench([interlock(cold, { forbids: ['toy.bias[2]'], trips: ['toy.bias[2]'] })]);
    for (const index of [0, 1, 2]) expect(b.give('toy', 'bias', 5, index)?.outcome).toBe('done');
    b.sensor.level = 9;
    b.clock.advance(1);
    expect(b.toy.bias).toEqual([5, 5, 0]);
    expect(b.give('toy', 'bias', 6, 1)?.outcome).toBe('done');
    expect(b.give('toy', 'bias', 6, 2)?.outcome).toBe('refused');
    b.host.stop('stop');
    b.clock.advance(1);
    expect(b.toy.bias).toEqual([0, 0, 0]);
  });

  test('an interlock that its own act makes whole does not switch anything on', () => {
    // The voltage is there only while the output is on.
    const b = bench([interlock(leaf({ of: 'toy.level', test: { is: 'below', limit: 5 } }), { latch: false })]);
    Object.defineProperty(b.toy, 'level', { get: () => (b.toy.output ? 7 : 0) });
    for (let i = 0; i < 5; i++) {
      b.place('toy', 'output', true);
      b.clock.advance(2);
      expect(b.toy.output).toBe(false);
    }
    expect(b.toy.heard.filter((h) => h.text === 'OUT 1').length).toBe(5); // one for each order, none by itself
  });

  test('another instrument answers while the output is on: not read, not ordered; the first one is made safe when it is back', () => {
    const b = bench([]);
    b.on();
    b.plug('toy', false);
    b.toy.serial = 2;
    b.clock.advance(2);
    b.plug('toy', true);
    b.clock.advance(3);
    expect(b.host.status().instruments.toy?.state).toBe('refused');
    expect(b.host.acknowledge('test', undefined, true)).toBe('a safe order has not been read back yet');
    b.plug('toy', false);
    b.toy.serial = 1;
    b.toy.output = true;
    b.clock.advance(1);
    b.plug('toy', true);
    b.clock.advance(5);
    expect(b.toy.output).toBe(false);
    expect(b.host.acknowledge('test', undefined, true)).toBe(undefined);
    b.on();
  });

  test('a start order whose interlock never holds is refused and said, and the run goes on', () => {
    const start = [
      { instrument: 'toy', command: 'output', value: true, after: 0 },
      { instrument: 'toy', command: 'level', value: '1 V', after: 0 },
    ];
    const b = bench([interlock(cold)], { rest: { start }, before: (state) => Object.assign(state('sensor'), { level: 9 }) });
    b.clock.advance(15);
    expect(b.host.started).toBe(true);
    expect(b.toy.heard).toEqual([]);
    expect(b.words().find((w) => w.startsWith('start: toy.output: refused'))).toMatch(/"cold" does not hold/);
    b.sensor.level = 1;
    b.clock.advance(1);
    b.on();
  });

  test('a ramp that an interlock has cut does not go on when it holds again', () => {
    const ramps = { bias: { rate: 1, band: 1, every: 0.5 } };
    const b = bench([interlock(cold, { forbids: ['toy.bias'], trips: ['toy.bias'], latch: false })], { more: { ramps } });
    b.place('toy', 'bias', 20, 1);
    b.clock.advance(6);
    expect(b.toy.bias[1]).toBeGreaterThan(3);
    b.sensor.level = 9;
    b.clock.advance(1);
    expect(b.toy.bias).toEqual([0, 0, 0]);
    expect(b.ends).toMatchObject([{ outcome: 'failed', why: expect.stringContaining('made safe') }]);
    b.sensor.level = 1;
    b.clock.advance(10);
    expect(b.toy.bias).toEqual([0, 0, 0]);
    expect(b.ends.length).toBe(1);
  });

  test('10,000 trips leave nothing behind: no timer, no lease, no latch', () => {
    const real = virtualClock();
    let timers = 0;
    const clock: Clock = {
      ...real,
      after(seconds, work) {
        timers++;
        let open = true;
        const close = (): void => {
          if (open) timers--;
          open = false;
        };
        const cancel = real.after(seconds, () => {
          close();
          work();
        });
        return () => {
          close();
          cancel();
        };
      },
    };
    const spec: LeaseSpec = { instrument: 'toy', command: 'output', longest: 1e9, deadline: 1e9, then: 'safe', evidence: 'toy.output' };
    let on = false;
    const safe = (_: LeaseSpec, __: string, done: () => void): void => {
      on = false;
      done();
    };
    const held = leases([spec], clock, keeperHere(), safe, () => {});
    const output = { instrument: 'toy', command: 'output' };
    const locks = interlocks([interlock(cold)], clock, {
      exposed: (name) => (on ? [name] : []),
      trip: (lock, _, why) => held.makeSafe(`${lock.name}: ${why}`, [output]),
      changed() {},
      refresh() {},
    });
    let seq = 0;
    const see = (value: number): void => {
      real.advance(0.01);
      locks.see({ from: 'sensor.level', kind: 'V', quality: 'good', value, t: clock.now(), seq: seq++, origin: 'hardware' });
      locks.look();
    };
    for (let i = 0; i < 10_000; i++) {
      see(1);
      see(1);
      expect(locks.refuse('toy', 'output')).toBe(undefined);
      held.arm('toy', 'output', undefined, () => {
        on = true;
      });
      see(9);
      expect([on, held.active(output), locks.latched.length]).toEqual([false, false, 1]);
      see(1);
      see(1);
      expect(locks.acknowledge('cold')).toBe(undefined);
    }
    expect(timers).toBeLessThan(5);
    expect([held.latches, held.unsafe, locks.latched]).toEqual([[], [], []]);
    held.close();
    locks.close();
  });
});
