import { describe, expect, test } from 'vitest';
import { SCALER_OR, scalerRates } from '../../protocols/easiroc-scalers.ts';
import { adcWord, scalerWord } from '../../protocols/easiroc-words.ts';

/** What the clocks of 1 MHz and 1 kHz show after so many microseconds: rising edges at the middle of each turn (ScalerTimer.vhd). */
function clocks(us: number): number[] {
  const counter = (n: number): number => (n % 8192) + (n >= 8192 ? 8192 : 0);
  return [scalerWord(67, counter(us)), scalerWord(68, counter(Math.floor(us / 1000 + 0.5)))];
}

describe('rates of the scalers', () => {
  test.each([1, 2500, 8191, 8192, 8193, 16_384, 123_456, 1_000_000, 4_096_000, 8_190_000])('%i us between two triggers', (us) => {
    const rates = scalerRates();
    rates.take([scalerWord(5, 7), scalerWord(SCALER_OR, 9), adcWord('high', 3, 5), ...clocks(us)]);
    expect(rates.seconds).toBeCloseTo(us / 1e6, 12);
    expect(rates.rate(5)).toBeCloseTo(7e6 / us, 6);
    expect(rates.rate(SCALER_OR)).toBeCloseTo(9e6 / us, 6);
    expect(rates.rate(6)).toBe(0);
  });
  test('events are summed, a counter that has gone over says so', () => {
    const rates = scalerRates();
    rates.take([scalerWord(0, 10), ...clocks(1000)]);
    rates.take([scalerWord(0, 0x2000 | 5), scalerWord(1, 30), ...clocks(3000)]);
    expect([rates.rate(0), rates.over(0), rates.rate(1), rates.over(1)]).toEqual([15 / 0.004, true, 30 / 0.004, false]);
    rates.clear();
    expect([rates.seconds, rates.rate(0), rates.over(0)]).toEqual([0, Number.NaN, false]);
  });
  test('an event without clocks, or beyond their range, is left out', () => {
    const rates = scalerRates();
    rates.take([scalerWord(0, 10)]);
    rates.take([scalerWord(0, 10), ...clocks(9_000_000)]);
    expect(rates.seconds).toBe(0);
  });
});
