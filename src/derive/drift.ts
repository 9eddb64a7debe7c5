/** A number with its bar against its own past: a gain, a light yield, a capture time, a figure of merit. */

export interface DriftOptions {
  /** Changes up to this part of the reference are no drift. */
  readonly relative?: number;
  /** Changes up to this, in the number's own unit, are no drift; the larger of the two counts. */
  readonly absolute?: number;
  /** In sigma of the difference. 6.5, where it is left out: one of 10^10. */
  readonly sigmas?: number;
  /** The reference is made of so many values; 10, where it is left out. */
  readonly learn?: number;
}

export interface Drift {
  readonly state: 'learning' | 'steady' | 'drifted';
  /** What it was: weighted mean of the values that are the reference, with one sigma. NaN while there is none. */
  readonly reference: number;
  readonly sigma: number;
  /** Of the last value: its difference, in its unit and in sigma. NaN while there is no reference. */
  readonly change: number;
  readonly significance: number;
}

export interface DriftWatch {
  /** A value that is no number, or has no bar above 0, changes nothing. */
  take(value: number, sigma: number): Drift;
  /** What is now is the new reference. */
  accept(): void;
}

/**
 * The reference stays what it was: a slow drift is a drift too. Values that scatter by more than their bars, while the reference is made,
 * widen all bars by that.
 */
export function driftWatch(options: DriftOptions): DriftWatch {
  const { relative = 0, absolute = 0, sigmas = 6.5, learn = 10 } = options;
  let [weights, sum, squares, count] = [0, 0, 0, 0];
  const learning: Drift = { state: 'learning', reference: Number.NaN, sigma: Number.NaN, change: Number.NaN, significance: Number.NaN };
  let last: Drift = learning;
  return {
    take(value, sigma) {
      if (!(Number.isFinite(value) && sigma > 0 && Number.isFinite(sigma))) return last;
      const weight = 1 / sigma ** 2;
      if (count < learn) {
        count++;
        weights += weight;
        const off = value - sum; // Welford's sums, with weights: sum is the mean
        sum += (off * weight) / weights;
        squares += weight * off * (value - sum);
        last = count < learn ? learning : { state: 'steady', reference: sum, sigma: 1 / Math.sqrt(weights), change: 0, significance: 0 };
        return last;
      }
      const wider = count > 1 ? Math.sqrt(Math.max(1, squares / (count - 1))) : 1;
      const change = value - sum;
      const significance = Math.abs(change) / (wider * Math.sqrt(sigma ** 2 + 1 / weights));
      const drifted = significance > sigmas && Math.abs(change) > Math.max(absolute, relative * Math.abs(sum));
      last = { state: drifted ? 'drifted' : 'steady', reference: sum, sigma: wider / Math.sqrt(weights), change, significance };
      return last;
    },
    accept() {
      [weights, sum, squares, count] = [0, 0, 0, 0];
      last = learning;
    },
  };
}
