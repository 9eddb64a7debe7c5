import { expect, test } from 'vitest';
import { gapLedger } from '../src/gaps.ts';
import type { Reading } from '../src/reading.ts';

const reading = (t: number, why?: string): Reading => {
  const plain = { from: 'up.temperature', kind: 'K' as const, t, seq: 0, origin: 'simulator' as const };
  return why === undefined ? { ...plain, quality: 'good', value: 1 } : { ...plain, quality: 'bad', why };
};

test('a gap opens with its cause, counts, and closes with the next good reading', () => {
  const ledger = gapLedger();
  expect(ledger.see(reading(1))).toEqual([]);
  expect(ledger.see(reading(2, 'no answer'))).toEqual([{ channel: 'up.temperature', from: 2, cause: 'no answer', missed: 1 }]);
  expect(ledger.see(reading(3, 'no answer'))).toEqual([]);
  expect(ledger.see(reading(4))).toEqual([{ channel: 'up.temperature', from: 2, to: 4, cause: 'no answer', missed: 2 }]);
});

test('reasons that differ in numbers only are one cause; another reason is another gap', () => {
  const ledger = gapLedger();
  ledger.see(reading(1, 'signal-to-noise 3.1 is below 10'));
  expect(ledger.see(reading(2, 'signal-to-noise 2.9e-1 is below 10'))).toEqual([]);
  expect(ledger.see(reading(3, 'link down'))).toEqual([
    { channel: 'up.temperature', from: 1, to: 3, cause: 'signal-to-noise 3.1 is below 10', missed: 2 },
    { channel: 'up.temperature', from: 3, cause: 'link down', missed: 1 },
  ]);
  expect(ledger.end(9)).toEqual([{ channel: 'up.temperature', from: 3, to: 9, cause: 'link down', missed: 1 }]);
});

test('an instrument that is not there is missing under its own name until it is', () => {
  const ledger = gapLedger();
  expect(ledger.absent('laser', 1, 'identify: no answer')).toEqual([
    { channel: 'laser', from: 1, cause: 'identify: no answer', missed: 1 },
  ]);
  expect(ledger.absent('laser', 2, 'identify: no answer')).toEqual([]);
  expect(ledger.absent('laser', 5, undefined)).toEqual([{ channel: 'laser', from: 1, to: 5, cause: 'identify: no answer', missed: 2 }]);
  expect(ledger.absent('laser', 6, undefined)).toEqual([]);
});

test('a standstill is a gap of each channel that should have been read meanwhile', () => {
  const ledger = gapLedger();
  for (const t of [0, 100, 200]) ledger.see(reading(t));
  ledger.see({ ...reading(0), from: 'slow.temperature' });
  ledger.see({ ...reading(9000), from: 'slow.temperature' });
  ledger.see({ ...reading(0), from: 'bad.temperature', quality: 'bad', why: 'no answer' } as Reading);
  expect(ledger.stood(210, 1000, 'the program stood still')).toEqual([
    { channel: 'up.temperature', from: 210, to: 1000, cause: 'the program stood still', missed: 7 },
  ]);
});

test('a standstill is a gap also where what was asked meanwhile was found missing first; not where it was missing before', () => {
  const ledger = gapLedger();
  for (const t of [0, 100, 200]) {
    ledger.see(reading(t));
    ledger.see({ ...reading(t), from: 'down.temperature' });
  }
  ledger.see({ ...reading(205, 'no answer'), from: 'down.temperature' });
  ledger.see(reading(990, 'no answer'));
  expect(ledger.stood(210, 1000, 'the program stood still')).toEqual([
    { channel: 'up.temperature', from: 210, to: 990, cause: 'the program stood still', missed: 7 },
  ]);
});

test('a standstill is a gap also where a reply that had waited was read before the standstill was noticed', () => {
  const ledger = gapLedger();
  for (const t of [0, 0.1e6, 0.2e6, 6.2e6, 6.21e6]) ledger.see(reading(t));
  expect(ledger.stood(0.21e6, 6.22e6, 'the program stood still')).toEqual([
    { channel: 'up.temperature', from: 0.21e6, to: 6.2e6, cause: 'the program stood still', missed: 59 },
  ]);
  for (const t of [6.3e6, 8.8e6, 8.9e6, 9e6]) ledger.see(reading(t));
  expect(ledger.stood(9.01e6, 9.9e6, 'the program stood still')).toMatchObject([{ from: 9.01e6, to: 9.9e6 }]);
});
