/** What an input is made to say, on the wire where a reply can carry it, else in the program at the reading. */
import type { Goal } from './forge.ts';
import type { Kind, Measured, Reading } from './reading.ts';
import { type Input, type Point, saidOf, type Value } from './trip-inputs.ts';
import type { Source, TripLab } from './trip-lab.ts';
import type { Forgery } from './trip-wire.ts';

/** `t`: seconds of the laboratory's clock. */
export interface Signal {
  goal(slot: string, t: number): Goal;
  /** The same on a reading that has come. */
  made(reading: Reading, t: number): Reading;
}

const withValue = (reading: Reading, value: Value): Reading => {
  const { from, index, kind, t, seq, origin, made } = reading;
  // A value of the leaf's own kind, and NaN, which is what a test of the program must survive.
  return {
    from,
    ...(index === undefined ? {} : { index }),
    kind,
    t,
    seq,
    origin,
    ...(made ? { made } : {}),
    quality: 'good',
    value,
  } as Reading;
};
const heldValue = (m: Measured<Kind> | undefined): Value | undefined => {
  const value: unknown = m === undefined || m.quality === 'bad' ? undefined : m.value;
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string' ? value : undefined;
};

/** Says what the point says: steadily, or going to and fro within it where a steady value would be taken for stuck. */
export function steady(input: Input, point: Point, moving: boolean): Signal {
  const turns = new Map<string, number>();
  const values = (slot: string): readonly Value[] => {
    const turn = turns.get(slot) ?? 0;
    turns.set(slot, turn + 1);
    return moving && turn % 2 === 1 ? [...point.values.slice(1), ...point.values.slice(0, 1)] : point.values;
  };
  const same = (v: Value | undefined): boolean => v !== undefined && saidOf(input.leaves, v)?.join() === point.passes.join();
  /** Going to and fro: nearer to this one than to the next. */
  const near = (v: Value | undefined, [a, b]: readonly Value[]): boolean =>
    typeof v !== 'number' || typeof a !== 'number' || typeof b !== 'number' || Math.abs(v - a) < Math.abs(a - b) / 2;
  return {
    goal(slot) {
      const wanted = values(slot);
      return { slot, values: wanted, good: (m) => same(heldValue(m)) && (!moving || near(heldValue(m), wanted)) };
    },
    made(reading) {
      const [v] = values(String(reading.index));
      return v === undefined ? reading : withValue(reading, v);
    },
  };
}

/** Goes on from a value at a rate; the reply may be off by a tenth of what it changes by in the leaf's time. */
export function ramp(from: number, rate: number, over: number, since: number): Signal {
  const at = (t: number): number => from + rate * (t - since);
  return {
    goal: (slot, t) => ({
      slot,
      values: [at(t)],
      good(m) {
        const v = heldValue(m);
        return typeof v === 'number' && Math.abs(v - at(t)) <= Math.max(1e-12, 0.1 * Math.abs(rate) * over);
      },
    }),
    made: (reading, t) => withValue(reading, at(t)),
  };
}

export const frozen = (value: Value): Signal => ({
  goal: (slot) => ({ slot, values: [value], good: (m) => heldValue(m) === value }),
  made: (reading) => withValue(reading, value),
});

/** What the driver takes for no value, or refuses. */
export const nonsense = (): Signal => ({
  goal: (slot) => ({ slot, values: [], good: (m) => m === undefined || m.quality === 'bad' }),
  made: (reading) => withValue(reading, Number.NaN),
});

/** The reading of another kind of quantity. */
export const otherKind = (): Signal => ({
  goal: (slot) => ({ slot, values: [], good: () => false }),
  // The reading says another kind than its value is of: that is the fault.
  made: (reading) => ({ ...reading, kind: reading.kind === 'V' ? 'A' : 'V' }) as Reading,
});

export interface Put {
  readonly channel: string;
  /** Of a list: these; [undefined]: the channel itself. */
  readonly indices: readonly (number | undefined)[];
  readonly signal: Signal;
  readonly wire: boolean;
  /** A falsified reply has gone, or a falsified reading come; microseconds since 1970. */
  readonly began?: (t: number) => void;
  /** It is set in the program: the wire cannot carry it. */
  readonly inProgram?: () => void;
}

/** Puts all of these, and nothing else, into the laboratory. */
export function put(lab: TripLab, all: readonly Put[], source: (channel: string) => Source | undefined): void {
  lab.tampers.clear();
  const byWire = new Map<string, Forgery[]>();
  for (const one of all) {
    const from = one.wire ? source(one.channel) : undefined;
    const placed = from && lab.wireOf(from.instrument, from.role);
    const { question } = from ?? {};
    if (!from || !placed || placed.behind || !question) {
      tamper(lab, one);
      continue;
    }
    const name = one.channel.slice(one.channel.indexOf('.') + 1);
    const slots = one.indices.map((index) => (index === undefined ? name : `${name}[${index}]`));
    let carries = true;
    const forgery: Forgery = {
      of: (asked, m) => (carries ? question(asked, m) : undefined),
      goals: () => slots.map((slot) => one.signal.goal(slot, lab.clock.mono())),
      done(carried) {
        if (carried) one.began?.(lab.clock.now());
        else {
          // This reply has not arrived yet: its reading is the first that is falsified.
          carries = false;
          tamper(lab, one);
        }
      },
    };
    byWire.set(placed.key, [...(byWire.get(placed.key) ?? []), forgery]);
  }
  for (const { key, wire } of lab.wires) wire.forge(byWire.get(key) ?? []);
}

function tamper(lab: TripLab, { channel, indices, signal, began, inProgram }: Put): void {
  const before = lab.tampers.get(channel);
  inProgram?.();
  lab.tampers.set(channel, (given) => {
    const reading = before?.(given) ?? given;
    if (!indices.includes(reading.index)) return reading;
    began?.(lab.clock.now());
    return signal.made(reading, lab.clock.mono());
  });
}
