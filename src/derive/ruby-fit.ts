/** The ruby doublet in a spectrum: R1 and R2 with every uncertainty, or why there is none to be trusted. */
import { noiseOfCurve, type SpectralFrame } from './calibration.ts';
import type { Known } from './gauge.ts';
import { fitLines, type LineFit, type NoLineFit } from './line-fit.ts';
import {
  highest,
  type LineParams,
  type LinePixels,
  linePixels,
  type NoLine,
  noLine,
  type Peak,
  saturatedIn,
  signalToNoise,
  spreadOf,
  wing,
  withoutHot,
} from './line-pixels.ts';
import { type Profile, pseudoVoigt } from './pseudo-voigt.ts';
import type { Masked } from './spectrum.ts';

/** A fitted line; lengths in metre. */
export interface Line {
  readonly centre: Known;
  readonly fwhm: Known;
  /** 0: Gauss, 1: Lorentz. */
  readonly lorentz: number;
  /** Electrons in the line. */
  readonly electrons: number;
}

export interface FitAccount {
  /** Electrons per column under the line, and their slope per metre. */
  readonly background: number;
  readonly backgroundSlope: number;
  readonly chi2: number;
  readonly dof: number;
  /** True: the noise is that of the residuals, as the scale of the counts is not known. */
  readonly relative: boolean;
  readonly signalToNoise: number;
  readonly weights: 'poisson' | 'none';
  readonly window: readonly [number, number];
  readonly pixels: number;
  readonly masked: readonly Masked[];
  readonly iterations: number;
  readonly warnings: readonly string[];
  readonly suspect?: string;
}

export interface RubyLines extends FitAccount {
  readonly r1: Line;
  readonly r2: Line;
  /** R1 - R2 (m): a hint of deviatoric stress. */
  readonly split: Known;
  /** Electrons in R2 over those in R1. */
  readonly ratio: number;
}

/** Where R1 can be: 693.3 nm at 20 K, 736 nm at 150 GPa. */
const SEARCH = [690, 760] as const;
const SPLIT = 1.44;
/** nm: outside of this the two lines are not R1 and R2. */
const SPLITS = [1.2, 1.8] as const;
const LEAST_SIGNAL = 10;
const LEAST_SECOND = 5;
/** R2 has about half of R1's light at room temperature and a third at 80 K. */
const LEAST_RATIO = 0.08;
const MOST_CHI2 = 5;
const MOST_MISFIT = 3;

/** Never throws for what the frame holds; rows and window are checked too. */
export function fitRuby(frame: SpectralFrame, params: LineParams): RubyLines | NoLine {
  const window = params.window ?? aroundPeak(frame, params);
  if ('refused' in window) return window;
  const pixels = linePixels(frame, params, window);
  if ('refused' in pixels) return pixels;
  const peak = highest(pixels, [window[0] * 1e9 - 1, window[1] * 1e9 + 1]);
  if (!peak) return { ...noLine('too-few-pixels', 'too few pixels in the window to see a line'), masked: pixels.masked };
  const found = doublet(pixels, peak);
  return 'refused' in found ? { ...found, masked: pixels.masked } : found;
}

/** From 5 nm below to 3.5 nm above the strongest line, further when it is broad. */
function aroundPeak(frame: SpectralFrame, params: LineParams): readonly [number, number] | NoLine {
  const all = linePixels(frame, params, undefined);
  if ('refused' in all) return all;
  const peak = highest(all, SEARCH);
  if (!peak) return noLine('no-overlap', `the spectrum has no pixels between ${SEARCH[0]} and ${SEARCH[1]} nm, where ruby fluoresces`);
  const wide = Math.max(1, peak.hwhm / 0.35);
  return [(peak.at - 5 * wide) / 1e9, (peak.at + 3.5 * wide) / 1e9];
}

function doublet(first: LinePixels, peak: Peak): RubyLines | NoLine {
  if (!(peak.height > 0)) return noLine('low-signal', 'no line: all pixels of the window have the same');
  if (peak.index < 2 || peak.index > first.x.length - 3) {
    return noLine('wings-cut', `the strongest line is at the end of the window, ${peak.at.toFixed(2)} nm: widen the window`);
  }
  let pixels = first;
  let fit = best(pixels, peak);
  if ('refused' in fit) return noLine('no-convergence', fit.refused);
  const clean = withoutHot(pixels, fit);
  if (clean) {
    const again = best(clean, peak);
    if (!('refused' in again)) [pixels, fit] = [clean, again];
  }
  const [r1, r2] = byPlace(fit.lines);
  const wrong = refused(pixels, fit, r1, r2);
  return wrong ?? measured(pixels, fit, r1, r2);
}

const byPlace = (lines: readonly Profile[]): readonly [Profile, Profile] => {
  const [a, b] = lines as readonly [Profile, Profile]; // two went in
  return a.centre >= b.centre ? [a, b] : [b, a];
};

const looksLikeRuby = ([r1, r2]: readonly [Profile, Profile]): boolean => {
  const split = r1.centre - r2.centre;
  return split >= SPLITS[0] && split <= SPLITS[1] && r2.area < r1.area && r2.area > LEAST_RATIO * r1.area;
};

/** The highest pixel may belong to R1 or, where something is wrong, to R2: other starts are tried only when the first gives no doublet. */
function best(pixels: LinePixels, { at, hwhm }: Peak): LineFit | NoLineFit {
  const pair = (centre: number, width: number): readonly Profile[] => [
    { area: 1, centre, hwhm: width, lorentz: 0.8 },
    { area: 0.5, centre: centre - SPLIT, hwhm: width, lorentz: 0.6 },
  ];
  const plain = fitLines(pixels, pair(at, hwhm));
  if (!('refused' in plain) && looksLikeRuby(byPlace(plain.lines))) return plain;
  let found = plain;
  for (const start of [pair(at, Math.min(hwhm, 0.3)), pair(at + SPLIT, hwhm), pair(at, Math.min(0.7, 2 * hwhm))]) {
    const other = fitLines(pixels, start);
    if ('refused' in other) continue;
    if ('refused' in found || other.chi2 < found.chi2 * (1 - 1e-6)) found = other;
  }
  return found;
}

function refused(pixels: LinePixels, fit: LineFit, r1: Profile, r2: Profile): NoLine | undefined {
  const { relative, masked } = pixels;
  const nm = (l: number): string => `${l.toFixed(2)} nm`;
  const signal = (line: Profile): number => signalToNoise(pixels, fit, (x) => pseudoVoigt(line, x), relative);
  const [strong, weak] = r1.area >= r2.area ? [r1, r2] : [r2, r1];
  const strength = signal(strong);
  if (!(strength >= LEAST_SIGNAL)) {
    return noLine('low-signal', `no line: the signal-to-noise ratio ${strength.toFixed(1)} of the strongest is below ${LEAST_SIGNAL}`);
  }
  const full = saturatedIn(masked, [r1, r2]);
  if (full > 0) return noLine('saturated', `${full} pixels of the lines are saturated: shorten the exposure`);
  const cut = (line: Profile, side: 'above' | 'below'): NoLine | undefined =>
    wing(pixels, line, side) === 'cut'
      ? noLine(
          'wings-cut',
          `the window ends too close ${side} the line at ${nm(line.centre)}: widen it to ${nm(2 * line.hwhm)} beyond, or more`,
        )
      : undefined;
  const strongCut = cut(strong, 'above') ?? cut(strong, 'below');
  if (strongCut) return strongCut;
  const second = strong.centre - SPLIT - strong.hwhm;
  if (strong === r1 && (pixels.x[0] ?? 0) > second)
    return noLine(
      'wings-cut',
      `the window begins too late to hold R2 beside the line at ${nm(strong.centre)}: widen it to below ${nm(second)}`,
    );
  const split = r1.centre - r2.centre;
  // A background that is not straight is no line either.
  const near = split > SPLITS[0] / 2 && split < 2 * SPLITS[1];
  if (!(near && signal(weak) >= LEAST_SECOND && weak.area > LEAST_RATIO * strong.area)) {
    return noLine('one-line', `only one line stands out, at ${nm(strong.centre)}: ruby has two, ${SPLIT} nm apart`);
  }
  if (!(split >= SPLITS[0] && split <= SPLITS[1])) {
    const wanted = `those of ruby ${SPLITS[0]} to ${SPLITS[1]} nm`;
    return noLine('not-ruby', `the lines at ${nm(r2.centre)} and ${nm(r1.centre)} are ${nm(split)} apart: ${wanted}`);
  }
  const weakCut = cut(weak, 'above') ?? cut(weak, 'below');
  if (weakCut) return weakCut;
  if (!(r2.area < r1.area)) {
    const text = `the line at ${nm(r2.centre)} has more light than that at ${nm(r1.centre)}`;
    return noLine('not-ruby', `${text}: R1 and R2 of ruby have it the other way round`);
  }
  return undefined;
}

/** Indices of a parameter of the line at `k` among the fit's parameters. */
const CENTRE = 1;
const WIDTH = 2;

function measured(pixels: LinePixels, fit: LineFit, r1: Profile, r2: Profile): RubyLines {
  const [k1, k2] = fit.lines[0] === r1 ? [0, 1] : [1, 0];
  const covariance = (a: number, ofA: number, b: number, ofB: number): number => fit.covariance[2 + 4 * a + ofA]?.[2 + 4 * b + ofB] ?? 0;
  const spread = spreadOf(fit, pixels.relative || pixels.weights === 'none');
  const known = (value: number, variance: number): Known => ({ value: value / 1e9, sigma: { random: Math.sqrt(variance * spread) / 1e9 } });
  const step = ((pixels.x[pixels.x.length - 1] ?? 0) - (pixels.x[0] ?? 0)) / (pixels.x.length - 1);
  const line = (profile: Profile, k: number): Line => ({
    centre: known(profile.centre, covariance(k, CENTRE, k, CENTRE)),
    fwhm: known(2 * profile.hwhm, 4 * covariance(k, WIDTH, k, WIDTH)),
    lorentz: profile.lorentz,
    electrons: profile.area / step,
  });
  const splitVariance = covariance(k1, CENTRE, k1, CENTRE) + covariance(k2, CENTRE, k2, CENTRE) - 2 * covariance(k1, CENTRE, k2, CENTRE);
  const suspect = doubts(pixels, fit, r1, r2);
  return {
    r1: line(r1, k1),
    r2: line(r2, k2),
    split: known(r1.centre - r2.centre, splitVariance),
    ratio: r2.area / r1.area,
    ...account(pixels, fit, [r1, r2]),
    ...(suspect === undefined ? {} : { suspect }),
  };
}

/** What every fit of lines says beside its lines. */
export function account(pixels: LinePixels, fit: LineFit, lines: readonly Profile[]): Omit<FitAccount, 'suspect'> {
  const relative = pixels.relative || pixels.weights === 'none';
  const [strong] = lines;
  return {
    background: fit.level + fit.slope * ((strong?.centre ?? fit.middle) - fit.middle),
    backgroundSlope: fit.slope * 1e9,
    chi2: fit.chi2 / Math.max(1, fit.dof),
    dof: fit.dof,
    relative,
    signalToNoise: signalToNoise(pixels, fit, (x) => lines.reduce((sum, l) => sum + pseudoVoigt(l, x), 0), relative),
    weights: pixels.weights,
    window: pixels.window,
    pixels: pixels.x.length,
    masked: pixels.masked,
    iterations: fit.iterations,
    warnings: pixels.warnings,
  };
}

function doubts(pixels: LinePixels, fit: LineFit, r1: Profile, r2: Profile): string | undefined {
  const found = fitDoubts(pixels, fit);
  if (wing(pixels, r1, 'above') === 'short') found.push('the window ends close above R1');
  if (wing(pixels, r2, 'below') === 'short') found.push('the window ends close below R2');
  return found.length > 0 ? found.join('; ') : undefined;
}

/** What is left by the fit over what neighbouring pixels differ by: says where a fit is wrong though the scale of the counts is not known. */
function misfitOf({ counts }: LinePixels, fit: LineFit): number {
  const rest = counts.map((c, i) => c - (fit.expected[i] ?? 0));
  const rms = Math.sqrt(rest.reduce((sum, r) => sum + r * r, 0) / Math.max(1, fit.dof));
  const noise = noiseOfCurve(rest);
  return rms > 1e-6 * Math.max(1, fit.level) && noise > 0 ? rms / noise : 0;
}

/** What makes any fit of lines doubtful. */
export function fitDoubts(pixels: LinePixels, fit: LineFit): string[] {
  const chi2 = fit.chi2 / Math.max(1, fit.dof);
  const found: string[] = [];
  if (!pixels.relative && pixels.weights === 'poisson' && chi2 > MOST_CHI2)
    found.push(`chi2/dof ${chi2.toFixed(1)}: the model does not describe the spectrum`);
  const misfit = misfitOf(pixels, fit);
  if (misfit > MOST_MISFIT)
    found.push(`the fit leaves ${misfit.toFixed(1)} times the noise of the pixels: the model does not describe the spectrum`);
  for (const cause of ['saturated', 'hot pixel'] as const) {
    const count = pixels.masked.filter((m) => m.why === cause).length;
    if (count > 0) found.push(`${count} px ${cause}`);
  }
  return found;
}
