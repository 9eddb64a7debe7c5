import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { comptonEdge, comptonSpectrum, ELECTRON_MASS, GAMMA_SOURCES } from '../../src/derive/compton.ts';
import { calibrateEnergy, energyOf, type KnownEnergy } from '../../src/derive/energy-scale.ts';
import { fitComptonEdge, fitGammaLine, type NoPlace, type Place } from '../../src/derive/gamma-lines.ts';
import { fill, histogram } from '../../src/derive/histogram.ts';
import { comptonHistogram, lineHistogram } from './gamma-spectra.ts';
import { normal, uniform } from './hit-rows.ts';

const GOLDEN = resolve(import.meta.dirname, '../../../shared/golden/detector.json');

test.skipIf(!existsSync(GOLDEN))('golden Compton edges to 12 digits (skipped without ../shared)', () => {
  const { cs_compton_edge: golden } = JSON.parse(readFileSync(GOLDEN, 'utf8'));
  for (const [energy, at] of golden.rows) expect(comptonEdge(energy) / at).toBeCloseTo(1, 12);
});

test('the spectrum of scattered electrons adds up to the cross-section of Klein and Nishina', () => {
  for (const energy of [0.2, 0.662, 4.438]) {
    const a = energy / ELECTRON_MASS;
    const l = Math.log(1 + 2 * a);
    // In units of pi r_e^2; the total is 2 pi r_e^2 times this bracket (Klein and Nishina 1929).
    const total = 2 * (((1 + a) / a ** 2) * ((2 * (1 + a)) / (1 + 2 * a) - l / a) + l / (2 * a) - (1 + 3 * a) / (1 + 2 * a) ** 2);
    const n = 20_000;
    const step = comptonEdge(energy) / n;
    let sum = 0;
    for (let i = 0; i < n; i++) sum += (comptonSpectrum(energy, (i + 0.5) * step) * step) / ELECTRON_MASS;
    expect(sum / total).toBeCloseTo(1, 5);
  }
  expect([comptonSpectrum(1, -0.1), comptonSpectrum(1, 0.9)]).toEqual([0, 0]);
});

const placed = (p: Place | NoPlace): Place => {
  if ('refused' in p) throw new Error(p.refused);
  return p;
};

describe('edges', () => {
  test.each([
    ['137Cs', 0.08, 500],
    ['137Cs', 0.2, 500],
    ['22Na', 0.06, 400],
    ['60Co', 0.05, 350],
    ['AmBe', 0.04, 150],
  ] as const)('of %s with resolution %f are found where they are', (source, resolution, perMeV) => {
    const gammas = GAMMA_SOURCES[source];
    const top = Math.max(...gammas.map((g) => g.energy));
    const truth = 20 + perMeV * comptonEdge(top);
    const h = comptonHistogram({ gammas, perMeV, zero: 20, resolution, counts: 60_000, background: 6_000, seed: 5 });
    const got = placed(fitComptonEdge(h, { range: [20 + 0.55 * (truth - 20), 20 + 1.5 * (truth - 20)], gammas, zero: 20 }));
    expect(Math.abs(got.charge - truth)).toBeLessThan(3.5 * got.chargeSigma);
    expect(got.chargeSigma / truth).toBeLessThan(0.01);
    expect(Math.abs(got.resolution - resolution)).toBeLessThan(0.12 * resolution);
    expect(got.deviance / got.dof).toBeLessThan(1.35);
    expect(got.energy).toBe(comptonEdge(top));
  });

  test('bins as wide as twice the smearing widen nothing', () => {
    const gammas = GAMMA_SOURCES['137Cs'];
    const truth = 500 * comptonEdge(0.661657);
    const h = comptonHistogram({ gammas, perMeV: 500, zero: 0, resolution: 0.04, counts: 200_000, background: 0, seed: 8, bins: 20 });
    const got = placed(fitComptonEdge(h, { range: [0.3 * truth, 1.6 * truth], gammas }));
    expect(Math.abs(got.charge - truth)).toBeLessThan(3.5 * got.chargeSigma);
    expect(Math.abs(got.width - 0.04 * truth)).toBeLessThan(2.5 * got.widthSigma);
    expect(got.widthSigma).toBeLessThan(0.05 * got.width);
  });

  test('the edge is not where the spectrum has half of its height', () => {
    const h = comptonHistogram({
      gammas: GAMMA_SOURCES['137Cs'],
      perMeV: 500,
      zero: 0,
      resolution: 0.15,
      counts: 200_000,
      background: 0,
      seed: 6,
    });
    const truth = 500 * comptonEdge(0.661657);
    const plateau = Math.max(...h.counts.slice(100));
    let i = h.bins - 1;
    while ((h.counts[i] ?? 0) < plateau / 2) i--;
    const half = h.low + ((i + 0.5) * (h.high - h.low)) / h.bins;
    const got = placed(fitComptonEdge(h, { range: [130, 380], gammas: GAMMA_SOURCES['137Cs'] }));
    expect(Math.abs(half - truth)).toBeGreaterThan(10 * got.chargeSigma);
    expect(Math.abs(got.charge - truth)).toBeLessThan(3.5 * got.chargeSigma);
  });

  test('no edge is no place, in words', () => {
    const random = uniform(1);
    const flat = histogram({ low: 0, high: 1000, bins: 200 });
    expect(fitComptonEdge(flat, { range: [100, 500], gammas: GAMMA_SOURCES['137Cs'] })).toEqual({
      refused: '0 counts in the range: at least 200 are needed',
    });
    for (let i = 0; i < 50_000; i++) {
      const bin = Math.floor(200 * random());
      flat.counts[bin] = (flat.counts[bin] ?? 0) + 1;
    }
    expect(fitComptonEdge(flat, { range: [100, 500], gammas: GAMMA_SOURCES['137Cs'] })).toHaveProperty('refused');
    expect(fitComptonEdge(flat, { range: [100, 500], gammas: [] })).toEqual({ refused: 'no gamma is given' });
    expect(fitComptonEdge(flat, { range: [100, 500], gammas: GAMMA_SOURCES['137Cs'], zero: 200 })).toHaveProperty('refused');
    expect(fitGammaLine(flat, { range: [100, 500], energy: 1 })).toHaveProperty('refused');
  });
});

test('a spectrum of another kind has no edge, however steep it falls', () => {
  const random = uniform(11);
  const [broad, falling] = [histogram({ low: 0, high: 500, bins: 125 }), histogram({ low: 0, high: 500, bins: 125 })];
  for (let i = 0; i < 100_000; i++) {
    fill(broad, 250 + 60 * normal(random));
    fill(falling, -100 * Math.log(random()));
  }
  for (const h of [broad, falling])
    expect(fitComptonEdge(h, { range: [0, 500], gammas: GAMMA_SOURCES['137Cs'] })).toHaveProperty('refused');
  expect(fitGammaLine(falling, { range: [0, 500], energy: 0.5 })).toHaveProperty('refused');
});

describe('lines', () => {
  test('a line on a falling background is found, with an honest bar', () => {
    let pulls = 0;
    for (let seed = 0; seed < 60; seed++) {
      const h = lineHistogram({ at: 612, width: 22, counts: 4000, background: 12_000, seed });
      const got = placed(fitGammaLine(h, { range: [450, 800], energy: 2.22457 }));
      pulls += ((got.charge - 612) / got.chargeSigma) ** 2 / 60;
      expect(got.resolution).toBeCloseTo(22 / 612, 1);
    }
    expect(pulls).toBeGreaterThan(0.6);
    expect(pulls).toBeLessThan(1.6);
  });
  test('a line on no background at all is found every time: the tilt of nothing need not be known', () => {
    let pulls = 0;
    for (let seed = 0; seed < 60; seed++) {
      const random = uniform(seed);
      const h = histogram({ low: 600, high: 1400, bins: 80 });
      for (let i = 0; i < 600; i++) fill(h, 1000 + 100 * normal(random));
      const got = placed(fitGammaLine(h, { range: [600, 1400], energy: 0.5 }));
      pulls += ((got.charge - 1000) / got.chargeSigma) ** 2 / 60;
    }
    expect(pulls).toBeGreaterThan(0.6);
    expect(pulls).toBeLessThan(1.6);
  });
  test('an edge on no background at all too', () => {
    const gammas = GAMMA_SOURCES['137Cs'];
    for (let seed = 0; seed < 12; seed++) {
      const h = comptonHistogram({ gammas, perMeV: 1000, zero: 0, resolution: 0.08, counts: 3000, background: 0, seed });
      const got = placed(fitComptonEdge(h, { range: [250, 700], gammas }));
      expect(Math.abs(got.charge - 477.3) / got.chargeSigma).toBeLessThan(4);
    }
  });
});

describe('energy of a charge', () => {
  const place = (energy: number, charge: number, chargeSigma = 1, energySigma = 0): KnownEnergy => ({
    energy,
    charge,
    chargeSigma,
    energySigma,
  });

  test('exact places give the line exactly; the bar is least among them and grows outside', () => {
    const c = calibrateEnergy([place(0.5, 110), place(1, 210), place(2, 410)]);
    if ('refused' in c) throw new Error(c.refused);
    expect([c.slope, c.offset, c.chi2, c.dof]).toEqual([expect.closeTo(0.005, 12), expect.closeTo(-0.05, 12), expect.closeTo(0, 12), 1]);
    const bar = (charge: number): number => Math.hypot(...Object.values(energyOf(c, charge).sigma.shared ?? {}));
    expect(energyOf(c, 310, 2)).toMatchObject({ value: expect.closeTo(1.5, 12), sigma: { random: expect.closeTo(0.01, 12) } });
    expect(bar(243)).toBeLessThan(bar(110));
    expect(bar(2000)).toBeGreaterThan(5 * bar(410));
  });

  test('the shared bar covers 68 % of repeated calibrations, at any charge', () => {
    const random = uniform(12);
    const inside = [0, 0, 0];
    const trials = 2000;
    for (let i = 0; i < trials; i++) {
      const c = calibrateEnergy([0.34, 0.48, 1.06, 1.12, 4.2].map((e) => place(e, 20 + 400 * e + 4 * normal(random), 4)));
      if ('refused' in c) throw new Error(c.refused);
      [100, 500, 2500].forEach((charge, k) => {
        const { value, sigma } = energyOf(c, charge);
        const bar = Math.hypot(...Object.values(sigma.shared ?? {}));
        // Widened bars of chance scatter cover more: where chi squared is small they are those of the places.
        if (Math.abs(value - (charge - 20) / 400) < bar) inside[k] = (inside[k] ?? 0) + 1;
      });
    }
    for (const n of inside) {
      expect(n / trials).toBeGreaterThan(0.66);
      expect(n / trials).toBeLessThan(0.8);
    }
  });

  test('through no charge at no energy; places that scatter widen the bars; nonsense is refused in words', () => {
    const one = calibrateEnergy([place(1, 400, 4)], true);
    if ('refused' in one) throw new Error(one.refused);
    expect(one).toMatchObject({ offset: 0, slope: 1 / 400, slopeSigma: expect.closeTo(4 / 400 / 400, 12) });
    const tight = calibrateEnergy([place(0.5, 110), place(1, 230), place(2, 410)]);
    if ('refused' in tight) throw new Error(tight.refused);
    expect(tight.chi2).toBeGreaterThan(20);
    expect(tight.levelSigma).toBeGreaterThan(0.02);
    expect(calibrateEnergy([place(1, 400)])).toEqual({ refused: '1 known energies: at least 2 are needed' });
    expect(calibrateEnergy([place(1, 400), place(2, 400)])).toHaveProperty('refused');
    expect(calibrateEnergy([place(1, 400), place(2, 300)])).toHaveProperty('refused');
    expect(calibrateEnergy([place(1, 400, 0), place(2, 500)])).toEqual({ refused: '1 MeV has no error bar' });
    expect(calibrateEnergy([place(1, Number.NaN), place(2, 500)])).toHaveProperty('refused');
  });
});
