import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { genesys, genesysError, genesysSum } from '../../protocols/genesys.ts';
import { concat, fromLatin1 } from '../../protocols/protocol.ts';
import { cut, decoded, noise, places, SILENCE } from './splits.ts';

const protocol = genesys();
const summing = genesys({ checksum: true });

describe('TDK-Lambda Genesys', () => {
  test('lines end with CR; the address may go before a question', () => {
    expect(protocol.asks.encode('PV 12')).toEqual(fromLatin1('PV 12\r'));
    expect(protocol.asks.encode('ADR 6\rMV?')).toEqual(fromLatin1('ADR 6\rMV?\r'));
    expect(decoded(protocol.tells.decoder, ...['OK\r01.', '150\r', '\nC01\r\n'].map(fromLatin1))).toEqual(['OK', '01.150', 'C01']);
  });

  test('the sum of the manual: STT?$3A', () => {
    expect(genesysSum('STT?')).toBe('3A');
    expect(summing.asks.encode('STT?')).toEqual(fromLatin1('STT?$3A\r'));
    expect(decoded(summing.tells.decoder, fromLatin1('OK$9A\rOK$9B\rOK\r'))).toEqual([
      'OK',
      { fault: 'PROTO_BAD_CRC', bytes: [...fromLatin1('OK$9B')] },
      { fault: 'PROTO_BAD_CRC', bytes: [...fromLatin1('OK')] },
    ]);
  });

  test('a supply ignores LF, takes back at a backspace, and hears a bare CR', () => {
    const heard = (text: string) => decoded(protocol.asks.decoder, fromLatin1(text));
    expect(heard('PV?\r\nMX\bV?\r')).toEqual(['PV?', 'MV?']);
    expect(heard('\r')).toEqual(['']);
    expect(heard('\b\bIDN?\r')).toEqual(['IDN?']);
    expect(heard('\xa1MV?\r')).toEqual([{ fault: 'PROTO_NOT_TEXT', bytes: [0xa1, ...fromLatin1('MV?')] }]);
    expect(heard(`${'x'.repeat(300)}\rMV?\r`)).toEqual([{ fault: 'PROTO_LINE_TOO_LONG', bytes: expect.anything() }, 'MV?']);
    expect(decoded(protocol.asks.decoder, fromLatin1('MV'), SILENCE, fromLatin1('PV?\r'))).toEqual([
      { fault: 'PROTO_UNFINISHED', bytes: [...fromLatin1('MV')] },
      'PV?',
    ]);
  });

  test.each([
    ['OK', 'PV 12', 'answer'],
    ['OK', 'ADR 6', 'answer'],
    ['OK', 'MV?', 'late'],
    ['OK', 'ADR 6\rMV?', 'late'],
    ['12.000', 'MV?', 'answer'],
    ['12.000', 'ADR 6\rMV?', 'answer'],
    ['12.000', 'OUT OFF', 'late'],
    ['E01', 'PV 99', 'answer'],
    ['C01', 'MV?', 'answer'],
    ['OK', '\\', 'answer'],
    ['MV?', 'MV?', 'unasked'],
    ['!06', 'MV?', 'unasked'],
  ])('%j to %j: %s', (reply, question, fit) => {
    expect(protocol.fits(reply, question)).toBe(fit);
  });

  test('errors are two digits after C or E', () => {
    expect(['C01', ' E07 ', 'CC', 'CV', 'E1', 'OK'].map(genesysError)).toEqual(['C01', 'E07', undefined, undefined, undefined, undefined]);
  });

  test('goes round in both roles in any split, and lives through noise', () => {
    const line = fc.string({ minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), places, (messages, at) => {
        for (const role of [protocol.asks, protocol.tells])
          expect(decoded(role.decoder, ...cut(concat(...messages.map(role.encode)), at))).toEqual(messages);
        expect(decoded(summing.tells.decoder, ...cut(concat(...messages.map(summing.tells.encode)), at))).toEqual(messages);
      }),
    );
    fc.assert(
      fc.property(noise(), places, (bytes, at) => {
        for (const { decoder } of [protocol.asks, protocol.tells, summing.tells]) {
          expect(decoded(decoder, ...cut(bytes, at))).toEqual(decoded(decoder, ...(bytes.length > 0 ? [bytes] : [])));
          expect(decoded(decoder, ...cut(bytes, at), SILENCE, fromLatin1('OK$9A\r')).at(-1)).toMatch(/^OK/);
        }
      }),
    );
  });
});
