/**
 * Four contacts on a bar of iron in the diamond-anvil cell: resistance against pressure and temperature of the same sample that the lasers
 * and heaters heat, thermoelectric EMF, self-heating by the measuring current, and the capacitance of the leads. SI throughout.
 */
import { gauss } from '../../src/simulator.ts';

/** What a source drives: a direct current (A) or a sine (A rms, Hz). */
export interface Driven {
  readonly dc?: number;
  readonly ac?: { readonly rms: number; readonly frequency: number };
}

/** Four contacts on the sample. Sources drive it, meters read it. SI; t in seconds of the world. */
export interface Probe {
  /** What a source drives now, by the source's name; undefined switches it off. It heats the sample from the world's next tick on. */
  drive(name: string, with_: Driven | undefined): void;
  /** What drives it now, by the sources' names: a lock-in locks to one, and hears them all. */
  readonly driven: ReadonlyMap<string, Driven>;
  /** A: the direct currents of all sources together, as they are driven now. */
  direct(): number;
  /** Ohm between the inner contacts at this moment, and of the whole current path (leads and contacts, for compliance); Infinity where it is open. */
  resistance(): number;
  path(): number;
  /** Thermoelectric EMF at the voltage contacts at time t (V): offset, drift, slow wander, and what a hot sample adds. */
  emf(t: number): number;
  /**
   * V at the voltage contacts for a direct current (A) at time t: R I + EMF, no instrument noise. Undefined where a voltage contact is
   * open or nothing is connected; where a current contact is open no current flows and the EMF alone is left.
   */
  volts(current: number, t: number): number | undefined;
  /** rms in phase and out of phase (V) at a harmonic of a sine current: lead capacitance turns the phase, self-heating makes the third. */
  phasor(rms: number, frequency: number, harmonic: number): { readonly x: number; readonly y: number };
  /** Johnson noise density (V/sqrt Hz) of what the meter sees: sample, voltage contacts and leads. */
  noise(): number;
  /** van der Pauw: resistance for the contact arrangement 'a' or 'b' that a scanner has closed. */
  arrangement: 'four-terminal' | 'a' | 'b' | 'open';
  /** Faults for tests: a current or voltage contact open, current leads swapped. */
  faults: { open?: 'current' | 'voltage'; swapped?: boolean };
  /** A step in the resistivity when the sample is hotter than this (K); none where absent. */
  transition: Transition | undefined;
  /** Ohm metre at this moment. */
  resistivity(): number;
  /** K above the sample's temperature, from the measuring currents. */
  rise(): number;
}

export interface Transition {
  /** K. */
  readonly temperature: number;
  /** Resistivity above it over the resistivity below it. */
  readonly factor: number;
}

/** The bar before compression (m): length between the inner contacts, width, thickness. */
export const SHAPE = { length: 20e-6, width: 10e-6, thickness: 2.5e-6 } as const;

// Compression of hcp iron by Murnaghan's equation; K0 and K0' of Dewaele et al., Phys. Rev. Lett. 97 (2006) 215504.
const K0 = 163.4e9;
const K0_SLOPE = 5.38;
/** V / V0 at a pressure in Pa. */
export const compression = (pressure: number): number => (1 + (K0_SLOPE * pressure) / K0) ** (-1 / K0_SLOPE);

const RESIDUAL = 1e-8; // Ohm m
const C = 5.8e-7; // Ohm m: about 1e-7 at room temperature, as iron has
const THETA = 420; // K
const GRUENEISEN = 1.7;
/** Ohm m; goes with (V/V0)^(1/3). */
const SATURATION = 168e-8;

/** J_5(z), by Simpson's rule; beyond 60 the integrand is nothing. */
function fifth(z: number): number {
  const end = Math.min(z, 60);
  const n = end > 15 ? 512 : 128;
  const h = end / n;
  const f = (x: number): number => {
    const s = Math.sinh(x / 2);
    return x ** 5 / (4 * s * s);
  };
  let sum = f(end); // nothing at 0
  for (let i = 1; i < n; i++) sum += (i % 2 === 1 ? 4 : 2) * f(i * h);
  return (sum * h) / 3;
}

/**
 * Ohm metre at a pressure (Pa) and a temperature (K): Bloch and Grueneisen's formula with n = 5, its Debye temperature rising as
 * (V/V0)^-gamma, in parallel with the saturation.
 */
export function ironResistivity(pressure: number, temperature: number): number {
  const v = compression(pressure);
  const stiffer = v ** GRUENEISEN; // theta0 / theta
  const reduced = (temperature * stiffer) / THETA;
  const ideal = RESIDUAL + C * stiffer * reduced ** 5 * fifth(1 / reduced);
  const most = SATURATION * Math.cbrt(v);
  return (ideal * most) / (ideal + most);
}

// Four contacts and the leads to them (Ohm).
const CURRENT_CONTACTS = 5.2 + 7.9;
const VOLTAGE_CONTACTS = 6.1 + 8.8;
const LEADS = 2 * 1.6;
/** F between the two leads of a pair, filters at the feed-through included. */
const CAPACITANCE = 10e-9;
/** Part of the voltage on the current leads that reaches an input whose contact is open, through the stray capacitance. */
const STRAY = 0.3;

const OFFSET = 2.3e-6; // V
const DRIFT = 0.4e-9; // V/s
const WANDER = 20e-9; // V
/** V per kelvin of the sample over the cell: the two voltage contacts are not quite alike. */
const SEEBECK = 5e-9;

/** K/W of the narrow bar against the sample around it, and its time constant (s). */
const THERMAL = 2e4;
const TAU = 1e-3;

/** exp(-pi Ra/Rs) of the flat piece that the van der Pauw contacts are on; that of Rb is the rest to 1. */
const RIM = 0.3;

const BOLTZMANN = 1.380649e-23;

/** What the probe takes from the rest of the world. */
export interface Surroundings {
  readonly sampleTemperature: number;
  readonly samplePressure: number;
  readonly cellTemperature: number;
}

export function probe(seed: number, around: () => Surroundings): Probe & { step(dt: number): void } {
  const sources = new Map<string, Driven>();
  let rise = 0;
  let minute = -1;
  let before = 0;
  let after = 0;
  let known: { readonly p: number; readonly t: number; readonly rho: number } | undefined;

  const temperature = (): number => around().sampleTemperature + rise;
  const stepped = (t: number): number => (w.transition && t > w.transition.temperature ? w.transition.factor : 1);
  const resistivity = (): number => {
    const [p, t] = [around().samplePressure, temperature()];
    if (!known || known.p !== p || known.t !== t) known = { p, t, rho: ironResistivity(p, t) };
    return known.rho * stepped(t);
  };
  /** Ohm per Ohm metre: each length of the bar shrinks by the cube root of the compression. */
  const shape = (): number => {
    const shrunk = Math.cbrt(compression(around().samplePressure));
    const bar = SHAPE.length / (SHAPE.width * SHAPE.thickness * shrunk);
    const sheet = 1 / (SHAPE.thickness * shrunk);
    switch (w.arrangement) {
      case 'four-terminal':
        return bar;
      case 'a':
        return (-Math.log(RIM) / Math.PI) * sheet;
      case 'b':
        return (-Math.log(1 - RIM) / Math.PI) * sheet;
      case 'open':
        return Number.POSITIVE_INFINITY;
    }
  };
  const resistance = (): number => resistivity() * shape();
  const floating = (): boolean => w.arrangement === 'open' || w.faults.open === 'voltage';
  const flows = (): boolean => w.arrangement !== 'open' && w.faults.open !== 'current';
  const sign = (): number => (w.faults.swapped === true ? -1 : 1);

  const wander = (t: number): number => {
    const now = Math.floor(t / 60);
    if (now !== minute) {
      minute = now;
      before = WANDER * gauss(seed, 'emf', now);
      after = WANDER * gauss(seed, 'emf', now + 1);
    }
    const s = t / 60 - now;
    return before + (after - before) * s * s * (3 - 2 * s);
  };
  const emf = (t: number): number => OFFSET + DRIFT * t + wander(t) + SEEBECK * (around().sampleTemperature - around().cellTemperature);

  /** Ohm per kelvin. */
  const slope = (): number => {
    const [p, t] = [around().samplePressure, temperature()];
    const h = 1e-3 * t;
    return ((ironResistivity(p, t + h) - ironResistivity(p, t - h)) / (2 * h)) * stepped(t) * shape();
  };

  const w: Probe & { step(dt: number): void } = {
    arrangement: 'four-terminal',
    faults: {},
    transition: undefined,
    driven: sources,
    drive(name, with_) {
      if (with_ === undefined) sources.delete(name);
      else sources.set(name, with_);
    },
    direct() {
      let sum = 0;
      for (const { dc = 0 } of sources.values()) sum += dc;
      return sum;
    },
    resistance,
    path: () => (flows() ? resistance() + CURRENT_CONTACTS + LEADS : Number.POSITIVE_INFINITY),
    emf,
    volts(current, t) {
      if (floating()) return undefined;
      return (flows() ? sign() * resistance() * current : 0) + emf(t);
    },
    phasor(rms, frequency, harmonic) {
      if (!flows()) return { x: 0, y: 0 };
      if (floating()) return harmonic === 1 ? { x: 0, y: STRAY * rms * w.path() } : { x: 0, y: 0 };
      // A heats as 1 - cos(2 w t - psi), so that sin(w t) A cos(2 w t - psi) = A/2 (sin(3 w t - psi) - sin(w t - psi)).
      const r = resistance();
      const lag = 2 * Math.PI * frequency * 2 * TAU;
      const psi = Math.atan(lag);
      const half = (slope() * THERMAL * r * rms * rms) / (2 * Math.hypot(1, lag));
      let [x, y] = [0, 0];
      if (harmonic === 1) [x, y] = [r + half * Math.cos(psi), -half * Math.sin(psi)];
      else if (harmonic === 3) [x, y] = [-half * Math.cos(psi), half * Math.sin(psi)];
      // Part of the current goes past the sample, and the voltage comes through its contacts: two low-pass filters.
      const omega = 2 * Math.PI * frequency * CAPACITANCE;
      const turn = -Math.atan(omega * w.path()) - Math.atan(omega * harmonic * (VOLTAGE_CONTACTS + LEADS));
      const size = (sign() * rms) / Math.hypot(1, omega * w.path()) / Math.hypot(1, omega * harmonic * (VOLTAGE_CONTACTS + LEADS));
      return { x: size * (x * Math.cos(turn) - y * Math.sin(turn)), y: size * (x * Math.sin(turn) + y * Math.cos(turn)) };
    },
    noise() {
      const warm = w.arrangement === 'open' ? 0 : resistance() * temperature();
      return Math.sqrt(4 * BOLTZMANN * (warm + (VOLTAGE_CONTACTS + LEADS) * around().cellTemperature));
    },
    resistivity,
    rise: () => rise,
    step(dt) {
      let direct = 0;
      let squares = 0;
      for (const { dc = 0, ac } of sources.values()) {
        direct += dc;
        squares += ac ? ac.rms * ac.rms : 0;
      }
      const power = flows() && squares + direct * direct > 0 ? (direct * direct + squares) * resistance() : 0;
      const target = power * THERMAL;
      rise = target + (rise - target) * Math.exp(-dt / TAU);
    },
  };
  return w;
}
