/** What a detector file says, as readings of its instrument: per channel counts, rate, charges and pulse shape, and what is wrong with it. */
import { bad, type Kinds, type Measured, type Trace, type Values } from '../reading.ts';
import type { HitOrderCounts } from './hit-order.ts';
import { type ChannelStatistics, type ChargeHistogram, type HitStatistics, spanned } from './hit-statistics.ts';
import type { SourceCounts } from './hits.ts';

/** Lists are by channel number; a file says nothing of channels that it does not hold. */
export const HIT_CHANNELS = {
  events: '1',
  rate: '1/s',
  charge: '1',
  psd: '1',
  spectrum: 'trace',
  cut_off: '1',
  backward_steps: '1',
} as const satisfies Kinds;
export type HitValues = Values<typeof HIT_CHANNELS>;

export const noHits = (why: string): HitValues =>
  Object.fromEntries(Object.keys(HIT_CHANNELS).map((name) => [name, bad(why)])) as HitValues; // of exactly these names

/**
 * `name` is the file's, `end` when it came (microseconds since 1970). Charges are in the counts of the board, the uncertainties those of the
 * means; rates are over the time from the first to the last hit of the file. Where something of the file is missing they are suspect, and
 * so is a mean charge of which some are saturated or cut.
 */
export function hitValues(name: string, end: number, source: SourceCounts, order: HitOrderCounts, hits: HitStatistics): HitValues {
  const all = hits.channels;
  if (all.size === 0) return noHits(`${name} has no whole event in its ${source.bytes} bytes`);
  const channels = [...all.values()];
  const seconds = spanned(channels) / 1e9;
  const why = [
    ...(source.cutOff > 0 ? [`the last ${source.cutOff} bytes are of an event that is cut off`] : []),
    ...(source.junk > 0 ? [`${source.junk} bytes belong to no event`] : []),
    ...(source.missing > 0 ? [`${source.missing} event numbers were not written`] : []),
    ...(order.late > 0 ? [`${order.late} events are far out of order`] : []),
  ].join('; ');
  const whole = { quality: 'good' } as const;
  const quality = why === '' ? whole : ({ quality: 'suspect', why: `${name}: ${why}` } as const);
  const each = <T>(of: (c: ChannelStatistics, channel: number) => T): T[] => {
    const list: T[] = [];
    for (const [channel, c] of all) list[channel] = of(c, channel);
    return list;
  };
  const mean = ({ count, mean: value, sd }: { count: number; mean: number; sd: number }, what: string, channel: number): Measured<'1'> =>
    count === 0
      ? bad(`${name}: no event of channel ${channel} has a ${what}`)
      : { ...quality, value, ...(count > 1 ? { sigma: { random: sd / Math.sqrt(count) } } : {}) };
  const charge = (c: ChannelStatistics, channel: number): Measured<'1'> => {
    const one = mean(c.charge, 'charge', channel);
    if (one.quality === 'bad' || c.saturated + c.cut === 0) return one;
    const parts = [
      ...(c.saturated > 0 ? [`${c.saturated} of ${c.events} events are saturated`] : []),
      ...(c.cut > 0 ? [`${c.cut} of ${c.events} have a gate that leaves the record`] : []),
    ];
    return { ...one, quality: 'suspect', why: `${name}: ${[...(why === '' ? [] : [why]), ...parts].join('; ')}` };
  };
  return {
    events: each((c): Measured<'1'> => ({ ...quality, value: c.events })),
    rate: each(
      (c): Measured<'1/s'> =>
        seconds > 0
          ? { ...quality, value: c.events / seconds, sigma: { random: Math.sqrt(c.events) / seconds } }
          : bad(`${name} has events at one time only, and so no rate`),
    ),
    charge: each(charge),
    psd: each((c, channel) => mean(c.psd, 'pulse shape', channel)),
    spectrum: each(
      (c, channel): Measured<'trace'> => ({ ...quality, value: spectrum(name, channel, end, seconds, hits.histogram(channel), c) }),
    ),
    cut_off: { ...whole, value: source.cutOff },
    backward_steps: { ...whole, value: order.backwardSteps },
  };
}

/** Events per bin of charge; a bin is named by its middle. Bins above the last that holds one are left out. */
function spectrum(
  file: string,
  channel: number,
  end: number,
  seconds: number,
  of: ChargeHistogram | undefined,
  c: ChannelStatistics,
): Trace {
  const counts = of?.counts ?? new Float64Array(0);
  const n = counts.findLastIndex((k) => k > 0) + 1;
  const [from, width] = [of?.from ?? 0, of?.width ?? 1];
  return {
    columns: {
      charge: { unit: '1', data: Float64Array.from({ length: n }, (_, i) => from + (i + 0.5) * width) },
      counts: { unit: '1', data: counts.slice(0, n) },
    },
    shape: [n],
    begin: end - seconds * 1e6,
    end,
    settings: { file, channel, bin: width, events: c.events, empty: c.empty, shapeless: c.shapeless, saturated: c.saturated, cut: c.cut },
  };
}
