/** How the frames of a waveform digitizer are laid out: plain data, so that another board's is one small file with another constant. */

/** An unsigned number in the frame's header: how many bytes stand before it, and how many bits it has. */
export interface HeaderField<B extends number> {
  readonly at: number;
  readonly bits: B;
}

/**
 * A frame is: sync word, the rest of the header, samples as unsigned words of 16 bits, then a CRC-32 and a trailer word where the board sends
 * them. Every word has the same byte order. All channels of a frame have as many samples.
 */
export interface WaveformLayout {
  readonly order: 'little' | 'big';
  /** The frame begins with it. */
  readonly sync: { readonly bits: 16 | 32; readonly value: number };
  /** Bytes before the first sample, the sync word with them. */
  readonly header: number;
  /** Counts the frames, modulo 2^bits. */
  readonly number: HeaderField<16 | 32>;
  /** When the first sample was taken: ticks of `tick` seconds, modulo 2^bits. */
  readonly time: HeaderField<32 | 48> & { readonly tick: number };
  /** Where the board says that it had to throw data away before this frame: the bits of `mask`. */
  readonly lost?: HeaderField<16> & { readonly mask: number };
  readonly channels: number;
  /** Of one channel. */
  readonly samples: number;
  /** Seconds from one sample to the next. */
  readonly interval: number;
  /** Of the converter: its full scale is 2^bits - 1. */
  readonly bits: number;
  /** All samples of a channel in a row, or one sample of each channel after the other. */
  readonly arrangement: 'channels' | 'interleaved';
  /** crc32: IEEE 802.3, 32 bits, over every byte of the frame before it. */
  readonly check: 'crc32' | 'none';
  /** 32 bits, the last word of the frame. */
  readonly trailer?: number;
}

/**
 * 64 channels of 256 samples at 250 MS/s and 12 bits, 32,788 bytes. This layout is ours: no digitizer of this size behind SiTCP has a public
 * frame. Another board's is one small file like this one. The words are little-endian, so that most hosts can read samples where they lie;
 * no 14-bit samples can make up the sync word, at whatever byte one begins to read.
 */
export const DIGITIZER_64: WaveformLayout = {
  order: 'little',
  sync: { bits: 32, value: 0xeb90cafe },
  header: 16,
  number: { at: 4, bits: 32 },
  time: { at: 8, bits: 48, tick: 4e-9 },
  lost: { at: 14, bits: 16, mask: 0x0001 },
  channels: 64,
  samples: 256,
  interval: 4e-9,
  bits: 12,
  arrangement: 'channels',
  check: 'crc32',
};

export const sampleBytes = (layout: WaveformLayout): number => 2 * layout.channels * layout.samples;

/** Bytes of one frame. */
export const frameBytes = (layout: WaveformLayout): number =>
  layout.header + sampleBytes(layout) + (layout.check === 'crc32' ? 4 : 0) + (layout.trailer === undefined ? 0 : 4);

const LARGEST = 64 * 1024 * 1024; // a frame's bytes: more is a slip of the pen, and would be held in memory twice

const between = (value: number, low: number, high: number): boolean => Number.isInteger(value) && value >= low && value <= high;

/** What is wrong with a layout, in a sentence; undefined where nothing is. */
export function checkLayout(layout: WaveformLayout): string | undefined {
  const { order, sync, header, number, time, lost, channels, samples, interval, bits, arrangement, check, trailer } = layout;
  if (order !== 'little' && order !== 'big') return `order is ${order}, but must be little or big`;
  if (sync.bits !== 16 && sync.bits !== 32) return `sync.bits is ${sync.bits}, but must be 16 or 32`;
  if (!between(sync.value, 1, 2 ** sync.bits - 1))
    return `sync.value is ${sync.value}, but must be a whole number of ${sync.bits} bits, not 0`;
  if (!between(header, sync.bits / 8, 65536)) return `header is ${header}, but must be a whole number from ${sync.bits / 8} to 65536`;
  if (number.bits !== 16 && number.bits !== 32) return `number.bits is ${number.bits}, but must be 16 or 32`;
  if (time.bits !== 32 && time.bits !== 48) return `time.bits is ${time.bits}, but must be 32 or 48`;
  if (lost && lost.bits !== 16) return `lost.bits is ${lost.bits}, but must be 16`;
  if (lost && !between(lost.mask, 1, 0xffff)) return `lost.mask is ${lost.mask}, but must be a whole number from 1 to 65535`;
  const fields = [
    { name: 'sync', at: 0, bits: sync.bits },
    { name: 'number', at: number.at, bits: number.bits },
    { name: 'time', at: time.at, bits: time.bits },
    ...(lost ? [{ name: 'lost', at: lost.at, bits: lost.bits }] : []),
  ].sort((a, b) => a.at - b.at);
  for (const [i, { name, at, bits: width }] of fields.entries()) {
    if (!between(at, 0, header - width / 8))
      return `${name}.at is ${at}, and so the ${width} bits do not stand within the header of ${header} bytes`;
    const next = fields[i + 1];
    if (next && at + width / 8 > next.at) return `${name} and ${next.name} overlap in the header`;
  }
  if (!(time.tick > 0 && time.tick <= 1)) return `time.tick is ${time.tick}, but must be seconds above 0 and up to 1`;
  if (!between(channels, 1, 65536)) return `channels is ${channels}, but must be a whole number from 1 to 65536`;
  if (!between(samples, 1, 1048576)) return `samples is ${samples}, but must be a whole number from 1 to 1048576`;
  if (!(interval > 0 && interval <= 1)) return `interval is ${interval}, but must be seconds above 0 and up to 1`;
  if (!between(bits, 1, 16)) return `bits is ${bits}, but must be a whole number from 1 to 16`;
  if (arrangement !== 'channels' && arrangement !== 'interleaved')
    return `arrangement is ${arrangement}, but must be channels or interleaved`;
  if (check !== 'crc32' && check !== 'none') return `check is ${check}, but must be crc32 or none`;
  if (trailer !== undefined && !between(trailer, 0, 0xffffffff)) return `trailer is ${trailer}, but must be a whole number of 32 bits`;
  if (frameBytes(layout) > LARGEST) return `a frame has ${frameBytes(layout)} bytes, but at most ${LARGEST} are taken`;
  return undefined;
}

/** Reads an unsigned number of 16, 32 or 48 bits. */
export function readWord(bytes: Uint8Array, at: number, bits: number, order: 'little' | 'big'): number {
  let value = 0;
  const count = bits / 8;
  for (let i = 0; i < count; i++) value = value * 256 + bytes[order === 'big' ? at + i : at + count - 1 - i];
  return value;
}

/** Writes one; `value` is within its bits. */
export function writeWord(bytes: Uint8Array, at: number, bits: number, order: 'little' | 'big', value: number): void {
  const count = bits / 8;
  let rest = value;
  for (let i = 0; i < count; i++) {
    bytes[order === 'big' ? at + count - 1 - i : at + i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}
