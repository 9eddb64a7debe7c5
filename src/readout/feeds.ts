/** Who wants the hits of which board, and where they are to be had. */

import type { FeedEvents } from './feed-bytes.ts';
import { hitBytes, hitsOf } from './hit-bytes.ts';

/** Within one process. */
export interface LocalFeeds {
  /** What the reader of a board gives its hits to. */
  of(name: string): FeedEvents;
  take(name: string, on: FeedEvents): void;
}

export function localFeeds(): LocalFeeds {
  const takers = new Map<string, FeedEvents[]>();
  return {
    of: (name) => ({
      hits(block, zero, t) {
        for (const one of takers.get(name) ?? []) {
          const copy = hitsOf(hitBytes(block)); // the reader fills its block again
          if (typeof copy !== 'string') one.hits(copy, zero, t);
        }
      },
      state(state, t) {
        for (const one of takers.get(name) ?? []) one.state(state, t);
      },
    }),
    take: (name, on) => void takers.set(name, [...(takers.get(name) ?? []), on]),
  };
}

/** Between processes. */
export interface FeedPorts {
  /** What is told where the hits of a board are to be had; undefined where nobody wants them. */
  of(name: string): ((port: number | undefined) => void) | undefined;
  /** `feed` is called with the port of each board, whenever it is another one. */
  take(names: readonly string[], feed: (board: number, port: number) => void): void;
}

export function feedPorts(wanted: ReadonlySet<string>): FeedPorts {
  const ports = new Map<string, number>();
  const takers: ((name: string, port: number) => void)[] = [];
  return {
    of(name) {
      if (!wanted.has(name)) return undefined;
      return (port) => {
        if (port === undefined) {
          ports.delete(name);
          return;
        }
        ports.set(name, port);
        for (const one of takers) one(name, port);
      };
    },
    take(names, feed) {
      takers.push((name, port) => {
        for (const [i, one] of names.entries()) if (one === name) feed(i, port);
      });
      for (const [i, name] of names.entries()) {
        const port = ports.get(name);
        if (port !== undefined) feed(i, port);
      }
    },
  };
}
