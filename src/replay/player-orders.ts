/** The orders of one instrument of a recording: one by one, safe ones at once, as order.ts lets them go. */
import type { OrderEntry } from '../entry.ts';

export interface Placed {
  readonly entry: OrderEntry;
  readonly safe: boolean;
  begun: boolean;
}

export class PlayerOrders {
  readonly #orders: Placed[] = [];
  readonly #begin: (one: Placed) => void;

  /** `begin`: its turn has come. */
  constructor(begin: (one: Placed) => void) {
    this.#begin = begin;
  }

  /** An order's intent. */
  add(entry: OrderEntry, safe: boolean): void {
    this.#orders.push({ entry, safe, begun: false });
    this.#next();
  }

  /** Its end. */
  end({ id, t }: OrderEntry): void {
    const at = this.#orders.findIndex(({ entry }) => entry.id === id && entry.t === t);
    if (at >= 0) this.#orders.splice(at, 1);
    this.#next();
  }

  /** The order of a command that is given again, because it was not answered. */
  again(command: string): Placed | undefined {
    const all = this.#orders.filter(({ entry }) => entry.command === command);
    return all.findLast(({ safe }) => safe) ?? all.at(-1);
  }

  /** Those under way: whether and when they end is not known. */
  forget(): void {
    this.#orders.length = 0;
  }

  #next(): void {
    let busy = false;
    for (const one of this.#orders) {
      if (one.begun || (busy && !one.safe)) {
        busy ||= !one.safe;
        continue;
      }
      busy ||= !one.safe;
      one.begun = true;
      this.#begin(one);
    }
  }
}
