import { expect, test } from 'vitest';
import { givenValue } from '../src/value.ts';

test('a person writes the unit: a bare number is refused wherever it could mean another one', () => {
  expect(givenValue('Pa', '20 bar')).toEqual({ value: 2e6 });
  expect(givenValue('Pa', '20')).toBe('the unit is missing in "20": the value must be in Pa, such as "20 Pa"');
  expect(givenValue('Pa', ' 2e1 ')).toMatch(/^the unit is missing/);
  expect(givenValue('1', '0.5')).toEqual({ value: 0.5 });
  expect(givenValue('1', '50 %')).toEqual({ value: 0.5 });
  // A program speaks SI.
  expect(givenValue('Pa', 20)).toEqual({ value: 20 });
});

test('another quantity is refused and both units are named', () => {
  expect(givenValue('Pa', '20 K')).toBe('the value must be in Pa, and "20 K" is in K');
  expect(givenValue('flag', 'maybe')).toBe('the value must be on or off, not "maybe"');
  expect(givenValue('nothing', '1')).toBe('this command takes no value');
  expect(givenValue('K', undefined)).toBe('a value is needed: a number in K');
});

test('an uncertainty is taken where the command takes one, and refused where it would be dropped', () => {
  expect(givenValue('m', '12 um +- 1 um', true)).toEqual({ value: 12e-6, sigma: 1e-6 });
  expect(givenValue('V', '5 V +- 1 V')).toBe('the value takes no uncertainty: write "5 V"');
});
