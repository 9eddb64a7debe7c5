/**
 * Names the channels that die, get hot, double, or whose charge, baseline or noise has moved. Each channel is held against its own past
 * and, for rates, against what all the others do: a source that is put in place doubles every channel, and none is named for it.
 *
 * Rates: in windows from 2 s to a minute the count is compared to that of the past by the exact test of two Poisson counts. The chance of
 * a false name is shared out among all tests of an hour (Bonferroni), and windows overlap, so it stays below `falsePerHour`. A change must
 * also be as large as the limits. Steady rates from about 3 per second are named within a minute when they double, from about 0.6 per
 * second when they die (8 channels; a tenth more for 64); `blind` lists the channels that are too quiet even for that.
 */
import type { Trace } from '../reading.ts';
import { addChannel, type ChannelSums, channelSums, LEVELS, type Level, takeHits } from './channel-sums.ts';
import type { Hits } from './hits.ts';
import { chanceOfFewer, chanceOfMore } from './poisson-change.ts';

export interface ChannelWatchOptions {
  readonly channels: number;
  /** False names in an hour of steady rates, of all channels together; 0.001 where it is left out. */
  readonly falsePerHour?: number;
  /** Seconds of past that a channel needs before it is judged; 120 where it is left out. */
  readonly learn?: number;
  /** Seconds in which the past is forgotten; 3600 where it is left out. */
  readonly memory?: number;
  /** Changes of the mean charge (part), the baseline (its unit), the noise (part) up to these are none; 0.15, 3, 0.5 where left out. */
  readonly limits?: { readonly charge?: number; readonly baseline?: number; readonly noise?: number };
}

/** Ratio to the past: dead below 0.1, low below 2/3, high (doubled) above 1.5, hot above 4. */
export type Kind = 'dead' | 'low' | 'high' | 'hot';

export interface Finding {
  readonly what: 'rate' | Level;
  /** One channel; or all those that changed together, in a rate that changed everywhere. */
  readonly channels: readonly number[];
  readonly common: boolean;
  readonly kind: Kind;
  /** Per second of live time, or in the level's own unit. Of a common change: of the first channel. */
  readonly was: number;
  readonly is: number;
  /** Seconds of live time that show it. */
  readonly within: number;
  /** P of such a count (or a larger change), had nothing changed. */
  readonly chance: number;
}

export interface ChannelLook {
  /** Channels without enough of a past. */
  readonly learning: readonly number[];
  /** All that stand now, the new ones among them. */
  readonly findings: readonly Finding[];
  readonly named: readonly Finding[];
  /** Those that stood before and have gone back to what they were. */
  readonly cleared: readonly Finding[];
  /** So quiet that even their death would not show within a minute. */
  readonly blind: readonly number[];
  /** Never a pulse, where half of the others have had 30 or more. */
  readonly silent: readonly number[];
  /** Per channel: rate and its past (1/s), mean charge, baseline and noise of the last second or so; NaN where there was no hit. */
  readonly trace: Trace;
}

export interface ChannelWatch {
  take(block: Hits): void;
  /**
   * `live` is the live time in seconds since the look before (time in which nothing could come is left out), begin and end are microseconds
   * since 1970. Looks of under 0.9 s are gathered until they make that.
   */
  look(live: number, begin: number, end: number): ChannelLook;
  /** What is now is right, for one channel or for all: its past is forgotten, and learnt again. */
  accept(channel?: number): void;
}

const WINDOWS = [2, 5, 10, 20, 40, 60] as const; // seconds
const LONGEST = 60;
const STEP = 0.9;
const [DEAD, LOW, HIGH, HOT] = [0.1, 2 / 3, 1.5, 4];
/** Means of so many hits are normal enough, out to 6.6 sigma, even for exponential charges. */
const HITS_OF_A_LEVEL = 400;

/** Of the rate's scatter from second to second (1 is Poisson's), or of a level's. */
interface Scatter {
  readonly sum: Float64Array;
  readonly n: Float64Array;
}

/** Throws a RangeError for options that make no sense. */
export function channelWatch(options: ChannelWatchOptions): ChannelWatch {
  const { channels, falsePerHour = 1e-3, learn = 120, memory = 3600 } = options;
  if (!(Number.isInteger(channels) && channels >= 1)) throw new RangeError(`channels: at least 1, not ${channels}`);
  if (!(falsePerHour > 0 && learn > 0 && memory >= learn)) throw new RangeError('falsePerHour and learn above 0, memory at least learn');
  const limits = { charge: 0.15, baseline: 3, noise: 0.5, ...options.limits };
  const past = channelSums(channels);
  const pastLive = new Float64Array(channels);
  const scatter = (): Scatter => ({ sum: new Float64Array(channels), n: new Float64Array(channels) });
  const scatters = { rate: scatter(), charge: scatter(), baseline: scatter(), noise: scatter() };
  const ring: ChannelSums[] = [];
  let pending = channelSums(channels);
  let last: ChannelSums = pending;
  let standing = new Map<string, Finding>();
  /** Live time, and when each finding was last seen. */
  let clock = 0;
  const shown = new Map<string, number>();
  const all = Array.from({ length: channels }, (_, c) => c);

  /** All that is forgotten alike. */
  const fading = [
    past.counts,
    pastLive,
    ...LEVELS.flatMap((level) => [past.levels[level].n, past.levels[level].squares]),
    ...Object.values(scatters).flatMap(({ sum, n }) => [sum, n]),
  ];
  /** So many of the oldest stretches in the ring are from before accept(). */
  const forget = new Int32Array(channels);

  const judged = (c: number): boolean => (pastLive[c] ?? 0) >= learn;
  /** How much more it scatters than it should; 1, where that is not certain. */
  const wider = ({ sum, n }: Scatter, c: number, kurtosis: number): number => {
    const count = n[c] ?? 0;
    const ratio = (sum[c] ?? 0) / count;
    return count >= 30 && ratio - 3 * Math.sqrt(kurtosis / count) > 1 ? ratio : 1;
  };

  /** One stretch leaves the ring and becomes part of the past of every channel that is not `frozen`. */
  const settle = (old: ChannelSums, frozen: ReadonlySet<number>): void => {
    const keep = Math.max(0, 1 - old.live / memory);
    for (const c of all) {
      const forgotten = forget[c] ?? 0;
      forget[c] = Math.max(0, forgotten - 1);
      if (forgotten > 0 || frozen.has(c)) continue;
      scattered(old, c);
      for (const column of fading) column[c] = (column[c] ?? 0) * keep;
      addChannel(past, old, c);
      pastLive[c] = (pastLive[c] ?? 0) + old.live;
    }
  };
  const scattered = (old: ChannelSums, c: number): void => {
    const [n0, t0] = [past.counts[c] ?? 0, pastLive[c] ?? 0];
    if (n0 >= 20 && old.live > 0) {
      const expected = (n0 * old.live) / t0;
      put(scatters.rate, c, ((old.counts[c] ?? 0) - expected) ** 2 / (expected * (1 + old.live / t0)));
    }
    for (const level of LEVELS) {
      const [was, now] = [past.levels[level], old.levels[level]];
      const [n, m] = [was.n[c] ?? 0, now.n[c] ?? 0];
      const variance = (was.squares[c] ?? 0) / n;
      if (n < 20 || m === 0 || !(variance > 0)) continue;
      put(scatters[level], c, ((now.mean[c] ?? 0) - (was.mean[c] ?? 0)) ** 2 / (variance * (1 / m + 1 / n)));
    }
  };

  /** Findings of rates by their key, from the shortest window that shows one. */
  const rates = (chance: number): Map<string, Finding> => {
    const found = new Map<string, Finding>();
    const together: Record<'down' | 'up', Finding[]> = { down: [], up: [] };
    const seen = new Set<number>();
    for (const { live, counts } of windows(ring, channels)) {
      const ratio = all.map((c) => (judged(c) ? (counts[c] ?? 0) / live / ((past.counts[c] ?? 0) / (pastLive[c] ?? 1)) : Number.NaN));
      for (const c of all) {
        const kind = kindOf(ratio[c] ?? Number.NaN);
        if (!kind || seen.has(c)) continue;
        const down = isDown(kind);
        const spread = wider(scatters.rate, c, 2 + (pastLive[c] ?? 1) / Math.max(past.counts[c] ?? 1, 1));
        const [n, n0, t0] = [(counts[c] ?? 0) / spread, (past.counts[c] ?? 0) / spread, pastLive[c] ?? 0];
        const p = changed(down, n, live, n0, t0);
        if (p > chance) continue;
        const one: Finding = {
          what: 'rate',
          channels: [c],
          common: false,
          kind,
          was: (past.counts[c] ?? 0) / t0,
          is: (counts[c] ?? 0) / live,
          within: live,
          chance: p,
        };
        // Against its own past at the pace of the others: a change that all share names none of them.
        const others = median(ratio.filter((r, d) => d !== c && Number.isFinite(r))) ?? 1;
        const apart = kindOf((ratio[c] ?? 0) / others);
        if (apart && isDown(apart) === down && changed(down, n, live * others, n0, t0) <= chance) found.set(`rate ${c}`, one);
        else if (others < LOW ? down : others > HIGH && !down) together[down ? 'down' : 'up'].push(one);
        else continue;
        seen.add(c);
      }
    }
    for (const [way, list] of Object.entries(together)) {
      const [first] = list;
      if (first) found.set(`rate ${way}`, { ...first, common: true, channels: list.flatMap((f) => f.channels).sort((a, b) => a - b) });
    }
    return found;
  };

  const levels = (chance: number, window: ChannelSums): Map<string, Finding> => {
    const found = new Map<string, Finding>();
    for (const level of LEVELS) {
      const [was, now] = [past.levels[level], window.levels[level]];
      for (const c of all) {
        const [n, m] = [was.n[c] ?? 0, now.n[c] ?? 0];
        if (!judged(c) || Math.min(n, m) < HITS_OF_A_LEVEL) continue;
        const [before, after] = [was.mean[c] ?? 0, now.mean[c] ?? 0];
        if (Math.abs(after - before) <= limitOf(level, before)) continue;
        const spread = wider(scatters[level], c, 2);
        const z2 = (after - before) ** 2 / (spread * ((was.squares[c] ?? 0) / n) * (1 / n + 1 / m));
        const p = Math.exp(-z2 / 2); // an upper bound of the two tails
        if (p > chance) continue;
        const kind = after > before ? 'high' : 'low';
        const finding = {
          what: level,
          channels: [c],
          common: false,
          kind,
          was: before,
          is: after,
          within: window.live,
          chance: p,
        } as const;
        found.set(`${level} ${c}`, finding);
      }
    }
    return found;
  };
  const limitOf = (level: Level, before: number): number => (level === 'baseline' ? 1 : Math.abs(before)) * limits[level];

  /** Whether what was found has gone back to what it was, by the longest window. */
  const gone = (f: Finding, whole: ChannelSums): boolean =>
    f.channels.every((c) => {
      if (!judged(c)) return true; // accepted
      if (f.what !== 'rate') {
        const now = whole.levels[f.what];
        return (now.n[c] ?? 0) > 0 && Math.abs((now.mean[c] ?? 0) - f.was) <= limitOf(f.what, f.was);
      }
      return kindOf((whole.counts[c] ?? 0) / whole.live / ((past.counts[c] ?? 0) / (pastLive[c] ?? 1))) === undefined;
    });

  const evaluate = (dt: number): { readonly named: Finding[]; readonly cleared: Finding[] } => {
    const chance = (falsePerHour * (dt / 3600)) / (channels * (2 * WINDOWS.length + LEVELS.length));
    clock += dt;
    const whole = channelSums(channels);
    for (const one of ring) {
      whole.live += one.live;
      for (const c of all) addChannel(whole, one, c);
    }
    const found = new Map([...rates(chance), ...levels(chance, whole)]);
    const named = [...found].filter(([key]) => !standing.has(key)).map(([, f]) => f);
    for (const key of found.keys()) shown.set(key, clock);
    // Found by a long window in which half was as before: that is not yet the end of it.
    const over = (key: string): boolean => clock - (shown.get(key) ?? 0) >= LONGEST;
    const cleared = [...standing].filter(([key, f]) => over(key) && gone(f, whole));
    standing = new Map([...standing, ...found]);
    for (const [key] of cleared) standing.delete(key);
    for (const key of shown.keys()) if (!standing.has(key)) shown.delete(key);
    return { named, cleared: cleared.map(([, f]) => f) };
  };

  /** The chance with which a minute without a hit would be judged. */
  const blindTo = (c: number): boolean => {
    const chance = falsePerHour / 3600 / (channels * (2 * WINDOWS.length + LEVELS.length));
    return judged(c) && (past.counts[c] ?? 0) > 0 && chanceOfFewer(0, LONGEST, past.counts[c] ?? 0, pastLive[c] ?? 0) > chance;
  };
  const look = (news: { readonly named: Finding[]; readonly cleared: Finding[] }, begin: number, end: number): ChannelLook => ({
    learning: all.filter((c) => !judged(c)),
    findings: [...standing.values()],
    ...news,
    blind: all.filter(blindTo),
    silent: all.filter((c) => judged(c) && (past.counts[c] ?? 0) === 0 && (median(past.counts.filter((_, d) => d !== c)) ?? 0) >= 30),
    trace: traceOf(last, past, pastLive, begin, end),
  });

  return {
    take: (block) => takeHits(pending, block),
    look(live, begin, end) {
      if (live > 0) pending.live += live;
      if (pending.live < STEP) return look({ named: [], cleared: [] }, begin, end);
      last = pending;
      pending = channelSums(channels);
      ring.push(last);
      let held = ring.reduce((sum, s) => sum + s.live, 0);
      const frozen = new Set([...standing.values()].flatMap((f) => f.channels));
      while (ring.length > 1 && held - (ring[0]?.live ?? 0) >= LONGEST) {
        const old = ring.shift();
        if (!old) break;
        held -= old.live;
        settle(old, frozen);
      }
      return look(evaluate(last.live), begin, end);
    },
    accept(channel) {
      for (const c of channel === undefined ? all : [channel]) {
        for (const column of fading) column[c] = 0;
        forget[c] = ring.length;
      }
      standing = new Map([...standing].filter(([, f]) => (channel === undefined ? false : f.common || !f.channels.includes(channel))));
    },
  };
}

function put({ sum, n }: Scatter, c: number, value: number): void {
  sum[c] = (sum[c] ?? 0) + value;
  n[c] = (n[c] ?? 0) + 1;
}

function kindOf(ratio: number): Kind | undefined {
  if (ratio < LOW) return ratio < DEAD ? 'dead' : 'low';
  if (ratio > HIGH) return ratio > HOT ? 'hot' : 'high';
  return undefined;
}

const isDown = (kind: Kind): boolean => kind === 'dead' || kind === 'low';

const changed = (down: boolean, n: number, t: number, n0: number, t0: number): number =>
  down ? chanceOfFewer(n, t, n0, t0) : chanceOfMore(n, t, n0, t0);

function median(values: ArrayLike<number>): number | undefined {
  if (values.length === 0) return undefined;
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : ((sorted[half - 1] ?? 0) + (sorted[half] ?? 0)) / 2;
}

/** The counts of the newest stretches, in windows that grow; those that the ring does not fill yet are left out. */
function* windows(ring: readonly ChannelSums[], channels: number): Generator<{ readonly live: number; readonly counts: Float64Array }> {
  const counts = new Float64Array(channels);
  let [live, next] = [0, 0];
  for (let i = ring.length - 1; i >= 0; i--) {
    const one = ring[i];
    if (!one) return;
    live += one.live;
    for (let c = 0; c < channels; c++) counts[c] = (counts[c] as number) + (one.counts[c] as number); // c < channels
    if (live + 1e-9 < (WINDOWS[next] ?? Number.POSITIVE_INFINITY)) continue;
    yield { live, counts };
    while (live + 1e-9 >= (WINDOWS[next] ?? Number.POSITIVE_INFINITY)) next++;
  }
}

function traceOf(last: ChannelSums, past: ChannelSums, pastLive: Float64Array, begin: number, end: number): Trace {
  const mean = (level: Level): Float64Array => last.levels[level].mean.map((m, c) => ((last.levels[level].n[c] ?? 0) > 0 ? m : Number.NaN));
  return {
    columns: {
      rate: { unit: '1/s', data: last.counts.map((n) => (last.live > 0 ? n / last.live : Number.NaN)) },
      past: { unit: '1/s', data: past.counts.map((n, c) => ((pastLive[c] ?? 0) > 0 ? n / (pastLive[c] ?? 1) : Number.NaN)) },
      charge: { unit: '1', data: mean('charge') },
      baseline: { unit: '1', data: mean('baseline') },
      noise: { unit: '1', data: mean('noise') },
    },
    shape: [last.counts.length],
    begin,
    end,
    settings: { live: last.live },
  };
}
