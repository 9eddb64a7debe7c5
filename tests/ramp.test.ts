/** A ramp begins where the output is, never jumps, and ends once and says how. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lasting } from '../src/ramp-state.ts';
import { type RampBench, rampBench } from './ramp-bench.ts';

const OUTPUT = 'cell.setpoint';
const values = (b: RampBench): number[] => b.moves.map((m) => m.value);
const state = (b: RampBench): string | undefined => b.ramps.status()[0]?.state;

describe('the way', () => {
  test('up: from the present output in even steps on a grid, the last one hits the target', () => {
    const b = rampBench({ at: 300 });
    b.order(304.5);
    b.clock.advance(20);
    expect(values(b)).toEqual([301, 302, 303, 304, 304.5]);
    const begun = b.moves[0]?.placed ?? 0;
    expect(b.moves.map((m) => Number((m.placed - begun).toFixed(9)))).toEqual([0, 1, 2, 3, 4]);
    expect(b.ends).toEqual([{ order: 1, outcome: 'done', why: undefined }]);
    expect(b.placed.map((o) => o.by)).toEqual(new Array(5).fill('ramp: test'));
    expect(b.words).toEqual([`${OUTPUT} ramp to 304.5 K: from 300 K at 60 K/min, 4.5 s`, `${OUTPUT} ramp to 304.5 K: done`]);
    expect(b.ramps.status()).toEqual([{ output: OUTPUT, state: 'done', from: 300, at: 304.5, to: 304.5, unit: 'K' }]);
  });

  test('down', () => {
    const b = rampBench({ at: 300, rate: 0.5 });
    b.order(298.9);
    b.clock.advance(10);
    expect(values(b)).toEqual([299.5, 299, 298.9]);
  });

  test('the target is the present output, or within one step: the one order', () => {
    for (const to of [300, 300.4, 301, 299]) {
      const b = rampBench({ at: 300 });
      b.order(to);
      b.clock.advance(10);
      expect(values(b)).toEqual([to]);
      expect(b.ends.map((e) => e.outcome)).toEqual(['done']);
    }
  });

  test('it begins where the output is now, whoever set it, and not where it once was', () => {
    const b = rampBench({ at: 300 });
    b.order(302);
    b.clock.advance(10);
    b.output.set = 400; // at the front panel
    b.clock.advance(0.01); // not polled yet
    b.order(402);
    b.clock.advance(10);
    expect(values(b)).toEqual([301, 302, 401, 402]);
  });

  test('a step that would happen to be the safe value is split: it would be a safe order', () => {
    const b = rampBench({ at: 2, safe: 0 });
    b.order(-2);
    b.clock.advance(20);
    expect(values(b)).toEqual([1, 0.5, -0.5, -1.5, -2]);
    expect(b.ends.map((e) => e.outcome)).toEqual(['done']);
  });

  test('the safe value, another command and what is no number are not taken', () => {
    const { ramps } = rampBench({ safe: 290 });
    const order = { by: 'test', instrument: 'cell', command: 'setpoint' };
    expect(ramps.takes({ ...order, value: 300 })).toBe(true);
    expect(ramps.takes({ ...order, value: Number.NaN })).toBe(true);
    expect(ramps.takes({ ...order, value: 290 })).toBe(false);
    expect(ramps.takes({ ...order, value: 'hot' })).toBe(false);
    expect(ramps.takes(order)).toBe(false);
    expect(ramps.takes({ ...order, command: 'band', value: 1 })).toBe(false);
    expect(ramps.takes({ ...order, instrument: 'line', value: 1 })).toBe(false);
    expect(() => ramps.start({ ...order, command: 'band', value: 1 }, () => {})).toThrow('is not ramped');
  });
});

describe('where the output is', () => {
  test('without a good reading it is refused, and nothing is sent', () => {
    const b = rampBench();
    b.output.lost = 'link down';
    b.clock.advance(1);
    b.order(310);
    b.clock.advance(2.5);
    expect(b.ends).toEqual([]);
    b.clock.advance(1);
    expect(b.ends).toEqual([{ order: 1, outcome: 'refused', why: 'where the output is now is not known: link down' }]);
    expect(b.placed).toEqual([]);
    expect(b.ramps.status()).toEqual([]);
  });

  test('one reading that is wrong in perfect form is not where a ramp begins', () => {
    const b = rampBench({ at: 300 });
    b.output.lie = 900;
    b.order(305);
    b.clock.advance(0.11); // one reading has been taken
    b.output.lie = undefined;
    b.clock.advance(20);
    expect(values(b)).toEqual([301, 302, 303, 304, 305]);
  });

  test('readings that never agree are none', () => {
    const b = rampBench({ at: 300 });
    let n = 0;
    b.output.lie = () => 300 + 100 * n++;
    b.order(305);
    b.clock.advance(5);
    expect(b.placed).toEqual([]);
    expect(b.ends.map((e) => [e.outcome, e.why])).toEqual([['refused', 'where the output is now is not known: its readings do not agree']]);
  });

  test('its deadline holds until the first step only', () => {
    const b = rampBench({ at: 300 });
    b.order(310, { deadline: 5 });
    b.clock.advance(20);
    expect(b.ends.map((e) => e.outcome)).toEqual(['done']);
    expect(b.placed.map((o) => o.deadline !== undefined)).toEqual([true, ...new Array(9).fill(false)]);
    b.safe(300, 'safe: trip'); // not the safe value of this one: nothing to wait for
    b.output.lost = 'no answer';
    b.order(310, { deadline: 0.5 });
    b.clock.advance(5);
    expect(b.ends[1]).toEqual({ order: 2, outcome: 'expired', why: 'its deadline passed before its first step' });
  });

  test('what can never be carried out is refused at once, and what is ramping goes on', () => {
    const b = rampBench({ limits: [0, 400] });
    b.order(310);
    b.clock.advance(2);
    b.order(500);
    b.order(Number.NaN);
    expect(b.ends.map((e) => [e.order, e.outcome])).toEqual([
      [2, 'refused'],
      [3, 'refused'],
    ]);
    b.clock.advance(20);
    expect(values(b).at(-1)).toBe(310);
  });
});

describe('what goes wrong on the way', () => {
  test('a step that is late: no larger one after it, and none before it has been read back', () => {
    const b = rampBench({ at: 300 });
    b.order(306);
    b.clock.advance(1.5);
    b.output.delay = 2.2;
    b.clock.advance(1);
    b.output.delay = 0.05;
    b.clock.advance(20);
    expect(values(b)).toEqual([301, 302, 303, 304, 305, 306]);
    const begun = b.moves[0]?.placed ?? 0;
    expect(b.moves.map((m) => Math.round((m.placed - begun) * 1000) / 1000)).toEqual([0, 1, 2, 5, 6, 7]);
  });

  test('a loop that stands still: no larger step, no two at once', () => {
    for (const stall of [0.97, 2.9, 3.4, 40]) {
      const b = rampBench({ at: 300 });
      b.order(310);
      b.clock.advance(3.3);
      b.clock.stall(stall);
      b.clock.advance(20);
      expect(values(b)).toEqual([301, 302, 303, 304, 305, 306, 307, 308, 309, 310]);
      b.moves.forEach((m, i) => {
        expect(m.placed - (b.moves[i - 1]?.placed ?? -9)).toBeGreaterThan(0.89);
      });
    }
  });

  test('the output leaves the band: it stops and says where', () => {
    const b = rampBench({ at: 300, band: 3 });
    b.order(320);
    b.clock.advance(5.5);
    const sent = b.moves.length;
    b.output.lie = (b.moves.at(-1)?.value ?? 0) + 3.1;
    b.clock.advance(20);
    expect(b.moves.length).toBe(sent);
    expect(b.ends.length).toBe(1);
    expect(b.ends[0]?.why).toMatch(/^stopped at 306 K: the output shows 309.1 K, further off than 3 K; the output stays where it is$/);
    expect(state(b)).toBe('stopped');
    expect(b.words.at(-1)).toContain('stopped at 306 K');
  });

  test('inside of the band it goes on: above the last step, and below the one before', () => {
    for (const off of [2.9, -3.9]) {
      const b = rampBench({ at: 300, band: 3 });
      b.order(310);
      b.clock.advance(3.3);
      b.output.lie = (b.moves.at(-1)?.value ?? 0) + off;
      b.clock.advance(0.9);
      expect(state(b)).toBe('ramping');
      b.output.lie = undefined;
      b.clock.advance(20);
      expect(b.ends.map((e) => e.outcome)).toEqual(['done']);
    }
  });

  test('a reading that is not finite is outside', () => {
    const b = rampBench();
    b.order(320);
    b.clock.advance(5.5);
    b.output.lie = Number.NaN;
    b.clock.advance(2);
    expect(b.ends.map((e) => e.outcome)).toEqual(['failed']);
  });

  test('no reading: no step meanwhile, and stopped after three intervals', () => {
    const b = rampBench({ at: 300 });
    const at = (seconds: number): void => b.clock.advance((b.moves[0]?.placed ?? 0) + seconds - b.clock.mono());
    b.order(320);
    b.clock.advance(1);
    at(4.5);
    expect(b.moves.length).toBe(5);
    b.output.lost = 'no answer';
    at(6.5);
    b.output.lost = undefined;
    at(6.9);
    expect(b.moves.length).toBe(5);
    at(8.5);
    expect(b.moves.length).toBe(7);
    b.output.lost = 'no answer';
    at(11.9);
    expect(b.ends).toEqual([]);
    at(20);
    expect(b.moves.length).toBe(7);
    expect(b.ends.map((e) => e.why)).toEqual([
      'stopped at 307 K: no good reading of the output for more than 3 s: no answer; the output stays where it is',
    ]);
  });

  test('the first step is refused: so is the order', () => {
    const b = rampBench();
    b.output.refuse = { outcome: 'refused', why: 'the door is open' };
    b.order(310);
    b.clock.advance(5);
    expect(b.ends).toEqual([{ order: 1, outcome: 'refused', why: 'the step to 301 K: refused: the door is open' }]);
    expect(b.moves).toEqual([]);
  });

  test.each(['refused', 'failed', 'unknown', 'expired', 'sent'] as const)('a later step is %s: stopped where it is', (outcome) => {
    const b = rampBench();
    b.order(310);
    b.clock.advance(2.5);
    const sent = b.moves.length;
    b.output.refuse = { outcome, why: 'so it is' };
    b.clock.advance(20);
    expect(b.moves.length).toBe(sent);
    const at = outcome === 'refused' || outcome === 'expired' ? 300 + sent : 301 + sent;
    expect(b.ends).toEqual([
      {
        order: 1,
        outcome: 'failed',
        why: `stopped at ${at} K: the step to ${301 + sent} K: ${outcome}: so it is`,
      },
    ]);
  });

  test('the last step is unknown: so is the order', () => {
    const b = rampBench();
    b.output.refuse = { outcome: 'unknown', why: 'link lost' };
    b.order(300.5);
    b.clock.advance(5);
    expect(b.ends.map((e) => e.outcome)).toEqual(['unknown']);
  });

  test('it takes far too long: stopped', () => {
    const b = rampBench({ at: 300 });
    b.output.delay = 1.9; // every step takes two or three intervals
    b.order(500);
    b.clock.advance(600);
    expect(b.ends.map((e) => e.outcome)).toEqual(['failed']);
    expect(b.ends[0]?.why).toContain('half as long again');
    expect(b.moves.at(-1)?.t).toBeLessThan(1.5 * 200 + 60 + 5);
  });
});

describe('people', () => {
  test('hold keeps the step, resume goes on from the present output; each change is said once', () => {
    const b = rampBench({ at: 300 });
    b.order(306);
    b.clock.advance(2.5);
    expect(b.ramps.hold(OUTPUT, 'ada')).toBeUndefined();
    expect(b.ramps.hold(OUTPUT, 'ada')).toBe('cell.setpoint is held already');
    b.clock.advance(1000);
    expect(values(b)).toEqual([301, 302, 303]);
    expect(b.ramps.status()).toEqual([{ output: OUTPUT, state: 'held', from: 300, at: 303, to: 306, unit: 'K' }]);
    b.output.set = 302.4; // it has drifted
    expect(b.ramps.resume(OUTPUT, 'ada')).toBeUndefined();
    expect(b.ramps.resume(OUTPUT, 'ada')).toBe('cell.setpoint is not held');
    b.clock.advance(20);
    expect(values(b)).toEqual([301, 302, 303, 303.4, 304.4, 305.4, 306]);
    expect(b.ends.map((e) => e.outcome)).toEqual(['done']);
    expect(b.words.map((w) => w.slice(OUTPUT.length + 1))).toEqual([
      'ramp to 306 K: from 300 K at 60 K/min, 6 s',
      'ramp to 306 K: held at 303 K by ada',
      'ramp to 306 K: goes on from 302.4 K (ada)',
      'ramp to 306 K: done',
    ]);
    expect(b.changes).toBe(b.words.length);
  });

  test('held before it has begun: it moves when it is resumed, however late', () => {
    const b = rampBench({ at: 300 });
    b.order(303);
    expect(b.ramps.hold(OUTPUT, 'ada')).toBeUndefined();
    b.clock.advance(500);
    expect(state(b)).toBe('held');
    expect(b.placed).toEqual([]);
    expect(b.ramps.resume(OUTPUT, 'ada')).toBeUndefined();
    b.clock.advance(20);
    expect(values(b)).toEqual([301, 302, 303]);
  });

  test('a held output is watched; resume without a reading says why', () => {
    const b = rampBench({ at: 300 });
    b.order(306);
    b.clock.advance(2.5);
    b.ramps.hold(OUTPUT, 'ada');
    b.clock.advance(1);
    b.output.lost = 'no answer';
    b.clock.advance(1);
    expect(b.ramps.resume(OUTPUT, 'ada')).toBe('where the output is now is not known: no answer');
    b.output.lost = undefined;
    b.output.set = 280;
    b.clock.advance(2);
    expect(state(b)).toBe('stopped');
    expect(b.ends[0]?.why).toContain('the output shows 280 K');
  });

  test('hold and resume as fast as one can: never faster than its rate', () => {
    const b = rampBench({ at: 300 });
    b.order(400);
    for (let i = 0; i < 300; i++) {
      b.clock.advance(0.15);
      b.ramps.hold(OUTPUT, 'ada');
      b.clock.advance(0.05);
      b.ramps.resume(OUTPUT, 'ada');
    }
    expect(b.output.actual).toBeLessThanOrEqual(300 + 62);
  });

  test('a new order takes over from the present output, not before the step that is under way has ended', () => {
    const b = rampBench({ at: 300 });
    b.order(310);
    b.clock.advance(2.6);
    b.output.delay = 0.5;
    b.clock.advance(0.6); // given, its bytes have not gone
    const sent = b.moves.length;
    const under = b.placed.at(-1)?.value;
    expect(b.placed.length).toBe(sent + 1);
    b.order(295);
    expect(b.ends).toEqual([{ order: 1, outcome: 'failed', why: `replaced by 295 K (test); the ramp was between 303 K and ${under} K` }]);
    b.clock.advance(30);
    expect(values(b)).toEqual([301, 302, 303, 304, 303, 302, 301, 300, 299, 298, 297, 296, 295]);
    expect(b.ends.map((e) => [e.order, e.outcome])).toEqual([
      [1, 'failed'],
      [2, 'done'],
    ]);
  });

  test('order after order: never faster than its rate', () => {
    const b = rampBench({ at: 300 });
    for (let i = 0; i < 100; i++) {
      b.order(400 + i);
      b.clock.advance(0.3);
    }
    expect(b.output.actual).toBeLessThanOrEqual(300 + 32);
    expect(b.output.actual).toBeGreaterThan(305);
  });

  test('stop: the output stays where it is, and a later order begins there', () => {
    const b = rampBench({ at: 300 });
    b.order(310);
    b.clock.advance(2.5);
    expect(b.ramps.stop(OUTPUT, 'ada', 'gasket')).toBeUndefined();
    b.clock.advance(60);
    expect(b.ends.map((e) => e.why)).toEqual(['stopped at 303 K: by ada, gasket; the output stays where it is']);
    expect(b.ramps.stop(OUTPUT, 'ada', '')).toMatch(/^the ramp of cell.setpoint has ended: stopped at 303 K/);
    expect(values(b)).toEqual([301, 302, 303]);
    b.order(301.5);
    b.clock.advance(10);
    expect(values(b)).toEqual([301, 302, 303, 302, 301.5]);
  });

  test('what there is no ramp of', () => {
    const b = rampBench();
    for (const answer of [b.ramps.hold('a.b', 'ada'), b.ramps.resume('a.b', 'ada'), b.ramps.stop('a.b', 'ada', '')])
      expect(answer).toBe('there is no ramp of a.b; nothing is being ramped');
    b.order(310);
    expect(b.ramps.hold('a.b', 'ada')).toBe('there is no ramp of a.b; being ramped: cell.setpoint');
  });

  test('a safe order ends it at once, and the next one begins after it has been carried out', () => {
    const b = rampBench({ at: 320, safe: 300 });
    b.order(330);
    b.clock.advance(2.5);
    const sent = b.moves.length;
    b.safe(300, 'safe: the door is open');
    expect(b.ends).toEqual([{ order: 1, outcome: 'failed', why: 'made safe (safe: the door is open); the ramp was at 323 K' }]);
    b.order(302); // while the output still shows 323 K
    b.clock.advance(10);
    expect(values(b).slice(sent)).toEqual([301, 302]);
  });

  test('the end of the program: each order ends, and nothing begins after it', () => {
    const b = rampBench();
    b.order(310);
    b.clock.advance(2.5);
    b.ramps.close('the program has ended');
    b.order(320);
    b.clock.advance(10);
    expect(b.ends.map((e) => [e.outcome, e.why])).toEqual([
      ['failed', 'stopped at 303 K: the program has ended'],
      ['refused', 'the program has ended'],
    ]);
    expect(values(b)).toEqual([301, 302, 303]);
    const c = rampBench();
    c.order(310);
    c.ramps.close('the program has ended');
    c.clock.advance(10);
    expect(c.ends.map((e) => e.outcome)).toEqual(['refused']);
    expect(c.placed).toEqual([]);
  });
});

test('durations as people say them', () => {
  expect([0, 4.5, 45, 99.4, 130, 2400, 6000, 12_600, 360_000].map(lasting)).toEqual([
    '0 s',
    '4.5 s',
    '45 s',
    '99 s',
    '2 min',
    '40 min',
    '1.7 h',
    '3.5 h',
    '100 h',
  ]);
});

const act = fc.oneof(
  fc.record({ do: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 60 }).map((n) => n / 10) }),
  fc.record({ do: fc.constant('order' as const), to: fc.integer({ min: -60, max: 60 }).map((n) => n / 4) }),
  fc.record({ do: fc.constant('lose' as const), seconds: fc.integer({ min: 1, max: 50 }).map((n) => n / 10) }),
  fc.record({ do: fc.constant('stall' as const), seconds: fc.integer({ min: 1, max: 50 }).map((n) => n / 10) }),
  fc.record({ do: fc.constant('slow' as const), delay: fc.integer({ min: 1, max: 25 }).map((n) => n / 10) }),
  fc.record({ do: fc.constantFrom('hold' as const, 'resume' as const, 'stop' as const, 'safe' as const) }),
);

describe('whatever happens', () => {
  const EVERY = 1;
  const RATE = 0.7;
  const SIZE = RATE * EVERY * (1 + 1e-9);
  const SAFE = -2.1; // on the grid of steps from 0
  test.each([
    ['at once', Number.POSITIVE_INFINITY],
    ['slowly', 1.4],
  ])('an output that follows %s: no large step, never beyond the target, one end for each order', (_, speed) => {
    fc.assert(
      fc.property(fc.array(act, { minLength: 3, maxLength: 40 }), (acts) => {
        const b = rampBench({ at: 0, rate: RATE, every: EVERY, band: 1.5, safe: SAFE });
        b.output.speed = speed;
        let given = 0;
        let until = 0;
        for (const one of acts) {
          if (one.do === 'wait') b.clock.advance(one.seconds);
          else if (one.do === 'stall') b.clock.stall(one.seconds);
          else if (one.do === 'slow') b.output.delay = one.delay;
          else if (one.do === 'order' && one.to !== SAFE) {
            b.order(one.to, { by: String(one.to) });
            given++;
          } else if (one.do === 'lose') {
            b.output.lost = 'no answer';
            const end = (until = Math.max(until, b.clock.mono() + one.seconds));
            b.clock.after(one.seconds, () => {
              if (end >= until) b.output.lost = undefined;
            });
          } else if (one.do === 'hold' || one.do === 'resume') b.ramps[one.do](OUTPUT, 'ada');
          else if (one.do === 'stop') b.ramps.stop(OUTPUT, 'ada', '');
          else if (one.do === 'safe') b.safe(SAFE, 'safe: trip');
        }
        b.output.delay = 0.05;
        b.clock.advance(10);
        b.ramps.resume(OUTPUT, 'ada');
        b.clock.advance(300);
        // One end for each order, each change said once.
        expect(b.ends.map((e) => e.order).sort((x, y) => x - y)).toEqual(Array.from({ length: given }, (__, i) => i + 1));
        expect(b.changes).toBe(b.words.length);
        expect(b.placed.every((o) => o.value !== SAFE)).toBe(true);
        for (const [i, m] of b.moves.entries()) {
          // One that follows slowly has gone on meanwhile.
          const lag = Number.isFinite(speed) ? 2 * speed : 0;
          expect(Math.abs(m.value - m.was)).toBeLessThanOrEqual(SIZE + lag);
          const to = Number(m.by.slice('ramp: '.length));
          if (lag === 0) expect((to - m.value) * (to - m.was)).toBeGreaterThanOrEqual(0);
          const next = b.moves[i + 2];
          if (next) expect(next.t - m.t).toBeGreaterThan(EVERY / 2);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('steps of one ramp: each at most one step from the one before, none beyond the target', () => {
    const number = fc.double({ min: -1000, max: 1000, noNaN: true });
    fc.assert(
      fc.property(number, number, fc.double({ min: 0.5, max: 20, noNaN: true }), fc.constantFrom(0.5, 1, 2), (from, to, rate, every) => {
        const b = rampBench({ at: from, rate, every, band: 1e4 });
        b.order(to);
        b.clock.advance(Math.abs(to - from) / rate + 20);
        expect(b.ends.map((e) => e.outcome)).toEqual(['done']);
        let at = from;
        for (const value of values(b)) {
          expect(Math.abs(value - at)).toBeLessThanOrEqual(rate * every * (1 + 1e-8) + 1e-9);
          expect((to - value) * Math.sign(to - from)).toBeGreaterThanOrEqual(0);
          at = value;
        }
        expect(at).toBe(to);
        expect(values(b).length).toBe(Math.max(1, Math.ceil((Math.abs(to - from) / (rate * every)) * (1 - 1e-9))));
      }),
      { numRuns: 100 },
    );
  });
});
