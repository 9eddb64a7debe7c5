/**
 * From a stream's bytes to what people look at: source, spectra, rates, live time and physics in one place, without a socket or a file. The
 * readout process runs it beside both; a simulated run and the tests run it where they are.
 */

import { type ChannelScale, type ChannelScaleOptions, channelScale, checkChannelScale } from '../derive/channel-scale.ts';
import { chainOf, type Physics, type PhysicsPlan } from '../derive/detector-plan.ts';
import { type DetectorWatch, type DetectorWatchOptions, detectorWatch } from '../derive/detector-watch.ts';
import type { HitSource, Hits, SourceCounts } from '../derive/hits.ts';
import { type LiveLook, type LiveTime, liveTime } from '../derive/live-time.ts';
import { checkSpectra, type Spectra, type SpectraOptions, spectra } from '../derive/spectra.ts';
import { bad, type Given, type Kind, type Values } from '../reading.ts';
import { sourceOf } from './formats.ts';

/** What a driver plans for its stream, as plain data. */
export interface ReaderPlan {
  /** How the bytes are read: one of the formats of formats.ts, with its settings. */
  readonly source: { readonly format: string } & Readonly<Record<string, unknown>>;
  readonly channels: number;
  readonly spectra: Omit<SpectraOptions, 'channels'>;
  /** Gain and energy scale of each channel, where they are wanted. */
  readonly scale?: Omit<ChannelScaleOptions, 'channels'>;
  /** Seconds after each frame in which the board takes no other. */
  readonly perFrame?: number;
  /** Channels that die, get hot or drift are named. */
  readonly watch?: DetectorWatchOptions;
  /** Events, pairs and their direction. */
  readonly physics?: PhysicsPlan;
  /** What of it the session holds: all bytes, and the features of all hits. */
  readonly record: { readonly raw: boolean; readonly hits: boolean };
}

export interface ReaderOptions {
  readonly plan: ReaderPlan;
  /** Microseconds since 1970. */
  readonly begin: number;
  readonly crc32: (bytes: Uint8Array, seed?: number) => number;
  /** Each block as it comes; it is filled again afterwards. */
  readonly hits?: (block: Hits, t: number) => void;
}

export interface Reader {
  take(bytes: Uint8Array, t: number): void;
  /** The stream was not there for this time (microseconds since 1970). */
  closed(from: number, to: number): void;
  /** What there is to say now; t in microseconds since 1970. */
  look(t: number): Values;
  /** Spectra and physics begin anew, and channels are held to be as they should; the counts of what was lost go on. */
  clear(t: number): void;
  readonly counts: SourceCounts;
  /** As HitSource has it. */
  readonly zero: number;
  /** Seconds until the last look in which frames were missing or the board was busy: a sum that only grows. */
  readonly dead: number;
}

/** A sentence for what is wrong with the plan. */
export function reader(options: ReaderOptions): Reader | string {
  const { plan, crc32, hits } = options;
  const wanted: SpectraOptions = { ...plan.spectra, channels: plan.channels };
  const scale: ChannelScaleOptions = { ...plan.scale, channels: plan.channels };
  const wrong = checkSpectra(wanted) ?? checkChannelScale(scale);
  if (wrong !== undefined) return wrong;
  const physics = plan.physics && chainOf(plan.physics);
  if (typeof physics === 'string') return `physics: ${physics}`;
  const source = sourceOf(plan.source, crc32);
  return typeof source === 'string' ? source : new Reading(options, source, spectra(wanted), channelScale(scale), physics, hits);
}

class Reading implements Reader {
  readonly #source: HitSource;
  readonly #spectra: Spectra;
  readonly #scale: ChannelScale;
  readonly #hits: ((block: Hits, t: number) => void) | undefined;
  readonly #give: (block: Hits) => void;
  readonly #live: LiveTime;
  readonly #watch: DetectorWatch | undefined;
  readonly #physics: Physics | undefined;
  #now = 0;
  #dead = 0;
  #begin: number;
  #before: { t: number; bytes: number; frames: number; live: number };

  constructor(
    options: ReaderOptions,
    source: HitSource,
    all: Spectra,
    scale: ChannelScale,
    physics: Physics | undefined,
    hits: ((block: Hits, t: number) => void) | undefined,
  ) {
    const { plan, begin } = options;
    this.#source = source;
    this.#spectra = all;
    this.#scale = scale;
    this.#hits = hits;
    this.#begin = begin;
    this.#before = { t: begin, bytes: 0, frames: 0, live: 0 };
    this.#physics = physics;
    this.#watch = plan.watch && detectorWatch(plan.watch);
    this.#live = liveTime({ channels: plan.channels, begin, ...(plan.perFrame === undefined ? {} : { perFrame: plan.perFrame }) });
    this.#give = (block) => {
      this.#spectra.take(block);
      this.#scale.take(block);
      this.#live.take(block);
      this.#watch?.take(block);
      this.#physics?.take(block);
      this.#hits?.(block, this.#now);
    };
  }

  get counts(): SourceCounts {
    return this.#source.counts;
  }

  get dead(): number {
    return this.#dead;
  }

  get zero(): number {
    return this.#source.zero ?? 0;
  }

  take(bytes: Uint8Array, t: number): void {
    this.#now = t;
    this.#source.take(bytes, t, this.#give);
  }

  closed(from: number, to: number): void {
    this.#live.closed(from, to);
  }

  clear(t: number): void {
    this.#spectra.clear();
    this.#scale.clear();
    this.#physics?.clear();
    this.#watch?.accept();
    this.#begin = t;
  }

  look(t: number): Values {
    const { counts } = this;
    const seconds = (t - this.#before.t) / 1e6;
    const rate = (n: number): Given<Kind> => (seconds > 0 ? n / seconds : bad('no time has passed'));
    const live = this.#live.look(t, counts);
    this.#dead = deadOf(live) - live.whole.dead.closed;
    const seen = this.#spectra.look(this.#begin, t);
    const { bytes, frames, live: lived, t: last } = this.#before;
    this.#before = { t, bytes: counts.bytes, frames: counts.frames, live: live.whole.live };
    return {
      byte_rate: rate(counts.bytes - bytes),
      frame_rate: rate(counts.frames - frames),
      ...liveValues(live),
      ...this.#source.look?.(),
      ...this.#scale.look(t),
      frames: counts.frames,
      hits: counts.hits,
      missing: counts.missing,
      doubled: counts.doubled,
      late: counts.late,
      damaged: counts.damaged,
      junk: counts.junk,
      resynced: counts.resynced,
      mean_charge: [...seen.meanCharge].map((q, c) => (Number.isFinite(q) ? withSigma(q, seen.meanSigma[c]) : bad('no pulse'))),
      saturated: [...seen.saturated],
      charge: seen.charge,
      ...(seen.energy ? { energy: seen.energy } : {}),
      ...(seen.plane ? { shape: seen.plane } : {}),
      ...this.#watch?.look(Math.max(0, live.whole.live - lived), last, t),
      ...this.#physics?.look(this.#begin, t, deadOf(live)),
    };
  }
}

/** One pulse does not tell its spread: its mean has no uncertainty of its own. */
const withSigma = (value: number, random = Number.NaN) =>
  Number.isNaN(random) ? value : { quality: 'good' as const, value, sigma: { random } };

const deadOf = ({ whole: { dead } }: LiveLook): number => dead.closed + dead.missing + dead.board + dead.busy;

function liveValues({ whole, recent }: LiveLook): Values {
  const fraction = recent.elapsed > 0 ? recent.live / recent.elapsed : Number.NaN;
  return {
    live_time: whole.live,
    live: Number.isFinite(fraction) ? fraction : bad('no frame has come'),
    rate: [...recent.rate].map((r, c) =>
      Number.isFinite(r) ? { quality: 'good' as const, value: r, sigma: { random: recent.sigma[c] ?? 0 } } : bad('no live time'),
    ),
    dead_missing: whole.dead.missing,
    dead_busy: whole.dead.busy,
    dead_closed: whole.dead.closed,
  };
}
