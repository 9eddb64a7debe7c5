/** What an instrument's channels and commands are is known only after it has identified itself: here it does so to its simulator. */
import { type Acquired, acquire, type State } from './acquire.ts';
import type { Catalogue } from './catalogue.ts';
import { type Clock, virtualClock } from './clock.ts';
import { type Exchange, exchange } from './exchange.ts';
import {
  type AnyProtocol,
  type Body,
  type Command,
  type Instrument,
  type Kind,
  type Kinds,
  type Links,
  type Proof,
  Refused,
  type Stream,
  type Watchdog,
} from './instrument.ts';
import { simulatedLink } from './links/simulated.ts';
import { isBuild } from './readout/boards.ts';
import type { RigInstrument } from './rig.ts';
import { universe } from './simulate.ts';
import type { Simulator } from './simulator.ts';

/** What is known of a channel beside its kind. */
export interface Facts {
  readonly comes: 'polled' | 'streamed' | 'given' | 'derived';
  /** Seconds between two polls as the driver has it. */
  readonly every?: number;
  /** What is physically possible, in SI: a reading outside is bad. */
  readonly span?: readonly [number, number];
  /** Of a state: all the words that it shows, where a command that it reads back tells. */
  readonly words?: readonly string[];
  /** One reading per index, as far as the driver's example tells. */
  readonly list?: boolean;
}

export interface Shape {
  readonly state: State;
  /** A fault in the driver or its simulator, which is an error of whoever wrote it. */
  readonly fault?: string;
  readonly channels: Kinds;
  readonly commands: Readonly<Record<string, Command>>;
  /** Channels that one question gives together, and seconds between two questions. */
  readonly polls: readonly { readonly channels: readonly string[]; readonly every: number }[];
  /** Channel -> what is known of it. */
  readonly facts: Readonly<Record<string, Facts>>;
  readonly watchdog?: Pick<Watchdog<Links>, 'holds' | 'limits' | 'readback'>;
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
export function simulatorOptions(simulator: Simulator, placed: Pick<RigInstrument, 'name' | 'options' | 'simulate'>): unknown {
  const parsed: unknown = simulator.options.parse(simulatorGiven(simulator, placed));
  if (parsed instanceof Refused) throw new Error(`${placed.name}: ${parsed.why}`);
  return parsed;
}

const EMPTY = new Uint8Array(0);
const PATIENCE = 20; // virtual seconds: more than any identify with its repeats takes

/**
 * Runs each instrument against its simulator on virtual time until it has identified itself, refused or been silent for long.
 * One without simulator has the state 'connecting', and no channels or commands. Faults of drivers and simulators are caught and told.
 */
export function simulatedShape(rig: { readonly instruments: readonly RigInstrument[] }, catalogue: Catalogue): ReadonlyMap<string, Shape> {
  return new Map(
    rig.instruments.flatMap((placed) => {
      const model = catalogue.instruments.get(placed.model);
      return model ? [[placed.name, tried(placed, model, catalogue.simulators.get(placed.model))] as const] : [];
    }),
  );
}

/** Each has a time and a world of its own, so that a fault of one is not told of another. */
function tried(placed: RigInstrument, model: Instrument, simulator: Simulator | undefined): Shape {
  const clock = virtualClock();
  const closes: (() => void)[] = [];
  try {
    const trial = begin(placed, model, simulator, clock, closes);
    if (!trial) return without({ is: 'connecting', why: `the model ${placed.model} has no simulator` });
    const { acquired } = trial;
    while (clock.mono() < PATIENCE && trial.fault === undefined && acquired.state.is !== 'running' && acquired.state.is !== 'refused') {
      clock.advance(0.1);
    }
    const running = trial.body && acquired.state.is === 'running';
    return running && trial.body ? shapeOf(acquired.state, trial.body, trial.fault) : without(acquired.state, trial.fault);
  } catch (error) {
    const why = `fault in the driver or its simulator: ${message(error)}`;
    return without({ is: 'connecting', why }, why);
  } finally {
    for (const close of closes) close();
  }
}

interface Trial {
  readonly acquired: Acquired;
  body?: Body<Links>;
  fault?: string;
}

/** Undefined where there is nothing to answer it. */
function begin(
  placed: RigInstrument,
  model: Instrument,
  simulator: Simulator | undefined,
  clock: Clock,
  closes: (() => void)[],
): Trial | undefined {
  const options: unknown = model.options.parse(placed.options);
  if (options instanceof Refused) throw new Error(options.why);
  const found: { body?: Body<Links>; fault?: string } = {};
  /** What is called from inside a stream must not throw there. */
  const careful =
    <A extends readonly unknown[], R>(work: (...given: A) => R, otherwise: R) =>
    (...given: A): R => {
      try {
        return work(...given);
      } catch (error) {
        found.fault ??= `fault in the driver: ${message(error)}`;
        return otherwise;
      }
    };
  const roles: Record<string, Exchange> = {};
  const protocols = Object.entries(model.links(options) as Readonly<Record<string, AnyProtocol>>); // role -> language
  // What is built of the hits of boards asks nobody, and is the same with simulated boards.
  const answered = protocols.filter(([, { readout }]) => readout === undefined || !isBuild(readout)).map(([role]) => role);
  if (protocols.length > 0) {
    if (!simulator && answered.length > 0) return undefined;
    const device = simulator && universe(1, clock).device(placed.name, simulator, simulatorOptions(simulator, placed));
    if (device) closes.push(device.close);
    for (const [role, protocol] of protocols) {
      const port = device?.ports[role];
      if (!port && answered.includes(role)) throw new Error(`the simulator has no role "${role}"`);
      const { asks, tells } = protocol;
      const language: AnyProtocol = {
        ...protocol,
        asks: { encode: careful((q: unknown) => asks.encode(q), EMPTY), decoder: () => asks.decoder() },
        tells: { encode: careful((m: unknown) => tells.encode(m), EMPTY), decoder: () => careful(tells.decoder(), []) },
        fits: careful((m: unknown, q: unknown) => protocol.fits(m, q), 'late' as const),
      };
      const open = exchange(simulatedLink(port ? [port] : [], clock, { framing: protocol.framing ?? 'stream' }), language, clock);
      closes.push(open.close);
      roles[role] = open;
    }
  }
  const watched: Instrument = {
    ...model,
    proof: (p: unknown) =>
      Object.fromEntries(
        Object.entries(model.proof(p) as Readonly<Record<string, Proof<unknown, unknown> | undefined>>).map(([role, proof]) => [
          role,
          proof && { ...proof, ask: careful(proof.ask, undefined), is: careful(proof.is, false) },
        ]),
      ),
    // Only what the body declares is wanted: this one asks nothing.
    body: careful((p: unknown, id: unknown) => {
      found.body = model.body(p, id) as Body<Links>; // declared for this model's links
      return {};
    }, {}),
  };
  const { name } = placed;
  const acquired = acquire({ name, model: watched, options, roles, origin: 'simulator' }, clock, { reading() {}, state() {} });
  closes.push(acquired.close);
  return Object.assign(found, { acquired });
}

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const without = (state: State, fault?: string): Shape => ({
  state,
  ...(fault === undefined ? {} : { fault }),
  channels: {},
  commands: {},
  polls: [],
  facts: {},
  tunnel: false,
});

function shapeOf(state: State, body: Body<Links>, fault: string | undefined): Shape {
  const channels: Record<string, Kinds[string]> = { ...body.gives };
  const streams = Object.values(body.streams ?? {}).flatMap((list) => list ?? []);
  for (const one of [...(body.polls ?? []), ...streams]) Object.assign(channels, one.gives);
  const { watchdog } = body;
  return {
    state,
    ...(fault === undefined ? {} : { fault }),
    channels,
    commands: (body.commands ?? {}) as Shape['commands'], // as acquire gives them
    polls: (body.polls ?? []).map((poll) => ({ channels: Object.keys(poll.gives), every: poll.every })),
    facts: Object.fromEntries(Object.entries(channels).map(([name, kind]) => [name, factsOf(name, kind, body, streams)])),
    ...(watchdog === undefined ? {} : { watchdog: { holds: watchdog.holds, limits: watchdog.limits, readback: watchdog.readback } }),
    tunnel: body.tunnel !== undefined,
  };
}

function factsOf(name: string, kind: Kind, body: Body<Links>, streams: readonly Stream[]): Facts {
  const polls = (body.polls ?? []).filter((poll) => Object.hasOwn(poll.gives, name));
  const streamed = streams.filter((stream) => Object.hasOwn(stream.gives, name));
  const examples: unknown[] = [...polls, ...streamed].flatMap((one) => {
    const means = one.example?.[1] as Readonly<Record<string, unknown>> | undefined; // what the driver says the example means
    return means !== undefined && Object.hasOwn(means, name) ? [means[name]] : [];
  });
  // With two polls for one channel only the wider span is a fact.
  const spans = polls.flatMap((poll) => (poll.span?.[name] ? [poll.span[name]] : []));
  const span = spans.length === polls.length && streamed.length === 0 && spans.length > 0;
  const words = kind === 'state' ? wordsOf(name, body, examples) : undefined;
  return {
    comes: polls.length > 0 ? 'polled' : streamed.length > 0 ? 'streamed' : 'given',
    ...(polls.length === 0 ? {} : { every: Math.min(...polls.map((poll) => poll.every)) }),
    ...(span ? { span: [Math.min(...spans.map(([lo]) => lo)), Math.max(...spans.map(([, hi]) => hi))] as const } : {}),
    ...(words === undefined ? {} : { words }),
    ...(examples.length === 0 ? {} : { list: examples.some(Array.isArray) }),
  };
}

/** The words that its poll declares, else those of the commands that this channel reads back, and those of its examples. */
function wordsOf(name: string, body: Body<Links>, examples: readonly unknown[]): readonly string[] | undefined {
  const declared = (body.polls ?? []).flatMap((poll) => poll.words?.[name] ?? []);
  if (declared.length > 0) return [...new Set(declared)];
  const set = Object.values(body.commands ?? {}).flatMap(({ words, readback }) => {
    if (words === undefined || readback?.channel !== name) return [];
    const { shows } = readback;
    return words.map((word) => String(shows ? shows(word) : word));
  });
  return set.length === 0 ? undefined : [...new Set([...set, ...examples.filter((one) => typeof one === 'string')])];
}
