/** Any mixture of faults, orders, stops, acknowledgements and standstills: what must be off is off, nothing is lost, nothing locks. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Leaf } from '../src/condition.ts';
import type { OrderEntry } from '../src/entry.ts';
import { wrapped } from '../src/link.ts';
import type { SimulatedLink } from '../src/links/simulated.ts';
import type { RigInterlock } from '../src/rig.ts';
import { keeperHere, laboratory } from './laboratory.ts';
import { type ToyState, toyRig, toys } from './toys.ts';

const leaf = (of: string, limit: number): Leaf => ({
  of,
  test: { is: 'below', limit },
  kind: 'V',
  hysteresis: 0,
  hold: 0,
  stale: 0.5,
  suspect: false,
});
const INTERLOCKS: readonly RigInterlock[] = [
  { name: 'cold', when: leaf('sensor.level', 5), forbids: ['toy.output'], trips: ['toy.output'], latch: true },
  // On the same instrument as what it switches off, and of two outputs.
  { name: 'own', when: leaf('toy.level', 8), forbids: ['toy.bias[1]'], trips: ['toy.bias[1]', 'toy.output'], latch: false },
];
const MARGIN = 2; // seconds after which what must be off is off: stale, a poll, a safe order that is given again
const LONG = 45; // seconds in which an instrument that was silent for minutes is asked again

type Name = 'toy' | 'sensor';
type Act =
  | { readonly do: 'on' | 'off' | 'bias' | 'unbias' | 'stop' | 'acknowledge' | 'panel' }
  | { readonly do: 'level'; readonly of: Name; readonly to: number }
  | { readonly do: 'dead' | 'plug'; readonly of: Name; readonly is: boolean }
  | { readonly do: 'welded' | 'unsure' | 'keeper'; readonly is: boolean }
  | { readonly do: 'advance' | 'stall'; readonly seconds: number };

const name = fc.constantFrom<Name>('toy', 'sensor');
const acts: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<Act>({ do: 'on' }, { do: 'bias' }) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Act>(
      { do: 'off' },
      { do: 'unbias' },
      { do: 'stop' },
      { do: 'acknowledge' },
      { do: 'acknowledge' },
      { do: 'panel' },
    ),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('level' as const), of: name, to: fc.constantFrom(1, 2, 9, Number.NaN) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('dead' as const, 'plug' as const), of: name, is: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('welded' as const, 'unsure' as const, 'keeper' as const), is: fc.boolean() }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('advance' as const), seconds: fc.constantFrom(0.003, 0.05, 0.11, 0.4, 1, 3) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('stall' as const), seconds: fc.constantFrom(0.03, 0.2, 0.7, 1.5, 4) }) },
);

function bench() {
  const links = new Map<string, SimulatedLink>();
  const faults: string[] = [];
  const keeper = keeperHere();
  let lab: ReturnType<typeof laboratory> | undefined;
  const hazard = (text: string): string | undefined => {
    if (text === 'OUT 1') return 'toy.output';
    const [, index] = /^BIAS (\d) (?!0$)/.exec(text) ?? [];
    return index === undefined ? undefined : `toy.bias[${index}]`;
  };
  /** What is seen at the moment of the bytes. */
  const wrote = (bytes: Uint8Array): void => {
    const output = hazard(new TextDecoder().decode(bytes).trim());
    const status = lab?.host.status();
    if (output === undefined || !status) return;
    // What an interlock has latched is forbidden by it alone.
    const latched = INTERLOCKS.some((lock) => status.latched?.startsWith(`${lock.name}: `)) ? undefined : status.latched;
    if (latched !== undefined) faults.push(`${output} switched on while latched: ${latched}`);
    if (keeper.dead) faults.push(`${output} switched on without a keeper`);
    for (const { name: lock, is, latched: tripped } of status.interlocks ?? []) {
      const spec = INTERLOCKS.find((one) => one.name === lock);
      if ((is !== 'holds' || tripped !== undefined) && [...(spec?.forbids ?? []), ...(spec?.trips ?? [])].includes(output))
        faults.push(`${output} switched on while "${lock}" is ${is}`);
    }
    if (!status.leases.some((lease) => lease.name === output && lease.active)) faults.push(`${output} switched on without a lease`);
  };
  const rig = toyRig(['toy', 'sensor'], { every: { fast: 10, bias: 0.2 } }, { interlocks: INTERLOCKS });
  lab = laboratory(rig, toys, {
    keeper,
    wrap(link, wire) {
      links.set(wire.key, link as SimulatedLink); // the laboratory's links are simulated ones
      return wrapped(link, {
        write(bytes, reply, safe) {
          if (wire.key === 'toy') wrote(bytes);
          return link.write(bytes, reply, safe);
        },
      });
    },
  });
  const { clock, host } = lab;
  const state = (of: Name): ToyState => lab?.simulated.device(of)?.state as ToyState; // toys all
  const [toy, sensor] = [state('toy'), state('sensor')];
  const plugged = { toy: true, sensor: true };
  const ends: OrderEntry[] = [];
  let placed = 0;
  const order = (command: string, written: number | boolean, index?: number): void => {
    placed++;
    host.order({ by: 'test', instrument: 'toy', command, written, index }, (one) => ends.push(one));
  };

  // --- what must be off, looked at every 20 ms
  const since = new Map<string, number>();
  const lasts = (what: string, is: boolean): number => {
    if (!is) since.delete(what);
    else if (!since.has(what)) since.set(what, clock.mono());
    return clock.mono() - (since.get(what) ?? clock.mono());
  };
  const watch = (): void => {
    const { leases, instruments, latched } = host.status();
    const blind = (of: Name): boolean => state(of).dead || !plugged[of];
    const reached = lasts('reached', !blind('toy') && !toy.welded && !toy.unsure);
    const running = lasts('running', instruments.toy?.state === 'running');
    const cold = lasts('cold', blind('sensor') || !(sensor.level < 5));
    const own = lasts('own', !(toy.level < 8));
    const stopped = lasts('stopped', latched?.startsWith('stop:') === true);
    const watched = (output: string): boolean => running > MARGIN || leases.some((lease) => lease.name === output && lease.active);
    if (reached > MARGIN && toy.output && watched('toy.output') && Math.max(cold, own, stopped) > MARGIN)
      faults.push(`toy.output is on: cold ${cold}, own ${own}, stopped ${stopped}`);
    if (reached > MARGIN && toy.bias[1] !== 0 && watched('toy.bias[1]') && Math.max(own, stopped) > MARGIN)
      faults.push(`toy.bias[1] is on: own ${own}, stopped ${stopped}`);
    clock.after(0.02, watch);
  };
  watch();

  const act = (one: Act): void => {
    switch (one.do) {
      case 'on':
        order('output', true);
        break;
      case 'off':
        order('output', false);
        break;
      case 'bias':
        order('bias', 5, 1);
        break;
      case 'unbias':
        order('bias', 0, 1);
        break;
      case 'stop':
        host.stop('stop by a person');
        break;
      case 'acknowledge':
        host.acknowledge('test', undefined, true);
        break;
      case 'panel':
        toy.output = true;
        since.clear();
        break;
      case 'level':
        state(one.of).level = one.to;
        break;
      case 'dead':
        state(one.of).dead = one.is;
        break;
      case 'plug':
        plugged[one.of] = one.is;
        links.get(one.of)?.plug(one.is);
        break;
      case 'welded':
        toy.welded = one.is;
        break;
      case 'unsure':
        toy.unsure = one.is;
        break;
      case 'keeper':
        keeper.dead = !one.is;
        break;
      case 'advance':
        clock.advance(one.seconds);
        break;
      case 'stall':
        since.clear();
        clock.stall(one.seconds);
        break;
    }
  };

  /** All faults gone: everything can be switched on again. */
  const recover = (): void => {
    for (const of of ['toy', 'sensor'] as const) {
      act({ do: 'dead', of, is: false });
      act({ do: 'plug', of, is: true });
      act({ do: 'level', of, to: 1 });
    }
    act({ do: 'welded', is: false });
    act({ do: 'unsure', is: false });
    act({ do: 'keeper', is: true });
    const ready = (): boolean => {
      const { instruments } = host.status();
      return instruments.toy?.state === 'running' && instruments.sensor?.state === 'running';
    };
    for (let i = 0; i < LONG && !ready(); i++) clock.advance(1);
    clock.advance(5);
    const refused = host.acknowledge('test', undefined, true);
    if (refused !== undefined && !refused.startsWith('nothing waits')) faults.push(`cannot be acknowledged: ${refused}`);
    const before = ends.length;
    order('output', true);
    order('bias', 5, 1);
    clock.advance(5);
    const two = ends.slice(before).filter((o) => o.command === 'output' || o.command === 'bias');
    for (const { command, outcome, why } of two.slice(-2)) if (outcome !== 'done') faults.push(`${command} at the end: ${outcome}: ${why}`);
    if (!toy.output || toy.bias[1] !== 5) faults.push('not switched on at the end');
    clock.advance(31); // orders that wait have expired by now
    const { latched, alarms = [] } = host.status();
    if (latched !== undefined) faults.push(`latched at the end: ${latched}`);
    for (const { name: alarm } of alarms) if (alarm.startsWith('trip ')) faults.push(`an alarm stays: ${alarm}`);
    if (ends.length !== placed) faults.push(`${placed} orders, ${ends.length} outcomes`);
    if (new Set(ends.map((o) => o.id)).size !== ends.length) faults.push('an order has two outcomes');
  };
  return { clock, faults, act, recover, host, ends, entries: lab.entries };
}

test('any mixture of faults, orders, stops, acknowledgements and standstills', { timeout: 120_000 }, () => {
  fc.assert(
    fc.property(fc.array(acts, { minLength: 5, maxLength: 40 }), (list) => {
      const b = bench();
      b.clock.advance(1);
      for (const one of list) b.act(one);
      b.recover();
      expect(b.faults.slice(0, 3)).toEqual([]);
    }),
    { numRuns: 15 },
  );
});
