import { decimal, text } from '../protocols/text.ts';
import { type Field, options, simulator, whole, word } from '../src/simulator.ts';
import { type Dac, dac } from './worlds/dac.ts';

const VERSIONS = {
  hl: 'JULABO HIGHTECH FL HL/SL VERSION 4.0',
  mh: 'JULABO FP50_MH VERSION 3.0',
  he: 'JULABO FP50-HE VERSION 4.1',
  fc: 'JULABO FC600 VERSION 2.0',
  fl: 'JULABO FL300 VERSION 1.2',
} as const;
type Family = keyof typeof VERSIONS;

interface Options {
  readonly device: Family;
  readonly terminator: 'CRLF' | 'LF';
  readonly load: number;
  readonly family?: unknown;
}

interface State {
  readonly name: string;
  readonly device: Family;
  /** W that the water carries in from what it cools. */
  readonly load: number;
  /** °C. */
  bath: number;
  external: number;
  readonly setPoints: number[];
  preset: number;
  high: number;
  low: number;
  running: boolean;
  /** Remote control, chosen at the panel. */
  remote: boolean;
  fahrenheit: boolean;
  byExternal: boolean;
  /** Per cent: heating above, cooling below zero. */
  power: number;
  gathered: number;
  readonly parameters: Record<string, number>;
  pump: number;
  /** "-01 LOW LEVEL ALARM" and the like, while it lasts. */
  alarm: string;
  /** What was wrong with the last command; told once. */
  error: string;
}

const HEAT = 2000; // W
const COOL = 1200; // W
const CAPACITY = 8 * 4180; // J/K: 8 litres of water
const TO_ROOM = 5; // W/K

const INVALID = '-08 INVALID COMMAND';
const NOT_NOW = '-09 COMMAND NOT ALLOWED IN CURRENT OPERATING MODE';
const SMALL = '-10 VALUE TOO SMALL';
const LARGE = '-11 VALUE TOO LARGE';

const shown = (s: State, celsius: number): string => (s.fahrenheit ? celsius * 1.8 + 32 : celsius).toFixed(2);
const status = (s: State): string => {
  if (s.alarm !== '') return s.alarm;
  const { error } = s;
  s.error = '';
  if (error !== '') return error;
  return `0${(s.remote ? 2 : 0) + (s.running ? 1 : 0)} ${s.remote ? 'REMOTE' : 'MANUAL'} ${s.running ? 'START' : 'STOP'}`;
};

type Get = (s: State, w: Dac) => string;
type Set = (s: State, n: number) => void;
interface Setting {
  readonly lo: number;
  readonly hi: number;
  readonly set: Set;
}

const bath: Get = (s, w) => shown(s, s.bath + 0.01 * w.noise(`${s.name} bath`));
const external: Get = (s, w) => shown(s, s.external + 0.02 * w.noise(`${s.name} external`));
const power: Get = (s) => (s.running ? s.power : 0).toFixed(1);
const setPoint =
  (n: number): Get =>
  (s) =>
    shown(s, s.setPoints[n] ?? 0);
const high: Get = (s) => shown(s, s.high);
const low: Get = (s) => shown(s, s.low);

const BASIC: Readonly<Record<string, Get>> = {
  IN_PV_00: bath,
  IN_SP_00: setPoint(0),
  IN_MODE_05: (s) => (s.running ? '1' : '0'),
};
const parameters: Readonly<Record<string, Get>> = Object.fromEntries(
  ['06', '07', '08', '09', '11', '12'].map((n): [string, Get] => [
    `IN_PAR_${n}`,
    (s) => (s.parameters[n] ?? 0).toFixed(/06|09/.test(n) ? 1 : 0),
  ]),
);
const mode04: Get = (s) => (s.byExternal ? '1' : '0');
const GETS: Readonly<Record<Family, Readonly<Record<string, Get>>>> = {
  hl: {
    ...BASIC,
    ...parameters,
    ...{ IN_PV_01: power, IN_PV_02: external, IN_PV_03: (s, w) => shown(s, s.bath + 0.3 + 0.05 * w.noise(`${s.name} safety`)) },
    IN_PV_04: (s) => shown(s, 80),
    ...{ IN_SP_01: setPoint(1), IN_SP_02: setPoint(2), IN_SP_03: high, IN_SP_04: low },
    IN_SP_06: (s) => (s.fahrenheit ? '1' : '0'),
    IN_SP_07: (s) => String(s.pump),
    IN_MODE_01: (s) => String(s.preset),
    ...{ IN_MODE_02: () => '0', IN_MODE_03: () => '0', IN_MODE_04: mode04 },
  },
  mh: { ...BASIC, ...parameters, IN_PV_01: external, IN_PV_02: power, IN_SP_01: high, IN_SP_02: low, IN_MODE_04: mode04 },
  he: { ...BASIC, ...parameters, IN_PV_01: external, IN_PV_02: power, IN_SP_03: high, IN_SP_04: low, IN_MODE_04: mode04 },
  fc: {
    ...BASIC,
    ...{ IN_PV_01: external, IN_PV_02: power, IN_PV_03: (s) => shown(s, s.bath + s.load / 500), IN_PV_04: bath },
    ...{ IN_SP_01: high, IN_SP_02: low, IN_SP_03: () => '10', IN_MODE_04: () => '0' },
  },
  fl: BASIC,
};

const onOff = (take: (s: State, on: boolean) => void): Setting => ({ lo: 0, hi: 1, set: (s, n) => take(s, n === 1) });
const parameter = (n: string, lo: number, hi: number): Readonly<Record<string, Setting>> => ({
  [`OUT_PAR_${n}`]: { lo, hi, set: (s, value) => void (s.parameters[n] = value) },
});
const START: Readonly<Record<string, Setting>> = {
  OUT_SP_00: { lo: -94.99, hi: 300, set: (s, n) => void (s.setPoints[0] = n) },
  OUT_MODE_05: onOff((s, on) => void (s.running = on)),
};
const TUNING: Readonly<Record<string, Setting>> = {
  ...parameter('06', 0.1, 99.9),
  ...parameter('07', 3, 9999),
  ...parameter('08', 0, 999),
  ...parameter('09', 0.1, 99.9),
  ...parameter('11', 3, 9999),
  ...parameter('12', 0, 999),
  OUT_MODE_04: onOff((s, on) => void (s.byExternal = on)),
};
const SETS: Readonly<Record<Family, Readonly<Record<string, Setting>>>> = {
  hl: {
    ...START,
    ...TUNING,
    OUT_SP_01: { lo: -94.99, hi: 300, set: (s, n) => void (s.setPoints[1] = n) },
    OUT_SP_02: { lo: -94.99, hi: 300, set: (s, n) => void (s.setPoints[2] = n) },
    OUT_SP_03: { lo: -94.99, hi: 305, set: (s, n) => void (s.high = n) },
    OUT_SP_04: { lo: -94.99, hi: 305, set: (s, n) => void (s.low = n) },
    OUT_SP_07: { lo: 1, hi: 4, set: (s, n) => void (s.pump = n) },
    OUT_MODE_01: { lo: 0, hi: 2, set: (s, n) => void (s.preset = n) },
  },
  mh: { ...START, ...TUNING },
  he: { ...START, ...TUNING },
  fc: { ...START, OUT_SP_03: { lo: 0, hi: 100, set: () => {} }, OUT_MODE_04: onOff(() => {}) },
  fl: START,
};

/** An in command is answered, an out command never; what is wrong is found by asking for the status. */
function answer(line: string, s: State, w: Dac): readonly string[] {
  const [written = '', ...rest] = line.trim().split(/\s+/);
  const head = written.toUpperCase();
  if (head === 'VERSION' && rest.length === 0) return [VERSIONS[s.device]];
  if (head === 'STATUS' && rest.length === 0) return [status(s)];
  const gets = GETS[s.device];
  if (Object.hasOwn(gets, head) && rest.length === 0) return [gets[head](s, w)];
  s.error = set(s, head, rest);
  return [];
}

function set(s: State, head: string, [argument = '', ...more]: readonly string[]): string {
  const sets = SETS[s.device];
  if (!Object.hasOwn(sets, head) || more.length > 0) return INVALID;
  const given = decimal(argument);
  if (Number.isNaN(given)) return INVALID;
  if (!s.remote) return NOT_NOW;
  const { lo, hi, set: take } = sets[head];
  const n = s.fahrenheit && /^OUT_SP_0[0-4]$/.test(head) ? (given - 32) / 1.8 : given;
  if (n < lo - 1e-9) return SMALL;
  if (n > hi + 1e-9) return LARGE;
  take(s, n);
  return '';
}

/** PI with the device's own Xp (K for full heating) and Tn; the water also takes up what it cools, and the room's share. */
function control(s: State, room: number, dt: number): void {
  const [band = 1, integral = 1] = [s.parameters['06'], s.parameters['07']];
  const target = s.setPoints[s.preset] ?? s.bath;
  const off = target - (s.byExternal ? s.external : s.bath);
  const step = (off / band) * (dt / integral);
  const wanted = off / band + s.gathered + step;
  if ((wanted < 1 || step < 0) && (wanted > -1 || step > 0)) s.gathered = Math.max(-1, Math.min(1, s.gathered + step));
  s.power = s.running ? 100 * Math.max(-1, Math.min(1, wanted)) : 0;
  if (!s.running) s.gathered = 0;
  const watts = (s.power > 0 ? HEAT : COOL) * (s.power / 100) + (s.running ? s.load : 0) + TO_ROOM * (room - s.bath);
  s.bath += (watts * dt) / CAPACITY;
  s.external += ((s.running ? s.bath + s.load / 500 : room) - s.external) * (1 - Math.exp(-dt / 30));
}

const theirs: Field<unknown> = { about: "the driver's own", of: (yaml) => yaml };

/** A bath with pump, heater and compressor beside the world `dac`: the room's air is all that it has of it. Written from the manuals. */
export default simulator({
  options: options<Options>({
    device: word('what kind it is', ['hl', 'mh', 'he', 'fc', 'fl'], 'hl'),
    terminator: word('end of an answer', ['CRLF', 'LF'], 'CRLF'),
    load: whole('W of what it cools', 0, 1000, 200),
    family: theirs,
  }),
  links: ({ terminator = 'CRLF' }: Partial<Options>) => ({
    main: text({ ask: ['\r', '\r\n'], tell: terminator === 'LF' ? '\n' : '\r\n' }),
  }),
  state: ({ device = 'hl', load = 200 }: Partial<Options>, name: string): State => ({
    ...{ name, device, load, bath: 22, external: 22, setPoints: [20, 25, 30], preset: 0, high: 95, low: 2 },
    ...{ running: false, remote: true, fahrenheit: false, byExternal: false, power: 0, gathered: 0, pump: 2, alarm: '', error: '' },
    parameters: { '06': 1.5, '07': 180, '08': 20, '09': 1.5, '11': 300, '12': 30 },
  }),
  world: dac,
  answer: { main: answer },
  tick: (s, w, _t, dt) => control(s, w.roomTemperature - 273.15, dt),
  think: 0.01,
});
