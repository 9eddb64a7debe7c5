import { scpi } from '../protocols/scpi.ts';
import { decimal } from '../protocols/text.ts';
import { word as choice, options, simulator, terminator } from '../src/simulator.ts';
import { type Dac, dac } from './worlds/dac.ts';
import {
  type Box,
  bool,
  box,
  type Code,
  common,
  type Entry,
  event,
  interpreter,
  nothing,
  num,
  quoted,
  reset,
  type Trouble,
  whole,
  word,
  wordOf,
} from './worlds/keithley-scpi.ts';
import { type Buffer, chosen, plain, type Row, shown, store } from './worlds/reading-buffer.ts';
import { apply, measured, type Sourcing, statistics } from './worlds/source-meter.ts';

interface Options {
  readonly terminator: string;
  readonly language: 'SCPI' | 'TSP' | 'SCPI2400';
}
interface State extends Box {
  readonly name: string;
  readonly language: string;
  sense: 'CURR' | 'VOLT' | 'RES';
  buffers: Record<string, Buffer>;
  /** Levels still to be run by INITiate, and the buffer they go to. */
  sweep: { readonly levels: readonly number[]; readonly buffer: string } | undefined;
  list: { CURR: number[]; VOLT: number[] };
  w: Dac | undefined;
  t: number;
  n: number;
}

const OVER = 9.9e37;
const span = (lo: number, hi: number, rst: number) => ({ lo, hi, rst });
type Source = 'CURR' | 'VOLT';
const functionOf = (s: State): Source => (s.values.function === 'CURR' ? 'CURR' : 'VOLT');
const wires = (s: State): boolean => s.values[`${s.sense}rsense`] === true;
const sourcing = (s: State, level?: number): Sourcing => {
  const f = functionOf(s);
  return {
    name: s.name,
    on: s.values.output === true,
    function: f,
    level: level ?? Number(s.values[`${f}level`]),
    limit: Math.abs(Number(s.values[f === 'CURR' ? 'vlimit' : 'ilimit'])),
    fourWire: wires(s),
    nplc: Number(s.values[`${s.sense}nplc`]),
  };
};
const drive = (s: State) => (s.w ? apply(sourcing(s), s.w, s.t) : undefined);
const tripped = (s: State, f: Source): string => (functionOf(s) === f && drive(s)?.compliance === true ? '1' : '0');

/** One measurement. A voltage that hangs in the air is an overflow; so is one beyond a fixed range. */
function one(s: State, level?: number): Row {
  const how = sourcing(s, level);
  const got = s.w ? measured(how, s.w, s.t, s.n++) : { current: 0, voltage: 0, compliance: false };
  const beyond = (value: number, f: Source): number =>
    s.values[`${f}auto`] !== true && Math.abs(value) > 1.055 * Math.abs(Number(s.values[`${f}range`])) ? OVER : value;
  const volts = got.voltage === undefined ? OVER : beyond(got.voltage, 'VOLT');
  const amps = beyond(got.current, 'CURR');
  const ohms = volts === OVER || amps === OVER || amps === 0 ? OVER : volts / amps;
  const back = s.values[`${how.function}readback`] === true;
  const sourced = how.function === 'CURR' ? (back ? got.current : how.level) : back ? (got.voltage ?? OVER) : how.level;
  return {
    reading: s.sense === 'VOLT' ? volts : s.sense === 'CURR' ? amps : ohms,
    source: how.on ? sourced : 0,
    t: s.t,
    limited: got.compliance,
    units: [s.sense === 'VOLT' ? 'Volt DC' : s.sense === 'CURR' ? 'Amp DC' : 'Ohm', how.function === 'VOLT' ? 'Volt DC' : 'Amp DC'],
  };
}

const count = (s: State): number => Math.min(10000, Number(s.values.count));
/** Takes as many measurements as the count says, stores them, and gives the last. */
function read(s: State, args: readonly string[]): string | Code {
  const to = chosen(s.buffers, args);
  if (!to) return -224;
  store(
    to.buffer,
    Array.from({ length: count(s) }, () => one(s)),
  );
  const last = to.buffer.rows.at(-1);
  return last ? shown([last], to.elements, to.buffer.rows[0].t) : -230;
}

/** The levels of a sweep: start to stop, so often, and back where it is dual. */
function linear(s: State, f: Source, args: readonly string[]): Trouble {
  const [start, stop, points] = args.slice(0, 3).map(decimal);
  if (args.length < 3) return -109;
  if ([start, stop, points].some((n) => Number.isNaN(n))) return -104;
  if (!(points >= 2 && points <= 1e5)) return -222;
  const times = Math.max(1, Math.min(100, Number(args[4] ?? 1)));
  const up = Array.from({ length: points }, (_, i) => start + ((stop - start) * i) / (points - 1));
  const pass = /^(ON|1)$/i.test(args[7] ?? '') ? [...up, ...up.slice(0, -1).reverse()] : up;
  const to = args[8] === undefined ? 'defbuffer1' : quoted(args[8]);
  if (!Object.hasOwn(s.buffers, to)) return -224;
  s.values.function = f;
  s.sweep = { levels: Array.from({ length: times }, () => pass).flat(), buffer: to };
  return undefined;
}
function listed(s: State, f: Source, args: readonly string[]): Trouble {
  const times = Math.max(1, Math.min(100, Number(args[2] ?? 1)));
  if (s.list[f].length === 0) return -221;
  s.values.function = f;
  s.sweep = {
    levels: Array.from({ length: times }, () => s.list[f]).flat(),
    buffer: args[5] === undefined ? 'defbuffer1' : quoted(args[5]),
  };
  return undefined;
}
/** INITiate: the sweep that was set up, or one measurement. The output goes on for a sweep and off after it. */
function initiate(s: State): Trouble {
  const { sweep } = s;
  const buffer = s.buffers[sweep?.buffer ?? 'defbuffer1'];
  if (!buffer) return -224;
  if (!sweep) store(buffer, [one(s)]);
  else {
    s.values.output = true;
    store(
      buffer,
      sweep.levels.map((level) => {
        s.values[`${functionOf(s)}level`] = level;
        return one(s, level);
      }),
    );
    s.values.output = false;
    drive(s);
  }
  event(s, 'OPERation', 0);
  return undefined;
}

const functionNames: Readonly<Record<State['sense'], string>> = { CURR: '"CURR:DC"', VOLT: '"VOLT:DC"', RES: '"RES"' };
function senseBy(s: State, [text]: readonly string[]): Trouble {
  if (text === undefined) return -109;
  const found = wordOf(quoted(text), ['CURRent', 'VOLTage', 'RESistance', 'CURRent:DC', 'VOLTage:DC'])?.replace(':DC', '');
  if (found !== 'CURR' && found !== 'VOLT' && found !== 'RES') return -224;
  s.sense = found;
  return undefined;
}

const sense = (f: string, key: State['sense'], lo: number, hi: number, range: number): Entry<State>[] => [
  num(`[:SENSe]:${f}:RANGe[:UPPer]`, `${key}range`, span(lo, hi, range), plain, (s) => void (s.values[`${key}auto`] = false)),
  bool(`[:SENSe]:${f}:RANGe:AUTO`, `${key}auto`, true),
  num(`[:SENSe]:${f}:RANGe:AUTO:LLIMit`, `${key}low`, span(0, hi, 0), plain),
  num(`[:SENSe]:${f}:RANGe:AUTO:ULIMit`, `${key}high`, span(0, hi, hi), plain),
  num(`[:SENSe]:${f}:NPLCycles`, `${key}nplc`, span(0.01, 10, 1), plain),
  bool(`[:SENSe]:${f}:RSENse`, `${key}rsense`, false),
  bool(`[:SENSe]:${f}:AZERo[:STATe]`, `${key}azero`, true),
  bool(`[:SENSe]:${f}:AVERage[:STATe]`, `${key}filter`, false),
  word(`[:SENSe]:${f}:AVERage:TCONtrol`, `${key}filterType`, ['REPeat', 'MOVing'], 'REP'),
  num(`[:SENSe]:${f}:AVERage:COUNt`, `${key}filterCount`, span(1, 100, 10), whole),
  bool(`[:SENSe]:${f}:RELative:STATe`, `${key}rel`, false),
  num(`[:SENSe]:${f}:RELative`, `${key}relative`, span(-hi, hi, 0), plain),
  word(`[:SENSe]:${f}:UNIT`, `${key}unit`, ['OHM', 'WATT', 'AMP', 'VOLT'], key === 'RES' ? 'OHM' : key === 'CURR' ? 'AMP' : 'VOLT'),
  ...['1', '2', '3', '4', '5'].map((n) => num<State>(`[:SENSe]:${f}:DELay:USER${n}`, `${key}user${n}`, span(0, 1e4, 0), plain)),
  bool(`[:SENSe]:${f}:OCOMpensated`, `${key}ocomp`, false),
];
const source = (f: string, key: Source, most: number, range: number): Entry<State>[] => [
  num(`:SOURce:${f}[:LEVel][:IMMediate][:AMPLitude]`, `${key}level`, span(-most, most, 0), plain),
  num(`:SOURce:${f}:RANGe`, `${key}sourceRange`, span(-most, most, range), plain, (s) => void (s.values[`${key}sourceAuto`] = false)),
  bool(`:SOURce:${f}:RANGe:AUTO`, `${key}sourceAuto`, true),
  num(`:SOURce:${f}:DELay`, `${key}delay`, span(0, 1e4, 0), plain, (s) => void (s.values[`${key}delayAuto`] = false)),
  bool(`:SOURce:${f}:DELay:AUTO`, `${key}delayAuto`, true),
  ...['1', '2', '3', '4', '5'].map((n) => num<State>(`:SOURce:${f}:DELay:USER${n}`, `${key}sourceUser${n}`, span(0, 1e4, 0), plain)),
  bool(`:SOURce:${f}:READ:BACK`, `${key}readback`, true),
  bool(`:SOURce:${f}:HIGH:CAPacitance`, `${key}highc`, false),
  word(`:OUTPut:${f}:SMODe`, `${key}smode`, ['NORMal', 'HIMPedance', 'ZERO', 'GUARd'], 'NORM'),
  { pattern: `:SOURce:SWEep:${f}:LINear`, set: (s, args) => linear(s, key, args) },
  { pattern: `:SOURce:SWEep:${f}:LIST`, set: (s, args) => listed(s, key, args) },
  {
    pattern: `:SOURce:LIST:${f}`,
    get: (s) => s.list[key].map(plain).join(','),
    set(s, args) {
      const all = args.map(decimal);
      if (all.length === 0 || all.length > 100) return all.length === 0 ? -109 : -223;
      if (all.some((n) => Number.isNaN(n))) return -104;
      s.list[key] = all;
      return undefined;
    },
  },
  {
    pattern: `:SOURce:LIST:${f}:APPend`,
    set(s, args) {
      const all = args.map(decimal);
      if (all.some((n) => Number.isNaN(n))) return -104;
      s.list[key] = [...s.list[key], ...all].slice(0, 2500);
      return undefined;
    },
  },
  { pattern: `:SOURce:LIST:${f}:POINts`, get: (s) => String(s.list[key].length) },
];
/** The measured value of one function, which becomes the one that is sensed. */
const single = (pattern: string, f: State['sense']): Entry<State> => ({
  pattern,
  get(s, args) {
    s.sense = f;
    return read(s, args);
  },
});

const statistic = (name: string, of: (all: readonly number[]) => number): Entry<State> => ({
  pattern: `:TRACe:STATistics:${name}`,
  get(s, args) {
    const from = chosen(s.buffers, args);
    return !from ? -224 : from.buffer.rows.length === 0 ? -230 : plain(of(from.buffer.rows.map((r) => r.reading)));
  },
});
/** The buffer that an order or question about buffers names; the default one where it names none. */
const about =
  <R>(then: (s: State, buffer: Buffer, name: string) => R) =>
  (s: State, args: readonly string[]): R | Code => {
    const to = chosen(s.buffers, args.slice(0, 1));
    return to ? then(s, to.buffer, to.name) : -224;
  };
const NO_ERROR = '0,"No error;0;0 0"';
const nextEvent = (s: State): string => s.errors.shift()?.replace(/"$/, ';1;0 0"') ?? NO_ERROR;

const TABLE: readonly Entry<State>[] = [
  { pattern: ':SYSTem:ERRor[:NEXT]', get: nextEvent },
  { pattern: ':SYSTem:EVENtlog:NEXT', get: nextEvent },
  { pattern: ':SYSTem:ERRor:COUNt', get: (s) => String(s.errors.length) },
  { pattern: ':SYSTem:ERRor:CODE[:NEXT]', get: (s) => String(Number.parseInt(s.errors.shift() ?? '0', 10)) },
  { pattern: ':STATus:CLEar', set: (s) => void (s.events.OPERation = s.events.QUEStionable = 0) },
  {
    pattern: '*LANG',
    get: (s) => s.language,
    // It takes effect with the next start.
    set: (_s, [text]) => (text !== undefined && wordOf(text, ['SCPI', 'TSP', 'SCPI2400', 'SCPI2450']) ? undefined : -224),
  },
  ...sense('CURRent[:DC]', 'CURR', -1.05, 1.05, 1e-4),
  ...sense('VOLTage[:DC]', 'VOLT', -210, 210, 0.02),
  ...sense('RESistance', 'RES', 0, 2.1e8, 2e5),
  ...source('CURRent', 'CURR', 1.05, 1e-8),
  ...source('VOLTage', 'VOLT', 210, 0.02),
  num(':SOURce:CURRent:VLIMit[:LEVel]', 'vlimit', span(-210, 210, 21), plain),
  num(':SOURce:VOLTage:ILIMit[:LEVel]', 'ilimit', span(-1.05, 1.05, 1.05e-4), plain),
  { pattern: ':SOURce:CURRent:VLIMit[:LEVel]:TRIPped', get: (s) => tripped(s, 'CURR') },
  { pattern: ':SOURce:VOLTage:ILIMit[:LEVel]:TRIPped', get: (s) => tripped(s, 'VOLT') },
  word(
    ':SOURce:VOLTage:PROTection[:LEVel]',
    'ovp',
    ['NONE', 'PROT2', 'PROT5', 'PROT10', 'PROT20', 'PROT40', 'PROT60', 'PROT80', 'PROT100', 'PROT120', 'PROT140', 'PROT160', 'PROT180'],
    'NONE',
  ),
  { pattern: ':SOURce:VOLTage:PROTection[:LEVel]:TRIPped', get: () => '0' },
  word(':SOURce:FUNCtion[:MODE]', 'function', ['VOLTage', 'CURRent'], 'VOLT'),
  { pattern: '[:SENSe]:FUNCtion[:ON]', get: (s) => functionNames[s.sense], set: senseBy },
  num('[:SENSe]:COUNt', 'count', span(1, 300000, 1), whole),
  nothing('[:SENSe]:AZERo:ONCE'),
  bool(':OUTPut[:STATe]', 'output', false),
  { pattern: ':OUTPut:INTerlock:TRIPped', get: () => '0' },
  word(':ROUTe:TERMinals', 'terminals', ['FRONt', 'REAR'], 'FRON'),
  { pattern: ':READ', get: read },
  { pattern: ':MEASure', get: read },
  single(':MEASure:CURRent[:DC]', 'CURR'),
  single(':MEASure:VOLTage[:DC]', 'VOLT'),
  single(':MEASure:RESistance', 'RES'),
  single(':READ:CURRent[:DC]', 'CURR'),
  single(':READ:VOLTage[:DC]', 'VOLT'),
  {
    pattern: ':FETCh',
    get(s, args) {
      const from = chosen(s.buffers, args);
      const last = from?.buffer.rows.at(-1);
      return !from ? -224 : last ? shown([last], from.elements, from.buffer.rows[0].t) : -230;
    },
  },
  {
    pattern: ':TRACe:DATA',
    get(s, [from = '', to = '', ...rest]) {
      const of = chosen(s.buffers, rest);
      const [a, b] = [decimal(from), decimal(to)];
      if (!of) return -224;
      if (Number.isNaN(a) || Number.isNaN(b)) return from === '' || to === '' ? -109 : -104;
      if (a < 1 || b < a || b > of.buffer.rows.length) return -222;
      return shown(of.buffer.rows.slice(a - 1, b), of.elements, of.buffer.rows[0].t);
    },
  },
  {
    pattern: ':TRACe:POINts',
    get: about((_s, buffer) => String(buffer.size)),
    set(s, [size = '', ...rest]) {
      const to = chosen(s.buffers, rest);
      const n = decimal(size);
      if (!to) return -224;
      if (Number.isNaN(n)) return size === '' ? -109 : -104;
      if (n < 1 || n > 6875000) return -222;
      Object.assign(to.buffer, { size: Math.round(n), rows: [] });
      return undefined;
    },
  },
  { pattern: ':TRACe:ACTual', get: about((_s, buffer) => String(buffer.rows.length)) },
  { pattern: ':TRACe:ACTual:STARt', get: about((_s, buffer) => (buffer.rows.length > 0 ? '1' : '0')) },
  { pattern: ':TRACe:ACTual:END', get: about((_s, buffer) => String(buffer.rows.length)) },
  {
    pattern: ':TRACe:CLEar',
    set: about((_s, buffer): undefined => {
      buffer.rows = [];
    }),
  },
  {
    pattern: ':TRACe:MAKE',
    set(s, [name, size = '']) {
      const n = decimal(size);
      if (name === undefined || Number.isNaN(n)) return -109;
      if (Object.hasOwn(s.buffers, quoted(name))) return -221;
      s.buffers[quoted(name)] = { size: Math.max(10, Math.round(n)), rows: [] };
      return undefined;
    },
  },
  {
    pattern: ':TRACe:DELete',
    set(s, [name]) {
      if (name === undefined || /^defbuffer[12]$/.test(quoted(name)) || !Object.hasOwn(s.buffers, quoted(name))) return -224;
      delete s.buffers[quoted(name)];
      return undefined;
    },
  },
  {
    pattern: ':TRACe:TRIGger',
    set: about((s, buffer): undefined => {
      store(
        buffer,
        Array.from({ length: count(s) }, () => one(s)),
      );
    }),
  },
  word(':TRACe:FILL:MODE', 'fill', ['CONTinuous', 'ONCE'], 'CONT'),
  statistic('AVERage', (all) => statistics(all).mean),
  statistic('STDDev', (all) => statistics(all).sd),
  statistic('MAXimum', (all) => statistics(all).max),
  statistic('MINimum', (all) => statistics(all).min),
  statistic('PK2Pk', (all) => statistics(all).max - statistics(all).min),
  nothing(':TRACe:STATistics:CLEar'),
  { pattern: ':INITiate[:IMMediate]', set: initiate },
  { pattern: '*TRG', set: initiate },
  { pattern: ':ABORt', set: (s) => void (s.sweep = undefined) },
  { pattern: ':TRIGger:STATe', get: () => 'IDLE;IDLE;0' },
  { pattern: ':SYSTem:LFRequency', get: () => '50' },
  word(':DISPlay:LIGHt:STATe', 'light', ['ON100', 'ON75', 'ON50', 'ON25', 'OFF', 'BLACkout'], 'ON50'),
  word(':DISPlay:SCReen', 'screen', ['HOME', 'HOME_LARGe_reading', 'SOURce', 'GRAPh', 'SHISTogram', 'STATistics'], 'HOME'),
  num(':DISPlay:CURRent:DIGits', 'digitsI', span(3, 6, 5), whole),
  num(':DISPlay:VOLTage:DIGits', 'digitsV', span(3, 6, 5), whole),
  nothing(':DISPlay:CLEar'),
  nothing(':DIGital:LINE#:MODE'),
  { pattern: ':DIGital:LINE#:STATe', get: () => '0', set: () => undefined },
  nothing(':TRIGger:DIGital#:OUT:PULSewidth'),
  nothing(':TRIGger:DIGital#:OUT:STIMulus'),
];
const ALL: readonly Entry<State>[] = [
  ...TABLE,
  // What the series 2400 has and this one has not.
  ...common<State>('KEITHLEY INSTRUMENTS,MODEL 2450,04085562,1.7.12b', initial).filter(
    ({ pattern }) => !/:STATus:(MEASurement|PRESet|QUEue)|:SYSTem:(POSetup|KCLick|KEY|BEEPer:STATe)|SREGister/.test(pattern),
  ),
  { pattern: ':STATus:PRESet', set: (s) => void (s.enables.OPERation = s.enables.QUEStionable = 0) },
];
function initial(s: State): void {
  reset(s, ALL);
  Object.assign(s, { sense: 'CURR', sweep: undefined, list: { CURR: [], VOLT: [] }, buffers: buffers() });
}
const buffers = (): Record<string, Buffer> => ({ defbuffer1: { size: 100000, rows: [] }, defbuffer2: { size: 100000, rows: [] } });
const say = interpreter(ALL);

/** In TSP only the common commands are understood; the rest are lines of Lua, and none of these is one. */
function answer(line: string, s: State, w: Dac, t: number): readonly string[] {
  s.w = w;
  s.t = t;
  const understood = s.language !== 'TSP' || line.trim().startsWith('*');
  const said = understood ? say(line, s) : [];
  if (!understood) s.errors.push('-285,"TSP Syntax error at line 1: unexpected symbol near `:\'"');
  drive(s);
  s.w = undefined;
  return said;
}

/**
 * A source-meter on the outer contacts, with its sense leads on the inner ones, in its own SCPI; sweeps and counted readings come at once.
 * A range is reported as it was asked for, where the instrument reports the range that it has chosen.
 */
export default simulator({
  options: options<Options>({
    terminator: terminator('LF'),
    language: choice('command set', ['SCPI', 'TSP', 'SCPI2400'] as const, 'SCPI'),
  }),
  links: ({ terminator: end = '\n' }: Partial<Options>) => ({
    main: scpi({ ask: end === '\r\n' ? end : [end, '\r\n'], tell: end }),
  }),
  state: ({ language = 'SCPI' }: Partial<Options>, name: string): State => ({
    ...box(ALL as readonly Entry<never>[]), // of any state: only keys and defaults are read
    name,
    language,
    sense: 'CURR',
    buffers: buffers(),
    sweep: undefined,
    list: { CURR: [], VOLT: [] },
    w: undefined,
    t: 0,
    n: 0,
  }),
  world: dac,
  answer: { main: answer },
  tick(s, w, t) {
    s.n = 0;
    s.w = w;
    s.t = t;
    drive(s);
    s.w = undefined;
  },
  think: 0.002,
});
