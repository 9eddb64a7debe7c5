/** A cube of 50 cm with 64 channels on two opposite faces, and the photoelectrons that they see. */
import { computedMap, type Point, type ResponseMap } from '../../src/derive/response-map.ts';
import { normal, poisson, type Random } from './hit-rows.ts';

export function mapOf(map: ResponseMap | string): ResponseMap {
  if (typeof map === 'string') throw new Error(map);
  return map;
}

export function boxDetector(): ResponseMap {
  const places = Array.from({ length: 32 }, (_, i) => [-21.9 + 6.25 * (i % 8), -18.75 + 12.5 * Math.floor(i / 8)] as const);
  return mapOf(
    computedMap({
      positions: [...places.map(([x, y]): Point => [x, y, -25]), ...places.map(([x, y]): Point => [y, x, 25])],
      facing: [...places.map((): Point => [0, 0, 1]), ...places.map((): Point => [0, 0, -1])],
      box: [
        [-25, -25, -24],
        [25, 25, 24],
      ],
      attenuation: 150,
      radius: 3,
    }),
  );
}

export function seen(
  map: ResponseMap,
  [x, y, z]: Point,
  amount: number,
  random: Random,
  { dark = 0, spread = 0 }: { readonly dark?: number; readonly spread?: number } = {},
): Float64Array {
  const light = new Float64Array(map.channels);
  map.at(x, y, z, light);
  return light.map((v) => {
    const n = poisson(amount * v + dark, random);
    return Math.max(0, n + spread * Math.sqrt(n) * normal(random));
  });
}
