/** The program's memory: of all processes of a run, and over a simulated day. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import { realClock } from '../src/clock.ts';
import { root, until } from './bench-top.ts';
import { demoIn, place } from './proof.ts';

const MB = 1e6;
const linux = process.platform === 'linux';

/** Bytes of a field of /proc/PID/status or smaps_rollup; NaN where it is not there. */
function memory(pid: number, file: 'status' | 'smaps_rollup', field: string): number {
  try {
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/${file}`, 'utf8'))?.[1]) * 1024;
  } catch {
    return Number.NaN;
  }
}

/** A process and all below it, by its program. */
function family(pid: number): readonly { readonly pid: number; readonly name: string }[] {
  const parents = readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      return [{ pid: Number(name), parent: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) }];
    } catch {
      return []; // it has ended meanwhile
    }
  });
  const found = [pid];
  for (const one of found) found.push(...parents.filter((p) => p.parent === one).map((p) => p.pid));
  return found.map((one) => ({
    pid: one,
    name: /(main|host-process|recorder\/process|folder-process)\.js/.exec(readFileSync(`/proc/${one}/cmdline`, 'utf8'))?.[1] ?? 'other',
  }));
}

describe.skipIf(!linux)(`memory${linux ? '' : ' (skipped: there is no /proc)'}`, () => {
  test('of the demonstration after 30 s: 300 MB in all, the host 120 MB', async () => {
    const here = place();
    const run = here.start(['run', demoIn(here.folder), '--simulate']);
    await run.said('order laser.emission on');
    await until(realClock(), 30, () => false);
    const all = family(run.child.pid ?? 0).map(({ pid, name }) => ({
      name,
      rss: memory(pid, 'status', 'VmRSS'),
      pss: memory(pid, 'smaps_rollup', 'Pss'),
    }));
    const sum = (of: 'rss' | 'pss') => all.reduce((n, p) => n + p[of], 0);
    for (const { name, rss, pss } of all) console.info(`${name}: RSS ${(rss / MB).toFixed(1)} MB, PSS ${(pss / MB).toFixed(1)} MB`);
    console.info(`in all: RSS ${(sum('rss') / MB).toFixed(1)} MB, PSS ${(sum('pss') / MB).toFixed(1)} MB`);
    expect(all.map((p) => p.name).sort()).toEqual(['host-process', 'main', 'recorder/process']);
    expect(all.find((p) => p.name === 'host-process')?.rss).toBeLessThan(120 * MB);
    expect(sum('rss')).toBeLessThan(300 * MB);
    run.child.kill('SIGINT');
    expect(await run.exit, run.out()).toBe(0);
  });

  test('over a simulated day: flat, and no bad reading', { timeout: 3_600_000 }, async () => {
    interface Hour {
      readonly hour?: number;
      readonly rss: number;
      readonly heapUsed: number;
      readonly readings: number;
      readonly bad: number;
      readonly why?: Readonly<Record<string, number>>;
    }
    const args = ['--expose-gc', '--max-semi-space-size=2', resolve(root, 'dist/bench/day.js'), resolve(root, 'rigs/demo'), '24', '1'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const hours: Hour[] = [];
    let why: Hour['why'];
    try {
      const ended = new Promise<number | null>((done) => child.once('close', done));
      for await (const line of createInterface({ input: child.stdout })) {
        const said = JSON.parse(line) as Hour; // what bench/day.ts prints
        if (said.hour === undefined) why = said.why;
        else {
          hours.push(said);
          const { hour, rss, heapUsed, readings } = said;
          console.info(`hour ${hour}: RSS ${(rss / MB).toFixed(1)} MB, heap ${(heapUsed / MB).toFixed(2)} MB, ${readings} readings`);
        }
      }
      expect(await ended).toBe(0);
    } finally {
      child.kill('SIGKILL');
    }
    expect(hours).toHaveLength(24);
    const [early, last] = [hours[1], hours[23]];
    expect(last?.heapUsed).toBeLessThan(1.1 * (early?.heapUsed ?? 0) + MB);
    // A process gives freed pages back when it likes: what it needs is the least that it had in some hours.
    const least = (some: readonly Hour[]): number => Math.min(...some.map(({ rss }) => rss));
    expect(least(hours.slice(-4))).toBeLessThan(120 * MB);
    expect(least(hours.slice(-4))).toBeLessThan(1.1 * least(hours.slice(1, 5)) + 5 * MB);
    expect(last?.readings).toBeGreaterThan(1e6);
    expect(why).toEqual({});
    expect(last?.bad).toBe(0);
  });
});
