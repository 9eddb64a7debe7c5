/** `bridgman inspect`: how the channels went, and for how long they gave nothing. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inspect } from '../src/cli/inspect.ts';
import type { Missing, Trend } from '../src/cli/inspect-trends.ts';
import type { Entry } from '../src/entry.ts';
import { called, made, reading, s, scratchFolder } from './session-made.ts';

const scratch = scratchFolder('inspect-trends');
afterAll(() => rmSync(scratch, { recursive: true }));
const folder = join(scratch, 'one');
const gap = (channel: string, from: number, to?: number): Entry => ({
  kind: 'gap',
  gap: { channel, from: s(from), cause: 'no answer', missed: 2, ...(to === undefined ? {} : { to: s(to) }) },
});
beforeAll(() =>
  made(folder, {
    seconds: 48,
    second: (k) => [
      // Rises, with nothing from 20 s to 30 s; the other one stays.
      ...(k < 20 || k >= 30 ? [reading('gas.pressure', k < 20 ? k : k - 10, k + 0.5, { quality: 'good', value: 100 + k })] : []),
      reading('hv.bias', k, k + 0.5, { quality: 'good', value: 5 }),
      ...(k === 30 ? [gap('gas.pressure', 20, 30)] : []),
      ...(k === 40 ? [gap('gas.pressure', 39, 40.5), gap('hv.bias', 47)] : []),
    ],
  }).then(() => undefined),
);

test('the trend of each channel', async () => {
  const { trends } = JSON.parse((await called(inspect, folder, '--json')).out) as { trends: Record<string, Trend> };
  expect(trends['gas.pressure']).toMatchObject({ min: 100, max: 147, mean: expect.closeTo((48 * 123.5 - 10 * 124.5) / 38, 9), from: s(0) });
  const points = trends['gas.pressure']?.points ?? [];
  expect(points).toHaveLength(24);
  expect(points.slice(10, 15)).toEqual([null, null, null, null, null]);
  expect(points[0]).toBe(100.5);
  expect(points[23]).toBe(146.5);
  const { out } = await called(inspect, folder);
  expect(out).toMatch(/\nTREND\n {2}gas\.pressure +100 Pa +to +147 Pa +▁[▁▂▃▄]+ {5}[▅▆▇█]+█\n {2}1 channel without a change\n/);
  const one = (await called(inspect, folder, '--channel', 'hv.bias')).out;
  expect(one).not.toContain('gas.pressure');
});

test('the gaps of each channel together', async () => {
  const { missing } = JSON.parse((await called(inspect, folder, '--json')).out) as { missing: Record<string, Missing> };
  expect(missing).toEqual({
    'gas.pressure': { gaps: 2, missed: 4, seconds: 11.5, longest: 10 },
    'hv.bias': { gaps: 1, missed: 2, seconds: 1, longest: 1 }, // without an end: to that of the session
  });
  expect((await called(inspect, folder)).out).toMatch(
    /\nGAPS TOGETHER\n {2}gas\.pressure +2 gaps +4 missed +11\.5 s +the longest 10 s\n {2}hv\.bias +1 gap +2 missed +1 s\n/,
  );
});
