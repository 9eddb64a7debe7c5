/**
 * Loops that hold an output on a measured quantity. Every change of the output is an order as any other. What is not measured well is not
 * acted upon: the output stays for the frames that the rig allows, and then goes down or off. Nothing begins by itself.
 */
import type { Clock } from './clock.ts';
import type { FeedbackStatus, OrderEntry, OrderOutcome } from './entry.ts';
import { type Frame, frames } from './feedback-frame.ts';
import { lawStep } from './feedback-law.ts';
import { type Loop, newLoop, patience, statusOf } from './feedback-loop.ts';
import { type Answer, type FeedbackSpec, outputName } from './feedback-spec.ts';
import type { OrderRequest } from './order.ts';
import { present, type Shown } from './ramp-present.ts';
import type { Reading } from './reading.ts';
import { show } from './units.ts';

/** What the loops need of the host. */
export interface FeedbackWorld {
  /** Gives an order as any other: limits, interlocks, lease and readback are its business. */
  place(request: OrderRequest, done: (order: OrderEntry) => void): void;
  /** Why this order can never be carried out, or undefined. */
  unfit(request: OrderRequest): string | undefined;
  /** The last good reading of the output's readback, or why there is none. */
  latest(spec: FeedbackSpec): Shown | string;
  /** Has the readback asked now. */
  refresh(spec: FeedbackSpec): void;
  /** By how much the readback may differ from what was ordered: less is no change worth an order. Its safe value, where it has one. */
  facts(spec: FeedbackSpec): { readonly resolution: number; readonly safe?: number };
  /** Words, once for each change of state. */
  told(from: string, text: string): void;
  /** A loop does not hold any more, and no person wanted that; undefined: it is over. */
  alarm(from: string, text: string | undefined): void;
}

type Done = (outcome: OrderOutcome, why?: string) => void;

export interface Feedbacks {
  /** Begins to hold at this value, from the output's present readback; of a loop that holds, the new target. `done` once it holds, or why not. */
  start(name: string, at: number, by: string, done: Done): void;
  /** Why it could not begin just now, though it may soon: what it holds is not measured well. */
  unready(name: string): string | undefined;
  /** The output stays where it is. Gives the reason why that cannot be. */
  release(name: string, by: string): string | undefined;
  /** Releases it and gives the safe value, as an order of this person. */
  off(name: string, by: string, done: (order: OrderEntry) => void): string | undefined;
  /** Readings come by here; they are looked at by `look`. */
  see(reading: Reading): void;
  /** All readings of one reply have come, with what is derived from them. */
  look(): void;
  /** Every entry of every order comes by: an order of somebody else for its output releases a loop. */
  seeOrder(order: OrderEntry): void;
  status(): readonly FeedbackStatus[];
  /** Releases all; each output stays where it is. */
  releaseAll(why: string): void;
  close(why: string): void;
}

const ASTRAY = 2; // readings that show something else, before it is believed
const UNREAD = 3; // frames without a good reading of the output
const LOOK = 1; // s, of the search for the present output
const LONGEST_STEP = 2; // intervals: what was missing meanwhile is not made up for
const DEADLINE = 2; // s, or intervals: a late order belongs to another measurement

export function feedbacks(specs: readonly FeedbackSpec[], clock: Clock, on: FeedbackWorld): Feedbacks {
  const loops = new Map(specs.map((spec) => [spec.name, newLoop(spec, frames(spec))]));
  const channels = new Set(specs.flatMap(({ holds, factor }) => [...holds, ...factor].map(({ of }) => of)));
  const touched = new Set<Loop>();
  let closed: string | undefined;

  const amount = ({ spec }: Loop, value: number): string => show(value, spec.unit);
  const shown = ({ spec, output }: Loop, value: number): string => `${output} ${show(value, spec.outputUnit)}`;
  const active = ({ state }: Loop): boolean => state === 'holding' || state === 'lost';

  /** It acts no more. `alone`: no person wanted that. */
  const release = (loop: Loop, why: string, alone: boolean): void => {
    const { begun } = loop;
    const was = loop.state;
    loop.cancel();
    loop.turn++;
    loop.begun = undefined;
    loop.limited = undefined;
    loop.state = was === 'starting' && !alone ? 'idle' : 'released';
    loop.why = why;
    begun?.('refused', why);
    if (was === 'starting') return;
    on.told(loop.by, `released: ${why}`);
    on.alarm(loop.by, alone ? `released: ${why}` : undefined);
  };

  const requestOf = ({ spec, by }: Loop, value: number): OrderRequest => ({
    by,
    instrument: spec.instrument,
    command: spec.command,
    ...(spec.index === undefined ? {} : { index: spec.index }),
    value,
  });

  // --- lost
  const answer = (loop: Loop, then: Answer, why: string): void => {
    const { low, safe } = { low: loop.spec.limits.output[0], safe: on.facts(loop.spec).safe };
    if (then === 'hold') {
      loop.state = 'lost';
      loop.good = 0;
      loop.why = why;
      loop.frames.restart();
      on.told(loop.by, `lost: ${why}; ${shown(loop, loop.sent)} stays`);
      on.alarm(loop.by, `lost: ${why}`);
      return;
    }
    // An order of its own that has not ended would be waited for: only the safe value does not wait.
    const off = (then === 'off' || loop.pending.size > 0) && safe !== undefined;
    const value = off ? safe : low;
    release(loop, `${why}; ${off ? 'off' : 'lowered'}: ${shown(loop, value)}`, true);
    on.place(requestOf(loop, value), ({ outcome, why: no }) => {
      if (outcome === 'done' || outcome === 'sent') return;
      on.told(loop.by, `${shown(loop, value)}: ${outcome}${no === undefined ? '' : `: ${no}`}`);
      // Where somebody has given an order meanwhile, the output is his.
      if (!off && safe !== undefined && value !== safe && loop.state === 'released' && loop.pending.size === 0)
        on.place(requestOf(loop, safe), () => {});
    });
  };

  const missing = (loop: Loop): void => {
    if (loop.state !== 'holding') return;
    const { last } = loop.frames;
    const since = last ? clock.mono() - last.mono : 0;
    const before = loop.lost > 0 && last?.why !== undefined ? `; before that ${last.why}` : '';
    answer(loop, loop.spec.lost.then, `${loop.frames.missing} for ${since.toFixed(2)} s${before}`);
  };
  const watch = (loop: Loop): void => {
    loop.cancel();
    if (loop.state === 'holding') loop.cancel = clock.after(patience(loop), () => missing(loop));
  };

  // --- a step
  const order = (loop: Loop, value: number, safe: number | undefined): void => {
    const { turn } = loop;
    const deadline = Math.max(DEADLINE, DEADLINE * (loop.frames.interval ?? 0));
    loop.sent = value;
    // A safe value that the law has come to is no emergency: it waits for its turn.
    const request = { ...requestOf(loop, value), deadline, ...(value === safe ? { orderly: true } : {}) };
    on.place(request, ({ outcome, why }) => {
      if (loop.turn !== turn) return;
      loop.ended = clock.mono();
      if (outcome === 'done' || outcome === 'sent') return;
      release(loop, `the order ${shown(loop, value)}: ${outcome}${why === undefined ? '' : `: ${why}`}`, true);
    });
  };

  /** False where the output is not what was ordered, and the loop has been released. */
  const followed = (loop: Loop, resolution: number): boolean => {
    const is = on.latest(loop.spec);
    if (typeof is === 'string') {
      if (++loop.unread <= UNREAD) return true;
      release(loop, `where the output is now is not known: ${is}`, true);
      return false;
    }
    loop.unread = 0;
    if (is.t <= loop.shown) return true;
    loop.shown = is.t;
    // What was read before the last order ended may be of before.
    if ((clock.now() - is.t) / 1e6 > clock.mono() - loop.ended) return true;
    loop.astray = Math.abs(is.value - loop.sent) > 2 * resolution + 1e-12 ? loop.astray + 1 : 0;
    if (loop.astray < ASTRAY) return true;
    release(
      loop,
      `the output shows ${show(is.value, loop.spec.outputUnit)}, and ${show(loop.sent, loop.spec.outputUnit)} was ordered`,
      true,
    );
    return false;
  };

  const step = (loop: Loop, frame: Frame & { readonly value: number }): void => {
    const { spec, stepped } = loop;
    if (loop.pending.size > 0) return; // the next step is then as long as both
    const { resolution, safe } = on.facts(spec);
    if (!followed(loop, resolution)) return;
    const now = clock.mono();
    const longest = LONGEST_STEP * (loop.frames.interval ?? Number.POSITIVE_INFINITY);
    const dt = Math.min((frame.t - stepped.t) / 1e6, longest);
    // Files that come together were not measured together: the output has its own time.
    const own = spec.limits.rate * Math.min(dt, now - stepped.mono);
    const since = spec.limits.rate * (now - loop.ended);
    const room = [Math.max(loop.law.output - own, loop.sent - since), Math.min(loop.law.output + own, loop.sent + since)] as const;
    const { limited, ...law } = lawStep(spec, loop.law, frame.value, loop.target, dt, room);
    loop.law = law;
    loop.limited = limited;
    loop.stepped = { t: frame.t, mono: now };
    if (Math.abs(law.output - loop.sent) <= resolution) return;
    order(loop, safe !== undefined && Math.abs(law.output - safe) <= resolution ? safe : law.output, safe);
  };

  /** From what is measured now, with the output where it is. */
  const rebase = (loop: Loop, frame: Frame & { readonly value: number }, output: number): void => {
    const setpoint = loop.spec.ramp === undefined ? loop.target : frame.value;
    loop.law = { output, measured: frame.value, setpoint };
    loop.stepped = { t: frame.t, mono: clock.mono() };
    loop.limited = undefined;
    loop.lost = 0;
    loop.why = undefined;
    loop.state = 'holding';
    on.alarm(loop.by, undefined);
  };

  const take = (loop: Loop, frame: Frame): void => {
    if (frame.why !== undefined) {
      loop.good = 0;
      if (loop.state !== 'holding') return;
      loop.lost++;
      if (loop.lost >= loop.spec.lost.frames) answer(loop, frame.jumped ? loop.spec.lost.jumped : loop.spec.lost.then, frame.why);
      else watch(loop);
      return;
    }
    if (loop.state === 'lost') {
      if (++loop.good < loop.spec.lost.frames) return;
      rebase(loop, frame, loop.sent);
      on.told(loop.by, `goes on: measured ${amount(loop, frame.value)}, ${shown(loop, loop.sent)}`);
    } else {
      loop.lost = 0;
      step(loop, frame);
    }
    watch(loop);
  };

  // --- the start
  /** The last frame, where something can begin with it. */
  const ready = (loop: Loop): (Frame & { readonly value: number }) | string => {
    const { last } = loop.frames;
    if (!last) return loop.frames.missing;
    if (last.why !== undefined) return last.why;
    const age = clock.mono() - last.mono;
    return age > patience(loop) ? `${loop.frames.missing} for ${age.toFixed(1)} s` : last;
  };
  const begin = (loop: Loop, is: Shown): void => {
    const { spec } = loop;
    const [low, high] = spec.limits.output;
    const { resolution } = on.facts(spec);
    const frame = ready(loop);
    if (typeof frame === 'string') {
      release(loop, frame, true);
      return;
    }
    if (!(is.value >= low - resolution && is.value <= high + resolution)) {
      const limits = `${show(low, spec.outputUnit)} to ${show(high, spec.outputUnit)}`;
      release(loop, `${shown(loop, is.value)} is outside of the limits of the loop (${limits}): it begins where the output is`, true);
      return;
    }
    const output = Math.min(Math.max(is.value, low), high);
    const { begun } = loop;
    loop.begun = undefined;
    Object.assign(loop, { sent: output, ended: clock.mono(), astray: 0, unread: 0, shown: is.t });
    rebase(loop, frame, output);
    loop.frames.restart();
    watch(loop);
    on.told(loop.by, `holds ${amount(loop, loop.target)} from ${amount(loop, frame.value)}, ${shown(loop, output)}`);
    begun?.('done');
  };

  const unfit = (loop: Loop, at: number): string | undefined => {
    const [low, high] = loop.spec.limits.setpoint;
    if (!(at >= low && at <= high))
      return `${amount(loop, at)} is outside of the set points of ${loop.spec.name} (${amount(loop, low)} to ${amount(loop, high)})`;
    for (const end of loop.spec.limits.output) {
      const why = on.unfit(requestOf(loop, end));
      if (why !== undefined) return why;
    }
    const frame = active(loop) ? undefined : ready(loop);
    return typeof frame === 'string' ? frame : undefined;
  };

  const find = (name: string): Loop | string =>
    loops.get(name) ??
    (loops.size === 0 ? 'this rig has no feedback' : `there is no feedback "${name}"; the rig has ${[...loops.keys()].join(', ')}`);

  return {
    start(name, at, by, done) {
      const loop = find(name);
      const why = typeof loop === 'string' ? loop : (closed ?? (loop.begun ? `${name} is being started` : unfit(loop, at)));
      if (typeof loop === 'string' || why !== undefined) {
        done('refused', why);
        return;
      }
      loop.target = at;
      if (active(loop)) {
        if (loop.spec.ramp === undefined) loop.law = { ...loop.law, setpoint: at };
        on.told(loop.by, `holds ${amount(loop, at)} from now on (${by})`);
        done('done');
        return;
      }
      const turn = ++loop.turn;
      loop.state = 'starting';
      loop.why = undefined;
      loop.begun = done;
      const { spec } = loop;
      present(
        {
          every: LOOK,
          band: 2 * on.facts(spec).resolution,
          latest: () => on.latest(spec),
          refresh: () => on.refresh(spec),
          busy: () => loop.pending.size > 0,
          over: () => loop.turn !== turn,
        },
        clock,
        (is) => begin(loop, is),
        (no) => release(loop, `where the output is now is not known: ${no}`, true),
      );
    },
    unready(name) {
      const loop = loops.get(name);
      const frame = loop && !active(loop) ? ready(loop) : undefined;
      return typeof frame === 'string' ? frame : undefined;
    },
    release(name, by) {
      const loop = find(name);
      if (typeof loop === 'string') return loop;
      if (!active(loop) && loop.state !== 'starting') return `${name} does not hold anything`;
      release(loop, `by ${by}; ${loop.output} stays where it is`, false);
      return undefined;
    },
    off(name, by, done) {
      const loop = find(name);
      if (typeof loop === 'string') return loop;
      const { safe } = on.facts(loop.spec);
      if (safe === undefined) return `${loop.output} has no safe value; release ${name}, and order what is right`;
      if (active(loop) || loop.state === 'starting') release(loop, `switched off by ${by}`, false);
      on.place({ ...requestOf(loop, safe), by }, done);
      return undefined;
    },
    see(reading) {
      if (!channels.has(reading.from)) return; // a look at the clock costs
      for (const loop of loops.values()) if (loop.frames.see(reading, clock.now())) touched.add(loop);
    },
    look() {
      if (touched.size === 0) return;
      const all = [...touched];
      touched.clear();
      for (const loop of all) {
        const frame = loop.frames.take(clock.mono());
        if (!frame) continue;
        if (active(loop)) take(loop, frame);
        else if (frame.why !== undefined && frame.jumped) loop.frames.restart(); // nothing was held by the old factor
      }
    },
    seeOrder(entry) {
      for (const loop of loops.values()) {
        if (outputName(entry) !== loop.output) continue;
        if (entry.outcome !== undefined) loop.pending.delete(entry.id);
        else loop.pending.add(entry.id);
        const other = entry.outcome === undefined && entry.by !== loop.by;
        if (!other || !(active(loop) || loop.state === 'starting')) continue;
        const value = typeof entry.value === 'number' ? show(entry.value, loop.spec.outputUnit) : String(entry.value ?? '');
        release(loop, `${loop.output} was ordered ${value} (${entry.by})`, false);
      }
    },
    status: () => [...loops.values()].map(statusOf),
    releaseAll(why) {
      for (const loop of loops.values()) if (active(loop) || loop.state === 'starting') release(loop, why, false);
    },
    close(why) {
      closed = why;
      for (const loop of loops.values()) if (active(loop) || loop.state === 'starting') release(loop, why, false);
    },
  };
}
