/**
 * A 2182A nanovoltmeter across the voltage contacts: conversions in the world's time, with the noise of its integration time and range.
 * Model 2182/2182A User's Manual 2182A-900-01.
 */
import { gauss } from '../../src/simulator.ts';
import type { Dac } from './dac.ts';
import { type Box, type Code, condition, OVERFLOW, sci } from './keithley-scpi.ts';

/** One conversion; a value of Infinity is an overflow. */
export interface Conversion {
  readonly value: number;
  /** Seconds of the meter's own clock. */
  readonly stamp: number;
  readonly number: number;
  readonly unit: string;
}

export interface Meter extends Box {
  readonly name: string;
  readonly line: 50 | 60;
  /** The world, between a question and its answer. */
  w: Dac | undefined;
  t: number;
  /** Conversions that are still to be taken; Infinity while it measures by itself. */
  left: number;
  done: number;
  number: number;
  latest: Conversion | undefined;
  fresh: boolean;
  readonly buffer: Conversion[];
  storing: boolean;
  statistic: number;
}

export const RANGES: Readonly<Record<1 | 2, readonly number[]>> = { 1: [0.01, 0.1, 1, 10, 100], 2: [0.1, 1, 10] };
/** Part of a range that is measured beyond it (manual, section 2: 120 mV on the 100 mV range). */
export const OVER = 1.2;
/** V rms of one reading at 1 PLC on the 10 mV range; 15 nV peak to peak at 5 PLC, white. */
const NOISE = 5.6e-9;
/** Noise of the other ranges: part of the range. */
const PART = 3e-8;
/** Seconds beside the integration; measured twice with front autozero. */
const OVERHEAD = 0.003;
const CLOCK = 1 + 12e-6;
export const BUFFER = 1024;

export const nplcOf = (m: Meter): number => Number(m.values[m.values.func === 'TEMP' ? 'tempNplc' : 'nplc']);
/** Seconds from one conversion's end to the next. */
export const period = (m: Meter): number => (nplcOf(m) / m.line) * (m.values.fazero === true ? 2 : 1) + OVERHEAD;

/** The noise (V rms) of one conversion on a range. */
export function meterNoise(nplc: number, range: number, density: number, line: number): number {
  const own = Math.max(NOISE, PART * (range > 0.01 ? range : 0)) / Math.sqrt(nplc);
  return Math.hypot(own, density * Math.sqrt(line / (2 * nplc)));
}

/** What a voltage is shown as on a range (0: by itself); Infinity beyond it. */
export function ranged(volts: number | undefined, range: number, channel: 1 | 2 = 1): { readonly value: number; readonly range: number } {
  const all = RANGES[channel];
  const most = all.at(-1) ?? 100;
  if (volts === undefined || Number.isNaN(volts)) return { value: Number.POSITIVE_INFINITY, range: range || most };
  const chosen = range || (all.find((r) => Math.abs(volts) <= OVER * r) ?? most);
  return { value: Math.abs(volts) > OVER * chosen ? Number.POSITIVE_INFINITY : volts, range: chosen };
}

/** Range that a voltage asks for; 0 for autorange. */
export const rangeOf = (m: Meter, channel: 1 | 2): number =>
  m.values[`auto${channel}`] === true ? 0 : Number(m.values[`range${channel}`]);

export function convert(m: Meter, t: number, n: number): Conversion {
  const channel = Number(m.values.chan);
  const temperature = m.values.func === 'TEMP' || channel === 0;
  const w = m.w;
  let value = Number.NaN;
  if (w && temperature) {
    const kelvin = (channel === 0 ? w.roomTemperature + 8 : w.cellTemperature) + 0.01 * gauss(w.seed, `${m.name} kelvin`, n);
    const unit = String(m.values.unitTemp);
    value = unit === 'K' ? kelvin : unit === 'F' ? (kelvin - 273.15) * 1.8 + 32 : kelvin - 273.15;
  } else if (w) {
    const side = channel === 2 ? 2 : 1;
    const volts = side === 1 ? w.probe.volts(w.probe.direct(), t) : 0;
    const seen = ranged(volts, rangeOf(m, side), side);
    const filtered = m.values[`dfil${side}`] === true ? Math.sqrt(Number(m.values[`dfilCount${side}`])) : 1;
    const sigma = meterNoise(nplcOf(m), seen.range, w.probe.noise(), m.line) / filtered;
    value = seen.value + sigma * gauss(w.seed, `${m.name} volts ${side}`, n);
  }
  const side = channel === 2 ? 2 : 1;
  const kind = temperature ? 'tref' : 'ref';
  if (m.values[`${kind}On${side}`] === true) value -= Number(m.values[`${kind}${side}`]);
  if (m.values.mxb === true && m.values.calcForm === 'MXB') value = value * Number(m.values.mmf) + Number(m.values.mbf);
  return { value, stamp: t * CLOCK, number: m.number, unit: temperature ? String(m.values.unitTemp) : 'VDC' };
}

export function took(m: Meter, one: Conversion): void {
  m.latest = one;
  m.number++;
  m.fresh = true;
  condition(m, 'MEASurement', 5, true); // reading available
  condition(m, 'MEASurement', 0, !Number.isFinite(one.value)); // reading overflow
  if (!m.storing) return;
  m.buffer.push(one);
  if (m.buffer.length >= Number(m.values.points)) {
    m.storing = false;
    condition(m, 'MEASurement', 9, true); // buffer full
  }
}

/** Conversions whose end lies before t. */
export function meterTick(m: Meter, w: Dac, t: number): void {
  m.w = w;
  const until = Math.floor(t / period(m));
  if (m.done > until) m.done = until; // the integration time was changed
  const triggered = m.values.source === 'IMM' || m.values.source === 'TIM';
  // Of many in one tick all but the last few are alike.
  const from = Math.max(m.done, until - 32);
  for (let n = from + 1; n <= until; n++) {
    if (m.left > 0 && (triggered || Number.isFinite(m.left))) {
      if (Number.isFinite(m.left)) m.left--;
      took(m, convert(m, n * period(m), n));
    }
  }
  m.done = until;
  m.w = undefined;
}

export function readingText(m: Meter, one: Conversion): string {
  const elements = String(m.values.elements).split(',');
  const units = elements.includes('UNIT');
  const parts = elements.flatMap((e) => {
    if (e === 'READ')
      return `${Number.isFinite(one.value) ? sci(one.value, 8) : OVERFLOW}${units && Number.isFinite(one.value) ? one.unit : ''}`;
    if (e === 'TST') return `${sci(one.stamp, 9)}${units ? 'SECS' : ''}`;
    if (e === 'RNUM') return `+${one.number}${units ? 'RDNG#' : ''}`;
    if (e === 'CHAN') return `${m.values.chan}${units ? 'INTCHAN' : ''}`;
    return e === 'STAT' ? '0' : [];
  });
  return parts.join(',');
}

/** One conversion now. */
export function measure(m: Meter): string {
  took(m, convert(m, m.t, Math.floor(m.t / period(m)) + 1));
  return latest(m);
}
export const latest = (m: Meter): string => {
  return readingText(m, m.latest ?? convert(m, m.t, Math.floor(m.t / period(m)) + 1));
};
export function fresh(m: Meter): string | Code {
  if (!m.fresh && Number.isFinite(m.left) && m.left === 0) return -230;
  m.fresh = false;
  return latest(m);
}
/** READ?: as many as trigger and sample count say. */
export function read(m: Meter): string {
  const n = Math.min(BUFFER, Number(m.values.samples) * Math.min(Number(m.values.count), BUFFER));
  return Array.from({ length: Math.max(1, n) }, () => measure(m)).join(',');
}
