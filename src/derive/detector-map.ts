/** Response maps from plain numbers, as a plan or a file may hold them: from where the channels stand, or measured on a grid. Lengths in centimetres. */
import { type Box, computedMap, measuredMap, type Point, type ResponseMap } from './response-map.ts';

/** A quarter of the channels on each upright wall of a box, or all of them in a plane below it. */
export const ARRANGEMENTS = ['walls', 'plane'] as const;
export type Arrangement = (typeof ARRANGEMENTS)[number];

export interface GeometryPlan {
  /** Sides of the scintillator, about the origin. */
  readonly box: Point;
  /** One of the arrangements, or where each channel stands. */
  readonly channels: Arrangement | readonly Point[];
  /** Of an arrangement: a multiple of 16; 64 where left out. */
  readonly count?: number;
  /** Where each looks; of an arrangement, and where it is left out, into the box: a channel on a face at right angles to it. */
  readonly facing?: readonly Point[];
  /** Of the light. */
  readonly attenuation?: number;
  /** Of a channel's face. */
  readonly radius?: number;
  /** Share of the light of the middle that walls have scattered: all channels get as much of it, from wherever it comes. */
  readonly scattered?: number;
}

/** As `MeasuredGrid`, in plain lists. */
export interface GridPlan {
  readonly channels: readonly Point[];
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly z: readonly number[];
  /** [x][y][z][channel], row-major. */
  readonly values: ArrayLike<number>;
}

export type MapPlan = GeometryPlan | GridPlan;

interface Places {
  readonly positions: readonly Point[];
  readonly facing: readonly Point[];
}

const COUNT = 64;
/** Channels in a row of a wall, and of the plane. */
const [WALL_ROW, PLANE_ROW] = [4, 8];

/**
 * Of a box with these sides about the origin. walls: -x, +x, -y, +y, in each rows of four from below, and along a row as the other coordinate
 * rises; plane: at -z, eight along y, row after row along x.
 */
export function arranged([x, y, z]: Point, arrangement: Arrangement, count = COUNT): Places {
  const grid = (side: number, n: number, i: number): number => (side * (i + 0.5)) / n - side / 2;
  const channels = Array.from({ length: count }, (_, c) => c);
  const each = count / 4;
  if (arrangement === 'plane')
    return {
      positions: channels.map(
        (c) => [grid(x, count / PLANE_ROW, Math.floor(c / PLANE_ROW)), grid(y, PLANE_ROW, c % PLANE_ROW), -z / 2] as const,
      ),
      facing: channels.map(() => [0, 0, 1] as const),
    };
  const wall = (c: number): readonly [Point, Point] => {
    const face = Math.floor(c / each);
    const side = face % 2 === 0 ? -1 : 1;
    const [row, column] = [Math.floor((c % each) / WALL_ROW), c % WALL_ROW];
    if (face < 2)
      return [
        [(side * x) / 2, grid(y, WALL_ROW, column), grid(z, each / WALL_ROW, row)],
        [-side, 0, 0],
      ];
    return [
      [grid(x, WALL_ROW, column), (side * y) / 2, grid(z, each / WALL_ROW, row)],
      [0, -side, 0],
    ];
  };
  return { positions: channels.map((c) => wall(c)[0]), facing: channels.map((c) => wall(c)[1]) };
}

/** A sentence for what is wrong with it. Light counts in photoelectrons of all channels in the middle of the box, or in the grid's unit. */
export function mapOf(plan: MapPlan): ResponseMap | string {
  if ('values' in plan) {
    const { channels, values, ...axes } = plan;
    return measuredMap({ positions: channels, ...axes, values: Float64Array.from(values) });
  }
  const { box, channels, count = COUNT, attenuation, radius, scattered = 0 } = plan;
  if (!box.every((side) => side > 0 && Number.isFinite(side))) return `box: its sides must be above 0 cm, not ${box.join(', ')}`;
  if (!(scattered >= 0 && scattered < 1)) return `scattered: a share from 0 to below 1, not ${scattered}`;
  if (!(Number.isInteger(count) && count > 0 && count % 16 === 0))
    return `channels: an arrangement is of a multiple of 16 of them, not ${count}`;
  const { positions, facing } =
    typeof channels === 'string'
      ? arranged(box, channels, count)
      : { positions: channels, facing: plan.facing ?? channels.map(inwards(box)) };
  const [a, b, c] = [box[0] / 2, box[1] / 2, box[2] / 2];
  const corners: Box = [
    [-a, -b, -c],
    [a, b, c],
  ];
  const direct = computedMap({
    positions,
    box: corners,
    facing,
    ...(attenuation === undefined ? {} : { attenuation }),
    ...(radius === undefined ? {} : { radius }),
  });
  return typeof direct === 'string' ? direct : withScattered(direct, scattered);
}

/** From the face of the box that it is nearest to, at right angles. */
function inwards(box: Point): (at: Point) => Point {
  return (at) => {
    const [x, y, z] = [Math.abs(at[0]) - box[0] / 2, Math.abs(at[1]) - box[1] / 2, Math.abs(at[2]) - box[2] / 2];
    if (x >= y && x >= z) return [-Math.sign(at[0]), 0, 0];
    return y >= z ? [0, -Math.sign(at[1]), 0] : [0, 0, -Math.sign(at[2])];
  };
}

/** As much in all, in the middle, as 1; of which this share is alike in all channels everywhere. */
function withScattered(direct: ResponseMap, share: number): ResponseMap | string {
  const { channels } = direct;
  const middle = new Float64Array(channels);
  direct.at(0, 0, 0, middle);
  const sum = middle.reduce((a, b) => a + b, 0);
  if (!(sum > 0 && Number.isFinite(sum))) return 'no channel sees the middle of the box';
  const [scale, ground] = [(1 - share) / sum, share / channels];
  return {
    ...direct,
    at(x, y, z, into) {
      direct.at(x, y, z, into);
      for (let c = 0; c < channels; c++) into[c] = scale * (into[c] as number) + ground; // c < channels
    },
  };
}
