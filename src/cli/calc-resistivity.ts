/** `bridgman calc delta | vdp | wiedemann-franz | bloch-grueneisen`: the steps from voltages to a thermal conductivity, one at a time. */
import { delta2, delta3, delta4, fitDelta } from '../derive/delta.ts';
import { carried, type Known } from '../derive/gauge.ts';
import { known } from '../derive/gauge-parameters.ts';
import { halfCycles } from '../derive/half-cycles.ts';
import { blochGrueneisen } from '../derive/metal.ts';
import { lorenzFrom } from '../derive/resistivity-methods.ts';
import { vanDerPauw } from '../derive/van-der-pauw.ts';
import { wiedemannFranz } from '../derive/wiedemann-franz.ts';
import { total } from '../reading.ts';
import { Refused } from '../talk.ts';
import { quantity, show, type Unit } from '../units.ts';
import { EXIT, type Io, type Parsed, Usage } from './command.ts';
import { only } from './fit-read.ts';
import type { Options } from './gauge-options.ts';
import { asLines, type Lines } from './pressure-report.ts';

/** Beside those of planck and the gauges. */
export const CALC_RESISTIVITY_OPTIONS = {
  voltages: 'string',
  current: 'string',
  currents: 'string',
  first: 'string',
  noise: 'string',
  settle: 'string',
  a: 'string',
  b: 'string',
  thickness: 'string',
  resistivity: 'string',
  lorenz: 'string',
  residual: 'string',
  coefficient: 'string',
  debye: 'string',
  n: 'string',
  saturation: 'string',
} as const;

interface Answer {
  readonly json: Readonly<Record<string, unknown>>;
  readonly lines: Lines;
}

const STEPS: Readonly<Record<string, { readonly takes: readonly string[]; readonly of: (options: Options) => Answer }>> = {
  delta: { takes: ['voltages', 'current', 'currents', 'first', 'noise', 'settle'], of: delta },
  vdp: { takes: ['a', 'b', 'thickness'], of: vdp },
  'wiedemann-franz': { takes: ['temperature', 'resistivity', 'lorenz'], of: heat },
  'bloch-grueneisen': { takes: ['temperature', 'residual', 'coefficient', 'debye', 'n', 'saturation'], of: metal },
};
export const CALC_RESISTIVITY: readonly string[] = Object.keys(STEPS);

export const CALC_RESISTIVITY_HELP = `Options of delta (bare numbers are V and A)
  --voltages V,...    readings in their order, the current reversed from one to the next
  --current I         its size, such as "1 mA +- 0.5 uA"; --first - where the first reading is of the negative current
  --currents I,...    in place of both: the current of each reading with its sign
  --noise V           rms of one reading, where it is known; --settle N readings left out after each reversal

Options of vdp
  --a R, --b R        resistances of two neighbouring edges, such as "0.08 Ohm +- 0.1 mOhm"
  --thickness L       gives the resistivity too

Options of wiedemann-franz
  --temperature T     such as "3750 K +- 100 K"; --resistivity R, such as "40.4 uOhm cm +- 8 uOhm cm"
  --lorenz L          sommerfeld (default), zhang2020, or such as "2.44e-8 +- 0.2e-8 W Ohm/K2"

Options of bloch-grueneisen
  --temperature T,... in K; --residual R, --coefficient C (resistivities), --debye T
  --n N               otherwise 5; --saturation R of a parallel resistor
`;

/** Throws Usage for what is wrong with the arguments. */
export function calcResistivity(name: string, parsed: Parsed, io: Io): number {
  const step = STEPS[name];
  if (!step) throw new Error(`no step ${name}`); // the caller has looked
  only(parsed, name, [...step.takes, 'json', 'help']);
  const { json, lines } = step.of(parsed.options);
  io.out(parsed.flags.has('json') ? `${JSON.stringify(json, null, 2)}\n` : asLines(lines));
  return EXIT.ok;
}

/** A quantity above zero with its uncertainty; bare numbers only where the unit is '1' or `bare` says so. */
function taken(options: Options, name: string, unit: Unit, example: string, bare = false): Known {
  const text = options[name];
  if (text === undefined) throw new Usage(`--${name} is missing, such as --${name} "${example}"`);
  const plain = bare ? quantity(text) : undefined;
  const read = plain !== undefined && typeof plain !== 'string' && plain.unit === '1' ? plain : known(text, unit, example);
  if (read instanceof Refused) throw new Usage(`--${name}: ${read.why}`);
  if (!(read.value > 0)) throw new Usage(`--${name}: must be above zero, not "${text}"`);
  return { value: read.value, ...(read.sigma === undefined ? {} : { sigma: { random: 0, shared: { [name]: read.sigma } } }) };
}

/** The value of one whose uncertainty goes nowhere: it is refused, not dropped. */
function exact(options: Options, name: string, unit: Unit, example: string, bare = false): number {
  const { value, sigma } = taken(options, name, unit, example, bare);
  if (sigma !== undefined) throw new Usage(`--${name} takes no uncertainty here: the result has no bar from it`);
  return value;
}

const OVERFLOW = 9.9e36; // 9.9E37 and 9.91E37 in all units that are read

/** Numbers parted by commas, in that unit or bare. */
function list(name: string, text: string, unit: Unit): readonly number[] {
  return text.split(',').map((one, i) => {
    const read = quantity(one.trim());
    if (typeof read === 'string') throw new Usage(`--${name}: number ${i + 1}: ${read}`);
    if (read.sigma !== undefined)
      throw new Usage(`--${name}: number ${i + 1}, "${one.trim()}", has an uncertainty, and none is taken there`);
    if (Math.abs(read.value) >= OVERFLOW)
      throw new Usage(`--${name}: number ${i + 1}, "${one.trim()}", is no reading: instruments say so for an overflow or an open input`);
    if (read.unit !== unit && read.unit !== '1')
      throw new Usage(`--${name}: number ${i + 1}, "${one.trim()}", is in ${read.unit}, not in ${unit}`);
    return read.value;
  });
}

const part = (value: number | undefined, unit: Unit, sigma?: number): object => ({
  value: value === undefined || !Number.isFinite(value) ? null : value,
  sigma: sigma === undefined || !Number.isFinite(sigma) ? null : sigma,
  unit,
});

function delta(options: Options): Answer {
  if (options.voltages === undefined) throw new Usage('--voltages is missing, such as --voltages 1.65e-5,-8.1e-6,1.65e-5,-8.1e-6');
  const volts = list('voltages', options.voltages, 'V');
  if ((options.current === undefined) === (options.currents === undefined)) throw new Usage('give either --current or --currents');
  if (options.first !== undefined && options.currents !== undefined)
    throw new Usage('--first goes with --current: --currents have their signs');
  if (options.first !== undefined && options.first !== '+' && options.first !== '-')
    throw new Usage(`--first is + or -, not "${options.first}"`);
  const current = options.current === undefined ? undefined : taken(options, 'current', 'A', '1 mA +- 0.5 uA', true);
  const size = current?.value ?? 0;
  const sign = options.first === '-' ? -1 : 1;
  const amps =
    options.currents === undefined ? volts.map((_, i) => (i % 2 === 0 ? sign : -sign) * size) : list('currents', options.currents, 'A');
  const settle = Number(options.settle ?? '0');
  if (!Number.isInteger(settle) || settle < 0) throw new Usage(`--settle is a whole number from 0, not "${options.settle}"`);
  const noise = options.noise === undefined ? undefined : exact(options, 'noise', 'V', '5 nV', true);
  const cycles = halfCycles(
    volts,
    amps,
    volts.map((_, i) => i),
    settle,
  );
  if (typeof cycles === 'string') throw new Usage(cycles);
  const mean = cycles.amps.reduce((s, a) => s + Math.abs(a), 0) / cycles.amps.length;
  const fit = fitDelta(cycles.volts, mean, cycles.first, {
    times: cycles.times,
    currents: cycles.amps,
    ...(noise === undefined ? {} : { noise }),
  });
  if (!fit) throw new Usage('a fit needs at least four readings, and a current that is reversed');
  // In all readings alike: no averaging makes it smaller.
  const shared = size > 0 ? (Math.abs(fit.resistance) * total(current?.sigma)) / size : 0;
  const sigma = Math.hypot(fit.sigma, shared);
  const deltas = {
    delta2: delta2(cycles.means, cycles.first),
    delta3: delta3(cycles.means, cycles.first),
    delta4: delta4(cycles.means, cycles.first),
  };
  const averages = Object.entries(deltas).map(
    ([name, series]) => [name, series.reduce((s, v) => s + v, 0) / series.length / mean] as const,
  );
  return {
    json: {
      method: 'delta',
      resistance: part(fit.resistance, 'Ω', sigma),
      ...(shared > 0 ? { terms: { readings: part(fit.sigma, 'Ω'), current: part(shared, 'Ω') } } : {}),
      offset: part(fit.offset, 'V', fit.offsetSigma),
      drift_per_reading: part(fit.drift, 'V', fit.driftSigma),
      noise: part(fit.noise, 'V'),
      readings: cycles.volts.length,
      discarded: cycles.discarded,
      ...Object.fromEntries(Object.entries(deltas).map(([name, series]) => [name, [...series]])),
      ...Object.fromEntries(averages.map(([name, r]) => [`mean_${name}`, part(r, 'Ω')])),
    },
    lines: [
      ['resistance', show(fit.resistance, 'Ω', sigma)],
      ...(shared > 0 ? [['terms', `readings ${show(fit.sigma, 'Ω')}, current ${show(shared, 'Ω')}`] as const] : []),
      ['offset', show(fit.offset, 'V', fit.offsetSigma)],
      ['drift', `${show(fit.drift, 'V', fit.driftSigma)} per reading`],
      ['noise', `${show(fit.noise, 'V')} rms of one reading, ${fit.dof} degrees of freedom`],
      ...averages.map(
        ([name, r]) =>
          [
            name,
            Number.isFinite(r) ? `${show(r, 'Ω')} on average of ${deltas[name as keyof typeof deltas].length}` : 'too few readings',
          ] as const,
      ),
    ],
  };
}

function vdp(options: Options): Answer {
  const [a, b] = [taken(options, 'a', 'Ω', '0.08 Ohm', true), taken(options, 'b', 'Ω', '0.031 Ohm', true)];
  const got = vanDerPauw(a.value, b.value);
  if (!got) throw new Usage('--a and --b must be resistances above zero');
  const sigma = carried([
    [got.slopes[0], a.sigma],
    [got.slopes[1], b.sigma],
  ]);
  const thickness = options.thickness === undefined ? undefined : taken(options, 'thickness', 'm', '5 um +- 0.5 um');
  const rho = thickness && {
    value: got.resistance * thickness.value,
    sigma: total(
      carried([
        [thickness.value, sigma],
        [got.resistance, thickness.sigma],
      ]),
    ),
  };
  return {
    json: {
      method: 'van-der-pauw',
      sheet: part(got.resistance, 'Ω', total(sigma) || undefined),
      factor: part(got.factor, '1'),
      ...(rho ? { resistivity: part(rho.value, 'Ω m', rho.sigma || undefined) } : {}),
    },
    lines: [
      ['sheet', `${show(got.resistance, 'Ω', total(sigma))} per square`],
      ['factor', got.factor.toPrecision(8)],
      ...(rho ? [['resistivity', show(rho.value, 'Ω m', rho.sigma)] as const] : []),
    ],
  };
}

function heat(options: Options): Answer {
  const temperature = taken(options, 'temperature', 'K', '3750 K +- 100 K', true);
  const rho = taken(options, 'resistivity', 'Ω m', '40.4 uOhm cm +- 8 uOhm cm');
  const lorenz = lorenzFrom(options.lorenz);
  if (lorenz instanceof Refused) throw new Usage(`--lorenz: ${lorenz.why}`);
  const k = wiedemannFranz(lorenz, temperature, rho);
  if (!k) throw new Usage('temperature and resistivity must be above zero');
  const causes = Object.entries(k.sigma?.shared ?? {});
  return {
    json: {
      method: 'wiedemann-franz',
      conductivity: part(k.value, 'W/m/K', total(k.sigma) || undefined),
      lorenz: part(lorenz.value, 'W Ω/K²', total(lorenz.sigma) || undefined),
      terms: Object.fromEntries(causes.map(([cause, size]) => [cause, part(Math.abs(size), 'W/m/K')])),
    },
    lines: [
      ['conductivity', show(k.value, 'W/m/K', total(k.sigma))],
      ['Lorenz number', `${lorenz.value.toExponential(6)} W Ω/K²`],
      ...(causes.length > 0
        ? [['terms', causes.map(([cause, size]) => `${cause} ${show(Math.abs(size), 'W/m/K')}`).join(', ')] as const]
        : []),
    ],
  };
}

function metal(options: Options): Answer {
  if (options.temperature === undefined) throw new Usage('--temperature is missing, such as --temperature 300K');
  const temperatures = list('temperature', options.temperature, 'K');
  const residual = options.residual === undefined ? 0 : exact(options, 'residual', 'Ω m', '1 uOhm cm');
  const c = exact(options, 'coefficient', 'Ω m', '30 uOhm cm');
  const theta = exact(options, 'debye', 'K', '420 K', true);
  const n = options.n === undefined ? 5 : exact(options, 'n', '1', '5');
  if (n < 2) throw new Usage(`--n is 2 or more, not ${n}`);
  const saturation = options.saturation === undefined ? undefined : exact(options, 'saturation', 'Ω m', '168 uOhm cm');
  const wrong = temperatures.find((t) => !(t > 0));
  if (wrong !== undefined) throw new Usage(`--temperature: must be above zero kelvin, not ${wrong}`);
  const rows = temperatures.map((t) => {
    const all = { residual, c, theta, n };
    return { t, ideal: blochGrueneisen(all, t), rho: blochGrueneisen(saturation === undefined ? all : { ...all, saturation }, t) };
  });
  return {
    json: { method: 'bloch-grueneisen', results: rows.map(({ t, rho }) => ({ temperature: part(t, 'K'), resistivity: part(rho, 'Ω m') })) },
    lines: rows.map(
      ({ t, ideal, rho }) =>
        [
          show(t, 'K'),
          `${rho.toExponential(9)} Ω m${saturation === undefined ? '' : `, without saturation ${ideal.toExponential(9)} Ω m`}`,
        ] as const,
    ),
  };
}
