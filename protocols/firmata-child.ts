/** What host and johnny-five's process say to each other: one line of JSON each, question and answer, told apart by their number. */
import { type Decoder, Fault, fromLatin1, type Protocol } from './protocol.ts';
import { lines } from './text.ts';
import { Unsendable } from './unsendable.ts';

/** A part of johnny-five's catalogue, as its constructor takes it. */
export interface ChildPart {
  readonly name: string;
  readonly part: string;
  readonly options: Readonly<Record<string, string | number>>;
}
export type ChildAsk = { readonly n?: number } & (
  | { readonly do: 'hello' }
  /** Begins anew with these parts. */
  | { readonly do: 'begin'; readonly parts: readonly ChildPart[] }
  /** What the board has said, as hexadecimal bytes, to what the last turn wrote; `failed`: it has said nothing to it. */
  | { readonly do: 'turn'; readonly heard: string; readonly failed?: boolean }
);
export interface ChildValue {
  readonly value: number;
  /** Seconds since the part has been heard of. */
  readonly age: number;
}
export type ChildTell = { readonly n: number } & (
  | { readonly say: 'hello' | 'begun' }
  /** What is to be written to the board, one question at most, and what each part measures, in SI. */
  | {
      readonly say: 'turn';
      readonly write: string;
      readonly values: Readonly<Record<string, Readonly<Record<string, ChildValue>>>>;
      /** Why a part has no value, or all of them ('') have none. */
      readonly troubles: Readonly<Record<string, string>>;
    }
);

const LONGEST = 1 << 16;
const isTable = (v: unknown): v is Readonly<Record<string, unknown>> => v !== null && typeof v === 'object' && !Array.isArray(v);
const isHex = (v: unknown): boolean => typeof v === 'string' && /^([0-9a-f]{2})*$/.test(v);
const isValue = (v: unknown): boolean => isTable(v) && typeof v.value === 'number' && typeof v.age === 'number';

function isAsk(m: unknown): m is ChildAsk {
  if (!isTable(m)) return false;
  if (m.do === 'turn') return isHex(m.heard);
  return m.do === 'hello' || (m.do === 'begin' && Array.isArray(m.parts) && m.parts.every((p) => isTable(p) && isTable(p.options)));
}
function isTell(m: unknown): m is ChildTell {
  if (!isTable(m) || typeof m.n !== 'number') return false;
  if (m.say === 'hello' || m.say === 'begun') return true;
  if (m.say !== 'turn' || !isHex(m.write) || !isTable(m.values) || !isTable(m.troubles)) return false;
  return (
    Object.values(m.values).every((part) => isTable(part) && Object.values(part).every(isValue)) &&
    Object.values(m.troubles).every((why) => typeof why === 'string')
  );
}

/** Characters beyond ASCII go as \u escapes. Faults: those of a line, and PROTO_NOISE. */
function read<M>(is: (m: unknown) => m is M): Decoder<M> {
  const decode = lines({ max: LONGEST });
  return (bytes) =>
    decode(bytes).map((line) => {
      if (line instanceof Fault) return line;
      try {
        const m: unknown = JSON.parse(line);
        if (is(m)) return m;
      } catch {
        // It is no JSON.
      }
      return new Fault('PROTO_NOISE', fromLatin1(line));
    });
}
function encode(m: unknown): Uint8Array {
  const text = JSON.stringify(m).replaceAll(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  if (text.length > LONGEST) throw new Unsendable('the message is longer than a line');
  return fromLatin1(`${text}\n`);
}

export function firmataChild(): Protocol<ChildAsk, ChildTell> {
  return {
    asks: { encode, decoder: () => read(isAsk) },
    tells: { encode, decoder: () => read(isTell) },
    fits: (m, q) => (m.n === q.n ? 'answer' : 'late'),
    apart: 'question',
    number: (q, n) => ({ ...q, n }),
    answers: (m, q) => ({ ...m, n: q.n ?? 0 }),
  };
}

export const toHex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
export const fromHex = (text: string): Uint8Array =>
  Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
