import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, fromLatin1, latin1 } from '../../protocols/protocol.ts';
import {
  bare,
  block,
  encodeBlock,
  errorEntry,
  header,
  matches,
  programUnits,
  type ScpiOptions,
  scpi,
  splitReplies,
} from '../../protocols/scpi.ts';
import { cut, decoded, noise, places, SILENCE } from './splits.ts';

const from = (options: string | ScpiOptions, ...pieces: readonly string[]) =>
  decoded(scpi(options).tells.decoder, ...pieces.map(fromLatin1));
const bytes = (s: string): number[] => [...fromLatin1(s)];

describe('blocks on the wire', () => {
  test('hold the terminator, in any pieces', () => {
    expect(from('\n', '#15a\nb', '\ncX\n+1\n')).toEqual(['#15a\nb\ncX', '+1']);
    expect(from('\n', ':CURV #212\n\n\n\n\n\n\n\n\n\n\n\n;2\n')).toEqual([`:CURV #212${'\n'.repeat(12)};2`]);
    expect(from('\r\n', '#13ab\r\n\r\n')).toEqual([{ fault: 'PROTO_NOT_TEXT', bytes: bytes('#13ab\r\n') }]);
    expect(from('\r\n', '#13ab\r\r\n')).toEqual(['#13ab\r']);
    expect(from('\n', '#10,#11\n\n')).toEqual(['#10,#11\n']);
  });

  test('of indefinite length end with NL whatever the terminator', () => {
    expect(from('\n', '#0a\x00\xffb\nnext\n')).toEqual(['#0a\x00\xffb', 'next']);
    expect(from('\r', '#0a\rb\n\rnext\r')).toEqual(['#0a\rb', 'next']);
    expect(from('\r\n', '#0a\rb\r\nnext\r\n')).toEqual(['#0a\rb', 'next']);
  });

  test('begin neither in a string nor in a word', () => {
    expect(from('\n', '"see #19"\n1\n')).toEqual(['"see #19"', '1']);
    expect(from('\n', 'MODEL#19\n1\n')).toEqual(['MODEL#19', '1']);
    expect(from('\n', '#H1F\n1\n')).toEqual(['#H1F', '1']);
    expect(from('\n', "can't, #15\n")).toEqual(["can't, #15"]);
  });

  test('are bounded: a longer one is one fault and the next message is whole', () => {
    const long = `#3999${'\n'.repeat(999)}\n`;
    const fault = { fault: 'PROTO_LINE_TOO_LONG', bytes: bytes('#3999\n') };
    expect(from({ maxBlock: 998, max: 5 }, long, '1\n')).toEqual([fault, '1']);
    expect(from({ maxBlock: 999, max: 5 }, long, '1\n')).toEqual([long.slice(0, -1), '1']);
    expect(from('\n', '#9999999999abc\n', '', '1\n')).toEqual([{ fault: 'PROTO_UNFINISHED', bytes: bytes('#9999999999abc\n') }, '1']);
  });

  test('decode alike in any split, whatever comes', () => {
    const alphabet = fc.constantFrom(...fromLatin1('##0123a,"\' ;\r\n\xff'));
    const terminators = fc.constantFrom<string | string[]>('\n', '\r', '\r\n', ['\r', '\r\n']);
    fc.assert(
      fc.property(fc.array(alphabet, { maxLength: 200 }), places, terminators, (stream, at, tell) => {
        const { decoder } = scpi({ tell, max: 20, maxBlock: 12 }).tells;
        const all = Uint8Array.from(stream);
        const whole = decoded(decoder, all, SILENCE);
        expect(decoded(decoder, ...cut(all, at), SILENCE)).toEqual(whole);
        expect(decoded(decoder, ...[...all].map((b) => Uint8Array.of(b)), SILENCE)).toEqual(whole);
      }),
    );
  });

  test('go round in both roles with any data', () => {
    const message = fc.tuple(fc.constantFrom('', ':CURV ', '1.5,'), noise(80), fc.constantFrom('', ',2', ';"x#15"'));
    const terminators = fc.constantFrom<string | string[]>('\n', '\r', '\r\n', ['\n', '\r\n']);
    fc.assert(
      fc.property(fc.array(message, { maxLength: 5 }), places, terminators, (parts, at, ends) => {
        const protocol = scpi({ ask: ends, tell: ends });
        const messages = parts.map(([before, data, after]) => before + encodeBlock(data) + after);
        for (const role of [protocol.asks, protocol.tells]) {
          const stream = concat(...messages.map(role.encode));
          expect(decoded(role.decoder, ...cut(stream, at))).toEqual(messages);
        }
        expect(messages.map(block)).toEqual(parts.map(([, data]) => data));
      }),
    );
  });

  test('of indefinite length go round, too', () => {
    for (const ends of ['\n', '\r', '\r\n']) {
      const { encode, decoder } = scpi(ends).tells;
      expect(decoded(decoder, encode('#0a\rb'), encode('1'))).toEqual(['#0a\rb', '1']);
    }
    expect(() => scpi('\n').tells.encode('#0a\nb')).toThrow(expect.objectContaining({ code: 'PROTO_UNSENDABLE' }));
  });
});

describe('block', () => {
  test('gives the data of the first whole block', () => {
    expect(block('#14\x00\x01\n\xff')).toEqual(Uint8Array.of(0, 1, 10, 255));
    expect(block('"#11x",3,#11a,#11b')).toEqual(Uint8Array.of(0x61));
    expect(block('#0abc')).toEqual(fromLatin1('abc'));
    expect(block('#10')).toEqual(new Uint8Array(0));
    expect(block('#15abc')).toBeUndefined();
    expect(block('+1.5')).toBeUndefined();
  });

  test('is written with the number of its digits', () => {
    expect(encodeBlock(fromLatin1('abc'))).toBe('#13abc');
    expect(encodeBlock(new Uint8Array(12))).toBe(`#212${latin1(new Uint8Array(12))}`);
  });
});

describe('replies', () => {
  test('split at semicolons outside of strings and blocks', () => {
    expect(splitReplies('1.5;"a;b"; -3;#13;;;;x')).toEqual(['1.5', '"a;b"', '-3', '#13;;;', 'x']);
    expect(splitReplies("it's;2")).toEqual(["it's", '2']);
    expect(splitReplies(':SENS:PRES 1.2;:SOUR:PRES 3')).toEqual([':SENS:PRES 1.2', ':SOUR:PRES 3']);
  });

  test.each([
    [':SENS:PRES 1.234', ':SENS:PRES', '1.234'],
    [':SENS2:PRES:RANG "2.00bar"', ':SENS2:PRES:RANG', '"2.00bar"'],
    ['*IDN GE,Pace5000', '*IDN', 'GE,Pace5000'],
    ['SOUR:PRES 1', 'SOUR:PRES', '1'],
    [':OUTP:STAT', ':OUTP:STAT', ''],
    ['1.234', undefined, '1.234'],
    ['-113,"Undefined header"', undefined, '-113,"Undefined header"'],
    ['KEITHLEY INSTRUMENTS INC.,MODEL 6221', undefined, 'KEITHLEY INSTRUMENTS INC.,MODEL 6221'],
    ['12:30:05 x', undefined, '12:30:05 x'],
    ['BUS:READY', undefined, 'BUS:READY'],
  ])('%j repeats %j before %j', (reply, head, rest) => {
    expect(header(reply)).toBe(head);
    expect(bare(reply)).toBe(rest);
  });

  test.each([
    ['-113,"Undefined header"', { code: -113, text: 'Undefined header' }],
    ['0,"No error"', { code: 0, text: 'No error' }],
    ['+0,"No error"', { code: 0, text: 'No error' }],
    [':SYST:ERR -102,"Syntax error; ""PRES"""', { code: -102, text: 'Syntax error; "PRES"' }],
    ['5,busy', { code: 5, text: 'busy' }],
    ['ok', undefined],
    ['-113', undefined],
  ])('%j is the entry %j', (reply, entry) => {
    expect(errorEntry(reply)).toEqual(entry);
  });
});

describe('late replies by repeated header', () => {
  const { fits } = scpi({ echo: true });

  test.each([
    [':SENS:PRES 1.2', ':SENS:PRES?', 'answer'],
    [':SENSe:PRESsure 1.2', ':SENS:PRES?', 'answer'],
    [':SENS1:PRES 1.2', 'sens:pres?', 'answer'],
    [':SENS2:PRES 1.2', ':SENS:PRES?', 'late'],
    [':SOUR:PRES 1.2', ':SENS:PRES?', 'late'],
    [':SENS:PRES:RANG 1.2', ':SENS:PRES?', 'late'],
    ['1.2', ':SENS:PRES?', 'answer'],
    [':SENS:PRES 1;:SOUR:PRES 2', ':SENS:PRES?;:SOUR:PRES?', 'answer'],
    [':SOUR:PRES 2;:SENS:PRES 1', ':SENS:PRES?;:SOUR:PRES?', 'late'],
    [':OUTP:STAT 1', ':OUTP:STAT 1;STAT?', 'answer'],
    ['*IDN GE,Pace', '*IDN?', 'answer'],
    [':SENS:PRES 1.2', '*IDN?', 'late'],
  ])('%j to %j: %s', (reply, question, fit) => {
    expect(fits(reply, question)).toBe(fit);
  });

  test('are not seen without the option', () => {
    expect(scpi('\n').fits(':SOUR:PRES 1', ':SENS:PRES?')).toBe('answer');
  });
});

describe('program messages', () => {
  test('give units with their whole path', () => {
    expect(programUnits(':SOUR:PRES:LEV 1.5;SLEW 0.1, "a,b" ;:OUTP:STAT 1;*IDN?;STAT?')).toEqual([
      { header: ':SOUR:PRES:LEV', query: false, args: ['1.5'] },
      { header: ':SOUR:PRES:SLEW', query: false, args: ['0.1', '"a,b"'] },
      { header: ':OUTP:STAT', query: false, args: ['1'] },
      { header: '*IDN', query: true, args: [] },
      { header: ':OUTP:STAT', query: true, args: [] },
    ]);
    expect(programUnits('SENS:PRES?;RANG:AUTO?;UPP?').map((u) => u.header)).toEqual([':SENS:PRES', ':SENS:RANG:AUTO', ':SENS:RANG:UPP']);
    expect(programUnits('SNAP?1,2,(@1,2)')).toEqual([{ header: ':SNAP', query: true, args: ['1', '2', '(@1,2)'] }]);
    expect(programUnits('DATA #13;, ,1; ;')).toEqual([{ header: ':DATA', query: false, args: ['#13;, ', '1'] }]);
    expect(programUnits('SYST:COMM:SER:SEND "a?;b"')).toEqual([{ header: ':SYST:COMM:SER:SEND', query: false, args: ['"a?;b"'] }]);
    expect(programUnits(' ; ')).toEqual([]);
  });

  const LEVEL = ':SOURce:PRESsure[:LEVel][:IMMediate][:AMPLitude]';
  test.each([
    [LEVEL, ':SOUR:PRES', true],
    [LEVEL, 'source:pressure', true],
    [LEVEL, ':SOUR:PRES:LEV:IMM:AMPL', true],
    [LEVEL, ':SOURce:PRES:AMPLitude', true],
    [LEVEL, ':SOUR:PRES:LEV:AMPL', true],
    [LEVEL, ':SOUR1:PRES1', true],
    [LEVEL, ':SOURC:PRES', false],
    [LEVEL, ':SOU:PRES', false],
    [LEVEL, ':SOUR:PRES:IMM:LEV', false],
    [LEVEL, ':SOUR:PRES:SLEW', false],
    [LEVEL, ':SOUR2:PRES', false],
    ['[:SOURce]:VOLTage', ':VOLT', true],
    ['[SOURce:]VOLTage', ':SOUR:VOLT', true],
    ['[SOURce]:VOLTage', 'VOLT', true],
    ['OUTPut1:STATe', ':OUTP:STAT', true],
    ['OUTPut1:STATe', ':OUTP1:STAT', true],
    ['OUTPut2:STATe', ':OUTP2:STAT', true],
    ['OUTPut2:STATe', ':OUTP:STAT', false],
    ['OUTPut#', ':OUTP17', true],
    ['*IDN', '*idn', true],
    ['*IDN', '*IDN1', false],
    ['*IDN', ':IDN', false],
    ['SYSTem:ERRor[:NEXT]', 'SYST:ERR', true],
    ['A[:B[:C]]', ':A:B:C', true],
    ['A[:B[:C]]', ':A:C', false],
  ])('%s and %s: %s', (pattern, head, result) => {
    expect(matches(pattern, head)).toBe(result);
  });
});

test('the helpers take any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'#019:;,"\'?* ()aB\n\xff') }), (message) => {
      for (const read of [block, splitReplies, bare, header, errorEntry, programUnits]) expect(() => read(message)).not.toThrow();
      expect(matches(':SOURce', message)).toBe(message === ':SOUR' || message === 'SOUR');
    }),
  );
});
