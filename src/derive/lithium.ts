/** Capture of thermal neutrons in a scintillator loaded with 6Li, and the energies of what comes of it. */

/** cm/s at which the cross-sections are given: 2200 m/s. Both fall as 1/v, so the capture time does not depend on the temperature. */
const SPEED = 2.2e5;
const AVOGADRO = 6.02214076e23;
/** g/mol: AME 2016. */
const LITHIUM6 = 6.0151228874;
const BARN = 1e-24;

/** Q in MeV. */
export const LITHIUM_Q = 4.783;
/** Masses of alpha and triton in MeV (CODATA 2018): they share Q as the inverse of these, the neutron at rest. */
const [ALPHA, TRITON] = [3727.3794066, 2808.92113298];
export const ALPHA_ENERGY = (LITHIUM_Q * TRITON) / (ALPHA + TRITON);
export const TRITON_ENERGY = (LITHIUM_Q * ALPHA) / (ALPHA + TRITON);
/** What both shine as in a liquid scintillator, MeVee: from memory; it is that of the liquid in hand that counts. */
export const LITHIUM_LIGHT = 0.5;

export interface Loading {
  /** g/cm^3. */
  readonly density: number;
  /** 6Li by mass, 0 to 1. */
  readonly fraction: number;
  /** Hydrogen nuclei per cm^3. */
  readonly hydrogen: number;
  /** Barn; otherwise 940 (6Li) and 0.3326 (H). */
  readonly sigmaLithium?: number;
  readonly sigmaHydrogen?: number;
}

export interface Capture {
  /** Mean capture time in seconds: 1 / (v sum n sigma). Infinite where there is nothing to capture. */
  readonly tau: number;
  /** Share of the captures that is on 6Li. */
  readonly onLithium: number;
}

/** Undefined for what no liquid can be: negative numbers, a fraction above 1, no density. */
export function capture({ density, fraction, hydrogen, sigmaLithium = 940, sigmaHydrogen = 0.3326 }: Loading): Capture | undefined {
  if (!(density > 0 && fraction >= 0 && fraction <= 1 && hydrogen >= 0 && sigmaLithium >= 0 && sigmaHydrogen >= 0)) return undefined;
  const lithium = ((density * fraction * AVOGADRO) / LITHIUM6) * sigmaLithium * BARN;
  const all = lithium + hydrogen * sigmaHydrogen * BARN;
  return { tau: 1 / (SPEED * all), onLithium: all > 0 ? lithium / all : 0 };
}
