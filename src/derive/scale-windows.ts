/**
 * A number of each channel that a spectrum of its charges gives (gain, energy scale), in windows of time: each fit is of the pulses since
 * the window before, so that it belongs to that time; and its drift from the first windows.
 */
import { bad, type Given, type Measured, type Values } from '../reading.ts';
import { type Drift, type DriftWatch, driftWatch } from './drift.ts';
import { type Axis, emptied, type Histogram, histogram } from './histogram.ts';
import { hourOf } from './hour.ts';

export interface WindowOptions {
  /** A window closes when its fit has this relative sigma (0.005 where left out) ... */
  readonly within?: number;
  /** ... or after so many seconds; 600 where left out. */
  readonly longest?: number;
  /** Changes up to this part are no drift; 0.03 where left out. */
  readonly change?: number;
}

/** Of all channels. Lost: one or more had been found, and are not found any more, though there are pulses. */
export const SCALE_WORDS = ['learning', 'steady', 'drifted', 'lost'] as const;

export interface ScaleWindows {
  /** Of each channel's open window: who takes pulses fills both. */
  readonly spectra: readonly Histogram[];
  readonly hits: Float64Array;
  /** Looks after one channel; true where that took a fit. `t` in microseconds since 1970. */
  turn(channel: number, t: number): boolean;
  /**
   * NAME and NAME_change (relative to the reference) by channel, each with the time at which its window closed: once all are new, or some
   * are and ten seconds have passed. NAMEs, a word of SCALE_WORDS, and NAME_channels, a sentence, always. Before its first window closes a
   * channel has what that gives so far. `t` as in turn().
   */
  look(name: string, t: number): Values;
  /** As the run is over: windows with pulses enough for a fit close. */
  end(t: number): void;
  /** What comes now is right: all that was is forgotten. */
  clear(): void;
}

/** Windows of which the reference is made. */
const LEARN = 6;
/** In sigma: with a fit a second a false name in ten years, where pulses are all that scatters. */
const SIGMAS = 6;
/** Pulses of the first fit; a later one has what the window before would have needed. */
const FIRST = 500;
/** By which a spectrum has more pulses before it is fitted again; where nothing was found (such a fit takes longest) it is twice. */
const [LEAST, MOST] = [1.1, 4];
/** Windows without a value, one after the other, after which it is lost. */
const LOST = 2;
/** Microseconds after which values are given though some channels have no new one: a list holds all of them. */
const PATIENCE = 10e6;
const LEARNING: Drift = { state: 'learning', reference: Number.NaN, sigma: Number.NaN, change: Number.NaN, significance: Number.NaN };
const NOT_YET = bad('too few pulses yet');
const NO_PULSE = 'no pulse';

/** One channel's window and past. */
interface Channel {
  readonly watch: DriftWatch;
  /** Begin of the window, microseconds since 1970; undefined before the first look. */
  begin: number | undefined;
  /** Pulses with which it is fitted next. */
  due: number;
  found: Measured<'1'>;
  /** Not given yet. The next window closes only after that. */
  news: boolean;
  last: Drift;
  /** Windows with pulses and without a value, one after the other. */
  without: number;
  /** Whether a window has closed: until then there is what the open one gives so far. */
  closed: boolean;
  /** Of what stands now: since when. */
  since: number;
}

/** What is wrong with the options, in a sentence; undefined where they are sound. */
export function checkWindows({ within = 0.005, longest = 600, change = 0.03 }: WindowOptions): string | undefined {
  if (!(within > 0 && within < 1)) return `within: a part above 0 and below 1, not ${within}`;
  if (!(longest > 0 && Number.isFinite(longest))) return `longest: a time above 0 s, not ${longest}`;
  return change > 0 && change < 1 ? undefined : `change: a part above 0 and below 1, not ${change}`;
}

/** `closed` hears the value of each window, or why there is none. */
export function scaleWindows(
  channels: number,
  options: Axis & WindowOptions,
  fitted: (h: Histogram) => Measured<'1'>,
  closed?: (channel: number, found: Measured<'1'>) => void,
): ScaleWindows {
  const { within = 0.005, longest = 600, change = 0.03 } = options;
  const fresh = (): Channel => ({
    watch: driftWatch({ relative: change, learn: LEARN, sigmas: SIGMAS }),
    ...{ begin: undefined, due: FIRST, found: NOT_YET, news: true, last: LEARNING, without: 0, closed: false, since: 0 },
  });
  const spectra = Array.from({ length: channels }, () => histogram(options));
  const hits = new Float64Array(channels);
  const all = Array.from({ length: channels }, fresh);
  let given = Number.NEGATIVE_INFINITY;

  function close(c: number, one: Channel, found: Measured<'1'>, t: number): void {
    const before = stateOf(one);
    one.found = { ...found, t };
    closed?.(c, one.found);
    if (found.quality !== 'bad') {
      one.last = one.watch.take(found.value, found.sigma?.random ?? 0);
      one.without = 0;
    } else if (found.why !== NO_PULSE) one.without++;
    if (stateOf(one) !== before) one.since = t;
    emptied(spectra[c] as Histogram); // c < channels
    hits[c] = 0;
    one.begin = t;
    one.closed = true;
    one.news = true;
  }

  return {
    spectra,
    hits,
    turn(c, t) {
      const one = all[c];
      if (!one || (one.closed && one.news)) return false;
      one.begin ??= t;
      const n = hits[c] as number; // c < channels
      const over = t - one.begin >= 1e6 * longest;
      if (n < one.due && !over) return false;
      if (n === 0) {
        close(c, one, bad(NO_PULSE), t);
        return false;
      }
      const found = fitted(spectra[c] as Histogram); // c < channels
      const needed = found.quality === 'bad' ? Number.NaN : ((found.sigma?.random ?? 0) / found.value / within) ** 2; // of these pulses
      if (needed <= 1 || over) {
        close(c, one, found, t);
        one.due = Math.max(FIRST, needed <= 1 ? needed * n : 0);
        return true;
      }
      one.due = n * (Number.isNaN(needed) ? 2 : Math.min(MOST, Math.max(LEAST, needed)));
      if (!one.closed) {
        one.found = { ...found, t };
        one.news = true;
      }
      return true;
    },
    look(name, t) {
      const now = all.every(({ news }) => news) || (t - given >= PATIENCE && all.some(({ news }) => news));
      const numbers = now ? { [name]: all.map(({ found }) => found), [`${name}_change`]: all.map(changeOf) } : {};
      if (now) {
        given = t;
        for (const one of all) one.news = false;
      }
      return { ...numbers, [`${name}s`]: word(all), [`${name}_channels`]: sentence(all) };
    },
    end(t) {
      for (const [c, one] of all.entries()) if ((hits[c] as number) >= FIRST) close(c, one, fitted(spectra[c] as Histogram), t); // both have one of each
    },
    clear() {
      for (const h of spectra) emptied(h);
      hits.fill(0);
      for (const c of all.keys()) all[c] = fresh();
    },
  };
}

const isLost = ({ last, without }: Channel): boolean => without >= LOST && last.state !== 'learning';

/** What may stand for a while: low, high or lost; undefined where nothing does. */
function stateOf(one: Channel): 'low' | 'high' | 'lost' | undefined {
  if (isLost(one)) return 'lost';
  return one.last.state !== 'drifted' ? undefined : one.last.change < 0 ? 'low' : 'high';
}

function changeOf({ found, last: { state, reference, sigma } }: Channel): Given<'1'> & Measured<'1'> {
  if (found.quality === 'bad') return found;
  if (state === 'learning')
    return { ...bad('there is no first value to compare with yet'), ...(found.t === undefined ? {} : { t: found.t }) };
  const random = Math.hypot(found.sigma?.random ?? 0, sigma) / reference;
  return { ...found, value: found.value / reference - 1, sigma: { random } };
}

function word(all: readonly Channel[]): (typeof SCALE_WORDS)[number] {
  if (all.some(isLost)) return 'lost';
  if (all.some(({ last }) => last.state === 'drifted')) return 'drifted';
  return all.every(({ last }) => last.state === 'learning') ? 'learning' : 'steady';
}

function sentence(all: readonly Channel[]): string {
  const said = all.flatMap((one, c) => {
    const state = stateOf(one);
    if (state === undefined) return [];
    const { reference, change } = one.last;
    const now = state === 'lost' ? `was ${shown(reference)}` : `${shown(reference + change)} instead of ${shown(reference)}`;
    return [`${c} ${state} since ${hourOf(one.since)} (${now})`];
  });
  if (said.length > 0) return said.join(', ');
  const learning = all.filter(
    ({ found, last }) => last.state === 'learning' && !(found.quality === 'bad' && found.why === NO_PULSE),
  ).length;
  if (learning > 0) return learning === all.length ? 'learning' : `${learning} learning, the others steady`;
  return all.every(({ last }) => last.state === 'learning') ? 'no channel has a pulse' : 'all steady';
}

const shown = (value: number): string => value.toPrecision(4);
