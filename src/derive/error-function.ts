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
