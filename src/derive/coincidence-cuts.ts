/** What makes a prompt, a delayed and a pair of them. Times in nanoseconds, energies in MeVee, places in cm. */

type Range = readonly [low: number, high: number];

export interface Cuts {
  /** From this energy on an event is a muon: it vetoes, and is never a candidate. */
  readonly muon: number;
  /** The veto is [t, t + veto], both ends in it. */
  readonly veto: number;
  /** Both ends belong to it; the pulse shape (tail over total) is below `promptShape`. */
  readonly prompt: Range;
  readonly promptShape: number;
  /** Both ends belong to it; the pulse shape is `delayedShape` or above. */
  readonly delayed: Range;
  readonly delayedShape: number;
  /** Delayed less prompt time, both ends in it. */
  readonly window: Range;
  /** Off-time window k = window + first + k step, k from 0 to count - 1. */
  readonly off: { readonly first: number; readonly step: number; readonly count: number };
  /** A pair is isolated when no third event of low <= energy < high is from `time` before the prompt to `time` after the delayed. Vetoed ones count too. */
  readonly isolation: { readonly time: number; readonly low: number; readonly high: number };
  /** Pairs that are this far apart or farther are none; otherwise the place says nothing. */
  readonly apart?: number;
}

/** Those of a 6Li-loaded liquid: alpha and triton between 0.38 and 0.68 MeVee with a long tail. */
export const CUTS: Cuts = {
  muon: 20,
  veto: 1e6,
  prompt: [1, 8],
  promptShape: 0.215,
  delayed: [0.38, 0.68],
  delayedShape: 0.215,
  window: [1e3, 150e3],
  off: { first: 1e6, step: 200e3, count: 20 },
  isolation: { time: 300e3, low: 0.38, high: 20 },
};

/** What is wrong with these cuts and what would be right; undefined where nothing is. */
export function wrongCuts(cuts: Cuts): string | undefined {
  const { window, off, isolation } = cuts;
  for (const name of ['prompt', 'delayed', 'window'] as const) {
    const [low, high] = cuts[name];
    if (!(low <= high)) return `${name} ends (${high}) before it begins (${low})`;
  }
  if (!(cuts.muon > 0)) return `muon must be an energy above zero, not ${cuts.muon}`;
  if (!(cuts.veto >= 0)) return `veto must be a time from zero on, not ${cuts.veto}`;
  if (Number.isNaN(cuts.promptShape) || Number.isNaN(cuts.delayedShape)) return 'promptShape and delayedShape must be numbers';
  if (!(window[0] >= 0 && window[1] > window[0] && window[1] <= 1e7))
    return `window must begin at zero or later, end after that and within ten milliseconds, not [${window}] ns`;
  if (!(Number.isInteger(off.count) && off.count >= 0 && off.count <= 10_000))
    return `off.count must be a whole number from 0, not ${off.count}`;
  if (off.count > 0 && !(off.first + window[0] > window[1]))
    return `off.first (${off.first} ns) puts an off-time window into the on-time one`;
  if (off.count > 1 && !(off.step >= window[1] - window[0]))
    return `off.step (${off.step} ns) must be as long as a window (${window[1] - window[0]} ns) or longer: else a pair counts twice`;
  if (!(off.first + off.step * off.count < 1e10)) return 'the off-time windows must end within ten seconds';
  if (!(isolation.time >= 0 && isolation.time < 1e9 && isolation.low < isolation.high))
    return 'isolation needs a time from zero on, and low below high';
  if (cuts.apart !== undefined && !(cuts.apart > 0)) return `apart must be a length above zero, not ${cuts.apart}`;
  return undefined;
}
