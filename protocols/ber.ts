/** The part of ASN.1's basic encoding rules (X.690) that SNMP speaks: definite lengths, tags of one byte, integers, object identifiers. */
import { concat } from './protocol.ts';
import { Unsendable } from './unsendable.ts';

/** Tag, length, content. */
export function tlv(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const content = concat(...contents);
  return concat(Uint8Array.of(tag), lengthOf(content.length), content);
}

function lengthOf(n: number): Uint8Array {
  if (n < 0x80) return Uint8Array.of(n);
  const bytes: number[] = [];
  for (let rest = n; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Uint8Array.of(0x80 | bytes.length, ...bytes);
}

/** Two's complement in as few bytes as hold it, the high one first. An unsigned number above its sign bit gets a zero in front. */
export function integerBytes(value: number | bigint): Uint8Array {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw new Unsendable(`${value} is no whole number`);
  const bytes: number[] = [];
  let rest = BigInt(value);
  do {
    bytes.unshift(Number(rest & 0xffn));
    rest >>= 8n;
  } while (!(rest === 0n && bytes[0] < 0x80) && !(rest === -1n && bytes[0] >= 0x80));
  return Uint8Array.from(bytes);
}

/** The number of these bytes; undefined where there are none, or more than nine (64 bits without a sign). */
export function integerOf(bytes: Uint8Array): bigint | undefined {
  if (bytes.length === 0 || bytes.length > 9) return undefined;
  let value = bytes[0] >= 0x80 ? -1n : 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}

const MOST_ARCS = 128; // RFC 3416, 4.1
const ARC = 0xffffffff;

/** "1.3.6.1" as its content; throws Unsendable for what is no object identifier. */
export function oidBytes(oid: string): Uint8Array {
  const arcs = oid.split('.').map((arc) => (/^\d{1,10}$/.test(arc) ? Number(arc) : Number.NaN));
  const [first, second] = arcs;
  const fits =
    arcs.length >= 2 && arcs.length <= MOST_ARCS && arcs.every((arc) => arc <= ARC) && first <= 2 && (first === 2 || second < 40);
  if (!fits || 40 * first + second > ARC) throw new Unsendable(`"${oid}" is no object identifier`);
  return Uint8Array.from([40 * first + second, ...arcs.slice(2)].flatMap(arcBytes));
}

function arcBytes(arc: number): readonly number[] {
  const bytes = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift(0x80 | (rest % 128));
  return bytes;
}

/** Undefined where the bytes are no object identifier of at most 128 arcs of 32 bits. No bytes at all are "0.0", as net-snmp reads them. */
export function oidOf(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return '0.0';
  const arcs: number[] = [];
  let arc = 0;
  let open = false;
  for (const byte of bytes) {
    if (!open && byte === 0x80) return undefined;
    arc = arc * 128 + (byte & 0x7f);
    if (arc > ARC) return undefined;
    open = byte >= 0x80;
    if (open) continue;
    arcs.push(arc);
    arc = 0;
  }
  if (open || arcs.length + 1 > MOST_ARCS) return undefined;
  const [both, ...rest] = arcs;
  const first = both < 40 ? 0 : both < 80 ? 1 : 2;
  return [first, both - 40 * first, ...rest].join('.');
}

/** True when `a` comes before `b` in the order in which an agent's names stand. */
export function oidBefore(a: string, b: string): boolean {
  const [x, y] = [a, b].map((oid) => oid.split('.').map(Number));
  const at = x.findIndex((arc, i) => arc !== y[i]);
  return at < 0 ? x.length < y.length : (x[at] ?? -1) < (y[at] ?? -1);
}

export interface Tagged {
  readonly tag: number;
  readonly content: Uint8Array;
}

/** One element after another, out of bytes that nobody vouches for. */
export class BerReader {
  private readonly bytes: Uint8Array;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get done(): boolean {
    return this.at === this.bytes.length;
  }

  /** The next element, whose content is a view of the bytes; undefined where there is none that is whole. */
  next(): Tagged | undefined {
    const { bytes } = this;
    if (this.at + 2 > bytes.length || (bytes[this.at] & 0x1f) === 0x1f) return undefined;
    const tag = bytes[this.at];
    let start = this.at + 2;
    let length = bytes[this.at + 1];
    if (length >= 0x80) {
      const many = length & 0x7f;
      if (many === 0 || many > 4 || start + many > bytes.length) return undefined;
      length = bytes.subarray(start, start + many).reduce((n, byte) => n * 256 + byte, 0);
      start += many;
    }
    if (start + length > bytes.length) return undefined;
    this.at = start + length;
    return { tag, content: bytes.subarray(start, this.at) };
  }

  /** The content of the next element, where it has this tag. */
  take(tag: number): Uint8Array | undefined {
    const one = this.next();
    return one?.tag === tag ? one.content : undefined;
  }
}
