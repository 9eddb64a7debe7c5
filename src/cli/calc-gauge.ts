/** `bridgman calc ruby | samarium | diamond-edge | thermal-pressure | thermocouple`: one gauge, both ways, with every term of its error bar. */
import { diamondEdgeAt, diamondGauge, ramanLine, ramanShift } from '../derive/diamond-scales.ts';
import type { GaugePressure, Known } from '../derive/gauge.ts';
import { rubyGauge, rubyLineAt } from '../derive/ruby.ts';
import { samariumGauge, samariumLineAt } from '../derive/samarium.ts';
import { KCL, thermalPressure } from '../derive/thermal-pressure.ts';
import {
  seebeck,
  THERMOCOUPLES,
  thermocouple,
  thermocoupleRange,
  thermocoupleSource,
  thermocoupleVoltage,
} from '../derive/thermocouple.ts';
import { total } from '../reading.ts';
import { celsius, quantity, show } from '../units.ts';
import { EXIT, type Io, type Parsed, Usage } from './command.ts';
import { only } from './fit-read.ts';
import {
  amountOf,
  diamondOptions,
  number,
  type Options,
  rubyOptions,
  samariumOptions,
  shiftOf,
  temperatureOption,
} from './gauge-options.ts';
import { asLines, type Described, json, jsonKnown, type Lines, place, pressureJson, pressureLines } from './pressure-report.ts';

/** Beside those of planck. */
export const CALC_GAUGE_OPTIONS = {
  pressure: 'string',
  scale: 'string',
  reference: 'string',
  'reference-temperature': 'string',
  correction: 'string',
  shift: 'string',
  laser: 'string',
  factor: 'string',
  'alpha-k': 'string',
  weight: 'string',
  type: 'string',
  voltage: 'string',
  junction: 'string',
  tolerance: 'string',
} as const;

interface Answer {
  readonly json: Readonly<Record<string, unknown>>;
  readonly lines: Lines;
}
type Calculate = (options: Options) => readonly Answer[];

const GAUGES: Readonly<Record<string, { readonly takes: readonly string[]; readonly of: Calculate }>> = {
  ruby: { takes: ['wavelength', 'pressure', 'scale', 'reference', 'reference-temperature', 'temperature', 'correction'], of: ruby },
  samarium: { takes: ['wavelength', 'pressure', 'scale', 'reference', 'temperature'], of: samarium },
  'diamond-edge': { takes: ['shift', 'wavelength', 'laser', 'pressure', 'scale', 'reference'], of: diamond },
  'thermal-pressure': { takes: ['pressure', 'temperature', 'factor', 'alpha-k', 'weight'], of: thermal },
  thermocouple: { takes: ['type', 'voltage', 'temperature', 'junction', 'tolerance'], of: thermo },
};
export const CALC_GAUGES: readonly string[] = Object.keys(GAUGES);

/** What there is no answer to: understood, and refused. */
class NoAnswer extends Error {}

/** Throws Usage for what is wrong with the arguments. */
export function calcGauge(name: string, parsed: Parsed, io: Io): number {
  const gauge = GAUGES[name];
  if (!gauge) throw new Error(`no gauge ${name}`); // the caller has looked
  only(parsed, name, [...gauge.takes, 'json', 'help']);
  const asJson = parsed.flags.has('json');
  try {
    const answers = gauge.of(parsed.options);
    const results = answers.map((a) => a.json);
    const [one] = results;
    if (asJson) io.out(`${JSON.stringify({ ...(results.length === 1 ? one : {}), results }, null, 2)}\n`);
    else io.out(answers.map((a) => asLines(a.lines)).join('\n'));
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    if (asJson) io.out(`${JSON.stringify({ refused: error.message })}\n`);
    else io.err(`bridgman calc: ${error.message}\n`);
    return EXIT.refused;
  }
}

/** Each of a list parted by commas, through the way that was given. */
function each(options: Options, ways: Readonly<Record<string, (text: string) => Known>>): readonly Known[] {
  const names = Object.keys(ways);
  const given = names.filter((name) => options[name] !== undefined);
  if (given.length !== 1) throw new Usage(`give ${given.length === 0 ? 'one' : 'only one'} of ${names.map((n) => `--${n}`).join(', ')}`);
  const [name = ''] = given;
  const way = ways[name];
  return (options[name] ?? '').split(',').flatMap((text) => (way ? [way(text)] : []));
}

const line =
  (name: string) =>
  (text: string): Known => {
    const { value, sigma } = number(name, text, 'm');
    return { value, ...(sigma === undefined ? {} : { sigma: { random: sigma } }) };
  };

/** The way back: from a pressure to where the line is. */
const backward =
  (to: (pressure: number) => number, scale: string) =>
  (text: string): Known => {
    const read = quantity(text);
    const bare = typeof read !== 'string' && read.unit === '1';
    const value = bare ? read.value * 1e9 : typeof read !== 'string' && read.value === 0 ? 0 : number('pressure', text, 'Pa').value;
    if (typeof read !== 'string' && read.sigma !== undefined)
      throw new Usage('--pressure: takes no uncertainty here; give that of the wavelength');
    const found = to(value);
    if (!Number.isFinite(found)) throw new NoAnswer(`the scale ${scale} gives no ${(value / 1e9).toPrecision(4)} GPa`);
    return { value: found };
  };

const answer = (p: GaugePressure, described: Described, more: Readonly<Record<string, unknown>> = {}, lines: Lines = []): Answer => {
  if (!Number.isFinite(p.pressure))
    throw new NoAnswer(`the scale ${p.scale} gives no pressure for ${place(described.line, described.lineName)}`);
  return { json: { ...pressureJson(p, described), ...more }, lines: [...pressureLines(p, described), ...lines] };
};

function ruby(options: Options): readonly Answer[] {
  const gauge = rubyOptions(options);
  const temperature = temperatureOption(options);
  const { scale, reference, correction } = gauge;
  const back = backward((p) => rubyLineAt(p, gauge, temperature?.value), scale.name);
  return each(options, { wavelength: line('wavelength'), pressure: back }).map((at) =>
    answer(rubyGauge(at, gauge, temperature), {
      gauge: 'ruby',
      source: scale.source,
      range: scale.range,
      proven: scale.proven,
      line: at,
      lineName: 'wavelength',
      reference,
      correction,
      ...(temperature ? { temperature } : {}),
    }),
  );
}

function samarium(options: Options): readonly Answer[] {
  const { scale, reference } = samariumOptions(options);
  const temperature = temperatureOption(options);
  const back = backward((p) => samariumLineAt(p, scale, reference.value, temperature?.value), scale.name);
  return each(options, { wavelength: line('wavelength'), pressure: back }).map((at) =>
    answer(samariumGauge(at, scale, reference, temperature), {
      gauge: 'samarium',
      source: scale.source,
      range: scale.range,
      proven: scale.proven,
      line: at,
      lineName: 'wavelength',
      reference,
      ...(temperature ? { temperature } : {}),
    }),
  );
}

function diamond(options: Options): readonly Answer[] {
  const { scale, reference } = diamondOptions(options);
  const laser = options.laser === undefined ? undefined : number('laser', options.laser, 'm').value;
  const ofLine = (text: string): Known => {
    if (laser === undefined) throw new Usage('--laser is missing, such as --laser 532nm: the edge is a shift from it');
    const { value, sigma } = number('wavelength', text, 'm');
    return { value: ramanShift(laser, value), ...(sigma === undefined ? {} : { sigma: { random: sigma / value ** 2 } }) };
  };
  const ofShift = (text: string): Known => {
    const { value, sigma } = shiftOf('shift', text);
    return { value, ...(sigma === undefined ? {} : { sigma: { random: sigma } }) };
  };
  const back = backward((p) => diamondEdgeAt(p, scale, reference.value), scale.name);
  return each(options, { shift: ofShift, wavelength: ofLine, pressure: back }).map((at) => {
    const described: Described = { gauge: 'diamond-edge', ...scaleWords(scale), line: at, lineName: 'shift', reference };
    const p = diamondGauge(at, scale, reference);
    if (laser === undefined) return answer(p, described);
    const wavelength = { value: ramanLine(laser, at.value) };
    const text = `${place(wavelength, 'wavelength')}, laser ${(laser * 1e9).toFixed(2)} nm`;
    return answer(p, described, { wavelength: jsonKnown(wavelength, 'm'), laser: json(laser, 'm') }, [['wavelength', text]]);
  });
}

const scaleWords = ({
  source,
  range,
  proven,
}: Pick<Described, 'source' | 'range' | 'proven'>): Pick<Described, 'source' | 'range' | 'proven'> => ({
  source,
  range,
  proven,
});

function share(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const read = quantity(text);
  if (typeof read !== 'string' && read.unit === '1' && read.value >= 0 && read.value <= 1) return read.value;
  throw new Usage(`--${name}: must be a number from 0 to 1, not "${text}"`);
}

function thermal(options: Options): readonly Answer[] {
  if (options.pressure === undefined) throw new Usage('--pressure is missing, such as --pressure 30GPa');
  if (options.temperature === undefined) throw new Usage('--temperature is missing, such as --temperature 2000K');
  const given = number('pressure', options.pressure, 'Pa');
  const cold: Known = { value: given.value, ...(given.sigma === undefined ? {} : { sigma: { random: given.sigma } }) };
  const hot = amountOf('temperature', options.temperature, 'K', 'temperature');
  const factor = share('factor', options.factor, 1);
  const weight = share('weight', options.weight, KCL.weight);
  const alphaK = options['alpha-k'] === undefined ? KCL.alphaK : perKelvin(options['alpha-k']);
  const got = thermalPressure(cold, hot, factor, { alphaK, weight });
  const unverified =
    options['alpha-k'] === undefined ? ['the constants are those of KCl, unverified: give --alpha-k and --weight of the medium'] : [];
  const notes = [...unverified, 'half of the correction is taken as its uncertainty: only X-ray diffraction tells more'];
  const sizes = Object.entries(got.sigma.shared ?? {}).map(([cause, size]) => [cause, Math.abs(size)] as const);
  return [
    {
      json: {
        cold: jsonKnown(cold, 'Pa'),
        thermal: json(got.thermal, 'Pa', total(got.thermalSigma)),
        pressure: json(got.pressure, 'Pa', total(got.sigma)),
        terms: Object.fromEntries([['cold', got.sigma.random] as const, ...sizes].map(([name, size]) => [name, json(size, 'Pa')])),
        temperature: jsonKnown(hot, 'K'),
        medium_temperature: json(got.medium, 'K'),
        factor,
        alpha_k: json(alphaK, 'Pa'),
        weight,
        flags: notes,
      },
      lines: [
        ['pressure', show(got.pressure, 'Pa', total(got.sigma))],
        ['cold', show(cold.value, 'Pa', cold.sigma?.random)],
        ['thermal', show(got.thermal, 'Pa', total(got.thermalSigma))],
        ['medium', `${got.medium.toFixed(0)} K on average, ${(alphaK / 1e6).toPrecision(3)} MPa/K, factor ${factor}`],
        ...notes.map((note) => ['note', note] as const),
      ],
    },
  ];
}

function perKelvin(text: string): number {
  const read = quantity(text.replace(/\s*\/\s*K\s*$/, ''));
  if (typeof read !== 'string' && read.unit === 'Pa' && read.value > 0) return read.value;
  throw new Usage(`--alpha-k: "${text}" is not a pressure per kelvin, such as "2.24 MPa/K"`);
}

function thermo(options: Options): readonly Answer[] {
  const type = THERMOCOUPLES.find((t) => t === options.type?.toUpperCase());
  if (!type)
    throw new Usage(`--type: must be one of ${THERMOCOUPLES.join(', ')}${options.type === undefined ? '' : `, not "${options.type}"`}`);
  if ((options.voltage === undefined) === (options.temperature === undefined)) throw new Usage('give either --voltage or --temperature');
  const junction: Known =
    options.junction === undefined ? { value: celsius(0) } : amountOf('junction', options.junction, 'K', 'cold_junction');
  const tolerance = options.tolerance === undefined ? undefined : number('tolerance', options.tolerance, 'K').value;
  const flags = options.junction === undefined ? ['the cold junction is not given: taken as 0 degC'] : [];
  const [low, high] = thermocoupleRange(type);
  const source = thermocoupleSource(type);
  const cold = thermocoupleVoltage(type, junction.value);
  if (Number.isNaN(cold))
    throw new NoAnswer(
      `the cold junction at ${junction.value} K is outside of the table of type ${type}, ${low.toFixed(2)} to ${high.toFixed(2)} K`,
    );
  const report = (volts: Known, hot: Known, suspect?: string): Answer => ({
    json: {
      type,
      source,
      range: { from: json(low, 'K'), to: json(high, 'K') },
      temperature: jsonKnown(hot, 'K'),
      voltage: jsonKnown(volts, 'V'),
      junction: jsonKnown(junction, 'K'),
      seebeck: { value: seebeck(type, hot.value), sigma: null, unit: 'V/K' },
      quality: suspect === undefined ? 'good' : 'suspect',
      flags: [...(suspect === undefined ? [] : [suspect]), ...flags],
    },
    lines: [
      [
        'temperature',
        `${hot.sigma ? show(hot.value, 'K', total(hot.sigma)) : `${hot.value.toFixed(4)} K`}  (${(hot.value - celsius(0)).toFixed(4)} degC)`,
      ],
      ['voltage', `${(volts.value * 1e3).toFixed(7)} mV, cold junction at ${junction.value.toFixed(2)} K`],
      ['type', `${type}: ${source}`],
      ...[...(suspect === undefined ? [] : [suspect]), ...flags].map((note) => ['note', note] as const),
    ],
  });
  if (options.temperature !== undefined) {
    const hot = number('temperature', options.temperature, 'K');
    const volts = thermocoupleVoltage(type, hot.value) - cold;
    if (Number.isNaN(volts))
      throw new NoAnswer(`${hot.value} K is outside of the table of type ${type}, ${low.toFixed(2)} to ${high.toFixed(2)} K`);
    return [report({ value: volts }, { value: hot.value })];
  }
  const given = number('voltage', options.voltage ?? '', 'V');
  const volts: Known = { value: given.value, ...(given.sigma === undefined ? {} : { sigma: { random: given.sigma } }) };
  const got = thermocouple(type, volts, junction, tolerance);
  if (typeof got === 'string') throw new NoAnswer(got);
  return [report(volts, { value: got.temperature, ...(got.sigma ? { sigma: got.sigma } : {}) }, got.suspect)];
}
