import { describe, expect, test } from 'vitest';
import operator from '../../drivers/operator.ts';
import { acquire } from '../../src/acquire.ts';
import { virtualClock } from '../../src/clock.ts';
import { ORDER } from '../../src/exchange.ts';
import type { Reading } from '../../src/reading.ts';
import { here, Refused } from '../../src/talk.ts';
import { runTalk } from '../../src/talk-run.ts';

const parsed = (values: unknown) => operator.options.parse({ values });
function bench(values: unknown) {
  const options = parsed(values);
  if (options instanceof Refused) throw new Error(options.why);
  const clock = virtualClock();
  const readings: Reading[] = [];
  const one = acquire({ name: 'hand', model: operator, options, roles: {}, origin: 'hardware' }, clock, {
    reading: (r) => readings.push(r),
    state: () => {},
  });
  clock.advance(1);
  const enter = (name: string, value: number, by: string, sigma?: number): void => {
    runTalk(
      one.commands[name].talk(one.actors, value, 0, { ...here, order: { by, sigma } }),
      { instrument: 'hand', by: `order:${name}`, urgency: ORDER, roles: {}, within: 1, clock, give: (v) => one.give(v) },
      () => {},
    );
  };
  return { one, readings, enter };
}

test('before it is entered a value is bad, and says so', () => {
  const { one, readings } = bench({ thickness: { unit: 'um' } });
  expect(one.state).toEqual({ is: 'running' });
  expect(one.channels).toEqual({ thickness: 'm' });
  expect(readings).toMatchObject([{ from: 'hand.thickness', quality: 'bad', why: 'not entered yet', kind: 'm' }]);
});

test('an entered value carries its uncertainty, common to all that is made with it, and who entered it', () => {
  const { one, readings, enter } = bench({ thickness: { unit: 'um', about: 'sample', limits: ['1 um', 50] } });
  expect(one.commands.thickness).toMatchObject({ takes: 'm', limits: [1e-6, 50e-6], about: 'sample' });
  enter('thickness', 12e-6, 'ada', 1e-6);
  expect(readings.at(-1)).toMatchObject({
    quality: 'good',
    value: 12e-6,
    why: 'entered by ada',
    sigma: { random: 0, shared: { thickness: 1e-6 } },
    seq: 1,
  });
});

test.each([
  ['12 um +- 1 um', 12e-6, 1e-6],
  ['12 um ± 500 nm', 12e-6, 5e-7],
  ['12 +- 1 um', 12e-6, 1e-6],
  ['1.2e1 +- 1e0 um', 12e-6, 1e-6],
  ['-12 um +- 1 um', -12e-6, 1e-6],
])('%s', (value, si, sigma) => {
  const options = parsed({ a: { unit: 'um', value } });
  expect(options).toMatchObject({ values: { a: { value: expect.closeTo(si, 15), sigma: expect.closeTo(sigma, 15) } } });
});

test('a spread in °C is a difference', () => {
  expect(parsed({ a: { unit: '°C', value: '20 °C +- 1 °C' } })).toMatchObject({ values: { a: { value: 293.15, sigma: 1 } } });
});

test('a value in the rig is known from the beginning', () => {
  const { readings } = bench({ thickness: { unit: 'um', value: '12 um +- 1 um', by: 'ada' }, factor: { unit: 1, value: 0.5 } });
  expect(readings).toMatchObject([
    { quality: 'good', value: 12e-6, why: 'entered by ada', sigma: { random: 0, shared: { thickness: 1e-6 } } },
    { from: 'hand.factor', kind: '1', quality: 'good', value: 0.5 },
  ]);
  expect(readings[1]).not.toHaveProperty('sigma');
});

describe('what is wrong in the rig is said', () => {
  test.each([
    [undefined, /values: is needed/],
    [{}, /is needed/],
    [{ 'a b': { unit: 'm' } }, /"a b" is no name/],
    [{ a: 12 }, /a is written as/],
    [{ a: { about: 'x' } }, /a needs a unit/],
    [{ a: { unit: 'furlong' } }, /the unit "furlong" is not known/],
    [{ a: { unit: 'm', valeu: 1 } }, /a has no "valeu"; known are unit, about, limits, value, by/],
    [{ a: { unit: 'm', value: '2 bar' } }, /a value: "2 bar" is in Pa, not in m/],
    [{ a: { unit: 'm', value: '2 m +- 1 K' } }, /the uncertainty in .* is in K, the value in m/],
    [{ a: { unit: 'm', limits: [2, 1] } }, /limits must rise/],
    [{ a: { unit: 'm', limits: [0, 1], value: 2 } }, /outside of its limits/],
    [{ a: { unit: 'm', by: 7 } }, /by must be a name/],
  ])('%j', (values, message) => {
    const refused = parsed(values);
    expect(refused).toBeInstanceOf(Refused);
    expect((refused as Refused).why).toMatch(message); // it is one, see the line above
  });
});
