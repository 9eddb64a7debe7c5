import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import pace from '../../drivers/druck-pace.ts';
import simulated, { approach } from '../../simulators/druck-pace.ts';
import { dac } from '../../simulators/worlds/dac.ts';
import { Refused } from '../../src/instrument.ts';
import { place } from './place.ts';

const controller = (simulate = {}, options = {}) => {
  const bench = place(pace, simulated, [{ name: 'gas', simulate, options }]);
  const [unit] = bench.units;
  // The state of the simulator above.
  const state = unit.state as ReturnType<typeof simulated.state>;
  bench.clock.advance(3);
  return { ...bench, unit, state, now: unit.acquired.latest, world: bench.all.of(dac) };
};
const OPTIONS = { terminator: '\n', vent_below: 5e5 };
const ID = { model: '', serial: '', firmware: '', full: [-1e5, 210e5] as const };

describe('identify', () => {
  test('reads model and full scale, in whatever unit the panel shows', () => {
    for (const unit of ['BAR', 'PSI', 'MPA', 'PA']) {
      const { unit: u, now } = controller({ unit });
      expect(u.acquired.state).toEqual({ is: 'running' });
      expect(u.acquired.id).toEqual({ model: 'Pace5000 User Interface', serial: '3258350', firmware: '02.02.14', full: [-1e5, 210e5] });
      expect(u.acquired.commands.pressure.limits).toEqual([-1e5, 210e5]);
      expect(now('pressure')).toMatchObject({ quality: 'good', kind: 'Pa', value: expect.closeTo(0, -2) });
      expect(now('unit')).toMatchObject({ value: unit });
    }
  });

  const identified = (idn: string, full = ':INST:SENS:FULL 70.0, -1.0', unit = ':UNIT:PRES BAR') => {
    const main = {
      // biome-ignore lint/correctness/useYield: answers at once
      *ask(q: string) {
        return q === '*IDN?' ? idn : `${full};${unit}`;
      },
    };
    return pace.identify({ main }, OPTIONS).next().value;
  };

  test("takes the makers' names and one or two full scales", () => {
    expect(identified('*IDN GE Druck,PACE5000,10388796,DK0367  v02.02.14')).toMatchObject({ full: [-1e5, 70e5] });
    expect(identified('GE,Pace6000,204683,1.01A', ':INST:SENS:FULL 7.0', ':UNIT:PRES MPA')).toMatchObject({ full: [0, 70e5] });
  });

  test('refuses others', () => {
    for (const idn of ['KEITHLEY,2182A,1,2', 'GE Druck,PACE1000,1,2', 'Acme,PACE5000,1,2']) expect(identified(idn)).toBeInstanceOf(Refused);
    expect(identified('GE Druck,PACE5000,1,2', undefined, ':UNIT:PRES INH2O4')).toMatchObject({ why: expect.stringContaining('"INH2O4"') });
    expect(identified('GE Druck,PACE5000,1,2', ':INST:SENS:FULL none')).toMatchObject({ why: '"none" is no full scale' });
  });
});

test('every example means what it says', () => {
  for (const poll of pace.body(OPTIONS, ID).polls ?? []) expect(poll.read(poll.example[0], { asked: 0, t: 0 })).toEqual(poll.example[1]);
});

describe('options', () => {
  test('take a pressure for the vent', () => {
    expect(pace.options.parse({ vent_below: '2 bar', terminator: 'CR' })).toEqual({ vent_below: 2e5, terminator: '\r' });
    expect(pace.options.parse(undefined)).toEqual({ vent_below: 5e5, terminator: '\n' });
    for (const wrong of [5, '5 s', '-1 bar', 'much', true]) expect(pace.options.parse({ vent_below: wrong })).toBeInstanceOf(Refused);
  });
});

describe('readings', () => {
  test('a unit changed at the front panel changes no value', () => {
    const { world, state, now, clock } = controller();
    world.membranePressure = 34.5e5;
    for (const unit of ['PSI', 'MPA', 'TORR', 'ATM', 'BAR'] as const) {
      state.unit = unit;
      clock.advance(6);
      expect(now('unit')).toMatchObject({ value: unit });
      expect(now('pressure')).toMatchObject({ value: expect.closeTo(34.5e5, -2) });
      expect(now('source_pressure')).toMatchObject({ value: expect.closeTo(250e5, -1) });
      expect(now('slew')).toMatchObject({ kind: 'Pa/s', value: expect.closeTo(1e5, 0) });
    }
  });

  const read = (n: number, reply: string) => pace.body(OPTIONS, ID).polls?.[n].read(reply, { asked: 0, t: 0 });

  test('an unknown unit is bad, not a guess', () => {
    expect(read(0, ':SENS:PRES 1.234;:UNIT:PRES INH2O4')).toMatchObject({
      pressure: { quality: 'bad', why: expect.stringContaining('INH2O4') },
    });
  });

  test('an answer missing or at a wrong place is found', () => {
    expect(() => read(0, ':SENS:PRES 1.234')).toThrow('1 answers to 2 questions');
    expect(() => read(0, ':UNIT:PRES BAR;:SENS:PRES 1.234')).toThrow(':UNIT:PRES came for :SENS:PRES?');
    expect(read(2, ':OUTP:STAT 2;:SOUR:PRES:LEV:IMM:AMPL:VENT 7;:SOUR:PRES:EFF x;:SENS:PRES:INL 1.0')).toMatchObject({
      control: { quality: 'bad' },
      vent: { quality: 'bad', why: 'vent status "7" is not known' },
      effort: Number.NaN,
      in_limits: { quality: 'bad' },
    });
  });

  test('errors come out of the queue, all of them, once', () => {
    const { unit, exchange, clock } = controller();
    exchange.submit({
      instrument: 'gas',
      role: 'main',
      by: 'test',
      q: ':WRONG 1;:SOUR:PRES 1000;:OUTP:STAT 2',
      reply: false,
      within: 1,
      urgency: 1,
      done: () => {},
    });
    clock.advance(4);
    const errors = unit.readings.filter((r) => r.from === 'gas.error').map((r) => (r.quality === 'bad' ? r.why : r.value));
    expect(errors.slice(-2)).toEqual(['-113 Undefined header; -222 Data out of range; -104 Data type error', 'none']);
  });
});

describe('orders', () => {
  test('ramp the membrane without overshoot, in the unit of the panel', () => {
    const { unit, now, world, clock, sent, state } = controller();
    expect(unit.order('slew_mode', 'LIN')).toBe('done');
    expect(unit.order('slew', 2e5)).toBe('done');
    expect(unit.order('pressure', 20e5)).toBe('done');
    expect(now('set_point')).toMatchObject({ value: 20e5 });
    expect(world.membranePressure).toBe(0);
    expect(unit.order('control', true, { within: 5 })).toBe('done');
    expect(now('control')).toMatchObject({ value: true });
    expect(now('in_limits')).toMatchObject({ value: false });
    expect(world.membranePressure).toBeGreaterThan(7e5);
    expect(world.membranePressure).toBeLessThan(10.1e5);
    const effort = now('effort');
    expect(effort).toMatchObject({ kind: '1', value: expect.closeTo(0.0506, 2) });
    clock.advance(15);
    expect(now('pressure')).toMatchObject({ value: expect.closeTo(20e5, -3) });
    expect(now('in_limits')).toMatchObject({ value: true });
    const highest = Math.max(...unit.readings.map((r) => (r.from === 'gas.pressure' && r.quality === 'good' ? Number(r.value) : 0)));
    expect(highest).toBeLessThan(20e5 + 50);
    expect(world.samplePressure).toBeGreaterThan(10e9);
    state.unit = 'MPA';
    expect(unit.order('pressure', 21e5)).toBe('done');
    expect(unit.order('control', false)).toBe('done');
    clock.advance(10);
    expect(world.membranePressure).toBeLessThan(21e5 + 1);
    expect(sent()).toEqual([
      ':SOUR:PRES:SLEW:MODE LIN\n',
      ':UNIT:PRES?;:UNIT:PRES?\n',
      ':SOUR:PRES:SLEW 2.0000000\n',
      ':UNIT:PRES?;:UNIT:PRES?\n',
      ':SOUR:PRES:LEV:IMM:AMPL 20.0000000\n',
      ':OUTP:STAT 1\n',
      ':UNIT:PRES?;:UNIT:PRES?\n',
      ':SOUR:PRES:LEV:IMM:AMPL 2.1000000\n',
      ':OUTP:STAT 0\n',
    ]);
  });

  test('the vent is refused above its limit', () => {
    const { unit, world, now, sent } = controller({}, { vent_below: '3 bar' });
    world.membranePressure = 3.2e5;
    expect(unit.order('vent')).toMatch(/^no vent at (319\.9|320)\S* kPa: the limit is 300 kPa$/);
    expect(sent()).toEqual([':SENS:PRES?;:UNIT:PRES?\n']);
    world.membranePressure = 2.9e5;
    expect(unit.order('vent', undefined, { within: 1.5 })).toBe('done');
    expect(now('vent')).toMatchObject({ value: 'venting' });
    expect(world.membranePressure).toBeLessThan(2e5);
    unit.order('slew', 1e5);
    expect(now('vent')).toMatchObject({ value: 'vented' });
    expect(world.membranePressure).toBe(0);
    expect(sent().slice(0, 4)).toEqual([
      ':SENS:PRES?;:UNIT:PRES?\n',
      ':SENS:PRES?;:UNIT:PRES?\n',
      ':SOUR:PRES:LEV:IMM:AMPL:VENT 1\n',
      ':SOUR:PRES:LEV:IMM:AMPL:VENT?\n',
    ]);
  });

  test('a vent can be given up', () => {
    const { unit, world, now, clock } = controller();
    world.membranePressure = 4e5;
    unit.order('vent', undefined, { within: 0.6 });
    expect(unit.order('vent_abort', undefined, { within: 1.5 })).toBe('done');
    const left = world.membranePressure;
    expect(left).toBeGreaterThan(0.5e5);
    clock.advance(2);
    expect(world.membranePressure).toBe(left);
    expect(now('vent')).toMatchObject({ value: 'idle' });
  });

  test('a setting is not sent in a unit that is not known', () => {
    const { unit, state, sent } = controller();
    const panel: { unit: string } = state;
    panel.unit = 'USER1';
    expect(unit.order('pressure', 1e5)).toMatch(/^the controller shows "USER1"; units known here are PA, /);
    expect(sent()).toEqual([':UNIT:PRES?;:UNIT:PRES?\n']);
  });

  test('the safe value is the first message, alone', () => {
    const { unit, sent, link } = controller();
    expect(Object.entries(unit.acquired.commands).filter(([, c]) => c.safe !== undefined)).toMatchObject([['control', { safe: false }]]);
    sent();
    expect(unit.order('control', unit.acquired.commands.control.safe, { safe: true })).toBe('done');
    expect(sent()).toEqual([':OUTP:STAT 0\n']);
    link.plug(false);
    expect(unit.order('control', false)).toBe('link down');
  });
});

test('keeps the pace that the controller wants', () => {
  const { unit, now, exchanged, exchange } = controller({ pace: 100 });
  expect(unit.acquired.state).toEqual({ is: 'running' });
  expect(unit.order('pressure', 5e5)).toBe('done');
  expect(now('set_point')).toMatchObject({ quality: 'good', value: 5e5 });
  expect(exchange.stats.timeouts).toBe(0);
  const gaps = exchanged.slice(1).map((e, i) => e.asked - exchanged[i].asked);
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(100_000);
});

test.each(['CR', 'LF', 'CRLF'])('lines end in %s where the rig says so', (terminator) => {
  const { now } = controller({}, { terminator });
  expect(now('pressure')).toMatchObject({ quality: 'good' });
});

describe('the simulator, to others', () => {
  const talk = (simulate = {}) => {
    const { clock, all } = place(pace, simulated, [{ name: 'a' }]);
    const device = all.device('b', simulated, simulate);
    return {
      clock,
      ask: (line: string): string => new TextDecoder().decode(device.ask('main', new TextEncoder().encode(`${line}\n`))).trimEnd(),
    };
  };

  test('echoes whole headers in their short form', () => {
    const { ask } = talk();
    expect(ask('*IDN?')).toBe('*IDN GE Druck,Pace5000 User Interface,3258350,02.02.14');
    expect(ask(':SOURce:PRESsure?')).toBe(':SOUR:PRES:LEV:IMM:AMPL 0.0000000');
    expect(ask('sour1:pres:comp2?')).toBe(':SOUR1:PRES:COMP2 -0.9500000');
    expect(ask(':SOUR:PRES:COMP?')).toBe(':SOUR:PRES:COMP 250.0000000');
    expect(ask(':INST:SENS:FULL?')).toBe(':INST:SENS:FULL 210.0000000, -1.0000000');
    expect(ask(':OUTP1:STAT 1;:OUTP1:STAT?')).toBe(':OUTP1:STAT 1');
    expect(ask(':SOUR:PRES:SLEW:MODE LIN;OVER 0;OVER?;MODE?')).toBe(':SOUR:PRES:SLEW:OVER 0;:SOUR:PRES:SLEW:MODE LIN');
    expect(ask(':INST:SN1?;:INST:SN2?')).toBe(':INST:SN1 3258350;:INST:SN2 10388796');
    expect(ask(':SENS:PRES:INL?')).toMatch(/^:SENS:PRES:INL -?0\.0{5}\d\d, 0$/);
    expect(ask(':UNIT:PRES psi;:UNIT:PRES?')).toBe(':UNIT:PRES PSI');
    expect(ask(':SYST:ERR?')).toBe(':SYST:ERR 0,"No error"');
  });

  test('keeps five errors and answers nothing to what it does not know', () => {
    const { ask } = talk();
    expect(ask(':NO:SUCH?')).toBe('');
    ask(':SENS2:PRES?');
    ask(':SENS:PRES 3');
    ask(':SYST:ERR 3');
    ask(':SOUR:PRES 400;:SOUR:PRES');
    ask(':UNIT:PRES ELL');
    const queue = Array.from({ length: 6 }, () => ask(':SYST:ERR?').replace(':SYST:ERR ', ''));
    expect(queue).toEqual([
      '-113,"Undefined header"',
      '-114,"Header suffix out of range"',
      '201,"Query only"',
      '201,"Query only"',
      '-350,"Queue overflow"',
      '0,"No error"',
    ]);
    ask(':LOC?');
    expect(ask(':SYST:ERR?')).toBe(':SYST:ERR 202,"No query allowed"');
    ask(':UNIT:PRES ELL');
    ask('*CLS');
    expect(ask(':SYST:ERR?')).toBe(':SYST:ERR 0,"No error"');
  });
});

test('the approach does not depend on the size of the tick and never overshoots', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -10, max: 200 }),
      fc.integer({ min: -10, max: 200 }),
      fc.integer({ min: 0, max: 50 }),
      (p, target, rate) => {
        let fine = p;
        for (let i = 0; i < 100; i++) {
          fine = approach(fine, target, rate, 0.02);
          expect((fine - target) * (p - target)).toBeGreaterThanOrEqual(0);
        }
        expect(approach(p, target, rate, 2)).toBeCloseTo(fine, 6);
      },
    ),
  );
});

test('the approach is linear and then soft', () => {
  expect(approach(0, 100, 10, 9.7)).toBeCloseTo(97, 9);
  expect(approach(0, 100, 10, 10)).toBeCloseTo(100 - 3 * Math.exp(-1), 9);
  expect(approach(5, 2, 0, 10)).toBe(5);
});
