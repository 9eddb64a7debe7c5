/** The safe orders that the guardian gives over links of its own, on virtual time: sent, read back, repeated, given up with the reason. */
import { BehaviorSubject } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { type VirtualClock, virtualClock } from '../src/clock.ts';
import type { Prepared } from '../src/guardian/armed.ts';
import { type SafePorts, safeMaker, type Unsafe } from '../src/guardian/make-safe.ts';
import { type Link, wrapped } from '../src/link.ts';
import { type SimulatedLink, simulatedLink } from '../src/links/simulated.ts';
import { type Device, universe } from '../src/simulate.ts';
import { prepared } from './prepared.ts';
import { type ToyState, toys } from './toys.ts';

const known = await catalogue();

/** Devices on wires, by address. */
function wires(devices: Readonly<Record<string, readonly Device[]>>, clock: VirtualClock) {
  const opened: string[] = [];
  const links: SimulatedLink[] = [];
  return {
    opened,
    links,
    open(address: string): Link {
      opened.push(address);
      const on = devices[address];
      if (!on) throw new Error(`there is no ${address}`);
      const link = simulatedLink(
        on.map((d) => d.ports.main),
        clock,
      );
      links.push(link);
      return link;
    },
  };
}

/** One round after the other, each for so long at most. */
function rounds(ports: SafePorts) {
  const maker = safeMaker(ports);
  return (outputs: readonly Prepared[], within: number, done: (unsafe: readonly Unsafe[]) => void): void => {
    const finish = (): void => {
      cancel();
      const unsafe = round.left.map(({ name, why }) => ({ name, why }));
      round.end();
      done(unsafe);
    };
    const cancel = ports.clock.after(within, finish);
    const round = maker.begin(outputs, () => round.left.length === 0 && finish());
  };
}

describe('safe orders', () => {
  const place = () => {
    const clock = virtualClock();
    const all = universe(1, clock);
    const simulator = toys.simulators.get('toy');
    if (!simulator) throw new Error('the toy is there');
    const device = all.device('toy', simulator, { serial: 1 });
    const state = device.state as ToyState; // the toy's own state
    const at = wires({ wire: [device] }, clock);
    return { clock, state, at, make: rounds({ catalogue: toys, clock, open: at.open }) };
  };
  const output = prepared('toy.output', { links: { main: 'wire' } });

  test('sent, read back, done: two outputs of one instrument over one link', () => {
    const { clock, state, at, make } = place();
    state.output = true;
    state.bias[2] = 7;
    let left: readonly Unsafe[] | undefined;
    make([output, prepared('toy.bias[2]', { command: 'bias', index: 2, links: { main: 'wire' } })], 10, (unsafe) => {
      left = unsafe;
    });
    clock.advance(0.2);
    expect(left).toEqual([]);
    expect([state.output, state.bias]).toEqual([false, [0, 0, 0]]);
    expect(at.opened).toEqual(['wire']);
    const n = state.heard.length;
    clock.advance(20);
    expect(state.heard.length).toBe(n);
  });

  test('repeated until it is read back', () => {
    const { clock, state, make } = place();
    state.output = true;
    state.welded = true;
    let left: readonly Unsafe[] | undefined;
    make([output], 10, (unsafe) => {
      left = unsafe;
    });
    clock.advance(2);
    expect(left).toBe(undefined);
    expect(state.heard.length).toBeGreaterThan(5);
    state.welded = false;
    clock.advance(0.5);
    expect(left).toEqual([]);
    expect(state.output).toBe(false);
  });

  test('given up when its time is over, with the reason of each', () => {
    const { clock, state, make } = place();
    state.welded = true;
    state.output = true;
    let left: readonly Unsafe[] | undefined;
    make([output, prepared('lost.output', { links: { main: 'nowhere' } }), prepared('odd.output', { model: 'odd' })], 3, (unsafe) => {
      left = unsafe;
    });
    clock.advance(3.1);
    expect(left).toEqual([
      { name: 'toy.output', why: 'output is not at its safe value' },
      { name: 'lost.output', why: 'there is no nowhere' },
      { name: 'odd.output', why: 'no driver odd' },
    ]);
    const n = state.heard.length;
    clock.advance(10);
    expect(state.heard.length).toBe(n);
  });

  test('one that is silent does not keep another from it', () => {
    const clock = virtualClock();
    const all = universe(1, clock);
    const simulator = toys.simulators.get('toy');
    if (!simulator) throw new Error('the toy is there');
    const [a, b] = ['a', 'b'].map((name) => all.device(name, simulator, { serial: 1 }));
    const [dead, alive] = [a.state as ToyState, b.state as ToyState]; // the toy's own state
    dead.dead = true;
    alive.output = true;
    const at = wires({ a: [a], b: [b] }, clock);
    let left: readonly Unsafe[] | undefined;
    rounds({ catalogue: toys, clock, open: at.open })(
      [prepared('a.output', { links: { main: 'a' } }), prepared('b.output', { links: { main: 'b' } })],
      2,
      (unsafe) => {
        left = unsafe;
      },
    );
    clock.advance(0.2);
    expect(alive.output).toBe(false);
    clock.advance(2);
    expect(left?.map((u) => u.name)).toEqual(['a.output']);
  });

  test('a port that comes late, and one that never opens', () => {
    const { clock, state, at } = place();
    state.output = true;
    const up = new BehaviorSubject(false);
    const make = rounds({
      catalogue: toys,
      clock,
      open: (address) => {
        const link = at.open(address);
        return wrapped(link, { up, write: (bytes) => up.value && link.write(bytes) });
      },
    });
    let left: readonly Unsafe[] | undefined;
    make([output], 2, (unsafe) => {
      left = unsafe;
    });
    clock.advance(1);
    expect(state.output).toBe(true);
    up.next(true);
    clock.advance(0.5);
    expect([state.output, left]).toEqual([false, []]);
    up.next(false);
    make([output], 2, (unsafe) => {
      left = unsafe;
    });
    clock.advance(3);
    expect(left).toEqual([{ name: 'toy.output', why: 'its link does not open' }]);
  });

  test('three controllers on one Modbus bus, one of them dead: the others are safe', () => {
    const clock = virtualClock();
    const all = universe(1, clock);
    const simulator = known.simulators.get('eurotherm-2000');
    const model = known.instruments.get('eurotherm-2000');
    if (!simulator || !model) throw new Error('the controller is there');
    const devices = [1, 3].map((unit) => all.device(`oven${unit}`, simulator, simulator.options.parse({ unit })));
    const at = wires({ bus: devices }, clock);
    const outputs = [1, 2, 3].map((unit) =>
      prepared(`oven${unit}.setpoint`, { model: 'eurotherm-2000', options: { unit }, id: { unit }, links: { main: 'bus' } }),
    );
    let left: readonly Unsafe[] | undefined;
    rounds({ catalogue: known, clock, open: at.open })(outputs, 10, (unsafe) => {
      left = unsafe;
    });
    clock.advance(11);
    expect(at.opened).toEqual(['bus']);
    expect(left?.map((u) => u.name)).toEqual(['oven2.setpoint']);
  });

  test('an instrument behind a GPIB adapter', () => {
    const clock = virtualClock();
    const all = universe(1, clock);
    const adapters = known.simulators.get('prologix-gpib');
    const simulator = toys.simulators.get('toy');
    if (!adapters || !simulator) throw new Error('both are there');
    const device = all.device('toy', simulator, { serial: 1 });
    const adapter = all.device('gpib', adapters, adapters.options.parse({}), { '7': device });
    const state = device.state as ToyState; // the toy's own state
    state.output = true;
    const at = wires({ 'tcp:adapter:1234': [adapter] }, clock);
    const both = {
      instruments: new Map([...known.instruments, ...toys.instruments]),
      simulators: new Map([...known.simulators, ...toys.simulators]),
    };
    let left: readonly Unsafe[] | undefined;
    rounds({ catalogue: both, clock, open: at.open })(
      [
        prepared('toy.output', {
          links: { main: 'gpib:adapter/7' },
          carriers: {
            adapter: { model: 'prologix-gpib', options: {}, id: { version: 'Prologix' }, links: { main: 'tcp:adapter:1234' } },
          },
        }),
      ],
      10,
      (unsafe) => {
        left = unsafe;
      },
    );
    clock.advance(5);
    expect(state.output).toBe(false);
    expect(left).toEqual([]);
    expect(at.opened).toEqual(['tcp:adapter:1234']);
  });
});

describe('in the order of the rig', () => {
  /** Toys on wires of their own, with the moments at which each has heard its safe order. */
  const place = (names: readonly string[]) => {
    const clock = virtualClock();
    const all = universe(1, clock);
    const simulator = toys.simulators.get('toy');
    if (!simulator) throw new Error('the toy is there');
    const devices = Object.fromEntries(names.map((name) => [name, [all.device(name, simulator, { serial: 1 })]]));
    const states = Object.fromEntries(Object.entries(devices).map(([name, [d]]) => [name, d?.state as ToyState])); // the toy's own state
    for (const state of Object.values(states)) state.output = true;
    const at = wires(devices, clock);
    const first: Record<string, number> = {};
    const open = (address: string): Link => {
      const link = at.open(address);
      return wrapped(link, {
        write(bytes, reply, safe) {
          if (safe) first[address] ??= clock.mono();
          return link.write(bytes, reply, safe);
        },
      });
    };
    const output = (name: string, order?: number): Prepared =>
      prepared(`${name}.output`, { links: { main: name }, ...(order === undefined ? {} : { order }) });
    return { clock, states, at, first, output, maker: safeMaker({ catalogue: toys, clock, open }) };
  };

  test('the next begins when the one before is read back; equal numbers together; those without one last, together', () => {
    const { clock, states, first, output, maker } = place(['a', 'b', 'c', 'd', 'e']);
    const safe: string[] = [];
    const round = maker.begin([output('e'), output('d'), output('c', 2), output('b', 1), output('a', 1)], (name) => safe.push(name));
    expect(round.left.filter((u) => u.asked === undefined).map((u) => u.name)).toEqual(['e.output', 'd.output', 'c.output']);
    clock.advance(1);
    expect(round.left).toEqual([]);
    expect(safe).toEqual(['b.output', 'a.output', 'c.output', 'e.output', 'd.output']);
    expect(Object.keys(first)).toEqual(['b', 'a', 'c', 'e', 'd']);
    expect(first.a).toBe(first.b);
    expect(first.c).toBeLessThan(0.25);
    expect(first.c).toBeGreaterThan(first.a ?? 0);
    expect(first.e).toBe(first.d);
    expect(Object.values(states).every((s) => s.output === false)).toBe(true);
  });

  test('one that does not answer holds up those behind it for a quarter of a second, and is repeated beside them', () => {
    const { clock, states, first, output, maker } = place(['a', 'b', 'c']);
    if (!states.a) throw new Error('it is there');
    states.a.dead = true;
    const round = maker.begin([output('a', 1), output('b', 2), output('c', 3)], () => {});
    clock.advance(0.24);
    expect(Object.keys(first)).toEqual(['a']);
    clock.advance(0.02);
    expect(Object.keys(first)).toEqual(['a', 'b']);
    clock.advance(0.26);
    expect(Object.keys(first)).toEqual(['a', 'b', 'c']);
    clock.advance(0.5);
    expect(round.left.map((u) => u.name)).toEqual(['a.output']);
    states.a.dead = false;
    // The safe order itself does not wait until the instrument is trusted again; its readback does.
    clock.advance(1);
    expect(states.a.output).toBe(false);
    clock.advance(3);
    expect(round.left).toEqual([]);
  });

  test('two rounds at once share their links, and each ends by itself', () => {
    const { clock, states, at, output, maker } = place(['a', 'b']);
    if (!states.a) throw new Error('it is there');
    states.a.welded = true;
    const one = maker.begin([output('a')], () => {});
    clock.advance(0.3);
    expect(one.left[0]?.why).toBe('output is not at its safe value');
    const two = maker.begin([prepared('a.bias[1]', { links: { main: 'a' }, index: 1, command: 'bias' }), output('b')], () => {});
    clock.advance(0.6);
    expect(at.opened).toEqual(['a', 'b']);
    expect([one.left.map((u) => u.name), two.left]).toEqual([['a.output'], []]);
    two.end();
    states.a.welded = false;
    clock.advance(0.5);
    expect(one.left).toEqual([]);
    // The next one opens its links anew.
    maker.begin([output('b')], () => {});
    expect(at.opened).toEqual(['a', 'b', 'b']);
  });

  test.each([2400, 4800, 9600, 19_200])(
    'on a slow line (%i baud) one that is repeated for ever does not keep another from being read back',
    (baud) => {
      const clock = virtualClock();
      const simulator = toys.simulators.get('toy');
      if (!simulator) throw new Error('the toy is there');
      const device = universe(1, clock).device('toy', simulator, { serial: 1 });
      const state = device.state as ToyState; // the toy's own state
      Object.assign(state, { output: true, welded: true });
      const maker = safeMaker({ catalogue: toys, clock, open: () => simulatedLink([device.ports.main], clock, { baud }) });
      maker.begin([prepared('toy.output', { links: { main: 'wire' } })], () => {});
      clock.advance(1);
      const safe: number[] = [];
      maker.begin(
        [0, 1, 2].map((index) => prepared(`toy.bias[${index}]`, { links: { main: 'wire' }, command: 'bias', index })),
        () => safe.push(clock.mono()),
      );
      clock.advance(8);
      expect(safe.length).toBe(3);
    },
  );

  test('links opened anew: what was asked is asked again at once, what waits for its turn goes on waiting', () => {
    const { clock, states, at, first, output, maker } = place(['a', 'b']);
    if (!states.a) throw new Error('it is there');
    states.a.dead = true;
    const round = maker.begin([output('a', 1), output('b', 2)], () => {});
    clock.advance(0.1);
    states.a.dead = false;
    const n = states.a.heard.length;
    maker.afresh();
    expect(at.opened).toEqual(['a', 'a']);
    expect(Object.keys(first)).toEqual(['a']);
    clock.advance(0.1);
    expect(states.a.heard.length).toBeGreaterThan(n);
    expect([round.left, states.a.output, states.b?.output]).toEqual([[], false, false]);
    const opened = at.opened.length;
    maker.afresh();
    clock.advance(5);
    expect(at.opened.length).toBe(opened);
  });
});
