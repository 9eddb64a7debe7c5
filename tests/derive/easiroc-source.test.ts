import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { adcWord, eventBytes, scalerWord, tdcWord } from '../../protocols/easiroc-words.ts';
import { concat } from '../../protocols/protocol.ts';
import { type EasirocSourceOptions, easirocSource } from '../../src/derive/easiroc-source.ts';
import { coincidences } from '../../src/derive/hit-coincidence.ts';
import { hitOrder } from '../../src/derive/hit-order.ts';
import { FLAG, type Hits } from '../../src/derive/hits.ts';

interface Row {
  readonly t: number;
  readonly channel: number;
  readonly charge: number;
  readonly baseline: number;
  readonly flags: number;
  readonly frame: number;
}
const NONE = FLAG.untimed | FLAG.shapeless;

function run(options: EasirocSourceOptions, ...pieces: readonly (readonly [Uint8Array, number])[]) {
  const source = easirocSource(options);
  const rows: Row[] = [];
  const keep = (b: Hits): void => {
    for (let i = 0; i < b.count; i++) {
      expect(b.peak[i]).toBe(b.charge[i]);
      expect(b.tail[i]).toBe(0);
      rows.push({ t: b.t[i], channel: b.channel[i], charge: b.charge[i], baseline: b.baseline[i], flags: b.flags[i], frame: b.frame[i] });
    }
  };
  for (const [bytes, now] of pieces) source.take(bytes, now, keep);
  source.end(keep);
  return { rows, counts: source.counts };
}
const event = (...words: number[]): Uint8Array => eventBytes(words, 'packed');

describe('hits of an EASIROC board', () => {
  test('one for each ADC word of the gain, less the pedestal; TDC and scaler words are none', () => {
    const bytes = event(
      adcWord('high', 3, 900),
      adcWord('low', 3, 120),
      tdcWord('leading', 3, 5),
      scalerWord(3, 9),
      adcWord('high', 63, 40),
    );
    const { rows, counts } = run({ pedestal: { high: 50 }, first: 64 }, [bytes, 1e15]);
    expect(rows).toEqual([
      { t: 4091, channel: 67, charge: 850, baseline: 50, flags: FLAG.shapeless, frame: 0 },
      { t: 0, channel: 127, charge: -10, baseline: 50, flags: NONE | FLAG.empty, frame: 0 },
    ]);
    expect(counts).toMatchObject({ bytes: 24, frames: 1, hits: 2, junk: 0, damaged: 0 });
  });
  test('the low gain, with a pedestal for each channel', () => {
    const low = Array.from({ length: 64 }, (_, ch) => ch);
    const { rows } = run({ gain: 'low', pedestal: { low } }, [event(adcWord('high', 7, 1), adcWord('low', 7, 100, true)), 0]);
    expect(rows).toEqual([{ t: 0, channel: 7, charge: 93, baseline: 7, flags: NONE | FLAG.saturated, frame: 0 }]);
  });
  test.each([[[0, 1]], [[1, 0]]])('both gains: the low one where the high one is over its range, in either order %j', (order) => {
    const words = (ch: number, h: number, over: boolean, l: number): number[] => {
      const pair = [adcWord('high', ch, h, over), adcWord('low', ch, l)];
      return order.map((i) => pair[i]);
    };
    const bytes = event(...words(0, 1000, false, 150), ...words(1, 4095, true, 600), adcWord('low', 2, 300));
    const { rows, counts } = run({ gain: 'both', pedestal: { high: 100, low: 50 }, ratio: 10 }, [bytes, 0]);
    expect(rows.map((r) => [r.channel, r.charge, r.flags])).toEqual([
      [0, 900, NONE],
      [1, 5500, NONE],
      [2, 2500, NONE],
    ]);
    expect(counts.hits).toBe(3);
    // the next event begins anew
    expect(run({ gain: 'both' }, [concat(event(...words(0, 10, false, 1)), event(...words(0, 20, false, 2))), 0]).rows).toMatchObject([
      { charge: 10, frame: 0 },
      { charge: 20, frame: 1 },
    ]);
  });
  test('hits of one event stand as its TDC says, by the last leading edge; those of two that came at once are far apart', () => {
    const one = event(
      ...[adcWord('high', 0, 500), adcWord('high', 1, 600), adcWord('high', 2, 30)],
      ...[tdcWord('leading', 0, 1000), tdcWord('leading', 1, 3000), tdcWord('leading', 1, 960), tdcWord('trailing', 2, 900)],
    );
    const { rows } = run({}, [concat(one, one), 0]);
    expect(rows.map((r) => r.t)).toEqual([3096, 3136, 0, 3096 + 8192, 3136 + 8192, 8192]);
    expect(rows.map((r) => (r.flags & FLAG.untimed) !== 0)).toEqual([false, false, true, false, false, true]);
    const found = (within: number): number => {
      const search = coincidences([[0, 1]], within);
      const order = hitOrder();
      const source = easirocSource();
      source.take(concat(one, one), 0, (b) => order.take(b, search.take));
      order.end(search.take);
      return search.counts[0]?.count ?? -1;
    };
    expect([30, 40, 4000].map(found)).toEqual([0, 2, 2]);
  });
  test('the time is that of the last bytes, in nanoseconds since the first, and never goes back', () => {
    const one = event(adcWord('high', 0, 1));
    const { rows } = run(
      {},
      [Uint8Array.of(1, 2, 3), 1_000_000],
      [one.subarray(0, 5), 1_000_010],
      [concat(one.subarray(5), one), 1_000_030],
      [one, 1_000_020],
    );
    // Two that came at once are further apart than the hits of one can be.
    expect(rows.map((r) => r.t)).toEqual([30_000, 38_192, 46_384]);
    expect(rows.map((r) => r.frame)).toEqual([0, 1, 2]);
  });
  test('losses are counted by cause, and the event behind one says so', () => {
    const one = event(adcWord('high', 0, 100), adcWord('high', 1, 200));
    const short = concat(one.subarray(0, 4), one.subarray(8));
    const { rows, counts } = run({}, [concat(Uint8Array.of(9, 9), one, short, one, one.subarray(4), one, one.subarray(0, 7)), 0]);
    expect(rows.map((r) => (r.flags & FLAG.lostBefore) !== 0)).toEqual([false, false, true, true, true, true]);
    expect(counts).toMatchObject({ frames: 3, damaged: 1, junk: 10, cutOff: 7, hits: 6 });
  });
  test('more hits than a block holds, in any split', () => {
    const words = Array.from({ length: 64 }, (_, ch) => adcWord('high', ch, 100 + ch));
    const stream = concat(...Array.from({ length: 100 }, () => event(...words)));
    const whole = run({}, [stream, 5]);
    expect(whole.counts).toMatchObject({ frames: 100, hits: 6400 });
    expect(whole.rows.map((r) => r.charge)).toEqual(Array.from({ length: 6400 }, (_, i) => 100 + (i % 64)));
    fc.assert(
      fc.property(fc.nat(stream.length), (at) => {
        const parts = run({}, [stream.subarray(0, at), 5], [stream.subarray(at), 5]);
        expect(parts.rows.length).toBe(6400);
        expect(parts.counts).toEqual(whole.counts);
      }),
      { numRuns: 10 },
    );
  });
});
