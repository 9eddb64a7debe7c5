/** The register map of a VME- or NIM-EASIROC board behind RBCP: RegisterAddress.vhd and VME-EASIROC.rb of nchikuma/EASIROC. */
import { Unsendable, whole } from './unsendable.ts';

/** First addresses. All are written and never read, save `version` (6 bytes) and `monitorRead` (2): a read of the others is a bus error. */
export const REGISTER = {
  /** 3 bytes: chip 1, chip 2, start of the shift. */
  direct: 0x00,
  /** 57 bytes each. */
  slowControl: [0x03, 0x3d],
  /** Which channel's analog output is looked at. */
  readout: [0x3c, 0x76],
  status: 0x77,
  /** 11 bytes: pattern, channel, least hits, the channels of the AND (8, highest first). */
  logic: 0x78,
  triggerWidth: 0x88,
  /** 16 bits, nanoseconds. */
  timeWindow: 0x100,
  /** 16 bits a channel: 64 of high gain, then 64 of low. */
  pedestal: 0x1000,
  /** 4 bytes: code (16 bits), start, shutdown. */
  bias: 0x10000,
  /** 3 bytes: what, strobe, which input DAC. */
  monitor: 0x10010,
  monitorRead: 0x10020,
  clockOutput: 0x10030,
  version: 0xf0000000,
} as const;
export const PEDESTAL_BYTES = 256;
export const VERSION_BYTES = 6;

/** Bits of the status register. */
export const STATUS = { acquire: 1, adc: 2, tdc: 4, scaler: 8 } as const;

/** VAL_EVT, RESET_PA, PWR_ON, SELECT_SC, RSTB_SR and RSTB_READ of a chip at rest (VME-EASIROC.rb); then the two that are pulsed. */
const REST = 0xde;
const LOAD = 0x20;
const RSTB_READ = 0x80;
const START = 0x03;

/** Direct control of both chips at rest, and with one line pulsed. `start` shifts the slow control in: writing it twice does it twice. */
export const DIRECT = {
  rest: Uint8Array.of(REST, REST, 0),
  start: Uint8Array.of(REST, REST, START),
  load: Uint8Array.of(REST | LOAD, REST | LOAD, 0),
  resetRead: Uint8Array.of(REST & ~RSTB_READ, REST & ~RSTB_READ, 0),
} as const;

/** Trigger logic by its code: ConfigLoader.rb, SelectableLogic.vhd. u is chip 1, d chip 2. */
export const PATTERNS: readonly string[] = [
  'OneCh',
  'Or32u',
  'Or32d',
  'Or64',
  'Or32And',
  'Or16And',
  'And32u',
  'And32d',
  'And64',
  'And32Or',
];

/** The eight bytes that choose the channels of the ANDs. */
export function andBytes(channels: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(8);
  for (const ch of channels) bytes[7 - (whole('a channel', ch, 63) >> 3)] |= 1 << (ch & 7);
  return bytes;
}

/** Trigger width in ns: 0 leaves the pulses as they are, else 38 + 8 n (ConfigLoader.rb, which allows 800 ns at most). */
export function triggerWidthCode(ns: number): number {
  if (ns === 0) return 0;
  if (!(ns >= 42 && ns <= 800)) throw new Unsendable(`the trigger width is ${ns} ns, but must be 0 (as it comes) or 46 to 800 ns`);
  return Math.max(1, Math.round((ns - 38) / 8));
}

export const CLOCK_OUTPUTS: readonly string[] = ['off', 'on', '1 Hz', '10 Hz', '100 Hz', '1 kHz', '10 kHz', '100 kHz', '3 MHz'];

/** What the monitor ADC can look at, and its own orders: VME-EASIROC.rb, MADC_Core.vhd. */
export const MONITOR = {
  temperature2: 0,
  inputDac: [1, 2],
  bias: 3,
  current: 4,
  temperature1: 5,
  /** Read the conversion into the FPGA. */
  read: 240,
} as const;

/** The multiplexer's byte for the input DAC of a chip's channel, 0 to 31: setCh of VME-EASIROC.rb. */
export function muxOf(channel: number): number {
  const ch = whole('the channel', channel, 31);
  const base = ch < 16 ? 199 : 55;
  return base + (ch % 2 === 0 ? 0 : 8) - Math.floor((ch % 16) / 2);
}

export interface EasirocVersion {
  /** "major.minor.hotfix-patch" */
  readonly version: string;
  /** When the firmware was made, "2015-02-20". */
  readonly date: string;
}

/** Four digits of version and eight of date, one in each half byte; undefined where that cannot be one. */
export function versionOf(bytes: Uint8Array): EasirocVersion | undefined {
  if (bytes.length !== VERSION_BYTES) return undefined;
  const digits = [...bytes].flatMap((byte) => [byte >> 4, byte & 15]);
  const date = digits.slice(4);
  if (date.some((d) => d > 9)) return undefined;
  const number = (from: number, n: number): number => date.slice(from, from + n).reduce((sum, d) => 10 * sum + d, 0);
  const [year, month, day] = [number(0, 4), number(4, 2), number(6, 2)];
  if (year < 2010 || year > 2099 || month < 1 || month > 12 || day < 1 || day > 31) return undefined;
  const [major, minor, hotfix, patch] = digits;
  const two = (n: number): string => String(n).padStart(2, '0');
  return { version: `${major}.${minor}.${hotfix}-${patch}`, date: `${year}-${two(month)}-${two(day)}` };
}
