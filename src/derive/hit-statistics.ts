/** What a stream of hits says per channel: counts, charges and pulse shapes, in a memory that does not grow with the hits. */
import { addShape, figureOfMerit, type Shape, shape } from './figure-of-merit.ts';
import { FLAG, type Hits } from './hits.ts';

/** Bins of the pulse shape from 0 to 1: quantiles are good to half of their width. */
export const SHAPE_BINS = 2000;
const CHARGE_BINS = 1024;

export interface ShapeStatistics {
  readonly count: number;
  readonly mean: number;
  /** Of the hits, not of the mean. */
  readonly sd: number;
  /** Of 5, 25, 50, 75 and 95 % of the hits, from a histogram with SHAPE_BINS bins. */
  readonly quantiles: { readonly p05: number; readonly p25: number; readonly p50: number; readonly p75: number; readonly p95: number };
  /** Where two populations are asked for: those below and from `split` on, and |difference of the means| / (sum of the FWHM). */
  readonly below?: Population;
  readonly above?: Population;
  readonly figureOfMerit?: number;
  readonly figureOfMeritSigma?: number;
}
export interface Population {
  readonly count: number;
  readonly mean: number;
  readonly sd: number;
}

export interface ChannelStatistics {
  readonly events: number;
  /** Nanoseconds of its first and last hit that is not late; infinite where there is none. */
  readonly first: number;
  readonly last: number;
  readonly chargeSum: number;
  readonly tailSum: number;
  /** Hits whose tail is below nothing or above the whole: list-mode files have them where short is above long. */
  readonly shapeless: number;
  /** Of these, the ones with a negative tail. */
  readonly shortAboveLong: number;
  readonly empty: number;
  readonly saturated: number;
  readonly cut: number;
  readonly pileUp: number;
  /** Of all hits that are not empty; the sd is that of the hits. */
  readonly charge: Population & { readonly least: number; readonly most: number };
  readonly baseline: Population;
  readonly psd: ShapeStatistics;
}

/** A histogram whose range doubles as higher charges come. */
export interface ChargeHistogram {
  /** Charge from which bin 0 goes, and what each bin is wide. */
  readonly from: number;
  readonly width: number;
  readonly counts: Float64Array;
}

export interface HitStatisticsSettings {
  /** Charges that count for the pulse shape, closed. */
  readonly charges?: readonly [number, number];
  /** Parts the pulse shapes into two populations. */
  readonly split?: number;
}

/** Nanoseconds from the first to the last hit of all channels; 0 where no hit has a time to be believed. */
export function spanned(channels: Iterable<ChannelStatistics>): number {
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const c of channels) [first, last] = [Math.min(first, c.first), Math.max(last, c.last)];
  return last >= first ? last - first : 0;
}

export interface HitStatistics {
  take(block: Hits): void;
  readonly channels: ReadonlyMap<number, ChannelStatistics>;
  histogram(channel: number): ChargeHistogram | undefined;
}

/**
 * The pulse shape is tail / charge, of hits that are neither empty nor shapeless nor cut nor saturated and whose charge is above zero.
 * Sums of whole numbers are exact below 2^53; means and deviations are Welford's.
 */
export function hitStatistics(settings: HitStatisticsSettings = {}): HitStatistics {
  const all = new Map<number, Tally>();
  const of = (channel: number): Tally => {
    let one = all.get(channel);
    if (!one) all.set(channel, (one = new Tally(settings)));
    return one;
  };
  return {
    take(block) {
      let [last, one]: [number, Tally | undefined] = [-1, undefined];
      for (let i = 0; i < block.count; i++) {
        const channel = block.channel[i] ?? 0;
        if (!one || channel !== last) [last, one] = [channel, of(channel)];
        one.add(block, i);
      }
    },
    get channels() {
      return new Map([...all].sort(([a], [b]) => a - b).map(([channel, one]) => [channel, one.now()]));
    },
    histogram: (channel) => all.get(channel)?.histogram(),
  };
}

const population = ({ n, mean, squares }: Shape): Population => ({
  count: n,
  mean: n > 0 ? mean : Number.NaN,
  sd: n > 1 ? Math.sqrt(squares / (n - 1)) : Number.NaN,
});

const UNSHAPED = FLAG.empty | FLAG.shapeless | FLAG.cut | FLAG.saturated;

class Tally {
  private events = 0;
  private first = Number.POSITIVE_INFINITY;
  private last = Number.NEGATIVE_INFINITY;
  private chargeSum = 0;
  private tailSum = 0;
  private shapeless = 0;
  private shortAboveLong = 0;
  private empty = 0;
  private saturated = 0;
  private cut = 0;
  private pileUp = 0;
  private least = Number.POSITIVE_INFINITY;
  private most = Number.NEGATIVE_INFINITY;
  private readonly charge = shape();
  private readonly baseline = shape();
  private readonly shape = shape();
  private readonly below = shape();
  private readonly above = shape();
  private readonly bins = new Float64Array(SHAPE_BINS);
  private readonly spectrum = new Float64Array(CHARGE_BINS);
  private width = 1;
  private readonly settings: HitStatisticsSettings;
  constructor(settings: HitStatisticsSettings) {
    this.settings = settings;
  }

  add(block: Hits, i: number): void {
    const [t, charge, tail, flags] = [block.t[i] ?? 0, block.charge[i] ?? 0, block.tail[i] ?? 0, block.flags[i] ?? 0];
    this.events++;
    if ((flags & FLAG.late) === 0) {
      if (t < this.first) this.first = t;
      if (t > this.last) this.last = t;
    }
    if (flags & FLAG.saturated) this.saturated++;
    if (flags & FLAG.cut) this.cut++;
    if (flags & FLAG.pileUp) this.pileUp++;
    addShape(this.baseline, block.baseline[i] ?? 0);
    // A record without a pulse has no charge; a list-mode event of charge 0 may still have a tail.
    if (Number.isFinite(charge)) this.chargeSum += charge;
    if (Number.isFinite(tail)) this.tailSum += tail;
    if (flags & FLAG.shapeless) this.shapeless++;
    if (tail < 0) this.shortAboveLong++;
    if (flags & FLAG.empty) {
      this.empty++;
      return;
    }
    addShape(this.charge, charge);
    if (charge < this.least) this.least = charge;
    if (charge > this.most) this.most = charge;
    this.fill(charge);
    if ((flags & UNSHAPED) !== 0 || !(charge > 0)) return;
    const [lo, hi] = this.settings.charges ?? [0, Number.POSITIVE_INFINITY];
    if (charge < lo || charge > hi) return;
    this.fillShape(tail / charge);
  }

  private fillShape(psd: number): void {
    addShape(this.shape, psd);
    const bin = Math.min(SHAPE_BINS - 1, Math.max(0, Math.floor(psd * SHAPE_BINS)));
    this.bins[bin] = (this.bins[bin] ?? 0) + 1;
    const { split } = this.settings;
    if (split !== undefined) addShape(psd < split ? this.below : this.above, psd);
  }

  /** Charges below zero stand in the first bin, with those just above it. */
  private fill(charge: number): void {
    if (!Number.isFinite(charge)) return;
    while (charge >= this.width * CHARGE_BINS) {
      for (let i = 0; i < CHARGE_BINS; i++) {
        this.spectrum[i] = i < CHARGE_BINS / 2 ? (this.spectrum[2 * i] ?? 0) + (this.spectrum[2 * i + 1] ?? 0) : 0;
      }
      this.width *= 2;
    }
    const bin = Math.max(0, Math.floor(charge / this.width));
    this.spectrum[bin] = (this.spectrum[bin] ?? 0) + 1;
  }

  histogram(): ChargeHistogram {
    return { from: 0, width: this.width, counts: this.spectrum.slice() };
  }

  private quantile(p: number): number {
    const wanted = p * this.shape.n;
    let below = 0;
    for (let i = 0; i < SHAPE_BINS; i++) {
      const here = this.bins[i] ?? 0;
      if (here > 0 && below + here >= wanted) return (i + (wanted - below) / here) / SHAPE_BINS;
      below += here;
    }
    return Number.NaN;
  }

  now(): ChannelStatistics {
    const { events, first, last, chargeSum, tailSum, shapeless, shortAboveLong, empty, saturated, cut, pileUp } = this;
    const [p05, p25, p50, p75, p95] = [0.05, 0.25, 0.5, 0.75, 0.95].map((p) => this.quantile(p)) as [
      number,
      number,
      number,
      number,
      number,
    ]; // one for each
    const two = this.settings.split === undefined ? {} : { below: population(this.below), above: population(this.above) };
    const merit = this.settings.split === undefined ? undefined : figureOfMerit(this.below, this.above);
    return {
      ...{ events, first, last, chargeSum, tailSum, shapeless, shortAboveLong, empty, saturated, cut, pileUp },
      charge: { ...population(this.charge), least: this.least, most: this.most },
      baseline: population(this.baseline),
      psd: {
        ...population(this.shape),
        quantiles: { p05, p25, p50, p75, p95 },
        ...two,
        ...(merit ? { figureOfMerit: merit.value, figureOfMeritSigma: merit.sigma } : {}),
      },
    };
  }
}
