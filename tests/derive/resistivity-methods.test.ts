import { describe, expect, test } from 'vitest';
import type { Derivation } from '../../src/derive/derivation.ts';
import { halfCycles } from '../../src/derive/half-cycles.ts';
import { graph, type Input } from '../../src/graph.ts';
import { methods } from '../../src/methods.ts';
import { type Kind, type Reading, type Sigma, type Trace, total } from '../../src/reading.ts';
import { Refused } from '../../src/talk.ts';

const TIME = 1.7e15;
const last = (from: string): Input => ({ from, pair: 'last', within: 60 });
const num = (from: string, kind: Kind, value: number, sigma?: Sigma, t = TIME): Reading =>
  ({ from, kind, value, quality: 'good', t, seq: 0, origin: 'simulator', ...(sigma ? { sigma } : {}) }) as Reading; // of the kind named

function paramsOf(method: string, given: unknown): unknown {
  const derivation = methods.get(method) as Derivation<unknown, never, never, unknown> | undefined; // any of them
  if (!derivation) throw new Error(`no method ${method}`);
  return derivation.params.parse(given);
}

/** One node of the method; what it makes of these readings, by output. */
function made(method: string, inputs: Record<string, string>, given: unknown, readings: readonly Reading[]): Map<string, Reading> {
  const params = paramsOf(method, given);
  if (params instanceof Refused) throw new Error(params.why);
  const derivation = methods.get(method) as never; // looked up by paramsOf
  const run = graph([
    {
      name: 'n',
      derivation,
      inputs: Object.fromEntries(Object.entries(inputs).map(([name, from]) => [name, last(from)])),
      params,
      parametersId: 'p',
    },
  ]);
  return new Map(readings.flatMap((r) => run(r)).map((r) => [r.from.slice(2), r]));
}
const value = (r: Reading | undefined): unknown => (r === undefined ? 'nothing' : r.quality === 'bad' ? `bad: ${r.why}` : r.value);

function block(volts: readonly number[], amps: readonly number[], dt?: number): Reading {
  const trace: Trace = {
    columns: {
      voltage: { unit: 'V', data: Float64Array.from(volts) },
      current: { unit: 'A', data: Float64Array.from(amps) },
      ...(dt === undefined ? {} : { time: { unit: 's' as const, data: Float64Array.from(volts, (_, i) => i * dt) } }),
    },
    shape: [volts.length],
    begin: TIME,
    end: TIME + 1e6,
    settings: {},
  };
  return { from: 'k.block', kind: 'trace', value: trace, quality: 'good', t: TIME, seq: 0, origin: 'simulator' };
}

const square = (n: number, i: number, each = 1): number[] => Array.from({ length: n }, (_, k) => (Math.floor(k / each) % 2 === 0 ? i : -i));

describe('delta', () => {
  const amps = square(24, 1e-3);
  const volts = amps.map((a, i) => 0.0123 * a + 4e-6 + 3e-9 * i + 1e-10 * ((i * 7) % 5));

  test('resistance by least squares, its offset and drift, and the deltas of the instrument beside it', () => {
    const got = made('delta', { readings: 'k.block' }, { current: '1 mA +- 1 uA' }, [block(volts, amps, 0.05)]);
    const r = got.get('resistance');
    expect(value(r)).toBeCloseTo(0.0123, 6);
    if (r?.quality !== 'good') throw new Error('no resistance');
    expect(r.sigma?.shared?.current).toBeCloseTo(-0.0123e-3, 9);
    expect(value(got.get('drift'))).toBeCloseTo(3e-9 / 0.05, 9);
    expect(value(got.get('offset'))).toBeCloseTo(4e-6 + 3e-9 * 11.5, 8);
    for (const name of ['delta3', 'delta4']) expect(value(got.get(name))).toBeCloseTo(0.0123, 6);
    // Two points keep half of the drift from reading to reading.
    expect(value(got.get('delta2'))).toBeCloseTo(0.0123 - 1.5e-9 / 1e-3, 6);
    expect(value(got.get('readings'))).toBe(24);
  });
  test('without times there is no drift per second, and it says so', () => {
    const got = made('delta', { readings: 'k.block' }, {}, [block(volts, amps)]);
    expect(value(got.get('drift'))).toBe('bad: the times of the readings are not known');
    expect(value(got.get('resistance'))).toBeCloseTo(0.0123, 6);
  });
  test('settling readings after each reversal are left out', () => {
    const slow = square(40, 1e-3, 5);
    const settling = slow.map((a, i) => 0.02 * a * (1 - 0.3 * Math.exp(-2 * (i % 5))));
    const all = made('delta', { readings: 'k.block' }, {}, [block(settling, slow, 0.01)]);
    const some = made('delta', { readings: 'k.block' }, { settle: 3 }, [block(settling, slow, 0.01)]);
    expect(Math.abs(Number(value(all.get('resistance'))) - 0.02)).toBeGreaterThan(1e-3);
    expect(value(some.get('resistance'))).toBeCloseTo(0.02, 4);
    expect(value(some.get('readings'))).toBe(16);
    expect(value(made('delta', { readings: 'k.block' }, { settle: 5 }, [block(settling, slow, 0.01)]).get('resistance'))).toMatch(
      /none is left/,
    );
  });
  test('swapped leads give no number; a current that never turns and readings that are no numbers neither', () => {
    const turned = volts.map((v) => -v);
    const swapped = made('delta', { readings: 'k.block' }, {}, [block(turned, amps, 0.05)]);
    for (const name of ['resistance', 'delta2', 'delta3', 'delta4'])
      expect(value(swapped.get(name))).toMatch(/^bad: below zero by more than 1000 sigma: the leads of voltage or of current are swapped$/);
    // The EMF does not turn with the leads.
    expect(value(swapped.get('offset'))).toBeCloseTo(-4e-6 - 3e-9 * 11.5, 8);
    expect(value(made('delta', { readings: 'k.block' }, {}, [block([1, 2, 3, 4], [1, 1, 1, 1])]).get('resistance'))).toMatch(
      /never reversed/,
    );
    expect(value(made('delta', { readings: 'k.block' }, {}, [block([1, Number.NaN, 3, 4], [1, -1, 1, -1])]).get('resistance'))).toMatch(
      /reading 2 is no number/,
    );
    expect(value(made('delta', { readings: 'k.block' }, {}, [block([1, 2, 3, 4], [1, 0, 1, -1])]).get('resistance'))).toMatch(
      /reading 2 has a current of 0 A/,
    );
  });
  test('a resistance that cannot be told from zero is a value with its bar', () => {
    const none = amps.map((a, i) => -1e-6 * a + 1e-8 * (((i * 7) % 5) - 2));
    const got = made('delta', { readings: 'k.block' }, {}, [block(none, amps, 0.05)]).get('resistance');
    expect(got).toMatchObject({ quality: 'good' });
    expect(Number(value(got))).toBeLessThan(0);
  });
  test('half-cycles keep their polarity and count what was left out', () => {
    const got = halfCycles([1, 2, 3, -1, -2, -3], [-1, -1, -1, 1, 1, 1], [0, 1, 2, 3, 4, 5], 1);
    expect(got).toMatchObject({ first: -1, discarded: 2 });
    expect(typeof got !== 'string' && [...got.means]).toEqual([2.5, -2.5]);
    expect(halfCycles([1, 2], [1], [1, 2], 0)).toMatch(/do not belong together/);
  });
});

describe('alternating current', () => {
  const readings = (x: number, y: number): Reading[] => [
    num('l.y', 'V', y, { random: 1e-9 }),
    num('l.i', 'A', 1e-3, { random: 0, shared: { source: 1e-6 } }),
    num('l.x', 'V', x, { random: 2e-9 }),
  ];
  const inputs = { x: 'l.x', y: 'l.y', current: 'l.i' };
  test('in phase, out of phase, and whose error is whose', () => {
    const got = made('ac-resistance', inputs, {}, readings(1e-5, 1e-6));
    const r = got.get('resistance');
    expect(value(r)).toBeCloseTo(0.01, 12);
    if (r?.quality !== 'good') throw new Error('no resistance');
    expect(r.sigma?.random).toBeCloseTo(2e-6, 12);
    expect(r.sigma?.shared?.source).toBeCloseTo(-1e-5, 12);
    expect(value(got.get('quadrature'))).toBeCloseTo(1e-3, 12);
    expect(value(got.get('phase'))).toBeCloseTo(Math.atan2(1e-6, 1e-5), 12);
    expect(value(got.get('amplitude'))).toBeCloseTo(Math.hypot(1e-5, 1e-6), 15);
  });
  test.each([
    [1e-6, 1e-5, /^bad: more out of phase than in phase: an open contact or lead, capacitance, pick-up/],
    [3e-9, 1e-5, /^bad: more out of phase than in phase, and the in-phase part is 1.5 sigma of its noise: an open contact/],
    [3e-9, 1e-9, /^bad: the in-phase part is 1.5 sigma of its noise: no current flows \(an open contact or lead\)/],
    [-3e-9, 1e-9, /^bad: the in-phase part is 1.5 sigma of its noise/],
    [-1e-7, 0, /^bad: below zero by 50 sigma: the leads of voltage or of current are swapped$/],
  ])('x %d and y %d V give a reason and no number', (x, y, why) => {
    expect(value(made('ac-resistance', inputs, {}, readings(x, y)).get('resistance'))).toMatch(why);
  });
  test('what is out of phase within the bars is suspect, and noise is a value where the rig wants it', () => {
    expect(made('ac-resistance', inputs, {}, readings(1e-8, 1.1e-8)).get('resistance')?.quality).toBe('suspect');
    expect(made('ac-resistance', inputs, { least: 0 }, readings(-3e-9, 1e-9)).get('resistance')).toMatchObject({ quality: 'good' });
  });
  test('after noise the voltage must stand out further', () => {
    const at = (x: number, t: number): Reading[] => readings(x, 0).map((r) => ({ ...r, t }));
    const all = (...x: number[]): unknown =>
      value(
        made(
          'ac-resistance',
          inputs,
          {},
          x.flatMap((v, i) => at(v, TIME + i)),
        ).get('resistance'),
      );
    expect(all(8e-9)).toBeCloseTo(8e-6, 12);
    expect(all(1e-9, 8e-9)).toMatch(/4 sigma of its noise/);
    expect(all(1e-9, 2e-8, 8e-9)).toBeCloseTo(8e-6, 12);
  });
  test('no current is no resistance, nor is a reversed one', () => {
    const reversed = readings(1e-5, 0).map((r) => (r.from === 'l.i' ? num('l.i', 'A', -1e-3) : r));
    expect(value(made('ac-resistance', inputs, {}, reversed).get('resistance'))).toMatch(
      /the current is reversed: the amplitude is -0.001 A/,
    );
    const stopped = readings(1e-5, 0).map((r) => (r.from === 'l.i' ? num('l.i', 'A', 0) : r));
    expect(value(made('ac-resistance', inputs, {}, stopped).get('resistance'))).toBe('bad: no current flows');
    expect(value(made('ac-resistance', { x: 'l.x', y: 'l.y' }, {}, readings(1e-5, 0)).get('resistance'))).toMatch(/neither read nor given/);
    const fixed = made('ac-resistance', { x: 'l.x', y: 'l.y' }, { amplitude: '2 mA +- 2 uA' }, readings(1e-5, 0)).get('resistance');
    expect(value(fixed)).toBeCloseTo(0.005, 12);
  });
  test('the third harmonic hints at heating only where it is seen', () => {
    const at = (third: number, sigma: number): unknown =>
      value(
        made('third-harmonic', { third: 't.x', first: 'l.x' }, {}, [num('l.x', 'V', 1e-5), num('t.x', 'V', third, { random: sigma })]).get(
          'heating',
        ),
      );
    expect(at(1e-7, 1e-9)).toBe('heated by its current');
    expect(at(1e-7, 1e-7)).toBe('not seen');
    expect(at(1e-9, 1e-11)).toBe('not seen');
  });
});

describe('from resistance to conductivity', () => {
  test('a sweep of the current: the value at none, and whether it heats', () => {
    const readings = [1, 2, 3, 4, 5].flatMap((i) => [
      num('s.i', 'A', i * 1e-3, undefined, TIME + i),
      num('d.r', 'Ω', 0.1 + 40 * (i * 1e-3) ** 2, { random: 1e-6 }, TIME + i),
    ]);
    const got = made('joule-heating', { resistance: 'd.r', current: 's.i' }, {}, readings);
    expect(value(got.get('resistance'))).toBeCloseTo(0.1, 8);
    expect(value(got.get('heating'))).toBe('heated by its current');
    expect(value(got.get('slope'))).toBeCloseTo((40 * 25e-6) / 0.1, 6);
    expect(value(made('joule-heating', { resistance: 'd.r', current: 's.i' }, {}, readings.slice(0, 4)).get('resistance'))).toMatch(
      /three different/,
    );
  });
  test('van der Pauw with a thickness, and without', () => {
    const two = [num('m.b', 'Ω', 0.031, { random: 1e-5 }), num('m.a', 'Ω', 0.08, { random: 1e-5 })];
    const got = made('van-der-pauw', { a: 'm.a', b: 'm.b' }, { depth: '5 um +- 0.5 um' }, two);
    expect(value(got.get('sheet'))).toBeCloseTo(0.2335718398563483, 12);
    const rho = got.get('resistivity');
    expect(value(rho)).toBeCloseTo(0.2335718398563483 * 5e-6, 15);
    expect(rho?.quality === 'good' && Math.abs(rho.sigma?.shared?.thickness ?? 0)).toBeCloseTo(0.2335718398563483 * 0.5e-6, 12);
    expect(value(made('van-der-pauw', { a: 'm.a', b: 'm.b' }, {}, two).get('resistivity'))).toMatch(/neither read nor given/);
    const sheet = (b: number, sigma?: Sigma): unknown =>
      value(made('van-der-pauw', { a: 'm.a', b: 'm.b' }, {}, [num('m.b', 'Ω', b, sigma), num('m.a', 'Ω', 1)]).get('sheet'));
    expect(sheet(-1)).toBe('bad: m.b: below zero: the leads of voltage or of current are swapped');
    expect(sheet(-1, { random: 0.1 })).toMatch(/m.b: below zero by 10 sigma/);
    expect(sheet(-1, { random: 0.5 })).toMatch(/two resistances above zero, not 1 and -1 Ohm/);
  });
  test('four terminals and Wiedemann-Franz, with everything that is uncertain', () => {
    const shape = { between: '20 um +- 1 um', across: '10 um +- 0.5 um', depth: '5 um +- 0.5 um', volume: '0.72 +- 0.01' };
    const rho = made('four-terminal', { resistance: 'd.r' }, shape, [num('d.r', 'Ω', 0.08, { random: 1e-4 })]).get('resistivity');
    expect(value(rho)).toBeCloseTo(2e-7 * Math.cbrt(0.72), 15);
    if (rho?.quality !== 'good') throw new Error('no resistivity');
    expect(Object.keys(rho.sigma?.shared ?? {}).sort()).toEqual(['compression', 'length', 'thickness', 'width']);
    const k = made('wiedemann-franz', { resistivity: 'n.resistivity', temperature: 'up.t' }, { lorenz: 'zhang2020' }, [
      num('up.t', 'K', 3000, { random: 3, shared: { lamp: 30 } }),
      { ...rho, from: 'n.resistivity' },
    ]).get('conductivity');
    expect(value(k)).toBeCloseTo((2.05e-8 * 3000) / (2e-7 * Math.cbrt(0.72)), 9);
    expect(k?.quality === 'good' && Object.keys(k.sigma?.shared ?? {}).sort()).toEqual([
      'compression',
      'lamp',
      'length',
      'lorenz',
      'thickness',
      'width',
    ]);
    expect(k?.quality === 'good' && total(k.sigma) / Number(k.value)).toBeGreaterThan(0.12);
  });
  test('below zero: no resistivity and no conductivity, and each says why', () => {
    const shape = { between: '20 um', across: '10 um', depth: '5 um' };
    const rho = (r: number) =>
      made('four-terminal', { resistance: 'd.r' }, shape, [num('d.r', 'Ω', r, { random: 1e-3 })]).get('resistivity');
    expect(value(rho(-0.08))).toBe('bad: d.r: below zero by 80 sigma: the leads of voltage or of current are swapped');
    expect(rho(-2e-3)).toMatchObject({ quality: 'good' });
    const k = (value_: number, kelvin = 300) =>
      value(
        made('wiedemann-franz', { resistivity: 'n.rho', temperature: 'up.t' }, {}, [
          num('up.t', 'K', kelvin),
          num('n.rho', 'Ω m', value_, { random: 1e-9 }),
        ]).get('conductivity'),
      );
    expect(k(-1e-7)).toBe('bad: n.rho: below zero by 100 sigma: the leads of voltage or of current are swapped');
    expect(k(-2e-9)).toMatch(/a resistivity of -2.00 ± 1.00 nΩ m cannot be told from zero: it has no conductivity/);
    expect(k(1e-7, -1)).toMatch(/the temperature must be above zero, not -1 K/);
  });
  test('a length by hand is shared, and a missing one is named', () => {
    const readings = [num('operator.thickness', 'm', 12e-6, { random: 1e-6 }), num('d.r', 'Ω', 0.08)];
    const got = made(
      'four-terminal',
      { resistance: 'd.r', thickness: 'operator.thickness' },
      { between: '20 um', across: '10 um' },
      readings,
    ).get('resistivity');
    expect(got?.quality === 'good' && got.sigma?.shared?.thickness).toBeGreaterThan(0);
    expect(value(made('four-terminal', { resistance: 'd.r' }, { between: '20 um' }, readings).get('resistivity'))).toBe(
      'bad: width, thickness of the sample: neither read nor given',
    );
  });
  test('a cause that lengths have in common drops out of their ratio', () => {
    const scale = (name: string, value: number): Reading =>
      num(`m.${name}`, 'm', value, { random: 0, shared: { microscope: 0.02 * value } });
    const readings = [scale('length', 20e-6), scale('width', 10e-6), num('d.r', 'Ω', 0.08)];
    const got = made('four-terminal', { resistance: 'd.r', length: 'm.length', width: 'm.width' }, { depth: '5 um' }, readings).get(
      'resistivity',
    );
    expect(got?.quality === 'good' && total(got.sigma)).toBeLessThan(1e-12 * 2e-7);
  });
  test('parameters that cannot be say what would be right', () => {
    for (const [method, given, text] of [
      ['wiedemann-franz', { lorenz: 'wiedeman' }, /sommerfeld, ohta2016, zhang2020/],
      ['wiedemann-franz', { lorenz: '2.4 W' }, /W Ω\/K²/],
      ['four-terminal', { depth: '5 K' }, /5 um/],
      ['four-terminal', { between: 20 }, /between: 20 has no unit; write it like/],
      ['delta', { noise: 5 }, /noise: 5 has no unit; write it like 5 nV/],
      ['wiedemann-franz', { lorenz: 2.44e-8 }, /lorenz: 2.44e-8 has no unit/],
      ['delta', { settle: -1 }, /whole number/],
      ['delta', { current: '-1 mA' }, /the current is reversed/],
      ['delta-stream', { current: '-1 mA' }, /the current is reversed/],
      ['ac-resistance', { amplitude: '-1 mA' }, /the current is reversed/],
      ['joule-heating', { points: 2 }, /from 3/],
      ['van-der-pauw', { tickness: '5 um' }, /no option|known are/],
    ] as const) {
      const read = paramsOf(method, given);
      expect(read instanceof Refused && read.why).toMatch(text);
    }
  });
});
