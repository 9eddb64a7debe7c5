/** What is in a session by its own numbers: every channel's `seq` and every topic's message numbers without holes, and what it says at its end. */
import type { Reading } from '../reading.ts';
import type { McapMessage } from './mcap-read.ts';
import { NAMED, seriesOf } from './session-json.ts';

/** Numbers that are missing in one row of numbers, between the times of its neighbours (microseconds since 1970). */
export interface Hole {
  readonly of: string;
  readonly missing: number;
  readonly holes: number;
  /** Of the message before the first hole; absent where the row's beginning is missing. */
  readonly from?: number;
  /** Of the message behind the last hole. */
  readonly to: number;
}

/** Rows of numbers that should go up by one, from 0; a row that begins again at 0 is a recorder that began anew. */
export class Rows {
  readonly #rows = new Map<string, { next: number; t?: number }>();
  readonly #holes = new Map<string, Hole>();
  readonly #twice = new Map<string, number>();

  /** False where it came before. */
  see(of: string, number: number, t: number): boolean {
    const row = this.#rows.get(of);
    if (row === undefined) {
      this.#rows.set(of, { next: number + 1, t });
      if (number > 0) this.#lose(of, number, undefined, t);
      return true;
    }
    const { next, t: before } = row;
    if (number < next && number > 0 && t <= (before ?? t)) {
      this.#twice.set(of, (this.#twice.get(of) ?? 0) + 1); // a part that was given up, and whose head does not say so any more
      return false;
    }
    const missing = number < next ? number : number - next;
    if (missing > 0) this.#lose(of, missing, before, t);
    row.next = number + 1;
    row.t = t;
    return true;
  }

  #lose(of: string, missing: number, from: number | undefined, to: number): void {
    const known = this.#holes.get(of);
    if (known) this.#holes.set(of, { ...known, missing: known.missing + missing, holes: known.holes + 1, to });
    else this.#holes.set(of, { of, missing, holes: 1, to, ...(from === undefined ? {} : { from }) });
  }

  get holes(): readonly Hole[] {
    return [...this.#holes.values()];
  }
  /** Messages that came a second time, by row. */
  get twice(): ReadonlyMap<string, number> {
    return this.#twice;
  }
}

/** Counts of a session: what its end says, what a run's summary says, or what was found. */
export interface Counts {
  readonly channels?: Readonly<Record<string, number>>;
  readonly exchanges?: number;
  readonly orders?: Readonly<Record<string, number>>;
  /** Bytes by link. */
  readonly wire?: Readonly<Record<string, { readonly in: number; readonly out: number }>>;
  /** The number of the last part of each series. */
  readonly series?: Readonly<Record<string, number>>;
}

const isObject = (value: unknown): value is Record<string, unknown> => value !== null && typeof value === 'object';
const numbers = (value: unknown): Record<string, number> =>
  Object.fromEntries(isObject(value) ? Object.entries(value).flatMap(([key, n]) => (typeof n === 'number' ? [[key, n]] : [])) : []);

/** The counts in the message `end`, or in the file that `run --summary` writes; empty where it says nothing that is understood. */
export function countsOf(value: unknown): Counts {
  if (!isObject(value)) return {};
  const { channels, exchanges, orders, bytes, series } = value;
  const each = isObject(channels) ? Object.entries(channels) : [];
  const wire = value.wire ?? (isObject(bytes) ? bytes.wire : undefined);
  return {
    ...(isObject(channels)
      ? {
          channels: Object.fromEntries(
            each.map(([name, n]) => [name, typeof n === 'number' ? n : sum(numbers(n), 'good', 'suspect', 'bad')]),
          ),
        }
      : {}),
    ...(typeof exchanges === 'number' ? { exchanges } : isObject(exchanges) ? { exchanges: sum(numbers(exchanges), 'total') } : {}),
    ...(isObject(orders) ? { orders: numbers(orders) } : {}),
    ...(isObject(series) ? { series: numbers(series) } : {}),
    ...(isObject(wire)
      ? {
          wire: Object.fromEntries(
            Object.entries(wire).map(([link, n]) => [link, { in: sum(numbers(n), 'in'), out: sum(numbers(n), 'out') }]),
          ),
        }
      : {}),
  };
}

const sum = (all: Readonly<Record<string, number>>, ...keys: readonly string[]): number => keys.reduce((n, key) => n + (all[key] ?? 0), 0);

/** One sentence for each count that is below what was said. More than was said is no loss: a recorder that began anew counts from there. */
export function fewer(
  found: Required<Omit<Counts, 'series'>>,
  said: Counts,
): readonly { readonly of: string; readonly found: number; readonly said: number }[] {
  const rows = [
    ...Object.entries(said.channels ?? {}).map(([name, n]) => ({ of: `readings of ${name}`, found: found.channels[name] ?? 0, said: n })),
    ...(said.exchanges === undefined ? [] : [{ of: 'exchanges', found: found.exchanges, said: said.exchanges }]),
    ...Object.entries(said.orders ?? {}).map(([outcome, n]) => ({
      of: `orders that ended as ${outcome}`,
      found: found.orders[outcome] ?? 0,
      said: n,
    })),
    ...Object.entries(said.wire ?? {}).flatMap(([link, n]) => [
      { of: `bytes in on ${link}`, found: found.wire[link]?.in ?? 0, said: n.in },
      { of: `bytes out on ${link}`, found: found.wire[link]?.out ?? 0, said: n.out },
    ]),
  ];
  return rows.filter((row) => row.found < row.said);
}

export interface WireTopic {
  readonly link: string;
  readonly direction: 'in' | 'out';
}

/** The link and the direction of a raw topic; undefined where it is none of a link's bytes (`stream` and `hits` of a readout process are none). */
export function wireTopic(series: string, topic: string): WireTopic | undefined {
  for (const { index, 1: direction } of topic.matchAll(/ (in|out)(?= |$)/g)) {
    const link = topic.slice(0, index);
    if (seriesOf(link) === series && (direction === 'in' || direction === 'out')) return { link, direction };
  }
  return undefined;
}

/** The bytes of a link's message without the name that a file has. */
export const wireBytes = (m: McapMessage): Uint8Array => (m.topic.endsWith(NAMED) ? m.bytes.subarray(m.bytes.indexOf(10) + 1) : m.bytes);

/** instrument.channel, and its index where it has one. */
export const channelName = (r: Pick<Reading, 'from' | 'index'>): string => (r.index === undefined ? r.from : `${r.from}[${r.index}]`);
