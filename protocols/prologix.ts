/** GPIB adapters of the Prologix kind: lines of text, where "++" begins a command to the adapter and anything else goes to the bus. */
import { concat, type Decoder, Fault, fromLatin1, latin1, type Protocol } from './protocol.ts';
import { scpi } from './scpi.ts';
import { Unsendable } from './unsendable.ts';

/** A command to the adapter ("++addr 12"), or bytes for the instrument on the bus. */
export type PrologixLine = string | Uint8Array;
/** Lines that go as one write, so that nothing comes between them. The adapter's role sees one at a time. */
export type PrologixAsk = readonly PrologixLine[];

const [LF, CR, ESC, PLUS] = [0x0a, 0x0d, 0x1b, 0x2b];
const MOST = 1 << 16;

/** CR, LF, ESC and + are not the adapter's when ESC stands before them (Prologix GPIB-USB manual, section 8). */
export function escaped(data: Uint8Array): Uint8Array {
  const out: number[] = [];
  for (const byte of data) {
    if (byte === LF || byte === CR || byte === ESC || byte === PLUS) out.push(ESC);
    out.push(byte);
  }
  return Uint8Array.from(out);
}

function encodeLine(line: PrologixLine): Uint8Array {
  if (typeof line !== 'string') return concat(escaped(line), Uint8Array.of(LF));
  if (!/^\+\+[\x20-\x7e]*$/.test(line)) throw new Unsendable(`${JSON.stringify(line)} is no command to the adapter: they begin with "++"`);
  return fromLatin1(`${line}\n`);
}

/** The adapter's role. Empty lines are dropped; PROTO_LINE_TOO_LONG above 64 KiB, PROTO_UNFINISHED for a line without its end. */
function adapter(): Decoder<PrologixAsk> {
  let held: number[] = [];
  let command = false;
  let plain = 0; // unescaped + at the line's beginning
  let after = false; // an ESC was the last byte
  let long = false;
  const clear = (): void => {
    held = [];
    command = after = long = false;
    plain = 0;
  };
  const end = (): readonly (PrologixAsk | Fault)[] => {
    const bytes = Uint8Array.from(held);
    const [wasLong, wasCommand] = [long, command];
    clear();
    if (wasLong) return [new Fault('PROTO_LINE_TOO_LONG', bytes)];
    if (bytes.length === 0) return [];
    return [[wasCommand ? latin1(bytes) : bytes]];
  };
  return (bytes) => {
    if (bytes.length === 0) {
      if (held.length === 0 && !after) return [];
      const left = new Fault('PROTO_UNFINISHED', Uint8Array.from(held));
      clear();
      return [left];
    }
    const said: (PrologixAsk | Fault)[] = [];
    for (const byte of bytes) {
      if (!after && byte === ESC) {
        after = true;
        continue;
      }
      if (!after && (byte === LF || byte === CR)) {
        said.push(...end());
        continue;
      }
      if (!after && byte === PLUS && plain === held.length) {
        plain++;
        if (plain === 2) command = true;
      }
      after = false;
      if (held.length < MOST) held.push(byte);
      else long = true;
    }
    return said;
  };
}

/** Replies are text up to LF, blocks inside them whole, bytes of any value; a CR before the LF stays. Nothing tells replies apart. */
export function prologix(): Protocol<PrologixAsk, string> {
  const replies = scpi({ tell: '\n', eightBit: true, max: 1 << 20 }).tells;
  return {
    asks: { encode: (lines) => concat(...lines.map(encodeLine)), decoder: adapter },
    tells: replies,
    fits: () => 'answer',
    resync: Uint8Array.of(LF),
  };
}
