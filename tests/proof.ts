/** What the proofs on the whole program share: a rig in a folder of its own, and a session read back and beside InfluxDB. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Reading } from '../src/reading.ts';
import { measurement } from '../src/recorder/line.ts';
import { readingOf } from '../src/recorder/session-json.ts';
import { readSession, type Trouble } from '../src/recorder/session-read.ts';
import { type Running, root, start } from './bench-top.ts';
import type { Influxd } from './influxd.ts';

export interface Place {
  /** A folder of this test's own, removed at its end. */
  readonly folder: string;
  readonly env: { readonly XDG_RUNTIME_DIR: string };
  /** Starts the program; what is left of it at the test's end is killed. */
  start(args: readonly string[]): Running;
}

/** With XDG_RUNTIME_DIR of its own, so that no other run of a rig of the same name is met. */
export function place(): Place {
  const folder = mkdtempSync(join(tmpdir(), 'bridgman-proof-'));
  const env = { XDG_RUNTIME_DIR: join(folder, 'runtime') };
  mkdirSync(env.XDG_RUNTIME_DIR, { mode: 0o700 });
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return {
    folder,
    env,
    start(args) {
      const run = start(args, env);
      onTestFinished(async () => {
        if (run.child.exitCode !== null || run.child.signalCode !== null) return;
        for (const what of ['host-process', 'recorder/process'] as const) {
          try {
            process.kill(run.pid(what), 'SIGKILL');
          } catch {
            // it has ended
          }
        }
        run.child.kill('SIGKILL');
        await run.exit;
      });
      return run;
    },
  };
}

/** A copy of the demonstration rig, without its sessions. */
export function demoIn(folder: string): string {
  const rig = join(folder, 'demo');
  mkdirSync(rig);
  for (const part of ['rig.yaml', 'calibrations']) cpSync(resolve(root, 'rigs/demo', part), join(rig, part), { recursive: true });
  return rig;
}

/** The sessions below a folder, oldest first. */
export const sessionsOf = (sessions: string): readonly string[] =>
  readdirSync(sessions, { withFileTypes: true })
    .filter((e) => e.isDirectory())
    .map((e) => join(sessions, e.name))
    .sort();

export interface Read {
  readonly readings: readonly Reading[];
  readonly troubles: readonly Trouble[];
}

/** All readings of a session, and what was wrong with its parts, the raw ones as well. */
export async function readBack(session: string): Promise<Read> {
  const readings: Reading[] = [];
  const troubles: Trouble[] = [];
  for await (const m of readSession(session, { raw: true, onTrouble: (trouble) => troubles.push(trouble) }))
    if (m.topic === 'readings') readings.push(readingOf(m.bytes));
  return { readings, troubles };
}

/** Measurement and channel, as in InfluxDB. */
export const seriesOf = ({ kind, from, index }: Reading): string => {
  const dot = from.lastIndexOf('.');
  return [measurement(kind), from.slice(0, dot), from.slice(dot + 1), index ?? ''].join(' ');
};

export const countBy = <T>(all: readonly T[], key: (one: T) => string): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {};
  for (const one of all) counts[key(one)] = (counts[key(one)] ?? 0) + 1;
  return counts;
};

/** Count of the field `quality` in every series of a database. */
export async function countsIn(influx: Influxd, database: string): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  for (const { name } of await influx.query(database, 'SHOW MEASUREMENTS')) {
    const rows = await influx.query(database, `SELECT count(quality) FROM "${name}" GROUP BY "instrument", "channel", "index"`);
    for (const row of rows) counts[[name, row.instrument, row.channel, row.index].join(' ')] = Number(row.count);
  }
  return counts;
}

/** A reading's time in nanoseconds since 1970: its microseconds, and its number as the nanoseconds. */
const nanoseconds = ({ t, seq }: Reading): bigint => BigInt(Math.floor(t)) * 1000n + BigInt(seq % 1000);

/** Of an RFC 3339 time with any number of decimals. */
function nanosecondsOf(time: string): bigint {
  const [, seconds = '', decimals = ''] = /^(.*?)(?:\.(\d+))?Z$/.exec(time) ?? [];
  return BigInt(Date.parse(`${seconds}Z`)) * 1_000_000n + BigInt(decimals.padEnd(9, '0'));
}

/** Every point of a database as "series time quality value", sorted: what is in it twice, or differs by a bit, shows. */
export async function pointsIn(influx: Influxd, database: string): Promise<readonly string[]> {
  const points: string[] = [];
  for (const { name } of await influx.query(database, 'SHOW MEASUREMENTS')) {
    for (const row of await influx.query(database, `SELECT * FROM "${name}"`)) {
      if (typeof row.quality !== 'number') continue; // not of the program
      const series = [name, row.instrument, row.channel, row.index ?? ''].join(' ');
      points.push(`${series} ${nanosecondsOf(String(row.time))} ${row.quality} ${row.value ?? ''}`);
    }
  }
  return points.sort();
}

/** The same of a session's readings. */
export const pointsOf = (readings: readonly Reading[]): readonly string[] =>
  readings
    .map((r) => {
      const quality = { good: 0, suspect: 1, bad: 2 }[r.quality];
      const value = r.quality === 'bad' || r.kind === 'trace' ? '' : r.value;
      return `${seriesOf(r)} ${nanoseconds(r)} ${quality} ${value}`;
    })
    .sort();
