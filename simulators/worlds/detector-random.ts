/** Random numbers of one event: a stream that is a function of (seed, name, tick) alone, whoever draws from it and when. */
import { uniform } from '../../src/simulator.ts';

export type Vector = readonly [number, number, number];

/** Means below this are drawn by inversion, above it by the normal distribution with the skewness of Poisson's. */
const SMALL = 40;

export class Random {
  private a: number;
  private b: number;
  private c: number;
  private d = 1;

  constructor(seed: number, name: string, tick: number) {
    this.a = uniform(seed, name, tick) * 2 ** 32;
    this.b = uniform(seed ^ 0x5bd1e995, name, tick) * 2 ** 32;
    this.c = uniform(seed ^ 0x1b873593, name, tick) * 2 ** 32;
    for (let i = 0; i < 12; i++) this.next(); // as its author has it
  }

  /** Uniform in (0, 1): the generator sfc32 of C. Doty-Humphrey's PractRand (public domain). */
  next(): number {
    const out = (this.a + this.b + this.d++) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + out) | 0;
    return ((out >>> 0) + 0.5) / 4294967296;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  /** Standard normal. */
  gauss(): number {
    return Math.sqrt(-2 * Math.log(this.next())) * Math.cos(2 * Math.PI * this.next());
  }

  /** Of mean 1. */
  exponential(): number {
    return -Math.log(this.next());
  }

  poisson(mean: number): number {
    if (!(mean > 0)) return 0;
    if (mean >= SMALL) {
      const z = this.gauss();
      return Math.max(0, Math.round(mean + Math.sqrt(mean) * z + (z * z - 1) / 6));
    }
    const u = this.next();
    let p = Math.exp(-mean);
    let sum = p;
    let n = 0;
    while (u > sum && n < 1000) {
      n++;
      p *= mean / n;
      sum += p;
    }
    return n;
  }

  /** How many of n, each with the chance p. */
  binomial(n: number, p: number): number {
    if (!(p > 0)) return 0;
    if (p >= 1) return n;
    if (n * p * (1 - p) > SMALL) {
      return Math.min(n, Math.max(0, Math.round(n * p + Math.sqrt(n * p * (1 - p)) * this.gauss())));
    }
    let hits = 0;
    for (let i = 0; i < n; i++) if (this.next() < p) hits++;
    return hits;
  }

  /** A unit vector, all directions alike. */
  direction(): Vector {
    return this.around([0, 0, 1], this.between(-1, 1));
  }

  /** A unit vector at this cosine to `axis` (a unit vector), at any azimuth. */
  around(axis: Vector, cosine: number): Vector {
    const phi = 2 * Math.PI * this.next();
    return turned(axis, cosine, phi);
  }

  /** A point in a box of these sides about the origin. */
  inside(box: Vector): Vector {
    return [this.between(-0.5, 0.5) * box[0], this.between(-0.5, 0.5) * box[1], this.between(-0.5, 0.5) * box[2]];
  }

  /** This point, blurred by `sigma` on each axis. */
  blurred([x, y, z]: Vector, sigma: number): Vector {
    return [x + sigma * this.gauss(), y + sigma * this.gauss(), z + sigma * this.gauss()];
  }
}

/** The unit vector at this cosine to `axis` and at this azimuth about it; azimuth phi + pi is its mirror image. */
export function turned(axis: Vector, cosine: number, phi: number): Vector {
  const [x, y, z] = axis;
  // Two unit vectors at right angles to the axis: Duff et al., J. Comp. Graphics Techniques 6 (2017) 1.
  const sign = z >= 0 ? 1 : -1;
  const a = -1 / (sign + z);
  const b = x * y * a;
  const sine = Math.sqrt(Math.max(0, 1 - cosine * cosine));
  const [u, v] = [sine * Math.cos(phi), sine * Math.sin(phi)];
  return [
    cosine * x + u * (1 + sign * x * x * a) + v * b,
    cosine * y + u * sign * b + v * (sign + y * y * a),
    cosine * z - u * sign * x - v * y,
  ];
}

export const moved = ([x, y, z]: Vector, [dx, dy, dz]: Vector, by: number): Vector => [x + by * dx, y + by * dy, z + by * dz];

export const within = ([x, y, z]: Vector, box: Vector): boolean =>
  Math.abs(x) <= box[0] / 2 && Math.abs(y) <= box[1] / 2 && Math.abs(z) <= box[2] / 2;
