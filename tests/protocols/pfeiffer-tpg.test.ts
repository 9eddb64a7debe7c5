import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ACK, ENQ, NAK, pfeifferTpg } from '../../protocols/pfeiffer-tpg.ts';
import { concat, Fault, fromLatin1, latin1 } from '../../protocols/protocol.ts';
import { Unsendable } from '../../protocols/unsendable.ts';

const { asks, tells, fits } = pfeifferTpg();
const SILENCE = new Uint8Array(0);
const told = (text: string) => tells.decoder()(fromLatin1(text));

describe('literal bytes', () => {
  test('a mnemonic, ENQ, and what is answered', () => {
    expect(latin1(asks.encode('PR1'))).toBe('PR1\r\n');
    expect(latin1(asks.encode(ENQ))).toBe('\x05');
    expect(latin1(tells.encode(ACK))).toBe('\x06\r\n');
    expect(told('\x06\r\n0,1.2345E-05\r\n\x15\r\n')).toEqual([ACK, '0,1.2345E-05', NAK]);
    expect(asks.decoder()(fromLatin1('PR1\r\x05SEN,2,0\r\n'))).toEqual(['PR1', ENQ, 'SEN,2,0']);
  });
  test('ACK without CR LF, and lines that end in CR alone', () => {
    expect(told('\x060\r')).toEqual([ACK, '0']);
    expect(told('\x06')).toEqual([ACK]);
  });
  test('ETX clears what the unit has heard', () => {
    expect(asks.decoder()(fromLatin1('PR\x03UNI\r\n'))).toEqual(['UNI']);
  });
  test('noise, endless lines and what is cut off', () => {
    expect(told('0,1\x80\r\n')).toEqual([new Fault('PROTO_NOT_TEXT', fromLatin1('0,1\x80'))]);
    expect(told(`${'1'.repeat(1000)}\r\n`)).toEqual([new Fault('PROTO_LINE_TOO_LONG', fromLatin1('1'.repeat(256)))]);
    const decode = tells.decoder();
    expect(decode(fromLatin1('0,1.2'))).toEqual([]);
    expect(decode(SILENCE)).toEqual([new Fault('PROTO_UNFINISHED', fromLatin1('0,1.2'))]);
    expect(decode(SILENCE)).toEqual([]);
    expect(told('0,1.2\x06\r\n')).toEqual([new Fault('PROTO_UNFINISHED', fromLatin1('0,1.2')), ACK]);
    for (const bad of ['', 'PR1\r', 'é', 'x'.repeat(300)]) expect(() => asks.encode(bad)).toThrow(Unsendable);
  });
});

test('any split of anything decodes alike and never throws', () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.constantFrom('\x06\r\n', '\x15\r\n', '0,1.2345E-05\r\n', '2,1\r\n').map(fromLatin1),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }), (pieces, steps) => {
      const stream = concat(...pieces);
      for (const make of [tells.decoder, asks.decoder]) {
        const whole = make();
        const once = [...(stream.length > 0 ? whole(stream) : []), ...whole(SILENCE)];
        const split = make();
        const parts: (string | Fault)[] = [];
        for (let at = 0, k = 0; at < stream.length; k++) {
          const end = at + steps[k % steps.length];
          parts.push(...split(stream.subarray(at, end)));
          at = end;
        }
        expect([...parts, ...split(SILENCE)]).toEqual(once);
      }
    }),
  );
});

test('data never answer a mnemonic, and no ACK answers ENQ', () => {
  expect(fits(ACK, 'PR1')).toBe('answer');
  expect(fits(NAK, 'PR1')).toBe('answer');
  expect(fits('0,1.0E-05', 'PR1')).toBe('late');
  expect(fits('0,1.0E-05', ENQ)).toBe('answer');
  expect(fits(ACK, ENQ)).toBe('late');
});
