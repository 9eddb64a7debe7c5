/** A link in the same process, on any clock, that keeps the line's rate. Several devices on it are a bus: each hears all. */
import { BehaviorSubject, Subject } from 'rxjs';
import type { Clock } from '../clock.ts';
import type { Arrival, Link } from '../link.ts';
import type { Port } from '../simulate.ts';

export interface SimulatedLink extends Link {
  /** Takes the plug out, or puts it back: nothing arrives meanwhile. */
  plug(inserted: boolean): void;
}

export interface SimulatedOptions {
  readonly framing?: 'stream' | 'packets';
  /** Bits per second of a serial line (10 bits a byte); absent: as fast as it comes. */
  readonly baud?: number;
  readonly halfDuplex?: boolean;
}

/**
 * One direction of a line of so many bits per second (10 a byte; absent: as fast as it comes): calls back when the last bit of the bytes
 * has come, in the order in which they were given, though timers of a real clock may fire in another.
 */
export function paced(clock: Clock, baud: number | undefined): (bytes: Uint8Array, come: () => void) => void {
  const waiting: (() => void)[] = [];
  let free = 0;
  return (bytes, come) => {
    const now = clock.mono();
    free = Math.max(free, now) + (baud ? (10 * bytes.length) / baud : 0);
    waiting.push(come);
    clock.after(free - now, () => waiting.shift()?.());
  };
}

export function simulatedLink(ports: readonly Port[], clock: Clock, options: SimulatedOptions = {}): SimulatedLink {
  const arrivals = new Subject<Arrival>();
  const up = new BehaviorSubject(false);
  const [out, back] = [paced(clock, options.baud), paced(clock, options.baud)];
  let closed = false;
  // As a real port does, it opens after the caller has had time to look at it.
  clock.after(0, () => {
    if (!closed) up.next(true);
  });
  const heard = ports.map((port) =>
    port.says.subscribe(({ bytes, name }) => {
      if (!up.value) return;
      back(bytes, () => {
        if (up.value) arrivals.next({ bytes, t: clock.now(), mono: clock.mono(), name });
      });
    }),
  );
  return {
    framing: options.framing ?? 'stream',
    origin: 'simulator',
    halfDuplex: options.halfDuplex,
    arrivals,
    up,
    write(bytes) {
      if (!up.value) return false;
      out(bytes, () => {
        if (up.value) for (const port of ports) port.receive(bytes);
      });
      return true;
    },
    reopen() {},
    plug(inserted) {
      if (!closed && inserted !== up.value) up.next(inserted);
    },
    close() {
      closed = true;
      for (const h of heard) h.unsubscribe();
      if (up.value) up.next(false);
      arrivals.complete();
      up.complete();
    },
  };
}
