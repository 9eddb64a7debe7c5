/**
 * Channels that fall silent: each that gave values and then gives none for some times its usual interval. An instrument all of whose
 * channels are silent is one alarm; one whose link is down is none, as the link is one already.
 */
import type { Cause } from './alarm-book.ts';
import type { Status } from './entry.ts';
import type { Reading } from './reading.ts';

export interface SilenceOptions {
  /** Silent after so many times the usual interval, and after so many seconds at least; Infinity: never. */
  readonly times: number;
  readonly least: number;
  /** Instruments and channels that may be silent. */
  readonly except: readonly string[];
  /** Instrument -> its links; one without links gives what people enter, and is never silent. */
  readonly links: Readonly<Record<string, readonly string[]>>;
}

export interface Silence {
  see(reading: Reading, now: number): void;
  /** What is silent now, by the alarm's name. */
  check(now: number, status: Status): ReadonlyMap<string, Cause>;
  /** Something has been heard of the channel or instrument that the alarm is named after. */
  heard(name: string): boolean;
  /** Of all that could be raised for what has been heard so far. */
  names(): readonly string[];
}

const PREFIX = 'silence ';
export const silenceName = (what: string): string => `${PREFIX}${what}`;
export const isSilence = (name: string): boolean => name.startsWith(PREFIX);
/** The instrument that an alarm of silence speaks of. */
export const silentInstrument = (name: string): string => name.slice(PREFIX.length).split('.')[0] ?? '';

const KEPT = 8; // intervals; their median is the usual one, so that neither an outage nor a burst changes it
const ENOUGH = 4; // of them, to call one usual
const AT_ONCE = 0.05; // seconds: what comes so soon after another was said with it, such as the answers to one order
const SHOWN = 6; // channels in one text

interface Slot {
  /** Monotonic seconds of the last value. */
  last: number;
  /** Of the value from which the next interval counts. */
  from: number;
  readonly intervals: number[];
  /** The reason of the last bad reading since. */
  why: string | undefined;
}

interface Channel {
  readonly instrument: string;
  readonly from: string;
  readonly slots: Map<number | undefined, Slot>;
}

export function silence(options: SilenceOptions): Silence {
  const channels = new Map<string, Channel | undefined>(); // undefined: not looked at
  const absent = new Map<string, number>(); // instrument -> since when it has not been there
  const up = new Map<string, number>(); // link -> since when it has been up; NaN: it is not
  let found: ReadonlyMap<string, Cause> = new Map();

  const excepted = (what: string): boolean => options.except.includes(what);
  const byHand = (instrument: string): boolean => options.links[instrument]?.length === 0;

  const channelOf = (reading: Reading): Channel | undefined => {
    const { from } = reading;
    const instrument = from.slice(0, Math.max(0, from.indexOf('.')));
    const left = reading.made !== undefined || excepted(from) || excepted(instrument) || byHand(instrument);
    const channel = left ? undefined : { instrument, from, slots: new Map() };
    channels.set(from, channel);
    return channel;
  };

  /** Seconds without a value, where that is too long. */
  const silentFor = (slot: Slot, now: number): number | undefined => {
    const age = now - slot.last;
    if (!(age >= options.least)) return undefined;
    // What came once or twice and then no more, without a question that failed, may be all there was to say.
    if (slot.intervals.length < ENOUGH && slot.why === undefined) return undefined;
    return age >= Math.max(options.least, slot.intervals.length < ENOUGH ? 0 : options.times * median(slot.intervals)) ? age : undefined;
  };

  /** Down, or not up for long enough to have heard from the instrument. */
  const linksDown = (instrument: string, now: number): boolean =>
    (options.links[instrument] ?? []).some((link) => up.has(link) && !(now - (up.get(link) ?? now) >= options.least));

  const ofInstrument = (instrument: string, all: readonly Channel[], now: number, wanted: Map<string, Cause>): void => {
    const silent = all.flatMap((channel) => {
      const slots = [...channel.slots].filter(([, slot]) => silentFor(slot, now) !== undefined);
      return slots.length === 0 ? [] : [{ channel, slots }];
    });
    if (silent.length === 0) return;
    const last = Math.max(...all.flatMap((c) => [...c.slots.values()].map((s) => s.last)));
    const alone = silent.some(({ channel }) => found.has(silenceName(channel.from)));
    const whole = silent.length === all.length && silent.every(({ channel, slots }) => slots.length === channel.slots.size);
    // A slow channel that is not due yet says nothing for the instrument; told apart once, they stay apart until all are silent.
    if (all.length > 1 && (whole || (!alone && now - last >= options.least))) {
      const reasons = [...new Set(silent.flatMap(({ slots }) => slots.map(([, s]) => s.why).filter((w) => w !== undefined)))];
      wanted.set(silenceName(instrument), {
        severity: 'warning',
        text: () =>
          `nothing from ${instrument}${reasons.length > 0 ? `: ${reasons.slice(0, 2).join('; ')}` : ''} (${listed(silent.map(({ channel }) => channel.from.slice(instrument.length + 1)))})`,
      });
      return;
    }
    for (const { channel, slots } of silent) {
      const some = slots.length < channel.slots.size ? ` (of ${channel.slots.size}: ${listed(slots.map(([index]) => `[${index}]`))})` : '';
      const why = slots.find(([, s]) => s.why !== undefined)?.[1].why;
      const interval = median(slots[0]?.[1].intervals ?? []);
      wanted.set(silenceName(channel.from), {
        severity: 'warning',
        text: () =>
          `no value${some}${why === undefined ? '' : `: ${why}`}${interval > 0 ? `; usually one every ${Number(interval.toPrecision(2))} s` : ''}`,
      });
    }
  };

  return {
    see(reading, now) {
      const channel = channels.has(reading.from) ? channels.get(reading.from) : channelOf(reading);
      if (!channel) return;
      const slot = channel.slots.get(reading.index);
      if (reading.quality === 'bad') {
        if (slot) slot.why = reading.why;
        // A question that failed whole speaks for each of a list.
        else if (reading.index === undefined) for (const one of channel.slots.values()) one.why = reading.why;
        return;
      }
      if (!slot) {
        channel.slots.set(reading.index, { last: now, from: now, intervals: [], why: undefined });
        return;
      }
      slot.last = now;
      slot.why = undefined;
      if (now - slot.from < AT_ONCE) return;
      slot.intervals.push(now - slot.from);
      if (slot.intervals.length > KEPT) slot.intervals.shift();
      slot.from = now;
    },
    check(now, status) {
      const wanted = new Map<string, Cause>();
      for (const { link, up: is } of status.links) {
        if (!is) up.set(link, Number.NaN);
        else if (Number.isNaN(up.get(link) ?? Number.NaN)) up.set(link, now);
      }
      const by = new Map<string, Channel[]>();
      for (const channel of channels.values())
        if (channel && channel.slots.size > 0) by.set(channel.instrument, [...(by.get(channel.instrument) ?? []), channel]);
      for (const [instrument, { state, why }] of Object.entries(status.instruments)) {
        const here = state === 'running' || state === 'refused';
        if (here) absent.delete(instrument);
        else if (!absent.has(instrument)) absent.set(instrument, now);
        if (excepted(instrument) || state === 'refused') continue; // refused is an alarm of its own
        if (linksDown(instrument, now)) {
          for (const [name, cause] of found) if (silentInstrument(name) === instrument) wanted.set(name, cause);
        } else if (here || by.has(instrument)) ofInstrument(instrument, by.get(instrument) ?? [], now, wanted);
        else if (now - (absent.get(instrument) ?? now) >= options.least)
          wanted.set(silenceName(instrument), { severity: 'warning', text: () => `it is not there${why === undefined ? '' : `: ${why}`}` });
      }
      found = wanted;
      return wanted;
    },
    names: () => [...channels.values()].flatMap((c) => (c ? [silenceName(c.from)] : [])),
    heard(name) {
      const what = name.slice(PREFIX.length);
      return [...channels.values()].some((c) => c !== undefined && (c.from === what || c.instrument === what) && c.slots.size > 0);
    },
  };
}

function median(list: readonly number[]): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

const listed = (names: readonly string[]): string =>
  names.slice(0, SHOWN).join(', ') + (names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '');
