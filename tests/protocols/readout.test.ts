import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Fault } from '../../protocols/protocol.ts';
import { type ReadoutTell, readout } from '../../protocols/readout.ts';

const { asks, tells, fits, number } = readout({ source: 'none' });

test('a message with traces comes back as it was, typed columns and all', () => {
  const tell: ReadoutTell = {
    say: 'values',
    t: 1767225600000000,
    values: {
      rate: [1, 2.5, { quality: 'bad', why: 'dead: no hit for 60 s, Ω' }],
      on: true,
      spectrum: {
        columns: { counts: { unit: '1', data: Float64Array.of(0, 1, 2 ** 53) }, low: { unit: '1', data: Uint16Array.of(7) } },
        shape: [3],
        begin: 1,
        end: 2,
        settings: { of: 'charge' },
      },
    },
  };
  expect(tells.decoder()(tells.encode(tell))).toEqual([tell]);
  const cleared: ReadoutTell = { say: 'cleared', n: 4 };
  expect(tells.decoder()(tells.encode(cleared))).toEqual([cleared]);
});

test('a question is told apart by its number, and values are never an answer', () => {
  const q = number?.({ do: 'clear' }, 7) ?? { do: 'clear' };
  expect(asks.decoder()(asks.encode(q))).toEqual([{ do: 'clear', n: 7 }]);
  expect(fits({ say: 'cleared', n: 7 }, q)).toBe('answer');
  expect(fits({ say: 'cleared', n: 6 }, q)).toBe('late');
  expect(fits({ say: 'values', t: 0, values: {} }, q)).toBe('unasked');
});

test('what is no number is not sent', () => {
  expect(() => tells.encode({ say: 'values', t: 0, values: { a: Number.NaN } })).toThrow('no number');
});

test('any bytes, cut or flipped, are a message or a fault and never an exception', () => {
  const whole = tells.encode({ say: 'values', t: 5, values: { a: { data: Float32Array.of(1, 2, 3) } } });
  for (
    let cut = 1;
    cut <= whole.length - 5;
    cut++ // the last four bytes are filling
  )
    expect(tells.decoder()(whole.slice(0, cut))[0]).toBeInstanceOf(Fault);
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const bytes = whole.slice();
      bytes[at] = (bytes[at] ?? 0) ^ flip;
      expect(tells.decoder()(bytes)).toHaveLength(1);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), (bytes) => {
      expect(tells.decoder()(bytes)[0]).toBeInstanceOf(Fault);
    }),
  );
});
