/** Series of readings of recorded answers beside those of a simulator's answers to the same questions, and whether they are one physics. */
import { type Reading, type Trace, total } from '../reading.ts';
import type { Example } from './against-findings.ts';
import type { Form } from './against-form.ts';
import { nameOf } from './compare.ts';
import type { Nature } from './player-body.ts';

/** How one channel, or one index of it, came out. Values in SI. */
export interface Channel {
  readonly channel: string;
  readonly kind: string;
  readonly pairs: number;
  /** Pairs that differ by more than is allowed; of flags and states: that are not equal. */
  readonly outside: number;
  readonly largest?: number;
  readonly median?: number;
  /** The simulator's values less the recorded ones, on average, where noise hides it in each pair but not in all of them together. */
  readonly shift?: number;
  /** Not more than one in twenty of its pairs is outside, and there is no shift. */
  readonly same: boolean;
  /** The first pair outside. */
  readonly first?: Example & { readonly was: unknown; readonly is: unknown };
  /** A driver that gives a value for one answer and none for the other, in its words. */
  readonly refused?: { readonly count: number; readonly then?: string; readonly now?: string; readonly first: Example };
  /** Given for one of the two only. */
  readonly alone: number;
}

/** The numbers of both replies, by which the step of a number's last digit is known in the channel's unit. */
export interface Leaves {
  readonly then: readonly number[];
  readonly now: readonly number[];
  readonly steps: readonly number[];
}

const BLOCK = 1024; // pairs that are judged together, with the scatter of their own time
const MOST_LEAVES = 64; // numbers of an answer among which that of a channel is looked for
const TRACES = 8; // of a stream, kept to be paired
const SIGMAS = 4;
const FRACTION = 0.05;
const LEAST = 4; // pairs by which a counter is known
const PARTS = 8;
const SURE = 8; // errors of a mean of eight parts: as improbable as 4 sigma (Student's t, 7 degrees of freedom)
const KEPT = 1 << 16; // sizes kept for a median

const NO_NUMBERS = { leaves: [], steps: [] };

interface Pair {
  readonly a: number;
  readonly b: number;
  /** Of both readings, squared. */
  readonly square: number;
  readonly example: Example;
  readonly leaves?: Leaves;
}

class Series {
  readonly kind: string;
  readonly #nature: Nature | undefined;
  readonly #tolerance: number;
  readonly #block: Pair[] = [];
  readonly #sizes: number[] = [];
  #largest = 0;
  #shift: number | undefined;
  pairs = 0;
  outside = 0;
  readings = 0;
  alone = 0;
  first: Channel['first'];
  refused: { count: number; then?: string; now?: string; first: Example } | undefined;

  constructor(kind: string, tolerance: number, nature: Nature | undefined) {
    this.kind = kind;
    this.#nature = nature;
    this.#tolerance = tolerance;
  }

  number(pair: Pair): void {
    this.pairs++;
    if (this.#nature === 'chance') return;
    this.#block.push(pair);
    if (this.#block.length >= BLOCK) this.#judge();
  }

  equal(same: boolean, was: unknown, is: unknown, example: Example): void {
    this.pairs++;
    if (same || this.#nature === 'chance') return;
    this.outside++;
    this.first ??= { ...example, was, is };
  }

  #judge(): void {
    const raw = this.#block.splice(0);
    if (raw.length === 0) return;
    const block = this.#nature === 'count' ? countedOf(raw) : isCounter(this.kind, raw) ? growthOf(raw) : raw;
    const scatter = scatterOf(block.map(({ a }) => a)) ** 2 + scatterOf(block.map(({ b }) => b)) ** 2;
    const step = stepOf(raw);
    block.forEach(({ a, b, square, example }, i) => {
      const size = Math.abs(a - b);
      this.#largest = Math.max(this.#largest, size);
      if (this.#sizes.length < KEPT) this.#sizes.push(size);
      const allowed = SIGMAS * Math.sqrt(square + scatter) + this.#tolerance * Math.max(Math.abs(a), Math.abs(b)) + step;
      const most = allowed * (1 + 1e-9); // decimals are not binary
      if (size <= most) return;
      // Where a value jumps, the two may see it a reading apart.
      const [before, after] = [block[i - 1]?.a ?? a, block[i + 1]?.a ?? a];
      if (b >= Math.min(a, before, after) - most && b <= Math.max(a, before, after) + most) return;
      this.outside++;
      this.first ??= { ...example, was: raw[i].a, is: raw[i].b };
    });
    const shift = shiftOf(block, this.#tolerance, step);
    if (shift === undefined || Math.abs(shift) <= Math.abs(this.#shift ?? 0)) return;
    this.#shift = shift;
    this.first ??= { ...raw[0].example, was: raw[0].a, is: raw[0].b };
  }

  result(channel: string): Channel {
    this.#judge();
    const sizes = this.#sizes.sort((x, y) => x - y);
    const { kind, pairs, outside, first, alone } = this;
    return {
      channel,
      kind,
      pairs,
      outside,
      ...(sizes.length === 0 ? {} : { largest: this.#largest, median: sizes[sizes.length >> 1] }),
      ...(this.#shift === undefined ? {} : { shift: this.#shift }),
      same: outside <= FRACTION * pairs && this.#shift === undefined,
      ...(first ? { first } : {}),
      // At the edge of a state the two may come a reading apart.
      ...(this.refused && this.refused.count > FRACTION * this.readings ? { refused: this.refused } : {}),
      alone,
    };
  }
}

/** Both count up from some beginning of their own: frames, or seconds since power came on. */
function isCounter(kind: string, block: readonly Pair[]): boolean {
  if ((kind !== '1' && kind !== 's') || block.length < LEAST) return false;
  return (['a', 'b'] as const).every((side) => {
    const steps = block.slice(1).map((pair, i) => pair[side] - block[i][side]);
    return steps.every((step) => step >= 0) && 2 * steps.filter((step) => step > 0).length >= steps.length;
  });
}
/** Where they began is no physics. */
const growthOf = (block: readonly Pair[]): readonly Pair[] =>
  block.map((pair) => ({ ...pair, a: pair.a - block[0].a, b: pair.b - block[0].b }));

/** Counts of what comes by chance: how many more since the first pair, also over a beginning anew. The variance of each is the count itself. */
function countedOf(block: readonly Pair[]): readonly Pair[] {
  const grown = { a: 0, b: 0 };
  return block.map((pair, i) => {
    for (const side of ['a', 'b'] as const) {
      const before = i === 0 ? pair[side] : block[i - 1][side];
      grown[side] += pair[side] >= before ? pair[side] - before : pair[side];
    }
    return { ...pair, ...grown, square: grown.a + grown.b };
  });
}

/** One reading's standard deviation by successive differences, which a ramp hardly changes and a jump not at all. */
export function scatterOf(values: readonly number[]): number {
  if (values.length < 3) return 0;
  const sizes = values.slice(1).map((v, i) => Math.abs(v - values[i]));
  sizes.sort((a, b) => a - b);
  const at = (part: number): number => sizes[Math.min(sizes.length - 1, Math.floor(part * sizes.length))];
  // Of normal noise both are the same; of counts and of coarse steps half the differences may be nothing.
  return Math.max(at(0.5) / 0.6745, at(0.75) / 1.1503) / Math.SQRT2;
}

/** The average difference, where it is more than is allowed; from the averages of parts, so that slow drifts count as noise. */
function shiftOf(block: readonly Pair[], tolerance: number, step: number): number | undefined {
  const size = Math.floor(block.length / PARTS);
  if (size < 2) return undefined;
  const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;
  const parts = Array.from({ length: PARTS }, (_, i) => mean(block.slice(i * size, (i + 1) * size).map(({ a, b }) => b - a)));
  const shift = mean(parts);
  const error = Math.sqrt(parts.reduce((sum, v) => sum + (v - shift) ** 2, 0) / (PARTS - 1) / PARTS);
  const large = mean(block.map(({ a, b }) => Math.max(Math.abs(a), Math.abs(b))));
  const own = SIGMAS * Math.sqrt(mean(block.map(({ square }) => square)));
  return Math.abs(shift) > SURE * error + own + tolerance * large + step ? shift : undefined;
}

/** What one step of the reply's number is in the channel: of that number on which the channel depends in a straight line. */
function stepOf(block: readonly Pair[]): number {
  const points = block.flatMap(({ a, b, leaves }) =>
    leaves
      ? [
          { v: a, n: leaves.then },
          { v: b, n: leaves.now },
        ]
      : [],
  );
  const steps = block[0]?.leaves?.steps;
  if (!steps || points.length !== 2 * block.length || points.some(({ n }) => n.length !== steps.length)) return 0;
  const found = steps.flatMap((step, i) => {
    const [low, high] = points.reduce(([l, h], p) => [p.n[i] < l.n[i] ? p : l, p.n[i] > h.n[i] ? p : h], [points[0], points[0]]);
    if (step === 0 || !(high.n[i] > low.n[i])) return [];
    const slope = (high.v - low.v) / (high.n[i] - low.n[i]);
    if (slope === 0) return [];
    const worst = Math.max(...points.map(({ v, n }) => Math.abs(v - low.v - slope * (n[i] - low.n[i]))));
    return worst <= 0.01 * Math.abs(slope) * step ? [Math.abs(slope) * step] : [];
  });
  return found.length === 0 ? 0 : Math.min(...found);
}

/** One channel, paired by time. */
interface Stream {
  readonly then: Heard[];
  readonly now: Heard[];
  /** Recorded ones without a partner. */
  unmet: number;
}

/** Where both answers have as many numbers. */
export function leavesOf(then: Pick<Form, 'leaves' | 'steps'>, now: Pick<Form, 'leaves' | 'steps'>): Leaves | undefined {
  if (then.leaves.length !== now.leaves.length || then.leaves.length > MOST_LEAVES) return undefined;
  return { then: then.leaves, now: now.leaves, steps: then.steps.map((step, i) => Math.max(step, now.steps[i])) };
}

interface Heard {
  readonly t: number;
  readonly reading: Reading;
  /** The numbers of its message, and their steps. */
  readonly leaves: readonly number[];
  readonly steps: readonly number[];
}

export class Values {
  readonly #tolerance: number;
  readonly #natureOf: (from: string) => Nature | undefined;
  readonly #series = new Map<string, Series>();
  readonly #streams = new Map<string, Stream>();

  /** `natureOf`: what is known of a channel that chance has a part in. */
  constructor(tolerance: number, natureOf: (from: string) => Nature | undefined = () => undefined) {
    this.#tolerance = tolerance;
    this.#natureOf = natureOf;
  }

  #of(channel: string, kind: string, from?: string): Series {
    let series = this.#series.get(channel);
    if (!series) {
      series = new Series(kind, this.#tolerance, from === undefined ? undefined : this.#natureOf(from));
      this.#series.set(channel, series);
    }
    return series;
  }

  /** What the driver made of one exchange, and of the simulator's answer to it. `odd`: an answer of another form, which is named already. */
  exchange(then: readonly Reading[], now: readonly Reading[], example: Example, odd: boolean, leaves?: Leaves): void {
    const left = new Map<string, Reading[]>();
    for (const r of now) left.set(nameOf(r), [...(left.get(nameOf(r)) ?? []), r]);
    for (const r of then) {
      const other = left.get(nameOf(r))?.shift();
      if (other) this.#pair(r, other, example, odd, leaves);
      else this.#apart('then', r);
    }
    for (const rest of left.values()) for (const r of rest) this.#apart('now', r);
  }

  /** One that only one answer gave: an instrument that is asked whether it has something may have it a question later. */
  #apart(which: 'then' | 'now', r: Reading): void {
    if (r.quality !== 'bad' && Number.isFinite(r.t)) this.stream(which, r, NO_NUMBERS);
    else this.#of(nameOf(r), r.kind, r.from).alone++;
  }

  #pair(then: Reading, now: Reading, example: Example, odd: boolean, leaves?: Leaves): void {
    const name = nameOf(then);
    const series = this.#of(name, then.kind, then.from);
    series.readings++;
    const [a, b] = [numberOf(then), numberOf(now)];
    const square = (then.quality === 'bad' ? 0 : total(then.sigma) ** 2) + (now.quality === 'bad' ? 0 : total(now.sigma) ** 2);
    if (a !== undefined && b !== undefined) {
      series.number({ a, b, square, example, ...(leaves ? { leaves } : {}) });
      return;
    }
    if (then.quality === 'bad' || now.quality === 'bad') {
      const [was, is] = [whyOf(then), whyOf(now)];
      if (plain(was) === plain(is) || odd) return;
      series.refused ??= { count: 0, then: was, now: is, first: example };
      series.refused.count++;
      return;
    }
    const [was, is]: readonly unknown[] = [then.value, now.value];
    if (then.kind === 'trace')
      this.#traces(name, was as Trace, is as Trace, example); // its kind says so
    else series.equal(was === is, was, is, example);
  }

  /** Traces by the mean and the spread of each of their columns. */
  #traces(name: string, then: Trace, now: Trace, example: Example): void {
    const shape = (trace: Trace): string =>
      Object.entries(trace.columns)
        .map(([column, { unit, data }]) => `${column} (${unit}), ${data.length} numbers`)
        .join('; ');
    const [was, is] = [shape(then), shape(now)];
    this.#of(name, 'trace').equal(was === is, was, is, example);
    if (was !== is) return;
    for (const [column, { unit, data }] of Object.entries(then.columns)) {
      const [a, b] = [momentsOf(data), momentsOf(now.columns[column].data)];
      for (const of of ['mean', 'spread'] as const)
        this.#of(`${name}.${column} (${of})`, unit).number({ a: a[of], b: b[of], square: a.square[of] + b.square[of], example });
    }
  }

  /** What came by itself: paired by time. */
  stream(which: 'then' | 'now', reading: Reading, { leaves, steps }: Pick<Form, 'leaves' | 'steps'>): void {
    const name = nameOf(reading);
    let stream = this.#streams.get(name);
    if (!stream) {
      stream = { then: [], now: [], unmet: 0 };
      this.#streams.set(name, stream);
    }
    stream[which].push({ t: reading.t, reading, leaves, steps });
    const most = reading.kind === 'trace' ? TRACES : BLOCK;
    if (stream.then.length > most && stream.now.length > most) this.#meet(stream, false);
    // One side alone: it is not kept for ever.
    if (stream.then.length > 4 * most) stream.unmet += stream.then.splice(0, most).length;
    if (stream.now.length > 4 * most) stream.now.splice(0, most);
  }

  #meet(stream: Stream, last: boolean): void {
    const { then, now } = stream;
    then.sort((a, b) => a.t - b.t);
    now.sort((a, b) => a.t - b.t);
    const interval = Math.max(intervalOf(then), intervalOf(now));
    const until = last ? Number.POSITIVE_INFINITY : Math.min(then.at(-1)?.t ?? 0, now.at(-1)?.t ?? 0) - interval;
    let at = 0;
    let done = 0;
    for (const { t, reading, leaves, steps } of then) {
      if (t > until) break;
      done++;
      while (at + 1 < now.length && Math.abs(now[at + 1].t - t) <= Math.abs(now[at].t - t)) at++;
      const near = now[at];
      if (near === undefined || Math.abs(near.t - t) > interval) {
        stream.unmet++;
        continue;
      }
      this.#pair(reading, near.reading, { t }, false, leavesOf({ leaves, steps }, near));
    }
    then.splice(0, done);
    now.splice(0, Math.max(0, at));
  }

  /** Every channel, and recorded readings that have none of the simulator's near their time. */
  channels(): { readonly channels: readonly Channel[]; readonly unmet: readonly { channel: string; count: number }[] } {
    for (const stream of this.#streams.values()) this.#meet(stream, true);
    return {
      channels: [...this.#series].map(([name, series]) => series.result(name)),
      unmet: [...this.#streams].flatMap(([channel, { unmet }]) => (unmet > 0 ? [{ channel, count: unmet }] : [])),
    };
  }
}

/** Also of a number that giving.ts holds for impossible: it says which it was. */
function numberOf(r: Reading): number | undefined {
  if (r.quality !== 'bad') return typeof r.value === 'number' ? r.value : undefined;
  const said = /^(\S+) is outside of what is possible/.exec(r.why)?.[1];
  return said === undefined ? undefined : Number(said);
}
const whyOf = (r: Reading): string | undefined => (r.quality === 'bad' ? r.why : undefined);
/** Numbers in a reason are those of its moment. */
const plain = (why: string | undefined): string | undefined => why?.replace(/[\d.+-]+/g, '#');

function intervalOf(heard: readonly Heard[]): number {
  const steps = heard.slice(1).map(({ t }, i) => t - heard[i].t);
  steps.sort((a, b) => a - b);
  return steps[steps.length >> 1] ?? 1e6;
}

interface Moments {
  readonly mean: number;
  readonly spread: number;
}

/** With the squares of what is known of them from so many numbers. */
function momentsOf(data: ArrayLike<number>): Moments & { readonly square: Moments } {
  let sum = 0;
  let square = 0;
  let n = 0;
  for (let i = 0; i < data.length; i++)
    if (Number.isFinite(data[i])) {
      n++;
      sum += data[i];
    }
  const mean = sum / Math.max(1, n);
  for (let i = 0; i < data.length; i++) if (Number.isFinite(data[i])) square += (data[i] - mean) ** 2;
  const variance = square / Math.max(1, n);
  return { mean, spread: Math.sqrt(variance), square: { mean: variance / Math.max(1, n), spread: variance / Math.max(1, 2 * n) } };
}
