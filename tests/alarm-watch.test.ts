/** What the program watches by itself: silence, links, instruments, queue, loop, clock. */
import { describe, expect, test } from 'vitest';
import { type AlarmOptions, alarms } from '../src/alarm.ts';
import { clockWatch } from '../src/alarm-clock.ts';
import type { AlarmState, LinkStatus, Status } from '../src/entry.ts';
import type { Reading } from '../src/reading.ts';

const START = 1_767_225_600; // s
const us = (now: number): number => Math.round((START + now) * 1e6);

const link = (name: string, up = true): LinkStatus => ({
  link: name,
  up,
  waiting: 0,
  asked: 0,
  timeouts: 0,
  garbled: 0,
  dropped: 0,
  noise: 0,
  latencyMean: 0,
  latencyMax: 0,
});

interface Laboratory {
  /** instrument -> state and why */
  instruments?: Readonly<Record<string, readonly [string, string?]>>;
  links?: readonly LinkStatus[];
  status?: Partial<Status>;
  /** Seconds by which the computer's clock is ahead. */
  ahead?: number;
  /** channel[index] -> seconds between two readings; bad ones where there is a reason. */
  channels?: Readonly<Record<string, { readonly every: number; readonly why?: string; readonly derived?: boolean }>>;
}

/** A laboratory that changes as the test says, in steps of a second (readings in steps of 0.1 s). */
function bench(first: Laboratory, options: Partial<AlarmOptions> = {}) {
  let lab: Laboratory = first;
  let tenths = 1000;
  const said: AlarmState[] = [];
  const engine = alarms([], { ...options, emit: (s) => said.push(s) });
  const give = (name: string, why: string | undefined, derived: boolean): void => {
    const [, from = '', index] = /^([^[]+)(?:\[(\d+)\])?$/.exec(name) ?? [];
    const now = tenths / 10;
    const about = {
      from,
      ...(index === undefined ? {} : { index: Number(index) }),
      kind: 'K',
      t: us(now),
      seq: tenths,
      origin: 'simulator',
    };
    const made = derived ? { made: { method: 'm', parameters: '', inputs: [] } } : {};
    engine.see(
      { ...about, ...made, ...(why === undefined ? { quality: 'good', value: tenths } : { quality: 'bad', why }) } as Reading,
      now,
      us(now),
    ); // of its kind
  };
  return {
    engine,
    said,
    change(more: Laboratory) {
      lab = { ...lab, ...more };
    },
    run(seconds: number) {
      for (let i = 0; i < seconds * 10; i++) {
        tenths++;
        for (const [name, { every, why, derived }] of Object.entries(lab.channels ?? {}))
          if (tenths % Math.round(every * 10) === 0) give(name, why, derived ?? false);
        if (tenths % 10 !== 0) continue;
        const now = tenths / 10;
        const instruments = Object.fromEntries(
          Object.entries(lab.instruments ?? {}).map(([name, [state, why]]) => [
            name,
            { state, ...(why === undefined ? {} : { why }), skipped: 0, failed: 0 },
          ]),
        );
        const status = { t: us(now), instruments, links: lab.links ?? [], leases: [], lateness: 0, queued: 0, dropped: 0, memory: 0 };
        engine.seeClock(us(now) + (lab.ahead ?? 0) * 1e6, now, us(now));
        engine.seeStatus({ ...status, ...lab.status }, now, us(now));
        engine.tick(now, us(now));
      }
    },
    give,
    names: () => engine.states.map((s) => s.name).sort(),
    state: (name: string) => engine.states.find((s) => s.name === name),
  };
}

const laser = { 'laser.power': { every: 0.1 }, 'laser.current': { every: 1 }, 'laser.hours': { every: 60 } };
const oven = { 'oven.temperature': { every: 1 } };
const both: Laboratory = {
  instruments: { laser: ['running'], oven: ['running'] },
  links: [link('tcp:laser'), link('serial:oven')],
  channels: { ...laser, ...oven },
};
const withLinks = { links: { laser: ['tcp:laser'], oven: ['serial:oven'] } };
const bad = (channels: Laboratory['channels'], why: string): Laboratory['channels'] =>
  Object.fromEntries(Object.entries(channels ?? {}).map(([name, c]) => [name, { ...c, why }]));

describe('silence', () => {
  test('of one channel is said after ten seconds at least, with its reason, and goes with the next value', () => {
    const b = bench(both, withLinks);
    b.run(120);
    expect(b.names()).toEqual([]);
    b.change({ channels: { ...laser, ...oven, 'laser.power': { every: 0.1, why: 'below its range' } } });
    b.run(9);
    expect(b.names()).toEqual([]);
    b.run(2);
    expect(b.state('silence laser.power')).toMatchObject({
      now: 'warning',
      text: 'no value: below its range; usually one every 0.1 s',
    });
    b.change({ channels: { ...laser, ...oven } });
    b.run(1);
    expect(b.names()).toEqual([]);
  });

  test('of a slow channel is said after five of its intervals', () => {
    const b = bench({ ...both, channels: { ...oven, 'oven.slow': { every: 8 } } }, withLinks);
    b.run(100);
    b.change({ channels: oven });
    b.run(36);
    expect(b.names()).toEqual([]);
    b.run(8);
    expect(b.names()).toEqual(['silence oven.slow']);
  });

  test('is none where answers to orders came in one go, and then no more', () => {
    const b = bench(both, withLinks);
    b.run(100);
    for (let i = 0; i < 20; i++) b.give('oven.refused', undefined, false);
    b.run(300);
    expect(b.names()).toEqual([]);
  });

  test('of a whole instrument is one alarm', () => {
    const b = bench(both, withLinks);
    b.run(120);
    b.change({ channels: { ...oven, ...bad(laser, 'no answer') } });
    b.run(12);
    expect(b.names()).toEqual(['silence laser']);
    expect(b.state('silence laser')?.text).toBe('nothing from laser: no answer (power, current)');
    b.run(400);
    expect(b.names()).toEqual(['silence laser']);
    b.change({ channels: { ...oven, ...laser, 'laser.power': { every: 0.1, why: 'below its range' } } });
    b.run(2);
    expect(b.names()).toEqual(['silence laser.hours', 'silence laser.power']);
    expect(new Set(b.said.map((s) => s.name))).toEqual(new Set(['silence laser', 'silence laser.hours', 'silence laser.power']));
  });

  test('is not told to and fro by a slow channel that still comes', () => {
    const b = bench({ ...both, channels: { ...oven, ...laser, 'laser.hours': { every: 20 } } }, withLinks);
    b.run(200);
    b.change({ channels: { ...oven, 'laser.hours': { every: 20 } } });
    b.run(300);
    expect(b.names()).toEqual(['silence laser.current', 'silence laser.power']);
    expect(b.said.length).toBeLessThanOrEqual(4);
  });

  test('of one of a list is named with its index', () => {
    const list = { 'bias.voltage[0]': { every: 1 }, 'bias.voltage[1]': { every: 1 }, 'bias.current': { every: 1 } };
    const b = bench({ instruments: { bias: ['running'] }, channels: list });
    b.run(20);
    b.change({ channels: { ...list, 'bias.voltage[1]': { every: 1, why: 'tripped' } } });
    b.run(12);
    expect(b.names()).toEqual(['silence bias.voltage']);
    expect(b.state('silence bias.voltage')?.text).toBe('no value (of 2: [1]): tripped; usually one every 1 s');
  });

  test('is none for what is excepted, entered by hand, derived, or said once', () => {
    const channels = {
      'camera.spectrum': { every: 1 },
      'oven.temperature': { every: 1 },
      'oven.power': { every: 1 },
      'operator.thickness': { every: 1 },
      'kelvin.temperature': { every: 1, derived: true },
    };
    const instruments = { camera: ['running'], oven: ['running'], operator: ['running'], board: ['running'] } as const;
    const b = bench(
      { instruments, channels },
      { limits: { silenceExcept: ['camera', 'oven.temperature'] }, links: { ...withLinks.links, operator: [] } },
    );
    b.run(19);
    b.change({ channels: { ...channels, 'board.serial': { every: 1 } } });
    b.run(1);
    b.change({ channels: { 'oven.power': { every: 1 } } });
    b.run(300);
    expect(b.names()).toEqual([]);
    expect(b.engine.shelve('silence oven.power', 'eva', 60, 'why', us(500))).toBeUndefined();
    expect(b.engine.shelve('silence kelvin.temperature', 'eva', 60, 'why', us(500))).toContain('there is no alarm');
  });

  test('of an instrument that has never been there is said', () => {
    const b = bench({ instruments: { laser: ['connecting', 'not asked yet'] } });
    b.run(5);
    b.change({ instruments: { laser: ['silent', 'identify: no answer'] } });
    b.run(6);
    expect(b.state('silence laser')?.text).toBe('it is not there: identify: no answer');
    b.change({ instruments: { laser: ['running'] } });
    b.run(1);
    expect(b.names()).toEqual([]);
  });

  test('of the last run stays, acknowledged as it was, until there is a word', () => {
    const restored: AlarmState[] = [
      {
        name: 'silence oven.temperature',
        now: 'warning',
        severity: 'warning',
        since: us(0),
        changed: us(0),
        text: 'no value',
        unacknowledged: false,
        acknowledged: { by: 'eva', t: us(1) },
      },
    ];
    const b = bench({ ...both, channels: laser }, { ...withLinks, restored });
    b.run(100);
    expect(b.state('silence oven.temperature')).toMatchObject({ now: 'warning', unacknowledged: false });
    b.change(both);
    b.run(2);
    expect(b.names()).toEqual([]);
  });

  test('can be switched off', () => {
    const b = bench(both, { ...withLinks, limits: { silence: Number.POSITIVE_INFINITY } });
    b.run(60);
    b.change({ channels: {} });
    b.run(600);
    expect(b.names()).toEqual([]);
  });
});

describe('a link that is down', () => {
  test('is one alarm, and its instruments are not silent beside it', () => {
    const b = bench(both, withLinks);
    b.run(60);
    b.change({ links: [link('tcp:laser', false), link('serial:oven')], channels: { ...oven, ...bad(laser, 'link down') } });
    b.run(3);
    expect(b.names()).toEqual([]);
    b.run(1);
    expect(b.state('link tcp:laser')).toMatchObject({ now: 'alarm', text: 'no connection, so nothing from laser' });
    b.run(600);
    expect(b.names()).toEqual(['link tcp:laser']);
  });

  test('leaves its instruments ten seconds when it is up again; what is silent then is said', () => {
    const b = bench(both, withLinks);
    b.run(60);
    b.change({ links: [link('tcp:laser', false), link('serial:oven')], channels: { ...oven, ...bad(laser, 'link down') } });
    b.run(60);
    b.change({ links: both.links });
    b.run(9);
    expect(b.names()).toEqual([]);
    b.run(3);
    expect(b.names()).toEqual(['silence laser']);
  });

  test('keeps the silence that was there before it', () => {
    const b = bench(both, withLinks);
    b.run(60);
    b.change({ channels: { ...laser, ...bad(oven, 'no answer') } });
    b.run(15);
    b.change({ links: [link('tcp:laser'), link('serial:oven', false)] });
    b.run(15);
    expect(b.names()).toEqual(['link serial:oven', 'silence oven.temperature']);
  });

  test('that comes and goes is no storm', () => {
    const b = bench(both, withLinks);
    for (let i = 0; i < 60; i++) {
      b.change({ links: [link('tcp:laser', i % 2 === 0)] });
      b.run(5);
    }
    expect(b.said.filter((s) => s.name === 'link tcp:laser').length).toBeLessThanOrEqual(12);
    expect(b.state('link tcp:laser')?.text).toMatch(/comes and goes: \d+ times/);
  });
});

test('a refused instrument is an alarm with its reason', () => {
  const b = bench({ instruments: { oven: ['refused', 'another instrument answers'] } });
  b.run(1);
  expect(b.state('refused oven')).toMatchObject({ now: 'alarm', text: 'another instrument answers' });
  b.change({ instruments: { oven: ['running'] } });
  b.run(1);
  expect(b.names()).toEqual([]);
});

describe('the host', () => {
  test.each([
    ['loop lateness', { lateness: 0.3 }, 'the main loop was late by 0.30 s (more than 0.25 s)'],
    ['queue depth', { queued: 100_001 }, '100001 entries wait for the recorder (more than 100000)'],
    ['memory use', { memory: 2 ** 32 }, 'the host uses 4096 MiB (more than 2048 MiB)'],
  ])('%s is raised at once, and over after ten calm seconds', (name, status, text) => {
    const b = bench({});
    b.run(5);
    b.change({ status });
    b.run(1);
    expect(b.state(name)).toMatchObject({ now: 'warning', text });
    b.change({ status: {} });
    b.run(9);
    expect(b.names()).toEqual([name]);
    b.run(2);
    expect(b.names()).toEqual([]);
  });

  test('lost entries wait to be acknowledged', () => {
    const b = bench({});
    b.run(1);
    b.change({ status: { dropped: 12 } });
    b.run(60);
    expect(b.state('entries dropped')).toMatchObject({ severity: 'alarm', unacknowledged: true });
    expect(b.state('entries dropped')).not.toHaveProperty('now');
    expect(b.engine.acknowledge(undefined, 'eva', us(200))).toBeUndefined();
    b.run(1);
    expect(b.names()).toEqual([]);
  });

  test('limits may be others', () => {
    const b = bench({ status: { lateness: 0.3 } }, { limits: { lateness: 1 } });
    b.run(2);
    expect(b.names()).toEqual([]);
  });
});

describe("the computer's clock", () => {
  test('set forward by an hour: a step that waits to be acknowledged, and an offset that lasts', () => {
    const b = bench({});
    b.run(10);
    b.change({ ahead: 3600 });
    b.run(1);
    expect(b.state('clock step')).toMatchObject({ unacknowledged: true, text: expect.stringContaining('set forward by 3600.0 s') });
    expect(b.state('clock offset')).toMatchObject({ now: 'warning', text: expect.stringContaining('3600.0 s ahead of') });
    b.run(100);
    expect(b.said.filter((s) => s.name === 'clock step')).toHaveLength(2);
    b.change({ ahead: -3600 });
    b.run(1);
    expect(b.state('clock step')?.text).toContain('set back by 7200.0 s');
    expect(b.state('clock offset')?.text).toContain('3600.0 s behind');
    b.change({ ahead: 0 });
    b.run(1);
    expect(b.names()).toEqual(['clock step']);
  });

  test('that is slewed is an offset and no step', () => {
    const watch = clockWatch(0.5);
    const found = Array.from({ length: 5000 }, (_, i) => watch(us(i) + i * 500, us(i)));
    expect(found.filter((f) => f.step !== undefined)).toEqual([]);
    expect(found.at(-1)?.offset).toBeCloseTo(2.4995, 4);
  });

  test('that is off already when the program starts is no step', () => {
    const watch = clockWatch(0.5);
    expect(watch(us(10), us(0))).toEqual({ offset: 10 });
    expect(watch(us(11.6), us(1))).toEqual({ offset: expect.closeTo(10.6, 6), step: expect.closeTo(0.6, 6) });
  });
});
