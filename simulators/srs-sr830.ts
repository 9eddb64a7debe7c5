import { fromLatin1 } from '../protocols/protocol.ts';
import { text } from '../protocols/text.ts';
import { options, simulator, terminator, whole } from '../src/simulator.ts';
import { type Dac, dac } from './worlds/dac.ts';
import { type Detector, detect, detector, driveSine, external, noiseOf, type Stages } from './worlds/lock-in.ts';
import { due, emptied, keep, RAW, type Store, started, storeTable } from './worlds/sr830-store.ts';
import {
  asked,
  doing,
  type Entry,
  general,
  listed,
  numeric,
  obey,
  type Registers,
  registers,
  registerTable,
  single,
} from './worlds/srs-commands.ts';

interface Options {
  readonly terminator: string;
  readonly resistor: number;
  readonly every?: unknown;
  readonly auto_range?: unknown;
  readonly noise?: unknown;
}

/** Settings by their command's word, as the manual's reset leaves them (SR830 manual, "*RST"). */
const RESET = {
  PHAS: 0,
  FMOD: 1,
  FREQ: 1000,
  RSLP: 0,
  HARM: 1,
  SLVL: 1,
  ISRC: 0,
  IGND: 0,
  ICPL: 0,
  ILIN: 0,
  SENS: 26,
  RMOD: 2,
  OFLT: 8,
  OFSL: 1,
  SYNC: 0,
  SRAT: 4,
  SEND: 1,
  TSTR: 0,
  FAST: 0,
  OUTX: 0,
  OVRM: 0,
  LOCL: 0,
  KCLK: 1,
  ALRM: 1,
};
type Word = keyof typeof RESET;

interface State extends Registers {
  readonly name: string;
  readonly resistor: number;
  set: Record<Word, number>;
  auxOut: number[];
  /** Per X, Y, R: per cent of full scale, and 0, 1, 2 for an expand by 1, 10, 100. */
  offset: number[];
  expand: number[];
  /** Per channel: what it shows, over what, and what its output has. */
  display: number[];
  ratio: number[];
  output: number[];
  readonly setups: Record<string, string>;
  readonly held: Detector;
  /** Hz, of the reference that is locked to; 0 without one. */
  reference: number;
  unlockedUntil: number;
  /** Detection is in the upper range of frequency. */
  upper: boolean;
  store: Store;
}

const NOISE = 6e-9; // V/sqrt(Hz) at 1 kHz (specifications)
const RESERVE = [1000, 100, 10]; // largest input over full scale: high, normal, low noise
/** 1-2-5 from 2 nV up, 1-3 from 10 us up. */
const SENSITIVITIES = Array.from({ length: 27 }, (_, i) => Number(`${[2, 5, 10][i % 3]}e${Math.floor(i / 3) - 9}`));
const TIMES = Array.from({ length: 20 }, (_, i) => Number(`${[1, 3][i % 2]}e${Math.floor(i / 2) - 5}`));

/** Index of 30 s: longer time constants are for frequencies below 200 Hz. */
const LONG = 13;
/** Hz of detection; above it there are no longer time constants. */
const UPPER = 203.12;

const fullScale = (s: State): number => SENSITIVITIES[s.set.SENS];
const tau = (s: State): number => TIMES[s.set.OFLT];
const stages = (s: State): Stages => (s.set.OFSL + 1) as Stages; // 0 to 3, checked where it is set
const current = (s: State): boolean => s.set.ISRC >= 2;

/** X, Y, R in full scales less their offsets, and theta in degrees. */
function outputs(s: State): readonly [number, number, number, number] {
  const n = stages(s) - 1;
  const [x, y] = [s.held.x[n] / fullScale(s), s.held.y[n] / fullScale(s)];
  const clip = (v: number): number => Math.max(-1.09, Math.min(1.09, v));
  const shown = [x, y, Math.hypot(x, y)].map((v, i) => clip(v - s.offset[i] / 100));
  return [shown[0], shown[1], shown[2], (Math.atan2(y, x) * 180) / Math.PI];
}
/** V (A of a current input, whose scale is a millionth). */
const volts = (s: State, part: number): number => part * fullScale(s) * (current(s) ? 1e-6 : 1);
/** An auxiliary input with nothing on it, in steps of 1/3 mV. */
const auxIn = (s: State, w: Dac, i: number): number => Math.round(0.5 * w.noise(`${s.name} aux ${i}`)) / 3000;

/** What a channel's display shows (DDEF). */
function shown(s: State, w: Dac, channel: number): number {
  const [x, y, r, theta] = outputs(s);
  const value = [
    [volts(s, x), volts(s, r), noiseOf(s.held, 0, tau(s), stages(s)), auxIn(s, w, 0), auxIn(s, w, 1)],
    [volts(s, y), theta, noiseOf(s.held, 1, tau(s), stages(s)), auxIn(s, w, 2), auxIn(s, w, 3)],
  ][channel][s.display[channel]];
  const over = s.ratio[channel];
  return over === 0 ? value : value / (auxIn(s, w, 2 * channel + over - 1) || 1 / 3000);
}
/** By the index of SNAP?. */
function snapped(s: State, w: Dac, i: number): number {
  const [x, y, r, theta] = outputs(s);
  if (i >= 10) return shown(s, w, i - 10);
  return [volts(s, x), volts(s, y), volts(s, r), theta, ...[0, 1, 2, 3].map((n) => auxIn(s, w, n)), s.reference][i - 1];
}

/** The lowest full scale above 1.1 times what is there, as auto gain finds it. */
function autoGain(s: State): void {
  const n = stages(s) - 1;
  const r = Math.hypot(s.held.x[n], s.held.y[n]);
  const found = SENSITIVITIES.findIndex((full) => full > 1.1 * r);
  s.set.SENS = found < 0 ? SENSITIVITIES.length - 1 : found;
}
function autoOffset(s: State, i: number): void {
  const n = stages(s) - 1;
  const v = [s.held.x[n], s.held.y[n], Math.hypot(s.held.x[n], s.held.y[n])][i] / fullScale(s);
  s.offset[i] = Math.max(-105, Math.min(105, Math.round(1e4 * v) / 100));
}
function frequency(s: State, n: number): boolean {
  if (Number.isNaN(n) || s.set.FMOD === 0 || n * s.set.HARM > 102000) return false;
  s.set.FREQ = n >= 10 ? Number(n.toPrecision(5)) : Math.round(1e4 * n) / 1e4;
  return true;
}
/** Hz: an internal one is there at once. */
const reference = (s: State): number => (s.set.FMOD === 1 ? s.set.FREQ : s.reference);
const rate = (s: State): number => 2 ** (s.set.SRAT - 4);
const settings = ({ set, auxOut, offset, expand, display, ratio, output }: State) => ({
  set,
  auxOut,
  offset,
  expand,
  display,
  ratio,
  output,
});
const cents = (n: number): string => String(Math.round(100 * n) / 100);
const wrap = (degrees: number): number => Math.round(100 * (((((degrees + 180) % 360) + 360) % 360) - 180)) / 100;
const of = (s: State): Record<string, number> => s.set;
const index = (name: Word, hi: number, lo = 0) => single<State>(name, of, lo, hi);

const TABLE: ReadonlyMap<string, Entry<State>> = new Map<string, Entry<State>>([
  ...registerTable<State>(8, (s) => (s.store.state === 'running' ? 2 : 3)),
  ...storeTable<State>(),
  single<State>('PHAS', of, -360, 729.99, { whole: false, form: (n) => n.toFixed(2), then: wrap }),
  ['FREQ', { get: (s) => general(reference(s)), set: (s, args) => args.length === 1 && frequency(s, numeric(args[0], 0.001, 102000)) }],
  single<State>('HARM', of, 1, 19999, { then: (n, s) => Math.min(n, Math.max(1, Math.floor(102000 / s.set.FREQ))) }),
  single<State>('SLVL', of, 0.004, 5, { whole: false, form: (n) => n.toFixed(3), then: (n) => Math.round(500 * n) / 500 }),
  single<State>('OFLT', of, 0, 19, { then: (n, s) => (n > LONG && reference(s) * s.set.HARM > UPPER ? Number.NaN : n) }),
  index('FMOD', 1),
  index('RSLP', 2),
  index('ISRC', 3),
  index('IGND', 1),
  index('ICPL', 1),
  index('ILIN', 3),
  index('SENS', 26),
  index('RMOD', 2),
  index('OFSL', 3),
  index('SYNC', 1),
  index('SRAT', 14),
  index('SEND', 1),
  index('TSTR', 1),
  index('FAST', 2),
  index('OUTX', 1),
  index('OVRM', 1),
  index('LOCL', 2),
  index('KCLK', 1),
  index('ALRM', 1),
  listed<State>('DDEF', 1, { of: (s) => s.display, lo: 0, hi: 4 }, { of: (s) => s.ratio, lo: 0, hi: 2 }),
  listed<State>('FPOP', 1, { of: (s) => s.output, lo: 0, hi: 1 }),
  listed<State>('OEXP', 1, { of: (s) => s.offset, lo: -105, hi: 105, whole: false, form: cents }, { of: (s) => s.expand, lo: 0, hi: 2 }),
  listed<State>('AUXV', 1, { of: (s) => s.auxOut, lo: -10.5, hi: 10.5, whole: false, form: (n) => n.toFixed(3) }),
  asked<State>('OAUX', 1, 4, (s, i, w) => general(auxIn(s, w, i - 1))),
  asked<State>('OUTP', 1, 4, (s, i, w) => general(snapped(s, w, i))),
  asked<State>('OUTR', 1, 2, (s, i, w) => general(shown(s, w, i - 1))),
  [
    'SNAP',
    {
      get(s, args, w) {
        const which = args.map((a) => numeric(a, 1, 11, true));
        if (which.length < 2 || which.length > 6 || which.some(Number.isNaN)) return undefined;
        return which.map((i) => general(snapped(s, w, i))).join(',');
      },
    },
  ],
  [
    'AOFF',
    {
      set(s, [which]) {
        const i = numeric(which, 1, 3, true);
        if (!Number.isNaN(i)) autoOffset(s, i - 1);
        return !Number.isNaN(i);
      },
    },
  ],
  doing<State>('AGAN', autoGain),
  doing<State>('ARSV', (s) => void (s.set.RMOD = 1)),
  doing<State>('APHS', (s) => void (s.set.PHAS = wrap(s.set.PHAS + outputs(s)[3]))),
  doing<State>('STRT', (s, _w, t) => started(s.store, t, rate(s))),
  doing<State>('STRD', (s, _w, t) => started(s.store, t + 0.5, rate(s))),
  doing<State>('TRIG', (s, w, t) => {
    s.lias |= 64;
    if (s.set.TSTR === 1) started(s.store, t, rate(s));
    if (s.set.SRAT === 14) keep(s.store, [shown(s, w, 0), shown(s, w, 1)], s.set.SEND === 1, rate(s));
  }),
  [
    'SSET',
    {
      set(s, [which]) {
        if (Number.isNaN(numeric(which, 1, 9, true))) return false;
        s.setups[String(which)] = JSON.stringify(settings(s));
        return true;
      },
    },
  ],
  [
    'RSET',
    {
      set(s, [which]) {
        const kept = s.setups[String(which)];
        if (Number.isNaN(numeric(which, 1, 9, true)) || kept === undefined) return false;
        Object.assign(s, JSON.parse(kept));
        return true;
      },
    },
  ],
  ['*IDN', { get: () => 'Stanford_Research_Systems,SR830,s/n70830,ver1.07' }],
  doing<State>('*RST', (s) => {
    Object.assign(s, fresh({ OUTX: s.set.OUTX }));
    emptied(s.store);
  }),
]);

const fresh = (other: Partial<Record<Word, number>>) => ({
  set: { ...RESET, ...other },
  auxOut: [0, 0, 0, 0],
  offset: [0, 0, 0],
  expand: [0, 0, 0],
  display: [0, 0],
  ratio: [0, 0],
  output: [0, 0],
});

/** Bits that stay until they are read: overloads and unlock. */
function latch(s: State, t: number): void {
  const full = fullScale(s);
  const n = stages(s) - 1;
  const [x, y] = [s.held.x[n] / full, s.held.y[n] / full];
  const input = s.held.peak > Math.SQRT2 * Math.min(1.09, full * RESERVE[s.set.RMOD]);
  const filter = Math.hypot(s.held.x[0], s.held.y[0]) > 5 * full;
  const output = [x, y, Math.hypot(x, y)].some((v, i) => Math.abs(v - s.offset[i] / 100) * 10 ** s.expand[i] > 1.09);
  const unlocked = s.reference === 0 || t < s.unlockedUntil;
  s.now = (input ? 1 : 0) + (filter ? 2 : 0) + (output ? 4 : 0) + (unlocked ? 8 : 0);
  s.lias |= s.now;
}

/** The reference loop follows within some cycles; another range of frequency has no long time constants. */
function follow(s: State, w: Dac, t: number): void {
  const wanted = s.set.FMOD === 1 ? s.set.FREQ : (external(w, s.name) ?? 0);
  const was = s.upper;
  s.upper = wanted * s.set.HARM > UPPER;
  if (wanted === s.reference && s.upper === was) return;
  s.reference = wanted;
  s.unlockedUntil = wanted > 0 ? t + 0.05 + 5 / wanted : 0;
  if (s.upper !== was) s.lias |= 16;
  if (!s.upper || s.set.OFLT <= LONG) return;
  s.set.OFLT = LONG;
  s.lias |= 32;
}

/**
 * A lock-in on the voltage contacts of the sample; its sine output drives the sample through a resistor. It answers on every link as on
 * its GPIB port; "terminator: CR" as on RS-232. What it does not understand is not answered and sets a bit of *ESR?.
 */
export default simulator({
  options: options<Options>({
    terminator: terminator('LF'),
    resistor: whole('ohm between the sine output and the sample', 0, 10_000_000, 1000),
    every: { about: "the driver's own", of: (yaml) => yaml },
    auto_range: { about: "the driver's own", of: (yaml) => yaml },
    noise: { about: "the driver's own", of: (yaml) => yaml },
  }),
  links({ terminator: end = '\n' }: Partial<Options>) {
    const lines = text({ ask: ['\n', '\r', '\r\n'], tell: end });
    const encode = (m: string) => (m.startsWith(RAW) ? fromLatin1(m.slice(RAW.length)) : lines.tells.encode(m));
    return { main: { ...lines, tells: { ...lines.tells, encode } } };
  },
  state: ({ resistor = 1000 }: Partial<Options>, name: string): State => ({
    name,
    resistor,
    ...fresh({ SLVL: 0.004, SENS: 17 }), // as it was left: its lowest sine, 1 mV
    ...registers(),
    setups: {},
    held: detector(),
    reference: RESET.FREQ,
    unlockedUntil: 0,
    upper: true,
    store: { state: 'reset', since: 0, one: [], two: [] },
  }),
  world: dac,
  answer: { main: (line, s, w, t) => obey(TABLE, line, s, w, t) },
  tick(s, w, t, dt) {
    follow(s, w, t);
    driveSine(w, s.name, s.reference > 0 ? s.set.SLVL : 0, s.reference, s.resistor);
    const d = {
      name: s.name,
      frequency: s.reference,
      harmonic: s.set.HARM,
      phase: (s.set.PHAS * Math.PI) / 180,
      tau: tau(s),
      stages: stages(s),
      noise: NOISE,
      connected: !current(s),
      direct: s.set.ICPL === 1,
    };
    const moments = s.set.SRAT < 14 ? due(s.store, t, dt, rate(s)) : [];
    detect(s.held, w, d, t, dt, moments, () => keep(s.store, [shown(s, w, 0), shown(s, w, 1)], s.set.SEND === 1, rate(s)));
    latch(s, t);
  },
});
