/**
 * The optical table around the cell: what stands in each path, and what of the light it lets through. Devices move the parts; whatever
 * sees light asks here. Positions are physics: a part between its two ends lets through a part of the light.
 */

/** The light collected from each side of the cell, the light for ruby and Raman, and the heating lasers' way to the sample. */
export type Beam = 'up' | 'down' | 'gauge' | 'laser';

/**
 * shutter: nothing passes while it is in. filter, iris: a part passes. mirror: while it is in, the beam sees what the mirror shows.
 * led, lamp: light sources, `in` is on.
 */
export const PART_KINDS = ['shutter', 'filter', 'iris', 'mirror', 'led', 'lamp'] as const;
export type PartKind = (typeof PART_KINDS)[number];

export interface PartGiven {
  readonly kind: PartKind;
  readonly beams: readonly Beam[];
  /** Filters and irises: what passes at 700 nm, 0 to 1. */
  readonly transmission?: number;
  /** Filters: change of ln(transmission) per 100 nm: no real filter is grey. */
  readonly slope?: number;
  /** Mirrors: what the beam sees while it is in. */
  readonly shows?: 'lamp' | 'dark' | 'neon';
}

export interface Part extends PartGiven {
  readonly name: string;
  /** 0 is out of the beam (off), 1 is in it (on). */
  in: number;
}

/** What the parts do to the light, as they stand. */
export interface OpticsState {
  /** What of the light passes on this beam, 0 to 1. `wavelength` in metre. */
  transmission(beam: Beam, wavelength: number): number;
  /** Parts of the beam that come from the sample and from the calibration lamp; what is missing to 1 is dark. */
  sees(beam: Beam): { readonly sample: number; readonly lamp: number };
  /** The part of the beam that comes from the neon lamp. */
  neon(beam: Beam): number;
  /** Light on the photodiode: 0 to 1 of full scale, of LEDs and lamps that are on. */
  photodiode(): number;
  /** How far on the brightest source of these kinds is, 0 to 1; undefined where none stands in the beam. */
  source(beam: Beam, ...kinds: readonly PartKind[]): number | undefined;
}

export interface Optics extends OpticsState {
  readonly parts: ReadonlyMap<string, Part>;
  /** The part of this name, made on its first use and out of the beam then. */
  part(name: string, given: PartGiven): Part;
  /** As the parts stand now, whatever moves afterwards: one and the same object as long as nothing has moved. */
  still(): OpticsState;
}

/** At 700 nm, in metre. */
const REFERENCE = 700e-9;

function stateOf(all: () => Iterable<Part>): OpticsState {
  const on = (beam: Beam): readonly Part[] => [...all()].filter((p) => p.beams.includes(beam));
  /** What one mirror shows, the next may hide. */
  const shown = (beam: Beam, what: 'lamp' | 'neon'): number =>
    on(beam).reduce((sum, p) => (p.kind === 'mirror' ? sum * (1 - p.in) + ((p.shows ?? 'lamp') === what ? p.in : 0) : sum), 0);
  return {
    transmission(beam, wavelength) {
      let passes = 1;
      for (const part of on(beam)) {
        if (part.kind === 'shutter') passes *= 1 - part.in;
        else if (part.kind === 'filter' || part.kind === 'iris') {
          const through = (part.transmission ?? 1) * Math.exp(((part.slope ?? 0) * (wavelength - REFERENCE)) / 100e-9);
          passes *= 1 - part.in + part.in * Math.min(1, through);
        }
      }
      return passes;
    },
    sees(beam) {
      const sample = on(beam).reduce((left, p) => (p.kind === 'mirror' ? left * (1 - p.in) : left), 1);
      return { sample, lamp: shown(beam, 'lamp') };
    },
    neon: (beam) => shown(beam, 'neon'),
    photodiode() {
      let light = 0;
      for (const part of all()) if (part.kind === 'led' || part.kind === 'lamp') light += 0.4 * part.in;
      return Math.min(1, light);
    },
    source(beam, ...kinds) {
      const found = on(beam).filter((p) => kinds.includes(p.kind));
      return found.length === 0 ? undefined : Math.max(...found.map((p) => p.in));
    },
  };
}

export function optics(): Optics {
  const parts = new Map<string, Part>();
  let copy: readonly Part[] = [];
  let last = stateOf(() => copy);
  return {
    ...stateOf(() => parts.values()),
    parts,
    part(name, given) {
      const known = parts.get(name);
      if (known) return known;
      const made: Part = { ...given, name, in: 0 };
      parts.set(name, made);
      return made;
    },
    still() {
      let moved = copy.length !== parts.size;
      let i = 0;
      if (!moved) for (const part of parts.values()) moved ||= part.in !== copy[i++]?.in;
      if (moved) {
        const now = Array.from(parts.values(), (p) => ({ ...p }));
        copy = now;
        last = stateOf(() => now);
      }
      return last;
    },
  };
}
