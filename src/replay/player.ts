/** One instrument of a recording: today's driver runs its talks again, and each recorded exchange answers the question that caused it. */
import { Fault } from '../../protocols/protocol.ts';
import type { Clock } from '../clock.ts';
import type { OrderEntry } from '../entry.ts';
import { type Job, ORDER, SAFE } from '../exchange.ts';
import { GIVEN_UP } from '../exchange-job.ts';
import { type Giver, giver } from '../giving.ts';
import type { Actors, AnyProtocol, Askers, Body, Came, Instrument, Links, Poll, Stream } from '../instrument.ts';
import type { Kinds, Reading, Values } from '../reading.ts';
import { actor, here, Refused, type Talk } from '../talk.ts';
import { begun, type Outcome, runTalk } from '../talk-run.ts';
import { Asking, type Open } from './asking.ts';
import { Follow } from './follow.ts';
import { hex, isHex, shownHex, unhex } from './hex.ts';
import { type Nature, PlayerBody } from './player-body.ts';
import { type Placed, PlayerOrders } from './player-orders.ts';
import type { Told } from './tape.ts';

export type { Open } from './asking.ts';
export { shownHex } from './hex.ts';

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

/** Nothing is said of an exchange whose talk began in what is lost. */
export const UNJUDGED: Otherwise = { what: 'not judged', channels: [] };
const NOT_KNOWN = Number.NaN; // a time that only the host's clock knew: the recording tells it
const MOST_KEPT = 1000; // questions
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
  /** `t` is not a number where only the host's clock knew it. `doubt`: why it is not judged. */
  readonly reading: (r: Reading, doubt: string | undefined) => void;
}

export class Player {
  readonly name: string;
  readonly languages: Readonly<Record<string, AnyProtocol>>;
  readonly #model: Instrument;
  readonly #options: PlayerOptions;
  readonly #roles: readonly string[];
  readonly #askers: Actors<Links>;
  readonly #giver: Giver;
  readonly #clock: Clock;
  readonly #open: Open[] = [];
  /** role -> question -> its bytes */
  readonly #bytes: Record<string, Map<string, Uint8Array>> = {};
  readonly #orders = new PlayerOrders((one) => this.#turn(one));
  #body: Body<Links> | undefined;
  #facts: PlayerBody;
  #identity: string | undefined;
  #refused: string | undefined;
  /** It has identified itself since its link was last distrusted: what it sends by itself is read. */
  running = false;
  /** Something of the session is lost: what said that it is there may be, and orders. */
  lossy = false;
  /** Since exchanges were lost. */
  #follow: Follow | undefined;
  #doubtful: string | undefined;

  constructor(options: PlayerOptions) {
    const { name, model, origin } = options;
    this.name = name;
    this.#options = options;
    this.#model = model;
    this.languages = model.links(options.options) as Readonly<Record<string, AnyProtocol>>; // role -> language
    this.#roles = Object.keys(this.languages);
    this.#askers = Object.fromEntries(this.#roles.map((role) => [role, actor(role)])) as Actors<Links>; // one per role
    // When a reply is read or a value given, only the recording knows.
    this.#clock = { ...options.clock, now: () => NOT_KNOWN };
    this.#giver = giver(name, origin, () => NOT_KNOWN, { reading: (r) => options.reading(r, this.#doubtful) });
    this.#facts = new PlayerBody(name, undefined);
    // One that asks nothing to know itself is there at once.
    const first = this.#identify();
    if (!first.over) this.#drop(first);
  }

  /** Every channel that today's driver gives; undefined while it is not known which they are. */
  get channels(): Kinds | undefined {
    return this.#facts.channels;
  }

  /** What the driver says of a channel that chance has a part in. */
  natureOf(channel: string): Nature | undefined {
    return this.#facts.natures.get(channel);
  }

  /** The roles in which a channel comes by itself. */
  streamRoles(channel: string): readonly string[] {
    return this.#facts.streamRoles(channel);
  }

  /** The roles in which something comes by itself. */
  get streaming(): readonly string[] {
    return this.#facts.streaming;
  }

  /** The channels that an exchange of this kind gives today. */
  channelsOf(by: string): readonly string[] {
    return this.#facts.talked(by).channels;
  }

  /** Whether a channel is asked for. */
  polls(channel: string): boolean {
    return this.#body?.polls?.some(({ gives }) => channel in gives) ?? false;
  }

  /** Whether a stream of the instrument takes a message. */
  hears(role: string, { m }: Told): boolean {
    return !(m instanceof Fault) && (this.#body?.streams?.[role] ?? []).some((one) => takes(one, m));
  }

  /** A message that nobody asked for; true where a stream of the instrument takes it. */
  unasked(role: string, told: Told): boolean {
    if (told.m instanceof Fault) return false;
    const stream = (this.#body?.streams?.[role] ?? []).find((one) => takes(one, told.m));
    if (!stream) return false;
    if (this.running) this.#read(stream, told.m, { asked: told.t, t: told.t, ...(told.name === undefined ? {} : { name: told.name }) });
    return true;
  }

  /** Exchanges are missing here: the talks under way cannot be followed to their ends. */
  hole(): void {
    this.lossy = true;
    this.#follow = new Follow({
      open: this.#open,
      asks: (open, x) => open?.job !== undefined && this.#isAsked(open.job, x),
      fresh: (x) => this.fresh(x),
      leave: (open) => this.#leave(open),
      answer: (job, x, told) => void this.#answer(job, x, told),
      single: (by) => this.#facts.talked(by).single,
      gives: (by) => this.#facts.talked(by).poll?.gives,
    });
    for (const open of [...this.#open]) this.#leave(open);
    this.#orders.forget();
  }

  /** A recorded reading, and whether just that was made. Why it is not judged, where the talk that it ends is in doubt. */
  met(channel: string, same: boolean): string | undefined {
    return this.#follow?.met(channel, same);
  }

  /** One recorded exchange, and the talk that it belongs to, where that is known. `told`: its reply as the raw bytes have it. */
  exchange(x: Recorded, known: Open | undefined, told: Told | undefined): Otherwise | undefined {
    if (x.by === 'proof') return this.#proof(x);
    if (this.#facts.talked(x.by).silent) return undefined;
    const open = known?.job ? known : (this.going(x) ?? this.fresh(x));
    // Where its identity is lost, its readings are named; where it is refused today, that is another thing than then.
    if (!open && !this.#body && this.#refused === undefined) return undefined;
    const how = this.#follow?.exchange(x, open, told) ?? 'judged';
    if (how !== 'judged') return how === 'unjudged' ? UNJUDGED : undefined;
    if (!open && this.lossy && this.#isOrder(x.by)) return UNJUDGED; // that it was given is lost
    if (!open) return { what: this.#whyNone(x.by), channels: this.channelsOf(x.by) };
    const { job } = open;
    if (!job) return { what: `asks nothing today, and asked ${shownHex(x.sent)} then`, channels: this.channelsOf(x.by) };
    const asks = this.#isAsked(job, x) ? undefined : this.#encoded(job, x);
    open.job = undefined;
    open.asks = undefined;
    const unread = this.#answer(job, x, told);
    const what = asks === undefined ? unread : `asks ${shownHex(asks)} today, and asked ${shownHex(x.sent)} then`;
    return what === undefined ? undefined : { what, channels: this.channelsOf(x.by) };
  }

  #isOrder(by: string): boolean {
    return by.startsWith('order:') && this.#body?.commands?.[by.slice('order:'.length)] !== undefined;
  }

  /** An order's intent, or its end. */
  order(entry: OrderEntry): void {
    const command = this.#body?.commands?.[entry.command];
    if (!command) return;
    if (entry.outcome !== undefined) this.#orders.end(entry);
    else {
      this.#follow?.order(entry.command);
      this.#orders.add(entry, command.safe !== undefined && (entry.value === command.safe || command.safe === true));
    }
  }

  #turn(one: Placed): void {
    const { renews = {} } = this.#body?.commands?.[one.entry.command] ?? {};
    for (const [channel, n] of Object.entries(renews)) this.#giver.void(channel, n);
    this.#beginOrder(one);
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

  /** The talk under way that asked this. */
  going(x: Recorded): Open | undefined {
    for (const one of this.#open) if (one.asks === x && one.by === x.by && one.job?.role === x.role) return one;
    for (const one of this.#open)
      if (one.asks === undefined && one.by === x.by && one.job?.role === x.role && this.#isAsked(one.job, x)) return one;
    return undefined;
  }

  /** Whether a talk of this kind is under way that asks nothing now. */
  pausing({ by }: Recorded): boolean {
    return this.#open.some((one) => one.by === by && one.job === undefined);
  }

  /** The talk that asked this, begun now; undefined where today's driver has none, or is not known yet. */
  fresh(x: Recorded): Open | undefined {
    const { silent, poll } = this.#facts.talked(x.by);
    if (silent || x.by === 'proof') return undefined;
    if (x.by === 'identify') return this.#identify();
    if (x.by.startsWith('order:')) {
      const one = this.#orders.again(x.by.slice('order:'.length));
      return one && this.#beginOrder(one);
    }
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
          if (this.#follow?.why('identify') !== undefined) return; // it may have begun in what is lost
          this.#refused = `another instrument answers than before: ${identity} instead of ${this.#identity}`;
          return;
        }
        this.#refused = undefined; // that it is running the session says in words of its own, in its order among what came by itself
        if (this.#body) return;
        this.#identity = identity;
        try {
          this.#body = this.#model.body(this.#options.options, outcome.value) as Body<Links>; // declared for exactly these links
          this.#facts = new PlayerBody(this.name, this.#body);
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
    const listen = new Asking(open);
    const roles: Record<string, Asking> = {};
    for (const role of this.#roles) roles[role] = listen;
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
        give: (values) => {
          if (!open.over) this.#giver.give(this.#body?.gives ?? {}, values as Values<Kinds>, NOT_KNOWN, undefined);
        },
      },
      (outcome) => {
        if (open.over) return;
        open.over = true;
        this.#drop(open);
        this.#doubtful = this.#follow?.why(by);
        done(outcome);
        this.#doubtful = undefined;
      },
    );
    return open;
  }

  /** Nobody listens to it any more. */
  #leave(open: Open): void {
    open.over = true;
    open.job = undefined;
    this.#drop(open);
  }

  #drop(open: Open): void {
    const at = this.#open.indexOf(open);
    if (at >= 0) this.#open.splice(at, 1);
  }

  /** Whether its bytes today are those that it had then, with the number that it had. */
  #isAsked({ role, q }: Pick<Job, 'role' | 'q'>, x: Recorded): boolean {
    const protocol = this.languages[role];
    if (!protocol) return false;
    try {
      if (!protocol.number) return isHex(this.#bytesOf(protocol, role, q), x.sent);
      const numbering = this.#options.numbering[role] ?? { offset: 0 };
      for (let more = 0; more < MOST; more++) {
        if (!isHex(protocol.asks.encode(protocol.number(q, x.id + numbering.offset + more)), x.sent)) continue;
        numbering.offset += more;
        return true;
      }
      return false;
    } catch {
      return false;
    }
  }

  /** Of questions in words, which come again and again, the bytes are kept. */
  #bytesOf(protocol: AnyProtocol, role: string, q: unknown): Uint8Array {
    if (typeof q !== 'string') return protocol.asks.encode(q);
    const known = this.#bytes[role]?.get(q);
    if (known) return known;
    const bytes = protocol.asks.encode(q);
    this.#bytes[role] ??= new Map();
    if (this.#bytes[role].size < MOST_KEPT) this.#bytes[role].set(q, bytes);
    return bytes;
  }

  /** Its bytes today, in hexadecimal, with the number that it had then. */
  #encoded({ role, q }: Pick<Job, 'role' | 'q'>, x: Recorded): string {
    const protocol = this.languages[role];
    if (!protocol) return `for "${role}", which there is not`;
    try {
      const { offset } = this.#options.numbering[role] ?? { offset: 0 };
      return hex(protocol.asks.encode(protocol.number ? protocol.number(q, x.id + offset) : q));
    } catch (error) {
      return `nothing (${faultOf(error)})`;
    }
  }

  #proof(x: Recorded): Otherwise | undefined {
    const proof = (this.#model.proof(this.#options.options) as Readonly<Record<string, { ask(n: number): unknown } | undefined>>)[x.role]; // by role
    if (!proof) return { what: "today's driver has no proof", channels: [`${this.name} (proof)`] };
    const numbering = this.#options.numbering[x.role] ?? { offset: 0 };
    for (let more = 0; more < MOST; more++) {
      if (this.#isAsked({ role: x.role, q: proof.ask(x.id + numbering.offset + more) }, x)) return undefined;
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
