import { describe, expect, test } from 'vitest';
import meter from '../../drivers/keysight-34420a.ts';
import simulated from '../../simulators/keysight-34420a.ts';
import { dac } from '../../simulators/worlds/dac.ts';
import { Refused } from '../../src/instrument.ts';
import { place } from './place.ts';
import { runAsks } from './run-asks.ts';

const OPTIONS = { terminator: '\n', measures: 'voltage', every: 1, sigma: undefined } as const;
const ID = { model: '', serial: '', firmware: '' };

function nanovolts(options = {}, simulate: Readonly<Record<string, unknown>> = { conversions: 'timed' }) {
  const bench = place(meter, simulated, [{ name: 'nvm', options, simulate }]);
  const [unit] = bench.units;
  // The state of the simulator above.
  const state = unit.state as ReturnType<typeof simulated.state>;
  bench.clock.advance(5);
  const last = (channel: string) => unit.readings.filter((r) => r.from === `nvm.${channel}`).at(-1);
  return { ...bench, unit, state, last, now: unit.acquired.latest, world: bench.all.of(dac) };
}

test('identify takes the meter under all the names of its maker', () => {
  const identified = (idn: string) => runAsks((main) => meter.identify({ main }, OPTIONS), { '*IDN?': idn });
  for (const maker of ['HEWLETT-PACKARD', 'Agilent Technologies', 'Keysight Technologies'])
    expect(identified(`${maker},34420A,MY42,10.4-4.0-2.0`)).toEqual({ model: '34420A', serial: 'MY42', firmware: '10.4-4.0-2.0' });
  for (const other of ['Agilent Technologies,34401A,0,1', 'KEITHLEY,34420A,1,2']) expect(identified(other)).toBeInstanceOf(Refused);
});

test('options', () => {
  expect(meter.options.parse(undefined)).toEqual(OPTIONS);
  expect(meter.options.parse({ measures: 'resistance', every: '200 ms', sigma: '2 nV' })).toEqual({
    ...OPTIONS,
    measures: 'resistance',
    every: 0.2,
    sigma: 2e-9,
  });
  for (const wrong of [{ sigma: '2 K' }, { sigma: 3 }, { every: 'often' }, { every: 0.001 }, { measures: 'light' }])
    expect(meter.options.parse(wrong)).toBeInstanceOf(Refused);
});

describe('readings', () => {
  test('are the voltage at the contacts, averaged over the integration', () => {
    const { last, world, clock, unit } = nanovolts({ sigma: '3 nV' });
    world.probe.drive('source', { dc: 1e-3 });
    clock.advance(5);
    const truth = world.probe.volts(1e-3, 8);
    expect(truth).toBeGreaterThan(5e-5);
    expect(last('voltage')).toMatchObject({ quality: 'good', kind: 'V', value: expect.closeTo(truth ?? 0, 7), sigma: { random: 3e-9 } });
    const times = unit.readings.filter((r) => r.from === 'nvm.voltage').map((r) => r.t);
    expect((times[1] - times[0]) / 1e6).toBeCloseTo(1, 6);
    expect(last('range')).toMatchObject({ kind: 'V', value: 1e-3 });
    expect(last('error')).toMatchObject({ value: 'none' });
  });

  test('longer integrations scatter less', () => {
    const { unit, clock } = nanovolts({ every: '100 ms' });
    const scatter = (cycles: number): number => {
      unit.order('nplc', cycles);
      unit.readings.length = 0;
      clock.advance(60);
      const all = unit.readings.flatMap((r) => (r.from === 'nvm.voltage' && r.quality === 'good' ? [Number(r.value)] : []));
      const steps = all.slice(1).map((v, i) => v - all[i]);
      return Math.sqrt(steps.reduce((sum, d) => sum + d * d, 0) / steps.length / 2);
    };
    const fast = scatter(0.2);
    expect(fast / scatter(20)).toBeGreaterThan(5);
    expect(fast).toBeGreaterThan(1e-8);
  });

  test('the resistance that the meter measures with a current of its own', () => {
    const { last, world, unit, clock } = nanovolts({ measures: 'resistance' });
    expect(last('resistance')).toMatchObject({
      quality: 'bad',
      why: 'the meter measures voltage: order "function", or choose it at the panel',
    });
    expect(unit.acquired.commands.function.safe).toBe('voltage');
    expect(unit.order('function', 'resistance')).toBe('done');
    clock.advance(3);
    expect(last('resistance')).toMatchObject({ quality: 'good', kind: 'Ω', value: expect.closeTo(world.probe.resistance(), 5) });
  });

  test('an open contact is an overload, not a number', () => {
    const { last, world, clock } = nanovolts();
    world.probe.faults.open = 'voltage';
    clock.advance(3);
    expect(last('voltage')).toEqual(expect.objectContaining({ quality: 'bad', why: 'overload: above the range, or nothing is connected' }));
    world.probe.faults = {};
    clock.advance(3);
    expect(last('voltage')).toMatchObject({ quality: 'good' });
  });

  test('a meter that waits for a trigger, or sends several readings, is not asked', () => {
    const { last, unit, clock } = nanovolts();
    expect(unit.order('trigger_source', 'bus')).toBe('done');
    clock.advance(2);
    expect(last('voltage')).toMatchObject({ quality: 'bad', why: expect.stringContaining('waits for a trigger (BUS)') });
    unit.order('trigger_source', 'immediate');
    expect(unit.order('sample_count', 5)).toBe('done');
    clock.advance(2);
    expect(last('voltage')).toMatchObject({ quality: 'bad', why: expect.stringContaining('readings at a time') });
    unit.order('sample_count', 1);
    clock.advance(2);
    expect(last('voltage')).toMatchObject({ quality: 'good' });
    expect(last('error')).toMatchObject({ value: 'none' });
  });

  const read = (reading: string) => meter.body(OPTIONS, ID).polls?.[0].read({ now: '"VOLT";IMM;+1.0E+00;+1', reading }, { asked: 0, t: 0 });
  test.each([
    ['+9.90000000E+37', 'overload: above the range, or nothing is connected'],
    ['-9.9E37', 'overload: above the range, or nothing is connected'],
    ['+9.91E37', 'the meter has no value (9.91E37)'],
    ['1.0, 2.0', '"1.0, 2.0" is no number'],
    ['1,5', '"1,5" is no number'],
    ['', '"" is no number'],
  ])('"%s" is a bad reading with its reason', (reply, why) => {
    expect(read(reply)).toEqual({ voltage: { quality: 'bad', why } });
  });
});

describe('orders', () => {
  test('set everything at the input in use, and it is read back', () => {
    const { unit, now, sent, clock } = nanovolts();
    const orders: readonly (readonly [string, number | string | boolean, string])[] = [
      ['range', 0.1, ':SENS1:VOLT:RANG 0.1'],
      ['auto_range', true, ':SENS1:VOLT:RANG:AUTO 1'],
      ['nplc', 2, ':SENS1:VOLT:NPLC 2'],
      ['null_value', 1.5e-6, ':SENS1:VOLT:NULL:VAL 1.50000000e-6'],
      ['null', false, ':SENS1:VOLT:NULL 0'],
      ['filter', true, ':INP:FILT 1'],
      ['filter_type', 'both', ':INP:FILT:TYPE BOTH'],
      ['filter_response', 'slow', ':INP:FILT:DIG:RESP SLOW'],
      ['trigger_count', 3, ':TRIG:COUN 3'],
      ['terminals', 2, ':ROUT:TERM FRON2'],
      ['nplc', 20, ':SENS2:VOLT:NPLC 20'],
    ];
    for (const [name, value, line] of orders) {
      sent();
      expect(unit.order(name, value), name).toBe('done');
      clock.advance(3);
      expect(now(name), name).toMatchObject({ quality: 'good', value });
      expect(sent().at(-1)).toBe(`${line}\n`);
    }
    expect(unit.order('range', 0.05)).toBe('the ranges are 1 mV, 10 mV, 100 mV, 1 V, 10 V, 100 V, not 50 mV');
    expect(unit.order('nplc', 5)).toBe('the integration is 0.02, 0.2, 1, 2, 10, 20, 100, 200 periods of the mains, not 5');
  });
});

test.each(['CR', 'LF', 'CRLF'])('lines end in %s where the rig says so', (terminator) => {
  expect(nanovolts({ terminator }).now('voltage')).toMatchObject({ quality: 'good' });
});

describe('the simulator, to others', () => {
  const talk = (conversions: 'instant' | 'timed' = 'timed') => {
    const { clock, all } = place(meter, simulated, [{ name: 'a' }]);
    const device = all.device('b', simulated, { conversions });
    const heard: string[] = [];
    device.ports.main.says.subscribe(({ bytes }) => heard.push(new TextDecoder().decode(bytes).trimEnd()));
    const send = (line: string): void => device.ports.main.receive(new TextEncoder().encode(`${line}\n`));
    return {
      clock,
      world: all.of(dac),
      send,
      heard,
      ask(line: string, within = 0.1): string {
        heard.length = 0;
        send(line);
        clock.advance(within);
        return heard.join('|');
      },
    };
  };

  test('a reading comes when its conversion is over, and what is asked meanwhile waits', () => {
    const { ask, clock, heard } = talk();
    expect(ask('READ?')).toBe('');
    expect(ask('*IDN?')).toBe('');
    clock.advance(0.5);
    expect(heard).toEqual([expect.stringMatching(/^[+-]\d\.\d{8}E-\d\d$/), expect.stringContaining(',34420A,')]);
    ask('SAMP:COUN 3;:VOLT:NPLC 1');
    expect(ask('READ?', 0.2).split(',')).toHaveLength(3);
    expect(ask('INIT;*OPC?')).toBe('1');
    expect(ask('FETC?', 0.2).split(',')).toHaveLength(3);
    expect(ask('DATA:POIN?')).toBe('+3.00000000E+00');
    expect(ask('MEAS:VOLT:DC? 1,MAX', 0.2)).toMatch(/^[+-]/);
  });

  test('without time for its conversions it answers at once, as behind a simulated GPIB adapter', () => {
    const { ask } = talk('instant');
    expect(ask('READ?', 0.01)).toMatch(/^[+-]\d\.\d{8}E-\d\d$/);
    expect(ask('SAMP:COUN 3;:READ?;*OPC?', 0.01)).toMatch(/^([+-]\d\.\d{8}E-\d\d,?){3};1$/);
    expect(ask('INIT;FETC?', 0.01).split(',')).toHaveLength(3);
    expect(ask('TRIG:SOUR BUS;:INIT', 0.01)).toBe('');
    expect(ask('*TRG;FETC?', 0.01).split(',')).toHaveLength(3);
    expect(nanovolts({}, {}).last('voltage')).toMatchObject({ quality: 'good' });
  });

  test('settings as other drivers write them', () => {
    const { ask } = talk();
    const both: readonly (readonly [string, string, string])[] = [
      ['VOLT:NPLC 100.000000', 'VOLT:NPLC?', '+1.00000000E+02'],
      ['SENS:VOLT:DC:RANG 0.100000', 'SENS:VOLT:DC:RANG?', '+1.00000000E-01'],
      ['VOLT:DC:RES 1.0e-7', 'VOLT:DC:RES?', '+1.00000000E-07'],
      ['', 'VOLT:NPLC?', '+1.00000000E+01'],
      ['VOLT:RANG:AUTO 1', 'VOLT:RANG:AUTO?', '1'],
      ['ROUT:TERM FRON2', 'ROUT:TERM?', 'FRON2'],
      ['SENS2:VOLT:DC:RANG 1', 'SENSE2:VOLTAGE:RANGE?', '+1.00000000E+00'],
      ["SENS2:FUNC 'VOLT:DC:DIFF'", 'FUNC?', '"VOLT:DIFF"'],
      ['CONF:VOLT:DC 1.2, 0.0001, (@FRONt1)', 'CONF?', '"VOLT +1.000000E+00,+1.000000E-04"'],
      ['INP:FILT:STAT ON', 'INP:FILT:STAT?', '1'],
      [':input:filter:type digital', 'INP:FILT:TYPE?', 'DIG'],
      [':input:filter:digital:response medium', 'INP:FILT:DIG:RESP?', 'MED'],
      ['TRIG:SOUR IMMediate', 'TRIG:SOUR?', 'IMM'],
      ['', 'SENS:VOLT:DC:RANG? MAX', '+1.00000000E+02'],
      ['', 'SENS:VOLT:DC:NPLC? MIN', '+2.00000000E-02'],
      ['SENS:FRES:OCOM ON', 'SENS:FRES:OCOM?', '1'],
    ];
    for (const [set, asked, reply] of both) {
      if (set !== '') ask(set);
      expect(ask(asked), `${set} ${asked}`).toBe(reply);
    }
    expect(ask('SYST:ERR?')).toBe('+0,"No error"');
  });

  test('errors wait in its queue', () => {
    const { ask } = talk();
    for (const wrong of [
      'NONE 3',
      'VOLT:NPLC 500',
      'VOLT:NPLC much',
      'INP:FILT:TYPE SOFT',
      'TRIG:SOUR',
      'FETC?',
      '*TRG',
      'TRIG:SOUR BUS;:READ?',
      'INIT;INIT',
    ])
      expect(ask(wrong)).toBe('');
    const queue = Array.from({ length: 10 }, () => ask('SYST:ERR?').split(',')[0]);
    expect(queue).toEqual(['-113', '-222', '-104', '-224', '-109', '-230', '-211', '-214', '-213', '+0']);
    expect(ask('*ESR?')).toBe('48');
    ask('*TRG');
    ask('ABOR');
    for (let n = 0; n < 25; n++) ask('NONE');
    expect(Array.from({ length: 20 }, () => ask('SYST:ERR?')).at(-1)).toBe('-350,"Too many errors"');
  });

  test('an overload is told in the reading and in the questionable register', () => {
    const { ask, world } = talk();
    ask('VOLT:NPLC 1;:VOLT:RANG 0.001');
    world.probe.drive('source', { dc: 0.1 });
    expect(ask('READ?', 0.2)).toBe('+9.90000000E+37');
    expect(ask('STAT:QUES?')).toBe('1');
    expect(ask('STAT:QUES?')).toBe('0');
  });
});
