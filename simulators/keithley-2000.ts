import { channelList, channelsOf } from '../protocols/channel-list.ts';
import { scpi } from '../protocols/scpi.ts';
import { gauss, options, simulator, terminator } from '../src/simulator.ts';
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
  sci,
  type Trouble,
  text,
  whole,
  word,
  wordOf,
} from './worlds/keithley-scpi.ts';
import { ARRANGEMENTS, type Arrangements, arrangementsOf, connect } from './worlds/scanner.ts';
import { statistics } from './worlds/source-meter.ts';

interface Options {
  readonly terminator: string;
  readonly arrangements: Arrangements;
  readonly settle?: unknown;
  readonly measures?: 'voltage' | 'resistance' | 'current';
}
interface State extends Box {
  readonly name: string;
  readonly arrangements: Arrangements;
  closed: readonly string[];
  buffer: number[];
  elements: readonly string[];
  last: number;
  w: Dac | undefined;
  t: number;
  n: number;
}

const OVER = 9.9e37;
/** Short names of the functions, their headers, and the most that each measures. */
const FUNCTIONS: Readonly<Record<string, { readonly header: string; readonly most: number; readonly range: number }>> = {
  'VOLT:DC': { header: 'VOLTage[:DC]', most: 1010, range: 1000 },
  'VOLT:AC': { header: 'VOLTage:AC', most: 757.5, range: 750 },
  'CURR:DC': { header: 'CURRent[:DC]', most: 3.1, range: 3 },
  'CURR:AC': { header: 'CURRent:AC', most: 3.1, range: 3 },
  RES: { header: 'RESistance', most: 120e6, range: 120e6 },
  FRES: { header: 'FRESistance', most: 120e6, range: 120e6 },
  TEMP: { header: 'TEMPerature', most: 1372, range: 1372 },
  FREQ: { header: 'FREQuency', most: 15e6, range: 15e6 },
  PER: { header: 'PERiod', most: 1, range: 1 },
  DIOD: { header: 'DIODe', most: 1, range: 1 },
  CONT: { header: 'CONTinuity', most: 1000, range: 1000 },
};
const NAMES = [
  'VOLTage:DC',
  'VOLTage:AC',
  'CURRent:DC',
  'CURRent:AC',
  'VOLTage',
  'CURRent',
  'RESistance',
  'FRESistance',
  'TEMPerature',
  'FREQuency',
  'PERiod',
  'DIODe',
  'CONTinuity',
];
const span = (lo: number, hi: number, rst: number) => ({ lo, hi, rst });
const shown = (n: number): string => sci(n, 8);

function functionOf(given: string | undefined): string | undefined {
  if (given === undefined) return undefined;
  const name = wordOf(quoted(given), NAMES);
  return name === 'VOLT' || name === 'CURR' ? `${name}:DC` : name;
}

/** One conversion; nothing connected is an overflow, as the instrument has it. */
function convert(s: State): number {
  const { w } = s;
  if (!w) return s.last;
  const f = String(s.values.function);
  const { probe } = w;
  const noise = (size: number): number => size * gauss(w.seed, `${s.name} ${f} ${s.n++}`, w.ticks);
  const of = (value: number | undefined, size: number): number =>
    value === undefined || !Number.isFinite(value) ? OVER : value + noise(size);
  let value = 0;
  if (f === 'VOLT:DC') value = of(probe.volts(probe.direct(), s.t), 1e-7);
  else if (f === 'CURR:DC') value = of(probe.direct(), 1e-9);
  else if (f === 'RES') value = of(probe.path(), 1e-3);
  else if (f === 'FRES') value = of(probe.volts(0, s.t) === undefined ? undefined : probe.resistance(), 1e-4);
  else if (f === 'TEMP') value = of(w.roomTemperature - 273.15, 0.01);
  else if (f === 'DIOD' || f === 'CONT') value = OVER;
  const fixed = s.values[`${f} auto`] === false;
  if (value !== OVER && fixed && Math.abs(value) > 1.2 * Number(s.values[`${f} range`])) value = OVER;
  if (value !== OVER && s.values[`${f} refOn`] === true) value -= Number(s.values[`${f} ref`]);
  s.last = value;
  event(s, 'MEASurement', 5);
  return value;
}
/** The latest reading: the instrument goes on measuring by itself, whoever asks. */
function latest(s: State): number {
  if (s.values.continuous !== true) return s.last;
  const { n } = s;
  const value = convert(s);
  s.n = n;
  return value;
}
/** A reading with the elements that it is to have. */
function row(s: State, value: number): string {
  const unit =
    { 'VOLT:DC': 'VDC', 'VOLT:AC': 'VAC', 'CURR:DC': 'ADC', 'CURR:AC': 'AAC', RES: 'OHM', FRES: 'OHM4W' }[String(s.values.function)] ?? '';
  const part: Readonly<Record<string, string>> = { READ: shown(value), UNIT: unit, CHAN: `${s.closed[0] ?? 0}INTCHAN` };
  return ['READ', 'CHAN', 'UNIT'].flatMap((e) => (s.elements.includes(e) ? [part[e]] : [])).join(',');
}
function take(s: State): readonly number[] {
  const n = Math.min(1024, Number(s.values.triggerCount) * Number(s.values.sampleCount));
  const values = Array.from({ length: n }, () => convert(s));
  if (s.values.feedControl === 'NEXT') {
    const room = Number(s.values.points);
    s.buffer.push(...values.slice(0, Math.max(0, room - s.buffer.length)));
    if (s.buffer.length >= room) {
      s.values.feedControl = 'NEV';
      event(s, 'MEASurement', 9);
    }
  }
  return values;
}
const read = (s: State): string =>
  take(s)
    .map((v) => row(s, v))
    .join(',');
function choose(s: State, given: string | undefined): Trouble {
  const f = functionOf(given);
  if (f === undefined) return given === undefined ? -109 : -224;
  s.values.function = f;
  return undefined;
}

const perFunction = (f: string): readonly Entry<State>[] => {
  const { header, most, range } = FUNCTIONS[f];
  const at = `[:SENSe]:${header}`;
  const direct = [':CONFigure', ':MEASure'].map((head) => `${head}:${header}`);
  return [
    num(`${at}:RANGe[:UPPer]`, `${f} range`, span(0, most, range), sci, (s) => void (s.values[`${f} auto`] = false)),
    bool(`${at}:RANGe:AUTO`, `${f} auto`, true),
    num(`${at}:REFerence`, `${f} ref`, span(-most, most, 0)),
    bool(`${at}:REFerence:STATe`, `${f} refOn`, false),
    { pattern: `${at}:REFerence:ACQuire`, set: (s) => void (s.values[`${f} ref`] = s.last === OVER ? 0 : s.last) },
    num(`${at}:NPLCycles`, `${f} nplc`, span(0.01, 10, 1)),
    num(`${at}:DIGits`, `${f} digits`, span(4, 7, 7), whole),
    bool(`${at}:AVERage[:STATe]`, `${f} filter`, false),
    word(`${at}:AVERage:TCONtrol`, `${f} filterType`, ['REPeat', 'MOVing'], 'REP'),
    num(`${at}:AVERage:COUNt`, `${f} filterCount`, span(1, 100, 10), whole),
    num(`${at}:DETector:BANDwidth`, `${f} band`, span(3, 300, 30)),
    num(`${at}:THReshold[:VOLTage]:RANGe`, `${f} threshold`, span(0, 1010, 10)),
    num(`${at}:APERture`, `${f} aperture`, span(0.01, 1, 1)),
    { pattern: direct[0], set: (s) => choose(s, f) },
    {
      pattern: direct[1],
      get(s) {
        s.values.function = f;
        s.values.triggerCount = s.values.sampleCount = 1;
        return read(s);
      },
    },
  ];
};

// --- the scanner card: ten channels

const exists = (channel: string): boolean => /^\d+$/.test(channel) && Number(channel) >= 1 && Number(channel) <= 10;
function listed(args: readonly string[]): readonly string[] | Code {
  if (args.length === 0) return -109;
  const channels = channelsOf(args.join(','));
  if (!channels) return -104;
  return channels.every(exists) ? channels : -222;
}
function put(s: State, closed: readonly string[]): undefined {
  s.closed = channelsOf(channelList(closed)) ?? [];
  return undefined;
}
/** ROUTe:CLOSe closes one channel and opens all others; ROUTe:MULTiple leaves them. */
function close(s: State, args: readonly string[], several: boolean): Trouble {
  const channels = listed(args);
  if (typeof channels === 'number') return channels;
  if (!several && channels.length !== 1) return -222;
  return put(s, several ? [...s.closed, ...channels] : channels);
}
function open(s: State, args: readonly string[]): Trouble {
  if (args.length === 1 && /^ALL$/i.test(args[0])) return put(s, []);
  const channels = listed(args);
  if (typeof channels === 'number') return channels;
  return put(
    s,
    s.closed.filter((c) => !channels.includes(c)),
  );
}
const asked = (s: State, args: readonly string[]): string | Code => {
  const channels = listed(args);
  return typeof channels === 'number' ? channels : channels.map((c) => (s.closed.includes(c) ? '1' : '0')).join(',');
};

const TABLE: readonly Entry<State>[] = [
  ...Object.keys(FUNCTIONS).flatMap(perFunction),
  { pattern: '[:SENSe]:FUNCtion', get: (s) => `"${s.values.function}"`, set: (s, [f]) => choose(s, f) },
  { pattern: ':CONFigure', get: (s) => `"${s.values.function}"`, set: (s, [f]) => choose(s, f) },
  { pattern: ':READ', get: read },
  { pattern: ':FETCh', get: (s) => row(s, latest(s)) },
  { pattern: '[:SENSe]:DATA[:LATest]', get: (s) => row(s, latest(s)) },
  { pattern: '[:SENSe]:DATA:FRESh', get: (s) => row(s, convert(s)) },
  num('[:SENSe]:HOLD:COUNt', 'holdCount', span(2, 100, 5), whole),
  bool(':INITiate:CONTinuous', 'continuous', true),
  { pattern: ':INITiate[:IMMediate]', set: (s) => void take(s) },
  { pattern: '*TRG', set: (s) => void take(s) },
  nothing(':ABORt'),
  num(':TRIGger[:SEQuence]:COUNt', 'triggerCount', { lo: 1, hi: 9999, rst: 1, infinite: true }, whole),
  num(':TRIGger[:SEQuence]:DELay', 'triggerDelay', span(0, 999999.999, 0)),
  bool(':TRIGger[:SEQuence]:DELay:AUTO', 'triggerDelayAuto', true),
  word(':TRIGger[:SEQuence]:SOURce', 'triggerSource', ['IMMediate', 'TIMer', 'MANual', 'BUS', 'EXTernal'], 'IMM'),
  num(':TRIGger[:SEQuence]:TIMer', 'triggerTimer', span(0.001, 999999.999, 0.1)),
  nothing(':TRIGger[:SEQuence]:SIGNal'),
  num(':SAMPle:COUNt', 'sampleCount', span(1, 1024, 1), whole),
  {
    pattern: ':FORMat:ELEMents',
    get: (s) => s.elements.join(','),
    set(s, args) {
      const named = args.flatMap((a) => wordOf(a, ['READing', 'CHANnel', 'UNITs']) ?? []);
      if (args.length === 0 || named.length < args.length) return args.length === 0 ? -109 : -224;
      s.elements = named.map((e) => e.slice(0, 4));
      return undefined;
    },
  },
  num(':TRACe:POINts', 'points', span(2, 1024, 100), whole),
  { pattern: ':TRACe:CLEar', set: (s) => void (s.buffer = []) },
  { pattern: ':TRACe:FREE', get: (s) => `${(1024 - s.buffer.length) * 12},${s.buffer.length * 12}` },
  { pattern: ':TRACe:DATA', get: (s) => (s.buffer.length > 0 ? s.buffer.map((v) => row(s, v)).join(',') : -230) },
  word(':TRACe:FEED', 'feed', ['SENSe', 'CALCulate', 'NONE'], 'SENS'),
  word(':TRACe:FEED:CONTrol', 'feedControl', ['NEXT', 'NEVer'], 'NEV'),
  word(':CALCulate2:FORMat', 'calc2', ['MEAN', 'SDEViation', 'MAXimum', 'MINimum', 'NONE'], 'NONE'),
  bool(':CALCulate2:STATe', 'calc2On', false),
  {
    pattern: ':CALCulate2:DATA',
    get(s) {
      if (s.buffer.length === 0) return -230;
      const { mean, sd, min, max } = statistics(s.buffer);
      return shown({ MEAN: mean, SDEV: sd, MAX: max, MIN: min }[String(s.values.calc2)] ?? mean);
    },
  },
  { pattern: ':ROUTe:CLOSe', set: (s, args) => close(s, args, false), get: asked },
  { pattern: ':ROUTe:CLOSe:STATe', get: (s) => channelList(s.closed) },
  { pattern: ':ROUTe:OPEN', set: open },
  { pattern: ':ROUTe:OPEN:ALL', set: (s) => put(s, []) },
  { pattern: ':ROUTe:MULTiple:CLOSe', set: (s, args) => close(s, args, true), get: asked },
  { pattern: ':ROUTe:MULTiple:CLOSe:STATe', get: (s) => channelList(s.closed) },
  { pattern: ':ROUTe:MULTiple:OPEN', set: open },
  text(':ROUTe:SCAN[:INTernal]', 'scan', '(@1:10)'),
  text(':ROUTe:SCAN:EXTernal', 'scanExternal', '(@1:10)'),
  word(':ROUTe:SCAN:LSELect', 'lselect', ['INTernal', 'EXTernal', 'NONE'], 'NONE'),
  bool(':SYSTem:AZERo[:STATe]', 'azero', true),
  { pattern: ':SYSTem:FRSWitch', get: () => '0' },
  { pattern: ':SYSTem:LSYNc:STATe', get: () => '0' },
  { pattern: ':SYSTem:LFRequency', get: () => '50' },
  { pattern: ':SYSTem:PRESet', set: (s) => void initial(s) },
  { pattern: '*OPT', get: () => '200X-SCAN' },
];
const ALL: readonly Entry<State>[] = [...TABLE, ...common<State>('KEITHLEY INSTRUMENTS INC.,MODEL 2000,1234567,A20  /A02', initial)];
function initial(s: State): void {
  reset(s, ALL);
  s.values.function = 'VOLT:DC';
  Object.assign(s, { elements: ['READ'], closed: [] });
}
const say = interpreter(ALL);
const START = { voltage: 'VOLT:DC', resistance: 'FRES', current: 'CURR:DC' } as const;

/**
 * A multimeter behind its card of ten channels, on the sample's contacts: what is closed makes the arrangement of contacts (the first one
 * to begin with). A range is reported as it was asked for, where the instrument reports the range that it has chosen.
 */
export default simulator({
  options: options<Options>({
    terminator: terminator('LF'),
    arrangements: { about: "the driver's own", of: (yaml) => arrangementsOf(yaml) },
    settle: { about: "the driver's own", of: (yaml) => yaml },
    measures: { about: "the driver's own", of: (yaml) => (yaml === 'resistance' || yaml === 'current' ? yaml : 'voltage') },
  }),
  links: ({ terminator: end = '\n' }: Partial<Options>) => ({
    main: scpi({ ask: end === '\r\n' ? end : [end, '\r\n'], tell: end }),
  }),
  state: ({ arrangements = ARRANGEMENTS, measures = 'voltage' }: Partial<Options>, name: string): State => {
    const made = box(ALL as readonly Entry<never>[]); // of any state: only keys and defaults are read
    made.values.function = START[measures];
    return {
      ...made,
      name,
      arrangements,
      closed: Object.values(arrangements)[0] ?? [],
      buffer: [],
      elements: ['READ'],
      last: 0,
      w: undefined,
      t: 0,
      n: 0,
    };
  },
  world: dac,
  answer: {
    main(line, s, w, t) {
      connect(s.closed, s.arrangements, w);
      s.w = w;
      s.t = t;
      const said = say(line, s);
      s.w = undefined;
      connect(s.closed, s.arrangements, w);
      return said;
    },
  },
  tick(s, w, t) {
    connect(s.closed, s.arrangements, w);
    s.n = 0;
    s.t = t;
    if (s.values.continuous === true) event(s, 'MEASurement', 5);
  },
  think: 0.002,
});
