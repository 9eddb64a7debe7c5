/** The slope of the last readings. */

interface Group {
  /** Sums over its readings, times from its first. */
  readonly begin: number;
  n: number;
  t: number;
  v: number;
}

export interface Slope {
  /** A reading at a time in seconds, never earlier than the one before. */
  add(at: number, value: number): void;
  /** The least-squares slope over the readings of the last `span` seconds, per second; undefined until they cover at least half of it. */
  readonly value: number | undefined;
  /** Seconds that they cover. */
  readonly covered: number;
}

const GROUPS = 1000; // in a span: readings that come faster are taken together, so that memory and work have a limit

export function slopeOver(span: number): Slope {
  let groups: Group[] = [];
  let last = Number.NaN;
  const covered = (): number => (groups.length === 0 ? 0 : last - groups[0].begin);
  return {
    add(at, value) {
      last = at;
      const open = groups.at(-1);
      if (open && at - open.begin < span / GROUPS) {
        open.n++;
        open.t += at - open.begin;
        open.v += value;
      } else groups.push({ begin: at, n: 1, t: 0, v: value });
      const first = groups.findIndex((g) => g.begin >= at - span);
      if (first > 0) groups = groups.slice(first);
    },
    get covered() {
      return covered();
    },
    get value() {
      if (groups.length < 2 || !(covered() >= span / 2)) return undefined;
      const points = groups.map((g) => [g.begin + g.t / g.n, g.v / g.n, g.n] as const);
      let n = 0;
      let meanT = 0;
      let meanV = 0;
      for (const [t, v, w] of points) {
        n += w;
        meanT += ((t - meanT) * w) / n;
        meanV += ((v - meanV) * w) / n;
      }
      let tt = 0;
      let tv = 0;
      for (const [t, v, w] of points) {
        tt += w * (t - meanT) ** 2;
        tv += w * (t - meanT) * (v - meanV);
      }
      return tv / tt;
    },
  };
}
