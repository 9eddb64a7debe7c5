/** `bridgman calc delta | vdp | wiedemann-franz | bloch-grueneisen`: the steps from voltages to a thermal conductivity, one at a time. */
import { delta2, delta3, delta4, fitDelta } from '../derive/delta.ts';
import { carried, type Known } from '../derive/gauge.ts';
import { known } from '../derive/gauge-parameters.ts';
import { halfCycles } from '../derive/half-cycles.ts';
import { blochGrueneisen } from '../derive/metal.ts';
import { lorenzFrom } from '../derive/resistivity-methods.ts';
import { belowZero, notForward } from '../derive/signs.ts';
import { vanDerPauw } from '../derive/van-der-pauw.ts';
import { LORENZ, lorenzNamed, wiedemannFranz } from '../derive/wiedemann-franz.ts';
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
  --lorenz L          such as "2.44e-8 +- 0.2e-8 W Ohm/K2", or by name; otherwise sommerfeld
${LORENZ.map((l) => `    ${l.name.padEnd(16)}  ${written(l.value, l.sigma)}, ${l.source}`).join('\n')}

Options of bloch-grueneisen
  --temperature T,... in K; --residual R, --coefficient C (resistivities), --debye T
  --n N               otherwise 5; --saturation R of a parallel resistor
`;

/** Throws Usage for what is wrong with the arguments. */
export function calcResistivity(name: string, parsed: Parsed, io: Io): number {
  const step = STEPS[name];
  if (!step) throw new Error(`no step ${name}`); // the caller has looked
  only(parsed, name, [...step.takes, 'json', 'help']);
  const asJson = parsed.flags.has('json');
  try {
    const { json, lines } = step.of(parsed.options);
    io.out(asJson ? `${JSON.stringify(json, null, 2)}\n` : asLines(lines));
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    if (asJson) io.out(`${JSON.stringify({ refused: error.message })}\n`);
    else io.err(`bridgman calc: ${error.message}\n`);
    return EXIT.refused;
  }
}

/** What there is no answer to: understood, and refused. */
class NoAnswer extends Error {}

const OVERFLOW = 9.9e36; // +9.9E37, -9.9E37 and 9.91E37 of SCPI, and what is beyond them
/** Refuses what an instrument says where it has no reading: in any unit, as a value or as its uncertainty, as a number or as a word. */
function readings(name: string, text: string): void {
  const numbers = text.match(/(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/g) ?? [];
  if (numbers.some((n) => Number(n) >= OVERFLOW) || /^\s*[+-]?(?:inf(?:inity)?|nan|ninf|overflow|ovrld|overload)\b/i.test(text))
    throw new NoAnswer(`--${name}: "${text.trim()}" is no reading: overflow: the instrument's word for no reading, such as an open input`);
}

/** A quantity above zero with its uncertainty; bare numbers only where the unit is '1' or `bare` says so. */
function taken(options: Options, name: string, unit: Unit, example: string, bare = false): Known {
  const text = options[name];
  if (text === undefined) throw new Usage(`--${name} is missing, such as --${name} "${example}"`);
  readings(name, text);
  const plain = bare ? quantity(text) : undefined;
  const read = plain !== undefined && typeof plain !== 'string' && plain.unit === '1' ? plain : known(text, unit, example);
  if (read instanceof Refused) throw new Usage(`--${name}: ${read.why}`);
  const sigma = read.sigma === undefined ? {} : { sigma: { random: read.sigma } };
  const swapped = unit === 'Ω' || unit === 'Ω m' ? belowZero({ value: read.value, ...sigma }) : undefined;
  if (swapped !== undefined) throw new NoAnswer(`--${name}: "${text}" is ${swapped}`);
  if (unit === 'A' && read.value < 0)
    throw new NoAnswer(`--${name}: ${notForward(read.value, `"${text}"`)}; --first - says that the first reading is of the negative one`);
  if (!(read.value > 0)) throw new Usage(`--${name}: must be above zero, not "${text}"`);
  return { value: read.value, ...(read.sigma === undefined ? {} : { sigma: { random: 0, shared: { [name]: read.sigma } } }) };
}

/** The value of one whose uncertainty goes nowhere: it is refused, not dropped. */
function exact(options: Options, name: string, unit: Unit, example: string, bare = false): number {
  const { value, sigma } = taken(options, name, unit, example, bare);
  if (sigma !== undefined) throw new Usage(`--${name} takes no uncertainty here: the result has no bar from it`);
  return value;
}

/** Numbers parted by commas, in that unit or bare. */
function list(name: string, text: string, unit: Unit): readonly number[] {
  return text.split(',').map((one, i) => {
    readings(`${name}, number ${i + 1}`, one);
    const read = quantity(one.trim());
    if (typeof read === 'string') throw new Usage(`--${name}: number ${i + 1}: ${read}`);
    if (read.sigma !== undefined)
      throw new Usage(`--${name}: number ${i + 1}, "${one.trim()}", has an uncertainty, and none is taken there`);
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

/** With its bar, where that can be seen: readings without any scatter have one of rounding alone. `scale`: of what it was made. */
function barred(value: number, unit: Unit, sigma: number, scale = Math.abs(value)): string {
  if (sigma >= 1e-9 * scale) return show(value, unit, sigma);
  return `${show(Math.abs(value) < 1e-9 * scale ? 0 : value, unit)}, no scatter`;
}

/** What else a resistance below zero may come from, by what the arguments say of the current. */
function orReversed({ currents, first }: Options): string {
  if (currents !== undefined) return ', or the current is reversed: turn the signs of --currents';
  const other = first === '-' ? 'positive one: leave --first - out' : 'negative one: say --first -';
  return `, or the current is reversed: the first reading is of the ${other}`;
}

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
  readings('settle', options.settle ?? '');
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
  const below = belowZero({ value: fit.resistance, sigma: { random: sigma } });
  if (below !== undefined) throw new NoAnswer(`the resistance is ${barred(fit.resistance, 'Ω', sigma)}, ${below}${orReversed(options)}`);
  const deltas = {
    delta2: delta2(cycles.means, cycles.first),
    delta3: delta3(cycles.means, cycles.first),
    delta4: delta4(cycles.means, cycles.first),
  };
  const largest = Math.max(...cycles.volts.map(Math.abs));
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
      ['resistance', barred(fit.resistance, 'Ω', sigma)],
      ...(shared > 0 ? [['terms', `readings ${show(fit.sigma, 'Ω')}, current ${show(shared, 'Ω')}`] as const] : []),
      ['offset', barred(fit.offset, 'V', fit.offsetSigma, largest)],
      ['drift', `${barred(fit.drift, 'V', fit.driftSigma, largest)} per reading`],
      [
        'noise',
        `${show(fit.noise < 1e-9 * largest ? 0 : fit.noise, 'V')} rms of one reading, ${fit.dof} degree${fit.dof === 1 ? '' : 's'} of freedom`,
      ],
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

/** A Lorenz number with its sigma, both with one exponent. */
function written(value: number, sigma: number): string {
  const exponent = Math.floor(Math.log10(value));
  const bar = sigma > 0 ? ` ± ${(sigma / 10 ** exponent).toFixed(6)}e${exponent}` : '';
  return `${value.toExponential(6)}${bar} W Ω/K²`;
}

function heat(options: Options): Answer {
  const temperature = taken(options, 'temperature', 'K', '3750 K +- 100 K', true);
  const rho = taken(options, 'resistivity', 'Ω m', '40.4 uOhm cm +- 8 uOhm cm');
  readings('lorenz', options.lorenz ?? '');
  const published = options.lorenz === undefined ? LORENZ[0] : lorenzNamed(options.lorenz);
  const lorenz = lorenzFrom(options.lorenz);
  if (lorenz instanceof Refused) throw new Usage(`--lorenz: ${lorenz.why}`);
  const k = wiedemannFranz(lorenz, temperature, rho);
  if (!k) throw new Usage('temperature and resistivity must be above zero');
  const causes = Object.entries(k.sigma?.shared ?? {});
  return {
    json: {
      method: 'wiedemann-franz',
      conductivity: part(k.value, 'W/m/K', total(k.sigma) || undefined),
      lorenz: {
        ...part(lorenz.value, 'W Ω/K²', total(lorenz.sigma) || undefined),
        name: published?.name ?? null,
        reference: published?.source ?? null,
      },
      terms: Object.fromEntries(causes.map(([cause, size]) => [cause, part(Math.abs(size), 'W/m/K')])),
    },
    lines: [
      ['conductivity', show(k.value, 'W/m/K', total(k.sigma))],
      ['Lorenz number', written(lorenz.value, total(lorenz.sigma))],
      ['reference', published ? `${published.name}: ${published.source}` : 'as given'],
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
