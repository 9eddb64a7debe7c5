import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SpectralFrame } from '../../src/derive/calibration.ts';
import { type Edge, type EdgeParams, fitEdge } from '../../src/derive/diamond-edge.ts';
import { ramanLine } from '../../src/derive/diamond-scales.ts';
import { spectrumOf } from '../../src/derive/files.ts';
import type { LineParams, NoLine } from '../../src/derive/line-pixels.ts';
import { peakOf, pseudoVoigt, pseudoVoigtSlopes } from '../../src/derive/pseudo-voigt.ts';
import { fitRuby, type RubyLines } from '../../src/derive/ruby-fit.ts';
import { fitSamarium } from '../../src/derive/samarium-fit.ts';
import { filtered, kernel } from '../../src/derive/savitzky-golay.ts';
import { edgeOf, even, lines, poisson, R1, R2, rowOf, uniform } from './pressure-spectra.ts';

const shared = resolve(import.meta.dirname, '../../../shared');
const path = resolve(shared, 'golden/pressure.json');
const golden = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
const spectrum = resolve(shared, 'data/spectra/Ruby.spe');

function fitted<T extends object>(result: T | NoLine): T {
  if ('refused' in result) throw new Error(String(result.refused));
  return result;
}
const ruby = (frame: SpectralFrame, params: LineParams = {}): RubyLines => fitted(fitRuby(frame, params));
const nm = (known: { readonly value: number }): number => known.value * 1e9;
const sigma = (known: { readonly sigma?: { readonly random: number } }): number => (known.sigma?.random ?? Number.NaN) * 1e9;

describe.skipIf(!golden)(`the golden doublet${golden ? '' : ' (skipped: ../shared/golden is not there)'}`, () => {
  const axis = even(688, 700, 241);
  const window = [688e-9, 700e-9] as const;

  test('without noise, both lines to the last digit', () => {
    const { params, y_noiseless } = golden.synthetic_doublet;
    for (const weights of ['poisson', 'none'] as const) {
      const got = ruby(rowOf(axis, y_noiseless), { window, weights });
      expect(nm(got.r1.centre)).toBeCloseTo(params.R1.center, 8);
      expect(nm(got.r2.centre)).toBeCloseTo(params.R2.center, 8);
      expect(nm(got.r1.fwhm)).toBeCloseTo(2 * params.R1.hwhm, 7);
      expect(got.r1.lorentz).toBeCloseTo(params.R1.lorentz_fraction, 6);
      expect(got.r1.electrons * 0.05).toBeCloseTo(params.R1.area, 4);
      expect(got.ratio).toBeCloseTo(params.R2.area / params.R1.area, 7);
    }
  });

  test('the bar at the truth is the Cramer-Rao bound', () => {
    const { y_noiseless, crlb_sigma_R1_nm, crlb_sigma_R2_nm } = golden.synthetic_doublet;
    const got = ruby(rowOf(axis, y_noiseless), { window });
    expect(sigma(got.r1.centre) / crlb_sigma_R1_nm).toBeCloseTo(1, 2);
    expect(sigma(got.r2.centre) / crlb_sigma_R2_nm).toBeCloseTo(1, 2);
  });

  test('with noise, unweighted and weighted', () => {
    const { params, y_poisson, crlb_sigma_R1_nm, fit_of_poisson_unweighted, fit_of_poisson_weighted_1_over_true } =
      golden.synthetic_doublet;
    const plain = ruby(rowOf(axis, y_poisson), { window, weights: 'none' });
    expect(Math.abs(nm(plain.r1.centre) - fit_of_poisson_unweighted.R1)).toBeLessThan(1e-6);
    expect(Math.abs(nm(plain.r2.centre) - fit_of_poisson_unweighted.R2)).toBeLessThan(1e-6);
    expect(Math.abs(sigma(plain.r1.centre) / fit_of_poisson_unweighted.R1_err - 1)).toBeLessThan(1e-4);
    // The two lines share background and wings: their difference is known better than either error says.
    expect(sigma(plain.split)).toBeLessThan(0.98 * Math.hypot(sigma(plain.r1.centre), sigma(plain.r2.centre)));
    const weighted = ruby(rowOf(axis, y_poisson), { window });
    expect(Math.abs(nm(weighted.r1.centre) - params.R1.center)).toBeLessThan(4 * crlb_sigma_R1_nm);
    expect(Math.abs(nm(weighted.r1.centre) - fit_of_poisson_weighted_1_over_true.R1)).toBeLessThan(1e-4);
    expect(weighted.chi2).toBeGreaterThan(0.8);
    expect(weighted.chi2).toBeLessThan(1.2);
    expect(weighted.suspect).toBeUndefined();
  });

  test.skipIf(!existsSync(spectrum))('a measured ruby (skipped without ../shared/data/spectra)', () => {
    const frame = spectrumOf(new Uint8Array(readFileSync(spectrum)), 0);
    if (typeof frame === 'string') throw new Error(frame);
    const [wanted] = golden.real_ruby_fits;
    const window = [frame.wavelength[82] ?? 0, frame.wavelength[752] ?? 0] as const;
    const rows = [11, 24] as const;
    const plain = ruby(frame, { rows, window, weights: 'none' });
    expect(Math.abs(nm(plain.r1.centre) - wanted.unweighted.R1)).toBeLessThan(2e-5);
    expect(Math.abs(nm(plain.r2.centre) - wanted.unweighted.R2)).toBeLessThan(2e-5);
    expect(Math.abs(nm(plain.split) - wanted.unweighted.split_nm)).toBeLessThan(2e-5);
    const weighted = ruby(frame, { rows, window });
    expect(Math.abs(nm(weighted.r1.centre) - wanted.poisson_weighted.R1)).toBeLessThan(2e-4);
    // The window that it finds by itself changes next to nothing.
    expect(Math.abs(nm(ruby(frame, { rows }).r1.centre) - wanted.unweighted.R1)).toBeLessThan(5e-4);
  });
});

describe('pseudo-Voigt', () => {
  test('its slopes are its derivatives, its area is its area', () => {
    const one = { area: 3.2, centre: 694.3, hwhm: 0.4, lorentz: 0.35 };
    const out = new Float64Array(4);
    for (const x of [693.2, 694.1, 694.3, 695.9]) {
      expect(pseudoVoigtSlopes(one.area, one.centre, one.hwhm, one.lorentz, x, out, 0)).toBeCloseTo(pseudoVoigt(one, x), 12);
      for (const [i, key] of (['area', 'centre', 'hwhm', 'lorentz'] as const).entries()) {
        const at = (h: number): number => pseudoVoigt({ ...one, [key]: one[key] + h }, x);
        expect(out[i]).toBeCloseTo((at(1e-6) - at(-1e-6)) / 2e-6, 6);
      }
    }
    const half = pseudoVoigt(one, one.centre + one.hwhm) / pseudoVoigt(one, one.centre);
    expect(half).toBeCloseTo(0.5, 12);
    expect(peakOf(one)).toBeCloseTo(pseudoVoigt(one, one.centre), 12);
    let sum = 0;
    for (let x = -2000; x < 2000; x += 0.01) sum += pseudoVoigt({ ...one, centre: 0 }, x) * 0.01;
    expect(sum).toBeCloseTo(one.area, 2);
  });
});

describe('ruby', () => {
  const axis = even(686, 704, 400);

  test('any doublet of any size is found, from wherever it is', () => {
    fc.assert(
      fc.property(
        fc.record({
          centre: fc.double({ min: 694, max: 730, noNaN: true }),
          hwhm: fc.double({ min: 0.15, max: 0.7, noNaN: true }),
          second: fc.double({ min: 0.15, max: 0.7, noNaN: true }),
          ratio: fc.double({ min: 0.3, max: 0.9, noNaN: true }),
          split: fc.double({ min: 1.3, max: 1.7, noNaN: true }),
          lorentz: fc.double({ min: 0.05, max: 0.95, noNaN: true }),
          scale: fc.constantFrom(1, 1e4, 1e7),
          slope: fc.double({ min: -3, max: 3, noNaN: true }),
        }),
        ({ centre, hwhm, second, ratio, split, lorentz, scale, slope }) => {
          const wide = even(680, 760, 1600);
          const profiles = [
            { area: 1000 * scale, centre, hwhm, lorentz },
            { area: 1000 * ratio * scale, centre: centre - split, hwhm: second, lorentz },
          ];
          const got = ruby(rowOf(wide, lines(wide, profiles, 300 * scale, slope * scale)));
          expect(Math.abs(nm(got.r1.centre) - centre)).toBeLessThan(1e-6);
          expect(Math.abs(nm(got.split) - split)).toBeLessThan(1e-5);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('a falling axis, several rows, a dark and a gain', () => {
    const counts = lines(axis, [R1, R2]);
    const wanted = ruby(rowOf(axis, counts));
    const falling = rowOf(axis.toReversed(), counts.toReversed());
    expect(nm(ruby(falling).r1.centre)).toBeCloseTo(695.1234, 7);
    const rows = Float64Array.from({ length: 3 * 400 }, (_, i) => (i < 400 ? 40_000 : (counts[i % 400] ?? 0) + 600));
    const dark = rowOf(axis, new Float64Array(1200).fill(600), { rows: 3 });
    const got = ruby(rowOf(axis, rows, { rows: 3, readNoise: 4, gain: 2 }), { rows: [1, 2], dark: { ...dark, averaged: 4 } });
    expect(nm(got.r1.centre)).toBeCloseTo(695.1234, 7);
    expect(got.r1.electrons).toBeCloseTo(4 * wanted.r1.electrons, 0);
    expect(got.background).toBeCloseTo(4 * wanted.background, 1);
    // Four times the electrons, half the bar, but for the read noise.
    expect(sigma(got.r1.centre) / sigma(wanted.r1.centre)).toBeGreaterThan(0.5);
    expect(sigma(got.r1.centre) / sigma(wanted.r1.centre)).toBeLessThan(0.53);
  });

  test('numbers of unknown scale have the bar of their residuals', () => {
    const random = uniform(5);
    const counts = lines(axis, [R1, R2]).map((m) => poisson(m, random));
    const scale = (f: number): RubyLines =>
      ruby({ wavelength: axis.map((l) => l / 1e9), counts: counts.map((c) => c * f), rows: 1, columns: 400, counted: false });
    const counted = ruby(rowOf(axis, counts));
    for (const f of [1e-6, 1, 1e6]) {
      const got = scale(f);
      expect(got.relative).toBe(true);
      expect(nm(got.r1.centre)).toBeCloseTo(nm(counted.r1.centre), 4);
      expect(sigma(got.r1.centre) / sigma(counted.r1.centre)).toBeCloseTo(1, 1);
    }
  });

  test('a cosmic hit is left out and told', () => {
    const counts = lines(axis, [R1, R2]);
    counts[190] = (counts[190] ?? 0) + 60_000;
    const got = ruby(rowOf(axis, counts));
    expect(nm(got.r1.centre)).toBeCloseTo(695.1234, 6);
    expect(got.masked).toMatchObject([{ column: 190, why: 'hot pixel' }]);
    expect(got.suspect).toContain('1 px hot pixel');
  });

  describe('is refused, with the reason', () => {
    const refused = (frame: SpectralFrame, params: LineParams = {}): NoLine => {
      const got = fitRuby(frame, params);
      if (!('refused' in got)) throw new Error(`fitted at ${nm(got.r1.centre)}`);
      return got;
    };
    const noisy = (mu: Float64Array, seed = 1): Float64Array => {
      const random = uniform(seed);
      return mu.map((m) => poisson(m, random));
    };

    test('one line only', () => {
      for (let seed = 1; seed < 12; seed++) {
        expect(refused(rowOf(axis, noisy(lines(axis, [R1]), seed)))).toMatchObject({
          code: 'one-line',
          refused: expect.stringMatching(/only one line stands out, at 695\.1\d nm: ruby has two/),
        });
      }
      expect(refused(rowOf(axis, lines(axis, [R1]))).code).toBe('one-line');
    });

    test('saturated: by the converter, and by a flat top where the file does not tell', () => {
      const counts = noisy(lines(axis, [R1, R2]));
      const limit = 0.8 * Math.max(...counts);
      const cut = counts.map((c) => Math.min(c, Math.round(limit)));
      expect(refused(rowOf(axis, cut, { saturation: Math.round(limit) }))).toMatchObject({
        code: 'saturated',
        refused: expect.stringMatching(/shorten the exposure/),
      });
      expect(refused(rowOf(axis, cut)).refused).toMatch(/flat over \d+ pixels: saturated/);
    });

    test('a saturated pixel far from the lines is only told', () => {
      const counts = lines(axis, [R1, R2]);
      counts[120] = 65_535;
      const got = ruby(rowOf(axis, counts, { saturation: 65_535 }), { window: [690e-9, 700e-9] });
      expect(got.suspect).toContain('1 px saturated');
      expect(nm(got.r1.centre)).toBeCloseTo(695.1234, 6);
    });

    test('too weak', () => {
      for (let seed = 1; seed < 12; seed++) {
        expect(refused(rowOf(axis, noisy(lines(axis, []), seed))).code).toBe('low-signal');
        const faint = lines(axis, [
          { ...R1, area: 20 },
          { ...R2, area: 10 },
        ]);
        expect(refused(rowOf(axis, noisy(faint, seed))).refused).toMatch(/signal-to-noise ratio .* is below 10/);
      }
      expect(refused(rowOf(axis, new Float64Array(400))).code).toBe('low-signal');
    });

    test('wings cut by the window', () => {
      const counts = lines(axis, [R1, R2]);
      for (const window of [
        [688e-9, 695.3e-9],
        [688e-9, 695.13e-9],
        [693.5e-9, 700e-9],
      ] as const) {
        expect(refused(rowOf(axis, counts), { window }), String(window)).toMatchObject({
          code: 'wings-cut',
          refused: expect.stringMatching(/widen/),
        });
      }
      expect(ruby(rowOf(axis, counts), { window: [688e-9, 696e-9] }).suspect).toContain('the window ends close above R1');
    });

    test('R1 and R2 the wrong way round, or too far apart', () => {
      const swapped = lines(axis, [
        { ...R1, area: 5000 },
        { ...R2, area: 9000 },
      ]);
      expect(refused(rowOf(axis, swapped))).toMatchObject({
        code: 'not-ruby',
        refused: expect.stringMatching(/693.68 nm has more light than that at 695.12/),
      });
      const far = lines(axis, [R1, { ...R2, centre: 693.0 }]);
      expect(refused(rowOf(axis, far))).toMatchObject({ code: 'not-ruby', refused: expect.stringMatching(/2.12 nm apart/) });
    });

    test('rows and windows that are not there', () => {
      const counts = lines(axis, [R1, R2]);
      expect(refused(rowOf(axis, counts), { rows: [0, 3] }).code).toBe('input');
      expect(refused(rowOf(axis, counts), { window: [800e-9, 900e-9] }).code).toBe('no-overlap');
      const green = even(500, 600, 400);
      expect(refused(rowOf(green, lines(green, []))).refused).toContain('where ruby fluoresces');
    });

    test('numbers that are none never come through as a line', () => {
      const counts = lines(axis, [R1, R2]);
      counts.fill(Number.NaN, 0, 390);
      expect(refused(rowOf(axis, counts)).code).not.toBe('input');
      counts.fill(Number.NaN);
      expect(refused(rowOf(axis, counts)).code).toBe('too-few-pixels');
    });
  });
});

describe('SrB4O7:Sm', () => {
  const axis = even(680, 700, 500);
  const line = { area: 4000, centre: 687.321, hwhm: 0.12, lorentz: 0.7 };

  test('its line, with the bound as its bar', () => {
    const got = fitted(fitSamarium(rowOf(axis, lines(axis, [line])), {}));
    expect(nm(got.line.centre)).toBeCloseTo(687.321, 7);
    expect(nm(got.line.fwhm)).toBeCloseTo(0.24, 6);
    expect(got.suspect).toBeUndefined();
    expect(sigma(got.line.centre)).toBeGreaterThan(0);
  });

  test('a ruby is no samarium: what the fit leaves is told, on counts of known scale and of none', () => {
    const random = uniform(9);
    const wide = even(688, 702, 400);
    const counts = lines(wide, [R1, R2]).map((m) => poisson(m, random));
    expect(fitted(fitSamarium(rowOf(wide, counts), {})).suspect).toContain('chi2/dof');
    const { gain: _, ...unknown } = rowOf(wide, counts);
    expect(fitted(fitSamarium(unknown, {})).suspect).toMatch(/the fit leaves \d+\.\d times the noise of the pixels/);
    expect(ruby(unknown).suspect).toBeUndefined();
  });

  test('is refused when it is weak, cut or saturated', () => {
    const code = (counts: Float64Array, params: LineParams = {}, more: Partial<SpectralFrame> = {}): string => {
      const got = fitSamarium(rowOf(axis, counts, more), params);
      return 'refused' in got ? got.code : 'fitted';
    };
    const random = uniform(3);
    expect(code(lines(axis, []).map((m) => poisson(m, random)))).toBe('low-signal');
    expect(code(lines(axis, [line]), { window: [684e-9, 687.4e-9] })).toBe('wings-cut');
    expect(code(lines(axis, [line]), {}, { saturation: 3000 })).toBe('saturated');
    expect(code(lines(axis, [line]), { window: [500e-9, 550e-9] })).toBe('no-overlap');
  });
});

describe('Savitzky-Golay', () => {
  test('the coefficients in print (Savitzky and Golay 1964, tables I and IV)', () => {
    const x = even(0, 20, 21);
    const middle = (half: number, order: number, derivative: 0 | 1): number[] => [
      ...(kernel(x, half, order, derivative).coefficients[10] ?? []),
    ];
    const close = (got: number[], wanted: number[], over: number): void => {
      for (const [i, c] of got.entries()) expect(c).toBeCloseTo((wanted[i] ?? 0) / over, 12);
    };
    close(middle(2, 2, 0), [-3, 12, 17, 12, -3], 35);
    close(middle(2, 2, 1), [-2, -1, 0, 1, 2], 10);
    close(middle(3, 2, 0), [-2, 3, 6, 7, 6, 3, -2], 21);
    close(middle(2, 3, 1), [1, -8, 0, 8, -1], 12);
    close(middle(3, 3, 1), [22, -67, -58, 0, 58, 67, -22], 252);
  });

  test('a polynomial of its order is left as it is, on an uneven axis too', () => {
    const x = Float64Array.from({ length: 60 }, (_, i) => i + 0.3 * Math.sin(i));
    const y = x.map((v) => 3 + 2 * v - 0.1 * v * v);
    filtered(kernel(x, 5, 2, 0), y).forEach((v, i) => {
      if (i < 5 || i > 54) expect(v).toBeNaN();
      else expect(v).toBeCloseTo(y[i] ?? 0, 8);
    });
    expect(filtered(kernel(x, 5, 2, 1), y)[30]).toBeCloseTo(2 - 0.2 * (x[30] ?? 0), 8);
    expect(() => kernel(x, 1, 3, 1)).toThrow(RangeError);
  });
});

describe('diamond edge', () => {
  const laser = 532e-9;
  const axis = even(ramanLine(laser, 120_000) * 1e9, ramanLine(laser, 190_000) * 1e9, 1000);
  const params: EdgeParams = { laser };
  const spectrumAt = (edge: number, seed = 7): SpectralFrame => {
    const random = uniform(seed);
    return rowOf(
      axis,
      edgeOf(axis, laser, edge, 12, 20_000, 4000).map((m) => poisson(m, random)),
    );
  };
  const edge = (frame: SpectralFrame, more: Partial<EdgeParams> = {}): Edge => fitted(fitEdge(frame, { ...params, ...more }));

  test('is where the spectrum falls steepest, with a bar that says how well', () => {
    for (const v of [1450, 1550.5, 1712]) {
      const got = edge(spectrumAt(v), { window: [ramanLine(laser, 135_000), ramanLine(laser, 188_000)] });
      const random = (got.shift.sigma?.random ?? 0) / 100;
      expect(random).toBeGreaterThan(0.05);
      expect(random).toBeLessThan(2);
      expect(Math.abs(got.shift.value / 100 - v)).toBeLessThan(4 * random + 1);
      expect(got.line.value).toBeCloseTo(ramanLine(laser, got.shift.value), 15);
      expect((got.line.sigma?.random ?? 0) / got.line.value ** 2).toBeCloseTo(got.shift.sigma?.random ?? 0, 3);
      expect(got.suspect).toBeUndefined();
    }
  });

  test('without noise it is where the curve itself is steepest', () => {
    const counts = (v: number): number => edgeOf(Float64Array.of(ramanLine(laser, v * 100) * 1e9), laser, 1500, 12, 20_000, 4000)[0] ?? 0;
    let steepest = 1480;
    for (let v = 1480; v < 1520; v += 0.05) {
      const fall = (at: number): number => counts(at + 0.01) - counts(at - 0.01);
      if (fall(v) < fall(steepest)) steepest = v;
    }
    const window = [ramanLine(laser, 135_000), ramanLine(laser, 188_000)] as const;
    const got = edge(rowOf(axis, edgeOf(axis, laser, 1500, 12, 20_000, 4000)), { window });
    expect(Math.abs(got.shift.value / 100 - steepest)).toBeLessThan(0.1);
  });

  test('the same spectrum gives the same bar, to the last bit', () => {
    const [a, b] = [edge(spectrumAt(1600)), edge(spectrumAt(1600))];
    expect(a.shift.sigma).toEqual(b.shift.sigma);
    expect(edge(spectrumAt(1600, 8)).shift.sigma).not.toEqual(a.shift.sigma);
  });

  test('is refused where there is none, at the end of the window, and where it is saturated', () => {
    const code = (frame: SpectralFrame, more: Partial<EdgeParams> = {}): string => {
      const got = fitEdge(frame, { ...params, ...more });
      return 'refused' in got ? got.code : `fitted at ${got.shift.value / 100}`;
    };
    for (let seed = 1; seed < 8; seed++) {
      const random = uniform(seed);
      expect(
        code(
          rowOf(
            axis,
            axis.map(() => poisson(500, random)),
          ),
        ),
      ).toBe('no-edge');
    }
    expect(
      code(
        rowOf(
          axis,
          axis.map((_, i) => i),
        ),
      ),
    ).toBe('no-edge');
    expect(code(spectrumAt(1550), { window: [ramanLine(laser, 135_000), ramanLine(laser, 155_500)] })).toBe('wings-cut');
    expect(code(spectrumAt(1550), { window: [ramanLine(laser, 154_000), ramanLine(laser, 156_000)] })).toBe('too-few-pixels');
    const cut = spectrumAt(1550);
    expect(code(rowOf(even(690, 700, 300), new Float64Array(300)))).toBe('no-overlap');
    expect(code({ ...cut, counts: Float64Array.from(cut.counts, (c) => Math.min(c, 12_000)), saturation: 12_000 })).toBe('saturated');
  });
});
