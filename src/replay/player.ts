/** One instrument of a recording: today's driver runs its talks again, and each recorded exchange answers the question that caused it. */
import { Fault } from '../../protocols/protocol.ts';
import { pollName } from '../acquire.ts';
import type { Clock } from '../clock.ts';
import type { OrderEntry } from '../entry.ts';
import { type Exchange, type Job, ORDER, SAFE } from '../exchange.ts';
import { GIVEN_UP } from '../exchange-job.ts';
import { type Giver, giver } from '../giving.ts';
import type { Actors, AnyProtocol, Askers, Body, Came, Instrument, Links, Poll, Stream } from '../instrument.ts';
import type { Kinds, Reading, Values } from '../reading.ts';
import { actor, here, Refused, type Talk } from '../talk.ts';
import { begun, type Outcome, runTalk } from '../talk-run.ts';
import { hex, type Told, unhex } from './tape.ts';

/** An exchange as the session holds it; bytes in hexadecimal. */
export interface Recorded {
  readonly id: number;
  readonly instrument: string;
  readonly role: string;
  readonly by: string;
  readonly asked: number;
  readonly sent: string;
  readonly came?: number;
  readonly reply?: string;
  readonly fault?: string;
  /** Its number among all that were asked for on its link, and the exchanges that ended between that and its own end. */
  readonly nth?: number;
  readonly behind?: number;
}

/** What of an exchange is not as it was. */
export interface Otherwise {
  readonly what: string;
  readonly channels: readonly string[];
}

/** The instruments of one link count their questions together. */
export interface Numbering {
  offset: number;
}

/** A talk that is under way. */
export interface Open {
  readonly by: string;
  /** What it asks now. */
  job: Job | undefined;
  /** The exchange by which that was asked, where it is known. */
  asks?: Recorded;
  readonly gives: Kinds;
  over: boolean;
}

interface Placed {
  readonly entry: OrderEntry;
  readonly safe: boolean;
  begun: boolean;
}

/** Their talks give no readings, and what a tunnel carries is recorded at its own link. */
const isSilent = (by: string): boolean => by.startsWith('tunnel:') || /^(watchdog|feed)/.test(by);
const NOT_KNOWN = Number.NaN; // a time that only the host's clock knew: the recording tells it
const MOST = 4; // numbers by which a question that could not be encoded may have moved those after it
const faultOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export interface PlayerOptions {
  readonly name: string;
  readonly model: Instrument;
  readonly options: unknown;
  /** Role -> the numbering of its link. */
  readonly numbering: Readonly<Record<string, Numbering>>;
  readonly origin: Reading['origin'];
  /** The recording's time, by which talks wait. */
  readonly clock: Clock;
  /** `t` is not a number where only the host's clock knew it. */
  readonly reading: (r: Reading) => void;
}

export class Player {
  readonly name: string;
  readonly languages: Readonly<Record<string, AnyProtocol>>;
  readonly #model: Instrument;
  readonly #options: PlayerOptions;
  readonly #askers: Actors<Links>;
  readonly #giver: Giver;
  readonly #clock: Clock;
  readonly #open: Open[] = [];
  readonly #orders: Placed[] = [];
  #body: Body<Links> | undefined;
  #identity: string | undefined;
  #refused: string | undefined;
  /** It has identified itself since its link was last distrusted: what it sends by itself is read. */
  running = false;

  constructor(options: PlayerOptions) {
    const { name, model, origin } = options;
    this.name = name;
    this.#options = options;
    this.#model = model;
    this.languages = model.links(options.options) as Readonly<Record<string, AnyProtocol>>; // role -> language
    this.#askers = Object.fromEntries(Object.keys(this.languages).map((role) => [role, actor(role)])) as Actors<Links>; // one per role
    // When a reply is read or a value given, only the recording knows.
    this.#clock = { ...options.clock, now: () => NOT_KNOWN };
    this.#giver = giver(name, origin, () => NOT_KNOWN, { reading: options.reading });
    // One that asks nothing to know itself is there at once.
    const first = this.#identify();
    if (!first.over) this.#drop(first);
  }

  /** Every channel that today's driver gives; undefined while it is not known which they are. */
  get channels(): Kinds | undefined {
    if (!this.#body) return undefined;
    const all: Record<string, Kinds[string]> = { ...this.#body.gives };
    for (const p of this.#body.polls ?? []) Object.assign(all, p.gives);
    for (const list of Object.values(this.#body.streams ?? {})) for (const s of list ?? []) Object.assign(all, s.gives);
    return all;
  }

  /** The roles in which a channel comes by itself. */
  streamRoles(channel: string): readonly string[] {
    return Object.entries(this.#body?.streams ?? {}).flatMap(([role, list]) => (list?.some((s) => channel in s.gives) ? [role] : []));
  }

  /** The roles in which something comes by itself. */
  get streaming(): readonly string[] {
    return Object.entries(this.#body?.streams ?? {}).flatMap(([role, list]) => (list && list.length > 0 ? [role] : []));
  }

  /** The channels that an exchange of this kind gives today. */
  channelsOf(by: string): readonly string[] {
    const poll = this.#pollOf(by);
    if (poll) return Object.keys(poll.gives).map((channel) => `${this.name}.${channel}`);
    return [`${this.name} (${by})`];
  }

  /** A message that nobody asked for; true where a stream of the instrument takes it. */
  unasked(role: string, told: Told): boolean {
    if (told.m instanceof Fault) return false;
    const stream = (this.#body?.streams?.[role] ?? []).find((one) => takes(one, told.m));
    if (!stream) return false;
    if (this.running) this.#read(stream, told.m, { asked: told.t, t: told.t, ...(told.name === undefined ? {} : { name: told.name }) });
    return true;
  }

  /** One recorded exchange, and the talk that it belongs to, where that is known. `told`: its reply as the raw bytes have it. */
  exchange(x: Recorded, known: Open | undefined, told: Told | undefined): Otherwise | undefined {
    if (x.by === 'proof') return this.#proof(x);
    if (isSilent(x.by)) return undefined;
    const open = known?.job ? known : (this.going(x) ?? this.fresh(x));
    // Where its identity is lost, its readings are named; where it is refused today, that is another thing than then.
    if (!open && !this.#body && this.#refused === undefined) return undefined;
    if (!open) return { what: this.#whyNone(x.by), channels: this.channelsOf(x.by) };
    const { job } = open;
    if (!job) return { what: `asks nothing today, and asked ${shownHex(x.sent)} then`, channels: this.channelsOf(x.by) };
    const asks = this.#encoded(job, x);
    const otherwise =
      asks === x.sent
        ? undefined
        : { what: `asks ${shownHex(asks)} today, and asked ${shownHex(x.sent)} then`, channels: this.channelsOf(x.by) };
    open.job = undefined;
    open.asks = undefined;
    const unread = this.#answer(job, x, told);
    return otherwise ?? (unread === undefined ? undefined : { what: unread, channels: this.channelsOf(x.by) });
  }

  /** An order's intent, or its end. */
  order(entry: OrderEntry): void {
    const command = this.#body?.commands?.[entry.command];
    if (!command) return;
    if (entry.outcome !== undefined) {
      const at = this.#orders.findIndex((one) => one.entry.id === entry.id && one.entry.t === entry.t);
      if (at >= 0) this.#orders.splice(at, 1);
      this.#nextOrder();
      return;
    }
    const safe = command.safe !== undefined && (entry.value === command.safe || command.safe === true);
    this.#orders.push({ entry, safe, begun: false });
    this.#nextOrder();
  }

  /** The orders of one instrument go one by one; safe ones at once. */
  #nextOrder(): void {
    let busy = false;
    for (const one of this.#orders) {
      if (one.begun || (busy && !one.safe)) {
        busy ||= !one.safe;
        continue;
      }
      busy ||= !one.safe;
      one.begun = true;
      const { renews = {} } = this.#body?.commands?.[one.entry.command] ?? {};
      for (const [channel, n] of Object.entries(renews)) this.#giver.void(channel, n);
      this.#beginOrder(one);
    }
  }

  #beginOrder({ entry, safe }: Placed): Open | undefined {
    const command = this.#body?.commands?.[entry.command];
    if (!command) return undefined;
    const value = command.takes === 'nothing' ? undefined : entry.value;
    const order = { by: entry.by, ...(entry.sigma === undefined ? {} : { sigma: entry.sigma }) };
    // As order.ts begins it: the value has been checked there.
    const talk = (): Talk<unknown> => command.talk(this.#askers, value as never, entry.index ?? 0, { ...here, order });
    return this.#begin(`order:${entry.command}`, talk, {}, () => {}, safe);
  }

  /** A reading of this channel was bad without an exchange: the talk that was to give it did not get its next question out. */
  failed(channel: string, why: string): void {
    const open = this.#open.find(({ by, gives, job }) => job && channel in gives && !by.startsWith('order:'));
    if (!open?.job) return;
    const { job } = open;
    open.job = undefined;
    job.done({ ok: false, why, sent: false });
  }

  #pollOf(by: string): Poll<Links> | undefined {
    const [, kind, name] = /^(poll|readback):(.*)$/s.exec(by) ?? [];
    if (kind === undefined || name === undefined) return undefined;
    return this.#body?.polls?.find((p) => (kind === 'poll' ? pollName(p as Poll<Links>) === name : name in p.gives)) as
      | Poll<Links>
      | undefined; // declared for these links
  }

  /** The talk under way that asked this. */
  going(x: Recorded): Open | undefined {
    const same = this.#open.filter((one) => one.by === x.by && one.job?.role === x.role && (one.asks === undefined || one.asks === x));
    return same.find((one) => one.asks === x) ?? same.find((one) => one.job && this.#encoded(one.job, x) === x.sent);
  }

  /** Whether a talk of this kind is under way that asks nothing now. */
  pausing({ by }: Recorded): boolean {
    return this.#open.some((one) => one.by === by && one.job === undefined);
  }

  /** The talk that asked this, begun now; undefined where today's driver has none, or is not known yet. */
  fresh(x: Recorded): Open | undefined {
    if (isSilent(x.by) || x.by === 'proof') return undefined;
    if (x.by === 'identify') return this.#identify();
    if (x.by.startsWith('order:')) {
      // One that was not answered is given again.
      const name = x.by.slice('order:'.length);
      const again = this.#orders.filter(({ entry }) => entry.command === name);
      const one = again.findLast(({ safe }) => safe) ?? again.at(-1);
      return one && this.#beginOrder(one);
    }
    const poll = this.#pollOf(x.by);
    return (
      poll &&
      this.#begin(
        x.by,
        () => poll.talk(this.#askers as Askers<Links>),
        poll.gives,
        (outcome) => {
          if (outcome.ok) this.#read(poll, outcome.value, outcome.came);
          else if (outcome.why !== GIVEN_UP) this.#giver.giveBad(poll.gives, this.#refused ?? outcome.why);
        },
      )
    );
  }

  #whyNone(by: string): string {
    if (by.startsWith('order:')) return `no order of ${by.slice('order:'.length)} is under way`;
    return this.#refused ?? `today's driver has no such talk (${by})`;
  }

  #identify(): Open {
    return this.#begin(
      'identify',
      () => this.#model.identify(this.#askers, this.#options.options) as Talk<unknown>,
      {},
      (outcome) => {
        if (!outcome.ok) return;
        if (outcome.value instanceof Refused) {
          this.#refused = outcome.value.why;
          return;
        }
        const identity = JSON.stringify(outcome.value) ?? '';
        if (this.#body && identity !== this.#identity) {
          this.#refused = `another instrument answers than before: ${identity} instead of ${this.#identity}`;
          return;
        }
        this.#refused = undefined; // that it is running the session says in words of its own, in its order among what came by itself
        if (this.#body) return;
        this.#identity = identity;
        try {
          this.#body = this.#model.body(this.#options.options, outcome.value) as Body<Links>; // declared for exactly these links
        } catch (error) {
          this.#refused = `fault in the driver: ${faultOf(error)}`;
          return;
        }
        if (this.#body.gives && this.#body.known) this.#giver.give(this.#body.gives, this.#body.known, NOT_KNOWN, undefined);
      },
    );
  }

  /** Runs a talk up to its first question. */
  #begin<R>(by: string, make: () => Talk<R>, gives: Kinds, done: (outcome: Outcome<R>) => void, safe = false): Open {
    const open: Open = { by, job: undefined, gives, over: false };
    const listen = asking((job) => {
      open.job = job;
    });
    const roles = Object.fromEntries(Object.keys(this.languages).map((role) => [role, listen]));
    this.#open.push(open);
    runTalk(
      begun(make),
      {
        instrument: this.name,
        by,
        urgency: safe ? SAFE : ORDER,
        roles,
        within: this.#model.within,
        clock: this.#clock,
        give: (values) => this.#giver.give(this.#body?.gives ?? {}, values as Values<Kinds>, NOT_KNOWN, undefined),
      },
      (outcome) => {
        open.over = true;
        this.#drop(open);
        done(outcome);
      },
    );
    return open;
  }

  #drop(open: Open): void {
    const at = this.#open.indexOf(open);
    if (at >= 0) this.#open.splice(at, 1);
  }

  /** Its bytes today, in hexadecimal, with the number that it had then. */
  #encoded({ role, q }: Pick<Job, 'role' | 'q'>, x: Recorded): string {
    const protocol = this.languages[role];
    if (!protocol) return `for "${role}", which there is not`;
    try {
      if (!protocol.number) return hex(protocol.asks.encode(q));
      const numbering = this.#options.numbering[role] ?? { offset: 0 };
      for (let more = 0; more < MOST; more++) {
        const now = hex(protocol.asks.encode(protocol.number(q, x.id + numbering.offset + more)));
        if (now !== x.sent) continue;
        numbering.offset += more;
        return now;
      }
      return hex(protocol.asks.encode(protocol.number(q, x.id + numbering.offset)));
    } catch (error) {
      return `nothing (${faultOf(error)})`;
    }
  }

  #proof(x: Recorded): Otherwise | undefined {
    const proof = (this.#model.proof(this.#options.options) as Readonly<Record<string, { ask(n: number): unknown } | undefined>>)[x.role]; // by role
    if (!proof) return { what: "today's driver has no proof", channels: [`${this.name} (proof)`] };
    const numbering = this.#options.numbering[x.role] ?? { offset: 0 };
    for (let more = 0; more < MOST; more++) {
      const asks = this.#encoded({ role: x.role, q: proof.ask(x.id + numbering.offset + more) }, x);
      if (asks === x.sent) return undefined;
    }
    return { what: `its proof today is not ${shownHex(x.sent)}`, channels: [`${this.name} (proof)`] };
  }

  /** Ends a question as it ended then; a sentence where the reply that was recorded is none today. */
  #answer(job: Job, x: Recorded, told: Told | undefined): string | undefined {
    if (!job.reply) {
      job.done({ ok: true, m: undefined, came: { asked: x.asked, t: x.came ?? x.asked } });
      return undefined;
    }
    if (x.fault !== undefined) {
      job.done({ ok: false, why: whyOf(x.fault, job.within), sent: true });
      return undefined;
    }
    if (x.reply === undefined || x.came === undefined) {
      job.done({ ok: false, why: 'no reply was expected then', sent: true });
      return 'no reply was expected then';
    }
    const m = told ? told.m : this.#decoded(job.role, x.reply);
    if (m instanceof Fault) {
      const why = `garbled reply (${m.fault})`;
      job.done({ ok: false, why, sent: true });
      return `the recorded reply ${shownHex(x.reply)} cannot be read: ${m.fault}`;
    }
    const name = told?.name;
    job.done({ ok: true, m, came: { asked: x.asked, t: x.came, ...(name === undefined ? {} : { name }) } });
    return undefined;
  }

  #decoded(role: string, reply: string): unknown {
    const bytes = unhex(reply);
    const decode = this.languages[role]?.tells.decoder();
    const all = decode ? [...decode(bytes), ...decode(new Uint8Array(0))] : [];
    return all.length === 1 ? all[0] : (all.find((m) => m instanceof Fault) ?? new Fault('not one message', bytes));
  }

  #read(
    from: { readonly gives: Kinds; readonly read: (m: unknown, came: Came) => Values<Kinds>; readonly span?: Poll<Links>['span'] },
    m: unknown,
    came: Came,
  ): void {
    let values: Values<Kinds>;
    try {
      values = from.read(m, came);
      if (values === null || typeof values !== 'object') throw new Error('fault in the driver: a reply was read into nothing');
    } catch (error) {
      this.#giver.giveBad(from.gives, faultOf(error));
      return;
    }
    this.#giver.give(from.gives, values, came.t, from.span);
  }
}

/** How exchange.ts says to a talk what it says to the session. */
function whyOf(fault: string, within: number): string {
  if (fault === 'no answer') return `no answer within ${within} s`;
  if (fault === 'not written') return 'the link does not take bytes';
  if (fault === 'link down' || fault === GIVEN_UP) return fault;
  return `garbled reply (${fault})`;
}

const takes = (stream: Stream, m: unknown): boolean => {
  try {
    return stream.takes(m);
  } catch {
    return false; // a message of another shape than the driver thought of
  }
};

/** An exchange that keeps what it is asked. */
const asking = (keep: (job: Job) => void): Exchange => ({
  exchanged: { subscribe: () => ({ unsubscribe() {} }) },
  stats: { asked: 0, answered: 0, timeouts: 0, garbled: 0, dropped: 0, noise: 0, proofs: 0, latencySum: 0, latencyMax: 0 },
  join() {},
  submit: keep,
  doubt() {},
  hold: (_, granted) => granted(),
  release() {},
  isUp: true,
  waiting: 0,
  close() {},
});

/** Text where the bytes are text, else hexadecimal. */
export function shownHex(text: string): string {
  if (!/^([0-9a-f]{2})*$/.test(text)) return text;
  const bytes = unhex(text);
  const plain = [...bytes].every((b) => (b >= 32 && b < 127) || b === 10 || b === 13);
  const shown = plain ? JSON.stringify(Buffer.from(bytes).toString('latin1')) : text;
  return shown.length > 80 ? `${shown.slice(0, 77)}...` : shown;
}
