/** From what a driver gives to readings: checked against kind and span, counted, voided. The same for live instruments and for replayed ones. */
import type { Links, Poll } from './instrument.ts';
import { bad, type Kind, type Kinds, type Measured, type Origin, type Reading, type Values } from './reading.ts';

/** One channel, or one index of it. */
interface Slot {
  readonly from: string;
  seq: number;
  last: Reading | undefined;
}

/** A channel of a poll or stream, and what it has given. */
interface Given {
  readonly channel: string;
  readonly kind: Kind;
  readonly slot: Slot;
}

export interface Giver {
  /** Every value of a reply; true when one of them made no sense. `t`: of those values that bring no time of their own. */
  give(gives: Kinds, values: Values<Kinds>, t: number, spans: Poll<Links>['span']): boolean;
  /** A bad reading of each channel, of a list one for each index that has been seen. */
  giveBad(gives: Kinds, why: string): void;
  /** The next n readings of a channel are from before an order. */
  void(channel: string, n: number): void;
  latest(channel: string, index?: number): Reading | undefined;
}

export interface Taker {
  reading(r: Reading): void;
  /** All readings of one reply have been given. */
  replied?(): void;
}

/** `now`: of readings that say that there is no value. */
export function giver(name: string, origin: Origin, now: () => number, on: Taker): Giver {
  const slots = new Map<string, Slot>();
  const voids = new Map<string, number>();
  const indices = new Map<string, number>();

  const channels = new WeakMap<Kinds, readonly Given[]>();

  const slotOf = (channel: string, index: number | undefined): Slot => {
    const key = index === undefined ? channel : `${channel}[${index}]`;
    let slot = slots.get(key);
    if (!slot) {
      slot = { from: `${name}.${channel}`, seq: 0, last: undefined };
      slots.set(key, slot);
    }
    return slot;
  };

  const givenBy = (gives: Kinds): readonly Given[] => {
    let known = channels.get(gives);
    if (!known) {
      known = Object.entries(gives).map(([channel, kind]) => ({ channel, kind, slot: slotOf(channel, undefined) }));
      channels.set(gives, known);
    }
    return known;
  };

  const emit = (channel: string, index: number | undefined, kind: Kind, m: Measured<Kind>, t: number): void => {
    if (m.quality === 'good' && m.sigma === undefined && m.why === undefined && index === undefined) {
      emitPlain(slotOf(channel, index), kind, m.value, m.t ?? t);
      return;
    }
    const slot = slotOf(channel, index);
    // The value's type follows its kind: checked by `checked` before it comes here.
    const { from } = slot;
    const reading = { ...m, from, ...(index === undefined ? {} : { index }), kind, t: m.t ?? t, seq: slot.seq++, origin } as Reading;
    slot.last = reading;
    on.reading(reading);
  };

  /** A good value with nothing beside it. */
  const emitPlain = (slot: Slot, kind: Kind, value: unknown, t: number): void => {
    const reading = { quality: 'good', value, from: slot.from, kind, t, seq: slot.seq++, origin } as Reading; // checked as above
    slot.last = reading;
    on.reading(reading);
  };

  const checked = (kind: Kind, given: unknown, span: readonly [number, number] | undefined): Measured<Kind> => {
    const m = (
      given !== null && typeof given === 'object' && 'quality' in given ? given : { quality: 'good', value: given }
    ) as Measured<Kind>; // a Measured or a bare value
    if (m.quality === 'bad') return m;
    const v: unknown = m.value;
    if (kind === 'flag') return typeof v === 'boolean' ? m : bad('not a flag');
    if (kind === 'state') return typeof v === 'string' && v !== '' ? m : bad('not a state');
    if (kind === 'trace') return v !== null && typeof v === 'object' && 'columns' in v ? m : bad('not a trace');
    if (typeof v !== 'number' || !Number.isFinite(v)) return bad('not a number');
    if (span && (v < span[0] || v > span[1])) return bad(`${v} is outside of what is possible (${span[0]} to ${span[1]})`);
    return m;
  };

  /** Bad by our judgement, not by the driver's own. */
  const isNonsense = (m: Measured<Kind>, given: unknown): boolean =>
    m.quality === 'bad' && !(given !== null && typeof given === 'object' && 'quality' in given);

  /** Whether the next reading of a channel is from before an order: counts it off. */
  const voided = (channel: string): boolean => {
    if (voids.size === 0) return false;
    const left = voids.get(channel) ?? 0;
    if (left > 0) voids.set(channel, left - 1);
    return left > 0;
  };

  return {
    give(gives, values, t, spans) {
      let nonsense = false;
      for (const { channel, kind, slot } of givenBy(gives)) {
        const given = values[channel];
        if (given === undefined) continue;
        // The common case, without anything made in between.
        if (isPlain(kind, given, spans?.[channel])) {
          if (!voided(channel)) emitPlain(slot, kind, given, t);
          continue;
        }
        if (!Array.isArray(given)) {
          const m = checked(kind, given, spans?.[channel]);
          if (isNonsense(m, given)) nonsense = true;
          if (m.quality === 'bad' || !voided(channel)) emit(channel, undefined, kind, m, t);
          continue;
        }
        indices.set(channel, Math.max(indices.get(channel) ?? 0, given.length));
        const all = given.map((one) => checked(kind, one, spans?.[channel]));
        if (all.some((m, i) => isNonsense(m, given[i]))) nonsense = true;
        // A list is one reading of the channel: it is dropped whole.
        if (all.some((m) => m.quality !== 'bad') && voided(channel)) continue;
        all.forEach((m, i) => {
          emit(channel, i, kind, m, t);
        });
      }
      on.replied?.();
      return nonsense;
    },
    giveBad(gives, why) {
      for (const [channel, kind] of Object.entries(gives)) {
        const many = indices.get(channel);
        for (let i = 0; i < (many ?? 1); i++) emit(channel, many === undefined ? undefined : i, kind, bad(why), now());
      }
      on.replied?.();
    },
    void(channel, n) {
      voids.set(channel, n);
    },
    latest: (channel, index) => slots.get(index === undefined ? channel : `${channel}[${index}]`)?.last,
  };
}

/** A bare value that its kind and span allow; of a trace none is. */
function isPlain(kind: Kind, given: unknown, span: readonly [number, number] | undefined): boolean {
  if (kind === 'flag') return typeof given === 'boolean';
  if (kind === 'state') return typeof given === 'string' && given !== '';
  if (kind === 'trace' || typeof given !== 'number' || !Number.isFinite(given)) return false;
  return !span || (given >= span[0] && given <= span[1]);
}
