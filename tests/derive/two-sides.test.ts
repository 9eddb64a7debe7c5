/** Two sides of one sample: which rule, which weights, and no term of either side lost. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { twoSides } from '../../src/derive/two-sides.ts';
import { graph } from '../../src/graph.ts';
import { Refused } from '../../src/instrument.ts';
import { bad, type Measured, type Reading, type Sigma, total } from '../../src/reading.ts';

type Side = number | Measured<'K'>;
const reading = (from: string, m: Measured<'K'>, t = 0): Reading<'K'> => ({ ...m, from, kind: 'K', t, seq: 0, origin: 'hardware' });
const side = (value: number, random: number, shared?: Sigma['shared']): Measured<'K'> => ({
  quality: 'good',
  value,
  sigma: { random, ...(shared ? { shared } : {}) },
});
function parsed(yaml: object = {}) {
  const params = twoSides.params.parse(yaml);
  if (params instanceof Refused) throw new Error(params.why);
  return params;
}
function step(a: Side, b: Side, yaml: object = {}) {
  const of = (from: string, s: Side): Reading<'K'> => reading(from, typeof s === 'number' ? side(s, 1) : s);
  const [, values] = twoSides.step(undefined, { a: of('up.temperature', a), b: of('down.temperature', b) }, parsed(yaml));
  // The method gives each output as a Measured, and the rule as a word or a Measured.
  return values as { temperature: Measured<'K'>; difference: Measured<'K'>; rule: string | Measured<'state'> };
}
function known(m: Measured<'K'>): { value: number; sigma: Sigma } {
  if (m.quality === 'bad' || !m.sigma) throw new Error('no value with a bar');
  return { value: m.value, sigma: m.sigma };
}

describe('the rule', () => {
  test.each([
    [2000, 2014, 3, 4, 'weighted'],
    [2000, 2014.999, 3, 4, 'weighted'],
    [2000, 2015, 3, 4, 'half-difference'], // 3 sigma of the difference are 15 K; at the limit itself they do not agree
    [2015.001, 2000, 3, 4, 'half-difference'],
  ])('%d and %d K, +- %d and %d: %s', (a, b, sa, sb, rule) => {
    expect(step(side(a, sa), side(b, sb)).rule).toBe(rule);
  });
  test('weighted: by inverse variance', () => {
    const got = step(side(2000, 3), side(2010, 4));
    const { value, sigma } = known(got.temperature);
    expect(value).toBeCloseTo((2000 / 9 + 2010 / 16) / (1 / 9 + 1 / 16), 9);
    expect(sigma.random).toBeCloseTo(1 / Math.sqrt(1 / 9 + 1 / 16), 12);
    expect(sigma.shared).toEqual({});
    expect(known(got.difference)).toEqual({ value: -10, sigma: { random: 5, shared: {} } });
  });
  test('half of the difference is an error of its own beside all others', () => {
    const { value, sigma } = known(step(side(2000, 3, { lamp: 10 }), side(2200, 4, { lamp: 12 })).temperature);
    expect(value).toBe(2100);
    expect(sigma).toEqual({ random: 2.5, shared: { lamp: 11, sides: 100 } });
  });
  test('an error of the sides from before goes on beside it', () => {
    const { sigma } = known(step(side(2000, 1, { sides: 60 }), side(2300, 1)).temperature);
    expect(sigma.shared?.sides).toBeCloseTo(Math.hypot(30, 150), 9);
  });
  test('without an error bar the rule is the careful one, and suspect', () => {
    const got = step(side(2000, 3), { quality: 'good', value: 2001 });
    expect(got.rule).toBe('half-difference');
    expect(got.temperature).toMatchObject({ quality: 'suspect', value: 2000.5, why: expect.stringContaining('down.temperature has no') });
    expect(known(got.temperature).sigma.shared).toEqual({ sides: 0.5 });
  });
});

describe('what both sides share', () => {
  test('the lamp does not count between the sides, and does not shrink in their mean', () => {
    const got = step(side(2000, 2, { lamp: 20 }), side(2010, 2, { lamp: 20 }));
    expect(got.rule).toBe('half-difference'); // 10 K against 2.8: that lamp errs alike on both sides
    const near = step(side(2000, 2, { lamp: 20 }), side(2005, 2, { lamp: 20 }));
    expect(near.rule).toBe('weighted');
    expect(known(near.temperature).sigma.shared).toEqual({ lamp: 20 });
    expect(known(near.difference).sigma).toEqual({ random: Math.hypot(2, 2), shared: { lamp: 0 } });
  });
  test('two lamps are two causes', () => {
    const got = step(side(2000, 2, { lamp_a: 20 }), side(2010, 2, { lamp_b: 20 }));
    expect(got.rule).toBe('weighted');
    expect(known(got.temperature)).toMatchObject({ value: 2005, sigma: { shared: { lamp_a: 10, lamp_b: 10 } } });
    expect(total(known(got.difference).sigma)).toBeCloseTo(Math.sqrt(808), 9);
  });
  test('signs count', () => {
    const got = step(side(2000, 2, { emissivity: 20 }), side(2010, 2, { emissivity: -20 }));
    expect(known(got.difference).sigma.shared).toEqual({ emissivity: 40 });
    expect(known(got.temperature).sigma.shared?.emissivity).toBeCloseTo(0, 12);
  });
  test('what each side has for itself adds in square, whatever its name; the rig may say so of any cause', () => {
    const [a, b] = [side(2000, 2, { window: 8, lamp: 4 }), side(2010, 2, { window: 8, lamp: 4 })];
    const got = known(step(a, b).temperature).sigma.shared;
    expect(got?.window).toBeCloseTo(8 / Math.SQRT2, 12);
    expect(got?.lamp).toBeCloseTo(4, 12);
    expect(known(step(a, b, { own: ['lamp'] }).temperature).sigma.shared).toMatchObject({ window: 8 });
  });
  test('weights: what is common to both says nothing of them', () => {
    const [a, b] = [side(2000, 2, { lamp: 30 }), side(2004, 4, { lamp: 30 })];
    expect(known(step(a, b).temperature).value).toBeCloseTo(2000.8, 9); // as 2 and 4 alone: 16 : 4
  });
});

test('the mean lies between the sides, no cause of either is lost, and no weight could make its bar smaller', () => {
  const sigma = fc.record({ random: fc.double({ min: 0.1, max: 50, noNaN: true }), lamp: fc.double({ min: -40, max: 40, noNaN: true }) });
  fc.assert(
    fc.property(sigma, sigma, fc.double({ min: -20, max: 20, noNaN: true }), (x, y, gap) => {
      const [a, b] = [side(2000, x.random, { lamp: x.lamp, left: 3 }), side(2000 + gap, y.random, { lamp: y.lamp, right: 5 })];
      const got = step(a, b);
      const { value, sigma } = known(got.temperature);
      expect(value).toBeGreaterThanOrEqual(Math.min(2000, 2000 + gap) - 1e-9);
      expect(value).toBeLessThanOrEqual(Math.max(2000, 2000 + gap) + 1e-9);
      expect(Object.keys(sigma.shared ?? {})).toEqual(expect.arrayContaining(['lamp', 'left', 'right']));
      if (got.rule !== 'weighted') return;
      for (let p = 0; p <= 1; p += 0.125) {
        const q = 1 - p;
        const other = Math.hypot(p * x.random, q * y.random, p * x.lamp + q * y.lamp, 3 * p, 5 * q);
        expect(total(sigma)).toBeLessThanOrEqual(other * (1 + 1e-9));
      }
    }),
    { numRuns: 300 },
  );
});

describe('one side missing', () => {
  test('is no temperature of the sample', () => {
    const got = step(2000, bad('camera is off'));
    expect(got.temperature).toEqual({ quality: 'bad', why: 'only one side: down.temperature: camera is off' });
    expect(got.rule).toMatchObject({ quality: 'bad' });
  });
  test('may be allowed: the other side, as suspect', () => {
    const got = step(bad('saturated'), side(2000, 7, { lamp: 9 }), { one_side: 'allow' });
    expect(got.temperature).toEqual({
      quality: 'suspect',
      why: 'down.temperature alone: up.temperature: saturated',
      value: 2000,
      sigma: { random: 7, shared: { lamp: 9 } },
    });
    expect(got.difference).toEqual({ quality: 'bad', why: 'only one side: up.temperature: saturated' });
    expect(got.rule).toMatchObject({ quality: 'suspect', value: 'one side' });
  });
  test('both missing: both reasons', () => {
    const got = step(bad('saturated'), bad('camera is off'), { one_side: 'allow' });
    expect(got.temperature).toEqual({ quality: 'bad', why: 'up.temperature: saturated; down.temperature: camera is off' });
  });
});

test('in a graph: a suspect side makes the combination suspect', () => {
  const input = (from: string) => ({ from, pair: 'last' as const, within: 1 });
  const inputs = { a: input('up.temperature'), b: input('down.temperature') };
  const take = graph([{ name: 'both', derivation: twoSides, inputs, params: parsed(), parametersId: '' }]);
  take(reading('down.temperature', { ...side(2001, 1), quality: 'suspect', why: '2 px saturated' } as Measured<'K'>));
  expect(take(reading('up.temperature', side(2000, 1), 1)).map((r) => [r.from, r.quality, r.quality === 'bad' ? r.why : r.value])).toEqual([
    ['both.temperature', 'suspect', 2000.5],
    ['both.difference', 'suspect', -1],
    ['both.rule', 'suspect', 'weighted'],
  ]);
});

test.each([
  [{ one_side: 'maybe' }, 'one_side: must be one of refuse, allow'],
  [{ own: 'lamp' }, 'own: must be a list of names'],
  [{ other: 1 }, 'no option "other"'],
])('%j is refused with a sentence', (yaml, sentence) => {
  const got = twoSides.params.parse(yaml);
  expect(got instanceof Refused ? got.why : 'taken').toContain(sentence);
});

test('in a graph: one side is enough where the rig allows it, whether the other is bad or does not come', () => {
  const input = (from: string) => ({ from, pair: 'last' as const, within: 1 });
  const inputs = { a: input('up.temperature'), b: input('down.temperature') };
  const given = (one_side: string) =>
    graph([{ name: 'both', derivation: twoSides, inputs, params: parsed({ one_side }), parametersId: '' }]);
  const brief = (all: readonly Reading[]): unknown[] => all.map((r) => [r.quality, r.quality === 'bad' ? r.why : r.value]);
  const allow = given('allow');
  expect(brief(allow(reading('up.temperature', side(2000, 1), 1e6)))).toEqual([
    ['suspect', 2000],
    ['bad', 'only one side: down.temperature: no down.temperature within 1 s before'],
    ['suspect', 'one side'],
  ]);
  allow(reading('down.temperature', bad('camera is off'), 2e6));
  expect(brief(allow(reading('up.temperature', side(2010, 1), 2e6)))[0]).toEqual(['suspect', 2010]);
  allow(reading('down.temperature', side(2030, 1), 3e6));
  expect(brief(allow(reading('up.temperature', bad('saturated'), 3e6)))[0]).toEqual(['suspect', 2030]);
  const refuse = given('refuse');
  expect(brief(refuse(reading('up.temperature', side(2000, 1), 1e6)))[0]?.toString()).toContain('bad');
});
