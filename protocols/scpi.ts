import { blocks, openEnded, splitAt } from './block.ts';
import type { Protocol } from './protocol.ts';
import { direction, type TextOptions } from './text.ts';

export { block, encodeBlock } from './block.ts';

export interface ScpiOptions extends TextOptions {
  /** The most bytes of block data in one message; 16 MiB unless given. */
  readonly maxBlock?: number;
  /** The instrument repeats a question's header before the answer, so that a late reply can be told from the right one. */
  readonly echo?: boolean;
}

/**
 * SCPI messages as Latin-1 strings, blocks and all, in both directions; a single string is the terminator of both. Faults are those
 * of `lines`. Without `echo` nothing tells replies apart; with it the header of the first query in the question decides.
 */
export function scpi(options: string | ScpiOptions = {}): Protocol<string, string> {
  const given: ScpiOptions = typeof options === 'string' ? { ask: options, tell: options } : options;
  const { ask, tell, maxBlock = 1 << 24, echo = false, ...rest } = given;
  const side = (terminator: string | readonly string[] | undefined) =>
    direction({ ...rest, terminator, parts: blocks, maxData: maxBlock }, (message, end) =>
      openEnded(message) && !end.endsWith('\n') ? '\n' : '',
    );
  const asks = side(ask);
  return {
    asks,
    tells: side(tell),
    resync: asks.encode(''),
    // A line that repeats the question is its echo (a half-duplex line, a terminal's), not its answer.
    fits: (reply, question) => (reply === question ? 'unasked' : echo ? echoed(reply, question) : 'answer'),
  };
}

function echoed(reply: string, question: string): 'answer' | 'late' {
  const came = header(reply);
  if (came === undefined) return 'answer';
  const asked = programUnits(question).find((unit) => unit.query);
  return asked && sameHeader(came, asked.header) ? 'answer' : 'late';
}

/** Replies to questions joined by ";" in one message, split outside of strings and blocks. */
export const splitReplies = (reply: string): string[] => splitAt(';', reply);

/** ":SENS:PRES" or "*IDN" before a blank or the end, "SENS2:PRES" before a value. A word without a colon may be the answer itself. */
const HEADER = /^\s*(\*[A-Za-z]\w*|:[A-Za-z]\w*(?::[A-Za-z]\w*)*|[A-Za-z]\w*(?::[A-Za-z]\w*)+(?=\??\s+\S))\??(?:\s+|$)/;

/** The header that a reply repeats, as written; undefined where it repeats none. */
export const header = (reply: string): string | undefined => HEADER.exec(reply)?.[1];

/** The reply without the header it repeats: ":SENS:PRES 1.234" gives "1.234". */
export const bare = (reply: string): string => reply.replace(HEADER, '');

/** SCPI-1999 (vol. 1, 6.2.1): the first four letters, or three if the fourth is a vowel; a word of four stays. */
function shortForm(word: string): string {
  if (word.length <= 4) return word;
  return /[AEIOU]/.test(word[3]) ? word.slice(0, 3) : word.slice(0, 4);
}

/** Headers in one form whichever way they are written: short, upper case, with a leading colon, without the suffix 1. */
function sameHeader(a: string, b: string): boolean {
  const [x, y] = [a, b].map((h) =>
    h
      .toUpperCase()
      .replace(/^:/, '')
      .split(':')
      .map((node) => {
        const [, word = '', suffix = ''] = /^(.*?)(\d*)$/.exec(node) ?? [];
        return shortForm(word) + (suffix === '1' ? '' : suffix);
      })
      .join(':'),
  );
  return x === y;
}

export interface ErrorEntry {
  /** 0: no error; negative: of the standard; positive: of the instrument. */
  readonly code: number;
  readonly text: string;
}

const ENTRY = /^\s*([+-]?\d+)\s*,\s*(?:"((?:[^"]|"")*)"|'((?:[^']|'')*)'|([^"'].*?))\s*$/;

/** An entry of the error queue, `-113,"Undefined header"`, with or without a repeated header; undefined where the reply is none. */
export function errorEntry(reply: string): ErrorEntry | undefined {
  const match = ENTRY.exec(bare(reply));
  if (!match) return undefined;
  const [, code, double, single, plain = ''] = match;
  const text = double?.replaceAll('""', '"') ?? single?.replaceAll("''", "'") ?? plain;
  return { code: Number(code) + 0, text };
}

export interface ProgramUnit {
  /** The whole path from the root, ":SOUR:PRES" or "*IDN", in letters as they came; without the question mark. */
  readonly header: string;
  readonly query: boolean;
  readonly args: readonly string[];
}

/**
 * The units of one program message, for the instrument's side. A unit without leading ":" goes on in the path of the one before (its
 * header without the last node); "*" commands neither use nor change the path (SCPI-1999 vol. 1, 6.2.4; IEEE 488.2 A.1.1).
 */
export function programUnits(line: string): ProgramUnit[] {
  const units: ProgramUnit[] = [];
  let path = '';
  for (const piece of splitAt(';', line)) {
    const [, written = '', mark = '', rest = ''] = /^([^\s?]*)(\??)([\s\S]*)$/.exec(piece) ?? [];
    if (piece === '') continue;
    const header = written.startsWith('*') ? written : written.startsWith(':') ? written : `${path}:${written}`;
    if (!header.startsWith('*')) path = header.slice(0, header.lastIndexOf(':'));
    const args = rest.trim() === '' ? [] : splitAt(',', rest).map(trimPlain);
    units.push({ header, query: mark === '?', args });
  }
  return units;
}

/** Blanks at the end of a block are its data. */
const trimPlain = (arg: string): string => (arg.startsWith('#') ? arg : arg.trimEnd());

const patterns = new Map<string, RegExp>();

/**
 * Whether a header is what a pattern such as ":SOURce:PRESsure[:LEVel][:IMMediate][:AMPLitude]" allows: capitals are the short form,
 * brackets are optional, letters of either case. A node without digits allows the suffix 1 or none, "OUTPut2" only 2, "OUTPut#" any.
 */
export function matches(pattern: string, header: string): boolean {
  let compiled = patterns.get(pattern);
  if (!compiled) patterns.set(pattern, (compiled = compile(pattern)));
  return compiled.test(/^[:*]/.test(header) ? header : `:${header}`);
}

function compile(pattern: string): RegExp {
  const rooted = pattern.replace(/^\[(\w+#?)\]:/, '[:$1]:');
  const whole = /^(?:\[?[:*])/.test(rooted) ? rooted : `:${rooted}`;
  const source = whole.replace(/\*[A-Za-z]+|[A-Za-z_]\w*#?|[[\]?*]/g, (token) => {
    if (token === '[') return '(?:';
    if (token === ']') return ')?';
    if (token === '?' || token.startsWith('*')) return `\\${token}`;
    const [, name = '', suffix = '', any = ''] = /^(.*?)(\d*)(#?)$/.exec(token) ?? [];
    const short = name.replace(/[a-z]+$/, '');
    const word = short === '' || short === name ? name : `(?:${name}|${short})`;
    return word + (any ? '\\d*' : suffix === '' || suffix === '1' ? '1?' : suffix);
  });
  return new RegExp(`^${source}$`, 'i');
}
