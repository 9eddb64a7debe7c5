import { scpi } from '../protocols/scpi.ts';
import { options, simulator, terminator, whole } from '../src/simulator.ts';
import { type Dac, dac } from './worlds/dac.ts';
import { type Detector, detect, detector, driveSine, enbw, external, noiseOf, type Stages } from './worlds/lock-in.ts';
import { type Capture, capture, captureTable, due, highestRate, take } from './worlds/sr860-capture.ts';
import {
  asked,
  doing,
  type Entry,
  listed,
  numeric,
  obey,
  type Registers,
  registers,
  registerTable,
  scientific,
  single,
  wordIndex,
} from './worlds/srs-commands.ts';

interface Options {
  readonly terminator: string;
  readonly resistor: number;
  readonly every?: unknown;
  readonly auto_range?: unknown;
  readonly noise?: unknown;
}

/** Settings by their command's word, as the manual's reset leaves them. */
const RESET = {
  PHAS: 0,
  FREQINT: 100000,
  HARM: 1,
  HARMDUAL: 1,
  SLVL: 0,
  SOFF: 0,
  REFM: 0,
  RSRC: 0,
  RTRG: 0,
  REFZ: 1,
  TBMODE: 0,
  BLADESLOTS: 1,
  BLADEPHASE: 0,
  IVMD: 0,
  ISRC: 0,
  ICPL: 0,
  IGND: 1,
  IRNG: 0,
  ICUR: 0,
  SCAL: 0,
  OFLT: 10,
  OFSL: 0,
  SYNC: 0,
  ADVFILT: 1,
  DBLK: 0,
  DLAY: 0,
  GSPD: 3,
  GLIV: 1,
  LOCL: 0,
  OVRM: 1,
  KEYC: 1,
};
type Word = keyof typeof RESET;

interface State extends Registers {
  readonly name: string;
  readonly resistor: number;
  set: Record<Word, number>;
  auxOut: number[];
  presetF: number[];
  presetA: number[];
  presetL: number[];
  output: number[];
  expand: number[];
  offsetOn: number[];
  offset: number[];
  ratio: number[];
  display: number[];
  graph: number[];
  readonly held: Detector;
  /** Hz that is detected is the harmonic of this; 0 while an external reference is missing. */
  reference: number;
  unlockedUntil: number;
  readonly capture: Capture;
}

const NOISE = 2.5e-9; // V/sqrt(Hz) at 1 kHz (specifications)
const RANGES = [1, 0.3, 0.1, 0.03, 0.01]; // V peak
/** 1-5-2 from 1 V down, 1-3 from 1 us up. */
const SCALES = Array.from({ length: 28 }, (_, i) => Number(`${[10, 5, 2][i % 3]}e${-1 - Math.floor(i / 3)}`));
const TIMES = Array.from({ length: 22 }, (_, i) => Number(`${[1, 3][i % 2]}e${Math.floor(i / 2) - 6}`));
const PARAMETERS = [
  'X',
  'Y',
  'R',
  'THETA',
  'IN1',
  'IN2',
  'IN3',
  'IN4',
  'XNOISE',
  'YNOISE',
  'OUT1',
  'OUT2',
  'PHASE',
  'SAMP',
  'LEVEL',
  'FINT',
  'FEXT',
];

const tau = (s: State): number => TIMES[s.set.OFLT];
const stages = (s: State): Stages => (s.set.OFSL + 1) as Stages; // 0 to 3, checked where it is set
const current = (s: State): boolean => s.set.IVMD === 1;
const wrap = (degrees: number): number => ((((degrees + 180) % 360) + 360) % 360) - 180;
const auxIn = (s: State, w: Dac, i: number): number => 1e-4 * w.noise(`${s.name} aux ${i}`);

/** X, Y, R, theta: the input's range cuts off, the sensitivity does not (it belongs to the analogue outputs). */
function outputs(s: State): readonly number[] {
  const n = stages(s) - 1;
  const clip = (v: number): number => Math.max(-1.1, Math.min(1.1, v / RANGES[s.set.IRNG])) * RANGES[s.set.IRNG];
  const [x, y] = [clip(s.held.x[n]), clip(s.held.y[n])];
  return [x, y, Math.hypot(x, y), (Math.atan2(y, x) * 180) / Math.PI];
}
function parameter(s: State, i: number, w: Dac): number {
  if (i < 4) return outputs(s)[i];
  if (i < 8) return auxIn(s, w, i - 4);
  if (i < 10) return noiseOf(s.held, i === 8 ? 0 : 1, tau(s), stages(s)) * Math.sqrt(enbw(tau(s), stages(s)));
  return [s.auxOut[0], s.auxOut[1], s.set.PHAS, s.set.SLVL, s.set.SOFF, s.set.FREQINT, external(w, s.name) ?? 0][i - 10];
}
const float = (v: number): string => scientific(v, 9);
const value = (s: State, i: number, w: Dac): string => float(parameter(s, i, w));
/** A place in the list of parameters, by number or word. */
function which(said: string | undefined): number {
  const number = numeric(said, 0, PARAMETERS.length - 1, true);
  const found = Number.isNaN(number) ? wordIndex(PARAMETERS, said) : -1;
  return found >= 0 ? found : number;
}
/** "10 kHz", "20 mV" or a plain number, in SI. */
function measured(said: string | undefined, unit: 'HZ' | 'V', lo: number, hi: number): number {
  const [, number, prefix = '', written = ''] = /^([-+.\deE]*[\d.])\s*([numk]?)(hz|v)?$/i.exec(said ?? '') ?? [];
  if (written !== '' && written.toUpperCase() !== unit) return Number.NaN;
  // M is milli with volts and mega with hertz.
  const factor = { '': 1, N: 1e-9, U: 1e-6, M: unit === 'HZ' ? 1e6 : 1e-3, K: 1e3 }[prefix.toUpperCase()] ?? Number.NaN;
  return numeric(number === undefined ? undefined : String(Number(number) * factor), lo, hi);
}

/** Hz of what is to be detected, before the harmonic; 0 without an external one. */
function reference(s: State, w: Dac): number {
  const outside = external(w, s.name) ?? 0;
  const dual = outside > 0 ? Math.abs(s.set.FREQINT - outside) : 0;
  return [s.set.FREQINT, outside, dual, outside][s.set.RSRC];
}

const of = (s: State): Record<string, number> => s.set;
const choice = (name: Word, words: readonly string[]) => single<State>(name, of, 0, words.length - 1, { words });
const index = (name: Word, hi: number, lo = 0) => single<State>(name, of, lo, hi);
/** A physical setting, with or without its unit. */
const amount = (
  name: string,
  word: Word,
  unit: 'HZ' | 'V',
  lo: number,
  hi: number,
  get = (s: State) => s.set[word],
): [string, Entry<State>] => [
  name,
  {
    get: (s) => float(get(s)),
    set(s, args) {
      const n = args.length === 1 ? measured(args[0], unit, lo, hi) : Number.NaN;
      if (!Number.isNaN(n)) s.set[word] = n;
      return !Number.isNaN(n);
    },
  },
];
const four = (name: string, list: (s: State) => number[], lo: number, hi: number) =>
  listed<State>(name, 0, { of: list, lo, hi, whole: false, form: float });
const DISPLAYS = listed<State>('CDSP', 0, { of: (s) => s.display, lo: 0, hi: 16 });

const TABLE: ReadonlyMap<string, Entry<State>> = new Map<string, Entry<State>>([
  ...registerTable<State>(16, () => 2),
  ...captureTable<State>(),
  single<State>('PHAS', of, -360000, 360000, { whole: false, form: (n) => n.toFixed(7), then: wrap }),
  // The internal frequency, save where the reference is external.
  amount('FREQ', 'FREQINT', 'HZ', 0.001, 500000, (s) => (s.set.RSRC === 1 ? s.reference : s.set.FREQINT)),
  amount('FREQINT', 'FREQINT', 'HZ', 0.001, 500000),
  ['FREQEXT', { get: (s, _args, w) => float(external(w, s.name) ?? 0) }],
  ['FREQDET', { get: (s, _args, w) => float(reference(s, w) * s.set.HARM) }],
  index('HARM', 99, 1),
  index('HARMDUAL', 99, 1),
  amount('SLVL', 'SLVL', 'V', 0, 2),
  amount('SOFF', 'SOFF', 'V', -5, 5),
  choice('REFM', ['COMMON', 'DIFFERENCE']),
  choice('RSRC', ['INTERNAL', 'EXTERNAL', 'DUAL', 'CHOP']),
  choice('RTRG', ['SINE', 'POSTTL', 'NEGTTL']),
  choice('REFZ', ['50OHMS', '1MEG']),
  choice('TBMODE', ['AUTO', 'INTERNAL']),
  ['TBSTAT', { get: () => '1' }],
  index('BLADESLOTS', 1),
  single<State>('BLADEPHASE', of, -360, 360, { whole: false }),
  choice('IVMD', ['VOLTAGE', 'CURRENT']),
  choice('ISRC', ['A', 'A-B']),
  choice('ICPL', ['AC', 'DC']),
  choice('IGND', ['FLOAT', 'GROUND']),
  choice('IRNG', ['1V', '300M', '100M', '30M', '10M']),
  choice('ICUR', ['1MEG', '100MEG']),
  index('SCAL', 27),
  index('OFLT', 21),
  index('OFSL', 3),
  choice('SYNC', ['OFF', 'ON']),
  choice('ADVFILT', ['OFF', 'ON']),
  choice('DBLK', ['OFF', 'ON']),
  index('DLAY', 5),
  index('GSPD', 16),
  choice('GLIV', ['OFF', 'ON']),
  index('LOCL', 2),
  choice('OVRM', ['OFF', 'ON']),
  choice('KEYC', ['ON', 'MUTE']),
  ['ENBW', { get: (s) => float(enbw(tau(s), stages(s))) }],
  // 0 is little of the input's range, 4 is overload.
  ['ILVL', { get: (s) => String([0.1, 0.25, 0.5, 1].filter((part) => s.held.peak > part * RANGES[s.set.IRNG]).length) }],
  ['CUROVLDSTAT', { get: (s) => String(s.now) }],
  four('AUXV', (s) => s.auxOut, -10.5, 10.5),
  four('PSTF', (s) => s.presetF, 0.001, 500000),
  four('PSTA', (s) => s.presetA, 0, 2),
  four('PSTL', (s) => s.presetL, -5, 5),
  listed<State>('COUT', 0, { of: (s) => s.output, lo: 0, hi: 1 }),
  listed<State>('CEXP', 0, { of: (s) => s.expand, lo: 0, hi: 2 }),
  listed<State>('COFA', 0, { of: (s) => s.offsetOn, lo: 0, hi: 1 }),
  listed<State>('COFP', 0, { of: (s) => s.offset, lo: -999.99, hi: 999.99, whole: false, form: (n) => String(Math.round(100 * n) / 100) }),
  listed<State>('CRAT', 0, { of: (s) => s.ratio, lo: 0, hi: 1 }),
  listed<State>('CGRF', 0, { of: (s) => s.graph, lo: 0, hi: 1 }),
  [
    DISPLAYS[0],
    {
      get: DISPLAYS[1].get,
      set: (s, [channel, said], w, t) => DISPLAYS[1].set?.(s, [channel ?? '', String(which(said))], w, t),
    },
  ],
  asked<State>('OAUX', 0, 3, (s, i, w) => float(auxIn(s, w, i))),
  asked<State>('OUTR', 0, 3, (s, i, w) => value(s, s.display[i], w)),
  [
    'OUTP',
    {
      get(s, args, w) {
        const i = which(args[0]);
        return Number.isNaN(i) ? undefined : value(s, i, w);
      },
    },
  ],
  [
    'SNAP',
    {
      get(s, args, w) {
        const places = args.map(which);
        if (places.length < 2 || places.length > 3 || places.some(Number.isNaN)) return undefined;
        return places.map((i) => value(s, i, w)).join(',');
      },
    },
  ],
  ['SNAPD', { get: (s, _args, w) => s.display.map((i) => value(s, i, w)).join(',') }],
  doing<State>('APHS', (s) => void (s.set.PHAS = wrap(s.set.PHAS + outputs(s)[3]))),
  doing<State>('ARNG', (s) => {
    const fits = RANGES.findLastIndex((range) => s.held.peak < 0.9 * range);
    s.set.IRNG = fits < 0 ? 0 : fits;
  }),
  doing<State>('ASCL', (s) => {
    const fits = SCALES.findLastIndex((full) => outputs(s)[2] < 0.9 * full);
    s.set.SCAL = fits < 0 ? 0 : fits;
  }),
  [
    'OAUT',
    {
      set(s, [said]) {
        const i = numeric(said, 0, 2, true);
        if (!Number.isNaN(i)) s.offset[i] = Math.round((1e4 * outputs(s)[i]) / SCALES[s.set.SCAL]) / 100;
        return !Number.isNaN(i);
      },
    },
  ],
  doing<State>('DCAP', () => undefined),
  ['*IDN', { get: () => 'Stanford_Research_Systems,SR860,008600,V1.51' }],
  doing<State>('*TRG', () => undefined),
  ['*OPC', { get: () => '1', set: (s) => void (s.esr |= 1) }],
  ['*TST', { get: () => '0' }],
  doing<State>('*RST', (s) => {
    Object.assign(s, fresh({}));
    Object.assign(s.capture, capture());
  }),
]);

const fresh = (other: Partial<Record<Word, number>>) => ({
  set: { ...RESET, ...other },
  auxOut: [0, 0, 0, 0],
  presetF: [10, 100, 1000, 10000],
  presetA: [0.01, 0.1, 1, 2],
  presetL: [-1, 0, 1, 5],
  output: [0, 0],
  expand: [0, 0, 0],
  offsetOn: [0, 0, 0],
  offset: [0, 0, 0],
  ratio: [0, 0, 0],
  display: [0, 1, 2, 3],
  graph: [1, 1, 1, 1],
});

/** What is overloaded now, and stays so in LIAS? until it is read. */
function latch(s: State, t: number): void {
  const [x, y, r, theta] = outputs(s);
  const full = SCALES[s.set.SCAL];
  const output = [
    [x, y],
    [r, theta],
  ];
  const over = (channel: number): boolean => {
    // Channel 1 has X or R, channel 2 has Y or theta: 10 V are the full scale, or 180 degrees.
    const polar = s.output[channel] === 1;
    if (polar && channel === 1) return false;
    const i = polar ? 2 : channel;
    const taken = s.offsetOn[i] === 1 ? s.offset[i] / 100 : 0;
    return Math.abs(output[polar ? 1 : 0][channel] / full - taken) * 10 ** s.expand[i] > 1.09;
  };
  const unlocked = s.set.RSRC !== 0 && (s.reference === 0 || t < s.unlockedUntil);
  s.now = (over(0) ? 1 : 0) + (over(1) ? 2 : 0) + (unlocked ? 8 : 0) + (s.held.peak > RANGES[s.set.IRNG] ? 16 : 0);
  s.lias |= s.now;
}

function follow(s: State, w: Dac, t: number): void {
  const wanted = reference(s, w);
  if (wanted === s.reference) return;
  s.reference = wanted;
  s.unlockedUntil = wanted > 0 ? t + 0.05 + 5 / wanted : 0;
}

/** A lock-in on the voltage contacts of the sample; its sine output drives the sample through a resistor. A slip only sets a bit of *ESR?. */
export default simulator({
  options: options<Options>({
    terminator: terminator('LF'),
    resistor: whole('ohm between the sine output and the sample', 0, 10_000_000, 1000),
    every: { about: "the driver's own", of: (yaml) => yaml },
    auto_range: { about: "the driver's own", of: (yaml) => yaml },
    noise: { about: "the driver's own", of: (yaml) => yaml },
  }),
  links: ({ terminator: end = '\n' }: Partial<Options>) => ({ main: scpi({ ask: ['\n', '\r', '\r\n'], tell: end }) }),
  state: ({ resistor = 1000 }: Partial<Options>, name: string): State => ({
    name,
    resistor,
    ...fresh({ FREQINT: 1000, SLVL: 0.004, SCAL: 9 }), // as it was left: 4 mV, a full scale of 1 mV
    ...registers(),
    held: detector(),
    reference: 1000,
    unlockedUntil: 0,
    capture: capture(),
  }),
  world: dac,
  answer: { main: (line, s, w, t) => obey(TABLE, line, s, w, t) },
  tick(s, w, t, dt) {
    follow(s, w, t);
    // The oscillator follows an external reference; in the dual mode it stays the internal one.
    const own = s.set.RSRC === 1 || s.set.RSRC === 3 ? s.reference : s.set.FREQINT;
    driveSine(w, s.name, own > 0 ? s.set.SLVL : 0, own, s.resistor);
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
    const { running } = s.capture;
    const rate = highestRate(s.set.OFLT) / 2 ** s.capture.set.CAPTURERATE;
    detect(s.held, w, d, t, dt, due(s.capture, t, dt, rate), () => take(s.capture, outputs(s)));
    if (running && !s.capture.running) s.lias |= 1 << 12;
    latch(s, t);
  },
});
