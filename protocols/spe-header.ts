/** SPE 2.x (WinView, WinSpec): everything is in the 4,100-byte header. Offsets: WinX header structure, WinSpec manual, appendix C. */
import { latin1 } from './protocol.ts';
import {
  HEADER,
  microseconds,
  PIXEL_BYTES,
  type PixelType,
  pixels,
  type Spe,
  SpeFault,
  type SpeFrame,
  type SpeRegion,
  TYPE_CODES,
} from './spe-form.ts';

const MAX_ROIS = 10;
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
/** What only a header written by this family of programs has: the mark at 2996 or the last word. */
const WINX_MARK = 0x01234567;
const LAST_WORD = 0x5555;

/** The fields that both versions put into the header. */
export interface Header {
  readonly view: DataView;
  readonly version: number;
  /** Where the XML is said to begin; WinSpec 2.5 leaves rubbish here. */
  readonly footer: number;
  readonly type: PixelType;
  readonly columns: number;
  readonly rows: number;
  readonly frames: number;
}

/** The header, or why there is none. Fewer bytes than a header are 'incomplete' unless they already contradict it. */
export function readHeader(bytes: Uint8Array): Header | SpeFault {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const type = bytes.length >= 110 ? TYPE_CODES[view.getInt16(108, true)] : 'u16';
  if (!type)
    return new SpeFault('PROTO_NOT_SPE', `the data type is ${view.getInt16(108, true)}; known are ${Object.keys(TYPE_CODES)}`, bytes);
  if (bytes.length < HEADER) {
    const have = bytes.length === 0 ? 'the file is empty' : `only ${bytes.length} bytes are there`;
    return new SpeFault('PROTO_SPE_INCOMPLETE', `the header of ${HEADER} bytes is missing: ${have}`, bytes);
  }
  const version = Math.fround(view.getFloat32(1992, true));
  const known = view.getUint32(2996, true) === WINX_MARK || view.getUint16(4098, true) === LAST_WORD;
  if (!known && !(version >= 1 && version < 4)) return new SpeFault('PROTO_NOT_SPE', 'neither version nor marks of an SPE header', bytes);
  const columns = view.getUint16(42, true);
  const rows = view.getUint16(656, true);
  const footer = Number(view.getBigUint64(678, true));
  return { view, version, footer, type, columns, rows, frames: frameCount(view) };
}

/** Files from before WinX 2 count in lnoscan (664) or noscan (34); -1 there means "see NumFrames" (1446). */
function frameCount(view: DataView): number {
  for (const n of [view.getInt32(1446, true), view.getInt32(664, true), view.getInt16(34, true)]) if (n > 0) return n;
  return 1;
}

/** Reads a 2.x file. Regions lie one behind the other in each frame; bytes behind the last frame are ignored. */
export function readVersion2(header: Header, bytes: Uint8Array): Spe | SpeFault {
  const { view, type, frames: count } = header;
  const regions = regionsOf(header);
  if (typeof regions === 'string') return new SpeFault('PROTO_SPE_DAMAGED', regions, bytes);
  const sizes = regions.map(({ shape: [rows, columns] }) => rows * columns);
  const perFrame = sizes.reduce((sum, n) => sum + n, 0) * PIXEL_BYTES[type];
  const whole = Math.floor((bytes.length - HEADER) / perFrame);
  if (whole < count) {
    const missing = HEADER + count * perFrame - bytes.length;
    return new SpeFault('PROTO_SPE_INCOMPLETE', `frame ${whole + 1} of ${count} is missing or cut: ${missing} bytes short`, bytes);
  }
  const frames: SpeFrame[] = [];
  let at = HEADER;
  for (let f = 0; f < count; f++) {
    const data = sizes.map((n) => {
      const region = pixels(type, bytes, at, n);
      at += n * PIXEL_BYTES[type];
      return region;
    });
    frames.push({ data, tracked: {} });
  }
  const accumulations = Math.max(1, view.getInt32(668, true), view.getUint32(1422, true));
  const exposure = view.getFloat32(10, true);
  return {
    version: decimal(header.version),
    pixel: type,
    regions,
    frames,
    ...(exposure > 0 && Number.isFinite(exposure) ? { exposure: decimal(exposure) * accumulations } : {}),
    ...recordedOf(bytes),
    ...(type === 'u16' ? { saturation: 65535 } : type === 'u8' ? { saturation: 255 } : {}),
    settings: settingsOf(view, accumulations),
  };
}

/** A 4-byte float as the decimal number that was meant: 0.18, not 0.18000000715. */
const decimal = (value: number): number => Number(value.toPrecision(7));

function regionsOf({ view, columns, rows }: Header): SpeRegion[] | string {
  const used = Math.min(Math.max(view.getInt16(1510, true), 1), MAX_ROIS);
  const blocks = Array.from({ length: used }, (_, n) => block(view, 1512 + 12 * n));
  const [only] = blocks;
  if (used === 1) {
    if (columns === 0 || rows === 0) return `the header says ${columns} columns and ${rows} rows`;
    const region = { shape: [rows, columns] as const, x: only?.x ?? 0, y: only?.y ?? 0, binning: only?.binning ?? ([1, 1] as const) };
    return [withAxis(view, region)];
  }
  const found = blocks.filter((b) => b !== undefined);
  if (found.length < used) return `region ${blocks.indexOf(undefined) + 1} of ${used} has no size`;
  return found.map((region) => withAxis(view, region));
}

/** ROIinfo: startx, endx, groupx, starty, endy, groupy, counted from 1; start may lie behind end when the image was turned. */
function block(view: DataView, at: number): SpeRegion | undefined {
  const [x0 = 0, x1 = 0, binX = 0, y0 = 0, y1 = 0, binY = 0] = [0, 2, 4, 6, 8, 10].map((n) => view.getUint16(at + n, true));
  if (x0 === 0 || x1 === 0 || y0 === 0 || y1 === 0 || binX === 0 || binY === 0) return undefined;
  const columns = Math.floor((Math.abs(x1 - x0) + 1) / binX);
  const rows = Math.floor((Math.abs(y1 - y0) + 1) / binY);
  if (columns === 0 || rows === 0) return undefined;
  return { shape: [rows, columns], x: Math.min(x0, x1) - 1, y: Math.min(y0, y1) - 1, binning: [binX, binY] };
}

/**
 * The x calibration's polynomial (3263, 6 coefficients, nm) over pixels from 1. WinSpec counts the pixels of the file;
 * where the centre wavelength in the header (72) fits only pixels of the sensor, those are taken.
 */
function withAxis(view: DataView, region: SpeRegion): SpeRegion {
  const coefficients = Array.from({ length: 6 }, (_, n) => view.getFloat64(3263 + 8 * n, true));
  const polynomial = (pixel: number): number => coefficients.reduceRight((sum, c) => sum * pixel + c, 0);
  const [, columns] = region.shape;
  const [bin] = region.binning;
  const centre = view.getFloat32(72, true);
  const middle = (view.getUint16(6, true) + 1) / 2;
  const ofFile = Math.abs(polynomial((middle - region.x - (bin + 1) / 2) / bin + 1) - centre);
  const ofSensor = Math.abs(polynomial(middle) - centre);
  const shifted = (region.x > 0 || bin > 1) && centre > 0 && middle > 1 && ofSensor < 2 && ofSensor < ofFile;
  const wavelength = new Float64Array(columns);
  for (let i = 0; i < columns; i++) wavelength[i] = polynomial(shifted ? region.x + i * bin + (bin + 1) / 2 : i + 1) / 1e9;
  const rises = (wavelength[columns - 1] ?? 0) !== wavelength[0] || columns === 1;
  return rises && wavelength.every((w) => Number.isFinite(w) && w > 0) && coefficients.slice(1).some((c) => c !== 0)
    ? { ...region, wavelength }
    : region;
}

/** Local date (20, "13Jul2013") and time (172), and the same moment in UTC (179), which together give the time zone. */
function recordedOf(bytes: Uint8Array): { recorded?: number; recordedText?: string } {
  const field = (at: number, length: number): string => latin1(bytes.subarray(at, at + length)).split('\0', 1)[0] ?? '';
  const date = /^(\d{1,2})([A-Za-z]{3})(\d{4})$/.exec(field(20, 10));
  const local = /^(\d\d)(\d\d)(\d\d)$/.exec(field(172, 7));
  const month = MONTHS.indexOf(date?.[2]?.toLowerCase() ?? '') + 1;
  if (!date || month === 0) return {};
  const text = `${date[3]}-${String(month).padStart(2, '0')}-${String(date[1]).padStart(2, '0')}`;
  if (!local) return { recordedText: text };
  const recordedText = `${text}T${local[1]}:${local[2]}:${local[3]}`;
  const universal = /^(\d\d)(\d\d)(\d\d)$/.exec(field(179, 7));
  if (!universal) return { recordedText };
  const seconds = ([, h, m, s]: RegExpExecArray): number => Number(h) * 3600 + Number(m) * 60 + Number(s);
  let behind = seconds(universal) - seconds(local);
  if (behind > 12 * 3600) behind -= 86400;
  if (behind < -14 * 3600) behind += 86400;
  const midnight = microseconds(Number(date[3]), month, Number(date[1]), 0, 0, 0);
  return { recordedText, recorded: midnight + (seconds(local) + behind) * 1e6 };
}

function settingsOf(view: DataView, accumulations: number): Record<string, number | string> {
  const settings: Record<string, number | string> = { accumulations };
  const grooves = decimal(view.getFloat32(650, true));
  if (grooves > 0) settings.grating = `${grooves}/mm`;
  const centre = decimal(view.getFloat32(72, true));
  if (centre > 0) settings.centre_wavelength = centre / 1e9;
  const gain = view.getUint16(198, true);
  if (gain > 0) settings.adc_gain = gain;
  if (view.getInt16(150, true) === 1) settings.background_corrected = 'yes';
  if (view.getInt16(706, true) === 1) settings.flat_field_corrected = 'yes';
  if (view.getInt16(1438, true) === 1) settings.cosmic_corrected = 'yes';
  return settings;
}
