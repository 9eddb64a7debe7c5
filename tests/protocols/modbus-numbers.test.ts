import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type ByteOrder,
  LIMITS,
  NUMBER_TYPES,
  type NumberType,
  numberOf,
  ORDERS,
  registersOf,
  registersWith,
} from '../../protocols/modbus-numbers.ts';

const register = fc.nat(0xffff);
const typed = fc
  .constantFrom(...NUMBER_TYPES)
  .chain((type) => fc.tuple(fc.constant(type), fc.constantFrom<ByteOrder>(...ORDERS[registersOf(type)])));

/** The same by Node's own readers, of the bytes put in order first. */
function foreign(type: NumberType, order: ByteOrder, [a = 0, b = 0]: readonly number[]): number {
  const wire = Buffer.alloc(registersOf(type) * 2);
  wire.writeUInt16BE(a, 0);
  if (wire.length === 4) wire.writeUInt16BE(b, 2);
  if (order === 'BADC' || order === 'BA') wire.swap16();
  if (order === 'CDAB') wire.swap16().swap32();
  if (order === 'DCBA') wire.swap32();
  return {
    u16: () => wire.readUInt16BE(),
    s16: () => wire.readInt16BE(),
    u32: () => wire.readUInt32BE(),
    s32: () => wire.readInt32BE(),
    f32: () => wire.readFloatBE(),
  }[type]();
}

test('any registers are the number that the readers of Node find', () => {
  fc.assert(
    fc.property(typed, register, register, ([type, order], a, b) => {
      expect(numberOf(type, order, [a, b])).toBe(foreign(type, order, [a, b]));
    }),
  );
});

test('a number that is written is read as the same', () => {
  fc.assert(
    fc.property(typed, register, register, ([type, order], a, b) => {
      const registers = [a, b].slice(0, registersOf(type));
      const n = numberOf(type, order, registers);
      if (Number.isNaN(n)) return;
      expect(registersWith(type, order, n)).toEqual(registers);
    }),
  );
  for (const type of NUMBER_TYPES)
    for (const n of LIMITS[type])
      expect(numberOf(type, ORDERS[registersOf(type)][0], registersWith(type, ORDERS[registersOf(type)][0], n))).toBe(n);
});

test.each([
  ['f32', 'ABCD', [0x41c8, 0x0000], 25],
  ['f32', 'CDAB', [0x0000, 0x41c8], 25],
  ['s32', 'ABCD', [0xffff, 0xfffe], -2],
  ['u32', 'DCBA', [0x0100, 0x0000], 1],
  ['u32', 'BADC', [0x0000, 0x0100], 1],
  ['s16', 'BA', [0xfeff], -2],
] as const)('%s %s of %j is %d', (type, order, registers, n) => {
  expect(numberOf(type, order, registers)).toBe(n);
});
