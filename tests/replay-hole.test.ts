/** A session with a hole in its middle: what is lost is said, what is whole is judged, and nothing that is sound is said to differ. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { EXIT } from '../src/cli/command.ts';
import { replayCommand } from '../src/cli/replay.ts';
import { nodesOf } from '../src/methods.ts';
import { CHUNK_HEAD, MAGIC, OP, RECORD_HEAD } from '../src/recorder/mcap-write.ts';
import { readSession } from '../src/recorder/session-read.ts';
import { exchangeIn } from '../src/replay/messages.ts';
import type { Recorded } from '../src/replay/player.ts';
import { type Replayed, replay } from '../src/replay/replay.ts';
import { type Recording, recorded, rigNamed } from './replay-session.ts';
import { called } from './session-made.ts';
import { tamper } from './tamper.ts';

const known = await catalogue();
const scratch = await mkdtemp(join(tmpdir(), 'bridgman-hole-'));
const recordings: Record<string, Recording> = {};
let copies = 0;

const order = (instrument: string, command: string, written?: string) => ({
  by: 'ann',
  instrument,
  command,
  ...(written ? { written } : {}),
});
const ORDERS: Readonly<Record<string, readonly (readonly [number, ReturnType<typeof order>])[]>> = {
  demo: [
    [2, order('gas', 'pressure', '2 bar')],
    [4.1, order('oven', 'set_point', '60 degC')],
    [6.5, order('gas', 'pressure', '3 bar')],
  ],
  resistivity: [],
};

beforeAll(async () => {
  for (const name of Object.keys(ORDERS))
    recordings[name] = await recorded(await rigNamed(name, known), known, {
      seconds: 9,
      meanwhile(lab, second) {
        for (const [at, one] of ORDERS[name] ?? []) if (Math.abs(at - second) < 0.01) lab.host.order(one, () => {});
      },
    });
}, 120_000);
afterAll(async () => {
  for (const one of Object.values(recordings)) await one.remove();
  await rm(scratch, { recursive: true, force: true });
});

const recordingOf = (name: string): Recording => {
  const one = recordings[name];
  if (!one) throw new Error(`${name} was not recorded`);
  return one;
};

/** Where the chunks of a part begin and end. */
function chunksIn(bytes: Uint8Array): readonly (readonly [number, number])[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const all: (readonly [number, number])[] = [];
  for (let at = MAGIC.length; at + RECORD_HEAD <= bytes.length; ) {
    const end = at + RECORD_HEAD + Number(view.getBigUint64(at + 1, true));
    if (bytes[at] === OP.chunk) all.push([at, end]);
    at = end;
  }
  return all;
}

/** A copy without some chunks of its slow part: the first so far into it (0 to 1), and so many. */
async function holed(name: string, from: number, many: number): Promise<string> {
  const folder = join(scratch, `session-${++copies}`);
  await cp(recordingOf(name).folder, folder, { recursive: true });
  const part = join(folder, (await readdir(folder)).find((one) => one.startsWith('slow')) ?? '');
  const bytes = await readFile(part);
  const chunks = chunksIn(bytes);
  const first = 1 + Math.floor(from * (chunks.length - many - 1)); // the rig stands in the first
  for (const [begin, end] of chunks.slice(first, first + many)) bytes.fill(0, begin + CHUNK_HEAD, end);
  await writeFile(part, bytes);
  return folder;
}

const again = (name: string, folder: string): Promise<Replayed> => {
  const { rig } = recordingOf(name);
  return replay({ folder, rig, nodes: nodesOf(rig), catalogue: known });
};

async function exchangesIn(folder: string): Promise<readonly Recorded[]> {
  const all: Recorded[] = [];
  for await (const m of readSession(folder)) {
    const x = m.topic === 'exchanges' ? exchangeIn(m) : undefined;
    if (x) all.push(x);
  }
  return all;
}

/** Recorded readings that nothing is said of. */
const unjudged = ({ taken }: Replayed): number => taken.reduce((n, { why, count }) => n + (why.startsWith('made again') ? 0 : count), 0);
const holes = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 5 }));

describe('a hole anywhere', () => {
  test.each([
    ['demo', 6, 0.01],
    ['resistivity', 6, 0.2], // its current source counts what it has read: behind a hole its driver asks for other numbers
  ])(
    '%s: nothing differs, and what is not judged is counted',
    async (name, numRuns, most) => {
      const { lab } = recordingOf(name);
      await fc.assert(
        fc.asyncProperty(holes, async ([from, many]) => {
          const result = await again(name, await holed(name, from, many));
          const { verdict, changes, exchanges, readings, lost, trouble, complete } = result;
          expect(changes).toEqual([]);
          expect(exchanges.differences).toEqual([]);
          expect(verdict).toBe('identical');
          expect(trouble.length).toBeGreaterThan(0);
          expect(readings.same + readings.host + unjudged(result)).toBe(readings.recorded);
          // At the beginning it takes the instruments' identities with it, and at the end nothing comes that would tell how much is lost.
          if (from < 0.15 || from > 0.85) return;
          expect(complete).toBe(true);
          expect(lost.readings).toBe(lab.readings().length - readings.recorded);
          expect(unjudged(result)).toBeLessThanOrEqual(most * readings.recorded);
        }),
        { numRuns },
      );
    },
    120_000,
  );

  test('a flipped byte of a raw reply, far from the hole or beside it, is named', async () => {
    const name = 'demo';
    const flips = fc.tuple(holes, fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constant('beside' as const)));
    await fc.assert(
      fc.asyncProperty(flips, async ([[from, many], where]) => {
        const folder = await holed(name, from, many);
        const left = (await exchangesIn(folder)).filter((x) => x.reply !== undefined && x.fault === undefined && x.by.startsWith('poll:'));
        const gap = left.findIndex((x, i) => i > 0 && x.asked - (left[i - 1]?.asked ?? 0) > 150_000);
        const x = left[where === 'beside' ? gap : Math.floor(where * (left.length - 1))];
        fc.pre(x !== undefined);
        const reply = Buffer.from(x.reply ?? '', 'hex');
        let flipped = 0;
        await tamper(folder, 'raw', (topic, bytes, t) => {
          if (flipped > 0 || !topic.endsWith(' in') || t !== x.came || !Buffer.from(bytes).equals(reply)) return false;
          bytes[bytes.length >> 1] ^= 1;
          flipped++;
          return true;
        });
        fc.pre(flipped === 1);
        const { verdict, changes, exchanges } = await again(name, folder);
        expect(verdict).toBe('differs');
        expect(exchanges.differences).toMatchObject([{ instrument: x.instrument, by: x.by, count: 1, first: x.asked }]);
        expect(changes).toEqual([]);
      }),
      { numRuns: 8 },
    );
  }, 120_000);
});

test('behind a hole a reading that truly differs is named, and it alone', async () => {
  const folder = await holed('demo', 0.3, 2);
  let told = 0;
  await tamper(folder, 'slow', (topic, bytes) => {
    const text = new TextDecoder().decode(bytes);
    if (topic !== 'readings' || !text.includes('"from":"gas.pressure"')) return false;
    told++;
    if (told !== 12) return false;
    bytes[text.indexOf('"value":') + '"value":'.length] ^= 1;
    return true;
  });
  expect(told).toBeGreaterThan(12);
  const { verdict, changes } = await again('demo', folder);
  expect(verdict).toBe('differs');
  expect(changes).toMatchObject([{ channel: 'gas.pressure', changed: 1, missing: 0, more: 0 }]);
});

test('the command says what is lost, how much is not judged, and that the rest is identical', async () => {
  const folder = await holed('resistivity', 0.5, 2);
  const { code, out } = await called(replayCommand, folder);
  expect(out.split('\n')).toContain('identical');
  expect(code).toBe(EXIT.ok);
  expect(out).toMatch(/\n {2}lockin\.\w+: \d readings: not judged, because their talk began in what is lost\n/);
  expect(out).toMatch(/\n {2}\d+ exchanges are not judged, because their talk began in what is lost\n/);
  expect(out).toMatch(/\nlost\n[\s\S]*\d+ messages: exchanges\n/);
});
