/** A laser-heated cell on virtual time whose temperature is held: the simulated laser and camera, and everything the host has. For tests of feedback. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { filter, map } from 'rxjs';
import ipg from '../drivers/ipg-ylr.ts';
import spe from '../drivers/princeton-spe.ts';
import ipgSimulator from '../simulators/ipg-ylr.ts';
import speSimulator from '../simulators/princeton-spe.ts';
import { type Dac, dac } from '../simulators/worlds/dac.ts';
import type { Catalogue } from '../src/catalogue.ts';
import type { FeedbackStatus, OrderEntry } from '../src/entry.ts';
import type { Instrument } from '../src/instrument.ts';
import { wrapped } from '../src/link.ts';
import { methods } from '../src/methods.ts';
import { loadRig, printed, type Rig } from '../src/rig.ts';
import type { Simulator } from '../src/simulator.ts';
import { type Laboratory, laboratory } from './laboratory.ts';

const known: Catalogue = {
  instruments: new Map<string, Instrument>([
    ['ipg-ylr', ipg],
    ['princeton-spe', spe],
  ]),
  simulators: new Map<string, Simulator>([
    ['ipg-ylr', ipgSimulator],
    ['princeton-spe', speSimulator],
  ]),
};
const calibrations = resolve(import.meta.dirname, '../rigs/demo/calibrations');
const dark = new Uint8Array(readFileSync(join(calibrations, 'dark.spe')));
const side = (rows: string): string => `
    method: planck-ml
    spectrum: camera.spectrum
    rows: ${rows}
    window: [620 nm, 880 nm]
    dark: ${calibrations}/dark.spe
    calibration: { lamp: ${calibrations}/lamp.spe, dark: ${calibrations}/dark.spe, temperature: 2255 K }`;

export interface Setting {
  readonly exposure?: number;
  readonly every?: number;
  /** Keys of the loop, in place of those below. */
  readonly loop?: Readonly<Record<string, string>>;
  readonly start?: string;
}

export const LOOP: Readonly<Record<string, string>> = {
  holds: '[up.temperature, down.temperature]',
  by: 'laser.current',
  gain: '0.002 %/K',
  integral: '0.25 s',
  ramp: '300 K/s',
  limits: '{ output: [10 %, 90 %], rate: 10 %/s, setpoint: [1000 K, 4000 K], sigma: 100 K, difference: 300 K }',
  lost: '{ frames: 2, then: off, stale: 5 s }',
};

export const yaml = ({ exposure = 0.2, every = 0.25, loop = {}, start = '' }: Setting = {}): string => `rig: heat
instruments:
  laser:
    model: ipg-ylr
    link: serial:/dev/ttyUSB0?baud=57600
    simulate: { power: 200 }
    leases:
      emission: { longest: 30 min, deadline: 0.8 s, then: safe, interlock: none }
      current: { longest: 30 min, deadline: 0.8 s, then: safe, interlock: none }
  camera:
    model: princeton-spe
    link: folder:/data/spectra?pattern=*.spe
    options: { gain: 1, read_noise: 5 }
    simulate: { gated: true, exposure: ${exposure} s, every: ${every} s }
derive:
  up:${side('[8, 19]')}
  down:${side('[24, 35]')}
feedback:
  heating:
${Object.entries({ ...LOOP, ...loop })
  .flatMap(([key, value]) => (value === '' ? [] : [`    ${key}: ${value}\n`]))
  .join('')}start:
  - { order: laser.current, value: 25 % }
  - { order: laser.emission, value: on }
${start}`;

export async function rigOfText(text: string): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), 'bridgman-feedback-'));
  try {
    writeFileSync(join(folder, 'rig.yaml'), text);
    const loaded = await loadRig(folder, known, methods);
    if (!loaded.ok) throw new Error(loaded.messages.map(printed).join('\n'));
    return loaded.rig;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What was true at a time in seconds. */
export interface Sample {
  readonly t: number;
  readonly truth: number;
  readonly watts: number;
}

export interface HeatLab extends Laboratory {
  readonly world: Dac;
  readonly truth: Sample[];
  /** The camera's files do not come any more, or are those of a closed shutter. */
  mute: boolean;
  dark: boolean;
  readonly ends: OrderEntry[];
  /** Lets time pass and keeps what is true every 10 ms. */
  pass(seconds: number): void;
  /** Lets time pass until it is so; false where it does not come. */
  until(seconds: number, is: () => boolean): boolean;
  give(instrument: string, command: string, written: string): void;
  loop(): FeedbackStatus;
  /** Orders for the laser's current, with the second in which they were given. */
  currents(by?: string): readonly { readonly t: number; readonly value: number; readonly outcome: OrderEntry['outcome'] }[];
  words(): readonly string[];
}

export function heatLab(rig: Rig, seed: number): HeatLab {
  const camera = { mute: false, dark: false };
  const lab = laboratory(rig, known, {
    seed,
    wrap: (link, wire) =>
      wire.key.startsWith('folder')
        ? wrapped(link, {
            arrivals: link.arrivals.pipe(
              filter(() => !camera.mute),
              map((arrival) => (camera.dark ? { ...arrival, bytes: dark } : arrival)),
            ),
          })
        : link,
  });
  const world: Dac = lab.simulated.universe.of(dac);
  const laser = lab.simulated.device('laser')?.state as { readonly setPoint: number; readonly emission: boolean }; // the simulator's own
  const began = lab.clock.now();
  const truth: Sample[] = [];
  const ends: OrderEntry[] = [];
  const pass = (seconds: number): void => {
    for (let i = 0; i < Math.round(seconds * 100); i++) {
      lab.clock.advance(0.01);
      lab.simulated.universe.settle();
      truth.push({ t: lab.clock.mono(), truth: world.sampleTemperature, watts: laser.emission ? laser.setPoint : 0 });
    }
  };
  return Object.assign(camera, {
    ...lab,
    world,
    truth,
    ends,
    pass,
    until(seconds: number, is: () => boolean) {
      for (let i = 0; i < seconds * 10 && !is(); i++) pass(0.1);
      return is();
    },
    give: (instrument: string, command: string, written: string) =>
      lab.host.order({ by: 'ada', instrument, command, written }, (order) => void ends.push(order)),
    loop() {
      const [one] = lab.host.status().feedback ?? [];
      if (!one) throw new Error('the rig has no feedback');
      return one;
    },
    currents: (by?: string) =>
      lab.entries.flatMap((e) =>
        e.kind === 'order' &&
        e.order.instrument === 'laser' &&
        e.order.command === 'current' &&
        e.order.outcome !== undefined &&
        (by === undefined || e.order.by === by)
          ? [{ t: (e.order.t - began) / 1e6, value: Number(e.order.value), outcome: e.order.outcome }]
          : [],
      ),
    words: () => lab.entries.flatMap((e) => (e.kind === 'alarm' && e.alarm.from.startsWith('feedback') ? [e.alarm.text] : [])),
  });
}
