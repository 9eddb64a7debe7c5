/** `bridgman diff`: what is the same is said to be, and of what differs the first place is named. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXIT } from '../src/cli/command.ts';
import { diff } from '../src/cli/session-diff.ts';
import { repair } from '../src/cli/session-repair.ts';
import type { Entry } from '../src/entry.ts';
import type { Reading } from '../src/reading.ts';
import type { SessionDiff } from '../src/recorder/session-diff.ts';
import { called, made, SMALL, s, scratchFolder, second } from './session-made.ts';

const scratch = scratchFolder('diff');
afterAll(() => rmSync(scratch, { recursive: true }));
const one = join(scratch, 'one');
beforeAll(() => made(one).then(() => undefined));

const json = async (b: string, a = one): Promise<SessionDiff> => JSON.parse((await called(diff, a, b, '--json')).out) as SessionDiff;
let n = 0;
/** The session with its readings (or other entries) changed. */
async function changed(change: (entry: Entry) => readonly Entry[], rig?: string): Promise<string> {
  const folder = join(scratch, `other-${n++}`);
  await made(folder, { second: (k) => second(k).flatMap(change), ...(rig === undefined ? {} : { rig }) });
  return folder;
}
const pressure =
  (seq: number, to: object) =>
  (entry: Entry): readonly Entry[] =>
    entry.kind === 'reading' && entry.reading.from === 'gas.pressure' && entry.reading.seq === seq
      ? [{ kind: 'reading', reading: { ...entry.reading, ...to } as Reading }] // a reading with another value
      : [entry];
const others = (d: SessionDiff): readonly string[] => Object.entries(d.channels).flatMap(([name, c]) => (c.same ? [] : [name]));

describe('same', () => {
  test('a session and itself, in other parts, repaired, and at other times', async () => {
    const parts = join(scratch, 'parts');
    await made(parts, { limits: SMALL });
    await called(repair, parts, join(scratch, 'repaired'));
    const later = await changed((entry) =>
      entry.kind === 'reading' ? [{ ...entry, reading: { ...entry.reading, t: entry.reading.t + 5e6 } }] : [entry],
    );
    for (const b of [one, parts, join(scratch, 'repaired'), later]) {
      const { code, out } = await called(diff, one, b);
      expect(out, b).toMatch(/\nsame\n$/);
      expect(code).toBe(EXIT.ok);
    }
    expect((await json(parts)).sameTimes).toBe(true);
    expect((await json(later)).sameTimes).toBe(false);
    expect((await json(one)).channels['numbers of camera.spectrum']).toMatchObject({ compared: 4, differing: 0 });
  });
});

describe('differs', () => {
  test('in one value: which channel, which reading, from what to what', async () => {
    const b = await changed(pressure(5, { value: 1e6 + 5.25 }));
    const found = await json(b);
    expect(others(found)).toEqual(['gas.pressure']);
    expect(found.channels['gas.pressure']).toMatchObject({
      a: { good: 8, suspect: 0, bad: 0, min: 1e6, max: 1e6 + 7 },
      compared: 8,
      differing: 1,
      largest: 0.25,
      first: { number: 5, t: [s(2.52), s(2.52)], what: 'value', a: '1000005', b: '1000005.25' },
    });
    const { code, out } = await called(diff, one, b);
    expect(code).toBe(EXIT.failed);
    expect(out).toMatch(/CHANNELS \(1 of 5 differ\)\n {2}gas\.pressure: 1 of 8 readings differ, by 0\.25 at most\n[\s\S]*\ndiffers\n$/);
    expect(out).toContain('first value of reading 5: A 1000005 at 2026-11-22 12:00:02.520000, B 1000005.25');
  });

  test.each([
    ['quality', { quality: 'suspect', why: 'over range' }],
    ['sigma', { sigma: { random: 11 } }],
  ])('in %s', async (what, to) => {
    const found = await json(await changed(pressure(0, to)));
    expect(found.channels['gas.pressure']?.first).toMatchObject({ number: 0, what });
  });

  test('in the numbers of a trace alone', async () => {
    const b = await changed((entry) => {
      if (entry.kind !== 'reading' || entry.reading.kind !== 'trace' || entry.reading.seq !== 2) return [entry];
      const trace = structuredClone(entry.reading) as Reading<'trace'>; // its kind says so
      if (trace.quality !== 'bad' && trace.value.columns.counts) trace.value.columns.counts.data[1] = 301;
      return [{ kind: 'reading', reading: trace }];
    });
    expect(others(await json(b))).toEqual(['numbers of camera.spectrum']);
    expect((await json(b)).channels['numbers of camera.spectrum']?.first).toMatchObject({ number: 2, what: 'numbers' });
  });

  test('in channels that one does not have, and in counts', async () => {
    const b = await changed((entry) => (entry.kind === 'reading' && entry.reading.index === 1 ? [] : [entry]));
    const found = await json(b);
    expect(others(found)).toEqual(['hv.bias[1]']);
    expect(found.channels['hv.bias[1]']).not.toHaveProperty('b');
    expect((await called(diff, b, one)).out).toContain('hv.bias[1]: only in B: 0 good, 4 bad');
    const fewer = await changed((entry) => (entry.kind === 'reading' && entry.reading.seq === 7 ? [] : [entry]));
    expect((await json(fewer)).channels['gas.pressure']).toMatchObject({ compared: 7, differing: 0, same: false });
  });

  test('in orders, alarms and rig', async () => {
    const b = await changed(
      (entry) =>
        entry.kind === 'order' && entry.order.id === 2 && entry.order.outcome
          ? [
              { kind: 'order', order: { ...entry.order, outcome: 'failed', why: 'no answer' } },
              { kind: 'alarm', alarm: { t: s(2), from: 'gas', text: 'no answer' } },
            ]
          : [entry],
      'rig: demo\nabout: another\n',
    );
    const found = await json(b);
    expect(found.orders).toMatchObject({
      same: false,
      onlyA: ['gas.pressure 2000001 Pa (eva): done'],
      onlyB: ['gas.pressure 2000001 Pa (eva): failed: no answer'],
    });
    expect(found.alarms).toMatchObject({ a: 0, b: 1, onlyB: ['gas: no answer'] });
    expect(found.rig).toMatchObject({ same: false, lines: ['+ about: another'], files: [] });
    expect(others(found)).toEqual([]);
    const { out } = await called(diff, one, b);
    expect(out).toContain('RIG\n  + about: another\n');
    expect(out).toContain('ORDERS\n  - gas.pressure 2000001 Pa (eva): done\n');
  });
});

test('arguments', async () => {
  for (const args of [[], [one], [one, one, one]]) expect((await called(diff, ...args)).code).toBe(EXIT.usage);
  expect(await called(diff, one, join(scratch, 'nowhere'))).toMatchObject({ code: EXIT.failed, err: expect.stringContaining('nowhere') });
});
