import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat } from '../../protocols/protocol.ts';
import { encodeWaveDump, type WaveDumpEvent } from '../../protocols/wavedump.ts';
import { FLAG, type Hits } from '../../src/derive/hits.ts';
import { type Pulse, type WaveDumpSettings, waveDumpSource } from '../../src/derive/wavedump-source.ts';
import { cut, places } from '../protocols/splits.ts';

const sum = (samples: ArrayLike<number>): number => Array.from(samples).reduce((s, x) => s + x, 0);
const pulse = (samples: Float64Array): Pulse => ({
  ...{ baseline: samples[0] ?? 0, noise: 0, peak: Math.max(...samples), charge: sum(samples), tail: 1 },
  time: samples.indexOf(Math.max(...samples)),
  flags: samples[0] === 9 ? FLAG.empty : 0,
});
function read(pieces: readonly Uint8Array[], settings: Partial<WaveDumpSettings> = {}) {
  const source = waveDumpSource({ pulse, ...settings });
  const got: { t: number; channel: number; charge: number; flags: number; frame: number }[] = [];
  const give = (b: Hits): void => {
    for (let i = 0; i < b.count; i++) {
      const [t, channel, charge, flags, frame] = [b.t, b.channel, b.charge, b.flags, b.frame].map((column) => column[i] ?? 0);
      got.push({ t, channel, charge, flags, frame });
    }
  };
  for (const piece of pieces) source.take(piece, 0, give);
  source.end(give);
  return { got, counts: source.counts, samples: source.samples };
}
const event = (number: number, time: number, more: Partial<WaveDumpEvent> = {}): WaveDumpEvent => ({
  ...{ number, time, board: 31, pattern: 0, channel: 1, samples: [1, 2, 3 + (number % 100)] },
  ...more,
});
const file = (...events: readonly WaveDumpEvent[]): Uint8Array => concat(...events.map((e) => encodeWaveDump(e)));

test('an event becomes a hit: the trigger in ticks of 8 ns, and the sample where one is timed', () => {
  const bytes = file(event(0, 1000), event(1, 1001, { samples: [9, 9, 10, 9] }));
  expect(read([bytes]).got).toEqual([
    { t: 8000, channel: 1, charge: 6, flags: 0, frame: 0 },
    { t: 8008, channel: 1, charge: 37, flags: FLAG.empty, frame: 1 },
  ]);
  expect(read([bytes], { tick: 10, sample: 4 }).got.map((h) => h.t)).toEqual([10_008, 10_018]);
  expect(read([bytes]).samples).toEqual({ least: 3, most: 4 });
  const narrow = concat(encodeWaveDump(event(0, 5, { samples: [1, 2, 3] }), 1), encodeWaveDump(event(1, 6, { samples: [1, 2, 4] }), 1));
  expect(read([narrow], { width: 1 }).got.map((h) => h.charge)).toEqual([6, 7]);
});

test('the time goes on when the counter has gone round; the flag of the 32nd bit is no time', () => {
  const top = 2 ** 31;
  const bytes = file(event(0, top - 5), event(1, 3 + top), event(2, top - 10), event(3, 2));
  expect(read([bytes], { tick: 1 }).got.map((h) => h.t)).toEqual([top - 5, top + 3, 2 * top - 10, 2 * top + 2]);
  expect(read([file(event(0, top + 7))], { tick: 1 }).got.map((h) => h.t)).toEqual([7]);
  const wide = file(event(0, 2 ** 32 - 5), event(1, 3));
  expect(read([wide], { tick: 1, timeBits: 32 }).got.map((h) => h.t)).toEqual([2 ** 32 - 5, 2 ** 32 + 3]);
});

test('event numbers: missing, doubled, late, and round at 24 bits', () => {
  const bytes = file(event(2 ** 24 - 2, 10), event(2 ** 24 - 1, 20), event(0, 30), event(3, 40), event(3, 40), event(2, 35), event(4, 50));
  const { got, counts } = read([bytes], { tick: 1 });
  expect(got.map((h) => h.t)).toEqual([10, 20, 30, 40, 35, 50]);
  expect(counts).toMatchObject({ frames: 7, hits: 6, missing: 1, doubled: 1, late: 1 });
});

const five = [0, 1, 2, 3, 4].map((n) => event(n, 100 * n));
test('any split reads alike, and every cut keeps the whole events and says how many bytes are left', () => {
  const bytes = file(...five);
  const whole = read([bytes]).got;
  expect(whole).toHaveLength(5);
  fc.assert(
    fc.property(places, (at) => {
      expect(read(cut(bytes, at)).got).toEqual(whole);
    }),
    { numRuns: 50 },
  );
  for (let n = 0; n <= bytes.length; n++) {
    const { got, counts } = read([bytes.subarray(0, n)]);
    expect(got).toEqual(whole.slice(0, Math.floor(n / 30)));
    expect(counts).toMatchObject({ cutOff: n % 30, junk: 0, damaged: 0 });
  }
});

test('a damaged header costs its own event alone, whichever byte of it is hit', () => {
  for (const at of [60, 61, 62, 63, 64, 65, 72, 73]) {
    for (const flip of [1, 0x80, 0xff]) {
      const bytes = file(...five);
      bytes[at] = (bytes[at] ?? 0) ^ flip;
      const { got, counts } = read([bytes]);
      const others = got.map((h) => h.frame).filter((n) => n !== 2);
      expect([at, flip, others]).toEqual([at, flip, [0, 1, 3, 4]]);
      if (got.length === 4) expect(counts).toMatchObject({ damaged: 1, junk: 30, resynced: 1, cutOff: 0 });
      if (got.length === 4) expect(got[2]?.flags).toBe(FLAG.lostBefore);
    }
  }
});

test('a page of zeros or noise between events is junk, and what follows is read', () => {
  const events = five.map((e) => encodeWaveDump(e));
  const noise = Uint8Array.from({ length: 4096 }, (_, i) => (i * 37 + (i >> 3)) & 0xff);
  for (const page of [new Uint8Array(4096), noise]) {
    const { got, counts } = read(cut(concat(...events.slice(0, 2), page, ...events.slice(2)), [17, 100, 1000, 4000]));
    expect(got.map((h) => h.frame)).toEqual([0, 1, 2, 3, 4]);
    expect(counts).toMatchObject({ damaged: 1, junk: 4096, resynced: 1, cutOff: 0 });
  }
});

test('records of another length are taken where the next header bears them out, or the file ends', () => {
  const bytes = file(event(0, 1), event(1, 2, { samples: [5, 5, 5, 5, 5] }), event(2, 3), event(3, 4, { samples: [7] }));
  for (const pieces of [[bytes], cut(bytes, [31, 40, 65, 90])]) {
    expect(read(pieces).got.map((h) => h.charge)).toEqual([6, 25, 8, 7]);
  }
});

test('any bytes: nothing is thrown and every byte is accounted for', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), places, (noise, at) => {
      const bytes = concat(file(...five.slice(0, 2)), noise, file(...five.slice(2)));
      const { counts } = read(cut(bytes, at));
      expect(counts.frames).toBeGreaterThanOrEqual(2);
      expect(counts.cutOff + counts.junk).toBeLessThanOrEqual(bytes.length - 60);
      expect(counts.bytes).toBe(bytes.length);
    }),
    { numRuns: 200 },
  );
});

test('boards that are not known here are no events', () => {
  const numbered = (board: number, channel: number): number | undefined => (board === 31 ? 64 + channel : undefined);
  const { got, counts } = read([file(event(0, 1), event(1, 2, { board: 30 }), event(2, 3))], { numbered });
  expect(got.map((h) => [h.channel, h.frame])).toEqual([
    [65, 0],
    [65, 2],
  ]);
  expect(counts).toMatchObject({ damaged: 1, junk: 30 });
});

const folder = resolve(import.meta.dirname, '../../../shared/data/detector');
describe.skipIf(!existsSync(folder))('real files (skipped where ../shared is not there)', () => {
  test.each([0, 1])('channel %i: 41 events of 6,006 samples, whatever the configuration asks for', (channel) => {
    const bytes = new Uint8Array(readFileSync(resolve(folder, `SiPM_coincidence_wave${channel}.dat`)));
    const pieces = Array.from({ length: Math.ceil(bytes.length / 65_536) }, (_, i) => bytes.subarray(i * 65_536, (i + 1) * 65_536));
    const { got, counts, samples } = read(pieces);
    expect(counts).toMatchObject({ frames: 41, hits: 41, cutOff: 0, junk: 0, missing: 0, damaged: 0 });
    expect(samples).toEqual({ least: 6006, most: 6006 });
    expect(new Set(got.map((h) => h.channel))).toEqual(new Set([channel]));
    expect([got[0]?.t, got[40]?.t]).toEqual([3_190_661 * 8, 230_622_939 * 8]);
  });
});
