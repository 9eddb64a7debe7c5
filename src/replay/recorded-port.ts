/** A wire of a recording as a port that can be served: questions of anybody's software get the replies that were recorded. */
import { Subject } from 'rxjs';
import type { AnyProtocol } from '../instrument.ts';
import type { Wire } from '../rig-wires.ts';
import type { Port, Said, Talker } from '../simulate.ts';
import { shownHex } from './player.ts';
import { type Asked, asking } from './recorded-asks.ts';
import type { Along } from './recorded-events.ts';
import type { LineEvent, Unasked } from './recorded-line.ts';
import type { Play } from './recorded-play.ts';
import { Context } from './recorded-replies.ts';

/** What has been asked and could not be answered from the recording, by its words. */
export interface Strange {
  readonly asked: string;
  /** What was to be asked, where the order counts. */
  readonly expected?: string;
  count: number;
}

export interface Account {
  readonly wire: string;
  answered: number;
  /** Not answered, because they were not then. */
  silent: number;
  readonly strange: readonly Strange[];
  /** Strange ones beyond those that are listed. */
  readonly more: number;
}

export interface LineOptions {
  readonly wire: Pick<Wire, 'key' | 'users'>;
  readonly play: Play;
  /** The wire's events from its beginning. */
  readonly read: () => AsyncGenerator<Along, void, undefined>;
  /** Each kind of strange question, once. */
  readonly strange: (wire: string, strange: Strange) => void;
  /** The session cannot be read any more. */
  readonly failed: (why: string) => void;
}

const EMPTY = new Uint8Array(0);
const AHEAD = 1e6; // microseconds of the recording that are read ahead
const SILENCE = 0.05; // seconds without a byte after which a binary frame that is not whole is given up, as simulators do
const LISTED = 1000; // strange questions

/** What loose and strict have in common: the events as they are read, what came by itself, and the account. */
export abstract class RecordedPort implements Port {
  readonly protocol: AnyProtocol;
  readonly says = new Subject<Said>();
  /** The link went down then: whoever is connected loses the connection. */
  readonly breaks = new Subject<void>();
  protected readonly play: Play;
  protected readonly wire: string;
  /** Read, and not yet past. */
  protected ahead: LineEvent[] = [];
  readonly #options: LineOptions;
  readonly #strange = new Map<string, Strange>();
  #more = 0;
  #events: AsyncGenerator<Along, void, undefined>;
  #known = Number.NEGATIVE_INFINITY;
  #over = false;
  #turns: Promise<void> = Promise.resolve();
  #cancel: () => void = () => {};
  #closed = false;
  protected answered = 0;
  protected silent = 0;
  readonly #own: Talker;

  constructor(options: LineOptions) {
    const { wire, play, read } = options;
    this.#options = options;
    this.protocol = wire.users[0].protocol;
    this.wire = wire.key;
    this.play = play;
    this.#events = read();
    this.#own = this.#line(this.says);
    play.onStart(() => this.#turn(() => this.begin()));
  }

  receive(bytes: Uint8Array): void {
    this.#own.receive(bytes);
  }

  talker(): Talker {
    if (this.protocol.readout !== undefined) this.play.start(); // who connects to a stream says nothing
    return this.#line(new Subject<Said>());
  }

  get account(): Account {
    const { wire, answered, silent } = this;
    return { wire, answered, silent, strange: [...this.#strange.values()], more: this.#more };
  }

  /** All that was asked up to now has been looked at. */
  get settled(): Promise<void> {
    return this.#turns;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
    await this.#turns;
    await this.#events.return(undefined);
  }

  /** The time of the recording has begun, or begun anew. */
  protected abstract begin(): Promise<void>;
  /** A whole question, at this moment of today (monotonic seconds). */
  protected abstract ask(asked: Asked, says: Subject<Said>, context: Context, mono: number): Promise<void>;
  /** What is due by now; gives in how many seconds to come again. */
  protected abstract due(): Promise<number | undefined>;

  #line(says: Subject<Said>): Talker {
    const { protocol, play } = this;
    const hear = asking(protocol);
    const context = new Context();
    let flush: (() => void) | undefined;
    const take = (bytes: Uint8Array): void => {
      const at = play.clock.mono();
      for (const asked of hear(bytes)) {
        this.#turn(() => this.ask(asked, says, context, at));
      }
    };
    return {
      says,
      receive: (bytes) => {
        if (this.#closed) return;
        play.start();
        if (protocol.readout !== undefined) return; // the other end of a fast stream is not asked
        flush?.();
        take(bytes);
        if (protocol.apart === 'unit') flush = play.clock.after(SILENCE, () => take(EMPTY));
      },
    };
  }

  /** One after the other, in the order in which they came. */
  #turn(work: () => Promise<void>): void {
    this.#turns = this.#turns.then(async () => {
      if (this.#closed) return;
      try {
        await work();
        await this.#next();
      } catch (error) {
        if (!(error instanceof Error && 'code' in error)) throw error;
        this.#closed = true;
        this.#options.failed(error.message);
      }
    });
  }

  async #next(): Promise<void> {
    const wait = await this.due();
    this.#cancel();
    if (wait === undefined || this.#closed) return;
    this.#cancel = this.play.clock.after(Math.max(0, wait), () => this.#turn(async () => {}));
  }

  /** From the wire's first event on. */
  protected async rewind(): Promise<void> {
    await this.#events.return(undefined);
    this.#events = this.#options.read();
    this.#known = Number.NEGATIVE_INFINITY;
    this.#over = false;
    this.ahead = [];
  }

  protected get over(): boolean {
    return this.#over;
  }

  /** Reads on to a moment of the recording and a little further, or until there is enough. */
  protected async read(to: number, enough: () => boolean = () => false): Promise<void> {
    while (!this.#over && this.#known < to + AHEAD && !enough()) {
      const { value, done } = await this.#events.next();
      if (done) this.#over = true;
      else {
        this.#known = Math.max(this.#known, value.t);
        if (value.event) this.ahead.push(value.event);
      }
    }
  }

  /** Seconds from now to the next event, or to when more is to be read. */
  protected until(now: number): number | undefined {
    const [first] = this.ahead;
    if (first) return this.play.seconds(Math.min(first.t - now, AHEAD / 2));
    return this.#over ? undefined : this.play.seconds(AHEAD / 2);
  }

  protected give({ bytes, name }: Unasked): void {
    this.says.next({ bytes, ...(name === undefined ? {} : { name }) });
  }

  protected wonder(asked: Asked, expected?: string): void {
    const key = `${asked.key} ${expected ?? ''}`;
    const known = this.#strange.get(key);
    if (known) known.count++;
    else if (this.#strange.size >= LISTED) this.#more++;
    else {
      const strange: Strange = { asked: shownHex(asked.sent), ...(expected === undefined ? {} : { expected }), count: 1 };
      this.#strange.set(key, strange);
      this.#options.strange(this.wire, strange);
    }
  }
}
