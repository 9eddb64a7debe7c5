/** `bridgman verify` and `bridgman repair`: what is whole is said to be, and what is not is named and left behind. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { EXIT } from '../src/cli/command.ts';
import { repair } from '../src/cli/session-repair.ts';
import { verify } from '../src/cli/session-verify.ts';
import type { Reading } from '../src/reading.ts';
import type { Repaired } from '../src/recorder/repair.ts';
import type { Verdict } from '../src/recorder/verify.ts';
import { recorded, rigNamed } from './replay-session.ts';
import { bytesOf, called, content, copied, made, partsIn, SMALL, scratchFolder } from './session-made.ts';

const built = resolve(import.meta.dirname, '../dist/src/main.js');
const scratch = scratchFolder('verify');
afterAll(() => rmSync(scratch, { recursive: true }));
const whole = join(scratch, 'whole');
beforeAll(async () => {
  const keeper = await made(whole, { limits: SMALL });
  writeFileSync(join(scratch, 'summary.json'), JSON.stringify(keeper.summary()));
});

let n = 0;
const copy = (): string => copied(whole, join(scratch, `copy-${n++}`));
const json = async (folder: string, ...more: string[]): Promise<Verdict> =>
  JSON.parse((await called(verify, folder, '--json', '--files-only', ...more)).out) as Verdict;
const kinds = (v: Verdict): readonly string[] => [...new Set(v.findings.map((f) => f.kind))].sort();
function flip(folder: string, part: string, at: number): void {
  const path = join(folder, part);
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  writeFileSync(path, bytes);
}
const place = (folder: string, part: string, text: string): number => readFileSync(join(folder, part)).indexOf(text);

describe('verify', () => {
  test('a whole session of several parts is whole', async () => {
    expect(partsIn(whole).filter((name) => name.startsWith('slow-')).length).toBeGreaterThan(1);
    const { code, out } = await called(verify, whole, '--files-only', '--summary', join(scratch, 'summary.json'));
    expect(out).toMatch(/\nwhole\n$/);
    expect(code).toBe(EXIT.ok);
    expect(await json(whole)).toMatchObject({ verdict: 'whole', whole: true, complete: true, findings: [], more: 0 });
  });

  test('a flipped byte of any place of any part is damage', async () => {
    for (const part of partsIn(whole)) {
      const { length } = readFileSync(join(whole, part));
      for (let at = 3; at < length; at += 211) {
        const folder = copy();
        flip(folder, part, at);
        const { code, out } = await called(verify, folder, '--files-only');
        expect(code, `${part} ${at}`).toBe(EXIT.failed);
        expect(out, `${part} ${at}`).toMatch(/\ndamaged\n$/);
        expect(out).toContain(part.slice(0, -5));
        rmSync(folder, { recursive: true });
      }
    }
  });

  test('a damaged chunk is named with what is lost of which topic and channel', async () => {
    const folder = copy();
    flip(folder, 'slow-0001.mcap', place(folder, 'slow-0001.mcap', '"seq":0'));
    const verdict = await json(folder);
    expect(kinds(verdict)).toEqual(['count', 'damage', 'lost']);
    expect(verdict.findings).toContainEqual(expect.objectContaining({ kind: 'damage', where: 'slow-0001' }));
    expect(verdict.findings).toContainEqual({
      kind: 'lost',
      where: 'gas.pressure',
      text: expect.stringMatching(/^2 readings missing, before 2026-11-22T12:00:01.020Z$/),
    });
  });

  test('a rig that is lost, and parts of two sessions in one folder', async () => {
    // The chunk with the rig goes; what is left of it after a repair shows nowhere else.
    const [folder, repaired] = [copy(), join(scratch, 'without-rig')];
    flip(folder, 'slow-0001.mcap', place(folder, 'slow-0001.mcap', 'rig: demo'));
    expect((await called(repair, folder, repaired)).code).toBe(EXIT.ok);
    expect((await json(repaired)).findings).toContainEqual({
      kind: 'lost',
      where: 'slow rig',
      text: 'the rig is missing, which each session begins with',
    });

    const mixed = copy();
    await made(join(scratch, 'other-session'), { seconds: 1 });
    copyFileSync(join(scratch, 'other-session', 'slow-0001.mcap'), join(mixed, 'slow-0099.mcap'));
    expect((await json(mixed)).findings).toContainEqual({
      kind: 'strange',
      where: 'slow',
      text: expect.stringMatching(/^parts of 2 sessions are mixed: .+, other-session$/),
    });
  });

  test('each kind of loss has its name', async () => {
    const cut = copy();
    const last = partsIn(cut).findLast((name) => name.startsWith('slow-')) ?? '';
    truncateSync(join(cut, last), readFileSync(join(cut, last)).length - 1);
    expect((await json(cut)).findings).toMatchObject([{ kind: 'cut', where: last.slice(0, -5) }]);

    const middle = copy();
    unlinkSync(join(middle, 'slow-0002.mcap'));
    expect(kinds(await json(middle))).toEqual(expect.arrayContaining(['lost', 'missing']));

    const begin = copy();
    unlinkSync(join(begin, 'slow-0001.mcap'));
    expect((await json(begin)).findings).toContainEqual({ kind: 'missing', where: 'slow-0001', text: 'slow-0001 is not in the folder' });

    const end = copy();
    unlinkSync(join(end, last));
    expect(kinds(await json(end))).toContain('end');

    const traces = copy();
    for (const name of partsIn(traces)) if (name.startsWith('raw-traces')) unlinkSync(join(traces, name));
    expect((await json(traces)).findings).toMatchObject([
      { kind: 'lost', where: 'camera.spectrum', text: expect.stringContaining('4 traces of 4') },
      { kind: 'missing', where: 'raw-traces-0001' },
    ]);

    const files = copy();
    unlinkSync(join(files, 'raw-calibrations-0001.mcap'));
    expect((await json(files)).findings).toEqual([
      {
        kind: 'missing',
        where: 'raw-calibrations-0001',
        text: "raw-calibrations-0001 is not in the folder; the session's end says that it was",
      },
    ]);

    const link = copy();
    for (const name of partsIn(link)) if (name.startsWith('raw-tcp')) unlinkSync(join(link, name));
    expect((await json(link)).findings).toMatchObject([
      { kind: 'count', text: "0 bytes in on tcp:10.0.0.1:5025; the session's end says 80" },
      { kind: 'count', text: "0 bytes out on tcp:10.0.0.1:5025; the session's end says 56" },
      { kind: 'missing', where: 'raw-tcp-10-0-0-1-5025-0001' },
    ]);
  });

  test("a run's summary that says more is told", async () => {
    const summary = JSON.parse(readFileSync(join(scratch, 'summary.json'), 'utf8')) as { channels: Record<string, { good: number }> };
    const pressure = summary.channels['gas.pressure'];
    if (pressure) pressure.good += 1;
    writeFileSync(join(scratch, 'more.json'), JSON.stringify(summary));
    expect((await json(whole, '--summary', join(scratch, 'more.json'))).findings).toEqual([
      { kind: 'count', where: 'summary', text: '8 readings of gas.pressure; the summary says 9' },
    ]);
    writeFileSync(join(scratch, 'none.json'), '[1]');
    expect(await called(verify, whole, '--summary', join(scratch, 'none.json'))).toMatchObject({ code: EXIT.usage });
  });

  test('what is no session is said in one sentence', async () => {
    for (const path of [join(scratch, 'nowhere'), join(scratch, 'summary.json'), scratch])
      expect(await called(verify, path)).toMatchObject({
        code: EXIT.failed,
        out: '',
        err: expect.stringMatching(/^bridgman verify: .*\n$/),
      });
    expect(await called(verify)).toMatchObject({ code: EXIT.usage });
    expect(await called(verify, whole, whole)).toMatchObject({ code: EXIT.usage });
  });
});

test('the readings of a whole session come out again, or it is said that they do not', async () => {
  const known = await catalogue();
  const rig = await rigNamed('demo', known);
  const taken = await recorded(rig, known, { seconds: 3 });
  const other = await recorded(rig, known, {
    seconds: 3,
    before: (entry) =>
      entry.kind === 'reading' && entry.reading.from === 'gas.pressure' && entry.reading.quality === 'good'
        ? { kind: 'reading', reading: { ...entry.reading, value: 7 } as Reading } // a number as before
        : entry,
  });
  try {
    const { out, code } = await called(verify, taken.folder);
    expect(out).toMatch(/\nreadings from the wires again: identical\nwhole\n$/);
    expect(code).toBe(EXIT.ok);
    expect(await called(verify, other.folder)).toMatchObject({
      code: EXIT.failed,
      out: expect.stringMatching(/\nreadings from the wires again: differs\nwhole\n$/),
    });
  } finally {
    await taken.remove();
    await other.remove();
  }
  expect((await called(verify, whole)).out).toContain('readings from the wires again: not looked at: '); // its rig is none
});

describe('repair', () => {
  const report = (folder: string): Repaired => JSON.parse(readFileSync(join(folder, 'repair.json'), 'utf8')) as Repaired;

  test('a whole session becomes the same session, byte for byte', async () => {
    const to = join(scratch, 'same');
    const { code, out } = await called(repair, whole, to);
    expect(out).toContain('nothing is lost');
    expect(code).toBe(EXIT.ok);
    expect(bytesOf(to)).toEqual(bytesOf(whole));
    expect(await json(to)).toMatchObject({ whole: true });
    expect(report(to)).toMatchObject({ unread: [], lost: [], twice: 0 });
  });

  test('of a damaged one all whole chunks are kept, the old folder is left alone, and what is lost is counted', async () => {
    const folder = copy();
    flip(folder, 'slow-0001.mcap', place(folder, 'slow-0001.mcap', '"seq":0'));
    unlinkSync(join(folder, 'slow-0003.mcap'));
    const raw = 'raw-tcp-10-0-0-1-5025-0001.mcap';
    truncateSync(join(folder, raw), readFileSync(join(folder, raw)).length - 800);
    writeFileSync(join(folder, 'influx.json'), '[]');
    writeFileSync(join(folder, 'influx-rejected.jsonl'), 'x');
    const before = bytesOf(folder);
    const { out } = await called(repair, folder);
    const to = `${folder}-repaired`;
    expect(bytesOf(folder)).toEqual(before);
    expect(await content(to)).toEqual(await content(folder));
    const told = report(to);
    expect(told.unread.map(({ part, kind }) => `${part} ${kind}`).sort()).toEqual([
      `${raw.slice(0, -5)} cut`,
      'slow-0001 damage',
      'slow-0003 missing',
    ]);
    expect(told.unread.find((u) => u.part === 'slow-0001')).toMatchObject({
      series: 'slow',
      first: expect.any(Number),
      bytes: expect.any(Number),
    });
    expect(told.lost).toContainEqual(expect.objectContaining({ series: 'slow', topic: 'readings', messages: expect.any(Number) }));
    expect(told.left).toEqual(['influx.json']);
    expect(existsSync(join(to, 'influx-rejected.jsonl'))).toBe(true);
    expect(out).toContain('MESSAGES LOST');
    // Its files are sound now; what is missing stays named.
    expect(kinds(await json(to)).filter((kind) => !['lost', 'count', 'missing'].includes(kind))).toEqual([]);
  });

  test('a disk that refuses leaves no half of a session', () => {
    const to = join(scratch, 'refused');
    // No file may be longer than 1 KiB, as if the disk were full.
    const script = 'trap "" XFSZ; ulimit -f 1; exec "$0" "$@"';
    const { status, stderr } = spawnSync('bash', ['-c', script, process.execPath, built, 'repair', whole, to], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([EXIT.failed, expect.stringMatching(/^bridgman repair: EFBIG: .*\n$/)]);
    expect(existsSync(to)).toBe(false);
  });

  test('a folder that is there is not written over', async () => {
    const folder = copy();
    expect(await called(repair, folder, whole)).toMatchObject({ code: EXIT.refused, err: expect.stringContaining('is there already') });
    expect(await called(repair, join(scratch, 'nowhere'))).toMatchObject({ code: EXIT.failed });
  });
});
