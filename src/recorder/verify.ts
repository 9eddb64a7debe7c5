/** Whether a session is whole: every checksum of every part, nothing missing between, nothing missing by its own counts. */
import { open } from 'node:fs/promises';
import type { Reading } from '../reading.ts';
import { hitsOf } from '../readout/hit-bytes.ts';
import type { McapMessage } from './mcap-read.ts';
import { dataHolds, type McapSummary, mcapSummary } from './mcap-summary.ts';
import { partName } from './part-name.ts';
import { type Counts, channelName, countsOf, fewer, Rows, type WireTopic, wireBytes, wireTopic } from './session-count.ts';
import { traceOf } from './session-json.ts';
import { chunksFrom, fileSource, listParts, type Part, type Trouble } from './session-read.ts';

export interface Finding {
  /**
   * damage: bytes that could not be read; cut: a part without its end; missing: a part that is not there or cannot be opened; index: bytes
   * outside of the messages, or an index that does not fit them; lost: numbers that are missing; twice: messages that come again; count:
   * fewer than was said; strange: a message that says nothing; end: the session has no end.
   */
  readonly kind: 'damage' | 'cut' | 'missing' | 'index' | 'lost' | 'twice' | 'count' | 'strange' | 'end';
  /** A part, a series and topic, or a channel. */
  readonly where: string;
  readonly text: string;
}

export interface Verdict {
  readonly session: string;
  readonly whole: boolean;
  /** It has an end. */
  readonly complete: boolean;
  readonly parts: number;
  readonly chunks: number;
  readonly messages: number;
  readonly bytes: number;
  readonly findings: readonly Finding[];
  /** Findings beyond the first thousand of a kind: counted only. */
  readonly more: number;
}

const MOST = 1000;
const decoder = new TextDecoder();
const plural = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
const stamp = (t: number): string => new Date(t / 1000).toISOString();

class Findings {
  readonly all: Finding[] = [];
  readonly #kinds = new Map<string, number>();
  more = 0;
  add(kind: Finding['kind'], where: string, text: string): void {
    const n = (this.#kinds.get(kind) ?? 0) + 1;
    this.#kinds.set(kind, n);
    if (n <= MOST) this.all.push({ kind, where, text });
    else this.more++;
  }
}

/**
 * Reads all parts twice: their messages, and their bytes for the checksum over each file. `summary` is what `run --summary` wrote of it.
 * Memory does not grow with the session. Throws a SessionError where the folder cannot be read, and for nothing that is in it.
 */
export async function verifySession(folder: string, options: { readonly summary?: Counts } = {}): Promise<Verdict> {
  const parts = await listParts(folder);
  const findings = new Findings();
  const content = new Content(findings);
  let chunks = 0;
  const series = [...new Set(parts.map((part) => part.series))];
  if (!series.includes('slow')) findings.add('missing', partName('slow', 1), 'the session has no slow parts');
  for (const one of series) {
    const own = parts.filter((part) => part.series === one);
    const begin = missingBegin(own);
    if (begin) findings.add('missing', begin.part, begin.why);
    const counted = new Map<string, Map<string, number>>(own.map((part) => [part.name, new Map()]));
    const found = chunksFrom(folder, undefined, {
      series: one,
      ended: true,
      onTrouble: ({ kind, part, offset, bytes, why }) =>
        findings.add(kind, part, kind === 'missing' ? why : `${plural(bytes, 'byte')} from byte ${offset}: ${why}`),
    });
    for await (const { messages, next } of found) {
      if (messages.length > 0) chunks++;
      const counts = counted.get(next.part);
      for (const m of messages) {
        counts?.set(m.topic, (counts.get(m.topic) ?? 0) + 1);
        content.see(one, m);
      }
    }
    for (const part of own) await around(part, counted.get(part.name) ?? new Map(), findings);
  }
  const complete = content.end(options.summary ?? {}, parts);
  return {
    session: folder,
    whole: findings.all.length === 0,
    complete,
    parts: parts.length,
    chunks,
    messages: content.messages,
    bytes: parts.reduce((n, part) => n + part.bytes, 0),
    findings: findings.all,
    more: findings.more,
  };
}

/** The first parts of a series where they are not there: nothing before tells that they were. */
export function missingBegin(own: readonly Part[]): Trouble | undefined {
  const [first] = own;
  if (!first || first.number <= 1) return undefined;
  const part = partName(first.series, 1);
  const several = first.number > 2 ? ` to ${partName(first.series, first.number - 1)}` : '';
  return { kind: 'missing', part, offset: 0, bytes: 0, why: `${part}${several} is not in the folder` };
}

/** What is around the chunks of a part: its summary, its index, and the checksum over the whole file. */
async function around(part: Part, counted: ReadonlyMap<string, number>, findings: Findings): Promise<void> {
  if (part.until !== undefined) return; // given up: what follows was written again, and it has no summary
  const file = await open(part.path, 'r').catch(() => undefined);
  if (!file) return; // told by the reader
  try {
    const source = fileSource(file);
    const summary = await mcapSummary(source);
    if (typeof summary === 'string') {
      // A part without its end is told as cut already.
      if (!findings.all.some(({ kind, where }) => kind === 'cut' && where === part.name)) findings.add('index', part.name, summary);
      return;
    }
    const told = findings.all.some(({ kind, where }) => kind === 'damage' && where === part.name);
    for (const text of short(summary, counted)) findings.add('count', part.name, text);
    if (!told && !(await dataHolds(source, summary)))
      findings.add('index', part.name, 'the checksum over the file does not fit: its head or an index is damaged, no message is');
  } finally {
    await file.close();
  }
}

/** What a part's summary counts and the part does not have. */
function short({ counts, dictionary }: McapSummary, counted: ReadonlyMap<string, number>): readonly string[] {
  const said = new Map<string, number>();
  for (const [id, n] of counts ?? []) {
    const topic = dictionary.channels.get(id)?.topic ?? `channel ${id}`;
    said.set(topic, (said.get(topic) ?? 0) + n);
  }
  return [...said].flatMap(([topic, n]) => {
    const found = counted.get(topic) ?? 0;
    return found === n ? [] : [`its summary counts ${plural(n, 'message')} of "${topic}", ${found} can be read`];
  });
}

/** The messages of all series. */
class Content {
  readonly #findings: Findings;
  readonly #numbers = new Rows();
  readonly #seq = new Rows();
  readonly #channels: Record<string, number> = {};
  readonly #orders: Record<string, number> = {};
  readonly #wire: Record<string, { in: number; out: number }> = {};
  readonly #topics = new Map<string, WireTopic | 'none'>();
  /** Traces by channel: readings that have one, and blocks of numbers. */
  readonly #traces = new Map<string, { said: number; found: number }>();
  readonly #strange = new Map<string, number>();
  /** Whose they are, in their own words: what begins a session, or goes on with it, says so. */
  readonly #sessions = new Set<string>();
  #exchanges = 0;
  #end: Counts | undefined;
  messages = 0;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  see(series: string, m: McapMessage): void {
    this.messages++;
    this.#numbers.see(`${series} ${m.topic}`, m.sequence, m.t);
    if (series === 'slow') this.#slow(m);
    else if (series === 'raw-traces') this.#trace(m);
    else if (series.endsWith('-hits') && m.topic.endsWith(' hits')) {
      if (typeof hitsOf(m.bytes) === 'string') this.#odd(`${series} ${m.topic}`);
    } else {
      let wire = this.#topics.get(m.topic);
      if (wire === undefined) this.#topics.set(m.topic, (wire = wireTopic(series, m.topic) ?? 'none'));
      if (wire === 'none') return;
      const counts = (this.#wire[wire.link] ??= { in: 0, out: 0 });
      counts[wire.direction] += wireBytes(m).length;
    }
  }

  #odd(where: string): void {
    this.#strange.set(where, (this.#strange.get(where) ?? 0) + 1);
  }

  #slow(m: McapMessage): void {
    let value: unknown;
    try {
      value = JSON.parse(decoder.decode(m.bytes));
    } catch {
      value = undefined;
    }
    if (value === null || typeof value !== 'object') this.#odd(`slow ${m.topic}`);
    else if (m.topic === 'exchanges') this.#exchanges++;
    else if (m.topic === 'rig') this.#sessions.add('session' in value && typeof value.session === 'string' ? value.session : 'of no name');
    else if (m.topic === 'end') this.#end = countsOf(value);
    else if (m.topic === 'orders') {
      const outcome = 'outcome' in value && typeof value.outcome === 'string' ? value.outcome : undefined;
      if (outcome !== undefined) this.#orders[outcome] = (this.#orders[outcome] ?? 0) + 1;
    } else if (m.topic === 'readings') {
      if ('from' in value && 't' in value && 'seq' in value && typeof value.seq === 'number')
        this.#reading(value as unknown as Reading); // written by session-json.ts; what it is counted by was looked at
      else this.#odd('slow readings');
    }
  }

  #reading(r: Reading): void {
    const name = channelName(r);
    this.#seq.see(name, r.seq, r.t);
    this.#channels[name] = (this.#channels[name] ?? 0) + 1;
    if (r.kind === 'trace' && r.quality !== 'bad') this.#traceOf(r.from).said++;
  }

  #traceOf(from: string): { said: number; found: number } {
    let counts = this.#traces.get(from);
    if (!counts) {
      counts = { said: 0, found: 0 };
      this.#traces.set(from, counts);
    }
    return counts;
  }

  #trace(m: McapMessage): void {
    this.#traceOf(m.topic).found++;
    try {
      traceOf(m.bytes);
    } catch {
      this.#odd(`raw-traces ${m.topic}`);
    }
  }

  /** Tells what only the whole shows. True where the session has an end. */
  end(summary: Counts, parts: readonly Part[]): boolean {
    const add = (kind: Finding['kind'], where: string, text: string): void => this.#findings.add(kind, where, text);
    const between = (from: number | undefined, to: number): string =>
      from === undefined ? `before ${stamp(to)}` : `between ${stamp(Math.min(from, to))} and ${stamp(Math.max(from, to))}`;
    for (const { of, missing, holes, from, to } of this.#numbers.holes)
      add('lost', of, `${plural(missing, 'message')} missing${holes > 1 ? ` in ${holes} places` : ''}, ${between(from, to)}`);
    for (const { of, missing, holes, from, to } of this.#seq.holes)
      add('lost', of, `${plural(missing, 'reading')} missing${holes > 1 ? ` in ${holes} places` : ''}, ${between(from, to)}`);
    for (const [of, n] of this.#numbers.twice) add('twice', of, `${plural(n, 'message')} more than once`);
    // Nothing comes after the rig by whose number it would be missed.
    if (this.#sessions.size === 0) add('lost', 'slow rig', 'the rig is missing, which each session begins with');
    if (this.#sessions.size > 1)
      add('strange', 'slow', `parts of ${this.#sessions.size} sessions are mixed: ${[...this.#sessions].join(', ')}`);
    for (const [of, { said, found }] of this.#traces)
      if (found < said) add('lost', of, `${plural(said - found, 'trace')} of ${said} without numbers: raw-traces does not have them`);
    for (const [of, n] of this.#strange) add('strange', of, `${plural(n, 'message')} that cannot be understood`);
    const found = { channels: this.#channels, exchanges: this.#exchanges, orders: this.#orders, wire: this.#wire };
    for (const row of fewer(found, this.#end ?? {})) add('count', 'end', `${row.found} ${row.of}; the session's end says ${row.said}`);
    for (const row of fewer(found, summary)) add('count', 'summary', `${row.found} ${row.of}; the summary says ${row.said}`);
    for (const [series, said] of Object.entries(this.#end?.series ?? {})) {
      const last = parts.findLast((part) => part.series === series)?.number ?? 0;
      if (last >= said) continue;
      const names = last + 1 === said ? partName(series, said) : `${partName(series, last + 1)} to ${partName(series, said)}`;
      add('missing', partName(series, last + 1), `${names} is not in the folder; the session's end says that it was`);
    }
    if (this.#end === undefined)
      add('end', 'slow', 'the session has no end: it is still being written, or what wrote it was stopped at once');
    return this.#end !== undefined;
  }
}
