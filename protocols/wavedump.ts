/**
 * Binary files of CAEN WaveDump: per event a header of six u32 and the samples, little-endian, one file a channel. The size in the header
 * is that of header and samples together; samples are u16, of the 8-bit families (721, 731) u8, which the file does not say. Source:
 * WriteOutputFiles of WaveDump 3.10. The files of a 742 hold floats and are not read.
 */
import type { Protocol } from './protocol.ts';

export const WAVEDUMP_HEADER = 24;
/** No board records more: 2^25 samples. What claims more is no header. */
export const WAVEDUMP_MOST = WAVEDUMP_HEADER + 2 ** 26;
/** Event numbers are 24 bits of the board's header and begin again at 0 (CAEN UM3148, event structure). */
export const EVENT_NUMBERS = 2 ** 24;
const CHANNELS = 64; // of a 740, the most there are
const BOARDS = 2 ** 16;

export interface WaveDumpHeader {
  /** Bytes of the whole event. */
  readonly size: number;
  readonly board: number;
  readonly pattern: number;
  readonly channel: number;
  readonly number: number;
  /** Of the trigger, in ticks: 31 bits and a roll-over flag, or 32 bits where the extended time tag is switched on (CAEN UM3148). */
  readonly time: number;
}

/** The header at `offset`; undefined where it does not end within the bytes, or where these numbers are none. */
export function waveDumpHeader(bytes: Uint8Array, offset: number): WaveDumpHeader | undefined {
  if (offset + WAVEDUMP_HEADER > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, WAVEDUMP_HEADER);
  const word = (i: number): number => view.getUint32(4 * i, true);
  const header = { size: word(0), board: word(1), pattern: word(2), channel: word(3), number: word(4), time: word(5) };
  return possible(header.size, header.board, header.channel) ? header : undefined;
}

function possible(size: number, board: number, channel: number): boolean {
  return size > WAVEDUMP_HEADER && size <= WAVEDUMP_MOST && channel < CHANNELS && board < BOARDS;
}

/** The samples of the event at `offset`, in `into`, which must have room for them. */
export function waveDumpSamples(bytes: Uint8Array, offset: number, size: number, width: 1 | 2, into: Float64Array): number {
  const n = Math.floor((size - WAVEDUMP_HEADER) / width);
  let at = offset + WAVEDUMP_HEADER;
  if (width === 1) for (let i = 0; i < n; i++) into[i] = bytes[at + i] ?? 0;
  else for (let i = 0; i < n; i++, at += 2) into[i] = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
  return n;
}

export interface WaveDumpEvent extends Omit<WaveDumpHeader, 'size'> {
  readonly samples: ArrayLike<number>;
}

/** Throws RangeError for a sample that `width` bytes cannot hold. */
export function encodeWaveDump(event: WaveDumpEvent, width: 1 | 2 = 2): Uint8Array {
  const { samples } = event;
  const bytes = new Uint8Array(WAVEDUMP_HEADER + width * samples.length);
  const view = new DataView(bytes.buffer);
  for (const [i, word] of [bytes.length, event.board, event.pattern, event.channel, event.number, event.time].entries())
    view.setUint32(4 * i, word, true);
  for (let i = 0; i < samples.length; i++) {
    const sample = samples[i] ?? 0;
    if (!(Number.isInteger(sample) && sample >= 0 && sample < 256 ** width)) throw new RangeError(`sample ${i} is ${sample}`);
    if (width === 1) view.setUint8(WAVEDUMP_HEADER + i, sample);
    else view.setUint16(WAVEDUMP_HEADER + 2 * i, sample, true);
  }
  return bytes;
}

/**
 * Can this be the beginning of such a file with headers? Where the second event begins within `head`, it must be of the same board. Of
 * fewer than 24 bytes those that are there must be possible ones.
 */
export function likeWaveDump(head: Uint8Array): boolean {
  if (head.length < WAVEDUMP_HEADER) {
    const whole = new Uint8Array(WAVEDUMP_HEADER);
    whole.set(head);
    return head.length >= 4 && waveDumpHeader(whole, 0) !== undefined;
  }
  const first = waveDumpHeader(head, 0);
  if (!first) return false;
  const next = first.size + WAVEDUMP_HEADER <= head.length ? waveDumpHeader(head, first.size) : first;
  return next !== undefined && next.board === first.board;
}

/** WaveDump writes text where it is told so: the header's first line says that. */
export const waveDumpText = (start: string): boolean => /^Record Length: *\d+\s/.test(start);

export interface WaveDumpFile {
  /** The file's name, where the message knows it. */
  readonly name?: string;
  readonly bytes: Uint8Array;
}

/** One packet is one file; nothing is ever asked of a folder. An empty file is a message, too. */
export function waveDumpFile(): Protocol<undefined, WaveDumpFile> {
  return {
    framing: 'packets',
    asks: { encode: () => new Uint8Array(0), decoder: () => () => [] },
    tells: { encode: (m) => m.bytes, decoder: () => (bytes) => [{ bytes }] },
    fits: () => 'unasked',
    apart: 'question',
  };
}
