/** Spectra of gammas, drawn one by one by rejection: nothing of the fit's own model is in them but the cross-section. */
import { comptonEdge, comptonSpectrum, type Gamma } from '../../src/derive/compton.ts';
import { fill, type Histogram, histogram } from '../../src/derive/histogram.ts';
import { normal, uniform } from './hit-rows.ts';

export interface ComptonTruth {
  readonly gammas: readonly Gamma[];
  readonly perMeV: number;
  readonly zero: number;
  /** At the highest edge. */
  readonly resolution: number;
  readonly counts: number;
  readonly background: number;
  readonly seed: number;
  /** 300 where left out. */
  readonly bins?: number;
}

export function comptonHistogram({ bins = 300, gammas, perMeV, zero, resolution, counts, background, seed }: ComptonTruth): Histogram {
  const random = uniform(seed);
  const top = comptonEdge(Math.max(...gammas.map((g) => g.energy)));
  const h = histogram({ low: 0, high: zero + 1.6 * perMeV * top, bins });
  // The largest value of the spectra is at their edges, or at nothing.
  const most =
    Math.max(...gammas.flatMap((g) => [0, comptonEdge(g.energy)].map((t) => g.intensity * comptonSpectrum(g.energy, t)))) * 1.0001;
  for (let n = 0; n < counts; ) {
    const gamma = gammas[Math.floor(random() * gammas.length)];
    if (!gamma) continue;
    const t = top * random();
    if (random() * most > gamma.intensity * comptonSpectrum(gamma.energy, t)) continue;
    const sigma = resolution * perMeV * top * Math.sqrt(t / top);
    fill(h, zero + perMeV * t + sigma * normal(random));
    n++;
  }
  // Falls to the end of the axis.
  for (let n = 0; n < background; n++) fill(h, h.high * (1 - Math.sqrt(random())));
  return h;
}

export function lineHistogram(truth: {
  readonly at: number;
  readonly width: number;
  readonly counts: number;
  readonly background: number;
  readonly seed: number;
}): Histogram {
  const random = uniform(truth.seed);
  const h = histogram({ low: 0, high: 1000, bins: 250 });
  for (let n = 0; n < truth.counts; n++) fill(h, truth.at + truth.width * normal(random));
  for (let n = 0; n < truth.background; n++) fill(h, 1000 * (1 - Math.sqrt(random())));
  return h;
}
