/** Loops: the law, what is lost, who may take over, and what the output never does. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lawStep } from '../src/feedback-law.ts';
import type { FeedbackSpec } from '../src/feedback-spec.ts';
import { BOTH, type FeedbackBench, feedbackBench, type Given, SPEC } from './feedback-bench.ts';

const FRAME = 0.25;
const BY = 'feedback heating';

/** A plant that settles within a frame: `slope` K for all of the output, and a frame's delay as an exposure has it. */
function plant(
  b: FeedbackBench,
  slope: () => number,
  more: (t: number) => Readonly<Record<string, Given>> = () => ({}),
): { readonly step: () => number; readonly run: (frames: number) => number[] } {
  let exposed = b.output.actual;
  const step = (): number => {
    b.clock.advance(FRAME);
    const value = 300 + slope() * exposed;
    exposed = b.output.actual;
    b.give({ 'up.temperature': value, ...more(value) });
    return value;
  };
  return { step, run: (frames) => Array.from({ length: frames }, step) };
}

/** Holding, with its frames learnt. */
function holding(
  spec: FeedbackSpec = SPEC,
  slope = 4500,
  at = 1650,
  from = 0.3,
): FeedbackBench & { readonly plant: ReturnType<typeof plant> } {
  const b = feedbackBench(spec, from);
  const p = plant(b, () => slope);
  p.run(6);
  b.start(at);
  p.run(3);
  expect(b.ends).toEqual([{ outcome: 'done', why: undefined }]);
  expect(b.status().state).toBe('holding');
  return Object.assign(b, { plant: p });
}
const own = (b: FeedbackBench): readonly number[] => b.moves.flatMap((m) => (m.by === BY ? [m.value] : []));

describe('the law', () => {
  const law = { gain: 1e-3, integral: 2, deadband: 0, limits: { output: [0, 1] as const } };
  const state = { output: 0.5, measured: 1000, setpoint: 1100 };
  const wide = [0, 1] as const;

  test('integral of the error over the time of the readings, proportional to the measured change', () => {
    const same = lawStep(law, state, 1000, 1100, 0.5, wide);
    expect(same.output).toBeCloseTo(0.5 + (1e-3 * 100 * 0.5) / 2, 12);
    expect(same.limited).toBeUndefined();
    expect(lawStep(law, state, 1000, 1100, 1, wide).output - 0.5).toBeCloseTo(2 * (same.output - 0.5), 12);
    expect(lawStep(law, state, 1020, 1100, 0.5, wide).output).toBeCloseTo(0.5 + (1e-3 * 80 * 0.5) / 2 - 1e-3 * 20, 12);
  });
  test('a new set point alone kicks nothing: at no time nothing', () => {
    expect(lawStep(law, state, 1000, 3000, 0, wide).output).toBe(0.5);
  });
  test('the set point goes at its rate, and not past its target', () => {
    expect(lawStep({ ...law, ramp: 50 }, state, 1000, 1300, 0.5, wide).setpoint).toBe(1125);
    expect(lawStep({ ...law, ramp: 50 }, state, 1000, 1000, 0.5, wide).setpoint).toBe(1075);
    expect(lawStep({ ...law, ramp: 50 }, state, 1000, 1110, 0.5, wide).setpoint).toBe(1110);
  });
  test('limits, and which', () => {
    expect(lawStep(law, { ...state, output: 0.99 }, 1000, 9000, 1, wide)).toMatchObject({ output: 1, limited: 'high' });
    expect(lawStep(law, { ...state, output: 0.01 }, 1000, 0, 1, wide)).toMatchObject({ output: 0, limited: 'low' });
    expect(lawStep(law, state, 1000, 2000, 1, [0.45, 0.55])).toMatchObject({ output: 0.55, limited: 'rate' });
  });
  test('inside of the deadband nothing is done', () => {
    expect(lawStep({ ...law, deadband: 5 }, { ...state, setpoint: 1002 }, 1004, 1002, 1, wide).output).toBe(0.5);
    expect(lawStep({ ...law, deadband: 5 }, { ...state, setpoint: 1002 }, 1010, 1002, 1, wide).output).not.toBe(0.5);
  });
});

describe('the start', () => {
  test('bumpless: at the target nothing is ordered; from elsewhere the first order is near the present output', () => {
    const b = feedbackBench();
    const p = plant(b, () => 4500);
    p.run(6);
    b.start(1650);
    p.run(20);
    expect(b.status()).toMatchObject({ state: 'holding', at: 0.3, measured: 1650, target: 1650 });
    expect(b.moves).toEqual([]);
    b.start(1800);
    p.run(1);
    b.clock.advance(0.1);
    expect(b.moves[0]?.value).toBeCloseTo(0.3 + (1e-4 * 150 * FRAME) / 0.5, 6);
  });

  test('without a ramp the target counts at once; with one it begins where the temperature is', () => {
    const b = holding({ ...SPEC, ramp: 100 }, 4500, 2000);
    expect(b.status().setpoint).toBeGreaterThan(1650);
    expect(b.status().setpoint).toBeLessThan(1750);
    const all = b.plant.run(60);
    expect(b.status().setpoint).toBe(2000);
    expect(all.at(-1)).toBeCloseTo(2000, -1);
  });

  test.each<readonly [string, (b: FeedbackBench) => void, RegExp]>([
    ['nothing measured yet', () => {}, /^no reading of up.temperature$/],
    ['a bad reading', (b) => b.run(3, FRAME, () => ({ 'up.temperature': { bad: 'saturated' } })), /^up.temperature: saturated$/],
    [
      'an old one',
      (b) => {
        b.run(5, FRAME, () => ({ 'up.temperature': 1650 }));
        b.clock.advance(2);
      },
      /^no reading of up.temperature for 2.0 s$/,
    ],
    [
      'an output outside of the limits of the loop',
      (b) => {
        b.output.actual = 0.05;
        b.run(5, FRAME, () => ({ 'up.temperature': 1650 }));
      },
      /^laser.current 0.05 is outside of the limits of the loop \(0.1 to 0.6\)/,
    ],
    [
      'an output that cannot be read',
      (b) => {
        b.output.lost = 'set_point: no answer';
        b.run(5, FRAME, () => ({ 'up.temperature': 1650 }));
      },
      /^where the output is now is not known: set_point: no answer$/,
    ],
  ])('refused: %s', (_, prepare, why) => {
    const b = feedbackBench();
    prepare(b);
    b.start(1700);
    b.clock.advance(4);
    expect(b.ends).toEqual([{ outcome: 'refused', why: expect.stringMatching(why) }]);
    expect(b.moves).toEqual([]);
    expect(b.alarms.size).toBe(0);
  });

  test('refused: outside of the set points, another name, no number', () => {
    const b = holding();
    b.loops.start('heating', 4001, 'ada', (outcome, why) => void b.ends.push({ outcome, why }));
    b.loops.start('heating', Number.NaN, 'ada', (outcome, why) => void b.ends.push({ outcome, why }));
    b.loops.start('cooling', 2000, 'ada', (outcome, why) => void b.ends.push({ outcome, why }));
    expect(b.ends.slice(1)).toEqual([
      { outcome: 'refused', why: '4001 K is outside of the set points of heating (1000 K to 4000 K)' },
      { outcome: 'refused', why: 'NaN K is outside of the set points of heating (1000 K to 4000 K)' },
      { outcome: 'refused', why: 'there is no feedback "cooling"; the rig has heating' },
    ]);
    expect(b.status().target).toBe(1650);
  });
});

describe('holding', () => {
  test('a step is followed without overshoot, and orders end when it is there', () => {
    const b = holding({ ...SPEC, deadband: 3 });
    b.start(2400);
    const all = b.plant.run(120);
    expect(Math.max(...all)).toBeLessThan(2400 * 1.005);
    expect(all.at(-1)).toBeCloseTo(2400, -1);
    const before = b.moves.length;
    expect(before).toBeLessThan(60); // less than the resolution is not worth an order
    b.plant.run(100);
    expect(b.moves.length).toBe(before); // and what lies in the deadband is none either
    expect(own(b).length).toBe(b.moves.length);
  });

  test('a heater that takes its time: integral of its time constant, gain of its slope', () => {
    // 25 s, a sensor of 3 s, 600 K for all of the output, read every 0.5 s.
    const spec: FeedbackSpec = {
      ...SPEC,
      gain: 1 / 600,
      integral: 25,
      ramp: 2,
      limits: { output: [0, 1], rate: 0.2, setpoint: [300, 900] },
    };
    const b = feedbackBench(spec, 0);
    const heater = { body: 300, sensor: 300 };
    const seen: number[] = [];
    b.run(6, 0.5, () => ({ 'up.temperature': 300 }));
    b.start(600);
    b.run(800, 0.5, () => {
      heater.body += (1 - Math.exp(-0.5 / 25)) * (300 + 600 * b.output.actual - heater.body);
      heater.sensor += (1 - Math.exp(-0.5 / 3)) * (heater.body - heater.sensor);
      seen.push(heater.sensor);
      return { 'up.temperature': heater.sensor };
    });
    expect(b.status()).toMatchObject({ state: 'holding', setpoint: 600 });
    expect(Math.max(...seen)).toBeLessThan(600 + 0.03 * 300);
    expect(seen.at(-1)).toBeCloseTo(600, 0);
    expect(seen.findIndex((t) => t > 590) * 0.5).toBeLessThan(250);
  });

  test('windup: long at the limit, it leaves it with the first frames that ask for less', () => {
    const b = feedbackBench();
    let slope = 4500;
    const p = plant(b, () => slope);
    p.run(6);
    b.start(3900);
    p.run(120);
    expect(b.status()).toMatchObject({ at: 0.6, limited: 'high' });
    slope = 7000; // the same output now gives 4500 K
    p.run(2);
    b.clock.advance(0.1);
    expect(b.moves.at(-1)?.value).toBeLessThan(0.6);
    const rest = p.run(40);
    expect(Math.min(...rest.slice(5))).toBeGreaterThan(3900 * 0.95);
    expect(rest.at(-1)).toBeCloseTo(3900, -2);
  });

  test('several are weighted by their errors', () => {
    const b = feedbackBench(BOTH);
    b.run(3, FRAME, () => ({ 'up.temperature': { value: 2000, sigma: 10 }, 'down.temperature': { value: 2100, sigma: 20 } }));
    expect(b.status().measured).toBeCloseTo((2000 / 100 + 2100 / 400) / (1 / 100 + 1 / 400), 9);
    expect(b.status().sigma).toBeCloseTo(1 / Math.sqrt(1 / 100 + 1 / 400), 9);
  });

  test('files that come together move the output no further than its own time allows', () => {
    const b = holding(SPEC, 4500, 3900);
    const before = b.moves.length;
    for (const age of [3, 2, 1]) b.give({ 'up.temperature': 1700 }, age);
    b.clock.advance(0.1);
    expect(b.moves.length - before).toBeLessThanOrEqual(1);
  });

  test('nor does a reading that was long on its way', () => {
    const b = holding();
    b.clock.advance(FRAME);
    b.give({ 'up.temperature': 1650 }, 0.2);
    b.clock.advance(0.01);
    b.give({ 'up.temperature': 1300 });
    b.clock.advance(0.1);
    expect(b.moves.map(({ value }) => value)).toEqual([expect.closeTo(0.301, 6)]); // 10 % a second, for 10 ms
  });

  test('a value that would be the safe one waits for its turn, and is no emergency', () => {
    const b = holding({ ...SPEC, limits: { ...SPEC.limits, output: [0, 0.6] } }, 4500, 1650);
    b.start(1000);
    b.run(60, FRAME, () => ({ 'up.temperature': 1500 }));
    expect(b.moves.at(-1)).toMatchObject({ value: 0, orderly: true });
    expect(b.status().state).toBe('holding');
  });
});

describe('lost', () => {
  const good = { 'up.temperature': 1650 };
  test.each<readonly [string, Given, RegExp]>([
    ['bad', { bad: 'the camera is dark' }, /up.temperature: the camera is dark/],
    ['suspect', { value: 1650, quality: 'suspect', why: 'saturated' }, /up.temperature is suspect: saturated/],
    ['a bar too wide', { value: 1650, sigma: 101 }, /up.temperature: its error bar of 101 K is above 100 K/],
    ['no bar', { value: 1650, sigma: 0 }, /up.temperature comes without an error bar/],
    ['no number', { value: Number.NaN }, /up.temperature is no number/],
  ])('%s: the output is off at the second such frame', (_, given, why) => {
    const b = holding({ ...SPEC, limits: { ...SPEC.limits, sigma: 100 } });
    b.run(1, FRAME, () => ({ 'up.temperature': given }));
    b.clock.advance(0.05);
    expect(b.output.actual).toBe(0.3);
    expect(b.status().state).toBe('holding');
    b.run(1, FRAME - 0.05, () => ({ 'up.temperature': given }));
    b.clock.advance(0.05);
    expect(b.moves).toEqual([expect.objectContaining({ value: 0, by: BY, orderly: false })]);
    expect(b.status()).toMatchObject({ state: 'released', why: expect.stringMatching(why) });
    expect(b.alarms.get(BY)).toMatch(why);
    b.run(20, FRAME, () => good);
    expect(b.moves.length).toBe(1); // nothing begins again by itself
  });

  test('one lost frame alone is held over', () => {
    const b = holding();
    for (let i = 0; i < 5; i++) b.run(2, FRAME, (n) => (n === 0 ? { 'up.temperature': { bad: 'cosmic hit' } } : good));
    expect(b.status().state).toBe('holding');
    expect(b.moves).toEqual([]);
  });

  test('nothing at all: off before the third frame would have come', () => {
    const b = holding();
    b.clock.advance(2 * FRAME);
    expect(b.output.actual).toBe(0.3);
    b.clock.advance(0.3 * FRAME + b.output.delay);
    expect(b.output.actual).toBe(0);
    expect(b.status().why).toMatch(/^no reading of up.temperature for 0.56 s; off: laser.current 0$/);
  });

  test('a bad frame and then nothing: no longer than two frames either', () => {
    const b = holding();
    b.run(1, FRAME, () => ({ 'up.temperature': { bad: 'dark' } }));
    b.clock.advance(1.3 * FRAME + b.output.delay);
    expect(b.output.actual).toBe(0);
    expect(b.status().why).toContain('before that up.temperature: dark');
  });

  test('one side alone is nothing', () => {
    const b = feedbackBench(BOTH);
    b.run(6, FRAME, () => ({ 'up.temperature': 1650, 'down.temperature': 1660 }));
    b.start(1655);
    b.run(4, FRAME, () => ({ 'up.temperature': 1650, 'down.temperature': 1660 }));
    expect(b.status().state).toBe('holding');
    b.run(3, FRAME, () => ({ 'up.temperature': 1650 }));
    expect(b.output.actual).toBe(0);
    expect(b.status().why).toContain('no reading of down.temperature');
  });

  test('sides that disagree', () => {
    const b = feedbackBench(BOTH);
    b.run(6, FRAME, () => ({ 'up.temperature': 1650, 'down.temperature': 1660 }));
    b.start(1655);
    b.run(4, FRAME, () => ({ 'up.temperature': 1650, 'down.temperature': 1660 }));
    b.run(2, FRAME, () => ({ 'up.temperature': 1500, 'down.temperature': 1801 }));
    b.clock.advance(0.05);
    expect(b.output.actual).toBe(0);
    expect(b.status().why).toContain('down.temperature and up.temperature differ by 301 K, more than 300 K');
  });

  test('readings that are old when they come are none', () => {
    const b = holding({ ...SPEC, lost: { ...SPEC.lost, stale: 2 } });
    for (let i = 0; i < 4; i++) {
      b.clock.advance(FRAME);
      b.give(good, 2.5);
    }
    expect(b.output.actual).toBe(0);
    expect(b.status().why).toContain('was 2.5 s old when it came');
  });

  test('lower: to the low end of the limits at once, and released', () => {
    const b = holding({ ...SPEC, lost: { ...SPEC.lost, then: 'lower' } });
    b.run(2, FRAME, () => ({ 'up.temperature': { bad: 'dark' } }));
    b.clock.advance(0.05);
    expect(own(b)).toEqual([0.1]);
    expect(b.status().why).toBe('up.temperature: dark; lowered: laser.current 0.1');
  });
  test('lower, and refused: then off', () => {
    const b = holding({ ...SPEC, lost: { ...SPEC.lost, then: 'lower' } });
    b.output.refuse = { outcome: 'refused', why: 'interlock door' };
    b.run(2, FRAME, () => ({ 'up.temperature': { bad: 'dark' } }));
    b.clock.advance(0.021);
    b.output.refuse = undefined;
    b.clock.advance(0.1);
    expect(own(b)).toEqual([0]);
    expect(b.words.at(-1)).toContain('laser.current 0.1: refused: interlock door');
  });
  test('lower, while an order of its own hangs: off, which waits for nothing', () => {
    const b = holding({ ...SPEC, lost: { ...SPEC.lost, then: 'lower' } });
    b.output.delay = 10;
    b.start(3000);
    b.plant.step();
    expect(b.loops.status()[0]?.at).toBeGreaterThan(0.3);
    b.output.delay = 0.02;
    b.run(2, FRAME, () => ({ 'up.temperature': { bad: 'dark' } }));
    b.clock.advance(0.05);
    expect(own(b)).toEqual([0]);
  });
  test('hold: the output stays, and it goes on from there when as many good frames have come', () => {
    const b = holding({ ...SPEC, ramp: 100, lost: { ...SPEC.lost, then: 'hold' } });
    b.run(10, FRAME, () => ({ 'up.temperature': { bad: 'dark' } }));
    expect(b.status()).toMatchObject({ state: 'lost', at: 0.3, why: 'up.temperature: dark' });
    expect(b.alarms.get(BY)).toBe('lost: up.temperature: dark');
    b.clock.advance(5);
    b.run(1, FRAME, () => ({ 'up.temperature': 1500 }));
    expect(b.status().state).toBe('lost');
    b.run(1, FRAME, () => ({ 'up.temperature': 1500 }));
    expect(b.status()).toMatchObject({ state: 'holding', setpoint: 1500, target: 1650 });
    expect(b.alarms.size).toBe(0);
    expect(b.moves).toEqual([]);
  });

  const jumpy: FeedbackSpec = { ...SPEC, factor: [{ of: 'up.factor' }], limits: { ...SPEC.limits, jump: 0.2 } };
  const factored = (spec: FeedbackSpec): FeedbackBench => {
    const b = feedbackBench(spec);
    b.run(6, FRAME, () => ({ ...good, 'up.factor': 0.3 }));
    b.start(1650);
    b.run(6, FRAME, () => ({ ...good, 'up.factor': 0.3 }));
    expect(b.status().state).toBe('holding');
    return b;
  };
  test('a jump of the factor', () => {
    const b = factored(jumpy);
    b.run(2, FRAME, () => ({ ...good, 'up.factor': 0.37 }));
    b.clock.advance(0.05);
    expect(b.output.actual).toBe(0);
    expect(b.status().why).toContain('up.factor has jumped from 0.3 to 0.37, by more than 20 %');
  });
  test('a factor that drifts is no jump', () => {
    const b = factored(jumpy);
    b.run(100, FRAME, (n) => ({ ...good, 'up.factor': 0.3 * 1.01 ** n }));
    expect(b.status().state).toBe('holding');
  });
  test('a jump may be waited for where lost readings may not: it goes on with the new factor', () => {
    const b = factored({ ...jumpy, lost: { ...jumpy.lost, jumped: 'hold' } });
    b.run(2, FRAME, () => ({ ...good, 'up.factor': 0.2 }));
    expect(b.status()).toMatchObject({ state: 'lost', at: 0.3 });
    b.run(2, FRAME, () => ({ ...good, 'up.factor': 0.2 }));
    expect(b.status().state).toBe('holding');
    b.run(2, FRAME, () => ({ 'up.temperature': { bad: 'dark' }, 'up.factor': 0.2 }));
    b.clock.advance(0.05);
    expect(b.output.actual).toBe(0);
  });
  test('what the factor was before the start does not keep a loop from beginning', () => {
    const b = feedbackBench(jumpy);
    b.run(1, FRAME, () => ({ ...good, 'up.factor': 0.03 }));
    b.run(2, FRAME, () => ({ ...good, 'up.factor': 0.3 }));
    b.start(1650);
    b.run(2, FRAME, () => ({ ...good, 'up.factor': 0.3 }));
    expect(b.status().state).toBe('holding');
  });
  test('a factor that is not measured is lost as well', () => {
    const b = factored(jumpy);
    b.run(2, FRAME, () => ({ ...good, 'up.factor': { bad: 'no factor' } }));
    b.clock.advance(0.05);
    expect(b.output.actual).toBe(0);
  });
});

describe('who else has a say', () => {
  test('an order of somebody else releases it, and nothing follows', () => {
    const b = holding();
    b.start(3000);
    b.plant.run(4);
    b.clock.advance(0.1);
    const before = own(b).length;
    expect(before).toBeGreaterThan(2);
    b.order(0.5, 'bob');
    b.plant.run(20);
    expect(own(b).length).toBe(before);
    expect(b.output.actual).toBe(0.5);
    expect(b.status()).toMatchObject({ state: 'released', why: 'laser.current was ordered 0.5 (bob)' });
    expect(b.alarms.size).toBe(0);
  });
  test('a trip as well', () => {
    const b = holding();
    b.order(0, 'safe: interlock door: open');
    b.plant.run(20);
    expect(own(b)).toEqual([]);
    expect(b.status().why).toBe('laser.current was ordered 0 (safe: interlock door: open)');
  });
  test('a refused order of its own', () => {
    const b = holding();
    b.output.refuse = { outcome: 'refused', why: 'the interlock door does not hold' };
    b.start(3000);
    b.plant.run(10);
    expect(b.status()).toMatchObject({ state: 'released', why: expect.stringMatching(/: refused: the interlock door does not hold$/) });
    expect(b.alarms.get(BY)).toContain('refused');
  });
  test('an output that has been turned by hand', () => {
    const b = holding();
    b.output.lie = 0.35;
    b.plant.run(8);
    expect(b.status().why).toBe('the output shows 0.35, and 0.3 was ordered');
  });
  test('an output that cannot be read any more', () => {
    const b = holding();
    b.output.lost = 'set_point: no answer';
    b.plant.run(3);
    expect(b.status().state).toBe('holding');
    b.plant.run(2);
    expect(b.status().why).toBe('where the output is now is not known: set_point: no answer');
  });
  test('release, off, and what cannot be', () => {
    const b = holding();
    expect(b.loops.release('heating', 'ada')).toBeUndefined();
    expect(b.status()).toMatchObject({ state: 'released', why: 'by ada; laser.current stays where it is' });
    expect(b.loops.release('heating', 'ada')).toBe('heating does not hold anything');
    b.plant.run(10);
    expect(b.moves).toEqual([]);
    b.start(1650);
    b.plant.run(4);
    expect(b.status().state).toBe('holding');
    expect(b.loops.off('heating', 'ada', () => {})).toBeUndefined();
    b.plant.run(4);
    expect(b.moves).toEqual([expect.objectContaining({ value: 0, by: 'ada', orderly: false })]);
    expect(b.status().why).toBe('switched off by ada');
    expect(b.loops.off('cooling', 'ada', () => {})).toBe('there is no feedback "cooling"; the rig has heating');
  });
  test('an end of the program, also while it is being started', () => {
    const b = feedbackBench();
    b.run(6, FRAME, () => ({ 'up.temperature': 1650 }));
    b.start(1650);
    b.loops.close('the program ends');
    expect(b.ends).toEqual([{ outcome: 'refused', why: 'the program ends' }]);
    b.start(1650);
    expect(b.ends.at(-1)).toEqual({ outcome: 'refused', why: 'the program ends' });
    b.run(20, FRAME, () => ({ 'up.temperature': 1650 }));
    expect(b.moves).toEqual([]);
    expect(b.status().state).toBe('idle');
  });
});

describe('whatever comes', () => {
  const given = fc.oneof(
    { weight: 6, arbitrary: fc.double({ min: -1e4, max: 1e4, noNaN: true }) },
    fc.constant({ bad: 'dark' }),
    fc.record({ value: fc.double({ min: 0, max: 5000, noNaN: true }), quality: fc.constant('suspect' as const) }),
    fc.constant({ value: Number.POSITIVE_INFINITY }),
  );
  const happening = fc.record({
    wait: fc.double({ min: 0.001, max: 1.5, noNaN: true }),
    value: given,
    age: fc.double({ min: 0, max: 3, noNaN: true }),
    delay: fc.double({ min: 0, max: 0.8, noNaN: true }),
    target: fc.option(fc.double({ min: 900, max: 4100, noNaN: true }), { freq: 6 }),
  });
  const check = (answer: 'hold' | 'off'): void => {
    const spec: FeedbackSpec = { ...SPEC, gain: 1e-3, integral: 0.1, lost: { ...SPEC.lost, then: answer, stale: 4 } };
    const [low, high] = spec.limits.output;
    fc.assert(
      fc.property(fc.array(happening, { minLength: 10, maxLength: 60 }), (all) => {
        const b = feedbackBench(spec);
        b.run(6, FRAME, () => ({ 'up.temperature': 1650 }));
        const began = b.clock.mono();
        b.start(1700);
        b.run(3, FRAME, () => ({ 'up.temperature': 1650 }));
        for (const { wait, value, age, delay, target } of all) {
          b.output.delay = delay;
          b.clock.advance(wait);
          b.give({ 'up.temperature': value }, age);
          if (target !== null) b.start(target);
        }
        b.clock.advance(1);
        let before = { t: began, value: 0.3 };
        for (const m of b.moves) {
          // What was lost is switched off; it begins again from there only by a person, and not below its limits.
          if (answer === 'off' && m.value === 0) {
            before = { t: Number.NEGATIVE_INFINITY, value: 0 };
            continue;
          }
          expect(m.value).toBeGreaterThanOrEqual(low);
          expect(m.value).toBeLessThanOrEqual(high);
          const most = before.t === Number.NEGATIVE_INFINITY ? 0.5 : spec.limits.rate * (m.t - before.t) + 1e-9;
          expect(Math.abs(m.value - before.value)).toBeLessThanOrEqual(most);
          before = m;
        }
      }),
      { numRuns: 150 },
    );
  };
  test('the output stays within its limits and its rate', () => check('hold'));
  test('the same where it is switched off meanwhile', () => check('off'));
});
