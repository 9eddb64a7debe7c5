/** What keeps a laboratory's outputs safe from inside the host: leases, interlocks, watchdogs, the stop, and who must acknowledge what. */
import type { Acquired } from './acquire.ts';
import type { Clock } from './clock.ts';
import type { Entry, InterlockStatus, LeaseStatus, OrderEntry } from './entry.ts';
import type { Exchange } from './exchange.ts';
import type { Command } from './instrument.ts';
import { covers, type Interlocks, interlocks } from './interlock.ts';
import { each, type Keeper, type LeaseSpec, type Leases, leaseName, leases, type Output, STANDSTILL } from './lease.ts';
import type { Guard, OrderRequest } from './order.ts';
import type { Reading } from './reading.ts';
import type { Rig } from './rig.ts';
import { type Watchdogs, watchdogs } from './watchdog.ts';

export interface SafetyOptions {
  readonly rig: Rig;
  readonly clock: Clock;
  readonly keeper: Keeper;
  readonly acquired: ReadonlyMap<string, Acquired>;
  readonly targets: ReadonlyMap<
    string,
    { readonly acquired: Acquired; readonly roles: Readonly<Record<string, Exchange>>; readonly within: number }
  >;
  readonly emit: (entry: Entry) => void;
  readonly place: (request: OrderRequest, done: (order: OrderEntry) => void) => void;
  /** What an earlier run has left behind unsigned; nothing hazardous until a person has acknowledged it. */
  readonly unsettled?: readonly { readonly name: string; readonly why: string }[];
  /** The record of an earlier run has been acknowledged. */
  readonly settled?: () => void;
}

export interface Safety extends Guard {
  see(reading: Reading): void;
  /** The readings of one reply have all been seen, with what is derived from them. */
  look(): void;
  /** The main loop is late: what has come has not been read yet. */
  late(): void;
  /** Nothing but safe orders may be written on the link of these instruments: the program has stood still. */
  stalled(instruments: readonly string[]): boolean;
  stop(why: string): void;
  /** No hazardous order while there is a reason (the stop file); undefined lifts it. */
  forbid(why: string | undefined): void;
  /** One latch by its name, or all; a sentence when that cannot be. */
  acknowledge(name?: string): string | undefined;
  /** What waits for a person, by name. */
  readonly latches: readonly { readonly name: string; readonly why: string }[];
  status(): {
    readonly leases: readonly LeaseStatus[];
    readonly latched?: string;
    readonly interlocks: readonly InterlockStatus[];
  };
  /** The instrument is there: the keeper gets what it needs to make its outputs safe. */
  present(instrument: string): void;
  /** The program ends: outputs of leases that end so are made safe. */
  end(why: string): void;
  /** The outputs that are not safe yet, of leases that end so, and those that are being made safe. */
  readonly live: readonly string[];
  close(): void;
}

export const RECORD = 'record';
const STOP = 'stop';
const AGAIN = 0.1; // seconds until a safe order that was not read back is given again
const SURE = 2; // readings in a row that show what no order explains, before it is believed

/** instrument.command or instrument.command[index] */
export function outputOf(name: string): Output {
  const [, instrument = '', command = '', index] = /^(.*?)\.([^.[]+)(?:\[(\d+)\])?$/.exec(name) ?? [];
  return { instrument, command, ...(index === undefined ? {} : { index: Number(index) }) };
}

/** Whether a reading of its readback channel shows the safe value. */
export function showsSafe(command: Command, reading: Reading): boolean {
  const { readback } = command;
  if (!readback || reading.quality === 'bad') return false;
  const safe: unknown = command.safe === true && command.takes === 'nothing' ? undefined : command.safe;
  const want = readback.shows ? readback.shows(safe as never) : safe; // `shows` takes a value of the command's own type
  return typeof want === 'number' && typeof reading.value === 'number'
    ? Math.abs(reading.value - want) <= readback.by
    : reading.value === want;
}

export function safety(options: SafetyOptions): Safety {
  const { rig, clock, keeper, acquired, targets, emit } = options;
  let ending: string | undefined;
  let closed = false;
  let forbidden: string | undefined;
  /** Output -> what its readback shows, for how many readings in a row, and whether it has been on since its lease began. */
  const shown = new Map<string, { readonly on: boolean; readonly times: number; readonly active: boolean; readonly wasOn: boolean }>();
  /** Channel -> the leases it is the evidence of, once their instrument has told its commands. */
  const byEvidence = new Map<string, LeaseSpec[]>();

  const alarm = (from: string, text: string): void => emit({ kind: 'alarm', alarm: { t: clock.now(), from, text } });
  const commandOf = ({ instrument, command }: Output): Command | undefined => {
    const commands = acquired.get(instrument)?.commands ?? {};
    return Object.hasOwn(commands, command) ? commands[command] : undefined;
  };

  const order = rig.safeOrder ?? [];
  const specs: readonly LeaseSpec[] = rig.instruments.flatMap((instrument) =>
    Object.entries(instrument.leases).map(([command, lease]): LeaseSpec => {
      const place = order.indexOf(`${instrument.name}.${command}`);
      return {
        instrument: instrument.name,
        command,
        longest: lease.longest,
        deadline: lease.deadline,
        then: lease.then,
        ...(lease.heldBy === undefined ? {} : { heldBy: lease.heldBy }),
        order: place < 0 ? order.length : place,
        get count() {
          return commandOf({ instrument: instrument.name, command })?.count;
        },
        get evidence() {
          return `${instrument.name}.${commandOf({ instrument: instrument.name, command })?.readback?.channel ?? command}`;
        },
      };
    }),
  );

  const dogs: Watchdogs = watchdogs(targets, clock, leaseName, alarm);
  const kept: Keeper = {
    name: keeper.name,
    alive: () => keeper.alive(),
    arm(lease, armed) {
      dogs.arm(lease, (why) => {
        if (why !== undefined) {
          armed(why);
          return;
        }
        keeper.arm(lease, (refused) => {
          if (refused !== undefined) dogs.release(lease);
          armed(refused);
        });
      });
    },
    beat(active) {
      dogs.feed(new Set(active));
      keeper.beat(active);
    },
    release(lease) {
      dogs.release(lease);
      keeper.release(lease);
    },
    holder: (lease) => [dogs.holder(lease), keeper.name].filter((one) => one !== undefined).join(' and the '),
  };

  /** Repeats the safe order until it has been read back. */
  const makeSafe = (spec: LeaseSpec, why: string, done: () => void, orderly = ending !== undefined): void => {
    const command = commandOf(spec);
    if (!command) {
      // Never identified, so never ordered anything by us; the guardian keeps what an earlier run has armed.
      alarm(spec.instrument, 'is not there to be made safe');
      done();
      return;
    }
    const value = command.safe === true ? undefined : command.safe;
    const { instrument, command: word, index } = spec;
    options.place({ by: `safe: ${why}`, instrument, command: word, index, value, orderly }, (placed) => {
      if (placed.outcome === 'done') done();
      else if (!closed) clock.after(AGAIN, () => makeSafe(spec, why, done, false));
    });
  };

  const held: Leases = leases(specs, clock, kept, makeSafe, alarm);
  const left = options.unsettled ?? [];
  if (left.length > 0) held.latch(RECORD, left.map(({ name, why }) => `${name} ${why}`).join('; '));

  /** What of an output is on by our order, or shown to be on by its readback. */
  const exposed = (name: string): readonly string[] => {
    const output = outputOf(name);
    const command = commandOf(output);
    const one = acquired.get(output.instrument);
    const count = output.index === undefined ? command?.count : undefined;
    const all: readonly Output[] = count === undefined ? [output] : Array.from({ length: count }, (_, index) => ({ ...output, index }));
    return all
      .filter((each) => held.active(each) || (one !== undefined && command !== undefined && showsOn(one, command, each)))
      .map(leaseName);
  };
  const showsOn = (one: Acquired, command: Command, { index }: Output): boolean => {
    if (!command.readback) return false;
    const { channel } = command.readback;
    const reading = one.latest(channel, index) ?? one.latest(channel);
    return reading !== undefined && reading.quality !== 'bad' && !showsSafe(command, reading);
  };

  const locks: Interlocks = interlocks(rig.interlocks ?? [], clock, {
    exposed,
    trip: (interlock, outputs, why) => held.makeSafe(`interlock ${interlock.name}: ${why}`, outputs.map(outputOf)),
    changed(interlock) {
      emit({ kind: 'interlock', interlock, t: clock.now() });
      if (interlock.latched !== undefined) return;
      alarm(`interlock ${interlock.name}`, interlock.is === 'holds' ? 'holds' : `does not hold: ${interlock.why ?? interlock.is}`);
    },
    refresh(channel) {
      const dot = channel.indexOf('.');
      acquired.get(channel.slice(0, dot))?.refresh(channel.slice(dot + 1));
    },
  });

  /** Why this output must be off, though nothing is broken any more: it has been made safe, and nobody has acknowledged that yet. */
  const latchOf = (name: string): string | undefined => {
    const latch = held.latches.find((one) => one.name === STOP || one.name === STANDSTILL || one.name === name);
    if (latch) return `${latch.name}: ${latch.why}`;
    const trips = (interlock: string): readonly string[] => rig.interlocks?.find((one) => one.name === interlock)?.trips ?? [];
    const lock = locks.latched.find((one) => trips(one.name).some((listed) => covers(listed, name)));
    return lock ? `interlock ${lock.name}: ${lock.why}` : forbidden;
  };

  /** What a readback shows that no order explains: on at the start or from the instrument's own panel, or off by itself. */
  const found = (reading: Reading): void => {
    if (ending !== undefined || reading.quality !== 'good') return;
    for (const spec of byEvidence.get(reading.from) ?? []) {
      const command = commandOf(spec);
      if (!command) continue;
      const output = {
        instrument: spec.instrument,
        command: spec.command,
        ...(reading.index === undefined ? {} : { index: reading.index }),
      };
      const name = leaseName(output);
      const active = held.active(output);
      const on = !showsSafe(command, reading);
      const before = shown.get(name);
      const now = {
        on,
        times: before?.on === on && before.active === active ? before.times + 1 : 1,
        active,
        wasOn: active && (on || before?.wasOn === true),
      };
      shown.set(name, now);
      if (now.times < SURE) continue;
      if (on && !active) {
        const latched = latchOf(name);
        if (latched === undefined) held.adopt(output, () => shown.get(name)?.on !== false);
        else held.makeSafe(`is on, and latched (${latched})`, [output]);
      } else if (!on && now.wasOn && !held.tripping) {
        alarm(name, 'is off by itself');
        held.released(output.instrument, output.command, output.index);
      }
    }
  };

  const latchesOf = (): readonly { readonly name: string; readonly why: string }[] => [...held.latches, ...locks.latched];

  return {
    refuse(instrument, command, index, hazardous) {
      if (ending !== undefined && hazardous) return `${ending}: nothing hazardous any more`;
      if (hazardous && forbidden !== undefined) return forbidden;
      return (hazardous ? held.refuse(instrument, command, index) : undefined) ?? locks.refuse(instrument, command, index);
    },
    arm: (instrument, command, index, armed) => held.arm(instrument, command, index, armed),
    released: (instrument, command, index) => held.released(instrument, command, index),
    doubtful(instrument, command, index, why) {
      const output = { instrument, command, index };
      if (exposed(leaseName(output)).length > 0) held.trip(`order in doubt: ${why}`, output);
    },
    void: (since) => held.void(since),
    see(reading) {
      held.see(reading);
      dogs.see(reading);
      locks.see(reading);
      found(reading);
    },
    look: () => locks.look(),
    late: () => locks.late(),
    stalled: (instruments) => held.stalled(instruments),
    stop: (why) => held.tripAll(why, STOP),
    forbid(why) {
      forbidden = why;
    },
    acknowledge(name) {
      const latched = latchesOf();
      if (name !== undefined && !latched.some((one) => one.name === name)) {
        if (locks.names.includes(name)) return undefined; // nothing to let go of
        return latched.length === 0
          ? `nothing is latched, and "${name}" is no interlock`
          : `nothing is latched under "${name}"; latched are ${latched.map((one) => one.name).join(', ')}`;
      }
      if (name === undefined || held.latches.some((one) => one.name === name)) {
        const settles = held.latches.some((one) => one.name === RECORD) && (name === undefined || name === RECORD);
        const why = held.acknowledge(name);
        if (why !== undefined) return why;
        if (settles) options.settled?.();
      }
      const refusals = locks.latched
        .filter((one) => name === undefined || one.name === name)
        .flatMap((one) => (held.tripping ? ['a safe order has not been read back yet'] : (locks.acknowledge(one.name) ?? [])));
      return refusals.length === 0 ? undefined : [...new Set(refusals)].join('; ');
    },
    get latches() {
      return latchesOf();
    },
    status() {
      const [first] = latchesOf();
      return {
        leases: held.status(),
        ...(first ? { latched: `${first.name}: ${first.why}` } : forbidden === undefined ? {} : { latched: forbidden }),
        interlocks: locks.status(),
      };
    },
    present(instrument) {
      for (const spec of specs) {
        if (spec.instrument !== instrument) continue;
        const known = byEvidence.get(spec.evidence) ?? [];
        if (!known.includes(spec)) byEvidence.set(spec.evidence, [...known, spec]);
        for (const one of each(spec)) keeper.prepare?.(one);
      }
    },
    end(why) {
      ending = why;
      const outputs = held.status().flatMap((lease) => (lease.active && ends(lease.name) ? [outputOf(lease.name)] : []));
      const place = (output: Output): number => specs.find((s) => covers(`${s.instrument}.${s.command}`, leaseName(output)))?.order ?? 0;
      const groups = [...new Set(outputs.map(place))].sort((a, b) => a - b);
      // What the rig does not put in an order goes together.
      if (groups.length <= 1) for (const output of outputs) held.makeSafe(why, [output]);
      else
        held.makeSafe(
          why,
          [...outputs].sort((a, b) => place(a) - place(b)),
        );
    },
    get live() {
      // What is being made safe is waited for, also where it would have been kept.
      return [...new Set([...held.status().flatMap((lease) => (lease.active && ends(lease.name) ? [lease.name] : [])), ...held.unsafe])];
    },
    close() {
      closed = true;
      held.close();
      locks.close();
    },
  };

  function ends(name: string): boolean {
    return specs.some((spec) => spec.then === 'safe' && covers(`${spec.instrument}.${spec.command}`, name));
  }
}
