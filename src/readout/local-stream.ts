/** Fast streams in this process, on any clock: what readout processes do, for simulators and tests. */
import { crc32 } from 'node:zlib';
import { BehaviorSubject, Subject } from 'rxjs';
import { readout } from '../../protocols/readout.ts';
import { type Clock, every } from '../clock.ts';
import type { Hits } from '../derive/hits.ts';
import type { Keep, StreamPart } from '../entry.ts';
import type { Arrival, Link } from '../link.ts';
import { asked } from './asks.ts';
import { builder } from './builder.ts';
import type { FeedEvents } from './feed-bytes.ts';
import type { LocalFeeds } from './feeds.ts';
import { hitBytes } from './hit-bytes.ts';
import { type ReaderPlan, reader } from './reader.ts';
import { type BuildOptions, LOOK } from './stream-link.ts';

const language = readout({});

/**
 * In this process, on any clock: for simulators and tests. `inner` carries the stream's own bytes; what the plan records goes to `keep`, and
 * all hits to `feed`. Throws where the plan is no plan.
 */
export function localStream(inner: Link, plan: ReaderPlan, clock: Clock, keep?: Keep, feed?: FeedEvents): Link {
  let recorded = 0;
  const put = (part: StreamPart, t: number, bytes: Uint8Array): void => {
    recorded += bytes.length;
    keep?.(part, t, bytes);
  };
  const record = keep && plan.record.hits;
  let zero = (): number => 0;
  const hits = (block: Hits, t: number): void => {
    if (record) put('hits', t, hitBytes(block));
    feed?.hits(block, zero(), t);
  };
  const made = reader({ plan, begin: clock.now(), crc32, hits });
  if (typeof made === 'string') throw new Error(made);
  zero = () => made.zero;
  const arrivals = new Subject<Arrival>();
  const say = (bytes: Uint8Array): void => arrivals.next({ bytes, t: clock.now(), mono: clock.mono() });
  const raw = keep && plan.record.raw;
  const heard = inner.arrivals.subscribe(({ bytes, t }) => {
    if (raw) put('stream', t, bytes.slice());
    made.take(bytes, t);
  });
  const questions = asked(made, clock);
  let up = false;
  const state = inner.up.subscribe((now) => {
    up = now;
    tellFeed();
  });
  const look = (): Uint8Array =>
    language.tells.encode({ say: 'values', t: clock.now(), values: { ...made.look(clock.now()), recorded, unrecorded: 0 } });
  const stop = every(clock, LOOK, () => {
    if (up) say(look());
    tellFeed();
  });
  return {
    framing: 'packets',
    origin: inner.origin,
    arrivals,
    up: inner.up,
    write(bytes) {
      if (!up) return false;
      for (const answer of questions(bytes)) clock.after(0, () => say(answer()));
      return true;
    },
    reopen: () => inner.reopen(),
    close() {
      stop();
      heard.unsubscribe();
      state.unsubscribe();
      inner.close();
      arrivals.complete();
    },
  };

  function tellFeed(): void {
    if (typeof made !== 'string') feed?.state({ up, dead: made.dead, lost: 0 }, clock.now());
  }
}

/** In this process, on any clock: events of several boards, whose hits come through `feeds`. Throws where the plan is no plan. */
export function localBuild(options: BuildOptions, feeds: LocalFeeds, clock: Clock): Link {
  const { boards, hold, physics } = options;
  const made = builder({ boards, hold, physics, begin: clock.now() });
  if (typeof made === 'string') throw new Error(`${options.name}: ${made}`);
  const arrivals = new Subject<Arrival>();
  const up = new BehaviorSubject(false);
  const questions = asked(made, clock);
  const say = (bytes: Uint8Array): void => arrivals.next({ bytes, t: clock.now(), mono: clock.mono() });
  let closed = false;
  for (const [i, { name }] of boards.entries())
    feeds.take(name, {
      hits: (block, zero, t) => made.hits(i, block, zero, t),
      state: (state, t) => made.state(i, state, t),
    });
  // As a real port does, it opens after the caller has had time to look at it.
  clock.after(0, () => {
    if (!closed) up.next(true);
  });
  const stop = every(clock, LOOK, () => {
    if (up.value) say(language.tells.encode({ say: 'values', t: clock.now(), values: made.look(clock.now()) }));
  });
  return {
    framing: 'packets',
    origin: 'simulator',
    arrivals,
    up,
    write(bytes) {
      if (!up.value) return false;
      for (const answer of questions(bytes)) clock.after(0, () => say(answer()));
      return true;
    },
    reopen() {},
    close() {
      closed = true;
      stop();
      if (up.value) up.next(false);
      arrivals.complete();
      up.complete();
    },
  };
}
