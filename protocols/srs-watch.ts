import { filter } from './srs.ts';

/** What a lock-in's values depend on, as it was read or set last. */
export interface Core {
  /** Place in the table of full scales. */
  readonly scale: number;
  /** Seconds. */
  readonly tau: number;
  readonly stages: number;
  /** The input measures a current. */
  readonly current: boolean;
}

export interface Ranging {
  /** Full scales, rising, and the place of the present one. */
  readonly scales: readonly number[];
  readonly at: number;
  /** Size of the signal, and whether anything is overloaded. */
  readonly size: number;
  readonly overload: boolean;
  /** No scale below this place. */
  readonly floor: number;
}

/**
 * The place of the scale to take: ten times more in an overload, one step more above 95 % of full scale; below 30 % the smallest that
 * the signal fills to 60 % at most. Between the two nothing moves, so that a signal at an edge does not switch to and fro.
 */
export function ranged({ scales, at, size, overload, floor }: Ranging): number {
  const last = scales.length - 1;
  if (overload) return Math.min(last, at + 3);
  if (size > 0.95 * scales[at]) return Math.min(last, at + 1);
  if (size >= 0.3 * scales[at]) return at;
  const fits = scales.findIndex((full, i) => i >= floor && size <= 0.6 * full);
  return fits < 0 ? at : Math.min(at, fits);
}

/** What is kept between a lock-in's replies: its settings, and until when the filter has not settled. Times in microseconds. */
export class Watch {
  core: Core | undefined;
  /** Why the filter must settle anew, from the next reading on. */
  change: string | undefined;
  /** The question whose group is asked at the next look: something was set. */
  want: string | undefined;
  private until = 0;
  private now = 0;
  private why = '';
  /** No scale below this place until then: one was overloaded there. */
  private floor = 0;
  private floorUntil = 0;
  /** The last change of scale shows its effect from then on. */
  private ranging = 0;

  private wait(): number {
    return this.core ? filter(this.core.tau, this.core.stages).wait : 0;
  }
  /** The filter settles from now on. */
  settle(why: string): void {
    const until = this.now + 1e6 * this.wait();
    if (until > this.until)
      [this.until, this.why] = [until, `not settled after ${why}: that takes ${Number(this.wait().toPrecision(6))} s`];
  }
  /** Values of this moment: why they are not settled, where they are not. */
  at(t: number): string | undefined {
    this.now = t;
    if (this.change !== undefined) this.settle(this.change);
    this.change = undefined;
    return t < this.until ? this.why : undefined;
  }
  /** Something was set by an order, which this question reads back. */
  set(why: string, want: string, part: Partial<Core> = {}): void {
    if (this.core) this.core = { ...this.core, ...part };
    this.change = why;
    this.want = want;
  }
  /** Something was read that may have been set elsewhere. */
  read(now: Core): void {
    const before = this.core;
    this.core = now;
    if (before && JSON.stringify(before) !== JSON.stringify(now)) this.change = 'a change of its settings';
  }
  /**
   * The place of the scale to take, the present one unless the effect of the last can be seen; `output`: it is the output that is
   * overloaded, which another scale cures at once.
   */
  range(scales: readonly number[], size: number, overload: boolean, output: boolean): number {
    const at = this.core?.scale ?? 0;
    const settled = this.now >= this.until && this.change === undefined;
    if (this.now < this.ranging || !(settled || overload)) return at;
    if (overload && !output) [this.floor, this.floorUntil] = [at + 1, this.now + 1e6 * Math.max(60, 20 * this.wait())];
    const next = ranged({ scales, at, size, overload, floor: this.now < this.floorUntil ? this.floor : 0 });
    if (next !== at) this.ranging = this.now + 1e6 * this.wait();
    return next;
  }
}

export type Replies = Readonly<Record<string, string>>;

/** Questions that are asked seldom, in turn: `always` with one of the groups after the other, or with the group that is wanted. */
export class Round {
  private readonly always: readonly string[];
  private readonly groups: readonly (readonly string[])[];
  private turn = 0;
  private left: string[] = [];
  private replies: Record<string, string> = {};

  constructor(always: readonly string[], groups: readonly (readonly string[])[]) {
    this.always = always;
    this.groups = groups;
  }
  /** All questions of the next round. */
  next(watch: Watch): readonly string[] {
    const wanted = this.groups.find((group) => watch.want !== undefined && group.includes(watch.want));
    watch.want = undefined;
    return [...this.always, ...(wanted ?? this.groups[this.turn++ % this.groups.length])];
  }
  /** One question at a time: what is to be asked now. */
  one(watch: Watch): string {
    if (this.left.length === 0) this.left = [...this.next(watch)];
    return this.left[0];
  }
  /** Its reply; all replies of the round when this was the last, before that none. */
  took(reply: string): Replies {
    const question = this.left.shift();
    if (question !== undefined) this.replies[question] = reply;
    if (this.left.length > 0) return {};
    const all = this.replies;
    this.replies = {};
    return all;
  }
}
