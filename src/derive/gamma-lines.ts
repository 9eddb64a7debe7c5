/** Where a known energy stands in a charge spectrum: Compton edges smeared by the resolution, and lines of full energy. */
import { type BinnedFit, fitBinned, misfit } from './binned-fit.ts';
import { comptonEdge, comptonSpectrum, type Gamma } from './compton.ts';
import { edge, type Histogram } from './histogram.ts';
import { below } from './normal-integral.ts';

export interface EdgeOptions {
  /** In the spectrum's unit: bins that lie wholly in it are used. From well below the (lowest) edge to beyond all of them. */
  readonly range: readonly [number, number];
  /** All gammas whose edges stand in the range, MeV: their spectra are added as their intensities say. Scattering twice is not in them. */
  readonly gammas: readonly Gamma[];
  /** Charge of no energy (0 where it is left out): between it and the edge charge goes with energy. */
  readonly zero?: number;
}

export interface LineOptions {
  readonly range: readonly [number, number];
  /** MeV */
  readonly energy: number;
}

/** A place in the spectrum whose energy is known. */
export interface Place {
  readonly what: 'edge' | 'line';
  /** MeV. Of several gammas: the edge of the one with the highest energy. */
  readonly energy: number;
  /** In the spectrum's unit, with one sigma by the counts alone. */
  readonly charge: number;
  readonly chargeSigma: number;
  /** Standard deviation of the smearing there, in the spectrum's unit (of an edge: the part that goes as the root of the energy). */
  readonly width: number;
  readonly widthSigma: number;
  /** width / (charge - zero) */
  readonly resolution: number;
  /** Counts of the gamma (of the line; of an edge: above the lower end of the range), without background. */
  readonly counts: number;
  readonly deviance: number;
  readonly dof: number;
  /** See `misfit` in binned-fit.ts: 0 where chance alone could do it. */
  readonly misfit: number;
}

export interface NoPlace {
  readonly refused: string;
}

const LEAST_COUNTS = 200;
/** Slices of a Compton spectrum: each is taken for flat. */
const SLICES = 60;
/** Deviance per degree of freedom with which no other start is tried. */
const GOOD = 1.15;
/** Where there is an edge, some ten are enough; where there is none, each costs milliseconds. */
const STEPS = 60;
/** A fit that misses by more than this describes another spectrum. */
const MISSES = 0.3;

/** Fits scale, smearing (going as the root of the energy), intensity and a falling background. */
export function fitComptonEdge(h: Histogram, { range, gammas, zero = 0 }: EdgeOptions): Place | NoPlace {
  const part = cut(h, range);
  if (part.total < LEAST_COUNTS) return { refused: `${part.total} counts in the range: at least ${LEAST_COUNTS} are needed` };
  const top = gammas.reduce<Gamma | undefined>((a, b) => (a && a.energy > b.energy ? a : b), undefined);
  if (!top) return { refused: 'no gamma is given' };
  if (!gammas.every((g) => g.energy > 0 && g.intensity > 0)) return { refused: 'energies and intensities must be above 0' };
  if (range[0] < zero) return { refused: `the range begins below the charge of no energy, ${zero}` };
  const edgeEnergy = comptonEdge(top.energy);
  const length = range[1] - range[0];
  const model = edgeModel(part.edges, gammas, edgeEnergy, zero, range);
  let best: BinnedFit | undefined;
  let why = '';
  for (const guess of edgeGuesses(part)) {
    for (const width of [0.1, 0.04]) {
      if (best && best.deviance < GOOD * best.dof) break;
      const start = [guess, width * (guess - zero), 0.9 * part.total, 0.1 * part.total, 0];
      const got = fitBinned({
        counts: part.counts,
        model,
        start,
        low: [range[0], part.width / 4, 0, 0, -1],
        high: [range[1], length / 2, 1e3 * part.total, 10 * part.total, 1],
        scale: [length / 20, length / 50, part.total / 10, part.total / 10, 0.2],
        steps: STEPS,
      });
      if ('refused' in got) why = got.refused;
      else if (!best || got.deviance < best.deviance) best = got;
    }
  }
  if (!best) return { refused: why };
  const [charge = 0, width = 0, counts = 0] = best.parameters;
  const [chargeSigma = 0, widthSigma = 0, countsSigma = 0] = best.sigma;
  if (best.bound.includes(0) || best.bound.includes(1) || !(counts > 5 * countsSigma)) {
    return { refused: 'there is no edge in this range that stands out of its background' };
  }
  if (!(charge - zero > 3 * chargeSigma)) return { refused: 'where the edge stands cannot be told from this spectrum' };
  const missed = missing(best, part.total, 'edge');
  if (missed) return missed;
  if (charge + width > range[1]) return { refused: `the edge at ${charge.toPrecision(4)} is not wholly in the range` };
  const found = { what: 'edge', energy: edgeEnergy, charge, chargeSigma, width, widthSigma, counts } as const;
  return { ...found, resolution: width / (charge - zero), ...quality(best, part.total) };
}

/** Fits a normal line on a straight background. */
export function fitGammaLine(h: Histogram, { range, energy }: LineOptions): Place | NoPlace {
  const part = cut(h, range);
  if (part.total < LEAST_COUNTS) return { refused: `${part.total} counts in the range: at least ${LEAST_COUNTS} are needed` };
  const length = range[1] - range[0];
  const top = smoothed(part.counts).reduce((best, n, i, all) => (n > (all[best] ?? 0) ? i : best), 0);
  const guess = ((part.edges[top] ?? 0) + (part.edges[top + 1] ?? 0)) / 2;
  let best: BinnedFit | undefined;
  let why = '';
  for (const width of [length / 12, length / 40, length / 6]) {
    if (best && best.deviance < GOOD * best.dof) break;
    const got = fitBinned({
      counts: part.counts,
      model: lineModel(part.edges),
      start: [guess, width, 0.6 * part.total, 0.4 * part.total, 0],
      low: [range[0], part.width / 4, 0, 0, -1],
      high: [range[1], length, 10 * part.total, 10 * part.total, 1],
      scale: [length / 20, length / 50, part.total / 10, part.total / 10, 0.2],
    });
    if ('refused' in got) why = got.refused;
    else if (!best || got.deviance < best.deviance) best = got;
  }
  if (!best) return { refused: why };
  const [charge = 0, width = 0, counts = 0] = best.parameters;
  const [chargeSigma = 0, widthSigma = 0, countsSigma = 0] = best.sigma;
  if (best.bound.includes(0) || best.bound.includes(1) || !(counts > 5 * countsSigma)) {
    return { refused: 'there is no line in this range that stands out of its background' };
  }
  const missed = missing(best, part.total, 'line');
  if (missed) return missed;
  const found = { what: 'line', energy, charge, chargeSigma, width, widthSigma, counts } as const;
  return { ...found, resolution: width / charge, ...quality(best, part.total) };
}

function missing(fit: BinnedFit, total: number, what: Place['what']): NoPlace | undefined {
  const part = misfit(fit, total);
  return part > MISSES ? { refused: `there is no such ${what}: the fit misses the spectrum by ${(100 * part).toFixed(0)} %` } : undefined;
}

const quality = ({ deviance, dof }: BinnedFit, total: number) => ({ deviance, dof, misfit: misfit({ deviance, dof }, total) });

interface Part {
  readonly edges: Float64Array;
  readonly counts: Float64Array;
  readonly width: number;
  readonly total: number;
}

function cut(h: Histogram, [low, high]: readonly [number, number]): Part {
  let [from, to] = [0, h.bins];
  while (from < h.bins && edge(h, from) < low) from++;
  while (to > from && edge(h, to) > high) to--;
  const counts = h.counts.slice(from, to);
  const edges = Float64Array.from({ length: to - from + 1 }, (_, i) => edge(h, from + i));
  return { edges, counts, width: (h.high - h.low) / h.bins, total: counts.reduce((a, b) => a + b, 0) };
}

/** Parts of 1 of a background that is straight over the range: `tilt` -1 to 1 goes from all at the low end to all at the high end. */
function background(edges: Float64Array, i: number, tilt: number): number {
  const [first = 0, last = 1] = [edges[0], edges[edges.length - 1]];
  const [a, b] = [((edges[i] as number) - first) / (last - first), ((edges[i + 1] as number) - first) / (last - first)]; // i + 1 < length
  return (b - a) * (1 + tilt * (a + b - 1));
}

function lineModel(edges: Float64Array) {
  return (p: Float64Array, expected: Float64Array): void => {
    const [at = 0, width = 1, counts = 0, under = 0, tilt = 0] = p;
    let before = below(((edges[0] ?? 0) - at) / width);
    for (let i = 0; i < expected.length; i++) {
      const after = below(((edges[i + 1] as number) - at) / width); // edges has one more
      expected[i] = counts * (after - before) + under * background(edges, i, tilt);
      before = after;
    }
  };
}

/**
 * Each Compton spectrum in slices of equal energy, flat in each, smeared by a normal distribution whose variance goes as the energy. What is
 * below the range by more than it is smeared does not matter and is left out.
 */
function edgeModel(edges: Float64Array, gammas: readonly Gamma[], edgeEnergy: number, zero: number, range: readonly [number, number]) {
  const bins = edges.length - 1;
  const binWidth = ((edges[bins] ?? 1) - (edges[0] ?? 0)) / bins;
  const smeared = new Float64Array(bins);
  return (p: Float64Array, expected: Float64Array): void => {
    const [at = 1, width = 1, counts = 0, under = 0, tilt = 0] = p;
    const perEnergy = (at - zero) / edgeEnergy;
    smeared.fill(0);
    for (const { energy, intensity } of gammas) {
      const top = comptonEdge(energy);
      const bottom = Math.max(0, (range[0] - 6 * width - zero) / perEnergy);
      if (bottom >= top) continue;
      const step = (top - bottom) / SLICES;
      for (let k = 0; k < SLICES; k++) {
        const middle = bottom + (k + 0.5) * step;
        const weight = (intensity * comptonSpectrum(energy, middle)) / perEnergy;
        // A bin's width smears too; it is added here, so that the integral over a bin is its middle.
        const sigma = Math.sqrt((width ** 2 * middle) / edgeEnergy + binWidth ** 2 / 12);
        const [low, high] = [zero + perEnergy * (bottom + k * step), zero + perEnergy * (bottom + (k + 1) * step)];
        slice(smeared, edges, binWidth, low, high, sigma, weight);
      }
    }
    let sum = 0;
    for (const v of smeared) sum += v;
    const scale = sum > 0 ? counts / sum : 0;
    for (let i = 0; i < bins; i++) expected[i] = scale * (smeared[i] as number) + under * background(edges, i, tilt); // i < bins
  };
}

/** Adds a flat slice, smeared, to all bins that it reaches. */
function slice(to: Float64Array, edges: Float64Array, binWidth: number, low: number, high: number, sigma: number, weight: number): void {
  const [first = 0] = edges;
  const from = Math.max(0, Math.floor((low - 6 * sigma - first) / binWidth));
  const until = Math.min(to.length, Math.ceil((high + 6 * sigma - first) / binWidth));
  for (let i = from; i < until; i++) {
    const x = first + (i + 0.5) * binWidth;
    to[i] = (to[i] as number) + weight * binWidth * (below((x - low) / sigma) - below((x - high) / sigma)); // i < length
  }
}

/** Charges where an edge may be: where the smoothed spectrum falls most steeply, for its height; and two more in case that is noise. */
function edgeGuesses({ counts, edges }: Part): number[] {
  const smooth = smoothed(counts);
  const length = counts.length;
  let [best, steepest] = [Math.floor(length * 0.6), 0];
  const reach = Math.max(1, Math.floor(length / 16));
  for (let i = reach; i + reach < length; i++) {
    const [before, after] = [smooth[i - reach] ?? 0, smooth[i + reach] ?? 0];
    const fall = (before - after) / Math.sqrt(Math.max(1, before + after));
    if (fall > steepest) [best, steepest] = [i, fall];
  }
  const at = (i: number): number => edges[Math.max(1, Math.min(length - 1, Math.round(i)))] ?? 0;
  return [at(best), at(best + length / 12)];
}

function smoothed(counts: Float64Array): Float64Array {
  const reach = Math.max(1, Math.floor(counts.length / 50));
  return counts.map((_, i) => {
    let [sum, n] = [0, 0];
    for (let j = Math.max(0, i - reach); j <= Math.min(counts.length - 1, i + reach); j++) {
      sum += counts[j] ?? 0;
      n++;
    }
    return sum / n;
  });
}
