import { describe, expect, test } from 'vitest';
import { FLAG } from '../../src/derive/hits.ts';
import { checkSpectra, spectra } from '../../src/derive/spectra.ts';
import { blockOf } from './hit-rows.ts';

const AXIS = { low: 0, high: 100, bins: 10 };
const numbers = (data: ArrayLike<number> | undefined): number[] => Array.from(data ?? []);

describe('spectra of hits', () => {
  test('charge of each channel, without what has a wrong charge', () => {
    const s = spectra({ channels: 2, charge: AXIS });
    s.take(blockOf([{ charge: 5 }, { charge: 15, channel: 1 }, { charge: 250 }, { channel: 1, charge: -1 }, { channel: 7, charge: 5 }]));
    s.take(
      blockOf([
        { charge: 50, flags: FLAG.saturated },
        { charge: 50, flags: FLAG.empty },
        { charge: 50, flags: FLAG.cut | FLAG.lostBefore },
        { charge: 16, channel: 1, flags: FLAG.untimed },
      ]),
    );
    const got = s.look(1, 2);
    expect(got.charge.shape).toEqual([2, 10]);
    expect(numbers(got.charge.columns.counts?.data)).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(got.charge.settings).toMatchObject({ low: 0, high: 100, bins: 10, under: 1, over: 1 });
    expect([numbers(got.hits), numbers(got.refused), numbers(got.saturated)]).toEqual([
      [5, 3],
      [3, 0],
      [1, 0],
    ]);
    expect(numbers(got.meanCharge)).toEqual([127.5, 10]);
    // numpy: [5, 250] and [15, -1, 16], std(ddof=1) / sqrt(n)
    expect(numbers(got.meanSigma)).toEqual([122.5, expect.closeTo(5.507570547286102, 12)]);
    expect(got.strangers).toBe(1);
    expect([got.charge.begin, got.charge.end]).toEqual([1, 2]);
    expect([got.energy, got.plane]).toEqual([undefined, undefined]);
  });

  test('the error of a mean: none of one pulse, none lost of a narrow spectrum far from zero, and anew after clear', () => {
    const s = spectra({ channels: 3, charge: AXIS });
    s.take(blockOf([{ charge: 7 }, { charge: 1e9 + 1, channel: 1 }, { charge: 1e9 + 2, channel: 1 }, { charge: 1e9 + 4, channel: 1 }]));
    expect(numbers(s.look(0, 1).meanSigma)).toEqual([Number.NaN, expect.closeTo(Math.sqrt(7 / 9), 12), Number.NaN]);
    s.clear();
    s.take(blockOf([{ charge: 3 }, { charge: 5 }]));
    expect(numbers(s.look(0, 1).meanSigma)).toEqual([1, Number.NaN, Number.NaN]);
  });

  test('energy by the scale of each channel, and energy against pulse shape', () => {
    const s = spectra({
      channels: 2,
      charge: AXIS,
      scale: { slope: [0.1, 0.2], offset: [0, 1] },
      energy: { low: 0, high: 10, bins: 10 },
      shape: { low: 0, high: 1, bins: 4 },
    });
    s.take(
      blockOf([
        { charge: 50, tail: 10 },
        { charge: 20, tail: 10, channel: 1 },
        { charge: 20, tail: 30, channel: 1, flags: FLAG.shapeless },
        { charge: 0, tail: 0 },
      ]),
    );
    const got = s.look(0, 1);
    expect(numbers(got.energy?.columns.counts?.data)).toEqual([1, 0, 0, 0, 0, 3, 0, 0, 0, 0]);
    const cells = numbers(got.plane?.columns.counts?.data);
    expect(got.plane?.shape).toEqual([10, 4]);
    expect([cells[20], cells[22], cells.reduce((a, b) => a + b)]).toEqual([1, 1, 2]);
    expect(got.plane?.settings.outside).toBe(1); // of no charge at all there is no pulse shape
    s.clear();
    const after = s.look(1, 2);
    expect(numbers(after.plane?.columns.counts?.data).every((n) => n === 0)).toBe(true);
    expect([numbers(after.hits), after.plane?.settings.outside]).toEqual([[0, 0], 0]);
  });

  test('a look is a copy, and any split of the hits gives the same', () => {
    const rows = Array.from({ length: 40 }, (_, i) => ({ charge: (i * 37) % 110, tail: i % 9, channel: i % 3 }));
    const options = { channels: 3, charge: AXIS, shape: { low: 0, high: 1, bins: 5 } };
    const [whole, parts] = [spectra(options), spectra(options)];
    whole.take(blockOf(rows));
    const first = parts.look(0, 0);
    for (let i = 0; i < 40; i += 7) parts.take(blockOf(rows.slice(i, i + 7)));
    expect(parts.look(0, 1)).toEqual(whole.look(0, 1));
    expect(numbers(first.charge.columns.counts?.data).every((n) => n === 0)).toBe(true);
    expect(parts.of(1)?.counts).toEqual(whole.of(1)?.counts);
    expect(parts.of(3)).toBeUndefined();
  });

  test('options that make no sense are refused with a sentence', () => {
    expect(checkSpectra({ channels: 0, charge: AXIS })).toContain('channels');
    expect(checkSpectra({ channels: 2, charge: { ...AXIS, bins: 0 } })).toContain('bins');
    expect(checkSpectra({ channels: 2, charge: AXIS, scale: { slope: [1, 2] } })).toContain('energy');
    expect(checkSpectra({ channels: 2, charge: AXIS, energy: AXIS })).toContain('scale');
    expect(checkSpectra({ channels: 2, charge: AXIS, energy: AXIS, scale: { slope: [1] } })).toContain('1 numbers for 2');
    expect(() => spectra({ channels: 2, charge: { ...AXIS, high: Number.NaN } })).toThrow('low must be below high');
  });
});
