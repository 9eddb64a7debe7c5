/** The time of a recording that is served: it begins with the first client, and may begin anew. */
import { type Clock, every } from '../clock.ts';

const LOOK = 0.25; // seconds between two looks at whether it is over

export interface PlayOptions {
  readonly clock: Clock;
  /** Seconds of the recording in one second. */
  readonly speed: number;
  /** Beginning and end, microseconds since 1970. */
  readonly from: number;
  readonly to: number;
  readonly repeat: boolean;
  /** Called once at its end, or each time that it begins anew. */
  readonly ended: (again: boolean) => void;
}

export class Play {
  readonly clock: Clock;
  readonly speed: number;
  readonly from: number;
  readonly to: number;
  readonly repeat: boolean;
  readonly #started: (() => void)[] = [];
  readonly #ended: (again: boolean) => void;
  #began: number | undefined;
  #stop: () => void = () => {};

  constructor({ clock, speed, from, to, repeat, ended }: PlayOptions) {
    this.clock = clock;
    this.speed = speed;
    this.from = from;
    this.to = to;
    this.repeat = repeat;
    this.#ended = ended;
  }

  /** Called at the beginning, and at each one anew. */
  onStart(work: () => void): void {
    this.#started.push(work);
  }

  /** The first client is there; later calls do nothing. */
  start(): void {
    if (this.#began !== undefined) return;
    this.#stop = every(this.clock, LOOK, () => this.#look());
    this.#begin();
  }

  #begin(): void {
    this.#began = this.clock.mono();
    for (const work of this.#started) work();
  }

  #look(): void {
    if (this.now <= this.to) return;
    this.#ended(this.repeat);
    if (this.repeat) this.#begin();
    else this.#stop();
  }

  /** The moment of the recording, microseconds since 1970; its beginning before the first client. */
  get now(): number {
    return this.#began === undefined ? this.from : this.from + (this.clock.mono() - this.#began) * 1e6 * this.speed;
  }

  /** Seconds of today for so many microseconds of the recording. */
  seconds(microseconds: number): number {
    return microseconds / 1e6 / this.speed;
  }

  close(): void {
    this.#stop();
  }
}

/** What is to be sent, one after the other and none before its time. */
export class Outbox {
  readonly #clock: Clock;
  readonly #waiting: { readonly at: number; readonly send: () => void }[] = [];
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `at`: monotonic seconds; not before what was put earlier. */
  put(at: number, send: () => void): void {
    this.#waiting.push({ at: Math.max(at, this.#waiting.at(-1)?.at ?? at), send });
    this.#watch();
  }

  /** All that waits, at once. */
  flush(): void {
    for (const { send } of this.#waiting.splice(0)) send();
  }

  clear(): void {
    this.#waiting.length = 0;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #watch(): void {
    const [first] = this.#waiting;
    if (!first || this.#cancel) return;
    this.#cancel = this.#clock.after(Math.max(0, first.at - this.#clock.mono()), () => {
      this.#cancel = undefined;
      const now = this.#clock.mono() + EARLY;
      while (this.#waiting.length > 0 && this.#waiting[0].at <= now) this.#waiting.shift()?.send();
      this.#watch();
    });
  }
}

const EARLY = 0.001; // seconds: as exact as a timer is
