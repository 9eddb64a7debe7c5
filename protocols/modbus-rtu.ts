import { type Addressed, bareAsk, echoed, fitsFrame, type ModbusAsk, type ModbusTell } from './modbus.ts';
import {
  askLength,
  decodeAsk,
  decodeTell,
  encodeAsk,
  encodeTell,
  type Length,
  type LengthOf,
  likelyAsk,
  likelyTell,
  tellLength,
} from './modbus-pdu.ts';
import { type Decoder, Fault, type Protocol } from './protocol.ts';
import { whole } from './unsendable.ts';

/** Modbus over Serial Line v1.02, 6.2.2: polynomial 0xA001, first 0xFFFF; it goes out low byte first. */
export function crc16(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (let i = 0; i < bytes.length; i++) crc = (crc >> 8) ^ TABLE[(crc ^ bytes[i]) & 0xff];
  return crc;
}

/** What each value of the lower byte comes to. */
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  return crc;
});

/** Over a frame with its own checksum at the end the CRC is 0. */
const intact = (frame: Uint8Array): boolean => crc16(frame) === 0;

/** Whether a frame that only its checksum closes may have this length. */
const closes = (size: Length, length: number): boolean =>
  (size === 'open' && length >= 4) || (size === 'even' && length >= 8 && length % 2 === 0);

/** The longest frame: unit, PDU, CRC. */
const MAX = 256;

interface Shape<M> {
  readonly length: LengthOf;
  readonly decode: (of: Addressed, pdu: Uint8Array) => M | undefined;
  readonly likely: (m: M) => boolean;
}

/**
 * Finds frames by function and length, without time. Byte by byte: a frame that begins where the last one ended (or the line was
 * silent) may have any function and is awaited to its full length; meanwhile any likely frame of a known function with the right
 * checksum that ends at this byte is given at once, since what came before it may be garbage that only looks like the beginning of a
 * long frame. Should the long frame become whole after all, it is given, too: a reply that fits no question is 'late', a lost one is
 * lost. Questions of unknown functions are closed by the first checksum that fits, where the last frame ended; replies of such
 * functions are noise. Faults: PROTO_BAD_CRC, PROTO_NOISE, PROTO_UNFINISHED.
 */
function frames<M>(shape: Shape<M>): Decoder<M> {
  const store = new Uint8Array(4 * MAX);
  /** For each byte the length of the likely frame that would begin with it: 0 while not known, -1 for none. */
  const lengths = new Int16Array(4 * MAX);
  let n = 0;
  /** Bytes before this are given out already. */
  let done = 0;
  /** Here a frame of any kind may begin; undefined after noise. */
  let start: number | undefined = 0;
  let said: (M | Fault)[] = [];

  const length = (from: number): Length => {
    const found = shape.length(store, from + 1, n);
    return typeof found === 'number' ? (found + 3 > MAX ? 'none' : found + 3) : found;
  };
  const fault = (code: string, to: number): void => {
    if (to > done) said.push(new Fault(code, store.slice(done, to)));
    done = Math.max(done, to);
  };
  /** Forgets the bytes before `to`. */
  const drop = (to: number): void => {
    store.copyWithin(0, to, n);
    lengths.copyWithin(0, to, n);
    n -= to;
    done = Math.max(0, done - to);
    start = start === undefined || start < to ? undefined : start - to;
  };
  const fresh = (): void => {
    n = done = start = 0;
  };

  /** The first place where a frame may have begun that is not whole yet. */
  const alive = (): number => {
    for (let s = done; s < n; s++) {
      const size = n - s < 2 ? 'more' : length(s);
      if (size === 'more' || (typeof size === 'number' && size > n - s)) return s;
    }
    return n;
  };

  /** The frame from `from` to the last byte, if it is intact. */
  const frame = (from: number): M | undefined =>
    intact(store.subarray(from, n)) ? shape.decode({ unit: store[from] }, store.slice(from + 1, n - 2)) : undefined;

  /** The length of the likely frame that would begin at `s`; of those that only a checksum closes, just the commonest. */
  const likelyLength = (s: number): number => {
    const size = length(s);
    if (typeof size === 'number') return size;
    return size === 'more' ? 0 : size === 'even' ? 8 : -1;
  };

  const likelyFrom = (s: number): M | undefined => {
    if (lengths[s] === 0) lengths[s] = likelyLength(s);
    const m = lengths[s] === n - s ? frame(s) : undefined;
    return m !== undefined && shape.likely(m) ? m : undefined;
  };

  /** Deals with the frame that is awaited from `from` on, when this byte ends it well or badly: true then. */
  const awaited = (from: number): boolean => {
    const size = length(from);
    const whole = size === n - from;
    const m = whole || (done <= from && closes(size, n - from)) ? frame(from) : undefined;
    if (m !== undefined) {
      fault('PROTO_NOISE', from);
      said.push(m);
      fresh();
      return true;
    }
    if (!whole) {
      if (size === 'none' || n - from >= MAX) start = undefined;
      return false;
    }
    if (done > from) {
      const rest = store.slice(done, n);
      fresh();
      for (const byte of rest) take(byte);
      return true;
    }
    start = undefined;
    if (likely()) return true;
    const next = alive();
    fault('PROTO_BAD_CRC', next);
    start = n;
    drop(next);
    return true;
  };

  /** Gives the longest likely frame that this byte ends. */
  const likely = (): boolean => {
    for (let s = done; s <= n - 5; s++) {
      const m = likelyFrom(s);
      if (m === undefined) continue;
      fault('PROTO_NOISE', s);
      said.push(m);
      done = n;
      if (start === undefined || start >= s || typeof length(start) !== 'number') fresh();
      return true;
    }
    return false;
  };

  const take = (byte: number): void => {
    store[n] = byte;
    lengths[n++] = 0;
    if (start !== undefined && start < n - 1 && awaited(start)) return;
    if (likely()) return;
    if (start === undefined && done > 0) drop(done);
    if (n - done >= 2 * MAX) {
      fault('PROTO_NOISE', n - MAX);
      drop(done);
    }
  };

  return (bytes) => {
    said = [];
    if (bytes.length === 0) {
      fault('PROTO_UNFINISHED', n);
      fresh();
    }
    for (let i = 0; i < bytes.length; i++) take(bytes[i]);
    return said;
  };
}

function seal(unit: number, pdu: Uint8Array): Uint8Array {
  const end = pdu.length + 1;
  const bytes = new Uint8Array(end + 2);
  bytes[0] = whole('the unit', unit, 0xff);
  bytes.set(pdu, 1);
  const crc = crc16(bytes.subarray(0, end));
  bytes[end] = crc & 0xff;
  bytes[end + 1] = crc >> 8;
  return bytes;
}

const ASKS: Shape<ModbusAsk> = { length: askLength, decode: decodeAsk, likely: likelyAsk };
const TELLS: Shape<ModbusTell> = { length: tellLength, decode: decodeTell, likely: likelyTell };

/** Modbus RTU in both roles. Replies are told apart by unit only; messages have no `id`. */
export function modbusRtu(): Protocol<ModbusAsk, ModbusTell> {
  return {
    asks: { encode: (q) => seal(q.unit, encodeAsk(q)), decoder: () => frames(ASKS) },
    tells: { encode: (m) => seal(m.unit, encodeTell(m)), decoder: () => frames(TELLS) },
    fits: fitsFrame,
    apart: 'unit',
    unit: (q) => q.unit,
    bare: bareAsk,
    answers: echoed,
  };
}
