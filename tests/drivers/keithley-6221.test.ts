import { describe, expect, test } from 'vitest';
import driver from '../../drivers/keithley-6221.ts';
import simulated from '../../simulators/keithley-6221.ts';
import { type Dac, dac } from '../../simulators/worlds/dac.ts';
import { type Source, sourceAnswer } from '../../simulators/worlds/keithley-source.ts';
import { fitDelta } from '../../src/derive/delta.ts';
import { Refused } from '../../src/instrument.ts';
import type { Reading, Trace } from '../../src/reading.ts';
import { place } from './place.ts';
import { runAsks } from './run-asks.ts';

const pair = (simulate = {}, options = {}, line = {}, before: (s: Source, w: Dac) => void = () => {}) => {
  const bench = place(driver, simulated, [{ name: 'source', options: { meter: 'relay', ...options }, simulate }], line);
  before(bench.units[0]?.state as Source, bench.all.of(dac)); // this simulator's state
  const [unit] = bench.units;
  if (!unit) throw new Error('no unit');
  bench.clock.advance(3);
  expect(unit.acquired.state).toEqual({ is: 'running' });
  return { ...bench, unit, state: unit.state as Source, world: bench.all.of(dac) }; // this simulator's state
};
type Pair = ReturnType<typeof pair>;
const latest = (p: Pair, channel: string) => p.unit.acquired.latest(channel) as Reading | undefined;
const blocks = (p: Pair, channel = 'block'): Trace[] =>
  p.unit.readings.flatMap((r) => (r.from === `source.${channel}` && r.quality !== 'bad' ? [r.value as unknown as Trace] : [])); // a trace channel
const column = (traces: readonly Trace[], name: string): number[] => traces.flatMap((t) => [...(t.columns[name]?.data ?? [])]);

test('what is no 6221 is refused, and connecting sends questions only', () => {
  const idn = (text: string) =>
    runAsks((main) => driver.identify({ main }, { terminator: '\n', meter: 'none', relay_wait: 0.1 }), { '*IDN?': text });
  expect(idn('KEITHLEY INSTRUMENTS INC.,MODEL 6221,1287653,D04  /700x ')).toMatchObject({ model: '6221' });
  expect(idn('KEITHLEY INSTRUMENTS INC.,MODEL 2400,1,C30')).toBeInstanceOf(Refused);
  const p = pair();
  const sent = p.sent(true).join('').split(/[\n;]/);
  expect(sent.filter((line) => line !== '' && !/\?|^:SYST:COMM:SER:SEND ":[^"]*$|"$/.test(line))).toEqual([]);
});

describe('delta', () => {
  test('every reading comes once, and they are the resistance of the world', () => {
    const p = pair();
    expect(p.unit.order('delta_high', 1e-3)).toBe('done');
    expect(p.unit.order('delta_count', 400)).toBe('done');
    expect(p.unit.order('nplc', 1)).toBe('done');
    expect(p.unit.order('delta', true)).toBe('done');
    p.clock.advance(30);
    expect(latest(p, 'delta_state')).toMatchObject({ quality: 'good', value: 'done' });
    expect(latest(p, 'delta_lost')).toMatchObject({ value: 0 });
    const all = blocks(p);
    const numbers = column(all, 'number');
    expect(numbers).toEqual(Array.from({ length: 400 }, (_, i) => i));
    const volts = column(all, 'voltage');
    expect(volts).toEqual(p.state.buffer.map((r) => expect.closeTo(r.reading, 13)));
    const mean = volts.reduce((s, v) => s + v, 0) / 400;
    expect(Math.abs(mean / 1e-3 / p.world.sampleResistance - 1)).toBeLessThan(1e-3);
    const stamps = column(all, 'time');
    // 24 readings a second at 1 PLC of 60 Hz.
    expect(399 / ((stamps.at(-1) ?? 0) - (stamps[0] ?? 0))).toBeCloseTo(24, 1);
    expect(p.unit.readings.filter((r) => r.quality === 'bad')).toEqual([]);
  });

  test('a lost, late or garbled reply loses and doubles nothing', () => {
    const p = pair();
    p.unit.order('delta_count', 300);
    p.unit.order('nplc', 1);
    p.unit.order('delta', true);
    for (let i = 0; i < 12; i++) {
      p.link.plug(false);
      p.clock.advance(0.3);
      p.link.plug(true);
      p.clock.advance(2.4);
      // Beside the grid, as a readback does.
      p.unit.acquired.refresh('delta');
      p.unit.acquired.refresh('delta');
      p.clock.advance(0.1);
    }
    p.clock.advance(20);
    expect(column(blocks(p), 'number')).toEqual(Array.from({ length: 300 }, (_, i) => i));
  });

  test('over RS-232 at 19200 baud with CR, at the full rate', () => {
    const p = pair({}, { terminator: 'CR' }, { baud: 19200 });
    p.unit.order('delta_count', 700);
    p.unit.order('nplc', 1);
    p.unit.order('delta', true);
    p.clock.advance(20);
    const late = p.state.buffer.length - column(blocks(p), 'number').length;
    expect(late).toBeLessThan(100); // the line is nearly full: some seconds behind, but not more and more
    p.clock.advance(20);
    expect(column(blocks(p), 'number')).toEqual(Array.from({ length: 700 }, (_, i) => i));
  });

  test('numbers that are missing are counted', () => {
    const p = pair();
    p.unit.order('nplc', 1);
    p.unit.order('delta', true);
    p.state.number += 5;
    p.clock.advance(5);
    expect(latest(p, 'delta_lost')).toMatchObject({ value: 5 });
  });

  test('a measurement that runs already is taken over from its first reading', () => {
    const p = pair({}, {}, {}, (s, w) => {
      const lines = ['UNIT V;FORM:ELEM READ,TST,RNUM,SOUR', 'SOUR:DELT:COUN 200', 'SOUR:DELT:ARM', 'INIT:IMM'];
      for (const line of lines) sourceAnswer(`:${line.replaceAll(';', ';:')}`, s, w, 0, () => undefined);
    });
    p.clock.advance(30);
    expect(column(blocks(p), 'number')).toEqual(Array.from({ length: 200 }, (_, i) => i));
    expect(latest(p, 'delta')).toMatchObject({ value: true });
  });

  test('a run without end is given one; one that somebody has begun says when the buffer is full', () => {
    const p = pair();
    expect(latest(p, 'delta_count')).toMatchObject({ quality: 'suspect', value: 65_536 });
    p.unit.order('delta', true);
    expect(p.state.values.deltCount).toBe(65_536);
    const [one] = p.state.buffer;
    if (!one) throw new Error('no reading');
    p.state.buffer.length = 0;
    p.state.buffer.push(...Array.from({ length: 65_536 }, (_, i) => ({ ...one, number: i, stamp: i / 24 })));
    p.clock.advance(250);
    expect(latest(p, 'delta_readings')).toMatchObject({ value: 65_536 });
    expect(column(blocks(p), 'number').length).toBeGreaterThanOrEqual(65_536);
    expect(latest(p, 'block')).toMatchObject({ quality: 'bad', why: expect.stringMatching(/buffer is full/) });
  });

  test('readings that are no volts, or that lack their numbers, give none', () => {
    const p = pair();
    p.unit.order('delta', true);
    p.state.values.unit = 'OHMS';
    p.clock.advance(3);
    expect(latest(p, 'block')).toMatchObject({ quality: 'bad', why: expect.stringMatching(/not in volts/) });
    p.state.values.unit = 'V';
    p.state.values.elements = 'READ,TST';
    p.clock.advance(3);
    expect(latest(p, 'block')).toMatchObject({ quality: 'bad', why: expect.stringMatching(/RNUM is missing/) });
  });

  test("the source's clock is measured while it runs, and the blocks are on ours", () => {
    const p = pair();
    p.unit.order('delta_count', 2000);
    p.unit.order('nplc', 1);
    p.unit.order('delta', true);
    p.clock.advance(60);
    const zero = latest(p, 'clock_zero') as Reading<'s'>;
    const sigma = latest(p, 'clock_sigma') as Reading<'s'>;
    if (zero.quality === 'bad' || sigma.quality === 'bad') throw new Error('no clock');
    expect(sigma.value).toBeLessThan(0.02);
    // The first reading came three half-cycles after INIT, which came within the order's second.
    const run = p.state.run;
    if (!run) throw new Error('no run');
    const worldBegan = p.clock.now() / 1e6 - p.clock.mono(); // the world began with the clock
    // The source's clock runs 20 ppm fast, and the bounds are of up to two minutes.
    expect(Math.abs(zero.value - (worldBegan + run.began + 3 / 24))).toBeLessThan(4 * sigma.value + 65 * 20e-6);
    expect(sigma.value).toBeGreaterThan(1e-6);
    const last = blocks(p).at(-1);
    expect(Math.abs((last?.end ?? 0) - p.clock.now()) / 1e6).toBeLessThan(1.2);
  });

  test('without a 2182A it is refused with a cure, and nothing flows', () => {
    const p = pair({ nanovoltmeter: 'absent' });
    expect(p.unit.order('delta', true)).toMatch(/no 2182A at the relay: .*19200/);
    expect(p.state).toMatchObject({ outputOn: false, armed: undefined });
    expect(latest(p, 'nplc')).toMatchObject({ quality: 'bad', why: expect.stringMatching(/no 2182A/) });
  });

  test('currents that are the wrong way round are refused, and nothing flows', () => {
    const p = pair();
    Object.assign(p.state.values, { deltHigh: -1e-3, deltLow: 1e-3 });
    for (const [name, value] of [
      ['delta', true],
      ['half_cycles', 4],
    ] as const)
      expect(p.unit.order(name, value)).toMatch(
        /the current is reversed: delta_high \(-0.001 A\) must be above zero and delta_low \(0.001 A\)/,
      );
    expect(p.state).toMatchObject({ outputOn: false, armed: undefined });
  });

  test('an open current contact ends it, and that is said', () => {
    const p = pair();
    p.unit.order('nplc', 1);
    p.unit.order('delta', true);
    p.clock.advance(3);
    p.world.probe.faults.open = 'current';
    p.clock.advance(3);
    expect(latest(p, 'delta_state')).toMatchObject({ value: 'aborted on compliance' });
    expect(latest(p, 'delta_voltage')).toMatchObject({ quality: 'bad', why: expect.stringMatching(/compliance/) });
    expect(p.state.outputOn).toBe(false);
    expect(p.world.probe.direct()).toBe(0);
  });

  test('an open voltage contact is an overflow, and gives no number', () => {
    const p = pair();
    p.world.probe.faults.open = 'voltage';
    p.unit.order('nplc', 1);
    p.unit.order('delta', true);
    p.clock.advance(3);
    expect(blocks(p)).toEqual([]);
    expect(latest(p, 'block')).toMatchObject({ quality: 'bad', why: expect.stringMatching(/overflow/) });
  });

  test('too hot inside', () => {
    const p = pair();
    p.unit.order('delta', true);
    p.state.hot = true;
    p.clock.advance(3);
    expect(latest(p, 'over_temperature')).toMatchObject({ value: true });
    expect(p.state.outputOn).toBe(false);
  });

  test('abort leaves nothing on, read back, and the channels say that it is over', () => {
    const p = pair();
    p.unit.order('delta', true);
    p.clock.advance(3);
    expect(latest(p, 'delta')).toMatchObject({ value: true });
    expect(latest(p, 'live')).toMatchObject({ value: true });
    expect(latest(p, 'output')).toMatchObject({ value: false }); // whose lease is another one
    p.sent();
    expect(p.unit.order('delta', false, { safe: true })).toBe('done');
    expect(p.sent()).toEqual([':SOUR:SWE:ABOR\n', ':OUTP 0\n']);
    expect(latest(p, 'delta')).toMatchObject({ value: false });
    expect(latest(p, 'live')).toMatchObject({ value: false });
    expect(latest(p, 'block')).toMatchObject({ quality: 'bad', why: 'no delta measurement runs' });
    expect(p.world.probe.direct()).toBe(0);
  });

  test('with a current on it does not begin', () => {
    const p = pair();
    p.unit.order('current', 1e-3);
    p.unit.order('output', true);
    expect(p.world.probe.direct()).toBeCloseTo(1e-3, 9);
    expect(p.unit.order('delta', true)).toMatch(/the output is on/);
    expect(p.unit.order('half_cycles', 4)).toMatch(/the output is on/);
  });
});

describe('half-cycles stepped from here', () => {
  test('each reading with its signed current and time; least squares give the resistance', () => {
    const p = pair();
    p.unit.order('delta_high', 2e-3);
    p.unit.order('nplc', 1);
    expect(p.unit.order('half_cycles', 20, { within: 25 })).toBe('done');
    const traces = blocks(p, 'half_cycles');
    expect(traces.map((trace) => trace.shape)).toEqual([[12], [8]]);
    expect(column(traces, 'current')).toEqual(Array.from({ length: 20 }, (_, k) => (k % 2 === 0 ? 2e-3 : -2e-3)));
    const [trace] = traces;
    if (!trace) throw new Error('no trace');
    const [v, i, t] = ['voltage', 'current', 'time'].map((name) => column([trace], name));
    const fit = fitDelta(v ?? [], 2e-3, 1, { times: t, currents: i });
    expect(Math.abs((fit?.resistance ?? 0) / p.world.sampleResistance - 1)).toBeLessThan(1e-3);
    expect(fit?.offset).toBeGreaterThan(1e-6); // the thermoelectric EMF is seen
    expect(latest(p, 'live')).toMatchObject({ value: false });
    expect(p.state.outputOn).toBe(false);
    expect(p.state.inner?.values.elements).toBe('READ');
    expect(Math.abs(trace.end - p.clock.now()) / 1e6).toBeLessThan(24);
    expect(trace.settings.clock_sigma).toBeLessThan(0.5);
  });
  test('compliance ends them', () => {
    const p = pair();
    p.unit.order('compliance_limit', 0.1);
    p.unit.order('delta_high', 50e-3);
    expect(p.unit.order('half_cycles', 6, { within: 15 })).toMatch(/compliance/);
    expect(p.state.outputOn).toBe(false);
    expect(latest(p, 'half_cycles')).toMatchObject({ quality: 'bad', why: expect.stringMatching(/compliance/) });
  });
  test('a safe order in between ends them, with nothing on', () => {
    const p = pair();
    p.unit.order('half_cycles', 40, { within: 3 });
    expect(p.state.outputOn).toBe(true);
    expect(latest(p, 'stepping')).toMatchObject({ value: true });
    expect(latest(p, 'output')).toMatchObject({ value: false });
    expect(p.unit.order('half_cycles', 0, { safe: true, within: 0.1 })).toBe('done');
    expect(p.state.outputOn).toBe(false);
  });
  test('an open voltage contact', () => {
    const p = pair();
    p.world.probe.faults.open = 'voltage';
    p.unit.order('half_cycles', 6, { within: 15 });
    expect(latest(p, 'half_cycles')).toMatchObject({ quality: 'bad', why: expect.stringMatching(/overflow/) });
  });
});

describe('alone', () => {
  test('output, grounding and wave', () => {
    const p = pair();
    expect(p.unit.order('inner_shield', 'guard')).toBe('done');
    expect(p.unit.order('low_to_earth', true)).toBe('done');
    expect(p.state.values).toMatchObject({ shield: 'GUAR', earth: true });
    p.unit.order('current', 5e-3);
    p.unit.order('output', true);
    expect(p.unit.order('inner_shield', 'output low')).toMatch(/output is on/);
    expect(p.unit.order('output', false, { safe: true })).toBe('done');
    expect(latest(p, 'output')).toMatchObject({ value: false });
    p.unit.order('wave_amplitude', 1e-3);
    p.unit.order('wave_frequency', 137);
    expect(p.unit.order('wave', true)).toBe('done');
    expect(latest(p, 'wave')).toMatchObject({ value: true });
    expect(p.unit.order('wave', false, { safe: true })).toBe('done');
    expect(latest(p, 'wave')).toMatchObject({ value: false });
  });
  test('compliance of a direct current', () => {
    const p = pair();
    p.unit.order('compliance_limit', 0.1);
    p.unit.order('current', 50e-3);
    p.unit.order('output', true);
    expect(latest(p, 'compliance')).toMatchObject({ value: true });
    expect(Math.abs(p.world.probe.direct())).toBeLessThan(10e-3);
  });
  test('the error queue is read until it is empty', () => {
    const p = pair();
    p.state.errors.push('-222,"Parameter data out of range"', '-113,"Undefined header"');
    p.clock.advance(3);
    expect(p.unit.readings.filter((r) => r.from === 'source.error').map((r) => (r.quality === 'bad' ? r.why : r.value))).toContain(
      '-222 Parameter data out of range; -113 Undefined header',
    );
  });
});
