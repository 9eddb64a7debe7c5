/** What a host says to a Firmata board. Source: firmata/protocol (protocol.md, servos.md, i2c.md) and StandardFirmata.ino 2.5. */
import {
  ANALOG,
  characters,
  END,
  groups,
  LONGEST_SYSEX,
  PORT,
  pair,
  pairs,
  REPORT_ANALOG,
  REPORT_PORT,
  RESET,
  SET_MODE,
  SET_PIN,
  START,
  SYSEX,
  same,
  textOf,
  ungrouped,
  unpaired,
  VERSION,
} from './firmata-bytes.ts';
import { concat, type Decoder, Fault } from './protocol.ts';
import { Unsendable, whole } from './unsendable.ts';

/** One command. Pins 0 to 127 by the board's own numbers, analog channels 0 to 15, ports of eight pins each. */
export type FirmataCommand =
  | { readonly do: 'version' | 'firmware' | 'capabilities' | 'mapping' | 'reset' }
  /** Ends a sysex that somebody has left unfinished; else nothing. */
  | { readonly do: 'end' }
  | { readonly do: 'pin state'; readonly pin: number }
  | { readonly do: 'mode'; readonly pin: number; readonly mode: number }
  | { readonly do: 'pin'; readonly pin: number; readonly on: boolean }
  /** All pins of the port at once, the lowest in bit 0. */
  | { readonly do: 'port'; readonly port: number; readonly bits: number }
  /** Angle in degrees, pulse in µs (544 and more), or duty cycle, by the pin's mode. `extended`: as a sysex also where it need not be one. */
  | { readonly do: 'write'; readonly pin: number; readonly value: number; readonly extended?: true }
  | { readonly do: 'report port'; readonly port: number; readonly on: boolean }
  | { readonly do: 'report analog'; readonly channel: number; readonly on: boolean }
  /** Attaches a servo with these pulses in µs for 0 and for 180 degrees. */
  | { readonly do: 'servo'; readonly pin: number; readonly shortest: number; readonly longest: number }
  /** ms between two looks at the analog inputs. */
  | { readonly do: 'sampling'; readonly ms: number }
  | { readonly do: 'string'; readonly text: string }
  /** 7-bit addresses; data are bytes to write, or register and number of bytes to read. */
  | { readonly do: 'i2c'; readonly address: number; readonly mode: I2cMode; readonly data: readonly number[] }
  /** µs between the register's write and its read. */
  | { readonly do: 'i2c config'; readonly delay: number }
  /** Any other; data of seven bits each. */
  | { readonly do: 'sysex'; readonly command: number; readonly data: readonly number[] }
  /** Only ever heard: a sysex has become longer than the board has room for. */
  | { readonly do: 'overrun' };

export const I2C_MODES = ['write', 'read', 'read on', 'stop'] as const;
export type I2cMode = (typeof I2C_MODES)[number];

/** Commands that go in one write; the answer, where there is one, is that of the last. The board's role hears one at a time. */
export type FirmataAsk = readonly FirmataCommand[];

function sysex(command: number, ...data: readonly number[]): Uint8Array {
  const all = [whole('the command of a sysex', command, 0x7f), ...data.map((d) => whole('a byte of a sysex', d, 0x7f))];
  if (all.length > LONGEST_SYSEX)
    throw new Unsendable(`a sysex of ${all.length} bytes is longer than the ${LONGEST_SYSEX} that a board has room for`);
  return Uint8Array.of(START, ...all, END);
}

const pinOf = (pin: number): number => whole('the pin', pin, 127);
const portOf = (port: number): number => whole('the port', port, 15);
const channelOf = (channel: number): number => whole('the analog channel', channel, 15);

const fits = (pin: number, value: number): boolean => pin < 16 && value <= 0x3fff;

function write(pin: number, value: number, extended = false): Uint8Array {
  pinOf(pin);
  // An analog message has four bits for the pin and fourteen for the value.
  if (fits(pin, value) && !extended) return Uint8Array.of(ANALOG | pin, ...pair('the value', value));
  return sysex(SYSEX.extendedAnalog, pin, ...groups(whole('the value', value, 0x7fffffff), 2));
}

function encodeOne(c: FirmataCommand): Uint8Array {
  switch (c.do) {
    case 'version':
      return Uint8Array.of(VERSION);
    case 'firmware':
      return sysex(SYSEX.firmware);
    case 'capabilities':
      return sysex(SYSEX.capabilityQuery);
    case 'mapping':
      return sysex(SYSEX.analogMappingQuery);
    case 'reset':
      return Uint8Array.of(RESET);
    case 'end':
      return Uint8Array.of(END);
    case 'pin state':
      return sysex(SYSEX.pinStateQuery, pinOf(c.pin));
    case 'mode':
      return Uint8Array.of(SET_MODE, pinOf(c.pin), whole('the mode', c.mode, 127));
    case 'pin':
      return Uint8Array.of(SET_PIN, pinOf(c.pin), c.on ? 1 : 0);
    case 'port':
      return Uint8Array.of(PORT | portOf(c.port), ...pair('the bits of a port', c.bits));
    case 'write':
      return write(c.pin, c.value, c.extended);
    case 'report port':
      return Uint8Array.of(REPORT_PORT | portOf(c.port), c.on ? 1 : 0);
    case 'report analog':
      return Uint8Array.of(REPORT_ANALOG | channelOf(c.channel), c.on ? 1 : 0);
    case 'servo':
      return sysex(SYSEX.servoConfig, pinOf(c.pin), ...pair('the shortest pulse', c.shortest), ...pair('the longest pulse', c.longest));
    case 'sampling':
      return sysex(SYSEX.samplingInterval, ...pair('the sampling interval', c.ms));
    case 'string':
      return sysex(SYSEX.string, ...pairs(characters(c.text)));
    case 'i2c':
      return sysex(SYSEX.i2cRequest, whole('the I2C address', c.address, 0x7f), I2C_MODES.indexOf(c.mode) << 3, ...pairs(c.data));
    case 'i2c config':
      return sysex(SYSEX.i2cConfig, ...pair('the I2C delay', c.delay));
    case 'sysex':
      return sysex(c.command, ...c.data);
    case 'overrun':
      throw new Unsendable('a sysex that is too long is never sent');
  }
}

export const encodeAsk = (ask: FirmataAsk): Uint8Array => concat(...ask.map(encodeOne));

/** What a sysex says, where it is one of those that are known; its bytes must then say no more than that. */
function knownSysex(command: number, data: readonly number[]): FirmataCommand | undefined {
  const [first = 0, second = 0] = data;
  switch (command) {
    case SYSEX.firmware:
      return { do: 'firmware' };
    case SYSEX.capabilityQuery:
      return { do: 'capabilities' };
    case SYSEX.analogMappingQuery:
      return { do: 'mapping' };
    case SYSEX.pinStateQuery:
      return { do: 'pin state', pin: first };
    case SYSEX.extendedAnalog: {
      const value = ungrouped(data.slice(1));
      return { do: 'write', pin: first, value, ...(fits(first, value) ? { extended: true } : {}) };
    }
    case SYSEX.servoConfig:
      return { do: 'servo', pin: first, shortest: ungrouped(data.slice(1, 3)), longest: ungrouped(data.slice(3, 5)) };
    case SYSEX.samplingInterval:
      return { do: 'sampling', ms: ungrouped(data) };
    case SYSEX.i2cConfig:
      return { do: 'i2c config', delay: ungrouped(data) };
    case SYSEX.string: {
      const codes = unpaired(data);
      return codes && { do: 'string', text: textOf(codes) };
    }
    case SYSEX.i2cRequest: {
      const bytes = unpaired(data.slice(2));
      const mode = I2C_MODES[second >> 3];
      return bytes && mode && { do: 'i2c', address: first, mode, data: bytes };
    }
  }
  return undefined;
}

/** A sysex without its ends. Where the same command would be encoded otherwise, it stays the bytes that it is. */
function readSysex(body: readonly number[]): FirmataCommand {
  const [command, ...data] = body;
  const known = knownSysex(command, data);
  if (known) {
    try {
      if (same(encodeOne(known), [START, ...body, END])) return known;
    } catch {
      // It holds what we would never send.
    }
  }
  return { do: 'sysex', command, data };
}

function readShort(status: number, a: number, b: number): FirmataCommand {
  if (status === SET_MODE) return { do: 'mode', pin: a, mode: b };
  if (status === SET_PIN) return { do: 'pin', pin: a, on: b !== 0 };
  const n = status & 0x0f;
  switch (status & 0xf0) {
    case PORT:
      return { do: 'port', port: n, bits: a | (b << 7) };
    case REPORT_ANALOG:
      return { do: 'report analog', channel: n, on: a !== 0 };
    case REPORT_PORT:
      return { do: 'report port', port: n, on: a !== 0 };
    default:
      return { do: 'write', pin: n, value: a | (b << 7) };
  }
}

/** Bytes of data behind a status byte; undefined where it is not one of a host's. */
function following(status: number): number | undefined {
  if (status === SET_MODE || status === SET_PIN) return 2;
  const group = status & 0xf0;
  if (group === PORT || group === ANALOG) return 2;
  if (group === REPORT_ANALOG || group === REPORT_PORT) return 1;
  return undefined;
}

const ALONE: Readonly<Record<number, FirmataCommand>> = { [VERSION]: { do: 'version' }, [RESET]: { do: 'reset' }, [END]: { do: 'end' } };

/**
 * The board's role, as StandardFirmata hears: within a sysex every byte up to END is taken for data, so that it is deaf until then; it
 * waits for the rest of a command for ever, so silence says nothing to it. Faults: PROTO_NOISE, PROTO_UNFINISHED (another command began),
 * PROTO_BAD_LENGTH (the end of a sysex whose overrun has been told).
 */
export function board(): Decoder<FirmataAsk> {
  let held: number[] = [];
  let wanted = 0;
  let inSysex = false;
  let overrun = false;

  const one = (byte: number): readonly (FirmataAsk | Fault)[] => {
    if (inSysex) {
      if (byte !== END) {
        if (held.length < LONGEST_SYSEX) {
          held.push(byte);
          return [];
        }
        const first = !overrun;
        overrun = true;
        return first ? [[{ do: 'overrun' }]] : [];
      }
      const body = held;
      const was = overrun;
      inSysex = overrun = false;
      held = [];
      if (was) return [new Fault('PROTO_BAD_LENGTH', Uint8Array.from(body))];
      if (body.length === 0) return [new Fault('PROTO_NOISE', Uint8Array.of(START, END))];
      return [[readSysex(body)]];
    }
    if (byte < 0x80) {
      if (wanted === 0) return [new Fault('PROTO_NOISE', Uint8Array.of(byte))];
      held.push(byte);
      if (held.length <= wanted) return [];
      const [status, a, b = 0] = held;
      held = [];
      wanted = 0;
      return [[readShort(status, a, b)]];
    }
    const said: (FirmataAsk | Fault)[] = held.length > 0 ? [new Fault('PROTO_UNFINISHED', Uint8Array.from(held))] : [];
    held = [];
    wanted = 0;
    const alone = ALONE[byte];
    const data = following(byte);
    if (alone) said.push([alone]);
    else if (byte === START) inSysex = true;
    else if (data === undefined) said.push(new Fault('PROTO_NOISE', Uint8Array.of(byte)));
    else {
      held = [byte];
      wanted = data;
    }
    return said;
  };

  return (bytes) => Array.from(bytes).flatMap(one);
}
