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
import { show } from '../src/units.ts';

type L = { readonly main: ReturnType<typeof scpi> };
interface Options {
  readonly terminator: string;
}
interface Id {
  readonly model: string;
  readonly serial: string;
  /** The most volts and amperes of this model. */
  readonly volts: number;
  readonly amps: number;
}

/** V and A of the models that share the commands (data sheet of the series 2400). */
const MODELS: Readonly<Record<string, readonly [number, number]>> = {
  '2400': [210, 1.05],
  '2401': [21, 1.05],
  '2410': [1100, 1.05],
  '2420': [63, 3.15],
  '2425': [105, 3.15],
  '2430': [105, 3.15],
  '2440': [42, 5.25],
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
function reading(said: string | undefined, what: string): number | Measured<'1'> {
  if (said === undefined) return bad(`readings do not hold the ${what}: order "measure"`);
  if (/^[+-]?9\.9(?:0*)E\+?37$/i.test(said)) return bad(`${what}: overflow, the source-meter says "${said}"`);
  if (/^[+-]?9\.910*E\+?37$/i.test(said)) return bad(`${what} is not measured: order "measure"`);
  return number(said);
}

/** What must be so before a reading may be asked for, and what it would do otherwise. */
const GUARDS: readonly (readonly [string, string, string])[] = [
  [':SOUR:CLE:AUTO?', '0', 'the output would switch itself on and off'],
  [':TRIG:COUN?', '1', 'it would take several readings'],
  [':ARM:COUN?', '1', 'it would take several readings'],
  [':ARM:SOUR?', 'IMM', 'it would wait for a trigger'],
  [':TRIG:SOUR?', 'IMM', 'it would wait for a trigger'],
  [':SOUR:CURR:MODE?', 'FIX', 'it would step the current'],
  [':SOUR:VOLT:MODE?', 'FIX', 'it would step the voltage'],
];
const STATE = [':OUTP?', ':SOUR:FUNC?', ':SENS:FUNC?', ':FORM:ELEM?', ...GUARDS.map(([ask]) => ask)];
/** Why no reading may be asked for. */
function guarded(said: readonly string[]): string | undefined {
  const at = GUARDS.findIndex(([, wanted], i) => (wanted === '1' ? Number(said[i]) !== 1 : said[i] !== wanted));
  return at < 0 ? undefined : `a question would not only read: ${GUARDS[at][2]} (${GUARDS[at][0]} is ${said[at]}); order "measure"`;
}
const READ = [':READ?', ':SENS:VOLT:PROT:TRIP?', ':SENS:CURR:PROT:TRIP?'];
/** What stands in the place of a reading where none may be asked for. */
const NONE = 'none';

const OFF = { quality: 'suspect', value: 0, why: 'the output is off' } as const;

/**
 * Voltage and current. A question would switch the output on where it is set to clear itself, and is an error where it is off: then nothing
 * is asked, and no current flows.
 */
const measuring: Poll<L, { readonly voltage: 'V'; readonly current: 'A'; readonly compliance: 'flag' }, readonly string[]> = {
  every: 0.5,
  gives: { voltage: 'V', current: 'A', compliance: 'flag' },
  *talk(ask) {
    const state = yield* ask.main.ask(STATE.join(';'));
    const [on, , , , ...rest] = answers(state, STATE.length);
    return [state, on === '1' && guarded(rest) === undefined ? yield* ask.main.ask(READ.join(';'), 3) : NONE];
  },
  read([state, reply]) {
    const [on, source, functions = '', elements = '', ...rest] = answers(state, STATE.length);
    const all = (why: string) => ({ voltage: bad(why), current: bad(why), compliance: bad(why) });
    if (on !== '1') return on === '0' ? { voltage: OFF, current: OFF, compliance: false } : all(`"${on}" is neither 0 nor 1`);
    const why = guarded(rest);
    if (why !== undefined) return all(why);
    if (reply === NONE) return all('it was not asked');
    const [values = '', voltTrip, currTrip] = answers(reply, READ.length);
    if (/\s/.test(values)) return all(`"${values}" has blanks, which is not this instrument's number format`);
    const names = elements
      .toUpperCase()
      .split(',')
      .map((name) => name.trim());
    const fields = values.split(',');
    if (fields.length !== names.length) throw new Garbled(`"${values}" has ${fields.length} values for ${elements}`);
    const of = (name: string, quantity: string, what: string) =>
      functions.toUpperCase().includes(`"${name}`)
        ? reading(names.includes(name) ? fields[names.indexOf(name)] : undefined, quantity)
        : bad(`${what} is not measured: order "measure"`);
    const tripped = source === 'CURR' ? voltTrip : currTrip;
    if (tripped === '1') {
      const limited =
        source === 'CURR'
          ? 'in compliance: the voltage limit holds, not the current'
          : 'in compliance: the current limit holds, not the voltage';
      return { voltage: bad(limited), current: bad(limited), compliance: true };
    }
    return { voltage: of('VOLT', 'voltage', 'voltage'), current: of('CURR', 'current', 'current'), compliance: flag(tripped) };
  },
  example: [
    [
      '1;CURR;"VOLT:DC","CURR:DC";VOLT,CURR,RES,TIME,STAT;0;1;1;IMM;IMM;FIX;FIX',
      '+8.123456E-05,+1.000000E-03,+9.910000E+37,+2.250000E+02,+3.891600E+04;0;0',
    ],
    { voltage: 8.123456e-5, current: 1e-3, compliance: false },
  ],
  span: { voltage: [-1200, 1200], current: [-6, 6] },
};

const settings = [
  ':OUTP?',
  ':SOUR:FUNC?',
  ':SOUR:CURR?',
  ':SOUR:VOLT?',
  ':SENS:VOLT:PROT?',
  ':SENS:CURR:PROT?',
  ':SYST:RSEN?',
  ':SENS:CURR:NPLC?',
];

/** Errors waiting in the queue, read until there are none. */
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
          if (!error) throw new Garbled(`"${entry}" is no entry of an error queue`);
          return `${error.code} ${error.text}`;
        })
        .join('; ') || 'none',
  }),
  example: [['-113,"Undefined header"'], { error: '-113 Undefined header' }],
};

function* identify(ask: Askers<L>): Talk<Id | Refused> {
  const idn = yield* ask.main.ask('*IDN?');
  const [maker = '', name = '', serial = ''] = idn.split(',').map((part) => part.trim());
  const model = /^MODEL (24\d\d)/i.exec(name)?.[1] ?? '';
  const limits = MODELS[model];
  if (!/^KEITHLEY/i.test(maker) || !limits)
    return new Refused(`"${idn}" is no Keithley of the series 2400 (${Object.keys(MODELS).join(', ')}); a 2450 has a driver of its own`);
  return { model, serial, volts: limits[0], amps: limits[1] };
}

/** The function of the source is changed only while the output is off: what it drove would stay, in the other unit. */
function* sourceOf(act: Actors<L>, what: string): Talk<void> {
  const on = yield* act.main.ask(':OUTP?');
  if (on !== '0') throw new NoReply('the output is on: order "output" off first');
  yield* act.main.send(`:SOUR:FUNC ${what === 'current' ? 'CURR' : 'VOLT'}`);
}

const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => c;
const sent = (n: number): string => n.toExponential(6);

/** Keithley 2400 source-meter and its relatives 2401 to 2440, by serial or GPIB. While the output is off, voltage and current are 0 and suspect. */
export default instrument<L, Options, Id>({
  model: 'Keithley 2400',
  source: 'pymeasure keithley2400.py; QCoDeS Keithley_2400.py; CINF/PyExpLabSys keithley_2400.py',
  options: options<Options>({ terminator: terminator('LF') }),
  links: ({ terminator: end }) => ({ main: scpi({ ask: end, tell: end === '\r\n' ? end : [end, '\r\n'] }) }),
  within: 2,
  proof: { main: { ask: () => '*IDN?', is: (m) => /^KEITHLEY[^,]*,\s*MODEL 24/i.test(m) } },
  identify,
  body: (_options, { volts, amps }) => ({
    polls: [
      measuring,
      poll<
        L,
        {
          output: 'flag';
          source: 'state';
          set_current: 'A';
          set_voltage: 'V';
          voltage_limit: 'V';
          current_limit: 'A';
          four_wire: 'flag';
          nplc: '1';
        }
      >({
        ask: settings.join(';'),
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
          const [output, source, current, voltage, vlimit, ilimit, wires, nplc] = answers(m, settings.length);
          const word = { CURR: 'current', VOLT: 'voltage', MEM: 'memory' }[source];
          return {
            output: flag(output),
            source: word ?? bad(`"${source}" is no function of the source`),
            set_current: number(current),
            set_voltage: number(voltage),
            voltage_limit: number(vlimit),
            current_limit: number(ilimit),
            four_wire: flag(wires),
            nplc: number(nplc),
          };
        },
        example: [
          '1;CURR;+1.000000E-03;+0.000000E+00;+2.000000E+00;+1.050000E-04;1;+1.00',
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
        words: { source: ['current', 'voltage', 'memory'] },
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
        talk: (act, level) => act.main.send(`:SENS:VOLT:PROT ${sent(level)}`),
        readback: { channel: 'voltage_limit', within: 4, by: volts * 1e-5 },
        about: 'compliance of the current source',
      }),
      current_limit: command({
        takes: 'A',
        limits: [0, amps],
        talk: (act, level) => act.main.send(`:SENS:CURR:PROT ${sent(level)}`),
        readback: { channel: 'current_limit', within: 4, by: amps * 1e-6 },
        about: 'compliance of the voltage source',
      }),
      source: command({
        takes: 'state',
        words: ['current', 'voltage'],
        talk: sourceOf,
        readback: { channel: 'source', within: 4, by: 0 },
        about: `only while the output is off; at most ${show(amps, 'A')}, ${show(volts, 'V')}`,
      }),
      four_wire: command({
        takes: 'flag',
        talk: (act, on) => act.main.send(`:SYST:RSEN ${on ? 'ON' : 'OFF'}`),
        readback: { channel: 'four_wire', within: 4, by: 0 },
        renews: { voltage: 1, current: 1 },
      }),
      nplc: command({
        takes: '1',
        limits: [0.01, 10],
        talk: (act, n) => act.main.send(`:SENS:CURR:NPLC ${n.toFixed(2)}`),
        readback: { channel: 'nplc', within: 4, by: 0.006 },
        about: 'power-line cycles of each measurement',
      }),
      measure: command({
        takes: 'nothing',
        *talk(act) {
          yield* act.main.send(':SOUR:CLE:AUTO OFF;:SENS:FUNC:CONC ON;:SENS:FUNC "VOLT","CURR"');
          yield* act.main.send(
            ':SENS:VOLT:RANG:AUTO ON;:FORM:ELEM VOLT,CURR;:ARM:COUN 1;:TRIG:COUN 1;:ARM:SOUR IMM;:TRIG:SOUR IMM;:SOUR:CURR:MODE FIX;:SOUR:VOLT:MODE FIX',
          );
        },
        about: 'single readings of voltage and current together, as the polls need them',
      }),
    },
  }),
});
