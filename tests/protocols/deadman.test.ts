import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc16ccitt, type DeadmanAsk, type DeadmanTell, deadman, OUTCOMES, RESETS, TRIPS } from '../../protocols/deadman.ts';
import { concat, Fault, fromLatin1, latin1 } from '../../protocols/protocol.ts';
import { cut, decoded, noise, places, SILENCE } from './splits.ts';

const { asks, tells, fits, number, apart } = deadman();
const state: DeadmanTell = {
  n: 17,
  word: 'timeout',
  outcome: 'ok',
  door: true,
  button: true,
  key: true,
  relay: false,
  shutter: false,
  timeout: 500,
  left: 500,
  trip: 'none',
  uptime: 61234,
  reset: 'power',
};

test('the checksum has the published check value', () => {
  expect(crc16ccitt(fromLatin1('123456789'))).toBe(0x29b1);
  expect(crc16ccitt(SILENCE)).toBe(0xffff);
});

/** As docs/deadman.md shows them. The checksums were calculated by another program (Python's binascii.crc_hqx). */
describe('literal lines', () => {
  test.each<readonly [DeadmanAsk, string]>([
    [{ n: 1, word: 'who' }, ':1 who*C2AF\n'],
    [{ n: 2, word: 'state' }, ':2 state*D2BD\n'],
    [{ n: 3, word: 'timeout', value: 500 }, ':3 timeout 500*D43A\n'],
    [{ n: 4, word: 'relay', value: 1 }, ':4 relay 1*28F0\n'],
    [{ n: 65535, word: 'abcdefgh', value: 99999 }, ':65535 abcdefgh 99999*810D\n'],
  ])('question %j', (q, text) => {
    expect(latin1(asks.encode(q))).toBe(text);
    expect(decoded(asks.decoder, fromLatin1(text))).toEqual([q]);
  });

  test.each<readonly [DeadmanTell, string]>([
    [{ ...state, n: 3, uptime: 1020 }, '=3 timeout ok DBK -- 500 500 none 1020 power*5D2B\n'],
    [
      { ...state, n: 7, word: 'shutter', relay: true, shutter: true, left: 460, uptime: 1060 },
      '=7 shutter ok DBK RS 500 460 none 1060 power*DD1D\n',
    ],
    [
      { ...state, n: 13, word: 'state', door: false, timeout: 0, left: 0, trip: 'door', uptime: 2190 },
      '=13 state ok -BK -- 0 0 door 2190 power*3FE9\n',
    ],
    [
      { ...state, n: 1, word: 'who', timeout: 0, left: 0, trip: 'reset', uptime: 1000, more: 'deadman 1 1 DBK' },
      '=1 who ok DBK -- 0 0 reset 1000 power deadman 1 1 DBK*15B2\n',
    ],
  ])('answer %j', (m, text) => {
    expect(latin1(tells.encode(m))).toBe(text);
    expect(decoded(tells.decoder, fromLatin1(text))).toEqual([m]);
  });

  test('CR before the end is passed over', () => {
    expect(decoded(asks.decoder, fromLatin1(':1 who*C2AF\r\n\r\n'))).toEqual([{ n: 1, word: 'who' }]);
  });
});

describe('what is no line', () => {
  const faults = (text: string, ...more: readonly Uint8Array[]) =>
    decoded<DeadmanAsk>(asks.decoder, fromLatin1(text), ...more).map((m) => ('fault' in m ? m.fault : `${m.n} ${m.word}`));

  test.each([
    [':1 who*C2AE\n', 'PROTO_BAD_CRC'],
    [':1 whO*C2AF\n', 'PROTO_BAD_CRC'],
    [':1 who*c2af\n', 'PROTO_BAD_CRC'],
    [':1 who\n', 'PROTO_BAD_CRC'],
    [':\n', 'PROTO_BAD_CRC'],
    ['1 who*C2AF\n', 'PROTO_NOISE'],
    ['=1 who*C2AF\n', 'PROTO_NOISE'],
    [`:${'x'.repeat(100)}\n`, 'PROTO_NOISE'],
    [':1 w\x00ho*C2AF\n', 'PROTO_NOISE'],
    [':1 wh\xef*C2AF\n', 'PROTO_NOISE'],
  ])('%j is %s', (text, fault) => {
    expect(faults(text)).toEqual([fault]);
    expect(faults(`${text}:1 who*C2AF\n`)).toEqual([fault, '1 who']);
  });

  test.each([
    '65536 who',
    '123456 who',
    ' who',
    '1  who',
    '1 who ',
    '1 WHO',
    '1 verylongword',
    '1 relay -1',
    '1 relay 123456',
    '1 relay 1 1',
    '',
  ])('%j is no question, with the right checksum as well', (body) => {
    const checksum = crc16ccitt(fromLatin1(body)).toString(16).toUpperCase().padStart(4, '0');
    expect(faults(`:${body}*${checksum}\n`)).toEqual(['PROTO_NOISE']);
  });

  test('half a line costs no other than itself', () => {
    expect(faults(':1 wh:1 who*C2AF\n')).toEqual(['PROTO_UNFINISHED', '1 who']);
    expect(faults(':1 who*C2AF\n:2 st', SILENCE)).toEqual(['1 who', 'PROTO_UNFINISHED']);
    expect(faults('junk', SILENCE)).toEqual(['PROTO_NOISE']);
  });

  test('the longest question fits exactly', () => {
    const longest = asks.encode({ n: 65535, word: 'abcdefgh', value: 99999 });
    expect(longest.length).toBeLessThanOrEqual(34);
    const body = '1'.repeat(27);
    const checksum = crc16ccitt(fromLatin1(body)).toString(16).toUpperCase().padStart(4, '0');
    // 32 bytes are a line (and this one no question), 33 are none.
    expect(decoded(asks.decoder, fromLatin1(`:${body}*${checksum}\n`))).toMatchObject([{ fault: 'PROTO_NOISE' }]);
    expect(decoded(asks.decoder, fromLatin1(`:${body}*${checksum}0\n`))).toMatchObject([{ fault: 'PROTO_NOISE', bytes: { length: 33 } }]);
  });

  test('endless noise is bounded', () => {
    const decode = tells.decoder();
    for (let i = 0; i < 100; i++) expect(decode(new Uint8Array(10_000).fill(0x55))).toEqual([]);
    const [fault] = decode(SILENCE);
    expect(fault).toMatchObject({ fault: 'PROTO_NOISE', bytes: { length: 161 } });
  });

  test.each<DeadmanAsk>([
    { word: 'who', n: 65536 },
    { word: 'who', n: -1 },
    { word: 'Who' },
    { word: '' },
    { word: 'ninechars' },
    { word: 'relay', value: 100000 },
    { word: 'relay', value: Number.NaN },
    { word: 'relay', value: 0.5 },
  ])('%j is not sent', (q) => {
    expect(() => asks.encode(q)).toThrow(expect.objectContaining({ code: 'PROTO_UNSENDABLE' }));
  });

  test.each<Partial<DeadmanTell>>([{ timeout: 1e6 }, { uptime: 2 ** 32 }, { more: '' }, { more: 'x'.repeat(200) }, { left: -1 }])(
    'an answer with %j is not sent',
    (change) => {
      expect(() => tells.encode({ ...state, ...change })).toThrow(expect.objectContaining({ code: 'PROTO_UNSENDABLE' }));
    },
  );
});

const flag = fc.boolean();
const ask: fc.Arbitrary<DeadmanAsk> = fc
  .record({ n: fc.nat(65535), word: fc.stringMatching(/^[a-z]{1,8}$/), value: fc.option(fc.nat(99999), { nil: undefined }) })
  .map(({ value, ...q }) => (value === undefined ? q : { ...q, value }));
const tell: fc.Arbitrary<DeadmanTell> = fc.record({
  n: fc.nat(65535),
  word: fc.stringMatching(/^[a-z]{1,8}$/),
  outcome: fc.constantFrom(...OUTCOMES),
  door: flag,
  button: flag,
  key: flag,
  relay: flag,
  shutter: flag,
  timeout: fc.nat(10000),
  left: fc.nat(10000),
  trip: fc.constantFrom(...TRIPS),
  uptime: fc.nat(0xffffffff),
  reset: fc.constantFrom(...RESETS),
});

test('messages go round, and any split of lines and noise decodes alike', () => {
  const piece = fc.oneof(
    ask.map((q) => asks.encode(q)),
    tell.map((m) => tells.encode(m)),
    noise(60),
    fc.constantFrom(':', '=', '\n', '*', ':1 who*C2AF', '\r\n').map(fromLatin1),
  );
  fc.assert(
    fc.property(ask, tell, fc.array(piece, { maxLength: 8 }), places, (q, m, pieces, at) => {
      expect(decoded(asks.decoder, asks.encode(q))).toEqual([q]);
      expect(decoded(tells.decoder, tells.encode(m))).toEqual([m]);
      const stream = concat(...pieces);
      const whole = stream.length > 0 ? [stream, SILENCE] : [SILENCE];
      expect(decoded<DeadmanAsk>(asks.decoder, ...cut(stream, at), SILENCE)).toEqual(decoded(asks.decoder, ...whole));
      expect(decoded<DeadmanTell>(tells.decoder, ...cut(stream, at), SILENCE)).toEqual(decoded(tells.decoder, ...whole));
    }),
  );
});

test('one or two wrong bits, wherever they are, never make another message of a line', () => {
  const line = tells.encode({ ...state, n: 18, word: 'state', relay: true, left: 412 });
  const bits = 8 * line.length;
  const read = (...wrong: readonly number[]): void => {
    const bytes = line.slice();
    for (const bit of wrong) bytes[bit >> 3] ^= 1 << (bit & 7);
    const said = tells
      .decoder()(bytes)
      .filter((m) => !(m instanceof Fault));
    if (said.length > 0) throw new Error(`bits ${wrong.join(' and ')} make ${JSON.stringify(said)}`);
  };
  for (let one = 0; one < bits; one++) {
    read(one);
    for (let other = 0; other < one; other++) read(one, other);
  }
});

describe('which question an answer fits', () => {
  test.each<readonly [Partial<DeadmanTell>, DeadmanAsk, string]>([
    [{}, { n: 17, word: 'timeout', value: 500 }, 'answer'],
    [{ outcome: 'range' }, { n: 17, word: 'timeout', value: 500 }, 'answer'],
    [{}, { n: 18, word: 'timeout', value: 500 }, 'late'],
    [{}, { n: 17, word: 'state' }, 'late'],
    [{ n: 0 }, { word: 'timeout', value: 0 }, 'answer'],
  ])('%j to %j: %s', (change, q, fit) => {
    expect(fits({ ...state, ...change }, q)).toBe(fit);
  });

  test('numbers have 16 bits', () => {
    expect([1, 65535, 65536, 65537].map((n) => number?.({ word: 'who' }, n).n)).toEqual([1, 65535, 0, 1]);
    expect(apart).toBe('question');
  });
});
