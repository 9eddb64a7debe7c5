/** Feeds InfluxDB from a session: a cursor moves on only when the server has confirmed; nothing is lost, nothing doubled. */
import type { Reading } from '../reading.ts';
import { BEGINNING, type CursorStore, comparePositions, type Interval, type Position, partNumber } from './cursor.ts';
import type { Outcome, Rejected, Sink } from './influx.ts';
import { type After, later } from './influx-http.ts';
import { type LineOptions, type Lines, lineWriter } from './line.ts';

/** The readings of a session, in its order. */
export interface Source {
  /** Readings at and behind `from`, as a rule not more than `maxBytes` of the session; undefined where there is nothing yet. */
  read(from: Position, maxBytes: number): Promise<{ readonly readings: readonly Reading[]; readonly next: Position } | undefined>;
  /** Behind the last readings that are safely in the session. */
  end(): Position;
  /** Bytes between two positions, where they are known across parts. */
  bytes?(from: Position, to: Position): number;
}

export interface FeedOptions {
  readonly source: Source;
  /** Belongs to the feed, which closes it in the end. */
  readonly sink: Sink;
  readonly cursor: CursorStore;
  readonly line: LineOptions;
  /** Keeps readings that are no points at all (a time that is no number). */
  readonly aside: (points: readonly Rejected[]) => Promise<void> | void;
  /** Once per change of state, never once per failure. */
  readonly onState: (change: FeedChange) => void;
  readonly after?: After;
  /** Points of a request; 5,000 unless given. */
  readonly points?: number;
  /** Bytes behind the session's end from which live data goes first; 4 MiB unless given. */
  readonly far?: number;
}

export type FeedState = 'starting' | 'up' | 'away' | 'denied' | 'over';

export interface FeedChange {
  /** 'notice': the state is as before, yet something new has happened (points refused, cursor or session unreadable). */
  readonly state: FeedState | 'notice';
  readonly text: string;
}

export interface FeedStats {
  readonly state: FeedState;
  /** Points confirmed by the server since the start of this feed. */
  readonly written: number;
  readonly aside: number;
  readonly requests: number;
  /** Failed writes by cause. */
  readonly failures: Readonly<Record<string, number>>;
  /** Read but not confirmed (points), and bytes of the session not confirmed. */
  readonly spooled: { readonly points: number; readonly bytes: number };
}

interface Segment {
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

const FLIGHTS = 2;
const SHORTEST_DELAY = 0.5;
const LONGEST_DELAY = 10;
const DENIED_DELAY = 60;
const MAX_STRETCHES = 64;
const READ_BYTES = 1_048_576;
const REQUEST_BYTES = 4_194_304; // well below the 25 MB that InfluxDB takes

export class InfluxFeed {
  readonly #options: FeedOptions;
  readonly #after: After;
  readonly #points: number;
  readonly #flights = new Set<Promise<void>>();
  readonly #failures: Record<string, number> = {};
  readonly #told = new Set<string>();
  readonly #cancels = new Set<() => void>();
  #stretches: Stretch[] = [];
  #state: FeedState = 'starting';
  #written = 0;
  #aside = 0;
  #delay = 0;
  #each = 100; // bytes of the session for one reading, learnt while reading
  #prober: Segment | undefined; // the one that tries while the server does not take readings
  #bug: unknown;
  #resting = false; // the live end has been read to the last; again in a second
  #draining = false;
  #over = false;
  #dirty = false;
  #saving: Promise<void> | undefined;
  #ring = () => {};
  #bell: Promise<void>;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#after = options.after ?? later;
    this.#points = options.points ?? 5000;
    this.#bell = new Promise((resolve) => (this.#ring = resolve));
  }

  /** Feeds until stopped. Rejects only for a bug of ours. */
  async run(): Promise<void> {
    await this.#load();
    while (!this.#over) {
      const segment = this.#flights.size < FLIGHTS && (this.#state === 'up' || this.#flights.size === 0) ? await this.#next() : undefined;
      if (segment) this.#launch(...segment);
      else if (this.#draining && this.#flights.size === 0) break;
      else await this.#bell;
    }
    this.#over = true;
    this.#options.sink.close();
    for (const cancel of this.#cancels) cancel();
    this.#wake();
    await Promise.all(this.#flights);
    await this.#saving;
    await this.#save();
    if (this.#bug !== undefined) throw this.#bug;
    const { bytes } = this.stats().spooled;
    this.#tell('over', bytes > 0 ? `ends; ${bytes} bytes of the session are not there yet` : 'ends; all readings are there');
  }

  /** Ends `run`: at once, or when all that is in the source has been confirmed, at most `within` seconds from now. */
  stop(within = 0): void {
    this.#draining = true;
    this.#resting = false;
    if (within <= 0) this.#over = true;
    else if (Number.isFinite(within)) this.#in(within, () => (this.#over = true));
    if (this.#over) this.#options.sink.close();
    this.#wake();
  }

  stats(): FeedStats {
    let points = 0;
    let bytes = 0;
    const end = this.#options.source.end();
    for (const { segments, from, to } of this.#stretches) {
      for (const segment of segments) points += segment.done ? 0 : segment.points;
      bytes += this.#between(from, to ?? end);
    }
    const { requests } = this.#options.sink;
    const failures = { ...this.#failures };
    return { state: this.#state, written: this.#written, aside: this.#aside, requests, failures, spooled: { points, bytes } };
  }

  async #load(): Promise<void> {
    const kept = await this.#options.cursor.load();
    if (typeof kept === 'string') this.#notice(`${kept}; all is sent again from the beginning, which doubles nothing`);
    const list: readonly Interval[] = kept === undefined || typeof kept === 'string' ? [{ from: BEGINNING }] : kept;
    this.#stretches = list.map(({ from, to }) => ({ from, read: from, to, segments: [] }));
    const last = list.at(-1);
    if (last?.to) this.#begin(last.to);
  }

  /** Something to send: live data before the backlog. */
  async #next(): Promise<readonly [Stretch, Segment] | undefined> {
    if (!this.#resting) {
      const live = this.#live();
      const segment = await this.#gather(live);
      if (segment) return [live, segment];
      if (!this.#over) {
        this.#resting = true;
        this.#in(1, () => (this.#resting = false));
      }
    }
    for (const stretch of [...this.#stretches]) {
      if (stretch.to === undefined) continue;
      const segment = await this.#gather(stretch);
      if (segment) return [stretch, segment];
      if (stretch.read === stretch.to) this.#confirm(stretch);
    }
    return undefined;
  }

  /** The open stretch; where it has fallen far behind, its rest becomes backlog and a new one begins at the end. */
  #live(): Stretch {
    const last = this.#stretches.at(-1);
    const end = this.#options.source.end();
    if (last === undefined) return this.#begin(BEGINNING);
    if (this.#stretches.length >= MAX_STRETCHES || !this.#far(last.read, end)) return last;
    this.#dirty = true;
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
    const { source, line } = this.#options;
    const writer = lineWriter(line);
    const batches: Lines[] = [];
    const unfit: Rejected[] = [];
    let points = 0;
    let at = stretch.read;
    while (points < this.#points * 0.9) {
      const { to } = stretch;
      if (comparePositions(at, to ?? source.end()) >= 0) break;
      const wanted = Math.ceil((this.#points - points) * this.#each);
      const room = Math.min(READ_BYTES, wanted, to?.part === at.part ? to.offset - at.offset : READ_BYTES);
      const got = await this.#read(at, room);
      if (got === 'failed') break;
      if (!got || (got.readings.length === 0 && comparePositions(got.next, at) <= 0)) {
        if (to) at = to; // it was confirmed to be there once: what is missing now has been taken away
        break;
      }
      for (const reading of got.readings) {
        if (!writer.write(reading)) unfit.push({ line: JSON.stringify(reading), why: `${reading.t} is no time in microseconds` });
        if (writer.points >= this.#points || writer.size >= REQUEST_BYTES) batches.push(writer.take());
      }
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
    try {
      const got = await this.#options.source.read(from, maxBytes);
      this.#told.delete('session');
      return got;
    } catch (error) {
      this.#count('session');
      this.#once(
        'session',
        `the session cannot be read at ${from.part} ${from.offset}: ${error instanceof Error ? error.message : String(error)}`,
      );
      return 'failed';
    }
  }

  #launch(stretch: Stretch, segment: Segment): void {
    const flight = this.#fly(segment)
      .then(() => {
        if (segment.done) this.#confirm(stretch);
      })
      .catch((error: unknown) => {
        this.#bug ??= error;
        this.#over = true;
      })
      .finally(() => {
        this.#flights.delete(flight);
        this.#wake();
      });
    this.#flights.add(flight);
  }

  async #fly(segment: Segment): Promise<void> {
    let kept = segment.unfit.length === 0;
    while (!kept) {
      if (!(await this.#turn(segment))) return;
      try {
        await this.#options.aside(segment.unfit);
        kept = true;
        this.#aside += segment.unfit.length;
        this.#once('unfit', `${segment.unfit.length} readings are no points: ${segment.unfit[0]?.why}`);
        this.#release(segment);
      } catch (error) {
        const why = `refused points cannot be kept: ${error instanceof Error ? error.message : String(error)}`;
        this.#failed(segment, { kind: 'retry', cause: 'aside', why });
      }
    }
    for (const lines of segment.batches) {
      for (;;) {
        if (!(await this.#turn(segment))) return;
        const outcome = await this.#options.sink.write(lines);
        if (outcome.kind === 'ok') {
          this.#stored(outcome);
          break;
        }
        if (this.#over) return;
        this.#failed(segment, outcome);
      }
    }
    segment.done = true;
  }

  /** True when it is this flight's turn to write: at once while the server answers, else one probe at a time after a pause. */
  async #turn(segment: Segment): Promise<boolean> {
    while (!this.#over && this.#state !== 'up') {
      if (this.#prober === undefined) {
        this.#prober = segment;
        if (this.#delay > 0) await this.#pause(this.#delay);
        return !this.#over;
      }
      await this.#bell;
    }
    return !this.#over;
  }

  #stored(outcome: Extract<Outcome, { kind: 'ok' }>): void {
    this.#written += outcome.stored;
    this.#aside += outcome.rejected;
    if (outcome.why !== undefined) {
      const kind = outcome.why.replace(/'.*'|\d+/gs, ''); // the same reason for other points is nothing new
      if (this.#told.size < 100) this.#once(kind, `refuses ${outcome.rejected} points, which are set aside: ${outcome.why}`);
    }
    this.#delay = 0;
    this.#prober = undefined;
    if (this.#state !== 'up') {
      const text =
        this.#state === 'starting' ? 'takes readings' : `answers again; ${this.stats().spooled.bytes} bytes of the session to catch up`;
      this.#tell('up', text);
    }
    this.#wake();
  }

  #failed(segment: Segment, outcome: Exclude<Outcome, { kind: 'ok' }>): void {
    const denied = outcome.kind === 'denied';
    this.#count(denied ? 'denied' : outcome.cause);
    const first = this.#state === 'up' || this.#prober === segment; // a second request under way when the server went tells nothing new
    if (first) this.#delay = denied ? DENIED_DELAY : Math.min(LONGEST_DELAY, this.#delay * 2 || SHORTEST_DELAY);
    this.#release(segment);
    const state = denied ? 'denied' : 'away';
    const text = denied ? `does not let us write: ${outcome.why}` : `does not take readings: ${outcome.why}`;
    if (first && this.#state !== state) this.#tell(state, `${text}; they wait in the session`);
  }

  #release(segment: Segment): void {
    if (this.#prober === segment) this.#prober = undefined;
    this.#wake();
  }

  /** Moves the cursor over what is confirmed without a gap. */
  #confirm(stretch: Stretch): void {
    while (stretch.segments[0]?.done) {
      stretch.from = stretch.segments[0].next;
      stretch.segments.shift();
      this.#dirty = true;
    }
    if (stretch.to && stretch.segments.length === 0 && comparePositions(stretch.from, stretch.to) >= 0) {
      this.#stretches = this.#stretches.filter((s) => s !== stretch);
      this.#dirty = true;
    }
    if (this.#dirty && !this.#saving && !this.#over) {
      this.#saving = this.#pause(1).then(async () => {
        await this.#save();
        this.#saving = undefined;
        if (this.#dirty) this.#confirm(stretch);
      });
    }
  }

  async #save(): Promise<void> {
    if (!this.#dirty) return;
    this.#dirty = false;
    try {
      await this.#options.cursor.save(this.#stretches.map(({ from, to }) => (to ? { from, to } : { from })));
      this.#told.delete('cursor');
    } catch (error) {
      this.#dirty = true;
      this.#count('cursor');
      this.#once('cursor', `the place where InfluxDB stands cannot be kept: ${error instanceof Error ? error.message : String(error)}`);
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
    const { source, far = REQUEST_BYTES } = this.#options;
    const [a, b] = [partNumber(from.part), partNumber(to.part)];
    const whole = source.bytes === undefined && a !== undefined && b !== undefined && b - a > 1; // a whole part lies between
    return whole || this.#between(from, to) > far;
  }

  #count(cause: string): void {
    this.#failures[cause] = (this.#failures[cause] ?? 0) + 1;
  }

  #once(kind: string, text: string): void {
    if (!this.#told.has(kind)) this.#notice(text);
    this.#told.add(kind);
  }

  #notice(text: string): void {
    this.#options.onState({ state: 'notice', text: `InfluxDB at ${this.#options.sink.shown}: ${text}` });
  }

  #tell(state: FeedState, text: string): void {
    this.#state = state;
    this.#options.onState({ state, text: `InfluxDB at ${this.#options.sink.shown} ${text}` });
  }

  /** Calls after so many seconds and wakes whatever waits; never after the end. */
  #in(seconds: number, fn: () => void): void {
    const cancel = this.#after(seconds, () => {
      this.#cancels.delete(cancel);
      fn();
      this.#wake();
    });
    this.#cancels.add(cancel);
  }

  /** So many seconds, or until the end. */
  async #pause(seconds: number): Promise<void> {
    let passed = false;
    this.#in(seconds, () => (passed = true));
    while (!passed && !this.#over) await this.#bell;
  }

  #wake(): void {
    const ring = this.#ring;
    this.#bell = new Promise((resolve) => (this.#ring = resolve));
    ring();
  }
}
