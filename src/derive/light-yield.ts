/**
 * Light yield of a detector against time: where the line of captures (alpha + triton) or the edge of a gamma stands, fitted anew for so many
 * events, and the part of that light that each channel has. Both are held against their own first values, so that a slow drift shows too.
 */
import { bad, type Given, type Kinds, type Values } from '../reading.ts';
import { comptonEdge, GAMMA_SOURCES, type GammaSource } from './compton.ts';
import type { DetectorEvent } from './detector-events.ts';
import { type Drift, type DriftWatch, driftWatch } from './drift.ts';
import { fitComptonEdge, fitGammaLine, type NoPlace, type Place } from './gamma-lines.ts';
import { emptied, fill, type Histogram, histogram } from './histogram.ts';

/** What is looked for: a line of so many MeVee, among events with a heavy pulse shape, or the edge of a gamma source, among the others. */
export type LightMark = { readonly line: number } | { readonly edge: GammaSource };

export interface LightYieldOptions {
  /** Of the detector, from `firstChannel` on. */
  readonly channels: number;
  readonly firstChannel?: number;
  readonly mark: LightMark;
  /** Tail over total: events of a line have it or more, those of an edge less. */
  readonly shape: number;
  /** Events of one fit; 500 where left out. */
  readonly every?: number;
  /** Changes of the light yield up to this part are no drift (of a channel's part of it: five times as much); 0.02 where left out. */
  readonly change?: number;
}

/**
 * `light_yield` is 1 where the mark stands where the scale puts it; `light_change` is relative to what it was at first. `light` is a word of
 * LIGHT_WORDS, `light_share` what a channel has of the light times the number of channels, and `light_channels` a sentence.
 */
export const LIGHT_GIVES = {
  light_yield: '1',
  light_change: '1',
  light: 'state',
  light_share: '1',
  light_channels: 'state',
} as const satisfies Kinds;
/** Uneven: some channels have another part of the light than before. Lost: the mark has been found, and is not found any more. */
export const LIGHT_WORDS = ['learning', 'steady', 'drifted', 'uneven', 'lost'] as const;

/** The mean over all fits since the beginning, with what has come since the last one; or why there is none. */
export interface LightSoFar {
  readonly value: number;
  readonly sigma: number;
  readonly fits: number;
}

export interface LightYield {
  take(event: DetectorEvent): void;
  /** The two states always; numbers where they are new, or the reason why there is none yet. */
  look(): Values;
  /** Changes nothing. */
  now(): LightSoFar | { readonly none: string };
  /** What comes now is right: all that was is forgotten. */
  clear(): void;
}

/** Fits of which the reference is made. */
const LEARN = 6;
/** In sigma: with a fit a minute a false name in three years. */
const SIGMAS = 5;
/** A channel's part is taken from so many blocks: what one channel has of one event varies as much as it is. */
const BLOCKS = 5;
const LEARN_SHARE = 3;
const BINS = 60;
/** Parts of the mark's energy between which the spectrum is taken. */
const [LOW, HIGH] = [0.6, 1.5];
/** Events of its kind, at any energy, after which a block ends though the mark is not there. */
const PATIENCE = 20;
/** Blocks without the mark, one after the other, after which it is lost. */
const LOST = 2;

/** What is wrong with the options, in a sentence; undefined where nothing is. */
export function checkLightYield({
  mark,
  every = 500,
  change = 0.02,
}: Pick<LightYieldOptions, 'mark' | 'every' | 'change'>): string | undefined {
  if ('line' in mark ? !(mark.line > 0 && Number.isFinite(mark.line)) : !Object.hasOwn(GAMMA_SOURCES, mark.edge))
    return 'line' in mark
      ? `line: MeVee above 0, not ${mark.line}`
      : `edge: there is no source "${mark.edge}"; known are ${Object.keys(GAMMA_SOURCES).join(', ')}`;
  if (!(Number.isInteger(every) && every >= 250)) return `every: 250 events or more, not ${every}`;
  return change > 0 && change < 1 ? undefined : `change: a part above 0 and below 1, not ${change}`;
}

interface Shares {
  count: number;
  readonly mean: Float64Array;
  readonly squares: Float64Array;
}

/** Throws a RangeError with checkLightYield's sentence. */
export function lightYield(options: LightYieldOptions): LightYield {
  const wrong = checkLightYield(options);
  if (wrong !== undefined) throw new RangeError(wrong);
  const { channels, firstChannel = 0, mark, shape, every = 500, change = 0.02 } = options;
  const edges = 'edge' in mark ? GAMMA_SOURCES[mark.edge].map((g) => comptonEdge(g.energy)) : [mark.line];
  const spectrum = histogram({ low: LOW * Math.min(...edges), high: HIGH * Math.max(...edges), bins: BINS });
  const mine = (of: number): boolean => ('line' in mark ? of >= shape : of < shape);
  const watch = driftWatch({ relative: change, learn: LEARN, sigmas: SIGMAS });
  const watches = Array.from({ length: channels }, () => driftWatch({ relative: 5 * change, learn: LEARN_SHARE }));
  const shares: Shares = { count: 0, mean: new Float64Array(channels), squares: new Float64Array(channels) };
  /** Of all fits: how many, their weights, and these times what they say. */
  const sum = { fits: 0, weights: 0, weighted: 0 };
  let [inBlock, seen, blocks, without] = [0, 0, 0, 0];
  let last: Drift = { state: 'learning', reference: Number.NaN, sigma: Number.NaN, change: Number.NaN, significance: Number.NaN };
  let turned: readonly Drift[] = [];
  const none = bad('too few events yet');
  const nothing: Values = { light_yield: none, light_change: none };
  const noShares: Values = { light_share: new Array<Given<'1'>>(channels).fill(none) as Values['light_share'] };
  let [fresh, freshShares] = [nothing, noShares];

  function closed(): void {
    const got = placeOf(spectrum, mark);
    emptied(spectrum);
    [inBlock, seen] = [0, 0];
    if ('refused' in got) {
      without++;
      fresh = { light_yield: bad(got.refused), light_change: bad(got.refused) };
      return;
    }
    without = 0;
    const [value, sigma] = [got.charge / got.energy, got.chargeSigma / got.energy];
    add(sum, value, sigma);
    last = watch.take(value, sigma);
    fresh = { light_yield: { quality: 'good', value, sigma: { random: sigma } }, light_change: changeOf(last, value, sigma) };
    if (++blocks % BLOCKS === 0) closeShares();
  }

  function closeShares(): void {
    const values = watches.map((of: DriftWatch, c) => {
      const value = shares.mean[c] as number; // c < channels, here and below
      const sigma = Math.sqrt((shares.squares[c] as number) / (shares.count - 1) / shares.count);
      return { value, sigma, drift: of.take(value, sigma) };
    });
    turned = values.map(({ drift }) => drift);
    const none = bad('has no light');
    freshShares = {
      light_share: [
        ...new Array<typeof none>(firstChannel).fill(bad('no channel of this board')),
        ...values.map(({ value, sigma }) => (sigma > 0 ? ({ quality: 'good', value, sigma: { random: sigma } } as const) : none)),
      ],
    };
    [shares.count] = [0];
    shares.mean.fill(0);
    shares.squares.fill(0);
  }

  function word(): (typeof LIGHT_WORDS)[number] {
    if (without >= LOST && !Number.isNaN(last.reference)) return 'lost';
    if (last.state === 'drifted') return 'drifted';
    if (turned.some(({ state }) => state === 'drifted')) return 'uneven';
    return last.state;
  }

  return {
    take(event) {
      if (!mine(event.shape)) return;
      if (++seen >= PATIENCE * every) closed();
      if (!(event.energy >= spectrum.low && event.energy < spectrum.high)) return;
      fill(spectrum, event.energy);
      let whole = 0;
      for (let c = 0; c < channels; c++) whole += event.charge[c] as number; // an event has them all
      if (whole > 0) {
        const n = ++shares.count;
        for (let c = 0; c < channels; c++) {
          const part = (channels * (event.charge[c] as number)) / whole;
          const off = part - (shares.mean[c] as number);
          const mean = (shares.mean[c] as number) + off / n;
          shares.mean[c] = mean;
          shares.squares[c] = (shares.squares[c] as number) + off * (part - mean);
        }
      }
      if (++inBlock >= every) closed();
    },
    look() {
      const said: Values = { light: word(), light_channels: sentence(turned, firstChannel), ...fresh, ...freshShares };
      fresh = {};
      freshShares = {};
      return said;
    },
    now() {
      const all = { ...sum };
      const rest = placeOf(spectrum, mark);
      if (!('refused' in rest)) add(all, rest.charge / rest.energy, rest.chargeSigma / rest.energy);
      if (all.fits === 0) return { none: 'refused' in rest ? rest.refused : 'no fit has a bar' };
      return { value: all.weighted / all.weights, sigma: 1 / Math.sqrt(all.weights), fits: all.fits };
    },
    clear() {
      emptied(spectrum);
      [sum.fits, sum.weights, sum.weighted] = [0, 0, 0];
      watch.accept();
      for (const one of watches) one.accept();
      shares.count = 0;
      shares.mean.fill(0);
      shares.squares.fill(0);
      [inBlock, seen, blocks, without] = [0, 0, 0, 0];
      last = { ...last, state: 'learning', reference: Number.NaN };
      turned = [];
      [fresh, freshShares] = [nothing, noShares];
    },
  };
}

function add(to: { fits: number; weights: number; weighted: number }, value: number, sigma: number): void {
  if (!(sigma > 0 && Number.isFinite(sigma))) return;
  to.fits++;
  to.weights += 1 / sigma ** 2;
  to.weighted += value / sigma ** 2;
}

function placeOf(h: Histogram, mark: LightMark): Place | NoPlace {
  const range = [h.low, h.high] as const;
  return 'line' in mark ? fitGammaLine(h, { range, energy: mark.line }) : fitComptonEdge(h, { range, gammas: GAMMA_SOURCES[mark.edge] });
}

function changeOf({ state, reference, sigma: of }: Drift, value: number, sigma: number): Given<'1'> {
  if (state === 'learning') return bad('there is no first value to compare with yet');
  return { quality: 'good', value: value / reference - 1, sigma: { random: Math.hypot(sigma, of) / reference } };
}

function sentence(drifts: readonly Drift[], first: number): string {
  if (drifts.length === 0 || drifts.every(({ state }) => state === 'learning')) return 'learning';
  const said = drifts.flatMap(({ state, reference, change }, c) =>
    state === 'drifted' ? [`${first + c} has ${((reference + change) / reference).toFixed(2)} of the part it had`] : [],
  );
  return said.length === 0 ? 'all even' : said.join(', ');
}
