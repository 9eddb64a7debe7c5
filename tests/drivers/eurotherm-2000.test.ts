import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import eurotherm from '../../drivers/eurotherm-2000.ts';
import type { ModbusTell } from '../../protocols/modbus.ts';
import { modbusRtu } from '../../protocols/modbus-rtu.ts';
import simulated from '../../simulators/eurotherm-2000.ts';
import { dac } from '../../simulators/worlds/dac.ts';
import { catalogue } from '../../src/catalogue.ts';
import { Refused } from '../../src/instrument.ts';
import { loadRig } from '../../src/rig.ts';
import { place, type Unit } from './place.ts';

const bus = (...units: readonly Unit[]) => {
  const bench = place(eurotherm, simulated, units, { baud: 9600, halfDuplex: true });
  bench.clock.advance(4);
  // The states of the simulator above.
  const states = bench.units.map((u) => u.state as ReturnType<typeof simulated.state>);
  return { ...bench, states, world: bench.all.of(dac) };
};
const oven = (options = {}) => {
  const bench = bus({ name: 'oven', options: { unit: 1, ...options } });
  const [unit] = bench.units;
  return { ...bench, unit, state: bench.states[0], now: unit.acquired.latest };
};
/** Bytes as they stand in the tables, from Latin-1 text. */
const hex = (text: string): string =>
  Buffer.from(text, 'latin1')
    .toString('hex')
    .replace(/(..)(?=.)/g, '$1 ');

describe('options', () => {
  test('need an address', () => {
    expect(eurotherm.options.parse({})).toMatchObject({ why: 'unit: is needed: a whole number from 1 to 254' });
    expect(eurotherm.options.parse({ unit: 3 })).toEqual({
      unit: 3,
      decimals: 1,
      output_decimals: 1,
      safe_setpoint: 273.15,
      framing: 'rtu',
    });
    expect(eurotherm.options.parse({ unit: 3, framing: 'ascii' })).toMatchObject({
      why: expect.stringContaining('framing: must be one of rtu, tcp'),
    });
    expect(eurotherm.options.parse({ unit: 3, safe_setpoint: '20 °C' })).toMatchObject({ safe_setpoint: 293.15 });
    for (const wrong of ['20 bar', 20, 'cold', '-300 °C'])
      expect(eurotherm.options.parse({ unit: 3, safe_setpoint: wrong })).toBeInstanceOf(Refused);
  });
});

test.each([0, 1, 2])('every example means what it says, with %i decimals', (decimals) => {
  const p = { unit: 1, decimals, output_decimals: 2 - decimals, safe_setpoint: 273.15, framing: 'rtu' } as const;
  for (const poll of eurotherm.body(p, { unit: 1 }).polls ?? []) {
    const values = poll.read(poll.example[0], { asked: 0, t: 0 });
    expect(values).toEqual(poll.example[1]);
  }
});

describe('readings', () => {
  const P = { unit: 1, decimals: 1, output_decimals: 1, safe_setpoint: 273.15, framing: 'rtu' } as const;
  const first = (reply: ModbusTell) => eurotherm.body(P, { unit: 1 }).polls?.[0].read(reply, { asked: 0, t: 0 });

  test('are signed', () => {
    // 01 03 06 FF 38 FF CE 00 64: -20.0 °C, -5.0 °C, 10 %.
    const [reply] = modbusRtu().tells.decoder()(Uint8Array.of(1, 3, 6, 0xff, 0x38, 0xff, 0xce, 0, 0x64, 0xc4, 0xbf));
    expect(reply).toEqual({ unit: 1, function: 3, values: [0xff38, 0xffce, 100] });
    expect(first(reply as ModbusTell)).toEqual({
      temperature: expect.closeTo(253.15, 9),
      set_point: expect.closeTo(268.15, 9),
      output: 0.1,
    });
  });

  test('a broken sensor is no temperature', () => {
    for (const raw of [0x7fff, 0x8000]) {
      expect(first({ unit: 1, function: 3, values: [raw, 0, 0] })).toMatchObject({
        temperature: { quality: 'bad', why: expect.stringContaining('sensor break') },
        set_point: 273.15,
      });
    }
  });

  test('a busy controller is not a zero', () => {
    expect(first({ unit: 1, function: 3, exception: 6 })).toMatchObject({
      temperature: { quality: 'bad', why: 'the controller answers exception 6 (busy)' },
      output: { quality: 'bad' },
    });
  });
});

describe('on the line', () => {
  test('three units share a bus, each its own heater', () => {
    const { units, states, world, clock, exchange } = bus(
      { name: 'oven', options: { unit: 1 } },
      { name: 'line', options: { unit: 2, decimals: 0 } },
      { name: 'heater3', options: { unit: 254, decimals: 2 }, simulate: { heater: 'cell' } },
    );
    expect(units.map((u) => u.acquired.state)).toEqual([{ is: 'running' }, { is: 'running' }, { is: 'running' }]);
    expect(units[0].order('setpoint', 473.15)).toBe('done');
    expect(units[2].order('setpoint', 323.15)).toBe('done');
    expect(states.map((s) => s.setPoint)).toEqual([200, 0, 50]);
    clock.advance(300);
    const now = units.map((u) => u.acquired.latest('temperature'));
    expect(now[0]).toMatchObject({ quality: 'good', kind: 'K', value: expect.closeTo(473.15, 0) });
    expect(now[1]).toMatchObject({ quality: 'good', value: expect.closeTo(295.15, -1) });
    expect(now[2]).toMatchObject({ quality: 'good', value: expect.closeTo(323.15, 0) });
    expect(world.cellTemperature).toBeCloseTo(323.15, 0);
    expect(world.heater('line').temperature).toBeCloseTo(295.15, 3);
    expect(exchange.stats.timeouts).toBe(0);
    const high = Math.max(...units[0].readings.map((r) => (r.from === 'oven.temperature' && r.quality === 'good' ? Number(r.value) : 0)));
    expect(high).toBeLessThan(473.15 + 25);
  });

  test('identify and polls ask by function 3 alone, and the proof has a length of its own', () => {
    const { sent } = oven();
    const asked = sent(true).map(hex);
    expect(asked[0]).toBe('01 03 00 6f 00 02 f4 16');
    expect(asked).toContain('01 03 00 01 00 03 54 0b');
    const counts = asked.map((a) => a.split(' ').slice(1, 6).join(' '));
    expect(counts.filter((c) => !c.startsWith('03'))).toEqual([]);
    expect(new Set(counts.filter((c) => c.endsWith('02')))).toEqual(new Set(['03 00 6f 00 02']));
  });

  test('an absent unit is set aside and the other goes on', () => {
    const bench = place(eurotherm, simulated, [
      { name: 'there', options: { unit: 1 } },
      { name: 'absent', options: { unit: 2 }, simulate: { unit: 9 } },
    ]);
    bench.clock.advance(20);
    expect(bench.units[1].acquired.state).toMatchObject({ is: 'silent' });
    const good = bench.units[0].readings.filter((r) => r.from === 'there.temperature' && r.quality === 'good');
    expect(good.length).toBeGreaterThan(25);
  });

  test('refuses what has no set-point limits', () => {
    const identified = (tell: ModbusTell) =>
      eurotherm
        .identify(
          {
            main: {
              // biome-ignore lint/correctness/useYield: answers at once
              *ask() {
                return tell;
              },
            },
          },
          { unit: 1, decimals: 1, output_decimals: 1, safe_setpoint: 273.15, framing: 'rtu' },
        )
        .next().value;
    expect(identified({ unit: 1, function: 3, exception: 2 })).toMatchObject({
      why: expect.stringContaining('exception 2 (illegal address)'),
    });
    expect(identified({ unit: 1, function: 3, values: [0, 10] })).toBeInstanceOf(Refused);
    expect(identified({ unit: 1, function: 3, values: [100, 0xff9c] })).toEqual({ unit: 1 });
  });
});

describe('behind a Modbus TCP gateway', () => {
  const framing = 'tcp';
  const gateway = () =>
    bus(
      { name: 'oven', options: { unit: 1, framing } },
      { name: 'line', options: { unit: 2, decimals: 0, framing } },
      { name: 'absent', options: { unit: 254, framing }, simulate: { unit: 9 } },
    );

  test('units share a link, an absent one stops nobody, and each is known by its own', () => {
    const { units, states, clock, sent } = gateway();
    expect(units.map((u) => u.acquired.state.is)).toEqual(['running', 'running', 'silent']);
    const asked = sent(true).map(hex);
    // Transaction, protocol 0, length 6, unit, function 3, register 111, 2 of them.
    expect(asked[0]).toMatch(/^00 0[1-9] 00 00 00 06 (01|02|fe) 03 00 6f 00 02$/);
    const numbers = asked.map((bytes) => bytes.slice(0, 5));
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(units[0].order('setpoint', 473.15)).toBe('done');
    expect(units[1].order('setpoint', 323.15)).toBe('done');
    expect(states.map((s) => s.setPoint)).toEqual([200, 50, 0]);
    expect(sent().map((bytes) => hex(bytes).slice(6))).toEqual(['00 00 00 06 01 06 00 02 07 d0', '00 00 00 06 02 06 00 02 00 32']);
    clock.advance(300);
    expect(units[0].acquired.latest('temperature')).toMatchObject({ quality: 'good', value: expect.closeTo(473.15, 0) });
    expect(units[0].readings.filter((r) => r.quality === 'bad')).toEqual([]);
    expect(units[1].readings.filter((r) => r.quality === 'bad')).toEqual([]);
  });

  test('what goes to every unit is taken by all and answered by none', () => {
    const { all } = place(eurotherm, simulated, [{ name: 'a', options: { unit: 1, framing } }]);
    const device = all.device('b', simulated, { unit: 5, framing });
    const ask = (bytes: string) => Buffer.from(device.ask('main', Buffer.from(bytes, 'hex')) ?? []).toString('hex');
    expect(ask('000100000006000600020064')).toBe('');
    expect(ask('000200000006000300020001')).toBe('');
    expect(ask('000300000006050300020001')).toBe('0003000000050503020064');
  });

  test('a gateway that hears nothing from the unit is no refusal', () => {
    for (const exception of [10, 11]) {
      const talk = eurotherm.identify(
        {
          main: {
            // biome-ignore lint/correctness/useYield: answers at once
            *ask() {
              return { unit: 1, function: 3, exception };
            },
          },
        },
        { unit: 1, decimals: 1, output_decimals: 1, safe_setpoint: 273.15, framing },
      );
      expect(() => talk.next()).toThrow(/the unit does not answer: exception 1[01] \(the gateway h/);
    }
  });

  test('a rig with three units behind one gateway is right, and one of another framing among them is wrong', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gateway-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const rig = async (...framings: readonly string[]) => {
      const instruments = framings.map(
        (f, i) =>
          `  u${i}: { model: eurotherm-2000, link: gate, options: { unit: ${i + 1}, framing: ${f} }, leases: { setpoint: unused } }\n`,
      );
      writeFileSync(
        join(folder, 'rig.yaml'),
        `rig: gateway\nlinks: { gate: "tcp:192.168.1.9:502" }\ninstruments:\n${instruments.join('')}`,
      );
      const loaded = await loadRig(folder, await catalogue(), new Map());
      return loaded.ok ? [] : loaded.messages.map((m) => m.text);
    };
    expect(await rig('tcp', 'tcp', 'tcp')).toEqual([]);
    expect(await rig('tcp', 'rtu')).toEqual([expect.stringContaining('one link has one language')]);
  });
});

describe('orders', () => {
  test('are literal bytes', () => {
    const { unit, sent, now } = oven();
    for (const [command, value] of [
      ['setpoint', 423.25],
      ['setpoint', 268.15],
      ['maximum_output', 0.5],
      ['proportional_band', 25],
      ['integral_time', 100],
      ['derivative_time', 10],
      ['output_rate', 0.02],
      ['setpoint_high', 573.15],
      ['setpoint_low', 263.15],
    ] as const) {
      expect(unit.order(command, value)).toBe('done');
      const { channel, by } = unit.acquired.commands[command].readback ?? { channel: '', by: 0 };
      unit.acquired.refresh(channel);
      unit.order('autotune', false, { within: 1 });
      const shown = now(channel);
      expect(shown).toMatchObject({ quality: 'good' });
      if (shown?.quality === 'good') expect(Math.abs(Number(shown.value) - value)).toBeLessThanOrEqual(by);
    }
    expect(
      sent()
        .map(hex)
        .filter((bytes) => !bytes.startsWith('01 06 01 0e')),
    ).toEqual([
      '01 06 00 02 05 dd eb 03',
      '01 06 00 02 ff ce e8 6e',
      '01 06 00 1e 01 f4 e9 db',
      '01 06 00 06 00 19 a8 01',
      '01 06 00 08 00 64 09 e3',
      '01 06 00 09 00 0a d9 cf',
      '01 06 00 25 00 02 19 c0',
      '01 06 00 6f 0b b8 be 95',
      '01 06 00 70 ff 9c c9 88',
    ]);
  });

  test('the controller refuses a set point beyond its limits', () => {
    const { unit, state } = oven();
    expect(unit.order('setpoint', 1400)).toBe('the controller refuses: exception 3 (illegal value)');
    expect(state.setPoint).toBe(0);
    expect(unit.order('proportional_band', 0)).toBe('the controller refuses: exception 3 (illegal value)');
    expect(unit.order('setpoint', 4000)).toBe('37269 does not fit into register 2');
    expect(unit.order('setpoint', Number.NaN)).toBe('NaN does not fit into register 2');
  });

  test('the safe set point is the first message, alone', () => {
    const { unit, sent } = oven();
    expect(Object.entries(unit.acquired.commands).filter(([, c]) => c.safe !== undefined)).toMatchObject([['setpoint', { safe: 273.15 }]]);
    sent();
    expect(unit.order('setpoint', unit.acquired.commands.setpoint.safe, { safe: true })).toBe('done');
    expect(sent().map(hex)).toEqual(['01 06 00 02 00 00 28 0a']);
    const other = oven({ safe_setpoint: '20 °C' });
    expect(other.unit.acquired.commands.setpoint.safe).toBe(293.15);
  });

  test('autotune runs and ends', () => {
    const { unit, now, clock } = oven();
    expect(unit.order('autotune', true)).toBe('done');
    clock.advance(20);
    expect(now('autotune')).toMatchObject({ value: true });
    clock.advance(60);
    expect(now('autotune')).toMatchObject({ value: false });
  });
});

test('a torn thermocouple turns the heater off and the reading bad', () => {
  const { unit, state, now, clock, world } = oven();
  unit.order('setpoint', 473.15);
  clock.advance(30);
  expect(world.heater('oven').output).toBeGreaterThan(0.1);
  state.broken = true;
  clock.advance(2);
  expect(now('temperature')).toMatchObject({ quality: 'bad', why: expect.stringContaining('sensor break') });
  expect(now('output')).toMatchObject({ quality: 'good', value: 0 });
  expect(world.heater('oven').output).toBe(0);
});

test('limits of output power and of its change hold', () => {
  const { unit, now, clock } = oven();
  unit.order('maximum_output', 0.2);
  unit.order('output_rate', 0.01);
  unit.order('setpoint', 673.15, { within: 10 });
  const climbing = now('output');
  expect(climbing).toMatchObject({ value: expect.closeTo(0.1, 1) });
  clock.advance(60);
  expect(now('output')).toMatchObject({ value: 0.2 });
});

describe('the simulator, to others', () => {
  const ask = (bytes: string): string => {
    const { all } = place(eurotherm, simulated, [{ name: 'a', options: { unit: 1 } }]);
    const device = all.device('b', simulated, { unit: 5 });
    return Buffer.from(device.ask('main', Buffer.from(bytes.replaceAll(' ', ''), 'hex')) ?? [])
      .toString('hex')
      .replace(/(..)(?=.)/g, '$1 ');
  };

  test.each([
    ['a read of one register', '05 03 00 02 00 01 24 4e', '05 03 02 00 00 49 84'],
    ['a read of limits', '05 03 00 6f 00 02 f5 92', '05 03 04 27 10 fc 18 f5 88'],
    ['a write', '05 06 00 02 ff 9c 68 17', '05 06 00 02 ff 9c 68 17'],
    ['function 4', '05 04 00 01 00 01 61 8e', '05 84 01 c3 01'],
    ['a write of several', '05 10 00 02 00 01 02 00 0a 15 75', '05 90 01 cc 01'],
    ['the echo of function 8', '05 08 00 00 12 34 ec f8', '05 88 01 c6 01'],
    ['a function that nobody knows', '05 44 02 d3', '05 c4 01 f2 c1'],
    ['a register that is not there', '05 03 00 07 00 01 34 4f', '05 83 02 81 30'],
    ['a block with a hole', '05 03 00 06 00 04 a5 8c', '05 83 02 81 30'],
    ['no register at all', '05 03 00 02 00 00 e5 8e', '05 83 03 40 f0'],
    ['a write to what is only read', '05 06 00 01 00 05 19 8d', '05 86 02 82 60'],
    ['a write beyond the limits', '05 06 00 02 7f ff 49 fe', '05 86 03 43 a0'],
    ['another unit', '06 03 00 02 00 01 24 7d', ''],
    ['every unit', '00 06 00 02 00 05 e9 d8', ''],
  ])('%s', (_what, bytes, reply) => {
    expect(ask(bytes)).toBe(reply);
  });

  test('a set point for every unit is taken without an answer', () => {
    const { all } = place(eurotherm, simulated, [{ name: 'a', options: { unit: 1 } }]);
    const device = all.device('b', simulated, { unit: 5 });
    device.ask('main', Buffer.from('0006000200c8284d', 'hex'));
    expect(device.state).toMatchObject({ setPoint: 20 });
  });
});
