/**
 * What lock-in amplifiers have in common: the demodulation of what the probe's voltage contacts carry, the low-pass stages carried on
 * exactly from tick to tick, and their noise.
 */
import type { Dac } from './dac.ts';

export type Stages = 1 | 2 | 3 | 4;

/** Outputs (V) of each of four equal low-pass stages, first to last: those of the first n are a filter of n stages. */
export interface Detector {
  readonly x: number[];
  readonly y: number[];
  /** V at the demodulator, before any filter, and V peak at the input, all frequencies together. */
  arriving: { readonly x: number; readonly y: number };
  peak: number;
  /** Running mean, and running mean deviation from it, of X and Y: the amplifier's own estimate of noise. */
  readonly mean: number[];
  readonly deviation: number[];
}

export const detector = (): Detector => ({
  x: [0, 0, 0, 0],
  y: [0, 0, 0, 0],
  arriving: { x: 0, y: 0 },
  peak: 0,
  mean: [0, 0],
  deviation: [0, 0],
});

/**
 * Equal low-pass stages in a row after a constant input for `part` time constants: with e_k the distance of stage k from the input,
 * e_k' = (e_(k-1) - e_k) / tau has the solution e_k = exp(-part) sum_j part^j / j! e_(k-j). Exact for any `part`.
 */
export function lowPass(held: number[], input: number, part: number): void {
  const decay = Math.exp(-part);
  for (let k = held.length - 1; k >= 0; k--) {
    let [sum, term] = [0, decay];
    for (let j = 0; j <= k; j++) {
      sum += term * (held[k - j] - input);
      term *= part / (j + 1);
    }
    held[k] = input + sum;
  }
}

/** Equivalent noise bandwidth (Hz) times the time constant (s). */
const ENBW = [1 / 4, 1 / 8, 3 / 32, 5 / 64] as const;
export const enbw = (tau: number, stages: Stages): number => ENBW[stages - 1] / tau;

const gains = new Map<string, number>();
/** Variance of the filter's output per variance of an input that is another normal number in each tick. */
function varianceGain(part: number, stages: Stages): number {
  if (part < 0.003) return 2 * ENBW[stages - 1] * part;
  const key = `${part} ${stages}`;
  let gain = gains.get(key);
  if (gain === undefined) {
    gain = 0;
    const held = [0, 0, 0, 0];
    lowPass(held, 1, part);
    for (let left = 0; left < 60 + part; left += part) {
      gain += held[stages - 1] ** 2;
      lowPass(held, 0, part);
    }
    gains.set(key, gain);
  }
  return gain;
}

export interface Detection {
  readonly name: string;
  /** Hz of the reference, harmonic detected, and the reference's phase shift in rad. */
  readonly frequency: number;
  readonly harmonic: number;
  readonly phase: number;
  readonly tau: number;
  readonly stages: Stages;
  /** V/sqrt(Hz) of the amplifier's own input. */
  readonly noise: number;
  /** False where the voltage contacts are not on the input in use. */
  readonly connected: boolean;
  /** Whether a direct voltage passes the input. */
  readonly direct: boolean;
}

/** Size of what n equal stages let through at a frequency. */
const passed = (f: number, tau: number, stages: Stages): number => (1 + (2 * Math.PI * f * tau) ** 2) ** (-stages / 2);

/**
 * Sums over the sources that drive the sample. A frequency beside the reference turns; in steps of a tick it can look slower than it is,
 * and is made smaller by as much as the filter would then let through too much.
 */
function arriving(w: Dac, d: Detection, t: number, dt: number): { x: number; y: number; peak: number } {
  let [x, y, peak, direct] = [0, 0, 0, 0];
  for (const { ac, dc = 0 } of w.probe.driven.values()) {
    direct += dc;
    if (!ac) continue;
    for (const n of [1, 3]) {
      const off = n * ac.frequency - d.harmonic * d.frequency;
      const through = passed(off, d.tau, d.stages);
      if (n > 1 && through < 1e-4) continue;
      const p = w.probe.phasor(ac.rms, ac.frequency, n);
      peak += Math.SQRT2 * Math.hypot(p.x, p.y);
      const part = through / passed(off - Math.round(off * dt) / dt, d.tau, d.stages);
      const turn = 2 * Math.PI * off * (t + dt / 2) - d.phase;
      x += part * (p.x * Math.cos(turn) - p.y * Math.sin(turn));
      y += part * (p.x * Math.sin(turn) + p.y * Math.cos(turn));
    }
  }
  if (d.direct) peak += Math.abs(w.probe.volts(direct, t) ?? 0);
  return { x, y, peak };
}

/** Carries the detector on over one tick; `moments` are parts of it (below 1, rising) at which `at` looks at the outputs. */
export function detect(
  held: Detector,
  w: Dac,
  d: Detection,
  t: number,
  dt: number,
  moments: readonly number[] = [],
  at: () => void = () => undefined,
): void {
  const signal = d.connected ? arriving(w, d, t, dt) : { x: 0, y: 0, peak: 0 };
  const part = dt / d.tau;
  const density = d.connected ? Math.hypot(d.noise, w.probe.noise()) : d.noise;
  // So much per tick that the filter's output has the variance density^2 ENBW, however long its time constant is.
  const sigma = density * Math.sqrt(enbw(d.tau, d.stages) / varianceGain(part, d.stages));
  held.arriving = { x: signal.x + sigma * w.noise(`${d.name} x`), y: signal.y + sigma * w.noise(`${d.name} y`) };
  held.peak = signal.peak;
  let gone = 0;
  for (const moment of [...moments, 1]) {
    lowPass(held.x, held.arriving.x, (moment - gone) * part);
    lowPass(held.y, held.arriving.y, (moment - gone) * part);
    gone = moment;
    if (moment < 1) at();
  }
  const share = Math.min(1, dt / (20 * d.tau));
  for (const [i, v] of [held.x[d.stages - 1], held.y[d.stages - 1]].entries()) {
    held.mean[i] += share * (v - held.mean[i]);
    held.deviation[i] += share * (Math.abs(v - held.mean[i]) - held.deviation[i]);
  }
}

/** V rms in a bandwidth of 1 Hz, from the mean deviation of X or Y. */
export const noiseOf = (held: Detector, i: 0 | 1, tau: number, stages: Stages): number =>
  (held.deviation[i] * Math.sqrt(Math.PI / 2)) / Math.sqrt(enbw(tau, stages));

/** The amplifier's sine output through its resistor into the sample; a path that is open carries nothing. */
export function driveSine(w: Dac, name: string, rms: number, frequency: number, resistor: number): void {
  const current = rms / (resistor + 50 + w.probe.path());
  w.probe.drive(name, current > 0 ? { ac: { rms: current, frequency } } : undefined);
}

/** What another source gives to the reference input (Hz). */
export function external(w: Dac, name: string): number | undefined {
  for (const [other, { ac }] of w.probe.driven) if (other !== name && ac) return ac.frequency;
  return undefined;
}

/** A tick's moments at which a store of `rate` Hz takes a value, as parts of the tick. */
export function sampled(since: number, t: number, dt: number, rate: number): readonly number[] {
  const moments: number[] = [];
  const eps = 1e-9;
  for (let n = Math.max(0, Math.ceil((t - since) * rate - eps)); (n / rate + since - t) / dt < 1 - eps; n++)
    moments.push(Math.max(0, (n / rate + since - t) / dt));
  return moments;
}
