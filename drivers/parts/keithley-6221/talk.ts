/** What all parts of the Keithley 6221's driver say and read: settings, errors, what ends a current, the meter at the relay. */
import { errorQueue, keithleyFlag, keithleyNumber, statusWord } from '../../../protocols/keithley.ts';
import { errorEntry, type scpi, splitReplies } from '../../../protocols/scpi.ts';
import {
  type Actor,
  type Actors,
  type Askers,
  answered,
  bad,
  type Command,
  drained,
  type Field,
  type Here,
  NoReply,
  type Poll,
  Refused,
  type Takes,
  type Talk,
} from '../../../src/instrument.ts';
import type { Unit } from '../../../src/units.ts';

export type L = { readonly main: ReturnType<typeof scpi> };
export interface Options {
  readonly terminator: string;
  readonly meter: 'none' | 'relay';
  readonly relay_wait: number;
}
export interface Id {
  readonly model: string;
  readonly serial: string;
  readonly firmware: string;
}

export const MOST = 0.105; // A, manual section 3
export const BUFFER = 65_536; // readings, manual section 6
export const ENDLESS_COUNT = /^\+?(9\.90*E\+?37|INF.*)$/i;
export const CHUNK = 24; // readings in one reply: at 19200 baud a safe order waits 0.8 s for none of them
export const CHUNKS = 10; // replies in one poll
const ENTER = ':OUTP?;:SYST:COMM:SER:ENT?'; // never empty, whatever the meter has said

export const relayWait: Field<number> = {
  about: 'seconds between a question to the meter at the relay and its answer (0.02 to 5, otherwise 0.15)',
  of(yaml) {
    const value = yaml ?? 0.15;
    return typeof value === 'number' && value >= 0.02 && value <= 5 ? value : new Refused('must be a number of seconds from 0.02 to 5');
  },
};

const said = <T>(value: T | string) => (typeof value === 'string' ? bad(value) : value);
export const flag = (text: string) => said(keithleyFlag(text));
export const number = (text: string) => said(keithleyNumber(text));
const bit = (text: string, n: number) => {
  const value = statusWord(text);
  return typeof value === 'string' ? bad(value) : (value & (1 << n)) !== 0;
};
/** Bit n of an event register and of its condition register. */
export const either = (event: string, now: string, n: number) => {
  const [a, b] = [bit(event, n), bit(now, n)];
  return typeof a === 'boolean' && typeof b === 'boolean' ? a || b : typeof a === 'boolean' ? b : a;
};
export const oneOf = (words: Readonly<Record<string, string>>, text: string) => words[text] ?? bad(`"${text}" is not known here`);
export const SHIELD = { OLOW: 'output low', GUAR: 'guard' };
export const WAVES = { SIN: 'sine', SQU: 'square', RAMP: 'ramp', ARB0: 'arb0', ARB1: 'arb1', ARB2: 'arb2', ARB3: 'arb3', ARB4: 'arb4' };
export const named = (words: Readonly<Record<string, string>>, wanted: string): string =>
  Object.keys(words).find((key) => words[key] === wanted) ?? wanted;

/** Answers to questions joined by ";". */
export const answers = (reply: string, n: number): readonly string[] => answered(splitReplies(reply), n);
/** A number that an order depends on. */
export function sure(text: string, what: string): number {
  const value = keithleyNumber(text);
  if (typeof value === 'string') throw new NoReply(`${what}: ${value}`);
  return value;
}

export const errors: Poll<L, { readonly error: 'state' }, readonly string[]> = {
  every: 2,
  gives: { error: 'state' },
  talk: (ask) =>
    drained(
      () => ask.main.ask(':STAT:QUE:NEXT?'),
      (entry) => errorEntry(entry)?.code === 0,
      11,
    ),
  read: (entries) => ({ error: errorQueue(entries) }),
  example: [['-222,"Parameter data out of range"'], { error: '-222 Parameter data out of range' }],
};

export function* identify(ask: Askers<L>): Talk<Id | Refused> {
  const idn = (yield* ask.main.ask('*IDN?')).trim();
  const [maker = '', model = '', serial = '', firmware = ''] = idn.split(',').map((part) => part.trim());
  if (!/keithley/i.test(maker) || !/\b622[01]\b/.test(model)) return new Refused(`"${idn}" is no Keithley 6220 or 6221`);
  return { model: model.replace(/^MODEL\s*/i, ''), serial, firmware };
}

export const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => c;
export const amount = (
  takes: Unit,
  limits: readonly [number, number],
  head: string,
  channel: string,
  about?: string,
): Command<L, Unit> => ({
  takes,
  limits,
  talk: (act, value) => act.main.send(`${head} ${value.toExponential(6)}`),
  readback: { channel, within: 5, by: 2e-6 * limits[1] },
  about,
});
export const onOff = (head: string, channel: string, about?: string): Command<L, 'flag'> => ({
  takes: 'flag',
  talk: (act, on) => act.main.send(`${head} ${on ? 1 : 0}`),
  readback: { channel, within: 7, by: 0 },
  about,
});

/** Everything that could let a current flow is ended; none of it waits for an answer. */
export function* off(act: Actors<L>): Talk<void> {
  yield* act.main.send(':OUTP 0');
  yield* act.main.send(':SOUR:SWE:ABOR');
  yield* act.main.send(':OUTP 0');
}

/** What is armed or on, as a reason not to begin something else. */
export function* idle(act: Actors<L>, waves: boolean): Talk<void> {
  const questions = [':OUTP?', ':SOUR:DELT:ARM?', ...(waves ? [':SOUR:WAVE:ARM?'] : [])];
  const [on, delta, wave] = answers(yield* act.main.ask(questions.join(';')), questions.length);
  if (on !== '0') throw new NoReply('the output is on: order output off first, so that no current jumps');
  if (delta !== '0') throw new NoReply('a delta measurement is armed: order delta off first');
  if (wave === '1') throw new NoReply('a wave is armed: order wave off first');
}
export const NO_METER =
  'no 2182A at the relay: it must be on, its RS-232 chosen at 19200 baud with flow control off, and its null-modem and trigger-link cables in place';
export function* present(act: Actors<L>): Talk<void> {
  const there = yield* act.main.ask(':SOUR:DELT:NVPR?', 5);
  if (there !== '1') throw new NoReply(NO_METER);
}

/** A line to the meter at the relay; its answer, where one is wanted. Blank characters and flow control around it are the line's, not its own. */
export function relayed(act: { readonly main: Actor<string, string> }, line: string, wait: number | undefined, here: Here): Talk<string> {
  return here.atomic(
    (function* () {
      yield* act.main.send(`:SYST:COMM:SER:SEND "${line.replaceAll('"', '""')}"`);
      if (wait === undefined) return '';
      yield* here.wait(wait);
      return entered(yield* act.main.ask(ENTER));
    })(),
  );
}
export function entered(reply: string): string {
  const at = reply.indexOf(';');
  const text = reply
    .slice(at + 1)
    .replace(/[\x11\x13]/g, '')
    .trim();
  if (at < 0 || text === '') throw new NoReply('the meter at the relay does not answer');
  return text;
}
export const query = (line: string): string => `:SYST:COMM:SER:SEND "${line}";${ENTER}`;
