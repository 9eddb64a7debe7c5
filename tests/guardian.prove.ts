/** Guardian, host and recorder as real processes: killed one by one and all at once, started twenty at a time, stopped by key and by file. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { type Bench, benchTop, entry, hasSocat, needs, type Running, root, start, until } from './bench-top.ts';
import { place, readBack, sessionsOf } from './proof.ts';

const known = await catalogue();
const linux = process.platform === 'linux';

interface Lab extends ReturnType<typeof place> {
  readonly bench: Bench;
  readonly rig: string;
  readonly name: string;
  readonly emission: () => unknown;
  /** The emission's orders as they came over the wire. */
  readonly words: () => readonly string[];
}

let count = 0;
let lab: Lab;
/** A laser on a socket that serves two, a rig that switches it on, and a stop file. */
beforeEach(async () => {
  const at = place();
  const bench = benchTop(known);
  onTestFinished(() => bench.close());
  const laser = bench.device('laser', 'ipg-ylr');
  const rig = join(at.folder, 'rig');
  const name = `guard-${process.pid}-${count++}`;
  mkdirSync(rig);
  writeFileSync(
    join(rig, 'rig.yaml'),
    `
rig: ${name}
stop_file: STOP
instruments:
  laser:
    model: ipg-ylr
    link: ${await bench.tcp(laser)}
    every: { set_point: 0.2 s, emission: 0.1 s }
    leases:
      emission: { longest: 10 min, deadline: 1 s, then: safe, interlock: none }
      current: { longest: 10 min, deadline: 1 s, then: safe, interlock: none }
start:
  - { order: laser.current, value: 10 % }
  - { order: laser.emission, value: on }
`,
  );
  lab = {
    ...at,
    bench,
    rig,
    name,
    emission: () => (laser.state as { emission?: unknown }).emission, // the simulator's own state
    words: () => bench.heard.flatMap((h) => h.text.match(/EMO(N|FF)/g) ?? []),
  };
});

const on = /order laser\.emission on \(rig\): done/;
const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
};
/** What is left of a run: host, recorder, and whatever else has its rig's folder in its environment or arguments. */
const ended = (pids: readonly number[]): Promise<boolean> => until(lab.bench.clock, 20, () => !pids.some(alive));
const recordOf = (): {
  readonly signed?: unknown;
  readonly outputs: Readonly<Record<string, { readonly is: string; readonly by?: string }>>;
} => JSON.parse(readFileSync(join(lab.rig, 'sessions', `${lab.name}.armed.json`), 'utf8')) as ReturnType<typeof recordOf>; // written by the program
const order = (...words: string[]): Promise<{ readonly code: number | null; readonly out: string }> => {
  const run = start(['order', ...words, '--rig', lab.name], lab.env);
  return run.exit.then((code) => ({ code, out: run.out() }));
};
const processes = (run: Running): readonly [host: number, recorder: number] => [run.pid('host-process'), run.pid('recorder/process')];

describe('the record of armed outputs', () => {
  test('an orderly end is signed off, the next start shows it, and nothing must be acknowledged', async () => {
    const run = lab.start(['run', lab.rig]);
    await run.said(on);
    expect(recordOf().signed).toBe(undefined);
    expect(recordOf().outputs['laser.emission']?.is).toBe('on');
    run.child.kill('SIGINT');
    expect(await run.exit, run.out()).toBe(0);
    expect(recordOf()).toMatchObject({ signed: { by: 'guardian' }, outputs: { 'laser.emission': { is: 'safe', by: 'host' } } });
    const next = lab.start(['run', lab.rig]);
    await next.said(/the last run \(.*\) was signed off by the guardian at .*laser\.emission safe, read back by the host/);
    await next.said(on);
    next.child.kill('SIGINT');
    expect(await next.exit, next.out()).toBe(0);
  });

  test('a power cut: all is gone at once, the output stays on; the next start says so, orders nothing, and goes on when a person has acknowledged', async () => {
    const run = lab.start(['run', lab.rig]);
    await run.said(on);
    const pids = [...processes(run), run.child.pid ?? 0];
    // The guardian first: the host must have no moment in which it is alone.
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await run.exit;
    expect(await ended(pids)).toBe(true);
    expect(lab.emission()).toBe(true);
    const from = lab.words().length;
    const next = lab.start(['run', lab.rig]);
    await next.said(/was NOT signed off: .*laser\.emission on since/);
    await next.said(/laser\.emission: was on since .* ended without signing off \(all its processes ended at once\)/);
    await next.said(/order laser\.current 0\.1 \(rig\): refused/);
    const refused = await order('laser', 'emission', 'on');
    expect(refused.code, refused.out).toBe(3);
    expect(lab.words().slice(from)).not.toContain('EMON');
    const acknowledged = await order('rig', 'acknowledge', 'record');
    expect(acknowledged.code, acknowledged.out).toBe(0);
    // Whatever else the host asks for because of what it has found on is acknowledged, too.
    const found = await order('rig', 'acknowledge');
    expect([0, 3], found.out).toContain(found.code);
    const given = await order('laser', 'emission', 'on');
    expect(given.code, given.out + next.out()).toBe(0);
    next.child.kill('SIGINT');
    expect(await next.exit, next.out()).toBe(0);
    expect(recordOf()).toMatchObject({ signed: { by: 'guardian' }, unsettled: [] });
    expect(lab.emission()).toBe(false);
  });

  test('a damaged record is said, and nothing hazardous goes until it is acknowledged', async () => {
    mkdirSync(join(lab.rig, 'sessions'));
    writeFileSync(join(lab.rig, 'sessions', `${lab.name}.armed.json`), '{"version":1,"outp');
    const run = lab.start(['run', lab.rig]);
    await run.said('the record of armed outputs is damaged (it is not whole)');
    await run.said(/order laser\.current 0\.1 \(rig\): refused/);
    expect(lab.words()).not.toContain('EMON');
    run.child.kill('SIGINT');
    expect(await run.exit, run.out()).toBe(0);
  });

  test('a simulated run has no record', async () => {
    const run = lab.start(['run', lab.rig, '--simulate', '--for', '4s']);
    expect(await run.exit, run.out()).toBe(0);
    expect(existsSync(join(lab.rig, 'sessions', `${lab.name}.armed.json`))).toBe(false);
  });
});

describe('a guardian that dies', () => {
  test('the host makes its outputs safe and ends, the recorder ends the session whole, nothing is left running', async () => {
    const run = lab.start(['run', lab.rig]);
    await run.said(on);
    const pids = processes(run);
    const from = lab.words().length;
    run.child.kill('SIGKILL');
    expect(await ended(pids), run.out()).toBe(true);
    expect(lab.emission()).toBe(false);
    expect(lab.words().slice(from)).not.toContain('EMON');
    const [session = ''] = sessionsOf(join(lab.rig, 'sessions'));
    const { readings, troubles } = await readBack(session);
    expect(troubles).toEqual([]);
    expect(readings.filter((r) => r.from === 'laser.emission').at(-1)).toMatchObject({ quality: 'good', value: false });
    expect(readFileSync(`${session}.log`, 'utf8')).toContain('guardian: the guardian has ended by itself');
    // Nothing keeps the next one from its beginning, and it says what the one before has left open.
    const next = lab.start(['run', lab.rig]);
    await next.said('was NOT signed off');
    next.child.kill('SIGINT');
    expect(await next.exit, next.out()).toBe(0);
  });
});

describe('all stand still', () => {
  test.each(['guardian first', 'host first'])(
    'for six seconds, as when the machine sleeps: the first order after it is safe (%s)',
    async (first) => {
      const run = lab.start(['run', lab.rig]);
      await run.said(on);
      const [host, recorder] = processes(run);
      const pids = [run.child.pid ?? 0, recorder, host];
      for (const pid of pids) process.kill(pid, 'SIGSTOP');
      await until(lab.bench.clock, 6, () => false);
      const from = lab.bench.heard.length;
      for (const pid of first === 'host first' ? pids.reverse() : pids) process.kill(pid, 'SIGCONT');
      expect(await until(lab.bench.clock, 20, () => lab.emission() === false), run.out()).toBe(true);
      const orders = lab.bench.heard.slice(from).flatMap((h) => h.text.match(/EMOFF|EMON|SDC \S+/g) ?? []);
      expect(orders[0], orders.join(' ')).toMatch(/^(EMOFF|SDC 0(\.0*)?)$/);
      expect(orders).not.toContain('EMON');
      const refused = await order('laser', 'emission', 'on');
      expect(refused.code, refused.out).toBe(3);
      run.child.kill('SIGINT');
      expect(await run.exit, run.out()).toBe(0);
    },
  );
});

describe('a recorder that dies', () => {
  test('another one goes on with the session, again and again, and the outputs stay on', async () => {
    const run = lab.start(['run', lab.rig]);
    await run.said(on);
    for (let i = 0; i < 3; i++) {
      const pid = run.pid('recorder/process');
      process.kill(pid, 'SIGKILL');
      await run.said(new RegExp(`another one goes on in ${(0.1 * 2 ** i).toFixed(1)} s`));
      expect(
        await until(lab.bench.clock, 30, () => {
          try {
            return run.pid('recorder/process') !== pid;
          } catch {
            return false;
          }
        }),
        run.out(),
      ).toBe(true);
      await run.said(
        new RegExp(`guardian: the recorder has ended by itself \\(SIGKILL\\): another one goes on in ${(0.1 * 2 ** i).toFixed(1)} s`),
      );
    }
    expect(lab.emission()).toBe(true);
    run.child.kill('SIGINT');
    expect(await run.exit, run.out()).toBe(0);
    const [session = ''] = sessionsOf(join(lab.rig, 'sessions'));
    const { readings } = await readBack(session);
    expect(readings.filter((r) => r.from === 'laser.emission').at(-1)).toMatchObject({ quality: 'good', value: false });
  });
});

describe.skipIf(!linux)('never two guardians', () => {
  test('twenty starts at the same moment, from ten sessions of a login each: one lives', async () => {
    const runs = Array.from({ length: 20 }, (_, i) => {
      const runtime = join(lab.folder, `runtime-${i % 10}`);
      mkdirSync(runtime, { recursive: true, mode: 0o700 });
      const run = start(['run', lab.rig], { XDG_RUNTIME_DIR: runtime });
      onTestFinished(() => void run.child.kill('SIGKILL'));
      return run;
    });
    const codes = new Map<Running, number | null>();
    for (const run of runs) void run.exit.then((code) => codes.set(run, code));
    expect(await until(lab.bench.clock, 120, () => codes.size >= 19)).toBe(true);
    const [one, ...more] = runs.filter((run) => !codes.has(run));
    if (!one || more.length > 0) throw new Error(runs.map((r) => r.out()).join('\n---\n'));
    await one.said(on);
    for (const [run, code] of codes) {
      expect(code, run.out()).toBe(1);
      // Perhaps of one that had the name and then not the rig's folder.
      expect(run.out()).toMatch(/this rig is already running: process \d+ of \w+ runs guard-/);
    }
    expect(sessionsOf(join(lab.rig, 'sessions')).length).toBe(1);
    one.child.kill('SIGINT');
    expect(await one.exit, one.out()).toBe(0);
  });
});

describe('the stop file', () => {
  test('stops when it appears, forbids while it is there; there at the start it lets nothing hazardous begin', async () => {
    const file = join(lab.rig, 'STOP');
    const run = lab.start(['run', lab.rig]);
    await run.said(on);
    writeFileSync(file, '');
    await run.said('STOP by the stop file');
    expect(await until(lab.bench.clock, 10, () => lab.emission() === false), run.out()).toBe(true);
    await order('rig', 'acknowledge');
    const refused = await order('laser', 'emission', 'on');
    expect([refused.code, refused.out], run.out()).toEqual([3, expect.stringContaining('stop file')]);
    rmSync(file);
    await run.said(`${file} is gone`);
    await order('rig', 'acknowledge');
    const given = await order('laser', 'emission', 'on');
    expect(given.code, given.out).toBe(0);
    run.child.kill('SIGINT');
    expect(await run.exit, run.out()).toBe(0);

    writeFileSync(file, '');
    const n = lab.words().length;
    const next = lab.start(['run', lab.rig]);
    await next.said(/order laser\.current 0\.1 \(rig\): refused/);
    expect(lab.words().slice(n)).not.toContain('EMON');
    next.child.kill('SIGINT');
    expect(await next.exit, next.out()).toBe(0);
  });
});

describe.skipIf(!needs('socat', hasSocat))('the space bar, on a terminal', () => {
  interface Terminal {
    readonly child: ChildProcess;
    readonly out: () => string;
    type(text: string): void;
    readonly exit: Promise<number | null>;
  }
  /** A shell on a pseudo-terminal that runs the rig and then says how its terminal is set. */
  const terminal = (): Terminal => {
    const script = join(lab.folder, 'shell.sh');
    writeFileSync(
      script,
      `stty rows 40 cols 160\nstty -g\n"${process.execPath}" "${entry}" run "${lab.rig}"\necho "code $?"\nsleep 3\nstty -g\necho shell is done\n`,
    );
    const child = spawn('socat', ['-t', '60', `EXEC:"sh ${script}",pty,setsid,ctty,stderr`, 'STDIO'], {
      cwd: root,
      env: { ...process.env, ...lab.env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    let out = '';
    child.stdout.on('data', (data: Buffer) => {
      out += data.toString('utf8');
    });
    return {
      child,
      out: () => out,
      type: (text) => void child.stdin.write(text),
      exit: new Promise((done) => child.once('close', (code) => done(code))),
    };
  };
  const says = async (t: Terminal, text: string | RegExp): Promise<void> => {
    const is = (): boolean => (typeof text === 'string' ? t.out().includes(text) : text.test(t.out()));
    expect(await until(lab.bench.clock, 60, is), `${text} in:\n${t.out().slice(-4000)}`).toBe(true);
  };
  /** How the terminal was set before and after: the lines of `stty -g`. */
  const settings = (t: Terminal): readonly string[] => t.out().match(/^[0-9a-f]+(?::[0-9a-f]+){10,}/gm) ?? [];

  test('stops, and says in large letters that it was read back; Ctrl-C ends in order; the terminal is as it was', async () => {
    const t = terminal();
    await says(t, 'SPACE: STOP');
    await says(t, on);
    t.type('q');
    t.type(' ');
    await says(t, 'S T O P P E D,  read back');
    expect(lab.emission()).toBe(false);
    await says(t, 'LATCHED');
    t.type('\x03');
    await says(t, 'shell is done');
    expect(t.out()).toContain('code 0');
    expect(t.out()).toContain('\x1b[?1049l');
    const [before, after] = settings(t);
    expect(after).toBe(before);
  });

  test('a guardian that is killed leaves a terminal that works', async () => {
    const t = terminal();
    await says(t, on);
    const runs = readdirSync('/proc').flatMap((name) => {
      try {
        const words = readFileSync(`/proc/${name}/cmdline`, 'utf8');
        return words.includes(entry) && words.includes(lab.rig) && !words.includes('sh\0') && /^\d+$/.test(name) ? [Number(name)] : [];
      } catch {
        return [];
      }
    });
    expect(runs.length).toBe(1);
    process.kill(runs[0] ?? 0, 'SIGKILL');
    await says(t, 'shell is done');
    expect(t.out()).toContain('\x1b[?1049l');
    const [before, after] = settings(t);
    expect(after).toBe(before);
    expect(lab.emission()).toBe(false);
  });
});
