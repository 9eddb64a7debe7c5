import { type Decoder, Fault, fromLatin1, type Protocol } from './protocol.ts';
import { decimal, direction } from './text.ts';
import { Unsendable } from './unsendable.ts';

/** What the unit says to one command: the command itself, character by character, and then the answer, empty for what sets. */
export interface IsegTell {
  /** Empty where the unit says something by itself ("?TOT"). */
  readonly echo: string;
  readonly answer: string;
}

const MAX = 80; // characters; the longest line, of "#", has about 30
const LF = 0x0a;
const CR = 0x0d;
const COMMAND = /^(?:#|W(?:=\d{1,3})?|(?:L[BS]|[UIMNDVGSTLA])\d(?:=[\d.]+)?)$/;

export type IsegError = 'syntax' | 'channel' | 'timeout' | 'voltage';
/** The error that an answer is; `most` in V, where the unit says how much it would take. */
export function isegError(answer: string): { readonly error: IsegError; readonly most?: number } | undefined {
  const text = answer.trim();
  if (/^\?{4}$/.test(text)) return { error: 'syntax' };
  if (/^\?\s*WCN$/.test(text)) return { error: 'channel' };
  if (/^\?\s*TOT$/.test(text)) return { error: 'timeout' };
  const [, most] = /^\?\s*UMA?X=\s*(\d+(?:\.\d*)?)\D*$/.exec(text) ?? [];
  return most === undefined ? undefined : { error: 'voltage', most: Number(most) };
}

/**
 * A number of the unit: sign or none, mantissa, exponent with its sign ("+15000-01" is 1500, "00123-07" 12.3e-6), or a plain number of older
 * firmware. NaN for what is none.
 */
export function isegNumber(answer: string): number {
  const [, mantissa, exponent] = /^([+-]?\d{1,9})([+-]\d{1,2})$/.exec(answer.trim()) ?? [];
  return mantissa === undefined ? decimal(answer) : Number(`${mantissa}e${exponent}`);
}
/** The exponent of its last digit, which is its resolution; undefined for a plain number or none. */
export function isegExponent(answer: string): number | undefined {
  const [, exponent] = /^[+-]?\d{1,9}([+-]\d{1,2})$/.exec(answer.trim()) ?? [];
  return exponent === undefined ? undefined : Number(exponent);
}
/** A number as the unit writes it, with so many digits; `signed` puts its sign in front. */
export function isegWritten(value: number, exponent: number, digits: number, signed = false): string {
  const size = Math.round(Math.abs(value) / 10 ** exponent);
  const sign = signed ? (value < 0 ? '-' : '+') : '';
  const power = `${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  return `${sign}${String(size).padStart(digits, '0')}${power}`;
}

/** Lines that end with CR LF, empty ones too: what sets is answered with one. */
function allLines(): (bytes: Uint8Array) => readonly (string | Fault)[] {
  let held: number[] = [];
  let over = false;
  const finish = (): string | Fault => {
    const text = held.at(-1) === CR ? held.slice(0, -1) : held;
    const bytes = Uint8Array.from(text);
    const fault = over ? 'PROTO_LINE_TOO_LONG' : text.every((b) => b >= 0x20 && b < 0x7f) ? undefined : 'PROTO_NOT_TEXT';
    held = [];
    over = false;
    return fault ? new Fault(fault, bytes) : String.fromCharCode(...text);
  };
  return (bytes) => {
    if (bytes.length === 0) {
      if (held.length === 0) return [];
      const left = new Fault(over ? 'PROTO_LINE_TOO_LONG' : 'PROTO_UNFINISHED', Uint8Array.from(held));
      held = [];
      over = false;
      return [left];
    }
    const said: (string | Fault)[] = [];
    for (const byte of bytes) {
      if (byte === LF) said.push(finish());
      else if (held.length < MAX) held.push(byte);
      else over = true;
    }
    return said;
  };
}

/** Echo and answer together. An echo whose answer has not come when the next one comes, or the line falls silent, is a Fault (PROTO_UNFINISHED). */
function tells(): Decoder<IsegTell> {
  const lines = allLines();
  let echo: string | undefined;
  const lost = (): readonly Fault[] => {
    const left = echo === undefined ? [] : [new Fault('PROTO_UNFINISHED', fromLatin1(echo))];
    echo = undefined;
    return left;
  };
  const take = (line: string | Fault): readonly (IsegTell | Fault)[] => {
    if (line instanceof Fault) return [...lost(), line];
    // "L1=00100" answers "L1" in some firmware, and is an echo else.
    const begins = COMMAND.test(line) && !(echo !== undefined && line.startsWith(`${echo}=`));
    if (begins) {
      const before = lost();
      echo = line;
      return before;
    }
    if (echo === undefined) return line === '' ? [] : [{ echo: '', answer: line }];
    const tell = { echo, answer: line };
    echo = undefined;
    return [tell];
  };
  return (bytes) => {
    const said = lines(bytes).flatMap(take);
    return bytes.length === 0 ? [...said, ...lost()] : said;
  };
}

/**
 * iseg SHQ, NHQ and their kin by RS-232: the unit echoes each command and then answers it, so that an answer is known by its echo. Sources:
 * iseg SHQ and EHQ operators manuals, chapter RS-232 interface (syntax, command set, status information, error codes); SiLab-Bonn/basil
 * iseg_hv.
 */
export function isegShq(): Protocol<string, IsegTell> {
  return {
    asks: direction({ terminator: ['\r\n', '\r', '\n'], max: MAX }),
    tells: {
      encode({ echo, answer }) {
        if (!/^[\x20-\x7e]{0,80}$/.test(echo) || !/^[\x20-\x7e]{0,80}$/.test(answer))
          throw new Unsendable(`${JSON.stringify([echo, answer])} cannot be said in two lines`);
        return fromLatin1(`${echo === '' ? '' : `${echo}\r\n`}${answer}\r\n`);
      },
      decoder: tells,
    },
    resync: Uint8Array.of(CR, LF),
    fits(m, question) {
      if (m.echo === question) return 'answer';
      if (m.echo !== '') return 'late';
      return isegError(m.answer) ? 'answer' : 'unasked'; // "?TOT": what was heard of the command is forgotten
    },
  };
}
