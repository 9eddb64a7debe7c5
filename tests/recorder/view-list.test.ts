import { expect, test } from 'vitest';
import type { Kind, Reading } from '../../src/reading.ts';
import { listText } from '../../src/recorder/view-list.ts';

const list = (kind: Kind, values: readonly (number | boolean | string | undefined)[]): readonly Reading[] =>
  values.map(
    (value, index) =>
      ({
        ...(value === undefined ? { quality: 'bad', why: 'no answer' } : { quality: 'good', value }),
        from: 'hv.x',
        index,
        kind,
        t: 0,
        seq: 0,
        origin: 'simulator',
      }) as Reading, // a value of its kind
  );

test('numbers: the least and the largest, and which they are', () => {
  expect(listText(list('V', [1450, 1200, 1500]))).toBe('1.2 kV [1] to 1.5 kV [2]');
  expect(listText(list('V', [0, 0]))).toMatch(/^all 0/);
});

test('flags and states name the one that differs', () => {
  expect(listText(list('flag', [false, false]))).toBe('all no');
  expect(listText(list('flag', [true, true]))).toBe('all yes');
  expect(listText(list('flag', [false, true, false, true]))).toBe('yes: 1, 3');
  expect(listText(list('state', ['on', 'on', 'on', 'on', 'on', 'tripped']))).toBe('tripped: 5, on: 5');
  expect(listText(list('state', ['off', 'off']))).toBe('all off');
});

test('bad ones are counted, named and given their reason', () => {
  expect(listText(list('V', [1, undefined, 1]))).toMatch(/^all 1.* V; 1 bad \(1\): no answer$/);
  expect(listText(list('V', new Array(9).fill(undefined)))).toBe('9 bad (0, 1, 2, 3 and 5 more): no answer');
});
