/** A byte or packet pipe. Nothing above it knows whether a wire, a simulator or a file is at the other end. */
import type { Observable } from 'rxjs';
import type { Origin } from './reading.ts';

export interface Arrival {
  readonly bytes: Uint8Array;
  /** Microseconds since 1970. */
  readonly t: number;
  /** Seconds, monotonic. */
  readonly mono: number;
  /** A file's name, on a folder link. */
  readonly name?: string;
}

export interface Link {
  /** 'packets' (datagrams, files) are never split or joined. */
  readonly framing: 'stream' | 'packets';
  readonly origin: Origin;
  readonly arrivals: Observable<Arrival>;
  /** Emits the present state on subscription. A closed link completes. */
  readonly up: Observable<boolean>;
  /**
   * False when the bytes were not taken: nothing is queued inside. `reply` says whether an answer is expected, `safe` that the bytes
   * are a safe order's: a tunnel must know both.
   */
  write(bytes: Uint8Array, reply?: boolean, safe?: boolean): boolean;
  /** Closes and opens anew, where the other end has fallen silent without a word. */
  reopen(): void;
  close(): void;
  /** True where two talkers at once destroy each other's frames (RS-485). */
  readonly halfDuplex?: boolean;
}

/** The same link with other arrivals or writes; everything not named stays as it is. */
export function wrapped(link: Link, change: Partial<Pick<Link, 'origin' | 'arrivals' | 'write' | 'up' | 'reopen' | 'close'>>): Link {
  return {
    framing: link.framing,
    origin: link.origin,
    arrivals: link.arrivals,
    up: link.up,
    halfDuplex: link.halfDuplex,
    write: (bytes, reply, safe) => link.write(bytes, reply, safe),
    reopen: () => link.reopen(),
    close: () => link.close(),
    ...change,
  };
}
