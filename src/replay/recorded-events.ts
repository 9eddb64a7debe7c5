/** The events of some wires of a session, read as a stream: little of it is in memory, however long it is. */
import { seriesName } from '../recorder/part-name.ts';
import { NAMED, seriesOf } from '../recorder/session-json.ts';
import { readSession, type Trouble } from '../recorder/session-read.ts';
import type { Wire } from '../rig-wires.ts';
import { alarmIn, exchangeIn } from './messages.ts';
import { type LineEvent, RecordedLine } from './recorded-line.ts';

/** An event of a wire; without one, all up to this time has been given. */
export interface Along {
  readonly t: number;
  readonly wire?: string;
  readonly event?: LineEvent;
  /** The latest message that has been read. */
  readonly latest?: number;
}

export interface EventOptions {
  /** Leaves the bytes of fast streams out. */
  readonly slow?: boolean;
  readonly onTrouble?: (trouble: Trouble) => void;
}

const HOLD = 10e6; // microseconds: an exchange comes into the session at its end, and no question waits longer
const STEP = 0.1e6;
const DOWN = 'link down'; // how exchange.ts says it, and the host in its alarm

/** In order for each wire. Throws a SessionError where there is no such folder. */
export async function* recordedEvents(
  folder: string,
  wires: readonly Pick<Wire, 'key' | 'users'>[],
  { slow = false, onTrouble }: EventOptions = {},
): AsyncGenerator<Along, void, undefined> {
  const lines: RecordedLine[] = [];
  const owners = new Map<string, RecordedLine>();
  const streams = new Set<RecordedLine>();
  const topics = new Map<string, (t: number, bytes: Uint8Array) => void>();
  const series = new Set<string>();
  for (const wire of wires) {
    const line = new RecordedLine(wire);
    lines.push(line);
    const { key, users } = wire;
    if (users[0].protocol.readout !== undefined) {
      streams.add(line);
      topics.set(`${key} stream`, (t, bytes) => line.stream(t, bytes.slice()));
      if (!slow) series.add(seriesName(`${seriesOf(key)}-stream`));
      continue;
    }
    for (const { instrument, role } of users) owners.set(`${instrument.name}/${role}`, line);
    topics.set(`${key} in`, (t, bytes) => line.heard(t, bytes));
    topics.set(`${key} in${NAMED}`, (t, bytes) => line.file(t, bytes));
    topics.set(`${key} out`, (t, bytes) => line.said(t, bytes));
    series.add(seriesName(seriesOf(key)));
  }
  let latest = Number.NEGATIVE_INFINITY;
  let given = Number.NEGATIVE_INFINITY;
  for await (const m of readSession(folder, { raw: [...series], ...(onTrouble ? { onTrouble } : {}) })) {
    if (m.topic === 'exchanges') {
      const x = exchangeIn(m);
      if (x) owners.get(`${x.instrument}/${x.role}`)?.exchange(x);
    } else if (m.topic === 'alarms') {
      const alarm = alarmIn(m);
      // Of an instrument with several links it is not said which one it was.
      const [line, ...others] = alarm?.text === DOWN ? [...owners].filter(([who]) => who.startsWith(`${alarm.from}/`)) : [];
      if (alarm && line && others.length === 0) line[1].down(alarm.t);
    } else if (m.series !== 'slow') topics.get(m.topic)?.(m.t, m.bytes);
    else if (m.topic.startsWith('trend-')) continue;
    latest = Math.max(latest, m.t);
    if (latest - given < STEP) continue;
    given = latest;
    yield* known(lines, streams, latest);
  }
  yield* known(lines, streams, Number.POSITIVE_INFINITY, latest);
}

function* known(
  lines: readonly RecordedLine[],
  streams: ReadonlySet<RecordedLine>,
  until: number,
  latest = until,
): Generator<Along, void, undefined> {
  for (const line of lines)
    for (const event of line.upTo(streams.has(line) ? until : until - HOLD)) yield { t: event.t, wire: line.wire, event };
  yield { t: until - HOLD, latest };
}
