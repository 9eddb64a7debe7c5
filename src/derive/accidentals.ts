/** Pairs by chance: from the rates, from off-time windows, and whether both agree. Rates in 1/s, times in s. */
import { net } from './dead-time.ts';

export interface AccidentalRate {
  /** R_p R_d dt: for R_d dt well below 1. */
  readonly pairs: number;
  /** R_p (1 - exp(-R_d dt)): prompts with one delayed or more. */
  readonly prompts: number;
  /** The share of the pairs that an isolation cut leaves, exp(-R_tot T_iso); 1 without one. */
  readonly isolated: number;
}

/** `isolation`: the rate of all events that spoil a pair, and for how long in all none may be there. */
export function accidentalRate(
  prompt: number,
  delayed: number,
  window: number,
  isolation?: { readonly rate: number; readonly time: number },
): AccidentalRate {
  return {
    pairs: prompt * delayed * window,
    prompts: -prompt * Math.expm1(-delayed * window),
    isolated: isolation ? Math.exp(-isolation.rate * isolation.time) : 1,
  };
}

export interface Counted {
  readonly value: number;
  readonly sigma: number;
}

/** Mean of the off-time windows, each as long as `scale` on-time ones: sum / (k scale), its error sqrt(sum) / (k scale). No window: NaN. */
export function offTime(counts: ArrayLike<number>, scale = 1): Counted {
  let sum = 0;
  for (let k = 0; k < counts.length; k++) sum += counts[k] ?? 0;
  const by = counts.length * scale;
  return { value: sum / by, sigma: Math.sqrt(sum) / by };
}

/** On-time pairs less the accidentals. */
export function signal(on: number, counts: ArrayLike<number>, scale = 1): Counted {
  let sum = 0;
  for (let k = 0; k < counts.length; k++) sum += counts[k] ?? 0;
  return net(on, sum, counts.length * scale);
}

/** From the numbers of prompt and delayed candidates in the live time: R_p R_d dt T, with the Poisson error of both numbers. */
export function singlesProduct(prompts: number, delayeds: number, window: number, live: number): Counted {
  const value = (prompts * delayeds * window) / live;
  return { value, sigma: prompts > 0 && delayeds > 0 ? value * Math.sqrt(1 / prompts + 1 / delayeds) : 0 };
}

export interface Agreement {
  /** Off-time less singles product, in standard deviations; NaN where there is nothing to compare. */
  readonly sigmas: number;
  readonly word: 'agree' | 'disagree' | 'unknown';
  /** One sentence. */
  readonly why: string;
}

/**
 * Whether off-time windows and singles product give the same accidentals within three sigma; beyond that, something makes events that are
 * not independent (bursts, after-pulses, a wrong clock), or the rate has changed. Both errors and the Poisson spread that the product
 * itself foretells for the windows count, so that few counts are not taken for none.
 */
export function agreement(off: Counted, singles: Counted, windows: number): Agreement {
  const expected = windows > 0 ? Math.max(0, singles.value) / windows : Number.NaN;
  const sigmas = (off.value - singles.value) / Math.sqrt(Math.max(off.sigma ** 2, expected) + singles.sigma ** 2);
  const both = `${off.value.toPrecision(4)} accidentals by off-time windows, ${singles.value.toPrecision(4)} by the singles' rates`;
  if (!Number.isFinite(sigmas)) return { sigmas: Number.NaN, word: 'unknown', why: `nothing to compare: ${both}` };
  const word = Math.abs(sigmas) <= 3 ? 'agree' : 'disagree';
  return { sigmas, word, why: `${both}: ${Math.abs(sigmas).toFixed(1)} sigma apart${word === 'agree' ? '' : ', more than 3'}` };
}
