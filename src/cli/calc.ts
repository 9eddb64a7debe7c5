/** `bridgman calc`: Planck's law, pressure gauges and thermocouples, both ways; resistivity and thermal conductivity; detector physics. */
import { EXACT, radianceTemperature, spectralRadiance } from '../derive/radiance.ts';
import { quantity, type Unit } from '../units.ts';
import { CALC_DETECTOR, CALC_DETECTOR_EXAMPLES, CALC_DETECTOR_HELP, CALC_DETECTOR_OPTIONS, calcDetector } from './calc-detector.ts';
import { CALC_GAUGE_OPTIONS, CALC_GAUGES, calcGauge } from './calc-gauge.ts';
import { CALC_RESISTIVITY, CALC_RESISTIVITY_HELP, CALC_RESISTIVITY_OPTIONS, calcResistivity } from './calc-resistivity.ts';
import { type Command, EXIT, guarded, type Io, parse, suggestion, Usage } from './command.ts';
import { only } from './fit-read.ts';

const OPTIONS = {
  temperature: 'string',
  radiance: 'string',
  wavelength: 'string',
  emissivity: 'string',
  json: 'boolean',
  help: 'boolean',
} as const;

const HELP = `Examples
  bridgman calc planck --temperature 2000K --wavelength 650nm
  bridgman calc planck --temperature 2000K --wavelength 600nm,650nm,700nm --emissivity 0.35
  bridgman calc planck --radiance 1.6e10 --wavelength 650nm --json
  bridgman calc ruby --wavelength 700
  bridgman calc ruby --wavelength "700 nm +- 0.005 nm" --reference "694.25 nm +- 0.01 nm" --scale ruby2020 --temperature "400 K +- 5 K" --json
  bridgman calc ruby --pressure 50,100,150
  bridgman calc samarium --wavelength 690.5 --temperature 600
  bridgman calc diamond-edge --shift 1550 --reference "1334 +- 0.5 1/cm"
  bridgman calc thermal-pressure --pressure 30 --temperature 2000 --factor 0.5
  bridgman calc thermocouple --type K --voltage 34.3776mV --junction 23.4degC
  bridgman calc delta --voltages 1.65e-5,-8.097e-6,1.6506e-5,-8.091e-6,1.6512e-5 --current 1mA
  bridgman calc vdp --a 0.08Ohm --b 0.031Ohm --thickness "5 um +- 0.5 um"
  bridgman calc wiedemann-franz --temperature 3750K --resistivity "40.4 uOhm cm +- 8 uOhm cm" --lorenz zhang2020
  bridgman calc bloch-grueneisen --temperature 77,300,1000 --residual "1 uOhm cm" --coefficient "30 uOhm cm" --debye 420K
${CALC_DETECTOR_EXAMPLES}
planck: Planck's law with the exact constants of the SI (2019). Radiance is per metre of wavelength (W m^-3 sr^-1);
"1.6e1 W/m2/sr/nm" is read too. With --emissivity the radiance is that of a grey body.

The gauges give a pressure with every term of its bar, and say where a scale ends. An uncertainty is written with "+-".

Options of planck
  --temperature T     such as 2000K or 1726.85degC: gives the radiance at each wavelength
  --radiance L        gives the temperature; one value, or one per wavelength, parted by commas
  --wavelength L,...  such as 650nm or 600nm,700nm
  --emissivity E      above 0, up to 1; otherwise 1
  --json              quantities as {"value", "sigma", "unit"} in SI

Options of ruby, samarium and diamond-edge (bare numbers are nm, K, GPa and 1/cm)
  --wavelength L,...  of the line (ruby: R1); for diamond-edge together with --laser L
  --shift V,...       of diamond-edge: Raman shift of the edge
  --pressure P,...    the way back: where the line is at this pressure
  --scale NAME        otherwise ruby2020, rashchenko2015, akahama2006; a wrong name lists them all
  --reference X       the line (or edge) at no pressure; otherwise 694.25 nm, that of the scale, 1334 1/cm
  --temperature T     of the gauge; otherwise that of the reference
  --reference-temperature T, --correction NAME   of ruby: datchi2007 (default), ragan1992, vos1991, trax

Options of thermal-pressure
  --pressure P        measured cold; --temperature T of the sample
  --factor F          from 0 (isobaric) to 1 (isochoric, default)
  --alpha-k X         of the medium, such as "2.24 MPa/K"; --weight W of the sample's heating in the medium's: otherwise KCl

Options of thermocouple (bare numbers are mV and K)
  --type X            K, S, R, B or C
  --voltage V         gives the temperature; --temperature T gives the voltage
  --junction T        the cold one, such as "23 degC +- 1 degC"; otherwise 0 degC
  --tolerance K       one sigma of the class of the wire

${CALC_RESISTIVITY_HELP}
${CALC_DETECTOR_HELP}`;
const KINDS = ['planck', ...CALC_GAUGES, ...CALC_RESISTIVITY, ...CALC_DETECTOR];

const RADIANCE_UNIT = 'W/m^3/sr';
/** Written unit -> factor to W m^-3 sr^-1, blanks and signs of powers left out. */
const RADIANCE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  'W/m3/sr': 1,
  'W/m2/sr/m': 1,
  'W/m2/sr/nm': 1e9,
  'W/m2/sr/um': 1e6,
  'W/m2/sr/µm': 1e6,
};

export const calc: Command = {
  name: 'calc',
  summary: "Planck's law, pressure gauges and thermocouples, both ways; resistivity; detector physics",
  help: HELP,
  run: (args, io) => guarded('calc', io, async () => run(args, io)),
};

interface Row {
  readonly wavelength: number;
  readonly radiance: number;
  readonly temperature: number;
}

function run(args: readonly string[], io: Io): number {
  const parsed = parse(args, { ...OPTIONS, ...CALC_GAUGE_OPTIONS, ...CALC_RESISTIVITY_OPTIONS, ...CALC_DETECTOR_OPTIONS });
  const { options, flags, rest } = parsed;
  if (flags.has('help') || args.length === 0) {
    io.out(HELP);
    return args.length === 0 ? EXIT.usage : EXIT.ok;
  }
  const [what, ...more] = rest;
  if (what === undefined || !KINDS.includes(what))
    throw new Usage(
      what === undefined
        ? `say what to calculate: ${KINDS.join(', ')}`
        : `there is no "${what}"${suggestion(what, KINDS, '')}; there are: ${KINDS.join(', ')}`,
    );
  if (more.length > 0) throw new Usage(`"${more[0]}" is one word too many`);
  if (CALC_RESISTIVITY.includes(what)) return calcResistivity(what, parsed, io);
  if (CALC_DETECTOR.includes(what)) return calcDetector(what, parsed, io);
  if (what !== 'planck') return calcGauge(what, parsed, io);
  only(parsed, what, Object.keys(OPTIONS));
  if (options.wavelength === undefined) throw new Usage('--wavelength is missing, such as --wavelength 650nm');
  if ((options.temperature === undefined) === (options.radiance === undefined)) throw new Usage('give either --temperature or --radiance');
  const emissivity = options.emissivity === undefined ? 1 : amount('emissivity', options.emissivity, '1');
  if (emissivity > 1) throw new Usage(`--emissivity: must be above 0 and up to 1, not ${emissivity}`);
  const wavelengths = options.wavelength.split(',').map((text) => amount('wavelength', text, 'm'));
  const rows =
    options.temperature !== undefined
      ? forward(wavelengths, options.temperature, emissivity)
      : backward(wavelengths, options.radiance ?? '', emissivity);
  io.out(flags.has('json') ? `${JSON.stringify(asJson(rows, emissivity), null, 2)}\n` : asText(rows, emissivity));
  return EXIT.ok;
}

function forward(wavelengths: readonly number[], text: string, emissivity: number): readonly Row[] {
  const temperature = amount('temperature', text, 'K');
  return wavelengths.map((wavelength) =>
    checked({ wavelength, temperature, radiance: spectralRadiance(wavelength, temperature, emissivity) }),
  );
}

function backward(wavelengths: readonly number[], text: string, emissivity: number): readonly Row[] {
  const radiances = text.split(',').map(radianceOf);
  if (radiances.length !== 1 && radiances.length !== wavelengths.length) {
    throw new Usage(`${radiances.length} radiances for ${wavelengths.length} wavelengths: give one, or one for each`);
  }
  return wavelengths.map((wavelength, i) => {
    const radiance = radiances[i] ?? radiances[0] ?? Number.NaN;
    return checked({ wavelength, radiance, temperature: radianceTemperature(wavelength, radiance, emissivity) });
  });
}

/** Numbers so small or large that a double cannot hold the answer. */
function checked(row: Row): Row {
  if (row.radiance > 0 && Number.isFinite(row.radiance) && row.temperature > 0 && Number.isFinite(row.temperature)) return row;
  throw new Usage(`at ${row.wavelength * 1e9} nm the answer is too small or too large to be written as a number`);
}

function amount(name: string, text: string, unit: Unit): number {
  const read = quantity(text);
  if (typeof read === 'string') throw new Usage(`--${name}: ${read}`);
  const example = { m: '650nm', K: '2000K' }[unit as string] ?? '0.35';
  if (read.unit !== unit)
    throw new Usage(`--${name}: "${text.trim()}" is not in ${unit === '1' ? 'plain numbers' : unit}; write it like ${example}`);
  if (!(read.value > 0)) throw new Usage(`--${name}: must be above zero${unit === 'K' ? ' kelvin' : ''}, not "${text.trim()}"`);
  if (read.sigma !== undefined)
    throw new Usage(`--${name}: "${text.trim()}" has an uncertainty, and planck has no bar; write it like ${example}`);
  return read.value;
}

function radianceOf(text: string): number {
  const [, number = '', unit = ''] = /^\s*([+-]?[\d.]+(?:[eE][+-]?\d+)?)\s*(.*?)\s*$/.exec(text) ?? [];
  const factor = RADIANCE_UNITS[unit.replace(/[\^*{} ]/g, '')];
  const value = Number(number || Number.NaN) * (factor ?? 1);
  if (factor === undefined) throw new Usage(`--radiance: the unit "${unit}" is not known; known are W/m3/sr (the default) and W/m2/sr/nm`);
  if (!(value > 0 && Number.isFinite(value))) throw new Usage(`--radiance: must be a number above zero, not "${text.trim()}"`);
  return value;
}

const exact = (value: number, unit: string): { value: number; sigma: null; unit: string } => ({ value, sigma: null, unit });

/** One wavelength stands at the top as well, so that a script need not look into the list. */
function asJson(rows: readonly Row[], emissivity: number): Readonly<Record<string, unknown>> {
  const results = rows.map((row) => ({
    wavelength: exact(row.wavelength, 'm'),
    temperature: exact(row.temperature, 'K'),
    radiance: exact(row.radiance, RADIANCE_UNIT),
  }));
  const [only] = results;
  return { method: 'planck', constants: EXACT.name, emissivity: exact(emissivity, '1'), ...(results.length === 1 ? only : {}), results };
}

function asText(rows: readonly Row[], emissivity: number): string {
  const lines = rows.map(
    (r) =>
      `${(r.wavelength * 1e9).toPrecision(7).padStart(12)} nm  ${r.temperature.toPrecision(9).padStart(12)} K  ${r.radiance.toExponential(9)} ${RADIANCE_UNIT}`,
  );
  return `${lines.join('\n')}\n${emissivity === 1 ? '' : `emissivity ${emissivity}\n`}`;
}
