/** Blocks of IEEE 488.2 (7.7.6, 8.7.9, 8.7.10) and quoted strings inside messages, which are Latin-1 strings with the blocks in them. */
import { fromLatin1, latin1 } from './protocol.ts';
import type { Part } from './text.ts';
import { Unsendable } from './unsendable.ts';

/** Before a block stands nothing, a blank or a separator; so "MODEL#15" holds none. */
const LEAD = /[\s,;:=(]/;
const QUOTE = /["']/;
/** The same, byte by byte. */
const [LEADS, QUOTES] = [LEAD, QUOTE].map((known) => Array.from({ length: 256 }, (_, byte) => known.test(String.fromCharCode(byte))));
const HASH = 0x23;

/** Without any of these there are neither strings nor blocks nor lists. */
const SPECIAL = /["'#(]/;

interface Span {
  readonly from: number;
  readonly to: number;
}

function blockAt(message: string, at: number): Span | undefined {
  if (message[at] !== '#' || (at > 0 && !LEAD.test(message[at - 1]))) return undefined;
  if (message[at + 1] === '0') return { from: at + 2, to: message.endsWith('\n') ? message.length - 1 : message.length };
  const digits = Number(message[at + 1]);
  if (!(digits >= 1)) return undefined;
  const length = message.slice(at + 2, at + 2 + digits);
  if (length.length !== digits || !/^\d+$/.test(length)) return undefined;
  const from = at + 2 + digits;
  return from + Number(length) > message.length ? undefined : { from, to: from + Number(length) };
}

/** Every place of a message that is neither in a string nor in a block, with the block that begins there. A lone quote is a character. */
function* places(message: string): Generator<{ readonly at: number; readonly block?: Span }> {
  for (let at = 0; at < message.length; at++) {
    const block = blockAt(message, at);
    yield { at, block };
    const close = QUOTE.test(message[at]) ? message.indexOf(message[at], at + 1) : -1;
    if (block) at = Math.max(at, block.to - 1);
    else if (close >= 0) at = close;
  }
}

/** Splits at a separator outside of strings, blocks and (channel lists); blanks before each piece are dropped. */
export function splitAt(separator: ';' | ',', message: string): string[] {
  if (!SPECIAL.test(message)) return message.split(separator).map((piece) => piece.trimStart());
  const pieces: string[] = [];
  let depth = 0;
  let from = 0;
  for (const { at } of places(message)) {
    if (message[at] === '(') depth++;
    else if (message[at] === ')' && depth > 0) depth--;
    else if (message[at] === separator && (separator === ';' || depth === 0)) {
      pieces.push(message.slice(from, at).trimStart());
      from = at + 1;
    }
  }
  pieces.push(message.slice(from).trimStart());
  return pieces;
}

/** The data of the first whole block of a message; undefined where there is none. */
export function block(message: string): Uint8Array | undefined {
  for (const { block } of places(message)) if (block) return fromLatin1(message.slice(block.from, block.to));
  return undefined;
}

/** Whether a message ends within an indefinite block, which only NL can end. */
export function openEnded(message: string): boolean {
  for (const { at, block } of places(message)) if (block && message[at + 1] === '0') return true;
  return false;
}

/** The bytes as a definite block, "#" + number of digits + length + data; more than nine digits of length are Unsendable. */
export function encodeBlock(bytes: Uint8Array): string {
  const length = String(bytes.length);
  if (length.length > 9) throw new Unsendable(`a block holds at most 999999999 bytes, not ${length}`);
  return `#${length.length}${length}${latin1(bytes)}`;
}

/** Tells blocks from text as the bytes of one message come: data may hold the terminator, an indefinite block ends with NL alone. */
export function blocks(): (byte: number) => Part {
  let mode: 'plain' | 'hash' | 'length' | 'data' | 'open' = 'plain';
  let quote = 0;
  let lead = true;
  let digits = 0;
  let left = 0;

  const plain = (byte: number): Part => {
    mode = 'plain';
    if (quote !== 0) {
      if (byte === quote) quote = 0;
    } else if (QUOTES[byte]) quote = byte;
    else if (byte === HASH && lead) mode = 'hash';
    lead = LEADS[byte];
    return 'text';
  };

  return (byte) => {
    const digit = byte - 0x30;
    switch (mode) {
      case 'plain':
        return plain(byte);
      case 'hash':
        if (digit < 0 || digit > 9) return plain(byte);
        digits = digit;
        left = 0;
        mode = digit === 0 ? 'open' : 'length';
        return 'text';
      case 'length':
        if (digit < 0 || digit > 9) return plain(byte);
        left = 10 * left + digit;
        if (--digits === 0) mode = left > 0 ? 'data' : 'plain';
        lead = false;
        return 'text';
      case 'data':
        if (--left === 0) mode = 'plain';
        return 'data';
      case 'open':
        return byte === 0x0a ? 'end' : 'data';
    }
  };
}
