import { describe, expect, test } from 'vitest';
import genesys from '../../drivers/tdk-genesys.ts';
import { genesysSum } from '../../protocols/genesys.ts';
import simulated from '../../simulators/tdk-genesys.ts';
import { dac } from '../../simulators/worlds/dac.ts';
import { Refused } from '../../src/instrument.ts';
import { place } from './place.ts';

const supply = (simulate = {}, options = {}) => {
  const bench = place(genesys, simulated, [{ name: 'heater', simulate, options }]);
  const [unit] = bench.units;
  // The state of the simulator above.
  const state = unit.state as ReturnType<typeof simulated.state>;
  bench.clock.advance(8);
  return { ...bench, unit, state, now: unit.acquired.latest, world: bench.all.of(dac) };
};
const OPTIONS = { address: 6, shared: false, checksum: false };

describe('identify', () => {
  test('reads volts and amperes from the name, which limit the orders', () => {
    for (const [model, volts, amps] of [
      ['GEN60-12.5', 60, 12.5],
      ['GENH8-90', 8, 90],
      ['GEN12.5-60', 12.5, 60],
    ] as const) {
      const { unit } = supply({ model });
      expect(unit.acquired.state).toEqual({ is: 'running' });
      expect(unit.acquired.id).toMatchObject({ model, rated: [volts, amps], firmware: '1U750-4.3', serial: '123A406-0001' });
      expect(unit.acquired.commands.voltage.limits).toEqual([0, volts]);
      expect(unit.acquired.commands.current.limits).toEqual([0, amps]);
    }
  });

  const identified = (said: Readonly<Record<string, string>>) => {
    const main = {
      // biome-ignore lint/correctness/useYield: answers at once
      *ask(q: string) {
        return said[q] ?? 'C01';
      },
    };
    return genesys.identify({ main }, OPTIONS).next().value;
  };

  test('takes what is missing for missing', () => {
    expect(identified({ 'IDN?': 'TDK-LAMBDA,GEN40-38', 'RMT?': 'LOC' })).toEqual({
      model: 'GEN40-38',
      rated: [40, 38],
      serial: 'unknown',
      firmware: 'unknown',
      knows: ['RMT?'],
    });
  });

  test('refuses others', () => {
    for (const name of ['KEITHLEY,2182A,1,2', 'LAMBDA,ZUP6-33', 'LAMBDA,GEN', 'LAMBDA,GEN60', 'OK', 'C01'])
      expect(identified({ 'IDN?': name })).toBeInstanceOf(Refused);
  });

  test('a supply that knows only the core is read by single questions', () => {
    const id = { model: 'GEN40-38', rated: [40, 38], serial: '', firmware: '', knows: [] } as const;
    const { polls = [], commands = {} } = genesys.body(OPTIONS, id);
    expect(polls.flatMap((p) => Object.keys(p.gives))).toEqual(['voltage', 'current', 'set_voltage', 'set_current', 'output']);
    expect(Object.keys(commands)).toEqual(['output', 'voltage', 'current', 'clear']);
    for (const p of polls) expect(p.read(p.example[0], { asked: 0, t: 0 })).toEqual(p.example[1]);
    expect(polls[0].read('C01', { asked: 0, t: 0 })).toEqual({
      voltage: { quality: 'bad', why: 'the supply answers C01 (illegal command)' },
    });
  });
});

describe('connecting', () => {
  test('selects, and writes nothing else', () => {
    const { exchanged, state } = supply();
    const sent = new Set(exchanged.map((e) => String.fromCharCode(...e.sent)));
    expect([...sent].filter((line) => !line.endsWith('?\r'))).toEqual(['ADR 6\r']);
    expect(state).toMatchObject({ out: false, remote: 'REM', pv: '0', pc: '0' });
  });

  test('nobody at another address answers', () => {
    const { unit } = supply({ address: 7 });
    expect(unit.acquired.state).toMatchObject({ is: 'silent' });
  });

  test('a supply that was switched off and on is selected again', () => {
    const { state, now, clock } = supply();
    expect(now('voltage')).toMatchObject({ quality: 'good' });
    state.last.selected = false;
    clock.advance(10);
    expect(now('voltage')).toMatchObject({ quality: 'good' });
  });
});

describe('orders', () => {
  test('heat, in constant voltage and in constant current', () => {
    const { unit, now, world, clock, sent } = supply();
    expect(unit.order('current', 10)).toBe('done');
    expect(unit.order('voltage', 30)).toBe('done');
    expect(now('set_voltage')).toMatchObject({ quality: 'good', kind: 'V', value: 30 });
    expect(now('voltage')).toMatchObject({ value: 0 });
    expect(now('mode')).toMatchObject({ value: 'OFF' });
    expect(unit.order('output', true)).toBe('done');
    expect(now('output')).toMatchObject({ value: true });
    expect(now('voltage')).toMatchObject({ value: expect.closeTo(30, 1) });
    expect(now('current')).toMatchObject({ kind: 'A', value: expect.closeTo(6.25, 1) });
    expect(now('mode')).toMatchObject({ value: 'CV' });
    expect(world.heater('heater').output).toBeCloseTo(0.25, 9);
    expect(unit.order('current', 5)).toBe('done');
    expect(now('mode')).toMatchObject({ value: 'CC' });
    expect(now('constant_current')).toMatchObject({ value: true });
    expect(now('voltage')).toMatchObject({ value: expect.closeTo(24, 1) });
    clock.advance(60);
    expect(world.heater('heater').temperature).toBeGreaterThan(380);
    expect(sent().filter((line) => !line.startsWith('ADR'))).toEqual(['PC 10.000\r', 'PV 30.000\r', 'OUT ON\r', 'PC 5.000\r']);
  });

  test.each([
    ['voltage', 60, 'E01 (voltage above', { ovp: 50 }],
    ['voltage', 5, 'E02 (voltage below', { uvl: '20', pv: '30' }],
    ['over_voltage', 20, 'E04 (over-voltage setting below', { pv: '30' }],
    ['under_voltage', 40, 'E06 (under-voltage limit above', { pv: '30' }],
    ['over_voltage', 75, 'C05 (setting out of range', {}],
  ] as const)('%s %d: the supply says %s', (command, value, why, state) => {
    const { unit, state: device } = supply();
    Object.assign(device, state);
    expect(unit.order(command, value)).toContain(why);
  });

  test('no output during a fault', () => {
    const { unit, state, now, clock } = supply();
    state.faults.add(7);
    clock.advance(1);
    expect(unit.order('output', true)).toContain('E07 (output on during a fault shut-down)');
    expect(now('faults')).toMatchObject({ value: 'enable open' });
    expect(now('fault')).toMatchObject({ value: true });
    state.faults.delete(7);
    expect(unit.order('output', true)).toBe('done');
    expect(now('output')).toMatchObject({ value: true });
  });

  test('foldback shuts off at the current limit, after its delay', () => {
    const { unit, now, world } = supply();
    unit.order('current', 1);
    unit.order('voltage', 50);
    expect(unit.order('foldback_delay', 2, { within: 21 })).toBe('done');
    expect(now('foldback_delay')).toMatchObject({ kind: 's', value: 2 });
    expect(unit.order('foldback', true)).toBe('done');
    unit.order('output', true, { within: 1.5 });
    expect(now('output')).toMatchObject({ value: true });
    unit.order('clear', undefined, { within: 3 });
    expect(now('output')).toMatchObject({ value: false });
    expect(now('faults')).toMatchObject({ value: 'foldback' });
    expect(world.heater('heater').output).toBe(0);
  });

  test('in local mode the panel sets; the mode is an order', () => {
    const { unit, state, now, clock } = supply();
    expect(unit.order('remote', 'LOC')).toBe('done');
    expect(now('local')).toMatchObject({ value: true });
    state.pv = '12.5';
    clock.advance(3);
    expect(now('remote')).toMatchObject({ value: 'LOC' });
    expect(now('set_voltage')).toMatchObject({ value: 12.5 });
    expect(unit.order('remote', 'LLO')).toBe('done');
    expect(now('remote')).toMatchObject({ value: 'LLO' });
  });

  test('safe values are the outputs off and zero, also against an under-voltage limit and without a selection', () => {
    const { unit, state, now, sent } = supply();
    const { commands } = unit.acquired;
    expect(Object.fromEntries(Object.entries(commands).flatMap(([n, c]) => (c.safe === undefined ? [] : [[n, c.safe]])))).toEqual({
      output: false,
      voltage: 0,
      current: 0,
    });
    Object.assign(state, { pv: '30', pc: '5', out: true, uvl: '20' });
    state.last.selected = false;
    sent();
    expect(unit.order('output', false, { safe: true })).toBe('done');
    expect(state.out).toBe(false);
    expect(sent()).toEqual(['OUT OFF\r', 'ADR 6\r', 'OUT OFF\r']);
    expect(unit.order('voltage', 0, { safe: true })).toBe('done');
    sent();
    expect(unit.order('current', 0, { safe: true })).toBe('done');
    expect(sent()).toEqual(['PC 0.000\r']);
    expect(state).toMatchObject({ pv: '0.000', pc: '0.000', uvl: '0' });
    expect(now('set_voltage')).toMatchObject({ value: 0 });
  });
});

test('two supplies on one line are never taken for each other', () => {
  const options = (address: number) => ({ address, shared: true });
  const bench = place(genesys, simulated, [
    { name: 'a', options: options(6), simulate: { model: 'GEN60-12.5' } },
    { name: 'b', options: options(7), simulate: { model: 'GEN40-38' } },
  ]);
  const [a, b] = bench.units;
  bench.clock.advance(5);
  expect(a.acquired.id).toMatchObject({ model: 'GEN60-12.5' });
  expect(b.acquired.id).toMatchObject({ model: 'GEN40-38' });
  expect(a.order('voltage', 11)).toBe('done');
  expect(b.order('voltage', 22)).toBe('done');
  bench.clock.advance(30);
  const seen = (unit: typeof a) =>
    new Set(unit.readings.flatMap((r) => (r.from.endsWith('.set_voltage') && r.quality !== 'bad' ? [r.value] : [])));
  expect(seen(a)).toEqual(new Set([0, 11]));
  expect(seen(b)).toEqual(new Set([0, 22]));
  expect(bench.exchange.stats.timeouts).toBe(0);
});

test('with checksums', () => {
  const { unit, now, sent } = supply({}, { checksum: true });
  expect(now('voltage')).toMatchObject({ quality: 'good' });
  expect(unit.order('voltage', 12)).toBe('done');
  expect(now('set_voltage')).toMatchObject({ value: 12 });
  expect(sent().at(-1)).toBe(`PV 12.000$${genesysSum('PV 12.000')}\r`);
});

describe('the simulator, to others', () => {
  const talk = (simulate = {}) => {
    const { all, clock } = place(genesys, simulated, [{ name: 'x' }]);
    const device = all.device('y', simulated, simulate);
    const ask = (line: string): string =>
      new TextDecoder().decode(device.ask('main', new TextEncoder().encode(`${line}\r`))).replaceAll('\r', '|');
    return { ask, clock, all };
  };

  test('hears nothing before its address, and stops at another one', () => {
    const { ask } = talk({ address: 3 });
    expect(ask('IDN?')).toBe('');
    expect(ask('ADR 6')).toBe('');
    expect(ask('ADR 03')).toBe('OK|');
    expect(ask('IDN?')).toBe('LAMBDA,GEN60-12.5|');
    expect(ask('ADR 4')).toBe('');
    expect(ask('MV?')).toBe('');
  });

  test('speaks as the manual prints it', () => {
    const { ask, clock, all } = talk();
    ask('adr 6');
    expect(ask('')).toBe('OK|');
    expect(ask('pv 012.00')).toBe('OK|');
    expect(ask('PV?')).toBe('012.00|');
    expect(ask('\\')).toBe('012.00|');
    expect(ask('PC 10')).toBe('OK|');
    expect(ask('out 1')).toBe('OK|');
    expect(ask('OUT?')).toBe('ON|');
    expect(ask('MODE?')).toBe('CV|');
    clock.advance(1);
    all.settle();
    expect(ask('MV?')).toMatch(/^1[12]\.[09]\d\d\|$/);
    expect(ask('MC?')).toMatch(/^02\.[45]\d\d\|$/);
    expect(ask('DVC?')).toMatch(/^1\d\.\d{3}, 12\.000, 02\.\d{3}, 10\.000, 66\.000, 0\.000\|$/);
    expect(ask('STT?')).toMatch(/^MV\(1\d\.\d{3}\),PV\(012\.00\),MC\(02\.\d{3}\),PC\(10\),SR\(05\),FR\(00\)\|$/);
    expect(ask('STT?$3A')).toMatch(/\$[0-9A-F]{2}\|$/);
    expect(ask('STT?$3B')).toBe('C04$A7|');
    expect(ask('PX\bV?')).toBe('012.00|');
    expect(ask('SAV')).toBe('OK|');
    expect(ask('RST')).toBe('OK|');
    expect(ask('OUT?')).toBe('OFF|');
    expect(ask('RCL')).toBe('OK|');
    expect(ask('PV?')).toBe('012.00|');
    expect(ask('OVM')).toBe('OK|');
    expect(ask('OVP?')).toBe('66|');
    expect(ask('FENA FF')).toBe('OK|');
    expect(ask('FENA?')).toBe('FF|');
    expect(ask('REV?')).toBe('1U750-4.3|');
    expect(ask('DATE?')).toBe('2019/05/21|');
  });

  test.each([
    ['NO?', 'C01'],
    ['PV', 'C02'],
    ['PV x', 'C03'],
    ['PV 1 2', 'C03'],
    ['RMT 3', 'C03'],
    ['PV 64', 'E01'],
    ['PC 14', 'C05'],
    ['OVP 1', 'E04'],
    ['OVP 70', 'C05'],
    ['UVL 5', 'E06'],
    ['FILTER 19', 'C05'],
    ['constructor', 'C01'],
  ])('%s: %s', (line, code) => {
    const { ask } = talk();
    ask('ADR 6');
    expect(ask(line)).toBe(`${code}|`);
  });
});
