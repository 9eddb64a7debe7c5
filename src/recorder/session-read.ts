/** Reads a session folder: its parts in order, over cuts and damage, also while it is still being written. */
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChunkMessage, McapMessage } from './mcap-read.ts';
import { type ByteSource, NOTHING, type Wanted, walkMcap } from './mcap-recover.ts';
import { type PartHead, parsePartName, partName, readPartHead } from './part-name.ts';
import { SessionError } from './session-error.ts';

/** A place between two chunks. `part` is a file's name without `.mcap`. */
export interface Position {
  readonly part: string;
  readonly offset: number;
}

export interface Part {
  /** slow, or raw-LINK. */
  readonly series: string;
  readonly number: number;
  /** The file's name without `.mcap`. */
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  /** Where the writer gave this part up: what lies behind was written again to a later part. */
  readonly until?: number;
}

export interface Trouble {
  /** damage: bytes that could not be read; cut: a part without its end (the last one of a running session is no trouble); missing: a part's number is skipped, or the part cannot be opened. */
  readonly kind: 'damage' | 'cut' | 'missing';
  readonly part: string;
  readonly offset: number;
  readonly bytes: number;
  readonly why: string;
}

/** Bytes of a file. A page that the disk cannot read comes as zeros, which no checksum takes for good. */
export function fileSource(file: FileHandle): ByteSource {
  const page = 4096;
  const fill = async (bytes: Uint8Array, at: number): Promise<number> => {
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await file.read(bytes, done, bytes.length - done, at + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  };
  return {
    size: async () => (await file.stat()).size,
    async read(at, length) {
      const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
      try {
        return bytes.subarray(0, await fill(bytes, at));
      } catch {
        bytes.fill(0);
        for (let i = 0; i < length; i += page) await fill(bytes.subarray(i, i + page), at + i).catch(() => 0);
        return bytes;
      }
    },
  };
}

/** Opens, uses and closes a file. */
async function withFile<T>(path: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
  const file = await open(path, 'r');
  try {
    return await use(fileSource(file));
  } finally {
    await file.close();
  }
}

/** All parts, the slow ones first, by series and number. Throws a SessionError where the folder cannot be read. */
export async function listParts(folder: string, only: (series: string, number: number) => boolean = () => true): Promise<readonly Part[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new SessionError('SESSION_NO_FOLDER', `no session can be read at ${folder}: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  });
  const found: (Omit<Part, 'until'> & PartHead)[] = [];
  for (const file of names) {
    const named = parsePartName(file);
    if (!named || !only(named.series, named.number)) continue;
    const path = join(folder, file);
    // One that cannot be opened stays in the list: whoever reads it is told why.
    const none = { bytes: 0, ended: new Map<string, number>() };
    const one = await withFile(path, async (source) => ({ bytes: await source.size(), ...(await readPartHead(source)) })).catch(() => none);
    found.push({ ...named, path, ...one });
  }
  const ended = new Map<string, number>();
  for (const { ended: places } of found) for (const [name, offset] of places) ended.set(name, Math.min(offset, ended.get(name) ?? offset));
  const rank = ({ series }: { readonly series: string }) => (series === 'slow' ? '' : series);
  return found
    .sort((a, b) => (rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : a.number - b.number))
    .map(({ ended: _, ...part }) => {
      const until = ended.get(part.name);
      return until === undefined ? part : { ...part, until };
    });
}

export interface Chunk {
  readonly messages: readonly ChunkMessage[];
  /** Behind this chunk: give it back to go on from there. */
  readonly next: Position;
}

export interface ChunkOptions {
  /** slow unless said otherwise. */
  readonly series?: string;
  /** Not beyond this place: what the writer has confirmed. Without it an unconfirmed chunk may be given that is later written again. */
  readonly until?: Position;
  /** Nobody writes any more: a last part without its end is a cut, and damage at its end is told. */
  readonly ended?: boolean;
  readonly onTrouble?: (trouble: Trouble) => void;
}

/**
 * Chunks of one series from a position (the beginning where it is undefined) to what is there now; call again with the last
 * `next` for what has come since. Damage behind which nothing can be read yet is not yet told: it may still be being written.
 */
export async function* chunksFrom(
  folder: string,
  from: Position | undefined,
  options: ChunkOptions = {},
): AsyncGenerator<Chunk, void, undefined> {
  const { series = 'slow', until, ended = false, onTrouble = () => undefined } = options;
  const start = placed(from);
  const stop = placed(until);
  const parts = await listParts(folder, (one, number) => one === series && number >= (start?.number ?? 0));
  let expected = start?.number;
  for (const [i, part] of parts.entries()) {
    if (stop && part.number > stop.number) return;
    if (expected !== undefined && part.number > expected) {
      const name = partName(series, expected);
      const several = part.number - expected > 1 ? ` to ${partName(series, part.number - 1)}` : '';
      onTrouble({ kind: 'missing', part: name, offset: 0, bytes: 0, why: `${name}${several} is not in the folder` });
    }
    expected = part.number + 1;
    const here = stop?.number === part.number ? stop.offset : Number.POSITIVE_INFINITY;
    const range = { from: start?.number === part.number ? start.offset : 0, until: Math.min(part.until ?? Number.POSITIVE_INFINITY, here) };
    if (range.from > range.until) continue;
    const last = !ended && (i === parts.length - 1 || stop?.number === part.number);
    const file = await open(part.path, 'r').catch((cause: unknown) => {
      const why = `it cannot be opened: ${cause instanceof Error ? cause.message : cause}`;
      onTrouble({ kind: 'missing', part: part.name, offset: 0, bytes: 0, why });
    });
    if (!file) continue;
    try {
      const source = fileSource(file);
      const found = partChunks(part, await source.size(), range, last, onTrouble);
      for (let step = found.next(NOTHING); !step.done; ) {
        const { value } = step;
        if ('messages' in value) yield value;
        step = found.next('messages' in value ? NOTHING : await source.read(value.at, value.length));
      }
    } finally {
      await file.close();
    }
  }
}

function* partChunks(
  part: Part,
  size: number,
  range: { readonly from: number; readonly until: number },
  last: boolean,
  onTrouble: (trouble: Trouble) => void,
): Generator<Chunk | Wanted, void, Uint8Array> {
  let held: Trouble[] = [];
  const tell = () => {
    for (const trouble of held) onTrouble(trouble);
    held = [];
  };
  const next = (offset: number) => ({ part: part.name, offset });
  const walk = walkMcap(size, range);
  for (let step = walk.next(NOTHING); !step.done; ) {
    const found = step.value;
    let given: Uint8Array = NOTHING;
    if (found.kind === 'read') given = yield found;
    else if (found.kind === 'chunk') {
      tell();
      yield { messages: found.messages, next: next(found.next) };
    } else if (found.kind === 'damage') {
      held.push({ kind: 'damage', part: part.name, offset: found.at, bytes: found.next - found.at, why: found.why });
    } else if (!last || found.whole) {
      const told = held.length > 0;
      tell();
      if (told) yield { messages: [], next: next(found.at) };
      // One that was given up has no summary; it holds up to where it was.
      if (!found.whole && (part.until === undefined || part.bytes < part.until)) {
        onTrouble({ kind: 'cut', part: part.name, offset: found.at, bytes: found.size - found.at, why: found.why });
      }
    }
    step = walk.next(given);
  }
}

function placed(position: Position | undefined): { readonly number: number; readonly offset: number } | undefined {
  if (!position) return undefined;
  const named = parsePartName(`${position.part.replace(/\.mcap$/, '')}.mcap`);
  if (!named || !(position.offset >= 0)) {
    const { part, offset } = position;
    throw new SessionError('SESSION_BAD_POSITION', `a position is a part such as slow-0001 and an offset, not ${part} and ${offset}`);
  }
  return { number: named.number, offset: position.offset };
}

export interface SessionMessage extends McapMessage {
  /** slow, or raw-LINK. */
  readonly series: string;
}

/**
 * All messages of a session. The slow parts come in the order in which they were written; with `raw` the streams (all, or those
 * named) are merged in by time: bytes before what was made of them. `slow: false` leaves the slow parts out. A last part without its end is
 * told as a cut.
 */
export async function* readSession(
  folder: string,
  options: {
    readonly raw?: boolean | readonly string[];
    readonly slow?: boolean;
    readonly onTrouble?: (trouble: Trouble) => void;
  } = {},
): AsyncGenerator<SessionMessage, void, undefined> {
  const { raw = false, slow = true, onTrouble } = options;
  const parts = await listParts(folder);
  const wanted = (series: string) => (series === 'slow' ? slow : raw === true ? true : raw !== false && raw.includes(series));
  const all = [...new Set(parts.map(({ series }) => series))].filter(wanted).reverse(); // slow last: it gives way where times are equal
  const heads: { readonly stream: AsyncGenerator<SessionMessage>; message: SessionMessage }[] = [];
  try {
    for (const series of all) {
      const stream = messagesOf(folder, series, onTrouble);
      const { value } = await stream.next();
      if (value) heads.push({ stream, message: value });
    }
    while (heads.length > 0) {
      let first = heads[0];
      for (const head of heads) if (first && head.message.t < first.message.t) first = head;
      if (!first) return;
      yield first.message;
      const { value } = await first.stream.next();
      if (value) first.message = value;
      else heads.splice(heads.indexOf(first), 1);
    }
  } finally {
    for (const { stream } of heads) await stream.return(undefined);
  }
}

async function* messagesOf(
  folder: string,
  series: string,
  onTrouble?: (trouble: Trouble) => void,
): AsyncGenerator<SessionMessage, void, undefined> {
  const told = onTrouble ? { onTrouble } : {};
  for await (const { messages } of chunksFrom(folder, undefined, { series, ended: true, ...told })) {
    // Field by field: spreading an object costs ten times the rest of reading it (measured, Node 20).
    for (const { topic, encoding, schema, sequence, t, bytes } of messages) yield { topic, encoding, schema, sequence, t, bytes, series };
  }
}
