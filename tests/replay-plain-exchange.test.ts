/** Plain exchanges found in their bytes: what is found is what JSON reads, and whatever has another form is left to JSON. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Exchanged } from '../src/exchange.ts';
import { write } from '../src/recorder/session-json.ts';
import { PlainExchanges } from '../src/replay/plain-exchange.ts';

const text = (of: string): Uint8Array => new TextEncoder().encode(of);
const before = '{"a":1}';

/** As the recorder writes it, with something before and behind it. */
function written(exchanged: Exchanged): { readonly bytes: Uint8Array; readonly from: number; readonly to: number } {
  let json: Uint8Array = new Uint8Array();
  write({ kind: 'exchange', exchanged }, (_, __, ___, bytes) => {
    json = bytes.slice();
  });
  return {
    bytes: new Uint8Array(Buffer.concat([text(before), json, text(',"nth":3}')])),
    from: before.length,
    to: before.length + json.length,
  };
}

const bytes = fc.uint8Array({ maxLength: 12 });
const name = fc.constantFrom('oven', 'öfen', 'a"b', 'back\\slash', '","by":"x', '');
const exchange: fc.Arbitrary<Exchanged> = fc.record(
  {
    id: fc.nat(),
    instrument: name,
    role: fc.constantFrom('main', 'control'),
    by: fc.oneof(fc.constantFrom('poll:door+key', 'poll:door', 'identify', 'order:","asked":1'), name),
    asked: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    sent: bytes,
    came: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    reply: bytes,
    fault: fc.constantFrom('no answer', ''),
    nth: fc.nat(),
    behind: fc.nat(20),
  },
  { requiredKeys: ['id', 'instrument', 'role', 'by', 'asked', 'sent'] },
) as fc.Arbitrary<Exchanged>; // what else it has is not written

test('is found, and is what JSON reads in it; one with a fault is left to JSON', () => {
  fc.assert(
    fc.property(fc.array(exchange, { maxLength: 12 }), (all) => {
      const plain = new PlainExchanges();
      for (const x of all) {
        const { bytes, from, to } = written(x);
        const found = plain.find(bytes, from, to);
        expect(found === undefined).toBe(x.fault !== undefined);
        if (found) expect(found).toEqual(JSON.parse(new TextDecoder().decode(bytes.subarray(from, to))));
      }
    }),
  );
});

test('with any byte changed it is what JSON reads, or is not found', () => {
  const come = fc.constantFrom('', '0', '9', '-', '.', 'e', ',', '"', '}', ' ', '\\', 'f', 'F', '00', ',"reply":"', ',"came":1', 'ü');
  fc.assert(
    fc.property(exchange, fc.nat(), fc.nat(2), come, (x, where, gone, come) => {
      const plain = new PlainExchanges();
      const right = written(x);
      plain.find(right.bytes, right.from, right.to);
      const place = right.from + (where % (right.to - right.from));
      const bytes = new Uint8Array(
        Buffer.concat([right.bytes.subarray(0, place), text(come), right.bytes.subarray(Math.min(place + gone, right.to))]),
      );
      const to = right.to - Math.min(gone, right.to - place) + text(come).length;
      const found = plain.find(bytes, right.from, to);
      if (found) expect(found).toEqual(JSON.parse(new TextDecoder().decode(bytes.subarray(right.from, to))));
    }),
    { numRuns: 2000 },
  );
});

test.each([
  ['a number beyond what is exact', '"asked":1767225600000000', '"asked":9007199254740993'],
  ['a number with a zero before it', '"id":7', '"id":07'],
  ['no number', '"nth":5', '"nth":'],
  ['a reply that is no hexadecimal', '"reply":"0d"', '"reply":"0D"'],
  ['something behind it', '}', '} '],
  ['something missing', '}', ''],
  ['another order', '"nth":5,"behind":1', '"behind":1,"nth":5'],
])('%s is left to JSON', (_, was, is) => {
  const line =
    '{"id":7,"instrument":"a","role":"main","by":"poll:b","asked":1767225600000000,"sent":"3f","came":1767225600000001,"reply":"0d","nth":5,"behind":1}';
  const plain = new PlainExchanges();
  for (const of of [line, line, line.replace(was, is), line])
    expect(plain.find(text(of), 0, of.length)?.id).toBe(of === line ? 7 : undefined);
});
