/** Rows of numbers of a CSV file, in pieces, with what could not be read. */
import { latin1 } from '../../protocols/protocol.ts';
import { columnNames, pieces, unquoted } from './analyse-file.ts';

export interface TableCounts {
  rows: number;
  /** Lines that are no row of numbers, and the number of the first one. */
  unreadable: number;
  firstUnreadable: number;
  /** Of the named columns, those that the first line does not have: then there is no row. */
  missing: readonly string[];
  /** Bytes of a last line that is not whole. */
  cutOff: number;
  /** The last line has no end, so that its last number may be cut. */
  openEnd: boolean;
}

const BLOCK = 4096;

/**
 * Gives blocks of the named columns, the first `count` rows of each; they are filled again after the call. Other columns may stand beside
 * them, in any order. A row that is no number in one of them, or has too few or too many, is left out and counted.
 */
export async function readTable(
  path: string,
  names: readonly string[],
  give: (columns: readonly Float64Array[], count: number) => void,
): Promise<TableCounts> {
  const counts: TableCounts = { rows: 0, unreadable: 0, firstUnreadable: 0, missing: [], cutOff: 0, openEnd: false };
  const columns = names.map(() => new Float64Array(BLOCK));
  let places: readonly number[] | undefined;
  let width = 0;
  let held = '';
  let number = 0;
  let n = 0;
  const line = (text: string, last: boolean): void => {
    number++;
    if (!places) {
      const header = columnNames(text.replace(/^\u00ef\u00bb\u00bf/, ''));
      places = names.map((name) => header.indexOf(name));
      counts.missing = names.filter((name) => !header.includes(name));
      width = header.length;
      return;
    }
    if (text.trim() === '' || counts.missing.length > 0) return;
    const fields = text.split(',').map(unquoted);
    const good =
      fields.length === width && places.every((place) => NUMBER.test(fields[place] ?? '') && Number.isFinite(Number(fields[place])));
    if (!good && last && fields.length <= width) {
      counts.cutOff = text.length;
      return;
    }
    if (!good) {
      if (counts.unreadable++ === 0) counts.firstUnreadable = number;
      return;
    }
    for (const [i, place] of places.entries()) {
      const column = columns[i];
      if (column) column[n] = Number(fields[place]);
    }
    counts.rows++;
    counts.openEnd = last;
    if (++n === BLOCK) {
      give(columns, n);
      n = 0;
    }
  };
  for await (const piece of pieces(path)) {
    const lines = (held + latin1(piece)).split('\n');
    held = lines.pop() ?? '';
    for (const one of lines) line(one, false);
    if (held.length > LONGEST) {
      line(held.slice(0, LONGEST), false);
      held = '';
    }
  }
  if (held !== '') line(held, true);
  if (n > 0) give(columns, n);
  return counts;
}

const NUMBER = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i;
const LONGEST = 65_536; // a line without end is none
