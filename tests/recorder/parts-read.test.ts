import { appendFile, mkdtemp, readFile, rm, symlink, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parsePartName, partName, seriesName } from '../../src/recorder/part-name.ts';
import type { Klass } from '../../src/recorder/part-series.ts';
import { sessionWriter } from '../../src/recorder/parts.ts';
import { chunksFrom, listParts, type Position, readSession, type Trouble } from '../../src/recorder/session-read.ts';

const START = 1_770_000_000_000_000;
let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'session-'));
});
afterEach(() => rm(folder, { recursive: true }));

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A writer on the real disk: each `put` is one chunk. */
function recording(partBytes = 1 << 20) {
  let ms = 0;
  let place: Position | undefined;
  const writer = sessionWriter({
    folder,
    now: () => ms,
    limits: { rawFree: 0, reserve: 0, partBytes },
    onConfirmed: (one, klass) => {
      if (klass === 'slow') place = one;
    },
  });
  return {
    writer,
    get place() {
      return place;
    },
    async put(klass: Klass, ...lines: readonly (readonly [t: number, line: string])[]) {
      for (const [t, line] of lines) writer.write('notes', klass, START + t, new TextEncoder().encode(line));
      ms += 200;
      writer.tick();
      await writer.settled();
    },
  };
}

async function lines(options: { raw?: boolean | readonly string[] } = {}) {
  const troubles: Trouble[] = [];
  const all: string[] = [];
  for await (const { bytes } of readSession(folder, { ...options, onTrouble: (one) => troubles.push(one) })) all.push(text(bytes));
  return { all, troubles };
}

async function from(position: Position | undefined, until?: Position) {
  const troubles: Trouble[] = [];
  const all: string[] = [];
  let next = position;
  for await (const chunk of chunksFrom(folder, position, { onTrouble: (one) => troubles.push(one), ...(until ? { until } : {}) })) {
    all.push(...chunk.messages.map(({ bytes }) => text(bytes)));
    next = chunk.next;
  }
  return { all, next, troubles };
}

test('a cursor follows a session that is being written, over the ends of parts', async () => {
  const session = recording(600);
  let cursor: Position | undefined;
  const got: string[] = [];
  for (let i = 0; i < 12; i++) {
    await session.put('slow', [i, `line ${i}`]);
    if (i % 3 === 1) continue;
    const read = await from(cursor, session.place);
    expect(read.troubles).toEqual([]);
    got.push(...read.all);
    cursor = read.next;
    expect(cursor).toEqual(session.place);
  }
  await session.writer.close();
  expect(got).toEqual(Array.from({ length: 12 }, (_, i) => `line ${i}`));
  expect((await listParts(folder)).length).toBeGreaterThan(3);
  expect((await from(cursor)).all).toEqual([]);
  expect((await from({ part: 'slow-0002', offset: 0 })).all[0]).toBe('line 1');
});

test('streams are merged by time, bytes before what was made of them; each series keeps its own order', async () => {
  const session = recording();
  await session.put('slow', [10, 'a'], [30, 'c'], [20, 'late']);
  await session.put('raw-x', [5, 'x5'], [30, 'x30'], [31, 'x31']);
  await session.put('raw-y', [30, 'y30'], [90, 'y90']);
  await session.writer.close();
  expect((await lines()).all).toEqual(['a', 'c', 'late']);
  expect((await lines({ raw: true })).all).toEqual(['x5', 'a', 'y30', 'x30', 'c', 'late', 'x31', 'y90']);
  expect((await lines({ raw: ['raw-x'] })).all).toEqual(['x5', 'a', 'x30', 'c', 'late', 'x31']);
});

test('a damaged chunk is skipped, named and told once; the cursor goes on behind it', async () => {
  const session = recording();
  for (let i = 0; i < 3; i++) await session.put('slow', [i, `line ${i}`]);
  const path = join(folder, 'slow-0001.mcap');
  const bytes = await readFile(path);
  const at = bytes.indexOf('line 1');
  bytes[at] = 0x2a;
  await writeFile(path, bytes);
  const read = await from(undefined);
  expect(read.all).toEqual(['line 0', 'line 2']);
  expect(read.troubles).toMatchObject([{ kind: 'damage', part: 'slow-0001', why: 'its checksum does not fit its bytes' }]);
  const [damage] = read.troubles;
  expect(at).toBeGreaterThan(damage?.offset ?? 0);
  expect(at).toBeLessThan((damage?.offset ?? 0) + (damage?.bytes ?? 0));
  expect(await from(read.next)).toMatchObject({ all: [], troubles: [] });
  await session.writer.close();
  expect(await lines()).toMatchObject({ all: ['line 0', 'line 2'], troubles: [{ kind: 'damage' }] });
});

test('an unfinished chunk at the end of a running session is waited for, not told as damage', async () => {
  const session = recording();
  await session.put('slow', [0, 'line 0']);
  const path = join(folder, 'slow-0001.mcap');
  const before = (await readFile(path)).length;
  await session.put('slow', [1, 'line 1']);
  const whole = await readFile(path);
  const second = whole.subarray(before);
  for (let cut = 0; cut < second.length; cut++) {
    await truncate(path, before);
    await appendFile(path, second.subarray(0, cut));
    const half = await from(undefined);
    expect(half.troubles, `cut at ${cut}`).toEqual([]);
    await truncate(path, before);
    await appendFile(path, second);
    const then = await from(half.next);
    expect([...half.all, ...then.all], `cut at ${cut}`).toEqual(['line 0', 'line 1']);
  }
  await truncate(path, before + 30); // killed here, and nobody goes on
  expect(await lines()).toMatchObject({ all: ['line 0'], troubles: [{ kind: 'cut', part: 'slow-0001' }] });
  await writeFile(path, Buffer.concat([whole.subarray(0, before), Buffer.alloc(300)])); // what a loss of power may leave
  expect((await from(undefined)).troubles).toEqual([]);
  expect((await lines()).all).toEqual(['line 0']);
  await session.writer.close();
});

test('a part that is missing is named', async () => {
  const session = recording(600);
  for (let i = 0; i < 12; i++) await session.put('slow', [i, `line ${i}`]);
  await session.writer.close();
  await unlink(join(folder, 'slow-0002.mcap'));
  await unlink(join(folder, 'slow-0003.mcap'));
  const { all, troubles } = await lines();
  expect(all[0]).toBe('line 0');
  expect(all.at(-1)).toBe('line 11');
  expect(troubles).toMatchObject([{ kind: 'missing', part: 'slow-0002', why: 'slow-0002 to slow-0003 is not in the folder' }]);
});

test('a part that cannot be opened is told, and the others are read', async () => {
  const session = recording(600);
  for (let i = 0; i < 4; i++) await session.put('slow', [i, `line ${i}`]);
  await session.writer.close();
  await unlink(join(folder, 'slow-0002.mcap'));
  await symlink(join(folder, 'nowhere'), join(folder, 'slow-0002.mcap'));
  const { all, troubles } = await lines();
  expect(all).toEqual(['line 0', 'line 2', 'line 3']);
  expect(troubles).toMatchObject([{ kind: 'missing', part: 'slow-0002', why: expect.stringContaining('ENOENT') }]);
});

test('other files in the folder are left alone; a folder or a position that is none is said', async () => {
  const session = recording();
  await session.put('slow', [0, 'line 0']);
  await session.writer.close();
  await writeFile(join(folder, 'influx.json'), '{}');
  await writeFile(join(folder, 'slow-x.mcap'), 'noise');
  await writeFile(join(folder, 'slow-0002.mcap'), '');
  expect(await lines()).toMatchObject({ all: ['line 0'], troubles: [{ kind: 'cut', part: 'slow-0002' }] });
  await expect(listParts(join(folder, 'nowhere'))).rejects.toMatchObject({
    code: 'SESSION_NO_FOLDER',
    message: expect.stringContaining('nowhere'),
  });
  await expect(from({ part: 'fast', offset: 3 })).rejects.toMatchObject({ code: 'SESSION_BAD_POSITION' });
});

test('names of parts', () => {
  expect(partName('raw-a', 7)).toBe('raw-a-0007');
  expect(partName('slow', 12_345)).toBe('slow-12345');
  expect(parsePartName('raw-a-0001-0002.mcap')).toEqual({ series: 'raw-a-0001', number: 2, name: 'raw-a-0001-0002' });
  expect(parsePartName('slow-1.mcap')).toBeUndefined();
  expect(parsePartName('fast-0001.mcap')).toBeUndefined();
  expect(seriesName('raw-../x%y\n')).toBe('raw-..%2Fx%25y%0A');
});
