import { describe, expect, test } from 'vitest';
import { interpolate, type SpectralFrame } from '../../src/derive/calibration.ts';
import { emissivityOf, MATERIALS } from '../../src/derive/emissivity.ts';
import { measureTemperature } from '../../src/derive/measure.ts';
import { spectralRadiance } from '../../src/derive/radiance.ts';

/** The emissivity at nm and K, NaN where there is none. */
function at(material: string, nm: number, kelvin: number): number {
  const table = emissivityOf(material, kelvin);
  return table ? interpolate(table, nm / 1e9) : Number.NaN;
}

describe('tungsten', () => {
  // As the Rust crate colorimetry 0.0.9 has them, in the infrared and at 1275.5 nm, where temperature has no effect.
  test.each([
    [1600, 1275.5, 0.32725],
    [2000, 1275.5, 0.32725],
    [1600, 2600, 0.16567],
    [2200, 2600, 0.19486],
    [2800, 2600, 0.22405],
  ])('of another program at %d K and %d nm: %d', (kelvin, nm, emissivity) => {
    expect(Math.abs(at('tungsten', nm, kelvin) - emissivity)).toBeLessThan(1.5e-4);
  });
  // Larrabee, J. Opt. Soc. Am. 49 (1959) 619, table II: measured values, which the paper's own equation meets to 0.003.
  test.each([
    [1800, 390, 0.473],
    [2000, 500, 0.453],
    [2200, 600, 0.44],
    [2400, 700, 0.419],
    [1600, 800, 0.422],
  ])('Larrabee at %d K and %d nm: %d', (kelvin, nm, emissivity) => {
    expect(Math.abs(at('tungsten-larrabee', nm, kelvin) - emissivity)).toBeLessThan(0.0035);
    expect(Math.abs(at('tungsten', nm, kelvin) - emissivity)).toBeLessThan(0.015); // the other laboratory
  });
  // Hemispherical, NASA TN D-1088 (1961), table III at 2000 K: above the visible within 3 % of the normal one.
  test.each([
    [500, 0.4518],
    [600, 0.4398],
    [700, 0.4296],
    [800, 0.4153],
    [900, 0.4],
  ])('the hemispherical emissivity at %d nm is near: %d', (nm, emissivity) => {
    expect(Math.abs(at('tungsten', nm, 2000) / emissivity - 1)).toBeLessThan(0.03);
  });
  test('the parts of the law fit together', () => {
    for (const kelvin of [1600, 2200, 2800]) {
      for (const nm of [420, 480, 580, 640, 760, 940]) {
        expect(Math.abs(at('tungsten', nm - 0.5, kelvin) - at('tungsten', nm + 0.5, kelvin))).toBeLessThan(2e-3);
      }
    }
  });
  test('takes the shift away that its slope makes, wavelength by wavelength', () => {
    const wavelength = Float64Array.from({ length: 200 }, (_, i) => (600 + 1.5 * i) / 1e9);
    const emissivity = emissivityOf('tungsten', 2400);
    if (!emissivity) throw new Error('no table');
    const counts = wavelength.map((l) => 1e-6 * spectralRadiance(l, 2400, interpolate(emissivity, l)));
    const frame: SpectralFrame = { wavelength, counts, rows: 1, columns: 200, gain: 1, readNoise: 3 };
    const fitted = (more: object): number => {
      const got = measureTemperature(frame, more);
      if ('refused' in got) throw new Error(got.refused);
      return got.temperature;
    };
    expect(fitted({ emissivity })).toBeCloseTo(2400, 6);
    expect(fitted({}) - 2400).toBeGreaterThan(30); // it falls with wavelength, so a grey fit is too hot
  });
});

describe('what is not known is not made up', () => {
  test.each(MATERIALS.map((m) => [m.name, m] as const))('%s: a source, and nothing outside of its ranges', (name, material) => {
    expect(material.source).toMatch(/\(19\d\d\) \d+/);
    const [low, high] = material.temperature;
    for (const kelvin of [low - 1, high + 1, Number.NaN]) expect(emissivityOf(name, kelvin)).toBeUndefined();
    for (const kelvin of [low, high]) {
      const table = emissivityOf(name, kelvin);
      if (!table) throw new Error('no table at the end of its range');
      expect([table.wavelength[0], table.wavelength[table.wavelength.length - 1]]).toEqual(material.wavelength);
      expect(Array.from(table.value).every((e) => e > 0 && e < 1)).toBe(true);
      expect(interpolate(table, material.wavelength[0] - 1e-9)).toBeNaN();
      expect(interpolate(table, material.wavelength[1] + 1e-9)).toBeNaN();
    }
  });
  test('a material without a published table', () => {
    expect(emissivityOf('unobtainium')).toBeUndefined();
    expect(emissivityOf('constructor')).toBeUndefined();
  });
});
