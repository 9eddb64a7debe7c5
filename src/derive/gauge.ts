/** What all pressure gauges share: numbers with their uncertainty, its propagation, and what a gauge says beside its pressure. */
import type { Sigma } from '../reading.ts';

/** A number in SI units with its uncertainty; without one nothing is known of it. */
export interface Known {
  readonly value: number;
  readonly sigma?: Sigma;
}

/** How far the constants of a scale are proven: read where they were published or in public programs, or only remembered. */
export type Proven = 'seen' | 'unverified';

export interface GaugePressure {
  /** Pascal. */
  readonly pressure: number;
  /** `random` is that of the line; `shared` has a term for each other cause. */
  readonly sigma: Sigma;
  readonly scale: string;
  /** d pressure / d line (Pa/m; of a Raman edge Pa per 1/m). */
  readonly slope: number;
  /** What the temperature has shifted the line by (m); absent where no temperature is given. */
  readonly shift?: number;
  /** Why the pressure deserves a second look: outside of a range. */
  readonly doubts: readonly string[];
  /** What the bar does not contain, and what is unverified. */
  readonly notes: readonly string[];
}

/** One term: the derivative of the result by a number, and that number's uncertainty. */
export type Part = readonly [slope: number, of: Sigma | undefined];

/** First-order propagation: random parts add in square, shared parts of one cause add with their signs. Causes of no size are left out. */
export function carried(parts: readonly Part[]): Sigma {
  const shared: Record<string, number> = {};
  for (const [slope, sigma] of parts) {
    for (const [cause, size] of Object.entries(sigma?.shared ?? {})) {
      const sum = (shared[cause] ?? 0) + slope * size;
      if (sum !== 0) shared[cause] = sum;
      else delete shared[cause];
    }
  }
  return { random: Math.hypot(...parts.map(([slope, sigma]) => slope * (sigma?.random ?? 0))), shared };
}

/** One sigma of a constant, under the name of its cause. */
export const constant = (cause: string, size: number | undefined): Sigma | undefined =>
  size === undefined ? undefined : { random: 0, shared: { [cause]: size } };

/** Metre to nanometre: the shortest decimal number that is this length, so that "694.25 nm" is 694.25 and not its neighbour. */
export function nanometres(metre: number): number {
  const plain = metre * 1e9;
  const short = Number(plain.toPrecision(15));
  return short / 1e9 === metre ? short : plain;
}

/** Ruby crystals differ in their line by 0.03 nm, which is 0.1 GPa (Vos and Schouten, J. Appl. Phys. 69, 1991, 6744). */
const SAMPLE_SPREAD = 1e8;

/** Why a pressure (Pa) is not covered by its scale (range in GPa). Around the lower end the scatter of samples and of the line is no doubt. */
export function outside(scale: string, pressure: number, bar: number, range: readonly [number, number] | undefined): readonly string[] {
  if (!range) return [];
  const [low, high] = range;
  const under = low * 1e9 - Math.max(SAMPLE_SPREAD, 3 * bar);
  if (pressure >= under && pressure <= high * 1e9) return [];
  return [`${(pressure / 1e9).toPrecision(4)} GPa is outside of the scale ${scale}, which holds from ${low} to ${high} GPa`];
}
