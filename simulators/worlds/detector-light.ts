/** How light comes from a place in the scintillator to the channels: solid angle, attenuation, and a part that walls have scattered. */
import type { Vector } from './detector-random.ts';

/** Where the channels look from: a quarter of them on each of the four upright walls, or all in a plane below. */
export const MAPS = ['walls', 'plane'] as const;
export type MapName = (typeof MAPS)[number];

export interface Sensor {
  /** Centimetre from the middle of the box. */
  readonly place: Vector;
  /** Into the box. */
  readonly normal: Vector;
}

export interface Optical {
  /** Centimetre: sides of the box, about the origin. */
  readonly box: Vector;
  readonly map: MapName;
  /** A multiple of 16; 64 where left out. */
  readonly tubes?: number;
  /** Centimetre. */
  readonly attenuation: number;
  /** Share of the light that has lost its direction on the walls: every channel gets as much of it. */
  readonly scattered: number;
}

/** Of a board, and of the detector unless the rig says more. */
export const CHANNELS = 64;
/** In a row of a wall, and of the plane. */
const [WALL_ROW, PLANE_ROW] = [4, 8];
/** Radius of a sensor, over the distance from one to the next. */
const FILL = 0.4;

/** In the order of the channels: wall after wall (-x, +x, -y, +y), row after row of four from below; of a plane row after row of eight along x. */
export function sensorsOf({ box, map, tubes = CHANNELS }: Pick<Optical, 'box' | 'map' | 'tubes'>): readonly Sensor[] {
  const [x, y, z] = box;
  const each = tubes / 4;
  const grid = (side: number, n: number, i: number): number => (side * (i + 0.5)) / n - side / 2;
  return Array.from({ length: tubes }, (_, channel): Sensor => {
    if (map === 'plane') {
      const place = [grid(x, tubes / PLANE_ROW, Math.floor(channel / PLANE_ROW)), grid(y, PLANE_ROW, channel % PLANE_ROW), -z / 2] as const;
      return { place, normal: [0, 0, 1] };
    }
    const [wall, row, column] = [Math.floor(channel / each), Math.floor((channel % each) / WALL_ROW), channel % WALL_ROW];
    const side = wall % 2 === 0 ? -1 : 1;
    if (wall < 2) return { place: [(side * x) / 2, grid(y, WALL_ROW, column), grid(z, each / WALL_ROW, row)], normal: [-side, 0, 0] };
    return { place: [grid(x, WALL_ROW, column), (side * y) / 2, grid(z, each / WALL_ROW, row)], normal: [0, -side, 0] };
  });
}

/** The response of all channels to light at a place. 1 is all that the channels together get of light in the middle of the box. */
export class LightMap {
  readonly sensors: readonly Sensor[];
  private readonly columns: Float64Array;
  private readonly attenuation: number;
  private readonly radius2: number;
  private readonly direct: number;
  private readonly scattered: number;

  constructor(optical: Optical) {
    const { box, map, attenuation, scattered } = optical;
    this.sensors = sensorsOf(optical);
    this.columns = Float64Array.from(this.sensors.flatMap(({ place, normal }) => [...place, ...normal]));
    this.attenuation = attenuation;
    const { tubes = CHANNELS } = optical;
    const [x, y, z] = box;
    const pitch =
      map === 'plane' ? Math.min(x / (tubes / PLANE_ROW), y / PLANE_ROW) : Math.min(x / WALL_ROW, y / WALL_ROW, z / (tubes / 4 / WALL_ROW));
    this.radius2 = (FILL * pitch) ** 2;
    this.scattered = scattered / tubes;
    const middle = new Float64Array(tubes);
    this.direct = 1;
    this.add([0, 0, 0], 1, middle);
    this.direct = (1 - scattered) / (middle.reduce((sum, one) => sum + one, 0) - scattered);
  }

  /** Adds `amount` times the response at `place` to each channel's number: `to` has one for each. */
  add([x, y, z]: Vector, amount: number, to: Float64Array): void {
    const { columns, radius2, attenuation } = this;
    const direct = amount * this.direct;
    const scattered = amount * this.scattered;
    for (let channel = 0, at = 0; channel < to.length; channel++, at += 6) {
      const dx = x - columns[at];
      const dy = y - columns[at + 1];
      const dz = z - columns[at + 2];
      const r2 = dx * dx + dy * dy + dz * dz + 1e-9;
      const r = Math.sqrt(r2);
      const cosine = (dx * columns[at + 3] + dy * columns[at + 4] + dz * columns[at + 5]) / r;
      // A disk seen from its axis, and its foreshortening: share of the full solid angle.
      const seen = cosine > 0 ? 0.5 * (1 - 1 / Math.sqrt(1 + radius2 / r2)) * cosine * Math.exp(-r / attenuation) : 0;
      to[channel] += direct * seen + scattered;
    }
  }
}
