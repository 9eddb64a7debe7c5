/** The time that muons (or anything else) veto: closed intervals, merged where they overlap or touch. Nanoseconds, exact for whole ones. */

export interface Veto {
  /** A muon; they come in order of time. */
  muon(t: number): void;
  /** Whether this time, which is not before the last muon, is vetoed by one that has been. Both ends belong to the interval. */
  covers(t: number): boolean;
  /** Vetoed time between `start` and `end`, the last interval clipped there. */
  total(end: number): number;
  readonly muons: number;
  /** Merged intervals so far. */
  readonly intervals: number;
}

/** Each muon vetoes [t, t + length]; what lies before `start` does not count as vetoed time. */
export function veto(length: number, start = 0): Veto {
  let closed = 0; // time of the intervals before the open one
  let from = Number.NaN;
  let until = Number.NEGATIVE_INFINITY;
  let [muons, intervals] = [0, 0];
  const clipped = (a: number, b: number): number => Math.max(0, b - Math.max(a, start));
  return {
    muon(t) {
      muons++;
      if (t > until) {
        if (intervals > 0) closed += clipped(from, until);
        intervals++;
        from = t;
      }
      until = Math.max(until, t + length);
    },
    covers: (t) => t <= until,
    total: (end) => closed + (intervals > 0 ? clipped(from, Math.min(until, end)) : 0),
    get muons() {
      return muons;
    },
    get intervals() {
      return intervals;
    },
  };
}
