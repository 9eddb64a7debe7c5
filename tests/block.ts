/** Blocks the main loop of a running Node process from outside, through its debugger. */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { get } from 'node:http';
import { connect } from 'node:net';
import type { Clock } from '../src/clock.ts';
import { until } from './bench-top.ts';

/** For programs that are to be blocked: each debugger on a port of its own. */
export const OWN_PORT = { NODE_OPTIONS: '--inspect-port=0' };

const LISTEN = '0A'; // state of a socket in /proc/net/tcp

/** The TCP ports at which a process listens. */
function portsOf(pid: number): readonly number[] {
  const sockets = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? [];
      if (inode !== undefined) sockets.add(inode);
    } catch {
      // closed meanwhile
    }
  }
  const lines = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
  return lines.flatMap((line) => {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
    return state === LISTEN && sockets.has(inode) ? [Number.parseInt(local.split(':')[1] ?? '', 16)] : [];
  });
}

/** For so many seconds, or for good. Resolves when the order to block is on its way. */
export async function block(pid: number, clock: Clock, seconds = Number.POSITIVE_INFINITY): Promise<void> {
  process.kill(pid, 'SIGUSR1');
  let url: URL | undefined;
  await until(clock, 10, () => {
    if (url) return true;
    for (const port of portsOf(pid)) {
      get(`http://127.0.0.1:${port}/json/list`, (answer) => {
        let text = '';
        answer.on('data', (d) => {
          text += d;
        });
        answer.on('end', () => {
          const [first] = JSON.parse(text) as { webSocketDebuggerUrl: string }[]; // the debugger's own list
          url = new URL(first.webSocketDebuggerUrl);
        });
      }).on('error', () => {});
    }
    return false;
  });
  if (!url) throw new Error('the debugger does not answer');
  const { hostname, port, pathname, host } = url;
  const expression = Number.isFinite(seconds) ? `{ const end = Date.now() + ${1000 * seconds}; while (Date.now() < end); }` : 'for (;;) {}';
  await new Promise<void>((done, failed) => {
    const socket = connect(Number(port), hostname);
    socket.once('error', failed);
    socket.once('data', () => {
      socket.on('error', () => {}); // who is blocked is ended
      const text = Buffer.from(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } }));
      const mask = randomBytes(4);
      const frame = Buffer.concat([Buffer.from([0x81, 0x80 | text.length]), mask, text.map((b, i) => b ^ mask[i % 4])]);
      // A process with its debugger attached does not end.
      socket.write(frame, () => socket.end(() => done()));
    });
    socket.write(
      `GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
  });
}
