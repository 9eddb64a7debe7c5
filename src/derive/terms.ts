/** What surrounds a temperature fit: lamp colour, sensitivity to emissivity, upper limit, and whether the calibration fits the spectrum. */
import { type Calibration, type Lamp, lampRadiance, type SpectralFrame, type Table } from './calibration.ts';
import { EXACT, spectralRadiance } from './radiance.ts';
import type { PixelSet } from './spectrum.ts';
import { fitUnweighted } from './unweighted.ts';

/** The radiance of a response, which counts as a lamp: 1 at every wavelength. It is no black body and has no colour. */
export const FLAT: Table = { wavelength: [0, 1], value: [1, 1] };

/** The temperature of the black body that the lamp looks like in the window, and the lamp's scale against it. */
export function lampColour(lamp: Lamp, wavelength: Float64Array): { readonly temperature: number; readonly scale: number } | undefined {
  if ('temperature' in lamp) return { temperature: lamp.temperature, scale: 1 };
  if (lamp.radiance === FLAT) return undefined;
  const radiance = lampRadiance(lamp, wavelength);
  const known = (_: number, i: number): boolean => !Number.isNaN(radiance[i]);
  const fit = fitUnweighted(wavelength.filter(known), radiance.filter(known), EXACT);
  return 'refused' in fit ? undefined : { temperature: fit.temperature, scale: fit.factor };
}

/** First-order shift of T (K) when the true emissivity rises 1 % per 150 nm and the fit takes it as grey. `strength`: weights of ln(counts). */
export function slopeSensitivity(wavelength: Float64Array, strength: ArrayLike<number>, temperature: number): number {
  let [total, slopes] = [0, 0];
  const slope = wavelength.map((l) => {
    const x = EXACT.c2 / (l * temperature);
    return x / temperature / -Math.expm1(-x);
  });
  for (let i = 0; i < slope.length; i++) {
    total += strength[i] ?? 0;
    slopes += (strength[i] ?? 0) * (slope[i] ?? 0);
  }
  let [shift, information] = [0, 0];
  for (let i = 0; i < slope.length; i++) {
    const g = (slope[i] ?? 0) - slopes / total;
    shift += ((strength[i] ?? 0) * g * 0.01 * (wavelength[i] ?? 0)) / 150e-9; // a constant part has no effect: g is centred
    information += (strength[i] ?? 0) * g * g;
  }
  return shift / information;
}

const LEAST_FACTOR = 0.1;

/** The temperature at which a factor of 0.1 would give this many electrons; a lamp table is put on the scale of its black body. */
export function upperLimit({ wavelength, response }: PixelSet, { lamp }: Calibration, most: number): number | undefined {
  const scale = lampColour(lamp, wavelength)?.scale;
  if (scale === undefined || !(most > 0)) return undefined;
  const electrons = (t: number): number =>
    response.reduce((s, r, i) => s + LEAST_FACTOR * scale * r * spectralRadiance(wavelength[i] ?? Number.NaN, t), 0);
  let [low, high] = [100, 60_000];
  if (!(electrons(high) > most)) return undefined;
  for (let i = 0; i < 60; i++) {
    const middle = Math.sqrt(low * high);
    if (electrons(middle) > most) high = middle;
    else low = middle;
  }
  return high;
}

/** How calibration and spectrum differ in what shapes the response, or undefined. Only what both declare is compared. */
export function pathMismatch(spectrum: SpectralFrame, calibration: SpectralFrame): string | undefined {
  const differences: string[] = [];
  for (const [name, mine] of Object.entries(spectrum.path ?? {})) {
    const theirs = calibration.path?.[name];
    if (theirs === undefined) continue;
    const same =
      typeof mine === 'number' && typeof theirs === 'number' ? Math.abs(mine - theirs) <= 1e-3 * Math.abs(mine) : mine === theirs;
    if (!same) differences.push(`${name.replaceAll('_', ' ')} ${theirs} instead of ${mine}`);
  }
  const last = spectrum.columns - 1;
  const spacing = Math.abs((spectrum.wavelength[last] ?? 0) - (spectrum.wavelength[0] ?? 0)) / Math.max(1, last);
  let off = 0;
  for (let i = 0; i <= last; i++) off = Math.max(off, Math.abs((spectrum.wavelength[i] ?? 0) - (calibration.wavelength[i] ?? 0)));
  if (off > spacing) differences.push(`wavelength axes ${(off * 1e9).toFixed(2)} nm apart`);
  return differences.length > 0 ? differences.join(', ') : undefined;
}
