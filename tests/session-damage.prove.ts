/** Damaged sessions: cut at every byte, flipped, zeroed, parts gone, files that are none. All whole chunks are read, what is lost is named. */
import { mkdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Command, EXIT } from '../src/cli/command.ts';
import { inspect } from '../src/cli/inspect.ts';
import { diff } from '../src/cli/session-diff.ts';
import { grep } from '../src/cli/session-grep.ts';
import { repair } from '../src/cli/session-repair.ts';
import { trend } from '../src/cli/session-trend.ts';
import { verify } from '../src/cli/session-verify.ts';
import { parsePartName } from '../src/recorder/part-name.ts';
import { repairSession } from '../src/recorder/repair.ts';
import { readSession, type Trouble } from '../src/recorder/session-read.ts';
import { trendRows } from '../src/recorder/trend-read.ts';
import { verifySession } from '../src/recorder/verify.ts';
import { called, content, copied, made, partsIn, SMALL, scratchFolder } from './session-made.ts';

const scratch = scratchFolder('damage');
afterAll(() => rmSync(scratch, { recursive: true }));
const whole = join(scratch, 'whole');
const hurt = join(scratch, 'hurt');
let all: ReadonlySet<string>;
let parts: readonly string[];
const counts = new Map<string, number>();
const seriesIn = (part: string): string => parsePartName(part)?.series ?? '';
beforeAll(async () => {
  await made(whole, { limits: SMALL, seconds: 3 });
  all = new Set(await content(whole));
  for (const line of all) counts.set(line.split(' ')[0] ?? '', (counts.get(line.split(' ')[0] ?? '') ?? 0) + 1);
  parts = partsIn(whole);
  copied(whole, hurt);
});

/** What is read of the damaged session: never a wrong message, and what is missing is told. */
async function looked(part: string, what: string): Promise<number> {
  const series = seriesIn(part);
  const wanted = counts.get(series) ?? 0;
  const trouble: Trouble[] = [];
  let n = 0;
  for await (const m of readSession(hurt, { raw: [series], slow: series === 'slow', onTrouble: (one) => trouble.push(one) })) {
    n++;
    const line = [m.series, m.topic, m.encoding, m.schema, m.sequence, m.t, Buffer.from(m.bytes).toString('hex')].join(' ');
    if (!all.has(line)) throw new Error(`${what}: a message that was never written: ${line}`);
  }
  if (n < wanted && trouble.length === 0) {
    const { findings } = await verifySession(hurt);
    if (findings.length === 0) throw new Error(`${what}: ${wanted - n} messages are lost and nothing is told`);
  }
  return n;
}

/** A part as it was, changed. */
async function withPart(part: string, bytes: Uint8Array, work: () => Promise<void>): Promise<void> {
  writeFileSync(join(hurt, part), bytes);
  await work();
  writeFileSync(join(hurt, part), readFileSync(join(whole, part)));
}

const COMMANDS: readonly (readonly [Command, ...string[]])[] = [
  [inspect, hurt],
  [inspect, scratch],
  [verify, hurt, '--files-only'],
  [repair, hurt, join(scratch, 'new')],
  [grep, hurt, 'kPa'],
  [trend, hurt, 'gas.pressure'],
  [trend, hurt, 'gas.pressure', '--plot', '--every', '1min'],
  [diff, hurt, whole],
  [diff, whole, hurt],
];

/** Each command says what it has to say: `called` throws for a stack. */
async function commands(what: string): Promise<void> {
  for (const [command, ...args] of COMMANDS) {
    rmSync(join(scratch, 'new'), { recursive: true, force: true });
    const { code, out, err } = await called(command, ...args).catch((cause: unknown) => {
      throw new Error(`${what}: ${command.name} ${args.join(' ')}`, { cause });
    });
    expect([EXIT.ok, EXIT.failed, EXIT.usage], `${what}: ${command.name}`).toContain(code);
    expect((out + err).length, `${what}: ${command.name}`).toBeGreaterThan(0);
  }
  const { findings } = await verifySession(hurt);
  expect(findings.length, what).toBeGreaterThan(0);
  // What was repaired has the same messages, in sound files.
  if (partsIn(hurt).length > 0) {
    rmSync(join(scratch, 'new'), { recursive: true, force: true });
    await repairSession(hurt, join(scratch, 'new'));
    expect(await content(join(scratch, 'new')), what).toEqual(await content(hurt));
    const left = (await verifySession(join(scratch, 'new'))).findings.map((f) => f.kind);
    expect(
      left.filter((kind) => ['damage', 'cut', 'index'].includes(kind)),
      what,
    ).toEqual([]);
  }
}

describe('cut', () => {
  test('wherever it is, the reader gives whole chunks and tells the rest', async () => {
    for (const part of parts) {
      const bytes = readFileSync(join(whole, part));
      let before = -1;
      // Closely: that every single byte is as good as another is proven on a small part in tests/recorder/.
      for (let cut = 0; cut < bytes.length; cut += part.startsWith('slow') ? 5 : 17) {
        await withPart(part, bytes.subarray(0, cut), async () => {
          const n = await looked(part, `${part} cut at ${cut}`);
          if (n < before) throw new Error(`${part} cut at ${cut}: fewer messages than of a shorter file`);
          before = n;
        });
      }
    }
  });

  test('anywhere, every command says what is lost', async () => {
    for (const part of parts) {
      const bytes = readFileSync(join(whole, part));
      for (const cut of [
        0,
        1,
        7,
        8,
        40,
        150,
        300,
        ...Array.from({ length: 6 }, (_, i) => Math.floor((bytes.length * (i + 1)) / 7)),
        bytes.length - 1,
      ])
        await withPart(part, bytes.subarray(0, cut), () => commands(`${part} cut at ${cut}`));
    }
  });
});

describe('damaged', () => {
  test('a flipped bit of every eleventh byte of the slow parts and one link', async () => {
    for (const part of parts.filter((name) => /^slow-0001|raw-tcp/.test(name))) {
      const bytes = readFileSync(join(whole, part));
      for (let at = 0; at < bytes.length; at += 11) {
        const flipped = Uint8Array.from(bytes);
        flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
        await withPart(part, flipped, async () => {
          const n = await looked(part, `${part} byte ${at}`);
          const lost = (counts.get(seriesIn(part)) ?? 0) - n;
          if (lost > 60) throw new Error(`${part} byte ${at}: ${lost} messages are lost, more than a chunk has`);
        });
      }
    }
  });

  test('flipped bytes, zeroed pages and pages of noise: every command', async () => {
    for (const part of parts) {
      const bytes = readFileSync(join(whole, part));
      for (let at = 11; at < bytes.length; at += Math.ceil(bytes.length / 2)) {
        for (const [what, change] of [
          ['flipped', (b: Uint8Array) => void (b[at] = (b[at] ?? 0) ^ 0x81)],
          ['zeroed', (b: Uint8Array) => void b.fill(0, at, at + 512)],
          ['noise', (b: Uint8Array) => void b.subarray(at, at + 200).forEach((_, i, page) => void (page[i] = (i * 7919 + at) & 0xff))],
        ] as const) {
          const changed = Uint8Array.from(bytes);
          change(changed);
          await withPart(part, changed, () => commands(`${part} ${what} at ${at}`));
        }
      }
    }
  });

  test('an index that leads astray is not followed', async () => {
    for (const part of parts.filter((name) => name.startsWith('slow'))) {
      const bytes = readFileSync(join(whole, part));
      for (let at = bytes.length - 600; at < bytes.length; at += 13) {
        const changed = Uint8Array.from(bytes);
        changed[at] = 0xff - (changed[at] ?? 0);
        await withPart(part, changed, async () => {
          let rows = 0;
          for await (const _ of trendRows(hurt, 1)) rows++;
          expect(rows, `${part} ${at}`).toBe(3);
        });
      }
    }
  });
});

test('a part that is not there, and every part alone', async () => {
  for (const part of parts) {
    unlinkSync(join(hurt, part));
    await commands(`without ${part}`);
    writeFileSync(join(hurt, part), readFileSync(join(whole, part)));
  }
  for (const part of parts) {
    for (const other of parts) if (other !== part) unlinkSync(join(hurt, other));
    await commands(`${part} alone`);
    copied(whole, hurt);
  }
});

test('empty files, files that are none, and folders in the place of parts', async () => {
  for (const [what, bytes] of [
    ['empty', new Uint8Array()],
    ['text', Buffer.from('time,value\n1,2\n'.repeat(500))],
    ['zeros', new Uint8Array(20_000)],
  ] as const) {
    for (const part of parts) await withPart(part, bytes, () => commands(`${part} ${what}`));
    for (const part of parts) writeFileSync(join(hurt, part), bytes);
    await commands(`all ${what}`);
    copied(whole, hurt);
  }
  unlinkSync(join(hurt, 'slow-0001.mcap'));
  mkdirSync(join(hurt, 'slow-0001.mcap'));
  await commands('a folder in the place of a part');
  rmSync(join(hurt, 'slow-0001.mcap'), { recursive: true });
  copied(whole, hurt);
});
