/** Coincidences between named channels, on hits that are in order. */
import { FLAG, type Hits } from './hits.ts';

export interface CoincidenceCount {
  readonly channels: readonly number[];
  /** Nanoseconds between the first and the last hit of a coincidence, closed. */
  readonly within: number;
  /** Every combination of one hit of each channel. */
  count: number;
}

export interface Coincidences {
  /** Hits in order; those of `skip` flags (and empty ones) are left out and counted. */
  take(block: Hits): void;
  readonly counts: readonly CoincidenceCount[];
  readonly skipped: number;
}

/**
 * Counts, for each set of channels, the combinations of one hit of each that lie within `within` nanoseconds: each is counted when its
 * last hit comes. A time that goes back begins anew. Throws RangeError for a set with fewer than two channels or one that is named twice.
 */
export function coincidences(sets: readonly (readonly number[])[], within: number, skip = 0): Coincidences {
  if (!(within >= 0)) throw new RangeError(`the time within which hits coincide is a number from 0, not ${within}`);
  for (const set of sets) {
    if (set.length < 2 || new Set(set).size < set.length)
      throw new RangeError(`a coincidence is of two channels or more: ${set.join(',')}`);
  }
  const wanted = [...new Set(sets.flat())];
  const place = new Map(wanted.map((channel, i) => [channel, i] as const));
  const recent = wanted.map(() => new Recent());
  const counts: CoincidenceCount[] = sets.map((channels) => ({ channels, within, count: 0 }));
  const members = sets.map((set) => set.map((channel) => recent[place.get(channel) ?? 0] ?? new Recent())); // each is there
  const left = FLAG.empty | skip;
  let before = Number.NEGATIVE_INFINITY;
  let skipped = 0;
  return {
    counts,
    get skipped() {
      return skipped;
    },
    take(block) {
      for (let i = 0; i < block.count; i++) {
        const at = place.get(block.channel[i] ?? 0);
        if (at === undefined) continue;
        if (((block.flags[i] ?? 0) & left) !== 0) {
          skipped++;
          continue;
        }
        const t = block.t[i] ?? 0;
        if (t < before) for (const one of recent) one.clear();
        before = t;
        const mine = recent[at];
        for (const [s, set] of members.entries()) {
          const count = counts[s];
          if (!mine || !count || !set.includes(mine)) continue;
          let ways = 1;
          for (const other of set) if (other !== mine) ways *= other.since(t - within);
          count.count += ways;
        }
        mine?.since(t - within);
        mine?.add(t);
      }
    },
  };
}

/** The accidental coincidences to be expected of n channels with these counts in `duration`: n within^(n-1) times the product of the rates. */
export function accidentals(events: readonly number[], within: number, duration: number): number {
  if (!(duration > 0)) return Number.NaN;
  return events.length * within ** (events.length - 1) * duration * events.reduce((product, n) => product * (n / duration), 1);
}

/** Times of one channel that may still coincide. */
class Recent {
  private times = new Float64Array(64);
  private begin = 0;
  private end = 0;
  clear(): void {
    [this.begin, this.end] = [0, 0];
  }
  /** How many are not before `from`; the others are forgotten. */
  since(from: number): number {
    while (this.begin < this.end && (this.times[this.begin] ?? 0) < from) this.begin++;
    return this.end - this.begin;
  }
  add(t: number): void {
    if (this.end === this.times.length) {
      const held = this.times.subarray(this.begin, this.end);
      const next = held.length > this.times.length / 2 ? new Float64Array(this.times.length * 2) : this.times;
      if (next === this.times) next.copyWithin(0, this.begin, this.end);
      else next.set(held);
      [this.times, this.begin, this.end] = [next, 0, held.length];
    }
    this.times[this.end++] = t;
  }
}
