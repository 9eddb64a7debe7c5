/** Sums of displacements and of their squares, so exact that it does not matter in what order or in how many parts they were summed. */
import type { Matrix, Vector } from './direction-cone.ts';

/** Numbers only, so that it can be written as JSON, kept, and joined later. Each sum is two numbers, the second what the first cannot hold. */
export interface Displacements {
  n: number;
  /** x, y, z. */
  readonly sum: number[];
  /** xx, xy, xz, yy, yz, zz. */
  readonly squares: number[];
  /** Of the unit vectors; a displacement of no length has none. */
  readonly units: number[];
  /** Displacements that were no numbers: they are in no sum. */
  unusable: number;
}

export const displacements = (): Displacements => ({
  n: 0,
  sum: new Array<number>(6).fill(0),
  squares: new Array<number>(12).fill(0),
  units: new Array<number>(6).fill(0),
  unusable: 0,
});

/** Adds a + b (b small against a's last digit or not) to the pair of numbers at place i (Knuth's two-sum). */
function add(to: number[], i: number, a: number, b: number): void {
  const [high, low] = [to[2 * i], to[2 * i + 1]];
  const sum = high + a;
  const back = sum - high;
  const rest = high - (sum - back) + (a - back) + low + b;
  const top = sum + rest;
  to[2 * i] = top;
  to[2 * i + 1] = rest - (top - sum);
}

/** Adds a times b with all its digits (Dekker's product). */
function addProduct(to: number[], i: number, a: number, b: number): void {
  const product = a * b;
  const [sa, sb] = [134217729 * a, 134217729 * b]; // 2^27 + 1
  const [ah, bh] = [sa - (sa - a), sb - (sb - b)];
  const [al, bl] = [a - ah, b - bh];
  add(to, i, product, al * bl - (product - ah * bh - al * bh - ah * bl));
}

/** One more pair: delayed less prompt. */
export function addDisplacement(to: Displacements, x: number, y: number, z: number): void {
  const size = Math.hypot(x, y, z);
  if (!(size < 1e100)) {
    to.unusable++;
    return;
  }
  to.n++;
  add(to.sum, 0, x, 0);
  add(to.sum, 1, y, 0);
  add(to.sum, 2, z, 0);
  addProduct(to.squares, 0, x, x);
  addProduct(to.squares, 1, x, y);
  addProduct(to.squares, 2, x, z);
  addProduct(to.squares, 3, y, y);
  addProduct(to.squares, 4, y, z);
  addProduct(to.squares, 5, z, z);
  if (!(size > 0)) return;
  add(to.units, 0, x / size, 0);
  add(to.units, 1, y / size, 0);
  add(to.units, 2, z / size, 0);
}

/** Both as one. */
export function joinedDisplacements(a: Displacements, b: Displacements): Displacements {
  const all: Displacements = {
    n: a.n + b.n,
    sum: [...a.sum],
    squares: [...a.squares],
    units: [...a.units],
    unusable: a.unusable + b.unusable,
  };
  for (const name of ['sum', 'squares', 'units'] as const)
    for (let i = 0; 2 * i < b[name].length; i++) add(all[name], i, b[name][2 * i], b[name][2 * i + 1]);
  return all;
}

export const total = ({ sum }: Displacements): Vector => [sum[0] + sum[1], sum[2] + sum[3], sum[4] + sum[5]];
export const totalUnits = ({ units }: Displacements): Vector => [units[0] + units[1], units[2] + units[3], units[4] + units[5]];

const PLACE = [
  [0, 1, 2],
  [1, 3, 4],
  [2, 4, 5],
] as const;

/** Sum of (x - m)(x - m)' over all displacements. */
export function about(of: Displacements, m: Vector): Matrix {
  const cell = (i: 0 | 1 | 2, j: 0 | 1 | 2): number => {
    const at = 2 * PLACE[i][j];
    const sum = [of.squares[at], of.squares[at + 1]];
    for (const [a, b] of [
      [i, j],
      [j, i],
    ] as const) {
      addProduct(sum, 0, -m[a], of.sum[2 * b]);
      addProduct(sum, 0, -m[a], of.sum[2 * b + 1]);
    }
    // n m m, with the digits that m m alone would lose.
    const mm = [0, 0];
    addProduct(mm, 0, m[i], m[j]);
    addProduct(sum, 0, of.n, mm[0]);
    addProduct(sum, 0, of.n, mm[1]);
    return sum[0] + sum[1];
  };
  return [
    [cell(0, 0), cell(0, 1), cell(0, 2)],
    [cell(1, 0), cell(1, 1), cell(1, 2)],
    [cell(2, 0), cell(2, 1), cell(2, 2)],
  ];
}
