/** What each source sends out, and what of it ends in the scintillator. Times in seconds, lengths in centimetre, energies in MeV. */
import { crossSection, kinematics, meanCosine, THRESHOLD } from '../../src/derive/ibd.ts';
import { capture } from '../../src/derive/lithium.ts';
import { Deposits, fastNeutron, type Liquid, photon, track } from './detector-particles.ts';
import { moved, type Random, turned, type Vector, within } from './detector-random.ts';
import type { Kind, Setup, Source } from './detector-setup.ts';

export type Part = 'prompt' | 'delayed' | 'single';

/** What is true of one flash of light; for tests alone. */
export interface Truth {
  readonly kind: Kind;
  readonly part: Part;
  /** Where it happened: of a photon or track, where the light comes from on average. */
  readonly place: Vector;
  /** MeVee. */
  readonly light: number;
  /** Of the antineutrino or positron (MeV); 0 where there is none. */
  readonly energy: number;
  /** Prompt and delayed of one emission have one number. */
  readonly emission: number;
  /** Of a capture: what took the neutron. */
  readonly on?: 'lithium' | 'hydrogen';
}

/** A flash some seconds after its emission. */
export interface Flash {
  readonly after: number;
  readonly deposits: Deposits;
  readonly truth: Truth;
  /** Photoelectrons that every channel gets besides. */
  readonly pe?: number;
}

export interface Surroundings {
  readonly liquid: Liquid;
  /** Seconds; share of captures on 6Li. */
  readonly tau: number;
  readonly onLithium: number;
  readonly quenched: number;
}

export function surroundingsOf(setup: Setup): Surroundings {
  const { box, loading, slow_light, slow_heavy, quenched } = setup;
  const taken = capture(loading) ?? { tau: Number.POSITIVE_INFINITY, onLithium: 0 };
  return {
    liquid: { box, density: loading.density, hydrogen: loading.hydrogen, slow_light, slow_heavy },
    ...taken,
    quenched,
  };
}

/** MeV of the photon when hydrogen takes a neutron. */
const HYDROGEN = 2.2246;
const LEAST_LIGHT = 0.005;

/** Chances of 0, 1 ... neutrons of a fission of 252Cf: mean 3.757 (evaluated by Boldeman and others; from memory). */
const CF_NEUTRONS = [0.002, 0.026, 0.127, 0.273, 0.304, 0.185, 0.066, 0.015, 0.002];
/** Photons of a fission: how many, and their mean energy; Maxwell temperature of its neutrons (from memory). */
const CF_PHOTONS = 7.8;
const CF_PHOTON = 0.87;
const CF_TEMPERATURE = 1.42;
/** Share of the neutrons of AmBe that come with the photon of 12C (from memory). */
const AMBE_SHARE = 0.58;
const AMBE_PHOTON = 4.438;
/** Share of the decays of 22Na with a positron. */
const NA_POSITRONS = 0.903;
const ANNIHILATION = 0.51099895;
/** Lines of 40K, 214Bi, 208Tl and how often one is among what comes from the walls of a room: a plain choice. */
const ROOM: readonly (readonly [number, number])[] = [
  [0.609, 0.25],
  [1.4608, 0.45],
  [1.764, 0.15],
  [2.6145, 0.15],
];

export class Emission {
  readonly flashes: Flash[] = [];
  private readonly prompt = new Deposits();
  private readonly source: Source;
  private readonly around: Surroundings;
  private readonly random: Random;
  private readonly number: number;
  private energy = 0;
  private vertex: Vector | undefined;
  private captures = 0;

  constructor(source: Source, around: Surroundings, random: Random, number: number) {
    this.source = source;
    this.around = around;
    this.random = random;
    this.number = number;
    this[source.kind]();
    this.finish();
  }

  private get at(): Vector {
    return this.source.at ?? [0, 0, 0];
  }
  private photon(from: Vector, along: Vector, energy: number): void {
    photon(from, along, energy, this.around.liquid, this.random, this.prompt);
  }
  private photons(energies: readonly number[]): void {
    for (const energy of energies) this.photon(this.at, this.random.direction(), energy);
  }

  private ibd(): void {
    const { random, source, around } = this;
    const energy = antineutrino(random);
    const vertex = this.happens();
    const [positron, neutron] = directions(energy, source.direction, random);
    this.energy = energy;
    this.positron(vertex, positron.along, positron.kinetic);
    const mean = moved(vertex, neutron, source.displacement);
    this.capture(random.blurred(mean, source.spread), around);
  }
  private pairs(): void {
    const { random, source, around } = this;
    const vertex = this.happens();
    this.energy = random.between(...source.energy);
    this.positron(vertex, random.direction(), this.energy);
    this.capture(random.blurred(moved(vertex, source.direction, source.displacement), source.spread), around);
  }
  private happens(): Vector {
    this.vertex = this.source.at ?? this.random.inside(this.around.liquid.box);
    return this.vertex;
  }
  /** Its track is short: the light comes from the middle of it, and both quanta from its end. */
  private positron(from: Vector, along: Vector, kinetic: number): void {
    const { liquid } = this.around;
    const long = kinetic / (2 * liquid.density);
    const middle = moved(from, along, long / 2);
    if (within(middle, liquid.box)) this.prompt.add(middle, kinetic, liquid.slow_light);
    this.annihilation(moved(from, along, long));
  }
  private annihilation(at: Vector): void {
    const one = this.random.direction();
    this.photon(at, one, ANNIHILATION);
    this.photon(at, [-one[0], -one[1], -one[2]], ANNIHILATION);
  }

  private cf252(): void {
    const { random } = this;
    this.photons(Array.from({ length: random.poisson(CF_PHOTONS) }, () => CF_PHOTON * random.exponential()));
    let u = random.next();
    let count = CF_NEUTRONS.findIndex((chance) => (u -= chance) < 0);
    if (count < 0) count = 4; // what the digits of the chances leave
    for (let i = 0; i < count; i++) this.neutron(this.at, random.direction(), maxwell(CF_TEMPERATURE, random));
  }
  private ambe(): void {
    const { random } = this;
    const excited = random.next() < AMBE_SHARE;
    // About 3.5 MeV with the photon and 7 without, roughly as measured spectra have it.
    const energy = Math.max(0.1, excited ? 3.5 + 1.3 * random.gauss() : 7 + 1.7 * random.gauss());
    if (excited) this.photon(this.at, random.direction(), AMBE_PHOTON);
    this.neutron(this.at, random.direction(), energy);
  }
  private co60(): void {
    this.photons([1.173228, 1.332492]);
  }
  private na22(): void {
    this.photons([1.274537]);
    if (this.random.next() < NA_POSITRONS) this.annihilation(this.at);
  }
  private cs137(): void {
    this.photons([0.661657]);
  }
  private gammas(): void {
    const { random } = this;
    let u = random.next();
    const [energy] = ROOM.find(([, chance]) => (u -= chance) < 0) ?? ROOM[1];
    const [from, along] = this.incoming();
    this.photon(from, along, energy);
  }
  private neutrons(): void {
    const [from, along] = this.incoming();
    this.neutron(from, along, maxwell(2, this.random));
  }
  private muons(): void {
    const { random, around } = this;
    const { box } = around.liquid;
    const reach = Math.hypot(...box) / 2;
    for (let tries = 0; tries < 200; tries++) {
      const cosine = random.next() ** (1 / 3); // cos^2 about the vertical
      const along = turned([0, 0, -1], cosine, 2 * Math.PI * random.next());
      const aim = turned(along, 0, 2 * Math.PI * random.next());
      const from = moved([0, 0, 0], aim, reach * Math.sqrt(random.next()));
      track(from, along, around.liquid, random, this.prompt);
      if (this.prompt.total > 0) return;
    }
  }
  private led(): void {}

  /** A ray that enters the box, all directions and places of its surface alike. */
  private incoming(): readonly [Vector, Vector] {
    const { random } = this;
    const { box } = this.around.liquid;
    const [x, y, z] = [box[1] * box[2], box[0] * box[2], box[0] * box[1]];
    let u = random.next() * (x + y + z);
    const axis = (u -= x) < 0 ? 0 : (u -= y) < 0 ? 1 : 2;
    const side = random.next() < 0.5 ? -1 : 1;
    const from = random.inside(box).map((value, i) => (i === axis ? (side * box[i]) / 2 : value)) as unknown as Vector; // three stay three
    const normal = [0, 1, 2].map((i) => (i === axis ? -side : 0)) as unknown as Vector; // so do these
    return [from, random.around(normal, Math.sqrt(random.next()))];
  }

  private neutron(from: Vector, along: Vector, energy: number): void {
    const slow = fastNeutron(from, along, energy, this.around.liquid, this.random, this.prompt);
    if (slow) this.capture(this.random.blurred(slow, this.source.spread), this.around);
  }

  /** Alpha and triton stay where they are; the photon of hydrogen may leave. Outside of the box nothing is seen. */
  private capture(place: Vector, { tau, onLithium, quenched, liquid }: Surroundings): void {
    const { random } = this;
    const after = tau * random.exponential();
    const lithium = random.next() < onLithium;
    if (!within(place, liquid.box) || !Number.isFinite(after)) return;
    const deposits = new Deposits();
    if (lithium) deposits.add(place, quenched, liquid.slow_heavy);
    else photon(place, random.direction(), HYDROGEN, liquid, random, deposits);
    if (deposits.total < LEAST_LIGHT) return;
    this.captures++;
    this.flashes.push({ after, deposits, truth: this.truth('delayed', place, deposits.total, lithium ? 'lithium' : 'hydrogen') });
  }

  private truth(part: Part, place: Vector, light: number, on?: 'lithium' | 'hydrogen'): Truth {
    return { kind: this.source.kind, part, place, light, energy: this.energy, emission: this.number, ...(on && { on }) };
  }

  private finish(): void {
    const { prompt, source } = this;
    const flashing = source.kind === 'led';
    if (!flashing && prompt.total < LEAST_LIGHT) return;
    const place = this.vertex ?? middleOf(prompt);
    const truth = this.truth(this.captures > 0 ? 'prompt' : 'single', place, prompt.total);
    this.flashes.unshift({ after: 0, deposits: prompt, truth, ...(flashing && { pe: source.pe }) });
  }
}

function middleOf({ places, light, total }: Deposits): Vector {
  const sum = [0, 0, 0];
  for (const [i, place] of places.entries()) for (let axis = 0; axis < 3; axis++) sum[axis] += place[axis] * light[i];
  return total > 0 ? [sum[0] / total, sum[1] / total, sum[2] / total] : [0, 0, 0];
}

/** MeV: Maxwell's spectrum of evaporated neutrons, sqrt(E) exp(-E/T). */
function maxwell(temperature: number, random: Random): number {
  const half = random.gauss();
  return temperature * (random.exponential() + (half * half) / 2);
}

const LEAST = THRESHOLD + 1e-4;
const MOST = 9;
/** Flux of 235U per fission (P. Vogel and J. Engel, Phys. Rev. D 39 (1989) 3378; the numbers from memory) times the cross-section. */
const interacting = (energy: number): number => Math.exp(0.87 - 0.16 * energy - 0.091 * energy * energy) * crossSection(energy);
let highest = 0;
for (let energy = LEAST; energy < MOST; energy += 0.05) highest = Math.max(highest, interacting(energy));

/** MeV, of an antineutrino of a reactor that interacts. */
function antineutrino(random: Random): number {
  for (;;) {
    const energy = random.between(LEAST, MOST);
    if (random.next() * 1.01 * highest < interacting(energy)) return energy;
  }
}

/** The positron's flight and kinetic energy, and the neutron's flight: exact, the positron's angle by its mean cosine. */
export function directions(
  energy: number,
  flight: Vector,
  random: Random,
): readonly [{ readonly along: Vector; readonly kinetic: number }, Vector] {
  const slope = 3 * (meanCosine(energy) ?? 0);
  for (;;) {
    const cosine = random.between(-1, 1);
    if (random.next() * (1 + Math.abs(slope)) > 1 + slope * cosine) continue;
    const k = kinematics(energy, cosine);
    if (!k) continue;
    const phi = 2 * Math.PI * random.next();
    return [{ along: turned(flight, cosine, phi), kinetic: k.positron - ANNIHILATION }, turned(flight, k.cosNeutron, phi + Math.PI)];
  }
}
