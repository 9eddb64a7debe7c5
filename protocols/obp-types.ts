/**
 * Messages of the Ocean Binary Protocol that the program uses. Sources: Ocean Optics' SeaBreeze library, OBPMessageTypes.h (MIT); Ventana
 * data sheet 891-00000-200-05-201305, pages 15 and 16; QE Pro data sheet as cited in Ocean Optics' demo-qepro-api.c.
 */
export const OBP = {
  hardwareRevision: 0x00000080,
  firmwareRevision: 0x00000090,
  serialNumber: 0x00000100,
  serialNumberLength: 0x00000101,
  abort: 0x00100000,
  buffering: 0x00100800,
  setBuffering: 0x00100810,
  bufferSizeMax: 0x00100820,
  bufferSize: 0x00100822,
  clearBuffer: 0x00100830,
  setBufferSize: 0x00100832,
  buffered: 0x00100900,
  acquire: 0x00100902,
  idle: 0x00100908,
  /** One spectrum of 32-bit pixels behind 32 bytes of metadata (QE Pro). */
  bufferedSpectrum: 0x00100928,
  /** Up to n spectra, each of 16-bit pixels behind 64 bytes of metadata (Ocean FX, HDX). */
  bufferedSpectra: 0x00100980,
  rawSpectrum: 0x00101100,
  integrationTime: 0x00110000,
  integrationTimeMin: 0x00110001,
  integrationTimeMax: 0x00110002,
  setIntegrationTime: 0x00110010,
  triggerMode: 0x00110100,
  setTriggerMode: 0x00110110,
  triggerPulse: 0x00110120,
  pixels: 0x00110220,
  binning: 0x00110280,
  binningMax: 0x00110281,
  setBinning: 0x00110290,
  lamp: 0x00110400,
  setLamp: 0x00110410,
  scans: 0x00120000,
  setScans: 0x00120010,
  wavelengthCount: 0x00180100,
  wavelength: 0x00180101,
  nonlinearityCount: 0x00181100,
  nonlinearity: 0x00181101,
  strobe: 0x00310001,
  setStrobe: 0x00310011,
  temperatureCount: 0x00400000,
  temperatures: 0x00400002,
  coolerTemperature: 0x00420004,
} as const;

/** Numbers of errors that are told apart: see `obpError`. */
export const OBP_ERROR = { unknownType: 2, badLength: 5, badData: 6, notReady: 7, absent: 12, deferred: 255 } as const;

const ERRORS: Readonly<Record<number, string>> = {
  1: 'invalid or unsupported protocol',
  2: 'unknown message type',
  3: 'bad checksum',
  4: 'message too large',
  5: 'payload length does not match message type',
  6: 'payload data invalid',
  7: 'device not ready for given message type',
  8: 'unknown checksum type',
  9: 'device reset unexpectedly',
  10: 'too many buses',
  11: 'out of memory',
  12: 'desired information does not exist',
  13: 'internal device error',
  14: 'message did not end properly',
  15: 'current scan interrupted',
  100: 'could not decrypt properly',
  101: 'firmware layout invalid',
  102: 'data packet was wrong size',
  103: 'hardware revision not compatible with firmware',
  104: 'existing flash map not compatible with firmware',
  255: 'operation deferred',
};

/** What an error number means, in the words of the data sheet (Ventana, page 10). */
export const obpError = (error: number): string => ERRORS[error] ?? `error ${error}`;

/** As a person writes it: 0x00110010. */
export const obpName = (type: number): string => `0x${type.toString(16).padStart(8, '0')}`;

/** Little-endian, from the beginning of the data; undefined where there are fewer bytes. */
export const obpUint = (data: Uint8Array, bytes: number): number | undefined =>
  data.length < bytes ? undefined : data.subarray(0, bytes).reduceRight((n, byte) => n * 256 + byte, 0);
/** Single precision. */
export const obpFloat = (data: Uint8Array, at = 0): number | undefined =>
  data.length < at + 4 ? undefined : new DataView(data.buffer, data.byteOffset).getFloat32(at, true);
export const obpBytes = (value: number, bytes: number): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) % 256);
