/** What one recorded pulse says: baseline, height, charge, tail and times. The reference; src/derive/waveform-block.ts does the same at speed. */
import { FLAG } from './hits.ts';

export interface PulseSettings {
  readonly polarity: 'negative' | 'positive';
  /** Of the converter: a sample of 0 or of 2^bits - 1 is out of its range. */
  readonly bits: number;
  /** Nanoseconds from one sample to the next. */
  readonly intervalNs: number;
  /** So many samples at the beginning of the record make the baseline. */
  readonly baseline: number;
  /** Samples before the peak, and from the peak on, that make the charge. */
  readonly gate: readonly [before: number, after: number];
  /** The tail begins so many samples after the peak, and ends with the gate. */
  readonly tail: number;
  /** Of the peak: where the leading edge is timed. */
  readonly leading: number;
  /** Constant fraction: c[n] = fraction x[n] - x[n - delay]. */
  readonly cfd: { readonly fraction: number; readonly delay: number };
  /** ADC counts: where the peak is below, there is no pulse. */
  readonly threshold: number;
  /** Which of both times a hit has. */
  readonly time: 'cfd' | 'leading';
}

export const PULSE: PulseSettings = {
  polarity: 'negative',
  bits: 12,
  intervalNs: 4,
  baseline: 20,
  gate: [4, 80],
  tail: 8,
  leading: 0.3,
  cfd: { fraction: 0.3, delay: 2 },
  threshold: 10,
  time: 'cfd',
};

const whole = (value: number, low: number, high: number): boolean => Number.isInteger(value) && value >= low && value <= high;
const SAMPLES = 1048576; // more is no record of a pulse

/** What is wrong with the settings, in a sentence; undefined where nothing is. */
export function checkPulse(settings: PulseSettings): string | undefined {
  const { polarity, bits, intervalNs, baseline, gate, tail, leading, cfd, threshold, time } = settings;
  if (polarity !== 'negative' && polarity !== 'positive') return `polarity is ${polarity}, but must be negative or positive`;
  if (!whole(bits, 1, 16)) return `bits is ${bits}, but must be a whole number from 1 to 16`;
  if (!(intervalNs > 0 && intervalNs <= 1e9)) return `the sampling interval is ${intervalNs} ns, but must be above 0 and up to 1 s`;
  if (!whole(baseline, 1, SAMPLES)) return `baseline is ${baseline} samples, but must be a whole number from 1`;
  if (!whole(gate[0], 0, SAMPLES) || !whole(gate[1], 1, SAMPLES))
    return `gate is [${gate.join(', ')}], but must be whole numbers of samples: from 0 before the peak, from 1 after it`;
  if (!whole(tail, -gate[0], gate[1]))
    return `tail is ${tail}, but must be a whole number of samples within the gate (-${gate[0]} to ${gate[1]})`;
  if (!(leading > 0 && leading < 1)) return `leading is ${leading}, but must be a part of the peak between 0 and 1`;
  if (!(cfd.fraction > 0 && cfd.fraction < 1)) return `cfd.fraction is ${cfd.fraction}, but must be between 0 and 1`;
  if (!whole(cfd.delay, 1, 65535)) return `cfd.delay is ${cfd.delay}, but must be a whole number of samples from 1`;
  if (!(threshold >= 0 && threshold < 65536)) return `threshold is ${threshold}, but must be ADC counts from 0 and below 65536`;
  if (time !== 'cfd' && time !== 'leading') return `time is ${time}, but must be cfd or leading`;
  return undefined;
}

/** Heights in ADC counts above the baseline, charges in ADC counts times samples, times in nanoseconds since the first sample. */
export interface Features {
  readonly baseline: number;
  /** Standard deviation of the baseline's samples (n - 1). */
  readonly noise: number;
  readonly peak: number;
  /** The sample of the peak. */
  readonly peakAt: number;
  /** Samples from..to (half open), as far as they are recorded. */
  readonly gate: readonly [from: number, to: number];
  readonly charge: number;
  readonly tail: number;
  /** NaN where there is none. */
  readonly leadingNs: number;
  readonly cfdNs: number;
  /** The one that the settings want; the peak's where there is none. */
  readonly timeNs: number;
  /** One or more of FLAG. */
  readonly flags: number;
}

/**
 * x = baseline - sample (positive pulses: sample - baseline), baseline = mean of the first samples; the peak is the first maximum of x.
 * Leading edge: left from the peak while the sample before is above fraction * peak, then on a straight line. Constant fraction: from the
 * maximum of c up to the peak right while the next c is above zero, then on a straight line; x is 0 before the record. Sums are made in
 * numpy's order (pairwise), so that they are its sums to the last digit. Flags: saturated (a sample of the record at the end of the range),
 * empty (then charge, tail and times are NaN), cut (the gate leaves the record, or begins within the baseline's samples), shapeless,
 * untimed. Samples are whole numbers from 0 to 65535.
 */
export function features(samples: ArrayLike<number>, settings: PulseSettings = PULSE): Features {
  const n = samples.length;
  const m = Math.min(settings.baseline, n);
  const first = Float64Array.from({ length: m }, (_, i) => samples[i]);
  const baseline = pairwise(first, 0, m) / m;
  const noise = m < 2 ? 0 : Math.sqrt(pairwise(squares(first, baseline), 0, m) / (m - 1));
  const negative = settings.polarity === 'negative';
  const x = Float64Array.from({ length: n }, (_, i) => (negative ? baseline - samples[i] : samples[i] - baseline));
  const top = 2 ** settings.bits - 1;
  let peakAt = 0;
  let flags = 0;
  for (let i = 0; i < n; i++) {
    if (x[i] > x[peakAt]) peakAt = i;
    if (samples[i] <= 0 || samples[i] >= top) flags |= FLAG.saturated;
  }
  const peak = n > 0 ? x[peakAt] : Number.NaN;
  const from = Math.max(0, peakAt - settings.gate[0]);
  const to = Math.min(n, peakAt + settings.gate[1]);
  const none = { charge: Number.NaN, tail: Number.NaN, leadingNs: Number.NaN, cfdNs: Number.NaN, timeNs: Number.NaN };
  const seen = { baseline, noise, peak, peakAt, gate: [from, to] as const };
  if (!(peak >= settings.threshold && peak > 0)) return { ...seen, ...none, flags: flags | FLAG.empty };

  const charge = pairwise(x, from, to);
  const tail = pairwise(x, Math.min(to, Math.max(from, peakAt + settings.tail)), to);
  if (peakAt - settings.gate[0] < m || peakAt + settings.gate[1] > n) flags |= FLAG.cut;
  if (!(tail >= 0 && tail <= charge && charge > 0)) flags |= FLAG.shapeless;
  const leadingNs = settings.intervalNs * leadingEdge(x, peakAt, settings.leading * peak);
  const cfdNs = settings.intervalNs * zeroCrossing(x, peakAt, settings.cfd.fraction, settings.cfd.delay);
  const wanted = settings.time === 'cfd' ? cfdNs : leadingNs;
  if (Number.isNaN(wanted)) flags |= FLAG.untimed;
  return { ...seen, charge, tail, leadingNs, cfdNs, timeNs: Number.isNaN(wanted) ? settings.intervalNs * peakAt : wanted, flags };
}

const squares = (values: Float64Array, mean: number): Float64Array => values.map((v) => (v - mean) * (v - mean));

/** In samples; NaN where the record begins above the level. */
function leadingEdge(x: Float64Array, peakAt: number, level: number): number {
  let i = peakAt;
  while (i > 0 && x[i - 1] > level) i--;
  return i === 0 ? Number.NaN : i - 1 + (level - x[i - 1]) / (x[i] - x[i - 1]);
}

/** In samples; NaN where c is nowhere above zero before the peak, or stays above it to the record's end. */
function zeroCrossing(x: Float64Array, peakAt: number, fraction: number, delay: number): number {
  const c = (n: number): number => fraction * x[n] - (n < delay ? 0 : x[n - delay]);
  let i = 0;
  for (let n = 1; n <= peakAt; n++) if (c(n) > c(i)) i = n;
  if (!(c(i) > 0)) return Number.NaN;
  while (i + 1 < x.length && c(i + 1) > 0) i++;
  return i + 1 === x.length ? Number.NaN : i + c(i) / (c(i) - c(i + 1));
}

/**
 * The sum of values from..to (half open), added in numpy's order: in eight columns up to 128 values, halves above (numpy 1.9 and later,
 * loops_utils.h, pairwise_sum). Its error grows with the logarithm of the number of values.
 */
export function pairwise(values: Float64Array, from: number, to: number): number {
  const n = to - from;
  if (n < 8) {
    let sum = 0;
    for (let i = from; i < to; i++) sum += values[i];
    return sum;
  }
  if (n > 128) {
    const half = Math.floor(n / 2);
    const middle = from + half - (half % 8);
    return pairwise(values, from, middle) + pairwise(values, middle, to);
  }
  let a = values[from];
  let b = values[from + 1];
  let c = values[from + 2];
  let d = values[from + 3];
  let e = values[from + 4];
  let f = values[from + 5];
  let g = values[from + 6];
  let h = values[from + 7];
  let i = from + 8;
  for (const end = to - (n % 8); i < end; i += 8) {
    a += values[i];
    b += values[i + 1];
    c += values[i + 2];
    d += values[i + 3];
    e += values[i + 4];
    f += values[i + 5];
    g += values[i + 6];
    h += values[i + 7];
  }
  let sum = a + b + (c + d) + (e + f + (g + h));
  for (; i < to; i++) sum += values[i];
  return sum;
}
