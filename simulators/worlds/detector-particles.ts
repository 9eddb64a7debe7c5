/**
 * What particles leave in a box of liquid scintillator, as light in MeVee at places in centimetre. Energies in MeV. Simplified on purpose:
 * photons scatter on electrons only (no pairs, no photoelectric effect), fast neutrons on protons only.
 */
import { ELECTRON } from '../../src/derive/ibd.ts';
import { moved, type Random, type Vector, within } from './detector-random.ts';

/** Light at places, and the share of it in the slow component. */
export class Deposits {
  readonly places: Vector[] = [];
  readonly light: number[] = [];
  readonly slow: number[] = [];
  total = 0;

  add(place: Vector, light: number, slow: number): void {
    if (!(light > 0)) return;
    this.places.push(place);
    this.light.push(light);
    this.slow.push(slow);
    this.total += light;
  }
}

/** The liquid. */
export interface Liquid {
  readonly box: Vector;
  /** g/cm^3, and nuclei of hydrogen per cm^3. */
  readonly density: number;
  readonly hydrogen: number;
  /** Share of the light in the slow component: of electrons, and of protons, alphas and tritons. */
  readonly slow_light: number;
  readonly slow_heavy: number;
}

/** Electrons per gram: CH2 has 8 in 14 g. */
const ELECTRONS = (8 / 14.027) * 6.02214076e23;
/** Classical electron radius squared, cm^2 (CODATA 2018). */
const RADIUS2 = 2.8179403262e-13 ** 2;
/** Below it what is left stays where it is. */
const LAST = 0.02;

/** Total cross-section of Klein and Nishina per electron, cm^2. */
export function comptonCrossSection(energy: number): number {
  const k = energy / ELECTRON;
  const l = Math.log(1 + 2 * k);
  const a = ((1 + k) / (k * k)) * ((2 * (1 + k)) / (1 + 2 * k) - l / k);
  return 2 * Math.PI * RADIUS2 * (a + l / (2 * k) - (1 + 3 * k) / (1 + 2 * k) ** 2);
}

/** The energy that a photon has left after a scattering, over what it had: Klein and Nishina's distribution by rejection (as EGS4 and Geant4 do). */
function scattered(energy: number, random: Random): number {
  const least = 1 / (1 + (2 * energy) / ELECTRON);
  const [a, b] = [-Math.log(least), (1 - least * least) / 2];
  for (;;) {
    const e = random.next() * (a + b) < a ? least ** random.next() : Math.sqrt(least * least + (1 - least * least) * random.next());
    const t = (ELECTRON * (1 - e)) / (energy * e);
    const sine2 = t * (2 - t);
    if (random.next() < 1 - (e * sine2) / (1 + e * e)) return e;
  }
}

/** How far a ray goes outside before it enters the box, 0 where it begins inside; undefined where it never enters. */
export function entering(from: Vector, along: Vector, box: Vector): number | undefined {
  const [near, far] = crossing(from, along, box);
  return far > Math.max(near, 0) ? Math.max(near, 0) : undefined;
}

/** Along a line, where it enters the box and where it leaves it; the first is not before the second where it misses. */
export function crossing(from: Vector, along: Vector, box: Vector): readonly [number, number] {
  let near = Number.NEGATIVE_INFINITY;
  let far = Number.POSITIVE_INFINITY;
  for (let axis = 0; axis < 3; axis++) {
    if (along[axis] === 0) {
      if (Math.abs(from[axis]) > box[axis] / 2) return [0, 0];
      continue;
    }
    const a = (-box[axis] / 2 - from[axis]) / along[axis];
    const b = (box[axis] / 2 - from[axis]) / along[axis];
    near = Math.max(near, Math.min(a, b));
    far = Math.min(far, Math.max(a, b));
  }
  return [near, far];
}

/** Scatters a photon until it leaves the box or has nothing left. */
export function photon(from: Vector, along: Vector, energy: number, liquid: Liquid, random: Random, to: Deposits): void {
  const enters = entering(from, along, liquid.box);
  if (enters === undefined) return;
  const electrons = ELECTRONS * liquid.density;
  let place = moved(from, along, enters);
  let way = along;
  let left = energy;
  for (;;) {
    place = moved(place, way, random.exponential() / (electrons * comptonCrossSection(left)));
    if (!within(place, liquid.box)) return;
    const e = scattered(left, random);
    if (e * left < LAST) {
      to.add(place, left, liquid.slow_light);
      return;
    }
    to.add(place, left * (1 - e), liquid.slow_light);
    way = random.around(way, 1 - (ELECTRON * (1 - e)) / (left * e));
    left *= e;
  }
}

/** MeVee of a recoil proton: R. A. Cecil et al., Nucl. Instr. Meth. 161 (1979) 439 for NE-213; the numbers from memory. */
export const protonLight = (energy: number): number => Math.max(0, 0.83 * energy - 2.82 * (1 - Math.exp(-0.25 * energy ** 0.93)));

/** Neutron on proton, cm^2, by J. L. Gammel's formula (in Marion and Fowler, Fast Neutron Physics, 1963; the numbers from memory). */
export function protonCrossSection(energy: number): number {
  const triplet = (3 * Math.PI) / (1.206 * energy + (-1.86 + 0.09415 * energy + 0.0001306 * energy ** 2) ** 2);
  const singlet = Math.PI / (1.206 * energy + (0.4223 + 0.13 * energy) ** 2);
  return (triplet + singlet) * 1e-24;
}

/** MeV: below it a neutron makes no light, and its way on belongs to the thermal diffusion. */
const SLOW = 0.01;

/** Slows a fast neutron down on protons; gives the place where it has become slow, or undefined where it has left the box. */
export function fastNeutron(from: Vector, along: Vector, energy: number, liquid: Liquid, random: Random, to: Deposits): Vector | undefined {
  const enters = entering(from, along, liquid.box);
  if (enters === undefined) return undefined;
  let place = moved(from, along, enters);
  let way = along;
  let left = energy;
  while (left > SLOW) {
    place = moved(place, way, random.exponential() / (liquid.hydrogen * protonCrossSection(left)));
    if (!within(place, liquid.box)) return undefined;
    // Equal masses, isotropic in the centre of mass: what is left is uniform, and goes off at cos^2 = left / before.
    const share = random.next();
    to.add(place, protonLight(left * (1 - share)), liquid.slow_heavy);
    way = random.around(way, Math.sqrt(share));
    left *= share;
  }
  return place;
}

/** A minimum ionising track through the box: 2 MeV per g/cm^2, in steps of at most 4 cm, each with its fluctuation. */
export function track(from: Vector, along: Vector, liquid: Liquid, random: Random, to: Deposits): void {
  const [near, far] = crossing(from, along, liquid.box);
  if (!(far > near)) return;
  const steps = Math.ceil((far - near) / 4);
  const step = (far - near) / steps;
  for (let i = 0; i < steps; i++) {
    const mean = 2 * liquid.density * step;
    to.add(moved(from, along, near + (i + 0.5) * step), Math.max(0, mean * (1 + 0.1 * random.gauss())), liquid.slow_light);
  }
}
