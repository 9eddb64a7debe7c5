import { concat, type Protocol } from './protocol.ts';
import { direction } from './text.ts';
import { Unsendable, whole } from './unsendable.ts';

/** MON reads, SET changes, INFO describes (803x alone). */
export type CaenVerb = 'MON' | 'SET' | 'INFO';
export interface CaenAsk {
  /** Address of the board; absent in the form without one (DT55xxE, 803x). */
  readonly board?: number;
  readonly verb: CaenVerb;
  /** Absent: a parameter of the board. */
  readonly channel?: number;
  readonly par: string;
  readonly value?: string;
}

/** What the unit finds wrong: the command, the channel, the parameter, the value, or that it is in LOCAL mode. */
export const CAEN_ERRORS = ['CMD', 'CH', 'PAR', 'VAL', 'LOC'] as const;
export type CaenError = (typeof CAEN_ERRORS)[number];
export type CaenTell = { readonly board?: number } & (
  | { readonly ok: true; readonly values?: readonly string[] }
  | { readonly ok: false; readonly error: CaenError }
);

const MAX = 1024; // characters; the longest reply is a list of parameters, with about 400
const VERBS: readonly string[] = ['MON', 'SET', 'INFO'];

const address = (board: number | undefined): string =>
  board === undefined ? '' : `BD:${String(whole('board', board, 99)).padStart(2, '0')},`;

/** "$BD:00,CMD:MON,CH:0,PAR:VMON", or without the BD field. Throws Unsendable for a field that would end itself. */
export function caenAsk({ board, verb, channel, par, value }: CaenAsk): string {
  for (const field of [par, value ?? ''])
    if (!/^[\x21-\x2b\x2d-\x7e]*$/.test(field)) throw new Unsendable(`"${field}" cannot stand in a field of a CAEN command`);
  const ch = channel === undefined ? '' : `CH:${whole('channel', channel, 999)},`;
  return `$${address(board)}CMD:${verb},${ch}PAR:${par}${value === undefined ? '' : `,VAL:${value}`}`;
}

/** What a command asks for; undefined where it is none. Fields come in any order, names in any case. */
export function readCaenAsk(line: string): CaenAsk | undefined {
  const all = line.startsWith('$') ? fields(line.slice(1)) : undefined;
  const verb = all?.get('CMD')?.toUpperCase();
  const par = all?.get('PAR');
  if (!all || verb === undefined || !VERBS.includes(verb) || par === undefined || par === '') return undefined;
  const [board, channel] = [number(all.get('BD')), number(all.get('CH'))];
  if (Number.isNaN(board) || Number.isNaN(channel)) return undefined;
  const value = all.get('VAL');
  return {
    ...(board === undefined ? {} : { board }),
    verb: verb as CaenVerb, // one of the three, as has been seen
    ...(channel === undefined ? {} : { channel }),
    par,
    ...(value === undefined ? {} : { value }),
  };
}

/** "#BD:00,CMD:OK,VAL:0100.0", "#CMD:OK", "#BD:00,LOC:ERR". */
export function caenTell(tell: CaenTell): string {
  const head = `#${address(tell.board)}`;
  if (!tell.ok) return `${head}${tell.error}:ERR`;
  return `${head}CMD:OK${tell.values === undefined ? '' : `,VAL:${tell.values.join(';')}`}`;
}

/** A reply by its parts, the values of several channels one by one; undefined where it is none. A semicolon behind the last one (DT55xxE) is no value. */
export function readCaenTell(line: string): CaenTell | undefined {
  const [, bd, head = '', result, , values] = /^#(?:BD:(\d{1,2}),)?([A-Z]+):(OK|ERR)(,VAL:(.*))?$/.exec(line) ?? [];
  const at = bd === undefined ? {} : { board: Number(bd) };
  if (result === 'ERR') {
    const error = values === undefined ? CAEN_ERRORS.find((e) => e === head) : undefined;
    return error && { ...at, ok: false, error };
  }
  if (result !== 'OK' || head !== 'CMD') return undefined;
  return { ...at, ok: true, ...(values === undefined ? {} : { values: values.replace(/;\s*$/, '').split(';') }) };
}

function fields(text: string): ReadonlyMap<string, string> | undefined {
  const all = new Map<string, string>();
  for (const part of text.split(',')) {
    const at = part.indexOf(':');
    const name = part.slice(0, Math.max(at, 0)).trim().toUpperCase();
    if (name === '' || all.has(name)) return undefined;
    all.set(name, part.slice(at + 1).trim());
  }
  return all;
}
const number = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;

/**
 * CAEN high-voltage supplies: lines of fields that end with CR LF. A question may be two lines, the same in both forms of address: one of them
 * is answered with a value. With `boards` every question and reply carries the address of a board, so
 * that several share a line. Sources: N1470 family user manual, "USB - RS485 Communication Protocol"; DT55xxE and 803x user manuals,
 * "Communication Protocol".
 */
export function caenHv({ boards = false }: { readonly boards?: boolean } = {}): Protocol<string, string> {
  const ends = { terminator: ['\r\n', '\r', '\n'], max: MAX };
  const one = direction(ends);
  return {
    asks: { encode: (q) => concat(...q.split('\r\n').map(one.encode)), decoder: one.decoder },
    tells: direction(ends),
    resync: Uint8Array.of(0x0d, 0x0a),
    ...(boards ? { apart: 'unit' as const, unit: (q: string) => readCaenAsk(q)?.board ?? '' } : {}),
    fits(reply, question) {
      if (reply.startsWith('$')) return 'unasked'; // an echo
      const [told, asked] = [readCaenTell(reply), readCaenAsk(question)];
      if (!told) return 'answer'; // what it says must be looked at
      // Of two forms one is no command of this unit's.
      if (question.includes('\r\n')) return told.ok && told.values !== undefined ? 'answer' : 'late';
      if (!asked) return 'answer';
      if (told.board !== asked.board) return 'unasked';
      // What reading cannot get: no value, and errors of settings.
      const late = told.ok ? told.values === undefined : told.error === 'LOC' || told.error === 'VAL';
      return late && asked.verb === 'MON' ? 'late' : 'answer';
    },
  };
}
