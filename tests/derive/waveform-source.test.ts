import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat } from '../../protocols/protocol.ts';
import { type WaveformFrame, waveformFrames } from '../../protocols/waveform-frames.ts';
import { DIGITIZER_64, frameBytes, type WaveformLayout } from '../../protocols/waveform-layout.ts';
import { FLAG, type Hits } from '../../src/derive/hits.ts';
import { features, PULSE } from '../../src/derive/waveform.ts';
import { frameClock } from '../../src/derive/waveform-clock.ts';
import { checkWaveforms, type WaveformSettings, waveformSource } from '../../src/derive/waveform-source.ts';
import { cut, noise, places } from '../protocols/splits.ts';

/** A small board: 3 channels of 160 samples, 32 bits of time at 4 ns (17.2 s). */
const BOARD: WaveformLayout = {
  ...DIGITIZER_64,
  header: 14,
  time: { at: 8, bits: 32, tick: 4e-9 },
  lost: { at: 12, bits: 16, mask: 1 },
  channels: 3,
  samples: 160,
};
const encode = (layout: WaveformLayout, frame: WaveformFrame): Uint8Array => waveformFrames(layout, crc32).tells.encode(frame);

/** A pulse in channel 0, none in 1, a larger one in 2; each frame has another. */
function frame(number: number, time: number, lost = false): WaveformFrame {
  const samples = new Uint16Array(BOARD.channels * BOARD.samples);
  for (let c = 0; c < BOARD.channels; c++) {
    const height = c === 1 ? 0 : 200 * (c + 1) + ((number * 7) % 100);
    for (let i = 0; i < BOARD.samples; i++) {
      const age = i - 40 - c;
      samples[c * BOARD.samples + i] = 2000 + ((i * 5 + number) % 3) - (age < 0 ? 0 : Math.round(height * Math.exp(-age / 4)));
    }
  }
  return { number, time, samples, ...(lost && { lost: true as const }) };
}

interface Row {
  readonly t: number;
  readonly channel: number;
  readonly charge: number;
  readonly flags: number;
  readonly frame: number;
}
const rows = (block: Hits): Row[] =>
  Array.from({ length: block.count }, (_, i) => ({
    t: block.t[i],
    channel: block.channel[i],
    charge: block.charge[i],
    flags: block.flags[i],
    frame: block.frame[i],
  }));

function taken(layout: WaveformLayout, pieces: readonly Uint8Array[], settings: WaveformSettings = {}, now = (_i: number): number => 0) {
  const source = waveformSource(layout, settings, crc32);
  const all: Row[] = [];
  for (const [i, piece] of pieces.entries()) source.take(piece, now(i), (block) => all.push(...rows(block)));
  source.end((block) => all.push(...rows(block)));
  return { all, counts: source.counts };
}

/** The rows that a frame must give. */
const wanted = (f: WaveformFrame, t: number): Row[] =>
  [0, 2].map((c) => {
    const { timeNs, charge, flags } = features(f.samples.subarray(c * 160, c * 160 + 160), PULSE);
    return { t: t + timeNs, channel: c, charge, flags, frame: f.number };
  });

describe('hits of a waveform stream', () => {
  test.each<readonly [string, Partial<WaveformLayout>]>([
    ['as it is', {}],
    ['big-endian', { order: 'big' }],
    ['interleaved', { arrangement: 'interleaved' }],
    ['big-endian and interleaved, without a check', { order: 'big', arrangement: 'interleaved', check: 'none' }],
    ['with a header of odd length and a trailer', { header: 15, trailer: 0xfeedface }],
  ])('%s', (_, change) => {
    const layout = { ...BOARD, ...change };
    const some = [frame(0, 1000), frame(1, 2000), frame(2, 3500)];
    const { all, counts } = taken(layout, [concat(...some.map((f) => encode(layout, f)))]);
    expect(all).toEqual(some.flatMap((f) => wanted(f, 4 * f.time)));
    expect(counts).toMatchObject({
      frames: 3,
      hits: 6,
      empty: 3,
      missing: 0,
      damaged: 0,
      junk: 0,
      cutOff: 0,
      bytes: 3 * frameBytes(layout),
    });
  });

  test('the second board’s channels go on from the first one’s', () => {
    const { all } = taken(BOARD, [encode(BOARD, frame(0, 0))], { firstChannel: 64 });
    expect(all.map((r) => r.channel)).toEqual([64, 66]);
    expect(checkWaveforms(BOARD, { firstChannel: 65534 })).toContain('firstChannel');
    expect(checkWaveforms(BOARD, { threshold: Number.NaN })).toContain('threshold');
    expect(checkWaveforms({ ...BOARD, channels: 0 }, {})).toContain('channels');
    expect(() => waveformSource(BOARD, { firstChannel: -1 }, crc32)).toThrow(RangeError);
  });

  test('what the board has lost is on the hits behind', () => {
    const { all, counts } = taken(BOARD, [encode(BOARD, frame(0, 0)), encode(BOARD, frame(1, 10, true)), encode(BOARD, frame(2, 20))]);
    expect(all.map((r) => r.flags & FLAG.lostBefore)).toEqual([0, 0, FLAG.lostBefore, FLAG.lostBefore, 0, 0]);
    expect(counts.lost).toBe(1);
  });

  test('missing, doubled and late frames are counted, and given once', () => {
    const order = [0, 1, 1, 4, 2, 2, 5, 9, 5];
    const { all, counts } = taken(
      BOARD,
      order.map((n) => encode(BOARD, frame(n, 1000 * n))),
    );
    expect([...new Set(all.map((r) => r.frame))]).toEqual([0, 1, 4, 5, 9]);
    expect(counts).toMatchObject({ frames: 9, doubled: 3, late: 1, missing: 4, restarted: 0 });
  });

  test('a damaged frame is counted and not given, what a lost byte leaves over is junk', () => {
    const bytes = concat(...[0, 1, 2, 3, 4].map((n) => encode(BOARD, frame(n, 1000 * n))));
    const length = frameBytes(BOARD);
    bytes[length + 100] ^= 2;
    const { all, counts } = taken(BOARD, [bytes.subarray(0, 3 * length + 50), bytes.subarray(3 * length + 51)]);
    expect([...new Set(all.map((r) => r.frame))]).toEqual([0, 2, 4]);
    expect(counts).toMatchObject({ frames: 3, damaged: 2, missing: 2, junk: length - 1, resynced: 1, cutOff: 0 });
    expect(taken(BOARD, [bytes.subarray(0, 2 * length + 7)]).counts).toMatchObject({ frames: 1, damaged: 1, cutOff: 7 });
    expect(taken(BOARD, [Uint8Array.of(1, 2, 3), encode(BOARD, frame(0, 0))]).counts).toMatchObject({ frames: 1, junk: 3, resynced: 1 });
  });

  test('any split gives the same hits and counts, and every byte stands in one count', () => {
    const length = frameBytes(BOARD);
    const piece = fc.record({ kind: fc.constantFrom('good', 'good', 'turned', 'noise', 'cut'), at: fc.nat(5000), bytes: noise(40) });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), places, (parts, at) => {
        const stream = concat(
          ...parts.map((p, n) => {
            if (p.kind === 'noise') return p.bytes;
            const bytes = encode(BOARD, frame(n, 1000 * n));
            if (p.kind === 'turned') bytes[p.at % length] ^= 1 << (p.at % 8);
            return p.kind === 'cut' ? bytes.subarray(0, p.at % length) : bytes;
          }),
        );
        const whole = taken(BOARD, [stream]);
        expect(taken(BOARD, cut(stream, at))).toEqual(whole);
        const { bytes, frames, junk, cutOff, damaged, hits, empty, doubled, late } = whole.counts;
        expect(bytes).toBe(stream.length);
        const inDamaged = (bytes - frames * length - junk - cutOff) / length;
        expect(Number.isInteger(inDamaged) && inDamaged >= 0 && inDamaged <= damaged).toBe(true);
        expect(hits).toBe(whole.all.length);
        expect(hits + empty).toBe(3 * (frames - doubled - late));
        expect(frames).toBe(parts.filter((p) => p.kind === 'good').length);
      }),
      { numRuns: 60 },
    );
  });

  test('many channels come in blocks that are given before they are full', () => {
    const layout: WaveformLayout = { ...DIGITIZER_64, channels: 700, samples: 32 };
    const samples = new Uint16Array(700 * 32).fill(2000);
    for (let c = 0; c < 700; c++) samples[c * 32 + 25] = 1000;
    const { all, counts } = taken(layout, [
      concat(...[0, 1, 2, 3, 4, 5, 6, 7].map((n) => encode(layout, { number: n, time: n, samples }))),
    ]);
    expect(counts.hits).toBe(8 * 700);
    expect(all.map((r) => r.frame * 700 + r.channel)).toEqual([...Array(8 * 700).keys()]);
  });
});

describe('the clock of frames', () => {
  const TICK = 4e-9;
  const TURN = 2 ** 32;
  const counters = { numberBits: 16, timeBits: 32, tick: TICK };

  test('both counters are unrolled over many turns, also where frames are missing', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(32, 48),
        fc.constantFrom(16, 32),
        fc.nat(65535),
        fc.array(fc.tuple(fc.integer({ min: 1, max: 30000 }), fc.double({ min: 1e-6, max: 60, noNaN: true }), fc.nat(1_000_000)), {
          maxLength: 60,
        }),
        (timeBits, numberBits, start, steps) => {
          const step = frameClock({ numberBits, timeBits, tick: TICK });
          const turn = 2 ** timeBits;
          let ticks = 3_000_000_000;
          let number = start;
          const begin = 1.7e15;
          step(number, ticks % turn, begin);
          for (const [more, seconds, delay] of steps) {
            ticks += Math.round(seconds / TICK);
            number += more;
            const got = step(number % 2 ** numberBits, ticks % turn, begin + (ticks - 3e9) * TICK * 1e6 + delay);
            expect(got).toEqual({ fate: 'next', missing: more - 1, number, t: 4 * ticks, zero: 0 });
          }
        },
      ),
    );
  });

  test('a host that stood still for 15 s adds no turn, and a board that was silent for one gets it', () => {
    const step = frameClock(counters);
    step(0, 0, 1e15);
    step(1, 250_000, 1e15 + 1000);
    expect(step(2, 500_000, 1e15 + 15_000_000).t).toBe(2_000_000);
    expect(step(3, 750_000, 1e15 + 15_000_001).t).toBe(3_000_000);
    const turn = TURN * TICK * 1e6;
    expect(step(4, 1_000_000, 1e15 + 4000 + turn).t).toBe(4_000_000 + 4 * TURN);
    expect(step(5, 1_000_000 - 5, 1e15 + 4000 + 3 * turn).t).toBe(4_000_000 + 4 * (3 * TURN - 5));
  });

  test('a board’s clock that is slow by 100 parts in a million wins no turn in a week', () => {
    const step = frameClock({ numberBits: 32, timeBits: 32, tick: TICK });
    let ticks = 0;
    for (let second = 0; second < 604_800; second += 7) {
      ticks = Math.round((second * (1 - 1e-4)) / TICK);
      expect(step(second, ticks % TURN, 1.7e15 + second * 1e6).t).toBe(4 * ticks);
    }
  });

  test('where the clock stands still, as for files, frames alone count', () => {
    const step = frameClock(counters);
    const got = [0, 1, 2, 3].map((n) => step(n, (n * 3e9) % TURN, 0).t);
    expect(got).toEqual([0, 1.2e10, 2.4e10, 3.6e10]);
  });

  test('a board that was started anew goes on by the clock', () => {
    const step = frameClock({ numberBits: 32, timeBits: 48, tick: TICK });
    for (let n = 0; n < 5000; n++) step(n, 1000 * n, n * 4);
    const anew = step(0, 50, 1e6);
    expect(anew).toMatchObject({ fate: 'restarted', missing: 0, number: 0 });
    expect(anew.t - anew.zero).toBe(50 * 4);
    // 4,999,000 ticks until 19,996 us, then by the clock until 1 s, then 1,000 ticks
    expect(step(1, 1050, 1e6 + 4).t).toBe(4 * (4_999_000 + 245_001_000 + 1000));
    // soon after its beginning: the numbers are known, their times are others
    expect(step(0, 70, 2e6)).toMatchObject({ fate: 'restarted' });
    expect(step(1, 80, 2e6)).toMatchObject({ fate: 'next' });
    // far ahead: no gap
    expect(step(2 ** 31, 90, 2e6)).toMatchObject({ fate: 'restarted' });
    // with a long counter, time never goes back
    expect(step(2 ** 31 + 9, 10, 2e6)).toMatchObject({ fate: 'restarted' });
  });

  test('late, doubled and too late, at the beginning and across the end of the counter', () => {
    const step = frameClock(counters);
    const fates = (pairs: readonly (readonly [number, number])[]) =>
      pairs.map(([n, time]) => step(n, time, 0)).map((s) => [s.fate, s.missing, s.number]);
    expect(
      fates([
        [65533, 100],
        [65532, 90], // before the first: never counted as missing
        [65533, 100],
        [1, 140],
        [65535, 120],
        [65535, 120],
        [0, 130],
        [2, 150],
      ]),
    ).toEqual([
      ['next', 0, 65533],
      ['late', 0, 65532],
      ['doubled', 0, 65533],
      ['next', 3, 65537],
      ['late', -1, 65535],
      ['doubled', 0, 65535],
      ['late', -1, 65536],
      ['next', 0, 65538],
    ]);
  });
});
