/**
 * What hangs on high-voltage outputs: resistance, leakage, now and then a spark. A supply says what it wants of its output; the output
 * moves at the supply's rates, and where the load takes more than the limit it is held at the limit, as a current generator. SI.
 */
import { gauss, type World, world } from '../../src/simulator.ts';

/** One output with its load. Voltages are sizes: which sign they have is the supply's own. */
export interface Output {
  /** V that the supply wants, and V/s at which it goes there. */
  target: number;
  up: number;
  down: number;
  /** A at most. */
  limit: number;
  /** Ω of the load; A that leak beside it while there is voltage. */
  ohms: number;
  leak: number;
  /** Ω of a spark and how many seconds it still burns. */
  spark: { ohms: number; seconds: number };
  /** What there is. */
  volts: number;
  amps: number;
  /** The load takes all that the limit allows. */
  limited: boolean;
}

export interface HighVoltage extends World {
  /** Ticks since the world began. */
  ticks: number;
  /** The output of this name, made on its first use with a load of so many Ω (otherwise 10 MΩ). */
  output(name: string, ohms?: number): Output;
  /** A standard normal number of this name, another one each tick. */
  noise(name: string): number;
}

/** Takes the voltage away at once, whatever the rate is. */
export function kill(output: Output): void {
  Object.assign(output, { target: 0, volts: 0, amps: 0, limited: false });
}

function step(o: Output, dt: number): void {
  const wanted = o.volts < o.target ? Math.min(o.target, o.volts + o.up * dt) : Math.max(o.target, o.volts - o.down * dt);
  const burns = o.spark.seconds > 0;
  const ohms = burns ? (o.ohms * o.spark.ohms) / (o.ohms + o.spark.ohms) : o.ohms;
  const most = Math.max(0, o.limit - o.leak) * ohms;
  o.limited = wanted > most;
  o.volts = Math.max(0, Math.min(wanted, most));
  o.amps = o.limited ? o.limit : o.volts / ohms + (o.volts > 0 ? o.leak : 0);
  if (burns) o.spark.seconds -= dt;
}

export const highVoltage = world<HighVoltage>({
  name: 'high-voltage',
  tick: 0.1,
  make: (seed) => {
    const outputs = new Map<string, Output>();
    return {
      ticks: 0,
      output(name, ohms = 1e7) {
        const output = outputs.get(name) ?? {
          ...{ target: 0, up: 50, down: 50, limit: 0, ohms, leak: 1e-9 },
          ...{ spark: { ohms: 1e4, seconds: 0 }, volts: 0, amps: 0, limited: false },
        };
        outputs.set(name, output);
        return output;
      },
      noise(name) {
        return gauss(seed, name, this.ticks);
      },
      step(dt) {
        this.ticks++;
        for (const output of outputs.values()) step(output, dt);
      },
    };
  },
});
