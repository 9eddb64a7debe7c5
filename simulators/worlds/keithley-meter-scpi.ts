/**
 * The commands of a 2182A: Model 2182/2182A User's Manual 2182A-900-01, and what pymeasure keithley2182.py, PyExpLabSys keithley_2182.py and
 * other drivers ask of it.
 */
import type { Dac } from './dac.ts';
import { BUFFER, convert, fresh, latest, type Meter, measure, OVER, period, RANGES, read, readingText } from './keithley-meter.ts';
import {
  bool,
  box,
  common,
  condition,
  type Entry,
  interpreter,
  nothing,
  num,
  quoted,
  reset,
  type Span,
  sci,
  type Trouble,
  text,
  whole,
  word,
  wordOf,
} from './keithley-scpi.ts';

function configured(m: Meter, func: string): Meter {
  m.values.func = func;
  m.values.continuous = false;
  m.values.count = 1;
  m.values.samples = 1;
  m.left = 0;
  return m;
}
const setFunction = (m: Meter, [given]: readonly string[]): Trouble => {
  if (given === undefined) return -109;
  const name = quoted(given).toUpperCase();
  if (/^VOLT(AGE)?(:DC)?$/.test(name)) m.values.func = 'VOLT:DC';
  else if (/^TEMP(ERATURE)?$/.test(name)) m.values.func = 'TEMP';
  else return -224;
  m.latest = undefined;
  return undefined;
};

const range = (n: 1 | 2, pattern: string): Entry<Meter> => {
  const most = n === 1 ? 120 : 12;
  const entry = num<Meter>(pattern, `range${n}`, { lo: 0, hi: most, rst: n === 1 ? 100 : 10 }, (v) => sci(v, 8));
  return {
    ...entry,
    set(m, args) {
      const trouble = entry.set?.(m, args);
      if (trouble !== undefined) return trouble;
      const asked = Number(m.values[`range${n}`]);
      m.values[`range${n}`] = RANGES[n].find((r) => asked <= OVER * r) ?? most;
      m.values[`auto${n}`] = false;
      return undefined;
    },
  };
};
const NPLC: Span = { lo: 0.01, hi: 60, rst: 5 };
const nplc = (pattern: string, key: string): Entry<Meter> => ({
  ...num<Meter>(
    pattern,
    key,
    NPLC,
    (n) => sci(n, 6),
    (m, n) => (n > m.line ? -222 : undefined),
  ),
});
const aperture = (pattern: string, key: string): Entry<Meter> => ({
  pattern,
  get: (m) => sci(Number(m.values[key]) / m.line),
  set(m, [given]) {
    const seconds = Number(given);
    if (given === undefined || Number.isNaN(seconds)) return given === undefined ? -109 : -104;
    if (seconds < 0.01 / m.line || seconds > 1) return -222;
    m.values[key] = seconds * m.line;
    return undefined;
  },
});
const DC = '[:SENSe]:VOLTage[:DC]';
/** Settings of one channel; those of channel 1 are also reached without its name. */
const channel = (n: 1 | 2): readonly Entry<Meter>[] =>
  [`:CHANnel${n}`, ...(n === 1 ? [''] : [])].flatMap((c): readonly Entry<Meter>[] => [
    range(n, `${DC}${c}:RANGe[:UPPer]`),
    bool(`${DC}${c}:RANGe:AUTO`, `auto${n}`, true),
    bool(`${DC}${c}:LPASs[:STATe]`, `lpas${n}`, false),
    bool(`${DC}${c}:DFILter[:STATe]`, `dfil${n}`, true),
    num(`${DC}${c}:DFILter:COUNt`, `dfilCount${n}`, { lo: 1, hi: 100, rst: 10 }, whole),
    num(`${DC}${c}:DFILter:WINDow`, `dfilWindow${n}`, { lo: 0, hi: 10, rst: 0.01 }),
    word(`${DC}${c}:DFILter:TCONtrol`, `dfilType${n}`, ['MOVing', 'REPeat'], 'MOV'),
    ...reference(`${DC}${c}`, 'ref', n, n === 1 ? 120 : 12),
    ...reference(`[:SENSe]:TEMPerature${c}`, 'tref', n, 1800),
    bool(`[:SENSe]:TEMPerature${c}:LPASs[:STATe]`, `tlpas${n}`, false),
    bool(`[:SENSe]:TEMPerature${c}:DFILter[:STATe]`, `tdfil${n}`, true),
    num(`[:SENSe]:TEMPerature${c}:DFILter:COUNt`, `tdfilCount${n}`, { lo: 1, hi: 100, rst: 10 }, whole),
  ]);
const reference = (path: string, key: string, n: 1 | 2, most: number): readonly Entry<Meter>[] => [
  num(`${path}:REFerence`, `${key}${n}`, { lo: key === 'tref' ? -273 : -most, hi: most, rst: 0 }),
  bool(`${path}:REFerence:STATe`, `${key}On${n}`, false),
  {
    pattern: `${path}:REFerence:ACQuire`,
    set(m) {
      const one = convert(m, m.t, Math.floor(m.t / period(m)));
      m.values[`${key}${n}`] = one.value + (m.values[`${key}On${n}`] === true ? Number(m.values[`${key}${n}`]) : 0);
      return undefined;
    },
  },
];

function statistic(m: Meter): string {
  const all = m.buffer.map((c) => c.value).filter(Number.isFinite);
  const mean = all.reduce((s, v) => s + v, 0) / all.length;
  const form = String(m.values.statForm);
  const spread = Math.sqrt(all.reduce((s, v) => s + (v - mean) ** 2, 0) / Math.max(1, all.length - 1));
  m.statistic =
    all.length === 0 ? 0 : form === 'SDEV' ? spread : form === 'MAX' ? Math.max(...all) : form === 'MIN' ? Math.min(...all) : mean;
  return sci(m.statistic, 8);
}
/** Trigger with a bus order or the front panel. */
const trigger = (m: Meter): Trouble => {
  m.left = Math.max(Number.isFinite(m.left) ? m.left : 0, Number(m.values.samples));
  measure(m);
  if (Number.isFinite(m.left)) m.left--;
  return undefined;
};
const initiate = (m: Meter): Trouble => {
  if (m.values.continuous === true) return -221;
  m.left = Number(m.values.count) * Number(m.values.samples);
  return undefined;
};
const TC = ['J', 'K', 'T', 'E', 'R', 'S', 'B', 'N'];

const TRACE: readonly Entry<Meter>[] = [':TRACe', ':DATA'].flatMap((r): readonly Entry<Meter>[] => [
  {
    pattern: `${r}:CLEar`,
    set(m) {
      m.buffer.length = 0;
      condition(m, 'MEASurement', 9, false);
      return undefined;
    },
  },
  { pattern: `${r}:FREE`, get: (m) => `${16 * (BUFFER - m.buffer.length)},${16 * m.buffer.length}` },
  num(`${r}:POINts`, 'points', { lo: 2, hi: BUFFER, rst: BUFFER }, whole, (m) => (m.storing ? -221 : void (m.buffer.length = 0))),
  { pattern: `${r}:POINts:ACTual`, get: (m) => String(m.buffer.length) },
  word(`${r}:FEED`, 'feed', ['SENSe', 'CALCulate', 'NONE'], 'SENS'),
  {
    pattern: `${r}:FEED:CONTrol`,
    get: (m) => (m.storing ? 'NEXT' : 'NEV'),
    set(m, [given]) {
      if (given === undefined) return -109;
      const found = wordOf(given, ['NEXT', 'NEVer', 'ALWays']);
      if (found === undefined) return -224;
      m.storing = found !== 'NEV';
      if (m.storing) m.buffer.length = 0;
      condition(m, 'MEASurement', 9, false);
      return undefined;
    },
  },
]);

/** TRAC:DATA? and DATA? are two questions: the buffer, and the latest reading. */
const TABLE: readonly Entry<Meter>[] = [
  ...common<Meter>('KEITHLEY INSTRUMENTS INC.,MODEL 2182A,1278934,C06  /A02', (m) => restart(m, false)),
  { pattern: '*TRG', set: trigger },
  { pattern: ':SYSTem:PRESet', set: (m) => void restart(m, true) },
  { pattern: ':SYSTem:LFRequency', get: (m) => String(m.line) },
  bool(':SYSTem:AZERo[:STATe]', 'azero', true),
  bool(':SYSTem:FAZero[:STATe]', 'fazero', true),
  bool(':SYSTem:LSYNc[:STATe]', 'lsync', false),
  { pattern: ':CONFigure', get: (m) => `"${m.values.func}"` },
  { pattern: ':CONFigure:VOLTage[:DC]', set: (m) => void configured(m, 'VOLT:DC') },
  { pattern: ':CONFigure:TEMPerature', set: (m) => void configured(m, 'TEMP') },
  { pattern: ':MEASure[:VOLTage][:DC]', get: (m) => measure(configured(m, 'VOLT:DC')) },
  { pattern: ':MEASure:TEMPerature', get: (m) => measure(configured(m, 'TEMP')) },
  { pattern: ':READ', get: read },
  { pattern: ':FETCh', get: latest },
  { pattern: '[:SENSe]:DATA[:LATest]', get: latest },
  { pattern: '[:SENSe]:DATA:FRESh', get: fresh },
  { pattern: '[:SENSe]:FUNCtion[:ON]', key: 'func', rst: 'VOLT:DC', get: (m) => `"${m.values.func}"`, set: setFunction },
  num('[:SENSe]:CHANnel', 'chan', { lo: 0, hi: 2, rst: 1 }, whole, (m) => void (m.latest = undefined)),
  nplc(`${DC}:NPLCycles`, 'nplc'),
  nplc('[:SENSe]:TEMPerature:NPLCycles', 'tempNplc'),
  aperture(`${DC}:APERture`, 'nplc'),
  aperture('[:SENSe]:TEMPerature:APERture', 'tempNplc'),
  num(`${DC}:DIGits`, 'digits', { lo: 4, hi: 8, rst: 8 }, whole),
  num('[:SENSe]:TEMPerature:DIGits', 'tempDigits', { lo: 4, hi: 7, rst: 6 }, whole),
  bool(`${DC}:RATio[:STATe]`, 'ratio', false),
  bool(`${DC}:DELTa[:STATe]`, 'deltaOn', false),
  ...channel(1),
  ...channel(2),
  word('[:SENSe]:TEMPerature:TCouple[:TYPE]', 'tc', TC, 'J'),
  word('[:SENSe]:TEMPerature:TRANsducer', 'transducer', ['TCouple', 'INTernal'], 'TC'),
  word('[:SENSe]:TEMPerature:RJUNction:RSELect', 'rjunction', ['INTernal', 'SIMulated'], 'INT'),
  num('[:SENSe]:TEMPerature:RJUNction:SIMulated', 'simulatedJunction', { lo: 0, hi: 60, rst: 23 }),
  { pattern: '[:SENSe]:TEMPerature:RTEMperature', get: (m) => sci((m.w?.roomTemperature ?? 295.15) + 8 - 273.15, 6) },
  word(':UNIT:TEMPerature', 'unitTemp', ['C', 'F', 'K'], 'C'),
  {
    ...bool<Meter>(':INITiate:CONTinuous', 'continuous', false, (m, on) => void (m.left = on ? Number.POSITIVE_INFINITY : 0)),
  },
  { pattern: ':INITiate[:IMMediate]', set: initiate },
  { pattern: ':ABORt', set: (m) => void (m.left = m.values.continuous === true ? Number.POSITIVE_INFINITY : 0) },
  word(':TRIGger:SOURce', 'source', ['IMMediate', 'TIMer', 'MANual', 'BUS', 'EXTernal'], 'IMM'),
  num(':TRIGger:COUNt', 'count', { lo: 1, hi: 9999, rst: 1, infinite: true }, whole),
  num(':TRIGger:DELay', 'delay', { lo: 0, hi: 999999.999, rst: 0 }, sci, (m) => void (m.values.delayAuto = false)),
  bool(':TRIGger:DELay:AUTO', 'delayAuto', true),
  num(':TRIGger:TIMer', 'timer', { lo: 0, hi: 999999.999, rst: 0.1 }),
  { pattern: ':TRIGger:SIGNal', set: trigger },
  num(':SAMPle:COUNt', 'samples', { lo: 1, hi: 1024, rst: 1 }, whole),
  {
    pattern: ':FORMat:ELEMents',
    key: 'elements',
    rst: 'READ',
    get: (m) => String(m.values.elements),
    set(m, args) {
      if (args.length === 0) return -109;
      const names = ['READing', 'CHANnel', 'UNITs', 'RNUMber', 'TSTamp', 'STATus'];
      const found = args.map((a) => wordOf(a, names));
      if (found.includes(undefined)) return -224;
      m.values.elements = ['READ', 'UNIT', 'TST', 'RNUM', 'CHAN', 'STAT'].filter((e) => found.includes(e)).join(',');
      return undefined;
    },
  },
  ...TRACE,
  { pattern: ':TRACe:DATA', get: (m) => (m.buffer.length === 0 ? -230 : m.buffer.map((c) => readingText(m, c)).join(',')) },
  word(':CALCulate:FORMat', 'calcForm', ['NONE', 'MXB', 'PERCent'], 'PERC'),
  bool(':CALCulate:STATe', 'mxb', false),
  num(':CALCulate:KMATh:MMFactor', 'mmf', { lo: -1e8, hi: 1e8, rst: 1 }),
  num(':CALCulate:KMATh:MBFactor', 'mbf', { lo: -1e8, hi: 1e8, rst: 0 }),
  num(':CALCulate:KMATh:PERCent', 'percent', { lo: -1e8, hi: 1e8, rst: 1 }),
  text(':CALCulate:KMATh:MUNits', 'munits', 'MX'),
  { pattern: ':CALCulate:DATA[:LATest]', get: latest },
  word(':CALCulate2:FORMat', 'statForm', ['MEAN', 'SDEViation', 'MAXimum', 'MINimum', 'NONE'], 'NONE'),
  bool(':CALCulate2:STATe', 'stat', false),
  { pattern: ':CALCulate2:IMMediate', get: statistic, set: (m) => void statistic(m) },
  { pattern: ':CALCulate2:DATA', get: (m) => sci(m.statistic, 8) },
  num(':ROUTe:SCAN:INTernal:CCOunt', 'scanCount', { lo: 1, hi: 1023, rst: 1 }, whole),
  word(':ROUTe:SCAN:LSELect', 'scan', ['INTernal', 'EXTernal', 'NONE'], 'NONE'),
  bool(':OUTPut[:STATe]', 'analogOut', true),
  num(':OUTPut:GAIN', 'gain', { lo: -1e8, hi: 1e8, rst: 1 }),
  num(':OUTPut:OFFSet', 'outOffset', { lo: -1.2, hi: 1.2, rst: 0 }),
  nothing(':SYSTem:COMMunicate:SERial:SEND'),
  num(':SYSTem:COMMunicate:SERial:BAUD', 'baud', { lo: 300, hi: 19200, rst: 19200 }, whole),
];

/** Defaults; after SYSTem:PRESet it measures by itself, after *RST it waits (manual, section 11). */
function restart(m: Meter, running: boolean): void {
  reset(m, TABLE);
  m.values.continuous = running;
  m.left = running ? Number.POSITIVE_INFINITY : 0;
  m.latest = undefined;
}

export function meter(name: string, line: 50 | 60): Meter {
  const m: Meter = {
    ...box(TABLE),
    name,
    line,
    w: undefined,
    t: 0,
    left: Number.POSITIVE_INFINITY,
    done: 0,
    number: 0,
    latest: undefined,
    fresh: false,
    buffer: [],
    storing: false,
    statistic: 0,
  };
  m.values.continuous = true;
  return m;
}

const interpret = interpreter(TABLE);
/** What it answers to a line at world time t. */
export function meterAnswer(line: string, m: Meter, w: Dac, t: number): readonly string[] {
  m.w = w;
  m.t = t;
  const said = interpret(line, m);
  m.w = undefined; // a device's state is its settings, not the world
  m.t = 0;
  return said;
}
