/** Light on 64 silicon photomultipliers in an 8 x 8 field: flashes at random places, shared among the channels around them. */
import { poisson, uniform, type World, world } from '../../src/simulator.ts';

/** One flash: photoelectrons of each channel. */
export interface LightEvent {
  readonly n: number;
  /** Seconds since the world began. */
  readonly t: number;
  readonly pe: Float64Array;
}
export interface EasirocLight extends World {
  ticks: number;
  /** Those of a higher number than `since`, of the last minute at most. */
  events(since: number): readonly LightEvent[];
  /** Dark counts of a channel per second. */
  dark(channel: number): number;
  /** Pulses of the dark in a channel, in a tick. */
  darkCount(channel: number, tick: number): number;
}

export const LIGHT_TICK = 0.1;
const RATE = 20; // flashes per second
const SIDE = 8;
const LIGHT = 400; // photoelectrons of a flash, on the average
const KEPT = 1200;

export const easirocLight = world<EasirocLight>({
  name: 'easiroc light',
  tick: LIGHT_TICK,
  make(seed) {
    const kept: LightEvent[] = [];
    let n = 0;
    const flash = (t: number): LightEvent => {
      const number = ++n;
      const at = (name: string): number => uniform(seed, name, number);
      const [x, y] = [at('x') * SIDE, at('y') * SIDE];
      const light = -LIGHT * Math.log(at('light'));
      const share = Float64Array.from({ length: SIDE * SIDE }, (_, ch) => {
        const d2 = ((ch % SIDE) + 0.5 - x) ** 2 + (Math.floor(ch / SIDE) + 0.5 - y) ** 2;
        return 1 / (1 + d2);
      });
      const whole = share.reduce((sum, one) => sum + one, 0);
      return { n: number, t, pe: share.map((one, ch) => poisson((light * one) / whole, seed, `pe ${ch}`, number)) };
    };
    const dark = (channel: number): number => 200 + 10 * (channel % 16);
    return {
      ticks: 0,
      dark,
      darkCount: (channel, tick) => poisson(dark(channel) * LIGHT_TICK, seed, `dark ${channel}`, tick),
      events: (since) => kept.filter((e) => e.n > since),
      step(dt) {
        const t = this.ticks * dt;
        this.ticks++;
        const many = poisson(RATE * dt, seed, 'flashes', this.ticks);
        const times = Array.from({ length: many }, (_, i) => t + dt * uniform(seed, `time ${i}`, this.ticks)).sort((a, b) => a - b);
        for (const one of times) kept.push(flash(one));
        kept.splice(0, Math.max(0, kept.length - KEPT));
      },
    };
  },
});
