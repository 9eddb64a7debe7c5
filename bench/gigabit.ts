/**
 * The whole way of a detector's stream at the full rate of gigabit Ethernet: TCP, framing with CRC, features of 64 channels, spectra, and
 * the session, with slow control polled beside it, in the processes that a user's run has. Not one frame may be lost.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DIGITIZER_64, frameBytes } from '../protocols/waveform-layout.ts';
import type { Status } from '../src/entry.ts';
import { askLocal, socketOf } from '../src/local.ts';
import { readingOf } from '../src/recorder/session-json.ts';
import { readSession } from '../src/recorder/session-read.ts';
import { bridgman, end, linksOf, type program, root, until, wait } from './rates-run.ts';

interface Result {
  readonly name: string;
  readonly ratio: number;
  readonly goal: number;
  readonly detail: string;
}

export const SECONDS = 20; // unless another time is asked for
const MB = 117e6; // bytes a second: what TCP leaves of a gigabit
export const RATE = Math.ceil(MB / frameBytes(DIGITIZER_64)); // frames a second
const LATE = 10; // ms, the 99th percentile of the host's loop
const MARGIN = 3e9; // bytes of room beyond what is written

export interface Gigabit {
  readonly sent: number;
  readonly thrown: number;
  /** What the host was told last, of the stream. */
  readonly frames: number;
  readonly missing: number;
  readonly damaged: number;
  readonly unrecorded: number;
  readonly hits: number;
  /** Bytes of the stream in the session. */
  readonly recorded: number;
  readonly seconds: number;
  /** Milliseconds, and parts of a core. */
  readonly host: { readonly p50: number; readonly p99: number; readonly max: number; readonly cpu: number };
  readonly reader: { readonly cpu: number };
  /** Readings of the slow channels, and polls of them that were skipped. */
  readonly slow: number;
  readonly skipped: number;
}

/** Runs the rig against a board that floods. `record`: raw, hits, both or nothing. Throws where the rig does not come up or end in order. */
export async function gigabit(rate: number, seconds: number, record = 'both'): Promise<Gigabit> {
  const folder = mkdtempSync(join(tmpdir(), 'bridgman-gigabit-'));
  const programs: ReturnType<typeof program>[] = [];
  try {
    const name = `gigabit-${process.pid}`;
    const text = readFileSync(join(root(), 'bench/gigabit.yaml'), 'utf8').replace(/^rig: .*$/m, `rig: ${name}`);
    writeFileSync(join(folder, 'rig.yaml'), text);
    const served = join(folder, 'served.yaml');
    const simulators = bridgman(['simulate', join(folder, 'rig.yaml'), '--write', served, '--json']);
    programs.push(simulators);
    const board = spawn(
      process.execPath,
      [join(root(), 'dist/bench/flood-board.js'), JSON.stringify({ rate, frames: Math.round(rate * seconds) })],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    let said = '';
    board.stdout.setEncoding('utf8').on('data', (more: string) => {
      said += more;
    });
    try {
      await until(simulators, 'the simulators are not served', () => linksOf(simulators.out()));
      const { port } = JSON.parse(await until(simulators, 'the board is not there', () => said.split('\n').at(-2))) as { port: number }; // as flood-board.ts prints it
      const rig = readFileSync(served, 'utf8')
        .replace(/data: "?tcp:[^\s,}]+/, `data: tcp:127.0.0.1:${port}`)
        .replace('model: sitcp-digitizer', `model: sitcp-digitizer\n    options: { record: ${record} }`);
      writeFileSync(served, rig);
      const run = bridgman(['run', served, '--summary', join(folder, 'summary.json')], {
        NODE_OPTIONS: `--import ${join(root(), 'dist/bench/gigabit-watch.js')}`,
        BRIDGMAN_GIGABIT: folder,
      });
      programs.push(run);
      for (let left = seconds + 60; !said.includes('"sent"'); left -= 0.1) {
        if (left < 0 || run.child.exitCode !== null) throw new Error(`the stream did not end:\n${run.out().trim()}`);
        await wait(0.1);
      }
      await wait(2.5); // two looks
      const status = await askLocal(socketOf(name), { do: 'status' }, 10);
      const watched = (of: string): Gigabit['host'] => JSON.parse(readFileSync(join(folder, `${of}.json`), 'utf8')) as Gigabit['host']; // written by gigabit-watch.ts
      const [host, reader] = [watched('host-process.js'), watched('stream-process.js')];
      const code = await end(run);
      if (code !== 0) throw new Error(`the run ended with ${code}:\n${run.out().trim()}`);
      const { session } = JSON.parse(readFileSync(join(folder, 'summary.json'), 'utf8')) as { session: string }; // written by the recorder
      const { sent, thrown } = JSON.parse(said.trim().split('\n').at(-1) ?? '{}') as { sent: number; thrown: number }; // as above
      const now = status.ok && 'status' in status ? (status.status as Status) : undefined; // as the host gives it
      const skipped = Object.values(now?.instruments ?? {}).reduce((n, i) => n + i.skipped, 0);
      return { sent, thrown, seconds, host, reader, skipped, ...(await inSession(session)) };
    } finally {
      board.kill();
    }
  } finally {
    for (const one of programs.reverse()) await end(one);
    rmSync(folder, { recursive: true, force: true });
  }
}

type InSession = Pick<Gigabit, 'frames' | 'missing' | 'damaged' | 'unrecorded' | 'hits' | 'recorded' | 'slow'>;
async function inSession(session: string): Promise<InSession> {
  const last = new Map<string, number>();
  let slow = 0;
  for await (const message of readSession(session, { raw: [] })) {
    if (message.topic !== 'readings') continue;
    const { from, quality, ...reading } = readingOf(message.bytes);
    if (from.startsWith('stage.') || from.startsWith('lockin.')) slow++;
    if (quality !== 'bad' && 'value' in reading && typeof reading.value === 'number') last.set(from, reading.value);
  }
  const of = (channel: string): number => last.get(`board.${channel}`) ?? Number.NaN;
  return {
    frames: of('frames'),
    missing: of('missing'),
    damaged: of('damaged'),
    unrecorded: of('unrecorded'),
    hits: of('hits'),
    recorded: of('recorded'),
    slow,
  };
}

/** Ratios: frames that were read to frames that were due, and the goal for the loop's lateness to what it was. */
export async function gigabits(seconds = SECONDS): Promise<readonly Result[]> {
  const room = statfsSync(tmpdir());
  const needed = 1.15 * MB * seconds + MARGIN;
  if (!existsSync('/proc') || room.bavail * room.bsize < needed)
    return [
      { name: 'gigabit', ratio: Number.NaN, goal: 1, detail: `skipped: ${tmpdir()} has no room for ${(needed / 1e9).toFixed(1)} GB` },
    ];
  const got = await gigabit(RATE, seconds);
  const due = got.sent + got.thrown;
  return [
    {
      name: 'gigabit, frames',
      ratio: got.frames / due,
      goal: 1,
      detail: `${got.frames} of ${due} in ${seconds} s (${((got.frames * frameBytes(DIGITIZER_64)) / 1e6 / seconds).toFixed(1)} MB/s); missing ${got.missing}, thrown away by the board ${got.thrown}, damaged ${got.damaged}; ${got.hits} hits; ${(got.recorded / 1e9).toFixed(2)} GB in the session, ${got.unrecorded} bytes not; reader ${(100 * got.reader.cpu).toFixed(0)} % of a core`,
    },
    {
      name: 'gigabit, lateness of the host',
      ratio: LATE / got.host.p99,
      goal: 1,
      detail: `p50 ${got.host.p50.toFixed(2)} ms, p99 ${got.host.p99.toFixed(2)} ms, at most ${got.host.max.toFixed(1)} ms; ${got.slow} slow readings, ${got.skipped} polls skipped`,
    },
  ];
}
