import { concat, type Decoder, Fault, type Protocol } from './protocol.ts';
import { Unsendable, whole } from './unsendable.ts';

interface Place {
  /** The number of the packet, 0 to 255. */
  readonly id: number;
  /** The register's address, 32 bits. */
  readonly address: number;
}

/** One to 255 bytes are read or written; without an id it is 0. */
export type RbcpAsk = Pick<Place, 'address'> &
  Partial<Pick<Place, 'id'>> &
  ({ readonly command: 'read'; readonly length: number } | { readonly command: 'write'; readonly data: Uint8Array });

/** A write's reply repeats its data; after a bus error the data means nothing and may be absent. */
export interface RbcpTell extends Place {
  readonly command: 'read' | 'write';
  readonly data: Uint8Array;
  readonly ack: boolean;
  readonly busError: boolean;
}

/** The most bytes that one packet reads or writes. */
export const RBCP_MOST = 255;

/** Version and type: 0xFF; then command, id, length, address (4, big-endian). */
const HEADER = 8;
const VERSION = 0xff;
const READ = 0xc0;
const WRITE = 0x80;
const ACK = 0x08;
const BUS_ERROR = 0x01;

function packet(command: number, place: Partial<Place> & Pick<Place, 'address'>, length: number, data: Uint8Array): Uint8Array {
  const head = new Uint8Array(HEADER);
  head.set([VERSION, command, whole('the id', place.id ?? 0, 0xff), length]);
  new DataView(head.buffer).setUint32(4, whole('the address', place.address, 0xffffffff));
  return concat(head, data);
}

function encodeAsk(q: RbcpAsk): Uint8Array {
  if (q.command === 'read') return packet(READ, q, whole('the length', q.length, RBCP_MOST, 1), new Uint8Array(0));
  return packet(WRITE, q, whole('the length of the data', q.data.length, RBCP_MOST, 1), q.data);
}

function encodeTell(m: RbcpTell): Uint8Array {
  if (m.data.length === 0 && !m.busError) throw new Unsendable('a reply without bus error has at least one byte of data');
  const command = (m.command === 'read' ? READ : WRITE) | (m.ack ? ACK : 0) | (m.busError ? BUS_ERROR : 0);
  return packet(command, m, whole('the length of the data', m.data.length, 255), m.data);
}

/**
 * A read or a write of any length as questions of `most` bytes and a rest, to be asked one after the other: the answers' data in that order
 * are the whole. An even `most` keeps 16-bit registers in one packet. Nothing is asked for no bytes.
 */
export function rbcpPieces(q: RbcpAsk, most = RBCP_MOST): readonly RbcpAsk[] {
  const step = whole('the most bytes of a packet', most, RBCP_MOST, 1);
  const length = q.command === 'read' ? whole('the length', q.length, 0xffffffff) : q.data.length;
  return Array.from({ length: Math.ceil(length / step) }, (_, i) => {
    const from = i * step;
    const address = whole('the address', q.address + from, 0xffffffff);
    if (q.command === 'read') return { ...q, address, length: Math.min(step, length - from) };
    return { ...q, address, data: q.data.subarray(from, from + step) };
  });
}

/** One datagram is one message; PROTO_BAD_PACKET is what is short, long or no RBCP. */
const packets =
  <M>(read: (place: Place, command: number, length: number, data: Uint8Array) => M | undefined): Decoder<M> =>
  (bytes) => {
    if (bytes.length === 0) return [];
    const bad = [new Fault('PROTO_BAD_PACKET', bytes.slice())];
    if (bytes.length < HEADER || bytes[0] !== VERSION) return bad;
    const place = { id: bytes[2], address: new DataView(bytes.buffer, bytes.byteOffset).getUint32(4) };
    const m = read(place, bytes[1], bytes[3], bytes.slice(HEADER));
    return m === undefined ? bad : [m];
  };

function ask(place: Place, command: number, length: number, data: Uint8Array): RbcpAsk | undefined {
  if (length === 0) return undefined;
  if (command === READ && data.length === 0) return { ...place, command: 'read', length };
  return command === WRITE && data.length === length ? { ...place, command: 'write', data } : undefined;
}

function tell(place: Place, command: number, length: number, data: Uint8Array): RbcpTell | undefined {
  const kind = command & 0xf0;
  const busError = (command & BUS_ERROR) !== 0;
  if ((kind !== READ && kind !== WRITE) || (command & 0x0f & ~(ACK | BUS_ERROR)) !== 0) return undefined;
  // Whether a packet with a bus error still has its data is not known: both forms are taken.
  if (busError ? data.length !== length && data.length !== 0 : length === 0 || data.length !== length) return undefined;
  return { ...place, command: kind === READ ? 'read' : 'write', data, ack: (command & ACK) !== 0, busError };
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);

function fits(m: RbcpTell, q: RbcpAsk): 'answer' | 'late' {
  if (!m.ack || m.id !== (q.id ?? 0) || m.command !== q.command || m.address !== q.address) return 'late';
  if (m.busError) return 'answer';
  return (q.command === 'read' ? m.data.length === q.length : same(m.data, q.data)) ? 'answer' : 'late';
}

/**
 * SiTCP's remote bus control over UDP (port 4660). A reply has the question's id, command, address and length, and a write's its data;
 * whatever has not is 'late', and so is a packet without ACK. Sources: BeeBeansTechnologies/sitcpy, SiLab-Bonn/basil, nchikuma/EASIROC.
 */
export function rbcp(): Protocol<RbcpAsk, RbcpTell> {
  return {
    framing: 'packets',
    asks: { encode: encodeAsk, decoder: () => packets(ask) },
    tells: { encode: encodeTell, decoder: () => packets(tell) },
    fits,
    apart: 'question',
    number: (q, n) => ({ ...q, id: n % 256 }),
    answers: (m, q) => ({ ...m, id: q.id ?? 0 }),
  };
}
