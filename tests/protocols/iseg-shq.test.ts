import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isegError, isegExponent, isegNumber, isegShq, isegWritten } from '../../protocols/iseg-shq.ts';
import { concat, fromLatin1 } from '../../protocols/protocol.ts';
import { cut, decoded, noise, places, SILENCE } from './splits.ts';

const protocol = isegShq();
const heard = (...pieces: readonly string[]) => decoded(protocol.tells.decoder, ...pieces.map(fromLatin1));

describe('iseg SHQ', () => {
  test('each command is echoed, and then answered', () => {
    // Command set of the SHQ manual; * is CR LF there.
    expect(protocol.asks.encode('U1')).toEqual(fromLatin1('U1\r\n'));
    expect(heard('#\r\n487412;3.09;2000V;6mA\r\n')).toEqual([{ echo: '#', answer: '487412;3.09;2000V;6mA' }]);
    expect(heard('U', '1\r', '\n+15', '000-01\r\n')).toEqual([{ echo: 'U1', answer: '+15000-01' }]);
    expect(heard('D1=1500.0\r\n\r\n')).toEqual([{ echo: 'D1=1500.0', answer: '' }]);
    expect(heard('G1\r\nS1=L2H\r\n')).toEqual([{ echo: 'G1', answer: 'S1=L2H' }]);
    expect(heard('S1\r\nS1=ON \r\n')).toEqual([{ echo: 'S1', answer: 'S1=ON ' }]);
    expect(heard('L1\r\nL1=00100\r\nL1=00200\r\n\r\n')).toEqual([
      { echo: 'L1', answer: 'L1=00100' },
      { echo: 'L1=00200', answer: '' },
    ]);
    expect(heard('D1=9999\r\n? UMAX=2000\r\nU3\r\n?WCN\r\n')).toEqual([
      { echo: 'D1=9999', answer: '? UMAX=2000' },
      { echo: 'U3', answer: '?WCN' },
    ]);
  });

  test('CR LF alone changes nothing, and what it says by itself has no echo', () => {
    expect(heard('\r\n\r\nW\r\n003\r\n?TOT\r\n')).toEqual([
      { echo: 'W', answer: '003' },
      { echo: '', answer: '?TOT' },
    ]);
  });

  test('an answer that is missing is a fault, and the next echo begins anew', () => {
    const U1 = { fault: 'PROTO_UNFINISHED', bytes: [...fromLatin1('U1')] };
    expect(heard('U1\r\nI1\r\n00123-07\r\n')).toEqual([U1, { echo: 'I1', answer: '00123-07' }]);
    expect(decoded(protocol.tells.decoder, fromLatin1('U1\r\n'), SILENCE, fromLatin1('I1\r\n1\r\n'))).toEqual([
      U1,
      { echo: 'I1', answer: '1' },
    ]);
    expect(decoded(protocol.tells.decoder, fromLatin1('U1\r\n+1'), SILENCE)).toEqual([
      U1,
      { fault: 'PROTO_UNFINISHED', bytes: [...fromLatin1('+1')] },
    ]);
    expect(heard('U1\xa0\r\n')).toEqual([{ fault: 'PROTO_NOT_TEXT', bytes: expect.anything() }]);
    expect(heard(`${'x'.repeat(200)}\r\nU1\r\n5\r\n`)).toEqual([
      { fault: 'PROTO_LINE_TOO_LONG', bytes: expect.anything() },
      { echo: 'U1', answer: '5' },
    ]);
  });

  test('an answer is known by its echo', () => {
    expect(protocol.fits({ echo: 'U1', answer: '+00000-01' }, 'U1')).toBe('answer');
    expect(protocol.fits({ echo: 'U1', answer: '+00000-01' }, 'I1')).toBe('late');
    expect(protocol.fits({ echo: 'D1=100', answer: '' }, 'D1=200')).toBe('late');
    expect(protocol.fits({ echo: '', answer: '?TOT' }, 'U1')).toBe('answer');
    expect(protocol.fits({ echo: '', answer: 'hello' }, 'U1')).toBe('unasked');
  });

  test.each([
    ['+15000-01', 1500],
    ['-00005-01', -0.5],
    ['00123-07', 12.3e-6],
    ['15000-01', 1500],
    ['10000+01', 100_000],
    ['+1500', 1500],
    ['1500.5', 1500.5],
    ['0', 0],
  ])('%s is %d', (said, value) => expect(isegNumber(said)).toBe(value));

  test.each(['', 'ON', '????', '12-', '1-2-3', '+-1', '1e5x', '1234-123'])('%j is no number', (said) => expect(isegNumber(said)).toBeNaN());

  test('numbers are written as they are read', () => {
    expect(isegWritten(1500, -1, 5, true)).toBe('+15000-01');
    expect(isegWritten(-0.5, -1, 5, true)).toBe('-00005-01');
    expect(isegWritten(12.3e-6, -7, 5)).toBe('00123-07');
    expect(isegExponent('00123-07')).toBe(-7);
    expect(isegExponent('1500')).toBe(undefined);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 99_999 }), fc.integer({ min: -9, max: 2 }), (mantissa, exponent) => {
        const value = Number(`${mantissa}e${exponent}`);
        expect(isegNumber(isegWritten(value, exponent, 5))).toBe(value);
      }),
    );
  });

  test('errors', () => {
    expect(['????', '?WCN', '?TOT', '? UMAX=2000', '?UMAX=2000V', '? UMX=0999.5'].map(isegError)).toEqual([
      { error: 'syntax' },
      { error: 'channel' },
      { error: 'timeout' },
      { error: 'voltage', most: 2000 },
      { error: 'voltage', most: 2000 },
      { error: 'voltage', most: 999.5 },
    ]);
    expect(['', '?', 'S1=ON', '00123-07'].map(isegError)).toEqual([undefined, undefined, undefined, undefined]);
  });

  test('any split decodes alike, noise included', () => {
    const whole = fc.constantFrom('U1\r\n+15000-01\r\n', 'D1=5\r\n\r\n', 'S1\r\nS1=ON \r\n').map(fromLatin1);
    fc.assert(
      fc.property(fc.array(fc.oneof(whole, noise(30)), { maxLength: 6 }), places, (parts, at) => {
        const all = concat(...parts);
        expect(decoded(protocol.tells.decoder, ...cut(all, at))).toEqual(decoded(protocol.tells.decoder, all));
      }),
    );
  });
});
