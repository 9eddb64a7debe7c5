/** A talk is a synchronous generator of steps: the one mechanism of polls, identify, orders and tunnels. It does no I/O and knows no promise. */
import type { Kinds, Values } from './reading.ts';

declare const step: unique symbol;
/** Opaque to drivers: they only ever `yield*` what the askers and `here` give them. */
export interface Step {
  readonly [step]: true;
}
export type Talk<R> = Generator<Step, R, unknown>;

/** Asks change nothing out there. `within` is the time-out in seconds. */
export interface Asker<Q, M> {
  ask(q: Q, within?: number): Talk<M>;
}
/** `send` expects no reply; `exchange` changes something and is answered. */
export interface Actor<Q, M> extends Asker<Q, M> {
  send(q: Q): Talk<void>;
  exchange(q: Q, within?: number): Talk<M>;
}
export interface Here {
  wait(seconds: number): Talk<void>;
  /** Nobody else uses the links while the talk runs. */
  atomic<R>(talk: Talk<R>): Talk<R>;
  give(values: Values<Kinds>): Talk<void>;
  /** Who gave the order that runs, and the one-sigma uncertainty that came with its value (same unit). */
  readonly order?: { readonly by: string; readonly sigma?: number };
}

/** What a step is to the program; drivers never see it. */
export type Act =
  | {
      readonly do: 'ask';
      readonly role: string;
      readonly q: unknown;
      readonly within?: number;
      readonly changes: boolean;
      readonly reply: boolean;
    }
  | { readonly do: 'wait'; readonly seconds: number }
  | { readonly do: 'give'; readonly values: Values<Kinds> }
  | { readonly do: 'hold'; readonly on: boolean };

/** A question that ended without a good reply. Thrown into the talk that asked; a driver may catch it where silence is an answer. */
export class NoReply extends Error {
  readonly why: string;
  constructor(why: string) {
    super(why);
    this.why = why;
  }
}

/** Asks up to `again` times more while no answer comes: over wires that lose packets, and where a question does no harm twice. */
export function* patiently<T>(again: number, ask: () => Talk<T>): Talk<T> {
  for (let left = again; ; left--) {
    try {
      return yield* ask();
    } catch (error) {
      if (!(error instanceof NoReply) || left <= 0) throw error;
    }
  }
}

/** A reply that has arrived but says something it cannot say: the link it came by is distrusted. */
export class Garbled extends Error {
  readonly why: string;
  constructor(why: string) {
    super(why);
    this.why = why;
  }
}

/** The answers to n questions that went out as one, without the blanks around them; throws Garbled where they are more or fewer. */
export function answered(parts: readonly string[], n: number): readonly string[] {
  if (parts.length !== n) throw new Garbled(`${parts.length} answers to ${n} questions`);
  return parts.map((part) => part.trim());
}

/** Asks until the answer says that there is no more, and that many times at most: an error queue that is emptied. What says so is left out. */
export function* drained<M>(ask: () => Talk<M>, none: (m: M) => boolean, most: number): Talk<readonly M[]> {
  const all: M[] = [];
  while (all.length < most) {
    const one = yield* ask();
    if (none(one)) break;
    all.push(one);
  }
  return all;
}

/** Why an instrument is not taken: another family, a missing unit, a wrong option. */
export class Refused {
  readonly why: string;
  constructor(why: string) {
    this.why = why;
  }
}

// An Act travels as an opaque Step so that drivers cannot make one up.
const hide = (act: Act): Step => act as unknown as Step;
export const shown = (hidden: Step): Act => hidden as unknown as Act;

export function actor<Q, M>(role: string): Actor<Q, M> {
  return {
    *ask(q, within) {
      return (yield hide({ do: 'ask', role, q, within, changes: false, reply: true })) as M; // the exchange gives what this role's protocol decodes
    },
    *send(q) {
      yield hide({ do: 'ask', role, q, changes: true, reply: false });
    },
    *exchange(q, within) {
      return (yield hide({ do: 'ask', role, q, within, changes: true, reply: true })) as M; // as above
    },
  };
}

export const here: Here = {
  *wait(seconds) {
    yield hide({ do: 'wait', seconds });
  },
  *atomic(talk) {
    yield hide({ do: 'hold', on: true });
    try {
      return yield* talk;
    } finally {
      yield hide({ do: 'hold', on: false });
    }
  },
  *give(values) {
    yield hide({ do: 'give', values });
  },
};
