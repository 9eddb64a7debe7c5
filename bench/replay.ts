/**
 * How many times faster than real time a recorded session of the demo rig goes through the drivers again. The session is recorded first, on
 * virtual time, by the real recorder; the yardstick is a bare reader of the same slow parts: each message found, parsed and hashed.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Catalogue, catalogue } from '../src/catalogue.ts';
import { virtualClock } from '../src/clock.ts';
import type { Entry } from '../src/entry.ts';
import { host } from '../src/host.ts';
import { filesOf, methods, nodesOf } from '../src/methods.ts';
import { recorder } from '../src/recorder/recorder.ts';
import { chunksFrom } from '../src/recorder/session-read.ts';
import { replay as replayed } from '../src/replay/replay.ts';
import { loadRig, printed, type Rig } from '../src/rig.ts';
import { simulatedRig } from '../src/rig-open.ts';
import { root } from './root.ts';

interface Result {
  readonly name: string;
  readonly ratio: number;
  readonly goal: number;
  readonly detail: string;
}

const GOAL = 1000; // seconds of the session a second
const ROUNDS = 5;

/** What stands for slow control: all of the rig but its spectrometer, what is derived of it, and its detector board. */
const FAST: readonly string[] = ['camera', 'board'];

/** The demo rig, of simulators; `all`: with its spectra and its detector board. */
async function demo(known: Catalogue, all: boolean): Promise<Rig> {
  const loaded = await loadRig(resolve(root(), 'rigs/demo'), known, methods);
  if (!loaded.ok) throw new Error(loaded.messages.map(printed).join('\n'));
  const { rig } = loaded;
  if (all) return rig;
  return {
    ...rig,
    instruments: rig.instruments.filter(({ name }) => !FAST.includes(name)),
    derive: [],
    calibrations: [],
    alarms: rig.alarms?.filter(({ name }) => name !== 'sample-hot') ?? [],
  };
}

/** A run of so many seconds as a session in the folder. */
async function record(folder: string, rig: Rig, known: Catalogue, seconds: number): Promise<void> {
  const clock = virtualClock();
  const simulated = simulatedRig(rig, known, clock, 1);
  let entries: Entry[] = [];
  const lab = host({
    rig,
    catalogue: known,
    nodes: nodesOf(rig),
    clock,
    open(wire) {
      const link = simulated.open(wire);
      if (!link) throw new Error(`${wire.key} has no simulator`);
      return link;
    },
    emit: (entry) => void entries.push(entry),
    keeper: { name: 'bench', alive: () => true, arm: (_, armed) => armed(), beat() {}, release() {} },
  });
  const keeper = await recorder({
    folder,
    rig: { name: rig.name, text: rig.text, files: Object.fromEntries(Object.values(filesOf(rig)).map((f) => [f.path, f.bytes])) },
    version: 'bench',
    now: () => clock.now(),
    mono: () => clock.mono() * 1000,
    told: () => {},
    full: () => {},
  });
  const flush = (): void => {
    keeper.take(entries);
    entries = [];
    keeper.tick();
  };
  for (let i = 0; i < seconds * 10; i++) {
    clock.advance(0.1);
    flush();
    await new Promise((done) => setImmediate(done)); // the disk takes its chunks in between
  }
  lab.close(3, () => {});
  clock.advance(4);
  flush();
  await keeper.close(0);
}

interface Cost {
  readonly wall: number;
  readonly cpu: number;
}

async function cost(run: () => Promise<void>): Promise<Cost> {
  const wall = process.hrtime.bigint();
  const cpu = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(cpu);
  return { cpu: (user + system) * 1e-6, wall: Number(process.hrtime.bigint() - wall) * 1e-9 };
}

/** The least that any replay must do: read the slow parts, parse each message, and hash all. */
async function bare(folder: string): Promise<number> {
  const decoder = new TextDecoder();
  const hash = createHash('sha256');
  let readings = 0;
  for await (const { messages } of chunksFrom(folder, undefined, { ended: true })) {
    for (const { topic, bytes } of messages) {
      if (topic !== 'readings' && topic !== 'exchanges') continue;
      const found = JSON.parse(decoder.decode(bytes)) as { readonly from?: string }; // written by the recorder
      hash.update(bytes);
      if (found.from !== undefined) readings++;
    }
  }
  hash.digest();
  return readings;
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

async function one(name: string, goal: number, seconds: number, all: boolean, parent: string): Promise<Result> {
  const known = await catalogue();
  const rig = await demo(known, all);
  const folder = join(parent, all ? 'all' : 'slow');
  await record(folder, rig, known, seconds);
  const rounds: { readonly mine: Cost; readonly least: Cost }[] = [];
  let duration = 0;
  let readings = 0;
  let exchanges = 0;
  for (let round = 0; round <= ROUNDS; round++) {
    const mine = await cost(async () => {
      const made = await replayed({ folder, rig, nodes: nodesOf(rig), catalogue: known });
      if (made.verdict !== 'identical' || !made.complete) throw new Error(`${name}: the replay differs`);
      duration = made.duration;
      readings = made.readings.recorded;
      exchanges = made.exchanges.total;
    });
    const least = await cost(async () => {
      const seen = await bare(folder);
      if (seen !== readings) throw new Error(`${name}: ${seen} readings against ${readings}`);
    });
    rounds.push({ mine, least });
  }
  const counted = rounds.slice(1); // the first one warms up
  const wall = median(counted.map(({ mine }) => mine.wall));
  const cpu = median(counted.map(({ mine }) => mine.cpu));
  const times = median(counted.map(({ mine, least }) => mine.cpu / least.cpu));
  return {
    name,
    ratio: duration / wall,
    goal,
    detail: `x real time; ${(duration / cpu).toFixed(0)} x by CPU time; ${(readings / duration).toFixed(0)} readings and ${(exchanges / duration).toFixed(0)} exchanges a second, ${((cpu / readings) * 1e6).toFixed(1)} us of CPU time a reading; ${times.toFixed(1)} times a bare reader`,
  };
}

export async function replay(seconds = 1800): Promise<readonly Result[]> {
  const parent = await mkdtemp(join(tmpdir(), 'bridgman-bench-'));
  try {
    return [
      await one('replay, slow control', GOAL, seconds, false, parent),
      await one('replay, with spectra and detector', 0, seconds / 6, true, parent),
    ];
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}
