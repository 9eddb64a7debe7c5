/** What one series of parts (slow, or one raw link) holds in memory: the open chunk, the closed ones that wait, and its account of losses. */
import { type Channel, Channels, ChunkBuilder, type Schema, type Sealed } from './mcap-write.ts';
import type { PartFile } from './part-file.ts';
import { seriesName } from './part-name.ts';

export type Raw = `raw-${string}`;
export type Klass = 'slow' | Raw;

/** Why data was not kept: no room on the disk, the disk too slow or gone, or the session closed before it could be written. */
export type Cause = 'space' | 'queue' | 'closed';

/** What was lost in one go. Times are the first and last log time lost, microseconds. */
export interface Gap {
  readonly klass: Klass;
  readonly cause: Cause;
  readonly messages: number;
  readonly bytes: number;
  readonly from: number;
  readonly to: number;
}

interface Lane {
  readonly encoding: string;
  readonly id: number;
  sequence: number;
}

const EMPTY_TIMES = { from: Number.POSITIVE_INFINITY, to: Number.NEGATIVE_INFINITY };

export class Series {
  readonly klass: Klass;
  readonly name: string;
  readonly channels = new Channels();
  readonly #builder: ChunkBuilder;
  readonly #lanes = new Map<string, Lane[]>();
  readonly #schema: (topic: string) => Schema | undefined;
  #queue: Sealed[] = [];
  #queued = 0;
  /** How many of the first in the queue are being written: they cannot be dropped. */
  #taken = 0;
  /** When the open chunk got its first message, on the writer's clock. */
  #since: number | undefined;
  #gap: Gap | undefined;
  readonly dropped = new Map<Cause, { readonly messages: number; readonly bytes: number }>();
  // The writer's notes on this series' file:
  part: PartFile | undefined;
  number: number | undefined;
  /** Parts given up, and how far they hold: said in the head of the next part. */
  readonly ended = new Map<string, number>();
  failing = false;
  failures = 0;
  retryAt = Number.NEGATIVE_INFINITY;
  written = { messages: 0, bytes: 0 };

  constructor(klass: Klass, chunkBytes: number, schema: (topic: string) => Schema | undefined) {
    this.klass = klass;
    this.name = seriesName(klass);
    this.#builder = new ChunkBuilder(this.channels, chunkBytes);
    this.#schema = schema;
  }

  /** Bytes of memory that wait for the disk. */
  get held(): number {
    return this.#queued + this.#builder.held;
  }
  get open(): number {
    return this.#builder.held;
  }
  get waiting(): boolean {
    return this.#queue.length > 0;
  }
  get stopped(): Cause | undefined {
    return this.#gap?.cause;
  }

  #lane(topic: string, encoding: string): Lane {
    const lanes = this.#lanes.get(topic);
    for (const lane of lanes ?? []) if (lane.encoding === encoding) return lane;
    const schema = encoding === 'json' ? this.#schema(topic) : undefined;
    const channel: Channel = schema ? { topic, encoding, schema } : { topic, encoding };
    const lane = { encoding, id: this.channels.add(channel), sequence: 0 };
    if (lanes) lanes.push(lane);
    else this.#lanes.set(topic, [lane]);
    return lane;
  }

  add(topic: string, encoding: string, t: number, bytes: Uint8Array, now: () => number): void {
    const lane = this.#lane(topic, encoding);
    this.#builder.add(lane.id, lane.sequence, t, bytes);
    lane.sequence = (lane.sequence + 1) >>> 0;
    this.#since ??= now();
  }

  /** Does not take a message, but counts it: its number is missing in the sequence. */
  refuse(topic: string, encoding: string, t: number, bytes: number, cause: Cause): void {
    const lane = this.#lane(topic, encoding);
    lane.sequence = (lane.sequence + 1) >>> 0;
    this.#lose(cause, { messages: 1, bytes, from: t, to: t });
  }

  /** From now on messages are refused, until `resume`. */
  stop(cause: Cause): void {
    this.#gap ??= { klass: this.klass, cause, messages: 0, bytes: 0, ...EMPTY_TIMES };
  }

  resume(): Gap | undefined {
    const gap = this.#gap;
    this.#gap = undefined;
    return gap;
  }

  #lose(cause: Cause, lost: { messages: number; bytes: number; from: number; to: number }): void {
    const before = this.dropped.get(cause) ?? { messages: 0, bytes: 0 };
    this.dropped.set(cause, { messages: before.messages + lost.messages, bytes: before.bytes + lost.bytes });
    const gap = this.#gap;
    if (!gap) return;
    const messages = gap.messages + lost.messages;
    this.#gap = { ...gap, messages, bytes: gap.bytes + lost.bytes, from: Math.min(gap.from, lost.from), to: Math.max(gap.to, lost.to) };
  }

  /** Drops the newest data that is not being written, so that what is lost stays one piece. False where there is none. */
  dropNewest(cause: Cause): boolean {
    const { messages, payload, first, last } = this.#builder;
    if (messages > 0) {
      this.#builder.discard();
      this.#since = undefined;
      this.#lose(cause, { messages, bytes: payload, from: first, to: last });
      return true;
    }
    if (this.#queue.length <= this.#taken) return false;
    const chunk = this.#queue.pop();
    if (!chunk) return false;
    this.#queued -= chunk.bytes.length;
    this.#lose(cause, { messages: chunk.messages, bytes: chunk.payload, from: chunk.first, to: chunk.last });
    return true;
  }

  /** Closes the open chunk where it is at least `age` old. */
  seal(age: number, now: number): void {
    if (this.#since === undefined || now - this.#since < age) return;
    const sealed = this.#builder.seal();
    this.#since = undefined;
    if (!sealed) return;
    this.#queue.push(sealed);
    this.#queued += sealed.bytes.length;
  }

  /** The next chunk to be written, without taking it. */
  peek(): Sealed | undefined {
    return this.#queue[this.#taken];
  }
  take(): void {
    this.#taken++;
  }
  get taken(): number {
    return this.#taken;
  }

  /** What was taken is on the disk. */
  confirm(): void {
    const done = this.#queue.splice(0, this.#taken);
    this.#taken = 0;
    for (const chunk of done) {
      this.#queued -= chunk.bytes.length;
      this.written = { messages: this.written.messages + chunk.messages, bytes: this.written.bytes + chunk.bytes.length };
      this.#builder.recycle(chunk);
    }
  }

  /** What was taken is not on the disk: it waits again, in its old order. */
  giveBack(): void {
    this.#taken = 0;
  }
}
