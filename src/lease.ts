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
}

export interface Leases {
  refuse(instrument: string, command: string, index?: number): string | undefined;
  /** `first`: no lease was running for this output. */
  arm(instrument: string, command: string, index: number | undefined, armed: (why: string | undefined, first: boolean) => void): void;
  released(instrument: string, command: string, index?: number): void;
  /** Makes one lease, or all of them, safe and latches until acknowledged. */
  trip(why: string, only?: { readonly instrument: string; readonly command: string; readonly index?: number }): void;
  void(since: number): string | undefined;
  acknowledge(): string | undefined;
  see(reading: Reading): void;
  readonly latched: string | undefined;
  status(): readonly LeaseStatus[];
  close(): void;
}

interface Active {
  readonly spec: LeaseSpec;
  readonly since: number;
  renewed: number;
  tripping: boolean;
}

export const leaseName = (l: { instrument: string; command: string; index?: number }): string =>
  `${l.instrument}.${l.command}${l.index === undefined ? '' : `[${l.index}]`}`;

/** A lease for each output it is about: of an indexed command, one for each index. */
export const each = (spec: LeaseSpec): readonly LeaseSpec[] =>
  spec.index !== undefined || spec.count === undefined
    ? [spec]
    : Array.from({ length: spec.count }, (_, index) => ({ ...spec, evidence: spec.evidence, index }));

const TICK = 0.05;
const LONGEST_STILL = 1; // seconds that the loop may stand still in a rig without leases

export function leases(
  specs: readonly LeaseSpec[],
  clock: Clock,
  keeper: Keeper,
  safe: (spec: LeaseSpec, why: string, done: () => void) => void,
  alarm: (from: string, text: string) => void,
): Leases {
  const active = new Map<string, Active>();
  let latched: string | undefined;
  let lastTick = clock.boot();
  let lastMono = clock.mono();
  let voidedAt = Number.NEGATIVE_INFINITY;
  let voidedWhy = '';

  // A lease for a command counts for each of its indices.
  const specOf = (instrument: string, command: string, index?: number): LeaseSpec | undefined => {
    const found = specs.find((s) => s.instrument === instrument && s.command === command && (s.index === undefined || s.index === index));
    return found && index !== undefined ? { ...found, evidence: found.evidence, index } : found;
  };

  const makeSafe = (a: Active, why: string): void => {
    if (a.tripping) return;
    a.tripping = true;
    const name = leaseName(a.spec);
    alarm(name, why);
    latched ??= `${name}: ${why}`; // the first cause: what follows is mostly its consequence
    safe(a.spec, why, () => {
      active.delete(name);
      keeper.release(a.spec);
    });
  };

  /** A loop that stood still for longer than a lease has missed what happened meanwhile: all that was given before is void. */
  const gap = (): void => {
    const boot = clock.boot();
    const mono = clock.mono();
    const still = Math.max(boot - lastTick, mono - lastMono);
    lastTick = boot;
    lastMono = mono;
    const shortest = specs.length === 0 ? LONGEST_STILL : Math.min(...specs.map((s) => s.deadline));
    if (still <= Math.max(shortest, 2 * TICK)) return;
    voidedAt = mono;
    voidedWhy = `the program stood still for ${still.toFixed(2)} s`;
    for (const a of active.values()) makeSafe(a, voidedWhy);
  };

  const stop = every(clock, TICK, () => {
    gap();
    const now = clock.mono();
    for (const a of active.values()) {
      if (a.tripping) continue;
      if (now - a.since > a.spec.longest) makeSafe(a, `its longest on-time of ${a.spec.longest} s is over`);
      else if (now - a.renewed > a.spec.deadline) makeSafe(a, `no good reading of ${a.spec.evidence} for ${a.spec.deadline} s`);
      else if (!keeper.alive()) makeSafe(a, 'the guardian does not answer');
    }
    keeper.beat([...active.values()].filter((a) => !a.tripping).map((a) => leaseName(a.spec)));
  });

  return {
    refuse(instrument, command, index) {
      const spec = specOf(instrument, command, index);
      const name = leaseName({ instrument, command, index });
      if (!spec)
        return `${name} is hazardous and the rig gives it no lease (leases: { ${command}: { longest: ..., deadline: ..., then: safe } })`;
      if (latched) return `latched after a safe action (${latched}); acknowledge first`;
      if (!keeper.alive()) return 'the guardian does not answer: no hazardous output without it';
      return undefined;
    },
    arm(instrument, command, index, armed) {
      const spec = specOf(instrument, command, index);
      if (!spec) {
        armed('no lease', false);
        return;
      }
      const name = leaseName(spec);
      if (active.has(name)) {
        armed(undefined, false);
        return;
      }
      keeper.arm(spec, (why) => {
        if (why) {
          armed(why, false);
          return;
        }
        const now = clock.mono();
        active.set(name, { spec, since: now, renewed: now, tripping: false });
        armed(undefined, true);
      });
    },
    released(instrument, command, index) {
      const name = leaseName({ instrument, command, index });
      const a = active.get(name);
      if (!a || a.tripping) return;
      active.delete(name);
      keeper.release(a.spec);
    },
    trip(why, only) {
      const wanted = only ? specOf(only.instrument, only.command, only.index) : undefined;
      if (only && !wanted) return;
      if (!only) {
        // What waits is not to be carried out after a stop.
        voidedAt = clock.mono();
        voidedWhy = why;
      }
      for (const spec of (wanted ? [wanted] : specs).flatMap(each)) {
        const name = leaseName(spec);
        // Safe orders go out for what was never armed by us, too: who stops everything means everything.
        const a = active.get(name) ?? { spec, since: clock.mono(), renewed: clock.mono(), tripping: false };
        active.set(name, a);
        makeSafe(a, why);
      }
      if (specs.length === 0) latched ??= why;
    },
    void(since) {
      gap();
      return voidedAt >= since ? voidedWhy : undefined;
    },
    acknowledge() {
      if ([...active.values()].some((a) => a.tripping)) return 'a safe order has not been read back yet';
      latched = undefined;
      return undefined;
    },
    see(reading) {
      if (reading.quality !== 'good') return;
      for (const a of active.values()) {
        if (a.tripping || a.spec.evidence !== reading.from) continue;
        if (a.spec.index !== undefined && reading.index !== undefined && a.spec.index !== reading.index) continue;
        // A reading that is old when it comes says nothing about now.
        if (clock.now() - reading.t <= a.spec.deadline * 1e6) a.renewed = clock.mono();
      }
    },
    get latched() {
      return latched;
    },
    status() {
      const now = clock.mono();
      const on = [...active.values()].map((a) => ({
        name: leaseName(a.spec),
        active: true,
        left: a.spec.longest - (now - a.since),
        evidence: now - a.renewed,
        holder: keeper.name,
      }));
      const named = new Set([...active.values()].flatMap((a) => [leaseName(a.spec), `${a.spec.instrument}.${a.spec.command}`]));
      const off = specs.filter((spec) => !named.has(leaseName(spec)));
      return [...on, ...off.map((spec) => ({ name: leaseName(spec), active: false, holder: keeper.name }))];
    },
    close: stop,
  };
}
