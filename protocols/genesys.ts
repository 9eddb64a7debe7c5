import { concat, type Decoder, Fault, fromLatin1, type Protocol } from './protocol.ts';
import { direction, lines } from './text.ts';
import { Unsendable } from './unsendable.ts';

export interface GenesysOptions {
  /** True sends "$hh" after each question and takes no reply without it. */
  readonly checksum?: boolean;
}

const MAX = 256; // characters; the longest reply, of STT?, has about 80

/** The two hexadecimal digits after "$": the low byte of the sum of all characters before it. "STT?" has 3A. */
export const genesysSum = (line: string): string => {
  let sum = 0;
  for (const byte of fromLatin1(line)) sum += byte;
  return (sum & 0xff).toString(16).toUpperCase().padStart(2, '0');
};

/** What stands before "$hh", and whether the sum is right; undefined without one. */
export function summed(line: string): { readonly line: string; readonly right: boolean } | undefined {
  const [, text, digits] = /^(.*)\$([0-9A-F]{2})$/i.exec(line) ?? [];
  return text === undefined || digits === undefined ? undefined : { line: text, right: digits.toUpperCase() === genesysSum(text) };
}

/** The code of an error reply (C01 to C05, E01 to E08). */
export const genesysError = (reply: string): string | undefined => /^[CE]\d\d$/.exec(reply.trim())?.[0];

/** Commands as the supply hears them: CR ends one, LF is ignored, a backspace takes the last character back; CR alone is an empty command. */
function commands(): Decoder<string> {
  const { encode } = direction({ terminator: '\r', max: MAX });
  let held: number[] = [];
  let over = false;
  const finish = (): string | Fault => {
    const bytes = Uint8Array.from(held);
    const text = String.fromCharCode(...held);
    const long = over;
    held = [];
    over = false;
    if (long) return new Fault('PROTO_LINE_TOO_LONG', bytes);
    if (text === '') return text;
    try {
      encode(text);
      return text;
    } catch (error) {
      if (error instanceof Unsendable) return new Fault('PROTO_NOT_TEXT', bytes);
      throw error;
    }
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
      if (byte === 0x0d) said.push(finish());
      else if (byte === 0x08) held.pop();
      else if (byte !== 0x0a) {
        if (held.length < MAX) held.push(byte);
        else over = true;
      }
    }
    return said;
  };
}

/** Replies; with `checksum` those whose sum is missing or wrong are Faults (PROTO_BAD_CRC). */
function replies(checksum: boolean): () => Decoder<string> {
  const plain = () => lines({ terminator: ['\r', '\r\n'], max: MAX });
  if (!checksum) return plain;
  return () => {
    const decode = plain();
    return (bytes) =>
      decode(bytes).map((m) => {
        if (m instanceof Fault) return m;
        const found = summed(m);
        return found?.right ? found.line : new Fault('PROTO_BAD_CRC', fromLatin1(m));
      });
  };
}

/**
 * TDK-Lambda Genesys: lines that end in CR. A question may be two lines, "ADR 6" and the question itself, so that on a shared line the
 * right supply answers; the first one's "OK" is dropped. "OK" and numbers never answer each other's questions. Source: Genesys user
 * manual, 7.5 to 7.7.
 */
export function genesys({ checksum = false }: GenesysOptions = {}): Protocol<string, string> {
  const ask = direction({ terminator: '\r', max: MAX });
  const tell = direction({ terminator: ['\r', '\r\n'], max: MAX });
  const whole = (line: string): string => (checksum ? `${line}$${genesysSum(line)}` : line);
  return {
    asks: { encode: (q) => concat(...q.split('\r').map((line) => ask.encode(whole(line)))), decoder: commands },
    tells: { encode: (m) => tell.encode(whole(m)), decoder: replies(checksum) },
    resync: fromLatin1('\r'),
    fits(reply, q) {
      const question = q.split('\r').at(-1) ?? q;
      if (reply === question || reply.startsWith('!')) return 'unasked'; // an echo, or a service request "!nn"
      if (question === '\\' || genesysError(reply) !== undefined) return 'answer';
      return question.endsWith('?') === (reply !== 'OK') ? 'answer' : 'late';
    },
  };
}
