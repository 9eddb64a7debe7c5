import { text as lines } from '../protocols/text.ts';
import { type Field, options, Refused, simulator, terminator, word } from '../src/simulator.ts';
import { type Dac, dac } from './worlds/dac.ts';
import {
  answer,
  control,
  type Device,
  device,
  type Setting as Entry,
  flag,
  held,
  type Language,
  type Loop,
  loop,
  oneOf,
  real,
  signed,
  text,
  whole,
} from './worlds/lake-shore.ts';

interface Options {
  readonly terminator: string;
  readonly simulated: '336' | '350';
  readonly heater: string | undefined;
  readonly inputs?: unknown;
}

interface State extends Device {
  readonly name: string;
  readonly model: '336' | '350';
  readonly heater: string;
  readonly loops: Loop[];
  /** Inputs whose sensor has come off. */
  open: string[];
  /** What HTRST? says of output 1 and 2: 1 open load, 2 short. */
  readonly heaterErrors: number[];
}

const ZERO = 273.15;
const INPUTS = ['A', 'B', 'C', 'D'] as const;
const OUTPUTS = ['1', '2', '3', '4'] as const;
const OFF = 0;
const CLOSED = 1;
const ZONE = 2;
const OPEN = 3;
const MONITOR = 4;

/** What hangs on an input: its type as INTYPE has it, where it sits, and its sensor units by temperature. Straight or simple on purpose. */
interface Sensor {
  readonly type: string;
  readonly curve: string;
  /** K. */
  readonly of: (s: State, w: Dac) => number;
  readonly units: (kelvin: number) => number;
  readonly span: readonly [number, number];
}
/** IEC 60751, 100 ohm. */
function platinum(kelvin: number): number {
  const t = kelvin - ZERO;
  const c = t < 0 ? -4.183e-12 * (t - 100) * t ** 3 : 0;
  return 100 * (1 + 3.9083e-3 * t - 5.775e-7 * t * t + c);
}
/** V of a silicon diode: a straight line through 0.56 V at 295 K with -2.4 mV/K. */
const diode = (kelvin: number): number => 0.56 - 2.4e-3 * (kelvin - 295);
/** Ohm of a negative sensor: 50 ohm at 300 K, as the power -1.2 of the temperature. */
const negative = (kelvin: number): number => 50 * (300 / kelvin) ** 1.2;

const SENSORS: Readonly<Record<string, Sensor>> = {
  A: { type: '2', curve: '6', of: (s, w) => w.heater(s.heater).temperature, units: platinum, span: [30, 800] },
  B: { type: '1', curve: '2', of: (_s, w) => w.cellTemperature, units: diode, span: [1.4, 500] },
  C: { type: '2', curve: '6', of: (_s, w) => w.roomTemperature, units: platinum, span: [30, 800] },
  D: { type: '3', curve: '21', of: (_s, w) => w.roomTemperature, units: negative, span: [1.4, 420] },
};

const zones = Array.from({ length: 10 }, (_, i) => String(i + 1));
const numbers = (from: number, to: number): readonly string[] => Array.from({ length: to - from + 1 }, (_, i) => String(from + i));
const SETTINGS: Readonly<Record<string, Entry>> = {
  SETP: { keys: [OUTPUTS], fields: [real(-1e5, 1e5)], initial: [signed(0)] },
  RAMP: { keys: [OUTPUTS], fields: [flag, real(0, 100)], initial: ['0', signed(10)] },
  RANGE: { keys: [OUTPUTS], fields: [whole(0, 5)], initial: ['0'] },
  PID: { keys: [OUTPUTS], fields: [real(0.1, 1000), real(0, 1000), real(0, 200)], initial: [signed(50), signed(20), signed(0)] },
  OUTMODE: { keys: [OUTPUTS], fields: [whole(0, 5), whole(0, 8), flag], initial: (n) => [n === '1' ? '1' : '0', n, '0'] },
  MOUT: { keys: [OUTPUTS], fields: [real(0, 100)], initial: [signed(0)] },
  HTRSET: {
    keys: [['1', '2']],
    fields: [whole(1, 2), whole(0, 4), real(0, 2), whole(1, 2)],
    initial: ['1', '2', signed(1), '2'],
  },
  ANALOG: {
    keys: [['3', '4']],
    fields: [whole(0, 8), whole(1, 3), real(-1e6, 1e6), real(-1e6, 1e6), flag],
    initial: ['0', '1', signed(1000), signed(0), '0'],
  },
  WARMUP: { keys: [['3', '4']], fields: [flag, real(0, 100)], initial: ['0', signed(0)] },
  ZONE: {
    keys: [OUTPUTS, zones],
    fields: [real(0, 1e5), real(0.1, 1000), real(0, 1000), real(0, 200), real(0, 100), whole(0, 5), whole(0, 8), real(0, 100)],
    initial: [signed(0), signed(50), signed(20), signed(0), signed(0), '0', '0', signed(0.1)],
  },
  INTYPE: {
    keys: [INPUTS],
    fields: [whole(0, 4), flag, whole(0, 8), flag, whole(1, 3)],
    initial: (n) => [SENSORS[n].type, SENSORS[n].type === '1' ? '0' : '1', '0', '0', '1'],
  },
  INNAME: { keys: [INPUTS], fields: [text(15)], initial: (n) => [`Input ${n}`] },
  INCRV: { keys: [INPUTS], fields: [whole(0, 59)], initial: (n) => [SENSORS[n].curve] },
  FILTER: { keys: [INPUTS], fields: [flag, whole(2, 64), whole(1, 10)], initial: ['0', '8', '10'] },
  TLIMIT: { keys: [INPUTS], fields: [real(0, 1e5)], initial: [signed(0)] },
  DIOCUR: { keys: [INPUTS], fields: [whole(0, 1)], initial: ['0'] },
  ALARM: {
    keys: [INPUTS],
    fields: [flag, real(-1e6, 1e6), real(-1e6, 1e6), real(0, 1e6), flag, flag, flag],
    initial: ['0', signed(1000), signed(0), signed(0), '0', '0', '1'],
  },
  RELAY: {
    keys: [['1', '2']],
    fields: [whole(0, 2), oneOf(INPUTS), whole(0, 2)],
    initial: ['0', 'A', '0'],
  },
  CRVHDR: {
    keys: [numbers(1, 59)],
    fields: [text(15), text(10), whole(1, 4), real(0, 1e5), whole(1, 2)],
    initial: (n) =>
      n === '2'
        ? ['DT-670', 'STANDARD C', '2', signed(500), '1']
        : n === '6'
          ? ['PT-100', 'STANDARD C', '3', signed(800), '2']
          : [`User ${n}`, '', '4', signed(420), '1'],
  },
  CRVPT: { keys: [numbers(1, 59), numbers(1, 200)], fields: [real(-1e6, 1e6), real(0, 1e5)], initial: [signed(0), signed(0)] },
  ATUNE: { keys: [OUTPUTS], fields: [whole(0, 2)], initial: ['0'] },
  BRIGT: { fields: [whole(0, 32)], initial: ['24'] },
  LEDS: { fields: [flag], initial: ['1'] },
  LOCK: { fields: [flag, whole(0, 999)], initial: ['0', '123'] },
  MODE: { fields: [whole(0, 2)], initial: ['1'] },
  IEEE: { fields: [whole(1, 30)], initial: ['12'] },
  INTSEL: { fields: [whole(0, 2)], initial: ['1'] },
  DISPLAY: { fields: [whole(0, 10), whole(0, 2), whole(1, 4)], initial: ['4', '1', '1'] },
  DISPFLD: { keys: [numbers(1, 8)], fields: [whole(0, 8), whole(1, 6)], initial: (n) => [String(Math.min(4, Number(n))), '1'] },
  OPSTE: { fields: [whole(0, 255)], initial: ['0'] },
  NET: {
    fields: [flag, flag, text(15), text(15), text(15), text(15), text(15), text(15), text(64), text(32)],
    initial: ['1', '1', '192.168.0.12', '255.255.255.0', '192.168.0.1', '0.0.0.0', '0.0.0.0', 'LSCI-336', '', ''],
  },
  WEBLOG: { fields: [text(15), text(15)], initial: ['user', 'none'] },
};

const number = (s: State, name: string, key: string, field = 0): number => Number(held(SETTINGS, s, name, key)[field]);

/** RDGST?: 1 invalid, 16 temperature under and 32 over its range, 64 sensor units zero, 128 over. */
function status(s: State, w: Dac, input: string): number {
  if (number(s, 'INTYPE', input) === 0) return 1;
  if (s.open.includes(input)) return 128;
  const [lo, hi] = SENSORS[input].span;
  const t = SENSORS[input].of(s, w);
  return t < lo ? 16 : t > hi ? 32 : 0;
}
/** K. */
const kelvin = (s: State, w: Dac, input: string): number => SENSORS[input].of(s, w) + 0.002 * w.noise(`${s.name} input ${input}`);

/** A reading of an input, or of all with "0"; nothing is what an input in trouble reads as. */
const reading =
  (of: (s: State, w: Dac, input: string) => number) =>
  ([input = '']: readonly string[], s: State, w: Dac): string | undefined => {
    const name = input.toUpperCase();
    const one = (i: string): string => signed(status(s, w, i) === 0 ? of(s, w, i) : 0);
    if (name === '0') return INPUTS.map(one).join(',');
    return INPUTS.some((i) => i === name) ? one(name) : undefined;
  };

/** In the units that the input of this output's loop prefers. */
function shown(s: State, output: string): string {
  const [, input] = held(SETTINGS, s, 'OUTMODE', output);
  const name = INPUTS[Number(input) - 1];
  const l = s.loops[Number(output) - 1];
  const units = name ? number(s, 'INTYPE', name, 4) : 1;
  return signed(units === 2 ? l.setPoint - ZERO : units === 3 && name ? SENSORS[name].units(l.setPoint) : l.setPoint);
}

function target(s: State, output: string): number {
  const [, input] = held(SETTINGS, s, 'OUTMODE', output);
  const name = INPUTS[Number(input) - 1];
  const asked = number(s, 'SETP', output);
  const units = name ? number(s, 'INTYPE', name, 4) : 1;
  return units === 2 ? asked + ZERO : asked;
}

const ramping = (s: State, output: string): boolean => {
  const [on, rate] = held(SETTINGS, s, 'RAMP', output).map(Number);
  return on === 1 && rate > 0 && s.loops[Number(output) - 1].setPoint !== target(s, output);
};
/** Whether power flows at all: a range, and a mode that uses it. */
const live = (s: State, output: string): boolean => number(s, 'RANGE', output) > 0 && number(s, 'OUTMODE', output) !== OFF;
const mostRange = (s: State, output: string): number => (s.model === '336' ? 3 : output === '1' ? 5 : 1);

const outputOf = ([output = '']: readonly string[], among: readonly string[] = OUTPUTS): string | undefined =>
  among.find((o) => o === output);

const LANGUAGE: Language<State, Dac> = {
  identity: (s) => `LSCI,MODEL${s.model},LSA1234/#######,2.9`,
  settings: SETTINGS,
  asks: {
    KRDG: reading(kelvin),
    CRDG: reading((s, w, i) => kelvin(s, w, i) - ZERO),
    SRDG: reading((s, w, i) => SENSORS[i].units(kelvin(s, w, i))),
    RDGST: ([input = ''], s, w) => (INPUTS.some((i) => i === input.toUpperCase()) ? String(status(s, w, input.toUpperCase())) : undefined),
    SETP: (args, s) => {
      const output = outputOf(args);
      return output && shown(s, output);
    },
    RAMPST: (args, s) => {
      const output = outputOf(args);
      return output && (ramping(s, output) ? '1' : '0');
    },
    HTR: (args, s) => {
      const output = outputOf(args);
      return output && signed(s.loops[Number(output) - 1].output);
    },
    AOUT: (args, s) => {
      const output = outputOf(args, ['3', '4']);
      return output && signed(s.loops[Number(output) - 1].output);
    },
    HTRST: (args, s) => {
      const output = outputOf(args, ['1', '2']);
      if (!output) return undefined;
      const error = s.heaterErrors[Number(output) - 1];
      s.heaterErrors[Number(output) - 1] = 0;
      return String(error);
    },
    ALARMST: ([input = ''], s, w) => {
      const name = INPUTS.find((i) => i === input.toUpperCase());
      if (!name) return undefined;
      const [on, high, low] = held(SETTINGS, s, 'ALARM', name).map(Number);
      const t = kelvin(s, w, name);
      return `${on === 1 && t > high ? 1 : 0},${on === 1 && t < low ? 1 : 0}`;
    },
    RELAYST: (args, s) => {
      const relay = outputOf(args, ['1', '2']);
      return relay && (number(s, 'RELAY', relay) === 1 ? '1' : '0');
    },
    MDAT: ([input = ''], s, w) => {
      const name = INPUTS.find((i) => i === input.toUpperCase());
      return name && `${signed(kelvin(s, w, name))},${signed(kelvin(s, w, name))}`;
    },
    TEMP: (_args, _s, w) => signed(w.roomTemperature),
    TUNEST: () => '0,1,0,00',
    OPST: () => '0',
    OPSTR: () => '0',
    NETID: () => '1,192.168.0.12,255.255.255.0,192.168.0.1,0.0.0.0,0.0.0.0,00:1F:B9:00:03:36,LSCI-336,local',
  },
  does: {
    ALMRST: () => true,
    MNMXRST: () => true,
    CRVDEL: ([curve = ''], s) => {
      if (!(Number(curve) >= 21 && Number(curve) <= 59)) return false;
      for (const key of Object.keys(s.settings)) if (new RegExp(`^CRV(HDR|PT) ${Number(curve)}( |$)`).test(key)) delete s.settings[key];
      return true;
    },
    SCAL: (args) => args.length === 9,
    DFLT: ([code]) => code === '99',
  },
  allows: (name, [key], [first], s) => name !== 'RANGE' || Number(first) <= mostRange(s, key),
  changed(name, [key], s) {
    const l = s.loops[Number(key) - 1];
    if (name === 'RANGE' && number(s, 'RANGE', key) === 0) Object.assign(l, { gathered: 0, output: 0 });
    if (name === 'OUTMODE') Object.assign(l, { gathered: 0, before: undefined });
    if (name === 'SETP' && held(SETTINGS, s, 'RAMP', key)[0] === '0') l.setPoint = target(s, key);
  },
  reset(s) {
    s.loops.forEach((l) => {
      Object.assign(l, loop());
    });
  },
};

/** Any input over its temperature limit turns all heaters off. */
const tooHot = (s: State, w: Dac): boolean =>
  INPUTS.some((i) => {
    const limit = number(s, 'TLIMIT', i);
    return limit > 0 && status(s, w, i) !== 1 && SENSORS[i].of(s, w) > limit;
  });

function step(s: State, w: Dac, dt: number): void {
  if (OUTPUTS.some((o) => live(s, o)) && tooHot(s, w)) for (const o of OUTPUTS) s.settings[`RANGE ${o}`] = ['0'];
  for (const [i, output] of OUTPUTS.entries()) {
    const l = s.loops[i];
    const goal = target(s, output);
    const [on, rate] = held(SETTINGS, s, 'RAMP', output).map(Number);
    const way = on === 1 && rate > 0 ? (rate / 60) * dt : Number.POSITIVE_INFINITY;
    l.setPoint += Math.max(-way, Math.min(way, goal - l.setPoint));
    const [mode, input] = held(SETTINGS, s, 'OUTMODE', output).map(Number);
    const name = INPUTS[input - 1];
    const manual = number(s, 'MOUT', output);
    if (!live(s, output) || mode === MONITOR) l.output = 0;
    else if (mode === OPEN) l.output = manual;
    else if (mode === CLOSED || mode === ZONE) {
      const measured = name && status(s, w, name) === 0 ? SENSORS[name].of(s, w) : undefined;
      const pid = held(SETTINGS, s, 'PID', output).map(Number);
      l.output = Math.min(100, control(l, pid, measured, dt) + (measured === undefined ? 0 : manual));
    } else l.output = 0;
    // Ranges are decades of power below the full one.
    const range = number(s, 'RANGE', output);
    const part = range === 0 ? 0 : 10 ** (range - mostRange(s, output));
    w.heater(i === 0 ? s.heater : `${s.heater} ${output}`).output = (part * l.output) / 100;
  }
}

const heaterName: Field<string | undefined> = {
  about: "the world's heater on output 1, whose temperature is on input A (otherwise the instrument's name)",
  of: (yaml) => (yaml === undefined || typeof yaml === 'string' ? yaml : new Refused('must be a name')),
};

/** 350 is a number in YAML. */
const which = word('which of the two it is', ['336', '350'] as const, '336');

/** A controller with four sensors (platinum, diode, platinum, negative) and four outputs, of which the first heats what input A measures. */
export default simulator({
  options: options<Options>({
    terminator: terminator('LF'),
    simulated: {
      about: which.about,
      of: (yaml) => which.of(typeof yaml === 'number' ? String(yaml) : yaml),
    },
    heater: heaterName,
    inputs: { about: "the driver's own", of: (yaml) => yaml },
  }),
  links: ({ terminator: end = '\n' }: Partial<Options>) => ({ main: lines({ ask: end === '\r\n' ? end : [end, '\r\n'], tell: '\r\n' }) }),
  state: ({ simulated = '336', heater }: Partial<Options>, name: string): State => ({
    ...device(),
    name,
    model: simulated,
    heater: heater ?? name,
    loops: OUTPUTS.map(loop),
    open: [],
    heaterErrors: [0, 0],
  }),
  world: dac,
  answer: { main: (q, s, w) => answer(LANGUAGE, q, s, w) },
  tick: (s, w, _t, dt) => step(s, w, dt),
  think: 0.003,
});
