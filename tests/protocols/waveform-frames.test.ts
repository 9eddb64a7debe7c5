import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, Fault } from '../../protocols/protocol.ts';
import { frameFinder } from '../../protocols/waveform-finder.ts';
import { type WaveformFrame, waveformFrames } from '../../protocols/waveform-frames.ts';
import { checkLayout, DIGITIZER_64, frameBytes, type WaveformLayout } from '../../protocols/waveform-layout.ts';
import { cut, decoded, hex, noise, places, type Said, SILENCE } from './splits.ts';

/** Two channels of three samples: small enough to be written down. */
const SMALL: WaveformLayout = {
  order: 'big',
  sync: { bits: 32, value: 0xeb90cafe },
  header: 14,
  number: { at: 4, bits: 16 },
  time: { at: 6, bits: 48, tick: 8e-9 },
  lost: { at: 12, bits: 16, mask: 0x8000 },
  channels: 2,
  samples: 3,
  interval: 4e-9,
  bits: 14,
  arrangement: 'channels',
  check: 'crc32',
};
const FRAME: WaveformFrame = { number: 0x0102, time: 0x0a0b0c0d0e0f, samples: Uint16Array.of(1, 2, 3, 0x1004, 0x2005, 0x3fff) };
const of = (layout: WaveformLayout) => waveformFrames(layout, crc32).tells;
const frames = (layout: WaveformLayout, numbers: readonly number[], seed = 1): WaveformFrame[] =>
  numbers.map((number) => ({
    number,
    time: number * 1000,
    samples: Uint16Array.from({ length: layout.channels * layout.samples }, (_, i) => (i * 977 + number * 131 + seed) % 2 ** layout.bits),
  }));
const bytesOf = (layout: WaveformLayout, all: readonly WaveformFrame[]): Uint8Array => concat(...all.map((f) => of(layout).encode(f)));

describe('the bytes of a frame', () => {
  test.each<readonly [string, WaveformLayout, string]>([
    ['big-endian', SMALL, 'EB 90 CA FE 01 02 0A 0B 0C 0D 0E 0F 00 00 00 01 00 02 00 03 10 04 20 05 3F FF EB 2C 48 ED'],
    [
      'little-endian, with a trailer',
      { ...SMALL, order: 'little', trailer: 0x11223344 },
      'FE CA 90 EB 02 01 0F 0E 0D 0C 0B 0A 00 00 01 00 02 00 03 00 04 10 05 20 FF 3F F6 37 AC 56 44 33 22 11',
    ],
    [
      'interleaved, without a check',
      { ...SMALL, arrangement: 'interleaved', check: 'none', trailer: 0x11223344 },
      'EB 90 CA FE 01 02 0A 0B 0C 0D 0E 0F 00 00 00 01 10 04 00 02 20 05 00 03 3F FF 11 22 33 44',
    ],
  ])('%s', (_, layout, text) => {
    expect(checkLayout(layout)).toBeUndefined();
    expect(Buffer.from(of(layout).encode(FRAME)).toString('hex')).toBe(Buffer.from(hex(text)).toString('hex'));
    expect(decoded(of(layout).decoder, hex(text))).toEqual([FRAME]);
  });

  test('the board says that it has lost something', () => {
    const lost = { ...FRAME, lost: true as const };
    expect(decoded(of(SMALL).decoder, of(SMALL).encode(lost))).toEqual([lost]);
    const { lost: _, ...dumb } = SMALL;
    expect(() => of(dumb).encode(lost)).toThrow(expect.objectContaining({ code: 'PROTO_UNSENDABLE' }));
  });

  test.each<Partial<WaveformFrame>>([
    { number: 65536 },
    { number: -1 },
    { time: 2 ** 48 },
    { time: Number.NaN },
    { samples: new Uint16Array(5) },
    { samples: Uint16Array.of(0, 0, 0, 0, 0, 0x4000) },
  ])('%o is not sent', (wrong) => {
    expect(() => of(SMALL).encode({ ...FRAME, ...wrong })).toThrow(expect.objectContaining({ code: 'PROTO_UNSENDABLE' }));
  });

  test('DIGITIZER_64 has 64 x 256 samples in 32,788 bytes', () => {
    expect(checkLayout(DIGITIZER_64)).toBeUndefined();
    expect(frameBytes(DIGITIZER_64)).toBe(16 + 64 * 256 * 2 + 4);
    const some = frames(DIGITIZER_64, [7, 8]);
    expect(decoded(of(DIGITIZER_64).decoder, bytesOf(DIGITIZER_64, some))).toEqual(some);
  });
});

describe('a layout that is none', () => {
  test.each<readonly [Partial<WaveformLayout>, string]>([
    [{ header: 13 }, 'lost.at'],
    [{ number: { at: 2, bits: 16 } }, 'sync and number overlap'],
    [{ number: { at: -1, bits: 16 } }, 'number.at'],
    [{ sync: { bits: 16, value: 65536 } }, 'sync.value'],
    [{ time: { at: 6, bits: 48, tick: 0 } }, 'time.tick'],
    [{ channels: 0 }, 'channels'],
    [{ samples: 1.5 }, 'samples'],
    [{ bits: 17 }, 'bits'],
    [{ interval: Number.NaN }, 'interval'],
    [{ trailer: -1 }, 'trailer'],
    [{ lost: { at: 12, bits: 16, mask: 0 } }, 'lost.mask'],
    [{ channels: 65536, samples: 1048576 }, 'bytes'],
  ])('%j', (wrong, word) => {
    const layout = { ...SMALL, ...wrong };
    expect(checkLayout(layout)).toContain(word);
    expect(() => waveformFrames(layout, crc32)).toThrow(expect.objectContaining({ code: 'PROTO_UNSENDABLE' }));
  });
});

const layouts: fc.Arbitrary<WaveformLayout> = fc
  .record({
    order: fc.constantFrom('little', 'big'),
    sync: fc.constantFrom({ bits: 32, value: 0xeb90cafe } as const, { bits: 16, value: 0xfffe } as const, { bits: 32, value: 1 } as const),
    number: fc.constantFrom({ at: 4, bits: 16 } as const, { at: 4, bits: 32 } as const),
    time: fc.constantFrom({ at: 8, bits: 32, tick: 1e-8 } as const, { at: 8, bits: 48, tick: 4e-9 } as const),
    header: fc.integer({ min: 14, max: 19 }),
    channels: fc.integer({ min: 1, max: 3 }),
    samples: fc.integer({ min: 1, max: 5 }),
    interval: fc.constant(4e-9),
    bits: fc.constantFrom(12, 14, 16),
    arrangement: fc.constantFrom('channels', 'interleaved'),
    check: fc.constantFrom('crc32', 'none'),
    trailer: fc.constantFrom(undefined, 0xdeadbeef),
  })
  .map(({ trailer, ...rest }) => ({ ...rest, ...(trailer !== undefined && { trailer }) }) as WaveformLayout);

/** Frames, or pieces of them, one bit or two turned, or bytes between them. */
type Piece = { readonly kind: 'good' | 'turned' | 'short' | 'long' | 'noise'; readonly at: number; readonly bytes: Uint8Array };
const pieces: fc.Arbitrary<readonly Piece[]> = fc.array(
  fc.record({
    kind: fc.constantFrom('good', 'good', 'good', 'turned', 'short', 'long', 'noise'),
    at: fc.nat(4096),
    bytes: noise(60),
  }),
  { maxLength: 8 },
);
function wire(layout: WaveformLayout, all: readonly Piece[]): { readonly stream: Uint8Array; readonly good: readonly WaveformFrame[] } {
  const good: WaveformFrame[] = [];
  const parts = all.map(({ kind, at, bytes }, i) => {
    const [frame] = frames(layout, [i], at) as [WaveformFrame]; // of one number comes one frame
    if (kind === 'noise') return bytes;
    const whole = of(layout).encode(frame);
    if (kind === 'good') good.push(frame);
    if (kind === 'turned') whole[at % whole.length] ^= 1 << (at % 8);
    const place = 4 + (at % (layout.header - 4)); // behind the sync word, before the check
    if (kind === 'short') return concat(whole.subarray(0, place), whole.subarray(place + 1));
    if (kind === 'long') return concat(whole.subarray(0, place), Uint8Array.of(at % 256), whole.subarray(place));
    return whole;
  });
  return { stream: concat(...parts), good };
}
const sizes = (layout: WaveformLayout, said: readonly Said<WaveformFrame>[]): number =>
  said.reduce((n, m) => n + ('fault' in m ? m.bytes.length : frameBytes(layout)), 0);

describe('a stream of frames', () => {
  test('goes round in any layout', () => {
    fc.assert(
      fc.property(layouts, fc.nat(65535), (layout, seed) => {
        const some = frames(layout, [65534, 65535, 0, 1], seed);
        expect(decoded(of(layout).decoder, bytesOf(layout, some), SILENCE)).toEqual(some);
      }),
    );
  });

  test('any split decodes alike, and no byte is lost or said twice', () => {
    fc.assert(
      fc.property(layouts, pieces, places, (layout, all, at) => {
        const { stream } = wire(layout, all);
        if (stream.length === 0) return;
        const whole = decoded(of(layout).decoder, stream, SILENCE);
        expect(sizes(layout, whole)).toBe(stream.length);
        expect(decoded(of(layout).decoder, ...cut(stream, at), SILENCE)).toEqual(whole);
        expect(decoded(of(layout).decoder, ...[...stream].map((byte) => Uint8Array.of(byte)), SILENCE)).toEqual(whole);
      }),
      { numRuns: 300 },
    );
  });

  test('with a CRC exactly the good frames come out, whatever stands between them', () => {
    fc.assert(
      fc.property(layouts, pieces, (any, all) => {
        const layout: WaveformLayout = { ...any, check: 'crc32' };
        const { stream, good } = wire(layout, all);
        const said = decoded(of(layout).decoder, ...(stream.length > 0 ? [stream] : []));
        expect(said.filter((m) => !('fault' in m))).toEqual(good);
      }),
      { numRuns: 300 },
    );
  });

  test('a turned bit is one fault of one frame, a lost byte one of what is left', () => {
    const some = frames(SMALL, [1, 2, 3, 4, 5]);
    const bytes = bytesOf(SMALL, some);
    const length = frameBytes(SMALL);
    const turned = bytes.slice();
    turned[length + 20] ^= 4;
    turned[2 * length + 20] ^= 4;
    expect(decoded(of(SMALL).decoder, turned)).toEqual([
      some[0],
      { fault: 'PROTO_BAD_CRC', bytes: [...turned.subarray(length, 2 * length)] },
      { fault: 'PROTO_BAD_CRC', bytes: [...turned.subarray(2 * length, 3 * length)] },
      ...some.slice(3),
    ]);
    const short = concat(bytes.subarray(0, length + 20), bytes.subarray(length + 21));
    expect(decoded(of(SMALL).decoder, short)).toEqual([
      some[0],
      { fault: 'PROTO_BAD_CRC', bytes: [...short.subarray(length, 2 * length - 1)] },
      ...some.slice(2),
    ]);
    const header = bytes.slice();
    header[length] ^= 1;
    expect(decoded(of(SMALL).decoder, header)).toEqual([
      some[0],
      { fault: 'PROTO_NO_FRAME', bytes: [...header.subarray(length, 2 * length)] },
      ...some.slice(2),
    ]);
  });

  test.each(['crc32', 'none'] as const)('sync words at the same place of every frame do not fool it for good (check: %s)', (check) => {
    const layout: WaveformLayout = { ...SMALL, bits: 16, samples: 40, check };
    const fooling = frames(layout, [...Array(40).keys()]).map((f) => {
      f.samples.fill(0xeb90);
      for (let i = 1; i < f.samples.length; i += 2) f.samples[i] = 0xcafe;
      return f;
    });
    const bytes = bytesOf(layout, fooling);
    const length = frameBytes(layout);
    for (const lost of [1, 2, 14, 16, 60, length - 8]) {
      const said = decoded(of(layout).decoder, concat(bytes.subarray(0, length + 3), bytes.subarray(length + 3 + lost)), SILENCE);
      const numbers = said.flatMap((m) => ('fault' in m ? [] : [m.number]));
      expect(numbers.slice(-20), `${lost} bytes lost`).toEqual([...Array(20).keys()].map((n) => n + 20));
    }
  });

  test('silence in the middle of a frame is a fault, and the next frame is taken', () => {
    const bytes = of(SMALL).encode(FRAME);
    expect(decoded(of(SMALL).decoder, bytes.subarray(0, 11), SILENCE, SILENCE, bytes)).toEqual([
      { fault: 'PROTO_UNFINISHED', bytes: [...bytes.subarray(0, 11)] },
      FRAME,
    ]);
    const last = bytes.slice();
    last[20] ^= 1;
    expect(decoded(of(SMALL).decoder, last, SILENCE)).toEqual([{ fault: 'PROTO_BAD_CRC', bytes: [...last] }]);
  });

  test('endless noise comes out in pieces of a frame, and little is held', () => {
    const decode = of(SMALL).decoder();
    const said: unknown[] = [];
    for (let i = 0; i < 100; i++) said.push(...decode(new Uint8Array(30)));
    expect(said.length).toBeGreaterThan(95);
    expect(said.every((m) => m instanceof Fault && m.bytes.length <= frameBytes(SMALL))).toBe(true);
  });
});

test('the work is linear in the bytes, even where every word is a sync word', () => {
  let worked = 0;
  const counting = (bytes: Uint8Array, before?: number): number => {
    worked += bytes.length;
    return crc32(bytes, before);
  };
  const finder = frameFinder(DIGITIZER_64, counting, { frame() {}, skipped() {}, damaged() {}, junk() {}, unfinished() {} });
  const junk = new Uint8Array(65536);
  new Uint32Array(junk.buffer).fill(0xeb90cafe);
  for (let i = 0; i < 16; i++) finder.take(junk);
  expect(worked).toBeLessThan(6 * 16 * 65536 + 33 * 32784);
});
