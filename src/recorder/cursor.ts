/** Where the InfluxDB feed stands in a session: what has not been confirmed yet, kept in a small file beside the parts. */
import { type FileHandle, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** A place between two chunks: the name of a part and bytes from its beginning. */
export interface Position {
  readonly part: string;
  readonly offset: number;
}

/** Before everything: a source reads on from its first part. */
export const BEGINNING: Position = { part: '', offset: 0 };

/** from (inclusive) to `to` (exclusive); without `to` it is open and follows the session's end. */
export interface Interval {
  readonly from: Position;
  readonly to?: Position;
}

/** Negative, 0 or positive as a is before, at or behind b; numbers within names count as numbers (slow-9999, slow-10000). */
export function comparePositions(a: Position, b: Position): number {
  return a.part === b.part ? a.offset - b.offset : compareNames(a.part, b.part);
}

function compareNames(a: string, b: string): number {
  const [left, right] = [a, b].map((name) => name.match(/\d+|\D+/g) ?? []);
  const [as, bs] = [left ?? [], right ?? []];
  for (let i = 0; i < Math.min(as.length, bs.length); i++) {
    const [x = '', y = ''] = [as[i], bs[i]];
    if (x === y) continue;
    const both = /^\d/.test(x) && /^\d/.test(y);
    if (both && Number(x) !== Number(y)) return Number(x) - Number(y);
    return x < y ? -1 : 1;
  }
  return as.length - bs.length;
}

/** The number of the part, which is the last number in its name; undefined where there is none. */
export function partNumber(part: string): number | undefined {
  const last = part.match(/\d+/g)?.at(-1);
  return last === undefined ? undefined : Number(last);
}

export interface CursorStore {
  /** undefined: nothing has been kept yet. A string says why what was kept cannot be read. */
  load(): Promise<readonly Interval[] | undefined | string>;
  save(intervals: readonly Interval[]): Promise<void>;
}

/** A JSON file that is always whole: written beside, synced, then renamed over the old one. */
export function cursorFile(path: string): CursorStore {
  return {
    async load() {
      let text: string;
      try {
        text = await readFile(path, 'utf8');
      } catch (error) {
        return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : `${path} cannot be read: ${(error as Error).message}`; // node:fs rejects with Errors
      }
      return intervals(text) ?? `${path} does not hold the places where InfluxDB was left`;
    },
    async save(list) {
      const text = `${JSON.stringify({ version: 1, intervals: list.map(({ from, to }) => ({ from, to })) })}\n`;
      await written(`${path}.tmp`, 'w', text);
      await rename(`${path}.tmp`, path);
      await synced(dirname(path));
    },
  };
}

function intervals(text: string): readonly Interval[] | undefined {
  try {
    const { version, intervals: list } = JSON.parse(text) as { version?: unknown; intervals?: unknown }; // every part is checked below
    if (version !== 1 || !Array.isArray(list) || list.length === 0) return undefined;
    const read = list.map(({ from, to }: { from?: unknown; to?: unknown }) => {
      if (!isPosition(from) || (to !== undefined && !isPosition(to))) throw new TypeError('no position');
      return to === undefined ? { from } : { from, to };
    });
    return read.slice(0, -1).every((interval) => interval.to !== undefined) && read.at(-1)?.to === undefined ? read : undefined;
  } catch {
    return undefined;
  }
}

function isPosition(value: unknown): value is Position {
  const { part, offset } = (value ?? {}) as { part?: unknown; offset?: unknown }; // any value has these, if only as undefined
  return typeof part === 'string' && Number.isSafeInteger(offset) && Number(offset) >= 0;
}

/** Appends one JSON object a line and syncs them: for points that the server would not take. */
export function asideFile(path: string): (points: readonly object[]) => Promise<void> {
  return (points) => written(path, 'a', points.map((point) => `${JSON.stringify(point)}\n`).join(''));
}

async function written(path: string, flags: string, text: string): Promise<void> {
  const file = await open(path, flags);
  try {
    await file.appendFile(text); // in a loop until all is written, or an error
    await file.datasync();
  } finally {
    await file.close();
  }
}

async function synced(folder: string): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(folder, 'r');
    await handle.sync();
  } catch {
    // not every system lets a folder be synced; the rename is whole all the same
  } finally {
    await handle?.close();
  }
}
