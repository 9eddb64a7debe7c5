import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import driver from '../../drivers/keithley-2182a.ts';
import { deltaRows, keithleyNumber, statusWord } from '../../protocols/keithley.ts';
import simulated from '../../simulators/keithley-2182a.ts';
import { dac } from '../../simulators/worlds/dac.ts';
import type { Meter } from '../../simulators/worlds/keithley-meter.ts';
import { catalogue } from '../../src/catalogue.ts';
import { Refused } from '../../src/instrument.ts';
import { methods } from '../../src/methods.ts';
import type { Reading } from '../../src/reading.ts';
import type { Rig } from '../../src/rig.ts';
import { loadRig } from '../../src/rig.ts';
import { laboratory, rigOf } from '../laboratory.ts';
import { place } from './place.ts';
import { runAsks } from './run-asks.ts';

const bench = (options = {}, line = {}) => {
  const b = place(driver, simulated, [{ name: 'meter', options }], line);
  const [unit] = b.units;
  if (!unit) throw new Error('no unit');
  b.clock.advance(3);
  return { ...b, unit, state: unit.state as Meter, world: b.all.of(dac) }; // this simulator's state
};
const values = (readings: readonly Reading[], from: string): number[] =>
  readings.flatMap((r) => (r.from === from && r.quality !== 'bad' ? [Number(r.value)] : []));

describe('numbers as they are written', () => {
  test.each([
    ['+1.01194701E-05', 1.01194701e-5],
    ['-4.32962079E-05VDC', -4.32962079e-5],
    ['+1.471E+00SECS', 1.471],
    ['+22698RDNG#', 22698],
    ['0.010000000', 0.01],
  ])('%s', (text, value) => expect(keithleyNumber(text)).toBe(value));
  test.each([
    ['+9.9E37', /overflow/],
    ['+9.90000000E+37', /overflow/],
    ['+9.91E37', /no reading/],
    [' +1.0E-05', /blanks/],
    ['+1,0E-05', /no number/],
    ['', /no number/],
  ])('%s is no number', (text, why) => expect(keithleyNumber(text)).toMatch(why));
  test('status registers in every form of FORM:SREG', () => {
    expect(['8', '#B1000', '#Q10', '#H8'].map(statusWord)).toEqual([8, 8, 8, 8]);
    expect(statusWord('65536')).toMatch(/no status/);
    expect(statusWord('')).toMatch(/no status/);
  });
  test('rows of a buffer, in the order in which they come', () => {
    const all = 'READ,TST,UNIT,SOUR,AVOL,COMP,RNUM';
    const row = { volts: 1.01194701e-5, stamp: 1.471, amps: 1e-6, compliance: false, number: 22698 };
    expect(deltaRows('+1.01194701E-05VDC,+1.471E+00SECS,+1.0000E-06ADC,+2.03093674E-04VDC,FCMPL,+22698RDNG#', all)).toEqual([row]);
    expect(deltaRows('+9.9E37,+1.471E+00,+1.0000E-06,T,+22698', 'READ,TST,RNUM,SOUR,COMP')).toEqual([
      { ...row, volts: expect.stringMatching(/overflow/), compliance: true },
    ]);
    expect(deltaRows('+1.0E-05, +1.471E+00,+1.0E-06,F,+1', 'READ,TST,SOUR,COMP,RNUM')).toMatch(/blanks/);
    expect(deltaRows('+1.0E-05,+1.471E+00', 'READ,TST')).toMatch(/RNUM is missing/);
    expect(deltaRows('+1.0E-05,+1.471E+00,+1.0E-06,F', 'READ,TST,SOUR,COMP,RNUM')).toMatch(/no whole number/);
  });
});

test('what is no 2182A is refused', () => {
  const idn = (text: string) =>
    runAsks((main) => driver.identify({ main }, { terminator: '\n', measures: 'voltage', sigma: undefined }), { '*IDN?': text });
  expect(idn('KEITHLEY INSTRUMENTS INC.,MODEL 2182A,1278934,C06  /A02')).toMatchObject({ model: '2182A' });
  expect(idn('KEITHLEY INSTRUMENTS INC.,MODEL 2000,1278934,A06  /A02')).toBeInstanceOf(Refused);
});

describe('on its simulator', () => {
  test('reads the voltage of the contacts at the rate and with the noise of its integration time', () => {
    const b = bench({ terminator: 'CR' }, { baud: 19200 });
    expect(b.unit.order('nplc', 1)).toBe('done');
    b.world.probe.drive('test', { dc: 1e-3 });
    b.clock.advance(200);
    const all = values(b.unit.readings, 'meter.voltage').slice(-300);
    const mean = all.reduce((s, v) => s + v, 0) / all.length;
    const wanted = 1e-3 * b.world.sampleResistance + b.world.probe.emf(b.clock.mono());
    expect(Math.abs(mean - wanted)).toBeLessThan(1e-6);
    const step = all.slice(1).map((v, i) => v - (all[i] ?? 0));
    const sigma = Math.sqrt(step.reduce((s, v) => s + v * v, 0) / step.length / 2);
    // Of ten readings averaged by its filter: 5.6 nV at 1 PLC on the 10 mV range, and Johnson noise.
    expect(sigma).toBeGreaterThan(1e-9);
    expect(sigma).toBeLessThan(4e-9);
  });
  test('settings go there and are read back', () => {
    const b = bench();
    for (const [command, value, channel, shows] of [
      ['range', 0.5, 'range', 1],
      ['auto_range', true, 'auto_range', true],
      ['filter', false, 'filter', false],
      ['filter_count', 20, 'filter_count', 20],
      ['analog_filter', true, 'analog_filter', true],
      ['autozero', false, 'autozero', false],
      ['front_autozero', false, 'front_autozero', false],
      ['line_sync', true, 'line_sync', true],
      ['channel', 2, 'channel', 2],
    ] as const) {
      expect(b.unit.order(command, value, { within: 7 })).toBe('done');
      expect(b.unit.acquired.latest(channel), command).toMatchObject({ quality: 'good', value: shows });
    }
  });
  test('an open contact, another function and a meter that stands still are said', () => {
    const b = bench();
    b.world.probe.faults.open = 'voltage';
    b.clock.advance(2);
    expect(b.unit.acquired.latest('voltage')).toMatchObject({ quality: 'bad', why: expect.stringMatching(/overflow/) });
    b.world.probe.faults.open = undefined;
    b.unit.order('function', 'temperature');
    expect(b.unit.acquired.latest('voltage')).toMatchObject({ quality: 'bad', why: expect.stringMatching(/measures a temperature/) });
    b.unit.order('function', 'voltage');
    b.unit.order('continuous', false);
    expect(b.unit.acquired.latest('voltage')).toMatchObject({ quality: 'suspect', why: expect.stringMatching(/continuous/) });
  });
  test('an uncertainty comes from the rig only', () => {
    const with10 = bench({ sigma: '10 nV' }).unit.acquired.latest('voltage');
    expect(with10).toMatchObject({ sigma: { random: 1e-8 } });
    expect(bench().unit.acquired.latest('voltage')).not.toHaveProperty('sigma');
    expect(driver.options.parse({ sigma: '10 Pa' })).toBeInstanceOf(Refused);
  });
  test('as a thermometer', () => {
    const b = bench({ measures: 'temperature' });
    expect(b.unit.order('function', 'temperature')).toBe('done');
    expect(Number((b.unit.acquired.latest('temperature') as Reading<'K'> & { value: number }).value)).toBeCloseTo(295.15, 0);
  });
});

describe('in a rig with the source', async () => {
  const known = await catalogue();
  const MODELS: Readonly<Record<string, string>> = { gpib: 'prologix-gpib', source: 'keithley-6221', meter: 'keithley-2182a' };
  const rig = (links: Readonly<Record<string, string>>): Rig => ({
    ...rigOf('keithley-6221', known),
    instruments: Object.entries(links).flatMap(([name, address]) => {
      const one = rigOf(MODELS[name] ?? '', known, { name, links: { main: { address, wire: address } } }).instruments;
      return name === 'source' ? one.map((i) => ({ ...i, options: { meter: 'relay' } })) : one;
    }),
  });

  test.each([
    ['behind a source on a link of its own', { source: 'simulated', meter: 'gpib:source/relay' }],
    ['behind a source on a GPIB adapter', { gpib: 'simulated', source: 'gpib:gpib/12', meter: 'gpib:source/relay' }],
    ['declared before what carries it', { meter: 'gpib:source/relay', source: 'gpib:gpib/12', gpib: 'simulated' }],
  ])('%s', (_, links) => {
    const lab = laboratory(rig(links), known);
    lab.clock.advance(30);
    for (const name of Object.keys(links)) expect(lab.host.acquired.get(name)?.state, name).toEqual({ is: 'running' });
    const volts = values(lab.readings(), 'meter.voltage');
    expect(volts.length).toBeGreaterThan(20);
    for (const v of volts) expect(Math.abs(v)).toBeLessThan(5e-6);
    // The source sees the settings of the meter that the rig has there.
    expect(lab.host.acquired.get('source')?.latest('nplc')).toMatchObject({ quality: 'good', value: 5 });
    expect(lab.readings().filter((r) => r.from.startsWith('source.') && r.quality === 'bad')).toEqual([]);
  });

  test('while a delta measurement has the meter, each channel and each order says so, and afterwards it is there again', async () => {
    const loaded = await loadRig(resolve(import.meta.dirname, '../../rigs/resistivity'), known, methods);
    if (!loaded.ok) throw new Error('the rig is wrong');
    const [meter] = rigOf('keithley-2182a', known, {
      name: 'meter',
      links: { main: { address: 'gpib:source/relay', wire: 'gpib:source/relay' } },
    }).instruments;
    if (!meter) throw new Error('no meter');
    const lab = laboratory({ ...loaded.rig, instruments: [...loaded.rig.instruments, meter] }, known);
    lab.clock.advance(30);
    expect(lab.readings('source.delta').at(-1)).toMatchObject({ value: true });
    const order = (instrument: string, command: string, written: string): (() => string) => {
      const made = { said: '' };
      lab.host.order({ instrument, command, written, by: 'test' }, (outcome) => {
        made.said = JSON.stringify(outcome);
      });
      return () => made.said;
    };
    const TAKEN = 'the meter belongs to the delta measurement that is armed';
    for (const name of ['meter.voltage', 'meter.range', 'meter.filter', 'meter.error'])
      expect(lab.readings(name).at(-1), name).toMatchObject({ quality: 'bad', why: TAKEN });
    const range = order('meter', 'range', '1 V');
    lab.clock.advance(10);
    expect(range()).toMatch(TAKEN);
    // No false alarm on the source's own channels of the meter, at any time.
    expect(lab.readings().filter((r) => /^source\.(nplc|meter_)/.test(r.from) && r.quality === 'bad')).toEqual([]);
    const off = order('source', 'delta', 'off');
    lab.clock.advance(10);
    expect(off()).toMatch(/done/);
    expect(lab.readings('meter.voltage').at(-1)).toMatchObject({ quality: 'good' });
  });
  test.each(['CR', 'LF', 'CRLF'])('behind a source, with lines that end in %s', (name) => {
    const plain = rig({ source: 'simulated', meter: 'gpib:source/relay' });
    const instruments = plain.instruments.map((i) =>
      i.name === 'meter' ? { ...i, options: { ...(i.options as object), terminator: name } } : i,
    );
    const lab = laboratory({ ...plain, instruments }, known);
    lab.clock.advance(10);
    expect(lab.readings('meter.voltage').at(-1)).toMatchObject({ quality: 'good' });
  });
});
