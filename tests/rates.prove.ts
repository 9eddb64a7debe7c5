/**
 * The resistivity table at its full rates for half a minute, over sockets and pseudo-terminals. No rate is asserted, for a busy machine skips
 * polls; but each reading that was due is in the session or was counted as skipped, by name, and no delta is missing or there twice.
 */
import { describe, expect, test } from 'vitest';
import { counted, type Rates, wrongs } from '../bench/rates.ts';
import { watched } from '../bench/rates-run.ts';
import { hasSocat, needs } from './bench-top.ts';

const SECONDS = 30;

describe.skipIf(!needs('socat', hasSocat))('a table of instruments, each at its full rate', () => {
  test(`${SECONDS} s: all that was due came or was counted as skipped`, { timeout: 300_000 }, async () => {
    const rates = await watched(SECONDS, counted);
    for (const { instrument, due, came, behind } of rates.polled)
      console.log(`${instrument}: ${came} of ${due}, skipped: ${JSON.stringify(behind)}`);
    console.log(`${rates.delta.came} deltas, ${rates.delta.rate.toFixed(3)}/s; ${rates.readings} readings`);
    expect(wrongs(rates)).toEqual([]);
    for (const { bad, came } of rates.polled) {
      expect(came).toBeGreaterThan(0);
      expect(bad).toBe(0);
    }
    expect(rates.delta.bad).toBe(0);
    expect(rates.readings).toBeGreaterThan(0);
  });
});

test('what is missing without being counted is said', () => {
  const rates: Rates = {
    seconds: 10,
    polled: [
      { instrument: 'all', still: 0, due: 1000, late: 0, came: 990, skipped: 10, behind: { x: 10 }, bad: 0, pause: 0.1, paused: 5 },
      { instrument: 'some', still: 0, due: 1000, late: 0, came: 990, skipped: 7, behind: { x: 7 }, bad: 0, pause: 0.1, paused: 5 },
      { instrument: 'more', still: 0, due: 100, late: 0, came: 103, skipped: 0, behind: {}, bad: 0, pause: 0.1, paused: 5 },
      { instrument: 'late', still: 0, due: 1000, late: 25, came: 985, skipped: 40, behind: { x: 40 }, bad: 0, pause: 0.1, paused: 5 },
    ],
    delta: { came: 240, missing: 1, doubled: 2, rate: 24, bad: 0 },
    lost: 3,
    readings: 2333,
    asked: 4000,
    cpu: 1,
  };
  expect(wrongs(rates)).toEqual([
    'some: 1000 readings are due, 990 came, 7 were counted as skipped',
    'more: 100 readings are due, 103 came, 0 were counted as skipped',
    '1 delta readings are missing',
    '2 delta readings came twice or out of order',
    '3 readings were lost between host and session',
  ]);
  expect(wrongs({ ...rates, polled: [], delta: { ...rates.delta, came: 0, missing: 0, doubled: 0 }, lost: 0 })).toEqual([
    'no delta reading came',
  ]);
});
