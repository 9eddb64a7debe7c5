/** Plain readings found in their bytes: what is found is what JSON reads, and its line is the line that is made of the object. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Reading } from '../src/reading.ts';
import { write } from '../src/recorder/session-json.ts';
import { lineOf } from '../src/replay/compare.ts';
import { LineHash } from '../src/replay/line-hash.ts';
import { PlainReadings, ValueJson } from '../src/replay/plain-reading.ts';

const text = (of: string): Uint8Array => new TextEncoder().encode(of);
const sha = (lines: readonly string[]): string =>
  createHash('sha256')
    .update(lines.map((line) => `${line}\n`).join(''))
    .digest('hex');

/** As the recorder writes it, with something before and behind it. */
function written(reading: Reading): { readonly bytes: Uint8Array; readonly from: number; readonly to: number } {
  let json: Uint8Array = new Uint8Array();
  write({ kind: 'reading', reading }, (topic, _, __, bytes) => {
    if (topic === 'readings') json = bytes.slice();
  });
  return { bytes: new Uint8Array(Buffer.concat([text('{"a":1}'), json, text(',"seq":3}')])), from: 7, to: 7 + json.length };
}

const value = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.constantFrom(0, -0, 1e21, 5e-324, 0.1 + 0.2),
  fc.boolean(),
  fc.string({ minLength: 1 }),
  fc.constantFrom('armed', '80 °C', 'a"b', '","from":"x.y', 'back\\slash'),
);
const channel = fc.constantFrom('oven.temperature', 'oven.tür', 'guard.door', 'a.b","t":1', 'x.y');
type Good = Reading & { readonly quality: 'good' };
const reading: fc.Arbitrary<Good> = fc.record({
  quality: fc.constant('good'),
  value,
  from: channel,
  kind: fc.constantFrom('K', 'flag', 'state', 'Ω'),
  t: fc.oneof(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), fc.constant(1_767_225_600_000_000)),
  seq: fc.nat(),
  origin: fc.constantFrom('hardware', 'simulator'),
}) as fc.Arbitrary<Good>; // whatever its kind, it is only written and read
/** Bytes that go and those that come; anywhere, or where time, number or end begin. */
const change = fc.oneof(
  fc.tuple(fc.constantFrom(0, 1), fc.constantFrom('0', '9', '-', '.', 'e', ',', '"', '}', ' ', '\\', '{"', '00')),
  fc.tuple(fc.constantFrom(0, 1, 2), fc.string({ maxLength: 2 })),
);
const MARKS = [',"t":', ',"seq":', ',"origin":'];
const put = fc.integer({ min: -3, max: 2 });
const beside = fc.record({ sigma: fc.constant({ random: 1 }), index: fc.nat(3), why: fc.constant('noisy') }, { requiredKeys: [] });

describe('a plain reading', () => {
  test('is found, and its line and value are those of the object', () => {
    fc.assert(
      fc.property(fc.array(reading, { maxLength: 12 }), (all) => {
        const plain = new PlainReadings();
        const hash = new LineHash();
        const jsons = new Map<string, ValueJson>();
        const lines: string[] = [];
        for (const r of all) {
          const { bytes, from, to } = written(r);
          const form = plain.find(bytes, from, to);
          const escaped = typeof r.value === 'string' && JSON.stringify(r.value).includes('\\');
          expect(form === undefined, JSON.stringify(r)).toBe(escaped);
          if (!form) continue;
          expect([form.from, form.kind, form.origin, plain.t, plain.seq]).toEqual([r.from, r.kind, r.origin, r.t, r.seq]);
          const json = jsons.get(r.from) ?? new ValueJson();
          jsons.set(r.from, json);
          for (const other of all) expect(plain.is(other.value, json)).toBe(JSON.stringify(other.value) === JSON.stringify(r.value));
          expect(plain.line(hash, form)).toBe(true);
          lines.push(lineOf(r));
        }
        expect(hash.digest()).toBe(sha(lines));
      }),
    );
  });

  test('with anything beside it, or with any byte changed, is not found as what it is not', () => {
    fc.assert(
      fc.property(reading, reading, beside, fc.nat(), change, put, (first, r, more, where, [gone, come], at) => {
        const plain = new PlainReadings();
        const begun = written(first);
        plain.find(begun.bytes, begun.from, begun.to);
        const rich = written({ ...r, ...more } as Reading); // as above
        if (Object.keys(more).length > 0) expect(plain.find(rich.bytes, rich.from, rich.to)).toBe(undefined);
        const right = written(r);
        const place =
          right.from +
          Math.max(
            0,
            at < 0 ? where % (right.to - right.from) : Buffer.from(right.bytes).indexOf(MARKS[at]) + MARKS[at].length - right.from,
          );
        const bytes = new Uint8Array(Buffer.concat([right.bytes.subarray(0, place), text(come), right.bytes.subarray(place + gone)]));
        const [from, to] = [right.from, right.to - gone + text(come).length];
        let whole: Good | undefined;
        try {
          whole = JSON.parse(new TextDecoder().decode(bytes.subarray(from, to))) as Good; // looked at below
        } catch {
          // no JSON any more
        }
        const form = plain.find(bytes, from, to);
        // What is found has the value of JSON, or no value that a reading can have.
        if (!form || !plain.is(whole?.value ?? r.value, new ValueJson())) return;
        expect([form.from, form.kind, form.origin, plain.t, plain.seq]).toEqual([
          whole?.from,
          whole?.kind,
          whole?.origin,
          whole?.t,
          whole?.seq,
        ]);
        const hash = new LineHash();
        plain.line(hash, form);
        expect(hash.digest()).toBe(sha(whole ? [lineOf(whole)] : []));
      }),
      { numRuns: 1000 },
    );
  });
});

test.each([
  ['a number beyond what is exact', '"t":1767225600000000', '"t":9007199254740993'],
  ['a number with a zero before it', '"seq":7', '"seq":07'],
  ['no number', '"seq":7', '"seq":'],
  ['something behind it', '}', '} '],
  ['something missing', '}', ''],
  ['another order', '"t":1767225600000000,"seq":7', '"seq":7,"t":1767225600000000'],
])('%s is left to JSON', (_, was, is) => {
  const line = '{"quality":"good","value":true,"from":"a.b","kind":"flag","t":1767225600000000,"seq":7,"origin":"hardware"}';
  const plain = new PlainReadings();
  for (const of of [line, line, line.replace(was, is), line]) {
    const form = plain.find(text(of), 0, of.length);
    expect(form?.from).toBe(of === line ? 'a.b' : undefined);
  }
});

describe('a hash over lines', () => {
  test('is that of all lines, whatever their length, and goes on behind a copy and a look at it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.string({ unit: 'binary' }), fc.constantFrom(1, 30, 9000)), { maxLength: 20 }),
        fc.nat(19),
        (all, at) => {
          const lines = all.map(([some, times]) => some.repeat(times));
          const hash = new LineHash();
          let copy: LineHash | undefined;
          for (const [i, line] of lines.entries()) {
            if (i === at) copy = hash.copy();
            if (i === at) expect(hash.digest()).toBe(sha(lines.slice(0, i)));
            hash.add(line);
            copy?.add(line);
          }
          expect(hash.digest()).toBe(sha(lines));
          if (copy) expect(copy.digest()).toBe(sha(lines));
        },
      ),
      { numRuns: 40 },
    );
  });
});
