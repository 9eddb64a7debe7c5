import { concat, type Decoder, Fault, fromLatin1, latin1, type Protocol } from './protocol.ts';
import { Unsendable } from './unsendable.ts';

/** Asks for what the last mnemonic was about: data, or the error word after NAK. */
export const ENQ = '\x05';
export const ACK = '\x06';
export const NAK = '\x15';
/** Clears the unit's input buffer. */
const ETX = 0x03;
const CR = 0x0d;
const LF = 0x0a;
const MAX = 256; // characters; PRX of six gauges has about 80

const isText = (byte: number): boolean => byte >= 0x20 && byte < 0x7f;

/** Lines of text, and single bytes that are messages by themselves. CR, LF or both end a line; empty ones are dropped. */
function decoder(single: readonly number[], clears: number | undefined): Decoder<string> {
  let held: number[] = [];
  let odd = false;
  const finish = (unfinished = false): readonly (string | Fault)[] => {
    const bytes = Uint8Array.from(held.slice(0, MAX));
    const fault = held.length > MAX ? 'PROTO_LINE_TOO_LONG' : odd ? 'PROTO_NOT_TEXT' : unfinished ? 'PROTO_UNFINISHED' : undefined;
    const empty = held.length === 0;
    held = [];
    odd = false;
    return empty ? [] : [fault === undefined ? latin1(bytes) : new Fault(fault, bytes)];
  };
  return (bytes) => {
    if (bytes.length === 0) return finish(true);
    const said: (string | Fault)[] = [];
    for (const byte of bytes) {
      if (byte === CR || byte === LF) said.push(...finish());
      else if (byte === clears) {
        held = [];
        odd = false;
      } else if (single.includes(byte)) said.push(...finish(true), String.fromCharCode(byte));
      else {
        odd ||= !isText(byte);
        if (held.length <= MAX) held.push(byte);
      }
    }
    return said;
  };
}

function line(text: string): Uint8Array {
  const bytes = fromLatin1(text);
  if (text === '' || text.length > MAX || !bytes.every(isText))
    throw new Unsendable(`"${text}" is no line of 1 to ${MAX} printable characters`);
  return concat(bytes, Uint8Array.of(CR, LF));
}

/**
 * Pfeiffer TPG 26x and 36x: a mnemonic is answered by ACK or NAK, and ENQ by the data that the last mnemonic has made ready. So there are
 * two kinds of questions; an ACK never answers ENQ, and data never a mnemonic. ACK and NAK end without CR LF on some units. Source:
 * PyExpLabSys drivers/pfeiffer.py, hvl_ccb pfeiffer_tpg, ISIS EPICS-DeviceEmulator tpgx6x.
 */
export function pfeifferTpg(): Protocol<string, string> {
  return {
    asks: { encode: (q) => (q === ENQ ? fromLatin1(q) : line(q)), decoder: () => decoder([ENQ.charCodeAt(0)], ETX) },
    tells: {
      encode: (m) => (m === ACK || m === NAK ? fromLatin1(`${m}\r\n`) : line(m)),
      decoder: () => decoder([ACK.charCodeAt(0), NAK.charCodeAt(0)], undefined),
    },
    resync: Uint8Array.of(ETX),
    fits: (m, q) => ((m === ACK || m === NAK) === (q !== ENQ) ? 'answer' : 'late'),
  };
}
