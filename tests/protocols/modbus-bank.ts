import type { ModbusBank, ModbusTable } from '../../protocols/modbus-serve.ts';

/** A table over an array; outside of it: exception 2. */
export const table = <V>(values: V[]): ModbusTable<V> => ({
  get: (address, count) => (address + count > values.length ? 2 : values.slice(address, address + count)),
  set: (address, given) => {
    if (address + given.length > values.length) return 2;
    values.splice(address, given.length, ...given);
    return undefined;
  },
});

/** Four tables of known content: coils 0, 3, 6 ... on; discretes 0, 2, 4 ... on; registers 1000 and 2000 upwards. */
export function bankOf(size: number): ModbusBank & { readonly on: boolean[]; readonly held: number[] } {
  const every = (n: number): boolean[] => Array.from({ length: size }, (_, i) => i % n === 0);
  const up = (from: number): number[] => Array.from({ length: size }, (_, i) => (from + i) % 0x10000);
  const on = every(3);
  const held = up(1000);
  return { on, held, coils: table(on), discretes: table(every(2)), holding: table(held), inputs: table(up(2000)) };
}
