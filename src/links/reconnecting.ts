/** A link over something that opens, breaks and is opened again: the part that TCP, UDP and serial ports have in common. */
import { BehaviorSubject, Subject } from 'rxjs';
import type { Clock } from '../clock.ts';
import type { Arrival, Link } from '../link.ts';

/** One life of a port or socket, from its opening to its loss. Nothing in it ever throws. */
export interface Wire {
  /** False when the bytes were not taken. */
  write(bytes: Uint8Array): boolean;
  close(): void;
}

/** What a wire tells. After `lost`, or after it has been closed, nothing it says is heard. */
export interface WireEvents {
  opened(): void;
  heard(bytes: Uint8Array): void;
  lost(why: string): void;
  /** What a person should know though the wire goes on. */
  told(message: string): void;
}

export type Told = (message: string) => void;

export interface ReconnectingOptions {
  /** The address as a person wrote it. */
  readonly name: string;
  readonly framing: Link['framing'];
  readonly halfDuplex?: boolean;
  /** Called once for each change of state, never for each try. */
  readonly told?: Told;
}

export const FIRST_DELAY = 0.2;
export const LONGEST_DELAY = 10;
/** Seconds that a wire must have lasted, so that the next loss begins again with the shortest delay. */
const LASTED = 1;

/** Opens the wire, and again after each loss: at once after `reopen`, else after 0.2 s, 0.4 s ... 10 s, by the clock. */
export function reconnecting(open: (events: WireEvents) => Wire, clock: Clock, options: ReconnectingOptions): Link {
  const arrivals = new Subject<Arrival>();
  const up = new BehaviorSubject(false);
  const told = options.told ?? (() => {});
  let wire: Wire | undefined;
  let life = 0;
  let delay = FIRST_DELAY;
  let openedAt = 0;
  let cancel = (): void => {};
  let state: 'new' | 'up' | 'down' = 'new';
  let closed = false;

  const enter = (next: 'up' | 'down', message: string): void => {
    if (state === next) return;
    state = next;
    told(`${options.name}: ${message}`);
    if (up.value !== (next === 'up')) up.next(next === 'up');
  };

  const drop = (): void => {
    life++;
    cancel();
    const old = wire;
    wire = undefined;
    old?.close();
  };

  const lost = (why: string): void => {
    if (state === 'up' && clock.mono() - openedAt >= LASTED) delay = FIRST_DELAY;
    drop();
    const wait = delay;
    delay = Math.min(2 * delay, LONGEST_DELAY);
    cancel = clock.after(wait, start);
    enter('down', why);
  };

  function start(): void {
    if (closed) return;
    const mine = ++life;
    const mineOnly =
      <A extends unknown[]>(work: (...args: A) => void) =>
      (...args: A): void => {
        if (mine === life && !closed) work(...args);
      };
    const made = open({
      opened: mineOnly(() => {
        openedAt = clock.mono();
        enter('up', 'connected');
      }),
      heard(bytes) {
        if (mine === life && !closed) arrivals.next({ bytes, t: clock.now(), mono: clock.mono() });
      },
      lost: mineOnly(lost),
      told: mineOnly((message) => told(`${options.name}: ${message}`)),
    });
    // It may have been lost while it was being made.
    if (mine === life) wire = made;
    else made.close();
  }
  cancel = clock.after(0, start);

  return {
    framing: options.framing,
    origin: 'hardware',
    halfDuplex: options.halfDuplex,
    arrivals,
    up,
    write: (bytes) => state === 'up' && !closed && wire?.write(bytes) === true,
    reopen() {
      if (closed) return;
      drop();
      enter('down', 'closed and opened again');
      cancel = clock.after(0, start);
    },
    close() {
      if (closed) return;
      closed = true;
      drop();
      if (up.value) up.next(false);
      arrivals.complete();
      up.complete();
    },
  };
}

/** The same bytes without the Buffer around them. */
export const plain = (b: Uint8Array): Uint8Array => new Uint8Array(b.buffer, b.byteOffset, b.byteLength);

/** The reason in plain words, for the errors that people meet. */
export function inWords(error: unknown): string {
  const code = error !== null && typeof error === 'object' && 'code' in error ? String(error.code) : '';
  const words: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'nobody listens there (connection refused)',
    ECONNRESET: 'the other end has reset the connection',
    EPIPE: 'the other end has gone',
    ETIMEDOUT: 'no answer from there (time-out)',
    EHOSTUNREACH: 'the host cannot be reached',
    ENETUNREACH: 'the network cannot be reached',
    ENOTFOUND: 'there is no host of that name',
    EAI_AGAIN: 'the name cannot be looked up now',
    EADDRINUSE: 'the port is already in use',
    EACCES: 'access is denied',
    ENOENT: 'it does not exist',
  };
  return words[code] ?? (error instanceof Error ? error.message : String(error));
}
