/** The bit string that sets up one EASIROC chip: 456 bits, sent as 57 bytes. */
import { Unsendable, whole } from './unsendable.ts';

interface Part {
  readonly name: string;
  /** Bits of one value. */
  readonly bits: number;
  /** Values of this name, one for each channel; absent: one. */
  readonly many?: number;
  /** The highest bit goes first. */
  readonly highFirst?: boolean;
  /** What is meant by 1 is sent as 0. */
  readonly low?: boolean;
  /** At power-up of the public controller (DefaultRegisterValue.yml). */
  readonly otherwise: number;
}
const on = (name: string, low = false): Part => ({ name, bits: 1, otherwise: 1, ...(low ? { low } : {}) });

export const CHIP_CHANNELS = 32;
export const SLOW_CONTROL_BYTES = 57;

/**
 * In the order of the chip's shift register. Names, widths and bit orders as two public controllers have them: the Ruby one
 * (ConfigLoader.rb with its attribute file) and a C++ one (configLoader.cc), which agree.
 */
const PARTS: readonly Part[] = [
  on('enable_input_dac'),
  on('input_dac_reference'), // 1 external (4.5 V), 0 internal
  // The ninth bit, 256, switches the channel's DAC on.
  { name: 'input_dac', bits: 9, many: CHIP_CHANNELS, otherwise: 256 },
  { name: 'low_gain_weak_bias', bits: 1, otherwise: 0 },
  on('power_high_gain_preamplifier'),
  on('enable_high_gain_preamplifier'),
  on('power_low_gain_preamplifier'),
  on('enable_low_gain_preamplifier'),
  { name: 'high_gain_compensation', bits: 4, otherwise: 14 },
  { name: 'high_gain_capacitor', bits: 4, otherwise: 4 },
  { name: 'low_gain_capacitor', bits: 4, highFirst: true, otherwise: 4 },
  { name: 'low_gain_compensation', bits: 4, highFirst: true, otherwise: 9 },
  // 2 disables the channel's preamplifier, 1 connects the test input.
  { name: 'preamplifier_test', bits: 2, many: CHIP_CHANNELS, highFirst: true, otherwise: 0 },
  on('power_low_gain_shaper'),
  on('enable_low_gain_shaper'),
  { name: 'low_gain_shaping', bits: 3, low: true, otherwise: 2 },
  on('power_high_gain_shaper'),
  on('enable_high_gain_shaper'),
  { name: 'high_gain_shaping', bits: 3, low: true, otherwise: 2 },
  on('power_fast_shaper_follower'),
  on('enable_fast_shaper'),
  on('power_fast_shaper'),
  on('power_track_and_hold'),
  on('enable_track_and_hold'),
  { name: 'track_and_hold_weak_bias', bits: 1, otherwise: 0 },
  on('enable_discriminator'),
  on('power_discriminator'),
  { name: 'latched_discriminator', bits: 1, otherwise: 0 }, // 0 trigger, 1 RS
  { name: 'mask', bits: 1, many: CHIP_CHANNELS, low: true, otherwise: 0 }, // 1: this channel's discriminator is silent
  { name: 'threshold', bits: 10, otherwise: 840 },
  { name: 'fine_threshold', bits: 1, otherwise: 1 },
  on('power_threshold_dac'),
  on('enable_threshold_dac'),
  on('power_band_gap'),
  on('enable_band_gap'),
  on('power_high_gain_buffer'),
  on('power_low_gain_buffer'),
  on('power_probe_buffer'),
  on('power_lvds'),
  on('enable_high_gain_buffer'),
  on('enable_low_gain_buffer'),
  on('enable_probe_buffer'),
  on('enable_lvds'),
  on('enable_digital_output'),
  on('enable_or32', true),
  on('enable_triggers', true),
  { name: 'not_connected', bits: 4, otherwise: 0 },
];

/** All settings of one chip by name; what has a value for each channel holds 32. */
export type SlowControl = Readonly<Record<string, readonly number[]>>;

export interface SlowControlField {
  readonly name: string;
  readonly most: number;
  /** 32, or 1 where it is the whole chip's. */
  readonly count: number;
}
export const SLOW_CONTROL_FIELDS: readonly SlowControlField[] = PARTS.map(({ name, bits, many = 1 }) => ({
  name,
  most: 2 ** bits - 1,
  count: many,
}));

/** What the public controller begins with: input DACs on at code 0, 200 fF, 50 ns, threshold 840. */
export const slowControlDefaults = (): SlowControl =>
  Object.fromEntries(PARTS.map(({ name, many = 1, otherwise }) => [name, new Array<number>(many).fill(otherwise)]));

/** Feedback capacitors of the preamplifiers: the code's bits are 800, 400, 200 and 100 fF, the lowest bit the largest (RegisterValueAlias.yml). */
export const CAPACITOR: Readonly<Record<string, number>> = Object.fromEntries(
  Array.from({ length: 16 }, (_, n) => [
    n === 0 ? 'none' : `${n * 100} fF`,
    ((n & 1) << 3) | ((n & 2) << 1) | ((n & 4) >> 1) | ((n & 8) >> 3),
  ]),
);
/** Time constants of the slow shapers: 25 ns times the code. */
export const SHAPING: Readonly<Record<string, number>> = Object.fromEntries(
  Array.from({ length: 7 }, (_, n) => [`${25 * (n + 1)} ns`, n + 1]),
);

/** Settings that are written as words. */
export const SLOW_CONTROL_WORDS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  high_gain_capacitor: CAPACITOR,
  low_gain_capacitor: CAPACITOR,
  high_gain_shaping: SHAPING,
  low_gain_shaping: SHAPING,
};

/** Settings as a person writes them, over the defaults: numbers, words, true and false; one for all channels, or a list. A sentence where they are none. */
export function slowControlOf(given: Readonly<Record<string, unknown>>): SlowControl | string {
  const all: Record<string, readonly number[]> = { ...slowControlDefaults() };
  for (const [name, written] of Object.entries(given)) {
    const field = SLOW_CONTROL_FIELDS.find((f) => f.name === name);
    if (!field) return `has no "${name}"; known are ${SLOW_CONTROL_FIELDS.map((f) => f.name).join(', ')}`;
    const words = Object.hasOwn(SLOW_CONTROL_WORDS, name) ? SLOW_CONTROL_WORDS[name] : {};
    const code = (one: unknown): unknown => {
      if (typeof one === 'boolean') return Number(one);
      return typeof one === 'string' && Object.hasOwn(words, one) ? words[one] : one;
    };
    const list: readonly unknown[] = Array.isArray(written) ? written : new Array<unknown>(field.count).fill(written);
    const codes = list.map(code).filter((n): n is number => Number.isInteger(n) && Number(n) >= 0 && Number(n) <= field.most);
    if (codes.length !== field.count || list.length !== field.count) {
      const one = Object.keys(words).length > 0 ? `one of ${Object.keys(words).join(', ')}` : `a whole number from 0 to ${field.most}`;
      return `${name} must be ${one}${field.count > 1 ? `, or a list of ${field.count} such` : ''}, not ${JSON.stringify(written)}`;
    }
    all[name] = codes;
  }
  return all;
}

/** Bit n of the string stands in byte 56 - n/8, the first of each eight at the top (ConfigLoader.rb turns both round). */
const byteOf = (n: number): number => SLOW_CONTROL_BYTES - 1 - (n >> 3);
const maskOf = (n: number): number => 0x80 >> (n & 7);
/** The value's bit that goes at place i of its part. */
const bitOf = ({ bits, highFirst }: Part, i: number): number => (highFirst ? bits - 1 - i : i);

/** 57 bytes; throws Unsendable where a setting is missing, unknown or does not fit. */
export function slowControlBytes(settings: SlowControl): Uint8Array {
  const bytes = new Uint8Array(SLOW_CONTROL_BYTES);
  const unknown = Object.keys(settings).find((name) => !PARTS.some((p) => p.name === name));
  if (unknown !== undefined) throw new Unsendable(`"${unknown}" is no setting of the chip`);
  let n = 0;
  for (const part of PARTS) {
    const values = settings[part.name] ?? [];
    if (values.length !== (part.many ?? 1))
      throw new Unsendable(`${part.name} has ${values.length} values, but must have ${part.many ?? 1}`);
    for (const value of values) {
      const sent = whole(part.name, value, 2 ** part.bits - 1) ^ (part.low ? 2 ** part.bits - 1 : 0);
      for (let i = 0; i < part.bits; i++, n++) if ((sent >> bitOf(part, i)) & 1) bytes[byteOf(n)] |= maskOf(n);
    }
  }
  return bytes;
}

/** What 57 bytes mean to the chip. */
export function readSlowControl(bytes: Uint8Array): SlowControl {
  if (bytes.length !== SLOW_CONTROL_BYTES) throw new Unsendable(`${bytes.length} bytes are no slow control: it has ${SLOW_CONTROL_BYTES}`);
  let n = 0;
  return Object.fromEntries(
    PARTS.map((part) => [
      part.name,
      Array.from({ length: part.many ?? 1 }, () => {
        let value = 0;
        for (let i = 0; i < part.bits; i++, n++) if (bytes[byteOf(n)] & maskOf(n)) value |= 1 << bitOf(part, i);
        return value ^ (part.low ? 2 ** part.bits - 1 : 0);
      }),
    ]),
  );
}
