/** Thermal conductivity from resistivity by the law of Wiedemann and Franz, k = L T / rho, with everything that is uncertain in it. */
import { carried, type Known } from './gauge.ts';

export interface Lorenz {
  readonly name: string;
  /** W Ohm / K^2. */
  readonly value: number;
  /** One sigma. */
  readonly sigma: number;
  readonly source: string;
}

const ZHANG = 'Zhang et al., Phys. Rev. Lett. 125 (2020) 078501';

/** The published ones, that of free electrons first; any other is given as a number. */
export const LORENZ: readonly Lorenz[] = [
  {
    name: 'sommerfeld',
    // (pi^2 / 3) (k / e)^2 with the exact constants of the SI
    value: (Math.PI ** 2 / 3) * (1.380649e-23 / 1.602176634e-19) ** 2,
    sigma: 0,
    source: 'free electrons, Sommerfeld: (pi^2/3)(k/e)^2',
  },
  {
    name: 'ohta2016',
    value: 2.44e-8,
    sigma: 0,
    source: 'iron at 136 GPa and 3750 K, the number of free electrons as it was used there: Ohta et al., Nature 534 (2016) 95',
  },
  { name: 'zhang2020', value: 2.05e-8, sigma: 0.05e-8, source: `iron at the conditions of the core, 2.0 to 2.1e-8: ${ZHANG}` },
  {
    name: 'zhang2020-low',
    value: 2.0e-8,
    sigma: 0,
    source: `iron at the conditions of the core, the lower end of 2.0 to 2.1e-8: ${ZHANG}`,
  },
  {
    name: 'zhang2020-high',
    value: 2.1e-8,
    sigma: 0,
    source: `iron at the conditions of the core, the upper end of 2.0 to 2.1e-8: ${ZHANG}`,
  },
];

/** One of the published ones, by its name. */
export const lorenzNamed = (name: string): Lorenz | undefined => LORENZ.find((one) => one.name === name.toLowerCase().trim());

/** A Lorenz number as the chain takes it: its uncertainty is shared by all that is made with it. */
export const lorenzOf = ({ value, sigma }: { readonly value: number; readonly sigma: number }): Known => ({
  value,
  ...(sigma > 0 ? { sigma: { random: 0, shared: { lorenz: sigma } } } : {}),
});

/** W/m/K, of a Lorenz number (W Ohm/K^2), a temperature (K) and a resistivity (Ohm m); undefined where the two are not above zero. */
export function wiedemannFranz(lorenz: Known, temperature: Known, resistivity: Known): Known | undefined {
  if (!(temperature.value > 0 && resistivity.value > 0)) return undefined;
  const value = (lorenz.value * temperature.value) / resistivity.value;
  const sigma = carried([
    [value / lorenz.value, lorenz.sigma],
    [value / temperature.value, temperature.sigma],
    [-value / resistivity.value, resistivity.sigma],
  ]);
  return { value, sigma };
}
