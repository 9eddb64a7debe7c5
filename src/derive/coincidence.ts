/** Pairs of a prompt and a delayed event, on time and off time, from blocks of events in any split, with all that a statement about them needs. */
import { type Agreement, agreement, type Counted, offTime, signal, singlesProduct } from './accidentals.ts';
import { CUTS, type Cuts, wrongCuts } from './coincidence-cuts.ts';
import { addTime, type CaptureFit, type CaptureTimes, captureTimes, fitCapture } from './coincidence-fit.ts';
import { type Events, eventOrder, firstAfter, firstFrom } from './coincidence-order.ts';
import { veto } from './veto.ts';

/** Pairs in columns, the first `count` rows of them; it is filled again after the call that gave it. Nanoseconds, MeVee, cm. */
export interface Pairs {
  count: number;
  /** -1 on time, else the number of the off-time window. */
  readonly window: Int16Array;
  readonly tPrompt: Float64Array;
  readonly tDelayed: Float64Array;
  readonly energyPrompt: Float64Array;
  readonly energyDelayed: Float64Array;
  readonly psdPrompt: Float64Array;
  readonly psdDelayed: Float64Array;
  /** The prompt's place, and delayed less prompt; NaN where an event had no place. */
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly z: Float64Array;
  readonly dx: Float64Array;
  readonly dy: Float64Array;
  readonly dz: Float64Array;
  /** 1 or 0. */
  readonly isolated: Uint8Array;
  /** Delayed candidates that this prompt has on time. */
  readonly multiplicity: Uint16Array;
}

export interface Coincidences {
  readonly cuts: Cuts;
  /** Nanoseconds: the run, what of it was vetoed, and the rest. */
  readonly run: readonly [start: number, end: number];
  readonly vetoed: number;
  readonly live: number;
  readonly events: number;
  readonly muons: number;
  readonly prompts: number;
  readonly delayeds: number;
  readonly pairs: number;
  readonly isolated: number;
  readonly off: readonly number[];
  /** Isolated off-time pairs; only where those are looked at one by one. */
  readonly offIsolated: readonly number[] | undefined;
  /** How many prompts have 0, 1, 2 ... delayed candidates on time. */
  readonly multiplicity: readonly number[];
  /** Nanoseconds; NaN without pairs. */
  readonly meanTime: number;
  readonly accidentals: Counted;
  readonly signal: Counted;
  /** The check: accidentals from the rates of the candidates, and whether it agrees with the off-time windows within three sigma. */
  readonly singles: Counted;
  readonly agreement: Agreement;
  readonly capture: CaptureFit | { readonly none: string };
  /** Of the input: twice there, after `disorder` was over, without a time. */
  readonly doubled: number;
  readonly late: number;
  readonly untimed: number;
}

export interface PairOptions {
  /** Nanoseconds that an event may come after a later one; otherwise 1 ms. */
  readonly disorder?: number;
  /** When the run begins, ns; otherwise 0. */
  readonly start?: number;
  /** Off-time pairs are given too, one by one; otherwise they are only counted. */
  readonly giveOff?: boolean;
}

export interface PairFinder {
  take(block: Events, give?: (pairs: Pairs) => void): void;
  /** The run is over at this time (ns): gives the rest. Nothing can be taken after that. */
  end(at: number, give?: (pairs: Pairs) => void): Coincidences;
  /** As of what has been settled so far. The fit of the capture time takes milliseconds. */
  now(): Coincidences;
  /** Rows there is room for: what the memory is. */
  readonly room: number;
}

const CHUNK = 1024;
const pairs = (): Pairs => {
  const column = (): Float64Array => new Float64Array(CHUNK);
  return {
    count: 0,
    window: new Int16Array(CHUNK),
    tPrompt: column(),
    tDelayed: column(),
    energyPrompt: column(),
    energyDelayed: column(),
    psdPrompt: column(),
    psdDelayed: column(),
    x: column(),
    y: column(),
    z: column(),
    dx: column(),
    dy: column(),
    dz: column(),
    isolated: new Uint8Array(CHUNK),
    multiplicity: new Uint16Array(CHUNK),
  };
};

/** A queue of rows in columns: grows at the end, is dropped from the front. */
interface Queue {
  columns: Float64Array[];
  from: number;
  to: number;
}
const queue = (columns: number): Queue => ({ columns: Array.from({ length: columns }, () => new Float64Array(1024)), from: 0, to: 0 });

/** Makes room for one more row: moves what is there to the front, or doubles. Gives how far rows have moved. */
function room(q: Queue): number {
  const capacity = q.columns[0].length;
  if (q.to < capacity) return 0;
  const { from, to } = q;
  if (from > capacity / 2) for (const column of q.columns) column.copyWithin(0, from, to);
  else
    q.columns = q.columns.map((column) => {
      const larger = new Float64Array(2 * capacity);
      larger.set(column.subarray(from, to));
      return larger;
    });
  q.from = 0;
  q.to = to - from;
  return from;
}

/**
 * Counts and gives every combination of a prompt and a delayed candidate whose times differ by what the window allows; one event may stand in
 * several pairs. Memory is what the rates make of the longest window, and no more. Throws a RangeError for cuts that cannot be (`wrongCuts`
 * says so beforehand).
 */
export function pairFinder(cuts: Cuts = CUTS, options: PairOptions = {}): PairFinder {
  const wrong = wrongCuts(cuts);
  if (wrong !== undefined) throw new RangeError(`pairFinder: ${wrong}`);
  const { start = 0, disorder = 1e6, giveOff = false } = options;
  const [on0, on1] = cuts.window;
  const windows = cuts.off.count;
  const shift = Float64Array.from({ length: windows }, (_, k) => cuts.off.first + k * cuts.off.step);
  const { time: quiet, low: quietLow, high: quietHigh } = cuts.isolation;
  const { apart, muon, promptShape, delayedShape } = cuts;
  const [prompt0, prompt1] = cuts.prompt;
  const [delayed0, delayed1] = cuts.delayed;
  // Ends of the windows; the last is the one on time.
  const near = Float64Array.from({ length: windows + 1 }, (_, k) => on0 + (k === windows ? 0 : shift[k]));
  const far = Float64Array.from({ length: windows + 1 }, (_, k) => on1 + (k === windows ? 0 : shift[k]));
  const oneByOne = giveOff || apart !== undefined;
  const wait = Math.max(quiet, on1);
  const reach = Math.max(on1, windows > 0 ? shift[windows - 1] + on1 : 0);
  const keepPrompts = reach + wait;
  const keepQuiet = (oneByOne ? reach : on1) + wait + quiet;

  const muons = veto(cuts.veto, start);
  /** Prompts: t, energy, psd, x, y, z, delayed ones so far, number of the event. */
  const prompts = queue(8);
  /** Times of events that spoil isolation. */
  const others = queue(1);
  /** Pairs that wait until their isolation is known: window, number of the prompt, t, energy, psd, x, y, z of the delayed. */
  const waiting = queue(8);
  /** When the first of those is ready, and until when the veto lasts: in a typed array, where numbers cost nothing to change. */
  const clock = new Float64Array([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
  let moved = 0; // prompts that have been dropped from the front of their columns
  const [low, high] = [new Int32Array(windows + 1), new Int32Array(windows + 1)]; // first prompt within, first prompt too near; last: on time
  const off = new Float64Array(windows);
  const offIsolated = new Float64Array(windows);
  const histogram: number[] = [];
  const times: CaptureTimes = captureTimes(on0, on1);
  const out = pairs();
  let give: ((pairs: Pairs) => void) | undefined;
  let [events, prompt, delayed, found, isolated, sum, ended] = [0, 0, 0, 0, 0, 0, Number.NaN];

  const order = eventOrder(disorder, (block, from, to) => {
    const { t: times, energy: energies, psd: shapes } = block;
    const before = events - from;
    events += to - from;
    for (let i = from; i < to; ) {
      const t = times[i];
      let next = i + 1;
      while (next < to && times[next] === t) next++;
      if (clock[0] < t) settle(t);
      for (let j = i; j < next; j++) {
        if (!(energies[j] >= muon)) continue;
        muons.muon(t);
        clock[1] = t + cuts.veto;
      }
      const covered = t <= clock[1];
      // At one time all prompts first, so that a window that begins at zero sees them.
      for (let j = i; j < next; j++) {
        const energy = energies[j];
        if (energy >= quietLow && energy < quietHigh) spoils(t);
        if (!covered && energy >= prompt0 && energy <= prompt1 && shapes[j] < promptShape) keep(block, j, before + j);
      }
      if (!covered)
        for (let j = i; j < next; j++)
          if (energies[j] >= delayed0 && energies[j] <= delayed1 && shapes[j] >= delayedShape) search(block, j, before + j);
      i = next;
    }
  });

  function spoils(t: number): void {
    if (others.to === others.columns[0].length) {
      others.from = firstFrom(others.columns[0], t - keepQuiet, others.from, others.to);
      room(others);
    }
    others.columns[0][others.to++] = t;
  }

  function keep(block: Events, row: number, number: number): void {
    const t = block.t[row];
    prompt++;
    if (prompts.to === prompts.columns[0].length) drop(t);
    const c = prompts.columns;
    const at = prompts.to++;
    c[0][at] = t;
    c[1][at] = block.energy[row];
    c[2][at] = block.psd[row];
    c[3][at] = block.x ? block.x[row] : Number.NaN;
    c[4][at] = block.y ? block.y[row] : Number.NaN;
    c[5][at] = block.z ? block.z[row] : Number.NaN;
    c[6][at] = 0;
    c[7][at] = number;
  }

  /** Prompts that no delayed can reach any more go; numbers of rows move with them. */
  function drop(t: number): void {
    const from = firstFrom(prompts.columns[0], t - keepPrompts, prompts.from, prompts.to);
    for (let i = prompts.from; i < from; i++) tally(histogram, prompts.columns[6][i]);
    prompts.from = from;
    const by = room(prompts);
    moved += by;
    for (let k = 0; k <= windows; k++) {
      low[k] = Math.max(0, low[k] - by);
      high[k] = Math.max(0, high[k] - by);
    }
  }

  function search(block: Events, row: number, number: number): void {
    const t = block.t[row];
    const pt = prompts.columns[0];
    const { from, to } = prompts;
    delayed++;
    for (let k = windows; k >= 0; k--) {
      let a = low[k] < from ? from : low[k];
      const first = t - far[k];
      while (a < to && pt[a] < first) a++;
      let b = high[k] < a ? a : high[k];
      const last = t - near[k];
      while (b < to && pt[b] <= last) b++;
      low[k] = a;
      high[k] = b;
      if (k < windows && !oneByOne) off[k] += b - a;
      else for (let p = a; p < b; p++) pair(k === windows ? -1 : k, p, block, row, number);
    }
  }

  function pair(window: number, p: number, block: Events, row: number, number: number): void {
    const c = prompts.columns;
    if (c[7][p] === number) return; // an event is no pair with itself
    const [x, y, z] = [block.x?.[row] ?? Number.NaN, block.y?.[row] ?? Number.NaN, block.z?.[row] ?? Number.NaN];
    if (apart !== undefined && !(Math.hypot(x - c[3][p], y - c[4][p], z - c[5][p]) < apart)) return;
    if (window < 0) {
      const dt = block.t[row] - c[0][p];
      found++;
      sum += dt;
      c[6][p]++;
      addTime(times, dt);
    } else {
      off[window]++;
      if (!giveOff) return;
    }
    if (waiting.to === waiting.columns[0].length) room(waiting);
    if (waiting.to === waiting.from) clock[0] = block.t[row] + wait;
    const w = waiting.columns;
    const at = waiting.to++;
    w[0][at] = window;
    w[1][at] = p + moved;
    w[2][at] = block.t[row];
    w[3][at] = block.energy[row];
    w[4][at] = block.psd[row];
    w[5][at] = x;
    w[6][at] = y;
    w[7][at] = z;
  }

  /** Decides the pairs for which all that counts is before this time. */
  function settle(until: number): void {
    const w = waiting.columns;
    while (waiting.from < waiting.to && w[2][waiting.from] + wait < until) decide(waiting.from++);
    if (waiting.from === waiting.to) waiting.from = waiting.to = 0;
    clock[0] = waiting.to > waiting.from ? w[2][waiting.from] + wait : Number.POSITIVE_INFINITY;
  }

  function decide(row: number): void {
    const w = waiting.columns;
    const c = prompts.columns;
    const p = w[1][row] - moved;
    const [window, t] = [w[0][row], w[2][row]];
    // Off time: what would stand between them if the delayed had come on time is looked for after the prompt.
    const between = window < 0 ? t : t - shift[window];
    const mine = isQuiet(c[1][p]) + isQuiet(w[3][row]);
    const spoiled = (window < 0 ? within(c[0][p] - quiet, t + quiet) : within(c[0][p] - quiet, between) + within(t, t + quiet)) > mine;
    if (!spoiled) {
      if (window < 0) isolated++;
      else offIsolated[window]++;
    }
    if (!give) return;
    const i = out.count++;
    out.window[i] = window;
    out.tPrompt[i] = c[0][p];
    out.tDelayed[i] = t;
    out.energyPrompt[i] = c[1][p];
    out.energyDelayed[i] = w[3][row];
    out.psdPrompt[i] = c[2][p];
    out.psdDelayed[i] = w[4][row];
    out.x[i] = c[3][p];
    out.y[i] = c[4][p];
    out.z[i] = c[5][p];
    out.dx[i] = w[5][row] - c[3][p];
    out.dy[i] = w[6][row] - c[4][p];
    out.dz[i] = w[7][row] - c[5][p];
    out.isolated[i] = spoiled ? 0 : 1;
    out.multiplicity[i] = Math.min(65535, c[6][p]);
    if (out.count === CHUNK) flush();
  }

  const isQuiet = (energy: number): number => (energy >= quietLow && energy < quietHigh ? 1 : 0);
  function within(from: number, to: number): number {
    const t = others.columns[0];
    return firstAfter(t, to, others.from, others.to) - firstFrom(t, from, others.from, others.to);
  }

  function flush(): void {
    if (out.count > 0) give?.(out);
    out.count = 0;
  }

  function now(): Coincidences {
    const until = Number.isNaN(ended) ? Math.max(start, Number.isFinite(order.settled) ? order.settled : start) : ended;
    const vetoed = muons.total(until);
    const live = until - start - vetoed;
    const accidentals = offTime(off);
    const singles = singlesProduct(prompt, delayed, on1 - on0, live);
    const multiplicity = [...histogram];
    for (let i = prompts.from; i < prompts.to; i++) tally(multiplicity, prompts.columns[6][i]);
    return {
      cuts,
      run: [start, until],
      vetoed,
      live,
      events,
      muons: muons.muons,
      prompts: prompt,
      delayeds: delayed,
      pairs: found,
      isolated,
      off: [...off],
      offIsolated: giveOff ? [...offIsolated] : undefined,
      multiplicity,
      meanTime: sum / found,
      accidentals,
      signal: signal(found, off),
      singles,
      agreement: agreement(accidentals, singles, windows),
      capture: fitCapture(times, windows > 0 ? accidentals.value / found : 0),
      doubled: order.doubled,
      late: order.late,
      untimed: order.untimed,
    };
  }

  return {
    take(block, to) {
      if (!Number.isNaN(ended)) throw new RangeError('pairFinder: the run has ended');
      give = to;
      order.take(block);
      settle(order.settled);
      flush();
    },
    end(at, to) {
      give = to;
      order.end();
      settle(Number.POSITIVE_INFINITY);
      flush();
      ended = at;
      return now();
    },
    now,
    get room() {
      return [prompts, others, waiting].reduce((rows, q) => rows + q.columns[0].length, 0);
    },
  };
}

function tally(histogram: number[], n: number): void {
  while (histogram.length <= n) histogram.push(0);
  histogram[n]++;
}
