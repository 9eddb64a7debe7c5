import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AgilisAsk, type AgilisTell, agilis } from '../../protocols/agilis.ts';
import { Fault, fromLatin1, latin1 } from '../../protocols/protocol.ts';

const sent = (q: AgilisAsk, how?: 'apart') => latin1(agilis(how).asks.encode(q));
const heard = (text: string, how?: 'apart') => agilis(how).tells.decoder()(fromLatin1(text));

test('a line goes with a TE after it, but for TE itself and what goes alone', () => {
  expect(sent({ line: '1PR-100' })).toBe('1PR-100\r\nTE\r\n');
  expect(sent({ line: 'TE' })).toBe('TE\r\n');
  expect(sent({ line: 'RS', alone: true })).toBe('RS\r\n');
  expect(sent({ line: '1TP' }, 'apart')).toBe('1TP\r\n');
});

test('what comes up to the answer to TE is one message', () => {
  expect(heard('1TP-250\r\nTE0\r\nTE-5\r\n1MA523\r\n')).toEqual([{ line: '1TP-250', error: 0 }, { error: -5 }, { line: '1MA523' }]);
  expect(heard('1TP-250\r\nTE0\r\n', 'apart')).toEqual([{ line: '1TP-250' }, { error: 0 }]);
  expect(heard('1TP1\r\n1TP2\r\nTE0\r\n')).toEqual([expect.any(Fault), { line: '1TP2', error: 0 }]);
  const decode = agilis().tells.decoder();
  expect([...decode(fromLatin1('1TP1\r\n')), ...decode(new Uint8Array())]).toEqual([expect.any(Fault)]);
});

describe('an answer', () => {
  const fits = (m: AgilisTell, line: string, how?: 'apart') => agilis(how).fits(m, { line });
  test.each<[AgilisTell, string, string]>([
    [{ line: '1TP5', error: 0 }, '1TP', 'answer'],
    [{ line: '2TP5', error: 0 }, '1TP', 'late'],
    [{ line: '1TS0', error: 0 }, '1TP', 'late'],
    [{ error: -5 }, '1TP', 'answer'],
    [{ error: 0 }, '1TP', 'late'],
    [{ error: 0 }, '1PR100', 'answer'],
    [{ line: '1TP5', error: 0 }, '1PR100', 'late'],
    [{ error: -6 }, '1PR100', 'answer'],
    [{ line: '1SU-16', error: 0 }, '1SU-?', 'answer'],
    [{ line: '1SU16', error: 0 }, '1SU-?', 'answer'],
    [{ line: 'CC2', error: 0 }, 'CC?', 'answer'],
    [{ line: 'AG-UC2 v2.2.1', error: 0 }, 'VE', 'answer'],
    [{ line: 'PH0', error: 0 }, 'VE', 'late'],
    [{ line: '1MA500' }, '1MA', 'answer'],
    [{ line: '1TP5' }, '1MA', 'late'],
    [{ error: 0 }, 'TE', 'answer'],
    [{ line: '1TP5', error: 0 }, 'TE', 'late'],
  ])('%j to %s: %s', (m, line, fit) => {
    expect(fits(m, line)).toBe(fit);
  });
  test('of one line alone', () => {
    expect(fits({ line: '1TP5' }, '1TP', 'apart')).toBe('answer');
    expect(fits({ line: '1TS5' }, '1TP', 'apart')).toBe('late');
    expect(fits({ error: 0 }, 'TE', 'apart')).toBe('answer');
    expect(fits({ error: 0 }, '1TP', 'apart')).toBe('late');
  });
});

const axis = fc.constantFrom('1', '2');
const ask: fc.Arbitrary<AgilisAsk> = fc.oneof(
  fc.record({ line: fc.tuple(axis, fc.constantFrom('TP', 'TS', 'ST', 'SU+?', 'PR-10')).map((p) => p.join('')) }),
  fc.record({ line: fc.constantFrom('VE', 'PH', 'MR', 'CC?') }),
  fc.constant({ line: 'TE' }),
);
const tell: fc.Arbitrary<AgilisTell> = fc.oneof(
  fc.record({ line: fc.constantFrom('1TP5', 'AG-UC8 v2.2.1', 'PH3'), error: fc.integer({ min: -6, max: 0 }) }),
  fc.record({ error: fc.integer({ min: -6, max: 0 }) }),
  fc.constant({ line: '2PA1000' }),
);

test('any split decodes alike, in both roles, and no bytes make a decoder throw', () => {
  const { asks, tells } = agilis();
  const split = <M>(decode: (bytes: Uint8Array) => readonly (M | Fault)[], bytes: Uint8Array, at: readonly number[]): (M | Fault)[] => {
    const cuts = [0, ...[...at].map((n) => n % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
    return cuts.slice(1).flatMap((to, i) => (to > cuts[i] ? decode(bytes.subarray(cuts[i], to)) : []));
  };
  fc.assert(
    fc.property(fc.array(ask, { maxLength: 5 }), fc.array(tell, { maxLength: 5 }), fc.array(fc.nat(), { maxLength: 6 }), (qs, ms, at) => {
      expect(split(asks.decoder(), Buffer.concat(qs.map((q) => asks.encode(q))), at)).toEqual(qs);
      expect(split(tells.decoder(), Buffer.concat(ms.map((m) => tells.encode(m))), at)).toEqual(ms);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      for (const how of ['together', 'apart'] as const) {
        agilis(how).tells.decoder()(bytes);
        agilis(how).asks.decoder()(bytes);
      }
    }),
  );
});
