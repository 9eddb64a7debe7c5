import { decimal, text } from '../protocols/text.ts';
import {
  type Actors,
  type Askers,
  answered,
  bad,
  type Command,
  declared,
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
} from '../src/instrument.ts';
import { celsius, percent } from '../src/units.ts';

type L = { readonly main: ReturnType<typeof text> };
interface Options {
  readonly terminator: string;
  readonly inputs: readonly string[];
}
interface Id {
  readonly model: '336' | '350';
  readonly serial: string;
  readonly firmware: string;
}

const OUTPUTS = [1, 2, 3, 4] as const;
const INPUTS = ['A', 'B', 'C', 'D', 'D1', 'D2', 'D3', 'D4', 'D5'] as const;
const MODES: readonly string[] = ['off', 'closed loop', 'zone', 'open loop', 'monitor out', 'warm-up'];
const SENSORS: readonly string[] = ['none', 'A', 'B', 'C', 'D'];
const UNITS = ['K', '°C', 'sensor'] as const;
const HEATER = ['none', 'open load', 'short'] as const;

/** Why RDGST? makes a reading void; its bits as python-driver and ISIS have them. */
const TROUBLE: readonly (readonly [number, string])[] = [
  [0, 'invalid reading'],
  [4, 'temperature under range'],
  [5, 'temperature over range'],
  [6, 'sensor units zero'],
  [7, 'sensor units over range'],
];

/** The answers to questions joined by ";", as many as were asked. */
const answers = (reply: string, n: number): readonly string[] => answered(reply.split(';'), n);
/** A number as the instrument writes it: blanks around it would be another's. */
const number = (said: string): number | Measured<'1'> => {
  if (/\s/.test(said)) return bad(`"${said}" has blanks, which is not this instrument's number format`);
  const n = decimal(said);
  return Number.isNaN(n) ? bad(`the controller answers "${said}", which is no number`) : n;
};
const scaled =
  (si: (n: number) => number) =>
  (said: string): number | Measured<'1'> => {
    const n = number(said);
    return typeof n === 'number' ? si(n) : n;
  };
const wordOf =
  (words: readonly string[]) =>
  (said: string): string | Measured<'state'> =>
    (/^\d+$/.test(said) ? words[Number(said)] : undefined) ?? bad(`"${said}" is none of 0 to ${words.length - 1}`);
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

/** What the status word of an input says against its reading; undefined where it says nothing. */
function trouble(said: string): string | undefined {
  const word = Number(said);
  if (!/^\d{1,3}$/.test(said) || word > 255) return `"${said}" is no reading status`;
  const why = TROUBLE.filter(([bit]) => (word >> bit) % 2 === 1).map(([, reason]) => reason);
  if (why.length > 0) return why.join(', ');
  return word === 0 ? undefined : `reading status ${word}`;
}

const each = (head: string, of: readonly (string | number)[]): readonly string[] => of.map((one) => `${head}? ${one}`);
/** One poll of joined questions. */
const joined = <O extends Poll<L>['gives']>(
  questions: readonly string[],
  p: Omit<Poll<L, O, string>, 'talk' | 'read'> & { readonly of: (said: readonly string[]) => ReturnType<Poll<L, O, string>['read']> },
): Poll<L, O, string> => {
  const { of, ...rest } = p;
  return poll<L, O>({ ...rest, ask: questions.join(';'), read: (m) => of(answers(m, questions.length)) });
};

function inputsPoll(inputs: readonly string[]) {
  const n = inputs.length;
  const sample = ['77.3500', '+1.02000', '295.150', '+50.0000', '4.2000', '0', '0', '0', '0'];
  return joined([...each('RDGST', inputs), ...each('KRDG', inputs), ...each('SRDG', inputs)], {
    every: 1,
    gives: { temperature: 'K', sensor: '1' },
    of(said) {
      const of = (at: number) =>
        said.slice(at, at + n).map((s, i) => {
          const why = trouble(said[i]);
          return why === undefined ? number(s) : bad(why);
        });
      return { temperature: of(n), sensor: of(2 * n) };
    },
    example: [
      [...inputs.map(() => '0'), ...sample.slice(0, n), ...sample.slice(0, n)].join(';'),
      { temperature: sample.slice(0, n).map(Number), sensor: sample.slice(0, n).map(Number) },
    ],
    span: { temperature: [0, 2000] },
  });
}

/** The controller has no reply to what sets: the event register before and after tells whether it was taken. */
function* order(act: Actors<L>, line: string): Talk<void> {
  const [, after] = answers(yield* act.main.exchange(`*ESR?;${line};*ESR?`), 2);
  const events = Number(after);
  if (!/^\d+$/.test(after)) throw new NoReply(`"${after}" came for the event register`);
  if ((events & 32) > 0) throw new NoReply(`the controller does not know "${line}" (command error)`);
  if ((events & 16) > 0) throw new NoReply(`the controller does not carry out "${line}" (execution error)`);
}

/** One field of a setting with several, the others as they are. */
const change = (act: Actors<L>, here: Here, head: string, key: number, at: number, value: string, n: number): Talk<void> =>
  here.atomic(
    (function* () {
      const now = [...split(yield* act.main.ask(`${head}? ${key}`), n)].slice(0, n);
      now[at] = value;
      yield* order(act, `${head} ${key},${now.join(',')}`);
    })(),
  );

/** K in the units that the loop's input prefers. */
function* preferred(ask: Askers<L>, output: number, kelvin: number): Talk<string> {
  const [, input] = split(yield* ask.main.ask(`OUTMODE? ${output}`), 3);
  const name = SENSORS[Number(input)];
  if (name === undefined || name === 'none') throw new NoReply(`output ${output} has no input to control by; order "control_input" first`);
  const units = split(yield* ask.main.ask(`INTYPE? ${name}`), 5)[4];
  if (units === '1') return kelvin.toFixed(4);
  if (units === '2') return (kelvin - 273.15).toFixed(4);
  throw new NoReply(`input ${name} is set to sensor units: a set point in kelvin has no meaning for it`);
}

const setPoint = (act: Actors<L>, here: Here, output: number, kelvin: number, ramp: boolean): Talk<void> =>
  here.atomic(
    (function* () {
      const [on] = split(yield* act.main.ask(`RAMP? ${output}`), 2);
      if ((on === '1') !== ramp)
        throw new NoReply(
          ramp
            ? `the ramp of output ${output} is off; order "ramp" first, or "set_point"`
            : `the ramp of output ${output} is on, which would move the set point slowly: order "ramp_to", or "ramp" off first`,
        );
      yield* order(act, `SETP ${output},${yield* preferred(act, output, kelvin)}`);
    })(),
  );

function* identify(ask: Askers<L>): Talk<Id | Refused> {
  const idn = yield* ask.main.ask('*IDN?');
  const [maker = '', name = '', serial = '', firmware = ''] = idn.split(',').map((part) => part.trim());
  const model = /^MODEL\s?(336|350)$/i.exec(name)?.[1];
  if (!/^LSCI$/i.test(maker) || (model !== '336' && model !== '350')) return new Refused(`"${idn}" is not a Lake Shore 336 or 350`);
  return { model, serial, firmware };
}

const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => ({ count: OUTPUTS.length, ...c });
const inputs = declared(`list of inputs, such as [A, B] (otherwise [A, B, C, D]; D1 to D5 with the 350's scanner)`, (part) => {
  const list: unknown = part.yaml ?? ['A', 'B', 'C', 'D'];
  const good = Array.isArray(list) ? INPUTS.filter((i) => list.includes(i)) : [];
  if (!Array.isArray(list) || good.length === 0 || good.length !== list.length)
    return part.wrong(`must be a list of inputs among ${INPUTS.join(', ')}, each once`);
  return good;
});

/**
 * Lake Shore 336 and 350 temperature controllers by serial over USB (57600, 7 bits, odd parity), TCP port 7777 or GPIB. Index i of a list is
 * the input given in the option `inputs`, or output i + 1. Heaters are on while `heater_range` is above 0.
 */
export default instrument<L, Options, Id>({
  model: 'Lake Shore 336 / 350',
  source:
    'lakeshorecryotronics/python-driver model_336, temperature_controllers; QCoDeS Lakeshore_model_336; epics-modules/ip LakeShore336.proto',
  options: options<Options>({ terminator: terminator('LF'), inputs }),
  links: ({ terminator: end }) => ({ main: text({ ask: end, tell: end === '\r' ? ['\r\n', '\r'] : ['\r\n', '\n'] }) }),
  proof: { main: { ask: () => '*IDN?', is: (m) => /^LSCI,MODEL\s?\d/i.test(m) } },
  identify,
  body: ({ inputs: among }, { model }) => ({
    polls: [
      inputsPoll(among),
      joined([...each('RANGE', OUTPUTS), 'HTR? 1', 'HTR? 2', 'AOUT? 3', 'AOUT? 4', ...each('RAMPST', OUTPUTS)], {
        every: 1,
        gives: { heater_range: '1', heater_output: '1', ramping: 'flag' },
        of: (said) => ({
          heater_range: said.slice(0, 4).map(number),
          heater_output: said.slice(4, 8).map(scaled(percent)),
          ramping: said.slice(8).map(flag),
        }),
        example: [
          '3;0;0;1;+12.5000;+0.00000;+0.00000;+50.0000;1;0;0;0',
          { heater_range: [3, 0, 0, 1], heater_output: [0.125, 0, 0, 0.5], ramping: [true, false, false, false] },
        ],
        span: { heater_range: [0, 5], heater_output: [-1.01, 1.01] },
      }),
      joined([...each('SETP', OUTPUTS), ...each('OUTMODE', OUTPUTS), ...each('INTYPE', ['A', 'B', 'C', 'D'])], {
        every: 1,
        gives: { set_point: 'K', mode: 'state', control_input: 'state' },
        of(said) {
          const modes = said.slice(4, 8).map((s) => fields(s, 3));
          const units = said.slice(8).map((s) => fields(s, 5)[4]);
          const set_point = said.slice(0, 4).map((s, i) => {
            const input = Number(modes[i][1]);
            const unit = input >= 1 && input <= 4 ? UNITS[Number(units[input - 1]) - 1] : 'K';
            if (unit === undefined) return bad(`the units of input ${SENSORS[input]} are not known`);
            if (unit === 'sensor') return bad(`input ${SENSORS[input]} is set to sensor units`);
            return unit === 'K' ? number(s) : scaled(celsius)(s);
          });
          return { set_point, mode: modes.map(([m]) => wordOf(MODES)(m)), control_input: modes.map(([, i]) => wordOf(SENSORS)(i)) };
        },
        example: [
          '+300.000;+26.8500;+0.00000;+0.00000;1,1,0;3,2,0;0,0,0;0,0,0;2,1,0,0,1;1,0,0,0,2;2,1,0,0,1;3,1,0,0,3',
          {
            set_point: [300, 300, 0, 0],
            mode: ['closed loop', 'open loop', 'off', 'off'],
            control_input: ['A', 'B', 'none', 'none'],
          },
        ],
        words: { mode: MODES, control_input: SENSORS },
      }),
      joined([...each('PID', OUTPUTS), ...each('RAMP', OUTPUTS), ...each('MOUT', OUTPUTS)], {
        every: 2,
        gives: { proportional: '1', integral: '1', derivative: '1', ramp: 'flag', ramp_rate: 'K/s', manual_output: '1' },
        of(said) {
          const pid = said.slice(0, 4).map((s) => fields(s, 3));
          const ramp = said.slice(4, 8).map((s) => fields(s, 2));
          return {
            proportional: pid.map(([p]) => number(p)),
            integral: pid.map(([, i]) => number(i)),
            derivative: pid.map(([, , d]) => number(d)),
            ramp: ramp.map(([on]) => flag(on)),
            ramp_rate: ramp.map(([, rate]) => scaled((n) => n / 60)(rate)),
            manual_output: said.slice(8).map(scaled(percent)),
          };
        },
        example: [
          '+50.0,+20.0,+0.0;+50.0,+20.0,+0.0;+50.0,+20.0,+0.0;+50.0,+20.0,+25.0;1,+6.0;0,+10.0;0,+0.0;0,+0.0;+0.0;+0.0;+10.0;+0.0',
          {
            proportional: [50, 50, 50, 50],
            integral: [20, 20, 20, 20],
            derivative: [0, 0, 0, 25],
            ramp: [true, false, false, false],
            ramp_rate: [0.1, 10 / 60, 0, 0],
            manual_output: [0, 0, 0.1, 0],
          },
        ],
      }),
      joined(['HTRST? 1', 'HTRST? 2'], {
        every: 5,
        gives: { heater_error: 'state' },
        of: (said) => ({ heater_error: said.map(wordOf(HEATER)) }),
        example: ['0;1', { heater_error: ['none', 'open load'] }],
        words: { heater_error: HEATER },
      }),
    ],
    commands: {
      heater_range: command({
        takes: '1',
        limits: [0, model === '336' ? 3 : 5],
        safe: 0,
        *talk(act, range, index) {
          // The safe order needs no answer.
          if (range === 0) yield* act.main.send(`RANGE ${index + 1},0`);
          else if (Number.isInteger(range)) yield* order(act, `RANGE ${index + 1},${range}`);
          else throw new NoReply(`heater ranges are whole numbers, and ${range} is none`);
        },
        readback: { channel: 'heater_range', within: 3, by: 0 },
        about: '0 is off; 1 to 3 low, medium, high (350: 1 to 5 on output 1)',
      }),
      set_point: command({
        takes: 'K',
        limits: [0, 1505],
        talk: (act, kelvin, index, here) => setPoint(act, here, index + 1, kelvin, false),
        readback: { channel: 'set_point', within: 3, by: 0.01 },
        about: "at once; with the controller's own ramp on, order ramp_to",
      }),
      ramp_to: command({
        takes: 'K',
        limits: [0, 1505],
        talk: (act, kelvin, index, here) => setPoint(act, here, index + 1, kelvin, true),
        about: 'set point to which the ramp moves at ramp_rate; the channel "ramping" shows when it is there',
      }),
      ramp: command({
        takes: 'flag',
        talk: (act, on, index, here) => change(act, here, 'RAMP', index + 1, 0, on ? '1' : '0', 2),
        readback: { channel: 'ramp', within: 5, by: 0 },
      }),
      ramp_rate: command({
        takes: 'K/s',
        limits: [0, 100 / 60],
        talk: (act, rate, index, here) => change(act, here, 'RAMP', index + 1, 1, (60 * rate).toFixed(3), 2),
        readback: { channel: 'ramp_rate', within: 5, by: 2e-5 },
      }),
      mode: command({
        takes: 'state',
        words: MODES,
        talk: (act, mode, index, here) => change(act, here, 'OUTMODE', index + 1, 0, String(MODES.indexOf(mode)), 3),
        readback: { channel: 'mode', within: 3, by: 0 },
      }),
      control_input: command({
        takes: 'state',
        words: SENSORS,
        talk: (act, input, index, here) => change(act, here, 'OUTMODE', index + 1, 1, String(SENSORS.indexOf(input)), 3),
        readback: { channel: 'control_input', within: 3, by: 0 },
      }),
      proportional: command({
        takes: '1',
        limits: [0.1, 1000],
        talk: (act, p, index, here) => change(act, here, 'PID', index + 1, 0, p.toFixed(1), 3),
        readback: { channel: 'proportional', within: 5, by: 0.06 },
      }),
      integral: command({
        takes: '1',
        limits: [0, 1000],
        talk: (act, i, index, here) => change(act, here, 'PID', index + 1, 1, i.toFixed(1), 3),
        readback: { channel: 'integral', within: 5, by: 0.06 },
      }),
      derivative: command({
        takes: '1',
        limits: [0, 200],
        talk: (act, d, index, here) => change(act, here, 'PID', index + 1, 2, d.toFixed(1), 3),
        readback: { channel: 'derivative', within: 5, by: 0.06 },
      }),
      manual_output: command({
        takes: '1',
        limits: [0, 1],
        talk: (act, part, index) => order(act, `MOUT ${index + 1},${(100 * part).toFixed(2)}`),
        readback: { channel: 'manual_output', within: 5, by: 1e-4 },
        about: 'part of the range; acts in the modes open loop and closed loop',
      }),
    },
  }),
});
