import { describe, expect, test } from 'vitest';
import driver from '../../drivers/bridgman-deadman.ts';
import { type DeadmanTell, deadman } from '../../protocols/deadman.ts';
import { latin1 } from '../../protocols/protocol.ts';
import simulated from '../../simulators/bridgman-deadman.ts';
import { hutch } from '../../simulators/worlds/hutch.ts';
import { ORDER } from '../../src/exchange.ts';
import { Refused, type Talk } from '../../src/talk.ts';
import { runTalk } from '../../src/talk-run.ts';
import { place } from './place.ts';

const bodyOf = () => driver.body({ unit: 1 }, { version: '1', unit: 1, trips: 'DBK' });

const board = (simulate = {}, options = {}) => {
  const bench = place(driver, simulated, [{ name: 'guard', simulate, options }], { baud: 115200 });
  const [unit] = bench.units;
  // The state of the simulator above.
  const state = unit.state as ReturnType<typeof simulated.state>;
  bench.clock.advance(1);
  const dog = bodyOf().watchdog;
  const talk = (make: (act: Parameters<NonNullable<typeof dog>['set']>[0]) => Talk<void> | undefined): string => {
    let outcome = 'unfinished';
    const made = make(unit.acquired.actors as never); // actors of the links of this driver
    if (!made) return 'nothing';
    const run = {
      instrument: 'guard',
      by: 'order:watchdog',
      urgency: ORDER,
      roles: { main: bench.exchange },
      within: 0.2,
      clock: bench.clock,
    } as const;
    runTalk(made, run, (end) => {
      outcome = end.ok ? 'done' : end.why;
    });
    bench.clock.advance(0.1);
    return outcome;
  };
  const value = (channel: string) => {
    const r = unit.acquired.latest(channel);
    return r?.quality === 'good' ? r.value : r?.why;
  };
  return {
    ...bench,
    unit,
    state,
    world: bench.all.of(hutch),
    value,
    set: (seconds: number) => talk((act) => dog?.set(act, seconds)),
    feed: () => talk((act) => dog?.feed?.(act)),
    order: (word: string, on: boolean) => unit.order(word, on, { within: 0.1 }),
  };
};

describe('identify', () => {
  test('takes its own board', () => {
    const { unit, sent } = board();
    expect(unit.acquired.state).toEqual({ is: 'running' });
    expect(unit.acquired.id).toEqual({ version: '1', unit: 1, trips: 'DBK' });
    expect(new Set(sent(true).map((line) => line.split(/[ *]/)[1]))).toEqual(new Set(['who', 'state']));
  });

  test('refuses a board of another number', () => {
    expect(board({ unit: 3 }).unit.acquired.state).toMatchObject({
      is: 'refused',
      why: 'this is the board number 3, and number 1 is expected (option "unit")',
    });
    expect(board({ unit: 3 }, { unit: 3 }).unit.acquired.state).toEqual({ is: 'running' });
    expect(driver.options.parse({ unit: 0 })).toBeInstanceOf(Refused);
  });

  test.each([
    ['deadman 2 1 DBK', /of version 2, and 1 is known: flash its sketch anew/],
    ['stirrer 1 1 DBK', /"stirrer 1 1 DBK" is no dead-man board/],
    [undefined, /"" is no dead-man board/],
  ])('%j is refused', (more, why) => {
    const main = {
      // biome-ignore lint/correctness/useYield: answers at once
      *ask() {
        return { more } as DeadmanTell; // nothing else is looked at
      },
    };
    expect(driver.identify({ main }, { unit: 1 }).next()).toMatchObject({ done: true, value: { why: expect.stringMatching(why) } });
  });
});

describe('readings', () => {
  test('the state of a board that has just been switched on', () => {
    const { value } = board({ door: 'open' });
    const shown = Object.fromEntries(Object.keys(bodyOf().polls?.[0].gives ?? {}).map((name) => [name, value(name)]));
    expect(shown).toEqual({
      door: false,
      button: true,
      key: true,
      shutter: false,
      relay: false,
      armed_timeout: 0,
      time_left: 0,
      trip: 'reset',
      uptime: expect.closeTo(2, 0),
      reset_cause: 'power',
    });
  });

  test('come ten times a second', () => {
    const { unit, clock } = board();
    const before = unit.readings.length;
    clock.advance(10);
    expect((unit.readings.length - before) / 10).toBeCloseTo(100, 0); // ten channels
  });

  /** The readings of one driver at these uptimes (ms) and times (s). */
  const relays = (...seen: readonly (readonly [uptime: number, t: number])[]) => {
    const [poll] = bodyOf().polls ?? [];
    return seen.map(([uptime, t]) => {
      const { relay } = poll.read({ ...poll.example[0], uptime }, { asked: t * 1e6, t: t * 1e6 }) as { relay: unknown };
      return relay === true ? 'seen' : 'lost';
    });
  };

  test.each<readonly [string, readonly (readonly [number, number])[], readonly string[]]>([
    [
      'goes on',
      [
        [1000, 0],
        [1100, 0.1],
        [61_100, 60.1],
      ],
      ['seen', 'seen', 'seen'],
    ],
    [
      'a clock of 1 % error goes on',
      [
        [0, 0],
        [3_564_000, 3600],
        [7_200_000, 7200],
      ],
      ['seen', 'seen', 'seen'],
    ],
    [
      'a reset',
      [
        [100_000, 0],
        [40, 0.1],
        [140, 0.2],
      ],
      ['seen', 'lost', 'seen'],
    ],
    [
      'a reset while nobody looked, at a longer uptime than before',
      [
        [1000, 0],
        [50_000, 60],
      ],
      ['seen', 'lost'],
    ],
    [
      'the uptime has turned over',
      [
        [2 ** 32 - 50, 0],
        [50, 0.1],
      ],
      ['seen', 'seen'],
    ],
    [
      'a reset soon after that',
      [
        [2 ** 32 - 50, 0],
        [50, 5],
      ],
      ['seen', 'lost'],
    ],
    [
      'the host was asleep',
      [
        [1000, 0],
        [900_000, 1],
      ],
      ['seen', 'seen'],
    ],
  ])('%s', (_what, seen, want) => {
    expect(relays(...seen)).toEqual(want);
  });

  test('a reset is said once, with its cause', () => {
    const { unit, state, clock, set, order, value } = board();
    set(5);
    order('relay', true);
    clock.advance(3);
    const before = unit.readings.length;
    state.restart = 'brownout';
    clock.advance(1);
    const bad = unit.readings.slice(before).filter((r) => r.quality === 'bad');
    expect(bad.map((r) => [r.from, r.why])).toEqual(
      ['guard.shutter', 'guard.relay'].map((from) => [
        from,
        'the board has been reset (brownout): its outputs were off, and what was ordered before is gone',
      ]),
    );
    expect([value('relay'), value('trip'), value('reset_cause')]).toEqual([false, 'reset', 'brownout']);
  });
});

describe('orders', () => {
  test('say on the wire what they mean', () => {
    const { set, order, feed, sent } = board();
    expect([set(0.75), order('relay', true), order('shutter', true), feed(), order('relay', false), set(0)]).toEqual(
      Array.from({ length: 6 }, () => 'done'),
    );
    expect(sent().map((line) => line.replace(/^:\d+ (.*)\*[0-9A-F]{4}\n$/, '$1'))).toEqual([
      'timeout 750',
      'relay 1',
      'shutter 1',
      'feed',
      'relay 0',
      'timeout 0',
    ]);
  });

  test('the watchdog is declared with what it holds', () => {
    const { watchdog, commands, polls } = bodyOf();
    expect(watchdog).toMatchObject({ holds: ['relay', 'shutter'], limits: [0.2, 10], readback: 'armed_timeout' });
    for (const name of watchdog?.holds ?? []) expect(commands?.[name]).toMatchObject({ safe: false, readback: { channel: name } });
    expect(polls?.[0].gives).toMatchObject({ armed_timeout: 's' });
  });

  test('a trip lasts until the time-out is set and the outputs are ordered again', () => {
    const { clock, set, order, feed, value } = board();
    set(0.5);
    order('relay', true);
    for (let n = 0; n < 20; n++) expect(feed()).toBe('done');
    expect([value('relay'), value('armed_timeout')]).toEqual([true, 0.5]);
    expect(Number(value('time_left'))).toBeGreaterThan(0.3);
    clock.advance(0.6);
    expect([value('relay'), value('armed_timeout'), value('time_left'), value('trip')]).toEqual([false, 0, 0, 'heartbeat']);
    expect(feed()).toBe('the board has tripped (heartbeat) and its time-out must be set again first');
    expect(order('relay', true)).toMatch(/tripped \(heartbeat\)/);
    expect(order('relay', false)).toBe('done');
    expect(set(0.5)).toBe('done');
    expect([value('relay'), value('trip')]).toEqual([false, 'none']);
    expect(order('relay', true)).toBe('done');
  });

  test('an open contact of the board or of the room trips', () => {
    const { clock, set, order, state, world, value } = board();
    set(2);
    order('relay', true);
    world.door = false;
    clock.advance(0.2);
    expect([value('door'), value('relay'), value('trip')]).toEqual([false, false, 'door']);
    state.contact.key = false;
    clock.advance(0.2);
    expect(set(2)).toBe('the time-out of the board cannot be set while an input is open (door, key)');
    world.door = true;
    state.contact.key = true;
    clock.advance(0.2);
    expect(set(2)).toBe('done');
  });

  test('an input that does not trip is only shown', () => {
    const { unit, clock, set, order, world, value } = board({ trips: 'BK' });
    expect(unit.acquired.id).toMatchObject({ trips: '-BK' });
    set(2);
    order('relay', true);
    world.door = false;
    clock.advance(0.2);
    expect([value('door'), value('relay')]).toEqual([false, true]);
  });

  test('without a time-out and beyond its limits it says what would be right', () => {
    const { set, order } = board();
    set(1);
    set(0);
    expect(order('relay', true)).toBe('the time-out of the board is not set: nothing would switch the output off when the host is gone');
    expect(set(0.1)).toBe('the board does not take 100 for "timeout"');
    expect(set(11)).toBe('the board does not take 11000 for "timeout"');
  });

  test('a safe order does not wait for the question that is open', () => {
    const { unit, exchange, exchanged, clock, set, order, value } = board();
    set(5);
    order('relay', true);
    while (exchange.stats.asked === exchange.stats.answered) clock.advance(0.001);
    const from = exchanged.length;
    expect(unit.order('relay', false, { within: 0.5, safe: true })).toBe('done');
    expect(exchanged[from]).toMatchObject({ by: expect.stringMatching(/^poll:/), fault: 'given up for a safe order' });
    expect(value('relay')).toBe(false);
  });
});

test('late answers of the same word are told apart by their number', () => {
  const { fits, number, asks } = deadman();
  const q = number?.({ word: 'state' }, 70_000);
  expect(q?.n).toBe(70_000 - 65_536);
  expect(latin1(asks.encode(q ?? { word: '' }))).toBe(':4464 state*CD3B\n');
  const [poll] = bodyOf().polls ?? [];
  expect(fits({ ...(poll.example[0] as DeadmanTell), n: 4463 }, q ?? { word: '' })).toBe('late');
  const proof = driver.proof({ unit: 1 }) as { main: { ask: (n: number) => unknown; is: (m: unknown, n: number) => boolean } };
  const who = { n: 4464, word: 'who' };
  expect(proof.main.ask(70_000)).toMatchObject({ word: 'who' });
  expect([proof.main.is(who, 70_000), proof.main.is(who, 70_001), proof.main.is({ ...who, word: 'state' }, 70_000)]).toEqual([
    true,
    false,
    false,
  ]);
});
