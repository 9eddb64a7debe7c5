import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MOST } from '../../protocols/modbus.ts';
import { inBlocks, isBits, type Place, readOf, replyOf, TABLES, tellOf, wordsOf } from '../../protocols/modbus-places.ts';

const place: fc.Arbitrary<Place> = fc.record({
  table: fc.constantFrom(...TABLES),
  address: fc.nat(300),
  count: fc.integer({ min: 1, max: 2 }),
});

test('every place is in one block of its table, blocks are no longer than a reply, and without a bridge nothing else is read', () => {
  fc.assert(
    fc.property(fc.array(place, { maxLength: 40 }), fc.nat(5), (places, bridge) => {
      const blocks = inBlocks(places, bridge);
      expect(blocks.flatMap((b) => b.of).length).toBe(places.length);
      for (const b of blocks) {
        expect(b.count).toBeLessThanOrEqual(isBits(b.table) ? MOST.bits : MOST.registers);
        const read = new Set(Array.from({ length: b.count }, (_, i) => b.address + i));
        const wanted = new Set(b.of.flatMap((p) => Array.from({ length: p.count }, (_, i) => p.address + i)));
        for (const p of b.of)
          expect([p.table, ...[...Array(p.count).keys()].map((i) => read.has(p.address + i))]).toEqual([
            b.table,
            ...Array(p.count).fill(true),
          ]);
        if (bridge === 0) expect(wanted).toEqual(read);
        else expect(read.size - wanted.size).toBeLessThanOrEqual(bridge * b.of.length);
      }
    }),
  );
});

test('neighbours are one question, a gap makes two, a bridge makes one again', () => {
  const at = (address: number): Place => ({ table: 'input', address, count: 1 });
  const asked = (bridge: number) => inBlocks([at(3), at(6), at(4)], bridge).map((b) => [b.address, b.count]);
  expect(asked(0)).toEqual([
    [3, 2],
    [6, 1],
  ]);
  expect(asked(1)).toEqual([[3, 4]]);
});

test('the words of a reply are those that were put into it, and no other read takes it', () => {
  fc.assert(
    fc.property(place, place, fc.array(fc.nat(0xffff), { minLength: 2, maxLength: 2 }), (a, b, given) => {
      const words = given.slice(0, a.count).map((w) => (isBits(a.table) ? w % 2 : w));
      const tell = tellOf(1, a, words);
      expect(wordsOf(tell, a)).toEqual(words);
      expect(wordsOf(tell, b) !== undefined).toBe(replyOf(a) === replyOf(b));
    }),
  );
  expect(readOf(7, { table: 'coil', address: 1, count: 2 })).toEqual({ unit: 7, function: 1, address: 1, count: 2 });
});
