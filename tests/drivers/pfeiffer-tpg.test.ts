import { describe, expect, test } from 'vitest';
import tpg from '../../drivers/pfeiffer-tpg.ts';
import simulated from '../../simulators/pfeiffer-tpg.ts';
import type { Reading } from '../../src/reading.ts';
import { place } from './place.ts';

interface Gauge {
  kind: string;
  on: boolean;
  mbar: number;
  broken: 0 | 3 | 6;
}
interface Unit {
  unit: number;
  readonly gauges: Gauge[];
}
const bench = (model = '362', before = (_: Unit) => {}) => {
  const b = place(tpg, simulated, [{ name: 'vacuum', simulate: { simulated: model } }], { baud: 9600 });
  const [unit] = b.units;
  const state = unit.state as Unit; // the simulator's own
  before(state);
  b.clock.advance(3);
  const said = (r: Reading | undefined): unknown => (r === undefined ? undefined : r.quality === 'bad' ? { bad: r.why } : r.value);
  const latest = (channel: string, index?: number): unknown => said(unit.acquired.latest(channel, index));
  return { ...b, unit, state, latest };
};
const near = (pascal: number) => expect.closeTo(pascal, -Math.floor(Math.log10(pascal)));

describe('a TPG 362', () => {
  test('its gauges, and pressures in Pa though the panel shows hPa', () => {
    const b = bench();
    expect(b.unit.acquired.state).toEqual({ is: 'running' });
    expect(b.unit.acquired.id).toEqual({ model: 'TPG 362', firmware: '010300', gauges: 2 });
    expect(b.latest('gauge', 0)).toBe('PKR');
    expect(b.latest('gauge', 1)).toBe('TPR/PCR');
    expect(b.latest('power', 0)).toBe('on');
    expect(b.latest('power', 1)).toBe('fixed');
    expect(b.latest('unit')).toBe('hPa');
    expect(b.latest('pressure', 0)).toEqual(near(2.4e-4));
    expect(b.latest('pressure', 1)).toEqual(near(3.1));
  });

  test.each([
    [0, 'mbar'],
    [1, 'Torr'],
    [2, 'Pa'],
    [3, 'micron'],
    [4, 'hPa'],
  ])('another unit at the panel (%d, %s) is the same pressure', (code, name) => {
    const b = bench('362', (s) => {
      s.unit = code;
    });
    expect(b.latest('unit')).toBe(name);
    expect(b.latest('pressure', 1)).toEqual(near(3.1));
    b.state.unit = 2;
    b.clock.advance(2);
    expect(b.latest('pressure', 1)).toEqual(near(3.1));
  });

  test('a unit that is changed between the questions makes no wrong number', () => {
    const b = bench();
    for (let i = 0; i < 200; i++) {
      b.state.unit = i % 5;
      b.clock.advance(0.237);
    }
    const good = b.unit.readings.filter((r) => r.from === 'vacuum.pressure' && r.index === 1 && r.quality !== 'bad');
    expect(good.length).toBeGreaterThan(0);
    for (const r of good) expect(r.quality !== 'bad' && Number(r.value)).toBeGreaterThan(2.9);
    for (const r of good) expect(r.quality !== 'bad' && Number(r.value)).toBeLessThan(3.3);
  });

  test('volts are no pressure', () => {
    const b = bench('362', (s) => {
      s.unit = 5;
    });
    expect(b.latest('pressure', 0)).toEqual({ bad: 'the unit is set to V, which is no pressure: set it to hPa' });
    expect(b.latest('unit')).toBe('V');
  });

  test.each<[Partial<Gauge>, string, string]>([
    [{ mbar: 1e-10 }, 'underrange', 'underrange: the pressure is below what the gauge measures'],
    [{ mbar: 2000 }, 'overrange', 'overrange: the pressure is above what the gauge measures'],
    [{ broken: 3 }, 'sensor error', 'sensor error'],
    [{ on: false }, 'off', 'the gauge is switched off'],
    [{ kind: 'none' }, 'no sensor', 'there is no gauge'],
    [{ broken: 6 }, 'identification error', 'the gauge cannot be identified'],
  ])('%o: %s, with its reason and without a number', (change, status, why) => {
    const b = bench();
    Object.assign(b.state.gauges[0], change);
    b.clock.advance(2);
    expect(b.latest('status', 0)).toBe(status);
    expect(b.latest('pressure', 0)).toEqual({ bad: why });
    expect(b.latest('pressure', 1)).toEqual(near(3.1));
  });

  test('a gauge is switched off and on; one that has no switch says so', () => {
    const b = bench();
    expect(b.unit.order('power', false)).toBe('done');
    expect(b.sent()).toEqual(['SEN\r\n', '\x05', 'SEN,1,0\r\n', '\x05', 'TID\r\n']);
    expect(b.latest('power', 0)).toBe('off');
    expect(b.latest('status', 0)).toBe('off');
    expect(b.unit.order('power', true)).toBe('done');
    expect(b.latest('power', 0)).toBe('on');
    b.state.gauges[0].kind = 'linear';
    expect(b.unit.order('power', true)).toBe('gauge 1 is none that can be switched');
  });
});

test.each(['261', '262', '361', '366'])('a TPG %s', (model) => {
  const b = bench(model);
  const { gauges } = b.state;
  expect(b.unit.acquired.state).toEqual({ is: 'running' });
  expect(b.unit.acquired.id).toMatchObject({ gauges: gauges.length, model: model.startsWith('2') ? 'TPG 26x' : `TPG ${model}` });
  for (const [i, g] of gauges.entries()) {
    if (g.kind === 'none') expect(b.latest('pressure', i)).toEqual({ bad: 'there is no gauge' });
    else expect(b.latest('pressure', i)).toEqual(near(100 * g.mbar));
  }
  expect(b.unit.order('power', false)).toBe('done');
  expect(b.latest('power', 0)).toBe('off');
});

test('orders at any moment of a poll: no reading is another question’s', () => {
  const b = bench('361'); // UNI and SEN both answer with one digit
  const words = new Set<unknown>();
  for (let i = 0; i < 150; i++) {
    b.clock.advance(0.013 * (i % 29));
    expect(b.unit.order('power', i % 2 === 1, { within: 0.3 })).toBe('done');
  }
  for (const r of b.unit.readings) {
    if (r.quality === 'bad') continue;
    if (r.from === 'vacuum.unit') words.add(r.value);
    if (r.from === 'vacuum.pressure') expect(Number(r.value)).toBeLessThan(2.6e-4);
  }
  expect([...words]).toEqual(['hPa']);
});

test('what the sources print means what they say', () => {
  const [poll] = tpg.body({}, { model: 'TPG 26x', firmware: '', gauges: 2 }).polls ?? [];
  // PyExpLabSys: "5,2.0000E-2 [mbar]" without a sensor; hvl_ccb and labdevices: "5,+0.0000E+00"
  const got = poll.read({ unit: '1', pressures: '0,1.0000E+00,5,2.0000E-2', switches: '0,1', names: 'CMR,noSEn' }, { asked: 0, t: 0 });
  expect(got).toEqual({
    pressure: [101325 / 760, { quality: 'bad', why: 'there is no gauge' }],
    status: ['ok', 'no sensor'],
    gauge: ['CMR', 'noSEn'],
    power: ['fixed', 'off'],
    unit: 'Torr',
  });
  const zero = poll.read({ unit: '0', pressures: '0,0.0000E+00,0,1.0000E-1', switches: '0,0', names: 'CMR,CMR' }, { asked: 0, t: 0 });
  expect(zero.pressure).toEqual([{ quality: 'bad', why: '0 mbar is no pressure that a gauge shows' }, 10]);
});
