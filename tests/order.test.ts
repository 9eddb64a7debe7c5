/** Every order ends in exactly one outcome, with its reason, and nothing is carried out that is no longer wanted. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { OrderEntry } from '../src/entry.ts';
import type { SimulatedLink } from '../src/links/simulated.ts';
import { type Laboratory, laboratory } from './laboratory.ts';
import { type ToyState, toyRig, toys } from './toys.ts';

interface Bench extends Laboratory {
  readonly toy: ToyState;
  readonly ends: OrderEntry[];
  give(command: string, written?: string | number | boolean, more?: { readonly index?: number; readonly deadline?: number }): void;
  plug(inserted: boolean): void;
  texts(): string[];
}

function bench(more: Parameters<typeof toyRig>[1] = {}): Bench {
  let link: SimulatedLink | undefined;
  const lab = laboratory(toyRig(['toy'], more), toys, {
    wrap(l) {
      link = l as SimulatedLink; // the laboratory's links are simulated ones
      return l;
    },
  });
  lab.clock.advance(1);
  const toy = lab.simulated.device('toy')?.state as ToyState; // the toy's own state
  const ends: OrderEntry[] = [];
  return {
    ...lab,
    toy,
    ends,
    give: (command, written, rest = {}) =>
      lab.host.order({ by: 'test', instrument: 'toy', command, ...(written === undefined ? {} : { written }), ...rest }, (order) =>
        ends.push(order),
      ),
    plug: (inserted) => link?.plug(inserted),
    texts: () => toy.heard.map((h) => h.text),
  };
}

/** The one outcome after some seconds. */
function outcome(b: Bench, seconds = 5): readonly [string | undefined, string | undefined] {
  b.clock.advance(seconds);
  expect(b.ends.length).toBe(1);
  return [b.ends[0].outcome, b.ends[0].why];
}

describe('outcomes', () => {
  test('done: read back', () => {
    const b = bench();
    b.give('level', '2.5 V');
    expect(outcome(b)).toEqual(['done', undefined]);
    expect(b.toy.level).toBe(2.5);
    const entries = b.entries.flatMap((e) => (e.kind === 'order' ? [e.order] : []));
    expect(entries.map((o) => [o.id, o.outcome, o.value, o.unit])).toEqual([
      [1, undefined, 2.5, 'V'],
      [1, 'done', 2.5, 'V'],
    ]);
  });

  test('done within the tolerance of the readback, failed beyond it', () => {
    const b = bench();
    b.give('level', 2.504);
    expect(outcome(b)[0]).toBe('done'); // shows 2.50
    const c = bench();
    c.give('stuck', 0.05);
    expect(outcome(c)[0]).toBe('done');
    const d = bench();
    d.give('stuck', 0.2);
    expect(outcome(d)).toEqual(['failed', 'level shows 0 instead of 0.2']);
  });

  test('sent: there is no readback', () => {
    const b = bench();
    b.give('beep');
    expect(outcome(b)).toEqual(['sent', 'the instrument has no readback for it']);
    expect(b.texts()).toEqual(['BEEP']);
  });

  test('failed: the instrument says no', () => {
    const b = bench();
    b.give('forbidden');
    expect(outcome(b)).toEqual(['failed', 'the toy says NO']);
  });

  test('failed: a driver that throws, before its first step or in its message, ends the order and not the program', () => {
    for (const command of ['broken', 'unsayable']) {
      const b = bench();
      b.give(command);
      const [end, why] = outcome(b);
      expect(end).toBe('failed');
      expect(why).toMatch(/^fault in the driver: /);
      b.ends.length = 0;
      b.give('level', 1);
      expect(outcome(b)[0]).toBe('done');
    }
  });

  test('unknown: no answer to bytes that change something', () => {
    const b = bench();
    b.give('mute');
    expect(outcome(b)).toEqual(['unknown', 'no answer within 0.2 s: whether it was carried out is not known']);
  });

  test('unknown: unplugged between bytes and answer, and between answer and readback', () => {
    const b = bench();
    b.give('mute');
    b.clock.advance(0.01);
    b.plug(false);
    expect(outcome(b)).toEqual(['unknown', 'link down: whether it was carried out is not known']);
    const c = bench();
    c.give('unread', 1);
    expect(outcome(c)).toEqual(['unknown', 'nothing was not read back within 1 s']);
  });

  test('refused: not there', () => {
    const b = bench();
    b.plug(false);
    b.clock.advance(1);
    b.give('level', 1);
    expect(outcome(b)).toEqual(['refused', 'toy is silent: link down']);
    expect(b.texts()).toEqual([]);
  });

  test('failed, not unknown: what waited for the link had sent nothing', () => {
    const b = bench();
    b.give('mute');
    b.give('level', 1);
    b.clock.advance(0.01);
    b.plug(false);
    b.clock.advance(5);
    expect(b.ends.map((o) => o.outcome)).toEqual(['unknown', 'failed']);
    expect(b.ends[1].why).toBe('link down');
  });

  test('expired: its deadline passed while it waited', () => {
    const b = bench();
    b.give('ramp', 4);
    b.give('level', 1, { deadline: 0.5 });
    b.clock.advance(6);
    expect(b.ends.map((o) => [o.command, o.outcome, o.why])).toEqual([
      ['ramp', 'done', undefined],
      ['level', 'expired', 'its deadline passed before it could be sent'],
    ]);
    expect(b.texts()).toEqual(['LEV 2', 'LEV 4']);
  });

  test('unknown, not expired: the deadline passed after the first of its bytes', () => {
    const b = bench();
    b.give('ramp', 4, { deadline: 0.5 });
    expect(outcome(b)).toEqual(['unknown', 'its deadline passed before it could be sent: whether it was carried out is not known']);
    expect(b.texts()).toEqual(['LEV 2']);
  });

  test('unknown: the program ends before the outcome', () => {
    const b = bench();
    b.give('ramp', 4);
    b.give('level', 1);
    b.clock.advance(0.5);
    b.host.close(1, () => {});
    b.clock.advance(5);
    expect(b.ends.map((o) => [o.command, o.outcome, o.why])).toEqual([
      ['ramp', 'unknown', 'the program has ended: whether it was carried out is not known'],
      ['level', 'refused', 'the program has ended'],
    ]);
  });
});

describe('refused before a byte', () => {
  test.each([
    ['level', 10.01, 'limits 0 V to 10 V'],
    ['level', -0.01, 'limits 0 V to 10 V'],
    ['level', Number.NaN, 'not a finite number'],
    ['level', Number.POSITIVE_INFINITY, 'not a finite number'],
    ['level', '5 K', 'must be in V'],
    ['level', '5 constructor', 'is not known'],
    ['level', 'on', 'not a number with a unit'],
    ['level', true, 'must be a number in V'],
    ['level', undefined, 'a value is needed'],
    ['output', 'perhaps', 'must be on or off'],
    ['mode', 'dcc', 'one of dc, ac'],
    ['beep', 1, 'takes no value'],
    ['lvel', 1, 'it has output, level'],
    ['constructor', 1, 'it has output, level'],
  ])('%s %s: %s', (command, value, why) => {
    const b = bench();
    b.give(command, value);
    const [end, said] = outcome(b, 1);
    expect(end).toBe('refused');
    expect(said).toContain(why);
    expect(b.texts()).toEqual([]);
  });

  test.each([[-1], [3], [0.5], [undefined]])('index %s', (index) => {
    const b = bench();
    b.give('bias', 1, index === undefined ? {} : { index });
    expect(outcome(b, 1)).toEqual(['refused', 'the index must be 0 to 2']);
  });

  test('an index where there is none; an instrument that is not there', () => {
    const b = bench();
    b.give('level', 1, { index: 0 });
    expect(outcome(b, 1)).toEqual(['refused', 'this command has no index']);
    b.host.order({ by: 'test', instrument: 'toi', command: 'level', written: 1 }, (o) => b.ends.push(o));
    expect(b.ends[1]).toMatchObject({ outcome: 'refused', why: 'there is no instrument "toi"; the rig has toy' });
  });

  test("the rig's limits are narrower, and hold on their ends", () => {
    const ends = [0.99, 1, 2, 2.01].map((v) => {
      const b = bench({ limits: { level: [1, 2] } });
      b.give('level', v);
      return outcome(b)[0];
    });
    expect(ends).toEqual(['refused', 'done', 'done', 'refused']);
  });

  test('a limit that is no number refuses everything', () => {
    const b = bench({ limits: { level: [Number.NaN, 2] } });
    b.give('level', 1);
    expect(outcome(b)[0]).toBe('refused');
  });

  test('whatever value: a byte goes only within the limits', () => {
    fc.assert(
      fc.property(fc.oneof(fc.double(), fc.double({ min: -1, max: 11 })), (v) => {
        const b = bench();
        b.give('level', v);
        b.clock.advance(3);
        expect(b.ends.length).toBe(1);
        if (v >= 0 && v <= 10) expect(b.ends[0].outcome).toBe('done');
        else expect([b.ends[0].outcome, b.texts()]).toEqual(['refused', []]);
      }),
      { numRuns: 40 },
    );
  });
});

describe('order of orders', () => {
  test('one after the other: the next one begins when the one before has ended', () => {
    const b = bench();
    b.give('ramp', 4);
    b.give('level', 1);
    b.give('level', 2);
    b.clock.advance(1);
    expect(b.texts()).toEqual(['LEV 2']);
    b.clock.advance(5);
    expect(b.texts()).toEqual(['LEV 2', 'LEV 4', 'LEV 1.00', 'LEV 2.00']);
    expect(b.ends.map((o) => o.outcome)).toEqual(['done', 'done', 'done']);
    const ended = b.ends.map((o) => o.ended ?? 0);
    expect(ended).toEqual([...ended].sort((x, y) => x - y));
  });

  test('a safe order goes in front of all that waits', () => {
    const b = bench();
    b.give('output', true);
    b.clock.advance(1);
    b.give('ramp', 4);
    b.give('level', 1);
    b.clock.advance(0.5);
    b.toy.heard.length = 0;
    b.give('output', false);
    b.clock.advance(0.05);
    expect(b.texts()).toEqual(['OUT 0']);
    b.clock.advance(5);
    expect(b.ends.map((o) => [o.command, o.outcome])).toEqual([
      ['output', 'done'],
      ['output', 'done'],
      ['ramp', 'done'],
      ['level', 'done'],
    ]);
  });

  test('one that waits to be read back ends when a safe order is given for its output, and nothing comes of it later', () => {
    const b = bench();
    b.toy.unsure = true;
    b.give('output', true);
    b.clock.advance(0.2); // it is on, and does not say so
    b.give('output', false);
    b.clock.advance(0.1);
    b.toy.unsure = false;
    expect(b.ends.map((o) => [o.value, o.outcome, o.why])).toEqual([[true, 'failed', 'a safe order was given after it']]);
    b.clock.advance(3);
    expect(b.ends.at(-1)).toMatchObject({ value: false, outcome: 'done' });
    expect(b.host.status().latched).toBe(undefined);
    b.give('output', true);
    b.clock.advance(1);
    expect(b.ends.at(-1)).toMatchObject({ value: true, outcome: 'done' });
  });

  test('nor is it forgotten where that safe order is not read back', () => {
    const b = bench();
    b.toy.unsure = true;
    b.give('output', true);
    b.clock.advance(0.2);
    b.give('output', false);
    b.clock.advance(3);
    expect(b.host.status().latched).toMatch(/^toy\.output: /);
    b.toy.unsure = false;
    b.clock.advance(2);
    expect(b.toy.output).toBe(false);
    expect(b.host.status().leases.filter((l) => l.active)).toEqual([]);
  });

  describe('a safe order is given again', () => {
    const on = (): Bench => {
      const b = bench();
      b.give('output', true);
      b.clock.advance(1);
      b.toy.heard.length = 0;
      return b;
    };

    test('while nobody answers: an instrument that hears again is safe soon, not when the readback has run out', () => {
      const b = on();
      b.toy.dead = true;
      b.give('output', false);
      b.clock.advance(0.55);
      b.toy.dead = false;
      b.clock.advance(0.35); // the time-out of a question that went unheard, and a moment
      expect(b.toy.output).toBe(false);
      b.clock.advance(3);
      expect(b.ends.length).toBe(2); // it is one order all the same
    });

    test('while its link is down: its bytes are the first when it is up', () => {
      const b = on();
      b.plug(false);
      b.give('output', false);
      b.clock.advance(4.5); // longer than it waits on a link
      b.plug(true);
      b.clock.advance(0.3);
      expect(b.toy.output).toBe(false);
      expect(new Set(b.texts())).toEqual(new Set(['OUT 0'])); // its lease's as well
    });

    test('while readings show the output still on', () => {
      const b = on();
      b.toy.welded = true;
      b.give('output', false);
      b.clock.advance(0.7);
      expect(b.texts().length).toBeGreaterThanOrEqual(2);
      b.toy.welded = false;
      b.clock.advance(0.29);
      expect(b.toy.output).toBe(false);
    });

    test.each([1.5, 2.5, 5, 20])(
      'but not so often that its link is never trusted again: two of one that was silent for %s s are read back',
      (silent) => {
        const b = on();
        b.give('bias', 5, { index: 1 });
        b.clock.advance(1);
        b.toy.dead = true;
        b.clock.advance(silent);
        b.toy.dead = false;
        b.give('output', false);
        b.clock.advance(6);
        expect(b.toy.output).toBe(false);
        expect(
          b.host
            .status()
            .leases.filter((l) => l.active)
            .map((l) => l.name),
        ).toEqual([]);
      },
    );

    test('but two on one link do not cut each other short for ever', () => {
      const b = on();
      b.give('bias', 5, { index: 1 });
      b.clock.advance(1);
      b.toy.heard.length = 0;
      b.give('output', false);
      b.give('bias', 0, { index: 1 });
      b.clock.advance(2);
      expect(b.texts()).toEqual(['OUT 0', 'BIAS 1 0']);
      expect(b.ends.slice(-2).map((o) => o.outcome)).toEqual(['done', 'done']);
    });
  });

  test('a safe order does not wait for a talk that holds the link', () => {
    const b = bench();
    b.give('twice', 3);
    b.clock.advance(0.1);
    b.give('output', false);
    b.clock.advance(0.05);
    expect(b.texts()).toEqual(['LEV 3', 'OUT 0']);
    b.clock.advance(3);
    expect(b.texts()).toEqual(['LEV 3', 'OUT 0', 'LEV 4']);
  });

  test('nor does one that would hold the link itself', () => {
    const b = bench();
    b.give('twice', 3);
    b.clock.advance(0.1);
    b.give('bias', 0, { index: 1 });
    b.clock.advance(0.05);
    expect(b.texts()).toEqual(['LEV 3', 'BIAS 1 0']);
  });

  test('what was ordered before a safe order for the same output is not switched on after it', () => {
    const b = bench();
    b.give('ramp', 4);
    b.give('output', true);
    b.clock.advance(0.5);
    b.give('output', false);
    b.clock.advance(6);
    expect(b.texts()).toEqual(['LEV 2', 'OUT 0', 'LEV 4']);
    expect(b.ends.find((o) => o.value === true)).toMatchObject({ outcome: 'refused', why: 'a safe order was given after it' });
    b.give('output', true);
    b.clock.advance(2);
    expect(b.ends.at(-1)?.outcome).toBe('done');
    expect(b.toy.output).toBe(true);
  });

  test('nobody else uses the link while a talk holds it, and it is free again afterwards, unplugged or not', () => {
    const b = bench();
    const before = b.readings('toy.fast').length;
    b.give('twice', 3);
    b.clock.advance(0.4);
    expect(b.readings('toy.fast').length - before).toBeLessThanOrEqual(1);
    b.plug(false);
    b.clock.advance(1);
    b.plug(true);
    b.clock.advance(3);
    b.give('twice', 5);
    b.give('twice', 7);
    b.clock.advance(5);
    expect(b.ends.map((o) => o.outcome)).toEqual(['unknown', 'sent', 'sent']);
    expect(b.toy.level).toBe(8);
  });

  test('an order may void the next readings of a channel; a list counts as one', () => {
    const b = bench();
    const count = (from: string): number => b.readings(from).length;
    const [levels, biases] = [count('toy.level'), count('toy.bias')];
    b.give('fresh', 3);
    b.clock.advance(1);
    expect(b.ends[0].outcome).toBe('sent');
    expect(count('toy.level') - levels).toBe(8); // of ten
    expect(count('toy.bias') - biases).toBe(27); // of thirty
    expect(b.readings('toy.level')[levels]).toMatchObject({ value: 3, seq: levels });
  });

  test('each has its own number, refused ones too', () => {
    const b = bench();
    b.give('level', 'much');
    b.give('level', 99);
    b.give('level', 1);
    b.clock.advance(3);
    expect(b.ends.map((o) => o.id)).toEqual([1, 2, 3]);
  });

  test('any mixture of orders and unpluggings: each ends once', () => {
    const one = fc.oneof(
      fc.record({
        do: fc.constant('give' as const),
        command: fc.constantFrom('level', 'ramp', 'twice', 'mute', 'beep', 'stuck', 'broken'),
      }),
      fc.record({ do: fc.constant('output' as const), on: fc.boolean() }),
      fc.record({ do: fc.constant('plug' as const), on: fc.boolean() }),
      fc.record({ do: fc.constant('wait' as const), seconds: fc.double({ min: 0, max: 1, noNaN: true }) }),
    );
    fc.assert(
      fc.property(fc.array(one, { maxLength: 25 }), (steps) => {
        const b = bench();
        let given = 0;
        for (const s of steps) {
          if (s.do === 'plug') b.plug(s.on);
          else if (s.do === 'wait') b.clock.advance(s.seconds);
          else {
            given++;
            if (s.do === 'output') b.give('output', s.on);
            else b.give(s.command, ['mute', 'beep', 'broken'].includes(s.command) ? undefined : 2);
          }
        }
        b.plug(true);
        b.clock.advance(90);
        expect(b.ends.length).toBe(given);
        expect(new Set(b.ends.map((o) => o.id)).size).toBe(given);
        expect(b.ends.every((o) => o.outcome !== undefined)).toBe(true);
      }),
      { numRuns: 12 },
    );
  });
});
