/** Gain and energy scale of each channel against time: by peaks of single photoelectrons, and by the edge or line of a known source. */
import { bad, type Measured, type Values } from '../reading.ts';
import { comptonEdge, GAMMA_SOURCES, type Gamma, type GammaSource } from './compton.ts';
import { fitComptonEdge, fitGammaLine } from './gamma-lines.ts';
import { type Axis, checkAxis, fill, type Histogram } from './histogram.ts';
import { FLAG, type Hits } from './hits.ts';
import { fitPhotoelectrons } from './photoelectron-peaks.ts';
import { checkWindows, type ScaleWindows, scaleWindows, type WindowOptions } from './scale-windows.ts';

export interface ChannelScaleOptions {
  readonly channels: number;
  /** Charges in which peaks of single photoelectrons are looked for. */
  readonly photoelectrons?: Axis &
    WindowOptions & {
      /** Where nothing would be, where the spectrum has no peak of nothing (hits above a threshold). */
      readonly pedestal?: { readonly centre: number; readonly sigma: number };
      readonly crosstalk?: boolean;
    };
  /** Charges in which the edge of a source, or a line of so many MeV, stands. */
  readonly energy?: Axis & WindowOptions & { readonly source?: GammaSource; readonly line?: number };
}

/** For each of the two: value of the last window, its change from the first ones, a word for all channels and a sentence (scale-windows.ts). */
export const GAIN_GIVES = { gain: '1', gain_change: '1', gains: 'state', gain_channels: 'state' } as const;
export const ENERGY_SCALE_GIVES = {
  energy_scale: '1',
  energy_scale_change: '1',
  energy_scales: 'state',
  energy_scale_channels: 'state',
} as const;

export type ScaleName = 'gain' | 'energy_scale';

export interface ChannelScale {
  take(block: Hits): void;
  /**
   * `gain` (charge of a photoelectron) and `energy_scale` (MeVee for one count of charge), one of each channel with one sigma and the time
   * at which its window closed; suspect where the fit misses the spectrum. Given when all are new, or every ten seconds; words and sentences
   * always. `t`: microseconds since 1970. A fit takes its time (tens of milliseconds): each call makes one, of the next channel that is due.
   */
  look(t: number): Values;
  /** As the run is over: fits of all that has come since the last ones, and the words. */
  end(t: number): Values;
  clear(): void;
}

/** An empty hit belongs in where it has a charge: it is in the peak of no photoelectron. */
const SKIP = FLAG.saturated | FLAG.cut | FLAG.pileUp;

/** What is wrong with the options, in a sentence; undefined where they are sound. */
export function checkChannelScale({ photoelectrons, energy }: ChannelScaleOptions): string | undefined {
  const wrong =
    (photoelectrons && (checkAxis(photoelectrons, 'photoelectrons') ?? checkWindows(photoelectrons))) ??
    (energy && (checkAxis(energy, 'energy') ?? checkWindows(energy)));
  if (wrong !== undefined || !energy) return wrong;
  if ((energy.source === undefined) === (energy.line === undefined)) return 'energy: either a source or a line';
  if (energy.source !== undefined && !Object.hasOwn(GAMMA_SOURCES, energy.source))
    return `energy: there is no source "${energy.source}"; known are ${Object.keys(GAMMA_SOURCES).join(', ')}`;
  return energy.line !== undefined && !(energy.line > 0) ? 'energy: a line is of an energy above 0 MeV' : undefined;
}

/** Throws a RangeError with checkChannelScale's sentence. `closed` hears the value of each window, or why there is none. */
export function channelScale(
  options: ChannelScaleOptions,
  closed?: (name: ScaleName, channel: number, found: Measured<'1'>) => void,
): ChannelScale {
  const wrong = checkChannelScale(options);
  if (wrong !== undefined) throw new RangeError(wrong);
  const { channels, photoelectrons, energy } = options;
  const heard = (name: ScaleName) => closed && ((c: number, found: Measured<'1'>): void => closed(name, c, found));
  const kinds: readonly ScaleWindows[] = [
    ...(photoelectrons ? [scaleWindows(channels, photoelectrons, (h) => gainOf(h, photoelectrons), heard('gain'))] : []),
    ...(energy ? [scaleWindows(channels, energy, (h) => scaleOf(h, energy), heard('energy_scale'))] : []),
  ];
  const names: readonly ScaleName[] = [...(photoelectrons ? (['gain'] as const) : []), ...(energy ? (['energy_scale'] as const) : [])];
  const looked = (t: number): Values => Object.assign({}, ...kinds.map((one, k) => one.look(names[k] ?? '', t)));
  let next = 0;
  return {
    take(block) {
      if (kinds.length === 0) return;
      for (let i = 0; i < block.count; i++) {
        const c = block.channel[i] as number; // i < count
        if (c >= channels || ((block.flags[i] as number) & SKIP) !== 0) continue;
        if (Number.isNaN(block.charge[i])) continue;
        for (let k = 0; k < kinds.length; k++) {
          const { spectra, hits } = kinds[k] as ScaleWindows; // k < length
          fill(spectra[c] as Histogram, block.charge[i] as number); // c < channels
          hits[c] = (hits[c] as number) + 1;
        }
      }
    },
    look(t) {
      let fitted = false;
      for (let tries = 0; tries < kinds.length * channels && !fitted; tries++) {
        const one = kinds[next % kinds.length] as ScaleWindows; // there is one
        fitted = one.turn(Math.floor(next / kinds.length), t);
        next = (next + 1) % (kinds.length * channels);
      }
      return looked(t);
    },
    end(t) {
      for (const one of kinds) one.end(t);
      return looked(t);
    },
    clear() {
      for (const one of kinds) one.clear();
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
  if (!(Number.isFinite(value) && random > 0 && Number.isFinite(random))) return bad('the fit has no bar');
  const sigma = { random };
  return misfit === 0
    ? { quality: 'good', value, sigma }
    : { quality: 'suspect', value, sigma, why: `the fit misses the spectrum by ${(100 * misfit).toPrecision(2)} %: its bar is too small` };
}

/** MeV of the highest edge of a source, for people. */
export const edgeOf = (source: GammaSource): number => Math.max(...GAMMA_SOURCES[source].map((g) => comptonEdge(g.energy)));
