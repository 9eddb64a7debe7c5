/** The stream of a waveform digitizer as hits: frames, their order and time, and the features of every channel. */
import { type Crc32, frameFinder } from '../../protocols/waveform-finder.ts';
import { checkLayout, readWord, sampleBytes, type WaveformLayout } from '../../protocols/waveform-layout.ts';
import { FLAG, type HitSource, type Hits, hits, type SourceCounts, sourceCounts } from './hits.ts';
import { checkPulse, PULSE, type PulseSettings } from './waveform.ts';
import { type BlockFeatures, blockFeatures } from './waveform-block.ts';
import { frameClock, nanoseconds } from './waveform-clock.ts';

/** What is absent has the default of PULSE; bits and interval are the layout's. */
export interface WaveformSettings extends Partial<Omit<PulseSettings, 'bits' | 'intervalNs'>> {
  /** The number of the board's first channel, where there are several boards. */
  readonly firstChannel?: number;
}

export interface WaveformCounts extends SourceCounts {
  /** Channels of frames that were taken without a pulse above the threshold. */
  empty: number;
  /** Frames before which the board says that it has lost something. */
  lost: number;
  /** How often the counters did not go on from those before: the board was started anew. */
  restarted: number;
}

export interface WaveformSource extends HitSource {
  readonly counts: WaveformCounts;
}

const pulseOf = (layout: WaveformLayout, { firstChannel: _, ...pulse }: WaveformSettings): PulseSettings => ({
  ...PULSE,
  ...pulse,
  bits: layout.bits,
  intervalNs: nanoseconds(layout.interval),
});

/** What is wrong with a layout and its settings, in a sentence; undefined where nothing is. */
export function checkWaveforms(layout: WaveformLayout, settings: WaveformSettings): string | undefined {
  const { firstChannel = 0 } = settings;
  const wrong = checkLayout(layout) ?? checkPulse(pulseOf(layout, settings));
  if (wrong !== undefined) return wrong;
  if (!Number.isInteger(firstChannel) || firstChannel < 0 || firstChannel + layout.channels > 65536)
    return `firstChannel is ${firstChannel}, but must be a whole number from 0 to ${65536 - layout.channels}`;
  return undefined;
}

/**
 * A row for each channel of each frame that holds a pulse; its time is the frame's and that within the record. Frames that come twice or
 * after a later one are counted and not given on; one that comes late is no longer missing. A frame is looked at when its last byte is
 * there (without a check in the layout: the next frame's header). `crc32` is zlib's, or one like it. Throws a RangeError for a layout or
 * settings that are none: ask `checkWaveforms` before.
 */
export function waveformSource(layout: WaveformLayout, settings: WaveformSettings, crc32: Crc32): WaveformSource {
  const wrong = checkWaveforms(layout, settings);
  if (wrong !== undefined) throw new RangeError(wrong);
  const { order, number, time, lost, channels, samples } = layout;
  const kernel = blockFeatures(channels, samples, pulseOf(layout, settings));
  const put = placer(layout, kernel);
  const clock = frameClock({ numberBits: number.bits, timeBits: time.bits, tick: time.tick });
  const counts: WaveformCounts = { ...sourceCounts(), empty: 0, lost: 0, restarted: 0 };
  const block = hits(Math.max(1024, 4 * channels));
  const of = { t: 0, number: 0, firstChannel: settings.firstChannel ?? 0, flags: 0 };
  let came = 0;
  let zero = 0;
  let taker: (block: Hits) => void = () => {};

  function flush(): void {
    if (block.count === 0) return;
    counts.hits += block.count;
    taker(block);
    block.count = 0;
  }

  function frame(bytes: Uint8Array, at: number): void {
    counts.frames++;
    const raw = readWord(bytes, at + number.at, number.bits, order);
    const step = clock(raw, readWord(bytes, at + time.at, time.bits, order), came);
    counts.missing += step.missing;
    if (step.fate === 'doubled') counts.doubled++;
    if (step.fate === 'late') counts.late++;
    if (step.fate === 'doubled' || step.fate === 'late') return;
    if (step.fate === 'restarted') {
      flush();
      counts.restarted++;
    }
    zero = step.zero;
    const said = lost !== undefined && (readWord(bytes, at + lost.at, lost.bits, order) & lost.mask) !== 0;
    if (said) counts.lost++;
    if (block.count + channels > block.capacity) flush();
    put(bytes, at);
    of.t = step.t;
    of.number = step.number % 2 ** 32;
    of.flags = said ? FLAG.lostBefore : 0;
    counts.empty += kernel.look(of, block);
  }

  let skipped = 0;
  const finder = frameFinder(layout, crc32, {
    frame,
    skipped(_bytes, from, to) {
      skipped += to - from;
    },
    damaged() {
      counts.damaged++;
      skipped = 0;
    },
    junk(headed) {
      if (headed) counts.damaged++;
      counts.junk += skipped;
      skipped = 0;
      if (!ended) counts.resynced++;
    },
    unfinished(_bytes, from, to) {
      counts.cutOff += to - from;
    },
  });
  let ended = false;

  return {
    counts,
    get zero() {
      return zero;
    },
    take(bytes, now, give) {
      if (bytes.length === 0) return;
      counts.bytes += bytes.length;
      came = now;
      taker = give;
      finder.take(bytes);
      flush();
    },
    end(give) {
      taker = give;
      ended = true;
      finder.take(new Uint8Array(0));
      ended = false;
      flush();
    },
  };
}

/** Puts a frame's samples before the kernel: channel after channel, in this host's byte order. */
function placer(layout: WaveformLayout, { frame }: BlockFeatures): (bytes: Uint8Array, at: number) => void {
  const { order, header, channels, samples, arrangement } = layout;
  const size = sampleBytes(layout);
  const scratch = arrangement === 'channels' ? frame : new Uint16Array(channels * samples);
  const target = new Uint8Array(scratch.buffer, scratch.byteOffset, size);
  const pairs = new Uint32Array(scratch.buffer, scratch.byteOffset, (channels * samples) >> 1);
  const host = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 'little' : 'big';

  function swap(): void {
    for (let i = 0; i < pairs.length; i++) {
      const two = pairs[i];
      pairs[i] = ((two & 0x00ff00ff) << 8) | ((two >>> 8) & 0x00ff00ff);
    }
    for (let i = 2 * pairs.length; i < scratch.length; i++) scratch[i] = (scratch[i] << 8) | (scratch[i] >>> 8);
  }

  return (bytes, at) => {
    target.set(bytes.subarray(at + header, at + header + size));
    if (order !== host) swap();
    if (scratch === frame) return;
    for (let c = 0; c < channels; c++) {
      for (let i = 0, from = c, to = c * samples; i < samples; i++, from += channels, to++) frame[to] = scratch[from];
    }
  };
}
