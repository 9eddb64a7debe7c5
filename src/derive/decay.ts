/** exp(-y) for many pixels at once: short enough for the compiler to put into the loops that need it, which Math.exp is not. */

const STEPS = 32;
const LAST = 1074; // 2^-1074 is the smallest number
/** 2^(-j/32) and 2^-m. */
const PART = Float64Array.from({ length: STEPS }, (_, j) => 2 ** (-j / STEPS));
const WHOLE = Float64Array.from({ length: LAST + 2 }, (_, m) => 2 ** -m);
/** ln 2 / 32 in two parts: the first has its last 21 bits zero, so that its product with a step count is exact. */
const LN2_HIGH = 0.6931471803691238 / STEPS;
const LN2_LOW = 1.9082149292705877e-10 / STEPS;

/** exp(-y) within 2e-15 of its value for y from 0 to 700; 0 beyond, NaN for NaN. y must not be negative. */
export function decay(y: number): number {
  if (!(y < 700)) return y >= 700 ? 0 : Number.NaN;
  const n = (y * (STEPS / Math.LN2) + 0.5) | 0;
  const r = n * LN2_HIGH - y + n * LN2_LOW;
  // |r| < 0.0109: the terms of the series beyond r^6 are below 1e-18.
  const r2 = r * r;
  const series = 1 + r + r2 * (0.5 + r * (1 / 6) + r2 * (1 / 24 + r * (1 / 120) + r2 * (1 / 720)));
  return (PART[n & 31] as number) * (WHOLE[n >> 5] as number) * series; // both inside their tables
}
