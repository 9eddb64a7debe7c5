import { errorEntry, scpi, splitReplies } from '../protocols/scpi.ts';
import { decimal } from '../protocols/text.ts';
import {
  type Actors,
  type Askers,
  answered,
  bad,
  type Command,
  drained,
  Garbled,
  instrument,
  type Measured,
  NoReply,
  options,
  type Poll,
  poll,
  Refused,
  type Takes,
  type Talk,
  terminator,
} from '../src/instrument.ts';

type L = { readonly main: ReturnType<typeof scpi> };
interface Options {
  readonly terminator: string;
}
interface Id {
  readonly model: string;
  readonly serial: string;
  readonly volts: number;
  readonly amps: number;
}

/** V and A of the models that share the commands. */
const MODELS: Readonly<Record<string, readonly [number, number]>> = {
  '2450': [210, 1.05],
  '2460': [105, 7.35],
  '2461': [105, 10.5],
  '2470': [1100, 1.05],
};

const answers = (reply: string, n: number): readonly string[] => answered(splitReplies(reply), n);
/** A number as the instrument writes it: blanks around it would be another's. */
const number = (said: string): number | Measured<'1'> => {
  if (/\s/.test(said)) return bad(`"${said}" has blanks, which is not this instrument's number format`);
  const n = decimal(said);
  return Number.isNaN(n) ? bad(`the source-meter answers "${said}", which is no number`) : n;
};
const flag = (said: string): boolean | Measured<'flag'> =>
  said === '1' ? true : said === '0' ? false : bad(`"${said}" is neither 0 nor 1`);
/** A value of a reading: overflow and "not a number" are the standard's 9.9E37 and 9.91E37. */
const reading = (said: string, what: string): number | Measured<'1'> =>
  /^[+-]?9\.90*E\+?37$/i.test(said)
    ? bad(`${what}: overflow, the source-meter says "${said}"`)
    : /^[+-]?9\.910*E\+?37$/i.test(said)
      ? bad(`${what}: no number, the source-meter says "${said}"`)
      : number(said);

const STATE = [':OUTP?', ':SOUR:FUNC?', ':SENS:FUNC?', ':SENS:COUN?', ':SOUR:CURR:READ:BACK?', ':SOUR:VOLT:READ:BACK?'];
/** Readings go to the second buffer: the first is left to whoever else uses it. */
const READ = [':READ? "defbuffer2",READ,SOUR', ':SOUR:CURR:VLIM:TRIP?', ':SOUR:VOLT:ILIM:TRIP?'];
const NONE = 'none';
const OFF = { quality: 'suspect', value: 0, why: 'the output is off' } as const;

/** Voltage and current: the one is measured, the other is the source's own, read back. While the output is off nothing is asked. */
const measuring: Poll<L, { readonly voltage: 'V'; readonly current: 'A'; readonly compliance: 'flag' }, readonly string[]> = {
  every: 0.5,
  gives: { voltage: 'V', current: 'A', compliance: 'flag' },
  *talk(ask) {
    const state = yield* ask.main.ask(STATE.join(';'));
    const [on, , , count] = answers(state, STATE.length);
    return [state, on === '1' && Number(count) === 1 ? yield* ask.main.ask(READ.join(';'), 3) : NONE];
  },
  read([state, reply]) {
    const [on, source, sense = '', count, backI, backV] = answers(state, STATE.length);
    const all = (why: string) => ({ voltage: bad(why), current: bad(why), compliance: bad(why) });
    if (on !== '1') return on === '0' ? { voltage: OFF, current: OFF, compliance: false } : all(`"${on}" is neither 0 nor 1`);
    if (Number(count) !== 1) return all(`one question would take ${count} readings: order "measure"`);
    if (reply === NONE) return all('it was not asked');
    const [values = '', vTrip, iTrip] = answers(reply, READ.length);
    if (/\s/.test(values)) return all(`"${values}" has blanks, which is not this instrument's number format`);
    const [got, sourced, ...more] = values.split(',');
    if (got === undefined || sourced === undefined || more.length > 0)
      throw new Garbled(`"${values}" is not a reading and its source value`);
    const isCurrent = source === 'CURR';
    if ((isCurrent ? vTrip : iTrip) === '1') {
      const why = isCurrent
        ? 'in compliance: the voltage limit holds, not the current'
        : 'in compliance: the current limit holds, not the voltage';
      return { voltage: bad(why), current: bad(why), compliance: true };
    }
    const wanted = isCurrent ? '"VOLT' : '"CURR';
    const measured = sense.toUpperCase().startsWith(wanted)
      ? reading(got, isCurrent ? 'voltage' : 'current')
      : bad(`the source-meter measures ${sense}: order "measure"`);
    const own =
      (isCurrent ? backI : backV) === '1'
        ? reading(sourced, isCurrent ? 'current' : 'voltage')
        : bad('the source is not read back: order "measure"');
    return { voltage: isCurrent ? measured : own, current: isCurrent ? own : measured, compliance: flag(isCurrent ? vTrip : iTrip) };
  },
  example: [['1;CURR;"VOLT:DC";1;1;1', '8.123456E-05,0.001;0;0'], { voltage: 8.123456e-5, current: 1e-3, compliance: false }],
  span: { voltage: [-1200, 1200], current: [-11, 11] },
};

const SETTINGS = [
  ':OUTP?',
  ':SOUR:FUNC?',
  ':SOUR:CURR?',
  ':SOUR:VOLT?',
  ':SOUR:CURR:VLIM?',
  ':SOUR:VOLT:ILIM?',
  ':SENS:VOLT:RSEN?',
  ':SENS:CURR:RSEN?',
  ':SENS:VOLT:NPLC?',
  ':SENS:CURR:NPLC?',
];

/** Errors waiting in the event log, read until there are none. */
const errors: Poll<L, { readonly error: 'state' }, readonly string[]> = {
  every: 2,
  gives: { error: 'state' },
  talk: (ask) =>
    drained(
      () => ask.main.ask(':SYST:ERR?'),
      (entry) => errorEntry(entry)?.code === 0,
      11,
    ),
  read: (entries) => ({
    error:
      entries
        .map((entry) => {
          const error = errorEntry(entry);
          if (!error) throw new Garbled(`"${entry}" is no entry of an event log`);
          return `${error.code} ${error.text.split(';')[0]}`;
        })
        .join('; ') || 'none',
  }),
  example: [['-113,"Undefined header;1;2026/01/01 00:00:00.000"'], { error: '-113 Undefined header' }],
};

/** Its own SCPI alone: in TSP the same lines are errors, and in the SCPI of the 2400 they mean other things. */
function* identify(ask: Askers<L>): Talk<Id | Refused> {
  const idn = yield* ask.main.ask('*IDN?');
  const [maker = '', name = '', serial = ''] = idn.split(',').map((part) => part.trim());
  const model = /^MODEL (24\d\d)/i.exec(name)?.[1] ?? '';
  const limits = MODELS[model];
  if (!/^KEITHLEY/i.test(maker) || !limits)
    return new Refused(`"${idn}" is no Keithley 2450 (nor ${Object.keys(MODELS).slice(1).join(', ')})`);
  const language = yield* ask.main.ask('*LANG?');
  if (language.toUpperCase() !== 'SCPI')
    return new Refused(
      `the ${model} is set to the command set ${language}, which this driver does not speak: choose SCPI in its menu (System, Settings) or send "*LANG SCPI", and start it anew`,
    );
  return { model, serial, volts: limits[0], amps: limits[1] };
}

/** Source and what is measured beside it change together, and only while the output is off. */
function* sourceOf(act: Actors<L>, what: string): Talk<void> {
  if ((yield* act.main.ask(':OUTP?')) !== '0') throw new NoReply('the output is on: order "output" off first');
  yield* act.main.send(what === 'current' ? ':SENS:FUNC "VOLT";:SOUR:FUNC CURR' : ':SENS:FUNC "CURR";:SOUR:FUNC VOLT');
}

const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => c;
const sent = (n: number): string => n.toExponential(6);

/**
 * Keithley 2450 source-meter (and 2460, 2461, 2470) in its own SCPI, by serial over USB, TCP port 5025 or GPIB. While the output is off,
 * voltage and current are 0 and suspect.
 */
export default instrument<L, Options, Id>({
  model: 'Keithley 2450',
  source: 'pymeasure keithley2450.py; QCoDeS Keithley_2450.py; CINF/PyExpLabSys keithley_2450.py',
  options: options<Options>({ terminator: terminator('LF') }),
  links: ({ terminator: end }) => ({ main: scpi({ ask: end, tell: end === '\r\n' ? end : [end, '\r\n'] }) }),
  within: 2,
  proof: { main: { ask: () => '*IDN?', is: (m) => /^KEITHLEY[^,]*,\s*MODEL 24/i.test(m) } },
  identify,
  body: (_options, { volts, amps }) => ({
    polls: [
      measuring,
      poll({
        ask: SETTINGS.join(';'),
        every: 1,
        gives: {
          output: 'flag',
          source: 'state',
          set_current: 'A',
          set_voltage: 'V',
          voltage_limit: 'V',
          current_limit: 'A',
          four_wire: 'flag',
          nplc: '1',
        },
        read(m) {
          const [output, source, current, voltage, vlimit, ilimit, vWires, iWires, vNplc, iNplc] = answers(m, SETTINGS.length);
          const isCurrent = source === 'CURR';
          return {
            output: flag(output),
            source: isCurrent ? 'current' : source === 'VOLT' ? 'voltage' : bad(`"${source}" is no function of the source`),
            set_current: number(current),
            set_voltage: number(voltage),
            voltage_limit: number(vlimit),
            current_limit: number(ilimit),
            // Of the function that is measured beside this source.
            four_wire: flag(isCurrent ? vWires : iWires),
            nplc: number(isCurrent ? vNplc : iNplc),
          };
        },
        example: [
          '1;CURR;0.001;0;2;0.000105;1;0;1;10',
          {
            output: true,
            source: 'current',
            set_current: 1e-3,
            set_voltage: 0,
            voltage_limit: 2,
            current_limit: 1.05e-4,
            four_wire: true,
            nplc: 1,
          },
        ],
        words: { source: ['current', 'voltage'] },
      }),
      errors,
    ],
    commands: {
      output: command({
        takes: 'flag',
        safe: false,
        talk: (act, on) => act.main.send(`:OUTP ${on ? 'ON' : 'OFF'}`),
        readback: { channel: 'output', within: 4, by: 0 },
        renews: { voltage: 1, current: 1 },
      }),
      current: command({
        takes: 'A',
        limits: [-amps, amps],
        safe: 0,
        talk: (act, level) => act.main.send(`:SOUR:CURR ${sent(level)}`),
        readback: { channel: 'set_current', within: 4, by: amps * 1e-6 },
        renews: { voltage: 1, current: 1 },
        about: 'drives while the output is on and the source is "current"',
      }),
      voltage: command({
        takes: 'V',
        limits: [-volts, volts],
        safe: 0,
        talk: (act, level) => act.main.send(`:SOUR:VOLT ${sent(level)}`),
        readback: { channel: 'set_voltage', within: 4, by: volts * 1e-6 },
        renews: { voltage: 1, current: 1 },
        about: 'drives while the output is on and the source is "voltage"',
      }),
      voltage_limit: command({
        takes: 'V',
        limits: [0, volts],
        talk: (act, level) => act.main.send(`:SOUR:CURR:VLIM ${sent(level)}`),
        readback: { channel: 'voltage_limit', within: 4, by: volts * 1e-5 },
        about: 'compliance of the current source',
      }),
      current_limit: command({
        takes: 'A',
        limits: [0, amps],
        talk: (act, level) => act.main.send(`:SOUR:VOLT:ILIM ${sent(level)}`),
        readback: { channel: 'current_limit', within: 4, by: amps * 1e-6 },
        about: 'compliance of the voltage source',
      }),
      source: command({
        takes: 'state',
        words: ['current', 'voltage'],
        talk: sourceOf,
        readback: { channel: 'source', within: 4, by: 0 },
        about: 'only while the output is off; the other of the two is measured',
      }),
      four_wire: command({
        takes: 'flag',
        talk: (act, on) => act.main.send(`:SENS:VOLT:RSEN ${on ? 'ON' : 'OFF'};:SENS:CURR:RSEN ${on ? 'ON' : 'OFF'}`),
        readback: { channel: 'four_wire', within: 4, by: 0 },
        renews: { voltage: 1, current: 1 },
      }),
      nplc: command({
        takes: '1',
        limits: [0.01, 10],
        talk: (act, n) => act.main.send(`:SENS:VOLT:NPLC ${n.toFixed(2)};:SENS:CURR:NPLC ${n.toFixed(2)}`),
        readback: { channel: 'nplc', within: 4, by: 0.006 },
        about: 'power-line cycles of each measurement',
      }),
      measure: command({
        takes: 'nothing',
        *talk(act) {
          const source = yield* act.main.ask(':SOUR:FUNC?');
          const sense = source === 'CURR' ? 'VOLT' : 'CURR';
          yield* act.main.send(
            `:SENS:FUNC "${sense}";:SENS:${sense}:RANG:AUTO ON;:SENS:COUN 1;:SOUR:CURR:READ:BACK ON;:SOUR:VOLT:READ:BACK ON`,
          );
        },
        about: 'single readings of what the source does not set, with the source read back, as the polls need them',
      }),
    },
  }),
});
