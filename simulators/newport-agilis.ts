import { text } from '../protocols/text.ts';
import { declared, options, simulator, whole, word } from '../src/simulator.ts';
import { type Bench, bench } from './worlds/bench.ts';

const MODELS = ['AG-UC2', 'AG-UC8'] as const;
interface Options {
  readonly model: (typeof MODELS)[number];
  readonly mode: 'remote' | 'local';
  readonly travel: number;
  readonly tells_channel: 'yes' | 'no';
  readonly motors: unknown;
  readonly confirm: unknown;
}
/** What a motor does: 1 steps to go, 2 jogs, 3 goes to a limit or measures. */
type Motion =
  | { readonly is: 0 }
  | { readonly is: 1; left: number }
  | { readonly is: 2; readonly speed: number; done: number }
  | { readonly is: 3; readonly speed: number; done: number };
interface Motor {
  /** Steps forward less steps backward. */
  count: number;
  /** Part of the travel; there is no limit switch where the travel is 0. */
  place: number;
  forward: number;
  backward: number;
  /** Tens of microseconds. */
  delay: number;
  /** Last argument of PR and of JA. */
  target: number;
  jog: number;
  motion: Motion;
}
interface State {
  readonly model: Options['model'];
  /** Steps of amplitude 16 from one limit to the other; 0 for motors without limit switch. */
  readonly travel: number;
  readonly tellsChannel: boolean;
  readonly motors: Motor[];
  remote: boolean;
  channel: number;
  error: number;
  /** Until then it hears nothing: it measures a position. */
  busy: { readonly until: number; readonly line: string } | undefined;
  readonly said: string[];
}

const FRESH = 16; // amplitude after power-up
/** Steps a second by jog mode, of the defined amplitude or (2, 3) of the largest. */
const SPEED = [0, 5, 100, 1700, 666];
const STEPPING = 750; // steps a second of PR without a delay
const MEASURING = 4; // s
const MOST = 2 ** 31;

const motor = (): Motor => ({ count: 0, place: 0.5, forward: FRESH, backward: FRESH, delay: 0, target: 0, jog: 0, motion: { is: 0 } });
const selected = (s: State, axis: number): Motor => s.motors[2 * (s.channel - 1) + axis - 1];
const moving = (s: State): boolean => s.motors.some((m) => m.motion.is !== 0);
const atLimit = (s: State, m: Motor): boolean => s.travel > 0 && (m.place <= 0 || m.place >= 1);

/** So many steps, as far as the limits let; the counter counts all of them. */
function step(s: State, m: Motor, n: number, largest = false): void {
  m.count += n;
  if (s.travel === 0) return;
  const amplitude = largest ? 50 : n > 0 ? m.forward : m.backward;
  m.place = Math.max(0, Math.min(1, m.place + (n * amplitude) / FRESH / s.travel));
}

const UNKNOWN = -1;
const AXIS = -2;
const FORMAT = -3;
const RANGE = -4;
const LOCAL = -5;
const STATE = -6;

/** The answer to a line, or none; a number is an error. */
type Said = string | undefined | number;
interface Line {
  readonly axis: number | undefined;
  readonly name: string;
  /** What follows the name: "", "?", "+?", "-100". */
  readonly rest: string;
}

/** A whole number within limits, or the error. */
function number(rest: string, lo: number, hi: number): number | 'format' | 'range' {
  if (!/^[+-]?\d+$/.test(rest)) return 'format';
  const n = Number(rest);
  return n >= lo && n <= hi ? n : 'range';
}
function take(rest: string, lo: number, hi: number, set: (n: number) => Said): Said {
  const n = number(rest, lo, hi);
  return typeof n === 'number' ? set(n) : n === 'format' ? FORMAT : RANGE;
}

/** Lines without an axis; undefined where the name is none of these. */
const PLAIN: Readonly<Record<string, (s: State, rest: string) => Said>> = {
  VE: (s, rest) => (rest === '' ? `${s.model} v2.2.1` : FORMAT),
  TE: (s, rest) => (rest === '' ? `TE${s.error}` : FORMAT),
  MR: (s, rest) => (rest !== '' ? FORMAT : moving(s) ? STATE : void (s.remote = true)),
  ML: (s, rest) => (rest !== '' ? FORMAT : moving(s) ? STATE : void (s.remote = false)),
  RS(s, rest) {
    if (rest !== '') return FORMAT;
    s.motors.forEach((m, i) => void (s.motors[i] = { ...motor(), place: m.place }));
    s.remote = false;
    s.channel = 1;
    return undefined;
  },
  PH(s, rest) {
    if (rest !== '') return FORMAT;
    if (!s.remote) return LOCAL;
    return `PH${Number(atLimit(s, selected(s, 1))) + 2 * Number(atLimit(s, selected(s, 2)))}`;
  },
  CC(s, rest) {
    if (s.model !== 'AG-UC8') return UNKNOWN;
    if (!s.remote) return LOCAL;
    if (rest === '?' && s.tellsChannel) return `CC${s.channel}`;
    return take(rest, 1, 4, (n) => (moving(s) ? STATE : void (s.channel = n)));
  },
};

/** Lines of an axis, in remote mode but for TS. */
const AXES: Readonly<Record<string, (s: State, m: Motor, rest: string, axis: number, t: number) => Said>> = {
  TS: (_s, m, rest, axis) => (rest === '' ? `${axis}TS${m.motion.is}` : FORMAT),
  TP: (_s, m, rest, axis) => (rest === '' ? `${axis}TP${m.count}` : FORMAT),
  ZP: (_s, m, rest) => (rest === '' ? void (m.count = 0) : FORMAT),
  ST(_s, m, rest) {
    if (rest !== '') return FORMAT;
    m.motion = { is: 0 };
    m.jog = 0;
    return undefined;
  },
  PR(_s, m, rest, axis) {
    if (rest === '?') return `${axis}PR${m.target}`;
    return take(rest, -MOST, MOST - 1, (n) => {
      if (m.motion.is !== 0) return STATE;
      m.target = n;
      if (n !== 0) m.motion = { is: 1, left: n };
      return undefined;
    });
  },
  JA(_s, m, rest, axis) {
    if (rest === '?') return `${axis}JA${m.jog}`;
    return take(rest, -4, 4, (n) => {
      if (m.motion.is === 1 || m.motion.is === 3) return STATE;
      m.jog = n;
      m.motion = n === 0 ? { is: 0 } : { is: 2, speed: n, done: 0 };
      return undefined;
    });
  },
  MV(s, m, rest, axis) {
    if (rest === '?') return `${axis}MV${m.motion.is === 3 ? m.motion.speed : 0}`;
    return take(rest, -4, 4, (n) => {
      if (m.motion.is === 1 || m.motion.is === 2) return STATE;
      m.motion = n === 0 || s.travel === 0 ? { is: 0 } : { is: 3, speed: n, done: 0 };
      return undefined;
    });
  },
  SU(_s, m, rest, axis) {
    if (rest === '+?' || rest === '?') return `${axis}SU+${m.forward}`;
    if (rest === '-?') return `${axis}SU-${m.backward}`;
    return take(rest, -50, 50, (n) => {
      if (n === 0) return RANGE;
      if (m.motion.is !== 0) return STATE;
      return void (n > 0 ? (m.forward = n) : (m.backward = -n));
    });
  },
  DL(_s, m, rest, axis) {
    if (rest === '?') return `${axis}DL${m.delay}`;
    return take(rest, 0, 200000, (n) => (m.motion.is === 0 ? void (m.delay = n) : STATE));
  },
  MA: (s, m, rest, axis, t) => (rest === '' ? measure(s, m, axis, 'MA', undefined, t) : FORMAT),
  PA: (s, m, rest, axis, t) => take(rest, 0, 1000, (n) => measure(s, m, axis, 'PA', n, t)),
};

/** To both limits and back, or to a place: in the meantime nothing is heard. */
function measure(s: State, m: Motor, axis: number, name: string, to: number | undefined, t: number): Said {
  if (s.travel === 0 || m.motion.is !== 0) return STATE;
  if (to !== undefined) m.place = to / 1000;
  s.busy = { until: t + MEASURING, line: `${axis}${name}${Math.round(m.place * 1000)}` };
  return undefined;
}

function carryOut(s: State, { axis, name, rest }: Line, t: number): Said {
  const plain = PLAIN[name];
  if (plain) return axis === undefined ? plain(s, rest) : AXIS;
  const own = AXES[name];
  if (!own) return UNKNOWN;
  if (axis !== 1 && axis !== 2) return AXIS;
  if (!s.remote && name !== 'TS') return LOCAL;
  return own(s, selected(s, axis), rest, axis, t);
}

function answer(line: string, s: State, _world: Bench, t: number): readonly string[] {
  if (s.busy) return [];
  // Blanks mean nothing.
  const [, axis, name = '', rest = ''] = /^(\d*)([A-Z]{2})(.*)$/.exec(line.replaceAll(' ', '')) ?? [];
  const said = carryOut(s, { axis: axis ? Number(axis) : undefined, name, rest }, t);
  s.error = typeof said === 'number' ? said : 0;
  return typeof said === 'string' ? [said] : [];
}

/** Motion of one tick. */
function move(s: State, m: Motor, dt: number): void {
  const { motion } = m;
  if (motion.is === 0) return;
  if (motion.is === 1) {
    const most = Math.max(1, Math.floor(dt / (1 / STEPPING + m.delay * 1e-5)));
    const n = Math.sign(motion.left) * Math.min(Math.abs(motion.left), most);
    step(s, m, n);
    motion.left -= n;
    if (motion.left === 0) m.motion = { is: 0 };
    return;
  }
  const size = Math.abs(motion.speed);
  motion.done += SPEED[size] * dt;
  const n = Math.floor(motion.done + 1e-9);
  motion.done -= n;
  step(s, m, Math.sign(motion.speed) * n, size === 2 || size === 3);
  if (motion.is === 3 && (motion.speed > 0 ? m.place >= 1 : m.place <= 0)) m.motion = { is: 0 };
}

/** A controller of piezo motors without encoder, as another program has left it: in remote mode, unless told otherwise. */
export default simulator({
  options: options<Options>({
    model: word('which controller', MODELS, 'AG-UC2'),
    mode: word('remote, or local as after power-up', ['remote', 'local'] as const, 'remote'),
    travel: whole('steps between the limit switches; 0: motors without', 0, 1_000_000, 0),
    tells_channel: word('whether it answers CC?', ['yes', 'no'] as const, 'yes'),
    motors: declared("the driver's own", (part) => part.yaml),
    confirm: declared("the driver's own", (part) => part.yaml),
  }),
  links: { main: text({ ask: '\r\n', tell: '\r\n' }) },
  state: ({ model = 'AG-UC2', mode = 'remote', travel = 0, tells_channel = 'yes' }: Partial<Options>): State => ({
    model,
    travel,
    tellsChannel: tells_channel === 'yes',
    motors: Array.from({ length: model === 'AG-UC8' ? 8 : 2 }, motor),
    remote: mode === 'remote',
    channel: 1,
    error: 0,
    busy: undefined,
    said: [],
  }),
  world: bench,
  answer: { main: answer },
  unasked: { main: { every: 0.1, say: (s) => s.said.splice(0) } },
  tick(s, _world, t, dt) {
    for (const m of s.motors) move(s, m, dt);
    if (!s.busy || t < s.busy.until) return;
    s.said.push(s.busy.line);
    s.busy = undefined;
  },
  think: 0.001,
});
