import { errorEntry, scpi, splitReplies } from '../protocols/scpi.ts';
import { decimal } from '../protocols/text.ts';
import {
  type Actors,
  type Askers,
  answered,
  bad,
  type Command,
  drained,
  type Field,
  Garbled,
  instrument,
  NoReply,
  options,
  type Poll,
  Refused,
  type Takes,
  type Talk,
  terminator,
  type Values,
  word,
} from '../src/instrument.ts';
import { quantity, show } from '../src/units.ts';

type L = { readonly main: ReturnType<typeof scpi> };
type Measures = 'voltage' | 'resistance';
interface Options {
  readonly terminator: string;
  readonly measures: Measures;
  readonly every: number;
  /** One sigma of one reading in SI; undefined where it is not known. */
  readonly sigma: number | undefined;
}

const FUNCTIONS: Readonly<Record<string, string>> = {
  VOLT: 'voltage',
  'VOLT:DC': 'voltage',
  'VOLT:RAT': 'ratio',
  'VOLT:DIFF': 'difference',
  RES: 'resistance of two wires',
  FRES: 'resistance',
  TEMP: 'temperature',
};
const TRIGGERS: Readonly<Record<string, string>> = { IMM: 'immediate', BUS: 'bus', EXT: 'external' };
const FILTERS: Readonly<Record<string, string>> = { ANAL: 'analog', DIG: 'digital', BOTH: 'both' };
const RESPONSES: Readonly<Record<string, string>> = { SLOW: 'slow', MED: 'medium', FAST: 'fast' };
const CYCLES = [0.02, 0.2, 1, 2, 10, 20, 100, 200];
const OHMS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6];
const VOLTS = [1e-3, 1e-2, 0.1, 1, 10, 100];

/** Answers to questions joined by ";". */
const answers = (reply: string, n: number): readonly string[] => answered(splitReplies(reply), n);
const functionOf = (text: string): string => FUNCTIONS[text.replaceAll('"', '').toUpperCase()] ?? text;
const flag = (text: string) => (text === '1' ? true : text === '0' ? false : bad(`"${text}" is neither 0 nor 1`));
const among = (words: Readonly<Record<string, string>>, text: string) =>
  words[text.toUpperCase()] ?? bad(`"${text}" is none of ${Object.keys(words).join(', ')}`);

/** A number, or why it is none: 9.9E37 is an overload, 9.91E37 not a number (User's Guide, "Overload"). */
function number(text: string) {
  const size = Math.abs(Number(text));
  if (size === 9.9e37) return bad('overload: above the range, or nothing is connected');
  if (size === 9.91e37) return bad('the meter has no value (9.91E37)');
  const value = decimal(text);
  return Number.isNaN(value) ? bad(`"${text}" is no number`) : value;
}

interface Taken {
  /** Function, trigger source, and how many readings one question would give. */
  readonly now: string;
  /** Absent where it was not asked, because it would not be one reading. */
  readonly reading?: string;
}
const NOW = ':SENS:FUNC?;:TRIG:SOUR?;:TRIG:COUN?;:SAMP:COUN?';

/** Why READ? would not give one reading of what is measured. */
function hindered(now: string, measures: Measures): string | undefined {
  const [func = '', source = '', triggers = '', samples = ''] = answers(now, 4);
  const is = functionOf(func);
  if (is !== measures) return `the meter measures ${is}: order "function", or choose it at the panel`;
  if (source !== 'IMM') return `the meter waits for a trigger (${source}): order "trigger_source immediate"`;
  if (Number(triggers) !== 1 || Number(samples) !== 1)
    return `the meter gives ${triggers} times ${samples} readings at a time: order "sample_count" and "trigger_count" 1`;
  return undefined;
}

/** What is common to the polls of one meter. */
class Seen {
  /** Seconds that one reading may take. */
  within = 15;
}

const reading = ({ measures, every, sigma }: Options, seen: Seen): Poll<L, Readonly<Record<string, 'V' | 'Ω'>>, Taken> => ({
  every,
  gives: { [measures]: measures === 'voltage' ? 'V' : 'Ω' },
  *talk({ main }) {
    const now = yield* main.ask(NOW);
    return hindered(now, measures) === undefined ? { now, reading: yield* main.ask('READ?', seen.within) } : { now };
  },
  read({ now, reading: text }): Values<Readonly<Record<string, 'V' | 'Ω'>>> {
    const value = text === undefined ? bad(hindered(now, measures) ?? 'no reading came') : number(text);
    if (typeof value !== 'number' || sigma === undefined) return { [measures]: value };
    return { [measures]: { quality: 'good', value, sigma: { random: sigma } } };
  },
  example:
    measures === 'voltage'
      ? [
          { now: '"VOLT";IMM;+1.00000000E+00;+1', reading: '-1.01194701E-05' },
          { voltage: sigma === undefined ? -1.01194701e-5 : { quality: 'good', value: -1.01194701e-5, sigma: { random: sigma } } },
        ]
      : [
          { now: '"FRES";IMM;+1.00000000E+00;+1', reading: '+8.12345678E-02' },
          { resistance: sigma === undefined ? 0.0812345678 : { quality: 'good', value: 0.0812345678, sigma: { random: sigma } } },
        ],
  span: { [measures]: measures === 'voltage' ? [-120, 120] : [-1e3, 1.2e6] },
  resolution: { [measures]: measures === 'voltage' ? 1e-10 : 1e-7 },
});

const SETTINGS = {
  function: 'state',
  terminals: '1',
  auto_range: 'flag',
  nplc: '1',
  null: 'flag',
  filter: 'flag',
  filter_type: 'state',
  filter_response: 'state',
  trigger_source: 'state',
  trigger_count: '1',
  sample_count: '1',
} as const;
type Given = typeof SETTINGS & { readonly range: 'V' | 'Ω'; readonly null_value: 'V' | 'Ω' };

/** The header of what is measured, at the input in use. */
const head = (measures: Measures, input: string): string => (measures === 'resistance' ? ':SENS:FRES' : `:SENS${input}:VOLT`);
function* inputOf(ask: Askers<L>): Talk<string> {
  const terminals = yield* ask.main.ask(':ROUT:TERM?');
  const found = /^FRON(?:T)?([12]?)$/i.exec(terminals.trim());
  if (!found) throw new Garbled(`"${terminals}" are no terminals`);
  return found[1] === '2' ? '2' : '1';
}

const settings = ({ measures }: Options, seen: Seen): Poll<L, Given, readonly [string, string, string]> => ({
  every: 2,
  gives: { ...SETTINGS, range: measures === 'voltage' ? 'V' : 'Ω', null_value: measures === 'voltage' ? 'V' : 'Ω' },
  *talk(ask) {
    const input = yield* inputOf(ask);
    const h = head(measures, input);
    const own = yield* ask.main.ask(`${h}:RANG?;${h}:RANG:AUTO?;${h}:NPLC?;${h}:NULL?;${h}:NULL:VAL?`);
    return [input, own, yield* ask.main.ask(`${NOW};:INP:FILT?;:INP:FILT:TYPE?;:INP:FILT:DIG:RESP?`)];
  },
  read([input, own, common]) {
    const [range = '', auto = '', cycles = '', nulled = '', offset = ''] = answers(own, 5);
    const [func = '', source = '', triggers = '', samples = '', filter = '', type = '', response = ''] = answers(common, 7);
    const periods = decimal(cycles);
    // A conversion, that of its zero, and the digital filter's hundred readings at the most, at 50 Hz.
    if (periods > 0) seen.within = 2 + (2 * periods * (filter === '1' && type !== 'ANAL' ? 100 : 1.2)) / 50;
    return {
      function: functionOf(func),
      terminals: Number(input),
      range: number(range),
      auto_range: flag(auto),
      nplc: number(cycles),
      null: flag(nulled),
      null_value: number(offset),
      filter: flag(filter),
      filter_type: among(FILTERS, type),
      filter_response: among(RESPONSES, response),
      trigger_source: among(TRIGGERS, source),
      trigger_count: Number(triggers) >= 9.9e37 ? bad('without end') : number(triggers),
      sample_count: number(samples),
    };
  },
  example: [
    [
      '1',
      '+1.00000000E-03;1;+1.00000000E+01;0;+0.00000000E+00',
      `${measures === 'voltage' ? '"VOLT"' : '"FRES"'};IMM;+1.00000000E+00;+1;0;ANAL;MED`,
    ],
    {
      function: measures,
      terminals: 1,
      range: 1e-3,
      auto_range: true,
      nplc: 10,
      null: false,
      null_value: 0,
      filter: false,
      filter_type: 'analog',
      filter_response: 'medium',
      trigger_source: 'immediate',
      trigger_count: 1,
      sample_count: 1,
    },
  ],
  words: { filter_type: Object.values(FILTERS), filter_response: Object.values(RESPONSES), trigger_source: Object.values(TRIGGERS) },
});

const errors: Poll<L, { readonly error: 'state' }, readonly string[]> = {
  every: 2,
  gives: { error: 'state' },
  talk: (ask) =>
    drained(
      () => ask.main.ask(':SYST:ERR?'),
      (entry) => errorEntry(entry)?.code === 0,
      21,
    ),
  read: (entries) => ({
    error:
      entries
        .map((entry) => {
          const error = errorEntry(entry);
          if (!error) throw new Error(`"${entry}" is no entry of an error queue`);
          return `${error.code} ${error.text}`;
        })
        .join('; ') || 'none',
  }),
  example: [['-113,"Undefined header"'], { error: '-113 Undefined header' }],
};

const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => c;
const keyOf = (words: Readonly<Record<string, string>>, value: string): string =>
  Object.keys(words).find((key) => words[key] === value) ?? value;

function commands({ measures }: Options): Readonly<Record<string, Command<L, Takes>>> {
  const unit = measures === 'voltage' ? ('V' as const) : ('Ω' as const);
  const ranges = measures === 'voltage' ? VOLTS : OHMS;
  /** A setting of what is measured, at the input in use. */
  function* own(act: Actors<L>, tail: string): Talk<void> {
    yield* act.main.send(`${head(measures, yield* inputOf(act))}:${tail}`);
  }
  const read = (channel: string, by: number) => ({ channel, within: 5, by });
  const worded = (what: string, words: Readonly<Record<string, string>>, channel: string): Command<L, 'state'> => ({
    takes: 'state',
    words: Object.values(words),
    talk: (act, value) => act.main.send(`${what} ${keyOf(words, value)}`),
    readback: read(channel, 0),
  });
  const counted = (what: string, channel: string, most: number): Command<L, '1'> => ({
    takes: '1',
    limits: [1, most],
    *talk(act, n) {
      if (!Number.isInteger(n)) throw new NoReply(`a count is a whole number, not ${n}`);
      yield* act.main.send(`${what} ${n}`);
    },
    readback: read(channel, 0),
  });
  return {
    function: command({
      takes: 'state',
      words: ['voltage', 'resistance'],
      safe: 'voltage',
      talk: (act, what) => act.main.send(`:SENS:FUNC "${what === 'voltage' ? 'VOLT:DC' : 'FRES'}"`),
      readback: read('function', 0),
      renews: { [measures]: 1 },
      about: 'for resistance the meter sends a current of its own, up to 10 mA, through the sample',
    }),
    terminals: command({
      takes: '1',
      limits: [1, 2],
      *talk(act, n) {
        if (!Number.isInteger(n)) throw new NoReply(`the terminals are 1 or 2, not ${n}`);
        yield* act.main.send(`:ROUT:TERM FRON${n}`);
      },
      readback: read('terminals', 0),
      renews: { [measures]: 1 },
      about: 'input 1 or 2',
    }),
    range: command({
      takes: unit,
      limits: [ranges[0], ranges[ranges.length - 1]],
      *talk(act, value) {
        if (!ranges.some((one) => Math.abs(one - value) < 1e-6 * one))
          throw new NoReply(`the ranges are ${ranges.map((one) => show(one, unit)).join(', ')}, not ${show(value, unit)}`);
        yield* own(act, `RANG ${value}`);
      },
      readback: read('range', 1e-6),
      about: 'it ends autorange',
    }),
    auto_range: command({
      takes: 'flag',
      talk: (act, on) => own(act, `RANG:AUTO ${on ? 1 : 0}`),
      readback: read('auto_range', 0),
    }),
    nplc: command({
      takes: '1',
      limits: [0.02, 200],
      *talk(act, n) {
        if (!CYCLES.includes(n)) throw new NoReply(`the integration is ${CYCLES.join(', ')} periods of the mains, not ${n}`);
        yield* own(act, `NPLC ${n}`);
      },
      readback: { channel: 'nplc', within: 15, by: 1e-6 },
      about: 'integration in periods of the mains: 0.02, 0.2, 1, 2, 10, 20, 100, 200',
    }),
    null: command({
      takes: 'flag',
      talk: (act, on) => own(act, `NULL ${on ? 1 : 0}`),
      readback: read('null', 0),
      renews: { [measures]: 1 },
      about: 'takes the null value off each reading',
    }),
    null_value: command({
      takes: unit,
      limits: measures === 'voltage' ? [-120, 120] : [0, 1.2e6],
      talk: (act, value) => own(act, `NULL:VAL ${value.toExponential(8)}`),
      readback: read('null_value', 1e-9),
      renews: { [measures]: 1 },
      about: 'it switches null on',
    }),
    filter: command({ takes: 'flag', talk: (act, on) => act.main.send(`:INP:FILT ${on ? 1 : 0}`), readback: read('filter', 0) }),
    filter_type: worded(':INP:FILT:TYPE', FILTERS, 'filter_type'),
    filter_response: worded(':INP:FILT:DIG:RESP', RESPONSES, 'filter_response'),
    trigger_source: worded(':TRIG:SOUR', TRIGGERS, 'trigger_source'),
    trigger_count: counted(':TRIG:COUN', 'trigger_count', 50000),
    sample_count: counted(':SAMP:COUN', 'sample_count', 1024),
    remote: command({ takes: 'nothing', talk: (act) => act.main.send(':SYST:REM'), about: 'by RS-232 it takes no order before this one' }),
    clear: command({ takes: 'nothing', talk: (act) => act.main.send('*CLS'), about: 'empties its error queue' }),
  };
}

const sigma: Field<number | undefined> = {
  about: 'one sigma of one reading, such as "2 nV" (otherwise none is given)',
  of(yaml) {
    if (yaml === undefined) return undefined;
    const given = typeof yaml === 'string' ? quantity(yaml) : 'is written as "2 nV" or "1 uOhm"';
    if (typeof given === 'string') return new Refused(given);
    return (given.unit === 'V' || given.unit === 'Ω') && given.value > 0 ? given.value : new Refused('must be above zero, such as "2 nV"');
  },
};
const every: Field<number> = {
  about: 'time between two readings, 20 ms to 1 h (otherwise "1 s"); one that takes longer is waited for',
  of(yaml) {
    if (yaml === undefined) return 1;
    const given = typeof yaml === 'number' ? quantity(`${yaml} s`) : typeof yaml === 'string' ? quantity(yaml) : undefined;
    if (typeof given === 'object' && given.unit === 's' && given.value >= 0.02 && given.value <= 3600) return given.value;
    return new Refused('must be a time from 20 ms to 1 h, such as "500 ms"');
  },
};

/** Keysight (Agilent, HP) 34420A nanovolt and micro-ohm meter, by GPIB or RS-232. Each reading is triggered by its question. */
export default instrument<L, Options, { readonly model: string; readonly serial: string; readonly firmware: string }>({
  model: 'Keysight 34420A',
  source:
    "QCoDeS Keysight_34420A.py; Lab::Moose HP34420A; scripts of other laboratories; 34420A User's Guide, chapter 4 (as quoted by resellers)",
  options: options<Options>({
    terminator: terminator('LF'),
    measures: word('what it is there for', ['voltage', 'resistance'] as const, 'voltage'),
    every,
    sigma,
  }),
  links: ({ terminator: end }) => ({ main: scpi({ ask: end, tell: end === '\r\n' ? end : [end, '\r\n'] }) }),
  proof: { main: { ask: () => '*IDN?', is: (m) => /,\s*34420A/i.test(m) } },
  *identify({ main }: Askers<L>) {
    const idn = (yield* main.ask('*IDN?')).trim();
    const [maker = '', model = '', serial = '', firmware = ''] = idn.split(',').map((part) => part.trim());
    if (!/hewlett|agilent|keysight/i.test(maker) || !/^34420A$/i.test(model)) return new Refused(`"${idn}" is no Keysight 34420A`);
    return { model, serial, firmware };
  },
  body(o) {
    const seen = new Seen();
    return { polls: [reading(o, seen), settings(o, seen), errors], commands: commands(o) };
  },
});
