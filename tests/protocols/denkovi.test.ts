import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DenkoviAsk, type DenkoviTell, denkovi, relayBit } from '../../protocols/denkovi.ts';
import { concat, fromLatin1 } from '../../protocols/protocol.ts';
import { Unsendable } from '../../protocols/unsendable.ts';
import { cut, decoded, hex, noise, places, SILENCE } from './splits.ts';

const protocol = denkovi();
const set = (relays: number): DenkoviAsk => ({ do: 'set', relays });
const heard = (...pieces: readonly Uint8Array[]) => decoded(protocol.asks.decoder, ...pieces);
const told = (...pieces: readonly Uint8Array[]) => decoded(protocol.tells.decoder, ...pieces);

describe('Denkovi relays', () => {
  test.each<[string, DenkoviAsk]>([
    ['ask//', { do: 'ask' }],
    ['on//', { do: 'all', on: true }],
    ['off//', { do: 'all', on: false }],
    ['01+//', { do: 'one', relay: 1, on: true }],
    ['16-//', { do: 'one', relay: 16, on: false }],
    ['x\x80\x01//', set(0x8001)],
    ['x////', set(0x2f2f)],
    ['xas//', set(0x6173)],
  ])('%j', (text, ask) => {
    expect(protocol.asks.encode(ask)).toEqual(fromLatin1(text));
    expect(heard(fromLatin1(text))).toEqual([ask]);
  });

  test('relay 1 is the highest bit of the first byte', () => {
    expect([relayBit(1), relayBit(8), relayBit(9), relayBit(16)]).toEqual([0x8000, 0x0100, 0x0080, 0x0001]);
    expect(told(hex('80 01'))).toEqual([{ relays: 0x8001 }]);
    for (const wrong of [0, 17, 1.5, Number.NaN]) expect(() => relayBit(wrong)).toThrow(Unsendable);
    expect(() => protocol.asks.encode(set(0x10000))).toThrow(Unsendable);
  });

  test('the board hears a command behind garbage', () => {
    expect(heard(fromLatin1('x//ask//'))).toEqual([{ fault: 'PROTO_NOISE', bytes: [...fromLatin1('x//')] }, { do: 'ask' }]);
    expect(heard(fromLatin1('99+//17-//00+//\xffx\x01\x02//'))).toEqual([
      { fault: 'PROTO_NOISE', bytes: [...fromLatin1('99+//17-//00+//\xff')] },
      set(0x0102),
    ]);
    expect(heard(fromLatin1('x\x01'), SILENCE, fromLatin1('ask//'))).toEqual([
      { fault: 'PROTO_UNFINISHED', bytes: [...fromLatin1('x\x01')] },
      { do: 'ask' },
    ]);
  });

  test('a state is given at once, also one that looks like the beginning of a command', () => {
    for (const relays of [0x7801, 0x782f, 0x3031, 0x3136, 0x6f6e, 0x6f66, 0x2f2f]) {
      const bytes = protocol.tells.encode({ relays });
      expect(told(bytes)).toEqual([{ relays }]);
      if (relays !== 0x782f) expect(told(bytes, bytes)).toEqual([{ relays }, { relays }]); // "x/x/" might go on
      expect(told(bytes, SILENCE, bytes)).toEqual([{ relays }, { relays }]);
    }
    expect(told(hex('80'), SILENCE, hex('80 01'))).toEqual([{ fault: 'PROTO_UNFINISHED', bytes: [0x80] }, { relays: 0x8001 }]);
  });

  test('a repeated command is known when it is whole', () => {
    const q = set(0x4142);
    const said = told(protocol.tells.encode({ echo: q }));
    expect(said).toEqual([{ relays: 0x7841 }, { echo: q }]);
    expect(said.map((m) => protocol.fits(m as DenkoviTell, q))).toEqual(['late', 'answer']); // no fault among them, as seen above
    // The question's own echo never gives a state.
    expect(told(fromLatin1('ask//\x80\x01'))).toEqual([{ echo: { do: 'ask' } }, { relays: 0x8001 }]);
  });

  test('two bytes answer the question and nothing else does', () => {
    expect(protocol.fits({ relays: 1 }, { do: 'ask' })).toBe('answer');
    expect(protocol.fits({ echo: { do: 'ask' } }, { do: 'ask' })).toBe('unasked');
    expect(protocol.fits({ relays: 1 }, set(1))).toBe('late');
    expect(protocol.fits({ echo: set(2) }, set(1))).toBe('late');
  });

  const ask: fc.Arbitrary<DenkoviAsk> = fc.oneof(
    fc.constant<DenkoviAsk>({ do: 'ask' }),
    fc.nat(0xffff).map(set),
    fc.record({ do: fc.constant('one' as const), relay: fc.integer({ min: 1, max: 16 }), on: fc.boolean() }),
    fc.record({ do: fc.constant('all' as const), on: fc.boolean() }),
  );
  test('goes round in any split, and any noise is read alike in any split', () => {
    fc.assert(
      fc.property(fc.array(ask, { maxLength: 8 }), places, (all, at) => {
        expect(heard(...cut(concat(...all.map(protocol.asks.encode)), at))).toEqual(all);
      }),
    );
    fc.assert(
      fc.property(fc.nat(0xffff), (relays) => {
        if (relays !== 0x6173) expect(told(protocol.tells.encode({ relays }))).toEqual([{ relays }]);
      }),
    );
    const bytes = fc.array(fc.oneof(noise(8), ask.map(protocol.asks.encode)), { maxLength: 10 }).map((all) => concat(...all));
    fc.assert(
      fc.property(bytes, places, (whole, at) => {
        const pieces = whole.length > 0 ? [whole] : [];
        expect(heard(...cut(whole, at))).toEqual(heard(...pieces));
        expect(told(...cut(whole, at))).toEqual(told(...pieces));
        expect(heard(...pieces, SILENCE, fromLatin1('ask//')).at(-1)).toEqual({ do: 'ask' });
        expect(told(...pieces, SILENCE, hex('80 01')).at(-1)).toEqual({ relays: 0x8001 });
      }),
    );
  });
});
