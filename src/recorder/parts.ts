/**
 * Writes a session's folder. One call to the disk at a time, slow parts first, so that a hung disk costs one thread; what waits is
 * bounded; a failure ends its part, and what was not confirmed is written again to a new one. It has no timers: call `tick`.
 */
import type { Schema } from './mcap-write.ts';
import { type Disk, diskCode, isFull, nodeDisk, watched } from './part-disk.ts';
import { PartFile } from './part-file.ts';
import { parsePartName } from './part-name.ts';
import { type Cause, type Klass, Series } from './part-series.ts';
import { Space } from './part-space.ts';
import { SessionError } from './session-error.ts';
import { LIMITS, type Limits, type SessionOptions, type SessionState, type SessionStats, type SessionWriter } from './session-writer.ts';

export type { Limits, SessionOptions, SessionState, SessionStats, SessionWriter } from './session-writer.ts';

export function sessionWriter(options: SessionOptions): SessionWriter {
  return new Writer(options);
}

const BATCH = 4 << 20; // written between two fdatasyncs when behind
const HUNG = 2000; // ms
const RETRY = [0, 500, 1000, 2000, 4000, 8000, 10_000]; // ms
const ATTEMPTS = 3; // at the close

class Writer implements SessionWriter {
  readonly #o: SessionOptions;
  readonly #limits: Limits;
  readonly #disk: Disk;
  readonly #space: Space;
  readonly #series = new Map<Klass, Series>();
  #raws: Series[] = [];
  #turn = 0;
  #held = { slow: 0, raw: 0 };
  #running: Promise<void> | undefined;
  #callSince: number | undefined;
  #hung = false;
  #onReserve = false;
  #closing: Promise<void> | undefined;
  #state: 'open' | 'closing' | 'closed' = 'open';

  constructor(options: SessionOptions) {
    this.#o = options;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#disk = watched(options.disk ?? nodeDisk, (asked) => this.#called(asked));
    const { reserve, rawFree } = this.#limits;
    this.#space = new Space({ disk: this.#disk, folder: options.folder, reserve, rawFree });
  }

  write(
    topic: string,
    klass: Klass,
    t: number,
    bytes: Uint8Array,
    encoding = klass === 'slow' ? 'json' : 'application/octet-stream',
  ): boolean {
    if (this.#state !== 'open') throw new SessionError('SESSION_CLOSED', `"${topic}" was written after the session was closed`);
    const series = this.#series.get(klass) ?? this.#add(klass);
    const size = bytes.length + 256; // with room for its head, its index and its part of the chunk
    const cause = series.stopped ?? (this.#room(series, size) ? undefined : 'queue');
    if (cause) {
      this.#stop(series, cause);
      series.refuse(topic, encoding, t, bytes.length, cause);
      return false;
    }
    const before = series.held;
    series.add(topic, encoding, t, bytes, this.#o.now);
    const full = series.open >= (klass === 'slow' ? this.#limits.slowChunk : this.#limits.rawChunk);
    if (full) series.seal(0, this.#o.now());
    this.#account(series, before);
    if (full) this.#kick();
    return true;
  }

  #add(klass: Klass): Series {
    const { slowChunk, rawChunk } = this.#limits;
    const schemas = this.#o.schemas ?? {};
    const schema = (topic: string): Schema => ({
      name: `bridgman.${topic}`,
      encoding: 'jsonschema',
      data: new TextEncoder().encode(schemas[topic] ?? '{"type":"object"}'),
    });
    const series = new Series(klass, klass === 'slow' ? slowChunk : rawChunk, schema);
    this.#series.set(klass, series);
    if (klass !== 'slow') this.#raws = [...this.#raws, series].sort((a, b) => this.#rank(a) - this.#rank(b));
    return series;
  }

  #rank({ klass }: Series): number {
    const order: readonly string[] = this.#o.rawOrder ?? [];
    const at = order.indexOf(klass);
    return at < 0 ? order.length : at;
  }

  #account(series: Series, before: number): void {
    this.#held[series.klass === 'slow' ? 'slow' : 'raw'] += series.held - before;
  }

  /** Whether there is memory for one more message; for a raw one, what is to stop before it makes room. */
  #room(series: Series, size: number): boolean {
    if (series.klass === 'slow') return this.#held.slow + size <= this.#limits.slowQueue;
    if (this.#held.raw + size <= this.#limits.rawQueue) return true;
    for (const victim of this.#raws) {
      if (victim === series) return false;
      while (this.#held.raw + size > this.#limits.rawQueue) {
        this.#stop(victim, 'queue');
        const before = victim.held;
        const some = victim.dropNewest('queue');
        this.#account(victim, before);
        if (!some) break;
      }
      if (this.#held.raw + size <= this.#limits.rawQueue) return true;
    }
    return false;
  }

  #tell(state: SessionState): void {
    this.#o.onState?.(state);
  }

  #stop(series: Series, cause: Cause): void {
    if (series.stopped) return;
    series.stop(cause);
    const { klass } = series;
    const why = cause === 'space' ? 'the disk is nearly full' : 'the disk does not keep up and memory for it is full';
    this.#tell({ kind: 'stopped', klass, cause, text: `${klass}: not recorded any more: ${why}` });
  }

  #resume(series: Series): void {
    const { klass } = series;
    const gap = series.resume();
    if (gap)
      this.#tell({ kind: 'resumed', klass, gap, text: `${klass}: recorded again; ${gap.messages} messages (${gap.bytes} bytes) are lost` });
  }

  /** Lets go on what was stopped, and stops raw streams for want of room. */
  #review(): void {
    const { slowQueue, rawQueue } = this.#limits;
    const slow = this.#series.get('slow');
    if (slow?.stopped && this.#held.slow < 0.9 * slowQueue) this.#resume(slow);
    const count = (this.#o.rawOrder?.length ?? 0) + 1;
    for (const raw of this.#raws) {
      if (this.#space.blocks(this.#rank(raw), count, raw.stopped === 'space')) this.#stop(raw, 'space');
      else if (raw.stopped === 'space' || (raw.stopped === 'queue' && this.#held.raw < 0.5 * rawQueue)) this.#resume(raw);
    }
    if (this.#onReserve && !this.#space.released) {
      this.#onReserve = false;
      this.#tell({ kind: 'reserved', text: 'there is room on the disk again, and the reserve of the slow parts is made' });
    }
  }

  tick(now: number = this.#o.now()): void {
    if (this.#state === 'closed') return;
    for (const series of this.#series.values()) {
      const before = series.held;
      series.seal(this.#limits.chunkMs, now);
      this.#account(series, before);
    }
    if (this.#callSince !== undefined && !this.#hung && now - this.#callSince >= HUNG) {
      this.#hung = true;
      this.#tell({
        kind: 'hung',
        text: `the disk at ${this.#o.folder} has not answered for ${((now - this.#callSince) / 1000).toFixed(1)} s; data waits in memory`,
      });
    }
    this.#kick();
  }

  #kick(): Promise<void> {
    this.#running ??= this.#pump().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async settled(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #pump(): Promise<void> {
    for (let job = this.#next(); job; job = this.#next()) {
      await job();
      this.#review();
    }
  }

  /** The disk has been asked, or has answered. */
  #called(asked: boolean): void {
    this.#callSince = asked ? this.#o.now() : undefined;
    if (asked || !this.#hung) return;
    this.#hung = false;
    this.#tell({ kind: 'back', text: `the disk at ${this.#o.folder} answers again` });
  }

  /** The most urgent job that can be done now. */
  #next(): (() => Promise<void>) | undefined {
    const now = this.#o.now();
    const slow = this.#series.get('slow');
    if (slow && this.#ready(slow, now)) return () => this.#flush(slow);
    if (this.#state === 'open' && this.#series.size > 0 && this.#space.due(now)) return () => this.#space.step(now);
    for (let i = 0; i < this.#raws.length; i++) {
      const raw = this.#raws[(this.#turn + i) % this.#raws.length];
      if (!raw || !this.#ready(raw, now)) continue;
      this.#turn = (this.#turn + i + 1) % this.#raws.length;
      return () => this.#flush(raw);
    }
    for (const series of this.#series.values()) {
      if (series.part && now - series.part.opened >= this.#limits.partMs) return () => this.#end(series);
    }
    return undefined;
  }

  #ready(series: Series, now: number): boolean {
    if (!series.waiting) return false;
    if (this.#state === 'closing') return series.failures < ATTEMPTS && !(series.klass !== 'slow' && this.#space.released);
    return now >= series.retryAt && series.stopped !== 'space';
  }

  /** Writes what waits, as much as one sync is good for. */
  async #flush(series: Series): Promise<void> {
    try {
      if (series.part && this.#o.now() - series.part.opened >= this.#limits.partMs) await this.#end(series);
      series.part ??= await this.#open(series);
      const { part } = series;
      let bytes = 0;
      for (let chunk = series.peek(); chunk && bytes < BATCH; chunk = series.peek()) {
        if (!part.fits(chunk.bytes.length, this.#limits.partBytes)) break;
        series.take();
        await part.write(chunk);
        bytes += chunk.bytes.length;
      }
      if (series.taken === 0) return await this.#end(series);
      await part.sync();
    } catch (error) {
      return this.#failed(series, error);
    }
    this.#confirmed(series);
  }

  async #open(series: Series): Promise<PartFile> {
    const { folder, now } = this.#o;
    if (series.number === undefined || series.failing) await this.#disk.makeFolder(folder); // it may have been moved away
    if (series.number === undefined) {
      const there = (await this.#disk.list(folder)).map(parsePartName).filter((part) => part?.series === series.name);
      series.number = Math.max(0, ...there.map((part) => part?.number ?? 0));
    }
    const { name, channels, ended } = series;
    for (;;) {
      const number: number = (series.number ?? 0) + 1;
      try {
        const part = await PartFile.open({ disk: this.#disk, folder, series: name, number, channels, ended, now });
        series.number = number;
        return part;
      } catch (error) {
        if (diskCode(error) !== 'EEXIST') throw error;
        series.number = number; // somebody else's, or one that could not be removed
      }
    }
  }

  async #end(series: Series): Promise<void> {
    const { part } = series;
    series.part = undefined;
    if (part && !(await part.end())) series.ended.set(part.name, part.confirmed);
  }

  #confirmed(series: Series): void {
    const before = series.held;
    series.confirm();
    this.#account(series, before);
    series.ended.clear(); // the head of this part says it, and will not be removed any more
    series.failures = 0;
    series.retryAt = Number.NEGATIVE_INFINITY;
    const { klass, part } = series;
    if (series.failing) {
      series.failing = false;
      this.#tell({ kind: 'recovered', klass, text: `${klass}: the disk takes data again` });
    }
    if (part) this.#o.onConfirmed?.({ part: part.name, offset: part.confirmed }, klass);
  }

  async #failed(series: Series, error: unknown): Promise<void> {
    const { part, klass } = series;
    const code = diskCode(error);
    series.part = undefined;
    series.giveBack();
    if (part) {
      series.ended.set(part.name, part.confirmed);
      await part.giveUp();
      if (part.bare && (await this.#removed(part))) {
        series.ended.delete(part.name);
        series.number = (series.number ?? 1) - 1;
      }
    }
    const anew = !series.failing;
    if (anew) {
      series.failing = true;
      const what = error instanceof Error ? error.message : String(error);
      this.#tell({
        kind: 'failing',
        klass,
        code,
        text: `${klass}: the disk at ${this.#o.folder} refuses (${code}: ${what}); data waits in memory`,
      });
    }
    if (isFull(code)) this.#space.look();
    const given = klass === 'slow' && isFull(code) && (await this.#giveReserve(anew));
    const step = Math.min(series.failures + (isFull(code) ? 1 : 0), RETRY.length - 1);
    series.retryAt = given ? Number.NEGATIVE_INFINITY : this.#o.now() + (RETRY[step] ?? 0);
    series.failures++;
  }

  async #removed(part: PartFile): Promise<boolean> {
    return this.#disk.remove(part.path).then(
      () => true,
      () => false,
    );
  }

  /** True where the reserve has made room just now. `anew`: there had been room meanwhile, made by somebody or by the reserve. */
  async #giveReserve(anew: boolean): Promise<boolean> {
    const given = await this.#space.release();
    if (!this.#onReserve || anew) {
      this.#onReserve = true;
      const left = given ? `the slow parts go on with their reserve of ${this.#limits.reserve} bytes` : 'and there is no reserve';
      this.#tell({ kind: 'reserve', text: `the disk at ${this.#o.folder} is full: ${left}; make room on it` });
    }
    return given;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.settled();
    this.#state = 'closing';
    for (const series of this.#series.values()) {
      const before = series.held;
      series.seal(0, Number.POSITIVE_INFINITY);
      this.#account(series, before);
      series.failures = 0;
    }
    await this.#kick();
    for (const series of this.#series.values()) {
      const { stopped } = series;
      const before = series.held;
      series.stop('closed');
      while (series.dropNewest(stopped ?? 'closed'));
      this.#account(series, before);
      const gap = series.resume();
      const { klass } = series;
      if (gap && gap.messages > 0)
        this.#tell({ kind: 'resumed', klass, gap, text: `${klass}: closed with ${gap.messages} messages (${gap.bytes} bytes) lost` });
      await this.#end(series);
    }
    await this.#space.close();
    this.#state = 'closed';
  }

  stats(): SessionStats {
    const all = [...this.#series.values()];
    return {
      held: { ...this.#held },
      written: {
        messages: all.reduce((n, { written }) => n + written.messages, 0),
        bytes: all.reduce((n, { written }) => n + written.bytes, 0),
      },
      dropped: all.flatMap(({ klass, dropped }) => [...dropped].map(([cause, lost]) => ({ klass, cause, ...lost }))),
      stopped: all.flatMap(({ klass, stopped }) => (stopped ? [{ klass, cause: stopped }] : [])),
      failing: all.filter(({ failing }) => failing).map(({ klass }) => klass),
      callMs: this.#callSince === undefined ? 0 : this.#o.now() - this.#callSince,
      free: this.#space.free,
      reserve: this.#space.kept,
    };
  }
}
