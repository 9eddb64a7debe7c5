/**
 * Inverse beta decay, antineutrino + proton -> positron + neutron, the proton at rest: exact two-body kinematics in the laboratory.
 * Energies in MeV, angles as cosines to the antineutrino's flight or in radians, cross-sections in cm^2.
 */

/** Masses in MeV: CODATA 2018. The neutron's is the proton's and DELTA, so that small neutron energies keep their digits. */
export const PROTON = 938.27208816;
export const ELECTRON = 0.51099895;
export const DELTA = 1.29333236;
export const NEUTRON = PROTON + DELTA;

/** ((m_n + m_e)^2 - m_p^2) / 2 m_p. */
export const THRESHOLD = ((DELTA + ELECTRON) * (NEUTRON + ELECTRON + PROTON)) / (2 * PROTON);

export interface Kinematics {
  /** Of the positron, with its mass. */
  readonly positron: number;
  /** The positron's kinetic energy and both annihilation quanta. */
  readonly prompt: number;
  /** Kinetic. */
  readonly neutron: number;
  readonly cosPositron: number;
  readonly cosNeutron: number;
}

/** A E_e - E cos p_e = K is what energy and momentum say; A = E + m_p. */
const half = (energy: number): number => PROTON * energy + (ELECTRON ** 2 - DELTA * (PROTON + NEUTRON)) / 2;

function made(energy: number, positron: number, cosPositron: number): Kinematics {
  const momentum = Math.sqrt(Math.max(0, positron * positron - ELECTRON * ELECTRON));
  const neutron = Math.max(0, energy - DELTA - positron);
  const recoil = Math.sqrt(neutron * (neutron + 2 * NEUTRON));
  const cosNeutron = recoil > 0 ? Math.max(-1, Math.min(1, (energy - momentum * cosPositron) / recoil)) : 1;
  return { positron, prompt: positron + ELECTRON, neutron, cosPositron, cosNeutron };
}

/**
 * What comes of an antineutrino of this energy when the positron goes off at this angle; undefined below the threshold and for angles that
 * cannot be. In the first electronvolt above the threshold the positron goes forward only, at two energies: this is the higher one.
 */
export function kinematics(energy: number, cosPositron: number): Kinematics | undefined {
  if (!(energy >= THRESHOLD && energy < Number.POSITIVE_INFINITY && cosPositron >= -1 && cosPositron <= 1)) return undefined;
  const a = energy + PROTON;
  const k = half(energy);
  const along = energy * cosPositron;
  const square = k * k - ELECTRON * ELECTRON * (a - along) * (a + along);
  if (!(square >= 0)) return undefined;
  const positron = (a * k + along * Math.sqrt(square)) / ((a - along) * (a + along));
  // Squaring has made solutions of the opposite angle too.
  if ((a * positron - k) * along < -1e-9 * Math.abs(along)) return undefined;
  return made(energy, positron, cosPositron);
}

/** Of an antineutrino of this energy, by the positron's angle in the centre of mass: there each angle gives one answer. Undefined below the threshold. */
export function kinematicsCm(energy: number, cosCm: number): Kinematics | undefined {
  if (!(energy >= THRESHOLD && energy < Number.POSITIVE_INFINITY && cosCm >= -1 && cosCm <= 1)) return undefined;
  const { s, p, middle } = centre(energy);
  const positron = middle + (energy * p * cosCm) / s;
  const momentum = Math.sqrt(Math.max(0, positron * positron - ELECTRON * ELECTRON));
  const along = ((energy + PROTON) * p * cosCm + energy * half(energy)) / s;
  return made(energy, positron, momentum > 0 ? Math.max(-1, Math.min(1, along / momentum)) : 1);
}

/** Square of the total energy, momentum in the centre of mass times its root, and the positron's energy in the laboratory at a right angle there. */
function centre(energy: number): { readonly s: number; readonly p: number; readonly middle: number } {
  const s = PROTON * (PROTON + 2 * energy);
  const p = Math.sqrt(Math.max(0, 2 * PROTON * (energy - THRESHOLD) * (s - (NEUTRON - ELECTRON) ** 2))) / 2;
  return { s, p, middle: ((energy + PROTON) * half(energy)) / s };
}

export interface NeutronRange {
  /** Kinetic energies in MeV. */
  readonly least: number;
  readonly most: number;
  /** Radians: the largest angle to the antineutrino's flight. */
  readonly angle: number;
  /** The same to leading order (Vogel and Beacom 1999): cos = sqrt(2 E Delta - Delta^2 + m_e^2) / E; NaN where that has no answer. */
  readonly angleLeadingOrder: number;
}

/** Undefined below the threshold. */
export function neutronRange(energy: number): NeutronRange | undefined {
  if (!(energy >= THRESHOLD && energy < Number.POSITIVE_INFINITY)) return undefined;
  const { s, p, middle } = centre(energy);
  const spread = (energy * p) / s;
  const square = 2 * energy * DELTA - DELTA ** 2 + ELECTRON ** 2;
  return {
    least: Math.max(0, energy - DELTA - (middle + spread)),
    most: energy - DELTA - (middle - spread),
    angle: Math.asin(Math.min(1, p / (NEUTRON * energy))),
    angleLeadingOrder: Math.acos(Math.sqrt(square) / energy),
  };
}

/** Leading order, without recoil: sigma0 E_e p_e with E_e = E - Delta. From memory, not read in a paper: 9.52e-44 cm^2 / MeV^2. */
export const SIGMA0 = 9.52e-44;
export function crossSection(energy: number, sigma0 = SIGMA0): number {
  const positron = energy - DELTA;
  return energy >= THRESHOLD && positron > ELECTRON ? sigma0 * positron * Math.sqrt(positron ** 2 - ELECTRON ** 2) : 0;
}

/** Mean cosine of the positron's angle, -0.034 v + 2.4 E / m_p (Vogel and Beacom 1999; the numbers from memory). Undefined below the threshold. */
export function meanCosine(energy: number): number | undefined {
  const positron = energy - DELTA;
  if (!(energy >= THRESHOLD && positron > ELECTRON)) return undefined;
  return (-0.034 * Math.sqrt(positron ** 2 - ELECTRON ** 2)) / positron + (2.4 * energy) / PROTON;
}

export interface Reactor {
  /** Thermal, W. */
  readonly power: number;
  /** m. */
  readonly distance: number;
  /** Of the scintillator, kg. */
  readonly mass: number;
  /** Free protons per kg; otherwise 6.5e25. */
  readonly protons?: number;
  /** MeV per fission; otherwise 205.3. */
  readonly perFission?: number;
  /** cm^2 per fission, the spectrum folded with the cross-section; otherwise 5.8e-43. */
  readonly perProton?: number;
}
export const PROTONS_PER_KG = 6.5e25;
export const REACTOR = { perFission: 205.3, perProton: 5.8e-43 } as const;
/** Joule: exact since 2019. */
const MEV = 1.602176634e-13;

/** Interactions per second in a detector near a reactor: no oscillation, every one counted. The defaults are typical, none is measured. */
export function reactorRate(reactor: Reactor): number {
  const { power, distance, mass, protons = PROTONS_PER_KG, perFission = REACTOR.perFission, perProton = REACTOR.perProton } = reactor;
  const fissions = power / (perFission * MEV);
  return (fissions * perProton * protons * mass) / (4 * Math.PI * (100 * distance) ** 2);
}
