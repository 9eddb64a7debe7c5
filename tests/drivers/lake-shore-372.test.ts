import { describe, expect, test } from 'vitest';
import bridge from '../../drivers/lake-shore-372.ts';
import simulated from '../../simulators/lake-shore-372.ts';
import { dac } from '../../simulators/worlds/dac.ts';
import { Refused } from '../../src/instrument.ts';
import { asking } from './bench-ask.ts';
import { place } from './place.ts';
import { runAsks } from './run-asks.ts';

const laboratory = (simulate = {}, options = {}) => {
  const bench = place(bridge, simulated, [{ name: 'bridge', simulate, options }]);
  const [unit] = bench.units;
  bench.clock.advance(8);
  const now = (channel: string, index = 0) => unit.readings.findLast((r) => r.from === `bridge.${channel}` && (r.index ?? 0) === index);
  return { ...bench, unit, now, ask: asking(bench), world: bench.all.of(dac) };
};

test('identify takes the 372 alone', () => {
  const identified = (idn: string) =>
    runAsks((main) => bridge.identify({ main }, { terminator: '\n', inputs: 1 }), {
      '*IDN?': idn,
      'INSET? 1;INSET? A': '1,10,3,0,1;1,10,3,21,1',
    });
  expect(identified('LSCI,MODEL372,LSA12AB/#######,1.3')).toMatchObject({ model: '372', curves: [false], control: true });
  for (const idn of ['LSCI,MODEL370,1,1', 'LSCI,MODEL336,1,1', 'nothing']) expect(identified(idn)).toBeInstanceOf(Refused);
});

describe('the sample by four wires', () => {
  test('its resistance, and the current that heats it', () => {
    const { now, world } = laboratory();
    const r = now('resistance');
    expect(r).toMatchObject({ quality: 'good', kind: 'Ω' });
    const truth = world.sampleResistance;
    expect(r?.quality !== 'bad' && Math.abs(Number(r?.value) / truth - 1)).toBeLessThan(1e-3);
    expect(world.probe.driven.get('bridge')).toMatchObject({ ac: { frequency: 13.7 } });
    expect(now('excitation')).toMatchObject({ value: expect.closeTo(3.162e-3, 6) });
    expect(now('excitation_power')).toMatchObject({ value: expect.closeTo(1e-5 * truth, 9) });
  });
  test('goes with the temperature of the sample', () => {
    const { now, world, clock } = laboratory();
    const cold = Number(now('resistance')?.quality === 'bad' ? 0 : world.sampleResistance);
    world.heater('cell').output = 0.5;
    clock.advance(200);
    const hot = now('resistance');
    expect(hot?.quality !== 'bad' && Number(hot?.value)).toBeGreaterThan(1.3 * cold);
  });
  test.each([
    ['current', 'current source overload'],
    ['voltage', 'differential overload'],
  ] as const)('an open %s contact: %s', (open, why) => {
    const { now, world, clock } = laboratory();
    world.probe.faults.open = open;
    clock.advance(3);
    expect(now('resistance')).toMatchObject({ quality: 'bad', why });
  });
  test('over its range, and in the next range', () => {
    const { now, unit, clock } = laboratory();
    expect(unit.order('resistance_range', 0.0063)).toBe('done');
    clock.advance(3);
    expect(now('resistance')).toMatchObject({ quality: 'bad', why: 'resistance over range' });
    expect(unit.order('resistance_range', 0.2)).toBe('done');
    clock.advance(3);
    expect(now('resistance')).toMatchObject({ quality: 'good' });
    expect(now('resistance_range')).toMatchObject({ value: expect.closeTo(0.2, 6) });
  });
  test('without excitation nothing drives the sample', () => {
    const { unit, world } = laboratory();
    expect(unit.order('excitation_on', false)).toBe('done');
    expect(world.probe.driven.get('bridge')).toBeUndefined();
  });
});

describe('the scanner', () => {
  test('what it does not measure now is from before', () => {
    const { unit, now, clock } = laboratory({}, { inputs: 2 });
    expect(now('resistance', 0)).toMatchObject({ quality: 'good' });
    expect(unit.order('input', 2)).toBe('done');
    clock.advance(3);
    expect(now('input')).toMatchObject({ value: 2 });
    expect(now('resistance', 0)).toMatchObject({ quality: 'suspect', why: 'from before: the scanner is on input 2' });
    expect(now('temperature', 1)).toMatchObject({ quality: 'good', value: expect.closeTo(295.15, 0) });
    expect(now('temperature', 0)).toMatchObject({ quality: 'bad', why: 'input 1 has no curve' });
    expect(unit.order('input', 3)).toBe('input 3 is switched off');
  });
  test('goes on by itself through the inputs that are on', () => {
    const { unit, now, clock, ask } = laboratory({}, { inputs: 3 });
    expect(unit.order('autoscan', true)).toBe('done');
    const seen = new Set<unknown>();
    for (let i = 0; i < 6; i++) {
      clock.advance(8);
      seen.add(now('input')?.quality === 'good' && ask('SCAN?').split(',')[0]);
    }
    expect([...seen].sort()).toEqual(['1', '2']);
    expect(now('resistance', 2)).toMatchObject({ quality: 'bad', why: 'input 3 is switched off' });
  });
  test('sixteen inputs fit into its lines', () => {
    const { unit, exchanged } = laboratory({}, { inputs: 16 });
    expect(unit.acquired.state).toEqual({ is: 'running' });
    expect(Math.max(...exchanged.map((e) => e.sent.length))).toBeLessThan(256);
    expect(exchanged.every((e) => e.fault === undefined)).toBe(true);
  });
});

test('the sample heater holds a temperature, and off is off', () => {
  const { unit, now, clock, world, sent } = laboratory({ heater: 'stage' });
  expect(unit.order('control_input', 'A')).toBe('done');
  expect(unit.order('mode', 'closed loop')).toBe('done');
  expect(unit.order('proportional', 2)).toBe('done');
  expect(unit.order('set_point', 310)).toBe('done');
  expect(unit.order('heater_range', 8)).toBe('done');
  clock.advance(600);
  expect(now('control_temperature')).toMatchObject({ value: expect.closeTo(310, 0) });
  sent();
  expect(unit.order('heater_range', 0, { safe: true })).toBe('done');
  expect(sent()).toEqual(['RANGE 0,0\n']);
  expect(world.heater('stage').output).toBe(0);
});

describe('the simulator', () => {
  test.each([
    ['INTYPE 3,0,7,1,8,0,2', 'INTYPE? 3', '0,7,1,8,0,2'],
    ['INTYPE A,1,3,0,0,1,1', 'INTYPE? A', '1,3,0,0,1,1'],
    ['INSET 4,1,20,5,21,2', 'INSET? 4', '1,20,5,21,2'],
    ['INSET 5,0,0,0,0,0', 'INSET? 5', '0,0,0,0,0'],
    ['OUTMODE 0,5,A,1,0,1,12', 'OUTMODE? 0', '5,A,1,0,1,12'],
    ['FREQ 0,4', 'FREQ? 0', '4'],
    ['FILTER 0,1,20,5', 'FILTER? 16', '1,20,5'],
    ['ALARM 3,1,0,100,5,1,1,0,1', 'ALARM? 3', '1,0,100,5,1,1,0,1'],
    ['IEEE 0,0,14', 'IEEE?', '14'],
    ['ANALOG 2,0,1,3,1,10,0,0', 'ANALOG? 2', '0,1,3,1,+10.0000,+0.00000,+0.00000'],
    ['ZONE 0,3,1.5,10,20,0,0,7,0.5,0,1', 'ZONE? 0,3', '+1.50000,+10.0000,+20.0000,+0.00000,+0.00000,7,+0.500000,0,1'],
    ['HTRSET 1,2,0,0.5,1', 'HTRSET? 1', '2,0,+0.500000,1'],
  ])('%s is read back', (set, question, answer) => {
    const { ask } = laboratory();
    expect(ask(`${set};*ESR?`)).toBe('0');
    expect(ask(question)).toBe(answer);
  });
  test('refuses what is out of range', () => {
    const { ask } = laboratory();
    for (const wrong of ['RANGE 1,2', 'INTYPE 3,0,13,0,5,0,1', 'INTYPE A,1,7,0,0,0,1', 'FREQ 1,1', 'SCAN 17,0'])
      expect(ask(`${wrong};*ESR?`)).toBe('16');
    expect(ask('NONSENSE;*ESR?')).toBe('32');
  });
});
