/** Questions in the order in which they were asked then: each gets its own reply, as late as it came. */
import type { Subject } from 'rxjs';
import type { Said } from '../simulate.ts';
import { shownHex } from './player.ts';
import { type Asked, answering, writes } from './recorded-asks.ts';
import type { Question } from './recorded-line.ts';
import { Outbox } from './recorded-play.ts';
import { type LineOptions, RecordedPort } from './recorded-port.ts';
import type { Context } from './recorded-replies.ts';

const NOTHING = 'nothing any more: the recording has ended';

/** The question that is to come: several where they went in one write. */
interface Next {
  readonly question: Question;
  readonly asks: readonly Asked[];
}

export class StrictPort extends RecordedPort {
  readonly #outbox: Outbox;
  readonly #asked: (bytes: Uint8Array) => readonly Asked[];
  /** A moment of today, and the one of the recording that it stands for. */
  #from: { readonly mono: number; readonly t: number } | undefined;
  #next: Next | undefined;
  /** Of those that went in one write, how many have come. */
  #come = 0;

  constructor(options: LineOptions) {
    super(options);
    this.#outbox = new Outbox(options.play.clock);
    this.#asked = writes(this.protocol);
  }

  protected async begin(): Promise<void> {
    this.#from ??= { mono: this.play.clock.mono(), t: this.play.from };
  }

  get #now(): number {
    const { mono, t } = this.#from ?? { mono: this.play.clock.mono(), t: this.play.from };
    return t + (this.play.clock.mono() - mono) * 1e6 * this.play.speed;
  }

  protected async due(): Promise<number | undefined> {
    if (!this.#from) return undefined;
    const now = this.#now;
    await this.read(now, () => this.ahead.some(({ is }) => is === 'question'));
    this.#pass((t) => t <= now);
    const [first] = this.ahead;
    return first?.is === 'question' ? undefined : this.until(now); // the time stands until it is asked
  }

  /** Gives what came by itself up to the next question; a write that was no question is passed over. */
  #pass(is: (t: number) => boolean): void {
    for (let event = this.ahead[0]; event && is(event.t); event = this.ahead[0]) {
      if (event.is === 'question') {
        if (this.#asked(event.bytes).length > 0) return;
      } else if (event.is === 'unasked') this.give(event);
      else this.breaks.next();
      this.ahead.shift();
    }
  }

  async #expected(): Promise<Next | undefined> {
    if (this.#next) return this.#next;
    for (;;) {
      await this.read(Number.POSITIVE_INFINITY, () => this.ahead.some(({ is }) => is === 'question'));
      const question = this.ahead.find((event) => event.is === 'question');
      if (!question) return undefined;
      const asks = this.#asked(question.bytes);
      if (asks.length > 0) {
        this.#next = { question, asks };
        return this.#next;
      }
      this.ahead.splice(this.ahead.indexOf(question), 1);
    }
  }

  protected async ask(asked: Asked, says: Subject<Said>, _context: Context, mono: number): Promise<void> {
    let next = await this.#expected();
    if (!next && this.play.repeat) {
      this.#outbox.flush();
      this.#pass(() => true);
      await this.rewind();
      next = await this.#expected();
    }
    if (!next) {
      this.wonder(asked, NOTHING);
      return;
    }
    if (next.asks[this.#come].key !== asked.key) {
      this.wonder(asked, shownHex(next.asks[this.#come].sent));
      return;
    }
    this.#come++;
    if (this.#come < next.asks.length) return;
    this.#come = 0;
    this.#next = undefined;
    const { question } = next;
    // What came before it, comes before it.
    this.#outbox.flush();
    this.#pass(() => true);
    this.ahead.shift();
    this.#from = { mono, t: question.t };
    if (question.pieces.length > 0) this.answered++;
    else if (question.expects) this.silent++;
    for (const piece of question.pieces) {
      const bytes = answering(this.protocol, piece, question, asked);
      this.#outbox.put(mono + this.play.seconds(piece.after), () => says.next({ bytes }));
    }
  }

  override async close(): Promise<void> {
    this.#outbox.clear();
    await super.close();
  }
}
