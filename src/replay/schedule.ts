/** Where each talk of one link began: a driver's talks may have a state, so they begin again in the order in which they began. */
import type { Open, Player, Recorded } from './player.ts';

interface Entry {
  readonly x: Recorded;
  readonly player: Player;
  /** Exchanges of the link that had ended when it was asked for. */
  readonly start: number;
  /** The talk that asks it, once it has begun. */
  open?: Open;
  /** No longer among those to come. */
  gone: boolean;
}

export class Schedule {
  /** What is known of the exchanges to come, in the order in which they were asked for. */
  readonly #coming: Entry[] = [];
  /** The same in the order of the recording. */
  readonly #recorded: Entry[] = [];
  #seen = 0;
  #hole = Number.NEGATIVE_INFINITY;
  #ended = 0;

  /** Exchanges are missing here: what comes was asked for behind this place, as far as can be known. */
  hole(): void {
    this.#hole = this.#seen;
  }

  /** An exchange that is still to come; in the order of the recording. */
  foresee(x: Recorded, player: Player): void {
    const start = Math.max(this.#hole, this.#seen++ - (x.behind ?? 0));
    if (x.nth === undefined) return; // a proof, or a session that does not tell: it begins when its turn comes
    const entry: Entry = { x, player, start, gone: false };
    this.#recorded.push(entry);
    const { nth } = x;
    let at = this.#coming.length;
    while (at > 0 && (this.#coming[at - 1].x.nth ?? 0) > nth) at--;
    if (at === this.#coming.length) this.#coming.push(entry);
    else this.#coming.splice(at, 0, entry);
  }

  /** The talk that asked this, where it is known; all that began before it begins, too. In the order of the recording, as they were foreseen. */
  due(x: Recorded): Open | undefined {
    if (x.nth === undefined) return undefined;
    const entry = this.#recorded[0];
    if (entry?.x !== x) return undefined;
    this.#recorded.shift();
    this.#advance(undefined);
    if (!entry.gone) {
      this.#remove(this.#coming.indexOf(entry));
      this.#begin(entry, true);
    }
    return entry.open;
  }

  /** This exchange and all that came of it is over. */
  ended(): void {
    this.#ended++;
  }

  /** An order of this instrument is to begin: what was asked for before its first question begins now. */
  before(player: Player, by: string): void {
    const order = this.#coming.find((one) => one.player === player && one.x.by === by && !one.open);
    if (order && order.start <= this.#ended) this.#advance(order);
  }

  #advance(until: Entry | undefined): void {
    for (let at = 0; at < this.#coming.length; ) {
      const entry = this.#coming[at];
      if (entry === until || entry.start > this.#ended) return;
      // An order begins with its own entry. What began with the last exchange's end and is next waits for its turn.
      if (entry.open || this.#begin(entry, false)) this.#remove(at);
      else at++;
    }
  }

  #remove(at: number): void {
    this.#coming[at].gone = true;
    if (at === 0) this.#coming.shift();
    else this.#coming.splice(at, 1);
  }

  /** False where its talk has not begun, and cannot yet. */
  #begin(entry: Entry, now: boolean): boolean {
    const { x, player } = entry;
    entry.open ??= player.going(x) ?? (now || !(x.by.startsWith('order:') || player.pausing(x)) ? player.fresh(x) : undefined);
    if (entry.open) entry.open.asks = x;
    return entry.open !== undefined;
  }
}
