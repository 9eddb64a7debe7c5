/**
 * The methods `delta`, `joule-heating`, `van-der-pauw`, `four-terminal` and `wiedemann-franz` of a rig's
 * derivations: from half-cycles to a thermal conductivity.
 */
import { options } from '../instrument.ts';
import { bad, type Measured, type Trace, total } from '../reading.ts';
import { Refused } from '../talk.ts';
import { show } from '../units.ts';
import { delta2, delta3, delta4, fitDelta } from './delta.ts';
import type { Derivation } from './derivation.ts';
import { resistivity } from './four-terminal.ts';
import { carried, type Known } from './gauge.ts';
import { known } from './gauge-parameters.ts';
import { halfCycles } from './half-cycles.ts';
import { jouleHeating, type Swept } from './joule.ts';
import { amountOf, good, type Numeric, nothing, valued } from './method-values.ts';
import { belowZero } from './signs.ts';
import { vanDerPauw } from './van-der-pauw.ts';
import { LORENZ, lorenzNamed, lorenzOf, wiedemannFranz } from './wiedemann-franz.ts';

// --- delta

interface DeltaParams {
  readonly settle: number;
  readonly noise: Known | undefined;
  readonly current: Known | undefined;
}
const DELTA_IN = { readings: 'trace' } as const;
const DELTA = { resistance: 'Ω', offset: 'V', drift: 'V/s', noise: 'V', delta2: 'Ω', delta3: 'Ω', delta4: 'Ω', readings: '1' } as const;

/** Least squares over all readings is the value published; the means of the 2-, 3- and 4-point deltas stand beside it. */
export const deltaMethod: Derivation<DeltaParams, typeof DELTA_IN, typeof DELTA, undefined> = {
  method: 'delta',
  inputs: DELTA_IN,
  outputs: DELTA,
  params: options<DeltaParams>({
    settle: {
      about: 'readings left out after each reversal of the current (otherwise 0)',
      of: (v) =>
        v === undefined
          ? 0
          : Number.isInteger(v) && Number(v) >= 0
            ? Number(v)
            : new Refused(`must be a whole number from 0, not ${JSON.stringify(v)}`),
    },
    noise: amountOf('rms of one reading, such as 5 nV; otherwise the scatter of the readings says', 'V', '5 nV', 'noise'),
    current: amountOf(
      'one sigma of the current source, as current and sigma: 1 mA +- 0.5 uA; its size is that of the readings',
      'A',
      '1 mA +- 0.5 uA',
      'current',
    ),
  }),
  start: () => undefined,
  step(_, { readings }, { settle, noise, current }) {
    if (readings.quality === 'bad') return [undefined, nothing(DELTA, readings.why)];
    const columns = columnsOf(readings.value);
    if (typeof columns === 'string') return [undefined, nothing(DELTA, columns)];
    const cycles = halfCycles(columns.volts, columns.amps, columns.times, settle);
    if (typeof cycles === 'string') return [undefined, nothing(DELTA, cycles)];
    const size = cycles.amps.reduce((s, a) => s + Math.abs(a), 0) / cycles.amps.length;
    const { volts, amps, times, means, first } = cycles;
    const fit = fitDelta(volts, size, first, { times, currents: amps, ...(noise === undefined ? {} : { noise: noise.value }) });
    if (!fit)
      return [
        undefined,
        nothing(DELTA, `${volts.length} readings of ${means.length} half-cycles are too few, or the current was never reversed`),
      ];
    const relative = current?.sigma ? total(current.sigma) / current.value : 0;
    const shared = relative > 0 ? { shared: { current: -fit.resistance * relative } } : {};
    const sigma = { random: fit.sigma, ...shared };
    const swapped = belowZero({ value: fit.resistance, sigma });
    const mean = (series: Float64Array): Measured<never> => {
      if (swapped !== undefined) return bad(swapped) as Measured<never>;
      if (series.length === 0) return bad('too few half-cycles') as Measured<never>;
      return good(series.reduce((s, v) => s + v, 0) / series.length / size);
    };
    return [
      undefined,
      {
        resistance: swapped === undefined ? good(fit.resistance, sigma) : bad(swapped),
        offset: good(fit.offset, { random: fit.offsetSigma }),
        drift: columns.timed ? good(fit.drift, { random: fit.driftSigma }) : bad('the times of the readings are not known'),
        noise: good(fit.noise),
        delta2: mean(delta2(means, first)),
        delta3: mean(delta3(means, first)),
        delta4: mean(delta4(means, first)),
        readings: good(volts.length),
      },
    ];
  },
};

interface Columns {
  readonly volts: ArrayLike<number>;
  readonly amps: ArrayLike<number>;
  readonly times: ArrayLike<number>;
  readonly timed: boolean;
}

function columnsOf({ columns }: Trace): Columns | string {
  const { voltage, current, time } = columns;
  if (voltage?.unit !== 'V' || current?.unit !== 'A')
    return 'half-cycles have the columns "voltage" (V) and "current" (A), and "time" (s) where it is known';
  const timed = time?.unit === 's';
  return { volts: voltage.data, amps: current.data, times: timed ? time.data : Float64Array.from(voltage.data, (_, i) => i), timed };
}

// --- a sweep of the current

const JOULE_IN = { resistance: 'Ω', current: 'A' } as const;
const JOULE = { resistance: 'Ω', slope: '1', significance: '1', heating: 'state' } as const;
interface JouleParams {
  readonly points: number;
}

/** The last readings of different currents as one sweep: resistance at no current, and whether it rises with the square of the current. */
export const jouleMethod: Derivation<JouleParams, typeof JOULE_IN, typeof JOULE, readonly Swept[]> = {
  method: 'joule-heating',
  inputs: JOULE_IN,
  outputs: JOULE,
  params: options<JouleParams>({
    points: {
      about: 'readings that make one sweep (otherwise 12)',
      of: (v) => (v === undefined ? 12 : Number.isInteger(v) && Number(v) >= 3 ? Number(v) : new Refused('must be a whole number from 3')),
    },
  }),
  start: () => [],
  step(before, given, { points }) {
    const inputs = given as { readonly resistance: Numeric; readonly current: Numeric }; // the inputs named above
    const [resistance, current] = [valued(inputs.resistance), valued(inputs.current)];
    if (!resistance || !current) return [before, nothing(JOULE, 'no resistance')];
    const sigma = resistance.sigma?.random ?? 0;
    if (!(sigma > 0)) return [before, nothing(JOULE, `${resistance.from} has no random error`)];
    const sweep = [...before, { current: current.value, resistance: resistance.value, sigma }].slice(-points);
    const fit = jouleHeating(sweep);
    if (!fit) return [sweep, nothing(JOULE, 'three different currents are needed')];
    const most = Math.max(...sweep.map((p) => Math.abs(p.current)));
    const share = (fit.slope * most ** 2) / fit.resistance;
    return [
      sweep,
      {
        resistance: good(fit.resistance, { random: fit.sigma }),
        slope: good(share, { random: Math.abs((fit.slopeSigma * most ** 2) / fit.resistance) }),
        significance: good(fit.significance),
        heating: fit.significance > 3 ? 'heated by its current' : 'not seen',
      },
    ];
  },
};

// --- shape

const SHEET_IN = { a: 'Ω', b: 'Ω', thickness: 'm' } as const;
const SHEET = { sheet: 'Ω', resistivity: 'Ω m', factor: '1' } as const;

/** Four contacts on the rim of a flat sample; two resistances of neighbouring edges. */
export const vanDerPauwMethod: Derivation<{ readonly depth: Known | undefined }, typeof SHEET_IN, typeof SHEET, undefined> = {
  method: 'van-der-pauw',
  inputs: SHEET_IN,
  optional: ['thickness'],
  outputs: SHEET,
  params: options({
    depth: amountOf('thickness of the sample where none is read, such as 5 um +- 0.5 um', 'm', '5 um +- 0.5 um', 'thickness'),
  }),
  start: () => undefined,
  step(_, given, { depth }) {
    const inputs = given as { readonly a: Numeric; readonly b: Numeric; readonly thickness?: Numeric }; // the inputs named above
    const [a, b, thickness] = [valued(inputs.a), valued(inputs.b), valued(inputs.thickness) ?? depth];
    if (!a || !b) return [undefined, nothing(SHEET, 'no resistance')];
    const swapped = [a, b].flatMap((one) => belowZero(one)?.replace(/^/, `${one.from}: `) ?? []);
    if (swapped.length > 0) return [undefined, nothing(SHEET, swapped.join('; '))];
    const got = vanDerPauw(a.value, b.value);
    if (!got) return [undefined, nothing(SHEET, `van der Pauw needs two resistances above zero, not ${a.value} and ${b.value} Ohm`)];
    const sheet: Known = {
      value: got.resistance,
      sigma: carried([
        [got.slopes[0], a.sigma],
        [got.slopes[1], b.sigma],
      ]),
    };
    const rho = thickness
      ? good(
          sheet.value * thickness.value,
          carried([
            [thickness.value, sheet.sigma],
            [sheet.value, thickness.sigma],
          ]),
        )
      : (bad('the thickness is neither read nor given as "depth"') as Measured<never>);
    return [undefined, { sheet: good(sheet.value, sheet.sigma), resistivity: rho, factor: good(got.factor) }];
  },
};

const FOUR_IN = { resistance: 'Ω', length: 'm', width: 'm', thickness: 'm', compression: '1' } as const;
const FOUR = { resistivity: 'Ω m' } as const;
interface FourParams {
  readonly between: Known | undefined;
  readonly across: Known | undefined;
  readonly depth: Known | undefined;
  readonly volume: Known | undefined;
}

/** rho = R W t / L, with lengths from channels (values entered by hand, or measured) or from the rig. */
export const fourTerminal: Derivation<FourParams, typeof FOUR_IN, typeof FOUR, undefined> = {
  method: 'four-terminal',
  inputs: FOUR_IN,
  optional: ['length', 'width', 'thickness', 'compression'],
  outputs: FOUR,
  params: options<FourParams>({
    between: amountOf('length between the inner contacts where none is read, such as 20 um +- 1 um', 'm', '20 um +- 1 um', 'length'),
    across: amountOf('width where none is read, such as 10 um +- 0.5 um', 'm', '10 um +- 0.5 um', 'width'),
    depth: amountOf('thickness where none is read, such as 5 um +- 0.5 um', 'm', '5 um +- 0.5 um', 'thickness'),
    volume: amountOf('V/V0 under pressure where none is read, such as 0.72 +- 0.01; otherwise 1', '1', '0.72 +- 0.01', 'compression'),
  }),
  start: () => undefined,
  step(_, given, p) {
    const inputs = given as { readonly [N in keyof typeof FOUR_IN]?: Numeric }; // the inputs named above
    const resistance = valued(inputs.resistance);
    if (!resistance) return [undefined, nothing(FOUR, 'no resistance')];
    const swapped = belowZero(resistance);
    if (swapped !== undefined) return [undefined, nothing(FOUR, `${resistance.from}: ${swapped}`)];
    const shape = {
      length: named(inputs.length, 'length') ?? p.between,
      width: named(inputs.width, 'width') ?? p.across,
      thickness: named(inputs.thickness, 'thickness') ?? p.depth,
    };
    const { length, width, thickness } = shape;
    if (!length || !width || !thickness) {
      const missing = Object.entries(shape).flatMap(([name, value]) => (value ? [] : [name]));
      return [undefined, nothing(FOUR, `${missing.join(', ')} of the sample: neither read nor given`)];
    }
    const compression = named(inputs.compression, 'compression') ?? p.volume;
    const rho = resistivity(resistance, { length, width, thickness, ...(compression ? { compression } : {}) });
    return [undefined, { resistivity: rho ? good(rho.value, rho.sigma) : bad('a length of the sample is not above zero') }];
  },
};

/** A length is the same for every resistance that is measured with it: what is uncertain in it is shared, a common cause under its own name. */
function named(reading: Numeric | undefined, cause: string): Known | undefined {
  const read = valued(reading);
  if (!read) return undefined;
  const { random = 0, shared = {} } = read.sigma ?? {};
  const own = Math.hypot(random, shared[cause] ?? 0);
  const all = { ...shared, ...(own > 0 ? { [cause]: own } : {}) };
  return { value: read.value, ...(Object.keys(all).length > 0 ? { sigma: { random: 0, shared: all } } : {}) };
}

// --- heat

const HEAT_IN = { resistivity: 'Ω m', temperature: 'K' } as const;
const HEAT = { conductivity: 'W/m/K' } as const;

/** k = L T / rho. */
export const wiedemannFranzMethod: Derivation<{ readonly lorenz: Known }, typeof HEAT_IN, typeof HEAT, undefined> = {
  method: 'wiedemann-franz',
  inputs: HEAT_IN,
  outputs: HEAT,
  params: options({
    lorenz: {
      about: `Lorenz number: ${LORENZ.map((l) => l.name).join(' | ')}, or such as 2.44e-8 +- 0.2e-8 W Ohm/K2; otherwise sommerfeld`,
      of: lorenzFrom,
    },
  }),
  start: () => undefined,
  step(_, given, { lorenz }) {
    const inputs = given as { readonly resistivity: Numeric; readonly temperature: Numeric }; // the inputs named above
    const [rho, temperature] = [valued(inputs.resistivity), valued(inputs.temperature)];
    if (!rho || !temperature) return [undefined, nothing(HEAT, 'no resistivity or no temperature')];
    const swapped = belowZero(rho);
    if (swapped !== undefined) return [undefined, nothing(HEAT, `${rho.from}: ${swapped}`)];
    const k = wiedemannFranz(lorenz, temperature, rho);
    if (k) return [undefined, { conductivity: good(k.value, k.sigma) }];
    const small = `a resistivity of ${show(rho.value, 'Ω m', total(rho.sigma))} cannot be told from zero: it has no conductivity`;
    return [undefined, nothing(HEAT, temperature.value > 0 ? small : `the temperature must be above zero, not ${temperature.value} K`)];
  },
};

/** By name, or as a quantity. */
export function lorenzFrom(v: unknown): Known | Refused {
  const published = v === undefined ? LORENZ[0] : typeof v === 'string' ? lorenzNamed(v) : undefined;
  if (published) return lorenzOf(published);
  const example = `2.44e-8 +- 0.2e-8 W Ohm/K2, or one of ${LORENZ.map((l) => l.name).join(', ')}`;
  const read = known(v, 'W Ω/K²', example);
  if (read instanceof Refused) return read;
  return read.value > 0 ? lorenzOf({ value: read.value, sigma: read.sigma ?? 0 }) : new Refused(`must be above zero, not ${String(v)}`);
}
