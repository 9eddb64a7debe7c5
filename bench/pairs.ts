/**
 * Pairs of prompt and delayed events per second of CPU time, in blocks as they come, against the same search over whole columns in C and
 * with numpy. Right before fast: every count is compared first.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { pairFinder } from '../src/derive/coincidence.ts';

interface Result {
  readonly name: string;
  readonly ratio: number;
  readonly goal: number;
  readonly detail: string;
}

const EVENTS = 1_000_000;
const BLOCK = 4096;
const ROUNDS = 7;
const TIMES = 4;
/** Nanoseconds between two events on average: ten thousand a second, of them one in two hundred a muon. */
const APART = 1e5;

export async function pairs(): Promise<readonly Result[]> {
  const columns = stream();
  const input = new Uint8Array(8 + 24 * EVENTS);
  new BigInt64Array(input.buffer, 0, 1)[0] = BigInt(EVENTS);
  for (const [i, column] of columns.entries()) new Float64Array(input.buffer, 8 + 8 * EVENTS * i, EVENTS).set(column);
  const mine = search(columns).counts;
  const results: Result[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'bridgman-bench-'));
  try {
    const compiler = ['gcc', 'cc'].find((cc) => spawnSync(cc, ['--version']).status === 0);
    if (compiler) {
      const program = join(folder, 'pairs');
      const made = spawnSync(compiler, ['-O3', '-o', program, join(root(), 'bench/pairs.c')], { encoding: 'utf8' });
      if (made.status !== 0) throw new Error(`pairs.c does not compile: ${made.stderr}`);
      results.push(against('pair search, events/s, of C -O3', 0.5, columns, mine, program, [], input));
    }
    if (spawnSync('python3', ['-c', 'import numpy']).status === 0)
      results.push(against('pair search, events/s, of numpy', 1, columns, mine, 'python3', [join(root(), 'bench/pairs.py')], input));
  } finally {
    rmSync(folder, { recursive: true });
  }
  return results;
}

type Columns = readonly [t: Float64Array, energy: Float64Array, psd: Float64Array];

/** Events at random, a fixed sequence; one in twenty has its delayed partner some 40 us behind. */
function stream(): Columns {
  let state = 20261122;
  const random = (): number => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  const rows: [number, number, number][] = [];
  for (let t = 0; rows.length < EVENTS; ) {
    t += -APART * Math.log(random());
    const kind = random();
    if (kind < 0.005) rows.push([Math.round(t), 25, 0.1]);
    else if (kind < 0.05) {
      rows.push([Math.round(t), 1 + 6 * random(), 0.15]);
      rows.push([Math.round(t - 40e3 * Math.log(random())), 0.4 + 0.2 * random(), 0.3]);
    } else rows.push([Math.round(t), 9 * random() ** 3, 0.1 + 0.2 * random()]);
  }
  rows.length = EVENTS;
  rows.sort((a, b) => a[0] - b[0]);
  // Each time once: what stands for equal times depends on nobody's order then.
  for (let i = 1; i < rows.length; i++) {
    const [before, here] = [rows[i - 1], rows[i]];
    if (before && here && here[0] <= before[0]) here[0] = before[0] + 1;
  }
  const column = (c: 0 | 1 | 2): Float64Array => Float64Array.from(rows, (row) => row[c]);
  return [column(0), column(1), column(2)];
}

function search([t, energy, psd]: Columns): { readonly seconds: number; readonly counts: readonly number[] } {
  const start = process.cpuUsage();
  const finder = pairFinder();
  for (let from = 0; from < EVENTS; from += BLOCK) {
    const to = Math.min(EVENTS, from + BLOCK);
    finder.take({ count: to - from, t: t.subarray(from, to), energy: energy.subarray(from, to), psd: psd.subarray(from, to) });
  }
  const got = finder.end(Number.MAX_SAFE_INTEGER);
  const { user, system } = process.cpuUsage(start);
  const counts = [got.muons, got.vetoed, got.prompts, got.delayeds, got.pairs, got.isolated, ...got.off];
  return { seconds: (user + system) / 1e6, counts };
}

function ours(columns: Columns): number {
  let sum = 0;
  for (let i = 0; i < TIMES; i++) sum += search(columns).seconds;
  return sum / TIMES;
}

function against(
  name: string,
  goal: number,
  columns: Columns,
  mine: readonly number[],
  program: string,
  args: readonly string[],
  input: Uint8Array,
): Result {
  const child = (times: number): { readonly seconds: number; readonly counts: readonly number[] } => {
    const run = spawnSync(program, [...args, String(times)], { input, encoding: 'utf8' });
    if (run.status !== 0) throw new Error(`${program} ends with ${run.status}: ${run.stderr}`);
    const [seconds, counts = ''] = run.stdout.trim().split('\n');
    return { seconds: Number(seconds) / times, counts: counts.split(' ').map(Number) };
  };
  const theirs = child(1).counts;
  if (theirs.length !== mine.length || theirs.some((n, i) => n !== mine[i]))
    throw new Error(`counts differ: ${mine.join(' ')} and ${theirs.join(' ')}`);
  const rounds: (readonly [number, number])[] = [];
  // In turn, so that what else the machine does hits both; the first round warms up and does not count.
  for (let i = 0; i <= ROUNDS; i++) {
    const early = i % 2 === 0 ? ours(columns) : undefined;
    const other = child(TIMES).seconds;
    rounds.push([early ?? ours(columns), other]);
  }
  rounds.shift();
  const rate = (side: 0 | 1): string => Math.round(EVENTS / median(rounds.map((r) => r[side]))).toLocaleString('en');
  return {
    name,
    ratio: median(rounds.map(([own, other]) => other / own)),
    goal,
    detail: `${rate(0)} events per CPU second against ${rate(1)}; median of ${rounds.length} rounds in turn`,
  };
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** The project's root, from the source as well as from dist/. */
function root(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'bench/pairs.c'))) {
    if (dirname(folder) === folder) throw new Error('bench/pairs.c is not beside this program');
    folder = resolve(folder, '..');
  }
  return folder;
}
