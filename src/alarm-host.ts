/** The alarms of a running rig: fed with readings, with the state of things each second, and with what waits for a person. */
import { type Alarms, alarms, type Limits } from './alarm.ts';
import { type Clock, every } from './clock.ts';
import type { AlarmState, Entry, Severity, Status } from './entry.ts';
import type { Reading } from './reading.ts';
import type { Rig } from './rig.ts';

export interface HostAlarms {
  see(reading: Reading): void;
  /** Once a second. */
  second(status: Status): void;
  /** What is latched now: each is a critical alarm until it is acknowledged. */
  latched(latches: readonly { readonly name: string; readonly why: string }[]): void;
  /** Of others: the guardian, the recorder. Without a severity its cause has gone. */
  tell(name: string, severity: Severity | undefined, text: string, guidance?: string): void;
  acknowledge(name: string, by: string): string | undefined;
  shelve(name: string, by: string, seconds: number, why: string): string | undefined;
  readonly states: readonly AlarmState[];
  /** Names of those that wait for a person and are no latches'. */
  readonly waiting: readonly string[];
  close(): void;
}

const LOOK = 0.1; // seconds between two looks at delays and shelves
const TRIP = 'trip ';

export function hostAlarms(
  rig: Rig,
  clock: Clock,
  emit: (entry: Entry) => void,
  options: { readonly limits?: Partial<Limits>; readonly restored?: readonly AlarmState[] } = {},
): HostAlarms {
  const links = Object.fromEntries(rig.instruments.map((i) => [i.name, Object.values(i.links).map(({ wire }) => wire)]));
  const list: Alarms = alarms(rig.alarms ?? [], { ...options, links, emit: (state) => emit({ kind: 'alarm-state', state }) });
  const trips = new Map<string, string>();
  const stop = every(clock, LOOK, () => {
    const now = clock.mono();
    if (list.next(now) <= now) list.tick(now, clock.now());
  });
  return {
    see: (reading) => list.see(reading, clock.mono(), list.looksAt(reading.from) ? clock.now() : reading.t),
    second(status) {
      const now = clock.mono();
      const wall = clock.now();
      list.seeStatus(status, now, wall);
      if (clock.date) list.seeClock(clock.date(), now, wall);
    },
    latched(latches) {
      const now = clock.mono();
      const wall = clock.now();
      for (const { name, why } of latches) {
        if (trips.get(name) === why) continue;
        trips.set(name, why);
        list.raise(TRIP + name, 'critical', why, now, wall, `when its cause has gone: bridgman acknowledge ${name}`, true);
      }
      for (const name of [...trips.keys()]) {
        if (latches.some((one) => one.name === name)) continue;
        trips.delete(name);
        list.clear(TRIP + name, now, wall);
      }
    },
    tell(name, severity, text, guidance) {
      if (severity === undefined) list.clear(name, clock.mono(), clock.now());
      else list.raise(name, severity, text, clock.mono(), clock.now(), guidance);
    },
    acknowledge(name, by) {
      // Who acknowledges a latch has seen its alarm; the other way round the latch stays.
      const own = list.states.some((state) => state.name === TRIP + name) ? TRIP + name : name;
      return list.acknowledge(own, by, clock.now());
    },
    shelve: (name, by, seconds, why) => list.shelve(name, by, seconds, why, clock.now()),
    get states() {
      return list.states;
    },
    get waiting() {
      return list.states.flatMap(({ name, unacknowledged, shelved }) =>
        unacknowledged && shelved === undefined && !(name.startsWith(TRIP) && trips.has(name.slice(TRIP.length))) ? [name] : [],
      );
    },
    close: stop,
  };
}
