import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type RbcpAsk, rbcp, rbcpPieces } from '../../protocols/rbcp.ts';
import { hex } from './splits.ts';

const sizes = (pieces: readonly RbcpAsk[]): number[] => pieces.map((q) => (q.command === 'read' ? q.length : q.data.length));

describe('requests over 255 bytes', () => {
  test.each([
    [0, []],
    [1, [1]],
    [255, [255]],
    [256, [255, 1]],
    [600, [255, 255, 90]],
  ])('%i bytes go as %j', (length, want) => {
    const read = rbcpPieces({ command: 'read', address: 0x1000, length });
    const write = rbcpPieces({ command: 'write', address: 0x1000, data: new Uint8Array(length) });
    expect(sizes(read)).toEqual(want);
    expect(sizes(write)).toEqual(want);
    expect(read.map((q) => q.address)).toEqual(want.map((_, i) => 0x1000 + 255 * i));
    expect(write.map((q) => q.address)).toEqual(read.map((q) => q.address));
  });
  test('the 128 thresholds of an EASIROC board in even packets: literal', () => {
    const data = Uint8Array.from({ length: 256 }, (_, i) => i);
    const packets = rbcpPieces({ command: 'write', address: 0x1000, data }, 254).map((q) => rbcp().asks.encode(q));
    expect(packets.map((p) => [...p.subarray(0, 10)])).toEqual([
      [...hex('ff 80 00 fe 00 00 10 00 00 01')],
      [...hex('ff 80 00 02 00 00 10 fe fe ff')],
    ]);
    expect(packets.map((p) => p.length)).toEqual([8 + 254, 8 + 2]);
  });
  test('together they are the whole', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1200 }), fc.integer({ min: 1, max: 255 }), fc.nat(0xfffffff), (data, most, address) => {
        const memory = new Map<number, number>();
        for (const q of rbcpPieces({ command: 'write', address, data }, most)) {
          if (q.command !== 'write') throw new Error('a read');
          expect(() => rbcp().asks.encode(q)).not.toThrow();
          q.data.forEach((byte, i) => {
            memory.set(q.address + i, byte);
          });
        }
        expect([...data].map((_, i) => memory.get(address + i))).toEqual([...data]);
        expect(memory.size).toBe(data.length);
      }),
    );
  });
  test.each<readonly [RbcpAsk, number]>([
    [{ command: 'read', address: 0, length: Number.NaN }, 255],
    [{ command: 'read', address: 0, length: 10 }, 0],
    [{ command: 'read', address: 0, length: 10 }, 256],
    [{ command: 'read', address: 0xffffff00, length: 600 }, 255],
  ])('%j by %i is refused', (q, most) => {
    expect(() => rbcpPieces(q, most)).toThrow(expect.objectContaining({ code: 'PROTO_UNSENDABLE' }));
  });
});

/** The packets that the published hosts put on the wire and take: sitcpy rbcp.py and RBCP.rb (version 0xFF, C0/80, id, length, address). */
describe('as other hosts write it', () => {
  test.each<readonly [RbcpAsk, string]>([
    [{ command: 'read', id: 0, address: 0xf0000000, length: 6 }, 'ff c0 00 06 f0 00 00 00'], // VME-EASIROC.rb: version
    [{ command: 'write', id: 1, address: 0x77, data: hex('07') }, 'ff 80 01 01 00 00 00 77 07'], // enterDaqMode with ADC and TDC
    [{ command: 'write', id: 2, address: 0x100, data: hex('0f ff') }, 'ff 80 02 02 00 00 01 00 0f ff'], // time window of 4095 ns
    [{ command: 'write', id: 255, address: 0, data: hex('de de 03') }, 'ff 80 ff 03 00 00 00 00 de de 03'], // direct control: start cycle
  ])('%j', (q, bytes) => {
    expect(rbcp().asks.encode(q)).toEqual(hex(bytes));
  });
  test('a reply with RBCP.rb’s flags is an answer, and its bus error says so', () => {
    const { tells, fits } = rbcp();
    const q: RbcpAsk = { command: 'read', id: 7, address: 0xf0000000, length: 6 };
    const [good] = tells.decoder()(hex('ff c8 07 06 f0 00 00 00 12 34 20 15 02 20'));
    const [bus] = tells.decoder()(hex('ff c9 07 06 f0 00 00 00 00 00 00 00 00 00'));
    expect(good).toMatchObject({ ack: true, busError: false, data: hex('12 34 20 15 02 20') });
    expect(bus).toMatchObject({ busError: true });
    for (const m of [good, bus]) expect('command' in m && fits(m, q)).toBe('answer');
  });
});
