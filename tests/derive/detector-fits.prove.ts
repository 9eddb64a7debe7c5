/** Coverage of the bars of gain, edge and vertex: the truth lies within one sigma in 68.3 % of repeated measurements. */
import { expect, test } from 'vitest';
import { comptonEdge, GAMMA_SOURCES } from '../../src/derive/compton.ts';
import { fitComptonEdge } from '../../src/derive/gamma-lines.ts';
import { fill, histogram } from '../../src/derive/histogram.ts';
import { fitPhotoelectrons } from '../../src/derive/photoelectron-peaks.ts';
import type { Point } from '../../src/derive/response-map.ts';
import { vertexFinder } from '../../src/derive/vertex.ts';
import { boxDetector, seen } from './box-detector.ts';
import { comptonHistogram } from './gamma-spectra.ts';
import { normal, poisson, uniform } from './hit-rows.ts';

/** 3.5 sigma of the number itself. */
const within = (inside: number, trials: number): void => {
  const slack = 3.5 * Math.sqrt((0.683 * 0.317) / trials);
  expect(inside / trials).toBeGreaterThan(0.683 - slack);
  expect(inside / trials).toBeLessThan(0.683 + slack);
};

test('gain of one photoelectron, 1,000 spectra of 5,000 flashes', () => {
  const random = uniform(1);
  let inside = 0;
  for (let trial = 0; trial < 1000; trial++) {
    const h = histogram({ low: -60, high: 600, bins: 220 });
    for (let i = 0; i < 5000; i++) {
      const k = poisson(1, random);
      fill(h, 70 * k + Math.sqrt(100 + 400 * k) * normal(random));
    }
    const got = fitPhotoelectrons(h);
    if ('refused' in got) throw new Error(`trial ${trial}: ${got.refused}`);
    if (Math.abs(got.gain - 70) < got.gainSigma) inside++;
  }
  within(inside, 1000);
});

test('Compton edge, 200 spectra of 20,000 gammas', () => {
  const gammas = GAMMA_SOURCES['137Cs'];
  const truth = 500 * comptonEdge(0.661657);
  let inside = 0;
  for (let seed = 0; seed < 200; seed++) {
    const h = comptonHistogram({ gammas, perMeV: 500, zero: 0, resolution: 0.1, counts: 20_000, background: 2000, seed });
    const got = fitComptonEdge(h, { range: [0.5 * truth, 1.5 * truth], gammas });
    if ('refused' in got) throw new Error(`seed ${seed}: ${got.refused}`);
    if (Math.abs(got.charge - truth) < got.chargeSigma) inside++;
  }
  within(inside, 200);
});

test('vertex, 2,000 events of some 300 photoelectrons', () => {
  const map = boxDetector();
  const find = vertexFinder({ map });
  const random = uniform(2);
  const inside: [number, number, number] = [0, 0, 0];
  for (let trial = 0; trial < 2000; trial++) {
    const at: Point = [30 * random() - 15, 30 * random() - 15, 30 * random() - 15];
    const got = find(seen(map, at, 5000, random));
    if ('refused' in got) throw new Error(`trial ${trial}: ${got.refused}`);
    expect(got.method).toBe('likelihood');
    for (const a of [0, 1, 2] as const) if (Math.abs(got.position[a] - at[a]) < got.sigma[a]) inside[a]++;
  }
  for (const n of inside) within(n, 2000);
});
