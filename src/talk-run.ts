/** Runs a talk over the exchanges of an instrument's roles: one step after another, no promise in between. */
import type { Clock } from './clock.ts';
import { type Ended, type Exchange, type Job, SAFE } from './exchange.ts';
import type { Came } from './instrument.ts';
import type { Kinds, Values } from './reading.ts';
import { Garbled, NoReply, shown, type Talk } from './talk.ts';

export interface Running {
  readonly instrument: string;
  readonly by: string;
  readonly urgency: Job['urgency'];
  readonly roles: Readonly<Record<string, Exchange>>;
  /** Default time-out of a question in seconds. */
  readonly within: number;
  readonly clock: Clock;
  readonly give?: (values: Values<Kinds>) => void;
  /** A reason why nothing may be sent any more; asked just before the bytes of each changing step go. */
  readonly void?: () => string | undefined;
}

export type Outcome<R> =
  | { readonly ok: true; readonly value: R; readonly came: Came; readonly asked: boolean }
  /** changed: bytes that change something may have gone. */
  | { readonly ok: false; readonly why: string; readonly garbled: boolean; readonly changed: boolean };

export const noLink = (role: string): string => `the rig gives no link for "${role}"`;

/** A talk whose making may throw, too: a driver's fault then ends it as any other. */
export function begun<R>(make: () => Talk<R>): Talk<R> {
  try {
    return make();
  } catch (error) {
    return thrown(error);
  }
}

// biome-ignore lint/correctness/useYield: it ends before its first step
function* thrown(error: unknown): Talk<never> {
  throw error;
}

/**
 * Calls `done` once, later or at once. `came` is the last reply's. A bug in a driver ends as a failure that names it.
 * Gives a function that stops the talk before its next step.
 */
export function runTalk<R>(talk: Talk<R>, run: Running, done: (outcome: Outcome<R>) => void): () => void {
  const token = {};
  let held: Exchange[] = [];
  let ended = false;
  let asked = false;
  let changed = false;
  const began = run.clock.now();
  let came: Came = { asked: began, t: began };

  const finish = (outcome: Outcome<R>): void => {
    if (ended) return;
    ended = true;
    // Also where it only waits for its turn: nothing must be granted to a talk that has ended.
    for (const e of Object.values(run.roles)) e.release(token);
    done(outcome);
  };

  /** Goes on with what the talk waits for, or with its absence. */
  const step = (given: unknown, absent?: NoReply): void => {
    if (ended) return;
    let result: IteratorResult<unknown, R>;
    try {
      result = absent ? talk.throw(absent) : talk.next(given);
    } catch (error) {
      if (error instanceof NoReply) finish({ ok: false, why: error.why, garbled: false, changed });
      else if (error instanceof Garbled) finish({ ok: false, why: error.why, garbled: true, changed });
      else finish({ ok: false, why: faultOf(error), garbled: false, changed });
      return;
    }
    if (result.done) {
      finish({ ok: true, value: result.value, came, asked });
      return;
    }
    // What a talk yields was made by actor() or here: see talk.ts.
    const act = shown(result.value as Parameters<typeof shown>[0]);
    switch (act.do) {
      case 'wait':
        run.clock.after(act.seconds, () => step(undefined));
        return;
      case 'give':
        try {
          run.give?.(act.values);
        } catch (error) {
          finish({ ok: false, why: faultOf(error), garbled: false, changed });
          return;
        }
        step(undefined);
        return;
      case 'hold':
        // A safe order waits for nobody's turn.
        if (act.on && run.urgency !== SAFE) holdAll(Object.values(run.roles), () => step(undefined));
        else {
          const free = held;
          held = [];
          for (const e of free) e.release(token);
          step(undefined);
        }
        return;
      case 'ask': {
        const exchange = run.roles[act.role];
        if (!exchange) {
          step(undefined, new NoReply(noLink(act.role)));
          return;
        }
        exchange.submit({
          instrument: run.instrument,
          role: act.role,
          by: run.by,
          q: act.q,
          reply: act.reply,
          within: act.within ?? run.within,
          urgency: run.urgency,
          token,
          void: act.changes && run.urgency !== SAFE ? run.void : undefined,
          done: (end: Ended) => {
            asked = true;
            if (act.changes && (end.ok || end.sent)) changed = true;
            if (end.ok) {
              came = end.came;
              step(end.m);
            } else step(undefined, new NoReply(end.why));
          },
        });
        return;
      }
    }
  };

  const holdAll = (rest: readonly Exchange[], then: () => void): void => {
    const [first, ...others] = rest.filter((e, i) => rest.indexOf(e) === i);
    if (!first) {
      then();
      return;
    }
    first.hold(token, () => {
      held.push(first);
      holdAll(others, then);
    });
  };

  step(undefined);
  return () => finish({ ok: false, why: 'given up', garbled: false, changed });
}

const faultOf = (error: unknown): string => `fault in the driver: ${error instanceof Error ? error.message : String(error)}`;
