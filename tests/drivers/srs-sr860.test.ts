import { describe, expect, test } from 'vitest';
import sr860 from '../../drivers/srs-sr860.ts';
import { decimal } from '../../protocols/text.ts';
import simulated from '../../simulators/srs-sr860.ts';
import { dac } from '../../simulators/worlds/dac.ts';
import { Refused } from '../../src/instrument.ts';
import { place } from './place.ts';
import { runAsks } from './run-asks.ts';

const OPTIONS = { terminator: '\n', every: 0.1, auto_range: 'off', noise: undefined } as const;
const ID = { model: 'SR860', serial: '', firmware: '' };

function amplifier(options = {}, simulate = {}, line = {}) {
  const bench = place(sr860, simulated, [{ name: 'lia', options, simulate }], line);
  const [unit] = bench.units;
  // The state of the simulator above.
  const state = unit.state as ReturnType<typeof simulated.state>;
  bench.clock.advance(3);
  const last = (channel: string) => unit.readings.filter((r) => r.from === `lia.${channel}`).at(-1);
  const whys = (channel: string) => unit.readings.flatMap((r) => (r.from === `lia.${channel}` && r.quality === 'bad' ? [r.why] : []));
  return { ...bench, unit, state, last, whys, now: unit.acquired.latest, world: bench.all.of(dac) };
}
/** Volt rms at the voltage contacts, from a sine output of so many volt through the resistor of 1 kOhm. */
const expected = (world: ReturnType<typeof amplifier>['world'], amplitude: number, f = 1000) =>
  world.probe.phasor(amplitude / (1050 + world.probe.path()), f, 1);

test('identify takes the family and no other', () => {
  const identified = (idn: string) => runAsks((main) => sr860.identify({ main }, OPTIONS), { '*IDN?': idn });
  for (const model of ['SR860', 'SR865', 'SR865A'])
    expect(identified(`Stanford_Research_Systems,${model},003456,V1.51`)).toEqual({ model, serial: '003456', firmware: 'V1.51' });
  for (const other of ['Stanford_Research_Systems,SR830,s/n1,ver1.07', 'Stanford_Research_Systems,SR8601,1,2', 'X,SR860,1,2'])
    expect(identified(other)).toBeInstanceOf(Refused);
});

test('options take a time between readings', () => {
  expect(sr860.options.parse(undefined)).toEqual(OPTIONS);
  expect(sr860.options.parse({ every: '10 ms', auto_range: 'on' })).toEqual({ ...OPTIONS, every: 0.01, auto_range: 'on' });
  for (const wrong of ['now', 0.001, '5 V', false])
    expect(sr860.options.parse({ every: wrong })).toMatchObject({ why: expect.stringContaining('"10 ms"') });
});

describe('values', () => {
  test('are what the sample gives to the sine of the amplifier', () => {
    const { unit, now, clock, world } = amplifier();
    expect(unit.order('amplitude', 1)).toBe('done');
    expect(unit.order('slope', 12)).toBe('done');
    clock.advance(5);
    const truth = expected(world, 1);
    expect(now('x')).toMatchObject({ quality: 'good', kind: 'V', value: expect.closeTo(truth.x, 7) });
    expect(now('y')).toMatchObject({ quality: 'good', value: expect.closeTo(truth.y, 7) });
    expect(now('r')).toMatchObject({ value: expect.closeTo(Math.hypot(truth.x, truth.y), 7) });
    expect(now('phase')).toMatchObject({ kind: 'rad', value: expect.closeTo(Math.atan2(truth.y, truth.x), 2) });
    expect(now('frequency')).toMatchObject({ value: 1000 });
    expect(now('noise_bandwidth')).toMatchObject({ value: expect.closeTo(1.25, 9) });
    expect(now('error')).toMatchObject({ value: 'none' });
  });

  test('the input range and the outputs overload, each in its own words, and the filter must settle after the first', () => {
    const { unit, clock, last, world } = amplifier();
    unit.order('slope', 24);
    world.probe.drive('source', { ac: { rms: 0.5, frequency: 1234 } });
    unit.order('input_range', 0.01);
    expect(last('x')).toMatchObject({ quality: 'bad', why: 'input overload' });
    expect(last('input_overload')).toMatchObject({ value: true });
    expect(unit.order('input_range', 1, { within: 0.35 })).toBe('done');
    expect(last('x')).toMatchObject({ quality: 'bad', why: expect.stringMatching(/^not settled after /) });
    clock.advance(2);
    expect(last('x')).toMatchObject({ quality: 'good' });
    world.probe.drive('source', undefined);
    unit.order('amplitude', 2);
    unit.order('sensitivity', 1e-6);
    clock.advance(2);
    expect(last('r')).toMatchObject({ quality: 'bad', why: 'output overload' });
    expect(last('frequency')).toMatchObject({ quality: 'good' });
  });

  test('without an external reference there is no value', () => {
    const { unit, clock, last, world } = amplifier();
    expect(unit.order('reference', 'external')).toBe('done');
    clock.advance(3);
    for (const channel of ['x', 'y', 'r', 'phase', 'frequency'])
      expect(last(channel)).toEqual(expect.objectContaining({ quality: 'bad', why: 'reference unlocked' }));
    world.probe.drive('source', { ac: { rms: 1e-3, frequency: 77 } });
    clock.advance(4);
    expect(last('frequency')).toMatchObject({ quality: 'good', value: 77 });
    expect(last('x')).toMatchObject({ quality: 'good', value: expect.closeTo(world.probe.phasor(1e-3, 77, 1).x, 5) });
  });

  test('a current input gives no volts', () => {
    const { unit, last, state, clock } = amplifier();
    expect(unit.order('input_mode', 'current')).toBe('done');
    expect(last('x')).toMatchObject({ quality: 'bad', why: 'the input measures a current, not a voltage' });
    state.set.IVMD = 0;
    clock.advance(4);
    expect(last('x')).toMatchObject({ quality: 'good' });
  });

  const read = (m: object) => sr860.body(OPTIONS, ID).polls?.[0].read({ current: false, ranged: false, ...m }, { asked: 0, t: 0 });
  test('replies of another form are no numbers', () => {
    for (const snap of ['1e-5, +9.9E37,1000', '1,2', '1,2,3,4', 'nan,0,0', ''])
      expect(() => read({ snap, lias: '0' })).toThrow('are not 3 numbers');
    for (const lias of ['', '-1', '1e9', '0x1']) expect(() => read({ snap: '1,2,3', lias })).toThrow('no whole number');
  });
});

test('auto-range finds a scale, stays there, and widens the input where it must', () => {
  const { unit, clock, state, now, last, world, sent } = amplifier({ auto_range: 'on' });
  unit.order('amplitude', 1);
  clock.advance(20);
  const size = Math.hypot(expected(world, 1).x, expected(world, 1).y);
  const full = (now('sensitivity') as { value: number }).value;
  expect(full).toBeGreaterThan(size / 0.95);
  expect(full).toBeLessThan(size / 0.23);
  expect(last('x')).toMatchObject({ quality: 'good' });
  sent(true);
  clock.advance(30);
  expect(sent(true).filter((line) => /^(SCAL|IRNG) /.test(line))).toEqual([]);
  state.set.IRNG = 4;
  world.probe.drive('source', { ac: { rms: 0.5, frequency: 1234 } });
  clock.advance(20);
  expect(state.set.IRNG).toBeLessThan(4);
  expect(last('x')).toEqual(expect.objectContaining({ quality: 'good' }));
  expect(unit.order('sensitivity', 1e-3)).toBe('auto_range is on in the rig: it sets the sensitivity');
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
  for (const wrong of [6, '6 A', '0 nV', 'low']) expect(sr860.options.parse({ noise: wrong })).toBeInstanceOf(Refused);
});

describe('orders', () => {
  test('set everything, and it is read back', () => {
    const { unit, now, sent } = amplifier();
    sent();
    const orders: readonly (readonly [string, number | string | boolean, string])[] = [
      ['amplitude', 0.25, 'SLVL 2.50000000e-1'],
      ['dc_level', 1.5, 'SOFF 1.5000'],
      ['frequency', 137.5, 'FREQINT 1.37500000e+2'],
      ['reference_phase', -Math.PI / 4, 'PHAS -45.000000'],
      ['harmonic', 3, 'HARM 3'],
      ['sensitivity', 5e-5, 'SCAL 13'],
      ['input_range', 0.03, 'IRNG 3'],
      ['time_constant', 3e-6, 'OFLT 1'],
      ['slope', 24, 'OFSL 3'],
      ['sync', true, 'SYNC 1'],
      ['advanced_filter', false, 'ADVFILT 0'],
      ['trigger', 'falling', 'RTRG 2'],
      ['reference_impedance', '50 Ohm', 'REFZ 0'],
      ['input', 'A-B', 'ISRC 1'],
      ['grounding', 'float', 'IGND 0'],
      ['coupling', 'DC', 'ICPL 1'],
    ];
    for (const [name, value, line] of orders) {
      expect(unit.order(name, value, { within: 1.5 }), name).toBe('done');
      expect(now(name), name).toMatchObject({ quality: 'good', value: typeof value === 'number' ? expect.closeTo(value, 7) : value });
      expect(sent()).toEqual([`${line}\n`]);
    }
    expect(unit.order('sensitivity', 3e-3)).toBe('3 mV is not in its table; the nearest are 2 mV and 5 mV');
    expect(unit.order('input_range', 0.05)).toBe('50 mV is not in its table; the nearest are 30 mV and 100 mV');
  });

  test('the sources have a safe value', () => {
    const { unit, sent, now, clock } = amplifier();
    const hazardous = Object.entries(unit.acquired.commands).flatMap(([name, c]) => (c.safe === undefined ? [] : [[name, c.safe]]));
    expect(hazardous).toEqual([
      ['amplitude', 1e-9],
      ['dc_level', 0],
      ['aux_out', 0],
    ]);
    unit.order('amplitude', 2);
    sent();
    expect(unit.order('amplitude', 1e-9, { safe: true })).toBe('done');
    expect(sent()).toEqual(['SLVL 1.00000000e-9\n']);
    clock.advance(1);
    expect(now('amplitude')).toMatchObject({ value: 1e-9 });
  });
});

test('100 readings a second, and no poll is skipped', () => {
  const { clock, unit } = amplifier({ every: '10 ms' });
  clock.advance(20);
  expect([...unit.acquired.polls.values()].map((p) => [p.skipped, p.failed])).toEqual([
    [0, 0],
    [0, 0],
  ]);
  expect(unit.readings.filter((r) => r.from === 'lia.x').length).toBeGreaterThan(2200);
});

describe('the simulator, to others', () => {
  const talk = () => {
    const { clock, all } = place(sr860, simulated, [{ name: 'a' }]);
    const device = all.device('b', simulated, {});
    const bytes = (line: string) => device.ask('main', new TextEncoder().encode(`${line}\n`));
    return { clock, world: all.of(dac), bytes, ask: (line: string): string => new TextDecoder('latin1').decode(bytes(line)).trimEnd() };
  };

  test('takes numbers, words and units', () => {
    const { ask } = talk();
    const both: readonly (readonly [string, string, string | number])[] = [
      ['FREQ 10 kHz', 'FREQ?', 1e4],
      ['FREQINT 1.500000e+02', 'FREQ?', 150],
      ['SLVL 20 mV', 'SLVL?', 0.02],
      ['SOFF -0.5', 'SOFF?', -0.5],
      ['Harm 5', 'HARM?', '5'],
      ['PHAS 270', 'PHAS?', -90],
      ['RSRC EXT', 'RSRC?', '1'],
      ['RSRC int', 'RSRC?', '0'],
      ['IRNG 1', 'IRNG?', '1'],
      ['IRNG 1V', 'IRNG?', '0'],
      ['IRNG 30M', 'IRNG?', '3'],
      ['ISRC A-B', 'ISRC?', '1'],
      ['SCAL 12', 'SCAL?', '12'],
      ['PSTF2, 1.234560e+03', 'PSTF? 2', 1234.56],
      ['PSTA0, 1.500000000e-01', 'PSTA? 0', 0.15],
      ['AUXV 1, 2.500000', 'AUXV? 1', 2.5],
      ['CDSP 3, 15', 'CDSP? 3', '15'],
      ['CDSP 3, XNOise', 'CDSP? 3', '8'],
      ['COFP 0, 12.5', 'COFP? 0', '12.5'],
      ['CEXP 1, 2', 'CEXP? 1', '2'],
    ];
    for (const [set, asked, reply] of both) {
      ask(set);
      expect(typeof reply === 'number' ? decimal(ask(asked)) : ask(asked), set).toBe(reply);
    }
    expect(ask('*ESR?')).toBe('0');
    for (const wrong of [
      'REFM 2',
      'IVMD 3',
      'AUXV 4, 1',
      'RTRG 4',
      'FREQ 600 kHz',
      'SLVL 3',
      'SNAP? 0',
      'SNAP? 0,1,2,3',
      'OUTP? 17',
      'FREQ 5 V',
    ]) {
      expect(ask(wrong), wrong).toBe('');
      expect(ask('*ESR? 4'), wrong).toBe('1');
    }
    ask('GSDP 3');
    expect(ask('*ESR?')).toBe('32');
  });

  test('values of one instant agree, by number, word and display', () => {
    const { ask, clock } = talk();
    ask('SLVL 1');
    clock.advance(2);
    const [x, y, r] = ask('SNAP? X, Y, R').split(',').map(Number);
    expect(Math.hypot(x, y)).toBeCloseTo(r, 12);
    expect(ask('SNAP? 0,1').split(',')).toEqual(ask('SNAPD?').split(',').slice(0, 2));
    expect(Number(ask('OUTP? 2'))).toBe(r);
    expect(ask('OUTP? SAMp')).toBe('1.000000000e+00');
    expect(ask('ILVL?')).toBe('0');
    expect(Number(ask('ENBW?'))).toBeCloseTo(2.5, 9);
  });

  test('overloads show now, and stay in LIAS? until they are read', () => {
    const { ask, clock } = talk();
    ask('SLVL 2;SCAL 15');
    clock.advance(2);
    expect(ask('CUROVLDSTAT?')).toBe('1');
    ask('SCAL 9');
    clock.advance(0.1);
    expect(ask('CUROVLDSTAT?')).toBe('0');
    expect(ask('LIAS?')).toBe('1');
    expect(ask('LIAS?')).toBe('0');
  });

  test('captures values at their rate, as one block of floats', () => {
    const { ask, bytes, clock } = talk();
    ask('SLVL 1;CAPTURECFG XY;CAPTURELEN 2;CAPTURERATE 4');
    expect(ask('CAPTURECFG?;CAPTURELEN?')).toBe('1\n2');
    const rate = Number(ask('CAPTURERATE?'));
    expect(rate).toBe(Number(ask('CAPTURERATEMAX?')) / 16);
    clock.advance(1);
    ask('CAPTURESTART ONE, IMM');
    clock.advance(1);
    expect(Number(ask('CAPTUREBYTES?'))).toBe(8 * Math.ceil(rate));
    expect(ask('CAPTURESTAT?')).toBe('3');
    clock.advance(10);
    expect(ask('CAPTURESTAT?')).toBe('2');
    expect(ask('CAPTUREBYTES?')).toBe('2048');
    expect(ask('CAPTUREPROG?')).toBe('2');
    const raw = Uint8Array.from(bytes('CAPTUREGET? 0, 2') ?? []);
    expect(new TextDecoder('latin1').decode(raw.subarray(0, 6))).toBe('#42048');
    const first = new DataView(raw.buffer).getFloat32(6, true);
    expect(first).toBeCloseTo(Number(ask('CAPTUREVAL? 0').split(',')[0]), 9);
    expect(first).not.toBe(0);
    expect(Number(ask('LIAS?')) & 4096).toBe(4096);
  });

  test('automatic functions do what they say', () => {
    const { ask, clock } = talk();
    ask('SLVL 2;PHAS 30');
    clock.advance(2);
    ask('APHS;ARNG;ASCL');
    clock.advance(2);
    expect(Math.abs(Number(ask('OUTP? 3')))).toBeLessThan(0.1);
    expect(ask('IRNG?')).toBe('4');
    expect(Number(ask('SCAL?'))).toBeGreaterThan(9);
    expect(ask('CUROVLDSTAT?')).toBe('0');
    ask('*RST');
    expect(ask('SCAL?;OFLT?')).toBe('0\n10');
  });
});
