/** SNMP versions 1 and 2c (RFC 1157, RFC 3416): one datagram is one message, and the request's id tells replies apart. */
import { BerReader, integerBytes, integerOf, oidBefore, oidBytes, oidOf, tlv } from './ber.ts';
import { type Decoder, Fault, fromLatin1, latin1, type Protocol } from './protocol.ts';
import { NULL, readValue, type SnmpValue, valueBytes } from './snmp-value.ts';
import { whole } from './unsendable.ts';

export type { SnmpValue } from './snmp-value.ts';

/** A name (object identifier) with its value; questions that only name have null. */
export interface Binding {
  readonly name: string;
  readonly value: SnmpValue;
}

interface Message {
  /** v2c unless said. */
  readonly version?: 'v1' | 'v2c';
  readonly community: string;
  /** 0 unless said; the exchange gives each question its own. */
  readonly id?: number;
  readonly bindings: readonly Binding[];
}

export type SnmpAsk = Message &
  (
    | { readonly kind: 'get' | 'next' | 'set' }
    /** The first `once` names are followed by one name each, the others by up to `most`; v2c only. */
    | { readonly kind: 'bulk'; readonly once: number; readonly most: number }
  );

export interface SnmpTell extends Message {
  readonly kind: 'response' | 'report';
  /** RFC 3416, 3: 0 is none; see `errorWord`. */
  readonly error: number;
  /** The binding that the error is of, from 1; 0 where it is of none. */
  readonly errorIndex: number;
}

/** The names of what an agent refuses, RFC 3416, 3. */
const ERRORS: readonly string[] = [
  ...['noError', 'tooBig', 'noSuchName', 'badValue', 'readOnly', 'genErr', 'noAccess', 'wrongType', 'wrongLength', 'wrongEncoding'],
  ...['wrongValue', 'noCreation', 'inconsistentValue', 'resourceUnavailable', 'commitFailed', 'undoFailed', 'authorizationError'],
  ...['notWritable', 'inconsistentName'],
];
export const errorWord = (error: number): string => ERRORS[error] ?? `error ${error}`;

/** A question after values, or after what stands behind these names. */
export const named = (names: readonly string[]): readonly Binding[] => names.map((name) => ({ name, value: NULL }));

const VERSIONS = { v1: 0, v2c: 1 } as const;
const ASKS = { get: 0xa0, next: 0xa1, set: 0xa3, bulk: 0xa5 } as const;
const TELLS = { response: 0xa2, report: 0xa8 } as const;
const SEQUENCE = 0x30;
const INTEGER = 0x02;
const OCTETS = 0x04;
const OID = 0x06;
const I32 = 0x7fffffff;

const integer = (name: string, value: number): Uint8Array => tlv(INTEGER, integerBytes(whole(name, value, I32, -I32 - 1)));

function packet(m: Message, tag: number, first: number, second: number): Uint8Array {
  const bindings = m.bindings.map((b) => tlv(SEQUENCE, tlv(OID, oidBytes(b.name)), valueBytes(b.value)));
  return tlv(
    SEQUENCE,
    integer('the version', VERSIONS[m.version ?? 'v2c']),
    tlv(OCTETS, fromLatin1(m.community)),
    tlv(
      tag,
      integer('the id', m.id ?? 0),
      integer('the second number', first),
      integer('the third number', second),
      tlv(SEQUENCE, ...bindings),
    ),
  );
}

interface Parts extends Required<Message> {
  readonly tag: number;
  readonly first: number;
  readonly second: number;
}

const number = (content: Uint8Array | undefined): number | undefined => {
  const value = content && integerOf(content);
  return value !== undefined && BigInt.asIntN(32, value) === value ? Number(value) : undefined;
};

function partsOf(bytes: Uint8Array): Parts | undefined {
  const outer = new BerReader(bytes);
  const whole = outer.take(SEQUENCE);
  if (!whole || !outer.done) return undefined;
  const message = new BerReader(whole);
  const code = number(message.take(INTEGER));
  const version = code === VERSIONS.v1 ? 'v1' : code === VERSIONS.v2c ? 'v2c' : undefined;
  const community = message.take(OCTETS);
  const pdu = message.next();
  if (!version || !community || !pdu || !message.done) return undefined;
  const inner = new BerReader(pdu.content);
  const [id, first, second] = [inner, inner, inner].map((reader) => number(reader.take(INTEGER)));
  const list = inner.take(SEQUENCE);
  const bindings = list && bindingsOf(list);
  if (id === undefined || first === undefined || second === undefined || !bindings || !inner.done) return undefined;
  return { version, community: latin1(community), id, tag: pdu.tag, first, second, bindings };
}

function bindingsOf(list: Uint8Array): readonly Binding[] | undefined {
  const all: Binding[] = [];
  for (const reader = new BerReader(list); !reader.done; ) {
    const one = reader.take(SEQUENCE);
    if (!one) return undefined;
    const pair = new BerReader(one);
    const oid = pair.take(OID);
    const name = oid && oidOf(oid);
    const tagged = pair.next();
    const value = tagged && readValue(tagged);
    if (name === undefined || value === undefined || !pair.done) return undefined;
    all.push({ name, value });
  }
  return all;
}

const key = <T extends Readonly<Record<string, number>>>(table: T, tag: number): keyof T | undefined =>
  Object.keys(table).find((name) => table[name] === tag);

function ask({ tag, first, second, ...rest }: Parts): SnmpAsk | undefined {
  const kind = key(ASKS, tag);
  if (kind === 'bulk') return rest.version === 'v1' ? undefined : { ...rest, kind, once: Math.max(0, first), most: Math.max(0, second) };
  return kind && { ...rest, kind };
}

function tell({ tag, first, second, ...rest }: Parts): SnmpTell | undefined {
  const kind = key(TELLS, tag);
  return kind && { ...rest, kind, error: first, errorIndex: second };
}

/** One datagram is one message; PROTO_BAD_PACKET is what is no SNMP of version 1 or 2c. */
const packets =
  <M>(read: (parts: Parts) => M | undefined): Decoder<M> =>
  (bytes) => {
    if (bytes.length === 0) return [];
    const parts = partsOf(bytes);
    return [(parts && read(parts)) ?? new Fault('PROTO_BAD_PACKET', bytes.slice())];
  };

function encodeAsk(q: SnmpAsk): Uint8Array {
  return q.kind === 'bulk' ? packet(q, ASKS.bulk, whole('once', q.once, I32), whole('most', q.most, I32)) : packet(q, ASKS[q.kind], 0, 0);
}

/** The names of a reply without error are those of the question, or come after them. */
function follows(m: SnmpTell, q: SnmpAsk): boolean {
  const [got, asked] = [m.bindings, q.bindings];
  const last = (b: Binding): boolean => b.value.type === 'endOfMibView';
  switch (q.kind) {
    case 'get':
    case 'set':
      return got.length === asked.length && got.every((b, i) => b.name === asked[i]?.name);
    case 'next':
      return got.length === asked.length && got.every((b, i) => last(b) || oidBefore(asked[i]?.name ?? '', b.name));
    default: {
      const once = Math.min(q.once, asked.length);
      return got.length <= once + (asked.length - once) * q.most;
    }
  }
}

function fits(m: SnmpTell, q: SnmpAsk): 'answer' | 'late' {
  if ((m.id ?? 0) !== (q.id ?? 0) || (m.version ?? 'v2c') !== (q.version ?? 'v2c')) return 'late';
  return m.kind === 'report' || m.error !== 0 || follows(m, q) ? 'answer' : 'late';
}

/**
 * SNMP over UDP (port 161), with a community and no encryption. What has another id, version or other names than the question is 'late'.
 * A device that does not like the community says nothing at all.
 */
export function snmp(): Protocol<SnmpAsk, SnmpTell> {
  return {
    framing: 'packets',
    asks: { encode: encodeAsk, decoder: () => packets(ask) },
    tells: { encode: (m) => packet(m, TELLS[m.kind], m.error, m.errorIndex), decoder: () => packets(tell) },
    fits,
    apart: 'question',
    number: (q, n) => ({ ...q, id: 1 + ((n - 1) % I32) }),
    answers: (m, q) => ({ ...m, id: q.id ?? 0 }),
  };
}
