/** A session on real disks that fill up and hang. Needs root for the mounts. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, rm, statfs, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Raw } from '../../src/recorder/part-series.ts';
import type { Limits, SessionState, SessionStats } from '../../src/recorder/parts.ts';
import { chunksFrom, type Position, readSession, type SessionMessage, type Trouble } from '../../src/recorder/session-read.ts';

const KiB = 1024;
const MiB = KiB * KiB;
const built = existsSync(resolve(import.meta.dirname, '../../dist/src/recorder/parts.js'));
const root = process.getuid?.() === 0;

/** Why these proofs cannot be made here; empty where they can. */
function missing(): string {
  if (!root) return 'needs root to mount disks';
  if (!built) return 'needs the build (npm run build)';
  try {
    for (const tool of ['mount', 'mkfs.ext4', 'fsfreeze']) execFileSync('which', [tool]);
  } catch {
    return 'needs mount, mkfs.ext4 and fsfreeze';
  }
  return '';
}
const lack = missing();

interface Line {
  readonly state?: SessionState;
  readonly place?: Position;
  readonly klass?: string;
  readonly stats?: SessionStats;
  readonly closed?: SessionStats;
}

/** A recorder in a child process; `until` waits for a line that fits, among those that come from now on. */
function recorder(options: { folder: string; limits: Partial<Limits>; rawOrder: readonly Raw[]; slowBytes: number; rawBytes: number }) {
  const child = spawn(process.execPath, [resolve(import.meta.dirname, 'disk-child.mjs'), JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = new Promise<void>((done) => child.once('close', () => done()));
  const lines: Line[] = [];
  const waiting = new Set<(line: Line | undefined) => void>();
  createInterface({ input: child.stdout })
    .on('line', (text) => {
      const line: Line = JSON.parse(text); // our own child's
      lines.push(line);
      for (const wait of waiting) wait(line);
    })
    .on('close', () => {
      for (const wait of waiting) wait(undefined);
    });
  const until = (what: string, fits: (line: Line) => boolean): Promise<Line> =>
    new Promise((resolved, rejected) => {
      const wait = (line: Line | undefined) => {
        if (line && !fits(line)) return;
        waiting.delete(wait);
        clearTimeout(patience);
        const said = [...lines.filter(({ state }) => state), lines.findLast(({ stats }) => stats)];
        if (line) resolved(line);
        else rejected(new Error(`the recorder never came to "${what}"; it said ${JSON.stringify(said)}`));
      };
      const patience = setTimeout(wait, 90_000, undefined);
      waiting.add(wait);
    });
  return {
    lines,
    until,
    untilState: (kind: SessionState['kind'], klass?: string) =>
      until(
        `${kind} ${klass ?? ''}`,
        ({ state }) => state?.kind === kind && (klass === undefined || ('klass' in state && state.klass === klass)),
      ),
    async stop(): Promise<SessionStats> {
      const last = until('closed', ({ closed }) => closed !== undefined);
      child.stdin.write('stop\n');
      const { closed } = await last;
      await ended;
      if (!closed) throw new Error('no account');
      return closed;
    },
    async kill(): Promise<void> {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function readAll(folder: string) {
  const troubles: Trouble[] = [];
  const all: SessionMessage[] = [];
  for await (const message of readSession(folder, { raw: true, onTrouble: (trouble) => troubles.push(trouble) })) all.push(message);
  return { all, troubles };
}

/** Right bytes, each message once, in order; the numbers left out are as many as were counted as lost. */
function check(all: readonly SessionMessage[], stats: SessionStats | undefined): void {
  for (const series of new Set(all.map((message) => message.series))) {
    const own = all.filter((message) => message.series === series);
    let last = -1;
    for (const { bytes, sequence } of own) {
      const n = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
      if (n !== sequence || n <= last || bytes.subarray(4).some((byte) => byte !== (n & 0xff)))
        expect.fail(`${series}: message ${n} with number ${sequence} after ${last}`);
      last = n;
    }
    if (!stats) continue;
    const lost = stats.dropped.filter(({ klass }) => klass === series).reduce((n, { messages }) => n + messages, 0);
    expect(own.length + lost).toBe(last + 1);
  }
  if (stats) expect(all).toHaveLength(stats.written.messages);
}

describe.skipIf(lack !== '')(`a session on a real disk${lack ? ` (skipped: ${lack})` : ''}`, () => {
  async function mounted(args: (mount: string) => readonly (readonly [string, ...string[]])[]): Promise<string> {
    const base = await mkdtemp(join(tmpdir(), 'disk-'));
    const mount = join(base, 'mount');
    await mkdir(mount);
    onTestFinished(async () => {
      try {
        execFileSync('umount', [mount]);
      } finally {
        await rm(base, { recursive: true, force: true });
      }
    });
    for (const [tool, ...rest] of args(mount)) execFileSync(tool, rest, { stdio: 'pipe' });
    return mount;
  }

  /** Takes all room that is left. */
  async function fill(path: string, keep: number): Promise<void> {
    const file = await open(path, 'w');
    try {
      const { bavail, bsize } = await statfs(path);
      for (let left = bavail * bsize - keep; left > 0; left -= MiB) await file.write(new Uint8Array(Math.min(left, MiB)));
      await file.datasync();
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
    } finally {
      await file.close();
    }
  }

  test.each(['tmpfs', 'ext4'])('%s fills up and is freed', async (kind) => {
    const mount = await mounted((at) =>
      kind === 'tmpfs'
        ? [['mount', '-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', at]]
        : [
            ['truncate', '-s', '64M', join(at, '../image')],
            ['mkfs.ext4', '-q', '-m', '0', join(at, '../image')],
            ['mount', '-o', 'loop,noatime', join(at, '../image'), at],
          ],
    );
    const folder = join(mount, 'session');
    const limits = { reserve: 512 * KiB, rawFree: 8 * MiB, slowQueue: 512 * KiB, rawQueue: 2 * MiB };
    const host = recorder({ folder, limits, rawOrder: ['raw-camera', 'raw-detector'], slowBytes: 4 * KiB, rawBytes: 2 * KiB });
    await host.until('the reserve', ({ stats }) => stats?.reserve === 512 * KiB);
    const camera = host.untilState('stopped', 'raw-camera');
    const detector = host.untilState('stopped', 'raw-detector');
    const safe = host.untilState('reserve');
    const slow = host.untilState('stopped', 'slow');
    await fill(join(mount, 'fill'), 6 * MiB);
    await camera;
    await fill(join(mount, 'fill2'), 0);
    await detector;
    await safe; // the host makes hazardous outputs safe
    await slow; // and then not even the reserve was enough: the queue is full
    const recovered = host.untilState('recovered', 'slow');
    const again = ['slow', 'raw-camera', 'raw-detector'].map((klass) => host.untilState('resumed', klass));
    const reserved = host.untilState('reserved');
    await unlink(join(mount, 'fill'));
    await unlink(join(mount, 'fill2'));
    await Promise.all([recovered, ...again, reserved]);
    for (let i = 0; i < 5; i++) await host.until('new data', ({ klass }) => klass === 'raw-camera'); // the first are from before
    const stats = await host.stop();
    for (const { stats: one } of host.lines) {
      expect(one?.held.slow ?? 0).toBeLessThanOrEqual(limits.slowQueue);
      expect(one?.held.raw ?? 0).toBeLessThanOrEqual(limits.rawQueue);
    }
    const { all, troubles } = await readAll(folder);
    expect(troubles.filter((trouble) => trouble.kind !== 'cut')).toEqual([]);
    check(all, stats);
    expect(new Set(stats.dropped.map(({ klass }) => klass))).toEqual(new Set(['slow', 'raw-camera', 'raw-detector']));
  });

  test('a frozen disk: the process goes on, what waits is bounded, and after the thaw recording goes on by itself', async () => {
    const mount = await mounted((at) => [
      ['truncate', '-s', '64M', join(at, '../image')],
      ['mkfs.ext4', '-q', join(at, '../image')],
      ['mount', '-o', 'loop,noatime', join(at, '../image'), at],
    ]);
    const folder = join(mount, 'session');
    const limits = { reserve: 0, rawFree: 0, slowQueue: 512 * KiB, rawQueue: 2 * MiB };
    const host = recorder({ folder, limits, rawOrder: ['raw-camera', 'raw-detector'], slowBytes: 2 * KiB, rawBytes: 8 * KiB });
    await host.until('data', ({ klass }) => klass === 'raw-detector');
    const told = Promise.all([
      host.untilState('hung'),
      ...['raw-camera', 'raw-detector', 'slow'].map((klass) => host.untilState('stopped', klass)),
    ]);
    execFileSync('fsfreeze', ['-f', mount]);
    try {
      await told;
      const from = host.lines.length;
      await host.until('life', ({ stats }) => (stats?.callMs ?? 0) > 4000); // the main loop of the process still turns
      expect(host.lines.slice(from).filter(({ place }) => place)).toEqual([]); // nothing is called confirmed
    } finally {
      const back = Promise.all([
        host.untilState('back'),
        ...['raw-camera', 'raw-detector', 'slow'].map((klass) => host.untilState('resumed', klass)),
      ]);
      execFileSync('fsfreeze', ['-u', mount]);
      await back;
    }
    await host.until('data', ({ klass }) => klass === 'slow');
    await host.until('data', ({ klass }) => klass === 'raw-camera');
    await host.kill();
    for (const { stats } of host.lines) {
      expect(stats?.held.slow ?? 0).toBeLessThanOrEqual(limits.slowQueue);
      expect(stats?.held.raw ?? 0).toBeLessThanOrEqual(limits.rawQueue);
    }
    const { all, troubles } = await readAll(folder);
    expect(troubles.filter((trouble) => trouble.kind !== 'cut')).toEqual([]);
    check(all, undefined);
    for (const series of ['slow', 'raw-camera', 'raw-detector']) {
      const place = host.lines.findLast(({ klass }) => klass === series)?.place;
      expect(place).toBeDefined();
      let next: Position | undefined;
      for await (const chunk of chunksFrom(folder, undefined, { series, ...(place ? { until: place } : {}) })) next = chunk.next;
      expect(next).toEqual(place); // whole chunks up to the last place that was called confirmed
    }
  });
});
