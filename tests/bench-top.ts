/** Simulators on real sockets and pseudo-terminals in this process, with a note of every byte that reaches them and when. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Fault, latin1 } from '../protocols/protocol.ts';
import type { Catalogue } from '../src/catalogue.ts';
import { type Clock, realClock } from '../src/clock.ts';
import { type Served, servePty, serveTcp } from '../src/serve.ts';
import { type Device, type Port, type Talker, type Universe, universe } from '../src/simulate.ts';

export const root = resolve(import.meta.dirname, '..');
export const entry = resolve(root, 'dist/src/main.js');
export const hasSocat = spawnSync('socat', ['-V']).status === 0;

/** Fails where the full suite must have the service, else says why the test is skipped. */
export function needs(service: string, there: boolean): boolean {
  if (!there && process.env.BRIDGMAN_REQUIRE_SERVICES) throw new Error(`${service} is not installed, and BRIDGMAN_REQUIRE_SERVICES is set`);
  if (!there) console.warn(`skipped: ${service} is not installed`);
  return there;
}

export interface Heard {
  readonly at: number; // seconds of the clock
  readonly text: string;
  /** The device. */
  readonly from: string;
  /** Which client of this device, counted from 1; 0 on a line that does not know its talkers apart. */
  readonly client: number;
  /** What became whole with these bytes, in the device's language; noise is left out. */
  readonly asks: readonly unknown[];
}

export interface Bench {
  readonly clock: Clock;
  readonly universe: Universe;
  readonly heard: Heard[];
  device(name: string, model: string, options?: unknown): Device;
  tcp(device: Device, oneClient?: boolean): Promise<string>;
  pty(device: Device, path: string): Promise<string>;
  /** The port goes away as if its plug were pulled; `plug` brings it back under the same address. */
  unplug(device: Device): Promise<void>;
  plug(device: Device): Promise<void>;
  /** While it is mute a device neither hears nor answers, and its port stays open. */
  mute(device: Device, on: boolean): void;
  close(): Promise<void>;
}

export function benchTop(catalogue: Catalogue, seed = 1): Bench {
  const clock = realClock();
  const all = universe(seed, clock);
  const heard: Heard[] = [];
  const mutes = new Set<string>();
  const served = new Map<string, Served>();
  const again = new Map<string, () => Promise<Served>>();
  const tapped = (device: Device): Port => {
    const port = device.ports.main;
    const tap = (talker: Talker, client: number): Talker => {
      const decode = port.protocol.asks.decoder();
      return {
        says: talker.says,
        receive(bytes) {
          if (mutes.has(device.name)) return;
          const asks = decode(bytes).filter((ask) => !(ask instanceof Fault));
          heard.push({ at: clock.mono(), text: latin1(bytes), from: device.name, client, asks });
          talker.receive(bytes);
        },
      };
    };
    let clients = 0;
    const line = tap(port, 0);
    return { protocol: port.protocol, ...line, talker: () => tap(port.talker?.() ?? port, ++clients) };
  };
  const keep = async (device: Device, serve: (address?: string) => Promise<Served>): Promise<string> => {
    const first = await serve();
    served.set(device.name, first);
    again.set(device.name, () => serve(first.address));
    return first.address;
  };
  return {
    clock,
    universe: all,
    heard,
    device(name, model, options) {
      const simulator = catalogue.simulators.get(model);
      if (!simulator) throw new Error(`no simulator ${model}`);
      return all.device(name, simulator, simulator.options.parse(options));
    },
    tcp(device, oneClient = false) {
      const port = tapped(device);
      return keep(device, (address = ':0') => serveTcp([port], { port: Number(address.split(':').at(-1)), oneClient }, clock));
    },
    pty(device, path) {
      // A line does not know its talkers apart.
      const { talker: _, ...port } = tapped(device);
      return keep(device, () => servePty([port], path, clock));
    },
    async unplug(device) {
      await served.get(device.name)?.close();
      served.delete(device.name);
    },
    async plug(device) {
      const serve = again.get(device.name);
      if (serve && !served.has(device.name)) served.set(device.name, await serve());
    },
    mute(device, on) {
      if (on) mutes.add(device.name);
      else mutes.delete(device.name);
    },
    async close() {
      await Promise.all([...served.values()].map((s) => s.close()));
    },
  };
}

export interface Running {
  readonly child: ChildProcess;
  readonly out: () => string;
  /** Resolves when the text has been printed; rejects when the program ends before. */
  said(text: string | RegExp): Promise<void>;
  readonly exit: Promise<number | null>;
  /** The process of this name below the guardian. */
  pid(what: Child): number;
}

export type Child = 'host-process' | 'recorder/process';

export function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  const child = spawn(process.execPath, [entry, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  const waiting = new Set<() => void>();
  const more = (data: Buffer): void => {
    out += data.toString('utf8');
    for (const look of waiting) look();
  };
  child.stdout?.on('data', more);
  child.stderr?.on('data', more);
  const exit = new Promise<number | null>((done) => child.once('close', (code) => done(code)));
  return {
    child,
    exit,
    out: () => out,
    said: (text) =>
      new Promise((done, failed) => {
        const look = (): void => {
          if (typeof text === 'string' ? !out.includes(text) : !text.test(out)) return;
          waiting.delete(look);
          done();
        };
        waiting.add(look);
        look();
        void exit.then(() => {
          waiting.delete(look);
          failed(new Error(`ended before it said ${text}:\n${out}`));
        });
      }),
    pid(what) {
      const found = childrenOf(child.pid ?? -1).find((pid) => readProc(pid, 'cmdline').includes(what));
      if (found === undefined) throw new Error(`no ${what} below ${child.pid}`);
      return found;
    },
  };
}

const readProc = (pid: number, file: string): string => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return ''; // it has ended
  }
};

/** The processes whose parent is this one. */
export const childrenOf = (parent: number): readonly number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const stat = readProc(pid, 'stat');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent;
    });

/** Whether it is there and no corpse that waits for its parent. */
export function lives(pid: number): boolean {
  const stat = readProc(pid, 'stat');
  return stat !== '' && !['Z', 'X'].includes(stat.slice(stat.lastIndexOf(')') + 2)[0] ?? '');
}

export const until = async (clock: Clock, seconds: number, is: () => boolean): Promise<boolean> => {
  const end = clock.mono() + seconds;
  while (!is()) {
    if (clock.mono() > end) return false;
    await new Promise((next) => clock.after(0.005, () => next(undefined)));
  }
  return true;
};
