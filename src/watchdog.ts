/**
 * The watchdogs of instruments and boards: set to a lease's deadline and read back before the first hazardous byte goes, kept quiet by
 * evidence of the main loop while every output that they hold has some, and switched off when they hold none.
 */
import type { Acquired } from './acquire.ts';
import type { Clock } from './clock.ts';
import { type Exchange, ORDER } from './exchange.ts';
import type { Actors, Links, Talk, Watchdog } from './instrument.ts';
import type { LeaseSpec } from './lease.ts';
import type { Reading } from './reading.ts';
import { begun, runTalk } from './talk-run.ts';

export interface Watchdogs {
  /** Arms what holds this output beside the guardian; calls back with a reason where it could not be set and read back. */
  arm(lease: LeaseSpec, armed: (why?: string) => void): void;
  release(lease: LeaseSpec): void;
  /** The leases that have evidence now: what holds one without is not fed. */
  feed(withEvidence: ReadonlySet<string>): void;
  see(reading: Reading): void;
  /** Who holds this output beside the guardian, for people: "guard (watchdog 0.8 s)". */
  holder(lease: LeaseSpec): string | undefined;
}

export interface Wired {
  readonly acquired: Acquired;
  readonly roles: Readonly<Record<string, Exchange>>;
  readonly within: number;
}

interface Held {
  readonly instrument: string;
  /** Lease -> its deadline. */
  readonly leases: Map<string, number>;
  set: number;
  fed: number;
  feeding: boolean;
}

const READ_BACK = 2; // seconds
const SHARE = 4; // feeds within one deadline

export function watchdogs(
  targets: ReadonlyMap<string, Wired>,
  clock: Clock,
  nameOf: (lease: LeaseSpec) => string,
  told: (from: string, text: string) => void,
): Watchdogs {
  const held = new Map<string, Held>();
  const waiting = new Set<(reading: Reading) => void>();

  const dogOf = (instrument: string): Watchdog<Links> | undefined => targets.get(instrument)?.acquired.watchdog;
  /** The instrument whose watchdog holds this output: its own, or the board that the rig names. */
  const holderOf = (lease: LeaseSpec): string | undefined => {
    if (lease.heldBy !== undefined) return lease.heldBy;
    return dogOf(lease.instrument)?.holds.includes(lease.command) ? lease.instrument : undefined;
  };

  const talk = (
    instrument: string,
    by: string,
    make: (dog: Watchdog<Links>, act: Actors<Links>) => Talk<void>,
    done: (why?: string) => void,
  ): void => {
    const target = targets.get(instrument);
    const dog = dogOf(instrument);
    if (!target || !dog || target.acquired.state.is !== 'running') {
      done(`${instrument} is not there`);
      return;
    }
    const { acquired, roles, within } = target;
    runTalk(
      begun(() => make(dog, acquired.actors)),
      { instrument, by, urgency: ORDER, roles, within, clock },
      (outcome) => done(outcome.ok ? undefined : outcome.why),
    );
  };

  const set = (instrument: string, seconds: number, done: (why?: string) => void): void => {
    const dog = dogOf(instrument);
    if (!dog) {
      done(`${instrument} has no watchdog or is not there`);
      return;
    }
    const [shortest, longest] = dog.limits;
    if (seconds > 0 && (seconds < shortest || seconds > longest)) {
      done(`the watchdog of ${instrument} can be set to ${shortest} to ${longest} s, not to ${seconds} s`);
      return;
    }
    let over = false;
    const end = (why?: string): void => {
      if (over) return;
      over = true;
      waiting.delete(shown);
      cancel();
      done(why);
    };
    const channel = `${instrument}.${dog.readback}`;
    let seen: string | undefined;
    const began = clock.now();
    const shown = (r: Reading): void => {
      if (r.from !== channel || r.t <= began) return;
      if (r.quality === 'good' && typeof r.value === 'number' && Math.abs(r.value - seconds) <= 0.02 * Math.max(seconds, 0.1)) end();
      else seen = r.quality === 'bad' ? r.why : String(r.value);
    };
    const cancel = clock.after(READ_BACK, () =>
      end(`the watchdog of ${instrument} was set to ${seconds} s and ${seen === undefined ? 'not read back' : `shows ${seen}`}`),
    );
    talk(
      instrument,
      'watchdog',
      (watchdog, act) => watchdog.set(act, seconds),
      (why) => {
        if (why !== undefined) {
          end(`the watchdog of ${instrument} could not be set: ${why}`);
          return;
        }
        if (over) return;
        waiting.add(shown);
        targets.get(instrument)?.acquired.refresh(dog.readback);
      },
    );
  };

  return {
    arm(lease, armed) {
      const instrument = holderOf(lease);
      if (instrument === undefined) {
        armed();
        return;
      }
      const one: Held = held.get(instrument) ?? { instrument, leases: new Map(), set: 0, fed: Number.NEGATIVE_INFINITY, feeding: false };
      held.set(instrument, one);
      const name = nameOf(lease);
      one.leases.set(name, lease.deadline);
      const wanted = Math.min(...one.leases.values());
      if (one.set === wanted) {
        armed();
        return;
      }
      set(instrument, wanted, (why) => {
        if (why === undefined) one.set = wanted;
        else one.leases.delete(name);
        armed(why);
      });
    },
    release(lease) {
      const instrument = holderOf(lease);
      const one = instrument === undefined ? undefined : held.get(instrument);
      if (!one) return;
      one.leases.delete(nameOf(lease));
      if (one.leases.size > 0) return;
      held.delete(one.instrument);
      set(one.instrument, 0, (why) => {
        if (why !== undefined) told(one.instrument, why);
      });
    },
    feed(withEvidence) {
      const now = clock.mono();
      for (const one of held.values()) {
        if (one.set === 0 || one.feeding || now - one.fed < one.set / SHARE - 1e-6) continue;
        if ([...one.leases.keys()].some((name) => !withEvidence.has(name))) continue;
        if (!dogOf(one.instrument)?.feed) continue;
        one.fed = now;
        one.feeding = true;
        talk(
          one.instrument,
          'watchdog:feed',
          (dog, act) => dog.feed?.(act) ?? nothing(),
          () => {
            one.feeding = false;
          },
        );
      }
    },
    see(reading) {
      for (const one of [...waiting]) one(reading);
      for (const one of held.values()) {
        if (one.set === 0 || reading.quality !== 'good' || reading.value !== 0) continue;
        if (reading.from !== `${one.instrument}.${dogOf(one.instrument)?.readback}`) continue;
        one.set = 0; // it is set anew with the next lease
        told(one.instrument, 'its watchdog is not set any more: it has tripped, or was reset');
      }
    },
    holder(lease) {
      const instrument = holderOf(lease);
      if (instrument === undefined) return undefined;
      const one = held.get(instrument);
      return one && one.set > 0 ? `${instrument} (watchdog ${one.set} s)` : `${instrument} (watchdog)`;
    },
  };
}

function* nothing(): Talk<void> {}
