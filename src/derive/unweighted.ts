/** The field's common fit: unweighted least squares of a Planck curve to the lamp-corrected spectrum (T-Rax and others). */
import { decay } from './decay.ts';
import type { NoFit } from './planck.ts';
import type { RadiationConstants } from './radiance.ts';

export interface UnweightedFit {
  readonly temperature: number;
  /** Square root of the covariance's diagonal, scaled by the residuals: what scipy's curve_fit quotes. */
  readonly sigma: number;
  /** Scale s of s c1 l^-5/(exp(c2/(lT)) - 1). */
  readonly factor: number;
  readonly expected: Float64Array;
  /** Sum of squared residuals over its degrees of freedom. */
  readonly scatter: number;
  readonly iterations: number;
}

const COLDEST = 200;
const HOTTEST = 50_000;
const SCAN = 24;
const MAX_ITERATIONS = 200;

/**
 * The global minimum over s and T: a scan of temperatures, then Gauss-Newton steps with s solved for, halved until they help.
 * Wavelengths in metre; the spectrum in any unit, negative pixels included.
 */
export function fitUnweighted(wavelength: Float64Array, spectrum: Float64Array, { c1, c2 }: RadiationConstants): UnweightedFit | NoFit {
  const n = wavelength.length;
  if (n < 3) return { refused: `${n} pixels cannot fix 2 parameters and their error` };
  const curve = new Float64Array(n);
  const slope = new Float64Array(n);
  const k = wavelength.map((l) => c2 / l);
  const front = wavelength.map((l) => c1 / (l * l * l * l * l));
  const square = spectrum.reduce((s, y) => s + y * y, 0);
  /** Fills curve and d(ln curve)/d(1/T); gives the best scale and the sum of squares left. */
  const at = (inverse: number): readonly [number, number] => {
    let [yp, pp] = [0, 0];
    for (let i = 0; i < n; i++) {
      const ki = k[i] as number; // arrays of one length
      const z = decay(ki * inverse);
      const one = 1 / (1 - z);
      const p = (front[i] as number) * z * one;
      curve[i] = p;
      slope[i] = -ki * one;
      yp += (spectrum[i] as number) * p;
      pp += p * p;
    }
    return [yp / pp, square - yp ** 2 / pp];
  };
  let inverse = scan(at);
  if (inverse === undefined) return { refused: 'the corrected spectrum follows no Planck curve' };
  let [scale, rest] = at(inverse);
  let iterations = 0;
  for (; iterations < MAX_ITERATIONS; iterations++) {
    const [ff, fg, gg, yg] = sums(spectrum, curve, slope, scale);
    const step = yg / (gg - fg ** 2 / ff) / scale;
    if (!Number.isFinite(step)) return { refused: 'does not converge: the curve carries no information on temperature' };
    let size = Math.max(-0.3 * inverse, Math.min(0.3 * inverse, step));
    let [nextScale, left] = at(inverse + size);
    for (let halved = 0; left > rest + 1e-13 * square && halved < 30 && Math.abs(size) > 1e-12 * inverse; halved++) {
      size /= 2;
      [nextScale, left] = at(inverse + size);
    }
    inverse += size;
    [scale, rest] = [nextScale, left];
    if (1 / inverse < COLDEST || 1 / inverse > HOTTEST)
      return { refused: `does not converge: the temperature runs to ${Math.round(1 / inverse)} K` };
    if (Math.abs(size) <= 1e-11 * inverse) break;
  }
  if (iterations === MAX_ITERATIONS) return { refused: 'does not converge' };
  [scale] = at(inverse);
  const expected = curve.map((p) => scale * p);
  const scatter = spectrum.reduce((s, y, i) => s + (y - (expected[i] ?? 0)) ** 2, 0) / (n - 2);
  const [ff, fg, gg] = sums(spectrum, curve, slope, scale);
  const sigma = Math.sqrt(scatter / (gg - fg ** 2 / ff)) / Math.abs(scale) / inverse ** 2;
  return { temperature: 1 / inverse, sigma, factor: scale, expected, scatter, iterations };
}

/** The best of temperatures on a logarithmic grid, among those that give a positive scale. */
function scan(at: (inverse: number) => readonly [number, number]): number | undefined {
  let best: readonly [number, number] | undefined;
  for (let i = 0; i <= SCAN; i++) {
    const inverse = 1 / (COLDEST * (HOTTEST / COLDEST) ** (i / SCAN));
    const [scale, rest] = at(inverse);
    if (scale > 0 && Number.isFinite(rest) && (!best || rest < best[1])) best = [inverse, rest];
  }
  return best?.[0];
}

/** Normal equations in (scale, 1/T); slopes are centred on their weighted mean, which leaves the determinant as it is. */
function sums(spectrum: Float64Array, curve: Float64Array, slope: Float64Array, scale: number): readonly [number, number, number, number] {
  let [ff, fs] = [0, 0];
  for (let i = 0; i < curve.length; i++) {
    const p = curve[i] as number; // arrays of one length
    ff += p * p;
    fs += p * p * (slope[i] as number);
  }
  const middle = fs / ff;
  let [fg, gg, yg] = [0, 0, 0];
  for (let i = 0; i < curve.length; i++) {
    const p = curve[i] as number; // arrays of one length
    const g = p * ((slope[i] as number) - middle);
    fg += p * g;
    gg += g * g;
    yg += ((spectrum[i] as number) - scale * p) * g;
  }
  return [ff, fg, gg, yg];
}
