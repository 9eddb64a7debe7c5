/** Antineutrinos of the Earth's uranium and thorium: from masses or heat to luminosity and what a detector can expect. SI; flux in 1/(cm^2 s). */
import { PROTONS_PER_KG } from './ibd.ts';

/** W/kg: McDonough, Sramek and Wipperfurth 2019. */
export const HEAT = { uranium: 98.29e-6, thorium: 26.18e-6 } as const;
/** Antineutrinos per kg and second: Fiorentini et al. 2010, as quoted by Tanaka and Watanabe 2014. */
export const LUMINOSITY = { uranium: 7.46e7, thorium: 1.62e7 } as const;
/** Ends of the spectra in MeV: those of potassium lie below the threshold of inverse beta decay. */
export const ENDPOINT = { uranium: 3.27, thorium: 2.25 } as const;
/** Thorium to uranium by mass. */
export const RATIO = 3.9;
/** m: the Earth's mean radius. */
const RADIUS = 6.371e6;

export interface Masses {
  /** kg. */
  readonly uranium: number;
  readonly thorium: number;
}

/** Masses that give this heat (W) at this ratio by mass of thorium to uranium. */
export function massesOf(heat: number, ratio = RATIO): Masses {
  const uranium = heat / (HEAT.uranium + HEAT.thorium * ratio);
  return { uranium, thorium: uranium * ratio };
}

export interface Geoneutrinos {
  /** W. */
  readonly heat: { readonly uranium: number; readonly thorium: number; readonly both: number };
  /** Antineutrinos per second. */
  readonly luminosity: { readonly uranium: number; readonly thorium: number; readonly both: number };
  /** 1/(cm^2 s), not oscillated, all of it in the Earth's centre: an order of magnitude, since the crust underfoot is nearer. */
  readonly flux: { readonly uranium: number; readonly thorium: number };
}

export function geoneutrinos({ uranium, thorium }: Masses): Geoneutrinos {
  const heat = { uranium: uranium * HEAT.uranium, thorium: thorium * HEAT.thorium };
  const light = { uranium: uranium * LUMINOSITY.uranium, thorium: thorium * LUMINOSITY.thorium };
  const sphere = 4 * Math.PI * (100 * RADIUS) ** 2;
  return {
    heat: { ...heat, both: heat.uranium + heat.thorium },
    luminosity: { ...light, both: light.uranium + light.thorium },
    flux: { uranium: light.uranium / sphere, thorium: light.thorium / sphere },
  };
}

/** What a flux of 1e6 1/(cm^2 s) at the detector gives in TNU, and the mean survival of electron antineutrinos. From memory, not read in a paper. */
export const FOLDED = { uranium: 12.8, thorium: 4.04, survival: 0.55 } as const;

/** TNU from a flux before oscillation. */
export const signalOf = (flux: Geoneutrinos['flux']): number =>
  (FOLDED.survival * (flux.uranium * FOLDED.uranium + flux.thorium * FOLDED.thorium)) / 1e6;

/** Events per year of a signal in TNU (events per 1e32 free protons and year) in so many kg, each one counted. */
export const eventsPerYear = (signal: number, mass: number, protonsPerKg = PROTONS_PER_KG): number => (signal * mass * protonsPerKg) / 1e32;
