/** Charge to energy by known places in spectra: a straight line with the uncertainty that all energies made with it share. */
import type { Sigma } from '../reading.ts';
import { leastSquares } from './piecewise.ts';

export interface KnownEnergy {
  /** MeV (or MeVee, as the places are). */
  readonly energy: number;
  /** MeV: what is not known of the energy itself (the model of an edge, quenching); 0 where it is left out. */
  readonly energySigma?: number;
  readonly charge: number;
  readonly chargeSigma: number;
}

export interface EnergyCalibration {
  /** energy = offset + slope charge */
  readonly offset: number;
  readonly slope: number;
  /** Charge at which the two uncertainties below are independent of one another. */
  readonly pivot: number;
  /** MeV, one sigma of the energy at the pivot. */
  readonly levelSigma: number;
  /** MeV per unit of charge. */
  readonly slopeSigma: number;
  readonly chi2: number;
  readonly dof: number;
  /** MeV, of each place: known less fitted. */
  readonly residuals: readonly number[];
}

export interface NoCalibration {
  readonly refused: string;
}

/**
 * Weighted least squares; errors of the charge enter through the slope. Where the places scatter by more than their bars, all bars are
 * widened by the root of chi squared per degree of freedom. `throughZero`: no charge is no energy, and one place is enough.
 */
export function calibrateEnergy(places: readonly KnownEnergy[], throughZero = false): EnergyCalibration | NoCalibration {
  const least = throughZero ? 1 : 2;
  if (places.length < least) return { refused: `${places.length} known energies: at least ${least} are needed` };
  for (const { energy, charge, chargeSigma, energySigma = 0 } of places) {
    if (!(Number.isFinite(energy) && Number.isFinite(charge))) return { refused: 'an energy or a charge is no number' };
    if (!(chargeSigma >= 0 && energySigma >= 0 && chargeSigma + energySigma > 0)) return { refused: `${energy} MeV has no error bar` };
  }
  const charges = Float64Array.from(places, (p) => p.charge);
  const energies = Float64Array.from(places, (p) => p.energy);
  let slope =
    (Math.max(...energies) - (throughZero ? 0 : Math.min(...energies))) / (Math.max(...charges) - (throughZero ? 0 : Math.min(...charges)));
  if (!(Number.isFinite(slope) && slope > 0)) return { refused: 'the charges of different energies are the same, or fall' };
  let result: EnergyCalibration | undefined;
  for (let round = 0; round < 20; round++) {
    const sigma = Float64Array.from(places, (p) => Math.hypot(p.energySigma ?? 0, slope * p.chargeSigma));
    const weight = sigma.map((s) => s ** -2);
    const all = weight.reduce((a, b) => a + b, 0);
    const pivot = throughZero ? 0 : charges.reduce((sum, c, i) => sum + (c * (weight[i] ?? 0)) / all, 0);
    const columns = [...(throughZero ? [] : [charges.map(() => 1)]), charges.map((c) => c - pivot)];
    const fit = leastSquares(columns, energies, sigma);
    if (fit.rank < columns.length) return { refused: 'the charges of different energies are the same' };
    const level = throughZero ? 0 : (fit.coefficients[0] ?? 0);
    const next = fit.coefficients[columns.length - 1] ?? 0;
    if (!(next > 0)) return { refused: 'the charge falls with the energy' };
    const dof = places.length - columns.length;
    const wider = dof > 0 ? Math.sqrt(Math.max(1, fit.chi2 / dof)) : 1;
    const at = (columns.length - 1) * (columns.length + 1);
    result = {
      offset: level - next * pivot,
      slope: next,
      pivot,
      levelSigma: throughZero ? 0 : wider * Math.sqrt(fit.covariance[0] ?? 0),
      slopeSigma: wider * Math.sqrt(fit.covariance[at] ?? 0),
      chi2: fit.chi2,
      dof,
      residuals: places.map((p) => p.energy - level - next * (p.charge - pivot)),
    };
    if (Math.abs(next - slope) < 1e-14 * Math.abs(next)) break;
    slope = next;
  }
  return result ?? { refused: 'no calibration' };
}

/** MeV of a charge: `random` by the charge's own bar, `shared` by the calibration's, which no averaging makes smaller. */
export function energyOf(c: EnergyCalibration, charge: number, chargeSigma = 0): { readonly value: number; readonly sigma: Sigma } {
  return {
    value: c.offset + c.slope * charge,
    sigma: {
      random: Math.abs(c.slope) * chargeSigma,
      shared: { 'energy level': c.levelSigma, 'energy slope': c.slopeSigma * (charge - c.pivot) },
    },
  };
}
