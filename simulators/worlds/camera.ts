/**
 * A spectrometer camera on the two sides of a laser-heated cell: light of a grey body, through the path of each side, to counts. The
 * same path sees the calibration lamp, so that a temperature can be had from its files as from real ones.
 */
import { encodeSpe, type Spe } from '../../protocols/spe.ts';
import { gauss, poisson, uniform } from '../../src/simulator.ts';

export const ROWS = 40;
export const COLUMNS = 512;
/** Rows that hold the light of each side, both included. */
export const UP_ROWS = [8, 19] as const;
export const DOWN_ROWS = [24, 35] as const;
/** K, of the lamp in the calibration file. */
export const LAMP_TEMPERATURE = 2255;
export const SATURATION = 65535;

/** What shines on the camera: K of either side, and the emissivity of both. */
export interface Light {
  readonly up: number;
  readonly down: number;
  readonly emissivity: number;
}
export interface Camera {
  /** Seconds. */
  readonly exposure: number;
  /** Electrons per count. */
  readonly gain: number;
  /** Counts rms. */
  readonly readNoise: number;
  /** Counts of a pixel without light. */
  readonly bias: number;
}

export const CAMERA: Camera = { exposure: 0.5, gain: 1, readNoise: 5, bias: 600 };

// Exact SI values of 2 h c^2 (W m^2 / sr) and h c / k (m K).
const C1 = 1.191042972397188e-16;
const C2 = 0.01438776877503934;
/** Electrons per second and unit of radiance: 2000 K and emissivity 0.3 give about 4,000 counts in 0.5 s at the brightest pixel. */
const THROUGHPUT = 6e-7;

/** Metre, one per column: 600 to 900 nm through a grating, which spreads them a little unevenly. */
export const WAVELENGTH: Float64Array = Float64Array.from({ length: COLUMNS }, (_, i) => {
  const x = i / (COLUMNS - 1);
  return 600e-9 + 300e-9 * (x + 0.004 * x * (1 - x));
});

/** Grating and detector together, with the ripples of a thinned chip in the red; the two sides have other lenses. */
function response(wavelength: number, side: 'up' | 'down'): number {
  const nm = wavelength * 1e9;
  const blaze = Math.exp(-(((nm - (side === 'up' ? 730 : 745)) / 170) ** 2));
  const ripple = 1 + 0.04 * ((nm - 600) / 300) ** 2 * Math.sin((2 * Math.PI * nm) / (side === 'up' ? 14 : 15));
  return blaze * ripple * (side === 'up' ? 1 : 0.85);
}

const PATHS = (['up', 'down'] as const).map((side) => {
  const [first, last] = side === 'up' ? UP_ROWS : DOWN_ROWS;
  const centre = (first + last) / 2;
  return {
    side,
    /** Per column, all of Planck's law but its exponential. */
    column: WAVELENGTH.map((l) => (THROUGHPUT * response(l, side) * C1) / l ** 5),
    /** Per row; what falls beside them is less than the eye of the camera sees. */
    row: Float64Array.from({ length: ROWS }, (_, r) => (r < first || r > last ? 0 : Math.exp(-(((r - centre) / 5) ** 2)))),
  };
});

/** One exposure, rows x columns. Its noise depends on seed, name and the exposure's number alone. */
export function exposed(light: Light, camera: Camera, seed: number, name: string, number: number): Uint16Array {
  const shot = Math.floor(uniform(seed, `${name} shot`, 0) * 2 ** 32);
  const read = Math.floor(uniform(seed, `${name} read`, 0) * 2 ** 32);
  const counts = new Uint16Array(ROWS * COLUMNS);
  const electrons = PATHS.map(({ side, column }) =>
    column.map((c, i) => (light.emissivity * camera.exposure * c) / Math.expm1(C2 / (WAVELENGTH[i] * light[side]))),
  );
  for (let r = 0; r < ROWS; r++) {
    const p = PATHS.findIndex(({ row }) => row[r] > 0);
    const part = PATHS[p]?.row[r] ?? 0;
    for (let i = 0; i < COLUMNS; i++) {
      const at = r * COLUMNS + i;
      const noise = number * ROWS * COLUMNS + at;
      const mean = p < 0 ? 0 : part * electrons[p][i];
      const caught = mean > 1e-6 ? poisson(mean, shot, '', noise) : 0;
      const value = Math.round(caught / camera.gain + camera.bias + camera.readNoise * gauss(read, '', noise));
      counts[at] = Math.min(SATURATION, Math.max(0, value));
    }
  }
  return counts;
}

/** The exposures as one SPE 3.0 file. */
export function spectrumFile(frames: readonly Uint16Array[], exposure: number): Uint8Array {
  const file: Spe = {
    version: 3,
    pixel: 'u16',
    regions: [{ shape: [ROWS, COLUMNS], x: 0, y: 0, binning: [1, 1], wavelength: WAVELENGTH }],
    frames: frames.map((data) => ({ data: [data], tracked: {} })),
    exposure,
    saturation: SATURATION,
    settings: { camera: 'Simulated 512 x 40', grating: '750nm,150', centre_wavelength: 750e-9 },
  };
  return encodeSpe(file);
}

const CALIBRATION_FRAMES = 2;
const several = (light: Light, name: string): Uint8Array =>
  spectrumFile(
    Array.from({ length: CALIBRATION_FRAMES }, (_, n) => exposed(light, CAMERA, 1, name, n)),
    CAMERA.exposure,
  );

/** The calibration lamp, a black body of 2255 K, through both paths: two exposures in one file. */
export const lampFile = (): Uint8Array => several({ up: LAMP_TEMPERATURE, down: LAMP_TEMPERATURE, emissivity: 1 }, 'lamp');

/** The same without light. */
export const darkFile = (): Uint8Array => several({ up: 1, down: 1, emissivity: 0 }, 'dark');
