import { matches, type ProgramUnit, programUnits, scpi } from '../protocols/scpi.ts';
import { options, simulator, terminator, word } from '../src/simulator.ts';
import { type Dac, dac } from './worlds/dac.ts';
import {
  act,
  channelOf,
  configure,
  type Entry,
  fail,
  flag,
  kept,
  keptFlag,
  keptWord,
  mean,
  measuring,
  number,
  type Outcome,
  quantity,
  REST,
  reset,
  type State,
  sci,
  short,
  statistic,
  wordOf,
} from './worlds/nanovolt-commands.ts';
import {
  CYCLES,
  convert,
  initiate,
  inUse,
  type Job,
  type Meter,
  meter,
  OHMS,
  OVERLOAD,
  RESOLVED,
  triggered,
  VOLTS,
} from './worlds/nanovolt-meter.ts';

interface Options {
  readonly terminator: string;
  readonly mains: '50' | '60';
  readonly conversions: 'instant' | 'timed';
  readonly measures?: unknown;
  readonly every?: unknown;
  readonly sigma?: unknown;
}

const TABLE: readonly Entry[] = [
  { pattern: '*IDN', get: () => 'Keysight Technologies,34420A,MY42000001,10.4-4.0-2.0' },
  act('*RST', (s) => reset(s)),
  act('*CLS', (s) => {
    s.errors.length = 0;
    s.esr = s.meter.questionable = 0;
  }),
  { pattern: '*ESR', get: (s) => [String(s.esr), (s.esr = 0)][0] as string },
  kept('*ESE', '*ESE', 0, 255),
  kept('*SRE', '*SRE', 0, 255),
  kept('*PSC', '*PSC', 0, 1),
  {
    pattern: '*STB',
    get: (s) => String((s.meter.questionable & Number(s.values.QUES) ? 8 : 0) + (s.esr & Number(s.values['*ESE']) ? 32 : 0)),
  },
  { pattern: '*OPC', get: () => '1', set: (s) => void (s.esr |= 1) },
  { pattern: '*TST', get: () => '+0' },
  act('*TRG', (s, t) => (triggered(s.meter, t) ? undefined : -211)),
  ...measuring(
    '[:SENSe#]:VOLTage[:DC]',
    (s, h) => s.meter.volts[channelOf(h) - 1],
    (h) => (channelOf(h) === 2 ? VOLTS.slice(0, 5) : VOLTS),
  ),
  ...measuring(
    '[:SENSe]:RESistance',
    (s) => s.meter.ohms.RES,
    () => OHMS,
  ),
  ...measuring(
    '[:SENSe]:FRESistance',
    (s) => s.meter.ohms.FRES,
    () => OHMS,
  ),
  ...measuring(
    '[:SENSe]:TEMPerature',
    (s) => s.meter.temperature,
    () => [1],
  ),
  act('[:SENSe]:NULL', () => undefined),
  keptFlag('[:SENSe]:FRESistance:OCOMpensated', 'OCOM'),
  keptFlag('[:SENSe]:FRESistance:POWer:LIMit[:STATe]', 'POW:LIM'),
  keptFlag('[:SENSe]:FRESistance:VOLTage:LIMit[:STATe]', 'VOLT:LIM'),
  kept('[:SENSe]:FRESistance:VOLTage:LIMit:VALue', 'VOLT:LIM:VAL', 0.02, 0.5),
  {
    pattern: '[:SENSe#]:FUNCtion',
    get: (s) => `"${s.meter.func}"`,
    set(s, [text], header) {
      const found = quantity(text ?? '');
      if (found === undefined) return text === undefined ? -109 : -224;
      s.meter.func = found;
      if (/^:SENS(?:E)?[12]/i.test(header)) s.meter.input = channelOf(header);
      return undefined;
    },
  },
  {
    pattern: ':ROUTe:TERMinals',
    get: (s) => `FRON${s.meter.input}`,
    set(s, [text]) {
      const [, digit = '1'] = /^FRON(?:T)?([12])?$/i.exec(text ?? '') ?? ['', ''];
      if (digit === '') return text === undefined ? -109 : -224;
      s.meter.input = digit === '2' ? 2 : 1;
      return undefined;
    },
  },
  {
    pattern: ':TRIGger:SOURce',
    get: (s) => s.meter.trigger,
    set(s, [text]) {
      const found = wordOf(text, ['IMMediate', 'BUS', 'EXTernal']);
      if (found === undefined) return text === undefined ? -109 : -224;
      s.meter.trigger = short(found) as Meter['trigger']; // one of the three
      s.meter.job = undefined;
      return undefined;
    },
  },
  number(
    ':TRIGger:COUNt',
    1,
    OVERLOAD,
    (s) => s.meter.triggers,
    (s, n) => void (s.meter.triggers = Math.round(n)),
  ),
  number(
    ':TRIGger:DELay',
    0,
    3600,
    (s) => s.meter.delay ?? 0,
    (s, n) => void (s.meter.delay = n),
  ),
  flag(
    ':TRIGger:DELay:AUTO',
    (s) => s.meter.delay === undefined,
    (s, on) => void (s.meter.delay = on ? undefined : 0),
  ),
  number(
    ':SAMPle:COUNt',
    1,
    1024,
    (s) => s.meter.samples,
    (s, n) => void (s.meter.samples = Math.round(n)),
  ),
  act(':INITiate[:IMMediate]', (s, t) => (initiate(s.meter, t, false) ? undefined : -213)),
  act(':ABORt', (s) => void (s.meter.job = undefined)),
  { pattern: ':DATA:POINts', get: (s) => sci(s.meter.memory.length) },
  {
    pattern: ':CONFigure',
    get: (s) =>
      `"${s.meter.func} ${sci(inUse(s.meter).range, 6)},${sci(RESOLVED[CYCLES.indexOf(inUse(s.meter).cycles)] * inUse(s.meter).range, 6)}"`,
  },
  keptFlag(':INPut:FILTer[:STATe]', 'INP:FILT'),
  keptWord(':INPut:FILTer:TYPE', 'INP:FILT:TYPE', ['ANALog', 'DIGital', 'BOTH']),
  keptWord(':INPut:FILTer:DIGital:RESPonse', 'INP:FILT:RESP', ['SLOW', 'MEDium', 'FAST']),
  keptWord(':CALCulate:FUNCtion', 'CALC:FUNC', ['NULL', 'SCALe', 'AVERage']),
  keptFlag(':CALCulate[:STATe]', 'CALC'),
  statistic(':CALCulate:AVERage:AVERage', mean),
  statistic(':CALCulate:AVERage:MINimum', (all) => Math.min(...all)),
  statistic(':CALCulate:AVERage:MAXimum', (all) => Math.max(...all)),
  statistic(':CALCulate:AVERage:SDEViation', (all) => Math.sqrt(mean(all.map((v) => (v - mean(all)) ** 2)))),
  statistic(':CALCulate:AVERage:COUNt', (all) => all.length),
  keptFlag(':OUTPut[:STATe]', 'OUTP'),
  kept(':OUTPut:GAIN', 'OUTP:GAIN', -1e8, 1e8),
  kept(':OUTPut:OFFSet', 'OUTP:OFFS', -1e8, 1e8),
  keptFlag(':DISPlay[:WINDow][:STATe]', 'DISP'),
  keptFlag(':SYSTem:BEEPer:STATe', 'BEEP'),
  act(':SYSTem:BEEPer[:IMMediate]', () => undefined),
  act(':SYSTem:PRESet', (s) => reset(s)),
  act(':SYSTem:LOCal', () => undefined),
  act(':SYSTem:REMote', () => undefined),
  act(':SYSTem:RWLock', () => undefined),
  { pattern: ':SYSTem:ERRor', get: (s) => s.errors.shift() ?? '+0,"No error"' },
  { pattern: ':SYSTem:VERSion', get: () => '1994.0' },
  keptWord(':UNIT[:TEMPerature]', 'UNIT', ['C', 'F', 'K']),
  { pattern: ':STATus:QUEStionable[:EVENt]', get: (s) => [String(s.meter.questionable), (s.meter.questionable = 0)][0] as string },
  kept(':STATus:QUEStionable:ENABle', 'QUES', 0, 32767),
  act(':STATus:PRESet', (s) => void (s.values.QUES = 0)),
];

/** The readings of a job that has ended go to who waits for them. */
function ended(s: State, job: Job): void {
  if (job.answers) s.lines[0]?.said.push(readings(job.got));
  else if (s.fetching) s.lines[0]?.said.push(readings(s.meter.memory));
  s.fetching = false;
}
/** Carries out at once what would have taken its time. */
function finish(s: State, w: Dac): void {
  const { meter: m } = s;
  for (let job = m.job; job && Number.isFinite(job.due) && m.triggers * m.samples <= MOST; job = m.job) {
    if (convert(m, w, job.due - INSTANT, INSTANT)) ended(s, job);
  }
}

const MOST = 50_000; // readings that are made at once
const INSTANT = 1e-3; // s of the world that a conversion looks at then

/** Carries lines out until one must wait for readings; what is answered goes out line by line. */
function proceed(s: State, w: Dac, t: number): void {
  for (let line = s.lines[0]; line && !(s.meter.job?.answers || s.fetching); line = s.lines[0]) {
    const unit = line.units.shift();
    if (unit) {
      const outcome = carryOut(s, unit, t);
      if (typeof outcome === 'number') fail(s, outcome);
      else if (outcome !== undefined) line.said.push(outcome);
      if (s.instant) finish(s, w);
      continue;
    }
    if (line.said.length > 0) s.said.push(line.said.join(';'));
    s.lines.shift();
  }
}

const readings = (all: readonly number[]): string => all.map((v) => sci(v)).join(',');

function carryOut(s: State, { header, query, args }: ProgramUnit, t: number): Outcome {
  const m = s.meter;
  const measure = /^:MEAS(ure)?:/i.test(header);
  if (/^:CONF(igure)?:/i.test(header) && !query) return configure(s, header, args);
  if (measure) {
    const trouble = query ? configure(s, header, args) : -113;
    if (trouble !== undefined) return trouble;
  }
  if (query && (measure || matches(':READ', header))) {
    if (m.trigger === 'BUS') return -214;
    return initiate(m, t, true) ? undefined : -213;
  }
  if (query && matches(':FETCh', header)) {
    if (m.job) s.fetching = true;
    else if (m.memory.length === 0) return -230;
    return m.job ? undefined : readings(m.memory);
  }
  const entry = TABLE.find((e) => matches(e.pattern, header));
  if (!entry) return -113;
  if (query) return entry.get ? entry.get(s, args, header, t) : -113;
  return entry.set ? entry.set(s, args, header, t) : -113;
}

/** As it is after it has measured by itself: autorange has found its range. */
function used(name: string, mains: number): Meter {
  const m = meter(name, mains);
  m.volts[0].range = 1e-3;
  return m;
}

/**
 * A nanovoltmeter across the voltage contacts (input 1; a short is on input 2). With
 * "conversions: timed" a reading comes when its conversion is over.
 */
export default simulator({
  options: options<Options>({
    terminator: terminator('LF'),
    mains: word('Hz of the mains', ['50', '60'] as const, '50'),
    conversions: word('take their time, or none: a simulated GPIB adapter waits for nothing', ['instant', 'timed'] as const, 'instant'),
    measures: { about: "the driver's own", of: (yaml) => yaml },
    every: { about: "the driver's own", of: (yaml) => yaml },
    sigma: { about: "the driver's own", of: (yaml) => yaml },
  }),
  links: ({ terminator: end = '\n' }: Partial<Options>) => ({ main: scpi({ ask: ['\n', '\r\n', '\r'], tell: end, max: 65_536 }) }),
  state: ({ mains = '50', conversions = 'instant' }: Partial<Options>, name: string): State => ({
    instant: conversions === 'instant',
    meter: used(name, Number(mains)),
    values: { ...REST },
    errors: [],
    esr: 0,
    lines: [],
    said: [],
    fetching: false,
  }),
  world: dac,
  answer: {
    main(line, s, w: Dac, t) {
      s.lines.push({ units: programUnits(line), said: [] });
      proceed(s, w, t);
      return s.said.splice(0);
    },
  },
  unasked: { main: { every: 0.01, say: (s) => s.said.splice(0) } },
  tick(s, w, t, dt) {
    const { job } = s.meter;
    if (!convert(s.meter, w, t, dt) || !job) return;
    ended(s, job);
    proceed(s, w, t + dt);
  },
});
