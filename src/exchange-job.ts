/** What is asked of an exchange, and what it tells: see exchange.ts. */
import type { Came, Proof } from './instrument.ts';
import type { Trust } from './trust.ts';

/** What the session holds of each exchange: replay through the drivers starts here. Times in microseconds since 1970. */
export interface Exchanged {
  readonly id: number;
  readonly instrument: string;
  readonly role: string;
  readonly by: string;
  readonly asked: number;
  readonly sent: Uint8Array;
  readonly came?: number;
  readonly reply?: Uint8Array;
  readonly fault?: string;
  /** The number of the question among all that were submitted to this link, in that order; absent for proofs. */
  readonly nth?: number;
  /** Exchanges of this link that ended between its submission and its own end; absent for none. */
  readonly behind?: number;
}

/** `sent`: whether its bytes may have gone. */
export type Ended =
  | { readonly ok: true; readonly m: unknown; readonly came: Came }
  | { readonly ok: false; readonly why: string; readonly sent: boolean };

/** How a question ends, and why a link is distrusted, when a safe order of ours went before it: it says nothing about the instrument. */
export const GIVEN_UP = 'given up for a safe order';
export const AFTER_SAFE = 'after a safe order';

export const POLL = 0;
export const ORDER = 1;
export const SAFE = 2;

export interface Job {
  readonly instrument: string;
  readonly role: string;
  /** poll:NAME, order:NAME, identify ... */
  readonly by: string;
  readonly q: unknown;
  readonly reply: boolean;
  /** Seconds. */
  readonly within: number;
  readonly urgency: typeof POLL | typeof ORDER | typeof SAFE;
  /** Talks that hold the link share a token. */
  readonly token?: object;
  /** Asked just before the bytes go: a reason not to send them any more. */
  readonly void?: () => string | undefined;
  readonly done: (ended: Ended) => void;
  /** Set by the exchange: its number among those submitted, and how many exchanges had ended then. */
  put?: { readonly nth: number; readonly ended: number };
}

export interface Member {
  readonly instrument: string;
  readonly role: string;
  readonly proof?: Proof<unknown, unknown>;
  readonly pace: number;
  readonly within: number;
  /** Messages that nobody asked for; true when taken. */
  readonly unasked?: (m: unknown, came: Came) => boolean;
  /** The member's trust has changed: it may be asked, or it has been set aside and why. */
  readonly trusted: (state: Trust) => void;
}
export interface Statistics {
  asked: number;
  answered: number;
  timeouts: number;
  garbled: number;
  dropped: number;
  noise: number;
  proofs: number;
  latencySum: number;
  latencyMax: number;
}

export interface Exchange {
  /** Each exchange as it ends, and each question that expects no answer. Called at once: there is one for every question. */
  readonly exchanged: { subscribe(listener: (exchanged: Exchanged) => void): { unsubscribe(): void } };
  readonly stats: Statistics;
  join(member: Member): void;
  submit(job: Job): void;
  /** What arrived made no sense to the driver: the member's key is distrusted. */
  doubt(instrument: string, role: string, why: string): void;
  /** Reserves the link for one talk; `granted` is called when no other holds it. A safe order does not wait for it. */
  hold(token: object, granted: () => void): void;
  release(token: object): void;
  readonly isUp: boolean;
  readonly waiting: number;
  close(): void;
}
