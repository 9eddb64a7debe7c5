/** The rig of bench/rates.yaml as `bridgman simulate` serves it and `bridgman run` runs it, each in processes of its own, for a while. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Status } from '../src/entry.ts';
import { askLocal, socketOf } from '../src/local.ts';

/** Two looks at the host, and the session between them. */
export interface Watched {
  readonly before: Look;
  readonly after: Look;
  /** Seconds. */
  readonly seconds: number;
  readonly session: string;
  /** Links by instrument, as a rig writes them; the simulators are still served there. */
  readonly links: ReadonlyMap<string, string>;
}

export interface Look {
  readonly status: Status;
  /** Ticks that a process which does nothing else has left out since it began, by the grid in seconds: the machine itself stood still. */
  readonly still: Readonly<Record<string, number>>;
  /** Seconds of CPU time of all threads of the host's process; NaN where there is no /proc. */
  readonly cpu: number;
}

const READY = 60; // seconds for everything to be found and the delta measurement to run
const SETTLED = 3; // seconds from there to the first look: the questions of the beginning are over
const TICKS = 100; // of /proc/PID/stat a second, on every Linux (USER_HZ)

export const wait = (seconds: number): Promise<void> => new Promise((done) => setTimeout(done, seconds * 1000));

/** The project's root, from the source as well as from dist/. */
export function root(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'bench/rates.yaml'))) {
    if (dirname(folder) === folder) throw new Error('bench/rates.yaml is not beside this program');
    folder = dirname(folder);
  }
  return folder;
}

interface Program {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly ended: Promise<number | null>;
}

export const bridgman = (args: readonly string[], env: NodeJS.ProcessEnv = {}): Program =>
  program([join(root(), 'dist/src/main.js'), ...args], env);

export function program(args: readonly string[], env: NodeJS.ProcessEnv = {}): Program {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let out = '';
  for (const pipe of [child.stdout, child.stderr]) {
    pipe.setEncoding('utf8').on('data', (text: string) => {
      out = (out + text).slice(-200_000);
    });
  }
  return { child, out: () => out, ended: new Promise((done) => child.once('close', (code) => done(code))) };
}

export async function end(one: Program): Promise<number | null> {
  one.child.kill('SIGTERM');
  return one.ended;
}

/** Ticks of these grids that come as late as the host skips a poll are counted. Prints the counts each 20 ms. */
const IDLE = `
  const left = {};
  for (const every of JSON.parse(process.argv[1])) {
    const start = performance.now(), step = 1000 * every;
    let n = 0;
    left[every] = 0;
    const next = () => {
      n = Math.max(n + 1, Math.floor((performance.now() - start) / step) + 1);
      const mine = n;
      setTimeout(() => { next(); left[every] += Math.max(0, n - mine - 1 - Math.max(1, Math.floor(0.25 / every + 1e-9))); }, start + n * step - performance.now());
    };
    next();
  }
  setInterval(() => console.log(JSON.stringify(left)), 20);`;

export const GRIDS = [0.01, 0.05, 0.1] as const; // seconds

/** Asks until there is something; throws with what the program has said where there is nothing in time, or where it has ended. */
export async function until<T>(one: Program, what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (let left = READY; left > 0; left -= 0.1) {
    const found = await look();
    if (found !== undefined) return found;
    if (one.child.exitCode !== null) break;
    await wait(0.1);
  }
  throw new Error(`${what}:\n${one.out().trim()}`);
}

const proc = (pid: number | string, file: string): string => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return ''; // it has ended, or there is no /proc
  }
};
/** What stands in /proc/PID/stat behind the name, which may have blanks: state, parent, ... */
const stat = (pid: number | string): readonly string[] => {
  const text = proc(pid, 'stat');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
};

function hostOf(run: number | undefined): string | undefined {
  if (!existsSync('/proc')) return undefined;
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.find((pid) => stat(pid)[1] === String(run) && proc(pid, 'cmdline').includes('host-process'));
}

/** user and system time, fields 14 and 15 of proc(5). */
function cpuOf(pid: string | undefined): number {
  const [user, system] = pid === undefined ? [] : stat(pid).slice(11, 13);
  return user === undefined ? Number.NaN : (Number(user) + Number(system)) / TICKS;
}

/**
 * Runs the rig, looks at it, waits so many seconds and looks again; `then` is called with the run over and the simulators still there.
 * Throws where the rig does not come up or does not end in order.
 */
export async function watched<T>(seconds: number, then: (w: Watched) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'bridgman-rates-'));
  const programs: Program[] = [];
  try {
    const rig = `rates-${process.pid}`;
    const text = readFileSync(join(root(), 'bench/rates.yaml'), 'utf8').replace(/^rig: .*$/m, `rig: ${rig}`);
    writeFileSync(join(folder, 'rig.yaml'), text);
    const served = join(folder, 'served.yaml');
    const simulators = bridgman(['simulate', join(folder, 'rig.yaml'), '--write', served, '--json']);
    programs.push(simulators);
    const links = await until(simulators, 'the simulators are not served', () => linksOf(simulators.out()));
    const run = bridgman(['run', served, '--summary', join(folder, 'summary.json')]);
    programs.push(run);
    const status = async (): Promise<Status | undefined> => {
      const answer = await askLocal(socketOf(rig), { do: 'status' }, 10).catch(() => undefined);
      return answer?.ok && 'status' in answer ? (answer.status as Status) : undefined; // as the host gives it
    };
    await until(run, 'the rig does not come up', async () => {
      const now = await status();
      const up = now !== undefined && Object.values(now.instruments).every((i) => i.state === 'running');
      return up && now.leases.some((l) => l.name === 'source.delta' && l.active) ? true : undefined;
    });
    await wait(SETTLED);
    const host = hostOf(run.child.pid);
    const idle = program(['-e', IDLE, JSON.stringify(GRIDS)]);
    programs.push(idle);
    const still = (): Readonly<Record<string, number>> => {
      const lines = idle.out().split('\n');
      const last = lines.at(-2);
      return last === undefined ? {} : (JSON.parse(last) as Record<string, number>); // written by IDLE
    };
    const look = async (): Promise<Look> => {
      // The first answer may come right after a standstill, before the timers have counted what passed in it.
      await until(run, 'the host does not answer', status);
      return { status: await until(run, 'the host does not answer', status), cpu: cpuOf(host), still: still() };
    };
    const before = await look();
    await wait(seconds);
    const after = await look();
    const code = await end(run);
    if (code !== 0) throw new Error(`the run ended with ${code}:\n${run.out().trim()}`);
    const { session } = JSON.parse(readFileSync(join(folder, 'summary.json'), 'utf8')) as { session: string }; // written by the recorder
    return await then({ before, after, seconds: (after.status.t - before.status.t) / 1e6, session, links });
  } finally {
    for (const one of programs.reverse()) await end(one);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Once it has said that the copy of the rig is written: the link of each instrument. */
export function linksOf(out: string): ReadonlyMap<string, string> | undefined {
  if (!/^\{"rig":/m.test(out)) return undefined;
  const lines = out.split('\n').filter((line) => line.startsWith('{"name"'));
  // As `simulate --json` prints them.
  return new Map(lines.map((line) => JSON.parse(line) as { name: string; link: string }).map(({ name, link }) => [name, link]));
}
