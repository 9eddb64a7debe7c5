/** What must be known of a rig before its interlocks are tripped: what its inputs say by themselves, and how each leaf comes to decide. */
import { type Condition, type Leaf, leavesOf } from './condition.ts';
import { covers } from './interlock.ts';
import type { Reading } from './reading.ts';
import type { Rig, RigInterlock } from './rig.ts';
import { type Arrangement, arrange, type Input, keyOf, type Point, pointsOf, saidOf, type Value } from './trip-inputs.ts';
import type { Source, TripLab } from './trip-lab.ts';

/** What one channel has said while nobody interfered. */
export interface Heard {
  /** Of a list; [undefined] where it is none. */
  readonly indices: readonly (number | undefined)[];
  /** The last value of each index; absent where the last reading was no value. */
  readonly now: readonly (Value | undefined)[];
  /** Seconds between two readings, at most. */
  readonly interval: number;
  /** It has always said the same. */
  readonly constant: boolean;
  /** Change per second of an index over the last readings. */
  readonly rate: (seconds: number, index: number | undefined) => number | undefined;
  readonly words: readonly string[];
}

export function heardOf(readings: readonly Reading[]): Heard {
  const indices = [...new Set(readings.map((r) => r.index))];
  const each = indices.map((index) => readings.filter((r) => r.index === index));
  const valueIn = (r: Reading | undefined): Value | undefined => {
    const v: unknown = r === undefined || r.quality === 'bad' ? undefined : r.value;
    return typeof v === 'number' || typeof v === 'boolean' || typeof v === 'string' ? v : undefined;
  };
  const times = [...new Set(readings.map((r) => r.t))].sort((a, b) => a - b);
  const values = each.map((list) => list.map(valueIn));
  return {
    indices: indices.length === 0 ? [undefined] : indices,
    now: values.map((list) => list.at(-1)),
    interval: times.slice(1).reduce((most, t, i) => Math.max(most, (t - (times[i] ?? t)) / 1e6), 0),
    constant: values.every((list) => new Set(list).size <= 1),
    words: [...new Set(values.flat().filter((v) => typeof v === 'string'))],
    rate(seconds, index) {
      const own = each[indices.indexOf(index)] ?? [];
      const last = own.at(-1);
      const list = own.filter((r) => last !== undefined && r.t >= last.t - seconds * 1e6 && typeof valueIn(r) === 'number');
      return list.length < 2 ? undefined : slope(list.map((r) => [r.t / 1e6, Number(valueIn(r))] as const));
    },
  };
}

function slope(points: readonly (readonly [number, number])[]): number {
  const n = points.length;
  const t = points.reduce((sum, [x]) => sum + x, 0) / n;
  const v = points.reduce((sum, [, y]) => sum + y, 0) / n;
  const square = points.reduce((sum, [x]) => sum + (x - t) ** 2, 0);
  return points.reduce((sum, [x, y]) => sum + (x - t) * (y - v), 0) / square;
}

/** Interlocks that can forbid what this one trips: they must hold, too. */
export const besides = (rig: Rig, target: RigInterlock): readonly RigInterlock[] =>
  (rig.interlocks ?? []).filter(
    (one) =>
      one !== target &&
      [...one.forbids, ...one.trips].some((a) => [...target.trips, ...target.forbids].some((b) => covers(a, b) || covers(b, a))),
  );

/** All that these conditions look at. */
export function inputsOf(
  conditions: readonly Condition[],
  heard: (channel: string) => Heard,
  source: (channel: string) => Source | undefined,
): ReadonlyMap<string, Input> {
  const leaves = conditions.flatMap(leavesOf);
  const inputs = new Map<string, Input>();
  for (const leaf of leaves) {
    const { of, slope } = leaf;
    const alike = leaves.filter((one) => one.of === of && one.slope === slope);
    const named = [...new Set(alike.flatMap((one) => one.index ?? []))];
    const said = heard(of);
    const rest = said.indices.filter((index) => index === undefined || !named.includes(index));
    const whole = alike.filter((one) => one.index === undefined);
    const add = (indices: readonly (number | undefined)[], looking: readonly Leaf[]): void => {
      const [index] = indices;
      const key = keyOf({ of, slope, ...(index === undefined || indices.length > 1 ? {} : { index }) });
      if (!inputs.has(key) && looking.length > 0) inputs.set(key, inputOf(key, indices, looking, said, source(of)));
    };
    for (const index of named)
      add(
        [index],
        alike.filter((one) => one.index === index || one.index === undefined),
      );
    if (rest.length > 0) add(rest, whole);
  }
  return inputs;
}

function inputOf(
  key: string,
  indices: readonly (number | undefined)[],
  leaves: readonly Leaf[],
  said: Heard,
  source: Source | undefined,
): Input {
  const [{ of, slope: over }] = leaves;
  const now = indices.map((index) => (over === undefined ? said.now[said.indices.indexOf(index)] : said.rate(over, index)));
  const span = over === undefined ? source?.span : undefined;
  const points = pointsOf(leaves, { span, now: now[0], words: [...said.words, ...(source?.words ?? [])] });
  const stuck = leaves.some((leaf) => leaf.stuck !== undefined) && said.constant;
  const natural = stuck ? undefined : naturalOf(leaves, now);
  return { key, of, indices, leaves, points, ...(over === undefined ? {} : { slope: over }), ...(natural ? { natural } : {}) };
}

/** Of several indices each one must pass. */
function naturalOf(leaves: readonly Leaf[], now: readonly (Value | undefined)[]): Point | undefined {
  const said = now.map((v) => (v === undefined ? undefined : saidOf(leaves, v)));
  const [value] = now;
  if (value === undefined || said.some((one) => one === undefined)) return undefined;
  return { values: [value], passes: leaves.map((_, i) => said.every((one) => one?.[i] === true)) };
}

export interface Plan extends Arrangement {
  readonly inputs: ReadonlyMap<string, Input>;
}

/** How this leaf comes to decide alone; undefined where it cannot. `forced`: every input is made to say what it must. */
export function planOf(
  rig: Rig,
  interlock: RigInterlock,
  leaf: Leaf,
  heard: (channel: string) => Heard,
  source: (channel: string) => Source | undefined,
  forced: boolean,
): Plan | undefined {
  const conditions = [interlock.when, ...besides(rig, interlock).map((one) => one.when)] as const;
  const inputs = inputsOf(conditions, heard, source);
  const found = arrange([...conditions] as [Condition, ...Condition[]], leaf, inputs, forced); // the target's is always there
  return found && { ...found, inputs };
}

/** The instrument's channel that a derived one hangs on: that of its first input, which triggers it. */
export function rootOf(rig: Rig, channel: string): string {
  const made = rig.derive.find((one) => channel.startsWith(`${one.name}.`));
  const [first] = Object.values(made?.inputs ?? {});
  return first ? rootOf(rig, first.from.replace(/\[\d+\]$/, '')) : channel;
}

export const isDerived = (rig: Rig, channel: string): boolean => rig.derive.some((one) => channel.startsWith(`${one.name}.`));

const SCOUT = 20; // seconds of listening, at least
const LONGEST_SCOUT = 130; // seconds
const LONGEST_START = 300; // seconds until the start orders have ended

/** Lets the rig start and listens to it. */
export function listen(lab: TripLab, interlocks: readonly RigInterlock[]): void {
  lab.until(LONGEST_START, () => lab.host.started);
  const longest = Math.max(0, ...interlocks.flatMap((one) => leavesOf(one.when)).map((l) => Math.max(l.stale, l.slope ?? 0, l.stuck ?? 0)));
  lab.until(Math.min(LONGEST_SCOUT, Math.max(SCOUT, 1.2 * longest)), () => false);
}
