/** A replay that is shown: at its speed, and marked. */
import { expect, test } from 'vitest';
import { onScreen } from '../src/cli/replay-show.ts';
import { virtualClock } from '../src/clock.ts';
import type { Reading } from '../src/reading.ts';
import type { Rig } from '../src/rig.ts';

const BEGIN = 1_767_225_600_000_000;
const reading = (seconds: number): Reading => ({
  from: 'laser.power',
  kind: 'W',
  t: BEGIN + seconds * 1e6,
  seq: 0,
  origin: 'simulator',
  quality: 'good',
  value: 12,
});
const rig = { name: 'demo', instruments: [], derive: [] } as unknown as Rig; // all that the screen asks of one

test.each([1, 10])('%i x: each reading waits for its time', async (speed) => {
  const clock = virtualClock();
  let text = '';
  const shown = onScreen(rig, 'session', speed, { write: (some: unknown) => (text += String(some)) !== '' }, clock);
  expect(shown.see(reading(0))).toBe(undefined);
  let over = false;
  const waits = shown.see(reading(20))?.then(() => {
    over = true;
  });
  clock.advance(20 / speed - 0.001);
  await Promise.resolve();
  expect(over).toBe(false);
  clock.advance(0.002);
  await waits;
  expect(over).toBe(true);
  expect(text).toMatch(/^REPLAY 2026-01-01T00:00:00\.000Z laser\.power 12 W \(simulated\)\nREPLAY 2026-01-01T00:00:20/);
  shown.close();
});

test('on a terminal: the screen of a run, marked as a replay', () => {
  let text = '';
  const out = { isTTY: true, columns: 100, rows: 30, write: (some: unknown) => (text += String(some)) !== '' };
  const shown = onScreen(rig, 'session', 10, out, virtualClock());
  shown.see(reading(0));
  shown.close();
  expect(text).toContain(' REPLAY 10 x ');
  expect(text).toContain(' SIMULATED ');
  expect(text).toContain('laser.power');
});
