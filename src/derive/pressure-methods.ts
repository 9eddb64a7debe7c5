/**
 * The methods `ruby`, `samarium`, `diamond-edge`, `pressure-scale` and `thermal-pressure` of a rig's derivations. The raw line is an output of
 * each, so that any scale can be applied to it later; several gauges side by side are several derivations.
 */
import { type Field, options, word } from '../instrument.ts';
import { bad, type Kinds, type Measured, type Reading, type Sigma, type Values } from '../reading.ts';
import { Refused } from '../talk.ts';
import type { Rows, SpectralFrame } from './calibration.ts';
import type { OpticalPath } from './calibration-record.ts';
import type { Derivation } from './derivation.ts';
import { fitEdge } from './diamond-edge.ts';
import {
  DIAMOND_SCALES,
  type DiamondScale,
  diamondGauge,
  diamondReference,
  diamondScale,
  ramanLine,
  ramanShift,
} from './diamond-scales.ts';
import type { GaugePressure, Known } from './gauge.ts';
import { frameFor, learns } from './gauge-frame.ts';
import { amount, frameOfFile, measuredAmount, pair, perhaps, rows, scaleNamed, wavenumber } from './gauge-parameters.ts';
import { type LedgerState, noRecords, pathConstants } from './ledger-spectrum.ts';
import type { LineParams } from './line-pixels.ts';
import { RUBY_CORRECTIONS, type RubyCorrection, type RubyGauge, rubyGauge, rubyReference } from './ruby.ts';
import { fitRuby, type Line } from './ruby-fit.ts';
import { RUBY_SCALES, type RubyScale, rubyScale } from './ruby-scales.ts';
import { SAMARIUM_SCALES, type SamariumScale, samariumGauge, samariumScale } from './samarium.ts';
import { fitSamarium } from './samarium-fit.ts';
import { KCL, thermalPressure } from './thermal-pressure.ts';

interface FitFields {
  readonly calibration: true | undefined;
  readonly path: OpticalPath | undefined;
  readonly window: readonly [number, number] | undefined;
  readonly rows: Rows | undefined;
  readonly dark: SpectralFrame | undefined;
  readonly gain: number | undefined;
  readonly read_noise: number | undefined;
}
const fitFields = (window: string): { readonly [N in keyof FitFields]: Field<FitFields[N]> } => ({
  window: perhaps(`wavelengths to fit, such as ${window}; otherwise around the strongest line`, (v) =>
    pair(v, (x) => amount(x, 'm', '700 nm'), window),
  ),
  rows: perhaps('detector rows, from 0, both ends included, such as [11, 24]; otherwise all', rows),
  dark: perhaps('file to subtract from the spectrum', frameOfFile),
  gain: perhaps('electrons per count; otherwise the camera says; without it the bar is that of the residuals', (v) =>
    amount(v, '1', '2.5'),
  ),
  read_noise: perhaps('counts rms per pixel; otherwise the camera or the dark rows say', (v) => amount(v, '1', '4', true)),
  calibration: perhaps("auto: the rig's wavelength calibration that fits takes the place of the spectrum's own wavelengths", (v) =>
    v === 'auto' ? true : new Refused(`must be auto, not ${JSON.stringify(v)}`),
  ),
  path: perhaps(
    'with calibration auto: what shapes the axis, such as { mirror: optics.mirror }: channels, words or numbers',
    pathConstants,
  ),
});
const WEIGHTS = ['poisson', 'none'] as const;
const weights = word('poisson: counts with their own noise; none: all pixels alike', WEIGHTS, 'poisson');

/** Without what was left out. */
function lineParams(p: FitFields & { readonly weights?: (typeof WEIGHTS)[number] }): LineParams {
  return {
    ...(p.window ? { window: p.window } : {}),
    ...(p.rows ? { rows: p.rows } : {}),
    ...(p.dark ? { dark: p.dark } : {}),
    ...(p.gain === undefined ? {} : { gain: p.gain }),
    ...(p.read_noise === undefined ? {} : { readNoise: p.read_noise }),
    ...(p.weights ? { weights: p.weights } : {}),
  };
}

const assumed = perhaps('temperature of the gauge where none is measured, such as 300 K +- 5 K', (v) =>
  measuredAmount(v, 'K', '300 K +- 5 K', 'assumed_temperature'),
);
const reference = (example: string, cause: string, otherwise: string): Field<Known | undefined> =>
  perhaps(`line at no pressure, such as ${example}; otherwise ${otherwise}`, (v) => measuredAmount(v, 'm', example, cause));

interface RubyFields {
  readonly scale: RubyScale;
  readonly reference: Known | undefined;
  readonly reference_temperature: number | undefined;
  readonly correction: RubyCorrection;
  readonly assumed_temperature: Known | undefined;
}
const rubyFields: { readonly [N in keyof RubyFields]: Field<RubyFields[N]> } = {
  scale: {
    about: `${RUBY_SCALES.map((s) => s.name).join(' | ')}; otherwise ruby2020`,
    of: (v) => scaleNamed(RUBY_SCALES, rubyScale)(v ?? 'ruby2020'),
  },
  reference: reference('694.25 nm +- 0.01 nm', 'ruby_reference', '694.25 nm'),
  reference_temperature: perhaps('temperature at which the reference was measured; otherwise 296 K', (v) => amount(v, 'K', '296 K')),
  correction: word('law of the shift with temperature', RUBY_CORRECTIONS, 'datchi2007'),
  assumed_temperature: assumed,
};
const rubyOf = (p: RubyFields): RubyGauge => ({
  scale: p.scale,
  reference: p.reference ?? rubyReference(),
  correction: p.correction,
  ...(p.reference_temperature === undefined ? {} : { referenceTemperature: p.reference_temperature }),
});

interface SamariumFields {
  readonly scale: SamariumScale;
  readonly reference: Known | undefined;
  readonly assumed_temperature: Known | undefined;
}
const samariumFields: { readonly [N in keyof SamariumFields]: Field<SamariumFields[N]> } = {
  scale: {
    about: `${SAMARIUM_SCALES.map((s) => s.name).join(' | ')}; otherwise rashchenko2015`,
    of: (v) => scaleNamed(SAMARIUM_SCALES, samariumScale)(v ?? 'rashchenko2015'),
  },
  reference: reference('685.41 nm +- 0.01 nm', 'samarium_reference', 'that of the scale'),
  assumed_temperature: assumed,
};

interface DiamondFields {
  readonly laser: number;
  readonly scale: DiamondScale;
  readonly reference: Known | undefined;
}
const diamondFields: { readonly [N in keyof DiamondFields]: Field<DiamondFields[N]> } = {
  laser: {
    about: 'wavelength of the exciting laser, such as 532 nm',
    of: (v) => (v === undefined ? new Refused('is needed: such as 532 nm') : amount(v, 'm', '532 nm')),
  },
  scale: {
    about: `${DIAMOND_SCALES.map((s) => s.name).join(' | ')}; otherwise akahama2006`,
    of: (v) => scaleNamed(DIAMOND_SCALES, diamondScale)(v ?? 'akahama2006'),
  },
  reference: perhaps('edge of the anvil without load, such as 1334 +- 0.5 1/cm; otherwise 1334 1/cm', (v) => {
    const read = wavenumber(v, '1334 +- 0.5 1/cm');
    return read instanceof Refused ? read : diamondReference(read.value, read.sigma);
  }),
};

/** A paired temperature, which a rig may leave out whatever the type says. */
function temperatureOf(reading: Reading<'K'> | undefined, otherwise: Known | undefined): Known | undefined {
  if (!reading || reading.quality === 'bad') return otherwise;
  return { value: reading.value, ...(reading.sigma ? { sigma: reading.sigma } : {}) };
}

const nothing = <O extends Kinds>(outputs: O, why: string): Values<O> =>
  // Every output of the method, bad for the one reason.
  Object.fromEntries(Object.keys(outputs).map((name) => [name, bad(why)])) as Values<O>;

/** A number with its sigma; suspect for the first reason that there is. */
function given<K extends 'm' | 'Pa' | '1' | 'K'>(
  value: number,
  sigma: Sigma | undefined,
  doubts: readonly (string | undefined)[],
): Measured<K> {
  const why = doubts.filter((d) => d !== undefined).join('; ');
  const found = { quality: why === '' ? 'good' : 'suspect', value, ...(why === '' ? {} : { why }), ...(sigma ? { sigma } : {}) };
  return (Number.isFinite(value) ? found : bad('the numbers give no result')) as Measured<K>; // a number, as all these kinds are
}

const pressureOf = (p: GaugePressure, suspect?: string): Measured<'Pa'> => given<'Pa'>(p.pressure, p.sigma, [suspect, ...p.doubts]);
const lengthOf = ({ value, sigma }: Known, suspect: string | undefined): Measured<'m'> => given<'m'>(value, sigma, [suspect]);
const widthOf = (line: Line, suspect: string | undefined): Measured<'m'> => lengthOf(line.fwhm, suspect);
/** What the temperature has moved the line by, for who wants to undo it. */
const shiftOf = ({ shift }: GaugePressure): { readonly shift?: Measured<'m'> } =>
  shift === undefined ? {} : { shift: given<'m'>(shift, undefined, []) };

const SPECTRUM = { spectrum: 'trace', temperature: 'K' } as const;

type RubyParams = FitFields & RubyFields & { readonly weights: (typeof WEIGHTS)[number] };
const RUBY = { pressure: 'Pa', line: 'm', second_line: 'm', split: 'm', width: 'm', ratio: '1', shift: 'm', chi2: '1' } as const;
export const ruby: Derivation<RubyParams, typeof SPECTRUM, typeof RUBY, LedgerState> = {
  method: 'ruby',
  inputs: SPECTRUM,
  optional: ['temperature'],
  outputs: RUBY,
  files: ['dark'],
  params: options<RubyParams>({ ...fitFields('[690 nm, 700 nm]'), weights, ...rubyFields }),
  takes: ['wavelength'],
  start: noRecords,
  learn: learns,
  step(state, inputs, p) {
    const { spectrum, temperature } = inputs;
    if (spectrum.quality === 'bad') return [state, nothing(RUBY, spectrum.why)];
    const { frame, used } = frameFor(state, spectrum, inputs, p);
    const fit = typeof frame === 'string' ? { refused: frame } : fitRuby(frame, lineParams(p));
    if ('refused' in fit) return [state, nothing(RUBY, fit.refused), used];
    const { r1, r2, split, ratio, chi2, suspect } = fit;
    const pressure = rubyGauge(r1.centre, rubyOf(p), temperatureOf(temperature, p.assumed_temperature));
    return [
      state,
      {
        pressure: pressureOf(pressure, suspect),
        line: lengthOf(r1.centre, suspect),
        second_line: lengthOf(r2.centre, suspect),
        split: lengthOf(split, suspect),
        width: widthOf(r1, suspect),
        ratio: given<'1'>(ratio, undefined, [suspect]),
        ...shiftOf(pressure),
        chi2: fit.relative ? bad('the scale of the counts is not known') : given<'1'>(chi2, undefined, []),
      },
      used,
    ];
  },
};

type SamariumParams = FitFields & SamariumFields & { readonly weights: (typeof WEIGHTS)[number] };
const SAMARIUM = { pressure: 'Pa', line: 'm', width: 'm', shift: 'm', chi2: '1' } as const;
export const samarium: Derivation<SamariumParams, typeof SPECTRUM, typeof SAMARIUM, LedgerState> = {
  method: 'samarium',
  inputs: SPECTRUM,
  optional: ['temperature'],
  outputs: SAMARIUM,
  files: ['dark'],
  params: options<SamariumParams>({ ...fitFields('[683 nm, 690 nm]'), weights, ...samariumFields }),
  takes: ['wavelength'],
  start: noRecords,
  learn: learns,
  step(state, inputs, p) {
    const { spectrum, temperature } = inputs;
    if (spectrum.quality === 'bad') return [state, nothing(SAMARIUM, spectrum.why)];
    const { frame, used } = frameFor(state, spectrum, inputs, p);
    const fit = typeof frame === 'string' ? { refused: frame } : fitSamarium(frame, lineParams(p));
    if ('refused' in fit) return [state, nothing(SAMARIUM, fit.refused), used];
    const { line, chi2, suspect } = fit;
    const known = temperatureOf(temperature, p.assumed_temperature);
    const pressure = samariumGauge(line.centre, p.scale, p.reference ?? { value: p.scale.reference }, known);
    return [
      state,
      {
        pressure: pressureOf(pressure, suspect),
        line: lengthOf(line.centre, suspect),
        width: widthOf(line, suspect),
        ...shiftOf(pressure),
        chi2: fit.relative ? bad('the scale of the counts is not known') : given<'1'>(chi2, undefined, []),
      },
      used,
    ];
  },
};

type DiamondParams = FitFields & DiamondFields & { readonly smoothing: number | undefined };
const DIAMOND_IN = { spectrum: 'trace' } as const;
const DIAMOND = { pressure: 'Pa', line: 'm' } as const;
export const diamondEdge: Derivation<DiamondParams, typeof DIAMOND_IN, typeof DIAMOND, LedgerState> = {
  method: 'diamond-edge',
  inputs: DIAMOND_IN,
  outputs: DIAMOND,
  files: ['dark'],
  params: options<DiamondParams>({
    ...fitFields('[573 nm, 590 nm]'),
    window: perhaps('Raman shifts or wavelengths to look at, such as [1340 1/cm, 1800 1/cm]; otherwise 1300 to 2200 1/cm', shiftsOrLengths),
    smoothing: perhaps('half of the stretch over which the slope is taken, such as 10 1/cm; otherwise this', (v) => {
      const read = wavenumber(v, '10 1/cm');
      return read instanceof Refused ? read : read.value;
    }),
    ...diamondFields,
  }),
  takes: ['wavelength'],
  start: noRecords,
  learn: learns,
  step(state, inputs, p) {
    const { spectrum } = inputs;
    if (spectrum.quality === 'bad') return [state, nothing(DIAMOND, spectrum.why)];
    const { frame, used } = frameFor(state, spectrum, inputs, p);
    const window = p.window && inLengths(p.window, p.laser);
    const { weights: _none, ...params } = lineParams({ ...p, window });
    const fit =
      typeof frame === 'string'
        ? { refused: frame }
        : fitEdge(frame, { ...params, laser: p.laser, ...(p.smoothing === undefined ? {} : { smoothing: p.smoothing }) });
    if ('refused' in fit) return [state, nothing(DIAMOND, fit.refused), used];
    const pressure = diamondGauge(fit.shift, p.scale, p.reference ?? diamondReference());
    return [state, { pressure: pressureOf(pressure, fit.suspect), line: lengthOf(fit.line, fit.suspect) }, used];
  },
};

/** In 1/m, or in m. */
function shiftsOrLengths(value: unknown): readonly [number, number] | Refused {
  const example = '[1340 1/cm, 1800 1/cm]';
  const shifts = pair(
    value,
    (x) => {
      const read = wavenumber(x);
      return read instanceof Refused ? read : read.value;
    },
    example,
  );
  return shifts instanceof Refused && Array.isArray(value) && value.every((v) => typeof v === 'number' || /m\s*$/.test(String(v)))
    ? pair(value, (x) => amount(x, 'm', '580 nm'), '[573 nm, 590 nm]')
    : shifts;
}
/** A length is below a metre, a shift far above one of its units. */
const inLengths = ([low, high]: readonly [number, number], laser: number): readonly [number, number] =>
  high < 1 ? [low, high] : [ramanLine(laser, low), ramanLine(laser, high)];

type Gauge = 'ruby' | 'samarium' | 'diamond-edge';
/** The whole of one gauge's fields, by the name of the gauge. */
type ScaleParams =
  | ({ readonly gauge: 'ruby' } & RubyFields)
  | ({ readonly gauge: 'samarium' } & SamariumFields)
  | ({ readonly gauge: 'diamond-edge' } & DiamondFields);
const GAUGES: readonly Gauge[] = ['ruby', 'samarium', 'diamond-edge'];
const byGauge = {
  ruby: options<{ readonly gauge: 'ruby' } & RubyFields>({ gauge: word('gauge', ['ruby'] as const), ...rubyFields }),
  samarium: options<{ readonly gauge: 'samarium' } & SamariumFields>({ gauge: word('gauge', ['samarium'] as const), ...samariumFields }),
  'diamond-edge': options<{ readonly gauge: 'diamond-edge' } & DiamondFields>({
    gauge: word('gauge', ['diamond-edge'] as const),
    ...diamondFields,
  }),
} as const;
const LINE = { line: 'm', temperature: 'K' } as const;
const SCALED = { pressure: 'Pa' } as const;
/** A scale applied to a line that another derivation has measured: a second scale beside the first, or a temperature that may fail. */
export const pressureScale: Derivation<ScaleParams, typeof LINE, typeof SCALED, undefined> = {
  method: 'pressure-scale',
  inputs: LINE,
  optional: ['temperature'],
  outputs: SCALED,
  params: {
    fields: Object.assign({}, ...Object.values(byGauge).map((s) => s.fields), { gauge: GAUGES.join(' | ') }) as Record<string, string>, // texts only
    parse(yaml) {
      const gauge = yaml !== null && typeof yaml === 'object' && 'gauge' in yaml ? yaml.gauge : undefined;
      const one = GAUGES.find((g) => g === gauge);
      return one ? byGauge[one].parse(yaml) : new Refused(`gauge: must be one of ${GAUGES.join(', ')}`);
    },
  },
  start: () => undefined,
  step(_, { line, temperature }, p) {
    if (line.quality === 'bad') return [undefined, { pressure: bad(line.why) }];
    const at: Known = { value: line.value, ...(line.sigma ? { sigma: line.sigma } : {}) };
    return [undefined, { pressure: pressureOf(scaled(at, p, temperature)) }];
  },
};

function scaled(at: Known, p: ScaleParams, temperature: Reading<'K'> | undefined): GaugePressure {
  if (p.gauge === 'ruby') return rubyGauge(at, rubyOf(p), temperatureOf(temperature, p.assumed_temperature));
  if (p.gauge === 'samarium')
    return samariumGauge(at, p.scale, p.reference ?? { value: p.scale.reference }, temperatureOf(temperature, p.assumed_temperature));
  const perLength = 1 / at.value ** 2;
  const { random = 0, shared = {} } = at.sigma ?? {};
  const sigma = { random: random * perLength, shared: Object.fromEntries(Object.entries(shared).map(([k, v]) => [k, v * perLength])) };
  return diamondGauge({ value: ramanShift(p.laser, at.value), sigma }, p.scale, p.reference ?? diamondReference());
}

interface ThermalParams {
  readonly f: number;
  readonly alpha_k: number;
  readonly weight: number;
}
const share = (about: string, otherwise: number): Field<number> => ({
  about: `${about} (0 to 1, otherwise ${otherwise})`,
  of: (v = otherwise) =>
    typeof v === 'number' && v >= 0 && v <= 1 ? v : new Refused(`must be a number from 0 to 1, not ${JSON.stringify(v)}`),
});
const THERMAL_IN = { pressure: 'Pa', temperature: 'K' } as const;
const THERMAL = { cold: 'Pa', thermal: 'Pa', pressure: 'Pa' } as const;
export const thermalMethod: Derivation<ThermalParams, typeof THERMAL_IN, typeof THERMAL, undefined> = {
  method: 'thermal-pressure',
  inputs: THERMAL_IN,
  outputs: THERMAL,
  params: options<ThermalParams>({
    f: share('0: the medium gives way (isobaric), 1: it does not (isochoric)', 1),
    alpha_k: {
      about: 'thermal expansion times bulk modulus of the medium, per kelvin, such as 2.24 MPa/K; otherwise that of KCl (unverified)',
      of: (v) => (v === undefined ? KCL.alphaK : amount(typeof v === 'string' ? v.replace(/\s*\/\s*K\s*$/, '') : v, 'Pa', '2.24 MPa/K')),
    },
    weight: share("how much of the sample's heating the medium takes on average", KCL.weight),
  }),
  start: () => undefined,
  step(_, { pressure, temperature }, { f, alpha_k, weight }) {
    if (pressure.quality === 'bad') return [undefined, nothing(THERMAL, pressure.why)];
    if (temperature.quality === 'bad') return [undefined, nothing(THERMAL, temperature.why)];
    const got = thermalPressure(pressure, temperature, f, { alphaK: alpha_k, weight });
    return [
      undefined,
      {
        cold: given<'Pa'>(got.cold, got.coldSigma, []),
        thermal: given<'Pa'>(got.thermal, got.thermalSigma, []),
        pressure: given<'Pa'>(got.pressure, got.sigma, []),
      },
    ];
  },
};
