/** A link through another instrument: a GPIB adapter's bus, a serial relay. */
import { BehaviorSubject, Subject } from 'rxjs';
import { type Clock, every } from '../clock.ts';
import { type Exchange, ORDER, SAFE } from '../exchange.ts';
import type { Actors, Body, Links } from '../instrument.ts';
import type { Arrival, Link } from '../link.ts';
import type { Origin } from '../reading.ts';
import { here } from '../talk.ts';
import { runTalk } from '../talk-run.ts';

/** What a tunnel needs of the instrument that carries it. */
export interface Carrier {
  readonly name: string;
  readonly acquired: {
    readonly state: { readonly is: string };
    readonly tunnel: Body<Links>['tunnel'];
    readonly actors: Actors<Links>;
  };
  readonly roles: Readonly<Record<string, Exchange>>;
  /** Default time-out of its questions in seconds. */
  readonly within: number;
}

const LOOK = 0.1; // seconds between two looks at whether the carrier is running
const MOST = 16; // talks that may wait for the carrier

/**
 * Each write is one talk of the carrier, in order, a safe order's in front of all; what the talk returns arrives. Up while the carrier is running. A talk that fails
 * brings nothing: the question that caused it times out.
 */
export function tunnelLink(carrier: Carrier, address: string, clock: Clock, origin: Origin): Link {
  const arrivals = new Subject<Arrival>();
  const { acquired, roles, within, name } = carrier;
  const up = new BehaviorSubject(false);
  const running = new Set<() => void>();
  let closed = false;

  const look = (): void => {
    const now = acquired.state.is === 'running' && acquired.tunnel !== undefined;
    if (closed || now === up.value) return;
    if (!now) giveUp();
    up.next(now);
  };
  const giveUp = (): void => {
    for (const stop of running) stop();
    running.clear();
  };
  clock.after(0, look);
  const stopLooking = every(clock, LOOK, look);

  return {
    framing: 'stream',
    origin,
    arrivals,
    up,
    write(bytes, reply = true, safe = false) {
      look();
      const { tunnel } = acquired;
      if (!up.value || !tunnel || (running.size >= MOST && !safe)) return false;
      const talk: { stop?: () => void; ended?: boolean } = {};
      const arrive = (back: Uint8Array, t: number): void => {
        if (!closed && up.value) arrivals.next({ bytes: back, t, mono: clock.mono() });
      };
      const stop = runTalk(
        tunnel(acquired.actors, address, bytes, reply, here),
        { instrument: name, by: `tunnel:${address}`, urgency: safe ? SAFE : ORDER, roles, within, clock },
        (outcome) => {
          talk.ended = true;
          if (talk.stop) running.delete(talk.stop);
          if (!outcome.ok || !outcome.value) return;
          const { value, came } = outcome;
          if (talk.stop) arrive(value, came.t);
          else clock.after(0, () => arrive(value, came.t)); // not inside write()
        },
      );
      talk.stop = stop;
      if (!talk.ended) running.add(stop);
      return true;
    },
    reopen() {
      giveUp();
    },
    close() {
      if (closed) return;
      closed = true;
      stopLooking();
      giveUp();
      if (up.value) up.next(false);
      arrivals.complete();
      up.complete();
    },
  };
}
