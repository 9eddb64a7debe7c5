/** What the frames of a calibration are worth: alike, bright enough, not saturated, steady; and the SPE file that keeps them. Pure. */

import type { PixelType, Spe } from '../../protocols/spe-form.ts';
import { encodeSpe } from '../../protocols/spe-write.ts';
import { averageFrames, noiseOfCurve, type Rows, rowMean, type SpectralFrame, saturatedColumns } from '../derive/calibration.ts';
import { FINGERPRINT } from '../derive/ledger.ts';
import { frameOfTrace } from '../derive/temperature.ts';
import type { Trace } from '../reading.ts';
import { show } from '../units.ts';

/** Settings that shape a number: they must be the same in all frames. */
const SHAPING = [...new Set(['exposure', 'gain', 'adc_gain', 'averaged', 'saturation', 'read_noise', 'nonlinearity', ...FINGERPRINT])];
const SAME = 1e-6;

/** The frames, all of one shape and of the same settings; or which one differs, and in what. */
export function alike(traces: readonly Trace[]): readonly SpectralFrame[] | string {
  const frames: SpectralFrame[] = [];
  const [first] = traces;
  for (const [i, trace] of traces.entries()) {
    const frame = frameOfTrace(trace);
    if (typeof frame === 'string') return `frame ${i + 1}: ${frame}`;
    const [one] = frames;
    if (one && (one.rows !== frame.rows || one.columns !== frame.columns))
      return `frame ${i + 1} has ${frame.rows} x ${frame.columns} pixels, the first ${one.rows} x ${one.columns}`;
    for (const name of SHAPING) {
      const [a, b] = [first?.settings[name], trace.settings[name]];
      const same = typeof a === 'number' && typeof b === 'number' ? Math.abs(a - b) <= SAME * Math.abs(a) : a === b;
      if (!same)
        return `the settings changed while the frames were taken: ${name.replaceAll('_', ' ')} was ${shown(name, a)} in the first frame and ${shown(name, b)} in frame ${i + 1}`;
    }
    frames.push(frame);
  }
  return frames;
}
const shown = (name: string, value: number | string | undefined): string =>
  value === undefined ? 'not told' : typeof value === 'number' ? show(value, name === 'exposure' ? 's' : '') : value;

/** Where it is looked: rows and columns, both ends included. */
export interface Region {
  readonly rows: Rows;
  readonly columns: Rows;
}

export interface Light {
  /** Mean counts per pixel and column, dark subtracted where there is one. */
  readonly signal: Float64Array;
  /** One sigma of a column of the mean of all frames, counts, as the frames differ among themselves. */
  readonly noise: number;
  /** Of the columns, the middle one's signal over noise. */
  readonly ratio: number;
  /** Share of the columns in which any pixel of any frame is saturated. */
  readonly saturated: number;
  /** Share of full scale of the brightest pixel. */
  readonly fill?: number;
  /** From the first frame to the last, relative; and its own one sigma. */
  readonly drift: number;
  readonly driftSigma: number;
}

const median = (values: ArrayLike<number>): number => {
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[half] ?? Number.NaN) : ((sorted[half - 1] ?? Number.NaN) + (sorted[half] ?? Number.NaN)) / 2;
};

/** All that is known of the light in the region. */
export function lightOf(frames: readonly SpectralFrame[], { rows, columns }: Region, dark?: SpectralFrame | number): Light {
  const means = frames.map((frame) => rowMean(frame, rows, columns));
  const below = typeof dark === 'number' ? new Float64Array(columns[1] - columns[0] + 1).fill(dark) : dark && rowMean(dark, rows, columns);
  const width = columns[1] - columns[0] + 1;
  const signal = new Float64Array(width);
  for (let c = 0; c < width; c++) signal[c] = means.reduce((sum, m) => sum + (m[c] ?? 0), 0) / means.length - (below?.[c] ?? 0);
  const levels = means.map((m) => m.reduce((sum, v, c) => sum + v - (below?.[c] ?? 0), 0) / width);
  const level = levels.reduce((sum, v) => sum + v, 0) / levels.length;
  const single = means.length < 3 ? noiseOfCurve(signal) * Math.sqrt(means.length) : scatter(means, signal, below, levels, level);
  const noise = single / Math.sqrt(means.length);
  const full = everSaturated(frames, { rows, columns });
  const drift = level > 0 ? driftOf(levels) / level : 0;
  const driftSigma =
    level > 0 ? (single / Math.sqrt(width) / level) * Math.sqrt(12 / Math.max(2, levels.length)) : Number.POSITIVE_INFINITY;
  const fill = fillOf(frames, { rows, columns });
  return {
    signal,
    noise,
    ratio: noise > 0 ? median(signal) / noise : Number.POSITIVE_INFINITY,
    saturated: full.reduce((sum, s) => sum + s, 0) / width,
    ...(fill === undefined ? {} : { fill }),
    drift,
    driftSigma,
  };
}

/** Counts rms of a column of one frame, each frame brought to the common level first. */
function scatter(
  means: readonly Float64Array[],
  signal: Float64Array,
  below: Float64Array | undefined,
  levels: readonly number[],
  level: number,
): number {
  const spread = signal.map((s, c) => {
    let square = 0;
    means.forEach((m, f) => {
      const scale = level > 0 && (levels[f] ?? 0) > 0 ? level / (levels[f] ?? 1) : 1;
      square += (((m[c] ?? 0) - (below?.[c] ?? 0)) * scale - s) ** 2;
    });
    return square / (means.length - 1);
  });
  return Math.sqrt(median(spread)) / MEDIAN_OF_CHI[Math.min(means.length, MEDIAN_OF_CHI.length) - 1];
}
/** The median of a standard deviation from n values is smaller than the true one: square root of the median of chi2 over n - 1. */
const MEDIAN_OF_CHI = [1, 0.674, 0.833, 0.888, 0.916, 0.933, 0.944, 0.952, 0.958, 0.963, 0.967, 0.97] as const;

/** 1 for the columns in which a pixel of any frame is saturated. */
function everSaturated(frames: readonly SpectralFrame[], { rows, columns }: Region): Uint8Array {
  const found = frames.map((frame) => saturatedColumns(frame, rows, columns));
  return Uint8Array.from({ length: columns[1] - columns[0] + 1 }, (_, c) => (found.some((f) => f[c] === 1) ? 1 : 0));
}

/** Last minus first by a straight line through all. */
function driftOf(levels: readonly number[]): number {
  const n = levels.length;
  if (n < 2) return 0;
  const middle = (n - 1) / 2;
  let [top, bottom] = [0, 0];
  levels.forEach((v, i) => {
    top += (i - middle) * v;
    bottom += (i - middle) ** 2;
  });
  return (top / bottom) * (n - 1);
}

function fillOf(frames: readonly SpectralFrame[], { rows, columns }: Region): number | undefined {
  const limit = frames[0]?.saturation;
  if (limit === undefined) return undefined;
  let most = 0;
  for (const { counts, columns: width } of frames)
    for (let row = rows[0]; row <= rows[1]; row++)
      for (let c = columns[0]; c <= columns[1]; c++) most = Math.max(most, counts[row * width + c] ?? 0);
  return most / limit;
}

/**
 * Counts of a pixel without light where no dark says: the detector's own dark pixels, or the darkest row outside the region, or the darkest
 * columns, whichever is lowest.
 */
export function pedestal(frames: readonly SpectralFrame[], region: Region, darkPixels: number): number {
  const mean = averageFrames(frames);
  if (!mean) return 0;
  const whole = [0, mean.columns - 1] as const;
  const columns = rowMean(mean, region.rows, whole).sort();
  const outside = Array.from({ length: mean.rows }, (_, r) => r).filter((r) => r < region.rows[0] || r > region.rows[1]);
  const rows = outside.map((r) => rowMean(mean, [r, r], whole).reduce((sum, v) => sum + v, 0) / mean.columns);
  return Math.min(columns[Math.floor(columns.length / 20)] ?? 0, ...rows, ...(Number.isFinite(darkPixels) ? [darkPixels] : []));
}

const MOST_SATURATED = 0.03;
const LEAST_RATIO = 30;
const GOOD_FILL = 0.7;
const MOST_DRIFT = 0.01;

/** Why the frames are no lamp, and what would be right; undefined when they are. */
export function lampFault(light: Light, exposure: number | undefined, anyDrift: boolean): string | undefined {
  const time = (factor: number): string =>
    exposure === undefined ? `${factor.toPrecision(2)} times the exposure` : show(Number((factor * exposure).toPrecision(2)), 's');
  if (light.saturated > MOST_SATURATED)
    return `${(100 * light.saturated).toFixed(0)} % of the columns in the window are saturated: expose shorter (try ${time(GOOD_FILL / 2)}), or weaken the lamp`;
  if (!(light.ratio >= LEAST_RATIO)) {
    const ratio = Math.max(light.ratio, 0);
    const room = light.fill === undefined ? Number.POSITIVE_INFINITY : GOOD_FILL / Math.max(light.fill, 1e-6);
    const factor = Math.min(room, ratio > 1 ? (LEAST_RATIO / ratio) ** 2 : LEAST_RATIO ** 2);
    const advice = factor > 1.1 ? `expose longer (try ${time(factor)}), or take more frames` : 'take more frames, or a brighter lamp';
    return `the lamp is weak: a column's signal is ${ratio.toFixed(1)} times its noise in the middle, and ${LEAST_RATIO} are wanted: ${advice}${ratio < 3 ? '; does the mirror show the lamp?' : ''}`;
  }
  if (!anyDrift && Math.abs(light.drift) > Math.max(MOST_DRIFT, 3 * light.driftSigma))
    return `the lamp drifted by ${signed(light.drift)} from the first frame to the last: let it warm up; --drift takes it all the same`;
  return undefined;
}
export const signed = (share: number): string => `${share < 0 ? '-' : '+'}${(100 * Math.abs(share)).toFixed(2)} %`;

const BLOCKS = 16;
const LINE = { columns: 3, sigma: 10 } as const; // a hot pixel is one column

/**
 * The first column of a line: so many columns side by side that stand above their surroundings in the middle one of all frames (a cosmic hit
 * is in one). -1 where there is none.
 */
function lineIn(frames: readonly SpectralFrame[], { rows, columns }: Region, noise: number, earlier?: SpectralFrame): number {
  const means = frames.map((frame) => rowMean(frame, rows, columns));
  const below = earlier && rowMean(earlier, rows, columns);
  const middle = Float64Array.from(means[0] ?? [], (_, c) => median(means.map((m) => m[c] ?? 0)) - (below?.[c] ?? 0));
  const size = Math.max(LINE.columns, Math.floor(middle.length / BLOCKS));
  const far = Math.max(LINE.sigma * noise, 1);
  let run = 0;
  for (let c = 0; c < middle.length; c++) {
    const around = median(middle.subarray(Math.max(0, c - size), c + size + 1));
    run = (middle[c] ?? 0) - around > far ? run + 1 : 0;
    if (run === LINE.columns) return c + 1 - run;
  }
  return -1;
}

/**
 * A sentence when a dark seems to have seen light: a level that runs over the wavelengths or lies above that of an earlier dark, or a line.
 */
export function lightInDark(frames: readonly SpectralFrame[], region: Region, earlier?: SpectralFrame): string | undefined {
  const { signal, noise } = lightOf(frames, region, earlier);
  const size = Math.max(1, Math.floor(signal.length / BLOCKS));
  const levels: number[] = [];
  for (let from = 0; from + size <= signal.length; from += size) levels.push(median(signal.subarray(from, from + size)));
  const [low, high] = [Math.min(...levels), Math.max(...levels)];
  // A median of so many columns; the two extremes of sixteen lie 3.5 sigma apart by chance.
  const sigma = (1.25 * Math.hypot(noise, earlier ? noise : 0)) / Math.sqrt(size);
  const far = Math.max(8 * sigma, 0.2);
  if (earlier && Math.abs(median(signal)) > far && Math.abs(median(signal)) > 0.02 * Math.abs(median(earlier.counts)))
    return `the level is ${median(signal) > 0 ? '+' : ''}${median(signal).toPrecision(3)} counts against the dark before: is there light, or is the detector warmer?`;
  if (high - low > far)
    return `the level runs from ${low.toPrecision(4)} to ${high.toPrecision(4)} counts over the wavelengths, ${((high - low) / Math.max(sigma, 1e-9)).toFixed(0)} sigma: is there light?`;
  const line = lineIn(frames, region, Math.hypot(noise, earlier ? noise : 0), earlier);
  if (line >= 0)
    return `columns ${line} to ${line + LINE.columns - 1} stand ${((signal[line + 1] ?? 0) - median(signal)).toPrecision(3)} counts above the level, as a line does: is there light?`;
  return undefined;
}

/** All frames as one SPE file, of the smallest type that holds them. A pixel at or above the converter's end stays saturated. */
export function speOf(frames: readonly SpectralFrame[], traces: readonly Trace[]): Uint8Array {
  const [first] = frames;
  const [trace] = traces;
  if (!first || !trace) throw new Error('no frames: they are counted before');
  let [low, high, whole] = [0, 0, true];
  for (const { counts } of frames) {
    for (let i = 0; i < counts.length; i++) {
      const v = counts[i] ?? 0;
      if (v < low) low = v;
      if (v > high) high = v;
      whole &&= Number.isInteger(v);
    }
  }
  const { saturation } = first;
  const most = Math.max(high, saturation ?? 0);
  const pixel: PixelType = whole && low >= 0 ? (most <= 65535 ? 'u16' : most <= 2 ** 24 ? 'u32' : 'f32') : 'f32';
  const bits = saturation === undefined ? undefined : Math.ceil(Math.log2(saturation + 1));
  // The format knows the converter's bits alone: what is saturated below that end is put there.
  const end = bits === undefined ? Number.POSITIVE_INFINITY : 2 ** bits - 1;
  const kept = (v: number): number => (saturation !== undefined && v >= saturation ? end : v);
  const { adc_bits: _, ...settings } = trace.settings;
  const file: Spe = {
    version: 3,
    pixel,
    regions: [{ shape: [first.rows, first.columns], x: 0, y: 0, binning: [1, 1], wavelength: Float64Array.from(first.wavelength) }],
    frames: frames.map(({ counts }) => ({ data: [Float64Array.from(counts, kept)], tracked: {} })),
    recorded: trace.begin,
    ...(first.exposure === undefined ? {} : { exposure: first.exposure }),
    settings: { ...settings, ...(bits === undefined ? {} : { adc_bits: bits }) },
  };
  return encodeSpe(file);
}

/** Electrons per column, summed over rows and frames, for the search of lines. */
export function summed(frames: readonly SpectralFrame[], { rows, columns }: Region) {
  const mean = averageFrames(frames);
  if (!mean) throw new Error('no frames: they are counted before');
  const gain = mean.gain ?? 1;
  const times = (rows[1] - rows[0] + 1) * frames.length * (frames[0]?.averaged ?? 1);
  const counts = rowMean(mean, rows, columns).map((v) => v * gain * times);
  const saturated = everSaturated(frames, { rows, columns });
  return { counts, readVariance: times * (gain * (mean.readNoise ?? 0)) ** 2, saturated };
}
