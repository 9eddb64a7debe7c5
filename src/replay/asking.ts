/** An exchange that only keeps what it is asked: the recording answers. */
import type { Exchange, Job } from '../exchange.ts';
import type { Kinds } from '../reading.ts';
import type { Recorded } from './player.ts';
import type { Told } from './tape.ts';

/** A talk that is under way. */
export interface Open {
  readonly by: string;
  /** What it asks now. */
  job: Job | undefined;
  /** The exchange by which that was asked, where it is known. */
  asks?: Recorded;
  readonly gives: Kinds;
  /** After a loss: what it has heard so far. */
  heard?: { readonly x: Recorded; readonly told: Told | undefined }[];
  /** It has come to its end, or nobody listens to it any more. */
  over: boolean;
}

const NOBODY = { subscribe: () => ({ unsubscribe() {} }) };
const NO_STATS = { asked: 0, answered: 0, timeouts: 0, garbled: 0, dropped: 0, noise: 0, proofs: 0, latencySum: 0, latencyMax: 0 };

export class Asking implements Exchange {
  readonly #open: Open;
  constructor(open: Open) {
    this.#open = open;
  }
  submit(job: Job): void {
    this.#open.job = job;
  }
  get exchanged(): typeof NOBODY {
    return NOBODY;
  }
  get stats(): typeof NO_STATS {
    return NO_STATS;
  }
  join(): void {}
  doubt(): void {}
  hold(_: object, granted: () => void): void {
    granted();
  }
  release(): void {}
  get isUp(): boolean {
    return true;
  }
  get waiting(): number {
    return 0;
  }
  close(): void {}
}
