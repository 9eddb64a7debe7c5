/** The room around the laser: contacts that everybody in it shares. */
import { type World, world } from '../../src/simulator.ts';

export interface Hutch extends World {
  /** Ticks since the world began. */
  ticks: number;
  /** Contacts: true is closed, which is safe. A wall button that is not pressed is closed; so is a key that is turned on. */
  door: boolean;
  button: boolean;
  key: boolean;
}

/** The contacts stay as they are set; a tick is as fine as a board that looks at them once a millisecond. */
export const hutch = world<Hutch>({
  name: 'hutch',
  tick: 0.001,
  make: () => ({
    ticks: 0,
    door: true,
    button: true,
    key: true,
    step() {
      this.ticks++;
    },
  }),
});
