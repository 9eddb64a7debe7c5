/** The frames that a waveform digitizer sends by itself over TCP, as messages: for simulators, tests and slow links. */
import { type Decoder, Fault, type Protocol } from './protocol.ts';
import { Unsendable, whole } from './unsendable.ts';
import { type Crc32, type FrameFinds, frameFinder } from './waveform-finder.ts';
import { checkLayout, frameBytes, readWord, sampleBytes, type WaveformLayout, writeWord } from './waveform-layout.ts';

export interface WaveformFrame {
  /** The frame's number and its time in ticks, as the board sends them: both roll over. */
  readonly number: number;
  readonly time: number;
  /** The board says that it had to throw data away before this frame. Absent where it has not, or cannot say so. */
  readonly lost?: true;
  /** Channel after channel, whatever the arrangement on the wire. */
  readonly samples: Uint16Array;
}

/** The place of a sample on the wire, in samples, for the sample `i` of channel `c`. */
const placeOf = ({ arrangement, channels, samples }: WaveformLayout, c: number, i: number): number =>
  arrangement === 'channels' ? c * samples + i : i * channels + c;

function encode(layout: WaveformLayout, crc32: Crc32, frame: WaveformFrame): Uint8Array {
  const { order, sync, header, number, time, lost, channels, samples, bits, check, trailer } = layout;
  if (frame.samples.length !== channels * samples) {
    throw new Unsendable(`the frame has ${frame.samples.length} samples, the layout ${channels} x ${samples}`);
  }
  const bytes = new Uint8Array(frameBytes(layout));
  writeWord(bytes, 0, sync.bits, order, sync.value);
  writeWord(bytes, number.at, number.bits, order, whole('the number', frame.number, 2 ** number.bits - 1));
  writeWord(bytes, time.at, time.bits, order, whole('the time', frame.time, 2 ** time.bits - 1));
  if (frame.lost && !lost) throw new Unsendable('the layout has no place to say that something was lost');
  if (frame.lost && lost) writeWord(bytes, lost.at, lost.bits, order, lost.mask);
  const top = 2 ** bits - 1;
  const [low, high] = order === 'little' ? [0, 1] : [1, 0];
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < samples; i++) {
      const sample = frame.samples[c * samples + i];
      if (sample > top) throw new Unsendable(`sample ${i} of channel ${c} is ${sample}, but has at most ${bits} bits`);
      const at = header + 2 * placeOf(layout, c, i);
      bytes[at + low] = sample & 0xff;
      bytes[at + high] = sample >> 8;
    }
  }
  let end = header + sampleBytes(layout);
  if (check === 'crc32') {
    writeWord(bytes, end, 32, order, crc32(bytes.subarray(0, end)));
    end += 4;
  }
  if (trailer !== undefined) writeWord(bytes, end, 32, order, trailer);
  return bytes;
}

function frameAt(layout: WaveformLayout, bytes: Uint8Array, at: number): WaveformFrame {
  const { order, header, number, time, lost, channels, samples } = layout;
  const [low, high] = order === 'little' ? [0, 1] : [1, 0];
  const values = new Uint16Array(channels * samples);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < samples; i++) {
      const place = at + header + 2 * placeOf(layout, c, i);
      values[c * samples + i] = bytes[place + low] | (bytes[place + high] << 8);
    }
  }
  const said = lost !== undefined && (readWord(bytes, at + lost.at, lost.bits, order) & lost.mask) !== 0;
  return {
    number: readWord(bytes, at + number.at, number.bits, order),
    time: readWord(bytes, at + time.at, time.bits, order),
    ...(said && { lost: true }),
    samples: values,
  };
}

/**
 * Junk comes out as PROTO_NO_FRAME, a frame whose check or length is wrong as PROTO_BAD_CRC (what is longer than a frame in several, all but
 * the first PROTO_NO_FRAME), what is cut by silence as PROTO_UNFINISHED.
 */
function decoder(layout: WaveformLayout, crc32: Crc32): Decoder<WaveformFrame> {
  const length = frameBytes(layout);
  let said: (WaveformFrame | Fault)[] = [];
  const skipped = new Uint8Array(length);
  let count = 0;
  let code = '';
  const flush = (): void => {
    if (count > 0) said.push(new Fault(code, skipped.slice(0, count)));
    count = 0;
    code = 'PROTO_NO_FRAME';
  };
  const ended = (): void => {
    flush();
    code = '';
  };
  const finds: FrameFinds = {
    frame: (bytes, at) => said.push(frameAt(layout, bytes, at)),
    skipped(bytes, from, to, headed) {
      code ||= headed ? 'PROTO_BAD_CRC' : 'PROTO_NO_FRAME';
      for (let at = from; at < to; ) {
        const end = Math.min(to, at + length - count);
        skipped.set(bytes.subarray(at, end), count);
        count += end - at;
        at = end;
        if (count === length) flush();
      }
    },
    damaged: ended,
    junk: ended,
    unfinished: (bytes, from, to) => said.push(new Fault('PROTO_UNFINISHED', bytes.slice(from, to))),
  };
  const finder = frameFinder(layout, crc32, finds);
  return (bytes) => {
    said = [];
    finder.take(bytes);
    return said;
  };
}

/** Nothing is ever asked on this link. `crc32` is zlib's, or one like it. Throws Unsendable for a layout that is none, with the reason. */
export function waveformFrames(layout: WaveformLayout, crc32: Crc32): Protocol<undefined, WaveformFrame> {
  const wrong = checkLayout(layout);
  if (wrong !== undefined) throw new Unsendable(wrong);
  return {
    asks: { encode: () => new Uint8Array(0), decoder: () => () => [] },
    tells: { encode: (m) => encode(layout, crc32, m), decoder: () => decoder(layout, crc32) },
    fits: () => 'unasked',
    apart: 'question',
  };
}
