/** What of an analysed run can be held against another: each number with its error. */
import type { ChainState } from '../derive/detector-chain.ts';
import type { ChannelStatistics } from '../derive/hit-statistics.ts';
import type { Condition } from './analyse-conditions.ts';
import { degrees } from './analyse-events.ts';

export interface Measure {
  readonly quantity: string;
  /** SI without prefix, save degrees, centimetres, microseconds and counts of charge. */
  readonly unit: string;
  readonly value: number;
  readonly sigma: number;
  readonly of: 'error' | 'spread';
  /** Of an angle that goes round: then a difference is the shorter way. */
  readonly turn?: number;
}

const measure = (quantity: string, unit: string, value: number, sigma: number, of: Measure['of'] = 'error'): readonly Measure[] =>
  Number.isFinite(value) && Number.isFinite(sigma) ? [{ quantity, unit, value, sigma, of }] : [];
/** Of no counts at all the error is that of one. */
const rate = (quantity: string, n: number, seconds: number): readonly Measure[] =>
  seconds > 0 ? measure(quantity, '1/s', n / seconds, Math.sqrt(Math.max(1, n)) / seconds) : [];

/** Of hits: their rate, and the mean charge of each channel. `duration` in nanoseconds. */
export function hitMeasures(channels: ReadonlyMap<string, ChannelStatistics>, duration: number): readonly Measure[] {
  const hits = [...channels.values()].reduce((n, c) => n + c.events, 0);
  return [
    ...rate('hits', hits, duration / 1e9),
    ...[...channels].flatMap(
      ([
        name,
        {
          charge: { count, mean, sd },
        },
      ]) => (count > 1 ? measure(`charge ${name}`, '', mean, sd / Math.sqrt(count)) : []),
    ),
  ];
}

/** Of the physics; `prefix` tells several streams of one session apart. */
export function physicsMeasures(s: ChainState, prefix: string): readonly Measure[] {
  const live = s.live / 1e9;
  const { direction: d, capture, light, separation, accidentals, signal } = s;
  const perLive = (name: string, value: number, sigma: number): readonly Measure[] =>
    live > 0 ? measure(name, '1/s', value / live, Math.max(sigma, 1) / live) : [];
  const arrow = 'stated' in d && !('none' in d.stated) ? d.stated : undefined;
  const all = [
    ...rate('muons', s.of.muons, (s.of.run[1] - s.of.run[0]) / 1e9),
    ...rate('prompts', s.of.prompts, live),
    ...rate('delayed', s.of.delayeds, live),
    ...rate('pairs', s.pairs, live),
    ...(s.off.length > 0
      ? [...perLive('accidentals', accidentals.value, accidentals.sigma), ...perLive('signal', signal.value, signal.sigma)]
      : []),
    ...('none' in capture ? [] : measure('capture time', 'us', capture.tau / 1e3, capture.sigma / 1e3)),
    ...('none' in light ? [] : measure('light yield', '', light.value, light.sigma)),
    ...(separation && !('refused' in separation) ? measure('figure of merit', '', separation.merit, separation.meritSigma) : []),
    ...('stated' in d ? AXES.flatMap(([axis, i]) => measure(`displacement ${axis}`, 'cm', d.mean[i], Math.sqrt(d.covariance[i][i]))) : []),
    ...(arrow
      ? [
          ...measure('theta', 'deg', degrees(arrow.theta), degrees(arrow.sigmaTheta)),
          ...measure('phi', 'deg', degrees(arrow.phi), degrees(arrow.sigmaPhi)).map((m) => ({ ...m, turn: 360 })),
        ]
      : []),
  ];
  return prefix === '' ? all : all.map((m) => ({ ...m, quantity: `${prefix} ${m.quantity}` }));
}

const AXES = [
  ['x', 0],
  ['y', 1],
  ['z', 2],
] as const;

/** Numbers only: flags and words stand in the conditions themselves. */
export const conditionMeasures = (all: readonly Condition[]): readonly Measure[] =>
  all.flatMap(({ of, unit, mean, sd }) => measure(of, unit === '1' ? '' : unit, mean, sd, 'spread'));
