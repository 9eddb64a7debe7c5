import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ipg, refusal, value } from '../../protocols/ipg.ts';
import { concat, fromLatin1 } from '../../protocols/protocol.ts';
import { cut, decoded, places } from './splits.ts';

const protocol = ipg();

describe('IPG laser', () => {
  test('commands end with CR, replies with CR or CRLF', () => {
    expect(protocol.asks.encode('SDC 40.5')).toEqual(fromLatin1('SDC 40.5\r'));
    expect(decoded(protocol.tells.decoder, ...['SDC: 40.5\rEM', 'ON\r', '\nROP: Off\r\n'].map(fromLatin1))).toEqual([
      'SDC: 40.5',
      'EMON',
      'ROP: Off',
    ]);
    expect(ipg({ tell: '\n' }).tells.encode('EMOFF')).toEqual(fromLatin1('EMOFF\n'));
  });

  test.each([
    ['RCS: 43.2', '43.2', undefined],
    ['ROP: Low', 'Low', undefined],
    ['RFV:3.7.1.0', '3.7.1.0', undefined],
    ['RSN: A:B', 'A:B', undefined],
    ['EMON', undefined, undefined],
    ['ERR: Key switch is in REM position', undefined, 'Key switch is in REM position'],
    ['ERR:', undefined, ''],
  ])('%j has the value %j and the refusal %j', (reply, is, no) => {
    expect(value(reply)).toBe(is);
    expect(refusal(reply)).toBe(no);
  });

  test.each([
    ['STA: 4100', 'STA', 'answer'],
    ['SDC: 40.5', 'SDC 40.5', 'answer'],
    ['EMON', 'emon', 'answer'],
    ['ERR: Out of range', 'SDC 400', 'answer'],
    ['ROP: Off', 'STA', 'late'],
    ['EMON', 'EMOFF', 'late'],
    ['', 'STA', 'late'],
  ])('%j to %j: %s', (reply, question, fit) => {
    expect(protocol.fits(reply, question)).toBe(fit);
  });

  test('goes round in both roles in any split', () => {
    const line = fc.string({ minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), places, (messages, at) => {
        for (const role of [protocol.asks, protocol.tells])
          expect(decoded(role.decoder, ...cut(concat(...messages.map(role.encode)), at))).toEqual(messages);
      }),
    );
  });
});
