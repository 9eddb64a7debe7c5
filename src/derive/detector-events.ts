/** Hits of one frame, or of several boards at one time, as one event: its time, energy and pulse shape, and the charge that each channel has seen. */
import { FLAG, type Hits } from './hits.ts';
import type { EnergyScale } from './spectra.ts';

/** One event. The builder fills the same one again and again: what is to be kept is copied. */
export interface DetectorEvent {
  /** Nanoseconds: of its largest hit. */
  t: number;
  /** MeVee: of all channels together. Where FLAG.saturated stands it is more than that. */
  energy: number;
  /**
   * Tail over total, each channel with the weight of its energy. NaN where saturated, cut or shapeless pulses have half of the energy or
   * more: such an event is no candidate, prompt or delayed.
   */
  shape: number;
  /** Those of all its hits. */
  flags: number;
  hits: number;
  /** By channel of the detector, in the hits' unit; 0 without a hit. */
  readonly charge: Float64Array;
}

export interface EventOptions {
  /** Of the detector, from `firstChannel` on. */
  readonly channels: number;
  readonly firstChannel?: number;
  /** By channel number of the hits: what a hit has of the event's energy. */
  readonly scale: EnergyScale;
  /** Nanoseconds: hits that are farther apart are no event, though they have one frame number; 1 ms where left out. */
  readonly span?: number;
  /**
   * Nanoseconds: hits that come in the order of their times, of several boards, are one event as far as they lie within this of its first;
   * frame numbers mean nothing then, and hits that are out of order (FLAG.late) belong to none. Absent: events are frames.
   */
  readonly within?: number;
}

export interface EventBuilder {
  /** Hits of an event stand together, in one block or in two. An event is given with the first hit of the next. */
  take(block: Hits, give: (event: DetectorEvent) => void): void;
  /** No more will come: gives the last one. */
  end(give: (event: DetectorEvent) => void): void;
  /** Hits of other channels, those without a charge that is a number, and with `within` those out of order. */
  readonly strangers: number;
}

const NO_SHAPE = FLAG.saturated | FLAG.cut | FLAG.shapeless | FLAG.pileUp;

/** Throws a RangeError for options that make no sense. */
export function eventBuilder({ channels, firstChannel = 0, scale, span = 1e6, within }: EventOptions): EventBuilder {
  if (!(Number.isInteger(channels) && channels >= 1)) throw new RangeError(`channels: at least 1, not ${channels}`);
  if (scale.slope.length < firstChannel + channels) throw new RangeError(`a scale of ${scale.slope.length} channels is too short`);
  const slope = Float64Array.from({ length: channels }, (_, c) => scale.slope[firstChannel + c] ?? 0);
  const offset = Float64Array.from({ length: channels }, (_, c) => scale.offset?.[firstChannel + c] ?? 0);
  const charge = new Float64Array(channels);
  const event: DetectorEvent = { t: 0, energy: 0, shape: Number.NaN, flags: 0, hits: 0, charge };
  let [frame, first, largest, total, tail, strangers] = [-1, 0, Number.NEGATIVE_INFINITY, 0, 0, 0];
  const joined = within !== undefined;
  if (joined && !(within >= 0)) throw new RangeError(`within: nanoseconds, 0 or more, not ${within}`);
  const strange = joined ? FLAG.late : 0;

  function close(give: (event: DetectorEvent) => void): void {
    if (event.hits === 0) return;
    event.shape = 2 * total > event.energy ? tail / total : Number.NaN;
    give(event);
    event.hits = 0;
  }

  function open(number: number, t: number): void {
    frame = number;
    first = t;
    charge.fill(0);
    event.energy = 0;
    event.flags = 0;
    largest = Number.NEGATIVE_INFINITY;
    total = 0;
    tail = 0;
  }

  return {
    take(block, give) {
      for (let i = 0; i < block.count; i++) {
        const flags = block.flags[i] as number; // i < count, here and below
        if ((flags & FLAG.empty) !== 0) continue;
        const c = (block.channel[i] as number) - firstChannel;
        const whole = block.charge[i] as number;
        if (!(c >= 0 && c < channels && Number.isFinite(whole)) || (flags & strange) !== 0) {
          strangers++;
          continue;
        }
        const t = block.t[i] as number;
        const number = block.frame[i] as number;
        if (event.hits > 0 && (joined ? !(Math.abs(t - first) <= within) : number !== frame || Math.abs(t - event.t) > span)) close(give);
        if (event.hits === 0) open(number, t);
        event.hits++;
        event.flags |= flags;
        const factor = slope[c] as number; // c < channels
        const energy = factor * whole + (offset[c] as number);
        event.energy += energy;
        charge[c] = (charge[c] as number) + whole;
        if ((flags & NO_SHAPE) === 0) {
          total += factor * whole;
          tail += factor * (block.tail[i] as number);
        }
        if (energy > largest) {
          largest = energy;
          event.t = t;
        }
      }
    },
    end: close,
    get strangers() {
      return strangers;
    },
  };
}
