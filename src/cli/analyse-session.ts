/** What a recorded session holds of fast streams: the hits that were found in them, or their bytes and how the rig reads them. */
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { crc32 } from 'node:zlib';
import { parse as parseYaml } from 'yaml';
import { type Catalogue, catalogue } from '../catalogue.ts';
import { type HitSource, type Hits, sourceCounts } from '../derive/hits.ts';
import type { AnyProtocol } from '../instrument.ts';
import { parseAddress } from '../links/open.ts';
import { type BuildPlan, boardsIn, isBuild } from '../readout/boards.ts';
import { sourceOf } from '../readout/formats.ts';
import { hitsOf } from '../readout/hit-bytes.ts';
import type { ReaderPlan } from '../readout/reader.ts';
import { readingOf } from '../recorder/session-json.ts';
import { chunksFrom, listParts, type Trouble } from '../recorder/session-read.ts';
import { withUserDrivers } from '../rig-drivers.ts';
import { Refused } from '../talk.ts';
import { type Condition, type Conditions, conditionsOf } from './analyse-conditions.ts';

/** What a stream is read from: the hits as they were found then, or the bytes once more. */
export type From = 'hits' | 'stream';

export interface Recorded {
  /** The wire's name, such as tcp:192.168.10.16:24. */
  readonly link: string;
  readonly series: Readonly<Partial<Record<From, string>>>;
  /** Of the rig, where the session has one with a driver for it. */
  readonly instrument?: string;
  readonly plan?: ReaderPlan;
  /** What its readout process had counted, by the last readings: missing, damaged ... */
  readonly counted: ReadonlyMap<string, number>;
  /** Seconds without data that it knew of, between the first and the last of these readings. */
  readonly dead: number;
}

/** Boards that an event-builder of the rig makes one detector of. */
export interface Built {
  readonly instrument: string;
  readonly boards: readonly string[];
  readonly plan: BuildPlan;
}

export interface Session {
  readonly path: string;
  readonly rig: string | undefined;
  /** Microseconds since 1970, of the slow messages. */
  readonly began: number | undefined;
  readonly ended: number | undefined;
  readonly streams: readonly Recorded[];
  readonly built: readonly Built[];
  /** Those that were asked for, or that the rig's physics names. */
  readonly conditions: readonly Condition[];
  readonly bytes: number;
  readonly trouble: readonly Trouble[];
}

/** True for a folder that has parts of a session in it. */
export async function isSession(path: string): Promise<boolean> {
  const folder = await stat(path).then(
    (s) => s.isDirectory(),
    () => false,
  );
  return folder && (await listParts(path).catch(() => [])).length > 0;
}

/** Not what is built of the hits of boards, whatever these are called. */
const SERIES = /^(raw-(?!hits-).+)-(hits|stream)$/;
/** Readings of an instrument that count what its stream has lost. */
const DEAD = ['dead_missing', 'dead_busy', 'dead_closed'];
const COUNTED = ['frames', 'hits', 'missing', 'doubled', 'late', 'damaged', 'junk', 'resynced', 'unrecorded'];

/** A sentence where there is no stream in it. `conditions` in the place of those of the rig. */
export async function openSession(path: string, conditions?: readonly string[]): Promise<Session | string> {
  const parts = await listParts(path);
  const found = new Map<string, Partial<Record<From, string>>>();
  for (const { series } of parts) {
    const [, link, from] = SERIES.exec(series) ?? [];
    if (link !== undefined) found.set(link, { ...found.get(link), [from as From]: series }); // by the expression
  }
  if (found.size === 0) return `${path} holds no stream of a detector: "bridgman inspect ${path}" says what it holds`;
  const trouble: Trouble[] = [];
  const planned = await slowly(path, trouble, conditions);
  const streams: Recorded[] = [];
  for (const [base, series] of found) {
    const link = (await linkOf(path, series)) ?? base.slice('raw-'.length);
    const place = planned.places.get(link);
    streams.push({ link, series, ...planned.counted(place?.instrument), ...place });
  }
  const { rig, began, ended, conditions: met, built } = planned;
  return { path, rig, began, ended, streams, built, conditions: met, trouble, bytes: parts.reduce((n, part) => n + part.bytes, 0) };
}

/** By the topic of its first message. */
async function linkOf(path: string, series: Recorded['series']): Promise<string | undefined> {
  for (const one of Object.values(series)) {
    for await (const { messages } of chunksFrom(path, undefined, { series: one, ended: true })) {
      const [first] = messages;
      if (first) return first.topic.replace(/ (hits|stream)$/, '');
    }
  }
  return undefined;
}

interface Place {
  readonly instrument: string;
  readonly plan: ReaderPlan;
}

/** The rig, and the last readings of what was counted. */
async function slowly(path: string, trouble: Trouble[], asked: readonly string[] | undefined) {
  let [rig, began, ended]: [string | undefined, number | undefined, number | undefined] = [undefined, undefined, undefined];
  let places: ReadonlyMap<string, Place> = new Map();
  let built: readonly Built[] = [];
  const [first, last] = [new Map<string, number>(), new Map<string, number>()];
  let conditions: Conditions = conditionsOf(asked ?? []);
  const counters = [...COUNTED, ...DEAD].map((name) => Buffer.from(`.${name}"`));
  let wanted = [...counters, ...sought(asked ?? [])];
  for await (const { messages } of chunksFrom(path, undefined, { ended: true, onTrouble: (one) => trouble.push(one) })) {
    for (const { topic, t, bytes } of messages) {
      if (topic.startsWith('trend-')) continue;
      began = Math.min(began ?? t, t);
      ended = Math.max(ended ?? t, t);
      if (topic === 'rig' && rig === undefined) {
        const said = quietly(() => JSON.parse(new TextDecoder().decode(bytes)) as { readonly name?: string; readonly yaml?: string }); // written by the recorder
        rig = said?.name ?? '';
        ({ places, built } = await placesOf(said?.yaml ?? '', path));
        if (asked === undefined) {
          const named = [...new Set([...places.values(), ...built].flatMap(({ plan }) => plan.physics?.conditions ?? []))];
          conditions = conditionsOf(named);
          wanted = [...counters, ...sought(named)];
        }
      } else if (topic === 'readings') {
        const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
        if (!wanted.some((name) => text.includes(name))) continue;
        const reading = quietly(() => readingOf(bytes));
        if (reading) conditions.take(reading);
        if (reading && reading.quality !== 'bad' && typeof reading.value === 'number') {
          if (!first.has(reading.from)) first.set(reading.from, reading.value);
          last.set(reading.from, reading.value);
        }
      }
    }
  }
  const counted = (instrument: string | undefined): Pick<Recorded, 'counted' | 'dead'> => {
    const of = (from: ReadonlyMap<string, number>, name: string): number | undefined => from.get(`${instrument}.${name}`);
    return {
      counted: new Map(COUNTED.flatMap((name) => (of(last, name) === undefined ? [] : [[name, of(last, name) ?? 0] as const]))),
      // A process that began anew counts from nothing: then less is known.
      dead: DEAD.reduce((sum, name) => sum + Math.max(0, (of(last, name) ?? 0) - (of(first, name) ?? 0)), 0),
    };
  };
  return { rig, began, ended, places, built, counted, conditions: conditions.all };
}

/** What stands in the bytes of a reading of these channels. */
const sought = (channels: readonly string[]): readonly Buffer[] => channels.map((of) => Buffer.from(`"${of.replace(/\[.*/, '')}"`));

/** Fast streams by their wires, and what is built of them. An instrument that today's drivers do not know, or whose options they refuse, has none. */
async function placesOf(
  yaml: string,
  session: string,
): Promise<{ readonly places: ReadonlyMap<string, Place>; readonly built: readonly Built[] }> {
  const table = (value: unknown): Readonly<Record<string, unknown>> =>
    value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
  const rig = table(quietly(() => parseYaml(yaml) as unknown));
  const { catalogue: known }: { readonly catalogue: Catalogue } = await withUserDrivers(
    await catalogue(),
    dirname(dirname(resolve(session))),
  );
  const links = table(rig.links);
  const places = new Map<string, Place>();
  const built: Built[] = [];
  for (const [instrument, value] of Object.entries(table(rig.instruments))) {
    const { model: name, link, links: roles, options } = table(value);
    const model = typeof name === 'string' ? known.instruments.get(name) : undefined;
    const read: unknown = model?.options.parse(options);
    if (!model || read instanceof Refused) continue;
    const languages = quietly(() => model.links(read) as Readonly<Record<string, AnyProtocol>>) ?? {}; // role -> language
    for (const [role, { readout }] of Object.entries(languages)) {
      const given = table(roles)[role] ?? link;
      if (readout === undefined || typeof given !== 'string') continue;
      const address = String(links[given] ?? given);
      const plan = readout as unknown as ReaderPlan | BuildPlan; // made by its driver
      const wire = wireOf(address, instrument);
      if (isBuild(plan)) built.push({ instrument, boards: boardsIn(address), plan });
      else if (wire !== undefined) places.set(wire, { instrument, plan });
    }
  }
  return { places, built };
}

function wireOf(text: string, instrument: string): string | undefined {
  const address = parseAddress(text);
  if (typeof address === 'string') return undefined;
  if (address.kind === 'tcp') return `tcp:${address.host.toLowerCase()}:${address.port}`;
  return address.kind === 'simulated' ? `simulated:${instrument}` : undefined;
}

function quietly<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

export interface Tape {
  readonly from: From;
  /** Counts of the bytes' source; of hits only their own number. */
  readonly source: HitSource;
  /** One step a chunk; blocks are filled again after the call. */
  steps(give: (block: Hits) => void): AsyncGenerator<void>;
  /** Messages that are not there by their numbers, bytes that were, and how often its reading process had begun anew. */
  readonly found: { lost: number; strange: number; bytes: number; begun: number };
  readonly trouble: readonly Trouble[];
}

/** Hits where there are any, unless the bytes are wanted; a sentence where it cannot be read. */
export function tape(session: Session, stream: Recorded, wanted: From | undefined): Tape | string {
  const from = wanted ?? (stream.series.hits === undefined ? 'stream' : 'hits');
  const series = stream.series[from];
  const where = `${session.path}: ${stream.link}`;
  if (series === undefined)
    return `${where} has no ${from === 'hits' ? 'hits' : 'bytes'} in the session; --from ${from === 'hits' ? 'stream' : 'hits'} reads what it has`;
  if (from === 'stream' && !stream.plan)
    return `${where}: the session's rig has no instrument on it that says how its bytes are read${session.rig === undefined ? ', as its beginning is missing' : ''}`;
  const source = from === 'hits' ? ofHits() : sourceOf(stream.plan?.source ?? { format: '' }, crc32);
  if (typeof source === 'string') return `${where}: ${source}`;
  const trouble: Trouble[] = [];
  const found = { lost: 0, strange: 0, bytes: 0, begun: 0 };
  return {
    ...{ from, source, found, trouble },
    async *steps(give) {
      let [expected, before, last, offset] = [0, 0, Number.NaN, 0];
      for await (const { messages } of chunksFrom(session.path, undefined, {
        series,
        ended: true,
        onTrouble: (one) => trouble.push(one),
      })) {
        for (const { sequence, t, bytes } of messages) {
          const anew = sequence < expected;
          if (anew) found.begun++;
          else found.lost += sequence - expected;
          expected = sequence + 1;
          found.bytes += bytes.length;
          if (from === 'stream') {
            source.take(bytes, t, give);
            continue;
          }
          const block = hitsOf(bytes);
          if (typeof block === 'string') {
            found.strange++;
            continue;
          }
          const { count } = block;
          const first = block.t[0] ?? 0;
          // A process that began anew may count its time from nothing: it goes on by the session's clock.
          if (anew) offset = first < last ? last - first + (t - before) * 1000 : 0;
          if (offset !== 0) for (let i = 0; i < count; i++) block.t[i] = (block.t[i] as number) + offset; // i < count
          if (count > 0) last = block.t[count - 1] as number; // count > 0
          before = t;
          source.counts.hits += count;
          source.counts.bytes += bytes.length;
          give(block);
        }
        yield;
      }
    },
  };
}

/** They have been found already. */
const ofHits = (): HitSource => ({ counts: sourceCounts(), take: () => {}, end: () => {} });
