/** docs/read_session.py reads what the recorder writes, by what docs/sessions.md says alone. */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Reading } from '../src/reading.ts';
import { sessionWriter } from '../src/recorder/parts.ts';
import { channelName } from '../src/recorder/session-count.ts';
import { readingOf } from '../src/recorder/session-json.ts';
import { readSession } from '../src/recorder/session-read.ts';
import { copied, made, partsIn, SMALL, scratchFolder } from './session-made.ts';

const program = resolve(import.meta.dirname, '../docs/read_session.py');
const python = spawnSync('python3', ['--version']).status === 0;
const scratch = scratchFolder('python');
afterAll(() => rmSync(scratch, { recursive: true }));
const folder = join(scratch, 'one');
beforeAll(() => made(folder, { limits: SMALL, seconds: 6 }).then(() => undefined));

function run(...args: string[]): { out: string[][]; err: string; status: number | null } {
  const { stdout, stderr, status } = spawnSync('python3', [program, ...args], { encoding: 'utf8' });
  return {
    out: stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split('\t')),
    err: stderr,
    status,
  };
}

async function ours(session: string): Promise<readonly Reading[]> {
  const all: Reading[] = [];
  for await (const m of readSession(session)) if (m.topic === 'readings') all.push(readingOf(m.bytes));
  return all;
}
const counted = (all: readonly Reading[]): string[][] =>
  [...new Set(all.map(channelName))].sort().map((name) => {
    const own = all.filter((r) => channelName(r) === name);
    return [name, ...['good', 'suspect', 'bad'].map((q) => String(own.filter((r) => r.quality === q).length))];
  });
const listed = (all: readonly Reading[], name: string): unknown[][] =>
  all
    .filter((r) => channelName(r) === name)
    .map((r) => [
      r.t,
      r.quality === 'bad' ? null : r.value,
      r.quality === 'bad' ? null : (r.sigma?.random ?? null),
      r.quality,
      r.why ?? '',
    ]);
const told = (out: string[][]): unknown[][] =>
  out.map(([t = '', value = '', sigma = '', quality, why]) => [Number(t), JSON.parse(value), JSON.parse(sigma), quality, why]);

describe.skipIf(!python)('with python3', () => {
  test('the same channels, counts and readings', async () => {
    expect(partsIn(folder).filter((name) => name.startsWith('slow')).length).toBeGreaterThan(2);
    const all = await ours(folder);
    const { out, err, status } = run(folder);
    expect(err).toBe('');
    expect(status).toBe(0);
    expect(out).toEqual(counted(all));
    for (const name of ['gas.pressure', 'hv.bias[1]', 'camera.spectrum']) expect(told(run(folder, name).out)).toEqual(listed(all, name));
    expect(run(folder, 'nowhere')).toMatchObject({
      status: 1,
      err: expect.stringContaining('there is no channel nowhere; there are camera.spectrum, gas.pressure'),
    });
  });

  test('cut and damaged, as much as our own reader', async () => {
    const hurt = copied(folder, join(scratch, 'hurt'));
    const slow = partsIn(hurt).filter((name) => name.startsWith('slow'));
    const [first = '', second = ''] = slow.map((name) => join(hurt, name));
    truncateSync(first, readFileSync(first).length - 900);
    const bytes = readFileSync(second);
    bytes[bytes.indexOf('gas.pressure')] = 0x58;
    writeFileSync(second, bytes);
    const { out, err } = run(hurt);
    expect(out).toEqual(counted(await ours(hurt)));
    expect(err).toContain('slow-0001.mcap: it has no end');
    expect(err).toContain('slow-0002.mcap: the chunk at byte');
  });

  test('parts that were given up, up to where they hold', async () => {
    const given = join(scratch, 'given');
    let refuses = false;
    const { nodeDisk } = await import('../src/recorder/part-disk.ts');
    const disk = {
      ...nodeDisk,
      create: async (path: string, exclusive: boolean) => {
        const file = await nodeDisk.create(path, exclusive);
        return {
          ...file,
          // The data is written, but cannot be confirmed, nor cut off again.
          datasync: async () => {
            if (refuses && path.includes('0001')) throw Object.assign(new Error('i/o'), { code: 'EIO' });
            await file.datasync();
          },
          truncate: async () => {},
        };
      },
    };
    let ms = 0;
    const writer = sessionWriter({ folder: given, now: () => ms, limits: { rawFree: 0, reserve: 0 }, disk });
    for (let k = 0; k < 3; k++) {
      const reading = { from: 'gas.pressure', kind: 'Pa', t: 1e15 + k, seq: k, origin: 'simulator', quality: 'good', value: k };
      writer.write('readings', 'slow', reading.t, Buffer.from(JSON.stringify(reading)));
      refuses = k === 1;
      ms += 1000;
      writer.tick();
      await writer.settled();
    }
    await writer.close();
    expect(partsIn(given)).toEqual(['slow-0001.mcap', 'slow-0002.mcap']);
    expect(readFileSync(join(given, 'slow-0001.mcap')).toString('latin1')).toContain('"seq":1');
    expect(told(run(given, 'gas.pressure').out)).toEqual(listed(await ours(given), 'gas.pressure'));
    expect(told(run(given, 'gas.pressure').out)).toHaveLength(3);
  });
});
