/**
 * Peaks of none, one, two ... photoelectrons in a charge spectrum: Poisson numbers (or generalised Poisson ones, with crosstalk), each
 * smeared by the electronics and by the spread of one photoelectron, as by Bellamy et al. (NIM A 339, 468, 1994) without their
 * exponential. Fitted by maximum likelihood.
 */
import { type BinnedFit, fitBinned, misfit } from './binned-fit.ts';
import { edge, type Histogram } from './histogram.ts';
import { below } from './normal-integral.ts';

export interface PeakOptions {
  /** In the spectrum's unit: only bins that lie wholly between are used. All, where it is left out. */
  readonly range?: readonly [number, number];
  /**
   * Given where the spectrum has no peak of nothing, as that of hits above a threshold: where nothing would be, and how wide. Without it
   * the pedestal is fitted.
   */
  readonly pedestal?: { readonly centre: number; readonly sigma: number };
  /** Fits the chance of one more by crosstalk and afterpulses (silicon photomultipliers). */
  readonly crosstalk?: boolean;
  /** A first guess of the distance between peaks, where peaks cannot be seen one by one. */
  readonly gain?: number;
}

export interface PhotoelectronPeaks {
  /** Charge of one photoelectron, in the spectrum's unit, with one sigma. */
  readonly gain: number;
  readonly gainSigma: number;
  /** Of one photoelectron: standard deviation of its charge, without that of the pedestal. */
  readonly spread: number;
  readonly spreadSigma: number;
  /** Mean number of photoelectrons (before crosstalk). */
  readonly mean: number;
  readonly meanSigma: number;
  readonly crosstalk: number;
  readonly crosstalkSigma: number;
  readonly pedestal: number;
  readonly pedestalSigma: number;
  readonly pedestalWidth: number;
  /** Excess noise factor 1 + (spread / gain)^2. */
  readonly excess: number;
  /** As chi squared where bins hold more than a few counts. */
  readonly deviance: number;
  readonly dof: number;
  readonly events: number;
  /** See `misfit` in binned-fit.ts: 0 where chance alone could do it. */
  readonly misfit: number;
}

export interface NoPeaks {
  readonly refused: string;
}

const LEAST_EVENTS = 200;
const MOST_PEAKS = 60;
/** By so much the deviance must be below that of a spectrum without peaks: one in a million for three more parameters. */
const BETTER = 30;
/** A fit that misses by more than this describes another spectrum. */
const MISSES = 0.5;
const NO_PEAKS = 'there are no peaks: a smooth curve describes the spectrum as well';

export function fitPhotoelectrons(h: Histogram, options: PeakOptions = {}): PhotoelectronPeaks | NoPeaks {
  const [from, to] = binRange(h, options.range);
  const counts = h.counts.subarray(from, to);
  const events = counts.reduce((a, b) => a + b, 0);
  if (events < LEAST_EVENTS) return { refused: `${events} hits in the range: at least ${LEAST_EVENTS} are needed` };
  const edges = Float64Array.from({ length: to - from + 1 }, (_, i) => edge(h, from + i));
  const width = (h.high - h.low) / h.bins;
  // Where nothing would be is known, one peak is enough; where it is not, there must be more than one.
  const smooth = options.pedestal ? undefined : smoothFit(counts);
  if (smooth && smooth.deviance < smooth.dof + 3 * Math.sqrt(2 * smooth.dof)) return { refused: NO_PEAKS };
  let best: BinnedFit | undefined;
  let why = 'no peaks of photoelectrons can be seen, and no guess of the gain is given';
  for (const start of starts(edges, counts, events, options)) {
    const got = fitFrom(start, edges, counts, events, options);
    if ('refused' in got) why = got.refused;
    else if (!best || got.deviance < best.deviance) best = got;
  }
  if (!best) return { refused: why };
  if (smooth && smooth.deviance - best.deviance < BETTER) return { refused: NO_PEAKS };
  const missed = misfit(best, events);
  if (missed > MISSES) return { refused: `this is no spectrum of photoelectrons: the fit misses it by ${(100 * missed).toFixed(0)} %` };
  const all = whole(best.parameters, options);
  const sigma = whole(best.sigma, { ...options, ...(options.pedestal && { pedestal: { centre: 0, sigma: 0 } }) });
  if (!(all.gain > 3 * sigma.gain) || all.gain < 1.5 * width)
    return { refused: 'the distance between peaks cannot be told from this spectrum' };
  return {
    gain: all.gain,
    gainSigma: sigma.gain,
    spread: all.spread,
    spreadSigma: sigma.spread,
    mean: all.mean,
    meanSigma: sigma.mean,
    crosstalk: all.crosstalk,
    crosstalkSigma: sigma.crosstalk,
    pedestal: all.centre,
    pedestalSigma: sigma.centre,
    pedestalWidth: all.width,
    excess: 1 + (all.spread / all.gain) ** 2,
    deviance: best.deviance,
    dof: best.dof,
    events,
    misfit: missed,
  };
}

/** A spectrum of no peak, or of one: the exponential of a parabola, as exponential, flat and normal distributions are, between its ends. */
function smoothFit(all: Float64Array): BinnedFit | undefined {
  const seen = (n: number): boolean => n > 0;
  const counts = all.subarray(all.findIndex(seen), all.findLastIndex(seen) + 1);
  const bins = counts.length;
  const mean = counts.reduce((a, b) => a + b, 0) / bins;
  const got = fitBinned({
    counts,
    model([a = 0, b = 0, c = 0], expected) {
      for (let i = 0; i < bins; i++) {
        const x = (2 * i) / bins - 1;
        expected[i] = Math.exp(a + b * x + c * x * x);
      }
    },
    start: [Math.log(Math.max(mean, 1e-3)), 0, 0],
    low: [-200, -1000, -10_000],
    high: [50, 1000, 1000],
    scale: [0.1, 0.1, 0.1],
  });
  return 'refused' in got ? undefined : got;
}

interface Shape {
  readonly events: number;
  readonly mean: number;
  readonly gain: number;
  readonly spread: number;
  readonly centre: number;
  readonly width: number;
  readonly crosstalk: number;
}

/** Parameters in the order of the fit: events, mean, gain, spread, then centre and width of a fitted pedestal, then crosstalk. */
function whole(p: ArrayLike<number>, { pedestal, crosstalk }: PeakOptions): Shape {
  const [events = 0, mean = 0, gain = 0, spread = 0] = Array.from(p);
  const at = pedestal ? 4 : 6;
  return {
    events,
    mean,
    gain,
    spread,
    centre: pedestal ? pedestal.centre : (p[4] ?? 0),
    width: pedestal ? pedestal.sigma : (p[5] ?? 0),
    crosstalk: crosstalk ? (p[at] ?? 0) : 0,
  };
}

function binRange(h: Histogram, range: readonly [number, number] | undefined): readonly [number, number] {
  if (!range) return [0, h.bins];
  let [from, to] = [0, h.bins];
  while (from < h.bins && edge(h, from) < range[0]) from++;
  while (to > from && edge(h, to) > range[1]) to--;
  return [from, to];
}

function fitFrom(start: Shape, edges: Float64Array, counts: Float64Array, events: number, options: PeakOptions) {
  const [first = 0, last = 1] = [edges[0], edges[edges.length - 1]];
  const width = (last - first) / counts.length;
  const span = last - first;
  const ownPedestal = !options.pedestal;
  const column = <T>(common: readonly T[], pedestal: readonly T[], crosstalk: T): T[] => [
    ...common,
    ...(ownPedestal ? pedestal : []),
    ...(options.crosstalk ? [crosstalk] : []),
  ];
  return fitBinned({
    counts,
    model: (p, expected) => model(whole(p, options), ownPedestal ? 0 : 1, edges, expected),
    start: column([start.events, start.mean, start.gain, start.spread], [start.centre, start.width], 0.05),
    low: column([1, 1e-4, width, 0], [first - span, width / 10], 0),
    high: column([1e3 * events, 50, span, span], [last, span], 0.9),
    scale: column([Math.sqrt(events), 0.1, start.gain / 10, start.gain / 10], [start.width, start.width / 10], 0.1),
  });
}

/** Expected counts of all bins: each peak is added where it is more than nothing. */
function model(shape: Shape, firstPeak: number, edges: Float64Array, expected: Float64Array): void {
  expected.fill(0);
  const { events, mean, gain, spread, centre, width, crosstalk } = shape;
  const bins = expected.length;
  const [first = 0, last = 1] = [edges[0], edges[bins]];
  const perUnit = bins / (last - first);
  let logFactorial = 0;
  for (let k = 0; k <= MOST_PEAKS; k++) {
    if (k > 1) logFactorial += Math.log(k);
    // Generalised Poisson (Consul and Jain 1973); Poisson where crosstalk is 0.
    const rate = mean + k * crosstalk;
    const part = Math.exp(Math.log(mean) + (k - 1) * Math.log(rate) - rate - logFactorial);
    if (k < firstPeak) continue;
    if (k > mean && part < 1e-9) break;
    const at = centre + k * gain;
    const sigma = Math.max(Math.sqrt(width ** 2 + k * spread ** 2), 1e-9 / perUnit);
    const from = Math.max(0, Math.floor((at - 8 * sigma - first) * perUnit));
    const to = Math.min(bins, Math.ceil((at + 8 * sigma - first) * perUnit));
    let before = from < to ? below(((edges[from] as number) - at) / sigma) : 0; // from <= bins
    for (let i = from; i < to; i++) {
      const after = below(((edges[i + 1] as number) - at) / sigma); // i < bins
      expected[i] = (expected[i] as number) + events * part * (after - before);
      before = after;
    }
  }
}

/** Where the fit may begin: from the peaks that can be seen, from the part of zeros, and from the guess. */
function starts(edges: Float64Array, counts: Float64Array, events: number, options: PeakOptions): Shape[] {
  const centres = counts.map((_, i) => ((edges[i] ?? 0) + (edges[i + 1] ?? 0)) / 2);
  const width = (edges[1] ?? 1) - (edges[0] ?? 0);
  const mean = centres.reduce((sum, x, i) => sum + (x * (counts[i] ?? 0)) / events, 0);
  const found = peaks(counts);
  const [one, two] = found.map((i) => centres[i] ?? 0);
  const centre = options.pedestal?.centre ?? one ?? mean;
  const half = options.pedestal?.sigma ?? halfWidth(counts, found[0] ?? 0) * width;
  const gains: number[] = options.gain === undefined ? [] : [options.gain];
  if (options.pedestal) gains.push(...(one === undefined ? [] : [one - centre]));
  else {
    if (one !== undefined && two !== undefined) gains.push(two - one);
    // Twice what lies below the peak of nothing is that peak.
    const low = counts.reduce((sum, n, i) => sum + ((centres[i] ?? 0) <= centre ? n : 0), 0);
    const mu = -Math.log(Math.min(0.98, Math.max(1e-3, (2 * low) / events)));
    gains.push((mean - centre) / mu);
  }
  return gains
    .filter((gain) => gain > width)
    .map((gain) => {
      const mu = Math.max(0.05, (mean - centre) / gain - (options.pedestal ? 1 : 0));
      const seen = options.pedestal ? events / (1 - Math.exp(-mu)) : events;
      return { events: seen, mean: mu, gain, spread: 0.3 * gain, centre, width: Math.max(half, width / 2), crosstalk: 0 };
    });
}

/** Bins of the tops, in order, that stand out of what lies between them by 4 sigma. */
function peaks(counts: Float64Array): number[] {
  const smooth = counts.map((_, i) => {
    let sum = 0;
    for (let j = i - 2; j <= i + 2; j++) sum += counts[Math.min(counts.length - 1, Math.max(0, j))] ?? 0;
    return sum / 5;
  });
  const tops: number[] = [];
  let [best, valley] = [0, 0];
  let rising = true;
  for (let i = 0; i < smooth.length; i++) {
    const here = smooth[i] ?? 0;
    const bar = 4 * Math.sqrt(Math.max(smooth[best] ?? 0, 1) / 5);
    if (rising) {
      if (here > (smooth[best] ?? 0)) best = i;
      else if (here < (smooth[best] ?? 0) - bar) {
        tops.push(best);
        rising = false;
        valley = i;
      }
    } else if (here < (smooth[valley] ?? 0)) valley = i;
    else if (here > (smooth[valley] ?? 0) + 4 * Math.sqrt(Math.max(smooth[valley] ?? 0, 1) / 5)) {
      rising = true;
      best = i;
    }
  }
  return tops;
}

/** Standard deviation of a peak, in bins, from where its lower flank has fallen to 0.61 of it. */
function halfWidth(counts: Float64Array, top: number): number {
  const height = counts[top] ?? 0;
  let i = top;
  while (i > 0 && (counts[i] ?? 0) > 0.61 * height) i--;
  return Math.max(0.5, top - i);
}
