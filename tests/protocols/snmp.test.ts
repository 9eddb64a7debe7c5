import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { integerBytes, integerOf, oidBefore, oidBytes, oidOf, tlv } from '../../protocols/ber.ts';
import { Fault } from '../../protocols/protocol.ts';
import { errorWord, named, type SnmpAsk, type SnmpTell, type SnmpValue, snmp } from '../../protocols/snmp.ts';
import { valueBytes } from '../../protocols/snmp-value.ts';
import { Unsendable } from '../../protocols/unsendable.ts';

const hex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(' ');
const bytes = (text: string): Uint8Array => Uint8Array.from(text.split(' '), (b) => Number.parseInt(b, 16));
const { asks, tells, fits, number } = snmp();
const decoded = (packet: Uint8Array): SnmpTell | Fault => tells.decoder()(packet)[0];
const SYS_DESCR = '1.3.6.1.2.1.1.1.0';
const get: SnmpAsk = { version: 'v2c', community: 'public', kind: 'get', id: 1, bindings: named([SYS_DESCR]) };
const reply = (more: Partial<SnmpTell> = {}): SnmpTell => ({
  ...{ version: 'v2c', community: 'public', kind: 'response', id: 1, error: 0, errorIndex: 0 },
  bindings: [{ name: SYS_DESCR, value: { type: 'octets', value: bytes('57 49') } }],
  ...more,
});

describe('literal bytes', () => {
  // snmpget -v2c -c public of net-snmp 5.9, with the id 1
  const GET = '30 26 02 01 01 04 06 70 75 62 6c 69 63 a0 19 02 01 01 02 01 00 02 01 00 30 0e 30 0c 06 08 2b 06 01 02 01 01 01 00 05 00';
  test('a question', () => {
    expect(hex(asks.encode(get))).toBe(GET);
    expect(asks.decoder()(bytes(GET))).toEqual([get]);
    expect(hex(asks.encode({ ...get, version: 'v1', kind: 'next' })).slice(0, 44)).toBe('30 26 02 01 00 04 06 70 75 62 6c 69 63 a1 19');
    const bulk: SnmpAsk = { ...get, kind: 'bulk', once: 0, most: 25 };
    expect(hex(asks.encode(bulk))).toContain('a5 19 02 01 01 02 01 00 02 01 19 30 0e');
    expect(asks.decoder()(asks.encode(bulk))).toEqual([bulk]);
  });
  test('a float as WIENER-CRATE-MIB prints it', () => {
    expect(hex(valueBytes({ type: 'float', value: 123 }))).toBe('44 07 9f 78 04 42 f6 00 00');
  });
  test('names and numbers (X.690, 8.3 and 8.19)', () => {
    expect(hex(oidBytes('1.3.6.1.4.1.19947.1.3.2.1.5.701'))).toBe('2b 06 01 04 01 81 9b 6b 01 03 02 01 05 85 3d');
    expect(hex(oidBytes('2.999.3'))).toBe('88 37 03');
    const numbers = [0, 127, 128, 256, -1, -128, -129, 2147483647].map((n) => hex(integerBytes(n)));
    expect(numbers).toEqual(['00', '7f', '00 80', '01 00', 'ff', '80', 'ff 7f', '7f ff ff ff']);
  });
  test('lengths of one and of more bytes', () => {
    expect(hex(tlv(4, new Uint8Array(127)).subarray(0, 2))).toBe('04 7f');
    expect(hex(tlv(4, new Uint8Array(128)).subarray(0, 3))).toBe('04 81 80');
    expect(hex(tlv(4, new Uint8Array(1000)).subarray(0, 4))).toBe('04 82 03 e8');
  });
  test('a counter whose first bit is set, with and without its zero', () => {
    const of = (value: string): SnmpTell | Fault =>
      decoded(
        tlv(
          0x30,
          bytes('02 01 01 04 00'),
          tlv(0xa2, bytes('02 01 01 02 01 00 02 01 00'), tlv(0x30, tlv(0x30, bytes(`06 01 2b ${value}`)))),
        ),
      );
    const value = (m: SnmpTell | Fault): unknown => (m instanceof Fault ? m.fault : m.bindings[0].value);
    expect(value(of('41 05 00 ff ff ff fe'))).toEqual({ type: 'counter32', value: 4294967294 });
    expect(value(of('41 04 ff ff ff fe'))).toEqual({ type: 'counter32', value: 4294967294 });
    expect(value(of('46 09 00 ff ff ff ff ff ff ff ff'))).toEqual({ type: 'counter64', value: 18446744073709551615n });
    expect(value(of('81 00'))).toEqual({ type: 'noSuchInstance' });
    expect(value(of('44 03 01 02 03'))).toEqual({ type: 'opaque', value: bytes('01 02 03') });
    expect(value(of('02 05 01 00 00 00 00'))).toBe('PROTO_BAD_PACKET');
    expect(value(of('41 01 80'))).toEqual({ type: 'counter32', value: 128 });
    expect(value(of('1f 01 80'))).toBe('PROTO_BAD_PACKET');
  });
});

const arcs = fc.array(fc.oneof(fc.nat(200), fc.integer({ min: 0, max: 0xffffffff })), { minLength: 1, maxLength: 12 });
const name = fc.tuple(fc.nat(2), fc.nat(39), arcs).map(([a, b, rest]) => [a, b, ...rest].join('.'));
const some = fc.uint8Array({ maxLength: 300 });
const value: fc.Arbitrary<SnmpValue> = fc.oneof(
  fc.integer({ min: -0x80000000, max: 0x7fffffff }).map((n): SnmpValue => ({ type: 'integer', value: n })),
  fc
    .tuple(fc.constantFrom('counter32', 'gauge32', 'ticks'), fc.integer({ min: 0, max: 0xffffffff }))
    .map(([type, n]): SnmpValue => ({ type, value: n })),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map((n): SnmpValue => ({ type: 'counter64', value: n })),
  fc.float().map((n): SnmpValue => ({ type: 'float', value: n })),
  fc.double().map((n): SnmpValue => ({ type: 'double', value: n })),
  some.map((b): SnmpValue => ({ type: 'octets', value: b })),
  fc.uint8Array({ minLength: 4, maxLength: 4 }).map((b): SnmpValue => ({ type: 'address', value: b })),
  name.map((oid): SnmpValue => ({ type: 'oid', value: oid })),
  fc.constantFrom('null', 'noSuchObject', 'noSuchInstance', 'endOfMibView').map((type): SnmpValue => ({ type })),
);
const bindings = fc.array(fc.record({ name, value }), { maxLength: 12 });
const id = fc.integer({ min: -0x80000000, max: 0x7fffffff });
const version = fc.constantFrom('v1' as const, 'v2c' as const);
const community = fc.string({ unit: 'binary-ascii', maxLength: 20 });
const told: fc.Arbitrary<SnmpTell> = fc.record({
  ...{ version, community, id, bindings, kind: fc.constantFrom('response' as const, 'report' as const) },
  ...{ error: fc.nat(18), errorIndex: fc.nat(12) },
});

describe('any message', () => {
  test('comes back as it went', () => {
    fc.assert(fc.property(told, (m) => void expect(decoded(tells.encode(m))).toEqual(m)));
    const asked = fc.record({ version, community, id, bindings, kind: fc.constantFrom('get' as const, 'next' as const, 'set' as const) });
    fc.assert(fc.property(asked, (q) => void expect(asks.decoder()(asks.encode(q))).toEqual([q])));
    fc.assert(fc.property(fc.bigInt({ min: -(1n << 63n), max: (1n << 64n) - 1n }), (n) => void expect(integerOf(integerBytes(n))).toBe(n)));
    fc.assert(fc.property(name, (oid) => void expect(oidOf(oidBytes(oid))).toBe(oid)));
  });
  test('cut off, longer or garbled: a Fault or another whole message, never an exception', () => {
    fc.assert(
      fc.property(told, fc.nat(), fc.nat(255), fc.nat(), (m, at, byte, cut) => {
        const packet = tells.encode(m);
        const short = decoded(packet.subarray(0, 1 + (cut % (packet.length - 1))));
        expect(short).toBeInstanceOf(Fault);
        expect(decoded(Uint8Array.of(...packet, byte))).toBeInstanceOf(Fault);
        const other = packet.slice();
        other[at % other.length] = byte;
        for (const read of [decoded(other), asks.decoder()(other)[0]]) {
          if (read instanceof Fault) expect(read).toMatchObject({ fault: 'PROTO_BAD_PACKET', bytes: other });
          else if ('error' in read) expect(decoded(tells.encode(read))).toEqual(read);
        }
      }),
    );
  });
  test('noise is a Fault', () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (noise) => void expect(decoded(noise)).toBeInstanceOf(Fault)));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
        expect(() => decoded(tlv(0x30, bytes('02 01 01 04 00'), tlv(0xa2, noise)))).not.toThrow();
      }),
    );
    expect(decoded(bytes('30 80 02 01 01 00 00'))).toBeInstanceOf(Fault); // an indefinite length
    expect(decoded(bytes('30 84 ff ff ff ff 02'))).toBeInstanceOf(Fault);
    expect(tells.decoder()(new Uint8Array(0))).toEqual([]);
  });
  test('version 3 is not taken', () => {
    expect(decoded(bytes('30 05 02 01 03 30 00'))).toBeInstanceOf(Fault);
  });
});

test('what no wire can carry is said before a byte is sent', () => {
  const set = (of: SnmpValue) => () => asks.encode({ community: 'guru', kind: 'set', bindings: [{ name: SYS_DESCR, value: of }] });
  expect(set({ type: 'integer', value: 2 ** 31 })).toThrow(Unsendable);
  expect(set({ type: 'gauge32', value: -1 })).toThrow(Unsendable);
  expect(set({ type: 'counter64', value: 1n << 64n })).toThrow(Unsendable);
  expect(set({ type: 'integer', value: 1.5 })).toThrow(Unsendable);
  for (const bad of ['1', '3.1', '1.40', '1.3.x', '1.3.-1', '', '1.3.4294967296']) expect(() => oidBytes(bad), bad).toThrow(Unsendable);
});

describe('whose answer it is', () => {
  test('by id, version and names', () => {
    expect(fits(reply(), get)).toBe('answer');
    expect(fits(reply({ id: 2 }), get)).toBe('late');
    expect(fits(reply({ version: 'v1' }), get)).toBe('late');
    expect(fits(reply({ bindings: [{ name: '1.3.6.1.2.1.1.2.0', value: { type: 'null' } }] }), get)).toBe('late');
    expect(fits(reply({ bindings: [] }), get)).toBe('late');
    expect(fits(reply({ bindings: [], error: 2, errorIndex: 1 }), get)).toBe('answer');
    expect(errorWord(2)).toBe('noSuchName');
    expect(errorWord(99)).toBe('error 99');
  });
  test('a walk goes on and never back', () => {
    const next: SnmpAsk = { ...get, kind: 'next' };
    expect(fits(reply(), next)).toBe('late');
    expect(fits(reply({ bindings: [{ name: '1.3.6.1.2.1.1.2.0', value: { type: 'null' } }] }), next)).toBe('answer');
    expect(oidBefore('1.3.6', '1.3.6.1')).toBe(true);
    expect(oidBefore('1.3.10', '1.3.9')).toBe(false);
    expect(oidBefore('1.3.9', '1.3.9')).toBe(false);
  });
  test('each question has its own number', () => {
    expect(number?.(get, 7)).toEqual({ ...get, id: 7 });
    expect(number?.(get, 0x7fffffff + 1)).toEqual({ ...get, id: 1 });
  });
});
