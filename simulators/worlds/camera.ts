/**
 * A spectrometer camera on the two sides of a laser-heated cell: light of a grey body, through the path of each side, to counts. The
 * same path sees the calibration lamp, so that a temperature can be had from its files as from real ones.
 */
import { encodeSpe, type Spe } from '../../protocols/spe.ts';
import { gauss, poisson, uniform } from '../../src/simulator.ts';
import { Gathered, LAMP_TEMPERATURE, type Moment, type Sight, type View } from './light.ts';
import { cosmicHits, type Flaws, hotPixels } from './light-detector.ts';
import { optics } from './optics.ts';

export { LAMP_TEMPERATURE } from './light.ts';

export const ROWS = 40;
export const COLUMNS = 512;
/** Rows that hold the light of each side, both included. */
export const UP_ROWS = [8, 19] as const;
export const DOWN_ROWS = [24, 35] as const;
/** Rows of the light of ruby and diamond, where the camera looks at them. */
export const GAUGE_ROWS = [14, 25] as const;
export const SATURATION = 65535;

export interface Camera extends Flaws {
  /** Seconds. */
  readonly exposure: number;
  /** Electrons per count. */
  readonly gain: number;
  /** Counts rms. */
  readonly readNoise: number;
  /** Counts of a pixel without light. */
  readonly bias: number;
  /** What it looks at: the sides beside each other, or ruby and diamond. */
  readonly views: readonly View[];
  /** Metre, one per column, rising: what its files say, and what is true. */
  readonly wavelength: Float64Array;
  readonly seen: Float64Array;
  /** Of the laser that excites ruby and diamond. */
  readonly excitation: Pick<Sight, 'laser' | 'excited'>;
}

/** Electrons per second and unit of radiance: 2000 K and emissivity 0.3 give about 4,000 counts in 0.5 s at the brightest pixel. */
const THROUGHPUT = 6e-7;

/** Metre, one per column, through a grating, which spreads them a little unevenly. */
export function axisOf(low: number, high: number): Float64Array {
  return Float64Array.from({ length: COLUMNS }, (_, i) => {
    const x = i / (COLUMNS - 1);
    return low + (high - low) * (x + 0.004 * x * (1 - x));
  });
}
const SPAN = 300e-9;
export const WAVELENGTH: Float64Array = axisOf(600e-9, 900e-9);

/** Dark signal of a chip at -70 °C; cosmic rays are one per minute and square centimetre, of which these rows have a seventh. */
export const CAMERA: Camera = {
  exposure: 0.5,
  gain: 1,
  readNoise: 5,
  bias: 600,
  views: ['up', 'down'],
  wavelength: WAVELENGTH,
  seen: WAVELENGTH,
  excitation: {},
  dark: 0.02,
  hot: 0,
  cosmic: 0.002,
};

/** Grating and detector together, with the ripples of a thinned chip in the red; the two sides have other lenses. */
function response(wavelength: number, view: View): number {
  const nm = wavelength * 1e9;
  const blaze = Math.exp(-(((nm - (view === 'down' ? 745 : 730)) / 170) ** 2));
  const ripple = 1 + 0.04 * ((nm - 600) / 300) ** 2 * Math.sin((2 * Math.PI * nm) / (view === 'down' ? 15 : 14));
  return blaze * ripple * (view === 'down' ? 0.85 : 1);
}

const ROWS_OF = { up: UP_ROWS, down: DOWN_ROWS, gauge: GAUGE_ROWS } as const;
/** Per row; what falls beside them is less than the eye of the camera sees. */
function rowsOf(view: View): Float64Array {
  const [first, last] = ROWS_OF[view];
  const centre = (first + last) / 2;
  return Float64Array.from({ length: ROWS }, (_, r) => (r < first || r > last ? 0 : Math.exp(-(((r - centre) / 5) ** 2))));
}
const ROW_SHARES = { up: rowsOf('up'), down: rowsOf('down'), gauge: rowsOf('gauge') };

/** Electrons per column of a row that takes all of it. A finer grating spreads the same light over more columns. */
function electronsOf(light: Gathered, view: View, { seen: wavelength, excitation, exposure }: Camera): Float64Array {
  const finer = (wavelength[COLUMNS - 1] - wavelength[0]) / SPAN;
  const per = (THROUGHPUT * finer * exposure) / light.seconds;
  return light.radiance({ view, wavelength, ...excitation }).map((l, i) => per * response(wavelength[i], view) * l);
}

/** One exposure, rows x columns. Its noise depends on seed, name and the exposure's number alone. */
export function exposed(light: Gathered, camera: Camera, seed: number, name: string, number: number): Uint16Array {
  const shot = Math.floor(uniform(seed, `${name} shot`, 0) * 2 ** 32);
  const read = Math.floor(uniform(seed, `${name} read`, 0) * 2 ** 32);
  const pixels = ROWS * COLUMNS;
  const counts = new Uint16Array(pixels);
  const paths = camera.views.map((view) => ({ row: ROW_SHARES[view], electrons: electronsOf(light, view, camera) }));
  const hot = hotPixels(camera.hot, pixels, seed, name);
  const hits = cosmicHits(camera, camera.exposure, pixels, seed, name, number);
  for (let r = 0; r < ROWS; r++) {
    const path = paths.find(({ row }) => row[r] > 0);
    const part = path?.row[r] ?? 0;
    for (let i = 0; i < COLUMNS; i++) {
      const at = r * COLUMNS + i;
      const noise = number * pixels + at;
      const mean = part * (path?.electrons[i] ?? 0) + (camera.dark + (hot.get(at) ?? 0)) * camera.exposure;
      const caught = (mean > 1e-6 ? poisson(mean, shot, '', noise) : 0) + (hits.get(at) ?? 0);
      const value = Math.round(caught / camera.gain + camera.bias + camera.readNoise * gauss(read, '', noise));
      counts[at] = Math.min(SATURATION, Math.max(0, value));
    }
  }
  return counts;
}

/** The exposures as one SPE 3.0 file. */
export function spectrumFile(frames: readonly Uint16Array[], exposure: number, wavelength = WAVELENGTH): Uint8Array {
  const [low, high] = [wavelength[0], wavelength[COLUMNS - 1]];
  const file: Spe = {
    version: 3,
    pixel: 'u16',
    regions: [{ shape: [ROWS, COLUMNS], x: 0, y: 0, binning: [1, 1], wavelength }],
    frames: frames.map((data) => ({ data: [data], tracked: {} })),
    exposure,
    saturation: SATURATION,
    settings: {
      camera: 'Simulated 512 x 40',
      grating: `750nm,${Math.round((150 * SPAN) / (high - low))}`,
      centre_wavelength: nanometre((low + high) / 2),
    },
  };
  return encodeSpe(file);
}

/** To a tenth of a nanometre, as the program of a camera writes it. */
const nanometre = (metre: number): number => Math.round(metre * 1e10) / 1e10;

const CALIBRATION_FRAMES = 2;
function several(shining: Pick<Moment, 'emissivity' | 'blind'>, name: string): Uint8Array {
  const temperature = LAMP_TEMPERATURE;
  const light = new Gathered();
  const table = optics();
  light.add(
    { up: temperature, down: temperature, gaugePressure: 0, gaugeTemperature: 300, optics: table.still(), ...shining },
    CAMERA.exposure,
  );
  return spectrumFile(
    Array.from({ length: CALIBRATION_FRAMES }, (_, n) => exposed(light, CAMERA, 1, name, n)),
    CAMERA.exposure,
  );
}

/** The calibration lamp, a black body of 2255 K, through both paths: two exposures in one file. */
export const lampFile = (): Uint8Array => several({ emissivity: 1, blind: false }, 'lamp');

/** The same without light. */
export const darkFile = (): Uint8Array => several({ emissivity: 0, blind: true }, 'dark');
