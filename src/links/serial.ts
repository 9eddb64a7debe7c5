/** A serial port. */
import { existsSync, writeSync } from 'node:fs';
import type { SerialPort } from 'serialport';
import { type Clock, every } from '../clock.ts';
import type { Link } from '../link.ts';
import { inWords, plain, reconnecting, type Told, type Wire, type WireEvents } from './reconnecting.ts';

export interface SerialOptions {
  readonly path: string;
  readonly baud: number;
  readonly dataBits?: 5 | 6 | 7 | 8;
  readonly parity?: 'none' | 'even' | 'odd' | 'mark' | 'space';
  readonly stopBits?: 1 | 1.5 | 2;
  readonly halfDuplex?: boolean;
  /** False opens a port that another process has locked. */
  readonly lock?: boolean;
  readonly told?: Told;
}

const STUCK = 1; // seconds that a write may be outstanding beside its time on the line
const LOOK = 1; // seconds between two looks at whether the device file is still there

/**
 * One write is outstanding and none is queued: `write` gives false until the port has taken the last bytes. A write that is
 * outstanding for over 1 s (and its time on the line) closes the port and opens it again. An unplugged port may say nothing at all, so
 * its file is looked at; `close` waits for nothing.
 */
export function serialLink(options: SerialOptions, clock: Clock): Link {
  return reconnecting((events) => wire(options, events, clock), clock, {
    name: `serial:${options.path}`,
    framing: 'stream',
    halfDuplex: options.halfDuplex,
    told: options.told,
  });
}

/**
 * How many of the bytes the port's driver takes at once. Through the library a write waits for one of the program's file threads: an order
 * that was given before the machine fell asleep would go when it wakes, before the safe orders. The port is open without blocking.
 */
function atOnce(port: SerialPort, bytes: Uint8Array): number {
  const fd = (port.port as { readonly fd?: unknown } | undefined)?.fd; // of the library's own Linux binding
  if (process.platform !== 'linux' || typeof fd !== 'number') return 0;
  try {
    return writeSync(fd, bytes);
  } catch {
    return 0; // full, or gone: the library finds out which
  }
}

function wire(options: SerialOptions, events: WireEvents, clock: Clock): Wire {
  const { path, baud } = options;
  let port: SerialPort | undefined;
  let closed = false;
  let busy = false;
  let cancel = (): void => {};
  let gone = (): void => {};

  const begin = (opening: SerialPort): void => {
    port = opening;
    // These stay until the end of the process: a port may fail long after it has been closed.
    opening.on('error', (error) => events.lost(inWords(error)));
    opening.on('close', () => events.lost('the port has closed (unplugged?)'));
    opening.on('end', () => events.lost('the port has ended'));
    opening.on('data', (bytes: Uint8Array) => events.heard(plain(bytes)));
    opening.open((error) => {
      if (error) {
        events.lost(inWords(error));
        return;
      }
      if (closed) {
        opening.close(() => {});
        return;
      }
      // Windows names ports without a file.
      if (path.startsWith('/'))
        gone = every(clock, LOOK, () => {
          if (!existsSync(path)) events.lost('the port has gone (unplugged?)');
        });
      events.opened();
    });
  };

  // Its native part is loaded when a port is wanted, so that a host without one runs without it.
  import('serialport').then(
    (module) => {
      if (closed) return;
      try {
        begin(
          new module.SerialPort({
            path,
            baudRate: baud,
            dataBits: options.dataBits ?? 8,
            parity: options.parity ?? 'none',
            stopBits: options.stopBits ?? 1,
            lock: options.lock ?? true,
            autoOpen: false,
          }),
        );
      } catch (error) {
        events.lost(inWords(error));
      }
    },
    (error: unknown) => events.lost(`the serial port library cannot be loaded: ${inWords(error)}`),
  );

  return {
    write(bytes) {
      if (busy || !port?.isOpen) return false;
      busy = true;
      const left = bytes.subarray(atOnce(port, bytes));
      if (left.length === 0) {
        queueMicrotask(() => {
          busy = false;
        });
        return true;
      }
      const limit = STUCK + (10 * bytes.length) / baud;
      cancel = clock.after(limit, () => events.lost(`bytes were not taken within ${limit.toFixed(1)} s`));
      port.write(left, undefined, (error) => {
        cancel();
        busy = false;
        if (error) events.lost(inWords(error));
      });
      return true;
    },
    close() {
      closed = true;
      cancel();
      gone();
      if (port?.isOpen) port.close(() => {});
    },
  };
}
