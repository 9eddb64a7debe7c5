/** A TCP stream. */
import { connect } from 'node:net';
import type { Clock } from '../clock.ts';
import type { Link } from '../link.ts';
import { inWords, reconnecting, type Told, type Wire, type WireEvents } from './reconnecting.ts';

export interface TcpOptions {
  readonly host: string;
  readonly port: number;
  readonly told?: Told;
}

const READ = 65536; // bytes of one read at most
const UNSENT = 65536; // bytes that may wait; more is a device that does not read
const STUCK = 2; // seconds that the socket may keep a write
const CONNECT = 5; // seconds; the system's own limit is two minutes
const KEEP_ALIVE = 5000; // milliseconds of silence before the first probe

/** Connects and reconnects by itself. `write` gives false while it is not up, or when more than 64 KiB wait unsent. */
export function tcpLink(options: TcpOptions, clock: Clock): Link {
  const { host, port } = options;
  const name = host.includes(':') ? `tcp:[${host}]:${port}` : `tcp:${host}:${port}`;
  return reconnecting((events) => wire(host, port, events, clock), clock, { name, framing: 'stream', told: options.told });
}

function wire(host: string, port: number, events: WireEvents, clock: Clock): Wire {
  const socket = connect({
    host,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE,
    // One buffer for all reads: a new one of 64 KiB for each short reply costs more than the reply.
    onread: {
      buffer: new Uint8Array(READ),
      callback(n, buffer) {
        events.heard(buffer.slice(0, n));
        return true;
      },
    },
  });
  const late = clock.after(CONNECT, () => events.lost(`no answer from there within ${CONNECT} s`));
  const waiting = new Set<() => void>();
  let why = 'the other end has closed the connection';
  socket.on('connect', () => {
    late();
    events.opened();
  });
  socket.on('error', (error) => {
    why = inWords(error);
  });
  socket.on('end', () => events.lost(why));
  socket.on('close', () => events.lost(why));
  return {
    write(bytes) {
      if (socket.connecting || !socket.writable || socket.writableLength > UNSENT) return false;
      socket.write(Buffer.from(bytes)); // into node's pool: of a small array, the socket would make a buffer of its own
      if (socket.writableLength > 0) {
        const stuck = clock.after(STUCK, () => events.lost(`bytes were not taken within ${STUCK} s`));
        waiting.add(stuck);
        // Only here, as nearly all are taken at once: what comes behind them says when they have been.
        socket.write('', () => {
          stuck();
          waiting.delete(stuck);
        });
      }
      return true;
    },
    close() {
      late();
      for (const cancel of waiting) cancel();
      socket.destroy();
    },
  };
}
