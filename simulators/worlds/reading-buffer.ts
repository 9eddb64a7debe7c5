/** Reading buffers of the newer Keithley instruments, by name: what is kept of each reading, and the elements of it that are asked for. */
import { quoted, wordOf } from './keithley-scpi.ts';

export interface Row {
  readonly reading: number;
  readonly source: number;
  /** Seconds of the world. */
  readonly t: number;
  readonly limited: boolean;
  readonly units: readonly [string, string];
}
export interface Buffer {
  size: number;
  rows: Row[];
}

/** As the instrument writes numbers: digits as they are needed. */
export const plain = (n: number): string => {
  if (n === 0) return '0';
  const size = Math.abs(n);
  const digits = Number(n.toPrecision(7));
  if (size >= 1e-4 && size < 1e7) return String(digits);
  const [mantissa = '', exponent = '0'] = digits.toExponential().split('e');
  return `${mantissa}E${Number(exponent) < 0 ? '-' : '+'}${String(Math.abs(Number(exponent))).padStart(2, '0')}`;
};

const ELEMENTS = [
  'READing',
  'SOURce',
  'RELative',
  'TSTamp',
  'DATE',
  'TIME',
  'SEConds',
  'FRACtional',
  'STATus',
  'SOURSTATus',
  'UNIT',
  'SOURUNIT',
  'FORMatted',
  'SOURFORMatted',
];
const formatted = (n: number, unit: string): string => `${n >= 0 ? '+' : ''}${n.toExponential(5)} ${unit}`;
function element(row: Row, name: string, first: number): string {
  const at = row.t - first;
  switch (name) {
    case 'SOUR':
      return plain(row.source);
    case 'REL':
      return plain(at);
    case 'TST':
    case 'DATE':
      return '01/01/2026';
    case 'TIME':
      return '00:00:00';
    case 'SEC':
      return String(Math.floor(row.t));
    case 'FRAC':
      return plain(row.t - Math.floor(row.t));
    case 'STAT':
      return '0';
    case 'SOURSTAT':
      // Here bit 7 is an output that is on, and bit 4 one that is limited.
      return String(128 + (row.limited ? 16 : 0));
    case 'UNIT':
      return row.units[0];
    case 'SOURUNIT':
      return row.units[1];
    case 'FORM':
      return formatted(row.reading, row.units[0]);
    case 'SOURFORM':
      return formatted(row.source, row.units[1]);
    default:
      return plain(row.reading);
  }
}

/** Arguments from a buffer's name on: the buffer, and the elements; undefined where one is not known. */
export function chosen(
  buffers: Readonly<Record<string, Buffer>>,
  args: readonly string[],
): { readonly name: string; readonly buffer: Buffer; readonly elements: readonly string[] } | undefined {
  const isName = args[0] !== undefined && /^["']/.test(args[0]);
  const name = isName ? quoted(args[0]) : 'defbuffer1';
  const elements = args.slice(isName ? 1 : 0).flatMap((a) => wordOf(a, ELEMENTS) ?? []);
  const buffer = Object.hasOwn(buffers, name) ? buffers[name] : undefined;
  if (!buffer || elements.length < args.length - (isName ? 1 : 0)) return undefined;
  return { name, buffer, elements: elements.length > 0 ? elements : ['READ'] };
}
export const shown = (rows: readonly Row[], elements: readonly string[], first: number): string =>
  rows.flatMap((row) => elements.map((e) => element(row, e, first))).join(',');

export function store(buffer: Buffer, rows: readonly Row[]): void {
  buffer.rows = [...buffer.rows, ...rows].slice(-buffer.size);
}
