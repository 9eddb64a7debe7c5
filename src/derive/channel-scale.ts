/** Gain and energy scale of each channel while data come: by peaks of single photoelectrons, and by the edge or line of a known source. */
import { bad, type Measured, type Values } from '../reading.ts';
import { comptonEdge, GAMMA_SOURCES, type Gamma, type GammaSource } from './compton.ts';
import { fitComptonEdge, fitGammaLine } from './gamma-lines.ts';
import { type Axis, checkAxis, emptied, fill, type Histogram, histogram } from './histogram.ts';
import { FLAG, type Hits } from './hits.ts';
import { fitPhotoelectrons } from './photoelectron-peaks.ts';

export interface ChannelScaleOptions {
  readonly channels: number;
  /** Charges in which peaks of single photoelectrons are looked for. */
  readonly photoelectrons?: Axis & {
    /** Where nothing would be, where the spectrum has no peak of nothing (hits above a threshold). */
    readonly pedestal?: { readonly centre: number; readonly sigma: number };
    readonly crosstalk?: boolean;
  };
  /** Charges in which the edge of a source, or a line of so many MeV, stands. */
  readonly energy?: Axis & { readonly source?: GammaSource; readonly line?: number };
}

export interface ChannelScale {
  take(block: Hits): void;
  /**
   * `gain` (charge of a photoelectron) and `energy_scale` (MeVee for one count of charge), one of each channel with one sigma; suspect where
   * the fit misses the spectrum. A fit takes its time: each call makes one, of the next channel whose spectrum has grown by a tenth (to
   * twice its size where nothing was found); the others are as they were.
   */
  look(): Values;
  clear(): void;
}

/** An empty hit belongs in where it has a charge: it is in the peak of no photoelectron. */
const SKIP = FLAG.saturated | FLAG.cut | FLAG.pileUp;
const NOT_YET = bad('not fitted yet');
const GROWN = 1.1; // by which a spectrum has more hits before it is fitted again
const DOUBLED = 2; // the same where nothing was found: such a fit takes longest

/** What is wrong with the options, in a sentence; undefined where they are sound. */
export function checkChannelScale({ photoelectrons, energy }: ChannelScaleOptions): string | undefined {
  const wrong = (photoelectrons && checkAxis(photoelectrons, 'photoelectrons')) ?? (energy && checkAxis(energy, 'energy'));
  if (wrong !== undefined || !energy) return wrong;
  if ((energy.source === undefined) === (energy.line === undefined)) return 'energy: either a source or a line';
  if (energy.source !== undefined && !Object.hasOwn(GAMMA_SOURCES, energy.source))
    return `energy: there is no source "${energy.source}"; known are ${Object.keys(GAMMA_SOURCES).join(', ')}`;
  return energy.line !== undefined && !(energy.line > 0) ? 'energy: a line is of an energy above 0 MeV' : undefined;
}

/** One kind of fit: a histogram for each channel, and what was found last. */
interface Kind {
  readonly name: 'gain' | 'energy_scale';
  readonly spectra: readonly Histogram[];
  readonly found: Measured<'1'>[];
  /** Hits of each channel, and with how many it is fitted next. */
  readonly hits: Float64Array;
  readonly due: Float64Array;
  fit(h: Histogram): Measured<'1'>;
}

/** Throws a RangeError with checkChannelScale's sentence. */
export function channelScale(options: ChannelScaleOptions): ChannelScale {
  const wrong = checkChannelScale(options);
  if (wrong !== undefined) throw new RangeError(wrong);
  const { channels, photoelectrons, energy } = options;
  const kind = (name: Kind['name'], axis: Axis, fit: Kind['fit']): Kind => ({
    name,
    spectra: Array.from({ length: channels }, () => histogram(axis)),
    found: new Array<Measured<'1'>>(channels).fill(NOT_YET),
    hits: new Float64Array(channels),
    due: new Float64Array(channels),
    fit,
  });
  const kinds = [
    ...(photoelectrons ? [kind('gain', photoelectrons, (h) => gainOf(h, photoelectrons))] : []),
    ...(energy ? [kind('energy_scale', energy, (h) => scaleOf(h, energy))] : []),
  ];
  let next = 0;
  return {
    take(block) {
      for (let i = 0; i < block.count; i++) {
        const c = block.channel[i] as number; // i < count
        if (c >= channels || ((block.flags[i] as number) & SKIP) !== 0) continue;
        if (Number.isNaN(block.charge[i])) continue;
        for (let k = 0; k < kinds.length; k++) {
          const one = kinds[k] as Kind; // k < length
          fill(one.spectra[c] as Histogram, block.charge[i] as number); // c < channels
          one.hits[c] = (one.hits[c] as number) + 1;
        }
      }
    },
    look() {
      for (let tries = 0; tries < kinds.length * channels; tries++) {
        const one = kinds[next % kinds.length] as Kind; // there is one
        const c = Math.floor(next / kinds.length) % channels;
        next++;
        const hits = one.hits[c] as number; // c < channels
        if (hits < (one.due[c] as number)) continue;
        const found = one.fit(one.spectra[c] as Histogram);
        one.found[c] = found;
        one.due[c] = hits * (found.quality === 'bad' ? DOUBLED : GROWN);
        break;
      }
      return Object.fromEntries(kinds.map(({ name, found }) => [name, [...found]]));
    },
    clear() {
      for (const { spectra, found, hits, due } of kinds) {
        for (const h of spectra) emptied(h);
        found.fill(NOT_YET);
        hits.fill(0);
        due.fill(0);
      }
      next = 0;
    },
  };
}

function gainOf(h: Histogram, { pedestal, crosstalk }: NonNullable<ChannelScaleOptions['photoelectrons']>): Measured<'1'> {
  const got = fitPhotoelectrons(h, { ...(pedestal ? { pedestal } : {}), ...(crosstalk ? { crosstalk } : {}) });
  return 'refused' in got ? bad(got.refused) : told(got.gain, got.gainSigma, got.misfit);
}

function scaleOf(h: Histogram, { low, high, source, line }: NonNullable<ChannelScaleOptions['energy']>): Measured<'1'> {
  const gammas: readonly Gamma[] = source === undefined ? [] : GAMMA_SOURCES[source];
  const got =
    line === undefined
      ? fitComptonEdge(h, { range: [Math.max(0, low), high], gammas })
      : fitGammaLine(h, { range: [low, high], energy: line });
  if ('refused' in got) return bad(got.refused);
  if (!(got.charge > 0)) return bad('the fit puts it at no charge');
  const value = got.energy / got.charge;
  return told(value, (value * got.chargeSigma) / got.charge, got.misfit);
}

/** A fit that misses its spectrum has a bar that is too small. */
function told(value: number, random: number, misfit: number): Measured<'1'> {
  const sigma = { random };
  return misfit === 0
    ? { quality: 'good', value, sigma }
    : { quality: 'suspect', value, sigma, why: `the fit misses the spectrum by ${(100 * misfit).toPrecision(2)} %: its bar is too small` };
}

/** MeV of the highest edge of a source, for people. */
export const edgeOf = (source: GammaSource): number => Math.max(...GAMMA_SOURCES[source].map((g) => comptonEdge(g.energy)));
