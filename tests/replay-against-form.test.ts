/** Forms and values apart from any session: what two answers have in common, and how far two series may lie apart. */
import { describe, expect, test } from 'vitest';
import { Fault } from '../protocols/protocol.ts';
import type { Reading } from '../src/reading.ts';
import { Findings } from '../src/replay/against-findings.ts';
import { errorOf, formOf, otherForm } from '../src/replay/against-form.ts';
import { Values } from '../src/replay/against-values.ts';
import { uniform } from '../src/simulator.ts';

const shape = (m: unknown): string => formOf(m).shape;

describe('the form of an answer', () => {
  test.each([
    ['+1.5E-03', '-2.7E-04'],
    ['ON', 'OFF'],
    ['LSCI,MODEL336,LSA2C8E,2.9', 'LSCI,MODEL372,LSA0042,1.3'],
    ['0,"No error"', '-113,"Undefined header"'],
    ['STA: 2113536', 'STA: 4'],
    ['T23.4', 'T-2.5'],
    ['not ready yet', 'ready'],
    [
      { unit: 1, function: 3, values: [1, 2] },
      { unit: 1, function: 3, values: [30, 4] },
    ],
    [new Uint8Array([1, 2]), new Uint8Array([3, 4])],
  ])('%j and %j are of one form', (a, b) => expect(shape(a)).toBe(shape(b)));

  test.each([
    ['1.5,2.5', '1.5'],
    ['1.5;2.5', '1.5,2.5'],
    ['1.5', 'OFF'],
    [
      { function: 3, values: [1, 2] },
      { function: 3, values: [1] },
    ],
    [
      { function: 3, values: [1] },
      { function: 3, exception: 2 },
    ],
    [new Uint8Array(2), new Uint8Array(3)],
    ['1.5', new Fault('PROTO_NOT_TEXT', new Uint8Array(1))],
    [1, '1'],
    [1, true],
  ])('%j and %j are not', (a, b) => expect(shape(a)).not.toBe(shape(b)));

  test.each([
    ['1.50', '1.5', ['1 decimal instead of 2 decimals']],
    ['1.5', '2.5', []],
    ['+1.5', '1.5', ['its sign (nothing instead of a plus)']],
    ['+1.5', '-1.5', []],
    ['a 1.5', 'a  2.5', []],
    ['0012', '12', ['leading zeros']],
    ['1.5', '1.5E0', ['with an exponent']],
    ['1.5E+00', '1.5e+00', ['its exponent is written otherwise']],
    ['1.5E-01', '1.5E+10', []],
    ['5', '5.', ['0 decimals instead of no point']],
    ['0', '-0.000333', []],
    ['0.5', '0', []],
    ['0', '0.00', ['2 decimals instead of no point']],
    ['7', '7.25', ['2 decimals instead of no point']],
  ])('the number in "%s" and in "%s"', (a, b, what) => expect(otherForm(formOf(a).numbers[0], formOf(b).numbers[0])).toEqual(what));

  test.each([
    [{ function: 3, exception: 2 }, 'exception 2'],
    [{ regarding: 1, flags: 0x09, error: 0 }, 'flags 9'],
    [{ type: 1, error: 7 }, 'error 7'],
    [{ type: 1, error: 0 }, undefined],
    [{ busError: true }, 'bus error'],
    [{ ok: false, error: 'CMD' }, 'error CMD'],
    [{ outcome: 'tripped' }, 'outcome "tripped"'],
    [{ outcome: 'ok' }, undefined],
    ['-113,"Undefined header"', 'error -113'],
    [':SYST:ERR 0,"No error"', undefined],
    ['ERR: Invalid command', '"ERR: Invalid command"'],
    ['?WCN', '"?WCN"'],
    ['E04', '"E04"'],
    ['1.5', undefined],
    ['ERROL', undefined],
  ])('the error that %j is', (m, is) => expect(errorOf(m)).toBe(is));
});

describe('numbers that are written with as many digits as they need', () => {
  const found = (pairs: readonly (readonly [string, string])[]): readonly string[] => {
    const findings = new Findings();
    for (const [a, b] of pairs) findings.compare('x', 'q', 'q', a, b, false, { t: 0 });
    return findings.list().findings.map(({ what }) => what);
  };
  test('are of one form, where only some have fewer', () => {
    expect(found([...Array(20)].map((_, i) => [`${1.001 + i}`, i % 9 === 0 ? `${1.5 + i}` : `${1.002 + i}`] as const))).toEqual([]);
    expect(found([['0.5', '0.25']])).toEqual([]);
  });
  test('are of another where the same number is written otherwise, or all are', () => {
    expect(found([['0.50', '0.5']])).toEqual(['how number 1 is written: 1 decimal instead of 2 decimals']);
    expect(found([...Array(20)].map((_, i) => [`${1.001 + i}`, `${(1.01 + i).toFixed(2)}`] as const))).toEqual([
      'how number 1 is written: 2 decimals instead of 3 decimals',
    ]);
  });
  test('a zero says nothing about how other numbers are written', () => {
    expect(found([...Array(20)].map((_, i) => ['0', i % 2 ? '0' : '-0.000333'] as const))).toEqual([]);
    expect(found([...Array(20)].map((_, i) => [`${i}`, `${i}.5`] as const))).toEqual([
      'how number 1 is written: 1 decimal instead of no point',
    ]);
  });
  test('a form that the instrument has at other times is one of its own', () => {
    expect(
      found([
        ['1.5', 'OFF'],
        ['OFF', '1.5'],
      ]),
    ).toEqual([]);
    expect(
      found([
        ['1.5', 'OFF'],
        ['1.5', '1.5'],
      ]),
    ).toEqual(['W instead of N']);
  });
});

describe('values', () => {
  const reading = (value: number, sigma = 0): Reading =>
    ({ from: 'x.y', kind: 'V', t: 0, seq: 0, origin: 'simulator', quality: 'good', value, sigma: { random: sigma } }) as Reading;
  const judged = (pairs: readonly (readonly [number, number])[], leaf?: (v: number) => number, step = 0, sigma = 0) => {
    const values = new Values(0.05);
    for (const [a, b] of pairs)
      values.exchange(
        [reading(a, sigma)],
        [reading(b, sigma)],
        { t: 0 },
        false,
        leaf && { then: [leaf(a), 7], now: [leaf(b), 7], steps: [step, 1] },
      );
    return values.channels().channels[0];
  };
  const many = (n: number, make: (i: number) => readonly [number, number]) => Array.from({ length: n }, (_, i) => make(i));

  test('may differ by the tolerance, and by four of their own standard deviations', () => {
    expect(judged([[100, 104.9]]).same).toBe(true);
    expect(judged([[100, 110]])).toMatchObject({ same: false, outside: 1, largest: 10, median: 10 });
    expect(judged([[0, 0.5]], undefined, 0, 0.1).same).toBe(true);
    expect(judged([[0, 0.6]], undefined, 0, 0.1).same).toBe(false);
  });

  test('may differ by a step of the number that they are read from', () => {
    const raw = (v: number): number => Math.round(v / 0.0036);
    expect(judged([[0, 0.0036]], raw, 1).same).toBe(true);
    expect(judged([[0, 0.0072]], raw, 1).same).toBe(false);
    expect(judged([[0, 0.0036]]).same).toBe(false);
  });

  test('that jump may do so a reading later, and must do so', () => {
    const jump = (late: number) => judged(many(12, (i) => [i < 6 ? 1 : 5, i < 6 + late ? 1 : 5]));
    expect(jump(1)).toMatchObject({ same: true, outside: 0 });
    expect(jump(3)).toMatchObject({ same: false, outside: 2 });
  });

  test('what chance makes is not compared, but that there is a value is', () => {
    const values = new Values(0.05, () => 'chance');
    const of = (value: number): Reading => ({ ...reading(value), kind: '1', sigma: undefined }) as unknown as Reading;
    for (let i = 0; i < 40; i++) values.exchange([of(i)], [of(100 - i)], { t: i }, false);
    expect(values.channels().channels).toMatchObject([{ pairs: 40, outside: 0, same: true }]);
    const word = (value: string): Reading => ({ ...of(1), from: 'a.word', kind: 'state', value }) as unknown as Reading;
    values.exchange([word('stated')], [word('none')], { t: 1 }, false);
    expect(values.channels().channels).toMatchObject([{}, { channel: 'a.word', pairs: 1, outside: 0 }]);
    const none = { ...of(1), quality: 'bad', why: 'no pairs' } as unknown as Reading;
    for (let i = 0; i < 40; i++) values.exchange([of(i)], [none], { t: i }, false);
    expect(values.channels().channels).toMatchObject([{ refused: { count: 40 } }, {}]);
  });

  test('of counts: within what chance allows, wherever they began; a beginning anew is none', () => {
    const counted = (rates: readonly [number, number], declared = true) => {
      const values = new Values(0.05, () => (declared ? 'count' : undefined));
      const noise = [1, 2].map((seed) => (i: number) => uniform(seed, 'count', i));
      const sums = [0, 40]; // the second has counted before the first was looked at
      for (let i = 0; i < 200; i++) {
        if (i === 120) sums.fill(0);
        for (const side of [0, 1])
          for (let k = 0; k < 10; k++) if ((noise[side]?.(10 * i + k) ?? 1) < (rates[side] ?? 0)) sums[side] = (sums[side] ?? 0) + 1;
        const [a, b] = sums.map((value) => ({ ...reading(value), kind: '1', sigma: undefined }) as unknown as Reading);
        values.exchange(a ? [a] : [], b ? [b] : [], { t: i }, false);
      }
      return values.channels().channels[0]?.same;
    };
    expect(counted([0.02, 0.02])).toBe(true);
    expect(counted([0.3, 0.3])).toBe(true);
    expect(counted([0.3, 0.45])).toBe(false);
    expect(counted([0.02, 0.1])).toBe(false);
    expect(counted([0.02, 0.02], false)).toBe(false);
  });

  test('of counters: how they grow, wherever they began', () => {
    const counted = (rate: number) => {
      const values = new Values(0.05);
      const one = (value: number): Reading => ({ ...reading(value), kind: 's' }) as Reading;
      for (let i = 0; i < 40; i++) values.exchange([one(1 + i)], [one(86_400 + rate * i)], { t: i }, false);
      return values.channels().channels[0];
    };
    expect(counted(1)).toMatchObject({ same: true, outside: 0 });
    expect(counted(1.3)).toMatchObject({ same: false });
    expect(judged(many(40, (i) => [1 + i, 86_400 + i])).same).toBe(false); // of volts
  });

  test('are one in twenty', () => {
    expect(judged(many(20, (i) => [1, i === 3 ? 2 : 1])).same).toBe(true);
    expect(judged(many(20, (i) => [1, i < 2 ? 2 : 1])).same).toBe(false);
  });

  test('noise is allowed for, and does not hide what is so on average', () => {
    const noise = (i: number): number => Math.sin(12.9898 * i * i) * 0.2;
    expect(judged(many(200, (i) => [1 + noise(i), 1 + noise(i + 500)]))).toMatchObject({ same: true });
    const shifted = judged(many(200, (i) => [1 + noise(i), 0.8 + noise(i + 500)]));
    expect(shifted).toMatchObject({ same: false, outside: 0 });
    expect(shifted.shift).toBeCloseTo(-0.2, 1);
  });
});
