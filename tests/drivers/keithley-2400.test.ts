import { describe, expect, test } from 'vitest';
import meter from '../../drivers/keithley-2400.ts';
import simulated from '../../simulators/keithley-2400.ts';
import { dac } from '../../simulators/worlds/dac.ts';
import { Refused } from '../../src/instrument.ts';
import { asking } from './bench-ask.ts';
import { place } from './place.ts';
import { runAsks } from './run-asks.ts';

const laboratory = () => {
  const bench = place(meter, simulated, [{ name: 'smu' }]);
  const [unit] = bench.units;
  bench.clock.advance(3);
  const now = (channel: string) => unit.readings.findLast((r) => r.from === `smu.${channel}`);
  const number = (channel: string): number => {
    const r = now(channel);
    return r && r.quality !== 'bad' ? Number(r.value) : Number.NaN;
  };
  return { ...bench, unit, now, number, ask: asking(bench), world: bench.all.of(dac) };
};
/** Sourcing a current through the sample by four wires. */
const driving = (amps: number, limit = 1) => {
  const lab = laboratory();
  for (const [command, value] of [
    ['source', 'current'],
    ['voltage_limit', limit],
    ['four_wire', true],
    ['current', amps],
    ['output', true],
  ] as const)
    expect(lab.unit.order(command, value)).toBe('done');
  return lab;
};

test('identify takes the series 2400 and refuses others', () => {
  const identified = (idn: string) => runAsks((main) => meter.identify({ main }, { terminator: '\n' }), { '*IDN?': idn });
  expect(identified('KEITHLEY INSTRUMENTS INC.,MODEL 2400,1234567,C30')).toMatchObject({ model: '2400', volts: 210, amps: 1.05 });
  expect(identified('KEITHLEY INSTRUMENTS INC.,MODEL 2410,1,C30')).toMatchObject({ volts: 1100 });
  for (const idn of ['KEITHLEY INSTRUMENTS,MODEL 2450,1,1.7', 'KEITHLEY INSTRUMENTS INC.,MODEL 2000,1,A', 'LSCI,MODEL336,1,1'])
    expect(identified(idn)).toBeInstanceOf(Refused);
});

describe('the sample', () => {
  test('volts by amperes are its resistance, by four wires', () => {
    const { number, now, world } = driving(1e-3);
    expect(now('compliance')).toMatchObject({ value: false });
    expect(number('current')).toBeCloseTo(1e-3, 7);
    // Thermoelectric EMF and noise are microvolts.
    expect(number('voltage') / 1e-3).toBeCloseTo(world.sampleResistance + world.probe.emf(0) / 1e-3, 2);
    expect(world.probe.direct()).toBe(1e-3);
  });
  test('by two wires it is the leads and contacts too', () => {
    const { unit, number, world, clock } = driving(1e-3);
    expect(unit.order('four_wire', false)).toBe('done');
    clock.advance(2);
    expect(number('voltage') / 1e-3).toBeCloseTo(world.probe.path(), 1);
  });
  test('in compliance there is no reading, with that reason', () => {
    const { now, number, unit } = driving(0.1, 0.5);
    expect(now('compliance')).toMatchObject({ value: true });
    for (const channel of ['voltage', 'current'])
      expect(now(channel)).toMatchObject({ quality: 'bad', why: expect.stringContaining('in compliance') });
    expect(unit.order('current', 1e-3)).toBe('done');
    expect(number('current')).toBeCloseTo(1e-3, 6);
  });
  test('an open current contact is compliance, an open voltage contact an overflow', () => {
    const { now, world, clock } = driving(1e-3);
    world.probe.faults.open = 'current';
    clock.advance(2);
    expect(now('voltage')).toMatchObject({ quality: 'bad', why: expect.stringContaining('in compliance') });
    world.probe.faults.open = 'voltage';
    clock.advance(2);
    expect(now('voltage')).toMatchObject({ quality: 'bad', why: expect.stringContaining('overflow') });
    expect(now('current')).toMatchObject({ quality: 'good' });
  });
  test('swapped leads turn the sign', () => {
    const { number, world, clock } = driving(0.01);
    const before = number('voltage');
    world.probe.faults.swapped = true;
    clock.advance(2);
    expect(before).toBeGreaterThan(0);
    expect(number('voltage')).toBeLessThan(0);
  });
  test('off is off', () => {
    const { unit, now, world, sent } = driving(1e-3);
    sent();
    expect(unit.order('output', false, { safe: true })).toBe('done');
    expect(sent()).toEqual([':OUTP OFF\n']);
    expect(world.probe.driven.has('smu')).toBe(false);
    expect(now('current')).toMatchObject({ quality: 'suspect', value: 0, why: 'the output is off' });
  });
});

describe('readings that are not asked for', () => {
  test.each([
    [':SOUR:CLE:AUTO ON', 'the output would switch itself on and off'],
    [':TRIG:COUN 5', 'it would take several readings'],
    [':ARM:SOUR BUS', 'it would wait for a trigger'],
    [':SOUR:CURR:MODE SWE', 'it would step the current'],
  ])('%s: %s', (line, why) => {
    const { ask, now, clock, unit, exchanged } = driving(1e-3);
    ask(line);
    clock.advance(2);
    const n = exchanged.length;
    clock.advance(2);
    expect(now('voltage')).toMatchObject({ quality: 'bad', why: expect.stringContaining(why) });
    expect(exchanged.slice(n).some((e) => Buffer.from(e.sent).toString().includes('READ?'))).toBe(false);
    expect(unit.order('measure')).toBe('done');
    expect(now('voltage')).toMatchObject({ quality: 'good' });
  });
  test('what is not measured is no reading', () => {
    const { ask, now, clock } = driving(1e-3);
    ask(':SENS:FUNC:CONC OFF;:SENS:FUNC "CURR"');
    clock.advance(2);
    expect(now('voltage')).toMatchObject({ quality: 'bad', why: 'voltage is not measured: order "measure"' });
    ask(':SENS:FUNC "VOLT";:FORM:ELEM CURR');
    clock.advance(2);
    expect(now('voltage')).toMatchObject({ quality: 'bad', why: 'readings do not hold the voltage: order "measure"' });
  });
});

test('the function of the source stays while the output is on', () => {
  const { unit } = driving(1e-3);
  expect(unit.order('source', 'voltage')).toBe('the output is on: order "output" off first');
});

describe('replies in another form', () => {
  const read = (values: string) =>
    meter
      .body({ terminator: '\n' }, { model: '2400', serial: '', volts: 210, amps: 1.05 })
      .polls?.[0].read(['1;CURR;"VOLT:DC","CURR:DC";VOLT,CURR;0;1;1;IMM;IMM;FIX;FIX', `${values};0;0`], { asked: 0, t: 0 });
  test.each([
    ['+1.0E-03, +2.0E-03', 'has blanks'],
    ['+9.9E37,+9.900000E+37', 'overflow'],
    ['+9.91E37,+9.910000E+37', 'is not measured'],
    ['OVLD,OVLD', 'no number'],
  ])('%s is no number', (values, why) => {
    const bad = { quality: 'bad', why: expect.stringContaining(why) };
    expect(read(values)).toMatchObject({ voltage: bad, current: bad });
  });
  test('as the instrument writes them they are', () => expect(read('+1.0E-03,+2.0E-03')).toMatchObject({ voltage: 1e-3, current: 2e-3 }));
});

describe('the simulator', () => {
  test('has errors where the instrument has them', () => {
    const { ask } = laboratory();
    const error = ':SYST:ERR?';
    expect(ask(`:READ?;${error}`)).toBe('803,"Not permitted with OUTPUT off"');
    expect(ask([':SENS:CURRVOLT:NPLC 1', ':SOUR:CURR 3', ':SOUR:FUNC OHM', error, error, error, error].join(';'))).toBe(
      '-113,"Undefined header";-222,"Parameter data out of range";-224,"Illegal parameter value";0,"No error"',
    );
  });
  test.each([
    [':FORMAT:ELEMENTS VOLTAGE, CURRENT, RESISTANCE, TIME, STATUS', ':FORM:ELEM?', 'VOLT,CURR,RES,TIME,STAT'],
    [':SYSTEM:LFREQUENCY 60', ':SYSTEM:LFREQUENCY?', '60'],
    [':ARM:OUTPUT TENT', ':ARM:OUTPUT?', 'TENT'],
    [':SENSE:RESISTANCE:MODE MAN', ':SENSE:RESISTANCE:MODE?', 'MAN'],
    [':SYSTEM:AZERO:STATE ONCE', ':SYSTEM:AZERO:STATE?', '1'],
    [':TRIGGER:SOURCE TLIN', ':TRIGGER:SOURCE?', 'TLIN'],
    ['CURRENT:PROTECTION 0.001000000', 'CURRENT:PROTECTION?', '+1.000000E-03'],
    [':SENSE:FUNCTION:ON "VOLTAGE"', ':SENSE:FUNCTION:ON?', '"VOLT:DC","CURR:DC"'],
    [':SENS:FUNC "CURR";:SENS:FUNC:OFF "VOLT"', ':SENS:FUNC?', '"CURR:DC"'],
    ['SENS:VOLT:PROT 2.000000', 'SENS:VOLT:PROT?', '+2.000000E+00'],
  ])('%s is taken and read back', (line, question, reply) => {
    expect(laboratory().ask(`${line};${question.startsWith(':') ? question : `:${question}`};:SYST:ERR?`)).toBe(`${reply};0,"No error"`);
  });
  test('a sweep reads each of its steps', () => {
    const { ask } = laboratory();
    ask(":SOUR:FUNC CURR;:SENS:VOLT:PROT 2;:SENS:FUNC 'VOLT','CURR';:FORM:ELEM CURR");
    ask(':SOUR:CURR:MODE SWE;:SOUR:CURR:STAR 0;:SOUR:CURR:STOP 0.002;:SOUR:CURR:STEP 0.001;:TRIG:COUN 3;:OUTP ON');
    expect(
      ask(':READ?')
        .split(',')
        .map((n) => Number(Number(n).toFixed(6))),
    ).toEqual([0, 0.001, 0.002]);
  });
  test('the buffer fills, tells it, and gives its statistics', () => {
    const { ask } = laboratory();
    ask(':SOUR:FUNC CURR;:SOUR:CURR 0.01;:SENS:VOLT:PROT 2;:SYST:RSEN ON;:OUTP ON;:FORM:ELEM VOLT');
    ask(':STAT:PRES;*CLS;*SRE 1;:STAT:MEAS:ENAB 512;:TRAC:CLEAR;:TRAC:POIN 20;:TRIG:COUN 20;:TRAC:FEED SENSE;:TRAC:FEED:CONT NEXT;:INIT');
    expect(ask('*STB?')).toBe('65');
    const values = ask(':TRAC:DATA?').split(',').map(Number);
    expect(values).toHaveLength(20);
    const mean = values.reduce((a, b) => a + b) / 20;
    expect(Number(ask(':CALC3:FORM MEAN;:CALC3:DATA?;').split(',')[0])).toBeCloseTo(mean, 9);
    expect(Number(ask(':CALC3:FORM MAX;:CALC3:DATA?').split(',')[0])).toBeCloseTo(Math.max(...values), 9);
  });
});
