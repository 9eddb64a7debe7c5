import { genesys, genesysError } from '../protocols/genesys.ts';
import { decimal } from '../protocols/text.ts';
import {
  type Actors,
  type Askers,
  type Body,
  bad,
  type Command,
  type Field,
  Garbled,
  type Here,
  instrument,
  NoReply,
  options,
  poll,
  Refused,
  type Takes,
  type Talk,
  whole,
} from '../src/instrument.ts';
import type { Unit } from '../src/units.ts';

type L = { readonly main: ReturnType<typeof genesys> };
/** A poll of any message. */
type AnyPoll = NonNullable<Body<L>['polls']>[number];
interface Options {
  readonly address: number;
  readonly shared: boolean;
  readonly checksum: boolean;
}
interface Id {
  readonly model: string;
  /** V and A. */
  readonly rated: readonly [number, number];
  readonly serial: string;
  readonly firmware: string;
  /** The questions that this supply knows, of those that not every one does. */
  readonly knows: readonly string[];
}

/** Genesys user manual, tables 7-1 and 7-2. */
const ERRORS: Readonly<Record<string, string>> = {
  C01: 'illegal command',
  C02: 'missing parameter',
  C03: 'illegal parameter',
  C04: 'checksum error',
  C05: 'setting out of range',
  E01: 'voltage above the range, or above 95 % of the over-voltage setting',
  E02: 'voltage below the under-voltage limit',
  E04: 'over-voltage setting below 105 % of the voltage',
  E06: 'under-voltage limit above the voltage',
  E07: 'output on during a fault shut-down',
};
const trouble = (code: string): string => `the supply answers ${code} (${ERRORS[code] ?? 'unknown'})`;

/** Fault and status registers, tables 7-7 and 7-8: bit 0 first. */
const FAULTS = ['', 'AC fail', 'over-temperature', 'foldback', 'over-voltage', 'shut-off (rear)', 'output off (front)', 'enable open'];
const STATUS = { constant_voltage: 0, constant_current: 1, fault: 3, local: 7 } as const;

/** What an answer says; for an error a bad value in words. */
const said = <T>(reply: string, of: (text: string) => T) => {
  const code = genesysError(reply);
  return code === undefined ? of(reply.trim()) : bad(trouble(code));
};
const onOff = (text: string) => (/^(ON|1)$/i.test(text) ? true : /^(OFF|0)$/i.test(text) ? false : bad(`"${text}" is neither ON nor OFF`));

/** "MV(45.201),PV(45),MC(4.3257),PC(10),SR(30),FR(00)" by its names. */
function fields(reply: string): Readonly<Record<string, string>> {
  const found = Object.fromEntries([...reply.matchAll(/([A-Z]{2})\(([^)]*)\)/g)].map(([, name = '', value = '']) => [name, value]));
  const missing = ['MV', 'PV', 'MC', 'PC', 'SR', 'FR'].filter((name) => found[name] === undefined);
  if (missing.length > 0) throw new Error(`no ${missing.join(', ')} in "${reply}"`);
  return found;
}
function register(digits: string): number {
  if (!/^[0-9A-F]{2}$/i.test(digits)) throw new Error(`"${digits}" is no register of two hexadecimal digits`);
  return Number.parseInt(digits, 16);
}
const bit = (word: number, n: number): boolean => ((word >> n) & 1) === 1;
const faultsOf = (word: number): string => FAULTS.filter((name, n) => name !== '' && bit(word, n)).join(', ') || 'none';

const flag: (about: string) => Field<boolean> = (about) => ({
  about: `${about} (true | false, otherwise false)`,
  of: (yaml) => (yaml === undefined || typeof yaml === 'boolean' ? (yaml ?? false) : new Refused('must be true or false')),
});

/** A question to this supply: on a shared line it begins with its address. */
const to = ({ address, shared }: Options, question: string): string => (shared ? `ADR ${address}\r${question}` : question);

function* settle(act: Actors<L>, line: string, within?: number): Talk<void> {
  let code = genesysError(yield* act.main.exchange(line, within));
  if (code === 'E02' && Number(line.split(' ')[1]) === 0) {
    // No under-voltage limit stands in the way of zero.
    yield* act.main.exchange('UVL 0');
    code = genesysError(yield* act.main.exchange(line));
  }
  if (code !== undefined) throw new Refusal(`the supply refuses ${line}: ${code} (${ERRORS[code] ?? 'unknown'})`);
}
class Refusal extends NoReply {}

/** A step of its own that may go unanswered. */
function* unheard(talk: Talk<unknown>): Talk<boolean> {
  try {
    yield* talk;
    return false;
  } catch (error) {
    if (!(error instanceof NoReply) || error instanceof Refusal) throw error;
    return true;
  }
}

/**
 * After a power cut the supply hears nothing before its address, so an order begins with it; that moves no output, and where it is not
 * confirmed the order goes out all the same. A safe one waits for nothing where the line has no other supply: its own bytes come first.
 */
const order = (act: Actors<L>, here: Here, { address, shared }: Options, line: string, safe = false): Talk<void> =>
  here.atomic(
    (function* () {
      if (safe && !shared && !(yield* unheard(settle(act, line, 0.5)))) return;
      yield* unheard(act.main.exchange(`ADR ${address}`, 0.5));
      yield* settle(act, line);
    })(),
  );

/** What not every supply knows, asked once: one that answers C01 has it not. */
const SPECIAL = ['STT?', 'MODE?', 'RMT?', 'OVP?', 'UVL?', 'FLD?', 'FBD?', 'AST?'] as const;

function* identify(ask: Askers<L>, p: Options): Talk<Id | Refused> {
  const name = (yield* ask.main.ask(to(p, 'IDN?'))).trim();
  const [, model = '', volts = '', amps = ''] =
    /^(?:TDK-?|NEMIC-?)?LAMBDA\s*,\s*(G(?:EN)?[A-Z]*\s?(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)\S*)$/i.exec(name) ?? [];
  const rated = [decimal(volts), decimal(amps)] as const;
  if (!(rated[0] > 0 && rated[1] > 0))
    return new Refused(`"${name}" is no TDK-Lambda Genesys with its volts and amperes, such as "LAMBDA,GEN60-12.5"`);
  const firmware = yield* ask.main.ask(to(p, 'REV?'));
  const serial = yield* ask.main.ask(to(p, 'SN?'));
  const plain = (text: string): string => (genesysError(text) === undefined ? text.trim() : 'unknown');
  const knows: string[] = [];
  for (const question of SPECIAL) if (genesysError(yield* ask.main.ask(to(p, question))) === undefined) knows.push(question);
  return { model, rated, serial: plain(serial), firmware: plain(firmware), knows };
}

interface Row {
  readonly every: number;
  readonly span: readonly [number, number];
  readonly example: readonly [string, number];
  readonly si?: (shown: number) => number;
}
const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => c;

/**
 * TDK-Lambda Genesys power supplies by RS-232, RS-485 or TCP. In local mode (RMT? says LOC) the front panel sets the output and the
 * channel "local" is on; nothing takes the supply to remote but the order "remote" and the supply's own answer to a setting. Connecting
 * sends `ADR n`, which selects and changes nothing. Where other supplies hang on the same line, `shared: true` sends the address with each
 * question; a rig takes one supply of a line, because a reply does not say whose it is.
 */
export default instrument<L, Options, Id>({
  model: 'TDK-Lambda Genesys',
  source: 'pymeasure instruments/tdk/tdk_base.py (GEN40-38, GEN80-65); Genesys user manual 83-507-013 and 83-503-001, 7.5 to 7.11',
  options: options<Options>({
    address: whole('address of the supply', 0, 30, 6),
    shared: flag('several supplies share the line: each question is sent with its address'),
    checksum: flag('questions and replies carry "$" and a checksum'),
  }),
  links: ({ checksum }) => ({ main: genesys({ checksum }) }),
  pace: 0.02,
  // ADR is the one order of the polls' line: no question is answered with OK. After a power cut nothing else is heard.
  proof: (p) => ({
    main: p.shared ? { ask: () => to(p, 'IDN?'), is: (m) => /LAMBDA/i.test(m) } : { ask: () => `ADR ${p.address}`, is: (m) => m === 'OK' },
  }),
  identify,
  body: (p, { rated: [volts, amps], knows }) => {
    const amount = (question: string, channel: string, unit: Unit, { every, si = (n) => n, span, example: [reply, means] }: Row) =>
      poll<L, Readonly<Record<string, Unit>>>({
        ask: to(p, question),
        every,
        gives: { [channel]: unit },
        read: (m) => ({ [channel]: said(m, (text) => si(decimal(text))) }),
        example: [reply, { [channel]: means }],
        span: { [channel]: span },
      });
    const either = (question: string, channel: string, every: number) =>
      poll<L, Readonly<Record<string, 'flag'>>>({
        ask: to(p, question),
        every,
        gives: { [channel]: 'flag' },
        read: (m) => ({ [channel]: said(m, onOff) }),
        example: ['ON', { [channel]: true }],
      });
    const V = { every: 0.5, span: [-0.05 * volts, 1.3 * volts] } as const;
    const A = { every: 0.5, span: [-0.05 * amps, 1.3 * amps] } as const;
    const all = poll<
      L,
      { voltage: 'V'; set_voltage: 'V'; current: 'A'; set_current: 'A'; faults: 'state' } & { [N in keyof typeof STATUS]: 'flag' }
    >({
      ask: to(p, 'STT?'),
      every: 0.5,
      gives: {
        ...{ voltage: 'V', set_voltage: 'V', current: 'A', set_current: 'A', faults: 'state' },
        ...{ constant_voltage: 'flag', constant_current: 'flag', fault: 'flag', local: 'flag' },
      },
      read: (m) => {
        const code = genesysError(m);
        if (code !== undefined) throw new Garbled(trouble(code));
        const { MV, PV, MC, PC, SR, FR } = fields(m);
        const status = register(SR);
        const faults = register(FR);
        return {
          ...{ voltage: decimal(MV), set_voltage: decimal(PV), current: decimal(MC), set_current: decimal(PC) },
          ...{ constant_voltage: bit(status, STATUS.constant_voltage), constant_current: bit(status, STATUS.constant_current) },
          // The register's own fault bit is set only where faults have been enabled (FENA).
          ...{ fault: bit(status, STATUS.fault) || faults !== 0, local: bit(status, STATUS.local), faults: faultsOf(faults) },
        };
      },
      example: [
        'MV(45.201),PV(45),MC(4.3257),PC(10),SR(30),FR(00)',
        {
          ...{ voltage: 45.201, set_voltage: 45, current: 4.3257, set_current: 10, faults: 'none' },
          ...{ constant_voltage: false, constant_current: false, fault: false, local: false },
        },
      ],
      span: { voltage: V.span, set_voltage: V.span, current: A.span, set_current: A.span },
    });
    const single = [
      amount('MV?', 'voltage', 'V', { ...V, example: ['01.150', 1.15] }),
      amount('MC?', 'current', 'A', { ...A, example: ['0.5432', 0.5432] }),
      amount('PV?', 'set_voltage', 'V', { ...V, example: ['012.00', 12] }),
      amount('PC?', 'set_current', 'A', { ...A, example: ['10', 10] }),
    ];
    const special: Readonly<Record<string, AnyPoll>> = {
      'MODE?': poll<L, { mode: 'state' }>({
        ask: to(p, 'MODE?'),
        every: 1,
        gives: { mode: 'state' },
        read: (m) => ({ mode: said(m, (text) => (/^(CV|CC|OFF)$/.test(text) ? text : bad(`"${text}" is no mode`))) }),
        example: ['CV', { mode: 'CV' }],
        words: { mode: ['CV', 'CC', 'OFF'] },
      }),
      'RMT?': poll<L, { remote: 'state' }>({
        ask: to(p, 'RMT?'),
        every: 2,
        gives: { remote: 'state' },
        read: (m) => ({ remote: said(m, (text) => (/^(LOC|REM|LLO)$/.test(text) ? text : bad(`"${text}" is no mode`))) }),
        example: ['REM', { remote: 'REM' }],
        words: { remote: ['LOC', 'REM', 'LLO'] },
      }),
      'OVP?': amount('OVP?', 'over_voltage', 'V', { every: 5, span: [0, 1.5 * volts + 5], example: ['7.5', 7.5] }),
      'UVL?': amount('UVL?', 'under_voltage', 'V', { every: 5, span: [0, 1.1 * volts], example: ['0.5', 0.5] }),
      'FLD?': either('FLD?', 'foldback', 5),
      'FBD?': amount('FBD?', 'foldback_delay', 's', { every: 20, si: (n) => n / 10, span: [0, 25.5], example: ['20', 2] }),
      'AST?': either('AST?', 'auto_restart', 5),
    };
    const set = (word: string, takes: Unit, channel: string, most: number, about: string): Command<L, Unit> => ({
      takes,
      limits: [0, most],
      talk: (act, value, _index, here) => order(act, here, p, `${word} ${value.toFixed(3)}`, value === 0),
      readback: { channel, within: 3, by: Math.max(0.0006, most / 2000) }, // some models set in steps of 0.01 V or A
      about,
    });
    const turn = (word: string, channel: string, about: string, within = 7): Command<L, 'flag'> => ({
      takes: 'flag',
      talk: (act, on, _index, here) => order(act, here, p, `${word} ${on ? 'ON' : 'OFF'}`, !on),
      readback: { channel, within, by: 0 },
      about,
    });
    const optional: Readonly<Record<string, Readonly<Record<string, Command<L, Takes>>>>> = {
      'RMT?': {
        remote: command({
          takes: 'state',
          words: ['LOC', 'REM', 'LLO'],
          talk: (act, mode, _index, here) => order(act, here, p, `RMT ${mode}`),
          readback: { channel: 'remote', within: 4, by: 0 },
          about: 'LOC: the front panel sets; REM: the line sets; LLO: the panel is locked out',
        }),
      },
      'OVP?': { over_voltage: set('OVP', 'V', 'over_voltage', 1.25 * volts, 'over-voltage protection; at least 105 % of the set voltage') },
      'UVL?': { under_voltage: set('UVL', 'V', 'under_voltage', 0.95 * volts, 'no voltage is set below it') },
      'FLD?': { foldback: turn('FLD', 'foldback', 'shuts the output off when it comes to its current limit') },
      'FBD?': {
        foldback_delay: command({
          takes: 's',
          limits: [0, 25.5],
          talk: (act, seconds, _index, here) => order(act, here, p, `FBD ${Math.round(10 * seconds)}`),
          readback: { channel: 'foldback_delay', within: 25, by: 0.051 },
          about: 'beside the 0.25 s that foldback always waits',
        }),
      },
      'AST?': { auto_restart: turn('AST', 'auto_restart', 'output on again by itself after a power cut') },
    };
    const known = <T>(table: Readonly<Record<string, T>>): T[] => knows.flatMap((q) => (table[q] === undefined ? [] : [table[q]]));
    return {
      polls: [...(knows.includes('STT?') ? [all] : single), either('OUT?', 'output', 0.5), ...known(special)],
      commands: {
        output: command({ ...turn('OUT', 'output', 'output on or off', 3), safe: false }),
        voltage: command<Unit>({ ...set('PV', 'V', 'set_voltage', volts, 'set voltage'), safe: 0 }),
        current: command<Unit>({ ...set('PC', 'A', 'set_current', amps, 'current limit'), safe: 0 }),
        clear: command({
          takes: 'nothing',
          talk: (act, _value, _index, here) => order(act, here, p, 'CLS'),
          about: 'clears the registers of past faults',
        }),
        ...Object.assign({}, ...known(optional)),
      },
    };
  },
});
