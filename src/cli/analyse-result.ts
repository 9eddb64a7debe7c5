/** What `bridgman analyse` says of hits, as JSON and as a table. Times in seconds, rates in 1/s, charges in the counts of the board. */
import type { ChannelStatistics, Population, ShapeStatistics } from '../derive/hit-statistics.ts';
import { show } from '../units.ts';
import { columns } from './table.ts';

export interface FileResult {
  readonly file: string;
  readonly bytes: number;
  readonly events: number;
  readonly backward_steps: number;
  readonly largest_backward_step: number;
  readonly cut_off_bytes: number;
  readonly late: number;
  readonly restarts: number;
  readonly missing: number;
  readonly doubled: number;
  readonly damaged: number;
  readonly junk_bytes: number;
  readonly zero_events?: number;
  /** Of a recorded stream: what its readout process had counted by the end. */
  readonly counted?: Readonly<Record<string, number>>;
  readonly samples?: { readonly least: number; readonly most: number };
}

export interface CoincidenceResult {
  readonly channels: readonly string[];
  readonly within: number;
  readonly count: number;
  /** From the rates of the channels: what would be there if they knew nothing of one another. */
  readonly expected_accidentals: number;
}

export interface HitResult {
  readonly file: string | null;
  readonly format: string;
  readonly events: number;
  readonly duration: number;
  readonly backward_steps: number;
  readonly largest_backward_step: number;
  readonly late: number;
  readonly cut_off_bytes: number;
  readonly channels: Readonly<Record<string, object>>;
  readonly coincidences: readonly CoincidenceResult[];
  readonly warnings: readonly string[];
  readonly files: readonly FileResult[];
  readonly settings: Readonly<Record<string, unknown>>;
  readonly [sum: string]: unknown;
}

const seconds = (ns: number): number => ns / 1e9;
const population = ({ count, mean, sd }: Population): object => ({ count, mean, sd });
const shape = (s: ShapeStatistics): object => ({
  ...{ count: s.count, mean: s.mean, sd: s.sd, quantiles: s.quantiles },
  ...(s.below && s.above
    ? {
        below: population(s.below),
        above: population(s.above),
        figure_of_merit: s.figureOfMerit ?? null,
        figure_of_merit_sigma: s.figureOfMeritSigma ?? null,
      }
    : {}),
});

/** The sums of a list-mode file by its gates; of waveforms by charge and tail. */
export function sums(all: readonly ChannelStatistics[], gates: boolean): Readonly<Record<string, number>> {
  const total = (of: (one: ChannelStatistics) => number): number => all.reduce((n, one) => n + of(one), 0);
  return gates
    ? {
        short_gate_sum: total((c) => c.chargeSum - c.tailSum),
        long_gate_sum: total((c) => c.chargeSum),
        short_above_long: total((c) => c.shortAboveLong),
      }
    : { charge_sum: total((c) => c.chargeSum), tail_sum: total((c) => c.tailSum) };
}

/** One channel in the run of `duration` nanoseconds. */
export function channelResult(c: ChannelStatistics, duration: number, gates: boolean): object {
  return {
    events: c.events,
    rate: duration > 0 ? c.events / seconds(duration) : null,
    first: Number.isFinite(c.first) ? seconds(c.first) : null,
    last: Number.isFinite(c.last) ? seconds(c.last) : null,
    ...sums([c], gates),
    charge: { ...population(c.charge), least: c.charge.count > 0 ? c.charge.least : null, most: c.charge.count > 0 ? c.charge.most : null },
    baseline: population(c.baseline),
    psd: shape(c.psd),
    ...{ shapeless: c.shapeless, empty: c.empty, saturated: c.saturated, cut: c.cut, pile_up: c.pileUp },
  };
}

const digits = (value: number, n = 5): string => (Number.isFinite(value) ? String(Number(value.toPrecision(n))) : '-');
const plural = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

/** The same for people, `more` before the warnings. */
export function asText(r: HitResult, channels: ReadonlyMap<string, ChannelStatistics>, gates: boolean, more = ''): string {
  const { duration } = r;
  const name = { abcd: 'ABCD list mode', wavedump: 'WaveDump waveforms', session: 'recorded session' }[r.format] ?? r.format;
  const kind = r.format === 'session' ? 'stream' : 'file';
  const head = columns([
    ['format', name],
    ['events', `${r.events} in ${plural(r.files.length, kind)}`],
    ['time', `${show(duration, 's')} from the first to the last`],
    [
      'order',
      r.backward_steps === 0
        ? 'no backward step'
        : `${plural(r.backward_steps, 'backward step')}, the largest ${show(r.largest_backward_step, 's')}`,
    ],
    ...Object.entries(sums([...channels.values()], gates)).map(([what, sum]) => [what.replaceAll('_', ' '), String(sum)]),
  ]);
  const split = [...channels.values()].some((c) => c.psd.below !== undefined);
  const table = columns([
    [
      ...['CHANNEL', 'events', 'per s', 'charge', 'sd', 'PSD', 'sd', '5 %', 'median', '95 %'],
      ...(split ? ['below', 'above', 'FoM'] : []),
      'without pulse shape',
    ],
    ...[...channels].map(([channel, c]) => [
      ...[channel, String(c.events), duration > 0 ? digits(c.events / duration, 4) : '-', digits(c.charge.mean), digits(c.charge.sd)],
      ...[c.psd.mean, c.psd.sd, c.psd.quantiles.p05, c.psd.quantiles.p50, c.psd.quantiles.p95].map((x) => digits(x, 4)),
      ...(split ? [String(c.psd.below?.count ?? 0), String(c.psd.above?.count ?? 0), digits(c.psd.figureOfMerit ?? Number.NaN, 4)] : []),
      String(c.events - c.psd.count),
    ]),
  ]);
  const pairs =
    r.coincidences.length === 0
      ? ''
      : `\n${columns([
          ['COINCIDENCES', 'within', 'count', 'expected by chance'],
          ...r.coincidences.map((c) => [c.channels.join(' & '), show(c.within, 's'), String(c.count), digits(c.expected_accidentals, 4)]),
        ])}`;
  const files =
    r.files.length === 1
      ? ''
      : `\n${columns([
          [kind.toUpperCase(), 'bytes', 'events', 'backward steps', 'cut off'],
          ...r.files.map((f) => [f.file, String(f.bytes), String(f.events), String(f.backward_steps), plural(f.cut_off_bytes, 'byte')]),
        ])}`;
  const warnings = r.warnings.length === 0 ? '' : `\n${r.warnings.map((w) => `! ${w}\n`).join('')}`;
  return `${head}\n${table}${pairs}${files}${more}${warnings}`;
}
