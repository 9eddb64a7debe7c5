import { describe, expect, test } from 'vitest';
import neslabEx from '../../drivers/neslab-ex.ts';
import { fromLatin1 } from '../../protocols/protocol.ts';
import simulated from '../../simulators/neslab-ex.ts';
import { hex } from '../protocols/splits.ts';
import { place } from './place.ts';

const bath = (simulate = {}, options = {}) => {
  const bench = place(neslabEx, simulated, [{ name: 'bath', simulate, options }]);
  const [unit] = bench.units;
  // The state of the simulator above.
  const state = unit.state as ReturnType<typeof simulated.state>;
  bench.clock.advance(5);
  return { ...bench, unit, state, now: unit.acquired.latest };
};
const bytes = (sent: readonly string[]): string[] =>
  sent.map((one) => [...fromLatin1(one)].map((byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join(' '));

describe('identify', () => {
  test('takes what the bath does not know for missing', () => {
    expect(bath().unit.acquired.id).toEqual({ version: '0.1', knows: [0x21, 0x40, 0x60, 0x71, 0x72, 0x73] });
    const { unit } = bath({ series: 'rte', external: 'no' }, { series: 'rte' });
    expect(unit.acquired.id).toEqual({ version: '0.1', knows: [0x40, 0x60, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76] });
    expect(Object.keys(unit.acquired.channels)).not.toContain('external_temperature');
  });

  test('a ThermoFlex is refused: its status bits mean other things', () => {
    const bench = place(
      neslabEx,
      simulated,
      [{ name: 'bath', simulate: { series: 'thermoflex' } }].map((u) => ({ ...u, options: {} })),
    );
    bench.clock.advance(5);
    expect(bench.units[0].acquired.state).toMatchObject({ is: 'refused', why: expect.stringContaining('ThermoFlex') });
  });

  test('RS-485, several on a line, with their echo', () => {
    const options = (address: number) => ({ address, bus: 'rs485' });
    const bench = place(neslabEx, simulated, [
      { name: 'a', options: options(3) },
      { name: 'b', options: options(9) },
    ]);
    const [a, b] = bench.units;
    bench.clock.advance(5);
    expect(a.order('set_point', 288.15)).toBe('done');
    expect(b.order('set_point', 298.15)).toBe('done');
    expect(a.acquired.latest('set_point')).toMatchObject({ value: expect.closeTo(288.15, 6) });
    expect(b.acquired.latest('set_point')).toMatchObject({ value: expect.closeTo(298.15, 6) });
  });
});

describe('readings', () => {
  test('of 0.1 and of 0.01 °C', () => {
    const { state, now, clock, unit } = bath();
    expect(now('temperature')).toMatchObject({ kind: 'K', value: expect.closeTo(295.15, 0) });
    expect(unit.order('fine', true)).toBe('done');
    state.bath = -4.37;
    state.setPoint = -4.37;
    clock.advance(1);
    expect(now('set_point')).toMatchObject({ value: expect.closeTo(268.78, 6) });
    expect(now('temperature')).toMatchObject({ value: expect.closeTo(268.78, 1) });
  });

  test('faults in words', () => {
    const { unit, state, now, clock } = bath();
    expect(now('troubles')).toMatchObject({ value: 'none' });
    expect(unit.order('running', true)).toBe('done');
    expect(now('pump')).toMatchObject({ value: true });
    state.lowLevel = true;
    clock.advance(2);
    expect(now('running')).toMatchObject({ value: false });
    expect(now('fault')).toMatchObject({ value: true });
    expect(now('troubles')).toMatchObject({ value: 'low level fault, low level warning' });
  });

  test('only the RTE series tells of its compressor', () => {
    expect(Object.keys(bath().unit.acquired.channels)).not.toContain('compressor');
    const { unit, now } = bath({ series: 'rte' }, { series: 'rte' });
    expect(unit.order('running', true)).toBe('done');
    expect(now('compressor')).toMatchObject({ value: true });
  });

  test('an unknown unit is bad, not °C', () => {
    const poll = neslabEx.body({ address: 1, bus: 'rs232', series: 'ex' }, { version: '', knows: [] }).polls?.[0];
    expect(poll?.read({ address: 1, command: 0x20, data: [0x12, 0, 100] }, { asked: 0, t: 0 })).toEqual({
      temperature: { quality: 'bad', why: 'the bath gives it in the unit 2, not in °C (1)' },
    });
  });
});

describe('orders', () => {
  test('send the decimals that the bath has', () => {
    const { unit, state, sent } = bath();
    expect(unit.order('set_point', 262.65)).toBe('done');
    expect(state.setPoint).toBe(-10.5);
    state.fine = true;
    expect(unit.order('set_point', 298.15)).toBe('done');
    expect(state.setPoint).toBe(25);
    expect(unit.order('running', true)).toBe('done');
    expect(bytes(sent())).toEqual([
      'CA 00 01 70 00 8E',
      'CA 00 01 F0 02 FF 97 76',
      'CA 00 01 70 00 8E',
      'CA 00 01 F0 02 09 C4 3F',
      'CA 00 01 81 08 01 02 02 02 02 02 02 02 66',
    ]);
  });

  test('fail where the bath does not take the value', () => {
    const { unit, state } = bath();
    expect(unit.order('set_point', 233.15)).toBe('the bath stays at 20');
    expect(state.setPoint).toBe(20);
  });

  test('cool and heat', () => {
    const { unit, now, clock } = bath();
    unit.order('set_point', 283.15);
    unit.order('running', true);
    clock.advance(900);
    expect(now('temperature')).toMatchObject({ value: expect.closeTo(283.15, 0) });
    unit.order('set_point', 303.15);
    expect(now('heating')).toMatchObject({ value: true });
    clock.advance(900);
    expect(now('temperature')).toMatchObject({ value: expect.closeTo(303.15, 0) });
  });

  test('limits and control parameters', () => {
    const { unit, state } = bath();
    expect(unit.order('high_limit', 323.15)).toBe('done');
    expect(unit.order('low_limit', 278.15)).toBe('done');
    expect(unit.order('heat_integral', 0.75)).toBe('done');
    expect(state).toMatchObject({ high: 50, low: 5 });
    expect(state.pid[1]).toBe(0.75);
    expect(Object.values(unit.acquired.commands).filter((c) => c.safe !== undefined)).toEqual([]);
  });
});

test.each([
  ['CA 00 01 20 00 DE', /^CA 00 01 20 03 11 00 D[A-F] [0-9A-F]{2}$/],
  ['CA 00 01 70 00 8E', /^CA 00 01 70 03 11 00 C8 B2$/],
  ['CA 00 01 00 00 FE', /^CA 00 01 00 02 00 01 FB$/],
  ['CA 00 01 74 00 8A', /^CA 00 01 0F 02 01 74 78$/],
  ['CA 00 01 81 08 02 02 02 02 02 02 02 02 65', /^CA 00 01 81 08 00 00 01 00 00 00 00 01 73$/],
  ['CA 00 02 20 00 DD', /^$/],
])('the simulator answers %s', (question, answer) => {
  const { all } = place(neslabEx, simulated, [{ name: 'x' }]);
  expect(bytes([String.fromCharCode(...(all.device('y', simulated, {}).ask('main', hex(question)) ?? []))])[0]).toMatch(answer);
});
