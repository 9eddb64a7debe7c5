import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ModbusAsk, type ModbusTell, signed, unsigned } from '../../protocols/modbus.ts';
import { crc16, modbusRtu } from '../../protocols/modbus-rtu.ts';
import { modbusTcp } from '../../protocols/modbus-tcp.ts';
import { concat } from '../../protocols/protocol.ts';
import { asks, tells } from './modbus-values.ts';
import { cut, decoded, hex, noise, places, SILENCE } from './splits.ts';

const rtu = modbusRtu();
const tcp = modbusTcp();
const unit = 0x11;
const on = (bits: string): boolean[] => [...bits].map((bit) => bit === '1');

/** The examples of Modbus Application Protocol v1.1b3, section 6: question, its PDU, the reply, its PDU. */
const PUBLISHED: readonly (readonly [ModbusAsk, string, ModbusTell, string])[] = [
  [
    { unit, function: 1, address: 19, count: 19 },
    '01 00 13 00 13',
    { unit, function: 1, values: on('101100111101011010100000') },
    '01 03 CD 6B 05',
  ],
  [
    { unit, function: 2, address: 196, count: 22 },
    '02 00 C4 00 16',
    { unit, function: 2, values: on('001101011101101110101100') },
    '02 03 AC DB 35',
  ],
  [
    { unit, function: 3, address: 107, count: 3 },
    '03 00 6B 00 03',
    { unit, function: 3, values: [555, 0, 100] },
    '03 06 02 2B 00 00 00 64',
  ],
  [{ unit, function: 4, address: 8, count: 1 }, '04 00 08 00 01', { unit, function: 4, values: [10] }, '04 02 00 0A'],
  [{ unit, function: 5, address: 172, value: true }, '05 00 AC FF 00', { unit, function: 5, address: 172, value: true }, '05 00 AC FF 00'],
  [{ unit, function: 6, address: 1, value: 3 }, '06 00 01 00 03', { unit, function: 6, address: 1, value: 3 }, '06 00 01 00 03'],
  [{ unit, function: 8, sub: 0, data: [0xa537] }, '08 00 00 A5 37', { unit, function: 8, sub: 0, data: [0xa537] }, '08 00 00 A5 37'],
  [
    { unit, function: 15, address: 19, values: on('1011001110') },
    '0F 00 13 00 0A 02 CD 01',
    { unit, function: 15, address: 19, count: 10 },
    '0F 00 13 00 0A',
  ],
  [
    { unit, function: 16, address: 1, values: [10, 258] },
    '10 00 01 00 02 04 00 0A 01 02',
    { unit, function: 16, address: 1, count: 2 },
    '10 00 01 00 02',
  ],
  [
    { unit, function: 23, address: 3, count: 6, writeAddress: 14, values: [255, 255, 255] },
    '17 00 03 00 06 00 0E 00 03 06 00 FF 00 FF 00 FF',
    { unit, function: 23, values: [254, 2765, 1, 3, 13, 255] },
    '17 0C 00 FE 0A CD 00 01 00 03 00 0D 00 FF',
  ],
  [{ unit, function: 1, address: 1185, count: 1 }, '01 04 A1 00 01', { unit, function: 1, exception: 2 }, '81 02'],
  [{ unit, function: 17, raw: new Uint8Array(0) }, '11', { unit, function: 17, raw: Uint8Array.of(2, 0x42, 0xff) }, '11 02 42 FF'],
];

const sealed = (frame: string): Uint8Array => {
  const crc = crc16(hex(frame));
  return concat(hex(frame), Uint8Array.of(crc & 0xff, crc >> 8));
};

describe('literal bytes', () => {
  test('the checksum is the published one', () => {
    expect(crc16(hex('02 07'))).toBe(0x1241); // Modbus over Serial Line v1.02, 6.2.2
    expect(crc16(hex('31 32 33 34 35 36 37 38 39'))).toBe(0x4b37); // CRC-16/MODBUS of "123456789"
  });

  test.each([
    ['01 03 00 00 00 0A C5 CD', { unit: 1, function: 3, address: 0, count: 10 }],
    ['11 03 00 6B 00 03 76 87', { unit, function: 3, address: 107, count: 3 }],
    ['11 05 00 AC FF 00 4E 8B', { unit, function: 5, address: 172, value: true }],
    ['11 06 00 01 00 03 9A 9B', { unit, function: 6, address: 1, value: 3 }],
    ['11 0F 00 13 00 0A 02 CD 01 BF 0B', { unit, function: 15, address: 19, values: on('1011001110') }],
    ['11 10 00 01 00 02 04 00 0A 01 02 C6 F0', { unit, function: 16, address: 1, values: [10, 258] }],
  ] as const)('RTU question %s', (bytes, q) => {
    expect(rtu.asks.encode(q)).toEqual(hex(bytes));
    expect(decoded(rtu.asks.decoder, hex(bytes))).toEqual([q]);
  });

  test('RTU reply and exception', () => {
    expect(rtu.tells.encode({ unit: 10, function: 1, exception: 2 })).toEqual(hex('0A 81 02 B0 53'));
    expect(decoded(rtu.tells.decoder, hex('0A 81 02 B0 53 11 03 06 AE 41 56 52 43 40 49 AD'))).toEqual([
      { unit: 10, function: 1, exception: 2 },
      { unit, function: 3, values: [0xae41, 0x5652, 0x4340] },
    ]);
  });

  test.each(PUBLISHED)('%j is %s, %j is %s', (q, asked, m, told) => {
    const [askFrame, tellFrame] = [sealed(`11 ${asked}`), sealed(`11 ${told}`)];
    expect(rtu.asks.encode(q)).toEqual(askFrame);
    expect(decoded(rtu.asks.decoder, askFrame)).toEqual([q]);
    expect(rtu.tells.encode(m)).toEqual(tellFrame);
    expect(decoded(rtu.tells.decoder, tellFrame)).toEqual([m]);
    expect(rtu.fits(m, q)).toBe('answer');

    const wrap = (body: string) => concat(hex(`15 01 00 00 00 ${(hex(body).length + 1).toString(16)} 11`), hex(body));
    const id = 0x1501;
    expect(tcp.asks.encode({ ...q, id })).toEqual(wrap(asked));
    expect(decoded(tcp.asks.decoder, wrap(asked))).toEqual([{ ...q, id }]);
    expect(tcp.tells.encode({ ...m, id })).toEqual(wrap(told));
    expect(decoded(tcp.tells.decoder, wrap(told))).toEqual([{ ...m, id }]);
    expect(tcp.fits({ ...m, id }, { ...q, id })).toBe('answer');
    expect(tcp.fits({ ...m, id: id + 256 }, { ...q, id })).toBe('late');
  });

  test.each([
    ['05 00 AC 12 34', 5],
    ['0F 00 13 00 0A 01 CD', 15],
    ['10 00 01 00 03 04 00 0A 01 02', 16],
    ['17 00 03 00 06 00 0E 00 03 04 00 FF 00 FF', 23],
    ['2B 0E 01 00', 43],
  ])('a question whose fields cannot be so reaches the server raw: %s', (body, code) => {
    const q = { unit, function: code, raw: hex(body).slice(1) };
    expect(decoded(rtu.asks.decoder, sealed(`11 ${body}`))).toEqual([q]);
    expect(rtu.asks.encode(q)).toEqual(sealed(`11 ${body}`));
  });

  test.each<ModbusAsk>([
    { unit: 256, function: 3, address: 0, count: 1 },
    { unit, function: 3, address: -1, count: 1 },
    { unit, function: 6, address: 0, value: 65536 },
    { unit, function: 6, address: 0, value: Number.NaN },
    { unit, function: 16, address: 0, values: new Array<number>(124).fill(0) },
    { unit, function: 0x83, raw: hex('02') },
  ])('what has no bytes is not sent: %j', (q) => {
    for (const protocol of [rtu, tcp]) expect(() => protocol.asks.encode(q)).toThrow(expect.objectContaining({ code: 'PROTO_UNSENDABLE' }));
  });
});

describe('in any split', () => {
  test('RTU questions and replies go round', () => {
    fc.assert(
      fc.property(fc.array(asks, { maxLength: 6 }), fc.array(tells, { maxLength: 6 }), places, (qs, ms, at) => {
        expect(decoded(rtu.asks.decoder, ...cut(concat(...qs.map(rtu.asks.encode)), at))).toEqual(qs);
        expect(decoded(rtu.tells.decoder, ...cut(concat(...ms.map(rtu.tells.encode)), at))).toEqual(ms);
      }),
    );
  });

  test('TCP questions and replies go round', () => {
    fc.assert(
      fc.property(fc.array(asks, { maxLength: 6 }), fc.array(tells, { maxLength: 6 }), places, fc.nat(65000), (qs, ms, at, first) => {
        const questions = qs.map((q, i) => ({ ...q, id: first + i }));
        const replies = ms.map((m, i) => ({ ...m, id: first + i }));
        expect(decoded(tcp.asks.decoder, ...cut(concat(...questions.map(tcp.asks.encode)), at))).toEqual(questions);
        expect(decoded(tcp.tells.decoder, ...cut(concat(...replies.map(tcp.tells.encode)), at))).toEqual(replies);
      }),
    );
  });

  test('garbage and frames in any order are decoded alike, and no byte is lost or held for ever', () => {
    const piece = fc.oneof(
      noise(60),
      asks.map((q) => rtu.asks.encode(q)),
      tells.map((m) => rtu.tells.encode(m)),
      asks.map((q) => tcp.asks.encode(q)),
      tells.map((m) => rtu.tells.encode(m).slice(0, -3)),
      fc.uint8Array({ max: 4, maxLength: 300 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), places, (pieces, at) => {
        const stream = concat(...pieces);
        for (const { encode, decoder } of [rtu.asks, rtu.tells, tcp.asks, tcp.tells]) {
          const whole = decoded<ModbusAsk | ModbusTell>(decoder, stream, SILENCE);
          // Each of the four encodes what it has decoded itself.
          const bytes = whole.map((m) => ('bytes' in m ? m.bytes.length : (encode as (m: ModbusAsk | ModbusTell) => Uint8Array)(m).length));
          expect(bytes.reduce((a, b) => a + b, 0)).toBeGreaterThanOrEqual(stream.length);
          expect(decoded<ModbusAsk | ModbusTell>(decoder, ...cut(stream, at), SILENCE)).toEqual(whole);
          expect(decoded<ModbusAsk | ModbusTell>(decoder, ...[...stream].map((b) => Uint8Array.of(b)), SILENCE)).toEqual(whole);
          for (const m of whole) if ('bytes' in m) expect(m.bytes.length).toBeLessThanOrEqual(512);
        }
      }),
    );
  });

  test('a decoder that has been silent is like a fresh one', () => {
    fc.assert(
      fc.property(noise(), asks, tells, (junk, q, m) => {
        const numbered = { ...q, id: 7 };
        expect(decoded(rtu.asks.decoder, junk, SILENCE, rtu.asks.encode(q)).at(-1)).toEqual(q);
        expect(decoded(rtu.tells.decoder, junk, SILENCE, rtu.tells.encode(m)).at(-1)).toEqual(m);
        expect(decoded(tcp.asks.decoder, junk, SILENCE, tcp.asks.encode(numbered)).at(-1)).toEqual(numbered);
      }),
    );
  });
});

describe('RTU behind garbage', () => {
  const q: ModbusAsk = { unit: 1, function: 3, address: 0, count: 10 };
  const m: ModbusTell = { unit: 1, function: 3, values: [1, 2] };
  const fault = (code: string, bytes: Uint8Array) => ({ fault: code, bytes: [...bytes] });

  test.each([
    ['00'],
    ['01'],
    ['FF FF FF'],
    ['01 03'],
    ['01 03 FA 00 01'], // begins a reply of 255 bytes
    ['01 10 00 00 00 7B F6 00'], // begins a question of 255 bytes
    ['07 41 00'], // a function of unknown length
    ['01 03 04 00 01'], // a reply cut short
  ])('%s, the frame is given as soon as it is whole', (junk) => {
    const before = hex(junk);
    const [ask, tell] = [rtu.asks.encode(q), rtu.tells.encode(m)];
    const [last, ...rest] = decoded(rtu.asks.decoder, before, ask).reverse();
    expect(last).toEqual(q);
    expect(rest.reverse().flatMap((f) => ('bytes' in f ? f.bytes : []))).toEqual([...before]);
    const [lastTold, ...restTold] = decoded(rtu.tells.decoder, before, tell).reverse();
    expect(lastTold).toEqual(m);
    expect(restTold.reverse().flatMap((f) => ('bytes' in f ? f.bytes : []))).toEqual([...before]);
  });

  test('any likely frame behind any garbage is found, and so is what follows it', () => {
    fc.assert(
      fc.property(noise(700), fc.nat(0xff00), fc.integer({ min: 1, max: 125 }), (junk, address, count) => {
        const ask: ModbusAsk = { unit: 9, function: 4, address, count };
        const tell: ModbusTell = { unit: 9, function: 4, values: new Array<number>(count).fill(address) };
        expect(decoded(rtu.asks.decoder, junk, rtu.asks.encode(ask), rtu.asks.encode(q)).slice(-2)).toEqual([ask, q]);
        expect(decoded(rtu.tells.decoder, junk, rtu.tells.encode(tell), rtu.tells.encode(m)).slice(-2)).toEqual([tell, m]);
      }),
      // One stream in some ten thousand has a checksum that fits by chance: "c2 1d" before a question can be one of function 29.
      { seed: 1, numRuns: 300 },
    );
  });

  test('garbage that may be an unknown question is closed by a checksum that fits by chance; the next frame is whole', () => {
    const ask = rtu.asks.encode({ unit: 9, function: 4, address: 62961, count: 115 });
    const said = decoded(rtu.asks.decoder, hex('c2 1d'), ask, rtu.asks.encode(q));
    expect(said[0]).toMatchObject({ unit: 0xc2, function: 0x1d });
    expect(said.at(-1)).toEqual(q);
  });

  test('one flipped bit never gives a wrong message, and the next frame is whole', () => {
    const frame = rtu.tells.encode({ unit: 1, function: 3, values: [1000, 2000, 3000] });
    for (let bit = 0; bit < 8 * frame.length; bit++) {
      const flipped = frame.slice();
      flipped[bit >> 3] ^= 1 << (bit & 7);
      const said = decoded(rtu.tells.decoder, flipped, rtu.tells.encode(m));
      expect(said.at(-1)).toEqual(m);
      expect(said.slice(0, -1).every((x) => 'fault' in x)).toBe(true);
    }
  });

  test('a frame of the right length with a wrong checksum is a fault at once', () => {
    expect(decoded(rtu.tells.decoder, hex('11 06 00 01 00 03 9A 9C'))[0]).toMatchObject({ fault: 'PROTO_BAD_CRC' });
  });

  test('a long frame that holds a short one is given, too', () => {
    const inner = hex('02 06 00 01 00 03 98 38'); // function 6 in the registers of function 3
    const long: ModbusTell = { unit: 1, function: 3, values: [0, 0x0206, 1, 3, 0x9838, 0, 5] };
    const said = decoded(rtu.tells.decoder, rtu.tells.encode(long), rtu.tells.encode(m));
    expect(crc16(inner)).toBe(0);
    expect(said).toEqual([
      fault('PROTO_NOISE', rtu.tells.encode(long).slice(0, 5)),
      { unit: 2, function: 6, address: 1, value: 3 },
      long,
      m,
    ]);
  });

  test('an echo is not closed within a register, even where the checksum fits there', () => {
    const body = hex('11 08 00 00 12 34 56');
    const q: ModbusAsk = { unit, function: 8, sub: 0, data: [0x1234, 0x5600 | (crc16(body) & 0xff)] };
    expect(crc16(rtu.asks.encode(q).slice(0, -1))).toBe(0);
    expect(decoded(rtu.asks.decoder, rtu.asks.encode(q))).toEqual([q]);
  });

  test('silence is a fault of what is held', () => {
    expect(decoded(rtu.tells.decoder, hex('01 03 04 00'), SILENCE, rtu.tells.encode(m))).toEqual([
      fault('PROTO_UNFINISHED', hex('01 03 04 00')),
      m,
    ]);
  });
});

describe('TCP', () => {
  const q: ModbusAsk = { unit: 1, id: 5, function: 3, address: 0, count: 10 };

  test('finds the frame behind garbage', () => {
    const junk = hex('DE AD 00 00 01 02 00 00 00 00 FF 03');
    expect(decoded(tcp.asks.decoder, junk, tcp.asks.encode(q), tcp.asks.encode(q))).toEqual([
      { fault: 'PROTO_NOISE', bytes: [...junk] },
      q,
      q,
    ]);
  });

  test('a header with another protocol or an impossible length is noise', () => {
    for (const header of ['00 05 00 01 00 06', '00 05 00 00 00 01', '00 05 00 00 00 FF', '00 05 00 00 01 06']) {
      const said = decoded(tcp.asks.decoder, hex(`${header} 01 03 00 00 00 0A`), tcp.asks.encode({ ...q, id: 6 }));
      expect(said.at(-1)).toEqual({ ...q, id: 6 });
      expect(said.slice(0, -1).flatMap((f) => ('bytes' in f ? f.bytes : []))).toEqual([...hex(`${header} 01 03 00 00 00 0A`)]);
    }
  });

  test('a frame cut short is a fault when the line has been silent', () => {
    const cutShort = tcp.asks.encode(q).slice(0, 9);
    expect(decoded(tcp.asks.decoder, cutShort, SILENCE, tcp.asks.encode(q))).toEqual([
      { fault: 'PROTO_UNFINISHED', bytes: [...cutShort] },
      q,
    ]);
  });

  test('numbers have 16 bits', () => {
    expect([1, 256, 65535, 65536, 65537].map((n) => tcp.number?.(q, n).id)).toEqual([1, 256, 65535, 0, 1]);
    expect(tcp.apart).toBe('question');
  });
});

describe('which question a reply fits', () => {
  const read: ModbusAsk = { unit: 1, function: 3, address: 7, count: 2 };
  test.each<readonly [ModbusTell, ModbusAsk, string]>([
    [{ unit: 1, function: 3, values: [1, 2] }, read, 'answer'],
    [{ unit: 1, function: 3, exception: 6 }, read, 'answer'],
    [{ unit: 1, function: 3, values: [1] }, read, 'late'],
    [{ unit: 1, function: 4, values: [1, 2] }, read, 'late'],
    [{ unit: 1, function: 4, exception: 2 }, read, 'late'],
    [{ unit: 1, function: 3, raw: hex('03 01 02 03') }, read, 'late'],
    [{ unit: 2, function: 3, values: [1, 2] }, read, 'unasked'],
    [{ unit: 1, function: 1, values: new Array<boolean>(16).fill(true) }, { unit: 1, function: 1, address: 0, count: 9 }, 'answer'],
    [{ unit: 1, function: 1, values: new Array<boolean>(8).fill(true) }, { unit: 1, function: 1, address: 0, count: 9 }, 'late'],
    [{ unit: 1, function: 6, address: 7, value: 3 }, { unit: 1, function: 6, address: 7, value: 3 }, 'answer'],
    [{ unit: 1, function: 6, address: 8, value: 3 }, { unit: 1, function: 6, address: 7, value: 3 }, 'late'],
    [{ unit: 1, function: 6, address: 7, value: 4 }, { unit: 1, function: 6, address: 7, value: 3 }, 'late'],
    [{ unit: 1, function: 5, address: 7, value: false }, { unit: 1, function: 5, address: 7, value: true }, 'late'],
    [{ unit: 1, function: 16, address: 7, count: 2 }, { unit: 1, function: 16, address: 7, values: [1, 2] }, 'answer'],
    [{ unit: 1, function: 16, address: 7, count: 3 }, { unit: 1, function: 16, address: 7, values: [1, 2] }, 'late'],
    [{ unit: 1, function: 15, address: 6, count: 1 }, { unit: 1, function: 15, address: 7, values: [true] }, 'late'],
    [{ unit: 1, function: 8, sub: 0, data: [5] }, { unit: 1, function: 8, sub: 0, data: [5] }, 'answer'],
    [{ unit: 1, function: 8, sub: 0, data: [4] }, { unit: 1, function: 8, sub: 0, data: [5] }, 'late'],
    [{ unit: 1, function: 8, sub: 11, data: [77] }, { unit: 1, function: 8, sub: 11, data: [0] }, 'answer'],
    [{ unit: 1, function: 8, sub: 12, data: [0] }, { unit: 1, function: 8, sub: 11, data: [0] }, 'late'],
    [{ unit: 1, function: 17, raw: hex('01 02') }, { unit: 1, function: 17, raw: hex('') }, 'answer'],
    [{ unit: 1, function: 23, values: [9] }, { unit: 1, function: 23, address: 1, count: 1, writeAddress: 5, values: [1, 2] }, 'answer'],
  ])('%j to %j: %s', (m, q, fit) => {
    expect(rtu.fits(m, q)).toBe(fit);
    expect(tcp.fits({ ...m, id: 3 }, { ...q, id: 3 })).toBe(fit === 'answer' ? 'answer' : 'late');
    expect(tcp.fits({ ...m, id: 4 }, { ...q, id: 3 })).toBe('late');
  });

  test('units are told apart on a serial line', () => {
    expect(rtu.apart).toBe('unit');
    expect(rtu.unit?.(read)).toBe(1);
  });
});

test('registers stand for signed numbers', () => {
  expect([0, 1, 0x7fff, 0x8000, 0xffff].map(signed)).toEqual([0, 1, 32767, -32768, -1]);
  expect([0, 32767, -32768, -1].map(unsigned)).toEqual([0, 0x7fff, 0x8000, 0xffff]);
});
