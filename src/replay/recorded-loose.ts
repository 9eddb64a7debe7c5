/** Questions in any order: each gets the reply that it had last at the present moment of the recording. */
import type { Subject } from 'rxjs';
import type { Said } from '../simulate.ts';
import { type Asked, answering } from './recorded-asks.ts';
import { Outbox } from './recorded-play.ts';
import { type LineOptions, RecordedPort } from './recorded-port.ts';
import { type Context, Replies } from './recorded-replies.ts';

const AT_ONCE = 1 << 18; // bytes of what came by itself
const NO_ANSWER = 'no answer'; // as exchange.ts records it: what came of it came too late

/** `first`: the first reply to each question, for those that have not been asked yet at that moment. */
export class LoosePort extends RecordedPort {
  readonly #first: Replies;
  readonly #outbox: Outbox;
  #last: Replies;
  #down = false;

  constructor(options: LineOptions & { readonly first: Replies | undefined }) {
    super(options);
    this.#first = options.first ?? new Replies(this.protocol, { first: true });
    this.#last = new Replies(this.protocol, { first: false });
    this.#outbox = new Outbox(options.play.clock);
  }

  #begun = false;
  protected async begin(): Promise<void> {
    if (this.#begun) await this.rewind();
    if (this.#begun) this.#last = new Replies(this.protocol, { first: false });
    this.#begun = true;
    this.#down = false;
  }

  protected async due(): Promise<number | undefined> {
    if (!this.#begun) return undefined;
    const { now } = this.play;
    await this.read(now);
    let given = 0;
    let n = 0;
    for (; n < this.ahead.length && this.ahead[n].t <= now; n++) {
      const event = this.ahead[n];
      if (event.is === 'question') {
        this.#down = false;
        this.#last.see(event);
      } else if (event.is === 'unasked') {
        this.give(event);
        given += event.bytes.length;
        // A socket takes them while nothing else is done.
        if (given > AT_ONCE) await new Promise<void>((done) => this.play.clock.after(0, done));
        if (given > AT_ONCE) given = 0;
      } else {
        this.#down = true;
        this.breaks.next();
      }
    }
    this.ahead.splice(0, n);
    if (this.over && this.ahead.length === 0) this.#down = false; // what was the last goes on
    return this.until(now);
  }

  protected async ask(asked: Asked, says: Subject<Said>, context: Context, mono: number): Promise<void> {
    await this.due();
    const key = this.#first.keyOf(asked, context.before);
    const found = key === undefined ? undefined : (this.#last.follow(key, context) ?? this.#first.get(key));
    if (!found) {
      context.silent(asked.key);
      if (!this.#first.isSilent(asked)) this.wonder(asked);
      return;
    }
    if (found.expects || found.pieces.length > 0) context.answered();
    else context.silent(asked.key);
    if (this.#down || found.fault === NO_ANSWER) {
      this.silent++;
      return;
    }
    this.answered++;
    for (const piece of found.pieces) {
      const bytes = answering(this.protocol, piece, found, asked);
      this.#outbox.put(mono + this.play.seconds(piece.after), () => says.next({ bytes }));
    }
  }

  override async close(): Promise<void> {
    this.#outbox.clear();
    await super.close();
  }
}
