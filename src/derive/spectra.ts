/** Spectra of hits: charge of each channel, energy of all, and energy against pulse shape. Filled by blocks, looked at about once a second. */
import type { Trace } from '../reading.ts';
import {
  type Axis,
  checkAxis,
  countColumn,
  emptied,
  fill,
  fillPlane,
  type Histogram,
  histogram,
  histogramTrace,
  plane,
  planeTrace,
} from './histogram.ts';
import { FLAG, type Hits } from './hits.ts';

/** MeVee = offset + slope charge, one of each per channel. */
export interface EnergyScale {
  readonly slope: ArrayLike<number>;
  /** Zeros, where it is left out. */
  readonly offset?: ArrayLike<number>;
}

export interface SpectraOptions {
  readonly channels: number;
  /** In the charge unit of the hits. */
  readonly charge: Axis;
  /** Channels by number whose scale is known; without it there is no energy spectrum and the plane is one of charge. */
  readonly scale?: EnergyScale;
  /** MeVee; needed with `scale`. */
  readonly energy?: Axis;
  /** Tail over total, the other axis of the plane; without it there is no plane. */
  readonly shape?: Axis;
  /** Hits with any of these flags are counted as refused. Saturated, empty and cut ones where it is left out: their charge is wrong. */
  readonly refuse?: number;
}

/** Counts are from the beginning or the last clear(). Arrays are copies, one number per channel. */
export interface SpectraLook {
  /** Shape [channels, bins]; the axis stands in the settings. */
  readonly charge: Trace;
  readonly energy?: Trace;
  /** Shape [bins of energy (or charge), bins of tail over total]. */
  readonly plane?: Trace;
  readonly hits: Float64Array;
  readonly refused: Float64Array;
  readonly saturated: Float64Array;
  /** Of the hits that are in the spectrum's range or outside it, but not refused; NaN where there is none. */
  readonly meanCharge: Float64Array;
  /**
   * Standard error of the mean, of the same n hits: s / sqrt(n), s^2 = sum (q - mean)^2 / (n - 1). One hit does not tell its own spread: NaN
   * below two.
   */
  readonly meanSigma: Float64Array;
  /** Hits of channels beyond `channels`: in no spectrum. */
  readonly strangers: number;
}

export interface Spectra {
  take(block: Hits): void;
  /** Microseconds since 1970 of the first and last moment that the spectra are of. */
  look(begin: number, end: number): SpectraLook;
  /** One channel's, to be fitted; not a copy: only to be read, before the next take(). */
  of(channel: number): Histogram | undefined;
  clear(): void;
}

const REFUSE = FLAG.saturated | FLAG.empty | FLAG.cut;
const NO_SHAPE = FLAG.shapeless | FLAG.pileUp;

/** What is wrong with the options, in a sentence; undefined where they are sound. */
export function checkSpectra(o: SpectraOptions): string | undefined {
  if (!(Number.isInteger(o.channels) && o.channels >= 1 && o.channels <= 65_536)) return `channels: 1 to 65536, not ${o.channels}`;
  if (o.scale && !o.energy) return 'energy: with a scale its axis is needed';
  if (o.energy && !o.scale) return 'scale: an energy axis needs the scale of each channel';
  for (const [name, values] of [['slope', o.scale?.slope] as const, ['offset', o.scale?.offset] as const]) {
    if (values && values.length !== o.channels) return `scale ${name}: ${values.length} numbers for ${o.channels} channels`;
  }
  return checkAxis(o.charge, 'charge') ?? (o.energy && checkAxis(o.energy, 'energy')) ?? (o.shape && checkAxis(o.shape, 'tail over total'));
}

/** Throws a RangeError with checkSpectra's sentence. */
export function spectra(options: SpectraOptions): Spectra {
  const wrong = checkSpectra(options);
  if (wrong) throw new RangeError(wrong);
  const { channels, refuse = REFUSE } = options;
  const charge = Array.from({ length: channels }, () => histogram(options.charge));
  const energy = options.energy && histogram(options.energy);
  const both = options.shape && plane(options.energy ?? options.charge, options.shape);
  const slope = Float64Array.from(options.scale?.slope ?? []);
  const offset = Float64Array.from(options.scale?.offset ?? slope.map(() => 0));
  const column = (): Float64Array => new Float64Array(channels);
  const [taken, refused, saturated, sum] = [column(), column(), column(), column()];
  // From the first one's charge on, and squared: sums of squares of whole charges would lose the digits of a narrow spectrum.
  const [first, more, squares] = [column(), column(), column()];
  let strangers = 0;
  const one = (block: Hits, i: number, c: number): void => {
    const flags = block.flags[i] as number; // i < count
    taken[c] = (taken[c] as number) + 1; // c < channels here and below
    if ((flags & FLAG.saturated) !== 0) saturated[c] = (saturated[c] as number) + 1;
    if ((flags & refuse) !== 0) {
      refused[c] = (refused[c] as number) + 1;
      return;
    }
    const whole = block.charge[i] as number;
    fill(charge[c] as Histogram, whole);
    sum[c] = (sum[c] as number) + whole;
    if ((taken[c] as number) - (refused[c] as number) === 1) first[c] = whole;
    const beyond = whole - (first[c] as number);
    more[c] = (more[c] as number) + beyond;
    squares[c] = (squares[c] as number) + beyond * beyond;
    const size = energy ? (offset[c] as number) + (slope[c] as number) * whole : whole;
    if (energy) fill(energy, size);
    if (both && (flags & NO_SHAPE) === 0) fillPlane(both, size, (block.tail[i] as number) / whole);
  };
  return {
    take(block) {
      for (let i = 0; i < block.count; i++) {
        const c = block.channel[i] as number; // i < count
        if (c < channels) one(block, i, c);
        else strangers++;
      }
    },
    look: (begin, end) => ({
      charge: stacked(charge, begin, end),
      ...(energy && { energy: histogramTrace(energy, 'energy in MeVee', begin, end) }),
      ...(both && { plane: planeTrace(both, energy ? 'energy in MeVee' : 'charge', 'tail over total', begin, end) }),
      hits: taken.slice(),
      refused: refused.slice(),
      saturated: saturated.slice(),
      meanCharge: sum.map((s, c) => s / ((taken[c] ?? 0) - (refused[c] ?? 0))),
      meanSigma: sum.map((_, c) => standardError((taken[c] ?? 0) - (refused[c] ?? 0), more[c] ?? 0, squares[c] ?? 0)),
      strangers,
    }),
    of: (channel) => charge[channel],
    clear() {
      for (const h of [...charge, ...(energy ? [energy] : [])]) emptied(h);
      if (both) {
        both.counts.fill(0);
        both.outside = 0;
      }
      for (const sums of [taken, refused, saturated, sum, first, more, squares]) sums.fill(0);
      strangers = 0;
    },
  };
}

/** Of the mean of n numbers, by their sum and the sum of their squares, both from any number near them on. NaN for n < 2. */
const standardError = (n: number, sum: number, squares: number): number =>
  n < 2 ? Number.NaN : Math.sqrt(Math.max(0, squares - sum ** 2 / n) / (n - 1) / n);

function stacked(all: readonly Histogram[], begin: number, end: number): Trace {
  const { low = 0, high = 0, bins = 0 } = all[0] ?? {};
  const counts = new Float64Array(all.length * bins);
  let [under, over, lost] = [0, 0, 0];
  for (const [c, h] of all.entries()) {
    counts.set(h.counts, c * bins);
    under += h.under;
    over += h.over;
    lost += h.lost;
  }
  return {
    columns: { counts: countColumn(counts) },
    shape: [all.length, bins],
    begin,
    end,
    settings: { of: 'charge', low, high, bins, under, over, lost },
  };
}
