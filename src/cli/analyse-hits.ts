/** Runs the fast plane's sources over files: each in the order of its times, all of them merged into one stream of hits. */
import { type HitOrder, hitOrder } from '../derive/hit-order.ts';
import { type HitSource, type Hits, hits } from '../derive/hits.ts';
import { pieces } from './analyse-file.ts';

export interface Feed {
  readonly path: string;
  readonly source: HitSource;
  readonly order: HitOrder;
  /** Hits of this file in the order in which they stand in it. */
  readonly seen?: (block: Hits) => void;
  /** What is read, a step at a time, in the place of the file's bytes: a session is no file. */
  readonly steps?: (take: (block: Hits) => void) => AsyncGenerator<void>;
}

export function feed(
  path: string,
  source: HitSource,
  window: number,
  files: number,
  seen?: (block: Hits) => void,
  steps?: Feed['steps'],
): Feed {
  // All files together hold no more than one alone would.
  const order = hitOrder({ window, capacity: Math.max(2 ** 14, Math.floor(2 ** 19 / files)) });
  return { path, source, order, ...(seen ? { seen } : {}), ...(steps ? { steps } : {}) };
}

/** Gives the hits of all files, in the order of their times; blocks are filled again after the call. */
export async function merged(feeds: readonly Feed[], give: (block: Hits) => void): Promise<void> {
  const only = feeds[0];
  if (only && feeds.length === 1) {
    for await (const _ of through(only, give)); // each piece has been given on
    return;
  }
  const waiting = feeds.map((one) => new Waiting(one));
  const out = hits(OUT);
  const flush = (): void => {
    if (out.count > 0) give(out);
    out.count = 0;
  };
  for (;;) {
    for (const one of waiting) await one.fill();
    const left = waiting.filter((one) => !one.empty);
    if (left.length === 0) break;
    while (left.every((one) => !one.empty)) {
      let first = left[0];
      for (const one of left) if (first && one.t < first.t) first = one;
      first?.move(out);
      if (out.count === OUT) flush();
    }
  }
  flush();
}

const OUT = 4096;

/** One step a piece of the file, or a chunk of the session: what is ready after it has been given. */
async function* through(one: Feed, give: (block: Hits) => void): AsyncGenerator<void> {
  const take = (block: Hits): void => {
    one.seen?.(block);
    one.order.take(block, give);
  };
  if (one.steps) yield* one.steps(take);
  else {
    for await (const piece of pieces(one.path)) {
      one.source.take(piece, 0, take);
      yield;
    }
  }
  one.source.end(take);
  one.order.end(give);
}

/** The hits of one file that the others have not come up to. */
class Waiting {
  private readonly blocks: Hits[] = [];
  private at = 0;
  private readonly steps: AsyncGenerator<void>;
  private done = false;
  constructor(one: Feed) {
    this.steps = through(one, (block) => this.blocks.push(copied(block)));
  }
  get empty(): boolean {
    return this.blocks.length === 0;
  }
  /** Of the next hit. */
  get t(): number {
    return this.blocks[0]?.t[this.at] ?? Number.POSITIVE_INFINITY;
  }
  async fill(): Promise<void> {
    while (this.empty && !this.done) this.done = (await this.steps.next()).done ?? false;
  }
  move(to: Hits): void {
    const from = this.blocks[0];
    if (!from) return;
    const k = to.count++;
    for (const name of COLUMNS) to[name][k] = from[name][this.at] ?? 0;
    if (++this.at === from.count) {
      this.blocks.shift();
      this.at = 0;
    }
  }
}

const COLUMNS = ['t', 'channel', 'charge', 'tail', 'peak', 'baseline', 'noise', 'flags', 'frame'] as const;

function copied(block: Hits): Hits {
  const copy = hits(block.count);
  for (const name of COLUMNS) copy[name].set(block[name].subarray(0, block.count));
  copy.count = block.count;
  return copy;
}
