import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Condition, type Leaf, type Level, type Watched, type WatchOptions, watched } from '../src/condition.ts';
import { slopeOver } from '../src/condition-slope.ts';
import type { Reading } from '../src/reading.ts';

const START = 1_767_225_600_000_000;
const plain = { kind: 'K', hysteresis: 0, hold: 0, stale: 2, suspect: false } as const;
const below = (limit: number, more: Partial<Leaf> = {}): Leaf => ({
  ...plain,
  of: 'laser.temperature',
  test: { is: 'below', limit },
  ...more,
});
const door = (more: Partial<Leaf> = {}): Leaf => ({
  ...plain,
  of: 'guard.door',
  kind: 'state',
  test: { is: 'one-of', words: ['closed'] },
  ...more,
});

interface Given {
  readonly of?: string;
  readonly index?: number;
  readonly value?: unknown;
  readonly kind?: string;
  readonly quality?: 'good' | 'suspect' | 'bad';
  readonly why?: string;
  /** Seconds by which its own time is before its arrival. */
  readonly age?: number;
}

/** A condition with its readings at seconds from the start. */
function bench(condition: Condition, options?: WatchOptions) {
  const w: Watched = watched(condition, options);
  let seq = 0;
  const give = (now: number, value: unknown, more: Given = {}): Level => {
    const { of = 'laser.temperature', age = 0, quality = 'good', kind = 'K', index, why } = more;
    const reading = {
      from: of,
      kind,
      t: START + Math.round((now - age) * 1e6),
      seq: seq++,
      origin: 'simulator',
      quality,
      ...(index === undefined ? {} : { index }),
      ...(why === undefined ? {} : { why }),
      ...(quality === 'bad' ? {} : { value }),
    } as Reading; // of whatever shape the test wants
    w.see(reading, now, START + now * 1e6);
    return w.level(now);
  };
  return { w, give, at: (now: number) => w.level(now) };
}

describe('one leaf', () => {
  test('is unknown until there is a reading', () => {
    const { w, give, at } = bench(below(313.15));
    expect(at(0)).toEqual({ is: 'unknown', why: 'laser.temperature: no reading yet', of: ['laser.temperature'] });
    expect(w.next(0)).toBe(Number.POSITIVE_INFINITY);
    expect(give(1, 300)).toEqual({ is: 'holds' });
  });

  test('is broken by one reading, with the value in the unit of its limit', () => {
    const { give } = bench(below(313.15));
    give(0, 300);
    expect(give(1, 314.35)).toEqual({ is: 'broken', why: 'laser.temperature is 41.2 °C, not below 40.0 °C', of: ['laser.temperature'] });
    expect(give(1.5, 313.15).why).toBe('laser.temperature is 40.0 °C, not below 40.0 °C');
    expect(give(1.6, 313.154).why).toBe('laser.temperature is 40.004 °C, not below 40.000 °C');
  });

  test.each([
    [{ kind: 'Pa', test: { is: 'above', limit: 2e6 } }, 1.9e6, 'is 19.0 bar, not above 20.0 bar'],
    [{ kind: 'K', test: { is: 'between', lo: 300, hi: 400 } }, 410, 'is 410 K, not between 300 and 400 K'],
    [{ kind: '1', test: { is: 'below', limit: 0.3 } }, 0.42, 'is 42.0 %, not below 30.0 %'],
    [{ kind: 'V', test: { is: 'below', limit: 2000 } }, 2001, 'is 2.001 kV, not below 2.000 kV'],
    [{ kind: 'flag', test: { is: 'one-of', words: [false] } }, true, 'is on, not off'],
    [{ kind: 'state', test: { is: 'one-of', words: ['closed', 'locked'] } }, 'open', 'is open, not closed or locked'],
  ] as const)('%j says of %s that it %s', (more, value, words) => {
    const leaf = below(0, more as Partial<Leaf>);
    expect(bench(leaf).give(0, value, { kind: leaf.kind }).why).toBe(`laser.temperature ${words}`);
  });

  test('is unknown without good readings', () => {
    const { w, give, at } = bench(below(313.15));
    give(0, 300);
    expect(w.next(0)).toBe(2);
    expect(at(1.999).is).toBe('holds');
    expect(at(2.1)).toEqual({ is: 'unknown', why: 'laser.temperature: no reading for 2.1 s', of: ['laser.temperature'] });
    expect(give(3, 0, { quality: 'bad', why: 'no answer' }).why).toBe('laser.temperature: bad: no answer');
    expect(give(3.1, 300, { quality: 'suspect', why: 'saturated' }).why).toBe('laser.temperature: suspect: saturated');
    expect(give(3.2, 300, { kind: 'Pa' }).why).toBe('laser.temperature: given in Pa, not in K as when the rig was checked');
    for (const value of [Number.NaN, Number.NEGATIVE_INFINITY, true, '300', null, undefined]) expect(give(3.3, value).is).toBe('unknown');
    expect(give(3.4, 300).is).toBe('holds');
  });

  test('takes a suspect reading where that is allowed', () => {
    expect(bench(below(313.15, { suspect: true })).give(0, 300, { quality: 'suspect' }).is).toBe('holds');
  });

  test('counts the age of a reading from its own time', () => {
    const { w, give, at } = bench(below(313.15));
    expect(give(10, 300, { age: 1.5 }).is).toBe('holds');
    expect(w.next(10)).toBeCloseTo(10.5, 9);
    expect(at(10.5).is).toBe('unknown');
    expect(give(11, 300, { age: 2.5 }).is).toBe('unknown');
  });

  test('gives a time from the future no longer life, and it shuts out nothing', () => {
    const { give, at } = bench(below(313.15));
    give(10, 300, { age: -3600 });
    expect(at(12).is).toBe('unknown');
    expect(give(12.5, 350).is).toBe('broken');
  });

  test('ignores readings that are out of order or there twice', () => {
    const { give, w } = bench(below(313.15), { confirm: true });
    give(1, 350);
    expect(give(1.2, 300, { age: 0.5 }).is).toBe('broken');
    const again = {
      from: 'laser.temperature',
      kind: 'K',
      t: START + 1_400_000,
      seq: 9,
      origin: 'simulator',
      quality: 'good',
      value: 300,
    } as const;
    for (let i = 0; i < 3; i++) w.see(again, 1.4, START + 1_400_000);
    expect(w.level(1.4).is).toBe('broken');
    expect(give(1.5, 300, { age: -0.0 }).is).toBe('holds');
  });

  test('says so when only readings with earlier times come', () => {
    const { give, at } = bench(below(313.15));
    give(10, 300);
    give(11, 300, { age: 5 });
    expect(at(13).why).toBe('laser.temperature: no reading for 3 s; readings with earlier times are not looked at');
  });

  test('never holds on a limit that is no number', () => {
    for (const is of ['above', 'below'] as const)
      expect(bench(below(0, { test: { is, limit: Number.NaN } })).give(0, 300).is).toBe('broken');
    expect(bench(below(0, { test: { is: 'between', lo: 0, hi: Number.NaN } })).give(0, 300).is).toBe('broken');
    expect(bench(below(400, { stale: Number.NaN })).give(0, 300).is).toBe('unknown');
    expect(bench(below(400, { hold: Number.NaN })).give(0, 300).is).toBe('unknown');
    expect(bench(below(400, { stuck: Number.NaN })).give(0, 300).is).toBe('unknown');
  });

  test('takes a value that never changes for stuck', () => {
    const { w, give, at } = bench(below(400, { stale: 5, stuck: 10 }));
    give(0, 300);
    give(4, 300);
    give(8, 300);
    expect(w.next(8)).toBe(10);
    expect(at(9.9).is).toBe('holds');
    expect(at(10)).toMatchObject({ is: 'unknown', why: 'laser.temperature has not changed for 10 s: taken for stuck' });
    expect(give(11, 300).is).toBe('unknown');
    expect(give(12, 300.01).is).toBe('holds');
  });

  test('counts bad and suspect readings in between to the time for which it has not changed', () => {
    const { give } = bench(below(400, { stale: 5, stuck: 10 }));
    give(0, 300, { quality: 'suspect' });
    give(4, 300);
    give(8, 0, { quality: 'bad', why: 'no answer' });
    expect(give(9, 300).is).toBe('holds');
    expect(give(10, 300).is).toBe('unknown');
  });
});

describe('coming back', () => {
  test('hysteresis acts once it has been broken, and not at the start', () => {
    const { give } = bench(below(313.15, { hysteresis: 2 }));
    expect(give(0, 312).is).toBe('holds');
    expect(give(1, 314).is).toBe('broken');
    expect(give(2, 312.65)).toMatchObject({ is: 'broken', why: 'laser.temperature is 39.5 °C, not yet below 38.0 °C again' });
    expect(give(3, 311.15).is).toBe('broken');
    expect(give(3.5, 311).is).toBe('holds');
    expect(give(4, 313).is).toBe('holds');
  });

  test('hysteresis acts after it was unknown', () => {
    const { give, at } = bench(below(313.15, { hysteresis: 2 }));
    give(0, 312);
    expect(at(5).is).toBe('unknown');
    expect(give(6, 312).is).toBe('broken');
    expect(give(7, 311).is).toBe('holds');
  });

  test.each([
    ['above', { is: 'above', limit: 10 }, [11, 9, 11, 12.5], ['holds', 'broken', 'broken', 'holds']],
    [
      'between',
      { is: 'between', lo: 0, hi: 10 },
      [9, 11, 9, 7.9, -1, 1, 2],
      ['holds', 'broken', 'broken', 'holds', 'broken', 'broken', 'holds'],
    ],
  ] as const)('hysteresis of %s', (_, what, values, levels) => {
    const { give } = bench(below(0, { test: what, hysteresis: 2 }));
    expect(values.map((value, i) => give(i, value).is)).toEqual(levels);
  });

  test('hold counts from the first passing reading, by time alone, and at the start too', () => {
    const { w, give, at } = bench(below(313.15, { hold: 3, stale: 10 }));
    expect(give(0, 300).is).toBe('unknown');
    expect(w.next(0)).toBe(3);
    expect(at(1).why).toBe('laser.temperature is 26.9 °C: in order for 1 s of 3 s');
    expect(at(3).is).toBe('holds');
    expect(give(4, 320).is).toBe('broken');
    give(5, 300);
    expect(give(6, 320).is).toBe('broken');
    give(7, 300);
    expect(at(9.9).is).toBe('broken');
    expect(at(10).is).toBe('holds');
  });

  test('hold begins anew after a silence', () => {
    const { give, at } = bench(below(313.15, { hold: 3, stale: 2 }));
    give(0, 300);
    give(1.5, 300);
    expect(at(3.5).is).toBe('unknown');
    expect(give(4, 300).is).toBe('unknown');
    give(5.5, 300);
    expect(at(6.9).is).toBe('unknown');
    expect(at(7).is).toBe('holds');
  });

  test('with confirm the second passing reading in a row is wanted', () => {
    const { w, give } = bench(door(), { confirm: true });
    const of = { of: 'guard.door', kind: 'state' };
    expect(give(0, 'closed', of)).toMatchObject({ is: 'unknown', why: 'guard.door is closed: to be read a second time' });
    expect(w.wanted).toEqual(['guard.door']);
    expect(give(0.1, 'closed', of).is).toBe('holds');
    expect(w.wanted).toEqual([]);
    expect(give(0.2, 'open', of)).toMatchObject({ is: 'broken', why: 'guard.door is open, not closed' });
    expect(w.wanted).toEqual([]);
    expect(give(0.3, 'closed', of).is).toBe('broken');
    expect(give(0.4, 'clos', of).is).toBe('broken');
    give(0.5, 'closed', of);
    expect(give(0.6, '', { ...of, quality: 'bad', why: 'garbled' }).is).toBe('unknown');
    expect(give(0.7, 'closed', of).is).toBe('unknown');
    expect(give(3, 'closed', of).is).toBe('unknown'); // too late after the one before: a first one again
    expect(give(3.1, 'closed', of).is).toBe('holds');
  });

  test('where a condition is the trouble, hysteresis acts on leaving it', () => {
    const { give } = bench(below(0, { test: { is: 'above', limit: 308 }, hysteresis: 1 }), { lingers: true });
    expect([307.5, 308.5, 307.5, 306.9, 307.5, 308.1].map((value, i) => give(i, value).is)).toEqual([
      'broken',
      'holds',
      'holds',
      'broken',
      'broken',
      'holds',
    ]);
  });
});

describe('a list', () => {
  const voltage = (more: Partial<Leaf> = {}): Leaf => below(10, { of: 'hv.voltage', kind: 'V', ...more });
  const of = (index?: number): Given => ({ of: 'hv.voltage', kind: 'V', ...(index === undefined ? {} : { index }) });

  test('passes where every index seen so far does', () => {
    const { give } = bench(voltage());
    give(0, 1, of(0));
    expect(give(0, 2, of(1)).is).toBe('holds');
    expect(give(1, 12, of(1))).toEqual({ is: 'broken', why: 'hv.voltage[1] is 12.0 V, not below 10.0 V', of: ['hv.voltage'] });
    expect(give(1.1, 1, of(0)).is).toBe('broken');
    expect(give(1.2, 1, of(1)).is).toBe('holds');
  });

  test('is stale where one index alone goes silent', () => {
    const { w, give, at } = bench(voltage());
    give(0, 1, of(0));
    give(0, 1, of(1));
    give(1.5, 1, of(0));
    expect(w.next(1.5)).toBe(2);
    expect(at(2).why).toBe('hv.voltage[1]: no reading for 2 s');
  });

  test('one index looks at itself, and at what speaks of the whole channel', () => {
    const { give } = bench(voltage({ index: 1 }));
    expect(give(0, 12, of(0)).why).toBe('hv.voltage[1]: no reading yet');
    expect(give(0, 1, of(1)).is).toBe('holds');
    expect(give(0.1, 1, of()).is).toBe('holds');
    expect(give(0.2, 0, { ...of(), quality: 'bad', why: 'no answer' }).is).toBe('unknown');
  });

  test('that failed before its length was known is not missed as a channel of its own', () => {
    const { give } = bench(voltage());
    expect(give(0, 0, { ...of(), quality: 'bad', why: 'no answer' }).why).toBe('hv.voltage: bad: no answer');
    give(1, 1, of(0));
    expect(give(1, 1, of(1)).is).toBe('holds');
    expect(give(2, 0, { ...of(), quality: 'bad', why: 'no answer' }).why).toBe(
      'hv.voltage[0]: bad: no answer; hv.voltage[1]: bad: no answer',
    );
  });
});

describe('a slope', () => {
  const rate = below(5 / 60, { slope: 10, stale: 5 });
  test('is unknown until half of its time is covered, then tested per second', () => {
    const { give } = bench(rate);
    expect(give(0, 300).why).toBe('laser.temperature: for its slope readings over 5 s are wanted, and there are 0 s');
    expect(give(2, 300.1).is).toBe('unknown');
    expect(give(5, 300.25).is).toBe('holds');
    for (let t = 6; t <= 20; t++) give(t, 300.25 + (t - 5) * 0.2);
    expect(give(21, 300.25 + 16 * 0.2)).toMatchObject({
      is: 'broken',
      why: 'laser.temperature changes by 12.0 K/min, not below 5.0 K/min',
    });
  });

  test('is the line of least squares over its readings', () => {
    const slope = slopeOver(4);
    // t = 0, 1, 3, 4 and v = 1, 3, 2, 5: means 2 and 2.75; sums of products 5.5 + ... = 7, of squares 10.
    for (const [t, v] of [
      [-10, 99],
      [0, 1],
      [1, 3],
      [3, 2],
      [4, 5],
    ] as const)
      slope.add(t, v);
    expect(slope.value).toBeCloseTo(0.7, 12);
    expect(slope.covered).toBe(4);
  });

  test('of many readings is that of all of them, with bounded memory', () => {
    const slope = slopeOver(1);
    for (let i = 0; i <= 50_000; i++) slope.add(1e5 + i / 25_000, 3 * (i / 25_000) + (i % 2));
    expect(slope.value).toBeCloseTo(3, 3);
  });
});

describe('joined', () => {
  const leaf = (of: string): Leaf => below(10, { of });
  const level = (condition: (a: Leaf, b: Leaf) => Condition, a: number | undefined, b: number | undefined): string => {
    const { give, at } = bench(condition(leaf('x.a'), leaf('x.b')));
    if (a !== undefined) give(0, a, { of: 'x.a' });
    if (b !== undefined) give(0, b, { of: 'x.b' });
    return at(0).is;
  };
  // Kleene's tables of strong three-valued logic: 1 passes, 20 does not, undefined is not known.
  test.each([
    [1, 1, 'holds', 'holds'],
    [1, 20, 'broken', 'holds'],
    [20, 20, 'broken', 'broken'],
    [1, undefined, 'unknown', 'holds'],
    [20, undefined, 'broken', 'unknown'],
    [undefined, 20, 'broken', 'unknown'],
    [undefined, undefined, 'unknown', 'unknown'],
  ] as const)('%s and %s: all of them %s, any of them %s', (a, b, all, any) => {
    expect(level((x, y) => ({ all: [x, y] }), a, b)).toBe(all);
    expect(level((x, y) => ({ any: [x, y] }), a, b)).toBe(any);
  });

  test('nothing at all never holds', () => {
    for (const nothing of [{ all: [] }, { any: [] }, { all: [{ all: [] }] }]) expect(watched(nothing).level(0).is).toBe('unknown');
  });

  test('says what broke it, not what is merely unknown beside it', () => {
    const { give, at } = bench({ all: [leaf('x.a'), { any: [leaf('x.b'), leaf('x.c')] }, leaf('x.d')] });
    give(0, 20, { of: 'x.b' });
    give(0, 20, { of: 'x.c' });
    give(0, 1, { of: 'x.d' });
    expect(at(0)).toEqual({ is: 'broken', why: 'x.b is 20.0 K, not below 10.0 K; x.c is 20.0 K, not below 10.0 K', of: ['x.b', 'x.c'] });
  });
});

describe('whatever comes', () => {
  const channels = ['x.a', 'x.b'] as const;
  const leafOf: fc.Arbitrary<Leaf> = fc.record({
    of: fc.constantFrom(...channels),
    kind: fc.constant('K' as const),
    test: fc.constantFrom<Leaf['test']>({ is: 'below', limit: 5 }, { is: 'above', limit: 3 }, { is: 'between', lo: 2, hi: 6 }),
    hysteresis: fc.constantFrom(0, 1),
    hold: fc.constantFrom(0, 0.7, 2),
    stale: fc.constantFrom(0.5, 1.3, 4),
    suspect: fc.boolean(),
  });
  const stuck = fc
    .tuple(leafOf, fc.constantFrom(undefined, 1.1, 3))
    .map(([leaf, s]): Leaf => (s === undefined ? leaf : { ...leaf, stuck: s }));
  const condition = fc.letrec<{ one: Condition }>((tie) => ({
    one: fc.oneof(
      { depthSize: 'small' },
      stuck,
      fc.array(tie('one'), { minLength: 1, maxLength: 3 }).map((all) => ({ all })),
      fc.array(tie('one'), { minLength: 1, maxLength: 3 }).map((any) => ({ any })),
    ),
  })).one;
  const event = fc.record({
    wait: fc.constantFrom(0, 0.1, 0.1, 0.25, 0.9, 3),
    of: fc.constantFrom(...channels),
    index: fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constantFrom(0, 1) }),
    value: fc.constantFrom(1, 2.5, 4, 4, 4.2, 4.5, 5.5, 7, Number.NaN),
    quality: fc.constantFrom<NonNullable<Given['quality']>>('good', 'good', 'good', 'good', 'suspect', 'bad'),
    age: fc.constantFrom(0, 0, 0, 0.05, 0.6, 2, -5),
  });

  interface Seen {
    readonly t: number;
    readonly at: number;
    readonly value: number;
    readonly quality: string;
    readonly same: number;
    readonly given: boolean;
  }
  /** By hand: is the latest reading of every index there, fresh, good and within? */
  const sound = (leaf: Leaf, seen: ReadonlyMap<string, ReadonlyMap<number | undefined, Seen>>, now: number): boolean => {
    const cells = [...(seen.get(leaf.of)?.values() ?? [])];
    const within = (v: number): boolean =>
      leaf.test.is === 'below' ? v < leaf.test.limit : leaf.test.is === 'above' ? v > leaf.test.limit : v >= 2 && v <= 6;
    return (
      cells.length > 0 &&
      cells.every(
        (c) =>
          now - c.at < leaf.stale &&
          (c.quality === 'good' || (leaf.suspect && c.quality === 'suspect')) &&
          within(c.value) &&
          (leaf.stuck === undefined || now - c.same < leaf.stuck + 1e-9),
      )
    );
  };
  const truth = (c: Condition, of: (leaf: Leaf) => boolean): boolean =>
    'of' in c ? of(c) : 'all' in c ? c.all.every((one) => truth(one, of)) : c.any.some((one) => truth(one, of));

  test('it holds only on fresh good readings within, and changes by itself only when it said it may', () => {
    let held = 0;
    let changed = 0;
    fc.assert(
      fc.property(condition, fc.array(event, { minLength: 5, maxLength: 40 }), fc.boolean(), (when, events, confirm) => {
        const { w, give, at } = bench(when, { confirm });
        const seen = new Map<string, Map<number | undefined, Seen>>();
        const holds = (now: number): void => {
          if (at(now).is !== 'holds') return;
          held++;
          expect(truth(when, (leaf) => sound(leaf, seen, now))).toBe(true);
        };
        let now = 0;
        for (const e of events) {
          // Silence: the level must stay as it is until next().
          const until = now + e.wait;
          let level = at(now).is;
          for (let next = w.next(now); next <= until; next = w.next(next)) {
            expect(next).toBeGreaterThan(now);
            for (const part of [0.3, 0.999]) if (now + (next - now) * part < next) expect(at(now + (next - now) * part).is).toBe(level);
            now = next;
            if (at(now).is !== level) changed++;
            level = at(now).is;
            holds(now);
          }
          expect(at(until).is).toBe(level);
          now = until;
          const { of, index, value, quality, age } = e;
          give(now, value, { of, quality, age, why: 'why', ...(index === undefined ? {} : { index }) });
          const cells = seen.get(of) ?? new Map<number | undefined, Seen>();
          seen.set(of, cells);
          const t = Math.min(START + Math.round((now - age) * 1e6), START + now * 1e6);
          const targets = index === undefined && quality === 'bad' && cells.size > 0 ? [...cells.keys()] : [index];
          const alone = cells.get(undefined);
          if (index !== undefined && alone?.given === false) cells.delete(undefined);
          for (const target of targets) {
            const last = cells.get(target);
            if (last && last.t > t) continue;
            const got = quality === 'bad' ? Number.NaN : value;
            const same = last && last.value === got ? last.same : now - Math.max(0, age);
            cells.set(target, {
              t,
              at: now - Math.max(0, age),
              value: got,
              quality,
              same,
              given: last?.given === true || quality !== 'bad',
            });
          }
          holds(now);
        }
      }),
      { numRuns: 500 },
    );
    expect(held).toBeGreaterThan(100);
    expect(changed).toBeGreaterThan(100);
  });
});
