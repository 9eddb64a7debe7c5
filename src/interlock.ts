/**
 * Interlocks: named conditions that must hold. Level-triggered: looked at with every reading and with its absence, and for as long as one
 * does not hold, no output that it trips may be on. What is missing, bad or stale does not hold.
 */
import type { Clock } from './clock.ts';
import { type Level, leavesOf } from './condition.ts';
import { type Watched, watched } from './condition-level.ts';
import type { InterlockStatus } from './entry.ts';
import type { Reading } from './reading.ts';
import type { RigInterlock } from './rig.ts';

export interface Interlocks {
  /** Takes a reading; `look` says what comes of it. */
  see(reading: Reading): void;
  /** All that belong together have been seen (the readings of one reply): whoever looks in between sees a mixture of old and new. */
  look(): void;
  /** The loop has stood still: what has come meanwhile has not been read yet, and is no absence for a moment. */
  late(): void;
  /** A reason why an order may not go, or undefined. Safe values are not asked about. */
  refuse(instrument: string, command: string, index?: number): string | undefined;
  /** Those that wait for a person. */
  readonly latched: readonly { readonly name: string; readonly why: string }[];
  /** Lets go of a latch; a sentence while the condition does not hold. Undefined also where nothing is latched. */
  acknowledge(name: string): string | undefined;
  readonly names: readonly string[];
  status(): readonly InterlockStatus[];
  close(): void;
}

export interface InterlockEvents {
  /** What of an output (instrument.command, with [index] or for all of them) is on, or not known to be off; each index by itself. */
  exposed(output: string): readonly string[];
  /** Gives the safe orders, in this order; each again until it is read back. */
  trip(interlock: RigInterlock, outputs: readonly string[], why: string): void;
  changed(status: InterlockStatus): void;
  /** Asks for a channel at once: a first passing reading needs a second one. */
  refresh(channel: string): void;
}

interface Running {
  readonly spec: RigInterlock;
  readonly watched: Watched;
  readonly channels: ReadonlySet<string>;
  /** Until then what has not been read yet is no reason to act: a start reads before it changes anything. Over when it is known once. */
  grace: number;
  level: Level;
  since: number;
  latched: string | undefined;
  /** Its safe orders have been given since it last held. */
  acted: boolean;
  /** Until then it is given a moment while it is not known, because the loop had stood still. */
  spared: number | undefined;
  due: number;
  cancel: () => void;
}

const LONGEST_GRACE = 10; // seconds
const LATE = 0.02; // seconds by which a timer must be late before it is the loop that stood still
const SPARE = 0.05; // seconds that a loop which stood still gets to read what has come

/** Where an output stands in a list: "hv.voltage" stands for each of its indices. */
export const covers = (listed: string, output: string): boolean => listed === output || output.startsWith(`${listed}[`);

export function interlocks(specs: readonly RigInterlock[], clock: Clock, on: InterlockEvents): Interlocks {
  const all = specs.map((spec): Running => {
    const leaves = leavesOf(spec.when);
    return {
      spec,
      watched: watched(spec.when, { confirm: true }),
      channels: new Set(leaves.map((leaf) => leaf.of)),
      grace: clock.mono() + Math.min(LONGEST_GRACE, Math.max(0, ...leaves.map((leaf) => leaf.stale + leaf.hold))),
      level: { is: 'unknown', why: 'nothing has been read yet' },
      since: clock.now(),
      latched: undefined,
      acted: false,
      spared: undefined,
      due: Number.POSITIVE_INFINITY,
      cancel() {},
    };
  });
  const byChannel = new Map<string, Running[]>();
  for (const one of all) for (const channel of one.channels) byChannel.set(channel, [...(byChannel.get(channel) ?? []), one]);
  /** Outputs' readbacks are not known here: every reading of an instrument whose output is tripped is a moment to look. */
  const byInstrument = new Map<string, Running[]>();
  for (const one of all) {
    for (const instrument of new Set(one.spec.trips.map((output) => output.slice(0, output.indexOf('.')))))
      byInstrument.set(instrument, [...(byInstrument.get(instrument) ?? []), one]);
  }

  /** Read since they were looked at last. */
  const seen = new Set<Running>();
  let spared = Number.NEGATIVE_INFINITY;

  const statusOf = ({ spec, level, since, latched }: Running): InterlockStatus => ({
    name: spec.name,
    is: level.is,
    ...(level.why === undefined ? {} : { why: level.why }),
    since,
    ...(latched === undefined ? {} : { latched }),
    forbids: spec.forbids,
    ...(spec.guidance === undefined ? {} : { guidance: spec.guidance }),
  });

  /** While it does not hold nothing of what it trips may be on. */
  const enforce = (one: Running): void => {
    if (one.level.is === 'holds') {
      one.acted = false;
      return;
    }
    if (one.level.is === 'unknown' && clock.mono() < one.grace) return;
    const exposed = one.spec.trips.flatMap((output) => on.exposed(output));
    if (exposed.length === 0) return;
    // All of them first; afterwards what is on, or comes on again: to order the others anew would only stand in its way.
    const outputs = one.acted ? exposed : one.spec.trips;
    one.acted = true;
    const why = one.level.why ?? one.level.is;
    if (one.spec.latch && one.latched === undefined) {
      one.latched = why;
      on.changed(statusOf(one));
    }
    on.trip(one.spec, outputs, why);
  };

  const look = (one: Running): void => {
    const now = clock.mono();
    const level = one.watched.level(now);
    if (level.is === 'unknown' && one.level.is === 'holds') {
      one.spared ??= spared; // one moment: a loop that is late all the time must not make it blind
      if (now < one.spared) {
        rearm(one, one.spared, now);
        return;
      }
    }
    if (level.is === 'holds') one.spared = undefined;
    if (level.is !== 'unknown') one.grace = Number.NEGATIVE_INFINITY;
    const changed = level.is !== one.level.is;
    one.level = level;
    if (changed) {
      one.since = clock.now();
      on.changed(statusOf(one));
    }
    enforce(one);
    arm(one, now);
  };

  /** The timer is moved only to an earlier time: a later one looks when it comes, and is set again. */
  const arm = (one: Running, now: number): void => {
    const grace = one.level.is === 'unknown' && now < one.grace ? one.grace : Number.POSITIVE_INFINITY;
    const next = Math.min(one.watched.next(now), grace);
    if (next >= one.due || next === Number.POSITIVE_INFINITY) return;
    rearm(one, next, now);
  };
  const rearm = (one: Running, due: number, now: number): void => {
    one.cancel();
    one.due = due;
    one.cancel = clock.after(Math.max(1e-6, due - now), () => {
      one.due = Number.POSITIVE_INFINITY;
      if (clock.mono() - due > LATE) late();
      look(one);
    });
  };
  const late = (): void => {
    spared = clock.mono() + SPARE;
  };
  for (const one of all) arm(one, clock.mono());

  return {
    names: specs.map((spec) => spec.name),
    see(reading) {
      const concerned = byChannel.get(reading.from);
      if (concerned) {
        const now = clock.mono();
        const wall = clock.now();
        for (const one of concerned) {
          one.watched.see(reading, now, wall);
          seen.add(one);
        }
      }
      const exposing = byInstrument.get(reading.from.slice(0, reading.from.indexOf('.')));
      if (exposing) for (const one of exposing) if (one.level.is !== 'holds') seen.add(one);
    },
    look() {
      if (seen.size === 0) return;
      const all = [...seen];
      seen.clear();
      const wanted = new Set<string>();
      for (const one of all) {
        look(one);
        for (const channel of one.watched.wanted) wanted.add(channel);
      }
      for (const channel of wanted) on.refresh(channel);
    },
    late,
    refuse(instrument, command, index) {
      const output = `${instrument}.${command}${index === undefined ? '' : `[${index}]`}`;
      const now = clock.mono();
      for (const { spec, watched, level: known, latched } of all) {
        if (![...spec.forbids, ...spec.trips].some((listed) => covers(listed, output))) continue;
        if (latched !== undefined)
          return `the interlock "${spec.name}" has tripped (${latched}) and is latched; acknowledge it: bridgman acknowledge ${spec.name}`;
        // What has come, or has grown stale, since it was looked at last counts as well.
        const level = known.is === 'holds' ? watched.level(now) : known;
        if (level.is !== 'holds') return `the interlock "${spec.name}" does not hold: ${level.why ?? level.is}`;
      }
      return undefined;
    },
    get latched() {
      return all.flatMap(({ spec, latched }) => (latched === undefined ? [] : [{ name: spec.name, why: latched }]));
    },
    acknowledge(name) {
      const one = all.find(({ spec }) => spec.name === name);
      if (one?.latched === undefined) return undefined;
      if (one.level.is !== 'holds') return `the interlock "${name}" still does not hold: ${one.level.why ?? one.level.is}`;
      one.latched = undefined;
      on.changed(statusOf(one));
      return undefined;
    },
    status: () => all.map(statusOf),
    close() {
      for (const one of all) one.cancel();
    },
  };
}
