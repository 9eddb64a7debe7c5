/** What an instrument's channels and commands are is known only after it has identified itself: here it does so to its simulator. */
import { acquire, type State } from './acquire.ts';
import type { Catalogue } from './catalogue.ts';
import { virtualClock } from './clock.ts';
import { type Exchange, exchange } from './exchange.ts';
import { type AnyProtocol, type Body, type Command, type Instrument, type Kinds, type Links, Refused } from './instrument.ts';
import { simulatedLink } from './links/simulated.ts';
import type { RigInstrument } from './rig.ts';
import { type Device, type Port, universe } from './simulate.ts';
import type { Simulator } from './simulator.ts';

export interface Shape {
  readonly state: State;
  /** A fault in the driver or its simulator, which is an error of whoever wrote it. */
  readonly fault?: string;
  readonly channels: Kinds;
  readonly commands: Readonly<Record<string, Command>>;
  /** Channels that one question gives together, and seconds between two questions. */
  readonly polls: readonly { readonly channels: readonly string[]; readonly every: number }[];
  /** It can be the link of other instruments. */
  readonly tunnel: boolean;
}

type Given = Readonly<Record<string, unknown>>;

/** What a simulator is given of a rig: what it knows of the driver's options, and over them the rig's `simulate`. */
export function simulatorGiven(simulator: Simulator, { options, simulate }: { readonly options: Given; readonly simulate: Given }): Given {
  const known = Object.keys(simulator.options.fields);
  const shared = Object.entries(options).filter(([name]) => known.length === 0 || known.includes(name));
  return { ...Object.fromEntries(shared), ...simulate };
}

/** The options of an instrument's simulator as it understands them; throws only for what the rig's check lets not pass. */
export function simulatorOptions(placed: Pick<RigInstrument, 'name' | 'options' | 'simulate'>, simulator: Simulator): unknown {
  const parsed: unknown = simulator.options.parse(simulatorGiven(simulator, placed));
  if (parsed instanceof Refused) throw new Error(`${placed.name}: ${parsed.why}`);
  return parsed;
}

const PATIENCE = 20; // virtual seconds: more than any identify with its repeats takes

/**
 * Runs each instrument against its simulator on virtual time until it has identified itself, refused or been silent for long.
 * One without simulator has the state 'connecting', and no channels or commands.
 */
export function simulatedShape(rig: { readonly instruments: readonly RigInstrument[] }, catalogue: Catalogue): ReadonlyMap<string, Shape> {
  const clock = virtualClock();
  const space = universe(1, clock);
  const shapes = new Map<string, Shape>();
  const trials: Trial[] = [];
  const wires = new Map<string, { readonly protocol: AnyProtocol; readonly ports: Port[] }>();

  for (const placed of rig.instruments) {
    const model = catalogue.instruments.get(placed.model);
    const simulator = catalogue.simulators.get(placed.model);
    if (!model) continue;
    const trial = guarded(placed.name, () => begin(placed, model, simulator, space.device));
    if (typeof trial === 'string') shapes.set(placed.name, without({ is: 'connecting', why: trial }, trial));
    else if (trial === undefined) shapes.set(placed.name, without({ is: 'connecting', why: `the model ${placed.model} has no simulator` }));
    else {
      trials.push(trial);
      for (const [role, port] of Object.entries(trial.device?.ports ?? {})) {
        const link = placed.links[role];
        const protocol = trial.protocols[role];
        if (!link || !protocol) continue;
        const wire = wires.get(link.wire) ?? { protocol, ports: [] };
        wire.ports.push(port);
        wires.set(link.wire, wire);
      }
    }
  }

  const exchanges = new Map<string, Exchange>();
  for (const [wire, { ports, protocol }] of wires) {
    exchanges.set(wire, exchange(simulatedLink(ports, clock, { framing: protocol.framing ?? 'stream' }), protocol, clock));
  }
  const acquired = trials.map((trial) => {
    const roles: Record<string, Exchange> = {};
    for (const [role, { wire }] of Object.entries(trial.placed.links)) {
      const open = exchanges.get(wire);
      if (open) roles[role] = open;
    }
    const { name } = trial.placed;
    return [
      trial,
      acquire({ name, model: trial.watched, options: trial.options, roles, origin: 'simulator' }, clock, { reading() {}, state() {} }),
    ] as const;
  });

  let faults = 0;
  const settled = (): boolean =>
    acquired.every(([trial, a]) => trial.fault !== undefined || a.state.is === 'running' || a.state.is === 'refused');
  while (clock.mono() < PATIENCE && faults < 100 && !settled()) {
    try {
      clock.advance(0.1);
    } catch (error) {
      // A throw out of a simulator: whose it was is not known, so it is told of all that have not come up.
      faults++;
      for (const [trial, a] of acquired) if (a.state.is !== 'running') trial.suspected = message(error);
    }
  }
  for (const [trial, a] of acquired) {
    const { placed, body } = trial;
    const fault = trial.fault ?? (a.state.is === 'running' ? undefined : trial.suspected);
    shapes.set(placed.name, body && a.state.is === 'running' ? shapeOf(a.state, body, fault) : without(a.state, fault));
    a.close();
    trial.device?.close();
  }
  for (const e of exchanges.values()) e.close();
  return shapes;
}

interface Trial {
  readonly placed: RigInstrument;
  readonly options: unknown;
  readonly device: Device | undefined;
  readonly protocols: Readonly<Record<string, AnyProtocol>>;
  /** The model with a body that asks nothing: only what it declares is wanted. */
  readonly watched: Instrument;
  body?: Body<Links>;
  fault?: string;
  suspected?: string;
}

/** Undefined where there is nothing to answer it. */
function begin(
  placed: RigInstrument,
  model: Instrument,
  simulator: Simulator | undefined,
  device: ReturnType<typeof universe>['device'],
): Trial | undefined {
  const options: unknown = model.options.parse(placed.options);
  if (options instanceof Refused) throw new Error(options.why);
  const protocols = model.links(options) as Readonly<Record<string, AnyProtocol>>; // role -> language
  const needed = Object.keys(protocols).length > 0;
  if (needed && !simulator) return undefined;
  let made: Device | undefined;
  if (simulator && needed) made = device(placed.name, simulator, simulatorOptions(placed, simulator));
  const trial: Trial = {
    placed,
    options,
    device: made,
    protocols,
    watched: {
      ...model,
      body(p: unknown, id: unknown) {
        try {
          trial.body = model.body(p, id) as Body<Links>; // declared for this model's links
        } catch (error) {
          trial.fault = `fault in the driver: ${message(error)}`;
        }
        return {};
      },
    },
  };
  return trial;
}

function guarded<T>(name: string, work: () => T): T | string {
  try {
    return work();
  } catch (error) {
    return `fault in the driver or simulator of ${name}: ${message(error)}`;
  }
}

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const without = (state: State, fault?: string): Shape => ({
  state,
  ...(fault === undefined ? {} : { fault }),
  channels: {},
  commands: {},
  polls: [],
  tunnel: false,
});

function shapeOf(state: State, body: Body<Links>, fault: string | undefined): Shape {
  const channels: Record<string, Kinds[string]> = { ...body.gives };
  for (const poll of body.polls ?? []) Object.assign(channels, poll.gives);
  for (const list of Object.values(body.streams ?? {})) for (const stream of list ?? []) Object.assign(channels, stream.gives);
  return {
    state,
    ...(fault === undefined ? {} : { fault }),
    channels,
    commands: (body.commands ?? {}) as Shape['commands'], // as acquire gives them
    polls: (body.polls ?? []).map((poll) => ({ channels: Object.keys(poll.gives), every: poll.every })),
    tunnel: body.tunnel !== undefined,
  };
}
