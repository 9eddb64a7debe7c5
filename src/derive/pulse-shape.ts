/** Two kinds of pulses in a spectrum of tail over total, that nobody has told apart: two normal peaks, and how well they are separated. */
import { type BinnedFit, fitBinned } from './binned-fit.ts';
import { edge, type Histogram, inside, moments } from './histogram.ts';
import { below } from './normal-integral.ts';

export interface ShapePeak {
  readonly n: number;
  readonly mean: number;
  readonly sd: number;
}

export interface Separation {
  /** The peak with the smaller tail (gammas), and that with the larger one (neutrons). */
  readonly low: ShapePeak;
  readonly high: ShapePeak;
  /** |mean - mean| / (FWHM + FWHM), with one sigma by the counts. */
  readonly merit: number;
  readonly meritSigma: number;
  /** Tail over total at which as many of the one are taken for the other as the other way round; at equal numbers of both. */
  readonly cut: number;
  readonly deviance: number;
  readonly dof: number;
}

export interface NoSeparation {
  readonly refused: string;
}

const FWHM = 2 * Math.sqrt(2 * Math.LN2);
const LEAST = 200;

/** By maximum likelihood. Where the two peaks are not needed (one describes the counts as well), there is no separation. */
export function fitSeparation(h: Histogram): Separation | NoSeparation {
  const total = inside(h);
  if (total < LEAST) return { refused: `${total} events: at least ${LEAST} are needed` };
  const edges = Float64Array.from({ length: h.bins + 1 }, (_, i) => edge(h, i));
  const [width, length] = [(h.high - h.low) / h.bins, h.high - h.low];
  const { mean, sd } = moments(h);
  const model = (p: Float64Array, expected: Float64Array): void => {
    expected.fill(0);
    for (let k = 0; k < p.length; k += 3) peak(edges, p[k] ?? 0, p[k + 1] ?? 0, p[k + 2] ?? 1, expected);
  };
  const fitFrom = (start: readonly number[]) =>
    fitBinned({
      counts: h.counts,
      model,
      start,
      low: start.map((_, i) => (i % 3 === 0 ? 0 : i % 3 === 1 ? h.low : width / 4)),
      high: start.map((_, i) => (i % 3 === 0 ? 10 * total : i % 3 === 1 ? h.high : length)),
      scale: start.map((_, i) => (i % 3 === 0 ? total / 10 : sd / 10)),
    });
  const one = fitFrom([total, mean, sd]);
  let best: BinnedFit | undefined;
  for (const part of [0.5, 0.1, 0.9]) {
    const two = fitFrom([
      part * total,
      mean - 1.2 * sd * (1 - part + 0.3),
      0.5 * sd,
      (1 - part) * total,
      mean + 1.2 * sd * (part + 0.3),
      0.5 * sd,
    ]);
    if (!('refused' in two) && two.bound.length + two.idle.length === 0 && (!best || two.deviance < best.deviance)) best = two;
  }
  // Three more parameters: a gain of 30 in the deviance is one in a million for one peak.
  if (!best || (!('refused' in one) && one.deviance - best.deviance < 30))
    return { refused: 'one kind of pulse describes them as well as two' };
  return separated(best);
}

function separated({ parameters, covariance, deviance, dof }: BinnedFit): Separation {
  const [n1 = 0, m1 = 0, s1 = 0, n2 = 0, m2 = 0, s2 = 0] = parameters;
  const [first, second] = [
    { n: n1, mean: m1, sd: s1 },
    { n: n2, mean: m2, sd: s2 },
  ];
  const [low, high] = m1 <= m2 ? [first, second] : [second, first];
  const apart = Math.abs(m2 - m1);
  const widths = FWHM * (s1 + s2);
  const towards = Math.sign(m2 - m1) / widths;
  const slopes = [0, -towards, (-FWHM * apart) / widths ** 2, 0, towards, (-FWHM * apart) / widths ** 2];
  let variance = 0;
  for (const [a, row] of covariance.entries()) for (const [b, c] of row.entries()) variance += (slopes[a] ?? 0) * (slopes[b] ?? 0) * c;
  return {
    low,
    high,
    merit: apart / widths,
    meritSigma: Math.sqrt(variance),
    cut: (low.mean * high.sd + high.mean * low.sd) / (low.sd + high.sd),
    deviance,
    dof,
  };
}

function peak(edges: Float64Array, n: number, mean: number, sd: number, to: Float64Array): void {
  let before = below(((edges[0] ?? 0) - mean) / sd);
  for (let i = 0; i < to.length; i++) {
    const after = below(((edges[i + 1] as number) - mean) / sd); // one edge more than bins
    to[i] = (to[i] as number) + n * (after - before);
    before = after;
  }
}
