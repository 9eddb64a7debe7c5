/** Questions and replies of every kind for fast-check. */
import fc from 'fast-check';
import type { ModbusAsk, ModbusTell } from '../../protocols/modbus.ts';

const u16 = fc.nat(0xffff);
const unit = fc.integer({ min: 1, max: 247 });
const registers = (max: number) => fc.array(u16, { minLength: 1, maxLength: max });
const bits = (max: number) => fc.array(fc.boolean(), { minLength: 1, maxLength: max });
const bytesOfBits = fc.integer({ min: 1, max: 20 }).chain((n) => fc.array(fc.boolean(), { minLength: 8 * n, maxLength: 8 * n }));
const of = <const F extends number>(...codes: readonly F[]) => fc.constantFrom(...codes);

export const asks: fc.Arbitrary<ModbusAsk> = fc.oneof(
  fc.record({ unit, function: of(1, 2, 3, 4), address: u16, count: u16 }),
  fc.record({ unit, function: of(5), address: u16, value: fc.boolean() }),
  fc.record({ unit, function: of(6), address: u16, value: u16 }),
  fc.record({ unit, function: of(8), sub: of(0, 2, 10, 11), data: fc.tuple(u16) }),
  fc.record({ unit, function: of(15), address: u16, values: bits(40) }),
  fc.record({ unit, function: of(16), address: u16, values: registers(20) }),
  fc.record({ unit, function: of(23), address: u16, count: u16, writeAddress: u16, values: registers(20) }),
);

export const tells: fc.Arbitrary<ModbusTell> = fc.oneof(
  fc.record({ unit, function: of(1, 2), values: bytesOfBits }),
  fc.record({ unit, function: of(3, 4, 23), values: registers(20) }),
  fc.record({ unit, function: of(5), address: u16, value: fc.boolean() }),
  fc.record({ unit, function: of(6), address: u16, value: u16 }),
  fc.record({ unit, function: of(8), sub: of(0, 2, 10, 11), data: fc.tuple(u16) }),
  fc.record({ unit, function: of(15, 16), address: u16, count: u16 }),
  fc.record({ unit, function: fc.integer({ min: 1, max: 127 }), exception: fc.integer({ min: 1, max: 11 }) }),
);
