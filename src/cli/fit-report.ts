/** A temperature as JSON for programs and as lines for people. */
import type { NoTemperature, Temperature } from '../derive/measure.ts';
import type { Masked } from '../derive/spectrum.ts';
import { show, type Unit } from '../units.ts';

export interface Source {
  /** spectrum, calibration, lamp, dark, ... */
  readonly role: string;
  readonly file: string;
  readonly sha256: string;
}

export interface Circumstances {
  readonly sources: readonly Source[];
  readonly rows: readonly [number, number] | undefined;
  readonly frame: number;
  readonly lampTemperature: number | undefined;
  /** About what was given, beside what the fit itself says. */
  readonly doubts: readonly string[];
}

interface JsonQuantity {
  readonly value: number | null;
  readonly sigma: number | null;
  readonly unit: Unit;
}

/** What cannot be said is null: JSON knows no NaN. */
function of(value: number | undefined, unit: Unit, sigma?: number): JsonQuantity {
  const sound = (n: number | undefined): number | null => (n === undefined || !Number.isFinite(n) ? null : n);
  return { value: sound(value), sigma: sound(sigma), unit };
}

const flagsOf = ({ suspect, warnings }: Temperature, doubts: readonly string[]): readonly string[] => [
  ...(suspect === undefined ? [] : [suspect]),
  ...doubts,
  ...warnings,
];

const maskedOf = (masked: readonly Masked[]): readonly unknown[] =>
  masked.map((m) => ({ column: m.column, wavelength: of(m.wavelength, 'm'), why: m.why }));

export function refusedAsJson({ refused, code, upperLimit, masked }: NoTemperature): Readonly<Record<string, unknown>> {
  return { refused, code, ...(upperLimit === undefined ? {} : { upper_limit: of(upperLimit, 'K') }), masked: maskedOf(masked ?? []) };
}

export function asJson(
  t: Temperature,
  { sources, rows, frame, lampTemperature, doubts }: Circumstances,
): Readonly<Record<string, unknown>> {
  const named = (role: string): { readonly file: string; readonly sha256: string } | null => {
    const found = sources.find((s) => s.role === role);
    return found ? { file: found.file, sha256: found.sha256 } : null;
  };
  const lamp = named('lamp') ?? (lampTemperature === undefined ? null : { temperature: of(lampTemperature, 'K') });
  return {
    temperature: of(t.temperature, 'K', t.sigma),
    quality: t.suspect === undefined ? 'good' : 'suspect',
    terms: Object.fromEntries(Object.entries(t.terms).map(([name, size]) => [name, of(size, 'K')])),
    fisher: of(t.fisher, 'K'),
    factor: of(t.factor, '1'),
    background: of(t.background, '1'),
    method: t.method,
    constants: t.constants,
    spectrum: { ...named('spectrum'), frame },
    calibration: named('calibration') && { frame: named('calibration'), lamp, dark: named('calibration-dark') },
    dark: named('dark'),
    emissivity: named('emissivity'),
    rows: rows ?? null,
    window: { from: of(t.window[0], 'm'), to: of(t.window[1], 'm') },
    pixels: t.pixels,
    masked: maskedOf(t.masked),
    flags: flagsOf(t, doubts),
    chi2_per_dof: of(t.chi2, '1').value,
    dof: t.dof,
    deviance: of(t.deviance, '1').value,
    signal: of(t.signal, '1'),
    signal_to_noise: of(t.signalToNoise, '1').value,
    read_noise: of(t.readNoise, '1'),
    wien: of(t.wien?.temperature, 'K', t.wien?.sigma),
    two_colour: {
      median: of(t.twoColour.median, 'K', t.twoColour.mad),
      pairs: t.twoColour.pairs,
      slope_K_per_m: of(t.twoColour.slope, '1').value,
    },
    sensitivity_per_percent_slope: of(t.sensitivity, 'K'),
    lamp_temperature: of(t.lampTemperature, 'K'),
    iterations: t.iterations,
  };
}

export function asText(t: Temperature, { sources, rows, doubts }: Circumstances): string {
  const k = (value: number): string => `${value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2)} K`;
  const nm = (metre: number): string => (metre * 1e9).toFixed(1);
  const terms = Object.entries(t.terms)
    .filter(([, size]) => size > 0)
    .map(([name, size]) => `${name} ${k(size)}`);
  const lines: (readonly [string, string])[] = [
    ['temperature', `${show(t.temperature, 'K', t.sigma)}${t.suspect === undefined ? '' : '  (suspect)'}`],
    [t.method === 'trax' ? 'terms (bar as T-Rax quotes it)' : 'terms', terms.join(', ')],
    ['method', `${t.method}, constants ${t.constants}`],
    ['window', `${nm(t.window[0])} to ${nm(t.window[1])} nm, ${t.pixels} pixels${rows ? `, rows ${rows[0]} to ${rows[1]}` : ''}`],
    ['factor', t.factor.toPrecision(5)],
  ];
  if (t.background !== 0) lines.push(['background', `${t.background.toPrecision(4)} electrons per column`]);
  if (t.chi2 !== undefined) lines.push(['chi2/dof', `${t.chi2.toFixed(2)} (${t.dof})`]);
  lines.push(['signal/noise', t.signalToNoise.toPrecision(3)]);
  if (t.wien) lines.push(['Wien fit', show(t.wien.temperature, 'K', t.wien.sigma)]);
  if (t.twoColour.pairs > 0)
    lines.push(['two-colour', `median ${k(t.twoColour.median)}, spread ${k(t.twoColour.mad)} (${t.twoColour.pairs} pairs)`]);
  lines.push(['1 % emissivity slope', `${t.sensitivity >= 0 ? '+' : '-'}${k(Math.abs(t.sensitivity))} per 150 nm`]);
  if (t.lampTemperature !== undefined) lines.push(['lamp colour', k(t.lampTemperature)]);
  for (const cause of new Set(t.masked.map((m) => m.why))) {
    const found = t.masked.filter((m) => m.why === cause);
    const ends = `${nm(found[0]?.wavelength ?? Number.NaN)} to ${nm(found.at(-1)?.wavelength ?? Number.NaN)} nm`;
    lines.push(['left out', `${found.length} px ${cause}, ${ends}`]);
  }
  for (const flag of flagsOf(t, doubts)) lines.push(['note', flag]);
  for (const s of sources) lines.push([s.role, `${s.file}  sha256 ${s.sha256.slice(0, 12)}`]);
  const width = Math.max(...lines.map(([name]) => name.length));
  return `${lines.map(([name, text]) => `${name.padEnd(width)}  ${text}`).join('\n')}\n`;
}
