import { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FirmataAsk, type FirmataCommand, type FirmataTell, firmata, I2C_MODES, MODES } from '../../protocols/firmata.ts';
import { concat } from '../../protocols/protocol.ts';
import { cut, decoded, hex, noise, places, SILENCE } from './splits.ts';

const { asks, tells, fits } = firmata();
const spaced = (bytes: Uint8Array): string => [...bytes].map((b) => b.toString(16).padStart(2, '0')).join(' ');

// firmata/protocol: protocol.md (2.5), servos.md, i2c.md; the examples' numbers are theirs where they give any.
const ASKS: readonly (readonly [string, FirmataCommand])[] = [
  ['f9', { do: 'version' }],
  ['f0 79 f7', { do: 'firmware' }],
  ['f0 6b f7', { do: 'capabilities' }],
  ['f0 69 f7', { do: 'mapping' }],
  ['f0 6d 09 f7', { do: 'pin state', pin: 9 }],
  ['f4 0d 01', { do: 'mode', pin: 13, mode: MODES.output }],
  ['f4 02 0b', { do: 'mode', pin: 2, mode: MODES.pullup }],
  ['f5 0d 01', { do: 'pin', pin: 13, on: true }],
  ['91 20 00', { do: 'port', port: 1, bits: 0x20 }],
  ['90 04 01', { do: 'port', port: 0, bits: 0x84 }],
  ['e3 34 02', { do: 'write', pin: 3, value: 308 }],
  ['f0 6f 12 5a 00 f7', { do: 'write', pin: 18, value: 90 }],
  ['f0 6f 03 10 00 f7', { do: 'write', pin: 3, value: 16, extended: true }],
  ['f0 6f 03 00 00 01 f7', { do: 'write', pin: 3, value: 0x4000 }],
  ['d1 01', { do: 'report port', port: 1, on: true }],
  ['c0 00', { do: 'report analog', channel: 0, on: false }],
  ['f0 70 09 20 04 60 12 f7', { do: 'servo', pin: 9, shortest: 544, longest: 2400 }],
  ['f0 7a 13 00 f7', { do: 'sampling', ms: 19 }],
  ['f0 71 68 00 69 01 f7', { do: 'string', text: 'hé' }],
  ['f0 76 76 08 50 01 01 00 f7', { do: 'i2c', address: 0x76, mode: 'read', data: [0xd0, 1] }],
  ['f0 78 00 00 f7', { do: 'i2c config', delay: 0 }],
  ['f0 62 05 f7', { do: 'sysex', command: 0x62, data: [5] }],
  ['f0 79 02 05 f7', { do: 'sysex', command: 0x79, data: [2, 5] }],
  ['ff', { do: 'reset' }],
  ['f7', { do: 'end' }],
];
const TELLS: readonly (readonly [string, FirmataTell])[] = [
  ['f9 02 05', { say: 'version', major: 2, minor: 5 }],
  ['f0 79 02 05 53 00 46 00 f7', { say: 'firmware', major: 2, minor: 5, name: 'SF' }],
  [
    'f0 6c 7f 00 01 01 01 04 0e 7f 02 0a 7f f7',
    {
      say: 'capabilities',
      pins: [
        [],
        [
          { mode: 0, resolution: 1 },
          { mode: 1, resolution: 1 },
          { mode: 4, resolution: 14 },
        ],
        [{ mode: 2, resolution: 10 }],
      ],
    },
  ],
  ['f0 6a 7f 7f 00 01 f7', { say: 'mapping', channels: [127, 127, 0, 1] }],
  ['f0 6e 09 04 5a f7', { say: 'pin state', pin: 9, mode: 4, state: 90 }],
  ['f0 6e 09 04 5c 0b f7', { say: 'pin state', pin: 9, mode: 4, state: 1500 }],
  ['f0 6e 7e f7', { say: 'pin state', pin: 126 }],
  ['91 20 00', { say: 'port', port: 1, bits: 0x20 }],
  ['e0 7f 07', { say: 'analog', channel: 0, value: 1023 }],
  ['f0 71 68 00 69 01 f7', { say: 'string', text: 'hé' }],
  ['f0 77 76 00 50 01 60 00 f7', { say: 'i2c', address: 0x76, register: 0xd0, data: [0x60] }],
  ['f0 72 00 f7', { say: 'sysex', command: 0x72, data: [0] }],
];

describe('literal bytes', () => {
  test.each(ASKS)('a host says %s', (text, command) => {
    expect(spaced(asks.encode([command]))).toBe(text);
    expect(decoded(asks.decoder, hex(text))).toEqual([[command]]);
  });
  test.each(TELLS)('a board says %s', (text, m) => {
    expect(spaced(tells.encode(m))).toBe(text);
    expect(decoded(tells.decoder, hex(text))).toEqual([m]);
  });
  test('a question is one write', () => {
    const ask: FirmataAsk = [
      { do: 'mode', pin: 9, mode: MODES.pullup },
      { do: 'report port', port: 1, on: true },
    ];
    expect(spaced(asks.encode(ask))).toBe('f4 09 0b d1 01');
    expect(decoded(asks.decoder, asks.encode(ask))).toEqual(ask.map((c) => [c]));
  });
});

const seven = fc.nat(127);
const short = fc.nat(0x3fff);
const bytes = fc.array(fc.nat(255), { maxLength: 25 });
const aCommand: fc.Arbitrary<FirmataCommand> = fc.oneof(
  fc.constantFrom<FirmataCommand>(
    { do: 'version' },
    { do: 'firmware' },
    { do: 'capabilities' },
    { do: 'mapping' },
    { do: 'reset' },
    { do: 'end' },
  ),
  fc.record({ do: fc.constant('pin state' as const), pin: seven }),
  fc.record({ do: fc.constant('mode' as const), pin: seven, mode: seven }),
  fc.record({ do: fc.constant('pin' as const), pin: seven, on: fc.boolean() }),
  fc.record({ do: fc.constant('port' as const), port: fc.nat(15), bits: short }),
  fc.record({ do: fc.constant('write' as const), pin: seven, value: fc.nat(0x7fffffff) }),
  fc.record({ do: fc.constant('report port' as const), port: fc.nat(15), on: fc.boolean() }),
  fc.record({ do: fc.constant('report analog' as const), channel: fc.nat(15), on: fc.boolean() }),
  fc.record({ do: fc.constant('servo' as const), pin: seven, shortest: short, longest: short }),
  fc.record({ do: fc.constant('sampling' as const), ms: short }),
  fc.record({ do: fc.constant('string' as const), text: bytes.map((b) => String.fromCharCode(...b)) }),
  fc.record({ do: fc.constant('i2c' as const), address: seven, mode: fc.constantFrom(...I2C_MODES), data: bytes }),
  fc.record({ do: fc.constant('i2c config' as const), delay: short }),
  fc.record({ do: fc.constant('sysex' as const), command: fc.integer({ min: 1, max: 0x60 }), data: fc.array(seven, { maxLength: 60 }) }),
);
const aTell: fc.Arbitrary<FirmataTell> = fc.oneof(
  fc.record({ say: fc.constant('version' as const), major: seven, minor: seven }),
  fc.record({ say: fc.constant('firmware' as const), major: seven, minor: seven, name: bytes.map((b) => String.fromCharCode(...b)) }),
  fc.record({
    say: fc.constant('capabilities' as const),
    pins: fc.array(fc.array(fc.record({ mode: fc.nat(126), resolution: fc.nat(126) }), { maxLength: 8 }), { minLength: 1, maxLength: 70 }),
  }),
  fc.record({ say: fc.constant('mapping' as const), channels: fc.array(seven, { minLength: 1, maxLength: 128 }) }),
  fc.record({ say: fc.constant('pin state' as const), pin: seven, mode: seven, state: fc.nat(0x7fffffff) }),
  fc.record({ say: fc.constant('port' as const), port: fc.nat(15), bits: short }),
  fc.record({ say: fc.constant('analog' as const), channel: fc.nat(15), value: short }),
  fc.record({ say: fc.constant('string' as const), text: bytes.map((b) => String.fromCharCode(...b)) }),
  fc.record({ say: fc.constant('i2c' as const), address: seven, register: fc.nat(255), data: bytes }),
);

describe('any message, any split', () => {
  test('of a host', () => {
    fc.assert(
      fc.property(fc.array(aCommand, { minLength: 1, maxLength: 6 }), places, (commands, at) => {
        const wire = asks.encode(commands);
        const got = decoded(asks.decoder, ...cut(wire, at)) as FirmataAsk[];
        // A value may be written in two ways; the bytes are what counts.
        expect(concat(...got.map((q) => asks.encode(q)))).toEqual(wire);
        expect(got).toHaveLength(commands.length);
        expect(decoded(asks.decoder, wire)).toEqual(got);
      }),
    );
  });
  test('of a board', () => {
    fc.assert(
      fc.property(fc.array(aTell, { maxLength: 6 }), places, (said, at) => {
        expect(decoded(tells.decoder, ...cut(concat(...said.map(tells.encode)), at))).toEqual(said);
      }),
    );
  });
  test('noise is cut alike, never throws, and the next message is heard', () => {
    fc.assert(
      fc.property(noise(), places, (junk, at) => {
        for (const { decoder } of [asks, tells])
          expect(decoded<unknown>(decoder, ...cut(junk, at))).toEqual(decoded<unknown>(decoder, junk));
        expect(decoded(tells.decoder, junk, hex('f9 02 05')).at(-1)).toEqual({ say: 'version', major: 2, minor: 5 });
        expect(decoded(asks.decoder, junk, hex('f7 f0 79 f7')).at(-1)).toEqual([{ do: 'firmware' }]);
      }),
    );
  });
});

describe('what is no message', () => {
  test('a board is deaf in an unfinished sysex, and the terminator in front of a question ends it', () => {
    expect(decoded(asks.decoder, hex('f0 6d f4 0d 01 f9'))).toEqual([]);
    expect(decoded(asks.decoder, hex('f0 6d f4 0d 01 f9 f7 f9')).at(-1)).toEqual([{ do: 'version' }]);
    expect(decoded(asks.decoder, hex('f0 6d'), SILENCE, hex('05 f7'))).toEqual([[{ do: 'pin state', pin: 5 }]]);
  });
  test('a sysex that a board has no room for is never sent, and heard at its 65th byte', () => {
    const longest = { do: 'sysex', command: 1, data: Array(63).fill(0) } as const;
    expect(asks.encode([longest])).toHaveLength(66);
    expect(() => asks.encode([{ ...longest, data: Array(64).fill(0) }])).toThrow(/longer than the 64/);
    const wire = Uint8Array.from([0xf0, ...Array(70).fill(1), 0xf7, 0xf9]);
    expect(decoded(asks.decoder, wire)).toEqual([
      [{ do: 'overrun' }],
      { fault: 'PROTO_BAD_LENGTH', bytes: Array(64).fill(1) },
      [{ do: 'version' }],
    ]);
  });
  test.each([
    ['f4 0d f9', [{ fault: 'PROTO_UNFINISHED', bytes: [0xf4, 0x0d] }, [{ do: 'version' }]]],
    ['05 f9', [{ fault: 'PROTO_NOISE', bytes: [5] }, [{ do: 'version' }]]],
    ['f0 f7', [{ fault: 'PROTO_NOISE', bytes: [0xf0, 0xf7] }]],
    ['f8', [{ fault: 'PROTO_NOISE', bytes: [0xf8] }]],
  ])('from a host: %s', (text, said) => {
    expect(decoded(asks.decoder, hex(text))).toEqual(said);
  });
  test.each([
    [
      'e0 7f 91 20 00',
      [
        { fault: 'PROTO_UNFINISHED', bytes: [0xe0, 0x7f] },
        { say: 'port', port: 1, bits: 0x20 },
      ],
    ],
    [
      'f0 6e 09 91 20 00',
      [
        { fault: 'PROTO_UNFINISHED', bytes: [0xf0, 0x6e, 9] },
        { say: 'port', port: 1, bits: 0x20 },
      ],
    ],
    [
      'f4 0d',
      [
        { fault: 'PROTO_NOISE', bytes: [0xf4] },
        { fault: 'PROTO_NOISE', bytes: [0x0d] },
      ],
    ],
    ['f0 6b f7', [{ fault: 'PROTO_NOISE', bytes: [0xf0, 0x6b, 0xf7] }]],
    ['f0 79 f7', [{ fault: 'PROTO_NOISE', bytes: [0xf0, 0x79, 0xf7] }]],
    ['f0 6c 00 01 00 7f f7', [{ fault: 'PROTO_NOISE', bytes: [0xf0, 0x6c, 0, 1, 0, 0x7f, 0xf7] }]],
  ])('from a board: %s', (text, said) => {
    expect(decoded(tells.decoder, hex(text))).toEqual(said);
  });
  test('what a board sends while a question goes out is not cut', () => {
    expect(decoded(tells.decoder, hex('e0 7f'), SILENCE, hex('07'))).toEqual([{ say: 'analog', channel: 0, value: 1023 }]);
  });
  test('a sysex without end costs no memory', () => {
    const decode = tells.decoder();
    expect(decode(Uint8Array.from([0xf0, ...Array(100_000).fill(0)]))).toEqual([]);
    const [fault, next] = decode(hex('f9 02 05'));
    expect(fault).toMatchObject({ fault: 'PROTO_BAD_LENGTH' });
    expect((fault as { bytes: Uint8Array }).bytes.length).toBeLessThan(5000);
    expect(next).toEqual({ say: 'version', major: 2, minor: 5 });
  });
});

test('answers are those of the last command; what a board says by itself is unasked, another answer is late', () => {
  const port: FirmataTell = { say: 'port', port: 1, bits: 0 };
  const mode: FirmataCommand = { do: 'mode', pin: 9, mode: MODES.pullup };
  expect(fits(port, [mode, { do: 'report port', port: 1, on: true }])).toBe('answer');
  expect(fits(port, [{ do: 'report port', port: 1, on: true }, mode])).toBe('unasked');
  expect(fits(port, [{ do: 'report port', port: 0, on: true }])).toBe('unasked');
  expect(fits(port, [{ do: 'report port', port: 1, on: false }])).toBe('unasked');
  expect(fits({ say: 'pin state', pin: 3, mode: 1, state: 0 }, [{ do: 'pin state', pin: 3 }])).toBe('answer');
  expect(fits({ say: 'pin state', pin: 3, mode: 1, state: 0 }, [{ do: 'pin state', pin: 4 }])).toBe('late');
  expect(fits({ say: 'analog', channel: 2, value: 0 }, [{ do: 'report analog', channel: 2, on: true }])).toBe('answer');
  expect(fits({ say: 'i2c', address: 8, register: 3, data: [] }, [{ do: 'i2c', address: 8, mode: 'read', data: [3, 1] }])).toBe('answer');
  expect(fits({ say: 'i2c', address: 8, register: 4, data: [] }, [{ do: 'i2c', address: 8, mode: 'read', data: [3, 1] }])).toBe('unasked');
  expect(fits({ say: 'version', major: 2, minor: 5 }, [{ do: 'firmware' }])).toBe('unasked');
});

describe('firmata-io, another implementation', () => {
  // Without types of its own; what is used of it is written down here.
  interface Board extends EventEmitter {
    readonly MODES: Readonly<Record<string, number>>;
    readonly pins: readonly { readonly supportedModes: readonly number[]; readonly mode?: number; readonly state?: number }[];
    readonly firmware: unknown;
    readonly analogPins: readonly number[];
    pinMode(pin: number, mode: number): void;
    digitalWrite(pin: number, value: number): void;
    servoConfig(pin: number, shortest: number, longest: number): void;
    servoWrite(pin: number, value: number): void;
    reportDigitalPin(pin: number, on: number): void;
    reportAnalogPin(pin: number, on: number): void;
    setSamplingInterval(ms: number): void;
    queryPinState(pin: number, done: () => void): void;
    i2cConfig(delay: number): void;
    i2cWrite(address: number, bytes: readonly number[]): void;
    i2cReadOnce(address: number, register: number, count: number, done: (data: number[]) => void): void;
    sendString(text: string): void;
    reset(): void;
    once(event: string, listener: (...args: never[]) => void): this;
  }
  const { Firmata } = createRequire(import.meta.url)('firmata-io') as { Firmata: new (transport: object, options: object) => Board };

  /** Its board, ready, with what it has written decoded by our codec. */
  function begun(): { board: Board; said: FirmataCommand[]; tell: (m: FirmataTell) => void } {
    const said: FirmataCommand[] = [];
    const decode = asks.decoder();
    const transport = Object.assign(new EventEmitter(), {
      write(data: Uint8Array) {
        for (const q of decode(Uint8Array.from(data))) said.push(...(q as FirmataAsk));
      },
    });
    const board = new Firmata(transport, { reportVersionTimeout: 0 });
    const tell = (m: FirmataTell): void => void transport.emit('data', tells.encode(m));
    tell({ say: 'version', major: 2, minor: 5 });
    tell({ say: 'firmware', major: 2, minor: 5, name: 'StandardFirmata.ino' });
    const digital = [0, 1, 11, 4].map((mode) => ({ mode, resolution: 1 }));
    tell({ say: 'capabilities', pins: [...Array.from({ length: 14 }, () => digital), [{ mode: 2, resolution: 10 }]] });
    tell({ say: 'mapping', channels: [...Array(14).fill(127), 0] });
    return { board, said, tell };
  }

  test('understands our board', () => {
    const { board, tell } = begun();
    expect(board.firmware).toEqual({ name: 'StandardFirmata.ino', version: { major: 2, minor: 5 } });
    expect(board.pins).toHaveLength(15);
    expect(board.pins[3]?.supportedModes).toEqual([0, 1, 4, 11]);
    expect(board.analogPins).toEqual([14]);
    const heard: unknown[] = [];
    board.pinMode(9, 0);
    board.once('digital-read-9', (v) => void heard.push(['digital', v]));
    tell({ say: 'port', port: 1, bits: 2 });
    board.once('analog-read-0', (v) => void heard.push(['analog', v]));
    tell({ say: 'analog', channel: 0, value: 777 });
    board.queryPinState(9, () => heard.push(['state', board.pins[9]?.mode, board.pins[9]?.state]));
    tell({ say: 'pin state', pin: 9, mode: 4, state: 1500 });
    board.i2cConfig(0);
    board.i2cReadOnce(0x76, 0xd0, 1, (data) => heard.push(['i2c', data]));
    tell({ say: 'i2c', address: 0x76, register: 0xd0, data: [0x60] });
    board.once('string', (v) => void heard.push(['string', v]));
    tell({ say: 'string', text: 'hello' });
    expect(heard).toEqual([
      ['digital', 1],
      ['analog', 777],
      ['state', 4, 1500],
      ['i2c', [0x60]],
      ['string', 'hello'],
    ]);
  });

  test('is understood by us', () => {
    const { board, said } = begun();
    said.length = 0;
    board.pinMode(13, 1);
    board.digitalWrite(13, 1);
    board.servoConfig(9, 600, 2400);
    board.servoWrite(9, 1200);
    board.reportDigitalPin(9, 1);
    board.reportAnalogPin(0, 1);
    board.setSamplingInterval(100);
    board.queryPinState(9, () => {});
    board.i2cConfig(0);
    board.i2cWrite(0x76, [0xf4, 0x27]);
    board.i2cReadOnce(0x76, 0xfa, 3, () => {});
    board.reset();
    expect(said).toEqual([
      { do: 'mode', pin: 13, mode: 1 },
      { do: 'port', port: 1, bits: 0x20 },
      { do: 'servo', pin: 9, shortest: 600, longest: 2400 },
      { do: 'write', pin: 9, value: 1200 },
      { do: 'report port', port: 1, on: true },
      { do: 'report analog', channel: 0, on: true },
      { do: 'sampling', ms: 100 },
      { do: 'pin state', pin: 9 },
      { do: 'i2c config', delay: 0 },
      { do: 'i2c', address: 0x76, mode: 'write', data: [0xf4, 0x27] },
      { do: 'i2c', address: 0x76, mode: 'read', data: [0xfa, 3] },
      { do: 'reset' },
    ]);
  });
});
