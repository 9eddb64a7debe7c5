import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CAPACITOR,
  readSlowControl,
  SHAPING,
  SLOW_CONTROL_FIELDS,
  type SlowControl,
  slowControlBytes,
  slowControlDefaults,
} from '../../protocols/easiroc-slow-control.ts';
import { hex } from './splits.ts';

const unsendable = expect.objectContaining({ code: 'PROTO_UNSENDABLE' });
const channels = (of: (ch: number) => number): number[] => Array.from({ length: 32 }, (_, ch) => of(ch));

// Both made by ConfigLoader.rb's procedure on its own bit array: fields in, bits of each byte round, bytes round.
const DEFAULTS = `
  c0 ff bf c4 ff ff ff bf fd de 01 00 00 00 00 00 00 00 92 e4 5e 80 00 01 02 04 08 10 20 40 80 00 01 02 04 08 10 20 40 80 00 01 02 04 08
  10 20 40 80 00 01 02 04 08 10 20 c0`;
const OTHERS = `
  c0 ff 9f 86 ff ff ff 9e 7d bf 09 00 00 00 00 00 00 04 32 e3 5e df 3e bd 7b f5 ec d1 bd 5b d7 2e 9d 3b 75 ec d0 be 5d db 36 ad 5b b5 6c
  d1 bc 59 d3 26 8d 1b 35 6c 50 bf de`;

describe('slow control', () => {
  test('the defaults, literal', () => {
    expect(slowControlBytes(slowControlDefaults())).toEqual(hex(DEFAULTS));
  });
  test('other settings, literal', () => {
    const settings: SlowControl = {
      ...slowControlDefaults(),
      input_dac: channels((ch) => 350 + ch),
      threshold: [600],
      mask: channels((ch) => Number([0, 5, 31].includes(ch))),
      high_gain_capacitor: [CAPACITOR['100 fF']],
      low_gain_capacitor: [CAPACITOR['900 fF']],
      high_gain_shaping: [SHAPING['100 ns']],
      low_gain_shaping: [SHAPING['25 ns']],
      preamplifier_test: channels((ch) => (ch === 3 ? 2 : ch === 30 ? 1 : 0)),
    };
    expect(slowControlBytes(settings)).toEqual(hex(OTHERS));
    expect(readSlowControl(hex(OTHERS))).toEqual(settings);
  });
  test('there are 456 bits, and each is somebody’s', () => {
    const bits = SLOW_CONTROL_FIELDS.reduce((n, { most, count }) => n + Math.log2(most + 1) * count, 0);
    expect(bits).toBe(57 * 8);
  });
  test('any settings go round', () => {
    const any = fc.record(
      Object.fromEntries(
        SLOW_CONTROL_FIELDS.map(({ name, most, count }) => [name, fc.array(fc.nat(most), { minLength: count, maxLength: count })]),
      ),
    );
    fc.assert(
      fc.property(any, fc.uint8Array({ minLength: 57, maxLength: 57 }), (settings, bytes) => {
        expect(readSlowControl(slowControlBytes(settings))).toEqual(settings);
        expect(slowControlBytes(readSlowControl(bytes))).toEqual(bytes);
      }),
      { numRuns: 40 },
    );
  });
  test('one setting moves its own bits alone', () => {
    const before = slowControlBytes(slowControlDefaults());
    const differing = (settings: SlowControl): number =>
      slowControlBytes({ ...slowControlDefaults(), ...settings }).reduce(
        (n, byte, i) => n + (byte ^ before[i]).toString(2).replaceAll('0', '').length,
        0,
      );
    expect(differing({ threshold: [841] })).toBe(1);
    expect(differing({ enable_or32: [0] })).toBe(1);
    expect(differing({ input_dac: channels((ch) => (ch === 17 ? 511 : 256)) })).toBe(8);
  });
  test('what does not fit is not sent', () => {
    const send = (settings: SlowControl) => () => slowControlBytes({ ...slowControlDefaults(), ...settings });
    expect(send({ threshold: [1024] })).toThrow(unsendable);
    expect(send({ threshold: [Number.NaN] })).toThrow(unsendable);
    expect(send({ input_dac: [256] })).toThrow('input_dac has 1 values, but must have 32');
    expect(send({ treshold: [1] })).toThrow('"treshold" is no setting of the chip');
    expect(() => readSlowControl(new Uint8Array(56))).toThrow(unsendable);
  });
  test('words of capacitors and time constants: RegisterValueAlias.yml', () => {
    expect(CAPACITOR).toMatchObject({
      none: 0,
      '100 fF': 8,
      '200 fF': 4,
      '300 fF': 12,
      '400 fF': 2,
      '800 fF': 1,
      '1000 fF': 5,
      '1500 fF': 15,
    });
    expect(SHAPING).toEqual({ '25 ns': 1, '50 ns': 2, '75 ns': 3, '100 ns': 4, '125 ns': 5, '150 ns': 6, '175 ns': 7 });
  });
});
