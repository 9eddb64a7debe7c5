/**
 * The high-frequency edge of the anvil's Raman band: the minimum of the spectrum's slope, by a Savitzky-Golay derivative and a parabola through
 * the minimum; its error by resampling the residuals, always with the same random numbers.
 */
import type { SpectralFrame } from './calibration.ts';
import { ramanLine, ramanShift } from './diamond-scales.ts';
import type { Known } from './gauge.ts';
import { type LineParams, linePixels, type NoLine, noLine } from './line-pixels.ts';
import { filtered, type Kernel, kernel } from './savitzky-golay.ts';
import type { Masked } from './spectrum.ts';

/** Without a window the edge is looked for from 1300 to 2200 1/cm. */
export interface EdgeParams extends Omit<LineParams, 'weights'> {
  /** Metre. */
  readonly laser: number;
  /** Half of the stretch (1/m) over which the slope is taken; 10 1/cm when absent. */
  readonly smoothing?: number;
}

export interface Edge {
  /** Raman shift (1/m): `random` from resampling, shared `smoothing` from taking the slope over shorter and longer stretches. */
  readonly shift: Known;
  /** The same as a wavelength (m). */
  readonly line: Known;
  /** Depth of the slope's minimum over its own noise. */
  readonly signalToNoise: number;
  readonly window: readonly [number, number];
  readonly pixels: number;
  readonly masked: readonly Masked[];
  readonly warnings: readonly string[];
  readonly suspect?: string;
}

export const SMOOTHING = 1000;
/** 1/m: from the unloaded anvil to 450 GPa. */
const SEARCH = [130_000, 220_000] as const;
const ORDER = 2;
const REPEATS = 200;
const SEED = 20_061;
/** Of some thousand places the slope is looked at, one is 4 sigma deep by chance. */
const LEAST_DEPTH = 6;
const LEAST_HALF = 3;

/** Never throws for what the frame holds; rows and window are checked too. */
export function fitEdge(frame: SpectralFrame, params: EdgeParams): Edge | NoLine {
  const search = params.window ?? [ramanLine(params.laser, SEARCH[0]), ramanLine(params.laser, SEARCH[1])];
  const pixels = linePixels(frame, { ...params, weights: 'none' }, search);
  if ('refused' in pixels) return pixels;
  const { counts: y, masked, warnings, window } = pixels;
  const refuse = (code: NoLine['code'], why: string): NoLine => ({ ...noLine(code, why), masked });
  // 1/cm, rising with the wavelength.
  const x = Float64Array.from(pixels.x, (nm) => ramanShift(params.laser, nm / 1e9) / 100);
  const step = ((x[x.length - 1] ?? 0) - (x[0] ?? 0)) / (x.length - 1);
  const reach = (params.smoothing ?? SMOOTHING) / 100;
  const half = Math.max(LEAST_HALF, Math.round(reach / step));
  if (x.length < 4 * half + 3) {
    return refuse('too-few-pixels', `${x.length} pixels in the window: ${4 * half + 3} are needed to take slopes over ${reach} 1/cm`);
  }
  const slopes = kernel(x, half, ORDER, 1);
  const smooth = kernel(x, half, ORDER, 0);
  const curve = filled(filtered(smooth, y), y);
  const noise = residuals(y, curve, smooth);
  const at = lowest(x, filtered(slopes, y), half);
  if (!at) return refuse('no-edge', 'no edge: the spectrum falls nowhere in the window');
  const depth = -at.value / (rms(noise.unit) * noise.sizeAt(at.index) * norm(slopes.coefficients[at.index]));
  if (!(depth >= LEAST_DEPTH)) {
    return refuse('no-edge', `no edge: the steepest fall of the spectrum is ${depth.toFixed(1)} times its noise, below ${LEAST_DEPTH}`);
  }
  if (at.index < 2 * half || at.index >= x.length - 2 * half) {
    return refuse('wings-cut', `the steepest fall is at the end of the window, ${at.x.toFixed(1)} 1/cm: widen the window`);
  }
  const full = masked.filter(
    (m) => m.why === 'saturated' && Math.abs(ramanShift(params.laser, m.wavelength) / 100 - at.x) < 2 * reach,
  ).length;
  if (full > 0) return refuse('saturated', `${full} pixels at the edge are saturated: shorten the exposure`);
  const random = resampled(x, curve, noise, slopes, half);
  const other = [0.7, 1.4].map((f) => Math.max(LEAST_HALF, Math.round(half * f))).filter((h) => h !== half && 4 * h + 3 <= x.length);
  const places = other.flatMap((h) => lowest(x, filtered(kernel(x, h, ORDER, 1), y), h)?.x ?? []);
  const spread = (Math.max(at.x, ...places) - Math.min(at.x, ...places)) / 2;
  const known = (value: number, per: number): Known => ({
    value,
    sigma: { random: random * per, ...(spread > 0 ? { shared: { smoothing: spread * per } } : {}) },
  });
  const line = ramanLine(params.laser, at.x * 100);
  const saturated = masked.filter((m) => m.why === 'saturated').length;
  return {
    shift: known(at.x * 100, 100),
    line: known(line, 100 * line * line),
    signalToNoise: depth,
    window,
    pixels: x.length,
    masked,
    warnings,
    ...(saturated > 0 ? { suspect: `${saturated} px saturated` } : {}),
  };
}

/** Where the filter has no value, the data themselves. */
const filled = (curve: Float64Array, y: Float64Array): Float64Array => curve.map((v, i) => (Number.isNaN(v) ? (y[i] ?? 0) : v));

interface Residuals {
  /** Of pixels inside, as multiples of the root of the signal, widened by what the filter has taken of them. */
  readonly unit: Float64Array;
  readonly sizeAt: (i: number) => number;
}

/** Noise grows with the root of the signal; how far is seen from the residuals. Without any signal to scale by, it is the same everywhere. */
function residuals(y: Float64Array, curve: Float64Array, smooth: Kernel): Residuals {
  const top = curve.reduce((a, b) => Math.max(a, b), 0);
  const sizeAt = (i: number): number => (top > 0 ? Math.sqrt(Math.max(curve[i] ?? 0, top / 100)) : 1);
  const unit: number[] = [];
  smooth.coefficients.forEach((c, i) => {
    if (c) unit.push(((y[i] ?? 0) - (curve[i] ?? 0)) / sizeAt(i) / Math.sqrt(1 - (c[smooth.half] ?? 0)));
  });
  return { unit: Float64Array.from(unit), sizeAt };
}

const rms = (values: Float64Array): number => Math.sqrt(values.reduce((s, v) => s + v * v, 0) / Math.max(1, values.length));
const norm = (c: Float64Array | undefined): number => Math.sqrt((c ?? new Float64Array(0)).reduce((s, v) => s + v * v, 0));

interface Place {
  readonly x: number;
  readonly value: number;
  readonly index: number;
}

/** The vertex of a parabola through the slopes around the lowest. */
function lowest(x: Float64Array, slope: Float64Array, half: number): Place | undefined {
  let index = -1;
  for (let i = 0; i < slope.length; i++) if ((slope[i] as number) < (index < 0 ? 0 : (slope[index] as number))) index = i; // NaN is never below
  if (index < 0) return undefined;
  const reach = Math.max(1, Math.round(half / 2));
  const centre = x[index] ?? 0;
  let [n, s1, s2, s3, s4, y0, y1, y2] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let i = index - reach; i <= index + reach; i++) {
    const v = slope[i];
    if (v === undefined || Number.isNaN(v)) continue;
    const t = (x[i] ?? 0) - centre;
    n++;
    s1 += t;
    s2 += t * t;
    s3 += t ** 3;
    s4 += t ** 4;
    y0 += v;
    y1 += v * t;
    y2 += v * t * t;
  }
  const det = n * (s2 * s4 - s3 * s3) - s1 * (s1 * s4 - s3 * s2) + s2 * (s1 * s3 - s2 * s2);
  const b = (n * (y1 * s4 - y2 * s3) - y0 * (s1 * s4 - s3 * s2) + s2 * (s1 * y2 - y1 * s2)) / det;
  const c = (n * (s2 * y2 - s3 * y1) - s1 * (s1 * y2 - s2 * y1) + y0 * (s1 * s3 - s2 * s2)) / det;
  const limit = Math.abs((x[Math.min(x.length - 1, index + reach)] ?? 0) - centre);
  const shift = c > 0 ? Math.max(-limit, Math.min(limit, -b / (2 * c))) : 0;
  return { x: centre + shift, value: slope[index] ?? 0, index };
}

/** The scatter (1/cm) of the edge over spectra made of the smooth curve and residuals drawn from the spectrum's own. */
function resampled(x: Float64Array, curve: Float64Array, { unit, sizeAt }: Residuals, slopes: Kernel, half: number): number {
  const random = uniform(SEED);
  const sizes = curve.map((_, i) => sizeAt(i));
  const again = new Float64Array(curve.length);
  let [sum, squares, n] = [0, 0, 0];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    for (let i = 0; i < again.length; i++) {
      const drawn = unit[Math.floor(random() * unit.length)] as number; // random is below 1
      again[i] = (curve[i] as number) + (sizes[i] as number) * drawn; // i < length
    }
    const place = lowest(x, filtered(slopes, again), half);
    if (!place) continue;
    const off = place.x - (x[0] ?? 0);
    sum += off;
    squares += off * off;
    n++;
  }
  return Math.sqrt(Math.max(0, squares / n - (sum / n) ** 2));
}

/** mulberry32. */
function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
