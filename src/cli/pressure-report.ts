/** A pressure as JSON for programs and as lines for people, whether it was calculated from a line or fitted to a spectrum. */
import type { GaugePressure, Known } from '../derive/gauge.ts';
import { total } from '../reading.ts';
import { show, type Unit } from '../units.ts';

export interface JsonQuantity {
  readonly value: number | null;
  readonly sigma: number | null;
  readonly unit: Unit | '1/m' | 'Pa/m' | 'Pa m';
}

/** What cannot be said is null: JSON knows no NaN. */
export function json(value: number | undefined, unit: JsonQuantity['unit'], sigma?: number): JsonQuantity {
  const sound = (n: number | undefined): number | null => (n === undefined || !Number.isFinite(n) ? null : n);
  return { value: sound(value), sigma: sound(sigma), unit };
}
export const jsonKnown = ({ value, sigma }: Known, unit: JsonQuantity['unit']): JsonQuantity =>
  json(value, unit, sigma === undefined ? undefined : total(sigma));

/** How the raw position of a gauge is called, and in what it is measured. */
export interface Described {
  readonly gauge: string;
  readonly source: string;
  readonly range: readonly [number, number];
  readonly proven: string;
  readonly line: Known;
  readonly lineName: 'wavelength' | 'shift';
  readonly reference: Known;
  readonly temperature?: Known;
  readonly correction?: string;
}

/** The terms of the bar: the line's own and one for each common cause, as sizes; what is not known is not there. */
function terms({ sigma }: GaugePressure): readonly (readonly [string, number])[] {
  return [
    ...(sigma.random > 0 ? [['line', sigma.random] as const] : []),
    ...Object.entries(sigma.shared ?? {}).map(([cause, size]) => [cause, Math.abs(size)] as const),
  ];
}

export const qualityOf = (p: GaugePressure, suspect?: string): 'good' | 'suspect' =>
  suspect === undefined && p.doubts.length === 0 ? 'good' : 'suspect';

export function pressureJson(p: GaugePressure, d: Described, suspect?: string): Readonly<Record<string, unknown>> {
  const unit = d.lineName === 'shift' ? '1/m' : 'm';
  return {
    gauge: d.gauge,
    scale: p.scale,
    source: d.source,
    range: { from: json(d.range[0] * 1e9, 'Pa'), to: json(d.range[1] * 1e9, 'Pa') },
    constants: d.proven,
    pressure: json(p.pressure, 'Pa', total(p.sigma) || undefined),
    quality: qualityOf(p, suspect),
    terms: Object.fromEntries(terms(p).map(([name, size]) => [name, json(size, 'Pa')])),
    [d.lineName]: jsonKnown(d.line, unit),
    reference: jsonKnown(d.reference, unit),
    temperature: d.temperature ? jsonKnown(d.temperature, 'K') : null,
    ...(d.correction === undefined ? {} : { correction: d.correction }),
    ...(d.lineName === 'shift' ? {} : { temperature_shift: json(p.shift, 'm') }),
    slope: json(p.slope, unit === 'm' ? 'Pa/m' : 'Pa m'),
    flags: [...(suspect === undefined ? [] : [suspect]), ...p.doubts, ...p.notes],
  };
}

export const place = ({ value, sigma }: Known, name: Described['lineName']): string => {
  const [factor, unit] = name === 'shift' ? [1e-2, '1/cm'] : [1e9, 'nm'];
  const bar = sigma ? total(sigma) * factor : 0;
  const digits = bar > 0 ? Math.max(0, Math.min(6, 1 - Math.floor(Math.log10(bar)))) : name === 'shift' ? 2 : 4;
  return `${(value * factor).toFixed(digits)}${bar > 0 ? ` ± ${bar.toFixed(digits)}` : ''} ${unit}`;
};

export type Lines = readonly (readonly [string, string])[];

export function pressureLines(p: GaugePressure, d: Described, suspect?: string): Lines {
  const bar = total(p.sigma);
  const small = Math.abs(p.pressure) < 1e9;
  const size = (pa: number): string => `${(pa / 1e9).toPrecision(3)} GPa`;
  const parts = terms(p);
  return [
    [
      'pressure',
      `${bar > 0 || small ? show(p.pressure, 'Pa', bar) : `${(p.pressure / 1e9).toPrecision(7)} GPa`}${qualityOf(p, suspect) === 'good' ? '' : '  (suspect)'}`,
    ],
    ...(parts.length > 0 ? [['terms', parts.map(([name, s]) => `${name} ${size(s)}`).join(', ')] as const] : []),
    ['scale', `${p.scale}, ${d.range[0]} to ${d.range[1]} GPa: ${d.source}`],
    [d.lineName === 'shift' ? 'edge' : 'line', `${place(d.line, d.lineName)}, at no pressure ${place(d.reference, d.lineName)}`],
    ...(d.temperature
      ? [
          [
            'temperature',
            `${show(d.temperature.value, 'K', d.temperature.sigma ? total(d.temperature.sigma) : undefined)}, which shifts the line by ${((p.shift ?? 0) * 1e9).toFixed(4)} nm${d.correction === undefined ? '' : ` (${d.correction})`}`,
          ] as const,
        ]
      : []),
    ...[...(suspect === undefined ? [] : [suspect]), ...p.doubts, ...p.notes].map((note) => ['note', note] as const),
  ];
}

export function asLines(lines: Lines): string {
  const width = Math.max(...lines.map(([name]) => name.length));
  return `${lines.map(([name, text]) => `${name.padEnd(width)}  ${text}`).join('\n')}\n`;
}
