import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { computedMap, measuredMap, type Point, type ResponseMap } from '../../src/derive/response-map.ts';
import { centroid, centroidBias, type NoVertex, type Vertex, vertexFinder } from '../../src/derive/vertex.ts';
import { boxDetector, mapOf, seen } from './box-detector.ts';
import { uniform } from './hit-rows.ts';

const GOLDEN = resolve(import.meta.dirname, '../../../shared/golden/detector.json');
const found = (v: Vertex | NoVertex): Vertex => {
  if ('refused' in v) throw new Error(v.refused);
  return v;
};
const distance = (a: Point, b: Point): number => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);

describe.skipIf(!existsSync(GOLDEN))('golden centroids (skipped without ../shared)', () => {
  const golden = existsSync(GOLDEN) ? JSON.parse(readFileSync(GOLDEN, 'utf8')).centroid : {}; // a block that is skipped is read all the same
  const positions: readonly Point[] = golden.channel_xyz_cm;

  test('centroid and its statistical error to 12 digits', () => {
    for (const event of golden.events) {
      const got = centroid(event.pe, positions);
      for (const a of [0, 1] as const) {
        expect((got?.position[a] ?? 0) / event.centroid_xy[a]).toBeCloseTo(1, 12);
        expect((got?.sigma[a] ?? 0) / event.statistical_sd_xy[a]).toBeCloseTo(1, 12);
      }
    }
  });

  test('the likelihood finds the true places within its bars, where the centroid is centimetres off', () => {
    const map = mapOf(
      computedMap({
        positions,
        facing: positions.map(() => [0, 0, 1] as const),
        box: [
          [-12, -12, 15],
          [12, 12, 15],
        ],
      }),
    );
    const find = vertexFinder({ map });
    for (const event of golden.events) {
      const got = found(find(event.pe));
      expect(got.method).toBe('likelihood');
      expect(got.position[2]).toBe(15);
      for (const a of [0, 1] as const) expect(Math.abs(got.position[a] - event.true[a])).toBeLessThan(3.5 * got.sigma[a]);
      expect(got.sigma[0]).toBeLessThan(1);
      const bias = centroidBias(map, event.true);
      for (const a of [0, 1] as const) expect(Math.abs(event.true[a] + bias[a] - event.centroid_xy[a])).toBeLessThan(1.5);
    }
  });
});

describe('vertex by likelihood', () => {
  const map = boxDetector();
  const find = vertexFinder({ map });

  test('without noise it is the true point, wherever that is', () => {
    const random = uniform(2);
    for (let i = 0; i < 30; i++) {
      const at: Point = [40 * random() - 20, 40 * random() - 20, 40 * random() - 20];
      const light = new Float64Array(map.channels);
      map.at(...at, light);
      const got = found(find(light.map((v) => 3000 * v)));
      expect(distance(got.position, at)).toBeLessThan(1e-3);
      expect(got.light).toBeCloseTo(3000, 1);
    }
  });

  test('bars hold the truth as often as they say, dark counts and spread of charges included', () => {
    const dark = new Float64Array(map.channels).fill(1.5);
    const withDark = vertexFinder({ map, dark, excess: 1.2 });
    const random = uniform(3);
    let [pulls, n] = [0, 0];
    for (let i = 0; i < 120; i++) {
      const at: Point = [30 * random() - 15, 30 * random() - 15, 30 * random() - 15];
      const got = found(withDark(seen(map, at, 40_000, random, { dark: 1.5, spread: Math.sqrt(0.2) })));
      for (const a of [0, 1, 2] as const) {
        pulls += ((got.position[a] - at[a]) / got.sigma[a]) ** 2;
        n++;
      }
    }
    expect(pulls / n).toBeGreaterThan(0.8);
    expect(pulls / n).toBeLessThan(1.25);
  });

  test('charges that scatter twice as much as their number have bars wider by the root of two', () => {
    const pe = seen(map, [5, -8, 3], 40_000, uniform(9));
    const [once, twice] = [found(find(pe)), found(vertexFinder({ map, excess: 2 })(pe))];
    for (const a of [0, 1, 2] as const) expect(twice.sigma[a] / once.sigma[a]).toBeCloseTo(Math.SQRT2, 9);
    expect(twice.lightSigma / once.lightSigma).toBeCloseTo(Math.SQRT2, 9);
    expect(twice.covariance[0]?.[1]).toBeCloseTo(2 * (once.covariance[0]?.[1] ?? 0), 9);
    expect([twice.position, twice.deviance]).toEqual([once.position, once.deviance / 2]);
  });

  test('a measured map does as well as what it was measured from', () => {
    const axis = Float64Array.from({ length: 11 }, (_, i) => -20 + 4 * i);
    const values = new Float64Array(11 ** 3 * map.channels);
    let k = 0;
    for (const x of axis) for (const y of axis) for (const z of axis) map.at(x, y, z, values.subarray(map.channels * k++));
    const table = mapOf(measuredMap({ positions: map.positions, x: axis, y: axis, z: axis, values: values.map((v) => Math.max(v, 1e-9)) }));
    const random = uniform(4);
    const byTable = vertexFinder({ map: table });
    for (let i = 0; i < 20; i++) {
      const at: Point = [24 * random() - 12, 24 * random() - 12, 24 * random() - 12];
      const pe = seen(map, at, 60_000, random);
      expect(distance(found(byTable(pe)).position, found(find(pe)).position)).toBeLessThan(0.5);
    }
    const out = new Float64Array(map.channels);
    table.at(-8, 4, 12, out);
    const exact = new Float64Array(map.channels);
    map.at(-8, 4, 12, exact);
    expect(out[5]).toBeCloseTo(exact[5] ?? 0, 12);
  });

  test('an event beyond the map stands at its edge, and says so', () => {
    const wide = mapOf(
      computedMap({
        positions: map.positions,
        box: [
          [-60, -60, -60],
          [60, 60, 60],
        ],
        radius: 3,
      }),
    );
    const light = new Float64Array(map.channels);
    wide.at(45, 0, 0, light);
    const near = vertexFinder({ map: mapOf(computedMap({ positions: map.positions, box: map.box, radius: 3 })) });
    const got = found(near(light.map((v) => 1e5 * v)));
    expect(got.atEdge).toContain('x');
    expect(got.sigma[0]).toBeNaN();
    expect(got.why).toContain('edge');
  });
});

describe('the fallback', () => {
  test('few photoelectrons: centroid, with the bias that the map knows', () => {
    const plane = mapOf(
      computedMap({
        positions: [-9, -3, 3, 9].flatMap((x) => [-9, -3, 3, 9].map((y) => [x, y, 0] as const)),
        facing: Array.from({ length: 16 }, () => [0, 0, 1] as const),
        box: [
          [-9, -9, 5],
          [9, 9, 15],
        ],
      }),
    );
    const light = new Float64Array(16);
    plane.at(4, -2, 10, light);
    const sum = light.reduce((a, b) => a + b, 0);
    const got = found(vertexFinder({ map: plane })(light.map((v) => (9 * v) / sum)));
    expect(got).toMatchObject({ method: 'centroid', why: expect.stringContaining('only 9.00 photoelectrons') });
    expect(got.position[0]).toBeLessThan(3);
    expect(got.position[0] - (got.bias?.[0] ?? 0)).toBeCloseTo(4, 2);
    expect(got.position[1] - (got.bias?.[1] ?? 0)).toBeCloseTo(-2, 2);
    // All channels in one plane say nothing of the height.
    expect([got.position[2], got.sigma[2]]).toEqual([10, 10 / Math.sqrt(12)]);
  });

  test('no light, wrong channels, no numbers: refused in words; options that do not fit are thrown', () => {
    const map = boxDetector();
    const find = vertexFinder({ map });
    expect(find(new Float64Array(64))).toEqual({ refused: 'no light' });
    expect(find(new Float64Array(63))).toEqual({ refused: '63 channels, the map has 64' });
    expect(find(new Float64Array(64).fill(Number.NaN))).toHaveProperty('refused');
    expect(() => vertexFinder({ map, dark: [1] })).toThrow('1 dark counts for 64');
    expect(() => vertexFinder({ map, excess: 0.5 })).toThrow('excess');
    const none: readonly (ResponseMap | string)[] = [
      computedMap({ positions: [], box: map.box }),
      computedMap({ positions: map.positions, box: [map.box[1], map.box[0]] }),
      computedMap({ positions: map.positions, box: map.box, facing: [[0, 0, 1]] }),
      measuredMap({ positions: [[0, 0, 0]], x: [0, 1], y: [0], z: [0], values: Float64Array.of(1, 0) }),
      measuredMap({ positions: [[0, 0, 0]], x: [1, 1], y: [0], z: [0], values: Float64Array.of(1, 1) }),
      measuredMap({ positions: [[0, 0, 0]], x: [1], y: [0], z: [0], values: Float64Array.of(1, 1) }),
    ];
    for (const one of none) expect(one).toEqual(expect.any(String));
  });
});
