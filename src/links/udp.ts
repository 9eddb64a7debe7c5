/** UDP packets to and from one address. */
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Clock } from '../clock.ts';
import type { Link } from '../link.ts';
import { inWords, plain, reconnecting, type Told, type Wire, type WireEvents } from './reconnecting.ts';

export interface UdpOptions {
  readonly host: string;
  readonly port: number;
  readonly told?: Told;
}

const UNSENT = 64; // packets that may wait for the system

/** Up once the socket is bound: a packet knows of no connection, and whether anybody answers is seen by asking. */
export function udpLink(options: UdpOptions, clock: Clock): Link {
  const { host, port } = options;
  const name = host.includes(':') ? `udp:[${host}]:${port}` : `udp:${host}:${port}`;
  return reconnecting((events) => wire(host, port, events), clock, { name, framing: 'packets', told: options.told });
}

function wire(host: string, port: number, events: WireEvents): Wire {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  let unsent = 0;
  let ready = false;
  let closed = false;
  let silent = false;
  const failed = (error: unknown): void => {
    if (closed) return;
    const refused = error !== null && typeof error === 'object' && 'code' in error && error.code === 'ECONNREFUSED';
    if (!ready || !refused) {
      events.lost(inWords(error));
      return;
    }
    // The other end is off or restarting. The socket stays good.
    if (!silent) events.told(inWords(error));
    silent = true;
  };
  socket.on('error', failed);
  socket.on('message', (bytes) => {
    if (silent) events.told('answers again');
    silent = false;
    events.heard(plain(bytes));
  });
  socket.connect(port, host, (error?: Error) => {
    if (closed) return;
    if (error) {
      failed(error);
      return;
    }
    ready = true;
    events.opened();
  });
  return {
    write(bytes) {
      if (!ready || unsent >= UNSENT) return false;
      unsent++;
      socket.send(bytes, (error) => {
        unsent--;
        if (error) failed(error);
      });
      return true;
    },
    close() {
      if (closed) return;
      closed = true;
      socket.close();
    },
  };
}
