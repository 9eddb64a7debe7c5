/** Compton scattering of gammas in a scintillator: where its edge is, and what the spectrum looks like. Energies in MeV. */

/** Electron mass in MeV (CODATA 2018). */
export const ELECTRON_MASS = 0.51099895;

/** Largest energy that one scattering leaves: T = 2 E^2 / (m c^2 + 2 E). */
export const comptonEdge = (energy: number): number => (2 * energy ** 2) / (ELECTRON_MASS + 2 * energy);

/**
 * Klein and Nishina's cross-section per energy of the electron, d sigma / dT in units of pi r_e^2 / m c^2 per MeV of m c^2; 0 outside 0 to
 * the edge. With s = T / E and a = E / m c^2: (2 + s^2 / (a^2 (1 - s)^2) + s / (1 - s) (s - 2 / a)) / a^2.
 */
export function comptonSpectrum(energy: number, electron: number): number {
  if (!(electron >= 0) || electron > comptonEdge(energy)) return 0;
  const a = energy / ELECTRON_MASS;
  const s = electron / energy;
  return (2 + s ** 2 / (a ** 2 * (1 - s) ** 2) + (s / (1 - s)) * (s - 2 / a)) / a ** 2;
}

/** One gamma of a source: MeV, and how many there are of it. */
export interface Gamma {
  readonly energy: number;
  readonly intensity: number;
}

/**
 * Calibration sources: energies and intensities per decay as in the Evaluated Nuclear Structure Data File, rounded; AmBe's line and the
 * capture on hydrogen stand alone. Two gammas of one source are as many as their intensities say.
 */
export const GAMMA_SOURCES = {
  '22Na annihilation': [{ energy: 0.51099895, intensity: 1 }],
  '22Na': [{ energy: 1.274537, intensity: 1 }],
  '137Cs': [{ energy: 0.661657, intensity: 1 }],
  '60Co': [
    { energy: 1.173228, intensity: 0.9985 },
    { energy: 1.332492, intensity: 0.9998 },
  ],
  'n-H': [{ energy: 2.22457, intensity: 1 }],
  AmBe: [{ energy: 4.438, intensity: 1 }],
} as const satisfies Readonly<Record<string, readonly Gamma[]>>;
export type GammaSource = keyof typeof GAMMA_SOURCES;
