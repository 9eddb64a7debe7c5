import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CaenAsk, caenAsk, caenHv, caenTell, readCaenAsk, readCaenTell } from '../../protocols/caen-hv.ts';
import { concat, fromLatin1 } from '../../protocols/protocol.ts';
import { Unsendable } from '../../protocols/unsendable.ts';
import { cut, decoded, noise, places, SILENCE } from './splits.ts';

const protocol = caenHv();
const sharing = caenHv({ boards: true });

describe('commands', () => {
  test.each<[CaenAsk, string]>([
    [{ board: 0, verb: 'MON', channel: 0, par: 'VMON' }, '$BD:00,CMD:MON,CH:0,PAR:VMON'],
    [{ board: 31, verb: 'SET', channel: 4, par: 'VSET', value: '1000.5' }, '$BD:31,CMD:SET,CH:4,PAR:VSET,VAL:1000.5'],
    [{ verb: 'SET', channel: 0, par: 'ON' }, '$CMD:SET,CH:0,PAR:ON'],
    [{ verb: 'SET', par: 'BDCLR' }, '$CMD:SET,PAR:BDCLR'],
    [{ verb: 'INFO', channel: 0, par: 'VSET' }, '$CMD:INFO,CH:0,PAR:VSET'],
  ])('%j is %s', (ask, line) => {
    expect(caenAsk(ask)).toBe(line);
    expect(readCaenAsk(line)).toEqual(ask);
    expect(protocol.asks.encode(line)).toEqual(fromLatin1(`${line}\r\n`));
    expect(protocol.asks.encode(`${line}\r\n${line}`)).toEqual(fromLatin1(`${line}\r\n${line}\r\n`));
  });

  test('fields in another order, and in another case', () => {
    // xams and Canfranc send PAR before CH.
    expect(readCaenAsk('$BD:00,CMD:MON,PAR:VMON,CH:2')).toEqual({ board: 0, verb: 'MON', channel: 2, par: 'VMON' });
    expect(readCaenAsk('$CMD:SET,CH:1,PAR:pw,val:on')).toEqual({ verb: 'SET', channel: 1, par: 'pw', value: 'on' });
  });

  test.each([
    '',
    'CMD:MON,PAR:VMON',
    '$PAR:VMON',
    '$CMD:GET,PAR:VMON',
    '$CMD:MON',
    '$CMD:MON,PAR:',
    '$CMD:MON,CH:x,PAR:VMON',
    '$CMD:MON,CH:1,CH:2,PAR:V',
  ])('%j is none', (line) => expect(readCaenAsk(line)).toBe(undefined));

  test('a field cannot carry what would end it', () => {
    expect(() => caenAsk({ verb: 'SET', par: 'VSET', value: '1,2' })).toThrow(Unsendable);
    expect(() => caenAsk({ verb: 'SET', par: 'VSET', value: '1\r' })).toThrow(Unsendable);
    expect(() => caenAsk({ verb: 'MON', channel: -1, par: 'VSET' })).toThrow(Unsendable);
    expect(() => caenAsk({ verb: 'MON', board: 1.5, par: 'VSET' })).toThrow(Unsendable);
  });
});

describe('replies', () => {
  test.each([
    ['#BD:00,CMD:OK,VAL:1234.5', { board: 0, ok: true, values: ['1234.5'] }],
    ['#BD:00,CMD:OK', { board: 0, ok: true }],
    ['#BD:07,CMD:OK,VAL:0100.0;0200.0;0000.0;0000.0', { board: 7, ok: true, values: ['0100.0', '0200.0', '0000.0', '0000.0'] }],
    ['#CMD:OK,VAL:0.0;0.5', { ok: true, values: ['0.0', '0.5'] }],
    ['#CMD:OK,VAL:00001;', { ok: true, values: ['00001'] }], // a DT55xxE
    ['#CMD:OK,VAL:DT8033 8 CH 4KV/3mA', { ok: true, values: ['DT8033 8 CH 4KV/3mA'] }],
    ['#CMD:OK,VAL:', { ok: true, values: [''] }],
    ['#BD:00,LOC:ERR', { board: 0, ok: false, error: 'LOC' }],
    ['#CMD:ERR', { ok: false, error: 'CMD' }],
    ['#CH:ERR', { ok: false, error: 'CH' }],
    ['#PAR:ERR', { ok: false, error: 'PAR' }],
    ['#VAL:ERR', { ok: false, error: 'VAL' }],
  ] as const)('%s', (line, tell) => {
    expect(readCaenTell(line)).toEqual(tell);
    if (!line.endsWith(';')) expect(caenTell(tell)).toBe(line);
  });

  test.each(['', '#', 'CMD:OK', '#VAL:OK', '#FOO:ERR', '#CMD:ERR,VAL:1', '#BD:xx,CMD:OK', '#ERR:12;', '#CMD:NO'])('%j is none', (line) =>
    expect(readCaenTell(line)).toBe(undefined),
  );

  const MON = '$CMD:MON,CH:0,PAR:VMON';
  const SET = '$CMD:SET,CH:0,PAR:VSET,VAL:1';
  const BOARD = '$BD:01,CMD:MON,CH:0,PAR:VMON';
  test.each([
    ['#CMD:OK,VAL:1', MON, 'answer'],
    ['#CMD:OK', MON, 'late'],
    ['#PAR:ERR', MON, 'answer'],
    ['#CMD:ERR', MON, 'answer'],
    ['#BD:01,CMD:ERR', BOARD, 'answer'],
    ['#CMD:ERR', `${BOARD}\r\n${MON}`, 'late'],
    ['#CMD:OK', `${BOARD}\r\n${MON}`, 'late'],
    ['#CMD:OK,VAL:NDT1470', `${BOARD}\r\n${MON}`, 'answer'],
    ['#LOC:ERR', MON, 'late'],
    ['#VAL:ERR', MON, 'late'],
    ['#VAL:ERR', SET, 'answer'],
    ['#CMD:OK', SET, 'answer'],
    ['#CMD:OK,VAL:1.0;', SET, 'answer'],
    ['#LOC:ERR', SET, 'answer'],
    ['#BD:01,CMD:OK,VAL:1', BOARD, 'answer'],
    ['#BD:02,CMD:OK,VAL:1', BOARD, 'unasked'],
    ['#BD:02,CH:ERR', BOARD, 'unasked'],
    ['#CMD:OK,VAL:1', BOARD, 'unasked'],
    ['#CMD:ERR', BOARD, 'unasked'],
    ['#BD:01,CMD:OK,VAL:1', MON, 'unasked'],
    [MON, MON, 'unasked'],
    ['#CMD:O', MON, 'answer'], // garbled: looked at, and refused there
  ])('%s to %s: %s', (reply, question, fit) => expect(protocol.fits(reply, question)).toBe(fit));

  test('the address tells the replies of several boards apart', () => {
    expect(protocol.apart).toBe(undefined);
    expect(sharing.apart).toBe('unit');
    expect(sharing.unit?.(BOARD)).toBe(1);
  });
});

describe('lines', () => {
  test('CR LF, and what a terminal may send', () => {
    expect(decoded(protocol.tells.decoder, ...['#CMD:O', 'K\r', '\n#PAR:ERR\n#VAL:ERR\r\n'].map(fromLatin1))).toEqual([
      '#CMD:OK',
      '#PAR:ERR',
      '#VAL:ERR',
    ]);
  });

  test('silence, noise and length are faults', () => {
    expect(decoded(protocol.tells.decoder, fromLatin1('#CMD'), SILENCE)).toEqual([
      { fault: 'PROTO_UNFINISHED', bytes: [...fromLatin1('#CMD')] },
    ]);
    expect(decoded(protocol.tells.decoder, fromLatin1('#CMD\xa1OK\r\n'))).toEqual([{ fault: 'PROTO_NOT_TEXT', bytes: expect.anything() }]);
    expect(decoded(protocol.tells.decoder, fromLatin1(`${'x'.repeat(2000)}\r\n`))).toEqual([
      { fault: 'PROTO_LINE_TOO_LONG', bytes: expect.anything() },
    ]);
  });

  test('any split decodes alike, noise included', () => {
    const whole = fc.constantFrom('#CMD:OK\r\n', '#BD:00,CMD:OK,VAL:1;2\r\n').map(fromLatin1);
    fc.assert(
      fc.property(fc.array(fc.oneof(whole, noise(40)), { maxLength: 6 }), places, (parts, at) => {
        const all = concat(...parts);
        expect(decoded(protocol.tells.decoder, ...cut(all, at))).toEqual(decoded(protocol.tells.decoder, all));
      }),
    );
  });
});
