/** Readings of a running delta measurement, each taken from the source's buffer once, and the source's clock against ours. */
import { type ClockZero, clockBounds, type DeltaRow, deltaRows } from './keithley.ts';

/** One look at the source: what it had in its buffer, and readings of it by their place. */
export interface DeltaLook {
  /** Which run was meant; looks that began in an earlier one say nothing. */
  readonly run: number;
  readonly armed: boolean;
  /** STAT:OPER events and condition, STAT:MEAS condition, while it is armed. */
  readonly events: number;
  readonly now: number;
  readonly measurement: number;
  /** FORM:ELEM? and UNIT? of the source. */
  readonly elements: string;
  readonly unit: string;
  /** Place of the first reading in `texts`; the first of all is 0. */
  readonly from: number;
  readonly texts: readonly string[];
  /** Readings in the buffer, by the last question. */
  readonly actual: number;
}

export interface DeltaNews {
  /** Readings that were not given before, in their order. */
  readonly rows: readonly DeltaRow[];
  /** Readings whose numbers are missing, and readings that came twice, since the run began. */
  readonly lost: number;
  readonly doubled: number;
  /** What is wrong with the reply; nothing of it was taken. */
  readonly wrong?: string;
  /** This look is of an earlier run. */
  readonly stale?: boolean;
}

export interface DeltaCollector {
  readonly run: number;
  /** Where the next reading to fetch lies, and how many are known to be there. */
  readonly next: number;
  readonly known: number;
  readonly clock: ClockZero | undefined;
  /** A run begins, its buffer is empty. */
  begin(): void;
  /** asked and t: when the last question went and its answer came, in microseconds. */
  take(look: DeltaLook, asked: number, t: number): DeltaNews;
}

/** Readings are taken by their place in the buffer, so that none is lost or doubled by a look that failed; gaps in their numbers are counted. */
export function deltaCollector(): DeltaCollector {
  const bounds = clockBounds();
  let run = 0;
  let next = 0;
  let known = 0;
  let last: number | undefined;
  let lost = 0;
  let doubled = 0;
  let looks: { readonly actual: number; readonly asked: number; readonly t: number }[] = [];

  const begin = (): void => {
    run++;
    next = known = lost = doubled = 0;
    last = undefined;
    looks = [];
    bounds.clear();
  };

  const count = (row: DeltaRow): void => {
    if (last !== undefined && row.number > last + 1) lost += row.number - last - 1;
    else if (last !== undefined && row.number <= last) doubled++;
    last = row.number;
  };

  /** What each look has said of when the reading at this place came. */
  const time = (place: number, row: DeltaRow): void => {
    for (const { actual, asked, t } of looks) {
      if (actual === place + 1) bounds.there(row.stamp, t);
      if (actual === place) bounds.notYet(row.stamp, asked);
    }
    looks = looks.filter(({ actual }) => actual > place);
  };

  return {
    get run() {
      return run;
    },
    get next() {
      return next;
    },
    get known() {
      return known;
    },
    get clock() {
      return bounds.now();
    },
    begin,
    take(look, asked, t) {
      if (look.run !== run) return { rows: [], lost, doubled, stale: true };
      if (!look.armed) return { rows: [], lost, doubled };
      const all: DeltaRow[] = [];
      for (const text of look.texts) {
        const rows = deltaRows(text, look.elements);
        if (typeof rows === 'string') return { rows: [], lost, doubled, wrong: rows };
        all.push(...rows);
      }
      // A look that was beside another one has some that were given by then.
      const fresh = all.slice(Math.max(0, next - look.from));
      fresh.forEach((row, i) => {
        count(row);
        time(next + i, row);
      });
      next += fresh.length;
      if (look.actual < next) {
        // Somebody has begun it anew at the instrument.
        begin();
        run--;
      }
      known = look.actual;
      looks.push({ actual: look.actual, asked, t });
      if (looks.length > 100) looks.shift();
      return { rows: fresh, lost, doubled };
    },
  };
}

// --- half-cycles that the host has stepped

export interface HalfCycle {
  /** V, or why there is none. */
  readonly volts: number | string;
  /** A, with its sign. */
  readonly amps: number;
  /** s of the meter's clock. */
  readonly stamp: number;
  readonly compliance: boolean;
}

export interface HalfRun {
  readonly rows: HalfCycle[];
  /** Seconds that may lie between a conversion and its arrival here. */
  readonly slack: number;
  readonly nplc: number;
  ended: boolean;
}

export interface HalfBlock {
  readonly rows: readonly HalfCycle[];
  readonly nplc: number;
  /** Where the meter's zero lies on our clock. */
  readonly clock: ClockZero | undefined;
}

const BLOCK = 12; // half-cycles of one block: an even number, so that each begins alike
const LEAST = 4; // of the last one: fewer make no resistance

/** Half-cycles as they come, in blocks, and the meter's clock by when they were seen. */
export function halfCollector(): {
  begin(nplc: number, slack: number): HalfRun;
  /** What is new: a block, or all that is left when the run has ended. t in microseconds. */
  look(t: number): HalfBlock | undefined;
} {
  const bounds = clockBounds();
  let run: HalfRun | undefined;
  let seen = 0;
  let given = 0;
  let before: number | undefined;
  return {
    begin(nplc, slack) {
      bounds.clear();
      seen = given = 0;
      before = undefined;
      run = { rows: [], slack, nplc, ended: false };
      return run;
    },
    look(t) {
      if (!run) return undefined;
      const { rows, nplc, slack, ended } = run;
      for (const row of rows.slice(seen)) {
        bounds.there(row.stamp, t);
        if (before !== undefined) bounds.notYet(row.stamp, before - slack * 1e6);
      }
      seen = rows.length;
      before = t;
      if (ended) run = undefined;
      else if (rows.length < given + BLOCK + LEAST) return undefined;
      const block = ended ? rows.slice(given) : rows.slice(given, given + BLOCK);
      given += block.length;
      return block.length === 0 ? undefined : { rows: block, nplc, clock: bounds.now() };
    },
  };
}
