/** Minimum, maximum and count of every number channel per second and per minute: a day can be drawn without reading it all. */
import type { Reading } from '../reading.ts';

export interface Bin {
  n: number;
  bad: number;
  min: number;
  max: number;
  sum: number;
}

export interface TrendRow {
  /** The bin's beginning, microseconds since 1970, and its length in seconds. */
  readonly t: number;
  readonly seconds: number;
  readonly channels: Readonly<Record<string, Bin>>;
}

const NONE: readonly TrendRow[] = [];

/** Bins by the readings' own time; a bin is given once a reading two bins later has come, or at the end. */
export function trend(seconds: number): { see(r: Reading): readonly TrendRow[]; end(): readonly TrendRow[] } {
  const width = seconds * 1e6;
  const open = new Map<number, Record<string, Bin>>();
  const close = (before: number): readonly TrendRow[] => {
    const rows = [...open.keys()].filter((k) => k < before).sort((a, b) => a - b);
    return rows.map((k) => {
      const channels = open.get(k) ?? {};
      open.delete(k);
      return { t: k * width, seconds, channels };
    });
  };
  return {
    see(r) {
      if (r.kind === 'trace' || r.kind === 'state') return NONE;
      const k = Math.floor(r.t / width);
      let row = open.get(k);
      if (row === undefined) {
        row = {};
        open.set(k, row);
      }
      const name = r.index === undefined ? r.from : `${r.from}[${r.index}]`;
      row[name] ??= { n: 0, bad: 0, min: Number.MAX_VALUE, max: -Number.MAX_VALUE, sum: 0 };
      const bin = row[name];
      if (r.quality === 'bad') bin.bad++;
      else {
        const v = Number(r.value);
        bin.n++;
        bin.min = Math.min(bin.min, v);
        bin.max = Math.max(bin.max, v);
        bin.sum += v;
      }
      return open.size > 2 ? close(k - 1) : NONE;
    },
    end: () => close(Number.POSITIVE_INFINITY),
  };
}
