/**
 * The measuring part of a simulated Keysight 34420A: triggers, conversions in the world's time, ranges, readings in memory. What follows
 * from them for its commands is in the simulator.
 */
import { gauss } from '../../src/simulator.ts';
import type { Dac } from './dac.ts';

export type Quantity = 'VOLT' | 'VOLT:RAT' | 'VOLT:DIFF' | 'RES' | 'FRES' | 'TEMP';

/** Integration in periods of the mains, and what it resolves as a part of the range (User's Guide, chapter 4). */
export const CYCLES = [0.02, 0.2, 1, 2, 10, 20, 100, 200];
export const RESOLVED = [1e-4, 1e-5, 3e-6, 2.2e-6, 1e-6, 8e-7, 3e-7, 2.2e-7];
export const VOLTS = [1e-3, 1e-2, 0.1, 1, 10, 100];
export const OHMS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6];
export const OVERLOAD = 9.9e37;

/** What a quantity is measured with, on one input. */
export interface Setup {
  range: number;
  auto: boolean;
  cycles: number;
  null: boolean;
  nullValue: number;
}

export interface Meter {
  readonly name: string;
  /** Hz. */
  readonly mains: number;
  func: Quantity;
  input: 1 | 2;
  readonly volts: readonly [Setup, Setup];
  readonly ohms: Record<'RES' | 'FRES', Setup>;
  temperature: Setup;
  trigger: 'IMM' | 'BUS' | 'EXT';
  triggers: number;
  samples: number;
  /** Seconds between trigger and conversion; undefined: as the meter takes it. */
  delay: number | undefined;
  job: Job | undefined;
  memory: number[];
  /** Bits 0 (volts) and 9 (ohms) of the questionable data register. */
  questionable: number;
}

export interface Job {
  /** For READ? and MEASure?, which answer with the readings. */
  readonly answers: boolean;
  triggersLeft: number;
  samplesLeft: number;
  /** Seconds of the world at which the present conversion ends; Infinity while a trigger is missing. */
  due: number;
  sum: number;
  ticks: number;
  n: number;
  readonly got: number[];
}

export const setup = (range: number): Setup => ({ range, auto: true, cycles: 10, null: false, nullValue: 0 });
export const meter = (name: string, mains: number): Meter => ({
  name,
  mains,
  func: 'VOLT',
  input: 1,
  volts: [setup(10), setup(10)],
  ohms: { RES: setup(1e3), FRES: setup(1e3) },
  temperature: setup(1),
  trigger: 'IMM',
  triggers: 1,
  samples: 1,
  delay: undefined,
  job: undefined,
  memory: [],
  questionable: 0,
});

export const inUse = (m: Meter): Setup =>
  m.func === 'RES' || m.func === 'FRES' ? m.ohms[m.func] : m.func === 'TEMP' ? m.temperature : m.volts[m.input - 1];

/** The least range that holds a value, with a fifth above it; the largest where none does. */
export const rangeFor = (ranges: readonly number[], value: number): number =>
  ranges.find((range) => Math.abs(value) <= 1.2 * range) ?? ranges[ranges.length - 1];

/** Seconds of one reading: two conversions, of the input and of its zero. */
const duration = (m: Meter): number => (m.delay ?? 0) + (2 * inUse(m).cycles) / m.mains;

/** Begins; false where it measures already. */
export function initiate(m: Meter, t: number, answers: boolean): boolean {
  if (m.job) return false;
  const due = m.trigger === 'IMM' ? t + duration(m) : Number.POSITIVE_INFINITY;
  m.memory = [];
  m.job = { answers, triggersLeft: m.triggers, samplesLeft: m.samples, due, sum: 0, ticks: 0, n: 0, got: [] };
  return true;
}
/** A trigger from the bus; false where none was waited for. */
export function triggered(m: Meter, t: number): boolean {
  if (m.trigger !== 'BUS' || !m.job || Number.isFinite(m.job.due)) return false;
  m.job.due = t + duration(m);
  return true;
}

/** V or Ohm at the input now, undefined where nothing is connected. */
function now(m: Meter, w: Dac, t: number): number | undefined {
  const { probe } = w;
  const first = probe.volts(probe.direct(), t);
  if (m.func === 'FRES' || m.func === 'RES') {
    const r = m.func === 'FRES' ? probe.resistance() : probe.path();
    return Number.isFinite(r) && first !== undefined ? r : undefined;
  }
  if (m.func === 'TEMP') return undefined; // no thermocouple is connected
  // Nothing but a short is on input 2.
  if (m.func === 'VOLT:RAT') return undefined;
  return m.func === 'VOLT' && m.input === 2 ? 0 : first;
}

/** A finished conversion: noise of 1.5 nV at 100 periods and a hundred-millionth of the range, null, overload. */
function reading(m: Meter, w: Dac, job: Job): number {
  const used = inUse(m);
  const ohms = m.func === 'RES' || m.func === 'FRES';
  const mean = job.ticks === 0 ? Number.NaN : job.sum / job.ticks;
  const name = `${m.name} reading ${job.n}`;
  if (Number.isNaN(mean)) {
    m.questionable |= ohms ? 512 : 1;
    return OVERLOAD;
  }
  const ranges = ohms ? OHMS : m.input === 2 ? VOLTS.slice(0, 5) : VOLTS;
  if (used.auto) used.range = rangeFor(ranges, mean);
  if (Math.abs(mean) > 1.2 * used.range) {
    m.questionable |= ohms ? 512 : 1;
    return Math.sign(mean) * OVERLOAD;
  }
  const wide = Math.sqrt(100 / used.cycles);
  const size = (ohms ? 2e-8 * Math.max(1, used.range) : Math.hypot(1.5e-9, 1e-8 * used.range)) * wide;
  const value = mean + size * gauss(w.seed, name, w.ticks);
  return value - (used.null ? used.nullValue : 0);
}

/** One tick of the world; true when a job has ended in it. */
export function convert(m: Meter, w: Dac, t: number, dt: number): boolean {
  const { job } = m;
  if (!job || !Number.isFinite(job.due)) return false;
  const at = now(m, w, t);
  job.sum += at ?? Number.NaN;
  job.ticks++;
  while (m.job && job.due <= t + dt + 1e-9) {
    job.got.push(reading(m, w, job));
    job.n++;
    if (--job.samplesLeft <= 0) {
      job.samplesLeft = m.samples;
      if (--job.triggersLeft <= 0) {
        m.job = undefined;
        if (!job.answers) m.memory = job.got.slice(-1024);
        return true;
      }
      if (m.trigger !== 'IMM') {
        job.due = Number.POSITIVE_INFINITY;
        return false;
      }
    }
    job.due += duration(m);
    job.sum = at ?? Number.NaN;
    job.ticks = 1;
  }
  return false;
}
