/** Feeds InfluxDB from a session: a cursor moves on only when the server has confirmed; nothing is lost, nothing doubled. */
import { BEGINNING, type CursorStore } from './cursor.ts';
import type { Outcome, Rejected, Sink } from './influx.ts';
import { type After, later } from './influx-http.ts';
import { type Segment, type Source, Stretches } from './influx-stretch.ts';
import type { LineOptions } from './line.ts';

export type { Source } from './influx-stretch.ts';

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

const FLIGHTS = 2;
const SHORTEST_DELAY = 0.5;
const LONGEST_DELAY = 10;
const DENIED_DELAY = 60;
const FAR = 4_194_304;

export class InfluxFeed {
  readonly #options: FeedOptions;
  readonly #after: After;
  readonly #stretches: Stretches;
  readonly #flights = new Set<Promise<void>>();
  readonly #failures: Record<string, number> = {};
  readonly #told = new Set<string>();
  readonly #cancels = new Set<() => void>();
  #state: FeedState = 'starting';
  #written = 0;
  #aside = 0;
  #delay = 0;
  #prober: Segment | undefined; // the one that tries while the server does not take readings
  #bug: unknown;
  #resting = false; // the live end has been read to the last; again in a second
  #draining = false;
  #hurry = 0; // counts the calls of stop: each ends the pauses under way
  #over = false;
  #dirty = false;
  #saving: Promise<void> | undefined;
  #ring = () => {};
  #bell: Promise<void>;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#after = options.after ?? later;
    this.#stretches = new Stretches({
      source: options.source,
      line: options.line,
      points: options.points ?? 5000,
      far: options.far ?? FAR,
      wasRead: (failure) => this.#sessionRead(failure),
    });
    this.#bell = new Promise((resolve) => (this.#ring = resolve));
  }

  /** Feeds until stopped. Rejects only for a bug of ours. */
  async run(): Promise<void> {
    await this.#load();
    while (!this.#over) {
      const segment = this.#flights.size < FLIGHTS && (this.#state === 'up' || this.#flights.size === 0) ? await this.#next() : undefined;
      if (segment) this.#launch(segment);
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

  /**
   * Ends `run`: at once, or when all that is in the source has been confirmed, at most `within` seconds from now. A server
   * that is away is tried again at once. What is left stays in the cursor.
   */
  stop(within = 0): void {
    this.#draining = true;
    this.#hurry++;
    this.#resting = false;
    if (within <= 0) this.#over = true;
    else if (Number.isFinite(within)) this.#in(within, () => (this.#over = true));
    if (this.#over) this.#options.sink.close();
    this.#wake();
  }

  stats(): FeedStats {
    const { requests } = this.#options.sink;
    const failures = { ...this.#failures };
    return { state: this.#state, written: this.#written, aside: this.#aside, requests, failures, spooled: this.#stretches.spooled() };
  }

  async #load(): Promise<void> {
    const kept = await this.#options.cursor.load();
    if (typeof kept === 'string') this.#notice(`${kept}; all is sent again from the beginning, which doubles nothing`);
    this.#stretches.load(kept === undefined || typeof kept === 'string' ? [{ from: BEGINNING }] : kept);
  }

  /** Something to send: live data before the backlog. */
  async #next(): Promise<Segment | undefined> {
    if (!this.#resting) {
      const segment = await this.#stretches.live();
      if (segment || this.#over) return segment;
      this.#resting = true;
      this.#in(1, () => (this.#resting = false));
    }
    return this.#stretches.backlog();
  }

  #launch(segment: Segment): void {
    const flight = this.#fly(segment)
      .then(() => this.#keep(this.#stretches.confirm()))
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

  /** Keeps the cursor, once a second at most. */
  #keep(moved: boolean): void {
    this.#dirty ||= moved;
    if (!this.#dirty || this.#saving || this.#over) return;
    this.#saving = this.#pause(1).then(async () => {
      await this.#save();
      this.#saving = undefined;
      this.#keep(false);
    });
  }

  async #save(): Promise<void> {
    if (!this.#dirty) return;
    this.#dirty = false;
    try {
      await this.#options.cursor.save(this.#stretches.intervals());
      this.#told.delete('cursor');
    } catch (error) {
      this.#dirty = true;
      this.#count('cursor');
      this.#once('cursor', `the place where InfluxDB stands cannot be kept: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #sessionRead(failure: string | undefined): void {
    if (failure === undefined) {
      this.#told.delete('session');
      return;
    }
    this.#count('session');
    this.#once('session', failure);
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

  /** So many seconds, or until the feed is to stop. */
  async #pause(seconds: number): Promise<void> {
    let passed = false;
    this.#in(seconds, () => (passed = true));
    const hurry = this.#hurry;
    while (!passed && !this.#over && hurry === this.#hurry) await this.#bell;
  }

  #wake(): void {
    const ring = this.#ring;
    this.#bell = new Promise((resolve) => (this.#ring = resolve));
    ring();
  }
}
