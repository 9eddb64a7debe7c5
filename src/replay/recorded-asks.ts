/** Questions as they can be compared: those of a recording, and those of today's client. */
import { type Decoder, Fault } from '../../protocols/protocol.ts';
import type { AnyProtocol } from '../instrument.ts';
import type { Piece, Question } from './recorded-line.ts';
import { hex } from './tape.ts';

/** One question: the same key where its bytes are the same but for a number, and for data that only comes back. */
export interface Asked {
  readonly key: string;
  /** The same for questions of text that differ in capital letters, or in blanks that mean nothing. */
  readonly like?: string;
  /** Undefined where the bytes are none. */
  readonly q?: unknown;
  /** In hexadecimal, as it was asked. */
  readonly sent: string;
}

const EMPTY = new Uint8Array(0);
const likeOf = (text: string): string =>
  text
    .trim()
    .replace(/\s+/g, ' ')
    .replace(/ ?([?,;:]) ?/g, '$1')
    .toUpperCase();

/** Takes any split of what a client says, and gives whole questions; an empty array ends what is half said. */
export function asking(protocol: AnyProtocol): (bytes: Uint8Array) => readonly Asked[] {
  const decode: Decoder<unknown> = protocol.asks.decoder();
  return (bytes) => decode(bytes).map((q) => askedOf(protocol, q));
}

/** Gives the questions of one recorded write. */
export function writes(protocol: AnyProtocol): (bytes: Uint8Array) => readonly Asked[] {
  const ask = asking(protocol);
  return (bytes) => [...ask(bytes), ...ask(EMPTY)];
}

function askedOf(protocol: AnyProtocol, q: unknown): Asked {
  if (q instanceof Fault) return { key: `noise ${hex(q.bytes)}`, sent: hex(q.bytes) };
  try {
    const numbered: unknown = protocol.number ? protocol.number(q, 0) : q;
    const key = hex(protocol.asks.encode(protocol.bare ? protocol.bare(numbered) : numbered));
    return { key, q, sent: hex(protocol.asks.encode(q)), ...(typeof q === 'string' ? { like: likeOf(q) } : {}) };
  } catch {
    return { key: `unsendable ${JSON.stringify(q)}`, sent: '' }; // it was heard, and cannot be said: none of ours was like that
  }
}

/** Recorded bytes as the answer to today's question: with its number, where frames carry one. */
export function answering(protocol: AnyProtocol, { bytes }: Piece, recorded: Question, today: Asked): Uint8Array {
  const { answers } = protocol;
  const then: unknown = answers && writes(protocol)(recorded.bytes).findLast(({ q }) => q !== undefined)?.q;
  if (!answers || then === undefined || today.q === undefined) return bytes;
  const decode = protocol.tells.decoder();
  const said: readonly unknown[] = [...decode(bytes), ...decode(EMPTY)];
  if (!said.some((m) => !(m instanceof Fault) && protocol.fits(m, then) === 'answer')) return bytes;
  const parts = said.map((m) => {
    if (m instanceof Fault) return m.bytes;
    return protocol.tells.encode(protocol.fits(m, then) === 'answer' ? answers.call(protocol, m, today.q) : m);
  });
  return new Uint8Array(Buffer.concat(parts));
}
