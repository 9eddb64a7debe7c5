/** The minimum-maximum-count channels of a session, read by the parts' indexes: without the readings that they are of. */
import { open } from 'node:fs/promises';
import { chunkMessages, chunkShape, Dictionary, type McapMessage } from './mcap-read.ts';
import type { ByteSource } from './mcap-recover.ts';
import { type McapSummary, mcapSummary } from './mcap-summary.ts';
import { partName } from './part-name.ts';
import { chunksFrom, fileSource, listParts, type Part, type Trouble } from './session-read.ts';
import type { Bin, TrendRow } from './trend.ts';
import { missingBegin } from './verify.ts';

export interface TrendOptions {
  /** Rows that begin from here on (microseconds since 1970), and before there. */
  readonly from?: number;
  readonly until?: number;
  readonly onTrouble?: (trouble: Trouble) => void;
}

const MINUTE = 60;
const decoder = new TextDecoder();

/**
 * The rows of a second or a minute in the order of the session. A session without its end has no rows of its last two minutes: there, rows
 * of a second come in their place. Parts without an index are read whole. Throws a SessionError where the folder cannot be read.
 */
export async function* trendRows(folder: string, seconds: 1 | 60, options: TrendOptions = {}): AsyncGenerator<TrendRow, void, undefined> {
  let behind = options.from;
  for await (const row of rowsOf(folder, seconds, options)) {
    yield row;
    behind = Math.max(behind ?? 0, row.t + seconds * 1e6);
  }
  if (seconds !== MINUTE) return;
  const { until } = options; // what is damaged was told above
  for await (const row of rowsOf(folder, 1, {
    ...(behind === undefined ? {} : { from: behind }),
    ...(until === undefined ? {} : { until }),
  }))
    yield row;
}

async function* rowsOf(folder: string, seconds: 1 | 60, options: TrendOptions): AsyncGenerator<TrendRow, void, undefined> {
  const { from = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY, onTrouble = () => undefined } = options;
  const parts = await listParts(folder, (series) => series === 'slow');
  if (parts.length === 0)
    onTrouble({ kind: 'missing', part: partName('slow', 1), offset: 0, bytes: 0, why: 'the session has no slow parts' });
  const begin = missingBegin(parts);
  if (begin) onTrouble(begin);
  const topic = `trend-${seconds}s`;
  let expected: number | undefined;
  for (const part of parts) {
    if (expected !== undefined && part.number > expected) {
      const why = `${partName('slow', expected)}${part.number - expected > 1 ? ` to ${partName('slow', part.number - 1)}` : ''} is not in the folder`;
      onTrouble({ kind: 'missing', part: partName('slow', expected), offset: 0, bytes: 0, why });
    }
    expected = part.number + 1;
    for await (const messages of chunksWith(folder, part, topic, { from, until }, onTrouble)) {
      for (const m of messages) {
        if (m.topic !== topic || m.t < from || m.t >= until) continue;
        const row = rowOf(m);
        if (row) yield row;
      }
    }
  }
}

/** The chunks of a part that have messages of a topic in a stretch of time; all of them where it has no index. */
async function* chunksWith(
  folder: string,
  part: Part,
  topic: string,
  { from, until }: { readonly from: number; readonly until: number },
  onTrouble: (trouble: Trouble) => void,
): AsyncGenerator<readonly McapMessage[], void, undefined> {
  const file = part.until === undefined ? await open(part.path, 'r').catch(() => undefined) : undefined;
  const source = file && fileSource(file);
  try {
    const summary = source ? await mcapSummary(source) : 'not to be read by its index';
    if (source && typeof summary !== 'string') {
      const ids = [...summary.dictionary.channels].flatMap(([id, channel]) => (channel.topic === topic ? [id] : []));
      const wanted = summary.chunks.filter((c) => c.last >= from && c.first < until && ids.some((id) => c.channels.has(id)));
      for (const chunk of wanted) {
        const messages = await chunkAt(source, chunk);
        if (typeof messages !== 'string') yield messages;
        else onTrouble({ kind: 'damage', part: part.name, offset: chunk.at, bytes: chunk.length, why: messages });
      }
      return;
    }
  } finally {
    await file?.close();
  }
  const { name } = part;
  const found = chunksFrom(
    folder,
    { part: name, offset: 0 },
    { until: { part: name, offset: Number.POSITIVE_INFINITY }, ended: true, onTrouble },
  );
  for await (const { messages } of found) yield messages;
}

async function chunkAt(source: ByteSource, { at, length }: McapSummary['chunks'][number]): Promise<readonly McapMessage[] | string> {
  if (at + length > (await source.size())) return 'its index leads beyond the end of the file';
  const record = await source.read(at, length);
  const shape = record.length < length ? undefined : chunkShape(record);
  if (!shape?.sound || shape.length !== length) return shape?.why || 'its head does not fit the index';
  return chunkMessages(record, new Dictionary(), true);
}

const isBin = (value: unknown): value is Bin =>
  value !== null &&
  typeof value === 'object' &&
  ['n', 'bad', 'min', 'max', 'sum'].every((key) => typeof (value as Record<string, unknown>)[key] === 'number'); // an object, as was seen

/** Undefined where the message is none of ours. */
function rowOf(m: McapMessage): TrendRow | undefined {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(m.bytes));
  } catch {
    return undefined;
  }
  if (value === null || typeof value !== 'object' || !('t' in value && 'seconds' in value && 'channels' in value)) return undefined;
  const { t, seconds, channels } = value;
  if (typeof t !== 'number' || typeof seconds !== 'number' || channels === null || typeof channels !== 'object') return undefined;
  return { t, seconds, channels: Object.fromEntries(Object.entries(channels).filter(([, bin]) => isBin(bin))) };
}

/** Both in one: a late reading has made a second row of the same time. */
export const together = (a: Bin, b: Bin): Bin => ({
  n: a.n + b.n,
  bad: a.bad + b.bad,
  min: Math.min(a.min, b.min),
  max: Math.max(a.max, b.max),
  sum: a.sum + b.sum,
});

export interface Stretch extends Bin {
  /** Its beginning, microseconds since 1970. */
  readonly t: number;
}

/**
 * One channel in stretches of so many seconds, in the order of time as it comes (a session that begins before the one before it has ended
 * gives its own). No more than a few stretches are held.
 */
export async function* stretches(
  rows: AsyncIterable<TrendRow>,
  channel: string,
  seconds: number,
): AsyncGenerator<Stretch, void, undefined> {
  const width = seconds * 1e6;
  const open = new Map<number, Stretch>();
  function* ripe(before: number): Generator<Stretch> {
    for (const k of [...open.keys()].sort((a, b) => a - b)) {
      const one = open.get(k);
      if (k >= before || !one) continue;
      open.delete(k);
      yield one;
    }
  }
  let latest = Number.NEGATIVE_INFINITY;
  for await (const row of rows) {
    const bin = Object.hasOwn(row.channels, channel) ? row.channels[channel] : undefined;
    if (!bin) continue;
    const k = Math.floor(row.t / width);
    const { n, bad, min, max, sum } = bin;
    const known = open.get(k);
    open.set(k, { t: k * width, ...(known ? together(known, bin) : { n, bad, min, max, sum }) });
    latest = Math.max(latest, k);
    if (open.size > 3) yield* ripe(latest - 1);
  }
  yield* ripe(Number.POSITIVE_INFINITY);
}
