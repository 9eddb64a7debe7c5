/** From readings to frames: one new reading of all that a loop looks at, judged. A frame is one step of the loop. */
import { type FeedbackSource, type FeedbackSpec, sourceName } from './feedback-spec.ts';
import { type Reading, total } from './reading.ts';
import { show, type Unit } from './units.ts';

export type Frame = { readonly t: number; readonly mono: number } & (
  | { readonly value: number; readonly sigma: number; readonly why?: undefined }
  /** The quantity is lost: nothing may be ordered by it. */
  | { readonly why: string; readonly jumped: boolean }
);

export interface Frames {
  /** Readings of everything come by here; `now` in microseconds since 1970. True where it is one that the loop looks at. */
  see(reading: Reading, now: number): boolean;
  /** The frame that has become whole since it was asked last. */
  take(mono: number): Frame | undefined;
  readonly last: Frame | undefined;
  /** Seconds from one frame to the next, as learnt; undefined before three. */
  readonly interval: number | undefined;
  /** What is missing of the next frame, for people. */
  readonly missing: string;
  /** The factors of the last frame are right from now on. */
  restart(): void;
}

const LEARNT = 8; // gaps between frames
const LEAST = 2; // gaps
const MEMORY = 10; // frames, of a factor's running mean

/** Without an index the last one counts: a file may hold several spectra. */
const same = (one: FeedbackSource, r: Reading): boolean => one.of === r.from && (one.index === undefined || one.index === r.index);

export function frames(spec: Pick<FeedbackSpec, 'holds' | 'factor' | 'unit' | 'limits' | 'lost'>): Frames {
  const sources = [...spec.holds, ...spec.factor];
  const pending = new Map<FeedbackSource, Reading>();
  const means = new Map<FeedbackSource, { mean: number; n: number }>();
  const gaps: number[] = [];
  let lastFactors: ReadonlyMap<FeedbackSource, number> = new Map();
  let last: Frame | undefined;
  let old: string | undefined;

  const jump = (factors: ReadonlyMap<FeedbackSource, number>): string | undefined => {
    const { jump: most = Number.POSITIVE_INFINITY } = spec.limits;
    for (const [one, value] of factors) {
      const known = means.get(one);
      if (!known || Math.abs(value - known.mean) <= most * Math.abs(known.mean)) continue;
      return `${sourceName(one)} has jumped from ${show(known.mean, '1')} to ${show(value, '1')}, by more than ${show(100 * most, '1')} %`;
    }
    return undefined;
  };
  const remember = (factors: ReadonlyMap<FeedbackSource, number>): void => {
    for (const [one, value] of factors) {
      const known = means.get(one) ?? { mean: value, n: 0 };
      known.n = Math.min(known.n + 1, MEMORY);
      known.mean += (value - known.mean) / known.n;
      means.set(one, known);
    }
  };

  const judged = (read: ReadonlyMap<FeedbackSource, Reading>, t: number, mono: number): Frame => {
    const held = combined(spec.holds, read, spec.limits, spec.unit);
    if (typeof held === 'string') return { t, mono, why: held, jumped: false };
    const factors = numbers(spec.factor, read);
    if (typeof factors === 'string') return { t, mono, why: factors, jumped: false };
    lastFactors = factors;
    const jumped = jump(factors);
    if (jumped !== undefined) return { t, mono, why: jumped, jumped: true };
    remember(factors);
    return { t, mono, ...held };
  };

  return {
    see(reading, now) {
      const source = sources.find((one) => same(one, reading));
      if (!source) return false;
      const age = (now - reading.t) / 1e6;
      if (Math.abs(age) > spec.lost.stale)
        old = `the last one of ${sourceName(source)} was ${age.toFixed(1)} s old when it came`; // it says nothing about now
      else pending.set(source, reading);
      return true;
    },
    take(mono) {
      if (pending.size < sources.length) return undefined;
      const read = new Map(pending);
      pending.clear();
      const t = Math.max(...spec.holds.map((one) => read.get(one)?.t ?? Number.NaN));
      if (last && !(t > last.t)) return undefined; // the same once more
      const gap = last ? mono - last.mono : Number.POSITIVE_INFINITY;
      if (gap <= spec.lost.stale) gaps.push(gap);
      if (gaps.length > LEARNT) gaps.shift();
      old = undefined;
      last = judged(read, t, mono);
      return last;
    },
    get last() {
      return last;
    },
    get interval() {
      return gaps.length < LEAST ? undefined : [...gaps].sort((a, b) => a - b)[gaps.length >> 1];
    },
    get missing() {
      const names = sources.filter((one) => !pending.has(one)).map(sourceName);
      return `no reading of ${names.join(', ')}${old === undefined ? '' : ` (${old})`}`;
    },
    restart() {
      means.clear();
      remember(lastFactors);
    },
  };
}

/** The numbers of good readings, or why there are none. */
function numbers(of: readonly FeedbackSource[], read: ReadonlyMap<FeedbackSource, Reading>): Map<FeedbackSource, number> | string {
  const values = new Map<FeedbackSource, number>();
  for (const one of of) {
    const r = read.get(one);
    const name = sourceName(one);
    if (!r) return `no reading of ${name}`;
    if (r.quality === 'bad') return `${name}: ${r.why}`;
    if (r.quality === 'suspect') return `${name} is suspect: ${r.why ?? ''}`;
    if (typeof r.value !== 'number' || !Number.isFinite(r.value)) return `${name} is no number`;
    values.set(one, r.value);
  }
  return values;
}

/** Mean of all, each with the weight 1/sigma^2; equal weights where one has no bar. */
function combined(
  holds: readonly FeedbackSource[],
  read: ReadonlyMap<FeedbackSource, Reading>,
  limits: FeedbackSpec['limits'],
  unit: Unit,
): { readonly value: number; readonly sigma: number } | string {
  const values = numbers(holds, read);
  if (typeof values === 'string') return values;
  const all = [...values].map(([one, value]) => {
    const r = read.get(one);
    return { name: sourceName(one), value, sigma: r && r.quality !== 'bad' ? total(r.sigma) : 0 };
  });
  if (limits.sigma !== undefined) {
    for (const { name, sigma } of all) {
      if (sigma > 0 && sigma <= limits.sigma) continue;
      if (sigma === 0) return `${name} comes without an error bar`;
      return `${name}: its error bar of ${show(sigma, unit)} is above ${show(limits.sigma, unit)}`;
    }
  }
  const sorted = [...all].sort((a, b) => a.value - b.value);
  const [low, high] = [sorted[0], sorted.at(-1)];
  if (limits.difference !== undefined && low && high && !(high.value - low.value <= limits.difference))
    return `${high.name} and ${low.name} differ by ${show(high.value - low.value, unit)}, more than ${show(limits.difference, unit)}`;
  const weighted = all.every(({ sigma }) => sigma > 0);
  let sum = 0;
  let weights = 0;
  for (const { value, sigma } of all) {
    const weight = weighted ? 1 / sigma ** 2 : 1;
    sum += weight * value;
    weights += weight;
  }
  return { value: sum / weights, sigma: weighted ? 1 / Math.sqrt(weights) : 0 };
}
