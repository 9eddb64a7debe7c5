/** The normal distribution's tails, good to about 1e-13 relative also far out. */

/** 1 - erf(x). Series of positive terms below 2 (Abramowitz and Stegun 7.1.6), continued fraction above (7.1.14, by Lentz). */
export function erfc(x: number): number {
  if (Number.isNaN(x)) return Number.NaN;
  if (x < 0) return 2 - erfc(-x);
  if (x > 27.3) return 0;
  const scale = Math.exp(-x * x) / Math.sqrt(Math.PI);
  if (x < 2) {
    let term = x;
    let sum = x;
    for (let n = 1; term > 1e-17 * sum; n++) {
      term *= (2 * x * x) / (2 * n + 1);
      sum += term;
    }
    return 1 - 2 * scale * sum;
  }
  let c = x;
  let d = 0;
  let value = x;
  for (let n = 1; n < 500; n++) {
    d = 1 / (x + (n / 2) * d);
    c = x + n / 2 / c;
    const step = c * d;
    value *= step;
    if (Math.abs(step - 1) < 1e-16) break;
  }
  return scale / value;
}

/** Share of a normal distribution below x standard deviations. */
export const below = (x: number): number => erfc(-x / Math.SQRT2) / 2;

/** Chance of a chi-square above this, for 1, 2 or 3 degrees of freedom. */
export function chanceAbove(chi2: number, dof: 1 | 2 | 3): number {
  if (!(chi2 > 0)) return Number.isNaN(chi2) ? Number.NaN : 1;
  if (dof === 2) return Math.exp(-chi2 / 2);
  const tail = erfc(Math.sqrt(chi2 / 2));
  return dof === 1 ? tail : tail + Math.sqrt((2 * chi2) / Math.PI) * Math.exp(-chi2 / 2);
}

/** Chance that a normal number is more than three standard deviations off, on either side: where a claim begins. */
export const THREE_SIGMA = erfc(3 / Math.SQRT2);
/** Share within one standard deviation: what "68 %" means here. */
export const ONE_SIGMA = 1 - erfc(1 / Math.SQRT2);

/**
 * Chance of d'C^-1 d above this when C is itself estimated from n displacements in three dimensions (Hotelling): F with 3 and n - 3 degrees of
 * freedom. For many it is that of chi-square; for few it is much larger. NaN up to three displacements; n need not be whole.
 */
export function chanceAboveHotelling(chi2: number, n: number): number {
  const rest = n - 3;
  if (!(rest > 0) || Number.isNaN(chi2)) return Number.NaN;
  if (!(chi2 > 0)) return 1;
  return incompleteBeta(1 / (1 + chi2 / (n - 1)), rest / 2, 1.5);
}

/** I_x(a, b) by its continued fraction (Abramowitz and Stegun 26.5.8, by Lentz), with the symmetry that makes it converge. */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(a * Math.log(x) + b * Math.log1p(-x) + logGamma(a + b) - logGamma(a) - logGamma(b)) / a;
  let [c, d, value] = [1, 1 / (1 - ((a + b) * x) / (a + 1)), 1];
  value = d;
  for (let m = 1; m < 10_000; m++) {
    for (const term of [
      (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)),
      (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)),
    ]) {
      d = 1 / (1 + term * d);
      c = 1 + term / c;
      value *= c * d;
    }
    if (Math.abs(c * d - 1) < 1e-15) break;
  }
  return front * value;
}

/** Stirling's series after shifting the argument above 10 (Abramowitz and Stegun 6.1.41). */
function logGamma(x: number): number {
  let shift = 0;
  let z = x;
  for (; z < 10; z++) shift += Math.log(z);
  const y = 1 / (z * z);
  return (z - 0.5) * Math.log(z) - z + Math.log(2 * Math.PI) / 2 + (1 / 12 - y * (1 / 360 - y * (1 / 1260 - y / 1680))) / z - shift;
}
