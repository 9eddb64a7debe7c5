/**
 * Alarms: those that the rig declares, and what the program watches by itself. Without clock, input or output: times are handed in, `now` in
 * monotonic seconds, `wall` in microseconds since 1970 (our own time, which never steps).
 */
import { type Book, book, type Cause } from './alarm-book.ts';
import { clockWatch } from './alarm-clock.ts';
import { limitAlarms, noDataName } from './alarm-limits.ts';
import { isSilence, silence, silenceName, silentInstrument } from './alarm-silence.ts';
import type { AlarmState, Severity, Status } from './entry.ts';
import type { Reading } from './reading.ts';
import type { RigAlarm } from './rig.ts';

/** Times in seconds. Infinity switches an alarm off. */
export interface Limits {
  /** A channel is silent after so many times its usual interval, and after so many seconds at least. */
  readonly silenceTimes: number;
  readonly silence: number;
  /** Instruments and channels that may be silent. */
  readonly silenceExcept: readonly string[];
  readonly linkDown: number;
  readonly lateness: number;
  /** Entries that wait on their way to the recorder. */
  readonly queue: number;
  /** Bytes. */
  readonly memory: number;
  readonly clockStep: number;
  readonly clockOffset: number;
  /** For which the input of a rig's alarm may be missing: once it was there, and at the start. */
  readonly noData: number;
  readonly noDataAtStart: number;
  /** How long loop, queue and memory must have been in order again. */
  readonly calm: number;
  /** So many rises within so many seconds are a storm: then an alarm stays until it has been quiet for as long. */
  readonly flapTimes: number;
  readonly flapWithin: number;
}

export const LIMITS: Limits = {
  silenceTimes: 5,
  silence: 10,
  silenceExcept: [],
  linkDown: 3,
  lateness: 0.25,
  queue: 100_000,
  memory: 2 ** 31,
  clockStep: 0.5,
  clockOffset: 1,
  noData: 2,
  noDataAtStart: 10,
  calm: 10,
  flapTimes: 5,
  flapWithin: 60,
};

export interface AlarmOptions {
  readonly limits?: Partial<Limits>;
  /** From the last run: what has not gone since is not raised anew. Each is emitted once, so that a session begins with what is known. */
  readonly restored?: readonly AlarmState[];
  /** Instrument -> its links. An instrument without links (values that people enter) is never silent. */
  readonly links?: Readonly<Record<string, readonly string[]>>;
  readonly emit: (state: AlarmState) => void;
}

export interface Alarms {
  see(reading: Reading, now: number, wall: number): void;
  /** Whether an alarm of the rig looks at this channel: for the others `see` needs no wall time. */
  looksAt(channel: string): boolean;
  /** Once a second. */
  seeStatus(status: Status, now: number, wall: number): void;
  /** Once a second. `date`: what the computer's clock shows, in microseconds since 1970. */
  seeClock(date: number, now: number, wall: number): void;
  /** Alarms of others. With `latch` it stays until acknowledged. */
  raise(name: string, severity: Severity, text: string, now: number, wall: number, guidance?: string, latch?: boolean): void;
  clear(name: string, now: number, wall: number): void;
  tick(now: number, wall: number): void;
  /** The monotonic second at which `tick` has something to do without any reading, which may have passed; Infinity where it has not. */
  next(now?: number): number;
  /** A sentence when it cannot. Without a name: the one that waits. */
  acknowledge(name: string | undefined, by: string, wall: number): string | undefined;
  /** For at most 24 h; raised again by itself when the time is over. 0 s ends it now. A sentence when it cannot. */
  shelve(name: string, by: string, seconds: number, why: string, wall: number): string | undefined;
  /** All that are not normal. */
  readonly states: readonly AlarmState[];
}

const FORGET = 60; // s
/** What has happened rather than lasts. */
const LATCHED = ['clock step', 'entries dropped'];

export function alarms(specs: readonly RigAlarm[], options: AlarmOptions): Alarms {
  const limits: Limits = { ...LIMITS, ...options.limits };
  const spec = new Map(specs.map((one) => [one.name, one]));
  const links = options.links ?? {};
  let instruments: readonly string[] = Object.keys(links);
  const quiet = silence({ times: limits.silenceTimes, least: limits.silence, except: limits.silenceExcept, links });
  const own = ['entries dropped', 'queue depth', 'loop lateness', 'memory use', 'clock step', 'clock offset'];
  const names = (): readonly string[] => [
    ...specs.flatMap(({ name }) => [name, noDataName(name)]),
    ...own,
    ...Object.values(links).flatMap((all) => all.map((link) => `link ${link}`)),
    ...instruments.flatMap((name) => [silenceName(name), `refused ${name}`]),
    ...quiet.names(),
  ];
  const known = (name: string): boolean => (isSilence(name) ? instruments.includes(silentInstrument(name)) : names().includes(name));
  const list: Book = book({
    emit: options.emit,
    restored: options.restored,
    flapTimes: limits.flapTimes,
    flapWithin: limits.flapWithin,
    forget: FORGET,
    keeps: known,
    latches: (name) => spec.get(name)?.latch ?? (LATCHED.includes(name) || !known(name)),
    names,
  });
  const before = new Map((options.restored ?? []).map((state) => [state.name, state]));
  const limit = limitAlarms(specs, {
    book: list,
    restored: (name) => before.get(name),
    noData: limits.noData,
    noDataAtStart: limits.noDataAtStart,
  });
  const clock = clockWatch(limits.clockStep);
  const downSince = new Map<string, number>();
  const lastBad = new Map<string, number>();
  let silent: ReadonlyMap<string, Cause> = new Map();
  let dropped = 0;

  /** What goes up and down from second to second is over when it has been calm for a while. */
  const calmed = (name: string, cause: Cause | undefined, now: number, wall: number): void => {
    if (cause) lastBad.set(name, now);
    if (cause || now - (lastBad.get(name) ?? Number.NEGATIVE_INFINITY) >= limits.calm) list.set(name, cause, now, wall);
  };

  const seeLinks = (status: Status, now: number, wall: number): void => {
    for (const { link, up } of status.links) {
      const name = `link ${link}`;
      if (up) {
        downSince.delete(link);
        list.set(name, undefined, now, wall);
        continue;
      }
      const since = downSince.get(link) ?? now;
      downSince.set(link, since);
      const users = Object.entries(links).flatMap(([instrument, all]) => (all.includes(link) ? [instrument] : []));
      const text = `no connection${users.length === 0 ? '' : `, so nothing from ${users.join(', ')}`}`;
      if (now - since >= limits.linkDown) list.set(name, { severity: 'alarm', text: () => text }, now, wall);
    }
  };

  const seeSilence = (status: Status, now: number, wall: number): void => {
    const wanted = quiet.check(now, status);
    for (const [name, cause] of wanted) list.set(name, cause, now, wall);
    for (const name of silent.keys()) if (!wanted.has(name)) list.set(name, undefined, now, wall);
    // Those of the last run: gone once there is a word of it.
    for (const { name } of list.states)
      if (isSilence(name) && !wanted.has(name) && !silent.has(name) && quiet.heard(name)) list.set(name, undefined, now, wall);
    silent = wanted;
  };

  const seeHost = (status: Status, now: number, wall: number): void => {
    const late = status.lateness > limits.lateness;
    const lateText = `the main loop was late by ${status.lateness.toFixed(2)} s (more than ${limits.lateness} s)`;
    calmed('loop lateness', late ? { severity: 'warning', text: () => lateText } : undefined, now, wall);
    const long = status.queued > limits.queue;
    const longText = `${status.queued} entries wait for the recorder (more than ${limits.queue})`;
    calmed('queue depth', long ? { severity: 'warning', text: () => longText } : undefined, now, wall);
    const large = status.memory > limits.memory;
    const largeText = `the host uses ${Math.round(status.memory / 2 ** 20)} MiB (more than ${Math.round(limits.memory / 2 ** 20)} MiB)`;
    calmed('memory use', large ? { severity: 'warning', text: () => largeText } : undefined, now, wall);
    const lost = status.dropped > dropped;
    dropped = status.dropped;
    const lostText = `${status.dropped} entries of this run were lost on their way to the recorder`;
    calmed('entries dropped', lost ? { severity: 'alarm', text: () => lostText, latch: true } : undefined, now, wall);
  };

  return {
    see(reading, now, wall) {
      quiet.see(reading, now);
      limit.see(reading, now, wall);
    },
    looksAt: (channel) => limit.looksAt(channel),
    seeStatus(status, now, wall) {
      instruments = Object.keys(status.instruments);
      seeLinks(status, now, wall);
      for (const [name, { state, why }] of Object.entries(status.instruments)) {
        const text = why ?? 'it is not the instrument that the rig names';
        if (state === 'refused') list.set(`refused ${name}`, { severity: 'alarm', text: () => text }, now, wall);
        else if (state === 'running') list.set(`refused ${name}`, undefined, now, wall);
      }
      seeSilence(status, now, wall);
      seeHost(status, now, wall);
      list.tick(now, wall);
    },
    seeClock(date, now, wall) {
      const { offset, step } = clock(date, wall);
      if (step !== undefined) {
        const text = `the computer's clock was set ${step > 0 ? 'forward' : 'back'} by ${Math.abs(step).toFixed(1)} s; time stamps of the session do not follow it`;
        list.set('clock step', { severity: 'warning', text: () => text, latch: true }, now, wall);
        list.set('clock step', undefined, now, wall);
      }
      const off = Math.abs(offset) > limits.clockOffset;
      const text = `the computer's clock is ${Math.abs(offset).toFixed(1)} s ${offset > 0 ? 'ahead of' : 'behind'} the session's time stamps`;
      list.set('clock offset', off ? { severity: 'warning', text: () => text } : undefined, now, wall);
    },
    raise(name, severity, text, now, wall, guidance, latch = false) {
      list.set(name, { severity, text: () => text, latch, ...(guidance === undefined ? {} : { guidance }) }, now, wall);
    },
    clear: (name, now, wall) => list.set(name, undefined, now, wall),
    tick(now, wall) {
      limit.tick(now, wall);
      list.tick(now, wall);
    },
    next: () => Math.min(limit.next(), list.next()),
    acknowledge: list.acknowledge,
    shelve: list.shelve,
    get states() {
      return list.states;
    },
  };
}
