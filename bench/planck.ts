/**
 * Planck fits per second of CPU time at 1,024 pixels, against the same algorithm in C and against scipy.
 * Right before fast: results are compared first.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fitPlanck } from '../src/derive/planck.ts';
import { EXACT, spectralRadiance } from '../src/derive/radiance.ts';
import { fitUnweighted } from '../src/derive/unweighted.ts';

interface Result {
  readonly name: string;
  readonly ratio: number;
  readonly goal: number;
  readonly detail: string;
}

const PIXELS = 1024;
const TEMPERATURES = [1200, 1500, 1800, 2100, 2400, 2700, 3000, 3500, 4000, 5000];
const ELECTRONS = 1e6;
const ROUNDS = 9;
const wavelength = Float64Array.from({ length: PIXELS }, (_, i) => (600 + (300 * i) / (PIXELS - 1)) / 1e9);
const response = wavelength.map((l) => Math.exp(-(((l * 1e9 - 720) / 140) ** 2)));

export async function planck(): Promise<readonly Result[]> {
  const spectra = TEMPERATURES.map(noisy);
  const input = packed(spectra);
  const folder = mkdtempSync(join(tmpdir(), 'bridgman-bench-'));
  try {
    return [againstC(spectra, input, folder), againstScipy(spectra, input)].filter((r) => r !== undefined);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Counts with noise of the right size; a fixed sequence, so that every run fits the same spectra. */
function noisy(t: number): Float64Array {
  let state = t;
  const random = (): number => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  const shape = wavelength.map((l, i) => (response[i] ?? 0) * spectralRadiance(l, t));
  const scale = ELECTRONS / shape.reduce((s, v) => s + v, 0);
  return shape.map((v) => {
    const mean = v * scale;
    const normal = Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
    return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal));
  });
}

function packed(spectra: readonly Float64Array[]): Uint8Array {
  const bytes = new Uint8Array(8 + 8 * PIXELS * (2 + spectra.length));
  new Int32Array(bytes.buffer, 0, 2).set([PIXELS, spectra.length]);
  const all = [wavelength, response, ...spectra];
  for (const [i, column] of all.entries()) new Float64Array(bytes.buffer, 8 + 8 * PIXELS * i, PIXELS).set(column);
  return bytes;
}

function againstC(spectra: readonly Float64Array[], input: Uint8Array, folder: string): Result | undefined {
  const program = join(folder, 'planck');
  const compiler = ['gcc', 'cc'].find((cc) => spawnSync(cc, ['--version']).status === 0);
  if (!compiler) return undefined;
  const made = spawnSync(compiler, ['-O3', '-o', program, join(root(), 'bench/planck.c'), '-lm'], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`planck.c does not compile: ${made.stderr}`);
  const { rows } = child(program, ['1'], input);
  for (const [i, counts] of spectra.entries()) {
    const mine = fitPlanck({ wavelength, response, counts });
    const [temperature = 0, sigma = 0, factor = 0, chi2 = 0] = rows[i] ?? [];
    if ('refused' in mine) throw new Error(mine.refused);
    same('temperature', mine.temperature, temperature, 1e-9);
    same('sigma', mine.sigma, sigma, 1e-8);
    same('factor', mine.factor, factor, 1e-8);
    same('chi2', mine.chi2, chi2, 1e-8);
  }
  const times = 20;
  const fits = times * spectra.length;
  const rounds = interleaved(
    () => ours(spectra, times),
    () => child(program, [String(times)], input).seconds,
  );
  return result('Planck fits/s, 1,024 px, of C -O3', rounds, 0.4, fits, fits);
}

function againstScipy(spectra: readonly Float64Array[], input: Uint8Array): Result | undefined {
  if (spawnSync('python3', ['-c', 'import scipy.optimize']).status !== 0) return undefined;
  const script = join(root(), 'bench/planck.py');
  const { rows } = child('python3', [script, '1'], input);
  for (const [i, counts] of spectra.entries()) {
    const mine = fitUnweighted(
      wavelength,
      counts.map((n, p) => n / (response[p] ?? 1)),
      EXACT,
    );
    if ('refused' in mine) throw new Error(mine.refused);
    same('scipy temperature', mine.temperature, rows[i]?.[0] ?? 0, 1e-5);
  }
  const [mine, theirs] = [20, 2];
  const rounds = interleaved(
    () => ours(spectra, mine) / mine,
    () => child('python3', [script, String(theirs)], input).seconds / theirs,
  );
  return result('Planck fits/s, 1,024 px, of scipy curve_fit', rounds, 2, spectra.length, spectra.length);
}

function ours(spectra: readonly Float64Array[], times: number): number {
  const start = process.cpuUsage();
  for (let time = 0; time < times; time++) {
    for (const counts of spectra) if ('refused' in fitPlanck({ wavelength, response, counts })) throw new Error('a fit was refused');
  }
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

function child(
  program: string,
  args: readonly string[],
  input: Uint8Array,
): { readonly seconds: number; readonly rows: readonly (readonly number[])[] } {
  const run = spawnSync(program, [...args], { input, encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`${program} ends with ${run.status}: ${run.stderr}`);
  const [first, ...rest] = run.stdout.trim().split('\n');
  return { seconds: Number(first), rows: rest.map((line) => line.split(' ').map(Number)) };
}

function same(what: string, a: number, b: number, relative: number): void {
  if (!(Math.abs(a / b - 1) <= relative)) throw new Error(`${what} differs: ${a} and ${b}`);
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

function result(name: string, rounds: readonly Round[], goal: number, myFits: number, theirFits: number): Result {
  const ratio = median(rounds.map(([mine, theirs]) => theirs / mine));
  const rate = (side: 0 | 1, fits: number): string => Math.round(fits / median(rounds.map((r) => r[side]))).toLocaleString('en');
  return {
    name,
    ratio,
    goal,
    detail: `${rate(0, myFits)} fits per CPU second against ${rate(1, theirFits)}; median of ${rounds.length} rounds in turn`,
  };
}

/** The project's root, from the source as well as from dist/. */
function root(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'bench/planck.c'))) {
    if (dirname(folder) === folder) throw new Error('bench/planck.c is not beside this program');
    folder = resolve(folder, '..');
  }
  return folder;
}
