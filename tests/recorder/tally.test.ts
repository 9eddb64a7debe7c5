/** Counts stay bounded and are the ones that a summary shows. */
import { expect, test } from 'vitest';
import { tally } from '../../src/recorder/tally.ts';

test('alarms and notes are counted where they are read', () => {
  const counts = tally();
  counts.see({ kind: 'alarm', alarm: { t: 1, from: 'laser', text: 'is silent' } });
  counts.see({ kind: 'note', note: { t: 2, by: 'ada', text: 'x' } });
  expect(counts).toMatchObject({ alarms: 1, notes: 1 });
});

test('reasons that never come twice take no more room with time', () => {
  const counts = tally();
  for (let seq = 0; seq < 1000; seq++)
    counts.see({
      kind: 'reading',
      reading: { from: 'up.temperature', kind: 'K', t: seq, seq, origin: 'hardware', quality: 'bad', why: `the ratio is ${seq % 500}` },
    });
  const { why, bad } = counts.channels['up.temperature'] ?? {};
  expect(bad).toBe(1000);
  expect(Object.keys(why ?? {})).toHaveLength(11);
  expect(why).toMatchObject({ 'the ratio is 0': 2, 'other reasons': 980 });
});
