import { matches, type ProgramUnit, programUnits, scpi } from '../protocols/scpi.ts';
import { decimal } from '../protocols/text.ts';
import { options, simulator, terminator, whole, word } from '../src/simulator.ts';
import { type Dac, dac } from './worlds/dac.ts';

/** Pa in each unit that the front panel offers here. */
const UNITS = { BAR: 1e5, MBAR: 100, HPA: 100, KPA: 1e3, MPA: 1e6, PA: 1, PSI: 6894.757293168, ATM: 101325, TORR: 101325 / 760 } as const;
type UnitName = keyof typeof UNITS;
// The keys of the table above.
const UNIT_NAMES = Object.keys(UNITS) as readonly UnitName[];

interface Options {
  readonly terminator: string;
  readonly unit: UnitName;
  readonly full_scale: number;
  readonly source: number;
  readonly pace: number;
  readonly vent_below?: unknown;
}

interface State {
  readonly name: string;
  /** Pa. */
  readonly full: number;
  /** Pa of the supply, and of the vacuum side. */
  plus: number;
  minus: number;
  unit: UnitName;
  setPoint: number;
  /** Pa/s, in the mode LIN. */
  slew: number;
  mode: 'MAX' | 'LIN';
  control: boolean;
  overshoot: boolean;
  vent: 0 | 1 | 2;
  /** Part of full scale, and seconds in it. */
  band: number;
  dwell: number;
  settled: number;
  /** Pa/s that the controller works against; 0 when its valves are shut. */
  flow: number;
  resolution: number;
  readonly relays: boolean[];
  readonly errors: string[];
  /** Seconds that must lie between two messages, and when the last one came. */
  readonly pace: number;
  last: number;
}

const ATMOSPHERE = 101325;
const SOFT = 0.3; // s: the last part of a ramp is an exponential, so that nothing overshoots
const VENT_TIME = 0.5; // s
const FASTEST = 0.2; // full scales a second, in the mode MAX
const QUEUE = 5; // errors (manual, :SYST:ERR)

const TEXTS = {
  [-104]: 'Data type error',
  [-109]: 'Missing parameter',
  [-113]: 'Undefined header',
  [-114]: 'Header suffix out of range',
  [-222]: 'Data out of range',
  201: 'Query only',
  202: 'No query allowed',
  211: 'Unit not matched',
} as const;
/** The code of what went wrong; an order that was carried out gives nothing. */
type Trouble = keyof typeof TEXTS | undefined;

function fail(s: State, code: keyof typeof TEXTS): void {
  if (s.errors.length < QUEUE) s.errors.push(`${code},"${TEXTS[code]}"`);
  else s.errors[QUEUE - 1] = '-350,"Queue overflow"';
}

/** From p towards the target: as fast as `rate`, softly at the end; exact for any dt. */
export function approach(p: number, target: number, rate: number, dt: number): number {
  const gap = Math.abs(target - p);
  const soft = rate * SOFT;
  const way = Math.sign(target - p);
  if (gap === 0 || rate === 0) return p;
  const linear = Math.max(0, (gap - soft) / rate);
  if (dt <= linear) return p + way * rate * dt;
  return target - way * Math.min(gap, soft) * Math.exp(-(dt - linear) / SOFT);
}

interface Entry {
  readonly pattern: string;
  /** What a reply repeats, where that is not the whole pattern. */
  readonly echo?: string;
  readonly get?: (s: State, w: Dac, suffix: number) => string;
  readonly set?: (s: State, args: readonly string[], w: Dac, suffix: number) => Trouble;
  /** Highest suffix; 1 unless given. */
  readonly most?: number;
}

const shown = (s: State, pascals: number): string => (pascals / UNITS[s.unit]).toFixed(7);
const measured = (s: State, w: Dac): number => w.membranePressure + 1e-7 * s.full * w.noise(`${s.name} sensor`);
const range = (s: State): string => `"${(s.full / 1e5).toFixed(2)}barg"`;
const bit = (on: boolean): string => (on ? '1' : '0');

function number(args: readonly string[], lo: number, hi: number, take: (n: number) => void): Trouble {
  if (args.length === 0) return -109;
  const n = decimal(args[0]);
  if (Number.isNaN(n)) return -104;
  if (n < lo || n > hi) return -222;
  take(n);
  return undefined;
}
function bool(args: readonly string[], take: (on: boolean) => void): Trouble {
  if (args.length === 0) return -109;
  const on = /^(1|ON)$/i.test(args[0]);
  if (!on && !/^(0|OFF)$/i.test(args[0])) return -104;
  take(on);
  return undefined;
}
/** A pressure (or a rate) in the present unit. */
const pascals = (s: State, args: readonly string[], lo: number, hi: number, take: (p: number) => void): Trouble =>
  number(args, lo / UNITS[s.unit] - 1e-9, hi / UNITS[s.unit] + 1e-9, (n) => take(n * UNITS[s.unit]));

const SENSORS = (s: State, n: number): readonly [number, number] =>
  (
    [
      [s.full, -1e5],
      [s.full * 1.25, 0],
      [0, -1e5],
      [115000, 75000],
    ] as const
  )[n - 1] ?? [s.full, -1e5];

function ventTo(s: State, start: boolean): void {
  if (start) {
    s.control = false;
    s.vent = 1;
  } else s.vent = 0;
}

/** Short forms in capitals, optional nodes in brackets; the reply repeats the whole header in its short form. */
const TABLE: readonly Entry[] = [
  { pattern: '*IDN', get: () => 'GE Druck,Pace5000 User Interface,3258350,02.02.14' },
  { pattern: '*TST', get: () => '0' },
  { pattern: '*ESR', get: (s) => String(s.errors.length > 0 ? 16 : 0) },
  { pattern: '*STB', get: (s) => String(s.errors.length > 0 ? 4 : 0) },
  { pattern: '*CLS', set: (s) => void s.errors.splice(0) },
  {
    pattern: ':UNIT:PRESsure',
    get: (s) => s.unit,
    set: (s, [name]) => {
      if (name === undefined) return -109;
      const unit = UNIT_NAMES.find((u) => u === name.toUpperCase());
      if (!unit) return 211;
      s.unit = unit;
      return undefined;
    },
  },
  {
    pattern: ':INSTrument:SENSe:FULL',
    most: 4,
    get: (s, _w, n) =>
      SENSORS(s, n)
        .map((p) => shown(s, p))
        .join(', '),
  },
  { pattern: ':INSTrument:LIMit', most: 4, get: (s, _w, n) => [range(s), ...SENSORS(s, n).map((p) => shown(s, p))].join(', ') },
  { pattern: ':INSTrument:SN', most: 7, get: (_s, _w, n) => String(n === 1 ? 3258350 : n === 2 ? 10388796 : 0) },
  { pattern: ':INSTrument:VERSion', most: 5, get: () => '"02.02.14"' },
  { pattern: ':INSTrument:CATalog[:ALL]', echo: ':INSTrument:CATalog', get: (s) => `${range(s)}, "BAROMETER"` },
  { pattern: ':INSTrument:MAC', get: () => '"00-D0-1C-0A-0B-0C"' },
  { pattern: ':INSTrument:TASK', get: () => 'CONT' },
  {
    pattern: ':OUTPut[:STATe]',
    get: (s) => bit(s.control),
    set: (s, args) =>
      bool(args, (on) => {
        s.control = on;
        if (on) s.vent = 0;
      }),
  },
  {
    pattern: ':OUTPut:LOGic',
    most: 3,
    get: (s, _w, n) => bit(s.relays[n - 1]),
    set: (s, args, _w, n) => bool(args, (on) => void (s.relays[n - 1] = on)),
  },
  { pattern: ':SENSe[:PRESsure]', get: (s, w) => shown(s, measured(s, w)) },
  { pattern: ':SENSe[:PRESsure]:INLimits', get: (s, w) => `${shown(s, measured(s, w))}, ${bit(s.control && s.settled >= s.dwell)}` },
  { pattern: ':SENSe[:PRESsure]:SLEW', get: (s) => shown(s, s.flow) },
  { pattern: ':SENSe[:PRESsure]:BARometer', get: (s) => shown(s, ATMOSPHERE) },
  { pattern: ':SENSe[:PRESsure]:RANGe', get: range, set: (s, [name]) => (name === range(s) ? undefined : -222) },
  {
    pattern: ':SENSe[:PRESsure]:RESolution',
    get: (s) => String(s.resolution),
    set: (s, args) => number(args, 4, 6, (n) => void (s.resolution = n)),
  },
  { pattern: ':SOURce[:PRESsure]:COMPensate', most: 2, get: (s, _w, n) => shown(s, n === 2 ? s.minus : s.plus) },
  {
    pattern: ':SOURce[:PRESsure]:EFFort',
    get: (s) => (s.control ? Math.max(-100, Math.min(100, (100 * s.flow) / (FASTEST * s.full) + 0.3)) : 0).toFixed(4),
  },
  {
    pattern: ':SOURce[:PRESsure]:INLimits',
    get: (s) => (100 * s.band).toFixed(7),
    set: (s, args) => number(args, 0, 100, (n) => void (s.band = n / 100)),
  },
  {
    pattern: ':SOURce[:PRESsure]:INLimits:TIME',
    get: (s) => String(s.dwell),
    set: (s, args) => number(args, 2, 999, (n) => void (s.dwell = Math.round(n))),
  },
  {
    pattern: ':SOURce[:PRESsure][:LEVel][:IMMediate][:AMPLitude]',
    get: (s) => shown(s, s.setPoint),
    set: (s, args) => pascals(s, args, -1e5, s.full, (p) => void (s.setPoint = p)),
  },
  {
    pattern: ':SOURce[:PRESsure][:LEVel][:IMMediate][:AMPLitude]:VENT',
    get: (s) => String(s.vent),
    set: (s, args) => bool(args, (start) => ventTo(s, start)),
  },
  { pattern: ':SOURce[:PRESsure]:RANGe', get: range, set: (s, [name]) => (name === range(s) ? undefined : -222) },
  {
    pattern: ':SOURce[:PRESsure]:SLEW',
    get: (s) => shown(s, s.slew),
    set: (s, args) => pascals(s, args, 0, s.full, (p) => void (s.slew = p)),
  },
  {
    pattern: ':SOURce[:PRESsure]:SLEW:MODE',
    get: (s) => s.mode,
    set: (s, [mode]) => {
      if (mode === undefined) return -109;
      const known = /^MAX(IMUM)?$/i.test(mode) ? 'MAX' : /^LIN(EAR)?$/i.test(mode) ? 'LIN' : undefined;
      if (!known) return -104;
      s.mode = known;
      return undefined;
    },
  },
  {
    pattern: ':SOURce[:PRESsure]:SLEW:OVERshoot[:STATe]',
    echo: ':SOURce:PRESsure:SLEW:OVERshoot',
    get: (s) => bit(s.overshoot),
    set: (s, args) => bool(args, (on) => void (s.overshoot = on)),
  },
  {
    pattern: ':STATus:OPERation:PRESsure:CONDition',
    get: (s) => String((s.vent === 2 ? 1 : 0) + (s.control && s.settled >= s.dwell ? 4 : 0)),
  },
  { pattern: ':SYSTem:ERRor', get: (s) => s.errors.shift() ?? '0,"No error"' },
  { pattern: ':SYSTem:VERSion', get: () => '"1995.0"' },
  { pattern: ':SYSTem:AREA', get: () => 'EUR' },
  { pattern: ':SYSTem:SET', get: () => 'MEAS, 0.0' },
  { pattern: ':LOCal', set: () => undefined },
  { pattern: ':REMote', set: () => undefined },
  { pattern: ':GTL', set: () => undefined },
];

/** ":SOUR:PRES:LEV:IMM:AMPL" of a pattern, with the suffixes of the header as it came. */
function echo(pattern: string, header: string): string {
  const nodes = header.toUpperCase().split(':');
  return pattern.replace(/[[\]]/g, '').replace(/[A-Z]+[a-z]*/g, (node) => {
    const short = node.replace(/[a-z]+/, '');
    const sent = nodes.find((n) => n.replace(/\d+$/, '') === short || n.replace(/\d+$/, '') === node.toUpperCase());
    return short + (/\d+$/.exec(sent ?? '')?.[0] ?? '');
  });
}

function unitAnswer(unit: ProgramUnit, s: State, w: Dac): string | undefined {
  const any = TABLE.find((e) => matches(e.pattern, unit.header.replace(/\d+/g, '')));
  if (!any) return void fail(s, -113);
  // One module: SENS2, SOUR2 and so on are not there; the last node alone may have more than one.
  const [, head = '', digits = '1'] = /^(.*?)(\d*)$/.exec(unit.header) ?? [];
  const last = any.most === undefined ? unit.header : head;
  const suffix = any.most === undefined || digits === '' ? 1 : Number(digits);
  if (!matches(any.pattern, last) || suffix < 1 || suffix > (any.most ?? 1)) return void fail(s, -114);
  if (unit.query) {
    if (!any.get) return void fail(s, 202);
    return `${echo(any.echo ?? any.pattern, unit.header)} ${any.get(s, w, suffix)}`;
  }
  const trouble = any.set ? any.set(s, unit.args, w, suffix) : 201;
  return trouble === undefined ? undefined : void fail(s, trouble);
}

function answer(line: string, s: State, w: Dac, t: number): readonly string[] {
  const soon = t - s.last < s.pace - 1e-9;
  s.last = t;
  if (soon) return [];
  const said = programUnits(line).flatMap((unit) => unitAnswer(unit, s, w) ?? []);
  return said.length === 0 ? [] : [said.join(';')];
}

/** The membrane's gas controller with one module; a question that it does not understand is not answered and fills the error queue. */
export default simulator({
  options: options<Options>({
    terminator: terminator('LF'),
    unit: word('unit of the front panel', UNIT_NAMES, 'BAR'),
    full_scale: whole('bar of the control module', 1, 210, 210),
    source: whole('bar of the gas supply', 1, 300, 250),
    pace: whole('milliseconds within which a second message is not accepted', 0, 1000, 0),
    vent_below: { about: "the driver's own limit", of: (yaml) => yaml },
  }),
  links: ({ terminator: end = '\n' }: Partial<Options>) => ({
    main: scpi({ ask: end === '\r\n' ? end : [end, '\r\n'], tell: end, echo: true }),
  }),
  state: ({ unit = 'BAR', full_scale = 210, source = 250, pace = 0 }: Partial<Options>, name: string): State => ({
    name,
    full: full_scale * 1e5,
    plus: source * 1e5,
    minus: -0.95e5,
    unit,
    setPoint: 0,
    slew: 1e5,
    mode: 'MAX',
    control: false,
    overshoot: true,
    vent: 0,
    band: 1e-4,
    dwell: 2,
    settled: 0,
    flow: 0,
    resolution: 6,
    relays: [false, false, false],
    errors: [],
    pace: pace / 1000,
    last: Number.NEGATIVE_INFINITY,
  }),
  world: dac,
  answer: { main: answer },
  tick(s, w, _t, dt) {
    const before = w.membranePressure;
    if (s.vent === 1) {
      w.membranePressure *= Math.exp(-dt / VENT_TIME);
      if (Math.abs(w.membranePressure) < 100) {
        w.membranePressure = 0;
        s.vent = 2;
      }
    } else if (s.control) {
      const target = Math.max(s.minus, Math.min(s.setPoint, s.plus));
      w.membranePressure = approach(before, target, s.mode === 'LIN' ? s.slew : FASTEST * s.full, dt);
    }
    s.flow = (w.membranePressure - before) / dt;
    s.settled = Math.abs(w.membranePressure - s.setPoint) <= s.band * s.full ? s.settled + dt : 0;
  },
});
