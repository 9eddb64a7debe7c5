import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type NeslabFrame, neslab, neslabValue, neslabWord } from '../../protocols/neslab.ts';
import { concat } from '../../protocols/protocol.ts';
import { Unsendable } from '../../protocols/unsendable.ts';
import { cut, decoded, hex, noise, places, SILENCE } from './splits.ts';

const protocol = neslab();
const rs485 = neslab({ bus: 'rs485' });
const read = (command: number, address = 1): NeslabFrame => ({ address, command, data: [] });

describe('NESLAB', () => {
  // Table 1 of the RTE 7 and EX manuals; the printed 84 of "Read Cool Proportional Band" contradicts the manual's own rule.
  test.each([
    ['CA 00 01 00 00 FE', read(0x00)],
    ['CA 00 01 09 00 F5', read(0x09)],
    ['CA 00 01 20 00 DE', read(0x20)],
    ['CA 00 01 21 00 DD', read(0x21)],
    ['CA 00 01 70 00 8E', read(0x70)],
    ['CA 00 01 40 00 BE', read(0x40)],
    ['CA 00 01 60 00 9E', read(0x60)],
    ['CA 00 01 71 00 8D', read(0x71)],
    ['CA 00 01 72 00 8C', read(0x72)],
    ['CA 00 01 73 00 8B', read(0x73)],
    ['CA 00 01 74 00 8A', read(0x74)],
    ['CA 00 01 75 00 89', read(0x75)],
    ['CA 00 01 76 00 88', read(0x76)],
    ['CA 00 01 20 03 11 02 71 57', { address: 1, command: 0x20, data: [0x11, 0x02, 0x71] }],
    ['CA 00 01 20 03 11 FF 97 34', { address: 1, command: 0x20, data: [0x11, 0xff, 0x97] }],
    ['CA 00 01 81 08 01 02 02 02 02 02 02 02 66', { address: 1, command: 0x81, data: [1, 2, 2, 2, 2, 2, 2, 2] }],
  ] as const)('%s', (bytes, frame) => {
    expect(protocol.asks.encode(frame)).toEqual(hex(bytes));
    expect(decoded(protocol.tells.decoder, hex(bytes))).toEqual([frame]);
  });

  test('RS-485 begins with CC', () => {
    const frame = { address: 3, command: 0xf0, data: [0x11, 0x01, 0x2c] };
    expect(rs485.tells.encode(frame)).toEqual(hex('CC 00 03 F0 03 11 01 2C CB'));
    expect(decoded(rs485.tells.decoder, hex('CC 00 03 F0 03 11 01 2C CB'))).toEqual([frame]);
    expect(decoded(protocol.tells.decoder, hex('CC 00 03 F0 03 11 01 2C CB'), SILENCE)).toEqual([
      { fault: 'PROTO_NOISE', bytes: [...hex('CC 00 03 F0 03 11 01 2C CB')] },
    ]);
  });

  test('values are signed, with the decimals that the qualifier tells', () => {
    expect(neslabValue([0x11, 0x02, 0x71])).toEqual({ value: 62.5, decimals: 1, unit: 1 });
    expect(neslabValue([0x11, 0xff, 0x97])).toEqual({ value: -10.5, decimals: 1, unit: 1 });
    expect(neslabValue([0x21, 0x09, 0xc4])).toEqual({ value: 25, decimals: 2, unit: 1 });
    expect(neslabValue([0x20, 0x00, 0x96])).toEqual({ value: 1.5, decimals: 2, unit: 0 });
    expect([neslabValue([0x11, 1]), neslabValue([0xf1, 0, 0])]).toEqual([undefined, undefined]);
    expect(neslabWord(45.6, 1)).toEqual([0x01, 0xc8]);
    expect(neslabWord(-10.5, 1)).toEqual([0xff, 0x97]);
    for (const [value, decimals] of [
      [400, 2],
      [Number.NaN, 1],
    ] as const)
      expect(() => neslabWord(value, decimals)).toThrow(Unsendable);
  });

  test('what no frame can carry is not sent', () => {
    for (const frame of [
      read(0x20, 0),
      read(0x20, 101),
      { address: 1, command: 256, data: [] },
      { address: 1, command: 1, data: Array(9).fill(0) },
    ])
      expect(() => protocol.asks.encode(frame)).toThrow(Unsendable);
  });

  test('a wrong checksum, noise around frames, and silence in the middle', () => {
    const good = hex('CA 00 01 20 03 11 02 71 57');
    const wrong = hex('CA 00 01 20 03 11 02 70 57');
    expect(decoded(protocol.tells.decoder, concat(wrong, good))).toEqual([
      { fault: 'PROTO_BAD_CRC', bytes: [...wrong] },
      { address: 1, command: 0x20, data: [0x11, 0x02, 0x71] },
    ]);
    expect(decoded(protocol.tells.decoder, concat(hex('00 CA 00 CA'), good))).toEqual([
      { fault: 'PROTO_NOISE', bytes: [...hex('00 CA 00 CA')] },
      { address: 1, command: 0x20, data: [0x11, 0x02, 0x71] },
    ]);
    expect(decoded(protocol.tells.decoder, good.slice(0, 7), SILENCE, good)).toEqual([
      { fault: 'PROTO_UNFINISHED', bytes: [...good.slice(0, 7)] },
      { address: 1, command: 0x20, data: [0x11, 0x02, 0x71] },
    ]);
  });

  const answer = (command: number, ...data: readonly number[]): NeslabFrame => ({ address: 1, command, data });
  test.each([
    ['the value that was asked', answer(0x20, 0x11, 0, 1), read(0x20), 'answer'],
    ['another value', answer(0x70, 0x11, 0, 1), read(0x20), 'late'],
    ['another unit', { ...answer(0x20, 0x11, 0, 1), address: 2 }, read(0x20), 'unasked'],
    ['an error about it', answer(0x0f, 1, 0x21), read(0x21), 'answer'],
    ['an error about another', answer(0x0f, 1, 0x21), read(0x20), 'late'],
    ['a checksum error', answer(0x0f, 3, 0x99), read(0x20), 'answer'],
    ['its echo', read(0x20), read(0x20), 'unasked'],
    ['the echo of a setting', answer(0xf0, 0, 1), answer(0xf0, 0, 1), 'unasked'],
    ['a setting taken', answer(0xf0, 0x11, 0, 1), answer(0xf0, 0, 1), 'answer'],
    ['the echo of an array', answer(0x81, 1, 2, 2), answer(0x81, 1, 2, 2), 'unasked'],
    ['an array', answer(0x81, 1, 0, 1), answer(0x81, 1, 2, 2), 'answer'],
  ] as const)('%s', (_name, m, q, fit) => {
    expect(protocol.fits(m, q)).toBe(fit);
  });

  const frame = fc.record({
    address: fc.integer({ min: 1, max: 100 }),
    command: fc.nat(255),
    data: fc.array(fc.nat(255), { maxLength: 8 }),
  });
  test('goes round in any split, and any noise is read alike in any split', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), places, (all, at) => {
        for (const p of [protocol, rs485]) expect(decoded(p.asks.decoder, ...cut(concat(...all.map(p.asks.encode)), at))).toEqual(all);
      }),
    );
    const bytes = fc.array(fc.oneof(noise(20), fc.constant(hex('CA 00 01 20 00')), frame.map(protocol.asks.encode)), { maxLength: 10 });
    fc.assert(
      fc.property(bytes, places, (all, at) => {
        const whole = concat(...all);
        const pieces = whole.length > 0 ? [whole] : [];
        expect(decoded(protocol.tells.decoder, ...cut(whole, at))).toEqual(decoded(protocol.tells.decoder, ...pieces));
        expect(decoded(protocol.tells.decoder, ...pieces, SILENCE, protocol.asks.encode(read(0x20))).at(-1)).toEqual(read(0x20));
      }),
    );
  });
});
