import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ModbusAsk } from '../../protocols/modbus.ts';
import { modbusRtu } from '../../protocols/modbus-rtu.ts';
import { type ModbusTable, serveModbus } from '../../protocols/modbus-serve.ts';
import { modbusTcp } from '../../protocols/modbus-tcp.ts';
import { bankOf } from './modbus-bank.ts';
import { asks } from './modbus-values.ts';
import { decoded, noise } from './splits.ts';

const unit = 3;
const zeros = (n: number) => new Array<number>(n).fill(0);
const offs = (n: number) => new Array<boolean>(n).fill(false);

test('reads and writes', () => {
  const bank = bankOf(100);
  expect(serveModbus({ unit, function: 1, address: 2, count: 5 }, bank)).toEqual({
    unit,
    function: 1,
    values: [false, true, false, false, true, false, false, false],
  });
  expect(serveModbus({ unit, id: 9, function: 4, address: 98, count: 2 }, bank)).toEqual({
    unit,
    id: 9,
    function: 4,
    values: [2098, 2099],
  });
  expect(serveModbus({ unit, function: 16, address: 4, values: [7, 8] }, bank)).toEqual({ unit, function: 16, address: 4, count: 2 });
  expect(serveModbus({ unit, function: 15, address: 0, values: [false, true] }, bank)).toEqual({
    unit,
    function: 15,
    address: 0,
    count: 2,
  });
  expect(serveModbus({ unit, function: 6, address: 0, value: 5 }, bank)).toEqual({ unit, function: 6, address: 0, value: 5 });
  expect(serveModbus({ unit, function: 5, address: 2, value: true }, bank)).toEqual({ unit, function: 5, address: 2, value: true });
  expect(bank.held.slice(0, 7)).toEqual([5, 1001, 1002, 1003, 7, 8, 1006]);
  expect(bank.on.slice(0, 4)).toEqual([false, true, true, true]);
  expect(serveModbus({ unit, function: 8, sub: 0, data: [1, 2] }, bank)).toEqual({ unit, function: 8, sub: 0, data: [1, 2] });
  const both: ModbusAsk = { unit, function: 23, address: 4, count: 2, writeAddress: 5, values: [55] };
  expect(serveModbus(both, bank)).toEqual({ unit, function: 23, values: [7, 55] }); // the write comes first
});

test.each<readonly [ModbusAsk, number | undefined]>([
  [{ unit, function: 1, address: 0, count: 0 }, 3],
  [{ unit, function: 1, address: 0, count: 2000 }, undefined],
  [{ unit, function: 1, address: 0, count: 2001 }, 3],
  [{ unit, function: 3, address: 0, count: 125 }, undefined],
  [{ unit, function: 3, address: 0, count: 126 }, 3],
  [{ unit, function: 4, address: 0, count: 0 }, 3],
  [{ unit, function: 3, address: 65535, count: 2 }, 2],
  [{ unit, function: 3, address: 2500, count: 1 }, 2],
  [{ unit, function: 15, address: 0, values: offs(1968) }, undefined],
  [{ unit, function: 15, address: 0, values: offs(1969) }, 3],
  [{ unit, function: 15, address: 0, values: [] }, 3],
  [{ unit, function: 16, address: 0, values: zeros(123) }, undefined],
  [{ unit, function: 16, address: 0, values: zeros(124) }, 3],
  [{ unit, function: 16, address: 65535, values: zeros(2) }, 2],
  [{ unit, function: 23, address: 0, count: 125, writeAddress: 0, values: zeros(121) }, undefined],
  [{ unit, function: 23, address: 0, count: 126, writeAddress: 0, values: zeros(1) }, 3],
  [{ unit, function: 23, address: 0, count: 1, writeAddress: 0, values: zeros(122) }, 3],
  [{ unit, function: 23, address: 65535, count: 2, writeAddress: 0, values: zeros(1) }, 2],
  [{ unit, function: 8, sub: 10, data: [0] }, 1],
  [{ unit, function: 5, raw: Uint8Array.of(0, 0, 1, 2) }, 3],
  [{ unit, function: 17, raw: new Uint8Array(0) }, 1],
])('%o is answered with exception %j', (ask, exception) => {
  const bank = bankOf(2500);
  const tell = serveModbus(ask, bank);
  if (exception === undefined) expect(tell).not.toHaveProperty('exception');
  else expect(tell).toEqual({ unit, function: ask.function, exception });
  if (exception !== undefined) expect(bank.held).toEqual(bankOf(2500).held);
});

test('what the bank lacks or refuses is an exception', () => {
  const fail: ModbusTable<number> = { get: () => 4, set: () => 6 };
  expect(serveModbus({ unit, function: 3, address: 0, count: 1 }, { holding: fail })).toEqual({ unit, function: 3, exception: 4 });
  expect(serveModbus({ unit, function: 6, address: 0, value: 1 }, { holding: fail })).toEqual({ unit, function: 6, exception: 6 });
  expect(serveModbus({ unit, function: 6, address: 0, value: 1 }, { holding: { get: fail.get } })).toMatchObject({ exception: 1 });
  expect(serveModbus({ unit, function: 2, address: 0, count: 1 }, { holding: fail })).toMatchObject({ exception: 1 });
  expect(() => serveModbus({ unit, function: 3, address: 0, count: 2 }, { holding: { get: () => [1] } })).toThrow(
    expect.objectContaining({ code: 'PROTO_UNSENDABLE' }),
  );
});

test('unit 0 writes without an answer on a serial line, and is a unit like others on TCP', () => {
  const bank = bankOf(10);
  expect(serveModbus({ unit: 0, function: 6, address: 0, value: 5 }, bank)).toBeUndefined();
  expect(bank.held[0]).toBe(5);
  expect(serveModbus({ unit: 0, function: 3, address: 0, count: 1 }, bank)).toBeUndefined();
  expect(serveModbus({ unit: 0, function: 17, raw: new Uint8Array(0) }, bank)).toBeUndefined();
  expect(serveModbus({ unit: 0, id: 1, function: 3, address: 0, count: 1 }, bank)).toEqual({ unit: 0, id: 1, function: 3, values: [5] });
});

test('every answer fits its question and goes over both wires', () => {
  const rtu = modbusRtu();
  const tcp = modbusTcp();
  fc.assert(
    fc.property(asks, (ask) => {
      const tell = serveModbus(ask, bankOf(0x10000));
      expect(tell).toBeDefined();
      if (!tell) return;
      expect(rtu.fits(tell, ask)).toBe('answer');
      expect(decoded(rtu.tells.decoder, rtu.tells.encode(tell))).toEqual([tell]);
      const numbered = serveModbus({ ...ask, id: 77 }, bankOf(0x10000));
      expect(numbered && tcp.fits(numbered, { ...ask, id: 77 })).toBe('answer');
    }),
    { numRuns: 30 },
  );
});

test('a server answers whatever comes', () => {
  const rtu = modbusRtu();
  fc.assert(
    fc.property(fc.nat(127), noise(200), (code, raw) => {
      const decode = modbusTcp().asks.decoder();
      const frame = Uint8Array.from([0, 1, 0, 0, 0, raw.length + 2, unit, code, ...raw]);
      for (const ask of decode(frame)) {
        if (!('function' in ask)) continue;
        const tell = serveModbus(ask, bankOf(50));
        expect(tell && rtu.tells.encode(tell).length).toBeGreaterThan(4);
      }
    }),
  );
});
