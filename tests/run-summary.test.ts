import { expect, test } from 'vitest';
import { closing } from '../src/cli/run-summary.ts';
import type { Reading } from '../src/reading.ts';
import type { Summary } from '../src/recorder/recorder.ts';

const reading = (from: string, value: number): Reading =>
  ({ from, kind: '1', t: 0, seq: 0, origin: 'simulator', quality: 'good', value }) as Reading; // of its kind

const summary = (last: readonly Reading[]): Summary => ({
  ...{ session: '/lab/sessions/1', rig: 'box', began: 0, ended: 5e6, channels: {}, orders: {}, gaps: [], alarms: 0 },
  exchanges: { total: 0, faults: {} } as unknown as Summary['exchanges'], // the parts that are shown
  points: { written: 0, spooled: 0, set_aside: 0 },
  bytes: { recorded: 1000, wire: {} as Summary['bytes']['wire'] },
  lost: [{ class: 'raw-tcp-a-24', cause: 'space', messages: 3, bytes: 700 }],
  last: Object.fromEntries(last.map((r) => [r.from, r])),
});

test('what of a fast stream was not recorded stands beside what the recorder has lost', () => {
  const said = closing(summary([reading('board.unrecorded', 270_805_264), reading('other.unrecorded', 0)]), {
    simulated: false,
    instruments: [],
  });
  expect(said.split('\n').filter((line) => line.startsWith('LOST'))).toEqual([
    'LOST: 3 messages (700 bytes) of raw-tcp-a-24: space',
    'LOST: 270805264 bytes of the stream of board were not recorded',
  ]);
});
