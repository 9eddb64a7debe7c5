/** Writing a session's bytes: our MCAP writer against @mcap/core's, same messages, both uncompressed with chunks, indexes and checksums. */
import { type IWritable, McapStreamReader, McapWriter } from '@mcap/core';
import { mcapWriter } from '../src/recorder/mcap-file.ts';

interface Case {
  readonly size: number;
  readonly count: number;
  readonly goal: number;
}

const CASES: readonly Case[] = [
  { size: 64, count: 200_000, goal: 3.5 },
  { size: 1024, count: 60_000, goal: 2.5 },
];
const CHUNK = 1 << 20;
const START = 1_770_000_000_000_000; // microseconds: early 2026
const ROUNDS = 15;

/** Both write into one buffer that is there before: no allocation of the sink is timed. */
class Sink implements IWritable {
  readonly bytes: Uint8Array;
  at = 0;
  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }
  take(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }
  async write(bytes: Uint8Array): Promise<void> {
    this.take(bytes);
  }
  position(): bigint {
    return BigInt(this.at);
  }
  whole(): Uint8Array {
    return this.bytes.subarray(0, this.at);
  }
}

const payloads = (size: number): readonly Uint8Array[] =>
  Array.from({ length: 64 }, (_, k) => Uint8Array.from({ length: size }, (_unused, i) => (i * 31 + k * 17 + ((i * k) >> 3)) & 0xff));

function ours({ count }: Case, data: readonly Uint8Array[], sink: Sink): void {
  const writer = mcapWriter({ take: (bytes) => sink.take(bytes), chunkBytes: CHUNK });
  const id = writer.channel({ topic: 'stream', encoding: 'application/octet-stream' });
  for (let i = 0; i < count; i++) writer.write(id, i, START + i * 10, data[i & 63] ?? new Uint8Array());
  writer.end();
}

async function theirs({ count }: Case, data: readonly Uint8Array[], sink: Sink): Promise<void> {
  const writer = new McapWriter({ writable: sink, chunkSize: CHUNK });
  await writer.start({ profile: '', library: 'core' });
  const channelId = await writer.registerChannel({
    schemaId: 0,
    topic: 'stream',
    messageEncoding: 'application/octet-stream',
    metadata: new Map(),
  });
  for (let i = 0; i < count; i++) {
    const logTime = BigInt(START + i * 10) * 1000n;
    await writer.addMessage({ channelId, sequence: i, logTime, publishTime: logTime, data: data[i & 63] ?? new Uint8Array() });
  }
  await writer.end();
}

/** Reads both files with the reference reader and throws at the first difference. */
function compare(a: Uint8Array, b: Uint8Array, count: number): void {
  const messages = (bytes: Uint8Array) => {
    const reader = new McapStreamReader({ validateCrcs: true });
    reader.append(bytes);
    return function* () {
      for (let record = reader.nextRecord(); record; record = reader.nextRecord()) if (record.type === 'Message') yield record;
      if (!reader.done()) throw new Error('the file is not whole');
    };
  };
  const right = messages(b)();
  let seen = 0;
  for (const left of messages(a)()) {
    const other = right.next().value;
    const same =
      other &&
      left.logTime === other.logTime &&
      left.publishTime === other.publishTime &&
      left.sequence === other.sequence &&
      left.data.length === other.data.length &&
      left.data.every((byte, i) => byte === other.data[i]);
    if (!same) throw new Error(`message ${seen} differs`);
    seen++;
  }
  if (seen !== count || !right.next().done) throw new Error(`${seen} messages of ${count}`);
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

async function cost(run: () => void | Promise<void>): Promise<{ cpu: number; wall: number }> {
  const wall = process.hrtime.bigint();
  const cpu = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(cpu);
  return { cpu: (user + system) * 1e-6, wall: Number(process.hrtime.bigint() - wall) * 1e-9 };
}

/** Ratio: CPU seconds of @mcap/core to ours, median of interleaved pairs, after both files were found to hold the same messages. */
export async function session(): Promise<readonly { name: string; ratio: number; goal: number; detail: string }[]> {
  const results: { name: string; ratio: number; goal: number; detail: string }[] = [];
  for (const one of CASES) {
    const data = payloads(one.size);
    const room = one.count * (one.size + 64) + (1 << 20);
    const mine = new Sink(room);
    const other = new Sink(room);
    ours(one, data, mine);
    await theirs(one, data, other);
    compare(mine.whole(), other.whole(), one.count);
    const cpu: number[] = [];
    const wall: number[] = [];
    const rates: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      mine.at = 0;
      other.at = 0;
      const a = await cost(() => ours(one, data, mine));
      const b = await cost(() => theirs(one, data, other));
      cpu.push(b.cpu / a.cpu);
      wall.push(b.wall / a.wall);
      rates.push(one.count / a.wall);
    }
    results.push({
      name: `session ${one.size} B`,
      ratio: median(cpu),
      goal: one.goal,
      detail: `CPU against @mcap/core; wall x${median(wall).toFixed(2)}; ours ${(median(rates) / 1e6).toFixed(2)} M messages/s`,
    });
  }
  return results;
}
