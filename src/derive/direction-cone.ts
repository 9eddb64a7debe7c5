/**
 * Cones on the sphere that hold 68.27 % (or any share), for a displacement with a normal error in three dimensions: not for small angles
 * only. Angles in radians, displacements and their covariance in one unit of length.
 */
import { below, ONE_SIGMA } from './error-function.ts';

export type Vector = readonly [x: number, y: number, z: number];
export type Matrix = readonly [Vector, Vector, Vector];

export const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const times = (m: Matrix, v: Vector): Vector => [dot(m[0], v), dot(m[1], v), dot(m[2], v)];
export const length = (v: Vector): number => Math.hypot(v[0], v[1], v[2]);
export const unit = (v: Vector): Vector => {
  const size = length(v);
  return [v[0] / size, v[1] / size, v[2] / size];
};
const cross = (a: Vector, b: Vector): Vector => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
/** Also for parallel and opposite ones to the last digits. */
export const angleBetween = (a: Vector, b: Vector): number => Math.atan2(length(cross(a, b)), dot(a, b));

/** Of a symmetric matrix that is positive; undefined where it is not, or so nearly not that its inverse means nothing. */
export function inverse(m: Matrix): { readonly inverse: Matrix; readonly determinant: number } | undefined {
  const rows: Matrix = [cross(m[1], m[2]), cross(m[2], m[0]), cross(m[0], m[1])];
  const determinant = dot(m[0], rows[0]);
  const size = m[0][0] * m[1][1] * m[2][2];
  if (!(m[0][0] > 0 && rows[2][2] > 0 && determinant > 1e-12 * size)) return undefined;
  const by = (v: Vector): Vector => [v[0] / determinant, v[1] / determinant, v[2] / determinant];
  return { inverse: [by(rows[0]), by(rows[1]), by(rows[2])], determinant };
}

/** Two directions that stand at right angles on this one and on each other. */
export function across(u: Vector): readonly [Vector, Vector] {
  const first = unit(cross(u, Math.abs(u[2]) < 0.9 ? [0, 0, 1] : [1, 0, 0]));
  return [first, cross(u, first)];
}

/** In units of the one-axis sigma, the radius of the circle that holds this share of a round normal in two dimensions: 1.515 for 68.27 %. */
export const circle = (share = ONE_SIGMA): number => Math.sqrt(-2 * Math.log1p(-share));

/**
 * Share of the estimates within this angle of the truth, for a displacement of r standard deviations (one axis, of the mean) and a round
 * error: Phi(r) - cos a exp(-r^2 sin^2 a / 2) Phi(r cos a). A point at height z along the truth is inside when its distance from the axis,
 * which is Rayleigh's, is below z tan a; the integral over z > 0 is Gaussian, and what comes out holds up to 180 degrees.
 */
export const roundShare = (angle: number, r: number): number =>
  below(r) - Math.cos(angle) * Math.exp(-((r * Math.sin(angle)) ** 2) / 2) * below(r * Math.cos(angle));

/** The angle that holds this share of the estimates around the truth, for a round error; r as above. */
export function roundCone(r: number, share = ONE_SIGMA): number {
  return solved((angle) => roundShare(angle, r), share, circle(share) / r);
}

const NODES = 16;
const [NODE, WEIGHT] = gaussLegendre(NODES);

/**
 * Share of the directions of a three-dimensional normal within this angle of the direction of its mean, whatever its covariance. The
 * density per solid angle is the normal's integrated along a ray n, in closed form: with A = n'C^-1 n, b = n'C^-1 d / sqrt(A), D = d'C^-1 d it
 * is (2 pi)^-3/2 |C|^-1/2 A^-3/2 ((1 + b^2) sqrt(2 pi) Phi(b) exp((b^2 - D) / 2) + b exp(-D / 2)). That is summed over the cap by Gauss and
 * Legendre in the polar angle and evenly around, twice as finely until nothing changes. NaN for a covariance that is none.
 */
export function normalShare(angle: number, mean: Vector, covariance: Matrix): number {
  return capShare(angle, mean, covariance, normalDensity);
}

/** What a density on the sphere is made of: A, b and D of `normalShare`, exp(-D / 2), and |d| (d.n). To be divided by 2 pi sqrt|C|. */
type Density = (a: number, b: number, d: number, ground: number, along: number) => number;

const normalDensity: Density = (a, b, d, ground) =>
  ((1 + b * b) * Math.sqrt(2 * Math.PI) * below(b) * Math.exp((b * b - d) / 2) + b * ground) / (a * Math.sqrt(2 * Math.PI * a));

/** Integral of the density over the cap, twice as finely until nothing changes. */
function capShare(angle: number, mean: Vector, covariance: Matrix, density: Density): number {
  const of = inverse(covariance);
  if (!of || !(length(mean) > 0)) return Number.NaN;
  let before = Number.NaN;
  for (let finer = 1; finer <= FINEST; finer *= 2) {
    const share = overCap(angle, mean, of.inverse, of.determinant, finer, density);
    if (Math.abs(share - before) < 1e-11) return share;
    before = share;
  }
  return before;
}
const FINEST = 16;

/** The cap that holds this share, at most up to this angle; NaN for a covariance that is none. */
function capOf(share: number, mean: Vector, covariance: Matrix, density: Density, most: number): number {
  const of = inverse(covariance);
  const size = length(mean);
  if (!of || !(size > 0)) return Number.NaN;
  const trace = covariance[0][0] + covariance[1][1] + covariance[2][2];
  const u = unit(mean);
  let angle = Math.atan((circle(share) * Math.sqrt((trace - dot(u, times(covariance, u))) / 2)) / size);
  for (let finer = 1; ; finer *= 2) {
    const inside = (at: number): number => overCap(at, mean, of.inverse, of.determinant, finer, density);
    angle = solved(inside, share, angle, most);
    if (finer >= FINEST || Math.abs(overCap(angle, mean, of.inverse, of.determinant, 2 * finer, density) - inside(angle)) < 1e-8)
      return angle;
  }
}

function overCap(angle: number, mean: Vector, c: Matrix, determinant: number, panels: number, density: Density): number {
  const around = 16 * panels;
  const axis = unit(mean);
  const size = length(mean);
  const [e1, e2] = across(axis);
  const cd = times(c, mean);
  const d = dot(mean, cd);
  const ground = Math.exp(-d / 2);
  // n'C^-1 n and n'C^-1 d in the plane of the axis and each side.
  const ca = times(c, axis);
  const [aa, da] = [dot(axis, ca), dot(cd, axis)];
  const sides = Array.from({ length: around }, (_, j) => {
    const [x, y] = [Math.cos((2 * Math.PI * j) / around), Math.sin((2 * Math.PI * j) / around)];
    const side: Vector = [x * e1[0] + y * e2[0], x * e1[1] + y * e2[1], x * e1[2] + y * e2[2]];
    return [2 * dot(side, ca), dot(side, times(c, side)), dot(cd, side)] as const;
  });
  let sum = 0;
  for (let p = 0; p < panels; p++) {
    for (let i = 0; i < NODES; i++) {
      const theta = (angle * (p + (1 + NODE[i]) / 2)) / panels;
      const [cos, sin] = [Math.cos(theta), Math.sin(theta)];
      let ring = 0;
      for (const [as, ss, ds] of sides) {
        const a = cos * cos * aa + cos * sin * as + sin * sin * ss;
        ring += density(a, (cos * da + sin * ds) / Math.sqrt(a), d, ground, cos * size * size);
      }
      sum += WEIGHT[i] * sin * ring;
    }
  }
  return (sum * angle) / (2 * around * panels * Math.sqrt(determinant));
}

/** The angle around the mean's direction that holds this share of the normal's directions; NaN for a covariance that is none. */
export function normalCone(mean: Vector, covariance: Matrix, share = ONE_SIGMA): number {
  return capOf(share, mean, covariance, normalDensity, Math.PI);
}

/**
 * The cone around a measured displacement d that holds the true direction with this chance, however weak the displacement is. What d has
 * across the true direction u is the error across it alone, whose distribution does not depend on the unknown true length (Fieller's
 * argument). Turned into a density of u that is |d| (d.u) exp((b^2 - D) / 2) / (2 pi sqrt(|C| A)), A, b and D as in `normalShare`; the cone
 * holds this share of it. For a round error: sin a = 1.515 sigma / |d|, and exact but for truths that lie opposite (chance below Phi(-r)); for
 * another it is so nearly, as long as no axis has a far larger error than the others and |d| is no shorter than twice its own error.
 * Where the half sphere does not hold that much no direction is shut out: pi. NaN without a length, or for a covariance that is none.
 */
export function heldCone(mean: Vector, covariance: Matrix, share = ONE_SIGMA): number {
  const angle = capOf(share, mean, covariance, heldDensity, Math.PI / 2);
  return angle < Math.PI / 2 ? angle : Number.isNaN(angle) ? angle : Math.PI;
}

const heldDensity: Density = (a, b, d, _ground, along) => (along * Math.exp((b * b - d) / 2)) / Math.sqrt(a);

/** Where a share that grows with its argument reaches this one, between 0 and `most`; from a guess, by regula falsi (Illinois). */
function solved(share: (at: number) => number, wanted: number, guess: number, most = Math.PI): number {
  let [low, high] = [0, Math.min(most, Number.isFinite(guess) && guess > 0 ? 1.02 * guess : 1)];
  let [below0, above0] = [-wanted, share(high) - wanted];
  while (above0 < 0) {
    if (high >= most) return most;
    [low, below0] = [high, above0];
    high = Math.min(most, 1.5 * high);
    above0 = share(high) - wanted;
  }
  if (Number.isNaN(above0)) return Number.NaN;
  const near = share(0.96 * high) - wanted;
  if (low < 0.96 * high) {
    if (near < 0) [low, below0] = [0.96 * high, near];
    else [high, above0] = [0.96 * high, near];
  }
  let side = 0;
  for (let i = 0; i < 100 && high - low > 1e-11 * high; i++) {
    const at = above0 === below0 ? (low + high) / 2 : (low * above0 - high * below0) / (above0 - below0);
    const off = share(at) - wanted;
    if (Math.abs(off) < 1e-13) return at;
    if (off < 0) {
      [low, below0] = [at, off];
      if (side === -1) above0 /= 2;
      side = -1;
    } else {
      [high, above0] = [at, off];
      if (side === 1) below0 /= 2;
      side = 1;
    }
  }
  return (low + high) / 2;
}

/** Nodes and weights on [-1, 1], by Newton's method on the Legendre polynomial (Abramowitz and Stegun 25.4.29). */
function gaussLegendre(n: number): readonly [Float64Array, Float64Array] {
  const [nodes, weights] = [new Float64Array(n), new Float64Array(n)];
  for (let i = 0; i < n; i++) {
    let x = Math.cos((Math.PI * (i + 0.75)) / (n + 0.5));
    let slope = 1;
    for (let step = 0; step < 20; step++) {
      let [p, before] = [1, 0];
      for (let k = 1; k <= n; k++) [p, before] = [((2 * k - 1) * x * p - (k - 1) * before) / k, p];
      slope = (n * (x * p - before)) / (x * x - 1);
      const by = p / slope;
      x -= by;
      if (Math.abs(by) < 1e-16) break;
    }
    nodes[i] = x;
    weights[i] = 2 / ((1 - x * x) * slope * slope);
  }
  return [nodes, weights];
}
