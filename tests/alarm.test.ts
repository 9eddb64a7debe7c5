/** Alarms that a rig declares: levels, latch, acknowledgement, delay, shelf, storms, missing inputs, restart. Times are handed in. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AlarmOptions, type Alarms, alarms } from '../src/alarm.ts';
import { isNormal, rank, SEVERITIES } from '../src/alarm-state.ts';
import type { Condition, Leaf } from '../src/condition.ts';
import type { AlarmState, Severity } from '../src/entry.ts';
import type { Reading } from '../src/reading.ts';
import type { RigAlarm } from '../src/rig.ts';

const START = 1_767_225_600; // s
const us = (now: number): number => Math.round((START + now) * 1e6);

const leaf = (limit: number, more: Partial<Leaf> = {}): Leaf => ({
  of: 'cell.temperature',
  kind: 'K',
  test: { is: 'above', limit },
  hysteresis: 0,
  hold: 0,
  stale: 5,
  suspect: false,
  ...more,
});
const spec = (when: Condition, more: Partial<RigAlarm> = {}): RigAlarm => ({
  name: 'hot',
  levels: [{ severity: 'alarm', when }],
  delay: 0,
  latch: false,
  ...more,
});
const twoLevels = (more: Partial<RigAlarm> = {}): RigAlarm =>
  spec(leaf(0), {
    levels: [
      { severity: 'warning', when: leaf(400) },
      { severity: 'critical', when: leaf(450) },
    ],
    ...more,
  });

/** An engine on a time of its own; `said` is all that was emitted. */
function bench(specs: readonly RigAlarm[], options: Partial<AlarmOptions> = {}) {
  let now = 100;
  let seq = 0;
  const said: AlarmState[] = [];
  const engine: Alarms = alarms(specs, { ...options, emit: (s) => said.push(s) });
  const bench = {
    engine,
    said,
    get now() {
      return now;
    },
    wait(seconds: number) {
      bench.pass(seconds);
      engine.tick(now, us(now));
    },
    /** Nobody looks. */
    pass(seconds: number) {
      now = Math.round((now + seconds) * 1000) / 1000;
    },
    see(value: number | boolean | string | undefined, more: { from?: string; kind?: Reading['kind']; index?: number } = {}) {
      const about = { from: 'cell.temperature', kind: 'K', ...more, t: us(now), seq: seq++, origin: 'simulator' } as const;
      engine.see(
        (value === undefined ? { ...about, quality: 'bad', why: 'no answer' } : { ...about, quality: 'good', value }) as Reading, // of its kind
        now,
        us(now),
      );
    },
    /** Values a second apart. */
    run(...values: readonly (number | undefined)[]) {
      for (const value of values) {
        bench.wait(1);
        bench.see(value);
      }
    },
    state: (name = 'hot') => engine.states.find((s) => s.name === name),
    acknowledge: (name?: string) => engine.acknowledge(name, 'eva', us(now)),
    shelve: (name: string, seconds: number, why = 'venting') => engine.shelve(name, 'eva', seconds, why, us(now)),
  };
  return bench;
}

describe('a limit', () => {
  test('is raised with its value, its limit and its guidance, and goes by itself', () => {
    const b = bench([spec(leaf(308.15), { guidance: 'look at the chiller' })]);
    b.run(300, 314.35);
    expect(b.state()).toMatchObject({
      name: 'hot',
      now: 'alarm',
      severity: 'alarm',
      unacknowledged: true,
      text: 'cell.temperature is 41.2 °C, above 35.0 °C',
      guidance: 'look at the chiller',
      since: us(b.now),
    });
    b.run(300);
    expect(b.engine.states).toEqual([]);
    expect(b.said.map((s) => [s.now, s.unacknowledged])).toEqual([
      ['alarm', true],
      [undefined, false],
    ]);
  });

  test('goes only past its hysteresis', () => {
    const b = bench([spec(leaf(400, { hysteresis: 10 }))]);
    b.run(395);
    expect(b.state()).toBeUndefined();
    b.run(401, 395, 391);
    expect(b.state()?.now).toBe('alarm');
    b.run(389);
    expect(b.state()).toBeUndefined();
  });

  test('is raised after its delay only, which a return starts anew', () => {
    const b = bench([spec(leaf(400), { delay: 5 })]);
    b.run(401, 401, 401, 401, 399, 401, 401, 401, 401, 401);
    expect(b.state()).toBeUndefined();
    expect(b.engine.next(b.now)).toBe(b.now + 1);
    b.wait(1);
    expect(b.state()?.now).toBe('alarm');
  });

  test('of several has the severity of the worst level, and keeps the highest until acknowledged', () => {
    const b = bench([twoLevels()]);
    b.run(410);
    expect(b.state()).toMatchObject({ now: 'warning', severity: 'warning' });
    b.run(460);
    expect(b.state()).toMatchObject({ now: 'critical', severity: 'critical' });
    b.run(410);
    expect(b.state()).toMatchObject({ now: 'warning', severity: 'critical', unacknowledged: true });
    expect(b.acknowledge('hot')).toBeUndefined();
    expect(b.state()).toMatchObject({ now: 'warning', severity: 'warning', unacknowledged: false, acknowledged: { by: 'eva' } });
  });

  test('that goes up again after the acknowledgement waits for another one', () => {
    const b = bench([twoLevels()]);
    b.run(410);
    b.acknowledge();
    b.run(411, 412);
    expect(b.state()?.unacknowledged).toBe(false);
    b.run(460);
    expect(b.state()).toMatchObject({ unacknowledged: true, now: 'critical' });
    expect(b.state()).not.toHaveProperty('acknowledged');
    b.acknowledge();
    b.run(410);
    expect(b.state()).toMatchObject({ unacknowledged: false, now: 'warning', severity: 'critical' });
    b.run(460);
    expect(b.state()?.unacknowledged).toBe(true);
  });

  test('on a list is raised by one of its indices', () => {
    const b = bench([spec(leaf(60, { of: 'bias.voltage', kind: 'V' }))]);
    const volts = (index: number, value: number) => b.see(value, { from: 'bias.voltage', kind: 'V', index });
    for (const index of [0, 1, 2]) volts(index, 50);
    expect(b.state()).toBeUndefined();
    b.wait(1);
    for (const index of [0, 1, 2]) volts(index, index === 1 ? 61 : 50);
    expect(b.state()).toMatchObject({ now: 'alarm', text: 'bias.voltage[1] is 61.0 V, above 60.0 V' });
    b.wait(1);
    volts(1, 50);
    expect(b.state()).toBeUndefined();
  });

  test('on a list goes with its hysteresis, too', () => {
    const b = bench([spec(leaf(60, { of: 'bias.voltage', kind: 'V', hysteresis: 5 }))]);
    const volts = (index: number, value: number) => b.see(value, { from: 'bias.voltage', kind: 'V', index });
    for (const index of [0, 1]) volts(index, 50);
    b.wait(1);
    volts(1, 61);
    b.wait(1);
    volts(1, 57);
    expect(b.state()).toMatchObject({ now: 'alarm' });
    b.wait(1);
    volts(1, 54);
    expect(b.state()).toBeUndefined();
  });

  test('on a slope says how fast', () => {
    const b = bench([spec(leaf(0.5, { slope: 10 }))]);
    b.run(...Array.from({ length: 20 }, (_, i) => 300 + i));
    expect(b.state()).toMatchObject({
      now: 'alarm',
      text: expect.stringMatching(/^cell\.temperature changes by 60\.0 K\/min, above 30\.0 K\/min$/),
    });
  });

  test('on a flag and a word says which', () => {
    const door = leaf(0, { of: 'guard.door', kind: 'flag', test: { is: 'one-of', words: [false] } });
    const mode = leaf(0, { of: 'guard.mode', kind: 'state', test: { is: 'one-of', words: ['fault', 'local'] } });
    const b = bench([spec({ any: [door, mode] })]);
    b.see(true, { from: 'guard.door', kind: 'flag' });
    b.see('remote', { from: 'guard.mode', kind: 'state' });
    expect(b.state()).toBeUndefined();
    b.wait(1);
    b.see('local', { from: 'guard.mode', kind: 'state' });
    expect(b.state()?.text).toBe('guard.mode is local');
    b.see(false, { from: 'guard.door', kind: 'flag' });
    b.wait(2);
    expect(b.state()?.text).toBe('guard.door is off; guard.mode is local');
  });
});

describe('an input that is missing', () => {
  test('leaves the alarm as it is and is an alarm of its own', () => {
    const b = bench([spec(leaf(400))]);
    b.run(410, undefined, undefined, undefined, undefined);
    expect(b.state()).toMatchObject({ now: 'alarm' });
    expect(b.state('hot no data')).toMatchObject({ now: 'alarm', text: expect.stringContaining('cell.temperature: bad: no answer') });
    b.run(300);
    expect(b.engine.states).toEqual([]);
  });

  test('acknowledging it does not acknowledge the limit', () => {
    const b = bench([spec(leaf(400))]);
    b.run(410, undefined, undefined, undefined);
    expect(b.acknowledge()).toBe('2 alarms wait to be acknowledged: hot, hot no data; say which');
    expect(b.acknowledge('hot no data')).toBeUndefined();
    expect(b.state()?.unacknowledged).toBe(true);
    expect(b.state('hot no data')?.unacknowledged).toBe(false);
  });

  test('is said when readings stop, without any reading', () => {
    const b = bench([spec(leaf(400))]);
    b.run(300);
    const { now } = b;
    expect(b.engine.next(now)).toBe(now + 5);
    b.wait(5);
    expect(b.engine.next(b.now)).toBe(now + 7);
    expect(b.state('hot no data')).toBeUndefined();
    b.wait(2);
    expect(b.state('hot no data')).toMatchObject({ now: 'alarm' });
  });

  test('has ten seconds at the start, and is a warning where only a warning is blind', () => {
    const b = bench([spec(leaf(400), { levels: [{ severity: 'warning', when: leaf(400) }] })]);
    b.wait(0);
    b.wait(9);
    expect(b.engine.states).toEqual([]);
    b.wait(1);
    expect(b.state('hot no data')).toMatchObject({ now: 'warning', text: expect.stringContaining('no reading yet') });
  });

  test('does not raise a limit that was not passed', () => {
    const b = bench([spec(leaf(400))]);
    b.run(300, undefined, undefined, undefined);
    expect(b.state()).toBeUndefined();
  });
});

describe('acknowledgement', () => {
  test('latched: after recovery it waits until acknowledged', () => {
    const b = bench([spec(leaf(400), { latch: true })]);
    b.run(410, 300);
    expect(b.state()).toMatchObject({ unacknowledged: true, severity: 'alarm' });
    expect(b.state()).not.toHaveProperty('now');
    expect(b.acknowledge('hot')).toBeUndefined();
    expect(b.engine.states).toEqual([]);
    expect(b.said.at(-1)).toMatchObject({ name: 'hot', unacknowledged: false, acknowledged: { by: 'eva', t: us(b.now) } });
  });

  test('latched: acknowledged before recovery it goes with its cause', () => {
    const b = bench([spec(leaf(400), { latch: true })]);
    b.run(410);
    b.acknowledge();
    expect(b.state()).toMatchObject({ now: 'alarm', unacknowledged: false });
    b.run(300);
    expect(b.engine.states).toEqual([]);
  });

  test('latched: back before it was acknowledged it is the same incident', () => {
    const b = bench([spec(leaf(400), { latch: true })]);
    b.run(410);
    const since = us(b.now);
    b.run(300, 410);
    expect(b.state()).toMatchObject({ now: 'alarm', since, changed: us(b.now) });
  });

  test('says what is wrong with the name', () => {
    const b = bench([spec(leaf(400), { name: 'chiller' })]);
    b.run(300);
    expect(b.acknowledge()).toBe('no alarm waits to be acknowledged');
    expect(b.acknowledge('chiller')).toBe('"chiller" is not raised');
    expect(b.acknowledge('chillr')).toBe('there is no alarm "chillr"; did you mean "chiller"?');
    b.run(410);
    expect(b.acknowledge('chiller')).toBeUndefined();
    expect(b.acknowledge('chiller')).toBe('"chiller" has been acknowledged already, by eva');
  });
});

describe('a shelf', () => {
  test('puts aside with a reason, and raises again by itself when the time is over', () => {
    const b = bench([spec(leaf(400))]);
    b.run(410);
    b.acknowledge();
    expect(b.shelve('hot', 3.5)).toBeUndefined();
    expect(b.state()).toMatchObject({ shelved: { by: 'eva', until: us(b.now + 3.5), why: 'venting' } });
    expect(b.engine.next(b.now)).toBeCloseTo(b.now + 3.5, 5);
    b.run(410, 410, 410);
    expect(b.state()).toHaveProperty('shelved');
    b.run(410);
    expect(b.state()).toMatchObject({ now: 'alarm', unacknowledged: true });
    expect(b.state()).not.toHaveProperty('shelved');
  });

  test('holds what is not raised yet, and what goes meanwhile is gone at its end', () => {
    const b = bench([spec(leaf(400))]);
    expect(b.shelve('hot', 60)).toBeUndefined();
    b.run(410);
    expect(b.state()).toMatchObject({ now: 'alarm', severity: 'alarm', shelved: { why: 'venting' } });
    b.run(300);
    expect(b.state()).toMatchObject({ shelved: { why: 'venting' } });
    b.wait(60);
    expect(b.engine.states).toEqual([]);
    expect(isNormal(b.said.at(-1) as AlarmState)).toBe(true); // there is one
  });

  test('is at most a day, needs a reason, and can be ended', () => {
    const b = bench([spec(leaf(400))]);
    expect(b.shelve('hot', 86_401)).toBe('an alarm is shelved for at most 24 h');
    expect(b.shelve('hot', Number.NaN)).toBe('an alarm is shelved for at most 24 h');
    expect(b.shelve('hot', 60, ' ')).toBe('an alarm is shelved for a reason: say which');
    expect(b.shelve('hott', 60)).toBe('there is no alarm "hott"; did you mean "hot"?');
    expect(b.shelve('hot', 0)).toBe('"hot" is not shelved');
    b.shelve('hot', 60);
    expect(b.shelve('hot', 0)).toBeUndefined();
    expect(b.engine.states).toEqual([]);
  });
});

describe('a value that flaps', () => {
  test('is no storm: it stays raised, counted, until it has been quiet', () => {
    const b = bench([spec(leaf(400))]);
    for (let i = 0; i < 200; i++) b.run(410, 390);
    expect(b.said.length).toBeLessThan(12);
    expect(b.state()).toMatchObject({ now: 'alarm' });
    expect(b.state()?.text).toMatch(/\(comes and goes: (199|200) times\)$/);
    b.run(...Array.from({ length: 58 }, () => 390));
    expect(b.state()?.now).toBe('alarm');
    b.run(390, 390);
    expect(b.engine.states).toEqual([]);
  });

  test('still tells at once that it has become worse', () => {
    const b = bench([twoLevels()]);
    for (let i = 0; i < 20; i++) b.run(410, 390);
    b.run(460);
    expect(b.said.at(-1)).toMatchObject({ now: 'critical', severity: 'critical', unacknowledged: true });
  });

  test('is acknowledged once', () => {
    const b = bench([spec(leaf(400))]);
    for (let i = 0; i < 20; i++) b.run(410, 390);
    b.acknowledge('hot');
    for (let i = 0; i < 20; i++) b.run(410, 390);
    expect(b.state()).toMatchObject({ unacknowledged: false, now: 'alarm' });
  });
});

describe('a restart', () => {
  const raised = (more: Partial<AlarmState> = {}): AlarmState => ({
    name: 'hot',
    now: 'alarm',
    severity: 'alarm',
    since: us(-500),
    changed: us(-500),
    text: 'cell.temperature is 41.2 °C, above 35.0 °C',
    unacknowledged: true,
    ...more,
  });

  test('keeps acknowledgements: what lasts is not raised anew', () => {
    const state = raised({ unacknowledged: false, acknowledged: { by: 'tom', t: us(-400) } });
    const b = bench([spec(leaf(400), { delay: 5 })], { restored: [state] });
    expect(b.said).toEqual([state]);
    b.run(410, 410, 410);
    expect(b.said).toHaveLength(1);
    expect(b.state()).toMatchObject({ now: 'alarm', unacknowledged: false, since: us(-500), acknowledged: { by: 'tom' } });
    b.run(390);
    expect(b.engine.states).toEqual([]);
  });

  test('keeps the alarm while its input has not come, and within its hysteresis', () => {
    const b = bench([spec(leaf(400, { hysteresis: 10 }))], { restored: [raised()] });
    b.wait(3600);
    expect(b.state()?.now).toBe('alarm');
    b.run(395);
    expect(b.state()?.now).toBe('alarm');
    b.run(389, 395);
    expect(b.state()).toBeUndefined();
  });

  test('keeps one that is over and latched, and one that the rig no longer has, until acknowledged', () => {
    const { now: _, ...over } = raised();
    const b = bench([spec(leaf(400), { latch: true })], { restored: [over, raised({ name: 'old' })] });
    b.run(300);
    b.wait(30);
    expect(b.state('old')?.now).toBe('alarm');
    b.wait(60);
    b.run(300);
    expect(b.engine.states.map((s) => [s.name, s.now, s.unacknowledged])).toEqual([
      ['hot', undefined, true],
      ['old', undefined, true],
    ]);
    expect(b.acknowledge('hot')).toBeUndefined();
    expect(b.acknowledge('old')).toBeUndefined();
    expect(b.engine.states).toEqual([]);
  });

  test('keeps a shelf until its end', () => {
    const b = bench([spec(leaf(400))], { restored: [raised({ shelved: { by: 'tom', until: us(103), why: 'venting' } })] });
    b.run(410);
    expect(b.state()).toHaveProperty('shelved');
    b.run(410, 410, 410);
    expect(b.state()).not.toHaveProperty('shelved');
    expect(b.state()?.unacknowledged).toBe(true);
  });
});

describe('whatever happens', () => {
  const operation = fc.oneof(
    fc.record({
      do: fc.constant('set' as const),
      severity: fc.constantFrom<Severity | undefined>(undefined, ...SEVERITIES),
      latch: fc.boolean(),
    }),
    fc.record({ do: fc.constant('acknowledge' as const) }),
    fc.record({ do: fc.constant('shelve' as const), seconds: fc.integer({ min: 0, max: 100 }) }),
    fc.record({ do: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 90 }) }),
  );

  test('nothing gets worse unseen, the highest severity is kept, and what is told is what there is', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const b = bench([]);
        let wanted: Severity | undefined;
        for (const one of operations) {
          const was = b.state('x');
          const told = b.said.length;
          if (one.do === 'set') {
            wanted = one.severity;
            if (wanted === undefined) b.engine.clear('x', b.now, us(b.now));
            else b.engine.raise('x', wanted, 'why', b.now, us(b.now), undefined, one.latch);
          } else if (one.do === 'acknowledge') b.acknowledge('x');
          else if (one.do === 'shelve') b.shelve('x', one.seconds);
          else b.wait(one.seconds);
          const state = b.state('x');
          expect(rank(state?.now)).toBeGreaterThanOrEqual(rank(wanted));
          if (state) {
            expect(rank(state.severity)).toBeGreaterThanOrEqual(rank(state.now));
            expect(isNormal(state)).toBe(false);
            expect(state.unacknowledged && state.acknowledged !== undefined).toBe(false);
          }
          if (rank(state?.now) > rank(was?.now)) expect(state?.unacknowledged).toBe(true);
          if (was?.unacknowledged && one.do !== 'acknowledge' && state)
            expect(rank(state.severity)).toBeGreaterThanOrEqual(rank(was.severity));
          if (state?.now !== was?.now || state?.unacknowledged !== was?.unacknowledged) expect(b.said.length).toBeGreaterThan(told);
          const last = b.said.at(-1);
          expect(last === undefined || isNormal(last) ? undefined : last.now).toBe(state?.now);
        }
        b.engine.clear('x', b.now, us(b.now));
        b.shelve('x', 0);
        b.wait(61);
        b.acknowledge('x');
        expect(b.engine.states).toEqual([]);
        expect(b.engine.next(b.now)).toBe(Number.POSITIVE_INFINITY);
      }),
    );
  });

  test('who looks only when something is due sees what he sees who looks all the time', () => {
    const value = fc.oneof(fc.constant(undefined), fc.integer({ min: 390, max: 410 }));
    const step = fc.record({ wait: fc.integer({ min: 1, max: 80 }), value });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.integer({ min: 0, max: 5 }), (steps, delay) => {
        const specs = [spec(leaf(400, { hold: 1, stuck: 6 }), { delay })];
        const [often, rarely] = [bench(specs), bench(specs)];
        for (const { wait, value } of steps) {
          for (let i = 0; i < wait; i++) {
            often.wait(0.1);
            rarely.pass(0.1);
            if (rarely.engine.next() <= rarely.now) rarely.wait(0);
            expect(rarely.engine.states.map((s) => ({ ...s, text: '' }))).toEqual(often.engine.states.map((s) => ({ ...s, text: '' })));
          }
          often.see(value);
          rarely.see(value);
        }
      }),
    );
  });

  test('a value past its limit is in alarm, whatever came before it', () => {
    const value = fc.oneof(fc.constant(undefined), fc.integer({ min: 380, max: 470 }));
    fc.assert(
      fc.property(fc.array(value, { maxLength: 80 }), fc.integer({ min: 0, max: 20 }), (values, hysteresis) => {
        const b = bench(
          [
            twoLevels({
              levels: [
                { severity: 'warning', when: leaf(400, { hysteresis }) },
                { severity: 'critical', when: leaf(450, { hysteresis }) },
              ],
            }),
          ],
          { limits: { flapTimes: Number.POSITIVE_INFINITY } },
        );
        let last: number | undefined;
        for (const v of values) {
          b.run(v);
          last = v ?? last;
          if (last === undefined) expect(b.state()).toBeUndefined();
          else {
            const least = last > 450 ? 'critical' : last > 400 ? 'warning' : undefined;
            const most = last > 450 - hysteresis ? 'critical' : last > 400 - hysteresis ? 'warning' : undefined;
            expect(rank(b.state()?.now)).toBeGreaterThanOrEqual(rank(least));
            expect(rank(b.state()?.now)).toBeLessThanOrEqual(rank(most));
          }
        }
      }),
    );
  });
});
