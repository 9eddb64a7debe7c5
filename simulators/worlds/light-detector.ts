/** What a detector adds to the light: hot pixels and cosmic hits. Each is a function of seed, name and number of the exposure alone. */
import { poisson, uniform } from '../../src/simulator.ts';

export interface Flaws {
  /** Electrons per second of any pixel, with light or without. */
  readonly dark: number;
  /** How many pixels are hot. */
  readonly hot: number;
  /** Cosmic hits per second on the whole detector. */
  readonly cosmic: number;
}

/** Electrons per second of a hot pixel: from this to a hundred times as much. */
const LEAST_HOT = 20;
/** Electrons of a cosmic hit: at least, and more on average. */
const LEAST_HIT = 500;
const MORE_HIT = 2500;

/** Electrons per second of each hot pixel: the same pixels in every exposure of this detector. */
export function hotPixels(hot: number, pixels: number, seed: number, name: string): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  for (let i = 0; found.size < Math.min(hot, pixels) && i < 100 * hot; i++) {
    const at = Math.floor(pixels * uniform(seed, `${name} hot place`, i));
    if (!found.has(at)) found.set(at, LEAST_HOT * 100 ** uniform(seed, `${name} hot current`, i));
  }
  return found;
}

/** Electrons that cosmic hits have left in the pixels of one exposure of this length. */
export function cosmicHits(
  { cosmic }: Flaws,
  seconds: number,
  pixels: number,
  seed: number,
  name: string,
  number: number,
): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  const hits = poisson(cosmic * seconds, seed, `${name} cosmic hits`, number);
  for (let i = 0; i < hits; i++) {
    const nth = 1000 * number + i;
    const at = Math.floor(pixels * uniform(seed, `${name} cosmic place`, nth));
    const electrons = Math.round(LEAST_HIT - MORE_HIT * Math.log(uniform(seed, `${name} cosmic size`, nth)));
    found.set(at, (found.get(at) ?? 0) + electrons);
  }
  return found;
}
