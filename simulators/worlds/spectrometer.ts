/**
 * A fibre spectrometer on one side of a laser-heated cell: it exposes by itself, one spectrum after the other, with the settings that held
 * when each exposure began. What lies in its buffer, or was being exposed, when a setting changed is of before.
 */
import { spectralRadiance } from '../../src/derive/radiance.ts';
import { gauss, poisson, uniform } from '../../src/simulator.ts';
import type { Dac } from './dac.ts';

export interface Exposing {
  /** Microseconds of one scan. */
  exposure: number;
  trigger: number;
  scans: number;
  /** Power of two. */
  binning: number;
  lamp: boolean;
}
export interface Exposed extends Readonly<Exposing> {
  readonly number: number;
  /** Seconds of the world. */
  readonly begin: number;
  readonly end: number;
  /** Means over the exposure: K, and the emissivity. */
  readonly temperature: number;
  readonly emissivity: number;
}

/** How an exposure begins: by itself, with a pulse at the trigger input, with the strobe, or not at all. */
export type Start = 'free' | 'pulse' | 'strobe' | 'never';

export interface Bench {
  readonly pixels: number;
  /** Pixels that see light, both included. */
  readonly active: readonly [number, number];
  /** nm, by power of the pixel's index. */
  readonly wavelength: readonly number[];
  readonly saturation: number;
  readonly bias: number;
  /** Counts rms. */
  readonly readNoise: number;
  /** Seconds between two exposures. */
  readonly readout: number;
}

const STROBE = 0.05; // s, period of the continuous strobe
const DRIFT = 1.00003; // of the device's own clock
const ON_BEFORE = 777; // s for which the device has been on when the world begins
/** Counts, as a part of the full scale, per second and unit of radiance: 2000 K and emissivity 0.3 fill a quarter of it in 0.1 s. */
const THROUGHPUT = 2.6e-10;

interface Sums {
  readonly t: number;
  readonly temperature: number;
  readonly emissivity: number;
}

export class Spectrometer {
  readonly bench: Bench;
  readonly now: Exposing;
  running = true;
  buffered: boolean;
  /** Spectra that the buffer holds; the oldest give way. */
  size: number;
  held: Exposed[] = [];
  private readonly startOf: (trigger: number) => Start;
  private readonly side: 'up' | 'down';
  private exposing: { readonly begin: number; readonly with: Exposing; readonly sums: Sums } | undefined;
  private ready = 0;
  private pulsed: number | undefined;
  private number = 0;
  /** Integrals up to the last tick of the world, so that a mean does not depend on who looks when. */
  private sums: Sums = { t: 0, temperature: 0, emissivity: 0 };

  constructor(
    bench: Bench,
    now: Exposing,
    keep: { readonly buffered: boolean; readonly size: number },
    startOf: (trigger: number) => Start,
    side: 'up' | 'down',
  ) {
    this.bench = bench;
    this.now = now;
    this.buffered = keep.buffered;
    this.size = keep.size;
    this.startOf = startOf;
    this.side = side;
  }

  /** What it has exposed is no setting of it. */
  toJSON(): Exposing {
    return this.now;
  }

  /** Microseconds of its own clock. */
  tickOf(t: number): number {
    return Math.round((t * DRIFT + ON_BEFORE) * 1e6);
  }

  /** Brings it to the time t, under the light that has held since the world's last tick. */
  run(t: number, w: Dac): void {
    for (;;) {
      if (this.exposing) {
        const { begin, with: settings, sums } = this.exposing;
        const end = begin + (settings.exposure * settings.scans) / 1e6;
        if (end > t) return;
        const after = this.at(end, w);
        const mean = (name: 'temperature' | 'emissivity'): number => (after[name] - sums[name]) / (end - begin);
        const made = { ...settings, number: ++this.number, begin, end, temperature: mean('temperature'), emissivity: mean('emissivity') };
        this.held.push(made);
        while (this.held.length > (this.buffered ? this.size : 1)) this.held.shift();
        this.exposing = undefined;
        this.ready = end + this.bench.readout;
        continue;
      }
      const begin = this.nextBegin();
      if (begin === undefined || begin > t) {
        if (begin === undefined) this.ready = Math.max(this.ready, t);
        return;
      }
      this.pulsed = undefined;
      this.exposing = { begin, with: { ...this.now }, sums: this.at(begin, w) };
    }
  }

  /** The world is about to step: the light so far is summed up. */
  tick(t: number, w: Dac): void {
    this.run(t, w);
    this.sums = this.at(t, w);
  }

  pulse(t: number): void {
    if (!this.exposing && this.running && t >= this.ready) this.pulsed = t;
  }

  /** `finishes`: the exposure that runs ends in its own time, as the last. */
  stop(finishes: boolean): void {
    this.running = false;
    if (!finishes) this.exposing = undefined;
  }

  start(t: number): void {
    this.running = true;
    this.ready = Math.max(this.ready, t);
  }

  private nextBegin(): number | undefined {
    if (!this.running) return undefined;
    switch (this.startOf(this.now.trigger)) {
      case 'free':
        return this.ready;
      case 'strobe':
        return Math.ceil(this.ready / STROBE - 1e-9) * STROBE;
      case 'pulse':
        return this.pulsed;
      case 'never':
        return undefined;
    }
  }

  private at(t: number, w: Dac): Sums {
    const { sums } = this;
    const temperature = this.side === 'up' ? w.upTemperature : w.downTemperature;
    const dt = t - sums.t;
    return { t, temperature: sums.temperature + temperature * dt, emissivity: sums.emissivity + w.emissivityFactor * dt };
  }
}

/** Grating, fibre and detector together. */
const response = (nm: number): number => Math.exp(-(((nm - 740) / 170) ** 2));

/** Per pixel: metres, and what a unit of radiance gives in counts per second; 0 where no light falls. */
const optics = new WeakMap<Bench, { readonly wavelength: Float64Array; readonly gain: Float64Array }>();
function opticsOf(bench: Bench) {
  let known = optics.get(bench);
  if (!known) {
    const [first, last] = bench.active;
    const nm = Float64Array.from({ length: bench.pixels }, (_, p) => bench.wavelength.reduceRight((total, c) => total * p + c, 0));
    const gain = nm.map((l, p) => (p < first || p > last ? 0 : THROUGHPUT * bench.saturation * response(l)));
    known = { wavelength: nm.map((l) => l / 1e9), gain };
    optics.set(bench, known);
  }
  return known;
}

/** Counts of each pixel. The noise depends on seed, name and the number of the exposure alone; binned pixels are averaged. */
export function countsOf(bench: Bench, e: Exposed, seed: number, name: string): Uint32Array {
  const shot = Math.floor(uniform(seed, `${name} shot`, 0) * 2 ** 32);
  const read = Math.floor(uniform(seed, `${name} read`, 0) * 2 ** 32);
  const { wavelength, gain } = opticsOf(bench);
  const width = 2 ** e.binning;
  const seconds = e.exposure / 1e6;
  const noise = bench.readNoise / Math.sqrt(e.scans);
  const counts = new Uint32Array(Math.floor(bench.pixels / width));
  for (let i = 0; i < counts.length; i++) {
    let sum = 0;
    for (let p = i * width; p < (i + 1) * width; p++) {
      const mean = gain[p] > 0 ? gain[p] * seconds * spectralRadiance(wavelength[p], e.temperature, e.emissivity) : 0;
      const at = e.number * bench.pixels + p;
      const caught = mean > 1e-6 ? poisson(mean * e.scans, shot, '', at) / e.scans : 0;
      sum += Math.min(bench.saturation, Math.max(0, Math.round(caught + bench.bias + noise * gauss(read, '', at))));
    }
    counts[i] = Math.round(sum / width);
  }
  return counts;
}
