/** From hits to pairs, accidentals, capture time and direction, as they come: bounded memory, and vertices for pairs alone. */
import type { Values } from '../reading.ts';
import { type Agreement, agreement, type Counted, offTime, signal, singlesProduct } from './accidentals.ts';
import { type Coincidences, type Pairs, pairFinder } from './coincidence.ts';
import { CUTS, type Cuts, wrongCuts } from './coincidence-cuts.ts';
import { addTime, type CaptureFit, captureTimes, fitCapture } from './coincidence-fit.ts';
import { type DetectorEvent, eventBuilder } from './detector-events.ts';
import { physicsValues, quickValues } from './detector-values.ts';
import { checkVertices, type VertexPlan, vertices } from './detector-vertices.ts';
import { type Direction, direction, type SourceTest, sourceTest } from './direction.ts';
import type { Vector } from './direction-cone.ts';
import { addDisplacement, displacements } from './direction-sums.ts';
import { type EventLook, eventSpectra } from './event-spectra.ts';
import { type Axis, checkAxis, emptied, fill, histogram, inside } from './histogram.ts';
import type { Hits } from './hits.ts';
import { checkLightYield, type LightSoFar, type LightYieldOptions, lightYield } from './light-yield.ts';
import { fitSeparation, type NoSeparation, type Separation } from './pulse-shape.ts';
import type { EnergyScale } from './spectra.ts';

export interface ChainOptions {
  /** Of the detector, from `firstChannel` on. */
  readonly channels: number;
  readonly firstChannel?: number;
  /** By channel number of the hits: MeVee of the event for one unit of charge. */
  readonly scale: EnergyScale;
  /** Nanoseconds: hits of several boards, in the order of their times, are events by time and not by frame. */
  readonly within?: number;
  /** Those of a 6Li-loaded liquid, where left out. */
  readonly cuts?: Cuts;
  /** Without it there are no places, and no direction. */
  readonly vertex?: VertexPlan;
  /** Axes of the spectra of events: MeVee, and tail over total. */
  readonly energy?: Axis;
  readonly shape?: Axis;
  /** The light yield is that of this line or edge; where left out the line of captures in the middle of the delayed energies. */
  readonly light?: Pick<LightYieldOptions, 'mark' | 'every' | 'change'>;
  /** The flight of what comes from a source whose place is known: the found direction is held against it. */
  readonly flight?: Vector;
  /** Vertices that may be looked for in one second of the detector's time; pairs beyond, on and off time alike, have no place. */
  readonly fits?: number;
  /** Seconds between two looks that fit. */
  readonly refresh?: number;
}

/** What the fits say; times in nanoseconds, lengths in cm. */
export interface ChainState {
  readonly of: Coincidences;
  /** Nanoseconds: the run less vetoes and less what is known to have been lost. */
  readonly live: number;
  readonly pairs: number;
  readonly isolated: number;
  readonly off: Float64Array;
  readonly offIsolated: number;
  readonly accidentals: Counted;
  readonly signal: Counted;
  readonly agreement: Agreement;
  readonly capture: CaptureFit | { readonly none: string };
  /** Of isolated pairs. */
  readonly direction: Direction | { readonly none: string };
  readonly source: SourceTest | undefined;
  readonly centroids: number;
  readonly spectra: EventLook;
  readonly separation: Separation | NoSeparation | undefined;
  /** 1 where the line (or edge) of the light yield stands where the scale puts it. */
  readonly light: LightSoFar | { readonly none: string };
}

/** What is counted without a fit. */
export interface ChainCounts {
  readonly events: number;
  readonly pairs: number;
  readonly off: number;
  /** Pairs without a place: no vertex, no map, or more than `fits` allows. */
  readonly unlocated: number;
}

export interface DetectorChain {
  take(block: Hits): void;
  /**
   * Readings by channel, begin and end in microseconds since 1970. Counts at every look; what has to be fitted once in `refresh` seconds,
   * and only where events have come since. `dead`: seconds in which nothing could come, a sum that only grows: what it
   * has at the first look is of before.
   */
  look(begin: number, end: number, dead?: number): Values;
  /** All begins anew: pairs, spectra, direction. */
  clear(): void;
  readonly counts: ChainCounts;
  /** As of now, all fits made anew. */
  now(begin: number, end: number, dead?: number): ChainState;
}

const ENERGY: Axis = { low: 0, high: 10, bins: 200 };
const SHAPE: Axis = { low: 0, high: 0.6, bins: 120 };
/** At some 2 ms each a tenth of a core. */
const FITS = 50;
const REFRESH = 10;
const ROWS = 256;
/** Events of a fit of the separation. */
const SEPARATED = 300;

/** What is wrong with the options, in a sentence; undefined where nothing is. */
export function checkChain(o: ChainOptions): string | undefined {
  if (o.within !== undefined && !(o.within >= 0)) return `within: nanoseconds, 0 or more, not ${o.within}`;
  if (o.scale.slope.length < (o.firstChannel ?? 0) + o.channels) return `scale: ${o.scale.slope.length} numbers are too few`;
  if (o.vertex && o.vertex.map.channels !== o.channels)
    return `map: it is of ${o.vertex.map.channels} channels, the detector has ${o.channels}`;
  const cuts = o.cuts && wrongCuts(o.cuts);
  if (cuts !== undefined) return `cuts: ${cuts}`;
  if (o.cuts?.apart !== undefined && !o.vertex) return 'cuts: apart needs the places of events, and so a map';
  return (
    (o.vertex && checkVertices(o.vertex)) ??
    checkAxis(o.energy ?? ENERGY, 'energy') ??
    checkAxis(o.shape ?? SHAPE, 'tail over total') ??
    lightWrong(o.light) ??
    ((o.fits ?? FITS) >= 0 && (o.refresh ?? REFRESH) > 0 ? undefined : 'fits: 0 or more; refresh: above 0 s')
  );
}

function lightWrong(light: ChainOptions['light']): string | undefined {
  const wrong = light && checkLightYield(light);
  return wrong === undefined ? undefined : `light: ${wrong}`;
}

/** All that begins anew with clear(). */
function collected(cuts: Cuts, energy: Axis, shape: Axis) {
  return {
    times: captureTimes(...cuts.window),
    spectra: eventSpectra({ energy, psd: shape, separate: cuts.delayed, every: Number.POSITIVE_INFINITY, windows: cuts.off.count }),
    off: new Float64Array(cuts.off.count),
    at: { on: displacements(), off: displacements() },
    shapes: histogram(shape),
    separation: undefined as Separation | NoSeparation | undefined,
    events: 0,
    pairs: 0,
    isolated: 0,
    offIsolated: 0,
    unlocated: 0,
    centroids: 0,
  };
}

/** Throws a RangeError with checkChain's sentence. */
export function detectorChain(options: ChainOptions): DetectorChain {
  const wrong = checkChain(options);
  if (wrong !== undefined) throw new RangeError(wrong);
  const { channels, firstChannel = 0, scale, energy = ENERGY, shape = SHAPE, fits = FITS, refresh = REFRESH } = options;
  const { apart, ...cuts } = options.cuts ?? CUTS;
  const windows = cuts.off.count;
  const build = eventBuilder({ channels, firstChannel, scale, ...(options.within === undefined ? {} : { within: options.within }) });
  const ring = options.vertex && vertices(options.vertex);
  const light = lightYield({
    mark: { line: (cuts.delayed[0] + cuts.delayed[1]) / 2 },
    ...options.light,
    ...{ channels, firstChannel, shape: cuts.delayedShape },
  });
  const column = (): Float64Array => new Float64Array(ROWS);
  const block = { count: 0, t: column(), energy: column(), psd: column() };
  const kept = { count: 0, window: new Int16Array(1024), energyPrompt: new Float64Array(1024), energyDelayed: new Float64Array(1024) };
  const step: [number, number, number] = [0, 0, 0];
  let all = collected(cuts, energy, shape);
  let finder: ReturnType<typeof pairFinder> | undefined;
  let newest = Number.NEGATIVE_INFINITY;
  let [second, fitted] = [0, 0];
  let [deadBefore, refreshed, seen] = [Number.NaN, Number.NEGATIVE_INFINITY, -1];

  const between = (value: number, [low, high]: readonly [number, number]): boolean => value >= low && value <= high;

  function one(event: DetectorEvent): void {
    const { t, energy: e, shape: s } = event;
    if (finder === undefined) finder = pairFinder(cuts, { start: t, giveOff: true });
    newest = Math.max(newest, t);
    if (ring && !Number.isNaN(s) && (between(e, cuts.prompt) || between(e, cuts.delayed))) ring.keep(event);
    if (between(e, cuts.delayed)) fill(all.shapes, s);
    light.take(event);
    const i = block.count++;
    block.t[i] = t;
    block.energy[i] = e;
    block.psd[i] = s;
    if (block.count === ROWS) flush();
  }

  function flush(): void {
    if (block.count === 0) return;
    all.events += block.count;
    all.spectra.take(block);
    finder?.take(block, paired);
    block.count = 0;
  }

  /** Whether the pair has a place: then `step` is delayed less prompt. */
  function located(pairs: Pairs, i: number): boolean {
    if (!ring) return false;
    const now = Math.floor((pairs.tDelayed[i] as number) / 1e9); // i < count, here and below
    if (now !== second) {
      second = now;
      fitted = ring.fits;
    }
    if (ring.fits - fitted >= fits) return false;
    const from = ring.place(pairs.tPrompt[i] as number, pairs.energyPrompt[i] as number);
    const to = ring.place(pairs.tDelayed[i] as number, pairs.energyDelayed[i] as number);
    // A centroid is pulled to the centre, a likelihood is not: their difference is no displacement.
    if (!from || !to || from.method !== to.method) return false;
    if (to.method === 'centroid') all.centroids++;
    for (const a of [0, 1, 2] as const) step[a] = to.at[a] - from.at[a];
    return true;
  }

  function paired(pairs: Pairs): void {
    kept.count = 0;
    for (let i = 0; i < pairs.count; i++) {
      const window = pairs.window[i] as number; // i < count
      const alone = pairs.isolated[i] === 1;
      // Only isolated pairs have a say in the direction; with a cut on the distance all need a place.
      const wanted = alone || apart !== undefined;
      const placed = wanted && located(pairs, i);
      if (wanted && !placed) all.unlocated++;
      if (apart !== undefined && !(placed && Math.hypot(...step) < apart)) continue;
      if (window < 0) {
        all.pairs++;
        addTime(all.times, (pairs.tDelayed[i] as number) - (pairs.tPrompt[i] as number));
        if (alone) all.isolated++;
      } else {
        all.off[window] = (all.off[window] as number) + 1; // one of the windows
        if (alone) all.offIsolated++;
      }
      if (alone && placed) addDisplacement(window < 0 ? all.at.on : all.at.off, ...step);
      kept.window[kept.count] = window;
      kept.energyPrompt[kept.count] = pairs.energyPrompt[i] as number;
      kept.energyDelayed[kept.count++] = pairs.energyDelayed[i] as number;
    }
    all.spectra.takePairs({ ...pairs, ...kept });
  }

  function now(begin: number, end: number, dead = 0): ChainState {
    flush();
    const of = (finder ?? pairFinder(cuts)).now();
    const live = Math.max(0, of.live - 1e9 * Math.max(0, dead));
    const accidentals = offTime(all.off);
    const singles = singlesProduct(of.prompts, of.delayeds, cuts.window[1] - cuts.window[0], live);
    const found = ring
      ? direction(all.at.on, windows > 0 ? { off: all.at.off, windows } : undefined)
      : { none: 'no direction: there is no map of the channels, so events have no place' };
    if (inside(all.shapes) >= SEPARATED) {
      all.separation = fitSeparation(all.shapes);
      emptied(all.shapes);
    }
    return {
      of,
      live,
      pairs: all.pairs,
      isolated: all.isolated,
      off: all.off.slice(),
      offIsolated: all.offIsolated,
      accidentals,
      signal: signal(all.pairs, all.off),
      agreement:
        apart === undefined
          ? agreement(accidentals, singles, windows)
          : { sigmas: Number.NaN, word: 'unknown', why: 'the rates of the singles say nothing of pairs with a cut on the distance' },
      capture: fitCapture(all.times, windows > 0 ? accidentals.value / all.pairs : 0),
      direction: found,
      source: options.flight && !('none' in found) ? sourceTest(found, options.flight) : undefined,
      centroids: all.centroids,
      spectra: all.spectra.look(begin, end),
      separation: all.separation,
      light: light.now(),
    };
  }

  const counts = (): ChainCounts => ({
    events: all.events + block.count,
    pairs: all.pairs,
    off: all.off.reduce((a, b) => a + b, 0),
    unlocated: all.unlocated,
  });

  return {
    take(hits) {
      build.take(hits, one);
      flush();
    },
    look(begin, end, dead = 0) {
      const quick = counts();
      if (Number.isNaN(deadBefore)) deadBefore = dead;
      if (quick.events === seen || end - refreshed < 1e6 * refresh) return quickValues(quick);
      refreshed = end;
      seen = quick.events;
      const state = now(begin, end, dead - deadBefore);
      return { ...quickValues(quick), ...physicsValues(state, begin, end, options.flight !== undefined), ...light.look() };
    },
    clear() {
      flush();
      all = collected(cuts, energy, shape);
      light.clear();
      finder = Number.isFinite(newest) ? pairFinder(cuts, { start: newest, giveOff: true }) : undefined;
      [deadBefore, refreshed, seen] = [Number.NaN, Number.NEGATIVE_INFINITY, -1];
    },
    get counts() {
      return counts();
    },
    now,
  };
}
