/** Readings under a current that is reversed: which of them count, and what each half-cycle is. */

export interface HalfCycles {
  /** V, A with its sign, s: of all readings that count. */
  readonly volts: Float64Array;
  readonly amps: Float64Array;
  readonly times: Float64Array;
  /** V: the mean of each half-cycle; their polarity alternates. */
  readonly means: Float64Array;
  /** Polarity of the first of them. */
  readonly first: 1 | -1;
  /** Readings left out because the current had just been reversed. */
  readonly discarded: number;
}

/**
 * Parts readings into half-cycles by the sign of the current, and leaves out the first `settle` readings after each reversal, where the
 * leads still charge and the meter's filter still remembers. The very first half-cycle loses them too. A sentence where that leaves nothing.
 */
export function halfCycles(
  volts: ArrayLike<number>,
  amps: ArrayLike<number>,
  times: ArrayLike<number>,
  settle: number,
): HalfCycles | string {
  const n = volts.length;
  if (amps.length !== n || times.length !== n)
    return `${n} voltages, ${amps.length} currents and ${times.length} times do not belong together`;
  const kept: number[] = [];
  const means: number[] = [];
  let first: 1 | -1 = 1;
  let before = 0;
  let since = 0;
  let [sum, count] = [0, 0];
  for (let i = 0; i < n; i++) {
    const now = Math.sign(amps[i] ?? Number.NaN);
    if (now !== 1 && now !== -1) return `reading ${i + 1} has a current of ${amps[i]} A: a half-cycle has one above or below zero`;
    if (!Number.isFinite(volts[i])) return `reading ${i + 1} is no number`;
    if (now !== before) {
      if (before !== 0 && count === 0) return `a half-cycle has ${since} readings, and the first ${settle} are discarded: none is left`;
      if (count > 0) means.push(sum / count);
      if (before === 0) first = now;
      [before, since, sum, count] = [now, 0, 0, 0];
    }
    if (since++ < settle) continue;
    kept.push(i);
    sum += volts[i] ?? 0;
    count++;
  }
  if (count > 0) means.push(sum / count);
  const pick = (from: ArrayLike<number>): Float64Array => Float64Array.from(kept, (i) => from[i] ?? Number.NaN);
  return { volts: pick(volts), amps: pick(amps), times: pick(times), means: Float64Array.from(means), first, discarded: n - kept.length };
}
