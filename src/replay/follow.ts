/** Talks of an instrument behind a loss: each recorded exchange is given to the talk of today that asked it, where one can be told to have. */
import type { Job } from '../exchange.ts';
import type { Kinds } from '../reading.ts';
import type { Open } from './asking.ts';
import { Doubt, TURNS } from './doubt.ts';
import type { Recorded } from './player.ts';
import type { Told } from './tape.ts';

/** What of a player is needed to follow its talks. */
export interface Talks {
  /** Those under way. */
  readonly open: readonly Open[];
  readonly asks: (open: Open | undefined, x: Recorded) => boolean;
  /** The talk that asked this, begun now. */
  readonly fresh: (x: Recorded) => Open | undefined;
  /** Nobody listens to it any more. */
  readonly leave: (open: Open) => void;
  readonly answer: (job: Job, x: Recorded, told: Told | undefined) => void;
  /** A poll of one question: each of its exchanges is a whole talk. */
  readonly single: (by: string) => boolean;
  /** What a poll of this name gives; undefined where it is none. */
  readonly gives: (by: string) => Kinds | undefined;
}

export class Follow {
  readonly #talks: Talks;
  readonly #doubt = new Doubt();
  /** The kind of the instrument's last exchange. */
  #latest: string | undefined;

  constructor(talks: Talks) {
    this.#talks = talks;
  }

  /** Why talks of this kind are not judged; undefined where they are. */
  why(by: string): string | undefined {
    return this.#doubt.why(by);
  }

  /** An order's intent: its talk begins. */
  order(command: string): void {
    this.#doubt.begun(`order:${command}`);
  }

  /** A recorded reading, and whether just that was made. Why it is not judged, where the talk that it ends is in doubt. */
  met(channel: string, same: boolean): string | undefined {
    const by = this.#latest;
    const why = by === undefined ? undefined : this.#doubt.why(by);
    if (by === undefined || why === undefined || !(channel in (this.#talks.gives(by) ?? {}))) return undefined;
    this.#doubt.ended(by, same);
    return why;
  }

  /**
   * An exchange, and the talk that seems to have asked it: answered by the talk that did, or by none ('unjudged'). 'judged': talks of its
   * kind are in step again, and it is to be answered as any other.
   */
  exchange(x: Recorded, found: Open | undefined, told: Told | undefined): 'judged' | 'answered' | 'unjudged' {
    const { by } = x;
    this.#latest = by;
    if (this.#doubt.why(by) !== undefined && this.#talks.single(by)) this.#doubt.prove(by);
    if (this.#doubt.why(by) === undefined) return 'judged';
    const begins = this.#doubt.begins(by);
    if (this.#doubt.why(by) === undefined) return 'judged';
    const open = this.#chosen(x, begins, found);
    const job = open?.over ? undefined : open?.job;
    if (!open || !job) {
      this.#doubt.unasked(by);
      return 'unjudged';
    }
    const asked = this.#talks.asks(open, x);
    const first = open.heard === undefined;
    this.#hear(open, job, x, told);
    this.#doubt.heard(by, asked, first, open.over ? (this.#talks.gives(by) ? 'over' : 'over, and gives nothing') : undefined);
    return 'answered';
  }

  #chosen(x: Recorded, begins: ReturnType<Doubt['begins']>, found: Open | undefined): Open | undefined {
    const { asks, fresh, leave } = this.#talks;
    const isFirst = begins === 'known' || begins === 'assumed';
    let open = found;
    if (isFirst ? open?.heard : begins === undefined && !asks(open, x)) {
      // It is the first of a talk, or asks something else than the one that seemed to be under way: another begins with it, if any does.
      const again = open?.heard;
      for (const one of this.#talks.open.filter(({ by }) => by === x.by)) leave(one);
      open = again && fresh(x);
    } else if (begins === 'goes on' && !open?.heard) {
      if (open) leave(open); // today's has come to its end before
      return undefined;
    }
    if (!open || asks(open, x)) return open;
    if (begins !== undefined) open = this.#turned(open, x);
    if (asks(open, x) || begins === 'known' || begins === 'goes on') return open;
    leave(open);
    return undefined;
  }

  #hear(open: Open, job: Job, x: Recorded, told: Told | undefined): void {
    open.job = undefined;
    open.asks = undefined;
    open.heard ??= [];
    open.heard.push({ x, told });
    this.#talks.answer(job, x, told);
  }

  /** A driver that asks one thing after the other, talk by talk, is brought on to the one that asked this; the same talk where none does. */
  #turned(open: Open, x: Recorded): Open {
    const { asks, fresh, leave, gives } = this.#talks;
    if (!gives(x.by)) return open;
    const heard = open.heard ?? [];
    for (let turn = 0; turn < TURNS; turn++) {
      const other = fresh(x);
      for (const before of heard) {
        if (!other?.job || !asks(other, before.x)) break;
        this.#hear(other, other.job, before.x, before.told);
      }
      if (other && (other.heard?.length ?? 0) === heard.length && asks(other, x)) {
        leave(open);
        this.#doubt.turned(x.by);
        return other;
      }
      if (other) leave(other);
    }
    return open;
  }
}
