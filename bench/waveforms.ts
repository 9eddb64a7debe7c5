/**
 * Features of a digitizer's frames per second of CPU time, against the same algorithm in C and against numpy; and framing with its CRC
 * against a loop in C with zlib's. Right before fast: the numbers are compared first.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { crc32 } from 'node:zlib';
import { frameFinder } from '../protocols/waveform-finder.ts';
import { waveformFrames } from '../protocols/waveform-frames.ts';
import { DIGITIZER_64, frameBytes } from '../protocols/waveform-layout.ts';
import { FLAG, type Hits, hits } from '../src/derive/hits.ts';
import { PULSE } from '../src/derive/waveform.ts';
import { blockFeatures } from '../src/derive/waveform-block.ts';

interface Result {
  readonly name: string;
  readonly ratio: number;
  readonly goal: number;
  readonly detail: string;
}

const FRAMES = 64;
const { channels, samples } = DIGITIZER_64;
const SIZE = channels * samples;
const ROUNDS = 9;
/** Bytes that a socket gives at a time. */
const CHUNK = 65536;

export async function waveforms(): Promise<readonly Result[]> {
  const block = pulses();
  const folder = mkdtempSync(join(tmpdir(), 'bridgman-bench-'));
  try {
    return [featuresOfC(block, folder), featuresOfNumpy(block), framing(block, folder)];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Three channels of four hold a pulse of 20 to 3,000 counts, some saturated; a fixed sequence, so that every run sees the same. */
function pulses(): Uint16Array {
  let state = 20;
  const random = (): number => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  const block = new Uint16Array(FRAMES * SIZE);
  for (let wave = 0; wave < FRAMES * channels; wave++) {
    const height = random() < 0.75 ? 20 * Math.exp(5 * random()) : 0;
    const [at, slow] = [50 + 20 * random(), 0.05 + 0.2 * random()];
    for (let i = 0; i < samples; i++) {
      const age = i - at;
      const pulse = age < 0 ? 0 : height * (1 - Math.exp(-age - 0.3)) * (Math.exp(-age / 3) + slow * Math.exp(-age / 40));
      block[wave * samples + i] = Math.max(0, Math.round(2000 + 3 * (random() + random() + random() - 1.5) - pulse));
    }
  }
  return block;
}

function packed(block: Uint16Array): Uint8Array {
  const bytes = new Uint8Array(4 + block.byteLength);
  new Int32Array(bytes.buffer, 0, 1)[0] = FRAMES;
  bytes.set(new Uint8Array(block.buffer), 4);
  return bytes;
}

/** Looks at all frames so often; each is put before the kernel as the source does it. */
function ours(block: Uint16Array, times: number, into: Hits): number {
  const frames = Array.from({ length: FRAMES }, (_, f) => block.subarray(f * SIZE, (f + 1) * SIZE));
  const of = { t: 0, number: 0, firstChannel: 0, flags: 0 };
  const start = process.cpuUsage();
  for (let time = 0; time < times; time++) {
    into.count = 0;
    for (const frame of frames) {
      kernel.frame.set(frame);
      kernel.look(of, into);
    }
  }
  return seconds(start);
}
const kernel = blockFeatures(channels, samples, PULSE);

function seconds(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

const NAMES = ['channel', 't', 'charge', 'tail', 'peak', 'baseline', 'noise'] as const;

function compare(block: Uint16Array, rows: readonly (readonly number[])[], relative: number, flag: (mine: number) => number): void {
  const into = hits(FRAMES * channels);
  ours(block, 1, into);
  if (rows.length !== into.count) throw new Error(`${into.count} hits against ${rows.length}`);
  for (const [i, row] of rows.entries()) {
    for (const [j, name] of NAMES.entries()) {
      const [a, b = Number.NaN] = [into[name][i] ?? 0, row[j]];
      if (!(Math.abs(a - b) <= relative * Math.max(1, Math.abs(b)))) throw new Error(`${name} of hit ${i} differs: ${a} and ${b}`);
    }
    if (flag(into.flags[i] ?? 0) !== row[7]) throw new Error(`the flags of hit ${i} differ: ${into.flags[i]} and ${row[7]}`);
  }
}

const skipped = (name: string, goal: number, detail: string): Result => ({ name, ratio: Number.NaN, goal, detail });
const compiler = (): string | undefined => ['gcc', 'cc'].find((cc) => spawnSync(cc, ['--version']).status === 0);

function featuresOfC(block: Uint16Array, folder: string): Result {
  const name = 'waveform features, of C -O3';
  const cc = compiler();
  if (!cc) return skipped(name, 0.3, 'no C compiler here');
  const program = join(folder, 'waveforms');
  const made = spawnSync(cc, ['-O3', '-o', program, join(root(), 'bench/waveforms.c'), '-lm'], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`waveforms.c does not compile: ${made.stderr}`);
  const input = packed(block);
  compare(block, child(program, ['1'], input).rows, 0, (mine) => mine);
  const into = hits(FRAMES * channels);
  const [mine, theirs] = [40, 40];
  const rounds = interleaved(
    () => ours(block, mine, into) / mine,
    () => child(program, [String(theirs)], input).seconds / theirs,
  );
  return result(name, rounds, 0.3, block.byteLength, `${kernel.made} kernel`);
}

function featuresOfNumpy(block: Uint16Array): Result {
  const name = 'waveform features, of numpy';
  if (spawnSync('python3', ['-c', 'import numpy']).status !== 0) return skipped(name, 10, 'no python3 with numpy here');
  const script = join(root(), 'bench/waveforms.py');
  const input = packed(block);
  compare(block, child('python3', [script, '1'], input).rows, 1e-12, (mine) => mine & FLAG.saturated);
  const into = hits(FRAMES * channels);
  const [mine, theirs] = [40, 4];
  const rounds = interleaved(
    () => ours(block, mine, into) / mine,
    () => child('python3', [script, String(theirs)], input).seconds / theirs,
  );
  return result(name, rounds, 10, block.byteLength, `${kernel.made} kernel`);
}

function framing(block: Uint16Array, folder: string): Result {
  const { encode } = waveformFrames(DIGITIZER_64, crc32).tells;
  const length = frameBytes(DIGITIZER_64);
  const stream = new Uint8Array(FRAMES * length);
  for (let f = 0; f < FRAMES; f++) {
    stream.set(encode({ number: f, time: f, samples: block.subarray(f * SIZE, (f + 1) * SIZE) }), f * length);
  }
  const mine = 40;
  const found = (times: number): number => {
    let good = 0;
    const wrong = (): void => {
      throw new Error('a good frame was not found');
    };
    const finder = frameFinder(DIGITIZER_64, crc32, {
      frame: () => good++,
      skipped: wrong,
      damaged: wrong,
      junk: wrong,
      unfinished: wrong,
    });
    const start = process.cpuUsage();
    for (let time = 0; time < times; time++) {
      for (let at = 0; at < stream.length; at += CHUNK) finder.take(stream.subarray(at, at + CHUNK));
    }
    const spent = seconds(start);
    if (good !== times * FRAMES) throw new Error(`${good} frames of ${times * FRAMES} were found`);
    return spent;
  };
  const theirs = yardstick(stream, length, folder);
  if ('why' in theirs) return skipped('framing with CRC, of C zlib', 0.75, theirs.why);
  const rounds = interleaved(() => found(mine) / mine, theirs.run);
  return result(`framing with CRC, of ${theirs.what}`, rounds, 0.75, stream.length, `${CHUNK / 1024} KiB at a time`);
}

/** Seconds that C takes for the stream once; where zlib.h is absent, seconds of Python's zlib for as many bytes in buffers of 1 MiB. */
function yardstick(
  stream: Uint8Array,
  length: number,
  folder: string,
): { readonly what: string; readonly run: () => number } | { readonly why: string } {
  const times = 40;
  const cc = compiler();
  const program = join(folder, 'waveform-frames');
  if (cc && spawnSync(cc, ['-O3', '-o', program, join(root(), 'bench/waveform-frames.c'), '-lz']).status === 0) {
    const run = (): number => {
      const { seconds: spent, rows } = child(program, [String(times), String(length)], stream);
      if (rows[0]?.[0] !== FRAMES) throw new Error(`C found ${rows[0]?.[0]} frames of ${FRAMES}`);
      return spent / times;
    };
    return { what: 'C zlib', run };
  }
  const script = [
    'import time, zlib',
    'block = bytes(range(256)) * 4096',
    'start = time.process_time()',
    'for _ in range(100): zlib.crc32(block)',
    'print(time.process_time() - start)',
  ].join('\n');
  if (spawnSync('python3', ['-c', 'import zlib']).status !== 0) return { why: 'neither a C compiler with zlib.h nor python3 here' };
  const run = (): number => (child('python3', ['-c', script], new Uint8Array(0)).seconds * stream.length) / (100 * 1048576);
  return { what: 'Python’s zlib.crc32 over 1 MiB (zlib.h is absent)', run };
}

function child(
  program: string,
  args: readonly string[],
  input: Uint8Array,
): { readonly seconds: number; readonly rows: readonly (readonly number[])[] } {
  const run = spawnSync(program, [...args], { input, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (run.status !== 0) throw new Error(`${program} ends with ${run.status}: ${run.stderr}`);
  const [first, ...rest] = run.stdout.trim().split('\n');
  return { seconds: Number(first), rows: rest.map((line) => line.split(' ').map(Number)) };
}

type Round = readonly [mine: number, theirs: number];

/** Both in turn, so that what else the machine does hits both; the first round warms up and does not count. */
function interleaved(mine: () => number, theirs: () => number): readonly Round[] {
  const rounds: Round[] = [];
  for (let i = 0; i <= ROUNDS; i++) rounds.push(i % 2 === 0 ? [mine(), theirs()] : swapped(theirs(), mine()));
  return rounds.slice(1);
}
const swapped = (theirs: number, mine: number): Round => [mine, theirs];

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

function result(name: string, rounds: readonly Round[], goal: number, bytes: number, how: string): Result {
  const ratio = median(rounds.map(([mine, theirs]) => theirs / mine));
  const rate = (side: 0 | 1): string => Math.round(bytes / 1e6 / median(rounds.map((r) => r[side]))).toLocaleString('en');
  const detail = `${rate(0)} MB per CPU second against ${rate(1)}; ${how}; median of ${rounds.length} rounds in turn`;
  return { name, ratio, goal, detail };
}

/** The project's root, from the source as well as from dist/. */
function root(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'bench/waveforms.c'))) {
    if (dirname(folder) === folder) throw new Error('bench/waveforms.c is not beside this program');
    folder = resolve(folder, '..');
  }
  return folder;
}
