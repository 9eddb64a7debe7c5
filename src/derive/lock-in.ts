/** What a lock-in amplifier measures, and what follows from it. */

export interface Phasor {
  /** Volt rms in phase with the reference, and 90 degrees before it. */
  readonly x: number;
  readonly y: number;
}

/** rms components of a record at `cycles` whole cycles, against sin and cos of the reference. */
export function demodulate(samples: ArrayLike<number>, cycles: number): Phasor {
  const n = samples.length;
  let [x, y] = [0, 0];
  for (let i = 0; i < n; i++) {
    const angle = (2 * Math.PI * cycles * i) / n;
    x += (samples[i] ?? 0) * Math.sin(angle);
    y += (samples[i] ?? 0) * Math.cos(angle);
  }
  return { x: (Math.SQRT2 * x) / n, y: (Math.SQRT2 * y) / n };
}

/** Equivalent noise bandwidths (Hz) times the time constant (s), of filters with one to four stages: 6, 12, 18, 24 dB per octave. */
const ENBW = [1 / 4, 1 / 8, 3 / 32, 5 / 64] as const;
/** Time constants to wait until 99 % of a step has come through. */
const SETTLED = [5, 7, 9, 10] as const;

export type Stages = 1 | 2 | 3 | 4;
export const noiseBandwidth = (tau: number, stages: Stages): number => (ENBW[stages - 1] ?? Number.NaN) / tau;
export const settling = (tau: number, stages: Stages): number => (SETTLED[stages - 1] ?? Number.NaN) * tau;

/** Volt rms, and the angle in rad. */
export const amplitude = ({ x, y }: Phasor): number => Math.hypot(x, y);
export const phase = ({ x, y }: Phasor): number => Math.atan2(y, x);
