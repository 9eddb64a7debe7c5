import { describe, expect, test } from 'vitest';
import { driftWatch } from '../../src/derive/drift.ts';
import { chanceOfFewer, chanceOfMore, incompleteBeta, logGamma } from '../../src/derive/poisson-change.ts';
import { normal, uniform } from './hit-rows.ts';

/** The binomial sum itself. */
function binomial(n: number, k: number, p: number): number {
  let sum = 0;
  let term = (1 - p) ** n;
  for (let i = 0; i <= n; i++) {
    if (i >= k) sum += term;
    term *= ((n - i) / (i + 1)) * (p / (1 - p));
  }
  return sum;
}

describe('two Poisson counts', () => {
  test('the chance is the binomial sum', () => {
    for (const [n, t, n0, t0] of [
      [5, 10, 40, 100],
      [0, 10, 40, 100],
      [30, 10, 40, 100],
      [12, 2, 0, 50],
      [3, 60, 400, 60],
    ] as const) {
      const p = t / (t + t0);
      expect(chanceOfMore(n, t, n0, t0) / binomial(n + n0, n, p)).toBeCloseTo(1, 9);
      expect(chanceOfFewer(n, t, n0, t0)).toBeCloseTo(1 - binomial(n + n0, n + 1, p), 12);
    }
  });

  test('no count at all where 40 are expected, exactly', () => {
    expect(chanceOfFewer(0, 60, 400, 600) / (600 / 660) ** 400).toBeCloseTo(1, 9);
  });

  test('known values of the functions beneath', () => {
    // I_x(1, b) = 1 - (1 - x)^b; I_x(a, 1) = x^a; symmetry at one half.
    expect(incompleteBeta(0.3, 1, 5)).toBeCloseTo(1 - 0.7 ** 5, 14);
    expect(incompleteBeta(0.3, 4.5, 1)).toBeCloseTo(0.3 ** 4.5, 14);
    expect(incompleteBeta(0.5, 1e5, 1e5)).toBeCloseTo(0.5, 9);
    expect([incompleteBeta(0, 2, 3), incompleteBeta(1, 2, 3)]).toEqual([0, 1]);
    expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.PI) / 2, 14);
    expect(logGamma(11)).toBeCloseTo(Math.log(3_628_800), 13);
    expect(logGamma(0.25)).toBeCloseTo(1.2880225246980774, 13);
  });
});

describe('a number against its own past', () => {
  test('learns, stays steady under its scatter, is named when it moves by more than bar and limit, learns anew', () => {
    const random = uniform(8);
    const watch = driftWatch({ relative: 0.02, learn: 20 });
    for (let i = 0; i < 19; i++) expect(watch.take(10 + 0.1 * normal(random), 0.1).state).toBe('learning');
    const learnt = watch.take(10, 0.1);
    expect(learnt.state).toBe('steady');
    expect(Math.abs(learnt.reference - 10)).toBeLessThan(4 * learnt.sigma);
    expect(learnt.sigma).toBeCloseTo(0.1 / Math.sqrt(20), 2);
    for (let i = 0; i < 1000; i++) expect(watch.take(10 + 0.1 * normal(random), 0.1).state).toBe('steady');
    expect(watch.take(10.9, 0.1)).toMatchObject({ state: 'drifted' });
    expect(watch.take(10.12, 0.001).state).toBe('steady'); // below the limit
    expect(watch.take(9, 1).state).toBe('steady'); // within its bar
    expect(watch.take(Number.NaN, 0.1).state).toBe('steady');
    watch.accept();
    expect(watch.take(20, 0.1).state).toBe('learning');
  });

  test('a past that scatters by more than its bars widens them', () => {
    const random = uniform(9);
    const watch = driftWatch({ learn: 50 });
    for (let i = 0; i < 50; i++) watch.take(5 + 0.5 * normal(random), 0.05);
    expect(watch.take(6, 0.05).state).toBe('steady');
    expect(watch.take(9.5, 0.05).state).toBe('drifted');
  });
});
