/** An instrument on its simulator, on virtual time: what tests of drivers begin with. */
import { latin1 } from '../../protocols/protocol.ts';
import { type Acquired, acquire, type State } from '../../src/acquire.ts';
import { type VirtualClock, virtualClock } from '../../src/clock.ts';
import { type Exchange, type Exchanged, exchange, ORDER, SAFE } from '../../src/exchange.ts';
import type { Instrument } from '../../src/instrument.ts';
import { type SimulatedLink, simulatedLink } from '../../src/links/simulated.ts';
import type { Reading } from '../../src/reading.ts';
import { type Universe, universe } from '../../src/simulate.ts';
import type { Simulator } from '../../src/simulator.ts';
import { here, Refused } from '../../src/talk.ts';
import { runTalk } from '../../src/talk-run.ts';

export interface Unit {
  readonly name: string;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly simulate?: Readonly<Record<string, unknown>>;
}

export interface Placed {
  readonly name: string;
  readonly acquired: Acquired;
  readonly readings: Reading[];
  readonly states: State[];
  /** The simulated device's own state, as its simulator's test hooks need it. */
  readonly state: unknown;
  /** Runs an order's talk for the given seconds; 'done', or why not. */
  order(command: string, value?: number | boolean | string, options?: { readonly within?: number; readonly safe?: boolean }): string;
}

export interface Bench {
  readonly clock: VirtualClock;
  readonly all: Universe;
  readonly link: SimulatedLink;
  readonly exchange: Exchange;
  readonly exchanged: Exchanged[];
  readonly units: readonly Placed[];
  /** What was sent since the last call, as Latin-1 text; polls left out unless asked for. */
  sent(polls?: boolean): readonly string[];
}

function parsed<T>(schema: { parse(yaml: unknown): T | Refused }, yaml: unknown): T {
  const options = schema.parse(yaml);
  if (options instanceof Refused) throw new Error(options.why);
  return options;
}

export function place(
  model: Instrument,
  simulator: Simulator,
  units: readonly Unit[],
  line: { readonly baud?: number; readonly halfDuplex?: boolean; readonly seed?: number } = {},
): Bench {
  const clock = virtualClock();
  const all = universe(line.seed ?? 1, clock);
  const devices = units.map((u) => all.device(u.name, simulator, parsed(simulator.options, { ...u.options, ...u.simulate })));
  const link = simulatedLink(
    devices.map((d) => d.ports.main),
    clock,
    line,
  );
  const options = units.map((u) => parsed(model.options, u.options));
  const wire = exchange(link, model.links(options[0]).main, clock);
  const exchanged: Exchanged[] = [];
  wire.exchanged.subscribe((e) => exchanged.push(e));
  let told = 0;

  const placed = units.map((u, i): Placed => {
    const readings: Reading[] = [];
    const states: State[] = [];
    const acquired = acquire({ name: u.name, model, options: options[i], roles: { main: wire }, origin: 'simulator' }, clock, {
      reading: (r) => readings.push(r),
      state: (_name, state) => states.push(state),
    });
    return {
      name: u.name,
      acquired,
      readings,
      states,
      state: devices[i].state,
      order(command, value, { within = 5, safe = false } = {}) {
        const found = acquired.commands[command];
        if (!found) return `no command "${command}"`;
        let outcome = 'unfinished';
        runTalk(
          found.talk(acquired.actors, value, 0, here),
          { instrument: u.name, by: `order:${command}`, urgency: safe ? SAFE : ORDER, roles: { main: wire }, within: model.within, clock },
          (end) => {
            outcome = end.ok ? 'done' : end.why;
          },
        );
        clock.advance(within);
        return outcome;
      },
    };
  });
  return {
    clock,
    all,
    link,
    exchange: wire,
    exchanged,
    units: placed,
    sent(polls = false) {
      const since = exchanged.slice(told);
      told = exchanged.length;
      return since.filter((e) => polls || e.by.startsWith('order:')).map((e) => latin1(e.sent));
    },
  };
}
