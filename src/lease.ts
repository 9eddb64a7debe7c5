/**
 * Leases: a hazardous output is on only while somebody is there to watch it. A lease is renewed by evidence from the main loop (fresh good
 * readings of its readback), never by a bare timer; it ends in the safe order, repeated until read back.
 */
import { type Clock, every } from './clock.ts';
import type { LeaseStatus } from './entry.ts';
import type { Reading } from './reading.ts';

export interface LeaseSpec {
  readonly instrument: string;
  readonly command: string;
  readonly index?: number;
  /** How many outputs the command has, where it is an indexed one and the lease is for all of them; known once the instrument is. */
  readonly count?: number;
  /** Seconds of on-time at most. */
  readonly longest: number;
  /** Seconds without evidence after which the output is made safe. */
  readonly deadline: number;
  /** The answer to a dead host. */
  readonly then: 'safe' | 'keep';
  /** The channel whose fresh good readings are the evidence. */
  readonly evidence: string;
  /** The instrument whose watchdog holds this output, too. */
  readonly heldBy?: string;
  /** When everything is made safe, smaller ones come first and equal ones together. */
  readonly order?: number;
}

/** Who acts when the host cannot. `arm` confirms before the first hazardous byte goes; `beat` tells which leases have fresh evidence. */
export interface Keeper {
  readonly name: string;
  readonly alive: () => boolean;
  arm(lease: LeaseSpec, armed: (why?: string) => void): void;
  beat(active: readonly string[]): void;
  /** All that is needed to make this output safe is known now. */
  prepare?(lease: LeaseSpec): void;
  release(lease: LeaseSpec): void;
  /** Who holds this output, for people; otherwise the keeper's name. */
  holder?(lease: LeaseSpec): string;
}

export interface Output {
  readonly instrument: string;
  readonly command: string;
  readonly index?: number;
}

export interface Latch {
  readonly name: string;
  readonly why: string;
}

export interface Leases {
  refuse(instrument: string, command: string, index?: number): string | undefined;
  /** `first`: no lease was running for this output. */
  arm(instrument: string, command: string, index: number | undefined, armed: (why: string | undefined, first: boolean) => void): void;
  released(instrument: string, command: string, index?: number): void;
  /** Makes one output safe, and latches under its name until acknowledged. */
  trip(why: string, output: Output): void;
  /** Makes everything safe in the rig's order, and latches. `armed`: also what this run has never switched on. */
  tripAll(why: string, name: string): void;
  /** Makes these safe, one after the other, without a latch of its own: whoever calls has one. */
  makeSafe(why: string, outputs: readonly Output[]): void;
  active(output: Output): boolean;
  /** Nothing hazardous until this name is acknowledged. */
  latch(name: string, why: string): void;
  readonly latches: readonly Latch[];
  /** A safe order has not been read back yet. */
  readonly tripping: boolean;
  /** The outputs of which that is so. */
  readonly unsafe: readonly string[];
  /** The first cause, for people. */
  readonly latched: string | undefined;
  /** Lets go of one latch, or of all; a sentence when that cannot be. */
  acknowledge(name?: string): string | undefined;
  /** Takes over an output that is on without an order of ours: watched from now on. Where that cannot be, it is tried again for as long as
   *  this is called. `still`: asked when the keeper has confirmed, whether it is on yet. */
  adopt(output: Output, still: () => boolean): void;
  void(since: number): string | undefined;
  /** The loop has stood still for longer than a lease, and on the link of these instruments no safe order has gone yet: nothing else may. Cheap. */
  stalled(instruments: readonly string[]): boolean;
  see(reading: Reading): void;
  status(): readonly LeaseStatus[];
  close(): void;
}

interface Active {
  readonly spec: LeaseSpec;
  readonly since: number;
  renewed: number;
  tripping: boolean;
}

export const leaseName = (l: Output): string => `${l.instrument}.${l.command}${l.index === undefined ? '' : `[${l.index}]`}`;

/** A lease for each output it is about: of an indexed command, one for each index. */
export const each = (spec: LeaseSpec): readonly LeaseSpec[] =>
  spec.index !== undefined || spec.count === undefined
    ? [spec]
    : Array.from({ length: spec.count }, (_, index) => ({ ...spec, evidence: spec.evidence, index }));

const TICK = 0.05;
const LONGEST_STILL = 1; // seconds that the loop may stand still in a rig without leases
const AGAIN = 1; // seconds until an output that could not be taken over is tried again
const STEP = 0.25; // seconds that one output of a sequence may take before the next one's safe order goes all the same
export const STANDSTILL = 'standstill';

export function leases(
  specs: readonly LeaseSpec[],
  clock: Clock,
  keeper: Keeper,
  safe: (spec: LeaseSpec, why: string, done: () => void) => void,
  alarm: (from: string, text: string) => void,
): Leases {
  const active = new Map<string, Active>();
  const latches = new Map<string, string>();
  /** Outputs that wait for the keeper's word, and for how many. */
  const arming = new Map<string, number>();
  /** Outputs that are being taken over, or could not be: when that was tried, and what was said about it. */
  const adopting = new Map<string, { at: number; waits: boolean; said?: string }>();
  let lastTick = clock.boot();
  let lastMono = clock.mono();
  let voidedAt = Number.NEGATIVE_INFINITY;
  let voidedWhy = '';
  let gapNoticed = false;
  /** After a standstill: the instruments whose safe orders wait for their turn (true), or have gone (false); empty when all have. */
  const turns = new Map<string, boolean>();

  // A lease for a command counts for each of its indices.
  const specOf = ({ instrument, command, index }: Output): LeaseSpec | undefined => {
    const found = specs.find((s) => s.instrument === instrument && s.command === command && (s.index === undefined || s.index === index));
    return found && index !== undefined ? { ...found, evidence: found.evidence, index } : found;
  };

  const latch = (name: string, why: string): void => {
    if (!latches.has(name)) latches.set(name, why);
  };

  const activeOf = (spec: LeaseSpec): Active => {
    const name = leaseName(spec);
    const now = clock.mono();
    const one = active.get(name) ?? { spec, since: now, renewed: now, tripping: false };
    active.set(name, one);
    return one;
  };

  /** Where somebody else has asked the keeper meanwhile, his word is for both: taken back, it would be taken back for both. */
  const letGo = (spec: LeaseSpec): void => {
    active.delete(leaseName(spec));
    if (!arming.has(leaseName(spec))) keeper.release(spec);
  };

  /** Group after group: the next one's bytes go when the one before has been read back, or after a while without that. */
  const inTurn = (groups: readonly (readonly Active[])[], why: string): void => {
    for (const one of groups.flat()) {
      one.tripping = true;
      alarm(leaseName(one.spec), why);
    }
    const from = (at: number): void => {
      const group = groups.at(at);
      if (!group) return;
      let left = group.length;
      let gone = false;
      const go = (): void => {
        if (gone) return;
        gone = true;
        cancel();
        from(at + 1);
      };
      const cancel = at + 1 < groups.length ? clock.after(STEP, go) : (): void => {};
      for (const one of group) if (turns.has(one.spec.instrument)) turns.set(one.spec.instrument, false);
      if (![...turns.values()].includes(true)) turns.clear();
      for (const one of group)
        safe(one.spec, why, () => {
          letGo(one.spec);
          if (--left === 0) go();
        });
    };
    from(0);
  };

  const byOrder = (list: readonly Active[]): readonly (readonly Active[])[] => {
    const groups = new Map<number, Active[]>();
    for (const one of list) groups.set(one.spec.order ?? 0, [...(groups.get(one.spec.order ?? 0) ?? []), one]);
    return [...groups].sort(([a], [b]) => a - b).map(([, group]) => group);
  };
  const waiting = (list: readonly Active[]): readonly Active[] => list.filter((one) => !one.tripping);

  const tripOne = (one: Active, why: string): void => {
    if (one.tripping) return;
    latch(leaseName(one.spec), why);
    inTurn([[one]], why);
  };

  const stillLimit = (): number => Math.max(specs.length === 0 ? LONGEST_STILL : Math.min(...specs.map((s) => s.deadline)), 2 * TICK);

  /** A loop that stood still for longer than a lease has missed what happened meanwhile: all that was given before is void. */
  const gap = (): void => {
    gapNoticed = false;
    const boot = clock.boot();
    const mono = clock.mono();
    const still = Math.max(boot - lastTick, mono - lastMono);
    lastTick = boot;
    lastMono = mono;
    if (still <= stillLimit()) return;
    voidedAt = mono;
    voidedWhy = `the program stood still for ${still.toFixed(2)} s`;
    const on = waiting([...active.values()]);
    if (on.length === 0) return;
    latch(STANDSTILL, voidedWhy);
    turns.clear();
    for (const one of on) turns.set(one.spec.instrument, true);
    inTurn(byOrder(on), voidedWhy);
  };

  const stop = every(clock, TICK, () => {
    gap();
    const now = clock.mono();
    for (const a of active.values()) {
      if (a.tripping) continue;
      if (now - a.since > a.spec.longest) tripOne(a, `its longest on-time of ${a.spec.longest} s is over`);
      else if (now - a.renewed > a.spec.deadline) tripOne(a, `no good reading of ${a.spec.evidence} for ${a.spec.deadline} s`);
      else if (!keeper.alive()) tripOne(a, 'the guardian does not answer');
    }
    keeper.beat([...active.values()].filter((a) => !a.tripping).map((a) => leaseName(a.spec)));
  });

  const latchedText = (): string | undefined => {
    const [first] = latches;
    return first && `${first[0]}: ${first[1]}`;
  };

  const arm: Leases['arm'] = (instrument, command, index, armed) => {
    const spec = specOf({ instrument, command, index });
    if (!spec) {
      armed('no lease', false);
      return;
    }
    const name = leaseName(spec);
    if (active.has(name)) {
      armed(undefined, false);
      return;
    }
    arming.set(name, (arming.get(name) ?? 0) + 1);
    keeper.arm(spec, (why) => {
      const others = (arming.get(name) ?? 1) - 1;
      if (others > 0) arming.set(name, others);
      else arming.delete(name);
      if (why) {
        armed(why, false);
        return;
      }
      const first = !active.has(name);
      activeOf(spec);
      armed(undefined, first);
    });
  };

  return {
    refuse(instrument, command, index) {
      const output = { instrument, command, index };
      const name = leaseName(output);
      if (!specOf(output))
        return `${name} is hazardous and the rig gives it no lease (leases: { ${command}: { longest: ..., deadline: ..., then: safe } })`;
      const latched = latchedText();
      if (latched !== undefined) return `latched after a safe action (${latched}); acknowledge first`;
      if (active.get(name)?.tripping) return `${name} is being made safe, and has not been read back yet`;
      if (!keeper.alive()) return 'the guardian does not answer: no hazardous output without it';
      return undefined;
    },
    arm,
    released(instrument, command, index) {
      const name = leaseName({ instrument, command, index });
      const a = active.get(name);
      if (a && !a.tripping) letGo(a.spec);
    },
    trip(why, output) {
      const spec = specOf(output);
      if (!spec) return;
      // Safe orders go out for what was never armed by us, too.
      for (const one of each(spec)) tripOne(activeOf(one), why);
    },
    tripAll(why, name) {
      // What waits is not to be carried out after a stop.
      voidedAt = clock.mono();
      voidedWhy = why;
      latch(name, why);
      inTurn(byOrder(waiting(specs.flatMap(each).map(activeOf))), why);
    },
    makeSafe(why, outputs) {
      const groups = outputs.map((output) => {
        const spec = specOf(output);
        return spec ? waiting(each(spec).map(activeOf)) : [];
      });
      inTurn(
        groups.filter((group) => group.length > 0),
        why,
      );
    },
    active: (output) => {
      const spec = specOf(output);
      return spec !== undefined && each(spec).some((one) => active.has(leaseName(one)));
    },
    latch,
    get latches() {
      return [...latches].map(([name, why]) => ({ name, why }));
    },
    get latched() {
      return latchedText();
    },
    get tripping() {
      return [...active.values()].some((a) => a.tripping);
    },
    get unsafe() {
      return [...active.values()].flatMap((a) => (a.tripping ? [leaseName(a.spec)] : []));
    },
    acknowledge(name) {
      if ([...active.values()].some((a) => a.tripping)) return 'a safe order has not been read back yet';
      if (name === undefined) latches.clear();
      else latches.delete(name);
      return undefined;
    },
    adopt(output, still) {
      const name = leaseName(output);
      const now = clock.mono();
      const one = adopting.get(name) ?? { at: Number.NEGATIVE_INFINITY, waits: false };
      if (active.has(name) || one.waits || now - one.at < AGAIN) return;
      adopting.set(name, one);
      Object.assign(one, { at: now, waits: true });
      arm(output.instrument, output.command, output.index, (why, first) => {
        one.waits = false;
        if (why !== undefined) {
          if (one.said !== why) alarm(name, `is on without an order of this run, and cannot be watched: ${why}`);
          one.said = why;
          return;
        }
        adopting.delete(name);
        const a = active.get(name);
        if (first && a && !still()) letGo(a.spec);
        else if (first) alarm(name, 'is on without an order of this run: watched under its lease from now on');
      });
    },
    void(since) {
      gap();
      return voidedAt >= since ? voidedWhy : undefined;
    },
    stalled(instruments) {
      if (gapNoticed) return true;
      if (turns.size > 0 && instruments.some((i) => turns.get(i) === true) && !instruments.some((i) => turns.get(i) === false)) return true;
      if (clock.mono() - lastMono <= stillLimit() && clock.maybeSlept?.() !== true) return false;
      // Not here, in the middle of a write: the safe orders go first of all that goes after it.
      gapNoticed = true;
      clock.after(0, gap);
      return true;
    },
    see(reading) {
      if (reading.quality !== 'good') return;
      for (const a of active.values()) {
        if (a.tripping || a.spec.evidence !== reading.from) continue;
        if (a.spec.index !== undefined && reading.index !== undefined && a.spec.index !== reading.index) continue;
        // A reading that is old when it comes says nothing about now, and one from the future no more than that it has come.
        const age = Math.max(0, (clock.now() - reading.t) / 1e6);
        if (age <= a.spec.deadline) a.renewed = Math.max(a.renewed, clock.mono() - age);
      }
    },
    status() {
      const now = clock.mono();
      const holder = (spec: LeaseSpec): string => keeper.holder?.(spec) ?? keeper.name;
      const on = [...active.values()].map((a) => ({
        name: leaseName(a.spec),
        active: true,
        left: a.spec.longest - (now - a.since),
        evidence: now - a.renewed,
        holder: holder(a.spec),
      }));
      const named = new Set([...active.values()].flatMap((a) => [leaseName(a.spec), `${a.spec.instrument}.${a.spec.command}`]));
      const off = specs.filter((spec) => !named.has(leaseName(spec)));
      return [...on, ...off.map((spec) => ({ name: leaseName(spec), active: false, holder: holder(spec) }))];
    },
    close: stop,
  };
}
