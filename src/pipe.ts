/** Entries from the host to the recorder, in batches over a local socket, with a bounded queue and a written policy for when it is full. */
import type { Socket } from 'node:net';
import { deserialize, serialize } from 'node:v8';
import { concat } from '../protocols/protocol.ts';
import { type Clock, every } from './clock.ts';
import type { Entry } from './entry.ts';

export interface Outflow {
  push(entry: Entry): void;
  /** A new socket after the recorder has gone and come back; undefined while there is none. */
  attach(socket: Socket | undefined): void;
  readonly queued: number;
  readonly dropped: number;
  /** Sends what is left and calls back when a socket has taken it: one that is attached within the given seconds. */
  end(within: number, done: () => void): void;
}

export interface OutflowLimits {
  /** Bytes waiting above which raw bytes and traces are dropped, and above which slow entries are, too. */
  readonly raw: number;
  readonly slow: number;
}

const FLUSH = 0.02;
const SLICE = 1 << 20; // bytes given to the socket at once
const LIMITS: OutflowLimits = { raw: 16 << 20, slow: 48 << 20 };

/**
 * Raw bytes and traces stop first, slow entries last; `full` is called once when slow entries can be kept no more (hazardous outputs then
 * go safe). All that is dropped is counted.
 */
export function outflow(clock: Clock, full: () => void, limits: OutflowLimits = LIMITS): Outflow {
  let socket: Socket | undefined;
  let batch: Entry[] = [];
  let size = 0;
  let dropped = 0;
  let told = false;
  let last: ((to: Socket | undefined) => void) | undefined;
  const waiting = (): number => size + (socket?.writableLength ?? 0);

  /** One slice: to put a long queue into bytes at once would hold the loop up. */
  const give = (to: Socket): void => {
    let n = 0;
    let bytes = 0;
    while (n < batch.length && (n === 0 || bytes + weight(batch[n]) <= SLICE)) bytes += weight(batch[n++]);
    const body = serialize(n === batch.length ? batch : batch.slice(0, n));
    const head = Buffer.alloc(4);
    head.writeUInt32LE(body.length);
    to.write(head);
    to.write(body);
    batch = n === batch.length ? [] : batch.slice(n);
    size = batch.length === 0 ? 0 : size - bytes;
    told = false;
  };
  const flush = (): void => {
    // A socket that has much unsent is not given more: the queue stays here, where it is bounded.
    if (!socket || batch.length === 0 || socket.writableLength > 4 << 20) return;
    give(socket);
  };
  const stop = every(clock, FLUSH, flush);

  return {
    push(entry) {
      const bytes = weight(entry);
      const now = waiting();
      const raw = entry.kind === 'bytes' || (entry.kind === 'reading' && entry.reading.kind === 'trace');
      if (now + bytes > (raw ? limits.raw : limits.slow)) {
        dropped++;
        if (!raw && !told) {
          told = true;
          full();
        }
        return;
      }
      batch.push(entry);
      size += bytes;
    },
    attach(next) {
      socket = next;
      if (next) last?.(next);
    },
    get queued() {
      return batch.length;
    },
    get dropped() {
      return dropped;
    },
    end(within, done) {
      stop();
      last = (to) => {
        last = undefined;
        late();
        while (to && batch.length > 0) give(to);
        if (to) to.end(() => done());
        else done();
      };
      const late = clock.after(within, () => last?.(undefined));
      if (socket && !socket.destroyed) last(socket);
      else if (batch.length === 0) last(undefined);
    },
  };
}

/** About how much memory an entry takes. */
function weight(entry: Entry): number {
  if (entry.kind === 'bytes') return 100 + entry.wire.bytes.length;
  if (entry.kind === 'exchange') return 200 + entry.exchanged.sent.length + (entry.exchanged.reply?.length ?? 0);
  if (entry.kind === 'reading' && entry.reading.kind === 'trace' && entry.reading.quality !== 'bad') {
    const { value } = entry.reading as { value: { columns: Readonly<Record<string, { data: { byteLength: number } }>> } }; // a good trace reading
    return Object.values(value.columns).reduce((n, c) => n + c.data.byteLength, 300);
  }
  if (entry.kind === 'calibration') return Object.values(entry.calibration.files).reduce((n, bytes) => n + bytes.length, 300);
  return 300;
}

/** The other end: whole batches from any split of the socket's bytes. */
export function batches(take: (entries: readonly Entry[]) => void): (bytes: Uint8Array) => void {
  let held: Uint8Array[] = [];
  let length = 0;
  let needed = 4; // bytes that must have come before anything can be done
  return (bytes) => {
    held.push(bytes);
    length += bytes.length;
    if (length < needed) return;
    let whole = held.length === 1 ? held[0] : concat(...held);
    for (needed = 4; whole.length >= needed; needed = 4) {
      const size = new DataView(whole.buffer, whole.byteOffset, 4).getUint32(0, true);
      if (whole.length < 4 + size) {
        needed = 4 + size;
        break;
      }
      take(deserialize(whole.subarray(4, 4 + size)) as readonly Entry[]); // written by outflow above
      whole = whole.subarray(4 + size);
    }
    held = whole.length === 0 ? [] : [whole];
    length = whole.length;
  };
}
