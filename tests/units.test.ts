import { describe, expect, test } from 'vitest';
import { quantity } from '../src/units.ts';

describe('a value and its sigma in two units', () => {
  test('of one quantity they are read', () => {
    expect(quantity('1 mA +- 2 uA')).toEqual({ value: 1e-3, sigma: 2e-6, unit: 'A' });
    expect(quantity('25 degC ± 1 K')).toEqual({ value: 298.15, sigma: 1, unit: 'K' });
    expect(quantity('1e-3 V +- 5 uV')).toEqual({ value: 1e-3, sigma: 5e-6, unit: 'V' });
    expect(quantity('12 um +- 1 um')).toEqual({ value: 12e-6, sigma: 1e-6, unit: 'm' });
    expect(quantity('2.44e-8 +- 0.2e-8 W Ohm/K2')).toEqual({ value: 2.44e-8, sigma: 0.2e-8, unit: 'W Ω/K²' });
    expect(quantity('-3 K')).toEqual({ value: -3, unit: 'K' });
  });
  test('of two quantities, or with a unit that nobody knows, they are refused', () => {
    for (const text of ['1 mA +- 2 um', '1 mA +- 2 xA', '1 xA +- 2 mA', '1 mA +- uA', '1 constructor +- 2 toString'])
      expect(typeof quantity(text)).toBe('string');
  });
});
