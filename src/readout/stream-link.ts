/** The host's side of a fast stream: a link whose packets are what its readout process says (protocols/readout.ts). */
import { crc32 } from 'node:zlib';
import { BehaviorSubject, Subject } from 'rxjs';
import { Fault } from '../../protocols/protocol.ts';
import { type ReadoutAsk, readout } from '../../protocols/readout.ts';
import { type Clock, every } from '../clock.ts';
import type { Hits } from '../derive/hits.ts';
import type { Keep, StreamPart } from '../entry.ts';
import type { Arrival, Link } from '../link.ts';
import { supervised } from './child.ts';
import { hitBytes } from './hit-bytes.ts';
import { type ReaderPlan, reader } from './reader.ts';

/** Where a readout process writes: the session's folder is shared, its parts have names of their own. */
export interface SessionPlace {
  readonly folder: string;
  /** The order in which raw series stop when room goes out, of all series of the rig. */
  readonly rawOrder: readonly string[];
}

export interface StreamOptions {
  /** The wire's name in the rig. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly plan: ReaderPlan;
  /** Without one nothing is recorded. */
  readonly session?: SessionPlace;
  readonly told?: (text: string) => void;
}

export type ToStream =
  | { readonly is: 'begin'; readonly options: Omit<StreamOptions, 'told'> }
  | { readonly is: 'ask'; readonly bytes: Uint8Array }
  | { readonly is: 'reopen' }
  | { readonly is: 'end' };
export type FromStream =
  | { readonly is: 'tell'; readonly bytes: Uint8Array }
  | { readonly is: 'up'; readonly now: boolean }
  | { readonly is: 'told'; readonly text: string };

export const LOOK = 1; // seconds between two looks
const ENTRY = 'stream-process.js';
export const SERVE = 'serve-stream';
const language = readout({});

const ending = new Set<Promise<void>>();

/** Resolves when every readout process of this one that was told to end has ended its parts, or after so many seconds. */
export async function streamsEnded(clock: Clock, within: number): Promise<void> {
  const late = new Promise<void>((done) => clock.after(within, done));
  await Promise.race([Promise.all(ending), late]);
}

/** Real: in a process of its own, started again with growing delay when it ends. */
export function streamLink(options: StreamOptions, clock: Clock): Link {
  const arrivals = new Subject<Arrival>();
  const up = new BehaviorSubject(false);
  const { told, ...plain } = options;
  let closed = false;

  const heard = (m: FromStream): void => {
    if (closed) return;
    if (m.is === 'tell') arrivals.next({ bytes: m.bytes, t: clock.now(), mono: clock.mono() });
    else if (m.is === 'told') told?.(m.text);
    else if (m.now !== up.value) up.next(m.now);
  };
  const child = supervised(
    {
      entry: ENTRY,
      word: SERVE,
      what: `${options.name}: the process that reads it`,
      ...(told ? { told } : {}),
      heard: (m) => heard(m as FromStream), // sent by the child's half, stream-process.ts
      begun: (send) => void send({ is: 'begin', options: plain } satisfies ToStream),
      lost() {
        if (up.value) up.next(false);
      },
    },
    clock,
  );
  const send = (m: ToStream): boolean => child.send(m);

  return {
    framing: 'packets',
    origin: 'hardware',
    arrivals,
    up,
    write: (bytes) => up.value && send({ is: 'ask', bytes: Uint8Array.from(bytes) }),
    reopen: () => void send({ is: 'reopen' }),
    close() {
      if (closed) return;
      closed = true;
      child.close();
      const mine = child.process;
      if (mine?.connected) {
        const gone = new Promise<void>((done) => mine.once('exit', () => done()));
        ending.add(gone);
        void gone.then(() => ending.delete(gone));
        send({ is: 'end' });
      }
      if (up.value) up.next(false);
      arrivals.complete();
      up.complete();
    },
  };
}

/**
 * In this process, on any clock: for simulators and tests. `inner` carries the stream's own bytes; what the plan records goes to `keep`.
 * Throws where the plan is no plan.
 */
export function localStream(inner: Link, plan: ReaderPlan, clock: Clock, keep?: Keep): Link {
  let recorded = 0;
  const put = (part: StreamPart, t: number, bytes: Uint8Array): void => {
    recorded += bytes.length;
    keep?.(part, t, bytes);
  };
  const hits = keep && plan.record.hits ? { hits: (block: Hits, t: number) => put('hits', t, hitBytes(block)) } : {};
  const made = reader({ plan, begin: clock.now(), crc32, ...hits });
  if (typeof made === 'string') throw new Error(made);
  const arrivals = new Subject<Arrival>();
  const say = (bytes: Uint8Array): void => arrivals.next({ bytes, t: clock.now(), mono: clock.mono() });
  const raw = keep && plan.record.raw;
  const heard = inner.arrivals.subscribe(({ bytes, t }) => {
    if (raw) put('stream', t, bytes.slice());
    made.take(bytes, t);
  });
  const decode = language.asks.decoder();
  let up = false;
  const state = inner.up.subscribe((now) => {
    up = now;
  });
  const stop = every(clock, LOOK, () => {
    if (up) say(language.tells.encode({ say: 'values', t: clock.now(), values: { ...made.look(clock.now()), recorded, unrecorded: 0 } }));
  });
  return {
    framing: 'packets',
    origin: inner.origin,
    arrivals,
    up: inner.up,
    write(bytes) {
      if (!up) return false;
      for (const q of decode(bytes)) if (!(q instanceof Fault)) clock.after(0, () => answer(q));
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

  function answer(q: ReadoutAsk): void {
    if (typeof made !== 'string') made.clear(clock.now());
    say(language.tells.encode({ say: 'cleared', n: q.n ?? 0 }));
  }
}
