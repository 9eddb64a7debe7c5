/** The mean capture time from the times between prompt and delayed, by maximum likelihood. Nanoseconds in, nanoseconds out. */

/** Times between prompt and delayed as a histogram of whole nanoseconds: exact for those, bounded for any number of pairs. */
export interface CaptureTimes {
  readonly from: number;
  readonly to: number;
  readonly counts: Uint32Array;
  n: number;
}

/** For a window of up to ten milliseconds; `from` and `to` are the window of the pairs, both ends in it. */
export function captureTimes(from: number, to: number): CaptureTimes {
  if (!(from >= 0 && to > from && to - from <= 1e7)) throw new RangeError(`captureTimes: no window from ${from} to ${to} ns`);
  return { from, to, counts: new Uint32Array(Math.round(to - from) + 1), n: 0 };
}

/** One more time; what is outside the window is left out. */
export function addTime(to: CaptureTimes, dt: number): void {
  if (!(dt >= to.from && dt <= to.to)) return;
  const bin = Math.round(dt - to.from);
  to.counts[bin] = (to.counts[bin] ?? 0) + 1;
  to.n++;
}

export interface CaptureFit {
  /** Nanoseconds, with one sigma from the curvature of the likelihood at its maximum. */
  readonly tau: number;
  readonly sigma: number;
  readonly pairs: number;
  /** The share of accidentals that was given. */
  readonly flat: number;
}

/**
 * Maximum of the unbinned likelihood of (1 - flat) exp(-t / tau) / (tau (exp(-from / tau) - exp(-to / tau))) + flat / (to - from) in tau,
 * `flat` being the share of accidentals (off-time estimate / on-time pairs). Its error does not go into the bar.
 * What keeps it from an answer is said in `none`.
 */
export function fitCapture(times: CaptureTimes, flat: number): CaptureFit | { readonly none: string } {
  if (!(times.n >= 2)) return { none: `${times.n} pairs are too few for a capture time` };
  if (!(flat >= 0 && flat < 1)) return { none: 'as many accidentals as pairs: no capture time to be seen' };
  const { t, n } = sparse(times);
  const width = times.to - times.from;
  const score = (tau: number): Score => derivatives(t, n, width, flat, tau);
  // The best point of a coarse grid in log tau, then the zero of the first derivative beside it.
  const coarse = rebinned(t, n, width);
  const steps = 60;
  const [least, most] = [width / 1e3, width * 30];
  const grid = (i: number): number => least * (most / least) ** (i / steps);
  let best = 0;
  let height = Number.NEGATIVE_INFINITY;
  for (let i = 0; i <= steps; i++) {
    const { value } = derivatives(coarse.t, coarse.n, width, flat, grid(i));
    if (value > height) [best, height] = [i, value];
  }
  if (best === 0 || best === steps)
    return {
      none: best === 0 ? 'the times between the events are all near the least one' : 'the times between the events do not fall off',
    };
  let [low, high] = [grid(Math.max(0, best - 2)), grid(Math.min(steps, best + 2))];
  let tau = grid(best);
  for (let i = 0; i < 100; i++) {
    const { first, second } = score(tau);
    if (first > 0) low = tau;
    else high = tau;
    const newton = tau - first / second;
    const next = second < 0 && newton > low && newton < high ? newton : (low + high) / 2;
    if (Math.abs(next - tau) <= 1e-13 * tau) break;
    tau = next;
  }
  const { second } = score(tau);
  if (!(second < 0)) return { none: 'the likelihood has no maximum in the capture time' };
  return { tau, sigma: 1 / Math.sqrt(-second), pairs: times.n, flat };
}

/** The bins that hold something: times since `from`, and how many. */
function sparse({ counts }: CaptureTimes): { readonly t: Float64Array; readonly n: Float64Array } {
  const filled = counts.reduce((s, c) => s + (c > 0 ? 1 : 0), 0);
  const [t, n] = [new Float64Array(filled), new Float64Array(filled)];
  let at = 0;
  for (let i = 0; i < counts.length; i++) {
    const c = counts[i] ?? 0;
    if (c === 0) continue;
    t[at] = i;
    n[at++] = c;
  }
  return { t, n };
}

/** For the coarse search: at most so many bins, each at the mean of its times. */
function rebinned(t: Float64Array, n: Float64Array, width: number, bins = 500): { readonly t: Float64Array; readonly n: Float64Array } {
  if (t.length <= bins) return { t, n };
  const [sums, counts] = [new Float64Array(bins + 1), new Float64Array(bins + 1)];
  for (let i = 0; i < t.length; i++) {
    const bin = Math.floor((bins * (t[i] ?? 0)) / width);
    sums[bin] += (t[i] ?? 0) * (n[i] ?? 0);
    counts[bin] += n[i] ?? 0;
  }
  return { t: sums.map((sum, i) => (counts[i] ? sum / (counts[i] ?? 1) : 0)), n: counts };
}

interface Score {
  readonly value: number;
  readonly first: number;
  readonly second: number;
}

/** Logarithm of the likelihood and its derivatives with tau; times count from the window's beginning, so that f = exp(-t / tau) / Z. */
function derivatives(t: Float64Array, n: Float64Array, width: number, flat: number, tau: number): Score {
  const w = Math.exp(-width / tau);
  // Z = tau (1 - w), and its derivatives.
  const z = -tau * Math.expm1(-width / tau);
  const z1 = 1 - w * (1 + width / tau);
  const z2 = (-w * width * width) / tau ** 3;
  const [l1, l2] = [z1 / z, z2 / z - (z1 / z) ** 2];
  const ground = flat / width;
  let [value, first, second] = [0, 0, 0];
  for (let i = 0; i < t.length; i++) {
    const at = t[i] ?? 0;
    const many = n[i] ?? 0;
    const f = ((1 - flat) * Math.exp(-at / tau)) / z;
    const g = at / (tau * tau) - l1; // derivative of ln f
    const f1 = f * g;
    const f2 = f * (g * g - (2 * at) / tau ** 3 - l2);
    const all = f + ground;
    value += many * Math.log(all);
    first += (many * f1) / all;
    second += many * (f2 / all - (f1 / all) ** 2);
  }
  return { value, first, second };
}
