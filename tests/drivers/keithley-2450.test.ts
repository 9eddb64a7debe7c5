import { describe, expect, test } from 'vitest';
import meter from '../../drivers/keithley-2450.ts';
import simulated from '../../simulators/keithley-2450.ts';
import { dac } from '../../simulators/worlds/dac.ts';
import { Refused } from '../../src/instrument.ts';
import { asking } from './bench-ask.ts';
import { place } from './place.ts';
import { runAsks } from './run-asks.ts';

const laboratory = (simulate = {}) => {
  const bench = place(meter, simulated, [{ name: 'smu', simulate }]);
  const [unit] = bench.units;
  bench.clock.advance(3);
  const now = (channel: string) => unit.readings.findLast((r) => r.from === `smu.${channel}`);
  const number = (channel: string): number => {
    const r = now(channel);
    return r && r.quality !== 'bad' ? Number(r.value) : Number.NaN;
  };
  return { ...bench, unit, now, number, ask: asking(bench), world: bench.all.of(dac) };
};
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

describe('identify', () => {
  const identified = (idn: string, language = 'SCPI') =>
    runAsks((main) => meter.identify({ main }, { terminator: '\n' }), { '*IDN?': idn, '*LANG?': language });
  test('takes the 2450 in its own SCPI', () => {
    expect(identified('KEITHLEY INSTRUMENTS,MODEL 2450,04085562,1.7.12b')).toMatchObject({ model: '2450', volts: 210, amps: 1.05 });
    for (const idn of ['KEITHLEY INSTRUMENTS INC.,MODEL 2400,1,C30', 'Acme,MODEL 2450,1,1'])
      expect(identified(idn)).toBeInstanceOf(Refused);
  });
  test('refuses TSP and the SCPI of the 2400, and says what to do', () => {
    for (const language of ['TSP', 'SCPI2400'])
      expect(identified('KEITHLEY INSTRUMENTS,MODEL 2450,1,1.7', language)).toMatchObject({
        why: expect.stringMatching(new RegExp(`${language}.*\\*LANG SCPI`)),
      });
    expect(laboratory({ language: 'TSP' }).unit.acquired.state).toMatchObject({ is: 'refused' });
  });
});

describe('the sample', () => {
  test('volts by amperes are its resistance, by four wires', () => {
    const { number, world } = driving(1e-3);
    expect(number('current')).toBeCloseTo(1e-3, 7);
    expect(number('voltage') / 1e-3).toBeCloseTo(world.sampleResistance + world.probe.emf(0) / 1e-3, 2);
  });
  test('a voltage source measures the current that flows', () => {
    const { unit, number, now, world, clock } = laboratory();
    for (const [command, value] of [
      ['source', 'voltage'],
      ['current_limit', 0.1],
      ['voltage', 0.01],
      ['output', true],
    ] as const)
      expect(unit.order(command, value)).toBe('done');
    clock.advance(2);
    expect(number('current')).toBeCloseTo(0.01 / world.probe.path(), 7);
    expect(number('voltage')).toBeCloseTo(0.01, 5);
    expect(unit.order('voltage', 20)).toBe('done');
    expect(now('current')).toMatchObject({ quality: 'bad', why: 'in compliance: the current limit holds, not the voltage' });
  });
  test('in compliance, and with contacts open, there is no number', () => {
    const { now, world, clock } = driving(0.1, 0.5);
    expect(now('voltage')).toMatchObject({ quality: 'bad', why: expect.stringContaining('in compliance') });
    world.probe.faults.open = 'current';
    clock.advance(2);
    expect(now('current')).toMatchObject({ quality: 'bad', why: expect.stringContaining('in compliance') });
  });
  test('an open voltage contact is an overflow', () => {
    const { now, world, clock } = driving(1e-3);
    world.probe.faults.open = 'voltage';
    clock.advance(2);
    expect(now('voltage')).toMatchObject({ quality: 'bad', why: expect.stringContaining('overflow') });
  });
  test('off is off', () => {
    const { unit, now, world, sent } = driving(1e-3);
    sent();
    expect(unit.order('output', false, { safe: true })).toBe('done');
    expect(sent()).toEqual([':OUTP OFF\n']);
    expect(world.probe.driven.has('smu')).toBe(false);
    expect(now('voltage')).toMatchObject({ quality: 'suspect', value: 0, why: 'the output is off' });
  });
  test('what is measured otherwise is no reading until it is ordered', () => {
    const { ask, now, clock, unit } = driving(1e-3);
    ask(':SENS:FUNC "RES"');
    clock.advance(2);
    expect(now('voltage')).toMatchObject({ quality: 'bad', why: 'the source-meter measures "RES": order "measure"' });
    expect(unit.order('measure')).toBe('done');
    expect(now('voltage')).toMatchObject({ quality: 'good' });
  });
});

describe('replies in another form', () => {
  const read = (values: string) =>
    meter
      .body({ terminator: '\n' }, { model: '2450', serial: '', volts: 210, amps: 1.05 })
      .polls?.[0].read(['1;CURR;"VOLT:DC";1;1;1', `${values};0;0`], { asked: 0, t: 0 });
  test.each([
    ['+1.0E-03, +2.0E-03', 'has blanks'],
    ['+9.9E37,+9.900000E+37', 'overflow'],
    ['+9.91E37,+9.910000E+37', 'no number'],
    ['OVLD,OVLD', 'no number'],
  ])('%s is no number', (values, why) => {
    const bad = { quality: 'bad', why: expect.stringContaining(why) };
    expect(read(values)).toMatchObject({ voltage: bad, current: bad });
  });
  test('as the instrument writes them they are', () => expect(read('+1.0E-03,+2.0E-03')).toMatchObject({ voltage: 1e-3, current: 2e-3 }));
});

describe('the simulator', () => {
  test('keeps readings in buffers by name', () => {
    const { ask } = laboratory();
    ask(":TRAC:MAKE 'mine', 100;:OUTP ON;:SENS:COUNT 5");
    ask(":TRAC:TRIG 'mine'");
    expect(ask(":TRAC:ACT? 'mine';:TRAC:POIN? 'mine'")).toBe('5;100');
    expect(ask(":TRAC:DATA? 1, 5, 'mine'").split(',')).toHaveLength(5);
    expect(ask(":TRAC:DATA? 1, 2, 'mine', READing, UNIT, SOURce").split(',')).toHaveLength(6);
    expect(ask(":TRAC:DATA? 1, 6, 'mine';:SYST:ERR?")).toMatch(/^-222,/);
    expect(Number(ask(':TRAC:STAT:AVER? "mine"'))).toBeCloseTo(0, 6);
    ask(":TRAC:DEL 'mine'");
    expect(ask(":TRAC:ACT? 'mine';:SYST:ERR?")).toMatch(/^-224,/);
  });
  test('runs a sweep into the buffer', () => {
    const { ask } = laboratory();
    ask(":SOUR:VOLT:ILIM 0.1;:SENS:FUNC 'CURR';:SOUR:SWE:VOLT:LIN 0, 0.01, 11, 0, 1, AUTO, ON, OFF, 'defbuffer1';:INIT;*WAI");
    const rows = ask(":TRAC:DATA? 1, 11, 'defbuffer1', SOURce, READing").split(',').map(Number);
    expect(rows).toHaveLength(22);
    expect(rows[20]).toBeCloseTo(0.01, 5);
    expect(rows[21]).toBeGreaterThan(rows[11]);
    expect(ask(':OUTP?')).toBe('0');
  });
  test.each([
    [':SENSe:current:DELay:USER2 0.5', ':SENSe:current:DELay:USER2?', '0.5'],
    [':SOURce:voltage:READ:BACK 0', ':SOURce:voltage:READ:BACK?', '0'],
    ['ROUTe:TERMinals rear', ':ROUTe:TERMinals?', 'REAR'],
    [':SENS:FUNC "VOLT:DC"', ':SENS:FUNC?', '"VOLT:DC"'],
    [':DISP:LIGH:STAT BLAC', ':DISP:LIGH:STAT?', 'BLAC'],
    [':SENS:COUNT 300000', ':SENS:COUNT?', '300000'],
    [':SENS:CURR:AZER 0', ':SENS:CURR:AZER?', '0'],
    [':SOUR:LIST:VOLT 0, 0.001, -0.002;:SOUR:LIST:VOLT:APP 0.5', ':SOUR:LIST:VOLT?', '0,0.001,-0.002,0.5'],
    [':SOURCE:CURRENT:VLIMIT 0.000012300', ':SOURCE:CURRENT:VLIMIT?', '1.23E-05'],
    [':TRACE:MAKE "x", 10, FULL;:TRACE:FILL:MODE CONTINUOUS, "x"', ':TRACE:ACTUAL? "x"', '0'],
    [':DIGital:LINE3:MODE TRIG, OPENdrain', ':DIGital:LINE3:STATE?', '0'],
  ])('%s is taken and read back', (line, question, reply) => {
    expect(laboratory().ask(`${line};${question};:SYST:ERR?`)).toBe(`${reply};0,"No error;0;0 0"`);
  });
  test('has no commands of the 2400', () => {
    const { ask } = laboratory();
    expect(ask(':SENS:CURR:PROT 1;:FORM:ELEM READ;:TRIG:COUN 5;:SYST:ERR:COUN?;:SYST:ERR?;:SYST:ERR?;:SYST:ERR?;:SYST:ERR?')).toBe(
      '3;-113,"Undefined header;1;0 0";-113,"Undefined header;1;0 0";-113,"Undefined header;1;0 0";0,"No error;0;0 0"',
    );
  });
});
