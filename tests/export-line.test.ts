/** A session as line protocol: the bytes that the feed sends. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { exportSession } from '../src/export/export.ts';
import type { Reading } from '../src/reading.ts';
import { BEGINNING, type CursorStore } from '../src/recorder/cursor.ts';
import type { Sink } from '../src/recorder/influx.ts';
import { InfluxFeed } from '../src/recorder/influx-feed.ts';
import { readingSource } from '../src/recorder/recorder.ts';
import { listParts } from '../src/recorder/session-read.ts';
import { READINGS, record, START } from './export-session.ts';

const scratch = mkdtempSync(join(tmpdir(), 'bridgman-line-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const session = await record(join(scratch, 'session'));

async function exported(name: string, options: object = {}): Promise<string> {
  const target = join(scratch, name);
  await exportSession({ session, form: 'line', target, ...options });
  return readFileSync(target, 'utf8');
}

/** What the feed sends to a server that takes everything. */
async function fed(): Promise<string> {
  const [part] = await listParts(session);
  const sent: Uint8Array[] = [];
  const sink = {
    shown: 'here',
    requests: 0,
    write: (lines: { bytes: Uint8Array; starts: readonly number[] }) => {
      sent.push(lines.bytes.slice());
      return Promise.resolve({ kind: 'ok', stored: lines.starts.length - 1, rejected: 0 });
    },
    close: () => {},
  } as unknown as Sink; // all of it that a feed uses
  const cursor: CursorStore = { load: () => Promise.resolve([{ from: BEGINNING }]), save: () => Promise.resolve() };
  const source = readingSource(session, () => ({ part: 'slow-0001', offset: part?.bytes ?? 0 }));
  const feed = new InfluxFeed({ source, sink, cursor, line: { rig: 'a-cell' }, aside: () => {}, onState: () => {} });
  const running = feed.run();
  feed.stop(Number.POSITIVE_INFINITY);
  await running;
  return Buffer.concat(sent).toString();
}

test('the bytes are those of the feed, the session itself behind the readings', async () => {
  const text = await exported('all.txt');
  const lines = (await fed()).split(/(?<= \d{19}\n)/);
  const readings = lines.filter((line) => !line.startsWith('sessions,'));
  expect(readings).toHaveLength(READINGS.length);
  // The feed says it twice: when it begins, and when it has ended.
  expect(text).toBe(readings.join('') + lines.findLast((line) => line.startsWith('sessions,')));
  expect(text).toMatch(/\nsessions,.*\n$/);
  expect(text.slice(text.indexOf('sessions,'))).toBe(
    `sessions,rig=a-cell session="the-session",version="1.2.3",ended=${START + 20e6}i ${START}000\n`,
  );
});

test('a channel and a time', async () => {
  const r = READINGS.find(({ from, seq }) => from === 'laser.emission' && seq === 1) as Reading; // it is there
  expect(await exported('some.txt', { channels: ['laser.emission'], from: r.t, until: r.t + 1 })).toBe(
    `flag,channel=emission,instrument=laser,origin=simulator,revision=0,rig=a-cell quality=0i,value=false ${r.t}001\n`,
  );
});
