import { describe, expect, test } from 'vitest';
import controller from '../../drivers/lake-shore-336.ts';
import { latin1 } from '../../protocols/protocol.ts';
import simulated from '../../simulators/lake-shore-336.ts';
import { dac } from '../../simulators/worlds/dac.ts';
import { signed } from '../../simulators/worlds/lake-shore.ts';
import { Refused } from '../../src/instrument.ts';
import { asking } from './bench-ask.ts';
import { place } from './place.ts';
import { runAsks } from './run-asks.ts';

const laboratory = (simulate = {}, options = {}) => {
  const bench = place(controller, simulated, [{ name: 'cryo', simulate, options }]);
  const [unit] = bench.units;
  // The state of the simulator above.
  const state = unit.state as ReturnType<typeof simulated.state>;
  bench.clock.advance(3);
  const now = (channel: string, index = 0) => unit.readings.findLast((r) => r.from === `cryo.${channel}` && (r.index ?? 0) === index);
  return { ...bench, unit, state, now, ask: asking(bench), world: bench.all.of(dac) };
};
const OPTIONS = { terminator: '\n', inputs: ['A', 'B', 'C', 'D'] };
const body = (model: '336' | '350' = '336') => controller.body(OPTIONS, { model, serial: '', firmware: '' });

test.each([350, '350'])('simulate: { simulated: %j } is a 350', (model) => {
  expect(simulated.options.parse({ simulated: model })).toMatchObject({ simulated: '350' });
  expect(simulated.options.parse({ simulated: 372 })).toBeInstanceOf(Refused);
});

describe('identify', () => {
  const identified = (idn: string) => runAsks((main) => controller.identify({ main }, OPTIONS), { '*IDN?': idn });
  test('takes the 336 and the 350 and refuses others', () => {
    expect(identified('LSCI,MODEL336,LSA12AB/#######,2.9')).toMatchObject({ model: '336', serial: 'LSA12AB/#######' });
    expect(identified('LSCI,MODEL350,350A1/1234,1.4')).toMatchObject({ model: '350' });
    for (const idn of ['LSCI,MODEL372,1,1', 'LSCI,MODEL335,1,1', 'KEITHLEY,MODEL336,1,1', 'nothing'])
      expect(identified(idn)).toBeInstanceOf(Refused);
  });
  test('the simulator is a 350 with five ranges where the rig says so', () => {
    const { unit } = laboratory({ simulated: '350' });
    expect(unit.acquired.id).toMatchObject({ model: '350' });
    expect(unit.acquired.commands.heater_range.limits).toEqual([0, 5]);
    expect(unit.order('heater_range', 5)).toBe('done');
  });
  test('inputs of the rig', () => {
    expect(controller.options.parse({ inputs: ['B', 'A'] })).toMatchObject({ inputs: ['A', 'B'] });
    for (const wrong of [{ inputs: ['E'] }, { inputs: [] }, { inputs: 'A' }, { inputs: ['A', 'A'] }])
      expect(controller.options.parse(wrong)).toBeInstanceOf(Refused);
  });
});

describe('readings', () => {
  test('have the temperatures of what the sensors sit on', () => {
    const { now, world } = laboratory();
    expect(now('temperature', 1)).toMatchObject({ kind: 'K', value: expect.closeTo(world.cellTemperature, 1) });
    expect(now('temperature', 2)).toMatchObject({ value: expect.closeTo(world.roomTemperature, 1) });
    // IEC 60751: 108.57 ohm at 22 °C
    expect(now('sensor', 2)).toMatchObject({ value: expect.closeTo(108.57, 1) });
  });

  const read = (reply: string) => body().polls?.[0].read(reply, { asked: 0, t: 0 });
  test.each([
    [1, 'invalid reading'],
    [16, 'temperature under range'],
    [32, 'temperature over range'],
    [64, 'sensor units zero'],
    [128, 'sensor units over range'],
    [144, 'temperature under range, sensor units over range'],
    [2, 'reading status 2'],
  ])('status %i is no reading: %s', (status, why) => {
    const got = read(`${status};0;0;0;+295.150;+295.150;+1;+1;+1;+1;+1;+1`);
    expect(got).toMatchObject({ temperature: [{ quality: 'bad', why }, 295.15, 1, 1], sensor: [{ quality: 'bad', why }, 1, 1, 1] });
  });
  test('a status or number in another form is bad, with what came', () => {
    expect(read('x;0;0;0; +295.15 ;OVL;+9.9E37;+1;+1;+1;+1;+1')).toMatchObject({
      temperature: [
        { quality: 'bad', why: '"x" is no reading status' },
        { quality: 'bad', why: 'the controller answers "OVL", which is no number' },
        { quality: 'bad' },
        1,
      ],
    });
    expect(() => read('0;0;0')).toThrow('3 answers to 12 questions');
  });
  test('blanks after commas are another format, and no number', () => {
    const poll = body().polls?.[3];
    const [reply] = poll?.example ?? [''];
    const got = poll?.read(String(reply).replace('+50.0,+20.0,+0.0', '+50.0, +20.0, +0.0'), { asked: 0, t: 0 });
    const blank = { quality: 'bad', why: '"+50.0, +20.0, +0.0" has blanks, which is not this instrument\'s number format' };
    expect(got).toMatchObject({ proportional: [blank, 50, 50, 50], integral: [blank, 20, 20, 20], derivative: [blank, 0, 0, 25] });
  });
  test('a sensor that has come off turns its input bad, and no other', () => {
    const { state, now, clock } = laboratory();
    state.open.push('B');
    clock.advance(3);
    expect(now('temperature', 1)).toMatchObject({ quality: 'bad', why: 'sensor units over range' });
    expect(now('temperature', 0)).toMatchObject({ quality: 'good' });
  });
});

describe('orders', () => {
  test('the heater holds the set point, and off is off', () => {
    const { unit, now, clock, world, sent } = laboratory({ heater: 'stage' });
    expect(unit.order('proportional', 2)).toBe('done');
    expect(unit.order('set_point', 320)).toBe('done');
    expect(now('set_point')).toMatchObject({ value: 320 });
    clock.advance(20);
    expect(world.heater('stage').temperature).toBeLessThan(296);
    expect(unit.order('heater_range', 3)).toBe('done');
    clock.advance(600);
    expect(now('temperature')).toMatchObject({ value: expect.closeTo(320, 0) });
    expect(now('heater_output')).toMatchObject({ value: expect.closeTo(24.85 / 700, 2) });
    sent();
    expect(unit.order('heater_range', 0, { safe: true })).toBe('done');
    expect(sent()).toEqual(['RANGE 1,0\n']);
    expect(now('heater_range')).toMatchObject({ value: 0 });
    clock.advance(300);
    expect(world.heater('stage').temperature).toBeLessThan(300);
  });
  test('the units of the input decide what is sent and what is read', () => {
    const { unit, now, ask, clock } = laboratory();
    ask('INTYPE A,2,1,0,0,2;*OPC?');
    expect(unit.order('set_point', 300)).toBe('done');
    expect(ask('SETP? 1')).toBe('+26.8500');
    expect(now('set_point')).toMatchObject({ value: expect.closeTo(300, 6) });
    ask('INTYPE A,2,1,0,0,3;*OPC?');
    expect(unit.order('set_point', 300)).toBe('input A is set to sensor units: a set point in kelvin has no meaning for it');
    clock.advance(2);
    expect(now('set_point')).toMatchObject({ quality: 'bad', why: 'input A is set to sensor units' });
  });
  test("the controller's own ramp", () => {
    const { unit, now, clock, ask } = laboratory();
    expect(unit.order('set_point', 300)).toBe('done');
    expect(unit.order('ramp_to', 310)).toContain('the ramp of output 1 is off');
    expect(unit.order('ramp_rate', 0.1)).toBe('done');
    expect(unit.order('ramp', true)).toBe('done');
    expect(unit.order('set_point', 310)).toContain('order "ramp_to"');
    expect(unit.order('ramp_to', 310)).toBe('done');
    clock.advance(45);
    expect(now('ramping')).toMatchObject({ value: true });
    expect(Number(ask('SETP? 1'))).toBeGreaterThan(303);
    clock.advance(60);
    expect(now('ramping')).toMatchObject({ value: false });
    expect(ask('SETP? 1;RAMP? 1')).toBe('+310.000;1,+6.00000');
  });
  test('what the controller does not carry out has failed', () => {
    const { unit } = laboratory();
    expect(unit.order('mode', 'warm-up')).toBe('done');
    const [talk] = [unit.acquired.commands.heater_range];
    expect(talk.safe).toBe(0);
    expect(unit.order('heater_range', 2.5)).toContain('whole numbers');
    expect(unit.order('integral', 5000)).toContain('execution error');
  });
});

describe('the simulator', () => {
  test('sets the event register for what it does not know or take, and answers nothing', () => {
    const { ask } = laboratory();
    expect(ask('*ESR?')).toBe('0');
    expect(ask('WHAT 1;*ESR?')).toBe('32');
    expect(ask('WHAT?;*ESR?')).toBe('32');
    expect(ask('RANGE 1,4;*ESR?;RANGE? 1')).toBe('16;0');
    expect(ask('KRDG? E;*ESR?;*ESR?')).toBe('16;0');
  });
  test.each([
    ['RANGE 2,1', 'RANGE? 2', '1'],
    ['PID 1, 10,5.5, 0', 'PID? 1', '+10.0000,+5.50000,+0.00000'],
    ['INNAME A,"4K; plate, A"', 'INNAME? A', '4K; plate, A'],
    ['ALARM A,1,300,4,1,0,1,1', 'ALARM? A', '1,+300.000,+4.00000,+1.00000,0,1,1'],
    ['ALARM A,0,,,,,,', 'ALARM? A', '0,+1000.00,+0.00000,+0.00000,0,0,1'],
    ['CRVHDR 21,"C1","SN 1",4,325.0,1', 'CRVHDR? 21', 'C1,SN 1,4,+325.000,1'],
    ['CRVPT 21,3,1.5,77.3', 'CRVPT? 21,3', '+1.50000,+77.3000'],
    ['HTRSET 1,1,0,1.5,2', 'HTRSET? 1', '1,0,+1.50000,2'],
    ['ZONE 1,2,25,50,20,0,0,2,1,5', 'ZONE? 1,2', '+25.0000,+50.0000,+20.0000,+0.00000,+0.00000,2,1,+5.00000'],
    [':TLIMIT B,400', ':TLIMIT? B', '+400.000'],
    ['RELAY 1,1,,', 'RELAY? 1;:RELAYST? 1', '1,A,0;1'],
  ])('%s is read back', (set, question, answer) => {
    const { ask } = laboratory();
    expect(ask(`${set};*ESR?`)).toBe('0');
    expect(ask(question)).toBe(answer);
  });
  test('a set point is there with the next question, and HTR? of every output is answered', () => {
    const { ask } = laboratory();
    expect(ask('SETP 1,250;SETP? 1')).toBe('+250.000');
    expect(ask('KRDG?A').length).toBeGreaterThan(5);
    expect(ask('HTR? 3;HTR? 4;*ESR?')).toBe('+0.00000;+0.00000;0');
  });
  test('a temperature limit turns all heaters off', () => {
    const { ask, world, clock } = laboratory({ heater: 'stage' });
    ask('OUTMODE 1,3,1,0;MOUT 1,50;TLIMIT A,350;RANGE 1,3;*OPC?');
    clock.advance(120);
    expect(ask('RANGE? 1')).toBe('0');
    expect(world.heater('stage').output).toBe(0);
  });
  test('numbers have a sign and six digits', () => {
    expect([0, 1, -77.35, 295.15, 1234567, 1.2e-7].map(signed)).toEqual([
      '+0.00000',
      '+1.00000',
      '-77.3500',
      '+295.150',
      '+1.23457E+06',
      '+1.20000E-07',
    ]);
  });
  test('lines end as the instrument ends them', () => {
    const { exchanged } = laboratory({ terminator: 'CR' }, { terminator: 'CR' });
    expect(latin1(exchanged[0].sent)).toBe('*IDN?\r');
    expect(exchanged[0].fault).toBeUndefined();
  });
});
