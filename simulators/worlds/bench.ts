/** A bench with nothing on it but noise: for instruments whose physics the rig alone knows. */
import { gauss, type World, world } from '../../src/simulator.ts';

export interface Bench extends World {
  /** Ticks since the world began. */
  ticks: number;
  /** A standard normal number of this name, another one each tick. */
  noise(name: string): number;
}

export const bench = world<Bench>({
  name: 'bench',
  tick: 0.1,
  make: (seed) => ({
    ticks: 0,
    noise(name) {
      return gauss(seed, name, this.ticks);
    },
    step() {
      this.ticks++;
    },
  }),
});
