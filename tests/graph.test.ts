/** Derivations as one function: pairing in event time, no mixtures, the worst quality, uncertainty, and what each value was made of. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { powerRatio, pressureDifference, temperatureDifference, voltageRatio } from '../src/derive/arithmetic.ts';
import type { Derivation } from '../src/derive/derivation.ts';
import type { LedgerRecord } from '../src/derive/ledger.ts';
import { graph, type Input, type NodeSpec } from '../src/graph.ts';
import type { Kind, Reading, Sigma } from '../src/reading.ts';
import { total } from '../src/reading.ts';

const S = 1e6;
const seqs = new Map<string, number>();
interface More {
  readonly index?: number;
  readonly sigma?: Sigma;
  readonly suspect?: string;
  readonly bad?: string;
  readonly origin?: Reading['origin'];
  readonly kind?: Kind;
}
/** A reading of "a.x" at t seconds. */
function reading(from: string, t: number, value: number, more: More = {}): Reading {
  const seq = seqs.get(from) ?? 0;
  seqs.set(from, seq + 1);
  const base = {
    from,
    t: t * S,
    seq,
    kind: more.kind ?? ('V' as const),
    origin: more.origin ?? ('hardware' as const),
    ...(more.index === undefined ? {} : { index: more.index }),
  };
  if (more.bad !== undefined) return { ...base, quality: 'bad', why: more.bad } as Reading;
  return {
    ...base,
    quality: more.suspect === undefined ? 'good' : 'suspect',
    ...(more.suspect === undefined ? {} : { why: more.suspect }),
    value,
    ...(more.sigma ? { sigma: more.sigma } : {}),
  } as Reading; // a number of its unit
}

// biome-ignore lint/suspicious/noExplicitAny: methods of different inputs and parameters stand in one list
type AnyDerivation = Derivation<any, any, any, any>;
const node = (name: string, inputs: Readonly<Record<string, string | Input>>, derivation: AnyDerivation = voltageRatio): NodeSpec => ({
  name,
  derivation,
  inputs: Object.fromEntries(Object.entries(inputs).map(([n, i]) => [n, typeof i === 'string' ? { from: i, pair: 'last', within: 1 } : i])),
  params: {},
  parametersId: 'p',
});
const input = (from: string, pair: Input['pair'], within = 1): Input => ({ from, pair, within });
const brief = (all: readonly Reading[]): unknown[] => all.map((r) => [r.from, r.t / S, r.quality === 'bad' ? r.why : r.value]);

/** Counts its steps: shows order and state. */
const counter: AnyDerivation = {
  method: 'counter',
  inputs: { a: 'V' },
  outputs: { sum: 'V' },
  params: { fields: {}, parse: () => ({}) },
  start: () => 0,
  step: (sum: number, { a }: { a: Reading<'V'> }) => {
    const next = sum + (a.quality === 'bad' ? 0 : a.value);
    return [next, { sum: next }];
  },
};

/** What it was paired with. */
const frames: AnyDerivation = {
  method: 'frames',
  inputs: { a: 'trace' },
  outputs: { filter: 'state' },
  params: { fields: {}, parse: () => ({}) },
  start: () => 0,
  step: (_: number, { filter }: { filter: Reading<'state'> }) => [0, { filter: filter.quality === 'bad' ? filter : filter.value }],
};

/** Says by which records its value was made: all that it has learnt, the newest first. */
const learner: AnyDerivation = {
  method: 'learner',
  inputs: { a: 'V' },
  outputs: { count: '1' },
  params: { fields: {}, parse: () => ({}) },
  start: (): readonly string[] => [],
  learn: (known: readonly string[], { record }: LedgerRecord) => [record.id, ...known],
  step: (known: readonly string[]) => [known, { count: known.length }, known],
};
const learnt = (id: string, of: string): LedgerRecord => ({
  record: { calibration: 'lamp', id, of, taken: 0, valid: { from: 0 }, path: {}, region: {} },
});

describe('calibrations', () => {
  test('are known from the start or learnt while it runs, of the trigger alone, and named in what they made', () => {
    const spec = {
      ...node('l', { a: 'a.x' }, learner),
      calibration: 'of-the-rig',
      records: [learnt('one', 'a.x'), learnt('other', 'b.x')],
    };
    const g = graph([spec]);
    const made = (t: number): unknown =>
      g(reading('a.x', t, 1)).map((r) => [r.quality === 'bad' ? r.why : r.value, r.made?.calibration, r.made?.inputs.slice(1)]);
    expect(made(0)).toEqual([[1, 'one', []]]);
    g.learn(learnt('two', 'a.x'));
    g.learn(learnt('three', 'b.x'));
    expect(made(1)).toEqual([[2, 'two', ['calibration#one']]]);
  });
  test('go on to what is made of calibrated values', () => {
    const side = (name: string, of: string, id: string): NodeSpec => ({ ...node(name, { a: of }, counter), calibration: id });
    const diff = (name: string, a: string, b: string): NodeSpec => node(name, { a, b }, voltageRatio);
    const g = graph([
      side('u', 'a.x', 'one'),
      side('d', 'a.x', 'two'),
      diff('both', 'u.sum', 'd.sum'),
      diff('same', 'u.sum', 'u.sum'),
      diff('all', 'both.ratio', 'u.sum'),
    ]);
    const made = g(reading('a.x', 0, 1)).map((r) => [r.from, r.made?.calibration]);
    expect(Object.fromEntries(made)).toEqual({
      'u.sum': 'one',
      'd.sum': 'two',
      'both.ratio': 'one+two',
      'same.ratio': 'one',
      'all.ratio': 'one+two',
    });
  });
  test('of the rig where a step names none', () => {
    const g = graph([{ ...node('r', { a: 'a.x' }, counter), calibration: 'of-the-rig' }]);
    expect(g(reading('a.x', 0, 1)).map((r) => r.made?.calibration)).toEqual(['of-the-rig']);
    g.learn(learnt('one', 'a.x')); // it takes none
    expect(g(reading('a.x', 1, 1)).map((r) => r.made?.calibration)).toEqual(['of-the-rig']);
  });
});

describe('pairing', () => {
  test('last: the newest that is not later, within its time', () => {
    const g = graph([node('r', { a: 'a.x', b: 'b.x' })]);
    g(reading('b.x', 0, 2));
    expect(brief(g(reading('a.x', 0.5, 4)))).toEqual([['r.ratio', 0.5, 2]]);
    expect(brief(g(reading('a.x', 1, 6)))).toEqual([['r.ratio', 1, 3]]);
    expect(brief(g(reading('a.x', 1.000001, 6)))).toEqual([['r.ratio', 1.000001, 'no b.x within 1 s before']]);
    g(reading('b.x', 5, 4));
    expect(brief(g(reading('a.x', 4.5, 6)))).toEqual([['r.ratio', 4.5, 'no b.x within 1 s before']]); // never one from its future
    expect(brief(g(reading('a.x', 5, 8)))).toEqual([['r.ratio', 5, 2]]);
  });

  test('the first input alone triggers', () => {
    const g = graph([node('r', { a: 'a.x', b: 'b.x' })]);
    g(reading('a.x', 0, 1));
    expect(g(reading('b.x', 0.1, 2))).toEqual([]);
    expect(g(reading('c.x', 0.1, 2))).toEqual([]);
  });

  test('exact: the same time only, whichever comes first', () => {
    const g = graph([node('r', { a: 'a.x', b: input('b.x', 'exact') })]);
    expect(g(reading('a.x', 1, 4))).toEqual([]);
    expect(g(reading('b.x', 0.9, 99))).toEqual([]);
    expect(brief(g(reading('b.x', 1, 2)))).toEqual([['r.ratio', 1, 2]]);
    g(reading('b.x', 2, 5));
    expect(brief(g(reading('a.x', 2, 10)))).toEqual([['r.ratio', 2, 2]]);
  });

  test('exact: bad with its reason once the time for the other is over', () => {
    const g = graph([node('r', { a: 'a.x', b: input('b.x', 'exact', 0.5) })]);
    g(reading('a.x', 1, 4));
    expect(g(reading('b.x', 1.5, 2))).toEqual([]);
    expect(brief(g(reading('b.x', 1.6, 2)))).toEqual([['r.ratio', 1, 'no b.x of the same time']]);
  });

  test('held: what it was from before the exposure on; bad at once when it changed, and nothing is waited for', () => {
    const g = graph([node('h', { a: 'cam.x', filter: input('b.x', 'held', 5) }, frames)]);
    const shot = (begin: number, end: number, t = end): Reading => {
      const value = { columns: {}, shape: [0], begin: begin * S, end: end * S, settings: {} };
      return { from: 'cam.x', kind: 'trace', t: t * S, seq: 0, origin: 'hardware', quality: 'good', value } as Reading<'trace'>; // a trace
    };
    const state = (t: number, value: string): Reading => ({ ...reading('b.x', t, 0, { kind: 'state' }), value }) as Reading<'state'>; // a word
    expect(brief(g(shot(0, 1)))).toEqual([['h.filter', 1, 'b.x is not known: it had not been read within 5 s before the exposure began']]);
    g(state(1, 'none'));
    expect(brief(g(shot(1.5, 2)))).toEqual([['h.filter', 2, 'none']]);
    g(state(2.2, '10 %'));
    expect(brief(g(shot(2, 3)))).toEqual([['h.filter', 3, 'b.x changed during the exposure (none -> 10 %)']]);
    expect(brief(g(shot(1.5, 2, 4)))).toEqual([['h.filter', 4, 'b.x changed during the exposure (none -> 10 %)']]); // it may have been in it
    g(state(2.1, 'none')); // had been on its way
    expect(brief(g(shot(1.5, 2, 4)))).toEqual([['h.filter', 4, 'none']]);
    expect(brief(g(shot(2.5, 3)))).toEqual([['h.filter', 3, '10 %']]);
    expect(brief(g({ ...shot(4, 5), quality: 'bad', why: 'torn' } as Reading))).toEqual([['h.filter', 5, 'cam.x: torn']]);
  });

  test('held: its time is none to wait for another input', () => {
    const g = graph([node('r', { a: 'a.x', b: input('b.x', 'exact', 0.5), 'path.c': input('c.x', 'held', 60) })]);
    g(reading('c.x', 0, 1));
    g(reading('a.x', 1, 4));
    expect(brief(g(reading('b.x', 1.6, 2)))).toEqual([['r.ratio', 1, 'no b.x of the same time']]);
  });

  test('interpolate: between its neighbours, linear in time', () => {
    const g = graph([node('r', { a: 'a.x', b: input('b.x', 'interpolate') })]);
    g(reading('b.x', 1, 1));
    expect(g(reading('a.x', 1.25, 3))).toEqual([]);
    expect(brief(g(reading('b.x', 2, 3)))).toEqual([['r.ratio', 1.25, 2]]);
    expect(brief(g(reading('a.x', 2, 6)))).toEqual([['r.ratio', 2, 2]]); // at a neighbour's own time nothing is awaited
  });

  test('interpolate: not beyond the ends, not over a gap longer than within', () => {
    const g = graph([node('r', { a: 'a.x', b: input('b.x', 'interpolate', 0.5) })]);
    g(reading('a.x', 0, 1));
    expect(brief(g(reading('b.x', 0.6, 1)))).toEqual([['r.ratio', 0, 'no b.x within 0.5 s on both sides']]);
    g(reading('a.x', 1, 1));
    expect(brief(g(reading('b.x', 1.55, 1)))).toEqual([['r.ratio', 1, 'no b.x within 0.5 s on both sides']]);
  });

  test('interpolate: uncertainty of a mean with the same weights; none where none is known', () => {
    const g = graph([node('d', { a: 'a.x', b: input('b.x', 'interpolate') })]);
    g(reading('b.x', 1, 1, { sigma: { random: 0.4, shared: { lamp: 0.2 } } }));
    g(reading('a.x', 1.25, 1));
    const [r] = g(reading('b.x', 2, 1, { sigma: { random: 0.8, shared: { lamp: -0.2, scale: 0.4 } } }));
    // b = 1 at 3/4 and 1/4: random hypot(0.3, 0.2), lamp 0.15 - 0.05, scale 0.1; the ratio's slope is -1.
    const sigma = r && r.quality !== 'bad' ? r.sigma : undefined;
    expect(sigma?.random).toBeCloseTo(Math.hypot(0.3, 0.2), 12);
    expect(sigma?.shared?.lamp).toBeCloseTo(-0.1, 12);
    expect(sigma?.shared?.scale).toBeCloseTo(-0.1, 12);
    const h = graph([node('d', { a: 'a.x', b: input('b.x', 'interpolate') })]);
    h(reading('b.x', 1, 1));
    h(reading('a.x', 1.25, 1));
    const [plain] = h(reading('b.x', 2, 1));
    expect(plain && 'sigma' in plain ? plain.sigma : undefined).toBe(undefined);
  });

  test('out of order and doubled: time decides, of two at one time the later comer', () => {
    const g = graph([node('r', { a: 'a.x', b: 'b.x' })]);
    g(reading('b.x', 2, 20));
    g(reading('b.x', 1, 10));
    expect(brief(g(reading('a.x', 2.5, 40)))).toEqual([['r.ratio', 2.5, 2]]);
    expect(brief(g(reading('a.x', 1.5, 40)))).toEqual([['r.ratio', 1.5, 4]]);
    g(reading('b.x', 2, 40));
    expect(brief(g(reading('a.x', 2.5, 40)))).toEqual([['r.ratio', 2.5, 1]]);
  });

  test('any order of coming gives the same interpolation', () => {
    fc.assert(
      fc.property(
        fc
          .uniqueArray(fc.integer({ min: 0, max: 40 }), { minLength: 3, maxLength: 12 })
          .chain((ts) => fc.shuffledSubarray(ts, { minLength: ts.length })),
        (ts) => {
          const g = graph([node('r', { a: 'a.x', b: input('b.x', 'interpolate', 100) })]);
          for (const t of ts) g(reading('b.x', t, 10 + 2 * t)); // on a line: any right neighbours give the same value
          const sorted = [...ts].sort((x, y) => x - y);
          const t = (sorted[0] + sorted[1]) / 2;
          const [r] = g(reading('a.x', t, 10 + 2 * t));
          expect(r?.quality).toBe('good');
          expect(r && r.quality !== 'bad' ? r.value : 0).toBeCloseTo(1, 12);
        },
      ),
    );
  });

  test('triggers are decided in their order, and a state goes from one to the next', () => {
    const g = graph([node('s', { a: 'a.x', b: input('b.x', 'exact', 1) }, { ...counter, inputs: { a: 'V', b: 'V' } })]);
    g(reading('a.x', 1, 1));
    g(reading('a.x', 1.1, 2));
    g(reading('b.x', 1.1, 0));
    expect(brief(g(reading('b.x', 1, 0)))).toEqual([
      ['s.sum', 1, 1],
      ['s.sum', 1.1, 3],
    ]);
  });

  test('what waits is bounded by `within`, not by time', () => {
    const g = graph([node('r', { a: 'a.x', b: input('b.x', 'exact', 0.5) })]);
    let out = 0;
    for (let i = 0; i < 5000; i++) out += g(reading('a.x', i / 10, 1)).length;
    expect(out).toBeGreaterThan(4990);
  });
});

describe('graphs', () => {
  test('a diamond gives no mixture: both sides come of the same reading', () => {
    const double: AnyDerivation = {
      ...counter,
      step: (s: unknown, { a }: { a: Reading<'V'> }) => [s, { sum: a.quality === 'bad' ? 0 : 2 * a.value }],
    };
    const same: AnyDerivation = {
      ...counter,
      step: (s: unknown, { a }: { a: Reading<'V'> }) => [s, { sum: a.quality === 'bad' ? 0 : a.value }],
    };
    for (const names of [
      ['d', 's', 'r'],
      ['r', 's', 'd'],
      ['s', 'r', 'd'],
    ]) {
      const specs: Record<string, NodeSpec> = {
        d: node('d', { a: 'a.x' }, double),
        s: node('s', { a: 'a.x' }, same),
        r: node('r', { a: 'd.sum', b: input('s.sum', 'last', 1e3) }),
      };
      const g = graph(names.map((n) => specs[n]));
      const ratios = [1, 3, 2, 7, 5].flatMap((v, i) => g(reading('a.x', i, v)).filter((r) => r.from === 'r.ratio'));
      expect(ratios.map((r) => (r.quality === 'bad' ? r.why : r.value))).toEqual([2, 2, 2, 2, 2]);
    }
  });

  test('a diamond with exact pairs', () => {
    const g = graph([
      node('p', { a: 'a.x' }, counter),
      node('q', { a: 'a.x' }, counter),
      node('r', { a: 'p.sum', b: input('q.sum', 'exact') }),
    ]);
    for (let i = 0; i < 5; i++) expect(brief(g(reading('a.x', i, 1))).at(-1)).toEqual(['r.ratio', i, 1]);
  });

  test('a chain: each after the one it takes from, whatever the order of writing', () => {
    const g = graph([node('c', { a: 'b.sum' }, counter), node('b', { a: 'a.x' }, counter)]);
    expect(brief(g(reading('a.x', 0, 1)))).toEqual([
      ['b.sum', 0, 1],
      ['c.sum', 0, 1],
    ]);
    expect(brief(g(reading('a.x', 1, 1)))).toEqual([
      ['b.sum', 1, 2],
      ['c.sum', 1, 3],
    ]);
  });

  test('one element of a list, and a list against a list: the elements of one index', () => {
    const g = graph([node('one', { a: 'a.x[1]', b: 'b.x' }), node('all', { a: 'a.x', b: 'c.x' })]);
    g(reading('b.x', 0, 2));
    for (const i of [0, 1, 2]) g(reading('c.x', 0, 10 ** i, { index: i }));
    const out = [0, 1, 2].flatMap((i) => g(reading('a.x', 0.5, 4 * 10 ** i, { index: i })));
    expect(out.map((r) => [r.from, r.index, r.quality === 'bad' ? r.why : r.value])).toEqual(
      [
        ['all.ratio', 0, 4],
        ['one.ratio', undefined, 20],
        ['all.ratio', 1, 4],
        ['all.ratio', 2, 4],
      ].sort((x, y) => Number(x[1] ?? 0.9) - Number(y[1] ?? 0.9)),
    );
  });

  test('a method that gives a list gives one reading per index', () => {
    const list: AnyDerivation = { ...counter, step: (s: unknown) => [s, { sum: [1, { quality: 'bad', why: 'no' }, 3] }] };
    const g = graph([node('l', { a: 'a.x' }, list)]);
    g(reading('a.x', 0, 1));
    expect(g(reading('a.x', 1, 1)).map((r) => [r.index, r.seq, r.quality])).toEqual([
      [0, 1, 'good'],
      [1, 1, 'bad'],
      [2, 1, 'good'],
    ]);
  });
});

describe('quality and origin', () => {
  test('as bad as the worst input, with its name', () => {
    const g = graph([node('r', { a: 'a.x', b: 'b.x' })]);
    g(reading('b.x', 0, 2, { suspect: 'over range' }));
    expect(g(reading('a.x', 0.1, 4))[0]).toMatchObject({ quality: 'suspect', why: 'b.x: over range', value: 2 });
    g(reading('b.x', 0.2, 2, { bad: 'no answer' }));
    expect(g(reading('a.x', 0.3, 4, { suspect: 'loud' }))[0]).toMatchObject({ quality: 'bad', why: 'b.x: no answer' });
    expect(g(reading('a.x', 0.4, 4, { bad: 'unplugged' }))[0]).toMatchObject({ quality: 'bad' });
  });

  test('an interpolation is as bad as the worse neighbour', () => {
    const g = graph([node('r', { a: 'a.x', b: input('b.x', 'interpolate') })]);
    g(reading('b.x', 1, 2));
    g(reading('a.x', 1.5, 4));
    expect(g(reading('b.x', 2, 2, { suspect: 'loud' }))[0]).toMatchObject({ quality: 'suspect', why: 'b.x: loud' });
    g(reading('a.x', 2.5, 4));
    expect(g(reading('b.x', 3, 2, { bad: 'no answer' }))[0]).toMatchObject({ quality: 'bad', why: 'b.x: no answer' });
  });

  test('no number, and a method that throws, are bad readings', () => {
    const nan: AnyDerivation = { ...counter, step: (s: unknown) => [s, { sum: Number.NaN }] };
    const thrower: AnyDerivation = {
      ...counter,
      step: () => {
        throw new Error('division of what?');
      },
    };
    const g = graph([node('n', { a: 'a.x' }, nan), node('t', { a: 'a.x' }, thrower)]);
    expect(brief(g(reading('a.x', 0, 1)))).toEqual([
      ['n.sum', 0, 'not a number'],
      ['t.sum', 0, 'fault in the method counter: division of what?'],
    ]);
  });

  test('what has anything simulated in it is simulated', () => {
    for (const pair of ['last', 'interpolate'] as const) {
      const g = graph([node('r', { a: 'a.x', b: input('b.x', pair) })]);
      g(reading('b.x', 0, 2, { origin: 'simulator' }));
      const out = [...g(reading('a.x', 0.5, 4)), ...g(reading('b.x', 1, 2, { origin: 'hardware' }))];
      expect(out.map((r) => r.origin)).toEqual(['simulator']);
    }
  });

  test('each value says what it was made of', () => {
    seqs.clear();
    const g = graph([{ ...node('r', { a: 'a.x', b: input('b.x[2]', 'interpolate') }), calibration: 'c' }]);
    g(reading('b.x', 0, 2, { index: 2 }));
    g(reading('a.x', 0.5, 4));
    const [r] = g(reading('b.x', 1, 2, { index: 2 }));
    expect(r?.made).toEqual({ method: 'voltage-ratio', parameters: 'p', calibration: 'c', inputs: ['a.x#0', 'b.x[2]#0', 'b.x[2]#1'] });
    expect(g(reading('a.x', 1, 4))[0]?.seq).toBe(1);
  });
});

describe('arithmetic', () => {
  const one = (derivation: AnyDerivation, kind: Kind, a: number, b: number, sa?: Sigma, sb?: Sigma): Reading => {
    const g = graph([node('r', { a: 'a.x', b: 'b.x' }, derivation)]);
    g(reading('b.x', 0, b, { kind, sigma: sb }));
    const [r] = g(reading('a.x', 0, a, { kind, sigma: sa }));
    if (!r) throw new Error('a trigger gives a reading');
    return r;
  };

  test('ratios and differences, with their units', () => {
    expect(one(voltageRatio, 'V', 3, 2)).toMatchObject({ from: 'r.ratio', kind: '1', value: 1.5 });
    expect(one(powerRatio, 'W', 1, -4)).toMatchObject({ kind: '1', value: -0.25 });
    expect(one(temperatureDifference, 'K', 300, 305)).toMatchObject({ from: 'r.difference', kind: 'K', value: -5 });
    expect(one(pressureDifference, 'Pa', 3e5, 1e5)).toMatchObject({ kind: 'Pa', value: 2e5 });
    expect(one(voltageRatio, 'V', 3, 0)).toMatchObject({ quality: 'bad', why: 'b.x is zero' });
  });

  test('random parts add in square, shared parts of one cause add linearly', () => {
    const r = one(voltageRatio, 'V', 6, 2, { random: 0.3, shared: { gain: 0.06 } }, { random: 0.1, shared: { gain: 0.02, zero: 0.1 } });
    const sigma = r.quality === 'bad' ? undefined : r.sigma;
    // d(a/b) = da/2 - 6/4 db
    expect(sigma?.random).toBeCloseTo(Math.hypot(0.15, 0.15), 12);
    expect(sigma?.shared?.gain).toBeCloseTo(0.03 - 0.03, 12); // a common gain falls out of a ratio
    expect(sigma?.shared?.zero).toBeCloseTo(-0.15, 12);
    const d = one(temperatureDifference, 'K', 300, 290, { random: 3, shared: { lamp: 2 } }, { random: 4, shared: { lamp: 2 } });
    expect(d.quality === 'bad' ? 0 : total(d.sigma)).toBeCloseTo(5, 12);
  });

  test('unknown uncertainty is not zero', () => {
    const r = one(voltageRatio, 'V', 6, 2);
    expect('sigma' in r ? r.sigma : undefined).toBe(undefined);
  });
});
