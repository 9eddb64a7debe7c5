/** The pixels a temperature is fitted to: counts in electrons, response and noise per column, and which columns had to be left out, and why. */
import {
  type Calibration,
  interpolate,
  lampRadiance,
  nearestColumn,
  noiseOfCurve,
  noiseOfDarkRows,
  type Rows,
  rowMean,
  type SpectralFrame,
  saturatedColumns,
  type Table,
} from './calibration.ts';
import { TRAX } from './radiance.ts';

export type Cause =
  | 'saturated'
  | 'lamp saturated'
  | 'weak lamp'
  | 'outside lamp table'
  | 'outside emissivity table'
  | 'not a number'
  | 'hot pixel';
export interface Masked {
  readonly column: number;
  /** Metre. */
  readonly wavelength: number;
  readonly why: Cause;
}

export interface PixelChoice {
  /** Metre, both ends included; absent: the whole axis. */
  readonly window?: readonly [number, number];
  /** From 0, both ends included; absent: all rows. */
  readonly rows?: Rows;
  readonly calibration?: Calibration;
  readonly dark?: SpectralFrame;
  /** Electrons per count. */
  readonly gain?: number;
  /** Counts rms per pixel. */
  readonly readNoise?: number;
  readonly emissivity?: Table;
}

export interface PixelSet {
  readonly columns: readonly number[];
  readonly wavelength: Float64Array;
  /** Electrons summed over the rows. */
  readonly counts: Float64Array;
  /** Electrons per unit of radiance for a black body (times the emissivity, where a table was given). */
  readonly response: Float64Array;
  readonly readVariance?: Float64Array;
  readonly lampVariance?: Float64Array;
}

export interface Pixels extends PixelSet {
  readonly masked: readonly Masked[];
  readonly window: readonly [number, number];
  /** Number of columns in the window before masking. */
  readonly offered: number;
  /** True when the size of the numbers says nothing about their noise. */
  readonly relative: boolean;
  readonly readNoise?: number;
  readonly warnings: readonly string[];
}

export type RefusalCode = 'input' | 'no-overlap' | 'saturated' | 'too-few-pixels' | 'low-signal' | 'no-convergence' | 'path-mismatch';
export interface Refusal {
  readonly refused: string;
  readonly code: RefusalCode;
}
export const refusal = (code: RefusalCode, refused: string): Refusal => ({ refused, code });

/** Fewer pixels than this cannot show whether they follow a Planck curve. */
const LEAST_PIXELS = 8;
const LEAST_LAMP = 5;
const nm = (l: number): string => `${(l * 1e9).toFixed(1)} nm`;

/** The columns of the window as [first, last], or why there are none. */
export function windowColumns(frame: SpectralFrame, window: readonly [number, number] | undefined): Rows | Refusal {
  const last = frame.columns - 1;
  if (!window) return [0, last];
  const [lo, hi] = window;
  if (!(lo < hi)) return refusal('input', `the window ${nm(lo)} to ${nm(hi)} does not rise`);
  const ends = [frame.wavelength[0] ?? Number.NaN, frame.wavelength[last] ?? Number.NaN];
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  if (!(hi >= low && lo <= high)) {
    return refusal('no-overlap', `the window ${nm(lo)} to ${nm(hi)} does not overlap the spectrum, ${nm(low)} to ${nm(high)}`);
  }
  const pair = [nearestColumn(frame.wavelength, lo), nearestColumn(frame.wavelength, hi)];
  return [Math.min(...pair), Math.max(...pair)];
}

/** The rows asked for, checked against the frame. */
export function checkedRows(frame: SpectralFrame, rows: Rows | undefined): Rows | Refusal {
  const [top, bottom] = rows ?? [0, frame.rows - 1];
  if (Number.isInteger(top) && Number.isInteger(bottom) && top >= 0 && top <= bottom && bottom < frame.rows) return [top, bottom];
  return refusal('input', `rows ${top} to ${bottom} are not in the frame, which has rows 0 to ${frame.rows - 1}`);
}

/** Pixels for the fits in the count domain (and, from them, for the unweighted and Wien fits). */
export function choosePixels(frame: SpectralFrame, choice: PixelChoice): Pixels | Refusal {
  const rows = checkedRows(frame, choice.rows);
  if ('refused' in rows) return rows;
  const span = windowColumns(frame, choice.window);
  if ('refused' in span) return span;
  const wrong = mismatch(frame, choice);
  if (wrong) return wrong;
  const { calibration, dark } = choice;
  const warnings: string[] = [];
  const count = rows[1] - rows[0] + 1;
  const gain = choice.gain ?? frame.gain ?? 1;
  const given = choice.readNoise ?? frame.readNoise;
  const readNoise = given ?? noiseOfDarkRows(frame, rows);
  if (given === undefined) {
    warnings.push(
      readNoise === undefined
        ? 'read noise not known: taken as none'
        : `read noise ${readNoise.toPrecision(3)} counts, as the dark rows show it`,
    );
  }
  const relative = !calibration && choice.gain === undefined && frame.gain === undefined && given === undefined;
  const wavelength = Float64Array.from({ length: span[1] - span[0] + 1 }, (_, i) => frame.wavelength[span[0] + i] ?? Number.NaN);
  const data = rowMean(frame, rows, span);
  if (dark) subtract(data, rowMean(dark, rows, span));
  const why: (Cause | undefined)[] = Array.from(saturatedColumns(frame, rows, span), (full) => (full ? 'saturated' : undefined));
  const lamp = calibration ? lampResponse(calibration, rows, span, wavelength, why, gain) : undefined;
  const times = calibration?.frame.exposure && frame.exposure ? frame.exposure / calibration.frame.exposure : 1;
  if (calibration && (frame.exposure === undefined || calibration.frame.exposure === undefined)) {
    warnings.push('an exposure time is not known: the factor is relative');
  }
  const electrons = count * gain;
  const readOnce = count * (gain * (readNoise ?? 0)) ** 2;
  const readTotal = readOnce / (frame.averaged ?? 1) + (dark ? readOnce / (dark.averaged ?? 1) : 0);
  const columns: number[] = [];
  const masked: Masked[] = [];
  const [counts, response, lampVariance]: [number[], number[], number[]] = [[], [], []];
  for (let i = 0; i < wavelength.length; i++) {
    const l = wavelength[i] ?? Number.NaN;
    const emissivity = choice.emissivity ? interpolate(choice.emissivity, l) : 1;
    const r = (lamp ? (lamp.response[i] ?? Number.NaN) * times : 1) * electrons * emissivity;
    const n = (data[i] ?? Number.NaN) * electrons;
    let cause = why[i];
    if (!cause && Number.isNaN(emissivity)) cause = 'outside emissivity table';
    if (!cause && !(Number.isFinite(n) && r > 0 && Number.isFinite(r) && l > 0)) cause = 'not a number';
    if (cause) masked.push({ column: span[0] + i, wavelength: l, why: cause });
    else {
      columns.push(span[0] + i);
      counts.push(n);
      response.push(r);
      lampVariance.push(lamp?.variance?.[i] ?? 0);
    }
  }
  const pixels: Pixels = {
    columns,
    wavelength: Float64Array.from(columns, (c) => frame.wavelength[c] ?? Number.NaN),
    counts: Float64Array.from(counts),
    response: Float64Array.from(response),
    ...(readTotal > 0 ? { readVariance: new Float64Array(columns.length).fill(readTotal) } : {}),
    ...(lampVariance.some((v) => v > 0) ? { lampVariance: Float64Array.from(lampVariance) } : {}),
    masked,
    window: [Math.min(...wavelength), Math.max(...wavelength)],
    offered: wavelength.length,
    relative,
    ...(readNoise === undefined ? {} : { readNoise }),
    warnings,
  };
  return tooFew(pixels) ?? pixels;
}

function subtract(from: Float64Array, what: Float64Array): void {
  for (let i = 0; i < from.length; i++) from[i] = (from[i] as number) - (what[i] as number); // same rows and columns
}

function mismatch(frame: SpectralFrame, { calibration, dark }: PixelChoice): Refusal | undefined {
  const others = [
    ['calibration', calibration?.frame],
    ['calibration dark', calibration?.dark],
    ['dark', dark],
  ] as const;
  for (const [name, other] of others) {
    if (other && (other.rows !== frame.rows || other.columns !== frame.columns)) {
      const size = `${other.rows} x ${other.columns} pixels, the spectrum ${frame.rows} x ${frame.columns}`;
      return refusal('path-mismatch', `the ${name} has ${size}: it is of another readout`);
    }
  }
  return undefined;
}

function tooFew({ columns, masked, offered, window }: Pixels): Refusal | undefined {
  if (columns.length >= LEAST_PIXELS) return undefined;
  const of = (cause: Cause): number => masked.filter((m) => m.why === cause).length;
  if (offered > 0 && of('saturated') + of('lamp saturated') === offered)
    return refusal('saturated', `all ${offered} pixels of the window are saturated`);
  if (offered > 0 && of('outside lamp table') + of('weak lamp') === offered) {
    return refusal('no-overlap', `the lamp has no signal or no known radiance between ${nm(window[0])} and ${nm(window[1])}`);
  }
  const causes = [...new Set(masked.map((m) => m.why))].map((cause) => `${of(cause)} ${cause}`).join(', ');
  return refusal(
    'too-few-pixels',
    `only ${columns.length} of ${offered} pixels are usable${causes && ` (${causes})`}; ${LEAST_PIXELS} are needed`,
  );
}

/** Lamp counts per unit of lamp radiance, and their relative variance; writes into `why` what cannot be used. */
function lampResponse(
  { frame, lamp, dark }: Calibration,
  rows: Rows,
  span: Rows,
  wavelength: Float64Array,
  why: (Cause | undefined)[],
  gain: number,
): { readonly response: Float64Array; readonly variance?: Float64Array } {
  const counts = rowMean(frame, rows, span);
  if (dark) subtract(counts, rowMean(dark, rows, span));
  const full = saturatedColumns(frame, rows, span);
  const radiance = lampRadiance(lamp, wavelength);
  const rowCount = (rows[1] - rows[0] + 1) * (frame.averaged ?? 1);
  const readNoise = frame.readNoise ?? noiseOfDarkRows(frame, rows) ?? 0;
  const scatter = frame.counted === false ? noiseOfCurve(counts) : undefined;
  const variance = new Float64Array(counts.length);
  for (let i = 0; i < counts.length; i++) {
    const c = counts[i] ?? Number.NaN;
    const sigma = scatter ?? Math.sqrt((Math.max(c, 0) / (frame.gain ?? gain) + readNoise ** 2) / rowCount);
    if (scatter === undefined) variance[i] = (sigma / c) ** 2;
    if (full[i]) why[i] ??= 'lamp saturated';
    else if (Number.isNaN(radiance[i])) why[i] ??= 'outside lamp table';
    else if (!(c > 0 && c >= LEAST_LAMP * sigma)) why[i] ??= 'weak lamp';
  }
  const response = counts.map((c, i) => c / (radiance[i] ?? Number.NaN));
  return scatter === undefined ? { response, variance } : { response };
}

/**
 * The corrected spectrum as T-Rax makes it: data over response, renormalised to the maximum of the data; the lamp table clamped at its
 * ends, a lamp temperature normalised to 1. No dark, no masks but for a response of nothing.
 */
export function traxSpectrum(frame: SpectralFrame, choice: PixelChoice): (PixelSet & { readonly masked: readonly Masked[] }) | Refusal {
  const rows = checkedRows(frame, choice.rows);
  if ('refused' in rows) return rows;
  const span = windowColumns(frame, choice.window);
  if ('refused' in span) return span;
  const wrong = mismatch(frame, choice);
  if (wrong) return wrong;
  const axis = Float64Array.from({ length: span[1] - span[0] + 1 }, (_, i) => frame.wavelength[span[0] + i] ?? Number.NaN);
  const data = rowMean(frame, rows, span);
  const { calibration } = choice;
  const lamp = calibration ? lampRadiance(calibration.lamp, axis, true, TRAX) : undefined;
  const top = lamp && calibration && 'temperature' in calibration.lamp ? Math.max(...lamp) : 1;
  const counts = calibration ? rowMean(calibration.frame, rows, span) : undefined;
  const response = data.map((_, i) => (counts && lamp ? (counts[i] ?? 0) / ((lamp[i] ?? 0) / top) : 1));
  const keep = [...data.keys()].filter((i) => response[i] !== 0 && Number.isFinite(response[i]) && Number.isFinite(data[i]));
  const kept = new Set(keep);
  const corrected = keep.map((i) => (data[i] ?? 0) / (response[i] ?? 1));
  const scale = Math.max(...data) / Math.max(...corrected);
  const pick = (from: Float64Array): Float64Array => Float64Array.from(keep, (i) => from[i] ?? Number.NaN);
  return {
    columns: keep.map((i) => span[0] + i),
    wavelength: pick(axis),
    counts: Float64Array.from(corrected, (y) => y * scale),
    response: new Float64Array(keep.length).fill(1),
    masked: [...axis].flatMap((l, i) => (kept.has(i) ? [] : [{ column: span[0] + i, wavelength: l, why: 'not a number' as const }])),
  };
}
