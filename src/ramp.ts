/** Ramps: orders that go in steps from where the output is now. Nothing here jumps; what cannot be read back does not move on. */
import { type Clock, every } from './clock.ts';
import type { OrderEntry, OrderOutcome, RampStatus } from './entry.ts';
import type { OrderRequest } from './order.ts';
import { present, type Shown } from './ramp-present.ts';
import { lasting, nextStep, type Output, type Ramp, type RampSpec } from './ramp-state.ts';
import { show } from './units.ts';

export type { Shown } from './ramp-present.ts';
export type { RampSpec } from './ramp-state.ts';

/** What ramps need of the host. */
export interface RampWorld {
  /** Gives one step, an order as any other: limits, interlocks, lease and readback are its business. Not asked again whether it is ramped. */
  place(request: OrderRequest, done: (order: OrderEntry) => void): void;
  /** Why this order can never be carried out (unknown, outside of its limits, index), or undefined. */
  unfit(request: OrderRequest): string | undefined;
  /** The last good, fresh reading of the readback, or why there is none. */
  latest(instrument: string, command: string, index: number | undefined): Shown | string;
  /** Has the readback asked now. */
  refresh(instrument: string, command: string, index: number | undefined): void;
  /** Words, once for each change of state. */
  told(from: string, text: string): void;
  /** The state of a ramp has changed. */
  change(): void;
}

/** `left`: seconds until its end, while it is ramping. */
export interface RampShown extends RampStatus {
  readonly left?: number;
}

export interface Ramps {
  /** True for an order that must be ramped: a number for a command of the list that is not its safe value. */
  takes(request: OrderRequest): boolean;
  /** `done` is called once, at the end of the whole ramp. Throws for an order that it does not take. */
  start(request: OrderRequest, done: (outcome: OrderOutcome, why?: string) => void): void;
  /** Output: instrument.command or instrument.command[index]. They give the reason why it cannot be done. */
  hold(output: string, by: string): string | undefined;
  resume(output: string, by: string): string | undefined;
  stop(output: string, by: string, why: string): string | undefined;
  /** Every entry of every order comes by: a safe order ends the ramp of its output at once. */
  seeOrder(order: OrderEntry): void;
  /** The last ramp of each output. */
  status(): readonly RampShown[];
  /** Ends all that ramp; each output stays where it is. */
  close(why: string): void;
}

const DEADLINE = 30; // s, as of other orders
const SILENT = 3; // intervals between steps
const JITTER = 0.1; // of an interval: timers are late by some milliseconds, and the next on the grid is then early by as many
const AFTER_LATE = 0.6; // of an interval
const SLACK = [1.5, 60] as const; // of the time that a ramp needs, and seconds

const same = (spec: RampSpec, order: Pick<OrderRequest, 'instrument' | 'command'>): boolean =>
  spec.instrument === order.instrument && spec.command === order.command;

export function ramps(specs: readonly RampSpec[], clock: Clock, on: RampWorld): Ramps {
  const outputs = new Map<string, Output>();
  let closed: string | undefined;

  const outputOf = (spec: RampSpec, index: number | undefined): Output => {
    const name = `${spec.instrument}.${spec.command}${index === undefined ? '' : `[${index}]`}`;
    const known = outputs.get(name);
    if (known) return known;
    const made: Output = { name, spec, stepping: false, safes: new Set(), notBefore: Number.NEGATIVE_INFINITY };
    outputs.set(name, made);
    return made;
  };
  const words = (out: Output, value: number): string => show(value, out.spec.unit);
  const latest = ({ request }: Ramp): Shown | string => on.latest(request.instrument, request.command, request.index);

  /** Its one end. */
  const end = (out: Output, ramp: Ramp, outcome: OrderOutcome, why?: string): void => {
    if (ramp.ended) return;
    ramp.ended = true;
    ramp.cancel();
    ramp.state = outcome === 'done' ? 'done' : 'stopped';
    ramp.why = why;
    if (out.ramp === ramp) out.ramp = undefined;
    if (ramp.begun) {
      on.told(out.name, `ramp to ${words(out, ramp.to)}: ${why ?? outcome}`);
      on.change();
    }
    ramp.done(outcome, why);
  };
  const place = (out: Output, { at, before }: Ramp): string =>
    out.stepping ? `between ${words(out, before)} and ${words(out, at)}` : `at ${words(out, at)}`;
  const halt = (out: Output, ramp: Ramp, why: string): void =>
    end(out, ramp, 'failed', `stopped${ramp.begun ? ` ${place(out, ramp)}` : ''}: ${why}`);
  /** By itself, or because somebody says so: nothing else happens to the output. */
  const leave = (out: Output, ramp: Ramp, why: string): void => halt(out, ramp, `${why}; the output stays where it is`);
  /** What has nothing to do with it has come between. */
  const cut = (out: Output, ramp: Ramp, why: string): void =>
    end(out, ramp, 'failed', `${why}${ramp.begun ? `; the ramp was ${place(out, ramp)}` : ''}`);

  const locate = (out: Output, ramp: Ramp, found: (shown: Shown) => void): void => {
    const { instrument, command, every, band } = out.spec;
    const over = (): boolean => {
      if (!ramp.begun && !ramp.ended && clock.mono() > ramp.until) end(out, ramp, 'expired', LATE);
      return ramp.ended;
    };
    ramp.locating = true;
    present(
      {
        every,
        band,
        latest: () => latest(ramp),
        refresh: () => on.refresh(instrument, command, ramp.request.index),
        busy: () => out.stepping || out.safes.size > 0,
        over,
      },
      clock,
      (shown) => {
        ramp.locating = false;
        found(shown);
      },
      (why) => {
        ramp.locating = false;
        if (ramp.begun) leave(out, ramp, nowhere(why));
        else end(out, ramp, 'refused', nowhere(why));
      },
    );
  };

  /** From here on. */
  const rebase = (out: Output, ramp: Ramp, { value, t }: Shown): void => {
    Object.assign(ramp, { base: value, at: value, before: value, count: 0, seen: t, silent: 0 });
    ramp.limit = clock.mono() + (Math.abs(ramp.to - value) / out.spec.rate) * SLACK[0] + SLACK[1];
  };

  const begin = (out: Output, ramp: Ramp, shown: Shown): void => {
    const { rate } = out.spec;
    rebase(out, ramp, shown);
    ramp.begun = true;
    ramp.from = shown.value;
    ramp.state = ramp.held ? 'held' : 'ramping';
    out.shown = ramp;
    const time = lasting(Math.abs(ramp.to - ramp.from) / rate);
    const rest = ramp.held ? '; it is held' : '';
    on.told(out.name, `ramp to ${words(out, ramp.to)}: from ${words(out, ramp.from)} at ${words(out, rate * 60)}/min, ${time}${rest}`);
    on.change();
    ramp.cancel = clock.after(Math.max(0, out.notBefore - clock.mono()), () => {
      ramp.cancel = every(clock, out.spec.every, () => tick(out, ramp));
      if (!ramp.held && !ramp.locating) step(out, ramp);
    });
  };

  /** False where the ramp has been stopped. */
  const watched = (out: Output, ramp: Ramp): boolean => {
    const { band, every: interval } = out.spec;
    const shown = latest(ramp);
    if (typeof shown === 'string' || shown.t <= ramp.seen) {
      if (++ramp.silent <= SILENT) return true;
      const why = typeof shown === 'string' ? shown : 'its readback is not read';
      leave(out, ramp, `no good reading of the output for more than ${lasting(SILENT * interval)}: ${why}`);
      return false;
    }
    ramp.seen = shown.t;
    ramp.silent = 0;
    const inside = shown.value >= Math.min(ramp.at, ramp.before) - band && shown.value <= Math.max(ramp.at, ramp.before) + band;
    if (!inside) leave(out, ramp, `the output shows ${words(out, shown.value)}, further off than ${words(out, band)}`);
    return inside;
  };

  const early = ({ notBefore, spec }: Output): boolean => clock.mono() < notBefore - JITTER * spec.every;

  const tick = (out: Output, ramp: Ramp): void => {
    if (!watched(out, ramp) || ramp.held || ramp.locating) return;
    if (clock.mono() > ramp.limit) {
      leave(out, ramp, 'it has taken half as long again as its rate needs, and a minute');
      return;
    }
    // A step that is late is not made up for: the next one waits for its own place on the grid.
    if (out.stepping || out.safes.size > 0 || ramp.silent > 0 || early(out)) return;
    step(out, ramp);
  };

  const step = (out: Output, ramp: Ramp): void => {
    const { spec } = out;
    const { instrument, command, index, sigma, by } = ramp.request;
    const placed = clock.mono();
    const first = ramp.given === 0;
    if (first && placed > ramp.until) {
      end(out, ramp, 'expired', LATE);
      return;
    }
    const before = ramp.at;
    const value = nextStep(ramp, spec.rate * spec.every, spec.safe);
    const last = value === ramp.to;
    ramp.given++;
    ramp.before = before;
    ramp.at = value;
    out.stepping = true;
    out.notBefore = placed + spec.every;
    const request: OrderRequest = {
      by: `ramp: ${by}`,
      instrument,
      command,
      value,
      ...(index === undefined ? {} : { index }),
      ...(sigma === undefined || !last ? {} : { sigma }),
      ...(first ? { deadline: ramp.until - placed } : {}),
    };
    on.place(request, ({ outcome, why }) => {
      out.stepping = false;
      if (clock.mono() - placed >= spec.every) out.notBefore = clock.mono() + AFTER_LATE * spec.every;
      if (ramp.ended || outcome === undefined) return;
      if (outcome === 'done') {
        if (last) end(out, ramp, 'done');
        return;
      }
      const unsent = outcome === 'refused' || outcome === 'expired';
      if (unsent) ramp.at = before;
      const told = `the step to ${words(out, value)}: ${outcome}${why === undefined ? '' : `: ${why}`}`;
      if (last || (first && unsent)) end(out, ramp, outcome, told);
      else halt(out, ramp, told);
    });
  };

  const running = (output: string): { readonly out: Output; readonly ramp: Ramp } | string => {
    const out = outputs.get(output);
    if (out?.ramp) return { out, ramp: out.ramp };
    if (out?.shown) return `the ramp of ${output} has ended${out.shown.why === undefined ? '' : `: ${out.shown.why}`}`;
    const all = [...outputs.values()].flatMap((o) => (o.ramp ? [o.name] : []));
    return `there is no ramp of ${output}${all.length === 0 ? '; nothing is being ramped' : `; being ramped: ${all.join(', ')}`}`;
  };

  return {
    takes(request) {
      const spec = specs.find((s) => same(s, request));
      return spec !== undefined && typeof request.value === 'number' && request.value !== spec.safe;
    },
    start(request, done) {
      const spec = specs.find((s) => same(s, request));
      const to = request.value;
      if (!spec || typeof to !== 'number') throw new Error(`${request.instrument}.${request.command} is not ramped: takes() says so`);
      const why = closed ?? on.unfit(request) ?? (Number.isFinite(to) ? undefined : 'the value must be a finite number');
      if (why !== undefined) {
        done('refused', why);
        return;
      }
      const out = outputOf(spec, request.index);
      const until = clock.mono() + (request.deadline ?? DEADLINE);
      const flags = { state: 'ramping', locating: false, begun: false, held: false, ended: false } as const;
      const numbers = { from: to, at: to, before: to, base: to, count: 0, given: 0, seen: 0, silent: 0, limit: Number.POSITIVE_INFINITY };
      const ramp: Ramp = { request, to, done, until, ...flags, ...numbers, cancel() {} };
      const old = out.ramp;
      out.ramp = ramp;
      if (old) cut(out, old, `replaced by ${words(out, to)} (${request.by})`);
      locate(out, ramp, (shown) => begin(out, ramp, shown));
    },
    hold(output, by) {
      const found = running(output);
      if (typeof found === 'string') return found;
      const { out, ramp } = found;
      if (ramp.held) return `${output} is held already`;
      ramp.held = true;
      if (!ramp.begun || ramp.state === 'held') return undefined;
      ramp.state = 'held';
      on.told(output, `ramp to ${words(out, ramp.to)}: held at ${words(out, ramp.at)} by ${by}`);
      on.change();
      return undefined;
    },
    resume(output, by) {
      const found = running(output);
      if (typeof found === 'string') return found;
      const { out, ramp } = found;
      if (!ramp.held) return `${output} is not held`;
      const now = ramp.begun ? latest(ramp) : undefined;
      if (typeof now === 'string') return nowhere(now);
      ramp.held = false;
      ramp.until = clock.mono() + DEADLINE;
      if (!ramp.begun || ramp.locating) return undefined;
      locate(out, ramp, (shown) => {
        rebase(out, ramp, shown);
        if (ramp.held) return;
        ramp.state = 'ramping';
        on.told(output, `ramp to ${words(out, ramp.to)}: goes on from ${words(out, shown.value)} (${by})`);
        on.change();
      });
      return undefined;
    },
    stop(output, by, why) {
      const found = running(output);
      if (typeof found === 'string') return found;
      leave(found.out, found.ramp, `by ${by}${why === '' ? '' : `, ${why}`}`);
      return undefined;
    },
    seeOrder(order) {
      const spec = specs.find((s) => same(s, order));
      if (spec?.safe === undefined || order.value !== spec.safe) return;
      const out = outputOf(spec, order.index);
      if (order.outcome !== undefined) {
        out.safes.delete(order.id);
        return;
      }
      out.safes.add(order.id);
      if (out.ramp) cut(out, out.ramp, `made safe (${order.by})`);
    },
    status: () =>
      [...outputs.values()].flatMap((out): RampShown[] => {
        if (!out.shown) return [];
        const { state, from, at, to, why } = out.shown;
        const left = state === 'ramping' ? { left: Math.abs(to - at) / out.spec.rate } : {};
        return [{ output: out.name, state, from, at, to, unit: out.spec.unit, ...(why === undefined ? {} : { why }), ...left }];
      }),
    close(why) {
      closed = why;
      for (const out of outputs.values()) {
        if (out.ramp?.given === 0) end(out, out.ramp, 'refused', why);
        else if (out.ramp) halt(out, out.ramp, why);
      }
    },
  };
}

const LATE = 'its deadline passed before its first step';
const nowhere = (why: string): string => `where the output is now is not known: ${why}`;
