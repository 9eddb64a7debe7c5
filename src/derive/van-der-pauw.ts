/** Sheet resistance of a flat sample with four contacts on its rim (L. J. van der Pauw, Philips Research Reports 13, 1958, 1). */

export interface Sheet {
  /** Ohm per square. */
  readonly resistance: number;
  /** d resistance / d Ra and / d Rb. */
  readonly slopes: readonly [number, number];
  /** van der Pauw's f: 1 for equal resistances. */
  readonly factor: number;
}

/**
 * Solves exp(-pi Ra/Rs) + exp(-pi Rb/Rs) = 1 for two resistances above zero (Ohm): Newton's method on ln Rs, which converges for all of them.
 * Undefined for anything else.
 */
export function vanDerPauw(ra: number, rb: number): Sheet | undefined {
  if (!(ra > 0 && rb > 0 && Number.isFinite(ra) && Number.isFinite(rb))) return undefined;
  const mean = (ra + rb) / 2;
  let u = Math.log((Math.PI * mean) / Math.LN2); // exact for equal ones, above the root for others
  for (let i = 0; i < 200; i++) {
    const [ea, eb] = [Math.exp(-Math.PI * ra * Math.exp(-u)), Math.exp(-Math.PI * rb * Math.exp(-u))];
    const slope = Math.PI * Math.exp(-u) * (ra * ea + rb * eb);
    const step = (ea + eb - 1) / slope;
    u -= Math.max(-1, Math.min(1, step)); // far from the root the slope says little
    if (Math.abs(step) < 1e-15) break;
  }
  const rs = Math.exp(u);
  const [ea, eb] = [Math.exp((-Math.PI * ra) / rs), Math.exp((-Math.PI * rb) / rs)];
  const weight = ra * ea + rb * eb;
  return { resistance: rs, slopes: [(rs * ea) / weight, (rs * eb) / weight], factor: (rs * Math.LN2) / (Math.PI * mean) };
}
