/**
 * A box of scintillator loaded with 6Li, seen by 64 channels or more: what happens in it, as photoelectrons per channel. Every event is a function of
 * (seed, source, tick, number within the tick): whoever asks when, the pulses are the same. Lengths in centimetre, energies in MeV.
 */
import { gauss, poisson, type World, world } from '../../src/simulator.ts';
import { LightMap, type Sensor } from './detector-light.ts';
import { Random, type Vector } from './detector-random.ts';
import { type Given, SETUP, type Setup, type Source } from './detector-setup.ts';
import { Emission, type Flash, type Surroundings, surroundingsOf, type Truth } from './detector-sources.ts';

export interface LightEvent {
  /** From 1, without gaps, in the order of time. */
  readonly n: number;
  /** Seconds of the world, exact to 1 ns. */
  readonly t: number;
  /** Photoelectrons per channel. */
  readonly pe: Float64Array;
  /** Share of them in the slow component, per channel. */
  readonly slow: Float64Array;
}

export interface DetectorWorld extends World {
  readonly seed: number;
  readonly setup: Setup;
  readonly sensors: readonly Sensor[];
  /** Ticks since the world began. */
  ticks: number;
  /** Flashes of light so far, pairs of prompt and delayed among them, and captures of neutrons that were seen. */
  flashes: number;
  prompts: number;
  captures: number;
  /** Seconds: mean life of a neutron in the liquid. */
  readonly captureTime: number;
  /** Radians: where the antineutrinos or pairs fly to; NaN where there are none. */
  readonly theta: number;
  readonly phi: number;
  /** Says what the rig has said of the world; what is absent stays. Nothing that has happened changes. */
  configure(given: Partial<Given>): void;
  /** The events with a number above `since` that are still kept: the last few thousand. */
  events(since: number): readonly LightEvent[];
  /** Of an event that is still kept. */
  truthOf(n: number): Truth | undefined;
  /** Photoelectrons per MeVee at a place that a channel has on average, as a measured map of the response would say. */
  response(place: Vector): Float64Array;
  /** Gain over the mean of all channels, at a time in seconds of the world: 0 of a dead channel, and of one that is not there. */
  gain(channel: number, t: number): number;
}

export const DETECTOR_TICK = 0.01;
const KEPT = 4096;
/** Flashes per second, and mean photoelectrons of each, of a hot channel. */
const HOT_RATE = 200;
const HOT_PE = 30;

interface Coming {
  readonly t: number;
  readonly pe: Float64Array;
  readonly slow: Float64Array;
  readonly truth: Truth;
}

/** Nanoseconds are what is exact. */
const exact = (t: number): number => Math.round(t * 1e9) / 1e9;

function make(seed: number): DetectorWorld {
  let setup = SETUP;
  let map = new LightMap(setup);
  let around: Surroundings = surroundingsOf(setup);
  let gains = new Float64Array(0);
  let yields = new Float64Array(0);
  let elapsed = 0;
  let emissions = 0;
  let coming: Coming[] = [];
  let kept: LightEvent[] = [];
  const truths = new Map<number, Truth>();
  let mean = new Float64Array(0);
  let late = new Float64Array(0);

  const made = (): void => {
    map = new LightMap(setup);
    around = surroundingsOf(setup);
    const unlike = (name: string): Float64Array<ArrayBuffer> =>
      Float64Array.from({ length: setup.tubes }, (_, channel) => Math.max(0.05, 1 + setup.unlike * gauss(seed, name, channel)));
    gains = unlike('detector gain');
    yields = unlike('detector light');
    mean = new Float64Array(setup.tubes);
    late = new Float64Array(setup.tubes);
  };
  made();

  /** Draws the photoelectrons of one flash. */
  const shine = (flash: Flash, t: number, random: Random): void => {
    const { places, light, slow } = flash.deposits;
    mean.fill(flash.pe ?? 0);
    late.fill((flash.pe ?? 0) * setup.slow_light);
    const perMeV = setup.light * Math.max(0, 1 + (setup.drift * t) / 3600);
    // The slow part of each place is kept apart by adding its light twice: once whole, once by its share.
    for (const [i, place] of places.entries()) {
      map.add(place, perMeV * light[i], mean);
      map.add(place, perMeV * light[i] * slow[i], late);
    }
    const pe = new Float64Array(setup.tubes);
    const share = new Float64Array(setup.tubes);
    let total = 0;
    for (let channel = 0; channel < setup.tubes; channel++) {
      const count = random.poisson(mean[channel] * yields[channel]);
      pe[channel] = count;
      total += count;
      if (count > 0) share[channel] = random.binomial(count, late[channel] / mean[channel]) / count;
    }
    if (total > 0 || flash.truth.kind === 'led') put({ t: exact(t), pe, slow: share, truth: flash.truth });
  };

  /** In the order of time; of two at the same time the one that was made first comes first. */
  const put = (one: Coming): void => {
    let at = coming.length;
    while (at > 0 && coming[at - 1].t > one.t) at--;
    coming.splice(at, 0, one);
  };

  const emit = (source: Source, name: string, from: number, dt: number): void => {
    if (from < source.from || from >= source.until) return;
    const count = poisson(source.rate * dt, seed, name, w.ticks);
    for (let i = 0; i < count; i++) {
      const random = new Random(seed, i === 0 ? name : `${name} ${i}`, w.ticks);
      const t = from + dt * random.next();
      const { flashes } = new Emission(source, around, random, ++emissions);
      for (const flash of flashes) shine(flash, t + flash.after, random);
    }
  };

  const heat = (channel: number, since: number, from: number, dt: number): void => {
    if (from < since) return;
    const name = `detector hot ${channel}`;
    const count = poisson(HOT_RATE * dt, seed, name, w.ticks);
    if (count === 0) return;
    const random = new Random(seed, name, w.ticks);
    for (let i = 0; i < count; i++) {
      const pe = new Float64Array(setup.tubes);
      pe[channel] = 1 + random.poisson(HOT_PE);
      const truth: Truth = { kind: 'led', part: 'single', place: map.sensors[channel].place, light: 0, energy: 0, emission: ++emissions };
      put({ t: exact(from + dt * random.next()), pe, slow: new Float64Array(setup.tubes), truth });
    }
  };

  const release = (until: number): void => {
    let ready = 0;
    while (ready < coming.length && coming[ready].t <= until) ready++;
    if (ready === 0) return;
    for (const { t, pe, slow, truth } of coming.slice(0, ready)) {
      w.flashes++;
      if (truth.part === 'prompt') w.prompts++;
      else if (truth.part === 'delayed') w.captures++;
      kept.push({ n: w.flashes, t, pe, slow });
      truths.set(w.flashes, truth);
    }
    coming = coming.slice(ready);
    if (kept.length > 2 * KEPT) {
      for (const { n } of kept.slice(0, -KEPT)) truths.delete(n);
      kept = kept.slice(-KEPT);
    }
  };

  const flight = (): Vector | undefined => setup.sources.find(({ kind }) => kind === 'ibd' || kind === 'pairs')?.direction;

  const w: DetectorWorld = {
    seed,
    get setup() {
      return setup;
    },
    get sensors() {
      return map.sensors;
    },
    ticks: 0,
    flashes: 0,
    prompts: 0,
    captures: 0,
    get captureTime() {
      return around.tau;
    },
    get theta() {
      return Math.acos(flight()?.[2] ?? Number.NaN);
    },
    get phi() {
      const [x, y] = flight() ?? [Number.NaN, Number.NaN];
      return Math.atan2(y, x);
    },
    configure(given) {
      const said = Object.fromEntries(Object.entries(given).filter(([name, value]) => value !== undefined && name in SETUP));
      if (Object.keys(said).length === 0) return;
      setup = { ...setup, ...said };
      made();
    },
    events(since) {
      if (kept.length === 0 || since >= w.flashes) return [];
      return kept.slice(Math.max(0, since + 1 - kept[0].n));
    },
    truthOf: (n) => truths.get(n),
    response(place) {
      const out = new Float64Array(setup.tubes);
      map.add(place, setup.light, out);
      return out.map((value, channel) => value * yields[channel]);
    },
    gain(channel, t) {
      let gain = gains[channel] ?? 0;
      for (const fault of setup.faults) {
        if (fault.channel !== channel || t < fault.from) continue;
        if (fault.does === 'dead') return 0;
        if (fault.does === 'doubled') gain *= 2;
      }
      return gain;
    },
    step(dt) {
      w.ticks++;
      const from = (w.ticks - 1) * dt;
      elapsed = w.ticks * dt;
      for (const [i, source] of setup.sources.entries()) emit(source, `detector ${i} ${source.kind}`, from, dt);
      for (const { channel, does, from: since } of setup.faults) if (does === 'hot') heat(channel, since, from, dt);
      release(elapsed);
    },
  };
  return w;
}

export const detector = world<DetectorWorld>({ name: 'detector', tick: DETECTOR_TICK, make });
