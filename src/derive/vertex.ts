/**
 * Where an event was, by the light that each channel has seen: maximum likelihood with a response map. The centroid is the fallback; it
 * stands nearer to the centre than the event (light sharing), and says by how much. Lengths in centimetres.
 */
import { devianceOf, fitBinned } from './binned-fit.ts';
import type { Point, ResponseMap } from './response-map.ts';

export interface Centroid {
  readonly position: Point;
  /** Root of sum n (x - c)^2, over N: by the statistics of the photoelectrons alone. */
  readonly sigma: Point;
  readonly photoelectrons: number;
}

/** Undefined where there is no light. Channels with fewer than 0 photoelectrons count as 0. */
export function centroid(pe: ArrayLike<number>, positions: readonly Point[]): Centroid | undefined {
  let sum = 0;
  const at: [number, number, number] = [0, 0, 0];
  for (const [c, p] of positions.entries()) {
    const n = Math.max(0, pe[c] ?? 0);
    sum += n;
    for (const a of AXES) at[a] += n * p[a];
  }
  if (!(sum > 0)) return undefined;
  for (const a of AXES) at[a] /= sum;
  const square: [number, number, number] = [0, 0, 0];
  for (const [c, p] of positions.entries()) for (const a of AXES) square[a] += Math.max(0, pe[c] ?? 0) * (p[a] - at[a]) ** 2;
  return { position: at, sigma: [Math.sqrt(square[0]) / sum, Math.sqrt(square[1]) / sum, Math.sqrt(square[2]) / sum], photoelectrons: sum };
}

/** What the centroid of an event at a point is, less the point: its bias, by the map. */
export function centroidBias(map: ResponseMap, at: Point): Point {
  const light = new Float64Array(map.channels);
  map.at(at[0], at[1], at[2], light);
  const { position } = centroid(light, map.positions) ?? { position: at };
  return [position[0] - at[0], position[1] - at[1], position[2] - at[2]];
}

export interface VertexOptions {
  readonly map: ResponseMap;
  /** Photoelectrons of each channel that are there without light (dark counts in the gate); none where left out. */
  readonly dark?: ArrayLike<number>;
  /** Variance of a channel over its mean, 1 + (spread of one photoelectron / its mean)^2; 1 where left out. */
  readonly excess?: number;
  /** With fewer photoelectrons the centroid is given; 10 where left out. */
  readonly least?: number;
}

export interface Vertex {
  readonly method: 'likelihood' | 'centroid';
  readonly position: Point;
  /** One sigma; of a coordinate at the edge of the map NaN, of one that the channels say nothing of that of the box. */
  readonly sigma: Point;
  /** Of x, y, z. */
  readonly covariance: readonly Point[];
  /** In the map's unit of light, with one sigma (with the position free). */
  readonly light: number;
  readonly lightSigma: number;
  /** As chi squared, for more than a few photoelectrons per channel. NaN for the centroid. */
  readonly deviance: number;
  readonly dof: number;
  /** Coordinates at the edge of the map. */
  readonly atEdge: readonly ('x' | 'y' | 'z')[];
  /** Of a centroid: how far it stands from the point whose light would have this centroid, by the map. */
  readonly bias?: Point;
  /** Why it is the centroid, or what else is to be said. */
  readonly why?: string;
}

export interface NoVertex {
  readonly refused: string;
}

const AXES = [0, 1, 2] as const;
const NAMES = ['x', 'y', 'z'] as const;
/** Points along each axis from which the best is taken as start. */
const GRID = 7;

/** A function from photoelectrons per channel (fractions are welcome) to a vertex. Throws a RangeError for options that do not fit the map. */
export function vertexFinder(options: VertexOptions): (pe: ArrayLike<number>) => Vertex | NoVertex {
  const { map, excess = 1, least = 10 } = options;
  const { channels, box } = map;
  if (options.dark && options.dark.length !== channels) throw new RangeError(`${options.dark.length} dark counts for ${channels} channels`);
  if (!(excess >= 1)) throw new RangeError(`excess: 1 or more, not ${excess}`);
  const dark = Float64Array.from(options.dark ?? new Float64Array(channels));
  const allDark = dark.reduce((a, b) => a + b, 0);
  const free = AXES.filter((a) => box[1][a] > box[0][a]);
  const grid = starts(map);
  const counts = new Float64Array(channels);
  const light = new Float64Array(channels);
  const point = (p: ArrayLike<number>): [number, number, number] => {
    const at: [number, number, number] = [box[0][0], box[0][1], box[0][2]];
    for (const [i, a] of free.entries()) at[a] = p[i] ?? 0;
    return at;
  };
  const model = (p: Float64Array, expected: Float64Array): void => {
    const [x, y, z] = point(p);
    map.at(x, y, z, light);
    const amount = p[free.length] as number; // the last parameter
    for (let c = 0; c < channels; c++) expected[c] = amount * (light[c] as number) + (dark[c] as number); // c < channels
  };
  /** The light that fits best at a start of the grid, and how well it does. */
  const tried = (start: Start, bright: number): readonly [number, number] => {
    const amount = bright / start.sum;
    for (let c = 0; c < channels; c++) light[c] = amount * (start.light[c] as number) + (dark[c] as number); // c < channels
    return [amount, devianceOf(counts, light)];
  };
  return (pe) => {
    if (pe.length !== channels) return { refused: `${pe.length} channels, the map has ${channels}` };
    for (let c = 0; c < channels; c++) counts[c] = Math.max(0, pe[c] ?? 0);
    if (!counts.every(Number.isFinite)) return { refused: 'a charge is no number' };
    const total = counts.reduce((a, b) => a + b, 0);
    const bright = total - allDark;
    if (!(total > 0)) return { refused: 'no light' };
    if (total < least || !(bright > 0)) return fallback(options, counts, `only ${total.toPrecision(3)} photoelectrons`);
    if (channels <= free.length + 1) return fallback(options, counts, `${channels} channels cannot fix a vertex`);
    let [best, amount, least2] = [grid[0], 0, Number.POSITIVE_INFINITY];
    for (const start of grid) {
      const [a, deviance] = tried(start, bright);
      if (deviance < least2) [best, amount, least2] = [start, a, deviance];
    }
    if (!best) return fallback(options, counts, 'the map has no light in its box');
    const from = best.at;
    const got = fitBinned({
      counts,
      model,
      start: [...free.map((a) => from[a]), amount],
      low: [...free.map((a) => box[0][a]), 0],
      high: [...free.map((a) => box[1][a]), 1e6 * amount],
      scale: [...free.map((a) => (box[1][a] - box[0][a]) / 10), amount / 10],
    });
    if ('refused' in got) return fallback(options, counts, got.refused);
    if (got.idle.length > 0) return fallback(options, counts, 'the channels do not fix the place');
    const bar = (a: 0 | 1 | 2, b: 0 | 1 | 2): number => {
      const [i, j] = [free.indexOf(a), free.indexOf(b)];
      return i < 0 || j < 0 ? 0 : excess * (got.covariance[i]?.[j] ?? 0);
    };
    const atEdge = free.filter((_, i) => got.bound.includes(i));
    const sigma = AXES.map((a) => (atEdge.includes(a) ? Number.NaN : Math.sqrt(bar(a, a))));
    return {
      method: 'likelihood',
      position: point(got.parameters),
      sigma: [sigma[0] ?? 0, sigma[1] ?? 0, sigma[2] ?? 0],
      covariance: AXES.map((a) => [bar(a, 0), bar(a, 1), bar(a, 2)] as const),
      light: got.parameters[free.length] ?? 0,
      lightSigma: Math.sqrt(excess) * (got.sigma[free.length] ?? 0),
      deviance: got.deviance / excess,
      dof: got.dof,
      atEdge: atEdge.map((a) => NAMES[a]),
      ...(atEdge.length > 0 && { why: `at the edge of the map in ${atEdge.map((a) => NAMES[a]).join(', ')}` }),
    };
  };
}

interface Start {
  readonly at: Point;
  readonly light: Float64Array;
  readonly sum: number;
}

/** Points inside the box, with their light; those without any are left out. */
function starts(map: ResponseMap): readonly Start[] {
  const [low, high] = map.box;
  const along = (a: 0 | 1 | 2): number[] => {
    const n = high[a] > low[a] ? GRID : 1;
    return Array.from({ length: n }, (_, i) => low[a] + ((i + 0.5) * (high[a] - low[a])) / n);
  };
  const all: Start[] = [];
  for (const x of along(0)) {
    for (const y of along(1)) {
      for (const z of along(2)) {
        const light = new Float64Array(map.channels);
        map.at(x, y, z, light);
        const sum = light.reduce((a, b) => a + b, 0);
        if (sum > 0 && Number.isFinite(sum)) all.push({ at: [x, y, z], light, sum });
      }
    }
  }
  return all;
}

function fallback({ map, excess = 1 }: VertexOptions, counts: Float64Array, why: string): Vertex | NoVertex {
  const found = centroid(counts, map.positions);
  if (!found) return { refused: 'no light' };
  const [low, high] = map.box;
  const position: [number, number, number] = [...found.position];
  const sigma: [number, number, number] = [...found.sigma];
  const blind = AXES.filter((a) => map.positions.every((p) => p[a] === map.positions[0]?.[a]));
  for (const a of AXES) {
    sigma[a] *= Math.sqrt(excess);
    if (!blind.includes(a)) continue;
    position[a] = (low[a] + high[a]) / 2;
    sigma[a] = (high[a] - low[a]) / Math.sqrt(12);
  }
  // The point whose own centroid this is: each step takes off what is still left.
  const at: [number, number, number] = [...position];
  for (let i = 0; i < 100; i++) {
    const off = centroidBias(map, at);
    for (const a of AXES) {
      if (!blind.includes(a)) at[a] = Math.min(high[a], Math.max(low[a], at[a] + 0.7 * (position[a] - at[a] - off[a])));
    }
  }
  return {
    method: 'centroid',
    position,
    sigma,
    covariance: AXES.map((a) => [a === 0 ? sigma[0] ** 2 : 0, a === 1 ? sigma[1] ** 2 : 0, a === 2 ? sigma[2] ** 2 : 0] as const),
    light: Number.NaN,
    lightSigma: Number.NaN,
    deviance: Number.NaN,
    dof: 0,
    atEdge: [],
    bias: [position[0] - at[0], position[1] - at[1], position[2] - at[2]],
    why: `${why}: the centroid, which stands nearer to the centre than the event`,
  };
}
