/** The features of whole frames at speed, into columns: the same numbers as `features` in src/derive/waveform.ts, without an object a pulse. */
import { FLAG, type Hits } from './hits.ts';
import { type PulseSettings, pairwise } from './waveform.ts';
import { simdCan, simdModule, simdPlaces } from './waveform-simd.ts';

/** What a frame's hits have in common. */
export interface FrameOf {
  /** Nanoseconds of the first sample. */
  readonly t: number;
  readonly number: number;
  readonly firstChannel: number;
  /** Put onto each hit. */
  readonly flags: number;
}

export interface BlockFeatures {
  /** Where a frame is put to be looked at: channel after channel, so many samples each. Its bytes are those of this host's numbers. */
  readonly frame: Uint16Array;
  /**
   * Appends a row for each channel that holds a pulse; there must be room for all channels. Gives the number of channels that hold none.
   */
  look(of: FrameOf, into: Hits): number;
  readonly made: 'simd' | 'plain';
}

/** Vector instructions are used where the host has them and the settings let them; `made: 'plain'` forgoes them. The numbers are the same. */
export function blockFeatures(channels: number, samples: number, settings: PulseSettings, made: 'simd' | 'plain' = 'simd'): BlockFeatures {
  const module = made === 'simd' && simdCan(channels, samples, settings) ? simd(channels, samples, settings) : undefined;
  return module ?? plain(channels, samples, settings);
}

// The part of the global that is used here; Node's types leave it to those of browsers.
declare const WebAssembly: {
  validate(bytes: Uint8Array): boolean;
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { readonly exports: Readonly<Record<string, unknown>> };
};

function simd(channels: number, samples: number, settings: PulseSettings): BlockFeatures | undefined {
  const places = simdPlaces(channels, samples, settings);
  const bytes = simdModule(channels, samples, settings, places);
  const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
  if (!littleEndian || typeof WebAssembly === 'undefined' || !WebAssembly.validate(bytes)) return undefined;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  const { buffer } = exports.memory as { readonly buffer: ArrayBuffer }; // the module declares it so
  const run = exports.r1 as (t: number, flags: number) => number; // and this
  const column = (place: number): Float64Array => new Float64Array(buffer, place, channels);
  const [time, charge, tail] = [column(places.time), column(places.charge), column(places.tail)];
  const [peak, baseline, noise] = [column(places.peak), column(places.baseline), column(places.noise)];
  const channel = new Uint16Array(buffer, places.channel, channels);
  const flag = new Uint16Array(buffer, places.flags, channels);
  return {
    made: 'simd',
    frame: new Uint16Array(buffer, places.samples, channels * samples),
    look({ t, number, firstChannel, flags }, into) {
      const rows = run(t, flags);
      let row = into.count;
      for (let i = 0; i < rows; i++, row++) {
        into.t[row] = time[i];
        into.channel[row] = firstChannel + channel[i];
        into.charge[row] = charge[i];
        into.tail[row] = tail[i];
        into.peak[row] = peak[i];
        into.baseline[row] = baseline[i];
        into.noise[row] = noise[i];
        into.flags[row] = flag[i];
        into.frame[row] = number;
      }
      into.count = row;
      return channels - rows;
    },
  };
}

function plain(channels: number, samples: number, settings: PulseSettings): BlockFeatures {
  const { bits, intervalNs, baseline: wanted, gate, tail: late, leading, threshold } = settings;
  const { fraction, delay } = settings.cfd;
  const negative = settings.polarity === 'negative';
  const timedByCfd = settings.time === 'cfd';
  const n = samples;
  const m = Math.min(wanted, n);
  const [before, after] = gate;
  const top = 2 ** bits - 1;
  const square = new Float64Array(m);
  const x = new Float64Array(n);

  const frame = new Uint16Array(channels * samples);
  return {
    made: 'plain',
    frame,
    look({ t, number, firstChannel, flags: common }, into) {
      let row = into.count;
      for (let channel = 0; channel < channels; channel++) {
        const start = channel * n;
        let sum = 0;
        for (let i = start; i < start + m; i++) sum += frame[i];
        const baseline = sum / m;

        let low = 65535;
        let high = 0;
        for (let i = start; i < start + n; i++) {
          const s = frame[i];
          if (s < low) low = s;
          if (s > high) high = s;
        }
        const extreme = negative ? low : high;
        const peak = negative ? baseline - low : high - baseline;
        if (!(peak >= threshold && peak > 0)) continue;

        let peakAt = 0;
        while (frame[start + peakAt] !== extreme) peakAt++;
        let flags = low <= 0 || high >= top ? common | FLAG.saturated : common;
        if (peakAt - before < m || peakAt + after > n) flags |= FLAG.cut;
        const from = Math.max(0, peakAt - before);
        const to = Math.min(n, peakAt + after);
        // As far as the time is looked for, and no further.
        if (negative) for (let i = 0; i < to; i++) x[i] = baseline - frame[start + i];
        else for (let i = 0; i < to; i++) x[i] = frame[start + i] - baseline;
        const charge = pairwise(x, from, to);
        const tail = pairwise(x, Math.min(to, Math.max(from, peakAt + late)), to);
        if (!(tail >= 0 && tail <= charge && charge > 0)) flags |= FLAG.shapeless;

        for (let i = 0; i < m; i++) {
          const off = frame[start + i] - baseline;
          square[i] = off * off;
        }

        let time = -1;
        if (timedByCfd) {
          let best = fraction * x[0];
          let at = 0;
          const plain = Math.min(delay, peakAt + 1);
          for (let i = 1; i < plain; i++) {
            const c = fraction * x[i];
            if (c > best) {
              best = c;
              at = i;
            }
          }
          for (let i = delay; i <= peakAt; i++) {
            const c = fraction * x[i] - x[i - delay];
            if (c > best) {
              best = c;
              at = i;
            }
          }
          if (best > 0) {
            let c = best;
            for (let i = at + 1; i < n; i++) {
              const now = negative ? baseline - frame[start + i] : frame[start + i] - baseline;
              const then = i < delay ? 0 : negative ? baseline - frame[start + i - delay] : frame[start + i - delay] - baseline;
              const next = fraction * now - then;
              if (!(next > 0)) {
                time = i - 1 + c / (c - next);
                break;
              }
              c = next;
            }
          }
        } else {
          const level = leading * peak;
          let i = peakAt;
          while (i > 0 && x[i - 1] > level) i--;
          if (i > 0) time = i - 1 + (level - x[i - 1]) / (x[i] - x[i - 1]);
        }
        if (time < 0) {
          flags |= FLAG.untimed;
          time = peakAt;
        }

        into.t[row] = t + intervalNs * time;
        into.channel[row] = firstChannel + channel;
        into.charge[row] = charge;
        into.tail[row] = tail;
        into.peak[row] = peak;
        into.baseline[row] = baseline;
        into.noise[row] = m < 2 ? 0 : Math.sqrt(pairwise(square, 0, m) / (m - 1));
        into.flags[row] = flags;
        into.frame[row] = number;
        row++;
      }
      const empty = channels - (row - into.count);
      into.count = row;
      return empty;
    },
  };
}
