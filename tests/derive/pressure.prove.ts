/** Monte-Carlo proof of the pressure gauges' fits: bias, scatter against the Cramer-Rao bound, and coverage of the error bars. */
import { describe, expect, test } from 'vitest';
import { type Edge, fitEdge } from '../../src/derive/diamond-edge.ts';
import { ramanLine, ramanShift } from '../../src/derive/diamond-scales.ts';
import { fitRuby } from '../../src/derive/ruby-fit.ts';
import { fitSamarium } from '../../src/derive/samarium-fit.ts';
import { edgeOf, even, lines, normal, poisson, rowOf, uniform } from './pressure-spectra.ts';

const TRIALS = 2000;

interface Tally {
  add(value: number, sigma: number): void;
  readonly bias: () => number;
  readonly scatter: () => number;
  readonly covered: () => number;
  readonly bar: () => number;
}

/** Differences from the truth. */
function tally(truth: number): Tally {
  let [n, sum, squares, inside, bars] = [0, 0, 0, 0, 0];
  return {
    add(value, sigma) {
      const off = value - truth;
      n++;
      sum += off;
      squares += off * off;
      bars += sigma * sigma;
      if (Math.abs(off) <= sigma) inside++;
    },
    bias: () => sum / n,
    scatter: () => Math.sqrt(squares / n - (sum / n) ** 2),
    covered: () => inside / n,
    bar: () => Math.sqrt(bars / n),
  };
}

const cases = [
  // Electrons in R1; half widths in nm; background and read noise in electrons per pixel.
  { name: 'ruby in a soft medium', electrons: 1e5, hwhm: 0.25, second: 0.22, lorentz: 0.8, background: 20, read: 0, step: 0.03 },
  { name: 'weak ruby with read noise', electrons: 4e3, hwhm: 0.3, second: 0.3, lorentz: 0.7, background: 5, read: 4, step: 0.05 },
  { name: 'strong diamond fluorescence', electrons: 3e4, hwhm: 0.4, second: 0.45, lorentz: 0.6, background: 800, read: 3, step: 0.04 },
  { name: 'broad lines at high pressure', electrons: 2e5, hwhm: 0.6, second: 0.65, lorentz: 0.5, background: 300, read: 0, step: 0.06 },
  { name: 'lines of Lorentz at ambient', electrons: 1e5, hwhm: 0.3, second: 0.25, lorentz: 1, background: 50, read: 0, step: 0.04 },
] as const;

describe.each(cases)('$name', ({ electrons, hwhm, second, lorentz, background, read, step }) => {
  test(`R1 over ${TRIALS} trials`, () => {
    const axis = even(689, 700, Math.round(11 / step) + 1);
    const truth = 695.4321;
    const profiles = [
      { area: electrons * step, centre: truth, hwhm, lorentz },
      { area: 0.55 * electrons * step, centre: truth - 1.45, hwhm: second, lorentz },
    ];
    const mu = lines(axis, profiles, background, background / 50);
    const window = [689e-9, 700e-9] as const;
    const more = { readNoise: read };
    const ideal = fitRuby(rowOf(axis, mu, more), { window });
    if ('refused' in ideal) throw new Error(ideal.refused);
    const bound = (ideal.r1.centre.sigma?.random ?? 0) * 1e9;
    const random = uniform(20_260_301 + electrons + Math.round(1000 * hwhm));
    const centre = tally(truth);
    const split = tally(1.45);
    for (let trial = 0; trial < TRIALS; trial++) {
      const counts = mu.map((m) => poisson(m, random) + (read > 0 ? read * normal(random) : 0));
      const got = fitRuby(rowOf(axis, counts, more), { window });
      if ('refused' in got) throw new Error(`trial ${trial}: ${got.refused}`);
      centre.add(got.r1.centre.value * 1e9, (got.r1.centre.sigma?.random ?? 0) * 1e9);
      split.add(got.split.value * 1e9, (got.split.sigma?.random ?? 0) * 1e9);
    }
    expect(Math.abs(centre.bias()) / bound).toBeLessThan(0.1);
    expect(centre.scatter() / bound).toBeLessThanOrEqual(1.05);
    expect(centre.scatter() / bound).toBeGreaterThan(0.95);
    expect(Math.abs(centre.covered() - 0.683)).toBeLessThan(0.03);
    expect(Math.abs(split.covered() - 0.683)).toBeLessThan(0.03);
    // For 1e5 electrons in the line better than 2 pm.
    if (electrons >= 1e5 && hwhm <= 0.3) expect(centre.scatter()).toBeLessThan(0.002);
  });
});

test(`a samarium line over ${TRIALS} trials`, () => {
  const axis = even(683, 693, 300);
  const truth = 687.6543;
  const mu = lines(axis, [{ area: 700, centre: truth, hwhm: 0.12, lorentz: 0.7 }], 30);
  const ideal = fitSamarium(rowOf(axis, mu), {});
  if ('refused' in ideal) throw new Error(ideal.refused);
  const bound = (ideal.line.centre.sigma?.random ?? 0) * 1e9;
  const random = uniform(77);
  const centre = tally(truth);
  for (let trial = 0; trial < TRIALS; trial++) {
    const got = fitSamarium(
      rowOf(
        axis,
        mu.map((m) => poisson(m, random)),
      ),
      {},
    );
    if ('refused' in got) throw new Error(`trial ${trial}: ${got.refused}`);
    centre.add(got.line.centre.value * 1e9, (got.line.centre.sigma?.random ?? 0) * 1e9);
  }
  expect(Math.abs(centre.bias()) / bound).toBeLessThan(0.1);
  expect(centre.scatter() / bound).toBeLessThanOrEqual(1.05);
  expect(Math.abs(centre.covered() - 0.683)).toBeLessThan(0.03);
});

describe.each([
  { edge: 1480, sigma: 8, height: 20_000, background: 3000 },
  { edge: 1600, sigma: 15, height: 5000, background: 2000 },
])('diamond edge at $edge 1/cm, $height counts', ({ edge, sigma, height, background }) => {
  test('the resampled bar is that of the scatter, over 300 trials', () => {
    const laser = 532e-9;
    const axis = even(ramanLine(laser, 125_000) * 1e9, ramanLine(laser, 185_000) * 1e9, 700);
    const mu = edgeOf(axis, laser, edge, sigma, height, background);
    // Beyond the anvil's own line.
    const window = [ramanLine(laser, 137_000), ramanLine(laser, 184_000)] as const;
    const take = (counts: Float64Array): Edge => {
      const got = fitEdge(rowOf(axis, counts), { laser, window });
      if ('refused' in got) throw new Error(got.refused);
      return got;
    };
    const truth = take(mu).shift.value / 100;
    expect(Math.abs(truth - edge)).toBeLessThan(1);
    const random = uniform(4242 + edge);
    const place = tally(truth);
    for (let trial = 0; trial < 300; trial++) {
      const got = take(mu.map((m) => poisson(m, random)));
      place.add(got.shift.value / 100, (got.shift.sigma?.random ?? 0) / 100);
    }
    const pixel = (ramanShift(laser, (axis[1] ?? 0) / 1e9) - ramanShift(laser, (axis[0] ?? 0) / 1e9)) / 100;
    expect(Math.abs(place.bias())).toBeLessThan(0.25 * place.scatter());
    expect(place.scatter()).toBeLessThan(4 * pixel);
    expect(place.bar() / place.scatter()).toBeGreaterThan(0.85);
    expect(place.bar() / place.scatter()).toBeLessThan(1.25);
    expect(Math.abs(place.covered() - 0.683)).toBeLessThan(0.08);
  });
});
