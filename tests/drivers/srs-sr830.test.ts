import { describe, expect, test } from 'vitest';
import sr830 from '../../drivers/srs-sr830.ts';
import simulated from '../../simulators/srs-sr830.ts';
import { dac } from '../../simulators/worlds/dac.ts';
import { Refused } from '../../src/instrument.ts';
import { place } from './place.ts';
import { runAsks } from './run-asks.ts';

const OPTIONS = { terminator: '\n', every: 0.2, auto_range: 'off', noise: undefined } as const;
const ID = { model: 'SR830', serial: '', firmware: '' };

function amplifier(options = {}, simulate = {}, line = {}) {
  const bench = place(sr830, simulated, [{ name: 'lia', options, simulate }], line);
  const [unit] = bench.units;
  // The state of the simulator above.
  const state = unit.state as ReturnType<typeof simulated.state>;
  bench.clock.advance(3);
  const last = (channel: string) => unit.readings.filter((r) => r.from === `lia.${channel}`).at(-1);
  const whys = (channel: string) =>
    unit.readings
      .flatMap((r) => (r.from === `lia.${channel}` && r.quality === 'bad' ? [r.why] : []))
      .filter((w, i, all) => w !== all[i - 1]);
  return { ...bench, unit, state, last, whys, now: unit.acquired.latest, world: bench.all.of(dac) };
}
/** Volt rms in phase at the voltage contacts, from a sine output of so many volt through the resistor of 1 kOhm. */
const expected = (world: ReturnType<typeof amplifier>['world'], amplitude: number, f = 1000) =>
  world.probe.phasor(amplitude / (1050 + world.probe.path()), f, 1);

describe('identify', () => {
  test('takes an SR830 and no other', () => {
    const identified = (idn: string) => runAsks((main) => sr830.identify({ main }, OPTIONS), { '*IDN?': idn });
    expect(identified('Stanford_Research_Systems,SR830,s/n54321,ver1.07')).toEqual({
      model: 'SR830',
      serial: 's/n54321',
      firmware: 'ver1.07',
    });
    for (const other of ['Stanford_Research_Systems,SR860,1,v1.5', 'KEITHLEY,SR830,1,2', 'nonsense'])
      expect(identified(other)).toEqual(new Refused(`"${other}" is not a Stanford Research SR830`));
  });
});

describe('options', () => {
  test('take a time between readings and say what is wrong', () => {
    expect(sr830.options.parse(undefined)).toEqual(OPTIONS);
    expect(sr830.options.parse({ every: '50 ms', auto_range: 'on', terminator: 'CR' })).toEqual({
      every: 0.05,
      auto_range: 'on',
      terminator: '\r',
    });
    for (const wrong of ['often', 0.001, '5 V', 1000, true])
      expect(sr830.options.parse({ every: wrong })).toMatchObject({ why: expect.stringContaining('"50 ms"') });
  });
});

describe('values', () => {
  test('are what the sample gives to the sine of the amplifier, and no bit is set', () => {
    const { unit, now, clock, world } = amplifier();
    expect(unit.order('amplitude', 1)).toBe('done');
    expect(unit.order('time_constant', 0.3)).toBe('done');
    clock.advance(10);
    const truth = expected(world, 1);
    expect(truth.x).toBeGreaterThan(3e-5);
    expect(now('x')).toMatchObject({ quality: 'good', kind: 'V', value: expect.closeTo(truth.x, 7) });
    expect(now('y')).toMatchObject({ quality: 'good', value: expect.closeTo(truth.y, 7) });
    expect(now('r')).toMatchObject({ value: expect.closeTo(Math.hypot(truth.x, truth.y), 7) });
    expect(now('phase')).toMatchObject({ kind: 'rad', value: expect.closeTo(Math.atan2(truth.y, truth.x), 2) });
    expect(now('frequency')).toMatchObject({ kind: '1/s', value: 1000 });
    for (const flag of ['input_overload', 'filter_overload', 'output_overload', 'unlocked'])
      expect(now(flag)).toMatchObject({ value: false });
    expect(now('noise_bandwidth')).toMatchObject({ value: 1 / 8 / 0.3 });
    expect(now('error')).toMatchObject({ value: 'none' });
  });

  test('r and phase are made of x and y where there is no time to ask for them', () => {
    const { now, clock, unit, sent } = amplifier({ every: '50 ms' });
    unit.order('amplitude', 2);
    clock.advance(3);
    const [x, y, r, phase] = ['x', 'y', 'r', 'phase'].map((c) => Number((now(c) as { value: unknown }).value));
    expect(r).toBeCloseTo(Math.hypot(x, y), 12);
    expect(phase).toBeCloseTo(Math.atan2(y, x), 12);
    expect(sent(true)).not.toContain('SNAP?1,2,3,4,9\n');
  });

  test('an overload latched since the last look makes them bad, and so do the time constants after it', () => {
    const { unit, clock, last, whys, now } = amplifier();
    unit.order('amplitude', 5);
    unit.order('sensitivity', 2e-6);
    clock.advance(3);
    expect(last('x')).toMatchObject({ quality: 'bad', why: expect.stringContaining('output overload') });
    expect(last('r')).toMatchObject({ quality: 'bad', why: expect.stringContaining('filter overload') });
    expect(now('output_overload')).toMatchObject({ value: true });
    expect(now('frequency')).toMatchObject({ quality: 'good' });
    expect(unit.order('sensitivity', 1e-3, { within: 0.5 })).toBe('done');
    expect(last('y')).toMatchObject({ quality: 'bad', why: expect.stringMatching(/^not settled after /) });
    clock.advance(2);
    expect(last('y')).toMatchObject({ quality: 'good' });
    expect(whys('x')).toEqual(expect.arrayContaining([expect.stringMatching(/overload/), expect.stringMatching(/^not settled/)]));
  });

  test('the reference unlocks after a change of frequency, and without an external one', () => {
    const { unit, clock, last, whys, now, world } = amplifier();
    expect(unit.order('frequency', 137.123456)).toBe('done');
    expect(now('frequency')).toMatchObject({ value: 137.12 });
    expect(whys('x').at(0)).toContain('not settled after a change of frequency');
    expect(unit.readings.some((r) => r.from === 'lia.x' && r.quality === 'bad' && r.why === 'reference unlocked')).toBe(true);
    expect(last('x')).toMatchObject({ quality: 'good' });
    expect(unit.order('reference', 'external')).toBe('done');
    clock.advance(5);
    for (const channel of ['x', 'y', 'r', 'phase', 'frequency'])
      expect(last(channel)).toEqual(expect.objectContaining({ quality: 'bad', why: 'reference unlocked' }));
    world.probe.drive('source', { ac: { rms: 1e-3, frequency: 77 } });
    clock.advance(5);
    expect(last('frequency')).toMatchObject({ quality: 'good', value: 77 });
    expect(last('x')).toMatchObject({ quality: 'good', value: expect.closeTo(world.probe.phasor(1e-3, 77, 1).x, 6) });
  });

  test('a current input gives no volts', () => {
    const { unit, last } = amplifier();
    expect(unit.order('input', 'I 1M')).toBe('done');
    expect(last('x')).toMatchObject({ quality: 'bad', why: 'the input measures a current, not a voltage' });
    expect(last('sensitivity')).toMatchObject({ quality: 'bad' });
  });

  test('something set at the front panel is seen, and waited for', () => {
    const { state, clock, whys, now } = amplifier();
    state.set.OFLT = 10;
    clock.advance(9);
    expect(now('time_constant')).toMatchObject({ value: 1 });
    expect(whys('x')).toContain('not settled after a change of its settings: that takes 7 s');
  });

  const read = (m: unknown) => sr830.body(OPTIONS, ID).polls?.[0].read(m, { asked: 0, t: 0 });
  test('replies of another form are no numbers', () => {
    for (const snap of ['1, 2, +9.9E37, 4, 5', '1,2,3,4', '1,2,3,4,5,6', '1;2;3;4;5', '9.91E37,0,0,0,0', ''])
      expect(() => read({ input: '0', snap, lias: '0', errs: '0' })).toThrow('are not 5 numbers');
    for (const lias of ['', '-1', '1.5', '256', 'x'])
      expect(() => read({ input: '0', snap: '1,2,3,4,5', lias, errs: '0' })).toThrow('no whole number');
    expect(read({ input: '0', snap: ' 1, 2e-3 ,3,4,5', lias: '0', errs: '64' })).toMatchObject({
      x: { quality: 'bad', why: 'an error of its processor (ERRS?)' },
      error: 'DSP',
    });
  });
});

describe('auto-range', () => {
  test('is off unless the rig says so', () => {
    const { unit, clock, state } = amplifier();
    unit.order('amplitude', 0.004);
    clock.advance(60);
    expect(state.set.SENS).toBe(17);
  });

  test('finds the scale from either side, without readings in between, and stays there', () => {
    const { unit, clock, state, now, last, whys, world, sent } = amplifier({ auto_range: 'on', every: '0.1 s' });
    unit.order('amplitude', 1);
    clock.advance(30);
    const size = Math.hypot(expected(world, 1).x, expected(world, 1).y);
    const full = (now('sensitivity') as { value: number }).value;
    expect(full).toBeGreaterThan(size / 0.95);
    expect(full).toBeLessThan(size / 0.23);
    expect(last('x')).toMatchObject({ quality: 'good', value: expect.closeTo(expected(world, 1).x, 6) });
    expect(whys('x').some((why) => why.includes('not settled after a change of sensitivity'))).toBe(true);
    const before = state.set.SENS;
    sent(true);
    clock.advance(60);
    expect(state.set.SENS).toBe(before);
    expect(sent(true).filter((line) => line.startsWith('SENS '))).toEqual([]);
    unit.order('amplitude', 5);
    clock.advance(30);
    expect(state.set.SENS).toBeGreaterThan(before);
    expect(last('r')).toMatchObject({ quality: 'good', value: expect.closeTo(5 * size, 5) });
    expect(unit.order('sensitivity', 1e-3)).toBe('auto_range is on in the rig: it sets the sensitivity');
  });
});

test('the noise that the rig gives is a sigma by the bandwidth of the filter, and what scatters is no more', () => {
  const { unit, clock, last } = amplifier({ noise: '7 nV', every: '1 s' });
  unit.order('amplitude', 1);
  unit.order('slope', 6);
  clock.advance(3);
  unit.readings.length = 0;
  clock.advance(150);
  const sigma = 7e-9 * Math.sqrt(1 / 4 / 0.1);
  expect(last('x')).toMatchObject({ sigma: { random: expect.closeTo(sigma, 12) } });
  const r = Number((last('r') as { value: unknown }).value);
  expect(last('phase')).toMatchObject({ sigma: { random: expect.closeTo(sigma / r, 6) } });
  const all = unit.readings.flatMap((one) => (one.from === 'lia.x' && one.quality === 'good' ? [Number(one.value)] : []));
  const mean = all.reduce((sum, v) => sum + v, 0) / all.length;
  const scatter = Math.sqrt(all.reduce((sum, v) => sum + (v - mean) ** 2, 0) / all.length);
  expect(scatter).toBeGreaterThan(0.2 * sigma);
  expect(scatter).toBeLessThan(1.2 * sigma);
  for (const wrong of [6, '6 A', '0 nV', 'low']) expect(sr830.options.parse({ noise: wrong })).toBeInstanceOf(Refused);
});

describe('orders', () => {
  test('set everything, and it is read back', () => {
    const { unit, now, sent } = amplifier();
    sent();
    const orders: readonly (readonly [string, number | string | boolean, number | string | boolean, string])[] = [
      ['amplitude', 0.25, 0.25, 'SLVL 0.250'],
      ['reference_phase', -Math.PI / 4, -Math.PI / 4, 'PHAS -45.00'],
      ['harmonic', 3, 3, 'HARM 3'],
      ['sensitivity', 5e-5, 5e-5, 'SENS 13'],
      ['time_constant', 0.03, 0.03, 'OFLT 7'],
      ['slope', 24, 24, 'OFSL 3'],
      ['sync', true, true, 'SYNC 1'],
      ['trigger', 'rising', 'rising', 'RSLP 1'],
      ['reserve', 'high', 'high', 'RMOD 0'],
      ['input', 'A-B', 'A-B', 'ISRC 1'],
      ['grounding', 'ground', 'ground', 'IGND 1'],
      ['coupling', 'DC', 'DC', 'ICPL 1'],
      ['notch', '2 x line', '2 x line', 'ILIN 2'],
      ['reference', 'external', 'external', 'FMOD 0'],
    ];
    for (const [name, value, shown, line] of orders) {
      expect(unit.order(name, value, { within: 1.5 }), name).toBe('done');
      expect(now(name), name).toMatchObject({ quality: 'good', value: typeof shown === 'number' ? expect.closeTo(shown, 9) : shown });
      expect(sent()).toEqual([`${line}\n`]);
      const readback = unit.acquired.commands[name].readback;
      expect(readback?.channel).toBe(name);
    }
  });

  test('what is in no table is refused with what is near', () => {
    const { unit, sent } = amplifier();
    sent();
    expect(unit.order('sensitivity', 3e-3)).toBe('3 mV is not in its table; the nearest are 2 mV and 5 mV');
    expect(unit.order('time_constant', 0.5)).toBe('500 ms is not in its table; the nearest are 300 ms and 1 s');
    expect(unit.order('slope', 7)).toBe('a slope is 6, 12, 18 or 24 dB per octave, not 7');
    expect(unit.order('harmonic', 1.5)).toBe('a harmonic is a whole number, not 1.5');
    expect(sent()).toEqual([]);
  });

  test('the sources have their lowest value as the safe one, in one message', () => {
    const { unit, sent, now } = amplifier();
    const hazardous = Object.entries(unit.acquired.commands).flatMap(([name, c]) => (c.safe === undefined ? [] : [[name, c.safe]]));
    expect(hazardous).toEqual([
      ['amplitude', 0.004],
      ['aux_out', 0],
    ]);
    unit.order('amplitude', 3);
    sent();
    expect(unit.order('amplitude', 0.004, { safe: true })).toBe('done');
    expect(unit.order('aux_out', 0, { safe: true })).toBe('done');
    expect(sent()).toEqual(['SLVL 0.004\n', 'AUXV 1,0.000\n']);
    expect(now('amplitude')).toMatchObject({ value: 0.004 });
    expect(now('aux_out', 0)).toMatchObject({ value: 0 });
  });
});

test.each(['CR', 'LF', 'CRLF'])('lines end in %s where the rig says so', (terminator) => {
  const { now } = amplifier({ terminator });
  expect(now('x')).toMatchObject({ quality: 'good' });
});

test('20 readings a second fit a serial line of 19200 baud, and no poll is skipped', () => {
  const { clock, unit } = amplifier({ every: '50 ms', terminator: 'CR' }, {}, { baud: 19200 });
  clock.advance(30);
  expect([...unit.acquired.polls.values()].map((p) => [p.skipped, p.failed])).toEqual([
    [0, 0],
    [0, 0],
  ]);
  expect(unit.readings.filter((r) => r.from === 'lia.x').length).toBeGreaterThan(630);
});

describe('the simulator, to others', () => {
  const talk = () => {
    const { clock, all } = place(sr830, simulated, [{ name: 'a' }]);
    const device = all.device('b', simulated, {});
    const bytes = (line: string) => device.ask('main', new TextEncoder().encode(`${line}\n`));
    return { clock, world: all.of(dac), bytes, ask: (line: string): string => new TextDecoder('latin1').decode(bytes(line)).trimEnd() };
  };

  test('settings are kept as the instrument keeps them', () => {
    const { ask, clock } = talk();
    expect(ask('*IDN?')).toMatch(/^Stanford_Research_Systems,SR830,s\/n\d+,ver/);
    const both: readonly (readonly [string, string, string])[] = [
      ['SLVL0.123', 'SLVL?', '0.124'],
      ['PHAS541.00', 'PHAS?', '-179.00'],
      ['HARM 200', 'HARM?', '102'],
      ['SENS22', 'SENS?', '22'],
      ['OFLT9', 'OFLT?', '9'],
      ['OFLT15', 'OFLT?', '9'], // 300 s is for frequencies below 200 Hz
      ['OFSL3', 'OFSL?', '3'],
      ['ISRC 2', 'ISRC?', '2'],
      ['AUXV1,1.234567;', 'AUXV?1;', '1.235'],
      ['OEXP 2,-12.34,1', 'OEXP? 2', '-12.34,1'],
      ['DDEF1,2,0', 'DDEF?1;', '2,0'],
      ['SRAT8.000000', 'SRAT ?', '8'],
      ['SEND 0', 'SEND ?', '0'],
      ['RMOD1', 'RMOD?', '1'],
      ['FMOD 0', 'FMOD?', '0'],
      ['OUTX 1', 'OUTX?', '1'],
    ];
    for (const [set, asked, reply] of both) {
      ask(set);
      clock.advance(0.02);
      expect(ask(asked), set).toBe(reply);
    }
    ask('SSET3;*RST');
    expect(ask('SENS?;OFLT?;SLVL?')).toBe('26\n8\n1.000');
    ask('RSET3');
    expect(ask('SENS?;OFLT?')).toBe('22\n9');
  });

  test('what it does not understand sets a bit, and is not answered', () => {
    const { ask } = talk();
    expect(ask('*ESR?')).toBe('0');
    expect(ask('NONE?')).toBe('');
    expect(ask('*ESR?')).toBe('32');
    for (const wrong of [
      'SENS 27',
      'SENS x',
      'SNAP?1',
      'SNAP?1,12',
      'AUXV 5,1',
      'OUTX 2',
      'FREQ 200000',
      'SLVL 9',
      'TRCA?1,0,5',
      'DDEF 1,9,0',
    ]) {
      expect(ask(wrong), wrong).toBe('');
      expect(ask('*ESR? 4'), wrong).toBe('1');
    }
    expect(ask('*ESR?')).toBe('0');
    ask('LIAE 2,1');
    expect(ask('LIAE?')).toBe('4');
  });

  test('status bits stay until they are read, each by itself', () => {
    const { ask, clock } = talk();
    ask('SLVL 5;SENS 4');
    clock.advance(2);
    ask('SENS 20');
    clock.advance(2);
    ask('LIAS?1');
    expect(ask('LIAS?2')).toBe('1');
    expect(ask('LIAS?2')).toBe('0');
    ask('FREQ 150');
    clock.advance(0.05);
    expect(Number(ask('LIAS?')) & 0b11000).toBe(0b11000);
    clock.advance(1);
    ask('LIAS?');
    expect(ask('LIAS?')).toBe('0');
  });

  test('the data buffers hold both channels at their rate, in three forms', () => {
    const { ask, bytes, clock } = talk();
    ask('SLVL 1;SRAT 9;SEND 0;REST;FAST0;STRD');
    clock.advance(0.5 + 1);
    ask('PAUS');
    const n = Number(ask('SPTS?'));
    expect(n).toBeGreaterThanOrEqual(32);
    expect(n).toBeLessThanOrEqual(33);
    const view = (raw: Uint8Array | undefined) => new DataView(Uint8Array.from(raw ?? []).buffer);
    const text = ask(`TRCA?1,0,${n}`).split(',').map(Number);
    expect(text).toHaveLength(n);
    const four = view(bytes(`TRCB?1,0,${n}`));
    const two = view(bytes(`TRCL?1,0,${n}`));
    expect([four.byteLength, two.byteLength]).toEqual([4 * n, 4 * n]);
    for (const [i, v] of text.entries()) {
      expect(four.getFloat32(4 * i, true)).toBeCloseTo(v, 10);
      expect(two.getInt16(4 * i, true) * 2 ** (two.getInt16(4 * i + 2, true) - 124)).toBeCloseTo(v, 8);
    }
    expect(new Set(text).size).toBeGreaterThan(20);
    ask('REST');
    expect(ask('SPTS?')).toBe('0');
  });

  test('automatic functions do what they say', () => {
    const { ask, clock } = talk();
    ask('SLVL 5;PHAS 30');
    clock.advance(3);
    ask('APHS');
    clock.advance(3);
    expect(Math.abs(Number(ask('OUTP?4')))).toBeLessThan(0.1);
    ask('AGAN');
    clock.advance(1);
    const full = 2e-4 * 2.5; // r of some 2e-4 V
    expect(Number(ask('OUTP?3'))).toBeLessThan(full);
    expect(Number(ask('SENS?'))).toBeLessThan(17);
    ask('AOFF 1');
    expect(Math.abs(Number(ask('OUTP?1')))).toBeLessThan(1e-6);
  });
});
