import { type AgilisAsk, type AgilisTell, agilis } from '../protocols/agilis.ts';
import {
  type Actors,
  type Askers,
  bad,
  type Command,
  declared,
  Garbled,
  type Given,
  type Here,
  instrument,
  type Kind,
  type Kinds,
  NoReply,
  options,
  type Poll,
  Refused,
  type Takes,
  type Talk,
  word,
} from '../src/instrument.ts';

type L = { readonly main: ReturnType<typeof agilis> };
interface Motor {
  readonly name: string;
  readonly channel: number;
  readonly axis: number;
  /** It has a limit switch: AG-LS25, AG-M050L, AG-M100L. */
  readonly limit_switch: boolean;
}
interface Options {
  readonly motors: readonly Motor[];
  readonly confirm: 'together' | 'apart';
}
interface Id {
  readonly model: string;
  readonly firmware: string;
}

const ERRORS: Readonly<Record<number, string>> = {
  [-1]: 'unknown command',
  [-2]: 'axis out of range',
  [-3]: 'wrong format of the number',
  [-4]: 'number out of range',
  [-5]: 'not allowed in local mode; order "remote" first',
  [-6]: 'not allowed while a motor moves',
};
const LOCAL = -5;
const STATES = ['ready', 'stepping', 'jogging', 'moving to limit'] as const;
const SLOWEST = 125; // s: measuring a position takes up to two minutes
const trouble = (code: number): string => `error ${code} (${ERRORS[code] ?? 'unknown'})`;

/** The number after what an answer repeats of its question; NaN where it is another answer. */
function numberIn(line: string, head: string): number {
  const [, number] = /^(.*?[A-Z]{2})\s*([+-]?\d+)$/.exec(line)?.slice(1) ?? [];
  const text = line.startsWith(head) ? line.slice(head.length) : line.startsWith(head.replace(/[+-]$/, '')) ? (number ?? '') : '';
  return /^\s*[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
}

/** Answers by question; where it was refused, the error. */
type Answers = Readonly<Record<string, string | number>>;

function* asks(ask: Askers<L>, lines: readonly string[], known: Answers = {}): Talk<Answers> {
  const all: Record<string, string | number> = { ...known };
  for (const line of lines) {
    const m = yield* ask.main.ask({ line });
    all[line] = m.line ?? m.error ?? 0;
  }
  return all;
}
function value(all: Answers, line: string): number | string {
  const answer = all[line];
  if (typeof answer === 'number')
    return answer === LOCAL ? 'the controller is in local mode, where its push buttons act; order "remote"' : trouble(answer);
  const n = answer === undefined ? Number.NaN : numberIn(answer, line.replace(/\?$/, ''));
  if (Number.isNaN(n)) throw new Error(`"${answer}" is no answer to ${line}`);
  return n;
}

/** The line of an order, confirmed by TE. */
function* carryOut(act: Actors<L>, here: Here, line: string, { confirm }: Options): Talk<void> {
  let m: AgilisTell;
  if (confirm === 'together') m = yield* act.main.exchange({ line });
  else
    m = yield* here.atomic(
      (function* (): Talk<AgilisTell> {
        yield* act.main.send({ line, alone: true });
        yield* here.wait(line.startsWith('CC') ? 0.02 : 0.005); // QMI, newport/ag_uc8.py: the delays after a line without answer
        return yield* act.main.ask({ line: 'TE' });
      })(),
    );
  if (m.error !== 0) throw new NoReply(`the controller refuses ${line}: ${trouble(m.error ?? Number.NaN)}`);
}

/** Makes the motor's channel the one that is driven: of an AG-UC8 only one is at a time. */
function* select(act: Actors<L>, here: Here, { channel }: Motor, p: Options, { model }: Id): Talk<void> {
  if (model !== 'AG-UC8') return;
  const { line, error } = yield* act.main.ask({ line: 'CC?' });
  if (error === LOCAL) throw new NoReply(`the controller refuses CC?: ${trouble(error)}`);
  // One that does not tell is told.
  if (line !== undefined && numberIn(line, 'CC') === channel) return;
  yield* carryOut(act, here, `CC${channel}`, p);
  yield* here.wait(0.02);
}

/** Which of the motors can be read: those of the channel that is driven. */
function driven(all: Answers, motors: readonly Motor[]): readonly Motor[] {
  if (all['CC?'] === undefined) return motors;
  const channel = value(all, 'CC?');
  return motors.filter((m) => m.channel === channel);
}

/** A poll of lines for each motor that is driven; of the others it says why nothing is known. */
function reading(
  { motors, confirm: _ }: Options,
  { model }: Id,
  every: number,
  gives: Kinds,
  lines: (m: Motor) => readonly string[],
  read: (m: Motor, all: Answers) => Readonly<Record<string, Given<Kind>>>,
  more: { readonly always?: readonly string[]; readonly rest?: (all: Answers) => Readonly<Record<string, Given<Kind>>> } = {},
  example: readonly [Answers, Readonly<Record<string, number | string | boolean>>],
  words: Readonly<Record<string, readonly string[]>> = {},
): Poll<L, Kinds, Answers> {
  const values = (all: Answers): Readonly<Record<string, Given<Kind>>> => {
    const there = driven(all, motors);
    const why = bad(
      `its channel is not the one that is driven${typeof all['CC?'] === 'string' ? ` (${all['CC?']})` : ''}: a move of it makes it so`,
    );
    const out: Record<string, Given<Kind>> = Object.fromEntries(Object.keys(gives).map((name) => [name, why]));
    for (const m of there) Object.assign(out, read(m, all));
    return { ...out, ...more.rest?.(all) };
  };
  return {
    every,
    gives,
    *talk(ask) {
      const first = yield* asks(ask, [...(model === 'AG-UC8' ? ['CC?'] : []), ...(more.always ?? [])]);
      const there = typeof first['CC?'] === 'number' ? [] : driven(first, motors);
      return yield* asks(ask, [...new Set(there.flatMap(lines))], first);
    },
    read: (all) =>
      typeof all['CC?'] === 'number'
        ? Object.fromEntries(Object.keys(gives).map((n) => [n, n === 'remote' ? all['CC?'] !== LOCAL : bad(String(value(all, 'CC?')))]))
        : values(all),
    example,
    words,
  };
}
const orBad = (n: number | string): Given<Kind> => (typeof n === 'string' ? bad(n) : n);

function motion(p: Options, id: Id): Poll<L, Kinds, Answers> {
  const { motors } = p;
  const switches = motors.some((m) => m.limit_switch);
  const [first] = motors;
  const at = `${first?.axis ?? 1}`;
  const name = first?.name ?? '';
  return reading(
    p,
    id,
    0.5,
    {
      remote: 'flag',
      ...Object.fromEntries(
        motors.flatMap(
          (m) =>
            [[`${m.name}_state`, 'state'], [`${m.name}_steps`, '1'], ...(m.limit_switch ? [[`${m.name}_limit`, 'flag']] : [])] as const,
        ),
      ),
    },
    (m) => [`${m.axis}TS`, `${m.axis}TP`, ...(switches ? ['PH'] : [])],
    (m, all) => {
      const state = value(all, `${m.axis}TS`);
      const limits = m.limit_switch ? value(all, 'PH') : 0;
      return {
        [`${m.name}_state`]: typeof state === 'string' ? bad(state) : (STATES[state] ?? bad(`${state} is no state: 0 to 3 are`)),
        [`${m.name}_steps`]: orBad(value(all, `${m.axis}TP`)),
        ...(m.limit_switch ? { [`${m.name}_limit`]: typeof limits === 'string' ? bad(limits) : ((limits >> (m.axis - 1)) & 1) === 1 } : {}),
      };
    },
    { rest: (all) => ({ remote: !Object.values(all).includes(LOCAL) }) },
    [
      {
        ...(id.model === 'AG-UC8' ? { 'CC?': `CC${first?.channel ?? 1}` } : {}),
        ...Object.fromEntries(
          motors.flatMap(
            (m) =>
              [
                [`${m.axis}TS`, `${m.axis}TS1`],
                [`${m.axis}TP`, `${m.axis}TP-1200`],
              ] as const,
          ),
        ),
        [`${at}TS`]: `${at}TS1`,
        PH: 'PH0',
      },
      { [`${name}_state`]: 'stepping', [`${name}_steps`]: -1200, remote: true },
    ],
    Object.fromEntries(motors.map((m) => [`${m.name}_state`, STATES])),
  );
}

function amplitudes(p: Options, id: Id): Poll<L, Kinds, Answers> {
  const { motors } = p;
  const [first] = motors;
  const lines = (m: Pick<Motor, 'axis'>) => [`${m.axis}SU+?`, `${m.axis}SU-?`] as const;
  return reading(
    p,
    id,
    10,
    Object.fromEntries(
      motors.flatMap(
        (m) =>
          [
            [`${m.name}_forward`, '1'],
            [`${m.name}_backward`, '1'],
          ] as const,
      ),
    ),
    lines,
    (m, all) => {
      const [forward, backward] = lines(m).map((line) => value(all, line));
      const size = (n: number | string) => orBad(typeof n === 'number' ? Math.abs(n) : n);
      return { [`${m.name}_forward`]: size(forward), [`${m.name}_backward`]: size(backward) };
    },
    {},
    [
      {
        ...(id.model === 'AG-UC8' ? { 'CC?': `CC${first?.channel ?? 1}` } : {}),
        ...Object.fromEntries(
          motors.flatMap(
            (m) =>
              [
                [lines(m)[0], `${m.axis}SU+16`],
                [lines(m)[1], `${m.axis}SU-20`],
              ] as const,
          ),
        ),
      },
      { [`${first?.name ?? ''}_forward`]: 16, [`${first?.name ?? ''}_backward`]: 20 },
    ],
  );
}

const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => c;
const whole = (n: number, what: string): number => {
  if (Number.isSafeInteger(n)) return n;
  throw new NoReply(`${n} is no whole number of ${what}`);
};
const MOST_STEPS = 2 ** 31 - 1;
const SPEEDS = '1 to 4 forward, -1 to -4 backward: 5, 100, 1700 and 666 steps/s, the 2nd and 3rd of the largest steps; 0 stops';

/** The orders of one motor, by their names behind its own. */
function orders(p: Options, id: Id, m: Motor): Readonly<Record<string, Command<L>>> {
  const line = (act: Actors<L>, here: Here, name: string, n?: number, what = ''): Talk<void> =>
    here.atomic(
      (function* () {
        const text = n === undefined ? name : `${name}${whole(n, what)}`;
        yield* select(act, here, m, p, id);
        yield* carryOut(act, here, `${m.axis}${text}`, p);
      })(),
    );
  const slow = (act: Actors<L>, here: Here, text: string): Talk<void> =>
    here.atomic(
      (function* () {
        yield* select(act, here, m, p, id);
        const { line: there, error = Number.NaN } = yield* act.main.ask({ line: `${m.axis}TP` });
        if (there === undefined) throw new NoReply(`the controller refuses: ${trouble(error)}`);
        const said = yield* act.main.exchange({ line: `${m.axis}${text}`, alone: true }, SLOWEST);
        const n = numberIn(said.line ?? '', `${m.axis}${text.slice(0, 2)}`);
        if (!(n >= 0 && n <= 1000)) throw new Garbled(`"${said.line}" is no position from 0 to 1000`);
        yield* here.give({ [`${m.name}_position`]: n / 1000 });
      })(),
    );
  const steps = `${m.name}_steps`;
  const state = (shows: (v: unknown) => string) => ({ channel: `${m.name}_state`, within: 2, by: 0, shows });
  const amplitude = (sign: '+' | '-', channel: string) =>
    command({
      takes: '1',
      limits: [1, 50],
      talk: (act, n, _index, here) => line(act, here, `SU${sign}`, n, 'amplitude'),
      readback: { channel: `${m.name}_${channel}`, within: 3, by: 0.5 },
      about: `amplitude of the steps ${channel}; 16 after power-up`,
    });
  const all: Record<string, Command<L>> = {
    move: command({
      takes: '1',
      limits: [-MOST_STEPS, MOST_STEPS],
      talk: (act, n, _index, here) => line(act, here, 'PR', n, 'steps'),
      about: 'so many steps from here; a step has no size of its own',
    }),
    to: command({
      takes: '1',
      limits: [-MOST_STEPS, MOST_STEPS],
      talk: (act, n, _index, here) =>
        here.atomic(
          (function* () {
            yield* select(act, here, m, p, id);
            const now = value(yield* asks(act, [`${m.axis}TP`]), `${m.axis}TP`);
            if (typeof now === 'string') throw new NoReply(now);
            yield* carryOut(act, here, `${m.axis}PR${whole(n, 'steps') - now}`, p);
          })(),
        ),
      readback: { channel: steps, within: 120, by: 0.5 },
      about: 'the number of steps on its counter, which is no position: steps differ in size',
    }),
    jog: command({
      takes: '1',
      limits: [-4, 4],
      talk: (act, n, _index, here) => line(act, here, 'JA', n, 'the speeds'),
      readback: state((v) => (v === 0 ? 'ready' : 'jogging')),
      about: SPEEDS,
    }),
    stop: command({ takes: 'nothing', talk: (act, _value, _index, here) => line(act, here, 'ST'), readback: state(() => 'ready') }),
    zero: command({
      takes: 'nothing',
      talk: (act, _value, _index, here) => line(act, here, 'ZP'),
      readback: { channel: steps, within: 3, by: 0.5, shows: () => 0 },
      about: 'its counter to 0; nothing moves',
    }),
    delay: command({
      takes: 's',
      limits: [0, 2],
      talk: (act, seconds, _index, here) => line(act, here, 'DL', Math.round(seconds * 1e5), 'delays'),
      about: 'waits so long between two steps; not known to every controller',
    }),
    forward: amplitude('+', 'forward'),
    backward: amplitude('-', 'backward'),
  };
  if (m.limit_switch)
    Object.assign(all, {
      to_limit: command({
        takes: '1',
        limits: [-4, 4],
        talk: (act, n, _index, here) => line(act, here, 'MV', n, 'the speeds'),
        about: `to its limit switch; ${SPEEDS}`,
      }),
      measure: command({
        takes: 'nothing',
        talk: (act, _value, _index, here) => slow(act, here, 'MA'),
        about: 'to both ends and back, up to two minutes in which nothing else is heard',
      }),
      position: command({
        takes: '1',
        limits: [0, 1],
        talk: (act, part, _index, here) => slow(act, here, `PA${Math.round(part * 1000)}`),
        about: 'part of its travel, by way of both ends; up to two minutes',
      }),
    });
  return Object.fromEntries(Object.entries(all).map(([name, c]) => [`${m.name}_${name}`, c]));
}

const motors = declared(
  'NAME: { axis: 1, channel: 1, limit_switch: off } of each (otherwise axis1 and axis2 of channel 1)',
  (part): readonly Motor[] => {
    const given = part.named('"up_x: { channel: 1, axis: 1 }"').map(([name, one]) => {
      one.only(['channel', 'axis', 'limit_switch'], '"{ channel: 1, axis: 1 }"');
      return {
        name,
        channel: one.at('channel').whole(1, 4, 1),
        axis: one.at('axis').whole(1, 2),
        limit_switch: one.at('limit_switch').flag(false),
      };
    });
    for (const [i, one] of given.entries()) {
      const same = given.slice(0, i).find((m) => m.channel === one.channel && m.axis === one.axis);
      if (same) part.at(one.name).wrong(`is axis ${one.axis} of channel ${one.channel}, and so is ${same.name}`);
    }
    if (part.given && given.length === 0) part.wrong('must have one motor at least, such as "up_x: { channel: 1, axis: 1 }"');
    return given.length > 0 ? given : [1, 2].map((axis) => ({ name: `axis${axis}`, channel: 1, axis, limit_switch: false }));
  },
);

/**
 * Newport Agilis controllers of piezo motors: mirror mounts, stages. Motors have no encoder: a position is a count of steps, whose size
 * differs by direction, load and age. Nothing is selected or put into remote mode on connecting.
 */
export default instrument<L, Options, Id>({
  model: 'Newport Agilis AG-UC2 / AG-UC8',
  source:
    'InstrumentKit newport/agilis.py; QMI newport/ag_uc8.py; qcodes_contrib_drivers Newport/AG_UC8.py; rojasj84/Laser-Heating agilis_control.py; lantz newport/agilis.py (CC?)',
  options: options<Options>({
    motors,
    confirm: word(
      'whether TE goes in one write with each line, or in one of its own (which leaves local mode without a reason)',
      ['together', 'apart'] as const,
      'together',
    ),
  }),
  links: ({ confirm }) => ({ main: agilis(confirm) }),
  pace: 0.005, // QMI: before it hears the next line
  within: 1,
  proof: { main: { ask: (): AgilisAsk => ({ line: 'VE' }), is: (m) => /^AG-/.test(m.line ?? '') } },
  *identify(ask, p) {
    const { line = '' } = yield* ask.main.ask({ line: 'VE' });
    const [, model, firmware] = /^(AG-UC[28])(?:PC)?\s+(?:v|V)?\s*(\S+)$/.exec(line) ?? [];
    if (model === undefined || firmware === undefined) return new Refused(`"${line}" is no AG-UC2 or AG-UC8`);
    const strange = model === 'AG-UC2' ? p.motors.find((m) => m.channel > 1) : undefined;
    if (strange) return new Refused(`an AG-UC2 has channel 1 alone, and ${strange.name} is on channel ${strange.channel}`);
    return { model, firmware };
  },
  body: (p, id) => ({
    polls: [motion(p, id), amplitudes(p, id)],
    gives: Object.fromEntries(p.motors.filter((m) => m.limit_switch).map((m) => [`${m.name}_position`, '1'])),
    known: Object.fromEntries(p.motors.filter((m) => m.limit_switch).map((m) => [`${m.name}_position`, bad('not measured yet')])),
    commands: {
      ...Object.assign({}, ...p.motors.map((m) => orders(p, id, m))),
      remote: command({
        takes: 'flag',
        talk: (act, on, _index, here) => carryOut(act, here, on ? 'MR' : 'ML', p),
        readback: { channel: 'remote', within: 3, by: 0 },
        about: 'on: orders are taken; off: the push buttons act',
      }),
      stop: command({
        takes: 'nothing',
        *talk(act, _value, _index, here) {
          for (const axis of [1, 2]) yield* carryOut(act, here, `${axis}ST`, p);
        },
        about: 'both motors of the channel that is driven; no other can move',
      }),
      reset: command({
        takes: 'nothing',
        *talk(act, _value, _index, here) {
          yield* act.main.send({ line: 'RS', alone: true });
          yield* here.wait(0.05); // QMI: until it hears again
        },
        about: 'as after power-up: local mode, amplitudes 16',
      }),
    },
  }),
});
