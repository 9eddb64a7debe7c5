/** The 0-0 line of SrB4O7:Sm2+ in a spectrum, with its uncertainty, or why there is none to be trusted. */
import type { SpectralFrame } from './calibration.ts';
import type { Known } from './gauge.ts';
import { fitLines } from './line-fit.ts';
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
import { account, type FitAccount, fitDoubts, type Line } from './ruby-fit.ts';

export interface SamariumLine extends FitAccount {
  readonly line: Line;
}

/** nm: 685.4 at ambient, 711 at 80 GPa. */
const SEARCH = [683, 725] as const;
const LEAST_SIGNAL = 10;

/** Never throws for what the frame holds; rows and window are checked too. */
export function fitSamarium(frame: SpectralFrame, params: LineParams): SamariumLine | NoLine {
  let { window } = params;
  if (!window) {
    const all = linePixels(frame, params, undefined);
    if ('refused' in all) return all;
    const peak = highest(all, SEARCH);
    if (!peak)
      return noLine('no-overlap', `the spectrum has no pixels between ${SEARCH[0]} and ${SEARCH[1]} nm, where SrB4O7:Sm fluoresces`);
    const reach = Math.max(2.5, 12 * peak.hwhm);
    window = [(peak.at - reach) / 1e9, (peak.at + reach) / 1e9];
  }
  const pixels = linePixels(frame, params, window);
  if ('refused' in pixels) return pixels;
  const peak = highest(pixels, [window[0] * 1e9 - 1, window[1] * 1e9 + 1]);
  const found = peak ? single(pixels, peak) : noLine('too-few-pixels', 'too few pixels in the window to see a line');
  return 'refused' in found ? { ...found, masked: pixels.masked } : found;
}

function single(first: LinePixels, { at, index, hwhm, height }: Peak): SamariumLine | NoLine {
  if (!(height > 0)) return noLine('low-signal', 'no line: all pixels of the window have the same');
  if (index < 2 || index > first.x.length - 3)
    return noLine('wings-cut', `the strongest line is at the end of the window, ${at.toFixed(2)} nm: widen the window`);
  let pixels = first;
  const start = [{ area: 1, centre: at, hwhm, lorentz: 0.8 }];
  let fit = fitLines(pixels, start);
  if ('refused' in fit) return noLine('no-convergence', fit.refused);
  const clean = withoutHot(pixels, fit);
  const again = clean ? fitLines(clean, start) : undefined;
  if (clean && again && !('refused' in again)) [pixels, fit] = [clean, again];
  const line = fit.lines[0] as Profile; // one went in
  const relative = pixels.relative || pixels.weights === 'none';
  const strength = signalToNoise(pixels, fit, (x) => pseudoVoigt(line, x), relative);
  if (!(strength >= LEAST_SIGNAL))
    return noLine('low-signal', `no line: the signal-to-noise ratio ${strength.toFixed(1)} is below ${LEAST_SIGNAL}`);
  const full = saturatedIn(pixels.masked, [line]);
  if (full > 0) return noLine('saturated', `${full} pixels of the line are saturated: shorten the exposure`);
  const doubts = fitDoubts(pixels, fit);
  for (const side of ['below', 'above'] as const) {
    const seen = wing(pixels, line, side);
    const where = `${side} the line at ${line.centre.toFixed(2)} nm`;
    if (seen === 'cut')
      return noLine('wings-cut', `the window ends too close ${where}: widen it to ${(2 * line.hwhm).toFixed(2)} nm beyond, or more`);
    if (seen === 'short') doubts.push(`the window ends close ${where}`);
  }
  const spread = spreadOf(fit, relative);
  const known = (value: number, variance: number): Known => ({ value: value / 1e9, sigma: { random: Math.sqrt(variance * spread) / 1e9 } });
  const step = ((pixels.x[pixels.x.length - 1] ?? 0) - (pixels.x[0] ?? 0)) / (pixels.x.length - 1);
  return {
    line: {
      centre: known(line.centre, fit.covariance[3]?.[3] ?? 0),
      fwhm: known(2 * line.hwhm, 4 * (fit.covariance[4]?.[4] ?? 0)),
      lorentz: line.lorentz,
      electrons: line.area / step,
    },
    ...account(pixels, fit, [line]),
    ...(doubts.length > 0 ? { suspect: doubts.join('; ') } : {}),
  };
}
