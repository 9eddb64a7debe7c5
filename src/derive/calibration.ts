/** From detector frames to counts per pixel and the response of the optical path. Pure; wavelengths in metre, times in seconds. */
import { EXACT, type RadiationConstants, spectralRadiance } from './radiance.ts';

/** One exposure of a spectrometer: `counts` row-major, rows x columns; one wavelength per column. */
export interface SpectralFrame {
  readonly wavelength: ArrayLike<number>;
  readonly counts: ArrayLike<number>;
  readonly rows: number;
  readonly columns: number;
  readonly exposure?: number;
  /** Counts at or above which a raw pixel is saturated. */
  readonly saturation?: number;
  /** Electrons per count. */
  readonly gain?: number;
  /** Counts rms per pixel and readout. */
  readonly readNoise?: number;
  /** Exposures averaged in these counts; 1 when absent. */
  readonly averaged?: number;
  /** How the detector's answer falls off: a polynomial of the counts above dark, by power. */
  readonly nonlinearity?: readonly number[];
  /** False: a table of unknown scale, whose noise cannot be told from its size. */
  readonly counted?: boolean;
  /** What identifies the optical path: camera, grating, centre_wavelength, filter, iris, magnification, ... */
  readonly path?: Readonly<Record<string, number | string>>;
}

export interface Table {
  readonly wavelength: ArrayLike<number>;
  readonly value: ArrayLike<number>;
}

/** The lamp: its spectral radiance as a table (any scale), or a black body's at a temperature (K). */
export type Lamp = { readonly radiance: Table } | { readonly temperature: number };

export interface Calibration {
  readonly frame: SpectralFrame;
  readonly lamp: Lamp;
  readonly dark?: SpectralFrame;
  /** File names, checksums or whatever says which calibration it was. */
  readonly id?: string;
}

export type Rows = readonly [first: number, last: number];

/** Linear interpolation in a table with rising wavelengths; outside it NaN, or the end's value when clamped. */
export function interpolate({ wavelength, value }: Table, at: number, clamp = false): number {
  const last = wavelength.length - 1;
  const [lo = Number.NaN, hi = Number.NaN] = [wavelength[0], wavelength[last]];
  if (!(at >= lo)) return clamp ? (value[0] ?? Number.NaN) : Number.NaN;
  if (!(at <= hi)) return clamp ? (value[last] ?? Number.NaN) : Number.NaN;
  let [a, b] = [0, last];
  while (b - a > 1) {
    const middle = (a + b) >> 1;
    if ((wavelength[middle] ?? 0) <= at) a = middle;
    else b = middle;
  }
  const [xa = 0, xb = 0, ya = 0, yb = 0] = [wavelength[a], wavelength[b], value[a], value[b]];
  return xb === xa ? ya : ya + ((yb - ya) * (at - xa)) / (xb - xa);
}

/** The lamp's radiance at these wavelengths. Its colour temperature says how a lamp error becomes one of the sample. */
export function lampRadiance(lamp: Lamp, wavelength: Float64Array, clamp = false, constants: RadiationConstants = EXACT): Float64Array {
  if ('temperature' in lamp) return wavelength.map((l) => spectralRadiance(l, lamp.temperature, 1, constants));
  return wavelength.map((l) => interpolate(lamp.radiance, l, clamp));
}

/** The column nearest to a wavelength, as T-Rax rounds it: halves of a pixel to the even column; beyond an end, that end. */
export function nearestColumn(axis: ArrayLike<number>, wavelength: number): number {
  const last = axis.length - 1;
  const falls = (axis[0] ?? 0) > (axis[last] ?? 0);
  const at = (i: number): number => axis[falls ? last - i : i] ?? Number.NaN;
  if (!(wavelength >= at(0))) return falls ? last : 0;
  let base = 0;
  while (base < last && at(base + 1) <= wavelength) base++;
  const exact = base === last ? base : base + (wavelength - at(base)) / (at(base + 1) - at(base));
  const nearest = exact % 1 === 0.5 ? 2 * Math.round(exact / 2) : Math.round(exact);
  return falls ? last - nearest : nearest;
}

/** Mean over the rows, ends included, for each column from first to last. */
export function rowMean({ counts, columns }: SpectralFrame, [top, bottom]: Rows, [first, last]: Rows): Float64Array {
  const mean = new Float64Array(last - first + 1);
  for (let row = top; row <= bottom; row++) {
    const from = row * columns + first;
    for (let i = 0; i < mean.length; i++) mean[i] = (mean[i] as number) + (counts[from + i] as number); // both inside
  }
  const rows = bottom - top + 1;
  for (let i = 0; i < mean.length; i++) mean[i] = (mean[i] as number) / rows; // i < length
  return mean;
}

/** Columns in which any raw pixel of the rows is at or above the converter's limit: looked at before anything is averaged or subtracted. */
export function saturatedColumns({ counts, columns, saturation }: SpectralFrame, [top, bottom]: Rows, [first, last]: Rows): Uint8Array {
  const found = new Uint8Array(last - first + 1);
  if (saturation === undefined) return found;
  for (let row = top; row <= bottom; row++) {
    const from = row * columns + first;
    for (let i = 0; i < found.length; i++) if ((counts[from + i] as number) >= saturation) found[i] = 1; // inside the frame
  }
  return found;
}

/** Fewer rows beside the region than this say too little about the camera. */
const LEAST_DARK_ROWS = 5;
/** More rows than this no longer change the answer. */
const MOST_DARK_ROWS = 16;

/**
 * Noise of a pixel (counts rms) as an image itself shows it: from the differences of neighbours in the darkest quarter of the rows
 * outside the region of interest. Undefined when there are too few such rows.
 */
export function noiseOfDarkRows(frame: SpectralFrame, [top, bottom]: Rows): number | undefined {
  const { counts, rows, columns } = frame;
  const outside = Array.from({ length: rows }, (_, r) => r).filter((r) => r < top || r > bottom);
  const count = Math.floor(outside.length / 4);
  if (count < LEAST_DARK_ROWS || columns < 32) return undefined;
  const level = new Map(outside.map((r) => [r, brightness(counts, r * columns, columns)]));
  const dark = outside.sort((a, b) => (level.get(a) ?? 0) - (level.get(b) ?? 0)).slice(0, count);
  const every = Math.ceil(count / MOST_DARK_ROWS);
  const chosen = dark.filter((_, i) => i % every === 0);
  const differences = new Float64Array(chosen.length * (columns - 1));
  let at = 0;
  for (const row of chosen) {
    for (let c = row * columns + 1; c < (row + 1) * columns; c++) differences[at++] = (counts[c] as number) - (counts[c - 1] as number); // inside
  }
  return clippedDeviation(differences) / Math.SQRT2;
}

/** Sum of every fourth pixel: enough to order rows. */
function brightness(counts: ArrayLike<number>, from: number, columns: number): number {
  let sum = 0;
  for (let i = from; i < from + columns; i += 4) sum += counts[i] as number; // inside the frame
  return sum;
}

/** Root mean square without what lies beyond 4 of itself: cosmic rays and hot pixels. */
function clippedDeviation(values: Float64Array): number {
  let limit = Number.POSITIVE_INFINITY;
  let sigma = 0;
  for (let pass = 0; pass < 8; pass++) {
    let [sum, n] = [0, 0];
    for (let i = 0; i < values.length; i++) {
      const v = values[i] as number; // i < length
      if (!(Math.abs(v) <= limit)) continue;
      sum += v * v;
      n++;
    }
    const next = n === 0 ? 0 : Math.sqrt(sum / n);
    if (next === sigma) break;
    sigma = next;
    limit = 4 * sigma;
  }
  return sigma;
}

/** Noise of a smooth curve of unknown scale, from its second differences (their variance is six times a pixel's). */
export function noiseOfCurve(curve: ArrayLike<number>): number {
  const second = Float64Array.from(
    { length: Math.max(0, curve.length - 2) },
    (_, i) => (curve[i] ?? 0) - 2 * (curve[i + 1] ?? 0) + (curve[i + 2] ?? 0),
  );
  return clippedDeviation(second) / Math.sqrt(6);
}

/** Mean of several exposures; a pixel saturated in any of them stays saturated. All must have the same shape. */
export function averageFrames(frames: readonly SpectralFrame[]): SpectralFrame | undefined {
  const [first] = frames;
  if (!first || frames.length === 1) return first;
  const counts = new Float64Array(first.rows * first.columns);
  for (let i = 0; i < counts.length; i++) {
    let sum = 0;
    let full = false;
    for (const f of frames) {
      const value = f.counts[i] ?? Number.NaN;
      sum += value;
      full ||= f.saturation !== undefined && value >= f.saturation;
    }
    counts[i] = full ? (first.saturation ?? Number.NaN) : sum / frames.length;
  }
  return { ...first, counts, averaged: frames.length };
}
