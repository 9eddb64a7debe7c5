import { expect, test } from 'vitest';
import { below, erf, erfc } from '../../src/derive/normal-integral.ts';

// Python's math.erfc, which is libm's.
const TABLE = [
  [-3, 1.9999779095030015],
  [-0.3, 1.3286267594591274],
  [0.1, 0.8875370839817152],
  [0.46875, 0.507386526782062],
  [0.5, 0.4795001221869535],
  [1, 0.15729920705028513],
  [2.7, 0.0001343327399405242],
  [4, 1.541725790028002e-8],
  [4.2, 2.855494179592184e-9],
  [10, 2.088487583762545e-45],
  [25, 8.300172571196522e-274],
] as const;

test('error functions agree with libm in all their ranges', () => {
  for (const [x, value] of TABLE) {
    expect(Math.abs(erfc(x) / value - 1)).toBeLessThan(2e-15);
    expect(erf(x)).toBeCloseTo(1 - value, 15);
    expect(erf(-x)).toBe(-erf(x));
  }
  expect([erfc(30), erfc(-30), erf(0)]).toEqual([0, 2, 0]);
  expect(below(1) - below(-1)).toBeCloseTo(0.6826894921370859, 15);
});
