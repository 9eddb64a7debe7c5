/** A link of a trip test: silent, garbled, unplugged, or with forged replies, at a moment and for as long as the test wants it. */
import { BehaviorSubject, Subject } from 'rxjs';
import type { Clock } from './clock.ts';
import { forged, type Goal, type Question } from './forge.ts';
import { type AnyProtocol, Fault } from './instrument.ts';
import { type Arrival, type Link, wrapped } from './link.ts';
import { faultyLink } from './links/faulty.ts';

/** What went out last and wants an answer: its bytes, and what a simulator makes of them (of several messages, the last). */
export interface Asked {
  readonly q: unknown;
  readonly bytes: Uint8Array;
}

export interface Forgery {
  /** How the replies to this question are read, or undefined where this is none of its channel's. `m` is undefined where bytes have come that are
   *  no whole message. */
  readonly of: (asked: Asked | undefined, m: unknown) => Question | undefined;
  /** Asked anew for each reply; none: it stays as it is. */
  readonly goals: () => readonly Goal[];
  /** A reply is about to arrive: with what was wanted, or without because no change of it says that. */
  readonly done: (carried: boolean) => void;
}

export interface TripWire {
  readonly link: Link;
  /** Safe orders' bytes that the link has taken; microseconds since 1970. */
  readonly safes: readonly number[];
  /** Replies to these questions no longer arrive; undefined: all do. */
  silence(which: ((asked: Asked | undefined) => boolean) | undefined): void;
  /** One byte in each 64 of these replies is another; undefined: none is. `began` hears of each. */
  garble(which: ((asked: Asked | undefined) => boolean) | undefined, began?: () => void): void;
  plug(inserted: boolean): void;
  forge(all: readonly Forgery[]): void;
}

const CHUNK = 64; // bytes with one fault: a long file must not get away with one pixel

/** `plug` needs a simulated link inside. */
export function tripWire(link: Link & { plug?(inserted: boolean): void }, protocol: AnyProtocol, clock: Clock, seed: number): TripWire {
  const arrivals = new Subject<Arrival>();
  const safes: number[] = [];
  const spoil = garbler(clock, seed);
  let asked: Asked | undefined;
  let silent: ((asked: Asked | undefined) => boolean) | undefined;
  let garbled: ((asked: Asked | undefined) => boolean) | undefined;
  let began = (): void => {};
  let forgeries: readonly Forgery[] = [];

  const hear = (a: Arrival): void => {
    if (silent?.(asked)) return;
    if (garbled?.(asked)) {
      began();
      arrivals.next({ ...a, bytes: spoil(a.bytes) });
      return;
    }
    arrivals.next(forgeries.length === 0 ? a : { ...a, bytes: falsified(a.bytes) });
  };

  /** A simulator says whole messages, one in each arrival or several. */
  const falsified = (bytes: Uint8Array): Uint8Array => {
    const heard: readonly unknown[] = protocol.tells.decoder()(bytes);
    if (heard.length === 0 || heard.some((m) => m instanceof Fault)) {
      for (const { of, goals, done } of forgeries) if (of(asked, undefined) && goals().length > 0) done(false);
      return bytes;
    }
    let touched = false;
    const parts = heard.map((m) => {
      let now: { readonly m: unknown; readonly bytes?: Uint8Array } = { m };
      for (const { of, goals, done } of forgeries) {
        const question = of(asked, m);
        const wanted = question ? goals() : [];
        if (!question || wanted.length === 0) continue;
        let carried = true;
        for (const goal of wanted) {
          const made = forged(question, now.m, goal);
          if (made) now = made;
          else carried = false;
        }
        done(carried);
      }
      if (now.bytes) touched = true;
      return now.bytes ?? protocol.tells.encode(m);
    });
    return touched ? Uint8Array.from(parts.flatMap((part) => [...part])) : bytes;
  };

  const heard = link.arrivals.subscribe({ next: hear, complete: () => arrivals.complete() });
  return {
    safes,
    link: wrapped(link, {
      arrivals,
      write(bytes, reply, safe) {
        // Before the write: a link in the same process may answer inside it.
        if (reply !== false) asked = { q: questionIn(protocol, bytes), bytes };
        const taken = link.write(bytes, reply, safe);
        if (taken && safe) safes.push(clock.now());
        return taken;
      },
      close() {
        heard.unsubscribe();
        link.close();
      },
    }),
    silence(which) {
      silent = which;
    },
    garble(which, told = () => {}) {
      garbled = which;
      began = told;
    },
    plug: (inserted) => link.plug?.(inserted),
    forge(all) {
      forgeries = all;
    },
  };
}

function questionIn(protocol: AnyProtocol, bytes: Uint8Array): unknown {
  const decoded: readonly unknown[] = protocol.asks.decoder()(bytes);
  return decoded.findLast((q) => !(q instanceof Fault));
}

/** Whether it is this question, whatever number it carries on this link. One of several messages is known by all of its bytes. */
export function sameQuestion(protocol: AnyProtocol, asked: Asked | undefined, b: unknown): boolean {
  if (asked === undefined) return false;
  const plain = (q: unknown): string | undefined => {
    try {
      return protocol.asks.encode(protocol.number ? protocol.number(q, 1) : q).join();
    } catch {
      return undefined;
    }
  };
  const wanted = plain(b);
  return wanted !== undefined && (wanted === asked.bytes.join() || (asked.q !== undefined && wanted === plain(asked.q)));
}

/** The faulty link's garbling alone, and of replies alone: a garbled safe order is another test. */
function garbler(clock: Clock, seed: number): (bytes: Uint8Array) => Uint8Array {
  const into = new Subject<Arrival>();
  const nowhere: Link = {
    framing: 'packets',
    origin: 'simulator',
    arrivals: into,
    up: new BehaviorSubject(true),
    write: () => true,
    reopen() {},
    close() {},
  };
  const out: Uint8Array[] = [];
  faultyLink(nowhere, clock, { seed, name: 'trip-test', garble: 1 }).arrivals.subscribe(({ bytes }) => void out.push(bytes));
  return (bytes) => {
    out.length = 0;
    for (let at = 0; at < bytes.length; at += CHUNK)
      into.next({ bytes: bytes.subarray(at, at + CHUNK), t: clock.now(), mono: clock.mono() });
    return Uint8Array.from(out.flatMap((part) => [...part]));
  };
}
