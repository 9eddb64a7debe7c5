/** What of a session InfluxDB has not confirmed: intervals, read into segments of lines that are confirmed in any order. */
import type { Reading } from '../reading.ts';
import { BEGINNING, comparePositions, type Interval, type Position, partNumber } from './cursor.ts';
import type { Rejected } from './influx.ts';
import { type LineOptions, type Lines, type LineWriter, lineWriter } from './line.ts';

/** A piece of a session. */
export interface Read {
  readonly readings: readonly Reading[];
  /** What else of this piece of the session is a point. */
  readonly lines?: readonly Lines[];
  readonly next: Position;
}

/** The readings of a session, in its order. */
export interface Source {
  /** Readings at and behind `from`, as a rule not more than `maxBytes` of the session; undefined where there is nothing yet. */
  read(from: Position, maxBytes: number): Promise<Read | undefined>;
  /** Behind the last readings that are safely in the session. */
  end(): Position;
  /** Bytes between two positions, where they are known across parts. */
  bytes?(from: Position, to: Position): number;
}

/** What is sent together: some lines, and how far the cursor may move when they are there. */
export interface Segment {
  readonly next: Position;
  readonly batches: readonly Lines[];
  readonly unfit: readonly Rejected[];
  readonly points: number;
  done: boolean;
}

/** An interval at work: confirmed up to `from`, read up to `read`, the segments between in their order. */
interface Stretch {
  from: Position;
  read: Position;
  to: Position | undefined;
  readonly segments: Segment[];
}

export interface StretchOptions {
  readonly source: Source;
  readonly line: LineOptions;
  /** Points of a request. */
  readonly points: number;
  /** Bytes behind the session's end from which live data goes first. */
  readonly far: number;
  /** After each reading of the source: what went wrong, or undefined where nothing did. */
  readonly wasRead: (failure: string | undefined) => void;
}

const MAX_STRETCHES = 64;
const READ_BYTES = 1_048_576;
const MOST_READS = 32; // of a session with few readings in it: other stretches have their turn, too
const REQUEST_BYTES = 4_194_304; // well below the 25 MB that InfluxDB takes

export class Stretches {
  readonly #options: StretchOptions;
  readonly #writer: LineWriter;
  #stretches: Stretch[] = [];
  #each = 100; // bytes of the session for one reading, learnt while reading

  constructor(options: StretchOptions) {
    this.#options = options;
    this.#writer = lineWriter(options.line);
  }

  load(list: readonly Interval[]): void {
    this.#stretches = list.map(({ from, to }) => ({ from, read: from, to, segments: [] }));
    const last = list.at(-1);
    if (last?.to) this.#begin(last.to);
  }

  /** The next of the open stretch, which follows the end of the session; undefined where there is nothing now. */
  live(): Promise<Segment | undefined> {
    return this.#gather(this.#open());
  }

  /** The next of the oldest other stretch that has one. */
  async backlog(): Promise<Segment | undefined> {
    for (const stretch of [...this.#stretches]) {
      const segment = stretch.to && (await this.#gather(stretch));
      if (segment) return segment;
    }
    return undefined;
  }

  /** Moves every stretch over what is done without a gap; true where one has moved. */
  confirm(): boolean {
    let moved = false;
    for (const stretch of this.#stretches) {
      while (stretch.segments[0]?.done) {
        stretch.from = stretch.segments[0].next;
        stretch.segments.shift();
        moved = true;
      }
    }
    this.#stretches = this.#stretches.filter(({ from, to, segments }) => !to || segments.length > 0 || comparePositions(from, to) < 0);
    return moved;
  }

  intervals(): readonly Interval[] {
    return this.#stretches.map(({ from, to }) => (to ? { from, to } : { from }));
  }

  /** Points that have been read but not confirmed, and bytes of the session that have not been confirmed. */
  spooled(): { readonly points: number; readonly bytes: number } {
    const end = this.#options.source.end();
    let points = 0;
    let bytes = 0;
    for (const { segments, from, to } of this.#stretches) {
      for (const segment of segments) points += segment.done ? 0 : segment.points;
      bytes += this.#between(from, to ?? end);
    }
    return { points, bytes };
  }

  /** The open stretch; where it has fallen far behind, its rest becomes backlog and a new one begins at the end. */
  #open(): Stretch {
    const last = this.#stretches.at(-1);
    const end = this.#options.source.end();
    if (last === undefined) return this.#begin(BEGINNING);
    if (this.#stretches.length >= MAX_STRETCHES || !this.#far(last.read, end)) return last;
    last.to = end;
    const before = this.#stretches.at(-2);
    if (before?.to && last.segments.length === 0 && comparePositions(before.to, last.from) === 0) {
      before.to = end;
      this.#stretches.pop();
    }
    return this.#begin(end);
  }

  #begin(from: Position): Stretch {
    const stretch: Stretch = { from, read: from, to: undefined, segments: [] };
    this.#stretches.push(stretch);
    return stretch;
  }

  /** Reads on in a stretch until a request is full or there is nothing more; undefined where there was nothing at all. */
  async #gather(stretch: Stretch): Promise<Segment | undefined> {
    const { source, points: most } = this.#options;
    const writer = this.#writer; // one read at a time
    const batches: Lines[] = [];
    const unfit: Rejected[] = [];
    let points = 0;
    let at = stretch.read;
    for (let reads = 0; reads < MOST_READS && points < most * 0.9; reads++) {
      const { to } = stretch;
      if (comparePositions(at, to ?? source.end()) >= 0) break;
      const wanted = Math.ceil((most - points) * this.#each);
      const room = Math.min(READ_BYTES, wanted, to?.part === at.part ? to.offset - at.offset : READ_BYTES);
      const got = await this.#read(at, room);
      if (got === 'failed') break;
      if (!got || (got.readings.length === 0 && comparePositions(got.next, at) <= 0)) {
        if (to) at = to; // it was confirmed to be there once: what is missing now has been taken away
        break;
      }
      for (const reading of got.readings) {
        if (!writer.write(reading)) unfit.push({ line: JSON.stringify(reading), why: `${reading.t} is no time in microseconds` });
        if (writer.points >= most || writer.size >= REQUEST_BYTES) batches.push(writer.take());
      }
      batches.push(...(got.lines ?? []));
      points += got.readings.length;
      if (got.next.part === at.part && got.readings.length > 0) {
        const each = (got.next.offset - at.offset) / got.readings.length;
        if (each > 0) this.#each += (Math.max(1, each) - this.#each) / 4;
      }
      at = got.next;
    }
    if (writer.points > 0) batches.push(writer.take());
    if (stretch.to && comparePositions(at, stretch.to) >= 0) at = stretch.to;
    if (at === stretch.read) return undefined;
    stretch.read = at;
    const segment: Segment = { next: at, batches, unfit, points, done: false };
    stretch.segments.push(segment);
    return segment;
  }

  async #read(from: Position, maxBytes: number): Promise<Awaited<ReturnType<Source['read']>> | 'failed'> {
    const { source, wasRead } = this.#options;
    try {
      const got = await source.read(from, maxBytes);
      wasRead(undefined);
      return got;
    } catch (error) {
      wasRead(`the session cannot be read at ${from.part} ${from.offset}: ${error instanceof Error ? error.message : String(error)}`);
      return 'failed';
    }
  }

  /** Bytes of the session between two positions; at least so many, where the source does not say and parts lie between. */
  #between(from: Position, to: Position): number {
    const { source } = this.#options;
    if (comparePositions(from, to) >= 0) return 0;
    if (source.bytes) return source.bytes(from, to);
    return from.part === to.part ? to.offset - from.offset : to.offset;
  }

  #far(from: Position, to: Position): boolean {
    const { source, far } = this.#options;
    const [a, b] = [partNumber(from.part), partNumber(to.part)];
    const whole = source.bytes === undefined && a !== undefined && b !== undefined && b - a > 1; // a whole part lies between
    return whole || this.#between(from, to) > far;
  }
}
