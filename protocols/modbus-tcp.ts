import { type Addressed, bareAsk, echoed, fitsFrame, type ModbusAsk, type ModbusTell } from './modbus.ts';
import { decodeAsk, decodeTell, encodeAsk, encodeTell, likelyAsk, likelyTell, MAX_PDU } from './modbus-pdu.ts';
import { concat, type Decoder, Fault, type Protocol } from './protocol.ts';
import { whole } from './unsendable.ts';

/** Transaction (2), protocol 0 (2), length of unit and PDU (2), unit (1): MODBUS Messaging on TCP/IP v1.0b, 3.1.3. */
const HEADER = 7;

/** Noise is given out in pieces of this size. */
const PIECE = 256;

interface Shape<M> {
  readonly decode: (of: Addressed, pdu: Uint8Array) => M | undefined;
  readonly likely: (m: M) => boolean;
}

/**
 * Frames by the length in their header. After a header that cannot be one, each following byte may begin a frame, but it must then
 * also be a likely one of a known function. Faults: PROTO_NOISE, PROTO_UNFINISHED.
 */
function frames<M>(shape: Shape<M>): Decoder<M> {
  let held: Uint8Array = new Uint8Array(0);
  let noise: number[] = [];
  let trusted = true;

  /** The length of the whole frame that `held` begins with from `at` on; 0: not known yet; -1: it begins with none. */
  const size = (at: number): number => {
    const have = held.length - at;
    if ((have > 2 && held[at + 2] !== 0) || (have > 3 && held[at + 3] !== 0) || (have > 4 && held[at + 4] !== 0)) return -1;
    if (have <= 5) return 0;
    const length = held[at + 5];
    if (length < 2 || length > MAX_PDU + 1) return -1;
    if (have > HEADER && (held[at + HEADER] & 0x7f) === 0) return -1;
    return length + HEADER - 1;
  };

  const decode = (at: number, length: number): M | undefined => {
    const of = { unit: held[at + 6], id: (held[at] << 8) | held[at + 1] };
    return shape.decode(of, held.slice(at + HEADER, at + length));
  };

  return (bytes) => {
    const said: (M | Fault)[] = [];
    if (bytes.length === 0) {
      const left = concat(Uint8Array.from(noise), held);
      held = new Uint8Array(0);
      noise = [];
      trusted = true;
      return left.length > 0 ? [new Fault('PROTO_UNFINISHED', left)] : [];
    }
    held = concat(held, bytes);
    let at = 0;
    while (at < held.length) {
      const length = size(at);
      if (length === 0 || (length > 0 && at + length > held.length)) break;
      const m = length > 0 ? decode(at, length) : undefined;
      if (m !== undefined && (trusted || shape.likely(m))) {
        if (noise.length > 0) said.push(new Fault('PROTO_NOISE', Uint8Array.from(noise)));
        noise = [];
        trusted = true;
        said.push(m);
        at += length;
        continue;
      }
      trusted = false;
      noise.push(held[at++]);
      if (noise.length < PIECE) continue;
      said.push(new Fault('PROTO_NOISE', Uint8Array.from(noise)));
      noise = [];
    }
    held = held.slice(at);
    return said;
  };
}

function wrap(of: Addressed, pdu: Uint8Array): Uint8Array {
  const id = whole('the transaction', of.id ?? 0, 0xffff);
  return concat(Uint8Array.of(id >> 8, id & 0xff, 0, 0, 0, pdu.length + 1, whole('the unit', of.unit, 0xff)), pdu);
}

/** Modbus TCP in both roles. Every message has its transaction's 16-bit `id`; a reply with another one, or that fits not, is 'late'. */
export function modbusTcp(): Protocol<ModbusAsk, ModbusTell> {
  return {
    asks: { encode: (q) => wrap(q, encodeAsk(q)), decoder: () => frames({ decode: decodeAsk, likely: likelyAsk }) },
    tells: { encode: (m) => wrap(m, encodeTell(m)), decoder: () => frames({ decode: decodeTell, likely: likelyTell }) },
    fits: (m, q) => ((m.id ?? 0) === (q.id ?? 0) && fitsFrame(m, q) === 'answer' ? 'answer' : 'late'),
    apart: 'question',
    unit: (q) => q.unit,
    number: (q, n) => ({ ...q, id: n % 65536 }),
    bare: bareAsk,
    answers: (m, q) => ({ ...echoed(m, q), id: q.id ?? 0 }),
  };
}
