import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ABCD_EVENT, type AbcdEvent, encodeAbcd } from '../../protocols/abcd.ts';
import { abcdSource } from '../../src/derive/abcd-source.ts';
import { coincidences } from '../../src/derive/hit-coincidence.ts';
import { hitOrder } from '../../src/derive/hit-order.ts';
import { hitStatistics } from '../../src/derive/hit-statistics.ts';
import { FLAG, type Hits } from '../../src/derive/hits.ts';
import { cut, places } from '../protocols/splits.ts';

const rows = (block: Hits): number[][] =>
  Array.from({ length: block.count }, (_, i) =>
    [block.t, block.channel, block.charge, block.tail, block.baseline, block.flags, block.frame].map((column) => column[i] ?? Number.NaN),
  );
function read(pieces: readonly Uint8Array[], settings = {}) {
  const source = abcdSource(settings);
  const got: number[][] = [];
  for (const piece of pieces) source.take(piece, 0, (block) => got.push(...rows(block)));
  source.end((block) => got.push(...rows(block)));
  return { got, counts: source.counts, zeros: source.zeros };
}
const event = (timestamp: number, more: Partial<AbcdEvent> = {}): AbcdEvent => ({
  ...{ timestamp, short: 100, long: 250, baseline: 61852, channel: 0, group: 0 },
  ...more,
});

test('an event becomes a hit: time in nanoseconds, charge the long gate, tail without the short one', () => {
  const bytes = encodeAbcd([event(2048), event(5 * 2 ** 32 + 3, { short: 7, long: 5, channel: 3, group: 9 })]);
  const { got, counts } = read([bytes]);
  expect(got).toEqual([
    [4, 0, 250, 150, 61852, 0, 0],
    [(5 * 2 ** 32 + 3) / 512, 3, 5, -2, 61852, FLAG.shapeless, 9],
  ]);
  expect(counts).toMatchObject({ bytes: 32, frames: 2, hits: 2, cutOff: 0 });
  expect(read([bytes], { tick: 4 / 1024, firstChannel: 16 }).got.map((r) => r.slice(0, 2))).toEqual([
    [8, 16],
    [(5 * 2 ** 32 + 3) / 256, 19],
  ]);
});

test('any split reads alike; what is cut off is counted, at every offset', () => {
  const bytes = encodeAbcd(Array.from({ length: 9 }, (_, i) => event(1000 * i, { short: i, channel: i % 3 })));
  const whole = read([bytes]).got;
  fc.assert(
    fc.property(places, (at) => {
      expect(read(cut(bytes, at)).got).toEqual(whole);
    }),
    { numRuns: 50 },
  );
  for (let n = 0; n <= bytes.length; n++) {
    const { got, counts } = read([bytes.subarray(0, n)]);
    expect(got).toEqual(whole.slice(0, Math.floor(n / ABCD_EVENT)));
    expect(counts.cutOff).toBe(n % ABCD_EVENT);
  }
});

test('records of nothing but zeros are told with their place, and given on', () => {
  const bytes = encodeAbcd([
    event(5),
    event(9),
    ...Array.from({ length: 3 }, () => ({ timestamp: 0, short: 0, long: 0, baseline: 0, channel: 0, group: 0 })),
  ]);
  const { got, zeros } = read([bytes]);
  expect(got).toHaveLength(5);
  expect(zeros).toEqual({ count: 3, at: 32 });
});

const file = resolve(import.meta.dirname, '../../../shared/data/detector/example_data_DT5725_Ch0_Plastic_Cf-252_source_events.ade');
describe.skipIf(!existsSync(file))('a real file (skipped where ../shared is not there)', () => {
  test('its counts and sums, in order and through the window', () => {
    const bytes = new Uint8Array(readFileSync(file));
    const source = abcdSource();
    const order = hitOrder();
    const statistics = hitStatistics({ split: 0.5 });
    const search = coincidences([[0, 1]], 100);
    const sink = (block: Hits): void => {
      statistics.take(block);
      search.take(block);
    };
    for (let at = 0; at < bytes.length; at += 65_536) {
      source.take(bytes.subarray(at, at + 65_536), 0, (block) => order.take(block, sink));
    }
    source.end(() => {});
    order.end(sink);
    expect(source.counts).toMatchObject({ frames: 91_952, hits: 91_952, cutOff: 0 });
    expect(order.counts).toMatchObject({ hits: 91_952, backwardSteps: 0, late: 0, stray: 0, restarts: 0 });
    const [[channel, one] = [-1, undefined], ...others] = [...statistics.channels];
    expect([channel, others]).toEqual([0, []]);
    expect(one).toMatchObject({ events: 91_952, chargeSum: 282_611_150, shortAboveLong: 3_971 });
    expect((one?.chargeSum ?? 0) - (one?.tailSum ?? 0)).toBe(159_706_945);
    expect(search.counts).toMatchObject([{ count: 0 }]);
  });
});
