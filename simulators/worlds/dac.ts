/**
 * The plant of a laser-heated diamond-anvil cell: lasers, sample, gas membrane, cell and heaters. SI throughout.
 * Between two ticks all inputs are constant and every state is carried on by its exact solution, so the size of a tick does not matter.
 */
import { gauss, uniform, type World, world } from '../../src/simulator.ts';
import type { Moment } from './light.ts';
import { type Optics, optics } from './optics.ts';
import { type Probe, probe } from './probe.ts';

export type Side = 'up' | 'down' | 'both';

/** The light of one laser; its device sets `power`. The optics' beam 'laser' is its way to the sample. */
export interface Laser {
  readonly side: Side;
  /** W before the optics. */
  power: number;
}

/** One resistive heater with its thermocouple; a controller sets `output`. */
export interface Heater {
  /** 0 to 1 of full power. */
  output: number;
  /** What the thermocouple has, in K: it follows the body. */
  temperature: number;
  /** K, of the heated body itself. */
  body: number;
}

/** What may go wrong on order, for tests of those who depend on it. */
export interface Faults {
  /** Factor on the coupling of the lasers to the sample, at a time in seconds of the world. */
  couplingJump?: (t: number) => number;
  /** Seconds of the world during which no light reaches any detector. */
  dark?: { readonly from: number; readonly until: number };
}

export interface Dac extends World {
  readonly seed: number;
  /** What stands in the beams. */
  readonly optics: Optics;
  readonly faults: Faults;
  /** All that detectors need to know of the light between the last tick and the next. */
  readonly moment: Moment;
  /** The electrical contacts on the sample. */
  readonly probe: Probe;
  /** Ohm between the inner contacts, and Ohm metre: the truth of the probe. */
  readonly sampleResistance: number;
  readonly sampleResistivity: number;
  /** Ticks since the world began. */
  ticks: number;
  /** Set by the gas controller, in Pa above the room. */
  membranePressure: number;
  /** K. */
  readonly roomTemperature: number;
  /** K; read it, it is what the simulated instruments measure. */
  sampleTemperature: number;
  /** Rise of one side's surface over the cell, as a factor on the mean rise: above 1 on the side with more laser power. */
  upFactor: number;
  downFactor: number;
  /** K, of each side's surface. */
  upTemperature: number;
  downTemperature: number;
  /** K, over the last second: what an exposure averages, speckle does not. */
  upTemperatureMean: number;
  downTemperatureMean: number;
  /** Grey-body emissivity of the surface, 0 to 1. */
  emissivityFactor: number;
  /** Part of the laser's power that heats the sample, speckle included. */
  absorbedFraction: number;
  /** W, of what passes the optics. */
  absorbedPower: number;
  /** Pa, thermal pressure included. */
  samplePressure: number;
  /** Pa, the part of it that comes with temperature alone. */
  thermalPressure: number;
  /** K, of the cell's body. */
  cellTemperature: number;
  /** K: where the surface changes when the sample is heated past it. */
  readonly transitionTemperature: number;
  /** True from that passing until the sample is cold again. */
  transformed: boolean;
  /** The laser of this name, made on its first use. */
  laser(name: string, side?: Side): Laser;
  /** The heater of this name, made on its first use; "cell" is the cell's own. */
  heater(name: string): Heater;
  /** A standard normal number for this tick. */
  noise(name: string): number;
}

const ROOM = 295.15;
/** Metre, of the heating lasers. */
const HEATING = 1070e-9;
/** K: below it the transformed surface is taken for renewed. */
const COLD = 600;
const TRANSITION = 2200;
const ABSORBED = 0.3;
const SPECKLE = 0.005; // physics of laser heating: 0.5 % of the absorbed power
const DRIFT = 0.01; // 1 % a minute
/** Loss k (1 + B x) x in W at a rise of x K: 100 W of light give about 3000 K. */
const K0 = 5.6e-3;
const B = 2.5e-4;
/** s, of small rises: C = k tau. */
const TAU_SAMPLE = 0.005;
const TAU_BODY = 25;
const TAU_SENSOR = 3;
/** K of a heater's body at full power. */
const FULL_RISE = 700;
/** K of the cell per W absorbed in the sample. */
const CELL_RISE = 0.5;
/** KCl: alpha K in Pa/K, and the part of it that is not relaxed by the cell. */
const ALPHA_K = 2.24e6;
const HELD = 0.2;

/**
 * The rise x in K after dt seconds of constant power in W: exact solution of C x' = P - k (1 + B x) x, a Riccati equation with the
 * roots `hot` (where it settles) and `low` < 0.
 */
export function heated(x: number, power: number, dt: number): number {
  const root = Math.sqrt(1 + (4 * B * power) / K0);
  const hot = (root - 1) / (2 * B);
  const low = -(root + 1) / (2 * B);
  const ratio = ((x - hot) / (x - low)) * Math.exp((-root * dt) / TAU_SAMPLE);
  return (hot - low * ratio) / (1 - ratio);
}

/** Pa of a cold sample under a membrane pressure in Pa: 1 GPa to begin with, 81 GPa at the very most. */
export const coldPressure = (membrane: number): number => 1e9 + (80e9 * membrane) / (membrane + 100e5);

/** Body and thermocouple one after the other, both exact for a constant target; the decays belong to one size of tick. */
function warm(heater: Heater, target: number, bodyDecay: number, sensorDecay: number): void {
  const slow = ((heater.body - target) * TAU_BODY) / (TAU_BODY - TAU_SENSOR);
  const fast = heater.temperature - target - slow;
  heater.body = target + (heater.body - target) * bodyDecay;
  heater.temperature = target + slow * bodyDecay + fast * sensorDecay;
}

function make(seed: number): Dac {
  const lasers = new Map<string, Laser>();
  const heaters = new Map<string, Heater>();
  const lit: Laser[] = [];
  const others: Heater[] = [];
  const cell: Heater = { output: 0, temperature: ROOM, body: ROOM };
  heaters.set('cell', cell);
  const drop = 0.2 + 0.3 * uniform(seed, 'transition', 0);
  const table = optics();
  const contacts = probe(seed, () => w);
  const faults: Faults = {};
  let elapsed = 0;
  let seen: Moment;
  let minute = -1;
  let before = 0;
  let after = 0;
  let size = 0;
  let bodyDecay = 1;
  let sensorDecay = 1;
  let lastSecond: { readonly up: Float64Array; readonly down: Float64Array } | undefined;

  const mean = (values: Float64Array): number => {
    let sum = 0;
    for (const v of values) sum += v;
    return sum / values.length;
  };

  /** Slow wandering of the coupling: a smooth line through one normal number a minute. */
  const drift = (t: number): number => {
    const now = Math.floor(t / 60);
    if (now !== minute) {
      minute = now;
      before = DRIFT * gauss(seed, 'drift', now);
      after = DRIFT * gauss(seed, 'drift', now + 1);
    }
    const s = t / 60 - now;
    return before + (after - before) * s * s * (3 - 2 * s);
  };

  /** Ruby and culet lie on the diamond, which conducts heat so well that they have the temperature of the cell and no thermal pressure. */
  const light = (): Moment => ({
    up: w.upTemperature,
    down: w.downTemperature,
    emissivity: w.emissivityFactor,
    gaugePressure: coldPressure(w.membranePressure),
    gaugeTemperature: w.cellTemperature,
    optics: table.still(),
    blind: faults.dark !== undefined && elapsed >= faults.dark.from && elapsed < faults.dark.until,
  });

  const w: Dac = {
    seed,
    optics: table,
    faults,
    probe: contacts,
    get sampleResistance() {
      return contacts.resistance();
    },
    get sampleResistivity() {
      return contacts.resistivity();
    },
    get moment() {
      return seen;
    },
    ticks: 0,
    membranePressure: 0,
    roomTemperature: ROOM,
    sampleTemperature: ROOM,
    upFactor: 1,
    downFactor: 1,
    upTemperature: ROOM,
    downTemperature: ROOM,
    upTemperatureMean: ROOM,
    downTemperatureMean: ROOM,
    emissivityFactor: ABSORBED,
    absorbedFraction: ABSORBED,
    absorbedPower: 0,
    samplePressure: coldPressure(0),
    thermalPressure: 0,
    cellTemperature: ROOM,
    transitionTemperature: TRANSITION,
    transformed: false,

    laser(name, side = 'both') {
      let laser = lasers.get(name);
      if (!laser) {
        laser = { side, power: 0 };
        lasers.set(name, laser);
        lit.push(laser);
      }
      return laser;
    },
    heater(name) {
      let heater = heaters.get(name);
      if (!heater) {
        heater = { output: 0, temperature: ROOM, body: ROOM };
        heaters.set(name, heater);
        others.push(heater);
      }
      return heater;
    },
    noise: (name) => gauss(seed, name, w.ticks),

    step(dt) {
      w.ticks++;
      elapsed += dt;
      let up = 0;
      let down = 0;
      const passes = table.still().transmission('laser', HEATING);
      for (const { side, power: sent } of lit) {
        const power = passes * sent;
        if (side !== 'down') up += side === 'both' ? power / 2 : power;
        if (side !== 'up') down += side === 'both' ? power / 2 : power;
      }
      const shone = up + down;
      const coupling = ABSORBED * (1 + drift(elapsed)) * (w.transformed ? 1 - drop : 1) * (faults.couplingJump?.(elapsed) ?? 1);
      w.emissivityFactor = coupling;
      w.absorbedFraction = shone > 0 ? coupling * (1 + SPECKLE * gauss(seed, 'speckle', w.ticks)) : coupling;
      w.absorbedPower = w.absorbedFraction * shone;

      if (dt !== size) {
        size = dt;
        const n = Math.max(1, Math.round(1 / dt));
        lastSecond = { up: new Float64Array(n).fill(w.upTemperature), down: new Float64Array(n).fill(w.downTemperature) };
        bodyDecay = Math.exp(-dt / TAU_BODY);
        sensorDecay = Math.exp(-dt / TAU_SENSOR);
      }
      const rise = heated(w.sampleTemperature - w.cellTemperature, w.absorbedPower, dt);
      warm(cell, ROOM + FULL_RISE * cell.output + CELL_RISE * w.absorbedPower, bodyDecay, sensorDecay);
      for (const heater of others) warm(heater, ROOM + FULL_RISE * heater.output, bodyDecay, sensorDecay);
      w.cellTemperature = cell.body;
      w.sampleTemperature = cell.body + rise;
      if (w.sampleTemperature > TRANSITION) w.transformed = true;
      else if (w.sampleTemperature < COLD) w.transformed = false;

      const uneven = shone > 0 ? (0.05 * (up - down)) / shone : 0;
      w.upFactor = 1 + uneven;
      w.downFactor = 1 - uneven;
      w.upTemperature = cell.body + rise * w.upFactor;
      w.downTemperature = cell.body + rise * w.downFactor;
      if (lastSecond) {
        const at = w.ticks % lastSecond.up.length;
        lastSecond.up[at] = w.upTemperature;
        lastSecond.down[at] = w.downTemperature;
        // Once in ten ticks is often enough, and cheap.
        if (w.ticks % 10 === 0) {
          w.upTemperatureMean = mean(lastSecond.up);
          w.downTemperatureMean = mean(lastSecond.down);
        }
      }
      // Medium between the hot spot and the diamonds: (3 T + 300 K) / 4.
      w.thermalPressure = HELD * ALPHA_K * 0.75 * (w.sampleTemperature - 300);
      w.samplePressure = coldPressure(w.membranePressure) + w.thermalPressure;
      contacts.step(dt);
      seen = light();
    },
  };
  seen = light();
  return w;
}

export const dac = world<Dac>({ name: 'dac', tick: 0.01, make });
