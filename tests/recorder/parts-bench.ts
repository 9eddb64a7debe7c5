/** What the tests of the session's writer share: a writer on a disk in memory, a clock that is moved by hand, and numbered messages. */
import type { Raw } from '../../src/recorder/part-series.ts';
import { type Limits, type SessionState, sessionWriter } from '../../src/recorder/parts.ts';
import { type Position, readSession, type SessionMessage, type Trouble } from '../../src/recorder/session-read.ts';
import { TestDisk } from './parts-disk.ts';

const START = 1_770_000_000_000_000;

/** A writer on a disk in memory with a clock that stands until it is moved. */
export function bench(limits: Partial<Limits> = {}, rawOrder: readonly Raw[] = []) {
  const disk = new TestDisk();
  const states: SessionState[] = [];
  const confirmed: Position[] = [];
  let ms = 0;
  let written = 0;
  const refused = new Set<number>();
  const make = () =>
    sessionWriter({
      folder: '/session',
      now: () => ms,
      disk,
      rawOrder,
      limits: { rawFree: 0, reserve: 0, ...limits },
      onState: (state) => states.push(state),
      onConfirmed: (place, klass) => klass === 'slow' && confirmed.push(place),
    });
  let writer = make();
  const told = (kind: SessionState['kind']) => states.filter((state) => state.kind === kind);
  return {
    disk,
    states,
    confirmed,
    refused,
    told,
    get writer() {
      return writer;
    },
    /** A new process in the same folder. */
    again() {
      writer = make();
    },
    /** One numbered message. */
    say(klass: 'slow' | Raw = 'slow', size = 20): number {
      const n = written++;
      const bytes = new Uint8Array(Math.max(4, size));
      new DataView(bytes.buffer).setUint32(0, n);
      if (!writer.write(klass === 'slow' ? 'readings' : 'bytes', klass, START + n, bytes)) refused.add(n);
      return n;
    },
    async pass(milliseconds: number) {
      ms += milliseconds;
      writer.tick(ms);
      await writer.settled();
    },
    /** The clock moves while the disk hangs. */
    async tickOnly(milliseconds: number) {
      ms += milliseconds;
      writer.tick(ms);
      await new Promise(setImmediate);
    },
    read: (durable = false) => disk.laid((folder) => numbers(folder), durable),
  };
}

export const number = ({ bytes }: { bytes: Uint8Array }) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);

async function numbers(folder: string) {
  const troubles: Trouble[] = [];
  const all: SessionMessage[] = [];
  for await (const message of readSession(folder, { raw: true, onTrouble: (trouble) => troubles.push(trouble) })) all.push(message);
  return {
    all,
    troubles,
    slow: all.filter(({ series }) => series === 'slow').map(number),
    raw: all.filter(({ series }) => series !== 'slow').map(number),
  };
}

export const upTo = (n: number, from = 0) => Array.from({ length: n - from }, (_, i) => from + i);
