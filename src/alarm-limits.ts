/** The alarms that a rig declares: conditions over readings, with levels, delay, and an alarm of its own where their inputs are missing. */
import type { Book, Cause } from './alarm-book.ts';
import { rank } from './alarm-state.ts';
import { type Condition, type Leaf, leavesOf } from './condition.ts';
import { type Watched, watched } from './condition-level.ts';
import { type Slope, slopeOver } from './condition-slope.ts';
import { alike, limitsOf, pastBy, spoken } from './condition-words.ts';
import type { AlarmState, Severity } from './entry.ts';
import type { Reading } from './reading.ts';
import type { RigAlarm } from './rig.ts';

export interface LimitAlarms {
  see(reading: Reading, now: number, wall: number): void;
  looksAt(channel: string): boolean;
  tick(now: number, wall: number): void;
  /** Of what has not been looked at yet; it may have passed. */
  next(): number;
}

export interface LimitOptions {
  readonly book: Pick<Book, 'set'>;
  readonly restored: (name: string) => AlarmState | undefined;
  /** Seconds for which the input may be missing before that is an alarm: once it was there, and at the start. */
  readonly noData: number;
  readonly noDataAtStart: number;
}

export const noDataName = (name: string): string => `${name} no data`;

export function limitAlarms(specs: readonly RigAlarm[], options: LimitOptions): LimitAlarms {
  const all = specs.map((spec) => limitAlarm(spec, options));
  const byChannel = new Map<string, (typeof all)[number][]>();
  for (const one of all) for (const channel of one.channels) byChannel.set(channel, [...(byChannel.get(channel) ?? []), one]);
  return {
    see(reading, now, wall) {
      for (const one of byChannel.get(reading.from) ?? NONE) one.see(reading, now, wall);
    },
    looksAt: (channel) => byChannel.has(channel),
    tick(now, wall) {
      for (const one of all) one.judge(now, wall);
    },
    next: () => all.reduce((least, one) => Math.min(least, one.next()), Number.POSITIVE_INFINITY),
  };
}

const NONE: readonly LimitAlarm[] = [];

interface LimitAlarm {
  readonly channels: ReadonlySet<string>;
  see(reading: Reading, now: number, wall: number): void;
  judge(now: number, wall: number): void;
  next(): number;
}

function limitAlarm(spec: RigAlarm, { book, restored, noData, noDataAtStart }: LimitOptions): LimitAlarm {
  const { name, delay, latch, guidance } = spec;
  const was = restored(name)?.now;
  const levels = spec.levels.map(({ severity, when }) => alarmLevel(severity, when, delay, rank(severity) <= rank(was)));
  let known = false;
  let missing: number | undefined;
  /** What was due after this has not been looked at yet. */
  let looked = Number.NEGATIVE_INFINITY;
  const patience = (): number => (known ? noData : noDataAtStart);

  const judge = (now: number, wall: number): void => {
    looked = now;
    for (const level of levels) level.judge(now);
    const worst = levels.filter((l) => l.active).at(-1);
    const cause: Cause | undefined = worst && {
      severity: worst.severity,
      text: worst.text,
      latch,
      ...(guidance === undefined ? {} : { guidance }),
    };
    book.set(name, cause, now, wall);
    const blind = levels.filter((l) => l.unknown !== undefined);
    if (blind.length === 0) {
      known = true;
      missing = undefined;
      book.set(noDataName(name), undefined, now, wall);
      return;
    }
    missing ??= now;
    if (now < missing + patience()) return; // written as in `next`, or rounding could part the two
    // Blind for a critical limit is no small thing, but it is not the limit itself.
    const severity: Severity = blind.every((l) => l.severity === 'warning') ? 'warning' : 'alarm';
    const why = blind.at(-1)?.unknown;
    book.set(noDataName(name), { severity, text: () => `it is not known whether ${name} is in order: ${why ?? 'no data'}` }, now, wall);
  };

  return {
    channels: new Set(spec.levels.flatMap(({ when }) => leavesOf(when).map((leaf) => leaf.of))),
    see(reading, now, wall) {
      for (const level of levels) level.see(reading, now, wall);
      judge(now, wall);
    },
    judge,
    next() {
      if (looked === Number.NEGATIVE_INFINITY) return looked; // an input that never comes is missed from the first look on
      const blind = missing === undefined || missing + patience() <= looked ? Number.POSITIVE_INFINITY : missing + patience();
      return levels.reduce((least, level) => Math.min(least, level.next(looked)), blind);
    },
  };
}

interface AlarmLevel {
  readonly severity: Severity;
  readonly active: boolean;
  /** Why it is not known whether its condition holds. */
  readonly unknown: string | undefined;
  text(): string;
  see(reading: Reading, now: number, wall: number): void;
  judge(now: number): void;
  /** The first moment after this at which time alone may change it. */
  next(after: number): number;
}

function alarmLevel(severity: Severity, when: Condition, delay: number, restored: boolean): AlarmLevel {
  const latest = new Map<string, Reading>();
  const slopes = new Map<Leaf, Map<number | undefined, Slope>>();
  const lists = new Map<string, Set<number>>(); // channels of leaves without index that turned out to be lists
  for (const leaf of leavesOf(when)) if (leaf.index === undefined) lists.set(leaf.of, new Set());
  let condition = when;
  let watch = watched(when, { lingers: true });
  // Across a restart, too, an alarm goes only when its value has come back by the hysteresis.
  let lingering: Watched | undefined = restored ? watched(widened(when)) : undefined;
  let active = restored;
  let pending: number | undefined;
  let unknown: string | undefined = 'no reading yet';

  /** One of a list is enough to raise an alarm. */
  const perIndex = (now: number, wall: number): void => {
    condition = mapped(when, (leaf) => {
      const indices = leaf.index === undefined ? [...(lists.get(leaf.of) ?? [])] : [];
      return indices.length === 0 ? leaf : { any: indices.map((index) => ({ ...leaf, index })) };
    });
    watch = watched(condition, { lingers: true });
    if (lingering) lingering = watched(widened(condition));
    for (const reading of latest.values()) {
      watch.see(reading, now, wall);
      lingering?.see(reading, now, wall);
    }
  };

  return {
    severity,
    get active() {
      return active;
    },
    get unknown() {
      return unknown;
    },
    text: () => inAlarm(condition, latest, slopes),
    see(reading, now, wall) {
      latest.set(cellOf(reading.from, reading.index), reading);
      for (const leaf of leavesOf(when)) if (leaf.slope !== undefined && leaf.of === reading.from) follow(slopes, leaf, reading);
      const indices = reading.index === undefined ? undefined : lists.get(reading.from);
      if (indices && reading.index !== undefined && !indices.has(reading.index)) {
        indices.add(reading.index);
        perIndex(now, wall);
        return;
      }
      watch.see(reading, now, wall);
      lingering?.see(reading, now, wall);
    },
    judge(now) {
      const { is, why } = watch.level(now);
      unknown = is === 'unknown' ? (why ?? 'no data') : undefined;
      if (lingering?.level(now).is === 'broken') {
        lingering = undefined;
        active = false;
      }
      if (is === 'holds') {
        lingering = undefined;
        pending ??= now;
        if (now >= pending + delay) active = true;
      } else if (is === 'broken') {
        pending = undefined;
        if (!lingering) active = false;
      }
    },
    next(after) {
      const due = pending !== undefined && !active && pending + delay > after ? pending + delay : Number.POSITIVE_INFINITY;
      return Math.min(due, watch.next(after), lingering?.next(after) ?? Number.POSITIVE_INFINITY);
    },
  };
}

const cellOf = (of: string, index: number | undefined): string => (index === undefined ? of : `${of}[${index}]`);

const mapped = (c: Condition, leaf: (leaf: Leaf) => Condition): Condition =>
  'of' in c ? leaf(c) : 'all' in c ? { all: c.all.map((one) => mapped(one, leaf)) } : { any: c.any.map((one) => mapped(one, leaf)) };

const widened = (c: Condition): Condition => mapped(c, (leaf) => ({ ...leaf, test: pastBy(leaf.test, -leaf.hysteresis), hold: 0 }));

function follow(slopes: Map<Leaf, Map<number | undefined, Slope>>, leaf: Leaf, reading: Reading): void {
  if (leaf.slope === undefined || reading.quality === 'bad' || typeof reading.value !== 'number') return;
  const each = slopes.get(leaf) ?? new Map<number | undefined, Slope>();
  slopes.set(leaf, each);
  const slope = each.get(reading.index) ?? slopeOver(leaf.slope);
  each.set(reading.index, slope);
  slope.add(reading.t / 1e6, reading.value);
}

const SHOWN = 4; // values in one text

/** "laser.temperature is 41.2 °C, above 35.0 °C": what makes the condition hold. */
function inAlarm(
  condition: Condition,
  latest: ReadonlyMap<string, Reading>,
  slopes: ReadonlyMap<Leaf, ReadonlyMap<number | undefined, Slope>>,
): string {
  const slopeOf = (leaf: Leaf): number | undefined =>
    [...slopes].find(([l]) => l.of === leaf.of && l.slope === leaf.slope)?.[1].get(leaf.index)?.value;
  const told = leavesOf(condition).flatMap((leaf) => {
    const reading = latest.get(cellOf(leaf.of, leaf.index));
    if (!reading || reading.quality === 'bad') return [];
    const value = leaf.slope === undefined ? reading.value : slopeOf(leaf);
    if (typeof value !== 'number' && typeof value !== 'boolean' && typeof value !== 'string') return [];
    const said = leafWords(leaf, value);
    return said === undefined ? [] : [`${cellOf(leaf.of, leaf.index)} ${said}`];
  });
  if (told.length === 0) return 'its last value is not known any more';
  const unique = [...new Set(told)];
  return unique.slice(0, SHOWN).join('; ') + (unique.length > SHOWN ? `; and ${unique.length - SHOWN} more` : '');
}

/** Undefined for a value that is not the one in trouble (another way of an any-of). */
function leafWords(leaf: Leaf, value: number | boolean | string): string | undefined {
  const { test, slope } = leaf;
  if (test.is === 'one-of') return typeof value !== 'number' && test.words.includes(value) ? `is ${spoken(value)}` : undefined;
  if (typeof value !== 'number') return undefined;
  const wide = pastBy(test, -leaf.hysteresis);
  const within =
    wide.is === 'above'
      ? value > wide.limit
      : wide.is === 'below'
        ? value < wide.limit
        : wide.is === 'between' && value >= wide.lo && value <= wide.hi;
  if (!within) return undefined;
  const said = alike(leaf.kind, slope !== undefined, value, limitsOf(test));
  const [a = '', b = ''] = said.limits;
  const past = test.is === 'above' ? value > test.limit : test.is !== 'below' || value < test.limit;
  const limit =
    test.is === 'between' ? `between ${a} and ${b}${said.unit}` : `${past ? test.is : `not yet far enough from`} ${a}${said.unit}`;
  return `${slope === undefined ? 'is' : 'changes by'} ${said.value}${said.unit}, ${limit}`;
}
