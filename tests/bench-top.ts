/** Simulators on real sockets and pseudo-terminals in this process, with a note of every byte that reaches them and when. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { connect } from 'node:net';
import { resolve } from 'node:path';
import { latin1 } from '../protocols/protocol.ts';
import type { Catalogue } from '../src/catalogue.ts';
import { type Clock, realClock } from '../src/clock.ts';
import { type Served, servePty, serveTcp } from '../src/serve.ts';
import { type Device, type Port, type Universe, universe } from '../src/simulate.ts';

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
}

export interface Bench {
  readonly clock: Clock;
  readonly universe: Universe;
  readonly heard: Heard[];
  device(name: string, model: string, options?: unknown): Device;
  tcp(device: Device, oneClient?: boolean): Promise<string>;
  pty(device: Device, path: string): Promise<string>;
  close(): Promise<void>;
}

export function benchTop(catalogue: Catalogue, seed = 1): Bench {
  const clock = realClock();
  const all = universe(seed, clock);
  const heard: Heard[] = [];
  const served: Served[] = [];
  const tapped = (port: Port): Port => ({
    protocol: port.protocol,
    says: port.says,
    receive(bytes) {
      heard.push({ at: clock.mono(), text: latin1(bytes) });
      port.receive(bytes);
    },
  });
  const keep = (s: Served): string => {
    served.push(s);
    return s.address;
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
    tcp: async (device, oneClient = false) => keep(await serveTcp([tapped(device.ports.main)], { port: 0, oneClient }, clock)),
    pty: async (device, path) => keep(await servePty([tapped(device.ports.main)], path, clock)),
    async close() {
      await Promise.all(served.map((s) => s.close()));
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
  pid(what: 'host-process' | 'recorder/process'): number;
}

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
      for (const name of readdirSync('/proc')) {
        if (!/^\d+$/.test(name) || !existsSync(`/proc/${name}/stat`)) continue;
        try {
          const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
          const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
          if (parent === child.pid && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(what)) return Number(name);
        } catch {
          // it has ended meanwhile
        }
      }
      throw new Error(`no ${what} below ${child.pid}`);
    },
  };
}

export const until = async (clock: Clock, seconds: number, is: () => boolean): Promise<boolean> => {
  const end = clock.mono() + seconds;
  while (!is()) {
    if (clock.mono() > end) return false;
    await new Promise((next) => clock.after(0.005, () => next(undefined)));
  }
  return true;
};

/** Blocks the main loop of a running Node process for good, from outside: through its debugger. */
export async function block(pid: number, clock: Clock): Promise<void> {
  process.kill(pid, 'SIGUSR1');
  let url: URL | undefined;
  await until(clock, 10, () => {
    if (url) return true;
    get('http://127.0.0.1:9229/json/list', (answer) => {
      let text = '';
      answer.on('data', (d) => {
        text += d;
      });
      answer.on('end', () => {
        const [first] = JSON.parse(text) as { webSocketDebuggerUrl: string }[]; // the debugger's own list
        url = new URL(first.webSocketDebuggerUrl);
      });
    }).on('error', () => {});
    return false;
  });
  if (!url) throw new Error('the debugger does not answer');
  const { hostname, port, pathname, host } = url;
  await new Promise<void>((done, failed) => {
    const socket = connect(Number(port), hostname);
    socket.once('error', failed);
    socket.once('data', () => {
      const text = Buffer.from(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression: 'for (;;) {}' } }));
      const mask = randomBytes(4);
      const frame = Buffer.concat([Buffer.from([0x81, 0x80 | text.length]), mask, text.map((b, i) => b ^ mask[i % 4])]);
      socket.write(frame, () => done());
    });
    socket.write(
      `GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
  });
}
