import { scpi } from '../protocols/scpi.ts';
import { decimal } from '../protocols/text.ts';
import { options, simulator, terminator } from '../src/simulator.ts';
import { type Dac, dac } from './worlds/dac.ts';
import {
  type Box,
  bool,
  box,
  type Code,
  common,
  condition,
  type Entry,
  event,
  interpreter,
  nothing,
  num,
  quoted,
  reset,
  sci,
  type Trouble,
  text,
  whole,
  word,
  wordOf,
} from './worlds/keithley-scpi.ts';
import { apply, measured, type Sourcing, statistics } from './worlds/source-meter.ts';

interface Options {
  readonly terminator: string;
}
/** One reading: V, A, ohm, s and the status word. */
type Row = readonly [number, number, number, number, number];
interface State extends Box {
  readonly name: string;
  elements: readonly string[];
  /** Functions that are measured. */
  functions: readonly string[];
  buffer: Row[];
  last: Row | undefined;
  list: { CURR: number[]; VOLT: number[] };
  /** The world, between a question and its answer. */
  w: Dac | undefined;
  t: number;
  /** Readings since the last tick. */
  n: number;
}

const NAN = 9.91e37;
const OVER = 9.9e37;
const ELEMENTS = ['VOLTage', 'CURRent', 'RESistance', 'TIME', 'STATus'];
const SHORT = ['VOLT', 'CURR', 'RES', 'TIME', 'STAT'];
const FUNCTIONS = ['VOLTage', 'CURRent', 'RESistance', 'VOLTage:DC', 'CURRent:DC'];
const span = (lo: number, hi: number, rst: number) => ({ lo, hi, rst });

type Source = 'CURR' | 'VOLT';
const functionOf = (s: State): Source => (s.values.function === 'CURR' ? 'CURR' : 'VOLT');
const sourcing = (s: State, level?: number, on = s.values.output === true): Sourcing => {
  const source = functionOf(s);
  return {
    name: s.name,
    on,
    function: source,
    level: level ?? Number(s.values[source === 'CURR' ? 'amps' : 'volts']),
    limit: Math.abs(Number(s.values[source === 'CURR' ? 'voltProtection' : 'currProtection'])),
    fourWire: s.values.rsense === true,
    nplc: Number(s.values.nplc),
  };
};
const drive = (s: State) => (s.w ? apply(sourcing(s), s.w, s.t) : undefined);
const tripped = (s: State, limit: 'VOLT' | 'CURR'): boolean =>
  (functionOf(s) === 'CURR') === (limit === 'VOLT') && drive(s)?.compliance === true;

/** One reading. Bits of the status word: 0 overflow, 2 front, 3 compliance, 11 to 13 what is measured, 14 and 15 the source, 22 four wires. */
function one(s: State, level?: number): Row {
  const how = sourcing(s, level, true);
  if (!s.w) return [NAN, NAN, NAN, 0, 0];
  const { current, voltage, compliance } = measured(how, s.w, s.t, s.n++);
  const has = (f: string): boolean => s.functions.includes(f);
  const beyond = (value: number, what: 'volt' | 'curr'): boolean =>
    s.values[`${what}Auto`] !== true && Math.abs(value) > 1.055 * Math.abs(Number(s.values[`${what}Range`]));
  const volts = has('VOLT') || has('RES') ? (voltage === undefined || beyond(voltage, 'volt') ? OVER : voltage) : NAN;
  const amps = has('CURR') || has('RES') ? (beyond(current, 'curr') ? OVER : current) : NAN;
  const ohms = has('RES') ? (volts === OVER || amps === OVER || amps === 0 ? OVER : volts / amps) : NAN;
  const programmed = (f: Source, value: number): number => (value === NAN && how.function === f ? how.level : value);
  const word =
    (volts === OVER || amps === OVER ? 1 : 0) +
    (s.values.terminals === 'FRON' ? 4 : 0) +
    (compliance ? 8 : 0) +
    (has('VOLT') ? 2048 : 0) +
    (has('CURR') ? 4096 : 0) +
    (has('RES') ? 8192 : 0) +
    (how.function === 'VOLT' ? 16384 : 32768) +
    (how.fourWire ? 4194304 : 0);
  return [programmed('VOLT', volts), programmed('CURR', amps), ohms, s.t, word];
}

/** The levels of a sweep or list, or none where the source stands. */
function levels(s: State): readonly number[] | undefined {
  const f = functionOf(s);
  const mode = s.values[`${f}mode`];
  if (mode === 'LIST') return s.list[f];
  if (mode !== 'SWE') return undefined;
  const [start, stop, step] = ['start', 'stop', 'step'].map((k) => Number(s.values[f + k]));
  const n = step === 0 ? 1 : Math.floor((stop - start) / step + 1e-9) + 1;
  const up = Array.from({ length: Math.max(1, Math.min(2500, n)) }, (_, i) => start + i * step);
  return s.values.direction === 'DOWN' ? up.reverse() : up;
}

/** As many readings as the trigger counts ask for; the code of the error where the output is off. */
function take(s: State): readonly Row[] | undefined {
  const auto = s.values.clearAuto === true;
  if (s.values.output !== true && !auto) {
    s.errors.push('803,"Not permitted with OUTPUT off"');
    return undefined;
  }
  if (auto) s.values.output = true;
  const n = Math.min(2500, Number(s.values.armCount) * Number(s.values.triggerCount));
  const sweep = levels(s);
  const rows = Array.from({ length: n }, (_, i) => {
    const level = sweep?.[i % sweep.length];
    if (level !== undefined) s.values[functionOf(s) === 'CURR' ? 'amps' : 'volts'] = level;
    return one(s, level);
  });
  s.last = rows.at(-1);
  if (s.values.feedControl === 'NEXT') {
    const room = Number(s.values.points);
    s.buffer.push(...rows.slice(0, Math.max(0, room - s.buffer.length)));
    if (s.buffer.length >= room) {
      s.values.feedControl = 'NEV';
      event(s, 'MEASurement', 9);
    }
  }
  if (auto) s.values.output = false;
  drive(s);
  return rows;
}
const shown = (s: State, rows: readonly Row[]): string =>
  rows.flatMap((row) => SHORT.flatMap((e, i) => (s.elements.includes(e) ? [sci(row[i])] : []))).join(',');
const read = (s: State): string => {
  const rows = take(s);
  return rows ? shown(s, rows) : '';
};

function functions(s: State, args: readonly string[], on: boolean): Trouble {
  if (args.length === 0) return -109;
  const named = args.flatMap((a) => wordOf(quoted(a), FUNCTIONS)?.replace(':DC', '') ?? []);
  if (named.length < args.length) return -224;
  const kept = s.values.concurrent === true ? s.functions : [];
  s.functions = on ? [...new Set([...kept, ...named])] : s.functions.filter((f) => !named.includes(f));
  return undefined;
}
const functionList = (s: State): string =>
  ['VOLT', 'CURR', 'RES']
    .filter((f) => s.functions.includes(f))
    .map((f) => `"${f === 'RES' ? f : `${f}:DC`}"`)
    .join(',');

/** Measuring or configuring one function alone, as MEASure and CONFigure do; the output goes on. */
const single = (f: string): Entry<State>[] => {
  const only = (s: State): void => {
    s.functions = [f.replace(/[a-z]+$/, '')];
    s.values.armCount = s.values.triggerCount = 1;
    s.values.output = true;
    drive(s);
  };
  return [
    {
      pattern: `:MEASure:${f}${f === 'RESistance' ? '' : '[:DC]'}`,
      get: (s) => {
        only(s);
        return read(s);
      },
    },
    { pattern: `:CONFigure:${f}${f === 'RESistance' ? '' : '[:DC]'}`, set: (s) => void only(s) },
  ];
};

const sense = (f: string, key: string, most: number, range: number): Entry<State>[] => [
  num(`[:SENSe]:${f}:RANGe[:UPPer]`, `${key}Range`, span(-most, most, range), sci, (s) => void (s.values[`${key}Auto`] = false)),
  bool(`[:SENSe]:${f}:RANGe:AUTO`, `${key}Auto`, true),
  num(`[:SENSe]:${f}:RANGe:AUTO:LLIMit`, `${key}Low`, span(0, most, 0)),
  num(`[:SENSe]:${f}:RANGe:AUTO:ULIMit`, `${key}High`, span(0, most, most)),
  // One speed for all functions, as the instrument has it.
  num(`[:SENSe]:${f}:NPLCycles`, 'nplc', span(0.01, 10, 1)),
];
const source = (f: string, key: Source, most: number, rst: number): Entry<State>[] => {
  const level = key === 'CURR' ? 'amps' : 'volts';
  return [
    num(`:SOURce:${f}[:LEVel][:IMMediate][:AMPLitude]`, level, span(-most, most, 0)),
    num(`:SOURce:${f}[:LEVel]:TRIGgered[:AMPLitude]`, `${key}triggered`, span(-most, most, 0)),
    num(`:SOURce:${f}:RANGe`, `${key}range`, span(-most, most, rst), sci, (s) => void (s.values[`${key}auto`] = false)),
    bool(`:SOURce:${f}:RANGe:AUTO`, `${key}auto`, true),
    word(`:SOURce:${f}:MODE`, `${key}mode`, ['FIXed', 'LIST', 'SWEep'], 'FIX'),
    num(`:SOURce:${f}:STARt`, `${key}start`, span(-most, most, 0)),
    num(`:SOURce:${f}:STOP`, `${key}stop`, span(-most, most, 0)),
    num(`:SOURce:${f}:STEP`, `${key}step`, span(-2 * most, 2 * most, 0)),
    num(`:SOURce:${f}:CENTer`, `${key}center`, span(-most, most, 0)),
    num(`:SOURce:${f}:SPAN`, `${key}span`, span(-2 * most, 2 * most, 0)),
    {
      pattern: `:SOURce:LIST:${f}`,
      get: (s) => s.list[key].map((n) => sci(n)).join(','),
      set(s, args) {
        const all = args.map(decimal);
        if (all.length === 0) return -109;
        if (all.some((n) => Number.isNaN(n))) return -104;
        if (all.length > 100) return -223;
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
};

/** Statistics of the buffer: of volts, amperes and ohms. */
function calculated(s: State): string | Code {
  if (s.buffer.length === 0) return -230;
  const form = String(s.values.calc3);
  return [0, 1, 2]
    .map((i) => {
      const { mean, sd, min, max } = statistics(s.buffer.map((row) => row[i]));
      return sci({ MEAN: mean, SDEV: sd, MAX: max, MIN: min, PKPK: max - min }[form] ?? mean);
    })
    .join(',');
}

const TABLE: readonly Entry<State>[] = [
  ...source('CURRent', 'CURR', 1.05, 1.05e-4),
  ...source('VOLTage', 'VOLT', 210, 21),
  ...sense('CURRent[:DC]', 'curr', 1.05, 1.05e-4),
  ...sense('VOLTage[:DC]', 'volt', 210, 21),
  ...sense('RESistance', 'res', 2.1e8, 2.1e5),
  num('[:SENSe]:CURRent[:DC]:PROTection[:LEVel]', 'currProtection', span(-1.05, 1.05, 1.05e-4)),
  num('[:SENSe]:VOLTage[:DC]:PROTection[:LEVel]', 'voltProtection', span(-210, 210, 21)),
  { pattern: '[:SENSe]:CURRent[:DC]:PROTection:TRIPped', get: (s) => (tripped(s, 'CURR') ? '1' : '0') },
  { pattern: '[:SENSe]:VOLTage[:DC]:PROTection:TRIPped', get: (s) => (tripped(s, 'VOLT') ? '1' : '0') },
  word('[:SENSe]:CURRent[:DC]:PROTection:RSYNchronize', 'currSync', ['ON', 'OFF'], 'OFF'),
  word('[:SENSe]:VOLTage[:DC]:PROTection:RSYNchronize', 'voltSync', ['ON', 'OFF'], 'OFF'),
  word('[:SENSe]:RESistance:MODE', 'resMode', ['AUTO', 'MANual'], 'AUTO'),
  bool('[:SENSe]:RESistance:OCOMpensated', 'ocomp', false),
  { pattern: '[:SENSe]:FUNCtion[:ON]', get: functionList, set: (s, args) => functions(s, args, true) },
  { pattern: '[:SENSe]:FUNCtion:ON:ALL', set: (s) => void (s.functions = ['VOLT', 'CURR', 'RES']) },
  { pattern: '[:SENSe]:FUNCtion:ALL', set: (s) => void (s.functions = ['VOLT', 'CURR', 'RES']) },
  { pattern: '[:SENSe]:FUNCtion:OFF', set: (s, args) => functions(s, args, false) },
  { pattern: '[:SENSe]:FUNCtion:OFF:ALL', set: (s) => void (s.functions = []) },
  bool('[:SENSe]:FUNCtion:CONCurrent', 'concurrent', true),
  bool('[:SENSe]:AVERage[:STATe]', 'filter', false),
  word('[:SENSe]:AVERage:TCONtrol', 'filterType', ['REPeat', 'MOVing'], 'REP'),
  num('[:SENSe]:AVERage:COUNt', 'filterCount', span(1, 100, 10), whole),
  { pattern: '[:SENSe]:DATA[:LATest]', get: (s) => (s.last ? shown(s, [s.last]) : -230) },
  { pattern: ':FETCh', get: (s) => (s.last ? shown(s, [s.last]) : -230) },
  { pattern: ':READ', get: read },
  ...single('VOLTage'),
  ...single('CURRent'),
  ...single('RESistance'),
  { pattern: ':CONFigure', get: (s) => functionList(s) },
  word(':SOURce:FUNCtion[:MODE]', 'function', ['VOLTage', 'CURRent', 'MEMory'], 'VOLT'),
  word(':SOURce:FUNCtion:SHAPe', 'shape', ['DC', 'PULSe'], 'DC'),
  word(':SOURce:VOLTage:PROTection[:LEVel]', 'ovp', ['NONE', '20', '40', '60', '80', '100', '120', '160'], 'NONE'),
  num(':SOURce:DELay', 'delay', span(0, 999.9999, 0), sci, (s) => void (s.values.delayAuto = false)),
  bool(':SOURce:DELay:AUTO', 'delayAuto', true),
  bool(':SOURce:CLEar:AUTO', 'clearAuto', false),
  { pattern: ':SOURce:CLEar[:IMMediate]', set: (s) => void (s.values.output = false) },
  word(':SOURce:SWEep:SPACing', 'spacing', ['LINear', 'LOGarithmic'], 'LIN'),
  word(':SOURce:SWEep:RANGing', 'ranging', ['BEST', 'AUTO', 'FIXed'], 'BEST'),
  word(':SOURce:SWEep:DIREction', 'direction', ['UP', 'DOWn'], 'UP'),
  num(':SOURce:SWEep:POINts', 'sweepPoints', span(1, 2500, 2500), whole),
  word(':SOURce:SWEep:CABort', 'cabort', ['NEVer', 'EARLy', 'LATE'], 'NEV'),
  bool(':OUTPut[:STATe]', 'output', false),
  word(':OUTPut:SMODe', 'smode', ['HIMPedance', 'NORMal', 'ZERO', 'GUARd'], 'NORM'),
  bool(':OUTPut:ENABle[:STATe]', 'enableLine', false),
  { pattern: ':OUTPut:ENABle:TRIPped', get: () => '0' },
  word(':ROUTe:TERMinals', 'terminals', ['FRONt', 'REAR'], 'FRON'),
  {
    pattern: ':FORMat:ELEMents[:SENSe]',
    get: (s) => SHORT.filter((e) => s.elements.includes(e)).join(','),
    set(s, args) {
      const named = args.flatMap((a) => wordOf(a, ELEMENTS) ?? []);
      if (args.length === 0) return -109;
      if (named.length < args.length) return -224;
      s.elements = named;
      return undefined;
    },
  },
  word(':FORMat:SOURce2', 'source2', ['ASCii', 'HEXadecimal', 'OCTal', 'BINary'], 'ASC'),
  num(':TRACe:POINts', 'points', span(1, 2500, 100), whole),
  { pattern: ':TRACe:POINts:ACTual', get: (s) => String(s.buffer.length) },
  { pattern: ':TRACe:FREE', get: (s) => `${(Number(s.values.points) - s.buffer.length) * 25},${s.buffer.length * 25}` },
  { pattern: ':TRACe:CLEar', set: (s) => void (s.buffer = []) },
  { pattern: ':TRACe:DATA', get: (s) => (s.buffer.length > 0 ? shown(s, s.buffer) : -230) },
  word(':TRACe:FEED', 'feed', ['SENSe', 'CALCulate', 'CALCulate2'], 'SENS'),
  word(':TRACe:FEED:CONTrol', 'feedControl', ['NEXT', 'NEVer'], 'NEV'),
  word(':TRACe:TSTamp:FORMat', 'tstamp', ['ABSolute', 'DELTa'], 'ABS'),
  word(':CALCulate3:FORMat', 'calc3', ['MEAN', 'SDEViation', 'MAXimum', 'MINimum', 'PKPK'], 'MEAN'),
  { pattern: ':CALCulate3:DATA', get: calculated },
  num(':ARM[:SEQuence][:LAYer]:COUNt', 'armCount', { lo: 1, hi: 2500, rst: 1, infinite: true }, whole),
  word(
    ':ARM[:SEQuence][:LAYer]:SOURce',
    'armSource',
    ['IMMediate', 'TLINk', 'TIMer', 'MANual', 'BUS', 'NSTest', 'PSTest', 'BSTest'],
    'IMM',
  ),
  num(':ARM[:SEQuence][:LAYer]:TIMer', 'armTimer', span(0.001, 99999.99, 0.1)),
  num(':ARM[:SEQuence][:LAYer]:ILINe', 'armIn', span(1, 4, 1), whole),
  num(':ARM[:SEQuence][:LAYer]:OLINe', 'armOut', span(1, 4, 2), whole),
  num(':TRIGger[:SEQuence]:COUNt', 'triggerCount', span(1, 2500, 1), whole),
  num(':TRIGger[:SEQuence]:DELay', 'triggerDelay', span(0, 999.9999, 0)),
  word(':TRIGger[:SEQuence]:SOURce', 'triggerSource', ['IMMediate', 'TLINk', 'BUS'], 'IMM'),
  num(':TRIGger[:SEQuence]:ILINe', 'triggerIn', span(1, 4, 1), whole),
  num(':TRIGger[:SEQuence]:OLINe', 'triggerOut', span(1, 4, 2), whole),
  word(':TRIGger[:SEQuence]:INPut', 'triggerInput', ['SOURce', 'DELay', 'SENSe', 'NONE'], 'NONE'),
  word(':TRIGger[:SEQuence]:OUTPut', 'triggerOutput', ['SOURce', 'DELay', 'SENSe', 'NONE'], 'NONE'),
  nothing(':TRIGger:CLEar'),
  nothing(':ABORt'),
  { pattern: ':INITiate[:IMMediate]', set: (s) => void take(s) },
  { pattern: '*TRG', set: (s) => void take(s) },
  bool(':SYSTem:RSENse', 'rsense', false),
  word(':SYSTem:LFRequency', 'lfr', ['50', '60'], '50'),
  word(':ARM[:SEQuence][:LAYer]:OUTPut', 'armOutput', ['TENTer', 'TEXit', 'NONE'], 'NONE'),
  bool(':SYSTem:LFRequency:AUTO', 'lfrAuto', true),
  word(':SYSTem:GUARd', 'guard', ['OHMS', 'CABLe'], 'CABL'),
  bool(':SYSTem:CCHeck', 'contactCheck', false),
  { pattern: ':SYSTem:TIME', get: (s) => s.t.toFixed(3) },
  nothing(':SYSTem:TIME:RESet'),
  { pattern: ':SYSTem:PRESet', set: (s) => void initial(s) },
  num(':DISPlay:DIGits', 'digits', span(4, 7, 6), whole),
  nothing(':DISPlay:CNDisplay'),
  text(':SYSTem:MEMory', 'memory'),
];

/** What *RST makes of it. */
function initial(s: State): void {
  reset(s, ALL);
  Object.assign(s, { elements: SHORT, functions: ['CURR'], list: { CURR: [], VOLT: [] }, last: undefined });
}
const ALL: readonly Entry<State>[] = [
  // AZERo takes ONCE and stays as it is.
  {
    pattern: ':SYSTem:AZERo[:STATe]',
    get: (s) => (s.values.azero === '0' ? '0' : '1'),
    set(s, [arg]) {
      if (arg === undefined) return -109;
      const how = wordOf(arg, ['ON', 'OFF', '1', '0', 'ONCE']);
      if (how === undefined) return -224;
      if (how !== 'ONCE') s.values.azero = how === 'ON' || how === '1' ? '1' : '0';
      return undefined;
    },
  },
  ...TABLE,
  ...common<State>('KEITHLEY INSTRUMENTS INC.,MODEL 2400,1234567,C30   Mar 17 2006 09:29:29/A02  /K/J', initial),
];
const say = interpreter(ALL);

function answer(line: string, s: State, w: Dac, t: number): readonly string[] {
  s.w = w;
  s.t = t;
  const said = say(line, s);
  const now = drive(s);
  condition(s, 'MEASurement', 14, now?.compliance === true);
  s.w = undefined;
  // A reading that was not permitted is no part of the answer.
  return said.map((one) => one.replace(/^;+|;+$/g, '').replace(/;;+/g, ';')).filter((one) => one !== '');
}

/**
 * A source-meter on the outer contacts, with its sense leads on the inner ones: sweeps and counted readings come at once. A range is
 * reported as it was asked for, where the instrument reports the range that it has chosen.
 */
export default simulator({
  options: options<Options>({ terminator: terminator('LF') }),
  links: ({ terminator: end = '\n' }: Partial<Options>) => ({
    main: scpi({ ask: end === '\r\n' ? end : [end, '\r\n'], tell: end }),
  }),
  state: (_p: Partial<Options>, name: string): State => ({
    ...box(ALL as readonly Entry<never>[]), // of any state: only keys and defaults are read
    name,
    elements: SHORT,
    functions: ['VOLT', 'CURR'],
    buffer: [],
    last: undefined,
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
