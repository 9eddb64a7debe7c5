import { MOST, type ModbusAsk, type ModbusTell } from './modbus.ts';
import { Unsendable } from './unsendable.ts';

/** 1 function, 2 address, 3 value, 4 device failure, 5 acknowledged, 6 busy, 8 memory parity, 10 and 11 gateway (v1.1b3, section 7). */
export type ModbusException = 1 | 2 | 3 | 4 | 5 | 6 | 8 | 10 | 11;

/** Values by address, asked for and set a whole range at a time, so that a refused write changes nothing. */
export interface ModbusTable<V> {
  /** Exactly `count` values, or an exception. */
  readonly get?: (address: number, count: number, unit: number) => readonly V[] | ModbusException;
  /** An exception where the values were not taken. */
  readonly set?: (address: number, values: readonly V[], unit: number) => ModbusException | undefined;
}

/** What a server holds; a function whose table or callback is absent is answered with exception 1. */
export interface ModbusBank {
  readonly coils?: ModbusTable<boolean>;
  readonly discretes?: ModbusTable<boolean>;
  readonly holding?: ModbusTable<number>;
  readonly inputs?: ModbusTable<number>;
}

/**
 * The server's answer: quantities are checked, then addresses, then the bank is asked (v1.1b3, the state diagrams of section 6). Unit 0
 * of a serial line writes and is not answered; on TCP (`id` given) it is a unit like others. A bank that gives another number of
 * values than asked for is Unsendable.
 */
export function serveModbus(ask: ModbusAsk, bank: ModbusBank): ModbusTell | undefined {
  const broadcast = ask.unit === 0 && ask.id === undefined;
  if (broadcast && ('raw' in ask || ![5, 6, 15, 16].includes(ask.function))) return undefined;
  const tell = answer(ask, bank);
  return broadcast ? undefined : tell;
}

function answer(ask: ModbusAsk, bank: ModbusBank): ModbusTell {
  const of = ask.id === undefined ? { unit: ask.unit } : { unit: ask.unit, id: ask.id };
  const refuse = (exception: ModbusException): ModbusTell => ({ ...of, function: ask.function, exception });
  const written = (exception: ModbusException | undefined, tell: ModbusTell): ModbusTell =>
    exception === undefined ? tell : refuse(exception);
  if ('raw' in ask) return refuse(served(ask.function, bank) ? 3 : 1);
  if (!served(ask.function, bank)) return refuse(1);
  const { unit } = ask;
  switch (ask.function) {
    case 1:
    case 2: {
      const values = read(ask.function === 1 ? bank.coils : bank.discretes, ask, MOST.bits);
      if (typeof values === 'number') return refuse(values);
      const whole = [...values, ...new Array<boolean>((8 - (values.length % 8)) % 8).fill(false)];
      return { ...of, function: ask.function, values: whole };
    }
    case 3:
    case 4: {
      const values = read(ask.function === 3 ? bank.holding : bank.inputs, ask, MOST.registers);
      return typeof values === 'number' ? refuse(values) : { ...of, function: ask.function, values };
    }
    case 5:
      return written(bank.coils?.set?.(ask.address, [ask.value], unit), { ...of, function: 5, address: ask.address, value: ask.value });
    case 6:
      return written(bank.holding?.set?.(ask.address, [ask.value], unit), { ...of, function: 6, address: ask.address, value: ask.value });
    case 8:
      return ask.sub === 0 ? { ...of, function: 8, sub: 0, data: ask.data } : refuse(1);
    case 15:
      return written(write(bank.coils, ask, MOST.writeBits), { ...of, function: 15, address: ask.address, count: ask.values.length });
    case 16:
      return written(write(bank.holding, ask, MOST.writeRegisters), {
        ...of,
        function: 16,
        address: ask.address,
        count: ask.values.length,
      });
    case 23: {
      const into = { unit, address: ask.writeAddress, values: ask.values };
      const no = beyond(ask.address, ask.count, MOST.registers) ?? write(bank.holding, into, MOST.writeWhileReading);
      if (no !== undefined) return refuse(no);
      const values = read(bank.holding, ask, MOST.registers);
      return typeof values === 'number' ? refuse(values) : { ...of, function: 23, values };
    }
  }
}

function served(code: number, { coils, discretes, holding, inputs }: ModbusBank): boolean {
  const needs: Readonly<Record<number, readonly unknown[]>> = {
    1: [coils?.get],
    2: [discretes?.get],
    3: [holding?.get],
    4: [inputs?.get],
    5: [coils?.set],
    6: [holding?.set],
    8: [],
    15: [coils?.set],
    16: [holding?.set],
    23: [holding?.get, holding?.set],
  };
  return needs[code]?.every((need) => need !== undefined) ?? false;
}

function beyond(address: number, count: number, most: number): ModbusException | undefined {
  if (count < 1 || count > most) return 3;
  return address + count > 0x10000 ? 2 : undefined;
}

interface Range {
  readonly unit: number;
  readonly address: number;
}

function read<V>(table: ModbusTable<V> | undefined, ask: Range & { readonly count: number }, most: number): readonly V[] | ModbusException {
  const { address, count, unit } = ask;
  const values = beyond(address, count, most) ?? table?.get?.(address, count, unit) ?? 1;
  if (typeof values === 'number' || values.length === count) return values;
  throw new Unsendable(`the bank gave ${values.length} values at address ${address} of unit ${unit}, ${count} were asked for`);
}

function write<V>(
  table: ModbusTable<V> | undefined,
  ask: Range & { readonly values: readonly V[] },
  most: number,
): ModbusException | undefined {
  return beyond(ask.address, ask.values.length, most) ?? table?.set?.(ask.address, ask.values, ask.unit);
}
