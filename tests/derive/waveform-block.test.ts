import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FLAG, hits } from '../../src/derive/hits.ts';
import { features, PULSE, type PulseSettings } from '../../src/derive/waveform.ts';
import { blockFeatures } from '../../src/derive/waveform-block.ts';

/** Of a channel: noise only, a pulse, a saturated one, a step, a constant, anything. */
interface Shape {
  readonly kind: 'noise' | 'pulse' | 'pulses' | 'flat' | 'anything';
  readonly at: number;
  readonly height: number;
  readonly decay: number;
  readonly seed: number;
}
const shapes: fc.Arbitrary<Shape> = fc.record({
  kind: fc.constantFrom('noise', 'pulse', 'pulse', 'pulses', 'flat', 'anything'),
  at: fc.nat(300),
  height: fc.constantFrom(5, 12, 100, 1500, 6000),
  decay: fc.constantFrom(0.3, 3, 40),
  seed: fc.integer({ min: 1, max: 2147483646 }),
});

function wave(n: number, top: number, sign: number, { kind, at, height, decay, seed }: Shape): Uint16Array {
  let state = seed;
  const random = (): number => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  const pulse = (i: number): number => (i < at % n ? 0 : height * Math.exp(-(i - (at % n)) / decay));
  const middle = top / 2;
  return Uint16Array.from({ length: n }, (_, i) => {
    const noise = Math.round(3 * random());
    const value =
      kind === 'anything'
        ? random() * top
        : kind === 'flat'
          ? height
          : middle + noise + (kind === 'noise' ? 0 : sign * (pulse(i) + (kind === 'pulses' ? pulse(i - 9) : 0)));
    return Math.max(0, Math.min(top, Math.round(value)));
  });
}

const settings: fc.Arbitrary<PulseSettings> = fc
  .record({
    polarity: fc.constantFrom('negative', 'positive'),
    bits: fc.constantFrom(10, 12, 14, 16),
    intervalNs: fc.constantFrom(1, 2, 4, 10 / 3),
    baseline: fc.integer({ min: 1, max: 40 }),
    gate: fc.tuple(fc.nat(10), fc.integer({ min: 1, max: 200 })),
    tail: fc.integer({ min: -10, max: 200 }),
    leading: fc.constantFrom(0.1, 0.3, 0.5, 0.9),
    cfd: fc.record({ fraction: fc.constantFrom(0.2, 0.3, 0.5), delay: fc.integer({ min: 1, max: 9 }) }),
    threshold: fc.constantFrom(0, 3, 10, 500),
    time: fc.constantFrom('cfd', 'leading'),
  })
  .map((s) => ({ ...s, tail: Math.max(-s.gate[0], Math.min(s.gate[1], s.tail)) }) as PulseSettings); // the words are those of PulseSettings

describe.each(['simd', 'plain'] as const)('blocks by the kernel %s', (made) => {
  test('have the numbers of the reference, bit for bit', () => {
    let simd = 0;
    fc.assert(
      fc.property(settings, fc.integer({ min: 8, max: 300 }), fc.array(shapes, { minLength: 1, maxLength: 5 }), (how, n, all) => {
        const kernel = blockFeatures(all.length, n, how, made);
        if (kernel.made === 'simd') simd++;
        const waves = all.map((shape) => wave(n, 2 ** how.bits - 1, how.polarity === 'negative' ? -1 : 1, shape));
        const block = hits(2 * all.length);
        for (const number of [1, 2]) {
          kernel.frame.fill(number * 21845); // what an earlier frame has left behind
          for (const [c, w] of waves.entries()) kernel.frame.set(w, c * n);
          block.count = 0;
          const empty = kernel.look({ t: 0, number, firstChannel: 64, flags: 0 }, block);
          const wanted = waves.map((w, c) => ({ c, ...features(w, how) }));
          const full = wanted.filter(({ flags }) => (flags & FLAG.empty) === 0);
          expect(empty).toBe(all.length - full.length);
          expect(block.count).toBe(full.length);
          for (const [row, w] of full.entries()) {
            const got = {
              channel: block.channel[row],
              t: block.t[row],
              charge: block.charge[row],
              tail: block.tail[row],
              peak: block.peak[row],
              baseline: block.baseline[row],
              noise: block.noise[row],
              flags: block.flags[row],
              frame: block.frame[row],
            };
            const { baseline, noise, peak, charge, tail, timeNs, flags } = w;
            expect(got).toEqual({
              channel: 64 + w.c,
              t: timeNs,
              charge: charge + 0,
              tail: tail + 0,
              peak,
              baseline,
              noise,
              flags,
              frame: number,
            });
          }
        }
      }),
      { numRuns: 400 },
    );
    if (made === 'simd') expect(simd).toBeGreaterThan(100); // else it has not been tried
  });

  test('rows are appended, with the frame’s time, number and flags', () => {
    const kernel = blockFeatures(2, 160, PULSE, made);
    const pulse: Shape = { kind: 'pulse', at: 50, height: 500, decay: 3, seed: 5 };
    kernel.frame.set(wave(160, 4095, -1, pulse), 0);
    kernel.frame.set(wave(160, 4095, -1, { ...pulse, kind: 'noise' }), 160);
    const block = hits(10);
    expect(kernel.look({ t: 0, number: 1, firstChannel: 0, flags: 0 }, block)).toBe(1);
    expect(kernel.look({ t: 1e12, number: 4294967295, firstChannel: 64, flags: FLAG.lostBefore }, block)).toBe(1);
    expect(block.count).toBe(2);
    expect([...block.channel.subarray(0, 2)]).toEqual([0, 64]);
    expect(block.t[1] - 1e12).toBeCloseTo(block.t[0], 3);
    expect([...block.frame.subarray(0, 2)]).toEqual([1, 4294967295]);
    expect([...block.flags.subarray(0, 2)]).toEqual([0, FLAG.lostBefore]);
  });
});

test('the usual digitizer is looked at by vector instructions', () => {
  expect(blockFeatures(64, 256, PULSE).made).toBe('simd');
});
