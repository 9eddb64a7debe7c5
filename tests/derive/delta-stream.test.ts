import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { delta3, fitDelta } from '../../src/derive/delta.ts';
import { deltaStream, fitDeltaStream, undelta } from '../../src/derive/delta-stream.ts';
import type { Trace } from '../../src/reading.ts';
import { Refused } from '../../src/talk.ts';

const CURRENT = 1e-3;
const raw = (n: number, i: number): number => (i % 2 === 0 ? 1 : -1) * 0.0123 * CURRENT + 4e-6 + 3e-9 * i + 1e-9 * ((i * 7919 + n) % 11);
const volts = (n: number): number[] => Array.from({ length: n }, (_, i) => raw(n, i));

describe('from deltas back to readings', () => {
  test('they have the same deltas, and the fit is that of the readings themselves', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -1e-5, max: 1e-5, noNaN: true }), { minLength: 4, maxLength: 60 }),
        fc.double({ min: 1e-6, max: 1e-4, noNaN: true }),
        (noise, signal) => {
          const readings = noise.map((v, i) => v + 3e-6 + (i % 2 === 0 ? signal : -signal));
          const deltas = [...delta3(readings)];
          delta3(undelta(deltas)).forEach((d, i) => {
            expect(Math.abs(d - (deltas[i] ?? 0))).toBeLessThan(1e-15);
          });
          const [want, got] = [fitDelta(readings, CURRENT), fitDeltaStream([deltas], CURRENT)];
          if (!want || !got) throw new Error('no fit');
          expect(Math.abs(got.resistance - want.resistance)).toBeLessThan(1e-11);
          expect(Math.abs(got.sigma - want.sigma)).toBeLessThan(1e-11);
          expect(Math.abs(got.noise - want.noise)).toBeLessThan(1e-14);
          expect(got.dof).toBe(want.dof);
        },
      ),
    );
  });

  test('with the noise given, too; and the bar is not that of independent readings', () => {
    const readings = volts(26);
    const deltas = [...delta3(readings)];
    expect(fitDeltaStream([deltas], CURRENT, 5e-9)?.sigma).toBeCloseTo(fitDelta(readings, CURRENT, 1, { noise: 5e-9 })?.sigma ?? 0, 15);
    const naive = (5e-9 * Math.sqrt(6 / 16)) / Math.sqrt(24) / CURRENT;
    expect((fitDeltaStream([deltas], CURRENT, 5e-9)?.sigma ?? 0) / naive).toBeGreaterThan(1.4);
  });

  test('two runs are two blocks with one resistance', () => {
    const [a, b] = [[...delta3(volts(20))], [...delta3(volts(12))]];
    const [fa, fb, both] = [fitDeltaStream([a], CURRENT, 1e-9), fitDeltaStream([b], CURRENT, 1e-9), fitDeltaStream([a, b], CURRENT, 1e-9)];
    if (!fa || !fb || !both) throw new Error('no fit');
    const [wa, wb] = [fa.sigma ** -2, fb.sigma ** -2];
    expect(both.resistance).toBeCloseTo((wa * fa.resistance + wb * fb.resistance) / (wa + wb), 15);
    expect(both.sigma).toBeCloseTo(1 / Math.sqrt(wa + wb), 15);
    expect(both.dof).toBe(20 - 3 + 12 - 3 + 1);
    expect(fitDeltaStream([[1e-5]], CURRENT)).toBeUndefined();
  });
});

describe('the method', () => {
  const TIME = 1.7e15;
  const params = (given: Readonly<Record<string, unknown>>) => {
    const read = deltaStream.params.parse(given);
    if (read instanceof Refused) throw new Error(read.why);
    return read;
  };
  interface Block {
    readonly deltas: readonly number[];
    readonly numbers?: readonly number[];
    readonly amps?: readonly number[];
    readonly from?: number;
  }
  const trace = ({ deltas, numbers, amps, from = 0 }: Block): Trace => ({
    columns: {
      voltage: { unit: 'V', data: Float64Array.from(deltas) },
      current: { unit: 'A', data: Float64Array.from(deltas, (_, i) => amps?.[i] ?? CURRENT) },
      time: { unit: 's', data: Float64Array.from(deltas, (_, i) => from + i / 20) },
      number: { unit: '1', data: Float64Array.from(deltas, (_, i) => numbers?.[i] ?? i) },
    },
    shape: [deltas.length],
    begin: TIME + from * 1e6,
    end: TIME + (from + (deltas.length - 1) / 20) * 1e6,
    settings: {},
  });
  const step = (held: ReturnType<typeof deltaStream.start>, block: Block, given: Readonly<Record<string, unknown>> = {}) =>
    deltaStream.step(
      held,
      { readings: { from: 's.block', kind: 'trace', value: trace(block), quality: 'good', t: TIME, seq: 0, origin: 'simulator' } },
      params(given),
    );
  const deltas = [...delta3(volts(26))];

  test('gives resistance in the middle of its readings, with the source shared', () => {
    const [held, values] = step([], { deltas }, { current: '1 mA +- 1 uA' });
    const want = fitDelta(volts(26), CURRENT);
    expect(held).toEqual([]);
    expect(values.resistance).toMatchObject({
      quality: 'good',
      value: expect.closeTo(want?.resistance ?? 0, 11),
      sigma: { random: expect.closeTo(want?.sigma ?? 0, 11), shared: { current: expect.closeTo(-0.0123e-3, 8) } },
      t: TIME + (23 / 20 / 2) * 1e6,
    });
    expect(values.readings).toMatchObject({ value: 24 });
  });

  test('too few readings wait for the next block, of the same run only', () => {
    const [held, none] = step([], { deltas: deltas.slice(0, 4) });
    expect(none).toEqual({});
    const [, both] = step(held, { deltas: deltas.slice(4, 8), numbers: [4, 5, 6, 7], from: 0.2 });
    expect(both.readings).toMatchObject({ value: 8, t: TIME + 0.175e6 });
    const [again, other] = step(held, { deltas: deltas.slice(0, 3), numbers: [0, 1, 2] });
    expect(other).toEqual({});
    expect(again).toHaveLength(3);
  });

  test('a missing reading parts the block and changes nothing else', () => {
    const numbers = deltas.flatMap((_, i) => (i === 10 || i === 11 ? [] : [i]));
    const kept = numbers.map((i) => deltas[i] ?? 0);
    const [, { resistance }] = step([], { deltas: kept, numbers }, { noise: '1 nV' });
    const want = fitDeltaStream([deltas.slice(0, 10), deltas.slice(12)], CURRENT, 1e-9);
    expect(resistance).toMatchObject({ value: want?.resistance, sigma: { random: want?.sigma } });
  });

  test('swapped leads, what is no number, a changed current and gaps everywhere give reasons', () => {
    const [, swapped] = step([], { deltas: deltas.map((d) => -d) });
    expect(swapped.resistance).toMatchObject({ quality: 'bad', why: expect.stringMatching(/below zero by .* sigma: .*swapped/) });
    const why = (block: Block) => step([], block)[1].resistance;
    expect(why({ deltas: [...deltas.slice(0, 7), Number.NaN] })).toMatchObject({ quality: 'bad', why: 'reading 8 is no number' });
    expect(why({ deltas, amps: deltas.map((_, i) => (i < 9 ? 1e-3 : 2e-3)) })).toMatchObject({ why: expect.stringMatching(/changed/) });
    expect(why({ deltas, amps: deltas.map(() => 0) })).toMatchObject({ why: 'no current flows: half of delta_high less delta_low is 0 A' });
    expect(why({ deltas, amps: deltas.map(() => -1e-3) })).toMatchObject({
      why: expect.stringMatching(/^the current is reversed: .* -0.001 A/),
    });
    expect(why({ deltas, numbers: deltas.map((_, i) => 2 * i) })).toMatchObject({ why: expect.stringMatching(/no two of 24/) });
  });

  test('parameters are refused with what would be right', () => {
    for (const given of [{ noise: '5 nA' }, { noise: '-5 nV' }, { current: '1 V' }, { least: 1 }, { settle: 2 }])
      expect(deltaStream.params.parse(given)).toBeInstanceOf(Refused);
  });
});
