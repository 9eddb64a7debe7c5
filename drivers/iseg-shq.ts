import { type IsegError, type IsegTell, isegError, isegExponent, isegNumber, isegShq } from '../protocols/iseg-shq.ts';
import {
  type Actors,
  type Askers,
  type Body,
  bad,
  type Command,
  type Here,
  instrument,
  NoReply,
  Refused,
  type Takes,
  type Talk,
} from '../src/instrument.ts';
import type { Unit } from '../src/units.ts';

type L = { readonly main: ReturnType<typeof isegShq> };
/** A poll of any message. */
type AnyPoll = NonNullable<Body<L>['polls']>[number];
interface Id {
  readonly serial: string;
  readonly firmware: string;
  /** V; A where the unit says it with its unit. */
  readonly volts: number;
  readonly amps?: number;
  readonly count: number;
  /** Decimals of a set voltage. */
  readonly decimals: number;
  /** The command of the current trip (L, LB or LS), and its resolution in A; absent where there is none. */
  readonly trip?: string;
  readonly resolution?: number;
  /** It can be told to change the voltage as soon as it is set. */
  readonly auto: boolean;
}

const ERRORS: Readonly<Record<IsegError, string>> = {
  syntax: '???? (it does not know this command)',
  channel: '?WCN (it has no such channel)',
  timeout: '?TOT (the command came too slowly, and was forgotten)',
  voltage: '? UMAX (beyond the voltage that its switch allows)',
};
const trouble = (answer: string): string | undefined => {
  const { error, most } = isegError(answer) ?? {};
  return error && `the supply answers ${ERRORS[error]}${most === undefined ? '' : `, which is ${most} V`}`;
};

const STATUS: Readonly<Record<string, string>> = {
  ...{ ON: 'on', OFF: 'switched off', MAN: 'manual', ERR: 'limit exceeded', INH: 'inhibited', QUA: 'not settled' },
  ...{ L2H: 'ramping up', H2L: 'ramping down', LAS: 'look at status', TRP: 'tripped' },
};
/** Of the module status, as bits: SHQ manual, and basil iseg_hv. */
const MODULE = { manual: 1, switched_off: 3, kill_enabled: 4, inhibited: 5, limit_exceeded: 6, not_settled: 7 } as const;
const POSITIVE = 2;
const bit = (word: number, n: number): boolean => ((word >> n) & 1) === 1;
const AUTO = 'auto start is on: reading the status would begin the ramp again after a trip; order "auto_start" off';

/** What the answer says; of an error a bad value in words. */
const said = <T>({ answer }: IsegTell, of: (text: string) => T): T | ReturnType<typeof bad> => {
  const wrong = trouble(answer);
  return wrong === undefined ? of(answer.trim()) : bad(wrong);
};
/** "S1=ON" as its word. */
function stateOf(text: string): string | ReturnType<typeof bad> {
  const [, word = ''] = /^S\d=\s*([A-Z0-9]+)\s*$/.exec(text) ?? [];
  return Object.hasOwn(STATUS, word) ? STATUS[word] : bad(`"${text}" is no status`);
}
const code = (text: string, most: number): number | ReturnType<typeof bad> =>
  /^\d{1,3}$/.test(text) && Number(text) <= most ? Number(text) : bad(`"${text}" is none of 0 to ${most}`);
/** "L1=00100" of some firmware is its number. */
const bare = (text: string): string => text.replace(/^[A-Z]+\d=/, '');

function* identify(ask: Askers<L>): Talk<Id | Refused> {
  const { answer } = yield* ask.main.ask('#');
  const [, serial, firmware, volts, amps] =
    /^\s*(\d+)\s*;\s*(\d+\.\d+)\s*;\s*(\d+(?:\.\d+)?)\s*V?\s*;\s*(\d+(?:\.\d+)?\s*(?:[mµu]?A)?)\s*$/.exec(answer) ?? [];
  if (serial === undefined || firmware === undefined || !(Number(volts) > 0) || amps === undefined)
    return new Refused(`"${answer}" is no iseg unit with its number, release, volts and amperes, such as "487412;3.09;2000V;6mA"`);
  const known = function* (question: string): Talk<string | undefined> {
    const tell = yield* ask.main.ask(question);
    return isegError(tell.answer) ? undefined : bare(tell.answer.trim());
  };
  const count = (yield* known('U2')) === undefined ? 1 : 2;
  const set = yield* known('D1');
  if (set === undefined || Number.isNaN(isegNumber(set))) return new Refused(`unit ${serial} does not say its set voltage (D1)`);
  const resolution = isegExponent((yield* known('I1')) ?? '');
  let trip: string | undefined;
  let own: number | undefined;
  for (const command of ['L', 'LB', 'LS']) {
    const value = trip === undefined ? yield* known(`${command}1`) : undefined;
    if (value === undefined || Number.isNaN(isegNumber(value))) continue;
    trip = command;
    own = isegExponent(value) ?? resolution;
  }
  const auto = (yield* known('A1')) !== undefined;
  const full = amperes(amps);
  return {
    ...{ serial, firmware, volts: Number(volts), count, auto },
    decimals: Math.min(3, Math.max(0, -(isegExponent(set) ?? 0))),
    ...(full === undefined ? {} : { amps: full }),
    ...(trip === undefined || own === undefined ? {} : { trip, resolution: Number(`1e${own}`) }),
  };
}

/** "6mA" in A; without its unit it may be anything. */
function amperes(text: string): number | undefined {
  const [, value, prefix] = /^([\d.]+)\s*([mµu]?)A$/.exec(text) ?? [];
  return value === undefined ? undefined : Number(`${value}e${prefix === 'm' ? -3 : prefix === '' ? 0 : -6}`);
}

/** A change, and what the unit has to say against it. */
function* settle(act: Actors<L>, line: string, within?: number): Talk<string> {
  const { answer } = yield* act.main.exchange(line, within);
  const wrong = trouble(answer);
  if (wrong !== undefined) throw new NoReply(`${line}: ${wrong}`);
  return answer.trim();
}

/** Why a start has not begun anything. */
const STILL: Readonly<Record<string, string>> = {
  manual: 'its switch CONTROL stands at manual: orders have no effect',
  'switched off': 'its switch HV-ON is off',
  'look at status': 'a trip, an inhibit or an exceeded limit has switched it off; its cause is in the status, and it can be ordered again',
};

/** A lost answer to the zero does not keep the start from going out: it changes nothing where the zero was not heard, and both go again. */
const SAFE = 3; // s for it
const TURN = 0.6; // s: both commands and their answers, character by character
const go = (act: Actors<L>, here: Here, channel: number, volts: string): Talk<void> =>
  here.atomic(
    (function* () {
      const off = Number(volts) === 0;
      if (!off) {
        const module = code((yield* act.main.ask(`T${channel}`)).answer.trim(), 255);
        if (typeof module === 'number' && bit(module, MODULE.manual)) throw new NoReply(`channel ${channel - 1}: ${STILL.manual}`);
        if (typeof module === 'number' && bit(module, MODULE.switched_off))
          throw new NoReply(`channel ${channel - 1}: ${STILL['switched off']}`);
      }
      if (off && channel > 1) yield* here.wait(TURN); // the other one's come first: a unit hears one command at a time
      let lost: NoReply | undefined;
      try {
        yield* settle(act, `D${channel}=${volts}`, off ? SAFE : undefined);
      } catch (error) {
        if (!off || !(error instanceof NoReply)) throw error;
        lost = error;
      }
      const state = stateOf(yield* settle(act, `G${channel}`));
      if (lost) throw lost;
      const why = typeof state === 'string' ? STILL[state] : state.why;
      if (why !== undefined && !(off && state !== 'manual')) throw new NoReply(`channel ${channel - 1}: ${why}`);
    })(),
  );

const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => c;

/**
 * iseg SHQ, NHQ and EHQ (the old command set with echo) by RS-232, 9600 baud, of one or two channels. Index i of a list is channel i + 1 of
 * the unit. Voltages are ordered as sizes; `voltage` is read with its sign. Nothing switches a channel off but its front panel: 0 V is off.
 */
export default instrument<L, Readonly<Record<string, never>>, Id>({
  model: 'iseg SHQ / NHQ',
  source:
    'iseg SHQ and EHQ operators manuals, RS-232 interface; SiLab-Bonn/basil iseg_hv; legend-exp iSeqControl (NHQ 206L, 226L); BLISS nhq',
  links: { main: isegShq() },
  proof: { main: { ask: () => '#', is: (m) => m.echo === '#' && /^[^;]+;[^;]+;[^;]+;[^;]+$/.test(m.answer) } },
  within: 8, // an answer to "#" with the longest break between characters, 255 ms
  identify,
  body: (_options, { volts, amps, count, decimals, trip, resolution, auto }) => {
    const list = Array.from({ length: count }, (_, n) => n + 1);
    const repeated = <T>(value: T): readonly T[] => list.map(() => value);
    /** One question to each channel. */
    const each = (
      head: string,
      p: Omit<AnyPoll, 'talk' | 'example' | 'read'> & { readonly of: (text: string) => unknown; readonly says: string },
    ): AnyPoll => {
      const { of, says, ...rest } = p;
      const [channel = ''] = Object.keys(p.gives);
      const read = (tells: readonly IsegTell[]) => ({ [channel]: tells.map((tell) => said(tell, of)) });
      const example = list.map((n) => ({ echo: `${head}${n}`, answer: says.replaceAll('#', String(n)) }));
      return {
        ...rest,
        talk: (askers) => asked(askers, head),
        read: read as AnyPoll['read'],
        example: [example, { [channel]: repeated(of(says.replaceAll('#', '1'))) } as never], // one value of its kind for each channel
      };
    };
    function* asked(askers: Askers<L>, head: string): Talk<readonly IsegTell[]> {
      const all: IsegTell[] = [];
      for (const n of list) all.push(yield* askers.main.ask(`${head}${n}`));
      return all;
    }
    const amount = (head: string, channel: string, unit: Unit, every: number, says: string, span: readonly [number, number]): AnyPoll =>
      each(head, { every, gives: { [channel]: unit }, of: (text) => isegNumber(bare(text)), says, span: { [channel]: span } });
    const percent = (head: string, channel: string, unit: Unit, full: number): AnyPoll =>
      each(head, { every: 20, gives: { [channel]: unit }, of: (text) => (isegNumber(text) * full) / 100, says: '050' });

    const module: AnyPoll = {
      every: 2,
      gives: { polarity: 'state', ...Object.fromEntries(Object.keys(MODULE).map((name) => [name, 'flag' as const])) },
      talk: (askers) => asked(askers, 'T'),
      read: (tells: readonly IsegTell[]) => {
        const words = tells.map((tell) => said(tell, (text) => code(text, 255)));
        const of = <T>(what: (word: number) => T) => words.map((word) => (typeof word === 'number' ? what(word) : word));
        return {
          polarity: of((word) => (bit(word, POSITIVE) ? 'positive' : 'negative')),
          ...Object.fromEntries(Object.entries(MODULE).map(([name, n]) => [name, of((word) => bit(word, n))])),
        };
      },
      example: [
        list.map((n) => ({ echo: `T${n}`, answer: '022' })),
        {
          ...{ polarity: repeated('positive'), manual: repeated(true), switched_off: repeated(false), kill_enabled: repeated(true) },
          ...{ inhibited: repeated(false), limit_exceeded: repeated(false), not_settled: repeated(false) },
        },
      ],
      words: { polarity: ['positive', 'negative'] },
    };
    /** Reading S lets go of what is latched, and where auto start is on the ramp begins again then: it is not read there. */
    const status: AnyPoll = {
      every: 2,
      gives: { status: 'state', ...(auto ? { auto_start: 'flag' as const } : {}) },
      *talk(askers) {
        const all: { start?: IsegTell; status?: IsegTell }[] = [];
        for (const n of list) {
          const start = auto ? yield* askers.main.ask(`A${n}`) : undefined;
          const idle = !start || /^0+$/.test(bare(start.answer.trim()));
          all.push({ ...(start ? { start } : {}), ...(idle ? { status: yield* askers.main.ask(`S${n}`) } : {}) });
        }
        return all;
      },
      read: (all: readonly { readonly start?: IsegTell; readonly status?: IsegTell }[]) => ({
        status: all.map((one) => (one.status ? said(one.status, stateOf) : bad(AUTO))),
        ...(auto ? { auto_start: all.map(({ start }) => (start ? said(start, onOff) : bad('not asked'))) } : {}),
      }),
      example: [
        list.map((n) => ({ ...(auto ? { start: { echo: `A${n}`, answer: '000' } } : {}), status: { echo: `S${n}`, answer: `S${n}=L2H` } })),
        { status: repeated('ramping up'), ...(auto ? { auto_start: repeated(false) } : {}) },
      ],
      words: { status: Object.values(STATUS) },
    };
    const largest = amps ?? 0.1; // none of them gives 100 mA
    return {
      polls: [
        amount('U', 'voltage', 'V', 1, '+05000-01', [-1.2 * volts, 1.2 * volts]),
        amount('I', 'current', 'A', 1, '00123-07', [-0.05 * largest, 2 * largest]),
        status,
        amount('D', 'set_voltage', 'V', 2, '05000-01', [0, 1.2 * volts]),
        module,
        amount('V', 'ramp_rate', 'V/s', 5, '100', [0, 255]),
        ...(trip === undefined ? [] : [amount(trip, 'current_trip', 'A', 5, '00100-06', [0, 2 * largest])]),
        percent('M', 'voltage_limit', 'V', volts),
        ...(amps === undefined ? [] : [percent('N', 'current_limit', 'A', amps)]),
        {
          every: 20,
          gives: { answer_delay: 's' },
          talk: (askers) => askers.main.ask('W'),
          read: (m: IsegTell) => ({ answer_delay: said(m, (text) => isegNumber(text) / 1000) }),
          example: [{ echo: 'W', answer: '003' }, { answer_delay: 0.003 }],
        },
      ],
      commands: {
        voltage: command({
          takes: 'V',
          count,
          limits: [0, volts],
          safe: 0,
          talk: (act, value, channel, here) => go(act, here, channel + 1, value.toFixed(decimals)),
          readback: { channel: 'set_voltage', within: 12, by: Math.max(10 ** -decimals, volts / 10_000) },
          about: 'size of the voltage, to which the channel goes at its ramp rate',
        }),
        ramp_rate: command({
          takes: 'V/s',
          count,
          limits: [2, 255],
          *talk(act, rate, channel) {
            yield* settle(act, `V${channel + 1}=${Math.floor(rate)}`);
          },
          readback: { channel: 'ramp_rate', within: 12, by: 1 },
          about: 'whole V/s, never faster than this is ordered',
        }),
        ...(trip === undefined || resolution === undefined
          ? {}
          : {
              current_trip: command({
                takes: 'A',
                count,
                limits: [0, Math.min(largest, 99_999 * resolution)],
                *talk(act, current, channel) {
                  yield* settle(act, `${trip}${channel + 1}=${Math.round(current / resolution)}`);
                },
                readback: { channel: 'current_trip', within: 12, by: 0.51 * resolution },
                about: 'current at which the channel is switched off at once; 0: none',
              }),
            }),
        ...(auto
          ? {
              auto_start: command({
                takes: 'flag',
                count,
                *talk(act, on, channel) {
                  yield* settle(act, `A${channel + 1}=${on ? 8 : 0}`);
                },
                readback: { channel: 'auto_start', within: 12, by: 0 },
                about: 'on: a set voltage is gone to at once, also when the status is read after a trip; better off',
              }),
            }
          : {}),
        answer_delay: command({
          takes: 's',
          limits: [0.001, 0.255],
          *talk(act, seconds) {
            yield* settle(act, `W=${Math.round(1000 * seconds)}`);
          },
          readback: { channel: 'answer_delay', within: 25, by: 5e-4 },
          about: 'break between two characters of an answer; some units wake up with the longest one, and are slow then',
        }),
      },
    };
  },
});

const onOff = (text: string): boolean | ReturnType<typeof bad> => {
  const value = bare(text);
  return /^0*8$/.test(value) ? true : /^0+$/.test(value) ? false : bad(`"${text}" is neither 8 nor 0`);
};
