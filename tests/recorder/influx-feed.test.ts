import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Reading } from '../../src/reading.ts';
import { BEGINNING, type CursorStore, comparePositions, cursorFile, type Interval, type Position } from '../../src/recorder/cursor.ts';
import { influxSink, type Outcome, type Sink, type SinkOptions } from '../../src/recorder/influx.ts';
import { type FeedChange, type FeedOptions, InfluxFeed, type Source } from '../../src/recorder/influx-feed.ts';
import type { After } from '../../src/recorder/influx-http.ts';
import type { Lines } from '../../src/recorder/line.ts';
import { type Fake, fakeInflux, type Turn } from './influx-fake.ts';

const reading = (n: number): Reading => ({
  from: 'sm.voltage',
  kind: 'V',
  t: 1e15 + n,
  seq: n,
  origin: 'simulator',
  quality: 'good',
  value: n,
});

/** A session of chunks of ten readings, a hundred bytes each, ten chunks a part. */
class Session implements Source {
  readonly chunks: Reading[][] = [];
  readonly reads: string[] = [];
  broken = false;
  #count = 0;
  add(chunks: number): void {
    for (let i = 0; i < chunks; i++) this.chunks.push(Array.from({ length: 10 }, () => reading(this.#count++)));
  }
  position(chunk: number): Position {
    return chunk === 0 ? BEGINNING : { part: `slow-${Math.floor((chunk - 1) / 10)}`, offset: (((chunk - 1) % 10) + 1) * 1000 };
  }
  #chunk({ part, offset }: Position): number {
    return part === '' ? 0 : Number(part.slice(5)) * 10 + offset / 1000;
  }
  async read(from: Position, maxBytes: number) {
    if (this.broken) throw new Error('bad disk');
    this.reads.push(`${from.part} ${from.offset}`);
    const at = this.#chunk(from);
    const to = Math.min(this.chunks.length, at + Math.max(1, Math.floor(maxBytes / 1000)));
    return at >= to ? undefined : { readings: this.chunks.slice(at, to).flat(), next: this.position(to) };
  }
  end(): Position {
    return this.position(this.chunks.length);
  }
  bytes(from: Position, to: Position): number {
    return (this.#chunk(to) - this.#chunk(from)) * 1000;
  }
}

/** Keeps the cursor as a file would. */
function memory(): CursorStore & { kept: readonly Interval[] | undefined; saves: number } {
  return {
    kept: undefined,
    saves: 0,
    async load() {
      return this.kept;
    },
    async save(intervals) {
      this.kept = structuredClone(intervals);
      this.saves++;
    },
  };
}

/** Timers that the test fires. */
function hand(): { readonly after: After; readonly waiting: () => number[]; fire(seconds: number): Promise<void> } {
  const timers: { seconds: number; fn: () => void }[] = [];
  return {
    after(seconds, fn) {
      const timer = { seconds, fn };
      timers.push(timer);
      return () => {
        if (timers.includes(timer)) timers.splice(timers.indexOf(timer), 1);
      };
    },
    waiting: () => timers.map((t) => t.seconds).sort((a, b) => a - b),
    async fire(seconds) {
      const due = timers.filter((t) => t.seconds === seconds);
      for (const timer of due) timers.splice(timers.indexOf(timer), 1);
      expect(due.length, `a timer of ${seconds} s among ${timers.map((t) => t.seconds)}`).toBeGreaterThan(0);
      for (const { fn } of due) fn();
      await quiet();
    },
  };
}
/** All that can go on without a timer or a socket has gone on. */
const quiet = async () => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** A sink whose outcomes the test gives when it lets a write end; 'ok' where it has none. */
function scripted(
  outcomes: Outcome[] = [],
): Sink & { readonly got: number[][]; readonly outcomes: Outcome[]; hold: boolean; free(n?: number): Promise<void> } {
  const got: number[][] = [];
  const held: (() => void)[] = [];
  return {
    shown: 'http://h:1/lab',
    got,
    outcomes,
    hold: false,
    get requests() {
      return got.length;
    },
    async write(lines: Lines) {
      got.push(
        [
          ...Buffer.from(lines.bytes)
            .toString()
            .matchAll(/value=(\d+)/g),
        ].map((m) => Number(m[1])),
      );
      if (this.hold) await new Promise<void>((resolve) => held.push(resolve));
      return outcomes.shift() ?? { kind: 'ok', stored: lines.starts.length - 1, rejected: 0 };
    },
    /** Lets the oldest n writes end, or the newest of them for a negative n. */
    async free(n = held.length) {
      for (const end of n < 0 ? held.splice(n) : held.splice(0, n)) end();
      await quiet();
    },
    close() {},
  };
}

let session: Session;
let changes: FeedChange[];
beforeEach(() => {
  session = new Session();
  changes = [];
});
const feedOf = (more: Partial<FeedOptions> & Pick<FeedOptions, 'sink'>): InfluxFeed =>
  new InfluxFeed({
    source: session,
    cursor: memory(),
    line: { rig: 'demo' },
    aside: () => {},
    onState: (change) => changes.push(change),
    ...more,
  });
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const away: Outcome = { kind: 'retry', cause: 'refused', why: 'the connection was refused' };

describe('on hand-driven time', () => {
  test('full requests at once, the rest once a second, and the cursor behind what is confirmed', async () => {
    const [sink, cursor, time] = [scripted(), memory(), hand()];
    session.add(25);
    const feed = feedOf({ sink, cursor, after: time.after, points: 100 });
    const run = feed.run();
    await quiet();
    expect(sink.got.map((values) => values.length)).toEqual([100, 100, 50]);
    expect(cursor.kept).toBeUndefined();
    session.add(3);
    await quiet();
    expect(sink.got).toHaveLength(3);
    await time.fire(1);
    expect(sink.got.flat()).toEqual(upTo(280));
    await time.fire(1);
    expect(cursor.kept).toEqual([{ from: session.position(28) }]);
    expect(feed.stats()).toEqual({ state: 'up', written: 280, aside: 0, requests: 4, failures: {}, spooled: { points: 0, bytes: 0 } });
    feed.stop();
    await run;
    expect(changes.map(({ state }) => state)).toEqual(['up', 'over']);
  });

  test('two requests are under way, no more; out of order, the cursor waits for the first', async () => {
    const [sink, cursor, time] = [scripted(), memory(), hand()];
    sink.hold = true;
    session.add(50);
    const feed = feedOf({ sink, cursor, after: time.after, points: 100 });
    const run = feed.run();
    await quiet();
    expect(sink.got).toHaveLength(1); // one to see whether the server is there
    await sink.free();
    expect(sink.got).toHaveLength(3);
    expect(feed.stats().spooled).toEqual({ points: 200, bytes: 40_000 });
    await sink.free(-1); // the third before the second
    expect(sink.got).toHaveLength(4);
    await time.fire(1);
    expect(cursor.kept).toEqual([{ from: session.position(10) }]);
    await sink.free(1);
    await time.fire(1);
    expect(cursor.kept).toEqual([{ from: session.position(30) }]);
    feed.stop();
    await sink.free();
    await run;
  });

  test('growing pauses up to ten seconds, one probe at a time, one message each way', async () => {
    const [sink, time] = [scripted(), hand()];
    const feed = feedOf({ sink, after: time.after, points: 100 });
    const run = feed.run();
    session.add(10);
    await quiet();
    sink.hold = true;
    session.add(40);
    await time.fire(1);
    expect(sink.got).toHaveLength(3); // two under way when the server goes
    sink.outcomes.push(...Array.from({ length: 8 }, () => away));
    await sink.free();
    expect(sink.got).toHaveLength(3);
    sink.hold = false;
    for (const [i, seconds] of [0.5, 1, 2, 4, 8, 10, 10].entries()) {
      expect(feed.stats().state).toBe('away');
      expect(sink.got).toHaveLength(3 + i);
      await time.fire(seconds);
    }
    expect(feed.stats()).toMatchObject({ state: 'up', written: 500, failures: { refused: 8 } });
    expect(changes.map(({ state }) => state)).toEqual(['up', 'away', 'up']);
    expect(changes[1]?.text).toBe(
      'InfluxDB at http://h:1/lab does not take readings: the connection was refused; they wait in the session',
    );
    feed.stop();
    await run;
  });

  test('after a long outage live data goes first, then the backlog; the cursor keeps both', async () => {
    const [sink, cursor, time] = [scripted([away]), memory(), hand()];
    session.add(10);
    const feed = feedOf({ sink, cursor, after: time.after, points: 100, far: 20_000 });
    const run = feed.run();
    await quiet();
    session.add(100);
    sink.hold = true;
    await time.fire(0.5);
    await sink.free(); // the hundred that were held in memory
    expect(changes.at(-1)?.text).toMatch(/answers again; 110000 bytes of the session to catch up$/);
    expect(sink.got.slice(2).map((values) => values[0])).toEqual([100, 200]);
    session.add(2);
    await time.fire(1);
    await sink.free();
    expect(sink.got.slice(4).map((values) => values[0])).toEqual([1100, 300]); // live, then on with the backlog
    await sink.free();
    await time.fire(1);
    expect(cursor.kept).toEqual([{ from: session.position(40), to: session.position(110) }, { from: session.position(112) }]);
    sink.hold = false;
    await sink.free();
    feed.stop(60);
    await run;
    expect(new Set(sink.got.flat())).toEqual(new Set(upTo(1120)));
    expect(sink.got.flat()).toHaveLength(1220); // only the first hundred twice
    expect(cursor.kept).toEqual([{ from: session.end() }]);
  });

  test('refused access is told once and retried after a minute', async () => {
    const denied: Outcome = { kind: 'denied', why: 'authorization failed' };
    const [sink, time] = [scripted([denied, denied, denied]), hand()];
    session.add(1);
    const feed = feedOf({ sink, after: time.after });
    const run = feed.run();
    await quiet();
    expect(time.waiting()).toContain(60);
    await time.fire(60);
    await time.fire(60);
    await time.fire(60);
    expect(changes.map(({ state }) => state)).toEqual(['denied', 'up']);
    expect(changes[0]?.text).toMatch(/does not let us write: authorization failed/);
    feed.stop();
    await run;
  });

  test('stopped while the server is away: ends at once, and the next feed goes on', async () => {
    const cursor = memory();
    const time = hand();
    session.add(30);
    const first = feedOf({
      sink: scripted([{ kind: 'ok', stored: 100, rejected: 0 }, away, away, away]),
      cursor,
      after: time.after,
      points: 100,
    });
    const run = first.run();
    await quiet();
    first.stop();
    await run;
    expect(cursor.kept).toEqual([{ from: session.position(10) }]);
    expect(changes.at(-1)).toMatchObject({ state: 'over', text: expect.stringMatching(/20000 bytes of the session are not there yet$/) });
    const sink = scripted();
    const second = feedOf({ sink, cursor, after: time.after, points: 100 });
    second.stop(Number.POSITIVE_INFINITY);
    await second.run();
    expect(sink.got.flat()).toEqual(upTo(300).slice(100));
    expect(changes.at(-1)?.text).toMatch(/all readings are there$/);
  });

  test('asked to end while the server is away: tries once more at once, then until the time is over', async () => {
    const [sink, time] = [scripted([away, away]), hand()];
    session.add(10);
    const feed = feedOf({ sink, after: time.after, points: 50 });
    const run = feed.run();
    await quiet();
    await time.fire(0.5);
    feed.stop(7);
    await run;
    expect(sink.got.map((values) => values[0])).toEqual([0, 0, 0, 50]);
    sink.outcomes.push(away, away, away);
    const again = feedOf({ sink, after: time.after, points: 50 });
    const second = again.run();
    await quiet();
    again.stop(7);
    await quiet();
    expect(again.stats()).toMatchObject({ state: 'away', failures: { refused: 2 } });
    await time.fire(7);
    await second;
    expect(time.waiting()).toEqual([]);
  });

  test('a part without readings is passed over', async () => {
    const [sink, cursor] = [scripted(), memory()];
    session.chunks.push(...Array.from({ length: 100 }, () => []));
    session.add(1);
    const feed = feedOf({ sink, cursor, after: hand().after, points: 10 });
    feed.stop(Number.POSITIVE_INFINITY);
    await feed.run();
    expect(sink.got).toEqual([upTo(10)]);
    expect(cursor.kept).toEqual([{ from: session.end() }]);
  });

  test('a session that cannot be read, a reading that is no point and a cursor that cannot be kept are each told once', async () => {
    const [sink, time] = [scripted(), hand()];
    const aside: object[] = [];
    const cursor: CursorStore = { load: async () => 'influx.json is no cursor', save: () => Promise.reject(new Error('disk full')) };
    session.add(1);
    session.chunks.push([{ ...reading(10), t: Number.NaN }, reading(11)]);
    session.broken = true;
    const feed = feedOf({ sink, cursor, after: time.after, aside: (points) => void aside.push(...points) });
    const run = feed.run();
    await quiet();
    await time.fire(1);
    session.broken = false;
    await time.fire(1);
    session.add(1);
    await time.fire(1);
    await time.fire(1);
    expect(feed.stats()).toMatchObject({ written: 21, aside: 1, failures: { session: 2 } });
    expect(aside).toEqual([{ line: JSON.stringify(session.chunks[1]?.[0]), why: 'NaN is no time in microseconds' }]);
    expect(changes.map(({ state, text }) => [state, text.slice('InfluxDB at http://h:1/lab'.length).slice(0, 30)])).toEqual([
      ['notice', ': influx.json is no cursor; al'],
      ['notice', ': the session cannot be read a'],
      ['notice', ': 1 readings are no points: Na'],
      ['up', ' takes readings'],
      ['notice', ': the place where InfluxDB sta'],
    ]);
    feed.stop();
    await run;
  });
});

describe('with a server on a socket', () => {
  let fake: Fake;
  beforeEach(async () => {
    fake = await fakeInflux();
  });
  afterEach(() => fake.down());
  const brisk: After = (seconds, fn) => {
    const timer = setTimeout(fn, seconds); // a thousand times as fast
    return () => clearTimeout(timer);
  };
  const sinkOf = (more: Partial<SinkOptions> = {}) => influxSink({ url: `${fake.url}/lab`, aside: () => {}, ...more });
  const stored = (): number[] => [...fake.points.values()].map((p) => Number(p.fields.value)).sort((a, b) => a - b);

  test('whatever the server does, every point is stored once', async () => {
    const turn = fc.constantFrom<Turn>('store', 'store', 500, 'cut', 'store and cut', 'store and hang', 'hang', 'reset', 429, 401, 503);
    await fc.assert(
      fc.asyncProperty(
        fc.array(turn, { maxLength: 12 }),
        fc.integer({ min: 1, max: 30 }),
        fc.nat({ max: 20_000 }),
        async (turns, chunks, far) => {
          session = new Session();
          session.add(chunks);
          fake.points.clear();
          fake.turns.splice(0, fake.turns.length, ...turns);
          const feed = feedOf({ sink: sinkOf({ timeout: 100, after: brisk }), after: brisk, points: 50, far });
          const run = feed.run();
          await new Promise((resolve) => setImmediate(resolve));
          session.add(5);
          feed.stop(Number.POSITIVE_INFINITY);
          await run;
          expect(stored()).toEqual(upTo(chunks * 10 + 50));
          expect(feed.stats().spooled).toEqual({ points: 0, bytes: 0 });
        },
      ),
      { numRuns: 25 },
    );
  });

  test('the server goes away and comes back on its port; bad points are set aside', async () => {
    const aside: object[] = [];
    fake.refuses = (p) => (Number(p.fields.value) % 100 === 7 ? 'field type conflict' : undefined);
    session.add(20);
    const seen = new Map<string, () => void>();
    const until = (state: string) => new Promise<void>((resolve) => seen.set(state, resolve));
    const onState = (change: FeedChange) => {
      changes.push(change);
      seen.get(change.state)?.();
    };
    const feed = feedOf({ sink: sinkOf({ aside: (points) => void aside.push(...points) }), after: brisk, points: 100, far: 5000, onState });
    const up = until('up');
    const run = feed.run();
    await up;
    const gone = until('away');
    await fake.down();
    session.add(30);
    await gone;
    const back = until('up');
    session.add(30);
    await fake.up();
    await back;
    feed.stop(Number.POSITIVE_INFINITY);
    await run;
    expect(stored()).toEqual(upTo(800).filter((n) => n % 100 !== 7));
    expect(new Set(aside.map((point) => JSON.stringify(point))).size).toBe(8);
    expect(changes.map(({ state }) => state).filter((state) => state !== 'notice')).toEqual(['up', 'away', 'up', 'over']);
  });
});

describe('the cursor file', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bridgman-cursor-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test('comes back as it was kept; what is no cursor is named', async () => {
    const path = join(folder, 'influx.json');
    const file = cursorFile(path);
    expect(await file.load()).toBeUndefined();
    const list = [{ from: BEGINNING, to: { part: 'slow-0001', offset: 5 } }, { from: { part: 'slow-0002', offset: 7 } }];
    await file.save(list);
    await file.save(list);
    expect(await file.load()).toEqual(list);
    const whole = await readFile(path, 'utf8');
    for (let n = 0; n < whole.length - 1; n++) {
      await writeFile(path, whole.slice(0, n));
      expect(await file.load()).toMatch(/influx.json does not hold/);
    }
    const wrong = [
      'null',
      '[]',
      '{"version":1,"intervals":[]}',
      whole.replace('5', '-5'),
      whole.replace(/"to"/, '"two"'),
      whole.replace('1', '2'),
    ];
    for (const text of wrong) {
      await writeFile(path, text);
      expect(await file.load()).toMatch(/influx.json does not hold/);
    }
    expect(await cursorFile(folder).load()).toMatch(/cannot be read/);
  });

  test('positions are in the order of the parts and their numbers', () => {
    const order = [
      BEGINNING,
      { part: 'slow-0001', offset: 9 },
      { part: 'slow-0002', offset: 1 },
      { part: 'slow-9999', offset: 0 },
      { part: 'slow-10000', offset: 0 },
    ];
    order.forEach((a, i) => {
      order.forEach((b, j) => {
        expect(Math.sign(comparePositions(a, b))).toBe(Math.sign(i - j));
      });
    });
  });
});
