import { text as lines } from '../protocols/text.ts';
import { gauss, options, Refused, simulator, terminator } from '../src/simulator.ts';
import { type Dac, dac } from './worlds/dac.ts';
import {
  answer,
  control,
  type Device,
  device,
  flag,
  held,
  type Language,
  type Loop,
  loop,
  oneOf,
  real,
  type Setting,
  short,
  signed,
  text,
  whole,
} from './worlds/lake-shore.ts';

interface Options {
  readonly terminator: string;
  readonly heater: string | undefined;
  readonly inputs?: unknown;
}

/** What an input was last measured as; it stays while the scanner is elsewhere. */
interface Measured {
  status: number;
  ohms: number;
  quadrature: number;
  watts: number;
}
interface State extends Device {
  readonly name: string;
  readonly heater: string;
  readonly loops: Loop[];
  readonly last: Record<string, Measured>;
  /** Seconds that the scanner has been on its input, and until the next reading. */
  on: number;
  next: number;
  heaterError: number;
}

const numbers = (from: number, to: number): readonly string[] => Array.from({ length: to - from + 1 }, (_, i) => String(from + i));
const MEASURED = numbers(1, 16);
const INPUTS: readonly string[] = ['A', ...MEASURED];
const OUTPUTS = ['0', '1', '2'] as const;
const OPEN_LOOP = 2;
const ZONE = 3;
const STILL = 4;
const CLOSED_LOOP = 5;
const WARM_UP = 6;
const PERIOD = 0.1; // s between readings
const HZ = [9.8, 13.7, 16.2, 11.6, 18.2] as const;
/** Ranges go in half decades: number 1 is `first`. */
const halfDecades = (first: number, n: number): number => first * 10 ** ((n - 1) / 2);

/** Ohm of a ruthenium-oxide chip by kelvin, and back: 1000 ohm at 300 K, as the power -0.35 of the temperature. */
const ruthenium = (kelvin: number): number => 1000 * (300 / kelvin) ** 0.35;
const kelvinOf = (ohms: number): number => 300 * (1000 / ohms) ** (1 / 0.35);

const SETTINGS: Readonly<Record<string, Setting>> = {
  SCAN: { fields: [whole(1, 16), flag], initial: ['1', '0'] },
  INSET: {
    keys: [INPUTS],
    all: '0',
    fields: [flag, whole(0, 200), whole(0, 200), whole(0, 59), whole(0, 2)],
    initial: (n) => [n === 'A' || n === '1' || n === '2' ? '1' : '0', '10', '3', n === 'A' || n === '2' ? '21' : '0', '1'],
  },
  INTYPE: {
    keys: [INPUTS],
    all: '0',
    fields: [flag, whole(1, 22), whole(0, 2), whole(0, 22), flag, whole(1, 2)],
    initial: (n) =>
      n === 'A' ? ['1', '3', '0', '0', '0', '1'] : n === '1' ? ['1', '20', '0', '6', '0', '2'] : ['0', '7', '0', '13', '0', '1'],
  },
  FREQ: { keys: [['0', 'A']], fields: [whole(1, 5)], initial: (n) => [n === '0' ? '2' : '3'] },
  INNAME: { keys: [INPUTS], fields: [text(15)], initial: (n) => [n === 'A' ? 'Control' : `Channel ${n}`] },
  FILTER: { keys: [INPUTS], all: '0', fields: [flag, whole(1, 200), whole(1, 80)], initial: ['0', '10', '10'] },
  TLIMIT: { keys: [INPUTS], fields: [real(0, 1e5)], initial: [signed(0)] },
  ALARM: {
    keys: [INPUTS],
    all: '0',
    fields: [flag, whole(0, 4), short(-1e9, 1e9), short(-1e9, 1e9), short(0, 1e9), flag, flag, flag],
    initial: ['0', '1', '1000', '0', '0', '0', '1', '1'],
  },
  CMR: { fields: [flag], initial: ['0'] },
  MONITOR: { fields: [whole(0, 7)], initial: ['0'] },
  DOUT: { fields: [whole(0, 31)], initial: ['0'] },
  BEEP: { fields: [flag], initial: ['1'] },
  SETP: { keys: [['0', '1']], fields: [real(0, 1e8)], initial: [signed(0)] },
  RAMP: { keys: [['0', '1']], fields: [flag, real(0, 100)], initial: ['0', signed(0.1)] },
  RANGE: { keys: [OUTPUTS], fields: [whole(0, 8)], initial: ['0'] },
  PID: { keys: [['0', '1']], fields: [real(0, 1000), real(0, 10000), real(0, 2500)], initial: [signed(50), signed(20), signed(0)] },
  MOUT: { keys: [OUTPUTS], fields: [real(-100, 100)], initial: [signed(0)] },
  OUTMODE: {
    keys: [OUTPUTS],
    fields: [whole(0, 6), oneOf(['A', '0', ...MEASURED]), flag, flag, flag, whole(0, 255)],
    initial: (n) => ['0', n === '0' ? '2' : '1', '0', '0', '0', '1'],
  },
  HTRSET: {
    keys: [['0', '1']],
    fields: [short(1, 2000), whole(0, 2), real(0, 10), whole(1, 2)],
    initial: (n) => (n === '0' ? ['100', '0', signed(0), '2'] : ['1', '0', signed(0.45), '1']),
  },
  ANALOG: {
    keys: [['1', '2']],
    fields: [whole(0, 6), whole(0, 6), oneOf(['A', '0', ...MEASURED]), whole(0, 2), real(-1e8, 1e8), real(-1e8, 1e8), real(-100, 100)],
    initial: ['0', '0', '1', '1', signed(1), signed(0), signed(0)],
  },
  STILL: { fields: [real(0, 100)], initial: [signed(0)] },
  WARMUP: { fields: [flag, real(0, 100)], initial: ['0', signed(0)] },
  ZONE: {
    keys: [['0', '1'], numbers(1, 10)],
    fields: [real(0, 1e5), real(0, 1000), real(0, 10000), real(0, 2500), real(0, 100), whole(0, 8), real(0, 100), flag, flag],
    initial: [signed(0), signed(50), signed(20), signed(0), signed(0), '0', signed(0.1), '0', '0'],
  },
  RELAY: { keys: [['1', '2']], fields: [whole(0, 4), oneOf(['0', ...INPUTS]), whole(0, 2)], initial: ['0', '1', '0'] },
  CRVHDR: {
    keys: [numbers(1, 59)],
    fields: [text(15), text(10), whole(3, 7), real(0, 1e5), whole(1, 2)],
    initial: (n) => [n === '21' ? 'RuO2' : `User ${n}`, '', '4', signed(400), '1'],
  },
  CRVPT: {
    keys: [numbers(1, 59), numbers(1, 200)],
    fields: [real(-1e8, 1e8), real(0, 1e5), real(-1e8, 1e8)],
    initial: [signed(0), signed(0), signed(0)],
  },
  DISPLAY: { fields: [whole(0, 2), whole(0, 2), whole(0, 3)], initial: ['0', '1', '0'] },
  DISPFLD: { keys: [numbers(1, 8)], fields: [oneOf(['0', ...INPUTS]), whole(1, 6)], initial: ['1', '1'] },
  BRIGT: { fields: [whole(0, 3)], initial: ['3'] },
  LEDS: { fields: [flag], initial: ['1'] },
  LOCK: { fields: [flag, whole(0, 999)], initial: ['0', '123'] },
  MODE: { fields: [whole(0, 2)], initial: ['1'] },
  INTSEL: { fields: [whole(0, 2)], initial: ['1'] },
  OPSTE: { fields: [whole(0, 255)], initial: ['0'] },
  WEBLOG: { fields: [text(15), text(15)], initial: ['user', 'none'] },
  ADDRESS: { fields: [whole(1, 30)], initial: ['12'] },
};

const number = (s: State, name: string, key: string, field = 0): number =>
  Number((key === '' ? held(SETTINGS, s, name) : held(SETTINGS, s, name, key))[field]);

/** A rms that an input is excited with: the current range, or what the voltage range drives through the resistance range. */
function excitation(s: State, input: string): number {
  const [mode, range, , ohms, shunted] = held(SETTINGS, s, 'INTYPE', input).map(Number);
  if (shunted === 1) return 0;
  if (input === 'A') return halfDecades(316e-12, range);
  return mode === 1 ? halfDecades(1e-12, range) : halfDecades(2e-6, range) / halfDecades(2e-3, ohms);
}

const NOISE = 10e-9; // V/sqrt Hz of the input
/** One reading of an input at world time t. Bits: 1 current source, 4 mixer and 8 differential overload, 16 over the resistance range. */
function measure(s: State, w: Dac, input: string): Measured {
  const rms = excitation(s, input);
  const frequency = HZ[number(s, 'FREQ', input === 'A' ? 'A' : '0') - 1];
  if (rms === 0) return { status: 0, ohms: 0, quadrature: 0, watts: 0 };
  const noise = (what: string): number => (Math.hypot(NOISE, w.probe.noise()) / rms) * gauss(w.seed, `${s.name} ${input} ${what}`, w.ticks);
  let seen: { readonly x: number; readonly y: number } = { x: 0, y: 0 };
  if (input === '1') {
    if (!Number.isFinite(w.probe.path())) return { status: 1, ohms: 0, quadrature: 0, watts: 0 };
    if (w.probe.volts(0, w.ticks * 0.01) === undefined) return { status: 8, ohms: 0, quadrature: 0, watts: 0 };
    const { x, y } = w.probe.phasor(rms, frequency, 1);
    seen = { x: x / rms + noise('x'), y: y / rms + noise('y') };
  } else if (input === '2' || input === 'A') {
    const ohms = ruthenium(input === 'A' ? w.heater(s.heater).temperature : w.cellTemperature);
    seen = { x: ohms * (1 + 2e-6 * gauss(w.seed, `${s.name} ${input}`, w.ticks)), y: 0 };
  } else return { status: 1, ohms: 0, quadrature: 0, watts: 0 };
  const full = input === 'A' ? Number.POSITIVE_INFINITY : halfDecades(2e-3, rangeOf(s, input, seen.x));
  const status = Math.abs(seen.x) > 1.02 * full ? 16 : 0;
  return { status, ohms: seen.x, quadrature: seen.y, watts: rms * rms * Math.abs(seen.x) };
}

/** The resistance range: as set, or by itself the lowest that will do. */
function rangeOf(s: State, input: string, ohms: number): number {
  const [mode, excited, auto, set, ...more] = held(SETTINGS, s, 'INTYPE', input);
  if (auto === '0') return Number(set);
  const best = Math.max(1, Math.min(22, 1 + Math.ceil(2 * Math.log10(Math.max(Math.abs(ohms), 1e-3) / 2e-3))));
  if (String(best) !== set) s.settings[`INTYPE ${input}`] = [mode, excited, auto, String(best), ...more];
  return best;
}

const active = (s: State): string => held(SETTINGS, s, 'SCAN')[0];
const curve = (s: State, input: string): boolean => number(s, 'INSET', input, 3) > 0;
/** RDGST? with what the curve adds: 64 and 128, temperature over and under. */
function status(s: State, input: string): number {
  const { status: electrical, ohms } = s.last[input] ?? NOTHING;
  if (electrical !== 0 || !curve(s, input)) return electrical;
  const t = kelvinOf(ohms);
  return t > 400 ? 64 : t < 0.02 ? 128 : 0;
}
const NOTHING: Measured = { status: 0, ohms: 0, quadrature: 0, watts: 0 };
const kelvin = (s: State, input: string): number => (curve(s, input) && status(s, input) === 0 ? kelvinOf(s.last[input]?.ohms ?? 0) : 0);

const reading =
  (of: (s: State, input: string) => number) =>
  ([input = '']: readonly string[], s: State): string | undefined => {
    const name = INPUTS.find((i) => i === input.toUpperCase());
    return name && signed(status(s, name) === 0 && s.last[name] ? of(s, name) : 0);
  };
const ohms = reading((s, i) => s.last[i].ohms);

/** The set point in what the loop's input prefers, as its ramp has it now. */
const unitsOf = (s: State, output: string): 'K' | 'Ω' => {
  const input = held(SETTINGS, s, 'OUTMODE', output)[1];
  return input !== '0' && number(s, 'INTYPE', input, 5) === 2 ? 'Ω' : 'K';
};
const present = (s: State, output: string): number => s.loops[Number(output)].setPoint;
const ramping = (s: State, output: string): boolean => {
  const [on, rate] = held(SETTINGS, s, 'RAMP', output).map(Number);
  return on === 1 && rate > 0 && present(s, output) !== number(s, 'SETP', output);
};
const among = ([output = '']: readonly string[], all: readonly string[]): string | undefined => all.find((o) => o === output);

const LANGUAGE: Language<State, Dac> = {
  identity: () => 'LSCI,MODEL372,LSA1235/#######,1.3',
  settings: SETTINGS,
  asks: {
    KRDG: reading(kelvin),
    RDGR: ohms,
    SRDG: ohms,
    QRDG: reading((s, i) => s.last[i].quadrature),
    RDGPWR: reading((s, i) => s.last[i].watts),
    RDGST: ([input = ''], s) => (INPUTS.includes(input.toUpperCase()) ? String(status(s, input.toUpperCase())) : undefined),
    SETP: (args, s) => {
      const output = among(args, ['0', '1']);
      return output && signed(present(s, output));
    },
    RAMPST: (args, s) => {
      const output = among(args, ['0', '1']);
      return output && (ramping(s, output) ? '1' : '0');
    },
    // Its own form has no output: the sample heater's.
    HTR: ([output = ''], s) => (output === '' || among([output], OUTPUTS) ? signed(s.loops[Number(output)].output) : undefined),
    AOUT: (args, s) => {
      const output = among(args, ['1', '2']);
      return output && signed(s.loops[Number(output)].output);
    },
    HTRST: (args, s) => {
      if (!among(args, OUTPUTS)) return undefined;
      const error = s.heaterError;
      s.heaterError = 0;
      return String(error);
    },
    ALARMST: ([input = ''], s) => {
      if (!INPUTS.includes(input.toUpperCase())) return undefined;
      const [on, source, high, low] = held(SETTINGS, s, 'ALARM', input.toUpperCase()).map(Number);
      const value = source === 2 ? (s.last[input.toUpperCase()] ?? NOTHING).ohms : kelvin(s, input.toUpperCase());
      return `${on === 1 && value > high ? 1 : 0},${on === 1 && value < low ? 1 : 0}`;
    },
    RELAYST: (args, s) => {
      const relay = among(args, ['1', '2']);
      return relay && (number(s, 'RELAY', relay) === 1 ? '1' : '0');
    },
    MDAT: ([input = ''], s) => {
      const value = reading(kelvin)([input], s);
      return value && `${value},${value}`;
    },
    IEEE: (_args, s) => held(SETTINGS, s, 'ADDRESS')[0],
    RDGRNG: ([input = ''], s) => (MEASURED.includes(input) ? held(SETTINGS, s, 'INTYPE', input).slice(0, 5).join(',') : undefined),
    OPST: () => '0',
    OPSTR: () => '0',
    TUNEST: () => '0,0,0,00',
  },
  does: {
    ALMRST: () => true,
    MNMXRST: () => true,
    IEEE: (args, s) => {
      const address = args.at(-1) ?? '';
      if (!/^\d+$/.test(address) || Number(address) < 1 || Number(address) > 30) return false;
      s.settings.ADDRESS = [String(Number(address))];
      return true;
    },
    CRVDEL: ([curveNumber = ''], s) => {
      if (!(Number(curveNumber) >= 21 && Number(curveNumber) <= 59)) return false;
      for (const key of Object.keys(s.settings))
        if (new RegExp(`^CRV(HDR|PT) ${Number(curveNumber)}( |$)`).test(key)) delete s.settings[key];
      return true;
    },
    DFLT: ([code]) => code === '99',
  },
  allows(name, [key], [first, second]) {
    if (name === 'RANGE') return Number(first) <= (key === '0' ? 8 : 1);
    if (name === 'INTYPE') return Number(second) <= (key === 'A' ? 6 : first === '0' ? 12 : 22);
    return true;
  },
  changed(name, [key], s) {
    if (name === 'SCAN') Object.assign(s, { on: 0, next: 0 });
    if (name === 'RANGE' && number(s, 'RANGE', key) === 0) Object.assign(s.loops[Number(key)], { gathered: 0, output: 0 });
    if (name === 'OUTMODE') Object.assign(s.loops[Number(key)], { gathered: 0, before: undefined });
    if (name === 'SETP' && number(s, 'RAMP', key) === 0) s.loops[Number(key)].setPoint = number(s, 'SETP', key);
  },
  reset(s) {
    for (const l of s.loops) Object.assign(l, loop());
  },
};

/** The scanner: excites its input, waits out the change, reads, and goes on by itself where it is told to. */
function scan(s: State, w: Dac, dt: number): void {
  s.on += dt;
  s.next -= dt;
  const input = active(s);
  const [enabled, dwell, pause] = held(SETTINGS, s, 'INSET', input).map(Number);
  const rms = enabled === 1 ? excitation(s, input) : 0;
  w.probe.drive(s.name, input === '1' && rms > 0 ? { ac: { rms, frequency: HZ[number(s, 'FREQ', '0') - 1] } } : undefined);
  if (s.next <= 1e-9) {
    s.next += PERIOD;
    if (number(s, 'INSET', 'A') === 1) s.last.A = measure(s, w, 'A');
    if (enabled === 1 && s.on >= pause) s.last[input] = measure(s, w, input);
  }
  if (number(s, 'SCAN', '', 1) === 1 && s.on >= pause + dwell) {
    const order = [...MEASURED.slice(Number(input)), ...MEASURED.slice(0, Number(input))];
    const next = order.find((i) => number(s, 'INSET', i) === 1) ?? input;
    s.settings.SCAN = [next, '1'];
    Object.assign(s, { on: 0, next: 0 });
  }
}

function step(s: State, w: Dac, dt: number): void {
  scan(s, w, dt);
  const hot = INPUTS.some((i) => {
    const limit = number(s, 'TLIMIT', i);
    return limit > 0 && curve(s, i) && kelvin(s, i) > limit;
  });
  for (const [i, output] of OUTPUTS.entries()) {
    const l = s.loops[i];
    if (hot && number(s, 'RANGE', output) > 0) s.settings[`RANGE ${output}`] = ['0'];
    const range = number(s, 'RANGE', output);
    const [mode, input] = held(SETTINGS, s, 'OUTMODE', output);
    if (output !== '2') {
      const [on, rate] = held(SETTINGS, s, 'RAMP', output).map(Number);
      const way = on === 1 && rate > 0 ? (rate / 60) * dt : Number.POSITIVE_INFINITY;
      l.setPoint += Math.max(-way, Math.min(way, number(s, 'SETP', output) - l.setPoint));
    }
    const how = Number(mode);
    if (range === 0) l.output = 0;
    else if (how === OPEN_LOOP) l.output = number(s, 'MOUT', output);
    else if (how === STILL) l.output = number(s, 'STILL', '');
    else if (how === WARM_UP) l.output = number(s, 'WARMUP', '', 1);
    else if ((how === CLOSED_LOOP || how === ZONE) && output !== '2') {
      const known = s.last[input] && status(s, input) === 0;
      const measured = !known
        ? undefined
        : unitsOf(s, output) === 'Ω'
          ? s.last[input].ohms
          : curve(s, input)
            ? kelvin(s, input)
            : undefined;
      l.output = control(l, held(SETTINGS, s, 'PID', output).map(Number), measured, dt);
    } else l.output = 0;
    // Per cent of power; the sample heater's ranges are half decades of current, so decades of power.
    const part = range === 0 ? 0 : i === 0 ? 10 ** (range - 8) : 1;
    w.heater(i === 0 ? s.heater : `${s.heater} ${output}`).output = Math.max(0, (part * l.output) / 100);
  }
}

/**
 * An AC resistance bridge: input 1 is the sample in the cell by four wires, input 2 and the control input are ruthenium-oxide chips on the
 * cell and on what the sample heater (output 0) heats; nothing hangs on the others.
 */
export default simulator({
  options: options<Options>({
    terminator: terminator('LF'),
    heater: {
      about: "the world's heater on output 0, whose temperature is on the control input (otherwise the instrument's name)",
      of: (yaml) => (yaml === undefined || typeof yaml === 'string' ? yaml : new Refused('must be a name')),
    },
    inputs: { about: "the driver's own", of: (yaml) => yaml },
  }),
  links: ({ terminator: end = '\n' }: Partial<Options>) => ({ main: lines({ ask: end === '\r\n' ? end : [end, '\r\n'], tell: '\r\n' }) }),
  state: ({ heater }: Partial<Options>, name: string): State => ({
    ...device(),
    name,
    heater: heater ?? name,
    loops: OUTPUTS.map(loop),
    last: {},
    on: 0,
    next: 0,
    heaterError: 0,
  }),
  world: dac,
  answer: { main: (q, s, w) => answer(LANGUAGE, q, s, w) },
  tick: (s, w, _t, dt) => step(s, w, dt),
  think: 0.003,
});
