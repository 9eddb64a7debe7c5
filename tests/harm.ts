/** What can be done to a running laboratory, and what is promised of its outputs then. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, statfsSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { lives, start } from './bench-top.ts';
import { block } from './block.ts';
import type { Lab, Output } from './harm-lab.ts';

/** The same chance each time. */
export type Chance = (what: string) => number;

export interface Harm {
  /** The second from which the promise counts. */
  readonly from: number;
  /** Seconds after `from` within which an output is safe; undefined where nothing is promised of it. */
  readonly within: (output: Output) => number | undefined;
  /** From then on nothing hazardous may be written; undefined where orders may go on. */
  readonly quietFrom?: number;
  /** Undoes it: thaws, plugs in, frees. */
  mend?(): Promise<void>;
  /** What the run says when the outputs are safe. */
  readonly says?: RegExp;
  /** The exit code of a run that has ended by it; null for one that was killed. Without one it goes on. */
  readonly code?: number | null;
  /** The disk was full at its end. */
  readonly disk?: boolean;
  /** It may also go on. */
  readonly mayGoOn?: boolean;
}

// The numbers that docs/safety.md promises.
const DEAD = 0.25; // from a process's death to safe bytes
const LOOK = 0.02; // between two looks of the guardian
const HELD = 0.3; // what the host that hangs may hold its ports
const TURN = 0.25; // for each place in the order before
const WATCH = 1.05; // from the guardian's last word
const STOP = 0.35; // what the host gets to answer a stop
const REPEAT = 1; // between two tries at something that cannot be reached
const FLIGHT = 0.15; // for bytes that had gone already
const HUNG = 3; // seconds that a loop is blocked

const soon = (lab: Lab): number => lab.bench.clock.mono();
const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name);
  } catch {
    // it has ended
  }
};
const turns = (o: Output): number => TURN * o.place;
const hung = (o: Output): number => Math.max(DEAD, o.deadline) + LOOK + HELD + turns(o);
const SAFE = /made safe and read back|stop by/;

/** Takes all the room of a disk. */
function fill(disk: string): () => void {
  const path = join(disk, 'fill');
  const { bavail, bsize } = statfsSync(disk);
  try {
    execFileSync('fallocate', ['-l', String(Math.max(bsize, bavail * bsize - (1 << 20))), path], { stdio: 'pipe' });
  } catch {
    // what is missing is written
  }
  const file = openSync(path, 'a');
  try {
    for (;;) writeSync(file, new Uint8Array(4096));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  } finally {
    closeSync(file);
  }
  return () => unlinkSync(path);
}

/** Outputs that were on when it was done are safe in time; see `Harm`. */
export const HARMS = {
  async 'host killed'(lab) {
    signal(lab.pid('host-process'), 'SIGKILL');
    const from = soon(lab);
    return { from, within: (o) => DEAD + turns(o), quietFrom: from + FLIGHT, says: SAFE, code: 5 };
  },
  async 'host stopped'(lab, chance) {
    const pid = lab.pid('host-process');
    signal(pid, 'SIGSTOP');
    const from = soon(lab);
    const mend = async (): Promise<void> => {
      await lab.pause(chance('thaw'));
      signal(pid, 'SIGCONT');
    };
    return { from, within: hung, quietFrom: from + FLIGHT, mend, says: SAFE, code: 5, mayGoOn: true };
  },
  async 'host blocked'(lab) {
    const before = soon(lab);
    await block(lab.pid('host-process'), lab.bench.clock, HUNG);
    const from = soon(lab);
    const mend = async (): Promise<void> => {
      await lab.until(HUNG + 0.2 - (soon(lab) - before), () => false);
    };
    // When it begins to hang is known to some milliseconds only.
    return { from, within: (o) => hung(o) + FLIGHT, quietFrom: from + 2 * FLIGHT, mend, says: SAFE, code: 5, mayGoOn: true };
  },
  async 'stop, host stopped'(lab) {
    const pid = lab.pid('host-process');
    signal(pid, 'SIGSTOP');
    const from = soon(lab);
    const reply = await lab.ask({ do: 'stop', by: 'proof' });
    expect(reply, lab.out()).toMatchObject({ ok: true, stopped: { unsafe: [] } });
    const mend = async (): Promise<void> => signal(pid, 'SIGCONT');
    return { from, within: (o) => STOP + LOOK + HELD + turns(o), quietFrom: from + FLIGHT, mend, says: SAFE, code: 5, mayGoOn: true };
  },
  async 'stop, host blocked'(lab) {
    await block(lab.pid('host-process'), lab.bench.clock, HUNG);
    await lab.pause(FLIGHT);
    const from = soon(lab);
    // Each in its own words: the shell's command here.
    const stop = start(['stop', '--rig', lab.name], lab.env);
    const code = await stop.exit;
    // A run that is over before the command has begun has made everything safe by itself.
    if (code !== 0) expect(stop.out()).toMatch(/no rig .* is running|no rig answers/);
    const took = soon(lab) - from; // a command line takes its time to start
    const mend = async (): Promise<void> => lab.pause(Math.max(0, HUNG - took));
    return { from, within: () => took, quietFrom: from, mend, says: SAFE, code: 5, mayGoOn: true };
  },
  async 'guardian killed'(lab) {
    const pids = lab.pids;
    signal(lab.pid('guardian'), 'SIGKILL');
    const from = soon(lab);
    const mend = async (): Promise<void> => {
      expect(await lab.until(20, () => !pids.some(lives)), 'host or recorder goes on without the guardian').toBe(true);
    };
    return { from, within: (o) => DEAD + turns(o), quietFrom: from + FLIGHT, mend, code: null };
  },
  async 'guardian stopped'(lab, chance) {
    const pid = lab.pid('guardian');
    signal(pid, 'SIGSTOP');
    const from = soon(lab);
    const mend = async (): Promise<void> => {
      await lab.pause(chance('thaw'));
      signal(pid, 'SIGCONT');
    };
    return { from, within: () => WATCH + DEAD, quietFrom: from + WATCH + DEAD + FLIGHT, mend };
  },
  async 'guardian blocked'(lab) {
    await block(lab.pid('guardian'), lab.bench.clock, HUNG);
    const from = soon(lab);
    const mend = async (): Promise<void> => lab.pause(HUNG - (soon(lab) - from));
    return { from, within: () => WATCH + DEAD + FLIGHT, quietFrom: from + WATCH + DEAD + 2 * FLIGHT, mend };
  },
  async 'recorder killed'(lab) {
    signal(lab.pid('recorder/process'), 'SIGKILL');
    const mend = async (): Promise<void> => {
      expect(await lab.until(10, () => /another one goes on|begins again|starts again/.test(lab.out())), lab.out()).toBe(true);
    };
    return { from: soon(lab), within: () => undefined, mend };
  },
  async 'recorder stopped'(lab, chance) {
    const pid = lab.pid('recorder/process');
    signal(pid, 'SIGSTOP');
    const mend = async (): Promise<void> => {
      await lab.pause(0.5 + 2 * chance('thaw'));
      signal(pid, 'SIGCONT');
    };
    return { from: soon(lab), within: () => undefined, mend };
  },
  async unplugged(lab, chance) {
    const device = lab.devices[among(['laser', 'gas', 'oven', 'guard'] as const, chance('which'))];
    const out = 0.2 + 3 * chance('out');
    await lab.bench.unplug(device);
    await lab.pause(out);
    await lab.bench.plug(device);
    return plugged(lab, device.name, out, (o) => out > o.deadline + REPEAT);
  },
  async mute(lab, chance) {
    const device = lab.devices[among(['laser', 'gas', 'oven', 'guard'] as const, chance('which'))];
    const out = 0.2 + 3 * chance('out');
    lab.bench.mute(device, true);
    await lab.pause(out);
    lab.bench.mute(device, false);
    return plugged(lab, device.name, out, (o) => out > o.deadline + REPEAT);
  },
  async 'unplugged, host killed'(lab, chance) {
    const device = lab.devices[among(['laser', 'gas', 'oven', 'guard'] as const, chance('which'))];
    const out = 0.5 + 2.5 * chance('out');
    await lab.bench.unplug(device);
    await lab.pause(chance('kill') * 0.5 * out);
    signal(lab.pid('host-process'), 'SIGKILL');
    const killed = soon(lab);
    await lab.pause(out / 2);
    await lab.bench.plug(device);
    const from = soon(lab);
    const { within } = plugged(lab, device.name, out, () => true);
    // The others do not wait for the one that is not there.
    return {
      from: killed,
      within: (o) => (o.device === device.name ? from - killed + (within(o) ?? 0) : DEAD + turns(o)),
      quietFrom: killed + FLIGHT,
      says: SAFE,
      code: 5,
    };
  },
  async 'disk full'(lab) {
    const before = lab.out().length;
    const free = fill(lab.disk);
    expect(await lab.until(10, () => /the disk at .* is full/.test(lab.out().slice(before))), lab.out()).toBe(true);
    const from = soon(lab);
    const mend = async (): Promise<void> => {
      free();
      const since = lab.out().length;
      expect(await lab.until(10, () => lab.out().slice(since).includes('takes data again')), lab.out()).toBe(true);
    };
    return { from, within: (o) => DEAD + turns(o), quietFrom: from + DEAD, mend };
  },
  async 'disk full, host killed'(lab, chance) {
    const free = fill(lab.disk);
    await lab.pause(0.2 * chance('kill'));
    signal(lab.pid('host-process'), 'SIGKILL');
    const from = soon(lab);
    return { from, within: (o) => DEAD + turns(o), quietFrom: from + FLIGHT, mend: async () => free(), code: 5, disk: true };
  },
} as const satisfies Readonly<Record<string, (lab: Lab, chance: Chance) => Promise<Harm>>>;

export type Kind = keyof typeof HARMS;

export const among = <T>(list: readonly T[], chance: number): T => {
  const one = list[Math.min(list.length - 1, Math.floor(chance * list.length))];
  if (one === undefined) throw new Error('an empty list has nothing to choose from');
  return one;
};

/** Back after `out` seconds: delays between two tries have grown no longer than that. `tripped`: its lease had run out meanwhile. */
function plugged(lab: Lab, device: string, out: number, tripped: (o: Output) => boolean): Harm {
  const from = soon(lab);
  return {
    from,
    within: (o) => (o.device === device && tripped(o) ? out + REPEAT + turns(o) : undefined),
  };
}
