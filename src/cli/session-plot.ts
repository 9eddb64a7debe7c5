/** A curve of minima, means and maxima over time, in letters: for any terminal, any width. */
import type { Unit } from '../units.ts';
import { show } from '../units.ts';
import { utc } from './session-words.ts';

/** One column: what was measured in its time. `n` is 0 where only bad readings came. */
export interface Column {
  readonly n: number;
  readonly bad: number;
  readonly min: number;
  readonly max: number;
  readonly sum: number;
}

export interface PlotOptions {
  /** Of the whole picture, in letters. */
  readonly width: number;
  readonly height: number;
  readonly unit: Unit | '';
  /** Times of the left and the right border, microseconds since 1970. */
  readonly from: number;
  readonly to: number;
  readonly colour: boolean;
}

/** How many columns of data fit into a width. */
export const columnsIn = (width: number): number => Math.max(10, width - LABEL - 2);

const LABEL = 14;

/** Lines of at most `width` letters. Between minimum and maximum a bar, at the mean a point; x below where all readings were bad. */
export function plot(columns: readonly (Column | undefined)[], { width, height, unit, from, to, colour }: PlotOptions): string {
  const used = columns.filter((c): c is Column => c !== undefined && c.n > 0);
  const low = used.reduce((a, c) => Math.min(a, c.min), Number.POSITIVE_INFINITY);
  const high = used.reduce((a, c) => Math.max(a, c.max), Number.NEGATIVE_INFINITY);
  const paint = (code: string, text: string): string => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
  const rows = Math.max(3, height - 3);
  const lines: string[] = [];
  if (used.length > 0) {
    const flat = high === low;
    const [bottom, top] = flat ? [low - Math.abs(low || 1) * 0.01, high + Math.abs(high || 1) * 0.01] : [low, high];
    // Halves first: of two values near the largest number the difference is none.
    const rowOf = (v: number): number =>
      Math.min(rows - 1, Math.max(0, Math.round(((v / 2 - bottom / 2) / (top / 2 - bottom / 2)) * (rows - 1))));
    for (let row = rows - 1; row >= 0; row--) {
      const cells = columns.map((c) => {
        if (!c || c.n === 0) return ' ';
        const mean = Math.min(c.max, Math.max(c.min, c.sum / c.n)); // a sum of many is rounded
        if (rowOf(mean) === row) return '●';
        return row >= rowOf(c.min) && row <= rowOf(c.max) ? '│' : ' ';
      });
      const labelled = row === rows - 1 || row === 0 || (rows > 6 && row === Math.round((rows - 1) / 2));
      const value = bottom * (1 - row / (rows - 1)) + top * (row / (rows - 1));
      const label = labelled ? show(Number(value.toPrecision(6)), unit) : '';
      lines.push(`${label.padStart(LABEL).slice(-LABEL)} ${labelled ? '┤' : '│'}${paint('36', cells.join('').trimEnd())}`);
    }
  }
  const bad = columns.map((c) => (c && c.bad > 0 ? (c.n === 0 ? 'x' : '.') : ' ')).join('');
  if (bad.trim() !== '') lines.push(`${'bad'.padStart(LABEL)} │${paint('31', bad.trimEnd())}`);
  lines.push(`${' '.repeat(LABEL)} └${'─'.repeat(columns.length)}`);
  const [left, right] = [utc(from).slice(0, 19), utc(to).slice(0, 19)];
  const sameDay = left.slice(0, 10) === right.slice(0, 10);
  const end = sameDay ? right.slice(11) : right;
  const room = LABEL + 2 + columns.length;
  const begin = room - 2 - left.length - end.length > 2 ? left : left.slice(11);
  const start = Math.max(0, Math.min(LABEL + 2, room - begin.length - end.length - 2));
  lines.push(`${' '.repeat(start)}${begin}${' '.repeat(Math.max(1, room - start - begin.length - end.length))}${end}`.slice(0, width));
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
}

/** A row of blocks: low to high; a blank where there was nothing. */
export function sparkline(means: readonly (number | undefined)[]): string {
  const known = means.filter((v): v is number => v !== undefined);
  const low = Math.min(...known);
  const high = Math.max(...known);
  const blocks = '▁▂▃▄▅▆▇█';
  return means
    .map((v) => {
      if (v === undefined) return ' ';
      const k = high > low ? Math.round(((v / 2 - low / 2) / (high / 2 - low / 2)) * 7) : 3;
      return blocks[Math.min(7, Math.max(0, k))] ?? ' ';
    })
    .join('')
    .trimEnd();
}
