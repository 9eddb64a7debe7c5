/** What a converter of 64 channels records of their light: photoelectrons become pulses with gain, spread, afterglow, dark counts, noise and a last code. */
import { gauss } from '../../src/simulator.ts';
import type { DetectorWorld, LightEvent } from './detector.ts';
import { CHANNELS } from './detector-light.ts';
import { Random } from './detector-random.ts';

export interface Converter {
  readonly polarity: 'negative' | 'positive';
  readonly bits: number;
  /** ADC counts. */
  readonly baseline: number;
  /** ADC counts times samples of 4 ns, of one photoelectron on the mean channel, and its relative sigma. */
  readonly photoelectron: number;
  readonly spread: number;
  /** ADC counts: sigma of a sample, and of the baseline from minute to minute. */
  readonly noise: number;
  readonly wander: number;
  /** Dark counts per second and channel. */
  readonly dark: number;
  /** Chance that a photoelectron is followed by another one. */
  readonly afterglow: number;
  /** The detector's channel that its first one is connected to; those behind the detector's last are connected to nothing. */
  readonly sees: number;
}

/** As the golden pulses are: 12 bits, negative, baseline 2000. Photoelectrons of some 6 counts. */
export const CONVERTER: Converter = {
  polarity: 'negative',
  bits: 12,
  baseline: 2000,
  photoelectron: 16,
  spread: 0.3,
  noise: 1.3,
  wander: 2,
  dark: 1e5,
  afterglow: 0.01,
  sees: 0,
};

/** Nanoseconds: rise and fall of a photoelectron's pulse, with the fast light; the slow light; the afterglow. */
const RISE = 1.5;
const FALL = 6.4;
const SLOW = 100;
const GLOW = 400;
/** Nanoseconds at which the gain's charge is told. */
const SAMPLE = 4;
/** ADC counts: what is less is nothing. */
const LEAST = 1e-3;
/** So many photoelectrons, and fewer, come one by one. */
const FEW = 40;

/** Part of a pulse's charge that has come t ns after its beginning. */
const come = (t: number, fall: number, rise: number): number =>
  t > 0 ? (fall * -Math.expm1(-t / fall) - rise * -Math.expm1(-t / rise)) / (fall - rise) : 0;

/** The highest sample of a photoelectron's pulse over its charge, in 1/ns, at the best phase of the clock. */
let PEAK = 0;
for (let t = SAMPLE; t < 4 * SAMPLE; t += 0.1) PEAK = Math.max(PEAK, (come(t, FALL, RISE) - come(t - SAMPLE, FALL, RISE)) / SAMPLE);

/** A record to be made: nanoseconds between samples, and from its first sample to each flash (which may be before it). */
export interface Exposure {
  readonly interval: number;
  readonly samples: number;
  readonly flashes: readonly { readonly after: number; readonly event: LightEvent }[];
  /** ADC counts on all channels at once, and when. */
  readonly test?: { readonly after: number; readonly height: number };
  /** Seconds of the world at its first sample. */
  readonly t: number;
}

/** ADC counts above the baseline that the fast light of an event reaches on one of the converter's channels, on average: what the trigger sees. */
export function heightOf(event: LightEvent, own: number, world: DetectorWorld, converter: Converter): number {
  const channel = converter.sees + own;
  if (!(channel < event.pe.length)) return 0;
  const fast = event.pe[channel] * (1 - event.slow[channel]);
  return fast * converter.photoelectron * SAMPLE * PEAK * world.gain(channel, event.t);
}

/** Normal numbers to pick from: noise of sixteen thousand samples a record. */
const NORMALS = 8192;
const normals = new Map<number, Float32Array>();
function normalsOf(seed: number): Float32Array {
  let known = normals.get(seed);
  if (!known) {
    const random = new Random(seed, 'converter noise', 0);
    known = Float32Array.from({ length: NORMALS }, () => random.gauss());
    normals.clear(); // one world at a time
    normals.set(seed, known);
  }
  return known;
}

export class Pulses {
  private readonly world: DetectorWorld;
  private readonly converter: Converter;
  private readonly name: string;
  private readonly offsets: Float64Array;
  private minute = -1;
  private readonly before = new Float64Array(CHANNELS);
  private readonly next = new Float64Array(CHANNELS);
  private line = new Float64Array(0);

  constructor(world: DetectorWorld, converter: Converter, name: string) {
    this.world = world;
    this.converter = converter;
    this.name = name;
    this.offsets = Float64Array.from({ length: CHANNELS }, (_, c) => 2 * gauss(world.seed, `${name} offset`, c));
  }

  /** ADC counts of a channel without light. */
  private baselines(t: number): (channel: number) => number {
    const minute = Math.floor(t / 60);
    const { seed } = this.world;
    if (minute !== this.minute) {
      this.minute = minute;
      for (let c = 0; c < CHANNELS; c++) {
        this.before[c] = gauss(seed, `${this.name} wander ${c}`, minute);
        this.next[c] = gauss(seed, `${this.name} wander ${c}`, minute + 1);
      }
    }
    const s = t / 60 - minute;
    const share = s * s * (3 - 2 * s);
    const { baseline, wander } = this.converter;
    return (c) => baseline + this.offsets[c] + wander * (this.before[c] + (this.next[c] - this.before[c]) * share);
  }

  /** The samples, channel after channel. `number` names the record: the same number gives the same noise. */
  record(record: Exposure, number: number): Uint16Array {
    const { samples, interval, t, test } = record;
    const { converter, world } = this;
    const random = new Random(world.seed, `${this.name} record`, number);
    const noise = normalsOf(world.seed);
    const baseline = this.baselines(t);
    const top = 2 ** converter.bits - 1;
    const sign = converter.polarity === 'negative' ? -1 : 1;
    const out = new Uint16Array(CHANNELS * samples);
    if (this.line.length !== samples) this.line = new Float64Array(samples);
    const { line } = this;
    const span = samples * interval;
    let pick = Math.floor(random.next() * 4294967296);
    for (let c = 0; c < CHANNELS; c++) {
      line.fill(0);
      const gain = world.gain(converter.sees + c, t) * converter.photoelectron * SAMPLE;
      if (gain > 0) {
        for (const { after, event } of record.flashes) this.flash(event, converter.sees + c, after, gain, interval, random);
        const dark = random.poisson(converter.dark * span * 1e-9);
        for (let i = 0; i < dark; i++) this.one(gain, random.next() * span, interval, random);
      }
      if (test) pulse(line, test.height / PEAK, test.after, FALL, RISE, interval);
      const base = baseline(c);
      const at = c * samples;
      for (let i = 0; i < samples; i++) {
        pick = (Math.imul(pick, 1664525) + 1013904223) | 0;
        const value = Math.round(base + sign * line[i] + converter.noise * noise[pick >>> 19]);
        out[at + i] = value < 0 ? 0 : value > top ? top : value;
      }
    }
    return out;
  }

  /** One photoelectron. */
  private one(gain: number, at: number, interval: number, random: Random): void {
    const charge = gain * Math.max(0, 1 + this.converter.spread * random.gauss());
    pulse(this.line, charge, at, FALL, RISE, interval);
  }

  private flash({ pe, slow }: LightEvent, channel: number, after: number, gain: number, interval: number, random: Random): void {
    const count = pe[channel];
    if (!(count > 0)) return;
    const late = Math.round(count * slow[channel]);
    const fast = count - late;
    if (fast > 0) pulse(this.line, this.many(fast, gain, random), after, FALL, RISE, interval);
    this.trail(late, SLOW, after, gain, interval, random);
    this.trail(random.poisson(this.converter.afterglow * count), GLOW, after, gain, interval, random);
  }

  /** Photoelectrons that come with an exponential delay: few one by one, many as their mean. */
  private trail(count: number, tau: number, after: number, gain: number, interval: number, random: Random): void {
    if (count <= FEW) for (let i = 0; i < count; i++) this.one(gain, after + tau * random.exponential(), interval, random);
    else pulse(this.line, this.many(count, gain, random), after, tau, FALL, interval);
  }

  /** The charge of many at once. */
  private many(count: number, gain: number, random: Random): number {
    return gain * Math.max(0, count + this.converter.spread * Math.sqrt(count) * random.gauss());
  }
}

/**
 * Adds charge (ns) times the difference of two exponentials of area 1, beginning at `at` ns. A sample is the mean over the interval that ends
 * with it, a plain model of the converter's bandwidth: so the sum of the samples does not depend on the phase of the clock.
 */
function pulse(line: Float64Array, charge: number, at: number, fall: number, rise: number, interval: number): void {
  let i = Math.max(0, Math.ceil(at / interval));
  const first = i * interval - at;
  if (i >= line.length) return;
  if (first < interval) line[i++] += (charge * come(first, fall, rise)) / interval;
  // From here on each exponential has come for a whole interval, from `since` on.
  const since = i * interval - at - interval;
  const size = charge / ((fall - rise) * interval);
  let slow = size * fall * -Math.expm1(-interval / fall) * Math.exp(-since / fall);
  let quick = size * rise * -Math.expm1(-interval / rise) * Math.exp(-since / rise);
  const [down, up] = [Math.exp(-interval / fall), Math.exp(-interval / rise)];
  for (; i < line.length && slow > LEAST; i++) {
    line[i] += slow - quick;
    slow *= down;
    quick *= up;
  }
}
