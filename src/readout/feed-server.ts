/** Hits of a board on a port of this machine, for who builds events of several boards; and their other end. */
import { connect, createServer, type Socket } from 'node:net';
import type { Hits } from '../derive/hits.ts';
import { inWords } from '../links/reconnecting.ts';
import { type FeedEvents, feedDecoder, feedHits, feedState } from './feed-bytes.ts';

const HOST = '127.0.0.1';
/** Bytes that may wait for one who is slow: some seconds of a full gigabit's hits. */
const WAITING = 64 << 20;

export interface FeedServer {
  hits(block: Hits, zero: number, t: number): void;
  state(up: boolean, dead: number, t: number): void;
  close(): void;
}

/** Calls `listening` with its port once it has one, or `failed` with the reason. */
export function feedServer(on: { listening(port: number): void; failed(why: string): void }): FeedServer {
  /** With the hits that each has not been given. */
  const takers = new Map<Socket, number>();
  const server = createServer((socket) => {
    takers.set(socket, 0);
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => takers.delete(socket));
    socket.resume();
  });
  server.on('error', (error) => on.failed(inWords(error)));
  server.listen(0, HOST, () => {
    const at = server.address();
    if (at !== null && typeof at === 'object') on.listening(at.port);
  });
  return {
    hits(block, zero, t) {
      if (takers.size === 0 || block.count === 0) return;
      const bytes = feedHits(block, zero, t);
      for (const [socket, lost] of takers) {
        if (socket.writableLength > WAITING) takers.set(socket, lost + block.count);
        else socket.write(bytes);
      }
    },
    state(up, dead, t) {
      for (const [socket, lost] of takers) socket.write(feedState({ up, dead, lost }, t));
    },
    close() {
      server.close();
      for (const socket of takers.keys()) socket.destroy();
    },
  };
}

/** Takes what a port gives until it is closed; `over` where the other end goes away, or says what is no feed. */
export function feedClient(port: number, on: FeedEvents & { begun(): void; over(why: string): void }): () => void {
  const socket = connect({ host: HOST, port, noDelay: true });
  let why = 'its reader has closed the connection';
  let closed = false;
  const decode = feedDecoder(on);
  socket.on('connect', () => {
    if (!closed) on.begun();
  });
  socket.on('data', (bytes) => {
    if (closed || decode(bytes)) return;
    why = 'its reader says what is no hit';
    socket.destroy();
  });
  socket.on('error', (error) => {
    why = inWords(error);
  });
  socket.on('close', () => {
    if (!closed) on.over(why);
  });
  return () => {
    closed = true;
    socket.destroy();
  };
}
