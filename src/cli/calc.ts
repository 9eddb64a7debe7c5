/** `bridgman calc planck`: spectral radiance from temperature, or temperature from spectral radiance. */
import { EXACT, radianceTemperature, spectralRadiance } from '../derive/radiance.ts';
import { quantity, type Unit } from '../units.ts';
import { type Command, EXIT, guarded, type Io, parse, suggestion, Usage } from './command.ts';

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

Planck's law with the exact constants of the SI (2019). Radiance is per metre of wavelength (W m^-3 sr^-1);
"1.6e1 W/m2/sr/nm" is read too. With --emissivity the radiance is that of a grey body.

Options
  --temperature T     such as 2000K or 1726.85degC: gives the radiance at each wavelength
  --radiance L        gives the temperature; one value, or one per wavelength, parted by commas
  --wavelength L,...  such as 650nm or 600nm,700nm
  --emissivity E      above 0, up to 1; otherwise 1
  --json              quantities as {"value", "sigma", "unit"} in SI
`;

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
  summary: "Planck's law, both ways",
  help: HELP,
  run: (args, io) => guarded('calc', io, async () => run(args, io)),
};

interface Row {
  readonly wavelength: number;
  readonly radiance: number;
  readonly temperature: number;
}

function run(args: readonly string[], io: Io): number {
  const { options, flags, rest } = parse(args, OPTIONS);
  if (flags.has('help') || args.length === 0) {
    io.out(HELP);
    return args.length === 0 ? EXIT.usage : EXIT.ok;
  }
  const [what, ...more] = rest;
  if (what !== 'planck')
    throw new Usage(
      what === undefined ? 'say what to calculate: planck' : `there is no "${what}"${suggestion(what, ['planck'], '')}; there is: planck`,
    );
  if (more.length > 0) throw new Usage(`"${more[0]}" is one word too many`);
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
