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

export function simulatedLink(ports: readonly Port[], clock: Clock, options: SimulatedOptions = {}): SimulatedLink {
  const arrivals = new Subject<Arrival>();
  const up = new BehaviorSubject(false);
  const onLine = (bytes: number): number => (options.baud ? (bytes * 10) / options.baud : 0);
  let outFree = 0;
  let inFree = 0;
  let closed = false;
  // As a real port does, it opens after the caller has had time to look at it.
  clock.after(0, () => {
    if (!closed) up.next(true);
  });
  const heard = ports.map((port) =>
    port.says.subscribe(({ bytes, name }) => {
      if (!up.value) return;
      const end = Math.max(inFree, clock.mono()) + onLine(bytes.length);
      inFree = end;
      clock.after(end - clock.mono(), () => {
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
      const end = Math.max(outFree, clock.mono()) + onLine(bytes.length);
      outFree = end;
      clock.after(end - clock.mono(), () => {
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
