/** Numbers of 16 and 32 bits in Modbus registers. A register is sent high byte first; in which order a number's bytes lie in two of them differs by maker. */

export const NUMBER_TYPES = ['u16', 's16', 'u32', 's32', 'f32'] as const;
export type NumberType = (typeof NUMBER_TYPES)[number];
/** The bytes of a number as they come over the wire, A being the highest. */
export const ORDERS = { 1: ['AB', 'BA'], 2: ['ABCD', 'CDAB', 'BADC', 'DCBA'] } as const;
export type ByteOrder = (typeof ORDERS)[1 | 2][number];

/** Registers that a number takes. */
export const registersOf = (type: NumberType): 1 | 2 => (type === 'u16' || type === 's16' ? 1 : 2);

/** The least and the greatest number of a type. */
export const LIMITS: Readonly<Record<NumberType, readonly [number, number]>> = {
  u16: [0, 0xffff],
  s16: [-0x8000, 0x7fff],
  u32: [0, 0xffffffff],
  s32: [-0x80000000, 0x7fffffff],
  f32: [-3.4028234663852886e38, 3.4028234663852886e38],
};

/** Where each byte of the wire belongs, from the highest on. */
const PLACES: Readonly<Record<ByteOrder, readonly number[]>> = {
  AB: [0, 1],
  BA: [1, 0],
  ABCD: [0, 1, 2, 3],
  CDAB: [2, 3, 0, 1],
  BADC: [1, 0, 3, 2],
  DCBA: [3, 2, 1, 0],
};

/** The number in as many registers as its type takes; NaN and the infinities of f32 come out as they are. */
export function numberOf(type: NumberType, order: ByteOrder, registers: readonly number[]): number {
  const view = new DataView(new ArrayBuffer(4));
  PLACES[order].forEach((place, i) => {
    const register = registers[i >> 1];
    view.setUint8(place, i % 2 === 0 ? register >> 8 : register & 0xff);
  });
  switch (type) {
    case 'u16':
      return view.getUint16(0);
    case 's16':
      return view.getInt16(0);
    case 'u32':
      return view.getUint32(0);
    case 's32':
      return view.getInt32(0);
    case 'f32':
      return view.getFloat32(0);
  }
}

/** The registers of a number within its type's limits; whole types take whole numbers. */
export function registersWith(type: NumberType, order: ByteOrder, value: number): readonly number[] {
  const view = new DataView(new ArrayBuffer(4));
  if (type === 'f32') view.setFloat32(0, value);
  else if (registersOf(type) === 1) view.setUint16(0, value & 0xffff);
  else view.setUint32(0, value >>> 0);
  const bytes = PLACES[order].map((place) => view.getUint8(place));
  return Array.from({ length: registersOf(type) }, (_, i) => (bytes[2 * i] << 8) | bytes[2 * i + 1]);
}
