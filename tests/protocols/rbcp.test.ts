import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type RbcpAsk, type RbcpTell, rbcp } from '../../protocols/rbcp.ts';
import { decoded, hex, noise, SILENCE } from './splits.ts';

const protocol = rbcp();
const read: RbcpAsk = { command: 'read', id: 0x12, address: 0xf0000000, length: 4 };
const write: RbcpAsk = { command: 'write', id: 0x13, address: 0x0001000a, data: hex('DE AD') };
const readTell: RbcpTell = { command: 'read', id: 0x12, address: 0xf0000000, data: hex('01 02 03 04'), ack: true, busError: false };
const writeTell: RbcpTell = { command: 'write', id: 0x13, address: 0x0001000a, data: hex('DE AD'), ack: true, busError: false };

describe('RBCP packets', () => {
  test.each([
    [read, 'FF C0 12 04 F0 00 00 00'],
    [write, 'FF 80 13 02 00 01 00 0A DE AD'],
  ])('question %j is %s', (q, bytes) => {
    expect(protocol.asks.encode(q)).toEqual(hex(bytes));
    expect(decoded(protocol.asks.decoder, hex(bytes))).toEqual([q]);
  });

  test.each([
    [readTell, 'FF C8 12 04 F0 00 00 00 01 02 03 04'],
    [writeTell, 'FF 88 13 02 00 01 00 0A DE AD'],
    [{ ...readTell, data: hex('00 00 00 00'), busError: true }, 'FF C9 12 04 F0 00 00 00 00 00 00 00'],
    [{ ...writeTell, ack: false }, 'FF 80 13 02 00 01 00 0A DE AD'],
  ])('reply %j is %s', (m, bytes) => {
    expect(protocol.tells.encode(m)).toEqual(hex(bytes));
    expect(decoded(protocol.tells.decoder, hex(bytes))).toEqual([m]);
  });

  test('after a bus error the data may be absent', () => {
    const bare = hex('FF 89 13 02 00 01 00 0A');
    expect(decoded(protocol.tells.decoder, bare)).toEqual([{ ...writeTell, data: new Uint8Array(0), busError: true }]);
  });

  test.each([
    'FF',
    'FF C8 12 04 F0 00 00',
    'FE C8 12 04 F0 00 00 00 01 02 03 04', // version
    'FF C8 12 04 F0 00 00 00 01 02 03', // short
    'FF C8 12 04 F0 00 00 00 01 02 03 04 05', // long
    'FF CC 12 04 F0 00 00 00 01 02 03 04', // unknown flag
    'FF 48 12 04 F0 00 00 00 01 02 03 04', // unknown command
    'FF C8 12 00 F0 00 00 00', // nothing read
  ])('%s is no reply', (bytes) => {
    expect(decoded(protocol.tells.decoder, hex(bytes), protocol.tells.encode(readTell))).toEqual([
      { fault: 'PROTO_BAD_PACKET', bytes: [...hex(bytes)] },
      readTell,
    ]);
  });

  test.each(['FF C0 12 04 F0 00 00 00 01', 'FF C0 12 00 F0 00 00 00', 'FF 80 13 02 00 01 00 0A DE', 'FF C8 12 04 F0 00 00 00'])(
    '%s is no question',
    (bytes) => {
      expect(decoded(protocol.asks.decoder, hex(bytes))).toEqual([{ fault: 'PROTO_BAD_PACKET', bytes: [...hex(bytes)] }]);
    },
  );

  test('silence is nothing', () => {
    expect(decoded(protocol.tells.decoder, SILENCE)).toEqual([]);
  });

  test.each<RbcpAsk>([
    { ...read, id: 256 },
    { ...read, length: 0 },
    { ...read, length: 256 },
    { ...read, address: 2 ** 32 },
    { ...read, address: Number.NaN },
    { command: 'write', id: 0, address: 0, data: new Uint8Array(0) },
    { command: 'write', id: 0, address: 0, data: new Uint8Array(256) },
  ])('%o is not sent', (q) => {
    expect(() => protocol.asks.encode(q)).toThrow(expect.objectContaining({ code: 'PROTO_UNSENDABLE' }));
  });

  test('go round, and any datagram gives one message or one fault', () => {
    const id = fc.nat(255);
    const address = fc.nat(0xffffffff);
    const data = fc.uint8Array({ minLength: 1, maxLength: 255 });
    const asks: fc.Arbitrary<RbcpAsk> = fc.oneof(
      fc.record({ command: fc.constant('read' as const), id, address, length: fc.integer({ min: 1, max: 255 }) }),
      fc.record({ command: fc.constant('write' as const), id, address, data }),
    );
    const tells = fc.record({ command: fc.constantFrom('read', 'write'), id, address, data, ack: fc.boolean(), busError: fc.boolean() });
    fc.assert(
      fc.property(asks, tells, noise(300), (q, m, junk) => {
        expect(decoded(protocol.asks.decoder, protocol.asks.encode(q))).toEqual([q]);
        expect(decoded(protocol.tells.decoder, protocol.tells.encode(m))).toEqual([m]);
        const packet = Uint8Array.of(0xff, ...junk);
        expect(decoded<RbcpAsk>(protocol.asks.decoder, packet)).toHaveLength(1);
        expect(decoded<RbcpTell>(protocol.tells.decoder, packet)).toHaveLength(1);
        // a view into a larger buffer is read at its own place
        expect(decoded(protocol.asks.decoder, Uint8Array.of(1, 2, 3, ...protocol.asks.encode(q)).subarray(3))).toEqual([q]);
      }),
    );
  });
});

describe('which question a reply fits', () => {
  test.each<readonly [RbcpTell, RbcpAsk, string]>([
    [readTell, read, 'answer'],
    [writeTell, write, 'answer'],
    [{ ...readTell, id: 0x11 }, read, 'late'],
    [{ ...readTell, address: 0xf0000004 }, read, 'late'],
    [{ ...readTell, data: hex('01 02') }, read, 'late'],
    [{ ...readTell, command: 'write' }, read, 'late'],
    [{ ...readTell, ack: false }, read, 'late'],
    [{ ...writeTell, data: hex('DE AE') }, write, 'late'],
    [{ ...writeTell, data: new Uint8Array(0), busError: true }, write, 'answer'],
    [{ ...writeTell, id: 0x14, busError: true }, write, 'late'],
  ])('%j to %j: %s', (m, q, fit) => {
    expect(protocol.fits(m, q)).toBe(fit);
  });

  test('numbers have 8 bits', () => {
    expect([1, 255, 256, 257].map((n) => protocol.number?.(read, n).id)).toEqual([1, 255, 0, 1]);
    expect(protocol.apart).toBe('question');
  });
});
