import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  add,
  binOf,
  edge,
  fill,
  fillPlane,
  histogram,
  histogramTrace,
  inside,
  moments,
  plane,
  planeTrace,
} from '../../src/derive/histogram.ts';
import { normal, uniform } from './hit-rows.ts';

describe('histogram', () => {
  test('every value stands in the bin whose edges hold it, also at the edges', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -1e6, max: 1e6, noNaN: true }),
        fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
        fc.integer({ min: 1, max: 700 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.nat(700),
        (low, width, bins, part, at) => {
          const axis = { low, high: low + width, bins };
          for (const value of [low + part * width, edge(axis, Math.min(at, bins))]) {
            const i = binOf(axis, value);
            if (value >= axis.high) expect(i).toBe(bins);
            else {
              expect(edge(axis, i)).toBeLessThanOrEqual(value);
              expect(edge(axis, i + 1)).toBeGreaterThan(value);
            }
          }
        },
      ),
    );
  });

  test('what is outside, or no number, is counted', () => {
    const h = histogram({ low: 0, high: 10, bins: 5 });
    for (const v of [-0.1, 0, 9.999, 10, 1e9, Number.NaN, Number.NEGATIVE_INFINITY]) fill(h, v);
    expect([...h.counts]).toEqual([1, 0, 0, 0, 1]);
    expect([h.under, h.over, h.lost]).toEqual([2, 2, 1]);
    const p = plane({ low: 0, high: 2, bins: 2 }, { low: 0, high: 3, bins: 3 });
    for (const [x, y] of [
      [1, 2],
      [1, 2.5],
      [0, 0],
      [2, 0],
      [0, -1],
      [0, Number.NaN],
    ] as const)
      fillPlane(p, x, y);
    expect([...p.counts]).toEqual([1, 0, 0, 0, 0, 2]);
    expect(p.outside).toBe(3);
    expect(planeTrace(p, 'a', 'b', 1, 2)).toMatchObject({ shape: [2, 3], settings: { x_bins: 2, y_high: 3, outside: 3 } });
  });

  test('sums of two, traces as copies, axes that make no sense', () => {
    const h = histogram({ low: 0, high: 4, bins: 2 });
    const other = histogram({ low: 0, high: 4, bins: 2 });
    fill(h, 1);
    fill(other, 3);
    fill(other, 7);
    add(h, other);
    expect([...h.counts, h.over, inside(h)]).toEqual([1, 1, 1, 2]);
    const trace = histogramTrace(h, 'charge', 10, 20);
    fill(h, 1);
    expect([...(trace.columns.counts?.data ?? [])]).toEqual([1, 1]);
    expect([...(trace.columns.edge?.data ?? [])]).toEqual([0, 2]);
    h.counts[0] = 2 ** 40;
    expect(histogramTrace(h, 'charge', 10, 20).columns.counts?.data[0]).toBe(2 ** 40);
    expect(() => add(h, histogram({ low: 0, high: 5, bins: 2 }))).toThrow('two axes');
    expect(() => histogram({ low: 1, high: 1, bins: 2 })).toThrow('low must be below high');
    expect(() => histogram({ low: 1, high: 2, bins: 0 })).toThrow('bins');
  });

  test('mean and width are those of the values, not of the bins', () => {
    const random = uniform(7);
    const h = histogram({ low: 0, high: 100, bins: 50 });
    for (let i = 0; i < 40_000; i++) fill(h, 41.3 + 2.5 * normal(random));
    const got = moments(h);
    expect(got.mean).toBeCloseTo(41.3, 1);
    expect(got.sd).toBeGreaterThan(2.47);
    expect(got.sd).toBeLessThan(2.53);
  });
});
