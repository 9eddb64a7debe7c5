/** `bridgman fit ruby | samarium | diamond-edge`: the pressure of a spectrum file, and the raw line that any scale can be applied to. */
import { type Edge, fitEdge } from '../derive/diamond-edge.ts';
import { diamondGauge, ramanLine } from '../derive/diamond-scales.ts';
import type { LineParams, NoLine } from '../derive/line-pixels.ts';
import { rubyGauge } from '../derive/ruby.ts';
import { type FitAccount, fitRuby, type Line } from '../derive/ruby-fit.ts';
import { samariumGauge } from '../derive/samarium.ts';
import { fitSamarium } from '../derive/samarium-fit.ts';
import type { Masked } from '../derive/spectrum.ts';
import { EXIT, type Io, type Parsed, Usage } from './command.ts';
import { amount, only, rowsOf, spectrumFile, whole, windowOf } from './fit-read.ts';
import type { Source } from './fit-report.ts';
import { diamondOptions, number, rubyOptions, samariumOptions, shiftOf, temperatureOption } from './gauge-options.ts';
import { asLines, type Described, json, jsonKnown, type Lines, place, pressureJson, pressureLines } from './pressure-report.ts';

export const FIT_GAUGES = ['ruby', 'samarium', 'diamond-edge'] as const;
type FitGauge = (typeof FIT_GAUGES)[number];

/** Beside those of planck. */
export const GAUGE_OPTIONS = {
  scale: 'string',
  reference: 'string',
  temperature: 'string',
  'reference-temperature': 'string',
  correction: 'string',
  laser: 'string',
  smoothing: 'string',
} as const;

const COMMON = ['rows', 'window', 'frame', 'dark', 'gain', 'read-noise', 'scale', 'reference', 'json', 'help'] as const;
const TAKEN: Readonly<Record<FitGauge, readonly string[]>> = {
  ruby: [...COMMON, 'method', 'temperature', 'reference-temperature', 'correction'],
  samarium: [...COMMON, 'method', 'temperature'],
  'diamond-edge': [...COMMON, 'laser', 'smoothing'],
};

interface Report {
  readonly json: Readonly<Record<string, unknown>>;
  readonly lines: Lines;
}

/** Throws Usage for what the arguments, and BadFile for what the files say. */
export async function fitGauge(gauge: FitGauge, file: string, parsed: Parsed, io: Io): Promise<number> {
  only(parsed, gauge, TAKEN[gauge]);
  const { options, flags } = parsed;
  const sources: Source[] = [];
  const frame = options.frame === undefined ? 0 : whole('frame', options.frame);
  const make = { ruby: rubyReport, samarium: samariumReport, 'diamond-edge': diamondReport }[gauge](parsed);
  const spectrum = await spectrumFile('spectrum', file, frame, sources);
  const dark = options.dark === undefined ? undefined : await spectrumFile('dark', options.dark, 'mean', sources);
  const report = make({ ...lineParams(parsed, gauge), ...(dark ? { dark } : {}) }, spectrum);
  if ('refused' in report) {
    if (report.code === 'input') throw new Usage(report.refused);
    if (flags.has('json'))
      io.out(`${JSON.stringify({ refused: report.refused, code: report.code, masked: masks(report.masked ?? []) })}\n`);
    else io.err(`bridgman fit: ${report.refused}\n`);
    return EXIT.refused;
  }
  const named = (role: string): unknown => {
    const found = sources.find((s) => s.role === role);
    return found ? { file: found.file, sha256: found.sha256 } : null;
  };
  const files: Lines = sources.map((s) => [s.role, `${s.file}  sha256 ${s.sha256.slice(0, 12)}`] as const);
  const rows = options.rows === undefined ? null : rowsOf(options.rows);
  const full = { ...report.json, spectrum: { ...(named('spectrum') as object), frame }, dark: named('dark'), rows };
  io.out(flags.has('json') ? `${JSON.stringify(full, null, 2)}\n` : asLines([...report.lines, ...files]));
  return EXIT.ok;
}

type Make = (params: LineParams, spectrum: Parameters<typeof fitRuby>[0]) => Report | NoLine;

function lineParams({ options }: Parsed, gauge: FitGauge): LineParams {
  const method = options.method ?? 'ml';
  if (method !== 'ml' && method !== 'unweighted') throw new Usage(`there is no method "${method}" for ${gauge}; there are: ml, unweighted`);
  const { window, rows, gain } = options;
  const noise = options['read-noise'];
  return {
    ...(window === undefined || gauge === 'diamond-edge' ? {} : { window: windowOf(window) }),
    ...(rows === undefined ? {} : { rows: rowsOf(rows) }),
    ...(gain === undefined ? {} : { gain: amount('gain', gain, '1') }),
    ...(noise === undefined ? {} : { readNoise: amount('read-noise', noise, '1', true) }),
    weights: method === 'ml' ? 'poisson' : 'none',
  };
}

const masks = (masked: readonly Masked[]): readonly unknown[] =>
  masked.map((m) => ({ column: m.column, wavelength: json(m.wavelength, 'm'), why: m.why }));

const lineJson = (line: Line): Readonly<Record<string, unknown>> => ({
  wavelength: jsonKnown(line.centre, 'm'),
  fwhm: jsonKnown(line.fwhm, 'm'),
  lorentz_fraction: line.lorentz,
  electrons: json(line.electrons, '1'),
});

function accountJson(a: FitAccount): Readonly<Record<string, unknown>> {
  return {
    method: a.weights === 'poisson' ? 'ml' : 'unweighted',
    noise: a.relative ? 'residuals' : 'counts',
    window: { from: json(a.window[0], 'm'), to: json(a.window[1], 'm') },
    pixels: a.pixels,
    masked: masks(a.masked),
    background: json(a.background, '1'),
    chi2_per_dof: json(a.chi2, '1').value,
    dof: a.dof,
    signal_to_noise: json(a.signalToNoise, '1').value,
    iterations: a.iterations,
    warnings: a.warnings,
  };
}

function accountLines(a: FitAccount): Lines {
  const nm = (l: number): string => (l * 1e9).toFixed(1);
  return [
    [
      'fit',
      `${a.weights === 'poisson' ? 'Poisson weights' : 'unweighted'}, ${a.pixels} pixels from ${nm(a.window[0])} to ${nm(a.window[1])} nm`,
    ],
    ['chi2/dof', `${a.chi2.toPrecision(3)} (${a.dof})${a.relative ? ', the bar is that of the residuals' : ''}`],
    ['signal/noise', a.signalToNoise.toPrecision(3)],
    ...a.warnings.map((w) => ['note', w] as const),
  ];
}

function rubyReport({ options }: Parsed): Make {
  const gauge = rubyOptions(options);
  const temperature = temperatureOption(options);
  return (params, spectrum) => {
    const fit = fitRuby(spectrum, params);
    if ('refused' in fit) return fit;
    const { r1, r2, split, ratio, suspect } = fit;
    const p = rubyGauge(r1.centre, gauge, temperature);
    const described: Described = {
      gauge: 'ruby',
      ...gauge.scale,
      line: r1.centre,
      lineName: 'wavelength',
      reference: gauge.reference,
      correction: gauge.correction,
      ...(temperature ? { temperature } : {}),
    };
    const other = params.weights === 'poisson' ? fitRuby(spectrum, { ...params, weights: 'none' }) : undefined;
    const plain = other && !('refused' in other) ? { r1: jsonKnown(other.r1.centre, 'm'), r2: jsonKnown(other.r2.centre, 'm') } : null;
    return {
      json: {
        ...pressureJson(p, described, suspect),
        r1: lineJson(r1),
        r2: lineJson(r2),
        split: jsonKnown(split, 'm'),
        ratio,
        ...accountJson(fit),
        ...(params.weights === 'poisson' ? { unweighted: plain } : {}),
      },
      lines: [
        ...pressureLines(p, described, suspect),
        ['R1', `${place(r1.centre, 'wavelength')}, width ${place(r1.fwhm, 'wavelength')}, Lorentz ${r1.lorentz.toFixed(2)}`],
        [
          'R2',
          `${place(r2.centre, 'wavelength')}, width ${place(r2.fwhm, 'wavelength')}, ${(100 * ratio).toFixed(0)} % of the light of R1`,
        ],
        ['R1 - R2', place(split, 'wavelength')],
        ...accountLines(fit),
      ],
    };
  };
}

function samariumReport({ options }: Parsed): Make {
  const { scale, reference } = samariumOptions(options);
  const temperature = temperatureOption(options);
  return (params, spectrum) => {
    const fit = fitSamarium(spectrum, params);
    if ('refused' in fit) return fit;
    const { line, suspect } = fit;
    const p = samariumGauge(line.centre, scale, reference, temperature);
    const described: Described = {
      gauge: 'samarium',
      source: scale.source,
      range: scale.range,
      proven: scale.proven,
      line: line.centre,
      lineName: 'wavelength',
      reference,
      ...(temperature ? { temperature } : {}),
    };
    return {
      json: { ...pressureJson(p, described, suspect), line: lineJson(line), ...accountJson(fit) },
      lines: [
        ...pressureLines(p, described, suspect),
        ['width', `${place(line.fwhm, 'wavelength')}, Lorentz ${line.lorentz.toFixed(2)}`],
        ...accountLines(fit),
      ],
    };
  };
}

function diamondReport({ options }: Parsed): Make {
  const { scale, reference } = diamondOptions(options);
  if (options.laser === undefined) throw new Usage('--laser is missing, such as --laser 532nm: the edge is a shift from it');
  const laser = number('laser', options.laser, 'm').value;
  const window = options.window === undefined ? undefined : shiftWindow(options.window, laser);
  const smoothing = options.smoothing === undefined ? undefined : shiftOf('smoothing', options.smoothing).value;
  return (params, spectrum) => {
    const fit = fitEdge(spectrum, { ...params, laser, ...(window ? { window } : {}), ...(smoothing === undefined ? {} : { smoothing }) });
    if ('refused' in fit) return fit;
    const p = diamondGauge(fit.shift, scale, reference);
    const described: Described = {
      gauge: 'diamond-edge',
      source: scale.source,
      range: scale.range,
      proven: scale.proven,
      line: fit.shift,
      lineName: 'shift',
      reference,
    };
    const found = edgeJson(fit, laser);
    return {
      json: { ...pressureJson(p, described, fit.suspect), ...found },
      lines: [
        ...pressureLines(p, described, fit.suspect),
        ['wavelength', `${place(fit.line, 'wavelength')}, laser ${(laser * 1e9).toFixed(2)} nm`],
        ['depth/noise', fit.signalToNoise.toPrecision(3)],
        ...fit.warnings.map((w) => ['note', w] as const),
      ],
    };
  };
}

const edgeJson = (fit: Edge, laser: number): Readonly<Record<string, unknown>> => ({
  wavelength: jsonKnown(fit.line, 'm'),
  laser: json(laser, 'm'),
  window: { from: json(fit.window[0], 'm'), to: json(fit.window[1], 'm') },
  pixels: fit.pixels,
  masked: masks(fit.masked),
  depth_to_noise: json(fit.signalToNoise, '1').value,
  warnings: fit.warnings,
});

/** LOW:HIGH in 1/cm as wavelengths. */
function shiftWindow(text: string, laser: number): readonly [number, number] {
  const [low, high, ...more] = text.split(':').map((part) => shiftOf('window', part).value);
  if (low === undefined || high === undefined || more.length > 0 || low >= high)
    throw new Usage(`--window: "${text}" is not LOW:HIGH in 1/cm, such as 1350:1800`);
  return [ramanLine(laser, low), ramanLine(laser, high)];
}
