/** What `inspect` shows beside the counts: how each channel went, and for how long it gave nothing. */
import type { Gap } from '../entry.ts';
import type { Kind } from '../reading.ts';
import { trendRows } from '../recorder/trend-read.ts';
import { show } from '../units.ts';
import type { Account } from './inspect-account.ts';
import { sparkline } from './session-plot.ts';

/** A number channel over the session, from its counts of seconds or minutes. Values in the channel's unit. */
export interface Trend {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** Means of equal stretches from `from` to `to`, microseconds since 1970; null where there was no value. */
  readonly points: readonly (number | null)[];
  readonly from: number;
  readonly to: number;
}

/** All gaps of one channel together. Times in seconds; a gap without an end lasts to the end of the session. */
export interface Missing {
  readonly gaps: number;
  readonly missed: number;
  readonly seconds: number;
  readonly longest: number;
}

export interface Extra {
  readonly trends: Readonly<Record<string, Trend>>;
  readonly missing: Readonly<Record<string, Missing>>;
}

const POINTS = 24;
const SHORT = 3600; // seconds up to which seconds are read, beyond it minutes

/** Of the channels of an account (all or some). */
export async function extra(folder: string, all: Account): Promise<Extra> {
  return { trends: await trendsOf(folder, all), missing: missingOf(all) };
}

async function trendsOf(folder: string, { began, ended, channels }: Account): Promise<Record<string, Trend>> {
  const names = Object.keys(channels).filter((name) => !['flag', 'state', 'trace'].includes(channels[name]?.kind ?? 'state'));
  const times = names.flatMap((name) => [channels[name]?.first ?? Number.NaN, channels[name]?.last ?? Number.NaN]);
  const from = times.reduce((a, t) => Math.min(a, t), began ?? Number.POSITIVE_INFINITY);
  const to = times.reduce((a, t) => Math.max(a, t), ended ?? Number.NEGATIVE_INFINITY) + 1;
  if (names.length === 0 || !(to > from)) return {};
  const seconds = (to - from) / 1e6 <= SHORT ? 1 : 60;
  const count = Math.max(1, Math.min(POINTS, Math.floor((to - from) / 1e6 / seconds))); // a stretch shorter than a row would leave others empty
  const found = new Map(
    names.map((name) => [
      name,
      { n: 0, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY, sum: 0, points: new Map<number, [number, number]>() },
    ]),
  );
  for await (const row of trendRows(folder, seconds)) {
    const at = Math.floor((count * (row.t + (row.seconds * 1e6) / 2 - from)) / (to - from));
    for (const [name, bin] of Object.entries(row.channels)) {
      const one = found.get(name);
      if (!one || bin.n === 0) continue;
      one.n += bin.n;
      one.sum += bin.sum;
      one.min = Math.min(one.min, bin.min);
      one.max = Math.max(one.max, bin.max);
      const k = Math.min(count - 1, Math.max(0, at));
      const [n, sum] = one.points.get(k) ?? [0, 0];
      one.points.set(k, [n + bin.n, sum + bin.sum]);
    }
  }
  return Object.fromEntries(
    [...found].flatMap(([name, { n, min, max, sum, points }]) => {
      if (n === 0) return [];
      const means = Array.from({ length: count }, (_, k) => {
        const [count, total] = points.get(k) ?? [0, 0];
        return count === 0 ? null : total / count;
      });
      return [[name, { min, max, mean: Math.min(max, Math.max(min, sum / n)), points: means, from, to }]];
    }),
  );
}

function missingOf({ gaps, ended }: Account): Record<string, Missing> {
  const all = new Map<string, Missing>();
  for (const gap of gaps) {
    const seconds = lasting(gap, ended);
    const { gaps: n, missed, seconds: sum, longest } = all.get(gap.channel) ?? { gaps: 0, missed: 0, seconds: 0, longest: 0 };
    all.set(gap.channel, { gaps: n + 1, missed: missed + gap.missed, seconds: sum + seconds, longest: Math.max(longest, seconds) });
  }
  return Object.fromEntries([...all].sort(([, a], [, b]) => b.seconds - a.seconds));
}

const lasting = ({ from, to }: Gap, ended: number | null): number => Math.max(0, (to ?? ended ?? from) - from) / 1e6;

/** Rows for people: those that changed, and how many did not. */
export function trendLines({ trends }: Extra, kinds: Readonly<Record<string, { readonly kind: Kind }>>): readonly (readonly string[])[] {
  const rows = Object.entries(trends).filter(([, one]) => one.max > one.min);
  const still = Object.keys(trends).length - rows.length;
  const value = (name: string, v: number): string => {
    const kind = kinds[name]?.kind ?? '1';
    return kind === 'flag' || kind === 'state' || kind === 'trace' ? String(v) : show(v, kind);
  };
  return [
    ...rows.map(([name, { min, max, points }]) => [
      name,
      value(name, min),
      'to',
      value(name, max),
      sparkline(points.map((p) => p ?? undefined)),
    ]),
    ...(still === 0 ? [] : [[`${still} ${still === 1 ? 'channel' : 'channels'} without a change`, '', '', '', '']]),
  ];
}

export const missingLines = ({ missing }: Extra): readonly (readonly string[])[] =>
  Object.entries(missing).map(([name, { gaps, missed, seconds, longest }]) => [
    name,
    `${gaps} ${gaps === 1 ? 'gap' : 'gaps'}`,
    `${missed} missed`,
    `${Number(seconds.toFixed(3))} s`,
    gaps > 1 ? `the longest ${Number(longest.toFixed(3))} s` : '',
  ]);
