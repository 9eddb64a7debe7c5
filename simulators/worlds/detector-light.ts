/** How light comes from a place in the scintillator to the channels: solid angle, attenuation, and a part that walls have scattered. */
import type { Vector } from './detector-random.ts';

/** Where the channels look from: sixteen on each of the four upright walls, or all in a plane below. */
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
  /** Centimetre. */
  readonly attenuation: number;
  /** Share of the light that has lost its direction on the walls: every channel gets as much of it. */
  readonly scattered: number;
}

export const CHANNELS = 64;
/** Radius of a sensor, over the distance from one to the next. */
const FILL = 0.4;

/** In the order of the channels: wall after wall (-x, +x, -y, +y), row after row from below; of a plane row after row along x. */
export function sensorsOf({ box, map }: Pick<Optical, 'box' | 'map'>): readonly Sensor[] {
  const [x, y, z] = box;
  const grid = (side: number, n: number, i: number): number => (side * (i + 0.5)) / n - side / 2;
  return Array.from({ length: CHANNELS }, (_, channel): Sensor => {
    if (map === 'plane') {
      const place = [grid(x, 8, Math.floor(channel / 8)), grid(y, 8, channel % 8), -z / 2] as const;
      return { place, normal: [0, 0, 1] };
    }
    const [wall, row, column] = [channel >> 4, (channel >> 2) & 3, channel & 3];
    const side = wall % 2 === 0 ? -1 : 1;
    if (wall < 2) return { place: [(side * x) / 2, grid(y, 4, column), grid(z, 4, row)], normal: [-side, 0, 0] };
    return { place: [grid(x, 4, column), (side * y) / 2, grid(z, 4, row)], normal: [0, -side, 0] };
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
    const pitch = map === 'plane' ? Math.min(box[0], box[1]) / 8 : Math.min(...box) / 4;
    this.radius2 = (FILL * pitch) ** 2;
    this.scattered = scattered / CHANNELS;
    const middle = new Float64Array(CHANNELS);
    this.direct = 1;
    this.add([0, 0, 0], 1, middle);
    this.direct = (1 - scattered) / (middle.reduce((sum, one) => sum + one, 0) - scattered);
  }

  /** Adds `amount` times the response at `place` to each channel's number. */
  add([x, y, z]: Vector, amount: number, to: Float64Array): void {
    const { columns, radius2, attenuation } = this;
    const direct = amount * this.direct;
    const scattered = amount * this.scattered;
    for (let channel = 0, at = 0; channel < CHANNELS; channel++, at += 6) {
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
