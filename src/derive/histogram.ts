/** Counts in bins of equal width, filled one by one without an object per value. */
import type { Column, Trace } from '../reading.ts';

/** From low (in) to high (out) in `bins` of equal width. */
export interface Axis {
  readonly low: number;
  readonly high: number;
  readonly bins: number;
}

/** Exact up to 2^53 in a bin. What lies outside is counted, never dropped unseen. */
export interface Histogram extends Axis {
  readonly counts: Float64Array;
  under: number;
  over: number;
  /** Values that are no number. */
  lost: number;
}

/** Row-major: the bin of y is next to that of y + 1. `outside` are those with either value beyond its axis or no number. */
export interface Plane {
  readonly x: Axis;
  readonly y: Axis;
  readonly counts: Float64Array;
  outside: number;
}

/** What is wrong with an axis, in a sentence; undefined where it is sound. */
export function checkAxis(axis: Axis, name: string): string | undefined {
  const { low, high, bins } = axis;
  if (!(Number.isFinite(low) && Number.isFinite(high) && low < high)) return `${name}: low must be below high, not ${low} and ${high}`;
  if (!(Number.isInteger(bins) && bins >= 1 && bins <= 65_536)) return `${name}: 1 to 65536 bins, not ${bins}`;
  return undefined;
}

/** Throws a RangeError that says what is wrong with the axis. */
export function histogram({ low, high, bins }: Axis): Histogram {
  sound({ low, high, bins });
  return { low, high, bins, counts: new Float64Array(bins), under: 0, over: 0, lost: 0 };
}

/** Throws a RangeError that says what is wrong with an axis. */
export function plane(x: Axis, y: Axis): Plane {
  sound(x);
  sound(y);
  return { x, y, counts: new Float64Array(x.bins * y.bins), outside: 0 };
}

function sound(axis: Axis): void {
  const wrong = checkAxis(axis, 'axis');
  if (wrong) throw new RangeError(wrong);
}

/** Low edge of bin i; edge(axis, bins) is the high edge of the last. */
export const edge = (axis: Axis, i: number): number => (i >= axis.bins ? axis.high : axis.low + (i * (axis.high - axis.low)) / axis.bins);

export const centre = (axis: Axis, i: number): number => axis.low + ((i + 0.5) * (axis.high - axis.low)) / axis.bins;

/** The bin with edge(i) <= value < edge(i + 1), exactly; -1 below the axis, `bins` above it. The value is a number. */
export function binOf(axis: Axis, value: number): number {
  if (value < axis.low) return -1;
  if (value >= axis.high) return axis.bins;
  const at = ((value - axis.low) / (axis.high - axis.low)) * axis.bins;
  let i = Math.floor(at);
  if (at - i > 0.01 && at - i < 0.99) return i;
  // Near an edge: rounding may have taken it over.
  if (i >= axis.bins) i = axis.bins - 1;
  if (value < edge(axis, i)) i--;
  else if (value >= edge(axis, i + 1)) i++;
  return i;
}

export function fill(h: Histogram, value: number): void {
  if (Number.isNaN(value)) {
    h.lost++;
    return;
  }
  const i = binOf(h, value);
  if (i < 0) h.under++;
  else if (i >= h.bins) h.over++;
  else h.counts[i] = (h.counts[i] as number) + 1; // 0 <= i < bins
}

export function fillPlane(p: Plane, x: number, y: number): void {
  if (Number.isNaN(x) || Number.isNaN(y)) {
    p.outside++;
    return;
  }
  const [i, j] = [binOf(p.x, x), binOf(p.y, y)];
  if (i < 0 || i >= p.x.bins || j < 0 || j >= p.y.bins) {
    p.outside++;
    return;
  }
  const at = i * p.y.bins + j;
  p.counts[at] = (p.counts[at] as number) + 1; // inside, as i and j are
}

export function emptied(h: Histogram): void {
  h.counts.fill(0);
  h.under = 0;
  h.over = 0;
  h.lost = 0;
}

/** Of all that lies inside. */
export function inside(h: Histogram): number {
  let sum = 0;
  for (let i = 0; i < h.bins; i++) sum += h.counts[i] as number; // i < bins
  return sum;
}

/** Mean and standard deviation of what lies inside, from the bins' centres; NaN where nothing does. Sheppard's correction for the width. */
export function moments(h: Histogram): { readonly n: number; readonly mean: number; readonly sd: number } {
  const n = inside(h);
  let mean = 0;
  for (let i = 0; i < h.bins; i++) mean += ((h.counts[i] as number) / n) * centre(h, i); // i < bins
  let square = 0;
  for (let i = 0; i < h.bins; i++) square += ((h.counts[i] as number) / n) * (centre(h, i) - mean) ** 2; // i < bins
  const width = (h.high - h.low) / h.bins;
  return { n, mean, sd: Math.sqrt(Math.max(0, square - width ** 2 / 12)) };
}

/** Adds the counts of another with the same axis; throws a RangeError where it has another. */
export function add(to: Histogram, from: Histogram): void {
  if (to.low !== from.low || to.high !== from.high || to.bins !== from.bins) throw new RangeError('histograms of two axes cannot be added');
  for (let i = 0; i < to.bins; i++) to.counts[i] = (to.counts[i] as number) + (from.counts[i] as number); // i < bins of both
  to.under += from.under;
  to.over += from.over;
  to.lost += from.lost;
}

/** A column that is a copy: half the size where all counts have room in 32 bits. */
export function countColumn(counts: Float64Array): Column {
  let most = 0;
  for (let i = 0; i < counts.length; i++) most = Math.max(most, counts[i] as number); // i < length
  return { unit: '1', data: most < 2 ** 32 ? Uint32Array.from(counts) : counts.slice() };
}

/** Low edges and counts. The axis stands in the settings too, with `of` saying what is counted in which unit. */
export function histogramTrace(h: Histogram, of: string, begin: number, end: number): Trace {
  const edges = new Float64Array(h.bins);
  for (let i = 0; i < h.bins; i++) edges[i] = edge(h, i);
  return {
    columns: { edge: { unit: '1', data: edges }, counts: countColumn(h.counts) },
    shape: [h.bins],
    begin,
    end,
    settings: { of, low: h.low, high: h.high, bins: h.bins, under: h.under, over: h.over, lost: h.lost },
  };
}

/** Counts with shape [bins of x, bins of y]; both axes stand in the settings. */
export function planeTrace(p: Plane, ofX: string, ofY: string, begin: number, end: number): Trace {
  return {
    columns: { counts: countColumn(p.counts) },
    shape: [p.x.bins, p.y.bins],
    begin,
    end,
    settings: {
      x: ofX,
      x_low: p.x.low,
      x_high: p.x.high,
      x_bins: p.x.bins,
      y: ofY,
      y_low: p.y.low,
      y_high: p.y.high,
      y_bins: p.y.bins,
      outside: p.outside,
    },
  };
}
