/** StandardFirmata itself on simavr, in steps of virtual time. Its image is the user's: nothing of it is in this repository. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { BehaviorSubject, Subject } from 'rxjs';
import { type VirtualClock, virtualClock } from '../src/clock.ts';
import type { Arrival, Link } from '../src/link.ts';

/** The image of StandardFirmata for an Uno, as Intel hex. */
export const IMAGE = process.env.BRIDGMAN_FIRMATA ?? '';
export const SKIPPED = 'skipped without libsimavr-dev, gcc and BRIDGMAN_FIRMATA, the path of a StandardFirmata image for the Uno (.hex)';
const simavr = '/usr/include/simavr';
const STEP = 0.002; // s

export interface Change {
  readonly pin: number;
  readonly on: boolean;
  /** Seconds of the board. */
  readonly at: number;
}
export interface Uno {
  readonly clock: VirtualClock;
  readonly link: Link & { plug(inserted: boolean): void };
  readonly changes: readonly Change[];
  readonly said: readonly number[];
  run(seconds: number): Promise<void>;
  pin(pin: number, high: boolean): Promise<void>;
  analog(channel: number, volts: number): Promise<void>;
  press(): Promise<void>;
  /** Bytes that no link has sent. */
  inject(...bytes: readonly number[]): void;
  close(): void;
}

export const able = (): boolean =>
  existsSync(IMAGE) && existsSync(join(simavr, 'sim_avr.h')) && spawnSync('gcc', ['--version'], { stdio: 'ignore' }).error === undefined;

export function prepare(folder: string): void {
  const args = [
    '-O2',
    `-I${simavr}`,
    `-I${simavr}/avr`,
    resolve(import.meta.dirname, 'firmata-board.c'),
    '-o',
    join(folder, 'uno'),
    '-lsimavr',
  ];
  const { status, stderr } = spawnSync('gcc', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

export function uno(folder: string): Uno {
  const child = spawn(join(folder, 'uno'), [IMAGE]);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const clock = virtualClock();
  const arrivals = new Subject<Arrival>();
  const up = new BehaviorSubject(true);
  const changes: Change[] = [];
  const said: number[] = [];
  let out: number[] = [];
  let trouble = '';
  child.stderr.on('data', (text: Uint8Array) => (trouble += String(text)));
  const tell = async (command: string): Promise<void> => {
    child.stdin.write(`${command}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error(`the harness has ended: ${trouble}`);
    const [, sent = '-', ...events] = value.split(' ');
    for (const event of events) {
      const [, pin, level, at] = /^(\d+)=([01])@(\d+)$/.exec(event) ?? [];
      if (pin !== undefined) changes.push({ pin: Number(pin), on: level === '1', at: Number(at) / 1e6 });
    }
    if (sent === '-') return;
    const bytes = new Uint8Array(Buffer.from(sent, 'hex'));
    said.push(...bytes);
    if (up.value) arrivals.next({ bytes, t: clock.now(), mono: clock.mono() });
  };
  return {
    clock,
    changes,
    said,
    link: {
      framing: 'stream',
      origin: 'simulator',
      arrivals,
      up,
      write(bytes) {
        if (up.value) out.push(...bytes);
        return up.value;
      },
      reopen() {},
      plug: (inserted) => up.next(inserted),
      close() {},
    },
    async run(seconds) {
      for (let n = Math.round(seconds / STEP); n > 0; n--) {
        const bytes = Buffer.from(out).toString('hex');
        out = [];
        await tell(`run ${STEP * 1e6} ${bytes}`);
        clock.advance(STEP);
      }
    },
    pin: (pin, high) => tell(`pin ${pin} ${high ? 1 : 0}`),
    analog: (channel, volts) => tell(`analog ${channel} ${Math.round(1000 * volts)}`),
    press: () => tell('reset'),
    inject: (...bytes) => void out.push(...bytes),
    close: () => void child.stdin.end(),
  };
}

/** Widths in µs of the pulses that have ended on a pin since a moment. */
export function pulses(changes: readonly Change[], pin: number, since = 0): readonly number[] {
  let began: number | undefined;
  const out: number[] = [];
  for (const { on, at, pin: which } of changes) {
    if (which !== pin) continue;
    if (on) began = at;
    else if (began !== undefined && began >= since) out.push(Math.round((at - began) * 1e6));
  }
  return out;
}
