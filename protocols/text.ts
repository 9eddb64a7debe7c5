import { type Decoder, Fault, fromLatin1, latin1, type Protocol } from './protocol.ts';
import { Unsendable } from './unsendable.ts';

/** A byte of text, of data (never a terminator, of any value) or the one that ends the message by itself. */
export type Part = 'text' | 'data' | 'end';

export interface LineOptions {
  /** What ends a line; of a list, each is accepted and the first is sent. LF unless given. */
  readonly terminator?: string | readonly string[];
  /** The most characters of one line, data and terminator not counted; 4096 unless given. */
  readonly max?: number;
  /** True lets every byte through; else control characters (save tab) and bytes from 0x80 on make a line a Fault. */
  readonly eightBit?: boolean;
  /** Tells data from text, byte by byte; called once for each line. */
  readonly parts?: () => (byte: number) => Part;
  /** The most bytes of data in one line; none unless given. */
  readonly maxData?: number;
}

const MAX = 4096;
const LARGE = 65_536; // bytes that are not kept after the line that needed them
const NOTHING: readonly Uint8Array[] = [];

/** Terminators as bytes, the longest first. */
function terminators(terminator: string | readonly string[]): readonly Uint8Array[] {
  const all = typeof terminator === 'string' ? [terminator] : terminator;
  if (all.length === 0 || all.some((t) => t === '')) throw new Unsendable('a terminator must have at least one character');
  return all.map(fromLatin1).sort((a, b) => b.length - a.length);
}

const isText = (byte: number): boolean => (byte >= 0x20 && byte < 0x7f) || byte === 0x09;

/** For each byte, whether it is text that stands in no terminator: a run of such bytes neither ends a line nor spoils one. */
function plainBytes(ends: readonly Uint8Array[]): readonly boolean[] {
  const special = new Set(ends.flatMap((end) => [...end]));
  return Array.from({ length: 256 }, (_, byte) => isText(byte) && !special.has(byte));
}

/** Latin-1 of a line. */
function lineOf(bytes: Uint8Array, length: number): string {
  if (length > 12) return latin1(bytes.subarray(0, length));
  let text = ''; // of a few bytes: not worth a call for all of them at once
  for (let i = 0; i < length; i++) text += String.fromCharCode(bytes[i]);
  return text;
}

const endsWith = (bytes: Uint8Array, length: number, from: number, end: Uint8Array): boolean =>
  length - from >= end.length && end.every((b, i) => bytes[length - end.length + i] === b);

/** What of longer terminators may still follow one that has already ended its line: LF after CR, where CRLF is one, too. */
const rests = (all: readonly Uint8Array[], came: Uint8Array): readonly Uint8Array[] =>
  all.filter((t) => t.length > came.length && came.every((b, i) => b === t[i])).map((t) => t.subarray(came.length));

/**
 * Lines of Latin-1 text without their terminators; empty ones are dropped. Faults: PROTO_NOT_TEXT, PROTO_LINE_TOO_LONG (once, at the
 * line's end, with its first bytes), PROTO_UNFINISHED (silence before the end).
 */
export function lines(options: string | LineOptions = {}): Decoder<string> {
  const given: LineOptions = typeof options === 'string' ? { terminator: options } : options;
  const { terminator = '\n', max = MAX, eightBit = false, parts, maxData = 0 } = given;
  const ends = terminators(terminator);
  const longest = ends[0].length;
  const lasts = Array.from({ length: 256 }, (_, byte) => ends.some((t) => t[t.length - 1] === byte));
  const behind = new Map(ends.map((end) => [end, rests(ends, end)]));
  const keep = max + 1;
  const plain = parts ? undefined : plainBytes(ends);
  /** The one byte that ends every line, where there is but one. */
  const only = plain && ends.length === 1 && longest === 1 ? ends[0][0] : undefined;
  let held = new Uint8Array(64);
  let n = 0;
  let text = 0;
  let data = 0;
  let dataEnd = 0;
  let odd = Number.POSITIVE_INFINITY;
  let over = false;
  let part = parts?.();
  let skip = NOTHING;

  const clear = (then: readonly Uint8Array[]): void => {
    n = text = data = dataEnd = 0;
    odd = Number.POSITIVE_INFINITY;
    over = false;
    part = parts?.();
    skip = then;
    if (held.length > LARGE) held = new Uint8Array(64);
  };

  /** Keeps only the beginning of a line that is too long, and enough of its end to see a terminator. */
  const trim = (): void => {
    const shift = n - longest - keep;
    held.copyWithin(keep, n - longest, n);
    n -= shift;
    dataEnd = Math.max(0, dataEnd - shift);
  };

  const finish = (length: number, then: readonly Uint8Array[]): string | Fault | undefined => {
    let line: string | Fault | undefined;
    if (over || text - (n - length) > max || data > maxData) line = new Fault('PROTO_LINE_TOO_LONG', held.slice(0, Math.min(length, keep)));
    else if (odd < length) line = new Fault('PROTO_NOT_TEXT', held.slice(0, length));
    else if (length > 0) line = lineOf(held, length);
    clear(then);
    return line;
  };

  const take = (byte: number): string | Fault | undefined => {
    if (n === held.length) {
      const more = new Uint8Array(2 * n);
      more.set(held);
      held = more;
    }
    const kind = part ? part(byte) : 'text';
    held[n++] = byte;
    if (kind === 'data') {
      data++;
      dataEnd = n;
    } else {
      text++;
      if (!eightBit && !isText(byte) && n - 1 < odd) odd = n - 1;
    }
    const after = skip.length > 0 ? skip.find((s) => s.length === n && s.every((b, i) => held[i] === b)) : undefined;
    if (after) {
      clear(rests(skip, after));
      return undefined;
    }
    if (kind === 'end' || (kind === 'text' && lasts[byte])) {
      const end = ends.find((t) => endsWith(held, n, kind === 'end' ? 0 : dataEnd, t));
      if (end) return finish(n - end.length, behind.get(end) ?? NOTHING);
      if (kind === 'end') return finish(n - 1, NOTHING);
    }
    if (text > max + longest || data > maxData) over = true;
    if (over && n > keep + 2 * longest) trim();
    return undefined;
  };

  /** Keeps plain text as far as it goes and gives where it ends: `take` would do no more with these bytes. */
  const takePlain = (bytes: Uint8Array, from: number): number => {
    if (!plain) return from;
    const end = Math.min(bytes.length, from + max - text, from + held.length - n);
    let i = from;
    while (i < end && plain[bytes[i]]) held[n++] = bytes[i++];
    text += i - from;
    return i;
  };

  return (bytes) => {
    if (bytes.length === 0) {
      if (n === 0) return [];
      const left = over ? new Fault('PROTO_LINE_TOO_LONG', held.slice(0, keep)) : new Fault('PROTO_UNFINISHED', held.slice(0, n));
      clear(NOTHING);
      return [left];
    }
    const said: (string | Fault)[] = [];
    for (let i = 0; i < bytes.length; i++) {
      i = takePlain(bytes, i);
      if (i === bytes.length) break;
      const byte = bytes[i];
      if (byte === only && n > 0 && n === text && n <= max && odd > n && held.length <= LARGE) {
        said.push(lineOf(held, n)); // as `take` would end it, the common case
        n = text = 0;
        continue;
      }
      const line = take(byte);
      if (line !== undefined) said.push(line);
    }
    return said;
  };
}

/**
 * One direction of a language of lines. `encode` throws Unsendable for what its own decoder would not give back as that one message;
 * an empty message is a bare terminator. `close` may add to a message what must stand before its terminator.
 */
export function direction(options: LineOptions, close = (_message: string, _terminator: string): string => '') {
  const { terminator = '\n', max = MAX, parts } = options;
  const first = typeof terminator === 'string' ? terminator : terminator[0];
  const decoder = (): Decoder<string> => lines(options);
  const plain = parts ? undefined : plainBytes(terminators(terminator));
  // One message of plain bytes is read back as itself where another is; a terminator may end within itself.
  const probe = plain ? String.fromCharCode(Math.max(0, plain.indexOf(true))) : '';
  const proven = decoder()(fromLatin1(probe + first)).join() === probe;
  const isPlain = (message: string): boolean => {
    if (!plain || !proven || message === '' || message.length > max) return false;
    for (let i = 0; i < message.length; i++) if (plain[message.charCodeAt(i)] !== true) return false;
    return true;
  };
  const encode = (message: string): Uint8Array => {
    const bytes = fromLatin1(message + close(message, first) + first);
    if (isPlain(message) && bytes.length === message.length + first.length) return bytes;
    const back = decoder()(bytes);
    if (message === '' ? back.length === 0 : back.length === 1 && back[0] === message) return bytes;
    throw new Unsendable(
      `${JSON.stringify(message)} cannot be sent as one line: it is too long, or has characters that a line cannot hold`,
    );
  };
  return { encode, decoder };
}

export interface TextOptions {
  /** Ends a question; of a list, each is accepted and the first is sent. LF unless given. */
  readonly ask?: string | readonly string[];
  /** Ends a reply. LF unless given. */
  readonly tell?: string | readonly string[];
  readonly max?: number;
  readonly eightBit?: boolean;
}

/** Plain lines in both directions; a single string is the terminator of both. Nothing tells replies apart. */
export function text(options: string | TextOptions = {}): Protocol<string, string> {
  const { ask, tell, ...rest }: TextOptions = typeof options === 'string' ? { ask: options, tell: options } : options;
  const asks = direction({ ...rest, terminator: ask });
  return {
    asks,
    tells: direction({ ...rest, terminator: tell }),
    resync: asks.encode(''),
    // A line that repeats the question is its echo (a half-duplex line, a terminal's), not its answer.
    fits: (reply, question) => (reply === question ? 'unasked' : 'answer'),
  };
}

const DECIMAL = /^[ \t]*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[ \t]*$/;

/**
 * The number that the whole text is, blanks around it allowed; else NaN. SCPI-1999 (vol. 1, 7.2.1.4 and 7.2.1.5) writes infinity as
 * ±9.9E37 and "not a number" as 9.91E37: NaN, too.
 */
export function decimal(text: string): number {
  if (!DECIMAL.test(text)) return Number.NaN;
  const value = Number(text);
  const size = Math.abs(value);
  return size === 9.9e37 || size === 9.91e37 || !Number.isFinite(value) ? Number.NaN : value;
}
