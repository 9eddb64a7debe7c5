import { describe, expect, test } from 'vitest';
import ylr from '../../drivers/ipg-ylr.ts';
import simulated from '../../simulators/ipg-ylr.ts';
import { dac } from '../../simulators/worlds/dac.ts';
import { place } from './place.ts';

const laser = (simulate = {}, options = {}) => {
  const bench = place(ylr, simulated, [{ name: 'laser', simulate, options }], { baud: 57600 });
  const [unit] = bench.units;
  // The state of the simulator above.
  const state = unit.state as ReturnType<typeof simulated.state>;
  bench.clock.advance(1);
  return { ...bench, unit, state, now: unit.acquired.latest, world: bench.all.of(dac) };
};

describe('identify', () => {
  test('takes a YLR by its model number', () => {
    const { unit } = laser();
    expect(unit.acquired.state).toEqual({ is: 'running' });
    expect(unit.acquired.id).toEqual({ family: 'ylr', model: 'YLR-100-SM-CS', firmware: '1.0.53' });
  });

  test('refuses a YAR amplifier and says why', () => {
    const { unit, sent } = laser({ family: 'yar' });
    expect(unit.acquired.state).toMatchObject({ is: 'refused', why: expect.stringMatching(/YAR-10K-1064-LP-SF.*another status word/) });
    expect(unit.acquired.commands).toEqual({});
    expect(sent(true).filter((line) => !/^(RFV|RMN)\r$/.test(line))).toEqual([]);
  });

  /** The answers of a laser by command; others are refused, as lasers do. */
  const identified = (answers: Readonly<Record<string, string>>) => {
    const asked: string[] = [];
    const main = {
      // biome-ignore lint/correctness/useYield: answers at once
      *ask(q: string) {
        asked.push(q);
        return answers[q] ?? 'ERR: Invalid command';
      },
    };
    const end = ylr.identify({ main }, { terminator: '\r' }).next();
    return { asked, end };
  };

  test('without a model number goes by the unit of the least set point', () => {
    expect(identified({ RFV: 'RFV: 3.2', RNC: 'RNC: 10.0' }).end).toMatchObject({ done: true, value: { family: 'ylr', firmware: '3.2' } });
    expect(identified({ RFV: 'RFV: 3.2', RNC: 'RNC: 10.0', RNP: 'RNP: 1.0' }).end).toMatchObject({ value: { why: /watts/ } });
    expect(identified({ RFV: 'RFV: 3.2' }).end).toMatchObject({ value: { why: expect.stringContaining('neither RMN nor RNC') } });
  });

  test('refuses what it does not know', () => {
    expect(identified({ RFV: 'RFV: 3.2', RMN: 'RMN: YLS-4000' }).end).toMatchObject({
      value: { why: expect.stringContaining('YLS-4000') },
    });
    expect(identified({ RFV: 'RFV' }).end).toMatchObject({ value: { why: expect.stringContaining('no firmware version') } });
  });
});

test('every example means what it says', () => {
  const { polls } = ylr.body({ terminator: '\r' }, { family: 'ylr', model: '', firmware: '' });
  for (const poll of polls ?? []) expect(poll.read(poll.example[0], { asked: 0, t: 0 })).toEqual(poll.example[1]);
  expect(polls?.[0].example[1]).toMatchObject({
    emission: true,
    enabled: true,
    key_remote: true,
    over_temperature: false,
    starting: false,
  });
});

describe('readings', () => {
  const read = (reply: string) => {
    const poll = (ylr.body({ terminator: '\r' }, { family: 'ylr', model: '', firmware: '' }).polls ?? []).find((p) =>
      p.example[0].startsWith(reply.slice(0, 3)),
    );
    return poll?.read(reply, { asked: 0, t: 0 });
  };

  test.each([
    [1, 'over_temperature'],
    [2, 'emission'],
    [3, 'back_reflection'],
    [4, 'analog_control'],
    [6, 'module_disconnected'],
    [7, 'module_failed'],
    [8, 'aiming_beam'],
    [10, 'optical_interlock'],
    [11, 'power_supply_off'],
    [12, 'modulation'],
    [14, 'enabled'],
    [15, 'starting'],
    [17, 'unexpected_emission'],
    [21, 'key_remote'],
    [22, 'aiming_hardware_control'],
    [29, 'module_disabled'],
    [30, 'collimator_disconnected'],
  ])('bit %i is %s alone', (bit, name) => {
    const on = Object.entries(read(`STA: ${2 ** bit}`) ?? {}).filter(([, value]) => value === true);
    expect(on).toEqual([[name, true]]);
  });

  test('a word with bit 31 does not turn others', () => {
    expect(read(`STA: ${2 ** 31 + 4}`)).toMatchObject({ emission: true, collimator_disconnected: false });
  });

  test('Off is dark, Low is not to be trusted', () => {
    expect(read('ROP: Off')).toEqual({ output_power: 0, output: 'off' });
    expect(read('ROP: Low')).toEqual({
      output_power: { quality: 'suspect', value: 0, why: "below the meter's range" },
      output: 'low',
    });
    expect(read('ROP: 87.4')).toEqual({ output_power: 87.4, output: 'on' });
  });

  test('an error reply is bad with its text, nonsense is no number', () => {
    expect(read('STA: 4')).toMatchObject({ emission: true });
    expect(read('RCT: 2x')).toEqual({ temperature: Number.NaN });
    expect(() => read('STA: -3')).toThrow('"-3" is no status word');
    const poll = ylr.body({ terminator: '\r' }, { family: 'ylr', model: '', firmware: '' }).polls?.[1];
    expect(poll?.read('ERR: Busy', { asked: 0, t: 0 })).toMatchObject({
      output_power: { quality: 'bad', why: 'the laser answers "Busy"' },
    });
  });
});

describe('orders', () => {
  test('light comes three seconds after emission, and goes at once', () => {
    const { unit, now, world, clock, sent } = laser();
    expect(now('output_power')).toMatchObject({ quality: 'good', value: 0 });
    expect(unit.order('current', 0.505, { within: 1.5 })).toBe('done');
    expect(now('set_point')).toMatchObject({ quality: 'good', kind: '1', value: 0.505 });
    expect(unit.order('emission', true, { within: 2.5 })).toBe('done');
    expect(now('starting')).toMatchObject({ value: true });
    expect(now('emission')).toMatchObject({ value: false });
    expect(world.sampleTemperature).toBeLessThan(300);
    clock.advance(1.5);
    expect(now('emission')).toMatchObject({ value: true });
    expect(now('starting')).toMatchObject({ value: false });
    expect(now('output_power')).toMatchObject({ kind: 'W', quality: 'good', value: expect.closeTo(45, -0.5) });
    expect(now('diode_current')).toMatchObject({ kind: 'A', quality: 'good' });
    expect(now('temperature')).toMatchObject({ kind: 'K', quality: 'good' });
    expect(world.sampleTemperature).toBeGreaterThan(1500);
    expect(unit.order('emission', false, { within: 0.6, safe: true })).toBe('done');
    expect(world.sampleTemperature).toBeLessThan(400);
    clock.advance(3);
    expect(now('emission')).toMatchObject({ value: false });
    expect(now('output')).toMatchObject({ value: 'off' });
    expect(sent()).toEqual(['SDC 50.5\r', 'EMON\r', 'EMOFF\r']);
  });

  test('an off during the delay cancels it', () => {
    const { unit, now, clock } = laser();
    unit.order('current', 1);
    unit.order('emission', true, { within: 1 });
    unit.order('emission', false, { within: 1 });
    clock.advance(5);
    expect(now('emission')).toMatchObject({ value: false });
    expect(now('starting')).toMatchObject({ value: false });
  });

  test('the light just above the threshold is low', () => {
    const { unit, now } = laser();
    unit.order('current', 0.1);
    unit.order('emission', true);
    expect(now('output_power')).toMatchObject({ quality: 'suspect', value: 0 });
    expect(now('output')).toMatchObject({ value: 'low' });
  });

  test('what the laser refuses fails with its words', () => {
    const { unit, state, now, clock } = laser();
    expect(unit.order('current', 0.05)).toBe('the laser refuses SDC 5.0: Out of range');
    state.faults.add(10);
    expect(unit.order('emission', true)).toBe('the laser refuses EMON: Emission cannot be turned on: error present');
    expect(now('optical_interlock')).toMatchObject({ value: true });
    state.faults.delete(10);
    state.faults.add(3);
    expect(unit.order('clear_errors')).toBe('done');
    expect(unit.order('emission', true)).toBe('done');
    expect(now('emission')).toMatchObject({ value: true });
    state.faults.add(1);
    clock.advance(0.5);
    expect(now('emission')).toMatchObject({ value: false });
    expect(now('over_temperature')).toMatchObject({ value: true });
  });

  test('flags read back', () => {
    const { unit, now, sent } = laser();
    for (const [command, channel] of [
      ['aiming_beam', 'aiming_beam'],
      ['external_control', 'analog_control'],
      ['modulation', 'modulation'],
      ['external_aiming', 'aiming_hardware_control'],
    ]) {
      expect(unit.order(command, true)).toBe('done');
      expect(now(channel)).toMatchObject({ value: true });
    }
    expect(unit.order('current', 0.5)).toBe('the laser refuses SDC 50.0: External control is enabled');
    for (const command of ['external_aiming', 'modulation', 'external_control', 'aiming_beam', 'hardware_emission']) {
      expect(unit.order(command, false)).toBe('done');
    }
    expect(unit.order('filter_window', 1.5)).toBe('done');
    expect(sent()).toEqual(
      ['ABN', 'EEC', 'EMOD', 'EEABC', 'SDC 50.0', 'DEABC', 'DMOD', 'DEC', 'ABF', 'DLE', 'SFWS 1.50'].map((line) => `${line}\r`),
    );
  });

  test('safe values are one message without a question before it, answered or not', () => {
    const { unit, link, sent } = laser();
    expect(Object.entries(unit.acquired.commands).filter(([, c]) => c.safe !== undefined)).toHaveLength(2);
    sent();
    unit.order('emission', unit.acquired.commands.emission.safe, { safe: true });
    unit.order('current', unit.acquired.commands.current.safe, { safe: true });
    expect(sent()).toEqual(['EMOFF\r', 'SDC 0.0\r']);
    link.plug(false);
    expect(unit.order('emission', false)).toBe('link down');
  });
});

test('a silent laser gives bad readings with a reason, and comes back', () => {
  const { link, now, clock, unit } = laser();
  link.plug(false);
  clock.advance(1);
  expect(now('emission')).toMatchObject({ quality: 'bad', why: expect.stringContaining('link down') });
  link.plug(true);
  clock.advance(4);
  expect(unit.acquired.state).toEqual({ is: 'running' });
  expect(now('emission')).toMatchObject({ quality: 'good', value: false });
});

test('another line end', () => {
  const { unit } = laser({}, { terminator: 'LF' });
  expect(unit.acquired.state).toEqual({ is: 'running' });
});

describe('the simulator, to others', () => {
  const talk = (simulate = {}) => {
    const { clock, all } = place(ylr, simulated, [{ name: 'a' }]);
    const device = all.device('b', simulated, simulate);
    return {
      clock,
      ask: (line: string): string => {
        const bytes = device.ask('main', new TextEncoder().encode(line));
        return new TextDecoder().decode(bytes);
      },
    };
  };

  test("answers in the manual's form, in letters of either case", () => {
    const { ask } = talk({ power: 200 });
    expect(ask('sdc 20.00\r')).toBe('SDC: 20.0\r');
    expect(ask('SDC30\r')).toBe('SDC: 30.0\r');
    expect(ask('RCS\r\n')).toBe('RCS: 30.0\r');
    expect(ask('ROP\r')).toBe('ROP: Off\r');
    expect(ask('RERR\r')).toBe('RERR\r');
    expect(ask('RMN\r')).toBe('RMN: YLR-200-SM-CS\r');
    expect(ask('STA\r')).toBe(`STA: ${2 ** 14 + 2 ** 21}\r`);
    expect(ask('SDC 101\r')).toMatch(/^ERR: /);
    expect(ask('XYZ\r')).toMatch(/^ERR: /);
    expect(ask('RNP\r')).toMatch(/^ERR: /);
  });

  test("as a YAR it has that family's words and bits", () => {
    const { ask, clock } = talk({ family: 'yar' });
    expect([ask('RNP\r'), ask('RMP\r'), ask('RDPT\r')]).toEqual(['RNP: 1.0\r', 'RMP: 100.0\r', 'RDPT: 0.1\r']);
    expect(ask('SPS 5\r')).toBe('SPS: 5.0\r');
    expect(ask('EMON\r')).toBe('EMON\r');
    expect(ask('STA\r')).toBe('STA: 2\r');
    clock.advance(3.1);
    expect(ask('STA\r')).toBe('STA: 1\r');
    expect(Number(ask('ROP\r').slice(5))).toBeCloseTo(5, 0);
    expect(ask('RCS\r')).toMatch(/^ERR: /);
  });
});
