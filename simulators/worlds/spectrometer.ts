/**
 * A fibre spectrometer that looks at a laser-heated cell: it exposes by itself, one spectrum after the other, with the settings that held
 * when each exposure began. What lies in its buffer, or was being exposed, when a setting changed is of before.
 */
import { gauss, poisson, uniform } from '../../src/simulator.ts';
import type { Dac } from './dac.ts';
import { Gathered, type Moment, type Sight } from './light.ts';
import { cosmicHits, type Flaws, hotPixels } from './light-detector.ts';

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
  readonly light: Gathered;
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
  /** Polynomial of the counts above dark, by power; [1] is linear. */
  readonly nonlinearity: readonly number[];
  readonly bias: number;
  /** Counts rms. */
  readonly readNoise: number;
  /** Seconds between two exposures. */
  readonly readout: number;
  /** Width of a pixel in wavelength over that of the grating it is made with; 1 when absent. */
  readonly finer?: number;
  /** Metre by which its coefficients are too long; 0 when absent. */
  readonly drift?: number;
}

const STROBE = 0.05; // s, period of the continuous strobe
const DRIFT = 1.00003; // of the device's own clock
const ON_BEFORE = 777; // s for which the device has been on when the world begins
/** Counts, as a part of the full scale, per second and unit of radiance: 2000 K and emissivity 0.3 fill a quarter of it in 0.1 s. */
const THROUGHPUT = 2.6e-10;

export class Spectrometer {
  readonly bench: Bench;
  readonly now: Exposing;
  running = true;
  buffered: boolean;
  /** Spectra that the buffer holds; the oldest give way. */
  size: number;
  held: Exposed[] = [];
  private readonly startOf: (trigger: number) => Start;
  private readonly reaching: (moment: Moment, t: number) => Moment;
  private exposing: { readonly begin: number; readonly with: Exposing; readonly light: Gathered; until: number } | undefined;
  private ready = 0;
  private pulsed: number | undefined;
  private number = 0;

  constructor(
    bench: Bench,
    now: Exposing,
    keep: { readonly buffered: boolean; readonly size: number },
    startOf: (trigger: number) => Start,
    reaching: (moment: Moment, t: number) => Moment,
  ) {
    this.bench = bench;
    this.now = now;
    this.buffered = keep.buffered;
    this.size = keep.size;
    this.startOf = startOf;
    this.reaching = reaching;
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
        const { begin, with: settings, light } = this.exposing;
        const end = begin + (settings.exposure * settings.scans) / 1e6;
        if (end > t) return;
        this.gather(end, w);
        this.held.push({ ...settings, number: ++this.number, begin, end, light });
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
      this.exposing = { begin, with: { ...this.now }, light: new Gathered(), until: begin };
    }
  }

  /** The world is about to step: the light so far is summed up. */
  tick(t: number, w: Dac): void {
    this.run(t, w);
    this.gather(t, w);
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

  /** Only at ticks and at the end of the exposure, so that the sum does not depend on who looks when. */
  private gather(t: number, w: Dac): void {
    if (!this.exposing) return;
    this.exposing.light.add(this.reaching(w.moment, t), t - this.exposing.until);
    this.exposing.until = t;
  }
}

/** Grating, fibre and detector together. */
const response = (nm: number): number => Math.exp(-(((nm - 740) / 170) ** 2));

/** Per pixel: metres, and what a unit of radiance gives in counts per second; 0 where no light falls. */
const pixelsOf = new WeakMap<Bench, { readonly wavelength: Float64Array; readonly gain: Float64Array }>();
function opticsOf(bench: Bench) {
  let known = pixelsOf.get(bench);
  if (!known) {
    const [first, last] = bench.active;
    const nm = Float64Array.from({ length: bench.pixels }, (_, p) => bench.wavelength.reduceRight((total, c) => total * p + c, 0));
    const per = THROUGHPUT * bench.saturation * (bench.finer ?? 1);
    const gain = nm.map((l, p) => (p < first || p > last ? 0 : per * response(l)));
    known = { wavelength: nm.map((l) => l / 1e9 - (bench.drift ?? 0)), gain };
    pixelsOf.set(bench, known);
  }
  return known;
}

/** The bench with another grating, which spreads this range (m) evenly over the pixels that see light. */
export function regrated(bench: Bench, [low, high]: readonly [number, number]): Bench {
  const [first, last] = bench.active;
  const { wavelength } = opticsOf(bench);
  const per = (high - low) / (last - first);
  const finer = (high - low) / (wavelength[last] - wavelength[first]);
  return { ...bench, wavelength: [(low - first * per) * 1e9, per * 1e9, 0, 0], finer };
}

/** What the detector is like beside its bench. */
export interface Detector extends Flaws {
  readonly look: Omit<Sight, 'wavelength'>;
}

/** What a detector shows that is not linear: the counts x above dark of which x / (c0 + c1 x + ...) is the light. */
function bent(light: number, coefficients: readonly number[]): number {
  let x = light;
  for (let i = 0; i < 40; i++) {
    const next = light * coefficients.reduceRight((sum, c) => sum * x + c, 0);
    if (Math.abs(next - x) < 1e-3) return next;
    x = next;
  }
  return x;
}

/** Counts of each pixel. The noise depends on seed, name and the number of the exposure alone; binned pixels are averaged. */
export function countsOf(bench: Bench, e: Exposed, detector: Detector, seed: number, name: string): Uint32Array {
  const shot = Math.floor(uniform(seed, `${name} shot`, 0) * 2 ** 32);
  const read = Math.floor(uniform(seed, `${name} read`, 0) * 2 ** 32);
  const { wavelength, gain } = opticsOf(bench);
  const width = 2 ** e.binning;
  const seconds = e.exposure / 1e6;
  const light = e.light.radiance({ ...detector.look, wavelength });
  const per = seconds / e.light.seconds;
  const hot = hotPixels(detector.hot, bench.pixels, seed, name);
  const hits = cosmicHits(detector, seconds * e.scans, bench.pixels, seed, name, e.number);
  const noise = bench.readNoise / Math.sqrt(e.scans);
  const counts = new Uint32Array(Math.floor(bench.pixels / width));
  for (let i = 0; i < counts.length; i++) {
    let sum = 0;
    for (let p = i * width; p < (i + 1) * width; p++) {
      const mean = gain[p] * per * light[p] + (detector.dark + (hot.get(p) ?? 0)) * seconds;
      const at = e.number * bench.pixels + p;
      const caught = ((mean > 1e-6 ? poisson(mean * e.scans, shot, '', at) : 0) + (hits.get(p) ?? 0)) / e.scans;
      const shown = bent(caught, bench.nonlinearity) + bench.bias + noise * gauss(read, '', at);
      sum += Math.min(bench.saturation, Math.max(0, Math.round(shown)));
    }
    counts[i] = Math.round(sum / width);
  }
  return counts;
}
