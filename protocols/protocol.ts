/** What every wire language promises. Sans-IO: bytes in, messages out, in both roles; no port, no time, no rxjs. */

/** Noise on the wire, as a value: a closed code (`PROTO_...`) and the bytes that could not be read. */
export class Fault {
  readonly fault: string;
  readonly bytes: Uint8Array;
  constructor(fault: string, bytes: Uint8Array) {
    this.fault = fault;
    this.bytes = bytes;
  }
}

/**
 * Takes any split of a stream, gives whole messages, never throws and is bounded.
 * An empty array means that the line has been silent: what is still held cannot become whole and comes out as a Fault.
 */
export type Decoder<M> = (bytes: Uint8Array) => readonly (M | Fault)[];

export interface Protocol<Q, M> {
  /** 'packets' where one datagram or file is one message; absent: a stream. */
  readonly framing?: 'packets';
  /** What is read in a process of its own because it is too fast for the host: the plan of that process, plain data (see readout.ts). */
  readonly readout?: Readonly<Record<string, unknown>>;
  /** What ends a half-sent question, where another talker takes the line over. */
  readonly resync?: Uint8Array;
  readonly asks: { encode(q: Q): Uint8Array; decoder(): Decoder<Q> };
  readonly tells: { encode(m: M): Uint8Array; decoder(): Decoder<M> };
  /** By id, address, function or length; plain text can only ever say 'answer'. */
  fits(m: M, q: Q): 'answer' | 'unasked' | 'late';
  /** By what replies can be told apart: 'question' (ids that do not repeat soon), 'unit' (they carry its address), or nothing (absent). */
  readonly apart?: 'question' | 'unit';
  /** The address a question goes to, where several instruments share the link. */
  unit?(q: Q): number | string;
  /** Gives a question its number n (1, 2, 3 ... on this link), where frames carry one. */
  number?(q: Q, n: number): Q;
  /** The question without data that only comes back, where there is such a question: equal where the same is asked. */
  bare?(q: Q): Q;
  /** The answer as one to this question: with its number and the data that only comes back. So a recorded answer fits a question of today. */
  answers?(m: M, q: Q): M;
}

const PIECE = 8192; // bytes: a call takes no more arguments
// `apply` takes anything that has a length and elements, and is four times as fast as spreading them.
const charsOf = (bytes: Uint8Array): string => String.fromCharCode.apply(null, bytes as unknown as number[]);

/** Latin-1, the only text that maps bytes to characters one to one. */
export function latin1(bytes: Uint8Array): string {
  if (bytes.length <= PIECE) return charsOf(bytes);
  let text = '';
  for (let i = 0; i < bytes.length; i += PIECE) text += charsOf(bytes.subarray(i, i + PIECE));
  return text;
}

export function fromLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
