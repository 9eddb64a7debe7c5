import { crc32 as zlib } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32, crc32Joiner } from '../../protocols/crc32.ts';
import { fromLatin1 } from '../../protocols/protocol.ts';

describe('CRC-32', () => {
  test('the check value of the standard', () => {
    expect(crc32(fromLatin1('123456789'))).toBe(0xcbf43926);
    expect(crc32(new Uint8Array(0))).toBe(0);
  });
  test("is zlib's, also when it goes on from what was before", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), fc.uint8Array({ maxLength: 70 }), (a, b) => {
        expect(crc32(a)).toBe(zlib(a));
        expect(crc32(b, crc32(a))).toBe(zlib(b, zlib(a)));
      }),
    );
  });
  test('of a head and a body it is that of both in a row', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 300 }), (head, body) => {
        expect(crc32Joiner(body.length)(crc32(head), crc32(body))).toBe(zlib(body, zlib(head)));
      }),
    );
  });
});
