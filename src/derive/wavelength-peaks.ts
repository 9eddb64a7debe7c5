/** Lines in a spectrum whose wavelengths are not known yet: found over the noise, fitted with a pseudo-Voigt profile, places in pixels. */
import { noiseOfCurve } from './calibration.ts';
import { fitLines } from './line-fit.ts';
import { type Profile, peakOf } from './pseudo-voigt.ts';

export interface LampSpectrum {
  /** Electrons per column. */
  readonly counts: Float64Array;
  /** Variance of a column beside that of counting. */
  readonly readVariance: number;
  /** 1 where a raw pixel of the column was saturated. */
  readonly saturated?: Uint8Array;
}

export interface FoundLine {
  /** Pixel, from 0; one sigma. */
  readonly pixel: number;
  readonly sigma: number;
  /** Full width at half maximum, pixels. */
  readonly width: number;
  /** Over the background, electrons. */
  readonly height: number;
  /** Why it says nothing of a wavelength. */
  readonly unfit?: 'saturated' | 'too wide' | 'no fit' | 'at the edge';
}

export interface Found {
  readonly lines: readonly FoundLine[];
  /** Of a usual line, pixels. */
  readonly width: number;
}

/** A peak must stand so far out of the noise to be taken for a line. */
const SIGMAS = 8;
/** No place is known better than this, pixels: the pixels are not all alike. */
const LEAST_SIGMA = 0.01;
/** A line of less than this many pixels is not sampled: its place depends on where in the pixel it lies. */
const SAMPLED = 1.8;
const UNSAMPLED_SIGMA = 0.1;
/** More than the usual width by this factor: two lines in one. */
const TOO_WIDE = 1.35;

/** All lines of the spectrum, by their pixel. */
export function findLines(spectrum: LampSpectrum): Found {
  const { counts } = spectrum;
  const tops = topsOf(spectrum);
  const rough = tops.map((top) => roughWidth(counts, top)).sort((a, b) => a - b);
  const guess = Math.max(1.5, rough[rough.length >> 1] ?? 3);
  const fitted = tops.map((top, i) => placed(spectrum, top, guess, [tops[i - 1], tops[i + 1]]));
  const widths = fitted.flatMap((f) => (f.unfit === undefined ? [f.width] : [])).sort((a, b) => a - b);
  const width = widths[widths.length >> 1] ?? guess;
  return {
    width,
    lines: fitted.map((f) => (f.unfit === undefined && f.width > TOO_WIDE * width ? { ...f, unfit: 'too wide' as const } : f)),
  };
}

interface Top {
  readonly at: number;
  readonly base: number;
}

/** Local maxima of three pixels together, SIGMAS above the median of their surroundings; single hot pixels are none. */
function topsOf({ counts, readVariance }: LampSpectrum): readonly Top[] {
  const n = counts.length;
  const noise = noiseOfCurve(counts);
  const half = Math.max(20, Math.min(60, Math.floor(n / 16)));
  const three = (i: number): number => (counts[i - 1] ?? 0) + (counts[i] ?? 0) + (counts[i + 1] ?? 0);
  const found: Top[] = [];
  for (let i = 2; i < n - 2; i++) {
    const here = three(i);
    if (!(here > three(i - 1) && here >= three(i + 1))) continue;
    const around = counts.slice(Math.max(0, i - half), i + half + 1).sort();
    const base = around[around.length >> 1] ?? 0;
    const sigma = Math.sqrt(3 * Math.max(Math.max(base, 0) + readVariance, noise * noise, 0.25));
    if (here - 3 * base < SIGMAS * sigma) continue;
    const [left = 0, top = 0, right = 0] = counts.subarray(i - 1, i + 2);
    // A cosmic hit or a hot pixel: what a line gives to its neighbours is missing.
    if (Math.max(left, right) - base < 0.1 * (top - base)) continue;
    found.push({ at: i, base });
  }
  // A ripple on a line's flank is no line of its own: between two there is a valley deeper than the noise.
  return found.filter((top, k) => {
    const higher = [found[k - 1], found[k + 1]].find((o) => o && Math.abs(o.at - top.at) < half && three(o.at) > three(top.at));
    if (!higher) return true;
    const [from, to] = [Math.min(top.at, higher.at), Math.max(top.at, higher.at)];
    let valley = Number.POSITIVE_INFINITY;
    for (let i = from; i <= to; i++) valley = Math.min(valley, three(i));
    return three(top.at) - valley > 4 * Math.sqrt(Math.max(0, three(top.at)) + 3 * readVariance);
  });
}

/** Full width at half height, from the samples alone. */
function roughWidth(counts: Float64Array, { at, base }: Top): number {
  const half = base + ((counts[at] ?? 0) - base) / 2;
  let [left, right] = [at, at];
  while (left > 0 && (counts[left] ?? 0) > half) left--;
  while (right < counts.length - 1 && (counts[right] ?? 0) > half) right++;
  return right - left - 1;
}

/** One line, together with those neighbours that reach into its window. */
function placed(spectrum: LampSpectrum, top: Top, width: number, beside: readonly (Top | undefined)[]): FoundLine {
  const { counts, readVariance, saturated } = spectrum;
  const reach = Math.max(5, Math.ceil(2.5 * width));
  const height = (counts[top.at] ?? 0) - top.base;
  const unfit = (why: FoundLine['unfit']): FoundLine => ({ pixel: top.at, sigma: 1, width, height, unfit: why });
  const near = beside.flatMap((b) => (b && Math.abs(b.at - top.at) <= 2 * reach ? [b] : []));
  const from = Math.min(top.at - reach, ...near.map((b) => b.at - Math.ceil(width)));
  const to = Math.max(top.at + reach, ...near.map((b) => b.at + Math.ceil(width)));
  if (top.at - width < 0 || top.at + width > counts.length - 1) return unfit('at the edge');
  const [first, last] = [Math.max(0, from), Math.min(counts.length - 1, to)];
  for (let i = Math.max(0, top.at - reach); i <= Math.min(counts.length - 1, top.at + reach); i++)
    if (saturated?.[i] && Math.abs(i - top.at) <= width) return unfit('saturated');
  const start = [top, ...near].map((one): Profile => ({ area: 1, centre: one.at, hwhm: width / 2, lorentz: 0.2 }));
  const fit = fitLines(
    {
      x: Float64Array.from({ length: last - first + 1 }, (_, i) => first + i),
      counts: counts.slice(first, last + 1),
      weights: 'poisson',
      readVariance,
      leastVariance: 0.25,
    },
    start,
  );
  if ('refused' in fit) return unfit('no fit');
  const [line] = fit.lines;
  const spread = Math.max(1, fit.chi2 / Math.max(1, fit.dof));
  const variance = (fit.covariance[3]?.[3] ?? Number.NaN) * spread;
  if (!line || !(variance > 0) || Math.abs(line.centre - top.at) > width) return unfit('no fit');
  const full = 2 * line.hwhm;
  const sigma = Math.hypot(Math.sqrt(variance), LEAST_SIGMA, full < SAMPLED ? UNSAMPLED_SIGMA : 0);
  return { pixel: line.centre, sigma, width: full, height: peakOf(line) };
}
