/** Spectra of events: energy against pulse shape, the separation of both kinds against time, and the energies of prompt and delayed. */
import type { Trace } from '../reading.ts';
import type { Pairs } from './coincidence.ts';
import type { Events } from './coincidence-order.ts';
import {
  type Axis,
  countColumn,
  edge,
  emptied,
  fill,
  fillPlane,
  histogram,
  histogramTrace,
  inside,
  plane,
  planeTrace,
} from './histogram.ts';
import { fitSeparation, type NoSeparation, type Separation } from './pulse-shape.ts';

export interface EventSpectraOptions {
  /** MeVee */
  readonly energy: Axis;
  /** Tail over total. */
  readonly psd: Axis;
  /** MeVee: the separation is that of events between these. */
  readonly separate: readonly [low: number, high: number];
  /** It is fitted anew for so many events; 2000 where left out. */
  readonly every?: number;
  /** Off-time windows, as many as the pairs with a window number of 0 or more come from; 0 where those are not given. */
  readonly windows?: number;
}

export interface EventLook {
  readonly energy: Trace;
  /** Shape [bins of energy, bins of tail over total]. */
  readonly plane: Trace;
  /** On time, off time over the number of windows, their difference and one sigma of it, per bin of energy. */
  readonly prompt: Trace;
  readonly delayed: Trace;
  /** Of the last `every` events: each stands until the next. Undefined before the first. */
  readonly separation: Separation | NoSeparation | undefined;
}

export interface EventSpectra {
  take(block: Events): void;
  takePairs(pairs: Pairs): void;
  /** Microseconds since 1970 of the first and last moment that the spectra are of. */
  look(begin: number, end: number): EventLook;
}

/** Throws a RangeError for axes that make no sense. */
export function eventSpectra({ energy, psd, separate, every = 2000, windows = 0 }: EventSpectraOptions): EventSpectra {
  const all = histogram(energy);
  const both = plane(energy, psd);
  const shapes = histogram(psd);
  const side = () => ({ on: histogram(energy), off: histogram(energy) });
  const [prompt, delayed] = [side(), side()];
  let separation: Separation | NoSeparation | undefined;
  return {
    take(block) {
      for (let i = 0; i < block.count; i++) {
        const [e, shape] = [block.energy[i] as number, block.psd[i] as number]; // i < count
        fill(all, e);
        fillPlane(both, e, shape);
        if (e >= separate[0] && e < separate[1]) fill(shapes, shape);
      }
      if (inside(shapes) < every) return;
      separation = fitSeparation(shapes);
      emptied(shapes);
    },
    takePairs(pairs) {
      for (let i = 0; i < pairs.count; i++) {
        const on = (pairs.window[i] as number) < 0; // i < count
        fill(on ? prompt.on : prompt.off, pairs.energyPrompt[i] as number);
        fill(on ? delayed.on : delayed.off, pairs.energyDelayed[i] as number);
      }
    },
    look: (begin, end) => ({
      energy: histogramTrace(all, 'energy in MeVee', begin, end),
      plane: planeTrace(both, 'energy in MeVee', 'tail over total', begin, end),
      prompt: difference(prompt.on.counts, prompt.off.counts, energy, windows, begin, end),
      delayed: difference(delayed.on.counts, delayed.off.counts, energy, windows, begin, end),
      separation,
    }),
  };
}

function difference(on: Float64Array, off: Float64Array, axis: Axis, windows: number, begin: number, end: number): Trace {
  const each = windows > 0 ? 1 / windows : 0;
  return {
    columns: {
      edge: { unit: '1', data: on.map((_, i) => edge(axis, i)) },
      on: countColumn(on),
      off: { unit: '1', data: off.map((n) => n * each) },
      difference: { unit: '1', data: on.map((n, i) => n - (off[i] ?? 0) * each) },
      sigma: { unit: '1', data: on.map((n, i) => Math.sqrt(n + (off[i] ?? 0) * each ** 2)) },
    },
    shape: [axis.bins],
    begin,
    end,
    settings: { of: 'energy in MeVee', low: axis.low, high: axis.high, bins: axis.bins, windows },
  };
}
