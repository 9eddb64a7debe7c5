/** A second of hits after the other, with Poisson numbers, exponential charges, and a baseline and noise as those of a digitizer. */
import { type Hits, hits } from '../../src/derive/hits.ts';
import { normal, poisson, uniform } from './hit-rows.ts';

/** Gives a block of one second, filled again by the next call. `mean` is the number of hits of a channel. */
export function steady(seed: number, channels: number): (mean: (channel: number) => number) => Hits {
  const random = uniform(seed);
  const block = hits(100_000);
  return (mean) => {
    let i = 0;
    for (let c = 0; c < channels; c++) {
      for (let n = poisson(mean(c), random); n > 0 && i < block.capacity; n--, i++) {
        block.channel[i] = c;
        block.flags[i] = 0;
        block.charge[i] = -1000 * Math.log(1 - random());
        block.baseline[i] = 2000 + 0.4 * normal(random);
        block.noise[i] = 1.6 + 0.3 * normal(random);
      }
    }
    block.count = i;
    return block;
  };
}
