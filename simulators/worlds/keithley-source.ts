/**
 * The commands of a 6221 current source: Model 6220/6221 Reference Manual 622X-901-01, and what pymeasure keithley6221.py, InstrumentKit
 * keithley6220.py, PyExpLabSys keithley_6220.py, tektronix/keithley Model_622x_2182A and QCoDeS drivers ask of it.
 */
import type { Beyond } from '../../src/simulator.ts';
import type { Dac } from './dac.ts';
import { abort, drive, type Mode, type Runner, runTick, start } from './keithley-delta.ts';
import { list } from './keithley-list.ts';
import { type Meter, meterTick } from './keithley-meter.ts';
import { meter, meterAnswer } from './keithley-meter-scpi.ts';
import {
  bool,
  box,
  common,
  condition,
  type Entry,
  INFINITE,
  interpreter,
  nothing,
  num,
  numberOf,
  quoted,
  reset,
  sci,
  type Trouble,
  text,
  whole,
  word,
  wordOf,
} from './keithley-scpi.ts';
import { BUFFER, fresh, latest, selected, statistic, takenText } from './keithley-taken.ts';

export interface Source extends Runner {
  /** The meter at the relay, where none is declared in the rig and one is there. */
  readonly inner: Meter | undefined;
  /** What the meter has said and nobody has read. */
  heard: string;
  arbitrary: number[];
  lists: Record<'DEL' | 'COMP', number[]>;
  /** The world and what lies behind, between a question and its answer. */
  at: { readonly w: Dac; readonly t: number; readonly beyond: Beyond } | undefined;
  statistic: number;
}

const AMPS = { lo: -0.105, hi: 0.105, rst: 0 };
const RANGES = [2e-9, 20e-9, 200e-9, 2e-6, 20e-6, 200e-6, 2e-3, 20e-3, 100e-3];
const rangeFor = (amps: number): number => RANGES.find((r) => Math.abs(amps) <= 1.05 * r) ?? 0.1;

// --- the relay

const latin = (line: string): Uint8Array => Uint8Array.from(line, (c) => c.charCodeAt(0) & 0xff);
/** What the meter answers; undefined where none is there or it says nothing. */
function relayed(s: Source, line: string): string | undefined {
  const at = s.at;
  if (!at) return undefined;
  const outside = at.beyond('relay', latin(`${line}\n`));
  if (outside) return String.fromCharCode(...outside).replace(/[\r\n]+$/, '');
  return s.inner && !at.beyond('relay', latin('*IDN?\n')) ? meterAnswer(line, s.inner, at.w, at.t).join(';') || undefined : undefined;
}
const present = (s: Source): boolean => /MODEL 2182/.test(relayed(s, '*IDN?') ?? '');
const busy = (s: Source): boolean => s.armed === 'DELT' || s.armed === 'PDEL' || s.armed === 'DCON';

function send(s: Source, [given]: readonly string[]): Trouble {
  if (given === undefined) return -109;
  if (busy(s)) return -221; // the meter belongs to the measurement then
  const line = quoted(given)
    .replaceAll('""', '"')
    .replace(/[\r\n]+$/, '');
  s.heard = relayed(s, line) ?? s.heard;
  return undefined;
}
function enter(s: Source): string {
  const said = s.heard;
  s.heard = '';
  return said;
}

// --- arming

function arm(s: Source, mode: Mode): Trouble {
  const at = s.at;
  if (!at) return -221;
  if (mode === 'DELT' || mode === 'PDEL' || mode === 'DCON') {
    if (!present(s)) return -241;
    const said = relayed(s, ':SENS:VOLT:NPLC?;:SENS:VOLT:RANG?;:SENS:VOLT:RANG:AUTO?;:SYST:LFR?') ?? '';
    const [nplc, range, auto, line] = said.split(';').map(Number);
    s.meter = { nplc: nplc ?? 5, range: auto === 1 ? 0 : (range ?? 0), line: line ?? 60 };
  }
  abort(s, at.w); // what was armed before is not any more
  if (mode === 'SWE' && s.values.spacing === 'LIST' && s.list.length === 0) return -221;
  s.armed = mode;
  if (mode === 'DELT') s.values.tracPoints = Math.min(BUFFER, Number(s.values.deltCount));
  if (mode === 'PDEL') s.values.tracPoints = Math.min(BUFFER, Number(s.values.pdelCount));
  return undefined;
}
const arming = (mode: Mode, pattern: string): Entry<Source> => ({
  pattern,
  get: (s) => (s.armed === mode ? '1' : '0'),
  set: (s) => arm(s, mode),
});
function initiate(s: Source): Trouble {
  const at = s.at;
  if (s.armed === undefined || s.armed === 'WAVE' || !at) return -221;
  start(s, at.w, at.t);
  return undefined;
}
const stop = (s: Source): Trouble => {
  if (s.at) abort(s, s.at.w);
  return undefined;
};
const armedNot = (s: Source): Trouble => (s.armed !== undefined && s.armed !== 'WAVE' ? -221 : undefined);

// --- the table

const SOUR = '[:SOURce]';
const WAVE = `${SOUR}:WAVE`;
const COUNT = { lo: 1, hi: 65_536, rst: INFINITE, infinite: true };
const output = (s: Source, on: boolean): Trouble => {
  if (!s.at) return undefined;
  if (!on && s.armed !== undefined) abort(s, s.at.w);
  s.outputOn = on;
  drive(s, s.at.w, s.armed === undefined ? Number(s.values.amps) : s.level);
  return undefined;
};
const level = (s: Source, amps: number): Trouble => {
  if (armedNot(s) !== undefined) return -221;
  if (s.values.rangeAuto === true) s.values.range = rangeFor(amps);
  else if (Math.abs(amps) > 1.05 * Number(s.values.range)) return -222;
  if (s.at) drive(s, s.at.w, amps);
  return undefined;
};
const amps = (pattern: string, key: string, rst = 0, lo = -0.105, hi = 0.105): Entry<Source> =>
  num(pattern, key, { lo, hi, rst }, sci, armedNot);
const delay = (pattern: string, key: string, rst: number): Entry<Source> =>
  num(pattern, key, { lo: 1e-3, hi: 9999.999, rst }, sci, armedNot);
const bufferEntry = (path: string): readonly Entry<Source>[] => [
  { pattern: `${path}:CLEar`, set: (s) => void (s.buffer.length = 0) },
  { pattern: `${path}:FREE`, get: (s) => `${64 * (Number(s.values.tracPoints) - s.buffer.length)},${64 * s.buffer.length}` },
];

const TABLE: readonly Entry<Source>[] = [
  ...common<Source>('KEITHLEY INSTRUMENTS INC.,MODEL 6221,1287653,D04  /700x ', restart),
  nothing('*TRG'),
  { pattern: ':SYSTem:PRESet', set: (s) => void restart(s) },
  { pattern: ':SYSTem:TSTamp:RESet', set: () => undefined },
  { pattern: ':SYSTem:RNUMber:RESet', set: (s) => void (s.number = 0) },
  { pattern: ':SYSTem:LFRequency', get: (s) => String(s.meter.line) },
  { pattern: ':SYSTem:ABOard:SNUMber', get: () => '"1287653"' },
  { pattern: ':SYSTem:ABOard:REVision', get: () => '"D"' },
  { pattern: ':SYSTem:DBOard:SNUMber', get: () => '"1287653"' },
  { pattern: ':SYSTem:DBOard:REVision', get: () => '"D04"' },
  { pattern: ':SYSTem:COMMunicate:SERial:SEND', set: send },
  { pattern: ':SYSTem:COMMunicate:SERial:ENTer', get: enter },
  num(':SYSTem:COMMunicate:SERial:BAUD', 'baud', { lo: 300, hi: 115200, rst: 19200 }, whole),
  word(':SYSTem:COMMunicate:SERial:TERMinator', 'serialEnd', ['CR', 'LF', 'CRLF', 'LFCR'], 'CR'),
  word(':SYSTem:COMMunicate:SERial:PACE', 'pace', ['NONE', 'XON'], 'NONE'),
  // --- output
  { pattern: ':OUTPut[:STATe]', get: (s) => (s.outputOn ? '1' : '0'), set: bool<Source>('', 'output', false, output).set },
  word(':OUTPut:ISHield', 'shield', ['OLOW', 'GUARd'], 'OLOW', (s) => (s.outputOn ? -221 : undefined)),
  bool(':OUTPut:LTEarth', 'earth', false, (s) => (s.outputOn ? -221 : undefined)),
  word(':OUTPut:RESPonse', 'response', ['FAST', 'SLOW'], 'FAST'),
  { pattern: ':OUTPut:INTerlock:TRIPped', get: () => '1' },
  // --- direct current
  num(`${SOUR}:CURRent[:LEVel][:IMMediate][:AMPLitude]`, 'amps', AMPS, sci, level),
  {
    ...num<Source>(`${SOUR}:CURRent:RANGe`, 'range', { lo: -0.105, hi: 0.105, rst: 0.1 }),
    set(s, [given]) {
      const n = numberOf(given, { lo: -0.105, hi: 0.105, rst: 0.1 });
      if (typeof n !== 'number') return n.code;
      const conflict = armedNot(s);
      if (conflict !== undefined) return conflict;
      s.values.range = rangeFor(n);
      s.values.rangeAuto = false;
      return undefined;
    },
  },
  bool(`${SOUR}:CURRent:RANGe:AUTO`, 'rangeAuto', false),
  num(`${SOUR}:CURRent:COMPliance`, 'compliance', { lo: 0.1, hi: 105, rst: 10 }),
  bool(`${SOUR}:CURRent:FILTer[:STATe]`, 'filter', false),
  amps(`${SOUR}:CURRent:STARt`, 'start'),
  amps(`${SOUR}:CURRent:STOP`, 'stop', 1e-3),
  amps(`${SOUR}:CURRent:STEP`, 'step', 1e-4, 1e-13, 0.105),
  amps(`${SOUR}:CURRent:CENTer`, 'center', 0.5e-3),
  amps(`${SOUR}:CURRent:SPAN`, 'span', 1e-3, 2e-13, 0.21),
  num(`${SOUR}:DELay`, 'delay', { lo: 1e-3, hi: 999999.999, rst: 1 }),
  {
    pattern: `${SOUR}:CLEar[:IMMediate]`,
    set(s) {
      s.values.amps = 0;
      return output(s, false);
    },
  },
  // --- sweeps
  word(`${SOUR}:SWEep:SPACing`, 'spacing', ['LINear', 'LOGarithmic', 'LIST'], 'LIN', armedNot),
  num(`${SOUR}:SWEep:POINts`, 'points', { lo: 1, hi: 65_535, rst: 11 }, whole, armedNot),
  word(`${SOUR}:SWEep:RANGing`, 'sweRanging', ['AUTO', 'BEST', 'FIXed'], 'BEST'),
  num(`${SOUR}:SWEep:COUNt`, 'sweeps', { lo: 1, hi: 9999, rst: 1, infinite: true }, whole, armedNot),
  bool(`${SOUR}:SWEep:CABort`, 'sweCab', false),
  arming('SWE', `${SOUR}:SWEep:ARM`),
  { pattern: `${SOUR}:SWEep:ABORt`, set: (s) => (s.armed === 'WAVE' ? undefined : stop(s)) },
  ...list<Source>({
    path: `${SOUR}:LIST:CURRent`,
    append: `${SOUR}:LIST:CURRent:APPend`,
    span: [-0.105, 0.105],
    of: (s) => s.list,
    most: BUFFER,
  }),
  ...list<Source>({
    path: `${SOUR}:LIST:DELay`,
    append: `${SOUR}:LIST:DELay:APPend`,
    span: [1e-3, 1e6],
    of: (s) => s.lists.DEL,
    most: BUFFER,
  }),
  ...list<Source>({
    path: `${SOUR}:LIST:COMPliance`,
    append: `${SOUR}:LIST:COMPliance:APPend`,
    span: [0.1, 105],
    of: (s) => s.lists.COMP,
    most: BUFFER,
  }),
  // --- delta, pulse delta, differential conductance
  ...['DELTa', 'PDELta', 'DCONductance'].map(
    (m): Entry<Source> => ({ pattern: `${SOUR}:${m}:NVPResent`, get: (s) => (present(s) ? '1' : '0') }),
  ),
  num(`${SOUR}:DELTa:HIGH`, 'deltHigh', { lo: 0, hi: 0.105, rst: 1e-3 }, sci, (s, n) => armedNot(s) ?? void (s.values.deltLow = -n)),
  amps(`${SOUR}:DELTa:LOW`, 'deltLow', -1e-3, -0.105, 0),
  delay(`${SOUR}:DELTa:DELay`, 'deltDelay', 2e-3),
  num(`${SOUR}:DELTa:COUNt`, 'deltCount', COUNT, whole, armedNot),
  bool(`${SOUR}:DELTa:CABort`, 'deltCab', false, armedNot),
  bool(`${SOUR}:DELTa:CSWitch`, 'deltCold', false, armedNot),
  arming('DELT', `${SOUR}:DELTa:ARM`),
  amps(`${SOUR}:PDELta:HIGH`, 'pdelHigh', 1e-3),
  amps(`${SOUR}:PDELta:LOW`, 'pdelLow'),
  num(`${SOUR}:PDELta:WIDTh`, 'pdelWidth', { lo: 50e-6, hi: 12e-3, rst: 110e-6 }),
  num(`${SOUR}:PDELta:SDELay`, 'pdelDelay', { lo: 16e-6, hi: 11.966e-3, rst: 16e-6 }),
  num(`${SOUR}:PDELta:COUNt`, 'pdelCount', { ...COUNT, hi: 65_636 }, whole, armedNot),
  word(`${SOUR}:PDELta:RANGing`, 'pdelRanging', ['BEST', 'FIXed'], 'BEST'),
  num(`${SOUR}:PDELta:INTerval`, 'pdelInterval', { lo: 5, hi: 999_999, rst: 5 }, whole, armedNot),
  bool(`${SOUR}:PDELta:SWEep[:STATe]`, 'pdelSweep', false),
  num(`${SOUR}:PDELta:LMEasure`, 'pdelLow2', { lo: 1, hi: 2, rst: 2 }, whole),
  arming('PDEL', `${SOUR}:PDELta:ARM`),
  amps(`${SOUR}:DCONductance:STARt`, 'dconStart', -10e-6),
  amps(`${SOUR}:DCONductance:STEP`, 'dconStep', 1e-6, 0),
  amps(`${SOUR}:DCONductance:STOP`, 'dconStop', 10e-6),
  amps(`${SOUR}:DCONductance:DELTa`, 'dconDelta', 1e-6, 0),
  delay(`${SOUR}:DCONductance:DELay`, 'dconDelay', 2e-3),
  bool(`${SOUR}:DCONductance:CABort`, 'dconCab', false),
  { pattern: `${SOUR}:DCONductance:NVZero`, get: () => sci(0) },
  arming('DCON', `${SOUR}:DCONductance:ARM`),
  { pattern: ':INITiate[:IMMediate]', set: initiate },
  { pattern: ':ABORt', set: stop },
  // --- waves
  word(
    `${WAVE}:FUNCtion`,
    'wave',
    ['SINusoid', 'SQUare', 'RAMP', 'ARBitrary0', 'ARBitrary1', 'ARBitrary2', 'ARBitrary3', 'ARBitrary4'],
    'SIN',
  ),
  num(`${WAVE}:AMPLitude`, 'ampl', { lo: 2e-12, hi: 0.105, rst: 1e-3 }),
  num(`${WAVE}:FREQuency`, 'freq', { lo: 1e-3, hi: 1e5, rst: 1000 }),
  num(`${WAVE}:OFFSet`, 'offset', AMPS),
  num(`${WAVE}:DCYCle`, 'dcyc', { lo: 0, hi: 100, rst: 50 }),
  word(`${WAVE}:RANGing`, 'waveRanging', ['BEST', 'FIXed'], 'BEST'),
  num(`${WAVE}:DURation:TIME`, 'durTime', { lo: 100e-9, hi: 999999.999, rst: INFINITE, infinite: true }),
  num(`${WAVE}:DURation:CYCLes`, 'durCycles', { lo: 1e-3, hi: 99_999_999_900, rst: INFINITE, infinite: true }),
  num(`${WAVE}:PMARk[:LEVel]`, 'pmark', { lo: 0, hi: 360, rst: 180 }),
  num(`${WAVE}:PMARk:OLINe`, 'pmarkLine', { lo: 1, hi: 6, rst: 3 }, whole),
  bool(`${WAVE}:PMARk:STATe`, 'pmarkOn', false),
  bool(`${WAVE}:EXTRigger[:ENABle]`, 'extr', false),
  num(`${WAVE}:EXTRigger:ILINe`, 'extrLine', { lo: 0, hi: 6, rst: 0 }, whole),
  bool(`${WAVE}:EXTRigger:IGNore`, 'extrIgnore', false),
  num(`${WAVE}:EXTRigger:IVALue`, 'extrValue', { lo: -1, hi: 1, rst: 0 }),
  ...list<Source>({
    path: `${WAVE}:ARBitrary:DATA`,
    append: `${WAVE}:ARBitrary:APPend`,
    span: [-1, 1],
    of: (s) => s.arbitrary,
    most: BUFFER,
  }),
  num(`${WAVE}:ARBitrary:COPY`, 'arbCopy', { lo: 1, hi: 4, rst: 1 }, whole),
  arming('WAVE', `${WAVE}:ARM`),
  {
    pattern: `${WAVE}:INITiate`,
    set(s) {
      if (s.armed !== 'WAVE' || !s.at) return -221;
      start(s, s.at.w, s.at.t);
      return undefined;
    },
  },
  { pattern: `${WAVE}:ABORt`, set: (s) => (s.armed === 'WAVE' ? stop(s) : undefined) },
  // --- readings and buffer
  { pattern: '[:SENSe]:DATA[:LATest]', get: latest },
  { pattern: '[:SENSe]:DATA:FRESh', get: fresh },
  { pattern: ':CALCulate:DATA[:LATest]', get: latest },
  { pattern: ':CALCulate:DATA:FRESh', get: fresh },
  bool('[:SENSe]:AVERage[:STATe]', 'aver', false),
  word('[:SENSe]:AVERage:TCONtrol', 'averType', ['MOVing', 'REPeat'], 'MOV'),
  num('[:SENSe]:AVERage:WINDow', 'averWindow', { lo: 0, hi: 10, rst: 0 }),
  num('[:SENSe]:AVERage:COUNt', 'averCount', { lo: 2, hi: 300, rst: 10 }, whole),
  word(':UNIT[:VOLTage][:DC]', 'unit', ['V', 'OHMS', 'W', 'SIEMens'], 'V'),
  word(':UNIT:POWer[:TYPE]', 'unitPower', ['PEAK', 'AVERage'], 'AVER'),
  {
    pattern: ':FORMat:ELEMents',
    key: 'elements',
    rst: 'READ,TST',
    get: (s) => String(s.values.elements),
    set(s, args) {
      if (args.length === 0) return -109;
      const order = ['READ', 'TST', 'UNIT', 'SOUR', 'AVOL', 'COMP', 'RNUM'];
      const names = ['READing', 'TSTamp', 'UNITs', 'RNUMber', 'SOURce', 'COMPliance', 'AVOLtage', 'ALL', 'DEFault'];
      const found = args.map((a) => wordOf(a, names));
      if (found.includes(undefined)) return -224;
      const chosen = found.includes('ALL') ? order : found.includes('DEF') ? ['READ', 'TST'] : order.filter((e) => found.includes(e));
      s.values.elements = chosen.join(',');
      return undefined;
    },
  },
  ...bufferEntry(':TRACe'),
  num(':TRACe:POINts', 'tracPoints', { lo: 1, hi: BUFFER, rst: 1024 }, whole, (s) => (s.running ? -221 : void (s.buffer.length = 0))),
  { pattern: ':TRACe:POINts:ACTual', get: (s) => String(s.buffer.length) },
  num(':TRACe:NOTify', 'notify', { lo: 1, hi: BUFFER - 1, rst: 512 }, whole),
  word(':TRACe:FEED', 'feed', ['SENSe1', 'SENSe', 'CALCulate1', 'CALCulate', 'NONE'], 'CALC1'),
  word(':TRACe:FEED:CONTrol', 'feedControl', ['NEXT', 'NEVer'], 'NEV'),
  word(':TRACe:TSTamp:FORMat', 'stampFormat', ['ABSolute', 'DELTa'], 'ABS'),
  { pattern: ':TRACe:DATA', get: (s) => (s.buffer.length === 0 ? -230 : s.buffer.map((one) => takenText(s, one)).join(',')) },
  { pattern: ':TRACe:DATA:SELected', get: selected },
  {
    pattern: ':TRACe:DATA:TYPE',
    get: (s) => (s.buffer.length === 0 ? 'NONE' : s.armed === 'DCON' ? 'DCON' : s.armed === 'PDEL' ? 'PULS' : 'DELT'),
  },
  // --- mathematics, limits, triggers
  word(':CALCulate:FORMat', 'calcForm', ['NONE', 'MXB', 'RECiprocal'], 'MXB'),
  num(':CALCulate:KMATh:MMFactor', 'mmf', { lo: -9.99999e20, hi: 9.99999e20, rst: 1 }),
  num(':CALCulate:KMATh:MBFactor', 'mbf', { lo: -9.99999e20, hi: 9.99999e20, rst: 0 }),
  text(':CALCulate:KMATh:MUNits', 'munits', 'MXB'),
  bool(':CALCulate:STATe', 'calc', false),
  word(':CALCulate2:FORMat', 'statForm', ['MEAN', 'SDEViation', 'MAXimum', 'MINimum', 'PKPK'], 'MEAN'),
  bool(':CALCulate2:STATe', 'stat', false),
  { pattern: ':CALCulate2:IMMediate', set: statistic },
  { pattern: ':CALCulate2:DATA', get: (s) => sci(s.statistic, 8) },
  bool(':CALCulate3:LIMit:STATe', 'limit', false),
  num(':CALCulate3:LIMit:SOURce2', 'limitPattern', { lo: 0, hi: 15, rst: 0 }, whole),
  { pattern: ':CALCulate3:LIMit:FAIL', get: (s) => ((s.conditions.MEASurement & 8) !== 0 ? '1' : '0') },
  bool(':CALCulate3:FORCe:STATe', 'force', false),
  num(':CALCulate3:FORCe:PATTern', 'forcePattern', { lo: 0, hi: 15, rst: 15 }, whole),
  word(':ARM:SOURce', 'armSource', ['IMMediate', 'TIMer', 'BUS', 'TLINk', 'BSTest', 'PSTest', 'NSTest', 'MANual'], 'IMM'),
  num(':ARM:TIMer', 'armTimer', { lo: 0, hi: 99999.99, rst: 0.1 }),
  word(':TRIGger:SOURce', 'trigSource', ['IMMediate', 'TLINk'], 'IMM'),
  ...['ARM', 'TRIGger'].flatMap((layer): Entry<Source>[] => [
    nothing(`:${layer}:SIGNal`),
    word(`:${layer}[:TCONfigure]:DIRection`, `${layer}Dir`, ['SOURce', 'ACCeptor'], 'ACC'),
    num(`:${layer}[:TCONfigure][:ASYNchronous]:ILINe`, `${layer}In`, { lo: 1, hi: 6, rst: 1 }, whole),
    num(`:${layer}[:TCONfigure][:ASYNchronous]:OLINe`, `${layer}Out`, { lo: 1, hi: 6, rst: 2 }, whole),
    word(`:${layer}[:TCONfigure][:ASYNchronous]:OUTPut`, `${layer}Output`, ['TENTer', 'TEXit', 'SOURce', 'DELay', 'NONE'], 'NONE'),
  ]),
];

/** *RST and SYSTem:PRESet: defaults, nothing armed, output off. The buffer stays (manual, table 6-4). */
function restart(s: Source): void {
  if (s.at) abort(s, s.at.w);
  reset(s, TABLE);
  s.list.length = 0;
  s.outputOn = false;
  if (s.at) drive(s, s.at.w, 0);
}

export function source(name: string, line: 50 | 60, withMeter: boolean): Source {
  const s: Source = {
    ...box(TABLE),
    name,
    armed: undefined,
    running: false,
    run: undefined,
    runs: 0,
    meter: { nplc: 5, range: 0, line },
    number: 0,
    buffer: [],
    latest: undefined,
    fresh: false,
    outputOn: false,
    level: 0,
    list: [],
    hot: false,
    inner: withMeter ? meter(`${name} meter`, line) : undefined,
    heard: '',
    arbitrary: [],
    lists: { DEL: [], COMP: [] },
    at: undefined,
    statistic: 0,
  };
  condition(s, 'OPERation', 10, true); // idle
  s.events.OPERation = 0;
  return s;
}

const interpret = interpreter(TABLE);
export function sourceAnswer(line: string, s: Source, w: Dac, t: number, beyond: Beyond): readonly string[] {
  s.at = { w, t, beyond };
  runTick(s, w, t); // what has ended since the world's last tick is there
  const said = interpret(line, s);
  s.at = undefined;
  return said;
}
export function sourceTick(s: Source, w: Dac, t: number): void {
  if (s.inner) meterTick(s.inner, w, t);
  runTick(s, w, t);
}
