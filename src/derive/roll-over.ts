/** Time of a counter that rolls over, against a coarse clock that does not. */

export interface RollOver {
  /** Nanoseconds after which the counter begins again. */
  readonly period: number;
  /** Nanoseconds by which the coarse clock may be wrong either way (arrival of bytes: seconds, at worst); below half a period. */
  readonly coarse: number;
}

export interface Unrolled {
  /** Nanoseconds since the counter's zero of the first time. */
  readonly t: number;
  /** Periods that have been added. */
  readonly turns: number;
  /** Roll-overs that nobody has counted since the time before. */
  readonly skipped: number;
  /** More than `coarse` away from where the coarse clock wants it: the number of roll-overs is a guess. */
  readonly doubtful: boolean;
}

/**
 * Takes times (ns) whose roll-overs have been counted as far as the board's own stream shows them: after a silence of a period or more
 * there are too few. The coarse clock (ns, any zero) says how many are missing: the number that brings the time nearest to it. The two are
 * aligned by the first pair, and follow one another as far as no more than `coarse` is between them. Throws a RangeError for a coarse clock
 * that cannot tell periods apart. A time from before a roll-over that comes after one from behind it is put where it belongs.
 */
export function unroller({ period, coarse }: RollOver): (t: number, clock: number) => Unrolled {
  if (!(period > 0 && coarse > 0 && coarse < period / 2)) {
    throw new RangeError(`a clock that is wrong by ${coarse} ns cannot count periods of ${period} ns`);
  }
  let rolls = 0;
  let offset = Number.NaN;
  return (t, clock) => {
    if (Number.isNaN(offset)) offset = clock - t;
    const wanted = Math.round((clock - offset - t) / period);
    const skipped = Math.max(0, wanted - rolls);
    rolls += skipped;
    const sure = Math.abs(clock - offset - t - wanted * period) <= coarse;
    const turns = sure ? wanted : rolls;
    const at = t + turns * period;
    const away = clock - offset - at;
    // Crystals differ by some 10^-5: the alignment follows, by far less than a period at a time.
    if (Math.abs(away) <= coarse) offset += away / 16;
    return { t: at, turns, skipped, doubtful: Math.abs(away) > coarse };
  };
}
