/**
 * Reading all messages of one raw series, as the bytes of a detector stream are kept: our reader, which checks every chunk, against
 * @mcap/core's indexed reader over the same parts. In turn, with the parts in the page cache and without.
 */
import { spawnSync } from 'node:child_process';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type IReadable, McapIndexedReader } from '@mcap/core';
import { sessionWriter } from '../src/recorder/parts.ts';
import { chunksFrom, listParts } from '../src/recorder/session-read.ts';

interface Result {
  readonly name: string;
  readonly ratio: number;
  readonly goal: number;
  readonly detail: string;
}

const SERIES = 'raw-detector-stream';
const TOPIC = 'detector stream';
const MiB = 1 << 20;
const GOAL = 2;
const ROUNDS = 5;
const START = 1_770_000_000_000_000; // microseconds: early 2026

/** Bytes that no reader could take for anything else, of a fixed sequence. */
function noise(length: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = 1;
  for (let i = 0; i < words.length; i++) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}

/** Parts of a stream whose socket gave so many bytes at a time, 50 microseconds apart. */
async function record(folder: string, size: number, total: number): Promise<number> {
  let now = 0;
  const writer = sessionWriter({ folder, now: () => now, limits: { rawFree: 0, reserve: 0 } });
  const data = noise(4 * MiB);
  const count = Math.floor(total / size);
  for (let i = 0; i < count; i++) {
    const at = (i * size) % (data.length - size);
    if (!writer.write(TOPIC, SERIES, START + i * 50, data.subarray(at, at + size))) throw new Error('the recorder did not take a message');
    now += 0.05;
    if ((i * size) % (16 * MiB) < size) {
      writer.tick();
      await writer.settled();
    }
  }
  await writer.close();
  return count;
}

/** What both must find: so many messages and bytes, and a sum over places of each. */
interface Seen {
  messages: number;
  bytes: number;
  sum: number;
}

const nothing = (): Seen => ({ messages: 0, bytes: 0, sum: 0 });

function see(seen: Seen, bytes: Uint8Array): void {
  seen.messages++;
  seen.bytes += bytes.length;
  seen.sum = (seen.sum + bytes[0] + bytes[bytes.length >> 1] + bytes[bytes.length - 1]) | 0;
}

async function ours(folder: string): Promise<Seen> {
  const seen = nothing();
  const onTrouble = ({ why }: { readonly why: string }): never => {
    throw new Error(why);
  };
  for await (const { messages } of chunksFrom(folder, undefined, { series: SERIES, ended: true, onTrouble }))
    for (const { topic, bytes } of messages) if (topic === TOPIC) see(seen, bytes);
  return seen;
}

/** Each read into a buffer of its own: the reader holds several at a time. */
class Readable implements IReadable {
  readonly #file: FileHandle;
  constructor(file: FileHandle) {
    this.#file = file;
  }
  async size(): Promise<bigint> {
    return BigInt((await this.#file.stat()).size);
  }
  async read(offset: bigint, size: bigint): Promise<Uint8Array> {
    const buffer = Buffer.allocUnsafeSlow(Number(size));
    const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, Number(offset));
    return new Uint8Array(buffer.buffer, 0, bytesRead);
  }
}

async function theirs(paths: readonly string[]): Promise<Seen> {
  const seen = nothing();
  for (const path of paths) {
    const file = await open(path, 'r');
    try {
      const reader = await McapIndexedReader.Initialize({ readable: new Readable(file) });
      for await (const { data } of reader.readMessages({ topics: [TOPIC] })) see(seen, data);
    } finally {
      await file.close();
    }
  }
  return seen;
}

/** Lets the parts out of the page cache; false where that cannot be done here. */
const dropped = (paths: readonly string[]): boolean =>
  paths.every((path) => spawnSync('dd', [`if=${path}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' }).status === 0);

interface Cost {
  readonly wall: number;
  readonly cpu: number;
}

async function cost(run: () => Promise<Seen>, wanted: Seen): Promise<Cost> {
  const wall = process.hrtime.bigint();
  const before = process.cpuUsage();
  const seen = await run();
  const { user, system } = process.cpuUsage(before);
  const took = Number(process.hrtime.bigint() - wall) * 1e-9;
  if (seen.messages !== wanted.messages || seen.bytes !== wanted.bytes || seen.sum !== wanted.sum)
    throw new Error(`${seen.messages} messages of ${seen.bytes} bytes against ${wanted.messages} of ${wanted.bytes}`);
  return { wall: took, cpu: (user + system) * 1e-6 };
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

async function one(size: number, total: number, parent: string): Promise<readonly Result[]> {
  const folder = await mkdtemp(join(parent, 'session-'));
  const count = await record(folder, size, total);
  const paths = (await listParts(folder)).map(({ path }) => path);
  const wanted = await theirs(paths);
  if (wanted.messages !== count) throw new Error(`${wanted.messages} messages of ${count} were recorded`);
  const results: Result[] = [];
  for (const cache of ['warm', 'cold'] as const) {
    const name = `raw-read ${size >= 1024 ? `${size / 1024} KiB` : `${size} B`}, ${cache}`;
    const rounds: { readonly mine: Cost; readonly other: Cost }[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      if (cache === 'cold' && !dropped(paths)) break;
      const mine = await cost(() => ours(folder), wanted);
      if (cache === 'cold') dropped(paths);
      rounds.push({ mine, other: await cost(() => theirs(paths), wanted) });
    }
    if (rounds.length === 0) {
      results.push({ name, ratio: Number.NaN, goal: GOAL, detail: 'pages cannot be let out of the cache here (dd iflag=nocache)' });
      continue;
    }
    const counted = rounds.slice(1); // the first one warms up
    const of = (pick: (round: (typeof rounds)[number]) => number): number => median(counted.map(pick));
    const rate = (seconds: number): string => Math.round(wanted.bytes / 1e6 / seconds).toLocaleString('en');
    results.push({
      name,
      ratio: of(({ mine, other }) => other.wall / mine.wall),
      goal: GOAL,
      detail: `@mcap/core's indexed reader; ${rate(of(({ mine }) => mine.wall))} MB/s against ${rate(of(({ other }) => other.wall))}; by CPU time x${of(({ mine, other }) => other.cpu / mine.cpu).toFixed(2)}; ${(wanted.bytes / 1e6).toFixed(0)} MB in ${paths.length} parts, median of ${counted.length} rounds in turn`,
    });
  }
  await rm(folder, { recursive: true, force: true });
  return results;
}

export async function rawRead(): Promise<readonly Result[]> {
  const parent = await mkdtemp(join(tmpdir(), 'bridgman-bench-'));
  try {
    return [...(await one(65_536, 400 * MiB, parent)), ...(await one(1024, 100 * MiB, parent))];
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}
