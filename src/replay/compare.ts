/** What the recording says and what replay makes of it, channel by channel: counted, hashed, and every difference kept. */
import { createHash } from 'node:crypto';
import type { Reading, Trace } from '../reading.ts';
import { LineHash } from './line-hash.ts';
import type { Form, PlainReadings } from './plain-reading.ts';

/** How the readings of one channel, or of one index of it, have changed. Times in microseconds since 1970, values in SI. */
export interface Changed {
  readonly channel: string;
  readonly kind: string;
  /** Readings of the recording, and of these: with another value, quality, uncertainty, reason or time; not made today. */
  readonly readings: number;
  readonly changed: number;
  readonly missing: number;
  /** Made today, and not in the recording. */
  readonly more: number;
  readonly first: number;
  readonly last: number;
  /** Of the size of the change of numbers, where there is one. */
  readonly largest?: number;
  readonly median?: number;
  /** value, quality, sigma, why, t, seq. */
  readonly what: readonly string[];
  readonly example: { readonly t: number; readonly recorded?: Shown; readonly today?: Shown };
}

/** A reading for people and for JSON: of a trace what it is, not its numbers. */
export type Shown = Pick<Reading, 'quality' | 't' | 'seq'> & { readonly value?: unknown; readonly sigma?: unknown; readonly why?: string };

const KEPT = 1 << 20; // sizes of changes kept for a median

export const nameOf = ({ from, index }: Pick<Reading, 'from' | 'index'>): string => (index === undefined ? from : `${from}[${index}]`);

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A trace without its numbers: their hash is in their place. */
function traceShown({ columns, shape, begin, end, settings }: Trace): unknown {
  return {
    columns: Object.entries(columns).map(([name, { unit, data }]) => ({
      name,
      unit,
      type: data.constructor.name,
      length: data.length,
      sha256: sha(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
    })),
    shape,
    begin,
    end,
    settings,
  };
}

/** Numbers of it are lost: what is left is the line that tells of it, with the unit of each column in the column's place. */
const isHollow = ({ columns }: Trace): boolean => Object.values(columns).some((column) => column.data === undefined);

/** The value as it is compared. */
const comparedOf = (r: Reading): unknown => {
  if (r.quality === 'bad') return null;
  if (r.kind !== 'trace') return r.value;
  const trace = r.value as Trace; // its kind says so
  return isHollow(trace) ? trace : traceShown(trace);
};

/** One line: equal exactly where the readings are, to the last bit of every number. */
export const lineOf = (r: Reading): string =>
  JSON.stringify([
    r.from,
    r.index ?? null,
    r.t,
    r.seq,
    r.quality,
    comparedOf(r),
    (r.quality === 'bad' ? undefined : r.sigma) ?? null,
    r.why ?? null,
  ]);

const shownOf = (r: Reading): Shown => {
  const { quality, t, seq, why } = r;
  const value = comparedOf(r);
  const sigma = r.quality === 'bad' ? undefined : r.sigma;
  return {
    quality,
    t,
    seq,
    ...(value === null ? {} : { value }),
    ...(sigma === undefined ? {} : { sigma }),
    ...(why === undefined ? {} : { why }),
  };
};

/** The account of one channel, or of one index of it. */
export interface Tally {
  kind: string;
  readings: number;
  changed: number;
  missing: number;
  more: number;
  first: number;
  last: number;
  readonly sizes: number[];
  largest: number;
  readonly what: Set<string>;
  example?: Changed['example'];
}

export class Comparison {
  readonly #channels = new Map<string, Tally>();
  readonly #recorded = new LineHash();
  #today: LineHash | undefined; // from the first difference on
  readings = 0;
  identical = 0;
  changed = 0;
  missing = 0;
  more = 0;

  tally(r: Pick<Reading, 'from' | 'index' | 'kind'>): Tally {
    const name = nameOf(r);
    let tally = this.#channels.get(name);
    if (!tally) {
      tally = {
        kind: r.kind,
        readings: 0,
        changed: 0,
        missing: 0,
        more: 0,
        first: Number.POSITIVE_INFINITY,
        last: Number.NEGATIVE_INFINITY,
        sizes: [],
        largest: Number.NaN,
        what: new Set(),
      };
      this.#channels.set(name, tally);
    }
    return tally;
  }

  #hash(recorded: string | undefined, today: string | undefined): void {
    if (recorded !== today) this.#today ??= this.#recorded.copy();
    if (recorded !== undefined) this.#recorded.add(recorded);
    if (today !== undefined) this.#today?.add(today);
  }

  #differ(tally: Tally, t: number, recorded: Reading | undefined, today: Reading | undefined): void {
    tally.first = Math.min(tally.first, t);
    tally.last = Math.max(tally.last, t);
    tally.example ??= {
      t,
      ...(recorded ? { recorded: shownOf(recorded) } : {}),
      ...(today ? { today: shownOf(today) } : {}),
    };
  }

  /** A plain reading that is the same to the last bit; false where it must be compared as any other. */
  same(tally: Tally, form: Form, plain: PlainReadings): boolean {
    if (!plain.line(this.#recorded, form)) return false;
    if (this.#today) plain.line(this.#today, form);
    tally.readings++;
    this.readings++;
    this.identical++;
    return true;
  }

  /** True where they are the same to the last bit. */
  pair(recorded: Reading, today: Reading): boolean {
    const tally = this.tally(recorded);
    tally.readings++;
    this.readings++;
    const [was, is] = [lineOf(recorded), lineOf(today)];
    this.#hash(was, is);
    if (was === is) {
      this.identical++;
      return true;
    }
    this.changed++;
    tally.changed++;
    for (const what of differences(recorded, today)) tally.what.add(what);
    this.#differ(tally, recorded.t, recorded, today);
    const size = sizeOf(recorded, today);
    if (size !== undefined && tally.sizes.length < KEPT) tally.sizes.push(size);
    if (size !== undefined && !(tally.largest >= size)) tally.largest = size;
    return false;
  }

  /** In the recording, and not made today. */
  absent(recorded: Reading): void {
    const tally = this.tally(recorded);
    tally.readings++;
    tally.missing++;
    this.readings++;
    this.missing++;
    this.#hash(lineOf(recorded), undefined);
    this.#differ(tally, recorded.t, recorded, undefined);
  }

  /** Made today, and not in the recording. */
  extra(today: Reading): void {
    const tally = this.tally(today);
    tally.more++;
    this.more++;
    this.#hash(undefined, lineOf(today));
    this.#differ(tally, today.t, undefined, today);
  }

  /** A reading that replay takes as it is: the host's own word that there is no value. */
  taken(recorded: Reading): void {
    const line = lineOf(recorded);
    this.#hash(line, line);
  }

  hashes(): { readonly recorded: string; readonly today: string } {
    const recorded = this.#recorded.digest();
    return { recorded, today: this.#today?.digest() ?? recorded };
  }

  changes(): readonly Changed[] {
    return [...this.#channels]
      .filter(([, c]) => c.changed + c.missing + c.more > 0)
      .map(([channel, c]) => {
        const { kind, readings, changed, missing, more, first, last, sizes, largest, what, example } = c;
        const median = sizes.length === 0 ? undefined : middle(sizes);
        return {
          channel,
          kind,
          readings,
          changed,
          missing,
          more,
          first,
          last,
          ...(median === undefined ? {} : { largest, median }),
          what: [...what],
          example: example ?? { t: first },
        };
      });
  }
}

function middle(sizes: readonly number[]): number {
  const sorted = [...sizes].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** The size of the change of a number; of a trace, the largest of its numbers. */
function sizeOf(a: Reading, b: Reading): number | undefined {
  if (a.quality === 'bad' || b.quality === 'bad') return undefined;
  if (typeof a.value === 'number' && typeof b.value === 'number') return Math.abs(b.value - a.value);
  if (a.kind !== 'trace' || b.kind !== 'trace') return undefined;
  let largest: number | undefined;
  const others = (b.value as Trace).columns; // its kind says so
  for (const [name, { data }] of Object.entries((a.value as Trace).columns)) {
    const other = others[name]?.data;
    if (other?.length !== data.length) continue;
    for (let i = 0; i < data.length; i++) largest = Math.max(largest ?? 0, Math.abs(data[i] - other[i]));
  }
  return largest;
}

function differences(a: Reading, b: Reading): readonly string[] {
  const [was, is] = [shownOf(a), shownOf(b)];
  const keys = ['value', 'quality', 'sigma', 'why', 't', 'seq'] as const;
  return keys.filter((key) => JSON.stringify(was[key]) !== JSON.stringify(is[key]));
}
