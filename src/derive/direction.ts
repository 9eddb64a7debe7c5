/**
 * From the displacements of prompt-delayed pairs to the direction that the antineutrinos fly in, with a cone, or to the word that there is
 * none. Displacements are delayed less prompt; the flight is along their mean. Lengths in cm, angles in radians.
 */
import { angleBetween, circle, dot, heldCone, inverse, length, type Matrix, times, unit, type Vector } from './direction-cone.ts';
import { about, type Displacements, total, totalUnits } from './direction-sums.ts';
import { chanceAbove, chanceAboveHotelling, THREE_SIGMA } from './error-function.ts';

/** Where it points, with its errors in the plane that touches the sphere there. */
export interface Arrow {
  readonly unit: Vector;
  /** From +z, and from +x towards +y. */
  readonly theta: number;
  readonly phi: number;
  readonly sigmaTheta: number;
  /** Of phi itself, and of the arc sin(theta) phi: NaN for the first at a pole. */
  readonly sigmaPhi: number;
  readonly sigmaArc: number;
  /** Of theta and the arc. */
  readonly covariance: number;
  /** Half the opening of the cone that holds the true direction with 68.27 %: `heldCone`. Pi where no direction is shut out. */
  readonly cone: number;
}

export interface Direction {
  /** Pairs, and what the background leaves of them. */
  readonly pairs: number;
  readonly n: number;
  readonly background: { readonly pairs: number; readonly windows: number } | undefined;
  readonly mean: Vector;
  /** Of the mean. */
  readonly covariance: Matrix;
  /** Standard deviation of one displacement, per axis. */
  readonly spread: Vector;
  readonly length: number;
  /** Without what noise alone adds: sqrt(max(0, |d|^2 - trace C)). */
  readonly lengthCorrected: number;
  /** Against no displacement at all, with three degrees of freedom, and its chance. */
  readonly chi2: number;
  readonly p: number;
  /** The same chance, the covariance being known from so many pairs only (Hotelling): it decides what is stated. */
  readonly pFew: number;
  /** What the usual formulas for a round error give: one-axis sigma s / (|d| sqrt n), 1.515 times that, and the arc tangent of the latter. */
  readonly isotropic: { readonly component: number; readonly cone: number; readonly coneAtan: number };
  /** From unit vectors (von Mises and Fisher): knows less, a cross-check only. */
  readonly units: { readonly resultant: number; readonly kappa: number; readonly unit: Vector; readonly off: number };
  /** To be shown: a direction only where no displacement at all has a chance below that of 3 sigma. */
  readonly stated: Arrow | { readonly none: string };
  /** The same for studies, also where it must not be stated. */
  readonly arrow: Arrow | undefined;
}

const NONE: Vector = [Number.NaN, Number.NaN, Number.NaN];

/**
 * With a background sample of off-time pairs, taken in so many windows each as long as the on-time one, its sums are subtracted over their
 * number, and the Poisson error of both samples is in the covariance: sum of w^2 (x - d)(x - d)' / W^2 with w = 1 on time and -1/k off time, and
 * W the sum of the w. Without one it is the sample's covariance over n.
 */
export function direction(on: Displacements, background?: { readonly off: Displacements; readonly windows: number }): Direction {
  const k = background?.windows ?? 1;
  const off = background?.off;
  const n = on.n - (off ? off.n / k : 0);
  const effective = (n * n) / (on.n + (off ? off.n / (k * k) : 0));
  const head = { pairs: on.n, n, background: off ? { pairs: off.n, windows: k } : undefined };
  const [s, b] = [total(on), off ? total(off) : NONE];
  const each = (make: (i: 0 | 1 | 2) => number): Vector => [make(0), make(1), make(2)];
  const mean = each((i) => (off ? s[i] - b[i] / k : s[i]) / n);
  if (!(n > 0 && mean.every(Number.isFinite))) return nothing(head, on.n === 0 ? few(0) : 'no pairs are left over the background');
  const size = length(mean);
  if (!(effective > 1)) return { ...nothing(head, few(on.n)), mean, length: size };
  const [mine, theirs] = [about(on, mean), off ? about(off, mean) : undefined];
  const unbiased = effective / (effective - 1);
  const matrix = (cell: (i: 0 | 1 | 2, j: 0 | 1 | 2) => number): Matrix => [
    each((j) => cell(0, j)),
    each((j) => cell(1, j)),
    each((j) => cell(2, j)),
  ];
  const covariance = matrix((i, j) => ((mine[i][j] + (theirs ? theirs[i][j] / (k * k) : 0)) / (n * n)) * unbiased);
  const spread = each((i) => Math.sqrt(((mine[i][i] - (theirs ? theirs[i][i] / k : 0)) / n) * unbiased));
  const trace = covariance[0][0] + covariance[1][1] + covariance[2][2];
  const lengthCorrected = Math.sqrt(Math.max(0, size * size - trace));
  const of = inverse(covariance);
  if (!of || !(size > 0)) {
    const why =
      size > 0 ? 'the displacements have no spread in three dimensions, so nothing can be tested' : 'the mean displacement is nought';
    return { ...nothing(head, on.n <= 3 ? few(on.n) : why), mean, covariance, spread, length: size, lengthCorrected };
  }
  const chi2 = dot(mean, times(of.inverse, mean));
  const p = chanceAbove(chi2, 3);
  const pFew = chanceAboveHotelling(chi2, effective);
  const component = Math.sqrt(trace / 3) / size;
  const arrow = arrowOf(mean, covariance);
  return {
    ...head,
    mean,
    covariance,
    spread,
    length: size,
    lengthCorrected,
    chi2,
    p,
    pFew,
    isotropic: { component, cone: circle() * component, coneAtan: Math.atan(circle() * component) },
    units: unitVectors(on, off, k, n, mean),
    stated:
      pFew < THREE_SIGMA
        ? arrow
        : {
            none: `no direction: chance alone gives as much in ${(100 * pFew).toPrecision(2)} % of cases, and less than ${(100 * THREE_SIGMA).toPrecision(2)} % (3 sigma) is asked for`,
          },
    arrow,
  };
}

const few = (n: number): string => `${n} pair${n === 1 ? ' is' : 's are'} too few`;

function nothing(head: Pick<Direction, 'pairs' | 'n' | 'background'>, why: string): Direction {
  const nan = Number.NaN;
  return {
    ...head,
    mean: NONE,
    covariance: [NONE, NONE, NONE],
    spread: NONE,
    length: nan,
    lengthCorrected: nan,
    chi2: nan,
    p: nan,
    pFew: nan,
    isotropic: { component: nan, cone: nan, coneAtan: nan },
    units: { resultant: nan, kappa: nan, unit: NONE, off: nan },
    stated: { none: `no direction: ${why}` },
    arrow: undefined,
  };
}

function arrowOf(mean: Vector, covariance: Matrix): Arrow {
  const u = unit(mean);
  const size = length(mean);
  const across = Math.hypot(u[0], u[1]);
  const [theta, phi] = [Math.atan2(across, u[2]), Math.atan2(u[1], u[0])];
  const east: Vector = [-Math.sin(phi), Math.cos(phi), 0];
  const south: Vector = [u[2] * Math.cos(phi), u[2] * Math.sin(phi), -across];
  const ce = times(covariance, east);
  const sigmaArc = Math.sqrt(dot(east, ce)) / size;
  return {
    unit: u,
    theta,
    phi,
    sigmaTheta: Math.sqrt(dot(south, times(covariance, south))) / size,
    sigmaPhi: across > 0 ? sigmaArc / across : Number.NaN,
    sigmaArc,
    covariance: dot(south, ce) / (size * size),
    cone: heldCone(mean, covariance),
  };
}

function unitVectors(on: Displacements, off: Displacements | undefined, k: number, n: number, mean: Vector): Direction['units'] {
  const [s, b] = [totalUnits(on), off ? totalUnits(off) : undefined];
  const sum: Vector = b ? [s[0] - b[0] / k, s[1] - b[1] / k, s[2] - b[2] / k] : s;
  const resultant = length(sum) / n;
  return { resultant, kappa: concentration(resultant), unit: unit(sum), off: angleBetween(sum, mean) };
}

/** kappa of von Mises and Fisher: coth(kappa) - 1 / kappa = R, the maximum of the likelihood. Infinite for R = 1, NaN beyond. */
function concentration(resultant: number): number {
  if (!(resultant < 1)) return resultant === 1 ? Number.POSITIVE_INFINITY : Number.NaN;
  if (resultant === 0) return 0;
  let kappa = (resultant * (3 - resultant ** 2)) / (1 - resultant ** 2); // Banerjee et al. 2005: within a few per cent
  for (let i = 0; i < 50; i++) {
    // Series below 0.05, where the difference would lose its digits.
    const k2 = kappa * kappa;
    const small = kappa < 0.05;
    const value = small ? (kappa / 3) * (1 - k2 / 15 + (2 * k2 * k2) / 315 - (k2 * k2 * k2) / 1575) : 1 / Math.tanh(kappa) - 1 / kappa;
    const slope = small ? 1 / 3 - k2 / 15 + (2 * k2 * k2) / 189 : 1 / k2 - 1 / Math.sinh(kappa) ** 2;
    const step = (value - resultant) / slope;
    kappa = Math.max(kappa / 10, kappa - step);
    if (Math.abs(step) <= 1e-15 * kappa) break;
  }
  return kappa;
}

export interface SourceTest {
  /** Between the measured direction and that of the source's particles. */
  readonly angle: number;
  readonly within: boolean;
  /** What of the displacement the source cannot explain, and the chance of that much. */
  readonly chi2: number;
  readonly dof: 2 | 3;
  readonly p: number;
}

/** The flight of what comes from a source at this place, at a detector at that one. */
export const flightFrom = (source: Vector, detector: Vector = [0, 0, 0]): Vector =>
  unit([detector[0] - source[0], detector[1] - source[1], detector[2] - source[2]]);

/**
 * Whether a known source explains a measured displacement: chi-square of what is left when the best length along the flight from the source is
 * taken away (two degrees of freedom, exact whatever that length is); where that length would be negative, of the whole (three).
 * Undefined where there is no direction to test, or no flight.
 */
export function sourceTest(of: Pick<Direction, 'mean' | 'covariance' | 'arrow'>, flight: Vector): SourceTest | undefined {
  const by = inverse(of.covariance);
  const size = length(flight);
  if (!of.arrow || !by || !(size > 0 && size < Number.POSITIVE_INFINITY)) return undefined;
  const u = unit(flight);
  const cu = times(by.inverse, u);
  const along = dot(cu, of.mean);
  const angle = angleBetween(of.mean, u);
  const within = angle <= of.arrow.cone;
  if (along < 0) {
    const chi2 = dot(of.mean, times(by.inverse, of.mean));
    return { angle, within, chi2, dof: 3, p: chanceAbove(chi2, 3) };
  }
  const best = along / dot(cu, u);
  const rest: Vector = [of.mean[0] - best * u[0], of.mean[1] - best * u[1], of.mean[2] - best * u[2]];
  const chi2 = Math.max(0, dot(rest, times(by.inverse, rest)));
  return { angle, within, chi2, dof: 2, p: chanceAbove(chi2, 2) };
}
