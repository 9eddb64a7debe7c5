/** Where candidates were, asked for only when a pair needs it: charges wait in a ring, and each is looked at once at most. */
import type { DetectorEvent } from './detector-events.ts';
import type { Point, ResponseMap } from './response-map.ts';
import { centroid, vertexFinder } from './vertex.ts';

export interface VertexPlan {
  readonly map: ResponseMap;
  /** Charge of one photoelectron, of all channels or of each. Without it there are centroids only, which stand too near to the centre. */
  readonly photoelectron?: number | readonly number[];
  /** Photoelectrons of each channel that are there without light; 0 where left out. */
  readonly dark?: number;
  /** Variance of a channel's photoelectrons over their mean; 1 where left out. */
  readonly excess?: number;
}

export type Method = 'likelihood' | 'centroid';

export interface Vertices {
  /** Keeps the event's charges, for as long as the next `capacity` candidates. */
  keep(event: DetectorEvent): void;
  /** The place (cm) of the event with this time and energy; undefined where it is no longer kept or has no vertex. */
  place(t: number, energy: number): { readonly at: Point; readonly method: Method } | undefined;
  /** Fits so far. */
  readonly fits: number;
}

const [UNKNOWN, NOWHERE, LIKELIHOOD, CENTROID] = [0, 1, 2, 3];

/** What is wrong with it, in a sentence; undefined where nothing is. */
export function checkVertices({ map, photoelectron, dark = 0, excess = 1 }: VertexPlan): string | undefined {
  if (typeof photoelectron === 'object' && photoelectron.length !== map.channels)
    return `photoelectron: ${photoelectron.length} charges for the ${map.channels} channels of the map`;
  const charges = typeof photoelectron === 'number' ? [photoelectron] : (photoelectron ?? []);
  if (!charges.every((q) => q > 0 && Number.isFinite(q))) return 'photoelectron: a charge must be above 0';
  if (!(dark >= 0 && Number.isFinite(dark))) return `dark: photoelectrons of a channel, 0 or more, not ${dark}`;
  return excess >= 1 && Number.isFinite(excess) ? undefined : `excess: 1 or more, not ${excess}`;
}

/** Throws a RangeError with checkVertices' sentence. */
export function vertices(plan: VertexPlan, capacity = 1024): Vertices {
  const wrong = checkVertices(plan);
  if (wrong !== undefined) throw new RangeError(wrong);
  const { map, photoelectron, dark = 0, excess = 1 } = plan;
  const { channels, positions } = map;
  const one = typeof photoelectron === 'number' ? positions.map(() => photoelectron) : photoelectron;
  const find = one && vertexFinder({ map, excess, ...(dark > 0 ? { dark: positions.map(() => dark) } : {}) });
  const times = new Float64Array(capacity).fill(Number.NaN);
  const energies = new Float64Array(capacity);
  const states = new Uint8Array(capacity);
  const places: Point[] = new Array<Point>(capacity).fill([0, 0, 0]);
  const charges = new Float64Array(capacity * channels);
  const light = new Float64Array(channels);
  let [next, fits] = [0, 0];

  function look(row: number): void {
    fits++;
    const charge = charges.subarray(row * channels, (row + 1) * channels);
    if (find && one) {
      for (let c = 0; c < channels; c++) light[c] = Math.max(0, (charge[c] as number) / (one[c] as number)); // c < channels
      const found = find(light);
      states[row] = 'refused' in found ? NOWHERE : found.method === 'likelihood' ? LIKELIHOOD : CENTROID;
      if (!('refused' in found)) places[row] = found.position;
      return;
    }
    const found = centroid(charge, positions);
    states[row] = found ? CENTROID : NOWHERE;
    if (found) places[row] = found.position;
  }

  return {
    keep({ t, energy, charge }) {
      times[next] = t;
      energies[next] = energy;
      states[next] = UNKNOWN;
      charges.set(charge, next * channels);
      next = (next + 1) % capacity;
    },
    place(t, energy) {
      for (let back = 1; back <= capacity; back++) {
        const row = (next - back + capacity) % capacity;
        if (times[row] !== t || energies[row] !== energy) continue;
        if (states[row] === UNKNOWN) look(row);
        const state = states[row];
        if (state === NOWHERE) return undefined;
        return { at: places[row] as Point, method: state === LIKELIHOOD ? 'likelihood' : 'centroid' }; // row < capacity
      }
      return undefined;
    },
    get fits() {
      return fits;
    },
  };
}
