/** The dead-man board twice: its sketch built by Debian's toolchain and run on simavr, and its simulator. Both in steps of virtual time. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { BehaviorSubject, Subject } from 'rxjs';
import { deadman } from '../protocols/deadman.ts';
import { fromLatin1, latin1 } from '../protocols/protocol.ts';
import simulated from '../simulators/bridgman-deadman.ts';
import { type VirtualClock, virtualClock } from '../src/clock.ts';
import type { Arrival, Link } from '../src/link.ts';
import { simulatedLink } from '../src/links/simulated.ts';
import { universe } from '../src/simulate.ts';

export type Contact = 'door' | 'button' | 'key';
export type Output = 'relay' | 'shutter';
export interface Change {
  readonly output: Output;
  readonly on: boolean;
  /** Seconds of the board's own time since it was first switched on. */
  readonly at: number;
}

export interface Board {
  readonly clock: VirtualClock;
  readonly link: Link;
  /** The output pins, as they are outside of the chip. */
  readonly pins: Readonly<Record<Output, boolean>>;
  readonly changes: readonly Change[];
  /** Seconds of the board's own time. */
  readonly now: number;
  /** All that it has sent, as text. */
  readonly said: string;
  run(seconds: number): Promise<void>;
  contact(name: Contact, closed: boolean): Promise<void>;
  /** The reset button. */
  press(): Promise<void>;
  /** Bytes that no link has sent: noise. */
  inject(bytes: Uint8Array | string): void;
  close(): void;
}

const STEP = 0.002; // s
const sketch = resolve(import.meta.dirname, '../firmware/deadman');
const core = '/usr/share/arduino/hardware/arduino/avr';
const simavr = '/usr/include/simavr';
const PACKAGES = 'arduino-core-avr, gcc-avr, avr-libc, libsimavr-dev and gcc';

/** Whether all that the build needs is there; where services are required, its absence is a failure. */
export function toolchain(): boolean {
  const runs = (name: string): boolean => spawnSync(name, ['--version'], { stdio: 'ignore' }).error === undefined;
  const there =
    runs('avr-g++') &&
    runs('gcc') &&
    existsSync('/usr/lib/avr/include/avr/io.h') &&
    existsSync(join(core, 'cores/arduino/Arduino.h')) &&
    existsSync(join(simavr, 'sim_avr.h'));
  if (!there && process.env.BRIDGMAN_REQUIRE_SERVICES) throw new Error(`needs ${PACKAGES}, and BRIDGMAN_REQUIRE_SERVICES is set`);
  return there;
}

function run(program: string, ...args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr}`);
}

/** As platform.txt and boards.txt of the package have them for the Uno: what is proven is what people flash. */
const FLAGS = [
  ...['-mmcu=atmega328p', '-DF_CPU=16000000L', '-DARDUINO=10819', '-DARDUINO_AVR_UNO', '-DARDUINO_ARCH_AVR'],
  ...['-Os', '-ffunction-sections', '-fdata-sections', '-flto', `-I${core}/cores/arduino`, `-I${core}/variants/standard`],
];
const CPP = ['-std=gnu++11', '-fpermissive', '-fno-exceptions', '-fno-threadsafe-statics'];
const CORE = [
  'wiring.c',
  'wiring_digital.c',
  'hooks.c',
  'main.cpp',
  'HardwareSerial.cpp',
  'HardwareSerial0.cpp',
  'Print.cpp',
  'Stream.cpp',
];

/** Compiles the parts of the Arduino core that the sketch uses, and the harness. */
export function prepare(folder: string): void {
  mkdirSync(join(folder, 'core'));
  for (const file of CORE) {
    const from = join(core, 'cores/arduino', file);
    const to = join(folder, 'core', `${file}.o`);
    if (file.endsWith('.c')) run('avr-gcc', ...FLAGS, '-std=gnu11', '-fno-fat-lto-objects', '-c', from, '-o', to);
    else run('avr-g++', ...FLAGS, ...CPP, '-c', from, '-o', to);
  }
  const includes = [`-I${simavr}`, `-I${simavr}/avr`];
  run('gcc', '-O2', ...includes, join(sketch, 'test/board.c'), '-o', join(folder, 'board'), '-lsimavr');
}

/** The sketch with these definitions ("DOOR_TRIPS=0"); any warning is an error. Gives the ELF file. */
export function build(folder: string, ...defined: readonly string[]): string {
  const name = ['deadman', ...defined].join('-').replaceAll(/\W/g, '-');
  const object = join(folder, `${name}.o`);
  const elf = join(folder, `${name}.elf`);
  const strict = ['-Wall', '-Wextra', '-Werror', ...defined.map((d) => `-D${d}`)];
  run('avr-g++', ...FLAGS, ...CPP, ...strict, '-x', 'c++', '-c', join(sketch, 'deadman.ino'), '-o', object);
  run(
    'avr-gcc',
    ...FLAGS,
    '-fuse-linker-plugin',
    '-Wl,--gc-sections',
    object,
    ...CORE.map((file) => join(folder, 'core', `${file}.o`)),
    '-o',
    elf,
  );
  return elf;
}

/** One line of the harness: "US TX NAME=LEVEL@US ...". */
export function heardOf(line: string): { readonly now: number; readonly sent: Uint8Array; readonly changes: readonly Change[] } {
  const [now = '', sent = '', ...events] = line.split(' ');
  return {
    now: Number(now) / 1e6,
    sent: sent === '-' ? new Uint8Array(0) : new Uint8Array(Buffer.from(sent, 'hex')),
    changes: events.flatMap((event): Change[] => {
      const [, output, level, at] = /^(relay|shutter)=([01])@(\d+)$/.exec(event) ?? [];
      return output === 'relay' || output === 'shutter' ? [{ output, on: level === '1', at: Number(at) / 1e6 }] : [];
    }),
  };
}

/** The harness as a child process. */
export function harness(folder: string, elf: string, ...more: readonly string[]): ChildProcessWithoutNullStreams {
  return spawn(join(folder, 'board'), [elf, ...more]);
}

/** The sketch on simavr, in lock-step with a virtual clock: nothing in it depends on how fast or busy the machine is. */
export async function onSimavr(folder: string, elf: string): Promise<Board> {
  const child = harness(folder, elf);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const clock = virtualClock();
  const arrivals = new Subject<Arrival>();
  const up = new BehaviorSubject(true);
  const pins = { relay: false, shutter: false };
  const changes: Change[] = [];
  let out: number[] = [];
  let now = 0;
  let said = '';
  let trouble = '';
  child.stderr.on('data', (text: Uint8Array) => (trouble += String(text)));

  const tell = async (command: string): Promise<void> => {
    child.stdin.write(`${command}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error(`the harness has ended: ${trouble}`);
    const heard = heardOf(value);
    now = heard.now;
    for (const change of heard.changes) {
      changes.push(change);
      pins[change.output] = change.on;
    }
    said += latin1(heard.sent);
    if (heard.sent.length > 0) arrivals.next({ bytes: heard.sent, t: clock.now(), mono: clock.mono() });
  };

  const board: Board = {
    clock,
    pins,
    changes,
    link: {
      framing: 'stream',
      origin: 'simulator',
      arrivals,
      up,
      write(bytes) {
        out.push(...bytes);
        return true;
      },
      reopen() {},
      close() {},
    },
    get now() {
      return now;
    },
    get said() {
      return said;
    },
    async run(seconds) {
      for (let n = Math.round(seconds / STEP); n > 0; n--) {
        const bytes = Buffer.from(out).toString('hex');
        out = [];
        await tell(`run ${STEP * 1e6} ${bytes}`);
        clock.advance(STEP);
      }
    },
    contact: (name, closed) => tell(`${name} ${closed ? 1 : 0}`),
    press: () => tell('reset'),
    inject(bytes) {
      out.push(...(typeof bytes === 'string' ? fromLatin1(bytes) : bytes));
    },
    close() {
      child.stdin.end();
    },
  };
  return board;
}

/** The simulator of the same board, with the same step. */
export async function onSimulator(options: Readonly<Record<string, unknown>> = {}): Promise<Board> {
  const clock = virtualClock();
  const all = universe(1, clock);
  const device = all.device('board', simulated, options);
  const state = device.state as ReturnType<typeof simulated.state>; // the state of this simulator
  const port = device.ports.main;
  const link = simulatedLink([port], clock, { baud: 115200 });
  const pins = { relay: false, shutter: false };
  const changes: Change[] = [];
  let said = '';
  port.says.subscribe(({ bytes }) => {
    said += latin1(bytes);
  });
  const look = (): void => {
    all.settle();
    for (const output of ['relay', 'shutter'] as const) {
      if (state[output] === pins[output]) continue;
      pins[output] = state[output];
      changes.push({ output, on: pins[output], at: clock.mono() });
    }
  };
  return {
    clock,
    link,
    pins,
    changes,
    get now() {
      return clock.mono();
    },
    get said() {
      return said;
    },
    async run(seconds) {
      for (let n = Math.round(seconds / STEP); n > 0; n--) {
        clock.advance(STEP);
        look();
      }
    },
    async contact(name, closed) {
      state.contact[name] = closed;
    },
    async press() {
      state.restart = 'external';
      clock.advance(0.001);
      look();
    },
    inject(bytes) {
      port.receive(typeof bytes === 'string' ? fromLatin1(bytes) : bytes);
    },
    close() {
      device.close();
    },
  };
}

/** A question as it goes on the wire. */
export const asked = (n: number, word: string, value?: number): string => latin1(deadman().asks.encode({ n, word, value }));
