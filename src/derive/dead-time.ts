/** Dead time and counting: rates in 1/s, dead times in s. */

/** What a counter that is dead for `tau` after each counted event gives of a true rate: n / (1 + n tau). */
export const nonParalyzable = (rate: number, tau: number): number => rate / (1 + rate * tau);

/** The true rate: m / (1 - m tau). Undefined from m tau = 1 on, which no such counter can give. */
export const nonParalyzableTrue = (measured: number, tau: number): number | undefined =>
  measured * tau < 1 ? measured / (1 - measured * tau) : undefined;

/** What a counter gives whose dead time each event, counted or not, begins anew: n exp(-n tau). */
export const paralyzable = (rate: number, tau: number): number => rate * Math.exp(-rate * tau);

/**
 * The lower of the two true rates that give this one: n tau = x with x exp(-x) = m tau, x below 1. Undefined above exp(-1) / tau, which no
 * such counter can give. That the rate is the lower one must be known from elsewhere.
 */
export function paralyzableTrue(measured: number, tau: number): number | undefined {
  const wanted = measured * tau;
  if (!(wanted >= 0 && wanted <= Math.exp(-1))) return undefined;
  if (wanted === 0) return measured;
  // ln(x) - x rises steadily below 1; halved where a step would leave the interval.
  let [low, high] = [wanted, Math.min(1, wanted * Math.E)];
  let x = low;
  for (let i = 0; i < 200; i++) {
    const off = x * Math.exp(-x) - wanted;
    if (off > 0) high = x;
    else low = x;
    const next = x - off / (Math.exp(-x) * (1 - x));
    const taken = next > low && next < high ? next : (low + high) / 2;
    if (Math.abs(taken - x) <= 1e-16 * x) break;
    x = taken;
  }
  return x / tau;
}

export interface Net {
  readonly value: number;
  readonly sigma: number;
}
/** Counts less those of a background measured k times as long (or in k windows): N_on - N_off / k, with sqrt(N_on + N_off / k^2). */
export const net = (on: number, off: number, k: number): Net => ({ value: on - off / k, sigma: Math.sqrt(on + off / (k * k)) });
