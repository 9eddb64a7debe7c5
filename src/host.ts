/** The laboratory at work: links, exchanges, instruments, orders, leases and derivations of one rig. Owns the ports; does no disk I/O at all. */

import { type Acquired, acquire, type State } from './acquire.ts';
import { hostAlarms } from './alarm-host.ts';
import { type CalibrationSent, heardCalibration } from './calibrate-live.ts';
import type { Catalogue } from './catalogue.ts';
import { type Clock, every } from './clock.ts';
import type { AlarmState, Entry, Keep, LinkStatus, OrderEntry, Severity, Status } from './entry.ts';
import { type Exchange, exchange } from './exchange.ts';
import type { Feedbacks } from './feedback.ts';
import { feedbacksOf } from './feedback-host.ts';
import { FEEDBACK } from './feedback-spec.ts';
import { gapLedger } from './gaps.ts';
import { graph, type NodeSpec } from './graph.ts';
import type { Keeper } from './lease.ts';
import { type Link, wrapped } from './link.ts';
import { recording } from './links/recording.ts';
import { tunnelLink } from './links/tunnel.ts';
import { type Guard, type OrderRequest, orders, type Target } from './order.ts';
import type { Ramps } from './ramp.ts';
import { rampsOf } from './ramp-host.ts';
import type { Reading } from './reading.ts';
import type { Rig, RigInstrument } from './rig.ts';
import { CALIBRATION_FOLDER } from './rig-calibrations.ts';
import { hint } from './rig-read.ts';
import { adapted, carrierOf, modelOf, parsed, type Wire, wires } from './rig-wires.ts';
import { safety } from './safety.ts';
import { givenValue } from './value.ts';

export interface WrittenOrder extends Omit<OrderRequest, 'value' | 'sigma'> {
  readonly written?: string | number | boolean;
}

export interface HostOptions {
  readonly rig: Rig;
  readonly catalogue: Catalogue;
  readonly nodes: readonly NodeSpec[];
  readonly clock: Clock;
  /** Opens a wire: a port, a socket, or a simulated link. Not called for tunnels. `keep` takes of a fast stream what the session is to hold. */
  readonly open: (wire: Wire, told: (text: string) => void, keep: Keep) => Link;
  readonly emit: (entry: Entry) => void;
  readonly keeper: Keeper;
  /** Entries waiting and dropped on their way to the recorder. */
  readonly outflow?: () => { readonly queued: number; readonly dropped: number };
  readonly memory?: () => number;
  /** Of what has no link (values entered by hand); 'hardware' unless the whole run is simulated. */
  readonly origin?: Link['origin'];
  /** What is true in the simulators' worlds. */
  readonly truth?: () => Readonly<Record<string, number>>;
  /** Outputs that an earlier run has left behind unsigned, and what to call when a person has acknowledged that. */
  readonly unsettled?: readonly { readonly name: string; readonly why: string }[];
  readonly settled?: () => void;
  /** Readings as a trip test falsifies them: before anything sees them, derived ones too. */
  readonly tamper?: (reading: Reading) => Reading;
  /** Alarms as they stood when the last run ended. */
  readonly restored?: readonly AlarmState[];
}

export interface Host {
  /** `written`: the value as a person wrote it, with its unit. */
  order(request: WrittenOrder, done: (order: OrderEntry) => void): void;
  note(by: string, text: string): void;
  mark(by: string, what: 'start' | 'stop'): number | string;
  /** One latch by its name, the only one, or all; a sentence when that cannot be. */
  acknowledge(by: string, name?: string, all?: boolean): string | undefined;
  /** Puts an alarm aside for a time; a sentence when that cannot be. */
  shelve(by: string, name: string, seconds: number, why: string): string | undefined;
  /** An alarm of the guardian's or the recorder's; without a severity its cause has gone. */
  tell(name: string, severity: Severity | undefined, text: string, guidance?: string): void;
  /** Makes every hazardous output safe and latches. */
  stop(why: string): void;
  /** Holds, resumes or stops the ramp of an output; a sentence when that cannot be. */
  ramp(by: string, output: string, what: 'hold' | 'resume' | 'stop'): string | undefined;
  /** Lets go of a loop that holds an output, which stays or is switched off; `done` with that order, or with a sentence when it cannot be. */
  hold(by: string, loop: string, what: 'release' | 'off', done: (ended: OrderEntry | string | undefined) => void): void;
  /** A calibration that is there from the next spectrum on; a sentence when it is none. */
  learn(sent: CalibrationSent): string | undefined;
  /** No hazardous order while there is a reason; undefined lifts it. */
  forbid(why: string | undefined): void;
  status(): Status;
  /** What the guardian needs of an instrument to make it safe: its identity, once it is known. */
  identity(instrument: string): unknown;
  readonly acquired: ReadonlyMap<string, Acquired>;
  /** The rig's start orders have all ended. */
  readonly started: boolean;
  /** Outputs safe, read back if they can be within the given seconds; then all links closed. */
  close(within: number, done: (unsafe: readonly string[]) => void, why?: string): void;
}

const LATE = 0.02; // seconds by which the loop must be late before it has stood still
const STOOD = 0.25; // seconds by which the loop may be late before the readings that it has missed are said to be missing
const START_PATIENCE = 100; // tenths of a second that a start order waits for its interlocks
const START_SAID = 50; // tenths of a second after which it is said that start orders wait

export function host(options: HostOptions): Host {
  const { rig, catalogue, clock, emit, keeper } = options;
  const subscriptions: { unsubscribe(): void }[] = [];
  const stops: (() => void)[] = [];
  const acquired = new Map<string, Acquired>();
  const targets = new Map<string, Target>();
  const exchanges = new Map<string, Exchange>();
  const derive = graph(options.nodes);
  const ledger = gapLedger();
  const states = new Map<string, State>();
  let run = 0;
  let running = false;
  let started = false;
  let closing = false;
  let lateness = 0;
  let latenessBefore = 0;

  const publish = (reading: Reading): void => {
    emit({ kind: 'reading', reading });
    const gaps = ledger.see(reading);
    if (gaps.length > 0) for (const gap of gaps) emit({ kind: 'gap', gap });
    safe.see(reading);
    alarming.see(reading);
    holding.see(reading);
  };
  const { tamper = (reading: Reading): Reading => reading } = options;
  const take = (given: Reading): void => {
    const reading = tamper(given);
    publish(reading);
    ordering.see(reading);
    for (const made of derive(reading)) publish(tamper(made));
  };
  const alarm = (from: string, text: string): void => emit({ kind: 'alarm', alarm: { t: clock.now(), from, text } });

  const ordering = orders(targets, clock, guard(), (order) => {
    emit({ kind: 'order', order });
    ramping.seeOrder(order);
    holding.seeOrder(order);
  });
  const ramping: Ramps = rampsOf(rig, acquired, clock, ordering, alarm);
  const holding: Feedbacks = feedbacksOf(rig.feedback ?? [], acquired, clock, ordering, {
    told: alarm,
    alarm: (from, text) => alarming.tell(from, text === undefined ? undefined : 'alarm', text ?? ''),
  });
  const safe = safety({
    rig,
    clock,
    keeper,
    acquired,
    targets,
    emit,
    place: (request, done) => ordering.place(request, done),
    unsettled: options.unsettled,
    settled: options.settled,
  });

  const alarming = hostAlarms(rig, clock, emit, { restored: options.restored, limits: rig.watch });

  /** Orders are there before what guards them. */
  function guard(): Guard {
    return {
      refuse: (...which) => safe.refuse(...which),
      arm: (...which) => safe.arm(...which),
      released: (...which) => safe.released(...which),
      doubtful: (...which) => safe.doubtful(...which),
      void: (since) => safe.void(since),
    };
  }

  // --- links and instruments, in the rig's order
  const { wires: plain, tunnels } = wires(rig, catalogue);
  const connect = (wire: Wire, link: Link): void => {
    const taped = recording(link, (heard) => emit({ kind: 'bytes', wire: heard }), wire.key, clock);
    const [first] = wire.users;
    // After a standstill nothing goes out before the safe orders, those for instruments behind an adapter among them.
    const on = wire.users.map((u) => u.instrument.name);
    const served = [...on];
    // Each tunnel comes behind those that carry it.
    for (const t of tunnels) if (served.includes(carrierOf(t))) served.push(...t.users.map((u) => u.instrument.name));
    const gated = wrapped(taped, {
      write: (bytes, reply, safely) => (safely === true || !safe.stalled(served) ? taped.write(bytes, reply, safely) : false),
    });
    const e = exchange(gated, first.protocol, clock, { name: wire.key });
    exchanges.set(wire.key, e);
    subscriptions.push(e.exchanged.subscribe((exchanged) => emit({ kind: 'exchange', exchanged })));
  };
  const origins = new Map<string, Link['origin']>();
  for (const wire of plain) {
    const told = (text: string): void => alarm(wire.key, text.startsWith(`${wire.key}: `) ? text.slice(wire.key.length + 2) : text);
    const link = options.open(wire, told, (part, t, bytes) =>
      emit({ kind: 'bytes', wire: { link: wire.key, direction: 'in', t, bytes, part } }),
    );
    origins.set(wire.key, link.origin);
    connect(wire, link);
  }
  const behind = new Set(tunnels.flatMap((t) => t.users.map((u) => u.instrument.name)));
  const place = (instrument: RigInstrument): void => {
    const model = adapted(modelOf(catalogue, instrument), instrument);
    const roles = Object.fromEntries(
      Object.entries(instrument.links).flatMap(([role, { wire }]) => {
        const e = exchanges.get(wire);
        return e ? [[role, e] as const] : [];
      }),
    );
    // Where nothing is real, what a person enters does not pass for measured either.
    const entered = origins.size > 0 && [...origins.values()].every((one) => one === 'simulator') ? 'simulator' : 'hardware';
    const origin = Object.values(instrument.links).reduce<Link['origin']>((o, { wire }) => origins.get(wire) ?? o, entered);
    const one = acquire({ name: instrument.name, model, options: parsed(model, instrument), roles, origin }, clock, {
      reading: take,
      replied() {
        safe.look();
        holding.look();
      },
      state(name, state) {
        states.set(name, state);
        // Its channels have gaps of their own once they are known.
        const unknown = state.is !== 'running' && Object.keys(acquired.get(name)?.channels ?? {}).length === 0;
        for (const gap of ledger.absent(name, clock.now(), unknown ? state.why : undefined)) emit({ kind: 'gap', gap });
        if (state.is !== 'running' && state.is !== 'connecting') alarm(name, state.why);
        else if (state.is === 'running') {
          alarm(name, 'is there');
          // The declaration is known a moment later: the instrument itself has to be in the list first.
          clock.after(0, () => safe.present(name));
        }
      },
    });
    acquired.set(instrument.name, one);
    targets.set(instrument.name, { acquired: one, roles, within: model.within, limits: instrument.limits });
  };
  for (const instrument of rig.instruments) if (!behind.has(instrument.name)) place(instrument);
  for (const wire of tunnels) {
    const adapter = carrierOf(wire);
    const [, address = ''] = wire.address.split('/');
    const carried = rig.instruments.find((i) => i.name === adapter);
    if (carried && !acquired.has(adapter)) place(carried);
    const carrier = acquired.get(adapter);
    const target = targets.get(adapter);
    if (!carrier || !target) throw new Error(`${wire.address}: no such adapter; the rig's check lets none pass`);
    const origin = origins.get(Object.values(rig.instruments.find((i) => i.name === adapter)?.links ?? {})[0]?.wire ?? '') ?? 'hardware';
    origins.set(wire.key, origin);
    connect(wire, tunnelLink({ name: adapter, acquired: carrier, roles: target.roles, within: target.within }, address, clock, origin));
  }
  for (const instrument of rig.instruments) if (!acquired.has(instrument.name)) place(instrument);

  /** feedback.NAME is no command of an instrument. */
  const placeHold = (request: OrderRequest, written: WrittenOrder['written'], done: (order: OrderEntry) => void): void => {
    const loops = rig.feedback ?? [];
    const loop = loops.find(({ name }) => name === request.command);
    const given = loop
      ? givenValue(loop.unit, written)
      : `there is no feedback "${request.command}"; the rig has ${loops.map(({ name }) => name).join(', ')}`;
    if (!loop || typeof given === 'string') {
      ordering.refuse(request, String(given), done);
      return;
    }
    const end = ordering.open({ ...request, ...given }, done, loop.unit);
    holding.start(loop.name, Number(given.value), request.by, end);
  };

  const placeWritten: Host['order'] = ({ written, ...request }, done) => {
    if (rig.feedback && request.instrument === FEEDBACK) {
      placeHold(request, written, done);
      return;
    }
    const { takes, uncertain } = acquired.get(request.instrument)?.commands[request.command] ?? {};
    const given = takes === undefined ? {} : givenValue(takes, written, uncertain);
    if (typeof given === 'string') {
      ordering.refuse(request, given, done);
      return;
    }
    const order = { ...request, ...given };
    if (ramping.takes(order)) ramping.start(order, ordering.open(order, done));
    else ordering.place(order, done);
  };

  // --- start orders, one after another, once every instrument they need is there
  const startOrders = (left: readonly Rig['start'][number][], waited = 0): void => {
    const [first, ...rest] = left;
    if (!first || closing) {
      started = true;
      return;
    }
    const target = acquired.get(first.instrument);
    if (target?.state.is === 'connecting' || target?.state.is === 'silent') {
      if (waited === START_SAID) alarm('start', `${first.instrument} is not there: ${left.length} of the start orders wait for it`);
      clock.after(0.1, () => startOrders(left, waited + 1));
      return;
    }
    const { instrument, command, index, value } = first;
    const hazardous = target?.commands[command]?.safe !== undefined;
    const unready = instrument === FEEDBACK ? holding.unready(command) : safe.refuse(instrument, command, index, hazardous);
    // At a start neither the interlocks have been read yet, nor what is to be held.
    if (waited < START_PATIENCE && unready !== undefined) {
      clock.after(0.1, () => startOrders(left, waited + 1));
      return;
    }
    clock.after(first.after, () => {
      if (closing) return;
      placeWritten({ by: 'rig', instrument, command, index, written: value }, (order) => {
        if (order.outcome === 'done' || order.outcome === 'sent') startOrders(rest);
        else {
          alarm('start', `${instrument}.${command}: ${order.outcome}: ${order.why ?? ''}; the start orders after it are not given`);
          started = true;
        }
      });
    });
  };
  startOrders(rig.start);

  // --- the state of things, and the loop's own lateness
  let expected = clock.mono() + 0.05;
  stops.push(
    every(clock, 0.05, () => {
      const now = clock.mono();
      if (now - expected > STOOD) {
        const still = now - expected;
        const cause = `the program stood still for ${still.toFixed(2)} s`;
        for (const gap of ledger.stood(clock.now() - still * 1e6, clock.now(), cause)) emit({ kind: 'gap', gap });
      }
      if (now - expected > LATE) safe.late();
      lateness = Math.max(lateness, now - expected);
      expected = now + 0.05 - ((now - expected) % 0.05);
      alarming.latched(safe.latches);
    }),
    every(clock, 1, () => {
      latenessBefore = lateness;
      lateness = 0;
      alarming.second(status());
      emit({ kind: 'status', status: status() });
    }),
  );

  let closed = false;

  function status(): Status {
    const outflow = options.outflow?.() ?? { queued: 0, dropped: 0 };
    return {
      t: clock.now(),
      instruments: Object.fromEntries(
        [...acquired].map(([name, a]) => {
          const polls = [...a.polls.values()];
          const state = a.state;
          const behind = [...a.polls].flatMap(([poll, p]) => (p.skipped > 0 ? [[poll.split('+', 1)[0], p.skipped] as const] : []));
          return [
            name,
            {
              state: state.is,
              ...('why' in state ? { why: state.why } : {}),
              skipped: polls.reduce((n, p) => n + p.skipped, 0),
              failed: polls.reduce((n, p) => n + p.failed, 0),
              ...(behind.length > 0 ? { behind: Object.fromEntries(behind) } : {}),
            },
          ];
        }),
      ),
      links: [...exchanges].map(
        ([link, e]): LinkStatus => ({
          link,
          up: e.isUp,
          waiting: e.waiting,
          asked: e.stats.asked,
          timeouts: e.stats.timeouts,
          garbled: e.stats.garbled,
          dropped: e.stats.dropped,
          noise: e.stats.noise,
          latencyMean: e.stats.answered > 0 ? e.stats.latencySum / e.stats.answered : 0,
          latencyMax: e.stats.latencyMax,
        }),
      ),
      ...safe.status(),
      alarms: alarming.states,
      ramps: ramping.status(),
      ...(rig.feedback ? { feedback: holding.status() } : {}),
      lateness: Math.max(lateness, latenessBefore),
      ...outflow,
      memory: options.memory?.() ?? 0,
      ...(options.truth ? { truth: options.truth() } : {}),
    };
  }

  /** A latch with its alarm, or an alarm by itself. */
  const acknowledgeOne = (name: string, by: string, latched: readonly string[]): string | undefined => {
    const latch = latched.includes(name);
    const waiting = [...latched, ...alarming.waiting];
    // A name that nobody knows: what waits is nearer to what was meant than all that there could be.
    const known = latch || alarming.states.some((state) => state.name === name);
    if (!known && waiting.length > 0) return `nothing waits under "${name}"${hint(name, waiting)}`;
    const why = latch ? safe.acknowledge(name) : alarming.acknowledge(name, by);
    if (why !== undefined) return why;
    if (latch) alarming.acknowledge(name, by);
    emit({ kind: 'note', note: { t: clock.now(), by, text: `acknowledged: ${name}` } });
    return undefined;
  };

  const shut = (): void => {
    if (closed) return;
    closed = true;
    for (const stop of stops) stop();
    safe.close();
    alarming.close();
    ramping.close('the program has ended');
    holding.close('the program has ended');
    ordering.close('the program has ended');
    for (const gap of ledger.end(clock.now())) emit({ kind: 'gap', gap });
    for (const a of acquired.values()) a.close();
    for (const e of exchanges.values()) e.close();
    for (const s of subscriptions) s.unsubscribe();
  };

  return {
    acquired,
    status,
    get started() {
      return started;
    },
    identity: (instrument) => acquired.get(instrument)?.id,
    order: placeWritten,
    note(by, text) {
      emit({ kind: 'note', note: { t: clock.now(), by, text } });
    },
    mark(by, what) {
      if (what === 'start' ? running : !running)
        return what === 'start' ? `run ${run} has not been stopped yet` : 'no run has been started';
      running = what === 'start';
      if (running) run++;
      emit({ kind: 'mark', mark: { t: clock.now(), by, what, run } });
      return run;
    },
    acknowledge(by, name, all = false) {
      const latched = safe.latches.map((one) => one.name);
      const others = alarming.waiting;
      // Without a name a latch is meant before an alarm: it keeps people from working.
      const waiting = all ? [...latched, ...others] : latched.length > 0 ? latched : others;
      if (name === undefined && !all && waiting.length !== 1)
        return waiting.length === 0 ? 'nothing waits to be acknowledged' : `several things wait: name one of ${waiting.join(', ')}, or all`;
      const names = name !== undefined ? [name] : waiting;
      const refusals = names.flatMap((one) => acknowledgeOne(one, by, latched) ?? []);
      alarming.latched(safe.latches);
      return refusals.length === 0 ? undefined : [...new Set(refusals)].join('; ');
    },
    shelve: (by, name, seconds, why) => alarming.shelve(name, by, seconds, why),
    tell: (name, severity, text, guidance) => alarming.tell(name, severity, text, guidance),
    stop(why) {
      holding.releaseAll(why);
      safe.stop(why);
    },
    forbid: (why) => safe.forbid(why),
    ramp(by, output, what) {
      const why =
        what === 'hold' ? ramping.hold(output, by) : what === 'resume' ? ramping.resume(output, by) : ramping.stop(output, by, '');
      if (why === undefined) emit({ kind: 'note', note: { t: clock.now(), by, text: `ramp of ${output}: ${what}` } });
      return why;
    },
    hold(by, loop, what, done) {
      const noted = (why: string | undefined): void => {
        if (why === undefined) emit({ kind: 'note', note: { t: clock.now(), by, text: `feedback ${loop}: ${what}` } });
        if (what === 'release' || why !== undefined) done(why);
      };
      noted(what === 'release' ? holding.release(loop, by) : holding.off(loop, by, done));
    },
    learn(sent) {
      const heard = heardCalibration(sent);
      if (typeof heard === 'string') return heard;
      const { id, of, calibration } = heard.ready.record;
      derive.learn(heard.ready);
      const t = clock.now();
      emit({
        kind: 'calibration',
        calibration: { t, by: sent.by, id, of, path: `${CALIBRATION_FOLDER}/${sent.name}`, files: heard.files },
      });
      emit({ kind: 'note', note: { t, by: sent.by, text: `${calibration} calibration ${id} of ${of}: in use from now on` } });
      return undefined;
    },
    close(within, done, why = 'the program ends') {
      closing = true;
      ramping.close(why);
      holding.close(why);
      safe.end(why);
      const until = clock.mono() + within;
      const look = (): void => {
        const left = safe.live;
        if (left.length === 0 || clock.mono() > until) {
          shut();
          done(left);
        } else clock.after(0.02, look);
      };
      look();
    },
  };
}
