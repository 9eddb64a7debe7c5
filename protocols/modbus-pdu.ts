/** The protocol data unit, function code first, that both framings of Modbus carry. */
import { type Addressed, MOST, type ModbusAsk, type ModbusTell } from './modbus.ts';
import { Unsendable, whole } from './unsendable.ts';

/**
 * How long a frame is by its first bytes: that many; not to be known before more came; closed by its checksum ('even': after whole
 * registers, 'open': anywhere); or no frame.
 */
export type Length = number | 'more' | 'even' | 'open' | 'none';

/** Section 4.1: a PDU is at most 253 bytes. */
export const MAX_PDU = 253;

const word = (value: number): readonly [number, number] => [value >> 8, value & 0xff];
const u16 = (name: string, value: number): readonly [number, number] => word(whole(name, value, 0xffff));
const at = (bytes: Uint8Array, i: number): number => (bytes[i] << 8) | bytes[i + 1];
const registers = (values: readonly number[]): number[] => values.flatMap((v) => u16('a register', v));

function bits(values: readonly boolean[]): number[] {
  const bytes = new Array<number>(Math.ceil(values.length / 8)).fill(0);
  for (const [i, on] of values.entries()) if (on) bytes[i >> 3] |= 1 << (i & 7);
  return bytes;
}

const unbits = (bytes: Uint8Array, count: number): boolean[] =>
  Array.from({ length: count }, (_, i) => ((bytes[i >> 3] >> (i & 7)) & 1) === 1);
function words(bytes: Uint8Array): number[] {
  const all: number[] = [];
  for (let i = 0; i + 1 < bytes.length; i += 2) all.push(at(bytes, i));
  return all;
}

function pdu(code: number, high: number, ...parts: readonly (readonly number[] | Uint8Array)[]): Uint8Array {
  const first = whole('the function', code, 0x7f, 1) | high;
  let length = 1;
  for (const part of parts) length += part.length;
  if (length > MAX_PDU) throw new Unsendable(`function ${code} with ${length} bytes is too long: at most ${MAX_PDU}`);
  const bytes = new Uint8Array(length);
  bytes[0] = first;
  let at = 1;
  for (const part of parts) for (let i = 0; i < part.length; i++) bytes[at++] = part[i];
  return bytes;
}

export function encodeAsk(q: ModbusAsk): Uint8Array {
  if ('raw' in q) return pdu(q.function, 0, q.raw);
  const make = (...parts: readonly (readonly number[])[]): Uint8Array => pdu(q.function, 0, ...parts);
  if (q.function === 8) return make(u16('the sub-function', q.sub), registers(q.data));
  const address = u16('the address', q.address);
  switch (q.function) {
    case 5:
      return make(address, [q.value ? 0xff : 0, 0]);
    case 6:
      return make(address, u16('the value', q.value));
    case 15:
      return make(address, u16('the count', q.values.length), [Math.ceil(q.values.length / 8)], bits(q.values));
    case 16:
      return make(address, u16('the count', q.values.length), [2 * q.values.length], registers(q.values));
    case 23: {
      const write = [...u16('the address', q.writeAddress), ...u16('the count', q.values.length), 2 * q.values.length];
      return make(address, u16('the count', q.count), write, registers(q.values));
    }
    default:
      return make(address, u16('the count', q.count));
  }
}

export function encodeTell(m: ModbusTell): Uint8Array {
  if ('exception' in m) return pdu(m.function, 0x80, [whole('the exception', m.exception, 0xff)]);
  if ('raw' in m) return pdu(m.function, 0, m.raw);
  const make = (...parts: readonly (readonly number[])[]): Uint8Array => pdu(m.function, 0, ...parts);
  switch (m.function) {
    case 1:
    case 2:
      return make([Math.ceil(m.values.length / 8)], bits(m.values));
    case 3:
    case 4:
    case 23:
      return make([2 * m.values.length], registers(m.values));
    case 5:
      return make(u16('the address', m.address), [m.value ? 0xff : 0, 0]);
    case 6:
      return make(u16('the address', m.address), u16('the value', m.value));
    case 8:
      return make(u16('the sub-function', m.sub), registers(m.data));
    case 15:
    case 16:
      return make(u16('the address', m.address), u16('the count', m.count));
  }
}

const coil = (bytes: Uint8Array): boolean | undefined => (at(bytes, 3) === 0xff00 ? true : at(bytes, 3) === 0 ? false : undefined);

/** The question in a whole PDU, raw where its fields contradict one another; undefined where the function is not 1 to 127. */
export function decodeAsk(of: Addressed, b: Uint8Array): ModbusAsk | undefined {
  const code = b[0];
  if (code === 0 || code > 0x7f) return undefined;
  const raw = (): ModbusAsk => ({ ...of, function: code, raw: b.slice(1) });
  const fixed = b.length === 5;
  switch (code) {
    case 1:
    case 2:
    case 3:
    case 4:
      return fixed ? { ...of, function: code, address: at(b, 1), count: at(b, 3) } : raw();
    case 5: {
      const value = coil(b);
      return fixed && value !== undefined ? { ...of, function: 5, address: at(b, 1), value } : raw();
    }
    case 6:
      return fixed ? { ...of, function: 6, address: at(b, 1), value: at(b, 3) } : raw();
    case 8:
      return b.length >= 5 && b.length % 2 === 1 ? { ...of, function: 8, sub: at(b, 1), data: words(b.subarray(3)) } : raw();
    case 15: {
      const count = at(b, 3);
      if (b.length < 6 || b.length !== 6 + b[5] || b[5] !== Math.ceil(count / 8)) return raw();
      return { ...of, function: 15, address: at(b, 1), values: unbits(b.subarray(6), count) };
    }
    case 16:
      if (b.length < 6 || b.length !== 6 + b[5] || b[5] !== 2 * at(b, 3)) return raw();
      return { ...of, function: 16, address: at(b, 1), values: words(b.subarray(6)) };
    case 23:
      if (b.length < 10 || b.length !== 10 + b[9] || b[9] !== 2 * at(b, 7)) return raw();
      return { ...of, function: 23, address: at(b, 1), count: at(b, 3), writeAddress: at(b, 5), values: words(b.subarray(10)) };
    default:
      return raw();
  }
}

/** Field by field: spreading an object and adding to it costs more than all else of a reply (measured, Node 20). */
const valued = <F extends number, V>({ unit, id }: Addressed, code: F, values: readonly V[]) =>
  id === undefined ? { unit, function: code, values } : { unit, id, function: code, values };

/** The reply in a whole PDU, raw where its fields contradict one another; undefined for function 0 and overlong exceptions. */
export function decodeTell(of: Addressed, b: Uint8Array): ModbusTell | undefined {
  const code = b[0];
  if (code > 0x80 && b.length === 2) return { ...of, function: code & 0x7f, exception: b[1] };
  if (code === 0 || code > 0x7f) return undefined;
  const raw = (): ModbusTell => ({ ...of, function: code, raw: b.slice(1) });
  const counted = b.length >= 3 && b.length === 2 + b[1];
  const fixed = b.length === 5;
  switch (code) {
    case 1:
    case 2:
      return counted ? valued(of, code, unbits(b.subarray(2), 8 * b[1])) : raw();
    case 3:
    case 4:
    case 23:
      return counted && b[1] % 2 === 0 ? valued(of, code, words(b.subarray(2))) : raw();
    case 5: {
      const value = coil(b);
      return fixed && value !== undefined ? { ...of, function: 5, address: at(b, 1), value } : raw();
    }
    case 6:
      return fixed ? { ...of, function: 6, address: at(b, 1), value: at(b, 3) } : raw();
    case 8:
      return b.length >= 5 && b.length % 2 === 1 ? { ...of, function: 8, sub: at(b, 1), data: words(b.subarray(3)) } : raw();
    case 15:
    case 16:
      return fixed ? { ...of, function: code, address: at(b, 1), count: at(b, 3) } : raw();
    default:
      return raw();
  }
}

/** Says how long the PDU is that begins at `from`, of bytes that are there up to `end`. */
export type LengthOf = (b: Uint8Array, from: number, end: number) => Length;

/** Sub-function 0 of function 8 repeats any number of registers, the others have one (section 6.8). */
const diagnostic: LengthOf = (b, from, end) => (end - from < 3 ? 'more' : at(b, from + 1) === 0 ? 'even' : 5);

/** A PDU whose byte at `place` counts those after it. */
const counted =
  (place: number): LengthOf =>
  (b, from, end) =>
    end - from <= place ? 'more' : place + 1 + b[from + place];
const long: LengthOf = (b, from, end) => (end - from <= 2 ? 'more' : 3 + at(b, from + 1));

/** Sections 6.1 to 6.18; 43 has no length of its own. */
const ASKS: Readonly<Record<number, number | LengthOf>> = {
  ...{ 1: 5, 2: 5, 3: 5, 4: 5, 5: 5, 6: 5, 7: 1, 8: diagnostic, 11: 1, 12: 1, 15: counted(5), 16: counted(5), 17: 1 },
  ...{ 20: counted(1), 21: counted(1), 22: 7, 23: counted(9), 24: 3 },
};
const one = counted(1);
const TELLS: Readonly<Record<number, number | LengthOf>> = {
  ...{ 1: one, 2: one, 3: one, 4: one, 5: 5, 6: 5, 7: 2, 8: diagnostic, 11: 5, 12: one, 15: 5, 16: 5, 17: one },
  ...{ 20: one, 21: one, 22: 7, 23: one, 24: long },
};

const known = (table: Readonly<Record<number, number | LengthOf>>, b: Uint8Array, from: number, end: number): Length | undefined => {
  const length = table[b[from]];
  return typeof length === 'function' ? length(b, from, end) : length;
};

/** The length of the question's PDU that begins so. Unknown functions are open: the server must answer them, with an exception. */
export const askLength: LengthOf = (b, from, end) => {
  if (end <= from) return 'more';
  if (b[from] === 0 || b[from] > 0x7f) return 'none';
  return known(ASKS, b, from, end) ?? 'open';
};

/**
 * The length of the reply's PDU that begins so. A reply with an unknown function is none: one frame in 256 has a shorter one with the
 * right checksum in it (its last byte happens to be the checksum of those before), and a short reply would be a wrong value.
 */
export const tellLength: LengthOf = (b, from, end) => {
  if (end <= from) return 'more';
  if (b[from] > 0x80) return 2;
  return known(TELLS, b, from, end) ?? 'none';
};

const room = (address: number, count: number, most: number): boolean => count >= 1 && count <= most && address + count <= 0x10000;
const KNOWN: readonly number[] = [1, 2, 3, 4, 5, 6, 8, 15, 16, 23];

/** Whether a question is such as a client would ask: what stands behind garbage must be more than a checksum that happens to fit. */
export function likelyAsk(q: ModbusAsk): boolean {
  if (q.unit > 247 || 'raw' in q) return false;
  switch (q.function) {
    case 1:
    case 2:
      return room(q.address, q.count, MOST.bits);
    case 3:
    case 4:
      return room(q.address, q.count, MOST.registers);
    case 15:
      return room(q.address, q.values.length, MOST.writeBits);
    case 16:
      return room(q.address, q.values.length, MOST.writeRegisters);
    case 23:
      return room(q.address, q.count, MOST.registers) && room(q.writeAddress, q.values.length, MOST.writeWhileReading);
    case 8:
      return q.sub <= 20;
    default:
      return true;
  }
}

/** Whether a reply is such as a server would give. */
export function likelyTell(m: ModbusTell): boolean {
  if (m.unit > 247 || 'raw' in m) return false;
  if ('exception' in m) return m.exception >= 1 && m.exception <= 11 && KNOWN.includes(m.function);
  switch (m.function) {
    case 1:
    case 2:
      return m.values.length <= MOST.bits;
    case 3:
    case 4:
    case 23:
      return m.values.length <= MOST.registers;
    case 15:
      return room(m.address, m.count, MOST.writeBits);
    case 16:
      return room(m.address, m.count, MOST.writeRegisters);
    case 8:
      return m.sub <= 20;
    default:
      return true;
  }
}
