/** Blocks of hits from plain rows, and seeded random numbers, for tests. */
import { type Hits, hits } from '../../src/derive/hits.ts';

export interface Row {
  readonly t?: number;
  readonly channel?: number;
  readonly charge?: number;
  readonly tail?: number;
  readonly peak?: number;
  readonly baseline?: number;
  readonly noise?: number;
  readonly flags?: number;
  readonly frame?: number;
}

/** A block with room for more than it holds: what stands beyond `count` must not be read. */
export function blockOf(rows: readonly Row[]): Hits {
  const block = hits(rows.length + 3);
  for (const column of [block.t, block.charge, block.tail, block.peak, block.baseline, block.noise]) column.fill(Number.NaN);
  block.channel.fill(65_535);
  rows.forEach((row, i) => {
    block.t[i] = row.t ?? 0;
    block.channel[i] = row.channel ?? 0;
    block.charge[i] = row.charge ?? 0;
    block.tail[i] = row.tail ?? 0;
    block.peak[i] = row.peak ?? 0;
    block.baseline[i] = row.baseline ?? 0;
    block.noise[i] = row.noise ?? 0;
    block.flags[i] = row.flags ?? 0;
    block.frame[i] = row.frame ?? i;
  });
  block.count = rows.length;
  return block;
}

export type Random = () => number;

/** mulberry32 */
export function uniform(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export const normal = (random: Random): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** Exact: products of uniforms in steps of 30; above 3000 the normal distribution, whose tails are good to 4 sigma there. */
export function poisson(mean: number, random: Random): number {
  if (mean > 3000) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)));
  let count = 0;
  for (let left = mean; left > 0; left -= 30) {
    const limit = Math.exp(-Math.min(left, 30));
    for (let product = random(); product > limit; product *= random()) count++;
  }
  return count;
}
