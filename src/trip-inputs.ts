/** What the inputs of interlocks must say so that one leaf alone decides: values between the limits, and the search for an arrangement. */
import type { Condition, Leaf, Test } from './condition.ts';
import { limitsOf, pastBy } from './condition-words.ts';

export type Value = number | boolean | string;

/** A value of an input, with what each of its leaves says of it. */
export interface Point {
  /** The first is far from every limit; the others nearer, for what the first cannot be said of. Rates where the input is a slope. */
  readonly values: readonly Value[];
  readonly passes: readonly boolean[];
}

/** A channel, or some indices of it, or the slope of either; with all leaves that look at it. */
export interface Input {
  readonly key: string;
  readonly of: string;
  /** Those that leaves look at by themselves are each an input, the others one together; [undefined] where the channel is no list. */
  readonly indices: readonly (number | undefined)[];
  /** Seconds: the leaves look at its slope. */
  readonly slope?: number;
  readonly leaves: readonly Leaf[];
  readonly points: readonly Point[];
  /** The point that it is at by itself; undefined where it is at none, or may not stay there. */
  readonly natural?: Point;
}

export const keyOf = ({ of, index, slope }: Pick<Leaf, 'of' | 'index' | 'slope'>): string =>
  `${of}${index === undefined ? '' : `[${index}]`}${slope === undefined ? '' : ` over ${slope} s`}`;

export const passes = (test: Test, value: Value): boolean => {
  switch (test.is) {
    case 'one-of':
      return typeof value !== 'number' && test.words.includes(value);
    case 'above':
      return typeof value === 'number' && value > test.limit;
    case 'below':
      return typeof value === 'number' && value < test.limit;
    case 'between':
      return typeof value === 'number' && value >= test.lo && value <= test.hi;
  }
};

/** Whether each leaf passes with its hysteresis, or fails without it; undefined where one does neither. */
export function saidOf(leaves: readonly Leaf[], value: Value): readonly boolean[] | undefined {
  const all = leaves.map((leaf) => {
    if (passes(pastBy(leaf.test, leaf.hysteresis), value)) return true;
    return passes(leaf.test, value) ? undefined : false;
  });
  return all.every((one) => one !== undefined) ? all : undefined;
}

/** One point for each way in which the leaves can answer. `span`: what is possible; `now`: what it is, for a scale; `words`: of a state. */
export function pointsOf(
  leaves: readonly Leaf[],
  given: { readonly span?: readonly [number, number]; readonly now?: Value; readonly words?: readonly string[] },
): readonly Point[] {
  const numeric = leaves.some((leaf) => leaf.test.is !== 'one-of');
  const flag = leaves.some((leaf) => leaf.kind === 'flag');
  const candidates = numeric ? numbers(leaves, given.span, given.now) : flag ? [[true], [false]] : states(leaves, given.words ?? []);
  const found = new Map<string, Point>();
  for (const values of candidates) {
    const said = values[0] === undefined ? undefined : saidOf(leaves, values[0]);
    if (!said) continue;
    const name = said.join();
    const same = values.filter((v) => saidOf(leaves, v)?.join() === name);
    const known = found.get(name);
    found.set(name, { values: [...(known?.values ?? []), ...same], passes: said });
  }
  return [...found.values()];
}

const CLEAR = 0.1; // of the limit itself: how far from it a value is clearly past it

function numbers(leaves: readonly Leaf[], span: readonly [number, number] | undefined, now: Value | undefined): readonly Value[][] {
  const limits = [...new Set(leaves.flatMap(({ test, hysteresis }) => [...limitsOf(test), ...limitsOf(pastBy(test, hysteresis))]))]
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  const [first, last] = [limits[0], limits.at(-1)];
  if (first === undefined || last === undefined) return [];
  const distance = typeof now === 'number' && Number.isFinite(now) ? Math.min(...limits.map((l) => Math.abs(now - l))) : 0;
  const clear = Math.max(CLEAR * Math.max(Math.abs(first), Math.abs(last)), distance / 2) || 1;
  const [lo, hi] = span ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  /** Half of the way to what is possible at most. */
  const below = (by: number): number => Math.max(first - by, (first + lo) / 2);
  const above = (by: number): number => Math.min(last + by, (last + hi) / 2);
  const shares = [1, 0.3, 0.1, 0.01];
  const inside = limits.slice(1).map((b, i): Value[] => {
    const a = limits[i] ?? b;
    return [0.5, 0.45, 0.55, 0.25, 0.75, 0.9].map((part) => a + part * (b - a));
  });
  return [shares.map((s) => below(s * clear)), ...inside, shares.map((s) => above(s * clear))];
}

function states(leaves: readonly Leaf[], words: readonly string[]): readonly Value[][] {
  const named = leaves.flatMap(({ test }) => (test.is === 'one-of' ? test.words : []));
  // A word that no leaf knows is last: what the instrument can say is better.
  return [...new Set<Value>([...named, ...words, 'another word'])].map((word) => [word]);
}

export type Truth = boolean | undefined;

/** Kleene's logic over what each leaf says. */
export function truthOf(condition: Condition, says: (leaf: Leaf) => Truth): Truth {
  if ('of' in condition) return says(condition);
  const all = 'all' in condition;
  const each = ('all' in condition ? condition.all : condition.any).map((one) => truthOf(one, says));
  if (each.includes(!all)) return !all;
  return each.length === 0 || each.includes(undefined) ? undefined : all;
}

export interface Arrangement {
  /** The input whose fault it is. */
  readonly own: Input;
  /** What every input must be before the fault; inputs that are there by themselves are not in it. */
  readonly held: ReadonlyMap<string, Point>;
  /** The value of the leaf's own input that breaks it, and the interlock with it. */
  readonly broken: Point;
}

const MOST = 200_000; // combinations

/**
 * All of `conditions` hold and the leaf with them, and it alone decides: at `broken` the first of the conditions holds no more. The fewest
 * inputs are changed. `forced`: nothing is left as it is. Undefined: there is no such arrangement.
 */
export function arrange(
  conditions: readonly [Condition, ...Condition[]],
  leaf: Leaf,
  inputs: ReadonlyMap<string, Input>,
  forced = false,
): Arrangement | undefined {
  const all = [...inputs.values()];
  const own = all.findLast((input) => input.leaves.includes(leaf));
  if (!own) return undefined;
  const [target] = conditions;
  const at = new Map<string, Point>();
  const says = (one: Leaf): Truth => {
    // Of a list each index must pass.
    const each = all
      .filter((input) => input.leaves.includes(one))
      .map((input): Truth => at.get(input.key)?.passes[input.leaves.indexOf(one)]);
    if (each.includes(false)) return false;
    return each.length === 0 || each.includes(undefined) ? undefined : true;
  };
  const decides = (): Point | undefined => {
    if (says(leaf) !== true || conditions.some((c) => truthOf(c, says) !== true)) return undefined;
    const before = at.get(own.key);
    const broken = own.points.find((point) => {
      at.set(own.key, point);
      return says(leaf) === false && truthOf(target, says) === false;
    });
    if (before) at.set(own.key, before);
    return broken;
  };
  let left = MOST;
  /** The first `changes` inputs that may still change, the rest as they are by themselves. */
  const search = (from: number, changes: number, held: ReadonlyMap<string, Point>): Arrangement | undefined => {
    if (left-- <= 0) return undefined;
    const input = all[from];
    if (!input) {
      const broken = changes === 0 ? decides() : undefined;
      return broken && { own, held, broken };
    }
    if (input.natural && !forced) {
      at.set(input.key, input.natural);
      const found = search(from + 1, changes, held);
      if (found) return found;
    }
    if (changes === 0 && !forced) {
      if (input.natural) return undefined;
      at.delete(input.key);
      return search(from + 1, 0, held);
    }
    for (const point of input.points) {
      at.set(input.key, point);
      const found = search(from + 1, forced ? 0 : changes - 1, new Map([...held, [input.key, point]]));
      if (found) return found;
    }
    return undefined;
  };
  for (let changes = 0; changes <= (forced ? 0 : all.length) && left > 0; changes++) {
    const found = search(0, changes, new Map());
    if (found) return found;
  }
  return undefined;
}
