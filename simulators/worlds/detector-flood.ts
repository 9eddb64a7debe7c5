/** Prepared frames of a waveform digitizer at any rate: made once, and sent with number, time and CRC of their own, so that making them costs next to nothing. */
import { crc32, crc32Joiner } from '../../protocols/crc32.ts';
import { waveformFrames } from '../../protocols/waveform-frames.ts';
import { frameBytes, type WaveformLayout, writeWord } from '../../protocols/waveform-layout.ts';
import { DETECTOR_TICK, detector } from './detector.ts';
import { CHANNELS } from './detector-light.ts';
import { type Converter, heightOf, Pulses } from './detector-pulses.ts';
import type { Given } from './detector-setup.ts';

/** Records of `count` events of a world of their own, each with a channel of at least `threshold` ADC counts: samples channel after channel. */
export function preparedRecords(
  seed: number,
  count: number,
  converter: Converter,
  { samples, interval }: Pick<WaveformLayout, 'samples' | 'interval'>,
  given: Partial<Given> = {},
  threshold = 20,
): readonly Uint16Array[] {
  const world = detector.make(seed);
  world.configure(given);
  const pulses = new Pulses(world, converter, 'flood');
  const made: Uint16Array[] = [];
  const ns = interval * 1e9;
  for (let ticks = 0; made.length < count && ticks < 100_000; ticks++) {
    const since = world.flashes;
    world.step(DETECTOR_TICK);
    for (const event of world.events(since)) {
      if (made.length === count) break;
      if (!Array.from({ length: CHANNELS }, (_, c) => c).some((c) => heightOf(event, c, world, converter) >= threshold)) continue;
      const after = 25 * ns + (made.length % 4) * (ns / 4);
      made.push(pulses.record({ interval: ns, samples, flashes: [{ after, event }], t: event.t }, made.length));
    }
  }
  return made;
}

export class Flood {
  private readonly pool: readonly { readonly frame: Uint8Array; readonly body: number }[];
  private readonly layout: WaveformLayout;
  private readonly join: (head: number, body: number) => number;
  private readonly covered: number;

  /** Throws Unsendable where the records do not fit the layout. */
  constructor(layout: WaveformLayout, records: readonly Uint16Array[]) {
    this.layout = layout;
    const { tells } = waveformFrames(layout, crc32);
    this.covered = frameBytes(layout) - (layout.check === 'crc32' ? 4 : 0) - (layout.trailer === undefined ? 0 : 4);
    this.pool = records.map((samples) => {
      const frame = tells.encode({ number: 0, time: 0, samples });
      return { frame, body: crc32(frame.subarray(layout.header, this.covered)) };
    });
    this.join = crc32Joiner(this.covered - layout.header);
  }

  /** `count` frames in a row, the first with this number; `time` gives the ticks of each. Both are taken modulo what the layout has room for. */
  frames(first: number, count: number, time: (number: number) => number, lostBefore = false): Uint8Array {
    const { layout, covered } = this;
    const { header, order, number, time: at, lost, check } = layout;
    const size = frameBytes(layout);
    const out = new Uint8Array(count * size);
    for (let i = 0; i < count; i++) {
      const n = first + i;
      const { frame, body } = this.pool[n % this.pool.length];
      out.set(frame, i * size);
      const own = out.subarray(i * size, (i + 1) * size);
      writeWord(own, number.at, number.bits, order, n % 2 ** number.bits);
      writeWord(own, at.at, at.bits, order, time(n) % 2 ** at.bits);
      if (lost && lostBefore && i === 0) writeWord(own, lost.at, lost.bits, order, lost.mask);
      if (check === 'crc32') writeWord(own, covered, 32, order, this.join(crc32(own.subarray(0, header)), body));
    }
    return out;
  }

  /** No setting of a device. */
  toJSON(): undefined {
    return undefined;
  }
}
