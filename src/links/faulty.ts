/** A link with a bad day: seeded faults over any other, the same for the same seed and the same traffic. */
import { BehaviorSubject, Subject } from 'rxjs';
import type { Clock } from '../clock.ts';
import type { Arrival, Link } from '../link.ts';
import { uniform } from '../simulator.ts';

/** Probabilities per arrival or write, 0 unless given. */
export interface Faults {
  /** An arrival or a write vanishes. */
  readonly drop?: number;
  /** An arrival comes later by up to `longest`; on a stream those after it wait for it, packets may overtake it. */
  readonly delay?: number;
  /** One byte of an arrival or a write is another. */
  readonly garble?: number;
  /** Only the beginning of an arrival comes. */
  readonly cut?: number;
  /** The link goes down for `away`. */
  readonly disconnect?: number;
  /** From a write on nothing is taken, until the link is opened again or `stuckFor` has passed. */
  readonly stuck?: number;
  /** What was written comes back, before any answer. */
  readonly echo?: number;
}

export interface FaultyOptions extends Faults {
  readonly seed: number;
  /** Tells the faults of several links with one seed apart. */
  readonly name?: string;
  /** Seconds; 1 unless given. */
  readonly longest?: number;
  /** Seconds; 1 unless given. */
  readonly away?: number;
  /** Seconds; 5 unless given. */
  readonly stuckFor?: number;
}

export interface FaultyLink extends Link {
  /** How often each fault has happened. */
  readonly happened: Readonly<Record<keyof Faults, number>>;
}

export function faultyLink(link: Link, clock: Clock, options: FaultyOptions): FaultyLink {
  const { seed, name = 'faulty', longest = 1, away = 1, stuckFor = 5 } = options;
  const arrivals = new Subject<Arrival>();
  const up = new BehaviorSubject(false);
  const happened: Record<keyof Faults, number> = { drop: 0, delay: 0, garble: 0, cut: 0, disconnect: 0, stuck: 0, echo: 0 };
  let drawn = 0;
  let lastRelease = 0;
  let held = 0;
  const queue: (() => void)[] = [];
  let life = 0;
  let inner = false;
  let down = false;
  let stuck = false;
  let closed = false;

  const chance = (): number => uniform(seed, name, drawn++);
  const strikes = (fault: keyof Faults): boolean => {
    const p = options[fault] ?? 0;
    if (p <= 0 || chance() >= p) return false;
    happened[fault]++;
    return true;
  };
  const show = (): void => {
    const now = inner && !down && !closed;
    if (now === up.value) return;
    if (!now) life++;
    lastRelease = 0;
    up.next(now);
  };
  const disconnect = (): void => {
    down = true;
    show();
    clock.after(away, () => {
      down = false;
      stuck = false;
      if (!closed) show();
    });
  };
  const garbled = (bytes: Uint8Array): Uint8Array => {
    const other = bytes.slice();
    const at = Math.floor(chance() * other.length);
    other[at] ^= 1 + Math.floor(chance() * 255);
    return other;
  };
  const deliver = (a: Arrival, seconds: number): void => {
    const release = Math.max(clock.mono() + seconds, link.framing === 'stream' ? lastRelease : 0);
    if (link.framing === 'stream') lastRelease = release;
    if (release <= clock.mono() && held === 0) {
      arrivals.next({ ...a, t: clock.now(), mono: clock.mono() });
      return;
    }
    const mine = life;
    held++;
    const one = (): void => {
      held--;
      if (mine === life && up.value) arrivals.next({ ...a, t: clock.now(), mono: clock.mono() });
    };
    // On a stream each timer lets the oldest go, so that timers of almost the same time cannot change the order.
    if (link.framing === 'stream') queue.push(one);
    clock.after(release - clock.mono(), link.framing === 'stream' ? () => queue.shift()?.() : one);
  };

  link.up.subscribe((now) => {
    inner = now;
    show();
  });
  link.arrivals.subscribe((a) => {
    if (!up.value) return;
    if (strikes('disconnect')) {
      disconnect();
      return;
    }
    if (strikes('drop')) return;
    let bytes = a.bytes;
    if (bytes.length > 0 && strikes('garble')) bytes = garbled(bytes);
    if (bytes.length > 0 && strikes('cut')) bytes = bytes.slice(0, Math.floor(chance() * bytes.length));
    if (bytes.length === 0 && link.framing === 'stream') return;
    deliver({ ...a, bytes }, strikes('delay') ? chance() * longest : 0);
  });

  return {
    framing: link.framing,
    origin: link.origin,
    halfDuplex: link.halfDuplex,
    arrivals,
    up,
    happened,
    write(bytes, reply, safe) {
      if (!up.value || stuck) return false;
      if (strikes('disconnect')) {
        disconnect();
        return false;
      }
      if (strikes('stuck')) {
        stuck = true;
        clock.after(stuckFor, () => {
          stuck = false;
        });
        return false;
      }
      if (strikes('echo')) {
        // After the caller has come back from write().
        clock.after(0, () => {
          if (up.value) deliver({ bytes, t: clock.now(), mono: clock.mono() }, 0);
        });
      }
      if (strikes('drop')) return true;
      return link.write(bytes.length > 0 && strikes('garble') ? garbled(bytes) : bytes, reply, safe);
    },
    reopen() {
      stuck = false;
      link.reopen();
    },
    close() {
      closed = true;
      show();
      link.close();
      arrivals.complete();
      up.complete();
    },
  };
}
