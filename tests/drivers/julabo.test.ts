import { describe, expect, test } from 'vitest';
import julabo from '../../drivers/julabo.ts';
import simulated from '../../simulators/julabo.ts';
import { Refused } from '../../src/instrument.ts';
import { place } from './place.ts';
import { runAsks } from './run-asks.ts';

const chiller = (simulate = {}, options = {}) => {
  const bench = place(julabo, simulated, [{ name: 'bath', simulate, options }]);
  const [unit] = bench.units;
  // The state of the simulator above.
  const state = unit.state as ReturnType<typeof simulated.state>;
  bench.clock.advance(12);
  return { ...bench, unit, state, now: unit.acquired.latest };
};

describe('identify', () => {
  test.each([
    ['hl', 'hl'],
    ['mh', 'mh'],
    ['he', 'he'],
    ['fc', 'fc'],
    ['fl', 'fl'],
  ])('the family %s is known by its name', (device, family) => {
    const { unit, now } = chiller({ device });
    expect(unit.acquired.id).toMatchObject({ family });
    expect(now('temperature')).toMatchObject({ quality: 'good', kind: 'K', value: expect.closeTo(295.2, 0) });
    expect(unit.readings.filter((r) => r.quality === 'bad')).toEqual([]);
  });

  const identified = (answers: Readonly<Record<string, string>>, family: 'by name' | 'fc' = 'by name') =>
    runAsks((main) => julabo.identify({ main }, { family }), answers);

  test('the emulated FP50-MH of ISIS, in both of its versions', () => {
    const VERSION = 'JULABO FP50_MH Simulator, ISIS';
    expect(identified({ VERSION, IN_SP_01: '100.0', IN_SP_02: '0.0' })).toMatchObject({ family: 'mh', unit: false });
    expect(identified({ VERSION, IN_SP_03: '100.0', IN_SP_04: '0.0' })).toMatchObject({ family: 'he' });
  });

  test('what is not known has the least, the rig may say more, and others are refused', () => {
    expect(identified({ VERSION: 'JULABO XY9 VERSION 1' })).toMatchObject({ family: 'fl' });
    expect(identified({ VERSION: 'JULABO XY9 VERSION 1' }, 'fc')).toMatchObject({ family: 'fc' });
    expect(identified({ VERSION: 'HUBER CC' })).toBeInstanceOf(Refused);
  });
});

describe('readings', () => {
  test('have each its own question, by family', () => {
    for (const device of ['hl', 'mh', 'he', 'fc']) {
      const { state, now, clock } = chiller({ device });
      state.running = true;
      state.setPoints[0] = 5;
      clock.advance(200);
      expect(now('power')).toMatchObject({ kind: '1', value: expect.closeTo(-1, 1) });
      const [outside, inside] = [now('external_temperature'), now('temperature')];
      if (outside?.quality !== 'good' || inside?.quality !== 'good') throw new Error(`${device}: no temperatures`);
      // The water that comes back is warmer than the bath by the load.
      expect(Number(outside.value) - Number(inside.value)).toBeGreaterThan(0.3);
      expect(Number(outside.value) - Number(inside.value)).toBeLessThan(2);
      expect(now('high_limit')).toMatchObject({ value: 368.15 });
      expect(now('low_limit')).toMatchObject({ value: 275.15 });
    }
  });

  test('an alarm is told in the words of the device', () => {
    const { state, now, clock } = chiller();
    expect(now('status')).toMatchObject({ value: '02 REMOTE STOP' });
    expect(now('alarm')).toMatchObject({ value: false });
    state.alarm = '-01 LOW LEVEL ALARM';
    clock.advance(3);
    expect(now('status')).toMatchObject({ value: '-01 LOW LEVEL ALARM' });
    expect(now('alarm')).toMatchObject({ value: true });
    expect(now('remote')).toMatchObject({ quality: 'bad', why: 'the status is "-01 LOW LEVEL ALARM"' });
  });

  test('°F at the panel is never read as °C, nor ordered in', () => {
    const { unit, state, now, clock } = chiller();
    state.fahrenheit = true;
    clock.advance(3);
    expect(now('temperature')).toMatchObject({ quality: 'bad', why: 'it shows °F: set it to °C at its panel' });
    expect(unit.order('set_point', 283.15)).toBe('it shows °F: set it to °C at its panel');
    expect(state.setPoints[0]).toBe(20);
  });

  test('a sensor that is not there is bad, and breaks nothing', () => {
    const polls = julabo.body({ family: 'hl' }, { version: '', family: 'hl', unit: false }).polls ?? [];
    const external = polls.find((p) => 'external_temperature' in p.gives);
    for (const reply of ['---.--', '-151.00'])
      expect(external?.read([reply, undefined], { asked: 0, t: 0 })).toEqual({
        external_temperature: { quality: 'bad', why: 'no sensor' },
      });
  });
});

describe('orders', () => {
  test('cool, and are read back', () => {
    const { unit, now, clock, sent } = chiller();
    expect(unit.order('set_point', 283.15)).toBe('done');
    expect(unit.order('running', true)).toBe('done');
    expect(now('set_point')).toMatchObject({ value: 283.15 });
    expect(now('running')).toMatchObject({ value: true });
    clock.advance(1000);
    expect(now('temperature')).toMatchObject({ value: expect.closeTo(283.15, 0) });
    expect(now('status')).toMatchObject({ value: '03 REMOTE START' });
    expect(sent().filter((line) => line.startsWith('OUT'))).toEqual(['OUT_SP_00 10.00\r', 'OUT_MODE_05 1\r']);
  });

  test('fail in local mode with the words of the device', () => {
    const { unit, state, now, clock } = chiller();
    state.remote = false;
    clock.advance(3);
    expect(now('remote')).toMatchObject({ value: false });
    expect(unit.order('running', true)).toBe('the device answers to OUT_MODE_05 1: -09 COMMAND NOT ALLOWED IN CURRENT OPERATING MODE');
    expect(unit.order('set_point', 283.15)).toContain('-09');
    state.remote = true;
    expect(unit.order('set_point', 623.15)).toContain('-11 VALUE TOO LARGE');
    expect(unit.order('set_point', 283.15)).toBe('done');
  });

  test('tune its controller', () => {
    const { unit, state } = chiller();
    expect(unit.order('internal_proportional_band', 2.5)).toBe('done');
    expect(unit.order('internal_integral_time', 100)).toBe('done');
    expect(unit.order('external_control', true)).toBe('done');
    expect(unit.order('high_limit', 333.15)).toBe('done');
    expect(state).toMatchObject({ byExternal: true, high: 60 });
    expect(state.parameters).toMatchObject({ '06': 2.5, '07': 100 });
  });

  test('leave the time between two commands that the device wants', () => {
    const { unit, exchanged } = chiller();
    unit.order('set_point', 283.15);
    const at = exchanged.findIndex((e) => e.by === 'order:set_point' && String.fromCharCode(...e.sent).startsWith('OUT'));
    expect(exchanged[at + 1].asked - exchanged[at].asked).toBeGreaterThanOrEqual(250_000);
  });

  test('nothing is hazardous', () => {
    const { commands } = chiller().unit.acquired;
    expect(Object.values(commands).filter((c) => c.safe !== undefined)).toEqual([]);
  });
});

describe('the simulator, to others', () => {
  test.each([
    ['hl', 'CRLF', '\r\n'],
    ['mh', 'LF', '\n'],
  ] as const)('%s answers in commands and never out commands', (device, terminator, end) => {
    const { all } = place(julabo, simulated, [{ name: 'x' }]);
    const other = all.device('y', simulated, { device, terminator });
    const ask = (line: string): string => new TextDecoder().decode(other.ask('main', new TextEncoder().encode(`${line}\r`)));
    expect(ask('IN_SP_00')).toBe(`20.00${end}`);
    expect(ask('out_sp_00 15.5')).toBe('');
    expect(ask('in_sp_00')).toBe(`15.50${end}`);
    expect(ask('OUT_MODE_05 1')).toBe('');
    expect(ask('IN_MODE_05')).toBe(`1${end}`);
    expect(ask('STATUS')).toBe(`03 REMOTE START${end}`);
    expect(ask('OUT_MODE_05 2')).toBe('');
    expect(ask('STATUS')).toBe(`-11 VALUE TOO LARGE${end}`);
    expect(ask('IN_NO_00')).toBe('');
    expect(ask('STATUS')).toBe(`-08 INVALID COMMAND${end}`);
    expect(ask('IN_PAR_06')).toBe(`1.5${end}`);
    expect(ask('VERSION')).toContain('JULABO');
  });
});
