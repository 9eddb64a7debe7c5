/** Where each talk of one link began: a driver's talks may have a state, so they begin again in the order in which they began. */
import type { Open, Player, Recorded } from './player.ts';

interface Entry {
  readonly x: Recorded;
  readonly player: Player;
  /** Exchanges of the link that had ended when it was asked for. */
  readonly start: number;
  /** The talk that asks it, once it has begun. */
  open?: Open;
}

export class Schedule {
  /** What is known of the exchanges to come, in the order in which they were asked for. */
  readonly #coming: Entry[] = [];
  readonly #of = new Map<Recorded, Entry>();
  #seen = 0;
  #ended = 0;

  /** An exchange that is still to come; in the order of the recording. */
  foresee(x: Recorded, player: Player): void {
    const start = this.#seen++ - (x.behind ?? 0);
    if (x.nth === undefined) return; // a proof, or a session that does not tell: it begins when its turn comes
    const entry: Entry = { x, player, start };
    this.#of.set(x, entry);
    const { nth } = x;
    this.#coming.splice(this.#coming.findLastIndex((one) => (one.x.nth ?? 0) <= nth) + 1, 0, entry);
  }

  /** The talk that asked this, where it is known; all that began before it begins, too. */
  due(x: Recorded): Open | undefined {
    const entry = this.#of.get(x);
    if (!entry) return undefined;
    this.#of.delete(x);
    this.#advance(undefined);
    const at = this.#coming.indexOf(entry);
    if (at >= 0) {
      this.#coming.splice(at, 1);
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
    for (const entry of [...this.#coming]) {
      if (entry === until || entry.start > this.#ended) return;
      // An order begins with its own entry. What began with the last exchange's end and is next waits for its turn.
      if (entry.open || this.#begin(entry, false)) this.#coming.splice(this.#coming.indexOf(entry), 1);
    }
  }

  /** False where its talk has not begun, and cannot yet. */
  #begin(entry: Entry, now: boolean): boolean {
    const { x, player } = entry;
    entry.open ??= player.going(x) ?? (now || !(x.by.startsWith('order:') || player.pausing(x)) ? player.fresh(x) : undefined);
    if (entry.open) entry.open.asks = x;
    return entry.open !== undefined;
  }
}
