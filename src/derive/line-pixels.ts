/** What the fits of fluorescence lines share: choosing pixels, finding the line, and what can be wrong with it. */
import { noiseOfCurve, type Rows, type SpectralFrame } from './calibration.ts';
import type { LineFit, LineProblem } from './line-fit.ts';
import type { Profile } from './pseudo-voigt.ts';
import { choosePixels, type Masked, type Pixels, type Refusal, type RefusalCode } from './spectrum.ts';

/** Why there is no line, beside what the choice of pixels may refuse. */
export type NoLineCode = Exclude<RefusalCode, 'path-mismatch'> | 'one-line' | 'not-ruby' | 'wings-cut' | 'no-edge';
export interface NoLine {
  readonly refused: string;
  readonly code: NoLineCode;
  readonly masked?: readonly Masked[];
}
export const noLine = (code: NoLineCode, refused: string): NoLine => ({ refused, code });
/** A refusal of the pixel choice: without a calibration it can be of no other path. */
export const pixelRefusal = ({ code, refused }: Refusal): NoLine => ({ refused, code: code === 'path-mismatch' ? 'input' : code });

export interface LineParams {
  /** Metre, both ends included; absent: around the strongest line. */
  readonly window?: readonly [number, number];
  /** From 0, both ends included; absent: all rows. */
  readonly rows?: Rows;
  readonly dark?: SpectralFrame;
  /** Electrons per count. */
  readonly gain?: number;
  /** Counts rms per pixel. */
  readonly readNoise?: number;
  /** poisson: weights from the model; none: all pixels alike, as the field's programs fit. */
  readonly weights?: 'poisson' | 'none';
}

/** The pixels with their wavelengths in nm, rising. */
export interface LinePixels extends LineProblem {
  readonly columns: readonly number[];
  readonly masked: readonly Masked[];
  readonly relative: boolean;
  readonly warnings: readonly string[];
  readonly window: readonly [number, number];
}

/** The pixels of a window without single hot ones, or why there are too few. */
export function linePixels(frame: SpectralFrame, params: LineParams, window: readonly [number, number] | undefined): LinePixels | NoLine {
  const { rows, dark, gain, readNoise } = params;
  const chosen = choosePixels(frame, {
    ...(window ? { window } : {}),
    ...(rows ? { rows } : {}),
    ...(dark ? { dark } : {}),
    ...(gain === undefined ? {} : { gain }),
    ...(readNoise === undefined ? {} : { readNoise }),
  });
  if ('refused' in chosen) return pixelRefusal(chosen);
  const order = [...chosen.columns.keys()].sort((a, b) => (chosen.wavelength[a] ?? 0) - (chosen.wavelength[b] ?? 0));
  const counts = Float64Array.from(order, (i) => chosen.counts[i] ?? 0);
  const flat = flatTop(counts, chosen);
  if (flat !== undefined) return noLine('saturated', `the top of the line is flat over ${flat} pixels: saturated`);
  // Numbers of unknown scale may have lost their background, and with it what says how noisy they are: no pixel counts for more than this.
  const least = chosen.relative ? LEAST_OF_TOP * counts.reduce((a, b) => Math.max(a, b), 0) : 0.25;
  return withoutSpikes({
    x: Float64Array.from(order, (i) => (chosen.wavelength[i] ?? 0) * 1e9),
    counts,
    weights: params.weights ?? 'poisson',
    readVariance: chosen.readVariance?.[0] ?? 0,
    leastVariance: least,
    columns: order.map((i) => chosen.columns[i] ?? -1),
    masked: chosen.masked,
    relative: chosen.relative,
    warnings: chosen.warnings,
    window: chosen.window,
  });
}

const LEAST_OF_TOP = 0.002;
const FLAT = 3;
const LEAST_FLAT = 1000;

/** How many neighbours share the largest value, where that can only be the converter's end: of a file that does not name its limit. */
function flatTop(counts: Float64Array, { masked }: Pixels): number | undefined {
  if (masked.some((m) => m.why === 'saturated')) return undefined;
  let top = Number.NEGATIVE_INFINITY;
  for (const c of counts) top = Math.max(top, c);
  let [run, longest] = [0, 0];
  for (const c of counts) {
    run = c === top ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return longest >= FLAT && top >= LEAST_FLAT ? longest : undefined;
}

export interface Peak {
  readonly at: number;
  /** Index among the pixels. */
  readonly index: number;
  readonly hwhm: number;
  /** Counts above the quarter of the pixels that has least. */
  readonly height: number;
}

/** The highest pixel between two wavelengths (nm), single hot ones passed over, and half of its line's width on the side away from others. */
export function highest({ x, counts }: LineProblem, [low, high]: readonly [number, number]): Peak | undefined {
  const inside = [...x.keys()].filter((i) => (x[i] ?? 0) >= low && (x[i] ?? 0) <= high);
  if (inside.length < 5) return undefined;
  const smooth = (i: number): number =>
    middleOf(counts[i - 1] ?? Number.NEGATIVE_INFINITY, counts[i] ?? 0, counts[i + 1] ?? Number.NEGATIVE_INFINITY);
  let index = inside[0] ?? 0;
  for (const i of inside) if (smooth(i) > smooth(index)) index = i;
  const sorted = Float64Array.from(inside, (i) => counts[i] ?? 0).sort();
  const base = sorted[sorted.length >> 2] ?? 0;
  const half = (smooth(index) + base) / 2;
  let end = index;
  while (end < x.length - 1 && smooth(end) > half) end++;
  const step = ((x[x.length - 1] ?? 0) - (x[0] ?? 0)) / (x.length - 1);
  return {
    at: x[index] ?? 0,
    index,
    height: smooth(index) - base,
    hwhm: Math.min(3, Math.max(1.5 * step, (x[end] ?? 0) - (x[index] ?? 0))),
  };
}

const middleOf = (a: number, b: number, c: number): number => Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));

const HOT_SIGMAS = 8;
const MOST_HOT = 0.02;
/** A line that is sampled at all gives its neighbours more than this share of its top. */
const LEAST_SHARE = 0.4;

/** The pixels without single ones that stand alone (cosmic rays, hot pixels): they would be taken for lines. */
function withoutSpikes(pixels: LinePixels): LinePixels {
  const { counts } = pixels;
  const sorted = counts.toSorted();
  const base = sorted[sorted.length >> 2] ?? 0;
  const noise = noiseOfCurve(counts);
  const spikes = new Set<number>();
  for (let i = 1; i < counts.length - 1; i++) {
    const beside = Math.max(counts[i - 1] ?? 0, counts[i + 1] ?? 0);
    const value = counts[i] ?? 0;
    if (value - beside > 2 * HOT_SIGMAS * noise && beside - base < LEAST_SHARE * (value - base)) spikes.add(i);
  }
  return spikes.size === 0 || spikes.size > MOST_HOT * counts.length + 1 ? pixels : leftOut(pixels, spikes);
}

function leftOut(pixels: LinePixels, hot: ReadonlySet<number>): LinePixels {
  const keep = [...pixels.columns.keys()].filter((i) => !hot.has(i));
  return {
    ...pixels,
    x: Float64Array.from(keep, (i) => pixels.x[i] ?? 0),
    counts: Float64Array.from(keep, (i) => pixels.counts[i] ?? 0),
    columns: keep.map((i) => pixels.columns[i] ?? -1),
    masked: [
      ...pixels.masked,
      ...[...hot].map((i) => ({ column: pixels.columns[i] ?? -1, wavelength: (pixels.x[i] ?? 0) / 1e9, why: 'hot pixel' as const })),
    ],
  };
}

/** The pixels without single ones 8 sigma off the fit while their neighbours are not (cosmic rays, hot pixels); undefined when there are none. */
export function withoutHot(pixels: LinePixels, fit: LineFit): LinePixels | undefined {
  const spread = pixels.weights === 'none' ? Math.sqrt(fit.chi2 / fit.dof) : 1;
  const off = fit.expected.map((mu, i) => Math.abs((pixels.counts[i] ?? 0) - mu) / (Math.sqrt((fit.variance[i] ?? 0) + 1e-30) * spread));
  const usual = 1.4826 * (off.toSorted()[off.length >> 1] ?? 0);
  const limit = HOT_SIGMAS * (pixels.relative ? usual : Math.max(1, usual));
  const hot = new Set<number>();
  off.forEach((z, i) => {
    if (z > limit && z > 3 * Math.max(off[i - 1] ?? 0, off[i + 1] ?? 0)) hot.add(i);
  });
  if (hot.size === 0 || hot.size > MOST_HOT * off.length + 1) return undefined;
  return leftOut(pixels, hot);
}

/** How far a line stands out of the noise, everything else being known. */
export function signalToNoise({ x }: LineProblem, fit: LineFit, of: (at: number) => number, relative: boolean): number {
  let square = 0;
  for (let i = 0; i < x.length; i++) square += of(x[i] ?? 0) ** 2 / (fit.variance[i] ?? 1);
  return Math.sqrt(square / spreadOf(fit, relative));
}

/** By what the variances are wrong: chi2 per degree of freedom, below 1 only where the scale of the counts is not known. */
export function spreadOf({ chi2, dof }: LineFit, relative: boolean): number {
  const ratio = chi2 / Math.max(1, dof);
  return Math.max(relative ? ratio : Math.max(1, ratio), Number.MIN_VALUE);
}

/** Half widths of window beyond a line's centre below which its wings are not seen at all, and below which they are seen badly. */
const LEAST_WING = 2;
const GOOD_WING = 4;

/** Whether the pixels reach far enough beyond a line on one side: 'cut', 'short' or 'seen'. */
export function wing({ x }: LineProblem, line: Profile, side: 'below' | 'above'): 'cut' | 'short' | 'seen' {
  const room = side === 'below' ? line.centre - (x[0] ?? 0) : (x[x.length - 1] ?? 0) - line.centre;
  return room < LEAST_WING * line.hwhm ? 'cut' : room < GOOD_WING * line.hwhm ? 'short' : 'seen';
}

/** How many saturated columns lie where a line has more than a fifth of its height. */
export function saturatedIn(masked: readonly Masked[], lines: readonly Profile[]): number {
  return masked.filter((m) => m.why === 'saturated' && lines.some((l) => Math.abs(m.wavelength * 1e9 - l.centre) < 2 * l.hwhm)).length;
}
