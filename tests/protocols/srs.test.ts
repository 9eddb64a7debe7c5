import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromLatin1, latin1 } from '../../protocols/protocol.ts';
import { filter, indexOf, natural, numbers, rising, srs } from '../../protocols/srs.ts';
import { Round, ranged, Watch } from '../../protocols/srs-watch.ts';
import { noiseBandwidth, type Stages, settling } from '../../src/derive/lock-in.ts';

describe('lines', () => {
  test('questions end as given, replies in CR, LF or both, in any split', () => {
    const language = srs('\r');
    expect(latin1(language.asks.encode('SNAP?1,2,9'))).toBe('SNAP?1,2,9\r');
    fc.assert(
      fc.property(fc.constantFrom('\r', '\n', '\r\n'), fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 12 }), (end, sizes) => {
        const bytes = fromLatin1(['1.2e-05,-3e-07,1000', '0', 'Stanford_Research_Systems,SR830,s/n1,ver1.07'].map((l) => l + end).join(''));
        const decode = language.tells.decoder();
        const said: unknown[] = [];
        let at = 0;
        for (const size of [...sizes, bytes.length]) {
          if (at >= bytes.length) break;
          said.push(...decode(bytes.subarray(at, (at += size))));
        }
        expect(said).toEqual(['1.2e-05,-3e-07,1000', '0', 'Stanford_Research_Systems,SR830,s/n1,ver1.07']);
      }),
    );
  });

  test('numbers are read whole or not at all', () => {
    expect(numbers('3e-05, -4.5E-05 ,+137', 3)).toEqual([3e-5, -4.5e-5, 137]);
    for (const wrong of ['1,2', '1,2,3,4', '1;2;3', '1,2,', '1,2,9.9E37', 'a,b,c', ''])
      expect(() => numbers(wrong, 3)).toThrow('are not 3 numbers');
    expect([natural('0', 255), natural('255', 255)]).toEqual([0, 255]);
    for (const wrong of ['256', '-1', '1.5', '', '1e3', '0x3']) expect(() => natural(wrong, 255)).toThrow('no whole number from 0 to 255');
  });
});

test('tables are exact, as the instruments have them', () => {
  expect(rising([2, 5, 10], -9, 27).slice(0, 4)).toEqual([2e-9, 5e-9, 1e-8, 2e-8]);
  expect(rising([2, 5, 10], -9, 27).at(-1)).toBe(1);
  expect(rising([1, 3], -5, 20)).toEqual(expect.arrayContaining([1e-5, 3e-5, 1e-3, 0.3, 1, 30000]));
  expect(indexOf([1e-3, 2e-3, 5e-3], 2.0001e-3)).toBe(1);
  expect(indexOf([1e-3, 2e-3, 5e-3], 3e-3)).toBe(-1);
});

test('bandwidth and waiting time are those of the physics', () => {
  for (const stages of [1, 2, 3, 4] satisfies Stages[]) {
    expect(filter(0.3, stages)).toEqual({ enbw: noiseBandwidth(0.3, stages), wait: settling(0.3, stages) });
  }
  expect(filter(0.3, 5)).toEqual({ enbw: Number.NaN, wait: Number.NaN });
});

describe('ranging', () => {
  const scales = rising([1, 2, 5], -3, 9);
  const next = (at: number, size: number, overload = false, floor = 0) => ranged({ scales, at, size, overload, floor });

  test('moves above 95 % and below 30 %, and between them never', () => {
    const full = scales[4];
    for (const part of [0.3, 0.31, 0.5, 0.7, 0.95]) expect(next(4, part * full), String(part)).toBe(4);
    expect(next(4, 0.96 * full)).toBe(5);
    expect(next(4, 0.29 * full)).toBe(3);
    expect(next(4, 0.01 * full)).toBe(0);
    expect(next(4, 0, false, 2)).toBe(2);
    expect(next(4, 0, true)).toBe(7);
    expect(next(8, 2, true)).toBe(8);
  });

  test('a steady signal is in its scale after one step down, and stays', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-4, max: 0.3, noNaN: true }), fc.integer({ min: 0, max: 8 }), (size, from) => {
        let at = from;
        for (let i = 0; i < 9; i++) at = next(at, size, size > 1.09 * scales[at]);
        expect(size).toBeLessThanOrEqual(0.95 * scales[at]);
        expect(next(at, size)).toBe(at);
        expect(at === 0 || size >= 0.2 * scales[at]).toBe(true);
      }),
    );
  });

  test('waits until its effect can be seen, and keeps off a scale that was overloaded', () => {
    const watch = new Watch();
    watch.core = { scale: 4, tau: 0.1, stages: 2, current: false };
    watch.at(0);
    expect(watch.range(scales, 0, true, false)).toBe(7);
    watch.core = { ...watch.core, scale: 7 };
    watch.at(0.5e6);
    expect(watch.range(scales, 0, false, false)).toBe(7);
    watch.at(0.8e6);
    expect(watch.range(scales, 0, false, false)).toBe(5);
    watch.at(100e6);
    expect(watch.range(scales, 0, false, false)).toBe(0);
  });
});

test('what is set is waited for, and read back in the next round', () => {
  const watch = new Watch();
  watch.core = { scale: 4, tau: 0.1, stages: 2, current: false };
  expect(watch.at(1e6)).toBeUndefined();
  watch.set('a change of slope', 'C?', { stages: 4 });
  expect(watch.at(2e6)).toBe('not settled after a change of slope: that takes 1 s');
  expect(watch.at(2.9e6)).toMatch(/^not settled/);
  expect(watch.at(3e6)).toBeUndefined();
  watch.read({ ...watch.core, stages: 4 });
  expect(watch.at(4e6)).toBeUndefined();
  watch.read({ ...watch.core, tau: 1 });
  expect(watch.at(5e6)).toMatch(/settings: that takes 10 s$/);

  const round = new Round(['A?'], [['B?'], ['C?', 'D?'], ['E?']]);
  expect(round.next(watch)).toEqual(['A?', 'C?', 'D?']);
  expect(round.next(watch)).toEqual(['A?', 'B?']);
  expect(round.one(watch)).toBe('A?');
  expect(round.one(watch)).toBe('A?'); // it was not answered
  expect(round.took('1')).toEqual({});
  expect(round.one(watch)).toBe('C?');
  expect(round.took('2')).toEqual({});
  expect(round.took('3')).toEqual({ 'A?': '1', 'C?': '2', 'D?': '3' });
});
