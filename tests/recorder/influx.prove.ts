import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Reading } from '../../src/reading.ts';
import { BEGINNING, cursorFile, type Position } from '../../src/recorder/cursor.ts';
import { influxSink, type Sink } from '../../src/recorder/influx.ts';
import { type FeedChange, InfluxFeed, type Source } from '../../src/recorder/influx-feed.ts';
import { type Influxd, startInfluxd, withoutInfluxd } from '../influxd.ts';

const CHANNELS = 20;
const CHUNK = 200;

/** n readings so far, 200 a chunk, 50 chunks a part, 40,000 bytes a chunk. */
class Session implements Source {
  count = 0;
  #position(chunk: number): Position {
    return chunk === 0
      ? BEGINNING
      : { part: `slow-${String(Math.floor((chunk - 1) / 50)).padStart(4, '0')}`, offset: (((chunk - 1) % 50) + 1) * 40_000 };
  }
  #chunk({ part, offset }: Position): number {
    return part === '' ? 0 : Number(part.slice(5)) * 50 + offset / 40_000;
  }
  async read(from: Position, maxBytes: number) {
    const at = this.#chunk(from);
    const to = Math.min(this.count / CHUNK, at + Math.max(1, Math.floor(maxBytes / 40_000)));
    if (at >= to) return undefined;
    const readings = Array.from({ length: (to - at) * CHUNK }, (_, i) => reading(at * CHUNK + i));
    return { readings, next: this.#position(to) };
  }
  end(): Position {
    return this.#position(this.count / CHUNK);
  }
}

/** Every channel has a thousand readings in each millisecond's microsecond: only seq keeps them apart. */
const reading = (n: number): Reading => ({
  from: `sm${n % CHANNELS}.voltage`,
  kind: 'V',
  t: 1_700_000_000_000_000 + Math.floor(n / CHANNELS / 1000) * 1000,
  seq: Math.floor(n / CHANNELS),
  origin: 'simulator',
  quality: 'good',
  value: n,
});

describe.skipIf(withoutInfluxd)('a real influxd in trouble (skipped where influxd is not on PATH)', () => {
  let influxd: Influxd;
  let folder: string;
  beforeEach(async () => {
    influxd = await startInfluxd();
    folder = await mkdtemp(join(tmpdir(), 'bridgman-feed-'));
  });
  afterEach(async () => {
    await influxd.remove();
    await rm(folder, { recursive: true, force: true });
  });

  const counted = async () => {
    const [row] = await influxd.query('lab', 'SELECT count(value), sum(value) FROM voltage');
    return [row?.count, row?.sum];
  };
  const expected = ({ count }: Session) => [count, (count * (count - 1)) / 2];

  /** A feed, and a promise of its next write and of its next change of state. */
  function feedOn(session: Session) {
    const changes: FeedChange[] = [];
    const seen = new Map<string, () => void>();
    const until = (what: string) => new Promise<void>((resolve) => seen.set(what, resolve));
    const inner = influxSink({ url: `${influxd.url}/lab`, timeout: 1, aside: () => expect.fail('a point was refused') });
    const sink: Sink = {
      shown: inner.shown,
      get requests() {
        return inner.requests;
      },
      write(lines) {
        const outcome = inner.write(lines);
        seen.get('write')?.();
        return outcome;
      },
      close: () => inner.close(),
    };
    const feed = new InfluxFeed({
      source: session,
      sink,
      cursor: cursorFile(join(folder, 'influx.json')),
      line: { rig: 'demo' },
      aside: () => expect.fail('a reading was no point'),
      onState(change) {
        changes.push(change);
        seen.get(change.state)?.();
      },
      far: 200_000,
    });
    return { feed, changes, until, run: feed.run() };
  }

  test('killed, stopped and started again in the middle of requests: the counts are equal', async () => {
    const session = new Session();
    session.count = 20_000;
    const { feed, changes, until, run } = feedOn(session);
    for (const way of ['SIGKILL', 'SIGSTOP', 'SIGTERM', 'SIGKILL', 'SIGSTOP', 'SIGKILL'] as const) {
      await until('write');
      const away = until('away');
      const signalled = influxd.signal(way);
      session.count += 20_000;
      await signalled;
      await away;
      session.count += 20_000;
      const up = until('up');
      if (way === 'SIGSTOP') await influxd.signal('SIGCONT');
      else await influxd.start();
      await up;
      session.count += 10_000;
    }
    feed.stop(Number.POSITIVE_INFINITY);
    await run;
    expect(await counted()).toEqual(expected(session));
    expect(feed.stats().spooled).toEqual({ points: 0, bytes: 0 });
    const states = changes.map(({ state }) => state);
    expect(states.filter((state) => state === 'away')).toHaveLength(6);
    expect(states.filter((state) => state === 'up').length).toBeLessThanOrEqual(7);
    expect(states.at(-1)).toBe('over');
  });

  test('the feed itself stopped again and again, the server killed between: the counts are equal', async () => {
    const session = new Session();
    for (let i = 0; i < 5; i++) {
      session.count += 30_000;
      const { feed, until, run } = feedOn(session);
      await until('write');
      await until('write');
      if (i % 2 === 1) await influxd.signal('SIGKILL');
      feed.stop();
      await run;
      if (i % 2 === 1) await influxd.start();
    }
    const { feed, run } = feedOn(session);
    feed.stop(Number.POSITIVE_INFINITY);
    await run;
    expect(await counted()).toEqual(expected(session));
  });
});
