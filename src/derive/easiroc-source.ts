/** Hits of a VME- or NIM-EASIROC board: one for each channel whose ADC value stands in an event. */
import { easirocFramer, type GiveEvent } from '../../protocols/easiroc-framer.ts';
import { SCALER_OR, scalerRates } from '../../protocols/easiroc-scalers.ts';
import { channelOf, KIND, kindOf, MOST_WORDS, overRange, type WordForm, wordValue } from '../../protocols/easiroc-words.ts';
import type { Measured } from '../reading.ts';
import { FLAG, type HitSource, type Hits, hits, sourceCounts } from './hits.ts';

const CHANNELS = 64;
/** Nanoseconds that a TDC can count back from the common stop: 12 bits. */
const TDC_SPAN = 4096;
/** Nanoseconds between two events at least: more than the TDC looks back, and less than a board needs for the 64 conversions of one. */
const APART = 8192;

export interface EasirocSourceOptions {
  /** Absent: found out by the first whole event. */
  readonly form?: WordForm;
  /** Channel 0 of this board is `first` of all; several boards have 64 each. */
  readonly first?: number;
  /** both: the high gain, and in its place the low gain times `ratio` where the high gain is over its range or was not sent. */
  readonly gain?: 'high' | 'low' | 'both';
  /** ADC counts without a pulse, for all channels or each of the 64. */
  readonly pedestal?: { readonly high?: number | ArrayLike<number>; readonly low?: number | ArrayLike<number> };
  /** Counts of high gain for one of low gain, for `both`. */
  readonly ratio?: number | ArrayLike<number>;
  /** Charges up to it are no pulse. */
  readonly threshold?: number;
  /** Hits in a block. */
  readonly capacity?: number;
}

const each = (of: number | ArrayLike<number> | undefined, otherwise: number): Float64Array =>
  Float64Array.from({ length: CHANNELS }, (_, ch) => (typeof of === 'number' ? of : (of?.[ch] ?? otherwise)));

/**
 * The charge is the ADC's value less the pedestal, in counts of the gain that is asked for (of high gain for `both`); it is the height of
 * the shaped pulse, and the peak is the same. There is no tail: every hit is shapeless. The board sends no time of the event: it is when its
 * last bytes came, counted from the first bytes of the stream, and at least APART after the one before, so that hits of two events that came
 * at once are never as near as those of one; differences between events mean nothing below the time that the network takes. Where the TDC
 * has a leading edge of the channel (the last one before the common stop), the hit stands as far before the stop, which is TDC_SPAN after the
 * event's time; a hit without one stands at the event's time and is untimed. The frame is the event's number as counted here.
 * Its scalers are rates of their own. `counts.junk` holds bytes without an event and words without a header; words that never came make their event `damaged`.
 */
export function easirocSource(options: EasirocSourceOptions = {}): HitSource {
  const { form, first = 0, gain = 'high', threshold = 0, capacity = 4096 } = options;
  const high = each(options.pedestal?.high, 0);
  const low = each(options.pedestal?.low, 0);
  const ratio = each(options.ratio, 1);
  const framer = easirocFramer(form ?? 'either');
  const counts = sourceCounts();
  const scalers = scalerRates();
  // An event has 4095 words at most.
  const block = hits(Math.max(capacity, MOST_WORDS));
  // The place of each channel's hit in this event, by the number of the event that wrote it.
  const place = new Int32Array(CHANNELS);
  const writer = new Float64Array(CHANNELS).fill(-1);
  let began: number | undefined;
  let t = -APART; // of the event before
  let came = 0; // the last bytes
  // Nanoseconds before the stop of each channel's last leading edge, by the number of the event that wrote it.
  const edge = new Float64Array(CHANNELS);
  const edged = new Float64Array(CHANNELS).fill(-1);
  let lost = 0; // what had been lost before the event before

  const put = (ch: number, charge: number, pedestal: number, flags: number, lowGain: boolean): void => {
    let i = block.count;
    if (gain === 'both' && writer[ch] === counts.frames) {
      // The channel's other gain was there already: the low one counts where the high one is too small.
      const before = place[ch];
      const saturated = (block.flags[before] & FLAG.saturated) !== 0;
      if (lowGain ? !saturated : (flags & FLAG.saturated) !== 0) return;
      i = before;
    } else block.count++;
    writer[ch] = counts.frames;
    place[ch] = i;
    const timed = edged[ch] === counts.frames;
    block.t[i] = timed ? t + TDC_SPAN - edge[ch] : t;
    block.channel[i] = first + ch;
    block.charge[i] = charge;
    block.tail[i] = 0;
    block.peak[i] = charge;
    block.baseline[i] = pedestal;
    block.noise[i] = 0;
    block.flags[i] = flags | (timed ? 0 : FLAG.untimed) | (charge > threshold ? 0 : FLAG.empty);
    block.frame[i] = counts.frames;
  };

  let give: (block: Hits) => void = () => {};
  const flush = (): void => {
    if (block.count === 0) return;
    counts.hits += block.count;
    give(block);
    block.count = 0;
  };

  const event: GiveEvent = (_, words, n) => {
    const { damaged, missing, stray, junk } = framer.counts;
    const now = damaged + missing + stray + junk;
    // What lay there before the first event is nobody's loss.
    const common = FLAG.shapeless | (now > lost && counts.frames > 0 ? FLAG.lostBefore : 0);
    lost = now;
    if (block.count + n > block.capacity) flush();
    t = Math.max(came, t + APART);
    for (let i = 0; i < n; i++) {
      const word = words[i];
      if (kindOf(word) !== KIND.leading) continue;
      const [ch, value] = [channelOf(word), wordValue(word)];
      edge[ch] = edged[ch] === counts.frames ? Math.min(edge[ch], value) : value;
      edged[ch] = counts.frames;
    }
    for (let i = 0; i < n; i++) {
      const word = words[i];
      const kind = kindOf(word);
      const ch = channelOf(word);
      const flags = overRange(word) ? common | FLAG.saturated : common;
      if (kind === KIND.high && gain !== 'low') put(ch, wordValue(word) - high[ch], high[ch], flags, false);
      else if (kind === KIND.low && gain === 'low') put(ch, wordValue(word) - low[ch], low[ch], flags, true);
      else if (kind === KIND.low && gain === 'both') put(ch, (wordValue(word) - low[ch]) * ratio[ch], low[ch] * ratio[ch], flags, true);
    }
    counts.frames++;
    scalers.take(words, n);
  };

  const tally = (): void => {
    const from = framer.counts;
    counts.damaged = from.damaged;
    counts.junk = from.junk + 4 * from.stray;
    counts.resynced = from.resynced;
    counts.cutOff = from.cutOff;
  };

  const scaler = (ch: number): Measured<'1/s'> =>
    scalers.over(ch)
      ? { quality: 'suspect', why: 'the counter has gone over: the rate is higher', value: scalers.rate(ch) }
      : { quality: 'good', value: scalers.rate(ch) };

  return {
    counts,
    look() {
      if (!(scalers.seconds > 0)) return {};
      const said = { scaler: Array.from({ length: CHANNELS }, (_, ch) => scaler(ch)), scaler_or: scaler(SCALER_OR) };
      scalers.clear();
      return said;
    },
    take(bytes, now, to) {
      began ??= now;
      came = Math.max(came, (now - began) * 1000);
      counts.bytes += bytes.length;
      give = to;
      framer.take(bytes, event);
      flush();
      tally();
    },
    end(to) {
      give = to;
      framer.end();
      flush();
      tally();
    },
  };
}
