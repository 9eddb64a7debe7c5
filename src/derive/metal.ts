/** Resistivity of a metal against temperature, and what goes with it. SI throughout. */

/** Nodes and weights of Gauss and Legendre's rule of 16 points on -1 to 1 (half of them; they are symmetric). */
const HALF = legendre(16);

/** Newton's method on the Legendre polynomial of this order, from the classical first guess. */
function legendre(order: number): readonly (readonly [node: number, weight: number])[] {
  return Array.from({ length: order / 2 }, (_, i) => {
    let x = Math.cos((Math.PI * (i + 0.75)) / (order + 0.5));
    let slope = 1;
    for (let pass = 0; pass < 20; pass++) {
      let [p, before] = [1, 0];
      for (let k = 1; k <= order; k++) [p, before] = [((2 * k - 1) * x * p - (k - 1) * before) / k, p];
      slope = (order * (x * p - before)) / (x * x - 1);
      x -= p / slope;
    }
    return [x, 2 / ((1 - x * x) * slope * slope)] as const;
  });
}

/** Beyond this the rest of the integral is below 1e-20 of it. */
const FAR = 90;

/** J_n(z): the integral of x^n / ((e^x - 1)(1 - e^-x)) from 0 to z, for n from 2 and z from 0. */
export function blochGrueneisenIntegral(n: number, z: number): number {
  const end = Math.min(z, FAR);
  const panels = Math.max(1, Math.ceil(end));
  const half = end / panels / 2;
  let sum = 0;
  for (let p = 0; p < panels; p++) {
    const centre = (2 * p + 1) * half;
    for (const [node, weight] of HALF) {
      for (const x of [centre - half * node, centre + half * node]) sum += (half * weight * x ** n) / (4 * Math.sinh(x / 2) ** 2);
    }
  }
  return sum;
}

export interface BlochGrueneisen {
  /** Ohm metre, at 0 K. */
  readonly residual: number;
  /** Ohm metre: the factor before the integral. */
  readonly c: number;
  /** Debye temperature (K). */
  readonly theta: number;
  /** 5 for electrons on phonons in a simple metal; 3 and 2 for others. */
  readonly n?: number;
  /** Ohm metre at which resistivity saturates, as a resistor parallel to the ideal one; none where absent. */
  readonly saturation?: number;
}

/** rho0 + C (T/Theta)^n J_n(Theta/T), in Ohm metre; with a saturation 1/rho = 1/that + 1/saturation. T above 0 K. */
export function blochGrueneisen(metal: BlochGrueneisen, t: number): number {
  const { residual, c, theta, n = 5, saturation } = metal;
  const ideal = residual + c * (t / theta) ** n * blochGrueneisenIntegral(n, theta / t);
  return saturation === undefined ? ideal : parallel(ideal, saturation);
}

/** The parallel-resistor model of saturation. */
export const parallel = (ideal: number, saturation: number): number => 1 / (1 / ideal + 1 / saturation);

const BOLTZMANN = 1.380649e-23; // J/K, exact
/** Johnson noise (V rms) of a resistance (Ohm) at a temperature (K) in a bandwidth (Hz). */
export const johnson = (resistance: number, temperature: number, bandwidth: number): number =>
  Math.sqrt(4 * BOLTZMANN * temperature * resistance * bandwidth);
