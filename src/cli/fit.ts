/** `bridgman fit`: the temperature or the pressure of a spectrum file, with every term of its error bar. */
import type { Calibration, SpectralFrame } from '../derive/calibration.ts';
import { METHODS, type Method, measureTemperature, type TemperatureParams } from '../derive/measure.ts';
import { show, type Unit } from '../units.ts';
import { type Command, EXIT, guarded, type Io, type Parsed, parse, suggestion, Usage } from './command.ts';
import { FIT_GAUGES, fitGauge, GAUGE_OPTIONS } from './fit-gauge.ts';
import { amount, BadFile, measured, only, rowsOf, spectrumFile, tableFile, whole, windowOf } from './fit-read.ts';
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
const KINDS = ['planck', ...FIT_GAUGES];

const HELP = `Examples
  bridgman fit planck shot.spe --calibration lamp.spe --lamp 15A_lamp.txt --rows 99:110 --window 666:836
  bridgman fit planck shot.spe --calibration lamp.spe --lamp-temperature 2255K --rows 99:110 --window 600:900 --dark dark.spe --json
  bridgman fit planck corrected.txt --window 600:900
  bridgman fit ruby ruby.spe --rows 11:24
  bridgman fit ruby ruby.spe --scale dewaele2008 --reference "694.25 nm +- 0.01 nm" --temperature 400K --json
  bridgman fit diamond-edge raman.txt --laser 532nm --window 1350:1800

planck: Planck's law; ruby, samarium: fluorescence lines; diamond-edge: the anvil's Raman edge. Each says how far its result can be trusted.
FILE is SPE 2.x, SPE 3.0 or text with two columns (nm, counts). Without --calibration the spectrum counts as corrected.

Options of planck
  --calibration FILE      spectrum of the lamp through the same optical path
  --lamp FILE             spectral radiance of the lamp, two columns (nm, any scale)
  --lamp-temperature K    or: the lamp is a black body at this temperature (2255K, or "2255 K +- 10 K")
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

Options of ruby, samarium and diamond-edge
  --rows, --frame, --dark, --gain, --read-noise, --json    as above
  --window LO:HI          nm; for diamond-edge 1/cm. Otherwise around the strongest line, and 1300:2200
  --method ml             Poisson weights (default); unweighted: all pixels alike. Not for diamond-edge
  --scale NAME            otherwise ruby2020, rashchenko2015, akahama2006; a wrong name lists them all
  --reference X           the line at no pressure ("694.25 nm +- 0.01 nm"), for diamond-edge the edge ("1334 +- 0.5 1/cm")
  --temperature K         of the gauge, such as "400 K +- 5 K"; otherwise room temperature
  --reference-temperature K, --correction NAME             of ruby: datchi2007 (default), ragan1992, vos1991, trax
  --laser L               of diamond-edge: the exciting wavelength, such as 532nm
  --smoothing X           of diamond-edge: half of the stretch over which the slope is taken; otherwise 10 1/cm

Exit code: 0 a result, 1 a file cannot be read, 2 wrong arguments, 3 no result and why.
`;

export const fit: Command = {
  name: 'fit',
  summary: 'temperature or pressure of a spectrum file',
  help: HELP,
  run: (args, io) => guarded('fit', io, () => run(args, io)),
};

async function run(args: readonly string[], io: Io): Promise<number> {
  const parsed = parse(args, { ...OPTIONS, ...GAUGE_OPTIONS });
  if (parsed.flags.has('help') || args.length === 0) {
    io.out(HELP);
    return args.length === 0 ? EXIT.usage : EXIT.ok;
  }
  const [what, file, ...more] = parsed.rest;
  if (what === undefined || !KINDS.includes(what))
    throw new Usage(
      what === undefined
        ? `say what to fit: ${KINDS.join(', ')}`
        : `there is no fit "${what}"${suggestion(what, KINDS, '')}; there are: ${KINDS.join(', ')}`,
    );
  if (file === undefined) throw new Usage('the spectrum FILE is missing');
  if (more.length > 0) throw new Usage(`"${more[0]}" is one word too many: one FILE at a time`);
  const sources: Source[] = [];
  try {
    const gauge = FIT_GAUGES.find((name) => name === what);
    if (gauge) return await fitGauge(gauge, file, parsed, io);
    only(parsed, what, Object.keys(OPTIONS));
    const numbers = readNumbers(parsed);
    const inputs = await readInputs(file, parsed, sources);
    const { spectrum, params, lampSigma, lampTemperature } = inputs;
    if (lampSigma !== undefined && numbers.lampSigma !== undefined)
      throw new Usage('the uncertainty of the lamp is given twice, in --lamp-temperature and in --s-lamp');
    const result = measureTemperature(spectrum, { ...numbers, ...params, ...(lampSigma === undefined ? {} : { lampSigma }) });
    const report = { sources, rows: numbers.rows, frame: inputs.frame, lampTemperature, doubts: darkDoubts(inputs) };
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

interface Inputs {
  readonly spectrum: SpectralFrame;
  readonly frame: number;
  readonly lampTemperature?: number;
  /** Given with the lamp's temperature. */
  readonly lampSigma?: number;
  readonly params: Pick<TemperatureParams, 'calibration' | 'dark' | 'emissivity'>;
}

async function readInputs(file: string, { options }: Parsed, sources: Source[]): Promise<Inputs> {
  const { calibration, lamp, dark, emissivity } = options;
  const hot = options['lamp-temperature'];
  const { value: lampTemperature, sigma: lampSigma } =
    hot === undefined ? { value: undefined, sigma: undefined } : { sigma: undefined, ...measured('lamp-temperature', hot, 'K') };
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
    ...(lampSigma === undefined ? {} : { lampSigma }),
    params: {
      ...(lit ? { calibration: lit } : {}),
      ...(dark === undefined ? {} : { dark: await spectrumFile('dark', dark, 'mean', sources) }),
      ...(emissivity === undefined ? {} : { emissivity: await tableFile('emissivity', emissivity, sources) }),
    },
  };
}

const SAME = 1e-3;

/** What a missing dark, or one of another exposure, does to counts is in no bar. */
function darkDoubts({ spectrum, params: { calibration, dark } }: Inputs): readonly string[] {
  if (!calibration) return []; // a corrected spectrum
  const pairs = [
    ['the spectrum', '--dark', spectrum, dark],
    ["the lamp's spectrum", '--calibration-dark', calibration.frame, calibration.dark],
  ] as const;
  return pairs.flatMap(([name, option, light, own]) => {
    if (!own) return [`no dark is subtracted from ${name} (${option}): right only where it has none`];
    const [a, b] = [light.exposure, own.exposure];
    if (a === undefined || b === undefined || Math.abs(a - b) <= SAME * a) return [];
    return [`${name} was exposed for ${show(a, 's')}, its dark for ${show(b, 's')}: it is not scaled`];
  });
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
