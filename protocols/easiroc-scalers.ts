/** Rates from the scalers of an EASIROC board: each event holds what was counted since the trigger before it. */
import { KIND, kindOf, SCALER_OVERFLOW, scalerChannel, scalerValue } from './easiroc-words.ts';

/** The OR of all channels; 0 to 63 are the channels (TopLevel.vhd). */
export const SCALER_OR = 66;
const CLOCK_MHZ = 67;
const CLOCK_KHZ = 68;
const COUNTERS = 69;

export interface ScalerRates {
  /** The first `count` words are the data words of one event. One without the clocks' scalers is left out. */
  take(words: ArrayLike<number>, count?: number): void;
  /** Seconds that the board has counted for. */
  readonly seconds: number;
  /** Counts a second of a channel; NaN before anything was counted. */
  rate(channel: number): number;
  /** The counter has gone over: the rate is higher than this. */
  over(channel: number): boolean;
  /** Begins anew. */
  clear(): void;
}

/**
 * Seconds by the board's clocks of 1 MHz and 1 kHz, both counted since the trigger before with 13 bits. The public reader adds the two and
 * halves the sum; here the first counts, unrolled by the second where it has gone over. NaN beyond the second's 8.2 s.
 */
function elapsed(mhz: number, khz: number): number {
  const fine = mhz & (SCALER_OVERFLOW - 1);
  if ((mhz & SCALER_OVERFLOW) === 0) return fine / 1e6;
  if ((khz & SCALER_OVERFLOW) !== 0) return Number.NaN;
  return (fine + SCALER_OVERFLOW * Math.round((khz * 1000 - fine) / SCALER_OVERFLOW)) / 1e6;
}

export function scalerRates(): ScalerRates {
  const counts = new Float64Array(COUNTERS);
  const gone = new Uint8Array(COUNTERS);
  const now = new Int32Array(COUNTERS);
  let seconds = 0;
  return {
    take(words, count = words.length) {
      now.fill(-1);
      for (let i = 0; i < count; i++) {
        const word = words[i];
        if (kindOf(word) !== KIND.scaler) continue;
        const channel = scalerChannel(word);
        if (channel < COUNTERS) now[channel] = scalerValue(word);
      }
      if (now[CLOCK_MHZ] < 0 || now[CLOCK_KHZ] < 0) return;
      const gap = elapsed(now[CLOCK_MHZ], now[CLOCK_KHZ]);
      if (Number.isNaN(gap)) return;
      seconds += gap;
      for (let i = 0; i < COUNTERS; i++) {
        if (now[i] < 0) continue;
        counts[i] += now[i] & (SCALER_OVERFLOW - 1);
        if (now[i] & SCALER_OVERFLOW) gone[i] = 1;
      }
    },
    get seconds() {
      return seconds;
    },
    rate: (channel) => counts[channel] / seconds,
    over: (channel) => gone[channel] === 1,
    clear() {
      counts.fill(0);
      gone.fill(0);
      seconds = 0;
    },
  };
}
