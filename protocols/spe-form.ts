/** What an SPE file holds, and the small readers that both of its versions share. */
import { Fault } from './protocol.ts';

export type Pixels = Float32Array | Float64Array | Int32Array | Int16Array | Uint16Array | Uint8Array | Uint32Array;
export type PixelType = 'f32' | 'i32' | 'i16' | 'u16' | 'f64' | 'u8' | 'u32';

/** One region of interest. The wavelength axis (metre) has one entry per column; absent where the file does not know it. */
export interface SpeRegion {
  /** [rows, columns] of the data as they are in the file. */
  readonly shape: readonly [number, number];
  /** First sensor column and row, from 0. */
  readonly x: number;
  readonly y: number;
  /** Sensor [columns, rows] that make one pixel. */
  readonly binning: readonly [number, number];
  readonly wavelength?: Float64Array;
}

export interface SpeFrame {
  /** One array per region, row-major, of the file's own type. */
  readonly data: readonly Pixels[];
  /** Beginning and end of the exposure, microseconds since 1970, where the file stamps its frames. */
  readonly begin?: number;
  readonly end?: number;
  /** Exposure of this frame (s) where the gate width was tracked; else that of the file holds. */
  readonly exposure?: number;
  /** What else was tracked with the frame: track number, gate delay and width (s), modulation phase. */
  readonly tracked: Readonly<Record<string, number>>;
}

/** A whole SPE file, in SI. */
export interface Spe {
  readonly version: number;
  readonly pixel: PixelType;
  readonly regions: readonly SpeRegion[];
  readonly frames: readonly SpeFrame[];
  /** Light collected per frame (s): exposure or gate width, times accumulations and summed frames. */
  readonly exposure?: number;
  /** Microseconds since 1970; absent where the file gives no time zone. */
  readonly recorded?: number;
  /** The time as written in the file. */
  readonly recordedText?: string;
  /** A pixel at or above this many counts is saturated; absent where it cannot be known. */
  readonly saturation?: number;
  /** What identifies the optical path and the camera: camera, grating, centre_wavelength (m), slit (m), gain ... */
  readonly settings: Readonly<Record<string, number | string>>;
}

export type SpeFaultCode = 'PROTO_SPE_INCOMPLETE' | 'PROTO_SPE_DAMAGED' | 'PROTO_NOT_SPE';

/** Why a file could not be read. Only 'PROTO_SPE_INCOMPLETE' may still become whole. Holds at most the first 64 bytes. */
export class SpeFault extends Fault {
  declare readonly fault: SpeFaultCode;
  /** A sentence that names what is missing or wrong. */
  readonly why: string;
  constructor(fault: SpeFaultCode, why: string, bytes: Uint8Array) {
    super(fault, bytes.slice(0, 64));
    this.why = why;
  }
}

/** Length of the header, and where the frames begin (SPE 3.0 File Format Specification, "Binary header"). */
export const HEADER = 4100;

/** Header code -> type. 0 to 3: WinX header structure; 5, 6, 8: SPE 3.0 File Format Specification, datatype. */
export const TYPE_CODES: Readonly<Record<number, PixelType>> = { 0: 'f32', 1: 'i32', 2: 'i16', 3: 'u16', 5: 'f64', 6: 'u8', 8: 'u32' };
export const PIXEL_BYTES: Readonly<Record<PixelType, number>> = { f32: 4, i32: 4, i16: 2, u16: 2, f64: 8, u8: 1, u32: 4 };

/** A copy, because the frames begin at an offset that not every typed array can stand on. */
export function pixels(type: PixelType, bytes: Uint8Array, from: number, count: number): Pixels {
  const { buffer } = bytes.slice(from, from + count * PIXEL_BYTES[type]);
  switch (type) {
    case 'f32':
      return new Float32Array(buffer);
    case 'f64':
      return new Float64Array(buffer);
    case 'i32':
      return new Int32Array(buffer);
    case 'i16':
      return new Int16Array(buffer);
    case 'u16':
      return new Uint16Array(buffer);
    case 'u32':
      return new Uint32Array(buffer);
    case 'u8':
      return new Uint8Array(buffer);
  }
}

/** Microseconds since 1970 of a Gregorian date and time in UTC; seconds may have decimals. */
export function microseconds(year: number, month: number, day: number, hour: number, minute: number, second: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const ofEra = y - era * 400;
  const ofYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const days = era * 146097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear - 719468;
  return (days * 86400 + hour * 3600 + minute * 60) * 1e6 + Math.round(second * 1e6);
}

/** Reads "2016-02-24T17:12:52.8036866-06:00"; undefined without a time zone or for anything else. */
export function isoMicroseconds(text: string | undefined): number | undefined {
  const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d(?:\.\d+)?)(Z|([+-])(\d\d):(\d\d))$/.exec(text?.trim() ?? '');
  if (!match) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  const ahead = match[7] === 'Z' ? 0 : (match[8] === '-' ? -1 : 1) * (Number(match[9]) * 60 + Number(match[10]));
  return microseconds(year, month, day, hour, minute, second) - ahead * 60e6;
}
