/**
 * The first-order Raman band of the anvil's culet: from the unloaded diamond to an edge that the stress at the culet sets. Wavenumbers in
 * 1/m, pressure in pascal.
 */

/** Akahama and Kawamura, J. Appl. Phys. 100 (2006) 043516: P = K0 x (1 + (K0' - 1) x / 2), x = v/v0 - 1. */
const K0 = 547e9;
const K0_PRIME = 3.75;
/** Of the unloaded anvil. */
export const UNLOADED = 133_400;

/** The edge at this pressure. */
export function diamondEdge(pressure: number): number {
  const c = K0_PRIME - 1;
  return UNLOADED * (1 + (Math.sqrt(1 + (2 * c * pressure) / K0) - 1) / c);
}

/** Where the band begins to rise; how steep its ends are (one sigma of their slopes). */
const RISE = 131_500;
const STEEP = 400;

/** The band's height at a Raman shift, 0 to 1, without slope near its edge, so that the steepest fall is the edge itself. */
export const band = (shift: number, edge: number): number => normal((shift - RISE) / STEEP) * normal((edge - shift) / STEEP);

/** The normal distribution function, to 1e-7: Abramowitz and Stegun 26.2.17. */
export function normal(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const b = [0.31938153, -0.356563782, 1.781477937, -1.821255978, 1.330274429];
  const tail = (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * b.reduceRight((sum, k) => (sum + k) * t, 0);
  return z > 0 ? 1 - tail : tail;
}
