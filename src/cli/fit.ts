/** `bridgman fit planck`: the temperature of a spectrum file, with every term of its error bar. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Calibration, SpectralFrame, Table } from '../derive/calibration.ts';
import { spectrumOf, tableOf } from '../derive/files.ts';
import { METHODS, type Method, measureTemperature, type TemperatureParams } from '../derive/measure.ts';
import { quantity, type Unit } from '../units.ts';
import { type Command, EXIT, guarded, type Io, type Parsed, parse, suggestion, Usage } from './command.ts';
import { asJson, asText, refusedAsJson, type Source } from './fit-report.ts';

const OPTIONS = {
  calibration: 'string',
  lamp: 'string',
  'lamp-temperature': 'string',
  rows: 'string',
  window: 'string',
  frame: 'string',
  dark: 'string',
  'calibration-dark': 'string',
  emissivity: 'string',
  gain: 'string',
  'read-noise': 'string',
  background: 'string',
  method: 'string',
  's-lamp': 'string',
  's-slope': 'string',
  reproducibility: 'string',
  'any-path': 'boolean',
  json: 'boolean',
  help: 'boolean',
} as const;

const HELP = `Examples
  bridgman fit planck shot.spe --calibration lamp.spe --lamp 15A_lamp.txt --rows 99:110 --window 666:836
  bridgman fit planck shot.spe --calibration lamp.spe --lamp-temperature 2255K --rows 99:110 --window 600:900 --dark dark.spe --json
  bridgman fit planck corrected.txt --window 600:900

Fits Planck's law to a spectrum and says how far the temperature can be trusted.
FILE is SPE 2.x, SPE 3.0 or text with two columns (nm, counts). Without --calibration the spectrum counts as corrected.

Options
  --calibration FILE      spectrum of the lamp through the same optical path
  --lamp FILE             spectral radiance of the lamp, two columns (nm, any scale)
  --lamp-temperature K    or: the lamp is a black body at this temperature
  --rows A:B              detector rows from 0, both ends included
  --window LO:HI          nm; the pixels nearest to both ends are included
  --frame N               frame of the file, from 0; otherwise the first
  --dark FILE             subtracted from the spectrum
  --calibration-dark FILE subtracted from the lamp's spectrum
  --emissivity FILE       two columns (nm, emissivity)
  --gain X                electrons per count; otherwise 1
  --read-noise X          counts rms per pixel; otherwise as the dark rows of an image show it
  --background constant   fits a constant background too
  --method ml             maximum likelihood on counts (default); trax: as T-Rax; unweighted; wien
  --s-lamp K              one sigma of the lamp temperature
  --s-slope X             one sigma of the emissivity slope, relative change per 150 nm (0.02 or 2%)
  --reproducibility K     one sigma from run to run
  --any-path              takes a calibration of another optical path, with a warning
  --json                  quantities as {"value", "sigma", "unit"} in SI

Exit code: 0 a temperature, 1 a file cannot be read, 2 wrong arguments, 3 no temperature and why.
`;

export const fit: Command = {
  name: 'fit',
  summary: 'temperature of a spectrum file',
  help: HELP,
  run: (args, io) => guarded('fit', io, () => run(args, io)),
};

async function run(args: readonly string[], io: Io): Promise<number> {
  const parsed = parse(args, OPTIONS);
  if (parsed.flags.has('help') || args.length === 0) {
    io.out(HELP);
    return args.length === 0 ? EXIT.usage : EXIT.ok;
  }
  const [what, file, ...more] = parsed.rest;
  if (what !== 'planck')
    throw new Usage(
      what === undefined ? 'say what to fit: planck' : `there is no fit "${what}"${suggestion(what, ['planck'], '')}; there is: planck`,
    );
  if (file === undefined) throw new Usage('the spectrum FILE is missing');
  if (more.length > 0) throw new Usage(`"${more[0]}" is one word too many: one FILE at a time`);
  const numbers = readNumbers(parsed);
  const sources: Source[] = [];
  try {
    const inputs = await readInputs(file, parsed, sources);
    const result = measureTemperature(inputs.spectrum, { ...numbers, ...inputs.params });
    const report = { sources, rows: numbers.rows, frame: inputs.frame, lampTemperature: inputs.lampTemperature };
    if ('refused' in result && result.code === 'input') throw new Usage(result.refused);
    if ('refused' in result) {
      if (parsed.flags.has('json')) io.out(`${JSON.stringify(refusedAsJson(result))}\n`);
      else io.err(`bridgman fit: ${result.refused}\n`);
      return EXIT.refused;
    }
    io.out(parsed.flags.has('json') ? `${JSON.stringify(asJson(result, report), null, 2)}\n` : asText(result, report));
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof BadFile)) throw error;
    io.err(`bridgman fit: ${error.message}\n`);
    return EXIT.failed;
  }
}

class BadFile extends Error {
  readonly code = 'BAD_FILE';
}

interface Inputs {
  readonly spectrum: SpectralFrame;
  readonly frame: number;
  readonly lampTemperature?: number;
  readonly params: Pick<TemperatureParams, 'calibration' | 'dark' | 'emissivity'>;
}

async function readInputs(file: string, { options }: Parsed, sources: Source[]): Promise<Inputs> {
  const { calibration, lamp, dark, emissivity } = options;
  const lampTemperature =
    options['lamp-temperature'] === undefined ? undefined : amount('lamp-temperature', options['lamp-temperature'], 'K');
  if (calibration === undefined && (lamp !== undefined || lampTemperature !== undefined || options['calibration-dark'] !== undefined)) {
    throw new Usage('a lamp needs --calibration FILE, its spectrum through the same optics');
  }
  if (calibration !== undefined && (lamp === undefined) === (lampTemperature === undefined)) {
    throw new Usage('--calibration needs either --lamp FILE or --lamp-temperature K');
  }
  const frame = options.frame === undefined ? 0 : whole('frame', options.frame);
  const spectrum = await spectrumFile('spectrum', file, frame, sources);
  let lit: Calibration | undefined;
  if (calibration !== undefined) {
    const light = await spectrumFile('calibration', calibration, 'mean', sources);
    const known =
      lamp === undefined ? { temperature: lampTemperature ?? Number.NaN } : { radiance: await tableFile('lamp', lamp, sources) };
    const off = options['calibration-dark'];
    lit = {
      frame: light,
      lamp: known,
      ...(off === undefined ? {} : { dark: await spectrumFile('calibration-dark', off, 'mean', sources) }),
    };
  }
  return {
    spectrum,
    frame,
    ...(lampTemperature === undefined ? {} : { lampTemperature }),
    params: {
      ...(lit ? { calibration: lit } : {}),
      ...(dark === undefined ? {} : { dark: await spectrumFile('dark', dark, 'mean', sources) }),
      ...(emissivity === undefined ? {} : { emissivity: await tableFile('emissivity', emissivity, sources) }),
    },
  };
}

async function spectrumFile(role: string, path: string, frame: number | 'mean', sources: Source[]): Promise<SpectralFrame> {
  const read = spectrumOf(await bytesOf(role, path, sources), frame);
  if (typeof read !== 'string') return read;
  if (read.startsWith('there is no frame')) throw new Usage(`${path}: ${read}`);
  throw new BadFile(`${path}: ${read}`);
}

async function tableFile(role: string, path: string, sources: Source[]): Promise<Table> {
  const read = tableOf(await bytesOf(role, path, sources));
  if (typeof read === 'string') throw new BadFile(`${path}: ${read}`);
  return read;
}

const CAUSES: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'this is a folder',
  EACCES: 'no permission to read it',
};

async function bytesOf(role: string, path: string, sources: Source[]): Promise<Uint8Array> {
  try {
    const bytes = new Uint8Array(await readFile(path));
    sources.push({ role, file: basename(path), sha256: createHash('sha256').update(bytes).digest('hex') });
    return bytes;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new BadFile(`${path}: ${CAUSES[code] ?? `it cannot be read (${code})`}`);
  }
}

/** All options that are numbers, words or pairs. */
function readNumbers({ options, flags }: Parsed): TemperatureParams {
  const method = options.method ?? 'ml';
  if (!METHODS.includes(method as Method)) throw new Usage(`there is no method "${method}"; there are: ${METHODS.join(', ')}`);
  if (options.background !== undefined && options.background !== 'constant') throw new Usage('--background can only be "constant"');
  const optional = <K extends string>(key: K, name: string, unit: Unit, zero: boolean): { readonly [N in K]?: number } => {
    const text = options[name];
    return (text === undefined ? {} : { [key]: amount(name, text, unit, zero) }) as { readonly [N in K]?: number }; // the one key, a number
  };
  return {
    method: method as Method, // one of METHODS, checked above
    ...(options.window === undefined ? {} : { window: windowOf(options.window) }),
    ...(options.rows === undefined ? {} : { rows: rowsOf(options.rows) }),
    ...(options.background === undefined ? {} : { background: 'constant' as const }),
    ...optional('gain', 'gain', '1', false),
    ...optional('readNoise', 'read-noise', '1', true),
    ...optional('lampSigma', 's-lamp', 'K', true),
    ...optional('emissivitySlope', 's-slope', '1', true),
    ...optional('reproducibility', 'reproducibility', 'K', true),
    anyPath: flags.has('any-path'),
  };
}

/** A number in that unit; the unit may be left out. */
function amount(name: string, text: string, unit: Unit, zero = false): number {
  const read = quantity(text);
  if (typeof read === 'string') throw new Usage(`--${name}: ${read}`);
  if (read.unit !== unit && read.unit !== '1') throw new Usage(`--${name}: "${text}" is in ${read.unit}, not in ${unit}`);
  if (!(read.value > 0 || (zero && read.value === 0))) throw new Usage(`--${name}: must be above zero, not "${text}"`);
  return read.value;
}

function whole(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text.trim())) throw new Usage(`--${name}: "${text}" is not a whole number from 0`);
  return Number(text);
}

function rowsOf(text: string): readonly [number, number] {
  const [first, last, ...more] = text.split(':');
  const rows = [whole('rows', first ?? ''), whole('rows', last ?? first ?? '')] as const;
  if (more.length > 0 || rows[0] > rows[1]) throw new Usage(`--rows: "${text}" is not FIRST:LAST, such as 99:110`);
  return rows;
}

function windowOf(text: string): readonly [number, number] {
  const [lo, hi, ...more] = text.split(':').map((part) => {
    const read = quantity(part.trim());
    if (typeof read === 'string') throw new Usage(`--window: ${read}`);
    return read.unit === 'm' ? read.value : read.unit === '1' ? read.value / 1e9 : Number.NaN;
  });
  if (lo === undefined || hi === undefined || more.length > 0 || !(lo > 0 && lo < hi)) {
    throw new Usage(`--window: "${text}" is not LOW:HIGH in nm, such as 600:900`);
  }
  return [lo, hi];
}
