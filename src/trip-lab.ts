/** A whole laboratory of simulators in this process on virtual time, whose links and readings a trip test can falsify. */
import type { Acquired } from './acquire.ts';
import type { Catalogue } from './catalogue.ts';
import { type VirtualClock, virtualClock } from './clock.ts';
import type { Entry, InterlockStatus, OrderEntry } from './entry.ts';
import type { Question } from './forge.ts';
import { type Host, type HostOptions, host as plainHost, type WrittenOrder } from './host.ts';
import type { AnyProtocol, Body, Came, Links, Poll, Stream } from './instrument.ts';
import type { Keeper } from './lease.ts';
import type { SimulatedLink } from './links/simulated.ts';
import { nodesOf } from './methods.ts';
import type { Kinds, Reading, Values } from './reading.ts';
import type { Rig, RigInstrument } from './rig.ts';
import { simulatedRig } from './rig-open.ts';
import { adapted, modelOf, parsed, type Wire, wires } from './rig-wires.ts';
import { actor, shown, type Talk } from './talk.ts';
import { type Asked, sameQuestion, type TripWire, tripWire } from './trip-wire.ts';

export interface TripLabOptions {
  readonly seed: number;
  /** Makes the host: another one only where the test itself is tested. */
  readonly host?: (options: HostOptions) => Host;
  /** Channels, and instrument.channel of read-backs, whose readings are kept. */
  readonly kept: ReadonlySet<string>;
}

export interface TripLab {
  readonly clock: VirtualClock;
  readonly host: Host;
  /** In the order of their coming. */
  readonly readings: ReadonlyMap<string, Reading[]>;
  /** Orders' questions whose bytes have gone: t in microseconds since 1970. */
  readonly sent: readonly { readonly t: number; readonly instrument: string; readonly command: string }[];
  readonly levels: readonly { readonly t: number; readonly interlock: InterlockStatus }[];
  /** The interlock holds now. */
  holds(name: string): boolean;
  /** Channel -> what its readings are made into; each is called for each of its readings. */
  readonly tampers: Map<string, (reading: Reading) => Reading>;
  readonly wires: readonly { readonly key: string; readonly wire: TripWire }[];
  wireOf(instrument: string, role: string): { readonly key: string; readonly wire: TripWire; readonly behind: boolean } | undefined;
  wiresOf(instrument: string): readonly { readonly key: string; readonly wire: TripWire; readonly behind: boolean }[];
  source(channel: string): Source | undefined;
  /** Lets time pass until it is so, for that many seconds at most. */
  until(seconds: number, is: () => boolean): boolean;
  /** Gives an order and waits for its end. */
  order(request: Omit<WrittenOrder, 'by'>): OrderEntry | undefined;
  close(): void;
}

/** Where a channel of an instrument comes from. */
export interface Source {
  readonly instrument: string;
  readonly role: string;
  /** Time-out of a question in seconds. */
  readonly within: number;
  /** Seconds between two polls; absent: it comes by itself. */
  readonly every?: number;
  readonly span?: readonly [number, number];
  /** Of a state: the words that an order can give it. */
  readonly words: readonly string[];
  /** Bytes of a stream of files, or a talk of several questions: no reply can be forged. */
  readonly question?: (asked: Asked | undefined, m: unknown) => Question | undefined;
  /** A question of the same unit of the wire. */
  readonly same: (asked: Asked | undefined) => boolean;
}

/** Longer than any test: what ends an output is not to be its own longest time. */
const FOR_EVER = 30 * 86400;
const STEP = 0.02; // seconds between two looks; what is measured has its own times
const LONGEST_ORDER = 300; // seconds: a ramp takes its time

/** It is always there and confirms at once: the test is of the host's interlocks, not of the guardian. */
const keeper: Keeper = { name: 'trip-test', alive: () => true, arm: (_, armed) => armed(), beat() {}, release() {} };

export function tripLab(given: Rig, catalogue: Catalogue, options: TripLabOptions): TripLab {
  const rig = lasting(given);
  const clock = fine(virtualClock());
  const simulated = simulatedRig(rig, catalogue, clock, options.seed);
  const all = new Map<string, TripWire>();
  const readings = new Map<string, Reading[]>();
  const sent: { t: number; instrument: string; command: string }[] = [];
  const holding = new Map<string, boolean>();
  const levels: { t: number; interlock: InterlockStatus }[] = [];
  const tampers = new Map<string, (reading: Reading) => Reading>();
  const { tunnels } = wires(rig, catalogue);

  const emit = (entry: Entry): void => {
    if (entry.kind === 'reading' && options.kept.has(entry.reading.from)) {
      const { from } = entry.reading;
      const list = readings.get(from);
      if (list) list.push(entry.reading);
      else readings.set(from, [entry.reading]);
    } else if (entry.kind === 'interlock') {
      levels.push({ t: entry.t, interlock: entry.interlock });
      holding.set(entry.interlock.name, entry.interlock.is === 'holds');
    } else if (entry.kind === 'exchange' && entry.exchanged.by.startsWith('order:')) {
      const { asked, instrument, by } = entry.exchanged;
      sent.push({ t: asked, instrument, command: by.slice('order:'.length) });
    }
  };
  const open = (wire: Wire): TripWire['link'] => {
    const link = simulated.open(wire);
    if (!link) throw new Error(`${wire.key} has no simulator`);
    // What a simulated rig opens is a simulated link: it has a plug.
    const made = tripWire(link as SimulatedLink, wire.users[0].protocol, clock, options.seed);
    all.set(wire.key, made);
    return made.link;
  };
  const lab = (options.host ?? plainHost)({
    rig,
    catalogue,
    nodes: nodesOf(rig),
    clock,
    open,
    emit,
    keeper,
    tamper: (reading) => tampers.get(reading.from)?.(reading) ?? reading,
  });

  const wireOf: TripLab['wireOf'] = (instrument, role) => {
    const placed = rig.instruments.find((one) => one.name === instrument);
    const key = placed?.links[role]?.wire ?? '';
    const wire = all.get(key);
    if (wire) return { key, wire, behind: false };
    const tunnel = tunnels.find((one) => one.key === key);
    if (!tunnel) return undefined;
    const [adapter = ''] = tunnel.address.slice('gpib:'.length).split('/');
    const carrier = wireOf(adapter, 'main');
    return carrier && { ...carrier, behind: true };
  };

  const until: TripLab['until'] = (seconds, is) => {
    const end = clock.mono() + seconds;
    while (!is()) {
      if (clock.mono() >= end) return false;
      clock.advance(Math.min(STEP, Math.max(1e-6, end - clock.mono())));
    }
    return true;
  };

  return {
    clock,
    host: lab,
    readings,
    sent,
    levels,
    holds: (name) => holding.get(name) === true,
    tampers,
    get wires() {
      return [...all].map(([key, wire]) => ({ key, wire }));
    },
    wireOf,
    wiresOf: (instrument) =>
      Object.keys(rig.instruments.find((one) => one.name === instrument)?.links ?? {}).flatMap((role) => wireOf(instrument, role) ?? []),
    until,
    source(channel) {
      const dot = channel.indexOf('.');
      const placed = rig.instruments.find((one) => one.name === channel.slice(0, dot));
      const acquired = lab.acquired.get(channel.slice(0, dot));
      return placed && acquired && sourceOf(placed, acquired, channel.slice(dot + 1), catalogue);
    },
    order(request) {
      let ended: OrderEntry | undefined;
      lab.order({ by: 'trip-test', ...request }, (order) => {
        ended = order;
      });
      until(LONGEST_ORDER, () => ended !== undefined);
      return ended;
    },
    close() {
      lab.close(0, () => {});
      clock.advance(0.1);
    },
  };
}

/** A microsecond is the least that passes: what is due in less would come at the same time for ever. */
const fine = (clock: VirtualClock): VirtualClock => ({
  ...clock,
  after: (seconds, work) => clock.after(seconds > 0 ? Math.max(seconds, 1e-6) : seconds, work),
});

/** The rig with leases that last, and without what no interlock has to do with: derivations, and instruments on wires of their own. */
function lasting(rig: Rig): Rig {
  const made = new Set<string>();
  const needed = new Set<string>();
  const want = (channel: string): void => {
    const one = rig.derive.find(({ name }) => channel.startsWith(`${name}.`));
    if (!one) needed.add(channel.slice(0, channel.indexOf('.')));
    if (!one || made.has(one.name)) return;
    made.add(one.name);
    for (const input of Object.values(one.inputs)) want(input.from);
  };
  for (const { when, forbids, trips } of rig.interlocks ?? []) for (const name of [...channelsIn(when), ...forbids, ...trips]) want(name);
  for (const { leases } of rig.instruments) for (const { heldBy } of Object.values(leases)) if (heldBy !== undefined) needed.add(heldBy);
  const wiresOf = (one: RigInstrument): readonly string[] => Object.values(one.links).map(({ wire }) => wire);
  const adapters = rig.instruments.flatMap((one) =>
    Object.values(one.links).flatMap(({ address }) => /^gpib:([^/]+)/.exec(address)?.[1] ?? []),
  );
  const used = new Set(rig.instruments.filter(({ name }) => needed.has(name)).flatMap(wiresOf));
  const kept = rig.instruments.filter(
    (one) => needed.has(one.name) || adapters.includes(one.name) || wiresOf(one).some((wire) => used.has(wire)),
  );
  return {
    ...rig,
    derive: rig.derive.filter((one) => made.has(one.name)),
    instruments: kept.map((one) => ({
      ...one,
      leases: Object.fromEntries(Object.entries(one.leases).map(([name, lease]) => [name, { ...lease, longest: FOR_EVER }])),
    })),
    // What holds an output on a temperature would move what is tested, and is no instrument.
    start: rig.start.filter((order) => kept.some(({ name }) => name === order.instrument)),
    feedback: undefined,
    alarms: [],
  };
}

type When = NonNullable<Rig['interlocks']>[number]['when'];
const channelsIn = (when: When): readonly string[] =>
  'of' in when ? [when.of] : ('all' in when ? when.all : when.any).flatMap(channelsIn);

/** The body is made anew, for itself: a driver's reader may have a state, and that of the host is not to be touched. */
function sourceOf(placed: RigInstrument, acquired: Acquired, channel: string, catalogue: Catalogue): Source | undefined {
  if (acquired.state.is === 'connecting') return undefined;
  const model = adapted(modelOf(catalogue, placed), placed);
  const given = parsed(model, placed);
  const body: Body<Links> = model.body(given, acquired.id);
  const languages = model.links(given) as Readonly<Record<string, AnyProtocol>>; // role -> language
  const { within } = model;
  const words = Object.values(body.commands ?? {}).flatMap((command) =>
    command.readback?.channel === channel ? (command.words ?? []) : [],
  );
  const roles = Object.keys(placed.links);
  const instrument = placed.name;
  for (const poll of body.polls ?? []) {
    if (!(channel in poll.gives)) continue;
    const first = firstOf(poll, roles);
    const role = first?.role ?? 'main';
    const protocol = languages[role];
    if (!first || !protocol) return { instrument, role, within, words, every: poll.every, same: () => true };
    const unit = protocol.unit?.(first.q);
    return {
      instrument,
      role,
      within,
      words,
      every: poll.every,
      span: poll.span?.[channel],
      same: (asked) => protocol.unit === undefined || (asked?.q !== undefined && protocol.unit(asked.q) === unit),
      question: (asked) =>
        sameQuestion(protocol, asked, first.q)
          ? {
              protocol,
              // Of several messages the question itself; else what was asked, with its number.
              fits: (m) => protocol.fits(m, protocol.number ? asked?.q : first.q) === 'answer',
              gives: poll.gives,
              span: poll.span,
              read: (m) => readBy(poll, roles, m),
            }
          : undefined,
    };
  }
  for (const [role, list] of Object.entries(body.streams ?? {})) {
    const stream = list?.find((one) => channel in one.gives);
    const protocol = languages[role];
    if (!stream || !protocol) continue;
    const plain = { instrument, role, within, words, same: () => true };
    return protocol.framing === 'packets' ? plain : { ...plain, question: (_, m) => streamed(stream, protocol, m) };
  }
  return { instrument, role: '', within, words, same: () => true };
}

const CAME: Came = { asked: 0, t: 0 };
const takes = (stream: Stream, m: unknown): boolean => {
  try {
    return stream.takes(m);
  } catch {
    return false;
  }
};
const streamed = (stream: Stream, protocol: AnyProtocol, m: unknown): Question | undefined =>
  takes(stream, m)
    ? { protocol, fits: (other) => takes(stream, other), gives: stream.gives, read: (x) => stream.read(x, CAME) }
    : undefined;

const askers = (roles: readonly string[]) => Object.fromEntries(roles.map((role) => [role, actor(role)]));

/** The one question of a poll's talk, if it begins with one. */
function firstOf(poll: Poll<Links>, roles: readonly string[]): { readonly role: string; readonly q: unknown } | undefined {
  try {
    const step = poll.talk(askers(roles)).next();
    const act = step.done ? undefined : shown(step.value);
    return act?.do === 'ask' && act.reply ? { role: act.role, q: act.q } : undefined;
  } catch {
    return undefined;
  }
}

/** What the driver makes of this reply to the one question of its talk. */
function readBy(poll: Poll<Links>, roles: readonly string[], m: unknown): Values<Kinds> {
  const talk: Talk<unknown> = poll.talk(askers(roles));
  talk.next();
  const end = talk.next(m);
  if (!end.done) throw new Error('a talk of several questions');
  return poll.read(end.value, CAME);
}
