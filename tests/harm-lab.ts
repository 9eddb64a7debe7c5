/** A laboratory that proofs do harm to: real processes, four instruments on four links, and what their outputs are by themselves. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Catalogue } from '../src/catalogue.ts';
import { every } from '../src/clock.ts';
import type { OrderEntry, Status } from '../src/entry.ts';
import { askLocal, type Local, type LocalReply } from '../src/local.ts';
import { readSession } from '../src/recorder/session-read.ts';
import type { Device } from '../src/simulate.ts';
import { type Bench, benchTop, type Child, childrenOf, type Heard, lives, type Running, start, until } from './bench-top.ts';
import { type Read, readBack, sessionsOf } from './proof.ts';

export interface Wiring {
  /** The laser's link: a socket that takes one client, or a pseudo-terminal. */
  readonly laser: 'tcp' | 'pty';
  /** A small disk of its own for the sessions (needs root). */
  readonly disk?: boolean;
  readonly env?: NodeJS.ProcessEnv;
  /** More lines of the oven. */
  readonly oven?: string;
  /** Deadlines and time-outs are so many times as long. */
  readonly patience?: number;
}

/** One hazardous output, as its instrument has it: no word of the program's. */
export interface Output {
  readonly name: string;
  readonly device: string;
  readonly deadline: number;
  /** Its place when all are made safe: each one before may take 0.25 s. */
  readonly place: number;
  unsafe(): boolean;
  /** Since when it is safe, as seen 100 times a second; Infinity while it is not, -Infinity where it has always been. */
  safeAt: number;
}

/** What an ask does: an output's order, another change, or nothing. */
export type Effect = { readonly is: 'order'; readonly output: string; readonly safe: boolean } | { readonly is: 'change' } | undefined;

export interface Lab {
  readonly bench: Bench;
  readonly name: string;
  readonly folder: string;
  readonly rig: string;
  readonly disk: string;
  readonly env: { readonly XDG_RUNTIME_DIR: string };
  readonly devices: Readonly<Record<'laser' | 'gas' | 'oven' | 'guard', Device>>;
  /** Device -> its link, as a session names it. */
  readonly links: Readonly<Record<string, string>>;
  readonly outputs: readonly Output[];
  readonly run: Running | undefined;
  readonly out: () => string;
  /** Starts the program and waits until every instrument is there. */
  begin(): Promise<void>;
  /** Ends it in order where it runs, and gives its exit code. */
  end(): Promise<number | null | undefined>;
  /** It has ended: the next one begins anew. */
  forget(): void;
  ask(request: Local): Promise<LocalReply>;
  order(instrument: string, command: string, written: string): Promise<OrderEntry>;
  status(): Promise<Status>;
  pid(what: 'guardian' | Child): number;
  /** All processes of the run. */
  readonly pids: readonly number[];
  unsafe(): readonly string[];
  /** Seconds by which this process was late itself at most since it was asked last: what the machine did to everybody. */
  lateness(): number;
  /** Asks since then that are not questions. */
  effects(since: number, device?: string): readonly (Heard & { readonly effect: Exclude<Effect, undefined> })[];
  pause(seconds: number): Promise<void>;
  until(seconds: number, is: () => boolean): Promise<boolean>;
  /** When all orders have ended: lets go of what waits for a person, and waits until every interlock holds. What is left is given back. */
  ready(): Promise<string | undefined>;
  /** The last session whole. */
  read(): Promise<Read>;
  /** What the last session has on a topic of JSON: gaps, orders, alarm-states ... */
  entries(topic: string): Promise<readonly unknown[]>;
  close(): Promise<void>;
}

const BEGUN = 60; // seconds in which a run must have begun
const SAMPLE = 0.01; // seconds between two looks at the instruments themselves
const LEASE = 'longest: 10 min, then: safe';
/** Seconds; such as a machine keeps that has much else to do. */
const DEADLINES = { laser: 1, gas: 2, oven: 2, guard: 1 } as const;
const SAFE_ORDER = ['laser.emission', 'laser.current'];

const rigText = (
  name: string,
  sessions: string,
  at: Readonly<Record<string, string>>,
  wiring: Wiring,
  deadline: (of: keyof typeof DEADLINES) => number,
  within = wiring.patience ?? 1,
): string => `# a laboratory for proofs
rig: ${name}
sessions: ${sessions}
record: { reserve: 4 MiB }
instruments:
  laser:
    model: ipg-ylr
    link: ${at.laser}
    within: ${within} s
    every: { set_point: 0.2 s, emission: 0.1 s, temperature: 1 s }
    leases:
      emission: { ${LEASE}, deadline: ${deadline('laser')} s }
      current: { ${LEASE}, deadline: ${deadline('laser')} s }
  gas:
    model: druck-pace
    link: ${at.gas}
    within: ${within} s
    every: { control: 0.5 s }
    leases: { control: { ${LEASE}, deadline: ${deadline('gas')} s } }
  oven:
    model: eurotherm-2000
    link: ${at.oven}
    within: ${within} s
    options: { unit: 1, framing: tcp }
    leases: { setpoint: { ${LEASE}, deadline: ${deadline('oven')} s } }
${wiring.oven ?? ''}  guard:
    model: bridgman-deadman
    link: ${at.guard}
    within: ${within} s
    leases:
      relay: { ${LEASE}, deadline: ${deadline('guard')} s, held_by: guard }
      shutter: { ${LEASE}, deadline: ${deadline('guard')} s, held_by: guard }
interlocks:
  door: { when: { of: guard.door, is: on, stale: 2 s }, forbids: all, latch: true }
  cooling: { when: { of: laser.temperature, below: 60 degC, stale: 5 s }, forbids: [laser.emission, laser.current] }
  pressure: { when: { of: gas.pressure, below: 150 bar, stale: 3 s }, forbids: [gas.control] }
safe_order: [${SAFE_ORDER.join(', ')}]
`;

/** What the simulated instruments hold: their own fields, see simulators/. */
interface States {
  readonly laser: { readonly emission: boolean; readonly startsAt: number | undefined; readonly setPoint: number };
  readonly gas: { readonly control: boolean };
  readonly oven: { readonly setPoint: number };
  readonly guard: { readonly relay: boolean; readonly shutter: boolean };
}

export function effectOf(device: string, ask: unknown): Effect {
  const order = (output: string, safe: boolean): Effect => ({ is: 'order', output: `${device}.${output}`, safe });
  if (typeof ask === 'string') {
    if (device === 'gas') {
      const [, on] = /OUTP:STAT (\d)/.exec(ask) ?? [];
      if (on !== undefined) return order('control', on === '0');
      return ask.includes('?') || ask.trim() === '' ? undefined : { is: 'change' };
    }
    const [, word = '', value = ''] = /^\s*([A-Z]+)\s*(.*?)\s*$/.exec(ask) ?? [];
    if (word === 'EMON' || word === 'EMOFF') return order('emission', word === 'EMOFF');
    if (word === 'SDC') return order('current', Number(value) === 0);
    return word === '' || word === 'STA' || word.startsWith('R') ? undefined : { is: 'change' };
  }
  if (ask === null || typeof ask !== 'object') return undefined;
  if ('function' in ask) {
    if (ask.function !== 6 || !('address' in ask) || !('value' in ask)) return undefined;
    return ask.address === 2 ? order('setpoint', ask.value === 0) : { is: 'change' };
  }
  if ('word' in ask) {
    if ((ask.word === 'relay' || ask.word === 'shutter') && 'value' in ask) return order(ask.word, ask.value === 0);
    return ask.word === 'timeout' && 'value' in ask && ask.value !== 0 ? { is: 'change' } : undefined;
  }
  return undefined;
}

let made = 0;

export async function harmLab(known: Catalogue, wiring: Wiring): Promise<Lab> {
  const folder = mkdtempSync(join(tmpdir(), 'bridgman-harm-'));
  const env = { XDG_RUNTIME_DIR: join(folder, 'runtime'), ...wiring.env };
  mkdirSync(env.XDG_RUNTIME_DIR, { mode: 0o700 });
  const rig = join(folder, 'rig');
  mkdirSync(rig);
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  if (wiring.disk) execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', disk]);
  const sessions = join(disk, 'sessions');
  const name = `harm-${process.pid}-${++made}`;
  const deadline = (of: keyof typeof DEADLINES): number => DEADLINES[of] * (wiring.patience ?? 1);
  const bench = benchTop(known, made);
  const { clock } = bench;
  const devices = {
    laser: bench.device('laser', 'ipg-ylr'),
    gas: bench.device('gas', 'druck-pace'),
    oven: bench.device('oven', 'eurotherm-2000', { unit: 1, framing: 'tcp' }),
    guard: bench.device('guard', 'bridgman-deadman'),
  };
  const at = {
    laser:
      wiring.laser === 'tcp' ? await bench.tcp(devices.laser, true) : `${await bench.pty(devices.laser, join(folder, 'laser'))}?baud=57600`,
    gas: await bench.tcp(devices.gas),
    oven: await bench.tcp(devices.oven, true),
    guard: await bench.tcp(devices.guard, true),
  };
  writeFileSync(join(rig, 'rig.yaml'), rigText(name, sessions, at, wiring, deadline));

  const state = <D extends keyof States>(device: D): States[D] => devices[device].state as States[D]; // a simulator keeps its state to itself
  const output = (device: keyof States, command: string, unsafe: () => boolean): Output => {
    const of = `${device}.${command}`;
    const place = SAFE_ORDER.indexOf(of);
    return {
      name: of,
      device,
      deadline: DEADLINES[device],
      place: place < 0 ? SAFE_ORDER.length : place,
      unsafe,
      safeAt: Number.NEGATIVE_INFINITY,
    };
  };
  const outputs = [
    output('laser', 'emission', () => state('laser').emission || state('laser').startsAt !== undefined),
    output('laser', 'current', () => state('laser').setPoint !== 0),
    output('gas', 'control', () => state('gas').control),
    output('oven', 'setpoint', () => state('oven').setPoint !== 0),
    output('guard', 'relay', () => state('guard').relay),
    output('guard', 'shutter', () => state('guard').shutter),
  ];
  let late = 0;
  let due = clock.mono() + SAMPLE;
  const stop = every(clock, SAMPLE, () => {
    const now = clock.mono();
    late = Math.max(late, now - due);
    due = now + SAMPLE;
    bench.universe.settle();
    for (const o of outputs) {
      if (o.unsafe()) o.safeAt = Number.POSITIVE_INFINITY;
      else if (o.safeAt === Number.POSITIVE_INFINITY) o.safeAt = now;
    }
  });

  let open = 0;
  let run: Running | undefined;
  let last = '';
  const path = join(env.XDG_RUNTIME_DIR, 'bridgman', `${name}.sock`);
  const lastSession = (): string => {
    const found = sessionsOf(sessions).at(-1);
    if (found === undefined) throw new Error(`no session in ${sessions}\n${lab.out()}`);
    return found;
  };
  const lab: Lab = {
    bench,
    name,
    folder,
    rig,
    disk,
    env,
    devices,
    links: Object.fromEntries(Object.entries(at).map(([device, address]) => [device, address.replace(/\?.*$/, '')])),
    outputs,
    get run() {
      return run;
    },
    out: () => run?.out() ?? last,
    async begin() {
      const here = start(['run', rig], env);
      run = here;
      let there = false;
      const late = clock.mono() + BEGUN;
      void here.exit.then(() => {
        there = true;
      });
      while (!there) {
        const status = await lab.status().catch(() => undefined);
        there = status !== undefined && Object.values(status.instruments).every((i) => i.state === 'running');
        if (!there) await lab.pause(0.05);
        if (clock.mono() > late) throw new Error(`not every instrument is there after ${BEGUN} s:\n${here.out()}`);
      }
      if (!lives(here.child.pid ?? -1)) throw new Error(`the run has ended at once:\n${here.out()}`);
    },
    async end() {
      run?.child.kill('SIGINT');
      const code = await run?.exit;
      last = lab.out();
      run = undefined;
      return code;
    },
    forget() {
      last = lab.out();
      run = undefined;
    },
    ask: (request) => askLocal(path, request, 30),
    async order(instrument, command, written) {
      const asked = lab.ask({ do: 'order', order: { by: 'proof', instrument, command, written } });
      open++;
      const reply = await asked.finally(() => open--);
      if (!reply.ok || !('order' in reply) || !reply.order) throw new Error(`no outcome: ${JSON.stringify(reply)}`);
      return reply.order;
    },
    async status() {
      const reply = await lab.ask({ do: 'status' });
      if (!reply.ok || !('status' in reply)) throw new Error(JSON.stringify(reply));
      return reply.status as Status; // the host's own
    },
    pid(what) {
      const guardian = run?.child.pid;
      // Never a number that is nobody's: signals to -1 reach everybody.
      if (!run || guardian === undefined) throw new Error('nothing runs');
      return what === 'guardian' ? guardian : run.pid(what);
    },
    get pids() {
      const guardian = run?.child.pid;
      return guardian === undefined ? [] : [guardian, ...childrenOf(guardian)];
    },
    unsafe() {
      bench.universe.settle();
      return outputs.filter((o) => o.unsafe()).map((o) => o.name);
    },
    lateness() {
      const worst = late;
      late = 0;
      return worst;
    },
    effects: (since, device) =>
      bench.heard.flatMap((heard) =>
        heard.at >= since && (device === undefined || heard.from === device)
          ? heard.asks.flatMap((ask) => {
              const effect = effectOf(heard.from, ask);
              return effect ? [{ ...heard, effect }] : [];
            })
          : [],
      ),
    async pause(seconds) {
      await until(clock, seconds, () => false);
    },
    until: (seconds, is) => until(clock, seconds, is),
    async ready() {
      let why = '';
      await until(clock, 10, () => open === 0);
      for (let tries = 0; tries < 100; tries++) {
        const reply = await lab.ask({ do: 'acknowledge', by: 'proof', all: true });
        const { latched, interlocks = [] } = await lab.status();
        const broken = interlocks.filter((i) => i.is !== 'holds').map((i) => `${i.name} ${i.is} ${i.why}`);
        if (latched === undefined && broken.length === 0) return undefined;
        why = [reply.ok ? '' : reply.why, latched ?? '', ...broken].join('; ');
        await lab.pause(0.1);
      }
      return why;
    },
    read: async () => readBack(lastSession()),
    async entries(topic) {
      const found: unknown[] = [];
      for await (const m of readSession(lastSession(), {}))
        if (m.topic === topic) found.push(JSON.parse(Buffer.from(m.bytes).toString('utf8')));
      return found;
    },
    async close() {
      // One that has ended may have left its number to a stranger.
      const goes = run?.child.exitCode === null && run.child.signalCode === null;
      for (const pid of goes ? lab.pids : []) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // it has ended
        }
      }
      await run?.exit;
      stop();
      await bench.close();
      if (wiring.disk) execFileSync('umount', ['-l', disk]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return lab;
}

/** Of /proc: whether the disk of a laboratory can be mounted here. */
export function mounts(): boolean {
  if (process.getuid?.() !== 0) return false;
  try {
    for (const tool of ['mount', 'umount', 'fallocate']) execFileSync('which', [tool], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
