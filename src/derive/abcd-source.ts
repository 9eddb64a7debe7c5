/** ABCD list-mode events as hits. */
import { ABCD_EVENT, abcdEvents, readAbcd } from '../../protocols/abcd.ts';
import { FLAG, type HitSource, hits, type SourceCounts, sourceCounts } from './hits.ts';

/**
 * Nanoseconds of one tick, unless the user knows better: what the ABCD program itself takes (include/defaults.h, 2 ns / 1024). That is the
 * sampling time of a 500 MHz board divided by 1024. The file does not say which board wrote it; a 250 MHz board may count twice that.
 */
export const ABCD_TICK = 2 / 1024;

export interface AbcdSettings {
  /** Nanoseconds of one tick. */
  readonly tick?: number;
  /** Added to the channel numbers. */
  readonly firstChannel?: number;
}

export interface AbcdSource extends HitSource {
  /** Events of nothing but zeros, and the byte at which the first one stands: most likely pages that were never written. */
  readonly zeros: { count: number; at: number };
}

const BLOCK = 4096;
/** A gate's charge has 16 bits: this one is more, or one below nothing that the board could not write. */
const FULL = 0xffff;

/**
 * A hit for each event, in the order of the file: charge is the long gate, tail the long gate without the short one, both in the board's
 * own counts; a gate at the end of its 16 bits is saturated. The board keeps neither height nor noise: they are NaN. `frame` is the group
 * counter.
 */
export function abcdSource(settings: AbcdSettings = {}): AbcdSource {
  const { tick = ABCD_TICK, firstChannel = 0 } = settings;
  const counts: SourceCounts = sourceCounts();
  const zeros = { count: 0, at: -1 };
  const events = abcdEvents(BLOCK);
  const block = hits(BLOCK);
  block.peak.fill(Number.NaN);
  block.noise.fill(Number.NaN);
  const carry = new Uint8Array(ABCD_EVENT);
  let held = 0;

  const fill = (): void => {
    const { high, low, short, long, baseline, channel, group, count } = events;
    for (let i = 0; i < count; i++) {
      // In two parts: a 64-bit number of ticks does not fit, nanoseconds do.
      block.t[i] = (high[i] ?? 0) * (tick * 2 ** 32) + (low[i] ?? 0) * tick;
      const whole = long[i] ?? 0;
      const tail = whole - (short[i] ?? 0);
      block.charge[i] = whole;
      block.tail[i] = tail;
      block.baseline[i] = baseline[i] ?? 0;
      block.channel[i] = (channel[i] ?? 0) + firstChannel;
      block.frame[i] = group[i] ?? 0;
      const full = whole === FULL || short[i] === FULL;
      block.flags[i] = (whole === 0 ? FLAG.empty : 0) | (tail < 0 ? FLAG.shapeless : 0) | (full ? FLAG.saturated : 0);
      if (whole === 0 && tail === 0 && low[i] === 0 && high[i] === 0 && baseline[i] === 0 && channel[i] === 0 && group[i] === 0) {
        if (zeros.count++ === 0) zeros.at = (counts.frames + i) * ABCD_EVENT;
      }
    }
    block.count = count;
    counts.frames += count;
    counts.hits += count;
  };

  const run: AbcdSource['take'] = (bytes, _now, give) => {
    let at = 0;
    while (at + ABCD_EVENT <= bytes.length) {
      at = readAbcd(bytes, at, events);
      fill();
      give(block);
    }
  };

  return {
    counts,
    zeros,
    take(bytes, now, give) {
      counts.bytes += bytes.length;
      let from = 0;
      if (held > 0) {
        from = Math.min(ABCD_EVENT - held, bytes.length);
        carry.set(bytes.subarray(0, from), held);
        held += from;
        if (held < ABCD_EVENT) return;
        run(carry, now, give);
      }
      held = (bytes.length - from) % ABCD_EVENT;
      run(bytes.subarray(from), now, give);
      carry.set(bytes.subarray(bytes.length - held));
    },
    end() {
      counts.cutOff += held;
      held = 0;
    },
  };
}
