/** Makes a sound session of a damaged one: every whole chunk in proper parts of a new folder, and an account of what is lost. */
import { copyFile, mkdir, open, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mcapSummary } from './mcap-summary.ts';
import { type Channel, Channels, ChunkBuilder } from './mcap-write.ts';
import { nodeDisk } from './part-disk.ts';
import { PartFile } from './part-file.ts';
import { parsePartName } from './part-name.ts';
import { Rows } from './session-count.ts';
import { chunksFrom, fileSource, listParts, type Part, type Trouble } from './session-read.ts';
import { LIMITS } from './session-writer.ts';
import { missingBegin } from './verify.ts';

/** What is lost of one topic. Times are of the messages before and behind it, microseconds since 1970, as far as there are any. */
export interface Loss {
  readonly series: string;
  readonly topic: string;
  /** At least so many: what is lost behind the last message that can be read has no number, unless the part's summary counts it. */
  readonly messages: number;
  readonly from?: number;
  readonly to?: number;
}

/** Bytes that could not be read, with the times of their messages where an index still says them. */
export interface Unread extends Trouble {
  readonly series: string;
  readonly first?: number;
  readonly last?: number;
}

export interface Repaired {
  readonly from: string;
  readonly to: string;
  readonly series: Readonly<
    Record<string, { readonly parts: number; readonly chunks: number; readonly messages: number; readonly bytes: number }>
  >;
  readonly unread: readonly Unread[];
  readonly lost: readonly Loss[];
  /** Messages that were there twice and are now there once. */
  readonly twice: number;
  /** Other files of the folder that were not copied, because they speak of places in the old parts. */
  readonly left: readonly string[];
}

const LEFT = new Set(['influx.json', 'reserve']);
const REPORT = 'repair.json';

/**
 * The old folder is not changed. `to` must not be there yet: the system's error EEXIST where it is. Where the disk refuses, its error, and
 * `to` is gone again: half a session is not to be taken for a whole one.
 */
export async function repairSession(from: string, to: string): Promise<Repaired> {
  const parts = await listParts(from);
  await mkdir(to);
  try {
    return await repaired(from, to, parts);
  } catch (error) {
    await rm(to, { recursive: true, force: true });
    throw error;
  }
}

async function repaired(from: string, to: string, parts: readonly Part[]): Promise<Repaired> {
  const files = await readdir(from, { withFileTypes: true });
  const rows = new Rows();
  const unread: Unread[] = [];
  const series: Record<string, { parts: number; chunks: number; messages: number; bytes: number }> = {};
  const short = new Map<string, { series: string; topic: string; messages: number }>();
  let twice = 0;
  for (const name of [...new Set(parts.map((part) => part.series))]) {
    const own = parts.filter((part) => part.series === name);
    const writer = new SeriesWriter(to, name);
    const read = new Map<string, number>();
    const begin = missingBegin(own);
    const trouble: Trouble[] = begin ? [begin] : [];
    for await (const { messages, next } of chunksFrom(from, undefined, {
      series: name,
      ended: true,
      onTrouble: (one) => trouble.push(one),
    })) {
      for (const m of messages) {
        const of = JSON.stringify([next.part, m.topic]);
        read.set(of, (read.get(of) ?? 0) + 1);
        if (rows.see(JSON.stringify([name, m.topic]), m.sequence, m.t)) writer.add(m, m.sequence, m.t, m.bytes);
        else twice++;
      }
      await writer.chunk(next.part);
    }
    await writer.end();
    for (const part of own) await account(part, read, trouble, unread, short);
    for (const one of trouble)
      if (!unread.some((u) => u.part === one.part && u.offset === one.offset)) unread.push({ ...one, series: name });
    const { made, chunks, messages, bytes } = writer;
    series[name] = { parts: made, chunks, messages, bytes };
  }
  const left: string[] = [];
  for (const file of files) {
    if (!file.isFile() || parsePartName(file.name)) continue;
    if (LEFT.has(file.name) || file.name === REPORT) left.push(file.name);
    else await copyFile(join(from, file.name), join(to, file.name));
  }
  const report = { from, to, series, unread, lost: losses(rows, short), twice, left };
  await writeFile(join(to, REPORT), `${JSON.stringify(report, null, 2)}\n`);
  return report;
}

function losses(rows: Rows, short: ReadonlyMap<string, { series: string; topic: string; messages: number }>): readonly Loss[] {
  const all = new Map<string, Loss>();
  for (const { of, missing, from, to } of rows.holes) {
    const [series = '', topic = ''] = JSON.parse(of) as readonly string[]; // made above
    all.set(of, { series, topic, messages: missing, to, ...(from === undefined ? {} : { from }) });
  }
  for (const [of, one] of short) {
    const known = all.get(of);
    if (known) all.set(of, { ...known, messages: Math.max(known.messages, one.messages) });
    else all.set(of, one);
  }
  return [...all.values()];
}

/** What the part's own summary adds: how many messages of which topic are lost, and at which times. */
async function account(
  part: Part,
  read: ReadonlyMap<string, number>,
  trouble: readonly Trouble[],
  unread: Unread[],
  short: Map<string, { series: string; topic: string; messages: number }>,
): Promise<void> {
  const file = await open(part.path, 'r').catch(() => undefined);
  if (!file) return;
  try {
    const summary = await mcapSummary(fileSource(file));
    if (typeof summary === 'string') return;
    const { series } = part;
    for (const one of trouble.filter((t) => t.part === part.name)) {
      const hit = summary.chunks.filter(({ at }) => at >= one.offset && at < one.offset + one.bytes);
      const times = hit.length === 0 ? {} : { first: least(hit.map((c) => c.first)), last: -least(hit.map((c) => -c.last)) };
      unread.push({ ...one, series, ...times });
    }
    for (const [id, n] of summary.counts ?? []) {
      const topic = summary.dictionary.channels.get(id)?.topic;
      if (topic === undefined) continue;
      const missing = n - (read.get(JSON.stringify([part.name, topic])) ?? 0);
      const key = JSON.stringify([series, topic]);
      if (missing > 0) short.set(key, { series, topic, messages: missing + (short.get(key)?.messages ?? 0) });
    }
  } finally {
    await file.close();
  }
}

const least = (all: readonly number[]): number => all.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);

/** Writes the messages of one series under their old numbers, chunk by chunk and part by part as they were: a part that is gone stays gone. */
class SeriesWriter {
  readonly #folder: string;
  readonly #series: string;
  readonly #channels = new Channels();
  readonly #builder = new ChunkBuilder(this.#channels);
  readonly #ids = new Map<string, number>();
  #part: PartFile | undefined;
  #of: string | undefined;
  #number = 0;
  made = 0;
  chunks = 0;
  messages = 0;
  bytes = 0;

  constructor(folder: string, series: string) {
    this.#folder = folder;
    this.#series = series;
  }

  add(
    { topic, encoding, schema }: { topic: string; encoding: string; schema: string },
    sequence: number,
    t: number,
    bytes: Uint8Array,
  ): void {
    const key = JSON.stringify([topic, encoding, schema]);
    let id = this.#ids.get(key);
    if (id === undefined) {
      const channel: Channel =
        schema === ''
          ? { topic, encoding }
          : { topic, encoding, schema: { name: schema, encoding: 'jsonschema', data: new TextEncoder().encode('{"type":"object"}') } };
      id = this.#channels.add(channel);
      this.#ids.set(key, id);
    }
    this.#builder.add(id, sequence, t, bytes);
    this.messages++;
    this.bytes += bytes.length;
  }

  /** Ends a chunk that was in this part of the old session. */
  async chunk(of: string): Promise<void> {
    const sealed = this.#builder.seal();
    if (!sealed) return;
    if (this.#part && (this.#of !== of || !this.#part.fits(sealed.bytes.length, LIMITS.partBytes))) await this.end();
    this.#part ??= await this.#open(of);
    this.#of = of;
    await this.#part.write(sealed);
    this.chunks++;
    this.#builder.recycle(sealed);
  }

  async #open(of: string): Promise<PartFile> {
    this.made++;
    this.#number = Math.max(this.#number + 1, parsePartName(`${of}.mcap`)?.number ?? 1);
    return PartFile.open({
      disk: nodeDisk,
      folder: this.#folder,
      series: this.#series,
      number: this.#number,
      channels: this.#channels,
      ended: new Map(),
      now: () => 0,
    });
  }

  async end(): Promise<void> {
    const part = this.#part;
    this.#part = undefined;
    if (part && !(await part.end())) throw Object.assign(new Error(`${part.path} could not be written to its end`), { code: 'EIO' });
  }
}
