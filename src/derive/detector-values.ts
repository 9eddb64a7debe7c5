/** What the physics chain of a detector says, as readings by channel: SI, with one sigma, or the reason why there is none. */
import { bad, type Given, type Kinds, type Trace, type Values } from '../reading.ts';
import type { Coincidences } from './coincidence.ts';
import type { ChainCounts, ChainState } from './detector-chain.ts';
import type { Direction } from './direction.ts';
import { dot, times } from './direction-cone.ts';

/**
 * Channels of every look and of looks that fit, and those of a known source. `singles` is agree, differ or unknown, `direction` stated or none,
 * `source` within, outside or unknown.
 */
export const PHYSICS_GIVES = {
  events: '1',
  pairs: '1',
  pairs_off: '1',
  unlocated: '1',
  physics_live: 's',
  vetoed: 's',
  muon_rate: '1/s',
  prompt_rate: '1/s',
  delayed_rate: '1/s',
  isolated: '1',
  accidentals: '1',
  accidental_rate: '1/s',
  signal: '1',
  signal_rate: '1/s',
  singles: 'state',
  singles_apart: '1',
  capture_time: 's',
  multiple: '1',
  multiplicity: 'trace',
  direction: 'state',
  direction_p: '1',
  direction_chi2: '1',
  direction_pairs: '1',
  theta: 'rad',
  phi: 'rad',
  cone: 'rad',
  displacement: 'm',
  displacement_vector: 'trace',
  figure_of_merit: '1',
  prompt_energy: 'trace',
  delayed_energy: 'trace',
  event_energy: 'trace',
  event_shape: 'trace',
} as const satisfies Kinds;
/** Those that say how probable something is, how wide, or that it is at all, and what was vetoed of a few muons. */
export const PHYSICS_CHANCE = ['singles', 'singles_apart', 'direction', 'direction_p', 'direction_chi2', 'cone', 'vetoed'] as const;
export const SOURCE_CHANCE = ['source', 'source_p'] as const;
/** Those that count what comes by chance, since the last clear. */
export const PHYSICS_COUNTS = ['events', 'pairs', 'pairs_off', 'unlocated', 'isolated', 'multiple', 'direction_pairs'] as const;
export const SOURCE_GIVES = { source: 'state', source_angle: 'rad', source_p: '1' } as const satisfies Kinds;

/** With fewer a capture time says nothing. */
const LEAST_PAIRS = 20;

const measured = (value: number, random: number, why: string): Given<'1'> =>
  Number.isFinite(value) && Number.isFinite(random) ? { quality: 'good', value, sigma: { random } } : bad(why);
const plain = (value: number, why: string): Given<'1'> => (Number.isFinite(value) ? value : bad(why));
/** Of no counts at all the bar is that of one. */
const counted = (n: number): Given<'1'> => measured(n, Math.sqrt(Math.max(1, n)), 'nothing was counted');

export const quickValues = ({ events, pairs, off, unlocated }: ChainCounts): Values => ({
  events,
  pairs: counted(pairs),
  pairs_off: counted(off),
  unlocated,
});

export function physicsValues(s: ChainState, begin: number, end: number, hasSource: boolean): Values {
  const { of, accidentals, agreement, signal } = s;
  const live = s.live / 1e9;
  const none = of.events === 0 ? 'no event has come' : live > 0 ? 'no off-time windows' : 'no live time';
  const rate = (value: number, random: number): Given<'1/s'> => measured(value / live, random / live, none);
  const each = (n: number): Given<'1/s'> => rate(n, Math.sqrt(Math.max(1, n)));
  return {
    physics_live: live,
    vetoed: of.vetoed / 1e9,
    muon_rate: each(of.muons),
    prompt_rate: each(of.prompts),
    delayed_rate: each(of.delayeds),
    isolated: counted(s.isolated),
    accidentals: measured(accidentals.value, least(accidentals.sigma, s), none),
    accidental_rate: rate(accidentals.value, least(accidentals.sigma, s)),
    signal: measured(signal.value, Math.max(1, signal.sigma), none),
    signal_rate: rate(signal.value, Math.max(1, signal.sigma)),
    singles: agreement.word === 'disagree' ? 'differ' : agreement.word,
    singles_apart: plain(agreement.sigmas, agreement.why),
    capture_time:
      s.pairs < LEAST_PAIRS
        ? bad(`${s.pairs} pairs: at least ${LEAST_PAIRS} are needed`)
        : 'none' in s.capture
          ? bad(s.capture.none)
          : measured(s.capture.tau / 1e9, s.capture.sigma / 1e9, 'the fit has no bar'),
    ...multiplicities(of, begin, end),
    ...directionValues(s, begin, end),
    figure_of_merit:
      s.separation === undefined
        ? bad('too few events in the energy of delayed ones yet')
        : 'refused' in s.separation
          ? bad(s.separation.refused)
          : measured(s.separation.merit, s.separation.meritSigma, 'the fit has no bar'),
    prompt_energy: s.spectra.prompt,
    delayed_energy: s.spectra.delayed,
    event_energy: s.spectra.energy,
    event_shape: s.spectra.plane,
    ...(hasSource ? sourceValues(s) : {}),
  };
}

/** Of no off-time pairs at all the bar is that of one. */
const least = (sigma: number, { off }: ChainState): number => Math.max(sigma, 1 / off.length);

function multiplicities({ multiplicity }: Coincidences, begin: number, end: number): Values {
  const some = multiplicity.reduce((sum, n, many) => sum + (many > 0 ? n : 0), 0);
  const more = some - (multiplicity[1] ?? 0);
  const part = more / some;
  // Of the posterior of a share with no knowledge before: never nothing.
  const sigma = Math.sqrt(((more + 1) * (some - more + 1)) / ((some + 2) ** 2 * (some + 3)));
  return {
    multiple: measured(part, sigma, 'no prompt event has a delayed one yet'),
    multiplicity: {
      columns: {
        delayed: { unit: '1', data: Uint32Array.from(multiplicity, (_, many) => many) },
        prompts: { unit: '1', data: Float64Array.from(multiplicity) },
      },
      shape: [multiplicity.length],
      begin,
      end,
      settings: { of: 'delayed candidates on time per prompt' },
    },
  };
}

function directionValues({ direction, centroids }: ChainState, begin: number, end: number): Values {
  const tested = 'none' in direction ? undefined : direction;
  const none = 'none' in direction ? direction.none : 'none' in direction.stated ? direction.stated.none : undefined;
  const arrow = tested && !('none' in tested.stated) ? tested.stated : undefined;
  const why = none ?? 'no direction';
  const angle = (value: number | undefined, random: number | undefined): Given<'rad'> =>
    measured(value ?? Number.NaN, random ?? Number.NaN, arrow ? 'at a pole this angle has no meaning' : why);
  const error = tested ? Math.sqrt(dot(tested.mean, times(tested.covariance, tested.mean))) / tested.length : Number.NaN;
  const size: Given<'m'> = measured((tested?.length ?? Number.NaN) / 100, error / 100, why);
  return {
    direction: arrow ? 'stated' : 'none',
    direction_p: plain(tested?.pFew ?? Number.NaN, why),
    direction_chi2: plain(tested?.chi2 ?? Number.NaN, why),
    direction_pairs: tested ? measured(tested.n, pairsSigma(tested), why) : bad(why),
    theta: angle(arrow?.theta, arrow?.sigmaTheta),
    phi: angle(arrow?.phi, arrow?.sigmaPhi),
    cone: plain(arrow?.cone ?? Number.NaN, why),
    displacement:
      centroids > 0 && typeof size === 'object' && 'quality' in size && size.quality === 'good'
        ? { ...size, quality: 'suspect', why: 'by centroids, which stand too near to the centre: it is too short' }
        : size,
    displacement_vector: tested && Number.isFinite(tested.chi2) ? displacementTrace(tested, begin, end) : bad(why),
  };
}

/** Poisson's, of both samples. */
const pairsSigma = ({ pairs, background }: Direction): number =>
  Math.sqrt(Math.max(1, pairs) + (background ? background.pairs / background.windows ** 2 : 0));

/** Rows are x, y, z: the mean (m), its sigma, and its covariance (m^2). */
function displacementTrace({ mean, covariance, n }: Direction, begin: number, end: number): Trace {
  const axes = [0, 1, 2] as const;
  const row = (i: 0 | 1 | 2): Trace['columns'][string] => ({ unit: '1', data: Float64Array.from(covariance[i], (v) => v / 1e4) });
  return {
    columns: {
      mean: { unit: 'm', data: Float64Array.from(mean, (v) => v / 100) },
      sigma: { unit: 'm', data: Float64Array.from(axes, (i) => Math.sqrt(covariance[i][i]) / 100) },
      covariance_x: row(0),
      covariance_y: row(1),
      covariance_z: row(2),
    },
    shape: [3],
    begin,
    end,
    settings: { of: 'delayed less prompt in m, covariance in m^2', pairs: n },
  };
}

function sourceValues({ direction, source }: ChainState): Values {
  const why = 'none' in direction ? direction.none : 'no direction to hold against that of the source';
  const stated = !('none' in direction) && !('none' in direction.stated);
  return {
    source: source && stated ? (source.within ? 'within' : 'outside') : 'unknown',
    source_angle:
      source && stated ? measured(source.angle, direction.isotropic.component, why) : bad('none' in direction ? direction.none : why),
    source_p: source ? plain(source.p, why) : bad(why),
  };
}
