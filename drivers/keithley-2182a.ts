import { errorQueue, keithleyFlag, keithleyNumber, METER_TAKEN } from '../protocols/keithley.ts';
import { errorEntry, scpi, splitReplies } from '../protocols/scpi.ts';
import {
  type Askers,
  answered,
  bad,
  type Command,
  drained,
  type Field,
  instrument,
  type Kinds,
  NoReply,
  options,
  type Poll,
  poll,
  Refused,
  type Takes,
  type Talk,
  terminator,
  type Values,
  word,
} from '../src/instrument.ts';
import { celsius, quantity } from '../src/units.ts';

type L = { readonly main: ReturnType<typeof scpi> };
interface Options {
  readonly terminator: string;
  readonly measures: 'voltage' | 'temperature';
  /** One sigma of one reading in SI; undefined where it is not known. */
  readonly sigma: number | undefined;
}

const sigma: Field<number | undefined> = {
  about: 'one sigma of one reading, such as "10 nV" (otherwise none is given)',
  of(yaml) {
    if (yaml === undefined) return undefined;
    const given = typeof yaml === 'string' ? quantity(yaml) : 'is written as "10 nV" or "0.1 K"';
    if (typeof given === 'string') return new Refused(given);
    return (given.unit === 'V' || given.unit === 'K') && given.value > 0 ? given.value : new Refused('must be above zero, such as "10 nV"');
  },
};

const said = <T>(value: T | string) => (typeof value === 'string' ? bad(value) : value);
const flag = (text: string) => said(keithleyFlag(text));
const number = (text: string) => said(keithleyNumber(text));

/** Answers to questions joined by ";". */
const answers = (reply: string, n: number): readonly string[] => answered(splitReplies(reply), n);
const FUNCTIONS: Readonly<Record<string, string>> = { '"VOLT:DC"': 'voltage', '"VOLT"': 'voltage', '"TEMP"': 'temperature' };

/** The answer; behind a 6221 whose delta measurement has the meter, the reason why there is none. */
function* free(answer: Talk<string>): Talk<string> {
  const text = yield* answer;
  if (text.trim() === METER_TAKEN) throw new NoReply(METER_TAKEN);
  return text;
}
/** A poll that gives that reason. */
const shared = <G extends Kinds>(plain: Poll<L, G, string>): Poll<L, G, string> => ({
  ...plain,
  read: (m, came) =>
    m.trim() === METER_TAKEN
      ? (Object.fromEntries(Object.keys(plain.gives).map((name) => [name, bad(METER_TAKEN)])) as Values<G>)
      : plain.read(m, came), // one bad value for each channel
});

const errors: Poll<L, { readonly error: 'state' }, readonly string[]> = {
  every: 2,
  gives: { error: 'state' },
  talk: (ask) =>
    drained(
      () => free(ask.main.ask(':SYST:ERR?')),
      (entry) => errorEntry(entry)?.code === 0,
      11,
    ),
  read: (entries) => ({ error: errorQueue(entries) }),
  example: [['-113,"Undefined header"'], { error: '-113 Undefined header' }],
};

function* identify(ask: Askers<L>): Talk<{ readonly model: string; readonly serial: string; readonly firmware: string } | Refused> {
  const idn = (yield* free(ask.main.ask('*IDN?'))).trim();
  const [maker = '', model = '', serial = '', firmware = ''] = idn.split(',').map((part) => part.trim());
  if (!/keithley/i.test(maker) || !/2182A?\b/.test(model)) return new Refused(`"${idn}" is no Keithley 2182 or 2182A`);
  return { model: model.replace(/^MODEL\s*/i, ''), serial, firmware };
}

const RANGES = [0.01, 0.1, 1, 10, 100];
/** The range that the meter takes for a voltage. */
const rangeFor = (volts: number): number => RANGES.find((r) => Math.abs(volts) <= 1.2 * r) ?? 100;
/** Each order asks first whether the meter is free: what is only sent to it would be lost without a word. */
const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => ({
  ...c,
  *talk(act, ...rest) {
    yield* free(act.main.ask(':SENS:CHAN?'));
    return yield* c.talk(act, ...rest);
  },
});
const either = (head: string, channel: string, about: string): Command<L, 'flag'> =>
  command({
    takes: 'flag',
    talk: (act, on) => act.main.send(`${head} ${on ? 1 : 0}`),
    readback: { channel, within: 5, by: 0 },
    about,
  });

/** A reading in the unit that the meter shows; those that came before a change of function are of the other one. */
function measured(text: string, func: string, { measures, sigma }: Options) {
  const now = FUNCTIONS[func];
  if (now !== measures) return bad(now === undefined ? `function ${func} is not known` : `the meter measures a ${now}: order "function"`);
  // Other elements of the reading (its time, its number) may stand behind it.
  const value = keithleyNumber(text.split(',')[0] ?? '');
  if (typeof value === 'string') return bad(value);
  const si = measures === 'voltage' ? value : celsius(value);
  return sigma === undefined ? si : { quality: 'good' as const, value: si, sigma: { random: sigma } };
}
const STILL = 'the meter does not measure by itself: order "continuous"';

function reading(o: Options): Poll<L, Readonly<Record<string, 'V' | 'K'>>, string> {
  const kind = o.measures;
  return shared(
    poll<L, Readonly<Record<string, 'V' | 'K'>>>({
      ask: ':FETC?;:SENS:FUNC?;:INIT:CONT?',
      every: 0.5,
      gives: { [kind]: kind === 'voltage' ? 'V' : 'K' },
      read(m) {
        const [text = '', func = '', goes = ''] = answers(m, 3);
        const value = measured(text, func, o);
        if (goes === '1' || (typeof value === 'object' && value.quality === 'bad')) return { [kind]: value };
        const plain = typeof value === 'number' ? { value } : value;
        return { [kind]: { ...plain, quality: 'suspect', why: STILL } };
      },
      example:
        kind === 'voltage'
          ? ['+1.01194701E-05;"VOLT:DC";1', { voltage: 1.01194701e-5 }]
          : ['+2.50000000E+01;"TEMP";1', { temperature: 298.15 }],
      span: { [kind]: kind === 'voltage' ? [-120, 120] : [73, 2100] },
      resolution: { [kind]: kind === 'voltage' ? 1e-10 : 1e-4 },
    }),
  );
}

/** Keithley 2182A nanovoltmeter by RS-232 or GPIB, or behind a 6221 as gpib:NAME/relay. Channel 1; connecting sets nothing. */
export default instrument<L, Options, { readonly model: string }>({
  model: 'Keithley 2182A',
  source:
    "pymeasure keithley2182.py; CINF/PyExpLabSys keithley_2182.py; tektronix/keithley Model_2182A; Model 2182/2182A User's Manual 2182A-900-01",
  proven: 'third-party driver',
  options: options<Options>({
    terminator: terminator('LF'),
    measures: word('what it is there for', ['voltage', 'temperature'] as const, 'voltage'),
    sigma,
  }),
  links: ({ terminator: end }) => ({ main: scpi({ ask: end, tell: end === '\r\n' ? end : [end, '\r\n'] }) }),
  proof: { main: { ask: () => '*IDN?', is: (m) => /MODEL\s*2182/i.test(m) || m.trim() === METER_TAKEN } },
  identify,
  body: (o) => ({
    polls: [
      reading(o),
      shared(
        poll<L, { range: 'V'; auto_range: 'flag'; nplc: '1'; channel: '1'; function: 'state'; continuous: 'flag' }>({
          ask: ':SENS:VOLT:CHAN1:RANG?;:SENS:VOLT:CHAN1:RANG:AUTO?;:SENS:VOLT:NPLC?;:SENS:CHAN?;:SENS:FUNC?;:INIT:CONT?',
          every: 2,
          gives: { range: 'V', auto_range: 'flag', nplc: '1', channel: '1', function: 'state', continuous: 'flag' },
          read(m) {
            const [range = '', auto = '', nplc = '', channel = '', func = '', goes = ''] = answers(m, 6);
            return {
              range: number(range),
              auto_range: flag(auto),
              nplc: number(nplc),
              channel: number(channel),
              function: FUNCTIONS[func] ?? bad(`function ${func} is not known`),
              continuous: flag(goes),
            };
          },
          example: [
            '0.010000000;1;5.000000E+00;1;"VOLT:DC";1',
            { range: 0.01, auto_range: true, nplc: 5, channel: 1, function: 'voltage', continuous: true },
          ],
          words: { function: ['voltage', 'temperature'] },
        }),
      ),
      shared(
        poll<L, { filter: 'flag'; filter_count: '1'; analog_filter: 'flag'; autozero: 'flag'; front_autozero: 'flag'; line_sync: 'flag' }>({
          ask: ':SENS:VOLT:CHAN1:DFIL:STAT?;:SENS:VOLT:CHAN1:DFIL:COUN?;:SENS:VOLT:CHAN1:LPAS:STAT?;:SYST:AZER:STAT?;:SYST:FAZ:STAT?;:SYST:LSYN:STAT?',
          every: 5,
          gives: { filter: 'flag', filter_count: '1', analog_filter: 'flag', autozero: 'flag', front_autozero: 'flag', line_sync: 'flag' },
          read(m) {
            const [on = '', count = '', analog = '', zero = '', front = '', sync = ''] = answers(m, 6);
            return {
              filter: flag(on),
              filter_count: number(count),
              analog_filter: flag(analog),
              autozero: flag(zero),
              front_autozero: flag(front),
              line_sync: flag(sync),
            };
          },
          example: [
            '1;10;0;1;1;0',
            { filter: true, filter_count: 10, analog_filter: false, autozero: true, front_autozero: true, line_sync: false },
          ],
        }),
      ),
      errors,
    ],
    commands: {
      range: command({
        takes: 'V',
        limits: [0, 120],
        talk: (act, volts) => act.main.send(`:SENS:VOLT:CHAN1:RANG ${volts}`),
        readback: { channel: 'range', within: 5, by: 1e-6, shows: (volts) => rangeFor(Number(volts)) },
        about: 'the smallest range that holds this voltage; it ends autorange',
      }),
      auto_range: either(':SENS:VOLT:CHAN1:RANG:AUTO', 'auto_range', 'the meter chooses its range'),
      nplc: command({
        takes: '1',
        limits: [0.01, 60],
        talk: (act, cycles) => act.main.send(`:SENS:VOLT:NPLC ${cycles}`),
        readback: { channel: 'nplc', within: 5, by: 0.005 },
        about: 'integration time in periods of the mains',
      }),
      channel: command({
        takes: '1',
        limits: [0, 2],
        talk: (act, n) => act.main.send(`:SENS:CHAN ${Math.round(n)}`),
        readback: { channel: 'channel', within: 5, by: 0.5 },
        about: 'input 1 or 2; 0 is its inside temperature',
      }),
      function: command({
        takes: 'state',
        words: ['voltage', 'temperature'],
        talk: (act, which) => act.main.send(`:SENS:FUNC '${which === 'voltage' ? 'VOLT:DC' : 'TEMP'}'`),
        readback: { channel: 'function', within: 5, by: 0 },
        renews: { [o.measures]: 1 },
      }),
      continuous: either(':INIT:CONT', 'continuous', 'it measures by itself, one reading after the other'),
      filter: either(':SENS:VOLT:CHAN1:DFIL:STAT', 'filter', 'average of several readings'),
      filter_count: command({
        takes: '1',
        limits: [1, 100],
        talk: (act, n) => act.main.send(`:SENS:VOLT:CHAN1:DFIL:COUN ${Math.round(n)}`),
        readback: { channel: 'filter_count', within: 7, by: 0.5 },
      }),
      analog_filter: either(':SENS:VOLT:CHAN1:LPAS:STAT', 'analog_filter', 'low-pass of 18 Hz before the converter'),
      autozero: either(':SYST:AZER:STAT', 'autozero', 'drift of the converter is taken out'),
      front_autozero: either(':SYST:FAZ:STAT', 'front_autozero', 'drift of the input amplifier is taken out; half the speed'),
      line_sync: either(':SYST:LSYN:STAT', 'line_sync', 'begins with the period of the mains'),
    },
  }),
});
