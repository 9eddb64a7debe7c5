/** How much light of a point reaches each channel: computed from where the channels stand, or measured on a grid. Lengths in centimetres. */

export type Point = readonly [number, number, number];

/** low and high corner */
export type Box = readonly [Point, Point];

export interface ResponseMap {
  readonly channels: number;
  /** Where the map holds. */
  readonly box: Box;
  /** Where the channels stand. */
  readonly positions: readonly Point[];
  /** Photoelectrons of each channel for one unit of light at a point; at points beyond the box as at the nearest in it. */
  readonly at: (x: number, y: number, z: number, into: Float64Array) => void;
}

export interface Geometry {
  readonly positions: readonly Point[];
  readonly box: Box;
  /** Where each channel looks (any length): its answer goes with the cosine. Without it channels see all sides alike. */
  readonly facing?: readonly Point[];
  /** Attenuation length; none where it is left out. */
  readonly attenuation?: number;
  /** Of each channel, relative: area, efficiency, gain error. All alike where it is left out. */
  readonly weights?: ArrayLike<number>;
  /** Radius of a channel's face: light from very near does not grow without end. */
  readonly radius?: number;
}

/** Solid angle of small faces with attenuation: weight cos / (r^2 + 3/4 radius^2) exp(-r / length), as of a disc seen from its axis. */
export function computedMap(geometry: Geometry): ResponseMap | string {
  const { positions, box, facing, attenuation = Number.POSITIVE_INFINITY, weights, radius = 0 } = geometry;
  const channels = positions.length;
  if (channels === 0) return 'no channel has a position';
  if (facing && facing.length !== channels) return `${facing.length} directions for ${channels} channels`;
  if (weights && weights.length !== channels) return `${weights.length} weights for ${channels} channels`;
  if (!(attenuation > 0)) return 'the attenuation length must be above 0';
  const wrong = boxWrong(box);
  if (wrong) return wrong;
  const soft = 0.75 * radius ** 2;
  const flat = Float64Array.from(positions.flatMap((p) => [...p]));
  const look = facing && Float64Array.from(facing.flatMap((d) => d.map((v) => v / Math.hypot(...d))));
  const weight = Float64Array.from(weights ?? positions.map(() => 1));
  return {
    channels,
    box,
    positions,
    at(px, py, pz, into) {
      const [x, y, z] = clamped(box, px, py, pz);
      for (let c = 0; c < channels; c++) {
        const i = 3 * c;
        const [dx, dy, dz] = [x - (flat[i] as number), y - (flat[i + 1] as number), z - (flat[i + 2] as number)]; // 3 per channel
        const square = dx * dx + dy * dy + dz * dz;
        const r = Math.sqrt(square);
        const cosine = look
          ? (dx * (look[i] as number) + dy * (look[i + 1] as number) + dz * (look[i + 2] as number)) / Math.max(r, 1e-9)
          : 1;
        into[c] = ((weight[c] as number) * Math.max(0, cosine) * Math.exp(-r / attenuation)) / Math.max(square + soft, 1e-12);
      }
    },
  };
}

/** Rising coordinates of a grid, and the photoelectrons per unit of light there: [x][y][z][channel], row-major, all above 0. */
export interface MeasuredGrid {
  readonly positions: readonly Point[];
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  readonly z: ArrayLike<number>;
  readonly values: Float64Array;
}

/** Interpolates the logarithm linearly along each axis; an axis may have one coordinate only (then the map says nothing of it). */
export function measuredMap({ positions, x, y, z, values }: MeasuredGrid): ResponseMap | string {
  const channels = positions.length;
  const size = x.length * y.length * z.length * channels;
  if (size === 0 || values.length !== size)
    return `${values.length} values for ${x.length} x ${y.length} x ${z.length} points and ${channels} channels`;
  for (const [name, axis] of [['x', x] as const, ['y', y] as const, ['z', z] as const]) {
    for (let i = 1; i < axis.length; i++) if (!((axis[i] ?? 0) > (axis[i - 1] ?? 0))) return `${name}: the coordinates do not rise`;
  }
  const zero = values.findIndex((v) => !(v > 0 && Number.isFinite(v)));
  if (zero >= 0) return `channel ${zero % channels} at point ${Math.floor(zero / channels)} of the grid has no light: ${values[zero]}`;
  const logs = values.map(Math.log);
  const end = (axis: ArrayLike<number>): number => axis[axis.length - 1] ?? 0;
  const box: Box = [
    [x[0] ?? 0, y[0] ?? 0, z[0] ?? 0],
    [end(x), end(y), end(z)],
  ];
  return {
    channels,
    box,
    positions,
    at(px, py, pz, into) {
      const cells = [cell(x, px), cell(y, py), cell(z, pz)] as const;
      into.fill(0);
      for (let corner = 0; corner < 8; corner++) {
        let [index, part] = [0, 1];
        for (const [a, { low, high, share }] of cells.entries()) {
          const up = ((corner >> a) & 1) === 1;
          index = index * (a === 0 ? 1 : a === 1 ? y.length : z.length) + (up ? high : low);
          part *= up ? share : 1 - share;
        }
        if (part === 0) continue;
        for (let c = 0; c < channels; c++) into[c] = (into[c] as number) + part * (logs[index * channels + c] as number); // in the grid
      }
      for (let c = 0; c < channels; c++) into[c] = Math.exp(into[c] as number); // c < channels
    },
  };
}

function cell(axis: ArrayLike<number>, at: number): { readonly low: number; readonly high: number; readonly share: number } {
  const last = axis.length - 1;
  if (last === 0 || at <= (axis[0] ?? 0)) return { low: 0, high: 0, share: 0 };
  let i = 0;
  while (i < last - 1 && (axis[i + 1] ?? 0) <= at) i++;
  const [a, b] = [axis[i] ?? 0, axis[i + 1] ?? 1];
  return { low: i, high: i + 1, share: Math.min(1, (at - a) / (b - a)) };
}

const clamp = (v: number, low: number, high: number): number => Math.min(high, Math.max(low, v));

const clamped = ([low, high]: Box, x: number, y: number, z: number): Point => [
  clamp(x, low[0], high[0]),
  clamp(y, low[1], high[1]),
  clamp(z, low[2], high[2]),
];

function boxWrong([low, high]: Box): string | undefined {
  for (const a of [0, 1, 2] as const) {
    if (!(Number.isFinite(low[a]) && Number.isFinite(high[a]) && low[a] <= high[a])) return `box: ${low[a]} to ${high[a]} is no interval`;
  }
  return undefined;
}
