/** Hits of a board on a port of this machine, for who builds events of several boards; and their other end. */
import { connect, createServer, type Socket } from 'node:net';
import type { Hits } from '../derive/hits.ts';
import { inWords } from '../links/reconnecting.ts';
import { type FeedEvents, feedDecoder, feedHits, feedState } from './feed-bytes.ts';

const HOST = '127.0.0.1';
/** Bytes that may wait for one who is slow: some seconds of a full gigabit's hits. */
const WAITING = 64 << 20;

interface Taker {
  /** Hits that it has not been given. */
  lost: number;
  /** It has not taken what waits for it: until it has, it gets no more. */
  behind: boolean;
}

export interface FeedServer {
  hits(block: Hits, zero: number, t: number): void;
  state(up: boolean, dead: number, t: number): void;
  close(): void;
}

/** Calls `listening` with its port once it has one, or `failed` with the reason. */
export function feedServer(on: { listening(port: number): void; failed(why: string): void }): FeedServer {
  const takers = new Map<Socket, Taker>();
  const board = { up: false, dead: 0 };
  const tell = (socket: Socket, { lost, behind }: Taker, t: number): void => {
    socket.write(feedState({ up: board.up && !behind, dead: board.dead, lost }, t));
  };
  const server = createServer((socket) => {
    takers.set(socket, { lost: 0, behind: false });
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
      for (const [socket, taker] of takers) {
        const behind = socket.writableLength > (taker.behind ? 0 : WAITING);
        if (behind) taker.lost += block.count;
        // To who does not get all of it the board is not there, from this place of the stream on.
        if (behind !== taker.behind) {
          taker.behind = behind;
          tell(socket, taker, t);
        }
        if (!behind) socket.write(bytes);
      }
    },
    state(up, dead, t) {
      board.up = up;
      board.dead = dead;
      for (const [socket, taker] of takers) tell(socket, taker, t);
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
