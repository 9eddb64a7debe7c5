/** The safe orders that the guardian gives over links of its own, on virtual time: sent, read back, repeated, given up with the reason. */
import { BehaviorSubject } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { type VirtualClock, virtualClock } from '../src/clock.ts';
import type { Unsafe } from '../src/guardian/guardian.ts';
import { safeMaker } from '../src/guardian/make-safe.ts';
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

describe('safe orders', () => {
  const place = () => {
    const clock = virtualClock();
    const all = universe(1, clock);
    const simulator = toys.simulators.get('toy');
    if (!simulator) throw new Error('the toy is there');
    const device = all.device('toy', simulator, { serial: 1 });
    const state = device.state as ToyState; // the toy's own state
    const at = wires({ wire: [device] }, clock);
    return { clock, state, at, make: safeMaker({ catalogue: toys, clock, open: at.open }) };
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
    safeMaker({ catalogue: toys, clock, open: at.open })(
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
    const make = safeMaker({
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
    safeMaker({ catalogue: known, clock, open: at.open })(outputs, 10, (unsafe) => {
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
    safeMaker({ catalogue: both, clock, open: at.open })(
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
