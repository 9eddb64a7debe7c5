/** Everything that is in a session, read once: counts, gaps, orders, faults, bytes, and what is cut, damaged or missing. */
import { open, readdir } from 'node:fs/promises';
import type { Alarm, AlarmState, Gap, InterlockStatus, Mark, Note, OrderEntry } from '../entry.ts';
import type { Kind, Reading } from '../reading.ts';
import { Fields, type McapMessage, readable } from '../recorder/mcap-read.ts';
import { MAGIC, OP } from '../recorder/mcap-write.ts';
import { parsePartName, seriesName } from '../recorder/part-name.ts';
import { NAMED, seriesOf } from '../recorder/session-json.ts';
import { chunksFrom, listParts, type Part, type Trouble } from '../recorder/session-read.ts';

export interface Channel {
  readonly kind: Kind;
  good: number;
  suspect: number;
  bad: number;
  /** Readings per second, from the first to the last. */
  rate: number | null;
  first: number;
  last: number;
  latest: Reading;
  /** Cause -> bad readings. */
  readonly why: Map<string, number>;
}
export interface Faults {
  readonly instrument: string;
  readonly by: string;
  readonly fault: string;
  count: number;
  readonly first: number;
  last: number;
}
export interface Wire {
  in: number;
  out: number;
}

/** Everything that is in a session. Times in microseconds since 1970. */
export interface Account {
  readonly session: string;
  readonly rig: string | null;
  readonly writtenBy: { readonly program: string; readonly version: string | null };
  readonly began: number | null;
  readonly ended: number | null;
  /** Seconds. */
  readonly duration: number | null;
  /** False: it is still being written, or what wrote it was stopped at once. */
  readonly complete: boolean;
  readonly bytes: number;
  readonly messages: number;
  readonly channels: Readonly<Record<string, Omit<Channel, 'why'> & { readonly why: Readonly<Record<string, number>> }>>;
  readonly gaps: readonly Gap[];
  readonly orders: readonly OrderEntry[];
  readonly exchanges: { readonly total: number; readonly faults: readonly Faults[] };
  readonly alarms: readonly Alarm[];
  readonly alarmStates: readonly AlarmState[];
  /** Each change of an interlock's level or latch. */
  readonly interlocks: readonly (InterlockStatus & { readonly t: number })[];
  readonly notes: readonly Note[];
  readonly marks: readonly Mark[];
  readonly wire: Readonly<Record<string, Wire>>;
  readonly parts: readonly { readonly name: string; readonly series: string; readonly bytes: number }[];
  readonly trouble: readonly Trouble[];
  /** Messages whose numbers are missing: lost before the disk, or in damage. */
  readonly lost: Readonly<Record<string, number>>;
  /** Messages that are none of ours, or that say nothing. */
  readonly strange: number;
}

const plain = <V>(map: ReadonlyMap<string, V>): Record<string, V> =>
  Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));

const FIRST_SLOW = 'slow-0001'; // every session begins with it

/** Reads all parts once, series by series. Throws a SessionError, or the error of the system, where the folder cannot be read. */
export async function account(folder: string): Promise<Account> {
  const trouble: Trouble[] = [];
  const parts = await listParts(folder);
  const names = (await readdir(folder)).flatMap((file) => parsePartName(file)?.name ?? []);
  for (const part of names.filter((name) => !parts.some((p) => p.name === name)))
    trouble.push({ kind: 'missing', part, offset: 0, bytes: 0, why: 'the file cannot be read' });
  if (!names.some((name) => name.startsWith(FIRST_SLOW.slice(0, -'0001'.length))))
    trouble.push({ kind: 'missing', part: FIRST_SLOW, offset: 0, bytes: 0, why: `${FIRST_SLOW} is not in the folder` });

  const slow = slowTally();
  const wire = new Map<string, Wire>();
  const lost = new Map<string, number>();
  const expected = new Map<string, number>();
  let messages = 0;
  let strange = 0;
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const series of new Set(parts.map((p) => p.series))) {
    for await (const chunk of chunksFrom(folder, undefined, { series, ended: true, onTrouble: (one) => trouble.push(one) })) {
      for (const m of chunk.messages) {
        messages++;
        const lane = `${series} ${m.topic}`;
        // A number below the one expected is a recorder that began anew, with nothing lost.
        const missing = m.sequence - (expected.get(lane) ?? 0);
        if (missing > 0) lost.set(lane, (lost.get(lane) ?? 0) + missing);
        expected.set(lane, m.sequence + 1);
        if (!m.topic.startsWith('trend-')) [from, to] = [Math.min(from, m.t), Math.max(to, m.t)]; // a trend row bears its bin's beginning
        if (series === 'slow') strange += slow.see(m) ? 0 : 1;
        else onWire(m, series, wire);
      }
    }
  }
  const began = slow.began ?? (Number.isFinite(from) ? from : null);
  const ended = slow.ended ?? (Number.isFinite(to) ? to : null);
  return {
    session: folder,
    rig: slow.rig ?? null,
    writtenBy: { program: (await programOf(parts[0]?.path)) ?? 'an unknown program', version: slow.version ?? null },
    began,
    ended,
    duration: began === null || ended === null ? null : (ended - began) / 1e6,
    complete: slow.ended !== undefined,
    bytes: parts.reduce((n, p) => n + p.bytes, 0),
    messages,
    channels: plain(new Map([...slow.channels].map(([name, c]) => [name, { ...c, rate: rateOf(c), why: plain(c.why) }]))),
    gaps: [...slow.gaps.values()].sort((a, b) => a.from - b.from),
    orders: [...slow.orders.values()].sort((a, b) => a.t - b.t),
    exchanges: { total: slow.exchanges(), faults: [...slow.faults.values()] },
    alarms: slow.alarms,
    alarmStates: slow.alarmStates,
    interlocks: slow.interlocks,
    notes: slow.notes,
    marks: slow.marks,
    wire: plain(wire),
    parts: parts.map(({ name, series, bytes }) => ({ name, series, bytes })),
    trouble,
    lost: plain(lost),
    strange,
  };
}

const rateOf = (c: Channel): number | null => {
  const n = c.good + c.suspect + c.bad;
  return n > 1 && c.last > c.first ? ((n - 1) * 1e6) / (c.last - c.first) : null;
};

/** What wrote a file, as its header says. */
async function programOf(path: string | undefined): Promise<string | undefined> {
  const file = path === undefined ? undefined : await open(path).catch(() => undefined);
  if (!file) return undefined;
  try {
    const { bytesRead, buffer } = await file.read(new Uint8Array(1024), 0, 1024, MAGIC.length);
    const fields = new Fields(buffer, 0, bytesRead);
    const header = readable(() => ({ opcode: fields.u8(), length: fields.u64(), profile: fields.text(), library: fields.text() }));
    return typeof header === 'object' && header.opcode === OP.header && header.library !== '' ? header.library : undefined;
  } catch {
    return undefined; // a page that the disk cannot read is told as damage
  } finally {
    await file.close();
  }
}

/** Bytes by link; the series tells where a link's name ends that has blanks in it. */
function onWire(m: McapMessage, series: string, wire: Map<string, Wire>): void {
  for (const { index, 1: direction } of m.topic.matchAll(/ (in|out)(?= |$)/g)) {
    const link = m.topic.slice(0, index);
    if (seriesName(seriesOf(link)) !== series) continue;
    const counts = wire.get(link) ?? { in: 0, out: 0 };
    const head = m.topic.endsWith(NAMED) ? m.bytes.indexOf(10) + 1 : 0; // the packet's name
    counts[direction === 'in' ? 'in' : 'out'] += m.bytes.length - head;
    wire.set(link, counts);
    return;
  }
}

const decoder = new TextDecoder();
const has = <K extends string>(value: unknown, ...keys: readonly K[]): value is Record<K, unknown> =>
  value !== null && typeof value === 'object' && keys.every((key) => key in value);

/** The slow series, message by message; `see` gives false for what is none of ours. */
function slowTally() {
  const channels = new Map<string, Channel>();
  const gaps = new Map<string, Gap>();
  const orders = new Map<string, OrderEntry>();
  const faults = new Map<string, Faults>();
  const alarms: Alarm[] = [];
  const alarmStates: AlarmState[] = [];
  const interlocks: (InterlockStatus & { readonly t: number })[] = [];
  const notes: Note[] = [];
  const marks: Mark[] = [];
  let exchanges = 0;
  const said: { rig?: string; version?: string; began?: number; ended?: number } = {};

  const reading = (r: Reading): void => {
    const name = r.index === undefined ? r.from : `${r.from}[${r.index}]`;
    const c = channels.get(name) ?? {
      kind: r.kind,
      good: 0,
      suspect: 0,
      bad: 0,
      rate: null,
      first: r.t,
      last: r.t,
      latest: r,
      why: new Map(),
    };
    channels.set(name, c);
    c[r.quality]++;
    c.first = Math.min(c.first, r.t);
    c.last = Math.max(c.last, r.t);
    c.latest = r;
    if (r.quality === 'bad') c.why.set(r.why, (c.why.get(r.why) ?? 0) + 1);
  };
  // Each is written by session-json.ts; the fields that make it what it is are looked at first.
  const see = (m: McapMessage): boolean => {
    if (m.topic.startsWith('trend-')) return true;
    let value: unknown;
    try {
      value = JSON.parse(decoder.decode(m.bytes));
    } catch {
      return false;
    }
    if (m.topic === 'readings' && has(value, 'from', 't', 'kind', 'quality')) {
      if (value.quality !== 'good' && value.quality !== 'suspect' && value.quality !== 'bad') return false;
      reading(value as unknown as Reading);
    } else if (m.topic === 'exchanges' && has(value, 'instrument', 'by', 'asked')) {
      exchanges++;
      if (!has(value, 'fault')) return true;
      const { instrument, by, fault, asked } = value as unknown as Omit<Faults, 'count' | 'first' | 'last'> & { readonly asked: number };
      const key = JSON.stringify([instrument, by, fault]);
      const known = faults.get(key) ?? { instrument, by, fault, count: 0, first: asked, last: asked };
      faults.set(key, { ...known, count: known.count + 1, last: asked });
    } else if (m.topic === 'orders' && has(value, 'id', 't', 'instrument', 'command')) {
      const order = value as unknown as OrderEntry; // an intent, and again with its outcome; those refused unread have no number
      orders.set(order.id === 0 ? `refused ${orders.size}` : `${order.id} ${order.t}`, order);
    } else if (m.topic === 'gaps' && has(value, 'channel', 'from', 'cause', 'missed')) {
      const gap = value as unknown as Gap; // when it opens, and again when it closes
      gaps.set(JSON.stringify([gap.channel, gap.from, gap.cause]), gap);
    } else if (m.topic === 'alarms' && has(value, 't', 'from', 'text')) alarms.push(value as unknown as Alarm);
    else if (m.topic === 'alarm-states' && has(value, 'name', 'severity', 'changed', 'text'))
      alarmStates.push(value as unknown as AlarmState);
    else if (m.topic === 'interlocks' && has(value, 'name', 'is', 't')) interlocks.push(value as unknown as (typeof interlocks)[number]);
    else if (m.topic === 'notes' && has(value, 't', 'by', 'text')) notes.push(value as unknown as Note);
    else if (m.topic === 'marks' && has(value, 't', 'what', 'run')) marks.push(value as unknown as Mark);
    else if (m.topic === 'rig' && has(value, 'name')) {
      // A recorder that had to begin anew says it again.
      said.rig = String(value.name);
      said.began ??= m.t;
      if (has(value, 'version')) said.version = String(value.version);
    } else if (m.topic === 'end') said.ended = m.t;
    else return false;
    return true;
  };
  return Object.assign(said, {
    channels,
    gaps,
    orders,
    faults,
    alarms,
    alarmStates,
    interlocks,
    notes,
    marks,
    exchanges: () => exchanges,
    see,
  });
}

export interface Outline {
  readonly session: string;
  readonly rig: string | null;
  readonly began: number | null;
  readonly ended: number | null;
  /** Seconds. */
  readonly duration: number | null;
  readonly bytes: number;
  readonly complete: boolean;
}

/** The same in short, from the beginning of the first part and the last one. */
export async function outline(folder: string): Promise<Outline> {
  const parts = await listParts(folder);
  const slow = slowTally();
  const [first] = parts;
  const series = first?.series ?? 'slow';
  const times: number[] = [];
  const take = (messages: readonly McapMessage[]): void => {
    for (const m of messages) {
      if (!m.topic.startsWith('trend-')) times.push(m.t);
      if (m.topic === 'rig' || m.topic === 'end') slow.see(m);
    }
  };
  for await (const { messages } of chunksFrom(folder, undefined, { series })) {
    if (messages.length === 0) continue;
    take(messages);
    break;
  }
  const last: Part | undefined = parts.findLast((p) => p.series === series);
  if (last) {
    let end: readonly McapMessage[] = [];
    for await (const { messages } of chunksFrom(folder, { part: last.name, offset: 0 }, { series }))
      if (messages.length > 0) end = messages;
    take(end);
  }
  const began = slow.began ?? times.reduce<number | null>((a, t) => Math.min(a ?? t, t), null);
  const ended = slow.ended ?? times.reduce<number | null>((a, t) => Math.max(a ?? t, t), null);
  return {
    session: folder,
    rig: slow.rig ?? null,
    began,
    ended,
    duration: began === null || ended === null ? null : (ended - began) / 1e6,
    bytes: parts.reduce((n, p) => n + p.bytes, 0),
    complete: slow.ended !== undefined,
  };
}
