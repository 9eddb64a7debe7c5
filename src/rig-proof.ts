/**
 * Whether a condition can hold at all, can fail at all, and can hold again once it has been broken: by trying it on a value of each stretch
 * between all that decides about a channel. What good readings can show is meant; silence and bad readings break every condition.
 */
import { type Condition, type Leaf, leavesOf } from './condition.ts';
import { passes } from './condition-level.ts';
import { alike, limitsOf, pastBy, spoken } from './condition-words.ts';
import type { Channel, ChannelLookup } from './rig-conditions.ts';
import type { Path, Sheet } from './rig-yaml.ts';

type Value = number | boolean | string;
/** What a channel may show: `some` misses single points of a continuum, as a measured value does. */
interface Samples {
  readonly every: readonly Value[];
  readonly some: readonly Value[];
}
const MOST = 20_000; // combinations that are tried; beyond, only leaf by leaf

/** Says of each part of the condition what makes it useless; `path` is where the condition stands. */
export function proveCondition(sheet: Sheet, path: Path, condition: Condition, channels: ChannelLookup): void {
  const say = (at: Path, text: string): void => sheet.say(at, text, 'key');
  const prove = (c: Condition, at: Path): boolean => {
    if (!('of' in c)) {
      const key = 'all' in c ? 'all' : 'any';
      const parts = 'all' in c ? c.all : c.any;
      const sound = parts.map((part, i) => prove(part, [...at, key, i]));
      if (sound.includes(false)) return false; // told where it begins
    }
    const found = verdict(c, channels);
    if (found === undefined) return true;
    if ('of' in c) say([...at, testOf(c)], leafWords(c, found, channels));
    else say([...at, 'all' in c ? 'all' : 'any'], GROUP[found]);
    return false;
  };
  prove(condition, path);
}

type Verdict = 'never' | 'always' | 'never-again';
const GROUP: Readonly<Record<Verdict, string>> = {
  never: 'this can never hold: its parts contradict each other',
  always: 'this cannot fail: whatever the channels show, one of its parts holds',
  'never-again': 'once broken this can never hold again: with their hysteresis its parts contradict each other',
};

function verdict(condition: Condition, channels: ChannelLookup): Verdict | undefined {
  const leaves = leavesOf(condition);
  const variables = [...new Set(leaves.map(variableOf))].map((name) => {
    const own = leaves.filter((leaf) => variableOf(leaf) === name);
    return [name, samplesOf(own, channels.find(own[0].of))] as const;
  });
  if (variables.reduce((n, [, { every }]) => n * every.length, 1) > MOST) return undefined;
  const tries = (which: keyof Samples, is: (shown: ReadonlyMap<string, Value>) => boolean): boolean => {
    const shown = new Map<string, Value>();
    const at = (i: number): boolean => {
      const [name, samples] = variables[i] ?? [];
      if (name === undefined || samples === undefined) return is(shown);
      return samples[which].some((value) => {
        shown.set(name, value);
        return at(i + 1);
      });
    };
    return at(0);
  };
  if (!tries('every', (shown) => truth(condition, shown, false))) return 'never';
  if (!tries('some', (shown) => !truth(condition, shown, false))) return 'always';
  return tries('every', (shown) => truth(condition, shown, true)) ? undefined : 'never-again';
}

/** A list of which every index must pass, and one index of it, are taken for different things: that only proves less. */
const variableOf = (leaf: Leaf): string => `${leaf.of}[${leaf.index ?? ''}]${leaf.slope === undefined ? '' : `/${leaf.slope}`}`;

const truth = (c: Condition, shown: ReadonlyMap<string, Value>, tight: boolean): boolean => {
  if ('all' in c) return c.all.every((one) => truth(one, shown, tight));
  if ('any' in c) return c.any.some((one) => truth(one, shown, tight));
  const value = shown.get(variableOf(c));
  return value !== undefined && passes(c.test, value, tight ? c.hysteresis : 0);
};

const ANOTHER = '\u0000'; // a word that nobody has named

function samplesOf(leaves: readonly Leaf[], channel: Channel | string | undefined): Samples {
  const known = typeof channel === 'object' ? channel : undefined;
  const { kind, slope } = leaves[0];
  if (kind === 'flag') return both([true, false]);
  if (kind === 'state') {
    const named = leaves.flatMap(({ test }) => (test.is === 'one-of' ? test.words : []));
    return both(known?.words ?? [...new Set([...named, ANOTHER])]);
  }
  const [lowest, highest] = slope === undefined ? rangeOf(known) : EVERYTHING;
  const decisive = leaves.flatMap(({ test, hysteresis }) => [...limitsOf(test), ...limitsOf(pastBy(test, hysteresis))]);
  const inside = [...new Set(decisive)].filter((x) => x > lowest && x < highest).sort((a, b) => a - b);
  const step = Math.max(1, ...inside.map(Math.abs));
  const first = Number.isFinite(lowest) ? lowest : (inside[0] ?? Math.min(0, highest)) - step;
  const last = Number.isFinite(highest) ? highest : (inside.at(-1) ?? Math.max(0, first)) + step;
  const ends = [first, ...inside, last];
  const between = ends.slice(1).map((x, i) => (x + (ends[i] ?? x)) / 2);
  const every = [...new Set([...ends, ...between])];
  // A plain number may be a count, which does hit its limits.
  return { every, some: kind === '1' ? every : [...new Set([first, last, ...between])] };
}
const both = (values: readonly Value[]): Samples => ({ every: values, some: values });

const EVERYTHING = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] as const;
/** Without a span nothing is impossible: a difference of temperatures is in K as well. */
const rangeOf = (channel: Channel | undefined): readonly [number, number] => channel?.span ?? EVERYTHING;

const testOf = (leaf: Leaf): string => (leaf.test.is === 'one-of' ? 'is' : leaf.test.is);

function leafWords(leaf: Leaf, found: Verdict, channels: ChannelLookup): string {
  const channel = channels.find(leaf.of);
  const known = typeof channel === 'object' ? channel : undefined;
  const what = {
    never: 'this can never hold',
    always: 'this cannot fail',
    'never-again': 'once broken this can never hold again: its hysteresis leaves nothing over',
  }[found];
  if (found === 'never-again' && leaf.test.is === 'between') return what;
  if (leaf.test.is === 'one-of')
    return `${what}: ${leaf.of} shows ${(leaf.kind === 'flag' ? [true, false] : (known?.words ?? [])).map(spoken).join(' or ')}`;
  const [lowest, highest] = rangeOf(known);
  if (leaf.slope !== undefined || !Number.isFinite(lowest) || !Number.isFinite(highest)) return what;
  const said = alike(leaf.kind, false, lowest, [lowest, highest]);
  return `${what}: ${leaf.of} can only be from ${said.limits.join(' to ')}${said.unit}`;
}
