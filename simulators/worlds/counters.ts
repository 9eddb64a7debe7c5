/** Pulses on the channels of a detector: Poisson counts of each tenth of a second, each channel with its own rate. */
import { poisson, type World, world } from '../../src/simulator.ts';

export interface Counters extends World {
  /** Ticks since the world began. */
  ticks: number;
  /** Pulses per second of a channel. */
  rate(channel: number): number;
  /** Pulses in the tick of this number, the first being 1. */
  count(channel: number, tick: number): number;
}

export const COUNTER_TICK = 0.1;

export const counters = world<Counters>({
  name: 'counters',
  tick: COUNTER_TICK,
  make(seed) {
    const rate = (channel: number): number => 120 + 40 * channel;
    return {
      ticks: 0,
      rate,
      count: (channel, tick) => poisson(rate(channel) * COUNTER_TICK, seed, `channel ${channel}`, tick),
      step() {
        this.ticks++;
      },
    };
  },
});
