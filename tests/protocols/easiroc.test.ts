import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type EasirocEvent, easirocEvents, eventOf } from '../../protocols/easiroc.ts';
import { easirocCounts, easirocFramer } from '../../protocols/easiroc-framer.ts';
import { adcWord, dataOf, eventBytes, scalerWord, tdcWord, type WordForm } from '../../protocols/easiroc-words.ts';
import { concat, Fault } from '../../protocols/protocol.ts';
import { cut, decoded, hex, places, SILENCE } from './splits.ts';

const FORMS: readonly WordForm[] = ['packed', 'plain'];
/** All that a stream says: its events' words, and what was counted. */
function read(form: WordForm | 'either', ...pieces: readonly Uint8Array[]) {
  const framer = easirocFramer(form);
  const events: number[][] = [];
  for (const piece of pieces) framer.take(piece, (_, words, n) => events.push([...words.subarray(0, n)]));
  framer.end();
  return { events, counts: framer.counts };
}
const ONE = [adcWord('high', 0, 0x123), adcWord('low', 63, 0xfff, true), tdcWord('leading', 5, 1000)];
const TWO = [tdcWord('trailing', 5, 900), scalerWord(66, 77), scalerWord(3, 0x2005), 0x600000];
const EVENT_OF: Readonly<Record<number, readonly number[]>> = { 1: ONE, 2: TWO };
const bytesOf = (n: 1 | 2, form: WordForm): Uint8Array => eventBytes(EVENT_OF[n], form);
const without = (bytes: Uint8Array, at: number, n: number): Uint8Array => concat(bytes.subarray(0, at), bytes.subarray(at + n));

test.each([0x0ffff000, 0x08000000])('plain, header %i: data that a lost byte has shifted are no headers', (header) => {
  const ch = Array.from({ length: 64 }, (_, i) => i);
  const words = [...ch.map((i) => adcWord('high', i, 500 + i)), ...ch.map((i) => adcWord('low', i, 200 + i)), tdcWord('leading', 5, 1000)];
  const one = eventBytes(words, 'plain', header);
  for (let at = 4; at < one.length; at += 3) {
    const { events, counts } = read('plain', concat(one, one, without(one, at, 1), one, one));
    expect([at, events.length, counts.damaged]).toEqual([at, 4, 1]);
    for (const event of events) expect(event).toEqual(words);
  }
});

describe('words', () => {
  test('literal: by the masks of hist.cc', () => {
    // ch 1, 0x234; the same at low gain and over range; TDC ch 2; scaler ch 68 with its overflow bit; a fourth kind
    const data = dataOf([0x002234, 0x083234, 0x205064, 0x204032, 0x400000 | (68 << 14) | 0x2001, 0x600001]);
    expect(data).toEqual({
      high: [{ channel: 1, value: 0x234, overRange: false }],
      low: [{ channel: 1, value: 0x234, overRange: true }],
      leading: [{ channel: 2, value: 0x064 }],
      trailing: [{ channel: 2, value: 0x032 }],
      scalers: [{ channel: 68, value: 0x2001, count: 1, overflow: true }],
      unknown: 1,
    });
  });
  test('go round', () => {
    const ch = fc.nat(63);
    const value = fc.nat(0xfff);
    fc.assert(
      fc.property(ch, value, fc.boolean(), fc.nat(68), fc.nat(0x3fff), (channel, v, over, counter, count) => {
        expect(dataOf([adcWord('high', channel, v, over)]).high).toEqual([{ channel, value: v, overRange: over }]);
        expect(dataOf([adcWord('low', channel, v, over)]).low).toEqual([{ channel, value: v, overRange: over }]);
        expect(dataOf([tdcWord('leading', channel, v)]).leading).toEqual([{ channel, value: v }]);
        expect(dataOf([tdcWord('trailing', channel, v)]).trailing).toEqual([{ channel, value: v }]);
        expect(dataOf([scalerWord(counter, count)]).scalers).toMatchObject([{ channel: counter, value: count }]);
      }),
    );
  });
  test('what does not fit is not sent', () => {
    const unsendable = expect.objectContaining({ code: 'PROTO_UNSENDABLE' });
    expect(() => adcWord('high', 64, 0)).toThrow(unsendable);
    expect(() => adcWord('high', 0, 4096)).toThrow(unsendable);
    expect(() => scalerWord(128, 0)).toThrow(unsendable);
    expect(() => eventBytes([0x08000000], 'plain')).toThrow(unsendable);
    expect(() => eventBytes(new Array(4096).fill(0), 'plain')).toThrow(unsendable);
  });
});

describe('the stream', () => {
  // 0xFFFF002 in seven bits a byte: 1111111 1111111 1100000 0000010, the first byte with its top bit.
  test('literal bytes, packed: as the firmware puts them on the wire', () => {
    const bytes = hex('ff 7f 60 02  80 00 42 34  83 7f 7f 7f');
    expect(read('packed', bytes).events).toEqual([[0x2134, 0x7fffff]]);
    expect(decoded(easirocEvents('packed').tells.decoder, bytes)).toMatchObject([{ header: 0xffff002 }]);
    expect(eventBytes([0x002234], 'packed')).toEqual(hex('ff 7f 60 01 80 00 44 34'));
  });
  test('literal bytes, plain: as the controller writes its files', () => {
    const bytes = hex('0f ff f0 02  00 00 22 34  00 0f ff ff');
    expect(read('plain', bytes).events).toEqual([[0x002234, 0x0fffff]]);
    expect(eventBytes([0x002234, 0x0fffff], 'plain')).toEqual(bytes);
  });
  test('a header needs no more than bit 27 and its length', () => {
    for (const form of FORMS) {
      const { events, counts } = read(
        'either',
        eventBytes(ONE, form, 0x08000000),
        eventBytes([], form, 0x08000000),
        eventBytes(TWO, form, 0),
      );
      expect(events).toEqual([ONE, [], TWO]);
      expect(counts).toMatchObject({ events: 3, words: 7, junk: 0, damaged: 0 });
    }
  });

  describe.each(FORMS)('%s', (form) => {
    const first = bytesOf(1, form);
    const second = bytesOf(2, form);
    test('the form is found out', () => {
      expect(read('either', first, second, first)).toEqual(read(form, first, second, first));
      expect(read('either', first, second).events).toEqual([ONE, TWO]);
    });
    test('an event is given with its last byte', () => {
      const framer = easirocFramer(form);
      let given = 0;
      const give = (): void => {
        given++;
      };
      framer.take(first.subarray(0, first.length - 1), give);
      expect(given).toBe(0);
      framer.take(first.subarray(first.length - 1), give);
      expect(given).toBe(1);
    });
    test('junk before a run is thrown away and counted', () => {
      for (const junk of ['01', '55 aa 13', '00 00 00 07 7f', '80 01 02', 'fe fe fe fe fe fe']) {
        const { events, counts } = read('either', concat(hex(junk), first, second));
        expect(events).toEqual([ONE, TWO]);
        expect(counts.junk + 4 * counts.stray).toBe(hex(junk).length);
        expect(counts).toMatchObject({ events: 2, damaged: 0, missing: 0, resynced: 1 });
      }
    });
    test('the rest of an event of the run before is junk or stray, and nothing else is lost', () => {
      for (let from = 1; from < second.length; from++) {
        const { events, counts } = read(form, concat(second.subarray(from), first, second));
        expect(events).toEqual([ONE, TWO]);
        expect(counts.junk + 4 * counts.stray).toBe(second.length - from);
      }
    });
    test('after a lost word the next header is taken at once, and the word is counted', () => {
      for (let word = 1; word <= TWO.length; word++) {
        const { events, counts } = read(form, concat(first, without(second, 4 * word, 4), first));
        expect(events).toEqual([ONE, ONE]);
        expect(counts).toMatchObject({ events: 2, damaged: 1, missing: 1, stray: 0, junk: 0, resynced: 1 });
      }
    });
    test('also in the very first event', () => {
      for (const header of [0x08000000, 0x0ffff000]) {
        const broken = without(eventBytes(TWO, form, header), 8, 4);
        expect(read('either', concat(broken, eventBytes(ONE, form, header)))).toMatchObject({
          events: [ONE],
          counts: { damaged: 1, missing: 1, junk: 0 },
        });
      }
    });
    test('words whose header is lost belong to no event', () => {
      const { events, counts } = read(form, concat(first, without(second, 0, 4), first));
      expect(events).toEqual([ONE, ONE]);
      expect(counts).toMatchObject({ events: 2, stray: TWO.length, damaged: 0, missing: 0, junk: 0 });
    });
    test('a word too many is stray', () => {
      const { events, counts } = read(form, concat(second, first.subarray(4, 8), second));
      expect(events).toEqual([TWO, TWO]);
      expect(counts).toMatchObject({ stray: 1, damaged: 0, junk: 0 });
    });
    test('a lost byte costs its own event and no wrong number comes out', () => {
      const words = Array.from({ length: 64 }, (_, ch) => adcWord('high', ch, 0x111 + ch));
      const event = eventBytes(words, form);
      for (let at = 0; at < event.length; at++) {
        const { events, counts } = read(form, concat(first, without(event, at, 1), second, first));
        expect(events[0]).toEqual(ONE);
        expect(events.at(-1)).toEqual(ONE);
        expect(counts.damaged + counts.stray + counts.junk).toBeGreaterThan(0);
        // The plain form has nothing by which the last word's lost byte shows: it takes the next header's first.
        if (form === 'plain' && at >= event.length - 4) continue;
        expect(events.slice(1)).toEqual([TWO, ONE]);
        if (form === 'packed' && at >= 4) expect(counts).toMatchObject({ damaged: 1, missing: 1, junk: 3, stray: 0 });
      }
    });
    test('what the end cuts off is counted', () => {
      const { events, counts } = read(form, concat(first, second.subarray(0, 9)));
      expect(events).toEqual([ONE]);
      expect(counts.cutOff).toBe(9);
    });
    test('the longest event', () => {
      const words = Array.from({ length: 4095 }, (_, i) => adcWord('low', i % 64, i % 4096));
      expect(read(form, eventBytes(words, form)).events).toEqual([words]);
    });
  });

  const word = fc.nat(0x7fffff);
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 30 }),
    fc.tuple(fc.array(word, { maxLength: 6 }), fc.constantFrom<WordForm>('packed', 'plain')).map(([w, f]) => eventBytes(w, f)),
    fc.tuple(fc.array(word, { minLength: 1, maxLength: 6 }), fc.nat(28)).map(([w, lost]) => {
      const bytes = eventBytes(w, 'packed');
      return without(bytes, lost % bytes.length, 1);
    }),
  );
  test.each<WordForm | 'either'>(['either', ...FORMS])('any split of any noise and events decodes alike and never throws: %s', (form) => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), places, (pieces, at) => {
        const stream = concat(...pieces);
        const make = easirocEvents(form).tells.decoder;
        expect(decoded(make, ...cut(stream, at), SILENCE)).toEqual(decoded(make, ...(stream.length > 0 ? [stream] : []), SILENCE));
        expect(read(form, ...cut(stream, at))).toEqual(read(form, stream));
      }),
    );
  });
  test('every byte is in an event, or in a fault', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const stream = concat(...pieces);
        const decode = easirocEvents('packed').tells.decoder();
        const said = [...(stream.length > 0 ? decode(stream) : []), ...decode(SILENCE)];
        const bytes = said.reduce((n, m) => n + (m instanceof Fault ? m.bytes.length : 4 * (m.words.length + 1)), 0);
        expect(bytes).toBe(stream.length);
      }),
    );
  });
  test('endless noise is bounded, and the form is found out anew behind it', () => {
    const decode = easirocEvents().tells.decoder();
    const said = [...decode(bytesOf(1, 'plain')), ...decode(new Uint8Array(100_000).fill(7)), ...decode(bytesOf(2, 'packed'))];
    expect(said.every((m) => !(m instanceof Fault) || m.bytes.length <= 4096)).toBe(true);
    expect(said.filter((m): m is EasirocEvent => !(m instanceof Fault)).map((m) => m.words)).toEqual([ONE, TWO]);
  });
  test('faults say which kind, with their bytes', () => {
    const stream = concat(hex('01 02 03'), bytesOf(1, 'packed'), without(bytesOf(2, 'packed'), 4, 4), bytesOf(1, 'packed'), hex('ff 7f'));
    const said = decoded(easirocEvents('packed').tells.decoder, stream, SILENCE);
    expect(said.map((m) => ('fault' in m ? m.fault : 'event'))).toEqual([
      'PROTO_NO_EVENT',
      'event',
      'PROTO_SHORT_EVENT',
      'event',
      'PROTO_UNFINISHED',
    ]);
    expect(said[3]).toMatchObject({ counts: { events: 2, damaged: 1, missing: 1, junk: 3 } });
  });
  test('a simulator may send other bytes than the event', () => {
    const { tells } = easirocEvents('packed');
    expect(tells.encode(eventOf(ONE, easirocCounts()))).toEqual(bytesOf(1, 'packed'));
    expect(tells.encode(eventOf(ONE, easirocCounts(), hex('01 02')))).toEqual(hex('01 02'));
  });
});
