/** From a detector frame to a temperature with every term of its error bar, or a refusal that says why there is none. */
import type { Calibration, SpectralFrame } from './calibration.ts';
import { linearized } from './linearity.ts';
import { fitPlanck, type NoFit, poissonDeviance } from './planck.ts';
import { EXACT, TRAX } from './radiance.ts';
import {
  type Cause,
  choosePixels,
  type Masked,
  type PixelChoice,
  type PixelSet,
  type Pixels,
  type Refusal,
  refusal,
  traxSpectrum,
} from './spectrum.ts';
import { lampColour, pathMismatch, slopeSensitivity, upperLimit } from './terms.ts';
import { fitUnweighted } from './unweighted.ts';
import { slidingTwoColour, type TwoColour, type WienFit, wienFit } from './wien.ts';

/** 'ml': counts, weights from the model. 'trax': as the program T-Rax. 'unweighted', 'wien': corrected spectrum, exact constants. */
export const METHODS = ['ml', 'trax', 'unweighted', 'wien'] as const;
export type Method = (typeof METHODS)[number];

export interface TemperatureParams extends PixelChoice {
  readonly method?: Method;
  readonly background?: 'constant';
  /** One sigma of the lamp's temperature (K). */
  readonly lampSigma?: number;
  /** One sigma of the sample's emissivity slope: relative change per 150 nm. */
  readonly emissivitySlope?: number;
  /** One sigma from run to run (K). */
  readonly reproducibility?: number;
  /** Uses a calibration of another optical path, with a warning, instead of refusing. */
  readonly anyPath?: boolean;
}

/** Kelvin, one sigma each, independent of one another. */
export interface ErrorTerms {
  /** Fisher information (or regression), widened by sqrt(chi2/dof) where that is above 1. */
  readonly statistical: number;
  readonly lamp: number;
  /** Half the spread of fits over the whole window, its lower and its upper two thirds. */
  readonly window: number;
  readonly emissivity: number;
  readonly reproducibility: number;
}

export interface Temperature {
  readonly method: Method;
  readonly constants: string;
  readonly temperature: number;
  /** All terms together; in mode 'trax' what T-Rax quotes, which is the statistical term alone. */
  readonly sigma: number;
  readonly terms: ErrorTerms;
  /** One sigma by the noise model alone (K), not widened; method 'ml'. */
  readonly fisher?: number;
  /** Emissivity-like: rate over (lamp rate / lamp radiance) over Planck. In mode 'trax' its scale of the renormalised spectrum. */
  readonly factor: number;
  /** Electrons per pixel column. */
  readonly background: number;
  /** Per degree of freedom; undefined where the method has no noise model. */
  readonly chi2?: number;
  readonly dof: number;
  readonly deviance?: number;
  /** Electrons in the window. */
  readonly signal: number;
  readonly signalToNoise: number;
  readonly window: readonly [number, number];
  readonly pixels: number;
  readonly masked: readonly Masked[];
  readonly readNoise?: number;
  readonly wien?: WienFit;
  readonly twoColour: TwoColour;
  /** Shift of T (K) by an emissivity that rises 1 % per 150 nm. */
  readonly sensitivity: number;
  readonly lampTemperature?: number;
  readonly iterations: number;
  readonly warnings: readonly string[];
  /** Why the result deserves a second look; absent when nothing speaks against it. */
  readonly suspect?: string;
}

export interface NoTemperature extends Refusal {
  /** K, 3 sigma, for an emissivity-like factor of 0.1 or more. */
  readonly upperLimit?: number;
  /** What had been left out before the refusal, where it came that far. */
  readonly masked?: readonly Masked[];
}

/** Below this a fit would return its start value or noise. */
const LEAST_SIGNAL_TO_NOISE = 10;
/** Above this the model plainly does not describe the spectrum, whatever the bar says. */
const MOST_CHI2 = 5;

/** Never throws for what the frame holds; what is asked of it (rows, window) is checked too. */
export function measureTemperature(given: SpectralFrame, asked: TemperatureParams): Temperature | NoTemperature {
  const straight = linearized(given, asked.dark);
  const frame = typeof straight === 'string' ? given : straight;
  const params = asked.calibration ? { ...asked, calibration: straightened(asked.calibration) } : asked;
  const chosen = choosePixels(frame, params);
  if ('refused' in chosen) return chosen;
  const result = measured(frame, params, chosen);
  if ('refused' in result) return { ...result, masked: chosen.masked };
  return typeof straight === 'string' ? doubted(result, straight) : result;
}

const doubted = (result: Temperature, why: string): Temperature => ({
  ...result,
  suspect: result.suspect === undefined ? why : `${result.suspect}; ${why}`,
});

/** The lamp's frame with the non-linearity of the detector taken out, once for each calibration. */
const straight = new WeakMap<Calibration, Calibration>();
function straightened(calibration: Calibration): Calibration {
  const known = straight.get(calibration);
  if (known) return known;
  const frame = linearized(calibration.frame, calibration.dark);
  const made = typeof frame === 'string' || frame === calibration.frame ? calibration : { ...calibration, frame };
  straight.set(calibration, made);
  return made;
}

function measured(frame: SpectralFrame, params: TemperatureParams, chosen: Pixels): Temperature | NoTemperature {
  const method = params.method ?? 'ml';
  const signal = sum(chosen.counts);
  const noise = Math.sqrt(Math.max(signal, 0) + sum(chosen.readVariance ?? []));
  if (!chosen.relative && !(signal / noise >= LEAST_SIGNAL_TO_NOISE)) return noTemperature(signal, noise, chosen, params.calibration);
  const path = params.calibration ? pathMismatch(frame, params.calibration.frame) : undefined;
  if (path && !params.anyPath && method !== 'trax') return refusal('path-mismatch', `the calibration is of another optical path: ${path}`);
  const trax = method === 'trax' ? traxSpectrum(frame, params) : undefined;
  if (trax && 'refused' in trax) return trax;
  const hot = method === 'ml' && !chosen.relative ? withoutHot(chosen, params.background) : chosen;
  const pixels = trax ?? hot;
  const fit = fitBy(method, pixels, chosen.relative, params.background);
  if ('refused' in fit) return refusal('no-convergence', fit.refused);
  const spread = chosen.relative && fit.chi2 !== undefined ? Math.max(Math.sqrt(fit.chi2), 1e-12) : 1;
  const signalToNoise = signal / (noise * spread);
  if (!(signalToNoise >= LEAST_SIGNAL_TO_NOISE)) return noTemperature(signal, noise * spread, chosen, params.calibration);
  // One cosmic hit in the dark passes for a signal; what it is the temperature of it cannot say.
  if (method === 'ml' && fit.sigma > fit.temperature / 2)
    return refusal(
      'low-signal',
      `no temperature: ${Math.round(fit.temperature)} K with an error of ${Math.round(fit.sigma)} K says nothing`,
    );
  const warnings = [...chosen.warnings];
  const window = windowTerm(method, pixels, chosen.relative, params.background, fit.temperature);
  if (window === undefined) warnings.push('parts of the window alone give no temperature: no window term');
  const lampTemperature = params.calibration ? lampColour(params.calibration.lamp, pixels.wavelength)?.temperature : undefined;
  const sensitivity = slopeSensitivity(pixels.wavelength, fit.strength, fit.temperature);
  if (params.calibration && params.lampSigma === undefined) warnings.push('the lamp uncertainty is not given: no lamp term');
  if (params.emissivitySlope === undefined) warnings.push('the emissivity slope is not given: no emissivity term');
  const terms: ErrorTerms = {
    statistical: fit.sigma,
    lamp: lampTemperature === undefined ? 0 : (fit.temperature / lampTemperature) ** 2 * (params.lampSigma ?? 0),
    window: window ?? 0,
    emissivity: Math.abs(sensitivity) * ((params.emissivitySlope ?? 0) / 0.01),
    reproducibility: params.reproducibility ?? 0,
  };
  const masked = trax ? trax.masked : hot.masked;
  const suspect = doubts(fit.chi2, chosen, masked, path, method, window);
  const { sigma: _, strength: __, ...core } = fit;
  return {
    method,
    constants: method === 'trax' ? TRAX.name : EXACT.name,
    ...core,
    sigma: method === 'trax' ? terms.statistical : Math.hypot(...Object.values(terms)),
    terms,
    signal,
    signalToNoise,
    window: chosen.window,
    pixels: pixels.columns.length,
    masked,
    ...(chosen.readNoise === undefined ? {} : { readNoise: chosen.readNoise }),
    ...diagnostics(hot),
    sensitivity,
    ...(lampTemperature === undefined ? {} : { lampTemperature }),
    warnings,
    ...(suspect === undefined ? {} : { suspect }),
  };
}

interface Fitted {
  readonly temperature: number;
  readonly sigma: number;
  readonly fisher?: number;
  readonly factor: number;
  readonly background: number;
  readonly chi2?: number;
  readonly dof: number;
  readonly deviance?: number;
  readonly iterations: number;
  /** How much each pixel weighs in ln(counts): for first-order shifts. */
  readonly strength: ArrayLike<number>;
}

function fitBy(method: Method, set: PixelSet, relative: boolean, background: 'constant' | undefined): Fitted | NoFit {
  const { wavelength, counts, response, readVariance, lampVariance } = set;
  if (method === 'ml') {
    const noise = {
      ...(readVariance ? { readVariance } : {}),
      ...(lampVariance ? { lampVariance } : {}),
      ...(background ? { background } : {}),
    };
    const fit = fitPlanck({ wavelength, response, counts, ...noise });
    if ('refused' in fit) return fit;
    const chi2 = fit.chi2 / fit.dof;
    const sigma = fit.sigma * Math.sqrt(relative ? chi2 : Math.max(1, chi2));
    const strength = fit.expected.map((mu, i) => (mu - fit.background) ** 2 / (fit.variance[i] ?? 1));
    const { temperature, factor, dof, iterations } = fit;
    const known = readVariance || lampVariance || background ? Number.NaN : poissonDeviance(counts, fit.expected);
    const deviance = Number.isNaN(known) ? {} : { deviance: known };
    return { temperature, sigma, fisher: fit.sigma, factor, background: fit.background, chi2, dof, ...deviance, iterations, strength };
  }
  const corrected = counts.map((n, i) => n / (response[i] ?? 1));
  if (method === 'wien') {
    const fit = wienFit(wavelength, corrected);
    if (!fit) return { refused: 'too few pixels with a positive signal for a Wien fit' };
    const strength = Float64Array.from(corrected, (y) => (y > 0 ? 1 : 0));
    const { temperature, sigma, emissivity, lost } = fit;
    return { temperature, sigma, factor: emissivity, background: 0, dof: wavelength.length - lost - 2, iterations: 1, strength };
  }
  const fit = fitUnweighted(wavelength, corrected, method === 'trax' ? TRAX : EXACT);
  if ('refused' in fit) return fit;
  const { temperature, sigma, factor, iterations } = fit;
  return { temperature, sigma, factor, background: 0, dof: wavelength.length - 2, iterations, strength: fit.expected.map((y) => y * y) };
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i] as number; // i < length
  return total;
}

function noTemperature(signal: number, noise: number, pixels: Pixels, calibration: Calibration | undefined): NoTemperature {
  const most = Math.max(signal, 0) + 3 * noise;
  const limit = calibration ? upperLimit(pixels, calibration, most) : undefined;
  const ratio = noise > 0 ? signal / noise : 0;
  const below = `no temperature: the signal-to-noise ratio ${ratio.toFixed(1)} is below ${LEAST_SIGNAL_TO_NOISE}`;
  if (limit === undefined) return refusal('low-signal', `${below}; upper limit of the signal ${most.toPrecision(3)} electrons (3 sigma)`);
  const text = `${below}; upper limit ${Math.round(limit)} K (3 sigma, for an emissivity-like factor of 0.1 or more)`;
  return { ...refusal('low-signal', text), upperLimit: limit };
}

/** The same fit over two thirds of the window, from below and from above; half the spread of all three. */
function windowTerm(
  method: Method,
  set: PixelSet,
  relative: boolean,
  background: 'constant' | undefined,
  whole: number,
): number | undefined {
  const [lo, hi] = [Math.min(...set.wavelength), Math.max(...set.wavelength)];
  const third = (hi - lo) / 3;
  const parts = [(l: number): boolean => l <= hi - third, (l: number): boolean => l >= lo + third];
  const found = [whole];
  for (const inside of parts) {
    const fit = fitBy(
      method,
      subset(set, (i) => inside(set.wavelength[i] ?? 0)),
      relative,
      background,
    );
    if (!('refused' in fit)) found.push(fit.temperature);
  }
  return found.length > 1 ? (Math.max(...found) - Math.min(...found)) / 2 : undefined;
}

function subset<S extends PixelSet>(set: S, keep: (i: number) => boolean): S {
  const kept = [...set.columns.keys()].filter(keep);
  const pick = (from: Float64Array): Float64Array => {
    const out = new Float64Array(kept.length);
    for (let i = 0; i < out.length; i++) out[i] = from[kept[i] as number] as number; // kept holds indices of these arrays
    return out;
  };
  return {
    ...set,
    columns: kept.map((i) => set.columns[i] ?? -1),
    wavelength: pick(set.wavelength),
    counts: pick(set.counts),
    response: pick(set.response),
    ...(set.readVariance ? { readVariance: pick(set.readVariance) } : {}),
    ...(set.lampVariance ? { lampVariance: pick(set.lampVariance) } : {}),
  };
}

const HOT_SIGMAS = 8;
const MOST_HOT = 0.02;

/** Leaves out single columns that stand 8 sigma off the fit while their neighbours do not: cosmic rays and hot pixels. */
function withoutHot(pixels: Pixels, background: 'constant' | undefined): Pixels {
  const noise = {
    ...(pixels.readVariance ? { readVariance: pixels.readVariance } : {}),
    ...(pixels.lampVariance ? { lampVariance: pixels.lampVariance } : {}),
  };
  const fit = fitPlanck({ ...pixels, ...noise, ...(background ? { background } : {}) });
  if ('refused' in fit) return pixels;
  // One more electron^2 of variance: where the model has next to none, a single electron is no hot pixel.
  const off = fit.expected.map((mu, i) => Math.abs((pixels.counts[i] ?? 0) - mu) / Math.sqrt((fit.variance[i] ?? 0) + 1));
  const usual = Math.max(1, 1.4826 * (off.toSorted()[off.length >> 1] ?? 0));
  const hot = new Set<number>();
  off.forEach((z, i) => {
    if (z > HOT_SIGMAS * usual && z > 2 * Math.max(off[i - 1] ?? 0, off[i + 1] ?? 0)) hot.add(i);
  });
  if (hot.size === 0 || hot.size > MOST_HOT * off.length + 1) return pixels;
  const masked = [...hot].map((i) => ({
    column: pixels.columns[i] ?? -1,
    wavelength: pixels.wavelength[i] ?? Number.NaN,
    why: 'hot pixel' as const,
  }));
  return { ...subset(pixels, (i) => !hot.has(i)), masked: [...pixels.masked, ...masked] };
}

/** Wien fit and two-colour temperatures, a quarter of the window apart. */
function diagnostics({ wavelength, counts, response, readVariance }: PixelSet): { readonly wien?: WienFit; readonly twoColour: TwoColour } {
  const corrected = counts.map((n, i) => n / (response[i] ?? 1));
  const noise = counts.map((n, i) => Math.sqrt(Math.max(n, 0) + (readVariance?.[i] ?? 0)) / (response[i] ?? 1));
  const wien = wienFit(wavelength, corrected);
  const twoColour = slidingTwoColour(wavelength, corrected, Math.max(1, Math.round(wavelength.length / 4)), noise);
  return { ...(wien ? { wien } : {}), twoColour };
}

function doubts(
  chi2: number | undefined,
  { relative, columns, offered }: Pixels,
  masked: readonly Masked[],
  path: string | undefined,
  method: Method,
  window: number | undefined,
): string | undefined {
  const found: string[] = [];
  const of = (cause: Cause): number => masked.filter((m) => m.why === cause).length;
  if (path) found.push(`calibration of another optical path: ${path}`);
  if (chi2 !== undefined && !relative && chi2 > MOST_CHI2)
    found.push(`chi2/dof ${chi2.toFixed(1)}: the model does not describe the spectrum`);
  if (method !== 'trax' && columns.length < offered / 2) found.push(`only ${columns.length} of ${offered} pixels are usable`);
  for (const cause of ['saturated', 'lamp saturated', 'hot pixel'] as const) if (of(cause) > 0) found.push(`${of(cause)} px ${cause}`);
  if (window === undefined) found.push('no window term');
  return found.length > 0 ? found.join('; ') : undefined;
}
