/**
 * Whether a Poisson rate has changed, from two counts: n in a time t, and n0 in a time t0 before. Given the sum of both, n is binomial with
 * probability t / (t + t0) whatever the rate is (Przyborowski and Wilenski 1940), so the answer is exact and needs no known rate.
 */

/** P(so many or more in t), where nothing has changed. Counts may be fractions (counts over a dispersion). */
export function chanceOfMore(n: number, t: number, n0: number, t0: number): number {
  return n <= 0 ? 1 : incompleteBeta(t / (t + t0), n, n0 + 1);
}

/** P(so many or fewer in t), where nothing has changed. */
export function chanceOfFewer(n: number, t: number, n0: number, t0: number): number {
  return n0 <= 0 ? 1 : incompleteBeta(t0 / (t + t0), n0, n + 1);
}

/** Regularised incomplete beta function I_x(a, b), a and b above 0 (Abramowitz and Stegun 26.5.8, by Lentz's method). Relative error 1e-10. */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (!(x > 0)) return 0;
  if (x >= 1) return 1;
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  return x < (a + 1) / (a + b + 2) ? (front * fraction(x, a, b)) / a : 1 - (front * fraction(1 - x, b, a)) / b;
}

const TINY = 1e-300;
const MOST = 20_000;
const away = (v: number): number => (Math.abs(v) < TINY ? TINY : v);

function fraction(x: number, a: number, b: number): number {
  let c = 1;
  let d = 1 / away(1 - ((a + b) * x) / (a + 1));
  let h = d;
  for (let m = 1; m < MOST; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away(1 + even * d);
    c = away(1 + even / c);
    h *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away(1 + odd * d);
    c = away(1 + odd / c);
    h *= d * c;
    if (Math.abs(d * c - 1) < 1e-14) break;
  }
  return h;
}

/** Lanczos's series, g = 7, 9 terms (Godfrey 2001): relative error 1e-15 for x above 0. */
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
  -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
] as const;

export function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  let sum: number = LANCZOS[0];
  for (let i = 1; i < LANCZOS.length; i++) sum += (LANCZOS[i] as number) / (x - 1 + i); // i < length
  const t = x + 6.5;
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}
