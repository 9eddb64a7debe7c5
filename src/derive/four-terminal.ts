/** From a resistance to a resistivity: the shape of the sample between its inner contacts, and how pressure changes it. SI throughout. */
import { carried, type Known } from './gauge.ts';

export interface Geometry {
  /** Between the inner contacts (m). */
  readonly length: Known;
  readonly width: Known;
  readonly thickness: Known;
  /** V / V0 of the sample under pressure, isotropic strain; 1 where absent. */
  readonly compression?: Known;
}

/**
 * rho = R W t / L in Ohm metre, of the lengths as they were before compression: each shrinks by (V/V0)^(1/3), so that the ratio of two
 * resistivities is (R/R0) (V/V0)^(1/3). Undefined where a length or the volume is not above zero.
 */
export function resistivity(resistance: Known, { length, width, thickness, compression = { value: 1 } }: Geometry): Known | undefined {
  if (![length, width, thickness, compression].every(({ value }) => value > 0)) return undefined;
  const shape = (width.value * thickness.value * Math.cbrt(compression.value)) / length.value;
  const value = resistance.value * shape;
  return {
    value,
    sigma: carried([
      [shape, resistance.sigma],
      [value / width.value, width.sigma],
      [value / thickness.value, thickness.sigma],
      [-value / length.value, length.sigma],
      [value / (3 * compression.value), compression.sigma],
    ]),
  };
}
