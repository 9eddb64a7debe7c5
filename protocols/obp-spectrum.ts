import { concat } from './protocol.ts';
import { whole } from './unsendable.ts';

/**
 * How the payload of a spectrum is laid out. u16: pixels alone (STS, raw spectrum). meta32: 32 bytes of metadata and pixels of 32 bits
 * (QE Pro; data sheet pages 11 and 12 as cited in Ocean Optics' demo-qepro-api.c). meta64: any number of 64 bytes of metadata, pixels of 16
 * bits and a checksum of 4 bytes (Ocean FX; packet capture of a driver over TCP, and python-seabreeze pull request 233).
 */
export type ObpForm = 'u16' | 'meta32' | 'meta64';

export interface ObpSpectrum {
  readonly counts: Uint16Array | Uint32Array;
  /** Number of the spectrum since the device was switched on. */
  readonly count?: number;
  /** The device's own clock in microseconds. */
  readonly tick?: number;
  /** Integration time of one scan in microseconds. */
  readonly exposure?: number;
  readonly trigger?: number;
}

const META32 = 32;
const META64 = 64;
const SUM = 4;

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const u64 = (view: DataView, at: number): number => view.getUint32(at, true) + 0x100000000 * view.getUint32(at + 4, true);
const pixels16 = (view: DataView, from: number, to: number): Uint16Array =>
  Uint16Array.from({ length: (to - from) / 2 }, (_, i) => view.getUint16(from + 2 * i, true));

function readMeta64(view: DataView): readonly ObpSpectrum[] | string {
  const all: ObpSpectrum[] = [];
  for (let at = 0; at < view.byteLength; ) {
    const left = view.byteLength - at;
    const meta = left < META64 ? 0 : view.getUint16(at + 2, true);
    const length = left < META64 ? 0 : view.getUint32(at + 4, true);
    if (meta !== META64 || length === 0 || length % 2 !== 0 || META64 + length + SUM > left)
      return `${left} bytes that are no spectrum with 64 bytes of metadata`;
    all.push({
      tick: u64(view, at + 8),
      exposure: view.getUint32(at + 16, true),
      count: view.getUint32(at + 24, true),
      counts: pixels16(view, at + META64, at + META64 + length),
    });
    at += META64 + length + SUM;
  }
  return all;
}

/** The spectra of a payload; a sentence where it is not of this form. */
export function readSpectra(form: ObpForm, payload: Uint8Array): readonly ObpSpectrum[] | string {
  const view = viewOf(payload);
  switch (form) {
    case 'u16':
      if (payload.length === 0 || payload.length % 2 !== 0) return `${payload.length} bytes are no pixels of 16 bits`;
      return [{ counts: pixels16(view, 0, payload.length) }];
    case 'meta32':
      if (payload.length <= META32 || payload.length % 4 !== 0) return `${payload.length} bytes are no metadata and pixels of 32 bits`;
      return [
        {
          count: view.getUint32(0, true),
          tick: u64(view, 4),
          exposure: view.getUint32(12, true),
          trigger: view.getUint8(18),
          // The detector has 18 bits; what stands above them means nothing.
          counts: Uint32Array.from({ length: (payload.length - META32) / 4 }, (_, i) => view.getUint32(META32 + 4 * i, true) & 0x3ffff),
        },
      ];
    case 'meta64':
      return readMeta64(view);
  }
}

function encodeOne(form: ObpForm, s: ObpSpectrum): Uint8Array {
  const bytes = form === 'meta32' ? 4 : 2;
  const head = { u16: 0, meta32: META32, meta64: META64 }[form];
  const out = new Uint8Array(head + bytes * s.counts.length + (form === 'meta64' ? SUM : 0));
  const view = viewOf(out);
  s.counts.forEach((count: number, i: number) => {
    if (bytes === 4) view.setUint32(head + 4 * i, whole('a pixel', count, 0x3ffff), true);
    else view.setUint16(head + 2 * i, whole('a pixel', count, 0xffff), true);
  });
  const at = form === 'meta32' ? 4 : 8;
  if (form !== 'u16') {
    view.setUint32(at, (s.tick ?? 0) % 0x100000000, true);
    view.setUint32(at + 4, Math.floor((s.tick ?? 0) / 0x100000000), true);
    view.setUint32(at + 8, whole('the integration time', s.exposure ?? 0, 0xffffffff), true);
    view.setUint32(form === 'meta32' ? 0 : 24, whole('the number', s.count ?? 0, 0xffffffff), true);
  }
  if (form === 'meta32') out[18] = whole('the trigger mode', s.trigger ?? 0, 0xff);
  if (form === 'meta64') {
    view.setUint16(2, META64, true);
    view.setUint32(4, bytes * s.counts.length, true);
  }
  return out;
}

/** Throws Unsendable for a number that its place does not hold. */
export const encodeSpectra = (form: ObpForm, spectra: readonly ObpSpectrum[]): Uint8Array =>
  concat(...spectra.map((s) => encodeOne(form, s)));

/**
 * Metres of `length` pixels from `from` on. The polynomial is in nm by powers of the pixel's index, counted from `first`; a binned pixel
 * (2^binning in one) stands where the middle of its pixels does.
 */
export function pixelWavelengths(
  nanometres: readonly number[],
  first: number,
  from: number,
  length: number,
  binning: number,
): Float64Array {
  const width = 2 ** binning;
  return Float64Array.from({ length }, (_, i) => {
    const x = (from + i) * width + (width - 1) / 2 - first;
    return nanometres.reduceRight((sum, c) => sum * x + c, 0) / 1e9;
  });
}
