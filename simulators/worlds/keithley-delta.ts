/**
 * What a 6221 does by itself once it is armed: delta, pulse delta and differential conductance with a 2182A, sweeps and waves. It runs in
 * the world's time; the meter's settings are those that it had when it was armed (Model 6220/6221 Reference Manual, sections 4, 5 and 7).
 */
import { delta3, pulseDelta3 } from '../../src/derive/delta.ts';
import { gauss } from '../../src/simulator.ts';
import type { Dac } from './dac.ts';
import { meterNoise, ranged } from './keithley-meter.ts';
import { type Box, condition, event, INFINITE } from './keithley-scpi.ts';

export type Mode = 'DELT' | 'PDEL' | 'DCON' | 'SWE' | 'WAVE';
export interface Taken {
  /** V; Infinity for an overflow. */
  readonly reading: number;
  /** Seconds of the source's own clock since the start. */
  readonly stamp: number;
  readonly number: number;
  /** A. */
  readonly source: number;
  readonly compliance: boolean;
  /** V, the average of the readings (differential conductance). */
  readonly average: number;
}

/** How the meter at the relay was set when the source was armed. */
export interface MeterSettings {
  readonly nplc: number;
  /** V; 0 for autorange. */
  readonly range: number;
  readonly line: number;
}

export interface Runner extends Box {
  readonly name: string;
  armed: Mode | undefined;
  running: boolean;
  /** What the run is made of; undefined before INIT. */
  run: Run | undefined;
  /** Runs begun since the world began: each has noise of its own. */
  runs: number;
  meter: MeterSettings;
  /** Counts all readings since power-on or SYST:RNUM:RES. */
  number: number;
  readonly buffer: Taken[];
  latest: Taken | undefined;
  fresh: boolean;
  outputOn: boolean;
  /** A, as it flows now. */
  level: number;
  list: number[];
  /** For tests: K of its inside is too much. */
  hot: boolean;
}

export interface Run {
  readonly began: number;
  /** World time of the next conversion's (or step's) end, and its number. */
  next: number;
  i: number;
  readonly volts: number[];
  /** V across the meter just before the last reversal: what is left of it decays. */
  before: number;
  clipped: boolean;
  taken: number;
}

/** 24 readings a second at 1 PLC of 60 Hz and 2 ms of delay (data sheet of the 6221). */
export const OVERHEAD = 1 / 24 - 1 / 60 - 0.002;
/** s: cables and the meter's input after a reversal. */
const SETTLING = 0.25e-3;
/** The source's clock runs fast by so much. */
export const CLOCK = 1 + 20e-6;
const MOST = 65_536;

/** A at a world's moment: what is asked for, and less where the voltage is at its limit. */
export function limited(s: Runner, w: Dac, amps: number): number {
  const path = w.probe.path();
  const most = Number(s.values.compliance);
  const over = Math.abs(amps) * path > most;
  return over ? (Number.isFinite(path) ? Math.sign(amps) * (most / path) : 0) : amps;
}
const clips = (s: Runner, w: Dac, amps: number): boolean => Math.abs(amps) * w.probe.path() > Number(s.values.compliance) && amps !== 0;

/** Seconds of one half-cycle. */
export function half(s: Runner): number {
  const { nplc, line } = s.meter;
  switch (s.armed) {
    case 'DELT':
      return Number(s.values.deltDelay) + nplc / line + OVERHEAD;
    case 'DCON':
      return Number(s.values.dconDelay) + nplc / line + OVERHEAD;
    case 'PDEL':
      return Number(s.values.pdelInterval) / line / 3;
    default:
      return Math.max(0.001, Number(s.values.delay));
  }
}

/** A of half-cycle i; undefined past the end. */
function current(s: Runner, i: number): number | undefined {
  const v = (key: string): number => Number(s.values[key]);
  switch (s.armed) {
    case 'DELT':
      return i % 2 === 0 ? v('deltHigh') : v('deltLow');
    case 'PDEL':
      return i % 3 === 1 ? v('pdelHigh') : v('pdelLow');
    case 'DCON': {
      const step = Math.abs(v('dconStep')) * Math.sign(v('dconStop') - v('dconStart'));
      const steps = step === 0 ? 0 : Math.floor(Math.abs((v('dconStop') - v('dconStart')) / step) + 1e-9);
      return i > steps + 2 ? undefined : v('dconStart') + Math.min(i, steps) * step + ((i % 2 === 0 ? 1 : -1) * v('dconDelta')) / 2;
    }
    case 'SWE':
      return swept(s, i);
    default:
      return undefined;
  }
}
function swept(s: Runner, i: number): number | undefined {
  const v = (key: string): number => Number(s.values[key]);
  const spacing = s.values.spacing;
  const n =
    spacing === 'LIST'
      ? s.list.length
      : spacing === 'LOG'
        ? v('points')
        : Math.floor(Math.abs((v('stop') - v('start')) / (v('step') || Number.POSITIVE_INFINITY)) + 1e-9) + 1;
  if (i >= n * v('sweeps')) return undefined;
  const k = i % n;
  if (spacing === 'LIST') return s.list[k];
  if (spacing === 'LOG') return v('start') * (v('stop') / v('start')) ** (k / Math.max(1, n - 1));
  return v('start') + k * Math.abs(v('step')) * Math.sign(v('stop') - v('start'));
}
const counted = (s: Runner): number => Number(s.values[s.armed === 'PDEL' ? 'pdelCount' : 'deltCount']);

/** What the last half-cycles make, if they make a reading. */
function reading(s: Runner, run: Run): { readonly volts: number; readonly amps: number } | undefined {
  const [a, b, c] = run.volts.slice(-3);
  const i = run.i;
  if (a === undefined || b === undefined || c === undefined) return undefined;
  const of = (k: number): number => current(s, k) ?? 0;
  switch (s.armed) {
    case 'DELT':
      return { volts: delta3([a, b, c], i % 2 === 0 ? 1 : -1)[0] ?? Number.NaN, amps: (of(0) - of(1)) / 2 };
    case 'PDEL':
      return i % 3 === 2 ? { volts: pulseDelta3(a, b, c), amps: of(1) - of(0) } : undefined;
    case 'DCON':
      return { volts: 2 * (delta3([a, b, c], i % 2 === 0 ? 1 : -1)[0] ?? Number.NaN), amps: Number(s.values.dconDelta) };
    default:
      return undefined;
  }
}

/** Starts what is armed. */
export function start(s: Runner, w: Dac, t: number): void {
  s.runs++;
  s.buffer.length = 0;
  s.latest = undefined;
  s.fresh = false;
  s.run = { began: t, next: t + half(s), i: 0, volts: [], before: 0, clipped: false, taken: 0 };
  s.running = true;
  s.outputOn = true;
  condition(s, 'OPERation', 10, false);
  condition(s, 'OPERation', 3, true);
  drive(s, w, current(s, 0) ?? 0);
}

/** Ends what runs; bit 1 of the operation register when it is done, bit 2 when it was aborted. */
function finish(s: Runner, bit: 1 | 2): void {
  s.running = false;
  condition(s, 'OPERation', 3, false);
  condition(s, 'OPERation', 10, true);
  event(s, 'OPERation', bit);
}

/** Un-arms; the output goes off with it. */
export function abort(s: Runner, w: Dac): void {
  if (s.armed === undefined) return;
  if (s.running) finish(s, 2);
  s.armed = undefined;
  s.run = undefined;
  s.outputOn = false;
  drive(s, w, 0);
}

/** Lets the current flow that the output gives now. */
export function drive(s: Runner, w: Dac, amps: number): void {
  const flows = s.outputOn ? limited(s, w, amps) : 0;
  s.level = s.outputOn ? amps : 0;
  const wave = s.armed === 'WAVE' && s.running;
  const clip = s.outputOn && clips(s, w, wave ? Number(s.values.ampl) : amps);
  condition(s, 'MEASurement', 3, clip);
  if (wave) {
    const peak = limited(s, w, Number(s.values.ampl));
    const form = s.values.wave;
    const rms = peak * (form === 'SQU' ? 1 : form === 'RAMP' ? 1 / Math.sqrt(3) : Math.SQRT1_2);
    w.probe.drive(s.name, { dc: Number(s.values.offset), ac: { rms, frequency: Number(s.values.freq) } });
  } else w.probe.drive(s.name, flows === 0 ? undefined : { dc: flows });
}

function keep(s: Runner, one: Taken): void {
  s.latest = one;
  s.fresh = true;
  const size = Math.min(MOST, Number(s.values.tracPoints));
  if (s.buffer.length < size) s.buffer.push(one);
  const n = s.buffer.length;
  condition(s, 'MEASurement', 0, !Number.isFinite(one.reading));
  condition(s, 'MEASurement', 5, true);
  condition(s, 'MEASurement', 7, n >= 2);
  condition(s, 'MEASurement', 6, n >= Number(s.values.notify));
  condition(s, 'MEASurement', 12, n >= size / 4);
  condition(s, 'MEASurement', 8, n >= size / 2);
  condition(s, 'MEASurement', 13, n >= (3 * size) / 4);
  condition(s, 'MEASurement', 9, n >= size);
}

/** One half-cycle's end. */
function step(s: Runner, w: Dac, run: Run): void {
  const amps = current(s, run.i) ?? 0;
  const flows = limited(s, w, amps);
  if (clips(s, w, amps)) {
    run.clipped = true;
    condition(s, 'MEASurement', 3, true);
    const key = s.armed === 'DCON' ? 'dconCab' : s.armed === 'SWE' ? 'sweCab' : 'deltCab';
    if (s.values[key] === true) {
      finish(s, 2);
      s.outputOn = false;
      drive(s, w, 0);
      return;
    }
  }
  if (s.armed !== 'SWE') {
    const quiet = w.probe.volts(flows, run.next);
    const seen = ranged(quiet, s.meter.range);
    const width = s.meter.nplc / s.meter.line;
    const wait = Number(s.values[s.armed === 'DCON' ? 'dconDelay' : 'deltDelay']);
    const left = quiet === undefined ? 0 : (run.before - quiet) * (SETTLING / width) * Math.exp(-wait / SETTLING);
    const sigma = meterNoise(s.meter.nplc, seen.range, w.probe.noise(), s.meter.line);
    run.volts.push(seen.value + left + sigma * gauss(w.seed, `${s.name} delta ${s.runs}`, run.i));
    run.before = quiet ?? 0;
    if (run.volts.length > 3) run.volts.shift();
    const made = reading(s, run);
    if (made) {
      const finite = run.volts.every(Number.isFinite);
      const stamp = run.taken === 0 ? 0 : Math.round((run.next - run.began - 3 * half(s)) * CLOCK * 1e6) / 1e6;
      keep(s, {
        reading: finite ? made.volts : Number.POSITIVE_INFINITY,
        stamp: Math.max(0, stamp),
        number: s.number++,
        source: made.amps,
        compliance: run.clipped,
        average: finite ? run.volts.reduce((a, v) => a + v, 0) / run.volts.length : Number.POSITIVE_INFINITY,
      });
      run.taken++;
      run.clipped = false;
    }
  }
  run.i++;
  run.next += half(s);
  const most = s.armed === 'DELT' || s.armed === 'PDEL' ? counted(s) : INFINITE;
  const after = current(s, run.i);
  if (run.taken >= most || after === undefined) finish(s, 1);
  else drive(s, w, after);
}

/** Everything that ends before t. */
export function runTick(s: Runner, w: Dac, t: number): void {
  condition(s, 'MEASurement', 2, s.hot);
  if (s.hot && s.outputOn) {
    abort(s, w);
    s.outputOn = false;
  }
  const run = s.run;
  if (s.running && run && s.armed === 'WAVE') {
    const seconds = Math.min(Number(s.values.durTime), Number(s.values.durCycles) / Number(s.values.freq));
    if (t - run.began >= seconds) {
      finish(s, 1);
      s.outputOn = false;
    }
    drive(s, w, 0);
    return;
  }
  // A world that was asked late does not let a fast run stand still for ever.
  while (s.running && run && s.run === run && run.next <= t) step(s, w, run);
  if (!s.running || s.armed === undefined) drive(s, w, s.armed === undefined ? Number(s.values.amps) : s.level);
}
