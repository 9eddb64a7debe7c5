/**
 * What a condition says now. Each leaf keeps, for each index of its channel, the latest reading and whether it holds; a reading breaks it at
 * once, and it holds again only as the leaf says (hysteresis, hold, a second reading). Time that passes without readings makes it unknown.
 */
import type { Condition, Leaf, Level, Test } from './condition.ts';
import { type Slope, slopeOver } from './condition-slope.ts';
import { brokenWords, duration, pastBy, valueWords } from './condition-words.ts';
import type { Reading } from './reading.ts';

export interface Watched {
  /** Takes a reading that it looks at; others, repeated and older ones are ignored. `now`: monotonic seconds; `wall`: microseconds like
   *  Reading.t, so that what is old when it comes counts as old. */
  see(reading: Reading, now: number, wall: number): void;
  level(now: number): Level;
  /** The monotonic second at which the level may change without any reading (staleness, hold times, stuck); Infinity where it cannot. */
  next(now: number): number;
  /** Channels whose first passing reading waits for a second one. */
  readonly wanted: readonly string[];
}

export interface WatchOptions {
  /** It holds (again) only on the second passing reading in a row: a flipped bit must not make a broken condition look whole. */
  readonly confirm?: boolean;
  /** For alarms, where the condition is the trouble: hysteresis acts on leaving it, not on coming back. */
  readonly lingers?: boolean;
}

type Is = Level['is'];
const HOLDS: Level = { is: 'holds' };
const SHOWN = 4; // reasons in one text

export function watched(condition: Condition, options: WatchOptions = {}): Watched {
  const leaves: WatchedLeaf[] = [];
  const build = (c: Condition): Node => {
    if ('of' in c) {
      const leaf = watchedLeaf(c, options);
      leaves.push(leaf);
      return leaf;
    }
    return joined('all' in c, ('all' in c ? c.all : c.any).map(build));
  };
  const root = build(condition);
  return {
    see(reading, now, wall) {
      for (const leaf of leaves) if (leaf.of === reading.from) leaf.see(reading, now, wall);
    },
    level(now) {
      const is = root.is(now);
      if (is === 'holds') return HOLDS;
      const reasons = root.reasons(now);
      const told = [...new Set(reasons.map((r) => r.why))];
      const rest = told.length > SHOWN ? `; and ${told.length - SHOWN} more` : '';
      return { is, why: told.slice(0, SHOWN).join('; ') + rest, of: [...new Set(reasons.flatMap((r) => (r.of === '' ? [] : [r.of])))] };
    },
    next: (now) => leaves.reduce((least, leaf) => Math.min(least, leaf.next(now)), Number.POSITIVE_INFINITY),
    get wanted() {
      return [...new Set(leaves.filter((leaf) => leaf.wanted).map((leaf) => leaf.of))];
    },
  };
}

interface Reason {
  readonly is: Is;
  readonly of: string;
  readonly why: string;
}
interface Node {
  is(now: number): Is;
  /** Why it does not hold. */
  reasons(now: number): readonly Reason[];
}

/** Kleene's logic; of nothing at all nothing is known. */
function joined(all: boolean, nodes: readonly Node[]): Node {
  const decides = all ? 'broken' : 'holds';
  const otherwise = all ? 'holds' : 'broken';
  const is = (now: number): Is => {
    const each = nodes.map((node) => node.is(now));
    return each.includes(decides) ? decides : each.length === 0 || each.includes('unknown') ? 'unknown' : otherwise;
  };
  return {
    is,
    reasons(now) {
      if (nodes.length === 0) return [{ is: 'unknown', of: '', why: 'a condition of nothing' }];
      const reasons = nodes.filter((node) => node.is(now) !== 'holds').flatMap((node) => node.reasons(now));
      // Of any-of each is a way out; of all-of what broke it is more than what is merely not known.
      return all && is(now) === 'broken' ? reasons.filter((r) => r.is === 'broken') : reasons;
    },
  };
}

type Value = number | boolean | string;
/** One index of a channel, or the channel itself. Times in monotonic seconds. */
interface Cell {
  /** Of the latest reading. */
  t: number;
  seq: number;
  at: number;
  /** A reading other than bad has come. */
  given: boolean;
  /** Why the latest reading says nothing. */
  useless: string | undefined;
  raw: unknown;
  /** Since when the value has been the same, suspect or not. */
  same: number;
  /** What is tested: the value, or the slope. */
  value: Value;
  slope: Slope | undefined;
  is: Is;
  /** What it was last, apart from unknown. */
  decided: 'holds' | 'broken' | undefined;
  /** Passing readings in a row that wait, and since when. */
  passes: number;
  passing: number;
  /** Past this the reading counts no more. */
  lapses: number;
  older: boolean;
}

interface WatchedLeaf extends Node {
  readonly of: string;
  see(reading: Reading, now: number, wall: number): void;
  next(now: number): number;
  readonly wanted: boolean;
}

function watchedLeaf(leaf: Leaf, { confirm = false, lingers = false }: WatchOptions): WatchedLeaf {
  const cells = new Map<number | undefined, Cell>();
  const enough = confirm ? 2 : 1;
  const holdsFrom = (cell: Cell): number =>
    cell.is !== 'holds' && cell.passes >= enough ? cell.passing + leaf.hold : Number.POSITIVE_INFINITY;

  const isAt = (cell: Cell, now: number): Is => (!(now < cell.lapses) ? 'unknown' : now >= holdsFrom(cell) ? 'holds' : cell.is);

  /** What time alone has done to it. */
  const settle = (cell: Cell, now: number): void => {
    if (holdsFrom(cell) < cell.lapses && now >= holdsFrom(cell)) cell.decided = 'holds';
    cell.is = isAt(cell, now);
    if (!(now < cell.lapses) || cell.is === 'holds') cell.passes = 0;
  };

  const take = (cell: Cell, reading: Reading, now: number, wall: number): void => {
    // A time from the future is a fault of its clock: it must neither keep the reading fresh for long nor shut out those that follow.
    const t = Math.min(reading.t, wall);
    if (!(t >= cell.t) || (t === cell.t && reading.seq <= cell.seq && reading.quality !== 'bad')) {
      cell.older = t < cell.t;
      return;
    }
    settle(cell, now);
    set(cell, { t, seq: reading.seq, at: now - (wall - t) / 1e6, older: false, given: cell.given || reading.quality !== 'bad' });
    if (reading.quality !== 'bad' && !Object.is(reading.value, cell.raw)) set(cell, { raw: reading.value, same: cell.at });
    const found = tested(leaf, reading);
    if (typeof found === 'object') {
      unknown(cell, found.useless);
      return;
    }
    if (leaf.slope !== undefined && typeof found === 'number') {
      cell.slope ??= slopeOver(leaf.slope);
      cell.slope.add(cell.at, found);
      const { value, covered } = cell.slope;
      if (value === undefined || !Number.isFinite(value)) {
        unknown(cell, `for its slope readings over ${duration(leaf.slope / 2)} are wanted, and there are ${duration(covered)}`);
        return;
      }
      cell.value = value;
    } else cell.value = found;
    cell.useless = undefined;
    cell.lapses = Math.min(cell.at + leaf.stale, leaf.stuck === undefined ? Number.POSITIVE_INFINITY : cell.same + leaf.stuck);
    judge(cell);
    settle(cell, now);
  };

  const unknown = (cell: Cell, why: string): void => {
    set(cell, { useless: why, is: 'unknown', passes: 0, lapses: Number.POSITIVE_INFINITY });
  };

  const judge = (cell: Cell): void => {
    const loose = lingers && cell.decided === 'holds' ? -leaf.hysteresis : 0;
    if (!passes(leaf.test, cell.value, loose)) set(cell, { is: 'broken', decided: 'broken', passes: 0 });
    else if (cell.is === 'holds') return;
    else if (!lingers && cell.decided !== undefined && !passes(leaf.test, cell.value, leaf.hysteresis))
      set(cell, { is: 'broken', passes: 0 });
    else if (cell.passes++ === 0) cell.passing = cell.at;
  };

  const why = (cell: Cell, now: number): string => {
    if (cell.at === Number.NEGATIVE_INFINITY) return ': no reading yet';
    if (!(now < cell.at + leaf.stale)) {
      const last = cell.useless === undefined ? '' : `; the last was no use: ${cell.useless}`;
      return `: no reading for ${duration(now - cell.at)}${cell.older ? '; readings with earlier times are not looked at' : last}`;
    }
    if (cell.useless !== undefined) return `: ${cell.useless}`;
    if (!(now < cell.lapses)) return ` has not changed for ${duration(now - cell.same)}: taken for stuck`;
    if (cell.passes === 0) return ` ${brokenWords(leaf, cell.value, passes(leaf.test, cell.value, 0) ? leaf.hysteresis : 0)}`;
    const words = valueWords(leaf, cell.value);
    if (cell.passes < enough) return ` ${words}: to be read a second time`;
    return ` ${words}: in order for ${duration(Math.max(0, now - cell.passing))} of ${duration(leaf.hold)}`;
  };

  const named = (index: number | undefined): string => (index === undefined ? leaf.of : `${leaf.of}[${index}]`);
  return {
    of: leaf.of,
    see(reading, now, wall) {
      const { index } = reading;
      if (leaf.index !== undefined && index !== leaf.index && !(index === undefined && reading.quality === 'bad')) return;
      // Before a list has come for the first time, a failed question speaks of the channel as a whole; later, of each index.
      const whole = index === undefined && reading.quality === 'bad';
      const at = leaf.index ?? index;
      if (index !== undefined && cells.get(undefined)?.given === false) cells.delete(undefined);
      const meant = whole && cells.size > 0 ? [...cells.values()] : [cells.get(at) ?? fresh(cells, at)];
      for (const cell of meant) take(cell, reading, now, wall);
    },
    is(now) {
      let found: Is = 'holds';
      for (const cell of cells.values()) {
        const is = isAt(cell, now);
        if (is === 'broken') return 'broken';
        if (is === 'unknown') found = 'unknown';
      }
      return cells.size === 0 ? 'unknown' : found;
    },
    reasons(now) {
      if (cells.size === 0) return [{ is: 'unknown', of: leaf.of, why: `${named(leaf.index)}: no reading yet` }];
      const all = [...cells].map(([index, cell]) => ({ is: isAt(cell, now), of: leaf.of, why: `${named(index)}${why(cell, now)}` }));
      const broken = all.filter((one) => one.is === 'broken');
      return broken.length > 0 ? broken : all.filter((one) => one.is === 'unknown');
    },
    next(now) {
      let least = Number.POSITIVE_INFINITY;
      for (const cell of cells.values()) for (const when of [cell.lapses, holdsFrom(cell)]) if (when > now && when < least) least = when;
      return least;
    },
    get wanted() {
      return [...cells.values()].some((cell) => cell.passes > 0 && cell.passes < enough);
    },
  };
}

const set = (cell: Cell, to: Partial<Cell>): void => {
  Object.assign(cell, to);
};

function fresh(cells: Map<number | undefined, Cell>, index: number | undefined): Cell {
  const cell: Cell = {
    t: Number.NEGATIVE_INFINITY,
    seq: -1,
    at: Number.NEGATIVE_INFINITY,
    given: false,
    useless: 'no reading yet',
    raw: undefined,
    same: Number.NEGATIVE_INFINITY,
    value: Number.NaN,
    slope: undefined,
    is: 'unknown',
    decided: undefined,
    passes: 0,
    passing: Number.NaN,
    lapses: Number.POSITIVE_INFINITY,
    older: false,
  };
  cells.set(index, cell);
  return cell;
}

/** The value that can be tested, or why there is none. */
function tested(leaf: Leaf, reading: Reading): Value | { readonly useless: string } {
  if (reading.quality === 'bad') return { useless: `bad: ${reading.why}` };
  if (reading.quality === 'suspect' && !leaf.suspect) return { useless: `suspect${reading.why === undefined ? '' : `: ${reading.why}`}` };
  if (reading.kind !== leaf.kind) return { useless: `given in ${reading.kind}, not in ${leaf.kind} as when the rig was checked` };
  const value: unknown = reading.value;
  if (leaf.test.is === 'one-of') {
    if (typeof value === 'boolean' || typeof value === 'string') return value;
    return { useless: 'neither a flag nor a word' };
  }
  return typeof value === 'number' && Number.isFinite(value) ? value : { useless: 'no finite number' };
}

/** Whether a value passes, past its limits by so much; NaN in a limit or a value passes no test. */
export function passes(test: Test, value: Value, by: number): boolean {
  if (test.is === 'one-of') return typeof value !== 'number' && test.words.includes(value);
  if (typeof value !== 'number') return false;
  const past = pastBy(test, by);
  switch (past.is) {
    case 'above':
      return value > past.limit;
    case 'below':
      return value < past.limit;
    case 'between':
      return value >= past.lo && value <= past.hi;
    default:
      return false;
  }
}
