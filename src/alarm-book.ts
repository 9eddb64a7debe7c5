/**
 * The states of alarms, whatever raises them: highest severity kept, acknowledged before or after recovery, shelved, and calm where a
 * cause comes and goes. Knows no time but what is handed in: `now` in monotonic seconds, `wall` in microseconds since 1970.
 */
import { isNormal, rank } from './alarm-state.ts';
import type { AlarmState, Severity } from './entry.ts';
import { hint } from './rig-read.ts';

export interface Cause {
  readonly severity: Severity;
  /** Asked for when the state changes, and once a second while it lasts. */
  readonly text: () => string;
  readonly guidance?: string;
  /** Stays until acknowledged, even when the cause has gone. */
  readonly latch?: boolean;
}

export interface BookOptions {
  readonly emit: (state: AlarmState) => void;
  /** From the last run. */
  readonly restored?: readonly AlarmState[];
  /** So many rises within so many seconds are a storm: then a fall waits until it has been quiet for as long. */
  readonly flapTimes: number;
  readonly flapWithin: number;
  /** Seconds after which an alarm of the last run that nothing has raised or cleared again counts as gone. */
  readonly forget: number;
  /** These are never forgotten: their cause will be known some time. */
  readonly keeps: (name: string) => boolean;
  /** Whether an alarm of the last run stays until acknowledged; what nobody knows any more must not vanish unseen. */
  readonly latches: (name: string) => boolean;
  /** Names that may be shelved or asked for though nothing is wrong with them. */
  readonly names: () => Iterable<string>;
}

export interface Book {
  /** The cause as it is now; undefined when there is none. */
  set(name: string, cause: Cause | undefined, now: number, wall: number): void;
  acknowledge(name: string | undefined, by: string, wall: number): string | undefined;
  shelve(name: string, by: string, seconds: number, why: string, wall: number): string | undefined;
  tick(now: number, wall: number): void;
  /** When `tick` has something to do; it may have passed. */
  next(): number;
  state(name: string): AlarmState | undefined;
  readonly states: readonly AlarmState[];
}

/** One alarm that is or was lately not normal. */
interface Held {
  readonly name: string;
  state: AlarmState | undefined;
  /** What its cause wants, which is less than the state says while a storm is held. */
  wanted: Cause | undefined;
  latch: boolean;
  /** Times of the latest rises, those among them that were not told. */
  rises: number[];
  /** Rises since it was last quiet. */
  times: number;
  textAt: number;
  restored: boolean;
}

export const LONGEST_SHELF = 86_400; // s
const TEXT_EVERY = 1; // s

export function book(options: BookOptions): Book {
  const { emit, flapTimes, flapWithin } = options;
  const held = new Map<string, Held>();
  /** wall = now + skew, in seconds: both go evenly. */
  let skew = 0;
  let began: number | undefined;

  const put = (one: Held, state: AlarmState): void => {
    one.state = isNormal(state) ? undefined : state;
    emit(state);
  };
  const entry = (name: string): Held => {
    let one = held.get(name);
    if (!one) {
      one = { name, state: undefined, wanted: undefined, latch: false, rises: [], times: 0, textAt: 0, restored: false };
      held.set(name, one);
    }
    return one;
  };
  const lastRise = (one: Held): number => one.rises.at(-1) ?? Number.NEGATIVE_INFINITY;
  const comesOften = (one: Held): boolean => one.rises.length >= flapTimes && lastRise(one) - one.rises[0] < flapWithin;
  const stormy = (one: Held, now: number): boolean => comesOften(one) && now - lastRise(one) < flapWithin;
  const worded = (one: Held, cause: Cause): string =>
    comesOften(one) ? `${cause.text()} (comes and goes: ${one.times} times)` : cause.text();
  const counted = (one: Held, now: number): void => {
    if (now - lastRise(one) >= flapWithin) {
      one.rises = [];
      one.times = 0;
    }
    one.rises.push(now);
    if (one.rises.length > flapTimes) one.rises.shift();
    one.times++;
  };

  const rise = (one: Held, cause: Cause, now: number, wall: number): void => {
    const { state } = one;
    one.textAt = now;
    const { acknowledged: _, ...kept } = state ?? {};
    put(one, {
      ...kept,
      name: one.name,
      now: cause.severity,
      severity: state && rank(state.severity) > rank(cause.severity) ? state.severity : cause.severity,
      since: state && (state.now !== undefined || state.unacknowledged) ? state.since : wall,
      changed: wall,
      text: worded(one, cause),
      ...(cause.guidance === undefined ? {} : { guidance: cause.guidance }),
      unacknowledged: true,
    });
  };

  const fall = (one: Held, now: number, wall: number): void => {
    const { state, wanted } = one;
    if (!state) return;
    if (wanted) {
      one.textAt = now;
      put(one, { ...state, now: wanted.severity, changed: wall, text: worded(one, wanted) });
      return;
    }
    const { now: _, ...gone } = state;
    put(one, { ...gone, changed: wall, unacknowledged: state.unacknowledged && one.latch });
  };

  const refresh = (one: Held, now: number): void => {
    if (!one.state || !one.wanted || now - one.textAt < TEXT_EVERY) return;
    one.textAt = now;
    const text = worded(one, one.wanted);
    if (text !== one.state.text) one.state = { ...one.state, text };
  };

  const set: Book['set'] = (name, cause, now, wall) => {
    skew = wall / 1e6 - now;
    const had = held.get(name);
    if (!cause && !had?.state?.now) {
      if (had) had.wanted = undefined;
      return;
    }
    const one = entry(name);
    one.restored = false;
    const is = rank(one.state?.now);
    const before = one.wanted ? rank(one.wanted.severity) : 0;
    const to = rank(cause?.severity);
    one.wanted = cause;
    if (cause) one.latch = cause.latch === true;
    if (cause && to > is) {
      counted(one, now);
      rise(one, cause, now, wall);
    } else if (to < is) {
      if (!stormy(one, now)) fall(one, now, wall);
    } else {
      if (to > before) counted(one, now); // came back before its fall was told
      refresh(one, now);
    }
  };

  const unshelve = (one: Held, wall: number): void => {
    if (!one.state) return;
    const { shelved: _, acknowledged: __, ...state } = one.state;
    if (state.now === undefined) put(one, { ...state, changed: wall });
    else put(one, { ...state, changed: wall, unacknowledged: true });
  };

  const known = (): Set<string> => new Set([...[...held.values()].filter((h) => h.state).map((h) => h.name), ...options.names()]);

  for (const state of options.restored ?? []) {
    if (isNormal(state)) continue;
    const one = entry(state.name);
    one.restored = state.now !== undefined;
    one.latch = options.latches(state.name);
    one.wanted = state.now === undefined ? undefined : { severity: state.now, text: () => state.text };
    put(one, state);
  }

  return {
    set,
    acknowledge(name, by, wall) {
      if (name === undefined) {
        const waiting = [...held.values()].filter((h) => h.state?.unacknowledged && !h.state.shelved);
        if (waiting.length === 0) return 'no alarm waits to be acknowledged';
        if (waiting.length > 1)
          return `${waiting.length} alarms wait to be acknowledged: ${waiting.map((h) => h.name).join(', ')}; say which`;
        name = waiting[0].name;
      }
      const one = held.get(name);
      if (!one?.state) {
        const names = known();
        return names.has(name) ? `"${name}" is not raised` : `there is no alarm "${name}"${hint(name, names)}`;
      }
      const { state } = one;
      if (!state.unacknowledged)
        return state.acknowledged
          ? `"${name}" has been acknowledged already, by ${state.acknowledged.by}`
          : `"${name}" is shelved and not raised`;
      put(one, {
        ...state,
        severity: state.now ?? state.severity,
        changed: wall,
        unacknowledged: false,
        acknowledged: { by, t: wall },
      });
      return undefined;
    },
    shelve(name, by, seconds, why, wall) {
      const had = held.get(name)?.state;
      if (!had && !known().has(name)) return `there is no alarm "${name}"${hint(name, known())}`;
      if (!(seconds >= 0 && seconds <= LONGEST_SHELF)) return `an alarm is shelved for at most ${LONGEST_SHELF / 3600} h`;
      const one = entry(name);
      if (seconds === 0) {
        if (!had?.shelved) return `"${name}" is not shelved`;
        unshelve(one, wall);
        return undefined;
      }
      if (why.trim() === '') return 'an alarm is shelved for a reason: say which';
      put(one, {
        ...(had ?? { name, severity: 'warning', since: wall, text: 'not raised', unacknowledged: false }),
        changed: wall,
        shelved: { by, until: wall + Math.round(seconds * 1e6), why },
      });
      return undefined;
    },
    tick(now, wall) {
      skew = wall / 1e6 - now;
      began ??= now;
      for (const one of held.values()) {
        if (one.restored && now - began >= options.forget && !options.keeps(one.name)) set(one.name, undefined, now, wall);
        if (one.state?.shelved && wall >= one.state.shelved.until) unshelve(one, wall);
        if (one.state?.now && rank(one.wanted?.severity) < rank(one.state.now) && !stormy(one, now)) fall(one, now, wall);
        refresh(one, now);
        if (!one.state && now - lastRise(one) >= flapWithin) held.delete(one.name);
      }
    },
    next() {
      let at = Number.POSITIVE_INFINITY;
      for (const one of held.values()) {
        if (one.state?.shelved) at = Math.min(at, one.state.shelved.until / 1e6 - skew);
        if (one.state?.now && rank(one.wanted?.severity) < rank(one.state.now)) at = Math.min(at, lastRise(one) + flapWithin);
        if (one.restored && !options.keeps(one.name)) at = Math.min(at, (began ?? Number.NEGATIVE_INFINITY) + options.forget);
      }
      return at;
    },
    state: (name) => held.get(name)?.state,
    get states() {
      return [...held.values()].flatMap((h) => (h.state ? [h.state] : []));
    },
  };
}
