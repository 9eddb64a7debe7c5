import { describe, expect, test } from 'vitest';
import { highVoltage, kill } from '../../simulators/worlds/high-voltage.ts';

const place = (ohms = 1e7) => {
  const world = highVoltage.make(1);
  const output = world.output('a', ohms);
  Object.assign(output, { target: 1000, up: 100, down: 200, limit: 1e-3 });
  const pass = (seconds: number): void => {
    for (let i = 0; i < Math.round(seconds / highVoltage.tick); i++) world.step(highVoltage.tick);
  };
  return { world, output, pass };
};

describe('an output', () => {
  test('moves at its rates, and its load takes what Ohm and the leak say', () => {
    const { output, pass } = place();
    pass(5);
    expect(output.volts).toBeCloseTo(500, 9);
    expect(output.amps).toBeCloseTo(500 / 1e7 + 1e-9, 15);
    pass(10);
    expect(output.volts).toBe(1000);
    output.target = 0;
    pass(2);
    expect(output.volts).toBeCloseTo(600, 9);
    pass(4);
    expect([output.volts, output.amps, output.limited]).toEqual([0, 0, false]);
  });

  test('is held at its limit, and goes on from there at its rate', () => {
    const { output, pass } = place(1e5);
    pass(20);
    expect(output.limited).toBe(true);
    expect(output.amps).toBe(1e-3);
    expect(output.volts).toBeCloseTo((1e-3 - 1e-9) * 1e5, 9);
    output.limit = 0.1;
    pass(1);
    expect(output.volts).toBeCloseTo(200, 3);
    expect(output.limited).toBe(false);
  });

  test('a spark burns for so long, beside the load', () => {
    const { output, pass } = place();
    pass(15);
    output.spark = { ohms: 1e5, seconds: 0.5 };
    pass(0.3);
    const parallel = (1e7 * 1e5) / (1e7 + 1e5);
    expect(output.volts).toBeCloseTo((1e-3 - 1e-9) * parallel, 6);
    expect(output.limited).toBe(true);
    pass(0.4);
    expect(output.limited).toBe(false);
    expect(output.volts).toBeLessThan(150);
  });

  test('a kill takes it away at once', () => {
    const { output, pass } = place();
    pass(15);
    kill(output);
    expect([output.volts, output.target]).toEqual([0, 0]);
  });

  test('is made once, with its load; noise depends on seed, name and tick', () => {
    const { world, output, pass } = place(5);
    expect(world.output('a', 7)).toBe(output);
    expect(output.ohms).toBe(5);
    const before = world.noise('x');
    expect(world.noise('x')).toBe(before);
    pass(0.1);
    expect(world.noise('x')).not.toBe(before);
    expect(highVoltage.make(2).noise('x')).not.toBe(highVoltage.make(1).noise('x'));
  });
});
