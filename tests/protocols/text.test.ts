import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, fromLatin1 } from '../../protocols/protocol.ts';
import { decimal, type LineOptions, lines, text } from '../../protocols/text.ts';
import { cut, decoded, noise, places, SILENCE } from './splits.ts';

const from = (options: string | LineOptions, ...pieces: readonly string[]) => decoded(() => lines(options), ...pieces.map(fromLatin1));
const bytes = (s: string): number[] => [...fromLatin1(s)];
const ANY = ['\r', '\n', '\r\n'];

describe('lines', () => {
  test('come without their terminator, in any pieces', () => {
    expect(from('\n', '+1.25', 'E-06\n22.', '0\n')).toEqual(['+1.25E-06', '22.0']);
    expect(from('\r\n', 'a\r', '\nb\r\n')).toEqual(['a', 'b']);
  });

  test('end with CR, LF or CRLF where each is accepted, without empty lines', () => {
    expect(from({ terminator: ANY }, 'a\rb\nc\r\nd\r', '\ne\r\n\r\n\n')).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(from({ terminator: ['\r', '\r\n'] }, 'a\r', '\n', 'b\r\n')).toEqual(['a', 'b']);
    expect(from({ terminator: ['\r', '\r\n'] }, 'a\nb\r')).toEqual([{ fault: 'PROTO_NOT_TEXT', bytes: bytes('a\nb') }]);
  });

  test('end with a prompt that comes in steps', () => {
    expect(from({ terminator: ['\r', '\r\n', '\r\n>'] }, 'x\r', '\n', '>y\r\n', '>')).toEqual(['x', 'y']);
  });

  test('are faults where they are no text', () => {
    expect(from('\n', 'a\x00b\nok\n')).toEqual([{ fault: 'PROTO_NOT_TEXT', bytes: bytes('a\x00b') }, 'ok']);
    expect(from('\r\n', 'a\rb\r\n')).toEqual([{ fault: 'PROTO_NOT_TEXT', bytes: bytes('a\rb') }]);
    expect(from('\n', 'a\tb\n\xb5\n')).toEqual(['a\tb', { fault: 'PROTO_NOT_TEXT', bytes: [0xb5] }]);
    expect(from({ eightBit: true }, '5 \xb5V\x07\n')).toEqual(['5 \xb5V\x07']);
  });

  test('are one fault, at their end, when they are too long', () => {
    const options = { terminator: '\r\n', max: 4 };
    expect(from(options, 'abcd\r\n')).toEqual(['abcd']);
    expect(from(options, 'abcde\r\nf\r\n')).toEqual([{ fault: 'PROTO_LINE_TOO_LONG', bytes: bytes('abcde') }, 'f']);
    expect(from(options, 'x'.repeat(1000), '\r', '\nf\r\n')).toEqual([{ fault: 'PROTO_LINE_TOO_LONG', bytes: bytes('xxxxx') }, 'f']);
    expect(from(options, 'x'.repeat(1000))).toEqual([]);
  });

  test('are faults when silence comes before their end', () => {
    expect(from('\n', 'abc', '', 'd\n')).toEqual([{ fault: 'PROTO_UNFINISHED', bytes: bytes('abc') }, 'd']);
    expect(from({ max: 3 }, 'abcdefgh', '', 'd\n')).toEqual([{ fault: 'PROTO_LINE_TOO_LONG', bytes: bytes('abcd') }, 'd']);
    expect(from({ terminator: ['\r', '\r\n'] }, 'a\r', '', '\nb\r')).toEqual(['a', 'b']);
    expect(from('\n', '', '')).toEqual([]);
  });

  test('decode alike in any split, whatever comes', () => {
    const alphabet = fc.constantFrom(...fromLatin1('ab\r\n>\x00\xff'));
    const terminators = fc.constantFrom<string | string[]>('\n', '\r\n', ANY, ['\r', '\r\n'], ['\r\n>', '\n'], ['\r', '\r\n>']);
    fc.assert(
      fc.property(fc.array(alphabet, { maxLength: 200 }), places, terminators, fc.nat(9), (stream, at, terminator, max) => {
        const decoder = () => lines({ terminator, max });
        const all = Uint8Array.from(stream);
        const whole = decoded(decoder, all, SILENCE);
        expect(decoded(decoder, ...cut(all, at), SILENCE)).toEqual(whole);
        expect(decoded(decoder, ...[...all].map((b) => Uint8Array.of(b)), SILENCE)).toEqual(whole);
      }),
    );
  });

  test('hold no more than their limit, and noise leaves the next line whole', () => {
    fc.assert(
      fc.property(noise(2000), (junk) => {
        const said = decoded(() => lines({ max: 50 }), junk, fromLatin1('\nvalue 1\n'));
        expect(said.at(-1)).toBe('value 1');
        for (const m of said) expect(typeof m === 'string' ? m.length <= 50 : m.bytes.length <= 51).toBe(true);
      }),
    );
  });
});

describe('text', () => {
  const protocol = text({ ask: '\r', tell: ['\r\n', '\n'] });

  test('puts the first terminator of each direction', () => {
    expect(protocol.asks.encode('*IDN?')).toEqual(fromLatin1('*IDN?\r'));
    expect(protocol.tells.encode('ACME')).toEqual(fromLatin1('ACME\r\n'));
    expect(protocol.asks.encode('')).toEqual(fromLatin1('\r'));
    expect(text('\r').tells.encode('x')).toEqual(fromLatin1('x\r'));
    expect(protocol.fits('anything', 'at all')).toBe('answer');
  });

  test('goes round in both roles', () => {
    const line = fc.string({ minLength: 1, maxLength: 80 }); // printable ASCII
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), places, (messages, at) => {
        for (const role of [protocol.asks, protocol.tells]) {
          const stream = concat(...messages.map(role.encode));
          expect(decoded(role.decoder, ...cut(stream, at))).toEqual(messages);
        }
      }),
    );
  });

  test.each(['a\rb', 'Ω', '\x03', 'x'.repeat(4097)])('refuses to send what is not one line: %j', (message) => {
    expect(() => protocol.asks.encode(message)).toThrow(expect.objectContaining({ code: 'PROTO_UNSENDABLE' }));
  });

  test('sends exactly what is read back as that one line, whatever ends it', () => {
    const piece = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '\r', '\n', '\xb5'), minLength: 1, maxLength: 3 });
    const options = fc.record({ tell: fc.array(piece, { minLength: 1, maxLength: 3 }), max: fc.nat(6), eightBit: fc.boolean() });
    const messages = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd', '\r', '\n', '\xb5'), maxLength: 8 });
    fc.assert(
      fc.property(options, messages, (given, message) => {
        const { tells } = text(given);
        const whole = fromLatin1(message + given.tell[0]);
        const back = tells.decoder()(whole);
        if (message === '' ? back.length === 0 : back.length === 1 && back[0] === message) expect(tells.encode(message)).toEqual(whole);
        else expect(() => tells.encode(message)).toThrow(expect.objectContaining({ code: 'PROTO_UNSENDABLE' }));
      }),
      { numRuns: 2000, examples: [[{ tell: ['abc', 'b'], max: 6, eightBit: false }, 'd']] },
    );
  });

  test('refuses an empty terminator', () => {
    expect(() => text('')).toThrow(expect.objectContaining({ code: 'PROTO_UNSENDABLE' }));
    expect(() => text({ tell: [] })).toThrow(expect.objectContaining({ code: 'PROTO_UNSENDABLE' }));
  });
});

describe('decimal', () => {
  test.each([
    ['+1.25E-06', 1.25e-6],
    [' -3 ', -3],
    ['.5', 0.5],
    ['5.', 5],
    ['1e3', 1000],
    ['007', 7],
    ['9.8E37', 9.8e37],
  ])('%j is %d', (written, number) => {
    expect(decimal(written)).toBe(number);
  });

  test.each(['', ' ', '.', '1,5', '1 2', '0x10', '1e', 'NaN', 'Infinity', '12V', '1.2.3', '--1', '\n1', '1e999'])(
    '%j is none',
    (written) => {
      expect(decimal(written)).toBeNaN();
    },
  );

  test.each(['9.9E37', '+9.90000E+37', '-9.9E37', '9.91E37', '+9.910000E+37'])('%s of SCPI is none', (written) => {
    expect(decimal(written)).toBeNaN();
  });
});
