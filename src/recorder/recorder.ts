/** Takes entries in their one order: into the session, from there to InfluxDB, and before people's eyes. */
import { mkdir, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Entry } from '../entry.ts';
import type { Reading } from '../reading.ts';
import { asideFile, BEGINNING, cursorFile, type Position } from './cursor.ts';
import { influxSink } from './influx.ts';
import { InfluxFeed, type Source } from './influx-feed.ts';
import { type SessionPoint, sessionLine, sessionOf } from './influx-session.ts';
import type { Lines } from './line.ts';
import { parsePartName, seriesName } from './part-name.ts';
import { sessionWriter } from './parts.ts';
import { type Put, readingOf, write } from './session-json.ts';
import { chunksFrom, listParts } from './session-read.ts';
import type { Limits } from './session-writer.ts';
import { type Tally, tally } from './tally.ts';
import { trend } from './trend.ts';

export interface RecorderOptions {
  /** The session's folder; made if it is not there. */
  readonly folder: string;
  readonly rig: { readonly name: string; readonly text: string; readonly files: Readonly<Record<string, Uint8Array>> };
  /** Of the program that writes. */
  readonly version?: string;
  readonly influx?: string;
  /** Raw series in the order in which they stop when the disk fills. */
  readonly rawOrder?: readonly `raw-${string}`[];
  readonly limits?: Partial<Limits>;
  /** Microseconds since 1970, and milliseconds of a clock that only goes forward. */
  readonly now: () => number;
  readonly mono: () => number;
  /** Words for people, once per change of state. */
  readonly told: (text: string) => void;
  /** The disk is full: hazardous outputs go safe. */
  readonly full: () => void;
}

export interface Summary {
  readonly session: string;
  readonly rig: string;
  readonly began: number;
  readonly ended: number;
  readonly channels: Tally['channels'];
  readonly orders: Tally['orders'];
  readonly exchanges: Tally['exchanges'];
  readonly points: { readonly written: number; readonly spooled: number; readonly set_aside: number };
  readonly bytes: { readonly recorded: number; readonly wire: Tally['wire'] };
  readonly lost: readonly { readonly class: string; readonly cause: string; readonly messages: number; readonly bytes: number }[];
  readonly gaps: Tally['gaps'];
  readonly alarms: number;
  /** The last reading of each channel; of a trace, what it was. */
  readonly last: Readonly<Record<string, Reading>>;
  /** In a simulated run: what is true in the simulators' worlds at the end. */
  readonly truth?: Readonly<Record<string, number>>;
}

export interface Recorder {
  take(entries: readonly Entry[]): void;
  tick(): void;
  summary(): Summary;
  readonly influxState: string | undefined;
  readonly tally: Tally;
  /** What is not recorded as it should be, for people; undefined while all is. */
  readonly trouble: string | undefined;
  /** Ends the session whole. Waits at most `within` seconds for InfluxDB to take what is left: the cursor keeps the rest. */
  close(within: number): Promise<Summary>;
}

/** Readings of a session's confirmed parts, for the feed, and the session's own point: when it begins, and again when it ends. */
export function readingSource(folder: string, confirmed: () => Position | undefined): Source {
  let about: SessionPoint | undefined;
  return {
    end: () => confirmed() ?? { part: '', offset: 0 },
    async read(from, maxBytes) {
      const until = confirmed();
      if (!until) return undefined;
      const readings: Reading[] = [];
      const lines: Lines[] = [];
      let next: Position | undefined;
      let bytes = 0;
      for await (const chunk of chunksFrom(folder, from.part === '' ? undefined : from, { until })) {
        next = chunk.next;
        for (const m of chunk.messages) {
          bytes += m.bytes.length;
          if (m.topic === 'readings') readings.push(readingOf(m.bytes));
          else if (m.topic === 'rig' || m.topic === 'end') {
            about ??= await aboutOf(folder);
            if (about) lines.push(sessionLine(m.topic === 'rig' ? about : { ...about, ended: m.t }));
          }
        }
        if (bytes >= maxBytes) break;
      }
      return next && { readings, lines, next };
    },
  };
}

/** What a session is, by its first message. */
async function aboutOf(folder: string): Promise<SessionPoint | undefined> {
  for await (const { messages } of chunksFrom(folder, undefined)) {
    const first = messages.find((m) => m.topic === 'rig');
    return first && sessionOf(folder, first);
  }
  return undefined;
}

/** What earlier sessions of this rig have not brought to InfluxDB yet, one session after the other, beside the live one. */
export function catchUp(
  rig: { readonly name: string },
  influx: string,
  present: string,
  told: (text: string) => void,
): { stop(): Promise<void> } {
  let over = false;
  let current: InfluxFeed | undefined;
  const work = async (): Promise<void> => {
    const parent = dirname(present);
    const names = (await readdir(parent)).filter((n) => join(parent, n) !== present).sort();
    for (const name of names) {
      if (over) return;
      const folder = join(parent, name);
      const store = cursorFile(join(folder, 'influx.json'));
      const kept = await store.load().catch(() => undefined);
      if (!Array.isArray(kept)) continue;
      const parts = await listParts(folder, (series) => series === 'slow').catch(() => []);
      const last = parts.at(-1);
      if (!last) continue;
      const end: Position = { part: last.name, offset: last.until ?? last.bytes };
      const from = kept.at(-1)?.from;
      // Another rig's sessions in the same folder are for its own runs to bring.
      if ((await aboutOf(folder))?.rig !== rig.name) continue;
      // A cursor that stands at the end of the last part, alone, has nothing left.
      if (kept.length === 1 && from && from.part === end.part && from.offset >= end.offset) continue;
      const aside = asideFile(join(folder, 'influx-rejected.jsonl'));
      const feed = new InfluxFeed({
        source: readingSource(folder, () => end),
        sink: influxSink({ url: influx, aside }),
        cursor: store,
        line: { rig: rig.name },
        aside,
        onState: (change) => {
          if (change.state === 'over') told(`InfluxDB, session ${name}: ${change.text}`);
        },
      });
      current = feed;
      const running = feed.run();
      feed.stop(Number.POSITIVE_INFINITY);
      await running;
      current = undefined;
    }
  };
  const done = work().catch((error: unknown) =>
    told(`earlier sessions could not be looked through for InfluxDB: ${error instanceof Error ? error.message : error}`),
  );
  return {
    async stop() {
      over = true;
      current?.stop(0);
      await done;
    },
  };
}

/** The number of the last part of each series that is in the folder, whichever process has written it; what is still in memory comes there. */
async function lastParts(folder: string, classes: ReadonlySet<string>): Promise<Record<string, number>> {
  const last: Record<string, number> = Object.fromEntries([...classes].map((klass) => [seriesName(klass), 1]));
  for (const file of await readdir(folder).catch(() => [])) {
    const part = parsePartName(file);
    if (part) last[part.series] = Math.max(part.number, last[part.series] ?? 0);
  }
  return last;
}

export async function recorder(options: RecorderOptions): Promise<Recorder> {
  const { folder, rig, now, told } = options;
  await mkdir(folder, { recursive: true });
  let confirmed: Position | undefined;
  const counts = tally();
  const trends = [
    { topic: 'trend-1s', bins: trend(1) },
    { topic: 'trend-60s', bins: trend(60) },
  ];
  const began = now();
  const last = new Map<string, Reading>();
  let truth: Readonly<Record<string, number>> | undefined;
  const session = sessionWriter({
    folder,
    now: options.mono,
    rawOrder: options.rawOrder,
    limits: options.limits,
    onConfirmed(place, klass) {
      if (klass === 'slow') confirmed = place;
    },
    onState(state) {
      told(state.text);
      if (state.kind === 'reserve') options.full();
    },
  });
  const encoder = new TextEncoder();
  const json = (topic: string, t: number, value: unknown): void => {
    session.write(topic, 'slow', t, encoder.encode(JSON.stringify(value)));
  };
  json('rig', began, { version: options.version, name: rig.name, yaml: rig.text, session: basename(folder) });
  for (const [path, bytes] of Object.entries(rig.files)) session.write(`file ${path}`, 'raw-calibrations', began, bytes);
  const classes = new Set<string>(Object.keys(rig.files).length > 0 ? ['slow', 'raw-calibrations'] : ['slow']);

  const aside = asideFile(join(folder, 'influx-rejected.jsonl'));
  const cursor = cursorFile(join(folder, 'influx.json'));
  // From the first moment on, so that a session of which InfluxDB has never taken a point is found by the next run, too.
  if (options.influx && (await cursor.load()) === undefined)
    await cursor
      .save([{ from: BEGINNING }])
      .catch((error: unknown) => told(`where InfluxDB stands cannot be kept: ${error instanceof Error ? error.message : error}`));
  let feedState: string | undefined;
  const feed = options.influx
    ? new InfluxFeed({
        source: readingSource(folder, () => confirmed),
        sink: influxSink({ url: options.influx, aside }),
        cursor,
        line: { rig: rig.name },
        aside,
        onState(change) {
          if (change.state !== 'notice') feedState = change.state;
          told(change.text);
        },
      })
    : undefined;
  const feeding = feed?.run();
  const put: Put = (topic, klass, t, bytes, encoding) => {
    classes.add(klass);
    session.write(topic, klass, t, bytes, encoding);
  };
  const take = (entries: readonly Entry[]): void => {
    for (const entry of entries) {
      counts.see(entry);
      if (entry.kind === 'status') truth = entry.status.truth ?? truth;
      if (entry.kind === 'reading') {
        const r = entry.reading;
        last.set(
          r.index === undefined ? r.from : `${r.from}[${r.index}]`,
          r.kind === 'trace' && r.quality !== 'bad' ? { ...r, value: {} as never } : r,
        ); // a trace's numbers are in the session
      }
      write(entry, put);
      if (entry.kind !== 'reading') continue;
      for (const { topic, bins } of trends) for (const row of bins.see(entry.reading)) json(topic, row.t, row);
    }
  };

  const summary = (): Summary => {
    const stats = session.stats();
    const fed = feed?.stats();
    return {
      session: folder,
      rig: rig.name,
      began,
      ended: now(),
      channels: counts.channels,
      orders: counts.orders,
      exchanges: counts.exchanges,
      points: { written: fed?.written ?? 0, spooled: fed?.spooled.points ?? 0, set_aside: fed?.aside ?? 0 },
      bytes: { recorded: stats.written.bytes, wire: counts.wire },
      lost: stats.dropped.map(({ klass, cause, messages, bytes }) => ({ class: klass, cause, messages, bytes })),
      gaps: counts.gaps,
      alarms: counts.alarms,
      last: Object.fromEntries(last),
      ...(truth ? { truth } : {}),
    };
  };

  return {
    take,
    tick: () => session.tick(),
    summary,
    tally: counts,
    get influxState() {
      return feedState;
    },
    get trouble() {
      const { stopped, failing, free } = session.stats();
      const parts = [
        ...(failing.length > 0 ? [`${failing.join(', ')}: writing fails and is tried again`] : []),
        ...(stopped.length > 0 ? [`not recorded any more: ${stopped.map((one) => one.klass).join(', ')}`] : []),
      ];
      if (parts.length === 0) return undefined;
      return `${parts.join('; ')}${free === undefined ? '' : ` (${Math.round(free / 2 ** 20)} MiB free)`}`;
    },
    async close(within) {
      for (const { topic, bins } of trends) for (const row of bins.end()) json(topic, row.t, row);
      // What a check of the session's completeness holds its messages against: the last ones of a topic are missed by nothing else.
      json('end', now(), {
        orders: counts.orders,
        channels: Object.fromEntries(Object.entries(counts.channels).map(([name, c]) => [name, c.good + c.suspect + c.bad])),
        exchanges: counts.exchanges.total,
        wire: counts.wire,
        series: await lastParts(folder, classes),
      });
      await session.close();
      feed?.stop(within);
      await feeding;
      return summary();
    },
  };
}
