/** What a stretch of hits says of each channel, as sums that can be added: counts, charge, baseline, noise. */
import { FLAG, type Hits } from './hits.ts';

/** Mean and sum of squares about it, one per channel. */
export interface LevelSums {
  readonly n: Float64Array;
  readonly mean: Float64Array;
  readonly squares: Float64Array;
}

export const LEVELS = ['charge', 'baseline', 'noise'] as const;
export type Level = (typeof LEVELS)[number];

export interface ChannelSums {
  /** Seconds of live time. */
  live: number;
  /** Pulses. */
  readonly counts: Float64Array;
  readonly levels: Readonly<Record<Level, LevelSums>>;
}

const levelSums = (channels: number): LevelSums => ({
  n: new Float64Array(channels),
  mean: new Float64Array(channels),
  squares: new Float64Array(channels),
});

export const channelSums = (channels: number): ChannelSums => ({
  live: 0,
  counts: new Float64Array(channels),
  levels: { charge: levelSums(channels), baseline: levelSums(channels), noise: levelSums(channels) },
});

const NO_CHARGE = FLAG.saturated | FLAG.empty | FLAG.cut;

/** Hits of channels beyond the sums' are left out. */
export function takeHits(sums: ChannelSums, block: Hits): void {
  const { counts, levels } = sums;
  const channels = counts.length;
  for (let i = 0; i < block.count; i++) {
    const [c, flags] = [block.channel[i] as number, block.flags[i] as number]; // i < count
    if (c >= channels) continue;
    if ((flags & FLAG.empty) === 0) counts[c] = (counts[c] as number) + 1; // c < channels
    if ((flags & NO_CHARGE) === 0) one(levels.charge, c, block.charge[i] as number);
    one(levels.baseline, c, block.baseline[i] as number);
    one(levels.noise, c, block.noise[i] as number);
  }
}

/** What is no number (a board that sends no baseline) is left out. */
function one({ n, mean, squares }: LevelSums, c: number, value: number): void {
  if (!Number.isFinite(value)) return;
  const count = (n[c] as number) + 1; // c is a channel
  n[c] = count;
  const off = value - (mean[c] as number);
  const now = (mean[c] as number) + off / count;
  mean[c] = now;
  squares[c] = (squares[c] as number) + off * (value - now);
}

/** Adds one channel of others to these, with Chan's formula; the live time is not touched. */
export function addChannel(to: ChannelSums, from: ChannelSums, c: number): void {
  to.counts[c] = (to.counts[c] as number) + (from.counts[c] as number); // c is a channel of both
  for (const level of LEVELS) {
    const [a, b] = [to.levels[level], from.levels[level]];
    const [na, nb] = [a.n[c] as number, b.n[c] as number];
    if (nb === 0) continue;
    const n = na + nb;
    const off = (b.mean[c] as number) - (a.mean[c] as number);
    a.n[c] = n;
    a.mean[c] = (a.mean[c] as number) + (off * nb) / n;
    a.squares[c] = (a.squares[c] as number) + (b.squares[c] as number) + (off * off * na * nb) / n;
  }
}
