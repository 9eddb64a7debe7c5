import { genesys, genesysSum, summed } from '../protocols/genesys.ts';
import { decimal } from '../protocols/text.ts';
import { type Field, options, Refused, simulator, whole } from '../src/simulator.ts';
import { type Dac, dac } from './worlds/dac.ts';

interface Options {
  readonly address: number;
  readonly model: string;
  readonly heater: string | undefined;
  readonly ohms: number;
  readonly shared?: unknown;
  readonly checksum?: unknown;
}

interface State {
  readonly name: string;
  readonly address: number;
  readonly model: string;
  readonly volts: number;
  readonly amps: number;
  readonly heater: string;
  /** Ω of the heater. */
  readonly ohms: number;
  /** As they were sent. */
  pv: string;
  pc: string;
  ovp: number;
  uvl: string;
  out: boolean;
  remote: 'LOC' | 'REM' | 'LLO';
  foldback: boolean;
  /** Tenths of a second. */
  delay: number;
  /** Seconds in the current limit with foldback armed. */
  limited: number;
  restart: boolean;
  filter: number;
  saved: string;
  /** Conditions of the fault register, bits 1 to 7. */
  readonly faults: Set<number>;
  faultEnable: number;
  faultEvents: number;
  statusEnable: number;
  statusEvents: number;
  /** The last command, and whether the last address that it heard is its own. */
  last: { selected: boolean; line: string };
}

const FOLDBACK = 3;
const OVER_VOLTAGE = 4;
const FRONT_OFF = 6;
/** Faults that OUT 1 clears; the others go when their cause goes. */
const CLEARED: readonly number[] = [FOLDBACK, OVER_VOLTAGE, FRONT_OFF];
const ALWAYS = 0.25; // s that foldback waits in any case
/** Rated voltage -> the least and the highest over-voltage setting (manual, table 7-5). */
const OVP: Readonly<Record<string, readonly [number, number]>> = {
  6: [0.5, 7.5],
  8: [0.5, 10],
  10: [0.5, 12],
  12.5: [1, 15],
  15: [1, 18],
  20: [1, 24],
  30: [2, 36],
  40: [2, 44],
  60: [5, 66],
  80: [5, 88],
};
const ovpRange = (s: State): readonly [number, number] => OVP[String(s.volts)] ?? [5, 1.1 * s.volts];

/** What the load takes: V and A. */
function load(s: State): { readonly v: number; readonly i: number; readonly cc: boolean } {
  if (!s.out) return { v: 0, i: 0, cc: false };
  const [pv, pc] = [Number(s.pv), Number(s.pc)];
  const cc = pv / s.ohms > pc;
  return cc ? { v: pc * s.ohms, i: pc, cc } : { v: pv, i: pv / s.ohms, cc };
}
const bits = (all: Iterable<number>): number => [...all].reduce((word, n) => word | (1 << n), 0);
const hex = (word: number): string => word.toString(16).toUpperCase().padStart(2, '0');
const faultWord = (s: State): number => bits(s.faults);
function statusWord(s: State): number {
  const { cc } = load(s);
  const fault = (faultWord(s) & s.faultEnable) !== 0;
  const on = [s.out && !cc, s.out && cc, !fault, fault, s.restart, s.foldback, false, s.remote === 'LOC'];
  return bits(on.flatMap((is, n) => (is ? [n] : [])));
}
/** Five digits with the point where the rating has it: "01.150" of a supply of 60 V. */
function digits(value: number, rated: number): string {
  const before = String(Math.floor(rated)).length;
  return value.toFixed(5 - before).padStart(6, '0');
}
const measured = (s: State, w: Dac): readonly [string, string] => {
  const { v, i } = load(s);
  const noise = (name: string, full: number) => (s.out ? 2e-5 * full * w.noise(`${s.name} ${name}`) : 0);
  return [digits(Math.max(0, v + noise('volts', s.volts)), s.volts), digits(Math.max(0, i + noise('amps', s.amps)), s.amps)];
};
const onOff = (is: boolean): string => (is ? 'ON' : 'OFF');

/** A number of at most 12 characters (7.7.1) that the rule takes; an error code, or OK. */
function number(arg: string, take: (n: number) => string | undefined): string {
  const n = decimal(arg);
  if (arg.length > 12 || Number.isNaN(n)) return 'C03';
  return take(n) ?? 'OK';
}
function either(arg: string, take: (on: boolean) => string | undefined): string {
  const is = /^(ON|1)$/.test(arg) ? true : /^(OFF|0)$/.test(arg) ? false : undefined;
  return is === undefined ? 'C03' : (take(is) ?? 'OK');
}
const register = (arg: string, take: (word: number) => void): string => {
  if (!/^[0-9A-F]{1,2}$/.test(arg)) return 'C03';
  take(Number.parseInt(arg, 16));
  return 'OK';
};

function reset(s: State): void {
  Object.assign(s, { pv: '0', pc: '0', out: false, remote: 'REM', restart: false, ovp: ovpRange(s)[1], foldback: false, uvl: '0' });
}

function save(s: State): void {
  const { pv, pc, ovp, uvl, out, remote, foldback, delay, restart } = s;
  s.saved = JSON.stringify({ pv, pc, ovp, uvl, out, remote, foldback, delay, restart });
}

type Setting = (s: State, arg: string) => string;
/** Commands with an argument; C02 without one. */
const SETS: Readonly<Record<string, Setting>> = {
  RMT: (s, arg) => {
    const mode = ({ 0: 'LOC', 1: 'REM', 2: 'LLO', LOC: 'LOC', REM: 'REM', LLO: 'LLO' } as const)[arg];
    if (!mode) return 'C03';
    s.remote = mode;
    return 'OK';
  },
  PV: (s, arg) =>
    number(arg, (n) => {
      if (n < 0) return 'C05';
      if (n > 1.05 * s.volts || n > s.ovp * 0.95 + 1e-9) return 'E01';
      if (n < Number(s.uvl) * 1.05 - 1e-9) return 'E02';
      s.pv = arg;
      return undefined;
    }),
  PC: (s, arg) =>
    number(arg, (n) => {
      if (n < 0 || n > 1.05 * s.amps) return 'C05';
      s.pc = arg;
      return undefined;
    }),
  OVP: (s, arg) =>
    number(arg, (n) => {
      const [least, most] = ovpRange(s);
      if (n > most + 1e-9) return 'C05';
      if (n < least || n < Number(s.pv) * 1.05 - 1e-9) return 'E04';
      s.ovp = n;
      return undefined;
    }),
  UVL: (s, arg) =>
    number(arg, (n) => {
      if (n < 0 || n > 0.95 * s.volts + 1e-9) return 'C05';
      if (n > Number(s.pv) * 0.95 + 1e-9 && n > 0) return 'E06';
      s.uvl = arg;
      return undefined;
    }),
  OUT: (s, arg) =>
    either(arg, (on) => {
      if (on) {
        for (const n of CLEARED) s.faults.delete(n);
        if (s.faults.size > 0) return 'E07';
        s.limited = 0;
      }
      s.out = on;
      return undefined;
    }),
  FLD: (s, arg) =>
    either(arg, (on) => {
      s.foldback = on;
      s.limited = 0;
      return undefined;
    }),
  AST: (s, arg) => either(arg, (on) => void (s.restart = on)),
  FBD: (s, arg) => number(arg, (n) => (Number.isInteger(n) && n >= 0 && n <= 255 ? void (s.delay = n) : 'C05')),
  FILTER: (s, arg) => number(arg, (n) => ([18, 23, 46].includes(n) ? void (s.filter = n) : 'C05')),
  FENA: (s, arg) => register(arg, (word) => void (s.faultEnable = word)),
  SENA: (s, arg) => register(arg, (word) => void (s.statusEnable = word)),
};

/** Commands of one word; what they give is the answer. */
const WORDS: Readonly<Record<string, (s: State, w: Dac) => string>> = {
  'IDN?': (s) => `LAMBDA,${s.model}`,
  'REV?': () => '1U750-4.3',
  'SN?': (s) => `123A4${String(s.address).padStart(2, '0')}-0001`,
  'DATE?': () => '2019/05/21',
  'MDAV?': () => '0',
  'MS?': () => '1',
  'RMT?': (s) => s.remote,
  'PV?': (s) => s.pv,
  'PC?': (s) => s.pc,
  'MV?': (s, w) => measured(s, w)[0],
  'MC?': (s, w) => measured(s, w)[1],
  'DVC?': (s, w) => {
    const [v, i] = measured(s, w);
    return [v, digits(Number(s.pv), s.volts), i, digits(Number(s.pc), s.amps), s.ovp.toFixed(3), Number(s.uvl).toFixed(3)].join(', ');
  },
  'STT?': (s, w) => {
    const [v, i] = measured(s, w);
    return `MV(${v}),PV(${s.pv}),MC(${i}),PC(${s.pc}),SR(${hex(statusWord(s))}),FR(${hex(faultWord(s))})`;
  },
  'OUT?': (s) => onOff(s.out),
  'MODE?': (s) => (s.out ? (load(s).cc ? 'CC' : 'CV') : 'OFF'),
  'OVP?': (s) => String(s.ovp),
  'UVL?': (s) => s.uvl,
  'FLD?': (s) => onOff(s.foldback),
  'FBD?': (s) => String(s.delay),
  'AST?': (s) => onOff(s.restart),
  'FILTER?': (s) => String(s.filter),
  'FLT?': (s) => hex(faultWord(s)),
  'FENA?': (s) => hex(s.faultEnable),
  'FEVE?': (s) => {
    const word = hex(s.faultEvents);
    s.faultEvents = 0;
    return word;
  },
  'STAT?': (s) => hex(statusWord(s)),
  'SENA?': (s) => hex(s.statusEnable),
  'SEVE?': (s) => {
    const word = hex(s.statusEvents);
    s.statusEvents = 0;
    return word;
  },
  CLS: (s) => {
    s.faultEvents = s.statusEvents = 0;
    return 'OK';
  },
  RST: (s) => {
    reset(s);
    return 'OK';
  },
  OVM: (s) => {
    s.ovp = ovpRange(s)[1];
    return 'OK';
  },
  FBDRST: (s) => {
    s.delay = 0;
    return 'OK';
  },
  SAV: (s) => {
    save(s);
    return 'OK';
  },
  RCL: (s) => {
    Object.assign(s, JSON.parse(s.saved));
    return 'OK';
  },
};
/** Settings that take a supply in local mode to remote mode. */
const TAKES_OVER: readonly string[] = ['PV', 'PC', 'OUT', 'RST'];

function carryOut(line: string, s: State, w: Dac): string {
  const [word = '', ...rest] = line.trim().toUpperCase().split(/\s+/);
  if (word === '') return 'OK'; // CR alone (7.7.1)
  const plain = Object.hasOwn(WORDS, word) ? WORDS[word] : undefined;
  const setting = Object.hasOwn(SETS, word) ? SETS[word] : undefined;
  if (!plain && !setting) return 'C01';
  if (rest.length > (plain ? 0 : 1)) return 'C03';
  if (!plain && rest.length === 0) return 'C02';
  const said = plain ? plain(s, w) : (setting?.(s, rest[0] ?? '') ?? 'C01');
  if (s.remote === 'LOC' && said === 'OK' && TAKES_OVER.includes(word)) s.remote = 'REM';
  return said;
}

/** A supply that has not been addressed says nothing; another's address takes its turn away. */
function answer(ask: string, s: State, w: Dac): readonly string[] {
  const sum = summed(ask);
  const line = sum ? sum.line : ask;
  const tell = (reply: string): readonly string[] => [sum ? `${reply}$${genesysSum(reply)}` : reply];
  const [, given] = /^\s*ADR\s+(\S+)\s*$/i.exec(line) ?? [];
  if (given !== undefined && (!sum || sum.right)) {
    s.last.selected = /^\d{1,2}$/.test(given) && Number(given) === s.address;
    if (s.last.selected) s.last.line = line;
    return s.last.selected ? tell('OK') : [];
  }
  if (!s.last.selected) return [];
  if (sum && !sum.right) return tell('C04');
  if (line.trim() !== '\\') s.last.line = line;
  return tell(/^\s*ADR\b/i.test(s.last.line) ? (/^\s*ADR\s*$/i.test(s.last.line) ? 'C02' : 'OK') : carryOut(s.last.line, s, w));
}

const heaterName: Field<string | undefined> = {
  about: "the world's heater that it feeds (otherwise the instrument's name)",
  of: (yaml) => (yaml === undefined || typeof yaml === 'string' ? yaml : new Refused('must be a name')),
};
const MODEL = /^GEN[A-Z]*(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)$/;
const modelName: Field<string> = {
  about: 'model with its volts and amperes (otherwise GEN60-12.5)',
  of: (yaml = 'GEN60-12.5') => (typeof yaml === 'string' && MODEL.test(yaml) ? yaml : new Refused('must be a model such as GEN60-12.5')),
};
const ohms: Field<number> = {
  about: 'Ω of the heater (otherwise what takes full power at full voltage)',
  of: (yaml = 0) => (typeof yaml === 'number' && yaml >= 0 ? yaml : new Refused('must be a resistance in Ω')),
};
const theirs: Field<unknown> = { about: "the driver's own", of: (yaml) => yaml };

/** A supply that feeds one heater of the world `dac`: constant voltage up to its current limit. Written from the Genesys user manual. */
export default simulator({
  options: options<Options>({
    address: whole('address of the supply', 0, 30, 6),
    model: modelName,
    heater: heaterName,
    ohms,
    shared: theirs,
    checksum: theirs,
  }),
  links: { main: genesys() },
  state: ({ address = 6, model = 'GEN60-12.5', heater, ohms: load = 0 }: Partial<Options>, name: string): State => {
    const [, volts, amps] = MODEL.exec(model) ?? [];
    const s: State = {
      ...{ name, address, model, volts: Number(volts), amps: Number(amps), heater: heater ?? name },
      ohms: load > 0 ? load : Number(volts) / Number(amps),
      ...{ pv: '0', pc: '0', ovp: 0, uvl: '0', out: false, remote: 'REM', foldback: false, delay: 0, limited: 0 },
      ...{ restart: false, filter: 18, saved: '', faults: new Set(), faultEnable: 0, faultEvents: 0, statusEnable: 0, statusEvents: 0 },
      last: { selected: false, line: '' },
    };
    reset(s);
    save(s);
    return s;
  },
  world: dac,
  answer: { main: answer },
  tick(s, w, _t, dt) {
    s.limited = s.foldback && load(s).cc ? s.limited + dt : 0;
    if (s.limited > ALWAYS + s.delay / 10) s.faults.add(FOLDBACK);
    if (s.faults.size > 0) s.out = false;
    s.faultEvents |= faultWord(s) & s.faultEnable;
    s.statusEvents |= statusWord(s) & s.statusEnable;
    const { v, i } = load(s);
    w.heater(s.heater).output = (v * i) / (s.volts * s.amps);
  },
  think: 0.01,
});
