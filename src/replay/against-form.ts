/**
 * The form of an answer apart from what it says: which fields of which sort, arrays of which length, and how its numbers are written.
 * Found by a walk over the decoded message, the same for every protocol.
 */
import { Fault, fromLatin1, latin1 } from '../../protocols/protocol.ts';
import { bare } from '../../protocols/scpi.ts';

/** How a number is written. */
export interface NumberForm {
  readonly text: string;
  /** What stands before the digits: '+', blanks, '-' (which says nothing about how a positive number is written) or nothing. */
  readonly lead: '+' | ' ' | '-' | '';
  /** Digits after the point; -1 where there is no point. */
  readonly decimals: number;
  /** e or E, whether a plus is written ('-': not to be known), and its digits; absent: without exponent. */
  readonly exponent?: { readonly letter: string; readonly sign: '+' | '-' | ''; readonly digits: number };
  /** It begins with a zero that is not needed, as numbers of a fixed width do. */
  readonly padded: boolean;
  readonly value: number;
  /** What its last digit counts. */
  readonly step: number;
}

export interface Form {
  /** Equal where two answers are of one form, but for how numbers are written. */
  readonly shape: string;
  /** The same with numbers in hexadecimal digits, which may look like words. */
  readonly loose: string;
  readonly numbers: readonly NumberForm[];
  /** Words of texts: what they say is a value. */
  readonly words: readonly string[];
  /** Every number in it, in its order, and what its last digit counts (0: a floating-point number). */
  readonly leaves: readonly number[];
  readonly steps: readonly number[];
}

interface Out {
  readonly numbers: NumberForm[];
  readonly words: string[];
  readonly leaves: number[];
  readonly steps: number[];
}

const DEEPEST = 8;
const MOST = 256; // numbers of a long list: what holds for those holds for the rest

export function formOf(m: unknown): Form {
  const out: Out = { numbers: [], words: [], leaves: [], steps: [] };
  const [shape, loose] = walk(m, out, 0);
  return { shape, loose, ...out };
}

/** The form of what comes by itself: lists in it are as long as there is something to say, and hold what there is. */
export const roughly = (m: unknown): string =>
  m === null || typeof m !== 'object'
    ? formOf(m).shape
    : Object.entries(m)
        .map(([name, value]) => `${name} ${typeof value}`)
        .sort()
        .join();

type Both = readonly [string, string];
const both = (text: string): Both => [text, text];
const joined = (parts: readonly Both[], begin: string, end: string): Both => [
  `${begin}${parts.map(([a]) => a).join(',')}${end}`,
  `${begin}${parts.map(([, b]) => b).join(',')}${end}`,
];

function walk(m: unknown, out: Out, depth: number): Both {
  if (depth > DEEPEST) return both('...');
  if (typeof m === 'string') return textForm(m, out);
  if (typeof m === 'number' || typeof m === 'bigint') {
    const value = Number(m);
    leaf(value, Number.isInteger(value) ? 1 : 0, out);
    return both('number');
  }
  if (m === null || typeof m !== 'object') return both(typeof m);
  if (m instanceof Fault) return both(`noise (${m.fault})`);
  if (ArrayBuffer.isView(m)) {
    const bytes = new Uint8Array(m.buffer, m.byteOffset, m.byteLength);
    // A name may be told in a field of bytes.
    let end = bytes.length;
    while (end > 0 && bytes[end - 1] === 0) end--; // an expression would begin anew at each zero of a field of numbers
    const name = latin1(bytes.subarray(0, end));
    if (name !== '' && isText(fromLatin1(name))) out.words.push(name);
    return both(`${bytes.length} bytes`);
  }
  if (Array.isArray(m)) {
    if (m.every((one) => typeof one === 'number' || typeof one === 'boolean')) {
      for (const one of m.slice(0, MOST)) walk(one, out, depth + 1);
      return both(`${m.length} ${typeof (m[0] ?? 0)}s`);
    }
    return joined(
      m.map((one) => walk(one, out, depth + 1)),
      '[',
      ']',
    );
  }
  const fields = Object.entries(m)
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]): Both => {
      const [shape, loose] = walk(value, out, depth + 1);
      return [`${name}: ${shape}`, `${name}: ${loose}`];
    });
  return joined(fields, '{', '}');
}

function leaf(value: number, step: number, out: Out): void {
  if (out.leaves.length >= MOST) return;
  out.leaves.push(value);
  out.steps.push(step);
}

// A number with a point, a sign or an exponent; letters and digits together; blanks; anything else.
const TOKEN =
  /(?<![\d.])(?:[+-]?(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]\d+(?:[eE][+-]?\d+)?|(?<![A-Za-z_])\d+[eE][+-]\d+)|(?:[A-Za-z_\u00a0-\u00ff]|\d+(?!\d*\.\d))+|\d+|\s+|[\s\S]/g;
const QUOTED = /"(?:[^"]|"")*"/g;

/** N is a number, W words (a state, a name: several words are one), H a number in hexadecimal digits. */
function textForm(text: string, out: Out): Both {
  if (/[^\t\r\n\x20-\x7e\u00a0-\u00ff]/.test(text)) {
    out.words.push(text);
    return both(`${text.length} bytes`);
  }
  let shape = '';
  let loose = '';
  let blank = '';
  for (const token of quoted(text)) {
    if (/^\s+$/.test(token)) {
      blank = ' ';
      continue;
    }
    const number = token.startsWith('"') ? undefined : numberForm(token, blank);
    if (!number && blank !== '') {
      shape += ' ';
      loose += ' ';
    }
    if (number) {
      if (out.numbers.length < MOST) out.numbers.push(number);
      leaf(number.value, number.step, out);
    } else if (/^["\w\u00a0-\u00ff]/.test(token)) out.words.push(token);
    const sort = number ? 'N' : /^[\w\u00a0-\u00ff]/.test(token) ? 'W' : token.startsWith('"') ? '"W"' : token;
    shape += sort;
    loose += /^[0-9A-Fa-f]{2,}$/.test(token) ? `H${token.length}` : sort;
    blank = '';
  }
  const one = (s: string): string => JSON.stringify((s + blank).replace(/W(?: W)+/g, 'W')).slice(1, -1);
  return [one(shape), one(loose)];
}

function* quoted(text: string): Generator<string> {
  let at = 0;
  for (const { index, 0: whole } of text.matchAll(QUOTED)) {
    yield* tokens(text.slice(at, index));
    yield whole;
    at = index + whole.length;
  }
  yield* tokens(text.slice(at));
}
const tokens = (text: string): readonly string[] => text.match(TOKEN) ?? [];

const NUMBER = /^([+-]?)(\d*)(?:(\.)(\d*))?(?:([eE])([+-]?)(\d+))?$/;

function numberForm(token: string, blank: string): NumberForm | undefined {
  const match = /\d/.test(token) ? NUMBER.exec(token) : null;
  if (!match) return undefined;
  const [, sign = '', whole = '', point, decimals = '', letter, power = '', digits = ''] = match;
  const scale = letter === undefined ? 0 : Number(`${power}${digits}`);
  return {
    text: token,
    lead: sign === '-' ? '-' : sign === '+' ? '+' : blank === '' ? '' : ' ',
    decimals: point === undefined ? -1 : decimals.length,
    ...(letter === undefined ? {} : { exponent: { letter, sign: power === '' ? '' : power === '-' ? '-' : '+', digits: digits.length } }),
    padded: whole.length > 1 && whole.startsWith('0'),
    value: Number(token),
    step: 10 ** (scale - decimals.length),
  };
}

/** What of two ways to write a number is not the same; nothing where one program may have written both. */
export function otherForm(a: NumberForm, b: NumberForm): readonly string[] {
  return [...otherFrame(a, b), ...otherDigits(a, b)];
}

/** Of that: what does not come from the value. */
export function otherFrame(a: NumberForm, b: NumberForm): readonly string[] {
  const out: string[] = [];
  if (a.lead !== b.lead && a.lead !== '-' && b.lead !== '-') out.push(`its sign (${leadWord(b)} instead of ${leadWord(a)})`);
  if (a.padded !== b.padded && whole(a.text).length !== whole(b.text).length) out.push('leading zeros');
  return out;
}

/** Of that: what may, where a program writes as many digits as a value needs. */
function otherDigits(a: NumberForm, b: NumberForm): readonly string[] {
  const out: string[] = [];
  if (plainZero(a) !== plainZero(b) && a.value !== b.value) return out;
  if (!a.exponent !== !b.exponent) out.push(b.exponent ? 'with an exponent' : 'without an exponent');
  else {
    if (a.decimals !== b.decimals) out.push(`${decimalsWord(b)} instead of ${decimalsWord(a)}`);
    if (a.exponent && b.exponent && !sameExponent(a.exponent, b.exponent)) out.push('its exponent is written otherwise');
  }
  return out;
}

/** "0" is written so by programs that write as many digits as a value needs, and by those that write none: the other is not known by it. */
export const plainZero = ({ value, decimals, exponent }: NumberForm): boolean => value === 0 && decimals < 0 && !exponent;

const whole = (text: string): string => /\d*/.exec(text.replace(/^[+-]/, ''))?.[0] ?? '';
const leadWord = ({ lead }: NumberForm): string => (lead === '+' ? 'a plus' : lead === ' ' ? 'blanks' : 'nothing');
const decimalsWord = ({ decimals }: NumberForm): string => (decimals < 0 ? 'no point' : `${decimals} decimal${decimals === 1 ? '' : 's'}`);
function sameExponent(a: NonNullable<NumberForm['exponent']>, b: NonNullable<NumberForm['exponent']>): boolean {
  return a.letter === b.letter && a.digits === b.digits && (a.sign === b.sign || a.sign === '-' || b.sign === '-');
}

/**
 * The error that an answer is, by what protocols have in common: a Modbus exception, an error number or flag, a refused outcome, an entry of
 * an error queue, a text that says so. Undefined where it is none.
 */
export function errorOf(m: unknown): string | undefined {
  if (typeof m === 'string') return textError(m);
  if (m === null || typeof m !== 'object' || m instanceof Fault || ArrayBuffer.isView(m)) return undefined;
  const { exception, error, busError, ok, outcome, flags, regarding } = m as Readonly<Record<string, unknown>>; // an object, by the line above
  if (typeof exception === 'number') return `exception ${exception}`;
  if ((typeof error === 'number' && error !== 0) || (typeof error === 'string' && error !== '')) return `error ${error}`;
  if (busError === true) return 'bus error';
  if (ok === false) return 'refused';
  if (typeof outcome === 'string' && outcome !== 'ok' && outcome !== 'done') return `outcome "${outcome}"`;
  // OBP: not acknowledged, or an exception.
  if (regarding !== undefined && typeof flags === 'number' && (flags & 0x18) !== 0) return `flags ${flags}`;
  return undefined;
}

function textError(text: string): string | undefined {
  const entry = /^\s*([+-]?\d+)\s*,\s*["']/.exec(bare(text));
  if (entry) return Number(entry[1]) === 0 ? undefined : `error ${Number(entry[1])}`;
  return /^\s*(?:\?|ERR(?:OR)?\b|NAK\b|\x15)|^\s*[CE]\d\d\s*$/i.test(text) ? `"${text.trim()}"` : undefined;
}

/** Bytes that people read as text. */
export const isText = (bytes: Uint8Array): boolean => bytes.every((b) => (b >= 0x20 && b < 0x7f) || b === 9 || b === 10 || b === 13);

/** A question of text as people read it; `numbers` false puts # in the place of its numbers. */
export function questionOf(sent: Uint8Array, numbers: boolean): string {
  const text = latin1(sent);
  return JSON.stringify(numbers ? text : text.replace(/[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?/g, '#'));
}
