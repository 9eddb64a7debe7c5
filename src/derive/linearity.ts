/** The non-linearity of a detector, as its maker measured it and the instrument tells. */
import type { SpectralFrame } from './calibration.ts';

/**
 * Counts as a linear detector would have given them. The polynomial (powers from 0) is that of the counts above dark, and what is measured
 * above dark is divided by it (Ocean Optics: counts corrected = counts / (c0 + c1 counts + ...)). Saturated pixels stay as they are.
 * Without a dark the counts above dark are not known: a sentence then. A frame whose detector tells no coefficients comes back as it is.
 */
export function linearized(frame: SpectralFrame, dark: SpectralFrame | undefined): SpectralFrame | string {
  const { nonlinearity = [], saturation = Number.POSITIVE_INFINITY, counts } = frame;
  if (nonlinearity.length === 0 || isOne(nonlinearity)) return frame;
  if (!dark) return 'the non-linearity of the detector is not corrected: that needs a dark';
  if (dark.counts.length !== counts.length) return frame; // of another readout: refused where the two are compared
  const corrected = Float64Array.from(counts, (raw, i) => {
    const floor = dark.counts[i] ?? Number.NaN;
    const above = raw - floor;
    const share = nonlinearity.reduceRight((sum, c) => sum * above + c, 0);
    return raw >= saturation || !(share > LEAST) ? raw : floor + above / share;
  });
  return { ...frame, counts: corrected };
}

/** A polynomial below this describes no detector: outside of the counts for which it was made. */
const LEAST = 0.5;

const isOne = ([first = 1, ...others]: readonly number[]): boolean => first === 1 && others.every((c) => c === 0);

/** Coefficients as a trace carries them: numbers parted by blanks. */
export function coefficientsOf(text: unknown): readonly number[] | undefined {
  if (typeof text !== 'string' || text.trim() === '') return undefined;
  const read = text.trim().split(/\s+/).map(Number);
  return read.every(Number.isFinite) ? read : undefined;
}
