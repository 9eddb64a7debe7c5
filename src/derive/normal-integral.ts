/** Error functions by W. J. Cody's rational approximations (Math. Comp. 23, 631, 1969): relative error below 1e-15. */

const A = [3.1611237438705655, 113.86415415105016, 377.485237685302, 3209.3775891384694, 0.18577770618460315] as const;
const B = [23.601290952344122, 244.02463793444417, 1282.6165260773723, 2844.236833439171] as const;
const C = [
  0.5641884969886701, 8.883149794388377, 66.11919063714163, 298.6351381974001, 881.952221241769, 1712.0476126340707, 2051.0783778260716,
  1230.3393547979972, 2.1531153547440383e-8,
] as const;
const D = [
  15.744926110709835, 117.6939508913125, 537.1811018620099, 1621.3895745666903, 3290.7992357334597, 4362.619090143247, 3439.3676741437216,
  1230.3393548037495,
] as const;
const P = [
  0.30532663496123236, 0.36034489994980445, 0.12578172611122926, 0.016083785148742275, 0.0006587491615298378, 0.016315387137302097,
] as const;
const Q = [2.568520192289822, 1.8729528499234673, 0.5279051029514285, 0.06051834131244132, 0.0023352049762686918] as const;

/** 1 - erf(x). */
export function erfc(x: number): number {
  const y = Math.abs(x);
  if (y <= 0.46875) return 1 - erfSmall(x);
  const tail = y <= 4 ? middle(y) : y > 26.6 ? 0 : far(y);
  return x < 0 ? 2 - tail : tail;
}

export function erf(x: number): number {
  return Math.abs(x) <= 0.46875 ? erfSmall(x) : x > 0 ? 1 - erfc(x) : erfc(-x) - 1;
}

/** Part of a normal distribution below x standard deviations. */
export const below = (x: number): number => 0.5 * erfc(-x / Math.SQRT2);

function erfSmall(x: number): number {
  const z = x * x;
  let top = A[4] * z;
  let bottom = z;
  for (let i = 0; i < 3; i++) {
    top = (top + (A[i] as number)) * z; // i < 3 of 5 and 4
    bottom = (bottom + (B[i] as number)) * z;
  }
  return (x * (top + A[3])) / (bottom + B[3]);
}

function middle(y: number): number {
  let top = C[8] * y;
  let bottom = y;
  for (let i = 0; i < 7; i++) {
    top = (top + (C[i] as number)) * y; // i < 7 of 9 and 8
    bottom = (bottom + (D[i] as number)) * y;
  }
  return (gauss(y) * (top + C[7])) / (bottom + D[7]);
}

function far(y: number): number {
  const z = 1 / (y * y);
  let top = P[5] * z;
  let bottom = z;
  for (let i = 0; i < 4; i++) {
    top = (top + (P[i] as number)) * z; // i < 4 of 6 and 5
    bottom = (bottom + (Q[i] as number)) * z;
  }
  const rest = (z * (top + P[4])) / (bottom + Q[4]);
  return (gauss(y) * (1 / Math.sqrt(Math.PI) - rest)) / y;
}

/** exp(-y^2) without the loss of digits that squaring brings. */
function gauss(y: number): number {
  const near = Math.trunc(y * 16) / 16;
  return Math.exp(-near * near) * Math.exp(-(y - near) * (y + near));
}
