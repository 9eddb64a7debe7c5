/** Pairs of a prompt and a delayed event, on time and off time, from blocks of events in any split, with all that a statement about them needs. */
import { type Agreement, agreement, type Counted, offTime, signal, singlesProduct } from './accidentals.ts';
import { CHUNK, type Pairs, pairColumns, queue, room } from './coincidence-columns.ts';
import { CUTS, type Cuts, wrongCuts } from './coincidence-cuts.ts';
import { addTime, type CaptureFit, type CaptureTimes, captureTimes, fitCapture } from './coincidence-fit.ts';
import { type Events, eventOrder, firstAfter, firstFrom } from './coincidence-order.ts';
import { veto } from './veto.ts';

export type { Pairs } from './coincidence-columns.ts';

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
  /** As of what has been settled so far. */
  now(): Coincidences;
  /** Rows there is room for: what the memory is. */
  readonly room: number;
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
  /** No prompt is in two off-time windows, with some nanoseconds between them: then its window can be told from its time. */
  const perStep = 1 / cuts.off.step;
  const apartWindows = !oneByOne && cuts.off.step > on1 - on0 + 4;
  const wait = Math.max(quiet, on1);
  const reach = Math.max(on1, windows > 0 ? shift[windows - 1] + on1 : 0);
  const keepPrompts = reach + wait;
  const keepQuiet = (oneByOne ? reach : on1) + wait + quiet;

  const muons = veto(cuts.veto, start);
  /** Prompts: t, energy, psd, delayed ones so far, number of the event, x, y, z. */
  const prompts = queue(8);
  /** Times of events that spoil isolation. */
  const others = queue(1);
  /** Pairs that wait until their isolation is known: window, number of the prompt, t, energy, psd, number among the others, x, y, z of the delayed. */
  const waiting = queue(9);
  /** Their columns, taken out anew whenever they have grown. */
  let [pt, pEnergy, pPsd, pMany, pNumber, px, py, pz] = prompts.columns;
  let [quietTimes] = others.columns;
  let [wWindow, wPrompt, wt, wEnergy, wPsd, wQuiet, wx, wy, wz] = waiting.columns;
  /** Whether an event has ever had a place: else the columns of places stay what they are, no numbers. */
  let placed = false;
  let current: Events | undefined;
  /** When the first of those is ready, until when the veto lasts, and all times on time: in a typed array, where numbers cost nothing to change. */
  const clock = new Float64Array([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0]);
  let [moved, movedOthers] = [0, 0]; // rows that have been dropped from the front of their columns
  const [low, high] = [new Int32Array(windows + 1), new Int32Array(windows + 1)]; // first prompt within, first prompt too near; last: on time
  let lowest = 0; // first prompt within reach of the last off-time window
  const off = new Float64Array(windows);
  const offIsolated = new Float64Array(windows);
  const histogram: number[] = [];
  const times: CaptureTimes = captureTimes(on0, on1);
  const out = pairColumns();
  let give: ((pairs: Pairs) => void) | undefined;
  let [events, prompt, delayed, found, isolated, ended] = [0, 0, 0, 0, 0, Number.NaN];

  const order = eventOrder(disorder, (block, from, to) => {
    const { t: times, energy: energies, psd: shapes } = block;
    current = block;
    if (block.x) placed = true;
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
        if (!covered && energy >= prompt0 && energy <= prompt1 && shapes[j] < promptShape) keep(t, energy, shapes[j], j, before + j);
      }
      if (!covered)
        for (let j = i; j < next; j++)
          if (energies[j] >= delayed0 && energies[j] <= delayed1 && shapes[j] >= delayedShape)
            search(t, energies[j], shapes[j], j, before + j);
      i = next;
    }
  });

  function spoils(t: number): void {
    if (others.to === quietTimes.length) {
      others.from = firstFrom(quietTimes, t - keepQuiet, others.from, others.to);
      movedOthers += room(others);
      [quietTimes] = others.columns;
    }
    quietTimes[others.to++] = t;
  }

  function keep(t: number, energy: number, psd: number, row: number, number: number): void {
    prompt++;
    if (prompts.to === pt.length) drop(t);
    const at = prompts.to++;
    pt[at] = t;
    pEnergy[at] = energy;
    pPsd[at] = psd;
    pMany[at] = 0;
    pNumber[at] = number;
    if (!placed) return;
    px[at] = current?.x?.[row] ?? Number.NaN;
    py[at] = current?.y?.[row] ?? Number.NaN;
    pz[at] = current?.z?.[row] ?? Number.NaN;
  }

  /** Prompts that no delayed can reach any more go; numbers of rows move with them. */
  function drop(t: number): void {
    const from = firstFrom(pt, t - keepPrompts, prompts.from, prompts.to);
    for (let i = prompts.from; i < from; i++) tally(histogram, pMany[i]);
    prompts.from = from;
    const by = room(prompts);
    [pt, pEnergy, pPsd, pMany, pNumber, px, py, pz] = prompts.columns;
    moved += by;
    lowest = Math.max(0, lowest - by);
    for (let k = 0; k <= windows; k++) {
      low[k] = Math.max(0, low[k] - by);
      high[k] = Math.max(0, high[k] - by);
    }
  }

  function search(t: number, energy: number, psd: number, row: number, number: number): void {
    delayed++;
    reachOf(windows, t);
    for (let p = low[windows], end = high[windows]; p < end; p++) pair(-1, p, t, energy, psd, row, number);
    if (windows === 0) return;
    if (apartWindows && few(t)) return;
    for (let k = windows - 1; k >= 0; k--) {
      reachOf(k, t);
      if (!oneByOne) off[k] += high[k] - low[k];
      else for (let p = low[k]; p < high[k]; p++) pair(k, p, t, energy, psd, row, number);
    }
  }

  /** Moves the ends of a window on to the prompts that this time has in it. */
  function reachOf(k: number, t: number): void {
    const { from, to } = prompts;
    const column = pt;
    let a = low[k] < from ? from : low[k];
    const first = t - far[k];
    while (a < to && column[a] < first) a++;
    let b = high[k] < a ? a : high[k];
    const last = t - near[k];
    while (b < to && column[b] <= last) b++;
    low[k] = a;
    high[k] = b;
  }

  /** Counts the off-time prompts of a delayed one by one, where there are fewer of them than ends of windows; false where there are more. */
  function few(t: number): boolean {
    const { from, to } = prompts;
    const column = pt;
    const first = t - far[windows - 1];
    let a = lowest < from ? from : lowest;
    while (a < to && column[a] < first) a++;
    lowest = a;
    if (to - a > 2 * windows) return false;
    const begin = near[0];
    const last = t - begin;
    for (let p = a; p < to; p++) {
      const at = column[p];
      if (at > last) break;
      const k = ((t - at - begin) * perStep) | 0;
      // Rounding may put it one window too low or too high; the ends themselves decide.
      if (at <= t - near[k] && at >= t - far[k]) off[k]++;
      else if (k + 1 < windows && at <= t - near[k + 1] && at >= t - far[k + 1]) off[k + 1]++;
      else if (k > 0 && at <= t - near[k - 1] && at >= t - far[k - 1]) off[k - 1]++;
    }
    return true;
  }

  function pair(window: number, p: number, t: number, energy: number, psd: number, row: number, number: number): void {
    if (pNumber[p] === number) return; // an event is no pair with itself
    if (apart !== undefined && !(distance(p, row) < apart)) return;
    if (window < 0) {
      const dt = t - pt[p];
      found++;
      clock[2] += dt;
      pMany[p]++;
      addTime(times, dt);
    } else {
      off[window]++;
      if (!giveOff) return;
    }
    if (waiting.to === wt.length) {
      room(waiting);
      [wWindow, wPrompt, wt, wEnergy, wPsd, wQuiet, wx, wy, wz] = waiting.columns;
    }
    if (waiting.to === waiting.from) clock[0] = t + wait;
    const at = waiting.to++;
    wWindow[at] = window;
    wPrompt[at] = p + moved;
    wt[at] = t;
    wEnergy[at] = energy;
    wPsd[at] = psd;
    wQuiet[at] = others.to + movedOthers;
    if (!placed) return;
    wx[at] = current?.x?.[row] ?? Number.NaN;
    wy[at] = current?.y?.[row] ?? Number.NaN;
    wz[at] = current?.z?.[row] ?? Number.NaN;
  }

  /** From a prompt to an event of the block; no number where one has no place. */
  function distance(p: number, row: number): number {
    const { x, y, z } = current ?? {};
    return x && y && z ? Math.hypot(x[row] - px[p], y[row] - py[p], z[row] - pz[p]) : Number.NaN;
  }

  /** Decides the pairs for which all that counts is before this time. */
  function settle(until: number): void {
    while (waiting.from < waiting.to && wt[waiting.from] + wait < until) decide(waiting.from++);
    if (waiting.from === waiting.to) waiting.from = waiting.to = 0;
    clock[0] = waiting.to > waiting.from ? wt[waiting.from] + wait : Number.POSITIVE_INFINITY;
  }

  function decide(row: number): void {
    const p = wPrompt[row] - moved;
    const [window, t] = [wWindow[row], wt[row]];
    const mine = isQuiet(pEnergy[p]) + isQuiet(wEnergy[row]);
    // Off time: what would stand between them if the delayed had come on time is looked for after the prompt.
    const spoiled =
      window < 0
        ? crowded(wQuiet[row] - movedOthers, pt[p] - quiet, t + quiet, mine)
        : within(pt[p] - quiet, t - shift[window]) + within(t, t + quiet) > mine;
    if (!spoiled) {
      if (window < 0) isolated++;
      else offIsolated[window]++;
    }
    if (!give) return;
    const i = out.count++;
    out.window[i] = window;
    out.tPrompt[i] = pt[p];
    out.tDelayed[i] = t;
    out.energyPrompt[i] = pEnergy[p];
    out.energyDelayed[i] = wEnergy[row];
    out.psdPrompt[i] = pPsd[p];
    out.psdDelayed[i] = wPsd[row];
    out.x[i] = px[p];
    out.y[i] = py[p];
    out.z[i] = pz[p];
    out.dx[i] = wx[row] - px[p];
    out.dy[i] = wy[row] - py[p];
    out.dz[i] = wz[row] - pz[p];
    out.isolated[i] = spoiled ? 0 : 1;
    out.multiplicity[i] = Math.min(65535, pMany[p]);
    if (out.count === CHUNK) flush();
  }

  const isQuiet = (energy: number): number => (energy >= quietLow && energy < quietHigh ? 1 : 0);
  function within(from: number, to: number): number {
    return firstAfter(quietTimes, to, others.from, others.to) - firstFrom(quietTimes, from, others.from, others.to);
  }

  /** Whether more than so many others are between two times, looked for from a row between them outwards. */
  function crowded(middle: number, from: number, to: number, many: number): boolean {
    let left = many;
    for (let i = middle; i < others.to && quietTimes[i] <= to; i++) if (--left < 0) return true;
    for (let i = middle - 1; i >= others.from && quietTimes[i] >= from; i--) if (--left < 0) return true;
    return false;
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
    // The fit takes milliseconds: it is made when somebody asks, of what is there now.
    const [kept, flat] = [{ ...times, counts: times.counts.slice() }, windows > 0 ? accidentals.value / found : 0];
    let fit: Coincidences['capture'] | undefined;
    const multiplicity = [...histogram];
    for (let i = prompts.from; i < prompts.to; i++) tally(multiplicity, pMany[i]);
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
      meanTime: clock[2] / found,
      accidentals,
      signal: signal(found, off),
      singles,
      agreement: agreement(accidentals, singles, windows),
      get capture() {
        fit ??= fitCapture(kept, flat);
        return fit;
      },
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
