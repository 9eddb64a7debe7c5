/** A session from its beginning to its end, once: what an export takes of it, and what of it is lost. */
import { parse as parseYaml } from 'yaml';
import type { Hits } from '../derive/hits.ts';
import type { Reading } from '../reading.ts';
import { hitsOf } from '../readout/hit-bytes.ts';
import { partName } from '../recorder/part-name.ts';
import { readingOf, seriesOf, traceOf } from '../recorder/session-json.ts';
import { listParts, readSession, type SessionMessage, type Trouble } from '../recorder/session-read.ts';
import { type Choice, nameOf } from './choice.ts';

/** The rig as it was written: nothing in it is known to be right. */
export interface RigText {
  readonly name: string;
  readonly version: string;
  readonly session: string;
  readonly yaml: string;
  readonly read: Readonly<Record<string, unknown>>;
}

export type Item =
  | { readonly kind: 'rig'; readonly t: number; readonly rig: RigText }
  /** A trace that is not bad has its numbers. */
  | { readonly kind: 'reading'; readonly name: string; readonly reading: Reading }
  /** The features of hits of a fast stream, as INSTRUMENT.hits. */
  | { readonly kind: 'hits'; readonly name: string; readonly t: number; readonly block: Hits }
  /** Orders, notes, marks, alarms ...: the message's JSON. */
  | { readonly kind: 'said'; readonly topic: string; readonly t: number; readonly json: string }
  /** A file that the rig's derivations name, or of a calibration. */
  | { readonly kind: 'file'; readonly t: number; readonly path: string; readonly bytes: Uint8Array }
  | { readonly kind: 'end'; readonly t: number };

/** What was found on the way; complete when the walk has ended. */
export interface Found {
  /** Microseconds since 1970: the first message of the session. */
  began: number | undefined;
  ended: number | undefined;
  readonly trouble: Trouble[];
  /** Messages whose numbers are missing, by series and topic. */
  readonly lost: Record<string, number>;
  /** Messages that are none of ours, or that say nothing. */
  strange: number;
  /** Traces of which the numbers are not there. */
  empty: number;
}

export const NUMBERS_LOST = 'its numbers are lost';
const TRACES = 'raw-traces';
const FILES = 'raw-calibrations';
const HITS = /^raw-.*-hits$/;
const SAID = new Set(['orders', 'gaps', 'alarms', 'alarm-states', 'interlocks', 'notes', 'marks', 'calibrations']);
const decoder = new TextDecoder();

/**
 * Throws a SessionError where the folder cannot be read, and for nothing that is in it. Memory does not grow with the session. Without
 * `takesRaw` the slow parts alone are read, in the session's order: no hits, no files, and traces without their numbers.
 */
export async function* walk(folder: string, wanted: Choice, found: Found, takesRaw: boolean): AsyncGenerator<Item, void, undefined> {
  const parts = await listParts(folder);
  const series = new Set(['slow', ...parts.map((part) => part.series)]);
  const first = new Map(parts.toReversed().map((part) => [part.series, part.number]));
  const raw = [...series].filter((one) => takesRaw && (one === TRACES || one === FILES || HITS.test(one)));
  for (const one of ['slow', ...raw]) {
    const name = partName(one, 1);
    const why = `${name} is not in the folder`;
    if (first.get(one) !== 1) found.trouble.push({ kind: 'missing', part: name, offset: 0, bytes: 0, why });
  }
  const expected = new Map<string, number>();
  const latest = new Map<string, number>(); // channel -> seq of the last trace that had its numbers
  let names: ReadonlyMap<string, string> = new Map();
  for await (const m of readSession(folder, { raw, onTrouble: (one) => found.trouble.push(one) })) {
    count(m, expected, found.lost);
    if (m.topic.startsWith('trend-')) continue;
    found.began ??= m.t;
    if (HITS.test(m.series)) {
      const link = m.topic.replace(/ hits$/, '');
      const name = names.get(seriesOf(link)) ?? `${link}.hits`;
      if (!wanted.wants(name) || !wanted.within(m.t)) continue;
      const block = hitsOf(m.bytes);
      if (typeof block === 'string') found.strange++;
      else yield { kind: 'hits', name, t: m.t, block };
    } else if (m.series === FILES) {
      yield { kind: 'file', t: m.t, path: m.topic.replace(/^file /, ''), bytes: m.bytes };
    } else if (m.series === TRACES) {
      if (!wanted.wants(m.topic) && !m.topic.includes('[')) continue;
      const reading = attempt(() => traceOf(m.bytes));
      if (!reading || !isReading(reading)) found.strange++;
      else {
        const name = nameOf(reading);
        latest.set(name, reading.seq);
        if (wanted.wants(name) && wanted.within(reading.t)) yield { kind: 'reading', name, reading };
      }
    } else if (m.topic === 'readings') {
      const reading = attempt(() => readingOf(m.bytes));
      if (!reading || !isReading(reading)) {
        found.strange++;
        continue;
      }
      const name = nameOf(reading);
      if (!wanted.wants(name) || !wanted.within(reading.t)) continue;
      if (reading.kind !== 'trace' || reading.quality === 'bad' || !takesRaw) yield { kind: 'reading', name, reading };
      else if (!((latest.get(name) ?? -1) >= reading.seq)) {
        found.empty++;
        const { value: _, sigma: __, ...rest } = reading;
        yield { kind: 'reading', name, reading: { ...rest, quality: 'bad', why: NUMBERS_LOST } };
      }
    } else if (m.topic === 'rig') {
      const rig = attempt(() => rigOf(m));
      if (!rig) found.strange++;
      else {
        names = hitNames(rig);
        yield { kind: 'rig', t: m.t, rig };
      }
    } else if (m.topic === 'end') {
      found.ended = m.t;
      yield { kind: 'end', t: m.t };
    } else if (SAID.has(m.topic)) {
      if (wanted.everything && wanted.within(m.t)) yield { kind: 'said', topic: m.topic, t: m.t, json: decoder.decode(m.bytes) };
    } else if (m.topic !== 'exchanges') found.strange++;
  }
}

/** A number below the one expected is a recorder that began anew, with nothing lost. */
function count(m: SessionMessage, expected: Map<string, number>, lost: Record<string, number>): void {
  const lane = `${m.series} ${m.topic}`;
  const missing = m.sequence - (expected.get(lane) ?? 0);
  if (missing > 0) lost[lane] = (lost[lane] ?? 0) + missing;
  expected.set(lane, m.sequence + 1);
}

/** Undefined for what cannot be understood: it was written by something else. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

const VALUES: Readonly<Record<string, string>> = { flag: 'boolean', state: 'string', trace: 'object' };

function isReading(r: Reading): boolean {
  if (r === null || typeof r !== 'object' || typeof r.from !== 'string' || typeof r.kind !== 'string') return false;
  if (!Number.isFinite(r.t) || !Number.isFinite(r.seq)) return false;
  if (r.quality === 'bad') return typeof r.why === 'string';
  if (r.quality !== 'good' && r.quality !== 'suspect') return false;
  const { value } = r as { readonly value?: unknown }; // the session's JSON has null for a number that is none
  if (value === null) return r.kind !== 'trace';
  return typeof value === (VALUES[r.kind] ?? 'number');
}

function rigOf(m: SessionMessage): RigText {
  const { name, version, yaml, session } = JSON.parse(decoder.decode(m.bytes)) as Record<string, unknown>;
  const text = typeof yaml === 'string' ? yaml : '';
  const read: unknown = attempt(() => parseYaml(text));
  return { name: String(name), version: String(version ?? ''), session: String(session ?? ''), yaml: text, read: table(read) };
}

/** Tables of a rig that may hold anything. */
export const table = (value: unknown): Readonly<Record<string, unknown>> =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

/** Raw series of a link -> the name of the hits of the instrument that is on it. */
function hitNames(rig: RigText): ReadonlyMap<string, string> {
  const links = table(rig.read.links);
  const names = new Map<string, string>();
  for (const [name, placed] of Object.entries(table(rig.read.instruments))) {
    const own = table(placed);
    for (const link of [own.link, ...Object.values(table(own.links))]) {
      const address = typeof link === 'string' ? (links[link] ?? link) : undefined;
      if (typeof address === 'string') names.set(seriesOf(address.replace(/\?.*$/, '')), `${name}.hits`);
    }
  }
  return names;
}
