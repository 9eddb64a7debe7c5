/** A source-meter on the sample's contacts: what it drives under its compliance, and what it then measures. SI throughout. */
import { gauss } from '../../src/simulator.ts';
import type { Dac } from './dac.ts';

export interface Sourcing {
  readonly name: string;
  readonly on: boolean;
  readonly function: 'CURR' | 'VOLT';
  /** A or V, and the limit on the other of the two. */
  readonly level: number;
  readonly limit: number;
  readonly fourWire: boolean;
  /** Power-line cycles of one measurement. */
  readonly nplc: number;
}

export interface Driving {
  /** A that flow, V at the terminals or, by four wires, at the inner contacts (undefined where those hang in the air). */
  readonly current: number;
  readonly voltage: number | undefined;
  /** The limit holds. */
  readonly compliance: boolean;
}

const OFF: Driving = { current: 0, voltage: 0, compliance: false };
/** Of one measurement over one power-line cycle. */
const VOLTS = 0.5e-6;
const AMPS = 50e-12;
const GAIN = 2e-6;

/** What flows now, without noise. A source that meets an open line stands at its voltage limit and drives nothing. */
export function driving(s: Sourcing, w: Dac, t: number): Driving {
  if (!s.on) return OFF;
  const { probe } = w;
  const path = probe.path();
  const seen = (amps: number): number | undefined =>
    s.fourWire ? probe.volts(amps, t) : Number.isFinite(path) ? amps * path + probe.emf(t) : undefined;
  if (s.function === 'CURR') {
    if (!Number.isFinite(path)) return { current: 0, voltage: Math.sign(s.level) * s.limit, compliance: s.level !== 0 };
    const most = s.limit / path;
    const compliance = Math.abs(s.level) > most;
    const current = compliance ? Math.sign(s.level) * most : s.level;
    return { current, voltage: seen(current), compliance };
  }
  const load = s.fourWire && probe.volts(0, t) !== undefined ? probe.resistance() : path;
  const wanted = Number.isFinite(load) ? s.level / load : 0;
  const compliance = Math.abs(wanted) > s.limit;
  const current = compliance ? Math.sign(wanted) * s.limit : wanted;
  return { current, voltage: compliance ? seen(current) : s.level, compliance };
}

/** Lets the current flow through the sample, or not. */
export function apply(s: Sourcing, w: Dac, t: number): Driving {
  const now = driving(s, w, t);
  w.probe.drive(s.name, s.on ? { dc: now.current } : undefined);
  return now;
}

/** What the meter reads, number n of this tick; undefined is an overflow (nothing connected). */
export function measured(s: Sourcing, w: Dac, t: number, n: number): Driving {
  const { current, voltage, compliance } = driving(s, w, t);
  const noise = (what: string): number => gauss(w.seed, `${s.name} ${what} ${n}`, w.ticks) / Math.sqrt(Math.max(0.01, s.nplc));
  return {
    current: current * (1 + GAIN * noise('gain')) + AMPS * noise('amps'),
    voltage: voltage === undefined ? undefined : voltage + VOLTS * noise('volts'),
    compliance,
  };
}

/** Mean, standard deviation (n - 1), least and greatest. */
export function statistics(values: readonly number[]): { mean: number; sd: number; min: number; max: number } {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const squares = values.reduce((a, b) => a + (b - mean) ** 2, 0);
  return { mean, sd: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0, min: Math.min(...values), max: Math.max(...values) };
}
