/** The values of SNMP (RFC 2578, RFC 3416) with net-snmp's floating point numbers inside Opaque. */
import { integerBytes, integerOf, oidBytes, oidOf, type Tagged, tlv } from './ber.ts';
import { Unsendable, whole } from './unsendable.ts';

export type SnmpValue =
  | { readonly type: 'integer' | 'counter32' | 'gauge32' | 'ticks'; readonly value: number }
  | { readonly type: 'counter64'; readonly value: bigint }
  /** IEEE 754 of 32 or 64 bits. */
  | { readonly type: 'float' | 'double'; readonly value: number }
  | { readonly type: 'octets' | 'address' | 'opaque'; readonly value: Uint8Array }
  | { readonly type: 'oid'; readonly value: string }
  /** The last three stand in the place of a value that there is not. */
  | { readonly type: 'null' | 'noSuchObject' | 'noSuchInstance' | 'endOfMibView' };

export const NULL: SnmpValue = { type: 'null' };

/** RFC 3416, 3: the tags of the values. */
const TAGS = {
  integer: 0x02,
  octets: 0x04,
  null: 0x05,
  oid: 0x06,
  address: 0x40,
  counter32: 0x41,
  gauge32: 0x42,
  ticks: 0x43,
  opaque: 0x44,
  counter64: 0x46,
  noSuchObject: 0x80,
  noSuchInstance: 0x81,
  endOfMibView: 0x82,
} as const;
const WORDS = new Map<number, keyof typeof TAGS>(
  (Object.keys(TAGS) as (keyof typeof TAGS)[]).map((type) => [TAGS[type], type]), // its own keys
);
/** Float and double inside Opaque: 9F 78 04 and 9F 79 08 (the Float convention of WIENER-CRATE-MIB, net-snmp's asn1.h). */
const FLOAT = [0x9f, 0x78, 0x04] as const;
const DOUBLE = [0x9f, 0x79, 0x08] as const;

const U32 = 0xffffffff;

/** Throws Unsendable for a number that its type does not hold. */
export function valueBytes(v: SnmpValue): Uint8Array {
  switch (v.type) {
    case 'integer':
      return tlv(TAGS.integer, integerBytes(whole('the integer', v.value, 0x7fffffff, -0x80000000)));
    case 'counter32':
    case 'gauge32':
    case 'ticks':
      return tlv(TAGS[v.type], integerBytes(whole(`the ${v.type}`, v.value, U32)));
    case 'counter64':
      if (v.value < 0n || v.value >= 1n << 64n) throw new Unsendable(`${v.value} does not fit into 64 bits`);
      return tlv(TAGS.counter64, integerBytes(v.value));
    case 'float':
    case 'double': {
      const [head, size] = v.type === 'float' ? [FLOAT, 4] : [DOUBLE, 8];
      const bytes = new Uint8Array(3 + size);
      bytes.set(head);
      const view = new DataView(bytes.buffer);
      if (v.type === 'float') view.setFloat32(3, v.value);
      else view.setFloat64(3, v.value);
      return tlv(TAGS.opaque, bytes);
    }
    case 'address':
      if (v.value.length !== 4) throw new Unsendable('an address has four bytes');
      return tlv(TAGS.address, v.value);
    case 'octets':
    case 'opaque':
      return tlv(TAGS[v.type], v.value);
    case 'oid':
      return tlv(TAGS.oid, oidBytes(v.value));
    default:
      return tlv(TAGS[v.type]);
  }
}

/** Undefined for what is no value of SNMP. */
export function readValue({ tag, content }: Tagged): SnmpValue | undefined {
  const type = WORDS.get(tag);
  switch (type) {
    case undefined:
      return undefined;
    case 'integer': {
      const value = integerOf(content);
      return value !== undefined && BigInt.asIntN(32, value) === value ? { type, value: Number(value) } : undefined;
    }
    case 'counter32':
    case 'gauge32':
    case 'ticks': {
      const value = integerOf(content);
      if (value === undefined) return undefined;
      // Some agents leave out the zero in front of four bytes whose first has its high bit set.
      const unsigned = content.length <= 4 && value < 0n ? BigInt.asUintN(8 * content.length, value) : value;
      return unsigned >= 0n && unsigned <= BigInt(U32) ? { type, value: Number(unsigned) } : undefined;
    }
    case 'counter64': {
      const value = integerOf(content);
      if (value === undefined) return undefined;
      const unsigned = content.length <= 8 && value < 0n ? BigInt.asUintN(8 * content.length, value) : value;
      return unsigned >= 0n && unsigned < 1n << 64n ? { type, value: unsigned } : undefined;
    }
    case 'octets':
      return { type, value: content.slice() };
    case 'opaque':
      return opaque(content);
    case 'address':
      return content.length === 4 ? { type, value: content.slice() } : undefined;
    case 'oid': {
      const value = oidOf(content);
      return value === undefined ? undefined : { type, value };
    }
    default:
      return content.length === 0 ? { type } : undefined;
  }
}

function opaque(content: Uint8Array): SnmpValue {
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  if (content.length === 7 && FLOAT.every((b, i) => content[i] === b)) return { type: 'float', value: view.getFloat32(3) };
  if (content.length === 11 && DOUBLE.every((b, i) => content[i] === b)) return { type: 'double', value: view.getFloat64(3) };
  return { type: 'opaque', value: content.slice() };
}
