/** Points of a session to InfluxDB: as they were measured (revision 0), or as they are derived anew (revision n + 1). */
import type { Reading } from '../reading.ts';
import { influxSink, type Rejected, type Sink } from '../recorder/influx.ts';
import { type After, influxTarget, later } from '../recorder/influx-http.ts';
import { type SessionPoint, sessionLine, sessionOf } from '../recorder/influx-session.ts';
import { type Lines, lineWriter } from '../recorder/line.ts';
import { chunksFrom } from '../recorder/session-read.ts';
import { readingIn } from './messages.ts';

export interface Sent {
  readonly points: number;
  readonly revision: number;
  /** What the server refuses for good, with its words. */
  readonly rejected: readonly Rejected[];
  /** Why not all is there. */
  readonly failed?: string;
}

export interface Writer {
  readonly sent: () => Sent;
  write(reading: Reading): Promise<void> | undefined;
  /** The session itself, as a point. */
  line(lines: Lines): Promise<void>;
  end(): Promise<Sent>;
}

const POINTS = 5000; // of a request
const TRIES = 4;
const PAUSE = 0.5; // seconds before the second try, doubled for each

/** Writes in order, one request at a time; a server that does not answer is tried again, and given up with its words. */
export function pointWriter(url: string, rig: string, revision: number, after: After = later): Writer {
  const rejected: Rejected[] = [];
  const sink: Sink = influxSink({ url, aside: (points) => void rejected.push(...points) });
  const lines = lineWriter({ rig, revision });
  let points = 0;
  let failed: string | undefined;
  const send = async (some: Lines): Promise<void> => {
    for (let n = 1; failed === undefined; n++) {
      const outcome = await sink.write(some);
      if (outcome.kind === 'ok') {
        points += outcome.stored;
        return;
      }
      if (outcome.kind === 'denied' || n === TRIES) {
        failed = `${sink.shown}: ${outcome.why}`;
        return;
      }
      await new Promise<void>((done) => after(PAUSE * 2 ** (n - 1), done));
    }
  };
  const sent = (): Sent => ({ points, revision, rejected, ...(failed === undefined ? {} : { failed }) });
  return {
    sent,
    write(reading) {
      if (failed !== undefined || !lines.write(reading)) return undefined;
      return lines.points < POINTS ? undefined : send(lines.take());
    },
    line: send,
    async end() {
      if (lines.points > 0) await send(lines.take());
      sink.close();
      return sent();
    },
  };
}

/** Every point of the session as the run itself wrote it: the same series, times and fields. */
export async function rebuild(session: string, url: string, rig: string): Promise<Sent> {
  const writer = pointWriter(url, rig, 0);
  let about: SessionPoint | undefined;
  let ended: number | undefined;
  for await (const { messages } of chunksFrom(session, undefined, { ended: true })) {
    for (const { topic, bytes, t } of messages) {
      if (topic === 'readings') {
        const reading = readingIn({ bytes });
        const waits = reading && writer.write(reading);
        if (waits) await waits;
      } else if (topic === 'rig' && !about) {
        about = sessionOf(session, { t, bytes });
      } else if (topic === 'end') ended = t;
    }
  }
  if (about) await writer.line(sessionLine({ ...about, rig, ...(ended === undefined ? {} : { ended }) }));
  return writer.end();
}

/** The highest revision of the rig that the database holds; -1 for none. A sentence where it cannot be asked. */
export async function highestRevision(url: string, rig: string): Promise<number | string> {
  const target = influxTarget(url);
  if (typeof target === 'string') return target;
  const { InfluxDB } = await import('influx');
  const { host, port, database, user: username = '', password = '' } = target;
  const protocol = target.secure ? 'https' : 'http';
  const client = new InfluxDB({ host, port, protocol, database, username, password, pool: { maxRetries: 1, requestTimeout: 10_000 } });
  try {
    if (!(await client.getDatabaseNames()).includes(database)) return -1;
    const text = rig.replace(/[\\']/g, '\\$&');
    const rows = await client.query<{ value: string }>(`SHOW TAG VALUES WITH KEY = "revision" WHERE "rig" = '${text}'`);
    return rows.reduce((most, { value }) => Math.max(most, Number(value) || 0), -1);
  } catch (error) {
    return `${target.shown}: ${error instanceof Error ? error.message : String(error)}`;
  }
}
