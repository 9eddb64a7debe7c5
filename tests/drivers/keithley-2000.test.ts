import { describe, expect, test } from 'vitest';
import meter from '../../drivers/keithley-2000.ts';
import simulated from '../../simulators/keithley-2000.ts';
import { dac } from '../../simulators/worlds/dac.ts';
import { Refused } from '../../src/instrument.ts';
import { asking } from './bench-ask.ts';
import { place } from './place.ts';
import { runAsks } from './run-asks.ts';

const laboratory = (options = {}) => {
  const bench = place(meter, simulated, [{ name: 'dmm', options }]);
  const [unit] = bench.units;
  bench.clock.advance(3);
  const now = (channel: string) => unit.readings.findLast((r) => r.from === `dmm.${channel}`);
  return { ...bench, unit, now, ask: asking(bench), world: bench.all.of(dac) };
};

test('identify tells whether there is a scanner card', () => {
  const parsed = meter.options.parse({});
  if (parsed instanceof Refused) throw new Error(parsed.why);
  const identified = (idn: string, opt: string) => runAsks((main) => meter.identify({ main }, parsed), { '*IDN?': idn, '*OPT?': opt });
  const idn = 'KEITHLEY INSTRUMENTS INC.,MODEL 2000,1234567,A20';
  expect(identified(idn, '200X-SCAN')).toMatchObject({ card: true });
  expect(identified(idn, '0')).toMatchObject({ card: false });
  const bare = meter.body(parsed, { model: '2000', serial: '', card: false });
  expect(Object.keys(bare.commands ?? {})).toEqual(['measure']);
  for (const other of ['KEITHLEY INSTRUMENTS INC.,MODEL 2002,1,A', 'KEITHLEY INSTRUMENTS INC.,MODEL 7001,1,B'])
    expect(identified(other, '0')).toBeInstanceOf(Refused);
});

describe('readings', () => {
  test('the resistance of the arrangement that is closed, by four wires', () => {
    const { unit, now, world } = laboratory({ measures: 'resistance', arrangements: { long: [5], a: [1, 4], b: [2, 3] } });
    expect(world.probe.arrangement).toBe('four-terminal');
    for (const name of ['a', 'b', 'long']) {
      expect(unit.order('arrangement', name)).toBe('done');
      const r = now('resistance');
      expect(r).toMatchObject({ quality: 'good', kind: 'Ω' });
      expect(Math.abs((r?.quality === 'good' ? Number(r.value) : 0) - world.probe.resistance())).toBeLessThan(1e-3);
      expect(now('arrangement')).toMatchObject({ value: name });
    }
  });
  test('open is an overflow, and no number', () => {
    const { unit, now, world } = laboratory();
    expect(now('voltage')).toMatchObject({ quality: 'good' });
    expect(unit.order('arrangement', 'open')).toBe('done');
    expect(now('voltage')).toMatchObject({ quality: 'bad', why: expect.stringContaining('overflow or nothing connected') });
    expect(world.probe.arrangement).toBe('open');
  });
  test('another function, or a meter that waits, is no reading until it is ordered', () => {
    const { ask, now, clock, unit } = laboratory();
    ask(':CONF:FRES');
    clock.advance(2);
    expect(now('voltage')).toMatchObject({ quality: 'bad', why: 'the meter measures "FRES", not voltage: order "measure"' });
    ask(':CONF:VOLT:DC;:INIT:CONT OFF');
    clock.advance(2);
    expect(now('voltage')).toMatchObject({ quality: 'bad', why: expect.stringContaining('waits for triggers') });
    expect(unit.order('measure')).toBe('done');
    expect(now('voltage')).toMatchObject({ quality: 'good' });
  });
  test.each([
    ['+1.0E-03, +2', 'has blanks'],
    ['+9.9E37', 'overflow or nothing connected'],
    ['x', 'no number'],
  ])('%s is no number', (data, why) => {
    const parsed = meter.options.parse({});
    if (parsed instanceof Refused) throw new Error(parsed.why);
    const got = meter
      .body(parsed, { model: '2000', serial: '', card: true })
      .polls?.[0].read(`"VOLT:DC";READ;1;${data}`, { asked: 0, t: 0 });
    expect(got).toMatchObject({ voltage: { quality: 'bad', why: expect.stringContaining(why) } });
  });
  test('relays go break before make', () => {
    const { unit, sent } = laboratory();
    sent();
    expect(unit.order('arrangement', 'b')).toBe('done');
    const said = sent().map((s) => s.trim());
    expect(said.filter((s) => !s.includes('?'))).toEqual([':ROUT:OPEN:ALL', ':ROUT:MULT:CLOS (@2,3)']);
    expect(said.indexOf(':ROUT:MULT:CLOS:STAT?')).toBeLessThan(said.indexOf(':ROUT:MULT:CLOS (@2,3)'));
  });
});

describe('the simulator', () => {
  test('one channel opens the others; several stay', () => {
    const { ask } = laboratory();
    expect(ask(':ROUT:CLOS (@3);:ROUT:CLOS:STAT?')).toBe('(@3)');
    expect(ask(':ROUT:MULT:CLOS (@1,4);:ROUT:MULT:CLOS:STAT?;:ROUT:MULT:CLOS? (@1,2)')).toBe('(@1,3,4);1,0');
    expect(ask(':ROUT:MULT:OPEN (@3);:ROUT:CLOS:STAT?')).toBe('(@1,4)');
    expect(ask(':ROUT:CLOS (@1,2);:SYST:ERR?')).toBe('-222,"Parameter data out of range"');
    expect(ask(':ROUT:CLOS (@11);:SYST:ERR?')).toBe('-222,"Parameter data out of range"');
  });
  test('functions have settings of their own', () => {
    const { ask } = laboratory();
    expect(ask(':SENS:VOLT:NPLC 5;:SENS:CURR:NPLC 2;:SENS:VOLT:NPLC?;:SENS:VOLT:DC:NPLC?;:SENS:CURR:NPLC?')).toBe(
      '+5.000000E+00;+5.000000E+00;+2.000000E+00',
    );
    expect(ask(':SENS:CURR:AC:DET:BAND 300;:SENS:CURR:AC:DET:BAND?;:CONF:CURR:AC;:CONF?')).toBe('+3.000000E+02;"CURR:AC"');
    expect(ask(":SENS:FUNC 'volt:dc';:SENS:FUNC?;:volt:dc:aver:tcon moving;:volt:dc:AVER:TCON?")).toBe('"VOLT:DC";MOV');
  });
});
