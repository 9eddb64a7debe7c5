/** The numbers of Firmata's wire, and how it cuts them into bytes of seven bits. Source: firmata/protocol, protocol.md, 2.5. */
import { latin1 } from './protocol.ts';
import { Unsendable, whole } from './unsendable.ts';

/** Modes of a pin. */
export const MODES = {
  input: 0x00,
  output: 0x01,
  analog: 0x02,
  pwm: 0x03,
  servo: 0x04,
  shift: 0x05,
  i2c: 0x06,
  onewire: 0x07,
  stepper: 0x08,
  encoder: 0x09,
  serial: 0x0a,
  pullup: 0x0b,
} as const;
export type Mode = keyof typeof MODES;

export const START = 0xf0;
export const END = 0xf7;
export const RESET = 0xff;
export const VERSION = 0xf9;
export const SET_MODE = 0xf4;
export const SET_PIN = 0xf5;
export const PORT = 0x90;
export const ANALOG = 0xe0;
export const REPORT_ANALOG = 0xc0;
export const REPORT_PORT = 0xd0;

export const SYSEX = {
  analogMappingQuery: 0x69,
  analogMapping: 0x6a,
  capabilityQuery: 0x6b,
  capabilities: 0x6c,
  pinStateQuery: 0x6d,
  pinState: 0x6e,
  extendedAnalog: 0x6f,
  servoConfig: 0x70,
  string: 0x71,
  i2cRequest: 0x76,
  i2cReply: 0x77,
  i2cConfig: 0x78,
  firmware: 0x79,
  samplingInterval: 0x7a,
} as const;

/** Between START and END; StandardFirmata has no more room for it (MAX_DATA_BYTES in Firmata.h) and does not look whether it is full. */
export const LONGEST_SYSEX = 64;

export const low = (value: number): number => value & 0x7f;
export const high = (value: number): number => (value >> 7) & 0x7f;
export const pair = (name: string, value: number): readonly [number, number] => {
  whole(name, value, 0x3fff);
  return [low(value), high(value)];
};

/** Bytes or characters of eight bits, each as two of seven. */
export const pairs = (bytes: readonly number[]): readonly number[] => bytes.flatMap((b) => pair('a byte', whole('a byte', b, 0xff)));

/** The way back: undefined where there is an odd number of them, or one is no byte. */
export function unpaired(data: readonly number[]): readonly number[] | undefined {
  if (data.length % 2 !== 0) return undefined;
  const bytes: number[] = [];
  for (let i = 0; i < data.length; i += 2) {
    const byte = data[i] | (data[i + 1] << 7);
    if (byte > 0xff) return undefined;
    bytes.push(byte);
  }
  return bytes;
}

export function characters(text: string): readonly number[] {
  const codes = Array.from(text, (c) => c.codePointAt(0) ?? 0);
  if (codes.some((c) => c > 0xff)) throw new Unsendable(`${JSON.stringify(text)} has characters that are not of Latin-1`);
  return codes;
}

export const textOf = (codes: readonly number[]): string => latin1(Uint8Array.from(codes));

/** A whole number in groups of seven bits, the lowest first; at least `least` of them. */
export function groups(value: number, least: number): readonly number[] {
  const out: number[] = [];
  for (let rest = value; rest > 0 || out.length < least; rest = Math.floor(rest / 128)) out.push(rest % 128);
  return out;
}

export const ungrouped = (data: readonly number[]): number => data.reduceRight((value, group) => value * 128 + group, 0);

export const same = (a: ArrayLike<number>, b: ArrayLike<number>): boolean => {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
};
