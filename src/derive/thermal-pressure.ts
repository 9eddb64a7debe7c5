/** Thermal pressure of a heated sample whose pressure was measured on a cold gauge: a correction beside the cold value, never in its place. */
import type { Sigma } from '../reading.ts';
import { carried, type Known } from './gauge.ts';

export interface ThermalMedium {
  /** Thermal expansion times bulk modulus (Pa/K). */
  readonly alphaK: number;
  /** How much of the sample's rise in temperature the medium takes on average: T_med = w T + (1 - w) 300. */
  readonly weight: number;
}

/** KCl: 2.24 MPa/K, and (3 T + 300)/4 for its mean temperature; both unverified, so both are parameters with these defaults. */
export const KCL: ThermalMedium = { alphaK: 2.24e6, weight: 0.75 };
const COLD = 300;

export interface ThermalPressure {
  /** Pascal, all three. */
  readonly cold: number;
  readonly thermal: number;
  readonly pressure: number;
  readonly coldSigma?: Sigma;
  readonly thermalSigma: Sigma;
  readonly sigma: Sigma;
  /** Kelvin. */
  readonly medium: number;
}

/**
 * P(T) = P_300 + f aK (T_med - 300); f from 0 (isobaric) to 1 (isochoric). How much of it there really is only X-ray diffraction tells: half
 * of the correction is the shared term `thermal_pressure`.
 */
export function thermalPressure(cold: Known, temperature: Known, f = 1, { alphaK, weight }: ThermalMedium = KCL): ThermalPressure {
  const perKelvin = f * alphaK * weight;
  const thermal = perKelvin * (temperature.value - COLD);
  const thermalSigma = carried([
    [perKelvin, temperature.sigma],
    [thermal / 2, { random: 0, shared: { thermal_pressure: 1 } }],
  ]);
  return {
    cold: cold.value,
    thermal,
    pressure: cold.value + thermal,
    ...(cold.sigma ? { coldSigma: cold.sigma } : {}),
    thermalSigma,
    sigma: carried([
      [1, cold.sigma],
      [1, thermalSigma],
    ]),
    medium: weight * temperature.value + (1 - weight) * COLD,
  };
}
