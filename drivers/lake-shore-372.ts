import { decimal, text } from '../protocols/text.ts';
import {
  type Actors,
  type Askers,
  answered,
  bad,
  type Command,
  Garbled,
  type Here,
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
  whole,
} from '../src/instrument.ts';
import { percent } from '../src/units.ts';

type L = { readonly main: ReturnType<typeof text> };
interface Options {
  readonly terminator: string;
  readonly inputs: number;
}
interface Id {
  readonly model: '372';
  readonly serial: string;
  readonly firmware: string;
  /** Whether input i + 1 has a curve, and the control input. */
  readonly curves: readonly boolean[];
  readonly control: boolean;
}

const OUTPUTS = [0, 1, 2] as const;
const LOOPS = [0, 1] as const;
const MODES: readonly string[] = ['off', 'monitor out', 'open loop', 'zone', 'still', 'closed loop', 'warm-up'];
const SENSORS: readonly string[] = ['none', ...Array.from({ length: 16 }, (_, i) => String(i + 1)), 'A'];
const HZ: readonly number[] = [9.8, 13.7, 16.2, 11.6, 18.2];

/** Why RDGST? makes a reading void; bits and names as python-driver and QCoDeS have them. */
const TROUBLE = [
  'current source overload',
  'common mode overload',
  'mixer overload',
  'differential overload',
  'resistance over range',
  'resistance under range',
  'temperature over range',
  'temperature under range',
] as const;

const answers = (reply: string, n: number): readonly string[] => answered(reply.split(';'), n);
/** A number as the instrument writes it: blanks around it would be another's. */
const number = (said: string): number | Measured<'1'> => {
  if (/\s/.test(said)) return bad(`"${said}" has blanks, which is not this instrument's number format`);
  const n = decimal(said);
  return Number.isNaN(n) ? bad(`the bridge answers "${said}", which is no number`) : n;
};
const scaled =
  (si: (n: number) => number) =>
  (said: string): number | Measured<'1'> => {
    const n = number(said);
    return typeof n === 'number' ? si(n) : n;
  };
const flag = (said: string): boolean | Measured<'flag'> =>
  said === '1' ? true : said === '0' ? false : bad(`"${said}" is neither 0 nor 1`);
/** Fields between commas, for orders; blanks around them are left out. */
const split = (said: string, n: number): readonly string[] => {
  const parts = said.split(',').map((part) => part.trim());
  if (parts.length < n) throw new Garbled(`"${said}" has ${parts.length} fields and not ${n}`);
  return parts;
};
/** Fields for readings: of a reply in another format (blanks after commas) each is the whole reply, which is no number. */
const fields = (said: string, n: number): readonly string[] => {
  const parts = split(said, n);
  return /\s/.test(said) ? parts.map(() => said) : parts;
};
const modeOf = (said: string) => (/^\d$/.test(said) ? MODES[Number(said)] : undefined) ?? bad(`"${said}" is no output mode`);
const inputOf = (said: string) => (said === '0' ? 'none' : SENSORS.includes(said) ? said : bad(`"${said}" is no input`));

function trouble(said: string): string | undefined {
  const word = Number(said);
  if (!/^\d{1,3}$/.test(said) || word > 255) return `"${said}" is no reading status`;
  return TROUBLE.filter((_, bit) => (word >> bit) % 2 === 1).join(', ') || undefined;
}

/** Range n of a table in half decades, of which number 1 is `first`; half decades are 3.16 or 6.32 on the panel. */
const halfDecades = (first: number, n: number): number => first * 10 ** ((n - 1) / 2);

const each = (head: string, of: readonly (string | number)[]): readonly string[] => of.map((one) => `${head}? ${one}`);
/** The longest line that the bridge takes has 255 characters (as its relatives). */
const LINE = 250;
/** Questions in lines of joined ones. */
function linesOf(questions: readonly string[]): readonly string[] {
  const all: string[] = [];
  for (const q of questions) {
    const last = all.at(-1);
    if (last !== undefined && last.length + q.length < LINE) all[all.length - 1] = `${last};${q}`;
    else all.push(q);
  }
  return all;
}
/** One poll of joined questions. */
const joined = <O extends Poll<L>['gives']>(
  questions: readonly string[],
  p: Omit<Poll<L, O, string>, 'talk' | 'read'> & { readonly of: (said: readonly string[]) => ReturnType<Poll<L, O, string>['read']> },
): Poll<L, O, string> => {
  const { of, ...rest } = p;
  const asked = linesOf(questions);
  const read = (m: string) => of(answers(m, questions.length));
  if (asked.length === 1) return poll<L, O>({ ...rest, ask: asked[0], read });
  return {
    ...rest,
    read,
    *talk(ask) {
      const said: string[] = [];
      for (const line of asked) said.push(yield* ask.main.ask(line));
      return said.join(';');
    },
  };
};

/** The inputs 1 to n: what the scanner measures now is good, what it measured before is suspect, and what it has never seen is bad. */
function readings(n: number) {
  const all = Array.from({ length: n }, (_, i) => i + 1);
  return joined(
    ['SCAN?', ...each('INSET', all), ...each('RDGST', all), ...each('RDGR', all), ...each('QRDG', all), ...each('RDGPWR', all)],
    {
      every: 1,
      gives: { input: '1', autoscan: 'flag', resistance: 'Ω', quadrature: 'Ω', excitation_power: 'W' },
      of([scanner = '', ...said]) {
        const [on, auto] = fields(scanner, 2);
        const now = Number(on);
        const of = (group: number) =>
          all.map((input, i) => {
            if (fields(said[i], 5)[0] !== '1') return bad(`input ${input} is switched off`);
            const why = trouble(said[n + i]);
            if (why !== undefined) return bad(why);
            const value = number(said[group * n + i]);
            if (typeof value !== 'number' || input === now) return value;
            return { quality: 'suspect', value, why: `from before: the scanner is on input ${on}` } as const;
          });
        return { input: number(on), autoscan: flag(auto), resistance: of(2), quadrature: of(3), excitation_power: of(4) };
      },
      example: [
        [
          '1,0',
          ...all.map(() => '1,10,3,0,1'),
          ...all.map(() => '0'),
          ...all.map(() => '+8.12345E-02'),
          ...all.map(() => '+1.50000E-06'),
          ...all.map(() => '+8.12345E-07'),
        ].join(';'),
        {
          input: 1,
          autoscan: false,
          resistance: all.map((i) => before(i, 0.0812345)),
          quadrature: all.map((i) => before(i, 1.5e-6)),
          excitation_power: all.map((i) => before(i, 8.12345e-7)),
        },
      ],
      span: { input: [1, 16], resistance: [-1e9, 1e9] },
    },
  );
}
const before = (input: number, value: number) =>
  input === 1 ? value : ({ quality: 'suspect', value, why: 'from before: the scanner is on input 1' } as const);

/** Temperatures of the inputs that have a curve. */
function temperatures(curves: readonly boolean[]) {
  const n = curves.length;
  const all = curves.map((_, i) => i + 1);
  return joined(['SCAN?', ...each('RDGST', all), ...each('KRDG', all)], {
    every: 1,
    gives: { temperature: 'K' },
    of([scanner = '', ...said]) {
      const [on] = fields(scanner, 2);
      return {
        temperature: curves.map((curve, i) => {
          if (!curve) return bad(`input ${i + 1} has no curve`);
          const why = trouble(said[i]);
          if (why !== undefined) return bad(why);
          const value = number(said[n + i]);
          if (typeof value !== 'number' || String(i + 1) === on) return value;
          return { quality: 'suspect', value, why: `from before: the scanner is on input ${on}` } as const;
        }),
      };
    },
    example: [
      ['1,0', ...all.map(() => '0'), ...all.map(() => '+4.20000')].join(';'),
      { temperature: curves.map((curve, i) => (curve ? before(i + 1, 4.2) : bad(`input ${i + 1} has no curve`))) },
    ],
    span: { temperature: [0, 2000] },
  });
}

const controlInput = (curve: boolean) =>
  joined(['INSET? A', 'RDGST? A', 'KRDG? A', 'RDGR? A'], {
    every: 1,
    gives: { control_temperature: 'K', control_resistance: 'Ω' },
    of([setup = '', status = '', kelvin = '', ohms = '']) {
      const off = fields(setup, 5)[0] === '1' ? trouble(status) : 'the control input is switched off';
      if (off !== undefined) return { control_temperature: bad(off), control_resistance: bad(off) };
      return { control_temperature: curve ? number(kelvin) : bad('the control input has no curve'), control_resistance: number(ohms) };
    },
    example: [
      '1,10,3,21,1;0;+4.20000;+4451.20',
      { control_temperature: curve ? 4.2 : bad('the control input has no curve'), control_resistance: 4451.2 },
    ],
    span: { control_temperature: [0, 2000] },
  });

/** The bridge has no reply to what sets: the event register after it tells whether it was taken. */
function* order(act: Actors<L>, line: string): Talk<void> {
  const [, after] = answers(yield* act.main.exchange(`*ESR?;${line};*ESR?`), 2);
  const events = Number(after);
  if (!/^\d+$/.test(after)) throw new NoReply(`"${after}" came for the event register`);
  if ((events & 32) > 0) throw new NoReply(`the bridge does not know "${line}" (command error)`);
  if ((events & 16) > 0) throw new NoReply(`the bridge does not carry out "${line}" (execution error)`);
}
const change = (act: Actors<L>, here: Here, head: string, key: string | number, at: number, value: string, n: number): Talk<void> =>
  here.atomic(
    (function* () {
      const now = [...split(yield* act.main.ask(`${head}? ${key}`), n)].slice(0, n);
      now[at] = value;
      yield* order(act, `${head} ${key},${now.join(',')}`);
    })(),
  );

const setPoint = (act: Actors<L>, here: Here, output: number, kelvin: number): Talk<void> =>
  here.atomic(
    (function* () {
      const [on] = split(yield* act.main.ask(`RAMP? ${output}`), 2);
      if (on === '1')
        throw new NoReply(`the ramp of output ${output} is on, which would move the set point slowly: order "ramp" off first`);
      const [, input] = split(yield* act.main.ask(`OUTMODE? ${output}`), 6);
      if (input === '0') throw new NoReply(`output ${output} has no input to control by; order "control_input" first`);
      if (split(yield* act.main.ask(`INTYPE? ${input}`), 6)[5] !== '1')
        throw new NoReply(`input ${input} is set to ohms: a set point in kelvin has no meaning for it`);
      yield* order(act, `SETP ${output},${kelvin.toFixed(6)}`);
    })(),
  );

/** To another input, and until it has settled: the bridge makes no reading of it before. */
const goTo = (act: Actors<L>, here: Here, input: number): Talk<void> =>
  here.atomic(
    (function* () {
      if (!Number.isInteger(input)) throw new NoReply(`inputs have whole numbers, and ${input} is none`);
      const [enabled, , pause] = split(yield* act.main.ask(`INSET? ${input}`), 5);
      if (enabled !== '1') throw new NoReply(`input ${input} is switched off`);
      const [, auto] = split(yield* act.main.ask('SCAN?'), 2);
      yield* order(act, `SCAN ${input},${auto}`);
      yield* here.wait(Math.min(200, Number(pause)) + 0.3);
    })(),
  );

function* identify(ask: Askers<L>, { inputs }: Options): Talk<Id | Refused> {
  const idn = yield* ask.main.ask('*IDN?');
  const [maker = '', name = '', serial = '', firmware = ''] = idn.split(',').map((part) => part.trim());
  if (!/^LSCI$/i.test(maker) || !/^MODEL\s?372$/i.test(name)) return new Refused(`"${idn}" is not a Lake Shore 372`);
  const all = [...Array.from({ length: inputs }, (_, i) => i + 1), 'A'];
  const said: string[] = [];
  for (const line of linesOf(each('INSET', all))) said.push(yield* ask.main.ask(line));
  const setups = answers(said.join(';'), all.length);
  const curves = setups.map((s) => Number(split(s, 5)[3]) > 0);
  return { model: '372', serial, firmware, curves: curves.slice(0, inputs), control: curves[inputs] };
}

const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => c;

/**
 * Lake Shore 372 AC resistance bridge by serial over USB (57600, 7 bits, odd parity), TCP port 7777 or GPIB: four-wire resistances of the
 * measurement inputs 1 to `inputs` (index i is input i + 1), the control input, and heaters (index: outputs 0 sample, 1 warm-up, 2 still).
 */
export default instrument<L, Options, Id>({
  model: 'Lake Shore 372',
  source: 'lakeshorecryotronics/python-driver model_372, temperature_controllers; QCoDeS Lakeshore_model_372',
  options: options<Options>({ terminator: terminator('LF'), inputs: whole('measurement inputs that are read, from the first', 1, 16, 1) }),
  links: ({ terminator: end }) => ({ main: text({ ask: end, tell: end === '\r' ? ['\r\n', '\r'] : ['\r\n', '\n'] }) }),
  proof: { main: { ask: () => '*IDN?', is: (m) => /^LSCI,MODEL\s?\d/i.test(m) } },
  identify,
  body: ({ inputs }, { curves, control }) => ({
    polls: [
      readings(inputs),
      ...(curves.some((c) => c) ? [temperatures(curves)] : []),
      controlInput(control),
      joined([...each('RANGE', OUTPUTS), 'HTR?', 'AOUT? 1', 'AOUT? 2', ...each('RAMPST', LOOPS)], {
        every: 1,
        gives: { heater_range: '1', heater_output: '1', ramping: 'flag' },
        of: (said) => ({
          heater_range: said.slice(0, 3).map(number),
          heater_output: said.slice(3, 6).map(scaled(percent)),
          ramping: said.slice(6).map(flag),
        }),
        example: [
          '6;0;1;+12.5000;+0.00000;+50.0000;0;1',
          { heater_range: [6, 0, 1], heater_output: [0.125, 0, 0.5], ramping: [false, true] },
        ],
        span: { heater_range: [0, 8], heater_output: [-1.01, 1.01] },
      }),
      joined(
        [
          ...each('SETP', LOOPS),
          ...each('OUTMODE', OUTPUTS),
          'INTYPE? A',
          ...each(
            'INTYPE',
            Array.from({ length: inputs }, (_, i) => i + 1),
          ),
        ],
        {
          every: 1,
          gives: { set_point: 'K', mode: 'state', control_input: 'state' },
          of(said) {
            const modes = said.slice(2, 5).map((s) => fields(s, 6));
            const units = (input: string): string | undefined =>
              input === 'A' ? fields(said[5], 6)[5] : said[5 + Number(input)] && fields(said[5 + Number(input)], 6)[5];
            return {
              set_point: said.slice(0, 2).map((s, i) => {
                const [mode, input] = modes[i];
                if (mode === '0' || input === '0') return number(s);
                if (units(input) === '1') return number(s);
                return bad(
                  units(input) === '2'
                    ? `input ${input} is set to ohms`
                    : `the units of input ${input} are not read: see the option "inputs"`,
                );
              }),
              mode: modes.map(([mode]) => modeOf(mode)),
              control_input: modes.map(([, input]) => inputOf(input)),
            };
          },
          example: [
            [
              '+4.20000;+0.00000;5,A,0,0,0,1;0,1,0,0,0,1;4,0,0,0,0,1;1,3,0,0,0,1',
              ...Array.from({ length: inputs }, () => '1,20,0,6,0,2'),
            ].join(';'),
            { set_point: [4.2, 0], mode: ['closed loop', 'off', 'still'], control_input: ['A', '1', 'none'] },
          ],
          words: { mode: MODES, control_input: SENSORS },
        },
      ),
      joined([...each('PID', LOOPS), ...each('RAMP', LOOPS), ...each('MOUT', LOOPS), 'STILL?'], {
        every: 2,
        gives: { proportional: '1', integral: '1', derivative: '1', ramp: 'flag', ramp_rate: 'K/s', manual_output: '1', still_output: '1' },
        of(said) {
          const pid = said.slice(0, 2).map((s) => fields(s, 3));
          const ramp = said.slice(2, 4).map((s) => fields(s, 2));
          return {
            proportional: pid.map(([p]) => number(p)),
            integral: pid.map(([, i]) => number(i)),
            derivative: pid.map(([, , d]) => number(d)),
            ramp: ramp.map(([on]) => flag(on)),
            ramp_rate: ramp.map(([, rate]) => scaled((n) => n / 60)(rate)),
            manual_output: said.slice(4, 6).map(scaled(percent)),
            still_output: scaled(percent)(said[6]),
          };
        },
        example: [
          '+50.0000,+20.0000,+0.00000;+5.00000,+2.00000,+1.00000;1,+0.60000;0,+0.10000;+10.0000;+0.00000;+25.0000',
          {
            proportional: [50, 5],
            integral: [20, 2],
            derivative: [0, 1],
            ramp: [true, false],
            ramp_rate: [0.01, 0.1 / 60],
            manual_output: [0.1, 0],
            still_output: 0.25,
          },
        ],
      }),
      joined(
        [
          ...each(
            'INTYPE',
            Array.from({ length: inputs }, (_, i) => i + 1),
          ),
          'FREQ? 0',
        ],
        {
          every: 2,
          gives: { excitation: 'A', excitation_on: 'flag', resistance_range: 'Ω', frequency: '1/s' },
          of(said) {
            const all = said.slice(0, inputs).map((s) => fields(s, 6).map(Number));
            const hz = HZ[Number(said[inputs]) - 1];
            return {
              excitation: all.map(([mode, range, , ohms]) =>
                mode === 1 ? halfDecades(1e-12, range) : halfDecades(2e-6, range) / halfDecades(2e-3, ohms),
              ),
              excitation_on: all.map(([, , , , shunted]) => shunted === 0),
              resistance_range: all.map(([, , , ohms]) => halfDecades(2e-3, ohms)),
              frequency: hz ?? bad(`"${said[inputs]}" is no frequency of the bridge`),
            };
          },
          example: [
            [...Array.from({ length: inputs }, () => '1,19,0,7,0,2'), '2'].join(';'),
            {
              excitation: Array.from({ length: inputs }, () => 1e-3),
              excitation_on: Array.from({ length: inputs }, () => true),
              resistance_range: Array.from({ length: inputs }, () => 2),
              frequency: 13.7,
            },
          ],
        },
      ),
    ],
    commands: {
      heater_range: command({
        takes: '1',
        count: OUTPUTS.length,
        limits: [0, 8],
        safe: 0,
        *talk(act, range, index) {
          // The safe order needs no answer.
          if (range === 0) yield* act.main.send(`RANGE ${index},0`);
          else if (Number.isInteger(range)) yield* order(act, `RANGE ${index},${range}`);
          else throw new NoReply(`heater ranges are whole numbers, and ${range} is none`);
        },
        readback: { channel: 'heater_range', within: 3, by: 0 },
        about: '0 is off; sample heater 1 to 8 (31.6 µA to 100 mA), the others 1',
      }),
      input: command({
        takes: '1',
        limits: [1, 16],
        talk: (act, input, _index, here) => goTo(act, here, input),
        readback: { channel: 'input', within: 210, by: 0 },
        renews: { resistance: inputs, quadrature: inputs, excitation_power: inputs },
        about: 'the input that the scanner is on; ends when it has settled',
      }),
      autoscan: command({
        takes: 'flag',
        talk: (act, on, _index, here) =>
          here.atomic(
            (function* () {
              const [input] = split(yield* act.main.ask('SCAN?'), 2);
              yield* order(act, `SCAN ${input},${on ? 1 : 0}`);
            })(),
          ),
        readback: { channel: 'autoscan', within: 3, by: 0 },
      }),
      excitation: command({
        takes: 'A',
        count: inputs,
        limits: [1e-12, 0.0317],
        talk: (act, amps, index, here) =>
          here.atomic(
            (function* () {
              const [, , ...rest] = split(yield* act.main.ask(`INTYPE? ${index + 1}`), 6);
              const range = Math.floor(2 * Math.log10(amps / 1e-12) + 1 + 1e-3);
              yield* order(act, `INTYPE ${index + 1},1,${range},${rest.slice(0, 4).join(',')}`);
            })(),
          ),
        about: 'the highest current range that is not above this (rms), in half decades',
      }),
      excitation_on: command({
        takes: 'flag',
        count: inputs,
        talk: (act, on, index, here) => change(act, here, 'INTYPE', index + 1, 4, on ? '0' : '1', 6),
        readback: { channel: 'excitation_on', within: 5, by: 0 },
      }),
      resistance_range: command({
        takes: 'Ω',
        count: inputs,
        limits: [2e-3, 63.3e6],
        talk: (act, ohms, index, here) =>
          change(
            act,
            here,
            'INTYPE',
            index + 1,
            3,
            String(Math.min(22, Math.max(1, Math.ceil(2 * Math.log10(ohms / 2e-3) + 1 - 1e-3)))),
            6,
          ),
        about: 'the lowest range that is not below this, in half decades',
      }),
      frequency: command({
        takes: '1/s',
        limits: [9.8, 18.2],
        *talk(act, hz) {
          const n = HZ.findIndex((f) => Math.abs(f - hz) < 0.05);
          if (n < 0) throw new NoReply(`the bridge has the frequencies ${HZ.join(', ')} Hz`);
          yield* order(act, `FREQ 0,${n + 1}`);
        },
        readback: { channel: 'frequency', within: 5, by: 0.06 },
      }),
      set_point: command({
        takes: 'K',
        count: LOOPS.length,
        limits: [0, 1000],
        talk: (act, kelvin, index, here) => setPoint(act, here, index, kelvin),
        readback: { channel: 'set_point', within: 3, by: 1e-3 },
      }),
      ramp: command({
        takes: 'flag',
        count: LOOPS.length,
        talk: (act, on, index, here) => change(act, here, 'RAMP', index, 0, on ? '1' : '0', 2),
        readback: { channel: 'ramp', within: 5, by: 0 },
      }),
      ramp_rate: command({
        takes: 'K/s',
        count: LOOPS.length,
        limits: [0, 100 / 60],
        talk: (act, rate, index, here) => change(act, here, 'RAMP', index, 1, (60 * rate).toFixed(4), 2),
        readback: { channel: 'ramp_rate', within: 5, by: 2e-5 },
      }),
      mode: command({
        takes: 'state',
        count: OUTPUTS.length,
        words: MODES,
        talk: (act, mode, index, here) => change(act, here, 'OUTMODE', index, 0, String(MODES.indexOf(mode)), 6),
        readback: { channel: 'mode', within: 3, by: 0 },
      }),
      control_input: command({
        takes: 'state',
        count: OUTPUTS.length,
        words: SENSORS,
        talk: (act, input, index, here) => change(act, here, 'OUTMODE', index, 1, input === 'none' ? '0' : input, 6),
        readback: { channel: 'control_input', within: 3, by: 0 },
      }),
      proportional: command({
        takes: '1',
        count: LOOPS.length,
        limits: [0, 1000],
        talk: (act, p, index, here) => change(act, here, 'PID', index, 0, p.toFixed(3), 3),
        readback: { channel: 'proportional', within: 5, by: 0.01 },
      }),
      integral: command({
        takes: '1',
        count: LOOPS.length,
        limits: [0, 10000],
        talk: (act, i, index, here) => change(act, here, 'PID', index, 1, i.toFixed(2), 3),
        readback: { channel: 'integral', within: 5, by: 0.1 },
      }),
      derivative: command({
        takes: '1',
        count: LOOPS.length,
        limits: [0, 2500],
        talk: (act, d, index, here) => change(act, here, 'PID', index, 2, d.toFixed(2), 3),
        readback: { channel: 'derivative', within: 5, by: 0.1 },
      }),
      manual_output: command({
        takes: '1',
        count: LOOPS.length,
        limits: [0, 1],
        talk: (act, part, index) => order(act, `MOUT ${index},${(100 * part).toFixed(3)}`),
        readback: { channel: 'manual_output', within: 5, by: 1e-4 },
        about: 'part of the range; acts in the mode open loop',
      }),
      still_output: command({
        takes: '1',
        limits: [0, 1],
        talk: (act, part) => order(act, `STILL ${(100 * part).toFixed(2)}`),
        readback: { channel: 'still_output', within: 5, by: 1e-4 },
      }),
    },
  }),
});
