import { describe, expect, test } from 'vitest';
import scanner from '../../drivers/keithley-7001.ts';
import simulated from '../../simulators/keithley-7001.ts';
import { dac } from '../../simulators/worlds/dac.ts';
import { Refused } from '../../src/instrument.ts';
import { asking } from './bench-ask.ts';
import { place } from './place.ts';
import { runAsks } from './run-asks.ts';

const laboratory = (options = {}) => {
  const bench = place(scanner, simulated, [{ name: 'scan', options }]);
  const [unit] = bench.units;
  bench.clock.advance(3);
  const now = (channel: string) => unit.readings.findLast((r) => r.from === `scan.${channel}`);
  return { ...bench, unit, now, ask: asking(bench), world: bench.all.of(dac) };
};

describe('options', () => {
  test('name the channels that are closed together', () => {
    const parsed = scanner.options.parse({ arrangements: { a: ['1!4', '1!1'], long: ['2!1'] } });
    expect(parsed).not.toBeInstanceOf(Refused);
    if (parsed instanceof Refused) return;
    expect([...parsed.arrangements]).toEqual([
      ['a', ['1!1', '1!4']],
      ['long', ['2!1']],
    ]);
  });
  test.each([
    [{ arrangements: { a: [1, 4] } }, 'arrangements: a: must be a list of channels'],
    [{ arrangements: { open: ['1!1'] } }, '"open" cannot name an arrangement'],
    [{ arrangements: {} }, 'must be written as'],
    [{ settle: '5 V' }, 'must be a time'],
  ])('%j', (yaml, why) => expect(scanner.options.parse(yaml)).toMatchObject({ why: expect.stringContaining(why) }));
});

test('identify takes the 7001 and refuses others', () => {
  const identified = (idn: string) =>
    runAsks((main) => scanner.identify({ main }, { terminator: '\n', settle: 0, arrangements: new Map() }), { '*IDN?': idn });
  expect(identified('KEITHLEY INSTRUMENTS INC.,MODEL 7001,0654321,B03')).toMatchObject({ model: '7001' });
  expect(identified('KEITHLEY INSTRUMENTS INC.,MODEL 2000,1,A')).toBeInstanceOf(Refused);
});

describe('arrangements', () => {
  test('one after the other, with all open between, as van der Pauw needs them', () => {
    const { unit, now, world, sent } = laboratory();
    expect(now('arrangement')).toMatchObject({ value: 'a' });
    expect(world.probe.arrangement).toBe('a');
    const a = world.probe.resistance();
    sent();
    expect(unit.order('arrangement', 'b')).toBe('done');
    expect(sent()).toEqual([
      ':ROUT:OPEN ALL\n',
      ':ROUT:CLOS:STAT?\n',
      ':ROUT:CLOS:STAT?\n',
      ':ROUT:CLOS (@1!2,1!3)\n',
      ':ROUT:CLOS:STAT?\n',
      ':ROUT:CLOS:STAT?\n',
    ]);
    expect(now('arrangement')).toMatchObject({ value: 'b' });
    expect(now('closed')).toMatchObject({ value: '1!2 1!3' });
    const b = world.probe.resistance();
    // exp(-pi Ra/Rs) + exp(-pi Rb/Rs) = 1
    const sheet = world.sampleResistivity / (2.5e-6 * Math.cbrt(1));
    expect(Math.exp((-Math.PI * a) / sheet) + Math.exp((-Math.PI * b) / sheet)).toBeCloseTo(1, 1);
    expect(unit.order('arrangement', 'open')).toBe('done');
    expect(world.probe.volts(1e-3, 0)).toBeUndefined();
    expect(now('closed')).toMatchObject({ value: 'none' });
  });
  test('what the rig has not named is bad, and connects nothing', () => {
    const { ask, now, clock, world } = laboratory();
    ask(':ROUT:CLOS (@1!2)');
    clock.advance(2);
    expect(now('arrangement')).toMatchObject({
      quality: 'bad',
      why: 'channels 1!1, 1!2, 1!4 are closed, which is no arrangement of the rig',
    });
    expect(world.probe.arrangement).toBe('open');
  });
  test('a relay that does not open lets nothing more be closed', () => {
    const { unit, exchange, state } = (() => {
      const lab = laboratory();
      return { ...lab, state: lab.unit.state as { closed: readonly string[] } };
    })();
    Object.defineProperty(state, 'closed', { get: () => ['1!1'], set: () => {} });
    expect(exchange).toBeDefined();
    expect(unit.order('arrangement', 'b')).toBe('channels 1!1 stay closed: nothing more is closed');
  });
});

describe('the simulator', () => {
  test('tells single channels, ranges and errors', () => {
    const { ask } = laboratory();
    expect(ask(':ROUT:OPEN ALL;:ROUT:CLOS (@1!1:1!3,2!40);:ROUT:CLOS:STAT?')).toBe('(@1!1,1!2,1!3,2!40)');
    expect(ask(':CLOS? (@1!1,1!5);:OPEN? (@1!1)')).toBe('1,0;0');
    expect(ask(':OPEN (@1!2);:CLOS:STAT?')).toBe('(@1!1,1!3,2!40)');
    expect(ask(':CLOS (@3!1);:SYST:ERR?')).toBe('-222,"Parameter data out of range"');
    expect(ask(':CLOS what;:SYST:ERR?')).toBe('-104,"Data type error"');
    expect(ask(':CLOSED (@1!1);:SYST:ERR?')).toBe('-113,"Undefined header"');
  });
});
